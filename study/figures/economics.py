"""Pictures of what heat and avoided carbon cost, and of whether the plant pays."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from study.config import study_of
from study.figures.style import colours, ended_well, ends, histogram, legend_above
from study.intervals import Array
from study.ledgers import COST_PARTS, cost_parts
from study.statistics import exceedance

_POINTS = 201  # of a curve
_SHOWN = (0.005, 0.975)
"""Shares of the samples between which the cost of carbon is drawn: little avoided makes it any amount."""


def cost_of_heat_distribution(dataset: xr.Dataset, axes: Axes) -> Axes:
    """Share of the samples by their levelised cost of heat.

    Whiskers are the 95 % interval of each bar by itself; the line is the mean of all samples, with its 95 % interval.
    """
    histogram(ended_well(dataset, axes)["levelised_cost_of_heat"].load(), axes)
    axes.set_xlabel(f"levelised cost of heat ({_unit(dataset)}/GJ)")
    axes.set_ylabel("share of the samples (%)")
    legend_above(axes)
    return axes


def cost_of_heat_by_part(dataset: xr.Dataset, axes: Axes) -> Axes:
    """What the levelised cost of heat is made of, those parts that cost anything.

    Bars are 90 % of the samples, marks their means.
    """
    ink = colours()
    found = cost_parts(ended_well(dataset, axes))
    parts = {words: found[name].values for name, words in COST_PARTS.items() if found[name].any()}
    places = np.arange(len(parts))
    low, high = np.quantile(list(parts.values()), [0.05, 0.95], axis=1)
    means = np.mean(list(parts.values()), axis=1)
    axes.hlines(places, low, high, color=ink.blue, lw=8, alpha=0.45, label="90 % of the samples")
    axes.plot(means, places, "o", ms=5, color=ink.orange, label="their mean")
    for place, mean, end in zip(places, means, high, strict=True):
        axes.annotate(
            f"{mean:.3g}", (end, place), xytext=(6, 0), textcoords="offset points", color=ink.grey, va="center"
        )
    axes.set_yticks(places, list(parts))
    axes.invert_yaxis()
    axes.set_xlim(0, 1.18 * high.max())
    axes.set_xlabel(f"part of the levelised cost of heat ({_unit(dataset)}/GJ)")
    legend_above(axes)
    return axes


def net_present_value_exceedance(dataset: xr.Dataset, axes: Axes) -> Axes:
    """How likely the net present value against the replaced supply is to exceed any amount, with 95 % intervals."""
    ink = colours()
    worth = ended_well(dataset, axes)["net_present_value"].load() / 1e6
    _curve(axes, worth, _amounts(worth.values), falling=True)
    axes.axvline(0.0, color=ink.grey, linestyle="--")
    axes.margins(x=0.15)
    left, right = axes.get_xlim()
    far = left + 0.7 * (right - left) < 0.0
    axes.annotate(
        "as dear as the\nreplaced supply",
        (0.0, 0.98),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if far else 5, 0),
        textcoords="offset points",
        color=ink.grey,
        va="top",
        ha="right" if far else "left",
    )
    axes.set_xlabel(f"net present value (million {_unit(dataset)})")
    axes.set_ylabel("probability of that much or more (%)")
    axes.set_ylim(0, 100)
    return axes


def cost_of_carbon_exceedance(dataset: xr.Dataset, axes: Axes) -> Axes:
    """How likely avoiding a tonne of CO2 is to cost at most any amount, with 95 % intervals."""
    cost = ended_well(dataset, axes)["cost_of_avoided_carbon"].load()
    low, high = np.quantile(cost.values, _SHOWN)
    amounts = _amounts(cost.values)
    _curve(axes, cost, amounts[(amounts >= low) & (amounts <= high)], falling=False)
    axes.set_xlabel(f"additional cost of avoided carbon ({_unit(dataset)}/t CO₂)")
    axes.set_ylabel("probability of that much or less (%)")
    axes.set_ylim(0, 100)
    return axes


def _amounts(values: Array) -> Array:
    ordered = np.sort(values)
    return ordered[np.unique(np.linspace(0, len(ordered) - 1, _POINTS).round().astype(int))]


def _curve(axes: Axes, data: xr.DataArray, amounts: Array, *, falling: bool) -> None:
    """Probability of at least, or at most, so much, in percent, and its interval."""
    blue = colours().blue
    below = np.nextafter(amounts, -np.inf) if falling else amounts
    value, low, high = 100 * ends(exceedance(data, below))
    if not falling:
        value, low, high = 100 - value, 100 - high, 100 - low
    axes.plot(amounts, value, color=blue)
    axes.fill_between(amounts, low, high, color=blue, alpha=0.25, lw=0)


def _unit(dataset: xr.Dataset) -> str:
    """CNY, and of which year."""
    money = study_of(dataset.attrs).economics
    return f"CNY of {money.price_year}" if money else "CNY"
