"""Reliability of whole studies against what is exact: by hand, by the normal distribution, by Markov chains; and what
must never hurt.

In the small studies here the ground does not matter: wells of 0.1 MW at most stand in rock that is warm and conducts
well, so that the heat pumps' own capacity is the only limit (`inlet_limit_hours` says so, and each test looks).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache, reduce
from itertools import groupby, product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.integrate import quad
from scipy.linalg import expm

from kernels.outages import PEAK_HEATING, working_units
from study.config import Study, load_study
from study.simulation import simulate
from tests.conftest import variant

Values = dict[str, Any]

SMOKE = variant(load_study(Path(__file__).parent.parent / "configs" / "smoke.yaml"), {"correlations": []})
LOAD, COLD, BALANCE = 0.1, -16.0, 16.0  # MW at °C, and the temperature without load
CONDUCTANCE = LOAD / (BALANCE - COLD)  # MW/K
STILL = {
    "monthly_temperature": [f"{COLD} degC"] * 12,
    "daily_standard_deviation": ["0 K"] * 12,
    "diurnal_range": ["0 K"] * 12,
    "season_standard_deviation": "0 K",
}
NONE = {"kind": "none"}
STEADY = variant(
    SMOKE,
    {
        "well.flow_rate": "30 m^3/h",
        "fluid.temperature": "30 degC",
        "field.spacing": "100 m",
        "rock": {"conductivity": "6 W/m/K", "volumetric_heat_capacity": "2.25 MJ/m^3/K"},
        "geothermal_gradient": "40 K/km",
        "winter_load": 1,
        **{f"climate.{key}": value for key, value in STILL.items()},
        "building.floor_area": "2500 m^2",
        "building.design_load": "40 W/m^2",
        "building.design_outdoor_temperature": f"{COLD} degC",
        "building.balance_temperature": f"{BALANCE} degC",
        "heat_pump.second_law_efficiency": 0.5,
        "heat_pump.capacity": "0 MW",
        "peak_heating": NONE,
    },
)
"""A load of 0.1 MW from the first hour to the last, in every winter, and no plant."""


def electric(capacity: float, units: int = 1) -> Values:
    return {"kind": "electric", "capacity": f"{capacity!r} MW", "efficiency": 1, "units": units}


def values(study: Study, rows: int = 1) -> Values:
    """Results of rows none of which fails."""
    results = simulate(study, np.arange(rows))
    assert results.reasons == {}
    return dict(results.values)


PLANTS: dict[str, tuple[Values, list[float], float]] = {  # 0.09 MW: units; share that is not the heat pumps'
    "heat pumps": ({"heat_pump.capacity": "0.09 MW"}, [0.09], 0.0),
    "peak heating": ({"peak_heating": electric(0.09)}, [0.09], 1.0),
    "both": ({"heat_pump.capacity": "0.06 MW", "peak_heating": electric(0.03)}, [0.06, 0.03], 1 / 3),
    "three": (
        {"heat_pump.capacity": "0.05 MW", "peak_heating": electric(0.03), "reserve_heating": electric(0.01)},
        [0.05, 0.03, 0.01],
        4 / 9,
    ),
}


@pytest.mark.parametrize("name", PLANTS)
@pytest.mark.parametrize("masses", [1, 2])
def test_a_constant_load_by_hand(name: str, masses: int) -> None:
    """0.09 MW of plant for 0.1 MW of load, and rooms that cool as one or two heat capacities do."""
    plant, sizes, peak_share = PLANTS[name]
    time_constant, fast, coupling = 60.0, 0.2, 3e-3 * 2.5  # h, 1, MW/K: 3 W/m²/K of 2,500 m²
    two = {"building.fast_capacity_share": fast, "building.mass_conductance": "3 W/m^2/K"} if masses == 2 else {}
    v = values(variant(STEADY, {**plant, **two, "building.comfort_temperature": "16.5 degC"}))
    hours, short = 24 * 151, LOAD - 0.09
    capacity = CONDUCTANCE * time_constant
    if masses == 1:
        below = short / CONDUCTANCE * (1 - np.exp(-np.arange(1, hours + 1) / time_constant))
    else:
        light, heavy = fast * capacity, (1 - fast) * capacity
        cooling = np.array(
            [[-(CONDUCTANCE + coupling) / light, coupling / light], [coupling / heavy, -coupling / heavy]]
        )
        settled = np.linalg.solve(cooling, [-short / light, 0.0])
        step, state = expm(cooling), np.zeros(2)
        below = np.empty(hours)
        for hour in range(hours):
            state = settled + step @ (state - settled)
            below[hour] = state[0]
    expected = {
        "heat_demand": LOAD * hours,
        "heat_delivered": 0.09 * hours,
        "heat_unmet": short * hours,
        "heating_reliability": 0.9,
        "unmet_hours": hours,
        "shortfalls": 1,
        "longest_shortfall": hours,
        "worst_shortfall": short,
        "peak_heating_share": peak_share,
        "heat_reserve": 0.01 * hours if name == "three" else 0.0,
        "indoor_temperature_min": 18 - below[-1],
        "cold_hours": (below - 1.5 > 0.1).sum(),  # colder than asked for by a tenth of a kelvin
        "cold_degree_hours": np.maximum(0.0, below - 1.5).sum(),
        "outdoor_temperature_min": COLD,
        "inlet_limit_hours": 0,
        "outage_hours": 0,
    }
    assert 0 < expected["cold_hours"] < hours
    for variable, value in expected.items():
        np.testing.assert_allclose(v[variable], np.full((1, 2), value), rtol=1e-9, atol=1e-12, err_msg=variable)
    np.testing.assert_allclose(v["largest_unit_out_share"], (sum(sizes) - max(sizes)) / LOAD, atol=1e-12)


NIGHTS = {
    "climate.diurnal_range": ["8 K"] * 12,
    "climate.diurnal_shape": [0.25] * 3 + [-0.75] * 6 + [0.25] * 15,
    "climate.diurnal_variability": 0,
}
COLD_HOUR, MILD_HOUR = (CONDUCTANCE * (BALANCE - (COLD + 8.0 * shape)) for shape in (-0.75, 0.25))  # MW


def test_every_night_too_cold() -> None:
    """Days of six cold hours, 3 to 8 o'clock: the spells of shortfall are counted, and the rooms swing."""
    never = {"building.reheat": 0, "building.comfort_temperature": "17.9 degC"}  # rooms do not catch up
    study = variant(STEADY, {**NIGHTS, **never, "peak_heating": electric(0.1)})
    v, days = values(study), 151
    short = COLD_HOUR - 0.1
    keep, deviation, below = np.exp(-1 / 60), 0.0, []
    for hour in range(24 * days):
        missing = short if 3 <= hour % 24 < 9 else 0.0
        deviation = keep * deviation + (1 - keep) * missing / CONDUCTANCE
        below.append(deviation)
    expected = {
        "unmet_hours": 6 * days,
        "shortfalls": days,
        "longest_shortfall": 6,
        "worst_shortfall": short,
        "heat_unmet": 6 * days * short,
        "heat_demand": 24 * days * LOAD,  # the mean day is as cold as without swing
        "peak_heating_share": 1,
        "indoor_temperature_min": 18 - max(below),
        "cold_hours": (np.array(below) - 0.1 > 0.1).sum(),
        "cold_degree_hours": np.maximum(0, np.array(below) - 0.1).sum(),
    }
    assert 0 < expected["cold_hours"] < 24 * days
    for variable, value in expected.items():
        np.testing.assert_allclose(v[variable], np.full((1, 2), value), rtol=1e-9, err_msg=variable)


