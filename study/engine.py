"""Running a study: blocks of rows computed here or as Ray tasks, each committed by the worker that computed it.

What goes wrong is told apart: a machine's fault (a worker, a node or the memory gone, a store that does not answer) is
tried again, a bounded number of times; a numerical fault is a failed row; anything else is a bug and stops the run.
"""

import errno
import math
import pickle
import threading
import time
import traceback
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from kernels import LANES
from study.cluster import Pulse, inspect_nodes, knock, refuse_stranger, resolve, start_ray
from study.config import Study, load_study, variable_name
from study.ensemble import ROOT, Block, Ensemble, open_ensemble, refuse_other_study
from study.errors import (
    ClusterError,
    ClusterLostError,
    ConfigError,
    EnsembleError,
    HotlandError,
    NodeError,
    RunError,
    StorageError,
)
from study.plan import BLOCK_SECONDS, Plan, bytes_per_sample, fitting, seconds_per_sample, suggested
from study.progress import Kind, watching
from study.provenance import code_fingerprint, cores, machine
from study.runs import RUNS, Run, now
from study.simulation import Results, refuse_hopeless, simulate
from study.stopping import Growth, Judgement, missed
from study.storage import Storage
from study.tally import Tally
from study.target import MOST_HOURS, MOST_TARGETS, Target, parse_targets
from study.variables import sample_variables_of, variables_of

if TYPE_CHECKING:
    import xarray as xr

MOST_ATTEMPTS = 5
"""How often a block may end its worker, or fail to be written, before the run gives up."""
MOST_NODES_LOST = 20
"""How often a block may lose the whole node under it."""
SMALL = 15.0
"""Work for one core that is not worth starting Ray, s."""
AHEAD = 5.0
"""A block is computed in this process while Ray starts, if it takes no longer than that, s."""
QUEUED = 1000
"""Tasks in flight on a cluster, at least."""
EXPECTED = 128
"""Cores that an empty cluster is expected to grow to, for the size of blocks."""
LATE = 5.0
"""A block is given to another worker after so many times the longest that any took."""
SOON, FIRST = 60.0, 600.0
"""But not before so long, s; as long as none is done, so much later than the time that it takes here lets expect."""
HOPELESS = (errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM)
"""What the file system says when trying again is of no use."""
_LOOKS = 2.0  # between two looks at the head and the owner of the store, s


@dataclass
class Progress:
    """How far a run is.

    Attributes
    ----------
    done, total
        Samples computed in this run, and those that it has to compute; with targets as many as are expected to do.
    workers
        Cores at work.
    retries
        What was tried again: time, block, fault.
    tally
        Statistics of the samples done in this run.
    computing, committing
        Time that workers took to compute blocks and to write them, in sum, s.
    judgements
        Of the targets, after the last stage.
    designs
        Of which the samples are.
    """

    total: int
    tally: Tally
    done: int = 0
    workers: int = 1
    computing: float = 0.0
    committing: float = 0.0
    retries: list[dict[str, Any]] = field(default_factory=list)
    judgements: tuple[Judgement, ...] = ()
    designs: int = 1


@dataclass(frozen=True)
class Done:
    """A block that is committed: what it came to, and what it took, s."""

    block: Block
    tally: Tally
    computing: float
    committing: float


def default_store(study: Study) -> Path:
    """Where a study's ensemble goes unless told otherwise."""
    return Path("ensembles") / f"{study.name}.zarr"


def compute_block(study: Study, ensemble: Ensemble, block: Block, attempt: int = 1) -> Done:
    """Compute one block and commit it."""
    start = time.perf_counter()
    results = simulate(study, block.rows)
    seconds = round(time.perf_counter() - start, 3)
    reasons = {block.start + row: reason for row, reason in results.reasons.items()}
    about = {"machine": machine(), "code": code_fingerprint(), "seconds": seconds, "attempt": attempt, "written": now()}
    ensemble.commit(block, chunks_of(study, ensemble, block, results), reasons, about)
    tally = Tally.of(study, block.rows, results.values)
    return Done(block, tally, seconds, time.perf_counter() - start - seconds)


