"""The counterflow against exact solutions and its own equations; resistances and friction against values by hand."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from exact import si
from numpy.typing import NDArray
from ruamel.yaml import YAML
from scipy.linalg import expm

from kernels.coaxial import (
    Fluid,
    Pipes,
    eliminate,
    friction_pressure_drop,
    nusselt_number,
    petukhov_friction_factor,
    reynolds_number,
    sweep_down,
    sweep_up,
    thermal_resistances,
)

Array = NDArray[Any]
WELLS = sorted((Path(__file__).parent / "wells").glob("*.yaml"))
WATER = Fluid(*map(np.asarray, (998.0, 4186.0, 0.6, 1e-3)))
PIPES = Pipes.of_sizes(
    borehole_diameter=np.asarray(0.2413),
    casing_outer_diameter=np.asarray(0.1778),
    casing_wall=np.asarray(0.00919),
    inner_pipe_outer_diameter=np.asarray(0.110),
    inner_pipe_wall=np.asarray(0.010),
    casing_conductivity=np.asarray(40.0),
    grout_conductivity=np.asarray(1.5),
    inner_pipe_conductivity=np.asarray(0.42),
)


class Step(NamedTuple):
    """What one step of the counterflow gives: (lane,) at top and bottom, means and flux (cell, lane)."""

    outlet: Array
    bottom: Array
    bottom_up: Array
    down: Array
    up: Array
    flux: Array


def step(m: Array, conductances: list[Array], wall: Array, down: Array, up: Array, inlet: Array) -> Step:
    """One step; `conductances` as `eliminate` takes them: g_down, g_up, g_12, storage_down, storage_up."""
    cells, lanes = wall.shape
    sweep, ratio = np.empty((10, cells, lanes)), np.empty(lanes)
    offset, progress = np.empty((cells + 1, lanes)), np.empty((cells, lanes))
    g_down, g_up, g_12, storage_down, storage_up = conductances
    eliminate(m, g_down, g_up, g_12, storage_down, storage_up, sweep, ratio)
    sweep_up(sweep, wall, down, up, offset, progress)
    outlet = offset[0] + ratio * inlet
    bottom, bottom_up = inlet.copy(), outlet.copy()
    new_down, new_up, flux = np.empty((3, cells, lanes))
    sweep_down(sweep, g_down, g_up, wall, offset, progress, bottom, bottom_up, new_down, new_up, flux)
    return Step(outlet, bottom, bottom_up, new_down, new_up, flux)


DEPTH, FLOW, ANNULUS_WALL, ANNULUS_INNER = 2900.0, 33520.0, 0.022, 0.095


def steady(cells: int, *, annulus_down: bool) -> Array:
    """Outlet and bottom temperature (°C) between fixed walls T_w = 9 + 0.03 z, inlet 20 °C."""
    one = np.ones((cells, 1))
    length = DEPTH / cells
    wall = 9.0 + 0.03 * length * (np.arange(cells)[:, None] + 0.5)
    to_wall = [one / ANNULUS_WALL * annulus_down, one / ANNULUS_WALL * (not annulus_down)]
    conductances = [*to_wall, one / ANNULUS_INNER, 0 * one, 0 * one]
    answer = step(FLOW / length * one, conductances, wall, 0 * one, 0 * one, np.array([20.0]))
    np.testing.assert_allclose(answer.bottom, answer.bottom_up, rtol=1e-13)
    return np.array([answer.outlet.item(), answer.bottom.item()])


def exact_steady(*, annulus_down: bool) -> Array:
    """The same by one matrix exponential of (down, up, 1, z)."""
    g, g_12 = 1.0 / ANNULUS_WALL, 1.0 / ANNULUS_INNER
    g_down, g_up = (g, 0.0) if annulus_down else (0.0, g)
    system = np.zeros((4, 4))
    system[0] = np.array([-g_down - g_12, g_12, 9.0 * g_down, 0.03 * g_down]) / FLOW
    system[1] = np.array([-g_12, g_up + g_12, -9.0 * g_up, -0.03 * g_up]) / FLOW
    system[3, 2] = 1.0
    down, up = expm(system * DEPTH)[:2]
    closed = down - up  # zero at the bottom
    outlet = -(closed[0] * 20.0 + closed[2]) / closed[1]
    return np.array([outlet, down @ [20.0, outlet, 1.0, 0.0]])


def test_steady_counterflow_at_the_known_point() -> None:
    np.testing.assert_allclose(exact_steady(annulus_down=True), [54.607999, 77.679227], rtol=0, atol=1e-6)
    np.testing.assert_allclose(steady(2000, annulus_down=True), [54.607999, 77.679227], rtol=0, atol=1e-6)


@pytest.mark.parametrize("annulus_down", [True, False])
def test_steady_counterflow_converges_at_second_order(annulus_down: bool) -> None:
    exact = exact_steady(annulus_down=annulus_down)
    errors = np.array([np.abs(steady(cells, annulus_down=annulus_down) - exact) for cells in (20, 40, 80, 160)])
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), 2.0, atol=0.02)
    assert errors[-1].max() < 3e-4


def random_step(*, annulus_down: bool, lanes: int = 5, cells: int = 12) -> tuple[Any, ...]:
    """Arguments of `step` with every number its own, in the sizes of real wells."""
    rng = np.random.default_rng(3)
    m = rng.uniform(1e4, 4e4, lanes) / rng.uniform(100.0, 300.0, (cells, lanes))
    g, g_12, storage_a, storage_b = rng.uniform(2.0, 20.0, (4, cells, lanes))
    to_wall = [g, 0 * g] if annulus_down else [0 * g, g]
    wall, down, up = rng.uniform(5.0, 90.0, (3, cells, lanes))
    return m, [*to_wall, g_12, storage_a, storage_b], wall, down, up, rng.uniform(2.0, 30.0, lanes)


@pytest.mark.parametrize("annulus_down", [True, False])
def test_step_solves_the_equations_of_every_cell(annulus_down: bool) -> None:
    """The module's two equations, box scheme and implicit Euler, written out for every cell."""
    m, (g_down, g_up, g_12, storage_down, storage_up), wall, down, up, inlet = random_step(annulus_down=annulus_down)
    answer = step(m, [g_down, g_up, g_12, storage_down, storage_up], wall, down, up, inlet)
    d_ends, u_ends = [inlet], [answer.outlet]
    for d, u in zip(answer.down, answer.up, strict=True):  # a mean and one end give the other end
        d_ends.append(2.0 * d - d_ends[-1])
        u_ends.append(2.0 * u - u_ends[-1])
    np.testing.assert_allclose(d_ends[-1], answer.bottom, rtol=1e-12)
    np.testing.assert_allclose(u_ends[-1], answer.bottom, rtol=1e-12)
    falling = storage_down * (answer.down - down) + m * np.diff(d_ends, axis=0)
    rising = storage_up * (answer.up - up) - m * np.diff(u_ends, axis=0)
    from_wall_down, from_wall_up = g_down * (wall - answer.down), g_up * (wall - answer.up)
    between = g_12 * (answer.up - answer.down)
    np.testing.assert_allclose(falling, from_wall_down + between, atol=1e-8)
    np.testing.assert_allclose(rising, from_wall_up - between, atol=1e-8)
    np.testing.assert_allclose(answer.flux, from_wall_down + from_wall_up, rtol=1e-12)


