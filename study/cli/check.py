"""`hotland check`."""

import sys
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from study.cli.screen import WIDTH, plan_line, traces_line, warn


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--no-pilot", is_flag=True, help="Compute no sample: tell no times and no intervals.")
def check(config: Path, no_pilot: bool) -> None:
    """Check the study CONFIG, plan its run from a few samples, and print all that it says, defaults included.

    Nothing is written.
    """
    from study.config import defaulted, flatten, load_study, without_sources
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
    inputs = tuple(study.inputs)
    table = Table(box=None, pad_edge=False)
    table.add_column("key", no_wrap=True)
    table.add_column("value")
    table.add_column("source")
    left = defaulted(study)

    def origin(key: str) -> str:
        return "default" if any(key == each or key.startswith(f"{each}.") for each in left) else ""

    for key, value in flatten(without_sources(study.resolved())).items():
        if not key.startswith(inputs):
            text = str(value)
            table.add_row(key, text if len(text) <= 300 else f"{text[:60]}... ({len(text):,} characters)", origin(key))
    for key, item in study.inputs.items():
        table.add_row(key, item.text, item.source or origin(key))
    console.print(table)
