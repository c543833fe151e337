"""Sparse polynomial chaos of rows that are there already: which polynomials of the inputs make up an output.

Each input has polynomials that are orthonormal over its own sample (arbitrary chaos: Oladyshkin and Nowak 2012, Reliab.
Eng. Syst. Saf. 106:179), so that its distribution need not be known; products of them are the terms. Least angle
regression (Efron et al. 2004, Ann. Stat. 32:407; `sklearn.linear_model.lars_path_gram`) puts the terms in order, least
squares on the first k of them gives the coefficients (hybrid LARS: Blatman and Sudret 2011, J. Comput. Phys. 230:2345),
and replicates that were held out say how many to keep, and how well that does.

OpenTURNS has the same method (`FunctionalChaosAlgorithm`), validated on rows left out singly or in random folds. Rows
of one scrambled sequence are no independent draws, so whole replicates are held out here, and all is made from the
moments of each replicate, in blocks of rows.
"""

import itertools
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, cholesky, solve_triangular
from scipy.special import ndtri
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import lars_path_gram

Array = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST_TERMS = 400  # to choose among
MOST_CHOSEN = 100
HIGHEST_DEGREE = 12
ROWS_PER_TERM = 2
FOLDS = 8
NORMAL = np.linspace(-7.5, 7.5, 2**15)  # stands, with `WEIGHTS`, for the standard normal distribution
WEIGHTS = np.exp(-0.5 * NORMAL**2) / np.exp(-0.5 * NORMAL**2).sum()
_BLOCK = 16384


@dataclass(frozen=True)
class Polynomials:
    """Polynomials orthonormal over a sample, by their three-term recurrence (Gautschi 2004, section 2.2.3.1)."""

    centre: Array
    norm: Array

    @classmethod
    def of(cls, values: Array, degree: int, weights: Array | None = None) -> "Polynomials":
        """Discretised Stieltjes procedure; as many as the distinct values allow, `degree` at most."""
        weights = np.full(len(values), 1 / len(values)) if weights is None else weights
        degree = min(degree, len(np.unique(values)) - 1)
        centre, norm = np.empty(degree), np.empty(degree)
        before, now = np.zeros_like(values), np.ones_like(values)
        last = 0.0
        for k in range(degree):
            centre[k] = (weights * values * now**2).sum()  # no dot product: BLAS's threads take longer to wake
            following = (values - centre[k]) * now - last * before
            norm[k] = last = float(np.sqrt((weights * following**2).sum()))
            before, now = now, following / last
        return cls(centre, norm)

    @classmethod
    def hermite(cls, degree: int) -> "Polynomials":
        """Those of the standard normal distribution."""
        return cls(np.zeros(degree), np.sqrt(np.arange(1.0, degree + 1)))

    @property
    def degree(self) -> int:
        return len(self.norm)

    def stable(self, extremes: Array, rows: int) -> "Polynomials":
        """Up to the degree that so many rows can fix, by the sum of squares where it is largest (Cohen et al. 2013)."""
        size = np.cumsum(self(extremes) ** 2, axis=0).max(axis=1)
        degree = max(1, int((size <= rows).sum()) - 1)
        return Polynomials(self.centre[:degree], self.norm[:degree])

    def __call__(self, values: Array) -> Array:
        """Shape (degree + 1, row); the first is 1."""
        out = np.ones((self.degree + 1, len(values)))
        for k in range(self.degree):
            out[k + 1] = (values - self.centre[k]) * out[k]
            if k:
                out[k + 1] -= self.norm[k - 1] * out[k - 1]
            out[k + 1] /= self.norm[k]
        return out


@dataclass(frozen=True)
class Chaos:
    """Terms, their coefficients, those with each replicate left out, and the error that is left.

    Attributes
    ----------
    terms
        (term, input): degree in each input; the constant is not among them.
    coefficients
        (term,).
    without
        (replicate, term): coefficients with one replicate left out, of polynomials that are orthonormal without it.
    residual
        Mean squared error of replicates held out.
    residual_without
        (replicate,): the same with one replicate left out.
    """

    terms: Integers
    coefficients: Array
    without: Array
    residual: float
    residual_without: Array


def candidates(degrees: Integers, norm: float, highest: int) -> Integers:
    """Terms whose degrees have a `norm`-quasi-norm of `highest` at most: hyperbolic truncation (Blatman, Sudret 2011).

    Parameters
    ----------
    degrees
        (input,): the highest that each input allows.

    Returns
    -------
    (term, input), without the constant.
    """
    found = []
    power = highest**norm + 1e-9
    for order in range(1, len(degrees) + 1):
        if order > power:
            break
        some = []
        for chosen in itertools.combinations(range(len(degrees)), order):
            limits = [range(1, min(int(degrees[i]), highest) + 1) for i in chosen]
            for each in itertools.product(*limits):
                if sum(k**norm for k in each) <= power:
                    term = np.zeros(len(degrees), int)
                    term[list(chosen)] = each
                    some.append(term)
        if not some:
            break
        found += some
    return np.array(found, int).reshape(-1, len(degrees))


