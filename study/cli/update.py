"""`hotland update`."""

from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from study.cli.screen import WIDTH, at_option, refuse_no_picture, save_picture
from study.errors import OptionError


class Kelvin(click.ParamType):
    """A standard deviation of temperatures, K."""

    name = "kelvin"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from study.quantity import Quantity

        if isinstance(value, float):
            return value
        try:
            return Quantity("K", gt=0, le=100).parse(value)
        except ValueError as error:
            self.fail(f"{value!r}: {error}", param, ctx)


@click.command()
@click.argument("store")
@click.option("--observed", required=True, type=click.Path(path_type=Path), help="Readings by day, a CSV file.")
@click.option("--error", "sensor", type=Kelvin(), help="Of a sensor, standard deviation: 0.1 K unless given.")
@click.option("--bias", type=Kelvin(), help="Of the model in a whole season: 0.3 K unless given.")
@click.option("--drift", type=Kelvin(), help="Of the model from day to day, over some ten days: 0.2 K unless given.")
@click.option("--daily", type=Kelvin(), help="Of the model on each day by itself: 0.15 K unless given.")
@click.option(
    "--share",
    type=click.FloatRange(0.0, 1.0, min_open=True),
    default=1.0,
    help="Of the readings' weight: what an earlier update says is left of them.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write the study with the updated inputs: a YAML file.")
@click.option("--picture", type=click.Path(path_type=Path), help="Draw inputs and readings, before and after.")
@at_option
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def update(
    store: str,
    observed: Path,
    sensor: float | None,
    bias: float | None,
    drift: float | None,
    daily: float | None,
    share: float,
    output: Path | None,
    picture: Path | None,
    at: tuple[str, ...],
    as_json: bool,
) -> None:
    """Learn from operation: weigh the samples of the ensemble STORE by daily readings of its wells."""
    from study.config import study_of
    from study.ensemble import open_ensemble, reading
    from study.readings import read_readings
    from study.storage import Storage
    from study.sweep import one_design
    from study.updating import ReadingError, to_json, updated_study, write_study
    from study.updating import update as learn

    if output is not None and output.suffix not in (".yaml", ".yml"):
        raise OptionError(f"--output: {str(output)!r}; allowed: the name of a YAML file, ending in .yaml")
    refuse_no_picture(picture)
    errors = {"sensor": sensor, "bias": bias, "drift": drift, "daily": daily}
    given = {name: value for name, value in errors.items() if value is not None}
    dataset = open_ensemble(store)
    with reading(Storage.at(store)):
        dataset = one_design(dataset, at, store=store)
        readings = read_readings(observed, study_of(dataset.attrs))
        found = learn(dataset, readings, error=ReadingError(**given), share=share)
    if as_json:
        click.echo(to_json(found))
    else:
        _print(found, Console(width=WIDTH, highlight=False, markup=False))
    if picture is not None:
        _draw(found, picture)
    if output is not None:
        following, said = updated_study(found)
        write_study(following, output)
        for line in said:
            click.echo(line, err=True)
        click.echo(f"next: hotland run {output} (the store will be ensembles/{following.name}.zarr)", err=True)


def _print(found, console: Console) -> None:  # type: ignore[no-untyped-def]
    from study.updating import text_of

    weights, error, remarks = found.weights, found.error, list(found.remarks)
    if found.needs_run:
        console.print(remarks.pop(0))
    console.print(
        f"{found.study.name}: {len(found.readings.day)} days read, {len(found.sample):,} samples, of which "
        f"{weights.effective:,.0f} effective (Pareto's k {weights.pareto_k:.2f})"
    )
    console.print(
        f"driven with {found.readings.driver}; errors: sensor {error.sensor:g} K, model {error.bias:g} K in "
        f"a season, {error.drift:g} K from day to day and {error.daily:g} K on each day"
    )
    table = Table("input", "unit", "before", "after", "narrower by")
    for change in found.changes:
        if change.moved:
            before, after = (f"{m:.4g} ± {s:.2g}" for m, s, *_ in (change.prior, change.posterior))
            table.add_row(change.key, change.unit, before, after, f"{100 * change.narrower:.0f} %")
    if table.row_count:
        console.print(table)
    if still := [change.key for change in found.changes if not change.moved]:
        console.print(f"hardly moved: {', '.join(still)}")
    table = Table("output", "before (95 % interval)", "after")
    for answer in found.answers:
        table.add_row(answer.words, text_of(answer.prior, answer.units), text_of(answer.posterior, answer.units))
    console.print(table)
    for remark in remarks:
        console.print(remark)


def _draw(found, picture: Path) -> None:  # type: ignore[no-untyped-def]
    from matplotlib.figure import Figure

    from study.figures.operation import learned

    figure = Figure(figsize=(10, 7), layout="constrained")
    learned(found, figure)
    save_picture(figure, picture)
