"""Targets: what is to be known of an ensemble, and how closely, as one line of text each.

``P(carbon_reduction>=18000) +-0.5%`` asks that half the width of the 95 % interval of that probability be no more than
half a percentage point. The grammar is small and its own: the messages say what is allowed at each place.
"""

import difflib
import math
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from study.quantity import Quantity, short
from study.reading import Section
from study.variables import MONEY, OF_WINTERS, SAMPLE_VARIABLES

Statistic = Literal["P", "mean", "quantile", "cvar", "return_level"]
Tail = Literal["upper", "lower"]
Comparison = Literal[">=", ">", "<=", "<"]
Reduction = Literal["mean", "min", "max", "sum", "winters"]

_OF_SAMPLES = ("energy_imbalance", "largest_unit_out_share", *MONEY)
OUTPUTS = OF_WINTERS | {name: SAMPLE_VARIABLES[name] for name in _OF_SAMPLES}
"""What a target can be about."""
REDUCTIONS: tuple[Reduction, ...] = ("mean", "min", "max", "sum", "winters")
"""Of the winters of a sample, and `winters`, each one by itself."""
COMPARISONS: dict[str, Comparison] = {">=": ">=", "≥": ">=", ">": ">", "<=": "<=", "≤": "<=", "<": "<"}
EXAMPLE = "P(carbon_reduction>=18000) +-0.5%"
STATISTICS = (
    "P(OUTPUT>=NUMBER), mean(OUTPUT), q05(OUTPUT), quantile(OUTPUT, 5%), cvar(OUTPUT, 5%), return_level(OUTPUT, 50)"
)
MOST_TARGETS, MOST_HOURS, LONGEST_PERIOD = 100, 1e6, 1e6
LONGEST = 300

_CALL = re.compile(r"([^()]*)\((.*)\)", re.DOTALL)
_TOLERANCE = re.compile(r"\+/-|\+-|±")
_COMPARISON = re.compile(r"[<>=!≤≥≠~]+")
_NUMBER = re.compile(r"[-+.0-9]+(?:[eE][-+]?[0-9]+)?", re.ASCII)
_QUANTILE = re.compile(r"q([0-9]{2})", re.ASCII)


@dataclass(frozen=True)
class Target:
    """A statistic of an ensemble, and how closely it is to be known.

    Attributes
    ----------
    text
        As it was given.
    statistic
        `quantile` over samples; `return_level` is what one winter in so many exceeds.
    output
        One of `OUTPUTS`.
    reduction
        What of a sample's winters; `winters` takes each by itself.
    tolerance
        Of half the interval's width: in the output's units, of a probability a share of 1, or where `relative` a share
        of the value.
    comparison, threshold
        Of a probability; the threshold in the output's units.
    parameter
        Share of a quantile or of a conditional value at risk, or period of a return level in winters.
    tail
        Of a conditional value at risk: whether it is the mean of the highest or of the lowest.
    """

    text: str
    statistic: Statistic
    output: str
    reduction: Reduction
    tolerance: float
    relative: bool = False
    comparison: Comparison = ">="
    threshold: float = math.nan
    parameter: float = math.nan
    tail: Tail = "upper"

    @classmethod
    def parse(cls, text: str) -> "Target":
        """Read a target.

        Raises
        ------
        ValueError
            When it is none; the text says what is allowed.
        """
        if len(text) > LONGEST:
            raise ValueError(f"too long; allowed: {LONGEST} characters")
        what, *tolerances = _TOLERANCE.split(text)
        if not tolerances or not tolerances[0].strip():
            raise ValueError(f"the tolerance is missing; allowed: +- and a number, such as {EXAMPLE!r}")
        if len(tolerances) > 1:
            raise ValueError(f"more than one tolerance; allowed: one, such as {EXAMPLE!r}")
        found = cls.of_statistic(what)
        asked, relative = tolerances[0].strip(), False
        if found.statistic == "P":
            tolerance = _of_probability(asked)
        else:
            tolerance, relative = _absolute_or_relative(asked, found.output)
        return replace(found, text=" ".join(text.split()), tolerance=tolerance, relative=relative)

    @classmethod
    def of_statistic(cls, text: str) -> "Target":
        """Read a statistic alone, such as ``P(unmet_hours<=0)``; the tolerance is nan, errors are as of `parse`."""
        call = _CALL.fullmatch(text.strip())
        if call is None:
            raise ValueError(f"{short(text.strip())} is no statistic; allowed: {STATISTICS}")
        name, inside = call[1].strip(), call[2]
        words = " ".join(text.split())
        if name == "P":
            output, reduction, comparison, threshold = _event(inside)
            return cls(words, "P", output, reduction, math.nan, False, comparison, threshold)
        tail: Tail = "upper"
        if name == "cvar":
            inside, tail = _tail(inside)
        inside, statistic, parameter = _parameter(name, inside)
        output, reduction = _output(inside, "winters")
        if statistic == "mean" and reduction == "winters":
            reduction = "mean"  # the same
        if statistic == "return_level" and (reduction != "winters" or output not in OF_WINTERS):
            raise ValueError(f"{_shown(call[0])}: allowed: an output of each winter, as it is")
        return cls(words, statistic, output, reduction, math.nan, parameter=parameter, tail=tail)

    @property
    def name(self) -> str:
        """The statistic, as it was given."""
        return _TOLERANCE.split(self.text)[0].strip()

    @property
    def units(self) -> str:
        """Of the statistic and, but for temperatures, its tolerance."""
        units = str(OUTPUTS[self.output]["units"])
        return "%" if self.statistic == "P" else "" if units == "1" else units


