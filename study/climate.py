"""A climate fitted to a weather file: the parameters of `kernels.weather`, how well they fit, and the file of them."""

import json
import textwrap
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr
from numpy.polynomial.hermite_e import hermegauss
from numpy.typing import NDArray
from pydantic import ValidationError
from ruamel.yaml import YAML
from scipy.optimize import brentq
from scipy.signal import hilbert
from scipy.stats import linregress, norm

from kernels import weather
from study.errors import ConfigError
from study.reading import validate
from study.weather_file import DesignConditions
from study.winters import DIURNAL_SHAPE, ClimateFile, Days

Array = NDArray[np.float64]
Tails = tuple[float, float]  # skewness with its sign changed, and excess kurtosis

FEWEST_FOR_SPREAD = 8  # winters from which the spread between winters, and skewness, are fitted
FEWEST_FOR_TREND = 20
SEASON_STANDARD_DEVIATION = 1.2  # K, assumed where it can't be fitted
LIKELY_SEASON_STANDARD_DEVIATION = (0.8, 2.0)  # K, assumed: what annual minima of some 25 years say beyond is chance
PERSISTENCE = (0.4, 0.95)  # what the generator can do
MOST_SKEWNESS, MOST_KURTOSIS = 0.9, 1.9
SMALLEST_FACTOR, LARGEST_FACTOR = 0.75, 2.0  # of the spread of days in a typical year
DIURNAL_RANGE, DIURNAL_VARIABILITY = 8.0, 0.4  # K and 1, assumed where the file has daily means
MONTHS = np.repeat(np.arange(12), weather.DAYS_IN_MONTH)  # of the days of a year
WEIGHTS = np.array([1.0, 6.0, 1.0]) / 8.0  # of three middays in the mean of a day, as `kernels.weather` has it
RECORDS, MOST_RECORD_WINTERS, LONG = 200, 4000, 1000
PERCENTILES = (0.5, 1.0, 5.0, 25.0, 50.0, 75.0, 95.0, 99.0)
DEGREE_DAY_BASE = 18.0  # °C
COLD_SPELL_PERCENTILE = 10.0  # of daily means
MOST_SPELL_DAYS = 30
FEWEST_DAYS = 30  # of a heating season


@dataclass(frozen=True)
class Climate:
    """A climate as `kernels.weather.season` takes it, and how it came about.

    Attributes
    ----------
    site
        Name of the place, or empty.
    monthly_temperature, daily_standard_deviation, diurnal_range
        From January, (12,): °C, K, K.
    diurnal_shape
        Departure of each hour from the day's mean over the range, (24,), zero mean, range one.
    diurnal_variability, persistence, cold_skewness, cold_kurtosis
        As in `kernels.weather.season`.
    season_standard_deviation
        Of the winters' offsets, K.
    warming, warming_error
        Trend of the means of winters and its standard error, K/decade; zero where it was not fitted.
    winters
        Complete heating seasons in the file.
    years
        First and last calendar year of the file; none for a typical year.
    remarks
        What the reader must know: assumptions, and what the file could not tell.
    """

    site: str
    monthly_temperature: Array
    daily_standard_deviation: Array
    diurnal_range: Array
    diurnal_shape: Array
    diurnal_variability: float
    persistence: float
    cold_skewness: float
    cold_kurtosis: float
    season_standard_deviation: float
    warming: float
    warming_error: float
    winters: int
    years: tuple[int, int] | None
    remarks: tuple[str, ...]

    def season(self, *, first_day: int, days: int) -> weather.Season:
        """Lay the climate out over days of the year."""
        return weather.season(
            monthly_temperature=self.monthly_temperature,
            daily_standard_deviation=self.daily_standard_deviation,
            diurnal_range=self.diurnal_range,
            diurnal_shape=self.diurnal_shape,
            diurnal_variability=self.diurnal_variability,
            persistence=self.persistence,
            cold_skewness=self.cold_skewness,
            cold_kurtosis=self.cold_kurtosis,
            first_day=first_day,
            days=days,
        )


def heating_season(start: str, end: str) -> Days:
    """Return the heating season of two dates as month-day; ConfigError when they are none, or it is too short."""
    try:
        season = Days(start=start, end=end)
    except ValidationError as error:
        raise ConfigError(f"season {start[:40]!r} to {end[:40]!r}: allowed: days such as 11-01") from error
    if season.days < FEWEST_DAYS:
        raise ConfigError(f"season {start} to {end}: allowed: {FEWEST_DAYS} days or more, got {season.days}")
    return season


