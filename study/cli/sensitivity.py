"""`hotland sensitivity`."""

import click
from rich.console import Console

from study.cli.screen import WIDTH, at_option, refuse_files, running, screen, share_of


class Winter(click.ParamType):
    """The number of a winter, mean or each."""

    name = "winter"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> str | int:
        if isinstance(value, int) or value in ("mean", "each"):
            return value
        if not (value.isascii() and value.isdigit()):
            self.fail(f"{value!r}; allowed: the number of a winter, mean or each", param, ctx)
        return int(value[:9])


@click.command()
@click.argument("store")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@click.option("--output", "outputs", multiple=True, metavar="VARIABLE", help="To explain, no file; may be repeated.")
@click.option("--winter", type=Winter(), default="mean", show_default=True, help="Number of a winter, mean or each.")
@click.option(
    "--extend", type=int, metavar="ROWS", help="First compute more rows, to extend so many of the ensemble's."
)
@click.option(
    "--most-failed", default="1%", show_default=True, metavar="SHARE", help="Share of samples that may have failed."
)
@at_option
@click.option("--address", help="As of run, for --extend.")
@click.option("--take-over", is_flag=True, help="As of run, for --extend.")
@click.option("--quiet", is_flag=True, help="Tell no progress of --extend.")
def sensitivity(
    store: str,
    as_json: bool,
    outputs: tuple[str, ...],
    winter: int | str,
    extend: int | None,
    most_failed: str,
    at: tuple[str, ...],
    address: str | None,
    take_over: bool,
    quiet: bool,
) -> None:
    """Print what drives the spread of the ensemble STORE: Sobol' indices, with confidence intervals."""
    from study.drivers import print_tables, refuse_unknown, to_json, what_drives

    most = share_of("--most-failed", most_failed)
    refuse_files(outputs, instead="numbers go to standard output with --json")
    refuse_unknown(store, outputs, winter, at)
    if extend is not None:
        _extend(store, extend, address=address, take_over=take_over, quiet=quiet, as_json=as_json)
    answer = what_drives(store, outputs, winter=winter, most_failed=most, at=at)
    if as_json:
        click.echo(to_json(answer))
    else:
        print_tables(answer, Console(width=WIDTH, highlight=False, markup=False))


def _extend(
    store: str, base: int, *, address: str | None, take_over: bool, quiet: bool = False, as_json: bool = False
) -> None:
    """Compute the rows that extend an ensemble, or what is left of them."""
    from study import engine
    from study.pick_freeze import extended_study, store_of
    from study.storage import Storage

    mixed = extended_study(store, base=base)
    beside = Storage.at(store_of(Storage.at(store).address))
    with screen(quiet=quiet, as_json=as_json) as say:
        say.print(f"{base:,} samples, each with {mixed.matrices} more rows of {mixed.winters} winters")
        with running(beside, say) as watch:
            engine.execute(mixed, beside, address=address, take_over=take_over, say=say.print, watch=watch)
