"""Learn from operation: an ensemble's samples weighed by how well they explain what was read of the wells.

The winters of a sample are drawn, those of the readings are real: so the wells of each sample are driven with what was
read (`study.readings.predict`), and their temperatures compared. Bayes' rule on the samples is then importance sampling
from the prior: each has a weight in proportion to its likelihood (Smith and Gelfand 1992, Am. Stat. 46:84).

>>> import study
>>> found = study.update(dataset, "readings.csv")  # doctest: +SKIP
>>> dataset["unmet_hours"].mean("winter").weighted(found.weight).quantile(0.95)  # doctest: +SKIP
"""

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats
from scipy.linalg import cholesky, solve_triangular
from scipy.optimize import root

from study.config import Study, study_of
from study.correlation import correlation_problem
from study.distributions import Input
from study.errors import EnsembleError
from study.intervals import Estimate
from study.readings import Readings, predict, read_readings
from study.sampling import sample_inputs
from study.statistics import estimate, mean, probability, ratio, usable
from study.wells import Inputs, with_fluid

Array = NDArray[np.float64]

FEWEST_EFFECTIVE = 100.0
"""Effective samples below which a new run is needed: then a 5 % quantile has some five of them beyond it."""
LARGEST_K = 0.7
"""Pareto's k above which weighted means cannot be trusted, however many samples (Vehtari et al. 2024)."""
UNLIKELY = 1e-3
"""Chance of a misfit as large as the best sample's below which no sample explains the readings."""
MOVED = 0.1
"""An input moved when its mean shifted, or its standard deviation shrank, by that share of the prior's deviation."""


@dataclass(frozen=True)
class ReadingError:
    """How readings differ from what the wells of the true sample would show, standard deviations in K.

    Attributes
    ----------
    sensor
        Of a day's reading, each day by itself, and once more of each sensor's constant offset.
    bias
        Of the model in a whole season: one number for all its days, so that many days do not make it smaller.
    drift, days
        Of the model from day to day, which dies away with exp(-Δt/days), d.
    daily
        Of the model on each day by itself, both temperatures alike: a day's heat comes in another shape than evenly
        (`study.readings.STEPS`).

    The defaults are assumptions: a resistance thermometer in a pocket, and a model of alike wells in layered rock.
    """

    sensor: float = 0.1
    bias: float = 0.3
    drift: float = 0.2
    days: float = 10.0
    daily: float = 0.15

    def covariance(self, time: Array, season: NDArray[np.int64], sensor: NDArray[np.int64]) -> Array:
        """Covariance of the differences, K², (reading, reading).

        Parameters
        ----------
        time, season, sensor
            Of each reading: d, and the numbers of its season and its sensor, (reading,).
        """
        apart = np.abs(time[:, None] - time)
        model = self.bias**2 * (season[:, None] == season) + self.drift**2 * np.exp(-apart / self.days)
        model += self.daily**2 * (apart == 0.0)
        return np.asarray(model + self.sensor**2 * (np.eye(len(time)) + (sensor[:, None] == sensor)))


@dataclass(frozen=True)
class Weights:
    """Weights of samples, and what they are worth.

    Attributes
    ----------
    weight
        Sum 1, (row,).
    effective
        Number of equally weighted samples that would tell as much, 1/Σw² (Kish 1965, Survey sampling).
    pareto_k
        Shape of the tail of the weights before it was smoothed; inf where it cannot be told.
    """

    weight: Array
    effective: float
    pareto_k: float

    @property
    def remark(self) -> str:
        """Why a new run is needed; empty when it is not."""
        limit = min(1.0 - 1.0 / math.log10(max(len(self.weight), 11)), LARGEST_K)
        if not self.pareto_k <= limit:
            return f"few samples carry most of the weight (Pareto's k {self.pareto_k:.2f}, above {limit:.2f})"
        if self.effective < FEWEST_EFFECTIVE:
            return f"{self.effective:.0f} effective samples are fewer than {FEWEST_EFFECTIVE:.0f}"
        return ""


