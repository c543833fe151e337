"""What surrounds a well: published values, the exact solution's two-ports, brute force, and steps of any length."""

from typing import Any

import numpy as np
import pytest
from exact import Wall, chain, rock_impedance, talbot
from numpy.typing import NDArray
from scipy.special import exp1

from kernels.ground import (
    FINE,
    HOUR,
    HOURLY,
    YEAR,
    Modes,
    Shell,
    Surroundings,
    advance,
    recall,
    rock_response,
    step_response,
)

Array = NDArray[Any]
GRIDS = {"hourly": HOURLY, "fine": FINE}

CYLINDER = {
    1e-1: 0.3142341079,
    1e0: 0.8021451666,
    1e1: 1.650894705,
    1e2: 2.722894443,
    1e3: 3.860590596,
    1e4: 5.009984924,
    1e5: 6.161035384,
}
"""The cylinder with constant flux, 2πkΔT/q at αt/r² (Carslaw and Jaeger 1959, section 13.5), in ten digits."""

CONDUCTIVITY, HEAT_CAPACITY = 2.5, 2.5e6
FILM, RADII = 0.003, (0.07971, 0.0889, 0.12065)
WALLS = {"plain": (40.0, 0.0, 1.5, 0.0), "storing": (40.0, 3.85e6, 1.5, 2.2e6), "insulating": (0.3, 2e6, 0.5, 2.2e6)}
"""Conductivity and heat capacity of casing and grout."""


def bare(radius: float) -> Surroundings:
    """Rock alone."""
    return Surroundings(np.zeros(1), (), np.array([radius]), np.array([CONDUCTIVITY]), np.array([HEAT_CAPACITY]))


def around(*kinds: str) -> Surroundings:
    """Film, casing, grout and rock; one case for each kind of walls."""
    casing, casing_heat, grout, grout_heat = np.array([WALLS[kind] for kind in kinds]).T
    one = np.ones(len(kinds))
    shells = [
        Shell(RADII[0] * one, RADII[1] * one, casing, casing_heat),
        Shell(RADII[1] * one, RADII[2] * one, grout, grout_heat),
    ]
    return Surroundings(FILM * one, shells, RADII[2] * one, CONDUCTIVITY * one, HEAT_CAPACITY * one)


def exact_transforms(kind: str, s: Array) -> tuple[Array, Array]:
    """Annulus and borehole wall over the heat flow out of the annulus, by the exact solution's two-ports."""
    casing, casing_heat, grout, grout_heat = WALLS[kind]
    walls = Wall(RADII[0], RADII[1], casing, casing_heat), Wall(RADII[1], RADII[2], grout, grout_heat)
    (a, b), (c, d) = chain(s, (FILM, *walls))
    z = rock_impedance(s, RADII[2], CONDUCTIVITY, HEAT_CAPACITY)
    return (a * z + b) / (c * z + d), z / (c * z + d)


@pytest.mark.parametrize("kind", WALLS)
def test_transforms_are_those_of_the_two_ports(kind: str) -> None:
    """Walls without heat capacity are given 1 J/m³/K, which shows at the highest frequency alone."""
    s = np.array([1e-9, 1e-6, 1e-5 + 3e-5j, -1e-4 + 1e-4j, 1e-3 + 1e-2j])
    for found, expected in zip(around(kind).transforms(s), exact_transforms(kind, s), strict=True):
        np.testing.assert_allclose(found[:, 0], expected, rtol=1e-4 if kind == "plain" else 1e-13)


def test_shells_of_rock_are_rock() -> None:
    one = np.ones(1)
    of_rock = CONDUCTIVITY * one, HEAT_CAPACITY * one
    shells = [Shell(0.1 * one, 0.13 * one, *of_rock), Shell(0.13 * one, 0.4 * one, *of_rock)]
    s = np.array([1e-9, 1e-5 + 3e-5j, -1e-4 + 1e-4j, 1e-2 + 1e-2j])
    layered = Surroundings(0.0 * one, shells, 0.4 * one, *of_rock)
    np.testing.assert_allclose(layered.transforms(s)[0], bare(0.1).transforms(s)[0], rtol=1e-12)


@pytest.mark.parametrize(("nodes", "largest"), [(16, 1e-4), (24, 2e-7), (32, 3e-10)])
def test_step_response_of_the_cylinder(nodes: int, largest: float) -> None:
    """Each eight points more on the contours give three digits more."""
    times = np.array(list(CYLINDER)) * HEAT_CAPACITY / CONDUCTIVITY
    found = 2.0 * np.pi * CONDUCTIVITY * step_response(lambda s: bare(1.0).transforms(s)[0], times, nodes)[:, 0]
    np.testing.assert_allclose(found, list(CYLINDER.values()), rtol=largest)


