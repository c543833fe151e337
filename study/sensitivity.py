"""What drives the spread of an output: variance-based sensitivity indices, each with an interval.

`saltelli` is for rows made for it, `from_ensemble` and `shapley` for any rows, at no further run. Plain functions of
xarray objects along the dimension `sample`; other dimensions are kept. Intervals come from the spread between the
independent replicates of the design, by the jackknife that leaves out one replicate at a time, with Student's t (Tukey
1958; Shao and Tu 1995, The jackknife and bootstrap, section 2.3); where one cannot be trusted it is nan, and `remark`
says why. Estimates and intervals are not cut at 0 and 1.

An output of two values, such as a shortfall that happens or not, gives what drives the *event* (target sensitivity
analysis: Raguet and Marrel 2018, arXiv:1801.10047): pass `(values > level).where(np.isfinite(values))`.

Own code, as `scipy.stats.sobol_indices` (1.17) and SALib (1.6) lose every index to one nan, and take the rows of a
scrambled sequence for independent ones in their bootstrap.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from study.dependence import cut_by, dependence_statement
from study.fitted_chaos import Fitted, Rows
from study.jackknife import (
    FEWEST_EVENTS,
    FEWEST_REPLICATES,
    check_sample,
    failed_remark,
    jackknife,
    replicates_of,
    rows_of_rarer_value,
)
from study.shapley_effects import quadratic_forms

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

FEWEST_CHANGES = 20
BATCHES = 64  # of rows that have no replicates
MOST_DEPENDENT = 8


def saltelli(
    base: xr.DataArray,
    other: xr.DataArray,
    mixed: xr.DataArray,
    replicate: ArrayLike | xr.DataArray | None = None,
    *,
    confidence: float = 0.95,
    most_failed: float = 0.01,
) -> xr.Dataset:
    """First-order and total Sobol' indices from rows made for them.

    The design is that of Saltelli et al. (2010, Comput. Phys. Commun. 181:259). With A = `base`, B = `other`, and
    M = `mixed` of an input, which shares that input with B and all others with A,

        total = E (A - M)² / 2V                         (Jansen 1999, Comput. Phys. Commun. 117:35)
        first = [cov(B, M) - (1 - total) cov(A, B)] / V'

    where cov(A, B), whose mean is 0, takes away noise: weight 1 is the estimator of Saltelli et al., best for small
    indices, weight 0 with V' = (var B + var M) / 2 that of Monod (Janon et al. 2014, ESAIM: PS 18:342), best for large
    ones. V is the mean of the variances of A, B and M.

    Parameters
    ----------
    base, other
        (sample, ...)
    mixed
        (input, sample, ...), read one input, or group of inputs, at a time.
    replicate
        (sample,): rows of the same number are of one replicate; by default the coordinate `replicate` of `base`.
        Without one, rows are taken for independent of each other.
    most_failed
        Largest share of the rows of its three matrices that may fail, which is not to be finite, for an index. Rows
        that failed in one of them are left out of all three.

    Returns
    -------
    xarray.Dataset
        `first` and `total`, (input, ...), the ends of their intervals with `_low` and `_high` added, `remark`, `rows`
        and `rows_left_out`, (input, ...).

    Raises
    ------
    ValueError
        Where shapes do not fit.
    """
    for name, data in (("base", base), ("other", other), ("mixed", mixed)):
        check_sample(name, data)
        if data.sizes["sample"] != base.sizes["sample"]:
            raise ValueError(f"{name} has {data.sizes['sample']} samples, base {base.sizes['sample']}")
    if "input" not in mixed.dims or "input" in base.dims:
        raise ValueError(f"mixed needs the dimension input, and base none such; got {mixed.dims} and {base.dims}")
    plain = mixed.isel(input=0, drop=True)
    template = xr.broadcast(*(x.reset_coords(drop=True).isel(sample=0, drop=True) for x in (base, other, plain)))[0]

    def columns(data: xr.DataArray) -> Array:
        some = data.reset_coords(drop=True).astype(float)
        some = some.broadcast_like(template).transpose("sample", *template.dims)
        return np.asarray(some.values, float).reshape(some.sizes["sample"], -1)

    groups, independent = replicates_of(base, replicate, BATCHES)
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.diff(groups[order], prepend=-1))
    A, B = columns(base)[order], columns(other)[order]
    both = np.isfinite(A) & np.isfinite(B)
    pivot = np.where(both, A + B, 0.0).sum(axis=0) / np.maximum(2 * both.sum(axis=0), 1)
    shape = (mixed.sizes["input"], A.shape[1])
    numbers = {f"{k}{end}": np.full(shape, np.nan) for k in ("first", "total") for end in ("", "_low", "_high")}
    remarks, rows = np.full(shape, "", dtype=object), np.zeros(shape, int)
    for i in range(shape[0]):
        M = columns(mixed.isel(input=i, drop=True))[order]
        good = both & np.isfinite(M)
        a, b, m = (np.where(good, np.where(good, x, 0.0) - pivot, 0.0) for x in (A, B, M))
        products = (good.astype(float), a, b, a * a, b * b, a * b, m, m * m, a * m, b * m)
        sums = np.stack([np.add.reduceat(x, starts, axis=0) for x in products])
        with np.errstate(invalid="ignore", divide="ignore"):
            estimates = np.stack(jackknife(_saltelli, sums, confidence))  # (index, end, output)
        failed = sum((~np.isfinite(x)).sum(axis=0) for x in (A, B, M))
        rows[i] = good.sum(axis=0)
        for k in range(shape[1]):
            of = good[:, k]
            why = failed_remark(int(failed[k]), 3 * len(A), most_failed)
            if failed[k] > 3 * most_failed * len(A) or not of.any():
                remarks[i, k] = why
                continue
            verdict, said = _verdict(estimates[..., k], a[of, k], b[of, k], m[of, k], pivot[k], confidence)
            if np.isfinite(verdict[:, 1:]).any() and (sums[0, :, k] > 0).sum() < FEWEST_REPLICATES:
                verdict[:, 1:] = np.nan
                said = f"no interval: {len(starts)} replicates, and {FEWEST_REPLICATES} or more are asked for"
            for key, interval in zip(("first", "total"), verdict, strict=True):
                _put(numbers, key, (i, k), interval)
            remarks[i, k] = "; ".join(filter(None, (why, said)))
    names = mixed.coords["input"].values if "input" in mixed.coords else np.arange(shape[0])
    found = _dataset({**numbers, "remark": remarks.astype(str), "rows": rows}, names, template)
    found["rows_left_out"] = len(A) - found["rows"]
    found.attrs.update(confidence=confidence, independent_rows=int(independent))
    return found


def _verdict(estimates: Array, a: Array, b: Array, m: Array, pivot: float, confidence: float) -> tuple[Array, str]:
    """(value, low, high) of the first-order and the total index, as far as they can be trusted, and a remark."""
    nothing = np.full((2, 3), np.nan)
    if not np.ptp(a) > _tiny(pivot):
        return nothing, "the output does not vary"
    events = rows_of_rarer_value(a, b)
    if events is not None and events < FEWEST_EVENTS:
        return nothing, f"{events} rows of the rarer value: {FEWEST_EVENTS} or more are asked for"
    changed, n = int((m != a).sum()), len(a)
    if changed >= FEWEST_CHANGES:
        return estimates.copy(), ""
    # the largest share of rows that would change, by the exact binomial, as if each changed by the whole range
    share = stats.beta.ppf(0.5 + confidence / 2, changed + 1, n - changed)
    every = np.stack([a, b, m])
    bound = 0.5 * share * np.ptp(every) ** 2 / every.var(axis=1).mean()
    value = estimates[:, 0]
    known = value.max() < bound < 1.0  # to be below 1 says nothing
    said = "the interval is a bound by the output's range" if known else "nothing bounds the index"
    high = np.full(2, bound if known else np.nan)
    return np.stack([value, np.minimum(0.0, value), high], axis=1), f"changed in {changed} of {n} rows only: {said}"


def _saltelli(sums: Array) -> tuple[Array, Array]:
    """First-order and total index from sums over rows: their number, A, B, AA, BB, AB, M, MM, AM, BM."""
    n = sums[0]
    a, b, aa, bb, ab, m, mm, am, bm = sums[1:] / n
    var_a, var_b, var_m = aa - a * a, bb - b * b, mm - m * m
    total = 0.5 * (aa - 2 * am + mm) / ((var_a + var_b + var_m) / 3)
    weight = np.clip(1 - total, 0.0, 1.0)
    return (bm - b * m - weight * (ab - a * b)) / (0.5 * (var_b + var_m)), total


def from_ensemble(
    inputs: xr.Dataset | Mapping[str, xr.DataArray],
    output: xr.DataArray,
    replicate: ArrayLike | xr.DataArray | None = None,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    quantiles: Mapping[str, Callable[[Array], Array]] | None = None,
    correlation: xr.DataArray | None = None,
    chance: xr.DataArray | None = None,
    degree: int | None = None,
    confidence: float = 0.95,
    most_error: float = 0.1,
    most_failed: float = 0.01,
) -> xr.Dataset:
    """First-order and total Sobol' indices from the rows of any ensemble, by a sparse polynomial chaos of them.

    An index is the sum of squares of the coefficients that belong to it (Sudret 2008, Reliab. Eng. Syst. Saf. 93:964),
    less their variance, over the sum of all and the error of replicates held out. What the chaos misses may be due to
    any input, so that the intervals are wider by its share (`fit_error`) at both ends; above `most_error` there are no
    indices. First-order indices from ranks (Gamboa et al. 2022, Stat. Probab. Lett. 187:109539), which need no
    smoothness and no fit, come beside them; their intervals are on the wide side.

    Sets of correlated inputs have indices only as a whole, as part of a group (`study.dependence`).

    Parameters
    ----------
    inputs
        By name, (sample,).
    output
        (sample, ...)
    replicate
        (sample,), by default the coordinate of `output`; see `saltelli`.
    groups
        By name, inputs whose index is asked for; by default each input by itself. They may overlap.
    quantiles
        By name, the quantile function of an input's distribution, of probabilities (n,), where it is known: narrower
        intervals. Otherwise the input's sample stands for it, and the intervals allow for that.
    correlation
        (input, other input) with the names as coordinates: rank correlations that are known; otherwise those that the
        sample shows clearly.
    chance
        Variance of chance within `output`, (sample, ...) or (...), in its unit squared (`chance_variance`). Where it is
        not known, chance is part of what the chaos misses.
    degree
        Highest degree of the polynomials.
    most_error
        Largest share of the variance, other than chance, that the chaos may miss.

    Returns
    -------
    xarray.Dataset
        `first`, `total` and `rank_first`, (input, ...), with `_low`, `_high`, and `remark`; `unexplained`, 1 - Q2 of
        replicates held out, with its interval, `fit_error`, `unexplained` less `chance_share`, `rows` and
        `rows_left_out`, (...).

    Raises
    ------
    ValueError
        Where shapes or names do not fit.
    """
    prepared = Rows.of(inputs, output, replicate, quantiles, correlation, chance)
    chosen = _groups(groups, prepared.names)
    template = prepared.template
    shape = (len(chosen), prepared.outputs.shape[1])
    keys = ("first", "total", "rank_first")
    numbers = {f"{k}{end}": np.full(shape, np.nan) for k in keys for end in ("", "_low", "_high")}
    remarks = np.full(shape, "", dtype=object)
    fits = _fits(shape[1])
    cut = {name: cut_by(members, prepared.sets) for name, members in chosen.items()}
    for part in prepared.parts(degree, most_failed):
        fits.rows[part.columns], fits.left_out[part.columns] = part.rows, part.left_out
        if part.refused:
            remarks[:, part.columns] = part.refused
            continue
        for k, column in enumerate(part.columns):
            fitted = part.fit(k, confidence, most_error)
            fits.keep(column, fitted)
            for j, (name, members) in enumerate(chosen.items()):
                indices = [prepared.names.index(x) for x in members]
                words = [x for x in (part.remark, fitted.remark) if x]
                if cut[name]:
                    words.append(dependence_statement(cut[name]))
                elif fitted.usable and fitted.chaos is not None:
                    inside = fitted.chaos.terms > 0
                    touched = inside[:, indices].any(axis=1)
                    only = touched & (inside.sum(axis=1) == inside[:, indices].sum(axis=1))
                    if guessed := prepared.guessed(members):
                        words.append(guessed)
                    for key, which in (("first", only), ("total", touched)):
                        interval = fitted.index(np.diag(which.astype(float)), confidence)
                        _put(numbers, key, (j, column), interval if not guessed else _without_interval(interval))
                if len(members) == 1 and fitted.varies:
                    _put(numbers, "rank_first", (j, column), part.rank_first(indices[0], k, confidence))
                remarks[j, column] = "; ".join(words)
    found = _dataset({**numbers, "remark": remarks.astype(str)}, list(chosen), template)
    return fits.add(found, template, confidence)


def shapley(
    inputs: xr.Dataset | Mapping[str, xr.DataArray],
    output: xr.DataArray,
    replicate: ArrayLike | xr.DataArray | None = None,
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
    quantiles: Mapping[str, Callable[[Array], Array]] | None = None,
    correlation: xr.DataArray | None = None,
    chance: xr.DataArray | None = None,
    degree: int | None = None,
    confidence: float = 0.95,
    most_error: float = 0.1,
    most_failed: float = 0.01,
) -> xr.Dataset:
    """Shapley effects: shares of the variance for inputs that may be correlated; they add up to what is explained.

    The effect of an input is its mean gain of explained variance, over all orders in which inputs become known (Owen
    2014, SIAM/ASA J. Uncertain. Quantif. 2:245; Song, Nelson and Staum 2016, ibid. 4:1060), here exactly over all
    subsets, of the chaos of `from_ensemble`. Correlated inputs are taken to follow a Gaussian copula; where its
    `correlation` is not given, it is that of the sample, and there are no intervals.

    Parameters, errors and what is returned are those of `from_ensemble`, with `shapley`, (input, ...), for the indices.
    `groups`, if any, are the players; no two may share an input, and inputs in none are players of their own.
    """
    prepared = Rows.of(inputs, output, replicate, quantiles, correlation, chance)
    chosen = _groups(groups, prepared.names)
    taken = [x for members in chosen.values() for x in members]
    if len(taken) != len(set(taken)):
        raise ValueError(f"no input may be in two groups; got {groups}")
    chosen |= {name: [name] for name in prepared.names if name not in taken}
    template = prepared.template
    shape = (len(chosen), prepared.outputs.shape[1])
    numbers = {f"shapley{end}": np.full(shape, np.nan) for end in ("", "_low", "_high")}
    remarks = np.full(shape, "", dtype=object)
    fits = _fits(shape[1])
    players = [[prepared.names.index(x) for x in members] for members in chosen.values()]
    for part in prepared.parts(degree, most_failed):
        fits.rows[part.columns], fits.left_out[part.columns] = part.rows, part.left_out
        if part.refused:
            remarks[:, part.columns] = part.refused
            continue
        for k, column in enumerate(part.columns):
            fitted = part.fit(k, confidence, most_error)
            fits.keep(column, fitted)
            words = [x for x in (part.remark, fitted.remark) if x]
            if sum(map(len, prepared.sets)) > MOST_DEPENDENT:
                words.append(f"Shapley effects are for {MOST_DEPENDENT} correlated inputs at most")
            elif fitted.usable and fitted.chaos is not None:
                forms = quadratic_forms(fitted.chaos.terms, players, prepared)
                if guessed := prepared.guessed(prepared.names):
                    words.append(guessed)
                for j, form in enumerate(forms):
                    interval = fitted.index(form, confidence)
                    _put(numbers, "shapley", (j, column), interval if not guessed else _without_interval(interval))
            remarks[:, column] = "; ".join(words)
    found = _dataset({**numbers, "remark": remarks.astype(str)}, list(chosen), template)
    return fits.add(found, template, confidence)


def chance_variance(values: xr.DataArray, over: str = "winter") -> xr.DataArray:
    """Variance of chance in each single value along `over`: half the mean square difference of successive ones.

    What comes slowly over the life of a sample is not taken for chance, nor is the mean course of all samples (von
    Neumann et al. 1941, Ann. Math. Stat. 12:153). Divide by the number of winters for a mean over them.

    Returns
    -------
    (sample, ...), the unit of `values` squared.
    """
    return 0.5 * ((values - values.mean("sample")).diff(over) ** 2).mean(over)


@dataclass
class _Fits:
    rows: Integers
    left_out: Integers
    numbers: dict[str, Array]

    def keep(self, column: int, fitted: Fitted) -> None:
        if fitted.unexplained is None or fitted.missed is None:
            return
        for key, value in zip(("unexplained", "unexplained_low", "unexplained_high"), fitted.unexplained, strict=True):
            self.numbers[key][column] = value
        self.numbers["fit_error"][column] = fitted.missed[0]
        self.numbers["chance_share"][column] = fitted.chance_share

    def add(self, found: xr.Dataset, template: xr.DataArray, confidence: float) -> xr.Dataset:
        for key, value in self.numbers.items():
            found[key] = _shaped(value, template)
        found["rows"], found["rows_left_out"] = _shaped(self.rows, template), _shaped(self.left_out, template)
        found.attrs.update(confidence=confidence)
        return found


def _fits(count: int) -> _Fits:
    keys = ("unexplained", "unexplained_low", "unexplained_high", "fit_error", "chance_share")
    return _Fits(np.zeros(count, int), np.zeros(count, int), {key: np.full(count, np.nan) for key in keys})


def _groups(groups: Mapping[str, Sequence[str]] | None, names: list[str]) -> dict[str, list[str]]:
    if groups is None:
        return {name: [name] for name in names}
    for name, members in groups.items():
        if unknown := [x for x in members if x not in names]:
            raise ValueError(f"group {name}: {unknown} are no inputs; there are {names}")
        if not members:
            raise ValueError(f"group {name} is empty")
    return {name: list(dict.fromkeys(members)) for name, members in groups.items()}


def _tiny(centre: float) -> float:
    return float(1e-12 * abs(centre))


def _put(numbers: dict[str, Array], key: str, at: tuple[int, int], interval: Array) -> None:
    for end, value in zip(("", "_low", "_high"), interval, strict=True):
        numbers[f"{key}{end}"][at] = value


def _without_interval(interval: Array) -> Array:
    return np.array([interval[0], np.nan, np.nan])


def _shaped(values: NDArray[Any], template: xr.DataArray) -> xr.DataArray:
    return xr.DataArray(values.reshape(template.shape), dims=template.dims, coords=template.coords)


def _dataset(arrays: Mapping[str, NDArray[Any]], names: Any, template: xr.DataArray) -> xr.Dataset:
    dims, coords = ("input", *template.dims), {"input": np.asarray(names), **template.coords}
    return xr.Dataset(
        {k: xr.DataArray(v.reshape(len(v), *template.shape), dims=dims, coords=coords) for k, v in arrays.items()}
    )
