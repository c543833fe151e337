"""The site's own electricity in a study: what is read, the sun over it, and what covers the heating, again by hand."""

import functools
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from ruamel.yaml import YAML

import study
from study import engine
from study.config import Study, load_study
from study.drivers import UnknownOutputError, refuse_unknown
from study.errors import ConfigError
from study.own_power import BRIGHTEST
from study.simulation import simulate
from study.solar import Place, _clear_sky, generation_shape, read_sky, sky_quantiles, sunlit
from study.summary import summarise
from study.traces import open_traces
from study.variables import OWN_POWER_VARIABLES, VARIABLES
from study.verification import verify
from study.weather_record import PROFILE, unpack
from tests.conftest import ROOT, SMOKE, variant
from tests.test_weather_file import epw, series

Array = NDArray[np.float64]
PLAIN: dict[str, Any] = YAML(typ="safe", pure=True).load(SMOKE)
SHENYANG = Place(41.7325, 123.5099, 49.0, 8.0)
SKY = {
    "clear_sky_index": [0.914, 0.89, 0.861, 0.811, 0.735, 0.732, 0.694, 0.708, 0.833, 0.824, 0.778, 0.867],
    "clear_sky_index_standard_deviation": [0.15] * 12,
}
PLACE = {"latitude": "41.7325 deg", "longitude": "123.5099 deg", "elevation": "49 m", "utc_offset": "8 h"}
USE = {"annual": "4 GWh/yr", "working_days": 5, "start": "6 h", "end": "22 h", "idle_share": 0.4}
SOLAR = {"annual_generation": "6 GWh/yr", **SKY}
ROWS = np.arange(64)
NOVEMBER = 304
"""1 November, 1 January being 0."""
# hour of the first winter in the year of a profile, for 151 days from 1 November
SEASON = (24 * NOVEMBER + np.arange(24 * 151)) % 8760


def wind(folder: Path, hours: Array, *, annual: str = "3 GWh/yr") -> dict[str, Any]:
    """A section `wind` whose profile lies in a file."""
    (folder / "wind.csv").write_text("power\n" + "\n".join(map(repr, hours.tolist())) + "\n")
    return {"annual_generation": annual, "profile": {"file": "wind.csv", "column": "power"}}


def written(folder: Path, own_power: Any, **changes: Any) -> Path:
    """The smoke study with a section `own_power`, as a file."""
    path = folder / "study.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump({**PLAIN, "own_power": own_power, **changes}, file)
    return path


@functools.cache
def solar_study() -> Study:
    own = {**PLACE, "other_use": USE, "solar": SOLAR}
    return Study.model_validate({**PLAIN, "correlations": [], "own_power": own})


def values(case: Study, rows: Any = ROWS) -> dict[str, Any]:
    results = simulate(case, rows)
    assert results.reasons == {}
    return dict(results.values)


def test_a_built_in_climate_brings_place_and_sky(tmp_path: Path) -> None:
    own = {"other_use": USE, "solar": {"annual_generation": "6 GWh/yr", "clear_sky_index": [0.5] * 12}}
    own["elevation"] = "70 m"
    changes = {key: PLAIN[key] for key in PLAIN if key != "season"} | {"climate": "harbin", "own_power": own}
    path = tmp_path / "study.yaml"
    with path.open("w") as file:
        YAML(typ="safe", pure=True).dump(changes, file)
    power = load_study(path).own_power
    assert power is not None
    assert power.solar is not None
    assert (power.latitude, power.longitude, power.elevation, power.utc_offset) == (45.623, 126.25, 70.0, 8.0)
    assert power.solar.clear_sky_index == (0.5,) * 12
    assert power.solar.clear_sky_index_standard_deviation[:3] == (0.103, 0.097, 0.176)


def test_a_climate_file_may_have_a_sky(tmp_path: Path) -> None:
    own = {"other_use": USE, "solar": {"annual_generation": "6 GWh/yr"}}
    with (tmp_path / "mine.yaml").open("w") as file:
        YAML(typ="safe", pure=True).dump({"climate": PLAIN["climate"], "sky": {**PLACE, **SKY}}, file)
    power = load_study(written(tmp_path, own, climate={"from": "mine.yaml"})).own_power
    assert power is not None
    assert power == solar_study().own_power


