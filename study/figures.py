"""Pictures of an ensemble, each a function from a Dataset to Axes, and of a climate fitted to a file. Colours are those
of Okabe and Ito (2008), which colour-blind readers can tell apart."""

import calendar
import json
from collections.abc import Sequence
from typing import Literal

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from study.carbon import BASELINES, baseline_in_words
from study.config import Study
from study.drivers import Drivers
from study.intervals import Array
from study.ledgers import carbon_reduction
from study.reaccounting import with_account
from study.statistics import exceedance, mean, probability, usable
from study.summary import RETURN_PERIOD

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
_POINTS = 201  # of a curve


def carbon_reduction_exceedance(dataset: xr.Dataset, axes: Axes) -> Axes:
    """How likely the carbon reduction, on average over the life, is to exceed any amount.

    Once with electricity at the grid's factor, once with it counted as carbon-free. The band is the 95 % interval at
    each amount by itself.
    """
    good = _good(dataset, axes)
    free = good["carbon_reduction"] + good["carbon_electricity"]
    grid = free - good["electricity"] * good["grid_emission_factor"]
    for reduction, label, colour, place, side in (
        (grid, "electricity at\nthe grid's factor", ORANGE, 0.4, "right"),
        (free, "electricity counted\nas carbon-free", BLUE, 0.85, "left"),
    ):
        life = reduction.mean("winter") / 1e3
        values = np.sort(life.values)
        amounts = values[np.unique(np.linspace(0, len(values) - 1, _POINTS).round().astype(int))]
        value, low, high = 100 * _ends(exceedance(life, np.nextafter(amounts, -np.inf)))
        axes.plot(amounts, value, color=colour)
        axes.fill_between(amounts, low, high, color=colour, alpha=0.25, lw=0)
        point = (float(np.quantile(values, place)), 100 * (1 - place))
        offset = (-12 if side == "right" else 8, 0)
        axes.annotate(label, point, xytext=offset, textcoords="offset points", color=colour, ha=side)
    _mark_claim(dataset, axes, 0.99, "top")
    axes.set_xlabel("carbon reduction per winter, mean over the life (kt CO₂)")
    axes.set_ylabel("probability of that much or more (%)")
    axes.set_ylim(0, 100)
    return axes


def unmet_heat_by_winter(dataset: xr.Dataset, axes: Axes) -> Axes:
    """Share of the heat demand that is not met, by winter of life: median and bands over the samples."""
    unmet = 100 * (1 - _good(dataset, axes)["heating_reliability"])
    winters = unmet["winter"].values
    for low, high, alpha in ((0.05, 0.95, 0.2), (0.25, 0.75, 0.35)):
        edges = unmet.quantile([low, high], dim="sample").values
        label = f"{100 * low:.0f}th to {100 * high:.0f}th percentile of samples"
        axes.fill_between(winters, edges[0], edges[1], color=BLUE, alpha=alpha, lw=0, label=label)
    axes.plot(winters, unmet.median("sample").values, color=BLUE, label="median")
    axes.set_xlabel("winter of life")
    axes.set_ylabel("heat demand not met (% of a winter's heat)")
    axes.set_xlim(winters[0], winters[-1])
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", frameon=False)
    return axes


def accounts(dataset: xr.Dataset, axes: Axes) -> Axes:
    """What each built-in account makes of one ensemble's carbon reduction, on average over the life.

    Bars are 90 % of the samples, marks their means.
    """
    good = _good(dataset, axes)
    study = Study.model_validate(json.loads(dataset.attrs["study"]))
    kinds = [("location", "grid's electricity", ORANGE, "o"), ("market", "all electricity certified", BLUE, "s")]
    if "electricity_covered" in good:
        kinds.insert(1, ("hourly", "own power, hour by hour", GREEN, "D"))
    for n, (electricity, label, colour, mark) in enumerate(kinds):
        found = [
            carbon_reduction(good, with_account(study, baseline=baseline, electricity=electricity)).mean("winter") / 1e3
            for baseline in BASELINES
        ]
        places = np.arange(len(BASELINES)) + 0.24 * (n - (len(kinds) - 1) / 2)
        low, high = np.quantile(found, [0.05, 0.95], axis=1)
        axes.hlines(places, low, high, color=colour, lw=4, alpha=0.5)
        axes.plot(np.mean(found, axis=1), places, mark, ms=5, color=colour, label=label)
    _mark_claim(dataset, axes, 0.01, "bottom")
    axes.axvline(0, color=GREY, lw=0.8)
    axes.set_yticks(np.arange(len(BASELINES)), [f"instead of {baseline_in_words(name)}" for name in BASELINES])
    axes.invert_yaxis()
    axes.set_xlabel("carbon reduction per winter, mean over the life (kt CO₂)")
    _legend_above(axes)
    return axes


