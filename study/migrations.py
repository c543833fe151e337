"""Stores of older formats, brought to the present one in place: new objects first, the root last, then the old ones go.

Until the root is replaced, which is one step, the store is of the old format with all that it had; from then on it is
of the new one. Killed at any moment, the same command goes on. It takes as much room again as the store has.

Format 2 held a block in chunks ``<variable>/c/<block>`` and a receipt for each length that it has had, with CRC-32 of
the rows so far. Format 3 knows whole blocks only. Rows of a block beyond its receipt (beyond the samples, or of an
extension that was not finished) are written as failed ones, with a reason; readers clip those beyond the samples. Such
a block has other bits than one computed in full, which harms nobody: the rows of a store are those of the code that
made it, and this code, being another, is refused to add any. For the same reason nothing computes rows again that
fail their checksums: they are left out, and stay where they were, in the old objects.

A hotland of the old format knows no owners: none may be writing to the store meanwhile.
"""

import json
import re
import zlib
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.ensemble import FORMAT, RECEIPTS, ROOT, Block, chunk_key, decode, digest, encode, read_metadata, reading
from study.errors import EnsembleError
from study.runs import Run
from study.storage import Storage

NOT_COMPUTED = "was not computed before the store was brought to another format"


def migrate(store: str) -> str:
    """Bring a store to the present format.

    Returns
    -------
    What was done, in words.

    Raises
    ------
    EnsembleError
        When it is no ensemble, damaged, owned by a run, or of a format that none or no longer leads from.
    StorageError
        When it cannot be written.
    """
    storage = Storage.at(store)
    form = _format(storage)
    if form == FORMAT and not _superseded(storage):
        return f"{storage}: is of the present format {FORMAT}, nothing to do"
    run = Run.begin(storage, {"address": f"migration to format {FORMAT}"})
    state = "failed"
    try:
        with reading(storage):
            form = _format(storage)
            said = [MIGRATIONS[each](storage) for each in range(form, FORMAT)]
            _remove_superseded(storage)
        state = "finished"
    finally:
        run.end(state, {})
    return f"{storage}: {'; '.join(said) if said else f'of format {FORMAT}, what was left of an older one is removed'}"


def _format(storage: Storage) -> int:
    """Format of a store; EnsembleError if none leads from it to the present one."""
    for form in MIGRATIONS:
        with suppress(EnsembleError):
            read_metadata(storage, of_format=form)
            return form
    read_metadata(storage)
    return FORMAT


def _from_2_to_3(storage: Storage) -> str:
    metadata = read_metadata(storage, of_format=2)
    attributes, consolidated = metadata["attributes"], metadata["consolidated_metadata"]
    arrays = consolidated["metadata"]
    samples, block_size = int(arrays["sample"]["shape"][0]), int(attributes["block_size"])
    replicates = int(json.loads(attributes["study"])["replicates"])
    if not all(re.fullmatch(r"\w+", name) for name in arrays):
        raise ValueError("the name of a variable")
    if samples < 1 or block_size < 1 or replicates < 1:
        raise ValueError(f"{samples} samples in blocks of {block_size}, {replicates} replicates")
    old: dict[int, list[str]] = {}
    for name in reversed(_old_receipts(storage)):  # of a block that was extended, the longest first
        if int(name[9:19]) <= samples:
            old.setdefault(int(name[:8]), []).append(name)
    rows, left_out = 0, []
    for index, names in sorted(old.items()):
        block = Block(index, index * block_size, (index + 1) * block_size)
        try:
            values = {name: _values_of_2(storage, name, arrays[name], index) for name in arrays if name != "winter"}
            receipt = _receipt_of_2(storage, names, block, values)
        except (ConnectionError, MemoryError):
            raise
        except Exception as error:  # whatever a damaged chunk or receipt brings about
            left_out.append(f"block {index} ({str(error)[:100] or type(error).__name__})")
            continue
        rows += receipt["stop"] - block.start
        _write_block(storage, block, values, receipt, replicates)
    for name, array in arrays.items():
        array["chunk_key_encoding"] = {"name": "default", "configuration": {"separator": "."}}
        storage.write(f"{name}/{ROOT}", json.dumps(array).encode())
    storage.write(f"winter/{chunk_key(0, 1)}", storage.read(_key_of_2("winter", arrays["winter"], 0)))
    attributes["hotland_format"] = 3
    storage.write(ROOT, json.dumps(metadata).encode())
    said = f"brought from format 2 to 3, {rows:,} rows in {len(old) - len(left_out):,} blocks"
    return said + (f"; left out as damaged: {', '.join(left_out)}" if left_out else "")


