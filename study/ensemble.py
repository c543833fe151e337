"""The ensemble: one Zarr store with a row for each sample, filled block by block.

The store is laid out once at full size. A *block* is a range of rows and one chunk of every variable, so that two
writers never share one; it is always computed in full, the last one beyond the samples asked for, so that every object
of a store has one possible content, whoever writes it, and however late. A block counts once its receipt is there:
created last and exclusively, after all its chunks are durable, with checksums of what it covers. Readers see received
blocks only; whatever is killed at whatever moment, the rest is computed again, to the same bits.
"""

import errno
import hashlib
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec
from zarr.core.buffer import Buffer, default_buffer_prototype
from zarr.storage import MemoryStore, WrapperStore

from study.config import NOT_OF_THE_ROWS, Study, flatten, variable_name, without_sources
from study.errors import EnsembleError, HotlandError, RunError, StorageError
from study.provenance import code_fingerprint, packages
from study.storage import Storage
from study.traces import PLACE, Traces, trace_arrays
from study.variables import TYPES, sample_variables_of, variable, variables_of

if TYPE_CHECKING:
    import xarray as xr
    from zarr.abc.store import ByteRequest, Store
    from zarr.core.buffer import BufferPrototype

FORMAT = 3
ROOT = "zarr.json"
RECEIPTS = "receipts"
MOST_SAMPLES = 10**9
_KEYS = {"name": "default", "separator": "."}
_CODEC = BloscCodec(cname="zstd", clevel=1, shuffle="shuffle")


@dataclass(frozen=True)
class Block:
    """Rows `start` to `stop` (not included) of an ensemble: block number `index`."""

    index: int
    start: int
    stop: int

    @property
    def rows(self) -> NDArray[np.int64]:
        """Indices of its rows."""
        return np.arange(self.start, self.stop)

    @property
    def receipt(self) -> str:
        """Name of the object that says it is done."""
        return f"{RECEIPTS}/{self.index:08d}.json"


