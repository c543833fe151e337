"""Heat conduction from the rock through grout and casing to the water in the annulus, as a sum of exponential modes.

Around each stretch of a well the rock is an infinite cylinder, at rest at its undisturbed temperature T_0 until heat is
taken from it. If the heat that the annulus takes were constant, q (W/m), its water would cool by

    T_0 - T_a = q · Γ(t)

Γ, the step response (m K/W), holds all that heat meets on its way: film, casing, grout, rock, each with its heat
capacity, and the other wells of the field (`kernels.field`). The wall of conductors and capacities makes it a sum of
exponentials with positive weights; on one fixed logarithmic grid of time constants τ_j (s)

    Γ(t) ≈ c_0 + Σ_j c_j (1 - exp(-t / τ_j))

What the rock remembers is then one number for each mode, y_j (W/m): the heat flow averaged over the past with the
weight exp(-age / τ_j). It advances exactly over a step of any length Δt in which q is constant,

    y_j ← d_j y_j + (1 - d_j) q,        d_j = exp(-Δt / τ_j),        T_a = T_0 - c_0 q - Σ_j c_j y_j

No radial grid, no history of loads, no limit on the step.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.special import ive, kve

Array = NDArray[np.float64]
Complex = NDArray[np.complex128]

HOUR = 3600.0
YEAR = 8760.0 * HOUR
SPAN = 30.0
"""Latest over earliest time that one contour of `step_response` serves."""
FINE_NODES = 24
"""Points on a contour of `step_response` that are good for 2e-7 of the response."""


@dataclass(frozen=True)
class Shell:
    """A hollow cylinder around the well: radii (m), conductivity (W/m/K), heat capacity (J/m³/K), all (case,)."""

    inner_radius: Array
    outer_radius: Array
    conductivity: Array
    heat_capacity: Array


@dataclass(frozen=True)
class Surroundings:
    """What lies around the water of the annulus, from the inside out; all (case,).

    Attributes
    ----------
    film
        Thermal resistance between the water and the first shell, m K/W.
    shells
        Casing and grout.
    radius
        Of the borehole, m.
    conductivity, heat_capacity
        Of the rock, W/m/K and J/m³/K.
    """

    film: Array
    shells: Sequence[Shell]
    radius: Array
    conductivity: Array
    heat_capacity: Array

    def transforms(self, s: Complex) -> tuple[Complex, Complex]:
        """Impedances s·Γ̂(s) of annulus and borehole wall, m K/W, (node, case), at s (1/s), (node,).

        Each is a temperature over the heat flow q that the annulus takes. In a shell T = P I0(mr) + Q K0(mr) with
        m² = s ρc / k, and the heat flow is -2πk r dT/dr; in the rock P = 0 (Carslaw and Jaeger 1959, sections 13.3 and
        13.5). Bessel functions are scaled by their exponentials, of which only decaying ones are left.
        """
        x = np.sqrt(s[:, None] * (self.heat_capacity / self.conductivity)) * self.radius
        wall = impedance = kve(0, x) / (2.0 * np.pi * self.conductivity * x * kve(1, x))
        passed = np.ones_like(impedance)  # heat flow into the rock over that out of the shells
        for shell in reversed(self.shells):
            per_turn = 2.0 * np.pi * shell.conductivity
            m = np.sqrt(s[:, None] * (np.maximum(shell.heat_capacity, 1.0) / shell.conductivity))  # 1 J/m³/K is none
            x, y = m * shell.inner_radius, m * shell.outer_radius
            outside = per_turn * y * impedance
            rising = ive(1, y) * outside + ive(0, y)
            falling = (kve(1, y) * outside - kve(0, y)) * np.exp(-(y - x) - (y - x).real)
            flow = x * (rising * kve(1, x) - falling * ive(1, x))
            impedance = (rising * kve(0, x) + falling * ive(0, x)) / (per_turn * flow)
            passed = passed * np.exp(x - y.real) / flow
        return self.film + impedance, wall * passed


def step_response(transform: Callable[[Complex], Complex], times: Array, nodes: int) -> Array:
    """Invert the Laplace transform Γ̂ of a step response, whose singularities lie on the negative real axis.

    Parameters
    ----------
    transform
        s·Γ̂(s) at s (1/s), (node,): (node, case).
    times
        s, increasing, (time,).
    nodes
        Points on each contour: 16 are good for 1e-4 of the response, 24 for 2e-7.

    Returns
    -------
    Γ, (time, case).

    Notes
    -----
    Midpoint rule on a hyperbola around the negative axis, s = μ (1 + sin(iu - α)), one for all times between t_1 and
    SPAN · t_1 (Weideman and Trefethen 2007, Math. Comp. 76:1341, section 4).
    """
    alpha = 0.95
    opening = np.arccosh(((np.pi - 2 * alpha) * SPAN + 4 * alpha - np.pi) / ((4 * alpha - np.pi) * np.sin(alpha)))
    u = (np.arange(nodes) + 0.5) * opening / nodes
    answers = []
    window = np.floor(np.log(times / times[0] * (1 + 1e-9)) / np.log(SPAN))
    for start in np.unique(window):
        within = times[window == start]
        scale = (4 * np.pi * alpha - np.pi**2) / opening * nodes / (times[0] * SPAN ** (start + 1))
        s = scale * (1 + np.sin(1j * u - alpha))
        value = transform(s) * (1j * scale * np.cos(1j * u - alpha) / s)[:, None]
        answer = np.zeros((len(within), value.shape[1]))
        for node in range(nodes):  # a sum in one order, whatever the number of cases
            answer += (np.exp(s[node] * within)[:, None] * value[node]).imag
        answers.append(answer * opening / nodes / np.pi)
    return np.concatenate(answers)


def rock_response(*, radius: Array, distance: Array, conductivity: Array, heat_capacity: Array, times: Array) -> Array:
    """Cooling of the rock around a borehole that takes a constant heat flow, m K/W, (time, case).

    Its Laplace transform, times s, is K0(√(s/α) r) / (2πk x K1(x)) with x = √(s/α) r_b (Carslaw and Jaeger 1959,
    section 13.5).

    Parameters
    ----------
    radius, distance
        Of the borehole, and from its axis, at least as much, m, (case,).
    conductivity, heat_capacity
        Of the rock, W/m/K and J/m³/K, (case,).
    times
        s, increasing, (time,).
    """

    def transform(s: Complex) -> Complex:
        per_metre = np.sqrt(s[:, None] * (heat_capacity / conductivity))
        x, y = per_metre * radius, per_metre * distance
        answer: Complex = kve(0, y) * np.exp(x - y) / (2.0 * np.pi * conductivity * x * kve(1, x))
        return answer

    return step_response(transform, times, FINE_NODES)


@dataclass(frozen=True)
class Modes:
    """A grid of time constants and what it takes to write step responses with it.

    Attributes
    ----------
    time_constant
        τ_j, s, (mode,).
    times
        Where responses are fitted, s, (time,).
    fast
        Modes that a study advances hour by hour; the others, day by day (`kernels.operation`).
    nodes
        As in `step_response`.
    """

    time_constant: Array
    times: Array
    fast: int
    nodes: int

    @classmethod
    def logarithmic(cls, *, shortest: float, first: float, last: float, per_decade: float, nodes: int) -> "Modes":
        """Time constants from `shortest` (s) on, for responses from `first` to `last` (s)."""
        count = int(np.ceil(per_decade * np.log10(3.0 * last / shortest))) + 1
        time_constant = shortest * 10.0 ** (np.arange(count) / per_decade)
        times = np.geomspace(first, last, 4 * count)
        return cls(time_constant, times, int(np.sum(time_constant < 500 * HOUR)), nodes)

    def basis(self, times: Array) -> Array:
        """1 and 1 - exp(-t / τ_j) in columns, (time, 1 + mode), at times in s."""
        return np.column_stack([np.ones(len(times)), -np.expm1(-np.divide.outer(times, self.time_constant))])

    def own(self, surroundings: Surroundings) -> tuple[Array, Array]:
        """Instant c_0, (case,), and weights c_j, (mode, case), of a lone well's response, m K/W; none is negative."""
        response = step_response(lambda s: surroundings.transforms(s)[0], self.times, self.nodes)
        basis = self.basis(self.times)
        fits = [
            nnls(basis, each)[0] if np.isfinite(each).all() else np.full(basis.shape[1], np.nan) for each in response.T
        ]
        return np.array([fit[0] for fit in fits]), np.stack([fit[1:] for fit in fits], axis=-1)

    def wall(self, surroundings: Surroundings) -> tuple[Array, Array]:
        """The same for the borehole wall: its response to the heat that the annulus takes; signs are free."""
        response = step_response(lambda s: surroundings.transforms(s)[1], self.times, self.nodes)
        fit = np.asarray(np.linalg.lstsq(self.basis(self.times), response, rcond=1e-12)[0], dtype=np.float64)
        return fit[0], fit[1:]

    def of(self, response: Array) -> Array:
        """Weights c_j, (mode, case), of a response (time, case) that comes late, as other wells' does (no instant)."""
        operator = np.linalg.pinv(self.basis(self.times)[:, 1:], rcond=1e-8)
        weight = np.zeros((len(self.time_constant), response.shape[1]))
        for time in range(len(self.times)):  # a sum in one order, whatever the number of cases
            weight += operator[:, time, None] * response[time]
        return weight


