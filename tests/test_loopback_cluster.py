"""The tests' own Ray cluster: several nodes, on loopback alone, that die and come back."""

import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from loopback_cluster import LoopbackCluster, alive, environment_of_node, kill, loopback_cluster

TASKS_ON_EVERY_NODE = """
import sys
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

ray.init(sys.argv[1], log_to_driver=False, logging_level="ERROR")

@ray.remote(num_cpus=1)
def where():
    import ray
    return ray.get_runtime_context().get_node_id()

nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"]]
refs = [where.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote() for node in nodes]
assert ray.get(refs, timeout=60) == nodes
print(*sorted(nodes))
"""


@pytest.fixture(scope="module")
def cluster() -> Iterator[LoopbackCluster]:
    with loopback_cluster(workers=1) as cluster:
        yield cluster
        pids = cluster.pids()
        assert {cluster.head.raylet, *cluster.head.servers["gcs_server"]} <= pids
    assert not any(map(alive, pids))
    assert not cluster.directory.exists()


def drive(cluster: LoopbackCluster, address: str) -> list[str]:
    """Run a task on every node from a process of its own, and say which nodes these were."""
    driver = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(TASKS_ON_EVERY_NODE), address],
        env=environment_of_node(cluster.directory, {}),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert driver.returncode == 0, driver.stderr
    return driver.stdout.split()


def listening(pids: set[int]) -> list[str]:
    """Local addresses, as in /proc/net, of the TCP sockets that processes listen at."""
    inodes = set()
    for pid in pids:
        for handle in Path(f"/proc/{pid}/fd").iterdir():
            try:
                inodes.add(str(handle.readlink()))
            except OSError:
                continue
    rows = [line.split() for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return [row[1] for row in rows if row[3] == "0A" and f"socket:[{row[9]}]" in inodes]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["address", "client_address"])
def test_tasks_run_on_every_node(cluster: LoopbackCluster, mode: str) -> None:
    assert drive(cluster, getattr(cluster, mode)) == sorted(node.node_id for node in cluster.nodes)


@pytest.mark.slow
def test_nothing_listens_beyond_loopback(cluster: LoopbackCluster) -> None:
    addresses = listening(cluster.pids())
    assert len(addresses) >= 5
    for address in addresses:
        assert address.rpartition(":")[0] in ("0100007F", "0000000000000000FFFF00000100007F"), address


@pytest.mark.slow
def test_a_node_dies_and_another_comes(cluster: LoopbackCluster) -> None:
    first = cluster.nodes[1]
    first.kill()
    assert not alive(first.raylet)
    second = cluster.add_node()
    deadline = time.monotonic() + 30
    while (found := drive(cluster, cluster.address)) != sorted([cluster.head.node_id, second.node_id]):
        assert time.monotonic() < deadline, found


def test_a_killed_process_is_not_alive() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as process:
        assert alive(process.pid)
        kill(process.pid)
        assert not alive(process.pid)
