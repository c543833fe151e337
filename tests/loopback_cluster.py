"""A real Ray cluster of several nodes for tests: separate processes that listen on 127.0.0.1 alone.

Every node is a child process of its own (this file, run as a program), with its own temporary directory, raylet and
environment, so that a node can be killed and another be added while the test process only sends signals.
"""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[1]
SETTINGS = {
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",  # every node at 127.0.0.1, where its servers then listen and nowhere else
    "RAY_AUTH_MODE": "disabled",
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_TMPDIR": "",  # replaced by the cluster's own directory
}
NOTICE_DEATH = {  # a dead node is noticed after about two seconds instead of fifteen
    "health_check_initial_delay_ms": 500,
    "health_check_period_ms": 500,
    "health_check_timeout_ms": 1000,
    "health_check_failure_threshold": 3,
}
"""Ray's settings for a cluster whose nodes are killed."""

OBJECT_STORE = 100 * 2**20
MOST_STOP_SECONDS = 20.0


def free_port() -> int:
    """A TCP port of 127.0.0.1 that nothing listens at."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def environment_of_node(directory: Path, changes: Mapping[str, str]) -> dict[str, str]:
    """What a node's processes see: the caller's environment without Ray's settings, with the project to import."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    path = os.pathsep.join([str(Path(sys.executable).parent), kept.get("PATH", os.defpath)])
    modules = os.pathsep.join(filter(None, [str(PROJECT), kept.get("PYTHONPATH", "")]))
    return {**kept, **SETTINGS, "RAY_TMPDIR": str(directory), "PATH": path, "PYTHONPATH": modules, **changes}


def _status(pid: int) -> list[str]:
    """State, parent, process group and session of a process, as in proc(5); empty when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[:4]
    except OSError:
        return []


def _processes() -> dict[int, list[str]]:
    """Status of every process that runs."""
    every = {int(path.name): _status(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdecimal()}
    return {pid: status for pid, status in every.items() if status and status[0] not in "ZX"}


def alive(pid: int) -> bool:
    """Whether a process runs (a zombie does not)."""
    status = _status(pid)
    return bool(status) and status[0] not in "ZX"


def kill(*pids: int) -> None:
    """End processes at once, those that still run, and wait until they have ended."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + MOST_STOP_SECONDS
    while running := [pid for pid in pids if alive(pid)]:
        if time.monotonic() > deadline:
            raise TimeoutError(f"processes that were killed still run: {running}")
        time.sleep(0.01)


@dataclass(eq=False)
class LoopbackNode:
    """One node of the cluster."""

    process: subprocess.Popen[str]
    """The process that started the node's servers; they end with it."""
    directory: Path
    node_id: str
    """As in ``ray.nodes()``, hexadecimal."""
    servers: dict[str, list[int]]
    """Process ids by Ray's name of the server: ``raylet``, at the head ``gcs_server``, ``ray_client_server``, ..."""
    addresses: dict[str, str] = field(default_factory=dict)

    @property
    def raylet(self) -> int:
        """Process id of the raylet."""
        return self.servers["raylet"][0]

    def workers(self) -> list[int]:
        """Process ids of the node's workers that run a task now."""
        found = []
        for pid, status in _processes().items():
            if int(status[1]) != self.raylet:
                continue
            try:
                title = Path(f"/proc/{pid}/cmdline").read_bytes().decode(errors="replace")
            except OSError:
                continue
            idle = title.startswith(("ray::IDLE", "ray::DashboardAgent", "ray::RuntimeEnvAgent"))
            if title.startswith("ray::") and not idle:
                found.append(pid)
        return sorted(found)

    def kill(self) -> None:
        """End the node as a power cut would: raylet and workers at once, nothing said to the head."""
        running = _processes()
        kill(self.raylet, *(pid for pid, status in running.items() if int(status[1]) == self.raylet))


