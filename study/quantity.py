"""Numbers with units, as people write them: ``"2900 m"``, ``"30 m^3/h"``, ``"9 degC"``, ``"3 %/yr"``.

Text becomes a float in the unit that the program works in (the *canonical* unit of a key). A unit is never guessed:
a bare number is read only where the canonical unit is 1. Conversion is done in decimal numbers, so that 241.3 mm is
0.2413 m to the last bit.
"""

import math
import re
from dataclasses import KW_ONLY, dataclass
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any

import numpy as np
import pint
from pydantic import GetCoreSchemaHandler, ValidationInfo
from pydantic_core import CoreSchema, core_schema

_REGISTRY: pint.UnitRegistry = pint.UnitRegistry(non_int_type=Decimal, on_redefinition="ignore")
_REGISTRY.define("decade = 10 * year")  # pint's own is a logarithmic unit
_REGISTRY.define("CNY = [currency]")
_REGISTRY.define("tonne_coal_equivalent = 29.307 * gigajoule = tce")  # GB/T 2589-2020, appendix A

# A short product of unit names with one-digit exponents, so that no text can make the unit parser work for long.
NUMBER = r"[+-]?(?:\d{1,40}(?:\.\d{0,40})?|\.\d{1,40})(?:[eE][+-]?\d{1,3})?"
_ATOM = r"\(*(?:1|%|°?[A-Za-zµμ]{1,20}(?:(?:\^|\*\*)-?[1-9]|[²³])?)\)*"
_UNIT = rf"{_ATOM}(?:(?:\s*[*/·]\s*|\s+){_ATOM}){{0,7}}"
_TEXT = re.compile(rf"({NUMBER})\s*({_UNIT})?", re.ASCII)
_LONGEST_TEXT = 100


def short(value: object) -> str:
    """Return a value as an error message shows it: one short line, a container by its kind alone."""
    if isinstance(value, str):
        return repr(value) if len(repr(value)) <= 42 else f"{repr(value[:40])[:39]}..."
    if isinstance(value, float) or (isinstance(value, int) and abs(value) < 10**20):
        return repr(value)
    if value is None:
        return "nothing"
    kinds: dict[type, str] = {dict: "a mapping", list: "a list", tuple: "a list"}
    return kinds.get(type(value), f"a value of type {type(value).__name__}")


@lru_cache(maxsize=1024)
def _scale(unit: str, canonical: str) -> tuple[Decimal, Decimal]:
    """Return factor and offset from ``unit`` to ``canonical``; ValueError when their dimensions differ."""
    if unit == canonical:
        return Decimal(1), Decimal(0)
    try:
        source, target = (_REGISTRY.parse_units("" if text == "1" else text) for text in (unit, canonical))
        zero, one = (_REGISTRY.Quantity(Decimal(n), source).to(target).magnitude for n in (0, 1))
    except Exception as error:  # pint and its parser raise errors of many kinds, some of them not pint's own
        raise ValueError(f"cannot read {unit!r} as {canonical!r}") from error
    if zero and canonical != "degC":
        raise ValueError(f"{unit!r} is a temperature, not a difference of temperatures")
    return one - zero, zero


def convert(values: list[float], unit: str, canonical: str) -> list[float]:
    """Return ``values`` given in ``unit`` as numbers in ``canonical``; ValueError when the unit does not fit."""
    if not re.fullmatch(_UNIT, unit):
        raise ValueError(f"{short(unit)} is not a unit")
    factor, offset = _scale(unit, canonical)
    return [float(Decimal(repr(value)) * factor + offset) for value in values]


_BASE = {
    "[mass]": "kg",
    "[length]": "m",
    "[time]": "s",
    "[temperature]": "K",
    "[substance]": "mol",
    "[current]": "A",
    "[currency]": "CNY",
}


