"""What a measurement is worth: exact answers of linear cases with normal inputs, in stores, and what is refused."""

import json
import math
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from rich.console import Console
from scipy import stats
from scipy.special import ndtr, ndtri
from sklearn.linear_model import Ridge

from study import figures
from study.cli import main
from study.config import Study, load_study, variable_name
from study.errors import EnsembleError
from study.intervals import Estimate
from study.printed import number, symbol, told
from study.regression import PENALTIES, _ridge, _sums, fitted, regressors
from study.sampling import sample_inputs
from study.value import Measurement, Worth, Worths, chosen, parse_measurement, samples_of, values_of, worth_of
from study.value_table import advice, print_values, sentence, to_json
from tests.conftest import SMOKE, made, variant, without_doubt
from tests.test_economics import MONEY_OF

SMALL = load_study(SMOKE)
X, Z = "geothermal_gradient", "heat_pump.second_law_efficiency"  # normal in the study
CLAIM = 106.0


def normal_study(seed: int = 1, *, design: str = "sobol", rows: int = 1024, **changes: Any) -> Study:
    keys = {"seed": seed, "design": design, "samples": rows, "replicates": 16, "winters": 1}
    return variant(SMALL, keys | {"claim": {"carbon_reduction": f"{CLAIM:g} t"}} | changes)


def standard(values: np.ndarray, case: Study, key: str) -> np.ndarray:
    about = case.drawn[key].parameters
    return np.asarray((values - about["mean"]) / about["standard_deviation"])


def made_up(case: Study, worth: tuple[float, float, float] = (0.0, 0.0, 0.0), *, failed: int = 0) -> xr.Dataset:
    """An ensemble of 100 + 3 x + 4 z t of carbon reduction, and a net present value a + b x + c z, both exactly."""
    rows = np.arange(case.samples)
    inputs = sample_inputs(case, rows)
    x, z = standard(inputs[X], case, X), standard(inputs[Z], case, Z)
    carbon = 100.0 + 3.0 * x + 4.0 * z
    carbon[:failed] = np.nan
    both = ("sample", "winter")
    return xr.Dataset(
        {
            "carbon_reduction": (both, carbon[:, None], {"long_name": "carbon reduction", "units": "t CO2"}),
            "net_present_value": ("sample", worth[0] + worth[1] * x + worth[2] * z, {"units": "CNY"}),
            "levelised_cost_of_heat": ("sample", 50.0 - worth[1] * x - worth[2] * z, {"units": "CNY GJ-1"}),
            "outdoor_temperature_mean": (both, np.zeros((len(rows), 1)), {"units": "degC"}),
            **{variable_name(key): ("sample", inputs[key]) for key in case.uncertain},
            "status": ("sample", (rows < failed).astype(np.int8)),
            "replicate": ("sample", rows % case.replicates),
        },
        coords={"sample": rows, "winter": [1]},
        attrs={"study": json.dumps(case.resolved())},
    )


def unit_normal_loss(mean: float, deviation: float) -> float:
    """E[max(0, X)] - max(0, E[X]) of a normal X (Raiffa and Schlaifer 1961)."""
    z = abs(mean) / deviation
    return float(deviation * (stats.norm.pdf(z) - z * stats.norm.sf(z)))


def of_many(options: list[tuple[float, float]]) -> float:
    """E[max (a + b m)] - max a of a standard normal m, on a fine grid."""
    m = ndtri((np.arange(400_000) + 0.5) / 400_000)
    return float(np.max([a + b * m for a, b in options], axis=0).mean() - max(a for a, _ in options))


SEEDS = 12
CASES = {  # correlation of ranks, standard deviation of the error, in those of x
    "perfect": (0.0, 0.0),
    "half": (0.0, 0.5),
    "double": (0.0, 2.0),
    "correlated": (0.6, 0.0),
    "correlated half": (0.6, 0.5),
}


def exact_two(correlation: float, error: float) -> float:
    """Of an option worth 0.4 + x + 0.8 z against none."""
    linear = 2.0 * math.sin(math.pi * correlation / 6.0)  # of normal scores: Pearson 1907
    return unit_normal_loss(0.4, (1.0 + 0.8 * linear) / math.sqrt(1.0 + error**2))


