"""From inputs to results: balances, definitions, independence of rows, failed rows and physical sense."""

import functools
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.special import exp1

from study import simulation
from study.config import Study, load_study
from study.sampling import sample_inputs
from study.simulation import ENERGY_IMBALANCE, INPUT_OUT_OF_RANGE, NOT_FINITE, OK, simulate
from study.variables import VARIABLES, sample_variables_of, variables_of
from study.wells import WellArrays, with_fluid
from tests.conftest import variant

CONFIGS = Path(__file__).parent.parent / "configs"


SMOKE = load_study(CONFIGS / "smoke.yaml")
SHENYANG = variant(load_study(CONFIGS / "shenyang.yaml"), {"winters": 3})
FREE = variant(SHENYANG, {"correlations": []})  # any of its inputs may be made constant
GAS = {"kind": "gas", "units": 4, "share_of_design_load": 0.6, "efficiency": 0.9, "emission_factor": "0.202 t/MWh"}
STUDIES = {
    "smoke": SMOKE,
    "shenyang": SHENYANG,
    "gas": variant(SHENYANG, {"peak_heating": GAS}),
    "none": variant(SHENYANG, {"peak_heating": {"kind": "none"}, "outages.peak_heating": None}),
    "inner_down": variant(SHENYANG, {"well.flow_direction": "inner_down"}),
    "no heat pump": variant(SHENYANG, {"heat_pump.share_of_design_load": 0}),
    "one winter": variant(SMOKE, {"winters": 1}),
    "all year": variant(SMOKE, {"season": {"start": "01-01", "end": "12-31"}}),
}
ROWS = np.arange(64)


Values = dict[str, Any]


def values(study: Study, rows: np.ndarray = ROWS) -> Values:
    """Results of rows none of which fails."""
    results = simulate(study, rows)
    assert results.reasons == {}
    return dict(results.values)


@functools.cache
def of(name: str) -> Values:
    return values(STUDIES[name])


@pytest.fixture(params=STUDIES)
def simulated(request: pytest.FixtureRequest) -> tuple[Study, Values]:
    return STUDIES[request.param], of(request.param)


def inputs(study: Study, v: Values) -> dict[str, Any]:
    """All inputs, those that are sampled with shape (row, 1)."""
    return {k: v[k][:, None] if item.uncertain else item.value for k, item in study.inputs.items()}


def test_every_variable_of_the_contract_is_there(simulated: tuple[Study, Values]) -> None:
    study, v = simulated
    of_samples = {*sample_variables_of(study)} - {"replicate", "sample"}
    of_winters = variables_of(study)
    assert set(v) == {*of_winters, *of_samples, *study.uncertain}
    assert {"energy_imbalance", "largest_unit_out_share", "status"} <= of_samples
    contract = {
        "carbon_reduction",
        *("heat_demand", "heat_delivered", "heat_unmet", "heat_backup", "heat_extracted"),
        *("electricity", "unmet_hours", "heating_reliability"),
        *("indoor_temperature_min", "inlet_temperature_min", "outlet_temperature_mean"),
    }
    assert contract < set(VARIABLES)
    for name, value in v.items():
        assert value.shape == ((64, study.winters) if name in of_winters else (64,)), name
        assert np.isfinite(value.astype(float)).all(), name
    assert v["status"].dtype == np.int8
    assert (v["status"] == OK).all()


