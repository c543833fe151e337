"""Carbon accounts: written out by hand, told apart by what each can claim, and made again of a finished ensemble."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

import study as hotland
from kernels.carbon import electricity_emissions
from study.accounting import account, embodied, material_emissions
from study.blocks import compute_block
from study.carbon import BASELINES, NEEDED, built_in_baseline
from study.cli import main
from study.config import ConfigError, Study, load_study
from study.engine import prepare
from study.ensemble import Ensemble
from study.errors import EnsembleError
from study.job import Progress
from study.ledgers import EVERYDAY, carbon_reduction, every_account, field_area, ledgers, payback
from study.reaccounting import reaccount, with_account
from study.sampling import sample_inputs
from study.shallow import Boreholes, Load, shallow_plant
from study.storage import Storage
from study.verification import verify
from tests.conftest import SMOKE as FILE
from tests.conftest import variant

SMOKE = load_study(FILE)
GAS = {"kind": "gas", "capacity": "0.3 MW", "efficiency": 0.9, "emission_factor": "0.202 t/MWh"}
PARK = {
    "energy_use": "10000 tce/yr",
    "electricity_share": 0.78,
    "electricity_equivalent": "0.3 tce/MWh",
    "green_power_share": 0.9,
    "fuel_factor": "1.5 t/tce",
}
FLOWS = {
    name: np.array([[value], [value / 2]]) for name, value in (("heat_delivered", 9000.0), ("electricity", 3000.0))
}


def of(study: Study, flows: dict[str, np.ndarray] = FLOWS) -> dict[str, list[float]]:
    """Accounts of one row of two winters."""
    found = account(study, sample_inputs(study, np.arange(1)), flows)
    return {name: value[:, 0].tolist() for name, value in found.items()}


def with_carbon(**keys: Any) -> Study:
    """The smoke study with another carbon section, where None takes a key away."""
    resolved = SMOKE.resolved()
    resolved["carbon"] = {k: v for k, v in (resolved["carbon"] | keys).items() if v is not None}
    return Study.model_validate(resolved)


def test_ledger_of_a_coal_boiler_by_hand() -> None:
    """9,000 MWh delivered, 6 % lost on the way, 80 % efficiency, 0.09 t/GJ: 9,000 / 0.94 · 3.6 / 0.8 · 0.09 t."""
    keys = {"baseline_factor": None, "baseline_fuel_factor": "0.09 t/GJ", "baseline_efficiency": 0.8}
    found = of(with_carbon(baseline="coal_boiler", **keys))
    np.testing.assert_allclose(found["carbon_baseline"], [3877.659574468085, 1938.8297872340426], rtol=1e-12)
    np.testing.assert_allclose(found["carbon_electricity"], [3000 * 0.5122, 1500 * 0.5122 * 0.96], rtol=1e-12)
    np.testing.assert_allclose(found["carbon_refrigerant"], 600 * 0.3 * 0.03 * 1430 / 1000, rtol=1e-12)
    np.testing.assert_allclose(found["carbon_embodied"], 2 * 350 / 30, rtol=1e-12)
    reduction = 3877.659574468085 - 1536.6 - 7.722 - 23.333333333333332
    assert found["carbon_reduction"][0] == pytest.approx(reduction, rel=1e-12)


def test_ledger_of_air_source_heat_pumps_and_certificates_by_hand() -> None:
    """Replaced electricity 9,000 / 2.25 MWh counts with the grid; of the own 3,000 MWh a quarter is not certified."""
    keys = {"baseline": "air_source_heat_pump", "baseline_factor": None, "baseline_cop": 2.25, "network_loss": 0}
    green = {"electricity_account": "market", "green_power_share": 0.75, "residual_factor": "0.6096 kg/kWh"}
    found = of(with_carbon(**keys, **green, residual_decline="-4 %/yr"))
    np.testing.assert_allclose(found["carbon_baseline"], [4000 * 0.5122, 2000 * 0.5122 * 0.96], rtol=1e-12)
    np.testing.assert_allclose(found["carbon_electricity"], [750 * 0.6096, 375 * 0.6096 * 1.04], rtol=1e-12)


def test_ledger_of_purchased_heat_gas_and_a_park_by_hand() -> None:
    study = variant(with_carbon(baseline_decline="1 %/yr"), {"peak_heating": GAS, "park": PARK})
    found = of(study, FLOWS | {"fuel_peak_heating": np.array([[1000.0], [100.0]])})
    heat = np.array([9000, 4500]) / 0.94 * 3.6  # GJ
    np.testing.assert_allclose(found["carbon_baseline"], heat * 0.11 * np.array([1, 0.99]), rtol=1e-12)
    np.testing.assert_allclose(found["carbon_peak_fuel"], [202, 20.2], rtol=1e-12)
    # 7,800 tce of electricity are 26,000 MWh, of which 2,600 count; 2,200 tce of fuel
    grid = np.array([0.5122, 0.5122 * 0.96])
    emissions, energy = 2600 * grid + 2200 * 1.5, 10000.0
    before = (emissions + np.array(found["carbon_baseline"])) / (energy + heat * 0.03412)
    np.testing.assert_allclose(found["park_emissions_per_energy_before"], before, rtol=1e-12)
    used = np.array([3000, 1500]) * 0.3 + np.array([1000, 100]) * 3.6 / 29.307
    after = (emissions + np.array([3000, 1500]) * grid + np.array([202, 20.2])) / (energy + used)
    np.testing.assert_allclose(found["park_emissions_per_energy"], after, rtol=1e-12)


def test_a_parks_own_factor_counts_for_its_heating_too() -> None:
    study = variant(SMOKE, {"park": PARK | {"electricity_factor": "0.8325 t/MWh"}})
    found = of(study)
    after = (2600 * 0.8325 + 3300 + 3000 * 0.8325) / (10000 + 900)
    assert found["park_emissions_per_energy"][0] == pytest.approx(after, rel=1e-12)
    assert found["carbon_electricity"][0] == pytest.approx(3000 * 0.5122, rel=1e-12)
    keys = {"baseline": "electric_boiler", "baseline_factor": None, "baseline_efficiency": 0.9, "network_loss": 0}
    resolved = with_carbon(**keys).resolved()
    found = of(Study.model_validate({**resolved, "park": PARK | {"electricity_factor": "0.8325 t/MWh"}}))
    before = (2600 * 0.8325 + 3300 + 10000 * 0.8325) / (10000 + 3000)
    assert found["park_emissions_per_energy_before"][0] == pytest.approx(before, rel=1e-12)
    assert found["carbon_baseline"][0] == pytest.approx(10000 * 0.5122, rel=1e-12)


POWER = {
    "latitude": "41.7 deg",
    "longitude": "123.5 deg",
    "elevation": "49 m",
    "utc_offset": "8 h",
    "other_use": {"annual": "1 GWh/yr"},
    "solar": {
        "annual_generation": "2 GWh/yr",
        "clear_sky_index": [0.8] * 12,
        "clear_sky_index_standard_deviation": [0.2] * 12,
    },
}


def test_ledger_of_own_power_by_hand() -> None:
    """Of 3,000 and 1,500 MWh own power covers 400 and 100; the rest counts with the grid, here and in the park."""
    study = variant(with_carbon(electricity_account=None), {"own_power": POWER, "park": PARK})
    study = with_account(study, electricity="hourly")
    found = of(study, FLOWS | {"electricity_covered": np.array([[400.0], [100.0]])})
    counted = np.array([2600 * 0.5122, 1400 * 0.5122 * 0.96])
    np.testing.assert_allclose(found["carbon_electricity"], counted, rtol=1e-12)
    after = (2600 * 0.5122 + 3300 + counted[0]) / (10000 + 900)
    assert found["park_emissions_per_energy"][0] == pytest.approx(after, rel=1e-12)


def test_materials_by_hand() -> None:
    """A metre of the smoke study's well: 4,868.5 mm² of steel, 20,902.3 mm² of grout, 3,141.6 mm² of plastic."""
    given = {"steel_factor": "3 t/t", "cement_factor": "0.7 t/t", "inner_pipe_factor": "2 t/t", "drilling": "0.2 t/m"}
    study = with_carbon(embodied_per_well=None, materials=given | {"heat_pump_factor": "100 t/MW"})
    inputs = sample_inputs(study, np.arange(3))
    of_well = {name: value.tolist() for name, value in material_emissions(inputs).items()}
    steel = np.pi / 4 * (0.1778**2 - 0.15942**2) * 2000 * 7.85 * 3
    cement = np.pi / 4 * (0.2413**2 - 0.1778**2) * 2000 * 1.32 * 0.7
    plastic = np.pi / 4 * (0.11**2 - 0.09**2) * 2000 * 0.95 * 2
    for name, tonnes in (("casing", steel), ("cement", cement), ("inner_pipe", plastic), ("drilling", 400.0)):
        np.testing.assert_allclose(of_well[name], tonnes, rtol=1e-9, err_msg=name)
    np.testing.assert_allclose(embodied(study, inputs), 2 * (steel + cement + plastic + 400) + 60, rtol=1e-9)


