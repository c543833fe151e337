"""Hourly outdoor temperature of heating seasons, drawn at random.

    T = seasonal mean + winter's offset + day's anomaly + day's range · shape(hour)

The first three run straight from midday to midday, and so does the range. The anomaly is a first-order autoregression
(Richardson, 1981, Water Resources Research 17(1), 182–190), skewed by a quadratic in the normal variate; ranges vary
independently from day to day. Years have 365 days. Weather faster than a day (a front, a cloud) is not modelled.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq
from scipy.special import ndtri

DAYS_IN_MONTH = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
STREAM = 0x77656174686572  # "weather": keeps these variates apart from others drawn with the same seed

# Two harmonics, least squares, of the mean November–March day in the typical year (TMYx) of Shenyang, station 543420:
# coldest before 6 h, warmest between 14 and 15 h; zero mean, range one.
_angle = 2.0 * np.pi * (np.arange(24) + 0.5) / 24.0
_cycle = np.cos(_angle - 2.0 * np.pi * 15.7 / 24.0) + 0.3 * np.cos(2.0 * (_angle - 2.0 * np.pi * 1.9 / 24.0))
DIURNAL_SHAPE = (_cycle - _cycle.mean()) / np.ptp(_cycle)


class Season(NamedTuple):
    """A climate over the days of one season; row 0 of the arrays is the day before, the last row the day after."""

    mean: np.ndarray  # °C, (days + 2,)
    standard_deviation: np.ndarray  # of the anomaly at midday, K, (days + 2,)
    diurnal_range: np.ndarray  # K, (days + 2,)
    diurnal_variability: float
    correlation: float  # of the normal variates of successive days
    linear: float  # anomaly = linear · z − quadratic · (z² − 1), of unit variance
    quadratic: float


def seasonal_cycle(monthly: np.ndarray, *, first_day: int, days: int) -> np.ndarray:
    """Daily values of a smooth yearly cycle with the given mean in each calendar month, exact to rounding.

    A periodic cubic spline with knots at mid-month, whose 12 values solve the 12 equations of the monthly means.

    Parameters
    ----------
    monthly : ndarray, shape (12,)
        Monthly means from January, any unit.
    first_day, days : int
        Day of the year (1 November is 305) and number of days; the year repeats.

    Returns
    -------
    ndarray, shape (days,)
    """
    ends = np.cumsum(DAYS_IN_MONTH)
    middle = ends - DAYS_IN_MONTH / 2.0
    spline = CubicSpline(np.append(middle, middle[0] + 365.0), np.eye(12)[np.r_[0:12, 0]], bc_type="periodic")
    daily = spline(np.arange(365) + 0.5)  # (365, 12): the year that each knot alone would give
    means = np.add.reduceat(daily, ends - DAYS_IN_MONTH) / DAYS_IN_MONTH[:, None]
    return (daily @ np.linalg.solve(means, monthly))[(first_day - 1 + np.arange(days)) % 365]


def season(
    *,
    monthly_temperature: np.ndarray,
    daily_standard_deviation: np.ndarray,
    diurnal_range: np.ndarray,
    diurnal_variability: float,
    persistence: float,
    cold_skewness: float,
    first_day: int = 305,
    days: int = 151,
) -> Season:
    """Lay a climate out over a heating season.

    The mean of a day weighs three midday values by 1/8, 3/4, 1/8. Midday values get the spread and correlation with
    which the *daily means* have those requested, exactly where the standard deviation is constant over days.

    Parameters
    ----------
    monthly_temperature, daily_standard_deviation, diurnal_range : ndarray, shape (12,)
        From January: mean (°C), standard deviation of daily means within a winter (K), range of the mean daily cycle
        (K; less than the mean daily maximum less minimum, which holds the drift from day to day as well).
    diurnal_variability : float
        Standard deviation of a day's range over its mean; negative ranges are cut to zero.
    persistence : float
        Lag-1 autocorrelation of daily means within a winter, 0.4 to 0.95.
    cold_skewness : float
        Skewness of the midday anomaly with its sign changed, −1 to 1: positive for a longer cold side.
    first_day, days : int
        First day of the year (1 November) and length of the season.

    Raises
    ------
    ValueError
        If persistence or cold_skewness is outside its range.
    """
    if not 0.4 <= persistence <= 0.95:
        raise ValueError(f"persistence must be between 0.4 and 0.95, got {persistence!r}")
    if not -1.0 <= cold_skewness <= 1.0:
        raise ValueError(f"cold_skewness must be between -1 and 1, got {cold_skewness!r}")
    # x = (z − κ(z² − 1)) / √(1 + 2κ²) has skewness −(6κ + 8κ³) / (1 + 2κ²)^1.5; two such x whose z correlate by ρ
    # correlate by (ρ + 2κ²ρ²) / (1 + 2κ²).
    kappa = brentq(lambda k: (6.0 * k + 8.0 * k**3) / (1.0 + 2.0 * k * k) ** 1.5 - cold_skewness, -0.5, 0.5)

    def moments(correlation: float) -> tuple[float, float]:
        """Variance and lag-1 covariance of daily means, for midday values of unit variance."""
        rho = correlation ** np.arange(4)
        rho = (rho + 2.0 * kappa**2 * rho**2) / (1.0 + 2.0 * kappa**2)
        return rho @ [38.0, 24.0, 2.0, 0.0] / 64.0, rho @ [12.0, 39.0, 12.0, 1.0] / 64.0

    correlation = brentq(lambda c: moments(c)[1] / moments(c)[0] - persistence, 0.0, 0.99)
    mean, deviation, cycle = (
        seasonal_cycle(monthly, first_day=first_day - 1, days=days + 2)
        for monthly in (monthly_temperature, daily_standard_deviation, diurnal_range)
    )
    deviation = deviation / np.sqrt(moments(correlation)[0])
    linear = 1.0 / np.sqrt(1.0 + 2.0 * kappa**2)
    return Season(mean, deviation, cycle, float(diurnal_variability), correlation, linear, kappa * linear)


def innovations(seed: int, samples: np.ndarray, *, winters: int, days: int) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal variates, each a pure function of (seed, sample, winter, day).

    Philox (Salmon et al., 2011, SC '11) with seed as key and (winter, sample) in the counter; one word per variate.

    Parameters
    ----------
    seed : int
        0 to 2⁶⁴ − 1.
    samples : ndarray of int64, shape (samples,)
        Indices of the samples, not negative.
    winters, days : int
        More of either changes no value.

    Returns
    -------
    of_winters : ndarray, shape (winters, samples)
        For the offset of each winter.
    of_days : ndarray, shape (winters, days + 2, 2, samples)
        For anomaly and range, from the day before the season to the day after.
    """
    generator = np.random.Philox(key=np.array([seed, STREAM], dtype=np.uint64))
    state = generator.state
    of_winters = np.empty((winters, len(samples)))
    of_days = np.empty((winters, days + 2, 2, len(samples)))
    words = np.empty((len(samples), 1 + of_days[0, :, :, 0].size), dtype=np.uint64)
    for winter in range(winters):
        for lane, sample in enumerate(samples):
            state["state"]["counter"] = np.array([0, winter, sample, 0], dtype=np.uint64)
            generator.state = state
            words[lane] = generator.random_raw(words.shape[1])
        normal = ndtri(((words >> np.uint64(12)) + 0.5) * 2.0**-52).T  # 52 bits: never 0, never 1
        of_winters[winter] = normal[0]
        of_days[winter] = normal[1:].reshape(of_days.shape[1:])
    return of_winters, of_days


