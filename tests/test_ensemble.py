"""The store: what a reader sees of it, whatever has happened to it."""

import ast
import contextlib
import errno
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from study import ensemble as ensemble_module
from study import provenance
from study.blocks import compute_block
from study.config import Study, load_study, variable_name
from study.engine import execute, prepare, run
from study.ensemble import (
    FORMAT,
    RECEIPTS,
    ROOT,
    Block,
    Ensemble,
    digest,
    encode,
    open_ensemble,
    reading,
    refuse_other_study,
)
from study.errors import ConfigError, EnsembleError, RunError, StorageError
from study.plan import Plan
from study.provenance import CODE, code_fingerprint
from study.simulation import simulate
from study.storage import Folder, Storage
from study.variables import MONEY, SAMPLE_VARIABLES, VARIABLES
from tests.conftest import hotland, variant

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
RESULTS = simulate(LONGER, np.arange(64))


def values_of(block: Block) -> dict[str, Any]:
    """What a worker commits for a block."""
    values = {variable_name(key): value[block.start : block.stop] for key, value in RESULTS.values.items()}
    return {"sample": block.rows, "replicate": block.rows % STUDY.replicates, **values}


def reasons_of(block: Block) -> dict[int, str]:
    return {row: reason for row, reason in RESULTS.reasons.items() if block.start <= row < block.stop}


def commit(ensemble: Ensemble, *blocks: Block) -> None:
    for block in blocks:
        ensemble.commit(block, ensemble.chunks(block, values_of(block)), reasons_of(block))


def laid_out(study: Study, path: Path, *, block_size: int = BLOCK_SIZE) -> tuple[Ensemble, list[Block]]:
    return prepare(study, Storage.at(path), block_size=block_size)


def killed(*_: object) -> None:
    raise KeyboardInterrupt


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
    ensemble, blocks = laid_out(STUDY, path)
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
    assert set(dataset.variables) == {*VARIABLES, *SAMPLE_VARIABLES, *inputs, "winter", "reason"} - {*MONEY}
    for name in VARIABLES:
        assert dataset[name].dims == ("sample", "winter")
        assert dataset[name].dtype == np.float64
    for name in ({*SAMPLE_VARIABLES} - {*MONEY}) | {*inputs, "reason"}:
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
    assert f"numpy {np.__version__}" in attributes["packages"]
    assert attributes["created"].endswith("+00:00")


def test_it_is_opened_lazily(store: Path) -> None:
    (store / "carbon_reduction" / "c.0.0").write_bytes(b"not a chunk")
    dataset = open_ensemble(store)
    assert dataset["carbon_reduction"].shape == (20, 2)
    assert not dataset["heat_demand"].variable._in_memory
    with pytest.raises(Exception, match="decompress"):
        dataset["carbon_reduction"].load()
    np.testing.assert_array_equal(dataset["heat_demand"], RESULTS.values["heat_demand"][:20])


def test_others_can_read_it(finished: Path) -> None:
    """Warnings are errors in these tests."""
    plain = xr.open_zarr(finished, chunks=None).load()
    assert dict(plain.sizes) == {"sample": 20, "winter": STUDY.winters}
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
    ensemble, blocks = laid_out(STUDY, store)
    assert blocks == [Block(0, 0, 8), Block(1, 8, 16), Block(2, 16, 24)]
    assert list(store.parent.iterdir()) == [store]
    assert ensemble.received() == []
    assert_holds(store, [])
    commit(ensemble, blocks[2])
    assert_holds(store, [16, 17, 18, 19])
    commit(ensemble, blocks[0])
    assert ensemble.received() == [blocks[0], blocks[2]]
    assert_holds(store, [*range(8), 16, 17, 18, 19])
    again, left = laid_out(STUDY, store, block_size=3)
    assert again == ensemble
    assert left == [blocks[1]]
    commit(ensemble, *left)
    assert_holds(store, np.arange(20))
    assert laid_out(STUDY, store) == (ensemble, [])


