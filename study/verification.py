"""Is a store what it says: complete, undamaged, and what the code computes?"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.config import Study
from study.engine import chunks_of
from study.ensemble import Block, Ensemble, decode, digest, read_metadata
from study.errors import EnsembleError, HotlandError
from study.provenance import code_fingerprint
from study.simulation import simulate
from study.storage import Storage


@dataclass
class Verification:
    """What was found.

    Attributes
    ----------
    missing
        Blocks that are not done.
    checked
        Blocks whose chunks were read and compared with their checksums.
    recomputed
        Blocks that were computed again and compared bit by bit.
    problems
        In words; none if all is well.
    """

    missing: int = 0
    checked: int = 0
    recomputed: list[int] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def verify(
    store: str,
    *,
    blocks: int = 3,
    seed: int = 0,
    progress: Callable[[str, int, int], None] = lambda _what, _done, _total: None,
) -> Verification:
    """Check that a store is complete, that every chunk has its checksum, and that some blocks compute to the same bits.

    Parameters
    ----------
    blocks
        How many blocks to compute again, chosen at random.
    seed
        Of that choice.
    progress
        Told what is done, how often, and how often in all.

    Raises
    ------
    EnsembleError
        When it is no store that can be checked: not an ensemble, damaged beyond reading, or made by other code.
    """
    storage = Storage.at(store)
    ensemble = Ensemble.open(storage)
    metadata = read_metadata(storage)
    study = stored_study(storage)
    if study.fingerprint() != metadata["attributes"].get("fingerprint"):
        raise EnsembleError(f"{storage}: the study in it is not the one that it was made from: it was tampered with")
    kinds = {
        name: (tuple(array["chunk_grid"]["configuration"]["chunk_shape"]), str(array["data_type"]))
        for name, array in metadata["consolidated_metadata"]["metadata"].items()
        if array["node_type"] == "array"
    }
    received = ensemble.received()
    found = Verification(missing=sum(1 for _ in ensemble.blocks()) - len(received))
    if found.missing:
        found.problems.append(f"{found.missing} of {found.missing + len(received)} blocks are missing")
    digests: dict[int, dict[str, str]] = {}
    for number, block in enumerate(received):
        progress("checking", number, len(received))
        try:
            (receipt,) = ensemble.receipts([block])
        except HotlandError as error:
            found.problems.append(f"block {block.index}: {str(error).partition(': ')[2]}")
            continue
        digests[block.index] = receipt["sha256"]
        found.problems += _damaged(storage, block, receipt["sha256"], kinds)
        found.checked += 1
    same_code = metadata["attributes"].get("code_fingerprint") == code_fingerprint()
    if blocks and not same_code:
        raise EnsembleError(
            f"{storage}: made by another version of hotland, so no block can be computed again; --blocks 0 checks the "
            "checksums alone" + ("".join(f"\n  {problem}" for problem in found.problems[:10]))
        )
    chosen = np.random.default_rng(seed).permutation([block.index for block in received])[:blocks].tolist()
    for number, index in enumerate(sorted(chosen)):
        progress("computing again", number, len(chosen))
        found.problems += _different(study, ensemble, ensemble.block(index), digests.get(index, {}))
        found.recomputed.append(index)
    return found


def stored_study(storage: Storage) -> Study:
    """Return the study that a store was made from.

    Raises
    ------
    EnsembleError
        When there is none, or it is none that this code knows.
    """
    attributes = read_metadata(storage)["attributes"]
    try:
        return Study.model_validate(json.loads(attributes["study"]))
    except Exception as error:  # it may hold anything
        said = str(error).splitlines()[0][:200]
        raise EnsembleError(f"{storage}: the study in it cannot be read: {said}") from error


def _damaged(storage: Storage, block: Block, digests: dict[str, Any], kinds: dict[str, Any]) -> list[str]:
    expected = {name for name in kinds if "/" not in name and name != "winter"}
    left_out = sorted(expected - {name.rpartition("/")[0] for name in digests})
    problems = [f"block {block.index}: the receipt does not cover {name}" for name in left_out]
    for name, expected_digest in digests.items():
        try:
            shape, kind = kinds[name.rpartition("/")[0]]
            values: NDArray[np.generic] = decode(storage.read(name), tuple(shape), kind)
            fault = "" if digest(values) == expected_digest else "is not what was written"
        except FileNotFoundError:
            fault = "is not there"
        except (ConnectionError, MemoryError):
            raise
        except Exception as error:  # whatever a damaged chunk brings about
            fault = f"cannot be read: {type(error).__name__}: {str(error)[:100]}"
        if fault:
            problems.append(f"block {block.index}: {name} {fault}")
    return problems


def _different(study: Study, ensemble: Ensemble, block: Block, digests: dict[str, str]) -> list[str]:
    again = chunks_of(study, ensemble, block, simulate(study, block.rows))
    return [
        f"block {block.index}: {name} is not what is computed now"
        for name, values in again.items()
        if digests.get(name) != digest(values)
    ]
