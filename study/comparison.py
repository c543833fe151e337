"""Designs held against each other: what each comes to, how they differ and how sure that is, which one is better.

On common random numbers (`study.pairing`) a difference is that of the same sample in both designs: of one ground and
its winters. Otherwise the designs are independent samples, and only their distributions can be held against each other.
"""

import difflib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table

from study.errors import EnsembleError
from study.intervals import CONFIDENCE, MOST_FAILED, Estimate
from study.pairing import Pairing, pair
from study.quantity import short
from study.risk import WORST, Front, Regret, front, regrets, worst
from study.summary import SHARES, Line, Winters, print_lines

HIGHER = (
    *("carbon_reduction", "heat_delivered", "heating_reliability", "indoor_temperature_min", "inlet_temperature_min"),
    *("electricity_covered", "largest_unit_out_share", "net_present_value"),
)
LOWER = (
    *("carbon_electricity", "carbon_peak_fuel", "carbon_refrigerant", "carbon_embodied"),
    *("heat_unmet", "heat_backup", "heat_reserve", "heat_storage_loss", "unmet_hours", "shortfalls"),
    *("longest_shortfall", "worst_shortfall", "peak_heating_share", "cold_hours", "cold_degree_hours"),
    *("electricity", "electricity_compressor", "electricity_circulation", "electricity_backup"),
    *("fuel_peak_heating", "fuel_reserve_heating", "inlet_limit_hours", "outage_hours", "thermal_interference"),
    *("park_emissions_per_energy", "capital_cost", "levelised_cost_of_heat", "cost_of_avoided_carbon", "payback_time"),
)
"""Variables of which more, or less, is better; of all others the one design is *higher* than the other, not better."""
USUAL = (
    *("carbon_reduction", "unmet_hours", "heating_reliability", "electricity"),
    *("capital_cost", "levelised_cost_of_heat", "net_present_value", "cost_of_avoided_carbon"),
)
ALIKE = 1e-3
"""Share of the first design's mean up to which designs count as alike: an assumption. The model itself is no better, so
that a smaller difference makes neither better, however sure its sign."""
COSTS = ("levelised_cost_of_heat", "capital_cost")
OBJECTIVES = ("carbon_reduction", "heating_reliability")
CLAIM, TAIL = "claim", "heat_unmet_worst"

MOST_DIFFERENCES = 20
"""Keys in which the studies differ that are told one by one to a person."""

_INDEPENDENT = "of two draws, each of its own ground and winters, and not of one site with either design"


class UnknownVariableError(EnsembleError):
    """A variable that the designs have not, or that cannot be compared."""


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


@dataclass(frozen=True)
class Comparison:
    """The answer.

    Attributes
    ----------
    pairing
        Whether the designs are paired, and what they have in common.
    outputs
        Those compared.
    claim
        Probability to keep the first design's claim on average over the life; None where it makes none.
    worst
        Mean unmet heat of the worst winters of all samples (conditional value at risk).
    utility, regrets
        What is to be had most of (or least, of costs), and what each design falls short of the best one in each sample;
        none where not paired.
    front
        Which designs are not beaten in every one of the objectives.
    """

    pairing: Pairing
    outputs: tuple[Compared, ...]
    claim: Compared | None
    worst: Compared
    utility: str
    regrets: tuple[Regret, ...]
    front: Front


