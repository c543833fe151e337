"""What a measurement would be worth before a decision, and how much it would narrow an answer.

Of samples x of what is not known and utilities U(x) of the options, with the best option under what is known now:

- perfect information is worth E[max U] - max E[U] (EVPI);
- that of some inputs x_i, E[max E[U | x_i]] - max E[U] (EVPPI);
- a measurement y = x_i + error, E[max E[U | y]] - max E[U] (EVSI).

The inner means are regressions on the samples that are there (single loop: Strong, Oakley and Brennan 2014, Med. Decis.
Making 34:311; of measurements: Strong, Oakley, Brennan and Breeze 2015, Med. Decis. Making 35:570). A regression that
chooses by the rows it was fitted to finds too much; here each replicate's options are chosen by a regression of other
replicates, and worth what its own rows then say. So an estimate is on the low side, if anything, by what the regression
chooses wrongly, and the spread of the replicates gives its interval.

The regression is a ridge on splines, whose penalty generalised cross-validation chooses (Golub, Heath and Wahba 1979,
Technometrics 21:215).
"""

import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy.special import ndtri
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler

from study.comparison import direction
from study.config import CHANCE, Study, study_of, variable_name
from study.errors import EnsembleError
from study.intervals import MOST_FAILED, Estimate
from study.pairing import pair
from study.pick_freeze import groups_of, inputs_of
from study.quantity import Quantity, short
from study.sampling import uniforms
from study.statistics import estimate, mean, probability, ratio, usable
from study.sweep import each_design

Array = NDArray[np.float64]

