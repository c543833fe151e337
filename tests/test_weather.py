"""The generated winters against the station's record, and the variates' independence of everything but their place."""

from typing import Any

import numpy as np
import pytest

from kernels.weather import (
    DAYS_IN_MONTH,
    DIURNAL_SHAPE,
    daily_states,
    hourly_temperature,
    innovations,
    season,
    seasonal_cycle,
    winter_offsets,
    winter_temperatures,
)

# Means and ranges: typical year (TMYx, station 543420), ranges smoothed. The others are fitted: see the tails below.
SHENYANG: dict[str, Any] = {
    "monthly_temperature": np.array([-10.66, -6.17, 1.54, 10.46, 17.28, 21.9, 24.9, 23.76, 17.23, 9.89, 1.3, -7.67]),
    "daily_standard_deviation": np.array([5.5, 5.1, 4.4, 3.5, 2.7, 2.3, 2.3, 2.7, 3.4, 4.3, 5.1, 5.5]),
    "diurnal_range": np.array([6.8, 8.1, 9.8, 10.2, 9.1, 7.5, 6.9, 7.8, 9.0, 9.2, 8.1, 6.8]),
    "diurnal_variability": 0.4,
    "persistence": 0.73,
    "cold_skewness": 0.0,
}
STILL = {**SHENYANG, "daily_standard_deviation": np.zeros(12), "diurnal_variability": 0.0}
SEASON_STANDARD_DEVIATION = 1.2
DAYS = 151
MONTHS = {"November": (0, 30), "December": (30, 61), "January": (61, 92), "February": (92, 120), "March": (120, 151)}


def generate(climate: dict, *, samples: int, winters: int, seed: int = 1) -> np.ndarray:
    """Temperatures of shape (samples · winters, days, 24), without trend."""
    of_winters, of_days = innovations(seed, np.arange(samples), winters=winters, days=DAYS)
    offsets = winter_offsets(
        of_winters, season_standard_deviation=SEASON_STANDARD_DEVIATION, mean_offset=0.0, warming=0.0
    )
    hours = winter_temperatures(season(**climate), of_days, offsets)
    return hours.transpose(2, 0, 1).reshape(samples * winters, DAYS, 24)


@pytest.fixture(scope="module")
def shenyang() -> np.ndarray:
    return generate(SHENYANG, samples=150, winters=20)


def test_shenyang_means_and_minimum(shenyang: np.ndarray) -> None:
    """Within three standard errors of the record, and within an absolute limit that more winters can't loosen."""
    daily = shenyang.mean(axis=2)
    rows = [  # name, one value per winter, record, largest tolerable error
        ("season mean", daily.mean(axis=1), -4.33, 0.2),
        ("degree-days below 18 °C", np.maximum(18.0 - daily, 0.0).sum(axis=1), 3372.0, 30.0),
        ("mean annual minimum", shenyang.min(axis=(1, 2)), -25.4, 0.3),
    ]
    normals = dict(zip(MONTHS, (1.30, -7.67, -10.66, -6.17, 1.54), strict=True))
    rows += [(name, daily[:, slice(*MONTHS[name])].mean(axis=1), normals[name], 0.25) for name in MONTHS]
    table, failed = [], []
    for name, winters, record, limit in rows:
        error, standard_error = winters.mean() - record, winters.std(ddof=1) / np.sqrt(len(winters))
        table.append(f"{name:25} {record:9.2f} {winters.mean():9.2f} ± {standard_error:.2f}")
        if abs(error) > min(3.0 * standard_error, limit):
            failed.append(name)
    assert not failed, f"{failed}\n" + "\n".join(table)


