"""hotland: how sure is geothermal heat?

>>> import study
>>> dataset = study.run("configs/smoke.yaml", output="ensembles/smoke.zarr")  # doctest: +SKIP
>>> float(dataset["carbon_reduction"].mean())  # doctest: +SKIP
"""

from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from study.comparison import compare
    from study.config import Study
    from study.config import load_study as load
    from study.engine import run
    from study.ensemble import open_ensemble
    from study.errors import ClusterError, ConfigError, EnsembleError, HotlandError, RunError, StorageError
    from study.exporting import export
    from study.traces import open_traces
    from study.updating import update

__all__ = [
    "ClusterError",
    "ConfigError",
    "EnsembleError",
    "HotlandError",
    "RunError",
    "StorageError",
    "Study",
    "compare",
    "export",
    "load",
    "open_ensemble",
    "open_traces",
    "run",
    "update",
]

# These, and the modules, are imported when first asked for: the command line and Ray's workers need a part only, and
# start sooner.
_HOMES = {
    **{name: ("study.errors", name) for name in __all__ if name.endswith("Error")},
    "Study": ("study.config", "Study"),
    "compare": ("study.comparison", "compare"),
    "export": ("study.exporting", "export"),
    "load": ("study.config", "load_study"),
    "open_ensemble": ("study.ensemble", "open_ensemble"),
    "open_traces": ("study.traces", "open_traces"),
    "run": ("study.engine", "run"),
    "update": ("study.updating", "update"),
}


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        module, attribute = _HOMES[name]
        return getattr(import_module(module), attribute)
    if name.startswith("_") or find_spec(f"{__name__}.{name}") is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return import_module(f"{__name__}.{name}")  # study.figures, study.sweep
