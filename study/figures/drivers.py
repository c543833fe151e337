"""A picture of what drives an output."""

import numpy as np
from matplotlib.axes import Axes

from study.drivers import Drivers
from study.figures.style import colours


def sobol_indices(drivers: Drivers, axes: Axes, *, most: int = 10) -> Axes:
    """First-order and total index of the groups and of the `most` largest inputs, with 95 % intervals.

    They are those of `study.drivers.what_drives`. Where the two differ, the input acts together with others.
    """
    ink = colours()
    rows = [
        *((group.name, group) for group in drivers.groups),
        *((index.label, index) for index in drivers.inputs[:most]),
    ]
    places = -np.arange(len(rows), dtype=float) - 0.8 * (np.arange(len(rows)) >= len(drivers.groups))
    for kind, colour, marker, fill, shift in (
        ("total", ink.orange, "s", "none", 0.14),
        ("first", ink.blue, "o", ink.blue, -0.14),
    ):
        numbers = [getattr(index, kind) for _, index in rows]
        value, low, high = np.array([(each.value, each.low, each.high) for each in numbers]).T
        label = {"first": "alone (first-order)", "total": "with its interactions (total)"}[kind]
        axes.hlines(places + shift, low, high, color=colour, lw=2, alpha=0.6)
        axes.plot(value, places + shift, marker, color=colour, mfc=fill, ms=6, label=label)
    if drivers.groups:
        axes.axhline(-len(drivers.groups) + 0.1, color=ink.grey, lw=0.8)
    axes.axvline(0.0, color=ink.grey, lw=0.8)
    axes.set_yticks(places, [label for label, _ in rows])
    axes.set_ylim(places[-1] - 0.6, 0.6)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=ink.grey, alpha=0.2)
    when = "mean of all winters" if drivers.winter is None else f"winter {drivers.winter}"
    axes.set_xlabel("share of the variance (1)")
    axes.set_title(f"{drivers.words},\n{when}", fontsize="medium", loc="right")
    axes.legend(loc="best", frameon=False, fontsize="small")
    return axes