def compare(
    designs: Mapping[str, xr.Dataset],
    outputs: Sequence[str] = (),
    *,
    utility: str | None = None,
    objectives: Sequence[str] = (),
    alike: float = ALIKE,
    most_failed: float = MOST_FAILED,
) -> Comparison:
    """Hold designs against each other.

    Parameters
    ----------
    designs
        Ensembles as `study.open_ensemble` gives them, by the name of the design; the first is what the others are held
        against.
    outputs
        Variables of all designs, (sample,) or (sample, winter); by default those of `USUAL` that all have.
    utility
        Variable for the regret; by default `net_present_value` where all have it, else `carbon_reduction`.
    objectives
        Variables for the Pareto front, each with a better end; by default a cost, carbon reduction and reliability, as
        far as all have them.
    alike
        Share of the first design's mean up to which neither of two designs is better.
    most_failed
        Largest share of samples that may have failed.

    Raises
    ------
    ValueError
        When there is one design only.
    UnknownVariableError
        When not all designs have a variable, or it has no better end where one is needed.
    EnsembleError
        When a design has no samples, too many that failed, or no sample in common with others paired to it.
    """
    pairing = pair(designs, most_failed=most_failed)
    sides = {
        name: Winters(dataset, pairing.studies[name].resolved(), most_failed)
        for name, dataset in pairing.datasets.items()
    }
    there = _variables(pairing)
    outputs = outputs or [name for name in USUAL if name in there and not _endless(name, pairing)]
    for option, names in (
        ("--output", outputs),
        ("--utility", (utility,) if utility else ()),
        ("--objective", objectives),
    ):
        for name in names:
            _refuse_unknown(name, there, pairing, option=option)
            if option != "--output" and not direction(name):
                raise UnknownVariableError(f"{option} {short(name)}: neither more nor less of it is known to be better")
            if endless := _endless(name, pairing):
                raise UnknownVariableError(f"{option} {short(name)}: not finite in {endless}, so it has no mean")
    utility = utility or ("net_present_value" if "net_present_value" in there else "carbon_reduction")
    if objectives and len(set(objectives)) < 2:
        raise UnknownVariableError("--objective: allowed: two or more, each another, got 1")
    if not objectives:
        costs = [name for name in COSTS if name in there and not _endless(name, pairing)]
        objectives = [*costs[:1], *OBJECTIVES]
    by_sample = {
        name: {design: _by_sample(side.values(name)) for design, side in sides.items()}
        for name in {utility, *objectives}
    }
    same = {name: alike * _size(next(iter(each.values()))) for name, each in by_sample.items()}
    signs = {name: -1.0 if direction(name) == "lower" else 1.0 for name in by_sample}
    return Comparison(
        pairing,
        tuple(_compared(name, sides, pairing.paired, alike) for name in dict.fromkeys(outputs)),
        _claim(sides, pairing),
        _worst(sides, pairing.paired),
        utility,
        regrets(by_sample[utility], sign=signs[utility], alike=same[utility], **_how(sides)) if pairing.paired else (),
        front(
            {name: by_sample[name] for name in objectives},
            signs={name: signs[name] for name in objectives},
            paired=pairing.paired,
            alike=same,
            **_how(sides),
        ),
    )


def direction(variable: str) -> str:
    """Which end of a variable is better: ``higher``, ``lower``, or nothing where that is not known."""
    return "higher" if variable in HIGHER else "lower" if variable in LOWER else ""


def _how(sides: dict[str, Winters]) -> dict[str, Any]:
    """Options of the estimators for a pair; what the samples of independent designs are does not matter there."""
    return next(iter(sides.values())).how


def _variables(pairing: Pairing) -> dict[str, xr.DataArray]:
    """What all designs have of numbers, by name, of the first one."""
    first, *others = pairing.datasets.values()
    return {
        str(name): values
        for name, values in first.data_vars.items()
        if {*values.dims} in ({"sample"}, {"sample", "winter"})
        and values.dtype.kind == "f"
        and all(name in other and {*other[name].dims} == {*values.dims} for other in others)
    }


def _refuse_unknown(name: str, there: Mapping[str, object], pairing: Pairing, *, option: str) -> None:
    if name in there:
        return
    without = [design for design, dataset in pairing.datasets.items() if name not in dataset]
    if len(without) < len(pairing.datasets) and without:
        raise UnknownVariableError(f"{option} {short(name)}: {', '.join(without)} has no such variable")
    nearest = ", ".join(difflib.get_close_matches(name, there, n=3, cutoff=0))
    raise UnknownVariableError(f"{option} {short(name)}: no variable of numbers; the nearest ones are {nearest}")


def _endless(name: str, pairing: Pairing) -> str:
    """In how many samples that ended well a number of each sample is not finite, in words; empty where in none."""
    if "winter" in next(iter(pairing.datasets.values()))[name].dims:
        return ""  # the kernels see to that
    for design, dataset in pairing.datasets.items():
        count = int((~np.isfinite(dataset[name].values) & ~dataset["failed"].values).sum())
        if count:
            return f"{count:,} samples of {design}"
    return ""