def _mark_claim(dataset: xr.Dataset, axes: Axes, height: float, side: Literal["bottom", "top"]) -> None:
    """A line at the carbon reduction that was promised, if any was."""
    claim = json.loads(dataset.attrs["study"]).get("claim")
    if not claim:
        return
    amount = float(claim["carbon_reduction"].split()[0]) / 1e3
    axes.axvline(amount, color=GREY, linestyle="--")
    axes.annotate(
        f"promised: {amount:g} kt",
        (amount, height),
        xycoords=("data", "axes fraction"),
        xytext=(5, 0),
        textcoords="offset points",
        color=GREY,
        va=side,
    )


def probability_of_frequency(dataset: xr.Dataset, axes: Axes, variable: str = "unmet_hours") -> Axes:
    """How often a winter exceeds a level, and how sure that is (Kaplan and Garrick 1981, Risk Analysis 1:11).

    Each sample has its own curve: the share of its winters above each level, which is chance. The bands are percentiles
    of these curves over the samples, which is what is not known, a little wider for the few winters of each. The dashed
    line is their mean with its 95 % interval: both together, what to expect of a winter.
    """
    good = _good(dataset, axes)
    values = good[variable].transpose("sample", "winter").values
    rarest = 100 / max(3 * values.shape[1], 75)
    levels = np.linspace(0.0, float(np.quantile(values, 1 - rarest / 100)) or 1.0, 201)
    frequency = 100 * np.array([(values > level).mean(axis=1) for level in levels])
    _bands(axes, levels, frequency, "samples")
    axes.plot(levels, np.median(frequency, axis=1), color=BLUE, label="median sample")
    value, low, high = _ends(exceedance(good[variable], levels, over=("sample", "winter")))
    axes.fill_between(levels, 100 * low, 100 * high, color=ORANGE, alpha=0.35, lw=0)
    axes.plot(levels, 100 * value, color=ORANGE, linestyle="--", label="all samples, 95 % interval")
    axes.axhline(100 / RETURN_PERIOD, color=GREY, linestyle=":")
    axes.annotate(
        f"one winter in {RETURN_PERIOD}",
        (0.68, 100 / RETURN_PERIOD),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 3),
        textcoords="offset points",
        color=GREY,
        ha="right",
    )
    axes.set_yscale("log")
    axes.set_ylim(rarest, 100)
    axes.set_xlim(0, levels[-1])
    axes.set_yticks([share for share in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if share >= rarest])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(f"{good[variable].attrs['long_name']}, per winter ({good[variable].attrs['units']})")
    axes.set_ylabel("winters above that (%)")
    _legend_above(axes)
    return axes


