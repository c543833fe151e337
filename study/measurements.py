"""Measurements that could be made: of which inputs, how exact, at what cost."""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass

from study.config import Study
from study.quantity import Quantity, short

_MEASURE = re.compile(r"\s*([\w.]+)\s*(?:\+/-|\+-|±)\s*(.+?)\s*", re.ASCII | re.DOTALL)
MOST = 1e15
"""Largest error, in the unit of the input: far more than any input spreads."""
_EXAMPLE = "'rock.conductivity +-0.1 W/m/K'"


@dataclass(frozen=True)
class Measurement:
    """Something that could be learnt: inputs, with the standard deviation of the error of each, 0 for perfect.

    Attributes
    ----------
    name
        As people call it.
    errors
        By key, in the canonical unit of each.
    cost
        In the units of the utility; nan where none is given.
    """

    name: str
    errors: Mapping[str, float]
    cost: float = math.nan

    def __post_init__(self) -> None:
        if not self.errors or not all(0.0 <= error < math.inf for error in self.errors.values()):
            raise ValueError(f"errors are of one input or more, and numbers of at least 0; got {dict(self.errors)!r}")
        if not math.isnan(self.cost) and not 0.0 <= self.cost < math.inf:
            raise ValueError(f"a cost is at least 0, got {self.cost!r}")

    @property
    def perfect(self) -> bool:
        return not any(self.errors.values())


def parse_measurement(text: str, study: Study, *, cost: float = math.nan) -> Measurement:
    """Return the measurement that a text such as ``rock.conductivity +-0.1 W/m/K`` describes.

    The number is the standard deviation of a normal error; several inputs that are measured together are separated by
    commas.

    Raises
    ------
    ValueError
        When the text is no such thing, or the input is not uncertain in the study.
    """
    errors: dict[str, float] = {}
    for part in text.split(","):
        if not (match := _MEASURE.fullmatch(part)):
            raise ValueError(f"{short(part)}; allowed: an input and the error of its measurement, such as {_EXAMPLE}")
        key, error = match.groups()
        if key not in study.uncertain:
            raise ValueError(f"{short(key)} is not uncertain in this study; allowed: {', '.join(study.uncertain)}")
        if key in errors:
            raise ValueError(f"{key} is there twice; allowed: once")
        quantity = Quantity(study.uncertain[key].quantity.difference_unit, gt=0, le=MOST)
        try:
            errors[key] = quantity.parse(error)
        except ValueError as problem:
            raise ValueError(f"{key}: {short(error)}: {problem}") from None
    return Measurement(text.strip(), errors, cost)
