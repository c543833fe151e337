"""Rank correlations: which can hold together, and that the sample has those asked for."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from study.config import Study, load_study
from study.correlation import (
    allowed,
    cholesky,
    correlation_problem,
    normal_correlation,
    possible,
    rank_correlation,
)
from study.sampling import sample_inputs
from tests.conftest import variant

SMOKE = load_study(Path(__file__).parent.parent / "configs" / "smoke.yaml")
FIRST, SECOND = "rock.layers.0.conductivity", "rock.layers.1.conductivity"


def pair(first: str, second: str, wanted: float) -> dict[str, object]:
    return {"inputs": [first, second], "rank_correlation": wanted}


def layers(wanted: float, design: str) -> Study:
    """Two layers' conductivities, of marginals that are far from normal."""
    skew = {"distribution": "lognormal", "mean": "2 W/m/K", "standard_deviation": "1 W/m/K"}
    peaked = {"distribution": "triangular", "minimum": "1 W/m/K", "mode": "1.1 W/m/K", "maximum": "4 W/m/K"}
    changes = {FIRST: skew, SECOND: peaked, "correlations": [pair(FIRST, SECOND, wanted)], "design": design}
    return variant(SMOKE, changes)


@pytest.mark.parametrize("design", ["sobol", "latin_hypercube", "monte_carlo"])
@pytest.mark.parametrize("wanted", [-0.999, -0.95, -0.3, 0.7, 0.95, 0.999])
def test_layers_have_the_rank_correlation_asked_for(wanted: float, design: str) -> None:
    """Fisher's transform of Spearman's coefficient has the variance (1 + r²/2)/(n - 3), Bonett and Wright 2000."""
    n = 2**13
    values = sample_inputs(layers(wanted, design), np.arange(n))
    reached = stats.spearmanr(values[FIRST], values[SECOND]).statistic
    error = np.arctanh(reached) - np.arctanh(wanted)
    assert abs(error) < 4 * np.sqrt((1 + wanted**2 / 2) / (n - 3))
    for key in (FIRST, SECOND):  # the marginals stay what they are
        item = layers(wanted, design).inputs[key]
        assert stats.ks_1samp(values[key], lambda x, item=item: _cdf(item, x)).pvalue > 1e-4


def _cdf(item: object, x: np.ndarray) -> np.ndarray:
    u = np.linspace(1e-6, 1 - 1e-6, 200_001)
    return np.interp(x, item.quantile(u), u)  # type: ignore[attr-defined]


def test_conversions_undo_each_other() -> None:
    rank = np.linspace(-1, 1, 21)
    np.testing.assert_allclose([rank_correlation(normal_correlation(r)) for r in rank], rank, atol=1e-12)
    assert normal_correlation(1.0) == pytest.approx(1.0, abs=1e-15)


CHAIN = {("a", "b"): 0.9, ("b", "c"): 0.9, ("a", "c"): -0.9}


def test_the_pairs_that_break_a_matrix_are_named_with_what_is_allowed() -> None:
    problem = correlation_problem(CHAIN)
    assert problem is not None
    for names, had in CHAIN.items():
        assert f"[{names[0]}, {names[1]}] has {had:g}, the others allow " in problem
    assert "[a, c] has -0.9, the others allow 0.64 to 0.99" in problem
    assert correlation_problem({**CHAIN, ("a", "c"): 0.64}) is None
    assert correlation_problem({**CHAIN, ("a", "c"): 0.62}) is not None


def test_a_pair_that_is_not_given_can_be_what_is_missing() -> None:
    problem = correlation_problem({("a", "b"): 0.9, ("b", "c"): 0.9, ("d", "e"): 0.5})
    assert problem is not None
    assert "[a, c] is not given, the others allow 0.64 to 0.99" in problem
    assert "[d" not in problem
    assert "e]" not in problem


def test_a_whole_correlation_is_refused_with_a_way_out() -> None:
    problem = correlation_problem({("a", "b"): 0.5, ("a", "c"): -1.0})
    assert problem is not None
    assert "a and c have -1; allowed: between -1 and 1 (or write one as an expression)" in problem


def test_where_no_single_pair_helps_the_first_that_does_not_fit_is_named() -> None:
    two = {**CHAIN, ("a", "d"): 0.9, ("b", "d"): -0.9}
    problem = correlation_problem(two)
    assert problem is not None
    assert "[b, c] has 0.9, those before it allow -0.4 to 0.4" in problem


def random_matrix(seed: int, size: int) -> np.ndarray:
    wide = np.random.default_rng(seed).normal(size=(size, size + 1))
    covariance = wide @ wide.T
    scale = np.sqrt(np.diag(covariance))
    return covariance / scale / scale[:, None]


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6))
def test_a_pair_is_allowed_what_keeps_the_matrix_positive_definite_and_no_more(seed: int, size: int) -> None:
    matrix = random_matrix(seed, size)
    for i, j in itertools.combinations(range(size), 2):
        bounds = allowed(matrix, i, j)
        if bounds is None:
            continue  # so little is left that rounding takes it
        for bound, outwards in zip(bounds, (-0.021, 0.021), strict=True):
            for rank, expected in ((bound, True), (bound + outwards, False)):
                changed = matrix.copy()
                changed[i, j] = changed[j, i] = normal_correlation(rank)
                if abs(rank) <= 1:
                    assert possible(changed) is expected


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.tuples(st.sampled_from("abcde"), st.sampled_from("abcde")), st.floats(-1, 1), max_size=8))
def test_a_matrix_is_possible_or_its_problem_has_words(given_pairs: dict[tuple[str, str], float]) -> None:
    pairs = {names: rank for names, rank in given_pairs.items() if names[0] < names[1]}
    problem = correlation_problem(pairs)
    keys = sorted({key for names in pairs for key in names})
    matrix = np.eye(len(keys))
    for (first, second), rank in pairs.items():
        i, j = keys.index(first), keys.index(second)
        matrix[i, j] = matrix[j, i] = normal_correlation(rank)
    assert (problem is None) is possible(matrix)
    assert problem is None or any(first in problem and second in problem for first, second in pairs)


def test_sets_of_keys_are_factored_apart() -> None:
    alone = random_matrix(3, 5)
    whole = np.eye(9)
    mine = [0, 2, 3, 6, 8]
    others = [1, 4, 5, 7]
    whole[np.ix_(mine, mine)] = alone
    whole[np.ix_(others, others)] = random_matrix(4, 4)
    factor = cholesky(whole)
    np.testing.assert_allclose(factor @ factor.T, whole, atol=1e-14)
    np.testing.assert_array_equal(factor[np.ix_(mine, mine)], np.linalg.cholesky(alone))
    np.testing.assert_array_equal(np.triu(factor, 1), 0)