def test_energies_add_up(simulated: tuple[Study, Values]) -> None:
    study, v = simulated
    scale = 1e-9 * v["heat_demand"].max()
    np.testing.assert_allclose(v["heat_delivered"] + v["heat_unmet"], v["heat_demand"], rtol=1e-9, atol=scale)
    parts = v["heat_extracted"] + v["electricity_compressor"] + v["heat_backup"]
    np.testing.assert_allclose(v["heat_delivered"], parts, rtol=1e-9, atol=scale)
    electricity = v["electricity_compressor"] + v["electricity_circulation"] + v["electricity_backup"]
    np.testing.assert_allclose(v["electricity"], electricity, rtol=1e-12)
    efficiency = inputs(study, v).get("peak_heating.efficiency", 1.0)
    bought = v["heat_backup"] / efficiency if study.peak_heating.kind == "electric" else 0.0 * v["heat_backup"]
    np.testing.assert_allclose(v["electricity_backup"], bought, rtol=1e-12)
    assert (v["energy_imbalance"] >= 0).all()
    assert (v["energy_imbalance"] < 1e-9).all()
    assert (v["heat_unmet"] >= -scale).all()


def test_reliability_is_the_delivered_share(simulated: tuple[Study, Values]) -> None:
    study, v = simulated
    np.testing.assert_allclose(v["heating_reliability"], 1 - v["heat_unmet"] / v["heat_demand"], rtol=0, atol=1e-9)
    short = v["unmet_hours"] > 0
    assert (v["heating_reliability"][short] < 1).all()
    np.testing.assert_allclose(v["heating_reliability"][~short], 1, rtol=1e-9)
    np.testing.assert_array_equal(v["unmet_hours"] % 1, 0)
    assert v["unmet_hours"].max() <= 24 * study.season.days
    cold = v["indoor_temperature_min"] < 18
    assert (cold[:, 0] == short[:, 0]).all()
    assert (short <= cold).all()  # without a summer a winter may begin cold


def test_carbon_follows_from_energies_and_inputs(simulated: tuple[Study, Values]) -> None:
    study, v = simulated
    x = inputs(study, v)
    years = np.arange(study.winters)
    grid = x["carbon.electricity_factor"] * (1 - x["carbon.electricity_decline"]) ** years  # kg/kWh = t/MWh
    baseline = v["heat_delivered"] * 3.6 * x["carbon.baseline_factor"] / (1 - x["carbon.network_loss"])  # GJ, t/GJ
    electricity = v["electricity"] * grid * (1 - x["carbon.green_power_share"])
    fuel = v["heat_backup"] / x["peak_heating.efficiency"] * 0.202 if study.peak_heating.kind == "gas" else 0.0
    kilowatts = x["heat_pump.capacity"] * 1000 if "heat_pump.capacity" in x else 0.0
    if "heat_pump.share_of_design_load" in x:
        kilowatts = x["heat_pump.share_of_design_load"] * x["building.design_load"] * x["building.floor_area"] / 1000
    kilograms_of_refrigerant = kilowatts * x["carbon.refrigerant_charge"]
    leak = kilograms_of_refrigerant / 1000 * x["carbon.refrigerant_leakage"] * x["carbon.refrigerant_warming_potential"]
    if study.carbon.materials is None:
        of_well, of_heat_pumps = x["carbon.embodied_per_well"], 0.0
    else:  # m³ of each in a metre of well, and t/m³ of it
        steel = (
            np.pi
            / 4
            * (
                x["well.casing.outer_diameter"] ** 2
                - (x["well.casing.outer_diameter"] - 2 * x["well.casing.wall"]) ** 2
            )
        )
        grout = np.pi / 4 * (x["well.borehole_diameter"] ** 2 - x["well.casing.outer_diameter"] ** 2)
        plastic = (
            np.pi
            / 4
            * (
                x["well.inner_pipe.outer_diameter"] ** 2
                - (x["well.inner_pipe.outer_diameter"] - 2 * x["well.inner_pipe.wall"]) ** 2
            )
        )
        of_metre = (
            steel * 7.85 * x["carbon.materials.steel_factor"] + grout * 1.32 * x["carbon.materials.cement_factor"]
        )
        of_metre = of_metre + plastic * 0.95 * x["carbon.materials.inner_pipe_factor"] + x["carbon.materials.drilling"]
        of_well, of_heat_pumps = of_metre * x["well.depth"], kilowatts / 1000 * x["carbon.materials.heat_pump_factor"]
    building = (len(study.field.places) * of_well + of_heat_pumps) / x["carbon.lifetime"]
    reduction = baseline - electricity - fuel - leak - building
    atol = 1e-9 * np.abs(baseline).max()
    np.testing.assert_allclose(v["carbon_reduction"], reduction, rtol=1e-9, atol=atol)
    for name, part in (
        ("baseline", baseline),
        ("electricity", electricity),
        ("peak_fuel", fuel),
        ("refrigerant", leak),
        ("embodied", building),
    ):
        np.testing.assert_allclose(v[f"carbon_{name}"], np.broadcast_to(part, baseline.shape), rtol=1e-9, atol=atol)
    np.testing.assert_allclose(v["grid_emission_factor"], np.broadcast_to(grid, baseline.shape), rtol=1e-12)


