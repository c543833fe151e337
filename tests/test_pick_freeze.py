"""Rows that extend an ensemble: its own bits untouched, and in each row what is said drawn anew, and nothing else."""

import pickle
import shutil
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from kernels import LANES
from study.blocks import compute_block
from study.config import CHANCE, Study, load_study, schema_keys
from study.engine import prepare
from study.ensemble import open_ensemble, open_rows
from study.errors import ConfigError, EnsembleError
from study.pick_freeze import GROUPS, MixedStudy, columns_of, group_of, groups_of, inputs_of, store_of
from study.sampling import MOST_DIMENSIONS, OTHER, SOBOL_DIMENSIONS, sample_inputs, uniforms
from study.simulation import simulate
from study.storage import Storage
from study.verification import stored_study, verify
from tests.conftest import ROOT, SMOKE, variant

DESIGNS = ["sobol", "latin_hypercube", "monte_carlo"]
SHENYANG = load_study(ROOT / "configs" / "shenyang.yaml")
SMALL = variant(load_study(SMOKE), {"samples": 16, "winters": 2})


@pytest.fixture(params=DESIGNS)
def study(request: pytest.FixtureRequest) -> Study:
    return variant(SHENYANG, {"design": request.param})


def test_a_row_differs_from_its_own_in_what_is_drawn_anew_and_nothing_else(study: Study) -> None:
    mixed = MixedStudy.of(study, base=64)
    rows = np.arange(64)
    own, all_rows = sample_inputs(study, rows), sample_inputs(mixed, np.arange(mixed.samples))
    assert mixed.base == 64
    assert mixed.matrices == 1 + len(mixed.mixed)
    columns = [{*study.drawn, CHANCE}, *(set(column.inputs) for column in mixed.mixed)]
    others = {key: all_rows[key][:: mixed.matrices] for key in study.drawn}
    for matrix, anew in enumerate(columns):
        these = rows * mixed.matrices + matrix
        np.testing.assert_array_equal(mixed.base_rows(these), rows)
        assert mixed.from_other(CHANCE, these).all() == (CHANCE in anew)
        for key in study.drawn:
            expected = others[key] if key in anew else own[key]
            np.testing.assert_array_equal(all_rows[key][these], expected, err_msg=f"{matrix} {key}", strict=True)
            assert np.all(others[key] != own[key])


def test_rows_depend_on_nothing_but_their_number(study: Study) -> None:
    longer, shorter = (MixedStudy.of(study, base=base) for base in (128, 64))
    whole = sample_inputs(longer, np.arange(longer.samples))
    rows = np.random.default_rng(1).integers(0, shorter.samples, 99)
    for key, values in sample_inputs(shorter, rows).items():
        np.testing.assert_array_equal(values, whole[key][rows], strict=True)
    fewer = variant(study, {"carbon.network_loss": "6 %", "surface_temperature": "9.8 degC"})
    assert set(study.drawn) - set(fewer.drawn) == {"carbon.network_loss", "surface_temperature"}
    names = [f"{OTHER}{key}" for key in fewer.drawn]
    each = dict(zip(study.drawn, uniforms(study, [f"{OTHER}{key}" for key in study.drawn], rows).T, strict=True))
    np.testing.assert_array_equal(uniforms(fewer, names, rows), np.array([each[key] for key in fewer.drawn]).T)


def test_the_other_design_is_as_even_as_the_first_and_independent_of_it(study: Study) -> None:
    names = list(study.drawn)
    rows = np.arange(4096)
    first, other = (uniforms(study, [f"{start}{name}" for name in names], rows) for start in ("", OTHER))
    assert np.all((other > 0) & (other < 1))
    for column in other.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-4
    if study.design == "sobol":
        for replicate in range(study.replicates):
            cells = np.sort(np.floor(other[replicate :: study.replicates] * 256), axis=0)
            np.testing.assert_array_equal(cells, np.tile(np.arange(256.0)[:, None], len(names)))
    else:  # few Sobol' points may well be correlated in some pair of many dimensions
        correlation = np.corrcoef(np.hstack([first, other]).T) - np.eye(2 * len(names))
        assert np.abs(correlation).max() < 5 / np.sqrt(len(rows))


def test_the_two_draws_of_an_input_have_nothing_to_do_with_each_other() -> None:
    """Not so if both were of one dimension, however scrambled."""
    rows = np.arange(64 * SHENYANG.replicates)
    for name in SOBOL_DIMENSIONS[:20]:
        pairs = uniforms(SHENYANG, [name], rows)[:, 0], uniforms(SHENYANG, [f"{OTHER}{name}"], rows)[:, 0]
        for replicate in range(SHENYANG.replicates):
            one, other = (u[replicate :: SHENYANG.replicates] for u in pairs)
            assert stats.pearsonr(one, other).pvalue > 1e-6
    assert len(SOBOL_DIMENSIONS) <= MOST_DIMENSIONS


