"""Samples weighed by readings: days of wells, the conjugate normal case, synthetic truth, bad files, the next run."""

import datetime
import json
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

import study
from kernels.ground import HOUR, HOURLY
from kernels.operation import prepare_steps, undisturbed_state
from kernels.readings import prescribed_step
from study import figures, updating
from study.cli import main
from study.config import Study, load_study
from study.errors import ConfigError, EnsembleError
from study.likelihood import gap_of, likelihood_of, log_likelihood
from study.readings import Readings, predict, read_readings
from study.sampling import sample_inputs
from study.simulation import field_of_wells
from study.updated_study import updated_study
from study.updating import ReadingError
from study.weights import pareto_shape, reweight, tempered
from study.wells import Inputs, with_fluid
from tests.conftest import SMOKE, made, variant, without_doubt

Array = NDArray[np.float64]
WINTERS = 3
HEADER = "date,outlet_temperature (degC),heat (kW)\n"


class Traced(NamedTuple):
    """An ensemble with the daily means of all of its samples."""

    store: Path
    study: Study
    dataset: xr.Dataset
    traces: xr.Dataset
    inputs: Inputs

    def day(self, name: str) -> Array:
        """Daily means, (sample, reading)."""
        return self.traces[name].values.reshape(self.study.samples, -1).astype(float)

    def readings(self, **columns: Array) -> Readings:
        """Of all days, °C and W."""
        days = self.study.season.days
        none = np.full(WINTERS * days, np.nan)
        all_of = {name: columns.get(name, none) for name in ("outlet", "inlet", "heat")}
        return Readings(np.repeat(np.arange(WINTERS), days), np.tile(np.arange(days), WINTERS), **all_of)

    def alone(self, row: int) -> Inputs:
        return {key: values[[row]] for key, values in self.inputs.items()}


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Traced:
    tree = load_study(SMOKE).resolved()
    names = ["inlet_temperature", "outlet_temperature", "heat_extracted"]
    tree |= {"winters": WINTERS, "traces": {"samples": 32, "interval": "daily", "variables": names}}
    case = Study.model_validate(tree)
    store = made(case, tmp_path_factory.mktemp("traced"))
    dataset = study.open_ensemble(store).load()
    loop = dataset["loop_temperature_mean"].isel(winter=0).values
    inputs = with_fluid(sample_inputs(case, dataset["sample"].values), case.fluid.medium, loop)
    return Traced(store, case, dataset, study.open_traces(store).load(), inputs)


def write(path: Path, found: Traced, row: int, *, days: int = 151) -> Path:
    """Readings of a sample's first winter as a file, with the season's errors of one draw."""
    random = np.random.default_rng(row)
    outlet, inlet = (found.day(f"{side}_temperature")[row, :days] for side in ("outlet", "inlet"))
    bias = 0.3 * random.normal()
    columns = [each + bias + 0.1 * random.normal() + 0.1 * random.normal(size=days) for each in (outlet, inlet)]
    heat = 24.0 * found.day("heat_extracted")[row, :days]
    lines = ["date,outlet_temperature (degC),inlet_temperature (degC),heat (MWh/d)"]
    for n, (leaving, entering, taken) in enumerate(zip(*columns, heat, strict=True)):
        day = datetime.date(2026, 11, 1) + datetime.timedelta(days=n)
        lines.append(f"{day},{leaving:.2f},{entering:.2f},{taken:.3f}")
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize(("driver", "stated"), [("heat", 0.11), ("inlet", 0.07)])
def test_days_are_those_of_the_hourly_engine(traced: Traced, driver: str, stated: float) -> None:
    """A sample driven with its own days gives its own water, three winters and two summers long; see `STEPS`."""
    outlet, inlet, heat = (traced.day(name) for name in ("outlet_temperature", "inlet_temperature", "heat_extracted"))
    off = np.empty((4, *outlet.shape[1:]))
    for row in range(len(off)):
        known = {"heat": 1e6 * heat[row]} if driver == "heat" else {"inlet": inlet[row]}
        found = predict(traced.study, traced.alone(row), traced.readings(**known))
        off[row] = found["outlet_temperature"][0] - outlet[row]
        if driver == "heat":  # what the water gives is the heat, whatever its temperature: within float32
            np.testing.assert_allclose(found["inlet_temperature"][0] - inlet[row], off[row], atol=2e-4)
        else:
            np.testing.assert_allclose(found["inlet_temperature"][0], inlet[row])
    assert np.sqrt((off**2).mean()) == pytest.approx(stated, rel=0.25)
    assert np.abs(off).max() < 10 * stated
    assert np.abs(off.reshape(4, WINTERS, -1).mean(axis=2)).max() < 0.02  # of a season: 0.3 K is taken for the bias


