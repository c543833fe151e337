"""hotland's well and chain against finite volumes, pygfunction and the core's peak: `python benchmarks/bench.py`.

Well: 2,900 m, 30 m³/h, uniform rock, pure resistances, 350 kW for a year, hour by hour, for each flow direction.
hotland computes it with what a study uses (`modes`), finite volumes on the cheapest grids that are within 5 mK from 10
days to 30 years, in rocks of 1.6, 2.5 and 3.6 W/m/K (`finite_volumes`). Plain grids have their nodes where textbooks
put them. In hourly steps none of them can be within 5 mK, since the steps alone are off by more: one is refined in its
steps too, a second keeps the hour and has the steps' error forgiven. Tuned grids, whose rings make up for the steps in
this very well, are within 5 mK in hourly steps. The errors shown are against the exact solution. Chain: a lone well
under generated weather for ten winters (`chain`), whose heat of each season must agree within 0.1 %.

Everything runs on one core with one thread, compiled before; what is compared takes turns (A B A B …), and the table
shows medians with the quartiles of the runs. A well-hour is an hour of one sample with circulation. pygfunction, if it
is installed, runs after the turns. `--markdown FILE` writes the tables for the documentation as well.
"""

import argparse
import os
import platform
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import llvmlite  # type: ignore[import-untyped]
import numba
import numpy as np

sys.path.insert(1, str(Path(__file__).parents[1]))
import chain
import exact
import finite_volumes
import modes
import pygfunction_load
from breakdown import breakdown
from finite_volumes import HEAT, Array, Grid, base_case, cut
from peak import peak
from rich.console import Console
from rich.table import Table

from kernels import LANES
from kernels.ground import HOURLY
from study.simulation import CELLS

YEAR, WINTERS, REPETITIONS = 8760, 10, 15
GRIDS = {
    (True, "plain"): Grid(8, 56, 150.0, 1.1, "middle", steps=2),
    (False, "plain"): Grid(36, 64, 100.0, 1.08, "middle", steps=2),
    (True, "plain, hourly"): Grid(8, 48, 150.0, 1.1, "middle"),
    (True, "tuned"): Grid(8, 14, 200.0, 1.7, "tuned"),
    (False, "plain, hourly"): Grid(28, 50, 100.0, 1.1, "middle"),
    (False, "tuned"): Grid(36, 16, 200.0, 1.6, "tuned"),
}
"""The cheapest grids for either direction (annulus down or not): `python benchmarks/finite_volumes.py`."""
KINDS = ("plain", "plain, hourly", "tuned")
DIRECTIONS = {True: "annulus down", False: "inner pipe down"}
LARGEST_DIFFERENCE = 1e-3

Run = Callable[[], float]
"""Runs some work and returns its time for a well-hour, s."""
Row = tuple[str, ...]


def timed(work: Callable[[], object], well_hours: int) -> Run:
    """Time some work."""

    def run() -> float:
        start = time.perf_counter()
        work()
        return (time.perf_counter() - start) / well_hours

    return run


def modes_well(annulus_down: bool) -> Run:
    """A year of constant heat from LANES wells of hotland, without any plant."""
    return timed(partial(modes.constant_heat, modes.wells(annulus_down=annulus_down), hours=YEAR), YEAR * LANES)


def finite_volumes_well(grid: Grid, annulus_down: bool) -> Run:
    """The same with finite volumes, one sample."""
    well, load = cut(exact.well_of(exact.si(base_case(annulus_down=annulus_down))), grid), np.full(YEAR, HEAT)
    return timed(lambda: finite_volumes.outlet_temperature(well, load, steps=grid.steps), YEAR)


def finite_volumes_chain(grid: Grid, winters: int, sample: int = 0) -> Array:
    """`chain.SUMS` with finite volumes, (winter, sum)."""
    well = cut(exact.well_of(exact.si(base_case())), grid)
    return chain.run_chain(well, chain.Plant(), winters=winters, sample=sample, steps=grid.steps)


def chain_difference(grid: Grid, *, winters: int, samples: int) -> float:
    """Largest relative difference of a season's extracted heat between the two chains.

    Raises
    ------
    RuntimeError
        When it is above 0.1 %: then the two do not compute the same.
    """
    place = chain.SUMS.index("heat_extracted")
    expected = modes.run_chain(winters=winters)[:, place]
    got = np.array([finite_volumes_chain(grid, winters, sample)[:, place] for sample in range(samples)])
    difference = float(np.abs(got.T / expected[:, :samples] - 1.0).max())
    if difference > LARGEST_DIFFERENCE:
        raise RuntimeError(f"the chains' heat_extracted must agree within 0.1 %, got {difference:.2%}")
    return difference


def take_turns(runs: dict[str, Run]) -> dict[str, Array]:
    """Each run once to warm up, then all in turn, REPETITIONS times."""
    for run in runs.values():
        run()
    rounds = [{name: run() for name, run in runs.items()} for _ in range(REPETITIONS)]
    return {name: np.array([each[name] for each in rounds]) for name in runs}


def quartiles(values: Array, decimals: int) -> tuple[str, str]:
    """Median, and the quartiles, as text."""
    low, middle, high = (f"{each:.{decimals}f}" for each in np.quantile(values, [0.25, 0.5, 0.75]))
    return middle, f"{low} – {high}"


