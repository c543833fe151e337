"""Plain finite volumes for one deep coaxial well: what the sum of exponential modes is measured against.

Water in both channels with its storage, box scheme in depth, implicit Euler in time, fixed resistances annulus -
borehole wall and annulus - inner pipe. The rock of each depth cell is a column of rings, widths growing by a constant
factor from the borehole to a far radius at which no heat passes (Patankar 1980, Numerical Heat Transfer and Fluid Flow,
chapters 3 and 4); ring to ring the exact resistance of a hollow cylinder (Carslaw and Jaeger 1959, section 7.2);
implicit Euler in steps of an hour.

It is written to be fast for one sample. For a step of fixed length the tridiagonal systems of the rings (Thomas
algorithm) and the counterflow are eliminated once. Without heat in the step, one inward sweep gives the wall; what a
W/m cools it within the step is a number, and is added to the resistance of the annulus, so that the
counterflow is solved exactly by one sweep up and one down, and an outward sweep ends the step. Rings are (ring, cell):
the processor's vector units work on several depth cells at once.

What implicit Euler makes of a constant load after n steps is the exact solution averaged over times that follow a gamma
distribution of shape n and scale Δt (Post's inversion of the Laplace transform; Widder 1941, The Laplace Transform,
chapter VII). Hourly steps alone put the outlet 8 mK off at ten days, 13 mK in rock of 1.6 W/m/K, less with 1/t: no grid
mends that. So there are two measures: a plain grid must be within 0.005 K of `hourly_answers`, its steps forgiven; a
tuned one, whose rings err a few mK the other way, within 0.005 K of `exact_answers`.

`python benchmarks/finite_volumes.py` looks for the cheapest grids of both kinds.
"""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.stats import gamma

import kernels  # noqa: F401 (sets how wide the vectors of compiled loops are: for both sides)

sys.path.append(str(Path(__file__).parents[1] / "tests"))
import exact

Array = NDArray[np.float64]
HOUR = 3600.0
DAYS = (10.0, 20.0, 30.0, 60.0, 90.0, 151.0, 365.0, 730.0, 1825.0, 3650.0, 7300.0, 10950.0)
LARGEST_ERROR = 0.005
HEAT = 350e3
CONDUCTIVITIES = (2.5, 1.6, 3.6)
"""Of the base case's rock, W/m/K, and of others in which a grid must be as good: not by luck in one of them."""


NODES: dict[str, Callable[[Array], Array]] = {
    "logarithmic mean": lambda h: np.log(np.sinh(0.5 * h) / (0.5 * h)),
    "middle": lambda h: np.log(np.cosh(0.5 * h)),
    "tuned": lambda h: 0.057 * h**2,
}
"""Where a ring's temperature stands: its ln r less the mean of ln r at its two faces, which are h apart in ln r.

At the logarithmic mean radius, (r1 - r0) / ln(r1 / r0), or in the middle of the ring, as in textbooks. On rings of
equal h the late response is then off by a constant, proportional to h²; `tuned` was found by trial in this very well so
that it vanishes, or makes up for the steps: fewer rings are enough, in this well.
"""


class Grid(NamedTuple):
    """How the well and its rock are cut up.

    Attributes
    ----------
    cells
        In depth, about; two at least in each layer.
    rings
        In the rock of each cell.
    far_radius
        Where the outermost ring ends, m.
    growth
        Width of a ring over that of the one inside it.
    node
        Of `NODES`.
    steps
        To an hour.
    """

    cells: int
    rings: int
    far_radius: float
    growth: float
    node: str = "logarithmic mean"
    steps: int = 1


class Well(NamedTuple):
    """One well on its grid, SI units and °C.

    Attributes
    ----------
    flow
        Flow heat-capacity rate, W/K.
    annulus_wall, annulus_inner
        Resistances, m K/W.
    storage_down, storage_up
        Heat capacity of the water in the channel going down and in the one coming up, J/m/K.
    annulus_down
        Whether the channel going down is the annulus.
    thickness, undisturbed
        Length (m) and undisturbed temperature (°C) of each cell, (cell,).
    ring_capacity
        Heat capacity of the rings, J/m/K, (ring, cell).
    ring_conductance
        Between each ring's node and the next one inwards, for the first the borehole wall, W/m/K, (ring, cell).
    """

    flow: float
    annulus_wall: float
    annulus_inner: float
    storage_down: float
    storage_up: float
    annulus_down: bool
    thickness: Array
    undisturbed: Array
    ring_capacity: Array
    ring_conductance: Array


