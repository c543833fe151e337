"""The generator's moments, its cycle, and the variates' independence of everything but their place.

Generated winters against stations' records: test_built_in_climates.py.
"""

from typing import Any

import numpy as np
import pytest
from scipy.special import ndtri

from kernels.weather import (
    DAYS_IN_MONTH,
    FIRST_OF_JULY,
    STREAM,
    bend,
    daily_states,
    hourly_temperature,
    innovations,
    season,
    seasonal_cycle,
    winter_offsets,
    winter_temperatures,
)

HOURS = 2.0 * np.pi * (np.arange(24) - 14.5) / 24.0
CLIMATE: dict[str, Any] = {  # invented
    "monthly_temperature": np.array([-10.7, -6.2, 1.5, 10.5, 17.3, 21.9, 24.9, 23.8, 17.2, 9.9, 1.3, -7.7]),
    "daily_standard_deviation": np.array([5.5, 5.1, 4.4, 3.5, 2.7, 2.3, 2.3, 2.7, 3.4, 4.3, 5.1, 5.5]),
    "diurnal_range": np.array([6.8, 8.1, 9.8, 10.2, 9.1, 7.5, 6.9, 7.8, 9.0, 9.2, 8.1, 6.8]),
    "diurnal_shape": np.cos(HOURS) / np.ptp(np.cos(HOURS)),
    "diurnal_variability": 0.4,
    "persistence": 0.73,
    "cold_skewness": 0.0,
    "cold_kurtosis": 0.0,
}
STILL = {**CLIMATE, "daily_standard_deviation": np.zeros(12), "diurnal_variability": 0.0}
FIRST_DAY, DAYS = 305, 151
JANUARY = slice(61, 92)


@pytest.mark.parametrize(("skewness", "kurtosis"), [(0.0, 0.0), (0.0, -0.5), (0.0, 1.0), (0.5, 0.0), (-0.5, 1.0)])
def test_daily_means_have_the_requested_moments(skewness: float, kurtosis: float) -> None:
    climate = season(
        **{
            **CLIMATE,
            "daily_standard_deviation": np.full(12, 4.0),
            "cold_skewness": skewness,
            "cold_kurtosis": kurtosis,
        }
    )
    of_winters, of_days = innovations(5, np.arange(60), winters=20, first_day=FIRST_DAY, days=DAYS)
    hours = winter_temperatures(climate, of_days, np.zeros_like(of_winters))
    still = winter_temperatures(season(**STILL), of_days[:1, :, :, :1], np.zeros((1, 1)))[0, :, 0]
    daily = (hours.transpose(0, 2, 1) - still).reshape(-1, DAYS, 24).mean(axis=2)
    persistence = (daily[:, 1:] * daily[:, :-1]).mean() / (daily**2).mean()
    # 1,200 winters of about 24 independent days each: standard errors about 0.025 K, 0.003, 0.02.
    assert daily.mean() == pytest.approx(0.0, abs=0.1)
    assert daily.std() == pytest.approx(4.0, abs=0.08)
    assert persistence == pytest.approx(CLIMATE["persistence"], abs=0.01)
    of_means = (daily**3).mean() / daily.std() ** 3  # a mean over three middays is a little less skewed than each
    assert abs(of_means) < 0.06 if skewness == 0.0 else 0.75 < of_means / -skewness <= 1.0
    fourth = (daily**4).mean() / daily.std() ** 4 - 3.0  # and less kurtotic
    assert abs(fourth) < 0.12 if kurtosis == 0.0 else 0.6 < fourth / kurtosis < 1.05


@pytest.mark.parametrize(("skewness", "kurtosis"), [(0.0, -0.5), (0.3, 0.0), (-0.7, 1.5), (0.0, 2.0), (1.0, 1.5)])
def test_bent_variate_has_unit_variance_and_the_moments(skewness: float, kurtosis: float) -> None:
    """By the trapezoidal rule, which is exact to rounding for such integrands."""
    z = np.linspace(-12.0, 12.0, 4001)
    density = np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    linear, quadratic, cubic = bend(skewness, kurtosis)
    x = linear * z + quadratic * (z**2 - 1.0) + cubic * (z**3 - 3.0 * z)
    moments = [np.trapezoid(x**order * density, z) for order in (1, 2, 3, 4)]
    np.testing.assert_allclose(moments, [0.0, 1.0, skewness, 3.0 + kurtosis], atol=1e-9)