NOT_BUILT = "not built"
"""The option beside a single design; its utility is zero."""
FOLDS = 8
KNOTS = 6
DRAWS = 8
"""Errors of a measurement that are drawn for each sample."""
MOST_JOINT = 16
"""Inputs of a group above which their products two by two are left out of the regression."""
PENALTIES = np.logspace(-3, 6, 19)
"""Of the ridge regressions, for terms of unit variance."""
FEWEST_ROWS = 64
"""Samples below which nothing is fitted."""
_SLOPES = 100.0  # variance of the prior of the logistic regressions' slopes: it only keeps them finite
NOISE = "not distinguishable from zero"
NONE = "none is worth its cost"
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

    def ratio(self, numerator: Array, denominator: Array) -> Estimate:
        """Ratio of the means of two numbers of each row, with its interval."""
        both = (self._of_all(numerator), self._of_all(denominator))
        return estimate(ratio(*both, self.replicate, most_failed=1.0, design=self.study.design))

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
        Share of the entropy of whether the claim is reached that it is expected to take away. Where its interval
        reaches zero, what `probability` shows is the regression's own noise.
    gain
        What choosing by it gains in each row, (row,); empty without a utility.
    """

    measurement: Measurement
    value: Estimate
    variance: Estimate
    deviation: float
    probability: tuple[float, float, float]
    certainty: Estimate
    gain: Array = field(repr=False, compare=False)

    @property
    def net(self) -> Estimate:
        """Value less cost."""
        cost, value = self.measurement.cost, self.value
        return replace(value, value=value.value - cost, low=value.low - cost, high=value.high - cost)

    @property
    def remark(self) -> str:
        """Whether the value cannot be told from zero."""
        if math.isnan(self.value.value) or self.value.low > 0.0:
            return ""
        return "the same option stays the best" if not self.gain.any() else NOISE


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

    @property
    def best(self) -> Worth | None:
        """The measurement to buy, by value less cost; None where none is worth its cost, or not all costs are known."""
        if not self.measurements or not self.measurements[0].net.value > 0.0:
            return None
        return self.measurements[0]


def parse_measurement(text: str, study: Study, *, cost: float = math.nan) -> Measurement:
    """Return the measurement that a text such as ``rock.conductivity +-0.1 W/m/K`` describes.

    The number is the standard deviation of a normal error; several inputs that are measured together are separated by
    commas.

    Raises
    ------
    ValueError
        When the text is no such thing, or the input is not uncertain in the study.
    """
    errors: dict[str, float] = {}
    for part in text.split(","):
        if not (match := _MEASURE.fullmatch(part)):
            raise ValueError(f"{short(part)}; allowed: an input and the error of its measurement, such as {_EXAMPLE}")
        key, error = match.groups()
        if key not in study.uncertain:
            raise ValueError(f"{short(key)} is not uncertain in this study; allowed: {', '.join(study.uncertain)}")
        if key in errors:
            raise ValueError(f"{key} is there twice; allowed: once")
        quantity = Quantity(study.uncertain[key].quantity.difference_unit, gt=0)
        try:
            errors[key] = quantity.parse(float(error) if _is_number(error) else error)
        except ValueError as problem:
            raise ValueError(f"{key}: {short(error)}: {problem}") from None
    return Measurement(text.strip(), errors, cost)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


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
    inputs, remarks = _inputs(good, studies), []
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
    best = int(worth.mean(axis=0).argmax()) if utility is not None else 0
    if len(good) == 1:
        if utility is not None and direction(utility) == "lower":
            raise EnsembleError(
                f"--utility {utility}: less of it is better, and a plant that is not built has none of it; allowed "
                "with one design: net_present_value, claim:REWARD/PENALTY, or a variable of which more is better"
            )
        worth, options = np.column_stack([worth, np.zeros(len(worth))]), (*options, NOT_BUILT)
    output = list(good.values())[best]["carbon_reduction"]
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
    numbers = [float(each) if _is_number(each) else math.nan for each in match.groups()] if match else [math.nan]
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
            raise EnsembleError(
                f"--measure {short(each.name)}: {', '.join(unknown)}: not the same in all designs; allowed: "
                f"{', '.join(samples.inputs) or 'none, as they share no input'}"
            )
    perfect = {
        kind: [
            Measurement(column.name, dict.fromkeys(keys, 0.0))
            for column in columns
            if (keys := [key for key in column.inputs if key != CHANCE and key in samples.inputs])
        ]
        for kind, columns in (("groups", groups_of(study)), ("inputs", inputs_of(study)))
    }
    none = Estimate(math.nan)
    gain = samples.utility.max(axis=1) - samples.utility[:, samples.best]
    return Worths(
        samples=samples,
        utilities=tuple(samples.mean(each) for each in samples.utility.T) if samples.decides else (),
        perfect=samples.mean(gain) if samples.decides else none,
        probability=none if math.isnan(samples.claim) else samples.chance(samples.output >= samples.claim),
        measurements=_ranked(samples, asked),
        groups=_ranked(samples, perfect["groups"]),
        inputs=_ranked(samples, perfect["inputs"]),
    )


def _ranked(samples: Samples, measurements: Sequence[Measurement]) -> tuple[Worth, ...]:
    found = [worth_of(samples, each) for each in measurements]

    def rank(worth: Worth) -> tuple[float, float]:
        value = worth.net.value
        if math.isnan(worth.measurement.cost):
            value = worth.value.value if worth.value.low > 0.0 else 0.0
        return (0.0 if math.isnan(value) else -value, -worth.variance.value)

    return tuple(sorted(found, key=rank))


def worth_of(samples: Samples, measurement: Measurement) -> Worth:
    """What one measurement is worth."""
    seen = [measured(samples, measurement, draw) for draw in range(1 if measurement.perfect else DRAWS)]
    basis = regressors(np.concatenate(seen, axis=1)).reshape(len(seen), len(samples.sample), -1)
    folds = samples.folds
    centred = samples.output - samples.output.mean()
    over = samples.utility - samples.utility[:, [samples.best]] if samples.decides else np.empty((len(centred), 0))
    learnt = fitted(np.column_stack([over, centred]), basis, folds)
    value, gain, guess = Estimate(math.nan), np.empty(0), learnt[..., -1]
    if samples.decides:
        gain = gains(over, learnt[..., :-1])
        value = samples.mean(gain)
    left = ((centred - guess) ** 2).mean(axis=0)
    explained = samples.ratio(centred**2 - left, centred**2) if centred.any() else Estimate(0.0)
    after, certainty = (math.nan,) * 3, Estimate(math.nan)
    if not math.isnan(samples.claim):
        reached = samples.output >= samples.claim
        chance = chances(reached, guess / max(float(centred.std()), 1e-300), folds)
        low, middle, high = np.quantile(chance, [0.05, 0.5, 0.95]).tolist()
        after = low, middle, high
        certainty = Estimate(0.0, remark="the claim is always reached, or never")
        if 0.0 < reached.mean() < 1.0:
            before = _score(reached, reached.mean())
            certainty = samples.ratio(_score(reached, chance).mean(axis=0) - before, -before)
    return Worth(measurement, value, explained, math.sqrt(float(left.mean())), after, certainty, gain)


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
        degree = min(3, len(np.unique(each)) - 1)
        spline = SplineTransformer(degree=degree, knots=knots[:, None], include_bias=False)
        parts.append(spline.fit_transform(each[:, None]))
    if 1 < len(parts) <= MOST_JOINT:
        scaled = StandardScaler().fit_transform(values.T)
        both = PolynomialFeatures(2, interaction_only=True, include_bias=False).fit_transform(scaled)
        parts.append(both[:, len(values) :])
    if not parts:
        return np.zeros((values.shape[1], 1))
    return np.asarray(StandardScaler().fit_transform(np.concatenate(parts, axis=1)))


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
    places = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
    sums = [_sums(values[each], basis[:, each]) for each in places]
    whole = [sum(parts) for parts in zip(*sums, strict=True)]
    found = np.empty((len(basis), *values.shape))
    for out, own in zip(places, sums, strict=True):
        constant, slopes = _ridge(*(of_all - part for of_all, part in zip(whole, own, strict=True)))
        found[:, out] = constant + basis[:, out] @ slopes
    return found


def _sums(values: Array, basis: Array) -> tuple[float, Array, Array, Array, Array, Array]:
    """Over rows, of the mean of the draws: number, terms, values, and the products of those."""
    terms = basis.reshape(-1, basis.shape[2])
    product = basis.mean(axis=0).T @ values
    squares = (values**2).sum(axis=0)
    return (
        len(values),
        basis.mean(axis=0).sum(axis=0),
        values.sum(axis=0),
        terms.T @ terms / len(basis),
        product,
        squares,
    )


def _ridge(
    rows: float, terms: Array, values: Array, squares: Array, products: Array, values_squared: Array
) -> tuple[Array, Array]:
    """Constants, (value,), and slopes, (term, value), of least generalised cross-validation."""
    centre, mean_ = terms / rows, values / rows
    size, axes = np.linalg.eigh(squares - rows * np.outer(centre, centre))
    size = np.maximum(size, 0.0)
    along = axes.T @ (products - rows * np.outer(centre, mean_))
    shrunk = 1.0 / (size + PENALTIES[:, None])  # (penalty, term)
    left = (values_squared - rows * mean_**2) - ((size + 2 * PENALTIES[:, None]) * shrunk**2) @ along**2
    score = left / (rows - 1.0 - (size * shrunk).sum(axis=1)[:, None]) ** 2  # (penalty, value)
    slopes = axes @ (along * shrunk[score.argmin(axis=0)].T)
    return mean_ - centre @ slopes, slopes


def gains(over: Array, learnt: Array) -> Array:
    """What choosing by a measurement gains in each row, mean over the draws, (row,).

    Parameters
    ----------
    over
        What each option is worth over the one that is chosen without the measurement, (row, option).
    learnt
        Its mean given the measurement, as of `fitted`, (draw, row, option).
    """
    return np.asarray(np.take_along_axis(over, learnt.argmax(axis=2).T, axis=1).mean(axis=1))


def chances(event: NDArray[np.bool_], guess: Array, folds: NDArray[np.int64]) -> Array:
    """Probability of an event given what was measured, (draw, row), by logistic regressions on the other folds.

    On the output's mean given the measurement and its square: an event of few rows would not bear more terms.

    Parameters
    ----------
    event
        (row,).
    guess
        Mean of the output, as of `fitted`, in standard deviations of the output above its mean, (draw, row).
    """
    terms = np.stack([guess, guess**2], axis=-1)
    found = np.empty(guess.shape)
    for fold in np.unique(folds):
        out = folds == fold
        learnt = np.tile(event[~out], len(guess))
        if learnt.all() or not learnt.any():
            found[:, out] = learnt[0]
            continue
        model = LogisticRegression(C=_SLOPES, solver="newton-cholesky").fit(terms[:, ~out].reshape(-1, 2), learnt)
        found[:, out] = model.predict_proba(terms[:, out].reshape(-1, 2))[:, 1].reshape(len(guess), -1)
    return found


def _score(event: NDArray[np.bool_], chance: Array | float) -> Array:
    """Logarithm of the probability that was given to what happened."""
    least = 0.5 / len(event)
    given = np.clip(chance, least, 1.0 - least)
    return np.log(np.where(event, given, 1.0 - given))


def sentence(worth: Worth, found: Worths) -> str:
    """What a measurement narrows, in words."""
    samples = found.samples
    off = "off the variance of the carbon reduction"
    said = f"{worth.measurement.name}: takes {worth.variance:.1%} {off}"
    if not worth.variance.low > 0.0:
        said = f"{worth.measurement.name}: what it takes {off} is {NOISE}"
    if math.isnan(samples.claim):
        return said
    said += f"; P(≥ {samples.claim:,.0f} {samples.output_units}), now {found.probability.value:.2%}, "
    if not worth.certainty.low > 0.0:
        return f"{said}changes by nothing that can be told from zero"
    low, _, high = worth.probability
    return f"{said}is then between {low:.2%} and {high:.2%} in 90 % of cases"


def advice(found: Worths) -> str:
    """Which measurement to buy, in words; empty where none was asked for, or there is nothing to decide by."""
    if not found.measurements or not found.samples.decides:
        return ""
    first, *others = found.measurements
    units = f" {found.samples.units}".rstrip()
    if math.isnan(first.measurement.cost):
        if first.remark:
            return f"worth most: {first.measurement.name}, but {first.remark}"
        return f"worth most: {first.measurement.name}; --cost holds it against what it costs"
    if found.best is None:
        sure = (
            "" if not first.net.high > 0.0 else f", though {first.measurement.name} may be: {first.net:,.4g}{units} net"
        )
        return f"{NONE}{sure}"
    said = f"buy {first.measurement.name}: {first.net:,.4g}{units} more than its cost"
    if not first.net.low > 0.0:
        said += f", {NOISE}"
    if others and others[0].net.value > 0.0:
        ahead = found.samples.mean(first.gain - others[0].gain)
        cost = first.measurement.cost - others[0].measurement.cost
        if not ahead.low - cost > 0.0:
            said += f"; as far as can be told {others[0].measurement.name} is as good"
    return said


def to_json(found: Worths) -> str:
    """The values for a program; nan is null."""

    def plain(value: object) -> object:
        if isinstance(value, Mapping):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    def told(estimate_: Estimate) -> dict[str, object]:
        return {**asdict(estimate_), "distinguishable_from_zero": bool(estimate_.low > 0.0)}

    def all_of(worth: Worth) -> dict[str, object]:
        return {
            "name": worth.measurement.name,
            "errors": dict(worth.measurement.errors),
            "value": told(worth.value),
            "remark": worth.remark,
            "cost": worth.measurement.cost,
            "net": told(worth.net),
            "variance_explained": told(worth.variance),
            "standard_deviation_after": worth.deviation,
            "probability_after": dict(zip(("q05", "q50", "q95"), worth.probability, strict=True)),
            "event_entropy_explained": told(worth.certainty),
            "sentence": sentence(worth, found),
        }

    samples = found.samples
    answer = {
        "samples": len(samples.sample),
        "failed": int(samples.failed.sum()),
        "options": [
            {"name": name, "utility": asdict(each)}
            for name, each in zip(samples.options, found.utilities, strict=False)
        ],
        "best": samples.options[samples.best] if samples.decides else None,
        "units": samples.units,
        "perfect_information": told(found.perfect),
        "claim": samples.claim,
        "probability": asdict(found.probability),
        "output": samples.words,
        "output_units": samples.output_units,
        "standard_deviation": float(samples.output.std()),
        "remarks": samples.remarks,
        "buy": found.best.measurement.name if found.best else None,
        "advice": advice(found),
        "measurements": [all_of(worth) for worth in found.measurements],
        "groups": [all_of(worth) for worth in found.groups],
        "inputs": [all_of(worth) for worth in found.inputs],
    }
    return json.dumps(plain(answer), indent=1)
