"""Where a store lives: a folder, or a prefix in an object store. Every object appears there in one step, or not at all.

What is wrong for good (no such kind of address, access denied, no such bucket) is a `StorageError`. What may go away
again (no connection, server errors) is a `ConnectionError`, raised after a while of trying. Errors of the file system
pass as they are, so that a full disk stays recognisable by its `errno`.
"""

import errno
import os
import re
import shutil
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from study.errors import StorageError

if TYPE_CHECKING:
    from zarr.abc.store import Store

URLS = ("s3", "gs", "az")
KINDS = "a folder, s3://BUCKET/PREFIX, gs://BUCKET/PREFIX or az://CONTAINER/PREFIX"
LONGEST_PREFIX = 900  # bytes; a key may have 1024 in all of these object stores


@dataclass(frozen=True)
class Storage(ABC):
    """A place for one store. It is its address and nothing else, so it can be sent to other machines.

    Parameters
    ----------
    address : str
        Absolute path of a folder, or URL of a prefix in an object store, without a slash at its end.
    """

    address: str

    @classmethod
    def at(cls, address: str | Path) -> "Storage":
        """Place of that address; nothing is read or written.

        Raises
        ------
        StorageError
            It is not the address of a folder or of a prefix in an object store.
        """
        text = str(address)
        kind, colon, rest = text.partition(":")
        if isinstance(address, str) and re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*", kind) and rest.startswith("//"):
            from study.object_store import Bucket

            return Bucket(_url(kind.lower(), rest[2:]))
        if colon and kind.lower() in URLS:
            raise StorageError(f"an address in an object store begins with {kind.lower()}://; allowed: {KINDS}")
        if not text or not text.isprintable():
            raise StorageError(f"the address of a store is empty or has control characters; allowed: {KINDS}")
        return Folder(str(Path(text).absolute()))

    def __str__(self) -> str:
        return self.address

    @property
    def local(self) -> bool:
        """It is a folder."""
        return self.path is not None

    @property
    def path(self) -> Path | None:
        """The folder, if it is one."""
        return None

    @abstractmethod
    def zarr(self) -> "Store":
        """Return the same place for readers of Zarr; they cannot write to it."""

    @abstractmethod
    def empty(self) -> bool:
        """Nothing is there, not even the folder or an empty one."""

    @abstractmethod
    def names(self, folder: str) -> list[str]:
        """Sorted names of the objects right in a folder of the store; none if there is no such folder."""

    def read(self, name: str) -> bytes:
        """Content of an object; FileNotFoundError if it is not there."""
        return self.read_many([name])[0]

    @abstractmethod
    def read_many(self, names: Iterable[str]) -> list[bytes]:
        """Contents of objects, in the order of the names; FileNotFoundError if one is not there."""

    def write(self, name: str, data: bytes) -> None:
        """Write an object, or replace it, in one step; it is durable when this returns."""
        self.write_many({name: data})

    @abstractmethod
    def write_many(self, objects: Mapping[str, bytes]) -> None:
        """Write or replace objects, each in one step, in no order; all are durable when this returns."""

    @abstractmethod
    def create(self, name: str, data: bytes) -> None:
        """Write an object in one step; of any number of writers one succeeds. FileExistsError if it is there."""

    @abstractmethod
    def exists(self, name: str) -> bool:
        """Such an object is there."""

    @abstractmethod
    def delete(self, name: str) -> None:
        """Delete an object; it may be missing."""

    @abstractmethod
    def free(self) -> int | None:
        """Space left for the store, in bytes; None where there is no limit to ask for."""

    @abstractmethod
    def refuse_unwritable(self) -> None:
        """Raise StorageError if nothing can be created here. Nothing is left behind, no folder either."""

    @abstractmethod
    def sweep(self) -> None:
        """Remove what killed writers left. Only the owner of the store may, while nobody writes."""


