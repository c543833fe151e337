"""Readings of a field in operation, day by day: their file, and what each sample's wells would have shown.

The file is CSV in UTF-8 with a header: `date` (YYYY-MM-DD), `outlet_temperature`, and `inlet_temperature` or `heat` or
both, each with its unit in brackets, such as ``heat (MWh/d)``. An empty cell, or `nan`, is a gap. Temperatures are of
the water entering and leaving the wells, heat is what that water took from the ground, of the whole field; all are
means of the day.
"""

import csv
import datetime
import math
import re
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from kernels import LANES
from kernels.ground import HOUR
from kernels.operation import Wells, prepare_steps, summer_rest, undisturbed_state
from kernels.readings import prescribed_step
from study.config import Study
from study.csv_file import MOST_BYTES
from study.errors import ConfigError
from study.quantity import convert, short
from study.simulation import field_of_wells, rests_of_summer
from study.wells import Inputs

Array = NDArray[np.float64]

UNITS = {"outlet_temperature": "degC", "inlet_temperature": "degC", "heat": "kW"}
"""What columns are read in."""
LIMITS = {"outlet_temperature": (-50.0, 300.0), "inlet_temperature": (-50.0, 300.0), "heat": (-1e6, 1e6)}
MOST_DAYS = 40_000
FEWEST_DAYS = 5
"""Days with an outlet temperature; fewer say nothing that a discrepancy of the season does not hide."""
LEAST_DRIVEN = 0.5
"""Share of the days from the first reading to the last, seasons only, whose heat or inlet temperature must be known."""
STEPS = 8
"""Steps of a day, each with the day's mean. Against the hourly engine the mean of a day is off by 0.11 K, root mean
square, where heat is given, and 0.07 K where the inlet is (tests/test_update.py); with one step, by 0.39 and 0.14 K."""
_HEADER = re.compile(r"\s*(\w+)\s*(?:\(([^()]{1,30})\))?\s*")
_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)


@dataclass(frozen=True)
class Readings:
    """Days of operation that lie in a study's heating season.

    Attributes
    ----------
    winter, day
        Number of the winter, the first reading's being 0, and day of its season, from 0, (reading,), in order.
    outlet, inlet, heat
        °C, °C and W of the whole field, (reading,); nan in gaps, and throughout where the file has no such column.
    remarks
        What was left out or filled, in words.
    """

    winter: NDArray[np.int64]
    day: NDArray[np.int64]
    outlet: Array
    inlet: Array
    heat: Array
    remarks: tuple[str, ...] = ()

    @property
    def driver(self) -> str:
        """What the wells are driven with: what was read on more days, heat where both were."""
        more = np.isfinite(self.inlet).sum() > np.isfinite(self.heat).sum()
        return "inlet_temperature" if more else "heat"

    @property
    def given(self) -> Array:
        """Values of the driver, °C or W, (reading,)."""
        return self.heat if self.driver == "heat" else self.inlet


def read_readings(path: str | Path, study: Study) -> Readings:
    """Return the readings of a file.

    Raises
    ------
    ConfigError
        When the file is wrong in any way, or too few of its days are in the season.
    """
    path = Path(path)
    try:
        dates, columns = _read(path)
        return _in_season(dates, columns, study)
    except ValueError as error:
        raise ConfigError(f"{path}: {error}") from error


def _read(path: Path) -> tuple[list[datetime.date], dict[str, Array]]:
    try:
        if not path.is_file():
            raise ValueError("there is no such file")
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"it is too large; allowed: at most {MOST_BYTES // 1_000_000} MB")
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.reader(lines, skipinitialspace=True)
            names, units = _header(next(rows, []))
            dates: list[datetime.date] = []
            cells: dict[str, list[str]] = {name: [] for name in names if name != "date"}
            at: list[int] = []
            for row in rows:
                if not any(cell.strip() for cell in row):
                    continue
                if len(row) != len(names):
                    raise ValueError(f"line {rows.line_num}: {len(row)} cells; allowed: {len(names)}, as in the header")
                for name, cell in zip(names, row, strict=True):
                    if name == "date":
                        dates.append(_date(cell, rows.line_num))
                    else:
                        cells[name].append(cell)
                at.append(rows.line_num)
                if len(dates) > MOST_DAYS:
                    raise ValueError(f"more than {MOST_DAYS:,} days; allowed: at most so many")
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"it cannot be read as a CSV file in UTF-8: {error}") from error
    if len(set(dates)) < len(dates):
        twice = next(each for each, times in Counter(dates).items() if times > 1)
        raise ValueError(f"date {twice} is there twice; allowed: one line a day")
    return dates, {name: _values(texts, name, units[name], at) for name, texts in cells.items()}


