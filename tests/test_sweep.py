"""Sweeps: each design's rows are those of a study by itself, to the bit, and the store is one like any other."""

import json
import shutil
import signal
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pyarrow.parquet as pq
import pytest
import xarray as xr
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from ruamel.yaml import YAML

import study
from study import figures
from study.blocks import compute_block
from study.cli import commands, main
from study.cli.check import check
from study.comparison import compare
from study.config import load_study, most_compact_grid, study_of
from study.drivers import extend, what_drives
from study.engine import prepare
from study.errors import ConfigError, EnsembleError
from study.reaccounting import reaccount
from study.report import report
from study.storage import Storage
from study.summary import summarise
from study.sweep import SweptStudy, designs, designs_at, each_design, one_design, values_of
from study.sweep_table import print_designs, table_of, to_json
from study.verification import verify
from tests.conftest import SMOKE, hotland, stop_run

WELLS, LOADS = (1, 3), ("0.9", "1.1")
SWEEP = {"wells": list(WELLS), "winter_load": [*LOADS, {"distribution": "uniform", "minimum": "0.9", "maximum": "1.1"}]}


def written(folder: Path, sweep: Any, **changes: Any) -> Path:
    """The small study with a sweep, and other values of its own."""
    yaml = YAML(typ="safe")
    path = folder / "swept.yaml"
    yaml.dump({**yaml.load(SMOKE.read_text()), "samples": 16, "name": "swept", "sweep": sweep, **changes}, path)
    return path


def made(case: study.Study, store: Path, block_size: int) -> Path:
    ensemble, blocks = prepare(case, Storage.at(store), block_size=block_size)
    for block in blocks:
        compute_block(case, ensemble, block)
    return store


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> SweptStudy:
    found = load_study(written(tmp_path_factory.mktemp("swept"), SWEEP))
    assert isinstance(found, SweptStudy)
    return found


