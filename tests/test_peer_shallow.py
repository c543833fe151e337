"""The table of borehole fields, and what is read between its entries, against pygfunction (Cimmino and Cook 2022)."""

import sys
from pathlib import Path

import numpy as np
import pytest

from study.shallow import Boreholes, at, lone_response, others

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from borehole_fields import DEPTH, DIFFUSIVITY, LOG_TIMES, interaction

pytestmark = pytest.mark.peer


def between(side: int, spacing: float, depth: float, diameter: float, log_times: np.ndarray) -> np.ndarray:
    """What the others add, as the sizing reads it, (time,)."""
    ground = Boreholes(*(np.full(len(log_times), each) for each in (2.0, 2.0 / DIFFUSIVITY, 10.0, 0.03, depth)))
    ground = ground._replace(spacing=np.full(len(log_times), spacing), diameter=np.full(len(log_times), diameter))
    age = np.exp(log_times) * spacing**2 / DIFFUSIVITY
    answer: np.ndarray = at(others(age, ground), np.full(len(log_times), float(side**2)))
    return answer


@pytest.mark.parametrize(("side", "spacing"), [(2, 0.02), (6, 0.1), (12, 0.045), (24, 0.07), (16, 0.33)])
def test_the_table_is_what_pygfunction_says(side: int, spacing: float) -> None:
    np.testing.assert_allclose(
        between(side, spacing * DEPTH, DEPTH, 0.15, LOG_TIMES),
        interaction(side, spacing, LOG_TIMES),
        rtol=2e-3,
        atol=2e-3,
    )


@pytest.mark.parametrize(
    ("side", "spacing"), [(5, 0.05), (10, 0.035), (20, 0.05), (20, 0.083), (28, 0.055), (40, 0.12)]
)
def test_between_the_entries(side: int, spacing: float) -> None:
    """Other sides, spacings and times: within 1 % of the whole response."""
    log_times = LOG_TIMES[:-1] + 0.23
    ground = Boreholes(*(np.full(len(log_times), each) for each in (2.0, 2.0 / DIFFUSIVITY, 10.0, 0.03)))
    lone = lone_response(np.exp(log_times) * (spacing * DEPTH) ** 2 / DIFFUSIVITY, ground)
    expected = lone + interaction(side, spacing, log_times)
    found = lone + between(side, spacing * DEPTH, DEPTH, 0.15, log_times)
    np.testing.assert_allclose(found, expected, rtol=0.01)


@pytest.mark.parametrize(
    ("depth", "diameter", "low", "high"),
    [(100.0, 0.15, 0.0, 0.015), (150.0, 0.15, -0.015, 2e-3), (60.0, 0.2, 0.0, 0.08), (240.0, 0.12, -0.035, 2e-3)],
)
def test_other_depths_and_diameters(depth: float, diameter: float, low: float, high: float) -> None:
    """A field of 12 x 12 at 6 m: how far the table is off for boreholes of another slenderness than its own."""
    from pygfunction.borefield import Borefield
    from pygfunction.gfunction import gFunction

    log_times = np.arange(-4.5, 5.01, 0.0625)
    age = np.exp(log_times) * 36.0 / DIFFUSIVITY
    field = Borefield.rectangle_field(12, 12, 6.0, 6.0, depth, depth / 60.0, diameter / 2.0)
    options = {"nSegments": 8, "disp": False}
    peer = gFunction(
        field, DIFFUSIVITY, time=age, boundary_condition="UBWT", method="equivalent", options=options
    ).gFunc
    every = slice(8, None, 8)
    ground = Boreholes(*(np.full(len(age[every]), each) for each in (2.0, 2.0 / DIFFUSIVITY, 10.0, 0.03, depth, 6.0)))
    lone = lone_response(age[every], ground._replace(diameter=np.full(len(age[every]), diameter)))
    found = lone + between(12, 6.0, depth, diameter, log_times[every])
    off = found / peer[every] - 1.0
    assert off.min() > low - 1e-3
    assert off.max() < high


def test_equal_heat_is_no_substitute() -> None:
    """What summed lines with equal heat would say after 30 years at 6 m: 1.35 times as much for 10 x 10."""
    from pygfunction.borefield import Borefield
    from pygfunction.gfunction import gFunction

    age = np.geomspace(1e6, 30.0 * 8760.0 * 3600.0, 250)
    field = Borefield.rectangle_field(10, 10, 6.0, 6.0, DEPTH, 2.0, 0.075)
    equal, real = (
        gFunction(
            field, DIFFUSIVITY, time=age, boundary_condition=kind, method="equivalent", options={"disp": False}
        ).gFunc[-1]
        for kind in ("UHTR", "UBWT")
    )
    assert equal / real == pytest.approx(1.35, abs=0.01)
