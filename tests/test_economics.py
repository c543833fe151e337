"""Money: formulas against numpy-financial, an example written out by hand, and a finished ensemble priced again."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import numpy_financial as npf
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from rich.console import Console
from ruamel.yaml import YAML

import study as hotland
from kernels.economics import (
    MOST_PER_TONNE,
    capital_flows,
    capital_recovery_factor,
    cost_of_avoided_carbon,
    discount_factors,
    payback,
    present_value,
    present_value_of_winters,
)
from kernels.tariff import energy_by_period
from study import figures
from study.accounting import account
from study.blocks import compute_block
from study.config import ConfigError, Study, load_study
from study.costs import costs, price
from study.drivers import acts_on, print_tables, what_drives
from study.engine import asked, prepare
from study.ensemble import Ensemble
from study.ledgers import COST_PARTS, cost_parts, ledgers
from study.pick_freeze import MixedStudy, groups_of
from study.reaccounting import reaccount, with_account
from study.sampling import sample_inputs
from study.simulation import simulate
from study.storage import Storage
from study.summary import summarise
from study.target import Target
from study.tariff import period_of_hours
from study.variables import MONEY, OPERATION, SAMPLE_VARIABLES, TARIFF, sample_variables_of, variables_of
from tests.conftest import SMOKE as FILE
from tests.conftest import variant
from tests.test_accounts import POWER

SMOKE = load_study(FILE)
RATES = st.floats(0.0, 0.3)
MONIES = st.floats(-1e9, 1e9, allow_subnormal=False)

MONEY_OF = {
    "price_year": 2024,
    "discount_rate": "5 %/yr",
    "capital": {
        "drilling": "1000 CNY/m",
        "per_well": "100000 CNY",
        "heat_pumps": "1000 CNY/kW",
        "peak_heating": "200 CNY/kW",
        "contingency": "10 %",
        "subsidy": "20 %",
        "well_life": "4 yr",
        "heat_pump_life": "1 yr",
    },
    "maintenance": "2 %/yr",
    "fixed_operation": "50000 CNY/yr",
    "electricity": {"price": "0.6 CNY/kWh", "escalation": "10 %/yr"},
    "heat_price": "100 CNY/GJ",
}
TARIFF_OF = {
    "price": "0.6 CNY/kWh",
    "sharp_peak": {"hours": [[17, 19]], "months": [12, 1], "factor": 2},
    "peak": {"hours": [[8, 11], [17, 21]], "factor": 1.5},
    "valley": {"hours": [[0, 5], [22, 24]], "price": "0.3 CNY/kWh"},
}
UNIFORM = {"distribution": "uniform", "minimum": "60 CNY/GJ", "maximum": "140 CNY/GJ"}


def with_money(study: Study = SMOKE, **keys: Any) -> Study:
    """The study with economics, where keys go before `MONEY_OF`."""
    return variant(study, {"economics": MONEY_OF | keys})


def run(study: Study, store: Path) -> Path:
    ensemble, blocks = prepare(study, Storage.at(store), block_size=64)
    for block in blocks:
        compute_block(study, ensemble, block)
    return store


def digests(store: Path) -> list[dict[str, str]]:
    ensemble = Ensemble.open(Storage.at(store))
    return [receipt["sha256"] for receipt in ensemble.receipts(ensemble.received())]


# formulas -----------------------------------------------------------------------------------------------------------


def column(values: Any) -> np.ndarray:
    """Flows of one row, (year, 1)."""
    return np.array(values, dtype=float)[:, None]


@given(st.lists(MONIES, min_size=2, max_size=40), RATES)
def test_present_values_are_those_of_numpy_financial(flows: list[float], rate: float) -> None:
    scale = np.abs(flows).max() * len(flows) or 1.0
    found = present_value(column(flows), np.array([rate]))[0]
    assert found == pytest.approx(npf.npv(rate, flows), abs=1e-12 * scale)
    of_winters = present_value_of_winters(column(flows), np.array([rate]))[0]
    assert of_winters == pytest.approx(npf.npv(rate, [0.0, *flows]), abs=1e-12 * scale)


@given(RATES, st.integers(1, 60))
def test_the_capital_recovery_factor_is_the_payment_of_numpy_financial(rate: float, years: int) -> None:
    found = capital_recovery_factor(np.array([rate]), np.array([float(years)]))[0]
    assume(rate == 0.0 or rate > 1e-6)  # numpy-financial's own formula cancels there
    assert found == pytest.approx(-npf.pmt(rate, years, 1.0), rel=1e-9)
    payments = np.full((years, 1), found)
    assert present_value_of_winters(payments, np.array([rate]))[0] == pytest.approx(1.0, rel=1e-9)


@given(st.floats(1.0, 1e8), st.lists(st.floats(1.0, 1e8), min_size=1, max_size=30))
def test_at_the_internal_rate_of_return_nothing_is_gained(cost: float, gains: list[float]) -> None:
    flows = [-cost, *gains]
    rate = npf.irr(flows)
    assume(np.isfinite(rate) and -0.05 < rate < 5.0)
    found = present_value(column(flows), np.array([rate]))[0]
    assert found == pytest.approx(0.0, abs=1e-6 * cost)
    assert payback(column(flows), np.array([rate - 1e-6]))[0] <= len(gains)


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=30), RATES)
def test_payback_is_where_a_loop_finds_it(flows: list[float], rate: float) -> None:
    found = payback(column(flows), np.array([rate]))[0]
    factors = discount_factors(np.array([rate]), len(flows) - 1)[:, 0]
    left, expected = 0.0, float(len(flows))
    for year, flow in enumerate(flows):
        gained = flow * factors[year]
        if left + gained >= 0.0:
            expected = year - 1 + (-left / gained if gained > 0.0 else 0.0) if year else 0.0
            break
        left += gained
    assert found == pytest.approx(expected, rel=1e-12)
    assert 0.0 <= found <= len(flows)


def test_payback_that_never_comes_is_a_number() -> None:
    flows = np.array([[-10.0, -10.0, -10.0, 5.0], [4.0, 5.0, 1.0, 1.0], [12.0, 5.0, 1.0, 1.0]])
    np.testing.assert_array_equal(payback(flows, np.zeros(4)), [1.5, 2.0, 3.0, 0.0])
    assert np.isnan(payback(np.array([[-1.0], [np.nan]]), np.zeros(1))[0])


@given(st.integers(1, 40), st.integers(1, 40), st.floats(1.0, 1e9), RATES)
def test_a_part_is_replaced_and_its_rest_is_worth_something(life: int, years: int, cost: float, rate: float) -> None:
    flows = capital_flows(np.array([cost]), np.array([float(life)]), years)[:, 0]
    bought = [year for year in range(years) if year % life == 0]
    rest = cost * (len(bought) - years / life)  # years of life left, in a straight line
    expected = sum(cost / (1 + rate) ** year for year in bought) - rest / (1 + rate) ** years
    assert npf.npv(rate, flows) == pytest.approx(expected, rel=1e-9, abs=1e-6 * cost)
    if rate == 0.0:  # what is used up, and no more
        assert flows.sum() == pytest.approx(cost * years / life)


def test_carbon_that_is_not_avoided_has_no_price() -> None:
    found = cost_of_avoided_carbon(np.array([100.0, -50.0, 10.0, 10.0, 1e9]), np.array([2.0, 2.0, 0.0, -3.0, 1e-9]))
    np.testing.assert_array_equal(found, [50.0, -25.0, MOST_PER_TONNE, MOST_PER_TONNE, MOST_PER_TONNE])
    assert np.isnan(cost_of_avoided_carbon(np.array([np.nan]), np.array([1.0])))[0]


# the example by hand ------------------------------------------------------------------------------------------------

FLOWS = {
    "heat_delivered": np.array([[1000.0], [900.0]]),
    "heat_unmet": np.array([[10.0], [20.0]]),
    "electricity": np.array([[300.0], [280.0]]),
    "carbon_reduction": np.array([[200.0], [180.0]]),
}


def priced(study: Study, flows: dict[str, np.ndarray] = FLOWS) -> dict[str, list[float]]:
    """One row of two winters."""
    found = price(study, sample_inputs(study, np.arange(1)), flows)
    return {name: value.ravel().tolist() for name, value in found.items()}


def test_an_example_by_hand() -> None:
    """Two wells of 2,000 m, heat pumps of 600 kW, heaters of 300 kW, two winters: the example of docs/economics.md."""
    found = priced(with_money())
    # first investment, with a contingency of 10 %, before the subsidy
    wells = 2 * (2000 * 1000 + 100_000) * 1.1  # 4,620,000
    pumps = 600 * 1000 * 1.1  # 660,000
    heaters = 300 * 200 * 1.1  # 66,000
    assert found["capital_cost"] == pytest.approx([0.8 * 5_346_000])
    # the wells have half of their life left; heat pumps and heaters, lasting a year, are bought twice
    capital = [0.8 * 5_346_000, pumps + heaters, -wells / 2]
    operating = [300_000 * 0.6 + 0.02 * 726_000 + 50_000, 280_000 * 0.66 + 0.02 * 726_000 + 50_000]
    assert operating == pytest.approx([244_520, 249_320])
    assert found["operating_cost"] == pytest.approx(operating)
    present = 4_276_800 + (726_000 + 244_520) / 1.05 + (-2_310_000 + 249_320) / 1.05**2
    heat = 3600 / 1.05 + 3240 / 1.05**2  # GJ
    assert found["levelised_cost_of_heat"] == pytest.approx([present / heat])
    assert found["levelised_cost_of_heat"] == pytest.approx([523.296], abs=5e-4)  # 3,332,007 CNY over 6,367.35 GJ
    replaced = 360_000 / 1.05 + 324_000 / 1.05**2
    assert found["net_present_value"] == pytest.approx([replaced - present])
    assert found["cost_of_avoided_carbon"] == pytest.approx([(present - replaced) / (200 / 1.05 + 180 / 1.05**2)])
    assert found["payback_time"] == [3.0]  # never within two winters: the rest at the end is no money
    assert npf.npv(0.05, [-4_276_800, 360_000 - 726_000 - 244_520, 324_000 + 2_310_000 - 249_320]) == pytest.approx(
        found["net_present_value"][0]
    )
    assert capital[1] == 726_000


def test_what_carbon_and_missing_heat_are_worth() -> None:
    plain = priced(with_money())
    keys = {"carbon_price": "100 CNY/t", "unmet_heat_price": "1000 CNY/MWh", "connection_fee": "40 CNY/m^2"}
    found = priced(with_money(**keys))
    more = 25_000 * 40 + (200 * 100 - 10 * 1000) / 1.05 + (180 * 100 - 20 * 1000) / 1.05**2
    assert found["net_present_value"][0] - plain["net_present_value"][0] == pytest.approx(more)
    fee = 25_000 * 40 / (200 / 1.05 + 180 / 1.05**2)
    assert plain["cost_of_avoided_carbon"][0] - found["cost_of_avoided_carbon"][0] == pytest.approx(fee)
    assert found["levelised_cost_of_heat"] == plain["levelised_cost_of_heat"]


@pytest.mark.parametrize(
    ("baseline", "cost"),
    [
        ("district_heating", 3600 * 100),
        ("coal_boiler", 3600 / 0.9 / 0.8 * 40),
        ("gas_boiler", 3600 / 0.9 / 0.8 * 90),
        ("electric_boiler", 1000 / 0.9 / 0.8 * 600),
        ("air_source_heat_pump", 1000 / 0.9 / 2.5 * 600),
    ],
)
def test_what_the_replaced_supply_costs(baseline: str, cost: float) -> None:
    resolved = with_account(with_money(gas_price="90 CNY/GJ"), baseline=baseline).resolved()
    own = {"baseline_efficiency": 0.8, "baseline_cop": 2.5, "network_loss": "10 %"}
    resolved["carbon"] |= {k: v for k, v in own.items() if k in resolved["carbon"]}
    study = Study.model_validate(resolved)
    found = costs(study, sample_inputs(study, np.arange(1)), FLOWS)
    assert found.replaced[0, 0] == pytest.approx(cost)


def test_fuel_is_bought_by_its_heat() -> None:
    gas = {"kind": "gas", "capacity": "0.3 MW", "efficiency": 0.9, "emission_factor": "0.2 t/MWh"}
    study = variant(with_money(gas_price="90 CNY/GJ", fuel_escalation="10 %/yr"), {"peak_heating": gas})
    flows = FLOWS | {"fuel_peak_heating": np.array([[10.0], [10.0]])}
    found = costs(study, sample_inputs(study, np.arange(1)), flows)
    np.testing.assert_allclose(found.running["fuel"], [[36 * 90], [36 * 99]])


@settings(max_examples=30)
@given(st.floats(0.1, 10.0), st.floats(0.0, 0.2))
def test_all_prices_twice_as_high_are_twice_the_costs(factor: float, rate: float) -> None:
    keys = {"discount_rate": f"{rate!r} 1/yr", "carbon_price": "50 CNY/t", "unmet_heat_price": "100 CNY/MWh"}
    one = with_money(**keys)

    def dearer(node: Any) -> Any:
        if isinstance(node, dict):
            return {key: dearer(value) for key, value in node.items()}
        number, _, unit = str(node).partition(" ")
        return f"{float(number) * factor!r} {unit}" if "CNY" in unit else node

    other = Study.model_validate({**one.resolved(), "economics": dearer(one.resolved()["economics"])})
    before, after = priced(one), priced(other)
    for name in before.keys() - {"payback_time"}:
        np.testing.assert_allclose(after[name], np.multiply(before[name], factor), rtol=1e-9)
    assert after["payback_time"] == pytest.approx(before["payback_time"])


# tariffs ------------------------------------------------------------------------------------------------------------


def test_each_hour_belongs_to_one_period() -> None:
    names, period = period_of_hours(with_money(electricity=TARIFF_OF))
    assert names == ["sharp_peak", "peak", "valley", "flat"]
    assert len(period) == 24 * 151  # from 1 November
    for day, expected in ((0, 1), (29, 1), (30, 0), (91, 0), (92, 1)):  # sharp peak in December and January alone
        assert period[24 * day + 17] == expected
    november = "".join("spvf"[each] for each in period[:24])
    assert november == "vvvvvfffpppffffffppppfvv"


def test_a_meter_is_shared_out_as_a_loop_does() -> None:
    generator = np.random.default_rng(1)
    used, period = generator.random((48, 3)), generator.integers(0, 3, 48)
    sums = np.full((4, 3), np.nan)
    energy_by_period(np.cumsum(used, axis=0), period, sums)
    for number in range(4):
        np.testing.assert_allclose(sums[number], used[period == number].sum(axis=0), rtol=1e-12, atol=1e-12)


@pytest.fixture(scope="module")
def metered() -> tuple[Study, dict[str, np.ndarray], np.ndarray]:
    """A study with a tariff, a few of its rows, and their electricity hour by hour, MWh, (row, winter, hour)."""
    traced = variant(
        SMOKE, {"traces": {"samples": 3, "interval": "hourly", "variables": ["electricity"]}, "samples": 64}
    )
    study = with_money(traced, electricity=TARIFF_OF)
    found = simulate(study, np.arange(3))
    assert found.traces is not None
    return study, found.values, found.traces.values["electricity"].reshape(3, 2, -1)


def test_periods_are_those_of_the_hours_that_are_traced(metered: tuple[Study, Any, np.ndarray]) -> None:
    study, values, hourly = metered
    for winter in range(2):
        of_period = dict.fromkeys(("sharp_peak", "peak", "valley", "flat"), 0.0)
        for hour, used in enumerate(hourly[0, winter]):
            clock, day = hour % 24, hour // 24  # days of November, December, January are 30, 31 and 31
            cold = 30 <= day < 92
            if clock in (17, 18) and cold:
                of_period["sharp_peak"] += used
            elif clock in (8, 9, 10, 17, 18, 19, 20):
                of_period["peak"] += used
            elif clock < 5 or clock >= 22:
                of_period["valley"] += used
            else:
                of_period["flat"] += used
        for name, expected in of_period.items():
            assert values[f"electricity_{name}"][0, winter] == pytest.approx(expected, rel=1e-5)  # traced as float32
    whole = sum(values[name] for name in TARIFF)
    np.testing.assert_allclose(whole, values["electricity"], rtol=1e-12)
    cost = sum(
        1e3 * values[f"electricity_{name}"] * each
        for name, each in (("sharp_peak", 1.2), ("peak", 0.9), ("valley", 0.3), ("flat", 0.6))
    )
    flows = {name: value.T for name, value in values.items() if value.ndim == 2}
    found = costs(study, sample_inputs(study, np.arange(3)), flows)
    np.testing.assert_allclose(found.running["electricity"].T, cost, rtol=1e-12)


def test_own_power_and_a_tariff_read_one_meter(metered: tuple[Study, dict[str, np.ndarray], np.ndarray]) -> None:
    study, values, _ = metered
    both = variant(study, {"own_power": POWER})
    found = simulate(both, np.arange(3)).values
    for name in (*TARIFF, "net_present_value"):
        np.testing.assert_array_equal(found[name], values[name])


def test_a_study_without_economics_keeps_its_bits(metered: tuple[Study, dict[str, np.ndarray], np.ndarray]) -> None:
    study, values, _ = metered
    plain = simulate(study.model_copy(update={"economics": None}), np.arange(3)).values
    for name, value in plain.items():
        np.testing.assert_array_equal(value, values[name])
    new = {*MONEY, *OPERATION, *TARIFF}
    assert values.keys() - plain.keys() == new
    assert not new & ({*variables_of(SMOKE)} | {*sample_variables_of(SMOKE)})
    assert {*sample_variables_of(study)} == {*SAMPLE_VARIABLES}


# a finished ensemble ------------------------------------------------------------------------------------------------


def uncertain(study: Study) -> Study:
    """The same with a carbon account that a few rows fail in."""
    loss = {"distribution": "normal", "mean": "6 %", "standard_deviation": "4 %"}
    return variant(study, {"samples": 100, "carbon.network_loss": loss})


PRICES = {
    **MONEY_OF,
    "heat_price": {"distribution": "normal", "mean": "60 CNY/GJ", "standard_deviation": "30 CNY/GJ"},  # fails below 0
    "discount_rate": "4 %/yr",
}


@pytest.mark.parametrize("tariff", [False, True], ids=["priced for the first time", "other prices of a tariff"])
def test_another_price_has_the_bits_of_a_run_with_it(tmp_path: Path, tariff: bool) -> None:
    before = with_money(uncertain(SMOKE), electricity=TARIFF_OF) if tariff else uncertain(SMOKE)
    prices = PRICES | ({"electricity": TARIFF_OF | {"price": "0.8 CNY/kWh"}} if tariff else {})
    YAML().dump({"economics": prices}, tmp_path / "prices.yaml")
    store = run(before, tmp_path / "store.zarr")
    reaccount(store, tmp_path / "made.zarr", accounts=tmp_path / "prices.yaml")
    study = with_account(before, accounts=tmp_path / "prices.yaml")
    ran = run(study, tmp_path / "ran.zarr")
    assert digests(tmp_path / "made.zarr") == digests(ran)
    assert digests(ran) != digests(store)
    dataset = hotland.open_ensemble(ran)
    first, now = (int((hotland.open_ensemble(each)["status"] != 0).sum()) for each in (store, ran))
    assert 0 < first < 30
    assert 0 < now < 30
    assert first != now or tariff
    good = dataset.isel(sample=np.flatnonzero(dataset["status"].values == 0)).load()
    heat = 3.6 * good["heat_delivered"] / 1.04 ** good["winter"]
    parts = cost_parts(good)
    whole = sum(parts[name] for name in COST_PARTS)
    np.testing.assert_allclose(whole, good["levelised_cost_of_heat"], rtol=1e-9)
    running = sum(parts[name] for name in ("electricity", "fuel", "upkeep")) * heat.sum("winter")
    np.testing.assert_allclose(running, (good["operating_cost"] / 1.04 ** good["winter"]).sum("winter"), rtol=1e-9)


def test_hours_that_are_not_stored_are_refused(tmp_path: Path) -> None:
    YAML().dump({"economics": PRICES | {"electricity": TARIFF_OF}}, tmp_path / "prices.yaml")
    with pytest.raises(ConfigError, match=r"prices.yaml: economics.electricity: other periods of the day .*\(none"):
        with_account(SMOKE, accounts=tmp_path / "prices.yaml")
    other = TARIFF_OF | {"valley": {"hours": [[0, 6]], "factor": 0.5}}
    with pytest.raises(ConfigError, match=r"run with \(sharp_peak, peak, valley\)"):
        with_account(with_money(electricity=other), accounts=tmp_path / "prices.yaml")


def with_valley(**keys: Any) -> dict[str, Any]:
    return {"electricity": TARIFF_OF | {"valley": keys}}


def test_a_valley_at_noon_in_months_without_that_peak_is_none_of_both() -> None:
    valley = {"hours": [[10, 12]], "months": [3, 11], "factor": 0.5}
    peak = {"hours": [[8, 11], [17, 21]], "months": [12, 1, 2], "factor": 1.5}
    names, period = period_of_hours(with_money(electricity={"price": "0.6 CNY/kWh", "peak": peak, "valley": valley}))
    at = {day: [names[period[24 * day + hour]] for hour in (8, 10, 11)] for day in (0, 40)}  # 1 November, 11 December
    assert at == {0: ["flat", "valley", "valley"], 40: ["peak", "peak", "flat"]}


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        ({"heat_price": "3 CNY/kg"}, r"economics\.heat_price.*CNY/GJ"),
        ({"heat_price": "90"}, r"economics\.heat_price.*unit is missing"),
        (with_valley(hours=[[20, 24]], factor=0.5), "both have the hour from 20 to 21"),
        (with_valley(hours=[[5, 3]], factor=0.5), r"pairs of whole hours.*over midnight"),
        (with_valley(hours=[], factor=0.5), r"valley\.hours: allowed: a list of 1 or more, got 0"),
        (with_valley(hours=[[0, 3]]), "either price or factor"),
        ({"discount_rate": "-1 %/yr"}, "at least 0"),
    ],
)
def test_prices_that_make_no_sense_are_refused(keys: dict[str, Any], words: str) -> None:
    from study.reading import validate

    data = {**SMOKE.resolved(), "economics": MONEY_OF | keys}
    with pytest.raises(ConfigError, match=words):
        validate(Study, data, label="study.yaml", folder=None)


def test_prices_are_a_group_of_their_own() -> None:
    groups = {group.name: group.inputs for group in groups_of(with_money(heat_price=UNIFORM))}
    assert groups["prices"] == ("economics.heat_price",)


def test_summary_and_ledgers_tell_of_money(tmp_path: Path) -> None:
    study = with_money(variant(SMOKE, {"samples": 128}), heat_price=UNIFORM | {"maximum": "1000 CNY/GJ"})
    dataset = hotland.open_ensemble(run(study, tmp_path / "store.zarr")).load()
    lines = {line.key: line for line in [*summarise(dataset), *ledgers(dataset)]}
    worth = dataset["net_present_value"].values
    assert lines["p_net_present_value"].estimate.value == (worth > 0).mean()
    assert 0.0 < (worth > 0).mean() < 1.0
    assert lines["net_present_value_mean"].estimate.value == pytest.approx(worth.mean() / 1e6)
    paid = (dataset["payback_time"] <= 2).mean()
    assert lines["p_payback_time"].estimate.value == pytest.approx(float(paid))
    means = {name: lines[f"heat_cost_{name}"].estimate.value for name in COST_PARTS if f"heat_cost_{name}" in lines}
    assert means.keys() == COST_PARTS.keys() - {"surface_plant", "fuel"}
    assert lines["heat_cost"].estimate.value == pytest.approx(sum(means.values()))
    inputs = sample_inputs(study, np.arange(128))
    flows = {name: dataset[name].values.T for name in FLOWS}
    found = costs(study, inputs, flows)
    expected = found.additional.sum() / found.discounted_tonnes.sum()
    assert lines["expected_cost_of_avoided_carbon"].estimate.value == pytest.approx(expected)
    again = account(study, inputs, {name: dataset[name].values.T for name in ("heat_delivered", "electricity")})
    np.testing.assert_array_equal(again["carbon_reduction"], dataset["carbon_reduction"].values.T)
    axes = Figure().subplots(4)
    drawn = figures.cost_of_heat_by_part(dataset, axes[0]).lines[0].get_xdata()
    np.testing.assert_allclose(drawn, list(means.values()))
    bars = figures.cost_of_heat_distribution(dataset, axes[1]).patches
    assert sum(bar.get_height() for bar in bars if isinstance(bar, Rectangle)) >= 100.0 - 1e-9
    for draw, name in (("net_present_value_exceedance", "net_present_value"), ("cost_of_carbon_exceedance", None)):
        curve = getattr(figures, draw)(dataset, axes[2]).lines[-2 if name else -1]
        amount, share = (values[len(values) // 2] for values in curve.get_data())
        cost = dataset["cost_of_avoided_carbon"].values
        expected = (worth / 1e6 >= amount).mean() if name else (cost <= amount).mean()
        assert share == pytest.approx(100 * expected, abs=1e-6)


def test_targets_and_drivers_know_of_money(tmp_path: Path) -> None:
    text = "P(net_present_value>0) +-1%"
    targets, _ = asked(with_money(), [text], None)
    assert targets[0].output == "net_present_value"
    with pytest.raises(ConfigError, match="net_present_value is no output of this study"):
        asked(SMOKE, [text], None)
    with pytest.raises(ValueError, match="the same for all winters"):
        Target.parse("mean(max(payback_time)) +-1 yr")
    assert Target.parse("q50(levelised_cost_of_heat) +-2 CNY/MWh").tolerance == pytest.approx(2 / 3.6)
    store = run(variant(with_money(heat_price=UNIFORM), {"samples": 256}), tmp_path / "store.zarr")
    (drivers,) = what_drives(str(store), outputs=["net_present_value"]).drivers
    assert drivers.inputs[0].label == "economics.heat_price"


LOSS = {"distribution": "uniform", "minimum": "2 %", "maximum": "9 %"}


def test_who_cannot_act_on_an_output_changes_no_bit_of_it() -> None:
    """Rows with all prices, or the whole account, drawn anew: what changes is what they are said to act on."""
    other_use = {"annual": {"distribution": "uniform", "minimum": "0.5 GWh/yr", "maximum": "2 GWh/yr"}}
    drilling = {"distribution": "uniform", "minimum": "1000 CNY/m", "maximum": "2000 CNY/m"}
    price_of_power = {"distribution": "uniform", "minimum": "0.5 CNY/kWh", "maximum": "0.8 CNY/kWh"}
    study = with_money(
        variant(SMOKE, {"own_power": POWER | {"other_use": other_use}, "carbon.network_loss": LOSS}),
        electricity=TARIFF_OF | {"price": price_of_power},
        heat_price=UNIFORM,
        capital=MONEY_OF["capital"] | {"drilling": drilling},
    )
    study = variant(study, {"replicates": 4, "carbon.electricity_account": "hourly"})
    mixed = MixedStudy.of(study, base=4)
    before, after = simulate(study, np.arange(4)).values, simulate(mixed, np.arange(mixed.samples)).values
    for number, column in enumerate(mixed.mixed, start=1):
        if column.name in ("accounting", "prices"):
            anew = {name: values[number :: mixed.matrices] for name, values in after.items()}
            changed = {name for name in before.keys() - study.inputs if not np.array_equal(before[name], anew[name])}
            assert "cost_of_avoided_carbon" in changed
            assert [name for name in changed if not acts_on(study, column, name)] == []
    account, prices = (column for column in groups_of(study) if column.name in ("accounting", "prices"))
    for output, by_account, by_prices in (
        ("unmet_hours", False, False),
        ("shortfall", False, False),
        ("carbon_reduction", True, False),
        ("claim_missed", True, False),
        ("electricity_covered", True, False),
        ("operating_cost", False, True),
        ("levelised_cost_of_heat", False, True),
        ("payback_time", True, True),
    ):
        assert (acts_on(study, account, output), acts_on(study, prices, output)) == (by_account, by_prices), output


def test_drivers_leave_out_who_cannot_act(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    study = with_money(variant(SMOKE, {"samples": 64, "carbon.network_loss": LOSS}), heat_price=UNIFORM)
    answer = what_drives(str(run(study, tmp_path / "store.zarr")), outputs=["carbon_reduction", "unmet_hours"])
    assert [drivers.idle for drivers in answer.drivers] == [("prices",), ("accounting", "prices")]
    for drivers in answer.drivers:
        named = {index.name for index in (*drivers.inputs, *drivers.groups)}
        assert {"winter_load", "ground"} <= named
        assert not named & {*drivers.idle, "economics_heat_price"}
        assert ("carbon_network_loss" in named) == (drivers.output == "carbon_reduction")
    print_tables(answer, Console(width=120))
    assert "no part in it: accounting, prices" in capsys.readouterr().out


def test_the_page_is_right() -> None:
    """Its fragments fit into a study, and the example is the one above."""
    page = (Path(__file__).parent.parent / "docs" / "economics.md").read_text()
    first, second = (YAML(typ="safe").load(block) for block in re.findall(r"```yaml\n(.*?)```", page, re.DOTALL))
    study = Study.model_validate({**SMOKE.resolved(), "economics": first["economics"] | second})
    assert study.economics is not None
    assert set(study.economics.electricity.periods) == {"sharp_peak", "peak", "valley"}
    for number in ("4,276,800", "970,520", "−2,060,680", "3,332,007", "523.30"):
        assert number in page
