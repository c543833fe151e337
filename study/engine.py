"""Running a study, or what is left of it: laid out in blocks, with the store owned, until its targets are met."""

import math
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kernels import LANES
from study.blocks import counted
from study.cluster import inspect_nodes, knock, resolve, start_ray
from study.config import Study, load_study
from study.ensemble import ROOT, Block, Ensemble, open_ensemble, refuse_other_study
from study.errors import (
    ConfigError,
    EnsembleError,
    StorageError,
)
from study.job import Job, Progress
from study.plan import BLOCK_SECONDS, Plan, bytes_per_sample, fitting, seconds_per_sample, suggested
from study.progress import Kind, watching
from study.provenance import cores
from study.runs import RUNS, Run
from study.simulation import refuse_hopeless
from study.stopping import Growth, Judgement, missed
from study.storage import Storage
from study.tally import Tally
from study.target import MOST_HOURS, MOST_TARGETS, Target, parse_targets
from study.variables import sample_variables_of, variables_of

if TYPE_CHECKING:
    import xarray as xr

MOST_ROWS = 100_000
"""Samples of a block."""
EXPECTED = 128
"""Cores that an empty cluster is expected to grow to, for the size of blocks."""


def default_store(study: Study) -> Path:
    """Where a study's ensemble goes unless told otherwise."""
    return Path("ensembles") / f"{study.name}.zarr"


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
    if block_size is not None and not 1 <= block_size <= MOST_ROWS:
        raise ConfigError(f"block_size {block_size}: allowed: 1 to {MOST_ROWS:,}")
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
                job = Job(study, ensemble, blocks, run, progress, watch, cost, bool(address), deadline, say)
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
