"""The answer, line by line, against numbers worked out by hand."""

import io
import json
import re
import tracemalloc
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from rich.console import Console
from scipy import stats

from study.errors import EnsembleError, RunError
from study.statistics import Estimate
from study.summary import Line, Over, print_table, summarise, to_json

# Eight samples of two winters in two replicates, all of the energies and emissions easy to add up.
REDUCTION = np.array([[100, 80], [90, 90], [120, 100], [70, 130], [100, 100], [95, 85], [110, 90], [105, 115]], float)
UNMET_HOURS = np.array([[0, 0], [4, 0], [0, 0], [0, 12], [0, 0], [8, 8], [0, 0], [0, 0]], float)


def ensemble(**changes: Any) -> xr.Dataset:
    """Return an ensemble as `open_ensemble` gives it, with other values in some variables."""
    both = {
        "carbon_reduction": REDUCTION,
        "carbon_electricity": np.full((8, 2), 10.0),
        "electricity": np.full((8, 2), 40.0),
        "grid_emission_factor": np.tile([0.5, 0.4], (8, 1)),
        "heating_reliability": 1 - UNMET_HOURS / 100,
        "unmet_hours": UNMET_HOURS,
        "heat_unmet": UNMET_HOURS * 2,
        "heat_backup": np.tile([30.0, 36.0], (8, 1)),
        "indoor_temperature_min": 18 - UNMET_HOURS / 4,
        "outlet_temperature_mean": np.tile([20.0, 18.5], (8, 1)),
        "inlet_temperature_min": np.tile([6.0, 5.0], (8, 1)),
        "thermal_interference": np.tile([0.25, 0.5], (8, 1)),
        "coldest_well_penalty": np.tile([0.0, 0.125], (8, 1)),
        "shortfalls": UNMET_HOURS / 4,
        "longest_shortfall": UNMET_HOURS / 2,
        "worst_shortfall": UNMET_HOURS / 16,
        "cold_hours": UNMET_HOURS * 3,
        "cold_degree_hours": UNMET_HOURS * 5,
        "inlet_limit_hours": np.tile([1.0, 2.0], (8, 1)),
        "outage_hours": np.tile([100.0, 140.0], (8, 1)),
        "peak_heating_share": np.tile([0.125, 0.375], (8, 1)),
    }
    study = {"name": "plant", "samples": 32, "design": "sobol", "claim": {"carbon_reduction": "95 t"}}
    each = {"replicate": np.arange(8) % 2, "status": np.zeros(8, np.int8), "reason": np.array([""] * 8)}
    each["largest_unit_out_share"] = np.array([0.5, 0.6, 0.7, 0.7, 0.8, 0.8, 0.9, 1.0])
    given = {**both, **each, **{key: value for key, value in changes.items() if key in (*both, *each)}}
    study |= {key: value for key, value in changes.items() if key not in given}
    study = {key: value for key, value in study.items() if value is not None}
    return xr.Dataset(
        {
            key: (("sample", "winter")[: value.ndim], value)
            for key, value in {k: np.array(v) for k, v in given.items()}.items()
        },
        coords={"sample": np.arange(8), "winter": [1, 2]},
        attrs={"study": json.dumps(study)},
    )


def values(dataset: xr.Dataset) -> dict[str, float]:
    return {line.key: line.estimate.value for line in summarise(dataset)}


def worst(name: str, scale: float) -> dict[str, float]:
    quantiles = {5: 0.0, 50: 0.0, 95: 10.6 * scale}
    return {f"worst_winter_{name}_p{percent:02}": value for percent, value in quantiles.items()}