def reliability_by_winter(
    dataset: xr.Dataset, axes: Axes, measure: Literal["shortfall", "unmet_hours"] = "shortfall"
) -> Axes:
    """Chance of a winter with a shortfall, or loss-of-load expectation (`unmet_hours`), by winter of life.

    Points are all samples, with their 95 % interval. The bands are percentiles over the samples of each one's mean of
    about ten winters: what is not known, a little wider for the few winters.
    """
    good = _good(dataset, axes)
    hours, winters = good["unmet_hours"].transpose("sample", "winter").values, good["winter"].values
    values = 100.0 * (hours > 0) if measure == "shortfall" else hours
    spells = np.array_split(np.arange(len(winters)), max(1, round(len(winters) / 10)))
    borders = np.array([(winters[spell[0]] - 0.5, winters[spell[-1]] + 0.5) for spell in spells]).ravel()
    means = np.repeat([values[:, spell].mean(axis=1) for spell in spells], 2, axis=0)
    _bands(axes, borders, means, "samples")
    axes.plot(borders, np.median(means, axis=1), color=BLUE, label="median sample")
    if measure == "shortfall":
        value, low, high = 100.0 * _ends(probability(good["unmet_hours"] > 0))
    else:
        value, low, high = _ends(mean(good["unmet_hours"]))
    axes.vlines(winters, low, high, color=ORANGE, lw=2)
    axes.plot(winters, value, "o", ms=4, color=ORANGE, label="all samples, 95 % interval")
    axes.set_xlabel("winter of life")
    axes.set_ylabel(
        "chance of a winter with a shortfall (%)"
        if measure == "shortfall"
        else "loss-of-load expectation (h per winter)"
    )
    axes.set_xlim(borders[0], borders[-1])
    axes.set_ylim(bottom=0)
    _legend_above(axes)
    return axes


