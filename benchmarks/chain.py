"""The whole chain for one sample with the well of finite volumes: weather, demand, heat pump, peak heating, summer.

Weather is `kernels.weather`, the heat pump the function of `kernels.plant` (the wells' answer outlet = offset + ratio ·
inlet closes its equation), the building has one resistance and one capacity; the well is `finite_volumes`. One lone
well, one sample at a time. In summer nothing circulates: each cell's water settles with its own wall, in RESTS equal
steps (the heat of the seasons then ends 0.02 % off daily steps). Not kept, though hotland keeps them: heat from the
rock and its balance, outdoor extremes, spells of shortfall; nor are there units that fail, a tank or a schedule.
"""

from typing import NamedTuple

import numpy as np
from finite_volumes import (
    HOUR,
    Array,
    State,
    Steps,
    Well,
    inward,
    outward,
    prepare_steps,
    undisturbed_state,
    water_down,
    water_up,
)
from numba import njit

from kernels import weather
from kernels.plant import heat_pump, supply_temperature
from study.winters import DIURNAL_SHAPE

SEED, FIRST_DAY, DAYS = 1, 305, 151
RESTS = 20
WINTER_DEVIATION, WARMING = 1.2, 0.4  # K, K per decade


class Plant(NamedTuple):
    """Building and plant of one well, as in `kernels.season.Plant`; W, W/K, °C; assumptions all of them.

    `friction` (Pa), `buoyancy` (Pa/m/K), `pump_efficiency` and `volume_flow` (m³/s) are those of the well's circuit.
    """

    balance: float = 16.0
    supply_mild: float = 35.0
    supply_rise: float = 10.0 / 32.9
    conductance: float = 725e3 / 32.9
    persistence: float = float(np.exp(-1.0 / 60.0))
    capacity: float = 0.7 * 725e3
    efficiency: float = 0.52
    maximum_cop: float = 8.0
    minimum_inlet: float = 4.0
    peak_capacity: float = 0.6 * 725e3
    transport_factor: float = 50.0
    friction: float = 8.5e5
    buoyancy: float = 9.80665 * 998.0 * 2.6e-4
    pump_efficiency: float = 0.65
    volume_flow: float = 30.0 / 3600.0


SUMS = (
    "heat_demand",
    "heat_pump_heat",
    "heat_peak",
    "heat_unmet",
    "heat_extracted",
    "compressor",
    "circulation",
    "unmet_hours",
    "outlet_sum",
    "indoor_min",
    "inlet_min",
)
"""Of a season: Wh, °C, h; what `run_chain` returns along its second axis."""


def climate() -> weather.Season:
    """A climate like that of Shenyang."""
    return weather.season(
        monthly_temperature=np.array([-10.66, -6.17, 1.54, 10.46, 17.28, 21.9, 24.9, 23.76, 17.23, 9.89, 1.3, -7.67]),
        daily_standard_deviation=np.array([5.5, 5.1, 4.4, 3.5, 2.7, 2.3, 2.3, 2.7, 3.4, 4.3, 5.1, 5.5]),
        diurnal_range=np.array([6.8, 8.1, 9.8, 10.2, 9.1, 7.5, 6.9, 7.8, 9.0, 9.2, 8.1, 6.8]),
        diurnal_shape=np.array(DIURNAL_SHAPE),
        diurnal_variability=0.4,
        persistence=0.73,
        cold_skewness=0.0,
        first_day=FIRST_DAY,
        days=DAYS,
    )


