"""Tolerance instead of a number of samples: what a target may say, and runs that grow until it is met."""

import itertools
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

import study
from study import engine, job, stopping
from study.blocks import compute_block
from study.cli import main
from study.cluster import start_ray
from study.ensemble import Block, Ensemble
from study.errors import ConfigError, HotlandError, RunError
from study.job import SMALL, Job, Progress
from study.reading import validate
from study.runs import runs
from study.sampling import sample_inputs
from study.simulation import Results
from study.statistics import CONFIDENCE
from study.stopping import FASTEST, Growth, Judgement, judge, samples_needed
from study.storage import Storage
from study.tally import Tally
from study.target import OUTPUTS, Target, parse_targets
from study.variables import NUMERICAL_FAULT, VARIABLES
from tests.conftest import SMOKE, variant

CASE = study.load(SMOKE).with_overrides(samples=4096)  # four replicates, so stages of 64, 128, 256, ...
MEAN = 1000.0  # of `output`


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        (
            "P(carbon_reduction>=18000) +-0.5%",
            {"statistic": "P", "reduction": "mean", "comparison": ">=", "threshold": 18000.0, "tolerance": 0.005},
        ),
        (
            " P( min( carbon_reduction ) < 18000000 kg CO2 )±0.5 % ",
            {"reduction": "min", "comparison": "<", "threshold": 18000.0, "tolerance": 0.005},
        ),
        ("P(heating_reliability≥99.9%) +/-1%", {"comparison": ">=", "threshold": 0.999, "tolerance": 0.01}),
        ("P(winters(unmet_hours)<=0.5 d) +-1%", {"reduction": "winters", "comparison": "<=", "threshold": 12.0}),
        ("P(largest_unit_out_share>0.7) +-2%", {"output": "largest_unit_out_share", "comparison": ">"}),
        ("mean(unmet_hours) +-2", {"statistic": "mean", "tolerance": 2.0, "relative": False}),
        ("mean(carbon_reduction) +-50 t", {"tolerance": 50.0, "relative": False}),
        ("mean(carbon_reduction) +-1%", {"tolerance": 0.01, "relative": True}),
        ("mean(sum(carbon_reduction)) +-5e4 kg", {"reduction": "sum", "tolerance": 50.0}),
        ("mean(grid_emission_factor) +-1 kg/MWh", {"tolerance": 0.001}),
        ("mean(indoor_temperature_min) +-0.1 K", {"tolerance": 0.1}),
        ("q05(carbon_reduction) +-50 t", {"statistic": "quantile", "parameter": 0.05, "reduction": "winters"}),
        ("quantile(max(unmet_hours), 99.5%) +-9", {"statistic": "quantile", "parameter": 0.995, "reduction": "max"}),
        ("cvar(unmet_hours, 5%) +-2", {"statistic": "cvar", "parameter": 0.05, "tail": "upper"}),
        ("cvar(sum(carbon_reduction), 5 %, lower) +-2", {"tail": "lower", "reduction": "sum"}),
        ("return_level(unmet_hours, 50) +-2 h", {"statistic": "return_level", "parameter": 50.0, "tolerance": 2.0}),
    ],
)
def test_what_a_target_says(text: str, fields: dict[str, Any]) -> None:
    target = Target.parse(text)
    assert {name: getattr(target, name) for name in fields} == {
        name: pytest.approx(value, rel=1e-12) if isinstance(value, float) else value for name, value in fields.items()
    }


