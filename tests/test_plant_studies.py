"""Studies with all that a building, a plant and a climate may be: what is refused, the same bits whatever the grouping
of rows, draws that nothing else changes, rows that fail alone, and energies that add up for odd studies too.
"""

import io
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

from study import simulation
from study.config import ConfigError, Study, load_study
from study.sampling import sample_inputs
from study.simulation import INPUT_OUT_OF_RANGE, OK, simulate
from study.variables import VARIABLES
from study.weather_record import pack
from study.winters import built_in_climates
from tests.conftest import SMOKE as FILE
from tests.conftest import variant

Values = dict[str, Any]

ABSENT = object()
PLAIN: Values = YAML(typ="safe", pure=True).load(FILE)
SMOKE = variant(load_study(FILE), {"correlations": []})


def uniform(low: float, high: float, unit: str = "") -> Values:
    return {"distribution": "uniform", "minimum": f"{low} {unit}".strip(), "maximum": f"{high} {unit}".strip()}


TIMES = {"time_to_failure": uniform(300, 3000, "h"), "time_to_repair": uniform(10, 100, "h")}
AIR = {
    "kind": "air_source",
    "capacity": "0.3 MW",
    "second_law_efficiency": 0.4,
    "capacity_slope": "0.02 1/K",
    "rated_outdoor_temperature": "7 degC",
    "lowest_outdoor_temperature": "-15 degC",
}
GAS = {"kind": "gas", "capacity": "0.1 MW", "efficiency": 0.92, "emission_factor": "0.2 t/MWh"}
SCHEDULE = {"working_days": 5, "start": "7 h", "end": "18 h", "setback": "6 K"}
TANK = {"volume": "100 m^3", "temperature_difference": "10 K", "power": "0.3 MW"}
RECHARGE = {"power": "0.2 MW", "start": "05-15", "end": "09-15", "maximum_inlet_temperature": "40 degC"}
FAILURES = ("wells", "pumps", "heat_pumps", "peak_heating", "reserve_heating")
EVERYTHING: Values = {
    "fluid": {"medium": "propylene_glycol", "mass_fraction": "30 %"},
    "climate.warming": uniform(0.2, 0.6, "K/decade"),
    "climate.season_standard_deviation": uniform(0.9, 1.5, "K"),
    "building.design_load": uniform(30, 45, "W/m^2"),
    "building.balance_temperature": None,
    "building.internal_gains": uniform(1, 4, "W/m^2"),
    "building.fast_capacity_share": uniform(0.05, 0.2),
    "building.mass_conductance": "3 W/m^2/K",
    "building.ventilation_share": uniform(0.1, 0.3),
    "building.domestic_hot_water": uniform(1, 3, "W/m^2"),
    "building.schedule": {**SCHEDULE, "setback": uniform(3, 6, "K")},
    "heat_pump.units": 3,
    "heat_pump.part_load_degradation": uniform(0.05, 0.2),
    "heat_pump.capacity_source_slope": "0.03 1/K",
    "heat_pump.capacity_supply_slope": "-0.005 1/K",
    "peak_heating": {**AIR, "units": 2, "second_law_efficiency": uniform(0.3, 0.4)},
    "reserve_heating": {**GAS, "units": 2},
    "heat_storage": {**TANK, "volume": uniform(50, 150, "m^3")},
    "circulation.pumps": 3,
    "circulation.pumps_needed": 2,
    "circulation.flow_control": "variable",
    "circulation.minimum_flow_share": uniform(0.4, 0.6),
    "outages": dict.fromkeys(FAILURES, TIMES),
    "summer_recharge": RECHARGE,
}


@cache
def recorded(days: int, winters: int = 8) -> np.ndarray:
    """Invented winters of a record, °C, (winter, hour)."""
    random = np.random.default_rng(5)
    wave = -8 + 4 * np.cos(2 * np.pi * (np.arange(24 * days) % 24 - 15) / 24)
    return np.asarray((wave + random.normal(0, 4, (winters, days)).repeat(24, axis=1)).round(2))


def of_record(days: int, **more: Any) -> Values:
    return {"site": "invented", "record": pack(recorded(days)), "mean_offset": "0.5 K", **more}


DAYS = SMOKE.season.days
BLOCKS: Values = {"resample": "blocks", "block_length": "10 d"}
CLIMATES: dict[str, Values] = {
    "generator": {},
    "winters": {"climate": of_record(DAYS, resample="winters", warming=uniform(0.2, 0.6, "K/decade"))},
    "blocks": {"climate": of_record(DAYS, **BLOCKS)},
}


@cache
def whole(name: str) -> Study:
    return variant(variant(SMOKE, EVERYTHING), CLIMATES[name])


def values(study: Study, rows: np.ndarray) -> Values:
    """Results of rows none of which fails."""
    results = simulate(study, rows)
    assert results.reasons == {}
    return dict(results.values)


@cache
def of(name: str) -> Values:
    return values(whole(name), np.arange(100))


