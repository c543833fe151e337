"""An ensemble as one file, and in the hands of xarray, dask and other readers of Zarr."""

import errno
import json
import shutil
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import h5netcdf
import numpy as np
import pyarrow.parquet as pq
import pytest
import tensorstore
import xarray as xr
import zarr

import study
from study import exporting
from study.cli import main
from study.config import load_study, study_of
from study.ensemble import RECEIPTS, Ensemble, encode, open_ensemble
from study.errors import EnsembleError, StorageError
from study.storage import Storage
from tests.conftest import ROOT, SMOKE, made, variant

CASE = variant(load_study(SMOKE), {"samples": 130})


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """130 rows in three blocks, two of them failed."""
    path = made(CASE, tmp_path_factory.mktemp("exported"))
    receipt = path / RECEIPTS / "00000000.json"
    about = json.loads(receipt.read_text())
    about["failed"] = {"3": "not_finite: heat_demand of winter 2", "129": "energy_imbalance: ½ %"}
    receipt.write_text(json.dumps(about))
    return path


@pytest.fixture
def dataset(store: Path) -> xr.Dataset:
    return open_ensemble(store)


def plain(attributes: dict[Any, Any]) -> dict[str, Any]:
    return {str(name): np.asarray(value).tolist() for name, value in attributes.items()}


