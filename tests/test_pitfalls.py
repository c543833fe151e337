"""What common tools do to a campaign, on the releases that are locked, each beside what hotland does.

One failed run that turns every index into zero, a bootstrap of rows that are not independent, the same samples drawn by
every worker, and one exception that loses all runs. A test here that fails after an upgrade is good news: the tool has
been mended, and its part can go.
"""

import multiprocessing
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

import study
from study import job, simulation
from study.config import Study, load_study
from study.sampling import SOBOL_DIMENSIONS, sample_inputs, uniforms
from study.sensitivity import saltelli
from study.statistics import mean, usable
from tests.conftest import SMOKE

Array = NDArray[np.float64]

FIRST, TOTAL = np.array([0.313905, 0.442411, 0.0]), np.array([0.557589, 0.442411, 0.243684])
"""Sobol' indices of the function of Ishigami and Homma (1990) with a = 7 and b = 0.1, and its total ones."""
DESIGNS = ("sobol", "latin_hypercube", "monte_carlo")
SPOILT = 617
"""The row that fails."""


def ishigami(x: Array) -> Array:
    """Of angles, (input, row)."""
    return np.sin(x[0]) + 7.0 * np.sin(x[1]) ** 2 + 0.1 * x[2] ** 4 * np.sin(x[0])


def smooth(u: Array) -> Array:
    """Of uniform variates, (row, input); its mean is 1."""
    return np.prod(1.0 + 0.5 * (u - 0.5), axis=1)


def points(*, inputs: int, rows: int, seed: int) -> tuple[Array, Array]:
    """Rows of hotland's own design, and the replicates that they belong to."""
    case = load_study(SMOKE).model_copy(update={"design": "sobol", "seed": seed, "replicates": 16})
    return uniforms(case, SOBOL_DIMENSIONS[:inputs], np.arange(rows)), np.arange(rows) % 16


def indices(*, rows: int, seed: int, failed: int | None = None, how: float = np.nan) -> xr.Dataset:
    """Sobol' indices of `ishigami` as hotland has them, with a failed run in its first matrix."""
    u, replicate = points(inputs=6, rows=rows, seed=seed)
    x = 2.0 * np.pi * u.T - np.pi
    mixed = np.stack([np.stack([x[3 + i] if i == k else x[i] for i in range(3)]) for k in range(3)])
    base, other = (xr.DataArray(ishigami(part), dims="sample") for part in (x[:3], x[3:]))
    if failed is not None:
        base[failed] = how
    answers = xr.DataArray(np.stack([ishigami(each) for each in mixed]), dims=("input", "sample"))
    return saltelli(base, other, answers, replicate)


def assert_means_something(found: xr.Dataset) -> None:
    for key, truth in (("first", FIRST), ("total", TOTAL)):
        width = (found[f"{key}_high"] - found[f"{key}_low"]).values
        assert np.all(width > 0.0)
        np.testing.assert_array_less(np.abs(found[key].values - truth), width)  # twice the half-width


def salib(*, rows: int, seed: int, failed: int | None = None, how: float = np.nan) -> dict[str, Array]:
    from SALib.analyze import sobol as analysis
    from SALib.sample import sobol as sample

    problem = {"num_vars": 3, "names": ["a", "b", "c"], "bounds": [[-np.pi, np.pi]] * 3}
    answers = ishigami(sample.sample(problem, rows, calc_second_order=False, seed=seed).T)
    if failed is not None:
        answers[failed] = how
    found: dict[str, Array] = analysis.analyze(problem, answers, calc_second_order=False, seed=seed)
    return found


# One failed run


def test_scipy_calls_every_index_zero_after_one_failed_run() -> None:
    runs = 0

    def model(x: Array) -> Array:
        nonlocal runs
        answers = ishigami(x)
        if runs == 0:
            answers[SPOILT] = np.nan
        runs += 1
        return answers

    found = stats.sobol_indices(func=model, n=1024, dists=[stats.uniform(-np.pi, 2.0 * np.pi)] * 3, rng=1)
    assert np.all(found.first_order == 0.0)
    assert np.all(found.total_order == 0.0)
    with pytest.warns(stats.DegenerateDataWarning):  # of the interval, not of the indices
        interval = found.bootstrap(n_resamples=99).first_order.confidence_interval
    assert np.isnan([interval.low, interval.high]).all()


@pytest.mark.peer
@pytest.mark.parametrize("how", [np.nan, np.inf])
@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
def test_salib_calls_every_index_zero_and_is_sure_of_it_after_one_failed_run(how: float) -> None:
    found = salib(rows=1024, seed=1, failed=SPOILT, how=how)
    assert set(found) == {"S1", "S1_conf", "ST", "ST_conf"}
    for name, value in found.items():
        assert np.all(value == 0.0), name


@pytest.mark.parametrize("how", [np.nan, np.inf, -np.inf])
def test_one_failed_run_is_left_out_of_indices_and_counted(how: float) -> None:
    found = indices(rows=1024, seed=1, failed=SPOILT, how=how)
    assert_means_something(found)
    assert (found["rows_left_out"] == 1).all()


# Intervals from rows that are not independent


