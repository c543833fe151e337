"""A thousand generated years of each built-in climate against what is published of the station.

Run with ``pytest -s`` for the tables. Tolerances come from the published record's own errors, so that these figures can
tell no parameter better:

- mean and standard deviation of annual minima and the n-year minima: one standard error of a Gumbel variate's moments
  and quantiles from the record's n years (Kite, 1977, Frequency and risk analyses in hydrology, chapter 8: the variance
  of a quantile with factor K is s² (1 + 1.1396 K + 1.1 K²) / n), the published n-year minima being such quantiles;
- ASHRAE's 99.6 and 99 % temperatures: 0.5 K, what 25-year records drawn from the climate of Shenyang spread by (0.6 and
  0.5 K, one standard deviation);
- degree-days: 2.5 %, about what typical years of different periods differ by at one station;
- daily means of GB 50736: 1 K, as they are those of 1971 to 2000;
- figures of Shenyang's one typical year: as stated beside each.
"""

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from kernels.weather import innovations, season, winter_offsets, winter_temperatures
from study.reading import read_yaml

Array = NDArray[np.float64]
FOLDER = Path(__file__).parent.parent / "study" / "climates"
CITIES = sorted(path.stem for path in FOLDER.glob("*.yaml"))
SAMPLES, WINTERS = 50, 20
JULY, NOVEMBER, SEASON = 182, 123, 151  # day of the year; days from 1 July to 1 November; 1 November to 31 March
NUMBERS = ("diurnal_variability", "persistence", "cold_skewness", "cold_kurtosis")
LISTS = ("monthly_temperature", "daily_standard_deviation", "diurnal_range", "diurnal_shape")

# 2025 ASHRAE Handbook, Fundamentals, chapter 14, quoted in the stations' TMYx headers: 99.6 and 99 % temperature, mean
# and standard deviation of annual minima, °C and K; years of record: 1999 to 2023, at Harbin's airport from 2004.
ASHRAE = {
    "shenyang": (-22.9, -20.5, -25.4, 3.1, 25),
    "harbin": (-30.0, -27.5, -33.0, 4.0, 20),
    "beijing": (-12.1, -10.2, -15.5, 2.8, 25),
}
RETURN_MINIMA = {  # of 5, 10, 20, 50 years, the same source
    "shenyang": (-27.6, -29.4, -31.2, -33.4),
    "harbin": (-35.9, -38.2, -40.5, -43.4),
    "beijing": (-17.5, -19.2, -20.8, -22.8),
}
ASHRAE_99 = {"changchun": -23.5, "dalian": -10.7, "tianjin": -9.0}  # station index of climate.onebuilding.org
# Base, °C, and K d below it in a year: ASHRAE at Shenyang; TMYx of 2007 to 2021 (Harbin), of 1945 to 2025 (Beijing), of
# 2004 to 2018 (the last three), station index of climate.onebuilding.org.
DEGREE_DAYS = {
    "shenyang": (18.3, 4078.0),
    "harbin": (18.0, 5193.0),
    "beijing": (18.0, 2801.0),
    "changchun": (18.0, 4692.0),
    "dalian": (18.0, 2981.0),
    "tianjin": (18.0, 2681.0),
}
# GB 50736-2012, appendix A (a transcription): daily means undercut on 5 and on 1 day a year.
GB_50736 = {"changchun": (-21.1, -24.3), "dalian": (-9.8, -13.0), "tianjin": (-7.0, -9.6)}