def test_temperatures_keep_their_limits(simulated: tuple[Study, Values]) -> None:
    study, v = simulated
    x = inputs(study, v)
    assert (v["inlet_temperature_min"] >= x["heat_pump.minimum_inlet_temperature"] - 1e-9).all()
    assert (v["outlet_temperature_mean"] > v["inlet_temperature_min"] - 1e-9).all()
    assert (v["outdoor_temperature_min"] < v["outdoor_temperature_mean"]).all()
    assert (v["indoor_temperature_min"] <= x["building.indoor_temperature"]).all()
    assert (v["indoor_temperature_min"] > v["outdoor_temperature_min"]).all()


def assert_same_bits(some: Values, more: Values, rows: Any) -> None:
    assert list(some) == list(more)
    for name, value in some.items():
        np.testing.assert_array_equal(value, more[name][rows], err_msg=name, strict=True)


@pytest.mark.parametrize(("name", "winters"), [("smoke", 2), ("shenyang", 1)])
def test_bits_do_not_depend_on_the_grouping(name: str, winters: int) -> None:
    study = variant(STUDIES[name], {"winters": winters})
    whole = values(study, np.arange(100))
    for start in (0, 35, 91):
        assert_same_bits(values(study, np.arange(start, start + 7)), whole, slice(start, start + 7))
    for row in (0, 63, 64, 99):
        assert_same_bits(values(study, np.array([row])), whole, [row])
    shuffled = np.random.default_rng(1).permutation(100)
    assert_same_bits(values(study, shuffled), whole, shuffled)


def test_more_winters_leave_the_first_ones() -> None:
    two, three = values(variant(SHENYANG, {"winters": 2})), of("shenyang")
    for name in VARIABLES:
        np.testing.assert_array_equal(two[name], three[name][:, :2], err_msg=name)


FAILING = {
    "out of range": (
        {"geothermal_gradient": {"distribution": "normal", "mean": "30 K/km", "standard_deviation": "20 K/km"}},
        "geothermal_gradient = -",
    ),
    "pipes do not fit": (
        {"well.inner_pipe.outer_diameter": {"distribution": "uniform", "minimum": "90 mm", "maximum": "200 mm"}},
        "well: inner_pipe.",
    ),
    "temperatures contradict each other": (
        {
            "building.balance_temperature": {
                "distribution": "normal",
                "mean": "16 degC",
                "standard_deviation": "2 K",
            }
        },
        "building: balance_temperature must not be above indoor_temperature",
    ),
    "layers too thick": (
        {"rock.layers.0.thickness": {"distribution": "uniform", "minimum": "1000 m", "maximum": "2200 m"}},
        "rock.layers: the layers above the last reach below the well",
    ),
}