def wrong_file(folder: Path, change: Callable[[list[list[str]]], Any]) -> str:
    """What is said of an EPW file after a change of its rows, cells of text."""
    rows = [line.split(",") for line in epw(series("2001-01-01", days=365)).splitlines()]
    for row in rows[8:]:
        row += ["0"] * (35 - len(row))
        row[13] = "100"
    change(rows)
    path = folder / "sky.epw"
    path.write_text("\n".join(map(",".join, rows)) + "\n")
    with pytest.raises(ConfigError) as error:
        read_sky(path)
    assert str(error.value).startswith(f"{path}: ")
    return str(error.value)


def test_wrong_weather_files_are_refused(tmp_path: Path) -> None:
    def cell(row: int, column: int, text: str) -> Callable[[list[list[str]]], Any]:
        return lambda rows: rows[row].__setitem__(column, text)

    assert "global horizontal radiation and air temperature in every hour" in wrong_file(tmp_path, cell(99, 13, "9999"))
    assert "global horizontal radiation and air temperature in every hour" in wrong_file(tmp_path, cell(99, 6, "99.9"))
    assert "its place is none that own_power allows" in wrong_file(tmp_path, cell(0, 6, "78.0"))
    assert "the hours of one year in order from 1 January" in wrong_file(tmp_path, lambda rows: rows.pop())
    assert "cannot be understood as an EPW file" in wrong_file(tmp_path, cell(99, 13, "bright"))


@pytest.mark.parametrize("city", ["beijing", "changchun", "dalian", "harbin", "shenyang", "tianjin"])
def test_every_built_in_climate_has_its_sky(tmp_path: Path, city: str) -> None:
    text = (ROOT / "configs" / "shenyang.yaml").read_text().replace("\nclimate: shenyang", f"\nclimate: {city}")
    (tmp_path / "study.yaml").write_text(text)
    power = load_study(tmp_path / "study.yaml").own_power
    assert power is not None
    assert 38 < power.latitude < 46
    assert 116 < power.longitude < 127
    shape = generation_shape(Place.of(power), power.solar, (0.0,) * 12)
    assert shape.sum() == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("other_use", None, "other_use: is missing; allowed: a mapping with annual, working_days"),
        ("other_use.annual", "4 GWh", "own_power.other_use.annual: cannot read 'GWh' as 'GWh/yr'"),
        ("other_use.end", "6 h", "other_use: start and end: allowed: whole hours, the start before the end"),
        ("other_use.idle_share", "140 %", "idle_share: allowed: a number or a percentage, at least 0 and at most 1"),
        ("latitude", None, "own_power.latitude: is missing; allowed: a quantity in deg"),
        ("latitude", "80 deg", "at least -65 and at most 65"),
        ("solar", None, "own_power: allowed: solar, wind, or both"),
        ("solar.clear_sky_index", [0.5] * 11, "own_power.solar.clear_sky_index"),
        ("solar.clear_sky_index_standard_deviation", [0.5] * 12, "clear_sky_index_standard_deviation.0: allowed: less"),
        ("solar.weather", "../sky.epw", "own_power: solar.weather: allowed: a file beside the study"),
        ("solar.weather", "sky.epw", "sky.epw: there is no such file"),
        ("solar.weather", 3, "own_power: solar.weather: allowed: an EPW file"),
        (
            "wind",
            {"annual_generation": "1 GWh/yr", "profile": "1x24:00000000:AA=="},
            "own_power.wind.profile: a packed",
        ),
        ("wind", {"annual_generation": "1 GWh/yr", "profile": 3}, "allowed: a mapping with file and column"),
        (
            "wind",
            {"annual_generation": "1 GWh/yr", "profile": {"file": "wind.csv", "column": "power"}},
            "there is no file 'wind.csv' beside the study file",
        ),
        ("battery", {"capacity": "1 MWh", "power": "1 MW"}, "own_power.battery.efficiency: is missing"),
        ("batery", {}, "unknown key; did you mean 'battery'?"),
    ],
)
def test_wrong_sections_are_refused_in_words(tmp_path: Path, key: str, value: Any, said: str) -> None:
    own: dict[str, Any] = json.loads(json.dumps({**PLACE, "other_use": USE, "solar": SOLAR}))
    *parents, last = key.split(".")
    node = own
    for part in parents:
        node = node[part]
    node[last] = value
    if value is None:
        del node[last]
    path = written(tmp_path, own)
    with pytest.raises(ConfigError) as error:
        load_study(path)
    assert str(error.value).startswith(f"{path}: own_power")
    assert said in str(error.value)


