"""`hotland verify` finds whatever is done to a store."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study import verification
from study.blocks import compute_block
from study.cli import main
from study.config import Study, load_study
from study.engine import prepare
from study.ensemble import ROOT, decode, digest, encode
from study.errors import EnsembleError
from study.storage import Storage
from study.verification import verify
from tests.conftest import SMOKE, variant

STUDY = variant(
    load_study(SMOKE),
    {
        "samples": 20,
        "geothermal_gradient": {"distribution": "normal", "mean": "30 K/km", "standard_deviation": "20 K/km"},
    },
)
TRACED = Study.model_validate(
    {**STUDY.resolved(), "traces": {"samples": [3, 9, 10], "interval": "daily", "variables": ["heat_demand"]}}
)


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished store of 20 rows in three blocks, with traces and failed rows; not to be written to."""
    path = tmp_path_factory.mktemp("verification") / "finished.zarr"
    ensemble, blocks = prepare(TRACED, Storage.at(path), block_size=8)
    for block in blocks:
        compute_block(TRACED, ensemble, block)
    return path


@pytest.fixture
def store(finished: Path, tmp_path: Path) -> Path:
    """The same, to be damaged."""
    return shutil.copytree(finished, tmp_path / "store.zarr")


def test_all_is_well(finished: Path) -> None:
    seen: list[tuple[str, int, int]] = []
    found = verify(str(finished), blocks=99, progress=lambda *what: seen.append(what))
    assert (found.problems, found.missing, found.checked, found.recomputed) == ([], 0, 3, [0, 1, 2])
    assert seen == [(what, number, 3) for what in ("checking", "computing again") for number in range(3)]


def test_the_blocks_to_compute_again_are_chosen_by_the_seed(finished: Path) -> None:
    chosen = {tuple(verify(str(finished), blocks=1, seed=seed).recomputed) for seed in range(8)}
    assert chosen > {(0,)} or chosen > {(1,)}
    assert verify(str(finished), blocks=1, seed=5).recomputed == verify(str(finished), blocks=1, seed=5).recomputed
    assert verify(str(finished), blocks=0).recomputed == []


def flip(name: str, place: int) -> Callable[[Path], None]:
    """Return what changes one bit of an object."""

    def damage(store: Path) -> None:
        data = bytearray((store / name).read_bytes())
        data[place] ^= 1
        (store / name).write_bytes(data)

    return damage


def replace(name: str, other: str) -> Callable[[Path], None]:
    def damage(store: Path) -> None:
        assert (store / name).read_bytes() != (store / other).read_bytes()
        shutil.copy(store / other, store / name)

    return damage


def remove(name: str) -> Callable[[Path], None]:
    return lambda store: (store / name).unlink()


def cut(name: str, length: int) -> Callable[[Path], None]:
    def damage(store: Path) -> None:
        (store / name).write_bytes((store / name).read_bytes()[:length])

    return damage