@dataclass(frozen=True)
class Years:
    """A series cut into years that each hold one whole heating season; 29 February is left out.

    Attributes
    ----------
    temperature
        °C, (years, 365, 24) or, of daily means, (years, 365, 1); NaN where there is none.
    first_day
        Day of the (calendar) year of column 0.
    season
        Columns of the heating season.
    number
        Calendar year in which each year begins, (years,).
    typical
        Whether it is a typical year.
    """

    temperature: Array
    first_day: int
    season: slice
    number: Array
    typical: bool

    @classmethod
    def of(cls, temperature: pd.Series, season: Days) -> "Years":
        """Cut a series of `study.weather_file.read_weather` from 1 July to 30 June, or by calendar years."""
        starts = [day for day in (182, 1) if (season.first_day - day) % 365 + season.days <= 365]
        if not starts:
            raise ConfigError(
                f"season {season.start} to {season.end}: allowed: one without 1 January or without 1 July"
            )
        typical = bool(temperature.attrs.get("typical_year", False))
        first_day = starts[0]
        index = pd.DatetimeIndex(temperature.index)
        steps = 24 if index[1] - index[0] == pd.Timedelta(hours=1) else 1
        kept = temperature[~((index.month == 2) & (index.day == 29))]
        index = pd.DatetimeIndex(kept.index)
        day_of_year = index.day_of_year.to_numpy() - (index.is_leap_year & (index.month > 2))
        column = (day_of_year - first_day) % 365
        year = np.zeros(len(index), dtype=int) if typical else index.year.to_numpy() - (day_of_year < first_day)
        table = np.full((np.ptp(year) + 1, 365, steps), np.nan)
        table[year - year.min(), column, index.hour.to_numpy() if steps == 24 else 0] = kept.to_numpy()
        first = (season.first_day - first_day) % 365
        number = year.min() + np.arange(len(table), dtype=float)
        return cls(table, first_day, slice(first, first + season.days), number, typical)

    @property
    def days(self) -> NDArray[np.int64]:
        """Day of the year of each column, from 0."""
        return (self.first_day - 1 + np.arange(365)) % 365

    @property
    def winters(self) -> Array:
        """Complete heating seasons, (winters, days, 24 or 1)."""
        seasons = self.temperature[:, self.season]
        return seasons[np.isfinite(seasons).all(axis=(1, 2))]


def fit_climate(
    temperature: pd.Series, *, season: Days, design: DesignConditions | None = None, seed: int = 0
) -> Climate:
    """Fit a climate to a series, by its moments.

    Means and ranges are those of all days of a month. Standard deviations of days, persistence and skewness are of the
    departures from the seasonal cycle, less the part of them that is the winter's own offset; the standard deviation of
    offsets is what the means of winters spread beyond that of the mean of so many correlated days. The two depend on
    each other and are iterated. A fitted mean also takes a part of the departures away: that part is added again.
    With many winters, the trend of their means is taken out first.

    From a typical year, or fewer than 8 winters, the spread between winters is not known. Where the design conditions
    of the station are, it is set by the standard deviation of annual minima, and the spread of days is scaled to their
    mean.

    Parameters
    ----------
    temperature
        From `study.weather_file.read_weather`.
    season
        The heating season; persistence, skewness, variability and the shape of the day are fitted within it.
    design
        Design conditions of the station.
    seed
        Of the winters that are generated to meet the design conditions.

    Raises
    ------
    ConfigError
        If the series lacks a whole heating season or a month, or does not vary.
    """
    years = Years.of(temperature, season)
    if not len(years.winters):
        raise ConfigError(f"no complete heating season from {season.start} to {season.end} in the file")
    remarks = []
    if years.typical:
        remarks.append(
            "a typical year is put together of months that are near the median: it understates extremes and tells "
            "nothing about the spread between winters"
        )
    warming, warming_error, years = _trend(years)
    if not warming_error:
        remarks.append(
            f"warming is left at 0: fewer than {FEWEST_FOR_TREND} complete winters do not tell a trend from chance"
        )
    climate = Climate(
        site=str(temperature.attrs.get("site", "")),
        monthly_temperature=_monthly_means(years),
        winters=len(years.winters),
        years=None if years.typical else (temperature.index[0].year, temperature.index[-1].year),
        warming=warming,
        warming_error=warming_error,
        remarks=(),
        **_diurnal(years, remarks),
        **_days(years, remarks),
    )
    if climate.winters < FEWEST_FOR_SPREAD:
        climate, remark = _meet_design_conditions(climate, design, season, seed)
        remarks.append(remark)
    return replace(climate, remarks=tuple(remarks))


