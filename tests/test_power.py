"""Own power matched hour by hour: an example by hand, invariants, a season in plain Python, the sky and the wind."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from kernels.power import (
    MOST_SHIFT,
    Battery,
    Generation,
    Matched,
    coldest_week,
    match,
    match_hour,
    sky_factors,
    wind_shifts,
)

SEED = np.uint64(7)
ROUNDING = 1e-12
WATTS = st.floats(0.0, 1e9, allow_subnormal=False)


def hours(rows: list[tuple[float, float, float]], *, capacity: float, power: float, efficiency: float) -> list[Any]:
    """What `match_hour` makes of hours of electricity, generation and other use in a row, beginning empty."""
    stored, found = 0.0, []
    for electricity, generation, other_use in rows:
        found.append(match_hour(electricity, generation, other_use, stored, capacity, power, efficiency))
        stored = found[-1][-1]
    return found


def test_six_hours_by_hand() -> None:
    """A battery of 10 Wh, 6 W and 50 %."""
    rows = [
        (4.0, 0.0, 3.0),  # night: nothing
        (4.0, 9.0, 3.0),  # 6 left: 4 used, 2 charged, 1 stored
        (4.0, 30.0, 5.0),  # 25 left: 4 used, 6 of 21 charged (its power), 4 stored
        (0.0, 3.0, 5.0),  # other use takes all of it
        (3.0, 0.0, 9.0),  # 3 of 4 from the battery
        (4.0, 7.0, 5.0),  # 2 left and used, 1 from the battery, which is empty then
    ]
    assert hours(rows, capacity=10.0, power=6.0, efficiency=0.5) == [
        (0.0, 0.0, 0.0, 0.0, 0.0),
        (6.0, 4.0, 2.0, 0.0, 1.0),
        (25.0, 4.0, 6.0, 0.0, 4.0),
        (0.0, 0.0, 0.0, 0.0, 4.0),
        (0.0, 0.0, 0.0, 3.0, 1.0),
        (2.0, 2.0, 0.0, 1.0, 0.0),
    ]


def test_a_full_battery_takes_no_more() -> None:
    full = hours([(0.0, 100.0, 0.0)] * 3 + [(50.0, 0.0, 0.0)], capacity=10.0, power=8.0, efficiency=0.8)
    assert [charged for _, _, charged, _, _ in full] == pytest.approx([8.0, 4.5, 0.0, 0.0])
    assert [discharged for *_, discharged, _ in full] == pytest.approx([0.0, 0.0, 0.0, 8.0])


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(WATTS, WATTS, WATTS), min_size=1, max_size=60),
    st.floats(0.0, 1e10, allow_subnormal=False),
    WATTS,
    st.floats(0.1, 1.0),
)
def test_nothing_is_claimed_twice(
    rows: list[tuple[float, float, float]], capacity: float, power: float, efficiency: float
) -> None:
    charged_before = discharged_before = 0.0
    for (electricity, generation, other_use), (left, direct, charged, discharged, stored) in zip(
        rows, hours(rows, capacity=capacity, power=power, efficiency=efficiency), strict=True
    ):
        assert min(left, direct, charged, discharged, stored) >= 0.0
        assert direct + charged <= left * (1.0 + ROUNDING)
        assert left + min(other_use, generation) == pytest.approx(generation)
        assert direct + discharged <= electricity * (1.0 + ROUNDING)
        assert max(charged, discharged) <= power
        assert charged * discharged == 0.0
        charged_before, discharged_before = charged_before + charged, discharged_before + discharged
        assert discharged_before <= efficiency * charged_before * (1.0 + ROUNDING)
        assert stored <= capacity * (1.0 + ROUNDING)
        assert stored == pytest.approx(efficiency * charged_before - discharged_before, abs=1e-9 * capacity + 1e-3)


DAYS, LANES = 20, 5


def season(seed: int, *, battery: bool = True, windy: bool = True) -> dict[str, Any]:
    """Arguments of `match` for some days that no hour of which is like another."""
    random = np.random.default_rng(seed)
    size = 24 * DAYS
    sun = np.maximum(0.0, np.sin(2 * np.pi * (np.arange(size) - 6.5) / 24))
    readings = np.cumsum(random.uniform(0.0, 8e6, (size, LANES)), axis=0)
    generation = Generation(
        random.uniform(1e10, 9e10, LANES),
        random.uniform(1e9, 2e10, LANES) * windy,
        sun / 2500,
        random.dirichlet(np.ones(8760)),
        random.uniform(0.0, 1.4, (DAYS, LANES)),
        24 * random.integers(0, 365, LANES),
    )
    sizes = (random.uniform(1e7, 6e7, LANES), random.uniform(1e6, 1e7, LANES)) if battery else np.zeros((2, LANES))
    return {
        "readings": readings,
        "generation": generation,
        "other_use": random.uniform(0.0, 2e7, LANES),
        "idle_share": random.uniform(0.0, 1.0, LANES),
        "working": random.integers(0, 2, size).astype(np.uint8),
        "sunlit": sun > 0.0,
        "week": random.integers(0, DAYS - 6, LANES),
        "battery": Battery(*sizes, random.uniform(0.6, 1.0, LANES)),
    }


def matched(given: dict[str, Any]) -> Matched:
    sums = np.full((len(Matched._fields), len(given["other_use"])), np.nan)
    match(*given.values(), sums)
    return Matched(*sums)


def reckoned(given: dict[str, Any], lane: int) -> dict[str, float]:
    """The sums of one lane, hour by hour in plain Python, with the battery's books kept on its grid side."""
    g, battery = given["generation"], given["battery"]
    efficiency = float(battery.efficiency[lane])
    sums = dict.fromkeys(Matched._fields, 0.0)
    taken, before = 0.0, 0.0  # what the battery took and has not yet given, as taken
    for hour, reading in enumerate(given["readings"][:, lane].tolist()):
        used, before = reading - before, reading
        made = g.solar[lane] * g.solar_shape[hour] * g.sky[hour // 24, lane]
        made += g.wind[lane] * g.wind_shape[(g.start[lane] + hour) % 8760]
        other = given["other_use"][lane] * (1.0 if given["working"][hour] == 1 else given["idle_share"][lane])
        left = made - other if made > other else 0.0
        given_by_battery = 0.0
        if left >= used:
            covered = used
            room = battery.capacity[lane] / efficiency - taken
            taken += min(left - used, battery.power[lane], room)
        else:
            given_by_battery = min(used - left, battery.power[lane], taken * efficiency)
            taken -= given_by_battery / efficiency
            covered = left + given_by_battery
        now = {"used": used, "covered": covered, "generated": made, "left": left, "covered_battery": given_by_battery}
        first = int(given["week"][lane])
        for suffix, counts in (("_day", given["sunlit"][hour]), ("_week", first * 24 <= hour < (first + 7) * 24)):
            now |= {f"used{suffix}": used if counts else 0.0, f"covered{suffix}": covered if counts else 0.0}
        for name, value in now.items():
            sums[name] += value
    return sums


@pytest.mark.parametrize("windy", [True, False])
@pytest.mark.parametrize("battery", [True, False])
def test_a_season_again_in_plain_python(battery: bool, windy: bool) -> None:
    given = season(3, battery=battery, windy=windy)
    found = matched(given)
    assert (found.covered > 0.05 * found.used).all()
    assert (found.covered < 0.95 * found.used).all()
    assert ((found.covered_battery > 0.01 * found.used) == battery).all()
    for lane in range(LANES):
        for name, value in reckoned(given, lane).items():
            assert getattr(found, name)[lane] == pytest.approx(value, rel=1e-9, abs=1.0), name


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.booleans(), st.booleans())
def test_sums_of_a_season_add_up(seed: int, battery: bool, windy: bool) -> None:
    given = season(seed, battery=battery, windy=windy)
    found = matched(given)
    np.testing.assert_allclose(found.used, given["readings"][-1], rtol=1e-12)
    assert (found.covered <= found.used * (1 + ROUNDING)).all()
    assert (found.covered <= found.left * (1 + ROUNDING)).all()
    assert (found.left <= found.generated).all()
    night = given | {"sunlit": ~given["sunlit"]}
    by_night = matched(night)
    for part, whole in (("used_day", found.used), ("covered_day", found.covered)):
        np.testing.assert_allclose(getattr(found, part) + getattr(by_night, part), whole, rtol=1e-12)
    weeks = [matched(given | {"week": np.full(LANES, first)}) for first in (0, 7, 14)]
    for part, whole in (("used_week", found.used), ("covered_week", found.covered)):
        np.testing.assert_allclose(sum(getattr(week, part) for week in weeks), whole, rtol=1e-12)