class Steps(NamedTuple):
    """A step of one length, eliminated: all (cell,) unless said otherwise.

    Attributes
    ----------
    keep, far, near
        ring = keep · old ring + far · next ring (inwards); ring += near · inner ring (outwards), (ring, cell).
    cooling
        Of the first ring by heat taken during the step, m K/W, (cell,).
    up
        In A0 = up · (wall, D, U, A1) with D and U before the step, (cell, 4).
    down
        In D1 = down · (wall, D, U, A1, D0), then B1 in U1 = A1 + B1 · D1, (cell, 6).
    g_down, g_up
        Conductance between wall and channel, W/m/K, (cell,).
    hold_down, hold_up, g_12
        Storage over the length of the step, and conductance between the channels, W/m/K.
    ratio
        outlet = A0 + ratio · inlet.
    """

    keep: Array
    far: Array
    near: Array
    cooling: Array
    up: Array
    down: Array
    g_down: Array
    g_up: Array
    hold_down: float
    hold_up: float
    g_12: float
    ratio: float


class State(NamedTuple):
    """Temperatures: rings less undisturbed, K, (ring, cell); water going down and up, °C, (cell,)."""

    rings: Array
    down: Array
    up: Array


def base_case(*, annulus_down: bool = True, conductivity: float = CONDUCTIVITIES[0]) -> dict[str, Any]:
    """The well of the comparison, as `tests/exact.py` reads it: 2,900 m, 30 m³/h, 350 kW, uniform rock, DAYS."""
    return {
        "well": {
            "depth": "2900 m",
            "borehole_diameter": "241.3 mm",
            "casing": {"outer_diameter": "177.8 mm", "wall": "9.19 mm", "conductivity": "40 W/m/K"},
            "grout": {"conductivity": "1.5 W/m/K"},
            "inner_pipe": {"outer_diameter": "110 mm", "wall": "10 mm", "conductivity": "0.42 W/m/K"},
            "flow_direction": "annulus_down" if annulus_down else "inner_down",
            "flow_rate": "30 m^3/h",
        },
        "fluid": {
            "density": "998 kg/m^3",
            "heat_capacity": "4186 J/kg/K",
            "conductivity": "0.6 W/m/K",
            "viscosity": "1 mPa*s",
        },
        "ground": {
            "surface_temperature": "9.8 degC",
            "layers": [
                {
                    "thickness": "2900 m",
                    "conductivity": f"{conductivity} W/m/K",
                    "volumetric_heat_capacity": "2.25 MJ/m^3/K",
                    "geothermal_gradient": "29 K/km",
                }
            ],
        },
        "load": {"heat_rate": f"{HEAT} W"},
        "times": [f"{day} d" for day in DAYS],
    }


def cut(well: exact.Well, grid: Grid) -> Well:
    """Lay a grid over a well whose walls are pure resistances.

    Raises
    ------
    ValueError
        When the grid has fewer than two rings, or does not reach beyond the borehole.
    """
    if grid.rings < 2 or grid.far_radius <= well.borehole_radius or grid.growth <= 1.0:
        raise ValueError(f"two rings at least, growing outwards, beyond {well.borehole_radius} m, got {grid!r}")
    thickness, conductivity, heat_capacity, gradient = well.layers.T
    cells = np.maximum(2, np.rint(grid.cells * thickness / thickness.sum()).astype(np.int64))
    layer = np.repeat(np.arange(len(cells)), cells)
    length = (thickness / cells)[layer]
    rise = length * gradient[layer]
    width = grid.growth ** np.arange(grid.rings)
    face = well.borehole_radius + np.append(0.0, np.cumsum(width)) * (
        (grid.far_radius - well.borehole_radius) / width.sum()
    )
    log_face = np.log(face)
    step = np.diff(log_face)
    node = log_face[:-1] + 0.5 * step + NODES[grid.node](step)
    resistance = np.diff(node, prepend=log_face[0]) / (2.0 * np.pi)
    down, up = well.annulus_heat_capacity, well.inner_heat_capacity
    return Well(
        flow=well.flow,
        annulus_wall=exact.mean_resistance(well, well.annulus_to_rock),
        annulus_inner=exact.mean_resistance(well, well.inner_to_annulus),
        storage_down=down if well.annulus_down else up,
        storage_up=up if well.annulus_down else down,
        annulus_down=well.annulus_down,
        thickness=length,
        undisturbed=well.surface_temperature + np.cumsum(rise) - 0.5 * rise,
        ring_capacity=np.pi * np.multiply.outer(np.diff(face**2), heat_capacity[layer]),
        ring_conductance=np.multiply.outer(1.0 / resistance, conductivity[layer]),
    )


