"""Properties of water and glycols against published tables; flows that the correlations do not cover."""

from dataclasses import astuple
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from kernels.pipes import Fluid, Pipes, nusselt_number
from study.fluid import (
    HOTTEST,
    LAMINAR,
    RICHEST,
    TURBULENT,
    Medium,
    flow_problem,
    flow_warnings,
    fluid_problem,
    fluid_properties,
    freezing_point,
    thermal_expansion,
)

Array = NDArray[Any]
MEDIA = get_args(Medium)
GLYCOLS = MEDIA[1:]
PIPES = Pipes.of_sizes(
    borehole_diameter=np.asarray(0.2413),
    casing_outer_diameter=np.asarray(0.1778),
    casing_wall=np.asarray(0.00919),
    inner_pipe_outer_diameter=np.asarray(0.110),
    inner_pipe_wall=np.asarray(0.010),
    casing_conductivity=np.asarray(40.0),
    grout_conductivity=np.asarray(1.5),
    inner_pipe_conductivity=np.asarray(0.42),
    inner_pipe_heat_capacity=np.asarray(0.0),
    casing_heat_capacity=np.asarray(0.0),
    grout_heat_capacity=np.asarray(0.0),
)


def water(**changes: float) -> Fluid:
    numbers = {"density": 998.0, "heat_capacity": 4186.0, "conductivity": 0.6, "viscosity": 1e-3} | changes
    return Fluid(**{name: np.asarray(value) for name, value in numbers.items()})


# °C, kg/m³, mPa s, 1e-3/K (Chaplin, Water structure and science, data1), W/m/K (IAPWS at 1 bar, Engineering ToolBox)
CELSIUS = [
    (10, 999.7, 1.307, 0.088, 0.57864),
    (20, 998.2, 1.002, 0.207, 0.59803),
    (40, 992.2, 0.653, 0.385, 0.62856),
    (60, 983.2, 0.467, 0.523, 0.65091),
]


@pytest.mark.parametrize(("celsius", "density", "viscosity", "expansion", "conductivity"), CELSIUS)
def test_water_at_round_temperatures(
    celsius: float, density: float, viscosity: float, expansion: float, conductivity: float
) -> None:
    fluid = fluid_properties("water", temperature=celsius)
    assert fluid.density == pytest.approx(density, abs=0.06)
    assert fluid.viscosity == pytest.approx(viscosity * 1e-3, rel=2e-3)
    assert fluid.conductivity == pytest.approx(conductivity, rel=3e-3)
    assert thermal_expansion("water", temperature=celsius) == pytest.approx(expansion * 1e-3, abs=6e-7)


# K, MPa, mol/dm³, kJ/mol/K, W/m/K, µPa s (Perry's Handbook, 9th ed., Table 2-135: saturated liquid, IAPWS-95 of NIST)
KELVIN = [
    (280, 0.000992, 55.501, 0.075669, 0.57404, 1433.7),
    (290, 0.001920, 55.440, 0.075429, 0.59273, 1084.0),
    (300, 0.003537, 55.315, 0.075320, 0.61028, 853.84),
    (310, 0.006231, 55.139, 0.075294, 0.62605, 693.54),
    (320, 0.010546, 54.919, 0.075317, 0.63971, 577.02),
    (330, 0.017213, 54.662, 0.075373, 0.65118, 489.49),
    (350, 0.041682, 54.049, 0.075567, 0.66800, 368.77),
]


@pytest.mark.parametrize(("kelvin", "pressure", "moles", "molar_heat", "conductivity", "viscosity"), KELVIN)
def test_water_of_the_steam_tables(
    kelvin: float, pressure: float, moles: float, molar_heat: float, conductivity: float, viscosity: float
) -> None:
    fluid = fluid_properties("water", temperature=kelvin - 273.15)
    molar_mass = 0.018015268
    compressed = 1.0 + 0.45e-3 * (0.101325 - pressure)  # from saturation to 1 atm; 0.44 to 0.48 per GPa (Chaplin)
    assert fluid.density == pytest.approx(moles * 1e3 * molar_mass * compressed, rel=2e-5)
    assert fluid.heat_capacity == pytest.approx(molar_heat * 1e3 / molar_mass, rel=1e-3)
    assert fluid.conductivity == pytest.approx(conductivity, rel=4e-3)
    assert fluid.viscosity == pytest.approx(viscosity * 1e-6, rel=3e-3)


