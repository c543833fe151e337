"""One well over time and along its depth, judged by the exact solution; how fast it gets there: `test_convergence`."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from exact import resistance, si, solve, talbot, well_of
from numpy.typing import NDArray
from ruamel.yaml import YAML

from kernels.ground import Shell, Surroundings
from kernels.well import Column, History, Well, prescribed_load, share_cells, time_edges
from study.config import WellCase, load_well_case
from study.errors import ConfigError
from study.reading import validate
from study.well import run_well_case

Array = NDArray[Any]
WELLS = sorted((Path(__file__).parent / "wells").glob("*.yaml"))
REFERENCE = sorted((Path(__file__).parents[2] / "shared" / "reference" / "wells").glob("*.yaml"))
ALONG = ("annulus_temperature", "inner_temperature", "wall_temperature")
DIRECTIONS = ["annulus_down", "inner_down"]
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
    """The well of a case for the kernel, in parts that the exact solution sees; inner pipes store no heat."""
    well = well_of(si(case))
    thickness, conductivity, heat_capacity, gradient = well.layers.T
    films, *walls = zip(*well.annulus_to_rock, strict=True)
    return Well(
        column=Column.cut(thickness, gradient, well.surface_temperature, share_cells(thickness, cells)),
        flow=well.flow,
        surroundings=Surroundings(
            film=np.array(films),
            shells=[Shell(*np.array(wall).T) for wall in walls],
            radius=np.full(len(thickness), well.borehole_radius),
            conductivity=conductivity,
            heat_capacity=heat_capacity,
        ),
        annulus_inner=np.array([sum(map(resistance, parts)) for parts in well.inner_to_annulus]),
        annulus_storage=well.annulus_heat_capacity,
        inner_storage=well.inner_heat_capacity,
        pipe_storage=np.zeros(len(thickness)),
        pipe_share=np.full(len(thickness), 0.5),
        annulus_down=well.annulus_down,
    )


def constant_load(case: dict[str, Any], *, cells: int, **how: Any) -> History:
    """What the kernel makes of a case with constant load."""
    numbers = si(case)
    load, fixed_inlet = numbers["load"], "inlet_temperature" in numbers["load"]
    value = load["inlet_temperature"] - 273.15 if fixed_inlet else load["heat_rate"]
    constant: dict[str, Any] = {
        "change": np.zeros(1),
        "load": np.array([value]),
        "fixed_inlet": fixed_inlet,
        "times": np.array(numbers["times"]),
    }
    return prescribed_load(kernel_well(case, cells), **constant, **how)


def outlet(case: dict[str, Any], *, cells: int, **how: Any) -> Array:
    """Outlet temperature (°C) of the kernel at the times of a case with constant load."""
    return constant_load(case, cells=cells, **how).outlet


@pytest.mark.skipif(not REFERENCE, reason="no ../shared/reference/wells beside the project")
def test_reference_wells_are_there() -> None:
    assert {"constant-load", "wall-storage", "five-winters"} <= {path.stem for path in REFERENCE}


@pytest.mark.parametrize("path", [*WELLS, *REFERENCE], ids=lambda path: path.stem)
def test_wells_equal_the_exact_solution(path: Path) -> None:
    """Within 0.5 mK from a day on; along the well within 50 mK, worst where layers or sections end."""
    answer = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
    result = run_well_case(load_well_case(path))
    days = np.array(answer["time_days"])
    np.testing.assert_allclose(result["time"], days, rtol=1e-12)
    settled = days >= 1.0
    assert settled.any()
    for name in ("inlet_temperature", "outlet_temperature"):
        np.testing.assert_allclose(result[name][settled], np.array(answer[name])[settled], rtol=0, atol=0.0005)
    heat = np.array(answer["heat_rate_kW"])
    np.testing.assert_allclose(result["heat_rate"][settled], heat[settled], rtol=2e-4, atol=1e-6)
    for name in ("annulus_wall", "annulus_inner"):
        expected = answer[f"R_{name}_mK_per_W"]
        np.testing.assert_allclose(result[f"{name}_resistance"], expected, rtol=1e-12)
    assert ("depth" in result) == ("depth_m" in answer)
    if "depth_m" in answer:
        np.testing.assert_allclose(result["depth"], answer["depth_m"], rtol=1e-12)
        for name in ALONG:
            np.testing.assert_allclose(result[name][settled], np.array(answer[name])[settled], rtol=0, atol=0.05)


@pytest.mark.parametrize("name", ["five-layers", "hot-inlet-inner-down", "slow-deep", "steel-inner-pipe", "pulses"])
def test_temperatures_along_the_well(name: str) -> None:
    """At top and bottom and on both sides of each layer's end, against both inversions."""
    case = YAML(typ="safe").load((Path(__file__).parent / "wells" / f"{name}.yaml").read_text(encoding="utf-8"))
    numbers = si(case)
    depth = numbers["well"]["depth"]
    ends = np.cumsum([layer["thickness"] for layer in numbers["ground"]["layers"]])
    ends = ends[ends < depth]
    places = sorted({0.0, 1.0, depth / 3.0, 0.9 * depth, depth, *ends, *(ends - 1.0), *(ends + 1.0), *(ends + 30.0)})
    case["depths"] = [f"{place} m" for place in places]
    case["times"] = [time for time in case["times"] if si(time) >= (3.0 if name == "slow-deep" else 1.0) * DAY][::2]
    result = run_well_case(validate(WellCase, case, label=name))
    first, second = solve(case), solve(case, invert=talbot)
    for key in ALONG:
        np.testing.assert_allclose(first[key], second[key], rtol=0, atol=1e-5, err_msg=key)
        np.testing.assert_allclose(result[key], first[key], rtol=0, atol=0.05, err_msg=key)
    np.testing.assert_allclose(result["wall_temperature"], first["wall_temperature"], rtol=0, atol=0.005)
    down, up = ("inner", "annulus") if case["well"]["flow_direction"] == "inner_down" else ("annulus", "inner")
    np.testing.assert_array_equal(result[f"{down}_temperature"][:, 0], result["inlet_temperature"])
    np.testing.assert_array_equal(result[f"{up}_temperature"][:, 0], result["outlet_temperature"])


