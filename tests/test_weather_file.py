"""Weather files read: the same temperatures from EPW, CSV and NetCDF, and one clear message for every bad file."""

from pathlib import Path

import h5netcdf
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from study.errors import ConfigError
from study.weather_file import read_design_conditions, read_weather
from tests.conftest import ROOT

WEATHER = ROOT.parent / "shared" / "weather"


def series(start: str = "2000-07-01", days: int = 400, freq: str = "h") -> pd.Series:
    """Temperatures to two decimals, no two neighbours the same."""
    index = pd.date_range(start, periods=days * (24 if freq == "h" else 1), freq=freq)
    hours = np.arange(len(index))
    return pd.Series(np.round(10.0 * np.sin(hours / 500.0) + 4.0 * np.sin(hours / 3.8), 2), index, name="temperature")


def write_csv(path: Path, values: pd.Series, **options: object) -> Path:
    values.to_csv(path, index_label="time", **options)
    return path


def epw(values: pd.Series, *, years: dict[int, int] | None = None, source: str = "TMYx", design: str = "") -> str:
    """The text of an EPW file; hours are numbered 1 to 24 and end with the number, as the format has it."""
    header = [
        f"LOCATION,Somewhere,XX,YYY,{source},123456,45.0,126.0,8.0,100.0",
        f"DESIGN CONDITIONS,{design or 0}",
        "TYPICAL/EXTREME PERIODS,0",
        "GROUND TEMPERATURES,0",
        "HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0",
        "COMMENTS 1,none",
        "COMMENTS 2,none",
        "DATA PERIODS,1,1,Data,Sunday,1/ 1,12/31",
    ]
    index = pd.DatetimeIndex(values.index)
    rows = [
        f"{years[time.month] if years else time.year},{time.month},{time.day},{time.hour + 1},0,?,{value}," + "0," * 28
        for time, value in zip(index, values, strict=True)
    ]
    return "\n".join([*header, *(row.rstrip(",") for row in rows)]) + "\n"


