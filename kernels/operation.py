"""A field of wells and its plant, hour by hour through a heating season, and the rest in summer.

All wells are alike, carry the same flow and feel the mean of their neighbours (`kernels.ground`). The water
circulates all season long. Arrays are (…, lane), lane the last and one sample each; powers and energies are of the
whole field, W and Wh.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels.coaxial import eliminate, sweep_down, sweep_up
from kernels.ground import HOURLY, advance, recall
from kernels.plant import heat_demand, heat_pump, indoor_shortfall, supply_temperature

Array = NDArray[np.float64]
GRAVITY = 9.80665
HOUR = 3600.0


class Wells(NamedTuple):
    """A field of alike wells, ready for hourly steps: (lane,) unless said otherwise.

    Attributes
    ----------
    number
        Number of wells.
    flow
        Flow heat-capacity rate of one well, W/K.
    annulus_wall, annulus_inner
        Thermal resistances, m K/W.
    storage_down, storage_up
        Heat capacity of the water in the channel going down and in the one coming up, J/m/K.
    annulus_down
        1 where the annulus is the channel going down, 0 where the inner pipe is.
    thickness, undisturbed
        Length (m) and undisturbed temperature (°C) of each cell, (cell, lane).
    layer
        Layer of rock that each cell lies in, (cell,).
    conductivity, fourier_rate
        Of the rock: W/m/K and α / r_b² in 1/s, (layer, lane).
    weight
        Weights of the modes of `kernels.ground.HOURLY`, the well's own and its neighbours' together, (mode, lane).
    friction, buoyancy, pump_efficiency
        Pressure drop of one well (Pa); what a kelvin of mean difference between the channels, over a metre, gives
        back (Pa/m/K); 1.
    volume_flow
        Of one well, m³/s.
    """

    number: Array
    flow: Array
    annulus_wall: Array
    annulus_inner: Array
    storage_down: Array
    storage_up: Array
    annulus_down: Array
    thickness: Array
    undisturbed: Array
    layer: NDArray[np.int64]
    conductivity: Array
    fourier_rate: Array
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
        Cooling of the wall carried by each mode, K, (cell, mode, lane).
    down, up
        Water in the two channels, °C, (cell, lane).
    shortfall
        How far the building is below its set temperature, K, (lane,).
    """

    memory: Array
    down: Array
    up: Array
    shortfall: Array


class Season(NamedTuple):
    """Sums and extremes of one heating season, all (lane,): energies Wh, temperatures °C, `shortfall_max` K.

    `rock_heat` is what the rock gave; `rock_heat_gross` sums its hourly magnitudes, to judge balances by.
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
    decay, gain
        As in `kernels.ground.advance`, (layer, mode, lane).
    g_down, g_up, g_12, storage_down, storage_up, sweep, ratio
        As in `kernels.coaxial.eliminate`.
    """

    decay: Array
    gain: Array
    g_down: Array
    g_up: Array
    g_12: Array
    storage_down: Array
    storage_up: Array
    sweep: Array
    ratio: Array


def undisturbed_state(wells: Wells) -> State:
    """A field before its first season: water and rock at the undisturbed temperature."""
    cells, lanes = wells.undisturbed.shape
    memory = np.zeros((cells, len(HOURLY.time_constant), lanes))
    return State(memory, wells.undisturbed.copy(), wells.undisturbed.copy(), np.zeros(lanes))


def prepare_steps(wells: Wells, length: float) -> Steps:
    """Coefficients of a time step of given length, s."""
    passed = -np.expm1(-length * wells.fourier_rate[:, None, :] / HOURLY.time_constant[:, None])
    per_flux = 1.0 / (2.0 * np.pi * wells.conductivity)
    gain = wells.weight * passed * per_flux[:, None, :]
    answer = HOURLY.instant * per_flux + gain.sum(axis=1)
    conductance = (1.0 / (wells.annulus_wall + answer))[wells.layer]
    shape = wells.thickness.shape
    g_down, g_up = conductance * wells.annulus_down, conductance * (1.0 - wells.annulus_down)
    g_12 = np.broadcast_to(1.0 / wells.annulus_inner, shape).copy()
    storage_down = np.broadcast_to(wells.storage_down / length, shape).copy()
    storage_up = np.broadcast_to(wells.storage_up / length, shape).copy()
    sweep, ratio = np.empty((10, *shape)), np.empty(shape[1])
    eliminate(wells.flow / wells.thickness, g_down, g_up, g_12, storage_down, storage_up, sweep, ratio)
    return Steps(1.0 - passed, gain, g_down, g_up, g_12, storage_down, storage_up, sweep, ratio)


