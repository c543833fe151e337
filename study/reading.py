"""YAML files read into pydantic models, and clear words for everything that can be wrong with them."""

import difflib
from collections.abc import Iterable, Mapping, Sized
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.fields import FieldInfo
from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer, ComposerError
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import AliasEvent

from study.distributions import PARAMETER_NAMES
from study.errors import ConfigError
from study.quantity import Quantity, short

MOST_BYTES = 1_000_000
MOST_LINES = 20
_MISSPELT = "unknown key; did you mean"


class Section(BaseModel):
    """A part of a file: unknown keys are errors, and nothing changes after reading."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class Document(Section):
    """A whole file."""

    def resolved(self) -> dict[str, Any]:
        """Return plain JSON-able values that read back to the same document: with units and defaults, without files."""
        return self.model_dump(mode="json", exclude_none=True)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).model_validate, (self.resolved(),)


def default(value: str | int) -> Any:
    """Return a field that, left out of the file, is read as if the file said ``value``."""
    return Field(default=value)


D = TypeVar("D", bound=Document)


def read_yaml(path: str | Path) -> dict[Any, Any]:
    """Return the mapping in a YAML file, its values unchecked; ConfigError when there is none."""
    path = Path(path)
    try:
        if not path.is_file():
            raise ConfigError(f"{path}: {'not a file' if path.exists() else 'there is no such file'}")
        with path.open("rb") as file:
            content = file.read(MOST_BYTES + 1)
        text = content[:MOST_BYTES].decode("utf-8-sig")
    except (OSError, ValueError) as error:
        reason = "not text in UTF-8" if isinstance(error, UnicodeDecodeError) else f"cannot be read: {error}"
        raise ConfigError(f"{path}: {reason}; allowed: a YAML file") from error
    if len(content) > MOST_BYTES:
        raise ConfigError(f"{path}: too large; allowed: at most {MOST_BYTES // 1_000_000} MB")
    yaml = YAML(typ="safe", pure=True)
    yaml.Composer = _NoAliases
    try:
        data = yaml.load(text)
    except (
        Exception
    ) as error:  # not only its own: the reader lets ValueError, TypeError, RecursionError and others through
        raise ConfigError(f"{path}: {_yaml_problem(error)}") from error
    if not isinstance(data, dict):
        raise ConfigError(f"{path}: allowed: a mapping of keys to values, got {short(data)}")
    return data


class _NoAliases(Composer):
    """Refuse aliases: a few lines of them can stand for more values than memory holds."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.parser.check_event(AliasEvent):
            mark = self.parser.peek_event().start_mark
            raise ComposerError(None, None, "aliases (*name) are not allowed, write the value out", mark)
        return super().compose_node(parent, index)


def _yaml_problem(error: Exception) -> str:
    problem, place = "it cannot be understood", ""
    if isinstance(error, MarkedYAMLError):
        problem, mark = str(error.problem or error.context), error.problem_mark or error.context_mark
        place = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    if isinstance(error, DuplicateKeyError):
        problem = problem.split(" with value", 1)[0]  # which would follow in full
    return f"not valid YAML{place}: {problem.splitlines()[0][:120]}"


def validate(model: type[D], data: Mapping[Any, Any], *, label: str, folder: Path | None = None) -> D:
    """Return the document made of ``data``.

    Parameters
    ----------
    model
        The kind of document.
    data
        The mapping of the file.
    label
        What messages call the file.
    folder
        Where files that the document names are looked for.

    Raises
    ------
    ConfigError
        With one line for each problem; misspelt keys first, for which others are missing.
    """
    try:
        return model.model_validate(data, context={"folder": folder})
    except ValidationError as error:
        problems = error.errors(include_url=False)
        places = {details["loc"][:n] for details in problems for n in range(len(details["loc"]))}
        # of a list with a wrong entry pydantic also says that it is too short
        said = [details for details in problems if details["type"] != "too_short" or details["loc"] not in places]
        lines = sorted((_problem(model, details) for details in said), key=lambda line: _MISSPELT not in line)
    if len(lines) > MOST_LINES:
        lines = [*lines[: MOST_LINES - 1], f"... and {len(lines) - MOST_LINES + 1} more problems"]
    raise ConfigError("\n".join(f"{label}: {line}" for line in lines))


def annotations(field: FieldInfo) -> list[Any]:
    """Return a field's annotation and everything nested in it."""
    parts = [field.annotation, *field.metadata]
    for part in parts:  # grows on the way
        parts.extend(get_args(part))
        parts.extend(part.metadata if isinstance(part, FieldInfo) else [])
    return parts


def section_of(parts: Iterable[Any]) -> type[Section] | None:
    """Return the model among the parts of an annotation, if there is one."""
    return next((part for part in parts if isinstance(part, type) and issubclass(part, Section)), None)


def _problem(model: type[Section], details: Any) -> str:
    """Return the line for one of pydantic's errors: the dotted key, what is allowed there, and the value."""
    parent: type[Section] | None = None
    section: type[Section] | None = model
    parts: list[Any] = []
    for name in details["loc"]:
        if isinstance(name, str):
            parent = section
            parts = annotations(parent.model_fields[name]) if parent and name in parent.model_fields else []
            section = section_of(parts)

    quantity = next((part for part in parts if isinstance(part, Quantity)), None)
    allowed = quantity.allowed if quantity else f"a mapping with {', '.join(section.model_fields)}" if section else ""
    kind, value = details["type"], details["input"]
    got = f", got {short(value)}"
    if kind == "missing":
        message, got = "is missing", ""
        message += f"; allowed: {allowed}" if allowed else ""
    elif kind == "extra_forbidden":
        names = tuple(parent.model_fields) if parent else PARAMETER_NAMES
        nearest = difflib.get_close_matches(str(details["loc"][-1]), names, n=1)
        message, got = (
            "does not belong here"
            if details["loc"][-1] in names
            else f"{_MISSPELT} {nearest[0]!r}?"
            if nearest
            else f"unknown key; allowed: {', '.join(names)}",
            "",
        )
    elif kind == "model_type":
        message = f"allowed: {allowed}"
    elif kind in ("tuple_type", "list_type"):
        message = "allowed: a list"
    elif kind in ("too_short", "too_long"):
        limits = details["ctx"]
        least = f"{limits['min_length']} or more" if kind == "too_short" else f"{limits['max_length']} at most"
        message, got = f"allowed: a list of {least}", f", got {len(value)}" if isinstance(value, Sized) else ""
    elif kind == "string_pattern_mismatch":
        message = "allowed: lower-case letters, digits, - and _, the first a letter or digit, 64 at most"
    else:
        message = details["msg"].removeprefix("Value error, ").removeprefix("Input ")
        got = "" if isinstance(value, Mapping | Section) else got
    key = ".".join(name if len(name) <= 40 and name.isprintable() else short(name) for name in map(str, details["loc"]))
    return f"{key}: {message}{got}" if key else f"{message}{got}"
