"""A study on a real cluster of several Ray nodes, while workers, nodes, drivers and the head are killed at random."""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

import pytest
import xarray as xr
from loopback_cluster import LoopbackCluster, LoopbackNode, alive, environment_of_node, kill, loopback_cluster

import study
from study.errors import HotlandError
from study.runs import runs
from study.storage import Storage
from tests.conftest import SMOKE, hotland
from tests.test_engine import assert_same_bits, receipts

BLOCK_SIZE = 2
PATIENCE = 120.0
"""How long to wait for anything at all, s."""
MOST_TO_NOTICE = 30.0
"""How long the command may go on after the head is gone, s; where several others share the cores."""


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose blocks, however small, take about half a second."""
    path = tmp_path_factory.mktemp("config") / "chaos.yaml"
    path.write_text(SMOKE.read_text().replace("winters: 2", "winters: 30"))
    assert "winters: 30" in path.read_text()
    return path


def undisturbed(config: Path, folder: Path, samples: int) -> xr.Dataset:
    """The study, computed in this process on one core, in one block."""
    case = study.load(config).with_overrides(samples=samples)
    output = folder / "undisturbed.zarr"
    return study.run(case, output=output, address="local", block_size=-(-samples // 64) * 64).load()


class Command:
    """`hotland run` in a process of its own, that can be killed and started again; killed at the end, too."""

    def __init__(self, config: Path, store: Path, samples: int) -> None:
        self.arguments = [config, "--output", store, "--samples", str(samples), "--block-size", str(BLOCK_SIZE)]
        self.folder, self.store = store.parent, store
        self.errors = self.folder / f"stderr of {samples}"

    def start(self, cluster: LoopbackCluster | None) -> None:
        """Start it, on a cluster or on this machine alone."""
        address = cluster.address if cluster else "local"
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                [Path(sys.executable).with_name("hotland"), "run", *self.arguments, "--address", address],
                cwd=self.folder,
                env=environment_of_node(self.folder, {"TMPDIR": str(self.folder)}),
                stdout=subprocess.DEVNULL,
                stderr=errors,
                text=True,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> "Command":
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    def wait_for(self, what: Callable[[], object]) -> None:
        """Wait until something holds while the command runs."""
        deadline = time.monotonic() + PATIENCE
        while not what():
            assert self.process.poll() is None, f"ended with {self.process.returncode}: {self.errors.read_text()}"
            assert time.monotonic() < deadline, self.errors.read_text()
            time.sleep(0.02)

    def wait_for_blocks(self, more: int) -> None:
        """Wait until so many more blocks are done."""
        wanted = receipts(self.store) + more
        self.wait_for(lambda: receipts(self.store) >= wanted)

    def faults(self) -> list[str]:
        """What was tried again so far, in all runs."""
        return [retry["fault"] for run in runs(Storage.at(self.store)) for retry in run.get("retries", [])]

    def finish(self) -> None:
        """Wait until it ends well, the whole study being left at worst."""
        self.process.wait(5 * PATIENCE)
        assert self.process.returncode == 0, self.errors.read_text()


@contextmanager
def looked_at(store: Path, expected: xr.Dataset) -> Iterator[list[int]]:
    """Open a store every second: it has whole blocks alone, with the bits expected. Yields how many were seen."""
    seen: list[int] = []
    problems: list[BaseException] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(1.0):
            if not (store / "zarr.json").exists():
                continue
            try:
                found = study.open_ensemble(store).load()
                rows = found["sample"].values
                assert len(rows) % BLOCK_SIZE == 0
                assert (rows[::BLOCK_SIZE] % BLOCK_SIZE == 0).all()
                assert_same_bits(found, expected.sel(sample=rows))
                seen.append(len(rows) // BLOCK_SIZE)
            except (AssertionError, HotlandError, OSError) as error:
                problems.append(error)

    reader = threading.Thread(target=look)
    reader.start()
    try:
        yield seen
    finally:
        over.set()
        reader.join()
    assert not problems, problems


def kill_worker(command: Command, cluster: LoopbackCluster, chance: random.Random) -> None:
    """Kill a worker of some node amid a block."""
    found: list[int] = []
    command.wait_for(lambda: found.extend(pid for node in cluster.nodes for pid in node.workers()) or found)
    kill(chance.choice(found))


def kill_node(command: Command, cluster: LoopbackCluster, chance: random.Random) -> None:
    """Kill a node that is not the head, amid a block; wait until that is noticed, and start another."""
    before = len(command.faults())
    found: list[LoopbackNode] = []
    command.wait_for(lambda: found.extend(node for node in cluster.nodes[1:] if node.workers()) or found)
    chance.choice(found).kill()
    command.wait_for(lambda: len(command.faults()) > before)
    cluster.add_node()


def kill_head(command: Command, cluster: LoopbackCluster) -> None:
    """Kill the head's own server, without which the cluster is none: the command says so, and ends."""
    kill(*cluster.head.servers["gcs_server"])
    killed = time.monotonic()
    command.process.wait(PATIENCE)
    said = command.errors.read_text()
    assert command.process.returncode == 1, said
    assert "the head of the Ray cluster is gone; what is done stays, the same command goes on from there" in said
    assert "Traceback" not in said
    assert time.monotonic() - killed < MOST_TO_NOTICE


