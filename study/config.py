"""What a study file may say.

`Study` is its schema. Every number has its unit in the file and is kept in the canonical unit that its annotation
names. Each number annotated as `Input` may be a probability distribution.
"""

import copy
import difflib
import functools
import hashlib
import json
import math
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Annotated, Any, Literal, Self, get_origin

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, Field, StrictInt, ValidationInfo, field_validator, model_validator

from study.carbon import Carbon, with_baseline
from study.correlation import correlation_problem, normal_correlation
from study.csv_file import read_column
from study.distributions import Input, OwnUnit
from study.economics import Economics
from study.errors import ConfigError, EnsembleError
from study.expression import Expression, keys_of
from study.own_power import OwnPower
from study.park import Park
from study.plant import (
    Building,
    Circulation,
    HeatPump,
    HeatStorage,
    Outages,
    PeakHeating,
    SummerRecharge,
    building_problem,
    supply_problem,
)
from study.quantity import Quantity, short, to_text
from study.reading import Document, Section, annotations, default, read_yaml, section_of, validate
from study.shallow_field import ShallowField
from study.target import Stop
from study.traces import Tracing
from study.well_case import Fluid, Well, WellCase, geometry_problem, load_well_case
from study.winters import SURFACE, Climate, Days, Text, recorded_winters, with_climate

__all__ = [
    "ConfigError",
    "Study",
    "WellCase",
    "building_problem",
    "flatten",
    "geometry_problem",
    "load_study",
    "load_well_case",
    "schema_keys",
    "supply_problem",
    "variable_name",
    "without_sources",
]

Array = NDArray[np.float64]

MOST_LAYERS = 20
NOT_OF_THE_ROWS = ("samples", "description", "claim", "stop")
"""Keys that change no row, so a store may be continued with others."""

CHANCE = "chance"
"""What stands for weather and outages where inputs are named: everything that differs between winters alike."""

MOST_PARAMETERS = 100
_OWN_NAME = r"[a-z][a-z0-9_]{0,39}"


class CompanyTarget(Section):
    """How much less the company is to emit in a year than it did once."""

    year: Annotated[StrictInt, Field(ge=1990, le=2200)]
    reduction: Annotated[float, Quantity("t", gt=0, description="reduction of the company's emissions by that year")]


class Claim(Section):
    """What was promised, to be held against the ensemble."""

    carbon_reduction: Annotated[float, Quantity("t", gt=0, description="carbon reduction promised for a year")]
    park_emissions_per_energy: (
        Annotated[float, Quantity("t/tce", gt=0, le=5, description="emissions promised per unit of the park's energy")]
        | None
    ) = None
    first_winter: Annotated[StrictInt, Field(ge=1990, le=2200)] | None = None
    company_targets: Annotated[tuple[CompanyTarget, ...], Field(min_length=1, max_length=20)] | None = None

    @model_validator(mode="after")
    def _targets_have_their_winters(self) -> Self:
        if self.company_targets is not None and self.first_winter is None:
            raise ValueError("company_targets need first_winter, the year in which the first winter begins")
        return self


class StudyWell(Well[Input]):
    """The deep wells of a field, all alike."""

    depth: Annotated[Input, Quantity("m", ge=100, le=10000, description="depth of each well")]
    flow_rate: Annotated[Input, Quantity("m^3/h", ge=1, le=200, description="flow rate of each well")]


SHORT = {
    "wells": "field.wells",
    "spacing": "field.spacing",
    "depth": "well.depth",
    "peak_capacity": "peak_heating.capacity",
}
"""What is changed most often by a short name, where values of a file are changed, swept or searched for."""
MOST_WELLS, MOST_GRID = 1000, 900
CLOSEST = 3.0
"""Wells nearer to each other than this, m, are refused."""

Metres = Annotated[float, Quantity("m", ge=-1e7, le=1e7, description="coordinate of a well")]