def test_energy_is_kept_and_the_heat_is_what_was_asked(traced: Traced) -> None:
    wells = field_of_wells(traced.study, traced.inputs)
    steps, state = prepare_steps(wells, 3 * HOUR), undisturbed_state(wells)
    at = np.repeat(wells.column.segment, 2)
    length = 0.5 * wells.column.length[at]

    def in_water() -> Array:
        per_length = wells.storage_down[at] * state.down + wells.storage_up[at] * state.up
        return np.asarray((length * per_length).sum(axis=0))

    decay = np.exp(-3 * HOUR / HOURLY.time_constant)[0]
    for heat in (2e5, 5e5, -1e5):
        before, memory = in_water(), state.memory[:, 0].copy()
        entering, leaving = prescribed_step(state, wells, steps, heat=heat)
        np.testing.assert_allclose(wells.number * wells.flow * (leaving - entering), heat, rtol=1e-9)
        flux = (state.memory[:, 0] - decay * memory) / (1.0 - decay)  # how a mode remembers it (kernels.ground.advance)
        given = (length * flux).sum(axis=0) * 3 * HOUR - (in_water() - before)
        np.testing.assert_allclose(wells.number * given, heat * 3 * HOUR, rtol=1e-6)
    with pytest.raises(ValueError, match="exactly one"):
        prescribed_step(state, wells, steps)


def test_inlet_and_heat_are_two_ways_to_say_the_same(traced: Traced) -> None:
    case, inputs = traced.study, traced.alone(3)
    heat = np.full(WINTERS * case.season.days, 3e5)  # even: so is, but for the first days, the inlet
    by_heat = predict(case, inputs, traced.readings(heat=heat))
    by_inlet = predict(case, inputs, traced.readings(inlet=by_heat["inlet_temperature"][0]))
    off = (by_inlet["outlet_temperature"] - by_heat["outlet_temperature"]).reshape(WINTERS, -1)
    assert np.abs(off[:, 0]).max() < 0.15  # within the first day the inlet falls by kelvins
    assert np.abs(off[:, 10:]).max() < 2e-3


def test_neighbours_cool_each_other_from_winter_to_winter(traced: Traced) -> None:
    heat, inputs = np.full(WINTERS * 151, 3e5), traced.alone(0)
    near, far = (
        predict(traced.study, inputs | {"field.spacing": np.array([spacing])}, traced.readings(heat=heat))
        for spacing in (15.0, 300.0)
    )
    colder = (far["outlet_temperature"] - near["outlet_temperature"]).reshape(WINTERS, -1)
    assert abs(colder[0, 0]) < 1e-3
    assert (colder[1:, -1] > colder[:-1, -1] + 0.01).all()
    far_last = far["outlet_temperature"].reshape(WINTERS, -1)
    assert far_last[0, -1] < far_last[1, 0] < far_last[0, 0]  # a summer's rest brings back a part


def test_weights_are_those_of_the_conjugate_normal_case() -> None:
    x = stats.norm.ppf((np.arange(20_000) + 0.5) / 20_000)  # prior N(0, 1), points of equal probability
    observed, variance = np.array([0.8, 1.1, 0.5]), 0.5
    found = reweight(log_likelihood(observed, np.repeat(x[:, None], 3, axis=1), variance * np.eye(3))[0])
    exact = 1.0 / (1.0 + 3 / variance)  # Gelman et al. 2013, Bayesian data analysis, equation 2.12
    mean = found.weight @ x
    assert mean == pytest.approx(exact * observed.sum() / variance, abs=2e-3)
    assert found.weight @ (x - mean) ** 2 == pytest.approx(exact, rel=5e-3)
    assert not found.remark


