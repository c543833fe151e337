"""Pictures of a sweep: an output against what is swept."""

import itertools
from collections.abc import Sequence

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from study.config import full_key, study_of
from study.errors import EnsembleError
from study.figures.style import colours, ends, legend_above, shown_units
from study.limits import SHARES
from study.quantity import short
from study.statistics import mean, usable
from study.sweep import SweptStudy, designs_at

_LINES = ("-", "--", ":", "-.")
_PURPLE = "#CC79A7"
_MOST_LINES, _MOST_TICKS = 5, 12
_QUANTILES = (0.05, 0.95)


def against_swept_key(
    dataset: xr.Dataset,
    axes: Axes,
    variable: str = "carbon_reduction",
    *,
    key: str | None = None,
    at: Sequence[str] = (),
) -> Axes:
    """An output against a key that is swept, a line for each combination of the others.

    Marks are the means of all samples with their 95 % intervals, which more samples make narrower. Bands have 90 % of
    the samples, each the mean of its winters: what is not known of the site, and stays so.

    Parameters
    ----------
    dataset
        The ensemble of a sweep.
    variable
        (sample, ...) or (sample, ..., winter).
    key
        The key along the axis, the first one unless given.
    at
        Values of others that are drawn alone, as of `study.sweep.designs_at`.

    Raises
    ------
    EnsembleError
        When it is no sweep, has no such key, more than five combinations of the others, or too many failed samples.
    """
    study = study_of(dataset.attrs)
    if not isinstance(study, SweptStudy):
        raise EnsembleError("an ensemble of one design; this draws a sweep")
    keys = [axis.key for axis in study.sweep]
    along = next((n for n, each in enumerate(keys) if key is None or full_key(each) == full_key(key)), None)
    if along is None:
        raise EnsembleError(f"{short(key)} is not swept; allowed: {', '.join(keys)}")
    axis = study.sweep[along]
    others = [each for n, each in enumerate(study.sweep) if n != along]
    lines: dict[tuple[str, ...], dict[str, xr.Dataset]] = {}
    drawn = designs_at(dataset, at, store="the ensemble")
    for design, place in zip(study.designs, itertools.product(*(each.labels for each in study.sweep)), strict=True):
        if design.name in drawn:
            lines.setdefault((*place[:along], *place[along + 1 :]), {})[place[along]] = drawn[design.name]
    if len(lines) > _MOST_LINES:
        raise EnsembleError(f"{len(lines)} lines; allowed: {_MOST_LINES}, of values chosen with `at`")
    ink = colours()
    along_axis = dict(zip(axis.labels, axis.numbers or range(len(axis.labels)), strict=True))
    scale = 100.0 if variable in SHARES else 1.0
    for n, (labels, row) in enumerate(lines.items()):
        colour = (ink.blue, ink.orange, ink.green, _PURPLE, ink.grey)[n]
        x = np.array([along_axis[label] for label in row], dtype=float)
        values = [usable(each)[variable].load() for each in row.values()]
        middle = np.array([ends(mean(_by_sample(each))) for each in values])
        spread = np.array([np.quantile(_by_sample(each)[~each["failed"]], _QUANTILES) for each in values])
        value, low, high = scale * middle.T
        words = ", ".join(f"{other.key} {label}" for other, label in zip(others, labels, strict=True))
        if axis.numbers:
            axes.fill_between(x, *(scale * spread.T), color=colour, alpha=0.15, lw=0)
            axes.plot(x, scale * spread, color=colour, lw=0.6, linestyle=_LINES[n % len(_LINES)])
        else:
            axes.vlines(x, *(scale * spread.T), color=colour, alpha=0.3, lw=6)
        axes.errorbar(
            *(x, value),
            yerr=[value - low, high - value],
            fmt="o",
            ms=4,
            capsize=3,
            color=colour,
            linestyle=_LINES[n % len(_LINES)] if axis.numbers else "none",
            label=words or "mean, with its 95 % interval",
        )
    about = dataset[variable].attrs
    units = "%" if variable in SHARES else shown_units(about["units"])
    by_winter = "mean of a sample's winters" if "winter" in dataset[variable].dims else "of a sample"
    axes.set_ylabel(f"{about['long_name']},\n{by_winter} ({units})")
    words = axis.key if axis.units == "1" else f"{axis.key} ({shown_units(axis.units)})"
    axes.set_xlabel(f"{words}\nmarks: mean, 95 % interval; bands: 90 % of the samples")
    if not axis.numbers or len(axis.labels) <= _MOST_TICKS:
        ticks = list(along_axis.values())
        axes.set_xticks(ticks, axis.labels if not axis.numbers else [f"{each:g}" for each in ticks])
    legend_above(axes)
    return axes


def _by_sample(values: xr.DataArray) -> xr.DataArray:
    """Of each sample, the mean of its winters."""
    return values.mean("winter") if "winter" in values.dims else values