class WellField(Section):
    """Where the wells stand: a rectangular grid, so many wells in the most compact one, or the coordinates of each."""

    wells: Annotated[StrictInt, Field(ge=1, le=MOST_GRID)] | None = None
    rows: Annotated[StrictInt, Field(ge=1, le=30)] | None = None
    columns: Annotated[StrictInt, Field(ge=1, le=30)] | None = None
    spacing: (
        Annotated[Input, Quantity("m", ge=CLOSEST, le=1000, description="distance between neighbouring wells")] | None
    ) = None
    coordinates: Annotated[tuple[tuple[Metres, Metres], ...], Field(min_length=1, max_length=MOST_WELLS)] | None = None

    @field_validator("coordinates", mode="before")
    @classmethod
    def _from_file(cls, raw: Any, info: ValidationInfo) -> Any:
        if not isinstance(raw, dict):
            return raw
        if set(raw) != {"file", "unit"} or not all(isinstance(value, str) for value in raw.values()):
            raise ValueError("allowed: a list of [x, y], or a mapping with file (of columns x and y) and unit")
        folder = (info.context or {}).get("folder") or Path()
        return list(
            zip(
                *([f"{value!r} {raw['unit']}" for value in read_column(folder, raw["file"], axis)] for axis in "xy"),
                strict=True,
            )
        )

    @model_validator(mode="after")
    def _one_layout(self) -> Self:
        given = tuple(name for name in ("wells", "rows", "columns", "coordinates") if getattr(self, name) is not None)
        alone = self.wells == 1 or (self.rows, self.columns) == (1, 1)
        spaced = self.spacing is None if self.coordinates else self.spacing is not None or alone
        if given not in (("rows", "columns"), ("wells",), ("coordinates",)) or not spaced:
            raise ValueError("give either rows, columns and spacing, or wells and spacing, or coordinates")
        if self.coordinates:
            x, y = np.array(self.coordinates).T
            apart = np.hypot(x[:, None] - x, y[:, None] - y) + np.diag(np.full(len(x), np.inf))
            first, second = np.unravel_index(apart.argmin(), apart.shape)
            if (nearest := apart[first, second]) < CLOSEST * (1 - 1e-9):
                raise ValueError(
                    f"coordinates: wells {first + 1} and {second + 1} are {nearest:.8g} m apart; "
                    f"allowed: {CLOSEST:g} m or more"
                )
        return self

    @property
    def places(self) -> tuple[tuple[float, float], ...]:
        """Coordinates of the wells: m, or in a grid over the spacing."""
        if self.coordinates is not None:
            return self.coordinates
        rows, columns = most_compact_grid(self.wells) if self.wells else (self.rows or 0, self.columns or 0)
        grid = tuple((float(x), float(y)) for y in range(rows) for x in range(columns))
        return grid[: self.wells]


