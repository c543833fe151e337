import contextlib
import copy
import io
import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from ruamel.yaml import YAML

from study.config import (
    ConfigError,
    Study,
    building_problem,
    geometry_problem,
    load_study,
    load_well_case,
    schema_keys,
    variable_name,
)
from study.reading import validate

CONFIGS = Path(__file__).parent.parent / "configs"
SMOKE: dict[str, Any] = YAML(typ="safe", pure=True).load(CONFIGS / "smoke.yaml")
CASE: dict[str, Any] = {
    "well": {
        "depth": "2900 m",
        "borehole_diameter": "241.3 mm",
        "casing": {"outer_diameter": "177.8 mm", "wall": "9.19 mm", "conductivity": "40 W/m/K"},
        "grout": {"conductivity": "1.5 W/m/K"},
        "inner_pipe": {"outer_diameter": "110 mm", "wall": "10 mm", "conductivity": "0.42 W/m/K"},
        "flow_rate": "30 m^3/h",
    },
    "fluid": {
        "density": "998 kg/m^3",
        "heat_capacity": "4186 J/kg/K",
        "conductivity": "0.6 W/m/K",
        "viscosity": "1 mPa*s",
    },
    "ground": {
        "surface_temperature": "9 degC",
        "layers": [
            {
                "thickness": "2900 m",
                "conductivity": "2.5 W/m/K",
                "volumetric_heat_capacity": "2.5 MJ/m^3/K",
                "geothermal_gradient": "30 K/km",
            }
        ],
    },
    "load": {"schedule": [["0 d", "380 kW"], ["60 d", "-52 kW"]]},
    "times": ["1 d", "3 d"],
}
ABSENT = object()


def changed(data: dict[str, Any], key: str, value: object) -> dict[str, Any]:
    """Return a copy in which the dotted key has another value, or is absent."""
    data = copy.deepcopy(data)
    *parents, last = [int(part) if part.isdigit() else part for part in key.split(".")]
    node: Any = data
    for part in parents:
        node = node[part]
    if value is ABSENT:
        del node[last]
    else:
        node[last] = value
    return data


def write(folder: Path, data: object) -> Path:
    stream = io.StringIO()
    YAML(typ="safe", pure=True).dump(data, stream)
    path = folder / "study.yaml"
    path.write_text(stream.getvalue(), encoding="utf-8")
    return path


