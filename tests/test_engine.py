"""Runs on a real Ray, on this machine: interrupted, killed, resumed, extended, and always the same bits."""

import errno
import os
import random
import re
import shutil
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import study
from study import RunError, engine, simulation
from study.blocks import Done, compute_block
from study.cluster import start_ray
from study.ensemble import Block, Ensemble
from study.job import AHEAD, MOST_ATTEMPTS, SMALL, Job, Progress
from study.runs import Run, runs
from study.storage import Storage
from study.tally import Tally
from study.variables import NUMERICAL_FAULT
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


@pytest.fixture
def job() -> Iterator[Callable[..., Job]]:
    """Makes jobs, whose runs end with the test."""
    jobs: list[Job] = []

    def make(*arguments: Any, **options: Any) -> Job:
        jobs.append(_job(*arguments, **options))
        return jobs[-1]

    yield make
    for each in jobs:
        each.run.end("finished", {})


def _job(case: study.Study, store: Path, *, block_size: int, seen: list[int]) -> Job:
    """A job as `engine.execute` makes it."""
    storage = Storage.at(store)
    ensemble, blocks = engine.prepare(case, storage, block_size=block_size)
    progress = Progress(case.samples, Tally.empty(case), workers=2)
    run = Run.begin(storage, {})
    return Job(case, ensemble, blocks, run, progress, lambda progress: seen.append(progress.done), 2 * AHEAD)


def test_on_ray_in_small_blocks_the_bits_are_those_of_one_block(
    tmp_path: Path, small_study: Path, undisturbed: xr.Dataset, job: Callable[..., Job]
) -> None:
    case = study.load(small_study)
    seen: list[int] = []
    work = job(case, tmp_path / "store.zarr", block_size=7, seen=seen)
    assert len(work.blocks) == 14
    work.on_this_machine(2 * SMALL)
    assert_same_bits(study.open_ensemble(tmp_path / "store.zarr"), undisturbed)
    assert seen == sorted(seen)
    assert seen[-1] == 96
    assert work.progress.tally.rows == 96
    assert work.progress.tally.mean("carbon_reduction").value == pytest.approx(
        float(undisturbed["carbon_reduction"].mean()), rel=1e-12
    )


@pytest.mark.parametrize(
    ("signals", "block_size"),
    [
        pytest.param([signal.SIGINT], 8, id="interrupted"),
        pytest.param([signal.SIGKILL] * 5 + [signal.SIGINT] * 2, 2, id="seven times", marks=pytest.mark.slow),
    ],
)
def test_killed_and_interrupted_the_store_ends_as_undisturbed(
    tmp_path: Path, small_study: Path, undisturbed: xr.Dataset, signals: list[signal.Signals], block_size: int
) -> None:
    store = tmp_path / "store.zarr"
    command = ("run", small_study, "--output", store, "--block-size", str(block_size))
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


def test_a_machine_fault_is_tried_again_and_a_bug_is_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, job: Callable[..., Job]
) -> None:
    case = study.load("configs/smoke.yaml").with_overrides(samples=16)
    compute = compute_block
    marker, poison = tmp_path / "died", tmp_path / "poison"

    def dies(case: study.Study, ensemble: Ensemble, block: Block, attempt: int) -> Done:
        if block.index == 1 and (poison.exists() or not marker.exists()):
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)
        if block.index == 2 and attempt == 1:
            raise ConnectionError("the store does not answer")
        if block.index == 3 and attempt == 1:
            raise MemoryError
        return compute(case, ensemble, block, attempt)

    def has_a_bug(*_arguments: object) -> Done:
        raise ZeroDivisionError("a bug")

    def finds_a_full_disk(*_arguments: object) -> Done:
        raise OSError(errno.ENOSPC, "No space left on device")

    with start_ray(None) as ray:
        monkeypatch.setattr("study.job.compute_block", dies)
        seen: list[int] = []
        work = job(case, tmp_path / "store.zarr", block_size=4, seen=seen)
        work.share_out(ray)
        assert seen[-1] == 16
        faults = {retry["block"]: retry["fault"] for retry in work.progress.retries}
        assert faults[1].startswith("WorkerCrashedError")
        assert faults[2] == "ConnectionError: the store does not answer"
        assert faults[3].startswith("MemoryError")
        assert study.open_ensemble(tmp_path / "store.zarr").sizes["sample"] == 16

        poison.touch()
        work = job(case, tmp_path / "poison.zarr", block_size=4, seen=[])
        with pytest.raises(RunError, match=rf"block 1 failed {MOST_ATTEMPTS} times, .*WorkerCrashedError"):
            work.share_out(ray)
        assert len([retry for retry in work.progress.retries if retry["block"] == 1]) == MOST_ATTEMPTS - 1

        for broken, message in (
            (has_a_bug, r"block \d \(rows \d+ to \d+\) met a bug in hotland:(.|\n)*a bug"),
            (finds_a_full_disk, "cannot be written: .*No space left on device; what is done stays"),
        ):
            monkeypatch.setattr("study.job.compute_block", broken)
            work = job(case, tmp_path / f"{broken.__name__}.zarr", block_size=4, seen=[])
            with pytest.raises(RunError, match=message):
                work.share_out(ray)
            assert work.progress.retries == []
            with pytest.raises(RunError, match=message):
                work.on_this_machine(0.0)


