"""Random bits against NumPy's generator, and against integers without a bound."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from kernels.philox import high_product, philox, uniform

LARGEST = 2**64 - 1
words = st.one_of(
    st.sampled_from([0, 1, 2**32 - 1, 2**32, 2**63 - 1, 2**63, LARGEST - 1, LARGEST]), st.integers(0, LARGEST)
)


@njit
def block(key, counter, out):  # type: ignore[no-untyped-def]
    """Four words as compiled code gets them."""
    out[:] = philox(key[0], key[1], counter[0], counter[1], counter[2], counter[3])


def numpy_block(key: list[int], counter: list[int]) -> np.ndarray:
    """NumPy's block at that counter: it adds one (with carry through all 256 bits) before it makes a block."""
    before = (sum(word << 64 * place for place, word in enumerate(counter)) - 1) % 2**256
    generator = np.random.Philox(
        key=np.array(key, np.uint64),
        counter=np.array([(before >> 64 * place) & LARGEST for place in range(4)], np.uint64),
    )
    return generator.random_raw(4)


@settings(max_examples=500, deadline=None)
@given(st.lists(words, min_size=2, max_size=2), st.lists(words, min_size=4, max_size=4))
def test_blocks_are_those_of_numpy(key: list[int], counter: list[int]) -> None:
    out = np.empty(4, np.uint64)
    block(np.array(key, np.uint64), np.array(counter, np.uint64), out)
    np.testing.assert_array_equal(out, numpy_block(key, counter))


def test_many_blocks_are_those_of_numpy() -> None:
    draws = np.random.default_rng(1).integers(0, 2**64, (5000, 6), dtype=np.uint64)
    out = np.empty((len(draws), 4), np.uint64)
    for row, draw in zip(out, draws, strict=True):
        block(draw[:2], draw[2:], row)
    expected = [numpy_block([int(w) for w in draw[:2]], [int(w) for w in draw[2:]]) for draw in draws]
    np.testing.assert_array_equal(out, expected)


def test_signed_integers_count_by_their_bits() -> None:
    signed, unsigned = np.empty((2, 4), np.uint64)
    block(np.array([3, -1]), np.array([0, 5, -7, 2**62]), signed)
    block(np.array([3, LARGEST], np.uint64), np.array([0, 5, 2**64 - 7, 2**62], np.uint64), unsigned)
    np.testing.assert_array_equal(signed, unsigned)


def test_a_run_of_blocks_is_numpy_s_stream() -> None:
    out = np.empty((1000, 4), np.uint64)
    for counter, row in enumerate(out, start=1):
        block(np.array([11, 13], np.uint64), np.array([counter, 2, 3, 4], np.uint64), row)
    generator = np.random.Philox(key=np.array([11, 13], np.uint64), counter=np.array([0, 2, 3, 4], np.uint64))
    np.testing.assert_array_equal(out.ravel(), generator.random_raw(4000))


@settings(max_examples=500, deadline=None)
@given(words, words)
def test_high_product_is_that_of_python_integers(a: int, b: int) -> None:
    assert high_product(np.uint64(a), np.uint64(b)) == a * b >> 64


@pytest.mark.parametrize(("word", "expected"), [(0, 2.0**-53), (2**63, 0.5 + 2.0**-53), (LARGEST, 1.0 - 2.0**-53)])
def test_uniform_never_reaches_its_ends(word: int, expected: float) -> None:
    """Middles of 2⁵² equal parts of (0, 1), exact in floating point."""
    assert uniform(np.uint64(word)) == expected
