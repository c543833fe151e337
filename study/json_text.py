"""Answers for a program."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any


def json_text(answer: Any) -> str:
    """JSON of numbers and words, however nested in mappings, lists and dataclasses; null where there is no number."""
    return json.dumps(_plain(answer), indent=1, ensure_ascii=False, allow_nan=False)


def _plain(node: Any) -> Any:
    if is_dataclass(node):
        return {each.name: _plain(getattr(node, each.name)) for each in fields(node)}
    if isinstance(node, Mapping):
        return {key: _plain(value) for key, value in node.items()}
    if isinstance(node, list | tuple):
        return [_plain(value) for value in node]
    return None if isinstance(node, float) and not math.isfinite(node) else node
