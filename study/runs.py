"""Who writes to a store: one run at a time, and a record of all of them.

Each run creates ``runs/<number>.json`` exclusively, numbered after the last: the highest number owns the store. At work
it rewrites ``runs/<number>-alive.json`` every few seconds, and at its end it leaves ``runs/<number>-end.json``. A run
without an end that shows no life is taken over by the next. No clocks are compared: whoever wants to know whether
another machine's run lives, watches for a while whether its sign of life changes.

Rows do not hang on this: whatever a run that was taken over still writes has the same bits. It keeps two from doing
the same work, and a store from being laid out by two at once.
"""

import json
import os
import platform
import re
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from study.errors import EnsembleError, HotlandError
from study.provenance import machine
from study.quantity import short
from study.storage import Storage

RUNS = "runs"
BEAT = 5.0
"""Time between two signs of life, s."""
PATIENCE = 20.0
"""Time without one after which a run on another machine is taken for dead, s."""


def now() -> str:
    """Return the time, for a person to read."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _place() -> str:
    """Where process numbers mean what they mean here: this start of this machine, this container."""
    parts = [platform.node()]
    for path in (Path("/proc/sys/kernel/random/boot_id"), Path("/proc/self/ns/pid")):
        if path.exists():
            parts.append(str(path.readlink()) if path.is_symlink() else path.read_text().strip())
    return " ".join(parts)


def _born(process: int) -> str | None:
    """When a process of this machine started, as a mark to tell it from a later one; None if there is none."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return None
    except PermissionError:
        pass
    try:
        state, *fields = (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return None if state == "Z" else fields[18]  # field 22 of proc(5)'s stat


class Run:
    """The ownership of a store, from `begin` to `end`.

    Attributes
    ----------
    number
        The first run has number 1.
    taken_over
        By which run, in words, once another one has the store.
    """

    def __init__(self, storage: Storage, number: int) -> None:
        self.storage, self.number = storage, number
        self.taken_over: str | None = None
        self._over, self._news = threading.Event(), threading.Event()
        self._told: dict[str, Any] = {}
        self._thread = threading.Thread(target=self._live, name="sign of life", daemon=True)
        self._thread.start()

    @classmethod
    def begin(
        cls,
        storage: Storage,
        about: Mapping[str, Any],
        *,
        take_over: bool = False,
        say: Callable[[str], None] = lambda _text: None,
    ) -> "Run":
        """Become the owner.

        Parameters
        ----------
        about
            What else to record.
        take_over
            Do not look whether the last run lives.
        say
            Told why it takes time.

        Raises
        ------
        EnsembleError
            When another run owns the store.
        """
        last = _last(storage)
        if last and not _ended(storage, last) and not take_over and _lives(storage, last, say):
            raise EnsembleError(_refusal(storage, last))
        if last and not _ended(storage, last):
            _create(storage, _name(last, "-end"), {"ended": now(), "state": "lost", "found by": last + 1})
        place, process = _place(), os.getpid()
        record = {"began": now(), "place": place, "process": process, "born": _born(process), **machine(), **about}
        if not _create(storage, _name(last + 1), record):
            raise EnsembleError(_refusal(storage, last + 1))
        return cls(storage, last + 1)

    @property
    def record(self) -> str:
        """Name of the object in the store that tells of this run."""
        return _name(self.number)

    def tell(self, *, at_once: bool = False, **what: Any) -> None:
        """Tell what the next sign of life is to say: how far it is, what was tried again."""
        self._told |= what
        if at_once:
            self._news.set()

    def end(self, state: str, about: Mapping[str, Any]) -> None:
        """Give the store up, and leave a record; what cannot be written then is left out.

        On a full disk the sign of life makes room for it, and the record is short.
        """
        if self._over.is_set():
            return
        self._over.set()
        self._news.set()
        self._thread.join(BEAT)  # it may be waiting for a store that does not answer
        record = {"ended": now(), "state": state, **about}
        brief = {key: value for key, value in record.items() if key != "retries"}
        with suppress(OSError, HotlandError):
            try:
                first = _create(self.storage, _name(self.number, "-end"), record)
            except ConnectionError:
                return  # it was tried for long
            except OSError:
                self.storage.delete(_name(self.number, "-alive"))
                first = _create(self.storage, _name(self.number, "-end"), brief)
            if first:
                self.storage.delete(_name(self.number, "-alive"))

    def _live(self) -> None:
        beat = 0
        while not self._over.is_set():
            beat += 1
            try:
                self.storage.write(
                    _name(self.number, "-alive"),
                    json.dumps({"beat": beat, "alive": now(), **self._told}).encode(),
                )
                last = _last(self.storage)
                if last > self.number:
                    self.taken_over = _describe(self.storage, last)
            except (OSError, HotlandError, ValueError):
                pass  # the store may come back; if not, the blocks will tell
            if self._news.wait(BEAT):
                self._news.clear()


def runs(storage: Storage) -> list[dict[str, Any]]:
    """Records of all runs in order, each with its number and, once there, its end and last sign of life.

    Raises
    ------
    EnsembleError
        When a record is damaged.
    """
    records: dict[int, dict[str, Any]] = {}
    for name in storage.names(RUNS):
        if not (found := re.fullmatch(r"([0-9]{4,})(-alive|-end)?\.json", name)):
            continue
        try:
            record = dict(json.loads(storage.read(f"{RUNS}/{name}")))
        except FileNotFoundError:
            continue  # a sign of life, and the run has ended meanwhile
        except (ValueError, TypeError, RecursionError) as error:
            said = f"{RUNS}/{name}: {short(str(error))}"
            raise EnsembleError(f"{storage}: the record of its runs is damaged: {said}") from error
        number = int(found[1])
        records[number] = {**records.get(number, {}), **record, "number": number}
    return [records[number] for number in sorted(records)]


def _name(number: int, part: str = "") -> str:
    return f"{RUNS}/{number:04d}{part}.json"


def _last(storage: Storage) -> int:
    numbers = [re.fullmatch(r"([0-9]{4,})\.json", name) for name in storage.names(RUNS)]
    return max((int(number[1]) for number in numbers if number), default=0)


def _ended(storage: Storage, number: int) -> bool:
    return storage.exists(_name(number, "-end"))


def _create(storage: Storage, name: str, record: Mapping[str, Any]) -> bool:
    try:
        storage.create(name, json.dumps(record).encode())
    except FileExistsError:
        return False
    return True


def _read(storage: Storage, name: str) -> dict[str, Any]:
    try:
        return dict(json.loads(storage.read(name)))
    except (FileNotFoundError, ValueError, TypeError, RecursionError):
        return {}


def _lives(storage: Storage, number: int, say: Callable[[str], None]) -> bool:
    record = _read(storage, _name(number))
    process = record.get("process")
    if record.get("place") == _place() and isinstance(process, int) and process > 0:
        return _born(process) is not None and _born(process) == record.get("born")
    say(f"{_describe(storage, number)} did not end; waiting {PATIENCE:.0f} s for a sign of life ...")
    before, deadline = _read(storage, _name(number, "-alive")).get("beat"), time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        time.sleep(BEAT / 5)
        if _ended(storage, number):
            return False
        if _read(storage, _name(number, "-alive")).get("beat") != before:
            return True
    return False


def _describe(storage: Storage, number: int) -> str:
    record = _read(storage, _name(number))
    process, host, began = (str(record.get(key))[:60] for key in ("process", "host", "began"))
    said = f"run {number} (process {process} on {host}, since {began})"
    return said if said.isprintable() else ascii(said)[1:-1]


def _refusal(storage: Storage, number: int) -> str:
    return (
        f"{storage}: {_describe(storage, number)} is writing to this store; wait for it, or stop it; after a crash the "
        "same command goes on by itself, and with --take-over without asking whether that run still lives"
    )
