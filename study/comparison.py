"""Designs held against each other: what each comes to, how they differ and how sure that is, which one is better.

On common random numbers (`study.pairing`) a difference is that of the same sample in both designs: of one ground and
its winters. Otherwise the designs are independent samples, and only their distributions can be held against each other.
"""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from study.contrasts import Compared, by_sample, claim_kept, compared, size_of, worst_winters
from study.directions import direction
from study.errors import EnsembleError
from study.intervals import MOST_FAILED
from study.pairing import Pairing, pair
from study.quantity import short
from study.risk import Front, Regret, front, regrets
from study.summary import Winters

USUAL = (
    *("carbon_reduction", "unmet_hours", "heating_reliability", "electricity"),
    *("capital_cost", "levelised_cost_of_heat", "net_present_value", "cost_of_avoided_carbon"),
)
ALIKE = 1e-3
"""Share of the first design's mean up to which designs count as alike: an assumption. The model itself is no better, so
that a smaller difference makes neither better, however sure its sign."""
COSTS = ("levelised_cost_of_heat", "capital_cost")
OBJECTIVES = ("carbon_reduction", "heating_reliability")


class UnknownVariableError(EnsembleError):
    """A variable that the designs have not, or that cannot be compared."""


@dataclass(frozen=True)
class Comparison:
    """The answer.

    Attributes
    ----------
    pairing
        Whether the designs are paired, and what they have in common.
    outputs
        Those compared.
    claim
        Probability to keep the first design's claim on average over the life; None where it makes none.
    worst
        Mean unmet heat of the worst winters of all samples (conditional value at risk).
    utility, regrets
        What is to be had most of (or least, of costs), and what each design falls short of the best one in each sample;
        none where not paired.
    front
        Which designs are not beaten in every one of the objectives.
    """

    pairing: Pairing
    outputs: tuple[Compared, ...]
    claim: Compared | None
    worst: Compared
    utility: str
    regrets: tuple[Regret, ...]
    front: Front


def compare(
    designs: Mapping[str, xr.Dataset],
    outputs: Sequence[str] = (),
    *,
    utility: str | None = None,
    objectives: Sequence[str] = (),
    alike: float = ALIKE,
    most_failed: float = MOST_FAILED,
) -> Comparison:
    """Hold designs against each other.

    Parameters
    ----------
    designs
        Ensembles as `study.open_ensemble` gives them, by the name of the design; the first is what the others are held
        against.
    outputs
        Variables of all designs, (sample,) or (sample, winter); by default those of `USUAL` that all have.
    utility
        Variable for the regret; by default `net_present_value` where all have it, else `carbon_reduction`.
    objectives
        Variables for the Pareto front, each with a better end; by default a cost, carbon reduction and reliability, as
        far as all have them.
    alike
        Share of the first design's mean up to which neither of two designs is better.
    most_failed
        Largest share of samples that may have failed.

    Raises
    ------
    ValueError
        When there is one design only, or `alike` is no share.
    UnknownVariableError
        When not all designs have a variable, or it has no better end where one is needed.
    EnsembleError
        When a design has no samples, too many that failed, or no sample in common with others paired to it.
    """
    if not 0.0 <= alike <= 1.0:
        raise ValueError(f"a share is 0 to 1, got alike={alike!r}")
    pairing = pair(designs, most_failed=most_failed)
    sides = {
        name: Winters(dataset, pairing.studies[name].resolved(), most_failed)
        for name, dataset in pairing.datasets.items()
    }
    there = _variables(pairing)
    outputs = outputs or [name for name in USUAL if name in there and not _endless(name, pairing)]
    for option, names in (
        ("--output", outputs),
        ("--utility", (utility,) if utility else ()),
        ("--objective", objectives),
    ):
        for name in names:
            _refuse_unknown(name, there, pairing, option=option)
            if option != "--output" and not direction(name):
                raise UnknownVariableError(f"{option} {short(name)}: neither more nor less of it is known to be better")
            if endless := _endless(name, pairing):
                raise UnknownVariableError(f"{option} {short(name)}: not finite in {endless}, so it has no mean")
    utility = utility or ("net_present_value" if "net_present_value" in there else "carbon_reduction")
    if objectives and len(set(objectives)) < 2:
        raise UnknownVariableError("--objective: allowed: two or more, each another, got 1")
    if not objectives:
        costs = [name for name in COSTS if name in there and not _endless(name, pairing)]
        objectives = [*costs[:1], *OBJECTIVES]
    means = {
        name: {design: by_sample(side.values(name)) for design, side in sides.items()}
        for name in {utility, *objectives}
    }
    same = {name: alike * size_of(next(iter(each.values()))) for name, each in means.items()}
    signs = {name: -1.0 if direction(name) == "lower" else 1.0 for name in means}
    return Comparison(
        pairing,
        tuple(compared(name, sides, paired=pairing.paired, alike=alike) for name in dict.fromkeys(outputs)),
        claim_kept(sides, pairing),
        worst_winters(sides, paired=pairing.paired),
        utility,
        regrets(means[utility], sign=signs[utility], alike=same[utility], **_how(sides)) if pairing.paired else (),
        front(
            {name: means[name] for name in objectives},
            signs={name: signs[name] for name in objectives},
            paired=pairing.paired,
            alike=same,
            **_how(sides),
        ),
    )


def _how(sides: dict[str, Winters]) -> dict[str, Any]:
    """Options of the estimators for a pair; what the samples of independent designs are does not matter there."""
    return next(iter(sides.values())).how


def _variables(pairing: Pairing) -> dict[str, xr.DataArray]:
    """What all designs have of numbers, by name, of the first one."""
    first, *others = pairing.datasets.values()
    return {
        str(name): values
        for name, values in first.data_vars.items()
        if {*values.dims} in ({"sample"}, {"sample", "winter"})
        and values.dtype.kind == "f"
        and all(name in other and {*other[name].dims} == {*values.dims} for other in others)
    }


def _refuse_unknown(name: str, there: Mapping[str, object], pairing: Pairing, *, option: str) -> None:
    if name in there:
        return
    without = [design for design, dataset in pairing.datasets.items() if name not in dataset]
    if len(without) < len(pairing.datasets) and without:
        raise UnknownVariableError(f"{option} {short(name)}: {', '.join(without)} has no such variable")
    nearest = ", ".join(difflib.get_close_matches(name, there, n=3, cutoff=0))
    raise UnknownVariableError(f"{option} {short(name)}: no variable of numbers; the nearest ones are {nearest}")


def _endless(name: str, pairing: Pairing) -> str:
    """In how many samples that ended well a number of each sample is not finite, in words; empty where in none."""
    if "winter" in next(iter(pairing.datasets.values()))[name].dims:
        return ""  # the kernels see to that
    for design, dataset in pairing.datasets.items():
        count = int((~np.isfinite(dataset[name].values) & ~dataset["failed"].values).sum())
        if count:
            return f"{count:,} samples of {design}"
    return ""
