"""The answer of what measurements are worth: for people as tables and sentences, for a program as JSON."""

import math
from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from study.intervals import Estimate
from study.json_text import json_text
from study.printed import number, symbol, told
from study.value import NOISE, Worth, Worths

NONE = "none is worth its cost"
SMALL = 0.05
"""Share of the variance below which inputs whose interval reaches zero are named, but have no line of their own."""


def print_values(found: Worths, console: Console) -> None:
    """Print the answer for people."""
    samples, units = found.samples, _after(found.samples.units)
    for option, mean in zip(samples.options, found.utilities, strict=False):
        console.print(f"{option}: mean utility {told(mean, samples.units)}{units}{_why(mean)}")
    if samples.decides:
        console.print(f"best now: {samples.options[samples.best]}")
        all_known = f"{told(found.perfect, samples.units)}{units}{_why(found.perfect)}"
        console.print(f"knowing everything, chance included, is worth {all_known}")
    else:
        console.print("no utility to decide by (--utility): what a measurement narrows, but not what it is worth")
    console.print(f"{samples.words}: standard deviation {number(samples.output.std())} {samples.output_units}")
    if not math.isnan(samples.claim):
        console.print(f"probability of {samples.claim:,.0f} {samples.output_units} or more: {found.probability:.2%}")
    notes: list[str] = []
    for title, worths in (
        ("measurement", found.measurements),
        ("group, known perfectly", found.groups),
        ("input, known perfectly", found.inputs),
    ):
        left_out = [worth for worth in worths if worths is found.inputs and small(worth)]
        if shown := [worth for worth in worths if worth not in left_out]:
            console.print(_table(title, shown, found, notes))
        if left_out:
            most = max(worth.variance.high for worth in left_out)
            names = ", ".join(worth.measurement.name for worth in left_out)
            at_most = f"with {max(most, 0.0):.1%} of the variance at most"
            console.print(f"and {len(left_out)} more, {NOISE}, {at_most}: {names}")
    for place, note in enumerate(notes, start=1):
        console.print(f"[{place}] {note}")
    console.print("Intervals are of what a regression on the samples finds: with few of them it errs on the low side.")
    if said := advice(found):
        console.print(said)
    unchanged = []
    for worth in (*found.measurements, *found.groups):
        changes = math.isnan(samples.claim) or worth.certainty.low > 0.0
        console.print(sentence(worth, found) if changes else narrowed(worth))
        unchanged += [] if changes else [worth.measurement.name]
    if unchanged:
        console.print(f"{_chance(found)} changes by nothing that can be told from zero by: {'; '.join(unchanged)}")
    for remark in samples.remarks:
        console.print(remark)


def _table(title: str, worths: Sequence[Worth], found: Worths, notes: list[str]) -> Table:
    """A line for each; what there is to say of an estimate is added to the notes."""
    samples = found.samples
    table = Table()
    table.add_column(title, overflow="fold")
    if samples.decides:
        table.add_column(f"worth, {symbol(samples.units)}".rstrip(", ") + " (95 % interval)")
    if costs := any(math.isfinite(worth.measurement.cost) for worth in worths):
        table.add_column("cost", justify="right")
        table.add_column("worth less cost", justify="right")
    table.add_column("variance taken away")
    table.add_column(f"deviation after, {samples.output_units}", justify="right")

    def noted(text: str, *remarks: str) -> str:
        if not (note := ": ".join(filter(None, remarks))):
            return text
        if note not in notes:
            notes.append(note)
        return f"{text} [{notes.index(note) + 1}]"

    for worth in worths:
        cells = [worth.measurement.name]
        if samples.decides:
            text = told(worth.value, samples.units) if worth.gain.any() else "0"
            cells.append(noted(text, worth.remark, worth.value.remark if worth.gain.any() else ""))
        if costs:
            cells += [number(worth.measurement.cost, 10), told(worth.net, samples.units)]
        unknown = "" if worth.variance.low > 0.0 else NOISE
        cells += [noted(f"{worth.variance:.1%}", unknown, worth.variance.remark), number(worth.deviation)]
        table.add_row(*cells)
    return table


