"""The ensemble: one Zarr store with a row for each sample, filled block by block.

The store is laid out once at full size. A *block* is a range of rows and one chunk of every variable, so that two
writers never share one. A block counts once its receipt is there: created last and exclusively, after all its chunks
are on disk, with checksums of what it covers. Readers see received blocks only; whatever is killed at whatever
moment, the rest is computed again, to the same bits.
"""

import hashlib
import json
import os
import shutil
import uuid
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import zarr
from numpy.typing import NDArray
from zarr.codecs import BloscCodec

from study.config import Study, flatten, variable_name, without_sources
from study.errors import EnsembleError

if TYPE_CHECKING:
    import xarray as xr

FORMAT = 2
RECEIPTS = "receipts"
CODE = (
    "kernels",
    *(
        f"study/{name}.py"
        for name in (
            "config",
            "distributions",
            "fluid",
            "heating",
            "outputs",
            "plant",
            "quantity",
            "sampling",
            "simulation",
            "well_case",
            "wells",
            "winters",
        )
    ),
)
PACKAGES = ("hotland", "numba", "numpy", "ray", "scipy", "xarray", "zarr")

STATUS_MEANINGS = "ok input_out_of_range not_finite energy_imbalance"


@dataclass(frozen=True)
class Block:
    """Rows `start` to `stop` (not included) of an ensemble: block number `index`."""

    index: int
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    @property
    def rows(self) -> NDArray[np.int64]:
        """Indices of its rows."""
        return np.arange(self.start, self.stop)

    @property
    def receipt(self) -> str:
        """Name of the file that says it is done."""
        return f"{self.index:08d}-{self.stop:010d}.json"


def _variable(units: str, long_name: str, **attributes: str) -> dict[str, Any]:
    return {"units": units, "long_name": long_name, **attributes}


_AIR = {"standard_name": "air_temperature"}
VARIABLES: dict[str, dict[str, Any]] = {
    "carbon_reduction": _variable("t CO2", "carbon reduction against the baseline"),
    "carbon_baseline": _variable("t CO2", "emissions of the replaced heat supply, its network loss included"),
    "carbon_electricity": _variable("t CO2", "emissions of the electricity used"),
    "carbon_peak_fuel": _variable("t CO2", "emissions of the fuel of the peak heating"),
    "carbon_refrigerant": _variable("t CO2", "emissions of lost refrigerant, as CO2 equivalent"),
    "carbon_embodied": _variable("t CO2", "emissions of building the wells, spread over their lifetime"),
    "grid_emission_factor": _variable("t CO2 MWh-1", "location-based emission factor of electricity"),
    "heat_demand": _variable("MWh", "heat demand, what rooms caught up with included"),
    "heat_delivered": _variable("MWh", "heat delivered by heat pumps and peak heating"),
    "heat_unmet": _variable("MWh", "heat demanded but not delivered"),
    "heat_backup": _variable("MWh", "heat delivered by peak and reserve heating"),
    "heat_reserve": _variable("MWh", "heat delivered by the reserve heating alone"),
    "heat_extracted": _variable("MWh", "heat taken from the wells"),
    "heat_recharged": _variable("MWh", "heat put into the wells in the summer after the winter"),
    "heat_storage_loss": _variable("MWh", "heat lost from the tank"),
    "electricity": _variable("MWh", "electricity of heat pumps, circulation and peak heating"),
    "electricity_compressor": _variable("MWh", "electricity of the heat pumps' compressors"),
    "electricity_circulation": _variable("MWh", "electricity of the circulation pumps, wells and building circuit"),
    "electricity_backup": _variable("MWh", "electricity of electric peak heating"),
    "unmet_hours": _variable("h", "hours in which heat falls short"),
    "shortfalls": _variable("1", "spells of hours in which heat falls short"),
    "longest_shortfall": _variable("h", "longest spell in which heat falls short", cell_methods="winter: maximum"),
    "worst_shortfall": _variable("MW", "largest heat flow that falls short", cell_methods="winter: maximum"),
    "heating_reliability": _variable("1", "delivered over demanded heat"),
    "peak_heating_share": _variable("1", "heat of peak and reserve heating over delivered heat"),
    "indoor_temperature_min": _variable("degC", "lowest indoor temperature", cell_methods="winter: minimum", **_AIR),
    "cold_hours": _variable("h", "hours colder indoors than comfort and schedule ask, by 0.1 K or more"),
    "cold_degree_hours": _variable("K h", "kelvins below what comfort and schedule ask, summed over the hours"),
    "inlet_temperature_min": _variable(
        "degC", "lowest temperature of the water entering the wells", cell_methods="winter: minimum"
    ),
    "inlet_limit_hours": _variable("h", "hours in which the lowest allowed inlet temperature limits the heat pumps"),
    "outage_hours": _variable("h", "hours in which any unit is out"),
    "outlet_temperature_mean": _variable(
        "degC", "mean temperature of the water leaving the wells", cell_methods="winter: mean"
    ),
    "thermal_interference": _variable("K", "ground at the wells colder for the other wells, at the end of the season"),
    "coldest_well_penalty": _variable(
        "K", "ground at the coldest well colder than at the mean well, equal heat from all, at the end of the season"
    ),
    "loop_temperature_mean": _variable(
        "degC", "mean temperature of the water entering and leaving the wells", cell_methods="winter: mean"
    ),
    "outdoor_temperature_mean": _variable("degC", "mean outdoor temperature", cell_methods="winter: mean", **_AIR),
    "outdoor_temperature_min": _variable("degC", "lowest outdoor temperature", cell_methods="winter: minimum", **_AIR),
}
"""Variables of (sample, winter)."""

