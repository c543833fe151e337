"""The answer: what an ensemble says of carbon reduction and heating reliability, as numbers and as a table."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from kernels.economics import MOST_PER_TONNE
from study import statistics
from study.errors import EnsembleError, RunError
from study.failures import describe_failures
from study.json_text import json_text
from study.limits import limits_of
from study.statistics import MOST_FAILED, Estimate, Limits, estimate, refuse_not_finite, usable
from study.variables import STATUS_MEANINGS
from study.winters import Days

Over = Literal["both", "samples", "winters"]

RETURN_PERIOD = 50
"""Winters of which one is worse than the return level."""
LARGEST_UNIT_OUT = 0.7
"""Share of the design heat that is to remain with the largest unit out: an assumption for severe cold regions, which GB
50736, section 8.11, is said to set; not read in the standard."""
ROUNDING = 1e-9
"""Share of a sum that may be missing where all of it is meant."""
WINTERS_OF_LIFE = (1, 10, 20, 30)
OF_WINTERS = 19
"""Winters of a sample of which the lowest, the middle and the highest stand for chance: k/20 = 5, 50 and 95 %."""
MOST_CHANCE = 0.03
"""Share of the variance of the means of winters that may be chance without a remark."""

HEAT_UNMET = "unmet heat"
WORST_SHORTFALL = "largest shortfall of power"
LONGEST_SHORTFALL = "longest shortfall"
COLD_HOURS = "hours colder indoors than comfort and schedule ask"
COLD_DEGREE_HOURS = "degree-hours below what comfort and schedule ask"

OF_PLANT = (
    ("outage_hours", "hours with any unit out", "h"),
    ("inlet_limit_hours", "hours at the lowest inlet temperature allowed", "h"),
    ("peak_heating_share", "peak and reserve heating over delivered heat", "%"),
)
OF_GROUND = (
    ("thermal_interference", "ground colder because of the neighbouring wells", True),
    ("coldest_well_penalty", "at the coldest well colder than at the mean", False),
)


@dataclass(frozen=True)
class Line:
    """One line of the answer: key for programs, section and words for people, units ("%" for a share, none for a
    number), and estimate.

    The table leaves out lines that are not `shown`.
    """

    key: str
    section: str
    words: str
    units: str
    estimate: Estimate
    shown: bool = True


@dataclass(frozen=True)
class Winters:
    """Samples, their study, and estimates from those that ended well."""

    dataset: xr.Dataset
    study: dict[str, Any]
    most_failed: float

    @property
    def how(self) -> dict[str, Any]:
        """Options of the estimators."""
        return {"design": self.study["design"], "most_failed": self.most_failed}

    @property
    def count(self) -> int:
        return self.dataset.sizes["winter"]

    def values(self, name: str) -> xr.DataArray:
        values = self.dataset[name].compute()  # `load` would keep it, and all others, in memory
        refuse_not_finite(name, self.good(values))
        return values

    def good(self, data: xr.DataArray) -> Any:
        """What the samples that ended well gave, (sample, ...)."""
        return data.transpose("sample", ...).values[~self.dataset["failed"].values]

    def by_sample(self, values: Any) -> xr.DataArray:
        """One number of each sample, (sample,), labelled."""
        return xr.zeros_like(self.dataset["status"], dtype=float) + values

    def chance(self, event: xr.DataArray) -> Estimate:
        return estimate(statistics.probability(event, over=event.dims, **self.how))

    def mean(self, data: xr.DataArray, limits: Limits = (None, None)) -> Estimate:
        return estimate(statistics.mean(data, over=data.dims, limits=limits, **self.how))

    def level(self, data: xr.DataArray) -> Estimate:
        """Mean; where it is the same in all samples nothing is left to sampling."""
        first, *_ = there = self.good(data).ravel()
        same = float(np.ptp(there)) < 1e-9 * abs(float(first))
        return Estimate(float(first), float(first), float(first)) if same else self.mean(data)

    def mean_of(self, name: str) -> Estimate:
        return self.mean(self.values(name), self.limits(name))

    def limits(self, name: str) -> Limits:
        """Lowest and highest that an output can be."""
        return limits_of(
            name, season=Days.model_validate(self.study["season"]).days if "season" in self.study else None
        )

    def quantile(self, data: xr.DataArray, share: float) -> Estimate:
        return estimate(statistics.quantile(data, share, over=data.dims, **self.how))

    def quantile_of_means(self, data: xr.DataArray, share: float) -> Estimate:
        """Quantile over the samples of the means of their winters, and how much of their spread is chance."""
        found = self.quantile(data.mean("winter"), share)
        good = self.good(data).astype(float)
        spread = good.mean(axis=1).var()
        steps = np.diff(good - good.mean(axis=0), axis=1)  # as in `statistics.variance_share`
        chance = 0.5 * (steps**2).mean() / self.count if self.count > 1 else spread
        if not spread > 0.0 or chance <= MOST_CHANCE * spread:
            return found
        part = f"{100 * chance / spread:.0f} %" if chance < spread else "all"
        remark = f"chance is {part} of their variance"
        if self.count == 1:
            remark = "how much of it is chance, one winter cannot tell"
        return replace(found, remark="; ".join(filter(None, [found.remark, remark])))

    def order_statistic(self, data: xr.DataArray, rank: int, limits: Limits) -> Estimate:
        return estimate(statistics.order_statistic(data, rank, OF_WINTERS, limits=limits, **self.how))

    def ratio(self, numerator: xr.DataArray, denominator: xr.DataArray, limits: Limits = (None, None)) -> Estimate:
        return estimate(statistics.ratio(numerator, denominator, over=numerator.dims, limits=limits, **self.how))

    def variance_share(self, data: xr.DataArray) -> Estimate:
        return estimate(statistics.variance_share(data, **self.how))


def summarise(dataset: xr.Dataset, *, over: Over = "both", most_failed: float = MOST_FAILED) -> list[Line]:
    """Every line of the answer.

    Parameters
    ----------
    over
        ``both``, what we do not know and chance together; ``samples``, what we do not know: how the samples differ in
        what each expects of a winter; or ``winters``, chance: how the winters of one sample differ, on average.
    most_failed
        Largest share of samples that may have failed.

    Raises
    ------
    RunError
        When no sample is done, or none ended well.
    EnsembleError
        When too many failed.
    """
    winters = _usable(dataset, most_failed)
    if over != "both":
        return list(_one_kind(winters, over))
    parts = (
        _carbon,
        _claim,
        _reliability,
        _bad_winters,
        _worst_winter,
        _not_known,
        _plant,
        _own_power,
        _economics,
        _by_winter,
        _ground,
        _change,
    )
    return [line for part in parts for line in part(winters)]


def carbon_lines(dataset: xr.Dataset, *, most_failed: float = MOST_FAILED) -> list[Line]:
    """Those lines of the answer that tell of carbon and of money; parameters and errors as of `summarise`."""
    winters = _usable(dataset, most_failed)
    return [*_carbon(winters), *_claim(winters), *_own_power(winters), *_economics(winters)]


def _usable(dataset: xr.Dataset, most_failed: float) -> Winters:
    if dataset.sizes["sample"] == 0:
        raise RunError("no sample is done yet, so there is nothing to say")
    if (dataset["status"] != 0).all():
        raise RunError(f"no sample ended well, so there is nothing to say{_why(dataset)}")
    try:
        samples = usable(dataset, most_failed)
    except EnsembleError as error:
        raise EnsembleError(f"{error}{_why(dataset)}; --most-failed allows more") from None
    return Winters(samples, json.loads(dataset.attrs["study"]), most_failed)


def _one_kind(winters: Winters, over: Over) -> Iterator[Line]:
    """What we do not know, or chance, alone."""
    within = over == "winters"
    kind = (
        "Winters of one sample (chance), averaged over samples"
        if within
        else "Samples (not known), means of their winters"
    )
    for name, words, units, shown in (
        ("carbon_reduction", "carbon reduction per winter", "t CO2", True),
        ("unmet_hours", "hours short per winter", "h", True),
        ("heat_unmet", "unmet heat per winter", "MWh", True),
        ("worst_shortfall", WORST_SHORTFALL, "MW", True),
        ("heating_reliability", "delivered over demanded heat", "%", True),
        ("indoor_temperature_min", "lowest indoor temperature", "°C", True),
        ("shortfalls", "number of shortfalls", "", False),
        ("longest_shortfall", LONGEST_SHORTFALL, "h", False),
        ("cold_hours", COLD_HOURS, "h", False),
        ("cold_degree_hours", COLD_DEGREE_HOURS, "K h", False),
        *((*each, False) for each in OF_PLANT),
    ):
        data = winters.values(name)
        section = f"{kind}: {words}"
        yield Line(f"{name}_mean", section, "mean", units, winters.mean_of(name), shown)
        if within:
            for rank, which in ((1, "lowest"), ((OF_WINTERS + 1) // 2, "middle"), (OF_WINTERS, "highest")):
                found = winters.order_statistic(data, rank, winters.limits(name))
                words = f"{which} of {OF_WINTERS} winters, expected"
                yield Line(f"{name}_{which}_of_{OF_WINTERS}", section, words, units, found, shown)
            continue
        for percent in (5, 50, 95):
            found = winters.quantile_of_means(data, percent / 100)
            yield Line(f"{name}_p{percent:02}", section, _quantile_words(percent), units, found, shown)
    events = [("short", "a shortfall", winters.values("unmet_hours") > 0)]
    if "claim" in winters.study:
        claim = float(winters.study["claim"]["carbon_reduction"].split()[0])
        events.append(("claim", f"{claim:,.0f} t CO2 or more", winters.values("carbon_reduction") >= claim))
    for key, words, event in events:
        section = f"Winters with {words}"
        yield Line(f"p_{key}_mean", section, "mean share", "%", winters.chance(event))
        if not within:
            for percent in (5, 50, 95):
                found = winters.quantile_of_means(event, percent / 100)
                yield Line(f"p_{key}_p{percent:02}", section, f"share, {_quantile_words(percent)}", "%", found)
    if not within:
        yield from _of_samples(winters)


def _of_samples(winters: Winters) -> Iterator[Line]:
    """What each sample has once: how often it is above the return level of all, its ground at the end, its plant."""
    for name, words in (
        ("unmet_hours", "hours short"),
        ("heat_unmet", HEAT_UNMET),
        ("worst_shortfall", WORST_SHORTFALL),
        ("longest_shortfall", LONGEST_SHORTFALL),
    ):
        event = _above_return_level(winters, winters.values(name))
        section = f"Winters above the {words} of one winter in {RETURN_PERIOD}, all samples"
        for percent in (5, 50, 95):
            key = f"{name}_return_{RETURN_PERIOD}_frequency_p{percent:02}"
            found = winters.quantile_of_means(event, percent / 100)
            yield Line(key, section, f"share, {_quantile_words(percent)}", "%", found, shown=False)
    after = f"after winter {winters.count}"
    for name, section, units in (
        *((name, f"Ground {after}: {words}", "K") for name, words, _ in OF_GROUND),
        ("largest_unit_out_share", "Installed capacity without the largest unit, over the design load", "%"),
    ):
        data = winters.values(name)
        data = data.isel(winter=-1) if "winter" in data.dims else data
        for percent in (5, 50, 95):
            found = winters.quantile(data, percent / 100)
            yield Line(f"{name}_p{percent:02}", section, _quantile_words(percent), units, found, shown=False)


def _above_return_level(winters: Winters, data: xr.DataArray) -> xr.DataArray:
    """Winters above the level that one winter in `RETURN_PERIOD` of all samples exceeds."""
    return data > np.quantile(winters.good(data), 1.0 - 1.0 / RETURN_PERIOD)


def _carbon(winters: Winters) -> Iterator[Line]:
    carbon = winters.values("carbon_reduction")
    for key, section, data, shown in (
        ("carbon_reduction", "Carbon reduction per winter", carbon, True),
        (
            "carbon_reduction_life",
            f"Carbon reduction over the life ({winters.count} winters)",
            carbon.sum("winter"),
            False,
        ),
    ):
        yield Line(f"{key}_mean", section, "mean", "t CO2", winters.mean(data))
        for percent in (5, 50, 95):
            words = f"{percent} % quantile"
            yield Line(f"{key}_p{percent:02}", section, words, "t CO2", winters.quantile(data, percent / 100), shown)


def _claim(winters: Winters) -> Iterator[Line]:
    if "claim" not in winters.study:
        return
    claim = float(winters.study["claim"]["carbon_reduction"].split()[0])
    section = f"Probability of {claim:,.0f} t CO2 or more"
    carbon = winters.values("carbon_reduction")
    free = carbon + winters.values("carbon_electricity")
    grid = free - winters.values("electricity") * winters.values("grid_emission_factor")
    others = (
        ("claim_grid_electricity", ", with the grid's electricity", grid),
        ("claim_green_electricity", ", with carbon-free electricity", free),
    )
    same = {
        key: words for key, words, data in others if np.allclose(winters.good(data), winters.good(carbon))
    }  # accounts that are the study's own
    for key, words, data in (("claim", next(iter(same.values()), ""), carbon), *others):
        average, every = winters.chance(data.mean("winter") >= claim), winters.chance((data >= claim).all("winter"))
        shown = key not in same
        yield Line(f"p_{key}_average_winter", section, f"on average over the life{words}", "%", average, shown)
        yield Line(f"p_{key}_every_winter", section, f"in every winter{words}", "%", every, key == "claim")


def _reliability(winters: Winters) -> Iterator[Line]:
    """Means over what is not known and over chance together."""
    section = "Heating reliability of a winter, all samples and winters"
    hours, reliability = winters.values("unmet_hours"), winters.values("heating_reliability")
    none, never = winters.chance(hours == 0), winters.chance((hours == 0).all("winter"))
    words = "winters without any shortfall"
    yield Line("p_winter_without_unmet_hour", section, words, "%", none)
    words = f"lives of {winters.count} winters without any shortfall"
    yield Line("p_life_without_unmet_hour", section, words, "%", never)
    for name, words, units, shown in (
        ("unmet_hours", "loss-of-load expectation", "h", True),
        ("heat_unmet", "expected unserved energy", "MWh", True),
        ("heating_reliability", "delivered over demanded heat", "%", True),
        ("shortfalls", "number of shortfalls", "", True),
        ("longest_shortfall", LONGEST_SHORTFALL, "h", False),
        ("worst_shortfall", WORST_SHORTFALL, "MW", False),
        ("cold_hours", COLD_HOURS, "h", True),
        ("cold_degree_hours", COLD_DEGREE_HOURS, "K h", True),
    ):
        yield Line(f"{name}_mean", section, words, units, winters.mean_of(name), shown)
    worst = winters.quantile(reliability, 0.05)
    words = "delivered over demanded heat, worst 5 % of winters"
    yield Line("heating_reliability_p05", section, words, "%", worst, shown=False)
    duration = winters.ratio(hours, winters.values("shortfalls"))
    yield Line("shortfall_duration_mean", section, "duration of a shortfall", "h", duration, shown=False)


def _bad_winters(winters: Winters) -> Iterator[Line]:
    """Return levels: quantiles of all samples and winters together."""
    section = f"Return level: exceeded in one winter of {RETURN_PERIOD}, all samples"
    for name, words, units, shown in (
        ("unmet_hours", "hours short", "h", True),
        ("heat_unmet", HEAT_UNMET, "MWh", True),
        ("worst_shortfall", WORST_SHORTFALL, "MW", True),
        ("longest_shortfall", LONGEST_SHORTFALL, "h", True),
        ("cold_degree_hours", COLD_DEGREE_HOURS, "K h", False),
    ):
        level = winters.quantile(winters.values(name), 1.0 - 1.0 / RETURN_PERIOD)
        yield Line(f"{name}_return_{RETURN_PERIOD}", section, words, units, level, shown)
    level = winters.quantile(winters.values("indoor_temperature_min"), 1.0 / RETURN_PERIOD)
    yield Line(f"indoor_temperature_min_return_{RETURN_PERIOD}", section, "lowest indoor temperature", "°C", level)


def _worst_winter(winters: Winters) -> Iterator[Line]:
    """Quantiles over the samples of each one's worst winter."""
    section = f"The worst of {winters.count} winters: median and quantile of samples"
    for name, words, units, shown in (
        ("unmet_hours", "hours short", "h", False),
        ("heat_unmet", HEAT_UNMET, "MWh", True),
        ("worst_shortfall", WORST_SHORTFALL, "MW", False),
        ("longest_shortfall", LONGEST_SHORTFALL, "h", False),
    ):
        worst = winters.values(name).max("winter")
        for percent in (5, 50, 95):
            yield Line(
                f"worst_winter_{name}_p{percent:02}",
                section,
                f"{words}, {_quantile_words(percent)}",
                units,
                winters.quantile(worst, percent / 100),
                shown and percent != 5,
            )
    coldest = winters.values("indoor_temperature_min").min("winter")
    for percent in (95, 50, 5):
        yield Line(
            f"indoor_temperature_min_p{percent:02}",
            section,
            f"lowest indoor temperature, {_quantile_words(percent)}",
            "°C",
            winters.quantile(coldest, percent / 100),
            percent != 95,
        )


