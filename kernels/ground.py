"""Heat conduction from the rock to the borehole wall, as a sum of exponential modes.

Each layer of rock is an infinite cylinder around the well, at rest at its undisturbed temperature until heat is taken
from it. If the heat flow per metre into the well were constant, `q` (W/m), the wall would cool by

    ΔT(t) = q / (2 π k) · G(Fo),        Fo = α t / r_b²

Here G is the step response: of the well itself the cylinder source, of its neighbours in a field the sum of line
sources. Both are written as

    G(Fo) ≈ c_0 + Σ_j c_j (1 - exp(-Fo / τ_j))

on one fixed logarithmic grid of time constants τ_j. The rock's memory is then one number for each mode, which
advances exactly over a step of any length in which q is constant: no radial grid, no history of loads, no limit on
the step.
"""

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import exp1, j1, y1

Array = NDArray[np.float64]


def cylinder_source(fourier_number: Array) -> Array:
    """Step response of an infinite cylinder with constant heat flux at its wall.

    Parameters
    ----------
    fourier_number
        Fo = α t / r_b², any shape, > 0.

    Returns
    -------
    G(Fo), same shape, dimensionless: the wall's temperature change times 2 π k / q.

    Notes
    -----
    Carslaw and Jaeger (1959), Conduction of Heat in Solids, section 13.5, eq. 17, at r = a, with 1/u² = τ as the
    variable:

        G = ∫ w(τ) (1 - exp(-Fo / τ)) d ln τ,        w = (2 / π²) τ / (J1²(τ^-½) + Y1²(τ^-½))

    The integrand is smooth in ln τ and dies off at both ends, so the trapezoidal rule converges exponentially.
    """
    log_tau = np.linspace(-45.0, 60.0, 2101)
    u = np.exp(-0.5 * log_tau)
    weight = 2.0 / np.pi**2 / (u * u * (j1(u) ** 2 + y1(u) ** 2)) * (log_tau[1] - log_tau[0])
    return -np.expm1(-np.multiply.outer(fourier_number, u * u)) @ weight


def line_sources(fourier_number: Array, distance: Array, count: Array) -> Array:
    """Step response at a well to infinite line sources around it.

    Parameters
    ----------
    fourier_number
        Fo = α t / r_b², shape (times,).
    distance
        Distances of the sources over the borehole radius, shape (distances,).
    count
        How many sources stand at each distance (a mean over the wells need not be whole), shape (distances,).

    Returns
    -------
    Σ count · ½ E1(distance² / (4 Fo)), shape (times,), dimensionless (Ingersoll, Zobel and Ingersoll 1954).
    """
    return 0.5 * exp1(np.square(distance) / (4.0 * fourier_number[:, None])) @ count


@dataclass(frozen=True)
class Modes:
    """A grid of time constants and what it takes to write a step response with it.

    Attributes
    ----------
    time_constant
        τ_j in units of r_b² / α, shape (modes,).
    fourier_number
        Where responses are fitted, shape (times,).
    fit
        Least-squares solution operator from a response at `fourier_number` to its weights c_j, shape (modes, times).
    instant
        c_0 of the cylinder source: what comes sooner than the shortest mode.
    cylinder
        c_j of the cylinder source, shape (modes,), none negative.
    """

    time_constant: Array
    fourier_number: Array
    fit: Array
    instant: float
    cylinder: Array

    @classmethod
    def logarithmic(cls, *, shortest: float, longest: float, per_decade: float) -> "Modes":
        """Fit the cylinder source on time constants from `shortest` to `longest`, `per_decade` to a decade.

        Times are in units of r_b² / α. The fit holds from 3 times the shortest to half the longest time constant.
        """
        count = round(per_decade * np.log10(longest / shortest)) + 1
        time_constant = np.geomspace(shortest, longest, count)
        fourier_number = np.geomspace(3.0 * shortest, 0.5 * longest, 16 * count)
        modes = -np.expm1(-np.divide.outer(fourier_number, time_constant))
        weights, _ = nnls(np.column_stack([np.ones_like(fourier_number), modes]), cylinder_source(fourier_number))
        fit = np.linalg.pinv(modes, rcond=1e-10)
        return cls(time_constant, fourier_number, fit, float(weights[0]), weights[1:])

    def neighbours(self, distance: Array, count: Array) -> Array:
        """Weights c_j of the line sources around a well; arguments as in `line_sources`. Shape (modes,)."""
        return self.fit @ line_sources(self.fourier_number, distance, count)

    def response(self, fourier_number: Array, instant: float, weight: Array) -> Array:
        """Step response that the weights stand for, at any Fourier number. Shape as `fourier_number`."""
        return instant - np.expm1(-np.divide.outer(fourier_number, self.time_constant)) @ weight


HOURLY = Modes.logarithmic(shortest=0.02, longest=2e6, per_decade=2.0)
"""For steps of an hour and lives of up to a century."""

FINE = Modes.logarithmic(shortest=2e-4, longest=2e7, per_decade=4.0)
"""For steps of a minute: one well, no field."""


def rectangular_field(rows: int, columns: int) -> tuple[Array, Array]:
    """Distances between the wells of a rectangular field, over the spacing.

    Returns
    -------
    The distinct distances, shape (distances,), and how many neighbours a well has on average at each, shape
    (distances,).
    """
    well = np.stack(np.meshgrid(np.arange(rows), np.arange(columns)), axis=-1).reshape(-1, 2)
    squared = ((well[:, None] - well[None]) ** 2).sum(axis=-1).ravel()
    distinct, pairs = np.unique(squared[squared > 0], return_counts=True)
    return np.sqrt(distinct.astype(float)), pairs / (rows * columns)


@njit(cache=True, error_model="numpy")
def recall(decay, memory, undisturbed, wall):  # type: ignore[no-untyped-def]
    """Wall temperature of one cell at the end of the coming step, were no heat taken in it.

    Parameters
    ----------
    decay
        exp(-Δt / τ_j) of each mode for the coming step, (mode, lane).
    memory
        Cooling of the wall carried by each mode, K, (mode, lane).
    undisturbed
        Undisturbed temperature, °C, (lane,).
    wall
        Result, °C, (lane,).
    """
    modes, lanes = memory.shape
    for lane in range(lanes):
        wall[lane] = undisturbed[lane]
    for mode in range(modes):
        for lane in range(lanes):
            wall[lane] -= decay[mode, lane] * memory[mode, lane]


@njit(cache=True, error_model="numpy")
def advance(decay, gain, flux, memory, undisturbed, wall):  # type: ignore[no-untyped-def]
    """Advance the rock's memory over one step of constant heat flow, for one cell.

    Parameters
    ----------
    decay, undisturbed
        As in `recall`.
    gain
        c_j (1 - decay) / (2 π k), m K/W, (mode, lane).
    flux
        Heat taken from the rock during the step, W/m, (lane,).
    memory
        Cooling of the wall carried by each mode, K, (mode, lane): updated.
    wall
        Result, °C, (lane,): what `recall` would give for a next step of the same length, in the same pass over the
        memory.
    """
    modes, lanes = memory.shape
    for lane in range(lanes):
        wall[lane] = undisturbed[lane]
    for mode in range(modes):
        for lane in range(lanes):
            x = decay[mode, lane] * memory[mode, lane] + gain[mode, lane] * flux[lane]
            memory[mode, lane] = x
            wall[lane] -= decay[mode, lane] * x
