"""The counterflow against exact solutions and its own equations, written out for every node."""

from typing import Any, NamedTuple

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.linalg import expm

from kernels.coaxial import GAUSS_POINTS, eliminate, sweep_down, sweep_up

Array = NDArray[Any]
DIRECTIONS = [True, False]
NAMES = ("g_down", "g_up", "g_12", "storage_down", "storage_up")


class Case(NamedTuple):
    """What one step needs: `eliminate`'s (segment, lane), and temperatures at the nodes and of the inlet."""

    length: Array
    cells: Array
    flow: Array
    conductances: dict[str, Array]
    rest: Array
    down: Array
    up: Array
    inlet: Array


class Step(NamedTuple):
    """What one step gives: (lane,) at top and bottom, (node, lane) along the well."""

    outlet: Array
    bottom: Array
    bottom_up: Array
    down: Array
    up: Array
    flux: Array


def step(case: Case) -> Step:
    counterflow = eliminate(length=case.length, cells=case.cells, flow=case.flow, **case.conductances)
    segment = np.repeat(np.arange(len(case.cells)), case.cells)
    nodes, lanes = case.rest.shape
    source, offset = np.empty((nodes // 2, 4, lanes)), np.empty((nodes // 2 + 1, lanes))
    down, up, flux = case.down.copy(), case.up.copy(), np.empty((nodes, lanes))
    sweep_up(counterflow, segment, case.rest, down, up, source, offset)
    outlet = offset[0] + counterflow.slope[0] * case.inlet
    water = np.empty((2, lanes))
    sweep_down(counterflow, segment, case.rest, source, offset, case.inlet, water, down, up, flux)
    bottom_up = outlet + np.sqrt(3.0) * (up[1::2] - up[::2]).sum(axis=0)
    return Step(outlet, water[0], bottom_up, down, up, flux)


DEPTH, FLOW, ANNULUS_WALL, ANNULUS_INNER = 2900.0, 33520.0, 0.022, 0.095


def steady(cells: int, *, annulus_down: bool) -> Array:
    """Outlet and bottom temperature (°C) between fixed walls T_w = 9 + 0.03 z, inlet 20 °C."""
    one = np.ones((1, 1))
    values = (annulus_down / ANNULUS_WALL, (not annulus_down) / ANNULUS_WALL, 1.0 / ANNULUS_INNER, 0.0, 0.0)
    depth = DEPTH / cells * (np.arange(cells)[:, None] + GAUSS_POINTS).reshape(-1, 1)
    answer = step(
        Case(
            length=DEPTH / cells * one,
            cells=np.array([cells]),
            flow=np.array([FLOW]),
            conductances={name: value * one for name, value in zip(NAMES, values, strict=True)},
            rest=9.0 + 0.03 * depth,
            down=0.0 * depth,
            up=0.0 * depth,
            inlet=np.array([20.0]),
        )
    )
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
    np.testing.assert_allclose(steady(64, annulus_down=True), [54.607999, 77.679227], rtol=0, atol=1e-6)


@pytest.mark.parametrize("annulus_down", DIRECTIONS)
def test_steady_counterflow_converges_at_fourth_order(annulus_down: bool) -> None:
    exact = exact_steady(annulus_down=annulus_down)
    errors = np.array([np.abs(steady(cells, annulus_down=annulus_down) - exact) for cells in (12, 24, 48)])
    np.testing.assert_allclose(np.log2(errors[:-1] / errors[1:]), 4.0, atol=0.1)
    assert errors[-1].max() < 2e-6


def test_nodes_are_those_of_gauss() -> None:
    points, weights = np.polynomial.legendre.leggauss(2)
    np.testing.assert_allclose(GAUSS_POINTS, (points + 1.0) / 2.0, rtol=1e-14)
    np.testing.assert_allclose(weights / 2.0, 0.5)


CELLS = np.array([4, 1, 7])


def random_case(*, annulus_down: bool, lanes: int = 5) -> Case:
    """Every number its own, in the sizes of real wells."""
    rng = np.random.default_rng(3)
    g, g_12, storage_down, storage_up = rng.uniform(2.0, 20.0, (4, len(CELLS), lanes))
    to_wall = (g, 0.0 * g) if annulus_down else (0.0 * g, g)
    rest, down, up = rng.uniform(5.0, 90.0, (3, 2 * CELLS.sum(), lanes))
    return Case(
        length=rng.uniform(100.0, 300.0, (len(CELLS), lanes)),
        cells=CELLS,
        flow=rng.uniform(1e4, 4e4, lanes),
        conductances=dict(zip(NAMES, (*to_wall, g_12, storage_down, storage_up), strict=True)),
        rest=rest,
        down=down,
        up=up,
        inlet=rng.uniform(2.0, 30.0, lanes),
    )


def along(case: Case, values: Array) -> Array:
    """Values of segments at their cells, (cell, 1, lane)."""
    return np.repeat(values, case.cells, axis=0)[:, None]


@pytest.mark.parametrize("annulus_down", DIRECTIONS)
def test_step_solves_the_equations_at_every_node(annulus_down: bool) -> None:
    """The module's two equations at both nodes of every cell, for the parabolas through its top and its nodes."""
    case = random_case(annulus_down=annulus_down)
    answer = step(case)
    lanes = len(case.flow)
    places = np.append(0.0, GAUSS_POINTS)
    slopes = np.linalg.solve(np.vander(places), np.eye(3))  # of the values at them: coefficients of the parabola
    slopes = np.stack([2.0 * GAUSS_POINTS, np.ones(2), np.zeros(2)], axis=-1) @ slopes
    at_end = np.ones(3) @ np.linalg.solve(np.vander(places), np.eye(3))
    end, derivative = {}, {}
    for name, start, values in (("down", case.inlet, answer.down), ("up", answer.outlet, answer.up)):
        tops, of_cells = start, []
        for pair in values.reshape(-1, 2, lanes):
            cell = np.concatenate([tops[None], pair])
            of_cells.append(slopes @ cell)
            tops = at_end @ cell
        end[name], derivative[name] = tops, np.array(of_cells) / along(case, case.length)
    np.testing.assert_allclose(end["down"], answer.bottom, rtol=1e-12)
    np.testing.assert_allclose(end["up"], answer.bottom, rtol=1e-11)
    rest, before_down, before_up, down, up, flux = (
        each.reshape(-1, 2, lanes) for each in (case.rest, case.down, case.up, answer.down, answer.up, answer.flux)
    )
    g_down, g_up, g_12, storage_down, storage_up = (along(case, case.conductances[name]) for name in NAMES)
    falling = storage_down * (down - before_down) + case.flow * derivative["down"]
    rising = storage_up * (up - before_up) - case.flow * derivative["up"]
    np.testing.assert_allclose(falling, g_down * (rest - down) + g_12 * (up - down), atol=1e-7)
    np.testing.assert_allclose(rising, g_up * (rest - up) - g_12 * (up - down), atol=1e-7)
    np.testing.assert_allclose(flux, g_down * (rest - down) + g_up * (rest - up), rtol=1e-12)


@pytest.mark.parametrize("annulus_down", DIRECTIONS)
def test_step_conserves_energy(annulus_down: bool) -> None:
    """Heat that leaves at the top is what the surroundings gave, less what the channels keep."""
    case = random_case(annulus_down=annulus_down)
    answer = step(case)
    half = np.repeat(along(case, 0.5 * case.length)[:, 0], 2, axis=0)
    storage_down, storage_up = (
        np.repeat(along(case, case.conductances[name])[:, 0], 2, axis=0) for name in ("storage_down", "storage_up")
    )
    kept = half * (storage_down * (answer.down - case.down) + storage_up * (answer.up - case.up))
    gross = (np.abs(half * answer.flux) + np.abs(kept)).sum(axis=0)
    imbalance = case.flow * (answer.outlet - case.inlet) - (half * answer.flux - kept).sum(axis=0)
    assert np.abs(imbalance / gross).max() < 1e-12


def test_without_exchange_the_inlet_comes_back() -> None:
    case = random_case(annulus_down=True)
    answer = step(case._replace(conductances={name: 0.0 * value for name, value in case.conductances.items()}))
    np.testing.assert_allclose(answer.outlet, case.inlet, rtol=1e-14)
    np.testing.assert_array_equal(answer.flux, 0.0)


def test_channels_in_perfect_contact_are_one_water_at_rest() -> None:
    """R_12 → 0: what goes down takes nothing along, as the same comes up; each place is alone with its rock."""
    case = random_case(annulus_down=True)
    answer = step(case._replace(conductances={**case.conductances, "g_12": np.full((len(CELLS), 5), 1e11)}))
    g, of_down, of_up = (
        np.repeat(along(case, case.conductances[name])[:, 0], 2, axis=0)
        for name in ("g_down", "storage_down", "storage_up")
    )
    alone = (g * case.rest + of_down * case.down + of_up * case.up) / (g + of_down + of_up)
    np.testing.assert_allclose(answer.down, alone, rtol=0, atol=2e-3)
    np.testing.assert_allclose(answer.up, alone, rtol=0, atol=2e-3)


def test_segments_of_the_same_kind_are_one() -> None:
    case = random_case(annulus_down=True)
    alike = case._replace(
        length=np.tile(case.length[:1], (3, 1)),
        conductances={name: np.tile(value[:1], (3, 1)) for name, value in case.conductances.items()},
    )
    one = alike._replace(
        length=case.length[:1],
        cells=np.array([CELLS.sum()]),
        conductances={name: value[:1] for name, value in case.conductances.items()},
    )
    for name, value in step(one)._asdict().items():
        np.testing.assert_array_equal(value, getattr(step(alike), name), err_msg=name)


def test_every_lane_is_alone() -> None:
    case = random_case(annulus_down=True)
    together = step(case)
    one = np.array([3])
    alone = step(
        Case(
            length=case.length[:, one],
            cells=case.cells,
            flow=case.flow[one],
            conductances={name: value[:, one] for name, value in case.conductances.items()},
            rest=case.rest[:, one],
            down=case.down[:, one],
            up=case.up[:, one],
            inlet=case.inlet[one],
        )
    )
    for name in Step._fields:
        np.testing.assert_array_equal(getattr(alone, name), getattr(together, name)[..., one])