def test_bootstrap_of_rows_of_the_design_is_far_too_wide_and_replicates_are_not() -> None:
    seeds, rows = 12, 1024
    errors, by_bootstrap, by_replicates = np.empty((3, seeds))
    for seed in range(seeds):
        u, replicate = points(inputs=4, rows=rows, seed=seed)
        values = smooth(u)
        resampled = stats.bootstrap((values,), np.mean, n_resamples=199, method="percentile", rng=seed, batch=50)
        found = mean(xr.DataArray(values, dims="sample", coords={"replicate": ("sample", replicate)}))
        errors[seed] = values.mean() - 1.0
        by_bootstrap[seed] = np.ptp(resampled.confidence_interval) / 2.0
        by_replicates[seed] = float(found["high"] - found["low"]) / 2.0
    true = np.sqrt((errors**2).mean())
    assert (by_bootstrap / (stats.norm.ppf(0.975) * true)).min() > 3.0
    squared = (by_replicates**2).mean() / (stats.t.ppf(0.975, 15) * true) ** 2
    low, high = stats.f.ppf([0.001, 0.999], 15 * seeds, seeds)  # variances as the replicates and the errors have them
    assert low < squared < high


@pytest.mark.peer
def test_salib_intervals_are_too_wide_and_grow_worse() -> None:
    seeds = 16
    too_wide = {}
    for rows in (1024, 4096):
        found = [salib(rows=rows, seed=seed) for seed in range(seeds)]
        for key, truth in (("S1", FIRST), ("ST", TOTAL)):
            errors = np.array([each[key] - truth for each in found])
            width = np.mean([each[f"{key}_conf"] for each in found], axis=0)
            too_wide[rows, key] = width / (stats.norm.ppf(0.975) * np.sqrt((errors**2).mean(axis=0)))
    assert all(each.min() > 2.0 for each in too_wide.values())
    assert np.median([too_wide[4096, key] / too_wide[1024, key] for key in ("S1", "ST")]) > 1.0


# Samples drawn by workers

DRAWING = """
import multiprocessing
import numpy as np

def inherited(_worker):
    return np.random.normal(size=20)

def seeded_alike(_worker):
    return np.random.default_rng(1).normal(size=20)

def work(draw, worker, answers):
    answers.put(draw(worker))

if __name__ == "__main__":
    context = multiprocessing.get_context("fork")
    np.random.seed(1)
    for draw in inherited, seeded_alike:
        answers = context.SimpleQueue()
        workers = [context.Process(target=work, args=(draw, worker, answers)) for worker in range(2)]
        for worker in workers:
            worker.start()
        print(len(np.unique([answers.get() for _ in workers])))
        for worker in workers:
            worker.join()
"""


@pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="workers are not forked here")
def test_forked_workers_draw_the_same_samples() -> None:
    """Those of numpy's global generator, which they inherit, and those of a generator that each seeds alike."""
    answer = subprocess.run([sys.executable, "-c", DRAWING], capture_output=True, text=True, timeout=60.0, check=True)
    assert answer.stdout.split() == ["20", "20"]  # of 40


def rows_of_design(design: str, rows: NDArray[np.int64]) -> dict[str, Array]:
    return sample_inputs(load_study(SMOKE).model_copy(update={"design": design}), rows)


@pytest.fixture(scope="module")
def two_workers() -> Any:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


@pytest.mark.parametrize("design", DESIGNS)
def test_rows_are_distinct_and_the_same_on_any_number_of_workers(two_workers: Executor, design: str) -> None:
    rows = np.arange(40)
    alone = rows_of_design(design, rows)
    uncertain = [name for name in load_study(SMOKE).uncertain if name != "well.flow_rate"]  # which has two values
    for name in uncertain:
        assert len(np.unique(alone[name])) == 40, name
    for blocks in (2, 5):
        parts = list(two_workers.map(rows_of_design, [design] * blocks, np.array_split(rows, blocks)))
        for name in uncertain:
            np.testing.assert_array_equal(np.concatenate([part[name] for part in parts]), alone[name])


# A campaign of a thousand runs, one of which raises an exception


def run_one(row: int) -> float:
    if row == SPOILT:
        raise ZeroDivisionError("division by zero")
    return float(row)


def test_one_exception_loses_the_runs_of_a_pool(two_workers: Executor) -> None:
    done = None
    with pytest.raises(ZeroDivisionError):
        done = list(two_workers.map(run_one, range(1000), chunksize=50))
    assert done is None
    with multiprocessing.get_context("spawn").Pool(2) as pool, pytest.raises(ZeroDivisionError):
        done = pool.map(run_one, range(1000))
    assert done is None


@pytest.mark.peer
def test_one_exception_loses_the_runs_of_joblib() -> None:
    from joblib import Parallel, delayed

    done = None
    with pytest.raises(ZeroDivisionError):
        done = Parallel(n_jobs=2)(delayed(run_one)(row) for row in range(1000))
    assert done is None


def test_one_exception_is_one_failed_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    case = load_study(SMOKE).model_copy(update={"winters": 1, "samples": 1000})
    expected = np.asarray(simulation.simulate(case, np.arange(1000)).values["carbon_reduction"])
    simulate_lanes: Callable[..., Any] = simulation._simulate_lanes

    def raises(case: Study, rows: NDArray[np.int64], *arguments: Any) -> Any:
        for row in rows:
            run_one(int(row))
        return simulate_lanes(case, rows, *arguments)

    monkeypatch.setattr(simulation, "_simulate_lanes", raises)
    monkeypatch.setattr(job, "SMALL", np.inf)  # in this process, where the exception is
    dataset = study.run(case, output=tmp_path / "campaign.zarr")
    good = dataset["status"].values == simulation.OK
    assert np.flatnonzero(~good).tolist() == [SPOILT]
    assert str(dataset["reason"].values[SPOILT]) == "ZeroDivisionError: division by zero"
    np.testing.assert_array_equal(dataset["carbon_reduction"].values[good], expected[good])
    found = mean(usable(dataset)["carbon_reduction"].mean("winter"))
    assert float(found["low"]) < float(np.delete(expected, SPOILT).mean()) < float(found["high"])