def assert_same_bits(some: Values, more: Values, rows: Any) -> None:
    assert list(some) == list(more)
    for name, value in some.items():
        np.testing.assert_array_equal(value, more[name][rows], err_msg=name, strict=True)


# bits


@pytest.mark.parametrize("name", CLIMATES)
def test_everything_is_at_work(name: str) -> None:
    """So that what follows speaks of it."""
    v = of(name)
    for variable in (
        *("heat_unmet", "heat_backup", "heat_reserve", "heat_storage_loss", "heat_recharged", "outage_hours"),
        *("inlet_limit_hours", "shortfalls", "cold_hours", "carbon_peak_fuel", "electricity_backup"),
    ):
        assert (v[variable] > 0).mean() > 0.3, variable
    assert (v["energy_imbalance"] < 1e-9).all()
    assert_energies_add_up(v, np.full(100, True))


def assert_energies_add_up(v: Values, rows: np.ndarray) -> None:
    heat = {key: v[f"heat_{key}"][rows] for key in ("demand", "delivered", "unmet", "backup", "extracted")}
    lost, compressor = v["heat_storage_loss"][rows], v["electricity_compressor"][rows]
    scale = 1e-9 * (heat["demand"] + lost).max()
    np.testing.assert_allclose(heat["delivered"] + heat["unmet"], heat["demand"], rtol=0, atol=scale)
    into = heat["extracted"] + compressor + heat["backup"]
    np.testing.assert_allclose(into, heat["delivered"] + lost, rtol=0, atol=scale)
    assert (v["heat_reserve"][rows] <= heat["backup"] + scale).all()


