"""Confidence intervals from the replicates of a design: pure numbers, no labels.

Replicates are independent, so the spread of an estimate between them gives its standard error, and Student's t with
R - 1 degrees of freedom its interval (Owen 2013, Monte Carlo theory, methods and examples, section 17.3; that it covers
for scrambled nets: L'Ecuyer, Nakayama, Owen and Tuffin 2023, Proc. Winter Simulation Conference). Each of random rows
may be its own replicate. Where the spread cannot be trusted there is no number, or a wider one that is safe, and a
`remark` says why. What counts as too few was chosen by coverage, measured with `tests/test_coverage.py` and more.
"""

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

CONFIDENCE = 0.95
MOST_FAILED = 0.01
"""Share of failed samples above which nothing is estimated."""
FEWEST_ROWS = 10
"""Rows to a replicate; with fewer, a share of rows is too coarse for Student's t."""
FEWEST_EVENTS = 25
"""Rows with an event, and rows without; with fewer, a share has the exact binomial interval. With more, Student's t
held it in 91 to 97 of 100 studies (`tests/test_coverage.py`: three designs, 16 replicates)."""
FEWEST_OTHERS = 10
"""Rows that differ from a value which most rows have, for the mean of all."""
_SKEWED = 25.0  # Cochran's factor
_NOTHING = 1e-13  # of a number's size: rounding


@dataclass(frozen=True)
class Estimate:
    """A value and its confidence interval; an end that cannot be given is nan, and `remark` says why.

    `lowest` and `highest` bound the value, wherever the failed samples would have been: nan where nothing bounds it.

    >>> f"{Estimate(0.3499, 0.3377, 0.3621):.1%}"
    '35.0% (33.8% to 36.2%)'
    """

    value: float
    low: float = np.nan
    high: float = np.nan
    remark: str = ""
    lowest: float = np.nan
    highest: float = np.nan

    def __format__(self, spec: str) -> str:
        """The value and, in brackets, its interval, each number as `spec` says."""
        if not spec:
            return str(self)
        value, low, high = (format(number, spec) for number in (self.value, self.low, self.high))
        ends = (np.isfinite(self.low), np.isfinite(self.high))
        said = {(True, True): f"{low} to {high}", (True, False): f"{low} or more", (False, True): f"{high} or less"}
        return f"{value} ({said.get(ends, 'no interval')})"


class Interval(NamedTuple):
    """Values, the ends of their intervals (nan: none), and what is to be said of them; arrays of one shape."""

    value: Array
    low: Array
    high: Array
    remark: NDArray[np.str_]


class Moments(NamedTuple):
    """Of what each row adds to an estimate's error, its influence: number of rows, sums of powers 1 to 3, commonest.

    `commonest` is how many rows share the lowest or the highest value, whichever are more.
    """

    rows: int
    sums: Array
    commonest: NDArray[np.int64]


def of_ratio(
    numerator: Array, denominator: Array, *, moments: Moments | None = None, confidence: float = CONFIDENCE
) -> Interval:
    """Ratio of two sums over all rows; with the numbers of rows below, a mean.

    The ratio is linearised (Cochran 1977, Sampling techniques, chapter 6). Where the rows' influences are so skewed
    that fewer than 25 times their squared skewness are there (Cochran 1977, section 2.15), the interval is extended to
    that of Hall's transformation (Hall 1992, J. R. Stat. Soc. B 54:221, with the skewness of independent rows).

    Parameters
    ----------
    numerator, denominator
        Sums over the rows of each replicate, (replicate, ...).
    moments
        Of the rows, sums over powers (3, ...); without them the interval is not checked for skewness.

    Returns
    -------
    Interval
        (...); the value is nan where the denominator is zero.
    """
    replicates = len(numerator)
    with np.errstate(divide="ignore", invalid="ignore"):
        total = np.asarray(denominator.sum(axis=0))
        value = np.asarray(np.where(total != 0.0, numerator.sum(axis=0) / total, np.nan))
        apart = replicates * (numerator - value * denominator) / total
        error = np.sqrt((apart**2).sum(axis=0) / (replicates * max(replicates - 1, 1)))
        level = np.abs(numerator).sum(axis=0) / np.abs(total)
    return _student(value, error, level, replicates, "replicates", moments, confidence)


