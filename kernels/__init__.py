"""The numbers of hotland: numba kernels, arrays in and arrays out.

No files, no configuration, no Ray, no xarray. The arrays' last axis is `lane`: one lane is one sample, and the compiled
loops run over lanes, so that the processor's vector units work on several samples at once. All quantities are in SI
units and °C unless a name or a docstring says otherwise.
"""

import hashlib
import os
import tempfile
from pathlib import Path

import llvmlite.binding
import numba

LANES = 64
"""Samples computed side by side. A group is always this wide (short ones are padded): no result depends on its size."""


def _cache_folder() -> Path:
    """Where compiled kernels are kept: a folder for exactly this source.

    numba looks at the file of the called function alone: it would go on using a kernel into which functions of another
    file were compiled before those changed.
    """
    sources = sorted(Path(__file__).parent.glob("*.py"))
    digest = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    beside = Path(__file__).parent / "__pycache__"
    if "NUMBA_CACHE_DIR" in os.environ:
        root = Path(os.environ["NUMBA_CACHE_DIR"])
    elif os.access(beside if beside.exists() else beside.parent, os.W_OK):
        root = beside
    else:
        root = Path(tempfile.gettempdir()) / f"hotland-{os.getuid() if hasattr(os, 'getuid') else 'kernels'}"
    return root / f"kernels-{digest}"


numba.config.CACHE_DIR = str(_cache_folder())  # type: ignore[attr-defined]


def _use_wide_vectors() -> None:
    """Let compiled loops use vectors of 512 bits where the processor has them; LLVM by itself stays at 256.

    A fifth faster on such a processor; each lane's arithmetic, and so its bits, are the same. Who sets numba's own
    NUMBA_CPU_FEATURES keeps them.
    """
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f") and numba.config.CPU_FEATURES is None:  # type: ignore[attr-defined]
        numba.config.CPU_NAME = llvmlite.binding.get_host_cpu_name()  # type: ignore[attr-defined]
        numba.config.CPU_FEATURES = f"{features.flatten()},-prefer-256-bit"  # type: ignore[attr-defined]


_use_wide_vectors()
