"""Where blocks are computed: Ray on this machine alone, or a Ray cluster somewhere."""

import logging
import os
import shutil
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from study.errors import ClusterError, ClusterLostError, NodeError, RunError, StorageError
from study.provenance import code_fingerprint, cores, machine, packages
from study.storage import Storage

LOCAL = "local"
ONE_THREAD = dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS", "BLOSC_NTHREADS"), "1"
) | {"ZARR_THREADING__MAX_WORKERS": "1"}
"""A worker has one core: as many threads as that for each library."""
KNOCKS = 10.0
"""How long to wait for an answer at an address, s."""
SILENCE = 15.0
"""How long the head of a cluster may say nothing before it is taken for gone, s."""
_LONGEST_FOLDER = 30  # Ray adds some 75 characters to the path of its sockets, which may have 107
_OBJECT_STORE = 100 * 2**20  # of this machine's own Ray: results never pass through it


def resolve(address: str | None) -> str | None:
    """Address of a cluster to use, None for this machine alone; in a job of a cluster, that cluster."""
    if address is None:
        address = os.environ.get("RAY_ADDRESS") or None
    return None if address == LOCAL else address


def knock(address: str, said: str = "--address") -> None:
    """Raise ClusterError when nothing listens at an address: Ray itself would go on trying for minutes.

    Parameters
    ----------
    said
        Where the address comes from.
    """
    if address == "auto":
        return
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if "@" in address:
        raise ClusterError(f"{said}: an address has no user and no password; allowed: HOST:PORT or ray://HOST:PORT")
    if "://" in host or not (host and port.isdecimal() and 0 < int(port[:6]) < 2**16):
        raise ClusterError(f"{said} {address!r}; allowed: local, HOST:PORT, ray://HOST:PORT or auto")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=KNOCKS).close()
    except (OSError, OverflowError, UnicodeError) as error:
        raise ClusterError(f"{said} {address}: no Ray cluster answers there: {error}") from error


@contextmanager
def start_ray(address: str | None, *, dashboard: Callable[[str], None] | None = None) -> Iterator[Any]:
    """Import Ray and connect it: to a cluster, or to this machine's own cores, quietly and on loopback alone.

    Parameters
    ----------
    dashboard
        Told where this machine's own Ray has its dashboard; None is for no dashboard.

    Raises
    ------
    ClusterError
        When there is no cluster, or one of another version.
    RunError
        One that is raised within, with where Ray's own logs are.
    """
    os.environ.update(RAY_USAGE_STATS_ENABLED="0", RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO="0")
    os.environ.setdefault("RAY_CLIENT_RECONNECT_GRACE_PERIOD", f"{SILENCE:.0f}")
    if address is None:
        # binds everything to 127.0.0.1, where no token is needed
        os.environ.update(RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER="0", RAY_AUTH_MODE="disabled", **ONE_THREAD)
        os.environ.pop("RAY_ADDRESS", None)
        os.environ.setdefault("RAY_worker_niceness", "0")  # Ray's 15 would have them starve beside other work
    elif _listens_on_loopback_alone(address):
        os.environ.setdefault("RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER", "0")
    logging.getLogger("ray.widgets").setLevel(logging.WARNING)  # in a notebook it would ask for ipywidgets
    import ray

    if ray.is_initialized():  # by whoever calls this, who also ends it
        yield ray
        return
    options: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    folder = None
    if address is None:
        options |= {"num_cpus": cores(), "object_store_memory": _OBJECT_STORE}
        if len(tempfile.gettempdir()) > _LONGEST_FOLDER:
            folder = tempfile.mkdtemp(prefix="ray-", dir="/tmp")
            options["_temp_dir"] = f"{folder}/ray"  # which Ray opens to all; the one around it is private
        options |= {"include_dashboard": dashboard is not None, "dashboard_host": "127.0.0.1"}
        try:
            started = ray.init("local", **options)
        except Exception as error:  # Ray has no kind of error of its own for this
            _stop(ray, folder)
            said = " ".join(str(error).split())[:300]
            raise RunError(f"Ray did not start on this machine: {said}") from error
        _end_log_monitor(ray)
        if dashboard:
            dashboard(f"Ray's dashboard: http://{started.dashboard_url}")
    else:
        _probe(address)
        try:
            ray.init(address=address, runtime_env={"env_vars": ONE_THREAD}, **options)
        except Exception as error:  # Ray has no kind of error of its own for this
            said = " ".join(str(error).rpartition("Error: ")[2].split())[:400]  # of the cluster's own traceback the end
            raise ClusterError(f"--address {address}: no Ray cluster can be used there: {said}") from error
    logs = _logs(ray)
    try:
        yield ray
    except ClusterLostError as error:  # Ray is not stopped: it would wait for the head
        raise ClusterLostError(f"{error}\n{logs}") from error
    except RunError as error:
        _stop(ray, None)  # with their folder the logs would be gone
        raise type(error)(f"{error}\n{logs}") from error
    except BaseException:
        _stop(ray, folder)
        raise
    _stop(ray, folder)


