"""A file that appears whole or not at all, whatever happens while it is written."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from study.storage import refuse_inside_a_store


@contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """Give a name beside a file to write to; it takes the file's place once all is written, and else goes.

    Only a process that is killed leaves the other name behind, hidden, with the same suffix. A link stays one; what is
    no file, such as a pipe, is written to as it is.

    Raises
    ------
    StorageError
        When it would be inside a store.
    """
    path = path.resolve()
    refuse_inside_a_store(path)
    if path.exists() and not path.is_file():
        yield path
        return
    aside = path.with_name(f".{uuid4().hex[:12]}.{path.name}")
    try:
        yield aside
        aside.replace(path)
    finally:
        with suppress(OSError):  # such a name cannot be
            aside.unlink(missing_ok=True)