@pytest.mark.parametrize("annulus_down", [True, False])
def test_step_conserves_energy(annulus_down: bool) -> None:
    """Heat that leaves at the top is the rock's, less what the water keeps."""
    m, conductances, wall, down, up, inlet = random_step(annulus_down=annulus_down)
    length = 25000.0 / m  # so that M = 25,000 W/K in every cell
    answer = step(m, conductances, wall, down, up, inlet)
    *_, storage_down, storage_up = conductances
    kept = storage_down * (answer.down - down) + storage_up * (answer.up - up)
    delivered = 25000.0 * (answer.outlet - inlet)
    gross = (np.abs(answer.flux * length) + np.abs(kept * length)).sum(axis=0)
    imbalance = delivered - ((answer.flux - kept) * length).sum(axis=0)
    assert np.abs(imbalance / gross).max() < 1e-12


def test_without_exchange_the_inlet_comes_back() -> None:
    m, (*_, storage_down, storage_up), wall, down, up, inlet = random_step(annulus_down=True)
    none = 0 * m
    answer = step(m, [none, none, none, 0 * storage_down, 0 * storage_up], wall, down, up, inlet)
    np.testing.assert_allclose(answer.outlet, inlet, rtol=1e-14)
    np.testing.assert_array_equal(answer.flux, 0.0)


