"""Estimates from the samples of anyone's arrays, each with its confidence interval, and what failed samples allow.

Plain functions of `xarray.DataArray` with a dimension `sample`; others are kept unless they are named in `over`. Values
are read block by block, so that arrays on disk, or dask's, may be larger than memory: `mean`, `probability`,
`exceedance`, `ratio`, `order_statistic` and `variance_share` keep sums for each replicate (means and ratios read all
twice or more); `quantile`, `return_level` and `conditional_value_at_risk` hold the one variable in memory.

Every estimate is an `xarray.Dataset` over the dimensions that are left, with

- `value`, and `low` and `high` of its interval (nan where none can be trusted),
- `lowest` and `highest`, between which the value lies wherever the failed samples would have been (nan: no such bound),
- `remark`, in words what is to be said of it: why there is no interval, or a wider one; empty when all is well.

Where samples failed, `low` and `high` hold the truth of all samples, failed ones included, as far as there are bounds:
each end is that of the worst case (Manski 2003, Partial identification of probability distributions, chapter 1; the
interval for the bounds, Imbens and Manski 2004, Econometrica 72:1845, on the safe side).

Parameters that all share
-------------------------
replicate
    Number of each sample's replicate, (sample,); left out, the coordinate `replicate`. Without one, samples of
    ``design="monte_carlo"`` are independent of each other, and those of other designs have no interval.
over
    Dimensions to estimate over: `sample`, and perhaps others such as `winter`, over which values are averaged, or of
    which quantiles are taken together.
failed
    True where a sample failed, (sample,); left out, the coordinate `failed` if there is one. A sample with any value
    that is not finite has failed too.
most_failed
    Largest share of failed samples; above it, EnsembleError.
confidence
    Of the intervals, between 0 and 1.
design
    ``sobol``, ``latin_hypercube`` or ``monte_carlo``.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypedDict, Unpack

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray

from study.errors import EnsembleError
from study.intervals import (
    CONFIDENCE,
    FEWEST_EVENTS,
    FEWEST_ROWS,
    MOST_FAILED,
    Array,
    Estimate,
    Interval,
    Moments,
    of_probability,
    of_quantile,
    of_ratio,
    of_rows,
)

__all__ = [
    "CONFIDENCE",
    "FEWEST_EVENTS",
    "FEWEST_ROWS",
    "MOST_FAILED",
    "Estimate",
    "conditional_value_at_risk",
    "estimate",
    "exceedance",
    "mean",
    "order_statistic",
    "probability",
    "quantile",
    "ratio",
    "refuse_not_finite",
    "return_level",
    "usable",
    "variance_share",
]

_BLOCK = 2**22  # numbers read at once

Limits = tuple[float | None, float | None]
Over = str | Sequence[Hashable]
Replicate = xr.DataArray | ArrayLike | None


class Options(TypedDict, total=False):
    """What every estimator takes, as the module's docstring says."""

    over: Over
    failed: xr.DataArray | ArrayLike | None
    most_failed: float
    confidence: float
    design: Literal["sobol", "latin_hypercube", "monte_carlo"]


def usable(dataset: xr.Dataset, most_failed: float = MOST_FAILED) -> xr.Dataset:
    """An ensemble whose variables, and all expressions of them, tell the estimators their replicates and failures.

    Parameters
    ----------
    dataset
        With `status`, 0 where a sample ended well, and `replicate`, both (sample,).

    Raises
    ------
    EnsembleError
        When a larger share of the samples failed.
    """
    failed = dataset["status"] != 0
    _refuse(int(failed.sum()), dataset.sizes["sample"], most_failed)
    return dataset.assign_coords(failed=failed, replicate=dataset["replicate"])


def refuse_not_finite(name: str, good: Array) -> None:
    """Raise EnsembleError when what samples that ended well gave is not finite: the kernels see to that."""
    if not np.isfinite(good).all():
        raise EnsembleError(
            f"{name} is not finite in samples whose status is ok: the ensemble is damaged; `hotland verify` tells where"
        )


