"""Outdoor temperature read from weather files: EPW, CSV and NetCDF, hourly or daily, of one year or many."""

import csv
import io
import math
import re
from collections.abc import Hashable, Sequence
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import pandas as pd

from study.errors import ConfigError

MOST_BYTES = 200_000_000
MOST_VALUES = 2_000_000  # more than 200 years of hours
MOST_EPW_BYTES = 20_000_000
LOWEST, HIGHEST = -90.0, 60.0  # °C: below and above all that was ever measured near the ground
LONGEST_GAP = {pd.Timedelta(hours=1): 6, pd.Timedelta(days=1): 3}  # steps; straight lines bridge no longer gaps

TIME_NAMES = ("time", "date", "datetime", "timestamp")
_UNITS = {"degC": (1.0, 0.0), "K": (1.0, -273.15), "degF": (5.0 / 9.0, -160.0 / 9.0)}  # factor and offset to °C
_UNIT_NAMES = {
    **dict.fromkeys(("degc", "c", "°c", "celsius", "deg_c", "degree_celsius", "degrees_celsius"), "degC"),
    **dict.fromkeys(("k", "kelvin", "degk", "deg_k", "degree_kelvin", "degrees_kelvin"), "K"),
    **dict.fromkeys(("degf", "f", "°f", "fahrenheit", "deg_f", "degree_fahrenheit", "degrees_fahrenheit"), "degF"),
}


class DesignConditions(NamedTuple):
    """Cold extremes of a station's record as ASHRAE publishes them, °C; the standard deviation in K."""

    percentile_99_6: float  # undershot in 0.4 % of all hours of the year
    percentile_99: float
    minimum_mean: float  # of the annual minima
    minimum_standard_deviation: float
    minimum_5: float  # undershot once in so many years on average
    minimum_10: float
    minimum_20: float
    minimum_50: float