def _trend(years: Years) -> tuple[float, float, Years]:
    """Trend of winters' means, its standard error (K/decade; 0 where there are too few), and years without it."""
    complete = np.isfinite(years.temperature[:, years.season]).all(axis=(1, 2))
    if complete.sum() < FEWEST_FOR_TREND:
        return 0.0, 0.0, years
    decades = (years.number - years.number[complete].mean()) / 10.0
    line = linregress(decades[complete], years.winters.mean(axis=(1, 2)))
    level = years.temperature - line.slope * decades[:, None, None]
    return float(line.slope), float(line.stderr), replace(years, temperature=level)


def _monthly_means(years: Years) -> Array:
    daily = years.temperature.mean(axis=2)
    months = MONTHS[years.days]
    means = np.empty(12)
    for month in range(12):
        values = daily[:, months == month]
        values = values[np.isfinite(values)]
        if len(values) < 20:
            raise ConfigError(f"month {month + 1}: {len(values)} complete days; allowed: 20 of each month, or more")
        means[month] = values.mean()
    return means


def _anomalies(persistence: float, tails: Tails) -> weather.Season:
    """The generator with these anomalies, whose standard deviation as daily means is one."""
    return weather.season(
        monthly_temperature=np.zeros(12),
        daily_standard_deviation=np.ones(12),
        diurnal_range=np.zeros(12),
        diurnal_shape=np.array(DIURNAL_SHAPE),
        diurnal_variability=0.0,
        persistence=float(np.clip(persistence, *PERSISTENCE)),
        cold_skewness=tails[0],
        cold_kurtosis=tails[1],
    )


def _daily_correlation(generator: weather.Season, days: int) -> Array:
    """Autocorrelation of the generator's daily means at lags 0, 1, ..., (days,)."""
    rho = generator.correlation ** np.arange(days + 2)
    midday = generator.linear**2 * rho + 2.0 * generator.quadratic**2 * rho**2 + 6.0 * generator.cubic**2 * rho**3
    means = np.convolve(np.r_[midday[2:0:-1], midday], np.convolve(WEIGHTS, WEIGHTS), mode="valid")
    return np.asarray(means[:days] / means[0])


def _midday_tails(tails: Tails, persistence: float) -> Tails:
    """Skewness and excess kurtosis of midday anomalies for those of daily means, which are nearer the normal."""
    nodes, weights = hermegauss(8)  # exact for the fourth power of a cubic
    grid = np.array(np.meshgrid(nodes, nodes, nodes)).reshape(3, -1)
    weights = np.prod(np.meshgrid(weights, weights, weights), axis=0).ravel()
    weights /= weights.sum()
    midday = (0.0, 0.0)
    for _ in range(20):
        generator = _anomalies(persistence, midday)
        correlation = generator.correlation ** np.abs(np.subtract.outer(range(3), range(3)))
        z = np.linalg.cholesky(correlation) @ grid
        x = generator.linear * z + generator.quadratic * (z**2 - 1.0) + generator.cubic * (z**3 - 3.0 * z)
        mean = WEIGHTS @ x
        variance = weights @ mean**2
        found = np.array([-(weights @ mean**3) / variance**1.5, weights @ mean**4 / variance**2 - 3.0])
        before, (skewness, kurtosis) = midday, np.array(midday) + tails - found
        skewness = float(np.clip(skewness, -MOST_SKEWNESS, MOST_SKEWNESS))
        midday = (
            skewness,
            float(np.clip(kurtosis, 2.0 * skewness**2 - 0.49, MOST_KURTOSIS)),
        )  # what the generator can do
        if np.allclose(before, midday, rtol=0.0, atol=1e-4):
            break
    return midday


