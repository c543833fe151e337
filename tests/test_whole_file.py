"""A file that is written appears whole or not at all."""

from pathlib import Path

import pytest

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