def log_likelihood(observed: Array, predicted: Array, covariance: Array) -> tuple[Array, Array]:
    """Logarithm of the Gaussian likelihood of each sample, without its constant, and its misfit χ², both (row,).

    Parameters
    ----------
    observed
        (reading,).
    predicted
        (row, reading).
    covariance
        Of their differences, (reading, reading).
    """
    white = solve_triangular(cholesky(covariance, lower=True), (observed - predicted).T, lower=True)
    misfit = (white**2).sum(axis=0)
    return -0.5 * misfit, misfit


def reweight(log_likelihoods: Array) -> Weights:
    """Weights of samples from the logarithms of their likelihoods, (row,), the largest smoothed.

    Pareto-smoothed importance sampling (Vehtari, Simpson, Gelman, Yao and Gabry 2024, J. Mach. Learn. Res. 25(72)):
    the largest weights, min(n/5, 3√n) of them, become the expected order statistics of a generalised
    Pareto distribution that is fitted to them (`pareto_shape`).

    Raises
    ------
    ValueError
        When there is no sample, or a likelihood is not a number.
    """
    if not len(log_likelihoods) or not np.isfinite(log_likelihoods).all():
        raise ValueError("the likelihoods of samples must be there, and finite")
    raw = np.exp(log_likelihoods - log_likelihoods.max())
    count = len(raw)
    tail, k, weight = math.ceil(min(0.2 * count, 3.0 * math.sqrt(count))), math.inf, raw.copy()
    if tail >= 5:
        order = np.argsort(raw, kind="stable")
        largest, threshold = order[-tail:], float(raw[order[-tail - 1]])
        excess = raw[largest] - threshold
        if excess[-1] <= 1e-12:  # all alike: nothing to smooth
            k = -math.inf
        elif excess[0] > 0.0:
            k, scale = pareto_shape(excess)
            places = (np.arange(tail) + 0.5) / tail
            smooth = threshold + stats.genpareto.ppf(places, k, scale=scale)
            weight[largest] = np.minimum(smooth, 1.0)
    weight /= weight.sum()
    return Weights(weight, float(1.0 / (weight**2).sum()), float(k))


def tempered(log_likelihoods: Array) -> tuple[float, Weights]:
    """The largest share of the readings' information that leaves enough effective samples, and the weights then.

    Likelihoods are raised to the share (Neal 2001, Stat. Comput. 11:125); what is left of it can follow in another run.
    Enough are `FEWEST_EFFECTIVE`, or half of the samples where they are fewer.
    """
    enough = min(FEWEST_EFFECTIVE, 0.5 * len(log_likelihoods))
    low, high = 0.0, 1.0
    if reweight(log_likelihoods).effective >= enough:
        return 1.0, reweight(log_likelihoods)
    while high - low > 1e-3 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if reweight(middle * log_likelihoods).effective >= enough else (low, middle)
    return low, reweight(low * log_likelihoods)


def pareto_shape(excess: Array) -> tuple[float, float]:
    """Shape and scale of a generalised Pareto distribution (as scipy's) fitted to values above 0, ascending, (value,).

    Zhang and Stephens (2009, Technometrics 51:316): the mean over a grid of θ, weighted by the profile likelihood; the
    shape then drawn to 0.5 as by ten more values (Vehtari et al. 2024).
    """
    n = len(excess)
    points = np.arange(1, 30 + int(math.sqrt(n)) + 1)
    quartile = excess[int(n / 4 + 0.5) - 1]
    theta = 1.0 / excess[-1] + (1.0 - np.sqrt(len(points) / (points - 0.5))) / (3.0 * quartile)
    shape = np.log1p(-theta[:, None] * excess).mean(axis=1)
    profile = n * (np.log(-theta / shape) - shape - 1.0)
    weight = np.exp(profile - profile.max())
    best = float((theta * weight).sum() / weight.sum())
    k = float(np.log1p(-best * excess).mean())
    return (n * k + 5.0) / (n + 10.0), -k / best


