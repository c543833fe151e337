"""From inputs by key to wells: layers of rock and sections of walls, each where it lies."""

import numpy as np
import pytest
from numpy.typing import NDArray

from study.wells import Inputs, Stretches, WellArrays, segments

Array = NDArray[np.float64]

PLAIN = {
    "well.depth": 2000.0,
    "well.borehole_diameter": 0.2413,
    "well.casing.outer_diameter": 0.1778,
    "well.casing.wall": 0.00919,
    "well.casing.conductivity": 40.0,
    "well.grout.conductivity": 1.5,
    "well.inner_pipe.outer_diameter": 0.110,
    "well.inner_pipe.wall": 0.010,
    "well.inner_pipe.conductivity": 0.42,
    "well.flow_rate": 30.0,
    "fluid.density": 998.0,
    "fluid.heat_capacity": 4186.0,
    "fluid.conductivity": 0.6,
    "fluid.viscosity": 1e-3,
    "rock.conductivity": 2.5,
    "rock.volumetric_heat_capacity": 2.3,
    "geothermal_gradient": 30.0,
    "surface_temperature": 10.0,
}
LAYERS = {
    "rock.layers.0.thickness": 600.0,
    "rock.layers.0.conductivity": 1.9,
    "rock.layers.0.geothermal_gradient": 36.0,
    "rock.layers.1.thickness": 700.0,
    "rock.layers.1.volumetric_heat_capacity": 2.6,
    "rock.layers.2.thickness": 1.0,
}
SECTIONS = {
    "well.casing.sections.0.length": 600.0,
    "well.grout.sections.0.length": 300.0,
    "well.grout.sections.0.conductivity": 0.7,
    "well.grout.sections.1.length": 1200.0,
    "well.grout.sections.1.volumetric_heat_capacity": 2.2,
    "well.inner_pipe.sections.0.length": 5000.0,
    "well.inner_pipe.sections.0.conductivity": 0.05,
}


def inputs(*parts: dict[str, float], lanes: int = 1, **changes: Array) -> Inputs:
    """Inputs of some lanes, all alike but for `changes`, whose names have _ for a dot."""
    values = {key: np.full(lanes, value) for part in (PLAIN, *parts) for key, value in part.items()}
    return values | {key.replace("__", "."): value for key, value in changes.items()}


def test_a_plain_well_is_one_segment() -> None:
    np.testing.assert_array_equal(segments(inputs(lanes=2)), [[2000.0, 2000.0]])


def test_segments_end_where_anything_changes() -> None:
    """600 m ends a layer and a section of the casing; the inner pipe's section goes on below the well."""
    thickness = segments(inputs(LAYERS, SECTIONS))[:, 0]
    assert thickness.sum() == 2000.0
    np.testing.assert_array_equal(thickness[thickness > 0], [300.0, 300.0, 700.0, 200.0, 500.0])
    assert len(thickness) == 7  # the same number in every lane


def test_each_lane_has_its_own_segments() -> None:
    depth = np.array([2000.0, 900.0, 1400.0])
    changes = {"rock__layers__0__thickness": np.array([600.0, 600.0, 1000.0]), "well__depth": depth}
    thickness = segments(inputs(LAYERS, SECTIONS, lanes=3, **changes))
    np.testing.assert_allclose(thickness.sum(axis=0), depth)
    assert thickness.min() >= 0.0
    second = thickness[:, 1]
    np.testing.assert_array_equal(second[second > 0], [300.0, 300.0, 300.0])


@pytest.mark.parametrize(
    ("depth", "conductivity", "heat_capacity", "gradient"),
    [(1.0, 1.9, 2.3, 36.0), (599.0, 1.9, 2.3, 36.0), (601.0, 2.5, 2.6, 30.0), (1301.0, 2.5, 2.3, 30.0)],
)
def test_layers_hold_where_they_lie(depth: float, conductivity: float, heat_capacity: float, gradient: float) -> None:
    """What a layer does not say is that of the whole rock; the last one is as deep as the well."""
    rock, place = Stretches.of_rock(inputs(LAYERS)), np.array([[depth]])
    names = ("conductivity", "volumetric_heat_capacity", "geothermal_gradient")
    assert [rock.at(place, name).item() for name in names] == [conductivity, heat_capacity, gradient]


