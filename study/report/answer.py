"""The answer in plain sentences with numbers, true for any study: of its lines (`study.summary`) and its drivers."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from study.config import Study
from study.drivers import Answer, Drivers, Index, Number
from study.failures import describe_failures
from study.summary import RETURN_PERIOD, Line, formatted

_OF_MONEY = ("levelised_cost_of_heat", "cost_of_avoided_carbon")

CARRIES = 0.95
"""Share of the demanded heat below which the plant is said not to carry it: a choice of words, no standard."""


@dataclass(frozen=True)
class Paragraph:
    """A heading and sentences under it."""

    title: str
    sentences: tuple[str, ...]


def answer(study: Study, lines: list[Line], drivers: Answer | None) -> list[Paragraph]:
    """What an ensemble says, the promise first.

    Parameters
    ----------
    lines
        Of `study.summary.summarise`.
    drivers
        Of `study.drivers.what_drives`; None where nothing is known of them.
    """
    of = {line.key: line for line in lines}
    parts = (
        ("The promise", _promise(study, of)),
        ("Carbon", _carbon(study, of)),
        ("Warmth", _warmth(study, of)),
        ("Over the life", _life(study, of)),
        ("Money", _money(study, of)),
        ("What decides it", _drivers(study, drivers)),
    )
    return [Paragraph(title, found) for title, some in parts if (found := tuple(some))]


def what_it_is(study: Study) -> str:
    """The study in one sentence."""
    wells, depth = len(study.field.places), float(study.medians()["well.depth"][0])
    about = " about" if study.inputs["well.depth"].uncertain else ""
    years = _count(study.winters, "winter")
    return f"{_count(wells, 'closed coaxial well')},{about} {depth:,.10g} m deep, {years} hour by hour."


def limits_of_it(study: Study, dataset: xr.Dataset, lines: list[Line], *, asked: int) -> list[str]:
    """What the numbers cannot say: samples that failed or are not done, few samples, and what is assumed.

    Parameters
    ----------
    dataset
        The ensemble.
    asked
        Samples that it is laid out for.
    """
    done = dataset.sizes["sample"]
    found = []
    if done < asked:
        found.append(f"The run is not finished: {done:,} of {asked:,} samples are done, and all numbers are theirs.")
    failures = describe_failures(dataset)
    if failures:
        found.append(f"{'; '.join(failures)}. The numbers are those of the others.")
    without = sum(not np.isfinite([line.estimate.low, line.estimate.high]).all() for line in lines if line.shown)
    if without:
        found.append(
            f"{without} of the {sum(line.shown for line in lines)} numbers of the summary have no full interval; "
            "the remarks beside them say why."
        )
    inputs = study.inputs.values()
    assumed = sum(item.source is None or "assumption" in item.source for item in inputs)
    found.append(
        "The intervals say how well so many samples pin a number down, and nothing of whether the study is right: of "
        f"its {len(study.inputs)} numbers {assumed} are assumptions, in part or in whole, or have no source."
    )
    return found


def _promise(study: Study, of: Mapping[str, Line]) -> Iterator[str]:
    if study.claim is None:
        return
    amount = f"{study.claim.carbon_reduction:,.10g} t of CO₂ a year"
    line = of["p_claim_average_winter"]
    when = f"on average over {study.winters} winters" if study.winters > 1 else "in the one winter"
    value = line.estimate.value
    chance = f"({_interval(line)})"
    if value == 0.0:
        yield f"In none of the samples are the promised {amount} reached {when}: a probability of 0 % {chance}."
    elif value == 1.0:
        yield f"In all samples the promised {amount} are reached {when}: a probability of 100 % {chance}."
    else:
        yield f"The promised {amount}, or more, are reached {when} with a probability of {_told(line)}."
    if study.winters > 1 and value > 0.0:
        yield f"In every single winter they are reached with a probability of {_told(of['p_claim_every_winter'])}."
    for key, words in (
        ("green", "If all its electricity counted as carbon-free"),
        ("grid", "With the electricity at the grid's factor"),
    ):
        other = of[f"p_claim_{key}_electricity_average_winter"]
        if other.shown:
            yield f"{words}, the probability {when} would be {_told(other)}."


def _carbon(study: Study, of: Mapping[str, Line]) -> Iterator[str]:
    line, low, high = (of[f"carbon_reduction_{name}"] for name in ("mean", "p05", "p95"))
    estimate, account = line.estimate, f"Counted {study.carbon.words.replace('; ', ', with ')}"
    spread = f"nine of ten winters, over all samples, lie between {_value(low)} and {_value(high)}."
    if np.isfinite([estimate.low, estimate.high]).all() and estimate.low < 0.0 < estimate.high:
        yield f"{account}, whether anything is saved is not certain: {_told(line)} a winter on average; {spread}"
    elif estimate.value < 0.0:
        yield f"{account}, nothing is saved, more is emitted: a reduction of {_told(line)} a winter; {spread}"
    else:
        yield f"{account}, the emissions fall by {_told(line)} a winter on average; {spread}"


def _warmth(study: Study, of: Mapping[str, Line]) -> Iterator[str]:
    none, never = of["p_winter_without_unmet_hour"], of["p_life_without_unmet_hour"]
    hours, heat, share = (of[f"{name}_mean"] for name in ("unmet_hours", "heat_unmet", "heating_reliability"))
    if none.estimate.value == 1.0:
        yield f"Heat falls short in no hour of any winter of any sample: a probability of 100 % ({_interval(none)})."
        return
    if share.estimate.value < CARRIES:
        yield f"The plant does not carry the demand: of the heat asked for, {_told(share)} is delivered on average."
    if none.estimate.value == 0.0:
        yield f"Heat falls short for some hours in every winter of every sample: {_told(none)} of winters go without."
    else:
        life = f"; {study.winters} winters in a row without one, {_told(never)}" if study.winters > 1 else ""
        yield f"A winter without an hour short of heat has a probability of {_told(none)}{life}."
    yield f"An average winter is short for {_told(hours)}, by {_told(heat)}."
    if share.estimate.value >= CARRIES:
        yield f"Of the heat asked for, {_told(share)} is delivered."
    bad, cold = of[f"unmet_hours_return_{RETURN_PERIOD}"], of[f"indoor_temperature_min_return_{RETURN_PERIOD}"]
    if bad.estimate.value > 0.0:
        yield (
            f"One winter in {RETURN_PERIOD} is short for more than {_told(bad)}, and one in {RETURN_PERIOD} has rooms "
            f"colder than {_told(cold)}."
        )


def _money(study: Study, of: Mapping[str, Line]) -> Iterator[str]:
    if study.economics is None:
        return
    heat, tonne = ([of[f"{name}_p{p:02}"] for p in (5, 50, 95)] for name in _OF_MONEY)
    yield (
        f"In CNY of {study.economics.price_year}, heat costs {_told(heat[1])} in the median of the samples; nine of "
        f"ten lie between {_value(heat[0])} and {_value(heat[2])}."
    )
    yield (
        f"A tonne of CO₂ less costs {_told(tonne[1])} more than the replaced supply, in the median of the samples; "
        f"nine of ten lie between {_value(tonne[0])} and {_value(tonne[2])}."
    )
    pays = of["p_net_present_value"]
    yield f"Against that supply the plant pays, with interest, with a probability of {_told(pays)}."


def _life(study: Study, of: Mapping[str, Line]) -> Iterator[str]:
    if study.winters > 1:
        line = of["change_outlet_temperature_mean"]
        way = "colder" if line.estimate.value < 0 else "warmer"
        yield f"In winter {study.winters} the water from the wells is {_told(_absolute(line))} {way} than in winter 1."
        first, last = (of[f"p_shortfall_winter_{winter}"] for winter in (1, study.winters))
        if first.estimate.value != last.estimate.value:
            yield f"The chance of a shortfall goes from {_told(first)} in winter 1 to {_told(last)} in the last winter."
    if len(study.field.places) > 1:
        line = of["thermal_interference"]
        after = f"After {_count(study.winters, 'winter')}"
        yield f"{after} the ground at the mean well is {_told(line)} colder because of its neighbours."


def _drivers(study: Study, found: Answer | None) -> Iterator[str]:
    for each in found.drivers if found else ():
        if each.output in ("carbon_reduction", "unmet_hours"):
            yield _decides(study, each)


def _decides(study: Study, found: Drivers) -> str:
    what = {"carbon_reduction": "carbon reduction", "unmet_hours": "number of hours short of heat"}[found.output]
    for kind, how in (("total", ""), ("first", " by itself")):
        each = [(getattr(index, kind), index) for index in found.inputs]
        known = sorted((pair for pair in each if pair[0].value > 0.0), key=lambda pair: -pair[0].value)
        if not known:
            continue
        (number, index), *others = known
        sure = others and number.low > others[0][0].high
        most = "most of all" if sure else "most, as far as can be told,"
        shown = others and others[0][0].low > 0.0
        second = f", then {_in_words(study, others[0][1], others[0][0])}" if shown else ""
        return f"What makes the {what} differ between samples is {most}{how} {_in_words(study, index, number)}{second}."
    why = next((index.remark for index in (*found.groups, *found.inputs) if index.remark), "nothing varies")
    return f"What makes the {what} differ between samples cannot be told: {why}."


def _in_words(study: Study, index: Index, number: Number) -> str:
    """An input by what it is, its key, and its share of the variance."""
    each = [
        f"the {study.inputs[key].description}" if key in study.inputs else "weather and outages" for key in index.keys
    ]
    low, value, high = (100.0 * np.clip([number.low, number.value, number.high], 0.0, 1.0)).tolist()
    interval = f"95\u00a0% interval {low:.0f} to {high:.0f}\u00a0%" if np.isfinite([low, high]).all() else "no interval"
    return f"{' and '.join(each)} ({index.label}: {value:.0f}\u00a0% of the variance, {interval})"


def _told(line: Line) -> str:
    """Value with units, and the interval in brackets."""
    return f"{_value(line)} ({_interval(line)})"


def _value(line: Line) -> str:
    return f"{formatted(line)[0]}\u00a0{_units(line)}".rstrip()


def _interval(line: Line) -> str:
    number, way, other = formatted(line)[1].partition(
        " or " if np.isnan(line.estimate.low + line.estimate.high) else " to "
    )
    if not way:
        return f"no interval: {line.estimate.remark}" if line.estimate.remark else "no interval"
    units = f"\u00a0{_units(line)}".rstrip()
    return (
        f"95\u00a0% interval {number}{units} or {other}"
        if way == " or "
        else f"95\u00a0% interval {number} to {other}{units}"
    )


def _units(line: Line) -> str:
    return line.units.replace("CO2", "CO₂")


def _absolute(line: Line) -> Line:
    """A change without its sign, which words tell."""
    e = line.estimate
    if e.value >= 0.0:
        return line
    return Line(line.key, line.section, line.words, line.units, type(e)(-e.value, -e.high, -e.low, e.remark))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'s' if number != 1 else ''}"
