"""Which inputs of an ensemble are correlated, so that plain Sobol' indices do not apply to each by itself."""

from collections.abc import Mapping, Sequence

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from study.jackknife import replicates_of


def dependent_sets(
    inputs: xr.Dataset | Mapping[str, xr.DataArray] | None = None,
    correlation: xr.DataArray | None = None,
    replicate: ArrayLike | xr.DataArray | None = None,
) -> list[list[str]]:
    """Sets of inputs that are correlated with each other, directly or through others.

    Parameters
    ----------
    inputs
        By name, (sample,): looked at where no `correlation` is given. A rank correlation is taken for real where the
        replicates (or batches of rows) agree on it at a significance of 0.001 for all pairs together.
    correlation
        (input, other input), the names as coordinates: any that is not zero counts.
    replicate
        (sample,)

    Raises
    ------
    ValueError
        Where there are neither inputs nor correlations.
    """
    if correlation is not None:
        names = [str(x) for x in correlation.coords[correlation.dims[0]].values]
        linked: NDArray[np.bool_] = np.asarray(correlation.values != 0)
    elif inputs is not None:
        names = [str(x) for x in inputs]
        ranks = np.array([stats.rankdata(inputs[x].values) for x in names])
        spread = ranks.std(axis=1, keepdims=True)
        ranks = (ranks - ranks.mean(axis=1, keepdims=True)) / np.where(spread > 0, spread, 1.0)
        groups, _ = replicates_of(inputs[names[0]], replicate, 16)
        each = np.stack([ranks[:, groups == r] @ ranks[:, groups == r].T for r in np.unique(groups)])
        count, pairs = len(each), max(1, len(names) * (len(names) - 1) // 2)
        if count > 1:
            found, error = each.mean(axis=0), each.std(axis=0, ddof=1) / np.sqrt(count)
            linked = np.abs(found) > stats.t.isf(0.0005 / pairs, count - 1) * error
        else:
            linked = np.abs(each[0]) > stats.norm.isf(0.0005 / pairs) * np.sqrt(ranks.shape[1])
    else:
        raise ValueError("inputs or correlation: one of them is needed")
    sets: list[set[int]] = []
    for i in range(len(names)):
        joined = {i, *map(int, np.flatnonzero(linked[i]))}
        for met in [x for x in sets if x & joined]:
            joined |= met
            sets.remove(met)
        sets.append(joined)
    return sorted([names[i] for i in sorted(each)] for each in sets if len(each) > 1)


def dependence_statement(sets: Sequence[Sequence[str]]) -> str:
    """Why plain Sobol' indices do not apply, and to which inputs; empty where none are correlated."""
    if not sets:
        return ""
    which = "; ".join(" and ".join(each) for each in sets)
    return f"plain indices are not for correlated inputs: {which}; group them, or ask for Shapley effects"


def cut_by(members: Sequence[str], sets: list[list[str]]) -> list[list[str]]:
    """Correlated sets that have inputs in a group and others out of it."""
    return [each for each in sets if set(each) & set(members) and not set(each) <= set(members)]
