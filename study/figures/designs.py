"""Pictures of several designs: how likely each is to exceed an amount, how they differ, and which are beaten."""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from study.comparison import Comparison
from study.directions import direction
from study.figures.style import colours, ends, legend_above, shown_units
from study.intervals import Array
from study.limits import SHARES
from study.pairing import Pairing, pair
from study.statistics import exceedance, mean

_POINTS = 201  # of a curve
_PURPLE = "#CC79A7"
_LINES = ("-", "--", ":", "-.")
_MOST_KEPT = 0.995  # of the winters' values, beyond which a curve is not drawn


def designs(comparison: Comparison, figure: Figure) -> Figure:
    """Four pictures of a comparison: carbon reduction, hours short, difference of the first output, Pareto front."""
    panels = figure.subplots(2, 2)
    pairing = comparison.pairing
    exceedance_of_designs(pairing, panels[0, 0])
    exceedance_of_designs(pairing, panels[0, 1], "unmet_hours", over_winters=True)
    difference_of_designs(pairing, panels[1, 0], comparison.outputs[0].variable)
    pareto_front(comparison, panels[1, 1])
    return figure


def exceedance_of_designs(
    designs: Mapping[str, xr.Dataset] | Pairing,
    axes: Axes,
    variable: str = "carbon_reduction",
    *,
    over_winters: bool = False,
) -> Axes:
    """How likely each design is to exceed any amount, with the 95 % interval at each amount by itself.

    Parameters
    ----------
    designs
        Ensembles by the names of the designs.
    variable
        (sample,) or (sample, winter).
    over_winters
        Whether of a single winter, what is not known and chance together; else of each sample's mean of its winters.
    """
    pairing = designs if isinstance(designs, Pairing) else pair(designs)
    values = {name: _of(dataset, variable, each_winter=over_winters) for name, dataset in pairing.datasets.items()}
    good = [_good(each) for each in values.values()]
    top = max(np.quantile(each, _MOST_KEPT if over_winters else 1.0) for each in good)
    amounts = np.linspace(min(each.min() for each in good), top, _POINTS)
    for n, (name, each) in enumerate(values.items()):
        colour, line = _look(n)
        value, low, high = 100 * ends(exceedance(each, amounts, over=each.dims))
        axes.fill_between(amounts, low, high, color=colour, alpha=0.2, lw=0)
        axes.plot(amounts, value, color=colour, linestyle=line, label=name)
    words, units = _about(pairing, variable)
    of = "winters" if over_winters else "samples"
    axes.set_xlabel(f"{words},\n{'per winter' if over_winters else _per(pairing, variable)} ({units})")
    axes.set_ylabel(f"{of} above that (%)")
    axes.set_ylim(0, 100 if not over_winters else None)
    axes.set_xlim(amounts[0], amounts[-1])
    legend_above(axes)
    return axes


def difference_of_designs(
    designs: Mapping[str, xr.Dataset] | Pairing, axes: Axes, variable: str = "carbon_reduction"
) -> Axes:
    """How the other designs differ from the first, sample by sample: the share of samples that differ by more.

    Marks are the means of the differences, with their 95 % intervals. Of designs that are not paired nothing differs
    sample by sample, and the axes say so.
    """
    pairing = designs if isinstance(designs, Pairing) else pair(designs)
    first, *others = pairing.datasets
    words, units = _about(pairing, variable)
    axes.set_xlabel(f"{words},\n{_per(pairing, variable)}, less that of {first} ({units})")
    axes.set_ylabel("samples that differ by more (%)")
    if not pairing.paired:
        axes.text(
            *(0.5, 0.5),
            "not paired: no difference\nsample by sample",
            transform=axes.transAxes,
            ha="center",
            va="center",
            color=colours().grey,
        )
        axes.set_xticks([])
        axes.set_yticks([])
        return axes
    base = _of(pairing.datasets[first], variable)
    for n, name in enumerate(others, start=1):
        colour, line = _look(n)
        apart = _of(pairing.datasets[name], variable) - base
        values = np.sort(_good(apart))
        amounts = np.unique(values[np.linspace(0, len(values) - 1, _POINTS).round().astype(int)])
        value, low, high = 100 * ends(exceedance(apart, amounts))
        axes.fill_between(amounts, low, high, color=colour, alpha=0.2, lw=0, step="post")
        axes.step(amounts, value, where="post", color=colour, linestyle=line, label=name)
        centre, left, right = ends(mean(apart))
        height = 100.0 * float((values > centre).mean())
        axes.errorbar(centre, height, xerr=[[centre - left], [right - centre]], fmt="o", ms=5, color=colour, capsize=3)
    axes.axvline(0.0, color=colours().grey, lw=0.8, linestyle="--")
    end = direction(variable)
    if end:
        # in the corners that a falling curve leaves free
        words, x, y, side, edge = (
            ("better →", 0.99, 0.98, "right", "top") if end == "higher" else ("← better", 0.01, 0.02, "left", "bottom")
        )
        axes.text(x, y, words, transform=axes.transAxes, color=colours().grey, ha=side, va=edge)
    axes.set_ylim(0, 100)
    legend_above(axes)
    return axes


