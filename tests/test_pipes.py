"""Films, resistances, what walls store, and friction: values by hand, and the exact solution's two-ports."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exact import Wall, chain, resistance, si
from numpy.typing import NDArray
from ruamel.yaml import YAML

from kernels.pipes import (
    Fluid,
    Pipes,
    friction_pressure_drop,
    haaland_friction_factor,
    inner_pipe_storage,
    nusselt_number,
    petukhov_friction_factor,
    reynolds_number,
    thermal_resistances,
    water_storage,
)

Array = NDArray[Any]
WELLS = sorted((Path(__file__).parent / "wells").glob("*.yaml"))
WATER = Fluid(*map(np.asarray, (998.0, 4186.0, 0.6, 1e-3)))


def pipes(**changes: Any) -> Pipes:
    """Of a well of 241.3 mm, without heat capacity."""
    values = {
        "borehole_diameter": 0.2413,
        "casing_outer_diameter": 0.1778,
        "casing_wall": 0.00919,
        "inner_pipe_outer_diameter": 0.110,
        "inner_pipe_wall": 0.010,
        "casing_conductivity": 40.0,
        "grout_conductivity": 1.5,
        "inner_pipe_conductivity": 0.42,
        "casing_heat_capacity": 0.0,
        "grout_heat_capacity": 0.0,
        "inner_pipe_heat_capacity": 0.0,
    }
    return Pipes.of_sizes(**{name: np.asarray(value) for name, value in {**values, **changes}.items()})


PIPES = pipes()


def smooth_drop(flow_rate: Array, depth: float) -> Array:
    """Pressure drop in smooth pipes, Pa."""
    none = np.asarray(0.0)
    return friction_pressure_drop(
        flow_rate, np.asarray(depth), PIPES, WATER, casing_roughness=none, inner_pipe_roughness=none
    )


ALIKE = [path for path in WELLS if "sections" not in path.read_text(encoding="utf-8")]


@pytest.mark.parametrize("path", ALIKE, ids=lambda path: path.stem)
def test_thermal_resistances(path: Path) -> None:
    """Wells in laminar, transitional and turbulent flow, against their stored answers."""
    case, answer = si(YAML(typ="safe").load(path)), json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    well, water = case["well"], case["fluid"]
    casing, pipe = well["casing"], well["inner_pipe"]
    well_pipes = pipes(
        borehole_diameter=well["borehole_diameter"],
        casing_outer_diameter=casing["outer_diameter"],
        casing_wall=casing["wall"],
        inner_pipe_outer_diameter=pipe["outer_diameter"],
        inner_pipe_wall=pipe["wall"],
        casing_conductivity=casing["conductivity"],
        grout_conductivity=well["grout"]["conductivity"],
        inner_pipe_conductivity=pipe["conductivity"],
    )
    fluid = Fluid(*(np.asarray(water[name]) for name in ("density", "heat_capacity", "conductivity", "viscosity")))
    resistances = thermal_resistances(np.asarray(well["flow_rate"]), well_pipes, fluid)
    for found, name in ((resistances.annulus_wall, "annulus_wall"), (resistances.annulus_inner, "annulus_inner")):
        np.testing.assert_allclose(found, answer[f"R_{name}_mK_per_W"], rtol=1e-12)


def test_the_sum_of_the_parts_is_the_whole() -> None:
    parts = thermal_resistances(np.asarray(30.0 / 3600.0), PIPES, WATER)
    assert parts.casing == pytest.approx(resistance(Wall(0.07971, 0.0889, 40.0, 0.0)), rel=1e-12)
    assert parts.grout == pytest.approx(resistance(Wall(0.0889, 0.12065, 1.5, 0.0)), rel=1e-12)
    assert parts.inner_pipe == pytest.approx(resistance(Wall(0.045, 0.055, 0.42, 0.0)), rel=1e-12)
    assert parts.annulus_wall == pytest.approx(parts.casing_film + parts.casing + parts.grout, rel=1e-12)
    # one coefficient in the annulus: its films are as the radii of its walls
    assert parts.inner_pipe_outer_film / parts.casing_film == pytest.approx(0.07971 / 0.055, rel=1e-12)


def test_conductivities_may_change_along_the_well() -> None:
    rate = np.array([20.0, 30.0, 40.0]) / 3600.0
    conductivity = np.array([[0.4, 0.4, 0.4], [0.05, 0.1, 20.0]])
    along = thermal_resistances(rate, pipes(inner_pipe_conductivity=conductivity), WATER).annulus_inner
    assert along.shape == (2, 3)
    for segment, lane in np.ndindex(2, 3):
        here = pipes(inner_pipe_conductivity=conductivity[segment, lane])
        assert along[segment, lane] == thermal_resistances(rate[lane], here, WATER).annulus_inner


@pytest.mark.parametrize("flow_rate", [2.0, 8.0, 30.0])
@pytest.mark.parametrize(("wall", "conductivity"), [(0.010, 0.42), (0.004, 45.0), (0.030, 0.02)])
def test_mean_temperature_of_the_inner_pipe(flow_rate: float, wall: float, conductivity: float) -> None:
    """As the exact two-port of film, wall and film does when all changes slowly: its terms of first order in s.

    With θ_i = A θ_a + B q_a and q_i = C θ_a + D q_a the wall takes up q_i - q_a = ((D - 1) θ_i + (A - 1) θ_a) / B.
    """
    rate = np.asarray(flow_rate / 3600.0)
    well_pipes = pipes(inner_pipe_wall=wall, inner_pipe_conductivity=conductivity, inner_pipe_heat_capacity=2.2e6)
    parts = thermal_resistances(rate, well_pipes, WATER)
    pipe = Wall(0.055 - wall, 0.055, conductivity, 2.2e6)
    s = np.array([1e-9 + 0j])
    (a, b), (_, d) = chain(s, (float(parts.inner_film), pipe, float(parts.inner_pipe_outer_film)))
    of_annulus, of_inner = (((each - 1.0) / b / s).real.item() for each in (a, d))
    stored, share = inner_pipe_storage(well_pipes, parts)
    assert stored == pytest.approx(np.pi * (0.055**2 - (0.055 - wall) ** 2) * 2.2e6, rel=1e-12)
    np.testing.assert_allclose([share * stored, (1.0 - share) * stored], [of_annulus, of_inner], rtol=1e-4)


def test_water_fills_the_channels() -> None:
    annulus, inner = water_storage(PIPES, WATER)
    assert annulus == pytest.approx(998.0 * 4186.0 * np.pi * (0.07971**2 - 0.055**2), rel=1e-12)
    assert inner == pytest.approx(998.0 * 4186.0 * np.pi * 0.045**2, rel=1e-12)
    assert inner_pipe_storage(PIPES, thermal_resistances(np.asarray(0.008), PIPES, WATER))[0] == 0.0


@pytest.mark.parametrize("corner", [2300.0, 4000.0])
@pytest.mark.parametrize("prandtl", [0.7, 7.0, 150.0])
def test_nusselt_number_has_no_step(corner: float, prandtl: float) -> None:
    around = nusselt_number(corner * np.array([1.0 - 1e-12, 1.0, 1.0 + 1e-12]), np.asarray(prandtl))
    np.testing.assert_allclose(around, around[1], rtol=1e-9)
    reynolds = np.linspace(1000.0, 20000.0, 500)
    assert np.all(np.diff(nusselt_number(reynolds, np.asarray(prandtl))) >= 0.0)


def test_nusselt_number_by_hand() -> None:
    """Gnielinski at Re 10,000 and Pr 7 with f = (0.79 · 9.21034 - 1.64)⁻²; halfway between the corners; laminar."""
    eighth = (0.79 * 9.210340371976184 - 1.64) ** -2 / 8.0
    by_hand = eighth * 9000.0 * 7.0 / (1.0 + 12.7 * eighth**0.5 * (7.0 ** (2.0 / 3.0) - 1.0))
    prandtl = np.asarray(7.0)
    assert nusselt_number(np.asarray(1e4), prandtl) == pytest.approx(by_hand, rel=1e-12)
    laminar, halfway, turbulent = nusselt_number(np.array([500.0, 3150.0, 4000.0]), prandtl)
    assert laminar == 4.364
    assert halfway == pytest.approx((4.364 + turbulent) / 2.0, rel=1e-12)


def test_petukhov_friction_factor_by_hand() -> None:
    """Re 10⁵: 0.79 · 11.5129 - 1.64 = 7.4552, squared 55.580."""
    assert petukhov_friction_factor(np.asarray(1e5)) == pytest.approx(1.0 / 55.580, rel=2e-5)


def test_reynolds_number_by_hand() -> None:
    """998 kg/m³, 0.008 m³/s through 0.01 m² is 0.8 m/s; over 0.05 m at 0.001 Pa s."""
    flow_rate, area, diameter = np.array([0.008, 0.01, 0.05])
    assert reynolds_number(flow_rate, area, diameter, WATER) == pytest.approx(39920.0)


def test_friction_of_slow_flow() -> None:
    """Hagen-Poiseuille in the pipe, V = π Δp d⁴ / (128 µ L), and its counterpart between concentric cylinders,

    V = π Δp / (8 µ L) · (R⁴ - r⁴ - (R² - r²)² / ln(R / r)): the velocity profile, integrated.
    """
    flow, depth = np.asarray(2e-5), 1000.0
    outer, inner = (0.1778 - 2 * 0.00919) / 2, 0.110 / 2
    pipe = np.pi * 0.090**4 / (128.0 * 1e-3 * 1000.0)
    bracket = outer**4 - inner**4 - (outer**2 - inner**2) ** 2 / np.log(outer / inner)
    annulus = np.pi / (8.0 * 1e-3 * 1000.0) * bracket
    assert smooth_drop(flow, depth) == pytest.approx(flow / pipe + flow / annulus, rel=1e-9)


def test_friction_by_hand() -> None:
    """30 m³/h down and up 100 m, turbulent, written out from areas and wetted perimeters."""
    expected = 0.0
    for area, perimeter in (
        (np.pi / 4.0 * 0.090**2, np.pi * 0.090),
        (np.pi / 4.0 * (0.15942**2 - 0.110**2), np.pi * (0.15942 + 0.110)),
    ):
        diameter, speed = 4.0 * area / perimeter, 30.0 / 3600.0 / area
        factor = (-1.8 * np.log10(6.9 / (998.0 * speed * diameter / 1e-3))) ** -2
        expected += factor * 100.0 / diameter * 998.0 * speed**2 / 2.0
    drop = smooth_drop(np.asarray(30.0 / 3600.0), 100.0)
    assert drop == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("reynolds", [4000.0, 3e4, 1e6, 1e8])
@pytest.mark.parametrize("roughness", [0.0, 1e-5, 1e-3, 0.03])
def test_haaland_friction_factor_is_near_colebrook(reynolds: float, roughness: float) -> None:
    """Within 2 % of f^-½ = -2 lg(ε/3.7 + 2.51 / (Re f^½)), which it makes explicit."""
    root = 10.0  # of 1 / f
    for _ in range(100):
        root = -2.0 * np.log10(roughness / 3.7 + 2.51 * root / reynolds)
    factor = haaland_friction_factor(np.asarray(reynolds), np.asarray(roughness))
    assert factor == pytest.approx(root**-2, rel=0.02)


def test_each_roughness_is_that_of_its_pipe() -> None:
    flow, none, rough = np.asarray(30.0 / 3600.0), np.asarray(0.0), np.asarray(3e-4)

    def drop(casing: Array, inner: Array) -> float:
        found = friction_pressure_drop(
            flow, np.asarray(100.0), PIPES, WATER, casing_roughness=casing, inner_pipe_roughness=inner
        )
        return float(found)

    both = 0.0
    for casing, inner, area, diameter in (
        (rough, none, np.pi / 4.0 * (0.15942**2 - 0.110**2), 0.15942 - 0.110),
        (none, rough, np.pi / 4.0 * 0.090**2, 0.090),
    ):
        reynolds, head = 998.0 * flow / area * diameter / 1e-3, 100.0 / diameter * 998.0 * (flow / area) ** 2 / 2.0
        factors = [haaland_friction_factor(reynolds, np.asarray(each / diameter)) for each in (0.0, 3e-4)]
        more = drop(casing, inner) - drop(none, none)
        assert more == pytest.approx((factors[1] - factors[0]) * head, rel=1e-9)
        both += more
    assert drop(rough, rough) - drop(none, none) == pytest.approx(both, rel=1e-9)


def test_friction_has_no_step() -> None:
    flow = np.linspace(1e-5, 2e-3, 20000)
    drop = smooth_drop(flow, 1000.0)
    change = np.diff(drop)
    assert np.all(change > 0.0)
    assert change.max() < 3.0 * np.median(change[-100:])


@pytest.mark.parametrize(("mass_flow", "kilopascal"), [(6.0, 507.0), (8.0, 854.0), (10.0, 1283.0), (12.0, 1792.0)])
def test_friction_of_a_deep_well(mass_flow: float, kilopascal: float) -> None:
    """Figures of a simple model of a 2,900 m well in 177.8 x 9.19 and 110 x 10 mm: assumptions, not measurements."""
    drop = smooth_drop(np.asarray(mass_flow / 998.0), 2900.0)
    assert drop / 1e3 == pytest.approx(kilopascal, rel=0.1)
