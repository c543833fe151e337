"""Inputs derived from others, and quantities of the user's own."""

import json
import math
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from study.config import Study, load_study
from study.errors import ConfigError
from study.expression import Expression, check_syntax, keys_of
from study.quantity import Quantity, canonical_unit, measure
from study.reading import validate
from study.sampling import sample_inputs
from study.simulation import simulate
from study.variables import INPUT_OUT_OF_RANGE, OK
from tests.conftest import variant

CONFIGS = Path(__file__).parent.parent / "configs"
SMOKE = variant(load_study(CONFIGS / "smoke.yaml"), {"correlations": []})
HEAT_FLOW = load_study(CONFIGS / "heat-flow.yaml")
OWN = {"distribution": "normal", "mean": "65 mW/m^2", "standard_deviation": "8 mW/m^2"}
GRADIENT = "parameters.heat_flow / rock.conductivity"

UNITS = {
    "rock.k": "W/m/K",
    "parameters.q": "mW/m^2",
    "surface_temperature": "degC",
    "well.z": "km",
    "load_share": "1",
    "rock.layers.0.k": "W/m/K",
}
VALUES = {
    "rock.k": np.array([2.5]),
    "parameters.q": np.array([65.0]),
    "surface_temperature": np.array([9.8]),
    "well.z": np.array([2.9]),
    "load_share": np.array([0.25]),
    "rock.layers.0.k": np.array([2.0]),
}


def computed(text: str, unit: str, values: Mapping[str, np.ndarray] = VALUES) -> float:
    found = Expression.of(check_syntax(text), UNITS, unit).values(values)
    return float(np.asarray(found).item())


def refusal(changes: dict[str, Any]) -> str:
    data: dict[str, Any] = json.loads(json.dumps(SMOKE.resolved()))
    for key, value in changes.items():
        *parents, last = key.split(".")
        node: Any = data
        for part in parents:
            node = node[part]
        node[last] = value
    with pytest.raises(ConfigError) as caught:
        validate(Study, data, label="f.yaml")
    message = str(caught.value)
    assert all(len(line) < 600 for line in message.splitlines())
    return message


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("parameters.q / rock.k", "K/km", 26.0),
        ("parameters.q/rock.layers.0.k", "K/km", 32.5),
        ("2 K/km * well.z", "K", 5.8),
        ("29 K/km", "K/m", 0.029),
        ("29 K / 1 km", "K/km", 29.0),
        ("1 + load_share * 4 - 50 %", "1", 1.5),
        ("-load_share ** 2", "1", -0.0625),
        ("(-load_share) ^ 2", "1", 0.0625),
        ("2 ** 3 ** 2", "1", 512.0),
        ("1 / load_share / 2", "1", 2.0),
        ("7 - 2 - 1", "1", 4.0),
        ("load_share ** -load_share", "1", 0.25**-0.25),
        ("sqrt(well.z * 2.9 km)", "m", 2900.0),
        ("(well.z ** 3) ** (1/3)", "m", 2900.0),
        ("exp(load_share) + log(2)", "1", math.exp(0.25) + math.log(2)),
        ("exp(20 %)", "1", math.exp(0.2)),
        ("min(parameters.q / rock.k, 20 K/km, 30 K/m)", "K/km", 20.0),
        ("max(well.z, 1000 m, 3 km)", "m", 3000.0),
        ("surface_temperature", "degC", 9.8),
        ("surface_temperature + 29 K/km * well.z", "degC", 9.8 + 84.1),
        ("29 K/km * well.z + surface_temperature", "degC", 9.8 + 84.1),
        ("surface_temperature - 5 K", "degC", 4.8),
        ("surface_temperature - 5 degC", "K", 4.8),
        ("50 degF + 0 K", "degC", 10.0),
        ("surface_temperature - 50 degF", "K", -0.2),
        ("max(50 degF, surface_temperature)", "degC", 10.0),
        ("(surface_temperature - 0 degC + 20.2 K) / well.z", "K/km", 30 / 2.9),
        ("1 h / 1 d", "1", 1 / 24),
        ("0.3 K/decade", "K/yr", 0.03),
    ],
)
def test_expressions_have_the_values_of_arithmetic_with_units(text: str, unit: str, expected: float) -> None:
    assert computed(text, unit) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_a_copy_has_the_same_bits() -> None:
    values = {**VALUES, "surface_temperature": np.array([0.1 + 0.2]), "rock.k": np.array([1 / 3])}
    assert computed("surface_temperature", "degC", values) == 0.1 + 0.2
    assert computed("rock.k", "W/m/K", values) == 1 / 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("parameters.q / rock.k + 2 m", "cannot be added"),
        ("parameters.q * rock.k", "does not fit"),
        ("surface_temperature + surface_temperature", "two temperatures"),
        ("5 K - surface_temperature", "cannot be subtracted"),
        ("2 * surface_temperature", "can only be added to"),
        ("-surface_temperature", "can only be added to"),
        ("surface_temperature - 5 K", "subtract one"),
        ("min(surface_temperature, 3 K)", "cannot be compared"),
        ("exp(well.z)", "does not fit"),
        ("well.z ** load_share", "without keys"),
        ("2 ** well.z", "does not fit"),
        ("load_share ** 11", "power 11 is too large"),
        ("load_share ** (10 ** 10 ** 10)", "too large"),
        ("sqrt(well.z, well.z)", "one value"),
        ("min(well.z)", "two values or more"),
        ("(1 Ym^9) ** 10 * (1 Ym^9) ** 10", "does not fit"),
    ],
)
def test_dimensions_that_do_not_fit_are_refused(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected.replace("(", r"\(")):
        computed(text, "K")


