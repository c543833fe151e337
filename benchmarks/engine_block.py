"""Where the time of a block goes: from rows of the design to a receipt on disk."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any
from unittest.mock import patch

import study.simulation as simulation
from study.blocks import chunks_of
from study.config import Study
from study.ensemble import Ensemble, digest, encode
from study.sampling import sample_inputs
from study.storage import Storage
from study.tally import Tally


@dataclass(frozen=True)
class Parts:
    """Processor time of each part of a block whose rows begin at `start`, and what waiting for the disk adds, s."""

    start: int
    rows: int
    parts: dict[str, float]
    size: int


def parts_of_block(study: Study, *, start: int, rows: int, folder: Path | None = None) -> Parts:
    """Compute and commit the block of some rows, part by part."""
    study = study.with_overrides(samples=start + rows)
    parts: dict[str, float] = {}

    def timed(name: str, function: Callable[..., Any], *, clock: Callable[[], float] = time.process_time) -> Any:
        def run(*arguments: Any) -> Any:
            begin = clock()
            answer = function(*arguments)
            parts[name] = parts.get(name, 0.0) + clock() - begin
            return answer

        return run

    with TemporaryDirectory(dir=folder) as place:
        storage = Storage.at(Path(place) / "store.zarr")
        ensemble = Ensemble.create(storage, study, block_size=rows)
        block = ensemble.block(start // rows)
        sample_inputs(study, block.rows[: study.replicates])  # scrambles the sequences, once in a process
        with patch.object(simulation, "sample_inputs", timed("sampling", sample_inputs)):
            results = timed("everything else of `simulate`", simulation.simulate)(study, block.rows)
        parts["everything else of `simulate`"] -= parts["sampling"]
        chunks = chunks_of(study, ensemble, block, results)
        timed("checksums", lambda: [digest(value) for value in chunks.values()])()
        encoded = timed("encoding", lambda: {name: encode(value) for name, value in chunks.items()})()
        timed("writing, time on the clock", storage.write_many, clock=time.perf_counter)(encoded)
        timed("receipt, time on the clock", storage.create, clock=time.perf_counter)(block.receipt, bytes(8000))
        timed("tally", Tally.of)(study, block.rows, results.values)
    return Parts(start, rows, parts, sum(map(len, encoded.values())))


def rows(found: list[list[Parts]]) -> list[tuple[str, ...]]:
    """Table: part, and for each kind of block its time and share, medians of the turns."""
    table = []
    middle = [{name: median(each.parts[name] for each in turns) for name in turns[0].parts} for turns in found]
    for name in middle[0]:
        table.append(
            (
                name,
                *(
                    text
                    for parts in middle
                    for text in (f"{parts[name] * 1e3:.1f}", f"{parts[name] / sum(parts.values()):.2%}")
                ),
            )
        )
    return table