def correlated(rank: float) -> dict[str, Any]:
    return {"correlations": [{"inputs": [X, Z], "rank_correlation": rank}]} if rank else {}


@pytest.fixture(scope="module")
def many() -> dict[str, list[Worth]]:
    """Worth of measuring x in many studies."""
    found: dict[str, list[Worth]] = {name: [] for name in CASES}
    for name, (rank, error) in CASES.items():
        for seed in range(SEEDS):
            case = normal_study(seed, **correlated(rank))
            samples = samples_of({"one": made_up(case, (0.4, 1.0, 0.8))})
            scale = case.drawn[X].parameters["standard_deviation"]
            found[name].append(worth_of(samples, Measurement(name, {X: error * scale})))
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", CASES)
def test_value_is_that_of_the_linear_normal_case(many: dict[str, list[Worth]], name: str) -> None:
    exact = exact_two(*CASES[name])
    values = np.array([worth.value.value for worth in many[name]])
    error = values.std(ddof=1) / math.sqrt(SEEDS)
    assert 3.0 * error < 0.06 * exact  # so that an answer a tenth too high is seen
    assert values.mean() < exact + 3.0 * error
    least = 0.85 if name == "double" else 0.96  # choosing wrongly costs most where little can be learnt
    assert values.mean() > least * exact - 3.0 * error


@pytest.mark.slow
def test_intervals_hold_the_exact_value(many: dict[str, list[Worth]]) -> None:
    held = [w.value.low <= exact_two(*CASES[name]) <= w.value.high for name, each in many.items() for w in each]
    assert stats.binomtest(sum(held), len(held), 0.95, alternative="less").pvalue > 0.001


@pytest.mark.slow
def test_variance_and_claim_after_a_measurement_are_those_of_normal_variates(many: dict[str, list[Worth]]) -> None:
    for name, error in (("perfect", 0.0), ("half", 0.5)):
        share = 9.0 / 25.0 / (1.0 + error**2)
        found = np.mean([worth.variance.value for worth in many[name]])
        assert found == pytest.approx(share, rel=0.03)
        left = 5.0 * math.sqrt(1.0 - share)
        assert np.mean([worth.deviation for worth in many[name]]) == pytest.approx(left, rel=0.01)
        for place, level in ((0, 0.05), (1, 0.5), (2, 0.95)):
            exact = ndtr((100.0 + 5.0 * math.sqrt(share) * ndtri(level) - CLAIM) / left)
            assert np.mean([worth.probability[place] for worth in many[name]]) == pytest.approx(exact, abs=0.015)


@pytest.mark.parametrize(
    "options", [[(0.3, 1.0), (0.0, -1.0), (0.2, 0.2)], [(1.0, 0.5), (0.8, -0.8), (0.9, 1.5), (0.0, 0.1)]]
)
def test_best_of_many_designs(options: list[tuple[float, float]]) -> None:
    found = []
    for seed in range(4):
        case = normal_study(seed)
        designs = {f"d{n}": made_up(case, (a, b, 0.3)) for n, (a, b) in enumerate(options)}
        samples = samples_of(designs)
        found.append(worth_of(samples, Measurement("x", {X: 0.0})).value.value)
        assert samples.mean(samples.utility.max(axis=1) - samples.utility[:, samples.best]).value >= found[-1] - 1e-12
    assert np.mean(found) == pytest.approx(of_many(options), rel=0.04)


def test_ridge_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(3)
    terms, values = random.standard_normal((300, 5)), random.standard_normal((300, 2))
    constant, slopes = _ridge(*_sums(values, terms[None]))
    for n in range(2):
        models = [Ridge(alpha=each).fit(terms, values[:, n]) for each in PENALTIES]
        apart = [np.abs(model.coef_ - slopes[:, n]).max() + abs(model.intercept_ - constant[n]) for model in models]
        assert min(apart) < 1e-10