@pytest.mark.parametrize("power", [1.0, 0.01])
def test_a_tank_for_the_nights(power: float) -> None:
    """Heat pumps of 0.105 MW fill a tank in the mild hours; of the first night they have had three to do so."""
    tank = {"volume": "20 m^3", "temperature_difference": "10 K", "power": f"{power!r} MW", "loss": "0 1/d"}
    v = values(variant(STEADY, {**NIGHTS, "heat_pump.capacity": "0.105 MW", "heat_storage": tank}))
    days, spare, short = 151, min(power, 0.105 - MILD_HOUR), COLD_HOUR - 0.105
    given = min(power, short)
    assert 18 * spare > 6 * given  # every later night finds the tank as full as it takes
    first = np.clip(3 * spare - given * np.arange(6), 0.0, given)  # what the tank gives in the first night
    missing = np.concatenate([short - first, np.full(6 * (days - 1), short - given)])
    np.testing.assert_allclose(v["heat_unmet"], np.full((1, 2), missing.sum()), rtol=1e-9)
    np.testing.assert_array_equal(v["unmet_hours"], (missing > 1e-9).sum())
    np.testing.assert_array_equal(v["longest_shortfall"], (missing[:6] > 1e-9).sum())
    np.testing.assert_allclose(v["worst_shortfall"], missing.max(), rtol=1e-9)
    full = 20 * 10 * 4.186 / 3600  # MWh, of water
    np.testing.assert_allclose(v["heat_storage_loss"], full, rtol=3e-4)  # what is left when the season ends
    np.testing.assert_array_equal(v["inlet_limit_hours"], 0)


