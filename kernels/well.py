"""One coaxial well under a prescribed load: temperatures over time, with steps as short as the load asks for."""

import itertools
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels.coaxial import eliminate, sweep_down, sweep_up
from kernels.ground import FINE, Modes, advance, recall

Array = NDArray[np.float64]

SHORTEST_STEP = 10.0
"""Steps in which water passes through one cell. With far more of them the box scheme would ring at a front."""


@dataclass(frozen=True)
class Column:
    """The ground along the well, cut into cells from the top down; of one well, or with a last axis of lanes.

    Attributes
    ----------
    thickness
        Length of each cell, m, (cell,) or (cell, lane).
    layer
        Layer that each cell lies in, (cell,).
    undisturbed
        Undisturbed temperature at the middle of each cell, °C, as `thickness`.
    """

    thickness: Array
    layer: NDArray[np.int64]
    undisturbed: Array

    @classmethod
    def cut(
        cls, thickness: Array, gradient: Array, surface_temperature: Array | float, cells: NDArray[np.int64]
    ) -> "Column":
        """Cut layers of given thickness (m) and gradient (K/m), (layer,) or (layer, lane), into equal cells.

        `surface_temperature` in °C, one or (lane,); `cells` is the number of cells of each layer, (layer,).
        """
        layer = np.repeat(np.arange(len(cells)), cells)
        length = (thickness.T / cells).T[layer]
        rise = length * gradient[layer]
        return cls(length, layer, surface_temperature + np.cumsum(rise, axis=0) - 0.5 * rise)


def share_cells(thickness: Array, total: int) -> NDArray[np.int64]:
    """Number of cells of each layer: in proportion to its thickness, two at least; about `total` together."""
    return np.maximum(2, np.rint(total * thickness / thickness.sum()).astype(np.int64))


