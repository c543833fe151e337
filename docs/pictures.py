"""Draw the README's picture from an ensemble: `python docs/pictures.py [STORE] [FILE]`."""

import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import study
from study.figures import carbon_reduction_exceedance, unmet_heat_by_winter


def main(store: str = "ensembles/shenyang.zarr", target: str = "docs/shenyang.png") -> None:
    dataset = study.open_ensemble(store)
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2), layout="constrained")
    carbon_reduction_exceedance(dataset, left)
    unmet_heat_by_winter(dataset, right)
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(target, dpi=110)


if __name__ == "__main__":
    main(*sys.argv[1:])
