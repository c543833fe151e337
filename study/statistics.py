"""Estimates from an ensemble, each with a 95 % confidence interval.

The replicates of the design are independent, so the spread of a mean between them gives its standard error, and
Student's t with R - 1 degrees of freedom its interval (Owen 2013, Monte Carlo theory, methods and examples, section
17.3). A probability is the mean of an event; where the event happened in every sample or in none, where there are fewer
than ten rows to a replicate, and for plain Monte Carlo, its interval is the exact binomial one: with scrambled points
wide, but safe. A quantile's interval comes from that of the probability to lie below it (Woodruff 1952, J. Am. Stat.
Assoc. 47:635); with fewer than ten rows to a replicate it is that of order statistics (Conover 1999, section 3.2). The
level that one winter in T exceeds, its return level, is the quantile 1 - 1/T of all winters of all samples.

Plain functions of arrays: `values` (sample,) or (sample, winter), `replicate` (sample,).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

Array = NDArray[np.float64]

CONFIDENCE = 0.95
FEWEST_ROWS = 10


@dataclass(frozen=True)
class Estimate:
    """A value and its confidence interval; an interval that cannot be given is nan."""

    value: float
    low: float = np.nan
    high: float = np.nan


def mean(values: Array, replicate: NDArray[np.int64]) -> Estimate:
    """Mean over samples (and winters)."""
    by_sample = _by_sample(values)
    value, half = float(by_sample.mean()), _half_width(by_sample, replicate)
    return Estimate(value) if np.isnan(half) else Estimate(value, value - half, value + half)


def quantile(values: Array, replicate: NDArray[np.int64], probability: float) -> Estimate:
    """Quantile over samples, and over winters too where there are any.

    Many equal values, such as the zeros of winters without a shortfall, are a step of the distribution: where it surely
    holds the quantile, the interval is that one value.
    """
    value = float(np.quantile(values, probability))
    if _few_rows(replicate):
        if values.ndim > 1:
            return Estimate(value)
        exact = stats.quantile_test(values, p=probability).confidence_interval(CONFIDENCE)
        return Estimate(value, float(exact.low), float(exact.high))
    (below, half_below), (up_to, half_up_to) = (
        _share_and_half_width(event, replicate) for event in (values < value, values <= value)
    )
    low, high = probability - half_below, probability + half_up_to
    return Estimate(
        value,
        value if below + half_below < probability else float(np.quantile(values, low)) if low > 0.0 else np.nan,
        value if up_to - half_up_to >= probability else float(np.quantile(values, high)) if high < 1.0 else np.nan,
    )


def ratio(numerator: Array, denominator: Array, replicate: NDArray[np.int64]) -> Estimate:
    """Ratio of two means, nan where the denominator's is zero (Cochran 1977, Sampling techniques, chapter 6)."""
    above, under = _by_sample(numerator), _by_sample(denominator)
    if under.mean() == 0:
        return Estimate(np.nan)
    value = float(above.mean() / under.mean())
    half = _half_width((above - value * under) / under.mean(), replicate)
    return Estimate(value) if np.isnan(half) else Estimate(value, value - half, value + half)


def variance_share(values: Array, replicate: NDArray[np.int64]) -> Estimate:
    """Share of the variance that is between samples, what we do not know, rather than between winters, chance.

    The variance of chance is half the mean square of the difference of successive winters (von Neumann et al. 1941,
    Ann. Math. Stat. 12:153), so that what comes slowly over the life of a sample is not taken for chance; the mean
    course of all samples counts for neither. The share is the first-order Sobol' index of all inputs together, averaged
    over the winters.

    Parameters
    ----------
    values
        (sample, winter), in the order of the winters.

    Returns
    -------
    Estimate
        Between 0 and 1; nan where nothing varies, and of one winter.
    """
    if values.shape[1] < 2 or not np.ptp(values, axis=0).any():
        return Estimate(np.nan)
    departure = values - values.mean(axis=0)
    chance = 0.5 * (np.diff(departure, axis=1) ** 2).mean(axis=1)
    share = ratio((departure**2).mean(axis=1) - chance, (departure**2).mean(axis=1), replicate)
    return Estimate(*(min(max(x, 0.0), 1.0) for x in (share.value, share.low, share.high)))


def probability(event: NDArray[np.bool_], replicate: NDArray[np.int64], *, monte_carlo: bool = False) -> Estimate:
    """Probability of an event, (sample,), or mean share of winters with it, (sample, winter)."""
    share = _by_sample(event.astype(float))
    never_or_always = np.ptp(share) == 0 and share[0] in (0, 1)
    if never_or_always or (event.ndim == 1 and (monte_carlo or _few_rows(replicate))):
        exact = stats.binomtest(round(share.sum()), len(share)).proportion_ci(CONFIDENCE, method="exact")
        return Estimate(float(share.mean()), float(exact.low), float(exact.high))
    half = _half_width(share, replicate)
    value = float(share.mean())
    return Estimate(value) if np.isnan(half) else Estimate(value, max(0.0, value - half), min(1.0, value + half))


def _few_rows(replicate: NDArray[np.int64]) -> bool:
    return len(replicate) < FEWEST_ROWS * len(np.unique(replicate))


def _share_and_half_width(event: NDArray[np.bool_], replicate: NDArray[np.int64]) -> tuple[float, float]:
    """Share of values with an event, and half the width of its interval, at least half of one value's share."""
    share = probability(event, replicate)
    half = np.maximum(max(share.value - share.low, share.high - share.value), 0.5 / event.size)
    return share.value, float(half)


def _by_sample(values: Array) -> Array:
    return values if values.ndim == 1 else values.mean(axis=1)


def _half_width(by_sample: Array, replicate: NDArray[np.int64]) -> float:
    """Half the width of the interval of a mean; nan where the replicates say nothing."""
    each = np.array([by_sample[replicate == r].mean() for r in np.unique(replicate)])
    if len(each) < 2 or np.ptp(each) == 0:
        return np.nan
    return float(stats.t.ppf(0.5 + CONFIDENCE / 2, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each)))
