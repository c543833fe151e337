"""`hotland check`."""

import sys
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from study.cli.screen import WIDTH, plan_line, traces_line, warn

if TYPE_CHECKING:
    from study.config import Study

_LONGEST = 300


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--no-pilot", is_flag=True, help="Compute no sample: tell no times and no intervals.")
def check(config: Path, no_pilot: bool) -> None:
    """Check the study CONFIG, plan its run from a few samples, and print all that it says, defaults included.

    Of a sweep it prints what is swept, and what all designs have alike. Nothing is written.
    """
    from study.config import load_study
    from study.plan import Pilot, describe
    from study.provenance import cores
    from study.simulation import refuse_hopeless

    study = load_study(config)
    refuse_hopeless(study)
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False)
    console.print(f"{config} is valid; {plan_line(study)}, seed {study.seed}, {study.design}{traces_line(study)}")
    warn(study, console)
    if not no_pilot:
        click.echo("computing a few samples (half a minute where the kernels are not compiled yet) ...", err=True)
        for line in describe(study, Pilot.of(study), cores=cores()):
            console.print(line)
    table = Table(box=None, pad_edge=False)
    table.add_column("key", no_wrap=True)
    table.add_column("value")
    table.add_column("source")
    for key, text, source in _rows(study, config):
        table.add_row(key, text if len(text) <= _LONGEST else f"{text[:60]}... ({len(text):,} characters)", source)
    console.print(table)


def _rows(study: "Study", config: Path) -> Iterator[tuple[str, str, str]]:
    """Each key of a study, what it says, and where that comes from; of a sweep first what is swept."""
    from study.config import defaulted, full_key
    from study.sweep import SweptStudy, first_as_given

    designs: tuple[Study, ...] = (study,)
    swept, given = list[str](), study
    if isinstance(study, SweptStudy):
        designs, swept, given = study.studies, [full_key(axis.key) for axis in study.sweep], first_as_given(config)
        for axis, key in zip(study.sweep, swept, strict=True):
            yield key, _listed(axis.labels), "swept"
    left, said = defaulted(given), [_said(each) for each in designs]
    for key in dict.fromkeys(key for each in said for key in each):
        there = [each[key] for each in said if key in each]
        texts, alike = dict.fromkeys(text for text, _ in there), len({*there}) == 1 and len(there) == len(said)
        if any(_within(key, each) for each in swept) and not (alike and key not in swept):
            continue
        source = there[0][1] or ("default" if any(_within(key, each) for each in left) else "")
        yield key, _listed(texts), source if alike else "by design"


def _said(study: "Study") -> dict[str, tuple[str, str]]:
    """What a study of one design says and its source, by key: inputs last, in the schema's order."""
    from study.config import flatten, without_sources

    plain = flatten(without_sources(study.resolved()))
    found = {key: (str(value), "") for key, value in plain.items() if not any(_within(key, i) for i in study.inputs)}
    return found | {key: (item.text, item.source or "") for key, item in study.inputs.items()}


def _listed(texts: Collection[str]) -> str:
    return ("; " if any("," in text for text in texts) else ", ").join(texts)


def _within(key: str, section: str) -> bool:
    return key == section or key.startswith(f"{section}.")
