"""The hours of a heating season for many lanes at once: `kernels.coaxial`, `kernels.ground` and `kernels.plant` fused.

The equations are those of `sweep_up`, `sweep_down`, `recall` and `advance`, cell by cell in one pass over the lanes, so
that what they share stays in registers. For the compiler to turn a pass into vector instructions, it must see that no
two of its streams overlap: so all that belongs to a cell stands in one record, row after row of WIDTH numbers, at
distances that are known when compiling. Rows are named by the constants below.

The rock's fast modes advance hour by hour. What the slow ones (time constants above 500 h) do within a day is all but
linear in time: they advance once a day, by the day's mean heat flow, and in between their answer is interpolated.

While some wells stand still, the others carry more, each with the flow that it always has. The column is that of a well
at work: the fast modes remember its heat flow; the slow ones, and so the field in the long run, that of all wells.
Against wells with a memory each (tests/test_season_plant.py), with one of six out for 3 and 14 days the water is 0.05
and 0.25 K too warm at the end of it, and 1.5 and 2.1 K too cold on the day after, which fades within days: what a well
rests while it is out is forgotten when it comes back. The heat of the winter is off by 5e-4 at most.
"""

from typing import Any, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels.coaxial import ROOT3, Counterflow
from kernels.ground import HOURLY
from kernels.outages import HEAT_PUMPS, PEAK_HEATING, PUMPS, RESERVE_HEATING, WELLS
from kernels.plant import heat_pump, peak_heating, supply_temperature, tank, tank_room

Array = NDArray[np.float64]

WIDTH = 32
"""Lanes of a record: more of them leave a core's nearest cache, fewer are not worth a loop."""

DAY = 24
FAST, MODES = HOURLY.fast, len(HOURLY.time_constant)

# rows of a cell that change: water at its two nodes, the annulus at rest, sources, A at its top, what the slow modes
# make of the undisturbed temperature and by how much it drifts in an hour, heat taken today, memory of the fast modes
WATER, REST, SOURCE, OFFSET, SLOW, DRIFT, TAKEN, MEMORY = 0, 4, 6, 10, 11, 13, 15, 17
CELL_ROWS = MEMORY + 2 * FAST
# rows of a segment: conductances and storages; what the water at the nodes is made of; an hour's answer of the slow
# modes; half of a cell's length; weights of the fast modes times their decay
CONDUCTANCE, STORAGE, FROM_TOP, FROM_SOURCE, ANSWER, LENGTH, FADING = 0, 2, 4, 12, 28, 29, 30
SEGMENT_ROWS = FADING + FAST
# rows of a cell that stay
CARRY, PICK, SLOPE = 0, 1, 5
FLOW_ROWS = 6
# rows of the well: A below the cell; water going down past it; heat from rock and walls; ∫ (up - down) dz; share of the
# wells at work; of the plant: supply temperature, heat asked for to catch up, heat that is still missing; of the day:
# whether the inlet limit held heat back, coldest inlet, slowest pace that the next day may have
BELOW, PASSING, ROCK, HEAD, AT_WORK, SUPPLY, CATCH_UP, MISSING, HELD, COLDEST, FLOOR = range(11)
WELL_ROWS = 11
GROUPS = 5  # of units (`kernels.outages`)
# rows of an hour's record: outdoor temperature, demand, indoor temperature of the reference, units of each kind at work
AIR, DEMAND, INDOOR, WORKING = range(4)
HOUR_ROWS = WORKING + GROUPS

UNMET = 1e-6
"""Share of the demand below which what is missing is rounding."""

EASE = 5.0
"""Variable flow may slow down again once the inlet has stayed so far above its limit for a day, K: an assumption."""

COLD = 0.1
"""An hour indoors counts as cold when it is colder than asked for by this, K."""


class Heater(NamedTuple):
    """Peak heating, all (lane,): coefficients of `kernels.plant.peak_heating`, `unit_capacity` (W) that of a unit."""

    unit_capacity: Array
    units: Array
    slope: Array
    rated_outdoor: Array
    lowest_outdoor: Array
    boiler_share: Array
    lift_share: Array