def _header(cells: list[str]) -> tuple[list[str], dict[str, str]]:
    allowed = (
        "allowed: date, outlet_temperature (degC), and inlet_temperature (degC) or heat (kW) or both, or other units "
        "of these, such as heat (MWh/d)"
    )
    found = [_HEADER.fullmatch(cell) for cell in cells]
    names = [match[1] if match else "" for match in found]
    for cell, name in zip(cells, names, strict=True):
        if name != "date" and name not in UNITS:
            raise ValueError(f"header: {short(cell)}; {allowed}")
    if len(set(names)) < len(names) or not {"date", "outlet_temperature"} <= set(names) or len(names) < 3:
        raise ValueError(f"header: {short(', '.join(cells))}; {allowed}")
    units = {match[1]: match[2] for match in found if match and match[1] != "date"}
    for name, unit in units.items():
        if unit is None:
            raise ValueError(f"header: {name} has no unit; allowed: {name} ({UNITS[name]}), or another unit of it")
        try:
            convert([1.0], unit, UNITS[name])
        except (ValueError, ArithmeticError) as error:
            raise ValueError(f"header: {name} in {short(unit)}; allowed: a unit such as {UNITS[name]}") from error
    return names, units


def _date(cell: str, line: int) -> datetime.date:
    try:
        if not _DATE.fullmatch(cell.strip()):
            raise ValueError
        return datetime.date.fromisoformat(cell.strip())
    except ValueError:
        raise ValueError(f"line {line}: date {short(cell)}; allowed: a day such as 2027-01-15") from None


def _values(cells: list[str], name: str, unit: str, lines: list[int]) -> Array:
    """A column in its own unit, nan in gaps."""
    gap = np.array([cell.strip().lower() in ("", "nan") for cell in cells], dtype=np.bool_)
    low, high = LIMITS[name]
    values = np.array(convert([_number(cell) for cell in cells], unit, UNITS[name]))
    if (wrong := np.flatnonzero(~gap & ~((low <= values) & (values <= high)))).size:
        raise ValueError(
            f"line {lines[wrong[0]]}: {name} {short(cells[wrong[0]])}; allowed: a number from {low:g} to {high:g} "
            f"{UNITS[name]}, or nothing"
        )
    return np.where(gap, np.nan, values)


def _number(cell: str) -> float:
    try:
        return float(cell)
    except ValueError:
        return math.nan


def _in_season(dates: list[datetime.date], columns: dict[str, Array], study: Study) -> Readings:
    """Readings of the days that are in the season; a leap day has the place of the day before it, and is left out."""
    season, remarks = study.season, []
    place = np.array([_place(each, season.first_day) for each in dates], dtype=np.int64).reshape(-1, 2)
    leap = np.array([(each.month, each.day) == (2, 29) for each in dates], dtype=np.bool_)
    within = (place[:, 1] < season.days) & ~leap if len(place) else leap
    if outside := int((~within & ~leap).sum()):
        remarks.append(f"{outside} days are outside the season, {season.start} to {season.end}, and are left out")
    if leap.any():
        remarks.append(f"{int(leap.sum())} leap days are left out: a study's years have 365 days")
    order = np.flatnonzero(within)
    order = order[np.lexsort(place[order].T[::-1])]
    none = np.full(len(dates), np.nan)
    outlet, inlet, heat = (columns.get(name, none)[order] for name in UNITS)
    if (seen := int(np.isfinite(outlet).sum())) < FEWEST_DAYS:
        raise ValueError(
            f"{seen} days of the season {season.start} to {season.end} have an outlet_temperature; "
            f"allowed: {FEWEST_DAYS} or more"
        )
    winter = place[order, 0] - place[order[0], 0]
    if winter[-1] >= study.winters:
        raise ValueError(f"the readings go on for {winter[-1] + 1} winters; allowed: the study's {study.winters}")
    found = Readings(winter, place[order, 1], outlet, inlet, 1e3 * heat)
    run = winter * season.days + found.day
    asked, driven = int(run[-1] - run[0]) + 1, int(np.isfinite(found.given).sum())
    if driven < LEAST_DRIVEN * asked:
        raise ValueError(
            f"{driven} of the {asked} days of the season from the first reading to the last have an inlet_temperature, "
            f"or heat; allowed: {LEAST_DRIVEN:.0%} of them or more"
        )
    if asked > driven:
        remarks.append(f"{found.driver} of {asked - driven} days was not read, and is taken from the days around them")
    if found.day[0]:
        remarks.append(f"{found.driver} of the {found.day[0]} days before the first reading is taken to be as on it")
    return replace(found, remarks=tuple(remarks))


