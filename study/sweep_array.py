"""A variable of a sweep's store, whose rows are samples and designs, as an array with a dimension for each; lazily."""

from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing


class Unfolded(BackendArray):
    """Rows (sample · design, ...) read as (sample, key, ..., ...).

    Parameters
    ----------
    rows
        The variable, its rows whole samples.
    shape
        Values of each key.
    """

    def __init__(self, rows: xr.Variable, shape: tuple[int, ...]) -> None:
        self.rows, self.designs = rows, shape
        self.points = int(np.prod(shape))
        self.shape = (rows.shape[0] // self.points, *shape, *rows.shape[1:])
        self.dtype = rows.dtype

    @classmethod
    def lazily(cls, rows: xr.Variable, shape: tuple[int, ...]) -> indexing.LazilyIndexedArray:
        """Return it for a variable, which reads when it is asked for numbers."""
        return indexing.LazilyIndexedArray(cls(rows, shape))

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.BASIC, self._read)

    def _read(self, key: tuple[int | slice, ...]) -> NDArray[np.generic]:
        """Read the samples asked for, with all designs: they are in the same chunks."""
        first, *others = key
        wanted = np.arange(self.shape[0])[first]
        start, stop = (int(wanted.min()), int(wanted.max()) + 1) if wanted.size else (0, 0)
        rows = self.rows[start * self.points : stop * self.points].values
        whole = rows.reshape(stop - start, *self.designs, *rows.shape[1:])
        return (
            np.asarray(whole[(wanted - start, *others)])
            if wanted.ndim == 0
            else whole[wanted - start][(slice(None), *others)]
        )