def most_compact_grid(wells: int) -> tuple[int, int]:
    """Return rows and columns of the grid that so many wells stand in; the last row may have free places at its end.

    Of the grids no more than twice as long as wide it is the one with the fewest free places, and of those the one that
    is most nearly square.
    """
    columns = range(math.isqrt(wells - 1) + 1, max(math.isqrt(2 * wells), math.isqrt(wells - 1) + 1) + 1)
    best = min(columns, key=lambda each: (-wells % each, each))
    return -(-wells // best), best


CONDUCTIVITY = Quantity("W/m/K", ge=0.3, le=10, description="thermal conductivity of the rock")
HEAT_CAPACITY = Quantity("MJ/m^3/K", ge=0.5, le=6, description="volumetric heat capacity of the rock")
GRADIENT = Quantity("K/km", ge=0, le=200, description="geothermal gradient")


class RockLayer(Section):
    """A layer of rock; what it does not give is that of the whole rock."""

    thickness: Annotated[Input, Quantity("m", gt=0, le=15000, description="thickness of the layer")]
    conductivity: Annotated[Input, CONDUCTIVITY] | None = None
    volumetric_heat_capacity: Annotated[Input, HEAT_CAPACITY] | None = None
    geothermal_gradient: Annotated[Input, GRADIENT] | None = None


class Rock(Section):
    """The rock; its layers go from the surface down, the last one as deep as the well."""

    conductivity: Annotated[Input, CONDUCTIVITY]
    volumetric_heat_capacity: Annotated[Input, HEAT_CAPACITY]
    layers: Annotated[tuple[RockLayer, ...], Field(min_length=1, max_length=MOST_LAYERS)] | None = None


class Correlation(Section):
    """The rank correlation (Spearman) of two uncertain inputs."""

    inputs: tuple[str, str]
    rank_correlation: Annotated[float, Quantity("1", ge=-1, le=1)]


class Study(Document):
    """One study: what is known, what is not, and how often to draw."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    description: Text | None = None
    samples: Annotated[StrictInt, Field(ge=1, le=100_000_000)] = 4096
    winters: Annotated[StrictInt, Field(ge=1, le=100)] = 30
    seed: Annotated[StrictInt, Field(ge=0, le=2**63 - 1)] = 1
    design: Literal["sobol", "monte_carlo", "latin_hypercube"] = "sobol"
    replicates: Annotated[StrictInt, Field(ge=2, le=64)] = 16
    claim: Claim | None = None
    well: StudyWell
    fluid: Fluid[Input]
    field: WellField
    rock: Rock
    surface_temperature: Annotated[Input, SURFACE]
    geothermal_gradient: Annotated[Input, GRADIENT]
    winter_load: Annotated[
        Input, Quantity("1", ge=0.05, le=10, description="factor on the heat load of every winter")
    ] = default(1)
    season: Days
    climate: Climate
    building: Building
    heat_pump: HeatPump
    peak_heating: PeakHeating
    reserve_heating: PeakHeating = PeakHeating(kind="none")
    heat_storage: HeatStorage | None = None
    own_power: OwnPower | None = None
    circulation: Circulation
    outages: Outages = Outages()
    summer_recharge: SummerRecharge | None = None
    carbon: Carbon
    park: Park | None = None
    shallow_field: ShallowField | None = None
    economics: Economics | None = None
    parameters: (
        Annotated[dict[str, Annotated[Input, OwnUnit()]], Field(min_length=1, max_length=MOST_PARAMETERS)] | None
    ) = None
    correlations: Annotated[tuple[Correlation, ...], Field(max_length=1000)] = ()
    stop: Stop | None = None
    traces: Tracing | None = None

    @functools.cached_property
    def inputs(self) -> dict[str, Input]:
        """Every number that the file gives or a default fills, by its dotted key, in the schema's order."""
        own = sorted((self.parameters or {}).items())  # whatever their order in the file
        return dict(_walk_inputs(self)) | {f"parameters.{name}": value for name, value in own}

    @property
    def drawn(self) -> dict[str, Input]:
        """Those of the inputs that are distributions: each has a dimension of the design."""
        return {key: value for key, value in self.inputs.items() if value.drawn}

    @functools.cached_property
    def derived(self) -> dict[str, Expression]:
        """Expressions of the inputs that are made of others, in an order in which they can be computed.

        Raises
        ------
        ValueError
            Naming the key whose expression does not fit, or those that go in a circle.
        """
        texts = {key: item.expression for key, item in self.inputs.items() if item.expression is not None}
        for key, text in texts.items():
            for name in sorted(keys_of(text)):
                if name not in self.inputs:
                    nearest = ", ".join(difflib.get_close_matches(name, self.inputs, n=3, cutoff=0))
                    raise ValueError(
                        f"{key}: {short(name)} is no input of this study; the nearest ones are {nearest} "
                        "(a unit belongs to a number, as in '1 K')"
                    )
        units = {key: item.unit for key, item in self.inputs.items()}
        found = {}
        try:
            for key in TopologicalSorter({key: sorted(keys_of(text)) for key, text in texts.items()}).static_order():
                if key in texts:
                    found[key] = Expression.of(texts[key], units, units[key])
        except CycleError as error:
            circle = error.args[1][::-1]
            circle = circle if len(circle) <= 7 else [*circle[:5], "...", circle[-1]]
            raise ValueError(f"{circle[0]}: its expression needs itself: {' -> '.join(circle)}") from None
        except ValueError as error:
            raise ValueError(f"{key}: {error}") from None
        return found

    @functools.cached_property
    def uncertain(self) -> dict[str, Input]:
        """Those of the inputs that are distributions, or derived from some: the ensemble has them as variables."""
        keys = set(self.drawn)
        for key, expression in self.derived.items():
            if keys & expression.keys:
                keys.add(key)
        return {key: value for key, value in self.inputs.items() if key in keys}

    def quantiles(self, u: Mapping[str, Array], rows: int) -> dict[str, Array]:
        """Return the value of every input, in its canonical unit, shape (row,).

        Parameters
        ----------
        u
            Probabilities in (0, 1) of the inputs that are drawn, by key, each of shape (row,).
        rows
            How many.
        """
        values = {
            key: item.quantile(u[key]) if item.drawn else np.full(rows, np.nan if item.expression else item.value)
            for key, item in self.inputs.items()
        }
        with np.errstate(all="ignore"):  # what is not finite is out of range
            for key, expression in self.derived.items():
                values[key] = np.full(rows, expression.values(values), dtype=float)
        return values

    def medians(self) -> dict[str, Array]:
        """Return the value of every input where those that are drawn have their medians, shape (1,)."""
        return self.quantiles({key: np.full(1, 0.5) for key in self.drawn}, 1)

    def fingerprint(self) -> str:
        """Return the SHA-256 of all that determines a row's bits: not of `NOT_OF_THE_ROWS`, nor of sources.

        Traces, which a store has from its beginning, are in it.
        """
        parts = {k: v for k, v in self.resolved().items() if k not in NOT_OF_THE_ROWS}
        return hashlib.sha256(json.dumps(without_sources(parts), sort_keys=True).encode()).hexdigest()

    @property
    def points(self) -> int:
        """How many designs a store has rows of for each sample: one, unless keys are swept (`study.sweep`)."""
        return 1

    def designs_of(self, rows: NDArray[np.int64]) -> tuple[tuple["Study", NDArray[np.int64], NDArray[np.int64]], ...]:
        """Return the studies that rows of a store are of, each with the rows' places among these and in itself."""
        return ((self, np.arange(len(rows)), rows),)

    def base_rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the rows of the design that rows of a store are made from: those themselves, unless two are mixed."""
        return rows

    def from_other(self, name: str, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        """Return in which rows an uncertain input, or `CHANCE`, comes from a second design (`study.pick_freeze`)."""
        del name  # it never does
        return np.zeros(len(rows), dtype=np.bool_)

    def with_overrides(self, *, samples: int | None = None, seed: int | None = None) -> "Study":
        """Return the study with another number of samples or another seed; ConfigError when it is not allowed."""
        rows = None if samples is None else samples * self.points
        changes = {name: value for name, value in (("samples", rows), ("seed", seed)) if value is not None}
        return validate(type(self), {**self.resolved(), **changes}, label=f"study {self.name!r}")

    @model_validator(mode="after")
    def _recharge_is_in_summer(self) -> Self:
        if self.summer_recharge is not None:
            rest = (self.summer_recharge.first_day - self.season.first_day) % 365 - self.season.days
            if rest < 0 or rest + self.summer_recharge.days > 365 - self.season.days:
                raise ValueError("summer_recharge: start and end: allowed: days outside the heating season, in order")
        return self

    @model_validator(mode="after")
    def _account_has_its_power(self) -> Self:
        if self.carbon.electricity_account == "hourly" and self.own_power is None:
            raise ValueError("carbon.electricity_account: 'hourly' needs own_power, which the study has not")
        return self

    @model_validator(mode="after")
    def _record_fits_the_season(self) -> Self:
        if self.climate.record is not None:
            hours = recorded_winters(self.climate.record).shape[1]
            if hours != 24 * self.season.days:
                raise ValueError(f"climate.record: its winters have {hours} h, the season {24 * self.season.days} h")
        return self

    @model_validator(mode="after")
    def _modules_have_a_temperature(self) -> Self:
        solar = self.own_power.solar if self.own_power else None
        if solar and (solar.monthly_temperature or self.climate.monthly_temperature) is None:
            raise ValueError("own_power.solar.monthly_temperature: is missing, and the climate, a record, has none")
        return self

    @model_validator(mode="after")
    def _traces_fit(self) -> Self:
        if self.traces is not None:
            try:
                self.traces.refuse(samples=self.samples, winters=self.winters, days=self.season.days)
            except ValueError as error:
                raise ValueError(f"traces.{error}") from None
        return self

    @model_validator(mode="after")
    def _units_that_fail_are_there(self) -> Self:
        for name, there in (
            ("peak_heating", self.peak_heating.kind != "none"),
            ("reserve_heating", self.reserve_heating.kind != "none"),
        ):
            if getattr(self.outages, name) is not None and not there:
                raise ValueError(f"outages.{name}: there is no {name}")
        return self

    @model_validator(mode="after")
    def _expressions_fit(self) -> Self:
        needed = frozenset().union(*(expression.keys for expression in self.derived.values()))
        for name in self.parameters or {}:
            if not re.fullmatch(_OWN_NAME, name):
                raise ValueError(f"parameters: {short(name)}: allowed: a-z, 0-9 and _, the first a letter, 40 at most")
            if f"parameters.{name}" not in needed:  # it would be drawn and change nothing: an expression is missing
                raise ValueError(f"parameters.{name}: no expression has it, so it would change nothing")
        medians = self.medians() if self.derived else {}
        for key in self.derived:
            item = self.inputs[key]
            if not item.check(medians[key]).all():
                value = to_text(float(medians[key][0]), item.unit)
                where = "with all inputs at their medians " if key in self.uncertain else ""
                raise ValueError(f"{key}: {where}the expression is {value}; allowed: {item.quantity.allowed}")
        return self

    @model_validator(mode="after")
    def _correlated_inputs_are_uncertain(self) -> Self:
        seen: set[frozenset[str]] = set()
        for n, correlation in enumerate(self.correlations):
            pair = frozenset(correlation.inputs)
            for key in correlation.inputs:
                if key in self.derived:
                    raise ValueError(f"correlations.{n}.inputs: {key} is an expression: its inputs can be correlated")
                if key not in self.drawn:
                    names = ", ".join(difflib.get_close_matches(key, self.drawn, n=3, cutoff=0) or ["none"])
                    raise ValueError(
                        f"correlations.{n}.inputs: {short(key)} is not an uncertain input; the nearest ones are {names}"
                    )
            if len(pair) < 2 or pair in seen:
                raise ValueError(f"correlations.{n}.inputs: allowed: two different inputs, each pair once")
            seen.add(pair)
        given = {correlation.inputs: correlation.rank_correlation for correlation in self.correlations}
        if problem := correlation_problem(given):
            raise ValueError(f"correlations: {problem}")
        return self

    def correlation_matrix(self) -> tuple[list[str], np.ndarray]:
        """Return the keys of the correlated inputs and the correlation of their normal scores, shape (key, key)."""
        correlated = {key for correlation in self.correlations for key in correlation.inputs}
        keys = [key for key in self.inputs if key in correlated]
        matrix = np.eye(len(keys))
        for correlation in self.correlations:
            i, j = (keys.index(key) for key in correlation.inputs)
            matrix[i, j] = matrix[j, i] = normal_correlation(correlation.rank_correlation)
        return keys, matrix


def schema_keys() -> list[str]:
    """Return the dotted key of every input that any study can have, in the schema's order, without `parameters`."""
    return list(_walk_keys(Study))


def variable_name(key: str) -> str:
    """Return the name in an ensemble of the input with a dotted key: ``rock.conductivity`` is ``rock_conductivity``."""
    return key.replace(".", "_")


def _walk_inputs(node: object, prefix: str = "") -> Iterator[tuple[str, Input]]:
    if isinstance(node, Input):
        yield prefix.removesuffix("."), node
    elif isinstance(node, Section):
        for name, value in node:
            yield from _walk_inputs(value, f"{prefix}{name}.")
    elif isinstance(node, tuple):
        for n, value in enumerate(node):
            yield from _walk_inputs(value, f"{prefix}{n}.")


def _walk_keys(model: type[BaseModel], prefix: str = "") -> Iterator[str]:
    for name, field in model.model_fields.items():
        parts = annotations(field)
        section = section_of(parts)
        if name == "parameters":
            continue  # their names are the study's own
        if Input in parts:
            yield f"{prefix}{name}"
        elif section:
            many = any(get_origin(part) is tuple for part in parts)
            most = next((part.max_length for part in parts if hasattr(part, "max_length")), 0)
            for place in (f"{name}.{n}." for n in range(most)) if many else (f"{name}.",):
                yield from _walk_keys(section, f"{prefix}{place}")


def without_sources(node: Any) -> Any:
    """Return plain values of a resolved study, nested as they are, without where they come from."""
    if isinstance(node, dict):
        return node["value"] if "value" in node else {k: without_sources(v) for k, v in node.items() if k != "source"}
    return [without_sources(value) for value in node] if isinstance(node, list) else node


def flatten(node: Any, prefix: str = "") -> dict[str, Any]:
    """Return plain nested values by dotted key; a list of plain values is one value."""
    nested = node if isinstance(node, dict) else {}
    if isinstance(node, list) and any(isinstance(value, dict | list) for value in node):
        nested = dict(enumerate(node))
    if not nested:
        return {prefix.removesuffix("."): ", ".join(map(str, node)) if isinstance(node, list) else node}
    return {key: value for name, child in nested.items() for key, value in flatten(child, f"{prefix}{name}.").items()}


def defaulted(section: Section, prefix: str = "") -> set[str]:
    """Return the dotted keys that a file left to their defaults; of a section left out, its own key alone."""
    found = set()
    for name, value in section:
        if name not in section.model_fields_set:
            found.add(f"{prefix}{name}")
        for place, part in enumerate(value if isinstance(value, tuple) else (value,)):
            if isinstance(part, Section) and name in section.model_fields_set:
                found |= defaulted(part, f"{prefix}{name}.{place}." if isinstance(value, tuple) else f"{prefix}{name}.")
    return found


def study_of(attributes: Mapping[Any, Any]) -> Study:
    """Return the study that an ensemble's attributes hold; EnsembleError when they are gone."""
    if "study" not in attributes:
        raise EnsembleError("no attribute study: xarray.set_options(keep_attrs=True) keeps it in arithmetic")
    resolved = json.loads(attributes["study"])
    if "designs" in resolved:
        from study.sweep import SweptStudy

        return SweptStudy.model_validate(resolved)
    return Study.model_validate(resolved)


def load_study(path: str | Path, changes: Mapping[str, Any] | None = None) -> Study:
    """Return the study that a YAML file describes; ConfigError when it is wrong in any way.

    Parameters
    ----------
    changes
        Values that count instead of the file's, by dotted key (``{"field.spacing": "40 m"}``), each as the file would
        say it: a distribution is a mapping.
    """
    data, folder = changed(read_yaml(path), changes or {}, label=str(path)), Path(path).parent
    if "sweep" in data:
        from study.sweep import swept_study

        return swept_study(data, label=str(path), folder=folder)
    return read_study(data, label=str(path), folder=folder)


def changed(data: Mapping[Any, Any], changes: Mapping[str, Any], *, label: str) -> dict[Any, Any]:
    """Return what a file says with other values at some dotted keys, as if it had said so.

    So many wells take the place of rows and columns, and a climate that goes by its name gets a section, so that parts
    of it can change. A section changes before its parts.

    Raises
    ------
    ConfigError
        When a key leads into something that has no parts, or is given twice, by two of its names.
    """
    whole = copy.deepcopy(dict(data))
    named = Counter(map(full_key, changes))
    if twice := [key for key, times in named.items() if times > 1]:
        raise ConfigError(f"{label}: {twice[0]}: given twice, by two of its names")
    for key, value in sorted(copy.deepcopy(dict(changes)).items(), key=lambda each: full_key(each[0]).count(".")):
        *sections, last = full_key(key).split(".")
        if [*sections, last] == ["field", "wells"] and isinstance(whole.get("field"), dict):
            whole["field"] = {name: each for name, each in whole["field"].items() if name not in ("rows", "columns")}
        if sections[:1] == ["climate"] and isinstance(whole.get("climate"), str):
            whole["climate"] = {"from": whole["climate"]}
        node: Any = whole
        for n, name in enumerate([*sections, last]):
            place: str | int = name
            if isinstance(node, list) and name.isdecimal() and int(name) < len(node):
                place = int(name)
            elif not isinstance(node, dict):
                within = ".".join(sections[:n])
                raise ConfigError(
                    f"{label}: {short(key)}: {within} has no parts that could change, it is {short(node)}"
                )
            if n == len(sections):
                node[place] = value
            else:
                node = node.setdefault(place, {}) if isinstance(node, dict) else node[place]
    return whole


def full_key(key: str) -> str:
    """Return the dotted key that one of `SHORT` stands for, or the key itself."""
    return SHORT.get(key, key)


def read_study(data: Mapping[Any, Any], *, label: str, folder: Path) -> Study:
    """Return the study of one design that a study file's mapping describes; ConfigError when it is wrong in any way."""
    return validate(Study, with_baseline(with_climate(data, label=label, folder=folder)), label=label, folder=folder)
