"""Columns of numbers in CSV files that a study file names."""

import csv
import math
from pathlib import Path

MOST_VALUES = 100_000
MOST_BYTES = 20_000_000


def leads_elsewhere(file: str) -> bool:
    """Whether a file that a study names lies neither beside the study nor in a folder there."""
    return Path(file).is_absolute() or ".." in Path(file).parts


def read_column(folder: Path, file: str, column: str) -> list[float]:
    """Return the numbers of one column of a file in a folder; ValueError, in words for the user, when it cannot."""
    path = folder / file
    try:
        if leads_elsewhere(file):
            raise ValueError(
                f"{file[:100]!r} leads elsewhere; allowed: a file beside the study file, or in a folder there"
            )
        if not path.is_file():
            raise ValueError(f"there is no file {file!r} beside the study file")
        if path.stat().st_size > MOST_BYTES:
            raise ValueError(f"{file!r} is too large; allowed: at most {MOST_BYTES // 1_000_000} MB")
        with path.open(newline="", encoding="utf-8-sig") as lines:
            rows = csv.DictReader(lines, skipinitialspace=True)
            if column not in (rows.fieldnames or ()):
                names = ", ".join(map(repr, (rows.fieldnames or ())[:10]))
                raise ValueError(f"{file!r} has no column {column!r}; it has {names or 'none'}")
            values = [_number(row[column], file=file, line=rows.line_num) for row in rows]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise ValueError(f"{file!r} cannot be read as a CSV file in UTF-8: {error}") from error
    if len(values) > MOST_VALUES:
        raise ValueError(f"{file!r} has {len(values)} values; allowed: at most {MOST_VALUES}")
    return values


def _number(text: str | None, *, file: str, line: int) -> float:
    try:
        value = float(text or "")
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f"{file!r}, line {line}: {(text or '')[:40]!r} is not a number")
    return value
