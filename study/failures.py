"""Where in the input space the samples that failed lie.

For each input the samples that failed are held against those that ended well by the two-sample Kolmogorov-Smirnov test
(Hodges 1958, Ark. Mat. 3:469; `scipy.stats.ks_2samp`). Its p-values are corrected for the number of inputs, whatever
their correlations (Benjamini and Yekutieli 2001, Ann. Stat. 29:1165; `scipy.stats.false_discovery_control`). Where an
input passes, the place of the largest distance between the two distributions is the split that tells them apart best
(Youden's index: share of the failed samples less share of the good ones). The points of a design that fills the space
evenly are no independent draws, so that the p-values are approximate: an input that matters gets into the words only
where it tells failed from good samples beyond what the inputs before it tell.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xarray as xr
from numpy.typing import NDArray
from scipy import stats

from study.variables import OK, SAMPLE_VARIABLES, STATUS_MEANINGS

LEVEL = 0.01
"""False discovery rate up to which an input is said to matter."""
FEWEST = 3
"""Failed samples below which no pattern is looked for."""
MOST = 100_000
"""Samples, failed and good ones each, that are looked at, evenly spread over the rows."""

_RANGES = ("failed_low", "failed_high", "all_low", "all_high")
_FIELDS = ("statistic", "p_value", "split", "failed_share", "good_share", *_RANGES)
_GAIN = 0.05  # of Youden's index, for which a rule gets another condition
_CONDITIONS = 3


def failed_by_kind(dataset: xr.Dataset) -> dict[str, int]:
    """How many samples failed, by the meaning of their status; those that are not done yet are not among them.

    Parameters
    ----------
    dataset
        With `status`, (sample,).
    """
    numbers, counts = np.unique(dataset["status"].values, return_counts=True)
    return {_kind(dataset, n): int(count) for n, count in zip(numbers, counts, strict=True) if n > OK}


def locate(dataset: xr.Dataset, *, status: int | None = None) -> xr.Dataset:
    """Hold the inputs of the samples that failed against those of the samples that ended well.

    Parameters
    ----------
    dataset
        An ensemble: `status`, (sample,), and inputs, (sample,). One input at a time is read.
    status
        Only samples that failed in this way; left out, all that failed.

    Returns
    -------
    Dataset over `input` (names of variables): `statistic` (1, Kolmogorov-Smirnov), `p_value` (1, corrected for the
    number of inputs), `split` (the input's unit) and `below` (whether failed samples gather at or below it),
    `failed_low`, `failed_high`, `all_low`, `all_high` (the input's unit, range of the failed samples and of all),
    `failed_share`, `good_share` (1, on that side of the split). Nan where there is nothing to compare.
    """
    state = dataset["status"].values
    failed = _some(np.flatnonzero(state > OK if status is None else state == status))
    good = _some(np.flatnonzero(state == OK))
    names = inputs_of(dataset)
    found = {name: np.full(len(names), np.nan) for name in _FIELDS}
    found["below"] = np.zeros(len(names), dtype=bool)
    for i, name in enumerate(names):
        bad, well = (_finite(dataset[name].isel(sample=rows).values) for rows in (failed, good))
        for group, values in (("failed", bad), ("all", np.concatenate([bad, well]))):
            if len(values):
                found[f"{group}_low"][i], found[f"{group}_high"][i] = values.min(), values.max()
        if not len(bad) or not len(well) or found["all_low"][i] == found["all_high"][i]:
            continue
        test = stats.ks_2samp(bad, well, method="asymp")
        below = bool(test.statistic_sign > 0)
        found["statistic"][i], found["p_value"][i] = test.statistic, min(max(float(test.pvalue), 0.0), 1.0)
        found["split"][i], found["below"][i] = test.statistic_location, below
        for group, values in (("failed", bad), ("good", well)):
            found[f"{group}_share"][i] = _side(values, float(test.statistic_location), below=below).mean()
    tested = np.isfinite(found["p_value"])
    if tested.any():
        found["p_value"][tested] = stats.false_discovery_control(found["p_value"][tested], method="by")
    return xr.Dataset({name: ("input", values) for name, values in found.items()}, {"input": list(names)})


def describe_failures(dataset: xr.Dataset) -> list[str]:
    """How many samples failed, of what, and where they lie, in lines for a person; none where none failed.

    Parameters
    ----------
    dataset
        As of `locate`.
    """
    kinds = failed_by_kind(dataset)
    if not kinds:
        return []
    state = dataset["status"].values
    total, failed = int((state >= OK).sum()), sum(kinds.values())
    counts = ", ".join(f"{count:,} {kind}" for kind, count in sorted(kinds.items(), key=lambda each: -each[1]))
    first = f"{failed:,} of {total:,} samples failed ({_percent(failed / total)}): {counts}"
    if not (state == OK).any():
        return [f"{first}; none ended well to hold them against"]
    if len(kinds) == 1:
        where, lines = _where(dataset, None)
        return [f"{first}; {where}", *lines]
    lines = [first]
    for number in (int(n) for n in np.unique(state) if n > OK):
        where, ranges = _where(dataset, number)
        lines += [f"{_kind(dataset, number)}: {where}", *ranges]
    return lines


@dataclass(frozen=True)
class _Condition:
    """One side of a split of an input, and who is there."""

    words: str
    range: str
    failed: NDArray[np.bool_]
    good: NDArray[np.bool_]


def _where(dataset: xr.Dataset, status: int | None) -> tuple[str, list[str]]:
    """A rule for samples that failed, and the ranges of the inputs in it."""
    state = dataset["status"].values
    failed = np.flatnonzero(state > OK if status is None else state == status)
    if len(failed) < FEWEST:
        return f"too few to see a pattern (fewer than {FEWEST})", []
    found = locate(dataset, status=status)
    matter = found.isel(input=np.flatnonzero((found["p_value"] <= LEVEL).values)).sortby("statistic", ascending=False)
    if not matter.sizes["input"]:
        return "spread over the input space without a pattern", []
    rows = (_some(failed), _some(np.flatnonzero(state == OK)))
    rule: list[_Condition] = []
    both = tuple(np.ones(len(each), dtype=bool) for each in rows)
    youden = 0.0
    for each in _conditions(dataset, matter, rows):
        narrowed = both[0] & each.failed, both[1] & each.good
        gained = float(narrowed[0].mean() - narrowed[1].mean())
        if gained > youden + (_GAIN if rule else 0.0) and len(rule) < _CONDITIONS:
            rule, both, youden = [*rule, each], narrowed, gained
    words = " and ".join(each.words for each in rule)
    shares = [float(each.mean()) for each in both]
    ones = "the good ones" if len(rows[1]) < MOST else f"{MOST:,} good ones"
    others = f"{_percent(shares[1])} of {ones} do, too" if shares[1] else f"none of {ones} does"
    where = f"they lie where {words}" if shares[0] == 1.0 else f"{_percent(shares[0])} of them lie where {words}"
    return f"{where} ({others})", [each.range for each in rule]


def _conditions(dataset: xr.Dataset, matter: xr.Dataset, rows: tuple[NDArray[np.int64], ...]) -> Iterator[_Condition]:
    for i in range(matter.sizes["input"]):
        one = matter.isel(input=i)
        name, split, below = str(one["input"].values), float(one["split"]), bool(one["below"])
        label, unit = label_of(dataset, name)
        failed, good = (dataset[name].isel(sample=each).values for each in rows)
        # between the split, the last of one side, and the next value: rounded there it cuts no sample off
        values = np.concatenate([_finite(failed), _finite(good)])
        shown = _round_between(split, values[values > split].min(initial=np.inf))
        words = f"{label} {'<' if below else '>'} {shown}{unit}"
        low, high, least, most = (float(one[each]) for each in _RANGES)
        extent = f"  {label}: failed {low:.4g} to {high:.4g}{unit}, all {least:.4g} to {most:.4g}{unit}"
        yield _Condition(words, extent, *(_side(each, split, below=below) for each in (failed, good)))


def inputs_of(dataset: xr.Dataset) -> list[str]:
    """Names of the uncertain inputs of an ensemble: its numeric variables over `sample` that are not its own."""
    return [
        str(name)
        for name, values in dataset.data_vars.items()
        if values.dims == ("sample",) and name not in SAMPLE_VARIABLES and np.issubdtype(values.dtype, np.number)
    ]


def label_of(dataset: xr.Dataset, name: str) -> tuple[str, str]:
    """The key of an input, as in the study file, and its unit with a space before it."""
    attributes = dataset[name].attrs
    key = re.search(r"\(([\w.]+)\)$", str(attributes.get("long_name", "")))
    units = str(attributes.get("units", "1"))
    return key.group(1) if key else name, "" if units == "1" else f" {units}"


def _kind(dataset: xr.Dataset, number: int) -> str:
    meanings = str(dataset["status"].attrs.get("flag_meanings", STATUS_MEANINGS)).split()
    return meanings[number] if number < len(meanings) else f"status {number}"


def _side(values: NDArray[np.float64], split: float, *, below: bool) -> NDArray[np.bool_]:
    return np.asarray(values <= split if below else values > split)


def _some(rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """At most `MOST` of the rows, evenly spread."""
    return rows if len(rows) <= MOST else rows[np.linspace(0, len(rows) - 1, MOST).astype(np.int64)]


def _finite(values: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(values[np.isfinite(values)], dtype=np.float64)


def _round_between(low: float, high: float) -> str:
    """A short number between the two."""
    for digits in range(2, 17):
        text = f"{low if not np.isfinite(high) else 0.5 * (low + high):.{digits}g}"
        if low < float(text) < high:
            return text
    return f"{low:.6g}"


def _percent(share: float) -> str:
    return f"{100.0 * share:.2g} %" if share < 0.995 else f"{100.0 * share:.4g} %"
