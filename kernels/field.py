"""The wells of a field: where they stand, and how much each is cooled by the others.

To each other, vertical wells are infinite line sources (Ingersoll, Zobel and Ingersoll 1954), all with the same heat
flow. A well at distances d_i from the others then has the step response, beside its own,

    Σ_i E1(d_i² / 4αt) / 4πk

a function of 4αt alone once the layout is given: it is tabulated once for a layout, for each of its wells.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline, PPoly
from scipy.special import exp1

Array = NDArray[np.float64]

FINENESS = 1e-3
"""Distances closer than this, relatively, are counted as one: their mean."""


@dataclass(frozen=True)
class Interaction:
    """What the wells of one layout do to each other, tabulated over 4αt.

    Attributes
    ----------
    wells
        Number of wells.
    sums
        Spline over ln 4αt of Σ_i ½ E1(d_i² / 4αt): of the mean well first, then of each, (…, 1 + well).
    start
        4αt (m²) before which nothing is felt.
    """

    wells: int
    sums: CubicSpline
    start: float

    @classmethod
    def of(cls, places: Array) -> "Interaction":
        """Tabulate a layout, given as coordinates of its wells, m, (well, 2)."""
        wells = len(places)
        apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))[~np.eye(wells, dtype=bool)]
        if not len(apart):
            apart = np.array([np.inf])
        _, class_of, pairs = np.unique(np.round(np.log(apart) / FINENESS), return_inverse=True, return_counts=True)
        distance = np.bincount(class_of, apart) / pairs
        of_well = np.repeat(np.arange(wells), max(wells - 1, 1))
        count = np.bincount(of_well * len(pairs) + class_of, minlength=wells * len(pairs)).reshape(wells, len(pairs))
        start = float(distance.min() ** 2 / 700.0) if wells > 1 else 1.0  # E1(700) is 0 in double precision
        log_u = np.linspace(np.log(start), np.log(start) + 40.0, 800)
        terms = 0.5 * exp1(np.square(distance) / np.exp(log_u)[:, None])
        sums = terms @ count.T.astype(float)
        return cls(wells, CubicSpline(log_u, np.column_stack([sums.mean(axis=1), sums])), start)

    def mean(self, four_alpha_t: Array) -> Array:
        """Σ ½ E1 of the mean well, dimensionless, in the shape of `four_alpha_t`, m²."""
        return self._sum(four_alpha_t, 0)

    def each(self, four_alpha_t: Array) -> Array:
        """Σ ½ E1 of every well, in the shape of `four_alpha_t` and a last axis of wells."""
        return self._sum(four_alpha_t, slice(1, None))

    def one(self, four_alpha_t: Array, well: NDArray[np.int64]) -> Array:
        """Σ ½ E1 of some wells, numbered along the last axis of `four_alpha_t`, and in its shape."""
        answer = np.empty(np.broadcast_shapes(four_alpha_t.shape, well.shape))
        for each in np.unique(well):
            answer[..., well == each] = self._sum(four_alpha_t[..., well == each], 1 + each)
        return answer

    def _sum(self, four_alpha_t: Array, column: int | slice) -> Array:
        spline = PPoly.construct_fast(self.sums.c[..., column], self.sums.x)
        return spline(np.log(np.maximum(four_alpha_t, self.start)))
