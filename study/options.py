"""What the options of a decision are worth in each sample, and what was drawn there."""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from study.config import Study, study_of, variable_name
from study.directions import direction
from study.errors import EnsembleError
from study.intervals import MOST_FAILED, Array, Estimate
from study.pairing import pair
from study.quantity import NUMBER, short
from study.statistics import estimate, mean, probability, ratio, refuse_not_finite, usable
from study.sweep import each_design

NOT_BUILT = "not built"
"""The option beside a single design; its utility is zero."""
FOLDS = 8
FEWEST_ROWS = 64
"""Samples below which nothing is fitted."""
_CLAIM = re.compile(rf"claim:\s*({NUMBER})\s*/\s*({NUMBER})\s*", re.ASCII)


@dataclass(frozen=True)
class Samples:
    """What options are worth in each sample, and what was drawn there. A row is a sample that ended well.

    Attributes
    ----------
    study
        Whose inputs were drawn: of several designs, the first one's.
    sample
        Rows of the design, (row,).
    replicate, failed
        Of each sample, also of those that failed, (sample,).
    inputs
        By key, (row,): those that are the same in all designs.
    utility
        (row, option); nan throughout when none is known.
    options
        Names.
    units
        Of the utility.
    output, words, output_units
        What is to be narrowed, (row,), of the best option: its name and units.
    claim
        What the output is to reach; nan without a claim.
    remarks
        What was left out, in words.
    """

    study: Study
    sample: NDArray[np.int64]
    replicate: NDArray[np.int64]
    failed: NDArray[np.bool_]
    inputs: Mapping[str, Array]
    utility: Array
    options: tuple[str, ...]
    units: str
    output: Array
    words: str
    output_units: str
    claim: float = math.nan
    remarks: tuple[str, ...] = ()

    @property
    def decides(self) -> bool:
        """Whether there is a utility to decide by."""
        return bool(np.isfinite(self.utility).all())

    @property
    def best(self) -> int:
        """The option that is best under what is known now."""
        return int(self.utility.mean(axis=0).argmax())

    @property
    def folds(self) -> NDArray[np.int64]:
        """Fold of each row: whole replicates, as rows of one are no independent draws."""
        _, number = np.unique(self.replicate[~self.failed], return_inverse=True)
        return number % FOLDS

    def mean(self, values: Array) -> Estimate:
        """Mean of a number of each row, with its interval."""
        return estimate(mean(self._of_all(values), self.replicate, most_failed=1.0, design=self.study.design))

    def share(self, part: Array, whole: Array) -> Estimate:
        """Ratio of the means of two numbers of each row, 1 at most, with its interval."""
        both, limits = (self._of_all(part), self._of_all(whole)), (None, 1.0)
        return estimate(ratio(*both, self.replicate, limits=limits, most_failed=1.0, design=self.study.design))

    def chance(self, event: NDArray[np.bool_]) -> Estimate:
        """Share of the rows in which something is so, with its interval."""
        found = np.zeros(len(self.failed), dtype=bool)
        found[~self.failed] = event
        labelled, design = xr.DataArray(found, dims="sample"), self.study.design
        return estimate(probability(labelled, self.replicate, failed=self.failed, most_failed=1.0, design=design))

    def _of_all(self, values: Array) -> xr.DataArray:
        """With a nan where a sample failed, which the estimators know for that."""
        found = np.full(len(self.failed), np.nan)
        found[~self.failed] = values
        return xr.DataArray(found, dims="sample")


