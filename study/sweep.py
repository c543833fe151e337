"""One study of many designs: keys of the study file that take several values, and the store that holds all designs.

A *design* is a combination of the values of the keys that are swept. Row i·D + d of the store is sample i of design d:
a store of more samples begins with that of fewer, and a block holds all designs of its samples. Draws are keyed by the
name of an input and the index of a sample, weather and outages by the latter: the designs share ground, winters and
outages, and each one's rows are, to the bit, those of the same design in a study by itself.
"""

import functools
import itertools
import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field, model_validator

from study.config import SHORT, Study, changed, full_key, read_study, variable_name, without_sources
from study.distributions import Input
from study.errors import ConfigError, EnsembleError
from study.quantity import short
from study.reading import Section, read_yaml, validate
from study.variables import OF_WINTERS, SAMPLE_VARIABLES, variables_of

if TYPE_CHECKING:
    import xarray as xr

MOST_DESIGNS = 400
"""Designs of a sweep: as many as a table that one reads may have lines, and a block rows of each sample."""
NOT_SWEPT = ("sweep", "name", "description", "samples", "winters", "seed", "design", "replicates", "stop", "traces")
"""Keys that all designs of a store have in common."""
_RANGE = re.compile(r"([-+0-9.eE]+?)\s*(?:\.\.|…)\s*([-+0-9.eE]+)\s*([^0-9].*)?", re.DOTALL)
_NUMBER = re.compile(r"([-+]?[0-9]*\.?[0-9]+(?:[eE][-+]?[0-9]{1,2})?)\s*([^0-9].*)?", re.ASCII | re.DOTALL)
_A_RANGE = "a range such as 16..40 or 20..60 m"
_LONGEST = 60  # characters of a value in a design's name


class Axis(Section):
    """A key that is swept: its dimension in the ensemble, its values in words, and where they are numbers these."""

    key: str
    dimension: str
    labels: Annotated[tuple[str, ...], Field(min_length=1)]
    numbers: tuple[float, ...] | None = None
    units: str = "1"


class Design(Section):
    """A design: sections of the study in which it differs from the first one, and those that it has not."""

    name: str
    changes: dict[str, Any]
    without: tuple[str, ...] = ()


