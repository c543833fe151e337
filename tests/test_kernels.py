"""What holds for all kernels together."""

import shutil
import subprocess
import sys
from pathlib import Path

from tests.conftest import ROOT


def cache_folder(package: Path) -> str:
    command = "import kernels, numba; print(kernels.__file__); print(numba.config.CACHE_DIR)"
    answer = subprocess.run(
        [sys.executable, "-c", command], cwd=package.parent, capture_output=True, text=True, check=True
    )
    file, folder = answer.stdout.split()
    assert Path(file).parent == package
    return folder


def test_a_change_in_any_kernel_leaves_compiled_ones_behind(tmp_path: Path) -> None:
    package = tmp_path / "kernels"
    shutil.copytree(ROOT / "kernels", package, ignore=shutil.ignore_patterns("__pycache__"))
    before = cache_folder(package)
    assert cache_folder(package) == before
    with (package / "plant.py").open("a") as source:
        source.write("\n# compiled into operation._season\n")
    assert cache_folder(package) != before
