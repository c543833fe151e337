"""Is a store what it says: complete, undamaged, and what the code computes?"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.abc.store import Store
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from study.blocks import chunks_of
from study.config import Study
from study.ensemble import ROOT, Block, Ensemble, chunk_key, decode, digest, lay_out, read_metadata, reading
from study.errors import EnsembleError
from study.pick_freeze import MixedStudy
from study.provenance import code_fingerprint
from study.simulation import simulate
from study.storage import Storage
from study.sweep import SweptStudy
from study.traces import PLACE

_STRUCTURE = (
    "node_type",
    "shape",
    "data_type",
    "fill_value",
    "chunk_grid",
    "chunk_key_encoding",
    "codecs",
    "dimension_names",
)


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
    study = stored_study(storage)
    with reading(storage):
        metadata = read_metadata(storage)
        attributes = metadata["attributes"]
        if study.fingerprint() != attributes.get("fingerprint"):
            raise EnsembleError(
                f"{storage}: the study in it is not the one that it was made from: it was tampered with"
            )
        same_code = attributes.get("code_fingerprint") == code_fingerprint()
        arrays, problems = _metadata(storage, study, ensemble, metadata, same_code=same_code)
        received = ensemble.received()
        found = Verification(missing=sum(1 for _ in ensemble.blocks()) - len(received), problems=problems)
        if found.missing:
            found.problems.append(f"{found.missing} of {found.missing + len(received)} blocks are missing")
        receipts: dict[int, dict[str, Any]] = {}
        for number, block in enumerate(received):
            progress("checking", number, len(received))
            try:
                (receipts[block.index],) = ensemble.receipts([block])
            except EnsembleError as error:
                found.problems.append(f"block {block.index}: {str(error).removeprefix(f'{storage}: ')}")
                continue
            found.problems += damaged(storage.read, block, receipts[block.index], chunks_in(study, arrays, block))
            found.checked += 1
    if blocks and not same_code:
        raise EnsembleError(
            f"{storage}: made by another version of hotland, so no block can be computed again; --blocks 0 checks the "
            "checksums alone" + ("".join(f"\n  {problem}" for problem in found.problems[:10]))
        )
    chosen = np.random.default_rng(seed).permutation(list(receipts))[:blocks].tolist()
    for number, index in enumerate(sorted(chosen)):
        progress("computing again", number, len(chosen))
        found.problems += _different(study, ensemble, ensemble.block(index), receipts[index])
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
        resolved = json.loads(attributes["study"])
        kind = MixedStudy if "mixed" in resolved else SweptStudy if "designs" in resolved else Study
        return kind.model_validate(resolved)
    except Exception as error:  # it may hold anything
        said = str(error).splitlines()[0][:200]
        raise EnsembleError(f"{storage}: the study in it cannot be read: {said}") from error


def _metadata(
    storage: Storage, study: Study, ensemble: Ensemble, metadata: dict[str, Any], *, same_code: bool
) -> tuple[dict[str, Any], list[str]]:
    """Metadata of the arrays as it has to be, by name, and what is wrong with the store's, in words.

    What other code laid out is compared with itself alone: its root, and each array's own.
    """
    objects = lay_out(study, ensemble.block_size, {})
    stored = dict(metadata["consolidated_metadata"]["metadata"])
    expected = json.loads(objects[ROOT])["consolidated_metadata"]["metadata"] if same_code else stored
    problems = [f"{ROOT}: {name} is none of the study's variables" for name in sorted(stored.keys() - expected.keys())]
    for name, right in sorted(expected.items()):
        of_array = f"{name}/{ROOT}"
        try:
            own = dict(json.loads(storage.read(of_array)))
        except (FileNotFoundError, ValueError, TypeError, RecursionError) as error:
            problems.append(f"{of_array} cannot be read: {type(error).__name__}")
            own = right
        for place, found in ((ROOT, stored.get(name)), (of_array, own)):
            if found is None:
                problems.append(f"{place}: {name} is missing")
                continue
            wrong = [key for key in _STRUCTURE if found.get(key) != right.get(key)]
            wrong += ["units"] if _units(found) != _units(right) else []
            problems += [f"{place}: the {key} of {name} is not as it was laid out" for key in wrong]
    if int(stored["sample"]["shape"][0]) != study.samples:
        problems.append(f"{ROOT}: laid out for {stored['sample']['shape'][0]} samples, its study has {study.samples}")
    buffer = default_buffer_prototype().buffer
    laid_out = MemoryStore({name: buffer.from_bytes(data) for name, data in objects.items()})
    for name in filter(_coordinate, expected):
        try:
            same = np.array_equal(_values(storage.zarr(), name), _values(laid_out, name))
            fault = "" if same else "is not what was written"
        except (ConnectionError, MemoryError):
            raise
        except Exception as error:  # whatever a damaged chunk brings about
            fault = f"cannot be read: {_brief(error)}"
        problems += [f"{name} {fault}"] if fault else []
    return {name: array for name, array in expected.items() if array["node_type"] == "array"}, problems


def _coordinate(name: str) -> bool:
    """Whether no block holds it."""
    return name in ("winter", *(f"{PLACE}/{each}" for each in ("sample", "winter", "time")))


def _units(array: dict[str, Any]) -> object:
    return dict(array.get("attributes") or {}).get("units")


def _values(store: Store, name: str) -> NDArray[np.generic]:
    return np.asarray(zarr.open_array(store, path=name, mode="r", zarr_format=3)[...])


def chunks_in(study: Study, arrays: dict[str, Any], block: Block) -> dict[str, tuple[tuple[int, ...], str]]:
    """Shape and type of all chunks of a block, by name."""
    traced = study.traces.rows if study.traces else np.array([], dtype=np.int64)
    traces = np.flatnonzero((block.start <= traced) & (traced < block.stop)).tolist()
    chunks = {}
    for name, array in arrays.items():
        dimensions = len(array["shape"])
        if _coordinate(name):
            continue
        shape = tuple(array["chunk_grid"]["configuration"]["chunk_shape"])
        for place in [block.index] if "/" not in name else traces:
            chunks[f"{name}/{chunk_key(place, dimensions)}"] = (shape, str(array["data_type"]))
    return chunks


def damaged(
    read: Callable[[str], bytes], block: Block, receipt: dict[str, Any], chunks: dict[str, tuple[tuple[int, ...], str]]
) -> list[str]:
    """What is wrong with the chunks of a block, in words; `read` is that of `study.storage.Storage`."""
    digests, problems = receipt["sha256"], []
    if (receipt.get("start"), receipt.get("stop")) != (block.start, block.stop):
        problems.append("the receipt is of other rows")
    problems += [f"the receipt does not cover {name}" for name in sorted(chunks.keys() - digests.keys())]
    problems += [f"the receipt covers {name!r}, which is not of it" for name in sorted(digests.keys() - chunks.keys())]
    for name, (shape, kind) in chunks.items():
        try:
            values = decode(read(name), shape, kind)
            if digest(values) != digests.get(name, digest(values)):
                problems.append(f"{name} is not what was written")
            elif name.startswith("status/"):
                failed = {block.start + row for row in np.flatnonzero(values).tolist()}
                if failed != receipt["failed"].keys():
                    problems.append("the receipt names other failed rows than the status of its samples")
        except FileNotFoundError:
            problems.append(f"{name} is not there")
        except (ConnectionError, MemoryError):
            raise
        except Exception as error:  # whatever a damaged chunk brings about
            problems.append(f"{name} cannot be read: {_brief(error)}")
    return [f"block {block.index}: {problem}" for problem in problems]


def _different(study: Study, ensemble: Ensemble, block: Block, receipt: dict[str, Any]) -> list[str]:
    results = simulate(study, block.rows)
    again = chunks_of(study, ensemble, block, results)
    different = [name for name, values in again.items() if receipt["sha256"].get(name) != digest(values)]
    if {block.start + row: reason for row, reason in results.reasons.items()} != receipt["failed"]:
        different.append("why rows failed")
    return [f"block {block.index}: {what} is not what is computed now" for what in different]


def _brief(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error)[:100]}".splitlines()[0]