@pytest.mark.parametrize(
    ("depth", "conductivity", "heat_capacity"),
    [(1.0, 0.7, 0.0), (299.0, 0.7, 0.0), (301.0, 1.5, 2.2), (1499.0, 1.5, 2.2), (1501.0, 1.5, 0.0)],
)
def test_sections_hold_where_they_lie(depth: float, conductivity: float, heat_capacity: float) -> None:
    """Below the sections all is as in the whole wall, whose heat is not counted where it is not given."""
    grout, place = Stretches.of_wall(inputs(SECTIONS), "grout"), np.array([[depth]])
    assert grout.at(place, "conductivity").item() == conductivity
    assert grout.at(place, "volumetric_heat_capacity").item() == heat_capacity


def test_arrays_hold_every_segment_and_lane() -> None:
    rock = np.array([2.0, 2.5, 3.0])
    given = inputs(LAYERS, SECTIONS, lanes=3, rock__conductivity=rock)
    cells = np.where(segments(given)[:, 0] > 0, 2, 0)
    arrays = WellArrays.of(given, np.maximum(cells, 1))
    assert arrays.conductivity.shape == (5, 3)  # segments that no lane has are gone
    np.testing.assert_allclose(arrays.conductivity[[0, 2, 4]], [np.full(3, 1.9), rock, rock])
    np.testing.assert_allclose(arrays.diffusivity[2], rock / 2.6e6)
    np.testing.assert_allclose(arrays.column.length[:, 0] * arrays.column.cells, [300.0, 300.0, 700.0, 200.0, 500.0])
    around, shells = arrays.surroundings, arrays.surroundings.shells
    np.testing.assert_array_equal(around.conductivity.reshape(5, 3), arrays.conductivity)
    np.testing.assert_allclose(shells[1].conductivity.reshape(5, 3)[:, 0], [0.7, 1.5, 1.5, 1.5, 1.5])
    np.testing.assert_allclose(shells[1].heat_capacity.reshape(5, 3)[:, 0], [0.0, 2.2e6, 2.2e6, 2.2e6, 0.0])
    np.testing.assert_allclose(shells[0].heat_capacity, 0.0)
    for shell, inner, outer in ((shells[0], 0.07971, 0.0889), (shells[1], 0.0889, 0.12065)):
        np.testing.assert_allclose(shell.inner_radius, inner, rtol=1e-12)
        np.testing.assert_allclose(shell.outer_radius, outer, rtol=1e-12)
    assert around.film.shape == around.radius.shape == (15,)
    np.testing.assert_allclose(arrays.flow, 998.0 * 4186.0 * 30.0 / 3600.0)
    alone = WellArrays.of({key: value[1:2] for key, value in given.items()}, np.maximum(cells, 1))
    np.testing.assert_array_equal(alone.column.undisturbed[:, 0], arrays.column.undisturbed[:, 1])
    np.testing.assert_array_equal(alone.resistances.annulus_inner[:, 0], arrays.resistances.annulus_inner[:, 1])


def test_segments_of_no_length_change_nothing() -> None:
    plain = WellArrays.of(inputs(), np.array([6]))
    below = inputs({"well.casing.sections.0.length": 2000.0, "well.grout.sections.0.length": 9000.0})
    cut = WellArrays.of(below, np.array([6, 1, 1]))
    np.testing.assert_array_equal(cut.column.depth, plain.column.depth)
    np.testing.assert_array_equal(cut.column.cells, [6])
    np.testing.assert_array_equal(cut.resistances.annulus_wall, np.atleast_2d(plain.resistances.annulus_wall))
