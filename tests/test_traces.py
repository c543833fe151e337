"""Traces: they change nothing, add up to the ensemble, and come back from the store as they went in."""

import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from kernels import LANES, operation
from kernels.season import SUM, Course, Season, Winter
from study import series, simulation
from study.blocks import compute_block
from study.config import ConfigError, Study, load_study
from study.ensemble import Ensemble, open_ensemble, refuse_other_study
from study.errors import EnsembleError
from study.reading import validate
from study.simulation import Results, simulate
from study.storage import Storage
from study.traces import MOST_BYTES, MOST_SAMPLES, TRACE_VARIABLES, objects, open_traces, size, trace_arrays
from study.variables import OK
from tests.conftest import ROOT, variant
from tests.conftest import SMOKE as FILE

SMOKE = load_study(FILE)
FAILURE = {"time_to_failure": "500 h", "time_to_repair": "30 h"}
RICH = variant(
    SMOKE,
    {
        "building.schedule": {"working_days": 5, "start": "7 h", "end": "18 h", "setback": "6 K"},
        "heat_pump.capacity": "0.5 MW",
        "peak_heating": {"kind": "gas", "capacity": "0.1 MW", "efficiency": 0.92, "emission_factor": "0.2 t/MWh"},
        "reserve_heating": {"kind": "electric", "capacity": "0.1 MW", "efficiency": 0.97},
        "heat_storage": {"volume": "100 m^3", "temperature_difference": "10 K", "power": "0.3 MW"},
        "circulation.flow_control": "variable",
        "circulation.minimum_flow_share": 0.5,
        "outages": {"heat_pumps": FAILURE, "wells": FAILURE},
    },
)
STUDIES = {"smoke": SMOKE, "rich": RICH}
ROWS = np.arange(40)
TRACED = [0, 3, 31, 32, 38]
ENERGIES = (
    *("heat_demand", "heat_unmet", "heat_backup", "heat_reserve", "heat_extracted"),
    *("electricity", "electricity_compressor", "electricity_circulation", "electricity_backup"),
)
ROUNDING = 2.0**-24
"""Relative, of float32."""


def traced(study: Study, **given: Any) -> Study:
    return variant(study, {"traces": {"samples": TRACED, **given}, "samples": 64})


@cache
def of(name: str, interval: str | None) -> Results:
    return simulate(traced(STUDIES[name], interval=interval) if interval else STUDIES[name], ROWS)


def traces(name: str, interval: str) -> dict[str, Any]:
    found = of(name, interval).traces
    assert found is not None
    return {key: value.astype(float) for key, value in found.values.items()}


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize("interval", ["hourly", "daily"])
def test_the_ensemble_has_the_same_bits_with_and_without(name: str, interval: str) -> None:
    without, with_traces = of(name, None), of(name, interval)
    assert without.traces is None
    assert without.values.keys() == with_traces.values.keys()
    for variable, value in without.values.items():
        np.testing.assert_array_equal(value, with_traces.values[variable], err_msg=variable)


@pytest.mark.parametrize("name", STUDIES)
@pytest.mark.parametrize(("interval", "hours"), [("hourly", 1), ("daily", 24)])
def test_they_add_up_to_the_ensemble(name: str, interval: str, hours: int) -> None:
    ensemble = {key: value[TRACED] for key, value in of(name, None).values.items()}
    found = traces(name, interval)
    assert set(found) == set(TRACE_VARIABLES)
    times = 24 * SMOKE.season.days // hours
    for variable, value in found.items():
        assert value.shape == (len(TRACED), SMOKE.winters, times), variable
        assert np.isfinite(value).all(), variable
    for variable in ENERGIES:
        np.testing.assert_allclose(
            found[variable].sum(axis=-1) * hours, ensemble[variable], rtol=ROUNDING, atol=1e-12, err_msg=variable
        )
    for trace, mean in (("outlet_temperature", "outlet_temperature_mean"), ("outdoor_temperature",) * 2):
        mean = mean if mean in ensemble else f"{mean}_mean"
        most = np.abs(found[trace]).max()
        np.testing.assert_allclose(found[trace].mean(axis=-1), ensemble[mean], rtol=0, atol=ROUNDING * most)


@pytest.mark.parametrize("name", STUDIES)
def test_extremes_are_those_of_the_ensemble(name: str) -> None:
    ensemble, found = of(name, None).values, traces(name, "hourly")
    for variable in ("inlet_temperature", "indoor_temperature", "outdoor_temperature"):
        lowest = ensemble[f"{variable}_min"][TRACED]
        np.testing.assert_allclose(found[variable].min(axis=-1), lowest, rtol=ROUNDING, atol=1e-10, err_msg=variable)
    worst = np.max(found["heat_unmet"], axis=-1)
    np.testing.assert_allclose(worst, ensemble["worst_shortfall"][TRACED], rtol=ROUNDING, atol=1e-6)
    if name == "rich":
        assert worst.max() > 0
        assert found["heat_stored"].max() > 0


