"""hotland: how sure is geothermal heat?

>>> import study
>>> case = study.load("configs/smoke.yaml")
>>> dataset = study.run(case, output="ensembles/smoke.zarr")  # doctest: +SKIP
>>> float(dataset["carbon_reduction"].mean())  # doctest: +SKIP
"""

from pathlib import Path

import xarray as xr

from study.config import ConfigError, Study
from study.config import load_study as load
from study.ensemble import EnsembleError, open_ensemble

__all__ = ["ConfigError", "EnsembleError", "Study", "load", "open_ensemble", "run"]


def run(
    study: Study, *, output: str | Path | None = None, address: str | None = None, block_size: int | None = None
) -> xr.Dataset:
    """Run a study, or what is left of it, and open its ensemble.

    Parameters
    ----------
    study
        From `load`.
    output
        The store; by default ``ensembles/<name>.zarr``.
    address
        A Ray cluster; by default this machine alone.
    block_size
        Samples of a task in a new store; no result depends on it.

    Returns
    -------
    The ensemble, as from `open_ensemble`.

    Raises
    ------
    EnsembleError
        When the store belongs to another study, or cannot be made or read.
    study.engine.RunError
        When a block fails again and again.
    """
    from study import engine

    store = Path(output) if output is not None else engine.default_store(study)
    ensemble, blocks = engine.prepare(study, store, block_size=block_size or engine.BLOCK_SIZE)
    if blocks:
        engine.warm_up(study)
        engine.run_blocks(study, ensemble, blocks, address=address, progress=lambda _done, _total: None)
    return open_ensemble(store)
