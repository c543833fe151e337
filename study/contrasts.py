"""How designs differ in one output, how sure that is, and how likely each is to be the better one.

Of paired designs (`study.pairing`) the difference is that of the same sample in both, else of two independent samples.
"""

from dataclasses import dataclass, replace

import numpy as np
import xarray as xr

from study.directions import direction
from study.intervals import Estimate
from study.pairing import Pairing
from study.risk import WORST, worst
from study.summary import Winters

CLAIM, TAIL = "claim", "heat_unmet_worst"


@dataclass(frozen=True)
class Contrast:
    """One design less another.

    Attributes
    ----------
    design, less
        Their names.
    difference
        Of the means.
    better, worse
        Probability that `design` is better, or worse, than `less` in a sample's mean of its winters, by more than they
        count as alike. Of variables without a better end: higher, or lower.
    better_winter, worse_winter
        The same of single winters; None where not paired, and of variables without winters.
    times_fewer
        How many times fewer samples, drawn at random, the pair takes for its difference than independent designs; None
        where not paired.
    """

    design: str
    less: str
    difference: Estimate
    better: Estimate | None = None
    worse: Estimate | None = None
    better_winter: Estimate | None = None
    worse_winter: Estimate | None = None
    times_fewer: Estimate | None = None


@dataclass(frozen=True)
class Compared:
    """One output of all designs.

    Attributes
    ----------
    variable, words, units
        Its name, in words, and its units, "1" for a share.
    better
        ``higher``, ``lower``, or nothing.
    values
        Mean of each design; of the claim its probability, of the worst winters their mean.
    contrasts
        Each design but the first, less the first.
    """

    variable: str
    words: str
    units: str
    better: str
    values: dict[str, Estimate]
    contrasts: tuple[Contrast, ...]


def compared(name: str, sides: dict[str, Winters], *, paired: bool, alike: float) -> Compared:
    """One output of all designs; below the share `alike` of the first one's mean neither of two is better."""
    about = next(iter(sides.values())).dataset[name].attrs
    values = {design: side.values(name) for design, side in sides.items()}
    levels = {design: side.mean(values[design], side.limits(name)) for design, side in sides.items()}
    sign = -1.0 if direction(name) == "lower" else 1.0
    (first, _), *others = sides.items()
    same = alike * size_of(by_sample(values[first]))
    contrasts = []
    for other, side in others:
        one, two = values[first], values[other]
        if not paired:
            found = independent(levels[other], levels[first])
            better, worse = (probability_above(two, one, side, sides[first], end * sign, same) for end in (1.0, -1.0))
            contrasts.append(Contrast(other, first, found, better, worse))
            continue
        low, high = side.limits(name)
        width = None if low is None or high is None else high - low
        means = by_sample(one), by_sample(two)
        better, worse = (side.chance(end * sign * (means[1] - means[0]) > same) for end in (1.0, -1.0))
        of_winters: tuple[Estimate | None, ...] = (None, None)
        if "winter" in one.dims:
            of_winters = tuple(side.chance(end * sign * (two - one) > same) for end in (1.0, -1.0))
        difference = side.mean(two - one, (None if width is None else -width, width))
        fewer = _times_fewer(*means, side)
        contrasts.append(Contrast(other, first, difference, better, worse, of_winters[0], of_winters[1], fewer))
    words, units = str(about.get("long_name", name)), str(about.get("units", ""))
    return Compared(name, words, units, direction(name), levels, tuple(contrasts))


def _times_fewer(one: xr.DataArray, two: xr.DataArray, side: Winters) -> Estimate:
    """Variance of independent samples' difference over that of paired ones'."""
    good = ~side.dataset["failed"].values
    parts = [each - float(each.values[good].mean()) for each in (one, two, two - one)]
    if not (parts[2].values[good] != 0.0).any():
        return Estimate(np.nan, remark="no sample differs")
    return side.ratio(parts[0] ** 2 + parts[1] ** 2, parts[2] ** 2, (0.0, None))


