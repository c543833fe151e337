"""`hotland migrate`."""

import click


@click.command()
@click.argument("store")
def migrate(store: str) -> None:
    """Bring the ensemble STORE, made by an older hotland, to the present format, with every row it has."""
    from study.migrations import migrate as bring_up_to_date

    click.echo(bring_up_to_date(store))
