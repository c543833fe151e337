"""Pictures of the wells and the ground: along a well, around it, and the field from above."""

import matplotlib as mpl
import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap

from study.config import study_of
from study.figures.style import colours, ended_well, legend_above
from study.ground import cooling_around, cooling_of_wells

_MOST_NUMBERS = 80
"""Wells with their number in the picture."""


def temperature_along_well(dataset: xr.Dataset, axes: Axes) -> Axes:
    """Annulus, inner pipe and borehole wall over the depth at the last time of a well case that gives `depths`.

    Parameters
    ----------
    dataset
        As of `study.well.run_well_case`; of several wells along a dimension `sample`, lines are medians, and bands 90 %
        of them.
    """
    ink = colours()
    last, depth = dataset.isel(time=-1), dataset["depth"].values
    for name, label, colour, style in (
        ("undisturbed_temperature", "rock before", ink.grey, ":"),
        ("wall_temperature", "borehole wall", ink.green, "-"),
        ("annulus_temperature", "annulus", ink.blue, "-"),
        ("inner_temperature", "inner pipe", ink.orange, "-"),
    ):
        values = last[name]
        if "sample" in values.dims:
            low, middle, high = values.quantile([0.05, 0.5, 0.95], "sample").values
            axes.fill_betweenx(depth, low, high, color=colour, alpha=0.18, lw=0)
        else:
            middle = values.values
        axes.plot(middle, depth, color=colour, linestyle=style, label=label)
    axes.invert_yaxis()
    axes.set_ylim(top=0)
    axes.set_xlabel("temperature (°C)")
    axes.set_ylabel("depth (m)")
    axes.legend(loc="upper right", frameon=False)
    axes.set_title(f"after {last['time'].item():g} days", fontsize="medium")
    return axes


def temperature_around_well(dataset: xr.Dataset, axes: Axes) -> Axes:
    """How much colder the rock is than at first, from the borehole's wall half the way to the next well.

    At the end of the heating season of the first, a middle and the last winter, on the mean over the depth; lines are
    medians of the first samples, bands 90 % of them (`study.ground.cooling_around`).
    """
    ink, study = colours(), study_of(dataset.attrs)
    last = dataset.sizes["winter"]
    winters = sorted({1, (last + 2) // 3, last})
    distance, cooling = cooling_around(study, ended_well(dataset, axes), winters)
    for winter, found, colour in zip(winters, cooling, (ink.green, ink.orange, ink.blue)[-len(winters) :], strict=True):
        low, middle, high = np.percentile(-found, [5, 50, 95], axis=1)
        axes.fill_between(distance, low, high, color=colour, alpha=0.22, lw=0)
        axes.plot(distance, middle, color=colour, label=f"end of winter {winter}")
    axes.axhline(0.0, color=ink.grey, linestyle=":", label="rock before")
    axes.set_xscale("log")
    axes.set_xlim(distance[0], distance[-1])
    axes.xaxis.set_major_formatter("{x:g}")
    axes.set_xlabel("distance from the axis of the well (m)")
    axes.set_ylabel("change of the rock's temperature,\nmean over the depth (K)")
    legend_above(axes)
    return axes


def field_from_above(dataset: xr.Dataset, axes: Axes) -> Axes:
    """The wells of the field, and how much colder each one's ground is because of the others, after the last winter.

    Means of the first samples; 90 % of them are told of the coldest well and of the warmest
    (`study.ground.cooling_of_wells`).
    """
    ink, study = colours(), study_of(dataset.attrs)
    places, cooling = cooling_of_wells(study, ended_well(dataset, axes))
    mean = cooling.mean(axis=0)
    digits = 1 if mean.max() >= 1.0 else 2
    x, y = places.T
    shades = LinearSegmentedColormap.from_list("cooling", ["#F7E9C8", "#56B4E9", "#003A70"])
    size = float(np.clip(9000 / len(places), 20, 420))
    drawn = axes.scatter(x, y, s=size, c=mean, cmap=shades, edgecolor=ink.grey, lw=0.8, vmin=0.0)
    bar = axes.figure.colorbar(drawn, ax=axes, orientation="horizontal", fraction=0.08, aspect=40)
    bar.set_label("ground colder because of the other wells (K)")
    if len(places) <= _MOST_NUMBERS:
        for place, value, colour in zip(places, mean, drawn.to_rgba(mean), strict=True):
            bright = np.dot(colour[:3], (0.299, 0.587, 0.114)) > 0.55
            of_text = {"color": "black" if bright else "white", "fontsize": 0.7 * mpl.rcParams["font.size"]}
            axes.annotate(f"{value:.{digits}f}", place, ha="center", va="center", **of_text)
    for which, words, colour in (
        (np.flatnonzero(mean >= mean.max() * (1 - 1e-6)), "coldest", ink.orange),
        (np.flatnonzero(mean <= mean.min() * (1 + 1e-6)), "least cooled", ink.green),
    )[: 2 if np.ptp(mean) > 1e-6 * mean.max() else 1]:
        low, high = np.percentile(cooling[:, which[0]], [5, 95])
        label = (
            f"{words}: {mean[which[0]]:.{digits}f} K, {low:.{digits}f} to {high:.{digits}f} K in 90 % of the samples"
        )
        axes.scatter(x[which], y[which], s=1.9 * size, facecolor="none", edgecolor=colour, lw=2)
        axes.plot([], [], "o", ms=8, mfc="none", mec=colour, mew=2, label=label)
    axes.set_aspect("equal", adjustable="datalim")
    axes.margins(0.12)
    axes.set_xlabel("east (m)" if study.field.coordinates else "along the rows (m, at the median spacing)")
    axes.set_ylabel("north (m)" if study.field.coordinates else "across (m)")
    legend_above(axes, columns=1)
    return axes
