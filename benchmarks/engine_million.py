"""A long run of the engine on this machine, watched from outside: memory, processor time, committing, files.

The run itself is a process of its own, so that looking at it costs it nothing. It may be killed and started again: it
goes on from where it was, and the records in its folder (`memory.csv`, `blocks.csv`) grow. A season of a few days makes
a sample cheap, while its results are as many as ever: shares of the driver and of committing are upper bounds then.
"""

import csv
import multiprocessing
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from statistics import median
from typing import Any
from unittest.mock import patch

import engine_processes
from engine_processes import KINDS

from study.blocks import Done
from study.config import Study, validate
from study.engine import execute, open_ensemble
from study.job import Job, Progress
from study.plan import bytes_per_sample
from study.provenance import cores
from study.storage import Storage

STORE, MEMORY, BLOCKS = "store.zarr", "memory.csv", "blocks.csv"
EVERY = 5.0
"""Time between two looks at the processes, s."""
_MEMORY = ("session", "seconds", *(f"{kind} bytes" for kind in KINDS), *(f"{kind} seconds" for kind in KINDS), "load")
_BLOCKS = ("session", "seconds", "samples", "computing", "committing", "driver", "shared out")

Records = list[dict[str, float]]


def short_season(study: Study, *, samples: int, days: int) -> Study:
    """Return the study with other samples, and with seasons that begin in January and have so many days."""
    first = date(2001, 1, 8)
    season = {"start": f"{first:%m-%d}", "end": f"{first + timedelta(days=days - 1):%m-%d}"}
    return validate(Study, {**study.resolved(), "samples": samples, "season": season}, label=f"study {study.name!r}")


def run_watched(study: Study, folder: Path, *, block_size: int | None = None, every: float = EVERY) -> None:
    """Run a study in a process of its own, or what is left of it, and note memory and processor time meanwhile.

    Raises
    ------
    RuntimeError
        When the run failed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    session = int(max((each["session"] for each in read(folder / MEMORY)), default=0)) + 1
    began = time.monotonic()
    driver = multiprocessing.get_context("spawn").Process(
        target=_drive, args=(study, folder, session, began, block_size)
    )
    driver.start()
    assert driver.pid is not None
    with _appending(folder / MEMORY, _MEMORY) as note:
        while driver.is_alive():
            processes = engine_processes.family(driver.pid)
            used, took = engine_processes.memory(processes), engine_processes.processor_time(processes)
            seconds = round(time.monotonic() - began, 2)
            note(
                session,
                seconds,
                *(used[kind] for kind in KINDS),
                *(round(took[kind], 2) for kind in KINDS),
                round(os.getloadavg()[0], 2),
            )
            driver.join(every)
    if driver.exitcode:
        raise RuntimeError(f"the run ended with status {driver.exitcode}")


def _drive(study: Study, folder: Path, session: int, began: float, block_size: int | None) -> None:
    """Run the engine, and note what each block took and the driver's processor time so far."""
    shared_out = 0
    receive, share_out = Job._received, Job.share_out

    def received(job: Job, done: Done) -> None:
        receive(job, done)
        seconds = round(time.monotonic() - began, 3)
        note(session, seconds, job.progress.done, done.computing, done.committing, time.process_time(), shared_out)

    def sharing_out(job: Job, *arguments: Any) -> None:
        nonlocal shared_out
        shared_out = 1
        share_out(job, *arguments)

    with (
        _appending(folder / BLOCKS, _BLOCKS) as note,
        patch.object(Job, "_received", received),
        patch.object(Job, "share_out", sharing_out),
    ):
        execute(study, Storage.at(folder / STORE), block_size=block_size, say=print, watch=_line())


def _line() -> Any:
    last = 0.0

    def line(progress: Progress) -> None:
        nonlocal last
        if time.monotonic() - last > 60.0:
            print(f"{progress.done:,} of {progress.total:,}", flush=True)
            last = time.monotonic()

    return line


@contextmanager
def _appending(path: Path, header: tuple[str, ...]) -> Iterator[Any]:
    new = not path.exists()
    with path.open("a", newline="") as handle:
        writer = csv.writer(handle)
        if new:
            writer.writerow(header)

        def note(*values: Any) -> None:
            writer.writerow(values)
            handle.flush()

        yield note