def refusal(path: Path, load: Any = load_study) -> str:
    with pytest.raises(ConfigError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(str(path))
    assert len(message.splitlines()) <= 20
    assert all(len(line) < 600 for line in message.splitlines())
    return message


@pytest.mark.parametrize("name", ["smoke", "shenyang"])
def test_the_studies_of_the_repository_load(name: str) -> None:
    study = load_study(CONFIGS / f"{name}.yaml")
    assert study.name == name
    assert set(study.inputs) <= set(schema_keys())
    assert all(value.description for value in study.inputs.values())
    for value in study.uncertain.values():
        assert value.check(value.quantile(np.linspace(0.001, 0.999, 99))).all()


def test_every_assumption_about_shenyang_has_a_source() -> None:
    study = load_study(CONFIGS / "shenyang.yaml")
    assert len(study.field.places) == 28
    assert [key for key, value in study.uncertain.items() if not value.source] == []


def test_a_misspelt_key_is_told_before_what_is_missing_for_it(tmp_path: Path) -> None:
    path = tmp_path / "misspelt.yaml"
    path.write_text((CONFIGS / "smoke.yaml").read_text().replace("  depth:", "  dept:").replace("\nrock:", "\nrocks:"))
    with pytest.raises(ConfigError) as error:
        load_study(path)
    lines = [line.removeprefix(f"{path}: ") for line in str(error.value).splitlines()]
    assert lines[:2] == [
        "well.dept: unknown key; did you mean 'depth'?",
        "rocks: unknown key; did you mean 'rock'?",
    ]
    assert [line.split(":")[0] for line in lines[2:]] == ["well.depth", "rock"]
    assert all("is missing" in line for line in lines[2:])


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("rock.conductivity", "2.5", "the unit is missing; allowed: a quantity in W/m/K"),
        ("rock.conductivity", 2.5, "the unit is missing; allowed: a quantity in W/m/K"),
        ("rock.conductivity", "2.5 K", "allowed: a quantity in W/m/K"),
        ("rock.conductivity", "25 W/m/K", "at least 0.3 and at most 10"),
        ("rock.conductivity", None, "allowed: a quantity in W/m/K"),
        ("rock.conductivity", ["2 W/m/K"], "allowed: a quantity in W/m/K"),
        ("rock.conductivity", {"distribution": "gauss"}, "truncated_normal, lognormal, uniform"),
        ("rock.conductivity", ABSENT, "is missing; allowed: a quantity in W/m/K"),
        ("rock.conductivty", "2 W/m/K", "did you mean 'conductivity'?"),
        ("rock.conductivity.meann", "2 W/m/K", "did you mean 'mean'?"),
        ("rock.conductivity.mean", "2 K", "allowed: a quantity in W/m/K"),
        ("rock.conductivity.mean", ABSENT, "is missing"),
        ("rock.layers.0.thickness", "0 m", "above 0"),
        ("rock.layers.0.conductivity.mode", "1 W/m/K", "minimum ≤ mode ≤ maximum"),
        ("rock.layers", [], "allowed: a list of 1 or more, got 0"),
        ("rock.layers", [{"thickness": "10 m"} for _ in range(21)], "allowed: a list of 20 at most"),
        ("rock", "granite", "allowed: a mapping with conductivity"),
        ("rock", ABSENT, "is missing; allowed: a mapping with conductivity"),
        ("rocks", {}, "did you mean 'rock'?"),
        ("qqqq", 1, "unknown key; allowed: name, description, samples"),
        ("name", "Bad Name", "allowed: lower-case letters, digits"),
        ("name", "smoke\n", "allowed: lower-case letters, digits"),
        ("samples", 0, "greater than or equal to 1"),
        ("samples", True, "valid integer"),
        ("samples", 2.5, "valid integer"),
        ("samples", "many", "valid integer"),
        ("winters", 101, "less than or equal to 100"),
        ("seed", -1, "greater than or equal to 0"),
        ("seed", 2**63, "less than or equal to 9223372036854775807"),
        ("design", "halton", "'sobol', 'monte_carlo' or 'latin_hypercube'"),
        ("replicates", 1, "greater than or equal to 2"),
        ("claim", {"carbon_reduction": "18000"}, "allowed: a quantity in t"),
        ("well.depth", "99 m", "at least 100 and at most 10000"),
        ("well.flow_rate", "300 m^3/h", "at most 200"),
        ("well.flow_direction", "up", "'annulus_down' or 'inner_down'"),
        ("well.casing.volumetric_heat_capacity", "0 MJ/m^3/K", "above 0 and at most 10"),
        ("well.casing.sections", [], "allowed: a list of 1 or more, got 0"),
        ("well.grout.sections", [{"length": f"{n} m"} for n in range(1, 7)], "allowed: a list of 5 at most"),
        ("well.grout.sections", [{"conductivity": "1 W/m/K"}], "length: is missing; allowed: a quantity in m"),
        ("well.inner_pipe.sections", [{"length": "1 m", "wall": "5 mm"}], "sections.0"),
        ("field.rows", 31, "less than or equal to 30"),
        (
            "field.coordinates",
            [["0 m", "0 m"]],
            "give either rows, columns and spacing, or wells and spacing, or coordinates",
        ),
        ("field.spacing", ABSENT, "give either rows, columns and spacing, or wells and spacing, or coordinates"),
        ("field", {"coordinates": []}, "allowed: a list of 1 or more, got 0"),
        ("field", {"coordinates": [["0 m"]]}, "field.coordinates.0.1: is missing"),
        ("field", {"coordinates": [["0 m", "0"]]}, "the unit is missing; allowed: a quantity in m"),
        ("field", {"coordinates": [["0 m", "0 m"], ["9 m", "0 m"], ["0 m", "2 m"]]}, "wells 1 and 3 are 2 m apart"),
        ("field", {"coordinates": {"file": "wells.csv"}}, "or a mapping with file (of columns x and y) and unit"),
        ("field", {"coordinates": {"file": "wells.csv", "unit": "m"}}, "there is no file 'wells.csv'"),
        ("field.spacing.maximum", "2 km", "it reaches 2000 m; allowed: a quantity in m, at least 3 and at most 1000"),
        ("field.spacing.maximum", "10 m", "minimum < maximum"),
        ("surface_temperature", "100 degC", "at most 40"),
        ("surface_temperature", {"distribution": "normal", "mean": "9 degC", "standard_deviation": "1 degC"}, "in K"),
        ("season.start", "02-29", "month-day, such as '11-01'"),
        ("season.start", "1-11", "month-day, such as '11-01'"),
        ("season.end", 331, "valid string"),
        ("climate.monthly_temperature", ["1 degC"] * 11, "allowed: a list of 12 or more, got 11"),
        ("climate.monthly_temperature.3", "4 m", "allowed: a quantity in degC"),
        ("climate.persistence", 1, "at most 0.95"),
        ("heat_pump.second_law_efficiency", "150 %", "at most 1"),
        ("heat_pump.second_law_efficiency.mean", 5, "median is 5"),
        ("peak_heating.kind", "coal", "'electric', 'gas', 'biomass', 'air_source' or 'none'"),
        ("carbon.network_loss", "60 %", "at most 0.5"),
        ("carbon.refrigerant_leakage", "3 %", "allowed: a quantity in 1/yr"),
        ("correlations.0.rank_correlation", -1.5, "at least -1 and at most 1"),
        ("correlations.0.inputs", ["rock.conductivity"], "inputs.1: is missing"),
        ("correlations.0.inputs", ["rock.conductivty", "geothermal_gradient"], "not an uncertain input; the nearest"),
        ("correlations.0.inputs", ["well.depth", "geothermal_gradient"], "'well.depth' is not an uncertain input"),
        ("correlations.0.inputs", ["rock.conductivity", "rock.conductivity"], "two different inputs"),
    ],
)
def test_a_broken_study_is_refused_in_words(tmp_path: Path, key: str, value: object, expected: str) -> None:
    path = write(tmp_path, changed(SMOKE, key, value))
    message = refusal(path)
    assert key in message or f"{key.rpartition('.')[0]}: " in message  # or the distribution as a whole
    assert expected in message


