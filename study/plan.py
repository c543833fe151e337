"""The plan of a run: how long a sample takes, how many make a block, how much room the store needs, and what a small
pilot lets expect of the answer's intervals.
"""

import json
import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from kernels import LANES
from study.config import Study
from study.simulation import simulate
from study.traces import objects as trace_objects
from study.traces import size as trace_size
from study.variables import OK, TYPES, sample_variables_of, variables_of

BLOCK_SECONDS = 10.0
"""A block takes about that long on one core: long against what a task costs, short against what a kill loses, s."""
BLOCKS_PER_CORE = 4
"""Blocks for each core at least, so that none waits for another for long."""
FEW_BLOCKS = 64
"""Blocks grow longer than that only to keep their number here: each is a file for every variable."""
MOST_BLOCKS = 2048
"""But no more blocks than that, some hundred thousand files, or than there are cores."""
LARGEST_BLOCK = 16_384
"""Rows of a block at most: of thirty winters some 200 MB of results in memory."""
MANY_OBJECTS = 1_000_000
"""Files of a store above which there is a warning: to list, copy or delete them takes hours."""
PILOT_SECONDS = 5.0
"""A pilot takes about that long on one core at most: of long lives it computes the first winters alone, s."""

_CONFIDENCE = 0.95
_TIMED_WINTERS = 3
_FILE = 4096  # what is lost to whole blocks of the file system for a file, bytes
_DESCRIPTION = 1500  # an array's metadata, bytes
_DIGEST = 200  # a chunk's place in a receipt, and its share of the rest, bytes


