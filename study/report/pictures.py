"""The pictures of a report, each drawn for a light page and for a dark one, with words for those who cannot see it."""

import base64
import io
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study import figures
from study.config import ConfigError, Study
from study.drivers import Answer
from study.ground import along_wells, cooling_of_wells
from study.ledgers import Reductions
from study.summary import RETURN_PERIOD, Line, formatted

MOST_POINTS = 512
"""Samples whose winters are drawn one by one."""
_SIZE = (5.4, 4.0)  # inches; a telephone shows it at two thirds, so that its text is still read
_STYLE: Any = {"font.size": 10.0, "svg.fonttype": "path", "svg.hashsalt": "hotland", "savefig.transparent": True}


@dataclass(frozen=True)
class Picture:
    """A picture and its words.

    Attributes
    ----------
    title, caption, alternative
        Its heading, what it shows, and what is seen in it.
    light, dark
        SVG, as addresses that hold it.
    """

    title: str
    caption: str
    alternative: str
    light: str
    dark: str


def pictures(
    dataset: xr.Dataset, study: Study, lines: list[Line], drivers: Answer | None, reductions: Reductions
) -> list[Picture]:
    """All pictures that the ensemble has something to show in.

    Parameters
    ----------
    dataset
        The samples to draw: not so many that memory does not hold them.
    lines
        Of `study.summary.summarise`.
    reductions
        Of `study.ledgers.every_reduction`, of these samples or more.
    """
    of = {line.key: line for line in lines}
    some = (
        _carbon(dataset, study, of, reductions),
        _reliability(dataset, study, of),
        _economics(dataset, study, of),
        _drivers(drivers),
        _plant(dataset, study),
        _ground(dataset, study),
        _convergence(dataset),
    )
    return [picture for part in some for picture in part]


def _carbon(dataset: xr.Dataset, study: Study, of: dict[str, Line], reductions: Reductions) -> Iterator[Picture]:
    promised = f" {study.claim.carbon_reduction:,.10g} t are promised." if study.claim else ""
    low, middle, high = (formatted(of[f"carbon_reduction_p{percent:02}"])[0] for percent in (5, 50, 95))
    yield _axes(
        lambda axes: figures.carbon_reduction_distribution(dataset, axes),
        "Carbon reduction",
        "How the samples differ in their carbon reduction, each on average over its winters. Whiskers and the narrow "
        "band are 95 % intervals.",
        f"Histogram. Of single winters 5 % lie below {low} t CO₂, half below {middle}, 95 % below {high}.{promised}",
    )
    chance = ""
    if study.claim:
        chance = f" The study's own account is at {_percent(of['p_claim_average_winter'])} where the promise lies."
    yield _axes(
        lambda axes: figures.carbon_reduction_exceedance(dataset, axes).margins(x=0.3),
        "How sure is which reduction?",
        "Probability of a carbon reduction of at least so much, with the electricity at the grid's factor and counted "
        "as carbon-free; bands are 95 % intervals.",
        f"Two falling curves, the one with carbon-free electricity to the right of the other.{chance}",
    )
    if any(isinstance(each, ConfigError) for each in reductions.values()):
        return  # the table of accounts says why
    yield _axes(
        lambda axes: figures.accounts(dataset, axes, reductions=reductions),
        "The same heat in other accounts",
        "What every built-in account makes of the same ensemble: which supply is replaced, and how electricity counts. "
        "Bars are 90 % of the samples, marks their means.",
        "For each supply that may be replaced a bar for each way to count electricity; the table of accounts below has "
        "the numbers.",
    )