def test_lanes_do_not_know_of_each_other() -> None:
    given = season(11)
    found = matched(given)
    order = [3, 1]
    some = {
        name: value._replace(**{f: getattr(value, f)[..., order] for f in value._fields if not f.endswith("_shape")})
        if isinstance(value, tuple)
        else value
        if name in ("working", "sunlit")
        else value[..., order]
        for name, value in given.items()
    }
    for one, all_ in zip(matched(some), found, strict=True):
        np.testing.assert_array_equal(one, all_[order])


def factors(samples: Any, *, first_day: int = 0, days: int = 365, winter: int = 0, seed: Any = SEED) -> np.ndarray:
    """Factors from a quantile function that is u itself in January, 1 + u in February and so on."""
    out = np.full((days, len(samples)), np.nan)
    month = np.roll(np.repeat(np.arange(12), [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]), -first_day)[:days]
    lines = np.arange(12)[:, None] + np.linspace(0.0, 1.0, 9)
    sky_factors(seed, np.asarray(samples), winter, first_day, month, lines, out)
    return out


def test_a_day_of_the_sky_is_its_own() -> None:
    samples = np.arange(40)
    year = factors(samples)
    season_ = factors(samples[::-1], first_day=304, days=151)
    np.testing.assert_array_equal(season_[:, ::-1], np.roll(year, -304, axis=0)[:151])
    for other in (factors(samples, winter=1), factors(samples, seed=np.uint64(8)), factors(samples + 40)):
        assert not (other == year).any()