def of_rows(value: Array, moments: Moments, *, confidence: float = CONFIDENCE) -> Interval:
    """Any estimate from independent rows, each its own replicate, by the moments of their influences, (3, ...)."""
    n = moments.rows
    variance = np.maximum(moments.sums[1] - moments.sums[0] ** 2 / n, 0.0) / max(n - 1, 1)
    return _student(value, np.sqrt(variance / n), np.abs(value), n, "samples", moments, confidence)


def _student(
    value: Array, error: Array, level: Array, count: int, of: str, moments: Moments | None, confidence: float
) -> Interval:
    value, error = np.asarray(value, dtype=float), np.asarray(error, dtype=float)
    remark = np.full(value.shape, "", dtype=object)
    remark[np.isnan(value)] = "zero over zero: no value"
    if count < 2:
        remark[~np.isnan(value)] = f"one of {of} alone shows no spread, so no interval"
        return Interval(value, np.full(value.shape, np.nan), np.full(value.shape, np.nan), remark.astype(str))
    none = ~np.isnan(value) & (error <= _NOTHING * level)
    remark[none] = f"no spread between the {of}, so no interval"
    student = float(stats.t.ppf(0.5 + confidence / 2, count - 1))
    low, high = value - student * error, value + student * error
    if moments is not None:
        n = moments.rows
        others = n - moments.commonest
        few = (others < FEWEST_OTHERS) & (moments.commonest > n / 2) & (remark == "")
        remark[few] = [f"all but {k} of {n} samples are alike: too few others for an interval" for k in others[few]]
        skewness = _skewness(moments)
        skewed = (_SKEWED * skewness**2 > n) & (remark == "")
        ends = [value - error * _hall_inverse(q, skewness / np.sqrt(n)) for q in (student, -student)]
        low, high = np.where(skewed, np.fmin(low, ends[0]), low), np.where(skewed, np.fmax(high, ends[1]), high)
        remark[skewed] = f"{n} samples are few for so skewed an output: the interval is made wider"
        none = none | few
    low, high = (np.where(none | np.isnan(value), np.nan, end) for end in (low, high))
    return Interval(value, low, high, remark.astype(str))


def _skewness(moments: Moments) -> Array:
    with np.errstate(divide="ignore", invalid="ignore"):
        mean, second, third = moments.sums / moments.rows
        variance = second - mean**2
        skewness = (third - 3 * mean * second + 2 * mean**3) / variance**1.5
    return np.where(np.isfinite(skewness), skewness, 0.0)


def _hall_inverse(quantile: float, skewness: Array) -> Array:
    """Of Hall's cubic transformation of Student's t, for a mean of that skewness."""
    a = np.where(np.abs(skewness) < 1e-6, 1e-6, skewness) / 3.0
    return np.asarray((np.cbrt(1.0 + 3.0 * a * (quantile - a / 2.0)) - 1.0) / a)


def of_probability(
    events: NDArray[Any],
    rows: NDArray[Any],
    *,
    with_event: NDArray[Any],
    without_event: NDArray[Any],
    winters: int = 1,
    exact: bool = False,
    confidence: float = CONFIDENCE,
) -> Interval:
    """Probability of an event, or mean share of winters with it.

    Student's t of the replicates, whose counts are whole numbers: two neighbouring ones may be all that show, with a
    standard deviation of 1/2 at most, so no less than that is taken. With too few events, or (of one winter) too few
    rows, the exact binomial interval (Clopper and Pearson 1934, Biometrika 26:404): of independent rows, for scrambled
    points and Latin hypercubes wide, but safe. All winters of a row then count as one, as if they were all alike: wider
    still, as no mean of shares varies more than that of yes and no (Hoeffding 1963, J. Am. Stat. Assoc. 58:13).

    Parameters
    ----------
    events
        Sum over the rows of each replicate, of events or shares of winters, (replicate, ...).
    rows
        Of each replicate, (replicate,).
    with_event, without_event
        Rows in which there is any winter with the event, and any without, (...).
    winters
        Winters of a row.
    exact
        Whether to take the exact interval for a single winter in any case: the rows are independent.
    """
    n, replicates = float(np.sum(rows)), len(rows)
    column = np.reshape(rows, (-1,) + (1,) * (events.ndim - 1)).astype(float)
    found = of_ratio(events, np.broadcast_to(column, events.shape), confidence=confidence)
    total = np.asarray(events.sum(axis=0))
    fewest = np.minimum(with_event, without_event)
    few_rows = winters == 1 and n < FEWEST_ROWS * replicates
    binomial = np.asarray((fewest < FEWEST_EVENTS) | (replicates < 2) | few_rows | (exact and winters == 1))
    least = stats.t.ppf(0.5 + confidence / 2, max(replicates - 1, 1)) * 0.5 * np.sqrt(replicates) / (n * winters)
    half = np.fmax((found.high - found.low) / 2, least)
    tail = 0.5 - confidence / 2
    total = np.clip(total, 0.0, n)
    with np.errstate(invalid="ignore"):
        bottom = np.where(total > 0, stats.beta.ppf(tail, total, n - total + 1), 0.0)
        top = np.where(total < n, stats.beta.isf(tail, total + 1, n - total), 1.0)
    low = np.where(binomial, bottom, np.maximum(found.value - half, 0.0))
    high = np.where(binomial, top, np.minimum(found.value + half, 1.0))
    remark = np.full(total.shape, "", dtype=object)
    if not (exact and winters == 1):
        why = "few rows to a replicate" if few_rows else "one replicate" if replicates < 2 else "few events"
        remark[binomial] = f"{why}: exact binomial interval, wider than need be"
    return Interval(found.value, low, high, remark.astype(str))


