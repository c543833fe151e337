"""Learn from operation: an ensemble's samples weighed by how well they explain what was read of the wells.

The winters of a sample are drawn, those of the readings are real: so the wells of each sample are driven with what was
read (`study.readings.predict`), and their temperatures compared. Bayes' rule on the samples is then importance sampling
from the prior: each has a weight in proportion to its likelihood (Smith and Gelfand 1992, Am. Stat. 46:84).

>>> import study
>>> found = study.update(dataset, "readings.csv")  # doctest: +SKIP
>>> dataset["unmet_hours"].mean("winter").weighted(found.weight).quantile(0.95)  # doctest: +SKIP
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from study.config import Study, study_of
from study.errors import EnsembleError
from study.intervals import Array, Estimate
from study.likelihood import ReadingError, gap_of, likelihood_of
from study.limits import limits_of
from study.readings import Readings, predict, read_readings
from study.sampling import sample_inputs
from study.statistics import Limits, estimate, mean, probability, ratio, refuse_not_finite, usable
from study.weights import Weights, reweight, tempered
from study.wells import Inputs, with_fluid

UNLIKELY = 1e-3
"""Chance of a misfit as large as the best sample's below which no sample explains the readings.

Nor would more samples where the readings are even further from it than their errors, by that chance, and the gaps
between samples (`study.likelihood.gap_of`) let them be."""
MOVED = 0.1
"""An input moved when its mean shifted, or its standard deviation shrank, by that share of the prior's deviation."""
_OUTPUTS = ("carbon_reduction", "unmet_hours", "outlet_temperature_mean")


@dataclass(frozen=True)
class Change:
    """An input before and after: mean, standard deviation and the ends of its 90 % range, in its unit.

    Where a new run is needed, after the part of the readings' weight that enough samples bear (`Update.part`).
    """

    key: str
    unit: str
    prior: tuple[float, float, float, float]
    posterior: tuple[float, float, float, float]
    moved: bool

    @property
    def narrower(self) -> float:
        """Share of the standard deviation that is gone."""
        return 1.0 - self.posterior[1] / self.prior[1] if self.prior[1] else 0.0


@dataclass(frozen=True)
class Answer:
    """An output before and after, with 95 % intervals of the estimates; none after where a new run is needed."""

    words: str
    units: str
    prior: Estimate
    posterior: Estimate


@dataclass(frozen=True)
class Update:
    """What readings made of an ensemble.

    Attributes
    ----------
    study, readings, error, share
        What it was made of.
    samples
        Rows of the ensemble, (sample,).
    sample
        Those of them that ended well, (row,).
    inputs, predicted
        Of these rows: by key, and as of `study.readings.predict`.
    log_likelihoods, weights
        Of these rows, (row,): of all the readings say, and by the share of it.
    part, bearable
        Of the share's weight, as much as enough samples bear (`study.weights.tempered`), and the weights by it: all,
        and the same, unless a new run is needed.
    changes
        Of the drawn inputs, the most narrowed first; none where the readings are unexplained.
    answers
        Of outputs; none where the readings are unexplained.
    remarks
        What is to be said, why a new run is needed first.
    unexplained
        That no sample explains the readings, nor would more of them, in words; else empty. Weights then tell nothing.
    """

    study: Study
    readings: Readings
    error: ReadingError
    share: float
    samples: NDArray[np.int64]
    sample: NDArray[np.int64]
    inputs: Inputs
    predicted: Mapping[str, Array]
    log_likelihoods: Array
    weights: Weights
    part: float
    bearable: Weights
    changes: tuple[Change, ...]
    answers: tuple[Answer, ...]
    remarks: tuple[str, ...]
    unexplained: str = ""

    @property
    def needs_run(self) -> bool:
        """Whether the samples are too few where the readings point, so that a new run is needed."""
        return bool(self.weights.remark) and not self.unexplained

    @property
    def weight(self) -> xr.DataArray:
        """Weights of all samples of the ensemble, sum 1, those that failed 0: for `Dataset.weighted`."""
        values = np.zeros(len(self.samples))
        values[np.searchsorted(self.samples, self.sample)] = self.weights.weight
        about = {"long_name": "weight by readings", "units": "1"}
        return xr.DataArray(values, {"sample": self.samples}, "sample", name="weight", attrs=about)


