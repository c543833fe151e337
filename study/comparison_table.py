"""The answer of a comparison: for people in lines, for a program as JSON."""

from rich.console import Console
from rich.table import Table

from study.comparison import Comparison
from study.contrasts import CLAIM, Compared
from study.intervals import CONFIDENCE, Estimate
from study.json_text import json_text
from study.limits import SHARES
from study.printed import symbol
from study.summary import Line, print_lines

MOST_DIFFERENCES = 20
"""Keys in which the studies differ that are told one by one to a person."""

_INDEPENDENT = "of two draws, each of its own ground and winters, and not of one site with either design"
RESAMPLED = "sampling error itself, so it has no interval: near 0 or 100 % more samples would not move the front"


def lines(comparison: Comparison) -> list[Line]:
    """The answer in lines."""
    found = []
    for each in (*comparison.outputs, *([comparison.claim] if comparison.claim else []), comparison.worst):
        found += _lines_of(each)
    if comparison.regrets:
        section = f"Regret: {comparison.utility} short of the best design's, sample by sample"
        units = _units(comparison.utility, comparison)
        for one in comparison.regrets:
            found.append(Line("", section, f"{one.design}: mean", units, one.mean))
            found.append(Line("", section, f"{one.design}: 95 % quantile", units, one.q95))
            found.append(Line("", section, f"{one.design}: no other better, share of samples", "%", one.best))
    names = " and ".join(f"{end} {name}" for name, end in comparison.front.objectives.items())
    section = f"Pareto front: {names}"
    for design in comparison.front.designs:
        words = f"{design.design}: {'on the front' if design.on_front else 'beaten'}; on it in resampled replicates"
        found.append(Line("", section, words, "%", Estimate(design.sampling, remark=RESAMPLED)))
        if design.not_known is not None:
            found.append(Line("", section, f"{design.design}: on the front, share of samples", "%", design.not_known))
    return found


def _lines_of(each: Compared) -> list[Line]:
    units = "%" if each.variable in (*SHARES, CLAIM) else symbol(each.units)
    section = f"{each.words}"
    found = [
        Line("", section, f"{name}: mean" if each.variable != CLAIM else name, units, v)
        for name, v in each.values.items()
    ]
    more, less = ("better", "worse") if each.better else ("higher", "lower")
    for one in each.contrasts:
        pairs = f"{one.design} less {one.less}"
        found.append(Line("", section, pairs, "% points" if units == "%" else units, one.difference))
        for words, estimate_ in (
            (f"{one.design} {more} than {one.less}, share of samples", one.better),
            (f"{one.design} {less} than {one.less}, share of samples", one.worse),
            (f"{one.design} {more}, share of single winters", one.better_winter),
            (f"{one.design} {less}, share of single winters", one.worse_winter),
        ):
            if estimate_ is not None:
                found.append(Line("", section, words, "%", estimate_))
        if one.times_fewer is not None:
            words = f"{pairs}: times fewer samples by pairing"
            found.append(Line("", section, words, "", one.times_fewer))
    return found


def _units(variable: str, comparison: Comparison) -> str:
    if variable in SHARES:
        return "%"
    first = next(iter(comparison.pairing.datasets.values()))
    return symbol(str(first[variable].attrs.get("units", "")))


def print_comparison(comparison: Comparison, console: Console) -> None:
    """Print the answer for people."""
    pairing = comparison.pairing
    first, *others = pairing.datasets
    console.print(f"{', '.join(others)} against {first}, {pairing.winters} winters of each sample")
    if pairing.paired:
        count, failed = pairing.samples[first], pairing.failed[first]
        console.print(
            f"paired: {count:,} samples on common random numbers{f', {failed:,} of them failed' * (failed > 0)}"
        )
        console.print("\n".join(f"  in common: {words}" for words in pairing.common))
    else:
        console.print("not paired, compared as independent samples:")
        console.print("\n".join(f"  {words}" for words in pairing.why_not))
        for name, count in pairing.samples.items():
            failed = pairing.failed[name]
            console.print(f"  {name}: {count:,} samples{f', {failed:,} of them failed' * (failed > 0)}")
    console.print()
    if pairing.differences:
        table = Table(box=None, pad_edge=False)
        for name in ("the studies differ in", *pairing.datasets):
            table.add_column(name, overflow="fold")
        for each in pairing.differences[:MOST_DIFFERENCES]:
            table.add_row(each.key, *(_brief(each.values[name]) for name in pairing.datasets))
        console.print(table)
        if (more := len(pairing.differences) - MOST_DIFFERENCES) > 0:
            console.print(f"and {more} more keys")
    else:
        console.print("the studies are alike")
    print_lines(lines(comparison), console, failed=sum(pairing.failed.values()))
    if not pairing.paired:
        console.print(f"Shares of samples are {_INDEPENDENT}; there is no regret, nor a front sample by sample.")


def _brief(value: object) -> str:
    text = "not given" if value is None else str(value)
    return text if len(text) <= 40 else f"{text[:37]}..."


def to_json(comparison: Comparison) -> str:
    """The answer for a program; null where there is no number."""
    pairing = comparison.pairing
    return json_text(
        {
            "designs": list(pairing.datasets),
            "paired": pairing.paired,
            "why_not": pairing.why_not,
            "common": pairing.common,
            "differences": pairing.differences,
            "samples": pairing.samples,
            "failed": pairing.failed,
            "winters": pairing.winters,
            "confidence": CONFIDENCE,
            "outputs": comparison.outputs,
            "claim": comparison.claim,
            "worst": comparison.worst,
            "utility": comparison.utility,
            "regrets": comparison.regrets,
            "front": comparison.front,
        }
    )
