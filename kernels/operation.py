"""A field of wells and its plant, hour by hour through a heating season, and the rest in summer.

All wells are alike, carry the same flow and feel the mean of their neighbours (`kernels.field`). The water
circulates all season long. Arrays are (…, lane), lane the last and one sample each; powers and energies are of the
whole field, W and Wh.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.coaxial import Counterflow, eliminate
from kernels.ground import HOURLY, advance, recall
from kernels.season import (
    DAY,
    FAST,
    INLET_MIN,
    MEMORY,
    OUTDOOR_MIN,
    SHORTFALL,
    WATER,
    WIDTH,
    Records,
    Season,
    run_hours,
)
from kernels.well import Column

Array = NDArray[np.float64]


class Wells(NamedTuple):
    """A field of alike wells: (lane,) unless said otherwise.

    Attributes
    ----------
    column
        The wells from the top down.
    number
        Number of wells.
    flow
        Flow heat-capacity rate of one well, W/K.
    annulus_inner
        Thermal resistance between the channels, m K/W, (segment, lane).
    storage_down, storage_up
        Heat capacity of the channel going down and of the one coming up, J/m/K, (segment, lane).
    annulus_down
        Whether the annulus is the channel going down.
    instant, weight
        Response of the surroundings on the modes of `kernels.ground.HOURLY`, the well's own and its neighbours'
        together, m K/W: (segment, lane) and (segment, mode, lane).
    friction, buoyancy, pump_efficiency
        Pressure drop of one well (Pa); what a kelvin of mean difference between the channels, over a metre, gives
        back (Pa/m/K); 1.
    volume_flow
        Of one well, m³/s.
    """

    column: Column
    number: Array
    flow: Array
    annulus_inner: Array
    storage_down: Array
    storage_up: Array
    annulus_down: bool
    instant: Array
    weight: Array
    friction: Array
    buoyancy: Array
    pump_efficiency: Array
    volume_flow: Array


class Plant(NamedTuple):
    """Demand and plant, all (lane,).

    `design_load` W at `design_outdoor` °C, `balance`, `supply_design`, `supply_mild` °C, `conductance` of the
    building W/K, `persistence` = exp(-1 h / time constant), `capacity` of the heat pumps W, `efficiency` second-law,
    `maximum_cop`, `minimum_inlet` °C, `peak_capacity` W, `transport_factor` heat per electricity of the building
    circuit's pumps.
    """

    design_load: Array
    design_outdoor: Array
    balance: Array
    supply_design: Array
    supply_mild: Array
    conductance: Array
    persistence: Array
    capacity: Array
    efficiency: Array
    maximum_cop: Array
    minimum_inlet: Array
    peak_capacity: Array
    transport_factor: Array


class State(NamedTuple):
    """What a field remembers.

    Attributes
    ----------
    memory
        Heat flow as each mode remembers it, W/m, (node, mode, lane).
    down, up
        Water in the two channels, °C, (node, lane).
    shortfall
        How far the building is below its set temperature, K, (lane,).
    """

    memory: Array
    down: Array
    up: Array
    shortfall: Array


class Steps(NamedTuple):
    """What a time step of one length needs.

    Attributes
    ----------
    length
        s.
    decay
        exp(-Δt / τ_j) of each mode, (mode,): where `daily`, of the slow ones over a day.
    counterflow
        From `kernels.coaxial.eliminate`.
    """

    length: float
    decay: Array
    counterflow: Counterflow


def undisturbed_state(wells: Wells) -> State:
    """A field before its first season: water and rock at the undisturbed temperature."""
    nodes, lanes = wells.column.undisturbed.shape
    memory = np.zeros((nodes, len(HOURLY.time_constant), lanes))
    return State(memory, wells.column.undisturbed.copy(), wells.column.undisturbed.copy(), np.zeros(lanes))


def prepare_steps(wells: Wells, length: float, *, daily: bool = False) -> Steps:
    """Coefficients of a time step of given length, s; with `daily`, slow modes advance every 24th step only."""
    decay = np.exp(-length / HOURLY.time_constant)
    passed = 1.0 - decay
    if daily:
        decay[FAST:] = np.exp(-DAY * length / HOURLY.time_constant[FAST:])
        passed[FAST:] = (1.0 - decay[FAST:]) / DAY
    answer = wells.instant.copy()
    for mode, share in enumerate(passed):
        answer += wells.weight[:, mode] * share
    conductance, still = 1.0 / answer, np.zeros_like(answer)
    counterflow = eliminate(
        length=wells.column.length,
        cells=wells.column.cells,
        flow=wells.flow,
        g_down=conductance if wells.annulus_down else still,
        g_up=still if wells.annulus_down else conductance,
        g_12=1.0 / wells.annulus_inner,
        storage_down=wells.storage_down / length,
        storage_up=wells.storage_up / length,
    )
    return Steps(length, decay, counterflow)


def mean_cooling(state: State, wells: Wells, weight: Array) -> Array:
    """Cooling that some weights (m K/W, (segment, mode, lane)) make of the memory: mean over the depth, K, (lane,)."""
    total, depth = np.zeros((2, len(wells.flow)))
    for node, at in enumerate(np.repeat(wells.column.segment, 2)):
        depth += wells.column.length[at]
        for mode in range(weight.shape[1]):
            total += wells.column.length[at] * weight[at, mode] * state.memory[node, mode]
    return total / depth


def heating_season(state: State, wells: Wells, steps: Steps, plant: Plant, outdoor: Array) -> Season:
    """Run one heating season in hourly steps; `state` is updated.

    Parameters
    ----------
    steps
        From `prepare_steps(wells, HOUR, daily=True)`.
    outdoor
        Outdoor temperature of each hour of whole days, °C, (hour, lane); lanes are a multiple of `season.WIDTH`.
    """
    column, lanes = wells.column, outdoor.shape[1]
    pump_flow = wells.volume_flow / wells.pump_efficiency
    fixed = np.stack([*plant, wells.number, wells.flow, pump_flow, wells.friction, wells.buoyancy])
    totals = np.zeros((len(Season._fields), lanes))
    totals[INLET_MIN] = totals[OUTDOOR_MIN] = np.inf
    totals[SHORTFALL] = state.shortfall
    for first in range(0, lanes, WIDTH):
        these = slice(first, first + WIDTH)
        weight, memory = wells.weight[..., these].copy(), state.memory[..., these].copy()
        records = Records.of(
            Counterflow(*(each[..., these] for each in steps.counterflow)),
            steps.decay,
            weight,
            0.5 * column.length[..., these],
        )
        rows = records.cell.reshape(len(records.cell), -1, WIDTH)
        water = np.stack([state.down[..., these], state.up[..., these]], axis=1).reshape(len(rows), 4, WIDTH)
        rows[:, WATER : WATER + 4] = water
        rows[:, MEMORY:] = memory[:, :FAST].reshape(len(rows), -1, WIDTH)
        sums = totals[:, these].ravel()
        run_hours(
            records,
            column.segment,
            steps.decay,
            weight.reshape(len(weight), -1),
            memory.reshape(len(memory), -1),
            column.undisturbed[:, these].copy(),
            fixed[:, these].ravel(),
            sums,
            outdoor,
            first,
        )
        memory[:, :FAST] = rows[:, MEMORY:].reshape(len(memory), FAST, WIDTH)
        state.memory[..., these] = memory
        state.down[:, these], state.up[:, these] = (
            rows[:, [WATER + n, WATER + n + 2]].reshape(-1, WIDTH) for n in (0, 1)
        )
        totals[:, these] = sums.reshape(-1, WIDTH)
    state.shortfall[:] = totals[SHORTFALL]
    return Season(*totals)


def summer_rest(state: State, wells: Wells, steps: Steps) -> Array:
    """Let the field rest without circulation for one step of any length; `state` is updated.

    At each node the water settles with its own surroundings: the equations of `kernels.coaxial` with M = 0. Heat flows
    evenly through the step; one step for a summer of 214 days ends 0.05 K off, two equal ones 0.003 K.

    Parameters
    ----------
    steps
        From `prepare_steps(wells, length of the rest)`.

    Returns
    -------
    Mean heat flow from rock and walls meanwhile, W, (lane,).
    """
    rest, rock = np.empty(wells.flow.shape), np.zeros(wells.flow.shape)
    c = steps.counterflow
    for node, at in enumerate(np.repeat(wells.column.segment, 2)):
        recall(steps.decay, wells.weight[at], state.memory[node], wells.column.undisturbed[node], rest)
        g_12 = 1.0 / wells.annulus_inner[at]
        down_total = c.storage_down[at] + c.g_down[at] + g_12
        up_total = c.storage_up[at] + c.g_up[at] + g_12
        down_source = c.storage_down[at] * state.down[node] + c.g_down[at] * rest
        up_source = c.storage_up[at] * state.up[node] + c.g_up[at] * rest
        determinant = down_total * up_total - g_12**2
        down = (down_source * up_total + g_12 * up_source) / determinant
        up = (up_source * down_total + g_12 * down_source) / determinant
        flux = c.g_down[at] * (rest - down) + c.g_up[at] * (rest - up)
        advance(steps.decay, flux, state.memory[node])
        state.down[node], state.up[node] = down, up
        rock += 0.5 * wells.column.length[at] * flux
    state.shortfall[:] = 0.0
    return wells.number * rock
