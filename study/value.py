"""What a measurement would be worth before a decision, and how much it would narrow an answer.

Of samples x of what is not known and utilities U(x) of the options d, with the best option under what is known now:

- perfect information is worth E[max U] - max E[U] (EVPI);
- that of some inputs x_i, E[max E[U | x_i]] - max E[U] (EVPPI);
- a measurement y = x_i + error, E[max E[U | y]] - max E[U] (EVSI).

The inner means are regressions on the samples that are there (single loop: Strong, Oakley and Brennan 2014, Med. Decis.
Making 34:311; of measurements: Strong, Oakley, Brennan and Breeze 2015, Med. Decis. Making 35:570). A regression that
chooses by the rows it was fitted to finds too much; here each replicate's options are chosen by a regression of other
replicates, and worth what its own rows then say. So an estimate is on the low side, if anything, by what the regression
chooses wrongly, and the spread of the replicates gives its interval.
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.linear_model import LogisticRegression, RidgeCV
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler

from study.config import CHANCE, Study, study_of
from study.errors import EnsembleError
from study.intervals import Estimate
from study.pick_freeze import groups_of, inputs_of
from study.quantity import Quantity, short
from study.sampling import sample_inputs, uniforms
from study.statistics import estimate, mean, ratio, usable

Array = NDArray[np.float64]

NOT_BUILT = "not built"
"""The option beside a single design; its utility is zero."""
FOLDS = 8
KNOTS = 6
DRAWS = 8
"""Errors of a measurement that are drawn for each sample."""
MOST_JOINT = 16
"""Inputs of a group above which their products two by two are left out of the regression."""
ALPHAS = np.logspace(-3, 4, 15)
FEWEST_ROWS = 64
_MEASURE = re.compile(r"\s*([\w.]+)\s*(?:\+/-|\+-|±)\s*(.+?)\s*", re.ASCII | re.DOTALL)
_CLAIM = re.compile(r"claim:([^/]+)/([^/]+)")
_EXAMPLE = "'rock.conductivity +-0.1 W/m/K'"


@dataclass(frozen=True)
class Measurement:
    """Something that could be learnt: inputs, with the standard deviation of the error of each, 0 for perfect.

    Attributes
    ----------
    name
        As people call it.
    errors
        By key, in the canonical unit of each.
    cost
        In the units of the utility; nan where none is given.
    """

    name: str
    errors: Mapping[str, float]
    cost: float = math.nan

    @property
    def perfect(self) -> bool:
        return not any(self.errors.values())


@dataclass(frozen=True)
class Samples:
    """What options are worth in each sample, and what was drawn there.

    Attributes
    ----------
    study
        Whose inputs were drawn: of several designs, the first one's.
    sample
        Rows of the design, (row,).
    replicate
        Of each, (row,).
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

    def mean(self, values: Array) -> Estimate:
        """Mean of a number of each row, with its interval."""
        return estimate(mean(self._labelled(values), self.replicate, design=self.study.design))

    def ratio(self, numerator: Array, denominator: Array) -> Estimate:
        """Ratio of the means of two numbers of each row, with its interval."""
        both = (self._labelled(numerator), self._labelled(denominator))
        return estimate(ratio(*both, self.replicate, design=self.study.design))

    def _labelled(self, values: Array) -> xr.DataArray:
        return xr.DataArray(np.asarray(values, dtype=float), dims="sample")


@dataclass(frozen=True)
class Worth:
    """What a measurement is worth.

    Attributes
    ----------
    measurement
        Which.
    value
        In the units of the utility; nan without one. Its interval may reach below zero, which a value cannot.
    variance
        Share of the variance of the output that it is expected to take away.
    deviation
        Standard deviation of the output after it, root of the expected variance.
    probability
        5th, 50th and 95th percentile of P(claim) after it; nan without a claim.
    certainty
        Share of the variance of whether the claim is reached that it is expected to take away. Where its interval
        reaches zero, what `probability` shows is the regression's own noise.
    """

    measurement: Measurement
    value: Estimate
    variance: Estimate
    deviation: float
    probability: tuple[float, float, float]
    certainty: Estimate

    @property
    def net(self) -> float:
        """Value less cost."""
        return self.value.value - self.measurement.cost

    @property
    def remark(self) -> str:
        """Whether the value cannot be told from zero."""
        return "" if self.value.low > 0.0 or math.isnan(self.value.value) else "not distinguishable from zero"


