"""Why samples failed, as a variable that is made when it is read.

Most rows have no reason, and some reasons are long: an array of all has the longest one's length in each row, hundreds
of megabytes for a million rows.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from xarray.backends import BackendArray
from xarray.core import indexing


class Reasons(BackendArray):
    """Reasons of so many rows, by row; empty where there is none."""

    def __init__(self, rows: int, reasons: Mapping[int, str]) -> None:
        self._reasons = {row: text for row, text in reasons.items() if row < rows}
        self.shape = (rows,)
        self.dtype = np.dtype(f"U{max(map(len, self._reasons.values()), default=1) or 1}")

    def __getitem__(self, key: indexing.ExplicitIndexer) -> Any:
        return indexing.explicit_indexing_adapter(key, self.shape, indexing.IndexingSupport.OUTER, self._of)

    def _of(self, key: Any) -> NDArray[np.str_]:
        rows = np.arange(self.shape[0])[key]
        return np.array([self._reasons.get(row, "") for row in rows.ravel().tolist()], self.dtype).reshape(rows.shape)


def variable(rows: int, reasons: Mapping[int, str]) -> xr.Variable:
    """Return the variable `reason` of so many rows."""
    data = indexing.LazilyIndexedArray(Reasons(rows, reasons))
    return xr.Variable(("sample",), data, {"long_name": "why the sample failed"})