def read_weather(
    path: str | Path, *, column: str | None = None, unit: str = "degC", utc_offset: float = 0.0
) -> pd.Series:
    """Return the outdoor temperature in a weather file.

    EPW is read by pvlib. A CSV file has a header line and a column named time, date, datetime or timestamp (ISO 8601).
    A NetCDF file has one time dimension, and one place. The kind of file is told by how it begins.

    Short gaps, up to 6 h or 3 days, are bridged by a straight line; longer ones stay NaN, and what needs whole winters
    has to leave those out. The months of a typical year, which come from different years, are given the nominal winter
    from July 2001 to June 2002.

    Parameters
    ----------
    path
        The file.
    column
        Column (CSV) or variable (NetCDF) of temperature; needed where there are several that could be it.
    unit
        Its unit: degC, K or degF. The unit that a NetCDF file gives, and that of EPW, go before this.
    utc_offset
        Hours to add to the times of a CSV or NetCDF file to make them local standard time: 8 for China from UTC.

    Returns
    -------
    Series
        Outdoor temperature, °C, named ``outdoor_temperature``, hourly or daily, without a step left out; times are
        local standard time and mark the start of the hour or day. ``attrs`` say ``site`` (of EPW, else the
        file's name), ``typical_year`` (bool) and ``filled`` (number of values bridged).

    Raises
    ------
    ConfigError
        If there is no such file or its values can't be used; the message says what is allowed.
    """
    path = Path(path)
    if unit not in _UNITS:
        raise ConfigError(f"unit {unit[:40]!r}: allowed: {', '.join(_UNITS)}")
    if not (math.isfinite(utc_offset) and abs(utc_offset) <= 14.0):
        raise ConfigError(f"UTC offset {utc_offset!r}: allowed: hours from -14 to 14")
    try:
        start = _first_bytes(path)
        if start.startswith(b"\x89HDF"):
            values = _read_netcdf(path, "h5netcdf", column=column, unit=unit)
        elif start.startswith(b"CDF"):
            values = _read_netcdf(path, "scipy", column=column, unit=unit)
        elif b"\0" in start:
            raise _UnusableError("not text; allowed: a weather file in EPW, CSV or NetCDF")
        elif start.startswith((b"LOCATION,", b"\xef\xbb\xbfLOCATION,")):
            values, utc_offset = _read_epw(path), 0.0
        else:
            values = _read_csv(path, column=column, unit=unit)
        values.index = values.index + pd.Timedelta(hours=utc_offset)
        values.attrs = {"site": _printable(path.stem), "typical_year": False, **values.attrs}
        return _regular(values)
    except _UnusableError as error:
        raise ConfigError(f"{path}: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error


def read_design_conditions(path: str | Path) -> DesignConditions | None:
    """Return the ASHRAE design conditions in the header of an EPW file; None where there are none to be understood.

    The fields are those of the heating and extremes tables of the ASHRAE Handbook, Fundamentals, chapter 14 (layouts
    of 2009 and of 2025, which differ in one field of the extremes).
    """
    with Path(path).open(encoding="utf-8", errors="replace") as file:
        lines = [file.readline(100_000), file.readline(100_000)]
    fields = [field.strip() for field in lines[1].split(",")]
    if not (lines[0].lstrip("\ufeff").startswith("LOCATION,") and fields[0] == "DESIGN CONDITIONS"):
        return None
    try:
        heating, cooling, extremes = (fields.index(name) for name in ("Heating", "Cooling", "Extremes"))
        first = extremes + {27: 4, 16: 5}[len(fields) - extremes - 1]  # after the wind speeds (and a wet bulb)
        mean, _, deviation, _, *minima = map(float, fields[first : first + 11])
        of_hours = [float(field) for field in fields[heating + 2 : heating + 4]]
    except (ValueError, KeyError):
        return None
    found = DesignConditions._make([*of_hours, mean, deviation, *minima[::2]])
    sound = cooling > heating and found.percentile_99_6 <= found.percentile_99 and 0.0 < deviation < 15.0
    falling = np.all(np.diff([mean, *minima[::2]]) < 0.0) and found.minimum_50 > LOWEST and mean < HIGHEST
    return found if sound and falling else None


class _UnusableError(Exception):
    """What is wrong with a file, in words for the user."""


def _first_bytes(path: Path) -> bytes:
    if not path.is_file():
        raise _UnusableError("not a file" if path.exists() else "there is no such file")
    if path.stat().st_size > MOST_BYTES:
        raise _UnusableError(f"too large; allowed: at most {MOST_BYTES // 1_000_000} MB")
    with path.open("rb") as file:
        return file.read(100_000)


def read_epw(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Return the rows of an EPW file and what it says of the place, as pvlib names them; ConfigError if it is none."""
    try:
        _first_bytes(path)
        return _epw(path)
    except _UnusableError as error:
        raise ConfigError(f"{path}: {error}") from error
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read: {error.strerror or error}") from error


def _epw(path: Path) -> tuple[pd.DataFrame, dict[str, Any]]:
    from pvlib.iotools import read_epw  # takes seconds to import

    if path.stat().st_size > MOST_EPW_BYTES:
        raise _UnusableError(f"too large for an EPW file; allowed: at most {MOST_EPW_BYTES // 1_000_000} MB")
    text = path.read_text(encoding="utf-8-sig", errors="replace")
    try:
        data, location = read_epw(io.StringIO(text))
    except Exception as error:  # the reader lets errors of many kinds through
        raise _UnusableError(f"cannot be understood as an EPW file: {_brief(error)}") from error
    return data, location


def _read_epw(path: Path) -> pd.Series:
    data, location = _epw(path)
    try:
        temperature = pd.to_numeric(data["temp_air"])
        values = pd.Series(temperature.to_numpy(float), data.index.tz_localize(None))
        calendar = data[["month", "day", "hour"]].to_numpy()
    except Exception as error:  # whatever stands in the place of numbers
        raise _UnusableError(f"cannot be understood as an EPW file: {_brief(error)}") from error
    values[values > 99.0] = np.nan  # 99.9 stands for a missing value
    mixed_years = not values.index.is_monotonic_increasing
    typical = mixed_years or "TMY" in location["data_type"].upper()
    if typical:
        years = ("2001-07-01", "2002-07-01") if len(values) == 8760 else ("2003-07-01", "2004-07-01")
        nominal = pd.date_range(*years, freq="h", inclusive="left")
        half = int((nominal.month > 6).sum())
        from_january = nominal[np.r_[half : len(nominal), 0:half]]
        expected = np.column_stack([from_january.month, from_january.day, from_january.hour + 1])
        if len(calendar) != len(expected) or (calendar != expected).any():
            raise _UnusableError(
                f"a typical year is allowed to have its 8760 or 8784 hours in order from 1 January, got {len(values)} "
                "rows that are not"
            )
        values = pd.Series(values.to_numpy(), from_january).sort_index()
    station = f"{location['city']} (station {location['WMO_code']})" if location["WMO_code"] else location["city"]
    values.attrs = {"site": _printable(station), "typical_year": typical}
    return values


def _read_csv(path: Path, *, column: str | None, unit: str) -> pd.Series:
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            position, header = _header(file)
            delimiter = max(",;\t", key=header.count)
            names = [name.strip() for name in next(csv.reader([header], delimiter=delimiter))]
            times = [n for n, name in enumerate(names) if name.lower() in TIME_NAMES]
            if len(times) != 1:
                raise _UnusableError(
                    f"allowed: one column named {', '.join(TIME_NAMES[:-1])} or {TIME_NAMES[-1]}; "
                    f"the columns are {_listed(names)}"
                )

            def rows(columns: list[int], most: int) -> pd.DataFrame:
                file.seek(position)
                file.readline()
                return pd.read_csv(
                    file,
                    sep=delimiter,
                    header=None,
                    names=range(len(names)),
                    index_col=False,
                    usecols=columns,
                    nrows=most,
                    dtype=str,
                    comment="#",
                    skipinitialspace=True,
                )

            if column is not None:
                chosen = [n for n, name in enumerate(names) if name == column and n not in times]
            else:
                sample = rows(list(range(len(names))), 1000).apply(pd.to_numeric, errors="coerce")
                chosen = [n for n in range(len(names)) if n not in times and sample[n].notna().any()]
            if len(chosen) != 1:
                wanted = "one column of numbers beside the time" if column is None else f"a column {column[:40]!r}"
                raise _UnusableError(f"allowed: {wanted} (--column says which); the columns are {_listed(names)}")
            data = rows([times[0], chosen[0]], MOST_VALUES + 1)
    except (UnicodeDecodeError, csv.Error, pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        raise _UnusableError(f"cannot be read as a CSV file in UTF-8: {_brief(error)}") from error
    if len(data) > MOST_VALUES:
        raise _UnusableError(f"too many rows; allowed: at most {MOST_VALUES:,}")
    try:
        index = pd.DatetimeIndex(pd.to_datetime(data[times[0]], format="ISO8601"))
    except ValueError as error:
        raise _UnusableError(f"{names[times[0]]}: allowed: times such as 2001-12-31T23:00 ({_brief(error)})") from error
    if index.hasnans:
        raise _UnusableError(f"{names[times[0]]}: row {int(np.argmax(index.isna())) + 1} has no time")
    numbers = pd.to_numeric(data[chosen[0]], errors="coerce")
    wrong = numbers.isna() & data[chosen[0]].notna()
    if wrong.any():
        row = int(np.argmax(wrong))
        raise _UnusableError(f"{names[chosen[0]]}: row {row + 1}: {data[chosen[0]][row][:40]!r} is not a number")
    factor, offset = _UNITS[unit]
    return pd.Series(numbers.to_numpy(float) * factor + offset, index.tz_localize(None))


def _header(file: IO[str]) -> tuple[int, str]:
    """Return where the first line starts that is neither empty nor a comment, and that line."""
    for _ in range(1000):
        position, line = file.tell(), file.readline(100_000)
        if line.strip() and not line.startswith("#"):
            return position, line.strip()
        if not line:
            break
    raise _UnusableError("no header line; allowed: a CSV file whose first line names its columns")


def _read_netcdf(path: Path, engine: str, *, column: str | None, unit: str) -> pd.Series:
    import h5netcdf
    import xarray as xr

    try:
        if engine == "h5netcdf":  # compressed, a few bytes can stand for more than memory holds
            with h5netcdf.File(path) as file:
                if any(dimension.size > MOST_VALUES for dimension in file.dimensions.values()):
                    raise _UnusableError(f"a dimension is too long; allowed: at most {MOST_VALUES:,}")
        with xr.open_dataset(path, engine=engine, decode_timedelta=False) as data:
            chosen: list[Hashable]
            if column is not None:
                chosen = [column] if column in data else []
            else:
                standard = [name for name in data if data[name].attrs.get("standard_name") == "air_temperature"]
                chosen = standard or [name for name in data if _unit_name(data[name].attrs.get("units")) is not None]
            if len(chosen) != 1:
                wanted = "one variable of air temperature" if column is None else f"a variable {column[:40]!r}"
                raise _UnusableError(
                    f"allowed: {wanted} (--column says which); the variables are {_listed(list(data))}"
                )
            variable = data[chosen[0]]
            if variable.size > MOST_VALUES:
                raise _UnusableError(f"{chosen[0]}: too many values; allowed: at most {MOST_VALUES:,}, of one place")
            dimensions = [name for name in variable.dims if variable.sizes[name] > 1]
            if len(dimensions) != 1 or not np.issubdtype(variable.dtype, np.number):
                sizes = ", ".join(f"{name}: {size}" for name, size in variable.sizes.items())
                raise _UnusableError(
                    f"{chosen[0]}: allowed: numbers over time, at one place; the dimensions are {sizes}"
                )
            index = data.indexes.get(dimensions[0])
            if not isinstance(index, pd.DatetimeIndex) or index.hasnans:
                raise _UnusableError(f"{dimensions[0]}: allowed: a dimension of times in the standard calendar")
            given = variable.attrs.get("units")
            name = unit if given is None else _unit_name(given)
            if name is None:
                raise _UnusableError(f"{chosen[0]}: unit {str(given)[:40]!r}; allowed: degC, K or degF")
            values = variable.values.reshape(-1).astype(float)
    except _UnusableError:
        raise
    except Exception as error:  # the readers let errors of many kinds through
        raise _UnusableError(f"cannot be understood as a NetCDF file: {_brief(error)}") from error
    factor, offset = _UNITS[name]
    return pd.Series(values * factor + offset, index)


def _unit_name(text: object) -> str | None:
    return _UNIT_NAMES.get(text.strip().lower()) if isinstance(text, str) else None


def _regular(values: pd.Series) -> pd.Series:
    """Return the series on steps of an hour or a day, short gaps bridged."""
    times = pd.DatetimeIndex(values.index)
    if len(times) < 2:
        raise _UnusableError(f"allowed: temperatures over time, hourly or daily; got {len(times)} of them")
    steps = times[1:] - times[:-1]
    if (back := steps <= pd.Timedelta(0)).any():
        row = int(np.argmax(back))
        raise _UnusableError(f"times must increase, but {times[row]} is followed by {times[row + 1]}")
    step = steps.min()
    starts = times.floor("h" if step < pd.Timedelta(days=1) else "D")
    late = times - starts
    if step not in LONGEST_GAP or (late != late[0]).any():
        raise _UnusableError(f"allowed: a value every hour, or every day; the shortest step is {step}")
    absurd = (values < LOWEST) | (values > HIGHEST) | np.isinf(values)
    if absurd.any():
        row = int(np.argmax(absurd))
        raise _UnusableError(
            f"{values.iloc[row]:.6g} °C at {times[row]}; allowed: {LOWEST:g} to {HIGHEST:g} °C, nothing where a value "
            "is missing (--unit says in which unit the file is)"
        )
    length = (starts[-1] - starts[0]) // step + 1
    missing = length - int(values.notna().sum())
    if missing > length // 2:
        raise _UnusableError(f"{missing:,} of {length:,} values are missing; allowed: half of them")
    series = pd.Series(values.to_numpy(), starts).reindex(pd.date_range(starts[0], starts[-1], freq=step))
    series = series.loc[series.first_valid_index() : series.last_valid_index()]
    absent = series.isna()
    gap = absent.groupby((absent != absent.shift()).cumsum()).transform("sum")
    short = absent & (gap <= LONGEST_GAP[step])
    series[short] = series.interpolate()[short]
    series.name, series.attrs = "outdoor_temperature", {**values.attrs, "filled": int(short.sum())}
    return series


def _brief(error: Exception) -> str:
    return _printable(" ".join(str(error).split()) or type(error).__name__)[:120]


def _listed(names: Sequence[object]) -> str:
    return ", ".join(repr(str(name)[:40]) for name in names[:10]) + (", ..." if len(names) > 10 else "")


def _printable(text: str) -> str:
    return re.sub(r"\s+", " ", "".join(character for character in text if character.isprintable())).strip()[:100]