def _not_known(winters: Winters) -> Iterator[Line]:
    """What differs between samples once each one's winters are averaged: the probability of frequency."""
    section = "Spread between samples (not known), means of their winters"
    hours, unmet = winters.values("unmet_hours"), winters.values("heat_unmet")
    for key, words, units, data, shown in (
        ("short_winters", "winters with a shortfall", "%", hours > 0, True),
        ("unmet_hours_expected", "loss-of-load expectation", "h", hours, True),
        ("heat_unmet_expected", "expected unserved energy", "MWh", unmet, False),
        (
            f"heat_unmet_return_{RETURN_PERIOD}_frequency",
            f"winters above the unmet heat of one winter in {RETURN_PERIOD}",
            "%",
            _above_return_level(winters, unmet),
            False,
        ),
    ):
        for percent in (5, 50, 95):
            found = winters.quantile_of_means(data, percent / 100)
            yield Line(f"{key}_p{percent:02}", section, f"{words}, {_quantile_words(percent)}", units, found, shown)
    often = winters.chance((hours > 0).mean("winter") > 0.1)
    words = "samples with more than one winter in ten short of heat"
    yield Line("p_more_than_one_winter_in_ten_short", section, words, "%", often)
    words = "share of the variance of hours short that is not chance"
    yield Line("unmet_hours_variance_share", section, words, "%", winters.variance_share(hours))