def test_days_are_uniform_and_independent() -> None:
    """Over 1,000 samples; correlations of 1,000 × 364 pairs have a standard error of 0.0017."""
    year = factors(np.arange(1000)) % 1.0
    assert stats.kstest(year.ravel(), "uniform").pvalue > 1e-3
    for one, other in ((year[1:], year[:-1]), (year[:, 1:], year[:, :-1])):
        assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 4.5 * 0.0017


def test_quantiles_are_joined_by_straight_lines() -> None:
    """A quantile function in steps of an eighth, 1 at its middle and 0 else, is a triangle: its mean is an eighth."""
    peak = np.zeros((12, 9))
    peak[:, 4] = 1.0
    out = np.empty((365, 400))
    sky_factors(SEED, np.arange(400), 0, 0, np.zeros(365, np.int64), peak, out)
    inside = out[out > 0.0]
    assert len(inside) / out.size == pytest.approx(0.25, abs=4.5 * math.sqrt(0.25 * 0.75 / out.size))
    assert stats.kstest(inside, "uniform").pvalue > 1e-3


def test_winds_are_shifted_by_any_number_of_days_alike() -> None:
    shifts = wind_shifts(SEED, np.arange(31_000), 2)
    assert (shifts.min(), shifts.max()) == (-MOST_SHIFT, MOST_SHIFT)
    assert stats.chisquare(np.bincount(shifts + MOST_SHIFT)).pvalue > 1e-3
    np.testing.assert_array_equal(wind_shifts(SEED, np.array([5, 3]), 2), shifts[[5, 3]])
    assert (wind_shifts(SEED, np.arange(31_000), 3) != shifts).mean() > 0.9


@pytest.mark.parametrize("days", [3, 7, 8, 151])
def test_the_coldest_week_is_found(days: int) -> None:
    outdoor = np.random.default_rng(days).normal(size=(24 * days, 6))
    length = min(7, days)
    for lane, first in enumerate(coldest_week(outdoor)):
        means = [outdoor[24 * d : 24 * (d + length), lane].mean() for d in range(days - length + 1)]
        assert first == int(np.argmin(means))
