"""The coaxial well: the counterflow of its two waters.

Water goes down one channel and comes up the other; the annulus exchanges heat with the rock, and both channels with
each other. Along the well, for the channel going down (D) and the one going up (U), M = flow heat-capacity rate (W/K),
C = heat capacity of a channel (J/m/K), g = conductances (W/m/K):

    C_D ∂D/∂t + M ∂D/∂z = g_D (W - D) + g_12 (U - D)
    C_U ∂U/∂t - M ∂U/∂z = g_U (W - U) + g_12 (D - U),        D = U at the bottom

g_D or g_U is zero for the inner pipe. For the annulus it is 1/(answer of the surroundings within the step), and W what
its water would come to if it took no heat in the step (`kernels.ground`).

Implicit Euler in t. In z collocation at the two Gauss points of each cell (Hairer, Nørsett and Wanner 1993, Solving
Ordinary Differential Equations I, section II.7; order 4): temperatures are polynomials in a cell that fulfil the
equations at these two *nodes*. Whatever the cell, heat flow, rock and memory live at the nodes alone.

The solution is one sweep up, which gives U = A + B·D at the top of every cell, and, once the inlet temperature is
known, one sweep down. At the top A + B·D says what the well will deliver for any inlet, before the plant has chosen.

A *segment* is a stretch of the well in which rock and pipes are alike; it is cut into equal cells. Arrays are
(segment, …, lane), (cell, …, lane) or (node, lane), from the top down, two nodes to a cell.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROOT3 = np.sqrt(3.0)
GAUSS_POINTS = np.array([0.5 - ROOT3 / 6.0, 0.5 + ROOT3 / 6.0])
"""Where the nodes lie in a cell, as shares of its length; each has half of the cell's weight."""
_COLLOCATION = np.array([[0.25, 0.25 - ROOT3 / 6.0], [0.25 + ROOT3 / 6.0, 0.25]])


class Counterflow(NamedTuple):
    """The eliminated counterflow for one length of time step.

    With D_0, U_0 at the top of a cell, D_1, U_1 at its bottom, X = (D, U, D', U') at its nodes and the sources
    σ = g W + C/Δt · (temperature before the step) of each of the four:

        X = from_top · (D_0, U_0) + from_source · σ,        D_1 = D_0 + √3 (D' - D),
        U_0 = A_0 + B_0 D_0,        A_0 = carry · A_1 + pick · σ

    Attributes
    ----------
    g_down, g_up, storage_down, storage_up
        Conductances, and heat capacities over the step, C/Δt, W/m/K, (segment, lane).
    from_top, from_source
        (segment, 4, 2, lane), 1; (segment, 4, 4, lane), m K/W.
    carry, pick, slope
        (cell, lane), 1; (cell, 4, lane), m K/W; B at the top of each cell, (cell, lane), 1.
    """

    g_down: Array
    g_up: Array
    storage_down: Array
    storage_up: Array
    from_top: Array
    from_source: Array
    carry: Array
    pick: Array
    slope: Array


def eliminate(
    *,
    length: Array,
    cells: NDArray[np.int64],
    flow: Array,
    g_down: Array,
    g_up: Array,
    g_12: Array,
    storage_down: Array,
    storage_up: Array,
) -> Counterflow:
    """Eliminate the counterflow for one length of time step.

    Parameters
    ----------
    length
        Of the cells of each segment, m, (segment, lane).
    cells
        Number of cells of each segment, (segment,).
    flow
        Flow heat-capacity rate, W/K, (lane,).
    g_down, g_up, g_12, storage_down, storage_up
        Conductances between wall and channels and between the channels, and heat capacities of the channels over the
        step, C/Δt, W/m/K, (segment, lane).
    """
    ratio = length / flow  # m K/W: (D, U)' = F (D, U) + σ, times the length
    field = np.array([[-(g_down + g_12 + storage_down), g_12], [-g_12, g_up + g_12 + storage_up]]) * ratio
    field = np.moveaxis(field, (0, 1), (-2, -1))  # (segment, lane, 2, 2)
    sign = np.array([1.0, -1.0])
    size = (*ratio.shape, 4, 4)
    system = np.eye(4) - (_COLLOCATION[:, None, :, None] * field[..., None, :, None, :]).reshape(size)
    source = np.kron(_COLLOCATION, np.diag(sign)) * ratio[..., None, None]
    start = np.tile(np.eye(2), (2, 1))
    solved = np.linalg.solve(system, np.concatenate([np.broadcast_to(start, (*size[:2], 4, 2)), source], axis=-1))
    solved = np.ascontiguousarray(np.moveaxis(solved, 1, -1))  # (segment, 4, 6, lane)
    from_top, from_source = solved[:, :, :2], solved[:, :, 2:]
    across_top = np.eye(2)[:, :, None] + ROOT3 * (from_top[:, 2:] - from_top[:, :2])  # (segment, 2, 2, lane)
    across_source = ROOT3 * (from_source[:, 2:] - from_source[:, :2])  # (segment, 2, 4, lane)

    count = int(cells.sum())
    carry, slope = np.empty((2, count, ratio.shape[1]))
    pick = np.empty((count, 4, ratio.shape[1]))
    below = np.ones(ratio.shape[1])  # B at the bottom of the cell
    for cell, at in reversed(list(enumerate(np.repeat(np.arange(len(cells)), cells)))):
        carry[cell] = 1.0 / (across_top[at, 1, 1] - below * across_top[at, 0, 1])
        pick[cell] = carry[cell] * (below * across_source[at, 0] - across_source[at, 1])
        below = carry[cell] * (below * across_top[at, 0, 0] - across_top[at, 1, 0])
        slope[cell] = below
    return Counterflow(g_down, g_up, storage_down, storage_up, from_top.copy(), from_source.copy(), carry, pick, slope)


