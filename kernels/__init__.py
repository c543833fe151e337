"""The numbers of hotland: numba kernels, arrays in and arrays out.

No files, no configuration, no Ray, no xarray. The arrays' last axis is `lane`: one lane is one sample, and the compiled
loops run over lanes, so that the processor's vector units work on several samples at once. All quantities are in SI
units and °C unless a name or a docstring says otherwise.
"""

import hashlib
import os
import tempfile
from pathlib import Path

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