SAMPLE_VARIABLES: dict[str, dict[str, Any]] = {
    "energy_imbalance": _variable("1", "energy not accounted for over the life, relative to the heat from the rock"),
    "largest_unit_out_share": _variable("1", "installed capacity without the largest unit, over the design load"),
    "replicate": _variable("1", "independent replicate of the design that the sample belongs to"),
    "sample": _variable("1", "row of the design"),
    "status": _variable("1", "how the sample ended", flag_meanings=STATUS_MEANINGS) | {"flag_values": [0, 1, 2, 3]},
}
_TYPES = {"replicate": "int16", "sample": "int64", "status": "int8"}


def code_fingerprint() -> str:
    """SHA-256 of the source that determines the bits of a row."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(
        file for part in CODE for file in ([root / part] if part.endswith(".py") else (root / part).glob("*.py"))
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()


@dataclass(frozen=True)
class Ensemble:
    """A store on disk, laid out for a study.

    Attributes
    ----------
    path
        The store's folder.
    samples
        Rows that it is laid out for.
    block_size
        Rows of a block.
    """

    path: Path
    samples: int
    block_size: int

    @classmethod
    def create(cls, path: Path, study: Study, *, block_size: int) -> "Ensemble":
        """Lay out a new store for all of a study's samples; it appears at `path` in one step.

        Raises
        ------
        EnsembleError
            When the folder cannot be made.
        """
        draft = path.with_name(f".{path.name}.{uuid.uuid4().hex}")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            _lay_out(draft, study, block_size)
            (draft / RECEIPTS).mkdir()
            draft.rename(path)
        except OSError as error:
            raise EnsembleError(f"{path}: cannot be written: {error.strerror or error}") from error
        finally:
            shutil.rmtree(draft, ignore_errors=True)
        return cls(path, study.samples, block_size)

    @classmethod
    def open(cls, path: Path) -> "Ensemble":
        """Open a store that is there.

        Raises
        ------
        EnsembleError
            When it is not an ensemble of hotland.
        """
        with _reading(path):
            metadata = _metadata(path)
            shape = metadata["consolidated_metadata"]["metadata"]["sample"]["shape"]
            ensemble = cls(path, int(shape[0]), int(metadata["attributes"]["block_size"]))
            if ensemble.samples < 1 or ensemble.block_size < 1:
                raise ValueError(f"{ensemble.samples} samples in blocks of {ensemble.block_size}")
        return ensemble

    def extend(self, study: Study) -> "Ensemble":
        """Lay the store out for a study's samples, more than now.

        The consolidated metadata, written last, makes it visible in one step; until then readers see no change.
        """
        with _reading(self.path):
            for name in zarr.open_group(self.path, mode="r").array_keys():
                if name != "winter":
                    array = zarr.open_array(self.path / name, mode="r+")
                    array.resize((study.samples, *array.shape[1:]))
            zarr.open_group(self.path, mode="r+").attrs["study"] = json.dumps(study.resolved())
            _consolidate(self.path)
        return Ensemble(self.path, study.samples, self.block_size)

    def blocks(self) -> Iterator[Block]:
        """All blocks, in order."""
        for start in range(0, self.samples, self.block_size):
            yield Block(start // self.block_size, start, min(start + self.block_size, self.samples))

    def received(self) -> list[Block]:
        """Blocks that are done; of a block that was extended, the longer one."""
        blocks: dict[int, Block] = {}
        with _reading(self.path):
            for path in sorted((self.path / RECEIPTS).glob("[0-9]*-[0-9]*.json")):
                index, stop = (int(part) for part in path.stem.split("-"))
                if stop <= self.samples:
                    blocks[index] = Block(index, index * self.block_size, stop)
        return list(blocks.values())

    def commit(self, block: Block, values: Mapping[str, NDArray[np.generic]], reasons: Mapping[int, str]) -> None:
        """Write a block and its receipt. Doing so again is harmless: the bits are the same, or it is an error.

        Parameters
        ----------
        values
            By variable, (row,) or (row, winter).
        reasons
            Why rows failed, by row of the ensemble.

        Raises
        ------
        RuntimeError
            When the block has been received with other bits, or does not fit the store.
        """
        group = zarr.open_group(self.path, mode="r+")
        arrays = {name: array for name, array in group.arrays() if name in values}
        data = {name: np.ascontiguousarray(value, dtype=arrays[name].dtype) for name, value in values.items()}
        checksums = {name: zlib.crc32(value.tobytes()) for name, value in data.items()}
        target = self.path / RECEIPTS / block.receipt
        if target.exists():
            self._compare(block, checksums)
            return
        for name, array in arrays.items():
            if array.shape[0] < block.stop:
                raise RuntimeError(f"{self.path}: {name} has no room for block {block.index}")
            array[block.start : block.stop] = data[name]
            _sync(self.path / name / "c" / "/".join([str(block.index), *["0"] * (array.ndim - 1)]))
        receipt = {"block": block.index, "start": block.start, "stop": block.stop, "crc32": checksums}
        receipt["failed"] = {str(row): reason for row, reason in reasons.items()}
        draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}")
        draft.write_text(json.dumps(receipt))
        _sync(draft)
        try:
            os.link(draft, target)
        except FileExistsError:
            self._compare(block, checksums)
        finally:
            draft.unlink()
        _sync(target.parent)

    def _compare(self, block: Block, checksums: dict[str, int]) -> None:
        if json.loads((self.path / RECEIPTS / block.receipt).read_text())["crc32"] != checksums:
            raise RuntimeError(f"{self.path}: block {block.index} was computed twice, with different bits")


def _sync(path: Path) -> None:
    """Have a file or folder on disk; a chunk of nothing but fill values has no file."""
    if path.exists():
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _consolidate(path: Path) -> None:
    """Copy the metadata of all variables into the store's own: one file, replaced in one step."""
    with warnings.catch_warnings():
        for message in ("Consolidated metadata is currently not part", f"Object at {RECEIPTS} is not recognized"):
            warnings.filterwarnings("ignore", message=message, category=UserWarning)
        zarr.consolidate_metadata(path)