def _end_log_monitor(ray: Any) -> None:
    """End the process that looks for new lines ten times a second, with nobody to tell (`log_to_driver`)."""
    with suppress(Exception):  # it has no public name
        ray._private.worker._global_node.kill_log_monitor(check_alive=False)


def _logs(ray: Any) -> str:
    """Where Ray's own processes write, in words."""
    with suppress(Exception):  # it has no public name
        return f"Ray's logs: {ray._private.worker._global_node.get_logs_dir_path()}"
    return "Ray's logs: on the cluster's nodes, usually in /tmp/ray/session_latest/logs"


def _stop(ray: Any, folder: str | None) -> None:
    ray.shutdown()
    if folder:
        shutil.rmtree(folder, ignore_errors=True)


def _listens_on_loopback_alone(address: str) -> bool:
    """Whether a cluster is one of 127.0.0.1, which Ray would look for at this machine's outer address."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if host != "localhost" and not host.startswith("127."):
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as outward:
        try:
            outward.connect(("192.0.2.1", 9))  # nothing is sent; an address for documentation (RFC 5737)
            socket.create_connection((outward.getsockname()[0], int(port)), timeout=2.0).close()
        except OSError:
            return True
    return False


def _probe(address: str) -> None:
    """Raise ClusterError when what listens at an address is no Ray cluster: Ray itself would wait for minutes."""
    if address == "auto":
        return
    try:
        import grpc
        from ray._private.grpc_utils import init_grpc_channel
        from ray.core.generated import gcs_service_pb2, gcs_service_pb2_grpc, ray_client_pb2, ray_client_pb2_grpc
    except ImportError:
        return  # another version of Ray: it has to find out by itself
    with suppress(AttributeError):
        channel = init_grpc_channel(address.removeprefix("ray://"))
        try:
            if address.startswith("ray://"):
                ping = ray_client_pb2.ClusterInfoRequest(type=ray_client_pb2.ClusterInfoType.PING)  # type: ignore[attr-defined]
                client = ray_client_pb2_grpc.RayletDriverStub(channel)
                client.ClusterInfo(ping, timeout=KNOCKS, metadata=[("client_id", "hotland")])
            else:
                question = gcs_service_pb2.InternalKVGetRequest  # type: ignore[attr-defined]
                about = question(namespace=b"cluster", key=b"CLUSTER_METADATA")
                gcs_service_pb2_grpc.InternalKVGcsServiceStub(channel).InternalKVGet(about, timeout=KNOCKS)
        except grpc.RpcError as error:
            known = {
                grpc.StatusCode.UNIMPLEMENTED: "that is the other of a cluster's two ports: HOST:PORT and ray://HOST:PORT",
                grpc.StatusCode.DEADLINE_EXCEEDED: f"what listens there says nothing within {KNOCKS:.0f} s",
                grpc.StatusCode.UNAUTHENTICATED: "it asks for a token (RAY_AUTH_MODE=token and RAY_AUTH_TOKEN_PATH)",
            }
            code = error.code()
            said = known.get(code) or f"what listens there is none ({code.name})"
            raise ClusterError(f"--address {address}: no Ray cluster answers there: {said}") from error
        finally:
            channel.close()


def refuse_stranger(storage: Storage, sight: str, code: str) -> None:
    """Raise NodeError on a node whose rows would be others, or would not get into the store.

    Each task asks before it computes: nodes come and go while a run is on, an autoscaler's all after its begin.

    Parameters
    ----------
    sight
        Name of an object in the store that every node has to see.
    code
        The driver's `study.provenance.code_fingerprint`.

    Raises
    ------
    OSError
        When the store does not answer.
    """
    import ray

    node = ray.get_runtime_context().get_node_id()
    if code_fingerprint() != code:
        raise NodeError(
            f"node {machine()['host']} has another version of hotland's code ({packages()['hotland']}), whose rows "
            "differ: install the same on all",
            node,
        )
    _refuse_blind(storage, sight, node)


@lru_cache  # once in a process; what is raised is not kept
def _refuse_blind(storage: Storage, sight: str, node: str) -> None:
    try:
        seen, trouble = storage.exists(sight), ""
    except StorageError as error:
        seen, trouble = False, f": {error}"
    if not seen:
        raise NodeError(
            f"node {machine()['host']} does not see the store {storage}{trouble}; give an --output that all nodes "
            "share: an object store, or a shared folder",
            node,
        )


def inspect_nodes(ray: Any, storage: Storage, sight: str) -> None:
    """Have every node of a cluster that takes tasks `refuse_stranger`: before any sample is computed.

    Raises
    ------
    ClusterError
        When a node has other code, or does not see the store.
    """
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    task = ray.remote(num_cpus=0, max_retries=2)(refuse_stranger)
    nodes = [node["NodeID"] for node in ray.nodes() if node["Alive"] and node["Resources"].get("CPU")]
    asked = [
        task.options(scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote(
            storage, sight, code_fingerprint()
        )
        for node in nodes
    ]
    for ref in asked:
        try:
            ray.get(ref)
        except ray.exceptions.RayTaskError as error:
            cause = error.cause
            if isinstance(cause, NodeError):
                raise ClusterError(str(cause)) from error
            if isinstance(cause, OSError):
                raise ClusterError(f"a node of the cluster does not see the store: {cause}") from error
            last = str(error).strip().splitlines()[-1]
            raise ClusterError(f"a node of the cluster cannot run hotland: {last}") from error
        except ray.exceptions.RayError:
            continue  # it went away; others take its work


class Pulse:
    """Asks the head of the cluster all the time: without it nothing goes on, and Ray says so after a minute, or never.

    Nor does anything go on without Ray's daemon (raylet) on this process's own node.
    """

    def __init__(self, ray: Any) -> None:
        self._ray = ray
        self._own = ray.get_runtime_context().get_node_id()
        self._answered = time.monotonic()
        self._over = threading.Event()
        threading.Thread(target=self._ask, name="pulse", daemon=True).start()  # it may be stuck in a call for ever

    def _ask(self) -> None:
        while not self._over.wait(1.0):
            try:
                alive = {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}
            except Exception:  # whatever Ray raises then: there is no answer
                continue
            if self._own in alive:
                self._answered = time.monotonic()

    def gone(self) -> bool:
        """Whether there was no answer for `SILENCE`."""
        return time.monotonic() - self._answered > SILENCE

    def stop(self) -> None:
        """Ask no more."""
        self._over.set()


@contextmanager
def messages_to_file() -> Iterator[Path]:
    """Keep what Ray and its processes write to standard output and error off the screen, in a file.

    It goes there whoever writes it, Python or C++; the file is gone if it stays empty.
    """
    descriptor, name = tempfile.mkstemp(prefix="hotland-", suffix=".log")
    path = Path(name)
    _flush()
    kept = {stream: os.dup(stream) for stream in (1, 2)}
    for stream in kept:
        os.dup2(descriptor, stream)
    try:
        yield path
    finally:
        _flush()
        for stream, copy in kept.items():
            os.dup2(copy, stream)
            os.close(copy)
        os.close(descriptor)
        with suppress(OSError):
            if not path.stat().st_size:
                path.unlink()


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):
            stream.flush()
