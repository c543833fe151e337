"""Stores of older formats are brought to the present one, whatever interrupts that, with every row they have.

`data/format-2.tar.xz` holds two stores that the last version of format 2 made (commit 05e85b2): `configs/smoke.yaml`
with 5 samples, 2 replicates, and only the geothermal gradient (30 K/km, standard deviation 20 K/km) and the winter load
uncertain, in blocks of 4 rows (`engine.prepare`, `engine.compute_block`). `format-2.zarr` is complete; `extended.zarr`
was then laid out for 10 samples, of which only the last block was computed: rows 5 to 7 are missing.
"""

import errno
import json
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
import zarr

from study.cli import main
from study.ensemble import FORMAT, ROOT, open_ensemble
from study.errors import EnsembleError, StorageError
from study.information import describe, information
from study.migrations import MIGRATIONS, NOT_COMPUTED, migrate
from study.runs import Run, runs
from study.storage import Folder, Storage
from study.verification import verify

DATA = Path(__file__).parent / "data" / "format-2.tar.xz"
ROWS = {"format-2": list(range(5)), "extended": [0, 1, 2, 3, 4, 8, 9]}


@pytest.fixture(scope="module")
def old(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the two stores of format 2; not to be written to."""
    folder = tmp_path_factory.mktemp("old")
    with tarfile.open(DATA) as archive:
        archive.extractall(folder, filter="data")
    return folder


@pytest.fixture(params=ROWS)
def name(request: pytest.FixtureRequest) -> str:
    """Name of one of the two."""
    return str(request.param)


@pytest.fixture
def store(old: Path, tmp_path: Path, name: str) -> Path:
    """A store of format 2."""
    return shutil.copytree(old / f"{name}.zarr", tmp_path / "store.zarr")


def bytes_of(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def values_of_2(store: Path) -> xr.Dataset:
    """What is in a store of format 2, all rows, whether received or not."""
    return xr.open_zarr(store, chunks=None).load()


def reasons_of_2(store: Path) -> dict[int, str]:
    receipts = [json.loads(path.read_text()) for path in (store / "receipts").glob("*-*.json")]
    return {int(row): reason for receipt in receipts for row, reason in receipt["failed"].items()}


def assert_holds(store: Path, before: xr.Dataset, reasons: dict[int, str], rows: list[int]) -> None:
    """Check that a store of the present format has these rows, bit by bit; others only as not computed."""
    after = open_ensemble(store).load()
    assert set(after.variables) == {*before.variables, "reason"}
    for variable in before.variables:
        one, other = before[variable], after[variable]
        assert one.dtype == other.dtype
        if "sample" in one.dims:
            one, other = one.isel(sample=rows), other.sel(sample=rows)
        assert one.values.tobytes() == other.values.tobytes(), variable
        assert before[variable].attrs == after[variable].attrs
    assert after["reason"].sel(sample=rows).values.tolist() == [reasons.get(row, "") for row in rows]
    rest = after.sel(sample=[row for row in after["sample"].values if row not in rows])
    assert (rest["status"] == -1).all()
    assert set(rest["reason"].values.tolist()) <= {NOT_COMPUTED}
    assert np.isnan(rest["carbon_reduction"]).all()
    np.testing.assert_array_equal(after["replicate"], after["sample"] % 2)


def test_every_row_is_kept(store: Path, name: str) -> None:
    before, reasons = values_of_2(store), reasons_of_2(store)
    assert 0 < len(reasons) < len(ROWS[name])
    said = migrate(str(store))
    blocks = -(-len(before["sample"]) // 4)
    assert said == f"{store}: brought from format 2 to 3, {len(ROWS[name])} rows in {blocks} blocks"
    assert_holds(store, before, reasons, ROWS[name])
    assert open_ensemble(store).sizes["sample"] == len(before["sample"])
    for variable, there in xr.open_zarr(store, chunks=None).variables.items():
        alone = zarr.open_array(store / str(variable), mode="r")[...]  # by its own metadata, not that of the root
        np.testing.assert_array_equal(alone, there.values)
    attributes, expected = dict(open_ensemble(store).attrs), {**before.attrs, "hotland_format": FORMAT}
    assert attributes.pop("packages") == ", ".join(map(" ".join, expected.pop("packages").items()))
    assert attributes == expected


def test_nothing_old_is_left(store: Path) -> None:
    arrays = list(zarr.open_group(store, mode="r").array_keys())
    migrate(str(store))
    for array in arrays:
        assert all(path.is_file() for path in (store / array).iterdir()), array
    assert not list((store / "receipts").glob("*-*"))
    assert [run["state"] for run in runs(Storage.at(store))] == ["finished"]


def test_once_more_there_is_nothing_to_do(store: Path) -> None:
    migrate(str(store))
    before = bytes_of(store)
    assert migrate(str(store)) == f"{store}: is of the present format {FORMAT}, nothing to do"
    assert bytes_of(store) == before


def test_the_result_has_its_checksums(store: Path) -> None:
    migrate(str(store))
    found = verify(str(store), blocks=0)
    assert found.problems == []
    assert found.checked == -(-open_ensemble(store).sizes["sample"] // 4)
    with pytest.raises(EnsembleError, match="another version of hotland, so no block can be computed again"):
        verify(str(store), blocks=1)
    assert any("not recorded" in line for line in describe(information(str(store))))


class Killed(BaseException):
    """Stands for a kill."""


def test_killed_at_any_moment_it_goes_on(old: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before, reasons = values_of_2(old / "extended.zarr"), reasons_of_2(old / "extended.zarr")
    originals = bytes_of(old / "extended.zarr")
    write_many, delete = Folder.write_many, Folder.delete
    left = 0
    done: list[str] = []

    def step(name: str) -> None:
        nonlocal left
        if left == 0:
            raise Killed
        left -= 1
        done.append(name)

    def one_by_one(self: Folder, objects: dict[str, bytes]) -> None:
        for name, data in objects.items():
            if not name.startswith("runs/"):
                step(name)
            write_many(self, {name: data})

    def one(self: Folder, name: str) -> None:
        if not name.startswith("runs/"):
            step(name)
        delete(self, name)

    monkeypatch.setattr(Folder, "write_many", one_by_one)
    monkeypatch.setattr(Folder, "delete", one)
    left = 10**9
    whole = shutil.copytree(old / "extended.zarr", tmp_path / "whole.zarr")
    migrate(str(whole))
    right = {name: data for name, data in bytes_of(whole).items() if not name.startswith("runs/")}
    steps, root = len(done), done.index(ROOT)
    assert 0 < root < steps - 100
    for number in (60, root - 46, root, root + 1, root + 60):
        store = shutil.copytree(old / "extended.zarr", tmp_path / f"{number}.zarr")
        left = number
        with pytest.raises(Killed):
            migrate(str(store))
        left = 10**9
        if number <= root:  # still of format 2, with all that it had
            there = bytes_of(store)
            for name, data in originals.items():
                assert there[name] == data or (name.endswith(ROOT) and name != ROOT), name
            with pytest.raises(EnsembleError, match="hotland migrate"):
                open_ensemble(store)
        else:
            assert_holds(store, before, reasons, ROWS["extended"])
        migrate(str(store))
        assert {name: data for name, data in bytes_of(store).items() if not name.startswith("runs/")} == right
        shutil.rmtree(store)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-3])


def flip(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)


def edit(change: Callable[[dict[str, Any]], Any]) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        content = json.loads(path.read_text())
        change(content)
        path.write_text(json.dumps(content))

    return damage


RECEIPT = "receipts/00000000-0000000004.json"


@pytest.mark.parametrize("name", ["format-2"], indirect=True)
@pytest.mark.parametrize(
    ("file", "damage"),
    [
        ("heat_demand/c/0/0", cut),
        ("heat_demand/c/0/0", flip),
        ("heat_demand/c/0/0", Path.unlink),
        ("status/c/0", lambda path: path.write_bytes(b"")),
        (RECEIPT, cut),
        (RECEIPT, lambda path: path.write_text("[]")),
        (RECEIPT, lambda path: path.write_text("[" * 100_000)),
        (RECEIPT, edit(lambda receipt: receipt["crc32"].pop("status"))),
        (RECEIPT, edit(lambda receipt: receipt["crc32"].update(status=0))),
        (RECEIPT, edit(lambda receipt: receipt.update(block=1))),
        (RECEIPT, edit(lambda receipt: receipt.update(stop=400))),
        (RECEIPT, edit(lambda receipt: receipt.update(stop="4"))),
        (RECEIPT, edit(lambda receipt: receipt.update(failed={"x": "y"}))),
    ],
)
def test_a_block_that_fails_its_checksums_is_left_out_and_said(
    store: Path, file: str, damage: Callable[[Path], Any]
) -> None:
    before, reasons = values_of_2(store), reasons_of_2(store)
    damage(store / file)
    originals = bytes_of(store)
    said = migrate(str(store))
    assert "1 rows in 1 blocks; left out as damaged: block 0 (" in said
    assert_holds(store, before, reasons, [4])
    assert open_ensemble(store)["sample"].values.tolist() == [4]
    there = bytes_of(store)
    kept = [name for name in originals if "/c/0" in name or name == RECEIPT]
    assert [name for name in kept if name not in there] == ["winter/c/0"]
    assert migrate(str(store)).endswith("nothing to do")


@pytest.mark.parametrize("name", ["extended"], indirect=True)
def test_of_an_extended_block_the_shorter_receipt_serves_if_the_longer_one_is_damaged(store: Path) -> None:
    before, reasons = values_of_2(store), reasons_of_2(store)
    shorter = store / "receipts" / "00000001-0000000005.json"
    shorter.with_name("00000001-0000000008.json").write_text(shorter.read_text())
    assert "7 rows in 3 blocks" in migrate(str(store))
    assert_holds(store, before, reasons, ROWS["extended"])


@pytest.mark.parametrize("name", ["format-2"], indirect=True)
@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (shutil.rmtree, "there is no ensemble here"),
        (lambda store: cut(store / ROOT), "not an ensemble of hotland"),
        (
            lambda store: edit(lambda root: root["attributes"].update(hotland_format=1))(store / ROOT),
            "run the study again",
        ),
        (lambda store: edit(lambda root: root["attributes"].update(hotland_format=4))(store / ROOT), "newer hotland"),
        (
            lambda store: edit(lambda root: root["attributes"].update(hotland_format=True))(store / ROOT),
            "older hotland",
        ),
        (lambda store: edit(lambda root: root["attributes"].pop("block_size"))(store / ROOT), "damaged"),
        (lambda store: edit(lambda root: root["attributes"].update(block_size=0))(store / ROOT), "damaged"),
        (lambda store: edit(lambda root: root["attributes"].update(study="{}"))(store / ROOT), "damaged"),
        (lambda store: edit(lambda root: root.pop("consolidated_metadata"))(store / ROOT), "damaged"),
        (
            lambda store: edit(lambda root: root["consolidated_metadata"]["metadata"].update({"../../x": {}}))(
                store / ROOT
            ),
            "damaged",
        ),
    ],
)
def test_what_cannot_be_migrated_is_refused_and_left_alone(
    store: Path, damage: Callable[[Path], Any], words: str
) -> None:
    damage(store)
    before = bytes_of(store)
    with pytest.raises(EnsembleError, match=words) as caught:
        migrate(str(store))
    assert str(caught.value).startswith(str(store))
    assert {name: data for name, data in bytes_of(store).items() if not name.startswith("runs/")} == before
    assert not any((place / "x").exists() for place in (store, store.parent, store.parent.parent))


@pytest.mark.parametrize("name", ["format-2"], indirect=True)
def test_a_store_that_a_run_owns_is_left_alone(store: Path) -> None:
    run = Run.begin(Storage.at(store), {})
    before = {name: data for name, data in bytes_of(store).items() if "alive" not in name}
    with pytest.raises(EnsembleError, match="is writing to this store"):
        migrate(str(store))
    assert {name: data for name, data in bytes_of(store).items() if "alive" not in name} == before
    run.end("finished", {})


@pytest.mark.parametrize("name", ["format-2"], indirect=True)
def test_the_command(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    answers = []
    for address in (store, store, tmp_path / "nowhere.zarr"):
        monkeypatch.setattr("sys.argv", ["hotland", "migrate", str(address)])
        with pytest.raises(SystemExit) as end:
            main()
        answers.append((end.value.code or 0, *capsys.readouterr()))
    assert [status for status, _, _ in answers] == [0, 0, 2]
    assert answers[0][1] == f"{store}: brought from format 2 to 3, 5 rows in 2 blocks\n"
    assert "nothing to do" in answers[1][1]
    assert answers[2][2] == f"{tmp_path / 'nowhere.zarr'}: there is no ensemble here\n"
    assert not (tmp_path / "nowhere.zarr").exists()


@pytest.mark.parametrize("name", ["format-2"], indirect=True)
def test_a_full_disk_is_no_damage(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Folder, "write_many", full)
        with pytest.raises(StorageError, match=r"^the output cannot be written: No space left on device$"):
            migrate(str(store))
    assert "5 rows in 2 blocks" in migrate(str(store))


def test_there_is_a_way_from_each_format_to_the_next() -> None:
    assert list(MIGRATIONS) == list(range(min(MIGRATIONS), FORMAT))