@pytest.mark.parametrize("name", BASELINES)
def test_built_in_baselines_say_all_and_where_it_is_from(name: str) -> None:
    given = built_in_baseline(name)
    assert set(given) == {*NEEDED[name], "network_loss"}
    assert all(value["source"] for value in given.values())
    study = with_account(SMOKE, baseline=name)
    assert study.carbon.baseline == name
    assert name.replace("_", " ").lower() in study.carbon.words.lower()
    assert of(study)["carbon_baseline"][0] > 0


def test_a_study_file_names_its_baseline_and_goes_before_it(tmp_path: Path) -> None:
    yaml = YAML(typ="safe", pure=True)
    data = yaml.load(FILE)
    data["carbon"] |= {"baseline": "gas_boiler", "network_loss": "2 %"}
    del data["carbon"]["baseline_factor"]
    yaml.dump(data, tmp_path / "study.yaml")
    study = load_study(tmp_path / "study.yaml")
    assert study.inputs["carbon.baseline_fuel_factor"].value == 0.0561
    assert study.inputs["carbon.network_loss"].value == 0.02
    assert study.inputs["carbon.baseline_efficiency"].uncertain
    assert Study.model_validate(study.resolved()) == study


@pytest.mark.parametrize(
    ("keys", "words"),
    [
        (
            {"baseline": "coal_boiler"},
            "'coal_boiler' needs baseline_fuel_factor and needs baseline_efficiency and does",
        ),
        ({"baseline": "oven"}, "carbon.baseline"),
        ({"baseline_cop": 3}, "'purchased_heat' does not take baseline_cop"),
        ({"baseline_factor": None}, "needs baseline_factor"),
        ({"electricity_account": "location", "green_power_share": 0.5}, "certificates belong to 'market'"),
        ({"residual_factor": "0.6 kg/kWh"}, "residual_factor goes with electricity_account: market"),
        ({"electricity_account": "market", "residual_decline": "1 %/yr"}, "residual_decline goes with residual_factor"),
        ({"embodied_per_well": None}, "give either embodied_per_well or materials"),
        ({"electricity_account": "hourly"}, "own_power"),
    ],
)
def test_accounts_that_make_no_sense_are_refused(keys: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=r"carbon|own_power") as caught:
        with_carbon(**keys)
    assert words in str(caught.value)