@pytest.mark.parametrize("name", STUDIES)
def test_heat_is_accounted_for_hour_by_hour(name: str) -> None:
    found = traces(name, "hourly")
    keep = (1 - 0.01) ** (1 / 24)  # the tank loses 1 % a day
    stored = found["heat_stored"]
    before = np.pad(stored, [(0, 0), (0, 0), (1, 0)])[..., :-1]
    delivered = found["heat_demand"] - found["heat_unmet"]
    given = found["heat_pump_heat"] + found["heat_backup"] + before - stored
    lost = given - delivered
    rounding = 8 * ROUNDING * max(stored.max(), given.max())
    assert lost.min() > -rounding
    assert (lost <= before * (1 - keep) + rounding).all()
    np.testing.assert_allclose(
        found["heat_pump_heat"], found["heat_extracted"] + found["electricity_compressor"], rtol=0, atol=rounding
    )


@pytest.mark.parametrize("name", STUDIES)
def test_days_are_means_of_their_hours(name: str) -> None:
    by_hour, by_day = traces(name, "hourly"), traces(name, "daily")
    for variable, value in by_hour.items():
        days = value.reshape(*value.shape[:2], -1, 24)
        atol = 2 * ROUNDING * np.abs(days).max(axis=-1)
        assert (np.abs(days.mean(axis=-1) - by_day[variable]) <= atol).all(), variable


def test_hours_add_up_before_they_are_rounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """In double precision, of all that is a sum in the kernels; and the course ends where the season does."""
    seen = []

    def spy(study: Study, course: Course, winter: Winter) -> dict[str, Any]:
        found = hourly(study, course, winter)
        seen.append((found, course.totals[-1].copy(), course.totals[:, SUM.inlet_min].copy()))
        return found

    def whole(*arguments: Any) -> Season:
        season = heating_season(*arguments)
        ends.append(np.stack(season))
        return season

    hourly, heating_season = series.hourly, operation.heating_season
    ends: list[np.ndarray] = []
    monkeypatch.setattr(series, "hourly", spy)
    monkeypatch.setattr("study.simulation.heating_season", whole)
    simulate(traced(RICH), ROWS)
    assert len(seen) == RICH.winters
    fields = {"heat_demand": SUM.heat_demand, "heat_pump_heat": SUM.heat_pump_heat, "heat_unmet": SUM.heat_unmet}
    fields |= {"electricity_circulation": SUM.circulation, "electricity_compressor": SUM.compressor}
    for (found, last, _), end in zip(seen, ends[-RICH.winters :], strict=True):
        np.testing.assert_array_equal(last, end[:, TRACED])
        for variable, field in fields.items():
            np.testing.assert_allclose(found[variable].sum(axis=0) * 1e6, end[field, TRACED], rtol=1e-12, atol=0)
        np.testing.assert_allclose(found["inlet_temperature"].sum(axis=0), end[SUM.inlet_sum, TRACED], rtol=1e-12)
    found, _, lowest = seen[0]
    so_far = np.minimum.accumulate(found["inlet_temperature"], axis=0)
    np.testing.assert_allclose(so_far, lowest, rtol=0, atol=1e-9)


def test_a_sample_has_the_same_traces_whatever_the_rows_around_it() -> None:
    study = traced(RICH, interval="hourly")
    alone = simulate(study, np.array([50, 38, 3])).traces
    assert alone is not None
    assert alone.among.tolist() == [1, 2]
    assert alone.places.tolist() == [4, 1]
    among = traces("rich", "hourly")
    for variable, value in alone.values.items():
        np.testing.assert_array_equal(value, among[variable][[4, 1]].astype(np.float32), err_msg=variable)
    assert simulate(study, np.array([1, 2])).traces is None