def _reliability(dataset: xr.Dataset, study: Study, of: dict[str, Line]) -> Iterator[Picture]:
    few = dataset.isel(sample=slice(MOST_POINTS))
    none, last = of["p_winter_without_unmet_hour"], of[f"p_shortfall_winter_{study.winters}"]
    yield _axes(
        lambda axes: figures.reliability_by_winter(dataset, axes),
        "Chance of a shortfall, by winter of life",
        "Points are all samples, with 95 % intervals. Bands are what is not known: percentiles of the samples, each "
        "the mean of about ten winters.",
        f"The chance of a winter with a shortfall: {_percent(of['p_shortfall_winter_1'])} in winter 1, "
        f"{_percent(last)} in winter {study.winters}; {_percent(none)} of all winters have none.",
    )
    level = of[f"unmet_hours_return_{RETURN_PERIOD}"]
    yield _axes(
        lambda axes: figures.probability_of_frequency(dataset, axes),
        "How often, and how sure is that?",
        "Share of the winters with more hours short than a number. Each sample has a curve of its own, which is "
        "chance; bands are percentiles of the curves, which is what is not known. Quote the dashed line for a "
        "forecast.",
        f"Falling curves; one winter in {RETURN_PERIOD} is short for more than {formatted(level)[0]} h.",
    )
    yield _axes(
        lambda axes: figures.unmet_against_severity(few, axes),
        "Hours short against the cold",
        f"Every winter of {'the first ' * (len(few.sample) < len(dataset.sample))}{len(few.sample):,} samples is a "
        "point, the colder the farther right; bands are percentiles of winters about as cold.",
        "A cloud of points: the hours short rise towards the colder winters where there are any.",
    )
    yield _axes(
        lambda axes: figures.unmet_heat_by_winter(dataset, axes),
        "Heat not delivered",
        "Share of a winter's heat that is not delivered: median and percentiles of the samples.",
        f"Median and bands by winter; on average {formatted(of['heating_reliability_mean'])[0]} % of the heat is "
        "delivered.",
    )


def _economics(dataset: xr.Dataset, study: Study, of: dict[str, Line]) -> Iterator[Picture]:
    if study.economics is None:
        return
    low, middle, high = (formatted(of[f"levelised_cost_of_heat_p{percent:02}"])[0] for percent in (5, 50, 95))
    yield _axes(
        lambda axes: figures.cost_of_heat_distribution(dataset, axes),
        "What heat costs",
        "How the samples differ in their levelised cost of heat. Whiskers and the narrow band are 95 % intervals.",
        f"Histogram. 5 % of the samples lie below {low} CNY/GJ, half below {middle}, 95 % below {high}.",
    )
    yield _axes(
        lambda axes: figures.cost_of_heat_by_part(dataset, axes),
        "What the cost of heat is made of",
        "Parts of the levelised cost of heat: bars are 90 % of the samples, marks their means.",
        "A bar for each part that costs anything: wells, machines, surface plant, electricity, fuel, upkeep.",
    )
    yield _axes(
        lambda axes: figures.net_present_value_exceedance(dataset, axes),
        "Does it pay?",
        "Probability of a net present value of at least so much, against the replaced supply; the band is the 95 % "
        "interval at each amount.",
        f"A falling curve; at zero it stands at {_percent(of['p_net_present_value'])}.",
    )
    yield _axes(
        lambda axes: figures.cost_of_carbon_exceedance(dataset, axes),
        "What a tonne less costs",
        "Probability that avoiding a tonne of CO₂ costs at most so much more than the replaced supply; the band is the "
        "95 % interval at each amount. Where nothing is avoided no amount is enough.",
        f"A rising curve; half of the samples lie below {formatted(of['cost_of_avoided_carbon_p50'])[0]} CNY/t.",
    )


def _drivers(drivers: Answer | None) -> Iterator[Picture]:
    for each in drivers.drivers if drivers else ():
        known = [index for index in (*each.groups, *each.inputs) if np.isfinite(index.total.value)]
        if each.output not in ("carbon_reduction", "unmet_hours") or not known:
            continue
        first = ", ".join(f"{index.label} {index.total.value:.2f}" for index in each.inputs[:3] if index in known)
        yield _axes(
            lambda axes, each=each: figures.sobol_indices(each, axes, most=8),  # type: ignore[misc]
            f"What drives it: {each.words}",
            "Share of the variance between samples that a group of inputs, or one input, explains alone, and with all "
            "its interactions; bars are 95 % intervals.",
            f"Total indices, the largest first: {first or 'none can be told'}.",
        )