class Plant(NamedTuple):
    """What a winter's hours need to know of building and plant, all (lane,).

    `hot_water` W, set temperature `indoor` and `comfort` °C of the building, and `reheat`, the heat that it asks for at
    most to catch up, W; `balance` °C, `supply_mild` °C and `supply_rise` of the heating
    curve; heat pumps as in `kernels.plant.heat_pump`, `unit_capacity` (W) of each, `units` as installed; the tank's
    `tank_capacity` Wh, `tank_power` W, `tank_keep`, the share of its heat left after an hour, and `tank_first`, 1
    where it comes before peak heating and 0 where it comes last; `transport`,
    electricity of the building circuit's pumps per heat; `pumps` of the wells, and the share of the full flow that each
    gives, `pump_share` (in truth more where others stand still, as the loop resists less).
    """

    hot_water: Array
    indoor: Array
    comfort: Array
    reheat: Array
    balance: Array
    supply_mild: Array
    supply_rise: Array
    unit_capacity: Array
    units: Array
    source_slope: Array
    rated_source: Array
    supply_slope: Array
    rated_supply: Array
    degradation: Array
    efficiency: Array
    maximum_cop: Array
    minimum_inlet: Array
    tank_capacity: Array
    tank_power: Array
    tank_keep: Array
    tank_first: Array
    transport: Array
    pumps: Array
    pump_share: Array


class Field(NamedTuple):
    """What a winter's hours need to know of the wells, all (lane,).

    `number` of wells, and `share_of_one` among them; of one well `flow`, W/K, `pump_flow`, its volume flow over the
    efficiency of its pumps, m³/s, `friction`, Pa, and `buoyancy`, Pa/m/K.
    """

    number: Array
    share_of_one: Array
    flow: Array
    pump_flow: Array
    friction: Array
    buoyancy: Array


class Season(NamedTuple):
    """Sums and extremes of one heating season, all (lane,): powers W, energies Wh, temperatures °C.

    `heat_demand` holds what rooms caught up with; `peak_purchased` and `reserve_purchased` are fuel or electricity.
    `spell` is how many hours heat has been short without a break, until now. `deviation` and `mass_deviation` are how
    far the rooms and the mass of the building are below what they would be had no heat been short, K, now; `tank` is
    the heat stored now (none when the season starts), `tank_lost` what it lost.
    `well_heat`, `rock_heat` (of rock and walls) and `rock_heat_gross` (the sum of its magnitudes, to judge balances by)
    are those of one well at work.
    """

    heat_demand: Array
    heat_pump_heat: Array
    heat_peak: Array
    heat_reserve: Array
    heat_unmet: Array
    heat_extracted: Array
    compressor: Array
    circulation: Array
    peak_purchased: Array
    reserve_purchased: Array
    unmet_hours: Array
    shortfalls: Array
    spell: Array
    longest_shortfall: Array
    worst_shortfall: Array
    deviation: Array
    mass_deviation: Array
    indoor_min: Array
    cold_hours: Array
    cold_degree_hours: Array
    inlet_limit_hours: Array
    outage_hours: Array
    inlet_min: Array
    inlet_sum: Array
    outlet_sum: Array
    outdoor_sum: Array
    outdoor_min: Array
    tank: Array
    tank_lost: Array
    well_heat: Array
    rock_heat: Array
    rock_heat_gross: Array


class Winter(NamedTuple):
    """What comes from outside the plant in a heating season.

    Attributes
    ----------
    outdoor
        Outdoor temperature, °C, (hour, lane), of whole days.
    demand, reference
        Heat asked for, hot water included, W, and indoor temperature if it is delivered, °C, (hour, lane)
        (`kernels.building`).
    occupied
        Whether the building is in use, (hour,).
    working
        Units at work of each kind, (GROUPS, hour, lane), or (GROUPS, 1, lane) where none ever fails.
    """

    outdoor: Array
    demand: Array
    reference: Array
    occupied: NDArray[np.uint8]
    working: NDArray[np.int16]


class Course(NamedTuple):
    """Where some lanes stand, hour by hour.

    Attributes
    ----------
    lanes
        Which ones, (traced lane,).
    totals
        To be filled with the fields of `Season` as they are at the end of each hour, (hour, field, traced lane).
    """

    lanes: NDArray[np.int64]
    totals: Array


class Meter(NamedTuple):
    """Where the electricity meter of the heating stands, hour by hour.

    Attributes
    ----------
    peak, reserve
        Whether what peak and reserve heating purchase is electricity.
    readings
        To be filled with compressors, circulation and electric heating since the season began, Wh at the end of each
        hour, (hour, lane); (0, 0) where nobody reads it.
    """

    peak: bool
    reserve: bool
    readings: Array