def test_every_line_has_its_value() -> None:
    # average winters 90 90 110 100 100 90 100 110; at the grid's factor 10 and 6 t less, carbon-free 10 t more
    found = values(ensemble())
    expected = {
        "carbon_reduction_mean": 98.75,
        "carbon_reduction_p05": 77.5,  # 70 80 85 90 ... at 0.75 of the way from the first to the second
        "carbon_reduction_p50": 100.0,
        "carbon_reduction_p95": 122.5,  # 120 and 130 at one quarter
        "carbon_reduction_life_mean": 197.5,
        "carbon_reduction_life_p05": 180.0,
        "carbon_reduction_life_p50": 200.0,
        "carbon_reduction_life_p95": 220.0,
        "p_claim_average_winter": 5 / 8,
        "p_claim_every_winter": 3 / 8,
        "p_claim_grid_electricity_average_winter": 2 / 8,
        "p_claim_grid_electricity_every_winter": 1 / 8,
        "p_claim_green_electricity_average_winter": 1.0,
        "p_claim_green_electricity_every_winter": 6 / 8,
        "heating_reliability_mean": 0.98,
        "heating_reliability_p05": 0.91,
        "p_winter_without_unmet_hour": 12 / 16,
        "p_life_without_unmet_hour": 5 / 8,
        "p_more_than_one_winter_in_ten_short": 3 / 8,
        "unmet_hours_mean": 2.0,
        "heat_unmet_mean": 4.0,
        "shortfalls_mean": 0.5,
        "shortfall_duration_mean": 4.0,  # 32 h in 8 shortfalls
        "longest_shortfall_mean": 1.0,
        "worst_shortfall_mean": 0.125,
        "cold_hours_mean": 6.0,
        "cold_degree_hours_mean": 10.0,
        # 0.98 of sixteen values is 0.7 of the way from the second largest, 8 h, to the largest, 12 h
        "unmet_hours_return_50": 10.8,
        "heat_unmet_return_50": 21.6,
        "worst_shortfall_return_50": 10.8 / 16,
        "longest_shortfall_return_50": 5.4,
        "cold_degree_hours_return_50": 54.0,
        "indoor_temperature_min_return_50": 15.3,
        # worst winters 0 0 0 0 0 4 8 12 h: 0.95 is 0.65 of the way from 8 to 12
        **worst("unmet_hours", 1.0),
        **worst("heat_unmet", 2.0),
        **worst("worst_shortfall", 1 / 16),
        **worst("longest_shortfall", 1 / 2),
        "indoor_temperature_min_p95": 18.0,
        "indoor_temperature_min_p50": 18.0,
        "indoor_temperature_min_p05": 15.35,
        # shares of short winters 0 0 0 0 0 0.5 0.5 1; mean hours 0 0 0 0 0 2 6 8
        "short_winters_p05": 0.0,
        "short_winters_p50": 0.0,
        "short_winters_p95": 0.825,
        "unmet_hours_expected_p05": 0.0,
        "unmet_hours_expected_p50": 0.0,
        "unmet_hours_expected_p95": 7.3,
        "heat_unmet_expected_p05": 0.0,
        "heat_unmet_expected_p50": 0.0,
        "heat_unmet_expected_p95": 14.6,
        # the one winter above 21.6 MWh is half of its sample's: 0 0 0 0 0 0 0 0.5
        "heat_unmet_return_50_frequency_p05": 0.0,
        "heat_unmet_return_50_frequency_p50": 0.0,
        "heat_unmet_return_50_frequency_p95": 0.325,
        # sums of squares about the winters' means 1.5 and 2.5 h: 62 and 158; of the steps about their mean, 1 h: 152
        "unmet_hours_variance_share": 1 - 152 / 2 / (62 + 158) * 2,
        "outage_hours_mean": 120.0,
        "inlet_limit_hours_mean": 1.5,
        "peak_heating_share_mean": 0.25,
        "p_largest_unit_out_rule": 6 / 8,
        "largest_unit_out_share_mean": 0.75,
        "p_shortfall_winter_1": 2 / 8,
        "p_shortfall_winter_2": 2 / 8,
        "unmet_hours_winter_1": 1.5,
        "unmet_hours_winter_2": 2.5,
        "thermal_interference": 0.5,
        "coldest_well_penalty": 0.125,
        "change_carbon_reduction": 0.0,
        "change_heating_reliability": -0.01,
        "change_unmet_hours": 1.0,
        "change_heat_backup": 6.0,
        "change_outlet_temperature_mean": -1.5,
        "change_inlet_temperature_min": -1.0,
    }
    assert found == pytest.approx(expected, rel=1e-12)