class LoopbackCluster:
    """A running cluster; `loopback_cluster` makes one and ends it.

    Parameters
    ----------
    cpus
        Of each worker node.
    head_cpus
        Of the head.
    client
        Whether there is a server for ``ray://`` addresses.
    dashboard
        Whether there is a dashboard, which ``ray job submit`` needs.
    environment
        Changes to the environment of every node.
    settings
        Ray's ``_system_config``.
    """

    def __init__(
        self,
        *,
        cpus: int = 1,
        head_cpus: int = 1,
        client: bool = True,
        dashboard: bool = False,
        environment: Mapping[str, str] | None = None,
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        self.cpus = cpus
        self.environment = dict(environment or {})
        self.directory = Path(tempfile.mkdtemp(prefix="hl", dir="/tmp"))  # a socket's path has 107 characters at most
        self.nodes: list[LoopbackNode] = []
        """The head, then every other node ever started."""
        self._started: list[subprocess.Popen[str]] = []
        options: dict[str, Any] = {
            "num_cpus": head_cpus,
            "gcs_server_port": free_port(),
            "_system_config": {**NOTICE_DEATH, **(settings or {})},
            "include_dashboard": dashboard,
        }
        if client:
            options["ray_client_server_port"] = free_port()
        if dashboard:
            options["dashboard_port"] = free_port()
        try:
            self.head = self._start(options)
        except BaseException:
            self.close()
            raise
        self.address = self.head.addresses["gcs"]
        """HOST:PORT, for ``ray.init`` and ``--address``."""
        self.client_address = f"ray://127.0.0.1:{options['ray_client_server_port']}" if client else None
        """For drivers that are no part of the cluster."""
        self.dashboard_address = f"http://{self.head.addresses['dashboard']}" if dashboard else None
        """For ``ray job submit --address``."""

    def add_node(self, *, cpus: int | None = None, environment: Mapping[str, str] | None = None) -> LoopbackNode:
        """Start another node and wait until the head knows it (about 3 s)."""
        return self._start({"num_cpus": cpus or self.cpus, "gcs_address": self.address}, environment)

    def _start(self, options: dict[str, Any], environment: Mapping[str, str] | None = None) -> LoopbackNode:
        directory = Path(tempfile.mkdtemp(dir=self.directory))
        options = {**options, "temp_dir": str(directory)}
        log = directory / "node.log"
        with log.open("w") as messages:
            process = subprocess.Popen(
                [sys.executable, __file__, json.dumps(options)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=messages,
                text=True,
                env=environment_of_node(directory, {**self.environment, **(environment or {})}),
                cwd=directory,
                start_new_session=True,
            )
        self._started.append(process)
        assert process.stdout is not None
        answer = process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a Ray node did not start:\n{log.read_text()}")
        told = json.loads(answer)
        node = LoopbackNode(process, directory, told["node_id"], told["servers"], told["addresses"])
        self.nodes.append(node)
        return node

    def pids(self) -> set[int]:
        """Every process of the cluster that runs: servers, workers, the entrypoints of jobs."""
        running = _processes()
        sessions = {process.pid for process in self._started}
        found = {pid for pid, status in running.items() if int(status[3]) in sessions}
        marker = f"RAY_TMPDIR={self.directory}/".encode()
        for pid in running.keys() - found:
            with contextlib.suppress(OSError):
                if marker in Path(f"/proc/{pid}/environ").read_bytes():
                    found.add(pid)
        grown = True
        while grown:
            children = {pid for pid, status in running.items() if int(status[1]) in found} - found
            grown = bool(children)
            found |= children
        return found

    def close(self) -> None:
        """End every process of the cluster and remove its files."""
        while running := self.pids():
            kill(*running)
        for process in self._started:
            with process:  # closes its pipes
                pass
        shutil.rmtree(self.directory, ignore_errors=True)


@contextlib.contextmanager
def loopback_cluster(*, workers: int = 2, **options: Any) -> Iterator[LoopbackCluster]:
    """A head and `workers` further nodes; `options` as for `LoopbackCluster`."""
    cluster = LoopbackCluster(**options)
    try:
        with ThreadPoolExecutor(max(workers, 1)) as pool:  # their start is mostly waiting
            list(pool.map(lambda _: cluster.add_node(), range(workers)))
        yield cluster
    finally:
        cluster.close()


def _serve(options: dict[str, Any]) -> None:
    """Start one node's servers, tell what they are, and stay until the test process closes our standard input."""
    from ray._private.node import Node
    from ray._private.parameter import RayParams
    from ray._private.utils import write_ray_address

    head = "gcs_address" not in options
    settings = RayParams(
        num_gpus=0,
        object_store_memory=OBJECT_STORE,
        node_ip_address="127.0.0.1",
        min_worker_port=0,
        max_worker_port=0,
        node_manager_port=0,
        dashboard_agent_listen_port=0,
        include_log_monitor=head,  # type: ignore[arg-type] # its annotation says str
        no_monitor=True,
        **options,
    )
    node = Node(settings, head=head, shutdown_at_exit=True, spawn_reaper=True)
    # or a job might take another cluster of this machine for its own
    write_ray_address(node.gcs_address, options["temp_dir"])
    told = {
        "node_id": node.node_id,
        "servers": {
            name: [one.process.pid for one in processes] for name, processes in node.all_processes.items() if processes
        },
        "addresses": {"gcs": node.gcs_address, "dashboard": node.webui_url or ""},
    }
    print(json.dumps(told), flush=True)
    os.set_blocking(0, False)
    while True:
        with contextlib.suppress(BlockingIOError):
            if os.read(0, 1) == b"":  # the test process is gone
                return
        for processes in node.all_processes.values():  # a killed raylet must not stay a zombie
            for one in processes:
                one.process.poll()
        time.sleep(0.2)


if __name__ == "__main__":
    _serve(json.loads(sys.argv[1]))
