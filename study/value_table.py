"""The answer of what measurements are worth: for people as tables and sentences, for a program as JSON."""

import math
from dataclasses import asdict

from rich.console import Console
from rich.table import Table

from study.intervals import Estimate
from study.json_text import json_text
from study.value import NOISE, Worth, Worths

NONE = "none is worth its cost"


def print_values(found: Worths, console: Console) -> None:
    """Print the answer for people."""
    samples = found.samples
    units = f" {samples.units}".rstrip()
    for option, mean in zip(samples.options, found.utilities, strict=False):
        console.print(f"{option}: mean utility {mean:,.4g}{units}")
    if samples.decides:
        console.print(f"best now: {samples.options[samples.best]}")
        console.print(f"knowing everything, chance included, is worth {found.perfect:,.4g}{units}")
    else:
        console.print("no utility to decide by (--utility): what a measurement narrows, but not what it is worth")
    console.print(f"{samples.words}: standard deviation {samples.output.std():,.4g} {samples.output_units}")
    if not math.isnan(samples.claim):
        console.print(f"probability of {samples.claim:,.0f} {samples.output_units} or more: {found.probability:.2%}")
    for title, worths in (
        ("measurement", found.measurements),
        ("group, known perfectly", found.groups),
        ("input, known perfectly", found.inputs),
    ):
        if not worths:
            continue
        table = Table(title)
        if samples.decides:
            table.add_column(f"worth,{units} (95 % interval)" if units else "worth (95 % interval)")
        if costs := any(math.isfinite(worth.measurement.cost) for worth in worths):
            table.add_column("cost", justify="right")
            table.add_column("worth less cost", justify="right")
        table.add_column("variance taken away")
        table.add_column(f"deviation after, {samples.output_units}", justify="right")
        told = [worth for worth in worths if worth.value.low > 0.0 or worth.variance.low > 0.0]
        left_out = [worth for worth in worths if worth not in told] if worths is found.inputs else []
        for worth in worths:
            if worth in left_out:
                continue
            cells = [worth.measurement.name]
            if samples.decides:
                cells.append(f"{worth.value:,.4g}" if worth.value.low > 0.0 else NOISE if worth.gain.any() else "0")
            if costs:
                cells += [f"{worth.measurement.cost:,.10g}", f"{worth.net.value:,.4g}"]
            cells += [_share(worth.variance), f"{worth.deviation:,.4g}"]
            table.add_row(*cells)
        console.print(table)
        if left_out:
            console.print(f"of {len(left_out)} more inputs neither worth nor variance can be told from zero (--json)")
    if said := advice(found):
        console.print(said)
    for worth in (*found.measurements, *found.groups):
        console.print(sentence(worth, found))
    for remark in samples.remarks:
        console.print(remark)


def _share(share: Estimate) -> str:
    return f"{share:.1%}" if share.low > 0.0 else NOISE


def sentence(worth: Worth, found: Worths) -> str:
    """What a measurement narrows, in words."""
    samples = found.samples
    off = "off the variance of the carbon reduction"
    said = f"{worth.measurement.name}: takes {worth.variance:.1%} {off}"
    if not worth.variance.low > 0.0:
        said = f"{worth.measurement.name}: what it takes {off} is {NOISE}"
    if math.isnan(samples.claim):
        return said
    said += f"; P(≥ {samples.claim:,.0f} {samples.output_units}), now {found.probability.value:.2%}, "
    if not worth.certainty.low > 0.0:
        return f"{said}changes by nothing that can be told from zero"
    low, _, high = worth.probability
    return f"{said}is then between {low:.2%} and {high:.2%} in 90 % of cases"


def advice(found: Worths) -> str:
    """Which measurement to buy, in words; empty where none was asked for, or there is nothing to decide by."""
    if not found.measurements or not found.samples.decides:
        return ""
    first, *others = found.measurements
    units = f" {found.samples.units}".rstrip()
    if math.isnan(first.measurement.cost):
        if first.remark:
            return f"worth most: {first.measurement.name}, but {first.remark}"
        return f"worth most: {first.measurement.name}; --cost holds it against what it costs"
    if found.best is None:
        sure = (
            "" if not first.net.high > 0.0 else f", though {first.measurement.name} may be: {first.net:,.4g}{units} net"
        )
        return f"{NONE}{sure}"
    said = f"buy {first.measurement.name}: {first.net:,.4g}{units} more than its cost"
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