def test_compute_block_commits_the_same(tmp_path: Path, finished: Path) -> None:
    store = tmp_path / "store.zarr"
    ensemble, blocks = laid_out(STUDY, store)
    for block in reversed(blocks):
        done = compute_block(STUDY, ensemble, block, attempt=2)
        assert done.block == block
        assert done.tally.count.sum() + sum(done.tally.failed.values()) == ensemble.counted(block)
    assert_holds(store, np.arange(20))
    one, two = (bytes_of(path) for path in (store, finished))
    assert one.keys() == two.keys()
    for name in one:
        if name.startswith(RECEIPTS):
            there, here = json.loads(one[name]), json.loads(two[name])
            assert here.items() <= there.items()
            assert there["attempt"] == 2
            assert there["machine"]["cores"] >= 1
        elif name != ROOT:
            assert one[name] == two[name], name


@pytest.mark.parametrize("block_size", [1, 5, 20, 1000])
def test_any_block_size_holds_the_same_rows(tmp_path: Path, block_size: int) -> None:
    study = STUDY.with_overrides(samples=10)
    ensemble, blocks = laid_out(study, tmp_path / "store.zarr", block_size=block_size)
    assert ensemble.block_size == min(block_size, 64)
    assert [block.index for block in blocks] == list(range(len(blocks)))
    assert {block.stop - block.start for block in blocks} == {ensemble.block_size}
    np.testing.assert_array_equal(np.concatenate([block.rows for block in blocks])[:10], np.arange(10))
    assert sum(map(ensemble.counted, blocks)) == 10
    commit(ensemble, *blocks)
    assert_holds(tmp_path / "store.zarr", np.arange(10))
    assert len(xr.open_zarr(tmp_path / "store.zarr", chunks=None)["sample"]) == 10


def test_a_receipt_is_named_for_its_block() -> None:
    block = Block(12, 96, 104)
    assert block.receipt == "receipts/00000012.json"
    np.testing.assert_array_equal(block.rows, np.arange(96, 104))


def test_receipts_list_what_failed(store: Path) -> None:
    names = sorted(path.name for path in (store / RECEIPTS).iterdir())
    assert names == ["00000000.json", "00000001.json", "00000002.json"]
    receipts = [json.loads((store / RECEIPTS / name).read_text()) for name in names]
    failed = {int(row): reason for receipt in receipts for row, reason in receipt["failed"].items()}
    assert failed == {row: reason for row, reason in RESULTS.reasons.items() if row < 24}
    assert [(receipt["start"], receipt["stop"]) for receipt in receipts] == [(0, 8), (8, 16), (16, 24)]
    ensemble = Ensemble.open(Storage.at(store))
    for block, receipt in zip(ensemble.blocks(), receipts, strict=True):
        assert receipt["sha256"] == {
            name: digest(value) for name, value in ensemble.chunks(block, values_of(block)).items()
        }


def test_a_chunk_is_what_zarr_itself_writes(finished: Path, tmp_path: Path) -> None:
    """Chunks are encoded apart from the store; an array with the store's metadata encodes to the same bytes."""
    copy = shutil.copytree(finished, tmp_path / "copy.zarr")
    for name in ("carbon_reduction", "status", "sample"):
        array = zarr.open_array(copy / name, mode="r+")
        (copy / name / f"c.0{'.0' * (array.ndim - 1)}").unlink()
        key = name.replace("_", ".") if name not in RESULTS.values and name != "sample" else name
        values = RESULTS.values[key][:8] if name != "sample" else np.arange(8)
        array[:8] = values
        assert encode(values) == (finished / name / f"c.0{'.0' * (array.ndim - 1)}").read_bytes()
    assert bytes_of(copy) == bytes_of(finished)


def test_committing_twice_is_harmless(store: Path) -> None:
    before = bytes_of(store)
    ensemble, _ = laid_out(STUDY, store)
    commit(ensemble, *ensemble.blocks())
    assert bytes_of(store) == before


