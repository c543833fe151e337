"""Weights of samples by their likelihoods, and what the weighted samples are worth: importance sampling.

Each sample has a weight in proportion to its likelihood (Smith and Gelfand 1992, Am. Stat. 46:84).
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from study.intervals import Array

FEWEST_EFFECTIVE = 100.0
"""Effective samples below which a new run is needed: then a 5 % quantile has some five of them beyond it."""
LARGEST_K = 0.7
"""Pareto's k above which weighted means cannot be trusted, however many samples (Vehtari et al. 2024)."""


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
    Enough are `FEWEST_EFFECTIVE`, or half of the samples where they are fewer; and where Pareto's k can be told it is
    `LARGEST_K` at most.
    """
    fewest = min(FEWEST_EFFECTIVE, 0.5 * len(log_likelihoods))

    def bear(share: float) -> bool:
        weights = reweight(share * log_likelihoods)
        return weights.effective >= fewest and not LARGEST_K < weights.pareto_k < math.inf

    low, high = (1.0, 1.0) if bear(1.0) else (0.0, 1.0)
    while high - low > 1e-3 * high:
        middle = 0.5 * (low + high)
        low, high = (middle, high) if bear(middle) else (low, middle)
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
