"""The site's own electricity matched hour by hour with that of the heating.

What is generated in an hour serves the plant's other use first; the heating may claim what that leaves, in the same
hour, or later out of a battery that stores only what neither of them used. Nothing is claimed twice: in each hour what
the heating gets and what the battery takes are together at most what other use left, and all that the battery ever
gives is at most its efficiency times what it took.

Powers are means of an hour, W, so that an hour's energy in Wh is the same number.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from kernels.philox import philox, uniform

Array = NDArray[np.float64]

STREAM = 0x6F776E706F776572  # "ownpower": keeps these variates apart from others drawn with the same seed
OF_DAYS, OF_WINTERS = 0, 1  # the counter's last word
WORDS = 4  # of a block of Philox: one for each of so many days
DAY, WEEK = 24, 7  # h, d
MOST_SHIFT = 15
"""A wind profile is shifted by at most so many days, either way."""


class Generation(NamedTuple):
    """What is generated in each hour of a heating season: solar and wind together.

    Attributes
    ----------
    solar, wind
        Of the expected year, of each source, Wh, (lane,).
    solar_shape, wind_shape
        Share of the year's that each hour has: of the season's hours, (hour,); of the year's, (8760,).
    sky
        Factor on solar generation, (day, lane).
    start
        Hour of the year in which the season begins in the wind profile, (lane,).
    """

    solar: Array
    wind: Array
    solar_shape: Array
    wind_shape: Array
    sky: Array
    start: NDArray[np.int64]


class Battery(NamedTuple):
    """`capacity`, what it gives when full, Wh, `power`, W, both ways, and `efficiency` there and back, all (lane,)."""

    capacity: Array
    power: Array
    efficiency: Array


class Matched(NamedTuple):
    """Sums over a heating season, Wh, all (lane,).

    `used` by the heating and `covered` by own power, of which `covered_battery` came out of the battery, each for all
    hours, those with the sun up (`_day`) and the coldest week (`_week`); `generated`, and what other use `left` of it.
    """

    used: Array
    used_day: Array
    used_week: Array
    covered: Array
    covered_day: Array
    covered_week: Array
    covered_battery: Array
    generated: Array
    left: Array


@njit(cache=True, error_model="numpy", forceinline=True)
def match_hour(electricity, generation, other_use, stored, capacity, power, efficiency):  # type: ignore[no-untyped-def]
    """One hour of one sample: who gets what.

    Losses count when the battery is charged; what is `stored` comes out again whole. It is charged with what is left
    over and gives what is short, so never both in an hour.

    Parameters
    ----------
    electricity, generation, other_use
        Of the heating, of solar and wind, of the rest of the plant, W, not negative.
    stored
        In the battery when the hour begins, Wh.
    capacity, power, efficiency
        Of the battery: what it gives when it is full, Wh; W, both ways; there and back.

    Returns
    -------
    What other use leaves, W; of it used by the heating at once, and charged; discharged to the heating, W; stored
    after the hour, Wh.
    """
    left = max(0.0, generation - other_use)
    direct = min(electricity, left)
    charged = min(left - direct, min(power, max(0.0, capacity - stored) / efficiency))
    discharged = min(electricity - direct, min(power, stored))
    return left, direct, charged, discharged, stored + efficiency * charged - discharged


@njit(cache=True, error_model="numpy")
def sky_factors(seed, samples, winter, first_day, month, quantiles, out):  # type: ignore[no-untyped-def]
    """How bright each day of a season is, over the mean of its month; independent from day to day.

    Each factor is a function of (seed, day of the year, winter, sample) alone.

    Parameters
    ----------
    seed
        0 to 2⁶⁴ − 1.
    samples
        Indices of the samples, int64, not negative, (lane,).
    winter
        Index of the season.
    first_day
        First day of the season, 1 January being 0.
    month
        Month of each day of the season, 0 to 11, (day,).
    quantiles
        Quantile functions of the months at evenly spaced probabilities from 0 to 1, (12, probability); straight lines
        between them.
    out
        (day, lane): filled.
    """
    steps = quantiles.shape[1] - 1
    for i in range(len(samples)):
        block = -1
        words = (np.uint64(0), np.uint64(0), np.uint64(0), np.uint64(0))
        for day in range(len(out)):
            of_year = (first_day + day) % 365
            if of_year // WORDS != block:
                block = of_year // WORDS
                words = philox(seed, STREAM, block, winter, samples[i], OF_DAYS)
            place = uniform(words[of_year % WORDS]) * steps
            at = int(place)
            low, high = quantiles[month[day], at], quantiles[month[day], at + 1]
            out[day, i] = low + (place - at) * (high - low)


@njit(cache=True, error_model="numpy")
def wind_shifts(seed, samples, winter):  # type: ignore[no-untyped-def]
    """Days by which each sample's wind profile is shifted in a winter, −15 to 15, all alike likely, int64, (lane,)."""
    out = np.empty(len(samples), np.int64)
    for i in range(len(samples)):
        words = philox(seed, STREAM, 0, winter, samples[i], OF_WINTERS)
        out[i] = int(uniform(words[0]) * (2 * MOST_SHIFT + 1)) - MOST_SHIFT
    return out


