"""Estimates against closed forms, and intervals that hold the truth as often as they say."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from study import statistics
from study.errors import EnsembleError
from study.statistics import Estimate, estimate

REPLICATES = 16


def dealt(rows: int, replicates: int = REPLICATES) -> np.ndarray:
    return np.arange(rows) % replicates


def labelled(values: np.ndarray, replicate: np.ndarray | None = None) -> xr.DataArray:
    data = xr.DataArray(values, dims=("sample", "winter", "well")[: values.ndim])
    return data if replicate is None else data.assign_coords(replicate=("sample", replicate))


def of_all(estimator: Callable[..., xr.Dataset]) -> Callable[..., Estimate]:
    """The estimator of plain arrays, over all of their dimensions."""

    def found(values: np.ndarray, *others: Any, monte_carlo: bool = False) -> Estimate:
        *given, replicate = others
        given = [labelled(other) for other in given]
        design = "monte_carlo" if monte_carlo else "sobol"
        data = labelled(values)
        return estimate(estimator(data, *given, replicate, over=data.dims, design=design))

    return found


mean, probability, ratio, variance_share = map(
    of_all, (statistics.mean, statistics.probability, statistics.ratio, statistics.variance_share)
)


def quantile(values: np.ndarray, replicate: np.ndarray, p: float) -> Estimate:
    data = labelled(values)
    return estimate(statistics.quantile(data, p, replicate, over=data.dims))


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
    found = quantile(values, dealt(20, 4), 0.5)
    assert (found.value, found.low, found.high) == (10.5, 6.0, 15.0)


@pytest.mark.parametrize(("rows", "p"), [(20, 0.05), (5, 0.5), (1, 0.5)])
def test_a_quantile_of_too_few_rows_has_no_full_interval(rows: int, p: float) -> None:
    estimate = quantile(np.arange(float(rows)), dealt(rows, 4), p)
    assert estimate.value == np.quantile(np.arange(rows), p)
    assert np.isnan([estimate.low, estimate.high]).any()


@pytest.mark.parametrize("p", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("rows", [20, 39])
def test_order_statistics_are_those_of_scipy(rows: int, p: float) -> None:
    values = np.random.default_rng(6).normal(size=rows)
    exact = stats.quantile_test(values, p=p).confidence_interval(0.95)
    found = quantile(values, dealt(rows, 4), p)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), nan_ok=True)
    # winters that are all alike tell no more than one
    alike = quantile(np.tile(values[:, None], 30), dealt(rows, 4), p)
    assert (alike.low, alike.high) == (found.low, found.high) or np.isnan([found.low, found.high]).any()


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
    event = np.random.default_rng(9).random((400, 6)) < 0.2
    replicate = dealt(400, 4)
    estimate, unclipped = probability(event, replicate), mean(event.astype(float), replicate)
    assert estimate.value == pytest.approx(event.mean(), rel=1e-12)
    assert estimate.high == unclipped.high
    rare = np.zeros((400, 6), dtype=bool)
    rare[0, 0] = True
    few = probability(rare, replicate)
    # of 400 samples one sixth: no more than one in whom all winters had it
    assert few.low < 1 / 2400 < few.high < stats.binomtest(1, 400).proportion_ci(0.95, method="exact").high
    assert "few events" in few.remark
    assert probability(~rare, replicate).low == pytest.approx(1 - few.high, rel=1e-9)


def test_a_step_of_the_distribution_is_its_own_interval() -> None:
    # some nine in ten zeros: quantiles below are zero for sure, the return level of one in 50 lies among the others
    values = np.maximum(0.0, np.random.default_rng(11).random((400, 5)) - 0.9)
    replicate = dealt(400, 4)
    for p in (0.02, 0.5):
        found = quantile(values, replicate, p)
        assert (found.value, found.low, found.high) == (0.0, 0.0, 0.0)
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


def some(rows: int = 320) -> xr.DataArray:
    data = np.random.default_rng(12).normal(size=(rows, 3, 4))
    return labelled(data, dealt(rows)).assign_coords(winter=[1, 2, 3])


ESTIMATORS: dict[str, Callable[..., xr.Dataset]] = {
    "mean": statistics.mean,
    "probability": lambda x, **how: statistics.probability(x > 0.5, **how),
    "exceedance": lambda x, **how: statistics.exceedance(x, [0.0, 1.0], **how),
    "quantile": lambda x, **how: statistics.quantile(x, [0.1, 0.5], **how),
    "return level": lambda x, **how: statistics.return_level(x, 10, **how),
    "tail": lambda x, **how: statistics.conditional_value_at_risk(x, 0.2, **how),
    "ratio": lambda x, **how: statistics.ratio(x + 5, x + 9, **how),
    "variance share": statistics.variance_share,
}


@pytest.mark.parametrize("design", ["sobol", "monte_carlo"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_other_dimensions_are_kept_and_read_in_any_blocks(
    name: str, design: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    x = some() if design == "sobol" else some().drop_vars("replicate")
    how: dict[str, Any] = {"over": ("sample", "winter"), "design": design}
    whole = ESTIMATORS[name](x, **how)
    assert whole["low"].notnull().all()
    monkeypatch.setattr(statistics, "_BLOCK", 1000)
    xr.testing.assert_allclose(ESTIMATORS[name](x, **how), whole, rtol=1e-9)
    for well in range(4):
        alone = ESTIMATORS[name](x.isel(well=well).transpose("winter", "sample"), **how)
        xr.testing.assert_allclose(alone, whole.isel(well=well), rtol=1e-9)


@pytest.mark.parametrize("name", ESTIMATORS)
def test_failed_samples_widen_or_are_told_and_never_drop_out_in_silence(name: str) -> None:
    x = some().isel(well=0)
    ok = ESTIMATORS[name](x.isel(sample=slice(318)), over=("sample", "winter"))
    lost = x.copy()
    lost[318, 1], lost[319] = np.inf, np.nan
    lost = lost.assign_coords(failed=("sample", np.arange(320) >= 318))
    found = ESTIMATORS[name](lost, over=("sample", "winter"))
    assert found.attrs["failed"] == 2
    np.testing.assert_allclose(found["value"], ok["value"], rtol=1e-9)
    bounded = found["lowest"].notnull() & found["highest"].notnull()
    assert (bounded | found["remark"].str.contains("2 of 320 samples failed")).all()
    assert ((found["lowest"] <= found["value"]) | found["lowest"].isnull()).all()
    assert ((found["low"] <= ok["low"]) & (found["high"] >= ok["high"])).all()
    with pytest.raises(EnsembleError, match=r"2 of 320 samples failed, 0.625 %: more than the 0.5 %"):
        ESTIMATORS[name](lost, over=("sample", "winter"), most_failed=0.005)


def test_bounds_of_failures_by_hand() -> None:
    event = labelled(np.arange(200) < 50, dealt(200)).assign_coords(failed=("sample", np.arange(200) >= 198))
    found = estimate(statistics.probability(event))
    assert (found.value, found.lowest, found.highest) == pytest.approx((50 / 198, 50 / 200, 52 / 200))
    values = labelled(np.arange(201.0), dealt(201)).assign_coords(failed=("sample", np.arange(201) >= 199))
    # 0 ... 198, two of them unknown: the median is the 100th of 201, two places lower or as it stands
    median = estimate(statistics.quantile(values, 0.5))
    assert (median.value, median.lowest, median.highest) == (99.0, 98.0, 100.0)
    mean_of = estimate(statistics.mean(values, limits=(0.0, 402.0)))
    total = 198 * 199 / 2
    assert (mean_of.lowest, mean_of.highest) == pytest.approx((total / 201, (total + 804) / 201))
    # an upper tail whose failed samples are low is that of fewer: the tenth of 200 with 2 below all others
    low = estimate(statistics.conditional_value_at_risk(values.isel(sample=slice(1, None)), 0.1))
    assert low.lowest == pytest.approx(np.arange(179, 199).mean())
    assert np.isnan(low.highest)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=40, max_size=80), st.integers(2, 8))
def test_intervals_end_at_the_limits_and_move_nowhere_else(shares: list[float], replicates: int) -> None:
    values = labelled(np.array(shares), dealt(len(shares), replicates))
    ones = xr.ones_like(values)
    for free, bounded in (
        (statistics.mean(values), statistics.mean(values, limits=(0.0, 1.0))),
        (statistics.ratio(values, ones), statistics.ratio(values, ones, limits=(0.0, 1.0))),
    ):
        one, other = estimate(free), estimate(bounded)
        assert other.value == one.value
        ends = tuple(end if np.isnan(end) else min(max(end, 0.0), 1.0) for end in (one.low, one.high))
        assert (other.low, other.high) == pytest.approx(ends, nan_ok=True)


def test_an_interval_of_a_share_that_reached_beyond_one_ends_there() -> None:
    values = labelled(1.0 - 0.02 * (np.arange(64) % 16 == 0) - 0.01 * (np.arange(64) % 4 == 1), dealt(64, 2))
    free, bounded = estimate(statistics.mean(values)), estimate(statistics.mean(values, limits=(0.0, 1.0)))
    assert free.high > 1.0
    assert (bounded.low, bounded.high) == (free.low, 1.0)
    beyond = labelled(1.0 + 1e-7 * np.arange(64), dealt(64))  # rounded, of 4 bytes: told as it is
    found = estimate(statistics.mean(beyond, limits=(0.0, 1.0)))
    assert found.low < found.value == found.high


def test_usable_tells_expressions_what_failed() -> None:
    status = np.zeros(200, dtype=np.int8)
    status[7] = 2
    dataset = xr.Dataset({"x": ("sample", np.arange(200.0)), "status": ("sample", status)})
    dataset["replicate"] = "sample", dealt(200)
    dataset["x"][7] = np.nan
    found = statistics.probability(statistics.usable(dataset)["x"] >= 100)
    assert found.attrs["failed"] == 1
    assert found["value"] == pytest.approx(100 / 199)
    with pytest.raises(EnsembleError, match="1 of 200 samples failed"):
        statistics.usable(dataset, most_failed=0.001)


def test_samples_of_unknown_replicates_have_a_value_alone() -> None:
    x = labelled(np.random.default_rng(13).normal(size=300))
    for name in ("mean", "probability", "quantile", "tail"):
        found = ESTIMATORS[name](x)
        assert found["value"].notnull().all()
        assert found["low"].isnull().all()
        assert found["remark"].str.contains("no replicates").all()


def test_independent_samples_have_the_textbooks_intervals() -> None:
    values = np.random.default_rng(14).normal(size=300)
    x = labelled(values)
    found = estimate(statistics.mean(x, design="monte_carlo"))
    assert (found.low, found.high) == pytest.approx(stats.t.interval(0.95, 299, values.mean(), stats.sem(values)))
    exact = stats.quantile_test(values, p=0.3).confidence_interval(0.95)
    found = estimate(statistics.quantile(x, 0.3, design="monte_carlo"))
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high))
    share = stats.binomtest(int((values > 0).sum()), 300).proportion_ci(0.9, method="exact")
    found = estimate(statistics.probability(x > 0, design="monte_carlo", confidence=0.9))
    assert (found.low, found.high) == pytest.approx((share.low, share.high))


def test_tail_mean_by_hand() -> None:
    x = labelled(np.random.default_rng(15).permutation(np.arange(1.0, 1001.0)), dealt(1000))
    for tail, mean_of in (("upper", 950.5), ("lower", 50.5)):
        found = estimate(statistics.conditional_value_at_risk(x, 0.1, tail=tail))  # type: ignore[arg-type]
        assert found.value == pytest.approx(mean_of)
        assert found.low < mean_of < found.high
    assert "10 samples in the tail" not in found.remark
    few = estimate(statistics.conditional_value_at_risk(x, 0.01))
    assert np.isnan(few.low)
    assert "samples in the tail are too few" in few.remark


@pytest.mark.parametrize(
    ("values", "words"),
    [(np.full(64, 3.0), "no spread"), (np.r_[np.zeros(61), 1.0, 2.0, 3.0], "all but 3 of 64 samples are alike")],
)
def test_why_there_is_no_interval(values: np.ndarray, words: str) -> None:
    found = mean(values, dealt(64))
    assert found.value == pytest.approx(values.mean())
    assert np.isnan([found.low, found.high]).all()
    assert words in found.remark


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda x: statistics.mean(x.isel(sample=slice(0))), "no sample"),
        (lambda x: statistics.mean(x, over="winter"), "over 'sample'"),
        (lambda x: statistics.mean(x, over=("sample", "year")), "no dimension 'year'"),
        (lambda x: statistics.mean(x, replicate=[1, 2]), "one number for each of 320"),
        (lambda x: statistics.mean(x, design="lattice"), "got 'lattice'"),
        (lambda x: statistics.mean(x, confidence=95), "got 95"),
        (lambda x: statistics.quantile(x, 1.2), "between 0 and 1"),
        (lambda x: statistics.return_level(x, 1), "more than one winter"),
        (lambda x: statistics.conditional_value_at_risk(x, 0.0), "more than 0"),
    ],
)
def test_what_cannot_be_asked(wrong: Callable[[xr.DataArray], xr.Dataset], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        wrong(some())


def test_an_array_on_disk_is_read_block_by_block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = labelled(np.random.default_rng(16).normal(size=(4096, 256)), dealt(4096))
    encoding = {"x": {"chunks": (256, 256)}}
    whole.to_dataset(name="x").to_zarr(tmp_path / "x.zarr", encoding=encoding, zarr_format=3, consolidated=False)
    monkeypatch.setattr(statistics, "_BLOCK", 2**16)
    expected = statistics.mean(whole, over=("sample", "winter"))
    x = xr.open_zarr(tmp_path / "x.zarr", chunks=None, consolidated=False)["x"]
    tracemalloc.start()
    try:
        found = statistics.mean(x, over=("sample", "winter"))
        assert tracemalloc.get_traced_memory()[1] < 0.5 * whole.nbytes
    finally:
        tracemalloc.stop()
    xr.testing.assert_allclose(found, expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("found", "spec", "words"),
    [
        (Estimate(0.3499, 0.3377, 0.3621), ".1%", "35.0% (33.8% to 36.2%)"),
        (Estimate(11572.4, 11564.3, 11579.2), ",.0f", "11,572 (11,564 to 11,579)"),
        (Estimate(1.0, np.nan, np.nan), ".1f", "1.0 (no interval)"),
        (Estimate(0.0, np.nan, 2.0), ".1f", "0.0 (2.0 or less)"),
        (Estimate(0.0, -2.0, np.nan), ".1f", "0.0 (-2.0 or more)"),
        (Estimate(1.0), "", str(Estimate(1.0))),
    ],
)
def test_an_estimate_says_its_interval(found: Estimate, spec: str, words: str) -> None:
    assert format(found, spec) == words