def test_other_bits_are_an_error(store: Path) -> None:
    before = bytes_of(store)
    ensemble, _ = laid_out(STUDY, store)
    block = Block(1, 8, 16)
    values = values_of(block)
    values["winter_load"] = np.nextafter(values["winter_load"], 2.0)
    with pytest.raises(RunError, match=r"block 1 was computed twice, with different bits \(winter_load/c.1\)"):
        ensemble.commit(block, ensemble.chunks(block, values), reasons_of(block))
    assert bytes_of(store) == before


def test_of_two_writers_with_other_bits_one_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both have found no receipt; the second to create it compares."""
    ensemble, (block, *_) = laid_out(STUDY, tmp_path / "store.zarr")
    values = values_of(block)
    exists = Folder.exists
    monkeypatch.setattr(Folder, "exists", lambda self, name: name != block.receipt and exists(self, name))
    commit(ensemble, block)
    commit(ensemble, block)
    values["winter_load"] = np.nextafter(values["winter_load"], 2.0)
    with pytest.raises(RunError, match="with different bits"):
        ensemble.commit(block, ensemble.chunks(block, values), reasons_of(block))


def test_a_longer_study_keeps_the_rows(store: Path) -> None:
    before = bytes_of(store)
    ensemble, blocks = laid_out(LONGER, store)
    assert blocks == [Block(3, 24, 32), Block(4, 32, 40)]
    assert_holds(store, np.arange(24))  # a block is computed in full
    assert len(xr.open_zarr(store, chunks=None)["status"]) == 36
    commit(ensemble, blocks[1])
    assert_holds(store, [*range(24), *range(32, 36)])
    assert laid_out(LONGER, store)[1] == [blocks[0]]
    commit(ensemble, blocks[0])
    assert_holds(store, np.arange(36))
    assert laid_out(LONGER, store) == (ensemble, [])
    after = bytes_of(store)
    kept = {name for name in before if not name.endswith(ROOT)}
    assert {name: before[name] for name in kept} == {name: after[name] for name in kept}


def test_an_extension_writes_metadata_alone(store: Path) -> None:
    files = {path: path.stat() for path in store.rglob("*") if path.is_file() and path.name != ROOT}
    ensemble, blocks = laid_out(LONGER, store)
    commit(ensemble, *blocks)
    for path, status in files.items():
        now = path.stat()
        if path.parent.name != "winter":  # a coordinate, written again with the same bytes
            assert (now.st_ino, now.st_mtime_ns) == (status.st_ino, status.st_mtime_ns), path


def test_a_late_writer_of_the_shorter_study_changes_nothing(tmp_path: Path) -> None:
    store = tmp_path / "store.zarr"
    late, blocks = laid_out(STUDY, store)
    commit(late, blocks[0])
    longer, left = laid_out(LONGER, store)
    commit(longer, *left)
    before = bytes_of(store)
    commit(late, *blocks)
    assert bytes_of(store) == before
    for block in blocks:  # even one that finds no receipt, and writes all again
        chunks = late.chunks(block, values_of(block))
        late.storage.write_many({name: encode(value) for name, value in chunks.items()})
    assert bytes_of(store) == before
    assert_holds(store, np.arange(36))


def test_blocks_of_a_late_writer_are_those_of_the_longer_study(tmp_path: Path) -> None:
    """It holds the shorter study's ensemble, and writes its last block after the store was laid out anew."""
    store = tmp_path / "store.zarr"
    late, blocks = laid_out(STUDY, store)
    longer, _ = laid_out(LONGER, store)
    commit(late, *blocks)
    assert_holds(store, np.arange(24))
    commit(longer, *laid_out(LONGER, store)[1])
    assert_holds(store, np.arange(36))


def test_a_longer_study_is_the_same_as_one_in_one_go(store: Path, tmp_path: Path) -> None:
    ensemble, blocks = laid_out(LONGER, store)
    commit(ensemble, *blocks)
    ensemble, blocks = laid_out(LONGER, tmp_path / "one.zarr")
    commit(ensemble, *blocks)
    grown, one = open_ensemble(store).load(), open_ensemble(tmp_path / "one.zarr").load()
    xr.testing.assert_equal(grown, one)
    for name, variable in one.variables.items():
        assert grown[name].attrs == variable.attrs