@pytest.mark.parametrize(
    ("section", "changes", "expected"),
    [
        ("well", {"borehole_diameter": "170 mm"}, "well: casing.outer_diameter must be smaller than borehole_diameter"),
        ("well.casing", {"wall": "90 mm"}, "well: casing.wall must be less than half of casing.outer_diameter"),
        (
            "well.inner_pipe",
            {"wall": "55 mm"},
            "well: inner_pipe.wall must be less than half of inner_pipe.outer_diameter",
        ),
        ("well.inner_pipe", {"outer_diameter": "160 mm"}, "well: inner_pipe.outer_diameter must be smaller than"),
        ("building", {"balance_temperature": "19 degC"}, "building: balance_temperature must not be above indoor"),
        ("building", {"balance_temperature": "-17 degC"}, "building: design_outdoor_temperature must be below balance"),
        ("peak_heating", {"share_of_design_load": 0.5}, "peak_heating: give either capacity or share_of_design_load"),
        ("heat_pump", {"share_of_design_load": 0.5}, "heat_pump: give either capacity or share_of_design_load"),
        (
            "heat_pump",
            {"supply_temperature_design": "20 degC"},
            "heat_pump: supply_temperature_design must not be below",
        ),
        ("peak_heating", {"kind": "none"}, "peak_heating: kind 'none' does not take capacity"),
        ("peak_heating", {"kind": "gas"}, "peak_heating: kind 'gas' needs emission_factor"),
        (
            "peak_heating",
            {"emission_factor": "0.2 t/MWh"},
            "peak_heating: kind 'electric' does not take emission_factor",
        ),
    ],
)
def test_contradictions_are_refused(tmp_path: Path, section: str, changes: dict[str, str], expected: str) -> None:
    data = SMOKE
    for key, value in changes.items():
        data = changed(data, f"{section}.{key}", value)
    assert expected in refusal(write(tmp_path, data))


def test_the_same_pair_is_correlated_once(tmp_path: Path) -> None:
    [pair] = SMOKE["correlations"]
    twice = [pair, {**pair, "inputs": pair["inputs"][::-1]}]
    assert "correlations.1.inputs" in refusal(write(tmp_path, changed(SMOKE, "correlations", twice)))