def _rows(fields: Any) -> Any:
    """Where fields stand in a record that holds them in their order."""
    return fields(*range(len(fields._fields)))


SUM, PLANT, FIELD, HEATER = (_rows(fields) for fields in (Season, Plant, Field, Heater))
# where they begin in the record of all that is fixed: plant, the building's two steps (`kernels.building.response`, and
# a00 / b0 and a01 / b0), peak heating, reserve heating, wells
THERMAL = len(Plant._fields)
PEAK = THERMAL + 16
RESERVE = PEAK + len(Heater._fields)
OF_FIELD = RESERVE + len(Heater._fields)


class Records(NamedTuple):
    """The state of WIDTH lanes and what their hours need, each (…, row · WIDTH): cell, segment, cell, well."""

    cell: Array
    segment: Array
    flow: Array
    well: Array

    @classmethod
    def of(cls, counterflow: Counterflow, decay: Array, weight: Array, half_length: Array) -> "Records":
        """Lay out what stays the same through a season.

        Parameters
        ----------
        counterflow, decay
            Of hourly steps, the slow modes' decay being that of a day (`kernels.operation.prepare_steps`).
        weight
            c_j, m K/W, (segment, mode, lane).
        half_length
            Length that a node stands for, m, (segment, lane).
        """
        segments = len(half_length)
        cells = len(counterflow.carry)
        answer = np.zeros_like(half_length)
        for mode in range(FAST, len(decay)):
            answer += weight[:, mode] * ((1.0 - decay[mode]) / DAY)
        segment = np.concatenate(
            [
                np.stack([counterflow.g_down, counterflow.g_up], axis=1),
                np.stack([counterflow.storage_down, counterflow.storage_up], axis=1),
                counterflow.from_top.reshape(segments, 8, WIDTH),
                counterflow.from_source.reshape(segments, 16, WIDTH),
                answer[:, None],
                half_length[:, None],
                weight[:, :FAST] * decay[:FAST, None],
            ],
            axis=1,
        )
        flow = np.concatenate([counterflow.carry[:, None], counterflow.pick, counterflow.slope[:, None]], axis=1)
        return cls(
            _aligned(np.zeros((cells, CELL_ROWS * WIDTH))),
            _aligned(segment.reshape(segments, -1)),
            _aligned(flow.reshape(cells, -1)),
            _aligned(np.zeros(WELL_ROWS * WIDTH)),
        )


