"""Designs held against each other: known answers, intervals that cover, and what makes a pair, in stores."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as some
from hypothesis.extra.numpy import arrays
from matplotlib.figure import Figure
from scipy.special import ndtr, ndtri

import study
from study import figures, statistics
from study.cli import main
from study.comparison import UnknownVariableError, compare
from study.comparison_table import lines
from study.config import load_study, variable_name
from study.contrasts import independent, probability_above
from study.directions import HIGHER, LOWER
from study.errors import EnsembleError
from study.pairing import pair
from study.risk import front, not_dominated, regrets, worst
from study.sampling import SOBOL_DIMENSIONS, sample_inputs, uniforms
from study.statistics import estimate
from study.summary import Winters
from tests.conftest import SMOKE, made, variant

REPLICATES = 16


def made_up(
    seed: int = 1, *, samples: int = 1024, winters: int = 1, shift: float = 0.0, own: float = 0.0
) -> xr.Dataset:
    """An ensemble of 100 + 3 z1 + 4 z2 + shift + own z3 t of carbon reduction, z being standard normal."""
    case = variant(load_study(SMOKE), {"seed": seed, "replicates": REPLICATES, "samples": samples, "winters": winters})
    rows = np.arange(samples)
    z = ndtri(uniforms(case, SOBOL_DIMENSIONS[:3], rows))
    carbon = np.repeat((100 + shift + z @ [3.0, 4.0, own])[:, None], winters, axis=1)
    chance = np.random.default_rng(seed).normal(size=carbon.shape)  # the same for all designs of a seed
    values = {
        "carbon_reduction": (carbon + chance, "t CO2"),
        "electricity": (carbon, "MWh"),
        "heat_unmet": (np.exp(0.5 * z[:, [0]] + 0.5 * chance + 0.1 * shift), "MWh"),
        "unmet_hours": (np.maximum(0.0, np.round(5 * chance)), "h"),
        "heating_reliability": (1 - 0.01 * ndtr(chance - 0.1 * own), "1"),
        "outdoor_temperature_mean": (chance, "degC"),
    }
    inputs = sample_inputs(case, rows)
    return xr.Dataset(
        {
            **{k: (("sample", "winter"), v, {"long_name": k, "units": u}) for k, (v, u) in values.items()},
            **{variable_name(key): ("sample", inputs[key]) for key in case.drawn},
            "status": ("sample", np.zeros(samples, np.int8)),
            "replicate": ("sample", rows % REPLICATES),
        },
        coords={"sample": rows, "winter": 1 + np.arange(winters)},
        attrs={"study": json.dumps(case.resolved())},
    )


def test_paired_difference_of_known_mean_variance_and_sign() -> None:
    found = compare({"a": made_up(), "b": made_up(shift=1.0, own=2.0)}, ["carbon_reduction"], alike=0.0)
    assert found.pairing.paired
    (contrast,) = found.outputs[0].contrasts
    assert (contrast.design, contrast.less, found.outputs[0].better) == ("b", "a", "higher")
    assert contrast.difference.value == pytest.approx(1.0, abs=0.01)  # independent rows: 0.06
    assert contrast.difference.low < 1.0 < contrast.difference.high
    better, worse = contrast.better, contrast.worse
    assert better is not None
    assert worse is not None
    assert better.low < ndtr(0.5) < better.high  # the difference is normal, mean 1 and standard deviation 2
    assert better.value == pytest.approx(ndtr(0.5), abs=5e-3)
    assert better.value + worse.value == pytest.approx(1.0)
    fewer = contrast.times_fewer
    assert fewer is not None
    assert fewer.value == pytest.approx((26 + 30) / 4, rel=0.06)  # chance adds 1 to the variance of each
    assert contrast.better_winter == better  # of one winter


def test_a_difference_that_is_alike_makes_none_better() -> None:
    designs = {"a": made_up(), "b": made_up(shift=0.05)}
    (exact,), (alike,) = (compare(designs, ["electricity"], alike=each).outputs[0].contrasts for each in (0.0, 1e-3))
    assert exact.worse is not None
    assert alike.worse is not None
    assert (exact.worse.value, alike.worse.value) == (1.0, 0.0)  # 0.05 of 100, of electricity less is better
    assert exact.difference == alike.difference
    assert all(each.on_front for each in compare(designs).front.designs)


def test_independent_designs_of_known_probability() -> None:
    found = compare({"a": made_up(), "b": made_up(2, shift=3.0, own=2.0)}, ["carbon_reduction"], alike=0.0)
    assert not found.pairing.paired
    assert found.pairing.why_not == ("seed: 1 in a, 2 in b",)
    assert found.regrets == ()
    (contrast,) = found.outputs[0].contrasts
    assert contrast.difference.low < 3.0 < contrast.difference.high
    assert contrast.better is not None
    assert contrast.better.value == pytest.approx(ndtr(3 / np.sqrt(26 + 30)), abs=0.01)
    assert contrast.better.low < ndtr(3 / np.sqrt(56)) < contrast.better.high
    assert contrast.better_winter is None
    assert contrast.times_fewer is None
    assert [each.not_known for each in found.front.designs] == [None, None]


def sides(values: np.ndarray) -> Winters:
    """Samples with no failed one among them."""
    coords = {
        "replicate": ("sample", np.arange(len(values)) % REPLICATES),
        "failed": ("sample", np.zeros(len(values), dtype=bool)),
    }
    return Winters(xr.Dataset({"x": ("sample", values)}, coords=coords), {"design": "sobol"}, 0.01)


@pytest.mark.parametrize("rows", [64, 512])
def test_intervals_of_independent_designs_cover(rows: int) -> None:
    held = []
    for seed in range(4):
        of: Any = SimpleNamespace(seed=seed, design="sobol", replicates=REPLICATES)
        z = ndtri(uniforms(of, SOBOL_DIMENSIONS[:200], np.arange(rows))).reshape(rows, 50, 2, 2)
        for one, two in np.exp(0.3 * z).sum(axis=-1).transpose(1, 2, 0):  # sums of lognormals, both alike
            a, b = sides(one), sides(1.5 * two)
            levels = [estimate(statistics.mean(side.dataset["x"])) for side in (a, b)]
            difference = independent(levels[1], levels[0])
            above = probability_above(b.dataset["x"], a.dataset["x"], b, a, 1.0, 0.0)
            held.append((difference.low <= np.exp(0.045) <= difference.high, above.low <= ABOVE <= above.high))
    covered = np.mean(held, axis=0)
    assert (covered > 0.915).all(), covered
    assert (covered < 0.995).all(), covered


def _probability_above() -> float:
    """P(1.5 (e^0.3u + e^0.3v) > e^0.3x + e^0.3y) of four independent normals, by quadrature of their distributions."""
    points, weights = np.polynomial.hermite_e.hermegauss(80)
    weights = weights / weights.sum()
    pairs = np.exp(0.3 * points)[:, None] + np.exp(0.3 * points)
    mass = np.outer(weights, weights)
    fine = ndtri((np.arange(4000) + 0.5) / 4000)

    def below(level: np.ndarray) -> np.ndarray:  # of a sum of two lognormals
        rest = level[:, None] - np.exp(0.3 * fine)
        return np.where(rest > 0, ndtr(np.log(np.maximum(rest, 1e-300)) / 0.3), 0.0).mean(axis=1)

    return float((mass.ravel() * below(1.5 * pairs.ravel())).sum())


ABOVE = _probability_above()


def test_regret_by_hand() -> None:
    replicate = {"replicate": ("sample", [0, 1, 0, 1]), "failed": ("sample", [False] * 4)}
    utility = {
        name: xr.DataArray(values, dims="sample", coords=replicate)
        for name, values in {"a": [5.0, 1.0, 3.0, 2.0], "b": [4.0, 4.0, 3.0, 0.0]}.items()
    }
    a, b = regrets(utility)
    assert (a.mean.value, b.mean.value) == (0.75, 0.75)  # 0 3 0 0 and 1 0 0 2
    assert (a.best.value, b.best.value) == (0.75, 0.5)
    a, b = regrets(utility, sign=-1.0)
    assert (a.mean.value, b.mean.value) == (0.75, 0.75)
    assert (a.best.value, b.best.value) == (0.5, 0.75)
    least = min(each.mean.value for each in regrets(utility))
    best = np.maximum(utility["a"], utility["b"])
    assert least == float(best.mean()) - max(float(each.mean()) for each in utility.values())


def test_worst_winters_are_the_mean_of_the_highest() -> None:
    designs = {"a": made_up(samples=256, winters=5), "b": made_up(samples=256, winters=5, shift=2.0)}
    found = compare(designs, ["carbon_reduction"]).worst
    ordered = {name: np.sort(each["heat_unmet"].values, axis=None)[-64:].mean() for name, each in designs.items()}
    for name, value in ordered.items():  # 5 % of 1280 winters are 64
        assert found.values[name].value == pytest.approx(value, rel=1e-12)
    (contrast,) = found.contrasts
    assert contrast.difference.value == pytest.approx(ordered["b"] - ordered["a"], rel=1e-12)
    single = [found.values[name] for name in designs]
    width = contrast.difference.high - contrast.difference.low
    assert 0 < width < 0.5 * np.hypot(*(each.high - each.low for each in single))  # both are the same winters


@given(arrays(float, some.tuples(some.integers(1, 6), some.integers(1, 3)), elements=some.integers(0, 3).map(float)))
def test_points_that_none_dominates(points: np.ndarray) -> None:
    found = not_dominated(points)
    for n, point in enumerate(points):
        beaten = any(
            all(o >= p for o, p in zip(other, point, strict=True)) and tuple(other) != tuple(point) for other in points
        )
        assert found[n] == (not beaten)
    assert found.any()


def test_how_sure_a_place_on_the_front_is() -> None:
    """Two alike designs whose means differ by chance alone, one that is beaten by far, one that is ahead by far."""
    rng = np.random.default_rng(3)
    coords = {"replicate": ("sample", np.arange(320) % 16), "failed": ("sample", np.zeros(320, dtype=bool))}

    def draw(level: float) -> xr.DataArray:
        return xr.DataArray(level + rng.normal(size=320), dims="sample", coords=coords)

    levels = {"ahead": 1.0, "alike": 1.0, "beaten": 0.0}
    values = {"more": {name: draw(level) for name, level in levels.items()}}
    for paired in (True, False):
        found = front(values, signs={"more": 1.0}, paired=paired)
        ahead, alike, beaten = found.designs
        assert ahead.sampling + alike.sampling == pytest.approx(1.0)
        gap = float((values["more"]["ahead"] - values["more"]["alike"]).mean())
        expected = ndtr(gap / np.sqrt(2 / 320))  # normal theory
        assert ahead.sampling == pytest.approx(expected, abs=0.12)
        assert ahead.on_front == (gap > 0)
        assert beaten.sampling == 0.0
    shares = [each.not_known for each in front(values, signs={"more": 1.0}, paired=True).designs]
    stacked = np.array([each.values for each in values["more"].values()])
    assert [each.value for each in shares if each] == pytest.approx(np.bincount(stacked.argmax(axis=0)) / 320)


def test_failed_samples_of_any_design_leave_the_pair() -> None:
    one, two = made_up(), made_up(shift=1.0)
    for dataset, row in ((one, 3), (two, 700)):
        dataset["status"][row] = 2
        for name in ("carbon_reduction", "electricity", "heat_unmet", "unmet_hours", "heating_reliability"):
            dataset[name][row] = np.nan
    found = compare({"a": one, "b": two}, ["electricity"])
    assert found.pairing.failed == {"a": 2, "b": 2}
    kept = np.delete(np.arange(1024), [3, 700])
    assert found.outputs[0].values["a"].value == pytest.approx(float(one["electricity"].values[kept].mean()), rel=1e-12)
    assert found.outputs[0].contrasts[0].difference.value == pytest.approx(1.0, rel=1e-9)
    with pytest.raises(EnsembleError, match=r"^b: 1 of 1,024 samples failed"):
        compare({"a": made_up(), "b": two}, most_failed=0.0)


def test_only_samples_that_all_designs_have() -> None:
    found = pair({"a": made_up(), "b": made_up().isel(sample=slice(100, 400)), "c": made_up(samples=256)})
    assert found.paired
    assert found.samples == {"a": 156, "b": 156, "c": 156}
    assert found.common[0] == "156 samples, of 1,024 in a, 300 in b, 256 in c"
    few, many = made_up(samples=256), made_up(samples=512, shift=1.0)
    whole = compare({"few": few, "many": many}, ["electricity"]).outputs
    assert whole == compare({"few": few, "many": made_up(samples=256, shift=1.0)}, ["electricity"]).outputs
    with pytest.raises(EnsembleError, match="no sample in common"):
        pair({"a": made_up().isel(sample=slice(10)), "b": made_up().isel(sample=slice(20, 30))})


def test_an_input_or_a_winter_of_other_values_is_no_pair() -> None:
    other = made_up()
    other["winter_load"][5] = np.nextafter(float(other["winter_load"][5]), 2)
    found = pair({"a": made_up(), "b": other})
    assert found.why_not == ("winter_load: one distribution in a and b, but other values in 1 of 1,024 samples",)
    other = made_up()
    other["outdoor_temperature_mean"][7, 0] += 1e-12
    (why,) = pair({"a": made_up(), "b": other}).why_not
    assert why == "weather: one climate in a and b, but other temperatures in 1 of 1,024 winters"


@pytest.fixture(scope="module")
def stores(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("designs")
    changes: dict[str, dict[str, Any]] = {
        "base": {"claim": {"carbon_reduction": "450 t"}},
        "wide": {"field.spacing": "60 m"},
        "more": {"peak_heating.capacity": "0.5 MW"},
        "seeded": {"seed": 2},
        "cold": {"climate.monthly_temperature.0": "-16 degC"},
        "longer": {"winters": 3},
        "unsure": {"peak_heating.efficiency": {"distribution": "uniform", "minimum": "0.9", "maximum": "0.99"}},
        "uncorrelated": {"correlations": []},
        "gradient": {"geothermal_gradient": "31 K/km", "correlations": []},
    }
    for name, change in changes.items():
        made(variant(load_study(SMOKE), {**change, "name": name}), folder)
    return folder


@pytest.fixture
def opened(stores: Path) -> Callable[..., dict[str, xr.Dataset]]:
    return lambda *names: {name: study.open_ensemble(stores / f"{name}.zarr") for name in names}


def test_stores_of_one_seed_are_pairs(opened: Callable[..., dict[str, xr.Dataset]]) -> None:
    weather = "every winter's weather, the same to the last bit"
    outages = "the random numbers of outages"
    for name, said in {
        "wide": ("6 uncertain inputs, the same to the last bit", weather, outages),
        "more": ("7 uncertain inputs, the same to the last bit", weather, outages),
        "unsure": ("7 uncertain inputs, the same to the last bit", weather, outages),
        "longer": ("the first 2 winters", "7 uncertain inputs, the same to the last bit", weather, outages),
        "cold": (
            "7 uncertain inputs, the same to the last bit",
            "the random numbers of the weather, in another climate or season",
            outages,
        ),
        "uncorrelated": (
            "5 uncertain inputs, the same to the last bit",
            "the points that rock.conductivity, geothermal_gradient are drawn from",
            weather,
            outages,
        ),
    }.items():
        found = pair(opened("base", name))
        assert found.paired, (name, found.why_not)
        assert found.common == said, name
        assert found.winters == 2
    found = pair(opened("base", "seeded"))
    assert found.why_not == ("seed: 1 in base, 2 in seeded",)
    (wide,) = (each for each in pair(opened("base", "wide")).differences if each.key == "field.spacing")
    assert wide.values == {"base": "uniform: minimum 20 m, maximum 40 m", "wide": "60 m"}


def test_the_kernels_give_a_pair_its_narrow_interval(opened: Callable[..., dict[str, xr.Dataset]]) -> None:
    designs = opened("base", "more")
    hours = compare(designs, ["unmet_hours"]).outputs[0]
    plain = (designs["more"]["unmet_hours"] - designs["base"]["unmet_hours"]).values
    (contrast,) = hours.contrasts
    assert contrast.difference.value == pytest.approx(plain.mean(), rel=1e-12)
    assert contrast.better is not None
    assert contrast.better.value == pytest.approx((plain.mean(axis=1) < -1e-3 * hours.values["base"].value).mean())
    apart = independent(hours.values["more"], hours.values["base"])
    assert contrast.difference.high - contrast.difference.low < 0.9 * (apart.high - apart.low)


def run(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, *arguments: str | Path
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["hotland", "compare", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    return end.value.code or 0, *capsys.readouterr()  # type: ignore[return-value]


def test_the_command(
    stores: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    base, wide, seeded = (stores / f"{name}.zarr" for name in ("base", "wide", "seeded"))
    status, out, error = run(capsys, monkeypatch, base, f"far={wide}", "--picture", tmp_path / "x.png")
    assert (status, error) == (0, f"wrote {tmp_path / 'x.png'}\n")
    assert "paired: 32 samples on common random numbers" in out
    assert "far less base" in out
    assert "probability of 450 t CO2" in out
    assert (tmp_path / "x.png").stat().st_size > 20_000
    status, out, _ = run(
        capsys,
        monkeypatch,
        base,
        seeded,
        "--json",
        "--output",
        "heat_demand",
        "--objective",
        "carbon_reduction",
        "--objective",
        "heat_unmet",
    )
    answer = json.loads(out)
    assert (status, answer["paired"], answer["why_not"]) == (0, False, ["seed: 1 in base, 2 in seeded"])
    assert answer["outputs"][0]["better"] == ""
    assert answer["front"]["objectives"] == {"carbon_reduction": "higher", "heat_unmet": "lower"}
    status, out, _ = run(capsys, monkeypatch, base, seeded, "--picture", tmp_path / "y.svg")
    assert status == 0
    assert "not paired, compared as independent samples:\n  seed: 1 in base, 2 in seeded" in out
    assert "not of one site with either design" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["base.zarr"], "allowed: two stores or more, or a sweep"),
        (["base.zarr", "other/base.zarr"], "is named base too; allowed: names of their own"),
        (["base.zarr", "none.zarr"], "none.zarr"),
        (
            ["base.zarr", "wide.zarr", "--output", "unmet_hour"],
            "--output 'unmet_hour': no variable of numbers; the nearest",
        ),
        (
            ["base.zarr", "wide.zarr", "--output", "field_spacing"],
            "--output 'field_spacing': wide has no such variable",
        ),
        (["base.zarr", "wide.zarr", "--utility", "heat_demand"], "neither more nor less of it is known to be better"),
        (
            ["base.zarr", "wide.zarr", "--objective", "electricity"],
            "--objective: allowed: two or more, each another, got 1",
        ),
        (["base.zarr", "wide.zarr", "--picture", "x.gif"], "--picture x.gif: allowed: a file named .png, .svg or .pdf"),
        (["base.zarr", "wide.zarr", "--picture", "no/x.png"], "no/x.png: cannot be written"),
        (
            ["base.zarr", "wide.zarr", "--at", "wells=3"],
            "of one design each; --at chooses designs of a sweep",
        ),
        (["base.zarr", "wide.zarr", "--alike", "-1"], "'-1': allowed: 0 to 1, or 0% to 100%"),
    ],
)
def test_wrong_input_is_one_message(
    stores: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(stores)
    status, _, error = run(capsys, monkeypatch, *arguments)
    assert status == 2
    assert message in error
    assert "Traceback" not in error


def test_python_refuses_what_it_cannot_compare() -> None:
    with pytest.raises(ValueError, match="two or more, got 1"):
        study.compare({"a": made_up()})
    with pytest.raises(ValueError, match="alike=nan"):
        study.compare({"a": made_up(), "b": made_up()}, alike=np.nan)
    with pytest.raises(EnsembleError, match=r"^b: no sample is done yet"):
        study.compare({"a": made_up(), "b": made_up().isel(sample=slice(0))})
    endless = [made_up().assign(payback_time=("sample", np.full(1024, np.inf), {"units": "yr"})) for _ in "ab"]
    with pytest.raises(UnknownVariableError, match="not finite in 1,024 samples of a"):
        study.compare(dict(zip("ab", endless, strict=True)), ["payback_time"])


def test_costs_join_the_answer_where_all_designs_have_them() -> None:
    designs = {
        name: made_up(shift=shift).assign(
            net_present_value=("sample", level + np.arange(1024.0), {"long_name": "net present value", "units": "CNY"}),
            capital_cost=("sample", cost + np.arange(1024.0), {"long_name": "capital cost", "units": "CNY"}),
        )
        for name, shift, level, cost in (("a", 0.0, 5.0, 10.0), ("b", 5.0, 50.0, 1000.0))
    }
    found = compare(designs)
    assert found.utility == "net_present_value"
    assert [each.mean.value for each in found.regrets] == [45.0, 0.0]
    assert list(found.front.objectives) == ["capital_cost", "carbon_reduction", "heating_reliability"]
    assert all(each.on_front for each in found.front.designs)  # dearer, and more
    axes = figures.pareto_front(found, Figure().add_subplot())
    for text, each in zip(axes.get_legend().get_texts(), found.front.designs, strict=True):
        amount = each.values["carbon_reduction"].value
        assert text.get_text().endswith(f"\ncarbon reduction {amount:,.4g} t CO₂")
    assert {"net_present_value", "capital_cost"} <= {each.variable for each in found.outputs}


def test_units_of_a_line_are_quotients_as_in_all_tables() -> None:
    dearer = {
        name: made_up().assign(
            cost_of_avoided_carbon=("sample", np.arange(1024.0) + n, {"long_name": "a cost", "units": "CNY t-1"})
        )
        for n, name in enumerate("ab")
    }
    found = lines(compare(dearer, ["cost_of_avoided_carbon"], utility="cost_of_avoided_carbon"))
    assert {line.units for line in found if line.section == "a cost" and "less" in line.words} == {"CNY/t", ""}
    assert {line.units for line in found if line.words == "b: 95 % quantile"} == {"CNY/t"}


def test_no_variable_has_two_better_ends() -> None:
    assert not set(HIGHER) & set(LOWER)


@pytest.fixture
def figure() -> Iterator[Figure]:
    figure = plt.figure(layout="constrained")
    yield figure
    plt.close(figure)


def test_pictures_show_the_designs(figure: Figure) -> None:
    designs = {"a": made_up(winters=2), "b": made_up(winters=2, shift=1.0, own=2.0)}
    one, two, three = figure.subplots(3)
    figures.exceedance_of_designs(designs, one)
    lines = {line.get_label(): line for line in one.get_lines()}
    at = 20
    for name, dataset in designs.items():
        x, y = (np.asarray(each) for each in lines[name].get_data())
        assert y[at] == pytest.approx(100 * float((dataset["carbon_reduction"].mean("winter") > x[at]).mean()))
    figures.difference_of_designs(designs, two, "electricity")
    apart = (designs["b"]["electricity"] - designs["a"]["electricity"]).mean("winter").values
    x, y = (np.asarray(each) for each in two.get_lines()[0].get_data())
    assert y[at] == pytest.approx(100 * (apart > x[at]).mean())
    found = compare(designs, ["carbon_reduction"])
    figures.pareto_front(found, three)
    marks = [container[0].get_xydata()[0] for container in three.containers]
    for mark, each in zip(marks, found.front.designs, strict=True):
        assert mark == pytest.approx(
            [each.values["carbon_reduction"].value, 100 * each.values["heating_reliability"].value]
        )
    figures.difference_of_designs({"a": made_up(), "b": made_up(2)}, two)
    assert "not paired" in two.texts[-1].get_text()


def test_worst_of_single_winter_designs_is_its_estimate() -> None:
    values = pair({"a": made_up(), "b": made_up()}).datasets["a"]["heat_unmet"]
    level, rows = worst(values, design="sobol")
    assert float(rows.mean()) == pytest.approx(level.value, rel=1e-12)


def test_what_is_no_ensemble_is_refused_in_words() -> None:
    one = made_up()
    wrong: Any = "store.zarr"
    for other in (wrong, one.isel(winter=0)):
        with pytest.raises(EnsembleError, match="other: allowed: an ensemble, as open_ensemble gives it"):
            compare({"one": one, "other": other})
    with pytest.raises(EnsembleError, match=r"no attribute study: xarray\.set_options\(keep_attrs=True\)"):
        compare({"one": one, "other": one.drop_attrs()})
