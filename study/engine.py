"""Running a study: blocks of rows as Ray tasks, each committed by the worker that computed it."""

import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from study.config import Study, variable_name
from study.ensemble import RECEIPTS, Block, Ensemble, open_ensemble, refuse_other_study
from study.errors import ClusterError, RunError
from study.simulation import refuse_hopeless, simulate

if TYPE_CHECKING:
    import xarray as xr

BLOCK_SIZE = 128
MOST_ATTEMPTS = 3

Progress = Callable[[int, int], None]
"""Called with rows done and rows in all."""


def default_store(study: Study) -> Path:
    """Where a study's ensemble goes unless told otherwise."""
    return Path("ensembles") / f"{study.name}.zarr"


def compute_block(study: Study, ensemble: Ensemble, block: Block) -> Block:
    """Compute one block and commit it."""
    results = simulate(study, block.rows)
    reasons = {block.start + row: reason for row, reason in results.reasons.items()}
    coordinates = {"sample": block.rows, "replicate": block.rows % study.replicates}
    values = {variable_name(name): value for name, value in results.values.items()}
    ensemble.commit(block, {**coordinates, **values}, reasons)
    return block


def prepare(study: Study, store: Path, *, block_size: int = BLOCK_SIZE) -> tuple[Ensemble, list[Block]]:
    """Create the store, or open it and lay it out for more samples; and the blocks that are still to be computed.

    Raises
    ------
    EnsembleError
        When the store belongs to another study, or cannot be made or read.
    ConfigError
        When every sample would fail.
    """
    if not os.path.lexists(store) or (store.is_dir() and not any(store.iterdir())):
        refuse_hopeless(study)
        ensemble = Ensemble.create(store, study, block_size=block_size)
    else:
        refuse_other_study(store, study)
        ensemble = Ensemble.open(store)
        if ensemble.samples < study.samples:
            ensemble = ensemble.extend(study)
    (store / RECEIPTS).mkdir(exist_ok=True)
    done = set(ensemble.received())
    return ensemble, [block for block in ensemble.blocks() if block.start < study.samples and block not in done]


def warm_up(study: Study) -> None:
    """Compile the kernels, or load them from their cache, before workers ask for them all at once."""
    simulate(study.model_copy(update={"winters": 1}), np.array([0]))


def run_blocks(
    study: Study, ensemble: Ensemble, blocks: list[Block], *, address: str | None = None, progress: Progress
) -> None:
    """Compute blocks as Ray tasks; a single one, which there is nothing to share of, in this process.

    Parameters
    ----------
    address
        A Ray cluster; by default this machine alone, with nothing listening beyond loopback.
    progress
        Called whenever there is something to tell.

    Raises
    ------
    RunError
        When a block fails again and again, or the code does.
    """
    if len(blocks) == 1 and address is None:
        (block,) = blocks
        progress(0, len(block))
        try:
            compute_block(study, ensemble, block)
        except OSError as error:
            raise _cannot_write(ensemble, error) from error
        progress(len(block), len(block))
        return
    with ThreadPoolExecutor(1) as pool:  # Ray's start is mostly waiting
        compiling = pool.submit(warm_up, study)
        ray = start_ray(address)
        compiling.result()
    try:
        _share_out(ray, study, ensemble, blocks, progress)
    finally:
        ray.shutdown()