def estimate(found: xr.Dataset) -> Estimate:
    """A single estimate as numbers; ValueError when there are several."""
    numbers = {name: found[name].item() for name in ("value", "low", "high", "lowest", "highest")}
    return Estimate(remark=found["remark"].item(), **{k: np.nan if np.isnan(v) else v for k, v in numbers.items()})


def mean(
    values: xr.DataArray, replicate: Replicate = None, *, limits: Limits = (None, None), **options: Unpack[Options]
) -> xr.Dataset:
    """Mean over samples (`study.intervals.of_ratio`).

    Parameters
    ----------
    limits
        The lowest and the highest that the values can be, such as (0, 1) for a share, None for an open end. The
        interval ends there; without them nothing bounds what failed samples would have given.

    Raises
    ------
    ValueError
        When a dimension is not there, or there is no sample.
    EnsembleError
        When too many samples failed.
    """
    samples = _Samples.of([values], replicate, **options)
    return samples.answer(lambda one: _of_means(one, lambda x: (x.mean(axis=1), np.ones((len(x), x.shape[2])))), limits)


def ratio(
    numerator: xr.DataArray,
    denominator: xr.DataArray,
    replicate: Replicate = None,
    *,
    limits: Limits = (None, None),
    **options: Unpack[Options],
) -> xr.Dataset:
    """Ratio of two means, nan where the denominator's is zero (`study.intervals.of_ratio`).

    Parameters
    ----------
    limits
        The lowest and the highest that the ratio can be, None for an open end: its interval ends there.
    """
    samples = _Samples.of([numerator, denominator], replicate, **options)
    return samples.answer(lambda one: _within(_of_means(one, lambda x, y: (x.mean(axis=1), y.mean(axis=1))), limits))


def order_statistic(
    values: xr.DataArray,
    rank: int,
    winters: int,
    replicate: Replicate = None,
    *,
    chance: str = "winter",
    limits: Limits = (None, None),
    **options: Unpack[Options],
) -> xr.Dataset:
    """What to expect of the `rank`-th lowest of so many winters of a sample, averaged over the samples.

    Of each sample the mean of that order statistic over all choices of so many of its winters, which is without bias
    whatever the distribution (Hoeffding 1948, Ann. Math. Stat. 19:293; for order statistics Hosking 1990, J. R. Stat.
    Soc. B 52:105). A quantile of chance has no such estimate: with few winters to a sample every one is biased, and
    averaging over the samples makes the interval narrow, but not the bias small.

    Parameters
    ----------
    rank
        1 for the lowest, `winters` for the highest.
    winters
        As many as a sample has at most; with more there is no value.
    chance
        The dimension of the winters.
    limits
        As of `mean`.
    """
    if not 1 <= rank <= winters:
        raise ValueError(f"a rank of {winters} winters is 1 to {winters}, got {rank!r}")
    options = {"over": ("sample", chance), **options}
    samples = _Samples.of([values], replicate, **options)
    if {*samples.over} != {chance}:
        raise ValueError(f"winters of a sample are over 'sample' and {chance!r}, not {('sample', *samples.over)}")
    count = values.sizes[chance]
    choices = [math.comb(k - 1, rank - 1) * math.comb(count - k, winters - rank) for k in range(1, count + 1)]
    weights = np.array([some / max(math.comb(count, winters), 1) for some in choices])

    def found(one: "_Samples") -> Interval:
        if count < winters:
            none = np.full(one.cells, np.nan)
            few = f"{count} winters to a sample are too few to tell of {winters}"
            return Interval(none, none, none, np.full(one.cells, few))
        return _of_means(
            one,
            lambda x: (np.einsum("rwc,w->rc", np.sort(x, axis=1), weights), np.ones((len(x), x.shape[2]))),
        )

    return samples.answer(found, limits)