@pytest.mark.parametrize("name", CLIMATES)
def test_bits_do_not_depend_on_the_grouping(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    study, all_rows = whole(name), of(name)
    for start, stop in ((0, 7), (61, 68), (93, 100)):
        assert_same_bits(values(study, np.arange(start, stop)), all_rows, slice(start, stop))
    assert_same_bits(values(study, np.array([63])), all_rows, [63])
    shuffled = np.random.default_rng(1).permutation(100)
    assert_same_bits(values(study, shuffled), all_rows, shuffled)
    for lanes in (32, 96):
        monkeypatch.setattr(simulation, "LANES", lanes)
        assert_same_bits(values(study, np.arange(20, 90)), all_rows, slice(20, 90))


@pytest.mark.parametrize("name", CLIMATES)
def test_more_winters_leave_the_first_ones(name: str) -> None:
    three = values(variant(whole(name), {"winters": 3}), np.arange(20))
    for variable in VARIABLES:
        np.testing.assert_array_equal(three[variable][:, :2], of(name)[variable][:20], err_msg=variable)


WEATHER = ("outdoor_temperature_mean", "outdoor_temperature_min")
CHANGES: dict[str, Values] = {
    "outages": {"outages": {"wells": {"time_to_failure": "500 h", "time_to_repair": "50 h"}}},
    "tank": {"heat_storage": TANK},
    "reserve": {"reserve_heating": GAS},
    "schedule": {"building.schedule": SCHEDULE},
    "masses": {"building.fast_capacity_share": 0.1, "building.mass_conductance": "3 W/m^2/K"},
    "recharge": {"summer_recharge": RECHARGE},
    "flow": {"circulation.flow_control": "variable", "circulation.minimum_flow_share": 0.5},
    "units": {"heat_pump.units": 5, "circulation.pumps": 5},
}


@pytest.mark.parametrize("name", CLIMATES)
def test_nothing_of_the_plant_changes_the_weather(name: str) -> None:
    rows = np.arange(16)
    base = variant(SMOKE, CLIMATES[name])
    before = values(base, rows)
    assert len(np.unique(before["outdoor_temperature_mean"])) > 5
    for what, change in CHANGES.items():
        after = values(variant(base, change), rows)
        for variable in WEATHER:
            np.testing.assert_array_equal(after[variable], before[variable], err_msg=what)
        if what != "units":
            assert any((after[variable] != before[variable]).any() for variable in VARIABLES), what


def test_outages_of_one_group_change_nothing_of_another() -> None:
    """Whether other units fail, and how many there are, says nothing of what happens to a unit."""
    rows, times = np.arange(16), {"time_to_failure": "500 h", "time_to_repair": "50 h"}

    def outage_hours(groups: tuple[str, ...], changes: Values) -> np.ndarray:
        study = variant(SMOKE, {"outages": dict.fromkeys(groups, times), **changes})
        return np.asarray(values(study, rows)["outage_hours"])

    wells, pumps = outage_hours(("wells",), {}), outage_hours(("pumps",), {})
    both, more = outage_hours(("wells", "pumps"), {}), outage_hours(("wells",), {"heat_pump.units": 4})
    assert (np.maximum(wells, pumps) <= both).all()
    assert (both <= wells + pumps).all()
    assert (both > wells).any()
    np.testing.assert_array_equal(more, wells)
    five, six = (outage_hours(("heat_pumps",), {"heat_pump.units": units}) for units in (5, 6))
    assert (five <= six).all()
    assert (five < six).any()


COLD_IN_JANUARY = {
    "climate.monthly_temperature": [f"{t} degC" for t in (-20, -20, 25, 25, 25, 25, 25, 25, 25, 25, 25, 20)],
    "climate.daily_standard_deviation": ["2 K"] * 12,
}


def test_another_season_has_the_same_weather_on_its_days() -> None:
    """The coldest hour is in January or February; seasons differ in what is mild."""
    rows = np.arange(32)

    def coldest(start: str, end: str) -> np.ndarray:
        study = variant(SMOKE, {**COLD_IN_JANUARY, "season": {"start": start, "end": end}})
        return np.asarray(values(study, rows)["outdoor_temperature_min"])

    usual = coldest("11-01", "03-31")
    assert usual.std() > 1.0
    np.testing.assert_array_equal(coldest("11-01", "04-20"), usual)
    # a season that starts earlier has another first day of the autoregression, forgotten by 0.7 to the power of days
    np.testing.assert_allclose(coldest("10-01", "03-31"), usual, rtol=0, atol=1e-6)
    np.testing.assert_allclose(coldest("07-01", "06-30"), usual, rtol=0, atol=1e-6)


# a record in a file


@pytest.fixture(scope="module")
def series(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with eight years of invented hours, from July to June."""
    folder = tmp_path_factory.mktemp("record")
    hours = pd.date_range("2001-07-01", "2009-06-30 23:00", freq="h")
    random = np.random.default_rng(7)
    mean = 5 - 15 * np.cos(2 * np.pi * (hours.day_of_year.to_numpy() - 20) / 365)
    days = random.normal(0, 4, len(hours) // 24).repeat(24)
    table = pd.DataFrame({"time": hours.strftime("%Y-%m-%dT%H:%M"), "temperature": (mean + days).round(2)})
    table.to_csv(folder / "hours.csv", index=False)
    table.iloc[: 24 * 365 * 2].to_csv(folder / "short.csv", index=False)
    return folder


def load(folder: Path, changes: Values) -> Study:
    """The smoke study, read from a file beside others, with other values at some dotted keys."""
    data = YAML(typ="safe", pure=True).load(FILE)
    for key, value in {"correlations": [], **changes}.items():
        *parents, last = key.split(".")
        node = data
        for part in parents:
            node = node[part]
        if value is ABSENT:
            del node[last]
        else:
            node[last] = value
    return load_study(write(folder / "study.yaml", data))


def write(path: Path, data: object) -> Path:
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(data, stream)
    path.write_text(stream.getvalue(), encoding="utf-8")
    return path


HOURS = {"file": "hours.csv"}
FROM_FILE = {"site": "invented", "record": HOURS}


def test_blocks_of_a_record_stay_when_the_season_changes(series: Path) -> None:
    """The coldest hour of a season is that of the coldest of its parts, to the bit."""
    rows = np.arange(32)

    def coldest(start: str, end: str) -> np.ndarray:
        study = load(series, {"climate": {**FROM_FILE, **BLOCKS}, "season": {"start": start, "end": end}})
        return np.asarray(values(study, rows)["outdoor_temperature_min"])

    parts = [coldest(*part) for part in (("11-01", "12-24"), ("12-25", "01-31"), ("02-01", "03-31"))]
    assert len(set(np.argmin(parts, axis=0).ravel())) > 1
    np.testing.assert_array_equal(np.min(parts, axis=0), coldest("11-01", "03-31"))


@pytest.mark.parametrize("how", [{"resample": "winters"}, BLOCKS])
def test_a_study_with_a_record_reads_back_without_the_file(series: Path, how: Values) -> None:
    study = load(series, {"climate": {**FROM_FILE, **how}})
    again = Study.model_validate(study.resolved())
    assert again.fingerprint() == study.fingerprint()
    assert_same_bits(values(again, np.arange(3)), values(study, np.arange(3)), slice(None))


def test_whole_winters_are_those_of_the_record(series: Path) -> None:
    """Each mean is one of the record's, and all of them come."""
    study = load(
        series, {"climate": {**FROM_FILE, "resample": "winters"}, "season": {"start": "01-10", "end": "01-12"}}
    )
    table = pd.read_csv(series / "hours.csv", index_col="time", parse_dates=True)["temperature"]
    of_years = [table[f"{year}-01-10" : f"{year}-01-12"].mean() for year in range(2002, 2010)]
    found = values(study, np.arange(64))["outdoor_temperature_mean"].ravel()
    nearest = np.abs(found[:, None] - of_years).argmin(axis=1)
    np.testing.assert_allclose(found, np.array(of_years)[nearest], rtol=0, atol=1e-9)
    assert set(nearest) == set(range(8))


# the climate of a file


CLIMATE_FILE = {
    "climate": {**PLAIN["climate"], "warming": "1 K/decade"},
    "season": {"start": "10-20", "end": "04-20"},
    "building": {"design_outdoor_temperature": {"value": "-24.2 degC", "source": "a standard"}},
    "surface_temperature": "6 degC",
}
SILENT = {"season": ABSENT, "building.design_outdoor_temperature": ABSENT, "surface_temperature": ABSENT}


def test_a_climate_file_fills_in_what_the_study_leaves_open(tmp_path: Path) -> None:
    write(tmp_path / "mine.yaml", CLIMATE_FILE)
    filled = load(tmp_path, {"climate": {"from": "mine.yaml"}, **SILENT})
    assert filled.season.days == 183
    assert filled.inputs["building.design_outdoor_temperature"].value == -24.2
    assert filled.inputs["building.design_outdoor_temperature"].source == "a standard"
    assert filled.inputs["surface_temperature"].value == 6
    assert filled.inputs["climate.warming"].value == 1
    own = load(tmp_path, {"climate": {"from": "mine.yaml", "warming": uniform(0, 1, "K/decade"), "persistence": 0.6}})
    assert own.season.days == 151
    assert own.inputs["building.design_outdoor_temperature"].value == -16.9
    assert own.inputs["surface_temperature"].value == 9.8
    assert own.inputs["climate.warming"].uncertain
    assert own.climate.persistence == 0.6
    written = load(tmp_path, {"climate": CLIMATE_FILE["climate"]})
    assert load(tmp_path, {"climate": {"from": "mine.yaml"}}).fingerprint() == written.fingerprint()


@pytest.mark.parametrize("name", built_in_climates())
def test_one_line_moves_a_study_to_another_city(tmp_path: Path, name: str) -> None:
    study = load(tmp_path, {"climate": name, **SILENT})
    assert study.climate.site.lower().startswith(name)
    again = load(tmp_path, {"climate": {"from": name}, **SILENT})
    assert again.fingerprint() == study.fingerprint()
    v = values(study, np.arange(4))
    coldest = study.inputs["building.design_outdoor_temperature"].value
    assert (np.abs(v["outdoor_temperature_min"].mean() - coldest) < 12).all()
    held = load(tmp_path, {"climate": {"from": name, "warming": "0 K/decade"}, **SILENT})
    assert held.inputs["climate.warming"].value == 0


BAD_CLIMATES: dict[str, tuple[bytes | Values, str]] = {
    "nothing": (b"", "got nothing"),
    "a list": (b"- 1\n", "got a list"),
    "junk": (b"\xff\xfe\x00", "not text in UTF-8"),
    "aliases": (b"climate: &a {}\nseason: *a\n", "aliases"),
    "large": (b"a: 1\n" * 200_001, "too large"),
    "another key": ({**CLIMATE_FILE, "evil": 1}, "evil: unknown key"),
    "no climate": ({"season": CLIMATE_FILE["season"]}, "climate: is missing"),
    "wrong climate": ({**CLIMATE_FILE, "climate": 3}, "climate: allowed: a mapping with site"),
    "not a number": (
        {**CLIMATE_FILE, "climate": {**PLAIN["climate"], "persistence": ".nan"}},
        "climate.persistence: not a number",
    ),
    "eleven months": (
        {**CLIMATE_FILE, "climate": {**PLAIN["climate"], "monthly_temperature": ["1 degC"] * 11}},
        "climate.monthly_temperature: ",
    ),
    "a flat shape": (
        {**CLIMATE_FILE, "climate": {**PLAIN["climate"], "diurnal_shape": [0] * 24}},
        "diurnal_shape must be 24 numbers of zero mean and range one",
    ),
    "impossible tails": (
        {**CLIMATE_FILE, "climate": {**PLAIN["climate"], "cold_skewness": 1, "cold_kurtosis": 0}},
        "cold_kurtosis must be between 1.50 (for this skewness) and 2",
    ),
    "a month too many": (
        {**CLIMATE_FILE, "season": {"start": "13-01", "end": "02-01"}},
        "season.start: allowed: a day",
    ),
    "a building": ({**CLIMATE_FILE, "building": {"floor_area": "1 m^2"}}, "building.floor_area: unknown key"),
    "from another": ({**CLIMATE_FILE, "climate": {"from": "harbin"}}, "climate.from: unknown key"),
}


@pytest.mark.parametrize("name", BAD_CLIMATES)
def test_a_bad_climate_file_is_refused_in_words(tmp_path: Path, name: str) -> None:
    content, expected = BAD_CLIMATES[name]
    if isinstance(content, bytes):
        (tmp_path / "mine.yaml").write_bytes(content)
    else:
        write(tmp_path / "mine.yaml", content)
    message = refusal(tmp_path, {"climate": {"from": "mine.yaml"}, **SILENT})
    assert message.startswith(str(tmp_path / "mine.yaml"))
    assert expected in message


def refusal(folder: Path, changes: Values) -> str:
    with pytest.raises(ConfigError) as caught:
        load(folder, changes)
    message = str(caught.value)
    assert message.startswith(str(folder))
    assert len(message.splitlines()) <= 20
    assert all(len(line) < 600 for line in message.splitlines())
    return message


# what is refused


TWO_MASSES = {"building.mass_conductance": "3 W/m^2/K"}
FAILURE = {"time_to_failure": "1000 h", "time_to_repair": "10 h"}
PACKED = of_record(DAYS, resample="winters")
REFUSED: list[tuple[Values, str]] = [
    ({"building.schedule": {**SCHEDULE, "start": "7.5 h"}}, "building.schedule: start and end: allowed: whole hours"),
    ({"building.schedule": {**SCHEDULE, "end": "7 h"}}, "building.schedule: start and end: allowed: whole hours"),
    ({"building.schedule": {**SCHEDULE, "end": "25 h"}}, "building.schedule.end: allowed: a quantity in h"),
    ({"building.schedule": {**SCHEDULE, "start": uniform(6, 8, "h")}}, "building.schedule.start: not a number"),
    ({"building.schedule": {**SCHEDULE, "working_days": 0}}, "building.schedule.working_days: should be greater"),
    ({"building.schedule": {**SCHEDULE, "working_days": 8}}, "building.schedule.working_days: should be less"),
    (
        {"building.schedule": {**SCHEDULE, "setback": "3 degC"}},
        "building.schedule.setback: 'degC' is a temperature, not",
    ),
    ({"building.reheat": -1}, "building.reheat: allowed: a number or a percentage"),
    ({"building.fast_capacity_share": 0.2}, "building: fast_capacity_share and mass_conductance go together"),
    (TWO_MASSES, "building: fast_capacity_share and mass_conductance go together"),
    ({**TWO_MASSES, "building.fast_capacity_share": 0}, "building.fast_capacity_share: allowed: a number or a"),
    ({"building.heat_loss_coefficient": "1 W/m^2/K"}, "building: give either design_load or heat_loss_coefficient"),
    ({"building.design_load": ABSENT}, "building: give either design_load or heat_loss_coefficient"),
    ({"building.internal_gains": "1 W/m^2"}, "building: give either balance_temperature or internal_gains"),
    ({"building.balance_temperature": ABSENT}, "building: give either balance_temperature or internal_gains"),
    ({"building.ventilation_share": 1}, "building.ventilation_share: allowed"),
    ({"building.domestic_hot_water": "-1 W/m^2"}, "building.domestic_hot_water: allowed"),
    ({"building.comfort_temperature": "50 degC"}, "building.comfort_temperature: allowed"),
    ({"heat_pump.units": 0}, "heat_pump.units: should be greater than or equal to 1"),
    ({"heat_pump.units": 1.5}, "heat_pump.units: should be a valid integer"),
    ({"heat_pump.part_load_degradation": 0.6}, "heat_pump.part_load_degradation: allowed"),
    ({"heat_pump.capacity_source_slope": "-0.1 1/K"}, "heat_pump.capacity_source_slope: allowed"),
    ({"heat_pump.capacity_supply_slope": "0.01 1/K"}, "heat_pump.capacity_supply_slope: allowed"),
    ({"circulation.pumps_needed": 2}, "circulation: pumps_needed: allowed: at most pumps, 1, got 2"),
    ({"circulation.pumps": 0}, "circulation.pumps: should be greater"),
    ({"circulation.minimum_flow_share": 0.5}, "circulation: minimum_flow_share goes with flow_control: variable"),
    ({"circulation.flow_control": "variable"}, "circulation: minimum_flow_share goes with flow_control: variable"),
    ({"circulation.flow_control": "slow"}, "circulation.flow_control: should be 'fixed' or 'variable'"),
    ({"outages": {"reserve_heating": FAILURE}}, "outages.reserve_heating: there is no reserve_heating"),
    (
        {"peak_heating": {"kind": "none"}, "outages": {"peak_heating": FAILURE}},
        "outages.peak_heating: there is no peak_heating",
    ),
    ({"outages": {"wells": {"time_to_failure": "1000 h"}}}, "outages.wells.time_to_repair: is missing; allowed: a"),
    ({"outages": {"wells": {**FAILURE, "time_to_failure": "0 h"}}}, "outages.wells.time_to_failure: allowed"),
    ({"outages": {"wells": {**FAILURE, "time_to_repair": ".inf h"}}}, "outages.wells.time_to_repair: not a number"),
    ({"outages": {"boilers": FAILURE}}, "outages.boilers: unknown key; allowed: wells, pumps, heat_pumps"),
    ({"outages": {"summer_maintenance": "yes"}}, "outages.summer_maintenance: should be a valid boolean"),
    ({"summer_recharge": {**RECHARGE, "start": "03-01"}}, "summer_recharge: start and end: allowed: days outside"),
    ({"summer_recharge": {**RECHARGE, "end": "11-01"}}, "summer_recharge: start and end: allowed: days outside"),
    ({"summer_recharge": {**RECHARGE, "start": "10-01"}}, "summer_recharge: start and end: allowed: days outside"),
    (
        {"summer_recharge": RECHARGE, "season": {"start": "01-01", "end": "12-31"}},
        "summer_recharge: start and end: allowed: days outside",
    ),
    ({"summer_recharge": {**RECHARGE, "start": "05-32"}}, "summer_recharge.start: allowed: a day of a year"),
    ({"summer_recharge": {**RECHARGE, "maximum_inlet_temperature": "99 degC"}}, "maximum_inlet_temperature: allowed"),
    *(
        ({"peak_heating": {k: v for k, v in AIR.items() if k != key}}, f"peak_heating: kind 'air_source' needs {key}")
        for key in AIR
        if key not in ("kind", "capacity")
    ),
    ({"peak_heating": {**AIR, "efficiency": 0.9}}, "peak_heating: kind 'air_source' does not take efficiency"),
    ({"peak_heating": {**GAS, "capacity_slope": "0.02 1/K"}}, "kind 'gas' does not take capacity_slope"),
    ({"reserve_heating": {"kind": "gas"}}, "reserve_heating: give either capacity or share_of_design_load"),
    ({"reserve_heating": {"kind": "none", "units": 2}}, "reserve_heating: kind 'none' does not take units"),
    ({"heat_storage": {**TANK, "temperature_difference": "0 K"}}, "heat_storage.temperature_difference: allowed"),
    ({"heat_storage": {**TANK, "loss": "2 1/d"}}, "heat_storage.loss: allowed"),
    ({"heat_storage": {"volume": "1 m^3"}}, "heat_storage.power: is missing"),
    ({"climate": "atlantis"}, "harbin"),
    ({"climate": "atlantis"}, "or a .yaml file, got 'atlantis'"),
    ({"climate": {"from": 3}}, "or a .yaml file, got 3"),
    ({"climate": {"from": ["harbin"]}}, "or a .yaml file, got a list"),
    ({"climate": "Harbin"}, "climate: allowed: beijing"),
    ({"climate": "Harbin"}, "got 'Harbin'; did you mean 'harbin'?"),
    ({"climate": {"from": "Habin"}}, "climate.from: allowed: beijing"),
    ({"climate": {"from": "Habin"}}, "got 'Habin'; did you mean 'harbin'?"),
    (
        {"climate": ABSENT},
        f"climate: is missing; allowed: {', '.join(built_in_climates())}, a .yaml file, or a",
    ),
    ({"climate": {"from": "harbin", "record": {"file": "hours.csv"}}}, "climate: give either from or record"),
    ({"climate": {"from": "harbin", "record": PACKED["record"]}}, "climate: give either from or record"),
    ({"season": {"start": "11- 1", "end": "03-31"}}, "season.start: allowed: a day of a year of 365 days as month-day"),
    ({"climate": {"from": "none.yaml"}}, "none.yaml: there is no such file"),
    (
        {"climate": {"from": "harbin", "warmingg": "1 K/decade"}},
        "climate.warmingg: unknown key; did you mean 'warming'",
    ),
    ({"climate": {"from": "harbin", "persistence": 2}}, "climate.persistence: allowed"),
    ({"climate": {**PACKED, "record": PACKED["record"][:-8]}}, "climate.record: a packed weather record is damaged"),
    ({"climate": {**PACKED, "record": "8x3624:00000000:AAAA"}}, "climate.record: a packed weather record is damaged"),
    ({"climate": {**PACKED, "record": "eight winters"}}, "climate.record: not a packed weather record"),
    ({"climate": of_record(150, resample="winters")}, "climate.record: its winters have 3600 h, the season 3624 h"),
    ({"climate": {k: v for k, v in PACKED.items() if k != "resample"}}, "climate: with a record it needs resample"),
    ({"climate": {**PACKED, "block_length": "5 d"}}, "climate: with a record it does not take block_length"),
    ({"climate": {**PACKED, "resample": "blocks"}}, "climate: with a record it needs block_length"),
    ({"climate": {**PACKED, **BLOCKS, "block_length": "2.5 d"}}, "climate: block_length: allowed: whole days"),
    ({"climate": {**PACKED, "persistence": 0.7}}, "climate: with a record it does not take persistence"),
    ({"climate.resample": "winters"}, "climate: without a record it does not take resample"),
    ({"climate.persistence": ABSENT}, "climate: without a record it needs persistence"),
]


@pytest.mark.parametrize(("changes", "expected"), REFUSED, ids=[f"{n}" for n in range(len(REFUSED))])
def test_what_the_plant_cannot_be_is_refused_in_words(tmp_path: Path, changes: Values, expected: str) -> None:
    assert expected in refusal(tmp_path, changes)


@pytest.mark.parametrize(
    ("climate", "expected"),
    [
        ({"record": {"file": "none.csv"}, "resample": "winters"}, "there is no such file"),
        ({"record": {"file": "../hours.csv"}, "resample": "winters"}, "climate.record.file: allowed: a file beside"),
        ({"record": {**HOURS, "unit": "R"}, "resample": "winters"}, "climate.record: unit: should be 'degC', 'K' or"),
        ({"record": {**HOURS, "column": "wind"}, "resample": "winters"}, "'wind'"),
        ({"record": {"file": "short.csv"}, "resample": "winters"}, "allowed: at least 5 to resample winters"),
        ({"record": {**HOURS, "detrend": True}, "resample": "winters"}, "allowed: at least 20 to remove a trend"),
        ({"record": HOURS}, "climate: with a record it needs resample"),
        ({"record": HOURS, "resample": "days"}, "climate.resample: should be 'winters' or 'blocks'"),
    ],
)
def test_a_record_that_cannot_be_is_refused_in_words(series: Path, climate: Values, expected: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load(series, {"climate": {"site": "invented", **climate}})
    assert expected in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1


# rows that fail


@pytest.mark.parametrize("loss", [{"heat_loss_coefficient": "1 W/m^2/K"}, {"design_load": "35 W/m^2"}])
def test_gains_too_large_fail_their_rows_alone(loss: Values) -> None:
    """A row whose gains heat the building at the design temperature has no design load."""
    building = {
        k: v for k, v in SMOKE.resolved()["building"].items() if k not in ("design_load", "balance_temperature")
    }
    gains = uniform(0, 60, "W/m^2")
    rows, study = np.arange(64), variant(SMOKE, {"building": {**building, **loss, "internal_gains": gains}})
    results = simulate(study, rows)
    v: Values = dict(results.values)
    drawn = sample_inputs(study, rows)["building.internal_gains"]
    # with a loss coefficient the balance is at 18 °C - gains / 1 W/m²/K; with a design load above zero all is well
    hopeless = 18 - drawn <= -16.9 if "heat_loss_coefficient" in loss else np.zeros(64, dtype=bool)
    assert hopeless.any() == ("heat_loss_coefficient" in loss)
    assert sorted(results.reasons) == np.flatnonzero(hopeless).tolist()
    assert set(results.reasons.values()) <= {
        "building: design_outdoor_temperature must be below balance_temperature",
    }
    np.testing.assert_array_equal(v["status"], np.where(hopeless, INPUT_OUT_OF_RANGE, OK))
    assert np.isnan(v["heat_unmet"][hopeless]).all()
    alone = simulate(study, rows[~hopeless])
    assert alone.reasons == {}
    assert_same_bits(dict(alone.values), v, ~hopeless)


# odd studies


def odd(seed: int) -> Values:
    """Anything that the schema allows of demand and plant, at random, extremes included."""
    random = np.random.default_rng(seed)

    def chance(share: float) -> bool:
        return bool(random.random() < share)

    def between(low: float, high: float, unit: str = "") -> Any:
        value = float(random.choice([low, high])) if chance(0.15) else float(random.uniform(low, high))
        return f"{value!r} {unit}" if unit else value

    def decades(low: float, high: float, unit: str) -> str:
        return f"{float(10 ** random.uniform(low, high))!r} {unit}"

    def heater() -> Values:
        kind = str(random.choice(["electric", "gas", "biomass", "air_source", "none"]))
        if kind == "none":
            return {"kind": kind}
        size = {"capacity": between(0, 1, "MW")} if chance(0.5) else {"share_of_design_load": between(0, 2)}
        made = {"kind": kind, **size, "units": int(random.integers(1, 5))}
        if kind == "air_source":
            made |= {"second_law_efficiency": between(0.1, 1), "capacity_slope": between(0, 0.1, "1/K")}
            made |= {f"{key}_outdoor_temperature": between(-40, 40, "degC") for key in ("rated", "lowest")}
        else:
            made |= {"efficiency": between(0.1, 1.2)}
            made |= {"emission_factor": between(0, 2, "t/MWh")} if kind != "electric" else {}
        return made

    indoor = random.uniform(5, 40)
    design = random.uniform(-60, indoor - 8)
    building: Values = {
        "floor_area": decades(2, 6, "m^2"),
        "design_outdoor_temperature": f"{design!r} degC",
        "indoor_temperature": f"{indoor!r} degC",
        "comfort_temperature": between(0, 40, "degC"),
        "time_constant": between(1, 1000, "h"),
        "ventilation_share": between(0, 0.95),
        "domestic_hot_water": between(0, 200, "W/m^2"),
    }
    per_area = random.uniform(0.01, 10)
    if by_load := chance(0.5):
        building |= {"design_load": between(1, 500, "W/m^2")}
    else:
        building |= {"heat_loss_coefficient": f"{per_area!r} W/m^2/K"}
    if chance(0.5):
        building |= {"balance_temperature": f"{max(-20.0, random.uniform(design + 1, indoor))!r} degC"}
    else:
        most = 200.0 if by_load else min(200.0, 0.9 * per_area * (indoor - design))
        building |= {"internal_gains": between(0, most, "W/m^2")}
    if chance(0.6):
        building |= {"fast_capacity_share": between(0.005, 1), "mass_conductance": decades(-2, 3, "W/m^2/K")}
    if chance(0.7):
        start = int(random.integers(0, 24))
        building["schedule"] = {
            "working_days": int(random.integers(1, 8)),
            "start": f"{start} h",
            "end": f"{int(random.integers(start + 1, 25))} h",
            "setback": between(0, 30, "K"),
        }
    if chance(0.7):
        building |= {"reheat": between(0, 10)}
    mild = random.uniform(15, 90)
    pump: Values = {
        "second_law_efficiency": between(0.1, 1),
        "maximum_cop": between(1.5, 30),
        "units": int(random.integers(1, 6)),
        "part_load_degradation": between(0, 0.5),
        "capacity_source_slope": between(0, 0.1, "1/K"),
        "rated_source_temperature": between(-20, 60, "degC"),
        "capacity_supply_slope": between(-0.05, 0, "1/K"),
        "rated_supply_temperature": between(15, 90, "degC"),
        "minimum_inlet_temperature": between(-10, 30, "degC"),
        "supply_temperature_design": f"{random.uniform(mild, 90)!r} degC",
        "supply_temperature_mild": f"{mild!r} degC",
    }
    pump |= {"capacity": decades(-2, 2, "MW")} if chance(0.5) else {"share_of_design_load": between(0, 3)}
    pumps = int(random.integers(1, 5))
    circulation: Values = {"pump_efficiency": between(0.05, 1), "transport_factor": between(1, 1000), "pumps": pumps}
    circulation["pumps_needed"] = int(random.integers(1, pumps + 1))
    if chance(0.5):
        circulation |= {"flow_control": "variable", "minimum_flow_share": between(0.1, 1)}
    heaters = {"peak_heating": heater(), "reserve_heating": heater()}
    outages: Values = {
        group: {"time_to_failure": decades(0, 9, "h"), "time_to_repair": decades(-1, 5, "h")}
        for group in FAILURES
        if heaters.get(group) != {"kind": "none"} and chance(0.6)
    }
    study: Values = {
        "seed": int(random.integers(2**62)),
        "winters": 3,
        "season": {"start": "12-20", "end": "01-15"},
        "fluid": {"medium": "propylene_glycol", "mass_fraction": between(0.3, 0.5)},
        "field": {"rows": 1, "columns": int(random.integers(2, 5)), "spacing": between(5, 60, "m")},
        "well.flow_direction": str(random.choice(["annulus_down", "inner_down"])),
        "winter_load": uniform(0.05, random.uniform(0.1, 10)),
        "climate.mean_offset": between(-15, 15, "K"),
        "building": building,
        "heat_pump": pump,
        "circulation": circulation,
        "outages": {**outages, "summer_maintenance": chance(0.5)},
        **heaters,
    }
    if chance(0.4):
        study["climate"] = of_record(27, **(BLOCKS if chance(0.5) else {"resample": "winters"}))
        del study["climate.mean_offset"]
    if chance(0.6):
        study["heat_storage"] = {
            "volume": decades(-2, 6, "m^3"),
            "temperature_difference": between(1, 90, "K"),
            "power": decades(-3, 3, "MW"),
            "loss": between(0, 1, "1/d"),
        }
    if chance(0.5):
        study["summer_recharge"] = {
            "power": decades(-2, 4, "MW"),
            "start": str(random.choice(["01-16", "05-01"])),
            "end": str(random.choice(["12-19", "08-01"])),
            "maximum_inlet_temperature": between(0, 95, "degC"),
        }
    return study


NOT_BELOW_ZERO = {
    *("heat_demand", "heat_delivered", "heat_unmet", "heat_backup", "heat_reserve", "heat_recharged"),
    *("heat_storage_loss", "electricity", "electricity_compressor", "electricity_circulation", "electricity_backup"),
    *("unmet_hours", "shortfalls", "longest_shortfall", "worst_shortfall", "peak_heating_share", "cold_hours"),
    *("cold_degree_hours", "inlet_limit_hours", "outage_hours", "carbon_peak_fuel", "heating_reliability"),
}


@pytest.mark.parametrize("seed", range(24))
def test_odd_studies_are_computed_or_refuse_their_rows(seed: int) -> None:
    study = variant(SMOKE, odd(seed))
    results = simulate(study, np.arange(40))
    v: Values = dict(results.values)
    ok = v["status"] == OK
    assert sorted(results.reasons) == np.flatnonzero(~ok).tolist()
    assert set(v["status"]) <= {OK, INPUT_OUT_OF_RANGE}
    assert ok.any(), results.reasons[0]
    hours = 24 * study.season.days
    for name in VARIABLES:
        assert np.isfinite(v[name][ok]).all(), name
        assert np.isnan(v[name][~ok]).all(), name
        if name in NOT_BELOW_ZERO:
            assert (v[name][ok] >= -1e-9 * np.abs(v[name][ok]).max()).all(), name
        if VARIABLES[name]["units"] == "h":
            assert (v[name][ok] <= hours).all(), name
    assert (v["energy_imbalance"][ok] < 1e-9).all()
    assert (v["largest_unit_out_share"][ok] >= 0).all()
    assert_energies_add_up(v, ok)
    assert (v["heating_reliability"][ok] <= 1).all()
    assert (v["longest_shortfall"][ok] <= v["unmet_hours"][ok]).all()
    assert (v["indoor_temperature_min"][ok] <= study.inputs["building.indoor_temperature"].value + 1e-9).all()
