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

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import factorial, prod
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import ndtr, ndtri

from study import polynomial_chaos
from study.polynomial_chaos import NORMAL, Chaos, Design

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

FEWEST_REPLICATES = 4
FEWEST_EVENTS = 50  # and as many rows without the event
FEWEST_CHANGES = 20
BATCHES = 64  # of rows that have no replicates
HEAVY_TAILS = 5.0  # kurtosis above which an input goes in by its normal scores, unless it has few values
MOST_LEVELS = 20
MOST_DEPENDENT = 8
DISCRETISATION = 1e-4  # of a distribution by the values `NORMAL`


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
        _check_sample(name, data)
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

    groups, independent = _replicates(base, replicate, BATCHES)
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
            estimates = np.stack(_jackknife(_saltelli, sums, confidence))  # (index, end, output)
        failed = sum((~np.isfinite(x)).sum(axis=0) for x in (A, B, M))
        rows[i] = good.sum(axis=0)
        for k in range(shape[1]):
            of = good[:, k]
            why = _failed_remark(int(failed[k]), 3 * len(A), most_failed)
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
    events = _events(a, b)
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


def _jackknife(estimator: Callable[[Array], tuple[Array, ...]], sums: Array, confidence: float) -> list[Array]:
    """(value, low, high) stacked, of each estimate made from sums, (moment, replicate, ...)."""
    every = sums.sum(axis=1)
    values, without = estimator(every), estimator(every[:, None] - sums)
    return [_interval(v, w, confidence) for v, w in zip(values, without, strict=True)]


def _interval(value: Array, without: Array, confidence: float) -> Array:
    """(value, low, high) stacked, from estimates with each replicate left out, (replicate, ...)."""
    half = stats.t.ppf(0.5 + confidence / 2, len(without) - 1) * _standard_error(without)
    return np.stack([value, value - half, value + half])


def _standard_error(without: Array) -> Array:
    count = len(without)
    return np.asarray(np.sqrt((count - 1) / count * ((without - without.mean(axis=0)) ** 2).sum(axis=0)))


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

    Sets of correlated inputs have indices only as a whole, as part of a group (`dependent_sets`).

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
    prepared = _Ensemble.of(inputs, output, replicate, quantiles, correlation, chance)
    chosen = _groups(groups, prepared.names)
    template = prepared.template
    shape = (len(chosen), prepared.outputs.shape[1])
    keys = ("first", "total", "rank_first")
    numbers = {f"{k}{end}": np.full(shape, np.nan) for k in keys for end in ("", "_low", "_high")}
    remarks = np.full(shape, "", dtype=object)
    fits = _fits(shape[1])
    cut = {name: _cut(members, prepared.sets) for name, members in chosen.items()}
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
    prepared = _Ensemble.of(inputs, output, replicate, quantiles, correlation, chance)
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
                forms = _shapley_forms(fitted.chaos.terms, players, prepared)
                if guessed := prepared.guessed(prepared.names):
                    words.append(guessed)
                for j, form in enumerate(forms):
                    interval = fitted.index(form, confidence)
                    _put(numbers, "shapley", (j, column), interval if not guessed else _without_interval(interval))
            remarks[:, column] = "; ".join(words)
    found = _dataset({**numbers, "remark": remarks.astype(str)}, list(chosen), template)
    return fits.add(found, template, confidence)


def linear_gaussian_shapley(slopes: ArrayLike, covariance: ArrayLike) -> Array:
    """Shapley effects of y = Σ slopes x, with x Gaussian (Owen and Prieur 2017, SIAM/ASA J. Uncertain. Quantif. 5:986).

    The variance that inputs u explain is βᵀ Σ_{·u} Σ_uu⁻¹ Σ_{u·} β.

    Parameters
    ----------
    slopes
        β, (input,).
    covariance
        Σ, (input, input).

    Returns
    -------
    (input,), summing to 1.
    """
    beta, sigma = np.asarray(slopes, float), np.asarray(covariance, float)

    def explained(u: tuple[int, ...]) -> float:
        if not u:
            return 0.0
        across = sigma[list(u)] @ beta
        return float(across @ np.linalg.solve(sigma[np.ix_(u, u)], across))

    return _shapley_of(explained, len(beta)) / float(beta @ sigma @ beta)