@njit(cache=True, error_model="numpy")
def sweep_up(counterflow, segment, rest, down, up, source, offset):  # type: ignore[no-untyped-def]
    """A at every depth, for given surroundings and temperatures before the step.

    Parameters
    ----------
    counterflow
        From `eliminate`.
    segment
        Segment of each cell, (cell,).
    rest, down, up
        Annulus if no heat were taken in the step, and the channels before the step, °C, (node, lane).
    source
        Result, (cell, 4, lane), W/m.
    offset
        Result, (cell + 1, lane), °C: A at the top of each cell; zero at the bottom. offset[0] is A in outlet = A + B ·
        inlet.
    """
    cells, lanes = counterflow.carry.shape
    for lane in range(lanes):
        offset[cells, lane] = 0.0
    for cell in range(cells - 1, -1, -1):
        at = segment[cell]
        for half in range(2):
            node = 2 * cell + half
            for lane in range(lanes):
                source[cell, 2 * half, lane] = (
                    counterflow.g_down[at, lane] * rest[node, lane]
                    + counterflow.storage_down[at, lane] * down[node, lane]
                )
            for lane in range(lanes):
                source[cell, 2 * half + 1, lane] = (
                    counterflow.g_up[at, lane] * rest[node, lane] + counterflow.storage_up[at, lane] * up[node, lane]
                )
        for lane in range(lanes):
            offset[cell, lane] = counterflow.carry[cell, lane] * offset[cell + 1, lane]
        for part in range(4):
            for lane in range(lanes):
                offset[cell, lane] += counterflow.pick[cell, part, lane] * source[cell, part, lane]


@njit(cache=True, error_model="numpy")
def sweep_down(counterflow, segment, rest, source, offset, inlet, water, down, up, flux):  # type: ignore[no-untyped-def]
    """Temperatures at the end of the step, and the heat that the surroundings gave.

    Parameters
    ----------
    counterflow, segment, rest, source, offset
        As in `sweep_up`.
    inlet
        Water entering the well, °C, (lane,).
    water
        Work space, (2, lane): afterwards, what reaches the bottom.
    down, up
        Channels, °C, (node, lane): result.
    flux
        Heat from the surroundings into the well, W/m, (node, lane): result.
    """
    cells, lanes = counterflow.carry.shape
    for lane in range(lanes):
        water[0, lane] = inlet[lane]
    for cell in range(cells):
        at = segment[cell]
        for lane in range(lanes):
            water[1, lane] = offset[cell, lane] + counterflow.slope[cell, lane] * water[0, lane]
        for half in range(2):
            node = 2 * cell + half
            _temperature(counterflow, at, 2 * half, source[cell], water, down[node])
            _temperature(counterflow, at, 2 * half + 1, source[cell], water, up[node])
            for lane in range(lanes):
                flux[node, lane] = counterflow.g_down[at, lane] * (rest[node, lane] - down[node, lane])
            for lane in range(lanes):
                flux[node, lane] += counterflow.g_up[at, lane] * (rest[node, lane] - up[node, lane])
        for lane in range(lanes):
            water[0, lane] += ROOT3 * (down[2 * cell + 1, lane] - down[2 * cell, lane])


@njit(cache=True, error_model="numpy")
def _temperature(counterflow, at, row, source, water, answer):  # type: ignore[no-untyped-def]
    top, inside = counterflow.from_top[at, row], counterflow.from_source[at, row]
    for lane in range(len(answer)):
        answer[lane] = top[0, lane] * water[0, lane] + top[1, lane] * water[1, lane]
    for lane in range(len(answer)):
        answer[lane] += inside[0, lane] * source[0, lane] + inside[1, lane] * source[1, lane]
    for lane in range(len(answer)):
        answer[lane] += inside[2, lane] * source[2, lane] + inside[3, lane] * source[3, lane]