def small(worth: Worth) -> bool:
    """Whether a line can be left out: worth and variance cannot be told from zero, and not for want of samples."""
    unknown = worth.gain.any() and (worth.value.low > 0.0 or worth.value.remark)
    return not unknown and not worth.variance.low > 0.0 and worth.variance.high < SMALL


def sentence(worth: Worth, found: Worths) -> str:
    """What a measurement narrows, in words."""
    said = narrowed(worth)
    if math.isnan(found.samples.claim):
        return said
    said += f"; {_chance(found)} "
    if not worth.certainty.low > 0.0:
        return f"{said}changes by nothing that can be told from zero"
    low, _, high = worth.probability
    return f"{said}is then between {low:.2%} and {high:.2%} in 90 % of cases"


def narrowed(worth: Worth) -> str:
    """What a measurement takes off the variance, in words."""
    said = f"{worth.measurement.name}: takes {worth.variance:.1%} off the variance of the carbon reduction"
    return said if worth.variance.low > 0.0 else f"{said}, {NOISE}"


def _chance(found: Worths) -> str:
    return f"P(≥ {found.samples.claim:,.0f} {found.samples.output_units}), now {found.probability.value:.2%},"


def _why(estimate: Estimate) -> str:
    return f"; {estimate.remark}" if estimate.remark and estimate.value else ""


def _after(units: str) -> str:
    return f" {symbol(units)}".rstrip()


def advice(found: Worths) -> str:
    """Which measurement to buy, in words; empty where none was asked for, or there is nothing to decide by."""
    if not found.measurements or not found.samples.decides:
        return ""
    first, *others = found.measurements
    units = _after(found.samples.units)
    if math.isnan(first.measurement.cost):
        if first.remark:
            return f"worth most: {first.measurement.name}, but {first.remark}"
        return f"worth most: {first.measurement.name}; --cost holds it against what it costs"
    if found.best is None:
        net = f"{told(first.net, found.samples.units)}{units} net"
        sure = "" if not first.net.high > 0.0 else f", though {first.measurement.name} may be: {net}"
        return f"{NONE}{sure}"
    said = f"buy {first.measurement.name}: {told(first.net, found.samples.units)}{units} more than its cost"
    if not first.net.low > 0.0:
        said += f", {NOISE}"
    if others and others[0].net.value > 0.0:
        ahead = found.samples.mean(first.gain - others[0].gain)
        cost = first.measurement.cost - others[0].measurement.cost
        if not ahead.low - cost > 0.0:
            said += f"; as far as can be told {others[0].measurement.name} is as good"
    return said


def to_json(found: Worths) -> str:
    """The values for a program; null where there is no number."""
    samples = found.samples
    return json_text(
        {
            "samples": len(samples.sample),
            "failed": int(samples.failed.sum()),
            "options": [
                {"name": name, "utility": each} for name, each in zip(samples.options, found.utilities, strict=False)
            ],
            "best": samples.options[samples.best] if samples.decides else None,
            "units": samples.units,
            "perfect_information": _told(found.perfect),
            "claim": samples.claim,
            "probability": found.probability,
            "output": samples.words,
            "output_units": samples.output_units,
            "standard_deviation": float(samples.output.std()),
            "remarks": samples.remarks,
            "buy": found.best.measurement.name if found.best else None,
            "advice": advice(found),
            "measurements": [_all_of(worth, found) for worth in found.measurements],
            "groups": [_all_of(worth, found) for worth in found.groups],
            "inputs": [_all_of(worth, found) for worth in found.inputs],
        }
    )


def _all_of(worth: Worth, found: Worths) -> dict[str, object]:
    return {
        "name": worth.measurement.name,
        "errors": worth.measurement.errors,
        "value": _told(worth.value),
        "remark": worth.remark,
        "cost": worth.measurement.cost,
        "net": _told(worth.net),
        "variance_explained": _told(worth.variance),
        "standard_deviation_after": worth.deviation,
        "probability_after": dict(zip(("q05", "q50", "q95"), worth.probability, strict=True)),
        "event_entropy_explained": _told(worth.certainty),
        "sentence": sentence(worth, found),
    }


def _told(estimate: Estimate) -> dict[str, object]:
    return {**asdict(estimate), "distinguishable_from_zero": bool(estimate.low > 0.0)}
