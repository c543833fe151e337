"""The plan: blocks of a good size, and room enough for what a store really takes."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import LANES
from study import plan as planning
from study.cli import main
from study.config import Study, load_study
from study.engine import execute
from study.ensemble import Ensemble
from study.errors import EnsembleError
from study.plan import (
    BLOCK_SECONDS,
    BLOCKS_PER_CORE,
    FEW_BLOCKS,
    LARGEST_BLOCK,
    MANY_OBJECTS,
    MOST_BLOCKS,
    Pilot,
    Plan,
    bytes_per_sample,
    choose_block_size,
    describe,
    expected_mean,
    expected_probability,
    seconds_per_sample,
)
from study.storage import Storage
from tests.conftest import SMOKE

CASE = load_study(SMOKE)
TRACES = {"samples": [0, 3, 70], "interval": "daily", "variables": ["heat_demand", "indoor_temperature"]}


@given(
    st.integers(1, 10_000_000),
    st.floats(0.0, 1000.0, allow_nan=False, allow_infinity=False),
    st.integers(1, 10_000),
)
def test_a_block_is_whole_groups_of_lanes_within_bounds(samples: int, seconds: float, cores: int) -> None:
    size = choose_block_size(samples, seconds, cores)
    assert size % LANES == 0
    assert LANES <= size <= LARGEST_BLOCK
    most = samples / max(MOST_BLOCKS, cores)  # of rows that keep the number of blocks
    assert -(-samples // size) <= max(MOST_BLOCKS, cores) or size == LARGEST_BLOCK
    if size > max(LANES, most + LANES):  # rounded to a whole group
        assert size <= samples / (BLOCKS_PER_CORE * cores) + LANES / 2
        assert size <= max(BLOCK_SECONDS / max(seconds, 1e-9), samples / FEW_BLOCKS) + LANES / 2


@given(st.integers(1, 10_000_000), st.floats(1e-6, 100.0), st.floats(1.0, 100.0), st.integers(1, 1000))
def test_slower_samples_make_no_larger_blocks(samples: int, seconds: float, slower: float, cores: int) -> None:
    assert choose_block_size(samples, seconds * slower, cores) <= choose_block_size(samples, seconds, cores)


@pytest.mark.parametrize(
    ("samples", "seconds", "cores", "size"),
    [
        (32, 0.01, 2, LANES),  # a small study has small blocks: all cores have work
        (100_000, 0.01, 2, 100_000 // FEW_BLOCKS // LANES * LANES),  # 15.6 s, so that they are few
        (20_000, BLOCK_SECONDS / 640, 2, 640),  # 10 s
        (1_000_000, 1e-3, 10_000, 2 * LANES),  # enough for most cores, and no more files than that
        (1_000_000, 0.01, 1000, 512),  # 5 s: at most MOST_BLOCKS blocks
        (300_000, 0.1, 1000, 3 * LANES),  # 19 s: so, too
        (10_000_000, 1e-6, 2, LARGEST_BLOCK),  # memory
        (10_000_000, 100.0, 2, LARGEST_BLOCK),  # few blocks of a long study, whatever they take
    ],
)
def test_block_sizes(samples: int, seconds: float, cores: int, size: int) -> None:
    assert choose_block_size(samples, seconds, cores) == size


def test_a_sample_takes_time() -> None:
    one = seconds_per_sample(CASE)
    assert 1e-6 < one < 1.0
    more = seconds_per_sample(CASE.model_copy(update={"winters": 60}))
    assert more > 2.0 * one


def traced(samples: int) -> Study:
    return Study.model_validate({**CASE.resolved(), "samples": samples, "traces": TRACES})


@pytest.mark.parametrize(
    ("study", "block_size"),
    [
        (CASE, 64),
        (CASE.with_overrides(samples=150), 64),
        (CASE.with_overrides(samples=150), 4096),
        (CASE.with_overrides(samples=40), 8),
        (traced(130), 64),
        (Study.model_validate({**CASE.resolved(), "samples": 64, "winters": 30}), 64),
    ],
    ids=["one block", "three blocks", "larger than the study", "many blocks", "traces", "winters"],
)
def test_the_plan_is_what_the_store_takes(tmp_path: Path, study: Study, block_size: int) -> None:
    plan = Plan.of(study, block_size=block_size)
    storage = Storage.at(tmp_path / "store.zarr")
    execute(study, storage, block_size=block_size)
    files = [path for path in (tmp_path / "store.zarr").rglob("*") if path.is_file()]
    ensemble = Ensemble.open(storage)
    assert plan.objects == len(files)
    assert (plan.block_size, plan.blocks) == (ensemble.block_size, len(list(ensemble.blocks())))
    on_disk = sum(path.stat().st_blocks * 512 for path in files)
    assert max(on_disk, sum(path.stat().st_size for path in files)) <= plan.store_size
    assert plan.store_size <= 4 * on_disk


def test_the_plan_of_a_large_study_is_its_numbers() -> None:
    study = Study.model_validate({**CASE.resolved(), "samples": 1_000_000, "winters": 30})
    numbers = 1_000_000 * bytes_per_sample(study)
    assert numbers <= Plan.of(study, block_size=8000).store_size <= 1.01 * numbers


@pytest.mark.parametrize("changes", [{"samples": 2000}, {"winters": 3}, {"traces": TRACES | {"samples": [1, 2]}}])
def test_more_of_anything_takes_more_room(changes: dict[str, Any]) -> None:
    more = Study.model_validate({**CASE.resolved(), **changes})
    assert Plan.of(more, block_size=64).store_size > Plan.of(CASE, block_size=64).store_size


def test_small_blocks_of_a_large_study_are_warned_of() -> None:
    study = CASE.with_overrides(samples=10_000_000)
    one = Plan.of(study, block_size=1)
    assert one.objects > 10_000_000
    assert str(one.warning).startswith(f"the store will have {one.objects:,} files, in blocks of 1 samples")
    for cores in (2, 64, 1000):
        plan = Plan.of(study, block_size=choose_block_size(study.samples, 0.01, cores))
        assert plan.objects <= MANY_OBJECTS
        assert plan.warning is None


@pytest.mark.parametrize(("n", "replicates", "spread"), [(8, 2, 0.1), (2000, 16, 10.0)])
def test_the_interval_to_expect_of_a_mean_is_that_of_independent_samples(
    n: int, replicates: int, spread: float
) -> None:
    """As `t s / sqrt(n)`: four times the samples, half the width."""
    study = Study.model_validate({**CASE.resolved(), "samples": 100 * n, "replicates": replicates})
    values = spread * np.random.default_rng(n).normal(size=500)
    found = expected_mean(study, values, "x", "h")
    assert found.value == pytest.approx(values.mean())
    four = expected_mean(study.with_overrides(samples=400 * n), values, "x", "h")
    assert four.half_width == pytest.approx(found.half_width / 2)
    assert expected_mean(study, 2 * values, "x", "h").half_width == pytest.approx(2 * found.half_width)
    assert found.half_width > 1.95 * values.std() / np.sqrt(study.samples)


def test_the_interval_to_expect_holds_in_most_studies() -> None:
    """Independent samples in replicates: the mean of the half-widths that come out is about the one expected."""
    study = Study.model_validate({**CASE.resolved(), "samples": 4096, "replicates": 16})
    rng = np.random.default_rng(3)
    expected = np.array([expected_mean(study, rng.normal(size=64), "x", "h").half_width for _ in range(400)])
    means = rng.normal(size=(400, 16, 256)).mean(axis=2)
    found = 2.1314 * means.std(axis=1, ddof=1) / 4.0
    assert expected.mean() == pytest.approx(found.mean(), rel=0.05)
    for p in (0.003, 0.2, 0.5):
        of_p = np.array([expected_probability(study, rng.random(64) < p, "x").half_width for _ in range(200)])
        binomial = 2.1314 * np.sqrt(p * (1 - p) / 4096)
        assert (of_p >= binomial).mean() >= 0.95


def test_what_a_pilot_cannot_tell_is_not_a_number() -> None:
    assert np.isnan(expected_mean(CASE, np.zeros(64), "x", "h").half_width)
    assert np.isnan(expected_mean(CASE, np.array([]), "x", "h").value)
    assert np.isnan(expected_probability(CASE, np.array([], dtype=bool), "x").value)
    never = expected_probability(CASE, np.zeros(64, dtype=bool), "x")
    assert never.value == 0.0
    assert never.half_width > 0.01
    assert np.isnan(expected_mean(CASE.with_overrides(samples=1), np.arange(64.0), "x", "h").half_width)


def test_the_plan_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    study = Study.model_validate({**CASE.resolved(), "samples": 10_000, "claim": {"carbon_reduction": "400 t"}})
    pilot = Pilot.of(study)
    assert (pilot.samples, pilot.winters, pilot.failed) == (64, 2, 0)
    assert [each.units for each in pilot.expectations] == ["t CO2", "1", "h"]
    text = "\n".join(describe(study, pilot, cores=2))
    assert "95 % intervals to expect of 10,000 samples" in text
    assert "probability of 400 t CO2 or more" in text
    assert "all winters" in text
    assert text.count("±") == 3
    monkeypatch.setattr(planning, "PILOT_SECONDS", 0.0)
    text = "\n".join(describe(study, Pilot.of(study), cores=2))
    assert "the first 1 of 2 winters" in text


def test_plan_and_run_say_what_traces_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    study = traced(100)
    pilot = Pilot(64, 64, 2, 0.1, ())
    (line,) = (line for line in describe(study, pilot, cores=2) if line.startswith("store"))
    days = study.season.days
    size = 3 * 2 * days * 2 * 4 + (3 * 8 + 2 * 2 + days * 4)  # two variables of three samples; coordinates
    assert line.endswith(f", of that traces {size / 1e3:.3g} kB in {1 + 2 * (1 + 3) + 3 * 2}")
    assert "traces" not in "\n".join(describe(CASE, pilot, cores=2))

    def refuse(*_arguments: object, **_options: object) -> None:
        raise EnsembleError("not now")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("study.engine.execute", refuse)
    for section, said in (("", ""), ("\ntraces: {samples: 5, interval: daily}\n", ", daily traces of 5 samples")):
        Path("study.yaml").write_text(SMOKE.read_text() + section)
        monkeypatch.setattr("sys.argv", ["hotland", "run", "study.yaml"])
        with pytest.raises(SystemExit):
            main()
        assert capfd.readouterr().err.splitlines()[0].endswith(f"uncertain inputs, sobol{said}")


def test_the_plan_of_a_study_with_failures_says_so() -> None:
    wide = {"distribution": "normal", "mean": "30 K/km", "standard_deviation": "20 K/km"}
    study = Study.model_validate({**CASE.resolved(), "geothermal_gradient": wide})
    pilot = Pilot.of(study)
    assert 0 < pilot.failed < 64
    assert describe(study, pilot, cores=2)[-1].startswith(f"  {pilot.failed} of the pilot's 64 samples failed")
    none = Pilot(64, 64, 1, 0.1, (expected_mean(study, np.array([]), "a mean", "h"),))
    assert "a mean: cannot be told" in "\n".join(describe(study, none, cores=2))


@pytest.mark.parametrize("options", [[], ["--no-pilot"]])
def test_check_plans_and_writes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], options: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.argv", ["hotland", "check", str(SMOKE), *options])
    with pytest.raises(SystemExit) as end:
        main()
    assert not end.value.code
    out, _ = capsys.readouterr()
    assert "is valid; smoke: 32 samples of 2 winters, seed 1, sobol" in out
    assert all((f"\n{word}  " in out) == (not options) for word in ("computing", "blocks", "store", "intervals"))
    assert list(tmp_path.iterdir()) == []