def _values_of_2(storage: Storage, name: str, array: Mapping[str, Any], index: int) -> NDArray[np.generic]:
    """Numbers of a chunk; one of fill values alone had no object."""
    shape, kind = tuple(array["chunk_grid"]["configuration"]["chunk_shape"]), str(array["data_type"])
    try:
        return decode(storage.read(_key_of_2(name, array, index)), shape, kind)
    except FileNotFoundError:
        return np.full(shape, float(array["fill_value"]), dtype=kind)


def _receipt_of_2(
    storage: Storage, names: list[str], block: Block, values: Mapping[str, NDArray[np.generic]]
) -> dict[str, Any]:
    """Return the longest receipt whose checksums hold; ValueError if there is none."""
    for data in storage.read_many(f"{RECEIPTS}/{name}" for name in names):
        with suppress(ValueError, KeyError, TypeError, RecursionError):
            receipt = dict(json.loads(data))
            rows = receipt["stop"] - block.start
            sums = {name: zlib.crc32(value[:rows].tobytes()) for name, value in values.items()}
            if receipt["block"] == block.index and 0 < rows <= block.stop - block.start and receipt["crc32"] == sums:
                receipt["failed"] = {str(int(row)): str(reason) for row, reason in receipt["failed"].items()}
                return receipt
    raise ValueError("its checksums do not hold")


def _write_block(
    storage: Storage, block: Block, values: dict[str, NDArray[np.generic]], receipt: Mapping[str, Any], replicates: int
) -> None:
    """Write what was received of a block, filled up with failed rows, and then its receipt."""
    beyond = block.rows[receipt["stop"] - block.start :]
    if len(beyond):
        for name, value in values.items():
            value[-len(beyond) :] = {"sample": beyond, "replicate": beyond % replicates}.get(
                name, np.nan if value.dtype.kind == "f" else -1
            )
    chunks = {f"{name}/{chunk_key(block.index, value.ndim)}": value for name, value in values.items()}
    storage.write_many({name: encode(value) for name, value in chunks.items()})
    record = {
        "block": block.index,
        "start": block.start,
        "stop": block.stop,
        "sha256": {name: digest(value) for name, value in chunks.items()},
        "failed": {**receipt["failed"], **{str(row): NOT_COMPUTED for row in beyond.tolist()}},
    }
    storage.write(block.receipt, json.dumps(record).encode())


def _key_of_2(name: str, array: Mapping[str, Any], index: int) -> str:
    return f"{name}/c/{index}" + "/0" * (len(array["shape"]) - 1)


def _old_receipts(storage: Storage) -> list[str]:
    return [name for name in storage.names(RECEIPTS) if re.fullmatch(r"[0-9]{8}-[0-9]{10}\.json", name)]


def _superseded(storage: Storage) -> list[str]:
    """Receipts of format 2 whose blocks have one of the present format."""
    names = set(storage.names(RECEIPTS))
    return [name for name in _old_receipts(storage) if f"{name[:8]}.json" in names]


def _remove_superseded(storage: Storage) -> None:
    """Remove what a store of format 2 had, after its root is of the present one: a receipt after its chunks."""
    arrays = read_metadata(storage)["consolidated_metadata"]["metadata"]
    for receipt in _superseded(storage):
        for name, array in arrays.items():
            old = _key_of_2(name, array, 0 if name == "winter" else int(receipt[:8]))
            storage.delete(old)
            if storage.path:
                with suppress(OSError):  # other chunks are in it
                    for folder in Path(old).parents[:-2]:
                        (storage.path / folder).rmdir()
        storage.delete(f"{RECEIPTS}/{receipt}")


MIGRATIONS: dict[int, Callable[[Storage], str]] = {2: _from_2_to_3}
"""What brings a store from a format to the next one; returns in words what it did."""
