"""What some rows of a study came to, in a few kB: made where the rows are computed, added up where the run is watched.

Tallies are added in any order. Counts are exact; means and sums of squares hold to rounding (Chan, Golub and LeVeque
1983, Am. Stat. 37:242). Quantiles come from a sketch that draws at random how to thin out what it holds: they hold
within its rank error alone, `RANK_ERROR` with a probability of 99 %, and to the seven digits of single precision; two
runs may show other ones (Karnin, Lang and Liberty 2016, FOCS 57:71). So nothing that must repeat may hang on a quantile
from here, and a tally is for the screen: what a study says for good is `study.summary`. A tally is never read from a
file: the sketches' library may crash on bytes that are not its own.

Means and probabilities have the intervals of `study.intervals`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Self

import numpy as np
from datasketches import kll_floats_sketch
from numpy.typing import NDArray
from scipy import stats

from study.config import Study
from study.intervals import CONFIDENCE, MOST_FAILED, Estimate, of_probability, of_ratio

Array = NDArray[np.float64]
Counts = NDArray[np.int64]
Of = Literal["life", "winter"]
Comparison = Literal[">=", ">", "<", "<="]

WATCHED = ("carbon_reduction", "unmet_hours", "heating_reliability", "heat_unmet")
CLAIMED = "carbon_reduction"
SHORTFALL = ("unmet_hours", 0.0)

SKETCH_SIZE = 200
RANK_ERROR: float = kll_floats_sketch.get_normalized_rank_error(SKETCH_SIZE, False)

_OF: tuple[Of, ...] = ("life", "winter")
_NOT: dict[Comparison, Comparison] = {"<": ">=", "<=": ">"}


def usual_thresholds(study: Study) -> tuple[tuple[str, float], ...]:
    """Thresholds that every study is watched for, in the outputs' units: its claim, if it has one, and a shortfall."""
    return (*([(CLAIMED, study.claim.carbon_reduction)] if study.claim else []), SHORTFALL)