def test_intervals_come_from_replicates_and_from_the_binomial_distribution() -> None:
    lines = {line.key: line.estimate for line in summarise(ensemble())}
    # replicates 100 and 97.5 on average; Student's t with one degree of freedom
    half = 1.25 * np.tan(0.95 * np.pi / 2)
    mean = lines["carbon_reduction_mean"]
    assert (mean.low, mean.high) == pytest.approx((98.75 - half, 98.75 + half), rel=1e-9)
    # 8 of 8 samples: (1 - p)^8 = 0.025
    always = lines["p_claim_green_electricity_average_winter"]
    assert (always.low, always.high) == pytest.approx((0.025 ** (1 / 8), 1.0), rel=1e-9)


def test_a_study_without_claim_says_nothing_of_it() -> None:
    assert not [key for key in values(ensemble(claim=None)) if "claim" in key]
    assert set(values(ensemble())) - set(values(ensemble(claim=None))) == {
        f"p_claim{kind}_{winters}_winter"
        for kind in ("", "_grid_electricity", "_green_electricity")
        for winters in ("average", "every")
    }


@pytest.mark.parametrize(
    ("account", "words", "dropped"),
    [
        (-10.0, "with the grid's electricity", "p_claim_grid_electricity_average_winter"),
        (0.0, "with carbon-free electricity", "p_claim_green_electricity_average_winter"),
        (-2.5, "", None),
    ],
)
def test_an_account_that_is_the_studys_own_is_told_once(account: float, words: str, dropped: str | None) -> None:
    # 100 t with carbon-free electricity; the grid's would cost 20 MWh of 0.5 t/MWh
    flat = np.full((8, 2), 100.0)
    dataset = ensemble(
        carbon_reduction=flat + account,
        carbon_electricity=np.full((8, 2), -account),
        electricity=np.full((8, 2), 20.0),
        grid_emission_factor=np.full((8, 2), 0.5),
    )
    lines = {line.key: line for line in summarise(dataset)}
    averages = [key for key in lines if key.startswith("p_claim") and key.endswith("_average_winter")]
    assert len(averages) == 3
    assert [key for key in averages if not lines[key].shown] == ([dropped] if dropped else [])
    own = lines["p_claim_average_winter"]
    assert own.words == "on average over the life" + (f", {words}" if words else "")
    if dropped:
        assert lines[dropped].estimate == own.estimate


def test_a_grid_that_gets_no_cleaner_is_not_said_to() -> None:
    for factor, said in (((0.5, 0.4), True), ((0.5, 0.5), False)):
        dataset = ensemble(grid_emission_factor=np.tile(factor, (8, 1)))
        (line,) = [line for line in summarise(dataset) if line.key == "change_carbon_reduction"]
        assert ("falls" in line.words) == said


def test_a_claim_that_is_met_exactly_is_met() -> None:
    assert values(ensemble(claim={"carbon_reduction": "110 t"}))["p_claim_average_winter"] == 2 / 8
    assert values(ensemble(claim={"carbon_reduction": "110.01 t"}))["p_claim_average_winter"] == 0


def test_one_winter_has_no_change() -> None:
    found = values(ensemble().isel(winter=[0]))
    assert not [key for key in found if key.startswith("change")]
    assert found["carbon_reduction_life_mean"] == found["carbon_reduction_mean"] == 98.75
    assert [key for key in found if key.startswith("p_shortfall_winter")] == ["p_shortfall_winter_1"]
    assert np.isnan(found["unmet_hours_variance_share"])


@pytest.mark.parametrize(
    ("winters", "told"),
    [(2, [1, 2]), (10, [1, 10]), (25, [1, 10, 20, 25]), (30, [1, 10, 20, 30]), (31, [1, 10, 20, 30, 31])],
)
def test_winters_of_life_are_told_to_the_last(winters: int, told: list[int]) -> None:
    hours = np.zeros((8, winters))
    hours[:6, -1] = 12
    dataset = ensemble().isel(winter=[0] * winters)
    dataset["unmet_hours"] = ("sample", "winter"), hours
    found = values(dataset)
    for start, last in (("p_shortfall_winter_", 0.75), ("unmet_hours_winter_", 9.0)):
        by_winter = {int(key.removeprefix(start)): found[key] for key in found if key.startswith(start)}
        assert by_winter == {winter: last if winter == winters else 0 for winter in told}


