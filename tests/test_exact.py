"""The exact solution, judged by itself, by published numbers and by a second way to compute it."""

import json
from pathlib import Path
from typing import Any

import mpmath  # type: ignore[import-untyped]
import numpy as np
import pytest
from exact import Wall, Well, chain, deviations, euler, resistance, rock_impedance, si, solve, talbot, well_of
from ruamel.yaml import YAML

WELLS = Path(__file__).parent / "wells"
REFERENCE = Path(__file__).parents[2] / "shared" / "reference" / "wells"
NAMES = sorted(path.stem for path in REFERENCE.glob("*.yaml"))


def read(path: Path) -> dict[str, Any]:
    return YAML(typ="safe").load(path)


@pytest.mark.parametrize("name", ["storing-walls", "five-layers", "slow-deep", "hot-inlet-inner-down"])
def test_two_inversions_agree(name: str) -> None:
    case = read(WELLS / f"{name}.yaml")
    case["times"] = case["times"][::3]
    first, second = (solve(case, invert=invert)["outlet_temperature"] for invert in (talbot, euler))
    np.testing.assert_allclose(first, second, rtol=0, atol=1e-6)


@pytest.mark.parametrize("name", ["pulses", "sections", "transitional-annulus"])
def test_stored_answers_are_fresh(name: str) -> None:
    stored = json.loads((WELLS / f"{name}.json").read_text(encoding="utf-8"))
    answer = solve(read(WELLS / f"{name}.yaml"))
    assert answer.keys() == stored.keys()
    assert {"wall_temperature", "depth_m"} <= stored.keys() or name != "sections"
    for key, value in stored.items():
        np.testing.assert_allclose(answer[key], value, rtol=0, atol=1e-6, err_msg=key)


def test_every_case_has_its_answer() -> None:
    assert {path.stem for path in WELLS.glob("*.yaml")} == {path.stem for path in WELLS.glob("*.json")}


@pytest.mark.skipif(not NAMES, reason="no ../shared/reference/wells beside the project")
@pytest.mark.parametrize("name", NAMES)
def test_reference_wells(name: str) -> None:
    reference = json.loads((REFERENCE / f"{name}.json").read_text(encoding="utf-8"))
    answer = solve(read(REFERENCE / f"{name}.yaml"))
    for key, value in reference.items():
        np.testing.assert_allclose(answer[key], value, rtol=0, atol=1e-6, err_msg=key)


@pytest.mark.parametrize("invert", [talbot, euler])
def test_cylinder_step_response(invert: Any) -> None:
    # Carslaw and Jaeger (1959), section 13.5, eq. 17 at the wall, evaluated to ten digits
    expected = {
        1e-1: 0.3142341079,
        1e0: 0.8021451666,
        1e1: 1.650894705,
        1e2: 2.722894443,
        1e3: 3.860590596,
        1e4: 5.009984924,
        1e5: 6.161035384,
    }
    response = [invert(lambda s: 2 * np.pi * rock_impedance(s, 1.0, 1.0, 1.0) / s, t) for t in expected]
    np.testing.assert_allclose(response, list(expected.values()), rtol=2e-9)


def counterflow(inner_resistance: float) -> tuple[Any, Any]:
    """Steady °C at top and bottom, down and up, along a wall held at 9 + 0.03 z °C by rock that conducts freely."""
    rock = np.array([[1200.0, 1e15, 2e6, 0.03], [1700.0, 1e15, 2e6, 0.03]])
    well = Well(33520.0, 4e4, 3e4, [(inner_resistance,)] * 2, [(0.022,)] * 2, 0.12, 9.0, rock)
    s, depths = np.array([1e-14 + 0j]), np.array([0.0, 2900.0])
    down, up, wall = (s * deviations(s, well, inlet=11.0, depths=depths)).real[..., 0] + well.undisturbed(depths)
    np.testing.assert_allclose(wall, 9.0 + 0.03 * depths, rtol=0, atol=1e-6)
    return down, up


def test_steady_counterflow_between_fixed_walls() -> None:
    down, up = counterflow(0.095)
    np.testing.assert_allclose([down[0], up[0]], [20.0, 54.607999], rtol=0, atol=1e-6)
    np.testing.assert_allclose([down[1], up[1]], 77.679227, rtol=0, atol=1e-6)


def test_insulated_inner_pipe_brings_the_bottom_up() -> None:
    down, up = counterflow(1e7)
    lag = (
        0.03 * 33520 * 0.022
    )  # one pipe along a linear wall trails it by gradient × M R, its start decays as exp(-z / M R)
    bottom = 9 + 0.03 * 2900 - lag + (11 + lag) * np.exp(-2900 / (33520 * 0.022))
    np.testing.assert_allclose([down[1], up[1], up[0]], bottom, rtol=0, atol=1e-6)


def test_hollow_cylinder_of_rock_is_rock() -> None:
    s = np.array([1e-9, 1e-4, 3e-2 + 0.5j, -1e-5 + 1e-5j])
    (a, b), (c, d) = chain(s, (Wall(0.05, 0.08, 2.5, 2.3e6), Wall(0.08, 0.12, 2.5, 2.3e6)))
    outside = rock_impedance(s, 0.12, 2.5, 2.3e6)
    np.testing.assert_allclose((a * outside + b) / (c * outside + d), rock_impedance(s, 0.05, 2.5, 2.3e6), rtol=1e-9)
    np.testing.assert_allclose((a * d - b * c)[[0, 1, 3]], 1, rtol=1e-9)
    np.testing.assert_allclose(b[0], resistance(Wall(0.05, 0.12, 2.5, 0.0)), rtol=1e-4)


