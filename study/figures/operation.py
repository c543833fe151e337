"""A picture of what readings of the wells made of an ensemble."""

import numpy as np
from matplotlib.figure import Figure

from study.errors import EnsembleError
from study.figures.style import colours
from study.intervals import Array
from study.updating import Change, Update

_MOST = 3
_BINS = 24


def learned(found: Update, figure: Figure) -> Figure:
    """Outlet temperatures that were read, beside what the samples say before and after; and the inputs most narrowed.

    Bands are 90 % of the samples, without the errors of the readings. Where a new run is needed, what is after is so
    with the part of the readings' weight that enough samples bear (`study.updating.Update.part`). EnsembleError where
    no sample explains the readings, so that nothing is learnt.
    """
    if found.unexplained:
        raise EnsembleError(found.unexplained)
    ink = colours()
    top, below = figure.subfigures(2, 1, squeeze=False, height_ratios=[1.2, 1.0])[:, 0]
    axes = top.subplots()
    time = 365 * found.readings.winter + found.readings.day + 1
    predicted = found.predicted["outlet_temperature"]
    even = np.full(len(predicted), 1.0 / len(predicted))
    weighted = found.bearable.weight
    after = f"after {100 * found.part:.2g} % of the readings' weight" if found.needs_run else "after"
    for weight, colour, label in (
        (even, ink.grey, "90 % of the samples before"),
        (weighted, ink.blue, f"90 % {after}"),
    ):
        low, high = np.array(
            [np.quantile(day, [0.05, 0.95], weights=weight, method="inverted_cdf") for day in predicted.T]
        ).T
        for winter in np.unique(found.readings.winter):
            of = found.readings.winter == winter
            axes.fill_between(
                time[of], low[of], high[of], color=colour, alpha=0.3, lw=0, label=label if winter == 0 else None
            )
    axes.plot(time, found.readings.outlet, ".", color=ink.orange, ms=4, label="read")
    axes.set_xlabel(f"days since {found.study.season.start} of the first winter (d)")
    axes.set_ylabel("water leaving the wells (°C)")
    axes.legend(frameon=False, ncols=3, loc="upper right")
    changes = [change for change in found.changes if change.moved] or list(found.changes)
    panels = np.atleast_1d(below.subplots(1, min(_MOST, len(changes)), squeeze=False)[0])
    for panel, change in zip(panels, changes, strict=False):
        values = found.inputs[change.key]
        _histogram(panel, values, even, ink.grey, "before")
        _histogram(panel, values, weighted, ink.blue, "after")
        panel.set_xlabel(_label(change))
        panel.set_yticks([])
        panel.set_ylim(bottom=0)
    panels[0].set_ylabel("density")
    panels[0].legend(frameon=False, fontsize="small")
    for each in (axes, *panels):
        each.spines[["top", "right"]].set_visible(False)
    return figure


def _histogram(axes, values: Array, weight: Array, colour: str, label: str) -> None:  # type: ignore[no-untyped-def]
    edges = np.linspace(values.min(), values.max(), _BINS + 1)
    axes.hist(values, edges, weights=weight, density=True, color=colour, alpha=0.4, label=label)


def _label(change: Change) -> str:
    unit = "" if change.unit == "1" else f" ({change.unit.replace('degC', '°C')})"
    return f"{change.key.split('.', 1)[-1] if change.key.count('.') == 1 else change.key}{unit}"
