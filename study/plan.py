"""The plan of a run: how long a sample takes, how many make a block, and how much room the store needs."""

import json
import time
from dataclasses import dataclass

import numpy as np

from kernels import LANES
from study.config import Study
from study.simulation import simulate
from study.traces import objects as trace_objects
from study.traces import size as trace_size
from study.variables import SAMPLE_VARIABLES, TYPES, VARIABLES

BLOCK_SECONDS = 10.0
"""A block takes about that long on one core: long against what a task costs, short against what a kill loses, s."""
BLOCKS_PER_CORE = 4
"""Blocks for each core at least, so that none waits for another for long."""
FEW_BLOCKS = 64
"""Blocks grow longer than that only to keep their number here: each is a file for every variable."""
LARGEST_BLOCK = 16_384
"""Rows of a block at most: of thirty winters some 200 MB of results in memory."""

_TIMED_WINTERS = 3
_FILE = 4096  # what is lost to whole blocks of the file system for a file, bytes
_DESCRIPTION = 1500  # an array's metadata, bytes
_DIGEST = 200  # a chunk's place in a receipt, and its share of the rest, bytes


@dataclass(frozen=True)
class Plan:
    """What a study's samples ask for.

    Attributes
    ----------
    block_size
        Rows of a block.
    blocks
        Number of blocks.
    store_size
        Most room that the store takes, bytes: its numbers uncompressed, and all that describes them.
    objects
        Files, or objects in an object store, after a single run.
    """

    block_size: int
    blocks: int
    store_size: int
    objects: int

    @classmethod
    def of(cls, study: Study, *, block_size: int) -> "Plan":
        """Return the plan of a study in blocks of that size."""
        block_size = min(block_size, -(-study.samples // LANES) * LANES)  # as of `Ensemble.create`
        blocks = -(-study.samples // block_size)
        variables = len(study.uncertain) + len(SAMPLE_VARIABLES) + len(VARIABLES)
        series = trace_objects(study)
        of_blocks, of_study = blocks * (variables + 1), variables + 1 + series  # a receipt; and the winters
        objects = of_blocks + of_study + 1 + 1 + 2  # the winters' chunk, the root, begin and end of the run
        numbers = blocks * block_size * bytes_per_sample(study) + trace_size(study)
        words = 2 * len(json.dumps(study.resolved())) + of_study * 2 * _DESCRIPTION + of_blocks * _DIGEST
        return cls(block_size, blocks, numbers + words + objects * _FILE, objects)


def bytes_per_sample(study: Study) -> int:
    """Room that a sample takes in the store, uncompressed and without traces, bytes."""
    of_sample = sum(np.dtype(TYPES.get(name, "float64")).itemsize for name in SAMPLE_VARIABLES)
    return of_sample + 8 * len(study.uncertain) + 8 * study.winters * len(VARIABLES)


def seconds_per_sample(study: Study) -> float:
    """Time that a sample takes on one core, measured on a few rows and winters, s; kernels are compiled on the way."""
    winters = min(study.winters, _TIMED_WINTERS)
    rows = np.arange(LANES)
    simulate(study.model_copy(update={"winters": 1}), rows[:1])
    start = time.perf_counter()
    simulate(study.model_copy(update={"winters": winters}), rows)
    return (time.perf_counter() - start) * study.winters / winters / LANES


def choose_block_size(samples: int, seconds: float, cores: int) -> int:
    """Rows of a block for so many samples of so many seconds each on so many cores: whole groups of lanes.

    Blocks of `BLOCK_SECONDS`; longer where there would be more than `FEW_BLOCKS`, as long as each core has
    `BLOCKS_PER_CORE` of them.
    """
    wanted = max(BLOCK_SECONDS / max(seconds, 1e-9), samples / FEW_BLOCKS)
    groups = round(min(wanted, samples / (BLOCKS_PER_CORE * cores), LARGEST_BLOCK) / LANES)
    return max(1, groups) * LANES
