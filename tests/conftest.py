"""What several test files share."""

import copy
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from study.config import Study

ROOT = Path(__file__).parent.parent
SMOKE = ROOT / "configs" / "smoke.yaml"


def variant(study: Study, changes: dict[str, Any]) -> Study:
    """Return the study with other values at some dotted keys."""
    data = copy.deepcopy(study.resolved())
    for key, value in changes.items():
        *parents, last = [int(part) if part.isdigit() else part for part in key.split(".")]
        node: Any = data
        for part in parents:
            node = node[part]
        node[last] = value
    return Study.model_validate(data)


def without_doubt(study: Study) -> Study:
    """Return the study with the first value of its design in the place of every distribution."""
    from study.quantity import to_text
    from study.sampling import sample_inputs

    values = sample_inputs(study, np.arange(1))
    known = {key: to_text(float(values[key][0]), item.unit) for key, item in study.drawn.items()}
    return variant(study, {"correlations": [], **known})


def made(study: Study, folder: Path) -> Path:
    """Compute a study's ensemble in this process, without Ray; returns its store."""
    from study.blocks import compute_block
    from study.engine import prepare
    from study.storage import Storage

    store = folder / f"{study.name}.zarr"
    ensemble, blocks = prepare(study, Storage.at(store), block_size=study.samples)
    for block in blocks:
        compute_block(study, ensemble, block)
    return store


def hotland(*arguments: str | Path, folder: Path, timeout: float = 240.0) -> subprocess.CompletedProcess[str]:
    """Run the command as a user does."""
    return subprocess.run(
        [Path(sys.executable).with_name("hotland"), *map(str, arguments)],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )


def stop_run(*arguments: str | Path, folder: Path, how: signal.Signals, when: Callable[[], bool]) -> tuple[int, str]:
    """Start the command, send it a signal (to its whole group, as a terminal does for Ctrl-C) once `when` holds.

    Returns
    -------
    Exit status and standard error.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs, and their children, ignore it
    process = subprocess.Popen(
        [Path(sys.executable).with_name("hotland"), *map(str, arguments)],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 180.0
    while not when() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    if how == signal.SIGINT:
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    _, error = process.communicate(timeout=60.0)
    return process.returncode, error


@pytest.fixture(scope="module")
def small_study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study that takes some seconds in small blocks: `configs/smoke.yaml` with 96 samples of 80 winters."""
    path = tmp_path_factory.mktemp("small") / "small.yaml"
    path.write_text(SMOKE.read_text().replace("samples: 32", "samples: 96").replace("winters: 2", "winters: 80"))
    assert "samples: 96" in path.read_text()
    assert "winters: 80" in path.read_text()
    return path