# °C, kg/m³, kJ/kg/K of 25 % inhibited propylene glycol by mass (Airedale DeltaChill manual, p. 53, after ASHRAE)
INHIBITED = [(0, 1031.0, 3.86), (10, 1027.6, 3.89), (20, 1023.7, 3.91), (30, 1019.2, 3.94), (40, 1014.3, 3.96)]


@pytest.mark.parametrize(("celsius", "density", "heat_capacity"), INHIBITED)
def test_propylene_glycol_of_a_manufacturer(celsius: float, density: float, heat_capacity: float) -> None:
    """Inhibitors weigh: their mixture is 0.5 % denser than plain glycol and water."""
    fluid = fluid_properties("propylene_glycol", temperature=celsius, mass_fraction=0.25)
    assert fluid.density == pytest.approx(density, rel=6e-3)
    assert fluid.density < density
    assert fluid.heat_capacity == pytest.approx(heat_capacity * 1e3, rel=4e-3)


@pytest.mark.parametrize(
    ("fraction", "celsius"), [(0.2, -7.1), (0.25, -9.6), (0.3, -12.7), (0.35, -16.4), (0.4, -21.1)]
)
def test_propylene_glycol_freezes_where_a_manufacturer_says(fraction: float, celsius: float) -> None:
    """The same manual. Plain glycol freezes at most 0.6 K from inhibited glycol."""
    assert freezing_point("propylene_glycol", mass_fraction=fraction) == pytest.approx(celsius, abs=0.6)


@pytest.mark.parametrize(("glycol", "molar_mass"), [("ethylene_glycol", 62.07), ("propylene_glycol", 76.09)])
@pytest.mark.parametrize("fraction", [0.02, 0.05])
def test_dilute_solutions_freeze_by_the_cryoscopic_constant(glycol: Medium, molar_mass: float, fraction: float) -> None:
    """1.86 K for a mole of solute in a kilogram of water, whatever the solute."""
    molality = fraction / (1.0 - fraction) / molar_mass * 1e3
    assert freezing_point(glycol, mass_fraction=fraction) == pytest.approx(-1.86 * molality, abs=0.12)


def test_water_freezes_at_zero() -> None:
    assert freezing_point("water") == 0.0


def test_little_glycol_is_nearly_water() -> None:
    for glycol in GLYCOLS:
        for mixture, plain in zip(
            astuple(fluid_properties(glycol, temperature=20.0)),
            astuple(fluid_properties("water", temperature=20.0)),
            strict=True,
        ):
            assert mixture == pytest.approx(plain, rel=0.01)


@pytest.mark.parametrize("medium", MEDIA)
def test_a_row_has_the_same_bits_among_any_others(medium: Medium) -> None:
    generator = np.random.default_rng(1)
    t = generator.uniform(-30.0, 110.0, (8, 8))
    fraction = generator.uniform(0.0, 0.65, (8, 8)) * (medium != "water")
    together = [*astuple(fluid_properties(medium, temperature=t, mass_fraction=fraction))]
    together.append(thermal_expansion(medium, temperature=t, mass_fraction=fraction))
    assert {array.shape for array in together} == {(8, 8)}
    assert 0 < np.isnan(together[0]).sum() < 64
    for place in np.ndindex(8, 8):
        options = {"temperature": t[place], "mass_fraction": fraction[place]}
        alone = [*astuple(fluid_properties(medium, **options)), thermal_expansion(medium, **options)]
        np.testing.assert_array_equal([array[place] for array in together], alone)