def time_edges(change: Array, end: float, *, first: float, growth: float) -> Array:
    """Edges of steps that are short after each change of load, then grow, and meet every change.

    Parameters
    ----------
    change
        Times at which the load changes, s, the first one 0.
    end
        Where the last step ends, s.
    first, growth
        A step is `first` (s) long, or `growth` times the time since the last change, whichever is more.

    Returns
    -------
    Edges, s, (step + 1,).
    """
    marks = np.append(change[change < end], end)
    edges = [np.zeros(1)]
    for start, stop in itertools.pairwise(marks):
        since = [0.0]
        while since[-1] < stop - start:
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
        The ground along the well.
    conductivity
        Of the rock, W/m/K, (layer,).
    fourier_rate
        Diffusivity of the rock over the square of the borehole's radius, α / r_b², 1/s, (layer,).
    flow
        Flow heat-capacity rate ρ V c, W/K.
    annulus_wall, annulus_inner
        Thermal resistances, m K/W.
    annulus_storage, inner_storage
        Heat capacity of the water in each channel, J/m/K.
    annulus_down
        Whether the water goes down the annulus (and up the inner pipe) or the other way round.
    """

    column: Column
    conductivity: Array
    fourier_rate: Array
    flow: float
    annulus_wall: float
    annulus_inner: float
    annulus_storage: float
    inner_storage: float
    annulus_down: bool


def prescribed_load(
    well: Well,
    *,
    change: Array,
    load: Array,
    fixed_inlet: bool,
    times: Array,
    modes: Modes = FINE,
    first: float | None = None,
    growth: float = 0.002,
) -> tuple[Array, Array]:
    """Temperatures of the water entering and leaving a well that circulates from t = 0 on.

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
        Steps after a change of load are `first` (s) long, by default a tenth of the time that the water takes through
        one cell; later ones are this share of the time since the change.

    Returns
    -------
    Inlet and outlet temperature, °C, (time,).

    Raises
    ------
    ValueError
        When the load does not start at 0, or output is asked for at 0.
    """
    if change[0] != 0.0 or times[0] <= 0.0:
        raise ValueError(f"the load must start at 0 and output later, got {change[0]!r} and {times[0]!r}")
    column = well.column
    if first is None:
        transit = (well.annulus_storage + well.inner_storage) * float(column.thickness.sum()) / well.flow
        first = transit / (SHORTEST_STEP * len(column.thickness))
    edges = time_edges(change, float(times[-1]), first=first, growth=growth)
    steps = np.diff(edges)
    outlet = _march(
        steps,
        load[np.searchsorted(change, edges[:-1] + 0.5 * steps, side="right") - 1],
        fixed_inlet,
        (well.flow, 1.0 / well.annulus_wall, 1.0 / well.annulus_inner, well.annulus_storage, well.inner_storage),
        well.annulus_down,
        (column.thickness, column.layer, column.undisturbed),
        (well.conductivity, well.fourier_rate),
        (modes.time_constant, modes.instant, modes.cylinder),
    )
    at_top = 1.5 * column.undisturbed[0] - 0.5 * column.undisturbed[1]
    answer = np.interp(times, edges, np.append(at_top, outlet))  # the outlet never jumps, the inlet does with the load
    just_before = load[np.searchsorted(change, times, side="left") - 1]
    return (just_before if fixed_inlet else answer - just_before / well.flow), answer


@njit(cache=True, error_model="numpy")
def _march(steps, loads, fixed_inlet, well, annulus_down, column, rock, modes):  # type: ignore[no-untyped-def]
    """Outlet temperature at the end of every step, °C, (step,)."""
    flow, g_wall, g_12, annulus_storage, inner_storage = well
    thickness, layer, undisturbed = column
    conductivity, fourier_rate = rock
    tau, instant, weight = modes
    cells, layers = len(thickness), len(conductivity)
    m, rest, down, up, wall, flux, progress = np.empty((7, cells, 1))
    g_down, g_up, storage_down, storage_up = np.zeros((4, cells, 1))
    sweep, ratio, offset = np.empty((10, cells, 1)), np.empty(1), np.empty((cells + 1, 1))
    inlet, outlet = np.empty((2, 1))
    memory = np.zeros((cells, len(tau), 1))
    decay, gain = np.empty((2, layers, len(tau), 1))
    exchange = np.full((cells, 1), g_12)
    conductance = np.empty(layers)
    history = np.empty(len(steps))
    for cell in range(cells):
        m[cell, 0] = flow / thickness[cell]
        rest[cell, 0] = down[cell, 0] = up[cell, 0] = undisturbed[cell]
    for step in range(len(steps)):
        length = steps[step]
        for at in range(layers):
            answer = instant
            for mode in range(len(tau)):
                passed = -np.expm1(-length * fourier_rate[at] / tau[mode])
                decay[at, mode, 0] = 1.0 - passed
                gain[at, mode, 0] = weight[mode] * passed / (2.0 * np.pi * conductivity[at])
                answer += weight[mode] * passed
            conductance[at] = 1.0 / (1.0 / g_wall + answer / (2.0 * np.pi * conductivity[at]))
        for cell in range(cells):
            recall(decay[layer[cell]], memory[cell], rest[cell], wall[cell])
            if annulus_down:
                g_down[cell, 0] = conductance[layer[cell]]
                storage_down[cell, 0], storage_up[cell, 0] = annulus_storage / length, inner_storage / length
            else:
                g_up[cell, 0] = conductance[layer[cell]]
                storage_down[cell, 0], storage_up[cell, 0] = inner_storage / length, annulus_storage / length
        eliminate(m, g_down, g_up, exchange, storage_down, storage_up, sweep, ratio)
        sweep_up(sweep, wall, down, up, offset, progress)
        inlet[0] = loads[step] if fixed_inlet else (offset[0, 0] - loads[step] / flow) / (1.0 - ratio[0])
        outlet[0] = offset[0, 0] + ratio[0] * inlet[0]
        history[step] = outlet[0]
        sweep_down(sweep, g_down, g_up, wall, offset, progress, inlet, outlet, down, up, flux)
        for cell in range(cells):
            advance(decay[layer[cell]], gain[layer[cell]], flux[cell], memory[cell], rest[cell], wall[cell])
    return history