@pytest.mark.parametrize(
    "text",
    [
        *("", "1 +", "()", "a b", "a if b else c", "a; b", "a, b", "f(a)", "a(b)", "__import__('os')", "a[0]"),
        *(
            "lambda: 1",
            "a == b",
            "a // b",
            "a / / b",
            "a * * b",
            "a % b",
            "'a'",
            "max(a, key=b)",
            "max(*a)",
            "a @ b",
            "1 ( 2 )",
            "not a",
        ),
        *("a & b", "3 zorks", "1e999", "(" * 250 + "1" + ")" * 250, "-" * 40 + "1", "1+" * 150 + "1"),
        "sqrt(" * 40 + "1" + ")" * 40,
    ],
)
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"understood|too l|nested|not a unit|cannot be read"):
        check_syntax(text)


@settings(max_examples=150, deadline=None)
@given(
    st.text(max_size=60) | st.lists(st.sampled_from([*UNITS, "1", "2.5", "km", "K", *"^*/+-(),.", "**", "min", "exp"]))
)
def test_any_text_is_an_expression_or_refused(text: str | list[str]) -> None:
    text = text if isinstance(text, str) else " ".join(text)
    try:
        text = check_syntax(text)
        if not keys_of(text) <= set(UNITS):
            return
        with np.errstate(all="ignore"):
            found = Expression.of(text, UNITS, "m").values(VALUES)
    except ValueError:
        return
    assert np.shape(found) in ((), (1,))
    assert check_syntax(text) == text


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"geothermal_gradient": {"expression": "rock.conductivty * 2"}}, "nearest ones are rock.conductivity"),
        ({"geothermal_gradient": {"expression": "rock.conductivity"}}, "geothermal_gradient: "),
        ({"geothermal_gradient": {"expression": "geothermal_gradient * 1"}}, "geothermal_gradient -> geothermal"),
        (
            {
                "winter_load": {"expression": "heat_pump.second_law_efficiency"},
                "heat_pump.second_law_efficiency": {"expression": "winter_load"},
            },
            "winter_load -> heat_pump.second_law_efficiency -> winter_load",
        ),
        ({"winter_load": {"expression": "50"}}, "winter_load: the expression is 50.0; allowed"),
        ({"winter_load": {"expression": "1 / 0"}}, "winter_load: the expression is inf; allowed"),
        ({"winter_load": {"expression": "field.spacing / 1 m"}}, "with all inputs at their medians"),
        ({"winter_load": {"expression": "1", "distribution": "normal"}}, "winter_load."),
        ({"winter_load": {"distribution": "expression"}}, "with 'expression'"),
        ({"winter_load": {"expression": 5}}, "winter_load.expression"),
        ({"winter_load": {"expression": "1", "sauce": "a"}}, "winter_load.sauce: unknown key; did you mean 'source'?"),
        ({"parameters": {"heat_flow": OWN}}, "parameters.heat_flow: no expression has it"),
        ({"parameters": {"Heat": "1 m"}}, "parameters: 'Heat': allowed: a-z"),
        ({"parameters": {"heat": {"expression": "1"}}}, "parameters.heat: allowed: a constant or a distribution"),
        ({"parameters": {"heat": {**OWN, "standard_deviation": "8 K"}}}, "parameters.heat.standard_deviation"),
        ({"parameters": {"heat": "3 zorks"}}, "parameters.heat: 'zorks' is not a unit"),
        ({"parameters": {}}, "parameters: "),
        ({"parameters": [1]}, "parameters: "),
    ],
)
def test_studies_whose_expressions_do_not_fit_are_refused(changes: dict[str, Any], expected: str) -> None:
    assert expected in refusal(changes)