def test_a_bias_of_the_season_is_not_averaged_away() -> None:
    error = ReadingError(sensor=0.1, bias=0.3, drift=1e-6, daily=0.2)
    covariance = error.covariance(np.arange(150.0), np.zeros(150, np.int64), np.zeros(150, np.int64))
    of_mean = 1.0 / np.linalg.inv(covariance).sum()
    assert of_mean == pytest.approx(0.3**2 + 0.1**2 + (0.1**2 + 0.2**2) / 150, rel=1e-6)


@pytest.mark.parametrize("error", [ReadingError(0.0, 1.0, 0.0, 10.0, 0.0), ReadingError(sensor=np.nan)])
def test_errors_that_are_none_are_refused(error: ReadingError) -> None:
    covariance = error.covariance(np.arange(9.0), np.zeros(9, np.int64), np.zeros(9, np.int64))
    with pytest.raises(ValueError, match="errors of readings"):
        log_likelihood(np.zeros(9), np.zeros((1, 9)), covariance)


def test_few_samples_with_the_weight_ask_for_a_new_run() -> None:
    x = np.random.default_rng(1).standard_normal(1000)
    found = reweight(-0.5 * ((x - 3.5) / 0.05) ** 2)
    assert "effective" in found.remark or "Pareto" in found.remark


@pytest.mark.parametrize("k", [0.2, 0.7])
def test_shape_of_a_pareto_tail(k: float) -> None:
    excess = stats.genpareto.ppf((np.arange(2000) + 0.5) / 2000, k, scale=3.0)
    shape, scale = pareto_shape(excess)
    assert shape == pytest.approx(k, abs=0.05)
    assert scale == pytest.approx(3.0, rel=0.05)


def test_truth_is_in_the_range_nine_times_of_ten() -> None:
    random = np.random.default_rng(2)
    x = random.standard_normal((2000, 2))
    day = np.arange(60.0)
    predicted = 12.0 + x[:, :1] + x[:, 1:] * np.log1p(day) / 3
    none = np.zeros(60, np.int64)
    covariance = ReadingError().covariance(day, none, none)
    root, inside = np.linalg.cholesky(covariance), 0
    for truth in range(200):
        observed = predicted[truth] + root @ random.standard_normal(60)
        others = np.arange(2000) != truth
        weight = reweight(log_likelihood(observed, predicted[others], covariance)[0]).weight
        low, high = np.quantile(x[others, 0], [0.05, 0.95], weights=weight, method="inverted_cdf")
        inside += bool(low <= x[truth, 0] <= high)
    assert stats.binomtest(inside, 200, 0.9).pvalue > 0.001


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "header"),
        ("\n\n", "header"),
        ("date,outlet_temperature\n2026-11-01,12\n", "header"),
        ("date,inlet_temperature,heat\n2026-11-01,12,3\n", "header"),
        ("date,outlet_temperature,heat,heat\n", "header"),
        ("date,outlet_temperature,flow\n", "header"),
        ("date;outlet_temperature;heat\n", "header"),
        (
            "date,outlet_temperature,heat (kW)\n",
            r"outlet_temperature has no unit; allowed: outlet_temperature \(degC\)",
        ),
        ("date,outlet_temperature (degC), heat ()\n", "header: 'heat \\(\\)'"),
        ("date,outlet_temperature (degC), heat\n", r"heat has no unit; allowed: heat \(kW\)"),
        ("date,outlet_temperature (kg),heat (kW)\n", "allowed: a unit"),
        ("date,outlet_temperature (degC),heat (parsecs per fortnight)\n", "allowed: a unit"),
        ("date,outlet_temperature (degC),heat (__import__)\n", "allowed: a unit"),
        ("date,outlet_temperature (degC),heat (kW)\n2026-11-01,warm,3\n", "line 2"),
        ("date,outlet_temperature (degC),heat (kW)\n2026-11-01,12,3\n2026-11-02,1e9,3\n", "line 3"),
        ("date,outlet_temperature (degC),heat (kW)\n2026-11-01,12,-inf\n", "line 2"),
        ("date,outlet_temperature (degC),heat (MWh/d)\n2026-11-01,12,1e9\n", "line 2"),
        ("date,outlet_temperature (degC),heat (kW)\n2026-11-01,1 2\t,3\n", "line 2"),
        ('date,outlet_temperature (degC),heat (kW)\n2026-11-01,"1\n2",3\n', "line 3"),
        ("date,outlet_temperature (degC),heat (kW)\n2026-13-01,12,3\n", "date"),
        ("date,outlet_temperature (degC),heat (kW)\n01.11.2026,12,3\n", "date"),
        ("date,outlet_temperature (degC),heat (kW)\n2026-02-30,12,3\n", "date"),
        ("date,outlet_temperature (degC),heat (kW)\n,12,3\n", "date"),
        ("date,outlet_temperature (degC),heat (kW)\n2026-11-01,12,3\n2026-11-01,12,3\n", "twice"),
        ("date,outlet_temperature (degC),heat (kW)\n2026-11-01,12\n", "cells"),
        ("date,outlet_temperature (degC),heat (kW)\n2026-07-01,12,3\n", "days of the season"),
        (
            HEADER + "".join(f"2026-11-{n:02},nan,3\n" for n in range(1, 30)),
            "days of the season",
        ),
        (
            HEADER + "".join(f"2026-11-{n:02},12,\n" for n in range(1, 30)),
            "0 of the 29 days",
        ),
        (
            HEADER + "".join(f"{n}-11-05,12,3\n" for n in range(2020, 2029)),
            "winters",
        ),
        ("date,outlet_temperature (degC),heat (kW)\n2026-11-01,12,3\n2027-02-01,12,3\n" * 1, "days of the season"),
        ("x" * 200_000, "CSV"),
        ("a,b\0c\n", "header"),
    ],
)
def test_bad_readings_are_refused_in_words(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "readings.csv"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said) as error:
        read_readings(path, load_study(SMOKE))
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 400 + len(str(path))