@pytest.mark.parametrize("seed", range(3))
def test_a_group_tells_what_its_best_member_tells(seed: int) -> None:
    """All but one of many inputs are idle, and samples are few: the regression on all of them misses much of it."""
    case, random = normal_study(seed, rows=128), np.random.default_rng(seed)
    dataset = made_up(case)
    x = standard(dataset[variable_name(X)].values, case, X)
    dataset["carbon_reduction"].values[:, 0] = 100.0 + x + random.standard_normal(128)
    samples = samples_of({"one": dataset})
    samples = replace(samples, inputs={X: x} | {f"idle.{n}": random.standard_normal(128) for n in range(20)})
    member = worth_of(samples, Measurement("x", {X: 0.0}))
    group = worth_of(samples, Measurement("all", dict.fromkeys(samples.inputs, 0.0)))
    assert group.variance.value == pytest.approx(member.variance.value, abs=1e-9)
    assert group.variance.low < 0.5 < group.variance.high  # exact
    centred = samples.output - samples.output.mean()
    alone = fitted(centred[:, None], regressors(np.array([*samples.inputs.values()]))[None], samples.folds)[0, :, 0]
    assert 1.0 - ((centred - alone) ** 2).mean() / centred.var() < member.variance.value - 0.05


def test_candidates_are_chosen_by_other_folds() -> None:
    score = np.array([[9.0, 9.0, 0.0, 0.0], [1.0, 1.0, 1.0, 1.0]])
    assert chosen(score, np.array([0, 0, 1, 1])).tolist() == [1, 1, 0, 0]


def test_what_is_merely_unknown_is_shown_and_nothing_is_left_out_unsaid() -> None:
    case = normal_study(rows=128)
    found = values_of(samples_of({"one": made_up(case, (1.6, 1.0, 0.0))}), [parse_measurement(f"{X} +-1 K/km", case)])
    unknown = [each for each in found.inputs if each.gain.any() and not each.value.low > 0.0 and each.value.remark]
    assert unknown
    out = StringIO()
    print_values(found, Console(file=out, width=200, highlight=False, markup=False))
    said = out.getvalue()
    for each in unknown:
        assert told(each.value, "CNY") in said
    assert f"not distinguishable from zero: {unknown[0].value.remark}" in said
    assert all(each.measurement.name in said for each in found.inputs)
    assert said.count("changes by nothing that can be told from zero") == 1


def test_numbers_are_printed_without_exponents_and_units_as_quotients() -> None:
    assert told(Estimate(-235_712_345.0, -236_000_000.0, -235_400_000.0), "CNY") == (
        "-235,712,345 (-236,000,000 to -235,400,000)"
    )
    assert [number(each) for each in (-1e4, 9999.7, 0.52341, 12_345_678.0)] == [
        "-10,000", "10,000", "0.5234", "12,345,678"
    ]  # fmt: skip
    assert [symbol(each) for each in ("CNY t-1", "CNY GJ-1", "t CO2", "degC", "1", "W m-2")] == [
        "CNY/t", "CNY/GJ", "t CO2", "°C", "", "W/m^2"
    ]  # fmt: skip


def test_a_decision_that_never_changes_is_worth_nothing() -> None:
    samples = samples_of({"one": made_up(normal_study(), (50.0, 1.0, 0.0))})
    found = worth_of(samples, Measurement("x", {X: 0.0}))
    assert found.value.value == 0.0
    assert found.remark == "the same option stays the best"


def test_everything_known_is_the_mean_of_the_best_of_each_sample() -> None:
    case = normal_study(rows=256)
    found = values_of(samples_of({"a": made_up(case, (0.1, 1.0, 0.0)), "b": made_up(case, (0.0, -1.0, 0.5))}))
    pairs = found.samples.utility.tolist()
    best = max(sum(a for a, _ in pairs), sum(b for _, b in pairs)) / len(pairs)
    assert found.perfect.value == pytest.approx(sum(max(pair) for pair in pairs) / len(pairs) - best, rel=1e-12)