WRONG = [
    ("", "the tolerance is missing"),
    ("P(carbon_reduction>=1)", "the tolerance is missing; allowed: +- and a number"),
    ("P(carbon_reduction>=1) +-1% +-2%", "more than one tolerance"),
    ("carbon_reduction +-1%", "'carbon_reduction' is no statistic; allowed: P(OUTPUT>=NUMBER)"),
    ("p(carbon_reduction>=1) +-1%", "'p' is no statistic; a probability is P"),
    ("P(carbon_reducton>=1) +-1%", "'carbon_reducton' is not an output; the nearest ones are carbon_reduction"),
    ("mean(unmet_hour) +-1", "the nearest ones are unmet_hours"),
    ("mean() +-1", "the output is missing"),
    ("mean(median(unmet_hours)) +-1", "'median' is nothing to take of a sample's winters; allowed: mean, min, max"),
    ("mean(max(largest_unit_out_share)) +-1", "largest_unit_out_share is the same for all winters"),
    ("P(carbon_reduction) +-1%", "has no comparison; allowed: >=, >, <= or <"),
    ("P(carbon_reduction==1) +-1%", "'==' is no comparison; allowed: >=, >, <= or <"),
    ("P(carbon_reduction>=1 h) +-1%", "P(carbon_reduction>=1 h): '1 h': cannot read 'h' as 't'"),
    ("P(carbon_reduction>=1,000) +-1%", "not a number with a unit"),
    ("P(carbon_reduction>=nan) +-1%", "not a number with a unit"),
    ("P(carbon_reduction>=1e999) +-1%", "the number is too large"),
    ("P(carbon_reduction>=1) +-0.5", "the tolerance of a probability is in percentage points, such as +-0.5%"),
    ("P(carbon_reduction>=1) +-0%", "+-0%: allowed: above 0 % and at most 100 %"),
    ("P(carbon_reduction>=1) +--1%", "+--1%: allowed: above 0 % and at most 100 %"),
    ("P(carbon_reduction>=1) +-101%", "+-101%: allowed: above 0 % and at most 100 %"),
    ("P(carbon_reduction>=1) +-1 t", "cannot read 't' as '1'"),
    ("mean(unmet_hours) +-0", "+-0: allowed: above 0, in h"),
    ("mean(unmet_hours) +-2 MWh", "+-2 MWh: '2 MWh': cannot read 'MWh' as 'h'"),
    ("mean(indoor_temperature_min) +-1%", "a share of a temperature in degC means nothing"),
    ("mean(indoor_temperature_min) +-1 degC", "'degC' is a temperature, not a difference"),
    ("q00(unmet_hours) +-1", "'q00' is no statistic"),
    ("quantile(unmet_hours) +-1", "its share is missing; allowed: quantile(OUTPUT, 5%)"),
    ("quantile(unmet_hours, 5) +-1", "above 0 % and below 100 %"),
    ("cvar(unmet_hours, middle) +-1", "cvar(...): 'middle': not a number with a unit"),
    ("return_level(unmet_hours) +-1", "its period is missing"),
    ("return_level(unmet_hours, 1) +-1", "more than 1 winter"),
    ("return_level(max(unmet_hours), 50) +-1", "an output of each winter, as it is"),
    ("P(carbon_reduction>=1) +-1%" + " " * 300, "too long"),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_what_is_wrong_with_a_target_is_said_with_its_place(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as error:
        engine.asked(CASE, [text], None)
    assert str(error.value).startswith("--until ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)
    with pytest.raises(ConfigError) as error:
        validate(study.Study, {**CASE.resolved(), "stop": {"targets": ["mean(unmet_hours) +-2", text]}}, label="file")
    assert str(error.value).startswith("file: stop.targets.1: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)


PARTS = ["P", "mean", "q05", "quantile", "return_level", "(", ")", ",", ">=", "<", "=", "+-", "±", "%", "-", "1e999"]
PARTS += ["min", "winters", "carbon_reduction", "indoor_temperature_min", "50", "0.5%", "2 h", "nan", " ", "\n", "\x1b"]


@given(st.one_of(st.text(max_size=60), st.lists(st.sampled_from(PARTS), max_size=12).map("".join)))
def test_any_text_is_a_target_or_one_error(text: str) -> None:
    try:
        (target,) = parse_targets([text], "--until")
    except ValueError as error:
        said = str(error)
        assert said.isprintable()
        assert len(said) < 600
        with pytest.raises(HotlandError):
            engine.asked(CASE, [text], None)
    else:
        assert target.output in OUTPUTS
        assert 0.0 < target.tolerance < np.inf
        assert (target.statistic == "P") == np.isfinite(target.threshold)
        assert Target.parse(target.text) == target


@pytest.mark.parametrize("hours", [0.0, -1.0, np.nan, np.inf])
def test_hours_are_a_time(hours: float) -> None:
    with pytest.raises(ConfigError, match=r"--hours .*: allowed: above 0"):
        engine.asked(CASE, ["mean(unmet_hours) +-2"], hours)


def test_hours_are_of_a_run_with_targets() -> None:
    with pytest.raises(ConfigError, match="--hours: allowed: with --until"):
        engine.asked(CASE, None, 1.0)


@pytest.mark.parametrize("stop", [{"targets": []}, {"hours": 3}, {"targets": ["mean(unmet_hours) +-2"], "hours": True}])
def test_a_stop_without_targets_or_hours_is_refused(stop: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"file: stop\.(targets|hours): "):
        validate(study.Study, {**CASE.resolved(), "stop": stop}, label="file")


def test_what_is_asked_comes_from_the_study_unless_given() -> None:
    case = variant(CASE, {"stop": {"targets": ["mean(unmet_hours) +-2"], "hours": 3}})
    assert case.fingerprint() == CASE.fingerprint()
    (target,), hours = engine.asked(case, None, None)
    assert (target.output, hours) == ("unmet_hours", 3.0)
    (target,), hours = engine.asked(case, ["mean(carbon_reduction) +-2"], 1.0)
    assert (target.output, hours) == ("carbon_reduction", 1.0)
    assert engine.asked(CASE, None, None) == ((), np.inf)


@given(st.integers(2, 64), st.integers(1, 10**8), st.integers(0, 10**6))
def test_stages_are_powers_of_two_for_each_replicate_up_to_the_budget(replicates: int, budget: int, first: int) -> None:
    growth = Growth((Target.parse("mean(unmet_hours) +-2"),), replicates, budget, min(first, budget))
    stages = [growth.after(0)]
    while stages[-1] < budget:
        stages.append(growth.after(stages[-1]))
    assert stages[-1] == budget
    assert stages[0] >= min(first, budget)
    for one, next_one in itertools.pairwise(stages[:-1]):
        assert next_one == 2 * one
    assert all(stage % (16 * replicates) == 0 and (stage // replicates).bit_count() == 1 for stage in stages[:-1])
    for there in {1, budget // 3, budget - 1} - {0}:  # the last whole stage of those of a store that is not finished
        assert growth.before(there, budget) == max((stage for stage in stages if stage <= there), default=0)
    assert growth.before(budget, budget) == budget


@given(st.floats(0.5, FASTEST), st.floats(0.01, 100.0), st.floats(1.1, 1000.0))
def test_samples_needed_follow_the_rate_at_which_half_widths_fell(rate: float, half: float, tighter: float) -> None:
    history = [(n, half * (n / 256) ** -rate) for n in (256, 512, 1024)]
    needed = samples_needed(history, history[-1][1] / tighter)
    assert needed == pytest.approx(1024 * tighter ** (1 / rate), rel=1e-6)
    assert samples_needed(history[-1:], history[-1][1] / tighter) == pytest.approx(1024 * tighter**2, rel=1e-6)
    assert samples_needed([*history, (2048, np.nan)], 1.0) == np.inf


def output(inputs: dict[str, np.ndarray]) -> np.ndarray:
    """What `fast` takes for every output: lognormal and normal inputs, independent of each other, added."""
    return MEAN * inputs["winter_load"] + 20.0 * (inputs["geothermal_gradient"] - 30.0)


def fast(case: study.Study, rows: np.ndarray) -> Results:
    """Results at once, and of which something is known."""
    inputs = sample_inputs(case, rows)
    values = {name: np.tile(output(inputs), (case.winters, 1)).T for name in VARIABLES}
    by_row = {name: np.zeros(len(rows)) for name in ("status", "energy_imbalance", "largest_unit_out_share")}
    return Results({**values, **by_row, **{key: inputs[key] for key in case.uncertain}}, {})


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Rows that have been computed, by `fast`."""
    rows: list[int] = []

    def noted(case: study.Study, which: np.ndarray) -> Results:
        rows.extend(which.tolist())
        return fast(case, which)

    monkeypatch.setattr("study.blocks.simulate", noted)
    monkeypatch.setattr(engine, "seconds_per_sample", lambda _study: 1e-4)
    return rows


def run(store: Path, *until: str, case: study.Study = CASE, **options: Any) -> tuple[tuple[Judgement, ...], list[str]]:
    """What a run says of its targets at the end, and in words on the way."""
    judgements: list[Judgement] = []
    said: list[str] = []
    options = {"block_size": 64, **options}
    engine.execute(case, Storage.at(store), until=until or None, say=said.append, judged=judgements.extend, **options)
    return tuple(judgements), said


def bits(store: Path) -> dict[str, bytes]:
    """All that a store holds, but for times and the record of its runs."""
    found = {}
    for path in store.rglob("*"):
        name = path.relative_to(store).as_posix()
        if path.is_file() and not name.startswith("runs/"):
            found[name] = path.read_bytes()
            if name.startswith("receipts/"):
                found[name] = json.dumps(json.loads(found[name])["sha256"]).encode()
            if name == "zarr.json":
                root = json.loads(found[name])
                for when in ("created", "history"):
                    root["attributes"].pop(when)
                found[name] = json.dumps(root).encode()
    return found


def test_a_run_grows_until_its_target_is_met_and_is_then_a_plain_run(tmp_path: Path, computed: list[int]) -> None:
    (met,), said = run(tmp_path / "store.zarr", "mean(carbon_reduction) +-1%")
    assert met.met
    assert met.samples in (64, 128, 256)
    assert 0.0 < met.half_width <= 0.01 * met.value
    assert abs(met.value - MEAN) < 2.0 * met.half_width
    assert "all targets are met" in said[-1]
    assert sorted(computed) == list(range(met.samples))
    (tight,), _ = run(tmp_path / "store.zarr", "mean(carbon_reduction) +-0.05%")
    assert tight.met
    assert tight.samples > met.samples
    assert sorted(computed) == list(range(tight.samples))  # none of them twice
    engine.execute(CASE.with_overrides(samples=tight.samples), Storage.at(tmp_path / "plain.zarr"), block_size=64)
    assert bits(tmp_path / "store.zarr") == bits(tmp_path / "plain.zarr")
    assert json.loads(study.open_ensemble(tmp_path / "store.zarr").attrs["study"])["samples"] == tight.samples
    first, second = runs(Storage.at(tmp_path / "store.zarr"))
    assert (first["state"], first["samples"], second["samples"]) == (
        "finished",
        met.samples,
        tight.samples - met.samples,
    )
    assert (first["targets"], first["outcomes"]) == ([met.target.text], [str(met)])


@pytest.mark.usefixtures("computed")
def test_every_target_is_to_be_met(tmp_path: Path) -> None:
    loose, tight = "mean(carbon_reduction) +-10%", "P(carbon_reduction>=1000) +-4%"
    alone = run(tmp_path / "alone.zarr", tight)[0]
    both = run(tmp_path / "both.zarr", loose, tight)[0]
    assert [judgement.met for judgement in both] == [True, True]
    assert both[1] == alone[0]
    assert both[0].samples == both[1].samples > 64


def test_a_store_that_meets_its_targets_is_left_alone(tmp_path: Path, computed: list[int]) -> None:
    store = tmp_path / "store.zarr"
    run(store, "mean(carbon_reduction) +-0.1%")
    before, rows = {path: path.stat().st_mtime_ns for path in store.rglob("*")}, len(computed)
    for target in ("mean(carbon_reduction) +-0.1%", "mean(carbon_reduction) +-3%"):
        (met,), said = run(store, target)
        assert met.met
        assert "finished, nothing is computed" in said[-1]
        assert "all targets are met" in said[-1]
    assert before == {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    assert len(computed) == rows


def test_a_budget_of_samples_that_is_spent(tmp_path: Path, computed: list[int]) -> None:
    case = CASE.with_overrides(samples=300)
    (met, missed), said = run(
        tmp_path / "store.zarr", "mean(carbon_reduction) +-10%", "q95(carbon_reduction) +-0.01%", case=case
    )
    assert (met.met, missed.met) == (True, False)
    assert met.samples == missed.samples == 300
    assert "the budget of samples is spent" in said[-1]
    assert any("more than the budget of 300 are expected to be needed" in text for text in said)
    assert set(computed) == set(range(320))  # whole blocks
    _, said = run(tmp_path / "store.zarr", "q95(carbon_reduction) +-0.01%", case=case)
    assert "nothing is computed" in said[-1]
    assert len(computed) == 320
    with pytest.warns(UserWarning, match=r"missed, by 512 samples: q95\(carbon_reduction\): .* asked ±0.01 % of it"):
        dataset = study.run(
            case.with_overrides(samples=512), until=["q95(carbon_reduction) +-0.01%"], output=tmp_path / "store.zarr"
        )
    assert dataset.sizes["sample"] == 512


def test_hours_that_are_spent_end_a_run_between_blocks(
    tmp_path: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=lambda: 0.5 * 3600.0 * len(computed) / 64, perf_counter=lambda: 0.0)
    for module in (engine, job):
        monkeypatch.setattr(module, "time", clock)
    (missed,), said = run(tmp_path / "store.zarr", "mean(carbon_reduction) +-0.001%", hours=3.2)
    assert not missed.met
    assert len(computed) == 7 * 64  # after six blocks and 3 h another one is begun
    assert missed.samples == 7 * 64
    assert "3.2 h are over" in said[-1]
    computed.clear()
    (missed,), _ = run(
        tmp_path / "store.zarr", "mean(carbon_reduction) +-0.001%", case=CASE.with_overrides(samples=512)
    )
    assert computed == list(range(448, 512))
    assert missed.samples == 512
    computed.clear()
    run(tmp_path / "other.zarr", "mean(carbon_reduction) +-0.001%", hours=0.9)  # over as a stage ends
    assert study.open_ensemble(tmp_path / "other.zarr").sizes["sample"] == 128
    assert Ensemble.open(Storage.at(tmp_path / "other.zarr")).samples == 128


def test_hours_that_are_spent_leave_no_row_out_that_is_computed(
    tmp_path: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = SimpleNamespace(monotonic=lambda: 3600.0 * bool(computed), perf_counter=lambda: 0.0)
    for module in (engine, job):
        monkeypatch.setattr(module, "time", clock)
    store, target = tmp_path / "store.zarr", "mean(carbon_reduction) +-0.001%"
    (missed,), said = run(store, target, hours=0.5, block_size=640)
    assert computed == list(range(640))  # one block, whose first 64 rows are the first stage
    assert missed.samples == study.open_ensemble(store).sizes["sample"] == 640
    assert "640 samples: " in said[-1]
    assert "0.5 h are over" in said[-1]
    (loose,), _ = run(tmp_path / "loose.zarr", "mean(carbon_reduction) +-0.2%", hours=0.5, block_size=640)
    assert loose.met  # after hours, by a stage of which all rows were there
    assert 64 < loose.samples < 640


def test_killed_amid_a_stage_it_goes_on_to_the_same_bits(
    tmp_path: Path, computed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    target = "mean(carbon_reduction) +-0.1%"
    (undisturbed,), _ = run(tmp_path / "undisturbed.zarr", target)
    computed.clear()
    commit = Ensemble.commit

    def killed(ensemble: Ensemble, block: Block, *arguments: Any) -> None:
        if block.index in (2, 5) and computed.count(block.start) == 1:
            raise KeyboardInterrupt
        commit(ensemble, block, *arguments)

    monkeypatch.setattr(Ensemble, "commit", killed)
    for _ in range(2):
        with pytest.raises(KeyboardInterrupt):
            run(tmp_path / "store.zarr", target)
    (again,), _ = run(tmp_path / "store.zarr", target)
    assert again == undisturbed
    assert bits(tmp_path / "store.zarr") == bits(tmp_path / "undisturbed.zarr")


def test_a_large_run_that_was_stopped_is_judged_by_its_whole_stages(tmp_path: Path, computed: list[int]) -> None:
    storage = Storage.at(tmp_path / "store.zarr")
    ensemble, blocks = engine.prepare(CASE, storage, block_size=64)
    for block in (*blocks[:5], *blocks[20:25]):
        compute_block(CASE, ensemble, block)
    computed.clear()
    (met,), said = run(tmp_path / "store.zarr", "mean(carbon_reduction) +-10%")
    assert met.met
    assert met.samples == 256  # of the first 320
    assert "nothing is computed" in said[-1]
    (met,), _ = run(tmp_path / "store.zarr", "mean(carbon_reduction) +-0.2%")
    assert met.met
    assert computed == list(range(320, met.samples))


@pytest.mark.usefixtures("computed")
@pytest.mark.parametrize(
    ("text", "exact"),
    [
        ("mean(carbon_reduction) +-1", lambda x: x.mean()),
        ("mean(sum(carbon_reduction)) +-1", lambda x: 2 * x.mean()),
        ("P(carbon_reduction>=1050) +-1%", lambda x: (x >= 1050).mean()),
        ("P(max(carbon_reduction)<900) +-1%", lambda x: (x < 900).mean()),
        ("P(winters(carbon_reduction)<900) +-1%", lambda x: (x < 900).mean()),
        ("q05(carbon_reduction) +-1", lambda x: np.quantile(x, 0.05)),
        ("cvar(carbon_reduction, 10%, lower) +-1", lambda x: np.sort(x)[: len(x) // 10].mean()),
        ("return_level(carbon_reduction, 50) +-1", lambda x: np.quantile(x, 0.98)),
    ],
)
def test_targets_are_judged_by_the_statistic_they_name(
    tmp_path: Path, text: str, exact: Callable[[np.ndarray], float]
) -> None:
    engine.execute(CASE.with_overrides(samples=1024), Storage.at(tmp_path / "store.zarr"), block_size=512)
    (found,) = judge([Target.parse(text)], Storage.at(tmp_path / "store.zarr"), 1024)
    x = output(sample_inputs(CASE, np.arange(2**17)))
    assert CONFIDENCE == 0.95
    assert abs(found.value - exact(x)) < 2.0 * found.half_width
    assert 0.0 < found.half_width < 0.05 * max(found.value, 1.0)


def first_met(noise: np.ndarray, target: Target) -> Judgement:
    """What a run says where it stops, whose rows are those of four replicates in turn."""
    stage = 64
    while True:
        values = xr.DataArray(noise[:stage], dims="sample", coords={"replicate": ("sample", np.arange(stage) % 4)})
        found = stopping._judged(target, xr.Dataset({"carbon_reduction": values}), "sobol")
        if found.met or stage == len(noise):
            return found
        stage *= 2


def test_an_interval_holds_the_mean_where_a_run_stops_too() -> None:
    """Rows are independent, so that half-widths fall slowly and many stages come near to the tolerance."""
    random, target, studies = np.random.default_rng(6), Target.parse("mean(carbon_reduction) +-0.12"), 200
    ends = [first_met(random.normal(size=4096), target) for _ in range(studies)]
    assert len({end.samples for end in ends}) > 3
    held = sum(abs(end.value) <= end.half_width for end in ends)
    assert held >= stats.binom.ppf(0.01, studies, 0.95)


@pytest.mark.usefixtures("computed")
def test_no_interval_is_no_target_met(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def alike(case: study.Study, rows: np.ndarray) -> Results:
        results = fast(case, rows)
        results.values["carbon_reduction"] = np.full((len(rows), case.winters), 7.0)
        results.values["heat_demand"][rows % 50 == 0] = np.nan
        results.values["status"][rows % 50 == 0] = NUMERICAL_FAULT if case.seed == 2 else 0
        return results

    monkeypatch.setattr("study.blocks.simulate", alike)
    case = CASE.with_overrides(samples=256)
    (missed,), _ = run(tmp_path / "alike.zarr", "mean(carbon_reduction) +-50%", case=case)
    assert not missed.met
    assert "no interval yet" in str(missed)
    (never,), _ = run(tmp_path / "alike.zarr", "P(carbon_reduction>8) +-50%", case=case)
    assert never.met
    assert 1.0 / 256 < never.half_width < 5.0 / 256  # three in n, and a little more
    failing = run(tmp_path / "failing.zarr", "P(unmet_hours>1) +-50%", case=case.with_overrides(seed=2))[0][0]
    assert not failing.met
    assert "6 of 256 samples failed" in str(failing)


@pytest.mark.usefixtures("computed")
def test_the_command_says_what_was_missed_and_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def command(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr(
            "sys.argv", ["hotland", "run", str(SMOKE), "--output", str(tmp_path / "s.zarr"), *arguments]
        )
        with pytest.raises(SystemExit) as end:
            main()
        return (int(end.value.code or 0), *capfd.readouterr())

    tight = ("--until", "mean(carbon_reduction) +-0.2%")
    status, out, error = command("--samples", "70", *tight)
    assert status == 1
    assert "Carbon reduction per winter" in out
    assert error.splitlines()[-1].startswith("missed, by 70 samples: mean(carbon_reduction): 1,0")
    status, _, error = command("--samples", "4096", "--hours", "1", *tight, "--until", "P(unmet_hours>1) +-1%")
    assert status == 0, error
    assert "all targets are met" in error
    assert f"{CASE.samples:,} samples of 2 winters at most" in error
    for arguments, message in (
        (("--until", "P(carbon>=1) +-1%"), "--until 'P(carbon>=1) +-1%': 'carbon' is not an output; the nearest"),
        (("--hours", "nan", *tight), "--hours nan: allowed"),
        (("--hours", "1"), "--hours: allowed: with --until"),
    ):
        status, out, error = command(*arguments)
        assert (status, out) == (2, "")
        assert message in error
        assert len(error.splitlines()) == 1


def test_a_run_that_was_taken_over_stops_while_ray_starts(tmp_path: Path, computed: list[int]) -> None:
    storage = Storage.at(tmp_path / "store.zarr")
    ensemble, blocks = engine.prepare(CASE.with_overrides(samples=512), storage, block_size=64)
    taken: Any = SimpleNamespace(taken_over="run 2", tell=lambda **_what: None)
    progress = Progress(512, Tally.empty(CASE), workers=2)
    work = Job(CASE, ensemble, blocks, taken, progress, lambda _progress: None)
    with pytest.raises(RunError, match="taken over by run 2"):
        work.on_this_machine(2 * SMALL)
    assert computed == []


@pytest.mark.slow
def test_ray_is_started_once_for_all_stages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    starts = []

    def noted(*arguments: Any, **options: Any) -> Any:
        starts.append(arguments)
        return start_ray(*arguments, **options)

    monkeypatch.setattr("study.job.start_ray", noted)
    monkeypatch.setattr("study.job.SMALL", 0.0)
    monkeypatch.setattr(engine, "cores", lambda: 2)
    case = CASE.with_overrides(samples=256)
    (missed,), _ = run(tmp_path / "store.zarr", "mean(carbon_reduction) +-0.0001%", case=case, block_size=8)
    assert len(starts) == 1
    assert missed.samples == 256
    engine.execute(case, Storage.at(tmp_path / "plain.zarr"), block_size=8)
    assert bits(tmp_path / "store.zarr") == bits(tmp_path / "plain.zarr")