def undisturbed_state(well: Well) -> State:
    """Rock and water at rest."""
    return State(np.zeros_like(well.ring_capacity), well.undisturbed.copy(), well.undisturbed.copy())


def prepare_steps(well: Well, length: float) -> Steps:
    """Eliminate the rings, and the counterflow, for steps of given length, s."""
    return Steps(*_prepare(well, length))


@njit(fastmath=True)
def _prepare(well, length):  # type: ignore[no-untyped-def]
    rings, cells = well.ring_capacity.shape
    keep, far, near = np.empty((rings, cells)), np.zeros((rings, cells)), np.empty((rings, cells))
    cooling, g_down, g_up = np.empty(cells), np.zeros(cells), np.zeros(cells)
    for cell in range(cells):
        outer, shared, total = 0.0, 0.0, 0.0  # conductance to the next ring, and that ring's `near`
        for ring in range(rings - 1, -1, -1):
            hold = well.ring_capacity[ring, cell] / length
            inner = well.ring_conductance[ring, cell] if ring > 0 else 0.0
            total = 1.0 / (hold + inner + outer * (1.0 - shared))
            keep[ring, cell], far[ring, cell], near[ring, cell] = hold * total, outer * total, inner * total
            outer, shared = inner, inner * total
        cooling[cell] = total
        conductance = 1.0 / (well.annulus_wall + total + 1.0 / well.ring_conductance[0, cell])
        if well.annulus_down:
            g_down[cell] = conductance
        else:
            g_up[cell] = conductance
    up, down = np.empty((cells, 4)), np.empty((cells, 6))
    hold_down, hold_up, g_12 = well.storage_down / length, well.storage_up / length, 1.0 / well.annulus_inner
    b = 1.0
    for cell in range(cells - 1, -1, -1):
        # (m + s - x B1) D1 - x U0 = g_D W + C_D D + x A1 + (m - s) D0     s, t, x: half of all conductances of D,
        # -(x + (m - t) B1) D1 + (m + t) U0 = g_U W + C_U U + (m - t) A1 + x D0     of U, and between the two
        m, x = well.flow / well.thickness[cell], 0.5 * g_12
        s, t = 0.5 * (g_down[cell] + g_12 + hold_down), 0.5 * (g_up[cell] + g_12 + hold_up)
        d11, d12, d21, d22 = m + s - x * b, -x, (t - m) * b - x, m + t
        determinant = d11 * d22 - d12 * d21
        i11, i12, i21, i22 = d22 / determinant, -d12 / determinant, -d21 / determinant, d11 / determinant
        down[cell, 0], up[cell, 0] = i11 * g_down[cell] + i12 * g_up[cell], i21 * g_down[cell] + i22 * g_up[cell]
        down[cell, 1], up[cell, 1] = i11 * hold_down, i21 * hold_down
        down[cell, 2], up[cell, 2] = i12 * hold_up, i22 * hold_up
        down[cell, 3], up[cell, 3] = i11 * x + i12 * (m - t), i21 * x + i22 * (m - t)
        down[cell, 4], down[cell, 5] = i11 * (m - s) + i12 * x, b
        b = i21 * (m - s) + i22 * x
    return keep, far, near, cooling, up, down, g_down, g_up, hold_down, hold_up, g_12, b


