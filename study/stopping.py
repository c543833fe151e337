"""Tolerance instead of a number of samples: the stages in which a run grows, and its targets judged after each.

A stage has a power of two of rows to each replicate, so Sobol' points are in balance, or it is the whole budget.
Targets are looked at after a stage alone. A run that looked after every block, and stopped once an interval happened to
be narrow enough, would stop where chance made it too narrow: stopping at a width asked for is right in the limit of
small tolerances only (Glynn and Whitt 1992, Ann. Appl. Probab. 2:180). A few looks, at sizes fixed beforehand, leave
little of that; `_judged` says what is done about it.
"""

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from operator import ge, gt, le, lt
from typing import TYPE_CHECKING, Any

import numpy as np

from study import statistics
from study.config import Study
from study.ensemble import open_ensemble, reading
from study.errors import EnsembleError
from study.intervals import CONFIDENCE
from study.limits import limits_of
from study.plan import time_in_words
from study.statistics import Estimate
from study.storage import Storage
from study.target import Comparison, Target

if TYPE_CHECKING:
    import xarray as xr

FIRST_ROWS = 16
"""Rows of each replicate in the first stage."""
SLOWEST, FASTEST = 0.5, 1.0
"""Half-widths are expected to fall like n^-r, r between that of plain Monte Carlo and the fastest that is believed."""
_COMPARE: dict[Comparison, Callable[..., Any]] = {">=": ge, ">": gt, "<=": le, "<": lt}
_PIECE = 2**16  # rows read at a time


@dataclass(frozen=True)
class Judgement:
    """What some samples say of a target.

    Attributes
    ----------
    samples
        How many they are, those that failed included.
    value, half_width
        Of the statistic, in the target's units, of a probability as a share of 1; the interval's longer half; nan where
        there is none.
    remark
        Why there is none.
    """

    target: Target
    samples: int
    value: float = math.nan
    half_width: float = math.nan
    remark: str = ""

    @property
    def allowed(self) -> float:
        """The half-width asked for, in the units of `half_width`."""
        return self.target.tolerance * (abs(self.value) if self.target.relative else 1.0)

    @property
    def met(self) -> bool:
        """Whether the half-width is known and small enough."""
        return self.half_width <= self.allowed

    def __str__(self) -> str:
        name, asked = self.target.name, _asked(self.target)
        if not math.isfinite(self.half_width):
            return f"{name}: no interval yet{f' ({self.remark})' if self.remark else ''}, asked ±{asked}"
        scale, units = (100.0, " %") if self.target.units == "%" else (1.0, f" {self.target.units}".rstrip())
        half = scale * self.half_width
        digits = max(0, 1 - math.floor(math.log10(half))) if half > 0.0 else 3
        return f"{name}: {scale * self.value:,.{digits}f} ±{half:,.{digits}f}{units}, asked ±{asked}"


def _asked(target: Target) -> str:
    if target.units == "%":
        return f"{100.0 * target.tolerance:.6g} %"
    if target.relative:
        return f"{100.0 * target.tolerance:.6g} % of it"
    units = "K" if target.units == "degC" else target.units
    return f"{target.tolerance:,.6g} {units}".rstrip()


@dataclass
class Growth:
    """How a run grows towards its targets.

    Attributes
    ----------
    targets
        Without any, there is one stage: all samples.
    replicates
        Of the design.
    budget
        Samples at most.
    first
        Samples of the first stage at least, for what the study says of single rows.
    course
        Judgements after each stage so far.
    """

    targets: tuple[Target, ...]
    replicates: int
    budget: int
    first: int = 0
    course: list[tuple[Judgement, ...]] = field(default_factory=list)

    @classmethod
    def of(cls, study: Study, targets: Sequence[Target]) -> "Growth":
        """Growth up to a study's samples."""
        traced = int(study.traces.rows.max()) + 1 if study.traces and isinstance(study.traces.samples, tuple) else 0
        return cls(tuple(targets), study.replicates, study.samples, traced)

    def after(self, samples: int) -> int:
        """Samples of the stage after so many samples; the budget is the last one."""
        stage = self.replicates * FIRST_ROWS
        while self.targets and stage < self.budget and (stage <= samples or stage < self.first):
            stage *= 2
        return min(stage, self.budget) if self.targets else self.budget

    def before(self, leading: int, laid_out: int) -> int:
        """Samples of the last stage of which all rows are there; 0 if none is.

        Parameters
        ----------
        leading
            So many rows from the first on are there.
        laid_out
            Rows of the store: where all of them are there, that is taken for a stage.
        """
        if leading < self.after(0):
            return 0
        if leading >= laid_out:
            return laid_out
        stage = self.after(0)
        while (more := self.after(stage)) <= leading and more > stage:
            stage = more
        return stage

    def judge(self, storage: Storage, samples: int) -> tuple[Judgement, ...]:
        """Judge the targets by a store's first samples, and keep that."""
        self.course.append(judge(self.targets, storage, samples))
        return self.course[-1]

    @property
    def met(self) -> bool:
        """Whether the last stage met all targets."""
        return bool(self.course) and all(judgement.met for judgement in self.course[-1])

    @property
    def over(self) -> bool:
        """Whether there is no further stage: all targets are met, or the budget of samples is spent."""
        return self.met or (bool(self.course) and self.samples >= self.budget)

    @property
    def samples(self) -> int:
        """Of the last stage."""
        return self.course[-1][0].samples if self.course else 0

    @property
    def expected(self) -> float:
        """Samples that are expected to do, by the course so far; infinity where that cannot be told."""
        if not self.course:
            return math.inf
        wanted = float(self.samples)
        for place, last in enumerate(self.course[-1]):
            if not last.met:
                history = [(stage[place].samples, stage[place].half_width) for stage in self.course]
                wanted = max(wanted, samples_needed(history, last.allowed))
        stage = self.samples
        while stage < min(wanted, self.budget):
            stage = self.after(stage)
        return stage if wanted <= self.budget else wanted

    @property
    def more(self) -> int:
        """Samples to go as far as can be told, at most to the budget; 0 if it cannot."""
        return int(min(self.expected, self.budget)) - self.samples if math.isfinite(self.expected) else 0

    def outlook(self, pace: float) -> str:
        """What is to come, in words; `pace` is the time that a sample takes, s."""
        words = f"going on to {self.after(self.samples):,} samples"
        if not math.isfinite(self.expected):
            return words
        time = f"about {time_in_words(pace * self.more)} to go"
        if self.expected > self.budget:
            return f"{words}; more than the budget of {self.budget:,} are expected to be needed; {time}"
        return f"{words}; {self.expected:,} are expected to do, {time}"

    def __str__(self) -> str:
        end = ": all targets are met" if self.met else ": the budget of samples is spent" if self.over else ""
        return f"{self.samples:,} samples: {'; '.join(map(str, self.course[-1]))}{end}"


