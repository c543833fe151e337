"""Traces: hourly or daily series of chosen samples, in the group `traces` of an ensemble's store.

One chunk of a variable holds one sample, so each chunk belongs to one block. Nothing of the ensemble depends on them.
All wells of a field are alike: a series of the wells is that of each.
"""

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, field_validator

from study.errors import EnsembleError
from study.quantity import short
from study.reading import Section
from study.variables import variable

if TYPE_CHECKING:
    import xarray as xr

    from study.config import Study

PLACE = "traces"
MOST_SAMPLES = 256
"""So many samples at most: each has a file for every variable."""
MOST_BYTES = 500_000_000
"""Most that the traces of a study may take: a worker may have to hold all of them."""
LAST_ROW = 99_999_999

HOURS = {"hourly": 1, "daily": 24}
"""Hours of an interval."""

_AIR = {"standard_name": "air_temperature"}
_MEAN = {"cell_methods": "time: mean"}
_END_OF_HOUR = {"hourly": "time: point", "daily": "time: mean (interval: 1 hour)"}
AT_END_OF_HOUR = ("indoor_temperature", "heat_stored")
TRACE_VARIABLES: dict[str, dict[str, Any]] = {
    "outdoor_temperature": variable("degC", "outdoor temperature", **_AIR, **_MEAN),
    "indoor_temperature": variable("degC", "indoor temperature at the end of the hour", **_AIR),
    "heat_demand": variable("MW", "heat demand, what rooms caught up with included", **_MEAN),
    "heat_unmet": variable("MW", "heat demanded but not delivered", **_MEAN),
    "heat_pump_heat": variable("MW", "heat of the heat pumps, that for the tank included", **_MEAN),
    "heat_backup": variable("MW", "heat of peak and reserve heating", **_MEAN),
    "heat_reserve": variable("MW", "heat of the reserve heating alone", **_MEAN),
    "heat_extracted": variable("MW", "heat taken from the wells", **_MEAN),
    "heat_stored": variable("MWh", "heat in the tank at the end of the hour"),
    "electricity": variable("MW", "electricity of heat pumps, circulation and peak heating", **_MEAN),
    "electricity_compressor": variable("MW", "electricity of the heat pumps' compressors", **_MEAN),
    "electricity_circulation": variable(
        "MW", "electricity of the circulation pumps, wells and building circuit", **_MEAN
    ),
    "electricity_backup": variable("MW", "electricity of electric peak heating", **_MEAN),
    "inlet_temperature": variable("degC", "temperature of the water entering the wells", **_MEAN),
    "outlet_temperature": variable("degC", "temperature of the water leaving the wells", **_MEAN),
}
"""Variables of (sample, winter, time), the time within the heating season."""


class Tracing(Section):
    """Which samples have traces: so many of the first, which are as random as any, or rows of the design."""

    samples: int | tuple[int, ...] = 16
    interval: Literal["hourly", "daily"] = "hourly"
    variables: tuple[str, ...] = Field(default=tuple(TRACE_VARIABLES))

    @field_validator("samples", mode="before")
    @classmethod
    def _a_number_or_rows(cls, raw: object) -> int | tuple[int, ...]:
        if type(raw) is int and 1 <= raw <= MOST_SAMPLES:
            return raw
        if isinstance(raw, list | tuple) and all(type(row) is int and 0 <= row <= LAST_ROW for row in raw):
            rows = tuple(sorted(set(raw)))
            if 1 <= len(rows) == len(raw) <= MOST_SAMPLES:
                return rows
        raise ValueError(
            f"allowed: how many of the first samples, 1 to {MOST_SAMPLES}, or a list of so many different rows of the "
            "design, the first one being 0"
        )

    @field_validator("variables")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        for name in names:
            if name not in TRACE_VARIABLES:
                nearest = ", ".join(difflib.get_close_matches(name, TRACE_VARIABLES, n=3, cutoff=0))
                raise ValueError(f"{short(name)} is no series; the nearest ones are {nearest}")
        if not names or len(set(names)) < len(names):
            raise ValueError("allowed: one or more different names")
        return tuple(name for name in TRACE_VARIABLES if name in names)

    @property
    def rows(self) -> NDArray[np.int64]:
        """Rows of the design with traces, in order."""
        return np.arange(self.samples) if isinstance(self.samples, int) else np.array(self.samples)

    def refuse(self, *, samples: int, winters: int, days: int) -> None:
        """Raise ValueError when a study of so many samples and winters, each of so many days, cannot have them."""
        if isinstance(self.samples, tuple) and self.samples[-1] >= samples:
            raise ValueError(f"samples: row {self.samples[-1]} is none of the study's {samples}, 0 to {samples - 1}")
        of_one = 4 * len(self.variables) * winters * 24 * days // HOURS[self.interval]
        if len(self.rows) * of_one > MOST_BYTES:
            raise ValueError(
                f"samples: {len(self.rows)} samples of {of_one / 1e6:.3g} MB; allowed: {MOST_BYTES // 10**6} MB in "
                "all: fewer samples or variables, or interval: daily"
            )