class Design:
    """Values of the inputs, their polynomials, and the candidate terms, shared by all outputs.

    Parameters
    ----------
    variates
        (row, input), independent of each other.
    replicate
        (row,): 0, 1, ...
    references
        For each input, values at normal scores `NORMAL`, of its distribution; None for those of the sample.
    known
        For each input, whether they are known to be its distribution, rather than estimated from the sample.
    degree
        Highest degree of a term in one input; by default as high as `MOST_TERMS` and the rows allow.
    """

    def __init__(
        self,
        variates: Array,
        replicate: Integers,
        references: list[Array | None],
        known: list[bool],
        degree: int | None = None,
    ) -> None:
        self.variates, self.replicate = variates, replicate
        self.polynomials = []
        for column, reference in zip(variates.T, references, strict=True):
            if reference is None:
                polynomials, tails = Polynomials.of(column, degree or HIGHEST_DEGREE), column[:0]
            else:
                polynomials = Polynomials.of(reference, degree or HIGHEST_DEGREE, WEIGHTS)
                if reference is NORMAL:
                    polynomials = Polynomials.hermite(degree or HIGHEST_DEGREE)
                tails = np.interp(ndtri([1 / (8 * len(column)), 1 - 1 / (8 * len(column))]), NORMAL, reference)
            extremes = np.array([*tails, column.min(), column.max()])
            self.polynomials.append(polynomials.stable(extremes, len(column)))
        self.factors = [
            None if sure else self._factors(p, column)
            for p, column, sure in zip(self.polynomials, variates.T, known, strict=True)
        ]
        self.degrees = np.array([p.degree for p in self.polynomials])
        kept = len(variates) * (1.0 - 1.0 / min(FOLDS, int(replicate.max()) + 1))
        self.most = max(1, min(MOST_TERMS, int(kept / ROWS_PER_TERM)))

    def _factors(self, polynomial: Polynomials, values: Array) -> Array:
        """(replicate, degree, degree): polynomials in terms of those orthonormal without a replicate, p = L q."""
        count = int(self.replicate.max()) + 1
        p = polynomial(values)
        each = np.stack([p[:, self.replicate == r] @ p[:, self.replicate == r].T for r in range(count)])
        rows = np.bincount(self.replicate)
        mean = (each.sum(axis=0) - each) / (rows.sum() - rows)[:, None, None]
        return np.asarray(np.linalg.cholesky(mean + 1e-12 * np.eye(len(p))))

    def changed(self, terms: Integers, wider: Integers, r: int) -> Array:
        """(wider, term): terms in terms of those orthonormal over the inputs without replicate r."""
        out = np.ones((len(wider), len(terms)))
        for i, factors in enumerate(self.factors):
            one = np.eye(self.degrees[i] + 1) if factors is None else factors[r]
            out *= one[terms[None, :, i], wider[:, None, i]]
        return out

    def sets(self, degree: int | None) -> list[Integers]:
        """Sets of candidate terms to choose among: few interactions of high degree, and many of low degree."""
        found: list[Integers] = []
        for norm in (0.5, 0.75, 1.0):
            best = None
            for highest in range(1, (degree or HIGHEST_DEGREE) + 1):
                terms = candidates(self.degrees, norm, highest)
                if len(terms) > self.most and best is not None:
                    break
                best = terms
            assert best is not None
            if len(best) <= max(self.most, len(self.degrees)) and not any(np.array_equal(best, x) for x in found):
                found.append(best)
        return found

    def evaluate(self, terms: Integers, rows: slice) -> Array:
        """(row, term)."""
        return evaluate(self.polynomials, terms, self.variates[rows])


def evaluate(polynomials: list[Polynomials], terms: Integers, variates: Array) -> Array:
    """Terms at points: (row, term) of (row, input)."""
    out = np.ones((len(variates), len(terms)))
    for i, polynomial in enumerate(polynomials):
        if (used := terms[:, i] > 0).any():
            values = polynomial(variates[:, i])
            out[:, used] *= values[terms[used, i]].T
    return out


@dataclass(frozen=True)
class Moments:
    """Sums over the rows of each replicate of products of terms (the first is the constant) and of an output."""

    terms: Integers
    products: Array  # (replicate, term, term)
    with_output: Array  # (replicate, term, output)
    squares: Array  # (replicate, output)
    rows: Array  # (replicate,)