@pytest.fixture(scope="module")
def store(case: SweptStudy, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return made(case, tmp_path_factory.mktemp("store") / "swept.zarr", case.samples)


def test_each_design_is_that_study_by_itself_to_the_bit(store: Path, tmp_path: Path) -> None:
    found = designs(study.open_ensemble(store))
    assert list(found) == [
        f"wells={wells}, winter_load={load}"
        for wells, load in product(WELLS, (*LOADS, "uniform(maximum 1.1, minimum 0.9)"))
    ]
    yaml = YAML(typ="safe")
    for (_, design), (wells, load) in zip(found.items(), product(WELLS, SWEEP["winter_load"]), strict=True):
        whole = yaml.load(SMOKE.read_text()) | {"samples": 16, "name": "swept", "winter_load": load}
        whole["field"] = {"wells": wells, "spacing": whole["field"]["spacing"]}
        path = tmp_path / "one.yaml"
        yaml.dump(whole, path)
        alone = load_study(path)
        assert study_of(design.attrs).fingerprint() == alone.fingerprint() == design.attrs["fingerprint"]
        rows = study.open_ensemble(made(alone, tmp_path / "one.zarr", 16)).load()
        shutil.rmtree(tmp_path / "one.zarr")
        assert set(rows.variables) <= set(design.variables)
        for name in rows.variables:
            assert rows[name].dims == design[name].dims
            np.testing.assert_array_equal(design[name].values, rows[name].values, err_msg=str(name))


def test_dimensions_are_the_keys(store: Path, case: SweptStudy) -> None:
    dataset = study.open_ensemble(store)
    assert dict(dataset.sizes) == {"sample": 16, "wells": 2, "winter_load_case": 3, "winter": 2}
    assert dataset["wells"].values.tolist() == [1, 3]
    assert dataset["winter_load"].dims == ("sample", "wells", "winter_load_case")
    assert dataset["rock_conductivity"].dims == dataset["replicate"].dims == ("sample",)
    assert dataset["carbon_reduction"].dims == ("sample", "wells", "winter_load_case", "winter")
    assert isinstance(study_of(dataset.attrs), SweptStudy)
    assert case.points == 6


def test_reading_in_parts_is_reading_the_whole(store: Path) -> None:
    carbon = study.open_ensemble(store)["carbon_reduction"]
    whole = carbon.values
    for key in (
        {"sample": 3},
        {"sample": slice(2, 9, 3), "wells": 1},
        {"sample": [5, 1, 1], "winter": 0},
        {"wells": [1, 0], "winter_load_case": slice(None, None, -1)},
        {"sample": slice(0, 0)},
        {"sample": slice(None, None, -2), "winter": [1]},
    ):
        part = carbon.isel(key)
        expected = xr.DataArray(whole, dims=carbon.dims).isel(key)
        np.testing.assert_array_equal(part.values, expected.values)


def test_neither_blocks_nor_an_extension_change_a_bit(store: Path, case: SweptStudy, tmp_path: Path) -> None:
    other = tmp_path / "other.zarr"
    short = case.with_overrides(samples=8)
    assert short.samples == 48
    made(short, other, 50)  # whole samples: 48 rows
    made(case, other, 50)
    xr.testing.assert_identical(
        study.open_ensemble(other).load().drop_attrs(), study.open_ensemble(store).load().drop_attrs()
    )
    assert not verify(str(other), blocks=1).problems
    assert study.open_ensemble(other).sizes["sample"] == 16


def test_unfinished_stores_show_whole_samples(case: SweptStudy, tmp_path: Path) -> None:
    ensemble, blocks = prepare(case, Storage.at(tmp_path / "part.zarr"), block_size=24)
    compute_block(case, ensemble, blocks[1])
    dataset = study.open_ensemble(tmp_path / "part.zarr")
    assert dataset["sample"].values.tolist() == [4, 5, 6, 7]


def test_the_table_tells_of_each_design_what_its_summary_does(store: Path) -> None:
    dataset = study.open_ensemble(store)
    for row, each in zip(table_of(dataset), designs(dataset).values(), strict=True):
        lines = {line.key: line.estimate for line in summarise(each)}
        assert row.estimates["carbon_reduction_mean"] == lines["carbon_reduction_mean"]
    assert len(json.loads(to_json(table_of(dataset)))["designs"]) == 6


def test_the_table_names_whole_keys_and_breaks_no_interval(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keys = "peak_heating.capacity", "heat_pump.capacity", "building.design_outdoor_temperature"
    rows = [replace(row, at=dict.fromkeys(keys, "0.3 MW")) for row in table_of(study.open_ensemble(store))]
    print_designs(rows, Console(width=100, highlight=False, markup=False))
    title, *lines = capsys.readouterr().out.splitlines()
    assert "6 designs" in title
    whole = ["".join(line[low:high].strip() for line in lines[:-6]) for low, high in ((0, 15), (15, 27), (27, 40))]
    assert whole == list(keys)
    for line, row in zip(lines[-6:], rows, strict=True):
        assert line.count("[") == line.count("]") == 4
        assert line.split()[:6] == ["0.3", "MW"] * 3
        assert f"{row.estimates['carbon_reduction_mean'].value:.0f}"[:2] in line


def test_check_shows_what_is_swept_and_no_rows_of_its_own_making(tmp_path: Path) -> None:
    sweep = {"wells": [1, 3], "carbon.baseline": ["coal_boiler", "gas_boiler"], "winter_load": SWEEP["winter_load"]}
    carbon = YAML(typ="safe").load(SMOKE.read_text())["carbon"]
    del carbon["baseline_factor"]
    path = written(tmp_path, sweep, carbon=carbon)
    said = CliRunner().invoke(check, [str(path), "--no-pilot"])
    assert said.exit_code == 0, said.output
    lines = said.output.splitlines()
    assert "16 samples of 2 winters for each of 12 designs" in " ".join(said.output.split())
    lines = lines[next(n for n, line in enumerate(lines) if line.startswith("key ")) + 1 :]
    told = {line.split("  ")[0]: " ".join(line.split()) for line in lines if not line.startswith(" ")}
    assert {*list(told)[:3]} == {"field.wells", "carbon.baseline", "winter_load"}
    assert told["field.wells"] == "field.wells 1, 3 swept"
    assert told["carbon.baseline"] == "carbon.baseline coal_boiler, gas_boiler swept"
    assert told["winter_load"] == "winter_load 0.9; 1.1; uniform(maximum 1.1, minimum 0.9) swept"
    assert told["samples"] == "samples 16"
    assert told["carbon.baseline_efficiency"].endswith("by design")  # it comes with the baseline
    assert told["seed"] == "seed 1 default"
    assert not [key for key in told if key.startswith(("sweep", "designs"))]
    inputs = {key for each in load_study(path).studies for key in each.inputs}  # type: ignore[attr-defined]
    assert inputs <= set(told)


def test_what_takes_one_design_says_so(store: Path) -> None:
    for call in (
        lambda: report(str(store)),
        lambda: what_drives(str(store)),
        lambda: extend(str(store), 16),
    ):
        with pytest.raises(EnsembleError, match="a sweep of 6 designs, and this takes one"):
            call()
    with pytest.raises(EnsembleError, match="no other account of a sweep, nor of one of its designs; allowed: its own"):
        reaccount(store, store.with_name("other.zarr"), baseline="gas_boiler")
    with pytest.raises(ConfigError, match="a sweep has many designs"):
        study.run(
            study_of(study.open_ensemble(store).attrs),
            until=["mean(carbon_reduction) +-1%"],
        )


def test_a_design_is_chosen_by_its_values(store: Path) -> None:
    dataset = study.open_ensemble(store)
    every = designs(dataset)
    assert list(designs_at(dataset, ["field.wells = 3"], store=store)) == [name for name in every if "wells=3" in name]
    name = "wells=3, winter_load=uniform(maximum 1.1, minimum 0.9)"
    for at in ([name], name.split(", ", 1)):
        xr.testing.assert_identical(one_design(dataset, at, store=store).load(), every[name].load())
    xr.testing.assert_identical(one_design(every[name], (), store=store), every[name])
    for wrong, said in (
        (["wells=2"], "allowed for wells: 1, 3"),
        (["well=1"], "allowed: wells=..., winter_load=..."),
        (["wells=1"], "but 3 have wells=1"),
    ):
        with pytest.raises(EnsembleError, match=said):
            one_design(dataset, wrong, store=store)
    with pytest.raises(EnsembleError, match="an ensemble of one design"):
        one_design(every[name], ["wells=3"], store=store)
    drivers = what_drives(str(store), ["carbon_reduction"], at=["wells=1, winter_load=0.9"])
    assert "rock.conductivity" in {key for index in drivers.drivers[0].inputs for key in index.keys}


def test_what_tells_of_a_design_names_it(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    at = "wells=1, winter_load=0.9"
    for command in (["summary"], ["account"]):
        commands.main([*command, str(store), "--at", at], standalone_mode=False)
        assert f"swept, {at}: 16 samples of 2 winters" in capsys.readouterr().out
        commands.main([*command, str(store), "--at", at, "--json"], standalone_mode=False)
        assert json.loads(capsys.readouterr().out)["design"] == at
    page = report(str(store), at=[at])
    for tag in ("title", "h1"):
        assert f"<{tag}>swept, {at}: how sure is the heat?</{tag}>" in page


@pytest.mark.parametrize("suffix", ["nc", "parquet"])
def test_a_design_goes_to_a_file(store: Path, tmp_path: Path, suffix: str) -> None:
    at = "wells=3, winter_load=0.9"
    dataset = study.open_ensemble(store)
    one = designs(dataset)[at].load()
    path = tmp_path / f"one.{suffix}"
    commands.main(["export", str(store), "--at", at, "--output", str(path)], standalone_mode=False)
    selected = study.export(dataset.isel(wells=1, winter_load_case=0), tmp_path / f"selected.{suffix}")
    if suffix == "nc":
        with xr.open_dataset(path) as found, xr.open_dataset(selected) as other:
            xr.testing.assert_equal(found.load(), one)
            xr.testing.assert_equal(other.load(), dataset.isel(wells=1, winter_load_case=0).load())
            assert found.attrs["design"] == at
    else:
        table, other = (pq.read_table(each) for each in (path, selected))
        assert (table["unmet_hours"].to_numpy() == one["unmet_hours"].values.ravel()).all()
        assert other.select(table.column_names).equals(table)
        assert set(other["wells"].to_pylist()) == {3}
        assert set(other["winter_load_case"].to_pylist()) == set(dataset["winter_load_case"].values[:1].tolist())
    with pytest.raises(EnsembleError, match=r"a sweep of 6 designs, and this takes one; allowed: --at 'wells=1, "):
        study.export(store, tmp_path / f"all.{suffix}")
    with pytest.raises(EnsembleError, match="and this has others along wells; allowed"):
        study.export(dataset.isel(winter_load_case=0), tmp_path / f"all.{suffix}")
    assert {each.name for each in tmp_path.iterdir()} == {path.name, selected.name}


def test_the_designs_of_a_sweep_are_compared_in_pairs(store: Path) -> None:
    every = each_design({"swept": study.open_ensemble(store)}, ["winter_load=0.9"])
    found = compare(every, ["carbon_reduction"])
    assert found.pairing.paired
    assert list(found.pairing.datasets) == ["wells=1, winter_load=0.9", "wells=3, winter_load=0.9"]
    assert [each.key for each in found.pairing.differences] == ["field.wells"]


def test_the_picture_shows_means_and_samples(store: Path) -> None:
    dataset = study.open_ensemble(store)
    _, axes = plt.subplots()
    figures.against_swept_key(dataset, axes, "unmet_hours", at=["winter_load=1.1"])
    (marks,) = [each for each in axes.containers if each.get_label() != "_nolegend_"]
    wells, means = marks[0].get_data()
    hours = dataset["unmet_hours"].isel(winter_load_case=1).mean("winter")
    assert wells.tolist() == list(WELLS)
    np.testing.assert_allclose(means, hours.mean("sample"))
    edges = [line.get_ydata() for line in axes.get_lines() if line not in marks[0:1] and len(line.get_ydata()) == 2]
    assert any(np.allclose(edge, hours.quantile(0.95, "sample")) for edge in edges)
    with pytest.raises(EnsembleError, match="not swept; allowed: wells, winter_load"):
        figures.against_swept_key(dataset, axes, key="field.spacing")
    plt.close("all")


@pytest.mark.parametrize(
    ("sweep", "said"),
    [
        ({"seed": [1, 2]}, "'seed' cannot be swept"),
        ({"wells": []}, "one value at least"),
        ({"wells": {"from": 4, "to": 1}}, "wrong way round"),
        ({"wells": {"from": 1, "to": 4, "step": 0}}, "step 0: allowed: above 0"),
        ({"field.spacing": {"from": "20 m", "to": "60 ft"}}, "not the same unit"),
        ({"wells": {"from": 1, "to": 100000}}, "at most 400"),
        ({"wells": list(range(1, 40)), "field.spacing": [f"{n} m" for n in range(20, 60)]}, "1,560 designs"),
        ({"well.dept": ["1000 m"]}, "did you mean 'depth'"),
        ({"well.depth": ["1000 m", "3 kg"]}, "well.depth=3 kg: well.depth"),
        ({"wells": [2, 2]}, "a value is there twice"),
        ({"depth": ["2000 m", "2 km"]}, "depth=2000 m and depth=2 km are the same design; allowed: each once"),
        ({"wells": [1, 2], "field.wells": [3]}, "are the same key; allowed: each once"),
        ({"wells": [0]}, "wells=0: field.wells"),
        ({"wells": {"from": "1e99", "to": "9e99", "step": "1e-99"}}, "values; allowed: at most 400"),
        ({"wells": {"from": "1e9999", "to": 4}}, "not the same unit: '', 'e9999'"),
        ({"wells": "16 to 40"}, "a range such as 16..40"),
        ({"wells": "4..1"}, "from 4 to 1: the wrong way round"),
        ({"well.depth.mean": ["1 m"]}, "has no parts that could change"),
        ({"climate": ["atlantis"]}, "atlantis"),
        ({"parameters.x": [1, 2]}, "no expression has it"),
        ([1], "a mapping of keys"),
        ({"peak_heating.kind": ["electric", "gas"]}, "have not the same"),
    ],
)
def test_a_wrong_sweep_is_one_message(tmp_path: Path, sweep: Any, said: str) -> None:
    changes: dict[str, Any] = {}
    if "peak_heating.kind" in sweep:
        burning = {"kind": "gas", "capacity": "0.3 MW", "efficiency": "0.9", "emission_factor": "0.2 kg/kWh"}
        sweep = {"peak_heating": [{"kind": "electric", "capacity": "0.3 MW", "efficiency": "0.99"}, burning]}
    with pytest.raises(ConfigError) as error:
        load_study(written(tmp_path, sweep, **changes))
    assert said in str(error.value)


def test_parts_of_a_climate_and_short_names_are_swept(tmp_path: Path) -> None:
    sweep = {
        "climate.warming": ["0 K/decade", "0.3 K/decade"],
        "climate": ["harbin", "shenyang"],
        "depth": "1000..1001 m",
    }
    season = {"start": "11-01", "end": "03-31"}
    found = load_study(written(tmp_path, sweep, season=season, samples=1))
    assert isinstance(found, SweptStudy)
    assert [axis.dimension for axis in found.sweep] == ["climate", "climate_warming", "depth"]
    assert found.sweep[2].numbers == (1000.0, 1001.0)
    warming = [each.inputs["climate.warming"].value for each in found.studies]
    assert warming == [0.0, 0.0, 0.3, 0.3] * 2
    assert [each.climate.site.split(" ")[0].strip(",") for each in found.studies[::4]] == ["Harbin", "Shenyang"]
    again = SweptStudy.model_validate(json.loads(json.dumps(found.resolved())))
    assert again.fingerprint() == found.fingerprint()


def test_ranges_are_exact() -> None:
    assert values_of("2..4") == [2, 3, 4]
    assert values_of("0.5…2 m") == ["0.5 m", "1.5 m"]
    assert values_of({"from": 1, "to": 6, "step": 2}) == [1, 3, 5]
    assert values_of({"from": 16, "to": 40, "step": 4}) == [16, 20, 24, 28, 32, 36, 40]
    assert values_of({"from": "0.1 m", "to": "0.5 m", "step": "0.1 m"}) == ["0.1 m", "0.2 m", "0.3 m", "0.4 m", "0.5 m"]


@given(wells=st.integers(1, 900))
def test_wells_stand_compactly(wells: int) -> None:
    rows, columns = most_compact_grid(wells)
    assert rows <= columns <= max(2 * rows, 2)
    assert 0 <= rows * columns - wells < columns
    for other in range(rows, int((2 * wells) ** 0.5) + 1):
        if other * other >= wells:
            assert -wells % other >= -wells % columns


def test_the_published_field_keeps_its_shape() -> None:
    assert most_compact_grid(28) == (4, 7)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    path = written(tmp_path, {"wells": [1, 2]}, samples=64, winters=30)
    target = tmp_path / "killed.zarr"
    options = ("run", path, "--output", target, "--block-size", "8")
    code, _ = stop_run(
        *options, folder=tmp_path, how=signal.SIGKILL, when=lambda: len(list(target.glob("receipts/*.json"))) >= 2
    )
    assert code == -signal.SIGKILL
    rows = study.open_ensemble(target).sizes["sample"]
    assert 16 <= rows < 64
    done = hotland(*options, "--take-over", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    whole = hotland("run", path, "--output", tmp_path / "whole.zarr", folder=tmp_path)
    assert whole.returncode == 0, whole.stderr
    xr.testing.assert_identical(
        study.open_ensemble(target).load().drop_attrs(),
        study.open_ensemble(tmp_path / "whole.zarr").load().drop_attrs(),
    )
    for command in ("summary", "verify", "info"):
        said = hotland(command, target, folder=tmp_path)
        assert said.returncode == 0, said.stderr
    assert "2 designs" in hotland("summary", target, folder=tmp_path).stdout
    assert hotland("report", target, folder=tmp_path).returncode != 0


def test_one_kind_of_uncertainty_is_told_of_one_design(
    store: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["hotland", "summary", str(store), "--over", "samples"])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert capsys.readouterr().err == "--over samples: allowed with one design, and this is a sweep\n"
