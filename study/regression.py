"""Means, and chances of an event, given what was measured: regressions whose answers are those of rows left out.

The regression is a ridge on splines, whose penalty generalised cross-validation chooses (Golub, Heath and Wahba 1979,
Technometrics 21:215).
"""

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import PolynomialFeatures, SplineTransformer, StandardScaler

from study.intervals import Array

KNOTS = 6
MOST_JOINT = 16
"""Inputs of a group above which their products two by two are left out of the regression."""
PENALTIES = np.logspace(-3, 6, 19)
"""Of the ridge regressions, for terms of unit variance."""
_SLOPES = 100.0  # variance of the prior of the logistic regressions' slopes: it only keeps them finite


def regressors(values: Array) -> Array:
    """What a mean is made of: cubic splines of each input and products of two of them, scaled, (row, term).

    Parameters
    ----------
    values
        (input, row).
    """
    parts = []
    for each in values:
        knots = np.unique(np.quantile(each, np.linspace(0.0, 1.0, KNOTS)))
        if len(knots) < 2:
            continue
        degree = min(3, len(np.unique(each)) - 1)
        spline = SplineTransformer(degree=degree, knots=knots[:, None], include_bias=False)
        parts.append(spline.fit_transform(each[:, None]))
    if 1 < len(parts) <= MOST_JOINT:
        scaled = StandardScaler().fit_transform(values.T)
        both = PolynomialFeatures(2, interaction_only=True, include_bias=False).fit_transform(scaled)
        parts.append(both[:, len(values) :])
    if not parts:
        return np.zeros((values.shape[1], 1))
    return np.asarray(StandardScaler().fit_transform(np.concatenate(parts, axis=1)))


def fitted(values: Array, basis: Array, folds: NDArray[np.int64]) -> Array:
    """Means of some values given what was measured, by ridge regressions on the other folds.

    Parameters
    ----------
    values
        (row, value).
    basis
        As of `regressors`, for each draw of the errors, (draw, row, term).
    folds
        (row,).

    Returns
    -------
    (draw, row, value).
    """
    places = [np.flatnonzero(folds == fold) for fold in np.unique(folds)]
    sums = [_sums(values[each], basis[:, each]) for each in places]
    whole = [sum(parts) for parts in zip(*sums, strict=True)]
    found = np.empty((len(basis), *values.shape))
    for out, own in zip(places, sums, strict=True):
        constant, slopes = _ridge(*(of_all - part for of_all, part in zip(whole, own, strict=True)))
        found[:, out] = constant + basis[:, out] @ slopes
    return found


def _sums(values: Array, basis: Array) -> tuple[float, Array, Array, Array, Array, Array]:
    """Over rows, of the mean of the draws: number, terms, values, and the products of those."""
    terms = basis.reshape(-1, basis.shape[2])
    product = basis.mean(axis=0).T @ values
    squares = (values**2).sum(axis=0)
    return (
        len(values),
        basis.mean(axis=0).sum(axis=0),
        values.sum(axis=0),
        terms.T @ terms / len(basis),
        product,
        squares,
    )


def _ridge(
    rows: float, terms: Array, values: Array, squares: Array, products: Array, values_squared: Array
) -> tuple[Array, Array]:
    """Constants, (value,), and slopes, (term, value), of least generalised cross-validation."""
    centre, mean_ = terms / rows, values / rows
    size, axes = np.linalg.eigh(squares - rows * np.outer(centre, centre))
    size = np.maximum(size, 0.0)
    along = axes.T @ (products - rows * np.outer(centre, mean_))
    shrunk = 1.0 / (size + PENALTIES[:, None])  # (penalty, term)
    left = (values_squared - rows * mean_**2) - ((size + 2 * PENALTIES[:, None]) * shrunk**2) @ along**2
    score = left / (rows - 1.0 - (size * shrunk).sum(axis=1)[:, None]) ** 2  # (penalty, value)
    slopes = axes @ (along * shrunk[score.argmin(axis=0)].T)
    return mean_ - centre @ slopes, slopes


def chances(event: NDArray[np.bool_], guess: Array, folds: NDArray[np.int64]) -> Array:
    """Probability of an event given what was measured, (draw, row), by logistic regressions on the other folds.

    On the output's mean given the measurement and its square: an event of few rows would not bear more terms.

    Parameters
    ----------
    event
        (row,).
    guess
        Mean of the output, as of `fitted`, in standard deviations of the output above its mean, (draw, row).
    """
    terms = np.stack([guess, guess**2], axis=-1)
    found = np.empty(guess.shape)
    for fold in np.unique(folds):
        out = folds == fold
        learnt = np.tile(event[~out], len(guess))
        if learnt.all() or not learnt.any():
            found[:, out] = learnt[0]
            continue
        model = LogisticRegression(C=_SLOPES, solver="newton-cholesky").fit(terms[:, ~out].reshape(-1, 2), learnt)
        found[:, out] = model.predict_proba(terms[:, out].reshape(-1, 2))[:, 1].reshape(len(guess), -1)
    return found