def test_correlations_that_cannot_hold_together_are_refused(tmp_path: Path) -> None:
    keys = ["rock.conductivity", "geothermal_gradient", "winter_load"]
    pairs = [[keys[0], keys[1]], [keys[1], keys[2]], [keys[0], keys[2]]]

    def correlated(*ranks: float) -> Path:
        listed = [{"inputs": pair, "rank_correlation": rank} for pair, rank in zip(pairs, ranks, strict=True)]
        return write(tmp_path, changed(SMOKE, "correlations", listed))

    names, matrix = load_study(correlated(0.5, -0.5, 0)).correlation_matrix()
    assert names == keys
    expected = 2 * np.sin(np.pi / 12)
    np.testing.assert_allclose(matrix, [[1, expected, 0], [expected, 1, -expected], [0, -expected, 1]], atol=1e-15)
    assert "correlations: these rank correlations cannot hold together" in refusal(correlated(0.9, 0.9, -0.9))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "got nothing"),
        (b"- 1\n", "got a list"),
        (b"text", "got 'text'"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (b"\x00\x01", "not valid YAML"),
        (b"name: a\nname: b\n", 'line 2, column 1: found duplicate key "name"'),
        (b"rock: {a: 1, a: {secret: 1}}\n", 'found duplicate key "a"'),
        (b"a: [1, 2\nb: }", "not valid YAML at line 2"),
        (b"a: &x 1\nb: *x\n", "line 2, column 4: aliases (*name) are not allowed"),
        (b"a: &a [x, x]\nb: &b [*a, *a]\nc: [*b, *b]\n", "aliases"),
        (b"a: 1\n---\nb: 2\n", "not valid YAML"),
        (b"a: !!python/object:os.system x\n", "not valid YAML"),
        (b"a: 2001-99-99\n", "not valid YAML"),
        (b"a: " + b"9" * 5000, "not valid YAML"),
        (b"[" * 5000, "not valid YAML"),
        (b"a: 1\n" * 200_001, "too large; allowed: at most 1 MB"),
        (b"1: 2\n", "should be strings"),
        (b"? [a, b]\n: 1\n", "should be strings"),
    ],
)
def test_what_is_no_study_is_refused(tmp_path: Path, content: bytes, expected: str) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    assert expected in refusal(path).replace("Keys should be strings", "should be strings")


def test_missing_files_and_folders_are_refused(tmp_path: Path) -> None:
    assert "there is no such file" in refusal(tmp_path / "none.yaml")
    assert "not a file" in refusal(tmp_path)
    assert "there is no such file" in refusal(tmp_path / "a\0b")


def test_all_problems_are_told_at_once_up_to_a_limit(tmp_path: Path) -> None:
    data = changed(changed(SMOKE, "well.depth", "1 kg"), "carbon.lifetime", "long")
    first, second = refusal(write(tmp_path, data)).splitlines()
    assert "well.depth" in first
    assert "carbon.lifetime" in second
    many = {**SMOKE, **{f"unknown{n}": n for n in range(50)}}
    assert refusal(write(tmp_path, many)).splitlines()[-1].endswith("... and 31 more problems")


def test_long_and_strange_keys_stay_short(tmp_path: Path) -> None:
    refusal(write(tmp_path, {**SMOKE, "k" * 5000: 1, "a\nb": 1, "rock": {"x" * 5000: {"y": 1}}}))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.binary(max_size=200)
    | st.text(alphabet=":-{}[]&*!|>'\"%@`?#,ab01 \n\t", max_size=80).map(str.encode)
    | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace"))
)
def test_any_bytes_are_a_study_or_a_config_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "study.yaml"
    path.write_bytes(content)
    refusal(path)  # nothing so short is a whole study


SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.dates()
PARAMETERS = [
    "distribution",
    "mean",
    "standard_deviation",
    "minimum",
    "maximum",
    "mode",
    "values",
    "value",
    "source",
    "file",
]
KINDS = ["normal", "truncated_normal", "uniform", "triangular", "lognormal", "choice", "empirical"]
VALUES = SCALARS | st.sampled_from([*KINDS, "2 W/m/K", "3 W/m/K", "2 m", "5 %"])


@settings(max_examples=200, deadline=None)
@given(
    st.sampled_from(
        [*SMOKE, "rock.conductivity", "rock.layers", "season.start", "field.spacing", "correlations.0.inputs"]
    ),
    st.recursive(
        VALUES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(PARAMETERS), inner)
    ),
)
def test_any_value_is_read_or_refused(key: str, value: object) -> None:
    with contextlib.suppress(ConfigError):
        study = validate(Study, changed(SMOKE, key, value), label="study.yaml")
        assert validate(Study, study.resolved(), label="study.yaml").resolved() == study.resolved()