def test_files_that_are_none_are_refused_and_the_command_ends_with_2(
    traced: Traced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "binary").write_bytes(bytes(range(256)) * 40)
    (tmp_path / "huge").write_bytes(b"2026-11-01,12,3\n" * 1_300_000)
    (tmp_path / "long").write_text(HEADER + "2026-11-01,12,3\n" * 50_000)
    (tmp_path / "folder").mkdir()
    for name in ("binary", "huge", "long", "folder", "nowhere"):
        with pytest.raises(SystemExit) as end:
            run_update(monkeypatch, str(traced.store), "--observed", str(tmp_path / name))
        assert end.value.code == 2
        error = capsys.readouterr().err
        assert error.startswith(str(tmp_path / name))
        assert len(error.splitlines()) == 1


def test_first_and_last_day_of_the_season_have_their_places(tmp_path: Path) -> None:
    study, path = load_study(SMOKE), tmp_path / "readings.csv"
    days = [datetime.date(2026, 10, 31) + datetime.timedelta(days=n) for n in range(365 + 3)]
    assert str(days[-2]) == "2027-11-01"  # the next winter's first
    path.write_text("date,outlet_temperature (degC),heat (MWh/d)\n" + "".join(f"{day},12,2.4\n" for day in days))
    found = read_readings(path, study)
    assert study.season.days == 151
    assert found.day.tolist() == [*range(151), 0, 1]
    assert found.winter.tolist() == [0] * 151 + [1] * 2
    assert found.heat == pytest.approx(1e5)
    assert found.remarks == ("215 days are outside the season, 11-01 to 03-31, and are left out",)