def claim_kept(sides: dict[str, Winters], pairing: Pairing) -> Compared | None:
    """Probability to keep the first design's claim on average over the life; None where it makes none."""
    claim = next(iter(pairing.studies.values())).claim
    if claim is None:
        return None
    kept = {
        name: side.values("carbon_reduction").mean("winter") >= claim.carbon_reduction for name, side in sides.items()
    }
    levels = {name: side.chance(kept[name]) for name, side in sides.items()}
    (first, _), *others = sides.items()
    contrasts = []
    for name, side in others:
        if pairing.paired:
            found = side.mean(kept[name].astype(float) - kept[first].astype(float), (-1.0, 1.0))
        else:
            found = independent(levels[name], levels[first])
        contrasts.append(Contrast(name, first, found))
    words = f"probability of {claim.carbon_reduction:,.0f} t CO2 a winter or more, on average over the life"
    return Compared(CLAIM, words, "1", "higher", levels, tuple(contrasts))


def worst_winters(sides: dict[str, Winters], *, paired: bool) -> Compared:
    """Conditional value at risk of unmet heat."""
    found = {name: worst(side.values("heat_unmet"), **side.how) for name, side in sides.items()}
    levels = {name: level for name, (level, _) in found.items()}
    (first, _), *others = sides.items()
    contrasts = []
    for name, side in others:
        if not paired:
            contrasts.append(Contrast(name, first, independent(levels[name], levels[first])))
            continue
        difference = side.mean(found[name][1] - found[first][1])
        if not np.isfinite([levels[each].low for each in (name, first)]).all():  # too few in one of the tails
            difference = replace(
                difference, low=np.nan, high=np.nan, remark=levels[first].remark or levels[name].remark
            )
        contrasts.append(Contrast(name, first, difference))
    words = f"unmet heat, mean of the worst {100 * WORST:g} % of winters, all samples"
    return Compared(TAIL, words, "MWh", "lower", levels, tuple(contrasts))


def independent(one: Estimate, other: Estimate) -> Estimate:
    """One estimate less another of independent samples, with its interval.

    From the ends of their own intervals: l = d − √((a − l_a)² + (u_b − b)²), and u alike (Zou and Donner 2008, Stat.
    Med. 27:1693). With symmetric intervals of standard errors that is Student's t of the root of the summed squares,
    with the degrees of freedom of the wider ends, and so a little wide.
    """
    difference = one.value - other.value
    low = difference - np.hypot(one.value - one.low, other.high - other.value)
    high = difference + np.hypot(one.high - one.value, other.value - other.low)
    remark = "; ".join(dict.fromkeys(filter(None, (one.remark, other.remark))))
    return Estimate(difference, float(low), float(high), remark, one.lowest - other.highest, one.highest - other.lowest)


def probability_above(
    one: xr.DataArray, other: xr.DataArray, side: Winters, against: Winters, sign: float, alike: float
) -> Estimate:
    """Probability that a sample of one design is above one of another, independent of it (below, by the sign).

    The share of all pairs; its error is that of two independent means, of what share of the others each sample is above
    or below (placement values: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837).
    """
    data = [sign * by_sample(each) for each in (one, other)]
    ordered = [np.sort(each.good(values)) for each, values in zip((side, against), data, strict=True)]
    below = np.searchsorted(ordered[1], data[0].values - alike, side="left") / len(ordered[1])
    above = 1.0 - np.searchsorted(ordered[0], data[1].values + alike, side="right") / len(ordered[0])
    first = side.mean(data[0].copy(data=below), (0.0, 1.0))
    second = against.mean(data[1].copy(data=above), (0.0, 1.0))
    low = first.value - np.hypot(first.value - first.low, second.value - second.low)
    high = first.value + np.hypot(first.high - first.value, second.high - second.value)
    remark = "; ".join(dict.fromkeys(filter(None, (first.remark, second.remark))))
    return Estimate(first.value, max(float(low), 0.0) if np.isfinite(low) else np.nan, min(float(high), 1.0), remark)


def by_sample(values: xr.DataArray) -> xr.DataArray:
    """Means of each sample's winters, if it has several numbers."""
    return values.mean("winter") if "winter" in values.dims else values


def size_of(values: xr.DataArray) -> float:
    """Of the mean of the samples that ended well."""
    return abs(float(values.values[~values["failed"].values].mean()))
