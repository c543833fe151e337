"""An uncertain input: a constant or a probability distribution, as a study file writes it.

======================  ===============================================================================================
``distribution``        parameters
======================  ===============================================================================================
``normal``              ``mean``, ``standard_deviation``
``truncated_normal``    ``mean``, ``standard_deviation`` (of the normal that is cut), ``minimum``, ``maximum``
``lognormal``           ``mean``, ``standard_deviation``, both of the quantity itself, not of its logarithm
``uniform``             ``minimum``, ``maximum``
``triangular``          ``minimum``, ``mode``, ``maximum``
``choice``              ``values``, and ``probabilities`` where they are not all equal
``empirical``           ``file`` (CSV with a header line, relative to the study file), ``column``, ``unit``
======================  ===============================================================================================

A constant is ``2900 m``, or ``{value: 2900 m, source: ...}``; each distribution takes a ``source`` too, and so does
``{expression: ...}``, an input derived from others (`study.expression`). The values of
an empirical distribution are read with the study, which from then on has a ``choice`` among them.

A distribution that can leave the range of its key is refused if it is bounded, or if its median is outside. The tail of
an unbounded one may leave the range: rows drawn there fail, and the ensemble says so.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, create_model
from pydantic_core import CoreSchema, core_schema
from scipy import stats

from study.csv_file import MOST_VALUES, read_column
from study.expression import check_syntax
from study.quantity import Quantity, canonical_unit, convert, to_text, unit_in

_VALUES, _LOCATION, _WIDTH = "values", "location", "width"
_PARAMETERS = {
    "normal": {"mean": _LOCATION, "standard_deviation": _WIDTH},
    "truncated_normal": {
        "mean": _LOCATION,
        "standard_deviation": _WIDTH,
        "minimum": _LOCATION,
        "maximum": _LOCATION,
    },
    "lognormal": {"mean": _LOCATION, "standard_deviation": _WIDTH},
    "uniform": {"minimum": _LOCATION, "maximum": _LOCATION},
    "triangular": {"minimum": _LOCATION, "mode": _LOCATION, "maximum": _LOCATION},
    "choice": {"values": _VALUES, "probabilities": "probabilities"},
    "empirical": {"file": "text", "column": "text", "unit": "text"},
    "constant": {"value": _LOCATION},
    "expression": {"expression": "text"},
}
_WITHOUT_DISTRIBUTION = {"value": "constant", "expression": "expression"}
PARAMETER_NAMES = ("distribution", "source", *dict.fromkeys(name for names in _PARAMETERS.values() for name in names))


@cache
def _schema(kind: str, unit: str, difference_unit: str) -> type[BaseModel]:
    """Return the model that reads the parameters of one distribution of a quantity in one unit."""
    types: dict[str, Any] = {
        _LOCATION: (Annotated[float, Quantity(unit)], ...),
        _WIDTH: (Annotated[float, Quantity(difference_unit, gt=0)], ...),
        _VALUES: (Annotated[list[Annotated[float, Quantity(unit)]], Field(min_length=2, max_length=MOST_VALUES)], ...),
        "probabilities": (list[Annotated[float, Quantity("1", gt=0, le=1)]] | None, None),
        "text": (str, ...),
    }
    fields: dict[str, Any] = {name: types[what] for name, what in _PARAMETERS[kind].items()}
    if kind not in _WITHOUT_DISTRIBUTION.values():
        fields["distribution"] = (str, ...)
    return create_model(kind, __config__=ConfigDict(extra="forbid"), source=(str | None, None), **fields)


@dataclass(frozen=True)
class Input:
    """One numeric input of a study; all numbers are in the canonical unit of its key.

    Parameters
    ----------
    quantity
        Unit, limits and meaning of the key.
    kind
        "constant" or the name of a distribution.
    parameters
        The numbers of the distribution by their names in the study file.
    source
        Where the figures come from, if the study says so.
    """

    quantity: Quantity
    kind: str
    parameters: Mapping[str, Any]
    source: str | None = None

    @classmethod
    def read(cls, raw: object, quantity: Quantity, folder: Path | None = None) -> "Input":
        """Return the input that ``raw`` (text, number or mapping of a study file) describes.

        Parameters
        ----------
        raw
            The value of the key.
        quantity
            Its unit and limits.
        folder
            Where the file of an empirical distribution is looked for.

        Raises
        ------
        ValueError
            When it is not a constant or a distribution that the key allows. (pydantic's ValidationError, which names
            the wrong parameter, is a ValueError.)
        """
        if isinstance(raw, Input):
            return raw
        if not isinstance(raw, Mapping):
            return cls(quantity, "constant", {"value": quantity.parse(raw)})
        plain = next((kind for name, kind in _WITHOUT_DISTRIBUTION.items() if name in raw), None)
        kind = raw.get("distribution", plain)
        kinds = [name for name in _PARAMETERS if name not in _WITHOUT_DISTRIBUTION.values()]
        if not isinstance(kind, str) or kind not in (kinds if "distribution" in raw else _PARAMETERS):
            raise ValueError(
                f"allowed: {quantity.allowed}, or a mapping with 'value', with 'expression', "
                f"or with 'distribution': {', '.join(kinds)}"
            )
        model = _schema(kind, quantity.unit, quantity.difference_unit).model_validate(dict(raw))
        given = {name: value for name, value in model if value is not None}
        parameters = {name: given[name] for name in _PARAMETERS[kind] if name in given}
        source = given.get("source")
        if kind == "empirical":
            values = read_column(folder or Path(), parameters["file"], parameters["column"])
            if len(values) < 2:
                raise ValueError(f"{parameters['file']!r} has {len(values)} values; allowed: 2 to {MOST_VALUES}")
            source = source or f"{parameters['file']}, column {parameters['column']}"
            kind, parameters = "choice", {"values": convert(values, parameters["unit"], quantity.unit)}
        if kind == "expression":
            return cls(quantity, kind, {"expression": check_syntax(parameters["expression"])}, source)
        _check_parameters(kind, parameters)
        made = cls(quantity, kind, parameters, source)
        made._check_range()
        return made

    def dump(self) -> Any:
        """Return what `read` reads back to the same input: text, number or mapping, without files."""
        if self.kind == "expression":
            return {**self.parameters, **({"source": self.source} if self.source else {})}
        units = {_LOCATION: self.unit, _VALUES: self.unit, _WIDTH: self.quantity.difference_unit, "probabilities": "1"}
        written: dict[str, Any] = {} if self.kind == "constant" else {"distribution": self.kind}
        for name, value in self.parameters.items():
            unit = units[_PARAMETERS[self.kind][name]]
            written[name] = [to_text(v, unit) for v in value] if isinstance(value, list) else to_text(value, unit)
        if self.source:
            return {**written, "source": self.source}
        return written if self.uncertain else written["value"]

    @property
    def text(self) -> str:
        """The value or the distribution on one line, for people to read."""
        if self.kind == "choice" and len(self.parameters["values"]) > 5:
            return f"choice of {len(self.parameters['values'])} values, {self.bounds()} {self.unit}"
        if self.expression is not None:
            return f"= {self.expression}"
        written = self.dump()
        if not isinstance(written, dict):
            return str(written)
        named = [
            f"{name} {value}" for name, value in written.items() if name not in ("distribution", "source", "value")
        ]
        return f"{self.kind}: {', '.join(named)}" if self.uncertain else str(written["value"])

    @property
    def uncertain(self) -> bool:
        """Whether the input is a distribution or an expression rather than a constant."""
        return self.kind != "constant"

    @property
    def drawn(self) -> bool:
        """Whether the input is a distribution."""
        return self.kind not in _WITHOUT_DISTRIBUTION.values()

    @property
    def expression(self) -> str | None:
        """How the input is made of others, where it is."""
        return self.parameters["expression"] if self.kind == "expression" else None

    @property
    def value(self) -> float:
        """The constant; ValueError for a distribution or an expression."""
        if self.uncertain:
            what = f"a {self.kind} distribution" if self.drawn else "an expression"
            raise ValueError(f"a constant is needed, got {what}")
        return float(self.parameters["value"])

    @property
    def unit(self) -> str:
        """Canonical unit."""
        return self.quantity.unit

    @property
    def cf_unit(self) -> str:
        """Canonical unit as the CF conventions write it."""
        return self.quantity.cf_unit

    @property
    def description(self) -> str:
        """What the input is."""
        return self.quantity.description

    @property
    def range(self) -> str:
        """The allowed range in words."""
        return self.quantity.range

    def check(self, values: np.ndarray) -> np.ndarray:
        """Return, for each value in the canonical unit, whether the key allows it."""
        return self.quantity.check(values)

    def quantile(self, u: np.ndarray) -> np.ndarray:
        """Return the values (canonical unit) below which the distribution has the probabilities ``u``, in (0, 1).

        For ``choice``, and so for ``empirical``, it is the inverted empirical distribution function (Hyndman and Fan
        1996, definition 1): always one of the values.
        """
        u = np.asarray(u, dtype=float)
        if not self.uncertain:
            return np.full(u.shape, self.value)
        if self.kind == "choice":
            weights = self.parameters.get("probabilities")
            return np.quantile(self.parameters["values"], u, method="inverted_cdf", weights=weights)
        return np.asarray(_frozen(self.kind, **self.parameters).ppf(u))

    def bounds(self) -> tuple[float, float]:
        """Return the smallest and largest possible value, infinite where there is none."""
        if not self.uncertain:
            return self.value, self.value
        if not self.drawn:
            return -math.inf, math.inf
        if self.kind == "choice":
            return min(self.parameters["values"]), max(self.parameters["values"])
        low, high = _frozen(self.kind, **self.parameters).support()
        return float(low), float(high)

    def _check_range(self) -> None:
        low, high = self.bounds()
        bounded = math.isfinite(low) and math.isfinite(high)
        reached = (low, high) if bounded else (float(self.quantile(np.array(0.5))),)
        for value in reached:
            if not self.quantity.check(value):
                what = "" if not self.uncertain else "it reaches " if bounded else "its median is "
                raise ValueError(f"{what}{to_text(value, self.unit)}; allowed: {self.quantity.allowed}")


class OwnUnit:
    """The annotation of a quantity that the user names: its unit is that of its first number.

    Units that UDUNITS may not know become SI base units (`study.quantity.canonical_unit`).
    """

    def read(self, raw: object, folder: Path | None = None) -> Input:
        """Return the input, a constant or a distribution; ValueError when it is neither."""
        if isinstance(raw, Mapping) and "expression" in raw:
            raise ValueError("allowed: a constant or a distribution; an expression belongs to the key it is for")
        first: object = raw
        if isinstance(raw, Mapping):
            first = next((raw[name] for name in ("value", "mean", "minimum", "values") if name in raw), None)
            first = first[0] if isinstance(first, list) and first else first
            first = f"0 {raw['unit']}" if isinstance(raw.get("unit"), str) else first
        unit = unit_in(first) if isinstance(first, str) else "1"
        return Input.read(raw, Quantity(canonical_unit(unit), description="a quantity of the study's own"), folder)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.with_info_plain_validator_function(
            lambda raw, info: self.read(raw, (info.context or {}).get("folder")),
            serialization=core_schema.plain_serializer_function_ser_schema(Input.dump),
        )


def _frozen(
    kind: str,
    *,
    mean: float = 0.0,
    standard_deviation: float = 0.0,
    minimum: float = 0.0,
    mode: float = 0.0,
    maximum: float = 0.0,
) -> Any:
    """Return scipy's distribution of that kind; the numbers are named as in a study file."""
    width = maximum - minimum
    if kind == "normal":
        return stats.norm(mean, standard_deviation)
    if kind == "truncated_normal":
        low, high = (minimum - mean) / standard_deviation, (maximum - mean) / standard_deviation
        return stats.truncnorm(low, high, mean, standard_deviation)
    if kind == "lognormal":
        variation = standard_deviation / mean
        variance = math.log1p(variation * variation)  # of the logarithm
        return stats.lognorm(math.sqrt(variance), scale=mean * math.exp(-variance / 2))
    if kind == "uniform":
        return stats.uniform(minimum, width)
    if kind == "triangular":
        return stats.triang((mode - minimum) / width, minimum, width)
    raise ValueError(f"distribution must be one of {sorted(_PARAMETERS)}, got {kind!r}")


def _check_parameters(kind: str, parameters: Mapping[str, Any]) -> None:
    """Raise ValueError when the parameters of a distribution contradict each other."""
    order = [name for name in ("minimum", "mode", "maximum") if name in parameters]
    numbers = [parameters[name] for name in order]
    if numbers and (numbers != sorted(numbers) or numbers[0] == numbers[-1]):
        raise ValueError(f"allowed: {' ≤ '.join(order)}, with minimum < maximum")
    if kind == "lognormal" and not 0 < parameters["standard_deviation"] <= 100 * parameters["mean"]:
        raise ValueError("allowed: a lognormal mean above 0, and a standard deviation of at most 100 times the mean")
    if kind == "choice":
        values, probabilities = parameters["values"], parameters.get("probabilities")
        if min(values) == max(values):
            raise ValueError("allowed: at least two different values")
        if probabilities is not None and (
            len(probabilities) != len(values) or abs(math.fsum(probabilities) - 1) > 1e-9
        ):
            raise ValueError("allowed: one probability for each of the values, with the sum 1")
