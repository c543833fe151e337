"""Failing and repaired units against the exact two-state Markov process.

Numbers that chance decides may differ from the exact ones by 4.5 standard deviations, which follow from the number of
independent draws: a right program fails one such comparison in 150,000, and the seeds are fixed.
"""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from kernels.outages import (
    HEAT_PUMPS,
    PEAK_HEATING,
    PUMPS,
    RESERVE_HEATING,
    STREAM,
    WELLS,
    working_units,
)

SIGMAS = 4.5
GROUPS = (WELLS, PUMPS, HEAT_PUMPS, PEAK_HEATING, RESERVE_HEATING)
MTTF, MTTR = 60.0, 20.0
LONG_RUN = MTTF / (MTTF + MTTR)
FADING = 1.0 / MTTF + 1.0 / MTTR  # 1/h


def run(
    samples: Any,
    *,
    hours: int,
    number: Any = 1,
    mttf: Any = MTTF,
    mttr: Any = MTTR,
    seed: int = 4,
    winter: int = 0,
    group: int = WELLS,
    maintained: bool = False,
) -> np.ndarray:
    """Units at work, (hour, lane); `samples` are indices or how many of them."""
    lanes = np.arange(samples) if isinstance(samples, int) else np.asarray(samples)
    out = np.full((hours, len(lanes)), -999, dtype=np.int16)
    number, mttf, mttr = (
        np.broadcast_to(value, len(lanes)).astype(kind)
        for value, kind in ((number, np.int64), (mttf, float), (mttr, float))
    )
    working_units(np.uint64(seed), lanes, winter, group, number, mttf, mttr, maintained, out)
    return out


def check_share(count: float, draws: float, share: float) -> None:
    """`count` of `draws` independent draws must have gone the way that has this probability."""
    assert abs(count - draws * share) <= SIGMAS * np.sqrt(draws * share * (1.0 - share))


@pytest.mark.parametrize("hour", [0, 1, 3, 10, 40, 199])
def test_after_maintenance_the_markov_distribution_holds(hour: int) -> None:
    """P(at work at t) = A + (1 − A) exp(−t/MTTF − t/MTTR), in the middle of the hour."""
    lanes = 40_000
    working = run(lanes, hours=200, maintained=True)[hour]
    check_share(working.sum(), lanes, LONG_RUN + (1.0 - LONG_RUN) * np.exp(-FADING * (hour + 0.5)))


@pytest.mark.parametrize("hour", [0, 1, 3, 10, 40, 199])
def test_without_maintenance_the_state_is_stationary(hour: int) -> None:
    lanes = 40_000
    check_share(run(lanes, hours=200)[hour].sum(), lanes, LONG_RUN)


@pytest.mark.parametrize("lag", [1, 5, 20, 100])
def test_stationary_autocovariance(lag: int) -> None:
    """At work now and `lag` hours on with probability A (A + (1 − A) exp(−lag/MTTF − lag/MTTR))."""
    lanes = 40_000
    working = run(lanes, hours=120, seed=5)
    for hour in (0, 19):
        both = working[hour] * working[hour + lag]
        check_share(both.sum(), lanes, LONG_RUN * (LONG_RUN + (1.0 - LONG_RUN) * np.exp(-FADING * lag)))


@pytest.mark.parametrize(("maintained", "hour"), [(True, 4), (True, 150), (False, 0), (False, 150)])
def test_units_at_work_are_binomial(maintained: bool, hour: int) -> None:
    """k of n at work, for every k; at least k of n, as in the textbooks' k-out-of-n systems."""
    lanes, units = 40_000, 6
    at_work = LONG_RUN
    if maintained:
        at_work += (1.0 - LONG_RUN) * np.exp(-FADING * (hour + 0.5))
    working = run(lanes, hours=151, number=units, maintained=maintained, seed=6)[hour]
    for k in range(units + 1):
        check_share((working == k).sum(), lanes, binom.pmf(k, units, at_work))
        check_share((working >= k).sum(), lanes, min(1.0, binom.sf(k - 1, units, at_work)))