@pytest.mark.parametrize("name", FAILING)
def test_impossible_rows_fail_alone_and_say_why(name: str) -> None:
    changes, reason = FAILING[name]
    study = variant(SMOKE, {"winters": 1, **changes})
    results = simulate(study, ROWS)
    v: Values = dict(results.values)
    failed = v["status"] == INPUT_OUT_OF_RANGE
    assert 1 <= failed.sum() < 40
    assert sorted(results.reasons) == np.flatnonzero(failed).tolist()
    assert all(text.startswith(reason) or "MPa lost to friction" in text for text in results.reasons.values())
    assert any(text.startswith(reason) for text in results.reasons.values())
    for variable, value in v.items():
        assert np.isfinite(value[~failed].astype(float)).all(), variable
        if variable in (*study.uncertain, "status"):
            assert np.isfinite(value[failed].astype(float)).all(), variable
        else:
            assert np.isnan(value[failed]).all(), variable
    assert (v["status"][~failed] == OK).all()
    assert_same_bits(values(study, ROWS[~failed]), v, ~failed)


def test_rows_that_fail_in_the_kernels_fail_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    study = variant(SMOKE, {"winters": 1})
    good = values(study, np.arange(70))
    kernels = simulation._simulate_lanes

    def spoilt(study: Study, rows: np.ndarray, *more: Any) -> Values:
        group = kernels(study, rows, *more)
        group["electricity"][rows == 3] = np.inf
        group["energy_imbalance"][rows == 66] = 2e-9
        return group

    monkeypatch.setattr(simulation, "_simulate_lanes", spoilt)
    results = simulate(study, np.arange(70))
    v: Values = dict(results.values)
    status = v["status"]
    assert (status[3], status[66]) == (NOT_FINITE, ENERGY_IMBALANCE)
    assert results.reasons == {
        3: "electricity is not a finite number",
        66: "energy is not conserved, off by 2.0e-09",
    }
    assert np.isnan(v["carbon_reduction"][[3, 66]]).all()
    left = np.setdiff1d(np.arange(70), [3, 66])
    assert_same_bits({name: value[left] for name, value in v.items()}, good, left)


def test_equal_layers_are_one_rock() -> None:
    whole = {"rock.conductivity": "2.5 W/m/K", "geothermal_gradient": "29 K/km"}
    layers = [{"thickness": "1450 m"}, {"thickness": "725 m", "conductivity": "2.5 W/m/K"}, {"thickness": "9 m"}]
    one = values(variant(FREE, whole))
    many = values(variant(FREE, {**whole, "rock.layers": layers}))
    for name in VARIABLES:  # other cells: an hour at the edge may be unmet or not
        counts = VARIABLES[name]["units"] == "h" or name == "shortfalls"
        atol = 1.0 if counts else 0.005 if name in ("heat_unmet", "heat_backup", "cold_degree_hours") else 1e-4
        np.testing.assert_allclose(many[name], one[name], rtol=1e-5, atol=atol, err_msg=name)


def test_rock_is_as_warm_as_its_depth() -> None:
    layers = [{"thickness": "1000 m", "geothermal_gradient": "20 K/km"}, {"thickness": "1 m"}]
    study = variant(FREE, {"rock.layers": layers, "geothermal_gradient": "30 K/km", "surface_temperature": "10 degC"})
    inputs = with_fluid(sample_inputs(study, np.arange(1)), "water", np.array([20.0]))
    column = WellArrays.of(inputs, np.array([5, 10])).column
    depth = column.depth[:, 0]
    expected = np.where(depth < 1000.0, 10.0 + 0.020 * depth, 30.0 + 0.030 * (depth - 1000.0))
    np.testing.assert_allclose(column.undisturbed[:, 0], expected, rtol=1e-12)
    np.testing.assert_allclose(column.length[:, 0], [200.0, 190.0], rtol=1e-12)
    assert (depth < 1000.0).sum() == 10


