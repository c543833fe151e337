"""Estimates against closed forms, and intervals that hold the truth as often as they say."""

import functools
from collections.abc import Callable

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtri
from scipy.stats import qmc

from study.statistics import Estimate, mean, probability, quantile, ratio, variance_share

REPLICATES = 16
REPETITIONS = 200
DIMENSIONS = 10
Design = Callable[[int, int], np.ndarray]


def dealt(rows: int, replicates: int = REPLICATES) -> np.ndarray:
    return np.arange(rows) % replicates


def sobol(seed: int, rows: int) -> np.ndarray:
    u = np.empty((rows, DIMENSIONS))
    for replicate in range(REPLICATES):
        rng = np.random.default_rng([seed, replicate])
        u[replicate::REPLICATES] = qmc.Sobol(DIMENSIONS, rng=rng).random(rows // REPLICATES) + 2.0**-31
    return u


def monte_carlo(seed: int, rows: int) -> np.ndarray:
    return np.random.default_rng(seed).random((rows, DIMENSIONS))


def test_mean_of_samples() -> None:
    # means of the two replicates 1 and 3: standard error 1, Student's t with one degree of freedom
    values, replicate = np.array([0.0, 2.0, 2.0, 4.0]), np.array([0, 1, 0, 1])
    estimate = mean(values, replicate)
    assert estimate.value == 2
    half = np.tan(0.95 * np.pi / 2)
    assert (estimate.low, estimate.high) == pytest.approx((2 - half, 2 + half), rel=1e-9)


def test_mean_of_samples_and_winters() -> None:
    values = np.random.default_rng(1).normal(size=(64, 5))
    replicate = dealt(64, 4)
    each = values.reshape(16, 4, 5).mean(axis=(0, 2))
    low, high = stats.t.interval(0.95, 3, each.mean(), stats.sem(each))
    estimate = mean(values, replicate)
    assert estimate.value == pytest.approx(values.mean(), rel=1e-12)
    assert (estimate.low, estimate.high) == pytest.approx((low, high), rel=1e-9)


def test_replicates_may_have_any_number_and_any_order() -> None:
    values = np.random.default_rng(2).normal(size=50)
    replicate = dealt(50, 3)
    order = np.random.default_rng(3).permutation(50)
    one, two = mean(values, replicate), mean(values[order], 10 - 4 * replicate[order])
    assert (one.value, one.low, one.high) == pytest.approx((two.value, two.low, two.high), rel=1e-12)


def test_one_replicate_gives_no_interval() -> None:
    estimate = mean(np.arange(30.0), np.zeros(30, dtype=np.int64))
    assert estimate.value == 14.5
    assert np.isnan([estimate.low, estimate.high]).all()


@pytest.mark.parametrize("p", [0.05, 0.5, 0.95])
@pytest.mark.parametrize("shape", [(400,), (400, 7), (12,), (12, 7)])
def test_value_of_a_quantile(p: float, shape: tuple[int, ...]) -> None:
    values = np.random.default_rng(4).normal(size=shape)
    estimate = quantile(values, dealt(shape[0], 4), p)
    assert estimate.value == np.quantile(values, p)
    assert shape[0] == 12 or estimate.low < estimate.value < estimate.high


def test_median_of_few_rows_lies_between_order_statistics() -> None:
    # Conover 1999, Practical nonparametric statistics, section 3.2: of 20 values the 6th and the 15th
    values = np.random.default_rng(5).permutation(np.arange(1.0, 21.0))
    assert quantile(values, dealt(20, 4), 0.5) == Estimate(10.5, 6.0, 15.0)


@pytest.mark.parametrize(("rows", "p"), [(20, 0.05), (5, 0.5), (1, 0.5)])
def test_a_quantile_of_too_few_rows_has_no_full_interval(rows: int, p: float) -> None:
    estimate = quantile(np.arange(float(rows)), dealt(rows, 4), p)
    assert estimate.value == np.quantile(np.arange(rows), p)
    assert np.isnan([estimate.low, estimate.high]).any()


def test_a_quantile_over_few_samples_and_their_winters_has_no_interval() -> None:
    estimate = quantile(np.random.default_rng(6).normal(size=(20, 30)), dealt(20, 4), 0.5)
    assert np.isfinite(estimate.value)
    assert np.isnan([estimate.low, estimate.high]).all()


@pytest.mark.parametrize("winters", [None, 30])
@pytest.mark.parametrize("replicates", [4, 16])
@pytest.mark.parametrize("exact", [True, False])
def test_never_and_always_have_the_exact_binomial_bound(winters: int | None, replicates: int, exact: bool) -> None:
    shape = (320,) if winters is None else (320, winters)
    bound = 0.025 ** (1 / 320)  # (1 - p)^n = 0.025
    never = probability(np.zeros(shape, dtype=bool), dealt(320, replicates), monte_carlo=exact)
    always = probability(np.ones(shape, dtype=bool), dealt(320, replicates), monte_carlo=exact)
    assert (never.value, never.low, never.high) == pytest.approx((0, 0, 1 - bound), rel=1e-9)
    assert (always.value, always.low, always.high) == pytest.approx((1, bound, 1), rel=1e-9)


@pytest.mark.parametrize(("rows", "exact"), [(400, True), (20, False), (20, True)])
def test_random_or_few_rows_have_the_exact_binomial_interval(rows: int, exact: bool) -> None:
    hits = rows // 5
    event = np.random.default_rng(7).permutation(rows) < hits
    estimate = probability(event, dealt(rows, 4), monte_carlo=exact)
    low, high = stats.beta.ppf(0.025, hits, rows - hits + 1), stats.beta.ppf(0.975, hits + 1, rows - hits)
    assert (estimate.value, estimate.low, estimate.high) == pytest.approx((0.2, low, high), rel=1e-9)


def test_many_scrambled_rows_have_the_interval_of_their_replicates() -> None:
    event = np.random.default_rng(8).random(400) < 0.2
    one, two = probability(event, dealt(400, 4)), mean(event.astype(float), dealt(400, 4))
    assert one == two


def test_share_of_winters() -> None:
    event = np.random.default_rng(9).random((400, 6)) < 0.01
    replicate = dealt(400, 4)
    estimate, unclipped = probability(event, replicate), mean(event.astype(float), replicate)
    assert estimate.value == pytest.approx(event.mean(), rel=1e-12)
    assert estimate.high == unclipped.high
    rare = np.zeros((400, 6), dtype=bool)
    rare[0, 0] = True
    assert mean(rare.astype(float), replicate).low < 0
    assert probability(rare, replicate).low == 0
    assert probability(~rare, replicate).high == 1


def test_a_step_of_the_distribution_is_its_own_interval() -> None:
    # some nine in ten zeros: quantiles below are zero for sure, the return level of one in 50 lies among the others
    values = np.maximum(0.0, np.random.default_rng(11).random((400, 5)) - 0.9)
    replicate = dealt(400, 4)
    for p in (0.02, 0.5):
        assert quantile(values, replicate, p) == Estimate(0.0, 0.0, 0.0)
    estimate = quantile(values, replicate, 0.98)
    assert 0 < estimate.low < estimate.value < estimate.high


@pytest.mark.parametrize(("rows", "told"), [(183, True), (182, False)])
def test_what_never_happened_has_return_level_zero_where_samples_are_enough(rows: int, told: bool) -> None:
    # with 95 % confidence it happens in less than 1 - 0.025^(1/n) of the samples: less than 1 in 50 from n = 183 on
    assert (0.025 ** (1 / rows) >= 0.98) == told
    estimate = quantile(np.zeros((rows, 3)), dealt(rows), 0.98)
    assert (estimate.value, estimate.low) == (0, 0)
    assert estimate.high == 0 if told else np.isnan(estimate.high)


def test_a_quantile_near_the_end_may_have_one_bound() -> None:
    # of 40 samples in two replicates a tenth exceeds 0, with an interval far wider than what is left above 0.98
    values = np.arange(40.0)
    estimate = quantile(values, np.repeat([0, 1], 20), 0.98)
    assert estimate.value == np.quantile(values, 0.98)
    assert np.isnan(estimate.high)


def test_ratio_of_means() -> None:
    # 12 h in 4 shortfalls; linearised (h - 3 n)/2: means of the replicates -1/2 and 1/2, standard error 1/2
    hours, number = np.array([[0.0, 4.0], [8.0, 12.0]]) / 2, np.array([[0.0, 2.0], [2.0, 4.0]]) / 2
    replicate = np.array([0, 1])
    estimate = ratio(hours, number, replicate)
    assert estimate.value == pytest.approx(3.0, rel=1e-12)
    half = 0.5 * np.tan(0.95 * np.pi / 2)
    assert (estimate.low, estimate.high) == pytest.approx((3 - half, 3 + half), rel=1e-9)
    assert np.isnan(ratio(hours, 0 * number, replicate).value)
    assert np.isnan(ratio(hours[:1], number[:1], replicate[:1]).low)


def test_variance_share_of_samples_that_differ_and_of_winters_that_do() -> None:
    certain = np.repeat(np.arange(8.0)[:, np.newaxis], 6, axis=1) + np.arange(6.0) ** 2
    replicate = dealt(8, 4)
    assert variance_share(certain, replicate).value == pytest.approx(1.0, rel=1e-12)
    turned = np.where((np.arange(8)[:, np.newaxis] + np.arange(6)) % 2, 1.0, -1.0)
    assert variance_share(turned, replicate).value == 0
    for untold in (certain[:, :1], np.full((8, 6), 0.1)):
        assert np.isnan(variance_share(untold, replicate).value)


def test_what_comes_slowly_is_not_taken_for_chance() -> None:
    rng = np.random.default_rng(10)
    drawdown = rng.normal(size=(4000, 1)) * np.linspace(-np.sqrt(3), np.sqrt(3), 30)
    values = drawdown + rng.normal(size=(4000, 30))
    estimate = variance_share(values, dealt(4000))
    slow = (drawdown**2).mean()
    steps = 0.5 * (np.diff(drawdown, axis=1) ** 2).mean()
    assert steps < 0.01 * slow
    assert estimate.low < (slow - steps) / (slow + 1) < estimate.high


@functools.cache
def repeated_normals(design: Design, rows: int) -> np.ndarray:
    """Normal scores of one design after another, shape (repetition, row, dimension)."""
    return ndtri(np.stack([design(seed, rows) for seed in range(REPETITIONS)]))


def coverage(estimate: Callable[[np.ndarray, np.ndarray], Estimate], truth: float, design: Design, rows: int) -> int:
    found = [estimate(z, dealt(rows)) for z in repeated_normals(design, rows)]
    return sum(each.low <= truth <= each.high for each in found)


def normal_sum(z: np.ndarray) -> np.ndarray:
    return z.sum(axis=1) / np.sqrt(DIMENSIONS)


def lumpy(z: np.ndarray) -> np.ndarray:
    """Neither linear nor symmetric; its mean is exp(1/8) + 1."""
    return np.exp(0.5 * z[:, 0]) + z[:, 1] ** 2 + z[:, 2] * z[:, 3]


def samples_and_winters(z: np.ndarray) -> np.ndarray:
    """Nine winters a sample, as much variance between the samples as between the winters of each."""
    return z[:, :1] + z[:, 1:]


def shortfalls(z: np.ndarray) -> np.ndarray:
    """Nothing in six winters of seven."""
    return np.maximum(0.0, samples_and_winters(z) - 1.5)


@pytest.mark.parametrize("design", [sobol, monte_carlo])
@pytest.mark.parametrize("rows", [256, 1024])
@pytest.mark.parametrize(
    ("estimate", "truth"),
    [
        pytest.param(lambda z, r: mean(lumpy(z), r), np.exp(0.125) + 1, id="mean"),
        pytest.param(lambda z, r: mean(z[:, :2] + normal_sum(z)[:, None], r), 0.0, id="mean of samples and winters"),
        pytest.param(lambda z, r: probability(normal_sum(z) > 0.5, r), stats.norm.sf(0.5), id="probability"),
        pytest.param(
            lambda z, r: probability(np.stack([z[:, 0] > 1, normal_sum(z) > 1], axis=1), r),
            stats.norm.sf(1.0),
            id="share of winters",
        ),
        pytest.param(lambda z, r: quantile(normal_sum(z), r, 0.5), 0.0, id="median"),
        pytest.param(lambda z, r: quantile(z[:, 0] + z[:, 1], r, 0.05), np.sqrt(2) * stats.norm.ppf(0.05), id="5 %"),
        pytest.param(lambda z, r: quantile(normal_sum(z), r, 0.95), stats.norm.ppf(0.95), id="95 %"),
        pytest.param(
            lambda z, r: quantile(shortfalls(z), r, 0.98), np.sqrt(2) * stats.norm.ppf(0.98) - 1.5, id="return level"
        ),
        pytest.param(lambda z, r: ratio(np.exp(z[:, 0]), z[:, 1] ** 2, r), np.exp(0.5), id="ratio"),
        pytest.param(lambda z, r: variance_share(samples_and_winters(z), r), 0.5, id="variance share"),
    ],
)
def test_intervals_hold_the_truth_in_95_of_100_cases(
    estimate: Callable[[np.ndarray, np.ndarray], Estimate], truth: float, design: Design, rows: int
) -> None:
    hits = coverage(estimate, truth, design, rows)
    assert stats.binomtest(hits, REPETITIONS, 0.95).pvalue > 1e-3, f"{hits} of {REPETITIONS}"


@pytest.mark.parametrize("threshold", [0.5, 2.0, 3.0])
def test_exact_intervals_hold_the_truth_at_least_that_often(threshold: float) -> None:
    truth = stats.norm.sf(threshold)
    hits = coverage(lambda z, r: probability(normal_sum(z) > threshold, r, monte_carlo=True), truth, monte_carlo, 256)
    assert stats.binomtest(hits, REPETITIONS, 0.95, alternative="less").pvalue > 1e-3, f"{hits} of {REPETITIONS}"


def test_sobol_intervals_are_the_narrower_ones() -> None:
    widths = {}
    for design in (sobol, monte_carlo):
        estimates = [mean(lumpy(z), dealt(1024)) for z in repeated_normals(design, 1024)[:20]]
        widths[design] = np.mean([each.high - each.low for each in estimates])
    assert widths[sobol] < 0.7 * widths[monte_carlo]