def _days(years: Years, remarks: list[str]) -> dict[str, Any]:
    """Spread, persistence and skewness of daily means, and spread of winters, by their moments."""
    months, monthly = MONTHS[years.days], _monthly_means(years)
    departure = years.temperature.mean(axis=2) - weather.seasonal_cycle(monthly, first_day=years.first_day, days=365)
    season = departure[:, years.season]
    complete = season[np.isfinite(season).all(axis=1)]
    winters, days = complete.shape
    enough = winters >= FEWEST_FOR_SPREAD
    means = complete.mean(axis=1)
    of_means = means @ means / (winters - 1 - (winters >= FEWEST_FOR_TREND)) if enough else np.nan
    mean_square = np.array([np.nanmean(departure[:, months == month] ** 2) for month in range(12)])
    count = np.array([np.isfinite(departure[:, months == month]).any(axis=1).sum() for month in range(12)])
    if mean_square.min() < 1e-4:
        raise ConfigError("the daily means do not vary; allowed: measured temperatures")
    pairs = np.isfinite(season[:, 1:]) & np.isfinite(season[:, :-1])
    if years.typical:  # months of different years meet
        pairs &= months[years.season][1:] == months[years.season][:-1]

    persistence, offset = 0.7, 0.0 if enough else SEASON_STANDARD_DEVIATION**2
    tails = (0.0, 0.0)
    for _ in range(100):
        correlation = _daily_correlation(_anomalies(persistence, tails), days)
        of_month = np.array([_of_mean(correlation, n) for n in weather.DAYS_IN_MONTH])  # variance of a month's mean
        variance = (mean_square - offset * (1.0 - 1.0 / count)) / (1.0 - of_month / count)
        variance = variance if enough else _smooth(variance, harmonics=1)
        variance = np.maximum(variance, 0.25 * mean_square)  # outside the season winters' offsets may be smaller
        deviation = np.sqrt(variance)[months][years.season]
        scaled = season / deviation
        lost = (of_month / count - offset * (1.0 - 1.0 / count) / variance)[months][years.season]
        before = persistence, offset
        persistence = float((scaled[:, 1:] * scaled[:, :-1])[pairs].mean() + lost.mean())
        if enough:
            offset = max(float(of_means - _of_mean(correlation, days, deviation)), 0.0)
            third, fourth = (complete**3).mean(), (complete**4).mean() - 3.0 * offset**2
            fourth -= 6.0 * offset * (deviation**2).mean()
            of_days = -third / (deviation**3).mean(), fourth / (deviation**4).mean() - 3.0
            tails = _midday_tails(of_days, persistence)
        if np.allclose(before, (persistence, offset), rtol=1e-6, atol=1e-6):
            break
    if not PERSISTENCE[0] <= persistence <= PERSISTENCE[1]:
        remarks.append(f"persistence {persistence:.2f} is beyond what the generator can do, {PERSISTENCE}")
        persistence = float(np.clip(persistence, *PERSISTENCE))
    if abs(tails[0]) == MOST_SKEWNESS or tails[1] == MOST_KURTOSIS:
        remarks.append("cold_skewness and cold_kurtosis are at the end of what the generator can do")
    if not enough:
        remarks.append(f"cold_skewness and cold_kurtosis are left at 0: they take {FEWEST_FOR_SPREAD} winters or more")
    return {
        "daily_standard_deviation": np.sqrt(variance),
        "persistence": persistence,
        "cold_skewness": tails[0],
        "cold_kurtosis": tails[1],
        "season_standard_deviation": np.sqrt(offset),
    }


def _of_mean(correlation: Array, days: int, deviation: Array | float = 1.0) -> float:
    """Variance of the mean of so many correlated days, of given standard deviations."""
    deviation = np.broadcast_to(deviation, days)
    lags = np.abs(np.subtract.outer(np.arange(days), np.arange(days)))
    return float(deviation @ np.append(correlation, 0.0)[np.minimum(lags, len(correlation))] @ deviation) / days**2


