"""Pictures of an ensemble: each a function from a Dataset to Axes. Colours are those of Okabe and Ito (2008), which
colour-blind readers can tell apart."""

import json

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#555555"


def carbon_reduction_exceedance(dataset: xr.Dataset, axes: Axes) -> Axes:
    """How likely an average winter's carbon reduction is to exceed any amount, for two accounts of the electricity.

    The band is the 95 % interval of an exact binomial of as many independent rows, wider than that of the design.
    """
    good = _good(dataset)
    free = good["carbon_reduction"] + good["carbon_electricity"]
    grid = free - good["electricity"] * good["grid_emission_factor"]
    for reduction, label, colour, place, side in (
        (grid, "electricity at\nthe grid's factor", ORANGE, 0.4, "right"),
        (free, "electricity counted\nas carbon-free", BLUE, 0.85, "left"),
    ):
        values = np.sort(reduction.mean("winter").values) / 1e3
        exceedance = 1.0 - (np.arange(len(values)) + 0.5) / len(values)
        half = 1.96 * np.sqrt(exceedance * (1.0 - exceedance) / len(values))
        axes.plot(values, 100 * exceedance, color=colour)
        axes.fill_between(values, 100 * (exceedance - half), 100 * (exceedance + half), color=colour, alpha=0.25, lw=0)
        point = (float(np.quantile(values, place)), 100 * (1 - place))
        offset = (-12 if side == "right" else 8, 0)
        axes.annotate(label, point, xytext=offset, textcoords="offset points", color=colour, ha=side)
    claim = json.loads(dataset.attrs["study"]).get("claim")
    if claim:
        amount = float(claim["carbon_reduction"].split()[0]) / 1e3
        axes.axvline(amount, color=GREY, linestyle="--")
        axes.annotate(f"promised: {amount:g} kt", (amount, 97), xytext=(5, 0), textcoords="offset points", color=GREY)
    axes.set_xlabel("carbon reduction in an average winter (kt CO₂)")
    axes.set_ylabel("probability of that much or more (%)")
    axes.set_ylim(0, 100)
    return axes


def unmet_heat_by_winter(dataset: xr.Dataset, axes: Axes) -> Axes:
    """Share of the heat demand that is not met, by winter of life: median and bands over the samples."""
    unmet = 100 * (1 - _good(dataset)["heating_reliability"])
    winters = unmet["winter"].values
    for low, high, alpha in ((0.05, 0.95, 0.2), (0.25, 0.75, 0.35)):
        edges = unmet.quantile([low, high], dim="sample").values
        label = f"{100 * low:.0f}th to {100 * high:.0f}th percentile of samples"
        axes.fill_between(winters, edges[0], edges[1], color=BLUE, alpha=alpha, lw=0, label=label)
    axes.plot(winters, unmet.median("sample").values, color=BLUE, label="median")
    axes.set_xlabel("winter of life")
    axes.set_ylabel("heat demand not met (%)")
    axes.set_xlim(winters[0], winters[-1])
    axes.set_ylim(bottom=0)
    axes.legend(loc="upper left", frameon=False)
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


def _good(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.isel(sample=np.flatnonzero(dataset["status"].values == 0))
