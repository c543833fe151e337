"""Heat that a building asks for, hour by hour, and how far it cools when less is delivered.

Two nodes (2R2C): the indoor air and what follows it at once, and the mass of the building behind it.

    C_f dT_f/dt = UA (T_outdoor - T_f) + H (T_m - T_f) + gains + Q        C_m dT_m/dt = H (T_f - T_m)

Without a mass (fast_share = 1) it is 1R1C. Lumped models of this kind are common for the heat dynamics of a whole
building (Bacher and Madsen, 2011, Energy and Buildings 43(7), 1511-1522, compare several). Outdoor temperature, heat
and schedule are constant within an hour; an hour is then exact, whatever the time constants. UA is smaller outside
working hours by the share of ventilation that then rests; gains are constant, UA (indoor - balance) at the full UA.

The *reference* is the building that gets all the heat it asks for. In working hours, its indoor temperature is to be
at the set temperature by the end of the hour; in others it may fall by the set-back. Heat asked for is at most
`reheat` above the steady demand at the present set point. Windows keep the indoor temperature from rising above the
set temperature. So without a schedule demand is UA max(0, balance - outdoor): degree-hours.
"""

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.special import exprel

Array = NDArray[np.float64]

RESTING, OCCUPIED = 0, 1
"""States of the schedule: the first index of `response`, and the values of `working_hours`."""

A00, A01, A10, A11, B0, B1 = range(6)  # rows of `response`


def working_hours(
    *, winter: int, hours: int, first_day: int = 0, working_days: int, start: int, end: int
) -> NDArray[np.uint8]:
    """Which hours of a season are working hours.

    1 November of the first winter is a Monday; years have 365 days, so that it is one weekday later each winter. A
    building that is to be warm when people come starts earlier than they do: there is no other pre-heating.

    Parameters
    ----------
    winter : int
        Winter of the study, from 0.
    hours : int
        Length of the season, h; it begins at midnight.
    first_day : int
        First day of the season, in days after 1 November; negative for an earlier one.
    working_days : int
        Days worked in a week, from Monday, 0 to 7.
    start, end : int
        Working hours are those from `start` to `end` o'clock, 0 <= start < end <= 24.

    Returns
    -------
    ndarray of uint8, shape (hour,)
        OCCUPIED or RESTING.
    """
    day, hour = np.divmod(np.arange(hours), 24)
    weekday = (day + first_day + winter) % 7
    return ((weekday < working_days) & (start <= hour) & (hour < end)).astype(np.uint8)


def response(
    *, conductance: Array, time_constant: Array, fast_share: Array, mass_conductance: Array, ventilation_share: Array
) -> Array:
    """What an hour makes of the two nodes' distance below the reference.

    The building is linear, so what it lacks against the reference, θ (K), follows from the heat it lacks, u (W):

        θ_f' = a00 θ_f + a01 θ_m + b0 u        θ_m' = a10 θ_f + a11 θ_m + b1 u

    with u = min(unmet, space demand) where hot water is served first (the caller's job); for 1R1C θ' = p θ +
    (1 - p) u / UA with p = exp(-1 h / time constant). No heat is asked for to make up for what was missed, and windows
    that the reference opens stay open in the colder building: both make it recover too slowly, never too fast.

    By Sylvester's formula from the two eigenvalues, which are real.

    Parameters
    ----------
    conductance : ndarray, shape (lane,)
        UA in working hours, W/K, above 0.
    time_constant : ndarray, shape (lane,)
        Heat capacity of both nodes over UA, h, above 0.
    fast_share : ndarray, shape (lane,)
        Share of the heat capacity in the fast node, above 0; 1 for a building of one node.
    mass_conductance : ndarray, shape (lane,)
        H between the nodes, W/K, 0 or more; not used where fast_share is 1.
    ventilation_share : ndarray, shape (lane,)
        Share of UA that rests outside working hours, at least 0, less than 1.

    Returns
    -------
    ndarray, shape (state, 6, lane)
        Rows a00, a01, a10, a11 (1), b0, b1 (K/W), for states RESTING and OCCUPIED.
    """
    capacity = conductance * time_constant  # W h/K
    two_nodes = fast_share < 1.0
    fast = capacity * fast_share
    mass = capacity * np.where(two_nodes, 1.0 - fast_share, 1.0)  # a lone node is not coupled to this one
    coupling = np.where(two_nodes, mass_conductance, 0.0)
    rows = np.empty((2, 6, len(conductance)))
    for state, loss in ((RESTING, conductance * (1.0 - ventilation_share)), (OCCUPIED, conductance)):
        # dθ/dt = [[-fast_rate, coupling / fast], [coupling / mass, -mass_rate]] θ + [u / fast, 0], t in h
        fast_rate, mass_rate = (loss + coupling) / fast, coupling / mass
        radius = np.hypot((fast_rate - mass_rate) / 2.0, coupling / np.sqrt(fast * mass))
        quick = -(fast_rate + mass_rate) / 2.0 - radius  # eigenvalues, 1/h
        slow = loss / fast * mass_rate / quick
        share, rest = (slow + mass_rate) / (2.0 * radius), (slow + fast_rate) / (2.0 * radius)
        decay, gain = (np.exp(slow), np.exp(quick)), (exprel(slow), exprel(quick))
        mix = coupling / (2.0 * radius)
        rows[state, A00] = share * decay[0] + rest * decay[1]
        rows[state, A01] = mix / fast * (decay[0] - decay[1])
        rows[state, A10] = mix / mass * (decay[0] - decay[1])
        rows[state, A11] = rest * decay[0] + share * decay[1]
        rows[state, B0] = (share * gain[0] + rest * gain[1]) / fast
        rows[state, B1] = mix / mass * (gain[0] - gain[1]) / fast
    return rows


