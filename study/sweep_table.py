"""The answer of a sweep: a line for each design, with the main outputs and their intervals."""

import itertools
import math
from dataclasses import dataclass
from typing import Any

import xarray as xr
from rich.console import Console
from rich.table import Table

from study import statistics
from study.config import study_of
from study.errors import EnsembleError
from study.json_text import json_text
from study.statistics import MOST_FAILED, Estimate, estimate, usable
from study.sweep import SweptStudy, designs

COLUMNS = {
    "carbon_reduction_mean": ("carbon reduction of a winter, mean", "t CO2"),
    "heating_reliability_mean": ("delivered over demanded heat", "%"),
    "unmet_hours_mean": ("hours short of a winter, mean", "h"),
    "p_no_shortfall": ("winters without any shortfall", "%"),
}
"""What the table tells of each design: words and units."""
_LONGEST_PART = 16  # characters of a key in a line of its heading


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes
    ----------
    design
        Its name.
    at
        What each key that is swept says.
    samples, failed
        Its samples, and those of them that failed.
    estimates
        By the names of `COLUMNS`; none where too many failed.
    remark
        Why there are none.
    """

    design: str
    at: dict[str, str]
    samples: int
    failed: int
    estimates: dict[str, Estimate]
    remark: str = ""


def table_of(dataset: xr.Dataset, *, most_failed: float = MOST_FAILED) -> list[Row]:
    """Return a line for each design of a sweep's ensemble.

    Parameters
    ----------
    most_failed
        Largest share of a design's samples that may have failed.

    Raises
    ------
    EnsembleError
        When it is not that of a sweep.
    """
    names = ("status", "replicate", "carbon_reduction", "heating_reliability", "unmet_hours")
    there = dataset[list(names)].compute()
    study = study_of(dataset.attrs)
    axes = study.sweep if isinstance(study, SweptStudy) else ()
    labels = itertools.product(*(axis.labels for axis in axes))
    return [
        _row(name, {axis.key: label for axis, label in zip(axes, at, strict=True)}, each, most_failed)
        for (name, each), at in zip(designs(there).items(), labels, strict=True)
    ]


def _row(name: str, at: dict[str, str], dataset: xr.Dataset, most_failed: float) -> Row:
    samples, failed = dataset.sizes["sample"], int((dataset["status"] != 0).sum())
    if failed == samples:
        return Row(name, at, samples, failed, {}, "no sample ended well" if samples else "no sample is done")
    try:
        good = usable(dataset, most_failed)
    except EnsembleError as error:
        return Row(name, at, samples, failed, {}, str(error))
    how: Any = {"over": ("sample", "winter"), "design": study_of(dataset.attrs).design, "most_failed": most_failed}
    carbon, hours = good["carbon_reduction"], good["unmet_hours"]
    found = {
        "carbon_reduction_mean": statistics.mean(carbon, **how),
        "heating_reliability_mean": statistics.mean(good["heating_reliability"], limits=(0.0, 1.0), **how),
        "unmet_hours_mean": statistics.mean(hours, limits=(0.0, None), **how),
        "p_no_shortfall": statistics.probability(hours == 0, **how),
    }
    return Row(name, at, samples, failed, {key: estimate(value) for key, value in found.items()})


def print_designs(rows: list[Row], console: Console) -> None:
    """Print the table."""
    table = Table(
        box=None, pad_edge=False, title=f"{len(rows)} designs, 95 % intervals in brackets", title_justify="left"
    )
    lines = [[_cell(row.estimates[key], COLUMNS[key][1]) for key in COLUMNS] if row.estimates else [] for row in rows]
    for key in rows[0].at:
        table.add_column(_in_lines(key), overflow="fold")
    for n, (words, units) in enumerate(COLUMNS.values()):
        widest = max((len(cells[n]) for cells in lines if cells), default=0)
        table.add_column(f"{words} ({units})", justify="right", min_width=widest)
    for row, cells in zip(rows, lines, strict=True):
        table.add_row(*row.at.values(), *(cells or [row.remark]))
    width = max(console.width, console.measure(table).minimum)  # a number and its interval stay in a line
    console.print(table, width=width, crop=False)
    if failed := sum(row.failed for row in rows):
        console.print(f"{failed:,} of {sum(row.samples for row in rows):,} samples failed and are left out")


def _in_lines(key: str) -> str:
    """A whole key, as the file writes it, in lines so short that there is room for several keys."""
    parts = (part if len(part) <= _LONGEST_PART else part.replace("_", "_\n") for part in key.split("."))
    return ".\n".join(parts)


def _cell(found: Estimate, units: str) -> str:
    scale = 100.0 if units == "%" else 1.0
    value, low, high = (scale * each for each in (found.value, found.low, found.high))
    half = (high - low) / 2
    digits = max(0, min(4, 1 - math.floor(math.log10(half)))) if math.isfinite(half) and half > 0 else 2
    ends = [f"{end:,.{digits}f}" if math.isfinite(end) else "?" for end in (low, high)]
    return f"{value:,.{digits}f} [{ends[0]}, {ends[1]}]"


def to_json(rows: list[Row]) -> str:
    """Return the table for a program; an end that there is not is null."""
    return json_text({"designs": rows, "columns": {key: {"words": w, "units": u} for key, (w, u) in COLUMNS.items()}})