def _quantile_words(percent: int) -> str:
    return "median" if percent == 50 else f"{percent} % quantile"


def _plant(winters: Winters) -> Iterator[Line]:
    section = "Plant, per winter"
    for name, words, units in OF_PLANT:
        yield Line(f"{name}_mean", section, words, units, winters.mean_of(name))
    section = "Installed capacity without the largest unit, wells ignored"
    left = winters.values("largest_unit_out_share")
    share = winters.level(left)  # sizes may be shares of the load
    yield Line("largest_unit_out_share_mean", section, "over the design load, mean of samples", "%", share)
    words = f"{100 * LARGEST_UNIT_OUT:.0f} % of the design load or more (assumed rule)"
    yield Line("p_largest_unit_out_rule", section, words, "%", winters.chance(left >= LARGEST_UNIT_OUT))


def _own_power(winters: Winters) -> Iterator[Line]:
    """Shares are of sums over all samples and winters."""
    if "electricity_covered" not in winters.dataset:
        return
    section = "Heating electricity covered by own power, hour by hour"
    used, covered = winters.values("electricity"), winters.values("electricity_covered")
    day, by_day = winters.values("electricity_day"), winters.values("electricity_covered_day")
    week, in_week = winters.values("electricity_coldest_week"), winters.values("electricity_covered_coldest_week")
    generated, left = winters.values("own_generation"), winters.values("own_generation_left")
    for key, words, part, whole, shown in (
        ("covered_share", "in all hours", covered, used, True),
        ("covered_share_day", "by day", by_day, day, True),
        ("covered_share_night", "by night", covered - by_day, winters.values("electricity_night"), True),
        ("covered_share_coldest_week", "in the coldest week of a winter", in_week, week, True),
        ("own_generation_left_share", "own power in the season that other use leaves", left, generated, False),
    ):
        never = not (part != 0).any()  # by night without wind and battery: no matter of sampling
        share = Estimate(0.0, 0.0, 0.0) if never else winters.ratio(part, whole, (0.0, 1.0))
        yield Line(key, section, words, "%", share, shown)
    words = "winters whose coldest week is covered whole"
    whole_week = in_week >= (1.0 - ROUNDING) * week
    yield Line("p_coldest_week_covered", section, words, "%", winters.chance(whole_week))