def test_an_unfinished_store_can_be_extended(tmp_path: Path) -> None:
    store = tmp_path / "store.zarr"
    ensemble, blocks = laid_out(STUDY, store)
    commit(ensemble, blocks[1])
    ensemble, blocks = laid_out(LONGER, store)
    assert [block.index for block in blocks] == [0, 2, 3, 4]
    assert_holds(store, np.arange(8, 16))
    commit(ensemble, *blocks)
    assert_holds(store, np.arange(36))


def test_a_shorter_study_has_nothing_left_to_do(store: Path) -> None:
    before = bytes_of(store)
    ensemble, blocks = laid_out(STUDY.with_overrides(samples=3), store)
    assert (ensemble.samples, blocks) == (20, [])
    assert bytes_of(store) == before


def test_chunks_without_receipt_do_not_count(store: Path) -> None:
    """A worker that was killed between its last chunk and its receipt, or amid its chunks."""
    (store / Block(0, 0, 8).receipt).unlink()
    (store / Block(1, 8, 16).receipt).unlink()
    for path in store.glob("heat_*/c.1.0"):
        path.unlink()
    (store / "carbon_reduction" / "c.0.0").write_bytes(b"half a ch")
    (store / RECEIPTS / f".00000000.json.{'0123' * 8}.partial").write_text('{"bl')
    assert_holds(store, [16, 17, 18, 19])
    ensemble, blocks = laid_out(STUDY, store)
    assert [block.index for block in blocks] == [0, 1]
    for block in blocks:
        compute_block(STUDY, ensemble, block)
    assert_holds(store, np.arange(20))


def test_a_store_that_was_never_finished_being_made_is_not_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            laid_out(STUDY, tmp_path / "store.zarr")
    with pytest.raises(EnsembleError, match="there is no ensemble here"):
        open_ensemble(tmp_path / "store.zarr")
    ensemble, blocks = laid_out(STUDY, tmp_path / "store.zarr")
    commit(ensemble, *blocks)
    assert_holds(tmp_path / "store.zarr", np.arange(20))


def test_another_study_is_refused_by_name(store: Path) -> None:
    changes = {"field.spacing": "30 m", "seed": 7, "rock.layers.1.geothermal_gradient": "25 K/km"}
    with pytest.raises(EnsembleError) as caught:
        refuse_other_study(Storage.at(store), variant(STUDY, changes))
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
        refuse_other_study(Storage.at(store), other)
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
    refuse_other_study(Storage.at(store), variant(STUDY, changes))