@njit(cache=True, error_model="numpy")
def demand(  # type: ignore[no-untyped-def]
    outdoor,
    occupied,
    rows,
    conductance,
    balance,
    indoor,
    ventilation_share,
    setback,
    reheat,
    hot_water,
    heat,
    temperature,
):
    """Heat that a building asks for through a season, and the indoor temperature if it gets it.

    Both nodes begin at the set temperature.

    Parameters
    ----------
    outdoor
        Outdoor temperature, °C, (hour, lane).
    occupied
        Working hours, (hour,) (`working_hours`); ones where there is no schedule.
    rows
        `response` of the building, (state, 6, lane).
    conductance
        UA in working hours, W/K, (lane,).
    balance
        Outdoor temperature above which working hours need no heat, °C, (lane,); at most `indoor`.
    indoor
        Set temperature in working hours, °C, (lane,).
    ventilation_share
        Share of UA that rests outside working hours, (lane,).
    setback
        What the indoor temperature may fall by outside working hours, K, (lane,), 0 or more.
    reheat
        Largest heat above the steady demand at the present set point, W, (lane,), 0 or more.
    hot_water
        Heat for hot water, constant, W, (lane,).
    heat
        Filled with the heat asked for, space and hot water together, W, (hour, lane).
    temperature
        Filled with the indoor temperature (fast node) at the end of each hour, °C, (hour, lane).
    """
    hours, lanes = outdoor.shape
    fast, mass = np.zeros(lanes), np.zeros(lanes)  # how far the nodes are below the set temperature, K
    for hour in range(hours):
        state = OCCUPIED if occupied[hour] == OCCUPIED else RESTING
        resting = float(OCCUPIED - state)
        for lane in range(lanes):
            rested = conductance[lane] * resting * ventilation_share[lane]
            drop = resting * setback[lane]
            b0 = rows[state, B0, lane]
            # heat that would keep both nodes at the set temperature: below zero, heat to be rid of
            steady = (conductance[lane] - rested) * (balance[lane] - outdoor[hour, lane])
            steady -= rested * (indoor[lane] - balance[lane])
            below = rows[state, A00, lane] * fast[lane] + rows[state, A01, lane] * mass[lane]
            wanted = max(0.0, steady + (below - drop) / b0)
            most = max(0.0, steady - (conductance[lane] - rested) * drop) + reheat[lane]
            space = min(wanted, most)
            lacking = steady - min(space, steady + below / b0)  # heat beyond the set temperature leaves by the windows
            mass[lane] = (
                rows[state, A10, lane] * fast[lane]
                + rows[state, A11, lane] * mass[lane]
                + rows[state, B1, lane] * lacking
            )
            fast[lane] = max(0.0, below + b0 * lacking)  # rounding may go below
            heat[hour, lane] = space + hot_water[lane]
            temperature[hour, lane] = indoor[lane] - fast[lane]