class SweptStudy(Study):
    """A study of many designs; what it says itself is the first of them, but for `samples`, rows of the store.

    Attributes
    ----------
    sweep
        The keys, the last of which changes fastest from design to design.
    designs
        All combinations of their values.
    """

    sweep: Annotated[tuple[Axis, ...], Field(min_length=1)]
    designs: Annotated[tuple[Design, ...], Field(min_length=1, max_length=MOST_DESIGNS)]

    @property
    def points(self) -> int:
        return len(self.designs)

    @functools.cached_property
    def _each(self) -> tuple[Study, ...]:
        whole = {key: value for key, value in self.resolved().items() if key not in ("sweep", "designs")}
        whole["samples"] = max(1, self.samples // self.points)
        return tuple(
            Study.model_validate({k: v for k, v in {**whole, **d.changes}.items() if k not in d.without})
            for d in self.designs
        )

    @property
    def studies(self) -> tuple[Study, ...]:
        """The study of each design by itself."""
        own = {"samples": self.samples // self.points, "winters": self.winters}  # a copy may have others
        return tuple(each.model_copy(update=own) for each in self._each)

    @functools.cached_property
    def uncertain(self) -> dict[str, Input]:
        """Inputs that are uncertain in any design."""
        keys = set().union(*(each.uncertain for each in self._each))
        return {
            key: next(s.inputs[key] for s in self._each if key in s.uncertain) for key in self.inputs if key in keys
        }

    @functools.cached_property
    def shared(self) -> frozenset[str]:
        """Uncertain inputs that a sample has alike in all designs."""
        first, *others = self._each
        if any(each.correlations != first.correlations for each in others):
            return frozenset()
        given, *rest = (without_sources(each.resolved()) for each in self._each)
        same = {key for key in first.inputs if all(_at_key(each, key) == _at_key(given, key) for each in rest)}
        for key, expression in first.derived.items():
            if not expression.keys <= same:
                same.discard(key)
        return frozenset(same & self.uncertain.keys())

    def base_rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return rows // self.points

    def designs_of(self, rows: NDArray[np.int64]) -> tuple[tuple[Study, NDArray[np.int64], NDArray[np.int64]], ...]:
        studies = self.studies
        split = ((number, np.flatnonzero(rows % self.points == number)) for number in np.unique(rows % self.points))
        return tuple((studies[number], places, rows[places] // self.points) for number, places in split)

    @model_validator(mode="after")
    def _designs_go_together(self) -> Self:
        if math.prod(len(axis.labels) for axis in self.sweep) != self.points or self.samples % self.points:
            raise ValueError("sweep: its designs are not all combinations of its values, for each sample")
        if self.traces is not None or self.stop is not None:
            raise ValueError(f"sweep: no {'traces' if self.traces else 'stop'} with it; allowed: a study of one design")
        first, *others = self._each
        for design, study in zip(self.designs[1:], others, strict=True):
            for what, here, there in (
                ("outputs", {*variables_of(first)}, {*variables_of(study)}),
                ("inputs", {*first.inputs}, {*study.inputs}),
            ):
                if different := sorted(here ^ there):
                    raise ValueError(
                        f"sweep: {design.name} and {self.designs[0].name} have not the same {what} "
                        f"({', '.join(different[:3])}); allowed: designs that have; sweep them in studies of their own"
                    )
        return self


def swept_study(data: Mapping[Any, Any], *, label: str, folder: Path) -> SweptStudy:
    """Return the study of a file with a `sweep:` section.

    Parameters
    ----------
    data
        The mapping of the file.
    label
        What messages call the file.
    folder
        Where files that it names are looked for.

    Raises
    ------
    ConfigError
        When the sweep, or any design, is wrong; the message names it.
    """
    axes = _values(data["sweep"], label)
    base = _without_sweep(data)
    labels = {key: _labels(values) for key, values in axes.items()}
    places = list(itertools.product(*(range(len(values)) for values in axes.values())))
    names = [", ".join(f"{k}={labels[k][n]}" for k, n in zip(axes, place, strict=True)) for place in places]
    studies = [
        design_of(
            base, {k: axes[k][n] for k, n in zip(axes, place, strict=True)}, label=f"{label}: {name}", folder=folder
        )
        for name, place in zip(names, places, strict=True)
    ]
    first = studies[0].resolved()
    designs = []
    named: dict[str, str] = {}
    for name, study in zip(names, studies, strict=True):
        own = study.resolved()
        if (other := named.setdefault(study.fingerprint(), name)) != name:
            raise ConfigError(f"{label}: sweep: {other} and {name} are the same design; allowed: each once")
        changes = {key: value for key, value in own.items() if value != first.get(key)}
        without = tuple(key for key in first if key not in own)
        designs.append(Design(name=name, changes=changes, without=without).model_dump())
    sweep = [
        _axis(key, labels[key], axes[key], [studies[_at(places, axis, n)] for n in range(len(axes[key]))]).model_dump()
        for axis, key in enumerate(axes)
    ]
    whole = {**first, "samples": studies[0].samples * len(designs), "sweep": sweep, "designs": designs}
    return validate(SweptStudy, whole, label=label)


def first_as_given(path: str | Path) -> Study:
    """Return the first design of a study file with a `sweep:` section, as the file gives it: its defaults show."""
    data = read_yaml(path)
    first = {key: values[0] for key, values in _values(data["sweep"], str(path)).items()}
    return design_of(_without_sweep(data), first, label=str(path), folder=Path(path).parent)


def _without_sweep(data: Mapping[Any, Any]) -> dict[Any, Any]:
    return {key: value for key, value in data.items() if key != "sweep"}


def _at_key(resolved: Any, key: str) -> Any:
    """What a resolved study says at a dotted key."""
    for part in key.split("."):
        resolved = resolved[int(part)] if isinstance(resolved, list) else (resolved or {}).get(part)
    return resolved


def _at(places: list[tuple[int, ...]], axis: int, value: int) -> int:
    """The first design with a value of an axis."""
    return next(n for n, place in enumerate(places) if place[axis] == value)


def design_of(data: Mapping[Any, Any], values: Mapping[str, Any], *, label: str, folder: Path) -> Study:
    """Return the study of a file with other values at some dotted keys; ConfigError when they do not fit."""
    return read_study(changed(data, values, label=label), label=label, folder=folder)


def _values(given: object, label: str) -> dict[str, list[Any]]:
    """Values of each key of a `sweep:` section, in the file's order."""
    if not isinstance(given, Mapping) or not given:
        raise ConfigError(f"{label}: sweep: allowed: a mapping of keys to lists or ranges, got {short(given)}")
    axes: dict[str, list[Any]] = {}
    for key, values in given.items():
        if not isinstance(key, str) or key.partition(".")[0] in NOT_SWEPT:
            raise ConfigError(
                f"{label}: sweep: {short(key)} cannot be swept; allowed: any key but {', '.join(NOT_SWEPT)}"
            )
        if other := next((each for each in axes if full_key(each) == full_key(key)), None):
            raise ConfigError(f"{label}: sweep: {other} and {key} are the same key; allowed: each once")
        try:
            axes[key] = values_of(values)
        except ValueError as error:
            raise ConfigError(f"{label}: sweep.{key}: {error}") from None
    if (number := math.prod(map(len, axes.values()))) > MOST_DESIGNS:
        raise ConfigError(f"{label}: sweep: {number:,} designs; allowed: at most {MOST_DESIGNS}")
    return axes


def values_of(given: object, *, most: int = MOST_DESIGNS) -> list[Any]:
    """Return the values that a list or a range stands for.

    Parameters
    ----------
    given
        A list; a text such as ``16..40`` or ``20..60 m``, in steps of 1; or a mapping with from, to and, where it is
        not 1, step. A range ends with the last step that does not leave it.
    most
        Values allowed.

    Raises
    ------
    ValueError
        Saying what is allowed.
    """
    if isinstance(given, list):
        if not given:
            raise ValueError("allowed: one value at least")
        if any(given.count(value) > 1 for value in given):
            raise ValueError("a value is there twice")
        return list(given)
    if isinstance(given, str):
        low, high, of = ends_of(given)
        given = {"from": f"{low} {of}", "to": f"{high} {of}"}
    if not isinstance(given, Mapping) or set(given) not in ({"from", "to"}, {"from", "to", "step"}):
        got = (
            f"a mapping with {', '.join(map(short, list(given)[:4]))}"
            if isinstance(given, Mapping) and given
            else short(given)
        )
        raise ValueError(f"allowed: a list, {_A_RANGE}, or a mapping with from, to and step; got {got}")
    parts = {name: _number(value) for name, value in given.items()}
    units = {unit for _, unit in parts.values()}
    if "step" not in given:
        parts["step"] = Decimal(1), ""
    if len(units) > 1:
        raise ValueError(f"from, to and step have not the same unit: {', '.join(sorted(map(short, units)))}")
    (unit,) = units
    first, last = parts["from"][0], parts["to"][0]
    step = parts["step"][0]
    if last < first:
        raise ValueError(f"from {first} to {last}: the wrong way round; allowed: the smaller one first")
    if step <= 0:
        raise ValueError(f"step {step}: allowed: above 0")
    steps = (last - first) / step
    if steps >= most:
        raise ValueError(f"{float(steps + 1):,.4g} values; allowed: at most {most:,}")
    return [with_unit(first + n * step, unit) for n in range(int(steps) + 1)]


def ends_of(text: str) -> tuple[str, str, str]:
    """Return the ends of a range such as ``16..40`` or ``20..60 m`` and their unit; ValueError when it is none."""
    found = _RANGE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"{short(text)}; allowed: {_A_RANGE}, two numbers and a unit")
    return found[1], found[2], (found[3] or "").strip()


def with_unit(value: Decimal, unit: str) -> int | float | str:
    """Return a number as a study file says it."""
    if unit:
        return f"{value.normalize():f} {unit}"
    return int(value) if value == int(value) else float(value)


def _number(value: object) -> tuple[Decimal, str]:
    found = _NUMBER.fullmatch(str(value).strip())
    if isinstance(value, bool) or found is None or len(str(value)) > _LONGEST:
        raise ValueError(f"{short(value)}: allowed: a number, with a unit where the key has one")
    try:
        return Decimal(found[1]), (found[2] or "").strip()
    except InvalidOperation:
        raise ValueError(f"{short(value)}: allowed: a number") from None


def _labels(values: list[Any]) -> tuple[str, ...]:
    """Values as a design's name says them, all different."""
    words = [_words(value)[:_LONGEST] for value in values]
    return tuple(text if words.count(text) == 1 else f"{text} ({n})" for n, text in enumerate(words, start=1))


def _words(value: Any) -> str:
    if isinstance(value, Mapping):
        parts = [f"{key} {_words(each)}" for key, each in value.items() if key not in ("distribution", "source")]
        return f"{value['distribution']}({', '.join(parts)})" if "distribution" in value else ", ".join(parts)
    return " ".join(map(_words, value)) if isinstance(value, list) else " ".join(str(value).split())


def _axis(key: str, labels: tuple[str, ...], values: list[Any], studies: list[Study]) -> Axis:
    items = [study.inputs.get(full_key(key)) for study in studies]
    constants = [item.value for item in items if item is not None and item.kind == "constant" and not item.expression]
    if len(constants) == len(values):
        numbers, units = constants, next(item.cf_unit for item in items if item is not None)
    elif all(isinstance(value, int | float) and not isinstance(value, bool) for value in values):
        numbers, units = [float(value) for value in values], "1"
    else:
        numbers, units = None, "1"
    uncertain = {variable_name(each) for study in studies for each in study.uncertain}
    name = variable_name(key)
    taken = uncertain | {*OF_WINTERS, *SAMPLE_VARIABLES, "winter", "reason"}
    dimension = f"{name}_case" if name in taken else name  # a variable has that name already
    return Axis(key=key, dimension=dimension, labels=labels, numbers=numbers and tuple(numbers), units=units)


def unfold(rows: "xr.Dataset", study: SweptStudy) -> "xr.Dataset":
    """Return the rows of a swept study's store with dimensions `sample`, each key that is swept, and `winter`; lazily.

    Inputs that a sample has alike in all designs are of (sample,).
    """
    import xarray as xr

    from study.sweep_array import Unfolded

    shape = tuple(len(axis.labels) for axis in study.sweep)
    dimensions = tuple(axis.dimension for axis in study.sweep)
    alike = {"replicate", *map(variable_name, study.shared)}
    first = rows.isel(sample=slice(None, None, study.points))
    variables: dict[str, Any] = {}
    for name, values in rows.variables.items():
        if name == "sample" or "sample" not in values.dims:
            continue
        if name in alike:
            variables[str(name)] = first.variables[name]
            continue
        dims = ("sample", *dimensions, *values.dims[1:])
        variables[str(name)] = xr.Variable(dims, Unfolded.lazily(values, shape), values.attrs)
    coordinates: dict[Any, Any] = {"winter": rows["winter"].variable} if "winter" in rows.variables else {}
    coordinates["sample"] = xr.Variable("sample", first["sample"].values // study.points, rows["sample"].attrs)
    for axis in study.sweep:
        numbers = np.array(axis.numbers) if axis.numbers else np.array(axis.labels)
        if axis.numbers and axis.units == "1" and (numbers == np.round(numbers)).all():
            numbers = numbers.astype(np.int64)
        coordinates[axis.dimension] = xr.Variable(axis.dimension, numbers, {"units": axis.units, "long_name": axis.key})
    named = {name: variables.pop(name) for name in ("replicate",) if name in rows.coords}
    return xr.Dataset(variables, coords={**coordinates, **named}, attrs=rows.attrs)


def designs(dataset: "xr.Dataset") -> dict[str, "xr.Dataset"]:
    """Return the ensemble of each design of a sweep, by its name, such as ``wells=28, field.spacing=40 m``.

    Parameters
    ----------
    dataset
        From `study.open_ensemble`.

    Returns
    -------
    Datasets with dimensions `sample` and `winter` whose attributes hold the design's own study, and its name as
    `design`: all that takes an ensemble takes them.

    Raises
    ------
    EnsembleError
        When it is not that of a sweep.
    """
    import json

    from study.config import study_of

    study = study_of(dataset.attrs)
    if not isinstance(study, SweptStudy):
        raise EnsembleError("an ensemble of one design; designs are those of a sweep")
    dimensions = [axis.dimension for axis in study.sweep]
    places = itertools.product(*(range(len(axis.labels)) for axis in study.sweep))
    found = {}
    for design, one, place in zip(study.designs, study.studies, places, strict=True):
        part = dataset.isel(dict(zip(dimensions, place, strict=True)), drop=True)
        about = {"study": json.dumps(one.resolved()), "fingerprint": one.fingerprint(), "accounting": one.carbon.words}
        about["design"] = design.name
        about["title"] = f"hotland ensemble of the study {one.name!r}, {design.name}"
        found[design.name] = part.assign_attrs(about)
    return found


def designs_at(dataset: "xr.Dataset", at: Sequence[str], *, store: object) -> dict[str, "xr.Dataset"]:
    """Return the ensembles of those designs of a sweep that have some values, by name.

    Parameters
    ----------
    dataset
        From `study.open_ensemble`.
    at
        Such as ``wells=28``, or several of them with commas between; all must hold.
    store
        What messages call the ensemble.

    Raises
    ------
    EnsembleError
        When it is no sweep, or has no such key or value; it says which there are.
    """
    from study.config import study_of

    study = study_of(dataset.attrs)
    if not isinstance(study, SweptStudy):
        raise EnsembleError(f"{store}: an ensemble of one design; --at chooses designs of a sweep")
    keys = {axis.key: n for axis, n in zip(study.sweep, itertools.count())}
    by_full = {full_key(key): key for key in keys}
    wanted: dict[int, str] = {}
    for text in (part for each in at for part in _parts(each, study)):
        key, _, label = (part.strip() for part in text.partition("="))
        axis = study.sweep[keys[key]] if (key := by_full.get(full_key(key), key)) in keys else None
        if axis is None:
            raise EnsembleError(f"{store}: --at {short(text)}: allowed: {', '.join(f'{key}=...' for key in keys)}")
        if label not in axis.labels:
            raise EnsembleError(
                f"{store}: --at {short(text)}: allowed for {axis.key}: {', '.join(axis.labels[:20])}"
                f"{', ...' if len(axis.labels) > 20 else ''}"
            )
        wanted[keys[key]] = label
    places = itertools.product(*(axis.labels for axis in study.sweep))
    return {
        name: each
        for (name, each), place in zip(designs(dataset).items(), places, strict=True)
        if all(place[n] == label for n, label in wanted.items())
    }


def each_design(datasets: Mapping[str, "xr.Dataset"], at: Sequence[str] = ()) -> dict[str, "xr.Dataset"]:
    """Return ensembles by name, in the place of a sweep those of its designs, as `designs_at` chooses them.

    Designs of one sweep keep their names; of several ensembles that of the ensemble goes before.
    """
    from study.config import study_of

    found = {}
    for name, dataset in datasets.items():
        if not isinstance(study_of(dataset.attrs), SweptStudy):
            found[name] = dataset
            continue
        for design, each in designs_at(dataset, at, store=name).items():
            found[design if len(datasets) == 1 else f"{name}: {design}"] = each
    return found


def one_design(dataset: "xr.Dataset", at: Sequence[str], *, store: object) -> "xr.Dataset":
    """Return the ensemble of the one design that `at` says, as `designs_at` does; of a study of one design its own.

    Raises
    ------
    EnsembleError
        When these are several.
    """
    from study.config import study_of

    study = study_of(dataset.attrs)
    if not at and not isinstance(study, SweptStudy):
        return dataset
    found = designs_at(dataset, at, store=store)
    if len(found) > 1:
        some = f", but {len(found)} have {', '.join(at)}" if at else ""
        such = f"--at {next(iter(found))!r}"
        raise EnsembleError(
            f"{store}: a sweep of {len(designs(dataset))} designs, and this takes one"
            f"{some}; allowed: {such}, or another of them"
        )
    return next(iter(found.values()))


def _parts(text: str, study: SweptStudy) -> list[str]:
    """Texts of a key and a value each; a value may have commas in it."""
    keys = {name for axis in study.sweep for name in (axis.key, full_key(axis.key))} | {*SHORT}
    return re.split(rf",\s*(?=(?:{'|'.join(map(re.escape, sorted(keys)))})\s*=)", text)


def refuse_swept(store: object, study: Study) -> None:
    """Raise EnsembleError where one design is asked for and a store holds many."""
    if isinstance(study, SweptStudy):
        raise EnsembleError(
            f"{store}: a sweep of {study.points} designs, and this takes one; `hotland summary` tells of all, "
            "`study.sweep.designs` gives each one's ensemble, and a study file without sweep: runs it by itself"
        )
