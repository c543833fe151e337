"""A file that is written appears whole or not at all."""

import os
import threading
from pathlib import Path

import pytest

from study.errors import StorageError
from study.storage import Storage
from study.whole_file import whole_file


@pytest.mark.parametrize("before", [None, "what was there"])
@pytest.mark.parametrize("what", [OSError("disk full"), KeyboardInterrupt()])
def test_what_fails_leaves_what_was_there_and_nothing_else(
    tmp_path: Path, before: str | None, what: BaseException
) -> None:
    path = tmp_path / "page.html"
    if before is not None:
        path.write_text(before)
    with pytest.raises(type(what)), whole_file(path) as aside:  # noqa: PT012 (it fails while it is written)
        aside.write_text("half")
        raise what
    assert {each.name: each.read_text() for each in tmp_path.iterdir()} == ({path.name: before} if before else {})


def test_what_ends_well_takes_its_place(tmp_path: Path) -> None:
    path = tmp_path / "page.html"
    path.write_text("what was there")
    with whole_file(path) as aside:
        aside.write_text("whole")
        assert path.read_text() == "what was there"
        assert aside.suffix == path.suffix
        assert aside.name.startswith(".")
    assert [each.read_text() for each in tmp_path.iterdir()] == ["whole"]


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path: Path) -> None:
    page, link, pipe = tmp_path / "page.html", tmp_path / "link.html", tmp_path / "pipe"
    page.write_text("what was there")
    link.symlink_to(page)
    with whole_file(link) as aside:
        aside.write_text("whole")
    assert link.is_symlink()
    assert page.read_text() == "whole"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    with whole_file(pipe) as aside:
        aside.write_text("through")
    reader.join(10.0)
    assert read == ["through"]
    assert pipe.is_fifo()


def test_nothing_is_written_among_the_objects_of_a_store(tmp_path: Path) -> None:
    store = tmp_path / "store.zarr"
    (store / "runs").mkdir(parents=True)
    (store / "zarr.json").write_text("{}")
    (tmp_path / "link").symlink_to(store)
    for folder in (store, store / "runs", tmp_path / "link"):
        said = r"inside the store .*store\.zarr; allowed: a place beside it"
        with pytest.raises(StorageError, match=said), whole_file(folder / "page.html") as aside:
            aside.write_text("whole")
        with pytest.raises(StorageError, match="inside the store"):
            Storage.at(folder / "other.zarr").refuse_unwritable()
    assert sorted(each.name for each in store.iterdir()) == ["runs", "zarr.json"]
    Storage.at(tmp_path / "other.zarr").refuse_unwritable()