def heating_season(state: State, wells: Wells, steps: Steps, plant: Plant, outdoor: Array) -> Season:
    """Run one heating season in hourly steps; `state` is updated.

    Parameters
    ----------
    steps
        From `prepare_steps(wells, HOUR)`.
    outdoor
        Outdoor temperature of each hour, °C, (hour, lane).
    """
    lanes = outdoor.shape[1]
    season = Season(*np.zeros((len(Season._fields), lanes)))
    season.inlet_min[:] = season.outdoor_min[:] = np.inf
    _season(state, wells, steps, plant, outdoor, season)
    return season


@njit(cache=True, error_model="numpy")
def _season(state, wells, steps, plant, outdoor, season):  # type: ignore[no-untyped-def]
    cells, lanes = wells.thickness.shape
    wall, flux, progress = np.empty((cells, lanes)), np.empty((cells, lanes)), np.empty((cells, lanes))
    offset = np.empty((cells + 1, lanes))
    inlet, outlet, rock, head = np.empty((4, lanes))
    for cell in range(cells):
        recall(steps.decay[wells.layer[cell]], state.memory[cell], wells.undisturbed[cell], wall[cell])
    for hour in range(len(outdoor)):
        sweep_up(steps.sweep, wall, state.down, state.up, offset, progress)
        _hour(
            outdoor[hour],
            offset[0],
            steps.ratio,
            state.shortfall,
            wells.number,
            wells.flow,
            plant,
            season,
            inlet,
            outlet,
        )
        sweep_down(
            steps.sweep, steps.g_down, steps.g_up, wall, offset, progress, inlet, outlet, state.down, state.up, flux
        )
        rock[:] = 0.0
        head[:] = 0.0
        for cell in range(cells):
            at = wells.layer[cell]
            advance(
                steps.decay[at], steps.gain[at], flux[cell], state.memory[cell], wells.undisturbed[cell], wall[cell]
            )
            for lane in range(lanes):
                rock[lane] += wells.thickness[cell, lane] * flux[cell, lane]
            for lane in range(lanes):
                head[lane] += wells.thickness[cell, lane] * (state.up[cell, lane] - state.down[cell, lane])
        for lane in range(lanes):
            heat = wells.number[lane] * rock[lane]
            season.rock_heat[lane] += heat
            season.rock_heat_gross[lane] += abs(heat)
            pressure = max(0.0, wells.friction[lane] - wells.buoyancy[lane] * head[lane])
            season.circulation[lane] += (
                wells.number[lane] * wells.volume_flow[lane] * pressure / wells.pump_efficiency[lane]
            )


@njit(cache=True, error_model="numpy")
def _hour(outdoor, offset, ratio, shortfall, number, flow, plant, season, inlet, outlet):  # type: ignore[no-untyped-def]
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
        outlet[lane] = warm
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

    Each cell's water settles with its own wall: the equations of `kernels.coaxial` with M = 0. Heat flows evenly
    through the step; one step for a summer of 214 days ends 0.05 K off, two equal ones 0.003 K.

    Parameters
    ----------
    steps
        From `prepare_steps(wells, length of the rest)`.

    Returns
    -------
    Mean heat flow from the rock meanwhile, W, (lane,).
    """
    wall, rock = np.empty(wells.flow.shape), np.zeros(wells.flow.shape)
    for cell, at in enumerate(wells.layer):
        recall(steps.decay[at], state.memory[cell], wells.undisturbed[cell], wall)
        g_down, g_up, g_12 = steps.g_down[cell], steps.g_up[cell], steps.g_12[cell]
        down_total, up_total = steps.storage_down[cell] + g_down + g_12, steps.storage_up[cell] + g_up + g_12
        down_source = steps.storage_down[cell] * state.down[cell] + g_down * wall
        up_source = steps.storage_up[cell] * state.up[cell] + g_up * wall
        determinant = down_total * up_total - g_12**2
        down = (down_source * up_total + g_12 * up_source) / determinant
        up = (up_source * down_total + g_12 * down_source) / determinant
        flux = g_down * (wall - down) + g_up * (wall - up)
        advance(steps.decay[at], steps.gain[at], flux, state.memory[cell], wells.undisturbed[cell], wall)
        state.down[cell], state.up[cell] = down, up
        rock += wells.thickness[cell] * flux
    state.shortfall[:] = 0.0
    return wells.number * rock