def test_a_plant_that_is_never_short_is_told_so() -> None:
    hours = np.zeros((8, 2))
    names = ("unmet_hours", "heat_unmet", "shortfalls", "longest_shortfall", "worst_shortfall", "cold_hours")
    lines = {line.key: line for line in summarise(ensemble(**dict.fromkeys(names, hours), cold_degree_hours=hours))}
    assert lines["p_winter_without_unmet_hour"].estimate.value == 1
    assert lines["heat_unmet_return_50"].estimate.value == 0
    assert lines["short_winters_p95"].estimate.value == 0
    for key in ("shortfall_duration_mean", "unmet_hours_variance_share"):
        assert np.isnan(lines[key].estimate.value)
    (row,) = [row for row in printed(ensemble(unmet_hours=hours)).splitlines() if "share of the variance" in row]
    assert re.search(r" - +cannot be told \[\d+\] +%\s*$", row)


def test_what_is_not_known_is_told_from_chance() -> None:
    # the same share of short winters, once all in the same samples, once spread over them
    certain = np.zeros((64, 20))
    certain[:16] = 10
    random = np.random.default_rng(1).permuted(certain, axis=0)
    found = {}
    for name, hours in (("certain", certain), ("random", random)):
        dataset = ensemble().isel(sample=np.arange(64) % 8, winter=np.arange(20) % 2)
        dataset["unmet_hours"] = ("sample", "winter"), hours
        found[name] = values(dataset)
        assert found[name]["p_winter_without_unmet_hour"] == 0.75
        assert found[name]["unmet_hours_mean"] == 2.5
    assert found["certain"]["unmet_hours_variance_share"] == 1
    assert found["certain"]["short_winters_p95"] == 1
    # no share, to four standard deviations of a variance from 64 x 19 steps; 20 winters of a chance of one in four
    assert found["random"]["unmet_hours_variance_share"] < 4 * np.sqrt(2 / (64 * 19))
    assert found["random"]["short_winters_p95"] <= stats.binom.ppf(0.995, 20, 0.25) / 20


def test_the_table_shows_a_part_of_the_answer() -> None:
    lines = summarise(ensemble(winters=30).isel(winter=[0, 1] * 15))
    assert len([line for line in lines if line.shown]) <= 47
    text = printed(ensemble())
    for key, shown in (
        ("heat_unmet_return_50", True),
        ("heating_reliability_p05", False),
        ("change_heat_backup", False),
    ):
        (line,) = [line for line in lines if line.key == key]
        assert (line.words in text) == line.shown == shown


def test_order_of_dimensions_does_not_matter() -> None:
    assert summarise(ensemble().transpose("winter", "sample")) == summarise(ensemble())


@pytest.mark.parametrize("failed", [np.nan, 1e9])
def test_failed_samples_are_left_out_and_counted(failed: float) -> None:
    status = np.array([0, 1, 0, 3, 0, 0, 0, -1])
    bad = status != 0
    spoilt = ensemble(status=status)
    for name in spoilt.data_vars:
        if name not in ("status", "replicate", "reason"):
            spoilt[name][bad] = failed
    lines = summarise(spoilt, most_failed=0.4)
    of_good = {line.key: line.estimate.value for line in summarise(ensemble().isel(sample=~bad))}
    assert {line.key: line.estimate.value for line in lines} == pytest.approx(of_good, rel=1e-12, nan_ok=True)
    answer = json.loads(to_json(spoilt, lines))
    assert (answer["samples"], answer["failed"]) == (8, 3)
    assert answer["failed_share"] == 3 / 8
    assert answer["failed_by_status"] == {"input_out_of_range": 1, "energy_imbalance": 1, "status -1": 1}
    assert "8 samples of 2 winters; 3 of the samples failed, 38 %" in printed(spoilt, lines)
    assert "failed" not in printed(ensemble())