def _economics(winters: Winters) -> Iterator[Line]:
    """Quantiles, as a ratio has no sound mean: where little is avoided, a tonne costs any amount."""
    if "economics" not in winters.study:
        return
    section = f"Costs, in CNY of {winters.study['economics']['price_year']} (MCNY: millions)"
    built, run = winters.values("capital_cost") / 1e6, winters.values("operating_cost") / 1e6
    yield Line("capital_cost_mean", section, "building the plant, mean", "MCNY", winters.level(built))
    yield Line("operating_cost_mean", section, "running it for a winter, mean", "MCNY", winters.mean(run))
    worth = winters.values("net_present_value")
    yield Line("net_present_value_mean", section, "net present value, mean", "MCNY", winters.mean(worth / 1e6))
    yield Line("p_net_present_value", section, "net present value above zero", "%", winters.chance(worth > 0.0))
    for name, words, units in (
        ("net_present_value", "net present value", "MCNY"),
        ("levelised_cost_of_heat", "levelised cost of heat", "CNY/GJ"),
        ("cost_of_avoided_carbon", "additional cost of avoided carbon", "CNY/t"),
    ):
        values = winters.values(name) / (1e6 if units == "MCNY" else 1.0)
        for percent in (5, 50, 95):
            found = winters.quantile(values, percent / 100)
            shown = name != "net_present_value" or percent != 50
            yield Line(f"{name}_p{percent:02}", section, f"{words}, {_quantile_words(percent)}", units, found, shown)
    none = winters.values("cost_of_avoided_carbon") >= MOST_PER_TONNE
    if none.any():
        yield Line("p_no_avoided_carbon", section, "no carbon is avoided, discounted", "%", winters.chance(none))
    paid = winters.values("payback_time") <= winters.count
    words = f"paid back within {winters.count} winters, with interest"
    yield Line("p_payback_time", section, words, "%", winters.chance(paid))