def run_chain(well: Well, plant: Plant, *, winters: int, sample: int, steps: int = 1) -> Array:
    """SUMS of every heating season of one sample, (winter, sum), in some steps to an hour."""
    of_winters, of_days = weather.innovations(SEED, np.array([sample]), winters=winters, first_day=FIRST_DAY, days=DAYS)
    offsets = weather.winter_offsets(
        of_winters, season_standard_deviation=WINTER_DEVIATION, mean_offset=0.0, warming=WARMING
    )
    season = climate()
    hourly, plant = prepare_steps(well, HOUR / steps), plant._replace(persistence=plant.persistence ** (1 / steps))
    resting = prepare_steps(well, (8760 - 24 * DAYS) * HOUR / RESTS)
    state = undisturbed_state(well)
    sums = np.zeros((winters, len(SUMS)))
    for winter in range(winters):
        outdoor = weather.winter_temperatures(season, of_days[winter : winter + 1], offsets[winter : winter + 1])
        run_season(well, hourly, plant, state, np.repeat(outdoor[0, :, 0], steps), sums[winter])
        sums[winter, : SUMS.index("indoor_min")] /= steps
        for _ in range(RESTS):
            rest(well, resting, state)
    return sums


@njit(fastmath=True, error_model="numpy")
def run_season(well: Well, steps: Steps, plant: Plant, state: State, outdoor: Array, sums: Array) -> None:
    """Overwrite `sums`, (sum,), with those of one heating season; `outdoor` °C, (step,)."""
    cells = len(well.thickness)
    flux, offset = np.empty(cells), np.empty(cells + 1)
    demanded = pumped = peak = missing = extracted = compressor = circulation = hours = outlets = 0.0
    short, worst, coldest = 0.0, 0.0, np.inf
    for air in outdoor:
        inward(steps, state.rings)
        water_up(steps, well.undisturbed, state, offset)
        demand = plant.conductance * max(0.0, plant.balance - air)
        supply = supply_temperature(air, plant.balance, plant.supply_mild, plant.supply_rise)
        heat, work, inlet, _ = heat_pump(
            demand,
            supply,
            offset[0],
            steps.ratio,
            well.flow,
            plant.efficiency,
            plant.maximum_cop,
            plant.minimum_inlet,
            plant.capacity,
            0.0,  # the same capacity at all temperatures, one machine, no loss at part load
            0.0,
            0.0,
            0.0,
            1.0,
            0.0,
        )
        outlet = offset[0] + steps.ratio * inlet
        backup = min(demand - heat, plant.peak_capacity)
        unmet = demand - heat - backup
        short = short * plant.persistence + unmet / plant.conductance * (1.0 - plant.persistence)
        water_down(steps, well.undisturbed, offset, inlet, state, flux)
        outward(steps, flux, state.rings)
        head = 0.0
        for cell in range(cells):
            head += well.thickness[cell] * (state.up[cell] - state.down[cell])
        pressure = max(0.0, plant.friction - plant.buoyancy * head)
        demanded += demand
        pumped += heat
        peak += backup
        missing += unmet
        extracted += well.flow * (outlet - inlet)
        compressor += work
        circulation += plant.volume_flow * pressure / plant.pump_efficiency + (heat + backup) / plant.transport_factor
        hours += 1.0 if demand > 0.0 and unmet > 1e-6 * demand else 0.0
        outlets += outlet
        worst, coldest = max(worst, short), min(coldest, inlet)
    sums[:] = (
        demanded, pumped, peak, missing, extracted, compressor, circulation, hours, outlets, 18.0 - worst, coldest,
    )  # fmt: skip


@njit(fastmath=True)
def rest(well: Well, steps: Steps, state: State) -> None:
    """One step without circulation; `state` is updated."""
    inward(steps, state.rings)
    flux = np.empty(len(well.thickness))
    for cell in range(len(flux)):
        wall, down, up = well.undisturbed[cell] + state.rings[0, cell], state.down[cell], state.up[cell]
        g_down, g_up = steps.g_down[cell], steps.g_up[cell]
        total_down, total_up = steps.hold_down + g_down + steps.g_12, steps.hold_up + g_up + steps.g_12
        source_down, source_up = steps.hold_down * down + g_down * wall, steps.hold_up * up + g_up * wall
        determinant = total_down * total_up - steps.g_12**2
        down = (source_down * total_up + steps.g_12 * source_up) / determinant
        up = (source_up * total_down + steps.g_12 * source_down) / determinant
        flux[cell] = g_down * (wall - down) + g_up * (wall - up)
        state.down[cell], state.up[cell] = down, up
    outward(steps, flux, state.rings)
