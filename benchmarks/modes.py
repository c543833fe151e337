"""hotland's side: the well and the chain of `finite_volumes` and `chain`, with what a study uses by default."""

from collections.abc import Callable

import chain
import exact
import numpy as np
from finite_volumes import CONDUCTIVITIES, DAYS, HEAT, Array, base_case
from numba import njit

from kernels import LANES, season, weather
from kernels.building import OCCUPIED, response
from kernels.ground import HOUR, HOURLY, Surroundings
from kernels.operation import (
    Circuit,
    State,
    Wells,
    heating_season,
    prepare_steps,
    records_of,
    summer_rest,
    undisturbed_state,
)
from kernels.season import DAY, FAST, GROUPS, MODES, WIDTH, Heater, Plant, Season, Winter
from kernels.well import Column
from study.simulation import CELLS, RESTS

CAPPED = chain.Plant()._replace(capacity=1.5 * HEAT, efficiency=9.0, maximum_cop=3.0, minimum_inlet=-90.0)
"""A heat pump that takes HEAT from the wells whatever their temperature, when it is cold outdoors."""


def wells(*, annulus_down: bool, conductivities: tuple[float, ...] = CONDUCTIVITIES[:1]) -> Wells:
    """LANES lone wells in rocks of these conductivities, W/m/K, in turn; CELLS is what a study gives this well."""
    one = np.ones(LANES)
    well = exact.well_of(exact.si(base_case(annulus_down=annulus_down)))
    ((depth, _, heat_capacity, gradient),) = well.layers
    conductivity = np.resize(conductivities, LANES)
    instant, weight = HOURLY.own(
        Surroundings(
            film=one * exact.mean_resistance(well, well.annulus_to_rock),
            shells=[],
            radius=one * well.borehole_radius,
            conductivity=conductivity,
            heat_capacity=one * heat_capacity,
        )
    )
    storage = [well.annulus_heat_capacity * one[None], well.inner_heat_capacity * one[None]]
    down, up = storage if annulus_down else storage[::-1]
    plant = chain.Plant()
    return Wells(
        column=Column.cut(depth * one[None], gradient * one[None], well.surface_temperature * one, np.array([CELLS])),
        number=one,
        flow=one * well.flow,
        annulus_inner=one[None] * exact.mean_resistance(well, well.inner_to_annulus),
        storage_down=down,
        storage_up=up,
        annulus_down=annulus_down,
        instant=instant[None],
        weight=weight[None],
        friction=one * plant.friction,
        buoyancy=one * plant.buoyancy,
        pump_efficiency=one * plant.pump_efficiency,
        volume_flow=one * plant.volume_flow,
    )


def circuit(field: Wells, plant: chain.Plant) -> Circuit:
    """LANES copies of a plant of `chain`, on wells."""
    one, none = np.ones(LANES), np.zeros(LANES)
    given = {
        "hot_water": 0.0,
        "indoor": 18.0,
        "comfort": 18.0,
        "reheat": 0.0,
        "unit_capacity": plant.capacity,
        "units": 1.0,
        **dict.fromkeys(("source_slope", "rated_source", "supply_slope", "rated_supply", "degradation"), 0.0),
        "tank_capacity": 0.0,
        "tank_power": 0.0,
        "tank_keep": 1.0,
        "transport": 1.0 / plant.transport_factor,
        "pumps": 1.0,
        "pump_share": 1.0,
    }
    boiler = {"units": one, "slope": none, "rated_outdoor": none, "lowest_outdoor": none - np.inf}
    boiler |= {"boiler_share": one, "lift_share": none}
    return Circuit(
        plant=Plant(**{name: one * given.get(name, getattr(plant, name, 0.0)) for name in Plant._fields}),
        thermal=response(
            conductance=one * plant.conductance,
            time_constant=-one / np.log(plant.persistence),
            fast_share=one,
            mass_conductance=none,
            ventilation_share=none,
        ),
        peak=Heater(unit_capacity=one * plant.peak_capacity, **boiler),
        reserve=Heater(unit_capacity=none, **boiler),
        wells=[field],
        steps=[prepare_steps(field, HOUR, daily=True)],
        share=one[None],
    )


def season_of(state: State, of: Circuit, plant: chain.Plant, outdoor: Array) -> Season:
    """A heating season in which all units work; `state` is updated. Outdoor temperature, °C, (hour, lane)."""
    demand = plant.conductance * np.maximum(0.0, plant.balance - outdoor)
    occupied = np.full(len(outdoor), OCCUPIED, dtype=np.uint8)
    working = np.ones((GROUPS, 1, LANES), dtype=np.int16)
    return heating_season(state, of, Winter(outdoor, demand, np.full_like(outdoor, 18.0), occupied, working))


def constant_load(field: Wells, *, hours: int) -> Callable[[State], Season]:
    """A season of so many hours that takes HEAT from each well."""
    of, outdoor = circuit(field, CAPPED), np.full((hours, LANES), CAPPED.balance - 1.5 * HEAT / CAPPED.conductance)
    return lambda state: season_of(state, of, CAPPED, outdoor)


