"""Draw the pictures of README and docs: `python docs/pictures.py [STORE] [FOLDER] [SWEEP]`."""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.axes import Axes
from ruamel.yaml import YAML

import study
from kernels.ground import HOUR, HOURLY
from kernels.well import prescribed_load
from study.config import WellCase
from study.drivers import what_drives
from study.figures import (
    BLUE,
    GREY,
    ORANGE,
    accounts,
    against_swept_key,
    carbon_reduction_exceedance,
    probability_of_frequency,
    reliability_by_winter,
    sobol_indices,
    temperature_along_well,
    unmet_against_severity,
    unmet_heat_by_winter,
)
from study.reading import validate
from study.simulation import CELLS
from study.well import kernel_well, run_well_case

ROOT = Path(__file__).parents[1]
sys.path.append(str(ROOT / "tests"))
import exact  # noqa: E402

DAY = 24 * HOUR


def draw_study(store: str, target: Path) -> None:
    """Carbon reduction and reliability."""
    dataset = study.open_ensemble(store)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    carbon_reduction_exceedance(dataset, left)
    unmet_heat_by_winter(dataset, right)
    _save(figure, target)


def draw_reliability(store: str, target: Path) -> None:
    """How often winters are short, how sure that is, over the wells' life, and what the cold has to do with it."""
    dataset = study.open_ensemble(store)
    figure, ((frequency, cold), (chance, hours)) = plt.subplots(2, 2, figsize=(11, 8.4), layout="constrained")
    probability_of_frequency(dataset, frequency)
    unmet_against_severity(dataset.isel(sample=slice(512)), cold)  # more points would cover the bands
    reliability_by_winter(dataset, chance)
    reliability_by_winter(dataset, hours, "unmet_hours")
    _save(figure, target)


def draw_accounts(store: str, target: Path) -> None:
    """Every account of one ensemble."""
    figure, axes = plt.subplots(figsize=(9, 5), layout="constrained")
    accounts(study.open_ensemble(store), axes)
    _save(figure, target)


def draw_sweep(store: str, target: Path) -> None:
    """Carbon reduction and hours short against the first key of a sweep."""
    dataset = study.open_ensemble(store)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    against_swept_key(dataset, left)
    against_swept_key(dataset, right, "unmet_hours")
    _save(figure, target)


def draw_sensitivity(store: str, target: Path) -> None:
    """What drives the carbon reduction, and the hours short."""
    figure, panels = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
    for drivers, axes in zip(what_drives(store, ["carbon_reduction", "unmet_hours"]).drivers, panels, strict=True):
        sobol_indices(drivers, axes)
    _save(figure, target)


def draw_well(target: Path) -> None:
    """A well of five layers against the exact solution: along the well, and its outlet's error over time."""
    case = YAML(typ="safe").load(ROOT / "tests" / "wells" / "five-layers.yaml")
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.6), layout="constrained")
    depths, marks = np.linspace(0.0, 2600.0, 261), np.linspace(100.0, 2500.0, 13)
    along = case | {"times": ["30 d"]}
    drawn = validate(WellCase, along | {"depths": [f"{depth} m" for depth in depths]}, label="five-layers")
    temperature_along_well(run_well_case(drawn), left)
    points = exact.solve(along, depths=marks.tolist())
    for name in ("annulus_temperature", "inner_temperature"):
        left.plot(
            points[name][0], marks, "o", mfc="none", color="black", ms=5, label="exact" if name[0] == "a" else None
        )
    left.legend(loc="upper right", frameon=False)
    draw_error(case, right)
    _save(figure, target)


def draw_error(case: dict[str, object], axes: Axes) -> None:
    """Error of the outlet temperature over time, of `hotland well` and of a study's cells, modes and steps."""
    hours = np.unique(np.geomspace(1, 30 * 8760, 60).round())
    timed = case | {"times": [f"{hour:.0f} h" for hour in hours]}
    truth = np.array(exact.solve(timed)["outlet_temperature"])
    parsed = validate(WellCase, timed, label="five-layers")
    fine = run_well_case(parsed)["outlet_temperature"].values
    early = hours <= 5 * 8760
    load = {"change": np.zeros(1), "load": np.array([parsed.load.heat_rate]) * 1e3, "fixed_inlet": False}
    coarse = prescribed_load(
        kernel_well(parsed, cells=CELLS),
        **load,
        times=hours[early] * HOUR,
        modes=HOURLY,
        first=HOUR,
        growth=0.0,
        extrapolate=False,
    ).outlet
    axes.loglog(hours[early] / 24, np.abs(coarse - truth[early]), color=ORANGE, label="in a study: hourly steps")
    axes.loglog(hours / 24, np.maximum(np.abs(fine - truth), 1e-7), color=BLUE, label="hotland well")
    axes.step([1, 10, hours[-1] / 24], [0.02, 0.005, 0.005], where="post", color=GREY, ls="--", label="goal")
    axes.set_xlabel("time since circulation began (days)")
    axes.set_ylabel("error of the outlet temperature (K)")
    axes.set_ylim(1e-7, 20)
    axes.legend(frameon=False)


def _save(figure: plt.Figure, target: Path) -> None:
    for axes in figure.axes:
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(target, dpi=110)


def main(store: str = "ensembles/shenyang.zarr", folder: str = "docs", sweep: str = "") -> None:
    draw_study(store, Path(folder) / "shenyang.png")
    draw_reliability(store, Path(folder) / "reliability.png")
    draw_accounts(store, Path(folder) / "accounts.png")
    draw_sensitivity(store, Path(folder) / "sensitivity.png")
    draw_well(Path(folder) / "well.png")
    if sweep:
        draw_sweep(sweep, Path(folder) / "sweep.png")


if __name__ == "__main__":
    main(*sys.argv[1:])