@dataclass(frozen=True)
class Traces:
    """Series of those of some rows that have traces.

    Attributes
    ----------
    among
        Which of the rows they are, (traced,).
    places
        Where they stand in the store's traces, (traced,).
    values
        By variable, (traced, winter, time), float32: within 6e-8 of the value.
    """

    among: NDArray[np.int64]
    places: NDArray[np.int64]
    values: dict[str, NDArray[np.float32]]

    @classmethod
    def empty(cls, study: "Study", rows: NDArray[np.int64]) -> "Traces | None":
        """Room for the traces of some rows of a study; None where none of them has any."""
        if study.traces is None or not (traced := np.isin(rows, study.traces.rows)).any():
            return None
        shape = (int(traced.sum()), *_shape(study)[1:])
        values = {name: np.full(shape, np.nan, dtype=np.float32) for name in study.traces.variables}
        return cls(np.flatnonzero(traced), np.searchsorted(study.traces.rows, rows[traced]), values)

    def chunks(self) -> Iterator[tuple[str, int, NDArray[np.float32]]]:
        """Name of a variable, place in its first dimension, and the chunk there, (1, winter, time)."""
        for name, series in self.values.items():
            for n, place in enumerate(self.places.tolist()):
                yield name, place, series[n : n + 1]


@dataclass(frozen=True)
class TraceArray:
    """An array of the group `traces`; `values` are those of a coordinate, which no block holds."""

    name: str
    shape: tuple[int, ...]
    chunks: tuple[int, ...]
    dtype: str
    fill_value: float | int
    dimensions: tuple[str, ...]
    attributes: dict[str, Any]
    values: NDArray[np.generic] | None = None


def trace_arrays(study: "Study") -> list[TraceArray]:
    """Arrays of a study's traces, whatever its number of samples; none where it asks for none."""
    if study.traces is None:
        return []
    shape, interval = _shape(study), study.traces.interval
    dimensions = ("sample", "winter", "time")
    arrays = []
    for name in study.traces.variables:
        at_end = {"cell_methods": _END_OF_HOUR[interval]} if name in AT_END_OF_HOUR else {}
        about = {**TRACE_VARIABLES[name], **at_end}
        arrays.append(TraceArray(name, shape, (1, *shape[1:]), "float32", np.nan, dimensions, about))
    unit, what = {"hourly": ("h", "hour"), "daily": ("d", "day")}[interval]
    begins = f"time since 0:00 of {study.season.start} (month-day), at the start of the {what}"
    for name, kind, values, about in (
        ("sample", "int64", study.traces.rows, variable("1", "row of the design")),
        ("winter", "int16", np.arange(1, shape[1] + 1), variable("1", "heating season, the first one being 1")),
        ("time", "int32", np.arange(shape[2]), variable(unit, begins, axis="T")),
    ):
        size = values.shape
        arrays.append(TraceArray(name, size, size, kind, -1, (name,), about, values.astype(kind)))
    return arrays


def _shape(study: "Study") -> tuple[int, int, int]:
    """Samples, winters and times of a study's traces."""
    assert study.traces is not None
    return len(study.traces.rows), study.winters, 24 * study.season.days // HOURS[study.traces.interval]


def size(study: "Study") -> int:
    """Room that a study's traces take in the store, uncompressed, bytes."""
    return sum(int(np.prod(each.shape)) * np.dtype(each.dtype).itemsize for each in trace_arrays(study))


def objects(study: "Study") -> int:
    """Files, or objects in an object store, of a study's traces: a group, its arrays and their chunks."""
    arrays = trace_arrays(study)
    return sum(1 + each.shape[0] // each.chunks[0] for each in arrays) + bool(arrays)


def open_traces(store: str | Path) -> "xr.Dataset":
    """Open the traces of an ensemble, lazily: of those samples whose rows are received.

    Parameters
    ----------
    store
        Folder of the store, or its address in an object store.

    Returns
    -------
    Dataset with dimensions `sample`, `winter` and `time`; samples that failed are NaN.

    Raises
    ------
    EnsembleError
        When there is no ensemble, or it has no traces, is damaged or from a newer hotland.
    """
    import xarray as xr

    from study.ensemble import Ensemble, Whole, reading
    from study.storage import Storage

    storage = Storage.at(store)
    ensemble = Ensemble.open(storage)
    blocks = [block.index for block in ensemble.received()]
    if not storage.exists(f"{PLACE}/zarr.json"):
        raise EnsembleError(f"{storage}: the store has no traces; its study asks for none")
    with reading(storage):
        dataset = xr.open_zarr(Whole.of(storage), group=PLACE, consolidated=False, chunks=None)
        rows = dataset["sample"].to_numpy()
        return dataset.isel(sample=np.isin(rows // ensemble.block_size, blocks) & (rows < ensemble.samples))
