"""How fast the error of a mean falls with the number of runs, and how many an interval of a given width takes.

Rows belong to 16 independent replicates whatever the design, so that one formula gives all intervals but plain Monte
Carlo's, which is that of independent rows and does not pay for few degrees of freedom (1.96 instead of 2.13).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import exp1, ndtri
from scipy.stats import qmc

from study.config import Study
from study.sampling import SOBOL_DIMENSIONS, uniforms
from study.simulation import simulate

Array = NDArray[np.float64]

REPLICATES = 16
LEVEL = 0.95
DESIGNS = {
    "sobol": "hotland's Sobol'",
    "latin_hypercube": "Latin hypercubes of 64",
    "latin_hypercube_whole": "Latin hypercubes of n/16",
    "monte_carlo": "plain Monte Carlo",
}
"""The second is hotland's too; the third is of `scipy.stats.qmc`, drawn anew for each n: such a run cannot go on."""


@dataclass(frozen=True)
class Function:
    """A function of uniform variates, (row, input), whose mean is known."""

    name: str
    inputs: int
    mean: float
    compute: Callable[[Array], Array]


def line_source(u: Array) -> Array:
    """Temperature drop at a line source after ten years, K; 50 ± 8 W/m, normal, and 2.2 W/m/K ± 20 %, lognormal."""
    spread = np.sqrt(np.log(1.0 + 0.2**2))
    heat = 50.0 + 8.0 * ndtri(u[:, 0])
    conductivity = 2.2 * np.exp(spread * ndtri(u[:, 1]) - 0.5 * spread**2)
    return heat / (4.0 * np.pi * conductivity) * _LINE


def exponentials(u: Array) -> Array:
    """Product of eight exponentials, each weaker than the one before."""
    return np.exp((u - 0.5) @ _POWERS)


def ishigami(u: Array) -> Array:
    """Of Ishigami and Homma (1990), a = 7, b = 0.1."""
    x, y, z = (2.0 * np.pi * u - np.pi).T
    return np.sin(x) + 7.0 * np.sin(y) ** 2 + 0.1 * z**4 * np.sin(x)


def _excess(u: Array) -> Array:
    demand, capacity = ndtri(u).T * np.array([[1.5], [1.0]]) + np.array([[10.0], [11.0]])
    return demand - capacity


def unmet(u: Array) -> Array:
    """Demand, 10 ± 1.5 MW, above a capacity of 11 ± 1 MW: a kink."""
    return np.maximum(_excess(u), 0.0)


def short(u: Array) -> Array:
    """Whether demand is above capacity: a step."""
    return (_excess(u) > 0.0).astype(float)


_LINE = float(exp1(0.06**2 / (4.0 * 1e-6 * 10.0 * 365.25 * 86400.0)))
_POWERS = 2.0 / np.arange(1.0, 9.0)
_SIGMA = float(np.hypot(1.5, 1.0))

FUNCTIONS = (
    Function("line source, 2 inputs", 2, 50.0 * 1.04 / 2.2 * _LINE / (4.0 * np.pi), line_source),
    Function(
        "product of exponentials, 8 inputs", 8, float(np.prod(np.sinh(_POWERS / 2.0) / (_POWERS / 2.0))), exponentials
    ),
    Function("Ishigami, 3 inputs", 3, 3.5, ishigami),
    Function(
        "unmet demand (kink), 2 inputs",
        2,
        float(_SIGMA * stats.norm.pdf(1.0 / _SIGMA) - stats.norm.cdf(-1.0 / _SIGMA)),
        unmet,
    ),
    Function("demand unmet or not (step), 2 inputs", 2, float(stats.norm.cdf(-1.0 / _SIGMA)), short),
)


@dataclass(frozen=True)
class Means:
    """What an output came to under one design.

    Attributes
    ----------
    replicates
        Mean of each replicate, (seed, size, replicate).
    sizes
        Rows of all replicates together, (size,).
    deviation
        Standard deviation of the output.
    truth
        Its mean; nan where it is not known.
    independent
        Whether rows are independent: plain Monte Carlo.
    """

    replicates: Array
    sizes: NDArray[np.int64]
    deviation: float
    truth: float = np.nan
    independent: bool = False

    def half_widths(self) -> Array:
        """Half the width of the 95 % interval, (seed, size)."""
        if self.independent:
            half = stats.norm.ppf(0.5 + LEVEL / 2) * self.deviation / np.sqrt(self.sizes)
            return np.broadcast_to(half, self.replicates.shape[:2])
        quantile = float(stats.t.ppf(0.5 + LEVEL / 2, REPLICATES - 1))
        return np.asarray(quantile * self.replicates.std(axis=-1, ddof=1) / np.sqrt(REPLICATES))

    def squared_errors(self) -> Array:
        """Of the mean, (seed, size); where the truth is not known, as the spread between replicates has it."""
        if np.isnan(self.truth):
            return np.asarray(self.replicates.var(axis=-1, ddof=1) / REPLICATES)
        return np.asarray((self.replicates.mean(axis=-1) - self.truth) ** 2)

    def error(self) -> tuple[Array, Array, Array]:
        """Root-mean-square error with its 95 % interval, each (size,)."""
        return _interval(self.squared_errors(), lambda squares: np.sqrt(squares.mean(axis=-2)))

    def slope(self, first: int = 0) -> tuple[float, float, float]:
        """Power of n that the error falls with, from a size on, with its 95 % interval."""
        use = self.sizes >= first
        x = np.log(self.sizes[use]) - np.log(self.sizes[use]).mean()
        found = _interval(
            self.squared_errors()[:, use], lambda squares: 0.5 * np.log(squares.mean(axis=-2)) @ x / (x @ x)
        )
        value, low, high = map(float, found)
        return value, low, high

    def covered(self, size: int) -> float:
        """Share of intervals that hold the truth."""
        at = self.sizes.tolist().index(size)
        off = np.abs(self.replicates.mean(axis=-1) - self.truth)[:, at]
        return float((off <= self.half_widths()[:, at]).mean())

    def runs(self, half_width: float) -> float:
        """Runs until the half-width is, as a root mean square, no more than that; nan if more than were measured."""
        if self.independent:
            return float((stats.norm.ppf(0.5 + LEVEL / 2) * self.deviation / half_width) ** 2)
        typical = np.sqrt((self.half_widths() ** 2).mean(axis=0))
        enough = typical <= half_width
        if not enough.any():
            return np.nan
        at = int(np.argmax(enough))
        if at == 0:
            return float(self.sizes[0])
        x, y = np.log(self.sizes[at - 1 : at + 1]), np.log(typical[at - 1 : at + 1])
        return float(np.exp(x[0] + (np.log(half_width) - y[0]) * (x[1] - x[0]) / (y[1] - y[0])))