@dataclass(frozen=True)
class Worths:
    """What is known now, and what could be learnt, the most valuable measurement first.

    Attributes
    ----------
    samples
        Of which all is made.
    utilities
        Mean utility of each option.
    perfect
        Value of knowing everything, chance included.
    probability
        P(claim) now.
    measurements, groups, inputs
        Measurements that were asked for; perfect information of groups and of single inputs.
    """

    samples: Samples
    utilities: tuple[Estimate, ...]
    perfect: Estimate
    probability: Estimate
    measurements: tuple[Worth, ...]
    groups: tuple[Worth, ...]
    inputs: tuple[Worth, ...]


def parse_measurement(text: str, study: Study, *, cost: float = math.nan) -> Measurement:
    """Return the measurement that a text such as ``rock.conductivity +-0.1 W/m/K`` describes.

    The number is the standard deviation of a normal error; several inputs that are measured together are separated by
    commas.

    Raises
    ------
    ValueError
        When the text is no such thing, or the study does not draw the input.
    """
    errors: dict[str, float] = {}
    for part in text.split(","):
        if not (match := _MEASURE.fullmatch(part)):
            raise ValueError(f"{short(part)}; allowed: an input and the error of its measurement, such as {_EXAMPLE}")
        key, error = match.groups()
        if key not in study.drawn:
            raise ValueError(f"{short(key)} is not drawn in this study; allowed: {', '.join(study.drawn)}")
        if key in errors:
            raise ValueError(f"{key} is there twice; allowed: once")
        try:
            errors[key] = Quantity(study.drawn[key].quantity.difference_unit, ge=0).parse(_plain(error))
        except ValueError as problem:
            raise ValueError(f"{key}: {short(error)}: {problem}") from None
    return Measurement(text.strip(), errors, cost)


def _plain(text: str) -> str | float:
    try:
        return float(text)
    except ValueError:
        return text


def samples_of(datasets: Mapping[str, xr.Dataset], *, utility: str | None = None) -> Samples:
    """Return options and utilities of ensembles.

    Parameters
    ----------
    datasets
        Design by name, as of `study.open_ensemble`. Of several, whose rows are paired, the best is to be chosen; one is
        to be built or not.
    utility
        A variable, the mean of its winters if it has them; or ``claim:1e6/2e6``, the reward for a carbon reduction, on
        average over the life, that reaches the claim, and the penalty for one that does not. Left out,
        `net_present_value` if there is one, else none.

    Raises
    ------
    EnsembleError
        When there is no such variable, too many samples failed, or the rows are not paired.
    """
    good, studies = _paired(datasets)
    first, *others = studies
    rows = next(iter(good.values()))["sample"].values
    drawn = [sample_inputs(study, rows) for study in studies]
    keys = [
        key
        for key in first.drawn
        if all(key in each and np.array_equal(drawn[0][key], each[key]) for each in drawn[1:])
    ]
    differing = [key for key in first.drawn if key not in keys]
    remarks = [f"not the same in all designs, so nothing is said of: {', '.join(differing)}"] if differing else []
    failed = max(each.sizes["sample"] for each in datasets.values()) - len(rows)
    if failed:
        remarks.append(f"{failed:,} samples failed, or are not in all designs, and are left out")
    if utility is None and all("net_present_value" in each for each in good.values()):
        utility = "net_present_value"
    found = np.full((len(rows), len(good)), np.nan)
    units = ""
    if utility is not None:
        columns = [_utility(each, study, utility) for each, study in zip(good.values(), studies, strict=True)]
        found, units = np.stack([values for values, _ in columns], axis=1), columns[0][1]
    options = tuple(good)
    if not others:
        found, options = np.column_stack([found, np.zeros(len(rows))]), (*options, NOT_BUILT)
    best = int(found[:, : len(good)].mean(axis=0).argmax()) if utility is not None else 0
    chosen, of = list(good.values())[best], studies[best]
    output = chosen["carbon_reduction"].mean("winter")
    return Samples(
        study=first,
        sample=rows,
        replicate=chosen["replicate"].values.astype(np.int64),
        inputs={key: drawn[0][key] for key in keys},
        utility=found,
        options=options,
        units=units,
        output=output.values,
        words=f"{chosen['carbon_reduction'].attrs['long_name']}, mean of a winter",
        output_units=chosen["carbon_reduction"].attrs["units"],
        claim=of.claim.carbon_reduction if of.claim else math.nan,
        remarks=tuple(remarks),
    )


