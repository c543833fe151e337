"""A report: one HTML file that needs nothing else: the answer, pictures, accounts, and where all of it comes from.

Everything that comes from a store is escaped by the template; nothing is fetched when the page is looked at.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from itertools import groupby
from typing import Any

import numpy as np
import vl_convert
import xarray as xr
from jinja2 import Environment, StrictUndefined

from study.config import Study, study_of
from study.drivers import Answer, what_drives
from study.ensemble import Ensemble, open_ensemble, reading
from study.errors import EnsembleError
from study.information import describe, information
from study.ledgers import every_account, every_reduction, ledgers
from study.pick_freeze import MixedStudy
from study.quantity import short
from study.report.answer import answer, limits_of_it, what_it_is
from study.report.explorer import against_inputs, by_winter
from study.report.pictures import pictures
from study.statistics import MOST_FAILED
from study.storage import Storage
from study.summary import Line, formatted, name_of, summarise
from study.sweep import SweptStudy, one_design
from study.verification import stored_study

MOST_DRAWN = 2**13
"""Samples that are drawn, and that other accounts are made of: the first, which are as good a design as all."""
_SNIPPET = "window.vegaEmbed = vegaEmbed;"
WIDEST_FORMULA = 300
"""Characters of an input that are printed."""


@dataclass(frozen=True)
class Row:
    """A line of a table: words, value, interval, remark."""

    words: str
    value: str
    interval: str
    remark: str


def report(store: str, *, most_failed: float = MOST_FAILED, at: Sequence[str] = ()) -> str:
    """The report of an ensemble, as the text of its HTML file.

    Parameters
    ----------
    store
        The ensemble.
    most_failed
        Largest share of samples that may have failed.
    at
        Of a sweep, which design, as of `study.sweep.one_design`.

    Raises
    ------
    RunError
        When no sample is done, or none ended well.
    EnsembleError
        When there is no ensemble, it is damaged, or too many samples failed.
    """
    storage = Storage.at(store)
    dataset = open_ensemble(store)
    with reading(storage):
        study = stored_study(storage)
        asked = Ensemble.open(storage).samples // study.points
        dataset = one_design(dataset, at, store=storage)
        study = study_of(dataset.attrs) if isinstance(study, SweptStudy) else study
    if isinstance(study, MixedStudy):
        raise EnsembleError(f"{storage}: rows that extend another ensemble; the report is that of the ensemble itself")
    with reading(storage):
        lines = summarise(dataset, most_failed=most_failed)
        drawn = dataset.isel(sample=slice(MOST_DRAWN)).load()
        limits = limits_of_it(study, dataset, lines, asked=asked)
    drivers = what_drives(store, most_failed=most_failed, at=at) if study.uncertain else None
    good = drawn.isel(sample=np.flatnonzero(drawn["status"].values == 0))
    few_failed = good.sizes["sample"] >= (1.0 - MOST_FAILED) * drawn.sizes["sample"]
    reductions = every_reduction(drawn)
    other = [
        *ledgers(drawn, most_failed=most_failed),
        *every_account(drawn, most_failed=most_failed, reductions=reductions),
    ]
    page = {
        "study": study,
        "name": name_of(dataset),
        "is": what_it_is(study),
        "answer": answer(study, lines, drivers),
        "limits": limits,
        "pictures": pictures(drawn if few_failed else good, study, lines, drivers, reductions),
        "drawn": drawn.sizes["sample"],
        "samples": dataset.sizes["sample"],
        "charts": _charts(good, study),
        "summary": _tables(lines),
        "accounts": _tables(other),
        "drivers": _drivers(drivers),
        "inputs": [
            (key, short_text(item.text), item.source or "", item.uncertain) for key, item in study.inputs.items()
        ],
        "provenance": _provenance(store, dataset),
    }
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string(resources.files(__name__).joinpath("page.html").read_text(encoding="utf-8"))
    return template.render(page=page, vega=_script(vl_convert.javascript_bundle(_SNIPPET)))


def _script(text: str) -> str:
    """A script that does not end the element it is in."""
    return re.sub("</(?=script)", r"<\\/", text, flags=re.IGNORECASE)


def short_text(text: str) -> str:
    """An input's text, cut where it is very long."""
    return text if len(text) <= WIDEST_FORMULA else f"{text[:WIDEST_FORMULA]}... ({len(text):,} characters)"


def _charts(good: xr.Dataset, study: Study) -> list[tuple[str, str, str, dict[str, Any]]]:
    """Identity, title, words and Vega-Lite of each chart to ask questions of."""
    charts: list[tuple[str, str, str, dict[str, Any]]] = [
        (
            "by-winter",
            "An output by winter of life",
            "The line is the median of the samples, bands are half and 90 % of them; points are their mean, with its "
            "95 % interval. Point at one for its numbers.",
            by_winter(good),
        )
    ]
    if against := against_inputs(good, study):
        words = "Each point is a sample, its output the mean of its winters. Point at one for its numbers."
        charts.append(("against-inputs", "An output against an input", words, against))
    return charts


def _tables(lines: list[Line]) -> list[tuple[str, list[Row]]]:
    """Lines of a table by section."""
    shown = [line for line in lines if line.shown]
    sections = dict.fromkeys(line.section for line in shown)
    return [(section, [_row(line) for line in shown if line.section == section]) for section in sections]


def _row(line: Line) -> Row:
    value, interval = formatted(line)
    units = line.units.replace("CO2", "CO₂")
    return Row(line.words, f"{value} {units}".rstrip(), interval, line.estimate.remark)


def _drivers(drivers: Answer | None) -> dict[str, Any]:
    """Indices of all outputs, as text."""
    if drivers is None:
        return {"statement": "No input is uncertain.", "outputs": []}
    outputs = []
    for name, several in groupby(drivers.drivers, key=lambda each: each.output):
        for each in several:
            rows = [
                (index.label, _number(index.first), _number(index.total), index.remark)
                for index in (*each.groups, *each.inputs)
            ]
            outputs.append((f"{name}: {each.words}", rows))
    return {"statement": drivers.statement, "outputs": outputs}


def _number(number: Any) -> str:
    if np.isnan(number.value):
        return "cannot be told"
    interval = f" ({number.low:.2f} to {number.high:.2f})" if np.isfinite([number.low, number.high]).all() else ""
    return f"{number.value:.2f}{interval}"


def _provenance(store: str, dataset: xr.Dataset) -> dict[str, Any]:
    found = information(store)
    return {
        "lines": describe(found)[1:],
        "title": found["title"],
        "study": json.dumps(json.loads(dataset.attrs["study"]), indent=1, ensure_ascii=False),
        "name": short(found["store"].rpartition("/")[2]),
    }