def _interval(values: Array, statistic: Callable[[Array], Array]) -> tuple[Array, Array, Array]:
    """A statistic over seeds, which are independent, with its interval by the bootstrap."""
    picked = np.random.default_rng(1).integers(0, len(values), (999, len(values)))
    low, high = np.quantile(statistic(values[picked]), [0.5 - LEVEL / 2, 0.5 + LEVEL / 2], axis=0)
    return statistic(values), low, high


def of_functions(
    study: Study, functions: Sequence[Function], *, designs: Iterable[str], seeds: int, sizes: Sequence[int]
) -> dict[str, dict[str, Means]]:
    """Means of functions by name and design.

    Parameters
    ----------
    study
        Any; its design and its seed are replaced.
    sizes
        Numbers of rows, multiples of 16.
    """
    found: dict[str, dict[str, Means]] = {function.name: {} for function in functions}
    inputs = max(function.inputs for function in functions)
    for design in designs:
        means = np.empty((len(functions), seeds, len(sizes), REPLICATES))
        variances = np.empty((len(functions), seeds))
        for seed in range(seeds):
            for place, u in enumerate(_points(study, design, inputs, seed, sizes)):
                for which, function in enumerate(functions):
                    y = function.compute(u[:, : function.inputs])
                    means[which, seed, place] = y.reshape(-1, REPLICATES).mean(axis=0)
                    variances[which, seed] = y.var()
        deviations = np.sqrt(variances.mean(axis=1))
        for function, of_it, deviation in zip(functions, means, deviations.tolist(), strict=True):
            independent = design == "monte_carlo"
            found[function.name][design] = Means(of_it, np.array(sizes), deviation, function.mean, independent)
    return found


def _points(study: Study, design: str, inputs: int, seed: int, sizes: Sequence[int]) -> Iterable[Array]:
    if design == "latin_hypercube_whole":
        rng = np.random.default_rng([seed, inputs])
        for size in sizes:
            cubes = [qmc.LatinHypercube(inputs, rng=rng).random(size // REPLICATES) for _ in range(REPLICATES)]
            yield np.stack(cubes, axis=1).reshape(size, inputs)
        return
    case = study.model_copy(update={"design": design, "seed": seed, "replicates": REPLICATES})
    whole = uniforms(case, SOBOL_DIMENSIONS[:inputs], np.arange(max(sizes)))
    yield from (whole[:size] for size in sizes)


def carbon_reduction(study: Study, *, design: str, seed: int, rows: int, folder: Path | None = None) -> Array:
    """Of a study's winters, t CO₂, (row, winter); what is computed is kept in a folder, to be used again."""
    kept = folder / f"{design}-{seed}.npy" if folder else None
    if kept is not None and kept.exists() and len(values := np.load(kept)) >= rows:
        return np.asarray(values[:rows])
    case = study.model_copy(update={"design": design, "seed": seed, "replicates": REPLICATES})
    values = np.asarray(simulate(case, np.arange(rows)).values["carbon_reduction"])
    if not np.isfinite(values).all():
        raise RuntimeError("some samples of the study failed, so its mean is not known")
    if kept is not None:
        np.save(kept, values)
    return values


def chance(winters: Array) -> float:
    """Standard deviation by chance of the mean of a row's winters, from successive ones (von Neumann et al. 1941)."""
    departure = winters - winters.mean(axis=-2, keepdims=True)
    return float(np.sqrt(0.5 * (np.diff(departure, axis=-1) ** 2).mean() / winters.shape[-1]))


def of_values(values: Array, *, sizes: Sequence[int], independent: bool) -> Means:
    """Means of a study's output, (seed, row), by size; the truth is not known."""
    means = [values[:, :size].reshape(len(values), -1, REPLICATES).mean(axis=1) for size in sizes]
    return Means(np.stack(means, axis=1), np.array(sizes), float(values.std()), independent=independent)