def _by_winter(winters: Winters) -> Iterator[Line]:
    """Over the life, as the ground is drawn down and the climate changes."""
    section = "Chance of a shortfall by winter of life"
    hours = winters.values("unmet_hours")
    for winter in sorted({*(w for w in WINTERS_OF_LIFE if w < winters.count), winters.count}):
        data = hours.isel(winter=winter - 1)
        yield Line(f"p_shortfall_winter_{winter}", section, f"winter {winter}", "%", winters.chance(data > 0))
        words = f"loss-of-load expectation, winter {winter}"
        yield Line(
            f"unmet_hours_winter_{winter}",
            section,
            words,
            "h",
            winters.mean(data, winters.limits("unmet_hours")),
            shown=False,
        )


def _ground(winters: Winters) -> Iterator[Line]:
    section = f"Ground at the wells after winter {winters.count}, mean of the samples"
    for name, words, shown in OF_GROUND:
        yield Line(name, section, words, "K", winters.mean(winters.values(name).isel(winter=-1)), shown)


def _change(winters: Winters) -> Iterator[Line]:
    if winters.count == 1:
        return
    section = f"Winter {winters.count} less winter 1"
    grid = winters.good(winters.values("grid_emission_factor")).mean(axis=0)
    why = " (the grid's factor falls)" if grid[-1] < grid[0] else ""
    for name, words, units, shown in (
        ("carbon_reduction", f"carbon reduction{why}", "t CO2", True),
        ("heating_reliability", "heating reliability", "% points", False),
        ("unmet_hours", "hours short", "h", True),
        ("heat_backup", "heat from peak and reserve heating", "MWh", False),
        ("outlet_temperature_mean", "mean temperature of the water from the wells", "K", True),
        ("inlet_temperature_min", "lowest temperature of the water into the wells", "K", False),
    ):
        data = winters.values(name)
        yield Line(
            f"change_{name}", section, words, units, winters.mean(data.isel(winter=-1) - data.isel(winter=0)), shown
        )