def pareto_front(comparison: Comparison, axes: Axes) -> Axes:
    """The designs' means of two objectives, the first and the last, and which designs none beats in all.

    Full marks are on the front. Bars are 95 % intervals: of designs that are paired, of their differences from the
    first, which is what their places beside each other hang on. Objectives between have no axis: the legend has their
    means. Percentages say how often resampled replicates have a design on the front, and in how many samples it is on
    it.
    """
    objectives, pairing = list(comparison.front.objectives), comparison.pairing
    names = [objectives[0], objectives[-1]]
    base = [_of(next(iter(pairing.datasets.values())), name) for name in names]
    for n, each in enumerate(comparison.front.designs):
        colour, _ = _look(n)
        bars = []
        for name, of_first in zip(names, base, strict=True):
            values = _of(pairing.datasets[each.design], name)
            value, low, high = ends(mean(values - of_first if pairing.paired else values))
            bars.append([[value - low], [high - value]])
        x, y = (_percent(name) * each.values[name].value for name in names)
        label = f"{each.design}: on the front in {100 * each.sampling:.0f} % of resampled replicates"
        if each.not_known is not None:
            label += f", in {100 * each.not_known.value:.0f} % of samples"
        between = [_said(pairing, name, each.values[name].value) for name in objectives[1:-1]]
        label = "\n".join([label, *between])
        axes.errorbar(
            *(x, y),
            xerr=bars[0],
            yerr=bars[1],
            fmt="o",
            ms=8,
            color=colour,
            mfc=colour if each.on_front else "none",
            capsize=3,
            label=label,
        )
    for axis, name in zip("xy", names, strict=True):
        words, units = _about(pairing, name)
        end = "more" if comparison.front.objectives[name] == "higher" else "less"
        getattr(axes, f"set_{axis}label")(f"{words},\n{_per(pairing, name)},\n{end} is better ({units})")
    axes.margins(0.15)
    bars_of = f"the difference from {next(iter(pairing.datasets))}" if pairing.paired else "the mean"
    axes.text(
        *(0.02, 0.02),
        f"bars: 95 % interval of {bars_of}",
        transform=axes.transAxes,
        color=colours().grey,
        fontsize="small",
    )
    legend_above(axes, columns=1)
    return axes


def _look(n: int) -> tuple[str, str]:
    """Colour and line of the n-th design."""
    ink = colours()
    cycle = (ink.blue, ink.orange, ink.green, _PURPLE, ink.grey)
    return cycle[n % len(cycle)], _LINES[n % len(_LINES)]


def _percent(variable: str) -> float:
    return 100.0 if variable in SHARES else 1.0


def _of(dataset: xr.Dataset, variable: str, *, each_winter: bool = False) -> xr.DataArray:
    """A variable by sample, or by sample and winter, as it is drawn: shares in percent."""
    values = _percent(variable) * dataset[variable].compute()
    return values.mean("winter") if "winter" in values.dims and not each_winter else values


def _good(values: xr.DataArray) -> Array:
    return np.asarray(values.transpose("sample", ...).values[~values["failed"].values])


def _about(pairing: Pairing, variable: str) -> tuple[str, str]:
    about = next(iter(pairing.datasets.values()))[variable].attrs
    units = "%" if variable in SHARES else shown_units(about["units"])
    return about["long_name"], units


def _said(pairing: Pairing, variable: str, value: float) -> str:
    """A mean as a legend has it."""
    _, units = _about(pairing, variable)
    return f"{variable.replace('_', ' ')} {_percent(variable) * value:,.4g} {units}"


def _per(pairing: Pairing, variable: str) -> str:
    by_winter = "winter" in next(iter(pairing.datasets.values()))[variable].dims
    return "mean of a sample's winters" if by_winter else "of a sample"
