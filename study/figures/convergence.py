"""A picture of the estimate while samples are added."""

from typing import Literal

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator, StrMethodFormatter

from study.figures.style import colours, ended_well, ends, legend_above, shown_units
from study.statistics import mean

_PREFIXES = 24
_FEWEST = 8


def convergence(
    dataset: xr.Dataset,
    axes: Axes,
    variable: str = "carbon_reduction",
    *,
    show: Literal["value", "half_width"] = "value",
) -> Axes:
    """The mean of an output over samples and winters, of ever longer beginnings of the design.

    A longer study begins with the shorter one, so this is what it would have said with fewer samples. `value`: the mean
    and its 95 % interval; `half_width`: half of that interval, beside that of plain Monte Carlo, which falls with the
    square root of the number of samples.
    """
    ink, good = colours(), ended_well(dataset, axes)
    words, units = good[variable].attrs["long_name"], shown_units(good[variable].attrs["units"])
    life = (good[variable].mean("winter") if "winter" in good[variable].dims else good[variable]).load()
    samples = len(life)
    sizes = np.unique(np.geomspace(min(_FEWEST, samples), samples, _PREFIXES).round().astype(int))
    found = [mean(life.isel(sample=slice(size))) for size in sizes]
    value, low, high = np.stack([ends(each) for each in found], axis=1)
    if show == "value":
        axes.fill_between(sizes, low, high, color=ink.blue, alpha=0.3, lw=0, label="95 % interval")
        axes.plot(sizes, value, color=ink.blue, marker=".", label="mean")
        axes.set_ylabel(f"{words}\nper winter, mean ({units})")
    else:
        half = np.where(high > low, 0.5 * (high - low), np.nan)
        random = 1.96 * float(life.std()) / np.sqrt(sizes)
        axes.plot(sizes, random, color=ink.grey, linestyle="--", label="plain Monte Carlo, expected")
        axes.plot(sizes, half, color=ink.blue, marker=".", label="this design")
        if np.nanmax(np.append(half, 0.0)) > 0:
            axes.set_yscale("log")
            axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
            axes.yaxis.set_major_formatter("{x:,g}")
            axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylabel(f"half of the 95 % interval ({units})")
    axes.set_xscale("log")
    axes.set_xlabel("samples (1)")
    axes.xaxis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_locator(NullLocator())
    ticks = sizes[np.linspace(0, len(sizes) - 1, min(5, len(sizes))).astype(int)]
    axes.set_xticks(ticks)
    legend_above(axes)
    return axes