def test_gaps_are_told_and_the_fuller_column_drives(tmp_path: Path) -> None:
    case, path = load_study(SMOKE), tmp_path / "readings.csv"
    rows = [
        f"2028-02-{n:02},{'' if n == 12 else 59},{'nan' if n < 15 else 50},{'' if n == 13 else 80}"
        for n in range(10, 30)
    ]
    path.write_text("date, outlet_temperature (degF), inlet_temperature (degF), heat (kW)\n\n" + "\n".join(rows))
    found = read_readings(path, case)
    assert found.driver == "heat"
    assert found.day.tolist() == list(range(101, 120))
    assert np.isnan(found.outlet).tolist() == [n == 2 for n in range(19)]
    assert found.outlet[0] == pytest.approx(15.0)
    assert found.inlet[-1] == pytest.approx(10.0)
    assert found.heat[0] == 8e4
    assert [remark.split(" ", 1)[0] for remark in found.remarks] == ["1", "heat", "heat"]
    assert "leap" in found.remarks[0]
    assert "heat of 1 days was not read" in found.remarks[1]
    assert "heat of the 101 days before the first reading" in found.remarks[2]
    path.write_text(path.read_text().replace("(kW)", "(kWh/d)").replace(",80", ","))
    assert read_readings(path, case).driver == "inlet_temperature"


def test_part_of_the_readings_after_the_other_is_all_of_them() -> None:
    """Readings too sharp for the samples: normal fits to what can be told, until nothing is left, are exact here."""
    observed, variance = np.array([2.0, 2.1, 1.9, 2.0]), 0.01
    exact = 1.0 / (1.0 + 4 / variance)
    middle, spread, left, runs = 0.0, 1.0, 1.0, 0
    points = stats.norm.ppf((np.arange(500) + 0.5) / 500)
    while left > 0.0:
        x = middle + spread * points
        found = log_likelihood(observed, np.repeat(x[:, None], 4, axis=1), variance * np.eye(4))[0]
        share, weights = tempered(left * found)
        assert weights.effective >= 100 * (1 - 1e-3)
        middle = float(weights.weight @ x)
        spread = float(np.sqrt(weights.weight @ (x - middle) ** 2))
        left, runs = left * (1.0 - share), runs + 1
    assert 2 <= runs <= 6
    assert middle == pytest.approx(exact * observed.sum() / variance, abs=0.1 * np.sqrt(exact))
    assert spread == pytest.approx(np.sqrt(exact), rel=0.05)


@pytest.mark.slow
def test_true_ground_is_in_its_range_nine_times_of_ten() -> None:
    """The wells of 8,192 samples, each of 200 the truth in turn, with errors drawn as they are said to be."""
    case, count, truths = variant(load_study(SMOKE), {"samples": 8192}), 8192, 200
    inputs = sample_inputs(case, np.arange(count))
    inputs = with_fluid(inputs, case.fluid.medium, np.full(count, 13.0))
    day, winter, error = np.arange(40), np.zeros(40, dtype=np.int64), ReadingError()
    heat = 3e5 + 1e5 * np.sin(day / 5.0)
    none = np.full(40, np.nan)
    predicted = predict(case, inputs, Readings(winter, day, none, none, heat))
    random = np.random.default_rng(4)
    root = np.linalg.cholesky(error.covariance(day.astype(float), winter, winter))
    grounds = ("rock.conductivity", "geothermal_gradient", "rock.layers.0.conductivity")
    inside, few = dict.fromkeys(grounds, 0), 0
    for truth in range(truths):
        outlet = predicted["outlet_temperature"][truth] + root @ random.standard_normal(40)
        others = np.arange(count) != truth
        readings = Readings(winter, day, outlet, none, heat)
        found = likelihood_of(readings, {name: values[others] for name, values in predicted.items()}, error)[0]
        weights = reweight(found)
        few += bool(weights.remark)
        for key in grounds:
            low, high = np.quantile(inputs[key][others], [0.05, 0.95], weights=weights.weight, method="inverted_cdf")
            inside[key] += bool(low <= inputs[key][truth] <= high)
    assert few < 0.2 * truths
    for key in grounds:
        assert stats.binomtest(inside[key], truths, 0.9).pvalue > 0.005, (key, inside)