def variance_share(
    values: xr.DataArray, replicate: Replicate = None, *, chance: str = "winter", **options: Unpack[Options]
) -> xr.Dataset:
    """Share of the variance that is between samples, what we do not know, rather than between winters, chance.

    The variance of chance is half the mean square of the difference of successive winters (von Neumann et al. 1941,
    Ann. Math. Stat. 12:153), so that what comes slowly over the life of a sample is not taken for chance; the mean
    course of all samples counts for neither. The share is the first-order Sobol' index of all inputs together, averaged
    over the winters. Between 0 and 1; nan where nothing varies, and of one winter.

    Parameters
    ----------
    values
        In the order of the winters.
    chance
        The dimension of the winters.
    """
    options = {"over": ("sample", chance), **options}
    samples = _Samples.of([values], replicate, **options)
    if {*samples.over} != {chance}:
        raise ValueError(f"the share of a variance is over 'sample' and {chance!r}, not {('sample', *samples.over)}")

    def found(one: "_Samples") -> Interval:
        if values.sizes[chance] < 2:
            none = np.full(one.cells, np.nan)
            return Interval(none, none, none, np.full(one.cells, "one winter shows no chance"))
        course = one.total(lambda x: (x,))[0].sum(axis=0) / one.count

        def parts(x: Array) -> tuple[Array, Array]:
            departure = np.where(np.abs(x - course) > 1e-13 * np.abs(course), x - course, 0.0)
            variance = (departure**2).mean(axis=1)
            return variance - 0.5 * (np.diff(departure, axis=1) ** 2).mean(axis=1), variance

        share = _of_means(one, parts)
        remark = np.where(np.isnan(share.value), "nothing varies", share.remark)
        value, low, high = (np.clip(number, 0.0, 1.0) for number in share[:3])
        return Interval(value, low, high, remark)

    return samples.answer(found)


def probability(event: xr.DataArray, replicate: Replicate = None, **options: Unpack[Options]) -> xr.Dataset:
    """Probability of an event, or the mean share of winters with it (`study.intervals.of_probability`).

    Parameters
    ----------
    event
        True, or 1, where it happens.
    """
    samples = _Samples.of([event], replicate, **options)
    return samples.answer(lambda one: _of_events(one, lambda x: x), (0.0, 1.0))


def exceedance(
    values: xr.DataArray, levels: ArrayLike, replicate: Replicate = None, **options: Unpack[Options]
) -> xr.Dataset:
    """Probability to exceed each of some levels, with intervals for each alone, not for the curve as a whole.

    Parameters
    ----------
    levels
        In the units of the values, (level,): the first dimension of the answer.
    """
    samples = _Samples.of([values], replicate, **options)
    each = np.asarray(levels, dtype=float).reshape(-1)
    samples = replace(samples, first=("level", each))

    def above(x: Array) -> NDArray[np.bool_]:
        return (x[:, :, None, :] > each[:, None]).reshape(*x.shape[:2], -1)

    return samples.answer(lambda one: _of_events(one, above), (-np.inf, np.inf))


def quantile(
    values: xr.DataArray, probability: ArrayLike, replicate: Replicate = None, **options: Unpack[Options]
) -> xr.Dataset:
    """Quantile over samples (`study.intervals.of_quantile`), by linear interpolation.

    Parameters
    ----------
    probability
        To lie below it, 0 to 1: one, or several, which make a first dimension `quantile` of the answer.
    """
    samples = _Samples.of([values], replicate, **options)
    each = np.asarray(probability, dtype=float)
    if not ((each >= 0.0) & (each <= 1.0)).all():
        raise ValueError(f"quantiles lie between 0 and 1, got {probability!r}")
    if each.ndim:
        samples = replace(samples, first=("quantile", each))
    exact = samples.design == "monte_carlo"

    def found(one: "_Samples") -> Interval:
        whole, codes = one.gather()
        codes = codes if one.intervals else np.zeros_like(codes)
        numbers = [
            of_quantile(whole[:, :, cell], codes, p, exact=exact, confidence=one.confidence)
            for p in each.reshape(-1)
            for cell in range(whole.shape[2])
        ]
        value, low, high = (np.array([number[i] for number in numbers]) for i in range(3))
        return one.without_design(Interval(value, low, high, np.array([number[3] for number in numbers])))

    return samples.answer(found, (-np.inf, np.inf))


