"""Seasons cut from a record of many years, against a plain walk through its calendar, and their packed text."""

import base64
import datetime
import tracemalloc
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy

from study.errors import ConfigError
from study.weather_file import read_weather
from study.weather_record import FEWEST_FOR_TREND, WeatherRecord, pack, unpack, weather_record

NOVEMBER = 305


def hourly(first: str, last: str, seed: int = 1) -> pd.Series:
    """White noise in whole hundredths, so that each hour is told from the others."""
    index = pd.date_range(first, last, freq="h", inclusive="left")
    values = np.random.default_rng(seed).integers(-4000, 4000, size=len(index)) / 100.0
    return pd.Series(values, index, name="outdoor_temperature")


def walked(series: pd.Series, year: int, first_day: int, days: int) -> list[float]:
    """The season that begins in a year, day after day, without 29 February."""
    day = datetime.date(2001, 1, 1) + datetime.timedelta(first_day - 1)
    day, values = day.replace(year=year), []
    while len(values) < 24 * days:
        if (day.month, day.day) != (2, 29):
            values += list(series.loc[str(day)])
        day += datetime.timedelta(1)
    return values


def cut(series: pd.Series, first_day: int = NOVEMBER, days: int = 151, detrend: bool = False) -> WeatherRecord:
    return weather_record(series, first_day=first_day, days=days, resample="blocks", detrend=detrend)


@pytest.mark.parametrize(
    ("first_day", "days", "first_year"),
    [
        (NOVEMBER, 151, 1999),  # across new year: 1 November to 31 March, with the leap days of 2000 and 2004
        (NOVEMBER, 365, 1999),
        (1, 365, 2000),
        (60, 31, 2000),  # March: after the leap day
        (59, 2, 2000),  # 28 February and 1 March
        (182, 365, 1999),
        (365, 365, 1999),
    ],
)
def test_seasons_are_those_of_the_calendar(first_day: int, days: int, first_year: int) -> None:
    series = hourly("1999-06-15", "2008-01-01")
    record = cut(series, first_day, days)
    np.testing.assert_array_equal(record.years, np.arange(first_year, first_year + 8))
    for year, season in zip(record.years, record.temperature, strict=True):
        np.testing.assert_array_equal(season, walked(series, int(year), first_day, days))


def test_incomplete_winters_are_left_out_and_counted() -> None:
    series = hourly("1999-11-01 01:00", "2008-01-01")  # the first winter lacks an hour, the last its second half
    series["2003-12-25 07:00"] = np.nan
    series["2004-07-01":"2004-08-01"] = np.nan  # type: ignore[misc]
    series["2004-02-29"] = np.nan
    record = cut(series)
    np.testing.assert_array_equal(record.years, [2000, 2001, 2002, 2004, 2005, 2006])
    assert record.incomplete == 3
    assert np.isfinite(record.temperature).all()


def test_values_are_whole_hundredths() -> None:
    series = hourly("2000-01-01", "2006-01-01") + 1.0 / 300.0
    series["2002-12-25"] = -0.001  # packed, a negative zero would lose its sign
    record = cut(series).temperature
    np.testing.assert_allclose(record, [walked(series, year, NOVEMBER, 151) for year in range(2000, 2005)], atol=0.005)
    assert unpack(pack(record)).tobytes() == record.tobytes()


def test_trend_is_found_and_taken_out() -> None:
    """A trend of 0.7 K a decade: the line is exact without noise, and the last winter stays as it is."""
    series = hourly("1990-01-01", "2020-01-01")
    cycle = 10.0 * np.cos(2.0 * np.pi * series.index.day_of_year.to_numpy() / 366.0)
    warming = 0.07 * (series.index.year - 1990 + (series.index.month > 6)).to_numpy()  # one step for each winter
    series[:] = cycle + warming
    record, level = cut(series), cut(series, detrend=True)
    plain = cut(series - warming)
    assert record.trend == pytest.approx(0.7, abs=0.005)  # days of leap years stand a little later in the cycle
    np.testing.assert_array_equal(level.temperature[-1], record.temperature[-1])
    gone = level.temperature - plain.temperature
    assert gone.mean() == pytest.approx(0.07 * 29, abs=0.01)
    assert np.abs(np.polyfit(level.years, level.temperature.mean(axis=1), 1)[0]) < 1e-4
    assert (level.trend, level.trend_standard_error) == (record.trend, record.trend_standard_error)


def test_standard_error_of_the_trend() -> None:
    """The spread of trends fitted to 60 records of 20 winters that have none is what the records say of themselves."""
    rng = np.random.default_rng(8)
    index = pd.date_range("2000-01-01", "2020-01-10", freq="h", inclusive="left")
    found = []
    for _ in range(60):
        of_years = rng.normal(size=21)
        found.append(cut(pd.Series(of_years[index.year - 2000], index), first_day=1, days=10))
    trends, errors = (np.array([getattr(f, name) for f in found]) for name in ("trend", "trend_standard_error"))
    assert trends.std() == pytest.approx(np.sqrt((errors**2).mean()), rel=4.0 / np.sqrt(2.0 * 60))


def test_too_few_winters() -> None:
    four = hourly("2000-01-01", "2004-12-31")
    assert len(cut(four).years) == 4
    text = r"shenyang.csv: has 4 complete winters of 151 days \(2 more lack hours\); allowed: at least 5 to resample"
    with pytest.raises(ConfigError, match=text):
        weather_record(four, first_day=NOVEMBER, days=151, resample="winters", file="shenyang.csv")
    with pytest.raises(ConfigError, match=r"has 2 complete winters of 151 days .*at least 3 to resample blocks"):
        cut(hourly("2000-01-01", "2002-12-31"))
    with pytest.raises(ConfigError, match=f"at least {FEWEST_FOR_TREND} to remove a trend"):
        cut(four, detrend=True)