def _event(inside: str) -> tuple[str, Reduction, Comparison, float]:
    """Output, reduction, comparison and threshold of the event of a probability."""
    event, found = f"P({inside.strip()})", _COMPARISON.search(inside)
    if found is None:
        raise ValueError(f"{_shown(event)} has no comparison; allowed: >=, >, <= or <, such as {EXAMPLE!r}")
    if found[0] not in COMPARISONS:
        raise ValueError(f"{_shown(event)}: {short(found[0])} is no comparison; allowed: >=, >, <= or <")
    output, reduction = _output(inside[: found.start()], "mean")
    threshold = quantity_in(inside[found.end() :].strip(), unit_of(output), _shown(event))
    return output, reduction, COMPARISONS[found[0]], threshold


def _parameter(name: str, inside: str) -> tuple[str, Statistic, float]:
    """What is left inside of a statistic, which one it is, and its parameter."""
    if name == "mean":
        return inside, "mean", math.nan
    if (short_form := _QUANTILE.fullmatch(name)) and int(short_form[1]):
        return inside, "quantile", int(short_form[1]) / 100
    if name not in ("quantile", "cvar", "return_level"):
        hint = "; a probability is P" if name == "p" else ""
        raise ValueError(f"{short(name)} is no statistic{hint}; allowed: {STATISTICS}")
    inside, comma, last = inside.rpartition(",")
    if name != "return_level":
        if not comma:
            raise ValueError(f"{name}(...): its share is missing; allowed: {name}(OUTPUT, 5%)")
        share = quantity_in(last.strip(), "1", f"{name}(...)")
        if not 0.0 < share < 1.0:
            raise ValueError(f"{name}(..., {_shown(last.strip())}): allowed: above 0 % and below 100 %, such as 5%")
        return inside, "quantile" if name == "quantile" else "cvar", share
    if not comma:
        raise ValueError("return_level(...): its period is missing; allowed: return_level(OUTPUT, 50), of 50 winters")
    period = quantity_in(last.strip(), "1", "return_level(...)")
    if not 1.0 < period <= LONGEST_PERIOD:
        raise ValueError(f"return_level(..., {_shown(last.strip())}): allowed: more than 1 winter, such as 50")
    return inside, "return_level", period


def _tail(inside: str) -> tuple[str, Tail]:
    """What is left inside of a conditional value at risk, and its tail, if that is said last."""
    rest, _, last = inside.rpartition(",")
    return (
        (rest, "lower")
        if last.strip() == "lower"
        else (rest, "upper")
        if last.strip() == "upper"
        else (inside, "upper")
    )


