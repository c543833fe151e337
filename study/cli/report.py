"""`hotland report`."""

import re
from pathlib import Path

import click

from study.cli.screen import at_option, output_file, share_of
from study.errors import OptionError


@click.command()
@click.argument("store")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The file, .html.  [default: beside the store; in the present folder for one in an object store]",
)
@click.option(
    "--most-failed", default="1%", show_default=True, metavar="SHARE", help="Share of samples that may have failed."
)
@at_option
def report(store: str, output: Path | None, most_failed: str, at: tuple[str, ...]) -> None:
    """Write a report of the ensemble STORE: one HTML file with the answer, pictures, accounts and sources."""
    from study import report as reports
    from study.storage import Storage

    most, storage = share_of("--most-failed", most_failed), Storage.at(store)
    if output is None:
        stem = storage.address.rpartition("/")[2].removesuffix(".zarr")
        name = "-".join([stem, *(re.sub(r"[^A-Za-z0-9.]+", "-", each) for each in at)]) + ".html"
        output = storage.path.with_name(name) if storage.path else Path(name)
    elif output.suffix not in (".html", ".htm"):
        raise OptionError(f"--output {output}: allowed: a file named .html")
    page = reports.report(store, most_failed=most, at=at)
    with output_file(output, option="--output") as aside:
        aside.write_text(page, encoding="utf-8")
    click.echo(f"wrote {output}, {output.stat().st_size / 1e6:.1f} MB")
