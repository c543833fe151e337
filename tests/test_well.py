"""One well over time, judged by the exact solution; and the coarse cells and hourly steps that a study uses."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exact import resistance, si, solve, well_of
from numpy.typing import NDArray
from ruamel.yaml import YAML

from kernels.ground import HOURLY
from kernels.well import Column, Well, prescribed_load, share_cells, time_edges
from study.config import WellCase, load_well_case
from study.errors import ConfigError
from study.reading import validate
from study.simulation import CELLS
from study.well import run_well_case

Array = NDArray[Any]
WELLS = sorted((Path(__file__).parent / "wells").glob("*.yaml"))
STORING = {"storing-walls"}
DAY = 86400.0
Layers = list[tuple[float, ...]]

UNIFORM: Layers = [
    (2900.0, 2.5, 2.25, 29.0)
]  # thickness, conductivity, heat capacity, gradient: m, W/m/K, MJ/m³/K, K/km
THREE: Layers = [(800.0, 1.9, 2.4, 33.0), (900.0, 2.6, 2.2, 29.0), (1200.0, 3.1, 2.3, 26.0)]


def deep_well(*, layers: Layers, direction: str, load: dict[str, Any], days: list[float]) -> dict[str, Any]:
    """A case of a well of 2,900 m and 30 m³/h, as read from YAML."""
    units = {
        "thickness": "m",
        "conductivity": "W/m/K",
        "volumetric_heat_capacity": "MJ/m^3/K",
        "geothermal_gradient": "K/km",
    }
    return {
        "well": {
            "depth": "2900 m",
            "borehole_diameter": "241.3 mm",
            "casing": {"outer_diameter": "177.8 mm", "wall": "9.19 mm", "conductivity": "40 W/m/K"},
            "grout": {"conductivity": "1.5 W/m/K"},
            "inner_pipe": {"outer_diameter": "110 mm", "wall": "10 mm", "conductivity": "0.42 W/m/K"},
            "flow_direction": direction,
            "flow_rate": "30 m^3/h",
        },
        "fluid": {
            "density": "998 kg/m^3",
            "heat_capacity": "4186 J/kg/K",
            "conductivity": "0.6 W/m/K",
            "viscosity": "1 mPa*s",
        },
        "ground": {
            "surface_temperature": "9.8 degC",
            "layers": [
                {name: f"{value} {unit}" for (name, unit), value in zip(units.items(), layer, strict=True)}
                for layer in layers
            ],
        },
        "load": load,
        "times": [f"{day} d" for day in days],
    }


def kernel_well(case: dict[str, Any], cells: int) -> Well:
    """The well of a case for the kernel, with resistances and capacities as the exact solution sees them."""
    well = well_of(si(case))
    thickness, conductivity, heat_capacity, gradient = well.layers.T
    return Well(
        column=Column.cut(thickness, gradient, well.surface_temperature, share_cells(thickness, cells)),
        conductivity=conductivity,
        fourier_rate=conductivity / heat_capacity / well.borehole_radius**2,
        flow=well.flow,
        annulus_wall=sum(map(resistance, well.annulus_to_rock)),
        annulus_inner=sum(map(resistance, well.inner_to_annulus)),
        annulus_storage=well.annulus_heat_capacity,
        inner_storage=well.inner_heat_capacity,
        annulus_down=well.annulus_down,
    )


def outlet(case: dict[str, Any], *, cells: int, **how: Any) -> Array:
    """Outlet temperature (°C) of the kernel at the times of a case with constant load."""
    numbers = si(case)
    load, fixed_inlet = numbers["load"], "inlet_temperature" in numbers["load"]
    value = load["inlet_temperature"] - 273.15 if fixed_inlet else load["heat_rate"]
    times = np.array(numbers["times"])
    constant: dict[str, Any] = {
        "change": np.zeros(1),
        "load": np.array([value]),
        "fixed_inlet": fixed_inlet,
        "times": times,
    }
    return prescribed_load(kernel_well(case, cells), **constant, **how)[1]


@pytest.mark.parametrize("path", [path for path in WELLS if path.stem not in STORING], ids=lambda path: path.stem)
def test_wells_equal_the_exact_solution(path: Path) -> None:
    answer = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    result = run_well_case(load_well_case(path))
    days = np.array(answer["time_days"])
    np.testing.assert_allclose(result["time"], days, rtol=1e-12)
    settled = days >= 1.0
    assert settled.any()
    for name in ("inlet_temperature", "outlet_temperature"):
        np.testing.assert_allclose(result[name][settled], np.array(answer[name])[settled], rtol=0, atol=0.005)
    heat = np.array(answer["heat_rate_kW"])
    np.testing.assert_allclose(result["heat_rate"][settled], heat[settled], rtol=2e-3, atol=1e-6)
    for name in ("annulus_wall", "annulus_inner"):
        expected = answer[f"R_{name}_mK_per_W"]
        np.testing.assert_allclose(result[f"{name}_resistance"], expected, rtol=1e-12)


@pytest.mark.parametrize("name", sorted(STORING))
def test_walls_that_store_heat_are_refused(name: str) -> None:
    path = next(path for path in WELLS if path.stem == name)
    with pytest.raises(ConfigError, match="storage in the walls is not modelled"):
        load_well_case(path)


@pytest.mark.parametrize("direction", ["annulus_down", "inner_down"])
@pytest.mark.parametrize("layers", [UNIFORM, THREE], ids=["uniform", "three layers"])
@pytest.mark.parametrize("load", [{"heat_rate": "300 kW"}, {"inlet_temperature": "8 degC"}], ids=["heat", "inlet"])
def test_steps_of_a_study_are_fine_enough(direction: str, layers: Layers, load: dict[str, str]) -> None:
    """The cells, modes and hourly steps of a study: within 0.06 K after a day and 0.02 K after ten."""
    case = deep_well(layers=layers, direction=direction, load=load, days=[1.0, 3.0, 10.0, 30.0, 151.0])
    result = outlet(case, cells=CELLS, modes=HOURLY, first=3600.0, growth=0.0)
    error = np.abs(result - solve(case)["outlet_temperature"])
    assert error.max() < 0.06
    assert error[2:].max() < 0.02


@pytest.mark.parametrize("direction", ["annulus_down", "inner_down"])
def test_error_falls_with_the_square_of_the_cell(direction: str) -> None:
    case = deep_well(layers=UNIFORM, direction=direction, load={"inlet_temperature": "8 degC"}, days=[10.0, 151.0])
    results = np.array([outlet(case, cells=cells, first=600.0, growth=0.002) for cells in (15, 30, 60, 120)])
    change = np.diff(results, axis=0)
    np.testing.assert_allclose(change[:-1] / change[1:], 4.0, atol=0.3)


@pytest.mark.parametrize("direction", ["annulus_down", "inner_down"])
def test_error_falls_with_the_step(direction: str) -> None:
    case = deep_well(layers=UNIFORM, direction=direction, load={"inlet_temperature": "8 degC"}, days=[10.0, 151.0])
    exact = np.array(solve(case)["outlet_temperature"])
    errors = [np.abs(outlet(case, cells=300, first=60.0, growth=growth) - exact) for growth in (0.02, 0.01, 0.005)]
    ratios = np.array(errors[:-1]) / np.array(errors[1:])
    np.testing.assert_allclose(ratios, 2.0, atol=0.25)
    assert errors[-1].max() < 0.003


@pytest.mark.parametrize("direction", ["annulus_down", "inner_down"])
def test_without_load_nothing_happens(direction: str) -> None:
    ground: Layers = [(1300.0, 1.9, 2.4, 0.0), (1600.0, 3.1, 2.2, 0.0)]
    case = deep_well(layers=ground, direction=direction, load={"heat_rate": "0 kW"}, days=[1.0, 100.0, 1e4])
    np.testing.assert_allclose(outlet(case, cells=50), 9.8, rtol=0, atol=1e-11)


@pytest.mark.parametrize("direction", ["annulus_down", "inner_down"])
def test_answer_is_linear_in_the_load(direction: str) -> None:
    rest, once, twice = (
        outlet(
            deep_well(layers=THREE, direction=direction, load={"heat_rate": f"{heat} kW"}, days=[0.1, 5.0, 300.0]),
            cells=40,
        )
        for heat in (0.0, 170.0, 340.0)
    )
    assert np.all(once < rest)
    np.testing.assert_allclose(twice - rest, 2.0 * (once - rest), rtol=1e-9)


def test_answer_is_linear_in_the_gradient() -> None:
    """What a warmer ground adds is the same under every load, and doubles with the gradient."""
    added = []
    for heat in (0.0, 300.0):
        flat, once, twice = (
            outlet(
                deep_well(
                    layers=[(2900.0, 2.5, 2.25, gradient)],
                    direction="annulus_down",
                    load={"heat_rate": f"{heat} kW"},
                    days=[0.1, 5.0, 300.0],
                ),
                cells=40,
            )
            for gradient in (0.0, 15.0, 30.0)
        )
        np.testing.assert_allclose(twice - flat, 2.0 * (once - flat), rtol=1e-9)
        added.append(once - flat)
    np.testing.assert_allclose(added[0], added[1], rtol=1e-9)


def test_heat_rate_is_inlet_to_outlet() -> None:
    case = deep_well(layers=THREE, direction="annulus_down", load={"heat_rate": "300 kW"}, days=[1.0, 50.0])
    well = kernel_well(case, 30)
    times = np.array([1.0, 50.0, 60.0]) * DAY
    change, load = np.array([0.0, 50.0]) * DAY, np.array([300e3, -80e3])
    low, high = prescribed_load(well, change=change, load=load, fixed_inlet=False, times=times)
    np.testing.assert_allclose(well.flow * (high - low), [300e3, 300e3, -80e3], rtol=1e-10)  # just before the change
    low, _ = prescribed_load(well, change=change, load=np.array([6.0, 14.0]), fixed_inlet=True, times=times)
    np.testing.assert_array_equal(low, [6.0, 6.0, 14.0])


def test_steps_meet_every_change() -> None:
    change = np.array([0.0, 2.25, 40.0, 400.0]) * DAY
    edges = time_edges(change, 151.0 * DAY, first=120.0, growth=0.01)
    assert edges[0] == 0.0
    assert edges[-1] == 151.0 * DAY
    assert set(change[:3]) <= set(edges)
    since = edges[:-1] - change[np.searchsorted(change, edges[:-1], side="right") - 1]
    assert np.all(np.diff(edges) <= np.maximum(120.0, 0.01 * since) + 1e-6)
    assert len(edges) < 5000
    every_hour = time_edges(np.zeros(1), 10.0 * DAY, first=3600.0, growth=0.0)
    np.testing.assert_array_equal(np.diff(every_hour), np.full(240, 3600.0))


def test_soon_after_a_change_of_load_in_a_slow_well() -> None:
    """17 hours round the loop: for hours after the change the front of colder water is on its way down."""
    case = YAML(typ="safe").load((Path(__file__).parent / "wells" / "slow-deep.yaml").read_text())
    case["load"] = {"schedule": [["0 d", "60 kW"], ["10 d", "150 kW"]]}
    case["times"] = ["3 d", "10 d", "10.000001 d", "10.01 d", "10.03 d", "10.1 d", "10.25 d", "10.5 d", "11 d"]
    later = [time for time in case["times"] if time != "10.000001 d"]  # too soon for the inversion
    exact_outlet = dict(zip(later, solve(case | {"times": later})["outlet_temperature"], strict=True))
    answer = run_well_case(validate(WellCase, case, label="slow"))
    outlet = dict(zip(case["times"], answer["outlet_temperature"].values, strict=True))
    for time in later:
        on_its_way = time in ("10.01 d", "10.03 d", "10.1 d")
        assert outlet[time] == pytest.approx(exact_outlet[time], abs=0.025 if on_its_way else 0.003), time
    assert outlet["10.000001 d"] == pytest.approx(outlet["10 d"], abs=1e-3)
    rate = dict(zip(case["times"], answer["heat_rate"].values, strict=True))
    assert rate["10 d"] == pytest.approx(60.0)  # just before the change
    assert rate["10.000001 d"] == pytest.approx(150.0)


def test_column_lies_in_its_layers() -> None:
    case = deep_well(layers=THREE, direction="annulus_down", load={"heat_rate": "0 kW"}, days=[1.0])
    column, well = kernel_well(case, 16).column, well_of(si(case))
    ends = np.cumsum(column.thickness)
    np.testing.assert_allclose(column.undisturbed, well.undisturbed(ends - column.thickness / 2.0), rtol=1e-13)
    np.testing.assert_allclose([column.thickness[column.layer == n].sum() for n in range(3)], [800.0, 900.0, 1200.0])
    np.testing.assert_array_equal(share_cells(np.array([2900.0, 10.0, 2890.0]), 16), [8, 2, 8])