HOURLY = Modes.logarithmic(shortest=0.3 * HOUR, first=HOUR, last=100 * YEAR, per_decade=2.0, nodes=16)
"""For steps of an hour and lives of up to a century."""

FINE = Modes.logarithmic(shortest=5.0, first=15.0, last=3000 * YEAR, per_decade=4.0, nodes=FINE_NODES)
"""For steps of seconds: one well, no field."""


@njit(cache=True, error_model="numpy")
def recall(decay, weight, memory, undisturbed, rest):  # type: ignore[no-untyped-def]
    """Temperature of the water at one place at the end of the coming step, were no heat taken in it.

    Parameters
    ----------
    decay
        exp(-Δt / τ_j) of each mode for the coming step, (mode,).
    weight
        c_j, m K/W, (mode, lane).
    memory
        y_j, W/m, (mode, lane).
    undisturbed
        Undisturbed temperature, °C, (lane,).
    rest
        Result, °C, (lane,).
    """
    modes, lanes = memory.shape
    for lane in range(lanes):
        rest[lane] = undisturbed[lane]
    for mode in range(modes):
        for lane in range(lanes):
            rest[lane] -= decay[mode] * weight[mode, lane] * memory[mode, lane]


@njit(cache=True, error_model="numpy")
def advance(decay, flux, memory):  # type: ignore[no-untyped-def]
    """Advance the rock's memory at one place over one step of constant heat flow.

    Parameters
    ----------
    decay
        As in `recall`.
    flux
        Heat taken during the step, W/m, (lane,).
    memory
        y_j, W/m, (mode, lane): updated.
    """
    modes, lanes = memory.shape
    for mode in range(modes):
        for lane in range(lanes):
            memory[mode, lane] = decay[mode] * memory[mode, lane] + (1.0 - decay[mode]) * flux[lane]