def notes() -> dict[str, str]:
    """How each run computes, and how good it is."""
    text = {}
    for annulus_down, direction in DIRECTIONS.items():
        answers = finite_volumes.exact_answers(annulus_down=annulus_down)
        outlets = modes.outlets(annulus_down=annulus_down)
        error = max(float(np.abs(outlets[k] - answer).max()) for k, answer in answers.items())
        count = len(HOURLY.time_constant)
        text[f"hotland, {direction}"] = f"{CELLS} cells × 2 nodes × {count} modes, {LANES} lanes: {error * 1e3:.1f} mK"
        for kind in KINDS:
            grid = GRIDS[annulus_down, kind]
            error = finite_volumes.largest_error(grid, answers, annulus_down=annulus_down)
            note = f"{grid.cells} cells × {grid.rings} rings, {grid.steps} steps an hour: {error * 1e3:.1f} mK"
            if kind == "plain, hourly":
                forgiven = finite_volumes.hourly_answers(annulus_down=annulus_down)
                error = finite_volumes.largest_error(grid, forgiven, annulus_down=annulus_down)
                note += f", {error * 1e3:.1f} without the steps' own"
            text[f"finite volumes, {direction}, {kind}"] = note
    for kind in KINDS:
        difference = chain_difference(GRIDS[True, kind], winters=WINTERS, samples=4)
        text[f"finite volumes, chain, {kind}"] = f"heat of a season within {difference:.3%} of hotland's"
    return text


def comparison() -> tuple[list[Row], list[Row]]:
    """Rows of the first table, and of the one on the core's peak."""
    chain_hours = WINTERS * 24 * chain.DAYS
    runs: dict[str, Run] = {}
    for annulus_down, direction in DIRECTIONS.items():
        runs[f"hotland, {direction}"] = modes_well(annulus_down)
        for kind in KINDS:
            grid = GRIDS[annulus_down, kind]
            runs[f"finite volumes, {direction}, {kind}"] = finite_volumes_well(grid, annulus_down)
    runs["hotland, chain"] = timed(lambda: modes.run_chain(winters=WINTERS), chain_hours * LANES)
    for kind in KINDS:
        grid = GRIDS[True, kind]
        runs[f"finite volumes, chain, {kind}"] = timed(partial(finite_volumes_chain, grid, WINTERS), chain_hours)
    compared = list(runs)
    for bits in (256, 512):
        runs[f"peak of the core, {bits} bits"] = partial(seconds_for_gigaflop, bits)
    times, text = take_turns(runs), notes()

    rows: list[Row] = []
    fast = ""
    for name in compared:
        if name.startswith("hotland"):
            fast = name
        ratio = quartiles(times[name] / times[fast], 1) if name != fast else ("1", "")
        rows.append((name, *quartiles(times[name] * 1e6, 3), *ratio, text.get(name, "")))
    try:
        took = np.array([pygfunction_load.seconds_per_hour(years=1, rows=4, columns=7) for _ in range(5)])
        ratio = quartiles(took / np.median(times[compared[0]]), 0)
        note = "load aggregation over a year; borehole walls only, any field"
        rows.append(("pygfunction", *quartiles(took * 1e6, 1), *ratio, note))
    except ImportError:
        rows.append(("pygfunction", "", "", "", "", "not installed: pip install pygfunction"))
    achieved = modes.operations() / np.median(times[compared[0]]) / 1e9
    peaks = [(name, 1.0 / float(np.median(times[name]))) for name in runs if name not in compared]
    shares = [(f"– share of {name}", f"{achieved / rate:.0%}") for name, rate in peaks]
    of_peak = [(name, f"{rate:.1f} GFLOP/s") for name, rate in peaks]
    achieved_row = (f"{compared[0]}: {modes.operations():.0f} operations in a well-hour", f"{achieved:.1f} GFLOP/s")
    return rows, [*of_peak, achieved_row, *shares]


def seconds_for_gigaflop(bits: int) -> float:
    """Time of 10⁹ operations at the core's peak, s."""
    return 1.0 / peak(bits, rounds=1_000_000)


def machine() -> str:
    """What it ran on."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")
    versions = ", ".join(f"{each.__name__} {each.__version__}" for each in (numba, llvmlite, np))
    cores = f"{model or platform.processor()}, one of {os.cpu_count()} cores"
    return f"{cores}; Python {platform.python_version()}, {versions}"


def markdown(header: Row, rows: list[Row]) -> str:
    """A table in Markdown, all columns but the first and the text at the end flushed right."""
    rule = [":--", *("--:" for _ in header[1:])]
    if len(header) > 3:
        rule[-1] = ":--"
    return "\n".join(f"| {' | '.join(row)} |" for row in (header, tuple(rule), *rows)) + "\n"


def main() -> None:
    """Measure, and print the tables."""
    parser = argparse.ArgumentParser(description="hotland's kernels against finite volumes, pygfunction and the peak.")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as Markdown too")
    asked = parser.parse_args()
    numba.set_num_threads(1)
    if hasattr(os, "sched_setaffinity"):
        os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})
    compared, of_peak = comparison()
    tables: dict[str, tuple[Row, list[Row]]] = {
        f"Time of a well-hour, medians of {REPETITIONS} turns": (
            ("", "µs", "quartiles", "× hotland's", "quartiles", "grid and largest error of the outlet"),
            compared,
        ),
        "Double precision, fused multiply-adds as two": (("", ""), of_peak),
        f"Where the time goes: {LANES} samples of the Shenyang study through all winters": (
            ("", "ns per well-hour", "share"),
            breakdown(),
        ),
    }
    console = Console(width=170)
    console.print(machine())
    for title, (header, rows) in tables.items():
        table = Table(title=title)
        for number, name in enumerate(header):
            table.add_column(name, justify="left" if number in (0, 5) else "right")
        for row in rows:
            table.add_row(*row)
        console.print(table)
    if asked.markdown is not None:
        parts = [f"## {title}\n\n{markdown(header, rows)}" for title, (header, rows) in tables.items()]
        asked.markdown.write_text("\n".join(["# Benchmarks\n", f"{__doc__}", f"Run on: {machine()}.\n", *parts]))


if __name__ == "__main__":
    main()