def of_quantile(
    values: Array,
    replicate: NDArray[np.int64],
    probability: float,
    *,
    exact: bool = False,
    confidence: float = CONFIDENCE,
) -> tuple[float, float, float, str]:
    """Quantile of all rows and winters: value, ends of the interval, remark.

    The interval is that of the probability to lie below the quantile, from the replicates (Woodruff 1952, J. Am. Stat.
    Assoc. 47:635). Many equal values, such as the zeros of winters without a shortfall, are a step of the distribution:
    where it surely holds the quantile, the interval is that one value. An end beyond which too few rows lie, and both
    for independent rows of one winter, is an order statistic (Conover 1999, Practical nonparametric statistics, section
    3.2; as `scipy.stats.quantile_test`, which knows no winters), all winters of a row counting as one: safe, but wide.

    Parameters
    ----------
    values
        (row, winter); may be infinite.
    replicate
        Number of each row's replicate, from 0 on, (row,).
    """
    n, winters = values.shape
    ordered = np.sort(values, axis=None)
    value = at_level(ordered, probability)
    rows = np.bincount(replicate)
    low_rank = int(stats.binom.ppf(0.5 - confidence / 2, n, probability))
    high_rank = int(stats.binom.isf(0.5 - confidence / 2, n, probability)) + 1
    single = winters == 1 and (exact or n < FEWEST_ROWS * len(rows))
    ends = []
    for event, sign in ((values < value, -1), (values <= value, 1)):
        some, all_ = event.any(axis=1), event.all(axis=1)
        fewest = min(int(some.sum()), n - int(all_.sum()))
        if single or len(rows) < 2 or fewest < FEWEST_EVENTS:
            place = (low_rank - 1) * winters if sign < 0 else high_rank * winters - 1
            ends.append(float(ordered[place]) if 0 <= place < len(ordered) else np.nan)
            continue
        events = np.bincount(replicate, weights=event.mean(axis=1))[:, np.newaxis]
        share, low, high, _ = of_probability(
            events,
            rows,
            with_event=np.array([some.sum()]),
            without_event=np.array([n - all_.sum()]),
            winters=winters,
            confidence=confidence,
        )
        half = max(share.item() - low.item(), high.item() - share.item())
        if sign * (share.item() - probability) >= half:
            ends.append(value)
        else:
            ends.append(at_level(ordered, probability + sign * half))
    told = [bool(np.isfinite(end)) for end in ends]
    which = {(False, False): "no interval", (True, False): "no upper end", (False, True): "no lower end"}
    remark = "" if all(told) else f"{which[told[0], told[1]]}: {n} samples are too few for a quantile so far out"
    return value, ends[0], ends[1], remark


def at_level(ordered: Array, level: float) -> float:
    """Quantile of sorted values by linear interpolation, as `numpy.quantile`; nan outside 0 to 1, infinities kept."""
    if not 0.0 <= level <= 1.0:
        return np.nan
    below, part = divmod((len(ordered) - 1) * level, 1.0)
    one, other = ordered[int(below)], ordered[min(int(below) + 1, len(ordered) - 1)]
    if part == 0.0 or one == other:
        return float(one)
    return float(one + part * (other - one) if part < 0.5 else other - (1.0 - part) * (other - one))
