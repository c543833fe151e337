"""Hourly outdoor temperature of heating seasons, drawn at random.

    T = seasonal mean + winter's offset + day's anomaly + day's range · shape(hour)

The first three run straight from midday to midday, and so does the range. The anomaly is a first-order autoregression
(Richardson, 1981, Water Resources Research 17(1), 182–190) of normal variates, bent by a cubic (Fleishman, 1978,
Psychometrika 43(4), 521–532) to a skewness and a kurtosis; ranges vary independently from day to day. Years have 365
days. Weather faster than a day (a front, a cloud) is not modelled.
"""

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.polynomial.hermite_e import hermegauss
from scipy.interpolate import CubicSpline
from scipy.optimize import brentq, root
from scipy.special import ndtri

from kernels.philox import philox, uniform

DAYS_IN_MONTH = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
FIRST_OF_JULY = 182  # day of the year from which the days of a winter are counted
STREAM = 0x77656174686572  # "weather": keeps these variates apart from others drawn with the same seed


class Season(NamedTuple):
    """A climate over the days of one season; row 0 of the arrays is the day before, the last row the day after."""

    mean: np.ndarray  # °C, (days + 2,)
    standard_deviation: np.ndarray  # of the anomaly at midday, K, (days + 2,)
    diurnal_range: np.ndarray  # K, (days + 2,)
    diurnal_shape: np.ndarray  # (24,), of zero mean and range one
    diurnal_variability: float
    correlation: float  # of the normal variates z of successive days
    linear: float  # anomaly = linear · z + quadratic · (z² − 1) + cubic · (z³ − 3z), of unit variance
    quadratic: float
    cubic: float
    lowest: float  # z where the cubic turns back: the anomaly goes no further
    highest: float


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


def bend(skewness: float, kurtosis: float) -> tuple[float, float, float]:
    """Coefficients of x = linear · z + quadratic · (z² − 1) + cubic · (z³ − 3z), z standard normal, x of unit variance.

    Parameters
    ----------
    skewness, kurtosis : float
        Of x; kurtosis is the excess over the normal distribution's.

    Returns
    -------
    linear, quadratic, cubic : float

    Raises
    ------
    ValueError
        If the kurtosis is not between 2 skewness² − 0.5 and 2: the cubic would turn back too near its middle.
    """
    least = 2.0 * skewness**2 - 0.5
    if not least <= kurtosis <= 2.0:
        raise ValueError(f"cold_kurtosis must be between {least:.2f} (for this skewness) and 2, got {kurtosis!r}")
    z, weights = hermegauss(8)  # exact for polynomials of degree 15
    powers = np.array([z, z**2 - 1.0, z**3 - 3.0 * z])

    def moments(coefficients: np.ndarray) -> np.ndarray:
        return np.array([weights @ (coefficients @ powers) ** order for order in (2, 3, 4)]) / weights.sum()

    found = root(lambda c: moments(c) - [1.0, skewness, 3.0 + kurtosis], [1.0, skewness / 6.0, kurtosis / 24.0])
    linear, quadratic, cubic = found.x
    return linear, quadratic, cubic


def _turns(linear: float, quadratic: float, cubic: float) -> tuple[float, float]:
    """The z on either side of zero where the slope of the cubic is zero, or infinity."""
    slope = np.roots([3.0 * cubic, 2.0 * quadratic, linear - 3.0 * cubic])
    slope = slope[np.isreal(slope)].real
    return max(slope[slope < 0.0], default=-np.inf), min(slope[slope > 0.0], default=np.inf)


