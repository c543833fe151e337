"""The store: what a reader sees of it, whatever has happened to it."""

import contextlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from study import ensemble as ensemble_module
from study.config import Study, load_study, variable_name
from study.engine import compute_block, prepare
from study.ensemble import (
    FORMAT,
    RECEIPTS,
    SAMPLE_VARIABLES,
    VARIABLES,
    Block,
    Ensemble,
    code_fingerprint,
    open_ensemble,
    refuse_other_study,
)
from study.errors import EnsembleError
from study.simulation import simulate
from tests.conftest import variant

CONFIGS = Path(__file__).parent.parent / "configs"
BLOCK_SIZE = 8


# some rows of it fail
STUDY = variant(
    load_study(CONFIGS / "smoke.yaml"),
    {
        "samples": 20,
        "geothermal_gradient": {"distribution": "normal", "mean": "30 K/km", "standard_deviation": "20 K/km"},
        "claim": {"carbon_reduction": "100 t"},
    },
)
LONGER = STUDY.with_overrides(samples=36)
RESULTS = simulate(LONGER, np.arange(36))


def values_of(block: Block) -> dict[str, Any]:
    """What a worker commits for a block."""
    values = {variable_name(key): value[block.start : block.stop] for key, value in RESULTS.values.items()}
    return {"sample": block.rows, "replicate": block.rows % STUDY.replicates, **values}


def reasons_of(block: Block) -> dict[int, str]:
    return {row: reason for row, reason in RESULTS.reasons.items() if block.start <= row < block.stop}


def commit(ensemble: Ensemble, *blocks: Block) -> None:
    for block in blocks:
        ensemble.commit(block, values_of(block), reasons_of(block))


def assert_holds(path: Path, rows: np.ndarray | list[int]) -> xr.Dataset:
    """Check that a reader sees these rows, with the bits they have to have."""
    dataset = open_ensemble(path)
    np.testing.assert_array_equal(dataset["sample"], rows)
    np.testing.assert_array_equal(dataset["replicate"], np.asarray(rows) % STUDY.replicates)
    for key, value in RESULTS.values.items():
        variable = dataset[variable_name(key)]
        np.testing.assert_array_equal(variable.values, value[rows], err_msg=key)
        assert variable.dtype == value.dtype
    assert dataset["reason"].values.tolist() == [RESULTS.reasons.get(row, "") for row in rows]
    return dataset