def _diurnal(years: Years, remarks: list[str]) -> dict[str, Any]:
    """Shape, range and variability of the day, of the departures of hours from the mean of the 24 h around them."""
    if years.temperature.shape[2] == 1:
        remarks.append(
            f"the file has daily values: the daily cycle is assumed, {DIURNAL_RANGE:g} K with the shape and "
            "variability of Shenyang"
        )
        return {
            "diurnal_range": np.full(12, DIURNAL_RANGE),
            "diurnal_shape": np.array(DIURNAL_SHAPE),
            "diurnal_variability": DIURNAL_VARIABILITY,
        }
    hours = years.temperature.reshape(-1)
    known = np.flatnonzero(np.isfinite(hours))
    swing = _swing(np.interp(np.arange(len(hours)), known, hours[known])).reshape(years.temperature.shape)
    swing[~np.isfinite(years.temperature).all(axis=2)] = np.nan
    months = MONTHS[years.days]
    in_season = swing[:, years.season]
    shape = np.nanmean(in_season, axis=(0, 1))
    shape -= shape.mean()
    if np.ptp(shape) < 0.1:
        raise ConfigError("there is no daily cycle; allowed: measured temperatures (daily values: one a day)")
    shape /= np.ptp(shape)
    mean_range = np.array([np.nanmean(swing[:, months == month], axis=(0, 1)) @ shape for month in range(12)])
    mean_range = np.maximum(mean_range / (shape @ shape), 0.1)
    if len(years.winters) < FEWEST_FOR_SPREAD:
        mean_range = _smooth(mean_range, harmonics=2)

    # What varies like the day's cycle, less what varies as much a quarter of a day apart from it: the weather's share.
    phases = np.column_stack([shape, np.imag(hilbert(shape))]) / (shape @ shape)
    ranges = in_season @ phases / mean_range[months][years.season][:, None]
    variance = np.nanvar(ranges.reshape(-1, 2), axis=0) @ [1.0, -1.0]
    late = ((np.arange(24) + 12) % 24 + 0.5) / 24.0
    one = np.eye(9)[4]  # the range of one midday alone, as the generator would spread it over hours
    row = np.arange(7)[:, None] + np.arange(24) // 12
    response = _swing(((one[row] + late * (one[row + 1] - one[row])) * shape).reshape(-1)).reshape(7, 24) @ phases
    variance /= (response**2).sum(axis=0) @ [1.0, -1.0]
    spread = np.sqrt(np.clip(variance, 0.0, 1.05**2))

    def cut(variability: float) -> tuple[float, float]:
        """Mean and standard deviation of max(1 + v z, 0)."""
        if variability < 1e-6:
            return 1.0, variability
        inside, density = norm.cdf(1.0 / variability), norm.pdf(1.0 / variability)
        mean = inside + variability * density
        return mean, np.sqrt(inside * (1.0 + variability**2) + variability * density - mean**2)

    variability = float(brentq(lambda v: cut(v)[1] / cut(v)[0] - spread, 0.0, 2.0))
    warmest = int(shape.argmax())
    if not 11 <= warmest <= 18:
        remarks.append(
            f"the warmest hour is {warmest}: are the times local standard time? (--utc-offset makes them so)"
        )
    return {
        "diurnal_range": mean_range / cut(variability)[0],
        "diurnal_shape": shape,
        "diurnal_variability": variability,
    }


def _swing(hours: Array) -> Array:
    """Departure of hours from the mean of the 24 h around them."""
    weights = np.r_[0.5, np.ones(23), 0.5] / 24.0
    return hours - np.convolve(np.pad(hours, 12, mode="edge"), weights, mode="valid")


def _smooth(monthly: Array, *, harmonics: int) -> Array:
    """Least squares of monthly values by harmonics of the year, where few winters leave single months to chance."""
    angles = 2.0 * np.pi * np.outer(np.arange(12), np.arange(1, harmonics + 1)) / 12.0
    columns = np.column_stack([np.ones(12), np.cos(angles), np.sin(angles)])
    return np.asarray(np.maximum(columns @ np.linalg.lstsq(columns, monthly)[0], 0.25 * monthly.mean()))