class Folder(Storage):
    """A folder of the file system."""

    @property
    def path(self) -> Path:
        """The folder; it need not be there."""
        return Path(self.address)

    def zarr(self) -> "Store":
        from zarr.storage import LocalStore

        return LocalStore(self.path, read_only=True)

    def empty(self) -> bool:
        try:
            with os.scandir(self.path) as entries:
                return all(_partial(entry.name) for entry in entries)
        except FileNotFoundError:
            return True
        except NotADirectoryError:
            raise StorageError(f"{self} is not a folder, or a part of the path is not") from None

    def names(self, folder: str) -> list[str]:
        try:
            with os.scandir(self._at(folder) if folder else self.path) as entries:
                return sorted(entry.name for entry in entries if entry.is_file() and not _partial(entry.name))
        except FileNotFoundError:
            return []

    def read_many(self, names: Iterable[str]) -> list[bytes]:
        return [self._at(name).read_bytes() for name in names]

    def write_many(self, objects: Mapping[str, bytes]) -> None:
        drafts = {_draft(target): (target, data) for target, data in ((self._at(n), d) for n, d in objects.items())}
        try:
            for draft, (_, data) in drafts.items():
                _write_new(draft, data)
            for draft in drafts:
                _sync(draft)
            for draft, (target, _) in drafts.items():
                draft.replace(target)
        except BaseException:
            for draft in drafts:
                with suppress(OSError):
                    draft.unlink()
            raise
        for parent in {draft.parent for draft in drafts}:
            _sync(parent)

    def create(self, name: str, data: bytes) -> None:
        target = self._at(name)
        draft = _draft(target)
        try:
            _write_new(draft, data)
            _sync(draft)
            try:
                os.link(draft, target)
            except FileExistsError:
                if draft.stat().st_nlink < 2:  # else it was this very writer: a network file system lost the answer
                    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(target)) from None
        finally:
            with suppress(OSError):
                draft.unlink()
        _sync(target.parent)

    def exists(self, name: str) -> bool:
        return self._at(name).is_file()

    def delete(self, name: str) -> None:
        target = self._at(name)
        with suppress(FileNotFoundError):
            target.unlink()
            _sync(target.parent)

    def free(self) -> int:
        return shutil.disk_usage(self._nearest()).free

    def refuse_unwritable(self) -> None:
        try:
            refuse_inside_a_store(self.path.resolve())
            with suppress(FileNotFoundError, NotADirectoryError):
                self.path.lstat()  # such a name can be
            nearest = self._nearest()
            if not nearest.is_dir():
                raise StorageError(f"cannot write to {self}: {nearest} is not a folder")
            draft, linked = _draft(nearest / "probe"), _draft(nearest / "probe")
            try:
                _write_new(draft, b"probe")
                _sync(draft)
                try:
                    os.link(draft, linked)
                except OSError as error:
                    raise StorageError(f"cannot write to {self}: {error.strerror} (a store needs hard links)") from None
            finally:
                for file in (draft, linked):
                    with suppress(OSError):
                        file.unlink()
        except OSError as error:
            raise StorageError(f"cannot write to {self}: {error.strerror or error}") from None

    def sweep(self) -> None:
        with suppress(FileNotFoundError):
            for folder in (self.path, *(entry for entry in self.path.iterdir() if entry.is_dir())):
                with os.scandir(folder) as entries:
                    for entry in entries:
                        if _partial(entry.name):
                            Path(entry.path).unlink(missing_ok=True)

    def _at(self, name: str) -> Path:
        return self.path / checked(name)

    def _nearest(self) -> Path:
        """Itself or the nearest folder above that is there; a link to nowhere counts as there."""
        return next(folder for folder in (self.path, *self.path.parents) if os.path.lexists(folder))


def refuse_inside_a_store(path: Path) -> None:
    """Raise StorageError where a file or folder, its links resolved, would lie among the objects of a store."""
    for folder in path.parents:
        if (folder / "zarr.json").is_file():
            raise StorageError(f"{path}: inside the store {folder}; allowed: a place beside it")


def _draft(target: Path) -> Path:
    """Where the content of a file is written before it gets its name; readers do not look at such names."""
    return target.with_name(f".{target.name}.{uuid4().hex}.partial")


def _partial(name: str) -> bool:
    return re.fullmatch(r"\..+\.[0-9a-f]{32}\.partial", name, re.DOTALL) is not None


def _write_new(file: Path, data: bytes) -> None:
    _make_folder(file.parent)
    with file.open("xb") as handle:
        handle.write(data)


def _make_folder(folder: Path) -> None:
    """Make a folder and those above it durable, too."""
    missing = list(takewhile(lambda each: not each.exists(), (folder, *folder.parents)))
    folder.mkdir(parents=True, exist_ok=True)
    for each in missing:
        _sync(each.parent)


def _sync(path: Path) -> None:
    """Have a file's content, or a folder's entries, on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def checked(name: str) -> str:
    """Refuse a name that leads out of the store."""
    if any(part in ("", ".", "..") for part in name.split("/")) or "\0" in name:
        raise ValueError(f"{name!r} is no name of an object in a store")
    return name


def _url(kind: str, rest: str) -> str:
    """Check the URL of a prefix. Messages repeat no part of it that may be a credential."""
    if kind not in URLS:
        raise StorageError(f"the address of a store cannot begin with {kind[:12]}://; allowed: {KINDS}")
    form = f"an address in an object store has the form {kind}://{'CONTAINER' if kind == 'az' else 'BUCKET'}/PREFIX"
    bucket, _, prefix = rest.rstrip("/").partition("/")
    if "@" in rest or re.search(r"[?#\\]", rest) or not rest.isprintable():
        raise StorageError(
            f"{form}, without user, password, query (?), fragment (#), @, backslashes or control characters; "
            "credentials come from the environment"
        )
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{1,220}[a-z0-9]", bucket):
        raise StorageError(f"{form}; its name has at least 3 small letters, digits, hyphens and dots")
    if not prefix:
        raise StorageError(f"{form}; the prefix is missing, so the store would fill the whole bucket")
    if any(part.strip() in ("", ".", "..") for part in prefix.split("/")) or len(prefix.encode()) > LONGEST_PREFIX:
        raise StorageError(f"{form}; the prefix has no empty part, no '.' or '..', and at most {LONGEST_PREFIX} bytes")
    return f"{kind}://{bucket}/{prefix}"