def test_layers_cut_in_two_change_nothing() -> None:
    case = read(WELLS / "five-layers.yaml")
    whole = solve(case, invert=talbot, depths=[200.0, 2600.0])
    case["ground"]["layers"] = [dict(layer) for layer in case["ground"]["layers"] for _ in range(2)]
    for layer in case["ground"]["layers"]:
        layer["thickness"] = f"{float(layer['thickness'].split()[0]) / 2} m"
    halves = solve(case, invert=talbot, depths=[200.0, 2600.0])
    for key, value in whole.items():
        np.testing.assert_allclose(halves[key], value, rtol=0, atol=1e-7, err_msg=key)
    bottom = [np.array(whole[key])[:, 1] for key in ("annulus_temperature", "inner_temperature")]
    np.testing.assert_allclose(bottom[0], bottom[1], rtol=0, atol=1e-7)


def test_sections_of_the_same_kind_change_nothing() -> None:
    case = read(WELLS / "storing-walls.yaml")
    case["load"], case["times"] = {"heat_rate": "220 kW"}, ["1 d", "365 d"]
    depths = [0.0, 700.0, 1000.0, 2200.0]
    plain = solve(case, invert=talbot, depths=depths)
    case["well"]["casing"]["sections"] = [{"length": "300 m"}, {"length": "1600 m", "conductivity": "40 W/m/K"}]
    case["well"]["inner_pipe"]["sections"] = [{"length": "700 m", "volumetric_heat_capacity": "2.185 MJ/m^3/K"}]
    divided = solve(case, invert=talbot, depths=depths)
    for key, value in plain.items():
        np.testing.assert_allclose(divided[key], value, rtol=0, atol=1e-7, err_msg=key)


def test_sections_hold_where_they_lie() -> None:
    """Of a grout that insulates, in the upper third of the well and below all that is like the whole."""
    case = read(WELLS / "storing-walls.yaml")
    insulating = case["well"]["grout"] | {"conductivity": "0.2 W/m/K"}
    upper = {"length": "733 m", "conductivity": "0.2 W/m/K"}
    case["well"]["grout"]["sections"] = [upper]
    well = well_of(si(case))
    ends = np.cumsum(well.layers[:, 0])
    np.testing.assert_allclose(ends, [733.0, 1000.0, 2200.0])
    np.testing.assert_allclose(well.layers[:, 1], [1.9, 1.9, 3.0])
    assert [parts[2].conductivity for parts in well.annulus_to_rock] == [0.2, 1.5, 1.5]  # type: ignore[union-attr]
    case["well"]["grout"]["sections"] = [upper | {"length": "2500 m"}]
    whole = well_of(si(case | {"well": case["well"] | {"grout": insulating}}))
    assert well_of(si(case)).annulus_to_rock == whole.annulus_to_rock


@pytest.mark.parametrize("name", ["storing-walls", "five-layers"])
def test_heat_of_rock_is_heat_of_water(name: str) -> None:
    """In the end annulus and borehole wall differ by what a film and walls make of the water's gain of heat."""
    case = read(WELLS / f"{name}.yaml")
    case["load"], case["times"] = {"heat_rate": "250 kW"}, ["10000 d"]
    numbers = si(case)
    well, depth = well_of(numbers), numbers["well"]["depth"]
    places = np.linspace(0.5, depth - 0.5, round(depth))
    answer = solve(case, invert=talbot, depths=places.tolist())
    to_rock = np.array([sum(map(resistance, parts)) for parts in well.annulus_to_rock])
    at = np.searchsorted(np.cumsum(well.layers[:, 0]), places)
    flux = np.subtract(answer["wall_temperature"], answer["annulus_temperature"])[0] / to_rock[at]
    assert flux.sum() * depth / len(places) == pytest.approx(250e3, rel=2e-3)


@pytest.mark.parametrize("name", ["slow-deep", "five-layers", "hot-inlet-inner-down", "steel-inner-pipe"])
def test_modes_equal_transfer_matrices_in_many_digits(name: str) -> None:
    """The naive way, which overflows in doubles: matrix exponentials multiplied from the top down, in 80 digits."""
    well = well_of(si(read(WELLS / f"{name}.yaml")))
    nodes = np.array([1e-9, 1e-6, 1e-5 + 3e-5j, -2e-5 + 2e-5j, 1e-4 + 2e-3j])
    _, up, _ = deviations(nodes, well, inlet=10.0, depths=np.array([0.0]))[:, 0]
    with mpmath.workdps(80):
        inner = mpmath.mpf(sum(map(resistance, well.inner_to_annulus[0])))
        outer = mpmath.mpf(sum(map(resistance, well.annulus_to_rock[0])))
        for i, node in enumerate(nodes):
            s, product = mpmath.mpmathify(complex(node)), mpmath.eye(3)
            for thickness, k, c, gradient in well.layers.tolist():
                x = well.borehole_radius * mpmath.sqrt(s * c / k)
                rock = mpmath.besselk(0, x) / (2 * mpmath.pi * k * x * mpmath.besselk(1, x))
                annulus = well.annulus_heat_capacity * s + 1 / (outer + rock) + 1 / inner
                tube = well.inner_heat_capacity * s + 1 / inner
                going_down, coming_up = (annulus, tube) if well.annulus_down else (tube, annulus)
                source = -well.flow * gradient / s
                system = mpmath.matrix([[-going_down, 1 / inner, source], [-1 / inner, coming_up, source], [0, 0, 0]])
                product = mpmath.expm(system * thickness / well.flow) * product
            a = product[0, 0] - product[1, 0], product[0, 1] - product[1, 1], product[0, 2] - product[1, 2]
            expected = -(a[0] * 10 / s + a[2]) / a[1]
            assert complex(expected) == pytest.approx(complex(up[i]), rel=1e-9)
