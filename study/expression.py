"""Expressions of a study file: an input computed from others, as in ``parameters.heat_flow / rock.conductivity``.

An expression has numbers with units (``2 K/km``; the unit belongs to its number), keys of other inputs, ``+ - * / **``
(or ``^``), parentheses, and the functions ``min``, ``max``, ``sqrt``, ``exp`` and ``log``. Dimensions are checked when
it is read. A temperature in degC is a point of a scale: differences (K) can be added to it, and two of them subtracted.

pint (0.25) reads the units; its own parser of expressions knows neither dotted keys with numbers in them nor functions,
and works on texts of any length. Here numbers and keys are found by a pattern, Python's own grammar (`ast`) makes the
tree, and nothing in it is executed.
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache, reduce
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.quantity import NUMBER, Measure, measure, short

Array = NDArray[np.float64]
Values = Callable[[Mapping[str, Array]], Any]

LONGEST, DEEPEST, LARGEST_POWER = 300, 30, 10

_ATOM = r"(?:%|°?[A-Za-zµμ]{1,20}(?:(?:\^|\*\*)-?[1-9]|[²³])?)(?![\w.(])"
_UNIT = rf"(?:1\s*/\s*)?{_ATOM}(?:(?:\s*[*/·]\s*|\s+){_ATOM}){{0,7}}"
_TOKEN = re.compile(
    rf"\s*(?:(?P<number>{NUMBER.removeprefix('[+-]?')})\s*(?P<unit>{_UNIT})?"
    rf"|(?P<name>[A-Za-z_]\w*(?:\.\w+)*)|(?P<operator>\*\*|[-+*/^(),]))\s*",
    re.ASCII,
)
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "min": np.minimum,
    "max": np.maximum,
    "sqrt": np.sqrt,
    "exp": np.exp,
    "log": np.log,
}
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


@dataclass(frozen=True)
class _Term:
    """A part of an expression: what it measures, and its values from those of the keys in it."""

    text: str
    measure: Measure
    values: Values
    keys: frozenset[str] = frozenset()


@dataclass(frozen=True)
class _Syntax:
    """An expression whose keys are not known yet: its tree, and the numbers and keys that stand in it as names."""

    tree: ast.expr
    tokens: Mapping[str, tuple[str, str | None]]

    @property
    def keys(self) -> frozenset[str]:
        return frozenset(text for text, unit in self.tokens.values() if unit is None)


@lru_cache(maxsize=256)
def _parse(text: str) -> _Syntax:
    if len(text) > LONGEST:
        raise ValueError(f"too long; allowed: {LONGEST} characters")
    tokens: dict[str, tuple[str, str | None]] = {}
    python, place = "", 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            raise ValueError(f"cannot be understood from {short(text[place:])} on; allowed: {ALLOWED}")
        place = match.end()
        name, number = match["name"], match["number"]
        if match["operator"]:
            python += f" {match['operator'].replace('^', '**')}"  # apart: "/ /" is no operator
        elif name and name in _FUNCTIONS and text[place : place + 1] == "(":
            python += f" {name}"
        else:
            stands_for = f"_{len(tokens)}"
            tokens[stands_for] = (name, None) if name else (number, match["unit"] or "1")
            python += f" {stands_for}"
    try:
        tree = ast.parse(python.strip(), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError) as error:
        raise ValueError(f"cannot be understood; allowed: {ALLOWED}") from error
    syntax = _Syntax(tree, tokens)
    _refuse_shape(tree)
    return syntax


ALLOWED = (
    f"numbers with units, keys of inputs, + - * / ** and parentheses, {', '.join(_FUNCTIONS)}, "
    f"in at most {LONGEST} characters"
)


def _refuse_shape(tree: ast.expr) -> None:
    level: list[ast.AST] = [tree]
    for _ in range(DEEPEST):
        for node in level:
            ours = (
                isinstance(node, ast.Name)
                or (isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS)
                or (isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.UAdd | ast.USub))
                or (isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in _FUNCTIONS)
            )
            if not ours:
                raise ValueError(f"cannot be understood; allowed: {ALLOWED}")
        level = [
            child
            for node in level
            for child in (node.args if isinstance(node, ast.Call) else ast.iter_child_nodes(node))
            if isinstance(child, ast.expr)
        ]
        if not level:
            return
    raise ValueError(f"nested too deeply; allowed: {DEEPEST} levels")


def check_syntax(text: str) -> str:
    """Return the expression with single spaces; ValueError when it is none, whatever its keys mean."""
    text = " ".join(text.split())
    for number, unit in _parse(text).tokens.values():
        if unit is not None:
            _literal(number, unit)
    return text


def keys_of(text: str) -> frozenset[str]:
    """Return the keys in an expression."""
    return _parse(text).keys


@dataclass(frozen=True)
class Expression:
    """An expression that fits its key.

    Attributes
    ----------
    keys
        Of the inputs that it is made of.
    values
        From the values of those keys, each in its unit and of shape (row,), to its own in the unit of its key: a row's
        bits do not depend on the other rows.
    """

    keys: frozenset[str]
    values: Values

    @classmethod
    def of(cls, text: str, units: Mapping[str, str], unit: str) -> "Expression":
        """Return the expression of a text.

        Parameters
        ----------
        text
            What `check_syntax` let through.
        units
            Unit of each key in it.
        unit
            Unit of the result.

        Raises
        ------
        ValueError
            When dimensions do not fit, or a power is too large.
        """
        syntax = _parse(text)
        try:
            term = _term(syntax.tree, syntax.tokens, units)
            values = _converted(term, measure(unit), f"the expression, for a quantity in {unit}")
        except ArithmeticError as error:
            raise ValueError(f"the units of {short(text)} cannot be computed") from error
        return cls(term.keys, values)


def _literal(number: str, unit: str) -> _Term:
    value = np.float64(number)
    if not np.isfinite(value):
        raise ValueError(f"{short(number)} is too large")
    return _Term(f"{number} {unit}".removesuffix(" 1"), measure(unit), lambda _: value)


def _term(node: ast.AST, tokens: Mapping[str, tuple[str, str | None]], units: Mapping[str, str]) -> _Term:
    if isinstance(node, ast.Name):
        text, unit = tokens[node.id]
        if unit is not None:
            return _literal(text, unit)
        return _Term(text, measure(units[text]), lambda values: values[text], frozenset([text]))
    if isinstance(node, ast.UnaryOp):
        term = _term(node.operand, tokens, units)
        if isinstance(node.op, ast.UAdd):
            return term
        _refuse_points(term)
        return _Term(f"-{term.text}", term.measure, lambda values: -term.values(values), term.keys)
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Name)
        return _called(node.func.id, [_term(argument, tokens, units) for argument in node.args], bool(node.keywords))
    assert isinstance(node, ast.BinOp)
    left, right = (_term(side, tokens, units) for side in (node.left, node.right))
    return (_sum if isinstance(node.op, ast.Add | ast.Sub) else _product)(left, right, node.op)


def _sum(left: _Term, right: _Term, sign: ast.operator) -> _Term:
    if left.measure.dimension != right.measure.dimension:
        raise ValueError(
            f"{_shown(left)} and {_shown(right)} cannot be added, subtracted or compared: their dimensions differ"
        )
    points = left.measure.offset is not None, right.measure.offset is not None
    plus = isinstance(sign, ast.Add)
    if points == (True, True) and plus:
        raise ValueError(f"{_shown(left)} and {_shown(right)} are two temperatures: they cannot be added")
    if points == (False, True) and not plus:
        raise ValueError(f"the temperature {_shown(right)} cannot be subtracted from {_shown(left)}, a difference")
    if points == (False, True):
        left, right = right, left
    of_right = left.measure if all(points) else left.measure.difference
    first, second, compute = left.values, _converted(right, of_right, right.text), _OPERATORS[type(sign)]
    return _Term(
        "a sum" if plus else "a difference",
        left.measure.difference if all(points) else left.measure,
        lambda values: compute(first(values), second(values)),
        left.keys | right.keys,
    )


def _product(left: _Term, right: _Term, sign: ast.operator) -> _Term:
    _refuse_points(left, right)
    compute, keys = _OPERATORS[type(sign)], left.keys | right.keys
    if not isinstance(sign, ast.Pow):
        times = isinstance(sign, ast.Mult)
        made = left.measure * (right.measure if times else right.measure ** Fraction(-1))
        text = "a product" if times else "a quotient"
        return _Term(text, made, lambda values: compute(left.values(values), right.values(values)), keys)
    exponent = _converted(right, measure("1"), "an exponent, a pure number")
    base = left.values
    if right.keys and left.measure.dimension:
        raise ValueError(f"{_shown(left)} can only be raised to a power that is a number, without keys")
    if right.keys:
        base = _converted(left, measure("1"), left.text)
        return _Term("a power", measure("1"), lambda values: np.power(base(values), exponent(values)), keys)
    with np.errstate(all="ignore"):
        power = float(exponent({}))
    if not abs(power) <= LARGEST_POWER:
        raise ValueError(f"the power {power:g} is too large; allowed: -{LARGEST_POWER} to {LARGEST_POWER}")
    made = left.measure ** Fraction(power).limit_denominator(100)
    return _Term("a power", made, lambda values: np.power(base(values), power), keys)


def _called(name: str, terms: list[_Term], named: bool) -> _Term:
    several = name in ("min", "max")
    if named or (len(terms) < 2 if several else len(terms) != 1):
        raise ValueError(f"{name} takes {'two values or more' if several else 'one value'}")
    compute, first = _FUNCTIONS[name], terms[0]
    keys = frozenset().union(*(term.keys for term in terms))
    if several:
        for term in terms[1:]:
            if (term.measure.dimension, term.measure.offset is None) != (
                first.measure.dimension,
                first.measure.offset is None,
            ):
                raise ValueError(f"{name}: {_shown(first)} and {_shown(term)} cannot be compared")
        each = [_converted(term, first.measure, term.text) for term in terms]
        return _Term(f"{name}(...)", first.measure, lambda v: reduce(compute, [values(v) for values in each]), keys)
    _refuse_points(first)
    if name == "sqrt":
        return _Term("sqrt(...)", first.measure ** Fraction(1, 2), lambda v: compute(first.values(v)), keys)
    number = _converted(first, measure("1"), f"{name}(...), for a pure number")
    return _Term(f"{name}(...)", measure("1"), lambda v: compute(number(v)), keys)


def _converted(term: _Term, wanted: Measure, what: str) -> Values:
    """Return the term's values in another unit of the same dimension."""
    given = term.measure
    if given.dimension != wanted.dimension:
        raise ValueError(f"{what}: {_shown(term)} does not fit")
    if (given.offset is None) != (wanted.offset is None):
        raise ValueError(
            f"{what}: {_shown(term)} is "
            + ("a difference of temperatures; add it to one, as in '0 degC + ...'" if given.offset is None else "")
            + ("a temperature, not a difference; subtract one, as in '... - 0 degC'" if wanted.offset is None else "")
        )
    factor = float(given.scale / wanted.scale)
    shift = float(((given.offset or Decimal(0)) - (wanted.offset or Decimal(0))) / wanted.scale)
    if not 0 < factor < np.inf:
        raise ValueError(f"the units of {_shown(term)} are too large or too small")
    values = term.values
    if factor == 1 and shift == 0:
        return values
    return lambda of_keys: values(of_keys) * factor + shift if shift else values(of_keys) * factor


def _refuse_points(*terms: _Term) -> None:
    for term in terms:
        if term.measure.offset is not None:
            raise ValueError(
                f"the temperature {_shown(term)} can only be added to, subtracted and compared; "
                "a difference, such as '... - 0 degC', can be multiplied"
            )


def _shown(term: _Term) -> str:
    return f"{short(term.text)} ({term.measure.text})"
