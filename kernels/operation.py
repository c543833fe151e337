"""A field of wells and its plant, hour by hour through a heating season, and the rest in summer.

All wells are alike, carry the same flow and feel the mean of their neighbours (`kernels.field`). The water
circulates all season long. Arrays are (…, lane), lane the last and one sample each; powers and energies are of the
whole field, W and Wh.

The rock's fast modes advance hour by hour. What the slow ones (time constants above 500 h) do within a day is all but
linear in time: they advance once a day, by the day's mean heat flow, and in between their answer is interpolated.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels.coaxial import Counterflow, eliminate, sweep_down, sweep_up
from kernels.ground import HOURLY, advance, recall
from kernels.plant import heat_demand, heat_pump, indoor_shortfall, supply_temperature
from kernels.well import Column

Array = NDArray[np.float64]
GRAVITY = 9.80665
DAY = 24
FAST = HOURLY.fast


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


class Season(NamedTuple):
    """Sums and extremes of one heating season, all (lane,): energies Wh, temperatures °C, `shortfall_max` K.

    `rock_heat` is what rock and walls gave; `rock_heat_gross` sums its hourly magnitudes, to judge balances by.
    """

    heat_demand: Array
    heat_pump_heat: Array
    heat_backup: Array
    heat_unmet: Array
    heat_extracted: Array
    compressor: Array
    circulation: Array
    unmet_hours: Array
    shortfall_max: Array
    inlet_min: Array
    outlet_sum: Array
    outdoor_sum: Array
    outdoor_min: Array
    rock_heat: Array
    rock_heat_gross: Array


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
        Outdoor temperature of each hour of whole days, °C, (hour, lane).
    """
    lanes = outdoor.shape[1]
    season = Season(*np.zeros((len(Season._fields), lanes)))
    season.inlet_min[:] = season.outdoor_min[:] = np.inf
    _season(
        state,
        steps.counterflow,
        steps.decay,
        wells.column.segment,
        0.5 * wells.column.length,
        wells.column.undisturbed,
        wells.weight,
        wells.weight[:, :FAST] * steps.decay[:FAST, None],
        (wells.number, wells.flow, wells.volume_flow / wells.pump_efficiency, wells.friction, wells.buoyancy),
        plant,
        outdoor,
        season,
    )
    return season


