"""A field of wells and its plant, hour by hour through a heating season, and the rest in summer.

All wells are alike, carry the same flow and feel the mean of their neighbours (`kernels.field`). The water
circulates all season long. Arrays are (…, lane), lane the last and one sample each; powers and energies are of the
whole field, W and Wh.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from kernels.coaxial import Counterflow, eliminate, sweep_down, sweep_up
from kernels.ground import HOURLY, advance, recall
from kernels.season import (
    DAY,
    FAST,
    MEMORY,
    SUM,
    WATER,
    WIDTH,
    Course,
    Field,
    Heater,
    Meter,
    Plant,
    Records,
    Season,
    Winter,
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


class State(NamedTuple):
    """What a field remembers.

    Attributes
    ----------
    memory
        Heat flow as each mode remembers it, W/m, (node, mode, lane).
    down, up
        Water in the two channels, °C, (node, lane).
    deviation, mass_deviation
        How far rooms and mass of the building are below what they would be had no heat been short, K, (lane,).
    """

    memory: Array
    down: Array
    up: Array
    deviation: Array
    mass_deviation: Array


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
    return State(memory, wells.column.undisturbed.copy(), wells.column.undisturbed.copy(), *np.zeros((2, lanes)))


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


@dataclass(frozen=True)
class Circuit:
    """What a heating season runs with: plant, wells and the paces at which their pumps run.

    Attributes
    ----------
    plant, thermal, peak, reserve
        Plant; the building's two steps, (state, 6, lane), state 1 the occupied one (`kernels.building`); heaters.
    wells, steps
        For each pace the wells with its flow, slowest first, and `prepare_steps(wells, HOUR, daily=True)`.
    share
        Flow of each pace over the full one, increasing to 1, (pace, lane).
    """

    plant: Plant
    thermal: Array
    peak: Heater
    reserve: Heater
    wells: Sequence[Wells]
    steps: Sequence[Steps]
    share: Array


UNTRACED = Course(np.empty(0, dtype=np.int64), np.empty((0, 0, 0)))
UNREAD = Meter(False, False, np.empty((0, 0)))


def heating_season(
    state: State, circuit: Circuit, winter: Winter, course: Course = UNTRACED, meter: Meter = UNREAD
) -> Season:
    """Run one heating season in hourly steps; `state` is updated, and course and meter are filled.

    Lanes are a multiple of `season.WIDTH`.
    """
    wells, steps = circuit.wells[-1], circuit.steps[-1]
    column, lanes = wells.column, winter.outdoor.shape[1]
    thermal = np.concatenate([circuit.thermal, circuit.thermal[:, :2] / circuit.thermal[:, 4:5]], axis=1)
    still = [*circuit.plant, *thermal.reshape(-1, lanes), *circuit.peak, *circuit.reserve]
    fields = [np.stack(field_of(each)) for each in circuit.wells]
    fixed = np.concatenate([np.stack(still), fields[-1]])
    totals = np.zeros((len(Season._fields), lanes))
    totals[[SUM.inlet_min, SUM.outdoor_min, SUM.indoor_min]] = np.inf
    carried = {SUM.deviation: state.deviation, SUM.mass_deviation: state.mass_deviation}
    for row, value in carried.items():
        totals[row] = value
    for first in range(0, lanes, WIDTH):
        these = slice(first, first + WIDTH)
        weight, memory = wells.weight[..., these].copy(), state.memory[..., these].copy()
        paces = [records_of(state, wells, each, these) for each in circuit.steps]
        records = paces[-1]
        rows = records.cell.reshape(len(records.cell), -1, WIDTH)
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
            winter,
            first,
            circuit.share,
            (
                np.stack([each.segment for each in paces]),
                np.stack([each.flow for each in paces]),
                np.stack([each[:, these].ravel() for each in fields]),
            ),
            course,
            meter,
        )
        memory[:, :FAST] = rows[:, MEMORY:].reshape(len(memory), FAST, WIDTH)
        state.memory[..., these] = memory
        state.down[:, these], state.up[:, these] = (
            rows[:, [WATER + n, WATER + n + 2]].reshape(-1, WIDTH) for n in (0, 1)
        )
        totals[:, these] = sums.reshape(-1, WIDTH)
    for row, value in carried.items():
        value[:] = totals[row]
    return Season(*totals)


def records_of(state: State, wells: Wells, steps: Steps, these: slice) -> Records:
    """Records of WIDTH lanes of a field as it is now, for steps of `prepare_steps(wells, HOUR, daily=True)`."""
    counterflow = Counterflow(*(value[..., these] for value in steps.counterflow))
    half_length = 0.5 * wells.column.length[..., these]
    records = Records.of(counterflow, steps.decay, wells.weight[..., these], half_length)
    rows = records.cell.reshape(len(records.cell), -1, WIDTH)
    water = np.stack([state.down[..., these], state.up[..., these]], axis=1)
    rows[:, WATER : WATER + 4] = water.reshape(len(rows), 4, WIDTH)
    rows[:, MEMORY:] = state.memory[:, :FAST, these].reshape(len(rows), -1, WIDTH)
    return records


def field_of(wells: Wells) -> Field:
    """What the plant needs to know of the wells."""
    pump_flow = wells.volume_flow / wells.pump_efficiency
    return Field(wells.number, 1.0 / wells.number, wells.flow, pump_flow, wells.friction, wells.buoyancy)


def circulate(
    state: State, wells: Wells, steps: Steps, inlet_of: Callable[[Array], Array]
) -> tuple[Array, Array, Array]:
    """Let the water circulate at its full flow for one step of any length; `state` is updated.

    Parameters
    ----------
    steps
        From `prepare_steps(wells, length)`.
    inlet_of
        The temperature of the water entering the wells that follows from A, °C, both (lane,), where outlet = A + B ·
        inlet (`kernels.coaxial`) and B is `steps.counterflow.slope[0]`.

    Returns
    -------
    That temperature and A, °C, (lane,), and the heat flow from rock and walls, W/m, (node, lane).
    """
    nodes, lanes = state.down.shape
    segment, c = wells.column.segment, steps.counterflow
    rest, flux = np.empty((2, nodes, lanes))
    source, offset = np.empty((nodes // 2, 4, lanes)), np.empty((nodes // 2 + 1, lanes))
    at = np.repeat(segment, 2)
    for node in range(nodes):
        recall(steps.decay, wells.weight[at[node]], state.memory[node], wells.column.undisturbed[node], rest[node])
    sweep_up(c, segment, rest, state.down, state.up, source, offset)
    inlet = inlet_of(offset[0])
    sweep_down(c, segment, rest, source, offset, inlet, np.empty((2, lanes)), state.down, state.up, flux)
    for node in range(nodes):
        advance(steps.decay, flux[node], state.memory[node])
    return inlet, offset[0], flux


def summer_recharge(state: State, wells: Wells, steps: Steps, power: Array, maximum_inlet: Array) -> tuple[Array, ...]:
    """Put heat into the field for one step of any length; `state` is updated.

    Parameters
    ----------
    steps
        From `prepare_steps(wells, length)`.
    power
        Heat on offer for the whole field, W, (lane,).
    maximum_inlet
        The wells get no water warmer than this, °C, (lane,): then they take less than is on offer, or nothing, and
        rest as in `summer_rest`.

    Returns
    -------
    Mean heat taken by one well, its heat flow from rock and walls (negative), and the power of its pump, W, (lane,).
    """
    keeps = 1.0 - steps.counterflow.slope[0]  # share of a warmer inlet that stays below
    rested = State(*(value.copy() for value in state))
    rock_at_rest = summer_rest(rested, wells, steps)

    def as_warm_as_allowed(offset: Array) -> Array:
        settled = offset / keeps  # water that gives and takes nothing
        return np.maximum(settled, np.minimum(settled + power / (wells.number * wells.flow * keeps), maximum_inlet))

    inlet, offset, flux = circulate(state, wells, steps, as_warm_as_allowed)
    length = 0.5 * wells.column.length[np.repeat(wells.column.segment, 2)]
    head = (length * (state.up - state.down)).sum(axis=0)
    pressure = np.maximum(0.0, wells.friction - wells.buoyancy * head)
    taken = wells.flow * keeps * (inlet - offset / keeps)
    pump, rock = wells.volume_flow * pressure / wells.pump_efficiency, (length * flux).sum(axis=0)
    idle = ~(taken > 0.0)  # nobody would circulate
    for mine, resting in zip(state, rested, strict=True):
        mine[..., idle] = resting[..., idle]
    for value in (state.deviation, state.mass_deviation):
        value[:] = 0.0
    return np.where(idle, 0.0, taken), np.where(idle, rock_at_rest, rock), np.where(idle, 0.0, pump)


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
    Mean heat flow from rock and walls into one well meanwhile, W, (lane,).
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
    for value in (state.deviation, state.mass_deviation):
        value[:] = 0.0
    return rock