def test_chunks_belong_to_one_sample_each() -> None:
    study = traced(SMOKE, interval="daily", variables=["heat_demand", "outdoor_temperature"])
    blocks = [np.arange(0, 32), np.arange(32, 64)]
    chunks: dict[tuple[str, int], np.ndarray] = {}
    for block in blocks:
        found = simulate(study, block).traces
        assert found is not None
        for name, place, values in found.chunks():
            assert (name, place) not in chunks
            chunks[name, place] = values
    arrays = {each.name: each for each in trace_arrays(study)}
    names = ("outdoor_temperature", "heat_demand")
    assert list(chunks) == sorted(chunks, key=lambda key: (key[1] > 2, names.index(key[0]), key[1]))
    assert set(chunks) == {(name, place) for name in names for place in range(len(TRACED))}
    for (name, _), values in chunks.items():
        assert values.shape == arrays[name].chunks
        assert values.dtype == arrays[name].dtype
    for name in names:
        assert arrays[name].shape == (len(TRACED), *arrays[name].chunks[1:])
        whole = np.concatenate([chunks[name, place] for place in range(len(TRACED))])
        np.testing.assert_array_equal(whole, traces("smoke", "daily")[name].astype(np.float32))
    assert size(study) == sum(each.nbytes for each in chunks.values()) + sum(
        each.values.nbytes for each in arrays.values() if each.values is not None
    )
    assert objects(study) == 1 + len(arrays) + len(chunks) + 3
    longer = trace_arrays(variant(study, {"samples": 128}))
    assert [(each.name, each.shape) for each in longer] == [(each.name, each.shape) for each in arrays.values()]


def test_failed_samples_have_none() -> None:
    wide = {"distribution": "normal", "mean": "2 K/km", "standard_deviation": "2 K/km"}
    study = variant(SMOKE, {"geothermal_gradient": wide, "traces": {"samples": 8, "interval": "daily"}})
    results = simulate(study, np.arange(8))
    failed = np.asarray(results.values["status"]) != OK
    assert failed.any()
    assert not failed.all()
    assert results.traces is not None
    for value in results.traces.values.values():
        assert np.isnan(value[failed]).all()
        assert np.isfinite(value[~failed]).all()


def test_the_first_samples_or_any() -> None:
    study = variant(SMOKE, {"traces": {"samples": 3}})
    assert study.traces is not None
    assert study.traces.rows.tolist() == [0, 1, 2]
    assert study.traces.interval == "hourly"
    assert study.traces.variables == tuple(TRACE_VARIABLES)
    listed = variant(SMOKE, {"traces": {"samples": [9, 2], "variables": ["heat_demand", "outdoor_temperature"]}})
    assert listed.traces is not None
    assert listed.traces.rows.tolist() == [2, 9]
    assert listed.traces.variables == ("outdoor_temperature", "heat_demand")
    for each in (study, listed):
        assert validate(Study, each.resolved(), label="again") == each
    assert variant(SMOKE, {"traces": {"samples": LANES}, "samples": 8}).traces  # the first, as far as there are any


def test_only_a_study_that_asks_for_them_has_another_fingerprint() -> None:
    assert "traces" not in SMOKE.resolved()
    prints = [
        variant(SMOKE, {"traces": asked}).fingerprint()
        for asked in (None, {}, {"samples": 4}, {"samples": [0, 1, 2, 3]}, {"interval": "daily"})
    ]
    assert prints[0] == SMOKE.fingerprint()
    assert len(set(prints)) == len(prints)
    assert trace_arrays(SMOKE) == []
    assert size(SMOKE) == objects(SMOKE) == 0


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"samples": 0}, f"traces.samples: allowed: how many of the first samples, 1 to {MOST_SAMPLES}"),
        ({"samples": MOST_SAMPLES + 1}, f"traces.samples: .* 1 to {MOST_SAMPLES}"),
        ({"samples": True}, "traces.samples: allowed"),
        ({"samples": 2.0}, "traces.samples: allowed"),
        ({"samples": "all"}, "traces.samples: allowed"),
        ({"samples": []}, "traces.samples: allowed"),
        ({"samples": [1, 1]}, "traces.samples: .* different rows"),
        ({"samples": [-1]}, "traces.samples: allowed"),
        ({"samples": [0, 32]}, "traces.samples: row 32 is none of the study's 32, 0 to 31"),
        ({"interval": "weekly"}, "traces.interval: .*'hourly' or 'daily'"),
        ({"variables": []}, "traces.variables: allowed"),
        ({"variables": ["heat_demand", "heat_demand"]}, "traces.variables: allowed"),
        (
            {"variables": ["heat_demnd"]},
            "traces.variables: 'heat_demnd' is no series; the nearest ones are heat_demand",
        ),
        ({"wells": 2}, "traces.wells: unknown key"),
        ("yes", "traces: allowed: a mapping with samples, interval, variables"),
    ],
)
def test_what_cannot_be_is_refused(asked: object, said: str) -> None:
    with pytest.raises(ConfigError, match=f"^file: {said}"):
        validate(Study, SMOKE.resolved() | {"traces": asked}, label="file")


