"""How likely readings are in each sample: the errors of readings and model, and the misfit."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cholesky, solve_triangular
from scipy.spatial import KDTree

from study.intervals import Array
from study.readings import Readings

MOST_NEAREST = 1000
"""Samples whose nearest others are looked for."""


@dataclass(frozen=True)
class ReadingError:
    """How readings differ from what the wells of the true sample would show, standard deviations in K.

    Attributes
    ----------
    sensor
        Of a day's reading, each day by itself, and once more of each sensor's constant offset.
    bias
        Of the model in a whole season: one number for all its days, so that many days do not make it smaller.
    drift, days
        Of the model from day to day, which dies away with exp(-Δt/days), d.
    daily
        Of the model on each day by itself, both temperatures alike: a day's heat comes in another shape than evenly
        (`study.readings.STEPS`).

    The defaults are assumptions: a resistance thermometer in a pocket, and a model of alike wells in layered rock.
    """

    sensor: float = 0.1
    bias: float = 0.3
    drift: float = 0.2
    days: float = 10.0
    daily: float = 0.15

    def covariance(self, time: Array, season: NDArray[np.int64], sensor: NDArray[np.int64]) -> Array:
        """Covariance of the differences, K², (reading, reading).

        Parameters
        ----------
        time, season, sensor
            Of each reading: d, and the numbers of its season and its sensor, (reading,).
        """
        apart = np.abs(time[:, None] - time)
        model = self.bias**2 * (season[:, None] == season) + self.drift**2 * np.exp(-apart / self.days)
        model += self.daily**2 * (apart == 0.0)
        return np.asarray(model + self.sensor**2 * (np.eye(len(time)) + (sensor[:, None] == sensor)))


def likelihood_of(readings: Readings, predicted: Mapping[str, Array], error: ReadingError) -> tuple[Array, Array, int]:
    """Log-likelihood and misfit of samples, (row,), and how many readings were compared.

    Driven with heat, both temperatures are compared, where they were read; driven with the inlet's, the outlet's.
    """
    observed, model, covariance = _compared(readings, predicted, error)
    return *log_likelihood(observed, model, covariance), len(observed)


def gap_of(readings: Readings, predicted: Mapping[str, Array], error: ReadingError) -> float:
    """How far a sample may be from all others: the largest distance to the nearest, as √χ² between what they predict.

    Of `MOST_NEAREST` samples; inf of a single one. Readings of a truth that lies among samples are no further from the
    nearest of them than this and their own errors together (the triangle inequality).
    """
    _, model, covariance = _compared(readings, predicted, error)
    white = solve_triangular(cholesky(covariance, lower=True), model.T, lower=True).T
    return float(KDTree(white).query(white[:MOST_NEAREST], k=2)[0][:, 1].max())


def _compared(readings: Readings, predicted: Mapping[str, Array], error: ReadingError) -> tuple[Array, Array, Array]:
    """What was read, (reading,), and predicted, (row, reading), and the covariance of their differences."""
    compared = {"outlet_temperature": readings.outlet}
    if readings.driver == "heat":
        compared["inlet_temperature"] = readings.inlet
    there = [np.flatnonzero(np.isfinite(values)) for values in compared.values()]
    observed = np.concatenate([values[at] for values, at in zip(compared.values(), there, strict=True)])
    model = np.concatenate([predicted[name][:, at] for name, at in zip(compared, there, strict=True)], axis=1)
    at = np.concatenate(there)
    sensor = np.repeat(np.arange(len(there)), [len(each) for each in there])
    time = (365.0 * readings.winter[at] + readings.day[at]).astype(float)
    return observed, model, error.covariance(time, readings.winter[at], sensor)


def log_likelihood(observed: Array, predicted: Array, covariance: Array) -> tuple[Array, Array]:
    """Logarithm of the Gaussian likelihood of each sample, without its constant, and its misfit χ², both (row,).

    Parameters
    ----------
    observed
        (reading,).
    predicted
        (row, reading).
    covariance
        Of their differences, (reading, reading).

    Raises
    ------
    ValueError
        When it is no covariance: errors are not numbers, or next to nothing.
    """
    try:
        root = cholesky(covariance, lower=True)
    except (LinAlgError, ValueError):
        raise ValueError("the errors of readings must be numbers, those of sensors not nothing beside others") from None
    white = solve_triangular(root, (observed - predicted).T, lower=True)
    misfit = (white**2).sum(axis=0)
    return -0.5 * misfit, misfit
