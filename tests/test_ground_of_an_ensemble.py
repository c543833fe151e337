"""The ground of a finished ensemble, against the kernels' own coldest well, loops in plain Python, and well cases."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

import study
from kernels.ground import YEAR, rock_response
from study import figures
from study.config import Study
from study.ground import along_wells, cooling_around, cooling_of_wells, half_way, well_case
from study.sampling import sample_inputs
from study.well import run_well_case
from tests.conftest import SMOKE, made, variant

WINTERS = 12


@pytest.fixture(scope="module")
def case() -> Study:
    """Twelve wells in three rows, one rock, a casing of two materials."""
    given = variant(study.load(SMOKE), {"field.rows": 3, "field.columns": 4, "samples": 8, "winters": WINTERS})
    sections = [{"length": "600 m", "conductivity": "20 W/m/K"}]
    changes = {"well.casing.sections": sections, "heat_pump.capacity": "3.6 MW", "building.floor_area": "150000 m^2"}
    return variant(given, changes)


@pytest.fixture(scope="module")
def dataset(case: Study, tmp_path_factory: pytest.TempPathFactory) -> xr.Dataset:
    return study.open_ensemble(made(case, tmp_path_factory.mktemp("ground"))).load()


def test_wells_are_cooled_as_the_coldest_one_and_the_mean(case: Study, dataset: xr.Dataset) -> None:
    places, cooling = cooling_of_wells(case, dataset)
    assert places.shape == (12, 2)
    assert cooling.shape == (8, 12)
    np.testing.assert_allclose(cooling.mean(axis=1), dataset["thermal_interference"].isel(winter=-1), rtol=1e-12)
    # kernels: the same two wells in the middle, with the loads of every winter and their own modes
    assert {*cooling.argmax(axis=1)} <= {5, 6}
    penalty = dataset["coldest_well_penalty"].isel(winter=-1)
    np.testing.assert_allclose(cooling.max(axis=1) - cooling.mean(axis=1), penalty, rtol=0.06)


def test_cooling_around_is_the_sum_of_all_seasons(case: Study, dataset: xr.Dataset) -> None:
    distance, found = cooling_around(case, dataset, [1, 3])
    assert found.shape == (2, len(distance), 8)
    inputs = sample_inputs(case, dataset["sample"].values)
    season, row = 24 * 3600.0 * case.season.days, 5
    layers = 600 * inputs["rock.layers.0.conductivity"][row] + 1400 * inputs["rock.conductivity"][row]

    def response(seconds: float) -> np.ndarray:
        one = np.ones(len(distance))
        return rock_response(
            radius=0.5 * 0.2413 * one,
            distance=distance,
            conductivity=layers / 2000 * one,
            heat_capacity=2.25e6 * one,
            times=np.array([seconds]),
        )[0]

    flow = dataset["heat_extracted"].values[row] * 1e6 / (24 * case.season.days) / (12 * 2000)
    first = flow[0] * response(season)
    third = flow[2] * response(season)
    for winter in (0, 1):
        began = (2 - winter) * YEAR + season
        third = third + flow[winter] * (response(began) - response(began - season))
    for n, own in ((0, first), (1, third)):
        others = dataset["thermal_interference"].values[row, (0, 2)[n]]
        np.testing.assert_allclose(found[n, :, row], own + others, rtol=1e-6)
    assert distance[0] == pytest.approx(0.5 * 0.2413)
    assert distance[-1] == pytest.approx(half_way(case, inputs))
    assert 10.0 < distance[-1] < 20.0  # half of 20 to 40 m


def test_a_lone_well_has_no_neighbour(tmp_path: Path) -> None:
    lone = variant(study.load(SMOKE), {"field": {"rows": 1, "columns": 1}, "samples": 2, "winters": 1})
    dataset = study.open_ensemble(made(lone, tmp_path))
    assert half_way(lone, sample_inputs(lone, np.arange(2))) == 100.0
    _, cooling = cooling_of_wells(lone, dataset)
    assert (cooling == 0.0).all()


def test_a_well_along_its_depth_gives_the_heat_of_its_sample(case: Study, dataset: xr.Dataset) -> None:
    found = along_wells(case, dataset.isel(sample=slice(3)), depths=21)
    assert dict(found.sizes) == {"sample": 3, "time": 1, "depth": 21}
    heat = dataset["heat_extracted"].isel(sample=slice(3), winter=0) / 12 / (24 * case.season.days) * 1e3
    np.testing.assert_allclose(found["heat_rate"].isel(time=0), heat, rtol=1e-6)
    # down the annulus, up the inner pipe: one temperature at the bottom, warmer on the way up than on the way down
    bottom, middle = found.isel(time=0, depth=-1), found.isel(time=0, depth=10)
    np.testing.assert_allclose(bottom["annulus_temperature"], bottom["inner_temperature"], atol=0.05)
    assert (middle["inner_temperature"] > middle["annulus_temperature"]).all()
    assert (found["wall_temperature"] < found["undisturbed_temperature"] + 1e-9).isel(depth=-1).all()


def test_the_well_case_of_a_sample_has_its_numbers(case: Study, dataset: xr.Dataset) -> None:
    inputs = {key: values[5:6] for key, values in sample_inputs(case, dataset["sample"].values).items()}
    inputs["fluid.temperature"] = np.array([12.5])
    found = well_case(case, inputs, heat_rate=250.0, days=30, depths=np.array([0.0, 2000.0]))
    assert found.well.casing.sections is not None
    assert found.well.casing.sections[0].conductivity == 20.0
    assert found.well.flow_rate == inputs["well.flow_rate"][0]
    assert found.fluid.medium == "water"
    assert found.fluid.temperature == 12.5
    assert [layer.thickness for layer in found.ground.layers] == [600.0, 1400.0]
    assert found.ground.layers[0].conductivity == inputs["rock.layers.0.conductivity"][0]
    assert found.ground.layers[1].conductivity == inputs["rock.conductivity"][0]
    assert found.ground.layers[1].geothermal_gradient == 28.0
    assert float(run_well_case(found)["heat_rate"][0]) == pytest.approx(250.0)


def test_the_ground_is_drawn_with_its_numbers(case: Study, dataset: xr.Dataset) -> None:
    figure, (around, above, along) = plt.subplots(1, 3)
    figures.temperature_around_well(dataset, around)
    _, cooling = cooling_around(case, dataset, [WINTERS])
    last = {line.get_label(): line for line in around.get_lines()}[f"end of winter {WINTERS}"]
    np.testing.assert_allclose(last.get_ydata(), -np.median(cooling[0], axis=1))
    figures.field_from_above(dataset, above)
    _, cooling = cooling_of_wells(case, dataset)
    told = [float(text.get_text()) for text in above.texts]
    np.testing.assert_allclose(told, cooling.mean(axis=0), atol=0.051)  # a digit is told
    assert {line.get_label().partition(":")[0] for line in above.get_lines()} == {"coldest", "least cooled"}
    wells = along_wells(case, dataset.isel(sample=slice(3)), depths=11)
    figures.temperature_along_well(wells, along)
    middle = {line.get_label(): line for line in along.get_lines()}["inner pipe"]
    np.testing.assert_allclose(middle.get_xdata(), wells["inner_temperature"].isel(time=-1).median("sample"))
    for axes in (around, above, along):
        assert "(" in axes.get_xlabel()
        assert "(" in axes.get_ylabel()
    figure.canvas.draw()
    plt.close(figure)