def read(path: Path) -> Records:
    """Records of a run so far; of a line that a kill cut off, nothing."""
    if not path.exists():
        return []
    with path.open(newline="") as handle:
        return [
            {name: float(value) for name, value in line.items()}
            for line in csv.DictReader(handle)
            if None not in line.values() and "" not in line.values()
        ]


@dataclass(frozen=True)
class Found:
    """What a run came to: times in s, sizes in bytes.

    Attributes
    ----------
    steady
        From the end of the first block on Ray to the last one's, in all sessions.
    steady_samples
        Samples of the blocks that ended in that time.
    driver, computing, committing
        Processor time of the driver in that time; time of the workers for the blocks that ended in it.
    start
        From the start of each session to the end of its first block on Ray, less that block.
    servants
        Processor time of Ray's own processes in the steady time.
    first, last
        Memory by kind: mean of the second and of the last tenth of the looks at the steady run.
    most
        The most memory by kind.
    opening, reading
        Time to open the store, and to read one variable of all samples and winters.
    """

    samples: int
    blocks: int
    steady: float
    steady_samples: float
    driver: float
    computing: float
    committing: float
    start: float
    servants: float
    first: dict[str, float]
    last: dict[str, float]
    most: dict[str, float]
    opening: float
    reading: float
    files: int
    size: int
    raw: int
    load: float


