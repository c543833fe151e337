"""A picture of what measurements would narrow."""

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.axes import Axes

from study.figures.style import colours

if TYPE_CHECKING:
    from study.value import Worths

_MOST = 10


def narrowing(found: "Worths", axes: Axes, *, most: int = _MOST) -> Axes:
    """Share of the output's variance that the first measurements, groups and inputs take away, with 95 % intervals."""
    ink = colours()
    parts = [
        (found.measurements, ink.orange, "s", "measurement, with its error"),
        (found.groups, ink.green, "D", "group, known perfectly"),
        (found.inputs, ink.blue, "o", "input, known perfectly"),
    ]
    names: list[str] = []
    for worths, colour, mark, label in parts:
        if not worths:
            continue
        ordered = sorted(worths, key=lambda worth: -worth.variance.value)[:most]
        places = len(names) + np.arange(len(ordered))
        names += [worth.measurement.name for worth in ordered]
        value, low, high = (
            100 * np.array([getattr(worth.variance, end) for worth in ordered]) for end in ("value", "low", "high")
        )
        axes.hlines(places, low, high, color=colour, lw=2, alpha=0.6)
        axes.plot(value, places, mark, color=colour, label=label)
    axes.axvline(0.0, color=ink.grey, lw=0.8)
    axes.set_yticks(np.arange(len(names)), names)
    axes.invert_yaxis()
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=ink.grey, alpha=0.2)
    axes.spines[["top", "right"]].set_visible(False)
    axes.set_xlabel("expected to be taken away from the variance (%)")
    axes.set_title(found.samples.words, fontsize="medium", loc="right")
    axes.legend(frameon=False, fontsize="small")
    return axes