def test_expressions_cannot_be_correlated_but_what_they_are_made_of_can() -> None:
    pair = {"inputs": ["rock.conductivity", "geothermal_gradient"], "rank_correlation": 0.5}
    own = {"parameters": {"heat_flow": OWN}, "geothermal_gradient": {"expression": GRADIENT}}
    assert "geothermal_gradient is an expression" in refusal({**own, "correlations": [pair]})
    pair["inputs"] = ["rock.conductivity", "parameters.heat_flow"]
    assert variant(SMOKE, {**own, "correlations": [pair]}).correlations


@pytest.mark.parametrize("design", ["sobol", "latin_hypercube", "monte_carlo"])
def test_a_derived_input_is_computed_row_by_row(design: str) -> None:
    study = variant(HEAT_FLOW, {"design": design, "winter_load": {"expression": "1.2 ** (field.spacing / 30 m)"}})
    rows = np.arange(1000)
    values = sample_inputs(study, rows)
    expected = values["parameters.heat_flow"] / values["rock.conductivity"]
    np.testing.assert_allclose(values["geothermal_gradient"], expected, rtol=1e-12)
    np.testing.assert_allclose(values["winter_load"], 1.2 ** (values["field.spacing"] / 30), rtol=1e-12)
    for some in (np.arange(1), np.arange(17, 20), np.arange(500, 900), np.arange(1000)[::-1], np.array([999, 1, 1])):
        for key, found in sample_inputs(study, some).items():
            np.testing.assert_array_equal(found, values[key][some], err_msg=key, strict=True)


def test_the_ensemble_has_derived_inputs_and_parameters() -> None:
    study = HEAT_FLOW
    assert {"geothermal_gradient", "parameters.heat_flow"} <= set(study.uncertain)
    assert "geothermal_gradient" not in study.drawn
    assert study.inputs["parameters.heat_flow"].cf_unit == "mW m-2"
    constant = variant(study, {"winter_load": {"expression": "carbon.lifetime / 30 yr"}})
    assert "winter_load" not in constant.uncertain
    assert constant.medians()["winter_load"] == 1.0
    chain = variant(study, {"winter_load": {"expression": "geothermal_gradient / 26 K/km"}})
    assert "winter_load" in chain.uncertain


def test_rows_that_leave_the_range_fail() -> None:
    study = variant(HEAT_FLOW, {"winter_load": {"expression": "1 / max(0, (field.spacing - 25 m) / 10 m)"}})
    rows = np.arange(32)
    results = simulate(study, rows)
    close = sample_inputs(study, rows)["field.spacing"] <= 26
    assert 0 < close.sum() < 32
    np.testing.assert_array_equal(results.values["status"] == INPUT_OUT_OF_RANGE, close)
    assert (results.values["status"][~close] == OK).all()
    assert all("winter_load = " in results.reasons[row] for row in np.flatnonzero(close))


def test_resolved_and_pickled_studies_are_the_same() -> None:
    for again in (
        Study.model_validate(json.loads(json.dumps(HEAT_FLOW.resolved()))),
        pickle.loads(pickle.dumps(HEAT_FLOW)),
    ):
        assert again.inputs == HEAT_FLOW.inputs
        assert again.fingerprint() == HEAT_FLOW.fingerprint()
    assert "parameters" not in SMOKE.resolved()
    other = variant(HEAT_FLOW, {"geothermal_gradient": {"expression": f"{GRADIENT} + 1 K/km"}})
    assert other.fingerprint() != HEAT_FLOW.fingerprint()


@pytest.mark.parametrize(
    ("unit", "expected", "cf_unit"),
    [
        ("mW/m^2", "mW/m^2", "mW m-2"),
        ("kJ/(kg*K)", "kJ/kg/K", "kJ kg-1 K-1"),
        ("m^2*K/W", "m^2*K/W", "m2 K W-1"),
        ("degC", "degC", "degC"),
        ("degF", "degC", "degC"),
        ("yr", "yr", "yr"),
        ("%", "1", "1"),
        ("l/s", "L/s", "L s-1"),
        ("1/K", "1/K", "K-1"),
        ("BTU/hr/ft/degF", "m*kg/K/s^3", "m kg K-1 s-3"),
        ("kWh", "m^2*kg/s^2", "m2 kg s-2"),
    ],
)
def test_units_of_the_users_own_become_such_as_udunits_knows(unit: str, expected: str, cf_unit: str) -> None:
    assert canonical_unit(unit) == expected == canonical_unit(expected)
    assert Quantity(expected).cf_unit == cf_unit
    assert measure(unit).dimension == measure(expected).dimension