@pytest.mark.parametrize("status", [np.full(8, 2), np.arange(1, 9)])
def test_no_sample_that_ended_well_is_an_error(status: np.ndarray) -> None:
    with pytest.raises(RunError, match="no sample ended well"):
        summarise(ensemble(status=status))
    with pytest.raises(RunError, match="no sample is done yet"):
        summarise(ensemble().isel(sample=[]))


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_a_sample_that_ended_well_has_finite_numbers(wrong: float) -> None:
    reduction = REDUCTION.copy()
    reduction[3, 1] = wrong
    with pytest.raises(EnsembleError, match="carbon_reduction is not finite in samples whose status is ok"):
        summarise(ensemble(carbon_reduction=reduction))
    status = np.where(np.arange(8) == 3, 2, 0)
    summarise(ensemble(carbon_reduction=reduction, status=status), most_failed=0.5)


def test_more_failed_samples_than_allowed_are_refused_and_fewer_bound_the_answer() -> None:
    dataset = ensemble().isel(sample=np.arange(160) % 8).assign_coords(sample=np.arange(160))
    dataset["replicate"] = "sample", np.arange(160) % 16
    dataset["status"][9] = 2
    dataset["reason"] = "sample", np.where(np.arange(160) == 9, "carbon_reduction is not finite", "")
    with pytest.raises(EnsembleError, match=r"1 of 160 samples failed, 0.625 %.*not finite; --most-failed"):
        summarise(dataset, most_failed=0.005)
    lines = summarise(dataset)
    estimates = {line.key: line.estimate for line in lines}
    claim = estimates["p_claim_every_winter"]
    assert (claim.lowest, claim.highest) == pytest.approx((60 / 160, 61 / 160))
    reliability = estimates["heating_reliability_mean"]
    assert reliability.lowest < reliability.value < reliability.highest
    assert "1 of 160 samples failed, and nothing bounds" in estimates["carbon_reduction_mean"].remark
    text = printed(dataset, lines)
    assert "1 of 160 samples failed (0.62 %): 1 not_finite" in text
    assert "wherever the failed samples lie" in text
    assert "nothing bounds what they would have given" in text


def test_what_is_not_known_and_chance_each_alone() -> None:
    of_samples, of_winters = (
        {line.key: line.estimate.value for line in summarise(ensemble(), over=over)} for over in ("samples", "winters")
    )
    both = values(ensemble())
    assert of_samples["unmet_hours_mean"] == of_winters["unmet_hours_mean"] == both["unmet_hours_mean"]
    # mean hours of the samples: 0 0 0 0 0 2 6 8
    assert of_samples["unmet_hours_p95"] == pytest.approx(7.3)
    assert np.isnan(of_winters["unmet_hours_highest_of_19"])  # of two winters
    assert of_samples["p_claim_mean"] == of_winters["p_claim_mean"] == 10 / 16
    assert of_samples["p_short_p95"] == pytest.approx(0.825)
    answer = json.loads(to_json(ensemble(), summarise(ensemble(), over="winters"), over="winters"))
    assert answer["over"] == "winters"


def test_chance_is_told_by_the_lowest_the_middle_and_the_highest_of_19_winters() -> None:
    rng = np.random.default_rng(1)
    each, own = rng.integers(0, 9, (8, 21)).astype(float), 3.0 * np.arange(8)[:, None]
    dataset = ensemble().isel(winter=[0] * 21).assign(unmet_hours=(("sample", "winter"), each + own))
    found = {line.key: line.estimate for line in summarise(dataset, over="winters")}
    choices = np.array([np.sort(np.delete(each + own, gone, axis=1)) for gone in combinations(range(21), 2)])
    for rank, which in ((0, "lowest"), (9, "middle"), (18, "highest")):
        estimate = found[f"unmet_hours_{which}_of_19"]
        assert estimate.value == pytest.approx(choices[..., rank].mean(), rel=1e-12)
        assert estimate.low < estimate.value < estimate.high
    few = {line.key: line.estimate for line in summarise(dataset.isel(winter=slice(18)), over="winters")}
    for which in ("lowest", "middle", "highest"):
        assert np.isnan([few[f"unmet_hours_{which}_of_19"].value, few[f"unmet_hours_{which}_of_19"].low]).all()
        assert few[f"unmet_hours_{which}_of_19"].remark == "18 winters to a sample are too few to tell of 19"
    assert not np.isnan(few["unmet_hours_mean"].value)


