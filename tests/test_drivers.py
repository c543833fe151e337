"""What drives an output: known answers through design, kernels, store and estimators, and what is refused."""

import json
import shutil
import signal
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr

from kernels import LANES
from study import drivers, figures
from study.blocks import compute_block
from study.cli import main
from study.config import CHANCE, Study, load_study, variable_name
from study.drivers import Drivers, Index, Number, UnknownOutputError, to_json, what_drives
from study.engine import prepare
from study.ensemble import open_rows
from study.errors import EnsembleError
from study.pick_freeze import MixedStudy, columns_of, extended_study, store_of
from study.sampling import sample_inputs
from study.sensitivity import saltelli
from study.storage import Storage
from tests.conftest import SMOKE, hotland, stop_run, variant

CERTAIN = {
    "correlations": [],
    "well.flow_rate": "25 m^3/h",
    "field.spacing": "30 m",
    "rock.conductivity": "2.5 W/m/K",
    "rock.layers.0.conductivity": "1.9 W/m/K",
    "geothermal_gradient": "30 K/km",
    "winter_load": 1,
    "heat_pump.second_law_efficiency": 0.52,
    "winters": 1,
    "replicates": 16,
}
STEADY = {
    "climate.season_standard_deviation": "0 K",
    "climate.daily_standard_deviation": ["0 K"] * 12,
    "climate.diurnal_variability": 0,
}
FACTOR = {"distribution": "uniform", "minimum": "0.05 t/GJ", "maximum": "0.15 t/GJ"}
LOSS = {"distribution": "uniform", "minimum": 0.0, "maximum": 0.5}


def compute(study: Study, store: Path) -> None:
    ensemble, blocks = prepare(study, Storage.at(store), block_size=4 * LANES)
    for block in blocks:
        compute_block(study, ensemble, block)


def computed(study: Study, store: Path, *, base: int) -> str:
    """An ensemble, extended."""
    compute(study, store)
    compute(MixedStudy.of(study, base=base), Path(store_of(str(store))))
    return str(store)


def by_name(found: Drivers) -> dict[str, Index]:
    return {index.name: index for index in (*found.inputs, *found.groups)}


def holds(number: Number, truth: float, *, half_width: float) -> bool:
    """Whether an interval, made wider by half, holds the truth, and is no wider than asked."""
    half = (number.high - number.low) / 2
    return abs(number.value - truth) <= 1.5 * half and half <= half_width