@pytest.mark.parametrize("rows", [20, 130])
def test_netcdf_holds_the_same_in_parts_of_any_size(
    dataset: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    width = sum(variable.size // 130 for variable in dataset.variables.values())
    monkeypatch.setattr(exporting, "VALUES_AT_ONCE", rows * width)
    path = study.export(dataset, tmp_path / "x.nc")
    with xr.open_dataset(path, engine="h5netcdf") as again:
        assert set(again.coords) == set(dataset.coords)
        xr.testing.assert_equal(again.load(), dataset.load())
        for name, variable in dataset.variables.items():
            assert plain(again[name].attrs) == plain(variable.attrs), name
            assert again[name].dtype == variable.dtype or name == "reason"
        assert plain(again.attrs) == plain(dataset.attrs)
        assert study_of(again.attrs) == CASE
    with h5netcdf.File(path) as file:
        assert file.variables["status"].attrs["flag_values"].dtype == np.int8
    assert [each.name for each in tmp_path.iterdir()] == ["x.nc"]


@pytest.mark.parametrize(("rows", "groups"), [(7, 19), (130, 2)])
def test_parquet_is_a_row_for_each_sample_and_winter(
    dataset: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rows: int, groups: int
) -> None:
    width = sum(variable.size // 130 for variable in dataset.variables.values())
    monkeypatch.setattr(exporting, "VALUES_AT_ONCE", rows * width)
    dataset.attrs["block_size"] = 7
    path = study.export(dataset, tmp_path / "x.parquet")
    file = pq.ParquetFile(path)
    assert file.num_row_groups == groups
    table = file.read()
    assert table.column_names[:2] == ["sample", "winter"]
    expected = dataset.to_dataframe().reset_index()
    for name in expected:
        np.testing.assert_array_equal(table[name].to_numpy(), expected[name].to_numpy(), err_msg=name)
    assert table.schema.field("carbon_reduction").metadata[b"units"] == b"t CO2"
    units = json.loads(table.schema.metadata[b"units"])
    assert units["rock_conductivity"] == "W m-1 K-1"
    assert "½" in table["reason"].to_pylist()[-1]
    assert json.loads(table.schema.metadata[b"study"]) == CASE.resolved()


@pytest.mark.slow
def test_an_export_takes_the_memory_of_a_part(
    dataset: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = np.tile(np.arange(130), 100)
    large = dataset.isel(sample=rows).drop_vars("reason")
    width = sum(variable.size // 13_000 for variable in large.variables.values())
    whole = 8 * width * 13_000
    monkeypatch.setattr(exporting, "VALUES_AT_ONCE", width * 500)
    for name in ("x.nc", "x.parquet"):
        tracemalloc.start()
        study.export(large, tmp_path / name)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < whole / 5, name


def test_what_cannot_be_exported_is_refused_and_nothing_is_lost(
    store: Path, dataset: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    there = tmp_path / "there.nc"
    there.write_text("mine")
    with pytest.raises(StorageError, match=r"allowed: a name that ends in \.nc or \.parquet"):
        study.export(store, tmp_path / "x.csv")
    with pytest.raises(StorageError, match="exists; --overwrite replaces it"):
        study.export(store, there)
    with pytest.raises(StorageError, match="there is no folder"):
        study.export(store, tmp_path / "not" / "x.nc")
    with pytest.raises(EnsembleError, match="nothing to write"):
        study.export(dataset.isel(sample=slice(0)), tmp_path / "x.nc")

    def fails(_dataset: xr.Dataset, path: Path) -> None:
        path.write_text("half")
        raise KeyboardInterrupt

    monkeypatch.setitem(exporting._WRITERS, ".nc", fails)
    with pytest.raises(KeyboardInterrupt):
        study.export(store, there, overwrite=True)
    assert there.read_text() == "mine"
    assert list(tmp_path.iterdir()) == [there]


def test_what_hinders_the_file_is_no_damage_of_the_store(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(StorageError, match="cannot be written: File name too long"):
        study.export(store, tmp_path / f"{'x' * 250}.nc")
    with pytest.raises(StorageError, match="inside the store"):
        study.export(store, store / "x.nc")

    def full(_dataset: xr.Dataset, path: Path) -> None:
        path.write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(exporting._WRITERS, ".nc", full)
    with pytest.raises(StorageError, match=r"x\.nc: cannot be written: No space left on device"):
        study.export(store, tmp_path / "x.nc")
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1000))
    with pytest.raises(StorageError, match=r"x\.nc: 0\.0 MB are free there, and it may take \d+\.\d MB"):
        study.export(store, tmp_path / "x.nc")
    assert not list(tmp_path.iterdir())


def test_a_damaged_chunk_is_told_and_nothing_is_written(store: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(store, tmp_path / "damaged.zarr")
    (damaged / "heat_demand" / "c.0.0").write_bytes(b"not a chunk")
    for name in ("x.nc", "x.parquet"):
        with pytest.raises(EnsembleError, match=r"damaged\.zarr: the store is damaged"):
            study.export(damaged, tmp_path / name)
    assert list(tmp_path.iterdir()) == [damaged]


def test_the_command_exports(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)

    def export(*arguments: str) -> tuple[int, str]:
        monkeypatch.setattr("sys.argv", ["hotland", "export", str(store), *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), capsys.readouterr().err

    assert export("--output", "x.parquet") == (0, "")
    assert pq.ParquetFile("x.parquet").metadata.num_rows == 260
    for output in ("x.csv", "x.parquet"):
        status, said = export("--output", output)
        assert status == 2
        assert len(said.splitlines()) == 1
    assert export("--output", "x.parquet", "--overwrite") == (0, "")


def test_xarray_does_with_it_what_it_does(dataset: xr.Dataset, tmp_path: Path) -> None:
    whole = dataset.load()
    assert float(dataset.sel(sample=5, winter=2)["heat_demand"]) == float(whole["heat_demand"][5, 1])
    assert str(dataset["reason"].isel(sample=[2, 3, 129])[1].values).startswith("not_finite")
    assert dataset.quantile(0.5, dim="sample", numeric_only=True)["heat_demand"].sizes == {"winter": 2}
    assert dataset.to_dataframe().shape[0] == 260
    dataset.to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    with xr.open_dataset(tmp_path / "x.nc", engine="h5netcdf") as again:
        xr.testing.assert_equal(again.load(), whole)


def test_dask_computes_the_same(store: Path) -> None:
    lazy, whole = open_ensemble(store).chunk(sample="auto"), open_ensemble(store).load()
    assert lazy.chunks["sample"]
    assert float(lazy["heat_demand"].mean().compute(scheduler="synchronous")) == pytest.approx(
        float(whole["heat_demand"].mean())
    )


def test_other_readers_of_zarr_read_it(store: Path) -> None:
    """`zarr` alone, and TensorStore, another implementation (in C++)."""
    expected = open_ensemble(store)
    for name in ("carbon_reduction", "status", "sample", "rock_conductivity"):
        np.testing.assert_array_equal(zarr.open_array(store, path=name, mode="r")[:], expected[name])
        spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": f"{store / name}/"}}
        other = tensorstore.open(spec, read=True).result()
        np.testing.assert_array_equal(other.read().result(), expected[name])
        assert other.domain.labels[0] == "sample"


def test_it_says_first_what_one_looks_for(dataset: xr.Dataset) -> None:
    names = list(dataset.attrs)
    assert names[:6] == ["title", "description", "summary", "accounting", "source", "history"]
    assert names[-1] == "study"
    assert dataset.attrs["Conventions"] == "CF-1.11"
    assert all(isinstance(value, str | int) for value in dataset.attrs.values())
    for name, variable in dataset.variables.items():
        assert variable.attrs["long_name"], name
        assert variable.dtype.kind == "U" or variable.attrs["units"], name
    html = dataset._repr_html_()
    assert html.index("<span>title") < html.index("<span>summary") < html.index("<span>study")


def test_a_million_samples_open_lazily_within_a_second(tmp_path: Path) -> None:
    import time

    case = load_study(ROOT / "configs" / "shenyang.yaml").with_overrides(samples=1_000_000)
    storage = Storage.at(tmp_path / "million.zarr")
    ensemble = Ensemble.create(storage, case, block_size=16_384)
    objects = {}
    for block in ensemble.blocks():
        objects |= {name: encode(value) for name, value in ensemble.chunks(block, {"sample": block.rows}).items()}
        failed = {str(block.start): "not_finite: " + 200 * "x"}
        digests = {f"{number:040d}": 64 * "0" for number in range(60)}
        about = {"block": block.index, "start": block.start, "stop": block.stop, "sha256": digests, "failed": failed}
        objects[block.receipt] = json.dumps(about).encode()
    storage.write_many(objects)
    open_ensemble(storage.address)
    took = []
    tracemalloc.start()
    dataset = open_ensemble(storage.address)
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    for _ in range(5):
        began = time.perf_counter()
        open_ensemble(storage.address)
        took.append(time.perf_counter() - began)
    assert dataset.sizes["sample"] == 1_000_000
    assert min(took) < 1.0
    assert most < 100e6
