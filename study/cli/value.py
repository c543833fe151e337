"""`hotland value`."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from study.cli.screen import WIDTH, at_option


@click.command()
@click.argument("stores", nargs=-1, required=True, metavar="STORE [STORE ...]")
@click.option("--utility", metavar="VARIABLE", help="What to decide by: a variable, or claim:REWARD/PENALTY.")
@click.option(
    "--measure", "measures", multiple=True, help="Such as 'rock.conductivity +-0.1 W/m/K', a standard deviation."
)
@click.option("--cost", "costs", multiple=True, type=float, help="Of each --measure in turn, in the utility's units.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw what narrows the answer most.")
@at_option
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def value(
    stores: tuple[str, ...],
    utility: str | None,
    measures: tuple[str, ...],
    costs: tuple[float, ...],
    picture: Path | None,
    at: tuple[str, ...],
    as_json: bool,
) -> None:
    """Print what a measurement would be worth before building the design of the ensemble STORE, or choosing one."""
    from study.config import study_of
    from study.ensemble import open_ensemble, reading
    from study.storage import Storage
    from study.sweep import each_design
    from study.value import parse_measurement, samples_of, to_json, values_of

    if costs and len(costs) != len(measures):
        raise click.UsageError(
            f"--cost: {len(costs)} given; allowed: none, or one for each of {len(measures)} --measure"
        )
    datasets = {}
    for store in stores:
        dataset = open_ensemble(store)
        name = study_of(dataset.attrs).name
        datasets[store if name in datasets else name] = dataset
    if len(datasets) < len(stores):
        raise click.UsageError("the same store is there twice; allowed: each once")
    with reading(Storage.at(stores[0])):
        datasets = each_design(datasets, at)
        samples = samples_of(datasets, utility=utility)
        try:
            asked = [
                parse_measurement(text, samples.study, cost=cost)
                for text, cost in zip(measures, costs or [float("nan")] * len(measures), strict=True)
            ]
        except ValueError as error:
            raise click.UsageError(f"--measure: {error}") from error
    found = values_of(samples, asked)
    if as_json:
        click.echo(to_json(found))
    else:
        _print(found, Console(width=WIDTH, highlight=False, markup=False))
    if picture is not None:
        from matplotlib.figure import Figure

        from study.figures.measurement import narrowing

        figure = Figure(figsize=(9, 6), layout="constrained")
        narrowing(found, figure.subplots())
        figure.savefig(picture, dpi=150)


def _print(found, console: Console) -> None:  # type: ignore[no-untyped-def]
    from math import isfinite, isnan

    from study.updating import text_of

    samples = found.samples
    for option, mean in zip(samples.options, found.utilities, strict=False):
        console.print(f"{option}: mean utility {text_of(mean, samples.units)}")
    if samples.decides:
        console.print(f"best now: {samples.options[samples.best]}")
        console.print(f"knowing everything, chance included: worth {text_of(found.perfect, samples.units)}")
    else:
        console.print("no utility to decide by (--utility): what a measurement narrows, but not what it is worth")
    console.print(f"{samples.words}: standard deviation {samples.output.std():,.4g} {samples.output_units}")
    if claimed := not isnan(samples.claim):
        console.print(
            f"probability of {samples.claim:,.0f} {samples.output_units} or more: {text_of(found.probability, '1')}"
        )
    for title, worths in (
        ("measurement", found.measurements),
        ("group, known perfectly", found.groups),
        ("input, known perfectly", found.inputs),
    ):
        if not worths:
            continue
        costs = any(isfinite(worth.measurement.cost) for worth in worths)
        table = Table(title, "variance taken away (95 % interval)", "deviation after")
        if claimed:
            table.add_column("probability after, 90 % of cases")
        if samples.decides:
            table.add_column(f"worth ({samples.units})" if samples.units else "worth")
        if costs:
            table.add_column("less cost")
        for worth in worths:
            cells = [worth.measurement.name, _share(worth.variance), f"{worth.deviation:,.4g}"]
            if claimed:
                low, _, high = worth.probability
                told = worth.certainty.low > 0.0
                cells.append(f"{100 * low:.2g} to {100 * high:.2g} %" if told else "as before")
            if samples.decides:
                cells.append(worth.remark or text_of(worth.value, ""))
            if costs:
                cells.append(f"{worth.net:,.4g}")
            table.add_row(*cells)
        console.print(table)
    for remark in samples.remarks:
        console.print(remark)


def _share(share) -> str:  # type: ignore[no-untyped-def]
    from study.updating import text_of

    return text_of(share, "1") if share.low > 0.0 or share.value > 0.02 else "not distinguishable from zero"
