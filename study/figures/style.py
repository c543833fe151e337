"""Colours, a dark background, and what several pictures share."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from study.intervals import Array
from study.statistics import mean, probability, usable

_FEWEST_BINS, _MOST_BINS = 5, 40
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"
SKY, AMBER = "#56B4E9", "#E69F00"

_PAPER, _INK = "#14171A", "#E6E6E6"
_DARK: Any = {
    **{f"{part}.facecolor": _PAPER for part in ("figure", "axes", "savefig", "legend")},
    **dict.fromkeys(("text.color", "axes.edgecolor", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
}


class Colours(NamedTuple):
    """Colours of Okabe and Ito (2008), which colour-blind readers can tell apart, and a grey for what is beside."""

    blue: str
    orange: str
    green: str
    grey: str


def colours() -> Colours:
    """The colours that are seen on the present background, `matplotlib.rcParams["axes.facecolor"]`."""
    on_dark = np.dot(to_rgb(mpl.rcParams["axes.facecolor"]), (0.299, 0.587, 0.114)) < 0.5
    return Colours(SKY, AMBER, GREEN, "#A8A8A8") if on_dark else Colours(BLUE, ORANGE, GREEN, GREY)


@contextmanager
def dark() -> Iterator[None]:
    """Within it, figures are made, and to be drawn, for a dark background."""
    with mpl.rc_context(_DARK):
        yield


def ended_well(dataset: xr.Dataset, axes: Axes | None = None) -> xr.Dataset:
    """The samples that ended well; a note on the axes says how many did not, EnsembleError that they are too many."""
    samples = usable(dataset)
    good = samples.isel(sample=np.flatnonzero(~samples["failed"].values)).drop_vars("failed")
    failed = dataset.sizes["sample"] - good.sizes["sample"]
    if failed and axes is not None:
        words = f"{failed:,} of {dataset.sizes['sample']:,} samples failed"
        axes.text(
            0.99,
            0.01,
            words,
            transform=axes.transAxes,
            color=colours().grey,
            ha="right",
            va="bottom",
            fontsize="small",
        )
    return good


def bands(axes: Axes, x: Array, values: Sequence[Array] | Array, of: str) -> None:
    """Percentiles of the values at each x."""
    for low, high, alpha in ((5, 95, 0.18), (25, 75, 0.35)):
        edges = np.array([np.percentile(each, [low, high]) for each in values]).T
        label = f"{low} to {high} % of {of}"
        axes.fill_between(x, edges[0], edges[1], color=colours().blue, alpha=alpha, lw=0, label=label)


def histogram(values: xr.DataArray, axes: Axes) -> None:
    """Share of the samples by a number that each has, (sample,), with 95 % intervals, and the mean of all."""
    ink = colours()
    borders = np.histogram_bin_edges(values.values, "fd")
    borders = np.linspace(borders[0], borders[-1], int(np.clip(len(borders), _FEWEST_BINS, _MOST_BINS)) + 1)
    bar = xr.DataArray(
        np.searchsorted(borders[1:-1], values.values, side="right"), coords=values.coords, dims=values.dims
    )
    value, low, high = 100 * ends(probability(bar == xr.DataArray(np.arange(len(borders) - 1), dims="bar")))
    middle, width = 0.5 * (borders[1:] + borders[:-1]), np.diff(borders)
    axes.bar(middle, value, width, color=ink.blue, alpha=0.45, lw=0, label="samples, with 95 % intervals")
    axes.vlines(middle, low, high, color=ink.blue, lw=1)
    centre, lowest, highest = ends(mean(values))
    axes.axvspan(lowest, highest, color=ink.orange, alpha=0.35, lw=0)
    axes.axvline(centre, color=ink.orange, label="their mean, with its 95 % interval")
    axes.set_ylim(bottom=0)


def course(winters: Array, values: Array) -> tuple[Array, Array]:
    """Winters and values (..., winter) to draw a line or a band through; one winter alone is made as wide as itself."""
    if len(winters) > 1:
        return winters, values
    return winters[0] + np.array([-0.4, 0.4]), np.repeat(values, 2, axis=-1)


def ends(found: xr.Dataset) -> Array:
    """Values and the two ends of their intervals, the value itself where there is none; (3, estimate)."""
    value, low, high = (found[name].values for name in ("value", "low", "high"))
    return np.array([value, np.where(np.isnan(low), value, low), np.where(np.isnan(high), value, high)])


def legend_above(axes: Axes, *, columns: int = 2) -> None:
    """A legend on top of the axes."""
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.0),
        ncols=columns,
        columnspacing=1,
        borderpad=0,
        frameon=False,
        fontsize="small",
    )


def shown_units(units: str) -> str:
    """Units of a variable, written as CF has them (``CNY GJ-1``), as an axis has them (``CNY/GJ``)."""
    parts = units.replace("CO2", "CO₂").replace("degC", "°C").split()
    above = [part for part in parts if "-" not in part]
    below = [part.replace("-1", "").replace("-", "") for part in parts if "-" in part]
    under = below[0] if len(below) == 1 else f"({' '.join(below)})"
    return " ".join(above or ["1"]) + (f"/{under}" if below else "")