def _by_sample(values: xr.DataArray) -> xr.DataArray:
    return values.mean("winter") if "winter" in values.dims else values


def _size(values: xr.DataArray) -> float:
    """Of the mean of the samples that ended well."""
    return abs(float(values.values[~values["failed"].values].mean()))


def _compared(name: str, sides: dict[str, Winters], paired: bool, alike: float) -> Compared:
    about = next(iter(sides.values())).dataset[name].attrs
    values = {design: side.values(name) for design, side in sides.items()}
    levels = {design: side.mean(values[design], side.limits(name)) for design, side in sides.items()}
    sign = -1.0 if direction(name) == "lower" else 1.0
    (first, _), *others = sides.items()
    same = alike * _size(_by_sample(values[first]))
    contrasts = []
    for other, side in others:
        one, two = values[first], values[other]
        if not paired:
            found = independent(levels[other], levels[first])
            better, worse = (_above(two, one, side, sides[first], end * sign, same) for end in (1.0, -1.0))
            contrasts.append(Contrast(other, first, found, better, worse))
            continue
        low, high = side.limits(name)
        width = None if low is None or high is None else high - low
        means = _by_sample(one), _by_sample(two)
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
    found = side.ratio(parts[0] ** 2 + parts[1] ** 2, parts[2] ** 2)
    return replace(found, low=max(found.low, 0.0) if np.isfinite(found.low) else found.low)


def _claim(sides: dict[str, Winters], pairing: Pairing) -> Compared | None:
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


def _worst(sides: dict[str, Winters], paired: bool) -> Compared:
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


def _above(
    one: xr.DataArray, other: xr.DataArray, side: Winters, against: Winters, sign: float, alike: float
) -> Estimate:
    """Probability that a sample of one design is above one of another, independent of it (below, by the sign).

    The share of all pairs; its error is that of two independent means, of what share of the others each sample is above
    or below (placement values: DeLong, DeLong and Clarke-Pearson 1988, Biometrics 44:837).
    """
    data = [sign * _by_sample(each) for each in (one, other)]
    ordered = [np.sort(each.good(values)) for each, values in zip((side, against), data, strict=True)]
    below = np.searchsorted(ordered[1], data[0].values - alike, side="left") / len(ordered[1])
    above = 1.0 - np.searchsorted(ordered[0], data[1].values + alike, side="right") / len(ordered[0])
    first = side.mean(data[0].copy(data=below), (0.0, 1.0))
    second = against.mean(data[1].copy(data=above), (0.0, 1.0))
    low = first.value - np.hypot(first.value - first.low, second.value - second.low)
    high = first.value + np.hypot(first.high - first.value, second.high - second.value)
    remark = "; ".join(dict.fromkeys(filter(None, (first.remark, second.remark))))
    return Estimate(first.value, max(float(low), 0.0) if np.isfinite(low) else np.nan, min(float(high), 1.0), remark)


def lines(comparison: Comparison) -> list[Line]:
    """The answer in lines."""
    found = []
    for each in (*comparison.outputs, *([comparison.claim] if comparison.claim else []), comparison.worst):
        found += _lines_of(each)
    if comparison.regrets:
        section = f"Regret: {comparison.utility} short of the best design's, sample by sample"
        units = _units(comparison.utility, comparison)
        for one in comparison.regrets:
            found.append(Line("", section, f"{one.design}: mean", units, one.mean))
            found.append(Line("", section, f"{one.design}: 95 % quantile", units, one.q95))
            found.append(Line("", section, f"{one.design}: no other better, share of samples", "%", one.best))
    names = " and ".join(f"{end} {name}" for name, end in comparison.front.objectives.items())
    section = f"Pareto front: {names}"
    for design in comparison.front.designs:
        words = f"{design.design}: {'on the front' if design.on_front else 'beaten'}; on it in resampled replicates"
        found.append(Line("", section, words, "%", Estimate(design.sampling, remark=RESAMPLED)))
        if design.not_known is not None:
            found.append(Line("", section, f"{design.design}: on the front, share of samples", "%", design.not_known))
    return found