@dataclass(frozen=True)
class Change:
    """An input before and after: mean, standard deviation and the ends of its 90 % range, in its unit."""

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
    changes
        Of the drawn inputs, the most narrowed first.
    answers
        Of outputs.
    remarks
        What is to be said, why a new run is needed first.
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
    changes: tuple[Change, ...]
    answers: tuple[Answer, ...]
    remarks: tuple[str, ...]

    @property
    def needs_run(self) -> bool:
        """Whether the samples are too few where the readings point, so that a new run is needed."""
        return bool(self.weights.remark)

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
        When too many samples failed, none ended well, or the store holds several designs.
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
    if not isinstance(readings, Readings):
        readings = read_readings(readings, study)
    good = usable(dataset)
    good = good.isel(sample=np.flatnonzero(~good["failed"].values)).drop_vars("failed")
    if not good.sizes["sample"]:
        raise EnsembleError("no sample ended well: nothing to learn")
    rows = good["sample"].values
    inputs = sample_inputs(study, rows)
    loop = good["loop_temperature_mean"].isel(winter=0).values
    predicted = predict(study, with_fluid(inputs, study.fluid.medium, loop), readings)
    found, misfit, count = likelihood_of(readings, predicted, error)
    weights = reweight(share * found)
    remarks = [f"a new run from the updated inputs is needed: {weights.remark}"] if weights.remark else []
    if failed := dataset.sizes["sample"] - len(rows):
        remarks.append(f"{failed:,} of {dataset.sizes['sample']:,} samples failed, and are left out")
    remarks += readings.remarks
    if (chance := float(stats.chi2.sf(misfit.min(), count))) < UNLIKELY:
        remarks.append(
            f"no sample explains the readings (the best one's misfit has a chance of {chance:.1g}): the truth may lie "
            "outside the priors, or the errors be larger than stated"
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
        changes=changes_of(study, inputs, weights),
        answers=tuple(_answers(study, good, weights)),
        remarks=tuple(remarks),
    )


def likelihood_of(readings: Readings, predicted: Mapping[str, Array], error: ReadingError) -> tuple[Array, Array, int]:
    """Log-likelihood and misfit of samples, (row,), and how many readings were compared.

    Driven with heat, both temperatures are compared, where they were read; driven with the inlet's, the outlet's.
    """
    compared = {"outlet_temperature": readings.outlet}
    if readings.driver == "heat":
        compared["inlet_temperature"] = readings.inlet
    there = [np.flatnonzero(np.isfinite(values)) for values in compared.values()]
    observed = np.concatenate([values[at] for values, at in zip(compared.values(), there, strict=True)])
    model = np.concatenate([predicted[name][:, at] for name, at in zip(compared, there, strict=True)], axis=1)
    at = np.concatenate(there)
    sensor = np.repeat(np.arange(len(there)), [len(each) for each in there])
    time = (365.0 * readings.winter[at] + readings.day[at]).astype(float)
    return *log_likelihood(observed, model, error.covariance(time, readings.winter[at], sensor)), len(observed)


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

    def after(values: xr.DataArray, lowest: float = -math.inf, highest: float = math.inf) -> Estimate:
        told = estimate(ratio(weights * values, weights, replicate, design=design))
        if made.remark:
            return Estimate(told.value, remark=made.remark)
        return replace(told, low=_between(told.low, lowest, highest), high=_between(told.high, lowest, highest))

    most = {"unmet_hours": (0.0, 24.0 * study.season.days)}
    found = []
    for name in ("carbon_reduction", "unmet_hours", "outlet_temperature_mean"):
        life = good[name].mean("winter")
        words = f"{good[name].attrs['long_name']}, mean of a winter"
        before = estimate(mean(life, replicate, design=design))
        found.append(Answer(words, good[name].attrs["units"], before, after(life, *most.get(name, ()))))
        if name == "carbon_reduction" and study.claim is not None:
            event = life >= study.claim.carbon_reduction
            words = f"probability of {study.claim.carbon_reduction:,.0f} t CO2 or more, on average over the life"
            before = estimate(probability(event, replicate, design=design))
            found.append(Answer(words, "1", before, after(event.astype(float), 0.0, 1.0)))
    return found


