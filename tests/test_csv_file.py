"""Columns of numbers beside a study file: what is read, and what is refused in words."""

from pathlib import Path

import pytest

from study.csv_file import MOST_BYTES, MOST_VALUES, read_column


def test_a_column_is_read_in_its_order(tmp_path: Path) -> None:
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "log.csv").write_text("name,depth\na,3.5\n\nb,-1e3\nc, 2\n", encoding="utf-8-sig")
    assert read_column(tmp_path, "logs/log.csv", "depth") == [3.5, -1000.0, 2.0]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "there is no file 'log.csv' beside the study file"),
        (b"", "no column 'depth'; it has none"),
        (b"a,b\n1,2\n", "no column 'depth'; it has 'a', 'b'"),
        (b"depth\n1\ntwo\n", "line 3: 'two' is not a number"),
        (b"depth\n1\nnan\n", "line 3: 'nan' is not a number"),
        (b"x,depth\n1,2\n1\n", "line 3: '' is not a number"),
        (b"depth\n" + b"1\n" * (MOST_VALUES + 1), f"has {MOST_VALUES + 1} values; allowed: at most {MOST_VALUES}"),
        (b"depth\n" + b"1" * MOST_BYTES, "too large; allowed: at most 20 MB"),
        (b"depth\n\xff\xfe\n", "cannot be read"),
    ],
)
def test_unusable_columns_are_refused(tmp_path: Path, content: bytes | None, message: str) -> None:
    if content is not None:
        (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_column(tmp_path, "log.csv", "depth")


def test_files_elsewhere_and_folders_are_refused(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("depth\n1\n2\n")
    (tmp_path / "inner").mkdir()
    for elsewhere in ("../log.csv", str(tmp_path / "log.csv")):
        with pytest.raises(ValueError, match="leads elsewhere"):
            read_column(tmp_path / "inner", elsewhere, "depth")
    for nothing in (".", "a\0b"):
        with pytest.raises(ValueError, match="there is no file"):
            read_column(tmp_path, nothing, "depth")