def test_a_study_is_read_back_as_it_was(study: Study) -> None:
    mixed = MixedStudy.of(study, base=32)
    assert pickle.loads(pickle.dumps(mixed)) == mixed
    assert mixed.extends == study.fingerprint()
    assert mixed.fingerprint() == MixedStudy.of(study, base=64).fingerprint() != study.fingerprint()


def test_a_study_file_cannot_say_it(tmp_path: Path) -> None:
    path = tmp_path / "study.yaml"
    path.write_text(SMOKE.read_text() + "\nmixed: []\nextends: x\n")
    with pytest.raises(ConfigError, match="mixed: unknown key"):
        load_study(path)


def test_correlated_inputs_are_drawn_anew_together() -> None:
    columns = {column.name: column.inputs for column in inputs_of(SHENYANG)}
    assert columns["rock_conductivity + geothermal_gradient"] == ("rock.conductivity", "geothermal_gradient")
    assert columns[CHANCE] == (CHANCE,)
    assert sorted(key for keys in columns.values() for key in keys) == sorted([*SHENYANG.drawn, CHANCE])
    free = {column.name for column in inputs_of(variant(SHENYANG, {"correlations": []}))}
    assert {"rock_conductivity", "geothermal_gradient"} < free
    none = [{"inputs": ["rock.conductivity", "geothermal_gradient"], "rank_correlation": 0}]
    assert inputs_of(variant(SHENYANG, {"correlations": none})) == inputs_of(variant(SHENYANG, {"correlations": []}))
    three = [
        {"inputs": ["geothermal_gradient", "surface_temperature"], "rank_correlation": 0.3},
        {"inputs": ["surface_temperature", "rock.conductivity"], "rank_correlation": 0.1},
    ]
    linked = {column.inputs for column in inputs_of(variant(SHENYANG, {"correlations": three}))}
    assert ("rock.conductivity", "surface_temperature", "geothermal_gradient") in linked


def test_groups_hold_what_belongs_together() -> None:
    groups = {column.name: set(column.inputs) for column in groups_of(SHENYANG)}
    assert groups["ground"] == {
        *("rock.conductivity", "rock.volumetric_heat_capacity", "geothermal_gradient", "surface_temperature"),
    }
    assert {CHANCE, "winter_load"} < groups["winter"]
    assert "carbon.baseline_factor" in groups["accounting"]
    assert groups["building"] == {"building.design_load"}
    assert "building" not in {column.name for column in columns_of(SHENYANG)}  # its input has a column already
    assert not {key for name in groups for key in groups[name] if sum(key in each for each in groups.values()) > 1}
    across = [{"inputs": ["carbon.baseline_factor", "rock.conductivity"], "rank_correlation": 0.2}]
    joint = {column.name: set(column.inputs) for column in groups_of(variant(SHENYANG, {"correlations": across}))}
    assert joint["ground + accounting"] == groups["ground"] | groups["accounting"]
    assert not {"ground", "accounting"} & set(joint)


def test_what_others_are_derived_from_is_drawn_anew_with_them() -> None:
    derived = variant(load_study(ROOT / "configs" / "heat-flow.yaml"), {"replicates": 16})
    assert "geothermal_gradient" in derived.derived
    groups = {column.name: set(column.inputs) for column in groups_of(derived)}
    assert {"parameters.heat_flow", "rock.conductivity"} <= groups["ground"]
    assert not any("geothermal_gradient" in column.inputs for column in columns_of(derived))
    mixed = MixedStudy.of(derived, base=32)
    inputs = sample_inputs(mixed, np.arange(mixed.samples))
    own = sample_inputs(derived, np.arange(32))
    gradient = inputs["parameters.heat_flow"] / inputs["rock.conductivity"]
    np.testing.assert_allclose(inputs["geothermal_gradient"], gradient, rtol=1e-12)
    for number, column in enumerate(mixed.mixed, start=1):
        changed = inputs["geothermal_gradient"][number :: mixed.matrices] != own["geothermal_gradient"]
        assert (
            changed.all() == changed.any() == bool({"parameters.heat_flow", "rock.conductivity"} & set(column.inputs))
        )
    other = uniforms(derived, [f"{OTHER}parameters.heat_flow"], np.arange(64 * 16))[:, 0]
    for replicate in range(16):
        np.testing.assert_array_equal(np.sort(np.floor(other[replicate::16] * 64)), np.arange(64))


def test_every_key_has_a_group() -> None:
    for key in schema_keys():
        assert group_of(key) in GROUPS
    assert group_of("peak_heating.emission_factor") == "accounting"
    assert group_of("peak_heating.capacity") == "plant"
    assert group_of(CHANCE) == "winter"