def _why(dataset: xr.Dataset) -> str:
    """How many samples failed, and the first one's reason, in words; empty where none did."""
    failed = np.flatnonzero(dataset["reason"].values != "")
    if not len(failed):
        return ""
    first = dataset.isel(sample=failed[0])
    return f"; sample {first['sample'].item()}, the first of {len(failed):,} that failed: {first['reason'].item()}"


def to_json(dataset: xr.Dataset, lines: list[Line], *, over: Over = "both") -> str:
    """The answer for a program: counts, and by key words, units, value and 95 % interval (null where there is none).

    `lowest` and `highest` bound the value wherever the failed samples would have been (null where nothing does), and
    `remark` says in words why there is no interval, or a wider one.
    """
    answer: dict[str, Any] = {**_counts(dataset), "over": over, "confidence": statistics.CONFIDENCE}
    for line in lines:
        pure = line.units.startswith("%") or not line.units
        about = {"words": f"{line.section}: {line.words}", "units": "1" if pure else line.units}
        answer[line.key] = about | asdict(line.estimate)
    return json_text(answer)


def name_of(dataset: xr.Dataset) -> str:
    """Return the name of an ensemble's study, and of a sweep's design which one it is."""
    return ", ".join(filter(None, [json.loads(dataset.attrs["study"])["name"], dataset.attrs.get("design")]))


