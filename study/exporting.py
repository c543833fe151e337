"""An ensemble as one file for other programs: NetCDF-4, or a table in Parquet.

Both are written rows by rows, so that memory stays bounded however many samples there are, under another name first:
the file appears whole or not at all.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from study.ensemble import open_ensemble, reading
from study.errors import EnsembleError, StorageError
from study.storage import Storage
from study.sweep import one_design
from study.whole_file import whole_file

if TYPE_CHECKING:
    import xarray as xr

VALUES_AT_ONCE = 4_000_000
"""Numbers that are read and written together, of all variables: 32 MB."""
_CHUNK = 65_536  # values of a chunk of a NetCDF variable: half a megabyte


def export(
    store: "str | Path | xr.Dataset", path: str | Path, *, overwrite: bool = False, at: Sequence[str] = ()
) -> Path:
    """Write an ensemble to one file: `.nc` is NetCDF-4, `.parquet` a table with a row for each sample and winter.

    Parameters
    ----------
    store
        Folder of the store, its address in an object store, or a dataset of it, such as a selection.
    path
        The file; its suffix says which kind.
    overwrite
        Whether a file that is there is replaced.
    at
        Of a store that holds a sweep, which design, as of `study.sweep.one_design`.

    Returns
    -------
    The path.

    Raises
    ------
    StorageError
        When the suffix is another, the file is there, its folder is not or is the store, or it cannot be written.
    EnsembleError
        When there is no ensemble, or it is damaged, without a sample or of more than one design.
    """
    path = Path(path)
    write = _WRITERS.get(path.suffix.lower())
    if write is None:
        raise StorageError(f"{path}: allowed: a name that ends in {' or '.join(_WRITERS)}")
    if not path.parent.is_dir():
        raise StorageError(f"{path}: there is no folder {path.parent}")
    if path.is_dir() or (path.exists() and not overwrite):
        raise StorageError(f"{path}: {'a folder' if path.is_dir() else 'exists; --overwrite replaces it'}")
    if isinstance(store, str | Path):
        storage = Storage.at(str(store))
        with reading(storage):
            dataset = one_design(open_ensemble(storage.address), at, store=storage)
        dataset.encoding["source"] = str(storage)
    else:
        dataset = store
    if not {"sample", "winter"} <= set(dataset.sizes) or 0 in dataset.sizes.values():
        raise EnsembleError(f"{path}: nothing to write: no row over sample and winter")
    if others := [str(name) for name in dataset.sizes if name not in ("sample", "winter")]:
        raise EnsembleError(
            f"{path}: a file takes one design, with a row for each sample and winter, and this has others along "
            f"{', '.join(others)}; allowed: one of study.sweep.designs, or a selection of one value of each"
        )
    free, most = shutil.disk_usage(path.parent).free, dataset.nbytes
    if free < most:  # the library of NetCDF does not survive a full disk
        raise StorageError(f"{path}: {free / 1e6:,.1f} MB are free there, and it may take {most / 1e6:,.1f} MB")
    try:
        with whole_file(path) as aside:
            write(dataset, aside)
    except ConnectionError:
        raise
    except OSError as error:
        raise StorageError(
            f"{path}: cannot be written: {os.strerror(error.errno) if error.errno else error}"
        ) from error
    return path


def _parts(dataset: "xr.Dataset") -> Iterator[tuple[slice, "xr.Dataset"]]:
    """Rows of a dataset in memory, some at a time, and where they are."""
    width = sum(variable.size // dataset.sizes["sample"] for variable in dataset.variables.values())
    rows = max(1, VALUES_AT_ONCE // width)
    block = int(dataset.attrs.get("block_size", 1))
    rows = max(block, rows // block * block) if block <= VALUES_AT_ONCE // width else rows  # each chunk is read once
    for start in range(0, dataset.sizes["sample"], rows):
        place = slice(start, min(start + rows, dataset.sizes["sample"]))
        with reading(dataset.encoding.get("source", "the ensemble")):  # what hinders the file is no damage of a store
            part = dataset.isel(sample=place).load()
        yield place, part


def _plain(value: Any) -> Any:
    """An attribute as NetCDF and Parquet hold it: text, a number or an array of them."""
    return json.dumps(value) if isinstance(value, dict | bool) or value is None else value


def _write_netcdf(dataset: "xr.Dataset", path: Path) -> None:
    """Write by h5netcdf itself, which takes part after part."""
    import h5netcdf

    with h5netcdf.File(path, "w") as file:
        file.dimensions = {str(name): size for name, size in dataset.sizes.items()}
        file.attrs.update({name: _plain(value) for name, value in dataset.attrs.items()})
        others = " ".join(sorted(str(name) for name in dataset.coords if name not in dataset.dims))
        for name, variable in dataset.variables.items():
            text = variable.dtype.kind in "OUT"
            chunks = None
            if variable.dims:  # a value that all rows share has no chunks, and is not compressed
                width = variable.size // variable.shape[0]
                chunks = (min(variable.shape[0], max(1, _CHUNK // width)), *variable.shape[1:])
            packed = chunks is not None and not text
            made = file.create_variable(
                str(name),
                variable.dims,
                h5netcdf.core.h5py.string_dtype() if text else variable.dtype,
                chunks=chunks,
                compression="gzip" if packed else None,
                compression_opts=1 if packed else None,
                shuffle=packed,
                fillvalue=np.nan if variable.dtype.kind == "f" else None,
            )
            of_kind = {
                key: np.asarray(value, dtype=variable.dtype) if key == "flag_values" else _plain(value)
                for key, value in variable.attrs.items()
            }
            made.attrs.update(of_kind)
            if others and name not in dataset.coords:
                made.attrs["coordinates"] = others
            if "sample" not in variable.dims:
                made[...] = variable.values.astype(object) if text else variable.values
        for place, part in _parts(dataset):
            for name, variable in part.variables.items():
                if "sample" in variable.dims:
                    values = variable.transpose("sample", ...).values
                    file.variables[str(name)][place] = values.astype(object) if values.dtype.kind in "UT" else values


def _write_parquet(dataset: "xr.Dataset", path: Path) -> None:
    """Write one long table, a row group for each part; what holds for a sample stands beside each of its winters."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    winters = dataset.sizes["winter"]
    names = ["sample", "winter", *(str(name) for name in dataset.variables if name not in ("sample", "winter"))]

    def column(part: "xr.Dataset", name: str) -> Any:
        variable = part.variables[name]
        rows = part.sizes["sample"]
        values = variable.values
        if not variable.dims:
            values = np.repeat(values, rows * winters)
        elif variable.dims == ("sample",):
            values = np.repeat(values, winters)
        elif variable.dims == ("winter",):
            values = np.tile(values, rows)
        else:
            values = variable.transpose("sample", "winter").values.ravel()
        return pa.array(values.astype(object) if values.dtype.kind in "UT" else values, type=kind(name))

    def kind(name: str) -> Any:
        dtype = dataset.variables[name].dtype
        return pa.string() if dtype.kind in "OUT" else pa.from_numpy_dtype(dtype)

    fields = [pa.field(name, kind(name), metadata=_said(dataset.variables[name].attrs)) for name in names]
    units = {name: dataset.variables[name].attrs["units"] for name in names if "units" in dataset.variables[name].attrs}
    schema = pa.schema(fields, metadata={**_said(dataset.attrs), "units": json.dumps(units)})
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for _, part in _parts(dataset):
            columns = [column(part, name) for name in names]
            writer.write_table(pa.Table.from_arrays(columns, schema=schema))


def _said(attributes: Mapping[Any, Any]) -> dict[str, str]:
    """Attributes as Parquet's metadata holds them: text as it is, all else as JSON."""
    numbers = np.ndarray | np.generic
    return {
        str(name): value
        if isinstance(value, str)
        else json.dumps(value.tolist() if isinstance(value, numbers) else value)
        for name, value in attributes.items()
    }


_WRITERS: dict[str, Callable[["xr.Dataset", Path], None]] = {".nc": _write_netcdf, ".parquet": _write_parquet}