@pytest.mark.parametrize("layout", ["grid", "coordinates"])
def test_interference_is_the_superposition_of_what_was_extracted(layout: str) -> None:
    """Line sources of each winter's mean heat flow, for the mean well and the coldest one."""
    years, rows, spacing = 10, np.arange(4), 18.0
    places = spacing * np.array([(float(x), float(y)) for y in range(4) for x in range(7)])
    field = {"rows": 4, "columns": 7, "spacing": f"{spacing} m"}
    if layout == "coordinates":
        places = np.random.default_rng(8).permutation(places)[:19]
        field = {"coordinates": [[f"{x} m", f"{y} m"] for x, y in places]}
    rock = {"conductivity": "2.5 W/m/K", "volumetric_heat_capacity": "2.3 MJ/m^3/K"}
    study = variant(FREE, {"winters": years, "field": field, "rock": rock})
    v, depth = values(study, rows), study.inputs["well.depth"].value
    season, year = 24 * study.season.days * 3600.0, 8760.0 * 3600.0
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    np.fill_diagonal(apart, np.inf)
    flux = v["heat_extracted"] * 1e6 / (24 * study.season.days) / len(places) / depth  # W/m, (row, winter)

    def cooling(at: float) -> np.ndarray:
        """Of each well, K, (row, well)."""
        total = np.zeros((len(rows), len(places)))
        for winter in range(years):
            for edge, sign in ((winter * year, 1.0), (winter * year + season, -1.0)):
                if at > edge:
                    response = exp1(apart**2 / (4.0 * 2.5 / 2.3e6 * (at - edge))).sum(axis=1) / (4.0 * np.pi * 2.5)
                    total += sign * flux[:, winter, None] * response
        return total

    for winter in (1, 4, years - 1):
        each = cooling(winter * year + season)
        mean, most = each.mean(axis=1), cooling(years * year).argmax(axis=1)
        coldest = each[np.arange(len(rows)), most] - mean
        np.testing.assert_allclose(v["thermal_interference"][:, winter], mean, rtol=0.02, atol=0.01)
        np.testing.assert_allclose(v["coldest_well_penalty"][:, winter], coldest, rtol=0.02, atol=0.01)
    assert (v["coldest_well_penalty"][:, -1] > 0.2).all()
    assert (np.diff(v["thermal_interference"]) > 0).all()


def test_a_lone_well_has_no_interference() -> None:
    v = values(variant(FREE, {"field": {"rows": 1, "columns": 1, "spacing": "20 m"}}))
    np.testing.assert_array_equal(v["thermal_interference"], 0.0)
    np.testing.assert_array_equal(v["coldest_well_penalty"], 0.0)


def test_coordinates_of_a_grid_are_the_grid() -> None:
    places = [[f"{20 * x} m", f"{20 * y} m"] for y in range(4) for x in range(7)]
    grid = values(variant(FREE, {"field.spacing": "20 m"}), np.arange(8))
    listed = values(variant(FREE, {"field": {"coordinates": places}}), np.arange(8))
    for name in VARIABLES:
        np.testing.assert_allclose(listed[name], grid[name], rtol=1e-6, atol=1e-5, err_msg=name)


def test_the_field_recovers_in_summer(monkeypatch: pytest.MonkeyPatch) -> None:
    steady = variant(
        SMOKE, {"climate.daily_standard_deviation": ["0 K"] * 12, "climate.season_standard_deviation": "0 K"}
    )
    rested = values(steady)["outlet_temperature_mean"]
    monkeypatch.setattr(simulation, "summer_rest", lambda state, _wells, _steps: np.zeros_like(state.deviation))
    tired = values(steady)["outlet_temperature_mean"]
    np.testing.assert_array_equal(rested[:, 0], tired[:, 0])
    assert (tired[:, 1] < rested[:, 1] - 0.1).all()
    assert (rested[:, 1] < rested[:, 0]).all()


def test_layers_differ_from_their_mean() -> None:
    warm_below = [
        {"thickness": "1450 m", "geothermal_gradient": "20 K/km"},
        {"thickness": "1 m", "geothermal_gradient": "38 K/km"},
    ]
    warm_above = [
        {**warm_below[0], "geothermal_gradient": "38 K/km"},
        {**warm_below[1], "geothermal_gradient": "20 K/km"},
    ]
    one, other = (values(variant(FREE, {"rock.layers": layers})) for layers in (warm_below, warm_above))
    assert (one["outlet_temperature_mean"] < other["outlet_temperature_mean"] - 0.1).all()  # same bottom, colder above


