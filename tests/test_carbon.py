"""The carbon account against one written out by hand, from kernel to ensemble."""

from pathlib import Path
from typing import Any

import numpy as np

from kernels.carbon import CarbonAccount, by_winter
from study.config import load_study
from study.simulation import simulate

SMOKE = Path(__file__).parents[1] / "configs" / "smoke.yaml"


def test_reduction_is_the_baseline_less_the_rest() -> None:
    account = CarbonAccount(
        baseline=np.array([18e3, 9e3]),
        electricity=np.array([5e3, 4e3]),
        peak_fuel=np.array([100.0, 50.0]),
        refrigerant=np.array([7.0, 8.0]),
        embodied=np.array([400.0, 300.0]),
    )
    np.testing.assert_allclose(account.reduction, [18e3 - 5507.0, 9e3 - 4358.0], rtol=1e-14)


def test_electricity_gets_cleaner_by_a_share_of_what_it_is() -> None:
    factor = by_winter(np.array([0.5, 0.6, 0.4]), np.array([0.1, 0.0, 1.0]), 3)
    np.testing.assert_allclose(factor, [[0.5, 0.6, 0.4], [0.45, 0.6, 0.0], [0.405, 0.6, 0.0]], rtol=1e-14)
    assert by_winter(np.array([0.5]), np.array([0.05]), 30).shape == (30, 1)


def test_account_of_a_study_by_hand() -> None:
    """The smoke study's account from the energies beside it, MWh, with the figures of its file."""
    values: dict[str, Any] = simulate(load_study(SMOKE), np.arange(3)).values
    winter = np.arange(2)
    by_hand = {
        "carbon_baseline": values["heat_delivered"] * 3.6 * 0.11 / 0.94,  # GJ in a MWh, t/GJ, lost in the network
        "carbon_electricity": values["electricity"] * 0.5122 * 0.96**winter,
        "carbon_peak_fuel": np.zeros((3, 2)),  # electric
        "carbon_refrigerant": np.full((3, 2), 600.0 * 0.3 * 0.03 * 1430.0 / 1e3),
        "carbon_embodied": np.full((3, 2), 2.0 * 350.0 / 30.0),
    }
    for name, expected in by_hand.items():
        np.testing.assert_allclose(values[name], expected, rtol=1e-12, err_msg=name)
    baseline, *others = by_hand.values()
    np.testing.assert_allclose(values["carbon_reduction"], baseline - sum(others), rtol=1e-12)
    parts = ("compressor", "circulation", "backup")
    np.testing.assert_allclose(values["electricity"], sum(values[f"electricity_{part}"] for part in parts), rtol=1e-12)
    np.testing.assert_allclose(values["electricity_backup"], values["heat_backup"] / 0.99, rtol=1e-12)
    assert (values["heat_backup"] > 0.0).any()