LONG = ["worker"] * 10 + ["node"] * 5 + ["driver"] * 4 + ["head"]


@pytest.mark.parametrize(
    ("samples", "kills"),
    [
        pytest.param(80, ["node", "driver"], id="two"),
        pytest.param(400, random.Random(20).sample(LONG, len(LONG)), id="twenty", marks=pytest.mark.slow),
    ],
)
def test_whatever_is_killed_the_store_ends_as_undisturbed(
    tmp_path: Path, config: Path, samples: int, kills: list[str]
) -> None:
    chance = random.Random(len(kills))
    expected = undisturbed(config, tmp_path, samples)
    store = tmp_path / "store.zarr"
    with ExitStack() as stack:
        cluster = stack.enter_context(loopback_cluster(workers=2, client=False))
        seen = stack.enter_context(looked_at(store, expected))
        command = stack.enter_context(Command(config, store, samples))
        command.start(cluster)
        for victim in kills:
            command.wait_for_blocks(chance.randint(1, 2))
            if victim == "worker":
                kill_worker(command, cluster, chance)
            elif victim == "node":
                kill_node(command, cluster, chance)
            elif victim == "driver":
                command.kill()
                command.start(cluster)
            else:
                kill_head(command, cluster)
                cluster.close()
                cluster = stack.enter_context(loopback_cluster(workers=2, client=False))
                command.start(cluster)
        command.finish()
    assert len(set(seen)) > 3
    assert_same_bits(study.open_ensemble(store), expected)
    checked = hotland("verify", store, folder=tmp_path)
    assert checked.returncode == 0, checked.stderr
    assert f"complete, {samples // BLOCK_SIZE} blocks have their checksums" in checked.stdout
    told = json.loads(hotland("info", store, "--json", folder=tmp_path).stdout)
    ends = {"driver": "lost", "head": "failed"}
    assert [run["state"] for run in told["runs"]] == [ends[victim] for victim in kills if victim in ends] + ["finished"]
    faults = " ".join(command.faults())
    for victim, fault in (("worker", "WorkerCrashedError"), ("node", "NodeDiedError")):
        assert fault in faults or victim not in kills


@contextmanager
def stopped(*processes: int) -> Iterator[None]:
    """Stop processes for a while."""
    for process in processes:
        os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, signal.SIGCONT)


@pytest.mark.slow
def test_a_worker_that_wakes_up_late_changes_nothing(tmp_path: Path, config: Path) -> None:
    expected = undisturbed(config, tmp_path, 40)
    store = tmp_path / "store.zarr"
    with loopback_cluster(workers=1, client=False) as cluster, Command(config, store, 20) as command:
        late = cluster.nodes[1]
        command.start(cluster)
        command.wait_for_blocks(1)
        sleeping: list[int] = []
        command.wait_for(lambda: sleeping.extend(late.workers()) or sleeping)
        with stopped(*sleeping), stopped(late.raylet):  # it would end workers whose driver is gone
            command.kill()
            with Command(config, store, 40) as longer:
                longer.start(cluster)
                longer.finish()
            assert_same_bits(study.open_ensemble(store), expected)
            assert all(map(alive, sleeping))
            before = written(store)
            for process in sleeping:
                os.kill(process, signal.SIGCONT)
            deadline = time.monotonic() + PATIENCE
            while late.workers() and time.monotonic() < deadline:
                time.sleep(0.1)
    assert_same_bits(study.open_ensemble(store), expected)
    assert written(store) == before
    checked = hotland("verify", store, folder=tmp_path)
    assert checked.returncode == 0, checked.stderr


@pytest.mark.slow
def test_a_run_that_wakes_up_late_changes_nothing(tmp_path: Path, config: Path) -> None:
    expected = undisturbed(config, tmp_path, 24)
    store = tmp_path / "store.zarr"
    arguments = ("run", config, "--address", "local", "--output", store, "--block-size", "2", "--samples")
    with Command(config, store, 12) as command:
        command.start(None)
        command.wait_for_blocks(1)
        with stopped(command.process.pid):
            refused = hotland(*arguments, "24", folder=tmp_path)
            assert refused.returncode == 2
            assert "is writing to this store" in refused.stderr
            assert "--take-over" in refused.stderr
            longer = hotland(*arguments, "24", "--take-over", folder=tmp_path)
            assert longer.returncode == 0, longer.stderr
            assert_same_bits(study.open_ensemble(store), expected)
        command.process.wait(PATIENCE)
        assert command.process.returncode == 1
        assert "taken over by run 2" in command.errors.read_text()
    assert_same_bits(study.open_ensemble(store), expected)
    checked = hotland("verify", store, folder=tmp_path)
    assert checked.returncode == 0, checked.stderr


def written(store: Path) -> dict[Path, bytes]:
    """What a store holds, without signs of life."""
    return {path: path.read_bytes() for path in store.rglob("*") if path.is_file() and path.parent.name != "runs"}
