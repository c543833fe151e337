"""What a measurement is worth: exact answers of linear cases with normal inputs, in stores, and what is refused."""

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import ndtr, ndtri
from sklearn.linear_model import Ridge
from sklearn.model_selection import cross_val_score

import study
from study import figures
from study.cli import main
from study.config import Study, load_study, variable_name
from study.errors import EnsembleError
from study.sampling import sample_inputs
from study.value import (
    PENALTIES,
    Measurement,
    Samples,
    Worth,
    Worths,
    _ridge,
    _sums,
    advice,
    chances,
    fitted,
    parse_measurement,
    regressors,
    samples_of,
    sentence,
    to_json,
    values_of,
    worth_of,
)
from tests.conftest import SMOKE, made, variant
from tests.test_economics import MONEY_OF

SMALL = load_study(SMOKE)
X, Z = "geothermal_gradient", "heat_pump.second_law_efficiency"  # normal in the study
CLAIM = 106.0


def normal_study(seed: int = 1, *, design: str = "sobol", rows: int = 1024, **changes: Any) -> Study:
    keys = {"seed": seed, "design": design, "samples": rows, "replicates": 16, "winters": 1}
    return variant(SMALL, keys | {"claim": {"carbon_reduction": f"{CLAIM:g} t"}} | changes)


def standard(values: np.ndarray, case: Study, key: str) -> np.ndarray:
    about = case.drawn[key].parameters
    return np.asarray((values - about["mean"]) / about["standard_deviation"])


def made_up(case: Study, worth: tuple[float, float, float] = (0.0, 0.0, 0.0), *, failed: int = 0) -> xr.Dataset:
    """An ensemble of 100 + 3 x + 4 z t of carbon reduction, and a net present value a + b x + c z, both exactly."""
    rows = np.arange(case.samples)
    inputs = sample_inputs(case, rows)
    x, z = standard(inputs[X], case, X), standard(inputs[Z], case, Z)
    carbon = 100.0 + 3.0 * x + 4.0 * z
    carbon[:failed] = np.nan
    both = ("sample", "winter")
    return xr.Dataset(
        {
            "carbon_reduction": (both, carbon[:, None], {"long_name": "carbon reduction", "units": "t CO2"}),
            "net_present_value": ("sample", worth[0] + worth[1] * x + worth[2] * z, {"units": "CNY"}),
            "levelised_cost_of_heat": ("sample", 50.0 - worth[1] * x - worth[2] * z, {"units": "CNY GJ-1"}),
            "outdoor_temperature_mean": (both, np.zeros((len(rows), 1)), {"units": "degC"}),
            **{variable_name(key): ("sample", inputs[key]) for key in case.uncertain},
            "status": ("sample", (rows < failed).astype(np.int8)),
            "replicate": ("sample", rows % case.replicates),
        },
        coords={"sample": rows, "winter": [1]},
        attrs={"study": json.dumps(case.resolved())},
    )


def unit_normal_loss(mean: float, deviation: float) -> float:
    """E[max(0, X)] - max(0, E[X]) of a normal X (Raiffa and Schlaifer 1961)."""
    z = abs(mean) / deviation
    return float(deviation * (stats.norm.pdf(z) - z * stats.norm.sf(z)))


def of_many(options: list[tuple[float, float]]) -> float:
    """E[max (a + b m)] - max a of a standard normal m, on a fine grid."""
    m = ndtri((np.arange(400_000) + 0.5) / 400_000)
    return float(np.max([a + b * m for a, b in options], axis=0).mean() - max(a for a, _ in options))


SEEDS = 40
CASES = {  # correlation of ranks, standard deviation of the error, in those of x
    "perfect": (0.0, 0.0),
    "half": (0.0, 0.5),
    "double": (0.0, 2.0),
    "correlated": (0.6, 0.0),
    "correlated half": (0.6, 0.5),
}


def exact_two(correlation: float, error: float) -> float:
    """Of an option worth 0.4 + x + 0.8 z against none."""
    linear = 2.0 * math.sin(math.pi * correlation / 6.0)  # of normal scores: Pearson 1907
    return unit_normal_loss(0.4, (1.0 + 0.8 * linear) / math.sqrt(1.0 + error**2))


def correlated(rank: float) -> dict[str, Any]:
    return {"correlations": [{"inputs": [X, Z], "rank_correlation": rank}]} if rank else {}


@pytest.fixture(scope="module")
def many() -> dict[str, list[Worth]]:
    """Worth of measuring x in many studies of independent samples."""
    found: dict[str, list[Worth]] = {name: [] for name in CASES}
    for name, (rank, error) in CASES.items():
        for seed in range(SEEDS):
            case = normal_study(seed, design="monte_carlo", **correlated(rank))
            samples = samples_of({"one": made_up(case, (0.4, 1.0, 0.8))})
            scale = case.drawn[X].parameters["standard_deviation"]
            found[name].append(worth_of(samples, Measurement(name, {X: error * scale})))
    return found


@pytest.mark.parametrize("name", CASES)
def test_value_is_that_of_the_linear_normal_case(many: dict[str, list[Worth]], name: str) -> None:
    exact = exact_two(*CASES[name])
    values = np.array([worth.value.value for worth in many[name]])
    error = values.std(ddof=1) / math.sqrt(SEEDS)
    print(name, exact, values.mean() / exact - 1, error / exact, sum(w.value.low <= exact <= w.value.high for w in many[name]))