@settings(max_examples=50, deadline=None)
@given(*[st.floats(0.0, 1e6)] * 2, st.floats(0.0, 1.0), st.floats(0.0, 2.0))
def test_nothing_can_be_claimed_twice(used: float, covered: float, share: float, factor: float) -> None:
    """What own power covers bears no certificate, and what counts is never below zero nor above what the grid would."""
    covered = min(covered, used)
    counted = electricity_emissions(np.array(used), np.array(covered), np.array(share), np.array(factor))
    assert 0.0 <= counted <= used * factor * (1 + 1e-12)
    assert counted == pytest.approx((used - covered) * (1 - share) * factor, rel=1e-12, abs=1e-12)


# made again ---------------------------------------------------------------------------------------------------------


def uncertain(study: Study) -> Study:
    """The same with accounts that a few rows fail in, and with traces."""
    return variant(
        study,
        {
            "own_power": POWER,
            "samples": 100,
            "winters": 2,
            "carbon.electricity_factor": {
                "distribution": "normal",
                "mean": "0.5 kg/kWh",
                "standard_deviation": "0.2 kg/kWh",
            },
            "carbon.network_loss": {"distribution": "normal", "mean": "6 %", "standard_deviation": "4 %"},
            "traces": {"samples": 6, "interval": "daily", "variables": ["electricity"]},
        },
    )