def _lay_out(path: Path, study: Study, block_size: int) -> None:
    rows, winters = study.samples, study.winters
    group = zarr.create_group(
        path,
        attributes={
            "Conventions": "CF-1.11",
            "title": f"hotland ensemble of the study {study.name!r}",
            "hotland_format": FORMAT,
            "study": json.dumps(study.resolved()),
            "fingerprint": study.fingerprint(),
            "code_fingerprint": code_fingerprint(),
            "seed": study.seed,
            "block_size": block_size,
            "packages": {name: version(name) for name in PACKAGES},
            "created": datetime.now(UTC).isoformat(timespec="seconds"),
            "coordinates": "replicate",
        },
    )
    codec = BloscCodec(cname="zstd", clevel=1, shuffle="shuffle")
    inputs = {
        variable_name(key): _variable(item.cf_unit, f"{item.description} ({key})")
        for key, item in study.uncertain.items()
    }
    for name, attributes in ({**inputs, **SAMPLE_VARIABLES, **VARIABLES}).items():
        by_winter = name in VARIABLES
        kind = _TYPES.get(name, "float64")
        group.create_array(
            name,
            shape=(rows, winters) if by_winter else (rows,),
            chunks=(block_size, winters) if by_winter else (block_size,),
            dtype=kind,
            fill_value=np.nan if kind == "float64" else -1,
            dimension_names=("sample", "winter") if by_winter else ("sample",),
            compressors=codec,
            attributes=attributes,
        )
    winter = group.create_array(
        "winter",
        shape=(winters,),
        chunks=(winters,),
        dtype="int16",
        dimension_names=("winter",),
        attributes=_variable("1", "heating season, the first one being 1"),
    )
    winter[:] = np.arange(1, winters + 1)
    _consolidate(path)