def test_a_spread_of_means_says_how_much_of_it_is_chance() -> None:
    rng = np.random.default_rng(2)
    samples, noise = rng.standard_normal((8, 1)), rng.standard_normal((8, 20))
    for winters, scale, expected in ((20, 3.0, True), (20, 0.1, False), (2, 1.0, True)):
        values = (samples + scale * noise)[:, :winters]
        dataset = ensemble().isel(winter=[0] * winters).assign(carbon_reduction=(("sample", "winter"), values))
        found = {line.key: line.estimate.remark for line in summarise(dataset, over="samples")}
        steps = np.diff(values - values.mean(axis=0), axis=1)
        share = 100 * (steps**2).mean() / 2 / winters / values.mean(axis=1).var()
        assert (f"chance is {share:.0f} % of their variance" in found["carbon_reduction_p05"]) == expected
        assert "chance" not in found["carbon_reduction_mean"]
    one = {line.key: line.estimate.remark for line in summarise(dataset.isel(winter=[0]), over="samples")}
    assert "one winter cannot tell" in one["carbon_reduction_p50"]


@pytest.mark.parametrize("over", ["both", "samples", "winters"])
def test_one_variable_after_the_other_is_in_memory(tmp_path: Path, over: Over) -> None:
    rows = 4096
    small = ensemble().isel(sample=np.arange(rows) % 8, winter=np.arange(30) % 2).drop_vars("reason")
    small.assign_coords(sample=np.arange(rows)).to_netcdf(tmp_path / "all.nc", engine="h5netcdf")
    reasons = xr.DataArray(np.full(rows, ""), dims="sample")
    with xr.open_dataset(tmp_path / "all.nc", engine="h5netcdf") as dataset:
        lazy = dataset.assign(reason=reasons)
        summarise(lazy.isel(sample=slice(64)), over=over)  # what is loaded once and for all
        tracemalloc.start()
        summarise(lazy, over=over)
        left, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        variable = lazy["unmet_hours"].nbytes
        assert lazy.nbytes > 20 * variable
        assert left < variable
        assert most < {"both": 10, "samples": 7, "winters": 5}[over] * variable


def test_either_kind_tells_of_plant_ground_and_return_levels() -> None:
    of_samples = {line.key: line.estimate.value for line in summarise(ensemble(), over="samples")}
    long = ensemble().isel(winter=np.arange(30) % 2)
    of_winters = {line.key: line.estimate.value for line in summarise(long, over="winters")}
    assert of_samples["outage_hours_p50"] == 120.0
    assert of_winters["outage_hours_lowest_of_19"] == 100.0  # fifteen of thirty are 100 h, fifteen 140 h
    assert of_winters["outage_hours_highest_of_19"] == 140.0
    assert of_samples["cold_degree_hours_p95"] == pytest.approx(5 * 7.3)
    assert of_winters["cold_degree_hours_mean"] == 10.0
    # after the last winter, the same in all samples
    assert of_samples["thermal_interference_p05"] == of_samples["thermal_interference_p95"] == 0.5
    assert of_samples["largest_unit_out_share_p50"] == 0.75
    # one winter of sixteen is above 21.6 MWh or 10.8 h, half of its sample's
    for name in ("unmet_hours", "heat_unmet", "worst_shortfall", "longest_shortfall"):
        assert of_samples[f"{name}_return_50_frequency_p50"] == 0.0
        assert of_samples[f"{name}_return_50_frequency_p95"] == pytest.approx(0.325)
    assert not [key for key in of_winters if "return" in key or "interference" in key]


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize("samples", [1, 8])
def test_json_is_strict_and_complete(samples: int) -> None:
    dataset = ensemble().isel(sample=slice(samples))
    lines = summarise(dataset)
    answer = json.loads(to_json(dataset, lines), parse_constant=refuse_constant)
    counts = {"study": "plant", "samples": samples, "samples_of_study": 32, "winters": 2, "over": "both"}
    counts |= {"failed": 0, "failed_share": 0.0, "failed_by_status": {}}
    assert {key: answer.pop(key) for key in counts} == counts
    assert answer.pop("confidence") == 0.95
    assert list(answer) == [line.key for line in lines]
    for line in lines:
        entry = answer[line.key]
        assert list(entry) == ["words", "units", "value", "low", "high", "remark", "lowest", "highest"]
        assert entry["remark"] == line.estimate.remark
        assert entry["words"].startswith(line.section)
        assert entry["units"] == ("1" if line.units in ("", "%", "% points") else line.units)
        for name in ("value", "low", "high", "lowest", "highest"):
            number = getattr(line.estimate, name)
            assert entry[name] == (None if np.isnan(number) else number)
    assert (answer["carbon_reduction_mean"]["low"] is None) == (samples == 1)