def _plant(dataset: xr.Dataset, study: Study) -> Iterator[Picture]:
    out = dataset["outlet_temperature_mean"].where(dataset["status"] == 0).median("sample").values
    yield _axes(
        lambda axes: figures.water_temperature_by_winter(dataset, axes),
        "Water of the wells over their life",
        "The ground is drawn down, and the water that the wells give and take gets colder. Medians and bands of the "
        "samples.",
        f"The water out of the wells has {out[0]:.1f} °C in winter 1 and {out[-1]:.1f} °C in winter {study.winters}, "
        "in the median of the samples.",
    )
    week = figures.typical_cold_week(dataset)
    if week is None:
        return
    unmet = float(week["heat_unmet"].max())
    yield _figure(
        lambda figure: figures.cold_week(week, figure),
        "One cold week, hour by hour",
        f"Sample {week.sample.item():,}, winter {week.winter.item()}, computed again for this picture: the coldest "
        "week of a sample in the middle of all by its hours short. It is one life of very many.",
        f"Outdoors {float(week.outdoor_temperature.min()):.1f} to {float(week.outdoor_temperature.max()):.1f} °C, "
        f"indoors at least {float(week.indoor_temperature.min()):.1f} °C; "
        f"demand up to {float(week.heat_demand.max()):.3g} MW, "
        f"{f'of which up to {unmet:.3g} MW are not met' if unmet > 0 else 'all of it met'}.",
    )


def _ground(dataset: xr.Dataset, study: Study) -> Iterator[Picture]:
    good = dataset.isel(sample=np.flatnonzero(dataset["status"].values == 0))
    along = along_wells(study, good)
    bottom = along.isel(time=-1, depth=-1).median("sample")
    yield _axes(
        lambda axes: figures.temperature_along_well(along, axes),
        "Temperature along a well",
        f"At the end of the first heating season, a well by itself with the mean heat of its sample: median and 90 % "
        f"of the first {along.sizes['sample']} samples.",
        f"At the bottom the rock had {float(bottom.undisturbed_temperature):.0f} °C, the wall of the borehole has "
        f"{float(bottom.wall_temperature):.0f} °C and the water {float(bottom.inner_temperature):.0f} °C.",
    )
    yield _axes(
        lambda axes: figures.temperature_around_well(dataset, axes),
        "Temperature around a well",
        "How much colder the rock has become at the end of some heating seasons, from the borehole's wall half the way "
        "to the next well; medians and 90 % of the first samples.",
        "Curves that rise with the distance from the well, and lie the lower the later the winter.",
    )
    if len(study.field.places) == 1:
        return
    places, cooling = cooling_of_wells(study, good)
    mean = cooling.mean(axis=0)
    yield _axes(
        lambda axes: figures.field_from_above(dataset, axes),
        "The field from above",
        "How much colder the ground at each well is because of the others, after the last winter.",
        f"{len(places)} wells; the coldest is cooled by the others by {mean.max():.1f} K, the least cooled one by "
        f"{mean.min():.1f} K, in the mean of samples.",
    )


def _convergence(dataset: xr.Dataset) -> Iterator[Picture]:
    for show, title, words in (
        ("value", "The estimate as samples were added", "The mean carbon reduction and its 95 % interval"),
        ("half_width", "How fast the interval narrows", "Half of the 95 % interval of the mean carbon reduction"),
    ):
        yield _axes(
            lambda axes, show=show: figures.convergence(dataset, axes, show=show),  # type: ignore[misc]
            title,
            f"{words}, had the study ended after so many samples: a longer study begins with the shorter one.",
            f"{words} against the number of samples, up to {dataset.sizes['sample']:,}.",
        )


def _percent(line: Line) -> str:
    return f"{formatted(line)[0]} %"


def _axes(draw: Callable[[Axes], object], title: str, caption: str, alternative: str) -> Picture:
    def on(figure: Figure) -> None:
        axes = figure.add_subplot()
        draw(axes)
        axes.spines[["top", "right"]].set_visible(False)

    return _figure(on, title, caption, alternative)


def _figure(draw: Callable[[Figure], object], title: str, caption: str, alternative: str) -> Picture:
    return Picture(title, caption, alternative, *(_svg(draw, on_dark=on_dark) for on_dark in (False, True)))


def _svg(draw: Callable[[Figure], object], *, on_dark: bool) -> str:
    """A drawing as an address that holds it."""
    with mpl.rc_context(_STYLE), figures.dark() if on_dark else nullcontext():
        figure = Figure(figsize=_SIZE, layout="constrained", dpi=150)
        draw(figure)
        file = io.BytesIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    return f"data:image/svg+xml;base64,{base64.b64encode(file.getvalue()).decode()}"
