"""What the benchmark compares computes the same: finite volumes, the exact solution and hotland."""

import sys
from pathlib import Path

import numpy as np
import pytest

from kernels.operation import undisturbed_state

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from bench import DIRECTIONS, GRIDS, KINDS, chain_difference
from finite_volumes import HEAT, LARGEST_ERROR, exact_answers, hourly_answers, largest_error
from modes import constant_heat, constant_load, outlets, wells


@pytest.mark.parametrize("annulus_down", DIRECTIONS)
def test_well_is_that_of_the_exact_solution(annulus_down: bool) -> None:
    direction = {"annulus_down": annulus_down}
    strict, found = exact_answers(**direction), outlets(**direction)
    assert max(np.abs(found[k] - answer).max() for k, answer in strict.items()) < LARGEST_ERROR
    hourly = hourly_answers(**direction)
    for kind, answers in (("plain", strict), ("plain, hourly", hourly), ("tuned", strict)):
        assert largest_error(GRIDS[annulus_down, kind], answers, **direction) < LARGEST_ERROR


@pytest.mark.parametrize("kind", KINDS)
def test_chains_extract_the_same_heat(kind: str) -> None:
    assert 0.0 < chain_difference(GRIDS[True, kind], winters=1, samples=2) < 1e-3


@pytest.mark.parametrize("annulus_down", DIRECTIONS)
def test_well_without_a_plant_is_the_same_well(annulus_down: bool) -> None:
    field, hours = wells(annulus_down=annulus_down), 24 * 30
    season = constant_load(field, hours=hours)(undisturbed_state(field))  # the inlet falls from hour to hour
    np.testing.assert_allclose(
        constant_heat(field, hours=hours), season.inlet_min + HEAT / field.flow, rtol=0, atol=1e-6
    )