@dataclass(frozen=True)
class Ensemble:
    """A store, laid out for a study.

    Attributes
    ----------
    storage
        Where it is.
    samples
        Rows that it is laid out for.
    block_size
        Rows of a block.
    """

    storage: Storage
    samples: int
    block_size: int

    @classmethod
    def create(cls, storage: Storage, study: Study, *, block_size: int) -> "Ensemble":
        """Lay out a new store for all of a study's samples; it appears in one step, with its root written last.

        Parameters
        ----------
        block_size
            Rows of a block.
        """
        created, versions = datetime.now(UTC).isoformat(timespec="seconds"), packages()
        about = {
            "source": f"hotland {versions['hotland']}, simulation of deep coaxial wells, hour by hour",
            "history": f"{created} laid out by hotland {versions['hotland']}",
            "created": created,
            "fingerprint": study.fingerprint(),
            "code_fingerprint": code_fingerprint(),
            "kernels_fingerprint": code_fingerprint("kernels"),
            "seed": study.seed,
            "block_size": block_size,
            "packages": versions,
        }
        _write(storage, lay_out(study, block_size, about))
        return cls(storage, study.samples, block_size)

    @classmethod
    def open(cls, storage: Storage) -> "Ensemble":
        """Open a store that is there.

        Raises
        ------
        EnsembleError
            When it is not an ensemble of hotland.
        """
        with reading(storage):
            metadata = read_metadata(storage)
            rows = metadata["consolidated_metadata"]["metadata"]["sample"]
            ensemble = cls(storage, int(rows["shape"][0]), int(metadata["attributes"]["block_size"]))
            if not 1 <= ensemble.samples <= MOST_SAMPLES or ensemble.block_size < 1:
                raise ValueError(f"{ensemble.samples} samples in blocks of {ensemble.block_size}")
            if rows["chunk_grid"]["configuration"]["chunk_shape"] != [ensemble.block_size]:
                raise ValueError(f"its chunks are not the blocks of {ensemble.block_size}")
        return ensemble

    def extend(self, study: Study) -> "Ensemble":
        """Lay the store out for a study's samples, more than now.

        The root, written last, makes it visible in one step; until then readers see no change.
        """
        with reading(self.storage):
            attributes = read_metadata(self.storage)["attributes"]
            about = {key: value for key, value in attributes.items() if key not in _said_by(study)}
            _write(self.storage, lay_out(study, self.block_size, about))
        return Ensemble(self.storage, study.samples, self.block_size)

    def blocks(self) -> Iterator[Block]:
        """All blocks, in order."""
        for index in range(-(-self.samples // self.block_size)):
            yield self.block(index)

    def block(self, index: int) -> Block:
        """Block of that number; the last one may go beyond the samples."""
        return Block(index, index * self.block_size, (index + 1) * self.block_size)

    def counted(self, block: Block) -> int:
        """Rows of a block that are samples of the study."""
        return min(block.stop, self.samples) - block.start

    def received(self) -> list[Block]:
        """Blocks that are done, in order."""
        with reading(self.storage):
            names = [name for name in self.storage.names(RECEIPTS) if re.fullmatch(r"[0-9]{8}\.json", name)]
            blocks = [self.block(int(name.removesuffix(".json"))) for name in names]
        return [block for block in blocks if block.start < self.samples]

    def receipts(self, blocks: list[Block]) -> list[dict[str, Any]]:
        """Receipts of blocks that are done: `block`, `start`, `stop`, `sha256` by variable, `failed` rows, and more.

        Raises
        ------
        EnsembleError
            When one is damaged.
        """
        receipts = []
        for block, data in zip(blocks, self.storage.read_many(block.receipt for block in blocks), strict=True):
            try:
                receipt = dict(json.loads(data))
                failed = {int(row): str(reason) for row, reason in dict(receipt["failed"]).items()}
                if receipt["block"] != block.index or not all(block.start <= row < block.stop for row in failed):
                    raise ValueError("it is another block's")
                receipts.append(receipt | {"failed": failed, "sha256": dict(receipt["sha256"])})
            except (ValueError, TypeError, KeyError, RecursionError) as error:
                raise EnsembleError(
                    f"{self.storage}: the receipt {block.receipt} is damaged ({str(error)[:100]}); once it is removed, "
                    "`hotland run` computes its block again"
                ) from error
        return receipts

    def chunks(
        self, block: Block, values: Mapping[str, NDArray[np.generic]], traces: Traces | None = None
    ) -> dict[str, NDArray[np.generic]]:
        """Numbers of all chunks of a block, by the name of the object.

        Parameters
        ----------
        values
            By variable, (row,) or (row, winter), for all rows of the block.
        traces
            Series of the samples in the block that have some.

        Raises
        ------
        RuntimeError
            When values are not those of its rows.
        """
        data = {name: np.ascontiguousarray(value, dtype=TYPES.get(name, "float64")) for name, value in values.items()}
        for name, value in data.items():
            if len(value) != self.block_size:
                raise RuntimeError(f"block {block.index}: {name} has {len(value)} rows, not {self.block_size}")
        chunks = {f"{name}/{chunk_key(block.index, value.ndim)}": value for name, value in data.items()}
        for name, place, series in traces.chunks() if traces else ():
            chunks[f"{PLACE}/{name}/{chunk_key(place, series.ndim)}"] = series
        return chunks

    def commit(
        self,
        block: Block,
        chunks: Mapping[str, NDArray[np.generic]],
        reasons: Mapping[int, str],
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Write a block and its receipt. Doing so again is harmless: the bits are the same, or it is an error.

        Parameters
        ----------
        chunks
            As of `chunks`.
        reasons
            Why rows failed, by row of the ensemble.
        about
            What else the receipt says.

        Raises
        ------
        RunError
            When the block has been received with other bits.
        OSError
            When it cannot be written.
        """
        if self.storage.exists(block.receipt):
            self._compare(block, {name: digest(value) for name, value in chunks.items()})
            return
        objects = {name: encode(value) for name, value in chunks.items()}
        self.receive(block, objects, {name: digest(value) for name, value in chunks.items()}, reasons, about)

    def receive(
        self,
        block: Block,
        objects: Mapping[str, bytes],
        digests: dict[str, str],
        reasons: Mapping[int, str],
        about: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the objects of a block, `encode`d, with the `digest` of each, and then its receipt; as `commit`."""
        self.storage.write_many(objects)
        receipt = {"block": block.index, "start": block.start, "stop": block.stop, "sha256": digests}
        receipt |= {"failed": {str(row): reason for row, reason in reasons.items()}, **(about or {})}
        try:
            self.storage.create(block.receipt, json.dumps(receipt).encode())
        except FileExistsError:
            self._compare(block, digests)

    def _compare(self, block: Block, digests: dict[str, str]) -> None:
        (receipt,) = self.receipts([block])
        different = [name for name in digests if receipt["sha256"].get(name) != digests[name]]
        if different:
            raise RunError(
                f"{self.storage}: block {block.index} was computed twice, with different bits ({different[0]}), first "
                f"on {receipt.get('machine')}: machines or versions differ, or the store was tampered with"
            )


def chunk_key(place: int, dimensions: int) -> str:
    """Name of a chunk within its variable: at some place of the first dimension, the whole of the others."""
    return ".".join(["c", str(place), *["0"] * (dimensions - 1)])


def digest(values: NDArray[np.generic]) -> str:
    """SHA-256 of numbers, little-endian, in order."""
    return hashlib.sha256(np.ascontiguousarray(values).data).hexdigest()


def encode(values: NDArray[np.generic]) -> bytes:
    """Numbers as a chunk of a variable."""
    chunks, array = _chunk(values.shape, values.dtype.str)
    array[...] = values
    return chunks[chunk_key(0, values.ndim)].to_bytes()


def decode(data: bytes, shape: tuple[int, ...], kind: str) -> NDArray[np.generic]:
    """Numbers of a chunk of a variable; any exception may mean that it is damaged."""
    chunks, array = _chunk(shape, np.dtype(kind).str)
    chunks[chunk_key(0, len(shape))] = default_buffer_prototype().buffer.from_bytes(data)
    return np.asarray(array[...])


@lru_cache(maxsize=16)
def _chunk(shape: tuple[int, ...], kind: str) -> tuple[dict[str, Buffer], "zarr.Array[Any]"]:
    """An array of one chunk in memory, and where its bytes appear."""
    objects: dict[str, Buffer] = {}
    array = zarr.create_array(
        MemoryStore(objects),
        shape=shape,
        chunks=shape,
        dtype=kind,
        compressors=_CODEC,
        chunk_key_encoding=_KEYS,  # type: ignore[arg-type]
        config={"write_empty_chunks": True},
    )
    return objects, array


_FIRST = ("title", "description", "summary", "accounting", "source", "history", "Conventions", "created", "seed")
_LAST = ("packages", "study")


def _said_by(study: Study) -> dict[str, Any]:
    """Attributes that say which study it is."""
    return {
        "title": f"hotland ensemble of the study {study.name!r}",
        **({"description": study.description} if study.description else {}),
        "summary": (
            f"{study.samples:,} samples ({study.design}) of {len(study.uncertain)} uncertain inputs, "
            f"each over {study.winters} winters"
        ),
        "accounting": study.carbon.words,
        "Conventions": "CF-1.11",
        "hotland_format": FORMAT,
        "coordinates": "replicate",
        "study": json.dumps(study.resolved()),
    }


def _in_order(attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Attributes of a store as people read them: what they look for first, what is long last."""
    names = [*(name for name in _FIRST if name in attributes)]
    names += [name for name in attributes if name not in (*_FIRST, *_LAST)]
    return {name: attributes[name] for name in (*names, *(name for name in _LAST if name in attributes))}


def lay_out(study: Study, block_size: int, about: Mapping[str, Any]) -> dict[str, bytes]:
    """Metadata of a store for a study, by name, and the coordinates that no block holds."""
    objects: dict[str, Buffer] = {}
    rows, winters = study.samples, study.winters
    group = zarr.create_group(MemoryStore(objects), attributes=_in_order({**_said_by(study), **about}))
    inputs = {
        variable_name(key): variable(item.cf_unit, f"{item.description} ({key})")
        for key, item in study.uncertain.items()
    }
    of_winters = variables_of(study)
    for name, attributes in ({**inputs, **sample_variables_of(study), **of_winters}).items():
        by_winter = name in of_winters
        kind = TYPES.get(name, "float64")
        group.create_array(
            name,
            shape=(rows, winters) if by_winter else (rows,),
            chunks=(block_size, winters) if by_winter else (block_size,),
            dtype=kind,
            fill_value=np.nan if kind == "float64" else -1,
            dimension_names=("sample", "winter") if by_winter else ("sample",),
            compressors=_CODEC,
            chunk_key_encoding=_KEYS,  # type: ignore[arg-type]
            attributes=attributes,
        )
    winter = group.create_array(
        "winter",
        shape=(winters,),
        chunks=(winters,),
        dtype="int16",
        dimension_names=("winter",),
        chunk_key_encoding=_KEYS,  # type: ignore[arg-type]
        attributes=variable("1", "heating season, the first one being 1"),
    )
    winter[:] = np.arange(1, winters + 1)
    traces = trace_arrays(study)
    place = group.create_group(PLACE) if traces else group
    for each in traces:
        series = place.create_array(
            each.name,
            shape=each.shape,
            chunks=each.chunks,
            dtype=each.dtype,
            fill_value=each.fill_value,
            dimension_names=each.dimensions,
            compressors=_CODEC,
            chunk_key_encoding=_KEYS,  # type: ignore[arg-type]
            attributes=each.attributes,
        )
        if each.values is not None:
            series[...] = each.values
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Consolidated metadata is currently not part", category=UserWarning)
        zarr.consolidate_metadata(group.store)
    return {name: buffer.to_bytes() for name, buffer in objects.items()}


def _write(storage: Storage, objects: dict[str, bytes]) -> None:
    """Write the objects of a layout, the root last."""
    storage.write_many({name: data for name, data in objects.items() if name != ROOT})
    storage.write(ROOT, objects[ROOT])


@contextmanager
def reading(*stores: Storage | str) -> Iterator[None]:
    """Turn whatever a damaged store brings about into one message: its objects may hold anything.

    What is wrong with anything else is told by errors of hotland's own, which pass.
    """
    try:
        yield
    except (HotlandError, ConnectionError):
        raise
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):  # what is written meanwhile
            raise StorageError(f"the output cannot be written: {error.strerror}") from error
        text = str(error).splitlines()[0][:200] if str(error) else ""
        names, which = ", ".join(map(str, stores)), "the store" if len(stores) == 1 else "one of them"
        raise EnsembleError(
            f"{names}: {which} is damaged: {type(error).__name__}: {text}; `hotland verify` tells what is, and if "
            "nothing is, the fault is hotland's"
        ) from error


def read_metadata(storage: Storage, *, of_format: int = FORMAT) -> dict[str, Any]:
    """The store's own metadata.

    Raises
    ------
    EnsembleError
        When it is none of hotland's, or of another format.
    """
    try:
        metadata = json.loads(storage.read(ROOT))
        form = metadata["attributes"]["hotland_format"]
        if not isinstance(form, int):
            raise TypeError(form)
    except (FileNotFoundError, NotADirectoryError):
        raise EnsembleError(f"{storage}: there is no ensemble here") from None
    except ConnectionError:
        raise
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise EnsembleError(f"{storage}: this is not an ensemble of hotland") from error
    if form > of_format:
        raise EnsembleError(f"{storage}: made by a newer hotland (format {form}, this one reads format {of_format})")
    if form == of_format:
        return dict(metadata)
    if form == 2:
        raise EnsembleError(
            f"{storage}: made by an older hotland (format {form}, this one reads format {of_format}); "
            f"`hotland migrate {storage}` brings it up to date, with every row it has"
        )
    raise EnsembleError(
        f"{storage}: made by an older hotland, without all that this one tells of a winter (format {form}, this one "
        f"reads format {of_format}); run the study again, into another --output"
    )


def _brief(value: object) -> str:
    """A value as a message shows it: of a recorded climate no more than its beginning."""
    text = str(value)
    return text if len(text) <= 80 else f"{text[:60]}..."


def refuse_other_study(storage: Storage, study: Study) -> None:
    """Raise EnsembleError when a store was made from another study, or by code that computes other bits."""
    with reading(storage):
        attributes = read_metadata(storage)["attributes"]
        same_study = attributes["fingerprint"] == study.fingerprint()
        same_code = attributes["code_fingerprint"] == code_fingerprint()
        made_by = attributes["packages"]["hotland"]
        there, here = (flatten(without_sources(s)) for s in (json.loads(attributes["study"]), study.resolved()))
    if not same_study:
        keys = [key for key in sorted(there | here) if there.get(key) != here.get(key)]
        keys = [key for key in keys if key.partition(".")[0] not in NOT_OF_THE_ROWS]
        values = ((key, *(_brief(side.get(key, "not given")) for side in (there, here))) for key in keys)
        lines = [f"  {key}: {old} in the store, {new} in the study" for key, old, new in values]
        if len(lines) > 10:
            lines = [*lines[:9], f"  and {len(lines) - 9} more"]
        first, last = f"{storage}: the store was made from another study, which differs in", "  give another --output"
        raise EnsembleError("\n".join([first, *lines, last]))
    if not same_code:
        raise EnsembleError(
            f"{storage}: the store was made by another version of hotland's kernels (hotland {made_by}), whose rows "
            "differ; give another --output"
        )


class Whole(WrapperStore["Store"]):
    """What received rows are read from: a chunk that is not there is an error, where Zarr would read fill values.

    That costs nothing: no object is asked for that is not read. The row numbers alone are read before it is known which
    blocks are there, and are compared with what they have to be.
    """

    def __init__(self, store: "Store", storage: Storage) -> None:
        super().__init__(store)
        self.storage = storage

    @classmethod
    def of(cls, storage: Storage) -> "Whole":
        """Reader of a store."""
        return cls(storage.zarr(), storage)

    def _with_store(self, store: "Store") -> "Whole":
        return Whole(store, self.storage)

    async def get(
        self, key: str, prototype: "BufferPrototype", byte_range: "ByteRequest | None" = None
    ) -> Buffer | None:
        found = await super().get(key, prototype, byte_range)
        if found is None and re.search(r"/c(\.[0-9]+)+$", key) and not key.startswith("sample/"):
            raise EnsembleError(
                f"{self.storage}: the store is damaged: {key} is not there; `hotland verify` tells of which block it "
                "is, and once that block's receipt is removed `hotland run` computes it again"
            )
        return found


def open_ensemble(store: str | Path) -> "xr.Dataset":
    """Open an ensemble: its received rows, lazily.

    Parameters
    ----------
    store
        Folder of the store, or its address in an object store.

    Returns
    -------
    Dataset with dimensions `sample`, the keys that the study sweeps if any, and `winter`; `status` is 0 where a sample
    ended well and `reason` says why it did not.

    Raises
    ------
    EnsembleError
        When there is no ensemble, or it is damaged or of another format.
    StorageError
        When the address is none, or access is denied.
    """
    storage = Storage.at(store)
    with reading(storage):
        attributes = read_metadata(storage)["attributes"]
        resolved = json.loads(attributes["study"])
        if "designs" in resolved:
            from study.sweep import SweptStudy, unfold

            return unfold(open_rows(storage), SweptStudy.model_validate(resolved))
        if "mixed" in resolved:
            raise EnsembleError(
                f"{storage}: its rows extend an ensemble and are none by themselves; give the ensemble beside it to "
                "`hotland sensitivity`"
            )
    return open_rows(storage)


def open_rows(storage: Storage) -> "xr.Dataset":
    """Open a store as `open_ensemble` does, whatever its rows are."""
    import xarray as xr  # slow to import, and not needed to write an ensemble

    from study import reasons

    ensemble = Ensemble.open(storage)
    blocks = ensemble.received()  # first: what is received later may be seen, what is not yet there may not
    receipts = ensemble.receipts(blocks)
    with reading(storage):
        dataset = xr.open_zarr(Whole.of(storage), consolidated=True, chunks=None)
        failed = {row: text for receipt in receipts for row, text in receipt["failed"].items()}
        dataset["reason"] = reasons.variable(dataset.sizes["sample"], failed)
        dataset.attrs = _in_order(dataset.attrs)
        if isinstance(versions := dataset.attrs.get("packages"), dict):  # in words: NetCDF has no attribute in parts
            dataset.attrs["packages"] = ", ".join(f"{name} {number}" for name, number in versions.items())
        rows = np.concatenate([block.rows for block in blocks] or [np.array([], dtype=np.int64)])
        rows = rows[rows < ensemble.samples]
        if len(rows) < dataset.sizes["sample"]:
            dataset = dataset.isel(sample=rows)
        if not np.array_equal(dataset["sample"].values, rows):
            raise ValueError("its row numbers are not what was written, or not there")
    return dataset
