"""`hotland account`."""

from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory

import click
from rich.console import Console

from study.cli.screen import WIDTH, at_option, screen, share_of
from study.errors import OptionError


@click.command()
@click.argument("store")
@click.option("--baseline", help="The supply that is replaced: coal_boiler, gas_boiler, ...; its figures come with it.")
@click.option("--electricity", help="How electricity counts: location, market or hourly.")
@click.option(
    "--accounts",
    type=click.Path(path_type=Path),
    help="A YAML file with sections carbon, park, shallow_field, economics or claim of a study, to go before its own.",
)
@click.option("--output", help="Keep the ensemble with the other account: a folder, s3://..., gs://... or az://...")
@click.option("--every", is_flag=True, help="Tell what every built-in baseline makes of the ensemble.")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@click.option(
    "--most-failed", default="1%", show_default=True, metavar="SHARE", help="Share of samples that may have failed."
)
@at_option
@click.option("--take-over", is_flag=True, help="As of run, for --output.")
@click.option("--quiet", is_flag=True, help="Tell no progress.")
def account(
    store: str,
    baseline: str | None,
    electricity: str | None,
    accounts: Path | None,
    output: str | None,
    every: bool,
    as_json: bool,
    most_failed: str,
    at: tuple[str, ...],
    take_over: bool,
    quiet: bool,
) -> None:
    """Print the accounts of the ensemble STORE, of carbon and of money, its own or others, without running it again."""
    from study.ensemble import open_ensemble, reading
    from study.ledgers import every_account, ledgers
    from study.reaccounting import reaccount
    from study.storage import Storage
    from study.summary import carbon_lines, print_table, to_json
    from study.sweep import one_design

    most = share_of("--most-failed", most_failed)
    changed = baseline is not None or electricity is not None or accounts is not None
    if output is not None and not changed:
        raise OptionError("--output: allowed: with another account, --baseline, --electricity or --accounts")
    with ExitStack() as stack:
        say = stack.enter_context(screen(quiet=quiet, as_json=as_json))
        if changed:
            place = output or f"{stack.enter_context(TemporaryDirectory(prefix='hotland-'))}/account.zarr"
            with say.watching() as watch:
                store = reaccount(
                    store,
                    place,
                    baseline=baseline,
                    electricity=electricity,
                    accounts=accounts,
                    take_over=take_over,
                    say=say.print,
                    watch=watch,
                ).address
        dataset = open_ensemble(store)
        with reading(Storage.at(store)):
            dataset = one_design(dataset, at, store=store)
            lines = carbon_lines(dataset, most_failed=most)
            lines += ledgers(dataset, most_failed=most)
            lines += every_account(dataset, most_failed=most) if every else []
            if as_json:
                click.echo(to_json(dataset, lines))
            else:
                console = Console(width=WIDTH, highlight=False, markup=False)
                console.print(f"account: {dataset.attrs['accounting']}")
                print_table(dataset, lines, console)
        if output is not None:
            say.print(f"{store}: kept")