@njit(error_model="numpy", fastmath={"contract"})
def _hours(hours, heat, flow, records, at, decay, weight, memory, undisturbed):  # type: ignore[no-untyped-def]
    """`kernels.season.run_hours` with the same heat every hour where that asks the plant."""
    cell, segment, of_flow, well = records.cell, records.segment, records.flow, records.well
    for hour in range(hours):
        if hour % DAY == 0:
            season.begin_day(cell, at, decay, weight, memory, undisturbed)
        well[season.BELOW * WIDTH : (season.BELOW + 1) * WIDTH] = 0.0
        for k in range(len(cell) - 1, -1, -1):
            season.cell_up(cell, segment, of_flow, well, k, at[k])
        for i in range(WIDTH):
            offset, ratio = cell[0, season.OFFSET * WIDTH + i], of_flow[0, season.SLOPE * WIDTH + i]
            well[season.PASSING * WIDTH + i] = (offset - heat / flow[i]) / (1.0 - ratio)
            well[season.AT_WORK * WIDTH + i] = 1.0
        inlet = well[season.PASSING * WIDTH : (season.PASSING + 1) * WIDTH].copy() if hour == hours - 1 else flow
        for k in range(len(cell)):
            season.cell_down(cell, segment, of_flow, well, decay, k, at[k])
        if hour % DAY == DAY - 1:
            season.end_day(cell, decay, memory)
    return inlet


def constant_heat(field: Wells, *, hours: int) -> Array:
    """Outlet after so many hours in which undisturbed wells give HEAT each, without any plant, °C, (lane,)."""
    steps, outlet = prepare_steps(field, HOUR, daily=True), []
    for first in range(0, LANES, WIDTH):
        these = slice(first, first + WIDTH)
        weight, undisturbed = field.weight[..., these].copy(), field.column.undisturbed[:, these].copy()
        memory = np.zeros((len(undisturbed), weight[0].size))
        records = records_of(undisturbed_state(field), field, steps, these)
        flow = field.flow[these].copy()
        around = (field.column.segment, steps.decay, weight.reshape(len(weight), -1), memory, undisturbed)
        outlet.append(_hours(hours, HEAT, flow, records, *around) + HEAT / flow)
    return np.concatenate(outlet)


def outlets(*, annulus_down: bool) -> dict[float, Array]:
    """Outlet at DAYS of constant load, °C, (time,), by conductivity of the rock.

    The kernel keeps the sums of a season only. Under this load the inlet falls from hour to hour: the lowest of a
    season is the last.
    """
    field = wells(annulus_down=annulus_down, conductivities=CONDUCTIVITIES)
    state = undisturbed_state(field)
    hours = np.rint(np.diff(DAYS, prepend=0.0) * 24.0).astype(np.int64)
    inlet = np.array([constant_load(field, hours=each)(state).inlet_min for each in hours])
    return {k: inlet[:, lane] + HEAT / field.flow[lane] for lane, k in enumerate(CONDUCTIVITIES)}


def run_chain(*, winters: int) -> Array:
    """`chain.SUMS` of the whole chain for samples 0 … LANES - 1, (winter, sum, lane)."""
    field, plant = wells(annulus_down=True), chain.Plant()
    days = {"first_day": chain.FIRST_DAY, "days": chain.DAYS}
    of_winters, of_days = weather.innovations(chain.SEED, np.arange(LANES), winters=winters, **days)
    offsets = weather.winter_offsets(
        of_winters, season_standard_deviation=chain.WINTER_DEVIATION, mean_offset=0.0, warming=chain.WARMING
    )
    climate, of = chain.climate(), circuit(field, plant)
    resting = prepare_steps(field, (8760 - 24 * chain.DAYS) * HOUR / RESTS)
    state = undisturbed_state(field)
    sums = []
    for winter in range(winters):
        outdoor = weather.winter_temperatures(climate, of_days[winter : winter + 1], offsets[winter : winter + 1])[0]
        season = season_of(state, of, plant, outdoor)
        for _ in range(RESTS):
            summer_rest(state, field, resting)
        sums.append([getattr(season, name) for name in chain.SUMS])  # of the same names
    return np.array(sums)


def operations() -> float:
    """Additions, multiplications and divisions in a well-hour of `constant_heat`, counted by hand in the source.

    A multiply-add counts as two. For each cell `cell_up`, `cell_down` with its two nodes, and a day's share of
    `begin_day` and `end_day`; the inlet once.
    """
    slow = MODES - FAST
    up = 4 * 3 + 9
    down = 2 + 4 * 11 + 3 + 2 * (14 + 5 * FAST) + 4
    day = 2 * (4 * slow + 2 + 3 * FAST) + 2 * (1 + 3 * slow)
    inlet = 4
    return CELLS * (up + down + day / DAY) + inlet