def _paired(datasets: Mapping[str, xr.Dataset]) -> tuple[dict[str, xr.Dataset], list[Study]]:
    """Rows that ended well in all ensembles, and their studies."""
    if not datasets:
        raise EnsembleError("no ensemble; allowed: one or more")
    studies = [study_of(each.attrs) for each in datasets.values()]
    how = [(study.seed, study.design, study.replicates) for study in studies]
    if len(set(how)) > 1:
        said = "; ".join(
            f"{name}: {seed}, {design}, {r}" for name, (seed, design, r) in zip(datasets, how, strict=True)
        )
        raise EnsembleError(f"the designs are not paired; allowed: the same seed, design and replicates, not {said}")
    good = {}
    for name, dataset in datasets.items():
        fine = usable(dataset)
        good[name] = fine.isel(sample=np.flatnonzero(~fine["failed"].values)).drop_vars("failed")
    common = sorted(set.intersection(*(set(each["sample"].values.tolist()) for each in good.values())))
    if len(common) < FEWEST_ROWS:
        raise EnsembleError(f"{len(common)} samples ended well in all designs; allowed: {FEWEST_ROWS} or more")
    return {
        name: each.isel(sample=np.searchsorted(each["sample"].values, common)) for name, each in good.items()
    }, studies


def _utility(dataset: xr.Dataset, study: Study, utility: str) -> tuple[Array, str]:
    if utility.startswith("claim:"):
        match = _CLAIM.fullmatch(utility)
        try:
            reward, penalty = (float(each) for each in match.groups()) if match else (math.nan, math.nan)
        except ValueError:
            reward = penalty = math.nan
        if not (math.isfinite(reward) and math.isfinite(penalty)):
            raise EnsembleError(
                f"--utility {short(utility)}; allowed: claim:REWARD/PENALTY, two numbers, such as claim:1e6/2e6"
            )
        if study.claim is None:
            raise EnsembleError(f"--utility {utility}: study {study.name!r} has no claim; allowed: one with a claim")
        reached = dataset["carbon_reduction"].mean("winter").values >= study.claim.carbon_reduction
        return np.where(reached, reward, -penalty), ""
    known = [str(name) for name in dataset.data_vars if set(dataset[name].dims) in ({"sample"}, {"sample", "winter"})]
    if utility not in known or dataset[utility].dtype.kind not in "fiu":
        raise EnsembleError(f"--utility {short(utility)}; allowed: claim:REWARD/PENALTY, or a variable of the ensemble")
    values = dataset[utility]
    values = values.mean("winter") if "winter" in values.dims else values
    return values.values.astype(float), str(dataset[utility].attrs.get("units", ""))