def return_level(
    values: xr.DataArray,
    period: ArrayLike,
    replicate: Replicate = None,
    *,
    smallest: bool = False,
    **options: Unpack[Options],
) -> xr.Dataset:
    """Level that one winter in `period` exceeds: the quantile 1 - 1/period of all winters of all samples.

    Parameters
    ----------
    period
        Winters, above 1: one, or several, which make a first dimension `period` of the answer.
    smallest
        Whether it is the level that one winter falls short of.
    """
    periods = np.asarray(period, dtype=float)
    if not (periods > 1.0).all():
        raise ValueError(f"a return period is more than one winter, got {period!r}")
    options = {"over": ("sample", "winter"), **options}
    found = quantile(values, 1.0 / periods if smallest else 1.0 - 1.0 / periods, replicate, **options)
    return found.rename(quantile="period").assign_coords(period=periods) if periods.ndim else found


def conditional_value_at_risk(
    values: xr.DataArray,
    share: float,
    replicate: Replicate = None,
    *,
    tail: Literal["upper", "lower"] = "upper",
    limits: Limits = (None, None),
    **options: Unpack[Options],
) -> xr.Dataset:
    """Mean of the `share` of values at the upper or the lower end, in the units of the values.

    With the quantile q and the mean excess beyond it: q + E[(x - q)+]/share (Rockafellar and Uryasev 2002, J. Banking
    Finance 26:1443, theorem 10). The error of q counts in the second order alone, so the interval is that of the mean
    of q + (x - q)+/share; there is none with fewer than 25 samples beyond q.

    Parameters
    ----------
    share
        Above 0, up to 1.
    limits
        The lowest and the highest that the values can be, as of `mean`.
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"the share of a tail is more than 0 and up to 1, got {share!r}")
    if tail not in ("upper", "lower"):
        raise ValueError(f"a tail is 'upper' or 'lower', got {tail!r}")
    sign = 1.0 if tail == "upper" else -1.0
    samples = _Samples.of([values], replicate, **options)

    def found(one: "_Samples") -> Interval:
        whole, _ = one.gather()
        flat = sign * whole.reshape(-1, whole.shape[2])
        worst = np.quantile(flat, 1.0 - share, axis=0, method="inverted_cdf")

        def parts(x: Array) -> tuple[Array, Array]:
            beyond = np.maximum(sign * x - worst, 0.0).mean(axis=1)
            return sign * (worst + beyond / share), np.ones_like(beyond)

        rows = (sign * whole > worst).any(axis=1).sum(axis=0)
        answer = _of_means(one, parts)
        few = (rows < FEWEST_EVENTS) & np.isfinite(answer.low) & (share < 1.0)
        remark = answer.remark.astype(object)
        remark[few] = [f"{k} samples in the tail are too few for an interval" for k in rows[few]]
        low, high = (np.where(few, np.nan, end) for end in answer[1:3])
        return Interval(answer.value, low, high, remark.astype(str))

    lowest, highest = limits
    if tail == "upper" and lowest is None:  # failed samples far from the tail only change which others are in it
        lowest = -np.inf
    if tail == "lower" and highest is None:
        highest = np.inf
    return samples.answer(found, (lowest, highest))


def _refuse(failed: int, samples: int, most_failed: float) -> None:
    if samples and failed > most_failed * samples:
        raise EnsembleError(
            f"{failed:,} of {samples:,} samples failed, {100 * failed / samples:.3g} %: more than the "
            f"{100 * most_failed:.3g} % that an estimate may leave out"
        )


@dataclass(frozen=True, eq=False)
class _Samples:
    """Arrays to estimate from, read block by block as (row, winter, cell): the dimensions over, and those kept."""

    arrays: tuple[xr.DataArray, ...]
    codes: NDArray[np.int64]
    replicated: bool
    bad: NDArray[np.bool_]
    over: tuple[str, ...]
    kept: dict[str, int]
    design: str
    confidence: float
    most_failed: float
    first: tuple[str, Array] | None = None
    imputed: float | None = None

    @classmethod
    def of(
        cls,
        arrays: Sequence[xr.DataArray],
        replicate: Replicate = None,
        *,
        over: Over = "sample",
        failed: xr.DataArray | ArrayLike | None = None,
        most_failed: float = MOST_FAILED,
        confidence: float = CONFIDENCE,
        design: str = "sobol",
    ) -> "_Samples":
        arrays = xr.align(*arrays, join="exact", copy=False)
        sizes = {str(name): size for each in arrays for name, size in each.sizes.items()}
        wanted = (over,) if isinstance(over, str) else tuple(map(str, over))
        if "sample" not in wanted or not all("sample" in each.dims for each in arrays):
            raise ValueError(f"estimates are over 'sample', got over={over!r} of dimensions {tuple(sizes)}")
        if missing := set(wanted) - set(sizes):
            raise ValueError(f"no dimension {min(missing)!r}; there are {', '.join(sizes)}")
        if not sizes["sample"]:
            raise ValueError("there is no sample to estimate from")
        if design not in ("sobol", "latin_hypercube", "monte_carlo"):
            raise ValueError(f"a design is sobol, latin_hypercube or monte_carlo, got {design!r}")
        if not 0.0 < confidence < 1.0:
            raise ValueError(f"a confidence lies between 0 and 1, got {confidence!r}")
        given = [_along(what, name, arrays) for what, name in ((replicate, "replicate"), (failed, "failed"))]
        codes = np.zeros(sizes["sample"], dtype=np.int64) if given[0] is None else np.unique_inverse(given[0])[1]
        bad = np.zeros(sizes["sample"], dtype=bool) if given[1] is None else given[1].astype(bool)
        return cls(
            arrays,
            codes,
            given[0] is not None,
            bad.copy(),
            tuple(name for name in wanted if name != "sample"),
            {name: size for name, size in sizes.items() if name not in wanted},
            design,
            confidence,
            most_failed,
        )

    @property
    def independent(self) -> bool:
        """Whether the rows are their own replicates."""
        return self.design == "monte_carlo" and not self.replicated

    @property
    def intervals(self) -> bool:
        return self.replicated or self.independent

    @property
    def count(self) -> int:
        """Rows counted, once all were read."""
        return len(self.bad) if self.imputed is not None else int((~self.bad).sum())

    @property
    def winters(self) -> int:
        return int(np.prod([self.arrays[0].sizes[name] for name in self.over], dtype=int))

    @property
    def cells(self) -> int:
        return int(np.prod([*self.kept.values(), len(self.first[1]) if self.first else 1], dtype=int))

    def blocks(self) -> Iterator[tuple[NDArray[np.int64], list[Array]]]:
        """Replicates, (row,), and values, (row, winter, cell), of rows that count; marks those that failed."""
        size = self.winters * self.cells * len(self.arrays)
        chunk = max(_chunk(each) for each in self.arrays)
        step = max(chunk, _BLOCK // max(size, 1) // chunk * chunk)
        for start in range(0, len(self.codes), step):
            rows = slice(start, start + step)
            parts: Sequence[xr.DataArray] = [each.isel(sample=rows) for each in self.arrays]
            if len(parts) > 1:
                parts = xr.broadcast(*(each.reset_coords(drop=True) for each in parts))
            order = ("sample", *self.over, *self.kept)
            shape = (len(self.codes[rows]), self.winters, -1)
            values = [np.asarray(part.transpose(*order).values, dtype=float).reshape(shape) for part in parts]
            bad = self.bad[rows]
            if self.imputed is None:
                bad |= ~np.all([np.isfinite(each).all(axis=(1, 2)) for each in values], axis=0)
                yield self.codes[rows][~bad], [each[~bad] for each in values] if bad.any() else values
            else:
                yield self.codes[rows], [np.where(bad[:, None, None], self.imputed, each) for each in values]

    def total(self, parts: Callable[..., tuple[NDArray[Any], ...]]) -> list[Array]:
        """Sums over the rows of each replicate that has any, (replicate, ...), and their number as the last."""
        number = int(self.codes.max()) + 1
        sums: list[Array] = []
        for codes, values in self.blocks():
            terms = [*parts(*values), np.ones(len(codes))]
            if not sums:
                sums = [np.zeros((number, *term.shape[1:])) for term in terms]
            for one in np.unique(codes) if number < len(codes) else []:
                for whole, term in zip(sums, terms, strict=True):
                    whole[one] += term[codes == one].sum(axis=0)
            if number >= len(codes):
                for whole, term in zip(sums, terms, strict=True):
                    np.add.at(whole, codes, term)
        return [each[sums[-1] > 0] for each in sums]

    def moments(self, influence: Callable[..., Array]) -> Moments:
        """Moments of what the rows add to an error, (row, cell)."""
        sums = np.zeros((3, self.cells))
        ends = np.full((2, self.cells), np.inf)  # lowest, and lowest of the negative: both with how many there are
        ties = np.zeros((2, self.cells), dtype=np.int64)
        for _, values in self.blocks():
            each = influence(*values)
            sums += [(each**power).sum(axis=0) for power in (1, 2, 3)]
            for end, signed in enumerate((each, -each) if len(each) else ()):
                least = signed.min(axis=0)
                number = (signed == least).sum(axis=0)
                ties[end] = np.where(least < ends[end], number, ties[end] + np.where(least == ends[end], number, 0))
                ends[end] = np.minimum(least, ends[end])
        return Moments(self.count, sums, ties.max(axis=0))

    def gather(self) -> tuple[Array, NDArray[np.int64]]:
        """All values, (row, winter, cell), and the rows' replicates, numbered without gaps."""
        codes, values = zip(*((code, value[0]) for code, value in self.blocks()), strict=True)
        whole, together = np.concatenate(values), np.concatenate(codes)
        if not len(whole):
            raise ValueError("no sample ended well, so there is nothing to estimate from")
        return whole, np.arange(len(whole)) if self.independent else np.unique_inverse(together)[1]

    def without_design(self, found: Interval) -> Interval:
        """The same, of samples without replicates that are not independent: no interval."""
        if self.intervals:
            return found
        none = np.full(np.shape(found.value), np.nan)
        remark = f"no replicates of the {self.design} design are given, so no interval"
        return Interval(found.value, none, none, np.full(none.shape, remark))

    def answer(self, run: Callable[["_Samples"], Interval], limits: Limits = (None, None)) -> xr.Dataset:
        """An estimate from those that ended well, and what it could be with those that failed."""
        with np.errstate(invalid="ignore", divide="ignore", over="ignore"):
            found = _within(run(self), limits)
            failed, samples = int(self.bad.sum()), len(self.bad)
            _refuse(failed, samples, self.most_failed)
            ends, ranges = [found.low, found.high], [found.value, found.value]
            remarks = [found.remark]
            for end, limit in enumerate(limits if failed else ()):
                if limit is None:
                    ranges[end] = np.full(np.shape(found.value), np.nan)
                    continue
                worst = _within(run(replace(self, imputed=limit)), limits)
                ranges[end] = np.where(np.isfinite(worst.value), worst.value, np.nan)
                outward = (np.minimum, np.maximum)[end]
                ends[end] = outward(ends[end], np.where(np.isfinite(worst[1 + end]), worst[1 + end], np.nan))
                remarks.append(worst.remark)
        open_ends = np.sum([np.isnan(each) & ~np.isnan(found.value) for each in ranges], axis=0)
        sides = ("", "nothing bounds on one side", "nothing bounds")
        said = [f"{failed} of {samples} samples failed, and {side} what they would have given" for side in sides]
        remarks.append(np.array(["", *said[1:]])[open_ends if failed else 0 * open_ends])
        texts = [
            "; ".join(dict.fromkeys(filter(None, each))) for each in zip(*(np.ravel(r) for r in remarks), strict=True)
        ]
        variables = {
            "value": found.value,
            "low": ends[0],
            "high": ends[1],
            "lowest": ranges[0],
            "highest": ranges[1],
            "remark": np.array(texts, dtype=np.str_),
        }
        dimensions = {**({self.first[0]: len(self.first[1])} if self.first else {}), **self.kept}
        coordinates = {name: self.arrays[0][name] for name in self.kept if name in self.arrays[0].coords}
        if self.first:
            coordinates[self.first[0]] = xr.DataArray(self.first[1], dims=self.first[0])
        return xr.Dataset(
            {k: (tuple(dimensions), np.reshape(v, tuple(dimensions.values()))) for k, v in variables.items()},
            coords={name: (name, each.values) for name, each in coordinates.items()},
            attrs={"confidence": self.confidence, "samples": samples, "failed": failed},
        )


