"""The building against degree-hours, cooling curves by hand and its differential equations solved another way."""

from datetime import date, timedelta
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from scipy.linalg import expm

from kernels.building import OCCUPIED, RESTING, demand, response, working_hours

Array = NDArray[np.float64]

DWELLINGS: dict[str, float] = {  # 200,000 m² at 35 W/m² for -16.9 °C; no schedule, one node
    "conductance": 7e6 / (14.0 + 16.9),
    "time_constant": 60.0,
    "fast_share": 1.0,
    "mass_conductance": 0.0,
    "ventilation_share": 0.0,
    "balance": 14.0,
    "indoor": 20.0,
    "setback": 0.0,
    "reheat": 0.0,
    "hot_water": 0.0,
}
OFFICE = DWELLINGS | {
    "fast_share": 0.15,
    "mass_conductance": 8.0 * DWELLINGS["conductance"],
    "ventilation_share": 0.35,
    "setback": 5.0,
    "reheat": 3e6,
}
RESPONSE = ["conductance", "time_constant", "fast_share", "mass_conductance", "ventilation_share"]
DEMAND = ["conductance", "balance", "indoor", "ventilation_share", "setback", "reheat", "hot_water"]

buildings = st.fixed_dictionaries(
    {
        "conductance": st.floats(1e2, 1e7),
        "time_constant": st.floats(1.0, 1000.0),
        "fast_share": st.one_of(st.just(1.0), st.floats(0.01, 0.99)),
        "mass_conductance": st.floats(0.0, 100.0),  # over the conductance
        "ventilation_share": st.floats(0.0, 0.9),
        "balance": st.floats(5.0, 18.0),
        "indoor": st.floats(18.0, 24.0),
        "setback": st.floats(0.0, 12.0),
        "reheat": st.floats(0.0, 20.0),  # over the conductance, K
        "hot_water": st.just(0.0),
    }
).map(
    lambda b: (
        b | {"mass_conductance": b["mass_conductance"] * b["conductance"], "reheat": b["reheat"] * b["conductance"]}
    )
)


def rows_of(building: dict[str, Any], lanes: int = 1) -> Array:
    """`response` of equal lanes, or of lanes that differ where the building has arrays."""
    return response(**{name: np.full(lanes, building[name], dtype=float) for name in RESPONSE})


def ask(building: dict[str, Any], outdoor: Array, occupied: NDArray[np.uint8] | None = None) -> tuple[Array, Array]:
    """Heat asked for (W) and indoor temperature (°C) for outdoor temperatures of (hour,) or (hour, lane)."""
    weather = outdoor.reshape(len(outdoor), -1)
    lanes = weather.shape[1]
    if occupied is None:
        occupied = np.full(len(outdoor), OCCUPIED, np.uint8)
    inputs = {name: np.full(lanes, building[name], dtype=float) for name in DEMAND}
    heat, temperature = np.full_like(weather, np.nan), np.full_like(weather, np.nan)
    demand(weather, occupied, rows_of(building, lanes), **inputs, heat=heat, temperature=temperature)
    return heat.reshape(outdoor.shape), temperature.reshape(outdoor.shape)


def shortfall(building: dict[str, float], unmet: Array, occupied: NDArray[np.uint8]) -> Array:
    """How far the fast node is below the reference after each hour, K: the recursion of `response`."""
    rows, fast, mass, course = rows_of(building)[..., 0], 0.0, 0.0, []
    for state, lacking in zip(occupied, unmet, strict=True):
        a00, a01, a10, a11, b0, b1 = rows[state]
        fast, mass = a00 * fast + a01 * mass + b0 * lacking, a10 * fast + a11 * mass + b1 * lacking
        course.append(fast)
    return np.array(course)