def chunks_of(study: Study, ensemble: Ensemble, block: Block, results: Results) -> dict[str, NDArray[np.generic]]:
    """Numbers of all chunks of a block, by name, from what its rows came to."""
    coordinates = {"sample": block.rows, "replicate": study.base_rows(block.rows) % study.replicates}
    values = {variable_name(name): value for name, value in results.values.items()}
    return ensemble.chunks(block, {**coordinates, **values}, results.traces)


def prepare(
    study: Study, storage: Storage, *, block_size: int, samples: int | None = None
) -> tuple[Ensemble, list[Block]]:
    """Create the store, or open it and lay it out for more samples; and the blocks that are still to be computed.

    Parameters
    ----------
    block_size
        Rows of a block of a new store; a study with fewer gets smaller ones.
    samples
        Of a stage, fewer than the study's.

    Raises
    ------
    EnsembleError
        When the store belongs to another study, or cannot be read.
    """
    stage = study if samples is None else study.with_overrides(samples=samples // study.points)
    if storage.exists(ROOT):
        refuse_other_study(storage, study)
        ensemble = Ensemble.open(storage)
        if ensemble.samples < stage.samples:
            ensemble = ensemble.extend(stage)
    else:
        ensemble = Ensemble.create(storage, stage, block_size=fitting(block_size, study))
    done = {block.index for block in ensemble.received()}
    missing = [block for block in ensemble.blocks() if block.start < stage.samples and block.index not in done]
    return ensemble, missing


def counted(block: Block, study: Study) -> int:
    """Rows of a block that are samples of a study."""
    return max(0, min(block.stop, study.samples) - block.start)


def leading(ensemble: Ensemble, samples: int | None = None) -> int:
    """How many rows are there from the first one on without a gap, of so many; by default of those laid out."""
    blocks = 0
    for block in ensemble.received():
        if block.index != blocks:
            break
        blocks += 1
    return min(blocks * ensemble.block_size, ensemble.samples if samples is None else samples)


def execute(
    study: Study,
    storage: Storage,
    *,
    until: Sequence[str] | None = None,
    hours: float | None = None,
    address: str | None = None,
    block_size: int | None = None,
    take_over: bool = False,
    dashboard: bool = False,
    say: Callable[[str], None] = lambda _text: None,
    watch: Callable[[Progress], None] = lambda _progress: None,
    judged: Callable[[tuple[Judgement, ...]], None] = lambda _judgements: None,
) -> bool:
    """Run a study, or what is left of it; False if nothing was.

    Parameters
    ----------
    until
        Targets (`study.target`), instead of the study's own: the run grows until all are met, at most to the study's
        samples.
    hours
        Time on the clock after which a run with targets ends at the latest, instead of the study's own.
    address
        A Ray cluster, or "local" for this machine alone: the default, but in a job of a cluster that cluster.
    block_size
        Samples of a block of a new store; by default from how long they take.
    take_over
        Do not ask whether another run still writes to the store.
    dashboard
        Whether this machine's own Ray shows its dashboard, on loopback.
    say
        Told in words what is being done.
    watch
        Called whenever there is something to show.
    judged
        Called at the end with what the samples say of each target.

    Raises
    ------
    HotlandError
        As of `run`.
    """
    began = time.monotonic()
    block_size = block_size and block_size * study.points
    targets, hours = asked(study, until, hours)
    growth, deadline = Growth.of(study, targets), began + 3600.0 * hours
    said = "--address" if address is not None else "RAY_ADDRESS"
    address = resolve(address)
    if address is not None:
        knock(address, said)
    done, there, cells = 0, 0, None
    try:
        exists = storage.exists(ROOT)
    except ConnectionError:
        raise
    except OSError as error:  # no name for a folder
        raise StorageError(f"{storage}: {error.strerror or error}") from error
    if exists:
        refuse_other_study(storage, study)
        ensemble = Ensemble.open(storage)
        cells = ensemble.block_size
        received = ensemble.received()
        done = sum(counted(block, study) for block in received)
        if not targets and ensemble.samples >= study.samples and done == study.samples:
            more = sum(map(ensemble.counted, received)) - study.samples
            say(f"{storage}: finished, all {study.samples:,} samples are there{f', and {more:,} more' if more else ''}")
            return False
        there = growth.before(leading(ensemble), ensemble.samples) if targets else 0
        if there:
            judgements = growth.judge(storage, there)
            if growth.over:
                say(f"{storage}: finished, nothing is computed; {growth}")
                judged(judgements)
                return False
    elif not storage.empty() and not storage.names(RUNS):
        raise EnsembleError(f"{storage}: there is something else here, and no ensemble; give another --output")
    refuse_hopeless(study)
    storage.refuse_unwritable()
    stage = growth.after(there)
    _refuse_full(study, storage, done, stage, cells or block_size or stage)  # in one block: no less room will do
    to_go = f"{'at most ' if targets else ''}{study.samples - done:,} to go"
    say(f"{storage}: {f'{done:,} samples are there, {to_go}' if cells else 'new'}{f'; {growth}' if there else ''}")
    with start_ray(address) if address else nullcontext() as ray:
        say("timing a few samples (half a minute where the kernels are not compiled yet) ...")
        seconds = seconds_per_sample(study)
        count = int(ray.cluster_resources().get("CPU", 0)) if ray else cores()
        size = cells or block_size or _block_size(study, seconds, count or EXPECTED, staged=bool(targets))
        _refuse_full(study, storage, done, stage, size)
        if warning := Plan.of(study, block_size=size).warning:
            say(f"warning: {warning}")
        where = f"the cluster at {address}" if ray else "this machine"
        about: dict[str, Any] = {"address": address or "local", "samples asked for": study.samples, "workers": count}
        about |= {"targets": [target.text for target in targets]} if targets else {}
        progress = Progress(0, Tally.empty(study), workers=count, designs=study.points)
        with _owning(storage, about, progress, take_over=take_over, say=say) as run, ExitStack() as stack:
            storage.sweep()
            if ray:
                inspect_nodes(ray, storage, run.record)
            since = time.monotonic()
            while True:
                stage = growth.after(there)
                ensemble, blocks = prepare(study, storage, block_size=size, samples=stage)  # others may have written
                if blocks and time.monotonic() <= deadline:
                    number = f"{len(blocks):,} block{'s' * (len(blocks) > 1)} of {ensemble.block_size:,} samples"
                    say(f"{number}, {f'{count} cores' if count else 'waiting for workers'} on {where}")
                elif not targets:
                    say("the blocks that hold them are there already")
                missing = sum(counted(block, study) for block in blocks)
                progress.total = progress.done + max(missing, growth.more)
                watch(progress)
                cost = seconds * ensemble.block_size
                job = _Job(study, ensemble, blocks, run, progress, watch, cost, bool(address), deadline, say)
                if job.late:
                    pass  # what is there already is all that counts
                elif ray:
                    job.share_out(ray)
                else:
                    work = -(-ensemble.block_size // LANES) * LANES * len(blocks) * seconds
                    ray = job.on_this_machine(work, dashboard=say if dashboard else None, keep=stack)
                if not targets:
                    break
                late, reached = job.late, leading(ensemble, study.samples)  # blocks may go on beyond the stage
                there = min(stage, reached)
                progress.judgements = growth.judge(storage, there)
                if growth.over or (late and there == reached):
                    say(f"{growth}{'' if growth.over else f'; {hours:g} h are over'}")
                    break
                if late:
                    continue
                pace = (time.monotonic() - since) / progress.done if progress.done else seconds / max(count, 1)
                say(f"{growth}; {growth.outlook(pace)}")
                _refuse_full(study, storage, done + progress.done, growth.after(there), size)
    judged(progress.judgements)
    return True


def asked(study: Study, until: Sequence[str] | None, hours: float | None) -> tuple[tuple[Target, ...], float]:
    """Targets and hours of a run: those given, or else the study's own; infinite hours where there are none.

    Raises
    ------
    ConfigError
        When a target is none, or the hours make no sense.
    """
    own, outputs = study.stop, {*variables_of(study), *sample_variables_of(study)}
    try:
        if until is not None:
            if isinstance(until, str) or not 1 <= len(until) <= MOST_TARGETS:
                raise ValueError(f"--until: allowed: a list of 1 to {MOST_TARGETS} targets")
            targets = parse_targets(until, "--until", outputs=outputs)
        else:
            targets = parse_targets(own.targets if own else (), f"study {study.name!r}: stop.targets", outputs=outputs)
        if targets and study.points > 1:
            raise ValueError("--until: a sweep has many designs; allowed: a study of one, or `hotland size`")
        if hours is not None and not 0.0 < hours <= MOST_HOURS:
            raise ValueError(f"--hours {hours:g}: allowed: above 0 and at most {MOST_HOURS:,.0f}")
        if hours is not None and not targets:
            raise ValueError("--hours: allowed: with --until, or a study with stop.targets")
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return targets, hours or (own.hours if own else None) or math.inf


def _block_size(study: Study, seconds: float, cores: int, *, staged: bool) -> int:
    """Rows of a block of a new store; with targets no longer than `BLOCK_SECONDS`, as few samples may do."""
    size = suggested(study, seconds, cores)
    return min(size, max(1, round(BLOCK_SECONDS / max(seconds, 1e-9) / LANES)) * LANES) if staged else size


@contextmanager
def _owning(
    storage: Storage, about: dict[str, Any], progress: Progress, *, take_over: bool, say: Callable[[str], None]
) -> Iterator[Run]:
    """Own the store, and leave a record of how it ended."""
    run = Run.begin(storage, about, take_over=take_over, say=say)
    state, reason = "failed", ""
    try:
        yield run
        state = "finished"
    except KeyboardInterrupt:
        state = "interrupted"
        raise
    except BaseException as error:
        reason = str(error)[:2000] or type(error).__name__
        raise
    finally:
        end: dict[str, Any] = {"samples": progress.done, "retries": progress.retries[:1000]}
        end |= {"computing": progress.computing, "committing": progress.committing}
        end |= {"outcomes": list(map(str, progress.judgements))} if progress.judgements else {}
        run.end(state, end | ({"reason": reason} if reason else {}))


def _refuse_full(study: Study, storage: Storage, done: int, samples: int, block_size: int) -> None:
    """Refuse a storage without room for so many samples, in whole blocks, of which some are there."""
    free = storage.free()
    rows = min(study.samples, -(-samples // block_size) * block_size)
    plan = Plan.of(study.model_copy(update={"samples": rows}), block_size=block_size)
    needed = plan.store_size - done * bytes_per_sample(study)
    if free is not None and free < needed:
        raise EnsembleError(
            f"{storage}: {free / 1e9:.3g} GB are free there, and the samples to go take up to {needed / 1e9:.3g} GB"
        )


@lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> tuple[Study, Ensemble]:
    """A study and its ensemble as a worker gets them: once, since to read and check the study takes some 20 ms."""
    study, ensemble = pickle.loads(packed)
    return study, ensemble


@dataclass
class _Job:
    """Blocks to be computed, and how far that is."""

    study: Study
    ensemble: Ensemble
    blocks: list[Block]
    run: Run
    progress: Progress
    watch: Callable[[Progress], None]
    seconds: float = 0.0  # that a block takes on one core of this machine
    cluster: bool = False
    deadline: float = math.inf  # of the monotonic clock, s
    say: Callable[[str], None] = lambda _text: None
    _over: threading.Event = field(default_factory=threading.Event)
    _strangers: dict[str, str] = field(default_factory=dict)  # nodes that must not compute, and why

    @property
    def late(self) -> bool:
        """Whether the run has had its time."""
        return time.monotonic() > self.deadline

    def on_this_machine(
        self, work: float, *, dashboard: Callable[[str], None] | None = None, keep: ExitStack | None = None
    ) -> Any:
        """Compute all: one after the other in this process, or on this machine's own Ray.

        Parameters
        ----------
        work
            Time that all take on one core, s.
        dashboard
            As of `start_ray`.
        keep
            Ends Ray, once it is started; by default it ends at once.

        Returns
        -------
        Ray, where it was started, to share out more.
        """
        waiting = list(reversed(self.blocks))
        if not dashboard and (work <= SMALL or len(waiting) == 1 or self.progress.workers == 1):
            self._ahead(waiting)
            return None
        started = threading.Event()

        def meanwhile() -> None:
            if self.seconds <= AHEAD:
                self._ahead(waiting, but=1, until=started)

        with nullcontext(keep) if keep else ExitStack() as stack, ThreadPoolExecutor(1) as pool:
            ahead = pool.submit(meanwhile)  # Ray's start is mostly waiting
            try:
                ray = stack.enter_context(start_ray(None, dashboard=dashboard))
                started.set()
                ahead.result()
                self.blocks = list(reversed(waiting))
                self.share_out(ray)
            finally:
                started.set()
            return ray

    def _ahead(self, waiting: list[Block], *, but: int = 0, until: threading.Event | None = None) -> None:
        """Compute the last of the blocks waiting in this process, one after the other, until so many are left."""
        while len(waiting) > but and not self.late and not (until and until.is_set()):
            self._refuse_taken_over()
            self._received(self._here(waiting.pop()))

    def _here(self, block: Block) -> Done:
        for attempt in range(1, MOST_ATTEMPTS + 1):
            try:
                return compute_block(self.study, self.ensemble, block, attempt)
            except (OSError, MemoryError) as error:
                self._machine_fault(block, error, attempt, MOST_ATTEMPTS)
            except HotlandError:
                raise
            except Exception as error:
                raise self._bug(block, traceback.format_exc()) from error
        raise AssertionError  # the last fault has been raised

    def share_out(self, ray: Any) -> None:
        """Compute all as Ray tasks, and watch meanwhile that the cluster and the store are still ours."""
        pulse = Pulse(ray)
        ended: list[BaseException | None] = []

        def work() -> None:
            try:
                self._tasks(ray)
            except BaseException as error:
                ended.append(error)
            else:
                ended.append(None)

        worker = threading.Thread(target=work, name="tasks", daemon=True)  # Ray's calls may never return
        worker.start()
        try:
            while worker.is_alive():
                worker.join(_LOOKS)
                self._refuse_taken_over()
                if worker.is_alive() and pulse.gone():
                    raise ClusterLostError(f"the head of the Ray cluster is gone; {self._kept}")
        finally:
            self._over.set()
            pulse.stop()
        for error in ended:
            if isinstance(error, HotlandError | KeyboardInterrupt):
                raise error
            if error is not None:
                said = (str(error).strip().splitlines() or [""])[0][:300]
                text = f"the Ray cluster is lost: {type(error).__name__}: {said}; {self._kept}"
                raise ClusterLostError(text) from error

    def _tasks(self, ray: Any) -> None:
        """Keep a bounded number of tasks in flight until all blocks are done."""
        compute, sight, code = compute_block, self.run.record, code_fingerprint()

        def guarded(packed: bytes, block: Block, attempt: int) -> Done:
            study, ensemble = _unpacked(packed)
            refuse_stranger(ensemble.storage, sight, code)
            return compute(study, ensemble, block, attempt)

        anywhere = task = ray.remote(num_cpus=1, max_retries=0)(guarded)
        shared = ray.put(pickle.dumps((self.study, self.ensemble)))
        waiting = list(reversed(self.blocks))
        attempts, nodes_lost = dict.fromkeys(waiting, 0), dict.fromkeys(waiting, 0)
        flying: dict[Any, Block] = {}  # in the order in which they were handed out
        began: dict[Any, float] = {}  # since when the oldest of them have had their turn
        looked = longest = 0.0
        while (waiting or flying) and not self._over.is_set() and not self.late:
            if (present := time.monotonic()) - looked > _LOOKS:
                looked, self.progress.workers = present, self._cores(ray)
                began = {ref: began.get(ref, present) for ref in list(flying)[: self.progress.workers]}
                patience = max(SOON, LATE * longest) if longest else FIRST + LATE * self.seconds
                for ref in [ref for ref, since in began.items() if present - since > patience]:
                    block = flying.pop(ref)  # a node that froze never answers; if it does, too late, no harm is done
                    nodes_lost[block] += 1
                    late = TimeoutError(f"no answer for {patience:.0f} s")
                    self._machine_fault(block, late, nodes_lost[block], MOST_NODES_LOST)
                    waiting.append(block)
            while waiting and len(flying) < window(self.progress.workers, cluster=self.cluster):
                block = waiting.pop()
                attempts[block] += 1
                flying[task.remote(shared, block, attempts[block])] = block
            some = min(len(flying), 1 + self.progress.workers // 20)  # with many workers, several at a time
            ready, _ = ray.wait(list(flying), num_returns=some, timeout=1.0)
            if ready:
                ready, _ = ray.wait(list(flying), num_returns=len(flying), timeout=0)
            for ref in ready:
                block = flying.pop(ref)
                try:
                    done = ray.get(ref)
                    self._received(done)
                    longest = max(longest, done.computing + done.committing)
                    continue
                except ray.exceptions.LocalRayletDiedError:
                    raise
                except ray.exceptions.NodeDiedError as error:
                    attempts[block] -= 1  # the node's fault, not the block's
                    nodes_lost[block] += 1
                    self._machine_fault(block, error, nodes_lost[block], MOST_NODES_LOST)
                except NodeError as error:
                    attempts[block] -= 1
                    nodes_lost[block] += 1
                    stranger: NodeError = getattr(error, "cause", error)
                    task = anywhere.options(label_selector=self._without(ray, stranger))
                    self._machine_fault(block, stranger, nodes_lost[block], MOST_NODES_LOST)
                except (ray.exceptions.WorkerCrashedError, ray.exceptions.OutOfMemoryError) as error:
                    self._machine_fault(block, error, attempts[block], MOST_ATTEMPTS)
                except (OSError, MemoryError) as error:
                    if not isinstance(error, ray.exceptions.RayTaskError):
                        raise  # not the task's, but of the connection to the cluster
                    self._machine_fault(block, error.cause, attempts[block], MOST_ATTEMPTS)
                except HotlandError as error:
                    raise RunError(f"block {block.index}: {getattr(error, 'cause', error)}") from error
                except ray.exceptions.RayTaskError as error:
                    raise self._bug(block, str(error)) from error
                except ray.exceptions.RayError as error:
                    self._machine_fault(block, error, attempts[block], MOST_ATTEMPTS)
                waiting.append(block)
            self.watch(self.progress)

    def _cores(self, ray: Any) -> int:
        """How many there are, without those that must not compute."""
        count = ray.cluster_resources().get("CPU", 0)
        if self._strangers:
            strange = (node for node in ray.nodes() if node["Alive"] and node["NodeID"] in self._strangers)
            count -= sum(node["Resources"].get("CPU", 0) for node in strange)
        return int(count)

    def _without(self, ray: Any, error: NodeError) -> dict[str, str]:
        """Where tasks may go once a node turned out to be none to compute on: the run goes on without it.

        A node that came later, by an old image for example, is no reason to end what the others can do. Where there is
        no other it is one, as all to come are likely to be of its kind.
        """
        if error.node not in self._strangers:
            self._strangers[error.node] = str(error)
            others = (node for node in ray.nodes() if node["Alive"] and node["NodeID"] not in self._strangers)
            if not any(node["Resources"].get("CPU") for node in others):
                raise ClusterError(f"{error}; there is no other node; {self._kept}")
            self.say(f"warning: {error}; the run goes on without it")
        return {"ray.io/node-id": f"!in({','.join(self._strangers)})"}

    def _refuse_taken_over(self) -> None:
        if self.run.taken_over:
            raise RunError(f"{self.ensemble.storage}: taken over by {self.run.taken_over}; this run stops")

    def _received(self, done: Done) -> None:
        self.progress.done += counted(done.block, self.study)
        self.progress.tally = self.progress.tally + done.tally
        self.progress.computing += done.computing
        self.progress.committing += done.committing
        self.run.tell(samples=self.progress.done)
        self.watch(self.progress)

    def _machine_fault(self, block: Block, error: BaseException, times: int, most: int) -> None:
        """Note a fault after which the block is tried again; raise RunError if it was so too often."""
        said = str(error).strip().splitlines() or [""]
        fault = f"{type(error).__name__}: {said[0][:300]}"
        if isinstance(error, OSError) and error.errno in HOPELESS:
            raise RunError(f"{self.ensemble.storage}: cannot be written: {error}; {self._kept}") from error
        if times >= most:
            raise RunError(
                f"block {block.index} failed {times} times, the last time by {fault}; {self._kept}"
            ) from error
        self.progress.retries.append({"time": now(), "block": block.index, "fault": fault})
        self.run.tell(at_once=True, retries=self.progress.retries[:1000])

    def _bug(self, block: Block, text: str) -> RunError:
        return RunError(f"block {block.index} (rows {block.start} to {block.stop - 1}) met a bug in hotland:\n{text}")

    @property
    def _kept(self) -> str:
        return "what is done stays, the same command goes on from there"


def window(workers: int, *, cluster: bool) -> int:
    """Return how many tasks to have in flight: each core has the next one waiting.

    On a cluster, so many that its autoscaler sees how much there is to do: it starts as many nodes as tasks wait for.
    """
    return max(2 * workers + 1, QUEUED if cluster else 0)


def run(
    study: Study | str | Path,
    *,
    samples: int | None = None,
    seed: int | None = None,
    until: Sequence[str] | None = None,
    hours: float | None = None,
    output: str | Path | None = None,
    address: str | None = None,
    block_size: int | None = None,
    take_over: bool = False,
    progress: Kind = "auto",
) -> "xr.Dataset":
    """Run a study, or what is left of it, and open its ensemble.

    Parameters
    ----------
    study
        From `load`, or the study's file.
    samples, seed
        Instead of the study's.
    until
        Targets, such as ``P(carbon_reduction>=18000) +-0.5%``, instead of the study's own: the run grows until all are
        met, at most to the study's samples. A target that is missed is a warning.
    hours
        Time on the clock after which a run with targets ends at the latest, instead of the study's own.
    output
        The store, a folder or an address in an object store; by default ``ensembles/<name>.zarr``.
    address
        A Ray cluster; by default this machine alone.
    block_size
        Samples of a task in a new store; no result depends on it.
    take_over
        Do not ask whether another run still writes to the store.
    progress
        As of `study.progress.watching`: by default a bar in a notebook or on a terminal, else nothing.

    Returns
    -------
    The ensemble, as from `open_ensemble`.

    Raises
    ------
    ConfigError
        When the study's file is wrong.
    StorageError
        When the output is no place for a store.
    EnsembleError
        When the store belongs to another study, or cannot be made or read, or another run is writing to it.
    ClusterError
        When there is no cluster that can be used at the address.
    RunError
        When a block fails again and again, or the code does.
    """
    if not isinstance(study, Study):
        study = load_study(study)
    study = study.with_overrides(samples=samples, seed=seed)
    storage = Storage.at(output if output is not None else default_store(study))
    judgements: list[Judgement] = []
    with watching(progress) as watch:
        execute(
            study,
            storage,
            until=until,
            hours=hours,
            address=address,
            block_size=block_size,
            take_over=take_over,
            watch=watch,
            judged=judgements.extend,
        )
    if text := missed(judgements):
        warnings.warn(text, stacklevel=2)
    return open_ensemble(storage.address)