@pytest.mark.parametrize(
    "hours", [np.ones(8759), np.r_[np.ones(8759), -0.1], np.zeros(8760)], ids=["short", "below zero", "nothing"]
)
def test_wrong_profiles_are_refused(tmp_path: Path, hours: Array) -> None:
    path = written(tmp_path, {**PLACE, "other_use": USE, "wind": wind(tmp_path, hours)})
    with pytest.raises(
        ConfigError, match=r"own_power\.wind\.profile: 'wind\.csv', column 'power': allowed: 8760 hours"
    ):
        load_study(path)


def test_a_record_has_no_temperature_for_the_modules() -> None:
    from study.weather_record import pack

    record = {"site": "made up", "record": pack(np.full((5, 24 * 151), -3.0)), "resample": "winters"}
    own = {**PLACE, "other_use": USE, "solar": SOLAR}
    with pytest.raises(ValueError, match=r"own_power\.solar\.monthly_temperature: is missing"):
        Study.model_validate({**PLAIN, "climate": record, "own_power": own})
    own["solar"] = {**SOLAR, "monthly_temperature": ["5 degC"] * 12}
    assert values(Study.model_validate({**PLAIN, "climate": record, "own_power": own}))["own_generation"].min() > 0


def test_a_resolved_study_needs_no_file(tmp_path: Path) -> None:
    hours = np.random.default_rng(1).uniform(0, 37, 8760)
    path = written(tmp_path, {**PLACE, "other_use": USE, "solar": SOLAR, "wind": wind(tmp_path, hours)})
    case = load_study(path)
    (tmp_path / "wind.csv").unlink()
    again = Study.model_validate(json.loads(json.dumps(case.resolved())))
    assert again == case
    assert again.fingerprint() == case.fingerprint()
    assert again.own_power is not None
    assert again.own_power.wind is not None
    np.testing.assert_allclose(unpack(again.own_power.wind.profile, PROFILE)[0], 100 * hours / hours.max(), atol=0.0051)
    np.testing.assert_allclose(again.own_power.wind.shape, hours / hours.sum(), atol=2e-8)


def test_the_sky_of_a_weather_file(tmp_path: Path) -> None:
    """Days of a clear sky, each times a number of its own: their means and spread come back."""
    place = Place(45.0, 126.0, 100.0, 8.0)
    clear = _clear_sky(place)["ghi"].to_numpy().reshape(365, 24)
    factor = np.random.default_rng(2).uniform(0.4, 1.0, 365)
    air = series("2001-01-01", days=365)
    lines = epw(air).splitlines()
    rows = [row.split(",") for row in lines[8:]]
    for row, ghi in zip(rows, (clear * factor[:, None]).ravel(), strict=True):
        row += ["0"] * (35 - len(row))
        row[13] = f"{ghi:.6f}"
    (tmp_path / "sky.epw").write_text("\n".join([*lines[:8], *(",".join(row) for row in rows)]) + "\n")
    month = pd.date_range("2001-01-01", periods=365).month
    days = pd.Series(factor).groupby(month)
    weighted = (
        pd.Series(factor * clear.sum(axis=1)).groupby(month).sum() / pd.Series(clear.sum(axis=1)).groupby(month).sum()
    )
    found, sky = read_sky(tmp_path / "sky.epw")
    assert found == {"latitude": "45.0 deg", "longitude": "126.0 deg", "elevation": "100.0 m", "utc_offset": "8.0 h"}
    np.testing.assert_allclose(sky["clear_sky_index"], weighted, atol=0.00051)
    np.testing.assert_allclose(sky["clear_sky_index_standard_deviation"], days.std(), atol=0.00051)
    own = {"other_use": USE, "solar": {"annual_generation": "6 GWh/yr", "weather": "sky.epw"}, "elevation": "7 m"}
    power = load_study(written(tmp_path, own, climate="shenyang")).own_power  # which has a sky of its own
    assert power is not None
    assert power.solar is not None
    assert (power.latitude, power.elevation) == (45.0, 7.0)
    assert power.solar.clear_sky_index == tuple(sky["clear_sky_index"])
    np.testing.assert_allclose(
        power.solar.monthly_temperature, air.groupby(pd.DatetimeIndex(air.index).month).mean(), atol=0.0051
    )


