"""What a measurement is worth: regressions against the exact answers of a linear case with normal inputs."""

import numpy as np
import pytest
from scipy.special import ndtri
from scipy.stats import norm

from study.value import DRAWS, fitted, gains, regressors

ROWS, FOLD = 4096, np.arange(4096) % 8


def unit_normal_loss(mean: float, deviation: float) -> float:
    """E[max(0, X)] - max(0, E[X]) of a normal X (Raiffa and Schlaifer 1961)."""
    z = abs(mean) / deviation
    return float(deviation * (norm.pdf(z) - z * norm.sf(z)))


@pytest.fixture(scope="module")
def normal() -> np.ndarray:
    return ndtri(np.random.default_rng(5).random((3, ROWS)))


@pytest.mark.parametrize(("error", "correlation"), [(0.0, 0.0), (0.5, 0.0), (2.0, 0.0), (0.0, 0.6)])
def test_value_is_that_of_the_linear_normal_case(normal: np.ndarray, error: float, correlation: float) -> None:
    x, z = normal[0], correlation * normal[0] + np.sqrt(1 - correlation**2) * normal[1]
    over = 0.4 + 1.0 * x + 0.8 * z
    utility = np.stack([over, np.zeros(ROWS)], axis=1)
    draws = 1 if error == 0.0 else DRAWS
    seen = x + error * np.random.default_rng(6).standard_normal((draws, ROWS))
    found = gains(utility, regressors(seen.reshape(1, -1)).reshape(draws, ROWS, -1), FOLD, best=0)
    slope = (1.0 + 0.8 * correlation) / np.sqrt(1.0 + error**2)
    exact = unit_normal_loss(0.4, slope)
    assert abs(found.mean() - exact) < 4 * found.std() / np.sqrt(ROWS)
    assert found.mean() > 0.5 * exact


def test_a_decision_that_never_changes_is_worth_nothing(normal: np.ndarray) -> None:
    utility = np.stack([50.0 + normal[0], np.zeros(ROWS)], axis=1)
    assert (gains(utility, regressors(normal[:1])[None], FOLD, best=0) == 0.0).all()


def test_knowing_more_is_worth_more_up_to_knowing_all(normal: np.ndarray) -> None:
    x, z, e = normal
    utility = np.stack([x + z, 0.5 * x - z, np.zeros(ROWS)], axis=1)
    best = int(utility.mean(axis=0).argmax())
    values = [
        gains(utility, regressors(np.array(seen))[None], FOLD, best=best).mean()
        for seen in ([x + 2.0 * e], [x], [x, z])
    ]
    everything = (utility.max(axis=1) - utility[:, best]).mean()
    assert values[0] < values[1] < values[2] <= everything
    assert values[2] == pytest.approx(everything, rel=0.02)


def test_regression_is_the_conditional_mean(normal: np.ndarray) -> None:
    x, z, _ = normal
    found = fitted((np.sin(x) + z)[:, None], regressors(x[None])[None], FOLD)[0, :, 0]
    inner = np.abs(x) < 2
    assert np.abs(found - np.sin(x))[inner].max() < 0.15