def run(study: Study, store: Path, *, block_size: int = 64) -> Path:
    ensemble, blocks = prepare(study, Storage.at(store), block_size=block_size)
    for block in blocks:
        compute_block(study, ensemble, block)
    return store


def digests(store: Path) -> list[dict[str, str]]:
    ensemble = Ensemble.open(Storage.at(store))
    return [receipt["sha256"] for receipt in ensemble.receipts(ensemble.received())]


def reasons(store: Path) -> dict[int, str]:
    ensemble = Ensemble.open(Storage.at(store))
    return {row: text for receipt in ensemble.receipts(ensemble.received()) for row, text in receipt["failed"].items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ensemble some rows of which fail by their accounts."""
    return run(uncertain(SMOKE), tmp_path_factory.mktemp("accounts") / "store.zarr")


@pytest.mark.parametrize(
    "other",
    [
        {"baseline": "gas_boiler"},
        {"electricity": "market"},
        {"baseline": "air_source_heat_pump", "electricity": "location"},
        {"baseline": "coal_boiler", "electricity": "hourly"},
        {"accounts": {"carbon": {"network_loss": "5 %"}, "park": PARK, "claim": {"carbon_reduction": "100 t"}}},
    ],
    ids=["baseline", "electricity", "both", "hourly", "file"],
)
def test_another_account_has_the_bits_of_a_run_with_it(store: Path, tmp_path: Path, other: dict[str, Any]) -> None:
    if "accounts" in other:
        YAML().dump(other["accounts"], tmp_path / "accounts.yaml")
        other = {"accounts": tmp_path / "accounts.yaml"}
    study = with_account(uncertain(SMOKE), **other)
    made = tmp_path / "made.zarr"
    reaccount(store, made, **other)
    ran = run(study, tmp_path / "ran.zarr")
    assert digests(made) == digests(ran)
    assert reasons(made) == reasons(ran)
    assert 0 < len(reasons(store)) < 30
    if other.get("electricity") == "hourly":
        dataset = hotland.open_ensemble(ran)
        counted = (dataset["electricity"] - dataset["electricity_covered"]) * dataset["grid_emission_factor"]
        np.testing.assert_allclose(dataset["carbon_electricity"], counted, rtol=1e-12)
        assert (dataset["electricity_covered"] > 0).any()
    assert reasons(made) != reasons(store) or "electricity" in other
    assert verify(str(made), blocks=1).problems == []
    dataset = hotland.open_ensemble(made)
    assert dataset.attrs["accounting"] == study.carbon.words
    assert json.loads(dataset.attrs["study"]) == study.resolved()
    xr.testing.assert_identical(
        dataset.drop_vars("reason").drop_attrs().load(),
        hotland.open_ensemble(ran).drop_vars("reason").drop_attrs().load(),
    )


def test_an_account_that_was_interrupted_goes_on(store: Path, tmp_path: Path) -> None:
    def stop(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    made = tmp_path / "made.zarr"
    with pytest.raises(KeyboardInterrupt):
        reaccount(store, made, baseline="gas_boiler", watch=stop)
    assert len(digests(made)) == 1
    reaccount(store, made, baseline="gas_boiler")
    whole = tmp_path / "whole.zarr"
    reaccount(store, whole, baseline="gas_boiler")
    assert digests(made) == digests(whole)


def test_what_cannot_be_accounted_is_refused(store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(EnsembleError, match="no ensemble here"):
        reaccount(tmp_path / "nothing", tmp_path / "made.zarr", baseline="gas_boiler")
    with pytest.raises(EnsembleError, match="no place for another"):
        reaccount(store, store, baseline="gas_boiler")
    with pytest.raises(ConfigError, match=r"baseline 'oven': allowed: purchased_heat, "):
        reaccount(store, tmp_path / "made.zarr", baseline="oven")
    with pytest.raises(ConfigError, match="electricity_account"):
        reaccount(store, tmp_path / "made.zarr", electricity="solar")
    (tmp_path / "other.yaml").write_text("well: {depth: 3000 m}\n")
    with pytest.raises(ConfigError, match=r"other.yaml: well: allowed: carbon, park, shallow_field, economics, claim"):
        reaccount(store, tmp_path / "made.zarr", accounts=tmp_path / "other.yaml")
    assert not (tmp_path / "made.zarr").exists()
    reaccount(store, tmp_path / "made.zarr", baseline="gas_boiler")
    with pytest.raises(EnsembleError, match="made from another study"):
        reaccount(store, tmp_path / "made.zarr", baseline="coal_boiler")
    damaged = shutil.copytree(store, tmp_path / "damaged.zarr")
    (damaged / "heat_delivered" / "c.0.0").write_bytes((damaged / "electricity" / "c.0.0").read_bytes())
    with pytest.raises(EnsembleError, match=r"heat_delivered/c\.0\.0 is not what was written"):
        reaccount(damaged, tmp_path / "of-damaged.zarr", baseline="gas_boiler")
    monkeypatch.setattr("study.reaccounting.code_fingerprint", lambda: "other")
    with pytest.raises(EnsembleError, match="another version of hotland"):
        reaccount(store, tmp_path / "old.zarr", baseline="gas_boiler")


def test_damage_where_an_account_does_not_look_is_seen(store: Path, tmp_path: Path) -> None:
    damaged = shutil.copytree(store, tmp_path / "damaged.zarr")
    (damaged / "inlet_temperature_min" / "c.0.0").write_bytes((damaged / "electricity" / "c.0.0").read_bytes())
    with pytest.raises(EnsembleError, match=r"inlet_temperature_min/c\.0\.0 is not what was written"):
        reaccount(damaged, tmp_path / "made.zarr", baseline="gas_boiler")


def test_an_account_of_an_unfinished_ensemble_says_so_and_goes_on(store: Path, tmp_path: Path) -> None:
    unfinished, made = shutil.copytree(store, tmp_path / "unfinished.zarr"), tmp_path / "made.zarr"
    receipt = (unfinished / "receipts" / "00000001.json").read_bytes()
    (unfinished / "receipts" / "00000001.json").unlink()
    said: list[str] = []
    reaccount(unfinished, made, baseline="gas_boiler", say=said.append)
    assert "64 of 100 samples" in said[-1]
    (unfinished / "receipts" / "00000001.json").write_bytes(receipt)
    reaccount(unfinished, made, baseline="gas_boiler")
    reaccount(store, tmp_path / "whole.zarr", baseline="gas_boiler")
    assert digests(made) == digests(tmp_path / "whole.zarr")


FACTOR = {"distribution": "uniform", "minimum": "0.1 t/GJ", "maximum": "0.12 t/GJ"}
LOSS = {"distribution": "uniform", "minimum": "3 %", "maximum": "9 %"}


def test_flows_that_hang_on_an_account_are_not_accounted_otherwise() -> None:
    study = variant(SMOKE, {"winter_load": {"expression": "0.9 + carbon.network_loss"}})
    with pytest.raises(ConfigError, match=r"winter_load is derived from carbon\.network_loss"):
        with_account(study, baseline="gas_boiler")


def test_correlations_and_parameters_of_what_is_gone_go_too() -> None:
    pair = {"inputs": ["carbon.baseline_factor", "carbon.network_loss"], "rank_correlation": 0.5}
    study = variant(with_carbon(baseline_factor=FACTOR, network_loss=LOSS), {"correlations": [pair]})
    assert with_account(study, electricity="market").correlations == study.correlations
    assert with_account(study, baseline="gas_boiler").correlations == ()
    pair = {"inputs": ["carbon.baseline_factor", "winter_load"], "rank_correlation": 0.5}
    study = variant(with_carbon(baseline_factor=FACTOR), {"correlations": [pair]})
    with pytest.raises(ConfigError, match=r"winter_load is correlated with carbon\.baseline_factor"):
        with_account(study, baseline="gas_boiler")
    parameters = {"parameters": {"y": FACTOR, "kept": LOSS}}
    resolved = SMOKE.resolved() | parameters
    resolved["carbon"]["baseline_factor"] = {"expression": "parameters.y * 1"}
    resolved["carbon"]["green_power_share"] = {"expression": "parameters.kept * 1"}
    other = with_account(Study.model_validate(resolved), baseline="gas_boiler")
    assert set(other.parameters or {}) == {"kept"}


def test_own_ledgers_are_told_where_others_cannot_be(tmp_path: Path) -> None:
    pair = {"inputs": ["carbon.baseline_factor", "winter_load"], "rank_correlation": 0.5}
    study = variant(with_carbon(baseline_factor=FACTOR), {"correlations": [pair], "samples": 64})
    dataset = hotland.open_ensemble(run(study, tmp_path / "store.zarr"))
    lines = {line.key: line.estimate for line in [*ledgers(dataset), *every_account(dataset)]}
    assert lines["embodied"].value == 700.0
    for key in ("shallow_none", "carbon_reduction_gas_boiler_market"):
        assert "winter_load is correlated with carbon.baseline_factor" in lines[key].remark


def test_certificates_are_the_studys_own_or_all() -> None:
    assert "100 % of it with certificates" in with_account(SMOKE, electricity="market").carbon.words
    keys = {"electricity_account": "market", "residual_factor": "0.6 kg/kWh", "residual_decline": "1 %/yr"}
    own = with_carbon(**keys)
    assert with_account(own, electricity="market") == own
    assert "none of it with certificates" in own.carbon.words
    plain = with_account(own, electricity="location")
    assert plain.carbon.residual_factor is plain.carbon.residual_decline is None


def test_another_account_of_a_dataset_is_that_of_a_store(store: Path, tmp_path: Path) -> None:
    other = with_account(uncertain(SMOKE), baseline="coal_boiler", electricity="market")
    dataset = hotland.open_ensemble(store)
    found = carbon_reduction(dataset, other)
    reaccount(store, tmp_path / "made.zarr", baseline="coal_boiler", electricity="market")
    kept = hotland.open_ensemble(tmp_path / "made.zarr")["carbon_reduction"].load()
    there = (dataset["status"] == 0) & (hotland.open_ensemble(tmp_path / "made.zarr")["status"] == 0)
    np.testing.assert_array_equal(found.values[there], kept.values[there])


# ledgers ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An ensemble with a park and a claim, and no failed row."""
    claim = {"carbon_reduction": "450 t", "first_winter": 2029, "park_emissions_per_energy": "0.5 t/tce"}
    claim["company_targets"] = [{"year": year, "reduction": "40 Mt"} for year in (2029, 2030, 2031, 2032)]
    study = variant(SMOKE, {"samples": 256, "park": PARK, "claim": claim})
    return run(study, tmp_path_factory.mktemp("sound") / "store.zarr", block_size=256)


def test_ledgers_hold_what_the_ensemble_says(sound: Path) -> None:
    dataset = hotland.open_ensemble(sound).load()
    lines = {line.key: line.estimate for line in ledgers(dataset)}
    carbon = dataset["carbon_reduction"]
    assert lines["ledger_2030_cumulated"].value == pytest.approx(float(carbon[:, 0].mean()), rel=1e-12)
    assert lines["ledger_2031_cumulated"].value == pytest.approx(float(carbon.sum("winter").mean()), rel=1e-12)
    assert lines["ledger_2031_share"].value == pytest.approx(float(carbon[:, 1].mean()) / 40e6, rel=1e-12)
    for year in (2029, 2032):  # before the first, after the last
        assert np.isnan(lines[f"ledger_{year}_cumulated"].value)
        assert "winters end in 2030 to 2031" in lines[f"ledger_{year}_cumulated"].remark
    after, before = (float(dataset[f"park_emissions_per_energy{end}"].mean()) for end in ("", "_before"))
    assert lines["park_after"].value == pytest.approx(after, rel=1e-12)
    assert lines["park_change"].value == pytest.approx(after - before, rel=1e-9)
    reached = float((dataset["park_emissions_per_energy"].mean("winter") <= 0.5).mean())
    assert lines["p_park_promise"].value == reached
    assert lines["embodied"].value == 700.0
    heat = dataset["heat_delivered"]
    assert lines["embodied_per_heat"].value == pytest.approx(
        1e3 * 700 / 30 * 2 / float(heat.sum("winter").mean()), rel=1e-9
    )
    assert lines["groundwater"].value == 0.0
    spacing = dataset["field_spacing"]
    assert lines["field_area"].value == pytest.approx(2e-4 * float((spacing**2).mean()), rel=1e-9)
    for key, _, tonnes in EVERYDAY:
        assert lines[key].value == pytest.approx(float(carbon.mean()) / tonnes, rel=1e-12)


def test_shallow_boreholes_beside_the_wells(sound: Path) -> None:
    """Less space, steadier, more efficient: the numbers of each are those of the ensemble, and of `study.shallow`."""
    dataset = hotland.open_ensemble(sound).load()
    study = Study.model_validate(json.loads(dataset.attrs["study"]))
    lines = {line.key: line.estimate.value for line in ledgers(dataset)}
    heat = dataset["heat_delivered"] - dataset["heat_backup"]
    electricity = dataset["electricity"] - dataset["electricity_backup"]
    assert lines["deep_cop"] == pytest.approx(float(heat.sum() / electricity.sum()), rel=1e-12)
    assert lines["deep_electricity"] == pytest.approx(float(electricity.mean()), rel=1e-12)
    assert lines["deep_coldest_last"] == pytest.approx(float(dataset["inlet_temperature_min"][:, -1].mean()), rel=1e-12)
    cop = sample_inputs(with_account(study, baseline="ground_source_heat_pump"), np.arange(256))["carbon.baseline_cop"]
    plant = shallow_plant(
        Load(
            heat=heat.mean("winter").values,
            capacity=np.array(0.6),
            seasonal_cop=cop,
            design_cop=0.875 * cop,
            years=np.array(2.0),
        ),
        Boreholes(
            conductivity=dataset["rock_layers_0_conductivity"].values,  # the uppermost
            heat_capacity=np.array(2.25e6),
            surface_temperature=np.array(9.8),
            geothermal_gradient=dataset["geothermal_gradient"].values / 1e3,
        ),
    )
    assert lines["shallow_boreholes"] == pytest.approx(plant.boreholes.mean(), rel=1e-12)
    assert lines["shallow_land"] == pytest.approx(plant.land.mean() / 1e4, rel=1e-12)
    assert lines["shallow_cop"] == pytest.approx(cop.mean(), rel=1e-12)
    assert lines["shallow_electricity"] == pytest.approx(float((heat.mean("winter") / cop).mean()), rel=1e-9)
    power = heat.mean() / (24 * 151)
    assert lines["shallow_land_per_power"] == pytest.approx(float(plant.land.mean() / 1e4 / power), rel=1e-9)
    closer = Study.model_validate({**study.resolved(), "shallow_field": {"spacing": "4 m", "recharge": "100 %"}})
    dataset.attrs["study"] = json.dumps(closer.resolved())
    assert {line.key: line.estimate.value for line in ledgers(dataset)}["shallow_land"] < 0.6 * lines["shallow_land"]


def test_the_announced_trips_around_the_equator() -> None:
    """18,000 t are said to be 3,000 trips."""
    (tonnes,) = (tonnes for key, _, tonnes in EVERYDAY if key.startswith("car_trips"))
    assert 18000 / tonnes == pytest.approx(3000, rel=0.01)


def test_payback_within_a_winter_in_proportion() -> None:
    running = xr.DataArray(
        [[10.0, 10.0, 10.0], [1.0, 2.0, 3.0], [5.0, -5.0, 20.0], [0.0, 0.0, 4.0]], dims=("sample", "winter")
    )
    built = xr.DataArray([15.0, 7.0, 10.0, 4.0], dims="sample")
    np.testing.assert_array_equal(payback(running, built), [1.5, np.inf, 2.5, 3.0])
    np.testing.assert_array_equal(payback(0 * running, 0 * built), np.zeros(4))


def test_area_of_a_field_is_that_of_its_spacing() -> None:
    inputs = sample_inputs(SMOKE, np.arange(3))
    np.testing.assert_allclose(field_area(SMOKE, inputs), 2 * inputs["field.spacing"] ** 2)
    corners = [["0 m", "0 m"], ["30 m", "0 m"], ["0 m", "40 m"]]
    study = variant(SMOKE, {"field": {"coordinates": corners}})
    np.testing.assert_allclose(field_area(study, sample_inputs(study, np.arange(2))), 900 + 900 + 1600)


def test_every_account_of_one_ensemble(sound: Path) -> None:
    dataset = hotland.open_ensemble(sound)
    lines = {line.key: line.estimate for line in every_account(dataset)}
    assert len(lines) == 2 * 2 * len(BASELINES)
    for baseline in BASELINES:
        grid, green = (
            lines[f"carbon_reduction_{baseline}_{electricity}"].value for electricity in ("location", "market")
        )
        emitted = float(dataset["carbon_electricity"].mean())
        assert green - grid == pytest.approx(emitted, rel=1e-9)
    order = [
        lines[f"carbon_reduction_{name}_market"].value for name in ("gas_boiler", "district_heating", "coal_boiler")
    ]
    assert order == sorted(order)


def command(
    *arguments: str | Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> tuple[int, str, str]:
    monkeypatch.setattr("sys.argv", ["hotland", *map(str, arguments)])
    with pytest.raises(SystemExit) as end:
        main()
    out = capsys.readouterr()
    return int(end.value.code or 0), out.out, out.err


def test_the_command(
    sound: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = command("account", sound, capsys=capsys, monkeypatch=monkeypatch)
    assert status == 0, err
    assert "instead of purchased heat" in out
    other = ("--baseline", "gas_boiler", "--electricity", "market")
    kept = tmp_path / "kept.zarr"
    status, out, err = command(
        "account", sound, *other, "--json", "--output", kept, capsys=capsys, monkeypatch=monkeypatch
    )
    assert status == 0, err
    found = json.loads(out)
    dataset = hotland.open_ensemble(kept)
    assert found["carbon_reduction_mean"]["value"] == pytest.approx(
        float(dataset["carbon_reduction"].mean()), rel=1e-12
    )
    status, again, _ = command("account", sound, *other, "--json", capsys=capsys, monkeypatch=monkeypatch)
    assert json.loads(again) == found
    prepare(SMOKE, Storage.at(tmp_path / "begun.zarr"), block_size=64)
    status, out, err = command("account", tmp_path / "begun.zarr", capsys=capsys, monkeypatch=monkeypatch)
    assert (status, out, err) == (1, "", "no sample is done yet, so there is nothing to say\n")
    for arguments, words in (
        (("--baseline", "oven"), "baseline 'oven': allowed: "),
        (("--electricity", "hourly"), "own_power"),
        (("--accounts", tmp_path / "no.yaml"), "there is no such file"),
        (("--output", tmp_path / "x.zarr"), "--output: allowed: with another account"),
    ):
        status, out, err = command("account", sound, *arguments, capsys=capsys, monkeypatch=monkeypatch)
        assert (status, out) == (2, "")
        assert words in err
        assert "Traceback" not in err
