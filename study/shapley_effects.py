"""Shapley effects of a polynomial chaos, exactly, over all subsets of its inputs, correlated ones included."""

import itertools
from collections.abc import Callable
from functools import cache
from math import factorial, prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.fitted_chaos import Rows

Array = NDArray[np.float64]
Integers = NDArray[np.int64]


def shapley_values(worth: Callable[[tuple[int, ...]], Any], count: int) -> Any:
    """Shapley values (Shapley 1953) of a game of `count` players: weighted mean gains over all subsets."""
    worths = {u: worth(u) for size in range(count + 1) for u in itertools.combinations(range(count), size)}
    values = []
    for j in range(count):
        gain: Any = 0.0
        for u, less in worths.items():
            if j not in u:
                weight = factorial(len(u)) * factorial(count - len(u) - 1) / factorial(count)
                gain = gain + weight * (worths[tuple(sorted((*u, j)))] - less)
        values.append(gain)
    return np.array(values)


def quadratic_forms(terms: Integers, players: list[list[int]], ensemble: Rows) -> list[Array]:
    """Quadratic forms of the coefficients that give the Shapley effects of players, times the variance.

    The variance that inputs u explain is Σ c_a c_b E(E(Ψ_a | u) E(Ψ_b | u)). For independent inputs the mean is 1 where
    a = b is within u, else 0; for correlated ones it is that of `_shared_means`.
    """
    names = ensemble.names
    dependent = [names.index(x) for each in ensemble.sets for x in each]
    alone = [i for i in range(len(names)) if i not in dependent]
    parts, inverse = np.unique(terms[:, dependent], axis=0, return_inverse=True)
    inverse = inverse.reshape(-1)
    shared: dict[tuple[int, ...], Array] = {}

    def means(u: tuple[int, ...]) -> Array:
        if u not in shared:
            shared[u] = _shared_means(parts, dependent, u, ensemble)
        return shared[u]

    forms = [np.zeros((len(terms), len(terms))) for _ in players]
    classes, which = np.unique(terms[:, alone], axis=0, return_inverse=True)
    which = which.reshape(-1)
    supports: dict[tuple[int, ...], list[Integers]] = {}
    for c in range(len(classes)):
        support = tuple(alone[i] for i in np.flatnonzero(classes[c]))
        supports.setdefault(support, []).append(np.flatnonzero(which == c))
    for support, members in supports.items():
        touches = any(parts[inverse[m]].any() for m in members)
        carriers = [j for j, p in enumerate(players) if set(p) & {*support, *(dependent if touches else [])}]

        def worth(
            u: tuple[int, ...],
            support: tuple[int, ...] = support,
            members: list[Integers] = members,
            carriers: list[int] = carriers,
        ) -> Array:
            known = {i for j in u for i in players[carriers[j]]}
            form = np.zeros((len(terms), len(terms)))
            if set(support) <= known:
                K = means(tuple(i for i in dependent if i in known))
                for m in members:
                    form[np.ix_(m, m)] = K[np.ix_(inverse[m], inverse[m])]
            return form

        for j, form in zip(carriers, shapley_values(worth, len(carriers)), strict=True):
            forms[j] += form
    return forms


def _shared_means(parts: Integers, dependent: list[int], known: tuple[int, ...], ensemble: Rows) -> Array:
    """E(E(Ψ_a | known) E(Ψ_b | known)) of Hermite polynomials of correlated inputs, exactly.

    It is E(Ψ_a(ζ) Ψ_b(ζ')) of two Gaussian points that share what is known and are otherwise independent; with
    C = E(ζ ζ'ᵀ) it follows by taking one factor after the other (Isserlis 1918, Biometrika 12:134).
    """
    C = np.zeros((len(dependent), len(dependent)))
    at = 0
    for each in ensemble.sets:
        factor = ensemble.factor(each)
        P = factor @ factor.T
        u = [j for j, name in enumerate(each) if ensemble.names.index(name) in known]
        if u:
            both = P[:, u] @ np.linalg.solve(P[np.ix_(u, u)], P[u])
            here = slice(at, at + len(each))
            C[here, here] = np.linalg.solve(factor, np.linalg.solve(factor, both).T)
        at += len(each)

    @cache
    def mean(a: tuple[int, ...], b: tuple[int, ...]) -> float:
        if sum(a) != sum(b):
            return 0.0
        if not any(a):
            return 1.0
        i = next(i for i, k in enumerate(a) if k)
        less = (*a[:i], a[i] - 1, *a[i + 1 :])
        return sum(
            k * C[i, j] * mean(less, (*b[:j], k - 1, *b[j + 1 :])) for j, k in enumerate(b) if k and C[i, j] != 0
        )

    rows = [tuple(row) for row in parts.tolist()]
    norms = np.array([prod(map(factorial, row)) for row in rows], float) ** 0.5
    return np.array([[mean(a, b) for b in rows] for a in rows]).reshape(len(rows), -1) / np.outer(norms, norms)
