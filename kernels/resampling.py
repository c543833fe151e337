"""Heating seasons put together from recorded ones: whole winters, or blocks of days from winters picked at random.

Blocks are a seasonal block bootstrap (Dudek, Leśkow, Paparoditis and Politis, 2013, *A generalized block bootstrap for
seasonal time series*): each block is copied from the same calendar days of a winter picked for it alone. Blocks lose
what lasts longer than they do (a cold month, a cold winter); whole winters lose the likeness of successive winters.
Neither brings a day that the record has not seen, but at seams. Years have 365 days.
"""

import numpy as np
from numba import njit

from kernels.philox import high_product, philox

STREAM = 0x72657361  # "resa": keeps these picks apart from other variates drawn with the same seed
FIRST_OF_JULY = 182  # day of the year
BLEND_HOURS = 6


@njit(cache=True, error_model="numpy")
def pick(word, number):  # type: ignore[no-untyped-def]
    """Turn 64 random bits into an index from 0 to ``number`` − 1: the upper half of the 128-bit product of the two.

    Lemire (2019, ACM Transactions on Modeling and Computer Simulation 29(1), article 3) without its rejection: an
    index has a probability within 2⁻⁶⁴ of 1/number.
    """
    return np.int64(high_product(word, np.uint64(number)))


@njit(cache=True, error_model="numpy")
def picks(seed, samples, winter, block, number):  # type: ignore[no-untyped-def]
    """Which of ``number`` recorded winters each sample gets, shape (samples,), a pure function of its place.

    Philox with (seed, `STREAM`) as key and (block + 1, winter, sample, 0) as counter.
    """
    out = np.empty(len(samples), dtype=np.int64)
    for lane in range(len(samples)):
        out[lane] = pick(philox(seed, STREAM, block + 1, winter, samples[lane], 0)[0], number)
    return out


@njit(cache=True, error_model="numpy")
def whole_winters(record, offset, seed, samples, winter):  # type: ignore[no-untyped-def]
    """Outdoor temperature of all hours of one winter, °C, shape (hours, samples): a recorded winter for each sample.

    Parameters
    ----------
    record : ndarray of float64, shape (recorded winters, hours)
        Recorded seasons, °C.
    offset : ndarray, shape (samples,)
        Added to this winter, K: a row of `kernels.weather.winter_offsets`.
    seed : int
        0 to 2⁶⁴ − 1.
    samples : ndarray of int64, shape (samples,)
        Indices of the samples, not negative.
    winter : int
        Number of the winter, from 0.
    """
    chosen = picks(seed, samples, winter, -1, record.shape[0])
    out = np.empty((record.shape[1], len(samples)))
    for hour in range(out.shape[0]):
        for lane in range(out.shape[1]):
            out[hour, lane] = record[chosen[lane], hour] + offset[lane]
    return out


@njit(cache=True, error_model="numpy")
def blocks_of_winters(record, offset, seed, samples, winter, first_day, block_days):  # type: ignore[no-untyped-def]
    """Outdoor temperature of all hours of one winter, °C, shape (hours, samples), from blocks of recorded winters.

    Blocks are counted from the 1 July before the season, so that a season that begins or ends on another day changes
    no hour that it had before. From 3 h before to 3 h after a seam the weight goes from one winter to the other in
    equal steps: the mean stays, while the variance between winters is a third less in these six hours (in blocks of
    ten days 0.8 % on average), and two winters that are 30 K apart meet by at most 5 K an hour beside their own change.

    Parameters
    ----------
    record, offset, seed, samples, winter
        As for `whole_winters`.
    first_day : int
        Day of the year of the season's first day (1 November is 305).
    block_days : int
        Length of a block, whole days, at least 1.
    """
    hours, lanes, block_hours = record.shape[1], len(samples), 24 * block_days
    # In hours from half a blend before 1 July, each block begins with the blend at its seam.
    start = 24 * ((first_day - FIRST_OF_JULY) % 365) + BLEND_HOURS // 2
    out = np.empty((hours, lanes))
    number, before, after = start // block_hours, np.empty(0, dtype=np.int64), np.empty(0, dtype=np.int64)
    for hour in range(hours):
        block, late = (start + hour) // block_hours, (start + hour) % block_hours
        if hour == 0 or block != number:
            number = block
            before = picks(seed, samples, winter, block - 1, record.shape[0])
            after = picks(seed, samples, winter, block, record.shape[0])
        weight = max(1.0 - (late + 0.5) / BLEND_HOURS, 0.0)  # of the winter before
        for lane in range(lanes):
            early_value, late_value = record[before[lane], hour], record[after[lane], hour]
            out[hour, lane] = late_value + weight * (early_value - late_value) + offset[lane]
    return out
