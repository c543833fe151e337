"""The engine's driver before a thousand cores that only sleep.

The loop is the engine's own. Its Ray is a stand-in that says there are so many cores, and hands each block to one of

- *actors* that sleep, each for hundreds of blocks at once: as many are asleep as there are cores;
- *tasks* in a few worker processes, which go the way that the engine's tasks go: they sleep so much less that as many
  blocks are done in a second as on all the cores.

A block returns what a real one returns. All of it, Ray's head included, shares this machine's few cores.
"""

import asyncio
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any, Literal
from unittest.mock import patch

import engine_processes
import numpy as np
from engine_processes import KINDS

from study.blocks import Done
from study.cluster import start_ray
from study.config import Study
from study.ensemble import Block, Ensemble
from study.job import Job, Progress
from study.simulation import simulate
from study.storage import Storage
from study.tally import Tally

Way = Literal["actors", "tasks"]
ACTORS, PROCESSES = 4, 16
BLOCK_SIZE = 64


@dataclass(frozen=True)
class Slept(Done):
    """A block that was slept through: when it began and ended, on which core of which process (monotonic clock, s)."""

    began: float = 0.0
    ended: float = 0.0
    process: int = 0


@dataclass(frozen=True)
class Found:
    """What the driver did: rates in 1/s, times in s, memory in bytes.

    Attributes
    ----------
    rate, ideal
        Blocks in a second, and as many as if no core ever waited.
    gap
        Time that a core waits between two blocks, mean.
    delay
        Time from a block's end until the driver has counted it, median.
    driver, gcs
        Processor time over the time that passed: 1 is a core.
    memory
        By kind, at the end; of `first`, after a tenth of the blocks.
    """

    way: Way
    cores: int
    blocks: int
    sleep: float
    rate: float
    ideal: float
    gap: float
    delay: float
    driver: float
    gcs: float
    raylet: float
    first: dict[str, int]
    memory: dict[str, int]
    load: float


class _Sleeper:
    """An actor: many cores in one process."""

    def __init__(self, pattern: Done, seconds: float) -> None:
        self._pattern, self._seconds = pattern, seconds

    async def sleep(self, _packed: None, block: Block, _attempt: int) -> Slept:
        began = time.monotonic()
        await asyncio.sleep(self._seconds)
        return _slept(self._pattern, block, began)


def _sleep(pattern: Done, seconds: float, _packed: None, block: Block, _attempt: int) -> Slept:
    began = time.monotonic()
    time.sleep(seconds)
    return _slept(pattern, block, began)


def _slept(pattern: Done, block: Block, began: float) -> Slept:
    return Slept(block, pattern.tally, pattern.computing, pattern.committing, began, time.monotonic(), os.getpid())


class _Ray:
    """Ray with another number of cores, whose tasks only sleep."""

    def __init__(self, ray: Any, way: Way, cores: int, sleep: float, pattern: Done) -> None:
        self._ray, self._cores = ray, cores
        self.get: Callable[[Any], Any] = ray.get
        if way == "tasks":
            shared = ray.put(pattern), sleep
            task = ray.remote(num_cpus=1, max_retries=0)(_sleep)
            self._submit: Callable[..., Any] = lambda *arguments: task.remote(*shared, *arguments)
        else:
            count = min(ACTORS, cores)
            actor = ray.remote(num_cpus=0)(_Sleeper)
            # as many calls at a time as there are cores: their number is shared out exactly
            sizes = [cores // count + (number < cores % count) for number in range(count)]
            actors = [actor.options(max_concurrency=size).remote(pattern, sleep) for size in sizes]
            busy = [0.0] * count
            where: dict[Any, int] = {}

            def submit(*arguments: Any) -> Any:
                least = min(range(count), key=busy.__getitem__)  # as Ray does with tasks: to whoever is free first
                busy[least] += 1 / sizes[least]
                ref = actors[least].sleep.remote(*arguments)
                where[ref] = least
                return ref

            def get(ref: Any) -> Any:
                if ref in where:
                    least = where.pop(ref)
                    busy[least] -= 1 / sizes[least]
                return ray.get(ref)

            self._submit, self.get = submit, get

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ray, name)

    def put(self, _value: Any) -> Any:
        """Put nothing: on real cores, workers unpack the study; here they would all do so on a few."""
        return self._ray.put(None)

    def remote(self, **_options: Any) -> Callable[[Any], "_Ray.Task"]:
        return lambda _function: _Ray.Task(self._submit)

    def cluster_resources(self) -> dict[str, float]:
        self._ray.cluster_resources()  # what it costs
        return {"CPU": float(self._cores)}

    @dataclass(frozen=True)
    class Task:
        """What the engine takes for its task."""

        remote: Callable[..., Any]


class _NoRun:
    """A run that owns nothing, since there is no store."""

    taken_over, record = None, "none"

    def tell(self, **what: Any) -> None:
        """Tell nobody."""


def pattern_of(study: Study) -> Done:
    """What a real block returns."""
    rows = np.arange(BLOCK_SIZE)
    results = simulate(study.model_copy(update={"winters": 2}), rows)
    tally = Tally.of(study.model_copy(update={"winters": 2}), rows, results.values)
    return Done(Block(0, 0, BLOCK_SIZE), replace(tally, winters=study.winters), 20.0, 0.1)