def _share_out(ray: Any, study: Study, ensemble: Ensemble, blocks: list[Block], progress: Progress) -> None:
    """Keep a bounded number of tasks in flight until all blocks are done."""
    task = ray.remote(num_cpus=1, max_retries=0)(compute_block)
    machine_faults = (
        ray.exceptions.WorkerCrashedError,
        ray.exceptions.NodeDiedError,
        ray.exceptions.OutOfMemoryError,
        ray.exceptions.RaySystemError,
    )
    shared = ray.put(study), ray.put(replace(ensemble, path=ensemble.path.absolute()))
    waiting, attempts = list(reversed(blocks)), dict.fromkeys(blocks, 0)
    flying: dict[Any, Block] = {}
    total = sum(map(len, blocks))
    done = 0
    progress(done, total)
    while waiting or flying:
        while waiting and len(flying) < 2 * int(ray.cluster_resources().get("CPU", 1)) + 1:
            block = waiting.pop()
            attempts[block] += 1
            flying[task.remote(*shared, block)] = block
        ready, _ = ray.wait(list(flying), num_returns=1, timeout=1.0)
        for ref in ready:
            block = flying.pop(ref)
            try:
                ray.get(ref)
            except machine_faults as error:
                if attempts[block] >= MOST_ATTEMPTS:
                    raise RunError(f"block {block.index} ended its worker {MOST_ATTEMPTS} times: {error}") from error
                waiting.append(block)
            except OSError as error:  # Ray raises what the task raised, as a RayTaskError too
                raise _cannot_write(ensemble, error) from error
            except ray.exceptions.RayTaskError as error:
                raise RunError(f"block {block.index} (rows {block.start} to {block.stop - 1}):\n{error}") from error
            except ray.exceptions.RayError as error:
                raise RunError(
                    f"Ray failed: {error}; what is done stays, the same command goes on from there"
                ) from error
            else:
                done += len(block)
        progress(done, total)


def _cannot_write(ensemble: Ensemble, error: OSError) -> RunError:
    reason = getattr(error, "cause", error)
    return RunError(
        f"{ensemble.path}: cannot be written: {reason}; what is there stays, the same command goes on from there"
    )


def start_ray(address: str | None) -> Any:
    """Import Ray and connect it: to a cluster, or to this machine's own cores, quietly and on loopback alone."""
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS", "BLOSC_NTHREADS"), "1")
    if address is None:
        # binds everything to 127.0.0.1, where no token is needed
        os.environ.update(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", RAY_AUTH_MODE="disabled")
        os.environ.update(threads)
    import ray

    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    if address is None:
        cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
        ray.init("local", num_cpus=cores, include_dashboard=False, object_store_memory=100 * 2**20, **options)
    else:
        try:
            ray.init(address=address, runtime_env={"env_vars": threads}, **options)
        except (OSError, RuntimeError, ValueError, ImportError) as error:
            raise ClusterError(f"--address {address}: no Ray cluster answers there: {error}") from error
    return ray


def knock(address: str) -> None:
    """Raise ClusterError when nothing listens at HOST:PORT: Ray itself would go on trying for minutes."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if address == "auto":
        return
    if not (host and port.isdecimal()):
        raise ClusterError(f"--address {address!r}; allowed: HOST:PORT, ray://HOST:PORT or auto")
    try:
        socket.create_connection((host, int(port)), timeout=10.0).close()
    except (OSError, OverflowError) as error:
        raise ClusterError(f"--address {address}: no Ray cluster answers there: {error}") from error


def run(
    study: Study, *, output: str | Path | None = None, address: str | None = None, block_size: int | None = None
) -> "xr.Dataset":
    """Run a study, or what is left of it, and open its ensemble.

    Parameters
    ----------
    study
        From `load`.
    output
        The store; by default ``ensembles/<name>.zarr``.
    address
        A Ray cluster; by default this machine alone.
    block_size
        Samples of a task in a new store; no result depends on it.

    Returns
    -------
    The ensemble, as from `open_ensemble`.

    Raises
    ------
    EnsembleError
        When the store belongs to another study, or cannot be made or read.
    RunError
        When a block fails again and again.
    """
    store = Path(output) if output is not None else default_store(study)
    if address is not None:
        knock(address)
    ensemble, blocks = prepare(study, store, block_size=block_size or BLOCK_SIZE)
    if blocks:
        run_blocks(study, ensemble, blocks, address=address, progress=lambda _done, _total: None)
    return open_ensemble(store)