def samples_of(
    datasets: Mapping[str, xr.Dataset], *, utility: str | None = None, most_failed: float = MOST_FAILED
) -> Samples:
    """Return options and utilities of ensembles.

    Parameters
    ----------
    datasets
        Ensemble by the name of the design, as of `study.open_ensemble`; a sweep stands for all its designs. Of several,
        whose samples are paired, the best is to be chosen; one is to be built or not.
    utility
        A variable of which more, or less, is better, the mean of its winters if it has them; or ``claim:1e6/2e6``, the
        reward for a carbon reduction, on average over the life, that reaches the claim, and the penalty for one that
        does not. Left out, `net_present_value` if there is one, else none.
    most_failed
        Largest share of failed samples.

    Raises
    ------
    EnsembleError
        When there is no such variable, too many samples failed, or the designs are not paired.
    """
    if not datasets:
        raise EnsembleError("no ensemble; allowed: one or more")
    found = each_design(datasets)
    studies = [study_of(each.attrs) for each in found.values()]
    found, failed = _paired(found, most_failed=most_failed)
    good = {name: each.isel(sample=np.flatnonzero(~failed)) for name, each in found.items()}
    if (~failed).sum() < FEWEST_ROWS:
        raise EnsembleError(
            f"{', '.join(found)}: {(~failed).sum()} samples ended well, too few to learn from; allowed: {FEWEST_ROWS} "
            "or more"
        )
    rows = next(iter(good.values()))
    if len(np.unique(rows["replicate"].values)) < 2:
        raise EnsembleError(
            f"{', '.join(found)}: the samples that ended well are all of one replicate, and options are chosen by "
            "others than those that value them; allowed: 2 or more"
        )
    inputs, remarks = _inputs(good, studies), []
    if not inputs:
        raise EnsembleError(f"{', '.join(found)}: no uncertain input, or none in common, so nothing to measure")
    if differing := [key for key in studies[0].uncertain if key not in inputs]:
        remarks.append(f"not the same in all designs, so nothing is said of: {', '.join(differing)}")
    if failed.any():
        where = "" if len(good) == 1 else ", in one design or more,"
        remarks.append(f"{failed.sum():,} of {len(failed):,} samples failed{where} and are left out")
    if utility is None and all("net_present_value" in each for each in good.values()):
        utility = "net_present_value"
    options, units = tuple(good), ""
    worth = np.full((rows.sizes["sample"], len(good)), np.nan)
    if utility is not None:
        columns = [_utility(good[name], study, utility, name) for name, study in zip(good, studies, strict=True)]
        worth, units = np.stack([values for values, _ in columns], axis=1), columns[0][1]
        claims = {name: study.claim.carbon_reduction for name, study in zip(good, studies, strict=True) if study.claim}
        if utility.startswith("claim:") and len(set(claims.values())) > 1:
            each = ", ".join(f"{claim:,.0f} t in {name}" for name, claim in claims.items())
            remarks.append(f"each design is paid for by the claim of its own study: {each}")
    best = int(worth.mean(axis=0).argmax()) if utility is not None else 0
    if len(good) == 1:
        if utility is not None and direction(utility) == "lower":
            raise EnsembleError(
                f"--utility {utility}: less of it is better, and a plant that is not built has none of it; allowed "
                "with one design: net_present_value, claim:REWARD/PENALTY, or a variable of which more is better"
            )
        worth, options = np.column_stack([worth, np.zeros(len(worth))]), (*options, NOT_BUILT)
    output = list(good.values())[best]["carbon_reduction"]
    refuse_not_finite("carbon_reduction", output.values)
    claim = studies[best].claim
    of = "" if len(good) == 1 else f", of {options[best]}"
    return Samples(
        study=studies[0],
        sample=rows["sample"].values,
        replicate=next(iter(found.values()))["replicate"].values.astype(np.int64),
        failed=failed,
        inputs=inputs,
        utility=worth,
        options=options,
        units=units,
        output=output.mean("winter").values,
        words=f"{output.attrs['long_name']}, mean of a winter{of}",
        output_units=output.attrs["units"],
        claim=claim.carbon_reduction if claim else math.nan,
        remarks=tuple(remarks),
    )


def _paired(
    datasets: Mapping[str, xr.Dataset], *, most_failed: float
) -> tuple[dict[str, xr.Dataset], NDArray[np.bool_]]:
    """Samples that all ensembles have, and which of them failed in any."""
    if len(datasets) == 1:
        ((name, dataset),) = datasets.items()
        try:
            found = {name: usable(dataset, most_failed)}
        except EnsembleError as error:
            raise EnsembleError(f"{name}: {error}; --most-failed allows more") from None
    else:
        pairing = pair(datasets, most_failed=most_failed)
        if not pairing.paired:
            raise EnsembleError(
                f"the designs are not paired: {'; '.join(pairing.why_not)}; allowed: designs of one seed, design of "
                "the sample and replicates, as what is learnt is to choose between them in the same ground"
            )
        found = pairing.datasets
    return found, next(iter(found.values()))["failed"].values


def _inputs(good: Mapping[str, xr.Dataset], studies: Sequence[Study]) -> dict[str, Array]:
    """Uncertain inputs that have the same values in all designs, by key."""
    found = {}
    for key in studies[0].uncertain:
        if all(key in study.uncertain for study in studies):
            first, *others = (each[variable_name(key)].values for each in good.values())
            if all(np.array_equal(first, other) for other in others):
                refuse_not_finite(key, first)
                found[key] = first.astype(float)
    return found


def _utility(dataset: xr.Dataset, study: Study, utility: str, name: str) -> tuple[Array, str]:
    """Utility of a design, (row,), and its units."""
    if utility.startswith("claim:"):
        return _of_claim(dataset, study, utility), ""
    numbers = [
        str(each)
        for each, values in dataset.data_vars.items()
        if {*values.dims} in ({"sample"}, {"sample", "winter"}) and values.dtype.kind == "f" and direction(str(each))
    ]
    if utility not in dataset:
        raise EnsembleError(
            f"--utility {short(utility)}: {name} has no such variable; allowed: claim:REWARD/PENALTY, or one of "
            f"{', '.join(numbers)}"
        )
    if utility not in numbers:
        raise EnsembleError(
            f"--utility {utility}: neither more nor less of it is known to be better; allowed: claim:REWARD/PENALTY, "
            f"or one of {', '.join(numbers)}"
        )
    values = dataset[utility]
    found = (values.mean("winter") if "winter" in values.dims else values).values.astype(float)
    if endless := int((~np.isfinite(found)).sum()):
        raise EnsembleError(f"--utility {utility}: not finite in {endless:,} samples of {name}, so it has no mean")
    return -found if direction(utility) == "lower" else found, str(values.attrs.get("units", ""))


def _of_claim(dataset: xr.Dataset, study: Study, utility: str) -> Array:
    match = _CLAIM.fullmatch(utility)
    numbers = [float(each) for each in match.groups()] if match else [math.nan]
    if not all(math.isfinite(each) and each >= 0.0 for each in numbers):
        raise EnsembleError(
            f"--utility {short(utility)}; allowed: claim:REWARD/PENALTY, two numbers of at least 0, such as "
            "claim:1e6/2e6"
        )
    if study.claim is None:
        raise EnsembleError(f"--utility {utility}: study {study.name!r} has no claim; allowed: one with a claim")
    reward, penalty = numbers
    reached = dataset["carbon_reduction"].mean("winter").values >= study.claim.carbon_reduction
    return np.where(reached, reward, -penalty)