def test_other_code_is_refused(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_other_study(Storage.at(store), STUDY)
    monkeypatch.setattr(ensemble_module, "code_fingerprint", lambda: "other")
    with pytest.raises(EnsembleError, match="another version of hotland's kernels"):
        laid_out(STUDY, store)
    assert_holds(store, np.arange(20))


def test_the_code_has_one_fingerprint(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert code_fingerprint() == code_fingerprint()
    assert len(code_fingerprint()) == 64
    monkeypatch.chdir(tmp_path)
    one, kernels = code_fingerprint(), code_fingerprint("kernels")
    assert one != kernels
    source = Path(provenance.__file__).parent.parent
    for part in ("study", "kernels"):
        shutil.copytree(source / part, tmp_path / part, ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(provenance, "__file__", str(tmp_path / "study" / "provenance.py"))

    def again(*parts: str) -> str:
        code_fingerprint.cache_clear()
        return code_fingerprint(*parts)

    assert (again(), again("kernels")) == (one, kernels)
    (tmp_path / "study" / "cli.py").write_text("# no row depends on it")
    assert again() == one
    (tmp_path / "study" / "sampling.py").write_text("# rows depend on it")
    assert again() != one
    assert again("kernels") == kernels
    with (tmp_path / "kernels" / "carbon.py").open("a") as file:
        file.write("\n")
    assert again("kernels") != kernels
    code_fingerprint.cache_clear()


NO_ROW_DEPENDS_ON = {
    "csv_file": "what it reads stands in the resolved study, whose fingerprint tells",
    "weather_file": "the record that is made of it stands in the resolved study",
    "target": "when a run stops: which rows there are, not what they are",
    "errors": "words for people",
    "ensemble": "how rows are stored: the format has a version, and each chunk a checksum of its numbers",
    "storage": "where bytes lie",
    "verification": "reads rows, and the study of a store as the study's own code reads it",
}
"""What the code of a row imports beside, and why another version of it makes no other row."""


def imported(module: str) -> set[str]:
    """Modules of the package `study` that one of them imports, wherever in it, but not for types alone."""
    tree = ast.parse((Path(provenance.__file__).parent / f"{module}.py").read_text())
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            node.body = []
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "study":
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("study."):
            found.add(node.module.split(".")[1])
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("study.")}
    return found


def test_all_that_determines_a_row_is_there() -> None:
    needed: set[str] = set()
    ahead = {"simulation", "pick_freeze"}
    while ahead:
        needed |= ahead
        ahead = {name for module in ahead - NO_ROW_DEPENDS_ON.keys() for name in imported(module)} - needed
    modules = {Path(part).stem for part in CODE if part.startswith("study/")}
    assert needed - NO_ROW_DEPENDS_ON.keys() == modules
    assert NO_ROW_DEPENDS_ON.keys() <= needed
    assert set(CODE) == {"kernels", *(f"study/{name}.py" for name in modules)}


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
    "file": (becomes_a_file, "there is no ensemble here"),
    "empty metadata": (cut("zarr.json", 0), "not an ensemble of hotland"),
    "half the metadata": (cut("zarr.json", 3000), "not an ensemble of hotland"),
    "binary metadata": (lambda s: (s / "zarr.json").write_bytes(b"\xff\xfe\x00"), "not an ensemble of hotland"),
    "list as metadata": (lambda s: (s / "zarr.json").write_text("[]"), "not an ensemble of hotland"),
    "no attributes": (edit(lambda m: m.update(attributes=None)), "not an ensemble of hotland"),
    "another's store": (edit(lambda m: m.update(attributes={"title": "sea ice"})), "not an ensemble of hotland"),
    "format in words": (edit(lambda m: m["attributes"].update(hotland_format="one")), "not an ensemble of hotland"),
    "newer format": (edit(lambda m: m["attributes"].update(hotland_format=FORMAT + 1)), "newer hotland"),
    "older format": (edit(lambda m: m["attributes"].update(hotland_format=2)), "`hotland migrate .*store.zarr`"),
    "first format": (edit(lambda m: m["attributes"].update(hotland_format=1)), "run the study again"),
    "no block size": (edit(lambda m: m["attributes"].pop("block_size")), "damaged"),
    "no consolidated metadata": (edit(lambda m: m.pop("consolidated_metadata")), "damaged"),
    "half a variable": (edit(lambda m: m["consolidated_metadata"]["metadata"]["status"].pop("shape")), "damaged"),
    "half a receipt": (cut(f"{RECEIPTS}/00000001.json", 20), "damaged"),
    "empty receipt": (cut(f"{RECEIPTS}/00000001.json", 0), "damaged"),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_store_is_refused_in_words(store: Path, name: str) -> None:
    damage, words = DAMAGE[name]
    damage(store)
    with pytest.raises(EnsembleError, match=words) as caught:
        open_ensemble(store)
    assert str(caught.value).startswith(str(store))


@pytest.mark.parametrize("chunk", ["carbon_reduction/c.1.0", "status/c.2", "rock_conductivity/c.0", "replicate/c.1"])
def test_a_chunk_that_is_not_there_is_an_error_when_it_is_read(store: Path, chunk: str) -> None:
    (store / chunk).unlink()
    dataset = open_ensemble(store)
    with pytest.raises(EnsembleError, match=f"{store}: the store is damaged: {chunk} is not there; `hotland verify`"):
        dataset[chunk.partition("/")[0]].load()


def test_a_damaged_chunk_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = tmp_path / "store.zarr"
    monkeypatch.setattr("study.storage._sync", lambda _path: None)
    ensemble, blocks = laid_out(STUDY.with_overrides(samples=64), store, block_size=1)
    commit(ensemble, *blocks)  # many chunks: some are still being read when one turns out to be damaged
    chunk = store / "carbon_reduction" / "c.20.0"
    chunk.write_bytes(chunk.read_bytes()[:10])
    for said in ("the store is damaged: RuntimeError", "the store is damaged: carbon_reduction/c.20.0 is not there"):
        answer = hotland("summary", store, "--most-failed", "1", folder=tmp_path)
        assert answer.returncode == 2
        assert answer.stderr.startswith(f"{store}: {said}")
        assert answer.stderr.count("\n") == 1, answer.stderr
        chunk.unlink(missing_ok=True)


def test_reading_tells_damage_and_lets_errors_in_words_pass() -> None:
    said = r"^a, b: one of them is damaged: KeyError: 'x'; `hotland verify` tells"
    with pytest.raises(EnsembleError, match=said), reading("a", "b"):
        raise KeyError("x")
    with pytest.raises(RunError, match=r"^no sample is done yet$"), reading("a"):
        raise RunError("no sample is done yet")


def test_a_block_that_is_not_received_may_lack_chunks(store: Path) -> None:
    (store / RECEIPTS / "00000001.json").unlink()
    for chunk in store.glob("*/c.1*"):
        chunk.unlink()
    assert_holds(store, [*range(8), *range(16, 20)])


@pytest.mark.parametrize("name", ["sample/c.1", "winter/c.0"])
def test_a_coordinate_that_is_not_there_is_an_error_at_once(store: Path, name: str) -> None:
    (store / name).unlink()
    with pytest.raises(EnsembleError, match="the store is damaged"):
        open_ensemble(store)


@pytest.mark.parametrize(
    "name",
    [name for name, (_, words) in DAMAGE.items() if words not in ("damaged", "there is no ensemble here")]
    + ["no block size"],
)
def test_a_damaged_store_is_not_gone_on_with(store: Path, name: str) -> None:
    damage, words = DAMAGE[name]
    damage(store)
    with pytest.raises(EnsembleError, match=words):
        laid_out(STUDY, store)


def test_a_foreign_folder_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    xr.Dataset({"ice": ("x", [1.0])}).to_zarr(tmp_path / "other.zarr", consolidated=False)
    before = bytes_of(tmp_path)
    for path in (tmp_path, tmp_path / "other.zarr", tmp_path / "thesis.txt"):
        with pytest.raises(EnsembleError):
            open_ensemble(path)
        with pytest.raises((EnsembleError, StorageError)):
            execute(STUDY, Storage.at(path))
    assert bytes_of(tmp_path) == before


def test_a_disk_too_small_is_refused_before_a_sample_is_computed(
    tmp_path: Path, finished: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def timing(_study: Study) -> float:
        raise TimeoutError("samples are computed")

    monkeypatch.setattr("study.engine.seconds_per_sample", timing)
    needed = Plan.of(STUDY, block_size=20).store_size
    monkeypatch.setattr(Folder, "free", lambda _self: needed - 1)
    with pytest.raises(EnsembleError, match="GB are free there, and the samples to go take up to"):
        execute(STUDY, Storage.at(tmp_path / "store.zarr"))
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(Folder, "free", lambda _self: needed)
    with pytest.raises(TimeoutError, match="samples are computed"):
        execute(STUDY, Storage.at(tmp_path / "store.zarr"))
    longer = shutil.copytree(finished, tmp_path / "longer.zarr")
    monkeypatch.setattr(Folder, "free", lambda _self: 1000)
    with pytest.raises(EnsembleError, match="GB are free there"):
        execute(LONGER, Storage.at(longer))
    execute(STUDY, Storage.at(longer))  # nothing is left to do


def test_a_place_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for store in (tmp_path / "file" / "store.zarr", tmp_path / "file" / "deeper" / "store.zarr", tmp_path / "file"):
        with pytest.raises((EnsembleError, StorageError)):
            execute(STUDY, Storage.at(store))
    with pytest.raises((StorageError, OSError), match="File name too long"):
        execute(STUDY, Storage.at(tmp_path / ("x" * 300)))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_text_is_a_path_too(finished: Path) -> None:
    xr.testing.assert_identical(open_ensemble(str(finished)).load(), open_ensemble(finished).load())


def test_a_kill_in_the_middle_of_an_extension_loses_nothing(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = open_ensemble(store).load()
    longer = STUDY.with_overrides(samples=36)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write", killed)
        with pytest.raises(KeyboardInterrupt):
            laid_out(longer, store)
    assert open_ensemble(store).identical(before)
    assert len(xr.open_zarr(store, chunks=None)["sample"]) == 20
    ensemble, blocks = laid_out(longer, store)
    assert ensemble.samples == 36
    commit(ensemble, *blocks)
    after = open_ensemble(store)
    assert after["sample"].values.tolist() == list(range(36))
    assert json.loads(after.attrs["study"])["samples"] == 36


def test_values_of_other_rows_are_not_clipped(store: Path) -> None:
    ensemble, _ = laid_out(STUDY, store)
    with pytest.raises(RuntimeError, match=r"block 1: .* has 9 rows, not 8"):
        ensemble.chunks(Block(1, 8, 16), values_of(Block(1, 8, 17)))


def test_a_block_received_while_the_store_is_opened_is_seen_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ensemble, (first, second, *_) = laid_out(STUDY, tmp_path / "store.zarr")
    commit(ensemble, first)
    received = Ensemble.received

    def and_then_another(self: Ensemble) -> list[Block]:
        blocks = received(self)
        commit(ensemble, second)
        return blocks

    monkeypatch.setattr(Ensemble, "received", and_then_another)
    assert open_ensemble(tmp_path / "store.zarr")["sample"].values.tolist() == list(range(8))


@pytest.mark.parametrize(
    "content",
    [
        '{"failed": []}',
        '{"block": 1, "failed": {"99": "late"}, "sha256": {}}',
        '{"block": 1, "failed": {"x": "y"}, "sha256": {}}',
        '{"block": 1, "failed": {"8": "y"}, "sha256": 5}',
        '{"block": 0, "failed": {}, "sha256": {}}',
        "[]",
        "\x00",
        "[" * 100_000,
    ],
)
def test_a_receipt_may_hold_anything(store: Path, content: str) -> None:
    (store / RECEIPTS / "00000001.json").write_text(content)
    with pytest.raises(EnsembleError, match="damaged"):
        open_ensemble(store)
    ensemble, left = laid_out(STUDY, store)
    assert left == []
    with pytest.raises((EnsembleError, RunError)):
        ensemble.commit(ensemble.block(1), ensemble.chunks(ensemble.block(1), values_of(Block(1, 8, 16))), {})


@pytest.mark.parametrize("name", ["0000000a.json", "+0000001.json", "-0000001.json", "0_000001.json", "00000002.json~"])
def test_a_receipt_may_have_any_name(store: Path, name: str) -> None:
    """It is damage, or nothing; never a block."""
    (store / RECEIPTS / name).write_text("{}")
    ensemble = Ensemble.open(Storage.at(store))
    with contextlib.suppress(EnsembleError):
        assert ensemble.received() == list(ensemble.blocks())


def test_a_full_disk_is_no_damage_of_what_is_read() -> None:
    full = os.strerror(errno.ENOSPC)
    with pytest.raises(StorageError, match=f"^the output cannot be written: {full}$"), reading("store.zarr"):
        raise OSError(errno.ENOSPC, full)
    with pytest.raises(EnsembleError, match=r"store\.zarr: the store is damaged: OSError"), reading("store.zarr"):
        raise OSError(errno.EIO, os.strerror(errno.EIO))


@pytest.mark.parametrize("size", [0, -1, 100_001])
def test_blocks_of_no_size_are_refused(tmp_path: Path, size: int) -> None:
    with pytest.raises(ConfigError, match=rf"block_size {size}: allowed: 1 to 100,000"):
        run(CONFIGS / "smoke.yaml", output=tmp_path / "store.zarr", block_size=size)
    assert not list(tmp_path.iterdir())