def samples_needed(history: Sequence[tuple[int, float]], allowed: float) -> float:
    """Samples after which a half-width is expected to be as small as allowed; infinity where that cannot be told.

    Parameters
    ----------
    history
        Samples and half-width after each stage, nan where there was none.
    """
    known = [(math.log(samples), math.log(half)) for samples, half in history if half > 0.0]
    samples, half = history[-1]
    if not (half > 0.0 and allowed > 0.0):
        return math.inf
    rate = SLOWEST
    if len(known) > 1:
        x, y = np.array(known).T
        rate = float(np.clip(-np.polyfit(x, y, 1)[0], SLOWEST, FASTEST)) if np.ptp(x) > 0.0 else SLOWEST
    return samples * max(1.0, half / allowed) ** (1.0 / rate)


def judge(targets: Sequence[Target], storage: Storage, samples: int) -> tuple[Judgement, ...]:
    """Judge targets by a store's first samples, all of which are there; one output at a time is in memory.

    Raises
    ------
    EnsembleError
        When the store is damaged.
    """
    if not samples:
        return tuple(Judgement(target, 0, remark="no sample is done") for target in targets)
    dataset = open_ensemble(storage.address).isel(sample=slice(samples))
    with reading(storage):
        design = json.loads(dataset.attrs["study"])["design"]
        try:
            good = statistics.usable(dataset)
        except EnsembleError as error:
            return tuple(Judgement(target, samples, remark=str(error)) for target in targets)
        return tuple(_judged(target, good, design) for target in targets)


def _judged(target: Target, dataset: "xr.Dataset", design: Any) -> Judgement:
    """The half-width of all samples, but no less than half that of the first half of them.

    A run that stops at the first narrow interval stops where chance made it too narrow: with four replicates such an
    interval held the mean in 87 of 100 runs. Errors fall like 1/n at best (on smooth outputs of these designs), so that
    no half-width needs to be believed that falls faster; with that, in 95.
    """
    values = values_of(target, dataset)
    samples = values.sizes["sample"]
    found, before = (
        statistics.estimate(estimate_of(target, values.isel(sample=slice(count)), design))
        for count in (samples, max(1, samples // 2))
    )
    half = float(np.fmax(_half_width(found), _half_width(before) / 2)) if np.isfinite(_half_width(found)) else math.nan
    return Judgement(target, samples, found.value, half, found.remark)


def _half_width(found: Estimate) -> float:
    known = math.isfinite(found.low) and math.isfinite(found.high)
    return max(found.high - found.value, found.value - found.low) if known else math.nan


def values_of(target: Target, dataset: "xr.Dataset") -> "xr.DataArray":
    """What a target is about, (sample,) or, of single winters, (sample, winter)."""
    output = dataset[target.output]
    if target.reduction == "winters" or "winter" not in output.dims:
        return output
    pieces = [
        getattr(output.isel(sample=slice(start, start + _PIECE)).load(), target.reduction)("winter", skipna=False)
        for start in range(0, output.sizes["sample"], _PIECE)
    ]
    return output.isel(winter=0, drop=True).copy(data=np.concatenate([piece.values for piece in pieces]))


def event_of(target: Target, values: "xr.DataArray") -> "xr.DataArray":
    """Where the event of a probability happens."""
    event: xr.DataArray = _COMPARE[target.comparison](values, target.threshold)
    return event


def estimate_of(target: Target, values: "xr.DataArray", design: Any, confidence: float = CONFIDENCE) -> "xr.Dataset":
    """A target's statistic, over samples and, where they are there, winters."""
    over = ("sample", "winter") if "winter" in values.dims else ("sample",)
    options: Any = {"over": over, "design": design, "confidence": confidence}
    if target.statistic == "mean":
        bounded = target.reduction != "sum"
        return statistics.mean(values, limits=limits_of(target.output) if bounded else (None, None), **options)
    if target.statistic == "P":
        return statistics.probability(event_of(target, values), **options)
    if target.statistic == "cvar":
        return statistics.conditional_value_at_risk(values, target.parameter, tail=target.tail, **options)
    if target.statistic == "return_level":
        return statistics.return_level(values, target.parameter, **options)
    return statistics.quantile(values, target.parameter, **options)


def missed(judgements: Sequence[Judgement]) -> str:
    """What was missed, in words; empty where nothing was."""
    words = [str(judgement) for judgement in judgements if not judgement.met]
    if not words:
        return ""
    return (
        f"missed, by {judgements[0].samples:,} samples: {'; '.join(words)}; all samples are kept, and the same command "
        "with more samples or hours goes on from there"
    )