def measure(
    study: Study,
    *,
    way: Way,
    cores: int = 1000,
    blocks: int = 10_000,
    sleep: float = 20.0,
    processes: int = PROCESSES,
    watch: Callable[[Progress], None] = lambda _progress: None,
) -> Found:
    """Have the engine's loop share out blocks that sleep.

    Parameters
    ----------
    sleep
        How long a block sleeps on one of the cores, s; a task, of which only as many as `processes` sleep at once,
        sleeps less by that.
    watch
        As of `study.engine.execute`.
    """
    pattern = pattern_of(study)
    study = study.with_overrides(samples=blocks * BLOCK_SIZE)
    ensemble = Ensemble(Storage.at("nowhere.zarr"), study.samples, BLOCK_SIZE)
    each = sleep if way == "actors" else sleep * processes / cores
    places = [str(Path(__file__).parent), *filter(None, [os.environ.get("PYTHONPATH")])]
    stop = threading.Event()
    with ExitStack() as stack:
        # workers of a real cluster do not wait for other work of the driver's machine
        stack.enter_context(patch.dict(os.environ, {"PYTHONPATH": os.pathsep.join(places), "RAY_worker_niceness": "0"}))
        stack.enter_context(patch("study.cluster.cores", lambda: processes))
        ray = stack.enter_context(start_ray(None))
        stack.callback(stop.set)
        stand_in = _Ray(ray, way, cores, each, pattern)
        _warm(stand_in, ensemble, cores if way == "actors" else processes)
        progress = Progress(study.samples, Tally.empty(study), workers=cores)
        slept: list[tuple[Slept, float]] = []

        class Job(Job):
            def _received(self, done: Done) -> None:
                super()._received(done)
                assert isinstance(done, Slept)
                slept.append((replace(done, tally=None), time.monotonic()))  # type: ignore[arg-type]

        looks: list[tuple[int, dict[str, int]]] = []

        def look() -> None:
            while not stop.is_set():
                family = engine_processes.family(os.getpid())
                looks.append((len(slept), engine_processes.memory(family)))
                stop.wait(2.0)

        watcher = threading.Thread(target=look, daemon=True)
        job = Job(study, ensemble, list(ensemble.blocks()), _NoRun(), progress, watch)  # type: ignore[arg-type]
        family = engine_processes.family(os.getpid())
        before, began, own = engine_processes.processor_time(family), time.monotonic(), time.process_time()
        watcher.start()
        job.share_out(stand_in)
        took, driver = time.monotonic() - began, time.process_time() - own
        stop.set()
        watcher.join()
        after = engine_processes.processor_time(family)
    if progress.done != study.samples:
        raise RuntimeError(f"{study.samples} samples were to be slept through, {progress.done} were")
    early = next((memory for done, memory in looks if done >= blocks / 10), looks[-1][1])
    return Found(
        way=way,
        cores=cores,
        blocks=blocks,
        sleep=each,
        rate=blocks / took,
        ideal=(cores if way == "actors" else processes) / each,
        gap=gap(slept, cores if way == "actors" else processes),
        delay=median(counted - done.ended for done, counted in slept),
        driver=driver / took,
        gcs=(after["gcs"] - before["gcs"]) / took,
        raylet=(after["raylet"] - before["raylet"]) / took,
        first={kind: early[kind] for kind in KINDS},
        memory={kind: looks[-1][1][kind] for kind in KINDS},
        load=os.getloadavg()[0],
    )


def _warm(stand_in: _Ray, ensemble: Ensemble, count: int) -> None:
    """Have all processes started."""
    blocks = [ensemble.block(index) for index in range(count)]
    for ref in [stand_in._submit(None, block, 1) for block in blocks]:
        stand_in.get(ref)


def gap(slept: list[tuple[Slept, float]], cores: int) -> float:
    """Mean time that a core waits from the end of a block until its next one begins, s.

    In each process the longest free core takes the next block.
    """
    by_process: dict[int, list[Slept]] = defaultdict(list)
    for done, _ in slept:
        by_process[done.process].append(done)
    gaps = []
    for mine in by_process.values():
        begins, ends = sorted(each.began for each in mine), sorted(each.ended for each in mine)
        at_once = max(1, round(cores / len(by_process)))
        gaps += [begin - end for begin, end in zip(begins[at_once:], ends, strict=False)]
    return sum(gaps) / max(len(gaps), 1)


def rows(found: Found) -> list[tuple[str, ...]]:
    """Table of what the driver did."""
    early, late = found.first, found.memory
    return [
        (f"{found.way}: {found.cores:,} cores, {found.blocks:,} blocks of", f"{found.sleep:.3g} s"),
        ("blocks in a second", f"{found.rate:.1f} of {found.ideal:.1f}: {found.rate / found.ideal:.1%}"),
        ("a core waits between two blocks", f"{found.gap * 1e3:.0f} ms"),
        ("a block's end until it is counted", f"{found.delay * 1e3:.0f} ms"),
        ("driver's processor time", f"{found.driver:.1%} of a core"),
        ("that of Ray's head and raylet", f"{found.gcs:.1%} and {found.raylet:.1%} of a core"),
        *(
            (f"memory: {kind}", f"{early[kind] / 1e6:.0f} MB after a tenth, {late[kind] / 1e6:.0f} MB at the end")
            for kind in ("driver", "gcs", "raylet")
        ),
        ("load of the machine", f"{found.load:.1f}"),
    ]