def test_every_lane_is_alone() -> None:
    m, conductances, wall, down, up, inlet = random_step(annulus_down=True)
    together = step(m, conductances, wall, down, up, inlet)
    one = slice(3, 4)
    cut = [np.ascontiguousarray(array[..., one]) for array in (m, *conductances, wall, down, up, inlet)]
    alone = step(cut[0], cut[1:6], *cut[6:])
    for name in Step._fields:
        np.testing.assert_array_equal(getattr(alone, name), getattr(together, name)[..., one])


@pytest.mark.parametrize("path", WELLS, ids=lambda path: path.stem)
def test_thermal_resistances(path: Path) -> None:
    """Wells in laminar, transitional and turbulent flow, against their stored answers."""
    case, answer = si(YAML(typ="safe").load(path)), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    well, water = case["well"], case["fluid"]
    casing, pipe = well["casing"], well["inner_pipe"]
    sizes = {
        "borehole_diameter": well["borehole_diameter"],
        "casing_outer_diameter": casing["outer_diameter"],
        "casing_wall": casing["wall"],
        "inner_pipe_outer_diameter": pipe["outer_diameter"],
        "inner_pipe_wall": pipe["wall"],
        "casing_conductivity": casing["conductivity"],
        "grout_conductivity": well["grout"]["conductivity"],
        "inner_pipe_conductivity": pipe["conductivity"],
    }
    pipes = Pipes.of_sizes(**{name: np.asarray(value) for name, value in sizes.items()})
    fluid = Fluid(*(np.asarray(water[name]) for name in ("density", "heat_capacity", "conductivity", "viscosity")))
    resistances = thermal_resistances(np.asarray(well["flow_rate"]), pipes, fluid)
    expected = [answer[f"R_{name}_mK_per_W"] for name in ("annulus_wall", "annulus_inner")]
    np.testing.assert_allclose(resistances, expected, rtol=1e-12)


def test_wells_cover_every_branch_of_the_films() -> None:
    regimes = set()
    for path in WELLS:
        case = si(YAML(typ="safe").load(path))
        well, water = case["well"], case["fluid"]
        inner = well["inner_pipe"]["outer_diameter"] - 2.0 * well["inner_pipe"]["wall"]
        casing = well["casing"]["outer_diameter"] - 2.0 * well["casing"]["wall"]
        wetted = {"inner": inner, "annulus": casing + well["inner_pipe"]["outer_diameter"]}
        for channel, diameters in wetted.items():  # Re = 4 ρ V / (π µ (sum of the wetted diameters))
            reynolds = 4.0 * water["density"] * well["flow_rate"] / (np.pi * water["viscosity"] * diameters)
            regimes.add((channel, "laminar" if reynolds < 2300 else "transitional" if reynolds < 4000 else "turbulent"))
    branches = {(channel, regime) for channel in ("inner", "annulus") for regime in ("transitional", "turbulent")}
    assert regimes >= branches | {("annulus", "laminar")}


@pytest.mark.parametrize("corner", [2300.0, 4000.0])
@pytest.mark.parametrize("prandtl", [0.7, 7.0, 150.0])
def test_nusselt_number_has_no_step(corner: float, prandtl: float) -> None:
    around = nusselt_number(corner * np.array([1.0 - 1e-12, 1.0, 1.0 + 1e-12]), np.asarray(prandtl))
    np.testing.assert_allclose(around, around[1], rtol=1e-9)
    reynolds = np.linspace(1000.0, 20000.0, 500)
    assert np.all(np.diff(nusselt_number(reynolds, np.asarray(prandtl))) >= 0.0)