@njit(fastmath=True)
def inward(steps, rings):  # type: ignore[no-untyped-def]
    """Sweep in to the borehole: the first ring is then what it would be without heat taken in the step."""
    count, cells = rings.shape
    for cell in range(cells):
        rings[count - 1, cell] *= steps.keep[count - 1, cell]
    for ring in range(count - 2, -1, -1):
        for cell in range(cells):
            rings[ring, cell] = (
                steps.keep[ring, cell] * rings[ring, cell] + steps.far[ring, cell] * rings[ring + 1, cell]
            )


@njit(fastmath=True)
def outward(steps, flux, rings):  # type: ignore[no-untyped-def]
    """Take the step's heat, W/m, (cell,), and sweep out to the end of the step."""
    count, cells = rings.shape
    for cell in range(cells):
        rings[0, cell] -= steps.cooling[cell] * flux[cell]
    for ring in range(1, count):
        for cell in range(cells):
            rings[ring, cell] += steps.near[ring, cell] * rings[ring - 1, cell]


@njit(fastmath=True)
def water_up(steps, undisturbed, state, offset):  # type: ignore[no-untyped-def]
    """A at the cells' tops, (cell + 1,), in U = A + ratio · D."""
    above = 0.0
    cells = len(undisturbed)
    offset[cells] = above
    for cell in range(cells - 1, -1, -1):
        wall = undisturbed[cell] + state.rings[0, cell]
        own = steps.up[cell, 0] * wall + steps.up[cell, 1] * state.down[cell] + steps.up[cell, 2] * state.up[cell]
        above = own + steps.up[cell, 3] * above
        offset[cell] = above


@njit(fastmath=True)
def water_down(steps, undisturbed, offset, inlet, state, flux):  # type: ignore[no-untyped-def]
    """The water at the end of the step, and the heat taken from the rock, W/m, (cell,)."""
    d0, u0 = inlet, offset[0] + steps.ratio * inlet
    for cell in range(len(undisturbed)):
        wall, c = undisturbed[cell] + state.rings[0, cell], steps.down[cell]
        own = c[0] * wall + c[1] * state.down[cell] + c[2] * state.up[cell] + c[3] * offset[cell + 1]
        d1 = own + c[4] * d0
        u1 = offset[cell + 1] + c[5] * d1
        down, up = 0.5 * (d0 + d1), 0.5 * (u0 + u1)
        state.down[cell], state.up[cell] = down, up
        flux[cell] = steps.g_down[cell] * (wall - down) + steps.g_up[cell] * (wall - up)
        d0, u0 = d1, u1


def outlet_temperature(well: Well, load: Array, *, steps: int = 1) -> Array:
    """Outlet of a well that starts undisturbed, °C, (hour,); `load` is the heat taken in each hour, W, (hour,)."""
    return _march(well, prepare_steps(well, HOUR / steps), undisturbed_state(well), load, steps)


@njit(fastmath=True)
def _march(well, steps, state, load, count):  # type: ignore[no-untyped-def]
    cells = len(well.thickness)
    flux, offset, outlet = np.empty(cells), np.empty(cells + 1), np.empty(len(load))
    for hour in range(len(load)):
        for _ in range(count):
            inward(steps, state.rings)
            water_up(steps, well.undisturbed, state, offset)
            inlet = (offset[0] - load[hour] / well.flow) / (1.0 - steps.ratio)
            outlet[hour] = offset[0] + steps.ratio * inlet
            water_down(steps, well.undisturbed, offset, inlet, state, flux)
            outward(steps, flux, state.rings)
    return outlet


def exact_answers(*, annulus_down: bool) -> dict[float, Array]:
    """Exact outlet at DAYS, °C, (time,), by conductivity of the rock."""
    return {k: _exact(annulus_down, k, np.array(DAYS) * 24.0) for k in CONDUCTIVITIES}


def hourly_answers(*, annulus_down: bool, points: int = 16) -> dict[float, Array]:
    """What hourly steps of implicit Euler make of them, without any grid: means over equally likely times."""
    share = (np.arange(points) + 0.5) / points
    hours = gamma.ppf(share, np.array(DAYS)[:, None] * 24.0)
    return {k: _exact(annulus_down, k, hours.ravel()).reshape(hours.shape).mean(axis=1) for k in CONDUCTIVITIES}