def moments(design: Design, terms: Integers, outputs: Array) -> Moments:
    """Of outputs (row, output), in blocks of rows."""
    count = int(design.replicate.max()) + 1
    p = len(terms) + 1
    products, with_output = np.zeros((count, p, p)), np.zeros((count, p, outputs.shape[1]))
    squares, rows = np.zeros((count, outputs.shape[1])), np.zeros(count)
    for start in range(0, len(outputs), _BLOCK):
        block = slice(start, start + _BLOCK)
        values = np.column_stack([np.ones(len(outputs[block])), design.evaluate(terms, block)])
        for r in range(count):
            of = design.replicate[block] == r
            x, y = values[of], outputs[block][of]
            products[r] += x.T @ x
            with_output[r] += x.T @ y
            squares[r] += (y**2).sum(axis=0)
            rows[r] += of.sum()
    return Moments(terms, products, with_output, squares, rows)


def fit(design: Design, sets: list[Moments], output: int) -> Chaos | None:
    """Sparse chaos of one output, from the set of candidates that does best on held-out replicates.

    Returns
    -------
    None where the output does not vary.
    """
    first = sets[0]
    count = len(first.rows)
    total = first.rows.sum()
    mean = first.with_output[:, 0, output].sum() / total
    variance = first.squares[:, output].sum() / total - mean**2
    if not variance > 1e-14 * (abs(mean) + 1e-300) ** 2:
        return None
    folds = np.arange(count) % min(FOLDS, count)
    best = None
    for each in sets:
        errors = _held_out(each, output, folds)  # (size, replicate): sums of squares
        size = int(np.argmin(errors.sum(axis=1)))
        if best is None or errors[size].sum() < best[0]:
            best = errors[size].sum(), size, each, errors[size]
    assert best is not None
    _, size, chosen, error = best
    G, b = chosen.products.sum(axis=0), chosen.with_output[:, :, output].sum(axis=0)
    order = _order(G, b, total, size)
    active = np.concatenate([[0], order[:size] + 1]).astype(int)
    coefficients = _solve(G, b, active)[1:]
    without = np.array(
        [_solve(G - chosen.products[r], b - chosen.with_output[r, :, output], active)[1:] for r in range(count)]
    ).reshape(count, -1)
    terms = chosen.terms[active[1:] - 1]
    wider = _closure(terms)
    return Chaos(
        wider,
        (wider[:, None] == terms[None]).all(axis=2) @ coefficients,
        np.array([design.changed(terms, wider, r) @ without[r] for r in range(count)]),
        max(0.0, float(error.sum() / total)),
        np.maximum(0.0, (error.sum() - error) / (total - first.rows)),
    )


def _closure(terms: Integers) -> Integers:
    """Terms and all that divide them, without the constant."""
    found = {each for term in terms for each in itertools.product(*(range(k + 1) for k in term.tolist())) if any(each)}
    return np.array(sorted(found), int).reshape(-1, terms.shape[1])


def _order(G: Array, b: Array, rows: float, most: int) -> Integers:
    """Terms in the order of least angle regression, after the constant, standardised."""
    if most == 0:
        return np.array([], int)
    centred = G[1:, 1:] - np.outer(G[1:, 0], G[0, 1:]) / rows
    cross = b[1:] - G[1:, 0] * b[0] / rows
    scale = np.sqrt(np.maximum(np.diag(centred), 1e-300))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # terms that others span are dropped, as they should be
        _, active, _ = lars_path_gram(
            cross / scale, centred / np.outer(scale, scale), n_samples=int(rows), max_iter=most, method="lar"
        )
    return np.array(active, int)


def _solve(G: Array, b: Array, active: Integers) -> Array:
    part = G[np.ix_(active, active)]
    return np.asarray(cho_solve(cho_factor(part + 1e-12 * np.diag(np.diag(part))), b[active]))


def _held_out(each: Moments, output: int, folds: Integers) -> Array:
    """Squared errors, (size, replicate), of least squares on the first terms, fitted without a replicate's fold."""
    G, b = each.products.sum(axis=0), each.with_output[:, :, output].sum(axis=0)
    p = len(G) - 1
    out = None
    for fold in np.unique(folds):
        held = np.flatnonzero(folds == fold)
        Gf, bf = G - each.products[held].sum(axis=0), b - each.with_output[held, :, output].sum(axis=0)
        rows = each.rows.sum() - each.rows[held].sum()
        most = min(p, MOST_CHOSEN, max(1, int(rows / ROWS_PER_TERM)))
        active = np.concatenate([[0], _order(Gf, bf, rows, most) + 1]).astype(int)
        if out is None:
            out = np.full((p + 1, len(folds)), np.inf)
        part = Gf[np.ix_(active, active)]
        L = cholesky(part + 1e-12 * np.diag(np.diag(part)), lower=True)
        z = solve_triangular(L, bf[active], lower=True)
        # column k: coefficients of least squares on the first k + 1 terms
        beta = solve_triangular(L.T, np.triu(np.tile(z[:, None], len(z))), lower=False)
        for r in held:
            Gr, br = each.products[r][np.ix_(active, active)], each.with_output[r, active, output]
            out[: len(active), r] = each.squares[r, output] - 2 * br @ beta + np.einsum("ik,ik->k", beta, Gr @ beta)
    assert out is not None
    return out
