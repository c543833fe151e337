"""One coaxial well under a prescribed load: temperatures over time, with steps as short as the load asks for."""

import itertools
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels.coaxial import GAUSS_POINTS, Counterflow, eliminate, sweep_down, sweep_up
from kernels.ground import FINE, Modes, Surroundings, advance, recall

Array = NDArray[np.float64]

SHORTEST_STEP = 5.0
"""Steps in which water passes through one cell."""

CHUNK = 1024
"""Steps whose coefficients are held at a time."""


@dataclass(frozen=True)
class Column:
    """The well from the top down, cut into cells with two nodes each; of one well, or with a last axis of lanes.

    Attributes
    ----------
    length
        Length of the cells of each segment, m, (segment,) or (segment, lane).
    cells
        Number of cells of each segment, (segment,).
    depth, undisturbed
        Depth (m) and undisturbed temperature (°C) of each node, (node,) or (node, lane).
    """

    length: Array
    cells: NDArray[np.int64]
    depth: Array
    undisturbed: Array

    @classmethod
    def cut(
        cls, thickness: Array, gradient: Array, surface_temperature: Array | float, cells: NDArray[np.int64]
    ) -> "Column":
        """Cut segments of given thickness (m) and gradient (K/m), (segment,) or (segment, lane), into equal cells.

        `surface_temperature` in °C, one or (lane,); `cells` is the number of cells of each segment, (segment,).
        """
        length = (thickness.T / cells).T
        of_cell = np.repeat(np.arange(len(cells)), cells)
        step, rise = length[of_cell], (length * gradient)[of_cell]
        depth, undisturbed = (
            np.stack([np.cumsum(each, axis=0) - (1.0 - point) * each for point in GAUSS_POINTS], axis=1).reshape(
                -1, *each.shape[1:]
            )
            for each in (step, rise)
        )
        return cls(length, cells, depth, surface_temperature + undisturbed)

    def lane(self, number: int) -> "Column":
        """One of the wells, without the axis of lanes."""
        return Column(self.length[:, number], self.cells, self.depth[:, number], self.undisturbed[:, number])

    @property
    def segment(self) -> NDArray[np.int64]:
        """Segment that each cell lies in, (cell,)."""
        return np.repeat(np.arange(len(self.cells)), self.cells)


def share_cells(thickness: Array, total: int) -> NDArray[np.int64]:
    """Number of cells of each segment: in proportion to its thickness, one at least; about `total` together."""
    return np.maximum(1, np.rint(total * thickness / thickness.sum()).astype(np.int64))


def time_edges(change: Array, end: float, *, first: float, growth: float) -> Array:
    """Edges of steps that are short after each change of load, then grow, and meet the changes.

    No step is much shorter than `first`: in a step in which water passes but a small part of a cell, what enters a cell
    would leave it at once. Changes that follow each other sooner share a step.

    Parameters
    ----------
    change
        Times at which the load changes, s, the first one 0.
    end
        Time that the last step must reach, s.
    first, growth
        A step is `first` (s) long, or `growth` times the time since the last change, whichever is more.

    Returns
    -------
    Edges, s, (step + 1,).
    """
    marks = [0.0]
    for mark in change[change < end]:
        if mark >= marks[-1] + first:
            marks.append(mark)
    marks.append(max(end, marks[-1] + first))
    edges = [np.zeros(1)]
    for start, stop in itertools.pairwise(marks):
        since = [0.0]
        while since[-1] < (stop - start) * (1.0 - 1e-9):
            since.append(since[-1] + max(first, growth * since[-1]))
        grown = start + np.array(since[1:]) * ((stop - start) / since[-1])  # scaled to land on `stop`
        grown[-1] = stop
        edges.append(grown)
    return np.concatenate(edges)


@dataclass(frozen=True)
class Well:
    """One well in its ground.

    Attributes
    ----------
    column
        The well from the top down.
    flow
        Flow heat-capacity rate ρ V c, W/K.
    surroundings
        What lies around the annulus.
    annulus_inner
        Thermal resistance between the channels, m K/W, (segment,).
    annulus_storage, inner_storage
        Heat capacity of the water in each channel, J/m/K.
    pipe_storage, pipe_share
        Heat capacity of the inner pipe's wall, J/m/K, and where between inner pipe (0) and annulus (1) its mean
        temperature lies, (segment,).
    annulus_down
        Whether the water goes down the annulus (and up the inner pipe) or the other way round.
    """

    column: Column
    flow: float
    surroundings: Surroundings
    annulus_inner: Array
    annulus_storage: float
    inner_storage: float
    pipe_storage: Array
    pipe_share: Array
    annulus_down: bool