def _exact(annulus_down: bool, conductivity: float, hours: Array) -> Array:
    case = base_case(annulus_down=annulus_down, conductivity=conductivity)
    case["times"] = [f"{hour!r} hour" for hour in hours.tolist()]
    return np.array(exact.solve(case, invert=exact.talbot)["outlet_temperature"])


def outlets(grid: Grid, *, annulus_down: bool, conductivity: float, days: tuple[float, ...] = DAYS) -> Array:
    """Outlet at some days of constant load, °C, (time,)."""
    well = exact.well_of(exact.si(base_case(annulus_down=annulus_down, conductivity=conductivity)))
    hours = np.rint(np.array(days) * 24.0).astype(np.int64)
    return outlet_temperature(cut(well, grid), np.full(hours[-1], HEAT), steps=grid.steps)[hours - 1]


def largest_error(grid: Grid, answers: dict[float, Array], *, annulus_down: bool) -> float:
    """Largest error at DAYS in all rocks, K."""
    return max(
        float(np.abs(outlets(grid, annulus_down=annulus_down, conductivity=k) - answer).max())
        for k, answer in answers.items()
    )


def passes(grid: Grid, answers: dict[float, Array], *, annulus_down: bool) -> bool:
    """Whether a grid is within LARGEST_ERROR; most that are not show it in the first year, in one of the rocks."""
    year = DAYS[: DAYS.index(365.0) + 1]
    for k, answer in reversed(answers.items()):
        early = outlets(grid, annulus_down=annulus_down, conductivity=k, days=year) - answer[: len(year)]
        if np.abs(early).max() > LARGEST_ERROR:
            return False
    return largest_error(grid, answers, annulus_down=annulus_down) <= LARGEST_ERROR


def cheapest(node: str, answers: dict[float, Array], *, annulus_down: bool) -> list[Grid]:
    """Grids that pass, with the fewest cells · rings and up to a quarter more."""
    sizes = sorted(
        ((cells, rings) for cells in range(4, 61, 4) for rings in range(8, 81, 2)),
        key=lambda size: size[0] * size[1],
    )
    found: list[Grid] = []
    for cells, rings in sizes:
        if found and cells * rings > 1.25 * found[0].cells * found[0].rings:
            break
        choices = [
            Grid(cells, rings, far_radius, growth, node)
            for far_radius in (100.0, 150.0, 200.0)
            for growth in (1.1, 1.15, 1.2, 1.25, 1.3, 1.35, 1.4, 1.5, 1.6, 1.7)
            if 0.005 < far_radius * (growth - 1.0) / (growth**rings - 1.0) < 0.2  # m: the first ring
        ]
        found += [grid for grid in choices if passes(grid, answers, annulus_down=annulus_down)]
    return found


def microseconds(grid: Grid, *, annulus_down: bool) -> float:
    """Shortest of five times for a well-hour, µs."""
    well, load = cut(exact.well_of(exact.si(base_case(annulus_down=annulus_down))), grid), np.full(8760, HEAT)

    def once() -> float:
        start = time.perf_counter()
        outlet_temperature(well, load, steps=grid.steps)
        return (time.perf_counter() - start) / len(load) * 1e6

    return min(once() for _ in range(5))


def main() -> None:
    """Print the cheapest grids for both flow directions and every placement of the nodes."""
    from rich.console import Console
    from rich.table import Table

    for annulus_down in (True, False):
        direction = {"annulus_down": annulus_down}
        strict, forgiven = exact_answers(**direction), hourly_answers(**direction)
        table = Table(title=f"annulus down: {annulus_down}; largest error of the outlet, 10 d to 30 a, all rocks, mK")
        for column in ("nodes", "cells", "rings", "far m", "growth", "error", "without steps' own", "µs/h"):
            table.add_column(column, justify="left" if column == "nodes" else "right")
        for node in NODES:
            found = cheapest(node, strict if node == "tuned" else forgiven, **direction)
            for grid in sorted(found, key=lambda grid: microseconds(grid, **direction))[:4]:
                table.add_row(
                    node,
                    *(f"{value:g}" for value in grid[:4]),
                    *(f"{largest_error(grid, answers, **direction) * 1e3:.1f}" for answers in (strict, forgiven)),
                    f"{microseconds(grid, **direction):.2f}",
                )
        Console(width=140).print(table)


if __name__ == "__main__":
    main()