def evaluate(study: Study, folder: Path) -> Found:
    """What a finished run came to."""
    looks, blocks = read(folder / MEMORY), read(folder / BLOCKS)
    steady = driver = computing = committing = start = servants = steady_samples = 0.0
    seen: Records = []
    for session in sorted({each["session"] for each in blocks}):
        mine = [each for each in blocks if each["session"] == session]
        mine = [each for each in mine if each["shared out"]] or mine  # a small rest needs no Ray
        first, last = mine[0], mine[-1]
        steady += last["seconds"] - first["seconds"]
        steady_samples += last["samples"] - first["samples"]
        driver += last["driver"] - first["driver"]
        computing += sum(each["computing"] for each in mine[1:])
        committing += sum(each["committing"] for each in mine[1:])
        start += first["seconds"] - first["computing"] - first["committing"]
        within = [
            each
            for each in looks
            if each["session"] == session and first["seconds"] <= each["seconds"] <= last["seconds"]
        ]
        seen += within
        if within:
            servants += sum(within[-1][f"{kind} seconds"] - within[0][f"{kind} seconds"] for kind in KINDS[2:])
    if not seen:
        raise RuntimeError(f"{folder}: no look at the run between its first block and its last one: make it longer")
    tenth = max(1, len(seen) // 10)
    early, late = seen[tenth : 2 * tenth] or seen, seen[-tenth:]
    store = folder / STORE
    opened, took = open_timed(store)
    sizes = [path.stat().st_size for path in store.rglob("*") if path.is_file()]

    def mean(some: Records) -> dict[str, float]:
        return {kind: sum(each[f"{kind} bytes"] for each in some) / len(some) for kind in KINDS}

    return Found(
        samples=int(opened.sizes["sample"]),
        blocks=len(blocks),
        steady=steady,
        steady_samples=steady_samples,
        driver=driver,
        computing=computing,
        committing=committing,
        start=start,
        servants=servants,
        first=mean(early),
        last=mean(late),
        most={kind: max(each[f"{kind} bytes"] for each in seen) for kind in KINDS},
        opening=took,
        reading=_timed(lambda: float(opened["carbon_reduction"].mean())),
        files=len(sizes),
        size=sum(sizes),
        raw=int(opened.sizes["sample"]) * bytes_per_sample(study),
        load=median(each["load"] for each in seen),
    )


def open_timed(store: Path) -> tuple[Any, float]:
    """The dataset, and the time to open it, median of five, libraries being loaded, s."""
    dataset = open_ensemble(store)
    return dataset, median(_timed(lambda: open_ensemble(store)) for _ in range(5))


def _timed(work: Any) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def rows(found: Found, whole: float) -> list[tuple[str, ...]]:
    """Table of what a run came to, where a sample with whole seasons takes a core so long, s."""
    cores_time = found.steady * cores()
    whole_time = whole * found.steady_samples + found.committing
    table = [
        ("samples, in blocks", f"{found.samples:,} in {found.blocks:,}"),
        ("first block's end to last one's", f"{found.steady / 60:.1f} min on {cores()} cores"),
        ("before, all starts", f"{found.start:.1f} s"),
        ("cores computing", f"{found.computing / cores_time:.1%}"),
        ("cores committing", f"{found.committing / cores_time:.2%}"),
        ("committing over computing and committing", f"{found.committing / (found.computing + found.committing):.2%}"),
        ("driver's processor time over cores' time", f"{found.driver / cores_time:.3%}"),
        (
            f"with whole seasons, {whole * 1e3:.1f} ms a sample: committing, driver",
            f"{found.committing / whole_time:.2%}, {found.driver / whole_time:.3%}",
        ),
        ("processor time of Ray's own processes over cores' time", f"{found.servants / cores_time:.2%}"),
    ]
    for kind in KINDS:
        early, late, most = (each[kind] / 1e6 for each in (found.first, found.last, found.most))
        table.append((f"memory: {kind}", f"{early:.0f} MB early, {late:.0f} MB at the end, {most:.0f} MB at most"))
    return [
        *table,
        ("store opened, lazily", f"{found.opening:.2f} s"),
        ("one variable of all winters read", f"{found.reading:.2f} s"),
        ("files", f"{found.files:,}"),
        ("size", f"{found.size / 1e9:.3g} GB, {found.raw / 1e9:.3g} GB uncompressed"),
        ("load of the machine", f"{found.load:.1f}"),
    ]


def draw(folder: Path, picture: Path) -> None:
    """Draw memory over time, and samples done; sessions follow each other."""
    from matplotlib.figure import Figure

    from study.figures import BLUE, GREY, ORANGE

    looks, blocks = read(folder / MEMORY), read(folder / BLOCKS)
    ends = {each["session"]: each["seconds"] for each in sorted([*looks, *blocks], key=lambda each: each["seconds"])}
    offsets = {session: sum(end for other, end in ends.items() if other < session) for session in ends}
    before = {
        session: sum(
            max((b["samples"] for b in blocks if b["session"] == other), default=0.0)
            for other in ends
            if other < session
        )
        for session in ends
    }

    def minutes(each: dict[str, float]) -> float:
        return (offsets[each["session"]] + each["seconds"]) / 60

    figure = Figure(figsize=(8, 5.5), layout="constrained")
    upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=(2, 1))
    sessions = [[each for each in looks if each["session"] == session and each["workers bytes"]] for session in ends]
    styles = {
        "workers": (BLUE, "-", f"{cores()} workers together"),
        "driver": (ORANGE, "-", "driver"),
        "gcs": (GREY, "-", "Ray: head"),
        "raylet": (GREY, "--", "Ray: raylet"),
        "agents": (GREY, ":", "Ray: agents"),
    }
    for kind, (colour, style, label) in styles.items():
        for number, mine in enumerate(sessions):
            used = [each[f"{kind} bytes"] / 1e6 for each in mine]
            upper.plot(list(map(minutes, mine)), used, style, color=colour, label=label if not number else None)
    upper.set_ylabel("memory (MB)")
    upper.set_ylim(0, 1.12 * upper.get_ylim()[1])
    upper.legend(frameon=False, ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0))
    samples = [(before[each["session"]] + each["samples"]) / 1e3 for each in blocks]
    lower.plot([minutes(each) for each in blocks], samples, color=BLUE)
    lower.set_ylabel("thousand samples done")
    lower.set_ylim(bottom=0)
    lower.set_xlabel("time (min), without breaks")
    for offset in offsets.values():
        if offset:
            for panel in (upper, lower):
                panel.axvline(offset / 60, color=GREY, linewidth=0.8)
            upper.annotate(
                "killed, and started again",
                (offset / 60, 0.97),
                xycoords=("data", "axes fraction"),
                xytext=(-4, 0),
                textcoords="offset points",
                ha="right",
                va="top",
                color=GREY,
            )
    lower.set_xlim(0, max(map(minutes, looks)))
    figure.savefig(picture, dpi=120)