@cache
def generate(city: str) -> Array:
    """Years from 1 July on, shape (1000, 365, 24); where a parameter is a distribution, its middle."""
    climate = read_yaml(FOLDER / f"{city}.yaml")["climate"]

    def number(quantity: object) -> float:
        return float(str(quantity).split()[0])

    spread = climate["season_standard_deviation"]
    of_winters, of_days = innovations(4, np.arange(SAMPLES), winters=WINTERS, first_day=JULY, days=365)
    offsets = winter_offsets(
        of_winters,
        season_standard_deviation=(number(spread["minimum"]) + number(spread["maximum"])) / 2.0,
        mean_offset=0.0,
        warming=0.0,
    )
    parameters: dict[str, Any] = {name: np.array([number(item) for item in climate[name]]) for name in LISTS}
    parameters |= {name: number(climate[name]) for name in NUMBERS}
    hours = winter_temperatures(season(**parameters, first_day=JULY, days=365), of_days, offsets)
    return hours.transpose(0, 2, 1).reshape(SAMPLES * WINTERS, 365, 24)


def check(city: str, rows: list[tuple[str, float, float, float]]) -> None:
    """Print and require a table of name, published, generated, tolerance."""
    wrong = [name for name, published, generated, tolerance in rows if abs(generated - published) > tolerance]
    table = "\n".join(
        f"{name:38}{published:10.2f}{generated:10.2f}{generated - published:+9.2f}{tolerance:8.2f}"
        f"{'  <-- outside' if name in wrong else ''}"
        for name, published, generated, tolerance in rows
    )
    text = f"{city}\n{'':38}{'published':>10}{'generated':>10}{'error':>9}{'limit':>8}\n{table}"
    print(f"\n{text}")
    assert not wrong, text


def factor(years: float) -> float:
    """Standard deviations by which a Gumbel variate's n-year value lies beyond its mean (ASHRAE, chapter 14)."""
    return float(-np.sqrt(6.0) / np.pi * (0.5772 + np.log(np.log(years / (years - 1.0)))))


@pytest.mark.parametrize("city", CITIES)
def test_tails_and_degree_days(city: str) -> None:
    hours = generate(city)
    daily, minima = hours.mean(axis=2), hours.min(axis=(1, 2))
    base, degree_days = DEGREE_DAYS[city]
    rows = [
        (
            f"degree-days below {base} °C, K d",
            degree_days,
            float(np.maximum(base - daily, 0.0).sum(axis=1).mean()),
            0.025 * degree_days,
        )
    ]
    quantiles = dict(zip((99.6, 99.0), np.quantile(hours, (0.004, 0.01)), strict=True))
    if city in ASHRAE:
        *percent, mean, deviation, record = ASHRAE[city]
        rows += [
            (f"{level} %, °C", value, quantiles[level], 0.5) for level, value in zip(quantiles, percent, strict=True)
        ]
        rows += [
            ("mean annual minimum, °C", mean, minima.mean(), deviation / np.sqrt(record)),
            # Fourth moment of a Gumbel variate: 5.4 standard deviations⁴.
            ("its standard deviation, K", deviation, minima.std(), deviation * np.sqrt((5.4 - 1.0) / 4.0 / record)),
        ]
        for years, value in zip((5, 10, 20, 50), RETURN_MINIMA[city], strict=True):
            k = factor(years)
            assert value == pytest.approx(mean - k * deviation, abs=0.15)  # it is that quantile
            error = deviation * np.sqrt((1.0 + 1.1396 * k + 1.1 * k**2) / record)
            rows.append((f"{years}-year minimum, °C", value, float(np.quantile(minima, 1.0 / years)), error))
    else:
        rows.append(("99 %, °C", ASHRAE_99[city], quantiles[99.0], 0.5))
        for days, value in zip((5, 1), GB_50736[city], strict=True):
            rows.append((f"daily mean of {days} days a year, °C", value, float(np.quantile(daily, days / 365.0)), 1.0))
    check(city, rows)


