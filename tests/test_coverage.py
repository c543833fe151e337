"""Nominal 95 % intervals hold the truth in 95 of 100 small studies, for every estimator and every design.

Studies are drawn by the project's own design. Groups of inputs of one seed are scrambled independently of each other,
so each group makes a study of its own.
"""

import functools
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import ndtri

from study import statistics
from study.sampling import SOBOL_DIMENSIONS, uniforms

REPLICATES, STUDIES, INPUTS, WINTERS = 16, 200, 6, 8
DESIGNS = ("sobol", "latin_hypercube", "monte_carlo")
WEIGHTS = np.array([0.8, 0.4, 0.3, 0.2, 0.2, 0.15]) / np.linalg.norm([0.8, 0.4, 0.3, 0.2, 0.2, 0.15])
BOTH = ("sample", "winter")


@functools.cache
def normals(design: str, rows: int, studies: int = STUDIES) -> xr.DataArray:
    """Normal scores of the inputs of many studies, and chance of their winters."""
    each = len(SOBOL_DIMENSIONS) // INPUTS
    parts = []
    for seed in range(-(-studies // each)):
        of: Any = SimpleNamespace(seed=seed, design=design, replicates=REPLICATES)
        u = uniforms(of, SOBOL_DIMENSIONS[: each * INPUTS], np.arange(rows))
        parts.append(u.reshape(rows, each, INPUTS))
    points = ndtri(np.concatenate(parts, axis=1)[:, :studies])
    replicate = {"replicate": ("sample", np.arange(rows) % REPLICATES)}
    return xr.DataArray(points, dims=("sample", "study", "input"), coords=replicate)


@functools.cache
def chance(rows: int, studies: int = STUDIES) -> xr.DataArray:
    noise = np.random.default_rng(rows).standard_normal((rows, WINTERS, studies))
    return xr.DataArray(noise, dims=("sample", "winter", "study"))


def even(z: xr.DataArray) -> xr.DataArray:
    """Standard normal, of all inputs alike."""
    return z.sum("input") / np.sqrt(INPUTS)


def uneven(z: xr.DataArray) -> xr.DataArray:
    """Standard normal, of some inputs more than of others."""
    return (z * xr.DataArray(WEIGHTS, dims="input")).sum("input")


def smooth(z: xr.DataArray) -> xr.DataArray:
    one, two, three, four = (z.isel(input=i) for i in range(4))
    return np.exp(0.5 * one) + two**2 + three * four


def winters(z: xr.DataArray) -> xr.DataArray:
    """As much variance between the samples as between the winters of each: normal, of variance 2."""
    return uneven(z) + chance(z.sizes["sample"], z.sizes["study"])


def tail_mean(p: float) -> float:
    """Mean of a standard normal's largest share p."""
    return float(stats.norm.pdf(stats.norm.isf(p)) / p)


def highest_of_four_above_zero() -> float:
    """Mean of max(0, s + m), s standard normal and m the largest of four standard normals."""
    x = np.linspace(-8.0, 8.0, 3201)
    s, m = np.meshgrid(x, x)
    density = stats.norm.pdf(s) * 4 * stats.norm.pdf(m) * stats.norm.cdf(m) ** 3
    return float((np.maximum(0.0, s + m) * density).sum() * (x[1] - x[0]) ** 2)


Estimator = Callable[..., xr.Dataset]
CASES: dict[str, tuple[Estimator, float]] = {
    "mean, smooth": (lambda z, **how: statistics.mean(smooth(z), **how), np.exp(0.125) + 1),
    "mean, lognormal": (lambda z, **how: statistics.mean(np.exp(uneven(z)), **how), np.exp(0.5)),
    "mean, kinked": (
        lambda z, **how: statistics.mean(np.maximum(0.0, even(z) - 0.5), **how),
        stats.norm.pdf(0.5) - 0.5 * stats.norm.sf(0.5),
    ),
    "mean, rarely other than zero": (
        lambda z, **how: statistics.mean(np.maximum(0.0, even(z) - 1.5), **how),
        stats.norm.pdf(1.5) - 1.5 * stats.norm.sf(1.5),
    ),
    "mean, winters": (lambda z, **how: statistics.mean(np.exp(0.5 * winters(z)), over=BOTH, **how), np.exp(0.25)),
    "probability 0.31": (lambda z, **how: statistics.probability(uneven(z) > 0.5, **how), stats.norm.sf(0.5)),
    "probability 0.3 of one input": (lambda z, **how: statistics.probability(z.isel(input=0) > ndtri(0.7), **how), 0.3),
    "probability 0.02": (lambda z, **how: statistics.probability(even(z) > ndtri(0.98), **how), 0.02),
    "probability 0.02, winters": (
        lambda z, **how: statistics.probability(winters(z) > np.sqrt(2) * ndtri(0.98), over=BOTH, **how),
        0.02,
    ),
    "exceedance": (
        lambda z, **how: statistics.exceedance(uneven(z), [ndtri(0.9)], **how).isel(level=0),
        0.1,
    ),
    "median": (lambda z, **how: statistics.quantile(even(z), 0.5, **how), 0.0),
    "quantile 0.05, lognormal": (
        lambda z, **how: statistics.quantile(np.exp(uneven(z)), 0.05, **how),
        np.exp(ndtri(0.05)),
    ),
    "quantile 0.95, kinked": (
        lambda z, **how: statistics.quantile(np.maximum(0.0, even(z)), [0.95], **how).isel(quantile=0),
        ndtri(0.95),
    ),
    "return level": (lambda z, **how: statistics.return_level(winters(z), 50, **how), np.sqrt(2) * ndtri(0.98)),
    "tail of a fifth": (lambda z, **how: statistics.conditional_value_at_risk(even(z), 0.2, **how), tail_mean(0.2)),
    "lower tail, lognormal": (
        lambda z, **how: statistics.conditional_value_at_risk(np.exp(uneven(z)), 0.1, tail="lower", **how),
        np.exp(0.5) * stats.norm.cdf(ndtri(0.1) - 1) / 0.1,
    ),
    "upper tail, lognormal": (
        lambda z, **how: statistics.conditional_value_at_risk(np.exp(uneven(z)), 0.1, **how),
        np.exp(0.5) * stats.norm.sf(ndtri(0.9) - 1) / 0.1,
    ),
    "tail, winters": (
        lambda z, **how: statistics.conditional_value_at_risk(winters(z), 0.05, over=BOTH, **how),
        np.sqrt(2) * tail_mean(0.05),
    ),
    "ratio": (
        lambda z, **how: statistics.ratio(np.exp(uneven(z)), z.isel(input=1) ** 2, **how),
        np.exp(0.5),
    ),
    "lowest of 7 winters": (lambda z, **how: statistics.order_statistic(winters(z), 1, 7, **how), -1.3521783756),
    "highest of 4 winters, mostly zero or so": (
        lambda z, **how: statistics.order_statistic(np.maximum(0.0, winters(z)), 4, 4, **how),
        highest_of_four_above_zero(),
    ),
    "variance share": (lambda z, **how: statistics.variance_share(winters(z), **how), 0.5),
}
"""Estimator and truth."""


def found(case: str, design: str, rows: int, studies: int = STUDIES) -> tuple[int, int]:
    """How many intervals hold the truth, and how many were given."""
    estimator, truth = CASES[case]
    z = normals(design, rows, studies)
    with_interval = estimator(z.drop_vars("replicate") if design == "monte_carlo" else z, design=design)
    told = with_interval["low"].notnull() | with_interval["high"].notnull()
    assert ((with_interval["remark"] != "") | told).all()
    missed = (with_interval["low"] > truth) | (with_interval["high"] < truth)
    return int((told & ~missed).sum()), int(told.sum())


SAFE_WIDTH = 1.6
"""A conservative interval is no wider than so many times that of Student's t for independent rows, in the median."""


def holds(held: int, told: int, *, exact: bool) -> None:
    """As often as it says, to one in a thousand."""
    alternative = "two-sided" if exact else "less"
    assert stats.binomtest(held, told, 0.95, alternative=alternative).pvalue > 1e-3, f"{held} of {told}"


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("case", CASES)
def test_intervals_hold_the_truth_in_95_of_100_studies(case: str, design: str) -> None:
    held, told = found(case, design, 256)
    assert told > 0.9 * STUDIES
    holds(held, told, exact=not any(word in case for word in ("probability", "quantile", "median", "return", "rare")))


@pytest.mark.slow
@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("rows", [64, 512, 2048])
@pytest.mark.parametrize("case", CASES)
def test_intervals_hold_the_truth_in_smaller_and_larger_studies(case: str, rows: int, design: str) -> None:
    held, told = found(case, design, rows)
    if rows == 64 and "lognormal" in case and "mean" in case:
        assert held > 0.85 * told  # how skewed an output is, 64 rows cannot show: docs/uncertainty.md says so
        return
    if told:
        holds(held, told, exact=False)
    assert told > 0.9 * STUDIES or rows == 64 or case == "mean, rarely other than zero"


@pytest.mark.parametrize(("design", "rows"), [("sobol", 64), ("sobol", 256), ("latin_hypercube", 256)])
def test_the_safe_interval_is_not_much_wider(design: str, rows: int) -> None:
    z = normals(design, rows)
    for p in (0.02, 0.1, 0.5):
        safe = statistics.probability(even(z) > ndtri(1 - p), design=design)
        width = float((safe["high"] - safe["low"]).median())
        student = 2 * stats.t.ppf(0.975, REPLICATES - 1) * np.sqrt(p * (1 - p) / rows)
        assert width < SAFE_WIDTH * student


def test_scrambled_points_have_the_narrower_intervals() -> None:
    width = {}
    for design in ("sobol", "monte_carlo"):
        each = statistics.mean(smooth(normals(design, 1024, 30)), design=design)
        width[design] = float((each["high"] - each["low"]).mean())
    assert width["sobol"] < 0.7 * width["monte_carlo"]


def test_failed_samples_are_within_the_interval_whatever_they_would_have_given() -> None:
    # the worst hundredth of the samples fails; intervals hold the truth of all, failed ones included
    z = normals("sobol", 512)
    values = uneven(z)
    held = dict.fromkeys(("probability", "quantile", "mean"), 0)
    for study in range(50):
        x = values.isel(study=study)
        lost = x.copy()
        lost[np.argsort(x.values)[-5:]] = np.nan
        event, share = (lost > 1.0).where(lost.notnull()), xr.apply_ufunc(stats.norm.cdf, lost)
        for name, truth, estimate in (
            ("probability", stats.norm.sf(1.0), statistics.probability(event)),
            ("quantile", ndtri(0.95), statistics.quantile(lost, 0.95)),
            ("mean", 0.5, statistics.mean(share, limits=(0.0, 1.0))),
        ):
            held[name] += bool(estimate["low"] <= truth <= estimate["high"])
    for number in held.values():
        holds(number, 50, exact=False)
