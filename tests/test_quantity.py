import contextlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from study.quantity import Quantity, convert, short, to_text


@pytest.mark.parametrize(
    ("text", "unit", "expected"),
    [
        ("2900 m", "m", 2900.0),
        ("2.9 km", "m", 2900.0),
        ("241.3 mm", "m", 0.2413),
        ("30 m^3/h", "m^3/h", 30.0),
        ("30m**3/h", "m^3/h", 30.0),
        ("30 m³/h", "m^3/h", 30.0),
        ("10 L/s", "m^3/h", 36.0),
        ("2.5 W/m/K", "W/m/K", 2.5),
        ("2.5 W/(m*K)", "W/m/K", 2.5),
        ("2.5 W/(m K)", "W/m/K", 2.5),
        ("9 degC", "degC", 9.0),
        ("-16.9 °C", "degC", -16.9),
        ("283.15 K", "degC", 10.0),
        ("50 degF", "degC", 10.0),
        ("0.6 K", "K", 0.6),
        ("1 mPa*s", "Pa*s", 0.001),
        ("30 K/km", "K/km", 30.0),
        ("0.03 degC/m", "K/km", 30.0),
        ("0.11 t/GJ", "t/GJ", 0.11),
        ("110 kg/GJ", "t/GJ", 0.11),
        ("3 %/yr", "1/yr", 0.03),
        ("0.03 1/yr", "1/yr", 0.03),
        ("0.03 K/yr", "K/decade", 0.3),
        ("5 %", "1", 0.05),
        ("0.5", "1", 0.5),
        (0.5, "1", 0.5),
        (3, "1", 3.0),
        ("1e3 m", "m", 1000.0),
        ("1 d", "d", 1.0),
        ("2.5 MJ/m^3/K", "MJ/m^3/K", 2.5),
        ("0.5122 kg/kWh", "kg/kWh", 0.5122),
        ("512.2 g/kWh", "kg/kWh", 0.5122),
    ],
)
def test_reads_units(text: object, unit: str, expected: float) -> None:
    assert Quantity(unit).parse(text) == expected  # to the last bit: conversion is decimal


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("2900", "m"),
        (2900, "m"),
        (2900.0, "m"),
        (True, "1"),
        (True, "m"),
        (None, "m"),
        ([1], "m"),
        ({}, "1"),
        ("2900 kg", "m"),
        ("2900 furlongz", "m"),
        ("m", "m"),
        ("", "m"),
        ("nan m", "m"),
        ("inf m", "m"),
        (math.nan, "1"),
        (math.inf, "1"),
        (10**400, "1"),
        ("1e999 m", "m"),
        ("9**9**9", "1"),
        ("1 m**9**9**9", "m"),
        ("1 m^99", "m"),
        ("1 (m", "m"),
        ("1 m/", "m"),
        ("1 m; import os", "m"),
        ("1 __import__", "m"),
        ("1 " + "m*" * 100_000 + "m", "m"),
        ("9" * 100_000, "1"),
        ("0.6 degC", "K"),
        ("1 2 m", "m"),
        ("٣ m", "m"),
    ],
)
def test_refuses_and_says_what_is_allowed(value: object, unit: str) -> None:
    quantity = Quantity(unit)
    with pytest.raises(ValueError, match=r"allowed: a (quantity in|number or a percentage)") as caught:
        quantity.parse(value)
    assert len(str(caught.value)) < 200


def test_limits_are_checked_and_told() -> None:
    depth = Quantity("m", ge=100, le=10000)
    assert depth.parse("100 m") == 100
    assert depth.parse("10 km") == 10000
    for text in ("99.9 m", "10001 m"):
        with pytest.raises(ValueError, match="a quantity in m, at least 100 and at most 10000, such as '100 m'"):
            depth.parse(text)
    with pytest.raises(ValueError, match="above 0"):
        Quantity("m", gt=0).parse("0 m")
    np.testing.assert_array_equal(depth.check(np.array([99.0, 100.0, np.nan, np.inf, 10000.0])), [0, 1, 0, 0, 1])


@pytest.mark.parametrize("limits", [{}, {"gt": 0}, {"ge": 5}, {"le": -3}, {"gt": 0, "le": 0.8}, {"ge": -60, "le": 40}])
def test_the_example_is_itself_allowed(limits: dict[str, float]) -> None:
    for unit in ("m", "degC", "1"):
        quantity = Quantity(unit, **limits)
        example = quantity.allowed.rsplit("such as ", 1)[1].strip("'")
        assert quantity.check(quantity.parse(example))


@pytest.mark.parametrize(
    ("unit", "expected"),
    [
        ("W/m/K", "W m-1 K-1"),
        ("MJ/m^3/K", "MJ m-3 K-1"),
        ("m^3/h", "m3 h-1"),
        ("kg/kWh", "kg kW-1 h-1"),
        ("GWh/yr", "GW h yr-1"),
        ("MWh", "MW h"),
        ("K/decade", "0.1 K yr-1"),
        ("1/yr", "yr-1"),
        ("Pa*s", "Pa s"),
        ("degC", "degC"),
        ("1", "1"),
        ("m", "m"),
    ],
)
def test_units_as_cf_writes_them(unit: str, expected: str) -> None:
    assert Quantity(unit).cf_unit == expected


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from(["m", "degC", "W/m/K", "1", "K/decade"]))
def test_text_reads_back_to_the_same_bits(value: float, unit: str) -> None:
    assert Quantity(unit).parse(to_text(value, unit)) == value


@given(st.text(max_size=60) | st.from_regex(r"[0-9.e+-]{1,6} ?[mKWh%/*^() 1-9°]{0,20}", fullmatch=True))
def test_any_text_is_a_number_or_a_value_error(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert math.isfinite(Quantity("m").parse(text))


def test_columns_convert_like_single_numbers() -> None:
    assert convert([0.1, 241.3], "mm", "m") == [0.0001, 0.2413]
    assert convert([50.0], "degF", "degC") == [10.0]
    with pytest.raises(ValueError, match="is not a unit"):
        convert([1.0], "9**9**9", "m")
    with pytest.raises(ValueError, match="cannot read 'kg' as 'm'"):
        convert([1.0], "kg", "m")


def test_values_in_messages_are_short() -> None:
    assert short({"a": 1}) == "a mapping"
    assert short([1, 2]) == "a list"
    assert short(None) == "nothing"
    assert short(2.5) == "2.5"
    assert len(short("x\n" * 10_000)) < 60
    assert "\n" not in short("x\ny")
    assert len(short(10**5000)) < 60
