"""`hotland info`."""

import click


@click.command()
@click.argument("store")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def info(store: str, as_json: bool) -> None:
    """Print where the ensemble STORE comes from: study, code, machines, runs, what was tried again, what failed."""
    import json

    from study.information import describe, information

    found = information(store)
    if as_json:
        click.echo(json.dumps(found, indent=2))
    else:
        for line in describe(found):
            click.echo(line)