def test_nusselt_number_by_hand() -> None:
    """Gnielinski at Re 10,000 and Pr 7 with f = (0.79 · 9.21034 - 1.64)⁻²; halfway between the corners; laminar."""
    eighth = (0.79 * 9.210340371976184 - 1.64) ** -2 / 8.0
    by_hand = eighth * 9000.0 * 7.0 / (1.0 + 12.7 * eighth**0.5 * (7.0 ** (2.0 / 3.0) - 1.0))
    prandtl = np.asarray(7.0)
    assert nusselt_number(np.asarray(1e4), prandtl) == pytest.approx(by_hand, rel=1e-12)
    laminar, halfway, turbulent = nusselt_number(np.array([500.0, 3150.0, 4000.0]), prandtl)
    assert laminar == 4.364
    assert halfway == pytest.approx((4.364 + turbulent) / 2.0, rel=1e-12)


def test_petukhov_friction_factor_by_hand() -> None:
    """Re 10⁵: 0.79 · 11.5129 - 1.64 = 7.4552, squared 55.580."""
    assert petukhov_friction_factor(np.asarray(1e5)) == pytest.approx(1.0 / 55.580, rel=2e-5)


def test_reynolds_number_by_hand() -> None:
    """998 kg/m³, 0.008 m³/s through 0.01 m² is 0.8 m/s; over 0.05 m at 0.001 Pa s."""
    flow_rate, area, diameter = np.array([0.008, 0.01, 0.05])
    assert reynolds_number(flow_rate, area, diameter, WATER) == pytest.approx(39920.0)


def test_friction_of_slow_flow() -> None:
    """Hagen-Poiseuille in the pipe, V = π Δp d⁴ / (128 µ L), and its counterpart between concentric cylinders,

    V = π Δp / (8 µ L) · (R⁴ - r⁴ - (R² - r²)² / ln(R / r)): the velocity profile, integrated.
    """
    flow, depth = np.asarray(2e-5), np.asarray(1000.0)
    outer, inner = (0.1778 - 2 * 0.00919) / 2, 0.110 / 2
    pipe = np.pi * 0.090**4 / (128.0 * 1e-3 * 1000.0)
    bracket = outer**4 - inner**4 - (outer**2 - inner**2) ** 2 / np.log(outer / inner)
    annulus = np.pi / (8.0 * 1e-3 * 1000.0) * bracket
    assert friction_pressure_drop(flow, depth, PIPES, WATER) == pytest.approx(flow / pipe + flow / annulus, rel=1e-9)


def test_friction_by_hand() -> None:
    """30 m³/h down and up 100 m, turbulent, written out from areas and wetted perimeters."""
    expected = 0.0
    for area, perimeter in (
        (np.pi / 4.0 * 0.090**2, np.pi * 0.090),
        (np.pi / 4.0 * (0.15942**2 - 0.110**2), np.pi * (0.15942 + 0.110)),
    ):
        diameter, speed = 4.0 * area / perimeter, 30.0 / 3600.0 / area
        factor = (0.79 * np.log(998.0 * speed * diameter / 1e-3) - 1.64) ** -2
        expected += factor * 100.0 / diameter * 998.0 * speed**2 / 2.0
    drop = friction_pressure_drop(np.asarray(30.0 / 3600.0), np.asarray(100.0), PIPES, WATER)
    assert drop == pytest.approx(expected, rel=1e-12)


def test_friction_has_no_step() -> None:
    flow = np.linspace(1e-5, 2e-3, 20000)
    drop = friction_pressure_drop(flow, np.asarray(1000.0), PIPES, WATER)
    change = np.diff(drop)
    assert np.all(change > 0.0)
    assert change.max() < 3.0 * np.median(change[-100:])


@pytest.mark.parametrize(("mass_flow", "kilopascal"), [(6.0, 507.0), (8.0, 854.0), (10.0, 1283.0), (12.0, 1792.0)])
def test_friction_of_a_deep_well(mass_flow: float, kilopascal: float) -> None:
    """Figures of a simple model of a 2,900 m well in 177.8 x 9.19 and 110 x 10 mm: assumptions, not measurements."""
    drop = friction_pressure_drop(np.asarray(mass_flow / 998.0), np.asarray(2900.0), PIPES, WATER)
    assert drop / 1e3 == pytest.approx(kilopascal, rel=0.1)
