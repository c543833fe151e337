"""Pictures of heating reliability: what is not known (bands), and what chance does in a winter."""

from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from study.figures.style import bands, colours, course, ended_well, ends, legend_above, shown_units
from study.statistics import exceedance, mean, probability
from study.summary import RETURN_PERIOD


def unmet_heat_by_winter(dataset: xr.Dataset, axes: Axes) -> Axes:
    """Share of the heat demand that is not met, by winter of life: median and bands over the samples."""
    ink = colours()
    unmet = 100 * (1 - ended_well(dataset, axes)["heating_reliability"])
    edges = unmet.quantile([0.05, 0.25, 0.5, 0.75, 0.95], dim="sample").values
    winters, edges = course(unmet["winter"].values, edges)
    for low, high, label, alpha in ((0, 4, "5 to 95 % of samples", 0.2), (1, 3, "25 to 75 % of samples", 0.35)):
        axes.fill_between(winters, edges[low], edges[high], color=ink.blue, alpha=alpha, lw=0, label=label)
    axes.plot(winters, edges[2], color=ink.blue, label="median")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("winter of life")
    axes.set_ylabel("heat demand not met (% of a winter's heat)")
    axes.set_xlim(winters[0], winters[-1])
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", frameon=False)
    return axes


def probability_of_frequency(dataset: xr.Dataset, axes: Axes, variable: str = "unmet_hours") -> Axes:
    """How often a winter exceeds a level, and how sure that is (Kaplan and Garrick 1981, Risk Analysis 1:11).

    Each sample has its own curve: the share of its winters above each level, which is chance. The bands are percentiles
    of these curves over the samples, which is what is not known, a little wider for the few winters of each. The dashed
    line is their mean with its 95 % interval: both together, what to expect of a winter.
    """
    ink = colours()
    good = ended_well(dataset, axes)
    values = good[variable].transpose("sample", "winter").values
    rarest = 100 / max(3 * values.shape[1], 75)
    levels = np.linspace(0.0, float(np.quantile(values, 1 - rarest / 100)) or 1.0, 201)
    frequency = 100 * np.array([(values > level).mean(axis=1) for level in levels])
    bands(axes, levels, frequency, "samples")
    axes.plot(levels, np.median(frequency, axis=1), color=ink.blue, label="median sample")
    value, low, high = ends(exceedance(good[variable], levels, over=("sample", "winter")))
    axes.fill_between(levels, 100 * low, 100 * high, color=ink.orange, alpha=0.35, lw=0)
    axes.plot(levels, 100 * value, color=ink.orange, linestyle="--", label="all samples, 95 % interval")
    axes.axhline(100 / RETURN_PERIOD, color=ink.grey, linestyle=":")
    axes.annotate(
        f"one winter in {RETURN_PERIOD}",
        (0.68, 100 / RETURN_PERIOD),
        xycoords=("axes fraction", "data"),
        xytext=(-4, 3),
        textcoords="offset points",
        color=ink.grey,
        ha="right",
    )
    axes.set_yscale("log")
    axes.set_ylim(rarest, 100)
    axes.set_xlim(0, levels[-1])
    axes.set_yticks([share for share in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 50, 100) if share >= rarest])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_xlabel(f"{good[variable].attrs['long_name']}, per winter ({shown_units(good[variable].attrs['units'])})")
    axes.set_ylabel("winters above that (%)")
    legend_above(axes)
    return axes


def reliability_by_winter(
    dataset: xr.Dataset, axes: Axes, measure: Literal["shortfall", "unmet_hours"] = "shortfall"
) -> Axes:
    """Chance of a winter with a shortfall, or loss-of-load expectation (`unmet_hours`), by winter of life.

    Points are all samples, with their 95 % interval. The bands are percentiles over the samples of each one's mean of
    about ten winters: what is not known, a little wider for the few winters.
    """
    ink = colours()
    good = ended_well(dataset, axes)
    hours, winters = good["unmet_hours"].transpose("sample", "winter").values, good["winter"].values
    values = 100.0 * (hours > 0) if measure == "shortfall" else hours
    spells = np.array_split(np.arange(len(winters)), max(1, round(len(winters) / 10)))
    borders = np.array([(winters[spell[0]] - 0.5, winters[spell[-1]] + 0.5) for spell in spells]).ravel()
    means = np.repeat([values[:, spell].mean(axis=1) for spell in spells], 2, axis=0)
    bands(axes, borders, means, "samples")
    axes.plot(borders, np.median(means, axis=1), color=ink.blue, label="median sample")
    if measure == "shortfall":
        value, low, high = 100.0 * ends(probability(good["unmet_hours"] > 0))
    else:
        value, low, high = ends(mean(good["unmet_hours"]))
    axes.vlines(winters, low, high, color=ink.orange, lw=2)
    axes.plot(winters, value, "o", ms=4, color=ink.orange, label="all samples, 95 % interval")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("winter of life")
    axes.set_ylabel(
        "chance of a winter with a shortfall (%)"
        if measure == "shortfall"
        else "loss-of-load expectation (h per winter)"
    )
    axes.set_xlim(borders[0], borders[-1])
    axes.set_ylim(bottom=0)
    legend_above(axes)
    return axes


def unmet_against_severity(dataset: xr.Dataset, axes: Axes, severity: str = "outdoor_temperature_min") -> Axes:
    """Unmet hours against how cold the winter is, every winter of every sample a point.

    The bands are percentiles of winters about as cold: what is not known, and the chance that is not the cold's.
    """
    ink = colours()
    good = ended_well(dataset, axes)
    cold, hours = (good[name].transpose("sample", "winter").values.ravel() for name in (severity, "unmet_hours"))
    mildest, coldest = np.percentile(cold, [99.5, 0.5])
    borders = np.linspace(coldest, mildest, int(np.clip(len(cold) // 40, 1, 20)) + 1)
    group = np.digitize(cold, borders[1:-1])
    groups = [hours[group == i] for i in np.unique(group)]
    centres = np.array([cold[group == i].mean() for i in np.unique(group)])
    few = len(cold) < 1000
    axes.plot(cold, hours, ".", color=ink.grey, ms=6 if few else 3, alpha=0.5 if few else 0.3, mew=0, rasterized=True)
    bands(axes, centres, groups, "equally cold winters")
    mark = None if len(groups) > 1 else "o"
    axes.plot(centres, [np.median(each) for each in groups], color=ink.blue, marker=mark, label="median")
    axes.plot(centres, [each.mean() for each in groups], color=ink.orange, linestyle="--", marker=mark, label="mean")
    axes.invert_xaxis()
    axes.set_yscale("symlog", linthresh=1)
    axes.yaxis.set_major_formatter("{x:g}")
    axes.set_ylim(0, max(10.0, 2 * hours.max()))
    axes.set_xlabel(f"{good[severity].attrs['long_name']} of the winter (°C), colder to the right")
    axes.set_ylabel("unmet hours of the winter (h)")
    legend_above(axes)
    return axes