@pytest.mark.parametrize("name", ["smoke", "shenyang"])
def test_the_resolved_study_reads_back_to_the_same(name: str) -> None:
    study = load_study(CONFIGS / f"{name}.yaml")
    again = Study.model_validate(json.loads(json.dumps(study.resolved())))
    assert again.inputs == study.inputs
    assert again.resolved() == study.resolved()
    assert again.fingerprint() == study.fingerprint()
    assert pickle.loads(pickle.dumps(study)).fingerprint() == study.fingerprint()


def test_resolved_is_complete_with_defaults_and_units() -> None:
    resolved = load_study(CONFIGS / "smoke.yaml").resolved()
    assert resolved["seed"] == 1
    assert resolved["heat_pump"]["maximum_cop"] == 8
    assert resolved["fluid"] == {"medium": "water"}
    assert resolved["well"]["borehole_diameter"] == "0.2413 m"


@pytest.mark.parametrize(
    ("key", "value", "same"),
    [
        ("samples", 64, True),
        ("description", "another", True),
        ("claim", {"carbon_reduction": "1 t"}, True),
        ("well.depth", "2 km", True),
        ("well.depth", {"value": "2000 m", "source": "a log"}, True),
        ("field.spacing.source", "a plan", True),
        ("seed", 2, False),
        ("winters", 3, False),
        ("design", "monte_carlo", False),
        ("replicates", 8, False),
        ("well.depth", "2000.001 m", False),
        ("field.spacing.maximum", "41 m", False),
        ("rock.layers.1.geothermal_gradient", ABSENT, False),
        ("climate.monthly_temperature.0", "-12 degC", False),
        ("correlations.0.rank_correlation", -0.5, False),
    ],
)
def test_the_fingerprint_covers_what_makes_the_rows(tmp_path: Path, key: str, value: object, same: bool) -> None:
    original = load_study(CONFIGS / "smoke.yaml").fingerprint()
    assert (load_study(write(tmp_path, changed(SMOKE, key, value))).fingerprint() == original) is same


def test_the_fingerprint_covers_the_data_of_an_empirical_input(tmp_path: Path) -> None:
    empirical = {"distribution": "empirical", "file": "log.csv", "column": "k", "unit": "W/m/K"}
    path = write(tmp_path, changed(SMOKE, "rock.conductivity", empirical))
    prints = []
    for last in (3.0, 3.1):
        (tmp_path / "log.csv").write_text(f"k\n2.0\n2.5\n{last}\n")
        study = load_study(path)
        prints.append(study.fingerprint())
        assert study.inputs["rock.conductivity"].quantile(np.array([0.1, 0.5, 0.9])).tolist() == [2.0, 2.5, last]
    assert prints[0] != prints[1]
    (tmp_path / "log.csv").unlink()
    assert "rock.conductivity: there is no file 'log.csv'" in refusal(path)


def test_overrides_are_checked_too() -> None:
    study = load_study(CONFIGS / "smoke.yaml")
    assert study.with_overrides(samples=99).samples == 99
    assert study.with_overrides(samples=99).fingerprint() == study.fingerprint()
    assert study.with_overrides(seed=7).seed == 7
    with pytest.raises(ConfigError, match=r"study 'smoke': samples: .*greater than or equal to 1, got 0"):
        study.with_overrides(samples=0)


def test_inputs_are_in_the_order_of_the_schema_with_layers_by_number() -> None:
    study = load_study(CONFIGS / "smoke.yaml")
    keys = schema_keys()
    assert list(study.inputs) == sorted(study.inputs, key=keys.index)
    assert len(keys) == len(set(keys))
    assert study.inputs["rock.layers.1.geothermal_gradient"].value == 28
    assert "rock.layers.1.conductivity" not in study.inputs
    assert {"rock.layers.0.thickness", "rock.layers.19.geothermal_gradient"} <= set(keys)
    assert "rock.layers.20.thickness" not in keys
    names = [variable_name(key) for key in keys]
    assert "rock_conductivity" in names
    assert len(set(names)) == len(names)