@dataclass(frozen=True, eq=False)
class Tally:
    """Statistics of rows that ended well, by replicate, and how many failed.

    Attributes
    ----------
    watched
        Names of the outputs.
    thresholds
        Outputs and the values, in their units, whose exceedances are counted.
    winters
        Winters of each row.
    monte_carlo
        Whether the rows are those of plain Monte Carlo.
    failed
        Number of failed rows by status (`study.ensemble.STATUS_MEANINGS`).
    count
        Rows that ended well, (replicate,).
    means
        Of the outputs, in their units, (output, replicate); of no meaning where there is no row.
    squares
        Sums of squared departures from the mean, of averages over the life and of winters, (2, output, replicate).
    exceedances
        How often an output is at least at a threshold, and above it, on average over the life (times) and in winters,
        (threshold, 2, 2, replicate).
    sketches
        Of all winters, one for each output; empty before there is a row.
    """

    watched: tuple[str, ...]
    thresholds: tuple[tuple[str, float], ...]
    winters: int
    monte_carlo: bool
    failed: dict[int, int]
    count: Counts
    means: Array
    squares: Array
    exceedances: Counts
    sketches: tuple[bytes, ...]

    @classmethod
    def of(
        cls,
        study: Study,
        rows: NDArray[np.int64],
        values: Mapping[str, NDArray[np.generic]],
        *,
        watched: tuple[str, ...] = WATCHED,
        exceeded: tuple[tuple[str, float], ...] | None = None,
    ) -> Self:
        """Tally rows of a study; those beyond its samples do not count.

        Parameters
        ----------
        rows
            Indices in the design, (row,).
        values
            `status`, (row,), and by name the outputs watched, (row,) or (row, winter).
        exceeded
            Thresholds, each of an output that is watched; left out, `usual_thresholds`.

        Raises
        ------
        ValueError
            When an output is not there, or is not finite in a row that ended well, or a threshold is not of an output
            watched.
        """
        exceeded = usual_thresholds(study) if exceeded is None else exceeded
        if strange := {*watched, "status"} - set(values) or {name for name, _ in exceeded} - set(watched):
            raise ValueError(f"no output {min(strange)!r} to watch; allowed: {', '.join(sorted(values))}")
        status = values["status"]
        within = rows < study.samples
        good = within & (status == 0)
        kinds, numbers = np.unique(status[within & (status != 0)], return_counts=True)
        replicate = study.base_rows(rows[good]) % study.replicates
        shape = (int(good.sum()), study.winters)
        by_winter, by_life = {}, {}
        for name in watched:
            data = np.asarray(values[name], dtype=float)[good]
            if not np.isfinite(data).all():
                raise ValueError(f"{name}: not a finite number in a row that ended well")
            by_winter[name] = np.broadcast_to(data if data.ndim > 1 else data[:, None], shape)
            by_life[name] = by_winter[name].mean(axis=1)

        def sums(x: Array | NDArray[np.bool_]) -> Array:
            by_row = x if x.ndim == 1 else x.sum(axis=1)
            return np.bincount(replicate, by_row, study.replicates).astype(float)

        count = np.bincount(replicate, minlength=study.replicates)
        first = {name: data[:1].sum() for name, data in by_life.items()}  # taken off: equal values have that mean
        means = np.array([first[n] + sums(by_life[n] - first[n]) / np.maximum(count, 1) for n in watched])
        squares = [
            [sums(((data[name].T - mean[replicate]) ** 2).T) for name, mean in zip(watched, means, strict=True)]
            for data in (by_life, by_winter)
        ]
        exceedances = [
            [
                [sums(compare(data[name], level)) for data in (by_life, by_winter)]
                for compare in (np.greater_equal, np.greater)
            ]
            for name, level in exceeded
        ]
        return cls(
            watched,
            exceeded,
            study.winters,
            study.design == "monte_carlo",
            dict(zip(kinds.tolist(), numbers.tolist(), strict=True)),
            count,
            means.reshape(len(watched), study.replicates),
            np.reshape(squares, (2, len(watched), study.replicates)),
            np.array(exceedances, dtype=np.int64).reshape(len(exceeded), 2, 2, study.replicates),
            tuple(_sketch(data) for data in by_winter.values()),
        )

    @classmethod
    def empty(
        cls, study: Study, *, watched: tuple[str, ...] = WATCHED, exceeded: tuple[tuple[str, float], ...] | None = None
    ) -> Self:
        """Tally no row: what others are added to."""
        none = {name: np.empty(0) for name in (*watched, "status")}
        return cls.of(study, np.empty(0, dtype=np.int64), none, watched=watched, exceeded=exceeded)

    def __add__(self, other: "Tally") -> "Tally":
        """Tally of the rows of both; ValueError when they do not watch the same."""
        if self._watches != other._watches:
            raise ValueError("two tallies that do not watch the same")
        count = self.count + other.count
        share = other.count / np.maximum(count, 1)
        apart = other.means - self.means
        return Tally(
            self.watched,
            self.thresholds,
            self.winters,
            self.monte_carlo,
            {
                status: self.failed.get(status, 0) + other.failed.get(status, 0)
                for status in sorted({*self.failed, *other.failed})
            },
            count,
            self.means + apart * share,
            self.squares + other.squares + self._weights * apart**2 * self.count * share,
            self.exceedances + other.exceedances,
            tuple(_merged(*both) for both in zip(self.sketches, other.sketches, strict=True)),
        )

    @property
    def _watches(self) -> tuple[object, ...]:
        return self.watched, self.thresholds, self.winters, self.monte_carlo, self.count.shape

    @property
    def _weights(self) -> Array:
        """Values for each row in `squares`, (2, 1, 1)."""
        return np.array([1.0, self.winters]).reshape(2, 1, 1)

    @property
    def rows(self) -> int:
        """How many ended well."""
        return int(self.count.sum())

    def mean(self, name: str) -> Estimate:
        """Mean of an output over rows and winters, in its units."""
        means = self.means[self._place(name)]
        return _from_replicates(means[self.count > 0], self.count[self.count > 0])

    def standard_deviation(self, name: str, of: Of) -> float:
        """Standard deviation of an output, in its units: between averages over the life, or all winters of all rows."""
        if not self.rows:
            return np.nan
        place, which = self._place(name), _OF.index(of)
        weight = self._weights[which].item()
        between = weight * self.count * (self.means[place] - self.mean(name).value) ** 2
        return float(np.sqrt((self.squares[which, place] + between).sum() / (weight * self.rows)))

    def probability(self, name: str, comparison: Comparison, threshold: float, of: Of) -> Estimate:
        """Probability that an output's average over the life meets a threshold, or share of winters in which it does.

        Raises
        ------
        ValueError
            When the threshold is not one of those counted.
        """
        if comparison in _NOT:
            not_so = self.probability(name, _NOT[comparison], threshold, of)
            return Estimate(1.0 - not_so.value, 1.0 - not_so.high, 1.0 - not_so.low)
        if (name, threshold) not in self.thresholds:
            raise ValueError(f"no count of {name} {comparison} {threshold:g}; counted: {self.thresholds}")
        if not self.rows:
            return Estimate(np.nan)
        which = 0 if comparison == ">=" else 1
        each = self.exceedances[self.thresholds.index((name, threshold)), which, _OF.index(of)]
        there, times = self.count > 0, self._weights[_OF.index(of)].item()
        events = each[there] / times
        value, low, high, remark = of_probability(
            events,
            self.count[there],
            with_event=np.ceil(events.sum() - 1e-9),  # at least so many rows have one
            without_event=np.ceil(self.rows - events.sum() - 1e-9),
            winters=round(times),
            exact=self.monte_carlo,
        )
        return Estimate(value.item(), low.item(), high.item(), remark.item())

    def quantile(self, name: str, probability: float) -> Estimate:
        """Quantile of an output, in its units, over all winters of all rows, within the sketch's rank error.

        The interval is that of order statistics of as many values as there are rows (Conover 1999, section 3.2), made
        wider by the rank error: wide, for it takes all winters of a row for one, and the points of a design for random.
        """
        place = self._place(name)
        if not self.rows:
            return Estimate(np.nan)
        sketch = kll_floats_sketch.deserialize(self.sketches[place])
        error = RANK_ERROR if sketch.is_estimation_mode() else 0.0
        low, high = stats.binom.ppf([0.5 - CONFIDENCE / 2, 0.5 + CONFIDENCE / 2], self.rows, probability) / self.rows
        low, high = low - error, high + error + 1.0 / self.rows
        return Estimate(
            sketch.get_quantile(probability, True),
            sketch.get_quantile(low, True) if low > 0.0 else np.nan,
            sketch.get_quantile(high, True) if high <= 1.0 else np.nan,
        )

    def line(self) -> str:
        """The tally in a line of words, of those of carbon reduction, its claim and shortfall that are watched.

        No estimate when a larger share of the rows failed than an estimate may leave out.
        """
        failed = sum(self.failed.values())
        if not self.rows:
            return f"none of {failed:,} samples ended well" if failed else "no sample is done yet"
        if failed > MOST_FAILED * (done := failed + self.rows):
            return f"{failed:,} of {done:,} samples failed, {100 * failed / done:.3g} %: too many for an estimate"
        parts = []
        if CLAIMED in self.watched:
            parts.append(f"carbon reduction {_words(self.mean(CLAIMED))} t CO2 a winter")
        for name, level in self.thresholds:
            if name == CLAIMED:
                chance = self.probability(name, ">=", level, "life")
                parts.append(f"P(≥ {level:,.10g} t) {_words(chance, 100.0)} %")
        if SHORTFALL[0] in self.watched:
            parts.append(f"hours short {_words(self.mean(SHORTFALL[0]))} h a winter")
        return "; ".join(parts)

    def estimates(self) -> dict[str, dict[str, float | None]]:
        """What `line` tells, for a program: by what it is, `value` and the interval's `half_width`, None if unknown.

        Probabilities are shares of 1. Empty when too many rows failed for an estimate.
        """
        failed = sum(self.failed.values())
        if not self.rows or failed > MOST_FAILED * (failed + self.rows):
            return {}
        found = {name: self.mean(name) for name in (CLAIMED, SHORTFALL[0]) if name in self.watched}
        for name, level in self.thresholds:
            if name == CLAIMED:
                found[f"P({name}>={level:.10g})"] = self.probability(name, ">=", level, "life")
        return {
            name: {key: value if np.isfinite(value) else None for key, value in numbers.items()}
            for name, each in found.items()
            for numbers in [{"value": float(each.value), "half_width": float(each.high - each.low) / 2}]
        }

    def _place(self, name: str) -> int:
        if name not in self.watched:
            raise ValueError(f"{name!r} is not watched; watched: {', '.join(self.watched)}")
        return self.watched.index(name)