def test_hot_water_is_served_before_the_rooms() -> None:
    """Half of 0.1 MW is hot water: with 0.03 MW of plant the rooms get nothing, and lack no more than their share."""
    changes = {"building.domestic_hot_water": "20 W/m^2", "building.design_load": "20 W/m^2"}
    v = values(variant(STEADY, {**changes, "peak_heating": electric(0.03)}))
    np.testing.assert_allclose(v["heat_unmet"], 0.07 * 24 * 151, rtol=1e-9)
    np.testing.assert_allclose(v["indoor_temperature_min"], 18 - (BALANCE - COLD), rtol=1e-9)  # as if unheated


def test_a_trend_of_colder_winters() -> None:
    """A plant that just carries the first winter lacks 0.2 K of load more each winter."""
    v = values(variant(STEADY, {"winters": 10, "climate.warming": "-2 K/decade", "peak_heating": electric(LOAD)}))
    colder, hours = 0.2 * np.arange(10), 24 * 151
    np.testing.assert_allclose(v["heat_unmet"], [CONDUCTANCE * colder * hours], rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(v["unmet_hours"], [np.where(colder > 0, hours, 0)])
    np.testing.assert_allclose(v["outdoor_temperature_mean"], [COLD - colder], rtol=1e-12)


ONE_DAY = {"season": {"start": "01-15", "end": "01-15"}}


def test_a_random_offset_of_winters_is_short_as_often_as_the_normal_distribution_says() -> None:
    """Winters of constant temperature N(-16 °C, 2 K) and a plant that carries -18 °C."""
    rows, winters, spread, limit = 640, 20, 2.0, COLD - 2.0
    capacity = CONDUCTANCE * (BALANCE - limit)
    changes = {"winters": winters, "climate.season_standard_deviation": f"{spread} K", **ONE_DAY}
    v = values(variant(STEADY, {**changes, "peak_heating": electric(capacity)}), rows)
    colder = (limit - COLD) / spread
    chance = stats.norm.cdf(colder)
    short = v["unmet_hours"] > 0
    np.testing.assert_array_equal(v["unmet_hours"], 24.0 * short)  # so that loss of load expectation is 24 h · chance
    np.testing.assert_array_equal(short, v["outdoor_temperature_mean"] < limit)
    assert stats.binomtest(int(short.sum()), rows * winters, chance).pvalue > 1e-4
    # winters of a sample are independent: short ones among its twenty are binomial
    assert_distributed(short.sum(axis=1), stats.binom.pmf(np.arange(winters + 1), winters, chance))
    # E max(0, limit - T), T normal
    lacking = CONDUCTANCE * spread * 24 * (stats.norm.pdf(colder) + colder * stats.norm.cdf(colder))
    unmet = v["heat_unmet"]
    assert abs(unmet.mean() - lacking) < 4 * unmet.std() / np.sqrt(unmet.size)
    assert_normal(v["outdoor_temperature_mean"], COLD, spread)


def assert_distributed(counts: np.ndarray, chances: np.ndarray) -> None:
    """Hold whole numbers to the chances of 0, 1, ...: Dvoretzky, Kiefer and Wolfowitz, Massart's constant, at 1e-5."""
    found = np.bincount(counts.astype(int).ravel(), minlength=len(chances)) / counts.size
    assert len(found) == len(chances)
    assert np.isclose(chances.sum(), 1.0, rtol=1e-9)
    assert np.abs(np.cumsum(found - chances)).max() < np.sqrt(np.log(2 / 1e-5) / (2 * counts.size))


def assert_normal(found: np.ndarray, mean: float, spread: float) -> None:
    assert stats.kstest(found.ravel(), stats.norm(mean, spread).cdf).pvalue > 1e-4


# outages


@dataclass(frozen=True)
class Group:
    """Equal units that fail and are repaired."""

    section: str
    number: int
    time_to_failure: float
    time_to_repair: float

    @property
    def availability(self) -> float:
        return self.time_to_failure / (self.time_to_failure + self.time_to_repair)

    def working(self, start: str, hour: float) -> np.ndarray:
        """Probability of 0, 1, ... units at work: independent two-state Markov processes."""
        a = self.availability
        rest = np.exp(-hour * (1 / self.time_to_failure + 1 / self.time_to_repair)) if start == "maintained" else 0.0
        return np.asarray(stats.binom.pmf(np.arange(self.number + 1), self.number, a + (1 - a) * rest))

    def rates(self) -> np.ndarray:
        """Generator of the chain of units at work, 1/h."""
        rates = np.zeros((self.number + 1, self.number + 1))
        for working in range(self.number + 1):
            if working > 0:
                rates[working, working - 1] = working / self.time_to_failure
            if working < self.number:
                rates[working, working + 1] = (self.number - working) / self.time_to_repair
            rates[working, working] = -rates[working].sum()
        return rates


@dataclass(frozen=True)
class Fleet:
    """Independent groups of units; what is missing (MW) when so many of each work."""

    groups: tuple[Group, ...]
    missing: Callable[..., float]

    @property
    def states(self) -> list[tuple[int, ...]]:
        return list(product(*(range(group.number + 1) for group in self.groups)))

    def chances(self, start: str, hour: float) -> np.ndarray:
        return reduce(np.kron, (group.working(start, hour) for group in self.groups))

    def step(self) -> np.ndarray:
        """Transition probabilities of an hour."""
        return reduce(np.kron, (expm(group.rates()) for group in self.groups))

    def unmet(self) -> np.ndarray:
        return np.array([max(0.0, self.missing(*state)) for state in self.states])

    def short_hours(self, start: str, hours: int) -> np.ndarray:
        """Probability of 0, 1, ... hours with heat missing; a unit counts for an hour if it works in its middle."""
        short, step = self.unmet() > 1e-9, self.step()
        counted = np.zeros((hours + 1, len(short)))
        counted[0] = self.chances(start, 0.5)
        for hour in range(hours):
            moved = counted @ step if hour else counted
            counted = np.where(short, 0.0, moved)
            counted[1:] += np.where(short, moved, 0.0)[:-1]
        return counted.sum(axis=1)

    def longest(self, start: str, hours: int) -> np.ndarray:
        """Probability of a longest spell of 0, 1, ... hours."""
        short, step = self.unmet() > 1e-9, self.step()
        most = []
        for allowed in range(hours + 1):
            spell = np.zeros((allowed + 1, len(short)))
            spell[0] = self.chances(start, 0.5)
            for hour in range(hours):
                moved = spell @ step if hour else spell
                spell = np.zeros_like(moved)
                spell[0] = np.where(short, 0.0, moved.sum(axis=0))
                spell[1:] = np.where(short, moved, 0.0)[:-1]
            most.append(spell.sum())
        return np.diff(most, prepend=0.0)

    def spells(self, start: str, hours: int) -> float:
        """Expected number of spells: hours that are short after one that is not, or first."""
        short, step = self.unmet() > 1e-9, self.step()
        total = self.chances(start, 0.5)[short].sum()
        for hour in range(1, hours):
            before = np.where(short, 0.0, self.chances(start, hour - 0.5))
            total += (before @ step)[short].sum()
        return float(total)


def heaters(capacity: float) -> Callable[..., float]:
    """Missing of `LOAD` with units of this capacity, whatever group they belong to."""
    return lambda *working: LOAD - capacity * sum(working)


def of_five(pumps: int, wells: int, heat_pumps: int, peak: int, reserve: int) -> float:
    return LOAD - (0.04 * heat_pumps if pumps and wells else 0.0) - 0.015 * peak - 0.01 * reserve


FLEETS: dict[str, tuple[Values, Fleet]] = {
    "two of three heat pumps": (
        {"heat_pump.capacity": "0.15 MW"},
        Fleet((Group("heat_pumps", 3, 60.0, 20.0),), heaters(0.05)),
    ),
    "three of four peak heaters": (
        {"peak_heating": electric(0.14, 4)},
        Fleet((Group("peak_heating", 4, 100.0, 10.0),), heaters(0.035)),
    ),
    "heat pumps and peak heaters": (
        {"heat_pump.capacity": "0.1 MW", "peak_heating": electric(0.05, 2)},
        Fleet(
            (Group("heat_pumps", 2, 50.0, 10.0), Group("peak_heating", 2, 30.0, 30.0)),
            lambda heat_pumps, peak: LOAD - 0.05 * heat_pumps - 0.025 * peak,
        ),
    ),
    "one of two pumps": (  # half of the flow is plenty
        {"heat_pump.capacity": "0.12 MW", "circulation.pumps_needed": 2},
        Fleet((Group("pumps", 2, 40.0, 20.0),), lambda pumps: 0.0 if pumps else LOAD),
    ),
    "one of two wells, by one of two pumps": (
        {"heat_pump.capacity": "0.12 MW", "peak_heating": electric(0.04)},
        Fleet(
            (Group("wells", 2, 40.0, 40.0), Group("pumps", 2, 20.0, 10.0)),
            lambda wells, pumps: 0.0 if wells and pumps else LOAD - 0.04,
        ),
    ),
    "all five": (
        {
            "heat_pump.capacity": "0.08 MW",
            "peak_heating": electric(0.03, 2),
            "reserve_heating": electric(0.01, 1),
        },
        Fleet(
            (
                Group("pumps", 2, 80.0, 20.0),
                Group("wells", 2, 300.0, 60.0),
                Group("heat_pumps", 2, 90.0, 10.0),
                Group("peak_heating", 2, 70.0, 15.0),
                Group("reserve_heating", 1, 60.0, 30.0),
            ),
            of_five,
        ),
    ),
}
HOURS, WINTERS, SAMPLES = 48, 16, 512


def failing(study: Study, name: str, *, start: str) -> Study:
    changes, fleet = FLEETS[name]
    outages: Values = {"summer_maintenance": start == "maintained"}
    for group in fleet.groups:
        times = {key: f"{getattr(group, key)} h" for key in ("time_to_failure", "time_to_repair")}
        outages[group.section] = times
        units = {"heat_pumps": "heat_pump.units", "pumps": "circulation.pumps"}.get(group.section)
        changes = {**changes, **({units: group.number} if units else {})}
    return variant(study, {**changes, "outages": outages})


@cache
def winters_of(name: str, start: str) -> Values:
    two_days = {"winters": WINTERS, "season": {"start": "01-15", "end": "01-16"}}
    v = values(failing(variant(STEADY, two_days), name, start=start), SAMPLES)
    np.testing.assert_array_equal(v["inlet_limit_hours"], 0)
    return v


@pytest.mark.parametrize("start", ["stationary", "maintained"])
@pytest.mark.parametrize("name", FLEETS)
def test_outages_against_exact_availability(name: str, start: str) -> None:
    """Unmet hours by their whole distribution, energy and outage hours by their means (within four standard errors)."""
    v, (_, fleet) = winters_of(name, start), FLEETS[name]
    unmet = fleet.unmet()
    assert_distributed(v["unmet_hours"], fleet.short_hours(start, HOURS))
    middle = np.array([fleet.chances(start, hour + 0.5) for hour in range(HOURS)])
    all_work = middle[:, -1].sum()
    if start == "stationary":
        assert all_work == pytest.approx(HOURS * np.prod([g.availability**g.number for g in fleet.groups]), rel=1e-9)
    expected = {
        "heat_unmet": (middle @ unmet).sum(),
        "unmet_hours": middle[:, unmet > 1e-9].sum(),  # loss of load expectation
        "outage_hours": HOURS - all_work,
        "shortfalls": fleet.spells(start, HOURS),
    }
    for variable, mean in expected.items():
        found = v[variable]
        assert abs(found.mean() - mean) < 4 * found.std() / np.sqrt(found.size), variable
        assert found.std() > 0
    levels = np.unique(np.append(unmet, 0.0).round(9))
    np.testing.assert_allclose(v["worst_shortfall"], nearest(v["worst_shortfall"], levels), atol=1e-9)


def nearest(found: np.ndarray, levels: np.ndarray) -> np.ndarray:
    return np.asarray(levels[np.abs(found[..., None] - levels).argmin(axis=-1)])


@pytest.mark.parametrize("start", ["stationary", "maintained"])
def test_the_longest_shortfall_against_the_chain(start: str) -> None:
    name = "two of three heat pumps"
    assert_distributed(winters_of(name, start)["longest_shortfall"], FLEETS[name][1].longest(start, HOURS))


@pytest.mark.parametrize("start", ["stationary", "maintained"])
def test_the_exact_distributions_agree_with_each_other(start: str) -> None:
    """The chain's hours, the k-out-of-n availability, and the integral of the transient over the winter."""
    for _, fleet in FLEETS.values():
        chances, short = fleet.short_hours(start, HOURS), fleet.unmet() > 1e-9
        mean = chances @ np.arange(HOURS + 1)
        whole, _ = quad(lambda hour, fleet=fleet, short=short: fleet.chances(start, hour)[short].sum(), 0.0, HOURS)
        np.testing.assert_allclose(mean, whole, rtol=1e-3)  # the middle of the hour for the hour
        if len(fleet.groups) == 1 and start == "stationary":
            [group] = fleet.groups
            needed = next(k for k, missing in enumerate(fleet.unmet()) if missing <= 1e-9)
            np.testing.assert_allclose(
                mean, HOURS * stats.binom.cdf(needed - 1, group.number, group.availability), rtol=1e-9
            )


def test_winters_of_a_sample_fail_independently() -> None:
    """The chance of a winter without shortfall, to the power of the winters."""
    name, start = "two of three heat pumps", "stationary"
    good = (winters_of(name, start)["unmet_hours"] == 0).sum(axis=1)
    chance = FLEETS[name][1].short_hours(start, HOURS)[0]
    assert 0.05 < chance < 0.95
    assert_distributed(good, stats.binom.pmf(np.arange(WINTERS + 1), WINTERS, chance))


def test_a_whole_winter_of_seldom_outages() -> None:
    """Three of four heat pumps are needed, and each is out for three days about three times in two winters."""
    group = Group("heat_pumps", 4, 2500.0, 72.0)
    fleet = Fleet((group,), heaters(LOAD / 3))
    study = variant(STEADY, {"winters": 20, "heat_pump.capacity": f"{LOAD / 3 * 4!r} MW", "heat_pump.units": 4})
    times = {"time_to_failure": "2500 h", "time_to_repair": "72 h"}
    for start in ("stationary", "maintained"):
        outages = {"heat_pumps": times, "summer_maintenance": start == "maintained"}
        v = values(variant(study, {"outages": outages}), 64)
        assert_distributed(v["unmet_hours"], fleet.short_hours(start, 24 * 151))
        at_work = [fleet.chances(start, hour + 0.5)[-1] for hour in range(24 * 151)]
        found = v["outage_hours"]
        assert abs(found.mean() - (1 - np.array(at_work)).sum()) < 4 * found.std() / np.sqrt(found.size)


# what never hurts

DRAWN_DOWN = variant(
    SMOKE,
    {
        "winters": 8,
        "field": {"rows": 2, "columns": 2, "spacing": {"distribution": "uniform", "minimum": "5 m", "maximum": "20 m"}},
        "building.floor_area": "50000 m^2",
        "heat_pump.capacity": "1.2 MW",
        "heat_pump.units": 3,
        "peak_heating": electric(0.4, 2),
        "circulation.pumps": 2,
        "circulation.pumps_needed": 2,
    },
)
"""Four wells near each other that give less each winter: hundreds of hours at the inlet limit."""
TIMES = {
    "wells": {"time_to_failure": "2000 h", "time_to_repair": "200 h"},
    "pumps": {"time_to_failure": "2000 h", "time_to_repair": "100 h"},
    "heat_pumps": {"time_to_failure": "2000 h", "time_to_repair": "100 h"},
    "peak_heating": {"time_to_failure": "2000 h", "time_to_repair": "100 h"},
}
AMPLE = variant(
    DRAWN_DOWN,
    {
        "field": {"rows": 3, "columns": 4, "spacing": "60 m"},
        "geothermal_gradient": {"distribution": "normal", "mean": "45 K/km", "standard_deviation": "2 K/km"},
        "winters": 3,
    },
)
"""Twelve wells that never limit the heat pumps."""
TANK = {"volume": "100 m^3", "temperature_difference": "10 K", "power": "0.5 MW"}
FIELDS = {"drawn down": DRAWN_DOWN, "ample": AMPLE}
BASES = {
    **FIELDS,
    **{f"{name}, failing": variant(study, {"outages": TIMES}) for name, study in FIELDS.items()},
}
ROWS = 64


@cache
def of_base(name: str) -> Values:
    return values(BASES[name], ROWS)


NEVER_HURTS: dict[str, tuple[Values, Values]] = {
    "more wells": ({}, {"field.columns": 5}),
    "larger peak heating": ({}, {"peak_heating.capacity": "0.5 MW"}),
    "a peak heater more": ({}, {"peak_heating.capacity": "0.6 MW", "peak_heating.units": 3}),
    "a reserve": ({}, {"reserve_heating": electric(0.1)}),
    "a warmer site": ({}, {"climate.mean_offset": "1 K"}),
    "a warmer trend": ({}, {"climate.warming": "1 K/decade"}),
    "a lower load": ({"winter_load": 1.1}, {"winter_load": 1.0}),
}
HELPS_WHERE_WELLS_ARE_AMPLE: dict[str, tuple[Values, Values]] = {
    "larger heat pumps": ({}, {"heat_pump.capacity": "1.5 MW"}),
    "a heat pump more": ({}, {"heat_pump.capacity": "1.6 MW", "heat_pump.units": 4}),
    "a pump more": ({}, {"circulation.pumps": 3}),
    "a tank": ({}, {"heat_storage": TANK}),
    "a larger tank": ({"heat_storage": TANK}, {"heat_storage": {**TANK, "volume": "500 m^3"}}),
}


def before_and_after(base: str, changes: tuple[Values, Values]) -> tuple[Values, Values]:
    before, after = (values(variant(BASES[base], each), ROWS) if each else of_base(base) for each in changes)
    return before, after


def assert_never_worse(before: Values, after: Values) -> None:
    """Row by row and winter by winter; spells may be split, so that their number says nothing."""
    for name in ("heat_unmet", "unmet_hours", "longest_shortfall", "worst_shortfall"):
        assert (after[name] <= before[name] + 1e-9 * before["heat_demand"].max()).all(), name
    assert (after["indoor_temperature_min"] >= before["indoor_temperature_min"] - 1e-9).all()


@pytest.mark.parametrize("base", ["drawn down", "drawn down, failing"])
@pytest.mark.parametrize("name", NEVER_HURTS)
def test_what_never_hurts(name: str, base: str) -> None:
    """Even where wells are drawn down: none of this takes more from the ground than before."""
    before, after = before_and_after(base, NEVER_HURTS[name])
    assert np.median(before["inlet_limit_hours"][:, -1]) > 500
    assert_never_worse(before, after)
    assert (after["heat_unmet"] < before["heat_unmet"]).mean() > 0.5


@pytest.mark.parametrize("base", ["ample", "ample, failing"])
@pytest.mark.parametrize("name", HELPS_WHERE_WELLS_ARE_AMPLE)
def test_what_helps_where_wells_are_ample(name: str, base: str) -> None:
    """Without limit of the ground more never hurts; in ground that is drawn down, what is taken early is missing later.

    With all pumps at work another one changes nothing.
    """
    before, after = before_and_after(base, HELPS_WHERE_WELLS_ARE_AMPLE[name])
    if base == "ample":
        np.testing.assert_array_equal(before["inlet_limit_hours"], 0)
        np.testing.assert_array_equal(after["inlet_limit_hours"], 0)
    assert_never_worse(before, after)
    if (name, base) == ("a pump more", "ample"):
        np.testing.assert_array_equal(after["heat_unmet"], before["heat_unmet"])
    else:
        assert (after["heat_unmet"] < before["heat_unmet"]).any()


@pytest.mark.parametrize("name", ["larger heat pumps", "a heat pump more"])
def test_more_heat_pumps_in_drawn_down_ground_pay_early_and_cost_later(name: str) -> None:
    """Larger ones take heat from the ground that peak heating gave before: it is colder later, in the same winter even.

    So of these nothing holds row by row. On the mean they help in the first winter, and summed over all of them.
    """
    before, after = before_and_after("drawn down", HELPS_WHERE_WELLS_ARE_AMPLE[name])
    change = after["heat_unmet"] - before["heat_unmet"]
    for each in (change[:, 0], change.sum(axis=1)):
        assert each.mean() < -4 * each.std() / np.sqrt(ROWS)
    assert (change[:, -1] > 0.1).mean() > 0.5
    assert (after["heat_extracted"].sum(axis=1) >= before["heat_extracted"].sum(axis=1)).all()


def test_units_that_fail_more_seldom_help_on_average() -> None:
    """Not winter by winter: the same bits, scaled, put an outage elsewhere, into a colder week perhaps."""
    before = of_base("ample, failing")
    seldom = {name: {**times, "time_to_failure": "6000 h"} for name, times in TIMES.items()}
    after = values(variant(AMPLE, {"outages": seldom}), ROWS)
    assert (after["heat_unmet"] > before["heat_unmet"]).any()
    for name in ("heat_unmet", "unmet_hours", "outage_hours"):
        change = (after[name] - before[name]).ravel()
        assert change.mean() < -4 * change.std() / np.sqrt(change.size), name
    never = of_base("ample")
    assert_never_worse(after, never)


def test_recharge_of_the_ground_never_hurts() -> None:
    """Heat put into the ground in summer is there in later winters, and in the first one it is not."""
    recharge = {"power": "0.6 MW", "start": "06-01", "end": "08-31", "maximum_inlet_temperature": "60 degC"}
    before, after = of_base("drawn down"), values(variant(DRAWN_DOWN, {"summer_recharge": recharge}), ROWS)
    assert (after["heat_recharged"] > 0).all()
    np.testing.assert_allclose(after["heat_unmet"][:, 0], before["heat_unmet"][:, 0], rtol=1e-9, atol=1e-9)
    assert (after["heat_unmet"] <= before["heat_unmet"] + 1e-9 * before["heat_demand"].max()).all()
    assert after["heat_unmet"][:, -1].sum() < 0.7 * before["heat_unmet"][:, -1].sum()


def test_counts_of_a_winter_fit_each_other() -> None:
    for name in BASES:
        v = of_base(name)
        runs, short = v["shortfalls"], v["unmet_hours"]
        assert (runs <= short).all()
        assert (v["longest_shortfall"] <= short).all()
        assert (v["longest_shortfall"] * runs >= short).all()
        assert (v["worst_shortfall"] * short >= v["heat_unmet"] - 1e-9).all()
        assert ((short == 0) == (v["worst_shortfall"] == 0)).all()
        np.testing.assert_array_equal(v["outage_hours"] > 0, np.full(runs.shape, name.endswith("failing")))


def test_spells_are_counted_as_they_come() -> None:
    """A plant of one unit, and what it does in each hour: number and longest of the spells that one counts there."""
    times = {"time_to_failure": "10 h", "time_to_repair": "5 h"}
    week = {"season": {"start": "01-15", "end": "01-21"}, "outages": {"peak_heating": times}}
    v = values(variant(STEADY, {**week, "peak_heating": electric(0.1)}), 8)
    for winter in range(2):
        out, one = np.empty((7 * 24, 8), dtype=np.int16), np.ones(8)
        working_units(np.uint64(1), np.arange(8), winter, PEAK_HEATING, one, 10 * one, 5 * one, True, out)
        for row in range(8):
            spells = [len(list(hours)) for works, hours in groupby(out[:, row]) if not works]
            assert v["unmet_hours"][row, winter] == sum(spells)
            assert v["shortfalls"][row, winter] == len(spells)
            assert v["longest_shortfall"][row, winter] == max(spells)
