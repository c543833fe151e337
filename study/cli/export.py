"""`hotland export`."""

from pathlib import Path

import click

from study.cli.screen import at_option


@click.command()
@click.argument("store")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The file: NAME.nc or NAME.parquet.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
@at_option
def export(store: str, output: Path, overwrite: bool, at: tuple[str, ...]) -> None:
    """Write the ensemble STORE to one file for other programs: NetCDF-4, or a table in Parquet."""
    from study.exporting import export

    export(store, output, overwrite=overwrite, at=at)
    click.echo(f"{output}: {output.stat().st_size / 1e6:,.1f} MB")