def bytes_of(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished store of 20 rows; not to be written to."""
    path = tmp_path_factory.mktemp("ensemble") / "finished.zarr"
    ensemble, blocks = prepare(STUDY, path, block_size=BLOCK_SIZE)
    commit(ensemble, *blocks)
    return path


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """A finished store of 20 rows."""
    return shutil.copytree(finished, tmp_path / "store.zarr")


def test_a_finished_store_holds_every_row(finished: Path) -> None:
    assert 0 < len(RESULTS.reasons) < 18
    dataset = assert_holds(finished, np.arange(20))
    assert dict(dataset.sizes) == {"sample": 20, "winter": STUDY.winters}
    assert set(dataset.coords) == {"sample", "winter", "replicate"}
    np.testing.assert_array_equal(dataset["winter"], [1, 2])
    inputs = {variable_name(key) for key in STUDY.uncertain}
    assert set(dataset.variables) == {*VARIABLES, *SAMPLE_VARIABLES, *inputs, "winter", "reason"}
    for name in VARIABLES:
        assert dataset[name].dims == ("sample", "winter")
        assert dataset[name].dtype == np.float64
    for name in (*SAMPLE_VARIABLES, *inputs, "reason"):
        assert dataset[name].dims == ("sample",)


def test_every_variable_says_what_it_is(finished: Path) -> None:
    dataset = open_ensemble(finished)
    for name, variable in dataset.variables.items():
        assert variable.attrs["long_name"], name
        assert name == "reason" or variable.attrs["units"], name
    units = {
        "carbon_reduction": "t CO2",
        "heat_demand": "MWh",
        "electricity": "MWh",
        "unmet_hours": "h",
        "heating_reliability": "1",
        "indoor_temperature_min": "degC",
        "inlet_temperature_min": "degC",
        "outlet_temperature_mean": "degC",
        "rock_conductivity": "W m-1 K-1",
        "geothermal_gradient": "K km-1",
        "well_flow_rate": "m3 h-1",
        "winter_load": "1",
    }
    assert {name: dataset[name].attrs["units"] for name in units} == units
    assert dataset["indoor_temperature_min"].attrs["standard_name"] == "air_temperature"
    assert "rock.conductivity" in dataset["rock_conductivity"].attrs["long_name"]
    status = dataset["status"].attrs
    assert len(status["flag_values"]) == len(status["flag_meanings"].split())


def test_the_store_says_where_it_comes_from(finished: Path) -> None:
    attributes = open_ensemble(finished).attrs
    assert Study.model_validate(json.loads(attributes["study"])).fingerprint() == STUDY.fingerprint()
    assert attributes["fingerprint"] == STUDY.fingerprint()
    assert attributes["code_fingerprint"] == code_fingerprint()
    assert attributes["seed"] == STUDY.seed
    assert attributes["packages"]["numpy"] == np.__version__
    assert attributes["created"].endswith("+00:00")


def test_it_is_opened_lazily(store: Path) -> None:
    shutil.rmtree(store / "carbon_reduction" / "c")
    (store / "carbon_reduction" / "c" / "0").mkdir(parents=True)
    (store / "carbon_reduction" / "c" / "0" / "0").write_bytes(b"not a chunk")
    dataset = open_ensemble(store)
    assert dataset["carbon_reduction"].shape == (20, 2)
    assert not dataset["heat_demand"].variable._in_memory
    with pytest.raises(Exception, match="decompress"):
        dataset["carbon_reduction"].load()
    np.testing.assert_array_equal(dataset["heat_demand"], RESULTS.values["heat_demand"][:20])


def test_others_can_read_it(finished: Path) -> None:
    """Warnings are errors in these tests."""
    plain = xr.open_zarr(finished, chunks=None).load()
    np.testing.assert_array_equal(plain["carbon_reduction"], RESULTS.values["carbon_reduction"][:20])
    np.testing.assert_array_equal(plain["status"], RESULTS.values["status"][:20])
    assert set(plain.coords) == {"sample", "winter", "replicate"}
    group = zarr.open_group(finished, mode="r")
    assert group.metadata.zarr_format == 3
    assert sorted(group.array_keys()) == sorted(set(plain.variables))
    reduction = group["carbon_reduction"]
    assert isinstance(reduction, zarr.Array)
    np.testing.assert_array_equal(reduction[:], RESULTS.values["carbon_reduction"][:20])


def test_readers_see_received_rows_only(tmp_path: Path) -> None:
    store = tmp_path / "new" / "folders" / "store.zarr"
    ensemble, blocks = prepare(STUDY, store, block_size=BLOCK_SIZE)
    assert blocks == [Block(0, 0, 8), Block(1, 8, 16), Block(2, 16, 20)]
    assert list(store.parent.iterdir()) == [store]
    assert ensemble.received() == []
    assert_holds(store, [])
    commit(ensemble, blocks[2])
    assert_holds(store, [16, 17, 18, 19])
    commit(ensemble, blocks[0])
    assert ensemble.received() == [blocks[0], blocks[2]]
    assert_holds(store, [*range(8), 16, 17, 18, 19])
    again, left = prepare(STUDY, store, block_size=3)
    assert again == ensemble
    assert left == [blocks[1]]
    commit(ensemble, *left)
    assert_holds(store, np.arange(20))
    assert prepare(STUDY, store) == (ensemble, [])


def test_compute_block_commits_the_same(tmp_path: Path, finished: Path) -> None:
    store = tmp_path / "store.zarr"
    ensemble, blocks = prepare(STUDY, store, block_size=BLOCK_SIZE)
    for block in reversed(blocks):
        assert compute_block(STUDY, ensemble, block) == block
    assert_holds(store, np.arange(20))
    one, two = (bytes_of(path) for path in (store, finished))
    assert {k: v for k, v in one.items() if k != "zarr.json"} == {k: v for k, v in two.items() if k != "zarr.json"}


@pytest.mark.parametrize("block_size", [1, 5, 20, 1000])
def test_any_block_size_holds_the_same_rows(tmp_path: Path, block_size: int) -> None:
    study = STUDY.with_overrides(samples=10)
    ensemble, blocks = prepare(study, tmp_path / "store.zarr", block_size=block_size)
    np.testing.assert_array_equal(np.concatenate([block.rows for block in blocks]), np.arange(10))
    assert [block.index for block in blocks] == list(range(len(blocks)))
    commit(ensemble, *blocks)
    assert_holds(tmp_path / "store.zarr", np.arange(10))


def test_receipts_name_block_and_end() -> None:
    block = Block(12, 96, 104)
    assert block.receipt == "00000012-0000000104.json"
    np.testing.assert_array_equal(block.rows, np.arange(96, 104))


def test_receipts_list_what_failed(store: Path) -> None:
    names = sorted(path.name for path in (store / RECEIPTS).iterdir())
    assert names == ["00000000-0000000008.json", "00000001-0000000016.json", "00000002-0000000020.json"]
    receipts = [json.loads((store / RECEIPTS / name).read_text()) for name in names]
    failed = {int(row): reason for receipt in receipts for row, reason in receipt["failed"].items()}
    assert failed == {row: reason for row, reason in RESULTS.reasons.items() if row < 20}
    assert [(receipt["start"], receipt["stop"]) for receipt in receipts] == [(0, 8), (8, 16), (16, 20)]


def test_committing_twice_is_harmless(store: Path) -> None:
    before = bytes_of(store)
    ensemble, _ = prepare(STUDY, store)
    commit(ensemble, *ensemble.blocks())
    assert bytes_of(store) == before


def test_other_bits_are_an_error(store: Path) -> None:
    ensemble, _ = prepare(STUDY, store)
    block = Block(1, 8, 16)
    values = values_of(block)
    values["winter_load"] = np.nextafter(values["winter_load"], 2.0)
    with pytest.raises(RuntimeError, match="block 1 was computed twice, with different bits"):
        ensemble.commit(block, values, reasons_of(block))
    assert not list((store / RECEIPTS).glob(".*"))


def test_a_longer_study_keeps_the_rows(store: Path) -> None:
    before = bytes_of(store)
    ensemble, blocks = prepare(LONGER, store)
    assert blocks == [Block(2, 16, 24), Block(3, 24, 32), Block(4, 32, 36)]
    assert_holds(store, np.arange(20))
    assert len(xr.open_zarr(store, chunks=None)["status"]) == 36
    commit(ensemble, blocks[1])
    assert_holds(store, [*range(20), *range(24, 32)])
    commit(ensemble, blocks[0])
    assert_holds(store, np.arange(32))
    assert prepare(LONGER, store)[1] == [blocks[2]]
    commit(ensemble, blocks[2])
    assert_holds(store, np.arange(36))
    assert prepare(LONGER, store) == (ensemble, [])
    untouched = {name: data for name, data in before.items() if "/c/0" in name or "/c/1" in name}
    assert untouched.items() <= bytes_of(store).items()


def test_a_longer_study_is_the_same_as_one_in_one_go(store: Path, tmp_path: Path) -> None:
    ensemble, blocks = prepare(LONGER, store)
    commit(ensemble, *blocks)
    ensemble, blocks = prepare(LONGER, tmp_path / "one.zarr", block_size=BLOCK_SIZE)
    commit(ensemble, *blocks)
    grown, one = open_ensemble(store).load(), open_ensemble(tmp_path / "one.zarr").load()
    xr.testing.assert_equal(grown, one)
    for name, variable in one.variables.items():
        assert grown[name].attrs == variable.attrs


def test_an_unfinished_store_can_be_extended(tmp_path: Path) -> None:
    store = tmp_path / "store.zarr"
    ensemble, blocks = prepare(STUDY, store, block_size=BLOCK_SIZE)
    commit(ensemble, blocks[1])
    ensemble, blocks = prepare(LONGER, store)
    assert [block.index for block in blocks] == [0, 2, 3, 4]
    assert_holds(store, np.arange(8, 16))
    commit(ensemble, *blocks)
    assert_holds(store, np.arange(36))


def test_a_shorter_study_has_nothing_left_to_do(store: Path) -> None:
    before = bytes_of(store)
    ensemble, blocks = prepare(STUDY.with_overrides(samples=3), store)
    assert (ensemble.samples, blocks) == (20, [])
    assert bytes_of(store) == before


def test_chunks_without_receipt_do_not_count(store: Path) -> None:
    """A worker that was killed between its last chunk and its receipt, or amid its chunks."""
    (store / RECEIPTS / Block(0, 0, 8).receipt).unlink()
    (store / RECEIPTS / Block(1, 8, 16).receipt).unlink()
    for path in store.glob("heat_*/c/1/0"):
        path.unlink()
    (store / "carbon_reduction" / "c" / "0" / "0").write_bytes(b"half a ch")
    (store / RECEIPTS / f".{Block(0, 0, 8).receipt}.0123").write_text('{"bl')
    assert_holds(store, [16, 17, 18, 19])
    ensemble, blocks = prepare(STUDY, store)
    assert [block.index for block in blocks] == [0, 1]
    for block in blocks:
        compute_block(STUDY, ensemble, block)
    assert_holds(store, np.arange(20))


def test_a_store_that_was_never_finished_being_made_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ensemble_module, "_consolidate", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare(STUDY, tmp_path / "store.zarr")
    assert list(tmp_path.iterdir()) == []
    assert len(prepare(STUDY, tmp_path / "store.zarr", block_size=BLOCK_SIZE)[1]) == 3


def test_another_study_is_refused_by_name(store: Path) -> None:
    changes = {"field.spacing": "30 m", "seed": 7, "rock.layers.1.geothermal_gradient": "25 K/km"}
    with pytest.raises(EnsembleError) as caught:
        refuse_other_study(store, variant(STUDY, changes))
    first, *lines, last = str(caught.value).splitlines()
    assert first == f"{store}: the store was made from another study, which differs in"
    assert "  seed: 1 in the store, 7 in the study" in lines
    assert "  rock.layers.1.geothermal_gradient: 28 K/km in the store, 25 K/km in the study" in lines
    assert {line.split(":")[0].strip() for line in lines} == {
        "seed",
        "rock.layers.1.geothermal_gradient",
        "field.spacing",
        "field.spacing.distribution",
        "field.spacing.minimum",
        "field.spacing.maximum",
    }
    assert "--output" in last


def test_many_differences_are_cut_short(store: Path) -> None:
    accounts = ("network_loss", "green_power_share", "refrigerant_warming_potential")
    changes: dict[str, Any] = {f"carbon.{key}": 0.5 for key in accounts}
    changes |= {f"heat_pump.{key}": "21 degC" for key in ("supply_temperature_design", "supply_temperature_mild")}
    changes |= {"fluid.temperature": "20 degC", "circulation.pump_efficiency": 0.5}
    changes |= {f"building.{key}": value for key, value in (("floor_area", "1 m^2"), ("time_constant", "9 h"))}
    changes |= {"seed": 7, "replicates": 2, "well.depth": "2100 m", "design": "monte_carlo"}
    other = variant(STUDY, changes)
    with pytest.raises(EnsembleError) as caught:
        refuse_other_study(store, other)
    assert len(str(caught.value).splitlines()) == 12
    assert "and 4 more" in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {"samples": 21, "description": "the same in other words", "claim": {"carbon_reduction": "5 t"}},
        {"carbon.baseline_factor": "0.11 t/GJ"},
        {"carbon.baseline_factor": {"value": "0.11 t/GJ", "source": "another"}},
    ],
)
def test_words_and_sources_make_no_other_study(store: Path, changes: dict[str, Any]) -> None:
    refuse_other_study(store, variant(STUDY, changes))


def test_other_code_is_refused(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_other_study(store, STUDY)
    monkeypatch.setattr(ensemble_module, "code_fingerprint", lambda: "other")
    with pytest.raises(EnsembleError, match="another version of hotland's kernels"):
        prepare(STUDY, store)
    assert_holds(store, np.arange(20))


def test_the_code_has_one_fingerprint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert code_fingerprint() == code_fingerprint()
    assert len(code_fingerprint()) == 64
    monkeypatch.chdir(tmp_path)
    one = code_fingerprint()
    source = Path(ensemble_module.__file__).parent.parent
    for part in ("study", "kernels"):
        shutil.copytree(source / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(ensemble_module, "__file__", str(tmp_path / "study" / "ensemble.py"))
    assert code_fingerprint() == one
    (tmp_path / "study" / "cli.py").write_text("# no row depends on it")
    assert code_fingerprint() == one
    for part in ("kernels/carbon.py", "study/sampling.py"):
        with (tmp_path / part).open("a") as file:
            file.write("\n")
        assert code_fingerprint() != one
        one = code_fingerprint()


def edit(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """Return what edits the metadata of a store."""

    def damage(store: Path) -> None:
        metadata = json.loads((store / "zarr.json").read_text())
        change(metadata)
        (store / "zarr.json").write_text(json.dumps(metadata))

    return damage


def cut(name: str, length: int) -> Callable[[Path], None]:
    """Return what leaves only the beginning of a file of a store."""

    def damage(store: Path) -> None:
        (store / name).write_bytes((store / name).read_bytes()[:length])

    return damage


def becomes_a_file(store: Path) -> None:
    shutil.rmtree(store)
    store.write_text("not a folder")


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "nothing there": (shutil.rmtree, "there is no ensemble here"),
    "file": (becomes_a_file, "not an ensemble of hotland"),
    "empty metadata": (cut("zarr.json", 0), "not an ensemble of hotland"),
    "half the metadata": (cut("zarr.json", 3000), "not an ensemble of hotland"),
    "binary metadata": (lambda s: (s / "zarr.json").write_bytes(b"\xff\xfe\x00"), "not an ensemble of hotland"),
    "list as metadata": (lambda s: (s / "zarr.json").write_text("[]"), "not an ensemble of hotland"),
    "no attributes": (edit(lambda m: m.update(attributes=None)), "not an ensemble of hotland"),
    "another's store": (edit(lambda m: m.update(attributes={"title": "sea ice"})), "not an ensemble of hotland"),
    "format in words": (edit(lambda m: m["attributes"].update(hotland_format="one")), "not an ensemble of hotland"),
    "newer format": (edit(lambda m: m["attributes"].update(hotland_format=FORMAT + 1)), "newer hotland"),
    "older format": (edit(lambda m: m["attributes"].update(hotland_format=FORMAT - 1)), "run the study again"),
    "no block size": (edit(lambda m: m["attributes"].pop("block_size")), "damaged"),
    "no consolidated metadata": (edit(lambda m: m.pop("consolidated_metadata")), "damaged"),
    "half a variable": (edit(lambda m: m["consolidated_metadata"]["metadata"]["status"].pop("shape")), "damaged"),
    "half a receipt": (cut(f"{RECEIPTS}/00000001-0000000016.json", 20), "damaged"),
    "empty receipt": (cut(f"{RECEIPTS}/00000001-0000000016.json", 0), "damaged"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_store_is_refused_in_words(store: Path, name: str) -> None:
    damage, words = DAMAGE[name]
    damage(store)
    with pytest.raises(EnsembleError, match=words) as caught:
        open_ensemble(store)
    assert str(caught.value).startswith(str(store))


@pytest.mark.parametrize(
    "name",
    [name for name, (_, words) in DAMAGE.items() if words != "damaged" and name != "nothing there"] + ["no block size"],
)
def test_a_damaged_store_is_not_gone_on_with(store: Path, name: str) -> None:
    damage, words = DAMAGE[name]
    damage(store)
    with pytest.raises(EnsembleError, match=words):
        prepare(STUDY, store)


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    xr.Dataset({"ice": ("x", [1.0])}).to_zarr(tmp_path / "other.zarr", consolidated=False)
    before = bytes_of(tmp_path)
    for path in (tmp_path, tmp_path / "other.zarr", tmp_path / "thesis.txt"):
        with pytest.raises(EnsembleError):
            open_ensemble(path)
        with pytest.raises(EnsembleError):
            prepare(STUDY, path)
    assert bytes_of(tmp_path) == before


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for store in (tmp_path / "file" / "store.zarr", tmp_path / "file" / "deeper" / "store.zarr"):
        with pytest.raises(EnsembleError, match="cannot be written"):
            prepare(STUDY, store)
    with pytest.raises(EnsembleError, match="cannot be written: File name too long"):
        prepare(STUDY, tmp_path / ("x" * 240))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_text_is_a_path_too(finished: Path) -> None:
    xr.testing.assert_identical(open_ensemble(str(finished)).load(), open_ensemble(finished).load())


def test_a_kill_in_the_middle_of_an_extension_loses_nothing(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_ensemble(store).load()
    longer = STUDY.with_overrides(samples=36)

    def killed(_path: Path) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(ensemble_module, "_consolidate", killed)
        with pytest.raises(KeyboardInterrupt):
            prepare(longer, store)
    assert open_ensemble(store).identical(before.assign_attrs(open_ensemble(store).attrs))
    laid_out, blocks = prepare(longer, store)
    assert laid_out.samples == 36
    for block in blocks:
        laid_out.commit(block, values_of(block), reasons_of(block))
    after = open_ensemble(store)
    assert after["sample"].values.tolist() == list(range(36))
    assert json.loads(after.attrs["study"])["samples"] == 36


def test_a_block_that_does_not_fit_is_not_clipped(store: Path) -> None:
    ensemble, _ = prepare(STUDY, store)
    block = Block(9, 72, 80)
    with pytest.raises(RuntimeError, match="no room for block 9"):
        ensemble.commit(block, values_of(block), reasons_of(block))


def test_other_bits_leave_the_first_ones_in_place(store: Path) -> None:
    before = open_ensemble(store).load()
    ensemble, _ = prepare(STUDY, store)
    block = Block(1, 8, 16)
    values = {**values_of(block), "winter_load": np.full(8, 2.0)}
    with pytest.raises(RuntimeError):
        ensemble.commit(block, values, {})
    assert open_ensemble(store).identical(before)


def test_a_block_received_while_the_store_is_opened_is_seen_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble, (first, second, *_) = prepare(STUDY, tmp_path / "store.zarr", block_size=8)
    ensemble.commit(first, values_of(first), {})
    received = Ensemble.received

    def and_then_another(self: Ensemble) -> list[Block]:
        blocks = received(self)
        ensemble.commit(second, values_of(second), {})
        return blocks

    monkeypatch.setattr(Ensemble, "received", and_then_another)
    assert open_ensemble(tmp_path / "store.zarr")["sample"].values.tolist() == list(range(8))


@pytest.mark.parametrize(
    "content", ['{"failed": []}', '{"failed": {"99": "late"}}', '{"failed": {"x": "y"}}', "[]", "\x00", "[" * 100_000]
)
def test_a_receipt_may_hold_anything(store: Path, content: str) -> None:
    (store / RECEIPTS / "00000001-0000000016.json").write_text(content)
    with contextlib.suppress(EnsembleError):
        open_ensemble(store)
    with contextlib.suppress(EnsembleError):
        prepare(STUDY, store)


def test_a_name_that_no_file_system_takes(tmp_path: Path) -> None:
    with pytest.raises(EnsembleError):
        prepare(STUDY, tmp_path / ("x" * 300))
