"""What `study.sizing` searches, as studies: the designs of a range of one key, each with its store."""

import difflib
import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from study import statistics
from study.config import MOST_GRID, SHORT, Study, full_key, read_study
from study.ensemble import open_ensemble, reading
from study.errors import ConfigError, EnsembleError
from study.intervals import Estimate
from study.quantity import Quantity, short
from study.reading import read_yaml
from study.simulation import refuse_hopeless
from study.sizing import FIRST_ROWS, Found, Goal, confidence_of_a_look
from study.sizing_budget import can_show, enough
from study.sizing_limit import saturation
from study.stopping import estimate_of, values_of
from study.sweep import NOT_SWEPT, design_of, ends_of, with_unit
from study.sweep import values_of as values_of_range
from study.variables import sample_variables_of, variables_of

MOST_VALUES = 100_000
"""Of a range that is bisected."""
DOUBLINGS = 4
"""How often a value of the file is doubled, or halved, where no range is given."""
STEPS = 20
"""A step is about such a share of the file's value where none is given: 1, 2 or 5 times a power of ten."""


@dataclass(frozen=True)
class Range:
    """Values of one key of a study, and what is asked of them.

    Attributes
    ----------
    data, label
        The study file.
    key, values, names
        What is set, to what, and that in words.
    start, rungs
        Places among the values of the file's own and its doubles and halves, where no range was given.
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
    start: int
    rungs: tuple[int, ...]
    goal: Goal
    samples: int | None
    output: str

    @classmethod
    def of(
        cls,
        config: Path,
        *,
        key: str,
        until: str,
        limits: str | None = None,
        step: str | None = None,
        samples: int | None = None,
        output: str | None = None,
    ) -> "Range":
        """Read what is asked for; ConfigError when anything of it is wrong."""
        data = read_yaml(config)
        if "sweep" in data:
            raise ConfigError(f"{config}: sweep: allowed: a study of one design, of which --find changes one key")
        if key.partition(".")[0] in NOT_SWEPT:
            raise ConfigError(f"--find {short(key)}: allowed: any key but {', '.join(NOT_SWEPT)}")
        try:
            goal = Goal.parse(until)
        except ValueError as error:
            raise ConfigError(f"--until {short(until)}: {error}") from None
        start, rungs = 0, tuple[int, ...]()
        if limits is None:
            values, start, rungs = _about_the_own(data, config, key, step)
        else:
            values = _between(limits, step)
        name = str(data.get("name"))
        where = output if output is not None else str(Path("ensembles") / f"{name}.size")
        names = tuple(map(str, values))
        asked = cls(data, config, key, tuple(values), names, start, rungs, goal, samples, where.rstrip("/"))
        if goal.statistic.output not in {*variables_of(asked.first), *sample_variables_of(asked.first)}:
            raise ConfigError(f"--until {short(until)}: {goal.statistic.output} is no output of this study")
        if not rungs:
            asked.study(len(values) - 1, asked.most)  # the other end is one, too
        return asked

    @cached_property
    def first(self) -> Study:
        """The study with the first value that is tried."""
        return self._study(self.start).with_overrides(samples=self.samples)

    @property
    def most(self) -> int:
        """Samples of a value at most."""
        return self.first.samples

    @property
    def least(self) -> int:
        """Samples of the first stage."""
        return min(self.most, FIRST_ROWS * self.first.replicates)

    def too_few(self, confidence: float) -> str:
        """Return what to say where the most samples cannot show the target, however good a value is; else nothing.

        Parameters
        ----------
        confidence
            As of `study.sizing.search`.
        """

        def look(most: int) -> float:
            return confidence_of_a_look(
                len(self.values),
                first=min(most, FIRST_ROWS * self.first.replicates),
                most=most,
                rungs=self.rungs,
                start=self.start,
                confidence=confidence,
            )

        if can_show(self.goal, self.first, self.most, look(self.most)):
            return ""
        needed, do = enough(self.goal, self.first, look)
        return (
            f"{self.most:,} samples cannot show {self.goal.text} with {100 * confidence:.6g} % confidence in all "
            "verdicts together, even if every one were on the right side; "
            + (f"{needed:,} could (--samples {needed})" if do else f"more than {needed:,} are needed")
        )

    def _study(self, place: int) -> Study:
        label = f"{self.label} with {self.key}={self.names[place]}"
        data = {key: value for key, value in self.data.items() if key not in ("stop", "traces")}
        return design_of(data, {self.key: self.values[place]}, label=label, folder=self.label.parent)

    def study(self, place: int, samples: int) -> Study:
        """Return the study with a value, of so many samples."""
        return self._study(place).with_overrides(samples=samples)

    def store(self, place: int) -> str:
        """Return where a value's rows are."""
        return f"{self.output}/{re.sub(r'[^A-Za-z0-9.-]+', '-', f'{self.key}-{self.names[place]}')}.zarr"

    def estimate(self, run: Callable[[int, int], str], place: int, samples: int, confidence: float) -> Estimate:
        """Estimate the target's statistic from a value's first samples, which `run` computes; nan where that fails."""
        try:
            refuse_hopeless(self.study(place, samples))
        except ConfigError as error:
            return Estimate(np.nan, remark=str(error))
        store = run(place, samples)
        with reading(store):
            dataset = open_ensemble(store).isel(sample=slice(samples))
            try:
                good = statistics.usable(dataset)
            except EnsembleError as error:
                return Estimate(np.nan, remark=str(error))
            target = self.goal.statistic
            found = estimate_of(target, values_of(target, good), self.first.design, confidence)
            return statistics.estimate(found)

    def limit(self, found: Found) -> str:
        """Return that something else than the key limits the design, where the last values tried show it; else nothing.

        Parameters
        ----------
        found
            The answer, that no value meets the target.
        """
        ordered = sorted(found.tried, key=lambda each: each.place)
        last = ordered[1::-1] if found.more_is_better is False else ordered[-2:]
        if len(last) < 2 or any(math.isnan(each.estimate.value) for each in last):
            return ""
        samples = min(each.samples for each in last)
        with reading(self.output):
            datasets = [open_ensemble(self.store(each.place)).isel(sample=slice(samples)) for each in last]
            words = saturation(self.goal, *datasets)
        names = [self.names[each.place] for each in last]
        return f"from {self.key} = {names[0]} to {names[1]}, {words}: something else limits it" if words else ""


