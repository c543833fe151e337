"""What the wells of a field do to each other, against sums over pairs and the exact answer of the rock."""

import itertools

import numpy as np
import pytest
from exact import line_sources, rock_impedance, talbot
from numpy.typing import NDArray
from scipy.special import exp1

from kernels.field import Interaction
from kernels.ground import HOURLY, YEAR, Surroundings

Array = NDArray[np.float64]
DAY = 86400.0
RADIUS, CONDUCTIVITY, DIFFUSIVITY = 0.12, 2.5, 1.1e-6
SPACINGS = [15.0, 20.0, 30.0, 60.0]


def grid(rows: int, columns: int, spacing: float = 1.0) -> Array:
    return spacing * np.array([(float(x), float(y)) for y in range(rows) for x in range(columns)])


IRREGULAR = np.random.default_rng(5).uniform(0.0, 150.0, (17, 2))
LAYOUTS = {"4 x 7": grid(4, 7, 20.0), "1 x 28": grid(1, 28, 15.0), "two": grid(1, 2, 30.0), "irregular": IRREGULAR}


def direct(places: Array, four_alpha_t: Array) -> Array:
    """Σ ½ E1(d² / 4αt) pair by pair, (time, well)."""
    answer = np.zeros((len(four_alpha_t), len(places)))
    for one, other in itertools.permutations(range(len(places)), 2):
        answer[:, one] += 0.5 * exp1(((places[one] - places[other]) ** 2).sum() / four_alpha_t)
    return answer


@pytest.mark.parametrize("name", LAYOUTS)
def test_interaction_is_the_sum_over_all_pairs(name: str) -> None:
    """From where a neighbour is felt at all to long after its last winter; a lone well's own sum is 3 to 7.

    In an irregular layout distances within 0.1 % of each other are counted as one.
    """
    places = LAYOUTS[name]
    interaction = Interaction.of(places)
    assert interaction.wells == len(places)
    nearest = min(np.hypot(*(one - other)) for one, other in itertools.combinations(places, 2))
    four_alpha_t = np.geomspace(nearest**2 / 18.0, 1e8, 211)
    expected = direct(places, four_alpha_t)
    of_mean, of_each = (1e-6, 1e-6) if name != "irregular" else (2e-5, 5e-4)
    np.testing.assert_allclose(interaction.each(four_alpha_t), expected, rtol=of_each, atol=of_each / 100.0)
    np.testing.assert_allclose(
        interaction.mean(four_alpha_t), expected.mean(axis=1), rtol=of_mean, atol=of_mean / 100.0
    )


@pytest.mark.parametrize("name", LAYOUTS)
def test_mean_and_one_are_of_each(name: str) -> None:
    interaction = Interaction.of(LAYOUTS[name])
    four_alpha_t = np.geomspace(1.0, 1e7, 30).reshape(10, 3)
    each = interaction.each(four_alpha_t)
    assert each.shape == (10, 3, interaction.wells)
    np.testing.assert_allclose(each.mean(axis=-1), interaction.mean(four_alpha_t), rtol=1e-12, atol=1e-14)
    wells = np.array([0, interaction.wells - 1, 0])
    found = interaction.one(four_alpha_t, wells)
    for lane, well in enumerate(wells):
        np.testing.assert_array_equal(found[:, lane], each[:, lane, well])


def test_nothing_is_felt_at_once() -> None:
    interaction = Interaction.of(grid(4, 7, 15.0))
    early = np.array([1e-9, 1e-3, 0.1])
    np.testing.assert_allclose(interaction.mean(early), 0.0, atol=1e-300)


def test_a_single_well_has_no_neighbours() -> None:
    interaction = Interaction.of(np.zeros((1, 2)))
    four_alpha_t = np.geomspace(1e-3, 1e9, 20)
    assert interaction.wells == 1
    np.testing.assert_array_equal(interaction.mean(four_alpha_t), 0.0)
    np.testing.assert_array_equal(interaction.each(four_alpha_t), 0.0)


def test_a_layout_is_a_matter_of_distance_over_the_root_of_time() -> None:
    four_alpha_t = np.geomspace(1e2, 1e7, 20)
    one, scaled = Interaction.of(IRREGULAR / 20.0), Interaction.of(IRREGULAR)
    np.testing.assert_allclose(one.each(four_alpha_t / 400.0), scaled.each(four_alpha_t), rtol=2e-4, atol=1e-9)


def test_the_coldest_well_is_an_inner_one() -> None:
    places = grid(4, 7)
    answer = Interaction.of(places).each(4.0 * DIFFUSIVITY * np.array([5.0, 30.0]) * YEAR / 20.0**2)
    for coldest, warmest in zip(answer.argmax(axis=-1), answer.argmin(axis=-1), strict=True):
        np.testing.assert_allclose(np.abs(places[coldest] - places.mean(axis=0)), [0.0, 0.5])
        np.testing.assert_allclose(np.abs(places[warmest] - places.mean(axis=0)), [3.0, 1.5])  # a corner


def test_line_sources_by_hand() -> None:
    """½ E1(1) = ½ · 0.219383934 and ½ E1(4) = ½ · 0.003779352 (Abramowitz and Stegun 1964, table 5.1)."""
    found = line_sources(np.array([1.0]), np.array([1.0, 2.0, 2.0]))
    np.testing.assert_allclose(found, 0.5 * (0.219383934 + 2 * 0.003779352), rtol=1e-6)


def exact_cylinder(times: Array) -> Array:
    """Step response of a lone well's wall, m K/W."""
    heat_capacity = CONDUCTIVITY / DIFFUSIVITY
    return np.array([talbot(lambda s: rock_impedance(s, RADIUS, CONDUCTIVITY, heat_capacity) / s, t) for t in times])


@pytest.mark.parametrize("spacing", SPACINGS)
@pytest.mark.parametrize("layout", ["grid", "irregular"])
def test_modes_of_a_field_are_superposed_sources(spacing: float, layout: str) -> None:
    """Own cylinder and neighbouring lines on the modes of a study, within 0.15 % from a day to 60 years."""
    nearest = min(np.hypot(*(one - other)) for one, other in itertools.combinations(IRREGULAR, 2))
    places = grid(4, 7, spacing) if layout == "grid" else IRREGULAR * (spacing / nearest)
    interaction = Interaction.of(places)
    rock = CONDUCTIVITY * np.ones(1), CONDUCTIVITY / DIFFUSIVITY * np.ones(1)
    instant, own = HOURLY.own(Surroundings(np.zeros(1), (), RADIUS * np.ones(1), *rock))
    per_flux = 1.0 / (2.0 * np.pi * CONDUCTIVITY)
    times = np.geomspace(DAY, 60.0 * YEAR, 400)
    basis, lone, sums = HOURLY.basis(times), exact_cylinder(times), direct(places, 4.0 * DIFFUSIVITY * times)
    coldest = sums[-1].argmax()
    at_fit = 4.0 * DIFFUSIVITY * HOURLY.times[:, None]
    for response, expected in (
        (interaction.mean(at_fit), sums.mean(axis=1)),
        (interaction.one(at_fit, np.array([coldest])), sums[:, coldest]),
    ):
        weight = np.concatenate([instant[None], own + HOURLY.of(per_flux * response)])
        np.testing.assert_allclose((basis @ weight)[:, 0], lone + per_flux * expected, rtol=1.5e-3)