@contextmanager
def _reading(path: Path) -> Iterator[None]:
    """Turn whatever a damaged store brings about into one message: its files may hold anything."""
    try:
        yield
    except (EnsembleError, MemoryError):
        raise
    except Exception as error:
        text = str(error).splitlines()[0][:200] if str(error) else ""
        raise EnsembleError(f"{path}: the store is damaged: {type(error).__name__}: {text}") from error


def _metadata(path: Path) -> dict[str, Any]:
    """The store's own metadata; EnsembleError when it is none of hotland's, or a newer one."""
    try:
        metadata = json.loads((path / "zarr.json").read_text())
        form = metadata["attributes"]["hotland_format"]
        if not isinstance(form, int):
            raise TypeError(form)
    except FileNotFoundError:
        raise EnsembleError(f"{path}: there is no ensemble here") from None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise EnsembleError(f"{path}: this is not an ensemble of hotland") from error
    if form > FORMAT:
        raise EnsembleError(f"{path}: made by a newer hotland (format {form}, this one reads format {FORMAT})")
    if form < FORMAT:
        raise EnsembleError(
            f"{path}: made by an older hotland, without all that this one tells of a winter (format {form}, this one "
            f"reads format {FORMAT}); run the study again, into another --output"
        )
    return dict(metadata)


def _brief(value: object) -> str:
    """A value as a message shows it: of a recorded climate no more than its beginning."""
    text = str(value)
    return text if len(text) <= 80 else f"{text[:60]}..."


def refuse_other_study(path: Path, study: Study) -> None:
    """Raise EnsembleError when a store was made from another study, or by code that computes other bits."""
    with _reading(path):
        attributes = _metadata(path)["attributes"]
        same_study = attributes["fingerprint"] == study.fingerprint()
        same_code = attributes["code_fingerprint"] == code_fingerprint()
        made_by = attributes["packages"]["hotland"]
        there, here = (flatten(without_sources(s)) for s in (json.loads(attributes["study"]), study.resolved()))
    if not same_study:
        keys = [key for key in sorted(there | here) if there.get(key) != here.get(key)]
        keys = [key for key in keys if not key.startswith(("samples", "description", "claim"))]
        values = ((key, *(_brief(side.get(key, "not given")) for side in (there, here))) for key in keys)
        lines = [f"  {key}: {old} in the store, {new} in the study" for key, old, new in values]
        if len(lines) > 10:
            lines = [*lines[:9], f"  and {len(lines) - 9} more"]
        first, last = f"{path}: the store was made from another study, which differs in", "  give another --output"
        raise EnsembleError("\n".join([first, *lines, last]))
    if not same_code:
        raise EnsembleError(
            f"{path}: the store was made by another version of hotland's kernels (hotland {made_by}), whose rows "
            "differ; give another --output"
        )


def open_ensemble(store: str | Path) -> "xr.Dataset":
    """Open an ensemble: its received rows, lazily.

    Parameters
    ----------
    store
        Folder of the store.

    Returns
    -------
    Dataset with dimensions `sample` and `winter`; `status` is 0 where a sample ended well and `reason` says why it
    did not.

    Raises
    ------
    EnsembleError
        When there is no ensemble, or it is damaged or from a newer hotland.
    """
    import xarray as xr  # slow to import, and not needed to write an ensemble

    path = Path(store)
    ensemble = Ensemble.open(path)
    blocks = ensemble.received()  # first: what is received later may be seen, what is not yet there may not
    with _reading(path):
        dataset = xr.open_zarr(path, consolidated=True, chunks=None)
        reason = np.full(dataset.sizes["sample"], "", dtype=object)
        for block in blocks:
            for row, text in dict(json.loads((path / RECEIPTS / block.receipt).read_text())["failed"]).items():
                reason[int(row)] = str(text)
        dataset["reason"] = ("sample", reason.astype(str), {"long_name": "why the sample failed"})
        if sum(map(len, blocks)) < dataset.sizes["sample"]:
            rows = np.concatenate([block.rows for block in blocks] or [np.array([], dtype=np.int64)])
            dataset = dataset.isel(sample=rows)
    return dataset
