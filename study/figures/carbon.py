"""Pictures of the carbon reduction, and of what was promised."""

import json
from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from study.carbon import BASELINES, baseline_in_words
from study.config import ConfigError
from study.figures.style import colours, ended_well, ends, histogram, legend_above
from study.ledgers import Reductions, every_reduction
from study.statistics import exceedance

_POINTS = 201  # of a curve


def carbon_reduction_distribution(dataset: xr.Dataset, axes: Axes) -> Axes:
    """Share of the samples by their carbon reduction, on average over the life, beside what was promised.

    Whiskers are the 95 % interval of each bar by itself; the line is the mean of all samples, with its 95 % interval.
    """
    life = ended_well(dataset, axes)["carbon_reduction"].mean("winter").load() / 1e3
    histogram(life, axes)
    mark_claim(dataset, axes, 0.99, "top")
    axes.set_xlabel("carbon reduction per winter, mean over the life (kt CO₂)")
    axes.set_ylabel("share of the samples (%)")
    legend_above(axes)
    return axes


def carbon_reduction_exceedance(dataset: xr.Dataset, axes: Axes) -> Axes:
    """How likely the carbon reduction, on average over the life, is to exceed any amount.

    Once with electricity at the grid's factor, once with it counted as carbon-free. The band is the 95 % interval at
    each amount by itself.
    """
    ink = colours()
    good = ended_well(dataset, axes)
    free = good["carbon_reduction"] + good["carbon_electricity"]
    grid = free - good["electricity"] * good["grid_emission_factor"]
    for reduction, label, colour, dashes in (
        (grid, "electricity at the grid's factor", ink.orange, "--"),
        (free, "electricity counted as carbon-free", ink.blue, "-"),
    ):
        life = reduction.mean("winter") / 1e3
        values = np.sort(life.values)
        amounts = values[np.unique(np.linspace(0, len(values) - 1, _POINTS).round().astype(int))]
        value, low, high = 100 * ends(exceedance(life, np.nextafter(amounts, -np.inf)))
        axes.plot(amounts, value, dashes, color=colour, label=label)
        axes.fill_between(amounts, low, high, color=colour, alpha=0.25, lw=0)
    mark_claim(dataset, axes, 0.99, "top")
    axes.set_xlabel("carbon reduction per winter, mean over the life (kt CO₂)")
    axes.set_ylabel("probability of that much or more (%)")
    axes.set_ylim(0, 100)
    legend_above(axes, columns=1)
    return axes


def accounts(dataset: xr.Dataset, axes: Axes, *, reductions: Reductions | None = None) -> Axes:
    """What each built-in account makes of one ensemble's carbon reduction, on average over the life.

    Bars are 90 % of the samples, marks their means. `reductions` are those of `study.ledgers.every_reduction` for these
    samples or more, where they are known already.
    """
    ink = colours()
    good = ended_well(dataset, axes)
    known = reductions or every_reduction(good)
    kinds = [
        ("location", "grid's electricity", ink.orange, "o"),
        ("market", "all electricity certified", ink.blue, "s"),
    ]
    if "electricity_covered" in good:
        kinds.insert(1, ("hourly", "own power, hour by hour", ink.green, "D"))
    for n, (electricity, label, colour, mark) in enumerate(kinds):
        found = []
        for baseline in BASELINES:
            each = known[electricity, baseline]  # type: ignore[index]
            if isinstance(each, ConfigError):
                raise each
            found.append(each[1].sel(sample=good["sample"]).mean("winter") / 1e3)
        places = np.arange(len(BASELINES)) + 0.24 * (n - (len(kinds) - 1) / 2)
        low, high = np.quantile(found, [0.05, 0.95], axis=1)
        axes.hlines(places, low, high, color=colour, lw=4, alpha=0.5)
        axes.plot(np.mean(found, axis=1), places, mark, ms=5, color=colour, label=label)
    axes.margins(x=0.12)
    mark_claim(dataset, axes, 0.01, "bottom")
    axes.axvline(0, color=ink.grey, lw=0.8)
    axes.set_yticks(np.arange(len(BASELINES)), [baseline_in_words(name) for name in BASELINES])
    axes.invert_yaxis()
    axes.set_ylabel("heat supply that is replaced")
    axes.set_xlabel("carbon reduction per winter,\nmean over the life (kt CO₂)")
    legend_above(axes, columns=1)
    return axes


def mark_claim(dataset: xr.Dataset, axes: Axes, height: float, side: Literal["bottom", "top"]) -> None:
    """A line at the carbon reduction that was promised, if any was."""
    ink = colours()
    claim = json.loads(dataset.attrs["study"]).get("claim")
    if not claim:
        return
    amount = float(claim["carbon_reduction"].split()[0]) / 1e3
    axes.axvline(amount, color=ink.grey, linestyle="--")
    left, right = axes.get_xlim()
    far = amount > left + 0.8 * (right - left)
    axes.annotate(
        f"promised: {amount:g} kt",
        (amount, height),
        xycoords=("data", "axes fraction"),
        xytext=(-5 if far else 5, 0),
        textcoords="offset points",
        color=ink.grey,
        va=side,
        ha="right" if far else "left",
    )