RESAMPLED = "sampling error itself, so it has no interval: near 0 or 100 % more samples would not move the front"


def _lines_of(each: Compared) -> list[Line]:
    units = "%" if each.variable in (*SHARES, CLAIM) else _symbol(each.units)
    section = f"{each.words}"
    found = [
        Line("", section, f"{name}: mean" if each.variable != CLAIM else name, units, v)
        for name, v in each.values.items()
    ]
    more, less = ("better", "worse") if each.better else ("higher", "lower")
    for one in each.contrasts:
        pairs = f"{one.design} less {one.less}"
        found.append(Line("", section, pairs, "% points" if units == "%" else units, one.difference))
        for words, estimate_ in (
            (f"{one.design} {more} than {one.less}, share of samples", one.better),
            (f"{one.design} {less} than {one.less}, share of samples", one.worse),
            (f"{one.design} {more}, share of single winters", one.better_winter),
            (f"{one.design} {less}, share of single winters", one.worse_winter),
        ):
            if estimate_ is not None:
                found.append(Line("", section, words, "%", estimate_))
        if one.times_fewer is not None:
            words = f"{pairs}: times fewer samples by pairing"
            found.append(Line("", section, words, "", one.times_fewer))
    return found


def _symbol(units: str) -> str:
    return {"degC": "°C", "1": ""}.get(units, units)


def _units(variable: str, comparison: Comparison) -> str:
    if variable in SHARES:
        return "%"
    first = next(iter(comparison.pairing.datasets.values()))
    return _symbol(str(first[variable].attrs.get("units", "")))


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the answer for people."""
    pairing = comparison.pairing
    first, *others = pairing.datasets
    console.print(f"{', '.join(others)} against {first}, {pairing.winters} winters of each sample")
    if pairing.paired:
        count, failed = pairing.samples[first], pairing.failed[first]
        console.print(
            f"paired: {count:,} samples on common random numbers{f', {failed:,} of them failed' * (failed > 0)}"
        )
        console.print("\n".join(f"  in common: {words}" for words in pairing.common))
    else:
        console.print("not paired, compared as independent samples:")
        console.print("\n".join(f"  {words}" for words in pairing.why_not))
        for name, count in pairing.samples.items():
            failed = pairing.failed[name]
            console.print(f"  {name}: {count:,} samples{f', {failed:,} of them failed' * (failed > 0)}")
    console.print()
    if pairing.differences:
        table = Table(box=None, pad_edge=False)
        for name in ("the studies differ in", *pairing.datasets):
            table.add_column(name, overflow="fold")
        for each in pairing.differences[:MOST_DIFFERENCES]:
            table.add_row(each.key, *(_brief(each.values[name]) for name in pairing.datasets))
        console.print(table)
        if (more := len(pairing.differences) - MOST_DIFFERENCES) > 0:
            console.print(f"and {more} more keys")
    else:
        console.print("the studies are alike")
    print_lines(lines(comparison), console, failed=sum(pairing.failed.values()))
    if not pairing.paired:
        console.print(f"Shares of samples are {_INDEPENDENT}; there is no regret, nor a front sample by sample.")


def _brief(value: object) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def to_json(comparison: Comparison) -> str:
    """The answer for a program; null where there is no number."""
    pairing = comparison.pairing
    answer = {
        "designs": list(pairing.datasets),
        "paired": pairing.paired,
        "why_not": pairing.why_not,
        "common": pairing.common,
        "differences": [asdict(each) for each in pairing.differences],
        "samples": pairing.samples,
        "failed": pairing.failed,
        "winters": pairing.winters,
        "confidence": CONFIDENCE,
        "outputs": [asdict(each) for each in comparison.outputs],
        "claim": comparison.claim and asdict(comparison.claim),
        "worst": asdict(comparison.worst),
        "utility": comparison.utility,
        "regrets": [asdict(each) for each in comparison.regrets],
        "front": asdict(comparison.front),
    }
    return json.dumps(_without_nan(answer), indent=1, ensure_ascii=False)


def _without_nan(node: Any) -> Any:
    if isinstance(node, dict):
        return {key: _without_nan(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_without_nan(value) for value in node]
    return None if isinstance(node, float) and not np.isfinite(node) else node