def test_readings_of_a_sample_point_to_it(traced: Traced, tmp_path: Path) -> None:
    readings = read_readings(write(tmp_path / "readings.csv", traced, 5), traced.study)
    found = study.update(traced.dataset, readings)
    assert found.needs_run  # 32 samples
    assert found.remarks[0].startswith("a new run from the updated inputs is needed: ")
    days = traced.readings(outlet=traced.day("outlet_temperature")[5], heat=1e6 * traced.day("heat_extracted")[5])
    assert int(study.update(traced.dataset, days).weight.values.argmax()) == 5  # without errors
    assert float(found.weight.sum()) == pytest.approx(1.0)
    assert "no sample explains" not in str(found.remarks)
    assert all(np.isnan([each.posterior.low, each.posterior.high]).all() for each in found.answers)
    assert found.weights.effective < 3
    assert found.bearable.effective == pytest.approx(16, rel=0.01)  # half of the samples: what may be told of inputs
    powered = np.exp(found.part * (found.log_likelihoods - found.log_likelihoods.max()))
    for change in found.changes:
        if found.study.drawn[change.key].kind == "choice":
            continue
        values = found.inputs[change.key]
        mean = float(powered @ values / powered.sum())
        assert change.posterior[0] == pytest.approx(mean, abs=0.2 * change.prior[1])  # but for the smoothing
        assert change.posterior[1] > 0.3 * change.prior[1]
    warm = study.update(traced.dataset, readings, error=ReadingError(bias=10.0, sensor=10.0, drift=10.0, daily=10.0))
    assert warm.weights.effective > 25


def test_failed_samples_have_no_weight_and_are_told(traced: Traced, tmp_path: Path) -> None:
    dataset = xr.concat(
        [traced.dataset.assign_coords(sample=traced.dataset["sample"] + 32 * n) for n in range(4)], "sample"
    )
    dataset.attrs = traced.dataset.attrs | {"study": json.dumps(variant(traced.study, {"samples": 128}).resolved())}
    dataset["status"][7] = 1
    for name in ("carbon_reduction", "unmet_hours", "loop_temperature_mean"):
        dataset[name][7] = np.nan
    error = ReadingError(sensor=3.0)
    found = study.update(dataset, write(tmp_path / "readings.csv", traced, 5), error=error)
    assert "1 of 128 samples failed, and are left out" in found.remarks
    assert found.weight.sel(sample=7) == 0.0
    assert found.weight.sizes["sample"] == 128
    weighted = dataset["carbon_reduction"].mean("winter").weighted(found.weight).mean("sample")
    assert float(weighted) == pytest.approx(found.answers[0].posterior.value)


def test_intervals_stay_within_what_is_possible(traced: Traced) -> None:
    """Weights that fall on few of those hours that are short; enough samples by number, so that intervals are told."""
    case = variant(traced.study, {"samples": 1024, "replicates": 16, "winters": 1})
    random = np.random.default_rng(3)
    hours = np.where(random.random((1024, 1)) < 0.01, 500.0 * random.random((1024, 1)), 0.0)
    dims = ("sample", "winter")
    dataset = xr.Dataset(
        {
            name: (dims, values, {"long_name": name, "units": unit})
            for name, values, unit in (
                ("unmet_hours", hours, "h"),
                ("carbon_reduction", random.normal(size=(1024, 1)), "t CO2"),
                ("outlet_temperature_mean", random.normal(size=(1024, 1)), "degC"),
            )
        },
        coords={"sample": np.arange(1024), "replicate": ("sample", np.arange(1024) % 16)},
    )
    weights = reweight(0.2 * random.normal(size=1024))
    assert not weights.remark
    answers = {each.words.split(",")[0]: each for each in updating._answers(case, dataset, weights)}
    after = answers["unmet_hours"].posterior
    assert 0.0 <= after.low <= after.value <= after.high <= 24 * 151