def _aligned(values: Array) -> Array:
    """A copy that starts with a cache line, so that no vector is read from two of them."""
    line = 64 // values.itemsize
    room = np.empty(values.size + line)
    start = -(room.ctypes.data // values.itemsize) % line
    copy = room[start : start + values.size].reshape(values.shape)
    copy[...] = values
    return copy


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def cell_up(c, s, f, w, k, at):  # type: ignore[no-untyped-def]
    """`kernels.coaxial.sweep_up` through one cell: its record, its segment's, its flow's and the well's."""
    for i in range(WIDTH):
        source_0 = (
            s[at, CONDUCTANCE * WIDTH + i] * c[k, REST * WIDTH + i]
            + s[at, STORAGE * WIDTH + i] * c[k, WATER * WIDTH + i]
        )
        source_1 = (
            s[at, (CONDUCTANCE + 1) * WIDTH + i] * c[k, REST * WIDTH + i]
            + s[at, (STORAGE + 1) * WIDTH + i] * c[k, (WATER + 1) * WIDTH + i]
        )
        source_2 = (
            s[at, CONDUCTANCE * WIDTH + i] * c[k, (REST + 1) * WIDTH + i]
            + s[at, STORAGE * WIDTH + i] * c[k, (WATER + 2) * WIDTH + i]
        )
        source_3 = (
            s[at, (CONDUCTANCE + 1) * WIDTH + i] * c[k, (REST + 1) * WIDTH + i]
            + s[at, (STORAGE + 1) * WIDTH + i] * c[k, (WATER + 3) * WIDTH + i]
        )
        offset = (
            f[k, CARRY * WIDTH + i] * w[BELOW * WIDTH + i]
            + f[k, PICK * WIDTH + i] * source_0
            + f[k, (PICK + 1) * WIDTH + i] * source_1
            + f[k, (PICK + 2) * WIDTH + i] * source_2
            + f[k, (PICK + 3) * WIDTH + i] * source_3
        )
        c[k, SOURCE * WIDTH + i] = source_0
        c[k, (SOURCE + 1) * WIDTH + i] = source_1
        c[k, (SOURCE + 2) * WIDTH + i] = source_2
        c[k, (SOURCE + 3) * WIDTH + i] = source_3
        c[k, OFFSET * WIDTH + i] = offset
        w[BELOW * WIDTH + i] = offset


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def cell_down(c, s, f, w, decay, k, at):  # type: ignore[no-untyped-def]
    """`kernels.coaxial.sweep_down` through one cell, `advance` at its nodes, and `recall` for the hour to come."""
    for i in range(WIDTH):
        down = w[PASSING * WIDTH + i]
        up = c[k, OFFSET * WIDTH + i] + f[k, SLOPE * WIDTH + i] * down
        source_0, source_1 = c[k, SOURCE * WIDTH + i], c[k, (SOURCE + 1) * WIDTH + i]
        source_2, source_3 = c[k, (SOURCE + 2) * WIDTH + i], c[k, (SOURCE + 3) * WIDTH + i]
        for row in range(4):
            c[k, (WATER + row) * WIDTH + i] = (
                s[at, (FROM_TOP + 2 * row) * WIDTH + i] * down
                + s[at, (FROM_TOP + 2 * row + 1) * WIDTH + i] * up
                + s[at, (FROM_SOURCE + 4 * row) * WIDTH + i] * source_0
                + s[at, (FROM_SOURCE + 4 * row + 1) * WIDTH + i] * source_1
                + s[at, (FROM_SOURCE + 4 * row + 2) * WIDTH + i] * source_2
                + s[at, (FROM_SOURCE + 4 * row + 3) * WIDTH + i] * source_3
            )
        w[PASSING * WIDTH + i] = down + ROOT3 * (c[k, (WATER + 2) * WIDTH + i] - c[k, WATER * WIDTH + i])
        taken, head = 0.0, 0.0
        for half in range(2):
            node_down, node_up = c[k, (WATER + 2 * half) * WIDTH + i], c[k, (WATER + 2 * half + 1) * WIDTH + i]
            rest = c[k, (REST + half) * WIDTH + i]
            flux = s[at, CONDUCTANCE * WIDTH + i] * (rest - node_down)
            flux += s[at, (CONDUCTANCE + 1) * WIDTH + i] * (rest - node_up)
            taken += flux
            head += node_up - node_down
            c[k, (TAKEN + half) * WIDTH + i] += w[AT_WORK * WIDTH + i] * flux
            drift = c[k, (DRIFT + half) * WIDTH + i]
            slow = c[k, (SLOW + half) * WIDTH + i] + drift - s[at, ANSWER * WIDTH + i] * flux
            c[k, (SLOW + half) * WIDTH + i] = slow
            rest = slow + drift
            for mode in range(FAST):
                row = (MEMORY + half * FAST + mode) * WIDTH + i
                y = flux + decay[mode] * (c[k, row] - flux)
                c[k, row] = y
                rest -= s[at, (FADING + mode) * WIDTH + i] * y
            c[k, (REST + half) * WIDTH + i] = rest
        w[ROCK * WIDTH + i] += s[at, LENGTH * WIDTH + i] * taken
        w[HEAD * WIDTH + i] += s[at, LENGTH * WIDTH + i] * head


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def begin_day(cell, at, decay, weight, memory, undisturbed):  # type: ignore[no-untyped-def]
    """What the slow modes make of the undisturbed temperature, how an hour without heat changes it, and `recall`.

    Parameters
    ----------
    cell
        Records of all cells, (cell, row · WIDTH).
    at
        Segment of each cell, (cell,).
    decay, weight, memory, undisturbed
        As in `kernels.ground.recall`, (mode,), (segment, mode · WIDTH), (node, mode · WIDTH) and (node, lane); the
        memory of the fast modes is in the records.
    """
    for k in range(len(cell)):
        for half in range(2):
            node = 2 * k + half
            for i in range(WIDTH):
                slow, drift = undisturbed[node, i], 0.0
                for mode in range(FAST, MODES):
                    cooling = weight[at[k], mode * WIDTH + i] * memory[node, mode * WIDTH + i]
                    slow -= cooling
                    drift += (1.0 - decay[mode]) * cooling
                drift /= DAY
                rest = slow + drift
                for mode in range(FAST):
                    fading = decay[mode] * weight[at[k], mode * WIDTH + i]
                    rest -= fading * cell[k, (MEMORY + half * FAST + mode) * WIDTH + i]
                cell[k, (SLOW + half) * WIDTH + i] = slow
                cell[k, (DRIFT + half) * WIDTH + i] = drift
                cell[k, (REST + half) * WIDTH + i] = rest
                cell[k, (TAKEN + half) * WIDTH + i] = 0.0


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def end_day(cell, decay, memory):  # type: ignore[no-untyped-def]
    """Advance the slow modes by the mean of the heat taken in the day; arguments as in `begin_day`."""
    for k in range(len(cell)):
        for half in range(2):
            for i in range(WIDTH):
                mean = cell[k, (TAKEN + half) * WIDTH + i] / DAY
                for mode in range(FAST, MODES):
                    row = mode * WIDTH + i
                    memory[2 * k + half, row] = mean + decay[mode] * (memory[2 * k + half, row] - mean)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def run_heat_pumps(c, f, w, h, p, t, occupied):  # type: ignore[no-untyped-def]
    """One hour of heat pumps and tank: they choose the wells' inlet.

    Rooms colder than they would be had no heat been short ask for what warms them up within the hour, as far as
    `reheat` goes; that comes after the demand, and what of it is missing is not unmet.
    The heat pumps fill the tank with what they have to spare; it gives here if it comes before peak heating.

    Parameters
    ----------
    c, f, w, h
        Records of the cells, the well (after the sweep up) and the hour.
    p
        All that is fixed, (row · WIDTH,).
    t
        Rows of `Season`, (row · WIDTH,): updated.
    """
    thermal = THERMAL + (8 if occupied else 0)
    for i in range(WIDTH):
        colder = (
            p[(thermal + 6) * WIDTH + i] * t[SUM.deviation * WIDTH + i]
            + p[(thermal + 7) * WIDTH + i] * t[SUM.mass_deviation * WIDTH + i]
        )
        demand, catch_up = h[DEMAND * WIDTH + i], min(p[PLANT.reheat * WIDTH + i], max(0.0, colder))
        asked = demand + catch_up
        supply = supply_temperature(
            h[AIR * WIDTH + i],
            p[PLANT.balance * WIDTH + i],
            p[PLANT.supply_mild * WIDTH + i],
            p[PLANT.supply_rise * WIDTH + i],
        )
        number, machines = p[(OF_FIELD + FIELD.number) * WIDTH + i], h[(WORKING + HEAT_PUMPS) * WIDTH + i]
        pumped = number * min(1.0, h[(WORKING + PUMPS) * WIDTH + i] * p[PLANT.pump_share * WIDTH + i])
        wells = min(pumped, h[(WORKING + WELLS) * WIDTH + i])
        stored, power, keep = t[SUM.tank * WIDTH + i], p[PLANT.tank_power * WIDTH + i], p[PLANT.tank_keep * WIDTH + i]
        room = tank_room(stored, p[PLANT.tank_capacity * WIDTH + i], power, keep)
        offset, ratio = c[0, OFFSET * WIDTH + i], f[0, SLOPE * WIDTH + i]
        flow = p[(OF_FIELD + FIELD.flow) * WIDTH + i]
        heat, work, cold, limited = heat_pump(
            (asked + room) if wells > 0.0 else 0.0,  # without any well, water that gives and takes nothing
            supply,
            offset,
            ratio,
            (wells if wells > 0.0 else 1.0) * flow,
            p[PLANT.efficiency * WIDTH + i],
            p[PLANT.maximum_cop * WIDTH + i],
            p[PLANT.minimum_inlet * WIDTH + i],
            p[PLANT.unit_capacity * WIDTH + i] * machines,
            p[PLANT.source_slope * WIDTH + i],
            p[PLANT.rated_source * WIDTH + i],
            p[PLANT.supply_slope * WIDTH + i],
            p[PLANT.rated_supply * WIDTH + i],
            machines,
            p[PLANT.degradation * WIDTH + i],
        )
        warm = offset + ratio * cold
        missing, before_peak = max(0.0, asked - heat), p[PLANT.tank_first * WIDTH + i]
        stored, _, discharged, lost = tank(stored, max(0.0, heat - asked) - before_peak * missing, power, keep)
        w[PASSING * WIDTH + i] = cold
        w[ROCK * WIDTH + i] = 0.0
        w[HEAD * WIDTH + i] = 0.0
        w[AT_WORK * WIDTH + i] = wells * p[(OF_FIELD + FIELD.share_of_one) * WIDTH + i]
        w[SUPPLY * WIDTH + i] = supply
        w[CATCH_UP * WIDTH + i] = catch_up
        w[HELD * WIDTH + i] = max(w[HELD * WIDTH + i], 1.0 if limited and heat < demand else 0.0)
        w[COLDEST * WIDTH + i] = min(w[COLDEST * WIDTH + i], cold)
        w[MISSING * WIDTH + i] = missing - discharged
        t[SUM.heat_pump_heat * WIDTH + i] += heat
        t[SUM.heat_extracted * WIDTH + i] += wells * flow * (warm - cold)
        t[SUM.compressor * WIDTH + i] += work
        t[SUM.inlet_limit_hours * WIDTH + i] += 1.0 if limited and heat < demand else 0.0
        t[SUM.inlet_min * WIDTH + i] = min(t[SUM.inlet_min * WIDTH + i], cold)
        t[SUM.inlet_sum * WIDTH + i] += cold
        t[SUM.outlet_sum * WIDTH + i] += warm
        t[SUM.tank * WIDTH + i] = stored
        t[SUM.tank_lost * WIDTH + i] += lost
        t[SUM.well_heat * WIDTH + i] += flow * (warm - cold)


@njit(cache=True, error_model="numpy", forceinline=True)
def run_heater(p, start, i, request, air, supply, units):  # type: ignore[no-untyped-def]
    """`kernels.plant.peak_heating` of lane i for the `Heater` whose rows start there, with so many units at work."""
    return peak_heating(
        request,
        air,
        supply,
        p[(start + HEATER.unit_capacity) * WIDTH + i] * units,
        p[(start + HEATER.slope) * WIDTH + i],
        p[(start + HEATER.rated_outdoor) * WIDTH + i],
        p[(start + HEATER.lowest_outdoor) * WIDTH + i],
        p[(start + HEATER.boiler_share) * WIDTH + i],
        p[(start + HEATER.lift_share) * WIDTH + i],
    )


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def run_heaters(w, h, p, t):  # type: ignore[no-untyped-def]
    """The same hour of peak heating, reserve heating and a tank that comes last; what is still missing is unmet.

    Arguments as before.
    """
    for i in range(WIDTH):
        air, supply, missing = h[AIR * WIDTH + i], w[SUPPLY * WIDTH + i], w[MISSING * WIDTH + i]
        peak, peak_purchased = run_heater(p, PEAK, i, missing, air, supply, h[(WORKING + PEAK_HEATING) * WIDTH + i])
        reserve, reserve_purchased = run_heater(
            p, RESERVE, i, missing - peak, air, supply, h[(WORKING + RESERVE_HEATING) * WIDTH + i]
        )
        missing = missing - peak - reserve
        stored, power = t[SUM.tank * WIDTH + i], p[PLANT.tank_power * WIDTH + i]
        unmet = max(0.0, missing - w[CATCH_UP * WIDTH + i])
        given = min(unmet, (1.0 - p[PLANT.tank_first * WIDTH + i]) * min(stored, power))
        w[MISSING * WIDTH + i] = missing - given
        t[SUM.tank * WIDTH + i] = stored - given
        t[SUM.heat_peak * WIDTH + i] += peak
        t[SUM.heat_reserve * WIDTH + i] += reserve
        t[SUM.peak_purchased * WIDTH + i] += peak_purchased
        t[SUM.reserve_purchased * WIDTH + i] += reserve_purchased


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def count_hour(w, h, p, t, occupied):  # type: ignore[no-untyped-def]
    """The same hour as the building feels it; hot water is served before the rooms. Arguments as before."""
    thermal = THERMAL + (8 if occupied else 0)
    for i in range(WIDTH):
        air, demand, catch_up = h[AIR * WIDTH + i], h[DEMAND * WIDTH + i], w[CATCH_UP * WIDTH + i]
        unmet = max(0.0, w[MISSING * WIDTH + i] - catch_up)
        caught_up = max(0.0, catch_up - w[MISSING * WIDTH + i])
        short = unmet > UNMET * demand
        spell = t[SUM.spell * WIDTH + i] + 1.0 if short else 0.0
        of_rooms = min(unmet, max(0.0, demand - p[PLANT.hot_water * WIDTH + i])) - caught_up
        rooms, mass = t[SUM.deviation * WIDTH + i], t[SUM.mass_deviation * WIDTH + i]
        deviation = (
            p[thermal * WIDTH + i] * rooms
            + p[(thermal + 1) * WIDTH + i] * mass
            + p[(thermal + 4) * WIDTH + i] * of_rooms
        )
        mass = (
            p[(thermal + 2) * WIDTH + i] * rooms
            + p[(thermal + 3) * WIDTH + i] * mass
            + p[(thermal + 5) * WIDTH + i] * of_rooms
        )
        indoor = h[INDOOR * WIDTH + i]
        asked_for = min(p[PLANT.comfort * WIDTH + i], p[PLANT.indoor * WIDTH + i] if occupied else indoor)
        below = asked_for - (indoor - deviation)
        all_work = (
            h[(WORKING + WELLS) * WIDTH + i] >= p[(OF_FIELD + FIELD.number) * WIDTH + i]
            and h[(WORKING + PUMPS) * WIDTH + i] >= p[PLANT.pumps * WIDTH + i]
            and h[(WORKING + HEAT_PUMPS) * WIDTH + i] >= p[PLANT.units * WIDTH + i]
            and h[(WORKING + PEAK_HEATING) * WIDTH + i] >= p[(PEAK + HEATER.units) * WIDTH + i]
            and h[(WORKING + RESERVE_HEATING) * WIDTH + i] >= p[(RESERVE + HEATER.units) * WIDTH + i]
        )
        t[SUM.heat_demand * WIDTH + i] += demand + caught_up
        t[SUM.heat_unmet * WIDTH + i] += unmet
        t[SUM.circulation * WIDTH + i] += (demand + caught_up - unmet) * p[PLANT.transport * WIDTH + i]
        t[SUM.unmet_hours * WIDTH + i] += 1.0 if short else 0.0
        t[SUM.shortfalls * WIDTH + i] += 1.0 if spell == 1.0 else 0.0
        t[SUM.spell * WIDTH + i] = spell
        t[SUM.longest_shortfall * WIDTH + i] = max(t[SUM.longest_shortfall * WIDTH + i], spell)
        t[SUM.worst_shortfall * WIDTH + i] = max(t[SUM.worst_shortfall * WIDTH + i], unmet if short else 0.0)
        t[SUM.deviation * WIDTH + i] = deviation
        t[SUM.mass_deviation * WIDTH + i] = mass
        t[SUM.indoor_min * WIDTH + i] = min(t[SUM.indoor_min * WIDTH + i], indoor - deviation)
        t[SUM.cold_hours * WIDTH + i] += 1.0 if below > COLD else 0.0
        t[SUM.cold_degree_hours * WIDTH + i] += max(0.0, below)
        t[SUM.outage_hours * WIDTH + i] += 0.0 if all_work else 1.0
        t[SUM.outdoor_sum * WIDTH + i] += air
        t[SUM.outdoor_min * WIDTH + i] = min(t[SUM.outdoor_min * WIDTH + i], air)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def close_hour(w, p, t):  # type: ignore[no-untyped-def]
    """Heat that rock and walls gave, and the wells' pumps: friction less the buoyancy head; arguments as before."""
    for i in range(WIDTH):
        heat = w[ROCK * WIDTH + i]
        t[SUM.rock_heat * WIDTH + i] += heat
        t[SUM.rock_heat_gross * WIDTH + i] += abs(heat)
        pressure = max(
            0.0,
            p[(OF_FIELD + FIELD.friction) * WIDTH + i]
            - p[(OF_FIELD + FIELD.buoyancy) * WIDTH + i] * w[HEAD * WIDTH + i],
        )
        wells = p[(OF_FIELD + FIELD.number) * WIDTH + i] * w[AT_WORK * WIDTH + i]
        t[SUM.circulation * WIDTH + i] += wells * p[(OF_FIELD + FIELD.pump_flow) * WIDTH + i] * pressure


@njit(cache=True, error_model="numpy")
def read_meter(meter, t, hour, first):  # type: ignore[no-untyped-def]
    """Note where the `Meter` stands for the lanes from `first` on, after the hour; `t` as before."""
    peak, reserve = (1.0 if meter.peak else 0.0), (1.0 if meter.reserve else 0.0)
    for i in range(WIDTH):
        purchased = peak * t[SUM.peak_purchased * WIDTH + i] + reserve * t[SUM.reserve_purchased * WIDTH + i]
        meter.readings[hour, first + i] = t[SUM.compressor * WIDTH + i] + t[SUM.circulation * WIDTH + i] + purchased


@njit(cache=True, error_model="numpy")
def load_day(winter, hour, first, today):  # type: ignore[no-untyped-def]
    """Overwrite the records of a day's hours, (DAY, HOUR_ROWS · WIDTH): read together, for memory far away is slow."""
    for late in range(min(DAY, len(winter.outdoor) - hour)):
        h, at = today[late], hour + late
        event = at if winter.working.shape[1] > 1 else 0
        for i in range(WIDTH):
            h[AIR * WIDTH + i] = winter.outdoor[at, first + i]
            h[DEMAND * WIDTH + i] = winter.demand[at, first + i]
            h[INDOOR * WIDTH + i] = winter.reference[at, first + i]
        for group in range(GROUPS):
            for i in range(WIDTH):
                h[(WORKING + group) * WIDTH + i] = winter.working[group, event, first + i]


@njit(cache=True, error_model="numpy")
def choose_flow(share, first, paces, records, w, p, today):  # type: ignore[no-untyped-def]
    """Set each lane's flow for a day: the least that carries the share of the heat pumps' capacity asked for that day.

    One pace faster at least after a day in which the inlet limit held heat back, until the inlet has eased.

    Parameters
    ----------
    share
        Flow of each pace over the full one, increasing to 1, (pace, lane); the lanes are those from `first` on.
    paces
        For each pace segment and flow records, and rows of `Field`, as they are in `records` and `p`.
    today
        Records of the day's hours.
    """
    for i in range(WIDTH):
        asked = 0.0
        for at in range(DAY):
            asked += today[at, DEMAND * WIDTH + i]
        asked /= DAY * max(p[PLANT.unit_capacity * WIDTH + i] * p[PLANT.units * WIDTH + i], 1.0)
        least = w[FLOOR * WIDTH + i]
        if w[HELD * WIDTH + i] > 0.0:
            least = min(least + 1.0, len(share) - 1.0)
        elif w[COLDEST * WIDTH + i] > p[PLANT.minimum_inlet * WIDTH + i] + EASE:
            least = max(0.0, least - 1.0)
        w[FLOOR * WIDTH + i], w[HELD * WIDTH + i], w[COLDEST * WIDTH + i] = least, 0.0, np.inf
        pace = int(least)
        while pace < len(share) - 1 and share[pace, first + i] < asked:
            pace += 1
        for k in range(len(records.segment)):
            for row in range(SEGMENT_ROWS):
                records.segment[k, row * WIDTH + i] = paces[0][pace, k, row * WIDTH + i]
        for k in range(len(records.flow)):
            for row in range(FLOW_ROWS):
                records.flow[k, row * WIDTH + i] = paces[1][pace, k, row * WIDTH + i]
        for row in range(len(FIELD)):
            p[(OF_FIELD + row) * WIDTH + i] = paces[2][pace, row * WIDTH + i]


@njit(cache=True, error_model="numpy")
def run_hours(  # type: ignore[no-untyped-def]
    records, at, decay, weight, memory, undisturbed, fixed, totals, winter, first, share, paces, course, meter
):
    """All hours of a season for the lanes from `first` on; all but what is fixed is updated."""
    cell, segment, flow, well = records.cell, records.segment, records.flow, records.well
    today = np.empty((DAY, HOUR_ROWS * WIDTH))
    for hour in range(len(winter.outdoor)):
        if hour % DAY == 0:
            load_day(winter, hour, first, today)
            if len(share) > 1:
                choose_flow(share, first, paces, records, well, fixed, today)
            begin_day(cell, at, decay, weight, memory, undisturbed)
        well[BELOW * WIDTH : (BELOW + 1) * WIDTH] = 0.0
        for k in range(len(cell) - 1, -1, -1):
            cell_up(cell, segment, flow, well, k, at[k])
        run_heat_pumps(cell, flow, well, today[hour % DAY], fixed, totals, winter.occupied[hour])
        run_heaters(well, today[hour % DAY], fixed, totals)
        count_hour(well, today[hour % DAY], fixed, totals, winter.occupied[hour])
        for k in range(len(cell)):
            cell_down(cell, segment, flow, well, decay, k, at[k])
        close_hour(well, fixed, totals)
        if len(meter.readings):
            read_meter(meter, totals, hour, first)
        for n in range(len(course.lanes)):
            lane = course.lanes[n] - first
            if 0 <= lane < WIDTH:
                for row in range(course.totals.shape[1]):
                    course.totals[hour, row, n] = totals[row * WIDTH + lane]
        if hour % DAY == DAY - 1:
            end_day(cell, decay, memory)