def test_shenyang_tails(shenyang: np.ndarray) -> None:
    """Hours below thresholds and rare minima.

    The return minima are Gumbel quantiles of the mean and standard deviation of about 25 annual minima (ASHRAE), whose
    own standard errors are 0.4 K (standard deviation) and 1.0 to 2.1 K (5 to 50 years): the limits are 0.4 and 1.0 K.
    The generator has fewer cold hours than the record: its December is the typical year's, 0.9 K milder than ASHRAE's,
    and it has no weather faster than a day. It must not have more, nor less than two thirds.
    """
    minima = shenyang.min(axis=(1, 2))
    rows = [  # name, generated, record, lowest and highest tolerated
        ("sd of annual minimum", minima.std(ddof=1), 3.1, 2.7, 3.5),
        *(
            (f"{years}-year minimum", np.quantile(minima, 1.0 / years), record, record - 1.0, record + 1.0)
            for years, record in ((5, -27.6), (10, -29.4), (20, -31.2), (50, -33.4))
        ),
        *(
            (f"hours below {limit} °C", (shenyang < limit).sum() / len(shenyang), record, record * 2.0 / 3.0, record)
            for limit, record in ((-16.9, 240.0), (-20.0, 113.0), (-20.5, 88.0), (-22.9, 35.0))
        ),
    ]
    table = "\n".join(f"{name:22} {record:8.2f} {generated:8.2f}" for name, generated, record, _, _ in rows)
    failed = [name for name, generated, _, low, high in rows if not low <= generated <= high]
    assert not failed, f"{failed}\n{table}"


@pytest.mark.parametrize("skewness", [-0.5, 0.0, 0.5])
def test_daily_means_have_the_requested_moments(skewness: float) -> None:
    climate = {**SHENYANG, "daily_standard_deviation": np.full(12, 4.0), "cold_skewness": skewness}
    of_winters, of_days = innovations(5, np.arange(60), winters=20, days=DAYS)
    hours = winter_temperatures(season(**climate), of_days, np.zeros_like(of_winters))
    still = winter_temperatures(season(**STILL), of_days[:1, :, :, :1], np.zeros((1, 1)))[0, :, 0]
    daily = (hours.transpose(0, 2, 1) - still).reshape(-1, DAYS, 24).mean(axis=2)
    persistence = (daily[:, 1:] * daily[:, :-1]).mean() / (daily**2).mean()
    # 1,200 winters of about 24 independent days each: standard errors about 0.025 K, 0.003, 0.02.
    assert daily.mean() == pytest.approx(0.0, abs=0.1)
    assert daily.std() == pytest.approx(4.0, abs=0.08)
    assert persistence == pytest.approx(SHENYANG["persistence"], abs=0.01)
    of_means = (daily**3).mean() / daily.std() ** 3  # a mean over three middays is a little less skewed than each
    assert abs(of_means) < 0.06 if skewness == 0.0 else 0.75 < of_means / -skewness <= 1.0


def test_seasonal_cycle_keeps_the_monthly_means() -> None:
    monthly = SHENYANG["monthly_temperature"]
    year = seasonal_cycle(monthly, first_day=1, days=365)
    means = [month.mean() for month in np.split(year, np.cumsum(DAYS_IN_MONTH)[:-1])]
    np.testing.assert_allclose(means, monthly, atol=1e-12)
    np.testing.assert_array_equal(seasonal_cycle(monthly, first_day=305, days=151), np.r_[year[304:], year[:90]])
    assert np.abs(np.diff(np.append(year, year[0]))).max() < 0.4  # no step: the steepest month has 9 K in 30 days


def test_without_spread_the_cycle_is_left() -> None:
    """Offsets shift it by their own amount, and interpolation moves no month by more than the cycle's curvature."""
    of_winters, of_days = innovations(3, np.arange(2), winters=3, days=DAYS)
    offsets = winter_offsets(
        of_winters, season_standard_deviation=0.0, mean_offset=np.array([0.0, -2.0]), warming=np.array([0.0, 5.0])
    )
    np.testing.assert_allclose(offsets, [[0.0, -2.0], [0.0, -1.5], [0.0, -1.0]], atol=1e-15)
    hours = winter_temperatures(season(**STILL), of_days, offsets)
    np.testing.assert_allclose(hours[:, :, 1] - hours[:, :, 0], offsets[:, 1:] * np.ones((3, 24 * DAYS)), atol=1e-12)
    np.testing.assert_array_equal(hours[0, :, 0], hours[2, :, 0])
    daily = hours[0, :, 0].reshape(DAYS, 24)
    cycle = seasonal_cycle(SHENYANG["monthly_temperature"], first_day=305, days=DAYS)
    np.testing.assert_allclose(daily.mean(axis=1), cycle, atol=0.02)
    january = slice(*MONTHS["January"])
    assert np.ptp(daily[january].mean(axis=0)) == pytest.approx(6.8, abs=0.4)
    assert DIURNAL_SHAPE.sum() == pytest.approx(0.0, abs=1e-14)
    assert (DIURNAL_SHAPE.argmin(), DIURNAL_SHAPE.argmax()) == (5, 14)