def _meet_design_conditions(
    climate: Climate, design: DesignConditions | None, season: Days, seed: int
) -> tuple[Climate, str]:
    """Scale the spread of days, and set that of winters, so that annual minima have the recorded mean and spread."""
    assumed = f"season_standard_deviation {SEASON_STANDARD_DEVIATION:g} K is an assumption: it takes "
    assumed += f"{FEWEST_FOR_SPREAD} winters or more"
    climate = replace(climate, season_standard_deviation=SEASON_STANDARD_DEVIATION)
    if design is None:
        return climate, assumed

    def minima(factor: float) -> Array:
        still = replace(
            climate,
            daily_standard_deviation=climate.daily_standard_deviation * factor,
            season_standard_deviation=0.0,
        )
        return generate(still, season, samples=np.arange(LONG), winters=1, seed=seed).min(axis=(1, 2, 3))

    if not minima(SMALLEST_FACTOR).mean() > design.minimum_mean > minima(LARGEST_FACTOR).mean():
        return climate, f"{assumed}; no spread of days near the file's gives the mean annual minimum of its header"
    factor = brentq(
        lambda value: minima(value).mean() - design.minimum_mean, SMALLEST_FACTOR, LARGEST_FACTOR, xtol=1e-3
    )
    variance = design.minimum_standard_deviation**2 - minima(factor).var()
    spread = float(np.clip(np.sqrt(max(variance, 0.0)), *LIKELY_SEASON_STANDARD_DEVIATION))
    return replace(
        climate,
        daily_standard_deviation=climate.daily_standard_deviation * factor,
        season_standard_deviation=spread,
    ), (
        f"the spread of days, times {factor:.2f}, and season_standard_deviation are set by the mean annual minimum "
        f"{design.minimum_mean:g} °C and its standard deviation {design.minimum_standard_deviation:g} K in the "
        f"header, the latter within {LIKELY_SEASON_STANDARD_DEVIATION[0]:g} to "
        f"{LIKELY_SEASON_STANDARD_DEVIATION[1]:g} K"
    )


def generate(climate: Climate, season: Days, *, samples: NDArray[np.int64], winters: int, seed: int) -> Array:
    """Generate temperatures of heating seasons, °C, (samples, winters, days, 24); a trend is centred on them."""
    laid_out = climate.season(first_day=season.first_day, days=season.days)
    of_winters, of_days = weather.innovations(
        seed, samples, winters=winters, first_day=season.first_day, days=season.days
    )
    offsets = weather.winter_offsets(
        of_winters,
        season_standard_deviation=climate.season_standard_deviation,
        mean_offset=-climate.warming * (winters - 1) / 20.0,
        warming=climate.warming,
    )
    hours = weather.winter_temperatures(laid_out, of_days, offsets)
    return hours.reshape(winters, season.days, 24, len(samples)).transpose(3, 0, 1, 2)


