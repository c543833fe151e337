"""The hours of a heating season for many lanes at once: `kernels.coaxial`, `kernels.ground` and `kernels.plant` fused.

The equations are those of `sweep_up`, `sweep_down`, `recall` and `advance`, cell by cell in one pass over the lanes, so
that what they share stays in registers. For the compiler to turn a pass into vector instructions, it must see that no
two of its streams overlap: so all that belongs to a cell stands in one record, row after row of WIDTH numbers, at
distances that are known when compiling. Rows are named by the constants below.

The rock's fast modes advance hour by hour. What the slow ones (time constants above 500 h) do within a day is all but
linear in time: they advance once a day, by the day's mean heat flow, and in between their answer is interpolated.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels.coaxial import ROOT3, Counterflow
from kernels.ground import HOURLY
from kernels.plant import heat_demand, heat_pump, indoor_shortfall, supply_temperature

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
# rows of a season's sums (`Season`) and of what is fixed (`Plant`, then of the wells), in the order of their fields
(
    HEAT_DEMAND,
    HEAT_PUMP_HEAT,
    HEAT_BACKUP,
    HEAT_UNMET,
    HEAT_EXTRACTED,
    COMPRESSOR,
    CIRCULATION,
    UNMET_HOURS,
    SHORTFALL,
    SHORTFALL_MAX,
    INLET_MIN,
    OUTLET_SUM,
    OUTDOOR_SUM,
    OUTDOOR_MIN,
    ROCK_HEAT,
    ROCK_HEAT_GROSS,
) = range(16)
(
    DESIGN_LOAD,
    DESIGN_OUTDOOR,
    BALANCE,
    SUPPLY_DESIGN,
    SUPPLY_MILD,
    CONDUCTANCE_OF_BUILDING,
    PERSISTENCE,
    CAPACITY,
    EFFICIENCY,
    MAXIMUM_COP,
    MINIMUM_INLET,
    PEAK_CAPACITY,
    TRANSPORT_FACTOR,
    NUMBER,
    FLOW,
    PUMP_FLOW,
    FRICTION,
    BUOYANCY,
) = range(18)
# rows of the well: A below the cell; water going down past it; heat from rock and walls; ∫ (up - down) dz
BELOW, PASSING, ROCK, HEAD = range(4)
WELL_ROWS = 4


class Season(NamedTuple):
    """Sums and extremes of one heating season, all (lane,): energies Wh, temperatures °C, shortfalls K.

    `rock_heat` is what rock and walls gave; `rock_heat_gross` sums its hourly magnitudes, to judge balances by.
    `shortfall` is how far the building is below its set temperature now, `shortfall_max` the largest.
    """

    heat_demand: Array
    heat_pump_heat: Array
    heat_backup: Array
    heat_unmet: Array
    heat_extracted: Array
    compressor: Array
    circulation: Array
    unmet_hours: Array
    shortfall: Array
    shortfall_max: Array
    inlet_min: Array
    outlet_sum: Array
    outdoor_sum: Array
    outdoor_min: Array
    rock_heat: Array
    rock_heat_gross: Array


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
            c[k, (TAKEN + half) * WIDTH + i] += flux
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
def plant_hour(c, f, w, p, t, outdoor, hour, first):  # type: ignore[no-untyped-def]
    """One hour of the plant: it chooses the wells' inlet and keeps the sums.

    Parameters
    ----------
    c, f, w
        Records of the cells and the well, after the sweep up.
    p
        Plant and wells, in the order of the constants above, (row · WIDTH,).
    t
        Rows of `Season`, (row · WIDTH,): updated.
    outdoor
        Outdoor temperature, °C, (hour, lane); the lanes of these records are those from `first` on.
    """
    for i in range(WIDTH):
        air = outdoor[hour, first + i]
        demand = heat_demand(air, p[DESIGN_LOAD * WIDTH + i], p[DESIGN_OUTDOOR * WIDTH + i], p[BALANCE * WIDTH + i])
        supply = supply_temperature(
            air,
            p[DESIGN_OUTDOOR * WIDTH + i],
            p[BALANCE * WIDTH + i],
            p[SUPPLY_DESIGN * WIDTH + i],
            p[SUPPLY_MILD * WIDTH + i],
        )
        offset, ratio = c[0, OFFSET * WIDTH + i], f[0, SLOPE * WIDTH + i]
        flow = p[NUMBER * WIDTH + i] * p[FLOW * WIDTH + i]
        heat, work, cold = heat_pump(
            min(demand, p[CAPACITY * WIDTH + i]),
            supply,
            offset,
            ratio,
            flow,
            p[EFFICIENCY * WIDTH + i],
            p[MAXIMUM_COP * WIDTH + i],
            p[MINIMUM_INLET * WIDTH + i],
        )
        warm = offset + ratio * cold
        backup = min(demand - heat, p[PEAK_CAPACITY * WIDTH + i])
        unmet = demand - heat - backup
        short = indoor_shortfall(
            t[SHORTFALL * WIDTH + i], unmet, p[CONDUCTANCE_OF_BUILDING * WIDTH + i], p[PERSISTENCE * WIDTH + i]
        )
        w[PASSING * WIDTH + i] = cold
        w[ROCK * WIDTH + i] = 0.0
        w[HEAD * WIDTH + i] = 0.0
        t[SHORTFALL * WIDTH + i] = short
        t[HEAT_DEMAND * WIDTH + i] += demand
        t[HEAT_PUMP_HEAT * WIDTH + i] += heat
        t[HEAT_BACKUP * WIDTH + i] += backup
        t[HEAT_UNMET * WIDTH + i] += unmet
        t[HEAT_EXTRACTED * WIDTH + i] += flow * (warm - cold)
        t[COMPRESSOR * WIDTH + i] += work
        t[CIRCULATION * WIDTH + i] += (heat + backup) / p[TRANSPORT_FACTOR * WIDTH + i]
        t[UNMET_HOURS * WIDTH + i] += 1.0 if unmet > 1e-6 * demand else 0.0
        t[SHORTFALL_MAX * WIDTH + i] = max(t[SHORTFALL_MAX * WIDTH + i], short)
        t[INLET_MIN * WIDTH + i] = min(t[INLET_MIN * WIDTH + i], cold)
        t[OUTLET_SUM * WIDTH + i] += warm
        t[OUTDOOR_SUM * WIDTH + i] += air
        t[OUTDOOR_MIN * WIDTH + i] = min(t[OUTDOOR_MIN * WIDTH + i], air)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def close_hour(w, p, t):  # type: ignore[no-untyped-def]
    """Heat that rock and walls gave, and the wells' pumps: friction less the buoyancy head; arguments as before."""
    for i in range(WIDTH):
        heat = p[NUMBER * WIDTH + i] * w[ROCK * WIDTH + i]
        t[ROCK_HEAT * WIDTH + i] += heat
        t[ROCK_HEAT_GROSS * WIDTH + i] += abs(heat)
        pressure = max(0.0, p[FRICTION * WIDTH + i] - p[BUOYANCY * WIDTH + i] * w[HEAD * WIDTH + i])
        t[CIRCULATION * WIDTH + i] += p[NUMBER * WIDTH + i] * p[PUMP_FLOW * WIDTH + i] * pressure


@njit(cache=True, error_model="numpy")
def run_hours(records, at, decay, weight, memory, undisturbed, fixed, totals, outdoor, first):  # type: ignore[no-untyped-def]
    """All hours of a season for the lanes from `first` on; records, memory and totals are updated."""
    cell, segment, flow, well = records.cell, records.segment, records.flow, records.well
    for hour in range(len(outdoor)):
        if hour % DAY == 0:
            begin_day(cell, at, decay, weight, memory, undisturbed)
        well[BELOW * WIDTH : (BELOW + 1) * WIDTH] = 0.0
        for k in range(len(cell) - 1, -1, -1):
            cell_up(cell, segment, flow, well, k, at[k])
        plant_hour(cell, flow, well, fixed, totals, outdoor, hour, first)
        for k in range(len(cell)):
            cell_down(cell, segment, flow, well, decay, k, at[k])
        close_hour(well, fixed, totals)
        if hour % DAY == DAY - 1:
            end_day(cell, decay, memory)