def test_costs_decide_what_to_buy_and_whether() -> None:
    case = normal_study()
    samples = samples_of({"one": made_up(case, (0.4, 1.0, 0.8))})
    texts = ("geothermal_gradient +-1 K/km", "heat_pump.second_law_efficiency +-0.03")

    def advised(*costs: float) -> tuple[Worths, str]:
        found = values_of(samples, [parse_measurement(t, case, cost=c) for t, c in zip(texts, costs, strict=True)])
        return found, advice(found)

    found, said = advised(0.15, 0.01)
    assert found.best is not None
    assert found.best.measurement.name == texts[1]
    assert said.startswith(f"buy {texts[1]}")
    dear, words = advised(9.0, 9.0)
    assert dear.best is None
    assert words == "none is worth its cost"
    for each in dear.measurements:
        ends = [each.net.lowest, each.net.value, each.net.highest]
        assert np.diff([x for x in ends if not np.isnan(x)]).min() >= 0.0
        assert each.net.highest - each.net.lowest == pytest.approx(each.value.highest - each.value.lowest, nan_ok=True)
    assert "90 % of cases" in sentence(found.best, found)
    answer = json.loads(to_json(found))
    assert answer["buy"] == texts[1]
    assert answer["measurements"][0]["value"]["distinguishable_from_zero"] is True
    noise = next(each for each in answer["inputs"] if each["name"] == "winter_load")
    assert noise["variance_explained"]["distinguishable_from_zero"] is False


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gravity +-1", "not uncertain"),
        ("geothermal_gradient", "allowed: an input and the error"),
        ("geothermal_gradient +-0 K/km", "above 0"),
        ("geothermal_gradient +--1 K/km", "above 0"),
        ("geothermal_gradient +-1 kg", "K/km"),
        ("geothermal_gradient +-1e308 K/km", "at most"),
        ("geothermal_gradient +-1 K/km, geothermal_gradient +-1 K/km", "twice"),
    ],
)
def test_wrong_measurements_are_refused_in_words(text: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        parse_measurement(text, SMALL)


@pytest.mark.parametrize(
    ("utility", "said"),
    [
        ("claim:1e6", "claim:REWARD/PENALTY"),
        ("claim:1/-2", "at least 0"),
        ("beauty", "no such variable"),
        ("outdoor_temperature_mean", "neither more nor less"),
        ("levelised_cost_of_heat", "less of it is better"),
    ],
)
def test_wrong_utilities_are_refused_in_words(utility: str, said: str) -> None:
    with pytest.raises(EnsembleError, match=said):
        samples_of({"one": made_up(normal_study(rows=128))}, utility=utility)


def test_designs_of_other_seeds_are_refused() -> None:
    with pytest.raises(EnsembleError, match="not paired: seed: 1 in a, 2 in b"):
        samples_of({"a": made_up(normal_study(1, rows=128)), "b": made_up(normal_study(2, rows=128))})


def test_failed_samples_are_left_out_and_told_of_and_too_many_refused() -> None:
    dataset = made_up(normal_study(), failed=5)
    found = values_of(samples_of({"one": dataset}))
    assert len(found.samples.sample) == 1019
    assert found.samples.remarks == ("5 of 1,024 samples failed and are left out",)
    assert json.loads(to_json(found))["failed"] == 5
    with pytest.raises(EnsembleError, match="--most-failed"):
        samples_of({"one": dataset}, most_failed=0.001)
    with pytest.raises(EnsembleError, match="too few to learn from"):
        samples_of({"one": made_up(normal_study(rows=16))})
    with pytest.raises(EnsembleError, match="too few to learn from"):
        samples_of({"one": made_up(normal_study(rows=128), failed=128)}, most_failed=1.0)


def test_samples_that_nothing_can_be_learnt_from_are_refused_in_words() -> None:
    dataset = made_up(normal_study())
    with pytest.raises(EnsembleError, match="all of one replicate"):
        samples_of({"one": dataset.isel(sample=dataset["replicate"].values == 3)})
    for name, where in (("carbon_reduction", (3, 0)), (variable_name(X), 3)):
        spoilt = dataset.copy(deep=True)
        spoilt[name][where] = np.nan
        with pytest.raises(EnsembleError, match="is not finite in samples whose status is ok"):
            samples_of({"one": spoilt})
    sure = made_up(normal_study()).assign_attrs(study=json.dumps(without_doubt(normal_study()).resolved()))
    with pytest.raises(EnsembleError, match="no uncertain input"):
        samples_of({"one": sure})


@pytest.mark.parametrize(("errors", "cost"), [({}, 1.0), ({X: -1.0}, 1.0), ({X: math.nan}, 1.0), ({X: 1.0}, -1.0)])
def test_measurements_that_are_none_are_refused(errors: dict[str, float], cost: float) -> None:
    with pytest.raises(ValueError, match="at least 0"):
        Measurement("x", errors, cost)


def test_designs_of_other_claims_are_paid_for_by_their_own() -> None:
    other = normal_study(rows=128, claim={"carbon_reduction": "100 t"})
    designs = {"a": made_up(normal_study(rows=128)), "b": made_up(other)}
    found = samples_of(designs, utility="claim:1/0")
    assert found.remarks == ("each design is paid for by the claim of its own study: 106 t in a, 100 t in b",)
    carbon = designs["a"]["carbon_reduction"].values[:, 0]
    np.testing.assert_array_equal(found.utility, np.column_stack([carbon >= 106, carbon >= 100]))


def test_less_of_a_cost_is_better_and_a_claim_is_paid_for() -> None:
    case = normal_study(rows=128)
    designs = {"a": made_up(case, (0.0, 1.0, 0.0)), "b": made_up(case, (0.0, -1.0, 0.0))}
    np.testing.assert_array_equal(
        samples_of(designs, utility="levelised_cost_of_heat").utility,
        -np.column_stack([each["levelised_cost_of_heat"].values for each in designs.values()]),
    )
    reached = designs["a"]["carbon_reduction"].values[:, 0] >= CLAIM
    found = samples_of({"a": designs["a"]}, utility="claim:3/2").utility[:, 0]
    np.testing.assert_array_equal(found, np.where(reached, 3.0, -2.0))


def test_a_sweep_with_money_from_store_to_answer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ruamel.yaml import YAML

    yaml, path = YAML(typ="safe"), tmp_path / "swept.yaml"
    price = {"distribution": "uniform", "minimum": "20 CNY/GJ", "maximum": "300 CNY/GJ"}
    money = {**MONEY_OF, "heat_price": price}
    sweep = {"wells": [1, 3]}
    yaml.dump(
        {**yaml.load(SMOKE.read_text()), "name": "swept", "samples": 64, "economics": money, "sweep": sweep}, path
    )
    store = made(load_study(path), tmp_path)

    def told(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hotland", "value", str(store), *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        out, err = capsys.readouterr()
        return int(end.value.code or 0), out, err

    measure = ("--measure", "economics.heat_price +-5 CNY/GJ")
    status, out, err = told(*measure, "--cost", "0", "--picture", str(tmp_path / "n.png"), "--json")
    assert status == 0, err
    answer = json.loads(out)
    assert [each["name"] for each in answer["options"]] == ["wells=1", "wells=3"]
    assert answer["units"] == "CNY"
    assert (tmp_path / "n.png").stat().st_size > 10_000
    status, out, err = told(*measure)
    assert status == 0, err
    assert "best now: wells=" in out
    for arguments, said in (
        ((*measure, "--cost", "1", "--cost", "2"), "--cost: 2 given"),
        ((*measure, "--cost", "-1"), "at least 0"),
        (("--measure", "gravity +-1"), "not uncertain"),
        (("--utility", "claim:1/1"), "has no claim"),
    ):
        status, out, err = told(*arguments)
        assert status == 2
        assert said in err
        assert not out


def test_picture_shows_each_with_its_interval() -> None:
    case = normal_study(rows=256)
    found = values_of(samples_of({"one": made_up(case)}), [parse_measurement("geothermal_gradient +-1 K/km", case)])
    with figures.dark():
        axes = figures.narrowing(found, plt.figure().subplots())
    assert axes.get_yticklabels()[0].get_text() == "geothermal_gradient +-1 K/km"
    assert axes.lines[0].get_xdata()[0] == pytest.approx(100 * found.measurements[0].variance.value)
    plt.close("all")