BETTER = {
    "more conductive rock": ("rock.conductivity", "2 W/m/K", "3 W/m/K"),
    "steeper gradient": ("geothermal_gradient", "25 K/km", "33 K/km"),
    "milder winters": ("climate.mean_offset", "-2 K", "2 K"),
    "warmer ground": ("surface_temperature", "8 degC", "11 degC"),
    "better insulated buildings": ("winter_load", 1.2, 0.9),
    "larger peak plant": ("peak_heating.share_of_design_load", 0.1, 0.4),
    "lower inlet limit": ("heat_pump.minimum_inlet_temperature", "8 degC", "4 degC"),
}


@pytest.mark.parametrize("name", BETTER)
def test_what_must_help_never_harms(name: str) -> None:
    key, worse, better = BETTER[name]
    small = variant(FREE, {"peak_heating.share_of_design_load": 0.2})
    before, after = (values(variant(small, {key: value}))["heating_reliability"] for value in (worse, better))
    colder_ground = 1e-5 if name == "lower inlet limit" else 0.0  # is taken from more, and then the machines do less
    assert (after >= before - 1e-12 - colder_ground).all()
    assert (after > before + 1e-6).any()


def test_wider_spacing_never_harms() -> None:
    before, after = (
        values(variant(FREE, {"field.spacing": space}))["heating_reliability"] for space in ("15 m", "60 m")
    )
    assert (after >= before - 1e-12)[:, 1:].all()
    assert (after > before + 1e-3)[:, 1:].any()
    # in the first winter the neighbours are not felt yet: what is left is the error of the modes fitted to them
    np.testing.assert_allclose(after[:, 0], before[:, 0], atol=1e-3)


def test_neighbours_cool_the_field_over_the_winters() -> None:
    rows = np.arange(16)
    decade = variant(FREE, {"winters": 10})
    dense, wide = (
        values(variant(decade, {"field.spacing": s}), rows)["outlet_temperature_mean"] for s in ("15 m", "200 m")
    )
    assert (np.diff((dense - wide).mean(axis=0)) < 0).all()
    assert (dense[:, -1] < dense[:, 0] - 1).all()
    assert np.abs(dense[:, 0] - wide[:, 0]).max() < 0.25 * np.abs(dense[:, -1] - wide[:, -1]).min()


def test_without_heat_pump_the_peak_plant_does_it_all() -> None:
    none = of("no heat pump")
    scale = 1e-9 * none["heat_demand"].max()
    np.testing.assert_allclose(none["heat_extracted"], 0, atol=scale)
    np.testing.assert_allclose(none["electricity_compressor"], 0, atol=scale)
    np.testing.assert_allclose(none["heat_delivered"], none["heat_backup"], rtol=1e-9)
    np.testing.assert_array_equal(none["carbon_refrigerant"], 0)
    assert (none["heating_reliability"] < of("shenyang")["heating_reliability"]).all()


def test_kinds_of_peak_heating() -> None:
    electric, gas, none = (of(name) for name in ("shenyang", "gas", "none"))
    for name in ("heat_backup", "heat_delivered", "heat_extracted", "heating_reliability"):
        np.testing.assert_array_equal(electric[name], gas[name])
    assert (gas["carbon_peak_fuel"] > 0).all()
    assert (gas["electricity"] < electric["electricity"]).all()
    for name in ("heat_backup", "electricity_backup", "carbon_peak_fuel"):
        np.testing.assert_array_equal(none[name], 0)
    np.testing.assert_array_equal(gas["electricity_backup"], 0)
    np.testing.assert_array_equal(electric["carbon_peak_fuel"], 0)
    assert (none["heating_reliability"] < electric["heating_reliability"]).all()