def _between(limits: str, step: str | None) -> list[Any]:
    """Values of a range such as 16..40 or 20..60 m, and a step in the same unit."""
    try:
        first, last, unit = ends_of(limits)
    except ValueError as error:
        raise ConfigError(f"--range {short(limits)}: {error}") from None
    step = step or "1"
    try:
        whole = {"from": f"{first} {unit}", "to": f"{last} {unit}", "step": _with(step, unit)}
        values = values_of_range(whole, most=MOST_VALUES)
    except ValueError as error:
        raise ConfigError(f"--range {limits} --step {step}: {error}") from None
    if len(values) == 1 and first != last:
        raise ConfigError(f"--range {limits} --step {step}: the step leads beyond the range; allowed: a smaller one")
    return values


def _about_the_own(
    data: dict[Any, Any], config: Path, key: str, step: str | None
) -> tuple[list[Any], int, tuple[int, ...]]:
    """Values about that of the file, the place of that one, and those of its doubles and halves.

    They lie whole steps from the file's value, no more than `DOUBLINGS` away, and within what the schema allows.
    """
    study, full = read_study(data, label=str(config), folder=config.parent), full_key(key)
    if full == "field.wells":
        quantity, own, unit = Quantity("1", ge=1, le=MOST_GRID), Decimal(len(study.field.places)), ""
    else:
        quantity, own, unit = _number_of(study, full, config)
    if step is not None:
        try:
            width = Decimal(repr(Quantity(quantity.difference_unit, gt=0).parse(_with(step, unit))))
        except ValueError as error:
            raise ConfigError(f"--step {short(step)}: {error}") from None
    else:
        width = Decimal(1) if full == "field.wells" else _step(own)
    factor = 2**DOUBLINGS
    below = int(min(own - own / factor, own - Decimal(max(quantity.ge, quantity.gt, -1e99))) / width)
    above = int(min(own * factor - own, Decimal(min(quantity.le, 1e99)) - own) / width)
    numbers = [own + n * width for n in range(-below, above + 1)]
    numbers = [each for each in numbers if quantity.check(float(each))]
    if len(numbers) > MOST_VALUES:
        raise ConfigError(f"--step {step}: {len(numbers):,} values; allowed: at most {MOST_VALUES:,}")
    start = numbers.index(own)
    wanted = [own * 2**n for n in range(1, DOUBLINGS + 1)] + [own / 2**n for n in range(1, DOUBLINGS + 1)]
    nearest = {min(range(len(numbers)), key=lambda n: abs(numbers[n] - each)) for each in wanted}
    return [with_unit(each, unit) for each in numbers], start, tuple(sorted(nearest - {start}))


def _number_of(study: Study, key: str, config: Path) -> tuple[Quantity, Decimal, str]:
    """Limits, value and unit of a number that a study gives; of one that is uncertain its median, in round numbers."""
    item = study.inputs.get(key)
    if item is None:
        nearest = ", ".join(difflib.get_close_matches(key[:60], [*SHORT, *study.inputs], n=3, cutoff=0))
        raise ConfigError(
            f"--find {short(key)}: {config} gives no such number, the nearest ones are {nearest}; or --range FROM..TO "
            "says what to try"
        )
    own = Decimal(repr(float(study.medians()[key][0])))
    if not own > 0:
        raise ConfigError(
            f"--find {key}: {config} says {short(item.text)}, which doubling makes no larger; "
            "--range FROM..TO says what to try"
        )
    if key in study.uncertain:
        own = round(own / _step(own)) * _step(own)
    return item.quantity, own, "" if item.unit == "1" else item.unit


def _step(own: Decimal) -> Decimal:
    """1, 2 or 5 times a power of ten, at most a share of 1 / `STEPS` of a value."""
    most = own / STEPS
    power = Decimal(10) ** most.adjusted()
    return max(power * digit for digit in (1, 2, 5) if power * digit <= most)


def _with(step: str | None, unit: str) -> str:
    """A step with the unit of what it goes along, unless it has one."""
    return f"{step} {unit}" if unit and step and not re.search(r"[A-Za-z%]", step) else str(step)