def _along(given: Any, name: str, arrays: tuple[xr.DataArray, ...]) -> NDArray[Any] | None:
    """What is given for each sample, else the coordinate of that name, (sample,)."""
    if given is None:
        given = next((each.coords[name] for each in arrays if name in each.coords), None)
        if given is None:
            return None
    values = np.asarray(given)
    if values.shape != (arrays[0].sizes["sample"],):
        raise ValueError(f"{name} is one number for each of {arrays[0].sizes['sample']} samples, got {values.shape}")
    return values


def _chunk(array: xr.DataArray) -> int:
    """Samples that are stored together, 1 where that does not matter."""
    sizes = {**array.encoding.get("preferred_chunks", {}), **{k: max(v) for k, v in array.chunksizes.items()}}
    return max(1, min(int(sizes.get("sample", 1)), array.sizes["sample"]))


def _within(found: Interval, limits: Limits) -> Interval:
    """The same with an interval that ends where the truth must: at the limits, but for a value beyond by rounding."""
    lowest, highest = (-np.inf if limits[0] is None else limits[0]), (np.inf if limits[1] is None else limits[1])
    return found._replace(
        low=np.maximum(found.low, np.minimum(found.value, lowest)),
        high=np.minimum(found.high, np.maximum(found.value, highest)),
    )


