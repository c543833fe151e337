"""The engine's benchmarks measure what they say, on a very small scale."""

import multiprocessing
import os
import sys
import time
from pathlib import Path

import pytest

from study.blocks import Done
from study.config import Study, load_study
from study.ensemble import Block
from study.provenance import cores
from tests.conftest import SMOKE

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
import engine
import engine_block
import engine_efficiency
import engine_million
import engine_processes
import engine_thousand
from engine_efficiency import ALONE, ENGINE, POOL, Turns
from engine_thousand import Slept

needs_proc = pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads /proc, which is Linux's")


@pytest.fixture(scope="module")
def smoke() -> Study:
    return load_study(SMOKE)


def _hold(bytes_held: int, ready: "multiprocessing.synchronize.Event") -> None:
    held = bytearray(os.urandom(bytes_held))
    while not ready.is_set():
        sum(range(100_000))
    time.sleep(60.0)
    del held


@needs_proc
def test_memory_and_processor_time_of_a_child_are_seen() -> None:
    context = multiprocessing.get_context("spawn")
    enough = context.Event()
    child = context.Process(target=_hold, args=(50_000_000, enough), daemon=True)
    child.start()
    try:
        deadline = time.monotonic() + 60.0
        while True:
            found = engine_processes.family(os.getpid())
            used, took = engine_processes.memory(found), engine_processes.processor_time(found)
            if used["agents"] > 50e6 and took["agents"] > 0.2:
                break
            assert time.monotonic() < deadline
            time.sleep(0.05)
        assert found[os.getpid()] == "driver"
        assert child.pid in found
        assert used["driver"] > 10e6
        assert took["driver"] == pytest.approx(time.process_time(), abs=0.5)
    finally:
        child.terminate()
        child.join()
    assert engine_processes.memory({child.pid or 0: "agents"})["agents"] == 0


def test_efficiency_is_time_alone_over_that_of_all_cores() -> None:
    found = Turns({ALONE: 1.0, POOL: 3.0}, {ALONE: [12.0, 12.0], POOL: [12.0 / cores(), 24.0 / cores()]}, [0.0, 0.0])
    assert found.efficiency(POOL) == pytest.approx([1.0, 0.5])
    assert max(found.efficiency(POOL, with_start=True)) < 1.0
    assert [row[0] for row in engine_efficiency.rows(found)] == [ALONE, POOL]


@pytest.mark.slow
def test_all_ways_compute_the_same_blocks(smoke: Study, tmp_path: Path) -> None:
    found = engine_efficiency.measure(smoke, blocks=2, block_size=64, turns=2, folder=tmp_path)
    assert {ALONE, ENGINE, POOL} <= set(found.seconds)
    assert all(len(each) == 2 and min(each) > 0.0 for each in found.seconds.values())
    assert not list(tmp_path.iterdir())


@needs_proc
@pytest.mark.slow
def test_long_run_goes_on_where_it_was(smoke: Study, tmp_path: Path) -> None:
    first = engine_million.short_season(smoke, samples=256, days=2)
    assert (first.season.days, first.samples) == (2, 256)
    engine_million.run_watched(first, tmp_path, block_size=64, every=0.2)
    study = engine_million.short_season(smoke, samples=64 * 64, days=2)
    engine_million.run_watched(study, tmp_path, block_size=64, every=0.2)
    found = engine_million.evaluate(study, tmp_path)
    assert (found.samples, found.blocks) == (64 * 64, 64)
    assert {each["session"] for each in engine_million.read(tmp_path / engine_million.MEMORY)} == {1.0, 2.0}
    assert 0.0 < found.committing < found.steady * cores()
    assert 0.0 < found.size < found.raw * 1.5
    assert engine_million.rows(found, whole=0.01)
    engine_million.draw(tmp_path, tmp_path / "memory.png")
    assert (tmp_path / "memory.png").stat().st_size > 10_000


def test_a_line_that_a_kill_cut_off_is_left_out(tmp_path: Path) -> None:
    file = tmp_path / "blocks.csv"
    file.write_text("session,seconds\n1,2.5\n1,\n1")
    assert engine_million.read(file) == [{"session": 1.0, "seconds": 2.5}]


def test_gap_is_what_cores_wait_between_blocks() -> None:
    block = Block(0, 0, 64)

    def slept(began: float, process: int) -> tuple[Slept, float]:
        return Slept(block, None, 1.0, 0.0, began, began + 1.0, process), began + 1.0  # type: ignore[arg-type]

    two_cores_each = [slept(began, process) for process in (1, 2) for began in (0.0, 0.2, 1.1, 1.3)]
    assert engine_thousand.gap(two_cores_each, 4) == pytest.approx(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["actors", "tasks"])
def test_engine_shares_out_blocks_that_sleep(smoke: Study, way: engine_thousand.Way) -> None:
    found = engine_thousand.measure(smoke, way=way, cores=20, blocks=100, sleep=1.0, processes=2)
    assert 0.0 < found.rate <= found.ideal
    assert found.ideal == pytest.approx(20.0)
    assert 0.0 < found.driver < 2.0
    assert engine_thousand.rows(found)


def test_parts_of_a_block(smoke: Study, tmp_path: Path) -> None:
    found = engine_block.parts_of_block(smoke, start=128, rows=64, folder=tmp_path)
    assert all(each >= 0.0 for each in found.parts.values())
    assert found.parts["everything else of `simulate`"] > found.parts["tally"]
    assert len(engine_block.rows([[found], [found]])) == len(found.parts)


def test_pattern_is_what_a_block_returns(smoke: Study) -> None:
    done = engine_thousand.pattern_of(smoke)
    assert isinstance(done, Done)
    assert done.tally.rows > 0
    assert (done.tally + done.tally).rows == 2 * done.tally.rows


def test_section_of_a_page_is_replaced() -> None:
    page = engine.with_section("# Page\n", "One", "first")
    page = engine.with_section(page, "Two", "second")
    assert engine.with_section(page, "One", "changed") == page.replace("first", "changed")
    assert engine.with_section(page, "Two", "changed") == page.replace("second", "changed")