def winter_offsets(
    of_winters: np.ndarray,
    *,
    season_standard_deviation: np.ndarray | float,
    mean_offset: np.ndarray | float,
    warming: np.ndarray | float,
) -> np.ndarray:
    """Offset of each winter from the normals, K, shape (winters, samples); the first winter has no warming yet.

    Standard deviation of winters (K), mean offset (K) and warming (K per decade) are numbers or have shape (samples,).
    The means of winters spread by more than that standard deviation, as the anomalies of their days do not average out.
    """
    decades = np.arange(len(of_winters))[:, None] / 10.0
    return mean_offset + warming * decades + season_standard_deviation * of_winters


@njit(cache=True, error_model="numpy")
def daily_states(
    season: Season, of_days: np.ndarray, offset: np.ndarray, out_mean: np.ndarray, out_range: np.ndarray
) -> None:
    """Overwrite midday temperature (°C) and range (K), both of shape (days + 2, samples), for one winter.

    ``of_days``, shape (days + 2, 2, samples), and ``offset``, shape (samples,), are one winter's `innovations` and
    `winter_offsets`.
    """
    days, lanes = out_mean.shape
    renewal = np.sqrt(1.0 - season.correlation**2)
    out_mean[0] = of_days[0, 0]
    for day in range(1, days):
        for lane in range(lanes):
            out_mean[day, lane] = season.correlation * out_mean[day - 1, lane] + renewal * of_days[day, 0, lane]
    for day in range(days):
        for lane in range(lanes):
            z = out_mean[day, lane]
            anomaly = season.linear * z - season.quadratic * (z * z - 1.0)
            out_mean[day, lane] = season.mean[day] + offset[lane] + season.standard_deviation[day] * anomaly
            factor = max(1.0 + season.diurnal_variability * of_days[day, 1, lane], 0.0)
            out_range[day, lane] = season.diurnal_range[day] * factor


@njit(cache=True, error_model="numpy")
def hourly_temperature(mean: np.ndarray, diurnal_range: np.ndarray, day: int, hour: int, out: np.ndarray) -> None:
    """Overwrite ``out``, shape (samples,), with the outdoor temperature of one hour, °C.

    ``mean`` and ``diurnal_range`` are those of `daily_states`; ``day`` of the season and ``hour`` of the day (local
    standard time) count from 0.
    """
    row = day + hour // 12  # midday before
    late = ((hour + 12) % 24 + 0.5) / 24.0
    shape = DIURNAL_SHAPE[hour]
    for lane in range(out.shape[0]):
        before = mean[row, lane] + shape * diurnal_range[row, lane]
        after = mean[row + 1, lane] + shape * diurnal_range[row + 1, lane]
        out[lane] = before + late * (after - before)


@njit(cache=True, error_model="numpy")
def winter_temperatures(season: Season, of_days: np.ndarray, offsets: np.ndarray) -> np.ndarray:
    """Outdoor temperature of all hours, °C, shape (winters, 24 days, samples), from `innovations` and offsets."""
    winters, rows, _, lanes = of_days.shape
    out = np.empty((winters, (rows - 2) * 24, lanes))
    mean, diurnal_range = np.empty((rows, lanes)), np.empty((rows, lanes))
    for winter in range(winters):
        daily_states(season, of_days[winter], offsets[winter], mean, diurnal_range)
        for hour in range(out.shape[1]):
            hourly_temperature(mean, diurnal_range, hour // 24, hour % 24, out[winter, hour])
    return out
