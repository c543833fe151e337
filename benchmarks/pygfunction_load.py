"""Time that pygfunction takes for an hourly load: load aggregation on a g-function of the same ground.

This is its own loop of a simulation, as in its examples: for each hour set the load, then superpose in time with the
load aggregation of Claesson and Javed (2012, ASHRAE Transactions 118(1), 530–539). It answers with the mean temperature
of the borehole walls only; flow, channels and plant would come on top.
"""

import importlib
import time
from typing import Any

import numpy as np


def seconds_per_hour(*, years: int, rows: int = 1, columns: int = 1, spacing: float = 20.0) -> float:
    """Time of the loop for each simulated hour of the field, s, after everything is prepared.

    Parameters
    ----------
    years
        Length of the hourly load.
    rows, columns, spacing
        The field; spacing in m. All its wells together are one hour, as they are for hotland.

    Raises
    ------
    ImportError
        When pygfunction is not installed; it is no dependency of this project.
    """
    gt: Any = importlib.import_module("pygfunction")  # it comes without types, or not at all

    conductivity, diffusivity, radius, depth, step = 2.5, 2.5 / 2.25e6, 0.12065, 2900.0, 3600.0
    hours = years * 8760
    aggregation = gt.load_aggregation.ClaessonJaved(step, hours * step)
    field = gt.borefield.Borefield.rectangle_field(columns, rows, spacing, spacing, depth, 1.0, radius)
    times = aggregation.get_times_for_simulation()
    response = gt.gfunction.gFunction(field, diffusivity, time=times, boundary_condition="UHTR")
    aggregation.initialize(response.gFunc / (2.0 * np.pi * conductivity))
    hour = np.arange(hours)
    load = (250e3 + 60e3 * np.sin(2.0 * np.pi * hour / 24.0)) * (hour % 8760 < 3624) / depth
    wall = np.empty(hours)
    start = time.perf_counter()
    for at in range(hours):
        aggregation.next_time_step((at + 1) * step)
        aggregation.set_current_load(load[at])
        wall[at] = aggregation.temporal_superposition()
    return (time.perf_counter() - start) / hours
