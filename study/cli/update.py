"""`hotland update`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from study.cli.screen import WIDTH, at_option, output_file, refuse_no_picture, save_picture, share_of
from study.errors import OptionError

if TYPE_CHECKING:
    from study.updating import Update


class Kelvin(click.ParamType):
    """A standard deviation of temperatures, K."""

    name = "kelvin"

    def convert(self, value: str | float, param: click.Parameter | None, ctx: click.Context | None) -> float:
        from study.quantity import Quantity

        if isinstance(value, float):
            return value
        try:
            return Quantity("K", ge=0.001, le=100).parse(value)
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
    default="1",
    metavar="SHARE",
    help="Of the readings' weight: what an earlier update says is left of them.",
)
@click.option("--output", type=click.Path(path_type=Path), help="Write the study with the updated inputs: a YAML file.")
@click.option("--overwrite", is_flag=True, help="Replace a file of --output that is there.")
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
    share: str,
    output: Path | None,
    overwrite: bool,
    picture: Path | None,
    at: tuple[str, ...],
    as_json: bool,
) -> None:
    """Learn from operation: weigh the samples of the ensemble STORE by daily readings of its wells.

    Where no sample explains the readings nothing is learnt, no file is written, and the exit status is 1.
    """
    from study.config import study_of
    from study.ensemble import open_ensemble, reading
    from study.readings import read_readings
    from study.storage import Storage
    from study.sweep import one_design
    from study.updated_study import updated_study, write_study
    from study.updating import ReadingError
    from study.updating import update as learn
    from study.updating_table import print_update, to_json

    if output is not None and output.suffix not in (".yaml", ".yml"):
        raise OptionError(f"--output: {str(output)!r}; allowed: the name of a YAML file, ending in .yaml")
    if output is not None and output.exists() and not overwrite:
        raise OptionError(f"--output: {output} exists; --overwrite replaces it")
    refuse_no_picture(picture)
    if not (left := share_of("--share", share)):
        raise OptionError(f"--share {share!r}: allowed: above 0")
    errors = {"sensor": sensor, "bias": bias, "drift": drift, "daily": daily}
    given = {name: value for name, value in errors.items() if value is not None}
    dataset = open_ensemble(store)
    with reading(Storage.at(store)):
        dataset = one_design(dataset, at, store=store)
        readings = read_readings(observed, study_of(dataset.attrs))
        found = learn(dataset, readings, error=ReadingError(**given), share=left)
    if as_json:
        click.echo(to_json(found))
    else:
        print_update(found, Console(width=WIDTH, highlight=False, markup=False))
    if found.unexplained:
        if files := [str(each) for each in (picture, output) if each is not None]:
            click.echo(f"{', '.join(files)}: not written, as nothing was learnt", err=True)
        raise SystemExit(1)
    if picture is not None:
        _draw(found, picture)
    if output is not None:
        following, said = updated_study(found)
        with output_file(output) as aside:
            write_study(following, aside)
        for line in said:
            click.echo(line, err=True)
        click.echo(f"next: hotland run {output} (the store will be ensembles/{following.name}.zarr)", err=True)


def _draw(found: "Update", picture: Path) -> None:
    from matplotlib.figure import Figure

    from study.figures.operation import learned

    figure = Figure(figsize=(10, 7), layout="constrained")
    learned(found, figure)
    save_picture(figure, picture)
