"""Philox4x64-10, random bits as a function of a key and a counter, for compiled code.

Salmon, Moraes, Dror and Shaw (2011), Parallel random numbers: as easy as 1, 2, 3, SC '11, §3.3; constants of their
Random123 library.
"""

import numpy as np
from numba import njit

ROUNDS = 10
MULTIPLIER_0, MULTIPLIER_1 = np.uint64(0xD2E7470EE14C6C93), np.uint64(0xCA5A826395121157)
WEYL_0, WEYL_1 = np.uint64(0x9E3779B97F4A7C15), np.uint64(0xBB67AE8584CAA73B)  # golden ratio and √3 − 1, times 2⁶⁴
HALF, LOW = np.uint64(32), np.uint64(0xFFFFFFFF)
SPARE = np.uint64(12)


@njit(cache=True, error_model="numpy")
def high_product(a, b):  # type: ignore[no-untyped-def]
    """Upper 64 of the 128 bits of a · b, both uint64, by products of their halves."""
    low_a, high_a = a & LOW, a >> HALF
    low_b, high_b = b & LOW, b >> HALF
    middle = high_a * low_b + ((low_a * low_b) >> HALF)
    rest = low_a * high_b + (middle & LOW)
    return high_a * high_b + (middle >> HALF) + (rest >> HALF)


@njit(cache=True, error_model="numpy")
def philox(key_0, key_1, c_0, c_1, c_2, c_3):  # type: ignore[no-untyped-def]
    """The block of four random words at a counter, as Random123's `philox4x64` gives it.

    `numpy.random.Philox` adds one to its counter before each block: its first block is this function's at the counter
    after the one it was given.

    Parameters
    ----------
    key_0, key_1
        Key, 64-bit integers.
    c_0, c_1, c_2, c_3
        Counter, 64-bit integers, the lowest first. Signed ones count by their bits.

    Returns
    -------
    Four uint64.
    """
    key_0, key_1 = np.uint64(key_0), np.uint64(key_1)
    c_0, c_1, c_2, c_3 = np.uint64(c_0), np.uint64(c_1), np.uint64(c_2), np.uint64(c_3)
    for _ in range(ROUNDS):
        high_0, high_1 = high_product(MULTIPLIER_0, c_0), high_product(MULTIPLIER_1, c_2)
        c_0, c_1, c_2, c_3 = high_1 ^ c_1 ^ key_0, MULTIPLIER_1 * c_2, high_0 ^ c_3 ^ key_1, MULTIPLIER_0 * c_0
        key_0 += WEYL_0
        key_1 += WEYL_1
    return c_0, c_1, c_2, c_3


@njit(cache=True, error_model="numpy")
def uniform(word):  # type: ignore[no-untyped-def]
    """A number of (0, 1) from the upper 52 bits of a uint64: the middle of one of 2⁵² equal parts, never 0 or 1."""
    return ((word >> SPARE) + 0.5) * 2.0**-52
