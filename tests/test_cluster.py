"""Runs on a Ray cluster that shares nothing but an object store with the driver, and what is refused."""

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import xarray as xr
from loopback_cluster import (
    PROJECT,
    LoopbackCluster,
    LoopbackNode,
    environment_of_node,
    free_port,
    kill,
    loopback_cluster,
)
from object_store import KEY_ID, SECRET, Server, object_store
from test_loopback_cluster import listening

import study
from study.storage import Storage
from tests.conftest import SMOKE
from tests.test_engine import assert_same_bits

pytestmark = pytest.mark.slow

SAMPLES = 24
BLOCKS = ("--samples", str(SAMPLES), "--block-size", "4")


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with object_store() as server:
        yield server


@pytest.fixture(scope="module")
def cluster(server: Server) -> Iterator[LoopbackCluster]:
    with loopback_cluster(workers=1, dashboard=True, environment=server.environment) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The smallest study, in a folder of its own."""
    return Path(shutil.copy(SMOKE, tmp_path_factory.mktemp("study") / "study.yaml"))


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory, config: Path) -> xr.Dataset:
    """The study, computed in this process on one core."""
    case = study.load(config).with_overrides(samples=SAMPLES)
    return study.run(case, output=tmp_path_factory.mktemp("undisturbed") / "store.zarr", address="local").load()


def command(*arguments: object, folder: Path, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
    """Run a command of the environment's, which finds cluster and object store as a user's does."""
    name, *rest = map(str, arguments)
    done = subprocess.run(
        [Path(sys.executable).with_name(name), *rest],
        cwd=folder,
        env=environment_of_node(folder, {"TMPDIR": str(folder)}),
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    logs = "".join(path.read_text(errors="replace") for path in folder.glob("*.log"))
    for secret in (KEY_ID, SECRET):
        assert secret not in done.stdout + done.stderr + logs
    return done


def objects(server: Server, url: str) -> bytes:
    """All that a store in the bucket holds, one after the other, names too."""
    import obstore
    from obstore.store import S3Store

    bucket = S3Store(url.removeprefix("s3://").partition("/")[0], client_options={"allow_http": True})
    prefix = url.removeprefix("s3://").partition("/")[2]
    found = [entry["path"] for page in obstore.list(bucket, prefix) for entry in page]
    assert found
    assert server.environment["AWS_ENDPOINT_URL"].startswith("http://127.0.0.1:")
    return b"\n".join([*(name.encode() for name in found), *(bytes(bucket.get(name).bytes()) for name in found)])


def assert_as_undisturbed(server: Server, url: str, undisturbed: xr.Dataset) -> None:
    assert_same_bits(study.open_ensemble(url).load(), undisturbed)
    held = objects(server, url)
    assert b"receipts/00000000.json" in held
    for secret in (KEY_ID, SECRET):
        assert secret.encode() not in held


def test_a_job_of_the_cluster_and_a_bucket(
    tmp_path: Path, server: Server, cluster: LoopbackCluster, config: Path, undisturbed: xr.Dataset
) -> None:
    url = f"{server.url}/job.zarr"
    job = ("hotland", "run", config.name, *BLOCKS, "--output", url)  # no address: in a job it is the job's cluster
    submit = ("ray", "job", "submit", "--address", cluster.dashboard_address, "--working-dir", config.parent, "--")
    done = command(*submit, *job, folder=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"on the cluster at {cluster.address}" in done.stdout
    assert_as_undisturbed(server, url, undisturbed)


def test_an_object_store_that_answers_503_for_a_while(
    tmp_path: Path, server: Server, cluster: LoopbackCluster, config: Path, undisturbed: xr.Dataset
) -> None:
    url = f"{server.url}/faults.zarr"
    server.proxy.well()
    arguments = ("run", config, *BLOCKS, "--address", cluster.address, "--output", url)
    with subprocess.Popen(
        [Path(sys.executable).with_name("hotland"), *map(str, arguments)],
        cwd=tmp_path,
        env=environment_of_node(tmp_path, {"TMPDIR": str(tmp_path)}),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            wait_until(lambda: any("/receipts/" in each and "PUT" in each for each in list(server.proxy.requests)))
            before = len(Storage.at(url).names("receipts"))
            asked = len(server.proxy.requests)
            server.proxy.fail_for(4.0)
            time.sleep(4.0)
            assert len(server.proxy.requests) > asked + 2
            _, errors = process.communicate(timeout=120.0)
        finally:
            process.kill()
    assert process.returncode == 0, errors
    assert before < SAMPLES // 4
    for secret in (KEY_ID, SECRET):
        assert secret not in errors
    assert_as_undisturbed(server, url, undisturbed)


def test_a_client_of_the_cluster_and_a_bucket(
    tmp_path: Path, server: Server, cluster: LoopbackCluster, config: Path, undisturbed: xr.Dataset
) -> None:
    url = f"{server.url}/client.zarr"
    address = str(cluster.client_address)
    done = command("hotland", "run", config, *BLOCKS, "--address", address, "--output", url, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"on the cluster at {address}" in done.stderr
    assert_as_undisturbed(server, url, undisturbed)


def test_no_log_of_a_node_holds_a_secret(cluster: LoopbackCluster) -> None:
    logs = [path for path in cluster.directory.rglob("*") if path.suffix in (".log", ".out", ".err") and path.is_file()]
    assert len(logs) > 10
    for path in logs:
        text = path.read_bytes()
        assert SECRET.encode() not in text, path
        assert KEY_ID.encode() not in text, path


def wait_until(holds: object, patience: float = 120.0) -> None:
    assert callable(holds)
    deadline = time.monotonic() + patience
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextmanager
def another_node(cluster: LoopbackCluster, **environment: str) -> Iterator[LoopbackNode]:
    """A node that is there for a while."""
    node = cluster.add_node(environment=environment)
    try:
        yield node
    finally:
        node.kill()


def refused(done: subprocess.CompletedProcess[str], *said: str) -> None:
    """One message, status 2, no traceback."""
    assert done.returncode == 2, done.stderr
    for words in said:
        assert words in done.stderr
    assert "Traceback" not in done.stdout + done.stderr


def test_a_node_with_other_code_is_refused(
    tmp_path: Path, server: Server, cluster: LoopbackCluster, config: Path
) -> None:
    for part in ("kernels", "study"):
        shutil.copytree(PROJECT / part, tmp_path / "other" / part, ignore=shutil.ignore_patterns("__pycache__"))
    with (tmp_path / "other" / "kernels" / "philox.py").open("a") as file:
        file.write("# another version\n")
    url = f"{server.url}/code.zarr"
    with another_node(cluster, PYTHONPATH=str(tmp_path / "other")):
        done = command("hotland", "run", config, "--address", cluster.address, "--output", url, folder=tmp_path)
    refused(done, "has another version of hotland's code", "install the same on all")
    assert not Storage.at(url).names("receipts")


@pytest.mark.skipif(not shutil.which("unshare"), reason="needs unshare, of util-linux")
def test_a_folder_that_a_node_does_not_see_is_refused(
    tmp_path: Path, cluster: LoopbackCluster, config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shared, store = tmp_path / "shared", tmp_path / "shared" / "store.zarr"
    shared.mkdir()
    elsewhere = tmp_path / "bin" / "python"  # a Python for which another, empty folder is mounted there
    elsewhere.parent.mkdir()
    private = ["unshare", "--mount"] if os.geteuid() == 0 else ["unshare", "--mount", "--map-root-user"]
    if subprocess.run([*private, "true"], capture_output=True, check=False).returncode:
        pytest.skip("this system lets nobody have mounts of one's own")
    mounted = f"mount -t tmpfs none {shared} && exec {sys.executable}"
    elsewhere.write_text(f"""#!/bin/sh\nexec {" ".join(private)} sh -c '{mounted} "$@"' sh "$@"\n""")
    elsewhere.chmod(0o755)
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", str(elsewhere))
        node = cluster.add_node()
    try:
        done = command("hotland", "run", config, "--address", cluster.address, "--output", store, folder=tmp_path)
    finally:
        node.kill()
    refused(done, f"does not see the store {store}", "an object store, or a shared folder")
    assert not list(store.glob("receipts/*"))