def values_of(samples: Samples, measurements: Iterable[Measurement] = ()) -> Worths:
    """What measurements, groups of inputs and single inputs are worth.

    Raises
    ------
    EnsembleError
        When a measurement is of an input that the designs do not share.
    """
    study = samples.study
    asked = tuple(measurements)
    for each in asked:
        if unknown := [key for key in each.errors if key not in samples.inputs]:
            raise EnsembleError(f"{each.name}: {', '.join(unknown)}: not the same in all designs")
    perfect = {
        kind: [
            Measurement(column.name, dict.fromkeys(keys, 0.0))
            for column in columns
            if (keys := [key for key in column.inputs if key != CHANCE and key in samples.inputs])
        ]
        for kind, columns in (("groups", groups_of(study)), ("inputs", inputs_of(study)))
    }
    none = Estimate(math.nan)
    reached = samples.output >= samples.claim
    gain = samples.utility.max(axis=1) - samples.utility[:, samples.best]
    return Worths(
        samples=samples,
        utilities=tuple(samples.mean(each) for each in samples.utility.T) if samples.decides else (),
        perfect=samples.mean(gain) if samples.decides else none,
        probability=none if math.isnan(samples.claim) else samples.mean(reached.astype(float)),
        measurements=_ranked(samples, asked),
        groups=_ranked(samples, perfect["groups"]),
        inputs=_ranked(samples, perfect["inputs"]),
    )


def _ranked(samples: Samples, measurements: Sequence[Measurement]) -> tuple[Worth, ...]:
    found = [worth_of(samples, each) for each in measurements]

    def rank(worth: Worth) -> tuple[float, float]:
        value = worth.value.value if math.isnan(worth.measurement.cost) else worth.net
        return (0.0 if math.isnan(value) else -value, -worth.variance.value)

    return tuple(sorted(found, key=rank))


def worth_of(samples: Samples, measurement: Measurement) -> Worth:
    """What one measurement is worth."""
    seen = [measured(samples, measurement, draw) for draw in range(1 if measurement.perfect else DRAWS)]
    basis = regressors(np.concatenate(seen, axis=1)).reshape(len(seen), len(samples.sample), -1)
    folds = _folds(samples.replicate)
    value = Estimate(math.nan)
    if samples.decides:
        value = samples.mean(gains(samples.utility, basis, folds, best=samples.best))
    centred = samples.output - samples.output.mean()
    left = np.mean([(centred - each) ** 2 for each in fitted(centred[:, None], basis, folds)[..., 0]], axis=0)
    explained = samples.ratio(centred**2 - left, centred**2) if centred.any() else Estimate(0.0)
    chance, certainty = (math.nan,) * 3, Estimate(math.nan)
    if not math.isnan(samples.claim):
        reached = (samples.output >= samples.claim).astype(float)
        after = chances(reached, basis, folds)
        low, middle, high = np.quantile(after, [0.05, 0.5, 0.95]).tolist()
        chance = low, middle, high
        spread = (reached - reached.mean()) ** 2
        certainty = Estimate(0.0, remark="the claim is always reached, or never")
        if spread.any():
            certainty = samples.ratio(spread - ((reached - after) ** 2).mean(axis=0), spread)
    return Worth(measurement, value, explained, math.sqrt(float(left.mean())), chance, certainty)


def measured(samples: Samples, measurement: Measurement, draw: int) -> Array:
    """What a measurement shows in each sample, (input, row): its inputs and errors, a function of seed and row."""
    rows = []
    for key, error in measurement.errors.items():
        values = samples.inputs[key]
        if error:
            name = f"error {draw} of measured {key}"
            values = values + error * ndtri(uniforms(samples.study, [name], samples.sample)[:, 0])
        rows.append(values)
    return np.array(rows)


def regressors(values: Array) -> Array:
    """What a mean is made of: cubic splines of each input and products of two of them, scaled, (row, term).

    Parameters
    ----------
    values
        (input, row).
    """
    parts = []
    for each in values:
        knots = np.unique(np.quantile(each, np.linspace(0.0, 1.0, KNOTS)))
        if len(knots) < 2:
            continue
        few = np.unique(each)
        degree = min(3, len(few) - 1)
        parts.append(
            SplineTransformer(degree=degree, knots=knots[:, None], include_bias=False).fit_transform(each[:, None])
        )
    if 1 < len(parts) <= MOST_JOINT:
        scaled = StandardScaler().fit_transform(values.T)
        both = PolynomialFeatures(2, interaction_only=True, include_bias=False).fit_transform(scaled)
        parts.append(both[:, len(values) :])
    if not parts:
        return np.zeros((values.shape[1], 1))
    return np.asarray(StandardScaler().fit_transform(np.concatenate(parts, axis=1)))