def refused(path: Path, **options: object) -> str:
    """The message, which is one line and begins with the file."""
    with pytest.raises(ConfigError) as error:
        read_weather(path, **options)
    message = str(error.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


@pytest.mark.parametrize("freq", ["h", "D"])
@pytest.mark.parametrize(("unit", "scale", "zero"), [("degC", 1.0, 0.0), ("K", 1.0, 273.15), ("degF", 1.8, 32.0)])
def test_csv_and_netcdf_give_the_same(tmp_path: Path, freq: str, unit: str, scale: float, zero: float) -> None:
    expected = series(freq=freq)
    given = expected * scale + zero
    files = [(write_csv(tmp_path / "a.csv", given), {"unit": unit})]
    variable = xr.DataArray(
        given.to_numpy()[:, None, None],
        dims=("time", "lat", "lon"),
        attrs={"units": unit, "standard_name": "air_temperature"},
    )
    dataset = xr.Dataset(
        {
            "t2m": variable,
            "dew": (variable.isel(lat=0, lon=0) - 3.0).assign_attrs(standard_name="dew_point_temperature"),
        },
        {"time": given.index},
    )
    for engine in ("h5netcdf", "scipy"):  # NetCDF-4 and NetCDF-3; the unit is the file's own
        dataset.to_netcdf(tmp_path / f"{engine}.nc", engine=engine)
        files.append((tmp_path / f"{engine}.nc", {}))
    for path, options in files:
        read = read_weather(path, **options)
        assert read.name == "outdoor_temperature"
        assert read.attrs == {"site": path.stem, "typical_year": False, "filled": 0}
        pd.testing.assert_series_equal(
            read, expected, check_names=False, check_freq=False, check_index_type=False, atol=1e-9, rtol=0
        )
    by_name = read_weather(tmp_path / "h5netcdf.nc", column="dew")
    np.testing.assert_allclose(by_name, (given - 3.0 - zero) / scale, atol=1e-9)


def test_epw_of_a_typical_year_becomes_one_winter(tmp_path: Path) -> None:
    values = series("2001-01-01", days=365)
    text = epw(values, years={month: 1990 + (7 * month) % 12 for month in range(1, 13)})
    (tmp_path / "typical.epw").write_text(text)
    read = read_weather(tmp_path / "typical.epw")
    assert read.attrs == {"site": "Somewhere (station 123456)", "typical_year": True, "filled": 0}
    assert read.index[0] == pd.Timestamp("2001-07-01 00:00")
    assert len(read) == 8760
    july = values.index.month >= 7  # the first half of the nominal winter is the second of the file
    np.testing.assert_array_equal(read, np.r_[values[july], values[~july]])


def test_epw_of_a_real_year_keeps_its_times(tmp_path: Path) -> None:
    values = series("2019-01-01", days=365)
    values.iloc[1000:1003] = 99.9  # what stands for a missing value
    (tmp_path / "real.epw").write_text(epw(values, source="ISD"))
    read = read_weather(tmp_path / "real.epw")
    assert not read.attrs["typical_year"]
    assert read.attrs["filled"] == 3
    assert read.index[0] == pd.Timestamp("2019-01-01 00:00")
    np.testing.assert_allclose(read.iloc[999:1004], np.linspace(values.iloc[999], values.iloc[1003], 5))


@pytest.mark.parametrize("station", ["CHN_BJ_Beijing-Capital.Intl.AP.545110", "CHN_HL_Harbin-Taiping.AP.541611"])
def test_stations(station: str) -> None:
    """Means of the file's own lines; ASHRAE's annual minima lie between its rare ones and its design temperatures."""
    path = WEATHER / f"{station}_TMYx.epw"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in ../shared/weather; it is not ours to ship")
    read, design = read_weather(path), read_design_conditions(path)
    lines = [float(line.split(",")[6]) for line in path.read_text().splitlines()[8:]]
    assert read.mean() == pytest.approx(np.mean(lines), abs=1e-9)
    assert read.attrs["typical_year"]
    assert read["2002-01"].mean() == pytest.approx(np.mean(lines[:744]), abs=1e-9)
    assert design is not None
    assert design.minimum_50 < design.minimum_20 < design.minimum_5 < design.minimum_mean < design.percentile_99_6


@pytest.mark.parametrize("wet_bulb", ["", "28.3,"])
def test_design_conditions_of_both_layouts(tmp_path: Path, wet_bulb: str) -> None:
    minima = "-25,34,3,1.5,-27,35,-29,36,-31,37,-33,38"
    extremes = f"8,7,6,{wet_bulb}{minima}" + ("" if wet_bulb else f",{minima}")
    head = f"1,Handbook,,Heating,1,-22.5,-20,-28,0.3,Cooling,7,8.3,32,Extremes,{extremes}"
    (tmp_path / "a.epw").write_text(epw(series("2001-01-01", days=365), design=head))
    assert read_design_conditions(tmp_path / "a.epw") == (-22.5, -20.0, -25.0, 3.0, -27.0, -29.0, -31.0, -33.0)
    for old, new in (("-22.5", "cold"), ("-29,36", "-19,36"), (",Cooling", ""), ("8,7,6", "8,6")):
        (tmp_path / "b.epw").write_text(epw(series("2001-01-01", days=2), design=head.replace(old, new)))
        assert read_design_conditions(tmp_path / "b.epw") is None
    assert read_design_conditions(write_csv(tmp_path / "a.csv", series())) is None


def test_short_gaps_are_bridged_and_long_ones_left(tmp_path: Path) -> None:
    values = series()
    holes = values.copy()
    holes.iloc[100:106] = np.nan  # six hours are bridged
    holes.iloc[200:207] = np.nan  # seven are not
    holes = holes.drop(holes.index[300:302])  # lines that are not there
    read = read_weather(write_csv(tmp_path / "a.csv", holes))
    assert read.attrs["filled"] == 8
    assert read.index.equals(values.index)
    assert np.flatnonzero(read.isna()).tolist() == list(range(200, 207))
    np.testing.assert_allclose(read.iloc[99:107], np.linspace(values.iloc[99], values.iloc[106], 8))
    kept = ~holes.isna()
    np.testing.assert_array_equal(read[holes.index[kept]], holes[kept])
    daily = series(freq="D")
    daily.iloc[10:13], daily.iloc[20:24] = np.nan, np.nan
    read = read_weather(write_csv(tmp_path / "b.csv", daily))
    assert (read.attrs["filled"], int(read.isna().sum())) == (3, 4)


def test_times_are_those_of_the_place(tmp_path: Path) -> None:
    """An offset written out is not applied; `utc_offset` is, and a half hour or midday marks the start."""
    values = series()
    path = tmp_path / "a.csv"
    write_csv(path, values.set_axis(values.index.tz_localize("+08:00")))
    assert read_weather(path).index.equals(values.index)
    write_csv(path, values.set_axis(values.index - pd.Timedelta(hours=8)))
    assert read_weather(path, utc_offset=8.0).index.equals(values.index)
    write_csv(path, values.set_axis(values.index + pd.Timedelta(minutes=30)))
    assert read_weather(path).index.equals(values.index)
    daily = series(freq="D")
    write_csv(path, daily.set_axis(daily.index + pd.Timedelta(hours=12)))
    assert read_weather(path).index.equals(daily.index)


def test_csv_as_people_write_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(
        "\ufeff# from a station\n\nDate ; Station; T \n2001-01-01;A; -3.5\n2001-01-02;A;\n2001-01-03;A;-1.5\n".encode()
    )
    np.testing.assert_array_equal(read_weather(path), [-3.5, -2.5, -1.5])
    assert "'Date', 'Station', 'T'" in refused(path, column="temperature")


TWO = "2001-01-01,{}\n2001-01-02,{}\n"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "no header line"),
        ("time,t\n", "one column of numbers"),
        ("time,t\n2001-01-01,3\n", "got 1 of them"),
        ("a,b\n1,2\n", "one column named time, date, datetime or timestamp"),
        ("time,date,t\n2001-01-01,2001-01-01,3\n", "one column named time, date, datetime or timestamp"),
        ("time,t,u\n2001-01-01,1,2\n2001-01-02,1,2\n", "--column says which"),
        ("time,t\n" + TWO.format(1, "cold"), "row 2: 'cold' is not a number"),
        ("time,t\nyesterday,1\n2001-01-02,2\n", "allowed: times such as 2001-12-31T23:00"),
        ("time,t\n,1\n2001-01-02,2\n", "row 1 has no time"),
        ("time,t\n2001-01-01T00:00+08:00,1\n2001-01-01T01:00,1\n", "allowed: times such as"),
        ("time,t\n2001-01-02,1\n2001-01-01,2\n", "times must increase"),
        ("time,t\n2001-01-01,1\n2001-01-01,2\n", "times must increase"),
        ("time,t\n2001-01-01T00:00,1\n2001-01-01T03:00,2\n", "the shortest step is 0 days 03:00:00"),
        ("time,t\n2001-01-01,1\n2001-02-01,2\n", "the shortest step is 31 days"),
        ("time,t\n2001-01-01T00:00,1\n2001-01-01T01:00,1\n2001-01-01T02:30,2\n", "a value every hour"),
        ("time,t\n" + TWO.format(1, -9999), "-9999 °C at 2001-01-02 00:00:00; allowed: -90 to 60 °C"),
        ("time,t\n" + TWO.format("inf", 1), "inf °C"),
        ("time,t\n" + TWO.format(1, 280), "--unit says in which unit"),
        ("time,t\n" + TWO.format(1, 2) + "2001-01-09,3\n", "6 of 9 values are missing"),
        ("time,t\n1700-01-01T00:00,1\n1700-01-01T01:00,1\n2200-01-01T00:00,1\n", "values are missing"),
        ('time,t\n"2001-01-01,1\n2001-01-02,1\n', "cannot be read as a CSV file"),
        ("x" * 300_000, "one column named time"),
        (b"time,t\n2001-01-01,\xff\n", "cannot be read as a CSV file in UTF-8"),
        (bytes(range(256)) * 9, "not text; allowed: a weather file in EPW, CSV or NetCDF"),
        (b"\x89HDF\r\n\x1a\n" + bytes(99), "cannot be understood as a NetCDF file"),
        (b"CDF\x01" + bytes(range(99)), "cannot be understood as a NetCDF file"),
        ("LOCATION,a,b\n1,2\n", "cannot be understood as an EPW file"),
    ],
)
def test_bad_files(tmp_path: Path, content: str | bytes, said: str) -> None:
    path = tmp_path / "bad"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    assert said in refused(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (",8.0,100.0\n", ",800,100.0\n", "cannot be understood as an EPW file"),
        ("2000,12,31,24,0,?,", "2000,12,30,24,0,?,", "8760 or 8784 hours in order from 1 January"),
        ("\n2000,1,1,1,0,?,", "\n2000,1,1,1,0,?,cold", "cannot be understood as an EPW file"),
        ("\n2000,1,1,1,0,?,", "\n2000,1,1,1,0,?,-91", "allowed: -90 to 60"),
    ],
)
def test_bad_epw(tmp_path: Path, old: str, new: str, said: str) -> None:
    text = epw(series("2001-01-01", days=365).clip(1.0).round(0).astype(int), years=dict.fromkeys(range(1, 13), 2000))
    assert text.count(old) == 1
    (tmp_path / "bad.epw").write_text(text.replace(old, new))
    assert said in refused(tmp_path / "bad.epw")


