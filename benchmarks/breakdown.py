"""Where the time of a study goes: LANES samples of `configs/shenyang.yaml` through all winters, on one core.

The parts of `study.simulation` are timed where they are called; for the temperature of the loop the wells are prepared
twice, and the first winter runs twice. The parts of an hour, which are compiled into one loop, run by themselves over
the records of a season, over and over: each then finds more of its numbers in the nearest cache.
"""

import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
from numba import njit

import kernels.season as season
import study.simulation as simulation
from kernels import LANES, weather
from kernels.operation import field_of, records_of, undisturbed_state
from kernels.season import WIDTH
from study.config import Study, load_study
from study.wells import with_fluid

STUDY = Path(__file__).parents[1] / "configs" / "shenyang.yaml"
REPETITIONS = 5
PARTS = {
    "hours of the seasons": (simulation, "heating_season"),
    "weather: random numbers": (weather, "innovations"),
    "weather: temperatures": (weather, "winter_temperatures"),
    "demand": (simulation, "demand"),
    "outages": (simulation, "working_units"),
    "summers": (simulation, "summer_rest"),
    "interference of the wells": (simulation, "mean_cooling"),
    "preparing wells": (simulation._Life, "of"),
    "sampling": (simulation, "sample_inputs"),
    "checks of the inputs": (simulation, "screen"),
}


def parts_of_study(study: Study) -> dict[str, float]:
    """Time of each part of PARTS, of `everything`, and of what is left, ns for a well-hour."""
    took: dict[str, float] = defaultdict(float)

    def timed(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def run(*arguments: Any, **options: Any) -> Any:
            start = time.perf_counter()
            answer = function(*arguments, **options)
            took[name] += time.perf_counter() - start
            return answer

        return run

    patches = [patch.object(owner, name, timed(part, getattr(owner, name))) for part, (owner, name) in PARTS.items()]
    for each in patches:
        each.start()
    try:
        timed("everything", simulation.simulate)(study, np.arange(LANES))
    finally:
        for each in patches:
            each.stop()
    took["the rest"] = 2.0 * took["everything"] - sum(took.values())
    hours = LANES * study.winters * 24 * study.season.days
    return {name: value / hours * 1e9 for name, value in took.items()}


@njit
def _up(rounds, cell, segment, flow, well, at):  # type: ignore[no-untyped-def]
    for _ in range(rounds):
        for k in range(len(cell) - 1, -1, -1):
            season.cell_up(cell, segment, flow, well, k, at[k])


@njit(error_model="numpy")
def _plant(rounds, cell, flow, well, fixed, totals, winter):  # type: ignore[no-untyped-def]
    today = np.empty((season.DAY, season.HOUR_ROWS * WIDTH))
    for hour in range(rounds):
        at = hour % season.DAY
        if at == 0:
            season.load_day(winter, hour % len(winter.outdoor), 0, today)
        season.run_heat_pumps(cell, flow, well, today[at], fixed, totals, 1)
        season.run_heaters(well, today[at], fixed, totals)
        season.count_hour(well, today[at], fixed, totals, 1)
        season.close_hour(well, fixed, totals)


@njit
def _down(rounds, cell, segment, flow, well, decay, at):  # type: ignore[no-untyped-def]
    for _ in range(rounds):
        for k in range(len(cell)):
            season.cell_down(cell, segment, flow, well, decay, k, at[k])


@njit
def _day(rounds, cell, at, decay, weight, memory, undisturbed):  # type: ignore[no-untyped-def]
    for _ in range(rounds // season.DAY):
        season.begin_day(cell, at, decay, weight, memory, undisturbed)
        season.end_day(cell, decay, memory)


def parts_of_hour(study: Study, rounds: int = 24 * 500) -> dict[str, float]:
    """Time of each part of an hour by itself, ns for a well-hour, the shortest of seven."""
    inputs = simulation.sample_inputs(study, np.arange(LANES))
    life = simulation._Life.of(study, with_fluid(inputs, study.fluid.medium, np.full(LANES, simulation.FIRST_GUESS)))
    wells, steps, these = life.wells, life.circuit.steps[-1], slice(0, WIDTH)
    at, decay, weight = wells.column.segment, steps.decay, wells.weight[..., these].copy()
    records = records_of(undisturbed_state(wells), wells, steps, these)
    undisturbed = wells.column.undisturbed[:, these].copy()
    memory = undisturbed_state(wells).memory[..., these].reshape(len(undisturbed), -1)
    weight = weight.reshape(len(weight), -1)
    circuit = life.circuit
    rows = [*circuit.plant, *np.ones((16, LANES)), *circuit.peak, *circuit.reserve, *field_of(wells)]
    fixed, totals = np.stack(rows)[:, these].ravel(), np.zeros(len(season.Season._fields) * WIDTH)
    outdoor = np.random.default_rng(1).normal(-5.0, 8.0, (24 * 151, WIDTH))
    winter = season.Winter(
        outdoor,
        np.maximum(0.0, 16.0 - outdoor) * 6e5,
        np.full_like(outdoor, 18.0),
        np.ones(len(outdoor), dtype=np.uint8),
        np.ones((season.GROUPS, 1, WIDTH), dtype=np.int16),
    )
    cell, segment, flow, well = records
    season.begin_day(cell, at, decay, weight, memory, undisturbed)

    def shortest(run: Callable[..., None], *arguments: Any) -> float:
        run(season.DAY, *arguments)

        def once() -> float:
            start = time.perf_counter()
            run(rounds, *arguments)
            return time.perf_counter() - start

        return min(once() for _ in range(7)) / rounds / WIDTH * 1e9

    return {
        "sweep up": shortest(_up, cell, segment, flow, well, at),
        "plant": shortest(_plant, cell, flow, well, fixed, totals, winter),
        "sweep down, fast modes": shortest(_down, cell, segment, flow, well, decay, at),
        "start and end of the day, slow modes": shortest(_day, cell, at, decay, weight, memory, undisturbed),
    }


def breakdown() -> list[tuple[str, ...]]:
    """Rows of a table: part, ns for a well-hour (median of REPETITIONS), share of everything."""
    study = load_study(STUDY).with_overrides(samples=LANES)
    parts_of_study(study.model_copy(update={"winters": 2}))  # compiles
    turns = [parts_of_study(study) for _ in range(REPETITIONS)]
    took = {name: float(np.median([each[name] for each in turns])) for name in turns[0]}
    total = took.pop("everything")
    of_hour = {f"– {name}, by itself": value for name, value in parts_of_hour(study).items()}
    hours = {"hours of the seasons": took.pop("hours of the seasons")}
    rest = {"the rest": took.pop("the rest")}
    shown = hours | of_hour | dict(sorted(took.items(), key=lambda item: -item[1])) | rest | {"everything": total}
    return [(name, f"{value:.1f}", f"{value / total:.0%}") for name, value in shown.items()]