def printed(dataset: xr.Dataset, lines: list[Line] | None = None) -> str:
    stream = io.StringIO()
    print_table(dataset, lines or summarise(dataset), Console(file=stream, width=116, highlight=False))
    return stream.getvalue()


@pytest.mark.parametrize("scale", [0.001, 1, 200])
@pytest.mark.parametrize("winters", [2, 30, 100])
def test_each_line_of_the_table_stays_on_one_line(scale: float, winters: int) -> None:
    dataset = ensemble(carbon_reduction=scale * REDUCTION, heat_unmet=scale * UNMET_HOURS)
    dataset = dataset.isel(winter=[0, 1] * (winters // 2))
    lines = summarise(dataset)
    text = [row.rstrip() for row in printed(dataset, lines).splitlines() if row.strip()]
    assert max(map(len, text)) <= 116
    assert text[0] == f"plant: 8 samples of {winters} winters"
    shown = [line for line in lines if line.shown]
    for line in shown:
        assert [row for row in text if row.startswith(f"  {line.words} ") and row.endswith(line.units)], line
    remarks = {line.estimate.remark for line in shown} - {""}
    # counts, header, sections, lines, remarks, note
    assert len(text) == 3 + len({line.section for line in shown}) + len(shown) + len(remarks)


@pytest.mark.parametrize(
    ("estimate", "units", "value", "interval"),
    [
        (Estimate(18234.56, 18100.0, 18400.0), "t CO2", "18,235", "18,100 to 18,400"),
        (Estimate(0.98765, 0.98, 0.99), "%", "98.77", "98.00 to 99.00"),
        (Estimate(2.34567, 2.3, 2.4), "h", "2.346", "2.300 to 2.400"),
        (Estimate(-1.5, -2.5, -0.5), "K", "-1.5", "-2.5 to -0.5"),
        (Estimate(12.5), "h", "12.50", "cannot be told"),
        (Estimate(0.0), "h", "0.0", "cannot be told"),
        (Estimate(3.0, np.nan, 4.0), "h", "3.000", "4.000 or less"),
        (Estimate(3.0, 2.0, np.nan), "h", "3.000", "2.000 or more"),
        (Estimate(np.nan), "%", "-", "cannot be told"),
        (Estimate(0.0, 0.0, 0.0), "MWh", "0.0", "0.0 to 0.0"),
        (Estimate(8.39712, 8.39351, 8.40083), "K", "8.40", "8.39 to 8.40"),
        (Estimate(17.02345, 17.0231, 17.0238), "°C", "17.02", "17.02 to 17.02"),
        (Estimate(8.39712, 8.39351, 8.40083), "h", "8.3971", "8.3935 to 8.4008"),
        (Estimate(0.5, 0.4, 0.6), "", "0.50", "0.40 to 0.60"),
    ],
)
def test_digits_follow_the_width_of_the_interval(estimate: Estimate, units: str, value: str, interval: str) -> None:
    text = printed(ensemble(), [Line("key", "Section", "words", units, estimate)]).splitlines()
    (row,) = [row.split() for row in text if row.startswith("  words")]
    assert row == ["words", value, *interval.split(), *units.split()]
