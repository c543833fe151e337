"""What `study.sizing` searches, as studies: the designs of a range of one key, each with its store."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from study import statistics
from study.config import Study
from study.ensemble import open_ensemble
from study.errors import ConfigError, EnsembleError
from study.intervals import Estimate
from study.quantity import short
from study.reading import read_yaml
from study.simulation import refuse_hopeless
from study.sizing import FIRST_ROWS, Goal
from study.stopping import estimate_of, values_of
from study.sweep import NOT_SWEPT, design_of
from study.sweep import values_of as values_of_range
from study.variables import SAMPLE_VARIABLES, variables_of

_RANGE = re.compile(r"([-+0-9.eE]+)\s*(?:\.\.|…)\s*([-+0-9.eE]+)\s*([^0-9].*)?", re.DOTALL)


@dataclass(frozen=True)
class Range:
    """Values of one key of a study, and what is asked of them.

    Attributes
    ----------
    data, label
        The study file.
    key, values, names
        What is set, to what, and that in words.
    goal
        The target.
    samples
        Of a value at most, instead of the study's.
    output
        Folder of the stores.
    """

    data: dict[Any, Any]
    label: Path
    key: str
    values: tuple[Any, ...]
    names: tuple[str, ...]
    goal: Goal
    samples: int | None
    output: str

    @classmethod
    def of(
        cls, config: Path, *, key: str, limits: str, step: str, until: str, samples: int | None, output: str | None
    ) -> "Range":
        """Read what is asked for; ConfigError when anything of it is wrong."""
        data = read_yaml(config)
        if "sweep" in data:
            raise ConfigError(f"{config}: sweep: allowed: a study of one design, of which --find changes one key")
        if key.partition(".")[0] in NOT_SWEPT:
            raise ConfigError(f"--find {short(key)}: allowed: any key but {', '.join(NOT_SWEPT)}")
        found = _RANGE.fullmatch(limits.strip())
        if found is None:
            raise ConfigError(f"--range {short(limits)}: allowed: two numbers and a unit, as in 16..40 or 20..60 m")
        unit = (found[3] or "").strip()
        own = step if not unit or re.search(r"[A-Za-z%]", step) else f"{step} {unit}"
        try:
            values = values_of_range({"from": f"{found[1]} {unit}", "to": f"{found[2]} {unit}", "step": own})
        except ValueError as error:
            raise ConfigError(f"--range {limits}: {error}") from None
        try:
            goal = Goal.parse(until)
        except ValueError as error:
            raise ConfigError(f"--until {short(until)}: {error}") from None
        name = str(data.get("name"))
        where = output if output is not None else str(Path("ensembles") / f"{name}.size")
        asked = cls(data, config, key, tuple(values), tuple(map(str, values)), goal, samples, where.rstrip("/"))
        if goal.statistic.output not in {*variables_of(asked.first), *SAMPLE_VARIABLES}:
            raise ConfigError(f"--until {short(until)}: {goal.statistic.output} is no output of this study")
        asked.study(len(values) - 1, asked.most)  # the other end is one, too
        return asked

    @cached_property
    def first(self) -> Study:
        """The study with the first value."""
        return self._study(0).with_overrides(samples=self.samples)

    @property
    def most(self) -> int:
        """Samples of a value at most."""
        return self.first.samples

    @property
    def least(self) -> int:
        """Samples of the first stage."""
        return min(self.most, FIRST_ROWS * self.first.replicates)

    def _study(self, place: int) -> Study:
        label = f"{self.label} with {self.key}={self.names[place]}"
        data = {key: value for key, value in self.data.items() if key not in ("stop", "traces")}
        return design_of(data, {self.key: self.values[place]}, label=label, folder=self.label.parent)

    def study(self, place: int, samples: int) -> Study:
        """Return the study with a value, of so many samples."""
        return self._study(place).with_overrides(samples=samples)

    def store(self, place: int) -> str:
        """Return where a value's rows are."""
        return f"{self.output}/{re.sub(r'[^A-Za-z0-9.]+', '-', f'{self.key}-{self.names[place]}')}.zarr"

    def estimate(self, run: Callable[[int, int], str], place: int, samples: int, confidence: float) -> Estimate:
        """Estimate the target's statistic from a value's first samples, which `run` computes; nan where that fails."""
        try:
            refuse_hopeless(self.study(place, samples))
        except ConfigError as error:
            return Estimate(np.nan, remark=str(error))
        dataset = open_ensemble(run(place, samples)).isel(sample=slice(samples))
        try:
            good = statistics.usable(dataset)
        except EnsembleError as error:
            return Estimate(np.nan, remark=str(error))
        target = self.goal.statistic
        found = estimate_of(target, values_of(target, good), self.first.design, confidence)
        return statistics.estimate(found)