@contextmanager
def mute() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.mark.parametrize("kind", ["", "ray://"])
@pytest.mark.parametrize("there", ["nothing", "http", "mute", "no such host", "the other kind"])
def test_an_address_without_a_cluster_is_refused(
    tmp_path: Path, server: Server, cluster: LoopbackCluster, config: Path, kind: str, there: str
) -> None:
    with mute() as port:
        address = (
            kind
            + {
                "nothing": f"127.0.0.1:{free_port()}",
                "http": f"127.0.0.1:{server.proxy.server_port}",
                "mute": f"127.0.0.1:{port}",
                "no such host": "no-such-host.invalid:6379",
                "the other kind": cluster.address if kind else str(cluster.client_address).removeprefix("ray://"),
            }[there]
        )
        start = time.monotonic()
        done = command("hotland", "run", config, "--address", address, "--output", "x.zarr", folder=tmp_path)
    refused(done, f"--address {address}:")
    assert time.monotonic() - start < 40.0
    assert not (tmp_path / "x.zarr").exists()


def test_what_is_no_address_is_refused(tmp_path: Path, config: Path) -> None:
    for address in ("nonsense", "http://127.0.0.1:80", "127.0.0.1:port", "127.0.0.1:99999", ":6379", "ray://"):
        done = command("hotland", "run", config, "--address", address, "--output", "x.zarr", folder=tmp_path)
        refused(done, f"--address {address!r}")
        assert not (tmp_path / "x.zarr").exists()


