"""The answer, line by line, against numbers worked out by hand."""

import io
import json
from typing import Any

import numpy as np
import pytest
import xarray as xr
from rich.console import Console

from study.statistics import Estimate
from study.summary import Line, print_table, summarise, to_json

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
    }
    study = {"name": "plant", "samples": 32, "design": "sobol", "claim": {"carbon_reduction": "95 t"}}
    each = {"replicate": np.arange(8) % 2, "status": np.zeros(8, np.int8), "reason": np.array([""] * 8)}
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
        "indoor_temperature_min_p50": 18.0,
        "indoor_temperature_min_p05": 15.35,
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


def test_a_claim_that_is_met_exactly_is_met() -> None:
    assert values(ensemble(claim={"carbon_reduction": "110 t"}))["p_claim_average_winter"] == 2 / 8
    assert values(ensemble(claim={"carbon_reduction": "110.01 t"}))["p_claim_average_winter"] == 0


def test_one_winter_has_no_change() -> None:
    found = values(ensemble().isel(winter=[0]))
    assert not [key for key in found if key.startswith("change")]
    assert found["carbon_reduction_life_mean"] == found["carbon_reduction_mean"] == 98.75


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
    assert summarise(spoilt) == summarise(ensemble().isel(sample=~bad))
    answer = json.loads(to_json(spoilt, summarise(spoilt)))
    assert (answer["samples"], answer["failed"]) == (8, 3)
    assert "8 samples of 2 winters; 3 of the samples failed" in printed(spoilt)
    assert "failed" not in printed(ensemble())


@pytest.mark.parametrize("status", [np.full(8, 2), np.arange(1, 9)])
def test_no_sample_that_ended_well_is_an_error(status: np.ndarray) -> None:
    with pytest.raises(ValueError, match="no sample ended well"):
        summarise(ensemble(status=status))
    with pytest.raises(ValueError, match="no sample is done yet"):
        summarise(ensemble().isel(sample=[]))


def refuse_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


@pytest.mark.parametrize("samples", [1, 8])
def test_json_is_strict_and_complete(samples: int) -> None:
    dataset = ensemble().isel(sample=slice(samples))
    lines = summarise(dataset)
    answer = json.loads(to_json(dataset, lines), parse_constant=refuse_constant)
    counts = {"study": "plant", "samples": samples, "samples_of_study": 32, "failed": 0, "winters": 2}
    assert {key: answer.pop(key) for key in counts} == counts
    assert answer.pop("confidence") == 0.95
    assert list(answer) == [line.key for line in lines]
    for line in lines:
        entry = answer[line.key]
        assert list(entry) == ["words", "units", "value", "low", "high"]
        assert entry["words"].startswith(line.section)
        assert entry["units"] == ("1" if line.units in ("%", "% points") else line.units)
        assert entry["value"] == line.estimate.value
        for bound in ("low", "high"):
            number = getattr(line.estimate, bound)
            assert entry[bound] == (None if np.isnan(number) else number)
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
    for line in lines:
        assert [row for row in text if row.startswith(f"  {line.words}") and row.endswith(line.units)], line
    assert len(text) == 3 + len({line.section for line in lines}) + len(lines)  # counts, header, sections, lines, note


@pytest.mark.parametrize(
    ("estimate", "units", "value", "interval"),
    [
        (Estimate(18234.56, 18100.0, 18400.0), "t CO2", "18,235", "18,100 to 18,400"),
        (Estimate(0.98765, 0.98, 0.99), "%", "98.77", "98.00 to 99.00"),
        (Estimate(2.34567, 2.3, 2.4), "h", "2.346", "2.300 to 2.400"),
        (Estimate(-1.5, -2.5, -0.5), "K", "-1.5", "-2.5 to -0.5"),
        (Estimate(12.5), "h", "12.50", "cannot be told"),
        (Estimate(0.0), "h", "0.0", "cannot be told"),
        (Estimate(3.0, np.nan, 4.0), "h", "3.000", "cannot be told"),
        (Estimate(0.0, 0.0, 0.0), "MWh", "0.0", "0.0 to 0.0"),
    ],
)
def test_digits_follow_the_width_of_the_interval(estimate: Estimate, units: str, value: str, interval: str) -> None:
    text = printed(ensemble(), [Line("key", "Section", "words", units, estimate)]).splitlines()
    (row,) = [row.split() for row in text if row.startswith("  words")]
    assert row == ["words", value, *interval.split(), *units.split()]