def _between(end: float, lowest: float, highest: float) -> float:
    """An end of an interval within what is possible; nan stays nan."""
    return float(np.clip(end, lowest, highest))


def updated_study(found: Update) -> tuple[Study, list[str]]:
    """The study whose inputs are distributed as after the readings, for a new run, and what was approximated, in words.

    Where a new run is needed, the readings count only as far as enough samples are left to fit to (`tempered`); the
    last of the words then says which share of them is to be used after the run. Inputs that moved keep their kind where
    it is normal or lognormal, with the mean and the deviation after; choices get the weights as probabilities; all
    others become normal, truncated where the prior ends. Rank correlations between those are that of the weighted
    samples where they are clear of chance.
    """
    study, share, weights = found.study, 1.0, found.weights
    if found.needs_run:
        share, weights = tempered(found.share * found.log_likelihoods)
    weight, left = weights.weight, found.share * (1.0 - share)
    tree = json.loads(json.dumps(study.resolved()))
    tree["name"] = f"{study.name[:56]}-updated"
    moved = [change for change in changes_of(study, found.inputs, weights) if change.moved]
    source = f"updated from {len(found.readings.day)} days of readings"
    said = []
    for change in moved:
        item = study.drawn[change.key]
        made = _fitted(item, found.inputs[change.key], weight, change, source)
        _put(tree, change.key.split("."), made.dump())
        said.append(f"{change.key}: {made.text}")
    given = {each.inputs: each.rank_correlation for each in study.correlations}
    keys = [change.key for change in moved if study.drawn[change.key].kind != "choice"]
    new = _rank_correlations(keys, found.inputs, weights)
    given = {pair: r for pair, r in given.items() if not set(pair) <= set(keys)}
    while new and correlation_problem(given | new):
        new = {pair: 0.9 * r for pair, r in new.items() if abs(r) > 0.02}
    tree["correlations"] = [
        {"inputs": list(pair), "rank_correlation": round(r, 4)} for pair, r in (given | new).items()
    ]
    said += [f"rank correlation of {first} and {second}: {r:.2f}" for (first, second), r in new.items()]
    if left > 0.0:
        said.append(
            f"the readings are in these inputs with {found.share - left:.3g} of their weight, as more would leave too "
            f"few samples: update the new run with them again, with --share {left:.3g}"
        )
    else:
        said.append("the readings are in these inputs: do not use them again")
    return Study.model_validate(tree), said


def _fitted(item: Input, values: Array, weight: Array, change: Change, source: str) -> Input:
    """A distribution of one input after the readings."""
    middle, spread = change.posterior[:2]
    spread = max(spread, 1e-9 * abs(middle), 1e-12)
    if item.kind == "choice":
        options = np.array(item.parameters["values"])
        shares = np.array([weight[values == option].sum() / (options == option).sum() for option in options])
        shares = np.maximum(shares, 1e-6)
        return replace(
            item,
            parameters={"values": options.tolist(), "probabilities": (shares / shares.sum()).tolist()},
            source=source,
        )
    if item.kind in ("normal", "lognormal"):
        return replace(item, parameters={"mean": middle, "standard_deviation": spread}, source=source)
    low, high = item.bounds()

    def off(at: Array) -> Array:
        centre, width = at[0], math.exp(min(at[1], 50.0))
        of = stats.truncnorm((low - centre) / width, (high - centre) / width, centre, width)
        return np.array([(of.mean() - middle) / spread, of.std() / spread - 1.0])

    with np.errstate(all="ignore"):
        solved = root(off, [middle, math.log(spread)], method="hybr")
    centre, width = (solved.x[0], math.exp(solved.x[1])) if solved.success else (middle, spread)
    if not abs(centre - middle) < 10.0 * (high - low):  # nearly flat: any far centre would do
        centre, width = middle, spread
    numbers = {"mean": float(centre), "standard_deviation": float(width), "minimum": low, "maximum": high}
    return replace(item, kind="truncated_normal", parameters=numbers, source=source)


