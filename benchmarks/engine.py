"""hotland's engine measured: `python benchmarks/engine.py efficiency`, `million`, `thousand` or `block`.

`--markdown FILE` replaces the section of that measurement in a page, or adds it.
"""

import argparse
import os
import re
import sys
from pathlib import Path

sys.path.insert(1, str(Path(__file__).parents[1]))
import engine_block
import engine_efficiency
import engine_million
import engine_thousand
from rich.console import Console
from rich.table import Table

from study.config import load_study
from study.plan import seconds_per_sample
from study.provenance import machine, packages

STUDY = Path(__file__).parents[1] / "configs" / "shenyang.yaml"
Rows = list[tuple[str, ...]]


def efficiency(asked: argparse.Namespace) -> tuple[str, Rows]:
    """Parallel efficiency."""
    found = engine_efficiency.measure(
        load_study(STUDY), blocks=asked.blocks, block_size=asked.block_size, turns=asked.turns, folder=asked.folder
    )
    header = ("", "s", "efficiency", "range", "start-up counted", "start-up, s")
    loads = f"{min(found.load):.1f} to {max(found.load):.1f}"
    caption = f"{asked.blocks} blocks of {asked.block_size} samples, medians of {asked.turns} turns; load {loads}"
    return caption, [header, *engine_efficiency.rows(found)]


def million(asked: argparse.Namespace) -> tuple[str, Rows]:
    """A long run."""
    study = engine_million.short_season(load_study(STUDY), samples=asked.samples, days=asked.days)
    whole = seconds_per_sample(load_study(STUDY))
    engine_million.run_watched(study, asked.folder, block_size=asked.block_size)
    if asked.picture:
        engine_million.draw(asked.folder, asked.picture)
    found = engine_million.evaluate(study, asked.folder)
    return f"{study.winters} winters of {study.season.days} days", [("", ""), *engine_million.rows(found, whole)]


def thousand(asked: argparse.Namespace) -> tuple[str, Rows]:
    """A simulated large cluster."""
    found = engine_thousand.measure(
        load_study(STUDY),
        way=asked.way,
        cores=asked.cores,
        blocks=asked.blocks,
        sleep=asked.sleep,
        processes=asked.processes,
    )
    return f"blocks of {asked.sleep:g} s on {asked.cores:,} cores", [("", ""), *engine_thousand.rows(found)]


def block(asked: argparse.Namespace) -> tuple[str, Rows]:
    """Where a block's time goes."""
    study = load_study(STUDY)
    starts = [0, 1_000_000 // asked.block_size * asked.block_size]
    engine_block.parts_of_block(study.model_copy(update={"winters": 1}), start=0, rows=64)  # compiles
    turns = [
        [
            engine_block.parts_of_block(study, start=start, rows=asked.block_size, folder=asked.folder)
            for start in starts
        ]
        for _ in range(asked.turns)
    ]
    found = [list(each) for each in zip(*turns, strict=True)]
    header = ("", *(text for start in starts for text in (f"from row {start:,}, ms", "share")))
    return f"{asked.block_size} samples, medians of {asked.turns} turns", [header, *engine_block.rows(found)]


MEASUREMENTS = {
    "efficiency": (efficiency, "Parallel efficiency"),
    "million": (million, "A million samples"),
    "thousand": (thousand, "A thousand cores that sleep"),
    "block": (block, "Where the time of a block goes"),
}


def arguments() -> argparse.ArgumentParser:
    """What can be asked for."""
    parser = argparse.ArgumentParser(description="hotland's engine measured.")
    commands = parser.add_subparsers(dest="measurement", required=True)
    for name, (function, title) in MEASUREMENTS.items():
        command = commands.add_parser(name, help=title.lower())
        command.set_defaults(function=function, title=title)
        command.add_argument("--markdown", type=Path, metavar="FILE", help="a page whose section is replaced")
        command.add_argument("--folder", type=Path, help="where stores are made", required=name == "million")
        if name in ("efficiency", "block"):
            command.add_argument("--block-size", type=int, default=512)
            command.add_argument("--turns", type=int, default=5)
        if name == "efficiency":
            command.add_argument("--blocks", type=int, default=8)
        if name == "million":
            command.add_argument("--samples", type=int, default=1_000_000)
            command.add_argument("--days", type=int, default=7, help="of a heating season")
            command.add_argument("--block-size", type=int, default=None)
            command.add_argument("--picture", type=Path, help="memory over time")
        if name == "thousand":
            command.add_argument("--way", choices=("actors", "tasks"), default="actors")
            command.add_argument("--cores", type=int, default=1000)
            command.add_argument("--blocks", type=int, default=10_000)
            command.add_argument("--sleep", type=float, default=20.0, help="of a block, s")
            command.add_argument("--processes", type=int, default=engine_thousand.PROCESSES, help="for tasks")
    return parser


def markdown(rows: Rows) -> str:
    """A table in Markdown, all columns but the first flushed right."""
    rule = (":--", *("--:" for _ in rows[0][1:]))
    return "\n".join(f"| {' | '.join(row)} |" for row in (rows[0], rule, *rows[1:]))


def with_section(page: str, title: str, text: str) -> str:
    """A page with a section replaced, or added at its end."""
    section = f"## {title}\n\n{text}\n"
    parts = re.split(r"^(?=## )", page, flags=re.MULTILINE)
    if not any(part.startswith(f"## {title}\n") for part in parts):
        return f"{page.rstrip()}\n\n{section}"
    return "".join(
        (section if part is parts[-1] else f"{section}\n") if part.startswith(f"## {title}\n") else part
        for part in parts
    )


def main() -> None:
    """Measure, and print the table."""
    asked = arguments().parse_args()
    caption, rows = asked.function(asked)
    about = f"{machine()['processor']}, {os.cpu_count()} cores; Ray {packages()['ray']}, Python {machine()['python']}"
    table = Table(title=f"{asked.title}: {caption}")
    for number, name in enumerate(rows[0]):
        table.add_column(name, justify="right" if number else "left")
    for row in rows[1:]:
        table.add_row(*row)
    console = Console(width=140)
    console.print(about)
    console.print(table)
    if asked.markdown:
        page = asked.markdown.read_text() if asked.markdown.exists() else "# Benchmarks of the engine\n"
        text = f"{asked.title}: {caption}.\n\n{markdown(rows)}\n\nOn {about}."
        asked.markdown.write_text(with_section(page, asked.title, text))


if __name__ == "__main__":
    main()