RECORD = """
import json, sys
from ray._raylet import GcsClient
client = GcsClient(address=sys.argv[1])
key = b"CLUSTER_METADATA"
record = json.loads(client.internal_kv_get(key, namespace=b"cluster"))
changes = json.loads(sys.argv[2])
client.internal_kv_put(key, json.dumps({**record, **changes}).encode(), True, namespace=b"cluster")
print(json.dumps({name: record[name] for name in changes}))
"""


@contextmanager
def claiming(cluster: LoopbackCluster, changes: dict[str, str]) -> Iterator[None]:
    """A cluster whose record of itself says something else for a while."""

    def change(what: dict[str, str]) -> dict[str, str]:
        done = subprocess.run(
            [sys.executable, "-c", RECORD, cluster.address, json.dumps(what)],
            env=environment_of_node(cluster.directory, {}),
            capture_output=True,
            text=True,
            check=True,
        )
        return dict(json.loads(done.stdout))

    before = change(changes)
    try:
        yield
    finally:
        change(before)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ("address", {"ray_version": "2.5.0"}),
        ("address", {"python_version": "3.8.1"}),
        ("client_address", {"ray_version": "2.5.0"}),
    ],
    ids=["Ray", "Python", "Ray, for a client"],
)
def test_a_cluster_of_other_versions_is_refused(
    tmp_path: Path, cluster: LoopbackCluster, config: Path, kind: str, what: dict[str, str]
) -> None:
    address = getattr(cluster, kind)
    with claiming(cluster, what):
        done = command("hotland", "run", config, "--address", address, "--output", "x.zarr", folder=tmp_path)
    refused(done, f"--address {address}: ", *what.values())
    assert not (tmp_path / "x.zarr").exists()


def descendants(process: int) -> set[int]:
    """A process and all below it."""
    found = {process}
    while True:
        below = {
            int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if int(stat_of(path)[1]) in found
        } - found
        if not below:
            return found
        found |= below


def stat_of(path: Path) -> list[str]:
    try:
        return path.read_text().rpartition(")")[2].split()
    except OSError:
        return ["X", "-1"]


def test_on_this_machine_alone_nothing_listens_beyond_loopback(tmp_path: Path, config: Path) -> None:
    store = tmp_path / "store.zarr"
    arguments = ("run", config, "--samples", "64", "--block-size", "2", "--output", store, "--dashboard")
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RAY_")}
    with subprocess.Popen(
        [Path(sys.executable).with_name("hotland"), *map(str, arguments)],
        cwd=tmp_path,
        env={**kept, "TMPDIR": str(tmp_path)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    ) as process:
        addresses: set[str] = set()
        try:
            while process.poll() is None:
                for each in descendants(process.pid):
                    with suppress(OSError):  # it may have ended
                        addresses |= {address.rpartition(":")[0] for address in listening({each})}
                time.sleep(0.2)
        finally:
            if process.poll() is None:
                kill(*descendants(process.pid))
    assert process.returncode == 0
    assert addresses, "its Ray listens nowhere"
    assert addresses <= {"0100007F", "0000000000000000FFFF00000100007F", "00000000000000000000000001000000"}
