"""Blocks of rows: computed, and committed to the store by the process that computed them."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from study.config import Study, variable_name
from study.ensemble import Block, Ensemble
from study.provenance import code_fingerprint, machine
from study.runs import now
from study.simulation import Results, simulate
from study.tally import Tally


@dataclass(frozen=True)
class Done:
    """A block that is committed: what it came to, and what it took, s."""

    block: Block
    tally: Tally
    computing: float
    committing: float


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


def counted(block: Block, study: Study) -> int:
    """Rows of a block that are samples of a study."""
    return max(0, min(block.stop, study.samples) - block.start)
