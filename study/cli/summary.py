"""`hotland summary`."""

from typing import TYPE_CHECKING

import click

from study.cli.screen import at_option, print_summary, share_of

if TYPE_CHECKING:
    from study.summary import Over


@click.command()
@click.argument("store")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@click.option(
    "--over",
    type=click.Choice(["both", "samples", "winters"]),
    default="both",
    show_default=True,
    help="What to tell: what we do not know (samples), chance (winters), or both together.",
)
@click.option(
    "--most-failed", default="1%", show_default=True, metavar="SHARE", help="Share of samples that may have failed."
)
@at_option
def summary(store: str, as_json: bool, over: "Over", most_failed: str, at: tuple[str, ...]) -> None:
    """Print the distributions of the ensemble STORE, with confidence intervals."""
    from study.ensemble import open_ensemble, reading
    from study.storage import Storage
    from study.sweep import one_design

    most = share_of("--most-failed", most_failed)
    dataset = open_ensemble(store)
    with reading(Storage.at(store)):
        dataset = one_design(dataset, at, store=store) if at else dataset
        print_summary(dataset, as_json=as_json, over=over, most_failed=most)
