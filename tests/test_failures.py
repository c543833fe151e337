"""Failed samples: injected into the kernels in every way, kept as rows with their reasons, and found where they lie."""

import itertools
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from study import simulation
from study.blocks import compute_block
from study.config import Study, load_study
from study.engine import prepare
from study.ensemble import open_ensemble
from study.failures import describe_failures, failed_by_kind, inputs_of, locate
from study.information import describe, information
from study.sampling import sample_inputs
from study.simulation import simulate
from study.storage import Storage
from study.summary import summarise
from study.variables import INPUT_OUT_OF_RANGE, NOT_FINITE, NUMERICAL_FAULT, OK, VARIABLES
from tests.conftest import SMOKE, variant

STUDY = variant(load_study(SMOKE), {"samples": 70, "winters": 1, "replicates": 2})
ROWS = np.arange(70)

Fault = Callable[[np.ndarray, dict[str, Any]], np.ndarray]
THIRD: Fault = lambda rows, _inputs: rows % 3 == 0  # noqa: E731
CORNER: Fault = lambda _rows, inputs: (  # noqa: E731
    (inputs["rock.conductivity"] < 2.35) & (inputs["geothermal_gradient"] > 30.5)
)
ONE: Fault = lambda rows, _inputs: rows == 17  # noqa: E731


def run(study: Study, store: Path) -> xr.Dataset:
    """Run a study through the engine, block by block, in this process, where the kernels are faulty."""
    ensemble, blocks = prepare(study, Storage.at(store), block_size=64)
    for block in blocks:
        compute_block(study, ensemble, block)
    return open_ensemble(store)


def inject(monkeypatch: pytest.MonkeyPatch, where: Fault, what: float | Exception, name: str = "electricity") -> None:
    """Let the kernels return a number for some rows, or raise an exception for lanes with any of them."""
    kernels = simulation._simulate_lanes

    def faulty(study: Study, rows: np.ndarray, inputs: dict[str, Any], *more: Any) -> dict[str, Any]:
        bad = where(rows, inputs)
        if isinstance(what, Exception) and bad.any():
            raise what
        found = kernels(study, rows, inputs, *more)
        if not isinstance(what, Exception):
            found[name][bad] = what
        return found

    monkeypatch.setattr(simulation, "_simulate_lanes", faulty)


@pytest.fixture(scope="module")
def sound() -> dict[str, Any]:
    return dict(simulate(STUDY, ROWS).values)


WHERE = {"every third": THIRD, "a corner": CORNER, "one": ONE}
WHAT = {
    "nan": (np.nan, NOT_FINITE, "electricity is not a finite number"),
    "infinity": (np.inf, NOT_FINITE, "electricity is not a finite number"),
    "minus infinity": (-np.inf, NOT_FINITE, "electricity is not a finite number"),
    "division": (ZeroDivisionError("by zero"), NUMERICAL_FAULT, "ZeroDivisionError: by zero"),
    "overflow": (OverflowError("too large"), NUMERICAL_FAULT, "OverflowError: too large"),
    "singular": (np.linalg.LinAlgError("Singular matrix"), NUMERICAL_FAULT, "LinAlgError: Singular matrix"),
    "domain": (ValueError("math domain error\nmore"), NUMERICAL_FAULT, "ValueError: math domain error"),
    "convergence": (RuntimeError("no convergence"), NUMERICAL_FAULT, "RuntimeError: no convergence"),
}