def test_the_shipped_sky_is_that_of_the_typical_year() -> None:
    """Where the weather files are at hand."""
    folder = ROOT.parent / "shared" / "weather"
    files = {"shenyang": "CHN_LN_Shenyang.543420", "harbin": "CHN_HL_Harbin-Taiping.AP.541611"}
    files["beijing"] = "CHN_BJ_Beijing-Capital.Intl.AP.545110"
    for city, name in files.items():
        path = folder / f"{name}_TMYx.epw"
        if not path.is_file():
            pytest.skip("no weather files at hand")
        shipped = YAML(typ="safe", pure=True).load(ROOT / "study" / "climates" / f"{city}.yaml")["sky"]
        place, sky = read_sky(path)
        for key, text in place.items():
            assert float(text.split()[0]) == float(shipped[key].split()[0]), (city, key)
        for key in ("clear_sky_index", "clear_sky_index_standard_deviation"):
            np.testing.assert_allclose(sky[key], shipped[key], atol=0.00051)


def test_the_sun_is_up_as_long_as_the_formula_says() -> None:
    """Length of day by Spencer's declination (1971); the middle of the disc, with 0.57 degrees of refraction."""
    day = np.arange(365)
    gamma = 2 * np.pi * day / 365
    declination = (
        0.006918
        - 0.399912 * np.cos(gamma)
        + 0.070257 * np.sin(gamma)
        - 0.006758 * np.cos(2 * gamma)
        + 0.000907 * np.sin(2 * gamma)
        - 0.002697 * np.cos(3 * gamma)
        + 0.00148 * np.sin(3 * gamma)
    )
    phi = np.radians(SHENYANG.latitude)
    cosine = (np.sin(np.radians(-0.57)) - np.sin(phi) * np.sin(declination)) / (np.cos(phi) * np.cos(declination))
    length = 24 / np.pi * np.arccos(cosine)
    up = sunlit(SHENYANG).reshape(365, 24).sum(axis=1)
    assert np.abs(up - length).max() <= 1.05  # whole hours, and the declination of a day for all of it
    assert up.mean() == pytest.approx(length.mean(), rel=0.005)


def solar_noon(day: NDArray[np.int64]) -> Array:
    """Local standard time at which the sun is due south, h: longitude, and the equation of time by Spencer (1971)."""
    gamma = 2 * np.pi * day / 365
    minutes = 229.18 * (
        0.000075
        + 0.001868 * np.cos(gamma)
        - 0.032077 * np.sin(gamma)
        - 0.014615 * np.cos(2 * gamma)
        - 0.040849 * np.sin(2 * gamma)
    )
    return np.asarray(12.0 - (SHENYANG.longitude - 15.0 * SHENYANG.utc_offset) / 15.0 - minutes / 60.0)