@njit(cache=True, error_model="numpy")
def coldest_week(outdoor):  # type: ignore[no-untyped-def]
    """First day of the seven days in a row with the lowest mean outdoor temperature, int64, (lane,).

    Parameters
    ----------
    outdoor
        °C, (hour, lane), of whole days; a season of fewer than seven days is its own coldest week.
    """
    hours, lanes = outdoor.shape
    days = hours // DAY
    length = min(WEEK, days)
    sums = np.zeros((days, lanes))
    for hour in range(hours):
        for i in range(lanes):
            sums[hour // DAY, i] += outdoor[hour, i]
    coldest, lowest = np.zeros(lanes, np.int64), np.full(lanes, np.inf)
    for first in range(days - length + 1):
        for i in range(lanes):
            total = 0.0
            for day in range(first, first + length):
                total += sums[day, i]
            if total < lowest[i]:
                lowest[i], coldest[i] = total, first
    return coldest


@njit(cache=True, error_model="numpy")
def match(readings, generation, other_use, idle_share, working, sunlit, week, battery, sums):  # type: ignore[no-untyped-def]
    """Match one heating season.

    Parameters
    ----------
    readings
        The heating's electricity since the season began, Wh at the end of each hour, (hour, lane) (`season.Meter`).
    generation
        `Generation`.
    other_use
        The plant's other use in working hours, W, (lane,).
    idle_share
        Of other use, that of idle hours over that of working hours, (lane,).
    working, sunlit
        Whether the plant works, and whether the sun is up in the middle of the hour, (hour,).
    week
        First day of the coldest week, (lane,) (`coldest_week`).
    battery
        `Battery`; empty when the season begins.
    sums
        The rows of `Matched`, (row, lane): overwritten.
    """
    hours, lanes = readings.shape
    stored, before, used, cold = np.zeros((4, lanes))
    sums[:] = 0.0
    sun_alone = not (generation.wind.any() or battery.capacity.any())
    year = len(generation.wind_shape)
    for hour in range(hours):
        day, sun = hour // DAY, 1.0 if sunlit[hour] else 0.0
        for i in range(lanes):
            used[i] = readings[hour, i] - before[i]
            before[i] = readings[hour, i]
            cold[i] = 1.0 if week[i] <= day < week[i] + WEEK else 0.0
            sums[0, i] += used[i]
            sums[1, i] += sun * used[i]
            sums[2, i] += cold[i] * used[i]
        if sun_alone and generation.solar_shape[hour] == 0.0:
            continue  # nothing to match
        for i in range(lanes):
            at = generation.start[i] + hour
            at -= year if at >= year else 0
            generated = (
                generation.solar[i] * generation.solar_shape[hour] * generation.sky[day, i]
                + generation.wind[i] * generation.wind_shape[at]
            )
            left, direct, _, discharged, stored[i] = match_hour(
                used[i],
                generated,
                other_use[i] * (1.0 if working[hour] else idle_share[i]),
                stored[i],
                battery.capacity[i],
                battery.power[i],
                battery.efficiency[i],
            )
            covered = direct + discharged
            sums[3, i] += covered
            sums[4, i] += sun * covered
            sums[5, i] += cold[i] * covered
            sums[6, i] += discharged
            sums[7, i] += generated
            sums[8, i] += left
