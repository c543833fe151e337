"""What a measurement would be worth before a decision, and how much it would narrow an answer.

Of samples x of what is not known and utilities U(x) of the options, with the best option under what is known now:

- perfect information is worth E[max U] - max E[U] (EVPI);
- that of some inputs x_i, E[max E[U | x_i]] - max E[U] (EVPPI);
- a measurement y = x_i + error, E[max E[U | y]] - max E[U] (EVSI).

The inner means are regressions on the samples that are there (single loop: Strong, Oakley and Brennan 2014, Med. Decis.
Making 34:311; of measurements: Strong, Oakley, Brennan and Breeze 2015, Med. Decis. Making 35:570). A regression that
chooses by the rows it was fitted to finds too much; here each replicate's options are chosen by a regression of other
replicates, and worth what its own rows then say. So an estimate is on the low side, if anything, by what the regression
chooses wrongly, and the spread of the replicates gives its interval, which is of what the regression finds.

What one input tells, a group with it tells, too, but a regression on many inputs and few samples may miss it. So other
replicates also choose between the regression on all inputs of a group and those on its members.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtri

from study.config import CHANCE
from study.errors import EnsembleError
from study.intervals import Array, Estimate
from study.measurements import Measurement, parse_measurement
from study.options import Samples, samples_of
from study.pick_freeze import groups_of, inputs_of
from study.quantity import short
from study.regression import chances, fitted, regressors
from study.sampling import uniforms

__all__ = [
    "Measurement",
    "Samples",
    "Worth",
    "Worths",
    "parse_measurement",
    "samples_of",
    "values_of",
    "worth_of",
]

DRAWS = 8
"""Errors of a measurement that are drawn for each sample."""
NOISE = "not distinguishable from zero"


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
        return replace(value, **{each: getattr(value, each) - cost for each in _NUMBERS})

    @property
    def remark(self) -> str:
        """Whether the value cannot be told from zero."""
        if math.isnan(self.value.value) or self.value.low > 0.0:
            return ""
        return "the same option stays the best" if not self.gain.any() else NOISE


_NUMBERS = ("value", "low", "high", "lowest", "highest")


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
                f"{', '.join(samples.inputs)}"
            )
    perfect = {
        kind: [
            Measurement(column.name if kind == "groups" else " + ".join(keys), dict.fromkeys(keys, 0.0))
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
    folds, rows = samples.folds, np.arange(len(samples.sample))
    centred = samples.output - samples.output.mean()
    over = samples.utility - samples.utility[:, [samples.best]] if samples.decides else np.empty((len(rows), 0))
    wanted = np.column_stack([over, centred])
    learnt = []
    for those in members_of(samples, measurement):
        basis = regressors(np.concatenate([each[those] for each in seen], axis=1))
        learnt.append(fitted(wanted, basis.reshape(len(seen), len(rows), -1), folds))
    guesses = np.array([each[..., -1] for each in learnt])
    guess = guesses[chosen(-((centred - guesses) ** 2).mean(axis=1), folds), :, rows].T
    value, gain = Estimate(math.nan), np.empty(0)
    if samples.decides:
        gained = np.array([gains(over, each[..., :-1]) for each in learnt])
        gain = gained[chosen(gained, folds), rows]
        value = samples.mean(gain)
    left = ((centred - guess) ** 2).mean(axis=0)
    explained = samples.share(centred**2 - left, centred**2) if centred.any() else Estimate(0.0)
    after, certainty = (math.nan,) * 3, Estimate(math.nan)
    if not math.isnan(samples.claim):
        reached = samples.output >= samples.claim
        chance = chances(reached, guess / max(float(centred.std()), 1e-300), folds)
        low, middle, high = np.quantile(chance, [0.05, 0.5, 0.95]).tolist()
        after = low, middle, high
        certainty = Estimate(0.0, remark="the claim is always reached, or never")
        if 0.0 < reached.mean() < 1.0:
            before = _score(reached, reached.mean())
            certainty = samples.share(_score(reached, chance).mean(axis=0) - before, -before)
    return Worth(measurement, value, explained, math.sqrt(float(left.mean())), after, certainty, gain)


def members_of(samples: Samples, measurement: Measurement) -> list[list[int]]:
    """Sets of a measurement's inputs, by their places: all, then sets that correlations make, and each by itself."""
    keys = list(measurement.errors)
    sets = [keys, *(column.inputs for column in inputs_of(samples.study)), *([key] for key in keys)]
    places = (tuple(keys.index(key) for key in those if key in keys) for those in sets)
    return [list(each) for each in dict.fromkeys(places) if each]


def chosen(score: Array, folds: NDArray[np.int64]) -> NDArray[np.int64]:
    """The candidate whose mean score is highest in the rows of other folds, for each row.

    Parameters
    ----------
    score
        (candidate, row).
    folds
        (row,).
    """
    found = np.zeros(len(folds), dtype=np.int64)
    for fold in np.unique(folds):
        found[folds == fold] = score[:, folds != fold].mean(axis=1).argmax()
    return found


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


def _score(event: NDArray[np.bool_], chance: Array | float) -> Array:
    """Logarithm of the probability that was given to what happened."""
    least = 0.5 / len(event)
    given = np.clip(chance, least, 1.0 - least)
    return np.log(np.where(event, given, 1.0 - given))