def _output(text: str, usual: Reduction) -> tuple[str, Reduction]:
    """An output's name and what is taken of its winters, from ``carbon_reduction`` or ``min(carbon_reduction)``."""
    name, reduction = text.strip(), usual
    if call := _CALL.fullmatch(name):
        given, name = call[1].strip(), call[2].strip()
        if given not in REDUCTIONS:
            raise ValueError(
                f"{short(given)} is nothing to take of a sample's winters; allowed: {', '.join(REDUCTIONS)} (each one)"
            )
        reduction = next(each for each in REDUCTIONS if each == given)
        if name in OUTPUTS and name not in OF_WINTERS:
            raise ValueError(f"{given}({name}): {name} is the same for all winters of a sample; allowed: {name}")
    if name not in OUTPUTS:
        nearest = difflib.get_close_matches(name[:60], OUTPUTS, n=3, cutoff=0.3)
        hint = f"the nearest ones are {', '.join(nearest)}" if nearest else "docs/ensemble.md has them all"
        raise ValueError(f"{short(name)} is not an output; {hint}" if name else f"the output is missing; {hint}")
    return name, reduction


def unit_of(output: str) -> str:
    """Unit of an output as `Quantity` reads it: of ``t CO2 MWh-1`` it is ``t/MWh``."""
    units = str(OUTPUTS[output]["units"]).replace(" CO2", "")
    return re.sub(r" (\w+)-1", r"/\1", units).replace(" ", "*")


def quantity_in(text: str, unit: str, where: str) -> float:
    """A number, with a unit or without, in a unit; ValueError says where it was."""
    bare = _NUMBER.fullmatch(text) is not None
    text = re.sub(r"(?<=[A-Za-z0-9. ])CO2\b", "", text).strip()
    try:
        return Quantity(unit).parse(f"{text} {unit}" if bare and unit != "1" else text)
    except ValueError as error:
        raise ValueError(f"{where}: {short(text)}: {error}") from None


def _shown(text: str) -> str:
    """A part of a target as messages show it."""
    return text if text.isprintable() and len(text) <= 60 else short(text)


def _of_probability(text: str) -> float:
    """Tolerance of a probability, a share of 1."""
    if _NUMBER.fullmatch(text):
        raise ValueError(f"+-{_shown(text)}: the tolerance of a probability is in percentage points, such as +-0.5%")
    tolerance = quantity_in(text, "1", f"+-{_shown(text)}")
    if not 0.0 < tolerance <= 1.0:
        raise ValueError(f"+-{_shown(text)}: allowed: above 0 % and at most 100 %, such as +-0.5%")
    return tolerance


def _absolute_or_relative(text: str, output: str) -> tuple[float, bool]:
    """Tolerance of a number, in the units of its output or a share of it, and whether it is that."""
    unit = Quantity(unit_of(output)).difference_unit
    relative = text.endswith("%")
    if relative and unit == "K" and OUTPUTS[output]["units"] == "degC":
        raise ValueError(f"+-{_shown(text)}: a share of a temperature in degC means nothing; allowed: such as +-0.5 K")
    tolerance = quantity_in(text, "1" if relative else unit, f"+-{_shown(text)}")
    if not tolerance > 0.0:
        example = "+-1% of the value" if unit != "K" else "+-0.5 K"
        raise ValueError(f"+-{_shown(text)}: allowed: above 0, in {unit}, or such as {example}")
    return tolerance, relative


def _checked(text: str) -> str:
    Target.parse(text)
    return text


class Stop(Section):
    """When a run may stop before it has all the samples: once its targets are met, or its hours are spent."""

    targets: Annotated[
        tuple[Annotated[str, AfterValidator(_checked)], ...], Field(min_length=1, max_length=MOST_TARGETS)
    ]
    hours: Annotated[float, Field(gt=0, le=MOST_HOURS, strict=True)] | None = None


def parse_targets(texts: Iterable[str], place: str, *, outputs: Container[str] = OUTPUTS) -> tuple[Target, ...]:
    """Read targets.

    Parameters
    ----------
    place
        Where they were given, for the message.
    outputs
        Those of `OUTPUTS` that the study has.

    Raises
    ------
    ValueError
        When one is none; it names the place, and the target.
    """
    targets = []
    for text in texts:
        try:
            targets.append(target := Target.parse(text))
            if target.output not in outputs:
                raise ValueError(f"{target.output} is no output of this study, which has nothing that it tells of")
        except ValueError as error:
            raise ValueError(f"{place} {short(text)}: {error}") from None
    return tuple(targets)