def unmet_against_severity(dataset: xr.Dataset, axes: Axes, severity: str = "outdoor_temperature_min") -> Axes:
    """Unmet hours against how cold the winter is, every winter of every sample a point.

    The bands are percentiles of winters about as cold: what is not known, and the chance that is not the cold's.
    """
    good = _good(dataset, axes)
    cold, hours = (good[name].transpose("sample", "winter").values.ravel() for name in (severity, "unmet_hours"))
    mildest, coldest = np.percentile(cold, [99.5, 0.5])
    borders = np.linspace(coldest, mildest, int(np.clip(len(cold) // 40, 1, 20)) + 1)
    group = np.digitize(cold, borders[1:-1])
    groups = [hours[group == i] for i in np.unique(group)]
    centres = np.array([cold[group == i].mean() for i in np.unique(group)])
    axes.plot(cold, hours, ".", color=GREY, ms=3, alpha=0.3, mew=0, rasterized=True)
    _bands(axes, centres, groups, "equally cold winters")
    axes.plot(centres, [np.median(each) for each in groups], color=BLUE, label="median")
    axes.plot(centres, [each.mean() for each in groups], color=ORANGE, linestyle="--", label="mean")
    axes.invert_xaxis()
    axes.set_yscale("symlog", linthresh=1)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylim(0, max(10.0, 2 * hours.max()))
    axes.set_xlabel(f"{good[severity].attrs['long_name']} of the winter (°C), colder to the right")
    axes.set_ylabel("unmet hours of the winter (h)")
    _legend_above(axes)
    return axes


def sobol_indices(drivers: Drivers, axes: Axes, *, most: int = 10) -> Axes:
    """First-order and total index of the groups and of the `most` largest inputs, with 95 % intervals.

    They are those of `study.drivers.what_drives`. Where the two differ, the input acts together with others.
    """
    rows = [
        *((group.name, group) for group in drivers.groups),
        *((index.label, index) for index in drivers.inputs[:most]),
    ]
    places = -np.arange(len(rows), dtype=float) - 0.8 * (np.arange(len(rows)) >= len(drivers.groups))
    for kind, colour, marker, fill, shift in (
        ("total", ORANGE, "s", "none", 0.14),
        ("first", BLUE, "o", BLUE, -0.14),
    ):
        numbers = [getattr(index, kind) for _, index in rows]
        value, low, high = np.array([(each.value, each.low, each.high) for each in numbers]).T
        label = {"first": "alone (first-order)", "total": "with its interactions (total)"}[kind]
        axes.hlines(places + shift, low, high, color=colour, lw=2, alpha=0.6)
        axes.plot(value, places + shift, marker, color=colour, mfc=fill, ms=6, label=label)
    if drivers.groups:
        axes.axhline(-len(drivers.groups) + 0.1, color=GREY, lw=0.8)
    axes.axvline(0.0, color=GREY, lw=0.8)
    axes.set_yticks(places, [label for label, _ in rows])
    axes.set_ylim(places[-1] - 0.6, 0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=GREY, alpha=0.2)
    when = "mean of all winters" if drivers.winter is None else f"winter {drivers.winter}"
    axes.set_xlabel("share of the variance (1)")
    axes.set_title(f"{drivers.words},\n{when}", fontsize="medium")
    axes.legend(loc="lower right", frameon=False, fontsize="small")
    return axes


def temperature_along_well(dataset: xr.Dataset, axes: Axes) -> Axes:
    """Annulus, inner pipe and borehole wall over the depth at the last time of a well case that gives `depths`."""
    last, depth = dataset.isel(time=-1), dataset["depth"].values
    for name, label, colour, style in (
        ("undisturbed_temperature", "rock before", GREY, ":"),
        ("wall_temperature", "borehole wall", GREEN, "-"),
        ("annulus_temperature", "annulus", BLUE, "-"),
        ("inner_temperature", "inner pipe", ORANGE, "-"),
    ):
        values = last[name].values
        axes.plot(values, depth, color=colour, linestyle=style, label=label)
    axes.invert_yaxis()
    axes.set_ylim(top=0)
    axes.set_xlabel("temperature (°C)")
    axes.set_ylabel("depth (m)")
    axes.legend(loc="upper right", frameon=False)
    axes.set_title(f"after {last['time'].item():g} days", fontsize="medium")
    return axes


def _good(dataset: xr.Dataset, axes: Axes) -> xr.Dataset:
    """The samples that ended well; a note on the axes says how many did not, EnsembleError that they are too many."""
    samples = usable(dataset)
    good = samples.isel(sample=np.flatnonzero(~samples["failed"].values)).drop_vars("failed")
    if failed := dataset.sizes["sample"] - good.sizes["sample"]:
        words = f"{failed:,} of {dataset.sizes['sample']:,} samples failed"
        axes.text(0.99, 0.01, words, transform=axes.transAxes, color=GREY, ha="right", va="bottom", fontsize="small")
    return good


def _bands(axes: Axes, x: Array, values: Sequence[Array] | Array, of: str) -> None:
    """Percentiles of the values at each x."""
    for low, high, alpha in ((5, 95, 0.18), (25, 75, 0.35)):
        edges = np.array([np.percentile(each, [low, high]) for each in values]).T
        label = f"{low} to {high} % of {of}"
        axes.fill_between(x, edges[0], edges[1], color=BLUE, alpha=alpha, lw=0, label=label)


def _ends(found: xr.Dataset) -> Array:
    """Values and the two ends of their intervals, the value itself where there is none; (3, estimate)."""
    value, low, high = (found[name].values for name in ("value", "low", "high"))
    return np.array([value, np.where(np.isnan(low), value, low), np.where(np.isnan(high), value, high)])


def _legend_above(axes: Axes) -> None:
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=2,
        columnspacing=1,
        borderpad=0,
        frameon=False,
        fontsize="small",
    )


def climate_fit(comparison: xr.Dataset, figure: Figure) -> Figure:
    """Four pictures of `study.climate.compare`: temperatures, the course of the season, its days, and cold spells.

    Bands are 90 % ranges: of generated records as long as the file, and of single days in the course of the season.
    """
    panels = figure.subplots(2, 2)
    hourly = comparison.sizes["hour"] > 1
    what = "hourly" if hourly else "daily mean"

    axes, (median, low, high) = panels[0, 0], comparison["quantiles"].values
    file = comparison["file_quantiles"].values
    axes.axhline(0.0, color=GREY, linewidth=0.8, linestyle="--")
    axes.fill_between(median, low - median, high - median, color=BLUE, alpha=0.25, lw=0, label="generated, 90 %")
    axes.plot(median, file - median, color=ORANGE, label="file")
    furthest = 1.4 * max(np.abs(difference).max() for difference in (low - median, high - median, file - median))
    axes.set_ylim(-furthest, furthest)
    axes.set_xlabel(f"quantiles of {what} temperature, generated, 0.1 % to 99.9 % (°C)")
    axes.set_ylabel("file minus generated (K)")
    axes.set_title(f"{what} temperature", fontsize="medium")
    axes.legend(loc="upper center", frameon=False, ncols=2)

    axes, (median, low, high) = panels[0, 1], comparison["course"].values
    days = comparison["file_days"].values
    day = np.arange(days.shape[1])
    axes.fill_between(day, low, high, color=BLUE, alpha=0.25, lw=0)
    axes.plot(day, median, color=BLUE, label="generated, median and 90 %")
    if len(days) < 8:
        axes.plot(day, days.T, ".", color=ORANGE, markersize=3, label=["file", *[None] * (len(days) - 1)])
    else:
        edges = np.percentile(days, [5.0, 50.0, 95.0], axis=0)
        axes.plot(day, edges[1], color=ORANGE, linewidth=1.0, label="file, median and 90 %")
        axes.plot(day, edges[::2].T, color=ORANGE, linewidth=0.8, linestyle=":")
    dates = pd.date_range(f"2001-{comparison.attrs['start']}", periods=len(day))
    firsts = np.flatnonzero(dates.day == 1)
    axes.set_xticks(firsts, list(dates[firsts].strftime("1 %b")))
    axes.set_xlim(day[0], day[-1])
    axes.set_ylabel("daily mean (°C)")
    axes.set_title("course of the season", fontsize="medium")
    axes.legend(loc="upper center", frameon=False)

    axes, months = panels[1, 0], _in_season(comparison["month"].values)
    if hourly:
        apart = np.ceil(np.ptp(comparison["diurnal"].values, axis=1).max())
        levels = -apart * np.arange(len(months))
        for month, level in zip(months, levels, strict=True):
            hours = comparison["hour"].values + 0.5
            axes.axhline(level, color=GREY, linewidth=0.5, alpha=0.5)
            axes.plot(hours, level + comparison["diurnal"].sel(month=month).values, color=BLUE)
            axes.plot(
                hours, level + comparison["file_diurnal"].sel(month=month).values, ".", color=ORANGE, markersize=4
            )
        axes.plot([], [], color=BLUE, label="generated")
        axes.plot([], [], ".", color=ORANGE, label="file")
        axes.set_xlim(0, 24)
        axes.set_xticks(range(0, 25, 6))
        axes.set_yticks(levels, [calendar.month_abbr[month] for month in months])
        axes.set_ylim(levels[-1] - 0.6 * apart, 1.3 * apart)
        axes.set_xlabel("local standard time (h)")
        axes.set_ylabel(f"departure from the day's mean\n(lines are {apart:g} K apart)")
        axes.legend(loc="upper center", frameon=False, ncols=2)
    else:
        axes.text(
            0.5, 0.5, "the file has daily means:\nthe daily cycle is assumed", ha="center", va="center", color=GREY
        )
        axes.set_axis_off()
    axes.set_title("mean day of each month", fontsize="medium")

    axes, (mean, low, high) = panels[1, 1], comparison["spells"].values
    length, file = comparison["days"].values, comparison["file_spells"].values
    axes.fill_between(length, low, high, color=BLUE, alpha=0.25, lw=0, step="mid")
    axes.step(length, mean, where="mid", color=BLUE, label="generated, mean and 90 %")
    axes.plot(length[file > 0], file[file > 0], ".", color=ORANGE, label="file")
    longest = max(length[np.maximum(high, file) > 0], default=1)
    axes.set_xlim(0.5, longest + 1.5)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(bottom=0)
    axes.set_xlabel(f"length (d) of spells of days below {comparison.attrs['cold']:.1f} °C")
    axes.set_ylabel("spells of at least this length, per winter")
    axes.set_title("cold spells", fontsize="medium")
    axes.legend(loc="upper right", frameon=False)

    for axes in panels.flat:
        axes.spines[["top", "right"]].set_visible(False)
    winters = comparison.sizes["winter"]
    records = f"{comparison.attrs['records']} generated records of {winters} winter{'s' * (winters > 1)}"
    figure.suptitle(f"{comparison.attrs['site']}: the file and {records}")
    return figure


def _in_season(months: np.ndarray) -> list[int]:
    """Months from January in the order of a season that may go on over the new year."""
    gaps = np.flatnonzero(np.diff(months) > 1)
    return [int(month) for month in np.roll(months, -(gaps[0] + 1) if len(gaps) else 0)]
