"""Tallies of parts against the whole: any parts, in any order."""

import functools
import operator
import pickle
import time

import numpy as np
import pytest
from conftest import SMOKE, variant
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from study.config import Study, load_study
from study.intervals import Estimate, of_probability, of_ratio
from study.simulation import simulate
from study.tally import RANK_ERROR, SHORTFALL, WATCHED, Comparison, Of, Tally

CLAIM = 15000.0
EXCEEDED = (("carbon_reduction", CLAIM), SHORTFALL)
Values = dict[str, np.ndarray]


@functools.cache
def study(samples: int = 512, winters: int = 3, design: str = "sobol") -> Study:
    changes = {"samples": samples, "winters": winters, "design": design}
    return variant(load_study(SMOKE), {**changes, "claim": {"carbon_reduction": f"{CLAIM} t"}})


def made_up(rows: int, winters: int, seed: int, failing: float = 0.1) -> Values:
    """Outputs with the traits of real ones: an offset far above the spread, ties at zero, nan in failed rows."""
    rng = np.random.default_rng(seed)
    of_row = rng.normal(size=(rows, 1))
    carbon = 15000.0 + 1000.0 * of_row + 300.0 * rng.normal(size=(rows, winters))
    short = np.maximum(np.round(20.0 * (of_row + rng.normal(size=(rows, winters)) - 1.0)), 0.0)
    values = {
        "carbon_reduction": carbon,
        "unmet_hours": short,
        "heating_reliability": 1.0 - short / 5000.0,
        "heat_unmet": 3.0 * short,
        "status": (rng.random(rows) < failing) * rng.integers(1, 4, rows).astype(np.int8),
    }
    for name in WATCHED:
        values[name][values["status"] != 0] = np.nan
    return values


def tally(of: Study, rows: np.ndarray, values: Values) -> Tally:
    return Tally.of(of, rows, {name: value[rows] for name, value in values.items()})


def assert_same(one: Estimate, other: Estimate, scale: float) -> None:
    """Equal to rounding of numbers as large as `scale`."""
    for name in ("value", "low", "high"):
        assert getattr(one, name) == pytest.approx(getattr(other, name), rel=1e-9, abs=1e-10 * scale, nan_ok=True), name