def test_winter_load_is_a_factor_on_demand() -> None:
    one, two = (values(variant(FREE, {"winter_load": factor, "building.reheat": 0})) for factor in (0.6, 1.2))
    np.testing.assert_allclose(two["heat_demand"], 2 * one["heat_demand"], rtol=1e-12)
    np.testing.assert_array_equal(two["outdoor_temperature_mean"], one["outdoor_temperature_mean"])
    assert (two["heating_reliability"] <= one["heating_reliability"]).all()


@pytest.mark.parametrize(("start", "end", "days"), [("12-01", "02-28", 90), ("10-15", "10-15", 1)])
def test_season_with_other_dates(start: str, end: str, days: int) -> None:
    usual = of("smoke")
    other = variant(SMOKE, {"season": {"start": start, "end": end}})
    assert other.season.days == days
    found = values(other)
    assert (found["heat_demand"] < usual["heat_demand"]).all()
    assert found["unmet_hours"].max() <= 24 * days
    mean = found["outdoor_temperature_mean"].mean() - usual["outdoor_temperature_mean"].mean()
    assert mean < -2 if days == 90 else mean > 5


def test_green_power_takes_electricity_out_of_the_account() -> None:
    grid, green = (
        values(variant(SHENYANG, {"carbon.electricity_account": "market", "carbon.green_power_share": share}))
        for share in (0, 1)
    )
    np.testing.assert_array_equal(green["carbon_electricity"], 0)
    for name in set(VARIABLES) - {"carbon_electricity", "carbon_reduction"}:
        np.testing.assert_array_equal(green[name], grid[name], err_msg=name)
    np.testing.assert_allclose(
        green["carbon_reduction"], grid["carbon_reduction"] + grid["carbon_electricity"], rtol=1e-12, atol=1e-9
    )


def test_a_medium_has_the_properties_of_each_samples_own_loop() -> None:
    rows = np.arange(8)
    own = simulate(variant(SMOKE, {"fluid": {"medium": "propylene_glycol", "mass_fraction": "30 %"}}), rows).values
    guess = {"medium": "propylene_glycol", "mass_fraction": "30 %", "temperature": "20 degC"}
    assert np.all(
        own["electricity_circulation"]
        != simulate(variant(SMOKE, {"fluid": guess}), rows).values["electricity_circulation"]
    )
    loop = float(simulate(variant(SMOKE, {"fluid": guess}), rows[:1]).values["loop_temperature_mean"][0, 0])
    same = simulate(variant(SMOKE, {"fluid": guess | {"temperature": f"{loop!r} degC"}}), rows[:1]).values
    np.testing.assert_allclose(same["electricity_circulation"], own["electricity_circulation"][:1], rtol=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        (
            {"correlations": [], "surface_temperature": "-30 degC", "geothermal_gradient": "0 K/km"},
            "fluid: at a mean of -",
        ),
        ({"correlations": [], "geothermal_gradient": "200 K/km"}, "where the properties of the fluid end"),
        (
            {
                "correlations": [],
                "surface_temperature": "-30 degC",
                "geothermal_gradient": "0 K/km",
                "fluid": {"medium": "water", "temperature": "10 degC"},
            },
            "fluid: freezes at 0.0 degC",
        ),
        (
            {
                "fluid": {
                    "medium": "water",
                    "temperature": {"distribution": "normal", "mean": "-1 degC", "standard_deviation": "10 K"},
                }
            },
            "freezing",
        ),
        (
            {
                "field": {"rows": 1, "columns": 1},
                "well.flow_rate": "200 m^3/h",
                "well.inner_pipe.outer_diameter": "158 mm",
            },
            "MPa lost to friction",
        ),
    ],
)
def test_water_that_cannot_be_fails_its_rows_with_the_reason(changes: dict[str, Any], words: str) -> None:
    results = simulate(variant(SMOKE, changes), np.arange(8))
    assert any(words in reason for reason in results.reasons.values()), results.reasons
    assert np.isnan(results.values["carbon_reduction"][list(results.reasons)]).all()