@pytest.mark.parametrize(
    ("where", "what"),
    [
        *itertools.product(WHERE, ["nan", "division"]),
        *itertools.product(["one"], sorted(set(WHAT) - {"nan", "division"})),
    ],
)
def test_each_sample_ends_as_it_should_and_the_others_as_ever(
    monkeypatch: pytest.MonkeyPatch, sound: dict[str, Any], where: str, what: str
) -> None:
    value, status, reason = WHAT[what]
    rows = ROWS[:24] if isinstance(value, Exception) else ROWS
    bad = WHERE[where](rows, sample_inputs(STUDY, rows))
    assert 1 <= bad.sum() <= 24
    inject(monkeypatch, WHERE[where], value)
    results = simulate(STUDY, rows)
    v: dict[str, Any] = dict(results.values)
    np.testing.assert_array_equal(v["status"], np.where(bad, status, OK))
    assert results.reasons == dict.fromkeys(np.flatnonzero(bad).tolist(), reason)
    for name, numbers in v.items():
        np.testing.assert_array_equal(numbers[~bad], sound[name][rows][~bad], err_msg=name)
        if name in VARIABLES:
            assert np.isnan(numbers[bad]).all(), name
        elif name in STUDY.uncertain:
            np.testing.assert_array_equal(numbers[bad], sound[name][rows][bad], err_msg=name)


def test_an_error_in_a_later_winter_is_found_too(monkeypatch: pytest.MonkeyPatch) -> None:
    study = STUDY.model_copy(update={"winters": 2})
    before: dict[str, Any] = dict(simulate(study, np.arange(20)).values)
    kernels = simulation._simulate_lanes

    def faulty(study: Study, rows: np.ndarray, *more: Any) -> dict[str, Any]:
        if (study.winters > 1 and np.isin([3, 4], rows).any()) or 11 in rows:
            raise FloatingPointError("of a winter")
        return kernels(study, rows, *more)

    monkeypatch.setattr(simulation, "_simulate_lanes", faulty)
    results = simulate(study, np.arange(20))
    assert results.reasons == dict.fromkeys([3, 4, 11], "FloatingPointError: of a winter")
    good = np.setdiff1d(np.arange(20), [3, 4, 11])
    for name, numbers in results.values.items():
        np.testing.assert_array_equal(numbers[good], before[name][good], err_msg=name)