@njit(cache=True, error_model="numpy")
def _season(  # type: ignore[no-untyped-def]
    state, counterflow, decay, segment, length, undisturbed, weight, fading, field, plant, outdoor, season
):
    number, flow, pump_flow, friction, buoyancy = field
    nodes, lanes = undisturbed.shape
    rest, flux, slow, drift, taken = np.empty((5, nodes, lanes))
    source, offset = np.empty((nodes // 2, 4, lanes)), np.empty((nodes // 2 + 1, lanes))
    inlet, rock, head = np.empty((3, lanes))
    water = np.empty((2, lanes))
    answer = np.zeros((len(weight), lanes))  # of the slow modes, to an hour's heat flow
    for mode in range(FAST, len(decay)):
        answer += weight[:, mode] * ((1.0 - decay[mode]) / DAY)
    for hour in range(len(outdoor)):
        if hour % DAY == 0:
            for node in range(nodes):
                _begin_day(
                    decay, weight[segment[node // 2]], state.memory[node], undisturbed[node], slow[node], drift[node]
                )
                taken[node] = 0.0
                _recall_fast(fading[segment[node // 2]], state.memory[node], slow[node], drift[node], rest[node])
        sweep_up(counterflow, segment, rest, state.down, state.up, source, offset)
        _hour(outdoor[hour], offset[0], counterflow.slope[0], state.shortfall, number, flow, plant, season, inlet)
        sweep_down(counterflow, segment, rest, source, offset, inlet, water, state.down, state.up, flux)
        rock[:] = 0.0
        head[:] = 0.0
        for node in range(nodes):
            at = segment[node // 2]
            for lane in range(lanes):
                taken[node, lane] += flux[node, lane]
                slow[node, lane] += drift[node, lane] - answer[at, lane] * flux[node, lane]
            _advance_fast(decay, fading[at], flux[node], state.memory[node], slow[node], drift[node], rest[node])
            for lane in range(lanes):
                rock[lane] += length[at, lane] * flux[node, lane]
            for lane in range(lanes):
                head[lane] += length[at, lane] * (state.up[node, lane] - state.down[node, lane])
        if hour % DAY == DAY - 1:
            for node in range(nodes):
                taken[node] /= DAY
                advance(decay[FAST:], taken[node], state.memory[node, FAST:])
        for lane in range(lanes):
            heat = number[lane] * rock[lane]
            season.rock_heat[lane] += heat
            season.rock_heat_gross[lane] += abs(heat)
            pressure = max(0.0, friction[lane] - buoyancy[lane] * head[lane])
            season.circulation[lane] += number[lane] * pump_flow[lane] * pressure


@njit(cache=True, error_model="numpy")
def _begin_day(decay, weight, memory, undisturbed, slow, drift):  # type: ignore[no-untyped-def]
    """What the slow modes make of the undisturbed temperature, °C, and by how much an hour that fades without heat."""
    lanes = len(slow)
    for lane in range(lanes):
        slow[lane], drift[lane] = undisturbed[lane], 0.0
    for mode in range(FAST, len(decay)):
        fade = (1.0 - decay[mode]) / DAY
        for lane in range(lanes):
            cooling = weight[mode, lane] * memory[mode, lane]
            slow[lane] -= cooling
            drift[lane] += fade * cooling


@njit(cache=True, error_model="numpy")
def _recall_fast(fading, memory, slow, drift, rest):  # type: ignore[no-untyped-def]
    """`kernels.ground.recall` for the coming hour: the slow modes' answer and the fast ones'."""
    lanes = len(slow)
    for lane in range(lanes):
        rest[lane] = slow[lane] + drift[lane]
    for mode in range(FAST):
        for lane in range(lanes):
            rest[lane] -= fading[mode, lane] * memory[mode, lane]


@njit(cache=True, error_model="numpy")
def _advance_fast(decay, fading, flux, memory, slow, drift, rest):  # type: ignore[no-untyped-def]
    """`kernels.ground.advance` and the next `recall` in one pass over the fast modes."""
    lanes = len(flux)
    for lane in range(lanes):
        rest[lane] = slow[lane] + drift[lane]
    for mode in range(FAST):
        keep, add = decay[mode], 1.0 - decay[mode]
        for lane in range(lanes):
            y = keep * memory[mode, lane] + add * flux[lane]
            memory[mode, lane] = y
            rest[lane] -= fading[mode, lane] * y


@njit(cache=True, error_model="numpy")
def _hour(outdoor, offset, ratio, shortfall, number, flow, plant, season, inlet):  # type: ignore[no-untyped-def]
    """One hour of the plant: chooses the wells' inlet and keeps the sums."""
    for lane in range(len(outdoor)):
        air = outdoor[lane]
        demand = heat_demand(air, plant.design_load[lane], plant.design_outdoor[lane], plant.balance[lane])
        supply = supply_temperature(
            air, plant.design_outdoor[lane], plant.balance[lane], plant.supply_design[lane], plant.supply_mild[lane]
        )
        all_flow = number[lane] * flow[lane]
        heat, work, cold = heat_pump(
            min(demand, plant.capacity[lane]),
            supply,
            offset[lane],
            ratio[lane],
            all_flow,
            plant.efficiency[lane],
            plant.maximum_cop[lane],
            plant.minimum_inlet[lane],
        )
        warm = offset[lane] + ratio[lane] * cold
        backup = min(demand - heat, plant.peak_capacity[lane])
        unmet = demand - heat - backup
        short = indoor_shortfall(shortfall[lane], unmet, plant.conductance[lane], plant.persistence[lane])
        shortfall[lane] = short
        inlet[lane] = cold
        season.heat_demand[lane] += demand
        season.heat_pump_heat[lane] += heat
        season.heat_backup[lane] += backup
        season.heat_unmet[lane] += unmet
        season.heat_extracted[lane] += all_flow * (warm - cold)
        season.compressor[lane] += work
        season.circulation[lane] += (heat + backup) / plant.transport_factor[lane]
        season.unmet_hours[lane] += 1.0 if demand > 0.0 and unmet > 1e-6 * demand else 0.0
        season.shortfall_max[lane] = max(season.shortfall_max[lane], short)
        season.inlet_min[lane] = min(season.inlet_min[lane], cold)
        season.outlet_sum[lane] += warm
        season.outdoor_sum[lane] += air
        season.outdoor_min[lane] = min(season.outdoor_min[lane], air)


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