def test_no_more_than_a_worker_can_hold() -> None:
    long = {"winters": 30, "traces": {"samples": MOST_SAMPLES, "interval": "daily"}}
    assert MOST_BYTES / 10 < size(variant(SMOKE, long)) < MOST_BYTES
    long["traces"] = {"samples": MOST_SAMPLES, "interval": "hourly"}
    with pytest.raises(ConfigError, match=r"traces.samples: 256 samples of 6.52 MB; allowed: 500 MB in all"):
        validate(Study, SMOKE.resolved() | long, label="file")


def test_the_page_names_every_variable() -> None:
    page = (ROOT / "docs" / "study-file.md").read_text().split("## Traces")[1].split("\n## ")[0]
    assert set(TRACE_VARIABLES) <= set(re.findall(r"`(\w+)`", page))
    assert f"{MOST_SAMPLES} samples" in page
    assert f"{MOST_BYTES // 10**6} MB" in page


def test_a_fault_of_one_sample_leaves_the_others_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A group is then computed again in parts."""
    whole, faulty = simulation._simulate_lanes, 31

    def failing(study: Study, rows: np.ndarray, *arguments: Any) -> dict[str, Any]:
        if faulty in rows:
            raise FloatingPointError("of this row")
        return whole(study, rows, *arguments)

    monkeypatch.setattr(simulation, "_simulate_lanes", failing)
    results = simulate(traced(RICH, interval="daily"), ROWS)
    assert list(results.reasons) == [faulty]
    assert results.traces is not None
    for variable, value in results.traces.values.items():
        expected = traces("rich", "daily")[variable].astype(np.float32)
        expected[TRACED.index(faulty)] = np.nan
        np.testing.assert_array_equal(value, expected, err_msg=variable)


def test_they_come_back_from_the_store(tmp_path: Path) -> None:
    asked = {"samples": [1, 70, 130], "interval": "daily", "variables": ["outlet_temperature", "heat_demand"]}
    study = variant(SMOKE, {"samples": 140, "traces": asked})
    storage = Storage.at(tmp_path / "traced.zarr")
    ensemble = Ensemble.create(storage, study, block_size=LANES)
    expected = {}
    for block in ensemble.blocks():
        if block.index == 1:
            continue  # not there yet
        compute_block(study, ensemble, block)
        found = simulate(study, block.rows).traces
        assert found is not None
        expected[block.index] = found.values
    with open_traces(tmp_path / "traced.zarr") as dataset:
        assert dict(dataset.sizes) == {"sample": 2, "winter": 2, "time": 151}
        assert dataset["sample"].to_numpy().tolist() == [1, 130]
        assert dataset["winter"].to_numpy().tolist() == [1, 2]
        assert dataset["time"].to_numpy().tolist() == list(range(151))
        assert dataset["time"].attrs["units"] == "d"
        assert set(dataset.data_vars) == {"outlet_temperature", "heat_demand"}
        for name, value in dataset.data_vars.items():
            assert value.attrs["units"] == TRACE_VARIABLES[str(name)]["units"]
            assert value.dtype == np.float32
            np.testing.assert_array_equal(value, np.concatenate([expected[n][str(name)] for n in (0, 2)]))
    assert dict(open_ensemble(tmp_path / "traced.zarr").sizes) == {"sample": 64 + 12, "winter": 2}
    written = sum(path.stat().st_size for path in (tmp_path / "traced.zarr" / "traces").rglob("c.*"))
    assert 0 < written < size(study)
    assert len(list((tmp_path / "traced.zarr" / "traces").rglob("*.*"))) == objects(study) - 2  # of the block to come


def test_other_traces_than_the_stores_are_refused(tmp_path: Path) -> None:
    storage = Storage.at(tmp_path / "traced.zarr")
    Ensemble.create(storage, variant(SMOKE, {"traces": {"samples": 2, "interval": "daily"}}), block_size=LANES)
    refuse_other_study(storage, variant(SMOKE, {"traces": {"samples": 2, "interval": "daily"}, "samples": 99}))
    with pytest.raises(EnsembleError, match=r"traces.samples: 2 in the store, 3 in the study"):
        refuse_other_study(storage, variant(SMOKE, {"traces": {"samples": 3, "interval": "daily"}}))
    with pytest.raises(EnsembleError, match=r"traces.interval: daily in the store, not given in the study"):
        refuse_other_study(storage, SMOKE)
    bare = Storage.at(tmp_path / "bare.zarr")
    Ensemble.create(bare, SMOKE, block_size=LANES)
    with pytest.raises(EnsembleError, match="has no traces"):
        open_traces(tmp_path / "bare.zarr")