def compare(
    temperature: pd.Series, climate: Climate, *, season: Days, design: DesignConditions | None = None, seed: int = 0
) -> xr.Dataset:
    """Compare the file with generated records, each of as many winters as the file has.

    Returns
    -------
    Dataset
        Over ``statistic`` (name with its unit): ``file``, and ``generated`` by ``range``, median and 90 % range over
        the records. The same for ``quantiles`` over ``probability`` (°C, of all hours) and ``spells``, cold spells per
        winter of at least so many ``days`` (mean and 90 % range), beside ``file_quantiles`` and ``file_spells``.
        ``course``, median and 90 % range of single days over the ``day`` of the season (°C), of 1,000 winters;
        ``file_days`` are the file's over ``winter`` and ``day``. ``diurnal`` and ``file_diurnal`` (K): mean days over
        ``month`` and ``hour``. With design conditions: ``published`` and ``long_run``, of those 1,000 winters, over
        ``condition``.
    """
    file = Years.of(temperature, season).winters
    winters, days, steps = file.shape
    records = int(np.clip(MOST_RECORD_WINTERS // winters, 40, RECORDS))
    cycle = weather.seasonal_cycle(climate.monthly_temperature, first_day=season.first_day, days=days)
    thresholds = np.percentile(file, [1.0, 5.0])
    cold = float(np.percentile(file.mean(axis=2), COLD_SPELL_PERCENTILE))
    months = MONTHS[(season.first_day - 1 + np.arange(days)) % 365]
    in_season = np.flatnonzero(np.bincount(months, minlength=12) >= 10)
    probability = np.r_[0.1, 0.2, 0.5, np.arange(1.0, 100.0), 99.5, 99.8, 99.9]

    def mean_days(values: Array) -> Array:
        """Mean departure of each hour from the day's mean, (month, hour)."""
        departure = values - values.mean(axis=2, keepdims=True)
        return np.array([departure[:, months == month].mean(axis=(0, 1)) for month in in_season])

    statistics, quantiles, spells, diurnal = [], [], [], []
    for first in range(0, records, 10):
        for record in generate(climate, season, samples=np.arange(first, first + 10), winters=winters, seed=seed):
            values = record if steps == 24 else record.mean(axis=2, keepdims=True)
            statistics.append(_statistics(values, cycle, thresholds, cold))
            quantiles.append(np.percentile(values, probability))
            spells.append(_spells_per_winter(values.mean(axis=2) < cold))
            diurnal.append(mean_days(values))
    of_file = _statistics(file, cycle, thresholds, cold)
    low_to_high = [50.0, 5.0, 95.0]

    def over_records(values: list[Array]) -> Array:
        return np.percentile(np.array(values), low_to_high, axis=0)

    long_run = generate(climate, season, samples=np.arange(LONG), winters=1, seed=seed + 1)[:, 0]
    mean_spells = np.mean(spells, axis=0)
    dataset = xr.Dataset(
        {
            "file": ("statistic", list(of_file.values())),
            "generated": (("range", "statistic"), over_records([np.array(list(one.values())) for one in statistics])),
            "file_quantiles": ("probability", np.percentile(file, probability)),
            "quantiles": (("range", "probability"), over_records(quantiles)),
            "file_spells": ("days", _spells_per_winter(file.mean(axis=2) < cold)),
            "spells": (("range", "days"), np.vstack([mean_spells, over_records(spells)[1:]])),
            "file_days": (("winter", "day"), file.mean(axis=2)),
            "course": (("range", "day"), np.percentile(long_run.mean(axis=2), low_to_high, axis=0)),
            "file_diurnal": (("month", "hour"), mean_days(file)),
            "diurnal": (("month", "hour"), np.mean(diurnal, axis=0)),
        },
        {
            "statistic": list(of_file),
            "range": ["median", "5 %", "95 %"],
            "probability": probability,
            "days": 1 + np.arange(MOST_SPELL_DAYS),
            "month": in_season + 1,
            "hour": np.arange(steps),
        },
        {"records": records, "cold": cold, "start": season.start, "site": climate.site},
    )
    if design is not None:
        dataset["published"] = ("condition", list(design))
        dataset["long_run"] = ("condition", _design_conditions(long_run))
        dataset["condition"] = [
            "99.6 %, undershot 35 h a year (°C)",
            "99 %, undershot 88 h a year (°C)",
            "mean annual minimum (°C)",
            "standard deviation of annual minima (K)",
            *(f"{years}-year minimum (°C)" for years in (5, 10, 20, 50)),
        ]
    return dataset


def _statistics(values: Array, cycle: Array, thresholds: Array, cold: float) -> dict[str, float]:
    """What the table compares, of (winters, days, 24 or 1)."""
    winters, _, steps = values.shape
    daily, minima = values.mean(axis=2), values.min(axis=(1, 2))
    anomaly = daily - cycle
    anomaly = anomaly - anomaly.mean(axis=1, keepdims=True)
    lengths, of_winter = _spells(daily < cold)
    longest = np.zeros(winters)
    np.maximum.at(longest, of_winter, lengths)
    what = "hours" if steps == 24 else "days"
    unit = what[0]
    found = {
        "mean (°C)": values.mean(),
        **({"standard deviation of hours (K)": values.std()} if steps == 24 else {}),
        "standard deviation of daily means (K)": daily.std(),
        f"degree-days below {DEGREE_DAY_BASE:g} °C (K d)": np.maximum(DEGREE_DAY_BASE - daily, 0.0).sum() / winters,
        **{
            f"{percentile:g} % of {what} are below (°C)": value
            for percentile, value in zip(PERCENTILES, np.percentile(values, PERCENTILES), strict=True)
        },
        **{
            f"{what} below {threshold:.1f} °C ({unit} per winter)": (values < threshold).sum() / winters
            for threshold in thresholds
        },
        "autocorrelation of daily means, 1 day": (anomaly[:, 1:] * anomaly[:, :-1]).mean() / (anomaly**2).mean(),
        "autocorrelation of daily means, 3 days": (anomaly[:, 3:] * anomaly[:, :-3]).mean() / (anomaly**2).mean(),
        f"mean cold spell, days below {cold:.1f} °C (d)": lengths.mean() if len(lengths) else 0.0,
        "longest cold spell of a winter, mean (d)": longest.mean(),
        "daily mean undershot on 5 days a winter (°C)": np.sort(daily, axis=None)[5 * winters],
        "mean annual minimum (°C)": minima.mean(),
    }
    if winters >= FEWEST_FOR_SPREAD:
        found["standard deviation of annual minima (K)"] = minima.std(ddof=1)
        found["standard deviation of winters' means (K)"] = daily.mean(axis=1).std(ddof=1)
    for years in (5, 10, 20):
        if winters >= 2 * years and winters >= FEWEST_FOR_TREND:
            found[f"{years}-year minimum (°C)"] = np.quantile(minima, 1.0 / years)
    return {name: float(value) for name, value in found.items()}


def _spells(cold: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Length of each run of days in (winters, days), and the winter of each."""
    padded = np.pad(cold, ((0, 0), (1, 1)))
    edges = np.flatnonzero(np.diff(padded.ravel()))
    return edges[1::2] - edges[::2], edges[::2] // padded.shape[1]


def _spells_per_winter(cold: NDArray[np.bool_]) -> Array:
    """Spells per winter that last at least 1, 2, ... days, of (winters, days)."""
    lengths, _ = _spells(cold)
    counts = np.bincount(np.minimum(lengths, MOST_SPELL_DAYS), minlength=MOST_SPELL_DAYS + 1)
    return np.cumsum(counts[:0:-1])[::-1] / len(cold)


def _design_conditions(hours: Array) -> list[float]:
    """As `DesignConditions`, of (winters, days, 24)."""
    minima, ordered = hours.min(axis=(1, 2)), np.sort(hours, axis=None)
    of_hours = [ordered[round(share * 8760 * len(hours))] for share in (0.004, 0.01)]
    return [*of_hours, minima.mean(), minima.std(ddof=1), *(np.quantile(minima, 1.0 / n) for n in (5, 10, 20, 50))]


def to_yaml(climate: Climate, path: Path, *, season: Days, with_season: bool) -> str:
    """Return the text of a climate file, saying from which file it was fitted; with the season's dates if asked.

    Raises
    ------
    ConfigError
        If a value is out of the range that a climate file may have.
    """
    years = "a typical year" if climate.years is None else f"{climate.years[0]} to {climate.years[1]}"
    many = f"{climate.winters} complete winters" if climate.winters > 1 else "1 complete winter"
    remarks = list(climate.remarks)
    trend = f"{climate.warming:.3g} K/decade"
    if climate.warming_error:
        source = f"trend of {climate.winters} winters, {years}, with its standard error; the future may differ"
        error = f"{climate.warming_error:.3g} K/decade"
        trend = f"{{distribution: normal, mean: {trend}, standard_deviation: {error}, source: {json.dumps(source)}}}"
        remarks.append("the means are those of the middle of the record; a study's first winter starts from them")

    def listed(values: Array, unit: str, digits: int) -> str:
        return "[" + ", ".join(f"{value:.{digits}f} {unit}".strip() for value in values) + "]"

    name = "".join(character for character in path.name if character.isprintable())[:100]
    lines = [
        f"# Fitted by `hotland climate` to {name}: {years}, {many} from {season.start} to {season.end}.",
        *(textwrap.fill(remark, 116, initial_indent="# - ", subsequent_indent="#   ") for remark in remarks),
        "climate:",
        f"  site: {json.dumps(climate.site, ensure_ascii=False)}",
        f"  monthly_temperature: {listed(climate.monthly_temperature, 'degC', 2)}",
        f"  daily_standard_deviation: {listed(climate.daily_standard_deviation, 'K', 2)}",
        f"  diurnal_range: {listed(climate.diurnal_range, 'K', 2)}",
        f"  diurnal_shape: {listed(climate.diurnal_shape, '', 4)}",
        f"  diurnal_variability: {climate.diurnal_variability:.3f}",
        f"  persistence: {climate.persistence:.3f}",
        f"  cold_skewness: {climate.cold_skewness:.3f}",
        f"  cold_kurtosis: {climate.cold_kurtosis:.3f}",
        f"  season_standard_deviation: {climate.season_standard_deviation:.2f} K",
        f"  warming: {trend}",
        *([f'season: {{start: "{season.start}", end: "{season.end}"}}'] if with_season else []),
    ]
    text = "\n".join(lines) + "\n"
    validate(ClimateFile, YAML(typ="safe", pure=True).load(text), label="what was fitted is out of range")
    return text