def _shapley_of(worth: Callable[[tuple[int, ...]], Any], count: int) -> Any:
    """Shapley values (Shapley 1953) of a game of `count` players: weighted mean gains over all subsets."""
    worths = {u: worth(u) for size in range(count + 1) for u in itertools.combinations(range(count), size)}
    values = []
    for j in range(count):
        gain: Any = 0.0
        for u, less in worths.items():
            if j not in u:
                weight = factorial(len(u)) * factorial(count - len(u) - 1) / factorial(count)
                gain = gain + weight * (worths[tuple(sorted((*u, j)))] - less)
        values.append(gain)
    return np.array(values)


def chance_variance(values: xr.DataArray, over: str = "winter") -> xr.DataArray:
    """Variance of chance in each single value along `over`: half the mean square difference of successive ones.

    What comes slowly over the life of a sample is not taken for chance, nor is the mean course of all samples (von
    Neumann et al. 1941, Ann. Math. Stat. 12:153). Divide by the number of winters for a mean over them.

    Returns
    -------
    (sample, ...), the unit of `values` squared.
    """
    return 0.5 * ((values - values.mean("sample")).diff(over) ** 2).mean(over)


def dependent_sets(
    inputs: xr.Dataset | Mapping[str, xr.DataArray] | None = None,
    correlation: xr.DataArray | None = None,
    replicate: ArrayLike | xr.DataArray | None = None,
) -> list[list[str]]:
    """Sets of inputs that are correlated with each other, directly or through others.

    Parameters
    ----------
    inputs
        By name, (sample,): looked at where no `correlation` is given. A rank correlation is taken for real where the
        replicates (or batches of rows) agree on it at a significance of 0.001 for all pairs together.
    correlation
        (input, other input), the names as coordinates: any that is not zero counts.
    replicate
        (sample,)

    Raises
    ------
    ValueError
        Where there are neither inputs nor correlations.
    """
    if correlation is not None:
        names = [str(x) for x in correlation.coords[correlation.dims[0]].values]
        linked: NDArray[np.bool_] = np.asarray(correlation.values != 0)
    elif inputs is not None:
        names = [str(x) for x in inputs]
        ranks = np.array([stats.rankdata(inputs[x].values) for x in names])
        spread = ranks.std(axis=1, keepdims=True)
        ranks = (ranks - ranks.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
        groups, _ = _replicates(inputs[names[0]], replicate, 16)
        each = np.stack([ranks[:, groups == r] @ ranks[:, groups == r].T for r in np.unique(groups)])
        count, pairs = len(each), max(1, len(names) * (len(names) - 1) // 2)
        if count > 1:
            found, error = each.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(count)
            linked = np.abs(found) > stats.t.isf(0.0005 / pairs, count - 1) * error
        else:
            linked = np.abs(each[0]) > stats.norm.isf(0.0005 / pairs) * np.sqrt(ranks.shape[1])
    else:
        raise ValueError("inputs or correlation: one of them is needed")
    sets: list[set[int]] = []
    for i in range(len(names)):
        joined = {i, *map(int, np.flatnonzero(linked[i]))}
        for met in [x for x in sets if x & joined]:
            joined |= met
            sets.remove(met)
        sets.append(joined)
    return sorted([names[i] for i in sorted(each)] for each in sets if len(each) > 1)


def dependence_statement(sets: Sequence[Sequence[str]]) -> str:
    """Why plain Sobol' indices do not apply, and to which inputs; empty where none are correlated."""
    if not sets:
        return ""
    which = "; ".join(" and ".join(each) for each in sets)
    return f"plain indices are not for correlated inputs: {which}; group them, or ask for Shapley effects"


@dataclass(frozen=True)
class _Ensemble:
    """Inputs and outputs as arrays, and which inputs depend on each other."""

    names: list[str]
    values: Array  # (row, input)
    outputs: Array  # (row, output)
    chance: Array | None  # (row, output)
    replicate: Integers
    sets: list[list[str]]
    quantiles: Mapping[str, Callable[[Array], Array]]
    correlation: xr.DataArray | None
    template: xr.DataArray

    @classmethod
    def of(
        cls,
        inputs: xr.Dataset | Mapping[str, xr.DataArray],
        output: xr.DataArray,
        replicate: ArrayLike | xr.DataArray | None,
        quantiles: Mapping[str, Callable[[Array], Array]] | None,
        correlation: xr.DataArray | None,
        chance: xr.DataArray | None,
    ) -> "_Ensemble":
        _check_sample("output", output)
        names = [str(x) for x in inputs]
        if not names:
            raise ValueError("inputs: at least one is needed")
        for name in names:
            if inputs[name].dims != ("sample",) or inputs[name].sizes != {"sample": output.sizes["sample"]}:
                raise ValueError(f"input {name}: (sample: {output.sizes['sample']}) expected, got {inputs[name].sizes}")
        template = output.reset_coords(drop=True).isel(sample=0, drop=True)

        def columns(data: xr.DataArray) -> Array:
            some = data.reset_coords(drop=True).astype(float).broadcast_like(template)
            some = some.transpose("sample", *template.dims)
            return np.asarray(some.values, float).reshape(some.sizes["sample"], -1)

        if unknown := set(quantiles or {}) - set(names):
            raise ValueError(f"quantiles: {sorted(unknown)} are no inputs; there are {names}")
        if chance is not None and "sample" not in chance.dims:
            chance = chance.expand_dims(sample=output.sizes["sample"])
        groups, _ = _replicates(output, replicate, 16)
        values = np.column_stack([np.asarray(inputs[x].values, float) for x in names])
        good = np.isfinite(values).all(axis=1)
        if correlation is not None:
            a, b = correlation.dims
            known = {str(x) for x in correlation.coords[a].values}
            correlation = correlation.transpose(a, b)
            if not known <= set(names):
                raise ValueError(f"correlation: {sorted(known - set(names))} are no inputs")
        finite = {x: xr.DataArray(values[good, i], dims="sample") for i, x in enumerate(names)}
        sets = dependent_sets(finite, correlation, groups[good])
        return cls(
            names,
            values,
            columns(output),
            None if chance is None else columns(chance),
            groups,
            sets,
            quantiles or {},
            correlation,
            template,
        )

    def parts(self, degree: int | None, most_failed: float) -> Iterator["_Part"]:
        """Outputs that have the same rows."""
        good: NDArray[np.bool_] = np.isfinite(self.outputs)
        good = good & np.isfinite(self.values).all(axis=1, keepdims=True)
        if self.chance is not None:
            good = good & np.isfinite(self.chance)
        patterns: dict[bytes, list[int]] = {}
        for k in range(good.shape[1]):
            patterns.setdefault(np.packbits(good[:, k]).tobytes(), []).append(k)
        for columns in patterns.values():
            yield _Part.of(self, columns, good[:, columns[0]], degree, most_failed)

    def independent(self, rows: NDArray[np.bool_]) -> tuple[Array, list[Array | None]]:
        """Variates that are independent of each other, (row, input), and values that have their distributions.

        Inputs that are alone go in as they are, those with heavy tails by their normal scores, and those of a
        correlated set by normal scores freed of their correlation.
        """
        out = np.empty((int(rows.sum()), len(self.names)))
        references: list[Array | None] = [None] * len(self.names)
        for i, name in enumerate(self.names):
            x = self.values[rows, i]
            if any(name in each for each in self.sets) or _heavy(x):
                out[:, i] = self.scores(i, rows)
                references[i] = NORMAL
            else:
                centre, scale = x.mean(), np.ptp(x) or 1.0
                out[:, i] = (x - centre) / scale
                if name in self.quantiles:
                    references[i] = (np.asarray(self.quantiles[name](ndtr(NORMAL)), float) - centre) / scale
        for each in self.sets:
            members = [self.names.index(x) for x in each]
            out[:, members] = np.linalg.solve(self.factor(each), out[:, members].T).T
        return out, references

    def scores(self, i: int, rows: NDArray[np.bool_]) -> Array:
        """Normal scores of an input: by its distribution where that is known, otherwise by ranks."""
        x = self.values[rows, i]
        if self.names[i] not in self.quantiles:
            return np.asarray(ndtri((stats.rankdata(x) - 0.5) / len(x)))
        return np.interp(x, np.asarray(self.quantiles[self.names[i]](ndtr(NORMAL)), float), NORMAL)

    def guessed(self, members: Sequence[str]) -> str:
        """Why no interval can be given for inputs whose correlations are those of the sample; empty where one can."""
        if self.correlation is None and any(set(each) & set(members) for each in self.sets):
            return "no interval, as the correlations are estimated from the sample: give them"
        return ""

    def factor(self, members: list[str]) -> Array:
        """Lower Cholesky factor of the correlation of the normal scores of a set of inputs."""
        if self.correlation is not None:
            a, b = self.correlation.dims
            known = np.asarray(self.correlation.sel({a: members, b: members}).values, float)
            normal = 2 * np.sin(np.pi / 6 * known)  # Pearson's from Spearman's
            np.fill_diagonal(normal, 1.0)
        else:
            good = np.asarray(np.isfinite(self.values).all(axis=1))
            normal = np.corrcoef([self.scores(self.names.index(x), good) for x in members])
        return np.asarray(np.linalg.cholesky(normal))


def _heavy(values: Array) -> bool:
    centred = (values - values.mean()) / (np.ptp(values) or 1.0)
    kurtosis = (centred**4).mean() > HEAVY_TAILS * (centred**2).mean() ** 2
    return bool(kurtosis) and len(np.unique(values)) > MOST_LEVELS


@dataclass
class _Part:
    """Outputs that have the same rows: their chaos, one after the other."""

    columns: list[int]
    rows: int
    left_out: int
    remark: str
    refused: str
    design: Any = None
    moments: Any = None
    outputs: Any = None
    values: Any = None
    chance: Any = None

    @classmethod
    def of(
        cls, ensemble: _Ensemble, columns: list[int], good: NDArray[np.bool_], degree: int | None, most_failed: float
    ) -> "_Part":
        rows, left_out = int(good.sum()), int((~good).sum())
        why = _failed_remark(left_out, len(good), most_failed)
        if left_out > most_failed * len(good):
            return cls(columns, rows, left_out, why, why)
        groups = np.unique(ensemble.replicate[good], return_inverse=True)[1]
        if groups.max() + 1 < FEWEST_REPLICATES:
            few = f"{groups.max() + 1} replicates, and {FEWEST_REPLICATES} or more are asked for"
            return cls(columns, rows, left_out, why, few)
        variates, references = ensemble.independent(good)
        design = Design(variates, groups, references, [x in ensemble.quantiles for x in ensemble.names], degree)
        outputs = ensemble.outputs[good][:, columns]
        centre, scale = outputs.mean(axis=0), np.ptp(outputs, axis=0)
        varies = scale > 1e-12 * np.abs(centre)
        scaled = np.where(varies, (outputs - centre) / np.where(varies, scale, 1.0), 0.0)
        moments = [polynomial_chaos.moments(design, terms, scaled) for terms in design.sets(degree)]
        chance = None
        if ensemble.chance is not None:
            chance = ensemble.chance[good][:, columns] / np.where(varies, scale, 1.0) ** 2
        return cls(columns, rows, left_out, why, "", design, moments, scaled, ensemble.values[good], chance)

    def fit(self, k: int, confidence: float, most_error: float) -> "_Fitted":
        chaos = polynomial_chaos.fit(self.design, self.moments, k)
        if chaos is None:
            return _Fitted(None, "the output does not vary", usable=False, varies=False)
        groups = self.design.replicate
        variance, without = _Fitted.variances(chaos)
        unexplained = _interval(np.array(chaos.residual / variance), chaos.residual_without / without, confidence)
        share, missed = np.nan, unexplained
        if self.chance is not None:
            counts = np.bincount(groups)
            by = np.bincount(groups, self.chance[:, k])
            share = self.chance[:, k].mean() / variance
            shares = (by.sum() - by) / (counts.sum() - counts) / without
            missed = _interval(
                np.array(chaos.residual / variance - share), chaos.residual_without / without - shares, confidence
            )
        words, usable = "", True
        few = _events(self.outputs[:, k])
        if few is not None and few < FEWEST_EVENTS:
            words, usable = f"{few} rows of the rarer value: {FEWEST_EVENTS} or more are asked for", False
        elif missed[0] > most_error:
            what = (
                "a poor fit" if self.chance is not None else "a poor fit or chance, which one winter cannot tell apart"
            )
            words = f"the chaos misses {missed[0]:.1%} of the variance ({what}): more than {most_error:.1%}"
            usable = False
        return _Fitted(chaos, words, usable, True, unexplained, missed, float(share))

    def rank_first(self, i: int, k: int, confidence: float) -> Array:
        """(value, low, high) of a first-order index from neighbours in the order of an input.

        Neighbours are of different replicates: rows of one scrambled sequence are not independent of each other.
        """
        x, y, groups = self.values[:, i], self.outputs[:, k], self.design.replicate
        order = np.lexsort((np.random.default_rng(0).permutation(len(x)), x))
        y, groups = y[order] - y.mean(), groups[order]
        after = np.arange(len(y)) + 1
        for _ in range(4):
            same = (after < len(y)) & (groups[np.minimum(after, len(y) - 1)] == groups)
            after = np.where(same, after + 1, after)
        left = np.flatnonzero(after < len(y))
        right = after[left]
        count = groups.max() + 1
        pairs = np.stack([np.ones(len(left)), y[left] + y[right], y[left] * y[right], y[left] ** 2 + y[right] ** 2])

        def estimate(sums: Array) -> Array:
            n, s, product, squares = sums
            centre = 0.5 * s / n
            return np.asarray((product / n - centre**2) / (0.5 * squares / n - centre**2))

        ends = np.stack([np.bincount(groups[left], p, count) + np.bincount(groups[right], p, count) for p in pairs])
        within = np.stack([np.bincount(groups[left], p * (groups[left] == groups[right]), count) for p in pairs])
        every = pairs.sum(axis=1)
        without = estimate(every[:, None] - ends + within)
        return _interval(estimate(every), without, confidence)


@dataclass
class _Fitted:
    """The chaos of one output and how good it is."""

    chaos: Chaos | None
    remark: str
    usable: bool
    varies: bool
    unexplained: Array | None = None
    missed: Array | None = None
    chance_share: float = np.nan

    @staticmethod
    def covariance(chaos: Chaos) -> Array:
        departure = chaos.without - chaos.without.mean(axis=0)
        return np.asarray((len(departure) - 1) / len(departure) * departure.T @ departure)

    @staticmethod
    def variances(chaos: Chaos) -> tuple[float, Array]:
        """Variance explained and not; with each replicate left out."""
        bias = np.trace(_Fitted.covariance(chaos))
        return (
            max(float((chaos.coefficients**2).sum() - bias), 0.0) + chaos.residual,
            np.maximum((chaos.without**2).sum(axis=1) - bias, 0.0) + chaos.residual_without,
        )

    def index(self, form: Array, confidence: float) -> Array:
        """(value, low, high) of a share of the variance that is a quadratic form of the coefficients."""
        chaos, missed = self.chaos, self.missed
        assert chaos is not None
        assert missed is not None
        variance, variances = self.variances(chaos)
        bias = float((form * self.covariance(chaos)).sum())
        value = (chaos.coefficients @ form @ chaos.coefficients - bias) / variance
        without = (((chaos.without @ form) * chaos.without).sum(axis=1) - bias) / variances
        out = _interval(np.array(value), without, confidence)
        wider = DISCRETISATION + max(0.0, float(missed[2]))
        out[1] -= wider
        out[2] += wider
        return out


@dataclass
class _Fits:
    rows: Integers
    left_out: Integers
    numbers: dict[str, Array]

    def keep(self, column: int, fitted: _Fitted) -> None:
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


def _shapley_forms(terms: Integers, players: list[list[int]], ensemble: _Ensemble) -> list[Array]:
    """Quadratic forms of the coefficients that give the Shapley effects of players, times the variance.

    The variance that inputs u explain is Σ c_a c_b E(E(Ψ_a | u) E(Ψ_b | u)). For independent inputs the mean is 1 where
    a = b is within u, else 0; for correlated ones it is that of `_shared_means`.
    """
    names = ensemble.names
    dependent = [names.index(x) for each in ensemble.sets for x in each]
    alone = [i for i in range(len(names)) if i not in dependent]
    parts, inverse = np.unique(terms[:, dependent], axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    shared: dict[tuple[int, ...], Array] = {}

    def means(u: tuple[int, ...]) -> Array:
        if u not in shared:
            shared[u] = _shared_means(parts, dependent, u, ensemble)
        return shared[u]

    forms = [np.zeros((len(terms), len(terms))) for _ in players]
    classes, which = np.unique(terms[:, alone], axis=0, return_inverse=True)
    which = which.reshape(-1)
    supports: dict[tuple[int, ...], list[Integers]] = {}
    for c in range(len(classes)):
        support = tuple(alone[i] for i in np.flatnonzero(classes[c]))
        supports.setdefault(support, []).append(np.flatnonzero(which == c))
    for support, members in supports.items():
        touches = any(parts[inverse[m]].any() for m in members)
        carriers = [j for j, p in enumerate(players) if set(p) & {*support, *(dependent if touches else [])}]

        def worth(
            u: tuple[int, ...],
            support: tuple[int, ...] = support,
            members: list[Integers] = members,
            carriers: list[int] = carriers,
        ) -> Array:
            known = {i for j in u for i in players[carriers[j]]}
            form = np.zeros((len(terms), len(terms)))
            if set(support) <= known:
                K = means(tuple(i for i in dependent if i in known))
                for m in members:
                    form[np.ix_(m, m)] = K[np.ix_(inverse[m], inverse[m])]
            return form

        for j, form in zip(carriers, _shapley_of(worth, len(carriers)), strict=True):
            forms[j] += form
    return forms


def _shared_means(parts: Integers, dependent: list[int], known: tuple[int, ...], ensemble: _Ensemble) -> Array:
    """E(E(Ψ_a | known) E(Ψ_b | known)) of Hermite polynomials of correlated inputs, exactly.

    It is E(Ψ_a(ζ) Ψ_b(ζ')) of two Gaussian points that share what is known and are otherwise independent; with
    C = E(ζ ζ'ᵀ) it follows by taking one factor after the other (Isserlis 1918, Biometrika 12:134).
    """
    C = np.zeros((len(dependent), len(dependent)))
    at = 0
    for each in ensemble.sets:
        factor = ensemble.factor(each)
        P = factor @ factor.T
        u = [j for j, name in enumerate(each) if ensemble.names.index(name) in known]
        if u:
            both = P[:, u] @ np.linalg.solve(P[np.ix_(u, u)], P[u])
            here = slice(at, at + len(each))
            C[here, here] = np.linalg.solve(factor, np.linalg.solve(factor, both).T)
        at += len(each)

    @cache
    def mean(a: tuple[int, ...], b: tuple[int, ...]) -> float:
        if sum(a) != sum(b):
            return 0.0
        if not any(a):
            return 1.0
        i = next(i for i, k in enumerate(a) if k)
        less = (*a[:i], a[i] - 1, *a[i + 1 :])
        return sum(
            k * C[i, j] * mean(less, (*b[:j], k - 1, *b[j + 1 :])) for j, k in enumerate(b) if k and C[i, j] != 0
        )

    rows = [tuple(row) for row in parts.tolist()]
    norms = np.array([prod(map(factorial, row)) for row in rows], float) ** 0.5
    return np.array([[mean(a, b) for b in rows] for a in rows]).reshape(len(rows), -1) / np.outer(norms, norms)


def _cut(members: Sequence[str], sets: list[list[str]]) -> list[list[str]]:
    """Correlated sets that have inputs in a group and others out of it."""
    return [each for each in sets if set(each) & set(members) and not set(each) <= set(members)]


def _groups(groups: Mapping[str, Sequence[str]] | None, names: list[str]) -> dict[str, list[str]]:
    if groups is None:
        return {name: [name] for name in names}
    for name, members in groups.items():
        if unknown := [x for x in members if x not in names]:
            raise ValueError(f"group {name}: {unknown} are no inputs; there are {names}")
        if not members:
            raise ValueError(f"group {name} is empty")
    return {name: list(dict.fromkeys(members)) for name, members in groups.items()}


def _replicates(data: xr.DataArray, replicate: ArrayLike | xr.DataArray | None, batches: int) -> tuple[Integers, bool]:
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


def _check_sample(name: str, data: xr.DataArray) -> None:
    if "sample" not in data.dims or not data.sizes["sample"]:
        raise ValueError(f"{name} needs the dimension sample, with rows in it; got {dict(data.sizes)}")


def _events(*values: Array) -> int | None:
    """Rows of the rarer of two values, in the array that has fewest of them; None where there are more values."""
    finite = [v[np.isfinite(v)] for v in values]
    every = np.concatenate(finite)
    if not len(every):
        return None
    low, high = every.min(), every.max()
    if low == high or not ((every == low) | (every == high)).all():
        return None
    return min(int(min((v == low).sum(), (v == high).sum())) for v in finite)


def _failed_remark(failed: int, rows: int, most_failed: float) -> str:
    if not failed:
        return ""
    said = f"{failed} of {rows} rows failed"
    if failed > most_failed * rows:
        return f"{said}: more than {most_failed:.2%}"
    return f"{said} and are left out; what they would have been, no index can tell"


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