@pytest.mark.slow
@pytest.mark.parametrize("folder", ["short", "long" * 20])
def test_out_of_memory_ends_after_some_attempts(
    tmp_path: Path, small_study: Path, monkeypatch: pytest.MonkeyPatch, folder: str
) -> None:
    """Ray itself would try for ever; here a node is said to be full of what any process takes."""
    with tempfile.TemporaryDirectory(dir="/tmp") as place:
        temporary = Path(place) / folder if folder != "short" else Path(place)
        temporary.mkdir(exist_ok=True)
        monkeypatch.setenv("TMPDIR", str(temporary))
        monkeypatch.setenv("RAY_memory_usage_threshold", "0.001")
        monkeypatch.setenv("RAY_memory_monitor_refresh_ms", "50")
        answer = hotland("run", small_study, "--block-size", "4", folder=tmp_path, timeout=400.0)
        assert answer.returncode == 1, answer.stderr
        said = re.search(
            rf"block \d+ failed {MOST_ATTEMPTS} times, the last time by OutOfMemoryError: .*; what is done "
            r"stays, the same command goes on from there\nRay's logs: (/\S+)\n",
            answer.stderr,
        )
        assert said, answer.stderr
        assert list(Path(said[1]).glob("raylet*"))
        if folder != "short":
            shutil.rmtree(Path(said[1]).parents[2])
    (run,) = runs(Storage.at(tmp_path / "ensembles" / "smoke.zarr"))
    assert run["state"] == "failed"
    attempts = Counter(retry["block"] for retry in run["retries"])
    assert max(attempts.values()) == MOST_ATTEMPTS - 1


def test_a_row_whose_numbers_raise_an_error_fails_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    case = study.load("configs/smoke.yaml").with_overrides(samples=100)
    rows = np.arange(100)
    before = simulation.simulate(case, rows)
    simulate_lanes = simulation._simulate_lanes

    def raises(case: study.Study, rows: np.ndarray, *arguments: Any) -> Any:
        if np.isin([5, 70, 71], rows).any():
            raise ZeroDivisionError("division by zero")
        return simulate_lanes(case, rows, *arguments)

    monkeypatch.setattr(simulation, "_simulate_lanes", raises)
    after = simulation.simulate(case, rows)
    good = ~np.isin(rows, [5, 70, 71])
    for name, value in after.values.items():
        np.testing.assert_array_equal(value[good], before.values[name][good], err_msg=name)
    assert after.values["status"][~good].tolist() == [NUMERICAL_FAULT] * 3
    assert np.isnan(np.asarray(after.values["carbon_reduction"])[~good]).all()
    assert after.reasons == dict.fromkeys([5, 70, 71], "ZeroDivisionError: division by zero")


def test_a_cluster_that_is_not_there_is_one_message(tmp_path: Path, small_study: Path) -> None:
    answer = hotland("run", small_study, "--address", "127.0.0.1:1", folder=tmp_path)
    assert answer.returncode == 2
    assert "--address 127.0.0.1:1: no Ray cluster answers there" in answer.stderr
    assert "Traceback" not in answer.stderr