def test_finding_the_rows_that_raise_takes_one_winter_not_all(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a long life some rows of which raise an error, all winters are computed once more, and no more."""
    winters: list[int] = []

    def counted(study: Study, rows: np.ndarray, *_more: Any) -> dict[str, Any]:
        winters.append(study.winters)
        if (rows % 3 == 0).any():
            raise ZeroDivisionError
        return {name: np.ones(len(rows)) for name in ("largest_unit_out_share", "energy_imbalance")} | {
            name: np.ones((len(rows), study.winters)) for name in VARIABLES
        }

    monkeypatch.setattr(simulation, "_simulate_lanes", counted)
    group = np.arange(64)
    faults: dict[int, str] = {}
    found = simulation._simulate_group(
        STUDY.model_copy(update={"winters": 30}), group, sample_inputs(STUDY, group), group, faults, None
    )
    assert winters.count(30) == 2
    assert set(winters) == {1, 30}
    assert sorted(faults) == np.flatnonzero(group % 3 == 0).tolist()
    np.testing.assert_array_equal(np.isnan(found["electricity"]).all(axis=1), group % 3 == 0)


def test_a_programming_error_is_no_failed_row(monkeypatch: pytest.MonkeyPatch) -> None:
    inject(monkeypatch, ONE, TypeError("a bug"))
    with pytest.raises(TypeError, match="a bug"):
        simulate(STUDY, ROWS)


@pytest.mark.parametrize(("where", "what", "share"), [("every third", "nan", 24 / 70), ("one", "division", 1 / 70)])
def test_the_ensemble_keeps_every_row_through_the_engine(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, where: str, what: str, share: float
) -> None:
    value, status, _ = WHAT[what]
    inject(monkeypatch, WHERE[where], value)
    dataset = run(STUDY, tmp_path / "store.zarr")
    bad = WHERE[where](ROWS, {})
    assert dataset.sizes["sample"] == 70
    np.testing.assert_array_equal(dataset["status"], np.where(bad, status, OK))
    np.testing.assert_array_equal(dataset["reason"] != "", bad)
    assert bad.mean() == pytest.approx(share)
    found = information(str(tmp_path / "store.zarr"))
    assert found["failures"] == describe_failures(dataset)
    lines = describe(found)
    assert f"failures      {found['failures'][0]}" in lines
    one_by_one = [line for line in lines if line.startswith("failed row ")]
    assert len(one_by_one) == min(20, bad.sum())
    assert any("and 4 more" in line for line in lines) == (bad.sum() == 24)


def test_rows_out_of_range_say_key_value_and_what_is_allowed() -> None:
    wide = {"distribution": "normal", "mean": "30 K/km", "standard_deviation": "20 K/km"}
    study = variant(STUDY, {"geothermal_gradient": wide})
    results = simulate(study, ROWS)
    v: dict[str, Any] = dict(results.values)
    assert (v["status"] == INPUT_OUT_OF_RANGE).sum() > 1
    for row in np.flatnonzero(v["status"] == INPUT_OUT_OF_RANGE).tolist():
        gradient = v["geothermal_gradient"][row]
        assert results.reasons[row] == f"geothermal_gradient = {gradient:.6g} K/km; allowed: at least 0 and at most 200"


def ensemble(status: np.ndarray, **inputs: np.ndarray) -> xr.Dataset:
    """An ensemble of inputs and statuses alone."""
    variables = {name: ("sample", values, {"units": "W m-1 K-1"}) for name, values in inputs.items()}
    return xr.Dataset(
        {
            **variables,
            "status": ("sample", status.astype("int8")),
            "reason": ("sample", np.where(status > 0, "why", "")),
            "energy_imbalance": ("sample", np.where(status > 0, np.nan, 0.0)),
        }
    )


def random_inputs(samples: int, seed: int, number: int = 12) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    return {f"input_{i}": rng.uniform(1.0, 3.0, samples) for i in range(number)}


def test_no_failure_no_words() -> None:
    dataset = ensemble(np.zeros(100), **random_inputs(100, 1))
    assert describe_failures(dataset) == []
    assert failed_by_kind(dataset) == {}
    assert np.isnan(locate(dataset)["p_value"]).all()
    assert inputs_of(dataset) == [f"input_{i}" for i in range(12)]


@pytest.mark.parametrize("above", [False, True])
def test_failures_beyond_a_limit_are_found_there(above: bool) -> None:
    x = random_inputs(4096, 2)
    limit = 2.99 if above else 1.02
    bad = x["input_4"] > limit if above else x["input_4"] < limit
    dataset = ensemble(np.where(bad, NOT_FINITE, OK), **x)
    (first, second) = describe_failures(dataset)
    counts = f"{bad.sum()} of 4,096 samples failed ({100 * bad.mean():.2g} %): {bad.sum()} not_finite"
    assert first.startswith(f"{counts}; they lie where input_4 {'>' if above else '<'} ")
    number = float(first.split(" W m-1 K-1")[0].split()[-1])
    assert number == pytest.approx(limit, abs=0.002)
    assert first.endswith("(none of the good ones does)")
    assert second.startswith("  input_4: failed ")
    np.testing.assert_array_equal(np.flatnonzero(locate(dataset)["p_value"] <= 0.01), [4])


def test_a_corner_is_a_rule_of_two_inputs() -> None:
    x = random_inputs(8192, 3)
    bad = (x["input_1"] < 1.2) & (x["input_7"] > 2.8)
    (first, *ranges) = describe_failures(ensemble(np.where(bad, NUMERICAL_FAULT, OK), **x))
    assert "they lie where input_" in first
    assert "input_1 < 1.2" in first
    assert "input_7 > 2.8" in first
    assert len(ranges) == 2


def test_each_kind_has_its_own_place() -> None:
    x = random_inputs(4096, 4)
    status = np.where(x["input_0"] < 1.1, INPUT_OUT_OF_RANGE, np.where(x["input_3"] > 2.9, NOT_FINITE, OK))
    lines = describe_failures(ensemble(status, **x))
    (one,) = [line for line in lines if line.startswith("input_out_of_range: ")]
    (other,) = [line for line in lines if line.startswith("not_finite: ")]
    assert "input_0 < 1.1" in one
    assert "input_3" not in one
    assert "input_3 > 2.9" in other
    assert "input_0" not in other


@pytest.mark.parametrize("failed", [1, 2, 3, 30, 1000])
def test_failures_without_a_pattern_are_seldom_given_one(failed: int) -> None:
    """At random places: a pattern is seen in one of a hundred studies at most."""
    seen = 0
    for seed in range(25):
        rng = np.random.default_rng([5, failed, seed])
        status = np.zeros(2000)
        status[rng.choice(2000, failed, replace=False)] = NOT_FINITE
        (first, *_) = describe_failures(ensemble(status, **random_inputs(2000, 100 + seed)))
        seen += "lie where" in first
        assert ("too few" in first) == (failed < 3)
    assert seen <= 1


def test_what_is_not_done_is_not_failed_and_nothing_good_is_said() -> None:
    status = np.array([-1, -1, 0, 0, 2])
    dataset = ensemble(status, **random_inputs(5, 6, 2))
    assert describe_failures(dataset)[0].startswith("1 of 3 samples failed (33 %): 1 not_finite")
    dataset = ensemble(np.array([2, 2, 1, -1]), **random_inputs(4, 6, 2))
    (line,) = describe_failures(dataset)
    assert line == (
        "3 of 3 samples failed (100 %): 2 not_finite, 1 input_out_of_range; none ended well to hold them against"
    )


def test_strange_inputs_are_harmless() -> None:
    x = random_inputs(500, 7, 2)
    status = np.where(x["input_0"] < 1.1, NOT_FINITE, OK)
    constant, empty = np.ones(500), np.full(500, np.nan)
    choice = np.where(np.arange(500) % 4 == 0, 25.0, 30.0)
    infinite = np.where(status > 0, np.inf, x["input_1"])
    dataset = ensemble(status, **x, constant=constant, empty=empty, choice=choice, infinite=infinite)
    first = describe_failures(dataset)[0]
    assert "input_0 < 1.1" in first
    found = locate(dataset)
    assert np.isnan(found["p_value"].values[2:4]).all()
    assert np.isfinite(found["p_value"].values[[0, 1, 4]]).all()


def test_a_choice_that_fails_is_named_between_its_values() -> None:
    choice = np.where(np.arange(800) % 4 == 0, 25.0, 30.0)
    (first, *_) = describe_failures(ensemble(np.where(choice == 25.0, NOT_FINITE, OK), flow=choice))
    assert "they lie where flow < 28 W m-1 K-1 (none of the good ones does)" in first


def test_failures_of_a_million_samples_are_found_in_seconds() -> None:
    x = random_inputs(1_000_000, 8, 10)
    dataset = ensemble(np.where(x["input_2"] < 1.3, NOT_FINITE, OK), **x)
    start = time.process_time()
    assert "input_2 < 1.3" in describe_failures(dataset)[0]
    assert time.process_time() - start < 10.0


def test_the_answer_is_never_zeros(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One sample of 128 failed: values are those of the others, and an interval holds its value or is none."""
    inject(monkeypatch, ONE, np.nan)
    dataset = run(STUDY.with_overrides(samples=128), tmp_path / "store.zarr")
    good = dataset.isel(sample=np.arange(128) != 17)
    lines = {line.key: line.estimate for line in summarise(dataset)}
    for name in ("carbon_reduction", "unmet_hours"):
        found = lines[f"{name}_mean"]
        assert found.value == pytest.approx(float(good[name].mean()))
        assert found.value > 0.0
        assert np.isnan(found.low) or found.low < found.value < found.high