def _place(date: datetime.date, first_day: int) -> tuple[int, int]:
    """Year in which its season begins, and day from there in a year of 365 days."""
    day = date.replace(year=2001, day=28 if (date.month, date.day) == (2, 29) else date.day).timetuple().tm_yday
    return date.year - (day < first_day), (day - first_day) % 365


def predict(study: Study, inputs: Inputs, readings: Readings) -> dict[str, Array]:
    """Temperatures that each sample's wells would have had, means of the days of the readings.

    The field begins at rest on the first day of the first reading's season, and is driven day by day with the heat that
    was read, or the inlet temperature; days without take it from those around them, the days before the first reading
    from the first. All wells are at work with the full flow. In summer the field rests.

    Parameters
    ----------
    inputs
        Of the samples, the fluid's properties among them (`study.wells.with_fluid`), each (row,).

    Returns
    -------
    `outlet_temperature` and `inlet_temperature`, °C, (row, reading).

    Raises
    ------
    ConfigError
        Where the study has pumps of variable flow, or recharges its wells in summer: then flow, or heat, of days that
        were not read would have to be known.
    """
    if study.circulation.flow_control != "fixed":
        raise ConfigError("circulation.flow_control: allowed for readings: fixed, as the flow of each day is not read")
    if study.summer_recharge is not None:
        raise ConfigError("summer_recharge: allowed for readings: none, as the heat put in is not read")
    rows = len(inputs["well.depth"])
    found = {name: np.empty((rows, len(readings.day))) for name in ("outlet_temperature", "inlet_temperature")}
    for first in range(0, rows, LANES):
        these = slice(first, first + LANES)
        wells = field_of_wells(study, {key: values[these] for key, values in inputs.items()})
        entering, leaving = _run(study, wells, readings)
        found["inlet_temperature"][these], found["outlet_temperature"][these] = entering.T, leaving.T
    return found


def _run(study: Study, wells: Wells, readings: Readings) -> tuple[Array, Array]:
    """Inlet and outlet of some lanes, °C, (reading, lane)."""
    days, given = study.season.days, readings.given
    at = readings.winter * days + readings.day
    known = np.isfinite(given)
    driven = np.interp(np.arange(at[-1] + 1), at[known], given[known])
    place = {day: n for n, day in enumerate(at.tolist())}
    state, steps = undisturbed_state(wells), prepare_steps(wells, 24 * HOUR / STEPS)
    rests = [prepare_steps(wells, length) for length in rests_of_summer(study)] if at[-1] >= days else []
    inlet, outlet = np.empty((2, len(at), len(wells.flow)))
    for day, value in enumerate(driven.tolist()):
        if day and day % days == 0:
            for rest in rests:
                summer_rest(state, wells, rest)
        drive = {"heat": value} if readings.driver == "heat" else {"inlet": value}
        entering, leaving = np.mean([prescribed_step(state, wells, steps, **drive) for _ in range(STEPS)], axis=0)
        if day in place:
            inlet[place[day]], outlet[place[day]] = entering, leaving
    return inlet, outlet
