"""The plan: blocks of a good size, and room enough for what a store really takes."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernels import LANES
from study.config import Study, load_study
from study.engine import execute
from study.ensemble import Ensemble
from study.plan import (
    BLOCK_SECONDS,
    BLOCKS_PER_CORE,
    FEW_BLOCKS,
    LARGEST_BLOCK,
    Plan,
    bytes_per_sample,
    choose_block_size,
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
    if size > LANES:  # rounded to a whole group
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
        (1_000_000, 1e-3, 10_000, LANES),  # enough for all cores
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
