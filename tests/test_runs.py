"""One run at a time owns a store; one that died is taken over, whatever its records say."""

import errno
import json
import multiprocessing
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from study import runs as runs_module
from study.cli import main
from study.config import load_study
from study.engine import execute, prepare
from study.ensemble import open_ensemble
from study.errors import EnsembleError
from study.runs import Run, runs
from study.storage import Folder, Storage
from tests.conftest import SMOKE, hotland


@pytest.fixture
def storage(tmp_path: Path) -> Storage:
    """A place for a store."""
    return Storage.at(tmp_path / "store.zarr")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life in quick succession, and as little patience."""
    monkeypatch.setattr(runs_module, "BEAT", 0.05)
    monkeypatch.setattr(runs_module, "PATIENCE", 1.0)


@pytest.fixture(autouse=True)
def _no_thread_stays() -> Iterator[None]:
    yield
    for thread in threading.enumerate():
        if thread.name == "sign of life":
            thread.join(30.0)  # a busy disk may hold up its last write
    assert [thread.name for thread in threading.enumerate() if thread.name == "sign of life"] == []


def record_of(storage: Storage, number: int, part: str = "") -> dict[str, Any]:
    return dict(json.loads(storage.read(f"runs/{number:04d}{part}.json")))


def forge(storage: Storage, number: int, **changes: Any) -> None:
    """Leave the record of a run of another machine, that has not ended."""
    record = {"began": "2026-01-02T03:04:05+00:00", "place": "elsewhere", "process": 1234, "born": "9", "host": "node7"}
    storage.write(f"runs/{number:04d}.json", json.dumps(record | changes).encode())


def wait_until(holds: Any) -> None:
    deadline = time.monotonic() + 180.0
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.usefixtures("quick")
def test_a_run_leaves_a_record(storage: Storage) -> None:
    run = Run.begin(storage, {"address": "local"})
    assert run.number == 1
    run.tell(samples=7)
    wait_until(lambda: storage.exists("runs/0001-alive.json") and record_of(storage, 1, "-alive").get("samples") == 7)
    first = record_of(storage, 1, "-alive")["beat"]
    wait_until(lambda: record_of(storage, 1, "-alive")["beat"] > first)
    (record,) = runs(storage)
    assert "state" not in record
    run.end("finished", {"samples": 9})
    run.end("failed", {"samples": 0})  # too late
    assert storage.names("runs") == ["0001-end.json", "0001.json"]
    (record,) = runs(storage)
    assert {key: record[key] for key in ("number", "process", "address", "state", "samples")} == {
        "number": 1,
        "process": os.getpid(),
        "address": "local",
        "state": "finished",
        "samples": 9,
    }
    assert record["began"] <= record["ended"]
    assert run.taken_over is None
    second = Run.begin(storage, {})
    second.end("finished", {})
    assert [record["number"] for record in runs(storage)] == [1, 2]


def begin(address: str, ready: Any, over: Any, answers: Any) -> None:
    ready.wait()
    try:
        run = Run.begin(Storage.at(address), {})
    except EnsembleError as error:
        answers.put(str(error))
        return
    answers.put(run.number)
    over.wait()
    run.end("finished", {})


def test_of_eight_processes_one_begins(storage: Storage) -> None:
    context = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    ready, over, answers = context.Barrier(8), context.Event(), context.Queue()
    processes = [context.Process(target=begin, args=(storage.address, ready, over, answers)) for _ in range(8)]
    for process in processes:
        process.start()
    said = [answers.get(timeout=60.0) for _ in processes]
    over.set()
    for process in processes:
        process.join(60.0)
        assert process.exitcode == 0
    assert [each for each in said if isinstance(each, int)] == [1]
    refusals = [each for each in said if isinstance(each, str)]
    assert len(refusals) == 7
    assert all("is writing to this store" in refusal for refusal in refusals)
    assert storage.names("runs") == ["0001-end.json", "0001.json"]


def test_the_refusal_names_the_owner_and_what_to_do(storage: Storage) -> None:
    run = Run.begin(storage, {})
    record = record_of(storage, 1)
    with pytest.raises(EnsembleError) as caught:
        Run.begin(storage, {})
    run.end("finished", {})
    said = str(caught.value)
    assert said.startswith(f"{storage}: run 1 (process {os.getpid()} on {record['host']}, since {record['began']})")
    assert "--take-over" in said
    assert "wait" in said


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_dead_owner_on_this_machine_is_taken_over_at_once(storage: Storage) -> None:
    forge(storage, 1, place=runs_module._place(), process=dead_process(), born="1")
    said: list[str] = []
    run = Run.begin(storage, {}, say=said.append)
    run.end("finished", {})
    assert run.number == 2
    assert said == []
    assert record_of(storage, 1, "-end")["state"] == "lost"
    assert record_of(storage, 1, "-end")["found by"] == 2


def test_a_process_that_has_the_number_of_a_dead_owner_is_not_it(storage: Storage) -> None:
    born = runs_module._born(os.getpid())
    assert born
    forge(storage, 1, place=runs_module._place(), process=os.getpid(), born=f"{born}0")
    run = Run.begin(storage, {})
    run.end("finished", {})
    assert run.number == 2
    forge(storage, 3, place=runs_module._place(), process=os.getpid(), born=born)
    with pytest.raises(EnsembleError, match="run 3"):
        Run.begin(storage, {})


@pytest.mark.skipif(sys.platform != "linux", reason="zombies are told from /proc")
def test_a_zombie_owns_nothing(storage: Storage) -> None:
    process = subprocess.Popen([sys.executable, "-c", ""])
    born = (Path("/proc") / str(process.pid) / "stat").read_text().rpartition(")")[2].split()[19]
    wait_until(lambda: runs_module._born(process.pid) is None)
    forge(storage, 1, place=runs_module._place(), process=process.pid, born=born)
    Run.begin(storage, {}).end("finished", {})
    process.wait()


@pytest.mark.usefixtures("quick")
def test_an_owner_elsewhere_that_shows_life_is_left_alone(storage: Storage) -> None:
    forge(storage, 1)
    over = threading.Event()

    def live() -> None:
        beat = 0
        while not over.wait(0.02):
            beat += 1
            storage.write("runs/0001-alive.json", json.dumps({"beat": beat}).encode())

    other = threading.Thread(target=live)
    other.start()
    said: list[str] = []
    with pytest.raises(EnsembleError, match=r"run 1 \(process 1234 on node7, since 2026-01-02T03:04:05\+00:00\)"):
        Run.begin(storage, {}, say=said.append)
    over.set()
    other.join()
    assert "waiting 1 s for a sign of life" in said[0]
    assert storage.names("runs") == ["0001-alive.json", "0001.json"]


@pytest.mark.usefixtures("quick")
def test_an_owner_elsewhere_without_a_sign_of_life_is_taken_over(storage: Storage) -> None:
    forge(storage, 1)
    storage.write("runs/0001-alive.json", b'{"beat": 12}')
    start = time.monotonic()
    run = Run.begin(storage, {})
    assert time.monotonic() - start >= 1.0
    run.end("finished", {})
    assert run.number == 2


@pytest.mark.usefixtures("quick")
def test_an_owner_elsewhere_that_ends_meanwhile_is_followed_at_once(storage: Storage) -> None:
    forge(storage, 1)
    asked: list[str] = []

    def end(text: str) -> None:
        asked.append(text)
        storage.write("runs/0001-end.json", b'{"state": "finished"}')

    runs_module.PATIENCE = 1000.0
    run = Run.begin(storage, {}, say=end)
    run.end("finished", {})
    assert (run.number, len(asked)) == (2, 1)
    assert record_of(storage, 1, "-end") == {"state": "finished"}


@pytest.mark.usefixtures("quick")
def test_taking_over_asks_nobody_and_the_old_owner_notices(storage: Storage) -> None:
    old = Run.begin(storage, {})
    new = Run.begin(storage, {}, take_over=True)
    assert new.number == 2
    wait_until(lambda: old.taken_over is not None)
    assert old.taken_over
    assert old.taken_over.startswith(f"run 2 (process {os.getpid()} on ")
    old.end("failed", {"reason": "taken over"})
    new.end("finished", {})
    assert new.taken_over is None
    assert [record["state"] for record in runs(storage)] == ["lost", "finished"]


@pytest.mark.usefixtures("quick")
def test_on_a_full_disk_the_sign_of_life_makes_room_for_the_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    storage = Storage.at(tmp_path / "store.zarr")
    run = Run.begin(storage, {})
    wait_until(lambda: storage.exists("runs/0001-alive.json"))
    create = Folder.create

    def on_a_full_disk(self: Folder, name: str, data: bytes) -> None:
        if len(data) > 4096 or (tmp_path / "store.zarr" / "runs" / "0001-alive.json").exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        create(self, name, data)

    monkeypatch.setattr(Folder, "create", on_a_full_disk)
    run.end("failed", {"reason": "No space left on device", "retries": [{"fault": "x" * 300}] * 100})
    (record,) = runs(storage)
    assert (record["state"], record["reason"]) == ("failed", "No space left on device")
    assert storage.names("runs") == ["0001-end.json", "0001.json"]


@pytest.mark.usefixtures("quick")
def test_the_end_of_a_run_whose_store_is_gone(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    storage = Storage.at(tmp_path / "disk" / "store.zarr")
    run = Run.begin(storage, {})
    wait_until(lambda: storage.exists("runs/0001-alive.json"))
    (tmp_path / "disk").rename(tmp_path / "unplugged")
    (tmp_path / "disk").write_text("no folder")
    run.end("finished", {})
    assert (tmp_path / "disk").read_text() == "no folder"


@pytest.mark.usefixtures("quick")
def test_a_sign_of_life_that_cannot_be_written_ends_nothing(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.begin(storage, {})
    wait_until(lambda: storage.exists("runs/0001-alive.json"))
    failures: list[str] = []

    def fails(_self: Folder, name: str, _data: bytes) -> None:
        failures.append(name)
        raise ConnectionError(name)

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write", fails)
        wait_until(lambda: len(failures) > 2)
    beat = record_of(storage, 1, "-alive")["beat"]
    wait_until(lambda: record_of(storage, 1, "-alive")["beat"] > beat)
    run.end("finished", {})


HOSTILE = [
    b"",
    b"[1]",
    b"[" * 100_000,
    b"\xff\xfe\x00",
    b'"text"',
    b'{"place": 5, "process": "x", "host": ["a"], "born": {}}',
    b'{"place": "PLACE", "process": -1}',
    b'{"place": "PLACE", "process": 0}',
    b'{"place": "PLACE", "process": 99999999999999999999}',
    b'{"place": "PLACE", "process": true, "born": null}',
    b'{"host": "\\u001b[2J\\n", "began": "' + b"x" * 10_000 + b'"}',
]


@pytest.mark.parametrize("content", HOSTILE, ids=range(len(HOSTILE)))
@pytest.mark.parametrize("part", ["", "-alive"])
@pytest.mark.usefixtures("quick")
def test_the_record_of_a_run_may_hold_anything(
    storage: Storage, monkeypatch: pytest.MonkeyPatch, content: bytes, part: str
) -> None:
    monkeypatch.setattr(runs_module, "PATIENCE", 0.02)
    content = content.replace(b"PLACE", runs_module._place().encode())
    forge(storage, 1)
    storage.write(f"runs/0001{part}.json", content)
    said: list[str] = []
    run = Run.begin(storage, {}, say=said.append)
    run.end("finished", {})
    assert run.number == 2
    assert all(len(text) < 300 and text.isprintable() for text in said)
    if content not in HOSTILE[:5]:
        assert [record["number"] for record in runs(storage)] == [1, 2]
        return
    with pytest.raises(EnsembleError) as caught:
        runs(storage)
    assert str(caught.value).startswith(f"{storage}: the record of its runs is damaged: runs/0001{part}.json")
    assert len(str(caught.value)) < 300


@pytest.mark.parametrize("name", ["x.json", "-1.json", "٣.json", "0003.json~", "0003-other.json", "0003.txt", ".json"])
def test_other_files_beside_the_records_are_no_runs(storage: Storage, name: str) -> None:
    Run.begin(storage, {}).end("finished", {})
    (Path(storage.address) / "runs" / name).write_text("{}")
    run = Run.begin(storage, {})
    run.end("finished", {})
    assert run.number == 2
    assert [record["number"] for record in runs(storage)] == [1, 2]


@pytest.mark.usefixtures("quick")
def test_a_run_that_ends_while_the_records_are_read(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    run = Run.begin(storage, {})
    wait_until(lambda: storage.exists("runs/0001-alive.json"))
    names = Folder.names

    def and_then_it_ends(self: Folder, folder: str) -> list[str]:
        found = names(self, folder)
        monkeypatch.setattr(Folder, "names", names)
        run.end("finished", {})
        return found

    monkeypatch.setattr(Folder, "names", and_then_it_ends)
    assert [record["number"] for record in runs(storage)] == [1]


def test_a_second_command_on_the_store_is_refused_and_the_store_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    storage = Storage.at(tmp_path / "store.zarr")
    first = Run.begin(storage, {})
    prepare(load_study(SMOKE), storage, block_size=64)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "alive" not in path.name}
    monkeypatch.setattr("sys.argv", ["hotland", "run", str(SMOKE), "--output", storage.address])
    with pytest.raises(SystemExit) as end:
        main()
    answer = capsys.readouterr()
    after = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and "alive" not in path.name}
    first.end("finished", {})
    assert end.value.code == 2
    assert f"{storage}: run 1 (process {os.getpid()} on " in answer.err
    assert "is writing to this store" in answer.err
    assert "Traceback" not in answer.err
    assert answer.out == ""
    assert after == before
    assert first.taken_over is None


def test_a_finished_store_has_one_record_of_each_run_that_wrote(tmp_path: Path) -> None:
    storage = Storage.at(tmp_path / "store.zarr")
    case = load_study(SMOKE)
    written = [execute(case.with_overrides(samples=samples), storage) for samples in (8, 8, 80)]
    assert written == [True, False, True]
    assert [(each["state"], each["samples asked for"]) for each in runs(storage)] == [("finished", 8), ("finished", 80)]
    assert [each["samples"] for each in runs(storage)] == [8, 16]


@pytest.mark.slow
def test_two_commands_at_the_same_time(tmp_path: Path, small_study: Path) -> None:
    store = tmp_path / "store.zarr"
    command = [Path(sys.executable).with_name("hotland"), "run", small_study, "--output", store, "--block-size", "2"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
        wait_until(lambda: (store / "runs" / "0001.json").exists() or first.poll() is not None)
        second = hotland("run", small_study, "--output", store, folder=tmp_path)
        alive = first.poll() is None
        out, error = first.communicate(timeout=240.0)
    assert alive, error
    assert second.returncode == 2, second.stderr
    assert f"{store}: run 1 (process {first.pid} on " in second.stderr
    assert first.returncode == 0, error
    assert "Carbon reduction per winter" in out
    assert open_ensemble(store).sizes["sample"] == 96
    assert sorted(path.name for path in (store / "runs").iterdir()) == ["0001-end.json", "0001.json"]