@pytest.fixture(scope="module")
def product(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Only the account is uncertain, in steady weather: reduction = a factor / (1 - loss) - b."""
    study = variant(
        load_study(SMOKE),
        CERTAIN | STEADY | {"samples": 256, "carbon.baseline_factor": FACTOR, "carbon.network_loss": LOSS},
    )
    return computed(study, tmp_path_factory.mktemp("product") / "x.zarr", base=256)


def product_indices() -> dict[str, tuple[float, float]]:
    """First-order and total index of f and g = 1 / (1 - l) in f g."""
    loss = np.linspace(0.0, 0.5, 100_001)
    factor, network = (
        (0.1, 0.1**2 / 12),
        (2 * np.log(2), np.trapezoid(1 / (1 - loss) ** 2, loss) / 0.5 - (2 * np.log(2)) ** 2),
    )
    of_factor, of_network, of_both = factor[1] * network[0] ** 2, network[1] * factor[0] ** 2, factor[1] * network[1]
    variance = of_factor + of_network + of_both
    return {
        "carbon_baseline_factor": (of_factor / variance, (of_factor + of_both) / variance),
        "carbon_network_loss": (of_network / variance, (of_network + of_both) / variance),
    }


def test_a_product_has_the_indices_of_a_product(product: str) -> None:
    answer = what_drives(product, ["carbon_reduction"])
    (found,) = answer.drivers
    assert (answer.extended, answer.samples, answer.failed, answer.statement) == (256, 256, 0, "")
    indices = by_name(found)
    for name, (first, total) in product_indices().items():
        assert holds(indices[name].first, first, half_width=0.15), indices[name]
        assert holds(indices[name].total, total, half_width=0.15), indices[name]
    assert indices[CHANCE].total.value == 0.0  # the weather is steady
    assert holds(indices["accounting"].total, 1.0, half_width=0.25)
    assert found.unexplained is None
    assert [index.name for index in found.inputs][-1] == CHANCE
    assert found.inputs[0].total.value >= found.inputs[1].total.value


def test_the_ensemble_alone_has_them_too(product: str, tmp_path: Path) -> None:
    store = shutil.copytree(product, tmp_path / "alone.zarr")
    answer = what_drives(str(store), ["carbon_reduction"])
    (found,) = answer.drivers
    assert answer.extended == 0
    assert found.unexplained is not None
    assert found.unexplained.value < 0.01
    indices = by_name(found)
    assert CHANCE not in indices
    for name, (first, total) in product_indices().items():
        assert indices[name].first.value == pytest.approx(first, abs=0.02)
        assert indices[name].total.value == pytest.approx(total, abs=0.02)


def test_a_group_that_lacks_chance_says_so(tmp_path: Path) -> None:
    load = {"distribution": "uniform", "minimum": 0.8, "maximum": 1.2}
    study = variant(load_study(SMOKE), CERTAIN | {"samples": 128, "winter_load": load, "carbon.network_loss": LOSS})
    compute(study, tmp_path / "x.zarr")
    (found,) = what_drives(str(tmp_path / "x.zarr"), ["heat_demand"]).drivers
    (winter,) = (group for group in found.groups if group.name == "winter")
    assert winter.keys == ("winter_load",)
    assert "without chance" in winter.remark
    assert found.inputs[0].remark.count("without chance") == 0


def test_where_nothing_else_is_uncertain_chance_is_all(tmp_path: Path) -> None:
    study = variant(load_study(SMOKE), CERTAIN | {"samples": 64, "winters": 3})
    store = computed(study, tmp_path / "x.zarr", base=64)
    found = {(d.output, d.winter): d for d in what_drives(store, ["heat_demand"], winter="each").drivers}
    assert [winter for _, winter in found] == [1, 2, 3]
    for each in found.values():
        (chance,) = each.inputs
        assert chance.name == CHANCE
        assert holds(chance.first, 1.0, half_width=0.5)
        assert holds(chance.total, 1.0, half_width=0.5)
    (mean,) = what_drives(store, ["heat_demand"]).drivers
    assert mean.winter is None
    (second,) = what_drives(store, ["heat_demand"], winter=2).drivers
    again = found["heat_demand", 2]
    assert (second.output, second.winter) == (again.output, again.winter)
    assert second.inputs[0].total.value == pytest.approx(again.inputs[0].total.value, rel=1e-12)


def test_rows_of_a_study_have_the_indices_of_sobols_g_function() -> None:
    """Sobol' G of eight uniform inputs of a study, from its mixed rows alone; closed formulas of Sobol' (2003)."""
    a = np.array([0.0, 1.0, 4.5, 9.0, 99.0, 99.0, 99.0, 99.0])
    part = 1 / (3 * (1 + a) ** 2)
    variance = np.prod(1 + part) - 1
    first, total = part / variance, part / (1 + part) * np.prod(1 + part) / variance
    uniform = {
        "geothermal_gradient": ("20 K/km", "40 K/km"),
        "rock.conductivity": ("2 W/m/K", "3 W/m/K"),
        "winter_load": (0.5, 1.5),
        "field.spacing": ("20 m", "40 m"),
        "building.design_load": ("30 W/m^2", "40 W/m^2"),
        "carbon.baseline_factor": ("0.05 t/GJ", "0.15 t/GJ"),
        "heat_pump.second_law_efficiency": (0.4, 0.6),
        "surface_temperature": ("9 degC", "11 degC"),
    }
    changes: dict[str, Any] = {
        key: {"distribution": "uniform", "minimum": low, "maximum": high} for key, (low, high) in uniform.items()
    }
    study = variant(load_study(SMOKE), CERTAIN | changes)

    def g(rows: np.ndarray, of: Study) -> xr.DataArray:
        inputs = sample_inputs(of, rows)
        ends = {key: study.inputs[key].quantile(np.array([0.0, 1.0])) for key in uniform}
        u = np.array([(inputs[key] - low) / (high - low) for key, (low, high) in ends.items()])
        values = np.prod((np.abs(4 * u - 2) + a[:, None]) / (1 + a[:, None]), axis=0)
        return xr.DataArray(values, dims="sample")

    mixed = MixedStudy.of(study, base=2048)
    own = np.arange(2048)
    columns = [column for column in columns_of(study) if column.inputs[0] in uniform and len(column.inputs) == 1]
    numbers = {column.name: 1 + number for number, column in enumerate(mixed.mixed)}
    further = [g(own * mixed.matrices + numbers[column.name], mixed) for column in columns]
    names = xr.DataArray([column.name for column in columns], dims="input", name="input")
    found = saltelli(g(own, study), g(own * mixed.matrices, mixed), xr.concat(further, names), own % study.replicates)
    for kind, truth in (("first", first), ("total", total)):
        for key, right in zip(uniform, truth, strict=True):
            here = found.sel(input=variable_name(key))
            number = Number(*(float(here[f"{kind}{end}"]) for end in ("", "_low", "_high")))
            assert holds(number, right, half_width=0.05), (kind, key, right, number)


def test_what_there_is_not_is_refused(product: str) -> None:
    for name, said in (("carbon_reductoin", "carbon_reduction"), ("claim_missed", "no claim"), ("status", "nearest")):
        with pytest.raises(UnknownOutputError, match=said):
            what_drives(product, [name])
    for winter in (0, 2, -1):
        with pytest.raises(UnknownOutputError, match=f"--winter {winter}: allowed: 1 to 1, mean or each"):
            what_drives(product, winter=winter)


def test_the_first_rows_have_to_be_there(product: str) -> None:
    with pytest.raises(EnsembleError, match="only the first 256 are there"):
        extended_study(product, base=512)
    assert extended_study(product, base=128).base == 128


def test_an_extension_of_another_study_or_half_done_is_refused(product: str, tmp_path: Path) -> None:
    store = shutil.copytree(product, tmp_path / "x.zarr")
    other = variant(load_study(SMOKE), CERTAIN | STEADY | {"samples": 64, "seed": 9, "carbon.network_loss": LOSS})
    beside = Path(store_of(str(store)))
    prepare(MixedStudy.of(other, base=64), Storage.at(beside), block_size=LANES)
    with pytest.raises(EnsembleError, match="does not extend"):
        what_drives(str(store))
    shutil.rmtree(beside)
    shutil.copytree(store_of(product), beside)
    sorted(beside.glob("receipts/*.json"))[-1].unlink()
    with pytest.raises(EnsembleError, match=r"unfinished, .* --extend 256` computes the rest"):
        what_drives(str(store))
    drivers.extend(str(store), 256)
    assert to_json(what_drives(str(store))) == to_json(what_drives(product))


def test_without_total_indices_the_largest_first_order_index_comes_first(
    product: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = shutil.copytree(product, tmp_path / "alone.zarr")
    (expected,) = what_drives(str(store), ["carbon_reduction"]).drivers
    original = drivers.from_ensemble

    def no_fit(*arguments: Any, **options: Any) -> xr.Dataset:
        found = original(*arguments, **options)
        return found.assign(total=found["total"] * np.nan, first=-found["first"])

    monkeypatch.setattr(drivers, "from_ensemble", no_fit)
    (found,) = what_drives(str(store), ["carbon_reduction"]).drivers
    assert len(found.inputs) > 1
    assert [index.name for index in found.inputs] == [index.name for index in reversed(expected.inputs)]


def test_failed_rows_are_never_dropped_in_silence(product: str, monkeypatch: pytest.MonkeyPatch) -> None:
    original = drivers._values

    def spoilt(dataset: xr.Dataset, *rest: Any) -> xr.DataArray:
        values = original(dataset, *rest)
        return values.where(np.arange(values.sizes["sample"]) % 20 != 3)

    monkeypatch.setattr(drivers, "_values", spoilt)
    (found,) = what_drives(product, ["carbon_reduction"]).drivers
    for index in found.inputs:
        assert "rows failed" in index.remark
        assert np.isnan(index.total.value)
    (found,) = what_drives(product, ["carbon_reduction"], most_failed=0.2).drivers
    for index in found.inputs:
        assert "rows failed and are left out" in index.remark
        assert np.isfinite(index.total.value)


def test_where_failed_rows_lie_is_printed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tail = {"distribution": "normal", "mean": "0.1 t/GJ", "standard_deviation": "0.06 t/GJ"}  # some are below zero
    study = variant(
        load_study(SMOKE), CERTAIN | {"samples": 256, "carbon.baseline_factor": tail, "carbon.network_loss": LOSS}
    )
    compute(study, tmp_path / "alone.zarr")
    alone = what_drives(str(tmp_path / "alone.zarr"), ["carbon_reduction"], most_failed=0.1)
    assert 3 <= alone.failed < 25
    assert alone.failures[0].startswith(f"{alone.failed} of 256 samples failed")
    assert "they lie where carbon.baseline_factor < " in alone.failures[0]
    store = computed(study, tmp_path / "x.zarr", base=64)
    assert run_command(monkeypatch, "sensitivity", store, "--most-failed", "0.2") == 0
    said = " ".join(capsys.readouterr().out.split())
    assert alone.failures[0] in said
    assert "of the rows that extend them: " in said


def run_command(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr("sys.argv", ["hotland", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    return int(end.value.code or 0)


def test_the_command(product: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command(monkeypatch, "sensitivity", product, "--json") == 0
    answer = json.loads(capsys.readouterr().out)
    assert [each["output"] for each in answer["drivers"]] == ["carbon_reduction", "unmet_hours", "shortfall"]
    carbon = {index["name"]: index for index in answer["drivers"][0]["inputs"]}
    first = carbon["carbon_baseline_factor"]["first"]
    assert first["low"] < product_indices()["carbon_baseline_factor"][0] < first["high"]
    assert carbon["carbon_baseline_factor"]["keys"] == ["carbon.baseline_factor"]
    constant = answer["drivers"][1]["inputs"][0]  # in steady weather every sample is short of the same heat
    assert constant["total"] == {"value": None, "low": None, "high": None}
    assert constant["remark"] == "the output does not vary"
    assert run_command(monkeypatch, "sensitivity", product, "--output", "carbon_reduction") == 0
    shown = capsys.readouterr().out
    assert all(len(line) <= 116 for line in shown.splitlines())
    assert "…" not in shown
    assert f"{carbon['carbon_baseline_factor']['total']['value']:.3f}" in shown
    for arguments, said in (
        (["--output", "x"], "no output"),
        (["--winter", "7"], "allowed: 1 to 1"),
        (["--winter", "½"], "allowed: the number of a winter"),
        (["--extend", "17"], "allowed: a power of two times the study's 16 replicates"),
        (["--extend", "512"], "only the first 256 are there"),
    ):
        assert run_command(monkeypatch, "sensitivity", product, *arguments) == 2
        assert said in capsys.readouterr().err
    assert run_command(monkeypatch, "sensitivity", store_of(product)) == 2
    assert "give the ensemble beside it" in capsys.readouterr().err
    assert run_command(monkeypatch, "summary", store_of(product)) == 2


def test_the_picture_shows_the_numbers(product: str) -> None:
    (found,) = what_drives(product, ["carbon_reduction"]).drivers
    _, axes = plt.subplots()
    figures.sobol_indices(found, axes)
    numbers = [line.get_xdata() for line in axes.get_lines() if line.get_marker() in ("s", "o")]
    every = [*found.groups, *found.inputs]
    np.testing.assert_array_equal(numbers, [[i.total.value for i in every], [i.first.value for i in every]])
    assert [label.get_text() for label in axes.get_yticklabels()][-len(found.inputs) :] == [
        i.label for i in found.inputs
    ]
    assert "share of the variance (1)" in axes.get_xlabel()
    plt.close("all")


@pytest.mark.slow
def test_killed_and_continued_it_has_the_same_bits(tmp_path: Path, small_study: Path) -> None:
    assert hotland("run", small_study, "--samples", "32", "--output", "x.zarr", folder=tmp_path).returncode == 0
    beside = tmp_path / "x.sensitivity.zarr"
    extend = ("sensitivity", "x.zarr", "--extend", "32")
    status, _ = stop_run(
        *extend, folder=tmp_path, how=signal.SIGKILL, when=lambda: len(list(beside.glob("receipts/*.json"))) > 1
    )
    assert status == -signal.SIGKILL
    finished = hotland(*extend, "--json", folder=tmp_path)
    assert finished.returncode == 0, finished.stderr
    assert json.loads(finished.stdout)["extended"] == 32
    study = load_study(small_study).with_overrides(samples=32)
    compute(MixedStudy.of(study, base=32), tmp_path / "here.zarr")
    one, other = (open_rows(Storage.at(path)).load() for path in (beside, tmp_path / "here.zarr"))
    for name in one.variables:
        assert one[name].values.tobytes() == other[name].values.tobytes(), name