def update(
    dataset: xr.Dataset, readings: Readings | str | Path, *, error: ReadingError | None = None, share: float = 1.0
) -> Update:
    """Weigh an ensemble's samples by readings.

    Parameters
    ----------
    dataset
        As of `study.open_ensemble`.
    readings
        As of `study.readings.read_readings`, or their file.
    share
        Of the readings' information that counts, 0 to 1: what an earlier update left (`updated_study`).

    Raises
    ------
    EnsembleError
        When too many samples failed, none ended well, no input is uncertain, or the store holds several designs.
    ConfigError
        When the readings are wrong, or the study's wells cannot be driven with them.
    ValueError
        When the share is none.
    """
    if not 0.0 < share <= 1.0:
        raise ValueError(f"share must be above 0, and 1 at most; got {share!r}")
    error, study = error or ReadingError(), study_of(dataset.attrs)
    if study.points > 1:
        raise EnsembleError(f"the store holds {study.points} designs; allowed: one (study.sweep.designs gives each)")
    if not study.drawn:
        raise EnsembleError(f"{study.name}: no input is uncertain, so readings have nothing to tell")
    if not isinstance(readings, Readings):
        readings = read_readings(readings, study)
    if not dataset.sizes["sample"]:
        raise EnsembleError(f"{study.name}: no sample is done yet, so nothing to learn from")
    good = usable(dataset)
    good = good.isel(sample=np.flatnonzero(~good["failed"].values)).drop_vars("failed")
    if not good.sizes["sample"]:
        raise EnsembleError(f"{study.name}: no sample ended well, so nothing to learn from")
    for name in (*_OUTPUTS, "loop_temperature_mean"):
        refuse_not_finite(name, good[name].values)
    rows = good["sample"].values
    inputs = sample_inputs(study, rows)
    loop = good["loop_temperature_mean"].isel(winter=0).values
    predicted = predict(study, with_fluid(inputs, study.fluid.medium, loop), readings)
    found, misfit, count = likelihood_of(readings, predicted, error)
    weights = reweight(share * found)
    part, bearable = tempered(share * found) if weights.remark else (1.0, weights)
    chance, unexplained = float(stats.chi2.sf(misfit.min(), count)), ""
    remarks = []
    far = f"the best one's misfit has a chance of {f'{chance:.1g}' if chance > 1e-99 else 'less than 1e-99'}"
    if chance < UNLIKELY:
        reach = math.sqrt(stats.chi2.isf(UNLIKELY, count)) + gap_of(readings, predicted, error)
        if math.sqrt(misfit.min()) > reach:
            unexplained = (
                f"no sample explains the readings, nor would more of them ({far}): the readings are other than meant, "
                "the truth lies outside the priors, or the errors are larger than stated"
            )
    if weights.remark and not unexplained:
        remarks.append(f"a new run from the updated inputs is needed: {weights.remark}")
    if failed := dataset.sizes["sample"] - len(rows):
        remarks.append(f"{failed:,} of {dataset.sizes['sample']:,} samples failed, and are left out")
    remarks += readings.remarks
    if chance < UNLIKELY and not unexplained:
        remarks.append(
            f"no sample explains the readings ({far}): the samples may be too few, the truth may lie outside the "
            "priors, or the errors be larger than stated"
        )
    return Update(
        study=study,
        readings=readings,
        error=error,
        share=share,
        samples=dataset["sample"].values,
        sample=rows,
        inputs=inputs,
        predicted=predicted,
        log_likelihoods=found,
        weights=weights,
        part=part,
        bearable=bearable,
        changes=() if unexplained else changes_of(study, inputs, bearable),
        answers=() if unexplained else tuple(_answers(study, good, weights)),
        remarks=tuple(remarks),
        unexplained=unexplained,
    )


def changes_of(study: Study, inputs: Inputs, weights: Weights) -> tuple[Change, ...]:
    """The drawn inputs before and after, the most narrowed first."""
    found = []
    noise = 2.0 / math.sqrt(weights.effective)
    for key, item in study.drawn.items():
        values = inputs[key]
        even = np.full(len(values), 1.0 / len(values))
        prior, posterior = (_of_weighted(values, each) for each in (even, weights.weight))
        shift, shrunk = abs(posterior[0] - prior[0]), abs(posterior[1] - prior[1])
        moved = shift > prior[1] * max(MOVED, noise) or shrunk > prior[1] * max(MOVED, noise / math.sqrt(2.0))
        found.append(Change(key, item.unit, prior, posterior, moved))
    return tuple(sorted(found, key=lambda change: -change.narrower))


def _of_weighted(values: Array, weight: Array) -> tuple[float, float, float, float]:
    middle = float(weight @ values)
    spread = math.sqrt(max(float(weight @ (values - middle) ** 2), 0.0))
    low, high = np.quantile(values, [0.05, 0.95], weights=weight, method="inverted_cdf")
    return middle, spread, float(low), float(high)


def _answers(study: Study, good: xr.Dataset, made: Weights) -> list[Answer]:
    """Outputs on average over the life, before and after; of weighted samples a ratio of two means."""
    weights = xr.DataArray(made.weight * len(made.weight), dims="sample", coords={"sample": good["sample"]})
    replicate, design = good["replicate"], study.design

    def after(values: xr.DataArray, limits: Limits) -> Estimate:
        told = estimate(ratio(weights * values, weights, replicate, limits=limits, design=design))
        return Estimate(told.value, remark=made.remark) if made.remark else told

    found = []
    for name in _OUTPUTS:
        life, limits = good[name].mean("winter"), limits_of(name, season=study.season.days)
        words = f"{good[name].attrs['long_name']}, mean of a winter"
        before = estimate(mean(life, replicate, limits=limits, design=design))
        found.append(Answer(words, good[name].attrs["units"], before, after(life, limits)))
        if name == "carbon_reduction" and study.claim is not None:
            event = life >= study.claim.carbon_reduction
            words = f"probability of {study.claim.carbon_reduction:,.0f} t CO2 or more, on average over the life"
            before = estimate(probability(event, replicate, design=design))
            found.append(Answer(words, "1", before, after(event.astype(float), (0.0, 1.0))))
    return found
