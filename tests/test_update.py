"""Samples weighed by readings: the conjugate normal case, synthetic truth, and bad files."""

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from study.config import load_study
from study.errors import ConfigError
from study.readings import read_readings
from study.updating import ReadingError, log_likelihood, pareto_shape, reweight
from tests.conftest import SMOKE


def test_weights_are_those_of_the_conjugate_normal_case() -> None:
    x = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)  # prior N(0, 1), points of equal probability
    observed, variance = np.array([0.8, 1.1, 0.5]), 0.5
    found = reweight(log_likelihood(observed, np.repeat(x[:, None], 3, axis=1), variance * np.eye(3))[0])
    exact = 1.0 / (1.0 + 3 / variance)  # Gelman et al. 2013, Bayesian data analysis, equation 2.12
    mean = found.weight @ x
    assert mean == pytest.approx(exact * observed.sum() / variance, abs=2e-3)
    assert found.weight @ (x - mean) ** 2 == pytest.approx(exact, rel=5e-3)
    assert not found.remark


def test_a_bias_of_the_season_is_not_averaged_away() -> None:
    error = ReadingError(sensor=0.1, bias=0.3, drift=1e-6)
    covariance = error.covariance(np.arange(150.0), np.zeros(150, np.int64), np.zeros(150, np.int64))
    of_mean = 1.0 / np.linalg.inv(covariance).sum()
    assert of_mean == pytest.approx(0.3**2 + 0.1**2 + 0.1**2 / 150, rel=1e-6)


def test_few_samples_with_the_weight_ask_for_a_new_run() -> None:
    x = np.random.default_rng(1).standard_normal(1000)
    found = reweight(-0.5 * ((x - 3.5) / 0.05) ** 2)
    assert "effective" in found.remark or "Pareto" in found.remark


@pytest.mark.parametrize("k", [0.2, 0.7])
def test_shape_of_a_pareto_tail(k: float) -> None:
    excess = stats.genpareto.ppf((np.arange(2000) + 0.5) / 2000, k, scale=3.0)
    shape, scale = pareto_shape(excess)
    assert shape == pytest.approx(k, abs=0.05)
    assert scale == pytest.approx(3.0, rel=0.05)


def test_truth_is_in_the_range_nine_times_of_ten() -> None:
    random = np.random.default_rng(2)
    x = random.standard_normal((2000, 2))
    day = np.arange(60.0)
    predicted = 12.0 + x[:, :1] + x[:, 1:] * np.log1p(day) / 3
    none = np.zeros(60, np.int64)
    covariance = ReadingError().covariance(day, none, none)
    inside = 0
    for truth in range(200):
        observed = predicted[truth] + random.multivariate_normal(np.zeros(60), covariance)
        others = np.arange(2000) != truth
        weight = reweight(log_likelihood(observed, predicted[others], covariance)[0]).weight
        low, high = np.quantile(x[others, 0], [0.05, 0.95], weights=weight, method="inverted_cdf")
        inside += bool(low <= x[truth, 0] <= high)
    assert stats.binomtest(inside, 200, 0.9).pvalue > 0.001


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "header"),
        ("date,outlet_temperature\n2026-11-01,12\n", "header"),
        ("date,outlet_temperature (kg),heat\n", "allowed: a unit"),
        ("date,outlet_temperature,heat\n2026-11-01,warm,3\n", "line 2"),
        ("date,outlet_temperature,heat\n2026-13-01,12,3\n", "date"),
        ("date,outlet_temperature,heat\n2026-11-01,12,3\n2026-11-01,12,3\n", "twice"),
        ("date,outlet_temperature,heat\n2026-11-01,12\n", "cells"),
        ("date,outlet_temperature,heat\n2026-07-01,12,3\n", "days of the season"),
    ],
)
def test_bad_readings_are_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "readings.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        read_readings(path, load_study(SMOKE))


def test_first_and_last_day_of_the_season_have_their_places(tmp_path: Path) -> None:
    study, path = load_study(SMOKE), tmp_path / "readings.csv"
    days = ["2026-10-31", "2026-11-01", "2026-12-31", "2027-01-01", "2027-02-28", "2027-03-31", "2027-04-01"]
    path.write_text("date,outlet_temperature,heat (MWh/d)\n" + "".join(f"{day},12,2.4\n" for day in days))
    found = read_readings(path, study)
    assert found.day.tolist() == [0, 60, 61, 119, study.season.days - 1]
    assert found.winter.tolist() == [0] * 5
    assert found.heat == pytest.approx(1e5)
    assert "2 days are outside" in found.remarks[0]