@pytest.mark.parametrize(("skewness", "kurtosis"), [(0.0, -0.5), (0.5, 0.0), (-0.5, 0.0), (0.0, 1.0)])
def test_a_colder_draw_is_never_warmer(skewness: float, kurtosis: float) -> None:
    """The anomaly rises with its variate, or stays, over all that is ever drawn: also where the cubic turns back."""
    climate = season(**{**CLIMATE, "cold_skewness": skewness, "cold_kurtosis": kurtosis})
    z = np.linspace(-8.0, 8.0, 400)
    draws = np.zeros((3, 2, len(z)))
    draws[0, 0] = z
    mean, diurnal_range = np.empty((3, len(z))), np.empty((3, len(z)))
    daily_states(climate, draws, np.zeros(len(z)), mean, diurnal_range)
    steps = np.diff(mean[0])
    assert steps.min() >= 0.0
    assert steps[np.abs(z[1:]) < 2.4].min() > 0.0
    assert np.isinf(climate.lowest) == (kurtosis == 1.0)


def test_seasonal_cycle_keeps_the_monthly_means() -> None:
    monthly = CLIMATE["monthly_temperature"]
    year = seasonal_cycle(monthly, first_day=1, days=365)
    means = [month.mean() for month in np.split(year, np.cumsum(DAYS_IN_MONTH)[:-1])]
    np.testing.assert_allclose(means, monthly, atol=1e-12)
    np.testing.assert_array_equal(seasonal_cycle(monthly, first_day=305, days=151), np.r_[year[304:], year[:90]])
    assert np.abs(np.diff(np.append(year, year[0]))).max() < 0.4  # no step: the steepest month has 9 K in 30 days


def test_without_spread_the_cycle_is_left() -> None:
    """Offsets shift it by their own amount, and interpolation moves no month by more than the cycle's curvature."""
    of_winters, of_days = innovations(3, np.arange(2), winters=3, first_day=FIRST_DAY, days=DAYS)
    offsets = winter_offsets(
        of_winters, season_standard_deviation=0.0, mean_offset=np.array([0.0, -2.0]), warming=np.array([0.0, 5.0])
    )
    np.testing.assert_allclose(offsets, [[0.0, -2.0], [0.0, -1.5], [0.0, -1.0]], atol=1e-15)
    hours = winter_temperatures(season(**STILL), of_days, offsets)
    np.testing.assert_allclose(hours[:, :, 1] - hours[:, :, 0], offsets[:, 1:] * np.ones((3, 24 * DAYS)), atol=1e-12)
    np.testing.assert_array_equal(hours[0, :, 0], hours[2, :, 0])
    daily = hours[0, :, 0].reshape(DAYS, 24)
    cycle = seasonal_cycle(CLIMATE["monthly_temperature"], first_day=FIRST_DAY, days=DAYS)
    np.testing.assert_allclose(daily.mean(axis=1), cycle, atol=0.02)
    assert np.ptp(daily[JANUARY].mean(axis=0)) == pytest.approx(6.8, abs=0.4)


def test_no_step_at_midnight() -> None:
    """Midnight goes on with the line of the hour before; the cycle adds its own small step there, and no more."""
    of_winters, of_days = innovations(4, np.arange(50), winters=2, first_day=FIRST_DAY, days=DAYS)
    no_offset = np.zeros_like(of_winters)
    flat = season(**{**CLIMATE, "diurnal_range": np.zeros(12)})
    steps = np.diff(winter_temperatures(flat, of_days, no_offset), axis=1)
    np.testing.assert_allclose(steps[:, 23::24], steps[:, 22:-1:24], atol=1e-12)
    cycle = season(**{**CLIMATE, "monthly_temperature": np.zeros(12), "daily_standard_deviation": np.zeros(12)})
    hours = winter_temperatures(cycle, of_days, no_offset)
    own_step = abs(cycle.diurnal_shape[0] - cycle.diurnal_shape[23]) * np.ptp(hours)
    assert np.abs(np.diff(hours, axis=1)[:, 23::24]).max() < own_step


def test_variates_depend_on_their_place_alone() -> None:
    of_winters, of_days = innovations(9, np.arange(8), winters=3, first_day=FIRST_DAY, days=20)
    chosen = np.array([6, 1, 4])
    fewer = innovations(9, chosen, winters=3, first_day=FIRST_DAY, days=20)
    np.testing.assert_array_equal(fewer[0], of_winters[:, chosen])
    np.testing.assert_array_equal(fewer[1], of_days[..., chosen])
    more = innovations(9, np.arange(8), winters=5, first_day=FIRST_DAY, days=33)
    np.testing.assert_array_equal(more[0][:3], of_winters)
    np.testing.assert_array_equal(more[1][:3, :22], of_days)


def test_a_longer_season_changes_no_day() -> None:
    """A season that begins 12 days earlier and ends 20 later, over New Year: the same variates on the same days."""
    of_winters, of_days = innovations(9, np.arange(3), winters=2, first_day=FIRST_DAY, days=DAYS)
    longer = innovations(9, np.arange(3), winters=2, first_day=FIRST_DAY - 12, days=DAYS + 32)
    np.testing.assert_array_equal(longer[0], of_winters)
    np.testing.assert_array_equal(longer[1][:, 12 : 12 + DAYS + 2], of_days)
    late = innovations(9, np.arange(3), winters=2, first_day=10, days=5)  # 10 January is day 71 of the season
    np.testing.assert_array_equal(late[1], of_days[:, 70:77])