def _counts(dataset: xr.Dataset) -> dict[str, Any]:
    study = json.loads(dataset.attrs["study"])
    status, number = np.unique(dataset["status"].values, return_counts=True)
    meanings = STATUS_MEANINGS.split()
    by_status = {
        meanings[kind] if 0 <= kind < len(meanings) else f"status {kind}": int(count)
        for kind, count in zip(status.tolist(), number.tolist(), strict=True)
        if kind != 0
    }
    failed = sum(by_status.values())
    return {
        "study": study["name"],
        **({"design": dataset.attrs["design"]} if "design" in dataset.attrs else {}),
        "samples": dataset.sizes["sample"],
        "samples_of_study": study["samples"],
        "failed": failed,
        "failed_share": failed / max(dataset.sizes["sample"], 1),
        "failed_by_status": by_status,
        "winters": dataset.sizes["winter"],
    }


def print_table(dataset: xr.Dataset, lines: list[Line], console: Console) -> None:
    """Print the answer for people."""
    counts = _counts(dataset)
    text = f"{name_of(dataset)}: {counts['samples']:,} samples of {counts['winters']} winters"
    if counts["failed"]:
        text += f"; {counts['failed']:,} of the samples failed, {100 * counts['failed_share']:.2g} %{_why(dataset)}"
    console.print("\n".join([text, *describe_failures(dataset)]))
    print_lines(lines, console, failed=counts["failed"])


def print_lines(lines: list[Line], console: Console, *, failed: int) -> None:
    """Print lines by their sections, and the notes of their estimates; of how many samples failed, bounds too."""
    table = Table(box=None, pad_edge=False)
    table.add_column("", width=60)
    table.add_column("value", justify="right", width=14)
    table.add_column("95 % interval", justify="right", width=28)
    table.add_column("", width=8)
    shown = [line for line in lines if line.shown]
    notes = list(dict.fromkeys(line.estimate.remark for line in shown if line.estimate.remark))
    for section in dict.fromkeys(line.section for line in shown):
        table.add_row()
        table.add_row(Text(section, style="bold"))
        for line in (line for line in shown if line.section == section):
            value, interval = formatted(line)
            note = f" [{notes.index(line.estimate.remark) + 1}]" if line.estimate.remark else ""
            table.add_row(f"  {line.words}", value, Text(interval + note), line.units)
            lowest, highest = line.estimate.lowest, line.estimate.highest
            if failed and lowest < highest:
                bounds = Line("", "", "", line.units, Estimate(line.estimate.value, lowest, highest))
                table.add_row("    wherever the failed samples lie", "", formatted(bounds)[1], line.units)
    console.print(table)
    for number, note in enumerate(notes, start=1):
        console.print(f"[{number}] {note}", markup=False)
    console.print("Intervals are sampling error alone: they say nothing of whether the study's assumptions are right.")


def formatted(line: Line) -> tuple[str, str]:
    """Value and 95 % interval of a line as text, in its units; shares in percent."""
    scale = 100.0 if line.units.startswith("%") else 1.0
    numbers = [scale * x for x in (line.estimate.value, line.estimate.low, line.estimate.high)]
    width = numbers[2] - numbers[1]
    magnitude = width / 2 if np.isfinite(width) and width > 0 else abs(numbers[0]) / 100
    most = 2 if line.units in ("K", "°C") else 4
    digits = int(np.clip(1 - np.floor(np.log10(magnitude)), 0, most)) if magnitude > 0 else 1
    value, low, high = (f"{x:,.{digits}f}" if np.isfinite(x) else "" for x in numbers)
    interval = f"{low} to {high}" if low and high else f"{low} or more" if low else f"{high} or less" if high else ""
    return value or "-", interval or "cannot be told"
