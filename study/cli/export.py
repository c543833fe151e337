"""`hotland export`."""

from pathlib import Path

import click


@click.command()
@click.argument("store")
@click.option("--output", required=True, type=click.Path(path_type=Path), help="The file: NAME.nc or NAME.parquet.")
@click.option("--overwrite", is_flag=True, help="Replace a file that is there.")
def export(store: str, output: Path, overwrite: bool) -> None:
    """Write the ensemble STORE to one file for other programs: NetCDF-4, or a table in Parquet."""
    from study.exporting import export

    export(store, output, overwrite=overwrite)
    click.echo(f"{output}: {output.stat().st_size / 1e6:,.1f} MB")
