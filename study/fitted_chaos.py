"""A sparse polynomial chaos of the rows of an ensemble, and what it misses of their variance."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import ndtr, ndtri

from study import polynomial_chaos
from study.dependence import dependent_sets
from study.jackknife import (
    FEWEST_EVENTS,
    FEWEST_REPLICATES,
    check_sample,
    failed_remark,
    interval_of,
    replicates_of,
    rows_of_rarer_value,
)
from study.polynomial_chaos import NORMAL, Chaos, Design

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

HEAVY_TAILS = 5.0  # kurtosis above which an input goes in by its normal scores, unless it has few values
MOST_LEVELS = 20
DISCRETISATION = 1e-4  # of a distribution by the values `NORMAL`


@dataclass(frozen=True)
class Rows:
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
    ) -> "Rows":
        check_sample("output", output)
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
        groups, _ = replicates_of(output, replicate, 16)
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

    def parts(self, degree: int | None, most_failed: float) -> Iterator["Part"]:
        """Outputs that have the same rows."""
        good: NDArray[np.bool_] = np.isfinite(self.outputs)
        good = good & np.isfinite(self.values).all(axis=1, keepdims=True)
        if self.chance is not None:
            good = good & np.isfinite(self.chance)
        patterns: dict[bytes, list[int]] = {}
        for k in range(good.shape[1]):
            patterns.setdefault(np.packbits(good[:, k]).tobytes(), []).append(k)
        for columns in patterns.values():
            yield Part.of(self, columns, good[:, columns[0]], degree, most_failed)

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
class Part:
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
        cls, ensemble: Rows, columns: list[int], good: NDArray[np.bool_], degree: int | None, most_failed: float
    ) -> "Part":
        rows, left_out = int(good.sum()), int((~good).sum())
        why = failed_remark(left_out, len(good), most_failed)
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

    def fit(self, k: int, confidence: float, most_error: float) -> "Fitted":
        chaos = polynomial_chaos.fit(self.design, self.moments, k)
        if chaos is None:
            return Fitted(None, "the output does not vary", usable=False, varies=False)
        groups = self.design.replicate
        variance, without = Fitted.variances(chaos)
        unexplained = interval_of(np.array(chaos.residual / variance), chaos.residual_without / without, confidence)
        share, missed = np.nan, unexplained
        if self.chance is not None:
            counts = np.bincount(groups)
            by = np.bincount(groups, self.chance[:, k])
            share = self.chance[:, k].mean() / variance
            shares = (by.sum() - by) / (counts.sum() - counts) / without
            missed = interval_of(
                np.array(chaos.residual / variance - share), chaos.residual_without / without - shares, confidence
            )
        words, usable = "", True
        few = rows_of_rarer_value(self.outputs[:, k])
        if few is not None and few < FEWEST_EVENTS:
            words, usable = f"{few} rows of the rarer value: {FEWEST_EVENTS} or more are asked for", False
        elif missed[0] > most_error:
            what = (
                "a poor fit" if self.chance is not None else "a poor fit or chance, which one winter cannot tell apart"
            )
            words = f"the chaos misses {missed[0]:.1%} of the variance ({what}): more than {most_error:.1%}"
            usable = False
        return Fitted(chaos, words, usable, True, unexplained, missed, float(share))

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
        return interval_of(estimate(every), without, confidence)


@dataclass
class Fitted:
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
        bias = np.trace(Fitted.covariance(chaos))
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
        out = interval_of(np.array(value), without, confidence)
        wider = DISCRETISATION + max(0.0, float(missed[2]))
        out[1] -= wider
        out[2] += wider
        return out
