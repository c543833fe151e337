"""`hotland info`: what a store tells of itself."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.cli import main
from study.config import load_study
from study.engine import execute
from study.errors import EnsembleError
from study.information import describe, information
from study.provenance import code_fingerprint, machine
from study.runs import Run
from study.storage import Storage
from tests.conftest import SMOKE, variant

STUDY = variant(
    load_study(SMOKE),
    {
        "samples": 20,
        "geothermal_gradient": {"distribution": "normal", "mean": "30 K/km", "standard_deviation": "20 K/km"},
    },
)
SECRET = "wJalrXUtnFEMI-K7MDENG"


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of 20 rows in two runs, some of them failed; not to be written to."""
    path = tmp_path_factory.mktemp("information") / "finished.zarr"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
        for samples in (8, 20):
            execute(STUDY.with_overrides(samples=samples), Storage.at(path), block_size=8)
    return path


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return shutil.copytree(finished, tmp_path / "store.zarr")


def test_what_a_store_knows(finished: Path) -> None:
    found = information(str(finished))
    assert found["store"] == str(finished)
    assert found["fingerprint"] == STUDY.fingerprint()
    assert found["code_fingerprint"] == code_fingerprint()
    assert found["kernels_fingerprint"] == code_fingerprint("kernels")
    assert found["packages"]["numpy"] == np.__version__
    assert found["hotland_format"] == 3
    assert {key: found[key] for key in ("samples", "samples_done", "blocks", "blocks_done", "block_size", "seed")} == {
        "samples": 20,
        "samples_done": 20,
        "blocks": 3,
        "blocks_done": 3,
        "block_size": 8,
        "seed": STUDY.seed,
    }
    assert 0.0 < found["core_hours"] < 0.1
    assert found["machines"] == [{**{key: str(value) for key, value in machine().items()}, "blocks": 3}]
    assert [(run["number"], run["state"], run["samples"], run["retries"]) for run in found["runs"]] == [
        (1, "finished", 8, []),
        (2, "finished", 12, []),
    ]
    assert found["created"] <= found["runs"][0]["ended"] <= found["runs"][1]["began"]
    assert found["failed"]
    assert all(0 <= row < 20 and "geothermal_gradient = " in reason for row, reason in found["failed"].items())


def test_it_is_for_a_person_and_for_a_program(
    finished: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    found = information(str(finished))
    for option in ([], ["--json"]):
        monkeypatch.setattr("sys.argv", ["hotland", "info", str(finished), *option])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code
        out = capsys.readouterr().out
        assert SECRET not in out
        if option:
            assert json.loads(out) == json.loads(json.dumps(found))
        else:
            assert out.splitlines() == describe(found)
    text = "\n".join(describe(found))
    told = (STUDY.fingerprint(), code_fingerprint(), "20 of 20", "3 of 3", "run 1 ", "run 2 ", str(machine()["host"]))
    assert all(each in text for each in told)
    for row, reason in found["failed"].items():
        assert f"failed row    {row}: {reason}" in text.splitlines()


def test_nothing_secret_is_in_the_store(finished: Path) -> None:
    assert not [path for path in finished.rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()]


def test_an_unfinished_run_and_its_retries(store: Path) -> None:
    run = Run.begin(Storage.at(store), {"address": "ray://head:10001"})
    run.end("failed", {"reason": "first line\nsecond", "retries": [{"time": "now", "block": 3, "fault": "lost"}]})
    record = {"began": "then", "host": "node7", "address": "local"}
    (store / "runs" / "0004.json").write_text(json.dumps(record))
    lines = describe(information(str(store)))
    assert "  tried again now block 3: lost" in lines
    assert "              first line" in lines
    assert any(line.startswith("run 3 ") and "(ray://head:10001): failed" in line for line in lines)
    assert any(line.startswith("run 4 ") and "on node7 (local): last seen never" in line for line in lines)


def test_without_a_failed_row(tmp_path: Path) -> None:
    execute(load_study(SMOKE).with_overrides(samples=3), Storage.at(tmp_path / "store.zarr"))
    found = information(str(tmp_path / "store.zarr"))
    assert found["failed"] == {}
    assert describe(found)[-1] == "failed rows   none"


def edit(name: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(store: Path) -> None:
        content = json.loads((store / name).read_text())
        change(content)
        (store / name).write_text(json.dumps(content))

    return damage


RECEIPT = "receipts/00000001.json"
DAMAGE: dict[str, Callable[[Path], Any]] = {
    "no store": shutil.rmtree,
    "half the root": lambda store: (store / "zarr.json").write_text('{"attributes": {'),
    "packages": edit("zarr.json", lambda root: root["attributes"].update(packages=[1])),
    "half a receipt": lambda store: (store / RECEIPT).write_text('{"block": 1'),
    "machine": edit(RECEIPT, lambda receipt: receipt.update(machine="x")),
    "seconds": edit(RECEIPT, lambda receipt: receipt.update(seconds="x")),
    "half a run": lambda store: (store / "runs" / "0001.json").write_text('{"began":'),
    "samples of a run": edit("runs/0001-end.json", lambda run: run.update(samples="many")),
    "retries": edit("runs/0001-end.json", lambda run: run.update(retries=[1])),
    "retries without block": edit("runs/0001-end.json", lambda run: run.update(retries=[{"time": 1}])),
    "retries in words": edit("runs/0001-end.json", lambda run: run.update(retries="x")),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_a_damaged_record_is_one_message(store: Path, name: str) -> None:
    DAMAGE[name](store)
    with pytest.raises(EnsembleError) as caught:
        describe(information(str(store)))
    assert str(caught.value).startswith(str(store))
    assert len(str(caught.value).splitlines()) == 1


def test_no_record_speaks_to_the_terminal(store: Path) -> None:
    nasty = "\x1b[2J\x07\n\u202e"
    edit("runs/0001-end.json", lambda run: run.update(state=nasty, reason=nasty))(store)
    edit("runs/0001.json", lambda run: run.update(host=nasty, address=nasty))(store)
    edit(RECEIPT, lambda receipt: receipt["machine"].update(host=nasty))(store)
    edit("zarr.json", lambda root: root["attributes"].update(title=nasty))(store)
    assert all(line.isprintable() for line in describe(information(str(store))))