@pytest.mark.parametrize("base", [0, -16, 24, 48, 15])
def test_rows_that_replicates_do_not_share_evenly_are_refused(base: int) -> None:
    with pytest.raises(EnsembleError, match=f"--extend {base}: allowed: a power of two times the study's 16"):
        MixedStudy.of(SHENYANG, base=base)


def test_other_designs_take_any_multiple() -> None:
    plain = variant(SHENYANG, {"design": "monte_carlo"})
    assert MixedStudy.of(plain, base=48).base == 48
    with pytest.raises(EnsembleError, match="a multiple of"):
        MixedStudy.of(plain, base=40)


@pytest.mark.parametrize(
    ("ensemble", "store"),
    [
        ("ensembles/x.zarr", "ensembles/x.sensitivity.zarr"),
        ("s3://bucket/a/x.zarr/", "s3://bucket/a/x.sensitivity.zarr"),
        ("plain", "plain.sensitivity.zarr"),
    ],
)
def test_the_store_is_beside_the_ensemble(ensemble: str, store: str) -> None:
    assert store_of(ensemble) == store


def test_what_is_not_drawn_anew_is_computed_as_in_the_ensemble() -> None:
    """Chance too: a row in which only the account of carbon is drawn anew has the ensemble's heat, winter by winter."""
    accounted = variant(SMALL, {"carbon.network_loss": {"distribution": "uniform", "minimum": "3 %", "maximum": "9 %"}})
    mixed = MixedStudy.of(accounted, base=4)
    matrix = 1 + [column.name for column in mixed.mixed].index("carbon_network_loss")
    chance = 1 + [column.name for column in mixed.mixed].index(CHANCE)
    own = simulate(accounted, np.arange(4)).values
    of_account = simulate(mixed, np.arange(4) * mixed.matrices + matrix).values
    np.testing.assert_array_equal(of_account["heat_delivered"], own["heat_delivered"])
    assert np.all(of_account["carbon_reduction"] != own["carbon_reduction"])
    of_chance = simulate(mixed, np.arange(4) * mixed.matrices + chance).values
    other = simulate(mixed, np.arange(4) * mixed.matrices).values
    for key in accounted.uncertain:
        np.testing.assert_array_equal(of_chance[key], own[key])
    name = "outdoor_temperature_min"
    assert np.all(of_chance[name] != own[name])
    np.testing.assert_array_equal(of_chance[name], other[name])  # the weather of B: no climate input is uncertain here


@pytest.fixture(scope="module")
def mixed() -> MixedStudy:
    return MixedStudy.of(SMALL, base=8)


def compute(study: Study, store: Path, *, block_size: int, last: int | None = None) -> None:
    ensemble, blocks = prepare(study, Storage.at(store), block_size=block_size)
    for block in blocks[:last]:
        compute_block(study, ensemble, block)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory, mixed: MixedStudy) -> Path:
    path = tmp_path_factory.mktemp("mixed") / "x.sensitivity.zarr"
    compute(mixed, path, block_size=LANES)
    return path


def test_neither_blocks_nor_a_stop_change_a_bit(tmp_path: Path, mixed: MixedStudy, stored: Path) -> None:
    compute(mixed, tmp_path / "store.zarr", block_size=17, last=2)
    assert open_rows(Storage.at(tmp_path / "store.zarr")).sizes["sample"] == 34
    compute(mixed, tmp_path / "store.zarr", block_size=17)
    one, other = (open_rows(Storage.at(path)).load() for path in (tmp_path / "store.zarr", stored))
    assert set(one.variables) == set(other.variables)
    for name in one.variables:
        assert one[name].values.tobytes() == other[name].values.tobytes(), name
    np.testing.assert_array_equal(one["replicate"], np.arange(mixed.samples) // mixed.matrices % SMALL.replicates)


def test_more_rows_keep_those_that_are_there(tmp_path: Path, stored: Path) -> None:
    store = shutil.copytree(stored, tmp_path / "store.zarr")
    chunks = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.is_file() and "c." in path.name}
    before = open_rows(Storage.at(store)).load()
    compute(MixedStudy.of(SMALL, base=16), store, block_size=LANES)
    after = open_rows(Storage.at(store)).load()
    assert after.sizes["sample"] == 2 * before.sizes["sample"]
    np.testing.assert_array_equal(after["carbon_reduction"][: len(before["sample"])], before["carbon_reduction"])
    assert all(path.stat().st_mtime_ns == time for path, time in chunks.items() if "winter" not in str(path))


def test_a_store_can_be_verified(stored: Path, mixed: MixedStudy) -> None:
    assert stored_study(Storage.at(stored)) == mixed
    found = verify(str(stored), blocks=1)
    assert (found.problems, found.missing, len(found.recomputed)) == ([], 0, 1)


def test_it_is_no_ensemble_by_itself(stored: Path) -> None:
    with pytest.raises(EnsembleError, match="give the ensemble beside it"):
        open_ensemble(stored)
