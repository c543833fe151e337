"""Blocks shared out: computed in this process or as Ray tasks, and tried again where a machine failed.

What goes wrong is told apart: a machine's fault (a worker, a node or the memory gone, a store that does not answer) is
tried again, a bounded number of times; a numerical fault is a failed row; anything else is a bug and stops the run.
"""

import errno
import math
import pickle
import threading
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from study.blocks import Done, compute_block, counted
from study.cluster import Pulse, refuse_stranger, start_ray
from study.config import Study
from study.ensemble import Block, Ensemble
from study.errors import (
    ClusterError,
    ClusterLostError,
    HotlandError,
    NodeError,
    RunError,
)
from study.provenance import code_fingerprint
from study.runs import Run, now
from study.stopping import Judgement
from study.tally import Tally

if TYPE_CHECKING:
    pass

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


@lru_cache(maxsize=2)
def _unpacked(packed: bytes) -> tuple[Study, Ensemble]:
    """A study and its ensemble as a worker gets them: once, since to read and check the study takes some 20 ms."""
    study, ensemble = pickle.loads(packed)
    return study, ensemble


@dataclass
class Job:
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