def test_water_bends_where_a_section_and_a_layer_end() -> None:
    """Insulated above, bare steel below, cold rock on hot: 1 m to both sides of the corner, and on it."""
    layers: Layers = [(1450.0, 1.2, 2.5, 10.0), (1450.0, 4.5, 2.2, 50.0)]
    case = deep_well(layers=layers, direction="annulus_down", load={"heat_rate": "300 kW"}, days=[1.0, 151.0])
    pipe = {"conductivity": "40 W/m/K", "sections": [{"length": "1450 m", "conductivity": "0.02 W/m/K"}]}
    case["well"] |= {"flow_rate": "10 m^3/h", "inner_pipe": case["well"]["inner_pipe"] | pipe}
    case["depths"] = [f"{depth} m" for depth in (0, 1400, 1449, 1450, 1451, 1500, 2900)]
    result, exact = run_well_case(validate(WellCase, case, label="corner")), solve(case)
    for key in ALONG:
        np.testing.assert_allclose(result[key], exact[key], rtol=0, atol=0.005, err_msg=key)


def with_sections(**sections: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """A case in three layers whose walls store heat, without and with sections."""
    case = YAML(typ="safe").load((Path(__file__).parent / "wells" / "storing-walls.yaml").read_text(encoding="utf-8"))
    case |= {"load": {"heat_rate": "220 kW"}, "times": ["1 d", "30 d", "3650 d"], "depths": ["300 m", "2200 m"]}
    well = {name: part | sections[name] if name in sections else part for name, part in case["well"].items()}
    return case, case | {"well": well}


def test_sections_of_the_same_kind_are_the_plain_well() -> None:
    """Where the layers of rock end and below the well, so that no cell is cut in two."""
    plain, divided = (
        run_well_case(validate(WellCase, case, label="sections"))
        for case in with_sections(
            casing={"sections": [{"length": "1000 m", "conductivity": "40 W/m/K"}]},
            grout={"sections": [{"length": "1000 m"}, {"length": "5000 m", "conductivity": "7 W/m/K"}]},
            inner_pipe={"sections": [{"length": "2200 m"}, {"length": "10 m", "conductivity": "45 W/m/K"}]},
        )
    )
    # the grout's second section is of another kind: the same well is one whose grout changes there
    changed = with_sections(grout={"sections": [{"length": "1000 m"}], "conductivity": "7 W/m/K"})[1]
    changed["well"]["grout"]["sections"][0]["conductivity"] = "1.5 W/m/K"
    other = run_well_case(validate(WellCase, changed, label="changed"))
    for name in ("outlet_temperature", *ALONG):
        np.testing.assert_allclose(divided[name], other[name], rtol=0, atol=1e-9)
    assert np.abs(divided["outlet_temperature"] - plain["outlet_temperature"]).min() > 0.1
    plain, divided = (
        run_well_case(validate(WellCase, case, label="sections"))
        for case in with_sections(
            casing={"sections": [{"length": "1000 m", "conductivity": "40 W/m/K"}]},
            grout={"sections": [{"length": "1000 m"}, {"length": "5000 m", "conductivity": "1.5 W/m/K"}]},
            inner_pipe={"sections": [{"length": "2200 m"}, {"length": "10 m", "conductivity": "45 W/m/K"}]},
        )
    )
    for name in ("outlet_temperature", "annulus_wall_resistance", "annulus_inner_resistance", *ALONG):
        np.testing.assert_allclose(divided[name], plain[name], rtol=0, atol=1e-9)


def test_sections_that_cut_cells_change_little() -> None:
    plain, divided = (
        run_well_case(validate(WellCase, case, label="sections"))["outlet_temperature"]
        for case in with_sections(
            casing={"sections": [{"length": "137 m"}, {"length": "1 m"}, {"length": "700 m"}]},
            inner_pipe={"sections": [{"length": "2100 m", "conductivity": "0.42 W/m/K"}]},
        )
    )
    np.testing.assert_allclose(divided, plain, rtol=0, atol=1e-3)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_without_load_nothing_happens(direction: str) -> None:
    ground: Layers = [(1300.0, 1.9, 2.4, 0.0), (1600.0, 3.1, 2.2, 0.0)]
    case = deep_well(layers=ground, direction=direction, load={"heat_rate": "0 kW"}, days=[1.0, 100.0, 1e4])
    np.testing.assert_allclose(outlet(case, cells=50), 9.8, rtol=0, atol=1e-11)


@pytest.mark.parametrize("direction", DIRECTIONS)
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
    low, high, *_ = prescribed_load(well, change=change, load=load, fixed_inlet=False, times=times)
    np.testing.assert_allclose(well.flow * (high - low), [300e3, 300e3, -80e3], rtol=1e-10)  # just before the change
    low, *_ = prescribed_load(well, change=change, load=np.array([6.0, 14.0]), fixed_inlet=True, times=times)
    np.testing.assert_array_equal(low, [6.0, 6.0, 14.0])


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_temperatures_along_the_well_are_those_of_the_right_channel(direction: str) -> None:
    """Warmer towards the bottom; the annulus lies between rock and inner pipe where heat is taken."""
    case = deep_well(layers=UNIFORM, direction=direction, load={"heat_rate": "300 kW"}, days=[30.0])
    history = constant_load(case, cells=12)
    assert history.annulus.shape == history.inner.shape == history.wall.shape == (1, 24)
    down, up = (history.annulus, history.inner) if direction == "annulus_down" else (history.inner, history.annulus)
    assert np.all(np.diff(np.append(history.inlet, down[0])) > 0.0)
    assert np.all(up > down)
    undisturbed = kernel_well(case, 12).column.undisturbed
    assert np.all(history.wall[0, 8:] < undisturbed[8:])
    assert np.all(history.wall[0, 8:] > history.annulus[0, 8:])


def test_load_that_starts_late_is_refused() -> None:
    case = deep_well(layers=UNIFORM, direction="annulus_down", load={"heat_rate": "300 kW"}, days=[1.0])
    well, one = kernel_well(case, 4), np.ones(1)
    for change, times in ((one, 5.0 * one), (0.0 * one, 0.0 * one)):
        with pytest.raises(ValueError, match="the load must start at 0 and output later, got"):
            prescribed_load(well, change=change, load=one, fixed_inlet=False, times=times)


def test_steps_meet_the_changes_and_are_never_too_short() -> None:
    change = np.array([0.0, 2.25, 40.0, 40.0001, 400.0]) * DAY
    edges = time_edges(change, 151.0 * DAY, first=120.0, growth=0.01)
    assert edges[0] == 0.0
    assert edges[-1] == 151.0 * DAY
    met = change[:3]
    assert {*met} <= set(edges)
    since = edges[:-1] - met[np.searchsorted(met, edges[:-1], side="right") - 1]
    assert np.all(np.diff(edges) <= np.maximum(120.0, 0.01 * since) + 1e-6)
    assert np.diff(edges).min() > 60.0
    assert len(edges) < 5000
    assert time_edges(change, 40.0 * DAY + 1.0, first=120.0, growth=0.01)[-1] == 40.0 * DAY + 120.0
    every_hour = time_edges(np.zeros(1), 10.0 * DAY, first=3600.0, growth=0.0)
    np.testing.assert_array_equal(np.diff(every_hour), np.full(240, 3600.0))


def test_changes_too_quick_for_the_steps_count_by_their_mean() -> None:
    """A load that jumps every second is the mean load to a well that needs an hour and a half for one round."""
    plain = deep_well(layers=UNIFORM, direction="annulus_down", load={"heat_rate": "250 kW"}, days=[1.0, 10.0])
    jumps = [[f"{n} s", f"{200 + 100 * (n % 2)} kW"] for n in range(3600)] + [["3600 s", "250 kW"]]
    mean, jumping = (
        run_well_case(validate(WellCase, plain | {"load": load}, label="jumps"))["outlet_temperature"].values
        for load in (plain["load"], {"schedule": jumps})
    )
    np.testing.assert_allclose(jumping, mean, rtol=0, atol=1e-3)


def test_a_medium_has_the_properties_of_its_loop() -> None:
    case = deep_well(layers=UNIFORM, direction="annulus_down", load={"inlet_temperature": "5 degC"}, days=[10.0])
    case["fluid"] = {"medium": "propylene_glycol", "mass_fraction": "25 %"}
    found = run_well_case(validate(WellCase, case, label="medium"))
    year = case | {"times": [f"{month * 365 / 12} d" for month in range(1, 13)]}
    yearly = run_well_case(validate(WellCase, year, label="medium"))
    loop = 0.5 * float((yearly["outlet_temperature"] + yearly["inlet_temperature"]).mean())
    case["fluid"]["temperature"] = f"{loop} degC"
    given = run_well_case(validate(WellCase, case, label="medium"))
    np.testing.assert_allclose(found["outlet_temperature"], given["outlet_temperature"], atol=0.01)
    resistance = float(given["annulus_wall_resistance"])
    assert float(found["annulus_wall_resistance"]) == pytest.approx(resistance, rel=1e-3)
    case["fluid"] = {"medium": "water", "temperature": "20 degC"}
    water = run_well_case(validate(WellCase, case, label="medium"))
    assert float(water["annulus_wall_resistance"]) < resistance  # glycol's film is the thicker one


@pytest.mark.parametrize(
    ("fluid", "flow_rate", "words"),
    [
        ({"medium": "water"}, "30 m^3/h", "fluid: at a mean of"),
        (
            {
                "density": "998 kg/m^3",
                "heat_capacity": "4186 J/kg/K",
                "conductivity": "0.6 W/m/K",
                "viscosity": "1e-5 Pa*s",
            },
            "900 m^3/h",
            "well.flow_rate: Reynolds number",
        ),
    ],
)
def test_a_fluid_or_flow_of_which_nothing_is_known_is_refused(fluid: Any, flow_rate: str, words: str) -> None:
    case = deep_well(layers=UNIFORM, direction="annulus_down", load={"inlet_temperature": "-20 degC"}, days=[1.0])
    case["fluid"], case["well"]["flow_rate"] = fluid, flow_rate
    with pytest.raises(ConfigError, match=words):
        run_well_case(validate(WellCase, case, label="odd"))


@pytest.mark.parametrize("direction", ["annulus_down", "inner_down"])
def test_pumping_power_is_friction_less_buoyancy(direction: str) -> None:
    case = deep_well(layers=UNIFORM, direction=direction, load={"heat_rate": "300 kW"}, days=[30.0])
    case["depths"] = [f"{depth} m" for depth in np.linspace(0, 2900, 291)]
    found = run_well_case(validate(WellCase, case, label="pump"))
    warmer = np.trapezoid(found["inner_temperature"][0] - found["annulus_temperature"][0], found["depth"])
    buoyancy = 998.0 * 9.80665 * 2.6e-4 * warmer * (1 if direction == "annulus_down" else -1)
    assert float(found["buoyancy_pressure"][0]) * 1e3 == pytest.approx(buoyancy, rel=1e-3)
    friction = float(found["friction_pressure"]) * 1e3
    assert float(found["pumping_power"][0]) * 1e3 == pytest.approx(30 / 3600 * (friction - buoyancy), rel=1e-3)


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
        assert outlet[time] == pytest.approx(exact_outlet[time], abs=0.01 if on_its_way else 0.0005), time
    assert outlet["10.000001 d"] == pytest.approx(outlet["10 d"], abs=1e-3)  # nothing has come up yet
    rate = dict(zip(case["times"], answer["heat_rate"].values, strict=True))
    assert rate["10 d"] == pytest.approx(60.0)  # just before the change
    assert rate["10.000001 d"] == pytest.approx(150.0)


def test_column_lies_in_its_layers() -> None:
    case = deep_well(layers=THREE, direction="annulus_down", load={"heat_rate": "0 kW"}, days=[1.0])
    column, well = kernel_well(case, 16).column, well_of(si(case))
    np.testing.assert_array_equal(column.cells, [4, 5, 7])
    np.testing.assert_allclose(column.length * column.cells, [800.0, 900.0, 1200.0])
    np.testing.assert_array_equal(column.segment, np.repeat([0, 1, 2], [4, 5, 7]))
    np.testing.assert_allclose(column.undisturbed, well.undisturbed(column.depth), rtol=1e-13)
    ends = np.cumsum(column.length[column.segment])
    middle = np.repeat(ends - column.length[column.segment] / 2.0, 2).reshape(-1, 2)
    apart = np.diff(column.depth.reshape(-1, 2))[:, 0]
    np.testing.assert_allclose(column.depth.reshape(-1, 2).mean(axis=1), middle[:, 0], rtol=1e-13)
    np.testing.assert_allclose(apart, column.length[column.segment] / np.sqrt(3.0), rtol=1e-12)
    np.testing.assert_array_equal(share_cells(np.array([2900.0, 10.0, 2890.0]), 16), [8, 1, 8])


def test_column_of_many_wells_is_that_of_each() -> None:
    rng = np.random.default_rng(2)
    thickness, gradient, cells = rng.uniform(100.0, 900.0, (3, 4)), rng.uniform(0.02, 0.04, (3, 4)), np.array([2, 1, 3])
    surface = rng.uniform(5.0, 12.0, 4)
    together = Column.cut(thickness, gradient, surface, cells)
    for lane in range(4):
        alone, one = Column.cut(thickness[:, lane], gradient[:, lane], surface[lane], cells), together.lane(lane)
        for name in ("length", "cells", "depth", "undisturbed"):
            np.testing.assert_array_equal(getattr(one, name), getattr(alone, name), err_msg=name)