def test_failures_and_repairs_come_as_often_as_they_should() -> None:
    """Seen once an hour the process is a Markov chain: it fails with (1 − A)(1 − e), is repaired with A (1 − e).

    e = exp(−1 h/MTTF − 1 h/MTTR). Given the state, every hour's step is an independent draw.
    """
    working = run(2000, hours=3624, seed=7)
    before, after = working[:-1], working[1:]
    step = 1.0 - np.exp(-FADING)
    up, down = (before == 1).sum(), (before == 0).sum()
    check_share(((before == 1) & (after == 0)).sum(), up, (1.0 - LONG_RUN) * step)
    check_share(((before == 0) & (after == 1)).sum(), down, LONG_RUN * step)


@pytest.mark.parametrize("longer", [1, 10, 40, 80])
def test_outages_last_as_long_as_they_should(longer: int) -> None:
    """An outage is still there after k hours with (1 − A (1 − e))ᵏ; only those that begin early are counted."""
    working = run(3000, hours=1000, seed=8)
    early = working[:901]
    lane, hour = np.nonzero(((early[:-1] == 1) & (early[1:] == 0)).T)
    begin = hour + 1
    lasting = np.array([not working[b : b + longer + 1, i].any() for i, b in zip(lane, begin, strict=True)])
    check_share(lasting.sum(), len(lasting), (1.0 - LONG_RUN * (1.0 - np.exp(-FADING))) ** longer)


def test_first_failure_after_maintenance_is_exponential() -> None:
    """With repairs that never end, a unit is still at work at t with exp(−t/MTTF)."""
    lanes, hours = 40_000, 500
    working = run(lanes, hours=hours, mttf=1000.0, mttr=np.inf, maintained=True, seed=9)
    check_share((working[-1] == 1).sum(), lanes, np.exp(-(hours - 0.5) / 1000.0))
    assert not (np.diff(working, axis=0) > 0).any()  # never repaired


@pytest.mark.parametrize(("mttf", "mttr"), [(2000.0, 100.0), (1.0, 1.0), (0.7, 0.3), (5.0, 0.05)])
def test_hourly_counts_do_not_bias_availability(mttf: float, mttr: float) -> None:
    """Share of the hours at work is A, however short the outages.

    Hours correlate by r = exp(−1 h/MTTF − 1 h/MTTR) to the power of their distance: the sum over n of them has a
    variance below A (1 − A) n (1 + r)/(1 − r).
    """
    lanes, hours = 1000, 720
    working = run(lanes, hours=hours, mttf=mttf, mttr=mttr, seed=10)
    share, r = mttf / (mttf + mttr), np.exp(-1.0 / mttf - 1.0 / mttr)
    allowed = SIGMAS * np.sqrt(share * (1.0 - share) * lanes * hours * (1.0 + r) / (1.0 - r))
    assert abs(working.sum() - share * lanes * hours) <= allowed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"group": WELLS}, {"group": PUMPS}),
        ({"group": HEAT_PUMPS}, {"group": RESERVE_HEATING}),
        ({"winter": 3}, {"winter": 4}),
        ({"seed": 1}, {"seed": 2}),
        ({"samples": np.arange(0, 80_000, 2)}, {"samples": np.arange(1, 80_000, 2)}),
    ],
)
def test_groups_winters_seeds_and_samples_are_independent(one: dict[str, Any], other: dict[str, Any]) -> None:
    """Both out at once with (1 − A)²; the same hour, and another."""
    first, second = (run(**({"samples": 40_000, "hours": 30} | settings)) for settings in (one, other))
    for hour in (0, 29):
        check_share(((first[29] == 0) & (second[hour] == 0)).sum(), 40_000, (1.0 - LONG_RUN) ** 2)


def test_units_are_independent() -> None:
    """The second unit is what a plant of two has more than a plant of one."""
    first, both = (run(40_000, hours=30, number=number) for number in (1, 2))
    check_share(((first[29] == 0) & (both[29] - first[29] == 0)).sum(), 40_000, (1.0 - LONG_RUN) ** 2)


def outages_of(seed: int, sample: int, winter: int, group: int, unit: int, **unit_data: float) -> list[Any]:
    """Beginning and end of each outage of a unit, from NumPy's generator and in the plainest way."""
    mttf, mttr, hours = unit_data["mttf"], unit_data["mttr"], unit_data["hours"]
    before = ((group << 32 | unit) << 192 | sample << 128 | winter << 64) - 1  # NumPy adds one before its first block
    counter = np.array([before >> place & (2**64 - 1) for place in (0, 64, 128, 192)], np.uint64)
    words = np.random.Philox(key=np.array([seed, STREAM], np.uint64), counter=counter).random_raw(4000)
    uniforms = ((words >> np.uint64(12)) + 0.5) / 2.0**52
    time = 0.0 if unit_data["maintained"] else -mttf * np.log(1.0 + mttr / mttf)
    outages = []
    for failure, repair in zip(uniforms[::2], uniforms[1::2], strict=True):
        begin = max(0.0, time - mttf * np.log(failure))
        time = begin - mttr * np.log(repair)
        outages.append((begin, time))
        if time > hours:
            return outages
    raise AssertionError("more words needed")