@dataclass(frozen=True)
class Measure:
    """What a unit measures: dimension, size in SI base units, and for a temperature scale where its zero is, in K."""

    dimension: tuple[tuple[str, Fraction], ...]
    scale: Decimal
    offset: Decimal | None = None

    @property
    def difference(self) -> "Measure":
        """The same, of a difference."""
        return Measure(self.dimension, self.scale)

    @property
    def text(self) -> str:
        """The dimension in SI base units, such as ``kg*m/s^3/K``."""
        if self.offset is not None:
            return "degC"
        above, below = "*".join(_powers(self.dimension, 1)), "".join(f"/{p}" for p in _powers(self.dimension, -1))
        return f"{above or '1'}{below}" if self.dimension else "a pure number"

    def __mul__(self, other: "Measure") -> "Measure":
        powers = dict(self.dimension)
        for name, power in other.dimension:
            powers[name] = powers.get(name, Fraction(0)) + power
        return Measure(tuple(sorted((n, p) for n, p in powers.items() if p)), self.scale * other.scale)

    def __pow__(self, power: Fraction) -> "Measure":
        scale = self.scale ** (Decimal(power.numerator) / Decimal(power.denominator))
        return Measure(tuple((name, each * power) for name, each in self.dimension if power), scale)


def _powers(dimension: tuple[tuple[str, Fraction], ...], sign: int) -> list[str]:
    return [
        _BASE.get(name, name.strip("[]")) + ("" if abs(power) == 1 else f"^{abs(power)}")
        for name, power in dimension
        if sign * power > 0
    ]


@lru_cache(maxsize=1024)
def measure(unit: str) -> Measure:
    """Return what a unit measures; ValueError when it is none."""
    try:
        parsed = _REGISTRY.parse_units("" if unit == "1" else unit)
        zero, one = (_REGISTRY.Quantity(Decimal(n), parsed).to_base_units().magnitude for n in (0, 1))
        powers = {str(name): Fraction(str(power)) for name, power in parsed.dimensionality.items()}
    except Exception as error:  # pint and its parser raise errors of many kinds, some of them not pint's own
        raise ValueError(f"{short(unit)} is not a unit") from error
    return Measure(tuple(sorted(powers.items())), one - zero, zero if zero else None)


_CF_SYMBOLS = {
    **{
        name: name
        for name in ("m", "s", "h", "d", "K", "W", "J", "Pa", "g", "t", "N", "V", "A", "Hz", "mol", "bar", "CNY")
    },
    **{"min": "min", "l": "L", "a": "yr", "%": "%", "Δ°C": "K", "°C": "degC"},
}
_CF_PREFIXES = ("", "k", "M", "G", "T", "m", "c", "µ")


def canonical_unit(unit: str) -> str:
    """Return a unit of the user's own, written as products and quotients of symbols that UDUNITS knows.

    Symbols outside a short list are replaced, all together, by SI base units. ValueError when it is no unit.
    """
    if not re.fullmatch(_UNIT, unit):
        raise ValueError(f"{short(unit)} is not a unit")
    what = measure(unit)
    if unit == "1" or (not what.dimension and what.offset is None):
        return "1"
    powers: dict[str, Fraction] = {}
    for name, power in _REGISTRY.parse_units(unit)._units.items():
        symbol = _REGISTRY.get_symbol(name)
        known = {p + s: ("u" if p == "µ" else p) + written for s, written in _CF_SYMBOLS.items() for p in _CF_PREFIXES}
        if symbol not in known:
            return "degC" if what.offset is not None else what.text
        powers[known[symbol]] = powers.get(known[symbol], Fraction(0)) + Fraction(str(power))
    above = [f"{name}^{power}" if power != 1 else name for name, power in powers.items() if power > 0]
    below = [f"/{name}^{-power}" if power != -1 else f"/{name}" for name, power in powers.items() if power < 0]
    return ("*".join(above) or "1") + "".join(below)


def unit_in(text: str) -> str:
    """Return the unit that stands after the number of a text; "1" where there is none, or no number."""
    match = _TEXT.fullmatch(text.strip()) if len(text) <= _LONGEST_TEXT else None
    return (match[2] if match else None) or "1"


def to_text(value: float, unit: str) -> str | float:
    """Return a canonical number as a study file writes it; `Quantity.parse` reads the same bits back."""
    return value if unit == "1" else f"{repr(value).removesuffix('.0')} {unit}"