ROWS = [
    ("water", 0.0, 0.0, "temperature must be above the freezing point"),
    ("water", -5.0, 0.0, "temperature must be above the freezing point"),
    ("water", 100.1, 0.0, "temperature must be at most 100 degC, where the properties of the fluid end"),
    ("water", np.inf, 0.0, "temperature must be at most 100 degC, where the properties of the fluid end"),
    ("water", 20.0, 0.1, "mass_fraction must be 0 in water"),
    ("propylene_glycol", -9.9, 0.25, "temperature must be above the freezing point"),
    ("propylene_glycol", -9.9, 0.7, "mass_fraction must be at least 0 and at most 0.6"),
    ("ethylene_glycol", 5.0, -0.01, "mass_fraction must be at least 0 and at most 0.6"),
    ("water", 0.01, 0.0, None),
    ("water", 100.0, 0.0, None),
    ("propylene_glycol", -9.6, 0.25, None),
    ("ethylene_glycol", 100.0, 0.6, None),
]


@pytest.mark.parametrize(("medium", "celsius", "fraction", "message"), ROWS)
def test_rows_out_of_range_are_nan_and_say_why(
    medium: Medium, celsius: float, fraction: float, message: str | None
) -> None:
    options = {"temperature": np.array([30.0, celsius]), "mass_fraction": np.array([0.0, fraction])}
    problems = fluid_problem(medium, **options)
    assert problems.tolist() == [None, message]
    for values in (*astuple(fluid_properties(medium, **options)), thermal_expansion(medium, **options)):
        assert np.isnan(values).tolist() == [False, message is not None]


def test_a_nan_is_not_judged_and_stays_nan() -> None:
    unknown = {"temperature": np.array([np.nan, 20.0]), "mass_fraction": np.array([0.2, np.nan])}
    assert fluid_problem("propylene_glycol", **unknown).tolist() == [None, None]
    assert np.isnan(fluid_properties("propylene_glycol", **unknown).density).all()


def test_an_unknown_medium_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"one of water, ethylene_glycol, propylene_glycol; got 'brine'"):
        fluid_properties("brine", temperature=20.0)  # type: ignore[arg-type]


FRACTION, SHARE = st.floats(0.0, RICHEST), st.floats(1e-6, 1.0)


@given(st.sampled_from(GLYCOLS), FRACTION, SHARE, SHARE)
def test_warmer_is_thinner_and_conducts_better(medium: Medium, fraction: float, one: float, other: float) -> None:
    freezing = freezing_point(medium, mass_fraction=fraction)
    t = freezing + np.sort([one, other]) * (HOTTEST - freezing)
    fluid = fluid_properties(medium, temperature=np.minimum(t, HOTTEST), mass_fraction=fraction)
    assert all(np.all(np.isfinite(values) & (values > 0.0)) for values in astuple(fluid))
    if np.diff(t) > 1e-3:
        assert np.diff(fluid.viscosity) < 0.0
        assert np.diff(fluid.conductivity) > 0.0
        assert np.diff(fluid.density) < 0.0 or (fraction < 0.08 and t[0] < 4.0)


@given(st.floats(1e-6, HOTTEST), st.floats(1e-6, HOTTEST))
def test_warmer_water_is_thinner_and_is_densest_at_four_degrees(one: float, other: float) -> None:
    t = np.sort([one, other])
    fluid = fluid_properties("water", temperature=t)
    assert all(np.all(np.isfinite(values) & (values > 0.0)) for values in astuple(fluid))
    if np.diff(t) > 1e-3:
        assert np.diff(fluid.viscosity) < 0.0
        assert np.diff(fluid.conductivity) > 0.0
    np.testing.assert_array_equal(np.sign(t - 3.98), np.sign(thermal_expansion("water", temperature=t)))


@given(st.sampled_from(GLYCOLS), st.floats(1.0, HOTTEST), FRACTION, FRACTION)
def test_more_glycol_freezes_later_and_flows_harder(medium: Medium, t: float, one: float, other: float) -> None:
    fraction = np.sort([one, other])
    if np.diff(fraction) > 1e-4:
        assert np.diff(freezing_point(medium, mass_fraction=fraction)) < 0.0
        fluid = fluid_properties(medium, temperature=t, mass_fraction=fraction)
        assert np.diff(fluid.viscosity) > 0.0
        assert np.diff(fluid.conductivity) < 0.0