def _of_means(samples: _Samples, parts: Callable[..., tuple[Array, Array]]) -> Interval:
    """Ratio of two means over the rows, whose parts are (row, cell)."""
    numerator, denominator, rows = samples.total(parts)
    if not len(rows):
        raise ValueError("no sample ended well, so there is nothing to estimate from")
    whole = np.broadcast_to(denominator.sum(axis=0), numerator.shape[1:])
    value = np.where(whole != 0.0, numerator.sum(axis=0) / whole, np.nan)

    def influence(*values: Array) -> Array:
        above, under = parts(*values)
        return (above - value * under) / (whole / rows.sum())

    moments = samples.moments(influence)
    if samples.independent:
        return of_rows(value, moments, confidence=samples.confidence)
    found = of_ratio(numerator, denominator, moments=moments, confidence=samples.confidence)
    return samples.without_design(found)


def _of_events(samples: _Samples, event: Callable[[Array], NDArray[Any]]) -> Interval:
    """Probability of an event, (row, winter, cell) of the values."""

    def parts(values: Array) -> tuple[NDArray[Any], ...]:
        happens = event(values)
        return happens.mean(axis=1), np.any(happens, axis=1), np.any(happens == 0, axis=1)

    events, some, without, rows = samples.total(parts)
    if not len(rows):
        raise ValueError("no sample ended well, so there is nothing to estimate from")
    some, without = some.sum(axis=0), without.sum(axis=0)
    exact = samples.design == "monte_carlo"
    found = of_probability(
        events,
        rows,
        with_event=some,
        without_event=without,
        winters=samples.winters,
        exact=exact,
        confidence=samples.confidence,
    )
    if samples.independent and samples.winters > 1:
        moments = samples.moments(lambda x: event(x).mean(axis=1) - found.value)
        many = np.minimum(some, without) >= FEWEST_EVENTS
        each = of_rows(found.value, moments, confidence=samples.confidence)
        many &= np.isfinite(each.low)
        low, high = np.where(many, each.low.clip(0.0), found.low), np.where(many, each.high.clip(max=1.0), found.high)
        found = Interval(found.value, low, high, np.where(many, each.remark, found.remark))
    return samples.without_design(found)