def _from_replicates(each: Array, count: Counts) -> Estimate:
    """Mean from those of replicates, each of some rows; both (replicate,)."""
    if not len(each):
        return Estimate(np.nan)
    value, low, high, remark = of_ratio(each * count, count.astype(float))
    return Estimate(value.item(), low.item(), high.item(), remark.item())


def _sketch(data: Array) -> bytes:
    sketch = kll_floats_sketch(SKETCH_SIZE)
    sketch.update(data.astype(np.float32).ravel())
    return bytes(sketch.serialize())


def _merged(one: bytes, other: bytes) -> bytes:
    sketch = kll_floats_sketch.deserialize(one)
    sketch.merge(kll_floats_sketch.deserialize(other))
    return bytes(sketch.serialize())


def _words(estimate: Estimate, scale: float = 1.0) -> str:
    """An estimate and its interval, to the interval's first digit."""
    value, low, high = (scale * x for x in (estimate.value, estimate.low, estimate.high))
    half = (high - low) / 2
    known = half > 0.0
    smallest = half if known else abs(value) / 1000.0 or 1.0
    digits = max(0, -int(np.floor(np.log10(smallest))))
    if not known:
        return f"{value:,.{digits}f} (interval not known yet)"
    if abs(value - (low + high) / 2) > 0.05 * half:
        return f"{value:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"
    return f"{value:,.{digits}f} ± {half:,.{digits}f}"
