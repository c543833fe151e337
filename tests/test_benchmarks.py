"""What the benchmark compares computes the same: finite volumes, the exact solution and hotland."""

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.append(str(Path(__file__).parents[1] / "benchmarks"))
from bench import DIRECTIONS, GRIDS, KINDS, chain_difference
from finite_volumes import LARGEST_ERROR, exact_answers, hourly_answers, largest_error
from modes import outlets


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
