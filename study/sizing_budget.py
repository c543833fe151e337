"""Whether so many samples could show a target at all, however good a design is, and how many could.

The best samples that there may be are put before the estimator and the bound that the search itself looks at: what they
do not show no design can. For a probability these are samples that all meet it; of shares of winters also some that
miss it in one winter each, whose interval may be narrower than the exact one of few events (`study.intervals`). For
other statistics they lie evenly beyond the bound.
"""

from collections.abc import Callable, Iterator

import numpy as np
import xarray as xr

from study.config import Study
from study.intervals import FEWEST_EVENTS
from study.sizing import Goal
from study.statistics import estimate
from study.stopping import estimate_of
from study.variables import OF_WINTERS

MOST_NUMBERS = 2**20
"""Samples times winters that are tried at most: a second or two."""


def can_show(goal: Goal, study: Study, samples: int, confidence: float) -> bool:
    """Return whether so many samples of a study could meet a target.

    Parameters
    ----------
    goal
        The target.
    study
        Gives the design of the sample, its replicates and winters.
    confidence
        Of the interval of the look.
    """
    return any(
        goal.verdict(estimate(estimate_of(goal.statistic, best, study.design, confidence))) == "meets"
        for best in _best(goal, study, samples)
    )


def enough(goal: Goal, study: Study, look: Callable[[int], float]) -> tuple[int, bool]:
    """Return the fewest samples that could meet a target.

    Parameters
    ----------
    goal, study
        As of `can_show`.
    look
        Confidence of the interval of a look, by the most samples of the search.

    Returns
    -------
    Samples, and whether they do: where not, more are needed than `MOST_NUMBERS` lets try.
    """
    most = max(1, MOST_NUMBERS // _winters(goal, study))
    few, many = 0, 1
    while not can_show(goal, study, many, look(many)):
        if many == most:
            return most, False
        few, many = many, min(2 * many, most)
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if can_show(goal, study, middle, look(middle)) else (middle, many)
    return many, True


def _winters(goal: Goal, study: Study) -> int:
    """Of a sample, as far as the statistic takes each by itself."""
    statistic = goal.statistic
    return study.winters if statistic.reduction == "winters" and statistic.output in OF_WINTERS else 1


def _best(goal: Goal, study: Study, samples: int) -> Iterator[xr.DataArray]:
    """The best values of an output that samples may have, as `study.stopping.values_of` gives them."""
    statistic, winters = goal.statistic, _winters(goal, study)
    if statistic.statistic == "P":
        beyond = 1.0 if statistic.comparison in (">=", ">") else -1.0
        beyond *= max(1.0, abs(statistic.threshold)) * (1.0 if goal.at_least else -1.0)
        for missing in (0, FEWEST_EVENTS) if winters > 1 else (0,):
            values = np.full((samples, winters), statistic.threshold + beyond)
            values[:missing, 0] = statistic.threshold - beyond
            yield _as_estimated(values, goal, study)
        return
    ramp = 1.0 + np.arange(samples * winters).reshape(winters, samples).T / (samples * winters)
    beyond = max(1.0, abs(goal.bound)) * (1.0 if goal.at_least else -1.0)
    yield _as_estimated(goal.bound + beyond * ramp, goal, study)


def _as_estimated(values: np.ndarray, goal: Goal, study: Study) -> xr.DataArray:
    coordinates = {"replicate": ("sample", np.arange(len(values)) % study.replicates)}
    if goal.statistic.output in OF_WINTERS and goal.statistic.reduction == "winters":
        return xr.DataArray(values, dims=("sample", "winter"), coords=coordinates)
    return xr.DataArray(values[:, 0], dims="sample", coords=coordinates)