def edit(name: str, change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    """Return what edits an object of JSON."""

    def damage(store: Path) -> None:
        content = json.loads((store / name).read_text())
        change(content)
        assert content != json.loads((store / name).read_text())
        (store / name).write_text(json.dumps(content))

    return damage


def in_root(variable: str, **changes: object) -> Callable[[Path], None]:
    return edit(ROOT, lambda root: root["consolidated_metadata"]["metadata"][variable].update(changes))


def in_receipt(index: int, change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    return edit(f"receipts/{index:08d}.json", change)


def failed_in(store: Path) -> int:
    """Index of a block with failed rows."""
    receipts = sorted((store / "receipts").iterdir())
    return next(index for index, path in enumerate(receipts) if json.loads(path.read_text())["failed"])


DAMAGE: dict[str, tuple[Callable[[Path], Any], str]] = {
    "a flipped bit": (flip("heat_demand/c.1.0", -5), "block 1: heat_demand/c.1.0 "),
    "a flipped bit in the header of a chunk": (flip("status/c.2", 0), "block 2: status/c.2 "),
    "half a chunk": (cut("heat_demand/c.1.0", 50), "block 1: heat_demand/c.1.0 "),
    "an empty chunk": (cut("heat_demand/c.1.0", 0), "block 1: heat_demand/c.1.0 cannot be read"),
    "the chunk of another block": (
        replace("heat_demand/c.1.0", "heat_demand/c.0.0"),
        "block 1: heat_demand/c.1.0 is not what was written",
    ),
    "the chunk of another variable": (
        replace("heat_demand/c.1.0", "heat_delivered/c.1.0"),
        "block 1: heat_demand/c.1.0 is not what was written",
    ),
    "no chunk": (remove("winter_load/c.0"), "block 0: winter_load/c.0 is not there"),
    "no receipt": (remove("receipts/00000001.json"), "1 of 3 blocks are missing"),
    "another block's receipt": (
        replace("receipts/00000001.json", "receipts/00000000.json"),
        "block 1: the receipt receipts/00000001.json is damaged (it is another block's)",
    ),
    "another block's receipt, renumbered": (
        lambda store: (
            replace("receipts/00000001.json", "receipts/00000000.json")(store),
            in_receipt(1, lambda each: each.update(block=1, start=8, stop=16, failed={}))(store),
        ),
        "block 1: the receipt does not cover heat_demand/c.1.0",
    ),
    "half a receipt": (
        cut("receipts/00000001.json", 99),
        "block 1: the receipt receipts/00000001.json is damaged (Unterminated string",
    ),
    "a digest edited": (
        in_receipt(1, lambda each: each["sha256"].update({"status/c.1": "0" * 64})),
        "block 1: status/c.1 is not what was written",
    ),
    "a digest left out": (
        in_receipt(1, lambda each: each["sha256"].pop("status/c.1")),
        "block 1: the receipt does not cover status/c.1",
    ),
    "the digest of a trace left out": (
        in_receipt(1, lambda each: each["sha256"].pop("traces/heat_demand/c.1.0.0")),
        "block 1: the receipt does not cover traces/heat_demand/c.1.0.0",
    ),
    "a digest too many": (
        in_receipt(1, lambda each: each["sha256"].update({"../../secret": "0" * 64})),
        "block 1: the receipt covers '../../secret', which is not of it",
    ),
    "no digests": (
        in_receipt(1, lambda each: each.update(sha256={})),
        "block 1: the receipt does not cover status/c.1",
    ),
    "other rows in a receipt": (
        in_receipt(1, lambda each: each.update(stop=15)),
        "block 1: the receipt is of other rows",
    ),
    "a failure left out": (
        lambda store: in_receipt(failed_in(store), lambda each: each["failed"].popitem())(store),
        ": the receipt names other failed rows than the status of its samples",
    ),
    "other code": (
        edit(ROOT, lambda root: root["attributes"].update(code_fingerprint="0" * 64)),
        "made by another version of hotland",
    ),
    "another study": (
        edit(
            ROOT, lambda root: root["attributes"].update(study=root["attributes"]["study"].replace("2000 m", "2001 m"))
        ),
        "it was tampered with",
    ),
    "another number of samples": (
        edit(
            ROOT,
            lambda root: root["attributes"].update(
                study=root["attributes"]["study"].replace('"samples": 20', '"samples": 19')
            ),
        ),
        "is not as it was laid out",
    ),
    "no study": (edit(ROOT, lambda root: root["attributes"].update(study="{}")), "the study in it cannot be read"),
    "half the root": (cut(ROOT, 3000), "not an ensemble of hotland"),
    "half an array's metadata": (cut("status/zarr.json", 100), "status/zarr.json cannot be read"),
    "no metadata of an array": (remove("status/zarr.json"), "status/zarr.json cannot be read"),
    "a list as metadata of an array": (
        lambda store: (store / "status" / ROOT).write_text("[1]"),
        "status/zarr.json cannot be read",
    ),
    "a type": (in_root("heat_demand", data_type="int64"), "zarr.json: the data_type of heat_demand is not as"),
    "a type in the array alone": (
        edit("heat_demand/zarr.json", lambda array: array.update(data_type="int64")),
        "heat_demand/zarr.json: the data_type of heat_demand is not as",
    ),
    "a shape": (in_root("heat_demand", shape=[20, 1]), "zarr.json: the shape of heat_demand is not as"),
    "fewer samples": (in_root("sample", shape=[12]), "zarr.json: the shape of sample is not as"),
    "a fill value": (in_root("heat_demand", fill_value=0.0), "zarr.json: the fill_value of heat_demand is not as"),
    "codecs": (in_root("heat_demand", codecs=[]), "zarr.json: the codecs of heat_demand is not as"),
    "a chunk shape": (
        in_root("heat_demand", chunk_grid={"name": "regular", "configuration": {"chunk_shape": [4, 2]}}),
        "zarr.json: the chunk_grid of heat_demand is not as",
    ),
    "a unit": (
        edit(
            ROOT,
            lambda root: root["consolidated_metadata"]["metadata"]["heat_demand"]["attributes"].update(units="kWh"),
        ),
        "zarr.json: the units of heat_demand is not as",
    ),
    "no variable": (
        edit(ROOT, lambda root: root["consolidated_metadata"]["metadata"].pop("heat_demand")),
        "zarr.json: heat_demand is missing",
    ),
    "a variable too many": (
        edit(
            ROOT,
            lambda root: root["consolidated_metadata"]["metadata"].update(
                heat=root["consolidated_metadata"]["metadata"]["heat_demand"]
            ),
        ),
        "zarr.json: heat is none of the study's variables",
    ),
    "another block size": (
        edit(ROOT, lambda root: root["attributes"].update(block_size=4)),
        "the store is damaged: ValueError: its chunks are not the blocks of 4",
    ),
    "winters": (flip("winter/c.0", -1), "winter "),
    "samples of traces": (replace("traces/sample/c.0", "traces/time/c.0"), "traces/sample "),
    "no times of traces": (remove("traces/time/c.0"), "traces/time is not what was written"),
    "a trace": (flip("traces/heat_demand/c.1.0.0", -9), "block 1: traces/heat_demand/c.1.0.0 "),
    "another sample's trace": (
        replace("traces/heat_demand/c.1.0.0", "traces/heat_demand/c.2.0.0"),
        "block 1: traces/heat_demand/c.1.0.0 is not what was written",
    ),
    "no trace": (remove("traces/heat_demand/c.0.0.0"), "block 0: traces/heat_demand/c.0.0.0 is not there"),
    "a type of traces": (
        in_root("traces/heat_demand", data_type="float64"),
        "zarr.json: the data_type of traces/heat_demand is not as",
    ),
}


@pytest.mark.parametrize("name", DAMAGE)
def test_damage_is_found(store: Path, name: str) -> None:
    damage, words = DAMAGE[name]
    damage(store)
    try:
        problems = verify(str(store), blocks=0 if name != "other code" else 1).problems
    except EnsembleError as error:
        problems = [str(error).removeprefix(f"{store}: ")]
    assert [problem for problem in problems if words in problem], problems
    assert all(len(problem.splitlines()) == 1 and len(problem) < 300 for problem in problems)


@pytest.mark.parametrize("name", ["a flipped bit", "no chunk", "a trace", "a fill value", "a unit"])
def test_nothing_else_is_found(store: Path, name: str) -> None:
    DAMAGE[name][0](store)
    assert len(verify(str(store), blocks=3).problems) == 1


def forge(store: Path, name: str, shape: tuple[int, ...], kind: str, change: Callable[[Any], Any]) -> None:
    """Change numbers of a chunk of block 1, with a receipt that matches."""
    values = decode((store / name).read_bytes(), shape, kind)
    change(values)
    (store / name).write_bytes(encode(values))
    in_receipt(1, lambda each: each["sha256"].update({name: digest(values)}))(store)


def raised(values: np.ndarray) -> None:
    values.reshape(-1)[0] = np.nextafter(values.reshape(-1)[0], np.inf)


@pytest.mark.parametrize(
    ("name", "shape", "kind"),
    [("winter_load/c.1", (8,), "float64"), ("traces/heat_demand/c.2.0.0", (1, 2, 151), "float32")],
)
def test_a_forged_block_is_found_by_computing_it_again(
    store: Path, name: str, shape: tuple[int, ...], kind: str
) -> None:
    forge(store, name, shape, kind, raised)
    assert verify(str(store), blocks=0).problems == []
    assert verify(str(store), blocks=3).problems == [f"block 1: {name} is not what is computed now"]
    missed = next(seed for seed in range(99) if 1 not in verify(str(store), blocks=1, seed=seed).recomputed)
    assert verify(str(store), blocks=1, seed=missed).problems == []


def test_a_forged_reason_is_found_by_computing_it_again(store: Path) -> None:
    block = failed_in(store)
    in_receipt(block, lambda each: each.update(failed=dict.fromkeys(each["failed"], "bad luck")))(store)
    assert verify(str(store), blocks=0).problems == []
    assert verify(str(store), blocks=3).problems == [f"block {block}: why rows failed is not what is computed now"]


def test_a_store_of_other_code_has_its_checksums(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verification, "code_fingerprint", lambda: "other")
    assert verify(str(store), blocks=0).problems == []
    flip("heat_demand/c.1.0", -5)(store)
    edit("status/zarr.json", lambda array: array.update(data_type="int16"))(store)
    problems = verify(str(store), blocks=0).problems
    assert len(problems) == 2
    with pytest.raises(EnsembleError) as caught:
        verify(str(store), blocks=1)
    assert all(problem in str(caught.value) for problem in problems)


def test_an_unfinished_store_is_not_complete(tmp_path: Path) -> None:
    ensemble, blocks = prepare(STUDY, Storage.at(tmp_path / "store.zarr"), block_size=8)
    assert verify(str(tmp_path / "store.zarr")).problems == ["3 of 3 blocks are missing"]
    compute_block(STUDY, ensemble, blocks[2])
    found = verify(str(tmp_path / "store.zarr"))
    assert (found.missing, found.checked, found.recomputed) == (2, 1, [2])
    assert found.problems == ["2 of 3 blocks are missing"]


def test_the_command(
    store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def command(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hotland", "verify", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return (int(end.value.code or 0), *capsys.readouterr())

    status, out, error = command(store, "--blocks", "2")
    assert (status, error) == (0, "")
    assert out.startswith(
        f"{store}: complete, 3 blocks have their checksums; computed again, to the same bits: blocks "
    )
    assert command(store, "--blocks", "0") == (0, f"{store}: complete, 3 blocks have their checksums\n", "")
    (store / "winter_load" / "c.1").unlink()
    (store / "status" / "c.2").unlink()
    status, out, error = command(store, "--blocks", "0")
    assert (status, out) == (1, "")
    assert error.splitlines()[1:] == ["  block 1: winter_load/c.1 is not there", "  block 2: status/c.2 is not there"]
    for path in (store / "winter_load").glob("c.*"):
        path.unlink()
    for number in range(3):
        shutil.rmtree(store / ("heat_demand", "heat_delivered", "cold_hours")[number])
    lines = command(store, "--blocks", "0")[2].splitlines()
    assert len(lines) <= 22
    status, out, error = command(tmp_path / "nowhere.zarr")
    assert (status, out) == (2, "")
    assert error == f"{tmp_path / 'nowhere.zarr'}: there is no ensemble here\n"
