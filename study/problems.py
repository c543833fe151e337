"""Rules between inputs: broken by constants they refuse a file, broken by a drawn row they fail the row."""

from collections.abc import Callable
from typing import Any

import numpy as np

from study.distributions import Input


def first_problem(*rules: tuple[np.ndarray, str]) -> np.ndarray:
    """Return, for each row, the message of the first rule (broken or not, message) that it breaks, or None."""
    problems = np.full(rules[0][0].shape, None, dtype=object)
    for broken, message in reversed(rules):
        problems[broken] = message
    return problems


def refuse(rule: Callable[..., np.ndarray], **inputs: float | Input | Any) -> None:
    """Raise ValueError when constants break a rule; the rows of an ensemble are judged when they are drawn."""
    constants = {
        name: (np.nan if value.uncertain else value.value) if isinstance(value, Input) else value
        for name, value in inputs.items()
    }
    if (problem := rule(**constants).item()) is not None:
        raise ValueError(problem)
