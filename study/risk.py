"""What can go wrong with a choice: the worst winters, regret between designs, and the Pareto front.

Plain functions of the designs' arrays by name, whose coordinates `replicate` and `failed` tell the estimators of
`study.statistics` what to make of them.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from study import statistics
from study.intervals import Array, Estimate
from study.limits import limits_of
from study.statistics import estimate

WORST = 0.05
"""Share of the winters of all samples that are the worst."""
_DRAWS = 4000  # of the bootstrap
_SEED = 20250101


@dataclass(frozen=True)
class Regret:
    """How far a design falls short of the best one in each sample.

    Attributes
    ----------
    design
        Its name.
    mean, q95
        Over the samples, in the utility's units. The least of all designs' means is what it would be worth to know
        each sample before choosing.
    best
        Share of the samples in which no other design is better.
    """

    design: str
    mean: Estimate
    q95: Estimate
    best: Estimate


@dataclass(frozen=True)
class OnFront:
    """A design among the others.

    Attributes
    ----------
    design
        Its name.
    values
        Mean of each objective.
    on_front
        Whether no other design's means are as good in every objective and better in one.
    sampling
        Share of resampled replicates in which that is so: what a sample of this size leaves open of the means.
    not_known
        Share of the samples in which no other design beats it so, sample by sample: what is not known of the place.
        None where the designs are not paired.
    """

    design: str
    values: dict[str, Estimate]
    on_front: bool
    sampling: float
    not_known: Estimate | None


@dataclass(frozen=True)
class Front:
    """The Pareto front of designs: by design, and which end of each objective is better."""

    objectives: dict[str, str]
    designs: tuple[OnFront, ...]


def worst(values: xr.DataArray, share: float = WORST, **options: Any) -> tuple[Estimate, xr.DataArray]:
    """Conditional value at risk of all winters of all samples, the mean of the highest share of them.

    Returns
    -------
    Its estimate, and values of each sample and winter whose mean it is: q + (x − q)⁺/share with the quantile q
    (Rockafellar and Uryasev 2002, J. Banking Finance 26:1443). The difference of two designs' is that of their
    conditional values at risk, and has its interval.
    """
    found = estimate(
        statistics.conditional_value_at_risk(values, share, over=("sample", "winter"), limits=(0.0, None), **options)
    )
    good = values.transpose("sample", ...).values[~values["failed"].values]
    edge = float(np.quantile(good, 1.0 - share, method="inverted_cdf"))
    return found, edge + (values - edge).clip(min=0.0) / share


def regrets(
    utility: Mapping[str, xr.DataArray], *, sign: float = 1.0, alike: float = 0.0, **options: Any
) -> tuple[Regret, ...]:
    """Regret of each design in each sample: what the best design in that sample has more of (Savage 1951).

    Parameters
    ----------
    utility
        Of paired designs, by name, (sample,).
    sign
        1 where more is better, -1 where less is.
    alike
        What a design may be short of the best one and still count as no worse, in the utility's units.
    **options
        Of the estimators of `study.statistics`.

    References
    ----------
    Savage, L. J. (1951). The theory of statistical decision. J. Am. Stat. Assoc. 46:55.
    """
    first = next(iter(utility.values()))
    best = first.copy(data=np.max([sign * each.values for each in utility.values()], axis=0))
    found = []
    for name, values in utility.items():
        lost = best - sign * values
        found.append(
            Regret(
                name,
                estimate(statistics.mean(lost, limits=(0.0, None), **options)),
                estimate(statistics.quantile(lost, 0.95, **options)),
                estimate(statistics.probability(lost <= alike, **options)),
            )
        )
    return tuple(found)


def not_dominated(values: Array, alike: Array | float = 0.0) -> NDArray[np.bool_]:
    """Which points no other dominates, being as good in every objective and better in one.

    Parameters
    ----------
    values
        The higher the better, (..., point, objective); (..., point) of the answer.
    alike
        Up to which difference points are as good in an objective, (objective,).
    """
    ahead = values[..., None, :, :] - values[..., :, None, :]
    dominated = (ahead >= -np.asarray(alike)).all(axis=-1) & (ahead > alike).any(axis=-1)
    return np.asarray(~dominated.any(axis=-1))


def front(
    objectives: Mapping[str, Mapping[str, xr.DataArray]],
    *,
    signs: Mapping[str, float],
    paired: bool,
    alike: Mapping[str, float] | None = None,
    **options: Any,
) -> Front:
    """The Pareto front of the designs' means, and how sure it is.

    Replicates are drawn with replacement (Efron 1979, Ann. Stat. 7:1), the same ones for all designs where these are
    paired, and the front of each draw's means is looked at.

    Parameters
    ----------
    objectives
        By objective and design, (sample,).
    signs
        Of each objective, 1 where more is better, -1 where less is.
    paired
        Whether sample i is of the same ground and winters in all designs.
    alike
        Up to which difference designs are as good in each objective; by default none.
    **options
        Of the estimators of `study.statistics`.
    """
    designs = list(next(iter(objectives.values())))
    sums = {name: _by_replicate([signs[o] * objectives[o][name] for o in objectives]) for name in designs}
    means = np.array([total.sum(axis=0) / rows.sum() for total, rows in sums.values()])
    rng = np.random.default_rng(_SEED)
    drawn = np.empty((_DRAWS, *means.shape))
    chosen = None
    for n, (total, rows) in enumerate(sums.values()):
        if chosen is None or not paired:
            chosen = rng.integers(0, len(rows), (_DRAWS, len(rows)))
        drawn[:, n] = total[chosen].sum(axis=1) / rows[chosen].sum(axis=1)[:, None]
    same = np.array([(alike or {}).get(o, 0.0) for o in objectives])
    on_front, sampling = not_dominated(means, same), not_dominated(drawn, same).mean(axis=0)
    shares: list[Estimate | None] = [None] * len(designs)
    if paired:
        each = np.stack([[signs[o] * objectives[o][name].values for o in objectives] for name in designs], axis=0)
        there = not_dominated(np.moveaxis(each, -1, 0), same)
        like = next(iter(objectives.values()))[designs[0]]
        shares = [estimate(statistics.probability(like.copy(data=there[:, n]), **options)) for n in range(len(designs))]
    found = [
        OnFront(
            name,
            {o: estimate(statistics.mean(objectives[o][name], limits=limits_of(o), **options)) for o in objectives},
            bool(on_front[n]),
            float(sampling[n]),
            shares[n],
        )
        for n, name in enumerate(designs)
    ]
    return Front({o: "higher" if signs[o] > 0 else "lower" for o in objectives}, tuple(found))


def _by_replicate(values: list[xr.DataArray]) -> tuple[Array, Array]:
    """Sums over the samples of each replicate that ended well, (replicate, objective), and their number."""
    good = ~values[0]["failed"].values
    codes = np.unique(values[0]["replicate"].values[good], return_inverse=True)[1]
    rows = np.bincount(codes).astype(float)
    return np.stack([np.bincount(codes, weights=each.values[good]) for each in values], axis=1), rows
