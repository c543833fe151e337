"""Numbers, estimates and units as tables and sentences print them."""

import re

import numpy as np

from study.intervals import Estimate
from study.summary import Line, formatted


def number(value: float, digits: int = 4) -> str:
    """A number of so many digits, or of all those before its point, without an exponent.

    >>> number(-10000.4), number(9999.7), number(0.52341)
    ('-10,000', '10,000', '0.5234')
    """
    text = f"{value:,.{digits}g}"
    return f"{value:,.0f}" if "e+" in text else text


def told(estimate: Estimate, units: str) -> str:
    """A value and, in brackets, its interval, each of as many digits as the summary has in these units; no share.

    >>> told(Estimate(11560.3, 11490.2, 11630.1), "t CO2")
    '11,560 (11,490 to 11,630)'
    """
    value, interval = formatted(Line("", "", "", symbol(units), estimate))
    if not np.isfinite([estimate.low, estimate.high]).any():
        value, interval = number(estimate.value), "no interval"
    return f"{value} ({interval})"


def symbol(units: str) -> str:
    """Units of a variable, as CF has them (``CNY GJ-1``), as tables have them (``CNY/GJ``); nothing for a number."""
    return {"degC": "°C", "1": ""}.get(units, re.sub(r" ([A-Za-z]+)-(\d)", _per, units))


def _per(match: re.Match[str]) -> str:
    return f"/{match[1]}{'' if match[2] == '1' else '^' + match[2]}"
