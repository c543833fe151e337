"""The series of traced samples, from where the totals of a heating season stand hour by hour."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from kernels.season import SUM, Course, Season, Winter
from study.config import Study
from study.outputs import ELECTRIC, MEGA
from study.traces import HOURS, Traces

Array = NDArray[np.float64]


def hourly(study: Study, course: Course, winter: Winter) -> dict[str, Array]:
    """Variables of `study.traces.TRACE_VARIABLES` of one winter, (hour, traced lane).

    What an hour adds to a sum is the difference of where it stands, to within the rounding of the season's sum.
    """

    def added(*fields: int) -> Array:
        gains = [np.diff(course.totals[:, field], axis=0, prepend=0.0) for field in fields]
        return np.sum(gains, axis=0) if gains else np.zeros(course.totals[:, 0].shape)

    purchased = (("peak_heating", SUM.peak_purchased), ("reserve_heating", SUM.reserve_purchased))
    electric = [field for section, field in purchased if getattr(study, section).kind in ELECTRIC]
    return {
        "outdoor_temperature": winter.outdoor[:, course.lanes],
        "indoor_temperature": winter.reference[:, course.lanes] - course.totals[:, SUM.deviation],
        "heat_demand": added(SUM.heat_demand) * MEGA,
        "heat_unmet": added(SUM.heat_unmet) * MEGA,
        "heat_pump_heat": added(SUM.heat_pump_heat) * MEGA,
        "heat_backup": added(SUM.heat_peak, SUM.heat_reserve) * MEGA,
        "heat_reserve": added(SUM.heat_reserve) * MEGA,
        "heat_extracted": added(SUM.heat_extracted) * MEGA,
        "heat_stored": course.totals[:, SUM.tank] * MEGA,
        "electricity": added(SUM.compressor, SUM.circulation, *electric) * MEGA,
        "electricity_compressor": added(SUM.compressor) * MEGA,
        "electricity_circulation": added(SUM.circulation) * MEGA,
        "electricity_backup": added(*electric) * MEGA,
        "inlet_temperature": added(SUM.inlet_sum),
        "outlet_temperature": added(SUM.outlet_sum),
    }


@dataclass(frozen=True)
class Recorder:
    """Fills the traces of a group of lanes, winter by winter.

    Attributes
    ----------
    course
        To be filled by `kernels.operation.heating_season`.
    values, places
        The series of all samples that have some, and which of them are those of the lanes.
    """

    study: Study
    course: Course
    values: dict[str, NDArray[np.float32]]
    places: NDArray[np.int64]

    @classmethod
    def of(cls, study: Study, traces: Traces | None, group: NDArray[np.int64]) -> "Recorder | None":
        """Of rows, by their places among those that the traces are of; None where none is traced."""
        if traces is None:
            return None
        _, lanes, places = np.intersect1d(group, traces.among, assume_unique=True, return_indices=True)
        if not len(lanes):
            return None
        course = Course(lanes, np.empty((24 * study.season.days, len(Season._fields), len(lanes))))
        return cls(study, course, traces.values, places)

    def record(self, number: int, winter: Winter) -> None:
        """Keep what the course holds of a winter, the first one being 0: in daily traces the means of the hours."""
        assert self.study.traces is not None
        hours, found = HOURS[self.study.traces.interval], hourly(self.study, self.course, winter)
        for name, series in self.values.items():
            series[self.places, number] = found[name].reshape(-1, hours, len(self.course.lanes)).mean(axis=1).T