@dataclass(frozen=True)
class Plan:
    """What a study's samples ask for.

    Attributes
    ----------
    block_size
        Rows of a block.
    blocks
        Number of blocks.
    store_size
        Most room that the store takes, bytes: its numbers uncompressed, and all that describes them.
    objects
        Files, or objects in an object store, after a single run.
    """

    block_size: int
    blocks: int
    store_size: int
    objects: int

    @classmethod
    def of(cls, study: Study, *, block_size: int) -> "Plan":
        """Return the plan of a study in blocks of that size."""
        block_size = fitting(block_size, study)
        blocks = -(-study.samples // block_size)
        variables = len(study.uncertain) + len(sample_variables_of(study)) + len(variables_of(study))
        series = trace_objects(study)
        of_blocks, of_study = blocks * (variables + 1), variables + 1 + series  # a receipt; and the winters
        objects = of_blocks + of_study + 1 + 1 + 2  # the winters' chunk, the root, begin and end of the run
        numbers = blocks * block_size * bytes_per_sample(study) + trace_size(study)
        words = 2 * len(json.dumps(study.resolved())) + of_study * 2 * _DESCRIPTION + of_blocks * _DIGEST
        return cls(block_size, blocks, numbers + words + objects * _FILE, objects)

    @property
    def warning(self) -> str | None:
        """What is unwise about it, in words."""
        if self.objects <= MANY_OBJECTS:
            return None
        return (
            f"the store will have {self.objects:,} files, in blocks of {self.block_size:,} samples; larger blocks "
            f"(--block-size) make fewer"
        )


@dataclass(frozen=True)
class Expectation:
    """What to expect of an estimate.

    Attributes
    ----------
    words, units
        What it is of; a probability is a share, of units "1".
    value
        Found by the pilot.
    half_width
        Of its 95 % interval with all samples of the study, at most about; nan where the pilot cannot tell.
    """

    words: str
    units: str
    value: float
    half_width: float


@dataclass(frozen=True)
class Pilot:
    """The first samples of a study, computed to plan it.

    Attributes
    ----------
    samples, failed
        Samples computed, and those of them that failed.
    winters
        First winters of each.
    seconds
        Time that a sample of all winters takes on one core of this machine, s.
    expectations
        Of the main estimates.
    """

    samples: int
    failed: int
    winters: int
    seconds: float
    expectations: tuple[Expectation, ...]

    @classmethod
    def of(cls, study: Study) -> "Pilot":
        """Compute the first rows of the design, one group of lanes, in memory alone; of a sweep the first design's."""
        study = study.designs_of(np.arange(1))[0][0]
        seconds = seconds_per_sample(study)
        winters = int(np.clip(PILOT_SECONDS / (seconds * LANES / study.winters), 1, study.winters))
        values = simulate(study.model_copy(update={"winters": winters, "traces": None}), np.arange(LANES)).values
        good = values["status"] == OK
        carbon, hours = (values[name][good].mean(axis=1) for name in ("carbon_reduction", "unmet_hours"))
        expected = [expected_mean(study, carbon, "mean carbon reduction of a winter", "t CO2")]
        if study.claim is not None:
            claim = study.claim.carbon_reduction
            words = f"probability of {claim:,.0f} t CO2 or more, on average over the life"
            expected.append(expected_probability(study, carbon >= claim, words))
        expected.append(expected_mean(study, hours, "loss-of-load expectation of a winter", "h"))
        return cls(LANES, int((~good).sum()), winters, seconds, tuple(expected))


def expected_mean(study: Study, values: NDArray[np.float64], words: str, units: str) -> Expectation:
    """Expect of a mean, from some samples, t s / √n with all n samples of the study, as of independent ones.

    With points that fill the space evenly the interval is narrower, mostly by far (Owen 1997, Ann. Stat. 25:1541).
    """
    if len(values) < 2 or np.ptp(values) == 0:
        return Expectation(words, units, float(values.mean()) if len(values) else np.nan, np.nan)
    return Expectation(words, units, float(values.mean()), _student(study) * float(values.std(ddof=1)))


def expected_probability(study: Study, event: NDArray[np.bool_], words: str) -> Expectation:
    """Expect of a probability t √(p (1 - p) / n), with the p nearest to one half that some samples leave possible.

    These are those in the exact interval (Clopper and Pearson 1934, Biometrika 26:404).
    """
    if not len(event):
        return Expectation(words, "1", np.nan, np.nan)
    exact = stats.binomtest(int(event.sum()), len(event)).proportion_ci(_CONFIDENCE, method="exact")
    p = float(np.clip(0.5, exact.low, exact.high))
    return Expectation(words, "1", float(event.mean()), _student(study) * float(np.sqrt(p * (1.0 - p))))


def _student(study: Study) -> float:
    """Half the width of the interval of a mean over the standard deviation of what is averaged."""
    freedom = min(study.replicates, study.samples) - 1
    if freedom < 1:
        return float("nan")
    return float(stats.t.ppf(0.5 + _CONFIDENCE / 2, freedom) / np.sqrt(study.samples))


def describe(study: Study, pilot: Pilot, *, cores: int) -> list[str]:
    """Return the plan of a study on so many cores of this machine, in lines for a person."""
    block_size = suggested(study, pilot.seconds, cores)
    plan = Plan.of(study, block_size=block_size)
    samples, of_each = study.samples // study.points, " of each design" if study.points > 1 else ""
    a_block = plan.block_size * pilot.seconds
    work = plan.blocks * a_block
    at_once = -(-plan.blocks // cores) * a_block
    lines = [
        f"computing     about {time_in_words(work)} of core time, {time_in_words(at_once)} on this machine's cores "
        f"({cores}); timed here, on {LANES} rows",
        f"blocks        {plan.blocks:,} of {plan.block_size // study.points:,} samples{of_each}, "
        f"{time_in_words(a_block)} each",
        f"store         up to {size_in_words(plan.store_size)} in {plan.objects:,} files"
        + (f", of that traces {size_in_words(trace_size(study))} in {trace_objects(study):,}" if study.traces else ""),
        *([f"warning: {plan.warning}"] if plan.warning else []),
    ]
    whole = "all" if pilot.winters == study.winters else f"the first {pilot.winters:,} of {study.winters:,}"
    of_first = f" of the first of {study.points} designs" if study.points > 1 else ""
    lines.append(
        f"intervals     95 % intervals to expect of {samples:,} samples{of_first}, at most about; from a pilot of the "
        f"first {pilot.samples} and {whole} winters:"
    )
    for each in pilot.expectations:
        scale, units = (100.0, "%") if each.units == "1" else (1.0, each.units)
        if not np.isfinite(each.value):
            text = "cannot be told: no sample of the pilot ended well"
        elif not np.isfinite(each.half_width):
            text = f"{each.value * scale:.4g} {units}, the interval cannot be told: the pilot sees no difference"
        else:
            text = _plus_minus(each.value * scale, each.half_width * scale, units)
        lines.append(f"  {each.words}: {text}")
    if pilot.failed:
        lines.append(f"  {pilot.failed} of the pilot's {pilot.samples} samples failed and are left out")
    return lines


def _plus_minus(value: float, half: float, units: str) -> str:
    digits = int(np.clip(1 - np.floor(np.log10(half)), 0, 6))
    return f"{value:,.{digits}f} ± {half:,.{digits}f} {units}"


def time_in_words(seconds: float) -> str:
    """Return a time for a person."""
    units = ((86400.0, "d"), (3600.0, "h"), (60.0, "min"), (1.0, "s"))
    length, unit = next((each for each in units if seconds >= 2.0 * each[0]), units[-1])
    return f"{seconds / length:,.{int(seconds < 10.0 * length)}f} {unit}"


def size_in_words(size: float) -> str:
    """Return a number of bytes for a person."""
    scale, unit = next(each for each in ((1e9, "GB"), (1e6, "MB"), (1e3, "kB")) if size >= each[0] or each[0] == 1e3)
    return f"{size / scale:.3g} {unit}"


def bytes_per_sample(study: Study) -> int:
    """Room that a sample takes in the store, uncompressed and without traces, bytes."""
    of_sample = sum(np.dtype(TYPES.get(name, "float64")).itemsize for name in sample_variables_of(study))
    return of_sample + 8 * len(study.uncertain) + 8 * study.winters * len(variables_of(study))


def seconds_per_sample(study: Study) -> float:
    """Time that a sample takes on one core, measured on a few rows and winters, s; kernels are compiled on the way."""
    study = study.designs_of(np.arange(1))[0][0]
    winters = min(study.winters, _TIMED_WINTERS)
    rows = np.arange(LANES)
    simulate(study.model_copy(update={"winters": 1}), rows[:1])
    start = time.perf_counter()
    simulate(study.model_copy(update={"winters": winters}), rows)
    return (time.perf_counter() - start) * study.winters / winters / LANES


def fitting(block_size: int, study: Study) -> int:
    """Rows of a block of a study: no more than all, in whole groups of lanes, each sample with all of its designs."""
    samples = max(1, block_size // study.points)
    return study.points * min(samples, -(-(study.samples // study.points) // LANES) * LANES)


def suggested(study: Study, seconds: float, cores: int) -> int:
    """Rows of a block for a study's rows of so many seconds each on so many cores, as of `choose_block_size`."""
    size = choose_block_size(study.samples // study.points, seconds * study.points, cores)
    return study.points * min(size, max(1, LARGEST_BLOCK // study.points // LANES) * LANES)


def choose_block_size(samples: int, seconds: float, cores: int) -> int:
    """Rows of a block for so many samples of so many seconds each on so many cores: whole groups of lanes.

    Blocks of `BLOCK_SECONDS`; longer where there would be more than `FEW_BLOCKS`, as long as each core has
    `BLOCKS_PER_CORE` of them; and never so short that there are more than `MOST_BLOCKS`, as long as each core has one.
    """
    wanted = max(BLOCK_SECONDS / max(seconds, 1e-9), samples / FEW_BLOCKS)
    least = samples / max(MOST_BLOCKS, cores)
    size = min(max(min(wanted, samples / (BLOCKS_PER_CORE * cores)), least), LARGEST_BLOCK)
    groups = max(1, round(size / LANES))
    if -(-samples // (groups * LANES)) > max(MOST_BLOCKS, cores):
        groups += 1  # rounded down, they were too many
    return min(groups * LANES, LARGEST_BLOCK)