def weather(hours: int, *, mean: float = -8.0, seed: int = 7) -> Array:
    """A cold season with days, nights and changing weather, °C."""
    hour = np.arange(hours)
    days = np.random.default_rng(seed).normal(0.0, 5.0, hours // 24 + 2)
    return mean + 4.0 * np.cos(2.0 * np.pi * (hour - 15) / 24.0) + np.interp(hour / 24.0, np.arange(len(days)), days)


class Nodes(NamedTuple):
    """The differential equations as they stand in the text, in temperatures; time in hours."""

    building: dict[str, float]

    def matrix(self, state: int) -> tuple[Array, float, float]:
        """d(T_f, T_m)/dt by T_f and T_m, by a heat to the fast node, and UA."""
        b = self.building
        loss = b["conductance"] * (1.0 if state == OCCUPIED else 1.0 - b["ventilation_share"])
        capacity, share, link = b["conductance"] * b["time_constant"], b["fast_share"], b["mass_conductance"]
        fast, mass = share * capacity, (1.0 - share) * capacity
        if share == 1.0:
            return np.array([[-loss / fast, 0.0], [0.0, 0.0]]), 1.0 / fast, loss
        return np.array([[-(loss + link) / fast, link / fast], [link / mass, -link / mass]]), 1.0 / fast, loss

    @property
    def gains(self) -> float:
        """Gains, W."""
        return self.building["conductance"] * (self.building["indoor"] - self.building["balance"])

    def hour(self, start: Array, state: int, outdoor: float, heat: float) -> Array:
        """Temperatures an hour later, by numerical integration."""
        matrix, per_heat, loss = self.matrix(state)
        source = np.array([per_heat * (loss * outdoor + self.gains + heat), 0.0])
        solution = solve_ivp(
            lambda _, nodes: matrix @ nodes + source, (0.0, 1.0), start, method="DOP853", rtol=1e-11, atol=1e-11
        )
        return solution.y[:, -1]

    def steady(self, state: int, outdoor: float, at: float) -> float:
        """Heat that keeps both nodes at a temperature, W."""
        return self.matrix(state)[2] * (at - outdoor) - self.gains


@pytest.mark.parametrize("building", [DWELLINGS, OFFICE | {"reheat": 0.0}], ids=["one node", "two nodes"])
def test_without_a_schedule_the_season_asks_for_degree_hours(building: dict[str, float]) -> None:
    outdoor = weather(3624, mean=4.0)  # a season with hours above balance
    heat, temperature = ask(building, outdoor)
    degree_hours = np.maximum(0.0, building["balance"] - outdoor)
    assert 0 < np.count_nonzero(degree_hours) < len(outdoor)
    np.testing.assert_array_equal(heat, building["conductance"] * degree_hours)
    np.testing.assert_array_equal(temperature, building["indoor"])


def test_constant_days_ask_for_24_hours_of_their_degree_days() -> None:
    days = np.array([-16.9, -3.0, 9.0, 13.9, 14.0, 20.0])
    heat, _ = ask(DWELLINGS, np.repeat(days, 24))
    degree_days = (14.0 + 16.9) + (14.0 + 3.0) + (14.0 - 9.0) + (14.0 - 13.9)
    assert heat.sum() == pytest.approx(DWELLINGS["conductance"] * 24.0 * degree_days, rel=1e-13)
    assert heat[0] == pytest.approx(7e6, rel=1e-14)  # the design load at the design temperature


def test_hot_water_is_a_constant_on_top() -> None:
    outdoor, occupied = weather(240), working_hours(winter=0, hours=240, working_days=5, start=6, end=18)
    space, indoor = ask(OFFICE, outdoor, occupied)
    both, indoor_too = ask(OFFICE | {"hot_water": 4e5}, outdoor, occupied)
    np.testing.assert_array_equal(both, space + 4e5)
    np.testing.assert_array_equal(indoor_too, indoor)


def test_a_building_that_loses_all_heat_cools_along_its_exponential() -> None:
    # T -> T_out + gains / UA = T_out + indoor - balance, at exp(-t / time constant): θ = (balance - T_out)(1 - exp)
    hours = np.arange(1, 97)
    outdoor = np.full(96, -16.9)
    heat, temperature = ask(DWELLINGS, outdoor)
    theta = shortfall(DWELLINGS, heat, np.ones(96, np.uint8))
    rest = -16.9 + 20.0 - 14.0
    np.testing.assert_allclose(temperature - theta, rest + (20.0 - rest) * np.exp(-hours / 60.0), rtol=0, atol=1e-12)
    # stored heat carries it through an hour (30.9 K / 60 h: half a kelvin), not through a day (a third of 30.9 K)
    assert theta[0] < 30.9 / 60.0
    assert temperature[23] - theta[23] < 10.0


def test_one_node_is_the_simple_recursion() -> None:
    rows = rows_of(OFFICE | {"fast_share": 1.0, "mass_conductance": np.nan, "time_constant": 40.0})
    for state, loss in ((OCCUPIED, 1.0), (RESTING, 1.0 - OFFICE["ventilation_share"])):
        persistence = np.exp(-loss / 40.0)
        b0 = (1.0 - persistence) / (loss * OFFICE["conductance"])
        np.testing.assert_allclose(rows[state, :, 0], [persistence, 0, 0, 1, b0, 0], rtol=1e-13)


@settings(max_examples=100, deadline=None)
@given(buildings, st.sampled_from([RESTING, OCCUPIED]))
def test_response_is_the_matrix_exponential(building: dict[str, float], state: int) -> None:
    matrix, per_heat, _ = Nodes(building).matrix(state)
    augmented = np.zeros((3, 3))
    augmented[:2, :2] = matrix
    augmented[0, 2] = per_heat * building["conductance"]  # heat in units of UA · 1 K: numbers near one
    hour = expm(augmented)
    a00, a01, a10, a11, b0, b1 = rows_of(building)[state, :, 0]
    got = np.array([[a00, a01], [a10, a11]])
    np.testing.assert_allclose(got, hour[:2, :2], rtol=0, atol=1e-11)
    np.testing.assert_allclose(np.array([b0, b1]) * building["conductance"], hour[:2, 2], rtol=1e-9, atol=1e-13)


@settings(max_examples=100, deadline=None)
@given(buildings)
def test_a_constant_deficit_ends_at_deficit_over_conductance(building: dict[str, float]) -> None:
    # (1 - A) θ = b u has the solution θ_f = θ_m = u / UA, whatever the capacities
    for state, loss in ((OCCUPIED, 1.0), (RESTING, 1.0 - building["ventilation_share"])):
        a00, a01, a10, a11, b0, b1 = rows_of(building)[state, :, 0]
        assert a00 + a01 + b0 * loss * building["conductance"] == pytest.approx(1.0, abs=1e-12)
        assert a10 + a11 + b1 * loss * building["conductance"] == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize(
    ("mean", "changes"),
    [(-8.0, {}), (8.0, {}), (-8.0, {"fast_share": 1.0}), (0.0, {"reheat": 3e7, "ventilation_share": 0.0})],
    ids=["cold", "mild, with open windows", "one node", "strong reheat"],
)
def test_the_season_follows_its_rules_hour_by_hour(mean: float, changes: dict[str, float]) -> None:
    building, hours = OFFICE | changes, 10 * 24
    nodes, outdoor = Nodes(building), weather(hours, mean=mean)
    occupied = working_hours(winter=0, hours=hours, working_days=5, start=6, end=18)
    heat, temperature = ask(building, outdoor, occupied)
    now = np.full(2, building["indoor"])
    expected, open_windows = [], 0
    for state, out in zip(occupied, outdoor, strict=True):
        aim = building["indoor"] - (0.0 if state == OCCUPIED else building["setback"])
        unheated = nodes.hour(now, state, out, 0.0)
        per_watt = (nodes.hour(now, state, out, 1e7) - unheated) / 1e7
        most = max(0.0, nodes.steady(state, out, aim)) + building["reheat"]
        wanted = min(max(0.0, (aim - unheated[0]) / per_watt[0]), most)
        kept = min(wanted, (building["indoor"] - unheated[0]) / per_watt[0])
        open_windows += kept < wanted - 1.0
        now = unheated + per_watt * kept
        expected.append((wanted, now[0]))
    np.testing.assert_allclose(heat, np.array(expected)[:, 0], rtol=0, atol=1.0)  # W of some MW
    np.testing.assert_allclose(temperature, np.array(expected)[:, 1], rtol=0, atol=1e-7)
    assert (open_windows > 0) == (mean == 8.0)


@pytest.mark.parametrize("share", [1.0, 0.15])
def test_a_building_short_of_heat_is_the_reference_less_its_shortfall(share: float) -> None:
    building, hours = OFFICE | {"fast_share": share}, 10 * 24
    nodes, outdoor = Nodes(building), weather(hours)
    occupied = working_hours(winter=2, hours=hours, working_days=5, start=6, end=18)
    heat, temperature = ask(building, outdoor, occupied)
    unmet = np.where(np.arange(hours) % 72 < 20, 0.7 * heat, 0.0)  # cuts of 20 hours
    theta = shortfall(building, unmet, occupied)
    now, course = np.full(2, building["indoor"]), []
    for state, out, given_heat in zip(occupied, outdoor, heat - unmet, strict=True):
        now = nodes.hour(now, state, out, given_heat)
        course.append(now[0])
    assert theta.max() > 5.0
    np.testing.assert_allclose(temperature - theta, course, rtol=0, atol=1e-7)


@pytest.mark.parametrize("share", [1.0, 0.15])
def test_heat_in_is_losses_and_what_is_stored(share: float) -> None:
    building, hours = OFFICE | {"fast_share": share}, 3624
    nodes, outdoor = Nodes(building), weather(hours, mean=-15.0)
    occupied = working_hours(winter=0, hours=hours, working_days=5, start=6, end=18)
    heat, temperature = ask(building, outdoor, occupied)
    assert heat.min() >= 0.0
    # the hour of T_f, T_m and ∫ T_f dt from the matrix exponential of all that is constant in it
    steps = []
    for state in (RESTING, OCCUPIED):
        matrix, per_heat, loss = nodes.matrix(state)
        whole = np.zeros((4, 4))
        whole[:2, :2], whole[0, 3], whole[2, 0] = matrix, per_heat, 1.0
        steps.append((expm(whole), loss))
    now, lost = np.full(2, building["indoor"]), 0.0
    for hour, state in enumerate(occupied):
        step, loss = steps[state]
        source = heat[hour] + nodes.gains + loss * outdoor[hour]
        after = step @ np.array([*now, 0.0, source])
        lost += loss * (after[2] - outdoor[hour])
        now = after[:2]
        assert abs(now[0] - temperature[hour]) < 1e-9  # so no window was opened, and the balance is this building's
    capacity = building["conductance"] * building["time_constant"]
    stored = capacity * (np.array([share, 1.0 - share]) @ (now - building["indoor"]))
    assert heat.sum() + hours * nodes.gains == pytest.approx(lost + stored, rel=1e-12)


def test_the_saving_of_a_setback_lies_between_none_and_its_degree_hours() -> None:
    hours = 25 * 24 + 18  # from a Monday to the end of a Friday's work, when all that a night saved is paid back
    outdoor, occupied = weather(hours), working_hours(winter=0, hours=hours, working_days=5, start=6, end=18)
    office = OFFICE | {"fast_share": 1.0, "ventilation_share": 0.0, "reheat": 1e12}
    constants = (1e-3, 10.0, 100.0, 1e3, 1e6)
    saving = []
    for constant in constants:
        with_setback, _ = ask(office | {"time_constant": constant}, outdoor, occupied)
        without, _ = ask(office | {"time_constant": constant, "setback": 0.0}, outdoor, occupied)
        saving.append(without.sum() - with_setback.sum())
    degree_hours = office["conductance"] * office["setback"] * np.count_nonzero(occupied == RESTING)
    share = np.array(saving) / degree_hours
    assert np.all(np.diff(share) < 0.0)  # the heavier, the less
    assert share[0] == pytest.approx(1.0, abs=1e-9)  # nothing stored
    # at most 60 hours (a weekend) without heat at 40 K: a fall of 40 · 60 / 1e6 K of the 5 K
    assert 0.0 < share[-1] < 40.0 * 60.0 / 1e6 / office["setback"]


def test_reheat_is_a_limit_and_shortens_the_cold_morning() -> None:
    hours = 14 * 24
    outdoor, occupied = weather(hours), working_hours(winter=0, hours=hours, working_days=5, start=6, end=18)
    working = occupied == OCCUPIED
    coldest = []
    for reheat in (0.0, 1e6, 4e6, 1e9):
        building = OFFICE | {"reheat": reheat}
        heat, temperature = ask(building, outdoor, occupied)
        nodes = Nodes(building)
        aim = np.where(working, building["indoor"], building["indoor"] - building["setback"])
        most = [nodes.steady(s, o, t) + reheat for s, o, t in zip(occupied, outdoor, aim, strict=True)]
        assert np.all(heat <= np.array(most) * (1.0 + 1e-12))
        if reheat < 1e9:  # it binds in a morning
            assert np.any(heat[working] > np.array(most)[working] * (1.0 - 1e-12))
        coldest.append(temperature[working].min())
    assert np.all(np.diff(coldest) > 0.0)
    assert coldest[-1] == pytest.approx(OFFICE["indoor"], abs=1e-10)  # enough: warm by the end of the first hour


def test_ventilation_rests_outside_working_hours() -> None:
    # 100 W/K by walls, 50 W/K by ventilation, 600 W of gains, 20 °C indoors, 0 °C outdoors, no set-back
    building = DWELLINGS | {"conductance": 150.0, "ventilation_share": 1.0 / 3.0, "balance": 20.0 - 600.0 / 150.0}
    occupied = working_hours(winter=0, hours=48, working_days=7, start=8, end=16)
    heat, temperature = ask(building, np.zeros(48), occupied)
    np.testing.assert_allclose(heat[occupied == OCCUPIED], 150.0 * 20.0 - 600.0, rtol=1e-13)
    np.testing.assert_allclose(heat[occupied == RESTING], 100.0 * 20.0 - 600.0, rtol=1e-13)
    np.testing.assert_allclose(temperature, 20.0, rtol=0, atol=1e-12)


@pytest.mark.parametrize(
    "changes",
    [{"mass_conductance": 1e9 * OFFICE["conductance"]}, {"fast_share": 1.0 - 1e-9}, {"fast_share": 1.0 - 2.0**-53}],
    ids=["mass tied to the air", "hardly any mass", "next to none"],
)
def test_two_nodes_become_one(changes: dict[str, float]) -> None:
    hours = 14 * 24
    outdoor, occupied = weather(hours), working_hours(winter=0, hours=hours, working_days=5, start=6, end=18)
    one = OFFICE | {"fast_share": 1.0}
    heat_of_one, temperature_of_one = ask(one, outdoor, occupied)
    heat, temperature = ask(OFFICE | changes, outdoor, occupied)
    np.testing.assert_allclose(heat, heat_of_one, rtol=0, atol=1e-6 * heat_of_one.max())
    np.testing.assert_allclose(temperature, temperature_of_one, rtol=0, atol=1e-6)
    unmet = 0.5 * heat
    np.testing.assert_allclose(
        shortfall(OFFICE | changes, unmet, occupied), shortfall(one, unmet, occupied), rtol=0, atol=1e-6
    )


@settings(max_examples=100, deadline=None)
@given(buildings, st.floats(-45.0, 25.0), st.integers(0, 7))
def test_no_building_leaves_its_bounds(building: dict[str, float], mean: float, working_days: int) -> None:
    hours = 21 * 24
    outdoor = weather(hours, mean=mean)
    occupied = working_hours(winter=0, hours=hours, working_days=working_days, start=7, end=19)
    heat, temperature = ask(building, outdoor, occupied)
    assert np.all(heat >= 0.0)
    assert np.all(temperature <= building["indoor"])
    assert np.all(temperature >= building["indoor"] - building["setback"] - 1e-9)
    theta = shortfall(building, heat, occupied)
    # without any heat it is never colder than the coldest hour makes it in the end, gains not counted
    assert np.all(theta >= 0.0)
    assert np.all(temperature - theta >= min(outdoor.min(), building["indoor"] - building["setback"]) - 1e-6)


def test_lanes_do_not_touch_each_other() -> None:
    lanes, hours = 37, 7 * 24
    rng = np.random.default_rng(1)
    building: dict[str, Any] = {name: value * rng.uniform(0.5, 1.0, lanes) for name, value in OFFICE.items()}
    outdoor = weather(hours)[:, None] + rng.normal(0.0, 3.0, lanes)
    occupied = working_hours(winter=0, hours=hours, working_days=5, start=6, end=18)
    together = ask(building, outdoor, occupied)
    assert len(np.unique(together[0].sum(axis=0))) == lanes
    for lane in range(lanes):
        alone = ask({name: value[lane] for name, value in building.items()}, outdoor[:, lane], occupied)
        for got, expected in zip(alone, together, strict=True):
            np.testing.assert_array_equal(got, expected[:, lane])


def test_working_hours_follow_the_calendar() -> None:
    # 1 November 2021 is a Monday, and 2022 and 2023 have 365 days
    for winter in range(3):
        for first_day in (0, -12):
            first = date(2021 + winter, 11, 1) + timedelta(days=first_day)
            got = working_hours(
                winter=winter, hours=15 * 24, first_day=first_day, working_days=5, start=7, end=19
            ).reshape(15, 24)
            for day in range(15):
                worked = (first + timedelta(days=day)).weekday() < 5
                assert got[day].tolist() == [OCCUPIED if worked and 7 <= hour < 19 else RESTING for hour in range(24)]
    assert np.all(working_hours(winter=5, hours=500, working_days=7, start=0, end=24) == OCCUPIED)
    assert np.all(working_hours(winter=5, hours=500, working_days=0, start=0, end=24) == RESTING)