def _folds(replicate: NDArray[np.int64]) -> NDArray[np.int64]:
    """Fold of each row: whole replicates, as rows of one are no independent draws."""
    _, number = np.unique(replicate, return_inverse=True)
    return number % FOLDS


def fitted(values: Array, basis: Array, folds: NDArray[np.int64]) -> Array:
    """Means of some values given what was measured, by ridge regressions on the other folds.

    Parameters
    ----------
    values
        (row, value).
    basis
        As of `regressors`, for each draw of the errors, (draw, row, term).
    folds
        (row,).

    Returns
    -------
    (draw, row, value).
    """
    draws, _, terms = basis.shape
    found = np.empty((draws, *values.shape))
    scale = np.maximum(values.std(axis=0), 1e-300)
    for fold in np.unique(folds):
        out = folds == fold
        model = RidgeCV(alphas=ALPHAS, alpha_per_target=values.shape[1] > 1)
        learnt = np.tile(values[~out] / scale, (draws, 1))
        model.fit(basis[:, ~out].reshape(-1, terms), learnt if values.shape[1] > 1 else learnt[:, 0])
        guess = model.predict(basis[:, out].reshape(-1, terms)).reshape(draws, int(out.sum()), -1)
        found[:, out] = guess * scale
    return found


def gains(utility: Array, basis: Array, folds: NDArray[np.int64], *, best: int) -> Array:
    """What choosing by a measurement gains in each row over an option without it, mean over the draws, (row,).

    Parameters
    ----------
    utility
        (row, option).
    best
        The option that is chosen without.
    """
    over = utility - utility[:, [best]]
    choice = fitted(over, basis, folds).argmax(axis=2)  # (draw, row)
    return np.asarray(np.take_along_axis(over, choice.T, axis=1).mean(axis=1))


def chances(event: Array, basis: Array, folds: NDArray[np.int64]) -> Array:
    """Probability of an event given what was measured, by logistic regressions on the other folds, (draw, row)."""
    draws, rows, terms = basis.shape
    found = np.empty((draws, rows))
    for fold in np.unique(folds):
        out = folds == fold
        learnt = np.tile(event[~out], draws)
        if learnt.min() == learnt.max():
            found[:, out] = learnt[0]
            continue
        model = LogisticRegression(max_iter=5000).fit(basis[:, ~out].reshape(-1, terms), learnt)
        found[:, out] = model.predict_proba(basis[:, out].reshape(-1, terms))[:, 1].reshape(draws, -1)
    return found


def to_json(found: Worths) -> str:
    """The values for a program; nan is null."""

    def plain(value: object) -> object:
        if isinstance(value, Mapping):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    def told(worth: Worth) -> dict[str, object]:
        return {
            "name": worth.measurement.name,
            "errors": dict(worth.measurement.errors),
            "value": asdict(worth.value),
            "remark": worth.remark,
            "cost": worth.measurement.cost,
            "net": worth.net,
            "variance_explained": asdict(worth.variance),
            "standard_deviation_after": worth.deviation,
            "probability_after": dict(zip(("q05", "q50", "q95"), worth.probability, strict=True)),
            "event_variance_explained": asdict(worth.certainty),
        }

    samples = found.samples
    answer = {
        "samples": len(samples.sample),
        "options": [
            {"name": name, "utility": asdict(each)}
            for name, each in zip(samples.options, found.utilities, strict=False)
        ],
        "units": samples.units,
        "perfect_information": asdict(found.perfect),
        "claim": samples.claim,
        "probability": asdict(found.probability),
        "output": samples.words,
        "output_units": samples.output_units,
        "standard_deviation": float(samples.output.std()),
        "remarks": samples.remarks,
        "measurements": [told(worth) for worth in found.measurements],
        "groups": [told(worth) for worth in found.groups],
        "inputs": [told(worth) for worth in found.inputs],
    }
    return json.dumps(plain(answer), indent=1)