def test_generation_follows_the_sun() -> None:
    solar = solar_study().own_power.solar  # type: ignore[union-attr]
    assert solar is not None
    shape = generation_shape(SHENYANG, solar, (5.0,) * 12)
    assert shape.sum() == pytest.approx(1.0)
    assert shape.min() == 0.0
    assert shape[~sunlit(SHENYANG)].sum() < 1e-6
    by_day = shape.reshape(365, 24)
    middle = by_day @ (np.arange(24) + 0.5) / by_day.sum(axis=1)
    assert np.abs(middle - solar_noon(np.arange(365))).max() < 0.1  # symmetrical about it, but for warm afternoons
    east = solar.model_copy(update={"azimuth": 90.0})
    by_day = generation_shape(SHENYANG, east, (5.0,) * 12).reshape(365, 24)
    assert (by_day @ (np.arange(24) + 0.5) / by_day.sum(axis=1) < middle - 0.3).all()
    dim = solar.model_copy(update={"clear_sky_index": (0.4, *solar.clear_sky_index[1:])})
    ratio = generation_shape(SHENYANG, dim, (5.0,) * 12) / np.where(shape > 0, shape, np.nan)
    january, rest = np.nanmean(ratio[: 24 * 31]), np.nanmean(ratio[24 * 31 :])
    assert january / rest == pytest.approx(0.4 / 0.914)
    cold = generation_shape(SHENYANG, solar, (*[-15.0] * 6, *[25.0] * 6))  # the first half of the year in the cold
    assert cold[:4320].sum() > shape[:4320].sum()


def test_modules_lying_flat_see_the_level_sun() -> None:
    """Without temperature and tilt, generation goes with the clear sky's own irradiance on level ground."""
    solar = solar_study().own_power.solar  # type: ignore[union-attr]
    assert solar is not None
    flat = generation_shape(SHENYANG, solar.model_copy(update={"tilt": 0.0}), (5.0,) * 12)
    ghi = _clear_sky(SHENYANG)["ghi"].to_numpy() * np.repeat(
        SKY["clear_sky_index"], 24 * np.bincount(pd.date_range("2001-01-01", periods=365).month - 1)
    )
    together = np.corrcoef(flat, ghi)[0, 1]
    assert together > 0.999  # the modules' temperature bends it a little
    assert np.abs(flat.reshape(365, 24).sum(axis=1) - (ghi / ghi.sum()).reshape(365, 24).sum(axis=1)).max() < 2e-4


@pytest.mark.parametrize(
    ("mean", "spread"), [(0.914, 0.174), (0.735, 0.292), (0.951, 0.097), (0.6, 0.0), (0.8, 0.02), (0.3, 0.3)]
)
def test_days_have_the_mean_and_the_spread_asked_for(mean: float, spread: float) -> None:
    """Straight lines between quantiles at evenly spaced probabilities: their moments are exact sums."""
    q = sky_quantiles((mean,) * 12, (spread,) * 12)[5]
    assert (np.diff(q) >= 0).all()
    assert q[0] >= 0.0
    assert q[-1] * mean <= BRIGHTEST * 1.001
    assert ((q[1:] + q[:-1]) / 2).mean() == pytest.approx(1.0, abs=1e-12)
    second = ((q[1:] ** 2 + q[1:] * q[:-1] + q[:-1] ** 2) / 3).mean()
    assert np.sqrt(max(second - 1.0, 0.0)) * mean == pytest.approx(spread, rel=0.001, abs=1e-12)


def test_generation_of_the_season_is_the_years_share_on_average() -> None:
    case = variant(solar_study(), {"own_power.solar.degradation": "2 %/yr"})
    found = values(case)["own_generation"]
    assert case.own_power is not None
    assert case.own_power.solar is not None
    temperature = case.climate.monthly_temperature
    assert temperature is not None
    share = generation_shape(SHENYANG, case.own_power.solar, temperature)[SEASON].sum()
    error = found.std(axis=0, ddof=1) / np.sqrt(len(found))
    assert (error < 0.003 * found.mean(axis=0)).all()
    assert (np.abs(found.mean(axis=0) - 6000 * share * np.array([1.0, 0.98])) < 4.5 * error).all()


