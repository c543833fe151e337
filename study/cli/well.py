"""`hotland well`."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from study.cli.screen import output_file
from study.errors import OptionError


@click.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="A file to write, .json or .nc.")
def well(case: Path, output: Path | None) -> None:
    """Compute one well, CASE, without uncertainty: temperatures and heat over time."""
    if output is not None and output.suffix not in (".json", ".nc"):
        raise OptionError(f"--output {output}: allowed: a file named .json or .nc")
    from study.config import ConfigError, load_well_case
    from study.well import flow_remarks, run_well_case, write_well

    loaded = load_well_case(case)
    try:
        dataset = run_well_case(loaded)
    except ConfigError as error:
        raise ConfigError(f"{case}: {error}") from error
    for remark in flow_remarks(loaded):
        click.echo(f"warning: {remark}", err=True)
    if output is not None:
        with output_file(output, option="--output") as aside:
            write_well(dataset, aside)
        return
    table = Table(box=None, pad_edge=False)
    for title in ("time (d)", "inlet (°C)", "outlet (°C)", "heat rate (kW)"):
        table.add_column(title, justify="right")
    for row in zip(
        *(dataset[name].values for name in ("time", "inlet_temperature", "outlet_temperature", "heat_rate")),
        strict=True,
    ):
        table.add_row(f"{row[0]:g}", *(f"{value:.3f}" for value in row[1:]))
    Console().print(table)