@dataclass(frozen=True)
class Quantity:
    """The annotation of a numeric key: its canonical unit, its limits and its meaning.

    ``Annotated[float, Quantity("W/m/K", gt=0, description="rock conductivity")]`` is a constant. With another type in
    the place of ``float``, that type's ``read(raw, quantity, folder)`` makes the value and ``dump(value)`` its text.

    Parameters
    ----------
    unit
        Canonical unit, as pint reads it; "1" for a pure number.
    ge, gt, le
        Smallest value, value that all must exceed, and largest value allowed, in that unit.
    description
        What the quantity is, in the words of the field.
    """

    unit: str
    _: KW_ONLY
    ge: float = -math.inf
    gt: float = -math.inf
    le: float = math.inf
    description: str = ""

    def check(self, values: np.ndarray | float) -> np.ndarray:
        """Return, for each value (canonical unit, any shape), whether it is finite and allowed."""
        return np.isfinite(values) & (values >= self.ge) & (values > self.gt) & (values <= self.le)

    @property
    def cf_unit(self) -> str:
        """The unit as the CF conventions (UDUNITS) write it, such as ``W m-1 K-1``."""
        numerator, *below = self.unit.replace("decade", "yr").replace("*", " ").split("/")
        numerator, denominators = numerator.replace("Wh", "W h"), "/".join(below).replace("Wh", "W/h").split("/")
        inverse = [unit.replace("^", "-") if "^" in unit else f"{unit}-1" for unit in denominators if unit]
        numerators = [] if numerator == "1" and inverse else [numerator.replace("^", "")]
        return " ".join(["0.1"] * ("decade" in self.unit) + numerators + inverse)

    @property
    def difference_unit(self) -> str:
        """The unit of a difference of two such quantities: K where the unit is degC."""
        return "K" if self.unit == "degC" else self.unit

    @property
    def range(self) -> str:
        """The limits in words, such as ``at least 100 and at most 10000``; empty where there are none."""
        limits = (("at least", self.ge), ("above", self.gt), ("at most", self.le))
        return " and ".join(f"{words} {limit:.15g}" for words, limit in limits if math.isfinite(limit))

    @property
    def allowed(self) -> str:
        """What the key takes, in words: ``a quantity in m, at least 100 and at most 10000, such as '100 m'``."""
        example = next((value for value in (1.0, self.ge, self.gt + 1, self.le) if self.check(value)), 0.5)
        what = "a number or a percentage" if self.unit == "1" else f"a quantity in {self.unit}"
        return ", ".join(part for part in (what, self.range, f"such as {to_text(example, self.unit)!r}") if part)

    def parse(self, raw: object) -> float:
        """Return ``raw`` as a number in the canonical unit.

        Raises
        ------
        ValueError
            When it is not a finite number with a unit of the right dimension, within the limits.
        """
        try:
            value = self._number(raw)
        except (ValueError, ArithmeticError) as error:
            reason = f"{error}; " if isinstance(error, ValueError) else ""
            raise ValueError(f"{reason}allowed: {self.allowed}") from error
        if not self.check(value):
            raise ValueError(f"allowed: {self.allowed}")
        return value

    def _number(self, raw: object) -> float:
        if isinstance(raw, int | float) and not isinstance(raw, bool):
            if self.unit != "1":
                raise ValueError("the unit is missing")
            return float(raw)
        match = _TEXT.fullmatch(raw.strip()) if isinstance(raw, str) and len(raw) <= _LONGEST_TEXT else None
        if match is None:
            raise ValueError("not a number with a unit")
        number, unit = match[1], match[2]
        if unit is None and self.unit != "1":
            raise ValueError("the unit is missing")
        factor, offset = _scale(unit or "1", self.unit)
        value = float(Decimal(number) * factor + offset)
        if not math.isfinite(value):
            raise ValueError("the number is too large")
        return value

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        """Read the key with `parse`, or with ``source.read`` where the annotated type brings one."""
        if source is float:
            return core_schema.no_info_plain_validator_function(
                self.parse,
                serialization=core_schema.plain_serializer_function_ser_schema(lambda value: to_text(value, self.unit)),
            )
        if not hasattr(source, "read"):  # the type variable of a model that is generic in its values
            return core_schema.any_schema()

        def read(raw: object, info: ValidationInfo) -> Any:
            return source.read(raw, self, (info.context or {}).get("folder"))

        return core_schema.with_info_plain_validator_function(
            read, serialization=core_schema.plain_serializer_function_ser_schema(source.dump)
        )