def season(
    *,
    monthly_temperature: np.ndarray,
    daily_standard_deviation: np.ndarray,
    diurnal_range: np.ndarray,
    diurnal_shape: np.ndarray,
    diurnal_variability: float,
    persistence: float,
    cold_skewness: float = 0.0,
    cold_kurtosis: float = 0.0,
    first_day: int = 305,
    days: int = 151,
) -> Season:
    """Lay a climate out over a heating season.

    The mean of a day weighs three midday values by 1/8, 3/4, 1/8. Midday values get the spread and correlation with
    which the *daily means* have those requested, exactly where the standard deviation is constant over days.

    Parameters
    ----------
    monthly_temperature, daily_standard_deviation, diurnal_range : ndarray, shape (12,)
        From January: mean (°C), standard deviation of daily means within a winter (K), range of the daily cycle (K).
    diurnal_shape : ndarray, shape (24,)
        Departure of each hour, from that after midnight, over the range: zero mean, range one (both within 0.02, then
        made exact).
    diurnal_variability : float
        Standard deviation of a day's range over its mean; negative ranges are cut to zero.
    persistence : float
        Lag-1 autocorrelation of daily means within a winter, 0.4 to 0.95.
    cold_skewness : float
        Skewness of the midday anomaly with its sign changed, −1 to 1: positive for a longer cold side.
    cold_kurtosis : float
        Excess kurtosis of the midday anomaly: negative for shorter tails than the normal distribution's. See `bend`.
    first_day, days : int
        First day of the year (1 November) and length of the season.

    Raises
    ------
    ValueError
        If shape, persistence, skewness or kurtosis is outside its range.
    """
    shape = np.asarray(diurnal_shape, dtype=float)
    if shape.shape != (24,) or abs(shape.mean()) > 0.02 or abs(np.ptp(shape) - 1.0) > 0.02:
        raise ValueError(f"diurnal_shape must be 24 numbers of zero mean and range one, got {shape.tolist()!r}")
    if not 0.4 <= persistence <= 0.95:
        raise ValueError(f"persistence must be between 0.4 and 0.95, got {persistence!r}")
    if not -1.0 <= cold_skewness <= 1.0:
        raise ValueError(f"cold_skewness must be between -1 and 1, got {cold_skewness!r}")
    linear, quadratic, cubic = bend(-cold_skewness, cold_kurtosis)

    def moments(correlation: float) -> tuple[float, float]:
        """Variance and lag-1 covariance of daily means, for midday values of unit variance."""
        rho = correlation ** np.arange(4)
        rho = linear**2 * rho + 2.0 * quadratic**2 * rho**2 + 6.0 * cubic**2 * rho**3  # Hermite polynomials
        return rho @ [38.0, 24.0, 2.0, 0.0] / 64.0, rho @ [12.0, 39.0, 12.0, 1.0] / 64.0

    correlation = brentq(lambda c: moments(c)[1] / moments(c)[0] - persistence, 0.0, 0.99)
    mean, deviation, cycle = (
        seasonal_cycle(monthly, first_day=first_day - 1, days=days + 2)
        for monthly in (monthly_temperature, daily_standard_deviation, diurnal_range)
    )
    return Season(
        mean=mean,
        standard_deviation=deviation / np.sqrt(moments(correlation)[0]),
        diurnal_range=cycle,
        diurnal_shape=(shape - shape.mean()) / np.ptp(shape),
        diurnal_variability=float(diurnal_variability),
        correlation=correlation,
        linear=linear,
        quadratic=quadratic,
        cubic=cubic,
        **dict(zip(("lowest", "highest"), _turns(linear, quadratic, cubic), strict=True)),
    )


@njit(cache=True, error_model="numpy")
def _uniforms(seed, samples, first, of_winters, of_days):  # type: ignore[no-untyped-def]
    """Overwrite the arrays of `innovations` with numbers of (0, 1); ``first`` counts days from 1 July."""
    winters, days, _, lanes = of_days.shape
    for winter in range(winters):
        for lane in range(lanes):
            of_winters[winter, lane] = uniform(philox(seed, STREAM, 0, winter, samples[lane], 1)[0])
        for day in range(days):
            for lane in range(lanes):
                words = philox(seed, STREAM, first + day, winter, samples[lane], 0)
                of_days[winter, day, 0, lane] = uniform(words[0])
                of_days[winter, day, 1, lane] = uniform(words[1])


def innovations(
    seed: int, samples: np.ndarray, *, winters: int, first_day: int, days: int
) -> tuple[np.ndarray, np.ndarray]:
    """Standard normal variates, each a pure function of (seed, sample, winter, calendar day).

    Philox (`kernels.philox`) with the seed in the key and (day from 1 July, winter, sample) as counter: a season that
    begins earlier or lasts longer changes no day's variates. The winters' own have a counter apart.

    Parameters
    ----------
    seed : int
        0 to 2⁶⁴ − 1.
    samples : ndarray of int64, shape (samples,)
        Indices of the samples, not negative.
    winters : int
    first_day, days : int
        First day of the year (1 November is 305) and length of the season.

    Returns
    -------
    of_winters : ndarray, shape (winters, samples)
        For the offset of each winter.
    of_days : ndarray, shape (winters, days + 2, 2, samples)
        For anomaly and range, from the day before the season to the day after.
    """
    of_winters = np.empty((winters, len(samples)))
    of_days = np.empty((winters, days + 2, 2, len(samples)))
    _uniforms(np.uint64(seed), np.asarray(samples), (first_day - FIRST_OF_JULY) % 365 - 1, of_winters, of_days)
    return ndtri(of_winters, out=of_winters), ndtri(of_days, out=of_days)


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
            z = min(max(out_mean[day, lane], season.lowest), season.highest)
            anomaly = season.linear * z + season.quadratic * (z * z - 1.0) + season.cubic * (z * z - 3.0) * z
            out_mean[day, lane] = season.mean[day] + offset[lane] + season.standard_deviation[day] * anomaly
            factor = max(1.0 + season.diurnal_variability * of_days[day, 1, lane], 0.0)
            out_range[day, lane] = season.diurnal_range[day] * factor


@njit(cache=True, error_model="numpy")
def hourly_temperature(
    season: Season, mean: np.ndarray, diurnal_range: np.ndarray, day: int, hour: int, out: np.ndarray
) -> None:
    """Overwrite ``out``, shape (samples,), with the outdoor temperature of one hour, °C.

    ``mean`` and ``diurnal_range`` are those of `daily_states`; ``day`` of the season and ``hour`` of the day (local
    standard time) count from 0.
    """
    row = day + hour // 12  # midday before
    late = ((hour + 12) % 24 + 0.5) / 24.0
    shape = season.diurnal_shape[hour]
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
            hourly_temperature(season, mean, diurnal_range, hour // 24, hour % 24, out[winter, hour])
    return out