@pytest.mark.parametrize("celsius", [0.001, 5.0, 50.0, 99.999, 100.0])
def test_expansion_is_the_slope_of_the_density(celsius: float) -> None:
    t = np.clip(celsius + np.array([-0.1, 0.1]), 1e-9, HOTTEST)
    density = fluid_properties("water", temperature=t).density
    slope = -np.diff(np.log(density)) / np.diff(t)
    assert thermal_expansion("water", temperature=celsius) == pytest.approx(slope.item(), abs=2e-6)


def flow_at(reynolds: Array, channel: str) -> Array:
    """Flow rate, m³/s, of a Reynolds number: Re = 4 ρ V / (π µ (sum of the wetted diameters))."""
    wetted = {"annulus": 0.15942 + 0.110, "inner pipe": 0.090}
    return np.asarray(reynolds) * np.pi * 1e-3 * wetted[channel] / (4.0 * 998.0)


def warned(flow_rate: Array, words: str) -> Array:
    [rows] = [rows for message, rows in flow_warnings(flow_rate, PIPES, water()).items() if words in message]
    return rows


@pytest.mark.parametrize("channel", ["annulus", "inner pipe"])
def test_flow_is_transitional_where_the_film_is_neither_laminar_nor_turbulent(channel: str) -> None:
    reynolds = np.array([500.0, 2299.0, 2301.0, 3000.0, 3999.0, 4001.0, 3e4])
    nusselt, eighth = nusselt_number(reynolds, np.asarray(7.0)), (0.79 * np.log(reynolds) - 1.64) ** -2 / 8.0
    gnielinski = eighth * (reynolds - 1e3) * 7.0 / (1.0 + 12.7 * eighth**0.5 * (7.0 ** (2.0 / 3.0) - 1.0))
    between = ~np.isclose(nusselt, 4.364, rtol=1e-9) & ~np.isclose(nusselt, gnielinski, rtol=1e-9)
    np.testing.assert_array_equal(warned(flow_at(reynolds, channel), f"{channel} is transitional"), between)
    assert (LAMINAR, TURBULENT) == (2300.0, 4000.0)


def test_laminar_annulus_and_fast_flow_are_told() -> None:
    assert warned(flow_at(np.array([2299.0, 2301.0]), "annulus"), "annulus is laminar").tolist() == [True, False]
    for channel in ("annulus", "inner pipe"):
        rows = warned(flow_at(np.array([0.99e6, 1.01e6]), channel), f"{channel} is faster")
        assert rows.tolist() == [False, True]


def test_a_common_well_has_no_warning_and_no_problem() -> None:
    flow = np.array([30.0 / 3600.0])
    warnings = flow_warnings(flow, PIPES, water())
    assert len(warnings) == 5
    assert not any(rows.any() for rows in warnings.values())
    assert flow_problem(flow, PIPES, water()).tolist() == [None]


@pytest.mark.parametrize(
    ("changes", "reynolds", "words"),
    [
        ({}, 5.01e6, "Reynolds number must be at most 5e+06"),
        ({}, 4.99e6, None),
        ({"viscosity": np.nan}, 1e5, "not a positive number"),
        ({"conductivity": np.nan}, 1e5, "not a positive number"),
        ({}, 0.0, "not a positive number"),
        ({"conductivity": 2.0e-3}, 1e5, "Prandtl number must be at least 0.5 and at most 2000"),
        ({"conductivity": 2.2e-3}, 1e5, None),
        ({"conductivity": 8.5}, 1e5, "Prandtl number"),
        ({"conductivity": 2.0e-3}, 1e3, None),
    ],
)
def test_flows_without_meaning_say_why(changes: dict[str, float], reynolds: float, words: str | None) -> None:
    [problem] = flow_problem(np.array([flow_at(np.asarray(reynolds), "inner pipe")]), PIPES, water(**changes))
    assert problem is None if words is None else words in problem
