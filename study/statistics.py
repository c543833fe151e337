"""Estimates from an ensemble, each with a 95 % confidence interval.

The replicates of the design are independent, so the spread of an estimate between them gives its standard error, and
Student's t with R - 1 degrees of freedom its interval (Owen 2013, Monte Carlo theory, methods and examples, section
17.3). Where that says nothing - an event in all rows or in none, fewer than ten rows to a replicate - and for plain
Monte Carlo, the exact binomial interval is used; with scrambled points it is wide, but safe.

Plain functions of arrays: `values` (sample,) or (sample, winter), `replicate` (sample,).
"""

from collections.abc import Callable
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
    return _from_replicates(_by_sample(values), replicate, np.mean)


def quantile(values: Array, replicate: NDArray[np.int64], probability: float) -> Estimate:
    """Quantile over samples, and over winters too where there are any."""
    estimate = _from_replicates(values, replicate, lambda x: np.quantile(x, probability))
    if not _few_rows(replicate):
        return estimate
    interval = stats.quantile_test(_by_sample(values), p=probability).confidence_interval(CONFIDENCE)
    return Estimate(estimate.value, *((interval.low, interval.high) if values.ndim == 1 else ()))


def probability(event: NDArray[np.bool_], replicate: NDArray[np.int64], *, monte_carlo: bool = False) -> Estimate:
    """Probability of an event, (sample,), or mean share of winters with it, (sample, winter)."""
    share = _by_sample(event.astype(float))
    never_or_always = np.ptp(share) == 0 and share[0] in (0, 1)
    if never_or_always or (event.ndim == 1 and (monte_carlo or _few_rows(replicate))):
        exact = stats.binomtest(round(share.sum()), len(share)).proportion_ci(CONFIDENCE, method="exact")
        return Estimate(float(share.mean()), float(exact.low), float(exact.high))
    estimate = _from_replicates(share, replicate, np.mean)
    return Estimate(estimate.value, max(0.0, estimate.low), min(1.0, estimate.high))


def _by_sample(values: Array) -> Array:
    return values if values.ndim == 1 else values.mean(axis=1)


def _few_rows(replicate: NDArray[np.int64]) -> bool:
    return len(replicate) < FEWEST_ROWS * len(np.unique(replicate))


def _from_replicates(
    values: Array, replicate: NDArray[np.int64], statistic: Callable[[Array], np.floating]
) -> Estimate:
    value = float(statistic(values))
    each = np.array([statistic(values[replicate == r]) for r in np.unique(replicate)])
    if len(each) < 2:
        return Estimate(value)
    half = stats.t.ppf(0.5 + CONFIDENCE / 2, len(each) - 1) * each.std(ddof=1) / np.sqrt(len(each))
    return Estimate(value, float(value - half), float(value + half))