def test_no_step_at_midnight() -> None:
    """Midnight goes on with the line of the hour before; the cycle adds its own small step there, and no more."""
    of_winters, of_days = innovations(4, np.arange(50), winters=2, days=DAYS)
    no_offset = np.zeros_like(of_winters)
    flat = season(**{**SHENYANG, "diurnal_range": np.zeros(12)})
    steps = np.diff(winter_temperatures(flat, of_days, no_offset), axis=1)
    np.testing.assert_allclose(steps[:, 23::24], steps[:, 22:-1:24], atol=1e-12)
    cycle = season(**{**SHENYANG, "monthly_temperature": np.zeros(12), "daily_standard_deviation": np.zeros(12)})
    hours = winter_temperatures(cycle, of_days, no_offset)
    own_step = abs(DIURNAL_SHAPE[0] - DIURNAL_SHAPE[23]) * np.ptp(hours)
    assert np.abs(np.diff(hours, axis=1)[:, 23::24]).max() < own_step


def test_variates_depend_on_their_place_alone() -> None:
    of_winters, of_days = innovations(9, np.arange(8), winters=3, days=20)
    chosen = np.array([6, 1, 4])
    fewer = innovations(9, chosen, winters=3, days=20)
    np.testing.assert_array_equal(fewer[0], of_winters[:, chosen])
    np.testing.assert_array_equal(fewer[1], of_days[..., chosen])
    more = innovations(9, np.arange(8), winters=5, days=33)
    np.testing.assert_array_equal(more[0][:3], of_winters)
    np.testing.assert_array_equal(more[1][:3, :22], of_days)


def test_variates_are_standard_normal_and_unrelated() -> None:
    """Between seeds, samples, winters, days and the two kinds: 40,000 pairs or more, four standard errors."""
    _, first = innovations(1, np.arange(40), winters=12, days=100)
    _, other = innovations(2, np.arange(40), winters=12, days=100)
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
    climate = season(**SHENYANG)
    _, of_days = innovations(6, np.arange(13), winters=1, days=DAYS)
    together = winter_temperatures(climate, of_days, np.zeros((1, 13)))
    alone = winter_temperatures(climate, of_days[..., 7:8].copy(), np.zeros((1, 1)))
    np.testing.assert_array_equal(alone[..., 0], together[..., 7])


def test_hour_is_between_two_middays() -> None:
    """Against the formula written out for one afternoon hour and one morning hour."""
    _, of_days = innovations(8, np.arange(3), winters=1, days=DAYS)
    mean, diurnal_range, out = np.empty((DAYS + 2, 3)), np.empty((DAYS + 2, 3)), np.empty(3)
    daily_states(season(**SHENYANG), of_days[0], np.zeros(3), mean, diurnal_range)
    values = mean[:, None] + diurnal_range[:, None] * DIURNAL_SHAPE[:, None]
    for hour, rows, late in ((3, (10, 11), 15.5 / 24.0), (15, (11, 12), 3.5 / 24.0)):
        hourly_temperature(mean, diurnal_range, 10, hour, out)
        early_value, late_value = values[rows[0], hour], values[rows[1], hour]
        np.testing.assert_allclose(out, (1.0 - late) * early_value + late * late_value, rtol=1e-14)


@pytest.mark.parametrize(("name", "value"), [("persistence", 0.2), ("persistence", 1.0), ("cold_skewness", 1.5)])
def test_impossible_parameters(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be between .* got {value}"):
        season(**{**SHENYANG, name: value})