@pytest.mark.parametrize("kind", WALLS)
def test_step_response_equals_another_inversion(kind: str) -> None:
    """At times that are no window's first or last, of annulus and wall."""
    times = np.geomspace(600.0, 100.0 * YEAR, 57)
    for place in range(2):
        found = step_response(lambda s, place=place: around(kind).transforms(s)[place], times, 32)[:, 0]  # type: ignore[misc]
        expected = [talbot(lambda s, place=place: exact_transforms(kind, s)[place] / s, t) for t in times]  # type: ignore[misc]
        np.testing.assert_allclose(found, expected, rtol=1e-6 if kind == "plain" else 1e-7)


@pytest.mark.parametrize(("name", "radius", "largest"), [("hourly", 0.19, 1.5e-4), ("fine", 0.1, 2e-7)])
def test_modes_of_a_bare_cylinder_at_published_points(name: str, radius: float, largest: float) -> None:
    modes = GRIDS[name]
    times = np.array(list(CYLINDER)) * radius**2 * HEAT_CAPACITY / CONDUCTIVITY
    inside = times <= modes.times[-1]
    assert inside.sum() >= 6
    instant, weight = modes.own(bare(radius))
    found = 2.0 * np.pi * CONDUCTIVITY * modes.basis(times[inside]) @ np.concatenate([instant[None], weight])
    np.testing.assert_allclose(found[:, 0], np.array(list(CYLINDER.values()))[inside], rtol=0, atol=largest)


@pytest.mark.parametrize(("name", "largest"), [("hourly", 1.5e-3), ("fine", 1.2e-5)])
@pytest.mark.parametrize("kind", WALLS)
def test_modes_fit_what_surrounds_a_well(name: str, largest: float, kind: str) -> None:
    """Relatively, at times between those of the fit; of the wall absolutely, as it starts at nothing."""
    modes = GRIDS[name]
    times = np.geomspace(3600.0, modes.times[-1], 97)
    instant, weight = modes.own(around(kind))
    annulus, wall = (
        np.array([talbot(lambda s, place=place: exact_transforms(kind, s)[place] / s, t) for t in times])  # type: ignore[misc]
        for place in range(2)
    )
    found = modes.basis(times) @ np.concatenate([instant[None], weight])
    np.testing.assert_allclose(found[:, 0], annulus, rtol=largest)
    assert min(instant.min(), weight.min()) >= 0.0
    found = modes.basis(times) @ np.concatenate([each.reshape(-1, 1) for each in modes.wall(around(kind))])
    np.testing.assert_allclose(found[:, 0], wall, rtol=0, atol=0.1 * largest)


def test_storing_walls_take_up_heat_first_and_conduct_as_much_later() -> None:
    both = around("plain", "storing")
    plain, storing = step_response(lambda s: both.transforms(s)[0], np.array([HOUR, 100.0 * YEAR]), 24).T
    assert storing[0] < 0.95 * plain[0]
    assert storing[1] == pytest.approx(plain[1], rel=1e-5)


def test_every_case_is_alone() -> None:
    """The same bits beside others and without, even beside impossible ones, which are nan."""
    both, alone = around("plain", "storing", "insulating"), around("storing")
    both.conductivity[2] = np.nan
    with np.errstate(all="ignore"):
        together = HOURLY.own(both)
    for found, expected in zip(together, HOURLY.own(alone), strict=True):
        np.testing.assert_array_equal(found[..., 1], expected[..., 0])
        assert np.isnan(found[..., 2]).all()
    response = np.random.default_rng(4).uniform(0.0, 1.0, (len(HOURLY.times), 5))
    np.testing.assert_array_equal(HOURLY.of(response)[:, 3], HOURLY.of(response[:, 3:4].copy())[:, 0])


def test_grids_reach_from_their_steps_to_their_lives() -> None:
    modes = Modes.logarithmic(shortest=1000.0, first=3600.0, last=1e9, per_decade=3.0, nodes=16)
    assert modes.time_constant[0] == 1000.0
    assert modes.time_constant[-1] >= 3e9
    np.testing.assert_allclose(modes.time_constant[3:] / modes.time_constant[:-3], 10.0)
    np.testing.assert_allclose(modes.times[[0, -1]], [3600.0, 1e9])
    assert np.all(modes.time_constant[: modes.fast] < 500.0 * HOUR)
    assert np.all(modes.time_constant[modes.fast :] >= 500.0 * HOUR)
    np.testing.assert_allclose(modes.basis(np.array([1000.0]))[0, :2], [1.0, 1.0 - np.exp(-1.0)])


