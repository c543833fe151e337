"""Runs on a real Ray, on this machine: interrupted, killed, resumed, extended, and always the same bits."""

import os
import random
import signal
import time
from pathlib import Path

import pytest
import xarray as xr

import study
from study import engine
from study.ensemble import Ensemble
from tests.conftest import hotland, stop_run


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, small_study: Path) -> xr.Dataset:
    """The small study, computed in this process, in one block."""
    path = tmp_path_factory.mktemp("undisturbed") / "store.zarr"
    return study.run(study.load(small_study), output=path).load()


def assert_same_bits(one: xr.Dataset, other: xr.Dataset) -> None:
    assert set(one.variables) == set(other.variables)
    for name in one.variables:
        assert one[name].values.tobytes() == other[name].values.tobytes(), name


def receipts(store: Path) -> int:
    return len(list((store / "receipts").glob("0*.json"))) if store.exists() else 0


def test_on_ray_in_small_blocks_the_bits_are_those_of_one_block(
    tmp_path: Path, small_study: Path, undisturbed: xr.Dataset
) -> None:
    case = study.load(small_study)
    seen: list[tuple[int, int]] = []
    ensemble, blocks = engine.prepare(case, tmp_path / "store.zarr", block_size=7)
    assert len(blocks) == 14
    engine.run_blocks(case, ensemble, blocks, progress=lambda done, total: seen.append((done, total)))
    assert_same_bits(study.open_ensemble(tmp_path / "store.zarr"), undisturbed)
    assert seen[0] == (0, 96)
    assert seen[-1] == (96, 96)
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    "signals",
    [
        pytest.param([signal.SIGKILL, signal.SIGINT], id="once each"),
        pytest.param([signal.SIGKILL] * 5 + [signal.SIGINT] * 2, id="seven times", marks=pytest.mark.slow),
    ],
)
def test_killed_and_interrupted_the_store_ends_as_undisturbed(
    tmp_path: Path, small_study: Path, undisturbed: xr.Dataset, signals: list[signal.Signals]
) -> None:
    store = tmp_path / "store.zarr"
    command = ("run", small_study, "--output", store, "--block-size", "2")
    chance = random.Random(7)
    for how in signals:
        wanted = receipts(store) + chance.randint(1, 4)
        status, error = stop_run(*command, folder=tmp_path, how=how, when=lambda: receipts(store) >= wanted)  # noqa: B023
        assert status == (130 if how == signal.SIGINT else -signal.SIGKILL)
        if how == signal.SIGINT:
            assert "the same command goes on from there" in error
        if how == signal.SIGKILL:
            time.sleep(6.0)  # its orphaned workers go on for a moment, then notice
        kept = study.open_ensemble(store)
        assert 0 < kept.sizes["sample"] < 96
        assert_same_bits(kept, undisturbed.sel(sample=kept["sample"].values))
    finished = hotland(*command, folder=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert "samples are there" in finished.stderr
    assert_same_bits(study.open_ensemble(store), undisturbed)

    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    again = hotland(*command, folder=tmp_path)
    assert again.returncode == 0
    assert "finished, all 96 samples are there" in again.stderr
    assert before == {path: path.stat().st_mtime_ns for path in store.rglob("*")}


def test_a_longer_run_extends_a_shorter_one(tmp_path: Path, small_study: Path, undisturbed: xr.Dataset) -> None:
    case = study.load(small_study)
    store = tmp_path / "store.zarr"
    short = study.run(case.with_overrides(samples=21), output=store, block_size=64).load()
    assert_same_bits(short, undisturbed.isel(sample=slice(21)))
    longer = study.run(case.with_overrides(samples=96), output=store)
    assert_same_bits(longer, undisturbed)
    assert study.run(case.with_overrides(samples=10), output=store).sizes["sample"] == 96


def test_another_study_is_refused_and_the_store_is_left_alone(tmp_path: Path, small_study: Path) -> None:
    store = tmp_path / "store.zarr"
    assert hotland("run", small_study, "--output", store, folder=tmp_path).returncode == 0
    before = {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}
    other = tmp_path / "other.yaml"
    other.write_text(small_study.read_text().replace("depth: 2000 m", "depth: 1900 m"))
    assert other.read_text() != small_study.read_text()
    refused = hotland("run", other, "--output", store, folder=tmp_path)
    assert refused.returncode == 2
    assert "well.depth: 2000 m in the store, 1900 m in the study" in refused.stderr
    assert "Traceback" not in refused.stderr
    assert before == {path: path.read_bytes() for path in store.rglob("*") if path.is_file()}


def test_a_worker_that_dies_is_replaced_a_bug_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = study.load("configs/smoke.yaml").with_overrides(samples=8)
    ensemble, blocks = engine.prepare(case, tmp_path / "store.zarr", block_size=4)
    marker = tmp_path / "died"

    def dies_once(_study: study.Study, _ensemble: Ensemble, block: engine.Block) -> engine.Block:
        if block.index == 1 and not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return block

    def has_a_bug(*_arguments: object) -> engine.Block:
        raise ZeroDivisionError("a bug")

    done: list[int] = []
    monkeypatch.setattr(engine, "compute_block", dies_once)
    engine.run_blocks(case, ensemble, blocks, progress=lambda rows, _: done.append(rows))
    assert marker.exists()
    assert done[-1] == 8

    monkeypatch.setattr(engine, "compute_block", has_a_bug)
    with pytest.raises(engine.RunError, match=r"block \d \(rows \d to \d\):(.|\n)*a bug"):
        engine.run_blocks(case, ensemble, blocks, progress=lambda _rows, _total: None)


def test_a_cluster_that_is_not_there_is_one_message(tmp_path: Path, small_study: Path) -> None:
    answer = hotland("run", small_study, "--address", "127.0.0.1:1", folder=tmp_path)
    assert answer.returncode == 2
    assert "--address 127.0.0.1:1: no Ray cluster answers there" in answer.stderr
    assert "Traceback" not in answer.stderr
