"""Intervals of sensitivity indices, by leaving out one replicate at a time, and when none can be trusted.

By the jackknife (Tukey 1958; Shao and Tu 1995, The jackknife and bootstrap, section 2.3), with Student's t.
"""

from collections.abc import Callable

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

FEWEST_REPLICATES = 4
FEWEST_EVENTS = 50  # and as many rows without the event


def check_sample(name: str, data: xr.DataArray) -> None:
    if "sample" not in data.dims or not data.sizes["sample"]:
        raise ValueError(f"{name} needs the dimension sample, with rows in it; got {dict(data.sizes)}")


def replicates_of(
    data: xr.DataArray, replicate: ArrayLike | xr.DataArray | None, batches: int
) -> tuple[Integers, bool]:
    """Numbers 0, 1, ... of the replicates, and whether rows were taken for independent for want of any."""
    count = data.sizes["sample"]
    if replicate is None and "replicate" in data.coords:
        replicate = data.coords["replicate"]
    if replicate is None:
        return np.arange(count) % min(batches, max(count, 1)), True
    given = np.asarray(replicate)
    if given.shape != (count,):
        raise ValueError(f"replicate: shape ({count},) expected, got {given.shape}")
    return np.unique(given, return_inverse=True)[1].reshape(-1), False


def jackknife(estimator: Callable[[Array], tuple[Array, ...]], sums: Array, confidence: float) -> list[Array]:
    """(value, low, high) stacked, of each estimate made from sums, (moment, replicate, ...)."""
    every = sums.sum(axis=1)
    values, without = estimator(every), estimator(every[:, None] - sums)
    return [interval_of(v, w, confidence) for v, w in zip(values, without, strict=True)]


def interval_of(value: Array, without: Array, confidence: float) -> Array:
    """(value, low, high) stacked, from estimates with each replicate left out, (replicate, ...)."""
    half = stats.t.ppf(0.5 + confidence / 2, len(without) - 1) * standard_error(without)
    return np.stack([value, value - half, value + half])


def standard_error(without: Array) -> Array:
    count = len(without)
    return np.asarray(np.sqrt((count - 1) / count * ((without - without.mean(axis=0)) ** 2).sum(axis=0)))


def rows_of_rarer_value(*values: Array) -> int | None:
    """Rows of the rarer of two values, in the array that has fewest of them; None where there are more values."""
    finite = [v[np.isfinite(v)] for v in values]
    every = np.concatenate(finite)
    if not len(every):
        return None
    low, high = every.min(), every.max()
    if low == high or not ((every == low) | (every == high)).all():
        return None
    return min(int(min((v == low).sum(), (v == high).sum())) for v in finite)


def failed_remark(failed: int, rows: int, most_failed: float) -> str:
    if not failed:
        return ""
    said = f"{failed} of {rows} rows failed"
    if failed > most_failed * rows:
        return f"{said}: more than {most_failed:.2%}"
    return f"{said} and are left out; what they would have been, no index can tell"