def test_variables_are_there_with_own_power_alone() -> None:
    with_, without = values(solar_study()), values(variant(solar_study(), {"own_power": None}))
    assert set(with_) - set(without) == set(OWN_POWER_VARIABLES)
    for name in VARIABLES:
        np.testing.assert_array_equal(with_[name], without[name], err_msg=name)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"peak_heating": {"kind": "gas", "capacity": "0.3 MW", "efficiency": 0.9, "emission_factor": "0.2 t/MWh"}},
        {"reserve_heating": {"kind": "electric", "capacity": "0.2 MW", "efficiency": 0.99}},
        {"circulation.flow_control": "variable", "circulation.minimum_flow_share": 0.5},
        {"own_power.battery": {"capacity": "5 MWh", "power": "1 MW", "efficiency": 0.85}},
    ],
    ids=["plain", "gas", "reserve", "variable flow", "battery"],
)
def test_hours_are_those_of_the_season(changes: dict[str, Any]) -> None:
    v = values(variant(solar_study(), changes))
    np.testing.assert_allclose(v["electricity_day"] + v["electricity_night"], v["electricity"], rtol=1e-9)
    assert (v["electricity_covered"] > 0).all()
    assert (v["electricity_covered"] <= v["own_generation_left"]).all()
    assert (v["own_generation_left"] < v["own_generation"]).all()
    assert (v["electricity_covered_battery"] <= v["electricity_covered"]).all()
    assert (v["electricity_covered_battery"] > 0).all() == ("own_power.battery" in changes)
    for part in ("day", "coldest_week"):
        assert (v[f"electricity_covered_{part}"] <= v[f"electricity_{part}"] * (1 + 1e-12)).all()
        assert (v[f"electricity_covered_{part}"] <= v["electricity_covered"]).all()
    at_night = v["electricity_covered"] - v["electricity_covered_day"] - v["electricity_covered_battery"]
    assert (at_night < 1e-3 * v["electricity_covered"]).all()  # the sun may set within the hour


def test_pumping_in_summer_is_never_covered() -> None:
    recharge = {"power": "0.2 MW", "start": "05-15", "end": "09-15", "maximum_inlet_temperature": "40 degC"}
    without, with_ = values(solar_study()), values(variant(solar_study(), {"summer_recharge": recharge}))
    assert (with_["electricity"][:, 0] > without["electricity"][:, 0]).all()
    for name in OWN_POWER_VARIABLES:
        np.testing.assert_array_equal(with_[name][:, 0], without[name][:, 0], err_msg=name)


def test_rows_and_winters_stand_alone(tmp_path: Path) -> None:
    own = {**PLACE, "other_use": USE, "solar": SOLAR}
    own["wind"] = wind(tmp_path, np.random.default_rng(3).uniform(0, 1, 8760))
    case = load_study(written(tmp_path, own))
    all_rows, some = values(case), values(case, np.array([37, 5]))
    longer = values(variant(case, {"winters": 3}))
    for name in OWN_POWER_VARIABLES:
        np.testing.assert_array_equal(some[name], all_rows[name][[37, 5]], err_msg=name)
        np.testing.assert_array_equal(longer[name][:, :2], all_rows[name], err_msg=name)
    assert len(np.unique(all_rows["own_generation"])) == all_rows["own_generation"].size


def test_plenty_covers_everything_and_nothing_covers_nothing(tmp_path: Path) -> None:
    steady = wind(tmp_path, np.ones(8760), annual="40 GWh/yr")
    case = load_study(written(tmp_path, {**PLACE, "other_use": {"annual": "1 GWh/yr"}, "wind": steady}))
    v = values(case)
    np.testing.assert_allclose(v["electricity_covered"], v["electricity"], rtol=1e-12)
    np.testing.assert_allclose(v["electricity_covered_coldest_week"], v["electricity_coldest_week"], rtol=1e-12)
    np.testing.assert_allclose(v["own_generation"], 40e3 * 151 / 365, rtol=1e-12)
    np.testing.assert_allclose(v["own_generation_left"], 39e3 * 151 / 365, rtol=1e-12)
    v = values(variant(case, {"own_power.other_use.annual": "41 GWh/yr"}))
    for name in ("electricity_covered", "electricity_covered_coldest_week", "own_generation_left"):
        assert (v[name] == 0.0).all()