def of_replicates(values: np.ndarray, replicate: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of each replicate that has rows, and how many it has."""
    by_row = values.reshape(len(values), -1).mean(axis=1)
    there = np.unique(replicate)
    return np.array([by_row[replicate == r].sum() for r in there]), np.array([(replicate == r).sum() for r in there])


def mean(values: np.ndarray, replicate: np.ndarray) -> Estimate:
    return Estimate(*(number.item() for number in of_ratio(*of_replicates(values, replicate))))


def probability(event: np.ndarray, replicate: np.ndarray, monte_carlo: bool) -> Estimate:
    events, rows = of_replicates(event, replicate)
    some, others = np.ceil(events.sum() - 1e-9), np.ceil(rows.sum() - events.sum() - 1e-9)
    winters = event[0].size
    found = of_probability(events, rows, with_event=some, without_event=others, winters=winters, exact=monte_carlo)
    return Estimate(*(number.item() for number in found))


def of_whole(of: Study, values: Values, rows: np.ndarray) -> tuple[Values, np.ndarray]:
    good = np.sort(rows)[values["status"][np.sort(rows)] == 0]
    return {name: value[good] for name, value in values.items()}, good % of.replicates


@settings(max_examples=60, deadline=None)
@given(data=st.data(), design=st.sampled_from(["sobol", "monte_carlo"]), winters=st.sampled_from([1, 3]))
def test_any_partition_in_any_order_gives_the_statistics_of_the_whole(
    data: st.DataObject, design: str, winters: int
) -> None:
    rows = data.draw(st.integers(1, 400))
    of = study(512, winters, design)
    values = made_up(rows, winters, data.draw(st.integers(0, 2**32)))
    order = np.random.default_rng(data.draw(st.integers(0, 2**32))).permutation(rows)
    cuts = sorted(data.draw(st.lists(st.integers(0, rows), max_size=8)))
    parts = [tally(of, part, values) for part in np.split(order, cuts)]
    found = functools.reduce(operator.add, data.draw(st.permutations(parts)), Tally.empty(of))

    whole, replicate = of_whole(of, values, order)
    assert found.rows == len(replicate)
    assert found.failed == {k: n for k in (1, 2, 3) if (n := int((values["status"] == k).sum()))}
    np.testing.assert_array_equal(found.count, np.bincount(replicate, minlength=of.replicates))
    if not len(replicate):
        return
    for name in WATCHED:
        magnitude = np.abs(whole[name]).max()
        assert_same(found.mean(name), mean(whole[name], replicate), magnitude)
        for kind, expected in (("life", whole[name].mean(axis=1).std()), ("winter", whole[name].std())):
            assert found.standard_deviation(name, kind) == pytest.approx(expected, rel=1e-9, abs=1e-10 * magnitude)
    plain = design == "monte_carlo"
    for name, level in EXCEEDED:
        life, winter = whole[name].mean(axis=1), whole[name]
        for sign, compare in ((">=", np.greater_equal), (">", np.greater), ("<", np.less), ("<=", np.less_equal)):
            for kind, event in (("life", compare(life, level)), ("winter", compare(winter, level))):
                expected = probability(event, replicate, plain)
                assert_same(found.probability(name, sign, level, kind), expected, 1.0)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 2**32), left=st.booleans())
def test_counts_do_not_depend_on_how_tallies_are_added(seed: int, left: bool) -> None:
    of = study()
    values = made_up(300, 3, seed)
    a, b, c = (tally(of, part, values) for part in np.split(np.arange(300), [64, 150]))
    one, other = a + (b + c), (c + a) + b if left else (b + c) + a
    assert one.failed == other.failed
    np.testing.assert_array_equal(one.count, other.count)
    np.testing.assert_array_equal(one.exceedances, other.exceedances)
    np.testing.assert_allclose(one.means, other.means, rtol=1e-13)
    np.testing.assert_allclose(one.squares, other.squares, rtol=1e-9, atol=1e-9)


def test_adding_changes_neither_of_the_two() -> None:
    of, values = study(), made_up(200, 3, 1)
    one, other = tally(of, np.arange(128), values), tally(of, np.arange(128, 200), values)
    before = pickle.dumps((one, other))
    one + other
    assert pickle.dumps((one, other)) == before


def test_quantiles_are_within_the_rank_error_as_often_as_said() -> None:
    # RANK_ERROR holds for all quantiles of a sketch at once with 99 %; more than 10 of 200 outside: probability 7e-6
    of = study(4096)
    values = made_up(4096, 3, 2, failing=0.0)
    blocks = [np.arange(start, start + 512) for start in range(0, 4096, 512)]
    ordered = np.sort(values["carbon_reduction"].astype(np.float32), axis=None)
    levels = np.linspace(0.01, 0.99, 15)
    outside = 0
    for _ in range(200):
        found = functools.reduce(operator.add, [tally(of, block, values) for block in blocks])
        values_found = [found.quantile("carbon_reduction", level).value for level in levels]
        rank = np.searchsorted(ordered, np.float32(values_found)) / ordered.size
        outside += bool((np.abs(rank - levels) > RANK_ERROR).any())
    assert outside <= 10


def test_quantiles_of_few_rows_are_exact_order_statistics() -> None:
    of, values = study(512, 1), made_up(40, 1, 3, failing=0.0)
    found = tally(of, np.arange(40), values).quantile("carbon_reduction", 0.5)
    ordered = np.sort(values["carbon_reduction"], axis=None)
    exact = stats.quantile_test(ordered, p=0.5).confidence_interval(0.95)
    assert found.value == pytest.approx(ordered[19], rel=1e-7)
    assert (found.low, found.high) == pytest.approx((exact.low, exact.high), rel=1e-7)
    tail = tally(of, np.arange(40), values).quantile("carbon_reduction", 0.99)
    assert np.isfinite(tail.low)
    assert np.isnan(tail.high)


def test_quantile_of_ties_is_the_tied_value() -> None:
    of, values = study(2048, 2), made_up(2048, 2, 4)
    share = (values["unmet_hours"] == 0).mean()
    assert share > 0.6
    found = tally(of, np.arange(2048), values).quantile("unmet_hours", 0.5)
    assert found == Estimate(0.0, 0.0, 0.0)


def test_rows_beyond_the_samples_do_not_count() -> None:
    of, values = study(100), made_up(128, 3, 5, failing=0.5)
    beyond, within = tally(of, np.arange(128), values), tally(of, np.arange(100), values)
    np.testing.assert_array_equal(beyond.means, within.means)
    np.testing.assert_array_equal(beyond.exceedances, within.exceedances)
    assert (beyond.rows, beyond.failed) == (within.rows, within.failed)
    assert beyond.rows + sum(beyond.failed.values()) == 100
    none = tally(of, np.arange(100, 128), values)
    assert (none.rows, none.failed) == (0, {})


def test_a_row_of_one_value_a_life_counts_in_each_winter() -> None:
    of, values = study(), made_up(64, 3, 6, failing=0.0)
    values["largest_unit_out_share"] = np.random.default_rng(6).random(64)
    level = ("largest_unit_out_share", 0.7)
    found = Tally.of(of, np.arange(64), values, watched=(level[0],), exceeded=(level,))
    share = (values[level[0]] >= 0.7).mean()
    kinds: tuple[Of, ...] = ("life", "winter")
    assert [found.probability(*_asked(level), kind).value for kind in kinds] == pytest.approx([share, share])
    assert found.mean(level[0]).value == pytest.approx(values[level[0]].mean())


def _asked(level: tuple[str, float]) -> tuple[str, Comparison, float]:
    return level[0], ">=", level[1]


def test_nothing_done_says_nothing() -> None:
    none = Tally.empty(study())
    for estimate in (
        none.mean("carbon_reduction"),
        none.probability("carbon_reduction", "<", CLAIM, "life"),
        none.quantile("carbon_reduction", 0.5),
    ):
        assert np.isnan([estimate.value, estimate.low, estimate.high]).all()
    assert np.isnan(none.standard_deviation("carbon_reduction", "life"))
    assert none.line() == "no sample is done yet"


def test_all_failed() -> None:
    of, values = study(), made_up(64, 3, 7, failing=1.0)
    found = tally(of, np.arange(64), values)
    assert found.rows == 0
    assert sum(found.failed.values()) == 64
    assert np.isnan(found.mean("carbon_reduction").value)
    assert found.line() == "none of 64 samples ended well"
    good = tally(of, np.arange(64), made_up(64, 3, 8, failing=0.0))
    assert_same((found + good).mean("unmet_hours"), good.mean("unmet_hours"), 1.0)


def test_the_line_estimates_nothing_when_more_than_1_percent_failed() -> None:
    of, values = study(1024), made_up(1024, 3, 15, failing=0.0)
    for failed, estimated in ((10, True), (11, False)):
        values["status"][:failed] = 1
        line = tally(of, np.arange(1024), values).line()
        assert ("carbon reduction" in line) == estimated
    assert line == "11 of 1,024 samples failed, 1.07 %: too many for an estimate"


def test_one_sample_has_no_interval() -> None:
    of, values = study(), made_up(1, 3, 9, failing=0.0)
    found = tally(of, np.arange(1), values)
    estimate = found.mean("carbon_reduction")
    assert estimate.value == pytest.approx(values["carbon_reduction"].mean(), rel=1e-12)
    assert np.isnan([estimate.low, estimate.high]).all()
    assert "(interval not known yet)" in found.line()
    level = found.quantile("carbon_reduction", 0.5)
    assert np.isnan([level.low, level.high]).all()


def test_a_replicate_without_rows_is_left_out() -> None:
    of, values = study(), made_up(320, 3, 10, failing=0.0)
    rows = np.flatnonzero(np.arange(320) % of.replicates != 3)
    whole, replicate = of_whole(of, values, rows)
    found = tally(of, rows, values)
    assert_same(found.mean("unmet_hours"), mean(whole["unmet_hours"], replicate), 100.0)


def test_equal_values_have_no_interval_however_they_are_split() -> None:
    of, values = study(), made_up(500, 3, 11)
    values["heat_unmet"] = np.where(np.isnan(values["heat_unmet"]), np.nan, 0.1)
    parts = [tally(of, part, values) for part in np.split(np.arange(500), [7, 70, 300])]
    found = functools.reduce(operator.add, parts)
    assert np.isnan(found.mean("heat_unmet").high)
    assert found.mean("heat_unmet").value == pytest.approx(0.1, rel=1e-15)
    assert found.standard_deviation("heat_unmet", "winter") < 1e-15


def test_a_good_row_with_a_number_that_is_not_finite_is_refused() -> None:
    values = made_up(64, 3, 12, failing=0.0)
    values["heat_unmet"][5, 1] = np.inf
    with pytest.raises(ValueError, match="heat_unmet: not a finite number"):
        tally(study(), np.arange(64), values)


def test_what_is_not_watched_is_refused() -> None:
    of, values = study(), made_up(64, 3, 13)
    with pytest.raises(ValueError, match="'heat_pumps'"):
        Tally.of(of, np.arange(64), values, watched=("heat_pumps",), exceeded=())
    with pytest.raises(ValueError, match="'unmet_hours'"):
        Tally.of(of, np.arange(64), values, watched=("heat_unmet",), exceeded=(SHORTFALL,))
    found = tally(of, np.arange(64), values)
    with pytest.raises(ValueError, match="electricity"):
        found.mean("electricity")
    with pytest.raises(ValueError, match="no count of carbon_reduction > 7"):
        found.probability("carbon_reduction", ">", 7.0, "life")
    with pytest.raises(ValueError, match="do not watch the same"):
        found + Tally.empty(of, watched=("heat_unmet",), exceeded=())


def test_small_and_quick() -> None:
    of, values = study(512, 30), made_up(512, 30, 14)
    found = tally(of, np.arange(512), values)
    assert len(pickle.dumps(found + found)) < 20_000
    again = pickle.loads(pickle.dumps(found))
    assert again.line() == found.line()
    assert (again + again).rows == 2 * found.rows

    def seconds() -> float:
        start = time.process_time()
        tally(of, np.arange(512), values)
        return time.process_time() - start

    assert min(seconds() for _ in range(5)) < 0.05


def test_the_line() -> None:
    of = study(1024)
    found = tally(of, np.arange(1024), made_up(1024, 3, 15, failing=0.0))
    carbon, claim, hours = found.line().split("; ")
    estimate = found.mean("carbon_reduction")
    half = (estimate.high - estimate.low) / 2
    assert carbon == f"carbon reduction {estimate.value:,.0f} ± {half:,.0f} t CO2 a winter"
    chance = found.probability("carbon_reduction", ">=", CLAIM, "life")
    assert claim == f"P(≥ 15,000 t) {100 * chance.value:.0f} ± {50 * (chance.high - chance.low):.0f} %"
    assert hours.startswith("hours short ")
    assert hours.endswith(" h a winter")


def test_a_lopsided_interval_is_told_by_its_ends() -> None:
    of, values = study(512), made_up(320, 3, 16, failing=0.0)
    values["carbon_reduction"] -= 10000.0
    exact = stats.binomtest(0, 320).proportion_ci(0.95, method="exact")
    line = tally(of, np.arange(320), values).line()
    assert f"P(≥ 15,000 t) 0.0 (0.0 to {100 * exact.high:.1f}) %" in line


def test_of_a_real_block() -> None:
    of = load_study(SMOKE)
    rows = np.arange(of.samples)
    values = simulate(of, rows).values
    found = Tally.of(of, rows, values)
    expected = mean(np.asarray(values["unmet_hours"], dtype=float), rows % of.replicates)
    assert_same(found.mean("unmet_hours"), expected, expected.value)
    assert not found.failed
