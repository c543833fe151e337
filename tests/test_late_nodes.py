"""Nodes that join a cluster while a run is on, and must not compute: their rows never reach the store."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import xarray as xr
from loopback_cluster import PROJECT, LoopbackCluster, environment_of_node, loopback_cluster

import study
from study.provenance import code_fingerprint
from study.runs import runs
from study.storage import Storage
from tests.conftest import SMOKE
from tests.test_engine import assert_same_bits, receipts

SAMPLES = 60
OTHER_CODE = "has another version of hotland's code"


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study whose blocks of two take about half a second."""
    path = tmp_path_factory.mktemp("study") / "study.yaml"
    path.write_text(SMOKE.read_text().replace("winters: 2", "winters: 30"))
    assert "winters: 30" in path.read_text()
    return path


@pytest.fixture(scope="module")
def other_code(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a node whose rows are others."""
    folder = tmp_path_factory.mktemp("other")
    for part in ("kernels", "study"):
        shutil.copytree(PROJECT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    outputs = folder / "study" / "outputs.py"
    changed = outputs.read_text().replace("MEGA = ", "MEGA = 1.01 * ")
    assert changed != outputs.read_text()
    outputs.write_text(changed)
    return {"PYTHONPATH": str(folder)}


@contextmanager
def running(cluster: LoopbackCluster, config: Path, store: Path) -> Iterator[tuple[subprocess.Popen[str], Path]]:
    """The study on its way on a cluster, and the file of what it says."""
    arguments = ("run", config, "--samples", str(SAMPLES), "--block-size", "2", "--output", store)
    said = store.parent / "said"
    with (
        said.open("w") as file,
        subprocess.Popen(
            [Path(sys.executable).with_name("hotland"), *map(str, arguments), "--address", cluster.address],
            cwd=store.parent,
            env=environment_of_node(store.parent, {"TMPDIR": str(store.parent)}),
            stdout=subprocess.DEVNULL,
            stderr=file,
            text=True,
        ) as process,
    ):
        try:
            yield process, said
        finally:
            process.kill()


def wait(process: subprocess.Popen[str], said: Path, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 120.0
    while not holds():
        assert process.poll() is None, said.read_text()
        assert time.monotonic() < deadline, said.read_text()
        time.sleep(0.05)


@pytest.mark.slow
def test_a_run_goes_on_without_a_late_node_of_other_code(
    tmp_path: Path, config: Path, other_code: dict[str, str]
) -> None:
    store = tmp_path / "store.zarr"
    with (
        loopback_cluster(workers=0, head_cpus=1, client=False) as cluster,
        running(cluster, config, store) as (process, said),
    ):
        wait(process, said, lambda: receipts(store) > 0)
        cluster.add_node(environment=other_code)
        process.wait(120.0)
    assert process.returncode == 0, said.read_text()
    assert OTHER_CODE in said.read_text()
    assert "the run goes on without it" in said.read_text()
    (run,) = runs(Storage.at(store))
    assert OTHER_CODE in run["retries"][0]["fault"]
    codes = {json.loads(path.read_text())["code"] for path in (store / "receipts").glob("0*.json")}
    assert codes == {code_fingerprint()}
    case = study.load(config).with_overrides(samples=SAMPLES)
    expected: xr.Dataset = study.run(case, output=tmp_path / "alone.zarr", address="local", block_size=64).load()
    assert_same_bits(study.open_ensemble(store).load(), expected)


def test_a_run_ends_where_no_other_node_came(tmp_path: Path, config: Path, other_code: dict[str, str]) -> None:
    store = tmp_path / "store.zarr"
    with (
        loopback_cluster(workers=0, head_cpus=0, client=False) as cluster,
        running(cluster, config, store) as (process, said),
    ):
        wait(process, said, lambda: "waiting for workers" in said.read_text())
        cluster.add_node(environment=other_code)
        process.wait(120.0)
    assert process.returncode == 2, said.read_text()
    assert OTHER_CODE in said.read_text()
    assert "there is no other node" in said.read_text()
    assert "Traceback" not in said.read_text()
    assert not receipts(store)
