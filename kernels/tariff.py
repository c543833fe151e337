"""Electricity by the periods of a tariff, from where its meter stands hour by hour."""

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]


@njit(cache=True, error_model="numpy")
def energy_by_period(readings, period, sums):  # type: ignore[no-untyped-def]
    """Share a season's electricity out to the periods that its hours belong to.

    Parameters
    ----------
    readings
        Since the season began, Wh at the end of each hour, (hour, lane) (`season.Meter`).
    period
        Of each hour, from 0 on, (hour,).
    sums
        Wh, (period, lane): overwritten.
    """
    hours, lanes = readings.shape
    before = np.zeros(lanes)
    sums[:] = 0.0
    for hour in range(hours):
        at = period[hour]
        for i in range(lanes):
            sums[at, i] += readings[hour, i] - before[i]
            before[i] = readings[hour, i]
