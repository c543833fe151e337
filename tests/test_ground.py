"""The rock's answer: published values, another way to compute it, brute force, and steps of any length."""

import numpy as np
import pytest
from exact import rock_impedance, talbot
from numpy.typing import NDArray

from kernels.ground import FINE, HOURLY, Modes, advance, cylinder_source, line_sources, recall, rectangular_field

Array = NDArray[np.float64]
LAYOUTS = [(1, 1), (1, 2), (2, 2), (1, 28), (4, 7), (10, 10)]


def fitted_range(modes: Modes) -> Array:
    """Fourier numbers, off those of the fit, over the range that `Modes.logarithmic` promises."""
    return np.geomspace(3.0 * modes.time_constant[0], 0.5 * modes.time_constant[-1], 619)


def test_cylinder_source_at_published_points() -> None:
    # Laplace inversion in ten digits of the cylinder with constant flux (Carslaw and Jaeger 1959, section 13.5)
    exact = {
        1e-1: 0.3142341079,
        1e0: 0.8021451666,
        1e1: 1.650894705,
        1e2: 2.722894443,
        1e3: 3.860590596,
        1e4: 5.009984924,
        1e5: 6.161035384,
    }
    np.testing.assert_allclose(cylinder_source(np.array(list(exact))), list(exact.values()), rtol=5e-10)


def test_cylinder_source_equals_laplace_inversion() -> None:
    times = np.geomspace(1e-5, 1e8, 40)
    inverted = [talbot(lambda s: 2.0 * np.pi * rock_impedance(s, 1.0, 1.0, 1.0) / s, t) for t in times]
    np.testing.assert_allclose(cylinder_source(times), inverted, rtol=1e-9, atol=2e-10)


def test_cylinder_source_has_its_limits() -> None:
    """Early a plane: 2 (Fo / π)^½. Late a line source; what they differ by dies out as ln Fo / Fo."""
    early, late = np.array([1e-8]), np.array([1e6])
    np.testing.assert_allclose(cylinder_source(early), 2.0 * np.sqrt(early / np.pi), rtol=1e-4)
    np.testing.assert_allclose(cylinder_source(late), line_sources(late, np.ones(1), np.ones(1)), atol=1e-5)


@pytest.mark.parametrize(("modes", "largest"), [(HOURLY, 3e-4), (FINE, 2e-6)])
def test_modes_fit_the_cylinder(modes: Modes, largest: float) -> None:
    number = fitted_range(modes)
    fit = modes.response(number, modes.instant, modes.cylinder)
    np.testing.assert_allclose(fit, cylinder_source(number), rtol=0, atol=largest)
    assert modes.cylinder.min() >= 0.0
    assert modes.instant > 0.0


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("spacing", [5.0, 15.0, 30.0, 60.0, 200.0])
@pytest.mark.parametrize("radius", [0.1, 0.16])
def test_modes_fit_the_neighbours(layout: tuple[int, int], spacing: float, radius: float) -> None:
    """Within 0.2 % of the whole response, up to 30 years in fast rock (1.5e-6 m²/s)."""
    distance, count = rectangular_field(*layout)
    number = fitted_range(HOURLY)
    number = number[number <= 1.5e-6 * 30.0 * 365.0 * 86400.0 / radius**2]
    exact = line_sources(number, distance * spacing / radius, count)
    weight = HOURLY.neighbours(distance * spacing / radius, count)
    error = HOURLY.response(number, 0.0, weight) - exact
    assert np.abs(error / (exact + cylinder_source(number))).max() < 2e-3


@pytest.mark.parametrize("layout", [*LAYOUTS, (3, 1)])
def test_rectangular_field_counts_every_pair(layout: tuple[int, int]) -> None:
    wells = [complex(row, column) for row in range(layout[0]) for column in range(layout[1])]
    apart = np.array([abs(a - b) for i, a in enumerate(wells) for j, b in enumerate(wells) if i != j])
    distance, count = rectangular_field(*layout)
    assert count.sum() == pytest.approx(len(wells) - 1)
    assert np.all(np.diff(distance) > 0)
    for each, number in zip(distance, count, strict=True):
        assert number == pytest.approx(np.isclose(apart, each, rtol=1e-12).sum() / len(wells))


def coefficients(step: float, rate: Array, conductivity: Array) -> tuple[Array, Array]:
    """`decay` and `gain` of one step (s) of rock with α / r_b² (1/s) and conductivity (W/m/K), both (lane,)."""
    passed = -np.expm1(-step * rate / HOURLY.time_constant[:, None])
    return 1.0 - passed, HOURLY.cylinder[:, None] * passed / (2.0 * np.pi * conductivity)


RATE, CONDUCTIVITY = np.array([4e-5, 7e-5, 1.1e-4]), np.array([1.6, 2.5, 3.4])
UNDISTURBED, FLUX = np.array([10.0, 50.0, 95.0]), np.array([120.0, -40.0, 300.0])


def test_one_long_step_equals_many_short_ones() -> None:
    """214 days of constant flux; the long step's wall, and that of hours after each other, are also the closed form."""
    hours = 24 * 214
    decay, gain = coefficients(3600.0, RATE, CONDUCTIVITY)
    short, wall = np.zeros_like(decay), np.empty(3)
    for _ in range(hours):
        advance(decay, gain, FLUX, short, UNDISTURBED, wall)
    decay, gain = coefficients(hours * 3600.0, RATE, CONDUCTIVITY)
    long = np.zeros_like(decay)
    advance(decay, gain, FLUX, long, UNDISTURBED, wall)
    np.testing.assert_allclose(short, long, rtol=1e-11)
    response = [HOURLY.response(np.array([hours * 3600.0 * rate]), 0.0, HOURLY.cylinder).item() for rate in RATE]
    np.testing.assert_allclose(long.sum(axis=0), FLUX / (2.0 * np.pi * CONDUCTIVITY) * response, rtol=1e-12)


def test_steps_of_any_length_superpose() -> None:
    """Flux that changes from step to step against Duhamel's sum over its changes."""
    rng = np.random.default_rng(1)
    steps, flux = rng.uniform(600.0, 1e6, 12), rng.normal(0.0, 100.0, (12, 3))
    memory, wall = np.zeros((len(HOURLY.time_constant), 3)), np.empty(3)
    for step, q in zip(steps, flux, strict=True):
        advance(*coefficients(step, RATE, CONDUCTIVITY), q, memory, UNDISTURBED, wall)
    left = np.cumsum(steps[::-1])[::-1]  # from the start of each step to the end of the last
    change = np.diff(flux, axis=0, prepend=0.0)
    response = HOURLY.response(left[:, None] * RATE, 0.0, HOURLY.cylinder)
    np.testing.assert_allclose(memory.sum(axis=0), (change * response).sum(axis=0) / (2.0 * np.pi * CONDUCTIVITY))


def test_recall_is_what_advance_left() -> None:
    decay, gain = coefficients(3600.0, RATE, CONDUCTIVITY)
    memory = np.random.default_rng(2).normal(0.0, 1.0, decay.shape)
    wall, recalled = np.empty(3), np.empty(3)
    advance(decay, gain, FLUX, memory, UNDISTURBED, wall)
    recall(decay, memory, UNDISTURBED, recalled)
    np.testing.assert_array_equal(recalled, wall)
    advance(decay, gain, np.zeros(3), memory, UNDISTURBED, wall)
    np.testing.assert_allclose(recalled, UNDISTURBED - memory.sum(axis=0), rtol=1e-14)