def test_bad_netcdf(tmp_path: Path) -> None:
    path, values = tmp_path / "bad.nc", series(days=3)
    one = xr.DataArray(values.to_numpy(), dims="time", coords={"time": values.index}, attrs={"units": "degC"})
    for dataset, options, said in (
        (xr.Dataset({"a": one, "b": one}), {}, "one variable of air temperature"),
        (xr.Dataset({"a": one}), {"column": "b"}, "a variable 'b'"),
        (xr.Dataset({"a": one.assign_attrs(units="m")}), {"column": "a"}, "unit 'm'; allowed: degC, K or degF"),
        (xr.Dataset({"a": one.expand_dims(lat=2)}), {}, "numbers over time, at one place"),
        (xr.Dataset({"a": one.drop_vars("time")}), {}, "a dimension of times in the standard calendar"),
        (xr.Dataset({"a": one + 300.0}, attrs={}), {"column": "a"}, "allowed: -90 to 60"),
    ):
        dataset.to_netcdf(path, engine="h5netcdf")
        assert said in refused(path, **options)
    path.write_bytes(path.read_bytes()[:3000])
    assert "cannot be understood as a NetCDF file" in refused(path)
    with h5netcdf.File(path, "w") as file:  # some bytes that stand for 80 GB
        file.dimensions["time"] = 10**10
        file.create_variable("time", ("time",), "f8", chunks=(10**6,))
    assert "a dimension is too long" in refused(path)


