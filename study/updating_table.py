"""What an update made of an ensemble: for people as tables, for a program as JSON."""

import numpy as np
from rich.console import Console
from rich.table import Table

from study.json_text import json_text
from study.printed import number, symbol, told
from study.updating import Update


def print_update(found: Update, console: Console) -> None:
    """Print what an update made for people."""
    weights, error = found.weights, found.error
    for remark in filter(None, (found.unexplained, *found.remarks)):
        console.print(remark)
    worth = f", of which {weights.effective:,.0f} effective (Pareto's k {weights.pareto_k:.2f})"
    console.print(
        f"{found.study.name}: {len(found.readings.day)} days read, {len(found.sample):,} samples"
        f"{'' if found.unexplained else worth}"
    )
    console.print(
        f"driven with {found.readings.driver}; errors: sensor {error.sensor:g} K, model {error.bias:g} K in "
        f"a season, {error.drift:g} K from day to day and {error.daily:g} K on each day"
    )
    if found.unexplained:
        there = np.isfinite(found.readings.outlet)
        low, high = np.quantile(found.predicted["outlet_temperature"][:, there].mean(axis=1), [0.05, 0.95])
        read = found.readings.outlet[there].mean()
        console.print(
            f"outlet, mean of all days: {read:.2f} °C read, {low:.2f} to {high:.2f} °C in 90 % of the samples"
        )
    else:
        _print_tables(found, console)


def _print_tables(found: Update, console: Console) -> None:
    if found.needs_run:
        console.print(
            f"inputs are told with {100 * found.part:.2g} % of the readings' weight, which leaves "
            f"{found.bearable.effective:,.0f} effective samples; the new run tells the rest, and outputs after it"
        )
    table = Table("input", "unit", "before", "after that part" if found.needs_run else "after", "spread")
    for change in found.changes:
        if change.moved:
            ends = (f"{number(m)} ± {number(s, 2)}" for m, s, *_ in (change.prior, change.posterior))
            less = 100 * change.narrower
            spread = f"{abs(less):.0f} % {'narrower' if less >= 0.0 else 'wider'}"
            table.add_row(change.key, symbol(change.unit), *ends, spread)
    if table.row_count:
        console.print(table)
    if still := [change.key for change in found.changes if not change.moved]:
        console.print(f"hardly moved: {', '.join(still)}")
    table = Table("output", "unit", "before (95 % interval)", *([] if found.needs_run else ["after"]))
    for answer in found.answers:
        after = () if found.needs_run else (answer.posterior,)
        texts = (f"{x:.2%}" if answer.units == "1" else told(x, answer.units) for x in (answer.prior, *after))
        table.add_row(answer.words, symbol(answer.units), *texts)
    console.print(table)


def to_json(found: Update) -> str:
    """The update for a program; null where there is no number."""
    return json_text(
        {
            "study": found.study.name,
            "days": len(found.readings.day),
            "driver": found.readings.driver,
            "error": found.error,
            "share": found.share,
            "samples": len(found.samples),
            "failed": len(found.samples) - len(found.sample),
            "effective_samples": found.weights.effective,
            "pareto_k": found.weights.pareto_k,
            "explained": not found.unexplained,
            "why_not": found.unexplained,
            "needs_run": found.needs_run,
            "part": found.part,
            "remarks": found.remarks,
            "inputs": [
                {
                    "key": change.key,
                    "unit": change.unit,
                    "moved": change.moved,
                    "narrower": change.narrower,
                    **{
                        when: dict(zip(("mean", "standard_deviation", "q05", "q95"), numbers, strict=True))
                        for when, numbers in (("prior", change.prior), ("posterior", change.posterior))
                    },
                }
                for change in found.changes
            ],
            "outputs": found.answers,
            "weights": dict(zip(found.sample.tolist(), found.weights.weight.tolist(), strict=True)),
        }
    )