def test_covered_electricity_again_from_the_traces(tmp_path: Path) -> None:
    """Hour by hour from a run's traces, which are single precision: meter, working hours, week and sun are right."""
    own = {**PLACE, "other_use": {**USE, "annual": "2 GWh/yr"}, "wind": wind(tmp_path, np.ones(8760))}
    path = written(tmp_path, own, samples=8, traces={"samples": 8})
    dataset = study.run(load_study(path), output=tmp_path / "own.zarr")
    traces = open_traces(tmp_path / "own.zarr")
    up = sunlit(SHENYANG)[SEASON]
    for winter in (0, 1):
        hour = np.arange(24 * 151)
        weekday = (hour // 24 + winter) % 7  # the first 1 November is a Monday
        working = (weekday < 5) & (hour % 24 >= 6) & (hour % 24 < 22)
        mean = (5 * 16 + 0.4 * (7 * 24 - 5 * 16)) / (7 * 24)
        left = np.maximum(0.0, 3e3 / 8760 - 2e3 / 8760 / mean * np.where(working, 1.0, 0.4))  # MW
        for sample in range(8):
            of = {"sample": sample, "winter": winter}
            used, air = (traces[name].isel(of).values.astype(float) for name in ("electricity", "outdoor_temperature"))
            covered = np.minimum(used, left)
            days = air.reshape(-1, 24).mean(axis=1)
            first = 24 * int(np.argmin([days[d : d + 7].mean() for d in range(145)]))
            week = (first <= hour) & (hour < first + 168)
            for name, expected in (
                ("electricity_covered", covered),
                ("electricity_day", used[up]),
                ("electricity_covered_day", covered[up]),
                ("electricity_coldest_week", used[week]),
                ("electricity_covered_coldest_week", covered[week]),
                ("own_generation_left", left),
            ):
                assert dataset[name].isel(of).item() == pytest.approx(expected.sum(), rel=1e-5), name
    found = {line.key: line.estimate.value for line in summarise(dataset)}
    total = {name: float(dataset[name].sum()) for name in OWN_POWER_VARIABLES}
    assert found["covered_share"] == pytest.approx(total["electricity_covered"] / float(dataset["electricity"].sum()))
    assert found["covered_share_day"] == pytest.approx(total["electricity_covered_day"] / total["electricity_day"])
    by_night = total["electricity_covered"] - total["electricity_covered_day"]
    assert found["covered_share_night"] == pytest.approx(by_night / total["electricity_night"])
    in_week = total["electricity_covered_coldest_week"] / total["electricity_coldest_week"]
    assert found["covered_share_coldest_week"] == pytest.approx(in_week)
    assert found["own_generation_left_share"] == pytest.approx(total["own_generation_left"] / total["own_generation"])
    assert found["p_coldest_week_covered"] == 0.0
    assert verify(str(tmp_path / "own.zarr"), blocks=1).problems == []


def test_whole_weeks_are_counted(tmp_path: Path) -> None:
    """With plenty in every hour, in all winters."""
    steady = wind(tmp_path, np.ones(8760), annual="40 GWh/yr")
    path = written(tmp_path, {**PLACE, "other_use": {"annual": "1 GWh/yr"}, "wind": steady}, samples=8)
    found = {line.key: line for line in summarise(study.run(load_study(path), output=tmp_path / "own.zarr"))}
    assert found["p_coldest_week_covered"].estimate.value == 1.0
    assert found["covered_share"].estimate.value == pytest.approx(1.0)


def test_targets_and_drivers_need_own_power(tmp_path: Path) -> None:
    with_, without = solar_study(), variant(solar_study(), {"own_power": None})
    until = ["mean(electricity_covered) +-1%"]
    assert engine.asked(with_, until, None)[0][0].output == "electricity_covered"
    with pytest.raises(ConfigError, match="electricity_covered is no output of this study"):
        engine.asked(without, until, None)
    for case, store in ((with_, "with.zarr"), (without, "without.zarr")):
        study.run(variant(case, {"samples": 4}), output=tmp_path / store)
    refuse_unknown(str(tmp_path / "with.zarr"), ["electricity_covered"], "mean")
    with pytest.raises(UnknownOutputError, match="no output"):
        refuse_unknown(str(tmp_path / "without.zarr"), ["electricity_covered"], "mean")
    assert "covered_share" not in {line.key for line in summarise(study.open_ensemble(tmp_path / "without.zarr"))}