def test_variates_are_philox_at_their_place() -> None:
    """Against numpy's own generator; it counts up before it makes a block."""
    seed, sample, winter, day = 2**63 + 5, 7, 3, 40
    of_winters, of_days = innovations(seed, np.array([sample]), winters=winter + 1, first_day=FIRST_DAY, days=DAYS)

    def normals(step: int, unit: int) -> np.ndarray:
        counter = np.array([step - 1, winter, sample, unit], dtype=np.uint64)
        generator = np.random.Philox(key=np.array([seed, STREAM], dtype=np.uint64), counter=counter)
        return ndtri(((generator.random_raw(2) >> np.uint64(12)) + 0.5) * 2.0**-52)

    from_july = FIRST_DAY - FIRST_OF_JULY + day
    np.testing.assert_array_equal(of_days[winter, day + 1, :, 0], normals(from_july, 0))
    counter = np.array([2**64 - 1, winter - 1, sample, 1], dtype=np.uint64)  # the one before (0, winter, ...)
    generator = np.random.Philox(key=np.array([seed, STREAM], dtype=np.uint64), counter=counter)
    assert of_winters[winter, 0] == ndtri(((generator.random_raw() >> 12) + 0.5) * 2.0**-52)


def test_variates_are_standard_normal_and_unrelated() -> None:
    """Between seeds, samples, winters, days and the two kinds: 40,000 pairs or more, four standard errors."""
    _, first = innovations(1, np.arange(40), winters=12, first_day=FIRST_DAY, days=100)
    _, other = innovations(2, np.arange(40), winters=12, first_day=FIRST_DAY, days=100)
    assert first.mean() == pytest.approx(0.0, abs=4.0 / np.sqrt(first.size))
    assert first.var() == pytest.approx(1.0, abs=4.0 * np.sqrt(2.0 / first.size))
    pairs = {
        "seeds": (first, other),
        "samples": (first[..., 1:], first[..., :-1]),
        "winters": (first[1:], first[:-1]),
        "days": (first[:, 1:], first[:, :-1]),
        "kinds": (first[:, :, 0], first[:, :, 1]),
    }
    correlations = {name: float((a * b).mean() * np.sqrt(a.size)) for name, (a, b) in pairs.items()}
    assert all(abs(value) < 4.0 for value in correlations.values()), correlations


def test_lanes_do_not_touch() -> None:
    """A sample's temperatures have the same bits alone and among others."""
    climate = season(**CLIMATE)
    _, of_days = innovations(6, np.arange(13), winters=1, first_day=FIRST_DAY, days=DAYS)
    together = winter_temperatures(climate, of_days, np.zeros((1, 13)))
    alone = winter_temperatures(climate, of_days[..., 7:8].copy(), np.zeros((1, 1)))
    np.testing.assert_array_equal(alone[..., 0], together[..., 7])


def test_hour_is_between_two_middays() -> None:
    """Against the formula written out for one afternoon hour and one morning hour."""
    _, of_days = innovations(8, np.arange(3), winters=1, first_day=FIRST_DAY, days=DAYS)
    mean, diurnal_range, out = np.empty((DAYS + 2, 3)), np.empty((DAYS + 2, 3)), np.empty(3)
    climate = season(**CLIMATE)
    daily_states(climate, of_days[0], np.zeros(3), mean, diurnal_range)
    values = mean[:, None] + diurnal_range[:, None] * climate.diurnal_shape[:, None]
    for hour, rows, late in ((3, (10, 11), 15.5 / 24.0), (15, (11, 12), 3.5 / 24.0)):
        hourly_temperature(climate, mean, diurnal_range, 10, hour, out)
        early_value, late_value = values[rows[0], hour], values[rows[1], hour]
        np.testing.assert_allclose(out, (1.0 - late) * early_value + late * late_value, rtol=1e-14)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("persistence", 0.2),
        ("persistence", 1.0),
        ("cold_skewness", 1.5),
        ("cold_kurtosis", -0.6),
        ("cold_kurtosis", 2.1),
        ("cold_kurtosis", float("nan")),
    ],
)
def test_impossible_parameters(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be between .* got {value}"):
        season(**{**CLIMATE, name: value})


@pytest.mark.parametrize(
    "shape", [np.zeros(24), np.ones(24), np.linspace(-0.5, 0.5, 12), 2.0 * CLIMATE["diurnal_shape"]]
)
def test_impossible_shape(shape: np.ndarray) -> None:
    with pytest.raises(ValueError, match="diurnal_shape must be 24 numbers of zero mean and range one"):
        season(**{**CLIMATE, "diurnal_shape": shape})