def test_unfit_series() -> None:
    daily = pd.Series(1.0, pd.date_range("1980-01-01", "2020-01-01", freq="D"))
    with pytest.raises(ConfigError, match=r"needs an hourly series, and this one has steps of 24 h; .*hotland climate"):
        cut(daily)
    with pytest.raises(ConfigError, match="two hours to 200 years"):
        cut(daily[:1])
    with pytest.raises(ConfigError, match="two hours to 200 years"):
        cut(pd.Series(1.0, pd.DatetimeIndex(["1700-01-01 00:00", "2020-01-01 01:00"])))


def test_from_a_file(tmp_path: Path) -> None:
    series = hourly("2000-01-01", "2006-01-01")
    series["2002-12-25 03:00":"2002-12-25 05:00"] = np.nan  # type: ignore[misc]
    series["2003-12-25"] = np.nan
    series.to_csv(tmp_path / "record.csv", index_label="time")
    record = cut(read_weather(tmp_path / "record.csv"))
    np.testing.assert_array_equal(record.years, [2000, 2001, 2002, 2004])  # a short gap is bridged, a day is not
    assert record.incomplete == 3


@given(
    st_numpy.arrays(
        np.int16,
        st.tuples(st.integers(1, 4), st.sampled_from([24, 48])),
        elements=st.integers(-9000, 6000),
    )
)
@settings(max_examples=50, deadline=None)
def test_packing_is_exact(hundredths: np.ndarray) -> None:
    temperature = hundredths / 100.0
    text = pack(temperature)
    np.testing.assert_array_equal(unpack(text), temperature)
    assert pack(unpack(text)) == text
    assert text.isascii()
    assert not set(text) & set(" '\"\n{}[]#")


def test_packing_the_largest_record() -> None:
    """200 years of noise, which cannot be compressed, are still read back."""
    temperature = np.random.default_rng(3).integers(-9000, 6001, size=(200, 8760)) / 100.0
    np.testing.assert_array_equal(unpack(pack(temperature)), temperature)


def test_packing_is_compact() -> None:
    """A smooth hourly record in tenths of a degree takes less than 1.5 characters for each of its values."""
    rng = np.random.default_rng(5)
    temperature = np.round(np.cumsum(rng.normal(0.0, 0.8, size=(20, 3624)), axis=1).clip(-40.0, 40.0), 1)
    assert len(pack(temperature)) < 1.5 * temperature.size


@pytest.mark.parametrize(
    "temperature",
    [
        np.zeros(24),
        np.zeros((1, 25)),
        np.zeros((0, 24)),
        np.zeros((201, 24)),
        np.zeros((1, 8784)),
        np.full((1, 24), np.nan),
        np.full((1, 24), 61.0),
        np.full((1, 24), -np.inf),
    ],
)
def test_what_is_not_packed(temperature: np.ndarray) -> None:
    with pytest.raises(ValueError, match="allowed"):
        pack(temperature)


def crafted(data: bytes, winters: int = 2, hours: int = 48, shape: str = "") -> str:
    """A text with the right checksum, whatever the data are."""
    shape = shape or f"{winters}x{hours}"
    check = zlib.crc32(f"{shape}:".encode() + data)
    return f"{shape}:{check:08x}:{base64.b64encode(zlib.compress(data)).decode()}"


GOOD = pack(np.arange(96).reshape(2, 48) / 10.0)
HEAD, BODY = GOOD.rsplit(":", 1)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2x48",
        GOOD[:-1],
        GOOD[:-4],
        GOOD + "\n",
        GOOD + "AAAA",
        GOOD.replace("2x48", "1x96"),
        GOOD.replace("2x48", "3x48"),
        GOOD.replace("2x48", "1x48"),
        GOOD.replace("2x48", "0x48"),
        GOOD.replace("2x48", "999x9999"),
        GOOD.replace("2x48", "٢x48"),
        f"{HEAD}:{BODY[:20]}{'A' if BODY[20] != 'A' else 'B'}{BODY[21:]}",
        f"{HEAD}:{BODY[:8]} {BODY[8:]}",
        f"{HEAD}:{BODY[:8]}={BODY[8:]}",
        f"{HEAD}:{base64.b64encode(b'not zlib at all').decode()}",
        f"{HEAD}:{base64.b64encode(base64.b64decode(BODY) + b'more').decode()}",
        f"{HEAD}:{base64.b64encode(base64.b64decode(BODY)[:-4]).decode()}",  # without zlib's own checksum
        crafted(b"\0" * 191),
        crafted(b"\0" * 193),
        crafted(b"\xff\x7f" * 96),  # beyond any temperature
        crafted(b"\0" * 400, winters=201, hours=24),
        crafted(b"\0" * 400, winters=1, hours=200),
        crafted(b"\0" * 192, shape="02x48"),
        "2x48:00000000:" + "A" * 10_000_000,
    ],
)
def test_damaged_texts(text: str) -> None:
    with pytest.raises(ValueError, match=r"packed weather record|recorded winters") as error:
        unpack(text)
    assert len(str(error.value)) < 200


def test_a_bomb_is_not_unpacked() -> None:
    """A few kilobytes that stand for 200 MB: refused, and never in memory."""
    compressor = zlib.compressobj(9)
    data = b"".join(compressor.compress(b"\0" * 1_000_000) for _ in range(200)) + compressor.flush()
    text = f"2x48:00000000:{base64.b64encode(data).decode()}"
    tracemalloc.start()
    with pytest.raises(ValueError, match="damaged"):
        unpack(text)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 20 * len(text)