def test_a_new_run_starts_from_the_updated_inputs(
    traced: Traced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """From the command to the next ensemble, whose inputs have mean, spread and rank correlation of the weighted."""
    write(tmp_path / "readings.csv", traced, 5)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as end:
        run_update(monkeypatch, str(traced.store), "--observed", "readings.csv", "--output", "updated.yaml", "--json")
    assert not end.value.code
    said = capsys.readouterr()
    told = json.loads(said.out)
    assert told["needs_run"]
    assert "next: hotland run updated.yaml" in said.err
    following = load_study(tmp_path / "updated.yaml")
    assert following.name == "smoke-updated"
    found = study.update(traced.dataset, "readings.csv")
    share, weights = tempered(found.log_likelihoods)
    assert told["part"] == found.part == share
    assert f"--share {1 - share:.3g}" in said.err
    drawn = sample_inputs(variant(following, {"samples": 4096}), np.arange(4096))
    moved = [each for each in found.changes if each.moved]
    assert moved
    for change in moved:
        item = following.drawn[change.key]
        assert item.source == "updated from 151 days of readings"
        if item.kind == "choice":
            for option in item.parameters["values"]:
                wanted = weights.weight[found.inputs[change.key] == option].sum()
                assert (drawn[change.key] == option).mean() == pytest.approx(wanted, abs=0.02)
            continue
        mean, spread = change.posterior[:2]
        assert drawn[change.key].mean() == pytest.approx(mean, abs=0.05 * spread), change.key
        assert drawn[change.key].std() == pytest.approx(spread, rel=0.05), change.key
    for each in following.correlations:
        first, second = (drawn[key] for key in each.inputs)
        assert stats.spearmanr(first, second)[0] == pytest.approx(each.rank_correlation, abs=0.04)
    still = {change.key for change in found.changes} - {change.key for change in moved}
    assert all(following.drawn[key] == found.study.drawn[key] for key in still)
    store = made(variant(following, {"winters": 1}), tmp_path)
    assert store.name == "smoke-updated.zarr"
    assert not study.open_ensemble(store)["status"].values.any()
    again = study.update(study.open_ensemble(store), "readings.csv", share=1 - share)
    assert again.weights.effective > found.weights.effective


def run_update(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> None:
    monkeypatch.setattr("sys.argv", ["hotland", "update", *arguments])
    main()


def test_the_command_speaks_and_draws(
    traced: Traced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "readings.csv", traced, 5)
    monkeypatch.chdir(tmp_path)
    picture = ("--picture", "update.png", "--error", "1 K", "--daily", "0.2 K")
    with pytest.raises(SystemExit) as end:
        run_update(monkeypatch, str(traced.store), "--observed", "readings.csv", *picture)
    assert not end.value.code
    said = capsys.readouterr().out
    assert said.startswith("a new run from the updated inputs is needed: ")
    assert "errors: sensor 1 K" in said
    assert "inputs are told with " in said
    assert "which leaves 16 effective samples" in said
    assert "after that part" in said
    (outputs,) = (line for line in said.splitlines() if "output" in line and "before (95 % interval)" in line)
    assert "after" not in outputs
    assert (tmp_path / "update.png").stat().st_size > 10_000
    with figures.dark():
        figures.learned(study.update(traced.dataset, "readings.csv"), plt.figure())
    plt.close("all")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--picture", "a.txt"], "allowed"),
        (["--output", "a.txt"], "allowed"),
        (["--error", "2 kg"], "kg"),
        (["--bias", "-1 K"], "allowed"),
        (["--error", "0 K"], "at least 0.001"),
        (["--drift", "nan K"], "allowed"),
        (["--share", "1.5"], "allowed"),
        (["--share", "0"], "allowed"),
        (["--share", "nan"], "allowed"),
        (["--output", "nowhere/a.yaml"], "nowhere/a.yaml: cannot be written"),
        (["--output", str(SMOKE)], "exists; --overwrite replaces it"),
    ],
)
def test_wrong_options_are_refused(
    traced: Traced,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    path = write(tmp_path / "readings.csv", traced, 5)
    with pytest.raises(SystemExit) as end:
        run_update(monkeypatch, str(traced.store), "--observed", str(path), *arguments)
    assert end.value.code == 2
    assert said in capsys.readouterr().err


def test_samples_that_have_nothing_to_learn_are_refused(traced: Traced, tmp_path: Path) -> None:
    readings = read_readings(write(tmp_path / "readings.csv", traced, 5), traced.study)
    sure = traced.dataset.assign_attrs(study=json.dumps(without_doubt(traced.study).resolved()))
    with pytest.raises(EnsembleError, match="no input is uncertain"):
        study.update(sure, readings)
    spoilt = traced.dataset.copy(deep=True)
    spoilt["carbon_reduction"][3, 0] = np.nan
    with pytest.raises(EnsembleError, match="carbon_reduction is not finite in samples whose status is ok"):
        study.update(spoilt, readings)


def test_readings_that_no_sample_explains_are_told_first_and_nothing_is_made_of_them(
    traced: Traced, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = write(tmp_path / "readings.csv", traced, 5)
    header, *rows = path.read_text().splitlines()
    cells = [row.split(",", 2) for row in rows]
    colder = [f"{date},{float(outlet) - 15.0:.2f},{rest}" for date, outlet, rest in cells]
    path.write_text("\n".join([header, *colder]))
    files = ("--output", str(tmp_path / "updated.yaml"), "--picture", str(tmp_path / "a.png"))
    with pytest.raises(SystemExit) as end:
        run_update(monkeypatch, str(traced.store), "--observed", str(path), *files)
    assert end.value.code == 1
    said = capsys.readouterr()
    assert said.out.startswith("no sample explains the readings, nor would more of them (")
    assert "narrower" not in said.out
    assert "before" not in said.out
    assert "next: " not in said.err
    assert "not written" in said.err
    assert [each.name for each in tmp_path.iterdir()] == ["readings.csv"]
    found = study.update(traced.dataset, path)
    assert not found.needs_run
    assert not found.changes
    with pytest.raises(EnsembleError, match="no sample explains"):
        updated_study(found)
    with pytest.raises(EnsembleError, match="no sample explains"):
        figures.learned(found, plt.figure())
    plt.close("all")


def test_a_truth_among_few_samples_is_never_unexplained(traced: Traced, tmp_path: Path) -> None:
    """Each of them in turn is the truth, and left out: far from all others, but more samples would not be."""
    readings = read_readings(write(tmp_path / "readings.csv", traced, 5, days=60), traced.study)
    wells = study.update(traced.dataset, readings).predicted
    error, misfits = ReadingError(sensor=0.02, bias=0.05, drift=0.02, daily=0.02), 0
    for row in range(12):
        true = replace(readings, outlet=wells["outlet_temperature"][row], inlet=wells["inlet_temperature"][row])
        others = traced.dataset.isel(sample=np.delete(np.arange(32), row))
        found = study.update(others, true, error=error)
        assert not found.unexplained
        misfits += "no sample explains" in str(found.remarks)
    assert misfits  # without the gap it would be said of these


def test_gap_between_samples_is_that_of_a_plain_loop(traced: Traced) -> None:
    days = traced.readings(outlet=traced.day("outlet_temperature")[5], heat=1e6 * traced.day("heat_extracted")[5])
    model = np.random.default_rng(1).normal(size=(7, len(days.day)))
    covariance = ReadingError().covariance((365.0 * days.winter + days.day), days.winter, np.zeros(len(days.day), int))
    inverse = np.linalg.inv(covariance)
    apart = [
        [(a - b) @ inverse @ (a - b) if m != n else np.inf for m, b in enumerate(model)] for n, a in enumerate(model)
    ]
    found = gap_of(days, {"outlet_temperature": model, "inlet_temperature": model}, ReadingError())
    assert found == pytest.approx(np.sqrt(np.min(apart, axis=1).max()), rel=1e-6)


def test_wells_whose_flow_or_summer_was_not_read_are_refused(traced: Traced, tmp_path: Path) -> None:
    readings = read_readings(write(tmp_path / "readings.csv", traced, 5), traced.study)
    swept = traced.study.model_copy(update={"summer_recharge": object()})
    with pytest.raises(ConfigError, match="summer_recharge"):
        predict(swept, traced.inputs, readings)
    circulation = traced.study.circulation.model_copy(update={"flow_control": "variable"})
    with pytest.raises(ConfigError, match="flow_control"):
        predict(traced.study.model_copy(update={"circulation": circulation}), traced.inputs, readings)
    with pytest.raises(ValueError, match="share"):
        study.update(traced.dataset, readings, share=0.0)