def test_shenyang_against_its_typical_year() -> None:
    """Hours, spread, persistence and cold spells of the heating season, against the TMYx file of station 543420.

    Means may differ by 0.3 K, four standard errors of a thousand winters for a month and five for the season;
    degree-days by 1.5 %; percentiles by 1 K. Counts of hours may differ by 15 %, or by 5 h if that is more: records of
    25 winters drawn from this climate differ by 12, 16 and 33 %. Standard deviations may differ by 5 %, by 10 % within
    the day; the autocorrelation by 0.07, its standard error in 151 days; the mean length of cold spells by 1.2 days,
    the least that it differs by from one winter to the next.
    """
    winters = generate("shenyang")[:, NOVEMBER : NOVEMBER + SEASON]
    daily = winters.mean(axis=2)
    rows = [
        ("season mean, °C", -4.33, float(winters.mean()), 0.3),
        *(
            (f"mean of {month}, °C", value, float(part.mean()), 0.3)
            for month, value, part in zip(
                ("November", "December", "January", "February", "March"),
                (1.30, -7.67, -10.66, -6.17, 1.54),
                np.split(daily, np.cumsum([30, 31, 31, 28]), axis=1),
                strict=True,
            )
        ),
        ("standard deviation of hours, K", 8.11, float(winters.std(axis=(1, 2)).mean()), 0.05 * 8.11),
        ("the same within the day, K", 3.56, float(np.sqrt(winters.var(axis=2).mean())), 0.1 * 3.56),
        (
            "degree-days below 18 °C, K d",
            3372.0,
            float(np.maximum(18.0 - daily, 0.0).sum(axis=1).mean()),
            0.015 * 3372.0,
        ),
        *(
            (f"hours below {limit} °C", count, float((winters < limit).sum() / len(winters)), max(0.15 * count, 5.0))
            for limit, count in ((-16.9, 240.0), (-20.0, 113.0), (-25.0, 11.0))
        ),
        *(
            (f"{percent} % of hours, °C", value, float(np.percentile(winters, percent)), 1.0)
            for percent, value in (
                *((0.5, -24.5), (1.0, -23.6), (5.0, -18.1), (25.0, -9.9), (50.0, -4.3), (75.0, 1.4), (95.0, 9.0)),
            )
        ),
    ]
    covariance = variance = 0.0
    for month in np.split(daily, np.cumsum([30, 31, 31, 28]), axis=1):  # without each month's own line, as in the file
        day = np.arange(month.shape[1]) - (month.shape[1] - 1) / 2.0
        rest = month - month.mean(axis=1, keepdims=True)
        rest = rest - np.outer(rest @ day / (day @ day), day)
        covariance += (rest[:, 1:] * rest[:, :-1]).sum()
        variance += (rest**2).sum()
    rows.append(("autocorrelation of days in a month", 0.61, covariance / variance, 0.07))
    for limit, length in ((-10.0, 3.27), (-15.0, 3.33), (-17.0, 2.67)):
        cold = daily < limit
        spells = cold.sum() - (cold[:, 1:] & cold[:, :-1]).sum()
        rows.append((f"length of spells below {limit:.0f} °C, d", length, float(cold.sum() / spells), 1.2))
    check("shenyang, heating season", rows)


def test_longest_cold_spell_of_a_winter() -> None:
    """The typical year's longest run of days below −10 °C, 9 days, is in the middle half of winters."""
    cold = generate("shenyang").mean(axis=2)[:, NOVEMBER : NOVEMBER + SEASON] < -10.0
    longest, run = np.zeros(len(cold), dtype=int), np.zeros(len(cold), dtype=int)
    for day in cold.T:
        run = np.where(day, run + 1, 0)
        longest = np.maximum(longest, run)
    low, high = np.quantile(longest, (0.25, 0.75))
    assert low <= 9 <= high, (low, high)


@pytest.mark.parametrize("city", sorted(ASHRAE))
def test_tail_has_no_more_reach_than_the_record_allows(city: str) -> None:
    """The coldest hour of a thousand years lies above the 10,000-year value of ASHRAE's Gumbel variate."""
    *_, mean, deviation, _ = ASHRAE[city]
    assert generate(city).min() > mean - factor(10_000.0) * deviation


def test_the_cities_in_order_of_cold() -> None:
    order = sorted(CITIES, key=lambda city: float(generate(city).mean()))
    assert order == ["harbin", "changchun", "shenyang", "dalian", "beijing", "tianjin"]
