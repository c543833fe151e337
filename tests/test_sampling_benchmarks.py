"""The benchmark of the design measures what it says, on a small scale."""

import argparse
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from study.config import load_study
from study.statistics import mean
from tests.conftest import ROOT, SMOKE

sys.path.append(str(ROOT / "benchmarks"))
import sampling
import sampling_convergence as convergence
from sampling_convergence import DESIGNS, FUNCTIONS, REPLICATES, Means

RULE = np.polynomial.legendre.leggauss(400)


def synthetic(power: float, *, seeds: int = 40, spread: float = 1.0) -> Means:
    """Means of replicates whose error falls with a power of n."""
    sizes = 64 * 2 ** np.arange(6)
    noise = np.random.default_rng(1).normal(size=(seeds, len(sizes), REPLICATES))
    return Means(2.0 + spread * noise * np.sqrt(REPLICATES) * sizes[:, None] ** power, sizes, spread, 2.0)


@pytest.mark.parametrize("function", FUNCTIONS[:4], ids=lambda function: function.name)
def test_means_are_those_of_the_functions(function: convergence.Function) -> None:
    """Those of two inputs by Gauss and Legendre's rule, of more by Monte Carlo."""
    x, weight = RULE
    u, weight = 0.5 * (x + 1.0), 0.5 * weight
    if function.inputs == 2:
        grid = np.stack(np.meshgrid(u, u, indexing="ij"), axis=-1).reshape(-1, 2)
        assert weight @ function.compute(grid).reshape(400, 400) @ weight == pytest.approx(function.mean, rel=1e-3)
        return
    sample = np.random.default_rng(1).random((200_000, function.inputs))
    values = function.compute(sample)
    assert abs(values.mean() - function.mean) < 4.0 * values.std() / np.sqrt(len(values))


def test_line_source_is_that_of_its_known_answer() -> None:
    assert FUNCTIONS[0].mean == pytest.approx(22.929009, abs=1e-6)


@pytest.mark.parametrize("power", [-0.5, -1.0, -1.5])
def test_slope_is_found_with_its_uncertainty(power: float) -> None:
    slope, low, high = synthetic(power).slope()
    assert low < slope < high
    assert low - 0.05 < power < high + 0.05
    assert high - low < 0.3


def test_where_the_truth_is_not_known_the_replicates_tell_the_error() -> None:
    known = synthetic(-1.0, seeds=400)
    unknown = Means(known.replicates, known.sizes, known.deviation)
    np.testing.assert_allclose(unknown.error()[0], known.error()[0], rtol=0.15)


def test_intervals_are_those_of_the_statistics() -> None:
    values = np.random.default_rng(1).normal(size=(2, 256))
    found = convergence.of_values(values, sizes=[256], independent=False)
    replicate = xr.DataArray(np.arange(256) % REPLICATES, dims="sample")
    for row, half in zip(values, found.half_widths()[:, 0], strict=True):
        estimate = mean(xr.DataArray(row, dims="sample"), replicate)
        assert float(estimate["high"] - estimate["low"]) / 2.0 == pytest.approx(half, rel=1e-9)


def test_runs_for_a_half_width() -> None:
    found = synthetic(-1.0, seeds=2000)
    factor = stats.t.ppf(0.975, 15)
    assert found.runs(factor / 300.0) == pytest.approx(300.0, rel=0.05)
    assert np.isnan(found.runs(1e-9))
    plain = Means(found.replicates, found.sizes, 1.0, independent=True)
    assert plain.runs(0.02) == pytest.approx(9604.0, rel=1e-3)


def test_chance_is_what_changes_from_winter_to_winter() -> None:
    rng = np.random.default_rng(1)
    winters = rng.normal(size=(2, 500, 1)) * 10.0 + rng.normal(size=(2, 500, 30)) * 3.0
    assert convergence.chance(winters) == pytest.approx(3.0 / np.sqrt(30.0), rel=0.05)


@pytest.mark.slow
def test_error_falls_faster_than_that_of_plain_monte_carlo_on_smooth_functions(tmp_path: Path) -> None:
    found = convergence.of_functions(
        load_study(SMOKE), FUNCTIONS, designs=DESIGNS, seeds=16, sizes=[256, 512, 1024, 2048]
    )
    for function in FUNCTIONS[:3]:
        by_design = found[function.name]
        assert by_design["sobol"].slope()[2] < -0.65  # the whole interval below
        assert by_design["monte_carlo"].slope()[1] > -1.0
        half = 0.01 * by_design["sobol"].deviation
        assert by_design["sobol"].runs(half) < 0.1 * by_design["monte_carlo"].runs(half)
    sampling.draw(found, tmp_path / "convergence.png")
    assert (tmp_path / "convergence.png").stat().st_size > 10_000
    assert len(sampling.tables(found, "here", 16, 1024)) == 2


def test_measurements_of_a_study_are_used_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shenyang = load_study(sampling.STUDY).model_copy(update={"winters": 2})
    monkeypatch.setattr(sampling, "load_study", lambda _path: shenyang)
    asked = argparse.Namespace(seeds=2, rows=128, folder=tmp_path, besides=[])
    first = sampling.shenyang(asked)
    monkeypatch.delattr(convergence, "simulate")
    assert sampling.shenyang(asked) == first
    assert [title for title, *_ in first][2] == "The promise of 18,000 t kept, on average over the life"


def test_time_of_rows() -> None:
    ((_, caption, rows),) = sampling.rows(argparse.Namespace(rows=1000))
    assert f"{len(load_study(sampling.STUDY).drawn)} uncertain inputs" in caption
    assert len(rows) == 4