class History(NamedTuple):
    """Temperatures, °C, of the water entering and leaving the well, (time,), and along it, (time, node)."""

    inlet: Array
    outlet: Array
    annulus: Array
    inner: Array
    wall: Array


def prescribed_load(
    well: Well,
    *,
    change: Array,
    load: Array,
    fixed_inlet: bool,
    times: Array,
    modes: Modes = FINE,
    first: float | None = None,
    growth: float = 0.01,
    extrapolate: bool = True,
) -> History:
    """Temperatures of a well that circulates from t = 0 on.

    Parameters
    ----------
    well
        The well; water, walls and rock start at the undisturbed temperature.
    change, load
        From each time (s, the first one 0) on: heat taken from the well (W), or with `fixed_inlet` the inlet
        temperature (°C).
    times
        Output times, s, increasing. At a time at which the load changes, the answer is the one just before.
    modes
        Time constants of the ground's memory.
    first, growth
        Steps after a change of load are `first` (s) long, by default a fifth of the time that the water takes through
        one cell; later ones are this share of the time since the change.
    extrapolate
        Whether all is computed once more in steps of half the length, and extrapolated to none (Richardson 1911): a
        tenth of the error is left, or less.

    Raises
    ------
    ValueError
        When the load does not start at 0, or output is asked for at 0.
    """
    if change[0] != 0.0 or times[0] <= 0.0:
        raise ValueError(f"the load must start at 0 and output later, got {change[0]!r} and {times[0]!r}")
    column = well.column
    if first is None:
        depth = float(column.length @ column.cells)
        transit = depth * (well.annulus_storage + well.inner_storage) / well.flow
        first = transit / (SHORTEST_STEP * column.cells.sum())
    edges = time_edges(change, float(times[-1]), first=first, growth=growth)
    after = np.searchsorted(edges, times)
    needed, place = np.unique([after - 1, after], return_inverse=True)
    loads = partial(_mean_load, change, load)
    run = partial(
        _run,
        well,
        fixed_inlet=fixed_inlet,
        time_constant=modes.time_constant,
        own=modes.own(well.surroundings),
        at_wall=modes.wall(well.surroundings),
    )
    coarse = run(edges, loads(edges), needed=needed)
    if extrapolate:
        halved = np.sort(np.concatenate([edges, 0.5 * (edges[1:] + edges[:-1])]))
        fine = run(halved, loads(halved), needed=2 * needed)
        coarse = History(*(2.0 * one - other for one, other in zip(fine, coarse, strict=True)))
    share = (times - edges[after - 1]) / (edges[after] - edges[after - 1])

    def between(values: Array) -> Array:
        before, behind = (values[each] for each in place.reshape(2, -1))
        weight = share.reshape(-1, *[1] * (values.ndim - 1))
        return (1.0 - weight) * before + weight * behind

    history = History(*map(between, coarse))
    just_before = load[np.searchsorted(change, times, side="left") - 1]  # the outlet never jumps, the inlet does
    return history._replace(inlet=just_before if fixed_inlet else history.outlet - just_before / well.flow)


def _mean_load(change: Array, load: Array, edges: Array) -> Array:
    """Mean load of each step between edges, (step,)."""
    place = np.searchsorted(change, edges, side="right") - 1
    total = np.append(0.0, np.cumsum(load[:-1] * np.diff(change)))[place] + load[place] * (edges - change[place])
    return np.diff(total) / np.diff(edges)


