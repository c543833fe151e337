"""Where rows come from: the code, the packages and the machine that compute them."""

import hashlib
import os
import platform
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

CODE = (
    "kernels",
    *(
        f"study/{name}.py"
        for name in (
            "accounting",
            "carbon",
            "config",
            "correlation",
            "costs",
            "distributions",
            "economics",
            "expression",
            "fluid",
            "heating",
            "matching",
            "outputs",
            "own_power",
            "park",
            "pick_freeze",
            "plant",
            "problems",
            "quantity",
            "reading",
            "sampling",
            "series",
            "shallow_field",
            "simulation",
            "solar",
            "sweep",
            "sweep_array",
            "tariff",
            "traces",
            "variables",
            "weather_record",
            "well_case",
            "wells",
            "winters",
        )
    ),
)
"""What determines the bits of a row."""

PACKAGES = ("hotland", "numba", "numpy", "ray", "scipy", "xarray", "zarr")


@lru_cache
def code_fingerprint(*parts: str) -> str:
    """SHA-256 of source files and folders of them; by default of all that determines the bits of a row."""
    root = Path(__file__).parent.parent
    digest = hashlib.sha256()
    for path in sorted(
        file
        for part in parts or CODE
        for file in ([root / part] if part.endswith(".py") else (root / part).glob("*.py"))
    ):
        digest.update(path.read_bytes())
    return digest.hexdigest()


def packages() -> dict[str, str]:
    """Versions of what computes and stores."""
    return {name: version(name) for name in PACKAGES}


@lru_cache
def machine() -> dict[str, str | int]:
    """This machine in words: name, processor, cores, system and Python."""
    processor = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.exists():
        names = [line.split(":", 1)[1].strip() for line in information.read_text().splitlines() if "model name" in line]
        processor = names[0] if names else processor
    return {
        "host": platform.node(),
        "processor": processor,
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def cores() -> int:
    """Cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