def test_files_that_cannot_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "there is no such file" in refused(tmp_path / "none.csv")
    assert "not a file" in refused(tmp_path)
    path = write_csv(tmp_path / "a.csv", series(days=3))
    with pytest.raises(ConfigError, match="unit 'kelvin': allowed: degC, K, degF"):
        read_weather(path, unit="kelvin")
    with pytest.raises(ConfigError, match="UTC offset nan"):
        read_weather(path, utc_offset=float("nan"))
    monkeypatch.setattr("study.weather_file.MOST_VALUES", 50)
    assert "too many rows; allowed: at most 50" in refused(path)
    monkeypatch.setattr("study.weather_file.MOST_BYTES", 1000)
    assert "too large" in refused(path)


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    start=st.sampled_from([b"", b"time,t\n", b"LOCATION,a,b,c,TMY,1,2,3,8,5\n", b"\x89HDF\r\n\x1a\n", b"CDF\x02"]),
    rest=st.one_of(st.binary(max_size=300), st.text('0123456789-:T,;.\n#" ', max_size=300).map(str.encode)),
)
def test_any_bytes_are_read_or_refused(tmp_path: Path, start: bytes, rest: bytes) -> None:
    path = tmp_path / "any"
    path.write_bytes(start + rest)
    try:
        read = read_weather(path)
    except ConfigError:
        return
    assert read.dropna().between(-90.0, 60.0).all()
