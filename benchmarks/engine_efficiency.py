"""The same blocks computed and committed by one process alone, then by all cores in several ways, in turn.

Every way starts its processes once, and as many blocks as there are cores are computed before anything is timed. A turn
is then: alone, one block after the other with the other cores idle; hotland's engine on Ray; joblib (loky);
`multiprocessing.Pool`. Each gets a new store, and what is timed is the time from handing over the blocks until all are
done. The efficiency is the time alone over the number of cores times the time in parallel, in the same turn. Ray's
workers, which otherwise give way to all else on the machine (niceness 15), have the priority of the others here.
"""

import multiprocessing
import os
import shutil
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from unittest.mock import patch

from study.blocks import compute_block
from study.cluster import ONE_THREAD, start_ray
from study.config import Study
from study.ensemble import Block, Ensemble
from study.job import Job, Progress
from study.provenance import cores
from study.runs import Run
from study.storage import Storage
from study.tally import Tally

Work = Callable[[Ensemble, list[Block]], None]


@dataclass(frozen=True)
class Turns:
    """What was timed.

    Attributes
    ----------
    start_up
        By way of computing, time to start its processes and have each compute a block, s.
    seconds
        By way of computing, time of the blocks in each turn, s; `ALONE` is one of them.
    load
        Load of the machine (1 min) before each turn.
    """

    start_up: dict[str, float]
    seconds: dict[str, list[float]]
    load: list[float]

    def efficiency(self, way: str, *, with_start: bool = False) -> list[float]:
        """Efficiency of each turn."""
        start = self.start_up[way] if with_start else 0.0
        pairs = zip(self.seconds[ALONE], self.seconds[way], strict=True)
        return [alone / (cores() * (together + start)) for alone, together in pairs]


ALONE, ENGINE, JOBLIB, POOL = "alone", "hotland's engine", "joblib (loky)", "multiprocessing.Pool"


def compute_all(study: Study, ensemble: Ensemble, blocks: list[Block]) -> None:
    """Compute and commit blocks, one after the other."""
    for block in blocks:
        compute_block(study, ensemble, block)


def _one(work: tuple[Study, Ensemble, Block]) -> None:
    compute_block(*work)


def measure(study: Study, *, blocks: int, block_size: int, turns: int, folder: Path | None = None) -> Turns:
    """Compute the first blocks of a study in all ways, `turns` times.

    Parameters
    ----------
    folder
        Where the stores are made, and deleted.
    """
    study = study.with_overrides(samples=blocks * block_size)
    with ExitStack() as stack:
        stack.enter_context(patch.dict(os.environ, {**ONE_THREAD, "RAY_worker_niceness": "0"}))
        place = Path(stack.enter_context(TemporaryDirectory(dir=folder)))
        ways = {ALONE: _alone, ENGINE: _engine, JOBLIB: _joblib, POOL: _pool}
        if find_spec("joblib") is None:
            del ways[JOBLIB]
        works: dict[str, Work] = {}
        start_up: dict[str, float] = {}
        for name, way in ways.items():
            begin = time.perf_counter()
            works[name] = way(stack, study)
            _timed(works[name], study, place, cores(), block_size)
            start_up[name] = time.perf_counter() - begin
        seconds: dict[str, list[float]] = {name: [] for name in works}
        load = []
        for turn in range(turns):
            load.append(os.getloadavg()[0])
            names = list(works)
            for name in names[turn % len(names) :] + names[: turn % len(names)]:
                seconds[name].append(_timed(works[name], study, place, blocks, block_size))
    return Turns(start_up, seconds, load)


def _timed(work: Work, study: Study, place: Path, blocks: int, block_size: int) -> float:
    store = place / "store.zarr"
    ensemble = Ensemble.create(
        Storage.at(store), study.with_overrides(samples=blocks * block_size), block_size=block_size
    )
    asked = list(ensemble.blocks())
    start = time.perf_counter()
    work(ensemble, asked)
    took = time.perf_counter() - start
    if len(ensemble.received()) != blocks:
        raise RuntimeError(f"{blocks} blocks were to be computed, {len(ensemble.received())} are there")
    shutil.rmtree(store)
    return took


def _alone(stack: ExitStack, study: Study) -> Work:
    pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(1))
    return lambda ensemble, blocks: pool.apply(compute_all, (study, ensemble, blocks))


def _pool(stack: ExitStack, study: Study) -> Work:
    pool = stack.enter_context(multiprocessing.get_context("spawn").Pool(cores()))

    def work(ensemble: Ensemble, blocks: list[Block]) -> None:
        for _ in pool.imap_unordered(_one, [(study, ensemble, block) for block in blocks]):
            pass

    return work


def _joblib(stack: ExitStack, study: Study) -> Work:
    from joblib import Parallel, delayed  # type: ignore[import-not-found]

    parallel = stack.enter_context(Parallel(n_jobs=cores(), backend="loky", batch_size=1))
    return lambda ensemble, blocks: parallel(delayed(_one)((study, ensemble, block)) for block in blocks)


def _engine(stack: ExitStack, study: Study) -> Work:
    ray = stack.enter_context(start_ray(None))

    def work(ensemble: Ensemble, blocks: list[Block]) -> None:
        progress = Progress(ensemble.samples, Tally.empty(study), workers=cores())
        run = Run.begin(ensemble.storage, {})
        Job(study, ensemble, blocks, run, progress, lambda _progress: None).share_out(ray)
        run.end("finished", {})

    return work


def rows(found: Turns) -> list[tuple[str, ...]]:
    """Table: way, time of the blocks, efficiency with its range over the turns, efficiency with start-up, start-up."""
    table: list[tuple[str, ...]] = [(ALONE, f"{median(found.seconds[ALONE]):.1f}", "", "", "", "")]
    for way in found.seconds:
        if way != ALONE:
            each, whole = sorted(found.efficiency(way)), found.efficiency(way, with_start=True)
            table.append(
                (
                    way,
                    f"{median(found.seconds[way]):.1f}",
                    f"{median(each):.1%}",
                    f"{each[0]:.1%} – {each[-1]:.1%}",
                    f"{median(whole):.1%}",
                    f"{found.start_up[way]:.1f}",
                )
            )
    return table