def _run(
    well: Well,
    edges: Array,
    loads: Array,
    *,
    fixed_inlet: bool,
    needed: NDArray[np.int64],
    time_constant: Array,
    own: tuple[Array, Array],
    at_wall: tuple[Array, Array],
) -> History:
    """`prescribed_load` in steps between given edges, s, (step + 1,), at those of number `needed`.

    `own` and `at_wall` are instants and weights of annulus and borehole wall, as `kernels.ground.Modes` has them.
    """
    column, steps = well.column, np.diff(edges)
    instant, weight = own

    annulus_and_inner = slice(None, None, 1 if well.annulus_down else -1)  # in the order down, up
    # the inner pipe's wall: by Simpson's rule two thirds of its heat at its mean temperature, a third with the channels
    share = np.stack([well.pipe_share, 1.0 - well.pipe_share])[annulus_and_inner, :, None]
    water = np.array([well.annulus_storage, well.inner_storage])[annulus_and_inner, None, None]
    storage = water + share * well.pipe_storage[:, None] / 3.0
    to_pipe = 1.0 / (1.0 - share) / well.annulus_inner[:, None]
    nodes = 2 * len(column.segment)
    memory = np.zeros((nodes, len(time_constant), 1))
    down, up, pipe = (column.undisturbed[:, None].copy() for _ in range(3))
    history = History(*np.empty((2, len(needed))), *np.empty((3, len(needed), nodes)))
    for values in history[2:]:
        values[:] = column.undisturbed  # the first edge: nothing has moved yet
    gradient = np.diff(column.undisturbed[:2]) / np.diff(column.depth[:2])
    history.inlet[:] = history.outlet[:] = column.undisturbed[0] - gradient * column.depth[0]
    for start in range(0, len(steps), CHUNK):
        length = steps[start : start + CHUNK]
        decay = np.exp(-np.divide.outer(length, time_constant))
        answer = instant + (1.0 - decay) @ weight  # (step, segment)
        conductance, still = 1.0 / answer.T, np.zeros_like(answer.T)
        of_pipe = np.divide.outer(well.pipe_storage * (2.0 / 3.0), length)
        with_pipe = to_pipe[0] + to_pipe[1] + of_pipe  # (segment, step)
        lasting = of_pipe / with_pipe
        stored = storage / length + to_pipe * lasting
        counterflow = eliminate(
            length=np.broadcast_to(column.length[:, None], conductance.shape),
            cells=column.cells,
            flow=np.full(len(length), well.flow),
            g_down=conductance if well.annulus_down else still,
            g_up=still if well.annulus_down else conductance,
            g_12=to_pipe[0] * to_pipe[1] / with_pipe,
            storage_down=stored[0],
            storage_up=stored[1],
        )
        by_step = Counterflow(*(np.ascontiguousarray(np.moveaxis(each, -1, 0))[..., None] for each in counterflow))
        _march(
            loads[start : start + CHUNK],
            fixed_inlet,
            well.flow,
            by_step,
            column.segment,
            decay,
            weight[..., None].swapaxes(0, 1).copy(),
            (at_wall[0], at_wall[1].T.copy()),
            column.undisturbed[:, None].copy(),
            (memory, down, up, pipe),
            np.stack([lasting, *(to_pipe / with_pipe), *(to_pipe * lasting / stored)]).transpose(2, 1, 0).copy(),
            needed - start - 1,
            history,
        )
    if not well.annulus_down:
        history = history._replace(annulus=history.inner, inner=history.annulus)
    return history


@njit(cache=True, error_model="numpy")
def _march(  # type: ignore[no-untyped-def]
    loads, fixed_inlet, flow, by_step, segment, decay, weight, at_wall, undisturbed, state, of_pipe, needed, history
):
    """Some steps on; those after which an edge is needed go into `history` (the channel going down as its annulus)."""
    memory, down, up, pipe = state
    cells, nodes = len(segment), len(undisturbed)
    rest, flux = np.empty((2, nodes, 1))
    source, offset = np.empty((cells, 4, 1)), np.empty((cells + 1, 1))
    inlet, water = np.empty(1), np.empty((2, 1))
    for step in range(len(loads)):
        counterflow = Counterflow(
            by_step.g_down[step],
            by_step.g_up[step],
            by_step.storage_down[step],
            by_step.storage_up[step],
            by_step.from_top[step],
            by_step.from_source[step],
            by_step.carry[step],
            by_step.pick[step],
            by_step.slope[step],
        )
        for node in range(nodes):
            at = segment[node // 2]
            recall(decay[step], weight[at], memory[node], undisturbed[node], rest[node])
            # the inner pipe's wall passes on what it held: part of what the channels held
            down[node] += of_pipe[step, at, 3] * (pipe[node] - down[node])
            up[node] += of_pipe[step, at, 4] * (pipe[node] - up[node])
        sweep_up(counterflow, segment, rest, down, up, source, offset)
        ratio = counterflow.slope[0, 0]
        inlet[0] = loads[step] if fixed_inlet else (offset[0, 0] - loads[step] / flow) / (1.0 - ratio)
        sweep_down(counterflow, segment, rest, source, offset, inlet, water, down, up, flux)
        for node in range(nodes):
            advance(decay[step], flux[node], memory[node])
            share = of_pipe[step, segment[node // 2]]
            pipe[node] = share[0] * pipe[node] + share[1] * down[node] + share[2] * up[node]
        for time in range(np.searchsorted(needed, step), np.searchsorted(needed, step + 1)):
            history.inlet[time] = inlet[0]
            history.outlet[time] = offset[0, 0] + ratio * inlet[0]
            for node in range(nodes):
                at = segment[node // 2]
                history.annulus[time, node], history.inner[time, node] = down[node, 0], up[node, 0]
                wall = undisturbed[node, 0] - at_wall[0][at] * flux[node, 0]
                for mode in range(len(decay[step])):
                    wall -= at_wall[1][at, mode] * memory[node, mode, 0]
                history.wall[time, node] = wall