@pytest.mark.parametrize(
    ("start", "end", "first", "days"),
    [("11-01", "03-31", 305, 151), ("01-01", "12-31", 1, 365), ("01-15", "01-15", 15, 1), ("07-01", "06-30", 182, 365)],
)
def test_seasons_wrap_over_new_year(tmp_path: Path, start: str, end: str, first: int, days: int) -> None:
    season = load_study(write(tmp_path, changed(SMOKE, "season", {"start": start, "end": end}))).season
    assert (season.first_day, season.days) == (first, days)


def test_rows_are_judged_one_by_one() -> None:
    problems = geometry_problem(
        borehole_diameter=np.array([0.24, 0.17, 0.24, 0.24, np.nan]),
        casing_outer_diameter=0.1778,
        casing_wall=np.array([0.009, 0.009, 0.09, 0.009, 0.009]),
        inner_pipe_outer_diameter=np.array([0.11, 0.11, 0.11, 0.16, 0.11]),
        inner_pipe_wall=0.01,
    )
    assert [problem and problem.split()[0] for problem in problems] == [
        None,
        "casing.outer_diameter",
        "casing.wall",
        "inner_pipe.outer_diameter",
        None,
    ]
    temperatures: dict[str, Any] = {"balance_temperature": np.array([16.0, 19.0]), "indoor_temperature": 18.0}
    first, second = building_problem(design_outdoor_temperature=-16.9, **temperatures)
    assert first is None
    assert "balance_temperature must not be above" in second


def test_an_uncertain_size_is_judged_when_it_is_drawn(tmp_path: Path) -> None:
    wide = {"distribution": "uniform", "minimum": "150 mm", "maximum": "250 mm"}
    load_study(write(tmp_path, changed(SMOKE, "well.borehole_diameter", wide)))


def test_a_well_case_is_read_in_canonical_units(tmp_path: Path) -> None:
    case = load_well_case(write(tmp_path, CASE))
    assert case.well.casing.wall == 0.00919
    assert case.well.flow_direction == "annulus_down"
    assert case.fluid.thermal_expansion == 2.6e-4
    assert case.ground.layers[0].geothermal_gradient == 30
    assert case.load.schedule == ((0, 380), (60, -52))
    assert case.times == (1, 3)
    assert pickle.loads(pickle.dumps(case)) == case


@pytest.mark.parametrize("path", sorted((Path(__file__).parent / "wells").glob("*.yaml")), ids=lambda path: path.stem)
def test_the_reference_wells_are_read(path: Path) -> None:
    written, read = YAML(typ="safe", pure=True).load(path)["well"], load_well_case(path).well
    assert read.depth == float(written["depth"].removesuffix(" m"))
    for name in ("casing", "grout", "inner_pipe"):
        heat_capacity = written[name].get("volumetric_heat_capacity")
        found = getattr(read, name).volumetric_heat_capacity
        assert found == (heat_capacity and float(heat_capacity.removesuffix(" MJ/m^3/K")))
        assert len(getattr(read, name).sections or ()) == len(written[name].get("sections", ()))


def test_coordinates_are_read_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "wells.csv").write_text("well,x,y\na,0,0\nb,2000,-500.5\nc,1e3,3000\n")
    given = [["0 m", "0 m"], ["20 m", "-5.005 m"], ["10 m", "30 m"]]
    field = changed(SMOKE, "field", {"coordinates": {"file": "wells.csv", "unit": "cm"}})
    study = load_study(write(tmp_path, field))
    np.testing.assert_allclose(study.field.places, [(0.0, 0.0), (20.0, -5.005), (10.0, 30.0)], rtol=1e-12)
    assert not any(key.startswith("field.") for key in study.inputs)
    (tmp_path / "wells.csv").unlink()
    again = Study.model_validate(study.resolved())  # the places are in the study, not in the file
    assert again.field.places == study.field.places
    inline = load_study(write(tmp_path, changed(SMOKE, "field", {"coordinates": given})))
    np.testing.assert_allclose(inline.field.places, study.field.places, rtol=1e-12)
    assert inline.fingerprint() != load_study(CONFIGS / "smoke.yaml").fingerprint()


def test_a_grid_has_its_places_over_the_spacing() -> None:
    field = load_study(CONFIGS / "shenyang.yaml").field
    assert field.places == tuple((float(x), float(y)) for y in range(4) for x in range(7))


