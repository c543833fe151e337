"""Which rank correlations can hold together, and how those of normal variates follow from them."""

import itertools
import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Pair = tuple[str, str]

SMALLEST_EIGENVALUE = 1e-9
MOST_REPAIRS = 3


def normal_correlation(rank_correlation: float) -> float:
    """Return the correlation 2 sin(π ρ / 6) of normal variates with a rank correlation ρ (Spearman; Pearson 1907)."""
    return float(2 * np.sin(np.pi * rank_correlation / 6))


def rank_correlation(correlation: float) -> float:
    """Return the rank correlation 6/π arcsin(r / 2) of normal variates of correlation r (Pearson 1907)."""
    return 6 / math.pi * math.asin(correlation / 2)


def cholesky(matrix: Array) -> Array:
    """Return the lower triangular factor of a correlation matrix.

    Keys that are not correlated, not even through others, are factored apart: what is said of one set of keys changes
    no bit of another's factor.
    """
    factor = np.zeros_like(matrix)
    for together in _sets(matrix):
        factor[np.ix_(together, together)] = np.linalg.cholesky(matrix[np.ix_(together, together)])
    return factor


def correlation_problem(given: Mapping[Pair, float]) -> str | None:
    """Return why rank correlations cannot hold together, or None when they can.

    Pairs that are not given count as uncorrelated. Where a single pair repairs the matrix, given or not, those that
    have to change least are named with the range that the others leave them; else the first pair that does not go with
    the ones before it.

    Parameters
    ----------
    given
        Rank correlation by pair of keys.
    """
    if possible(_matrix(given)[1]):
        return None
    said = "these rank correlations cannot hold together (not positive definite): "
    for (first, second), wanted in given.items():
        if abs(normal_correlation(wanted)) > 1 - SMALLEST_EIGENVALUE:
            return (
                f"{said}{first} and {second} have {wanted:g}; allowed: between -1 and 1 (or write one as an expression)"
            )
    keys, matrix = _matrix(given)
    repairs: list[tuple[float, str]] = []
    for i, j in itertools.combinations(_broken(matrix), 2):
        if (bounds := allowed(matrix, i, j)) is None:
            continue
        pair = next((pair for pair in given if set(pair) == {keys[i], keys[j]}), (keys[i], keys[j]))
        now = given.get(pair)
        change = max(bounds[0] - (now or 0.0), (now or 0.0) - bounds[1])
        has = "is not given" if now is None else f"has {now:g}"
        repairs.append((change, f"[{pair[0]}, {pair[1]}] {has}, the others allow {_range(bounds)}"))
    if repairs:
        chosen = [text for _, text in sorted(repairs)[:MOST_REPAIRS]]
        return f"{said}change one: {'; or '.join(chosen)}"
    before: dict[Pair, float] = {}
    for pair, wanted in given.items():
        keys, matrix = _matrix({**before, pair: wanted})
        if not possible(matrix):
            bounds = allowed(matrix, *(keys.index(key) for key in pair))
            left = f", those before it allow {_range(bounds)}" if bounds else ""
            return f"{said}[{pair[0]}, {pair[1]}] has {wanted:g}{left}"
        before[pair] = wanted
    return said.removesuffix(": ")


def possible(matrix: Array) -> bool:
    """Return whether a symmetric matrix is positive definite, with something to spare."""
    return bool(np.linalg.eigvalsh(matrix)[0] >= SMALLEST_EIGENVALUE) if len(matrix) else True


def allowed(matrix: Array, i: int, j: int) -> tuple[float, float] | None:
    """Return the rank correlations of one pair with which a matrix is positive definite, None when there are none.

    The bounds of the correlation are c ± √((1 - a)(1 - b)), where a, b and c are what the other keys explain of the
    variance of i and of j, and of their covariance (from the partial correlation, Joe 2006, eq. 3).
    """
    others = [k for k in range(len(matrix)) if k not in (i, j)]
    rest = matrix[np.ix_(others, others)]
    if not possible(rest):
        return None
    explained = matrix[np.ix_([i, j], others)] @ np.linalg.solve(rest, matrix[np.ix_(others, [i, j])])
    left = 1 - np.diag(explained)
    if (left <= 0).any():
        return None
    centre, half = explained[0, 1], math.sqrt(left[0] * left[1])
    low, high = (rank_correlation(float(np.clip(each, -1, 1))) for each in (centre - half, centre + half))
    for decimals in range(2, 7):  # as few as leave a range, rounded inwards
        tens = 10.0**decimals
        bounds = (math.floor(low * tens) + 1) / tens, (math.ceil(high * tens) - 1) / tens
        if bounds[0] <= bounds[1] and all(possible(_with(matrix, i, j, each)) for each in bounds):
            return bounds
    return None


def _with(matrix: Array, i: int, j: int, rank: float) -> Array:
    changed = matrix.copy()
    changed[i, j] = changed[j, i] = normal_correlation(rank)
    return changed


def _matrix(given: Mapping[Pair, float]) -> tuple[list[str], Array]:
    keys = list(dict.fromkeys(key for pair in given for key in pair))
    matrix = np.eye(len(keys))
    for pair, rank in given.items():
        i, j = (keys.index(key) for key in pair)
        matrix[i, j] = matrix[j, i] = normal_correlation(rank)
    return keys, matrix


def _sets(matrix: Array) -> list[list[int]]:
    """Indices of the keys that are correlated, directly or through others, each in increasing order."""
    left, found = set(range(len(matrix))), []
    while left:
        together: set[int] = set()
        new = {min(left)}
        while new:
            together |= new
            new = {int(j) for i in new for j in np.flatnonzero(matrix[i])} - together
        found.append(sorted(together))
        left -= together
    return found


def _broken(matrix: Array) -> list[int]:
    """The keys of the first set that is not positive definite."""
    return next(each for each in _sets(matrix) if not possible(matrix[np.ix_(each, each)]))


def _range(bounds: tuple[float, float]) -> str:
    return f"{bounds[0]:g} to {bounds[1]:g}"