def _rank_correlations(keys: list[str], inputs: Inputs, weights: Weights) -> dict[tuple[str, str], float]:
    """Weighted rank correlations of inputs that are clear of chance: above 2/√(effective samples)."""
    weight = weights.weight
    ranks = []
    for key in keys:
        order = np.argsort(inputs[key], kind="stable")
        rank = np.empty(len(order))
        rank[order] = np.cumsum(weight[order]) - 0.5 * weight[order]
        ranks.append(rank)
    correlation = {}
    for n, first in enumerate(keys):
        for m in range(n):
            both = np.cov(ranks[n], ranks[m], aweights=weight)
            r = float(both[0, 1] / math.sqrt(both[0, 0] * both[1, 1]))
            if abs(r) > 2.0 / math.sqrt(weights.effective):
                correlation[keys[m], first] = float(np.clip(r, -0.95, 0.95))
    return correlation


def _put(tree: dict[str, Any], path: list[str], value: Any) -> None:
    node: Any = tree
    for name in path[:-1]:
        node = node[int(name) if isinstance(node, list) else name]
    node[path[-1]] = value


def write_study(study: Study, path: Path) -> None:
    """Write a study as the YAML file that `hotland run` takes."""
    from ruamel.yaml import YAML

    yaml = YAML()
    yaml.width = 120
    with path.open("w", encoding="utf-8") as file:
        yaml.dump(json.loads(json.dumps(study.resolved())), file)


def to_json(found: Update) -> str:
    """The update for a program: nan is null."""

    def plain(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: plain(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [plain(each) for each in value]
        return None if isinstance(value, float) and not math.isfinite(value) else value

    told = {
        "study": found.study.name,
        "days": len(found.readings.day),
        "driver": found.readings.driver,
        "error": asdict(found.error),
        "share": found.share,
        "samples": len(found.samples),
        "failed": len(found.samples) - len(found.sample),
        "effective_samples": found.weights.effective,
        "pareto_k": found.weights.pareto_k,
        "needs_run": found.needs_run,
        "remarks": found.remarks,
        "inputs": [
            {
                "key": change.key,
                "unit": change.unit,
                "moved": change.moved,
                "narrower": change.narrower,
                **{
                    when: dict(zip(("mean", "standard_deviation", "q05", "q95"), numbers, strict=True))
                    for when, numbers in (("prior", change.prior), ("posterior", change.posterior))
                },
            }
            for change in found.changes
        ],
        "outputs": [asdict(answer) for answer in found.answers],
        "weights": {str(row): w for row, w in zip(found.sample.tolist(), found.weights.weight.tolist(), strict=True)},
    }
    return json.dumps(plain(told), indent=1)


def text_of(value: Estimate, units: str) -> str:
    """An estimate and its interval, where there is one, for a person."""
    scale, unit = (100.0, "%") if units == "1" else (1.0, units)
    if not math.isfinite(value.low) and not math.isfinite(value.high):
        return f"{value.value * scale:,.4g} {unit} (no interval)"
    ends = [f"{end * scale:,.4g}" if math.isfinite(end) else "?" for end in (value.low, value.high)]
    return f"{value.value * scale:,.4g} {unit} ({ends[0]} to {ends[1]})"