LANES = 3
UNDISTURBED, FLUX = np.array([10.0, 50.0, 95.0]), np.array([120.0, -40.0, 300.0])
INSTANT, WEIGHT = HOURLY.own(around("plain", "storing", "insulating"))


def decay(step: float) -> Array:
    return np.exp(-step / HOURLY.time_constant)


def cooling(memory: Array) -> Array:
    """Of the water at the end of a step, without the instant part, K, (lane,)."""
    total: Array = (WEIGHT * memory).sum(axis=0)
    return total


def test_one_long_step_equals_many_short_ones() -> None:
    """214 days of constant heat flow; it is also the closed form."""
    hours = 24 * 214
    short, long = np.zeros((2, *WEIGHT.shape))
    for _ in range(hours):
        advance(decay(HOUR), FLUX, short)
    advance(decay(hours * HOUR), FLUX, long)
    np.testing.assert_allclose(short, long, rtol=1e-9)
    response = HOURLY.basis(np.array([hours * HOUR]))[0, 1:] @ WEIGHT
    np.testing.assert_allclose(cooling(long), FLUX * response, rtol=1e-12)


def test_steps_of_any_length_superpose() -> None:
    """Heat flow that changes from step to step against Duhamel's sum over its changes."""
    rng = np.random.default_rng(1)
    steps, flux = rng.uniform(600.0, 1e6, 12), rng.normal(0.0, 100.0, (12, LANES))
    memory = np.zeros(WEIGHT.shape)
    for step, q in zip(steps, flux, strict=True):
        advance(decay(step), q, memory)
    left = np.cumsum(steps[::-1])[::-1]  # from the start of each step to the end of the last
    change = np.diff(flux, axis=0, prepend=0.0)
    response = HOURLY.basis(left)[:, 1:] @ WEIGHT
    np.testing.assert_allclose(cooling(memory), (change * response).sum(axis=0))


def test_recall_is_a_step_without_heat() -> None:
    memory = np.random.default_rng(2).normal(0.0, 100.0, WEIGHT.shape)
    found = np.empty(LANES)
    recall(decay(5.0 * HOUR), WEIGHT, memory, UNDISTURBED, found)
    advance(decay(5.0 * HOUR), np.zeros(LANES), memory)
    np.testing.assert_allclose(found, UNDISTURBED - cooling(memory), rtol=1e-13)


def test_undisturbed_rock_stays_so() -> None:
    memory, found = np.zeros(WEIGHT.shape), np.empty(LANES)
    advance(decay(YEAR), np.zeros(LANES), memory)
    recall(decay(YEAR), WEIGHT, memory, UNDISTURBED, found)
    np.testing.assert_array_equal(memory, 0.0)
    np.testing.assert_array_equal(found, UNDISTURBED)


# The rock around a borehole


def test_rock_at_the_wall_is_the_cylinder() -> None:
    radius, alpha = 0.12, CONDUCTIVITY / HEAT_CAPACITY
    times = np.array(list(CYLINDER)) * radius**2 / alpha
    one = np.ones(1)
    found = rock_response(
        radius=radius * one,
        distance=radius * one,
        conductivity=CONDUCTIVITY * one,
        heat_capacity=HEAT_CAPACITY * one,
        times=times,
    )
    np.testing.assert_allclose(2 * np.pi * CONDUCTIVITY * found[:, 0], list(CYLINDER.values()), rtol=1e-6)


def test_rock_far_from_a_thin_borehole_is_that_of_a_line_source() -> None:
    distance = np.array([0.5, 2.0, 10.0, 40.0])
    times, one = YEAR * np.array([1.0, 10.0, 30.0]), np.ones(4)
    found = rock_response(
        radius=0.001 * one,
        distance=distance,
        conductivity=CONDUCTIVITY * one,
        heat_capacity=HEAT_CAPACITY * one,
        times=times,
    )
    line = exp1(distance**2 * HEAT_CAPACITY / (4 * CONDUCTIVITY * times[:, None])) / (4 * np.pi * CONDUCTIVITY)
    np.testing.assert_allclose(found, line, rtol=1e-4, atol=5e-8)  # 24 points: 2e-7 of the response


def test_rock_loses_the_heat_that_is_taken() -> None:
    radius, distance = 0.12, np.geomspace(0.12, 300.0, 4000)
    one, times = np.ones(len(distance)), np.array([0.4, 10.0]) * YEAR
    found = rock_response(
        radius=radius * one,
        distance=distance,
        conductivity=CONDUCTIVITY * one,
        heat_capacity=HEAT_CAPACITY * one,
        times=times,
    )
    lost = np.trapezoid(HEAT_CAPACITY * found * 2 * np.pi * distance, distance, axis=1)
    np.testing.assert_allclose(lost, times, rtol=2e-3)  # J/m of 1 W/m