@settings(max_examples=100, deadline=None)
@given(
    seed=st.integers(0, 2**64 - 1),
    sample=st.integers(0, 2**62),
    winter=st.integers(0, 60),
    group=st.sampled_from(GROUPS),
    number=st.integers(0, 40),
    mttf=st.floats(1.0, 1e5),
    mttr=st.floats(0.1, 1e4),
    maintained=st.booleans(),
)
def test_counts_follow_from_the_outages_of_each_unit(
    seed: int, sample: int, winter: int, group: int, number: int, mttf: float, mttr: float, maintained: bool
) -> None:
    hours = 300
    middle = np.arange(hours) + 0.5
    expected = np.full(hours, number)
    for unit in range(number):
        outages = outages_of(
            seed, sample, winter, group, unit, mttf=mttf, mttr=mttr, hours=hours, maintained=maintained
        )
        expected -= sum(((begin <= middle) & (middle < end)).astype(int) for begin, end in outages)
    working = run(
        [sample],
        hours=hours,
        number=number,
        mttf=mttf,
        mttr=mttr,
        seed=seed,
        winter=winter,
        group=group,
        maintained=maintained,
    )
    np.testing.assert_array_equal(working[:, 0], expected)


@pytest.mark.parametrize("maintained", [True, False])
def test_a_longer_season_changes_nothing(maintained: bool) -> None:
    short, long = (run(200, hours=hours, number=5, maintained=maintained) for hours in (700, 3624))
    np.testing.assert_array_equal(short, long[:700])


@pytest.mark.parametrize("maintained", [True, False])
def test_a_unit_more_is_never_less_at_work(maintained: bool) -> None:
    counts = np.stack([run(50, hours=1000, number=number, maintained=maintained) for number in range(12)])
    more = np.diff(counts, axis=0)
    assert set(np.unique(more)) == {0, 1}
    assert len(np.unique(more.reshape(11, -1), axis=0)) == 11  # no unit is another's copy


def test_lanes_depend_on_their_own_sample_alone() -> None:
    rng = np.random.default_rng(0)
    data = {
        "number": rng.integers(0, 30, 64),
        "mttf": rng.uniform(50.0, 5000.0, 64),
        "mttr": rng.uniform(1.0, 200.0, 64),
    }
    data["mttf"][::7] = np.inf
    whole = run(np.arange(64) + 1000, hours=500, **data)
    order = rng.permutation(64)
    shuffled = run(order + 1000, hours=500, **{name: values[order] for name, values in data.items()})
    np.testing.assert_array_equal(shuffled, whole[:, order])
    parts = [
        run(np.arange(64)[part] + 1000, hours=500, **{name: values[part] for name, values in data.items()})
        for part in (slice(0, 1), slice(1, 40), slice(40, 64))
    ]
    np.testing.assert_array_equal(np.concatenate(parts, axis=1), whole)


@pytest.mark.parametrize("maintained", [True, False])
def test_what_never_fails_and_what_is_not_there(maintained: bool) -> None:
    working = run(
        3, hours=50, number=[0, 7, 28], mttf=[10.0, np.inf, np.inf], mttr=[5.0, 24.0, np.inf], maintained=maintained
    )
    assert (working == [0, 7, 28]).all()


def test_what_is_repaired_at_once_or_never() -> None:
    assert (run(200, hours=500, number=9, mttr=0.0) == 9).all()
    assert (run(200, hours=500, number=9, mttr=np.inf) == 0).all()  # out of work since long ago
    working = run(200, hours=500, number=9, mttr=np.inf, maintained=True)
    assert (working[0] > 0).all()
    assert not (np.diff(working, axis=0) > 0).any()
    assert run(2000, hours=5, mttf=1e-3, mttr=1e3).sum() <= 1  # A = 1e-6
