"""How fast cells, modes and time steps get to the exact solution; `python -m tests.test_convergence` prints a table."""

import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).parent))  # for the command; pytest does so too
from exact import solve, talbot
from test_ground import WALLS, around, exact_transforms
from test_well import DIRECTIONS, THREE, UNIFORM, deep_well, outlet

from kernels.ground import HOUR, HOURLY, YEAR, Modes
from study.simulation import CELLS

Array = NDArray[Any]
LOADS = {"heat": {"heat_rate": "300 kW"}, "inlet": {"inlet_temperature": "8 degC"}}
DAYS = [1.0, 10.0, 151.0, 3650.0]


def errors(case: dict[str, Any], **how: Any) -> Array:
    """Of the outlet temperature, K, (time,)."""
    answer: Array = outlet(case, **how) - solve(case)["outlet_temperature"]
    return answer


def study_errors(case: dict[str, Any], cells: int = CELLS) -> Array:
    """With the modes and the hourly steps of a study."""
    return errors(case, cells=cells, modes=HOURLY, first=HOUR, growth=0.0, extrapolate=False)


def mode_error(kind: str, per_decade: float, **how: Any) -> float:
    """Largest relative error of the response of what surrounds a well from an hour to 50 years."""
    settings = {"shortest": 200.0, "first": 600.0, "last": 100.0 * YEAR, "nodes": 32, **how}
    modes = Modes.logarithmic(per_decade=per_decade, **settings)
    times = np.geomspace(HOUR, 50.0 * YEAR, 61)
    instant, weight = modes.own(around(kind))
    exact = np.array([talbot(lambda s: exact_transforms(kind, s)[0] / s, t) for t in times])
    found = (modes.basis(times) @ np.concatenate([instant[None], weight]))[:, 0]
    return float(np.abs(found / exact - 1.0).max())


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_error_falls_with_the_fourth_power_of_the_cell(direction: str) -> None:
    """In a long, slow well, with steps so short that they do not matter."""
    case = deep_well(
        layers=[(4000.0, 2.5, 2.25, 29.0)], direction=direction, load={"heat_rate": "100 kW"}, days=[151.0, 3650.0]
    )
    case["well"] |= {"depth": "4000 m", "flow_rate": "8 m^3/h"}
    error = np.abs([errors(case, cells=cells, first=600.0, growth=0.004) for cells in (2, 4, 8)])
    order = np.log2(error[:-1] / error[1:])
    assert np.all(order > 3.4)
    assert np.all(order < 4.6)
    assert error[-1].max() < 1e-3


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("load", LOADS)
def test_error_falls_with_the_step(direction: str, load: str) -> None:
    """As g ln(1/g), if steps are the share g of the time since the change: heat that ages meets a logarithm.

    Extrapolation takes the logarithm away, a tenth is left of the error, and it falls a little faster.
    """
    case = deep_well(layers=UNIFORM, direction=direction, load=LOADS[load], days=[1.0, 10.0, 151.0])
    growths = (0.04, 0.02, 0.01)
    plain, extrapolated = (
        np.abs([errors(case, cells=20, first=6000.0 * growth, growth=growth, **how) for growth in growths]).max(axis=1)
        for how in ({"extrapolate": False}, {"extrapolate": True})
    )
    order = np.log2(plain[:-1] / plain[1:])
    assert np.all(np.abs(order - 1.0) < 0.15)
    assert np.all(plain / extrapolated > 10.0)
    assert np.all(extrapolated[:-1] / extrapolated[1:] > 1.6)
    assert extrapolated[-1] < 2e-4


@pytest.mark.parametrize("kind", WALLS)
def test_error_falls_exponentially_with_the_modes(kind: str) -> None:
    error = [mode_error(kind, per_decade) for per_decade in (1.0, 2.0, 3.0)]
    factors = np.divide(error[:-1], error[1:])
    assert np.all(factors > 10.0)
    assert error[-1] < 1e-4


@pytest.mark.parametrize("direction", DIRECTIONS)
@pytest.mark.parametrize("layers", [UNIFORM, THREE], ids=["uniform", "three layers"])
@pytest.mark.parametrize("load", LOADS)
def test_study_is_fine_enough(direction: str, layers: Any, load: str) -> None:
    """Cells, modes and hourly steps of a study: within 0.06 K after a day, 5 mK after ten, 2 mK after a winter."""
    error = np.abs(study_errors(deep_well(layers=layers, direction=direction, load=LOADS[load], days=DAYS)))
    assert np.all(error < [0.06, 0.005, 0.002, 0.002])


def test_study_has_cells_enough() -> None:
    """Twice as many change the outlet temperature by 3 mK after a day, 1.5 mK after ten: less than the hourly step."""
    for direction in DIRECTIONS:
        for load in LOADS.values():
            case = deep_well(layers=THREE, direction=direction, load=load, days=DAYS)
            change = np.abs(np.subtract(study_errors(case), study_errors(case, 2 * CELLS)))
            assert np.all(change < [0.003, 0.0015, 0.001, 0.0005])


def table() -> str:
    """Errors of a study's discretisation, as rows for a document."""
    lines = ["| flow | load | cells | " + " | ".join(f"{day:g} d, mK" for day in DAYS) + " |", "|---" * 7 + "|"]
    for direction in DIRECTIONS:
        for load in LOADS:
            case = deep_well(layers=THREE, direction=direction, load=LOADS[load], days=DAYS)
            for cells in (3, 4, CELLS, 6, 2 * CELLS, 4 * CELLS):
                error = " | ".join(f"{1e3 * each:.1f}" for each in study_errors(case, cells))
                lines.append(f"| {direction} | {load} | {cells} | {error} |")
    lines += ["", "| walls | " + " | ".join(f"{n:g} a decade" for n in (1.0, 1.5, 2.0, 3.0, 4.0)) + " | study |"]
    lines += ["|---" * 7 + "|"]
    for kind in WALLS:
        error = " | ".join(f"{mode_error(kind, n):.0e}" for n in (1.0, 1.5, 2.0, 3.0, 4.0))
        study = mode_error(kind, 2.0, shortest=0.3 * HOUR, first=HOUR, nodes=16)
        lines.append(f"| {kind} | {error} | {study:.0e} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table())