def test_sections_are_inputs_like_others(tmp_path: Path) -> None:
    uncertain = {"distribution": "uniform", "minimum": "0.02 W/m/K", "maximum": "0.4 W/m/K"}
    sections = [{"length": "900 m", "conductivity": uncertain}, {"length": "300 m"}]
    study = load_study(write(tmp_path, changed(SMOKE, "well.inner_pipe.sections", sections)))
    assert study.inputs["well.inner_pipe.sections.0.length"].value == 900
    assert study.inputs["well.inner_pipe.sections.0.conductivity"].uncertain
    assert "well.inner_pipe.sections.1.conductivity" not in study.inputs
    keys = schema_keys()
    assert "well.inner_pipe.sections.4.volumetric_heat_capacity" in keys
    assert "well.inner_pipe.sections.5.length" not in keys


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("well.depth", {"distribution": "uniform", "minimum": "1 m", "maximum": "2 m"}, "allowed: a quantity in m"),
        ("well.depth", "3000 m", "ground.layers reach 2900 m; they must reach well.depth, 3000 m"),
        ("well.casing.wall", "90 mm", "well: casing.wall must be less than half"),
        ("well.grout.volumetric_heat_capacity", "20 MJ/m^3/K", "above 0 and at most 10"),
        ("well.grout.sections", [{"length": "0 m"}], "well.grout.sections.0.length: allowed: a quantity in m, above 0"),
        ("depths", ["1 m", "2901 m"], "depths: allowed: at most well.depth, 2900 m"),
        ("depths", [], "depths: "),
        ("load", {}, "load: give exactly one of heat_rate, inlet_temperature, schedule"),
        ("load", {"heat_rate": "1 kW", "inlet_temperature": "1 degC"}, "load: give exactly one of"),
        ("load.schedule", [["1 d", "1 kW"]], "load.schedule: the times must start at '0 d' and increase"),
        ("load.schedule", [["0 d", "1 kW"], ["0 d", "2 kW"]], "load.schedule: the times must start"),
        ("load.schedule", [], "load.schedule: "),
        ("load.schedule.1.1", "4 m", "load.schedule.1.1: cannot read 'm' as 'kW'; allowed: a quantity in kW"),
        ("times", ["3 d", "1 d"], "times: the times must increase"),
        ("times", ["0 d"], "times.0: allowed: a quantity in d, above 0"),
        ("times", [], "times: "),
        ("ground.layers", [], "ground.layers: "),
        ("fluid.viscosity", ABSENT, "fluid: without medium it needs viscosity"),
    ],
)
def test_a_broken_well_case_is_refused(tmp_path: Path, key: str, value: object, expected: str) -> None:
    assert expected in refusal(write(tmp_path, changed(CASE, key, value)), load_well_case)


def test_changes_are_as_if_the_file_had_said_so(tmp_path: Path) -> None:
    changes = {
        "name": "moved",
        "climate": "harbin",
        "field.spacing": "40 m",
        "well.grout.conductivity.mode": "1.1 W/m/K",
        "correlations.0.rank_correlation": -0.2,
        "traces": {"samples": 1},
        "traces.interval": "daily",
        "claim": None,
    }
    path = CONFIGS / "shenyang.yaml"
    data = YAML(typ="safe", pure=True).load(path)
    data |= {"name": "moved", "climate": "harbin", "traces": {"samples": 1, "interval": "daily"}}
    del data["claim"]
    data["field"]["spacing"] = "40 m"
    data["well"]["grout"]["conductivity"]["mode"] = "1.1 W/m/K"
    data["correlations"][0]["rank_correlation"] = -0.2
    (tmp_path / "moved.yaml").write_text(json.dumps(data))
    assert load_study(path, changes) == load_study(tmp_path / "moved.yaml")
    assert changes["traces"] == {"samples": 1}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"field.spcing": "40 m"}, "field.spcing: unknown key; did you mean 'spacing'"),
        ({"field.spacing": "40 K"}, "field.spacing: cannot read"),
        ({"samples.more": 3}, "'samples.more': samples has no parts that could change, it is 32"),
        ({"correlations.1.rank_correlation": 0.1}, "correlations has no parts"),
    ],
)
def test_changes_that_do_not_fit_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigError, match=r"smoke\.yaml: ") as refused:
        load_study(CONFIGS / "smoke.yaml", changes)
    assert words in str(refused.value)


def test_a_change_by_two_names_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"field\.spacing: given twice, by two of its names"):
        load_study(CONFIGS / "smoke.yaml", {"spacing": "20 m", "field.spacing": "30 m"})
