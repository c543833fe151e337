"""Whether a key still moves what a target is about, where no value of it meets that.

The same samples at two values of the key are held against each other, sample by sample (common random numbers:
Glasserman and Yao 1992, Manag. Sci. 38:884). What counts is the output itself, not the share of samples that meet its
threshold: that stays at nothing while every sample comes nearer, and tells of no limit. Only where the output has come
nearer by surely less than a tenth of what is left to go is something else said to limit it.
"""

from typing import Any

import xarray as xr

from study.config import study_of
from study.errors import EnsembleError
from study.intervals import FEWEST_EVENTS
from study.sizing import Goal
from study.statistics import estimate, ratio, usable
from study.stopping import event_of, values_of
from study.target import OUTPUTS

FEW = 0.1
"""Of what is left to go: a key that brings the output nearer by less than that is taken not to be what limits it. An
assumption: ten such steps more, each as strong as the last, would not do."""


def saturation(goal: Goal, one: xr.Dataset, other: xr.Dataset) -> str:
    """Return how little an output has come nearer to a target from one value of a key to another.

    Parameters
    ----------
    goal
        The target: a probability or a mean, of others nothing is told.
    one, other
        The same samples at the two values, of the second of which more was hoped.

    Returns
    -------
    The differences in words, with their 95 % intervals; empty where they do not show it.
    """
    statistic = goal.statistic
    if statistic.statistic not in ("P", "mean"):
        return ""
    chance = statistic.statistic == "P"
    upwards = goal.at_least == (statistic.comparison in (">=", ">")) if chance else goal.at_least
    level, towards = statistic.threshold if chance else goal.bound, 1.0 if upwards else -1.0
    try:
        before, after = (values_of(statistic, usable(dataset)).load() for dataset in (one, other))
        failed = before["failed"] | after["failed"]
        wrong = ((event_of(statistic, after) != goal.at_least) if chance else xr.ones_like(after, bool)) & ~failed
        nearer, left = towards * (after - before).where(wrong, 0.0), towards * (level - after).where(wrong, 0.0)
        how: Any = {"over": after.dims, "design": study_of(other.attrs).design, "failed": failed}
        gain, gap = (estimate(ratio(each, wrong.astype(float), **how)) for each in (nearer, left))
    except EnsembleError:  # too many samples failed
        return ""
    still = not nearer.any()
    if int(wrong.any(dim=[dim for dim in wrong.dims if dim != "sample"]).sum()) < FEWEST_EVENTS:
        return ""
    if not (gap.low > 0.0 and (still or 0.0 <= gain.high <= FEW * gap.low)):
        return ""
    units = str(OUTPUTS[statistic.output]["units"]).replace("degC", "K")
    units = "" if units == "1" else f" {units}"
    of = f"where the target is missed, {statistic.output}" if chance else statistic.name
    if still:
        moved = "has not changed at all"
    elif gain.value < 0.0:
        moved = f"has come nearer by {gain.high:,.3g}{units} at most"
    else:
        moved = f"has come nearer by {gain:,.3g}{units}"
    return f"{of} {moved}, and {gap:,.3g}{units} are left"
