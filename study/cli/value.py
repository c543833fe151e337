"""`hotland value`."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from study.cli.compare import named, opened
from study.cli.screen import WIDTH, at_option, refuse_no_picture, save_picture, share_of
from study.errors import OptionError

if TYPE_CHECKING:
    from study.config import Study
    from study.value import Measurement, Worths


@click.command()
@click.argument("stores", nargs=-1, required=True, metavar="STORE [STORE ...]")
@click.option("--utility", metavar="VARIABLE", help="What to decide by: a variable, or claim:REWARD/PENALTY.")
@click.option(
    "--measure",
    "measures",
    multiple=True,
    metavar="TEXT",
    help="Such as 'rock.conductivity +-0.1 W/m/K', a standard deviation; may be repeated.",
)
@click.option(
    "--cost", "costs", multiple=True, type=float, help="Of each --measure in turn, a number in the utility's units."
)
@click.option("--picture", type=click.Path(path_type=Path), help="A picture to write, .png, .svg or .pdf.")
@at_option
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@click.option(
    "--most-failed", default="1%", show_default=True, metavar="SHARE", help="Share of samples that may have failed."
)
def value(
    stores: tuple[str, ...],
    utility: str | None,
    measures: tuple[str, ...],
    costs: tuple[float, ...],
    picture: Path | None,
    at: tuple[str, ...],
    as_json: bool,
    most_failed: str,
) -> None:
    """Print what a measurement would be worth before building the design of the ensemble STORE, or choosing one.

    Several stores are designs to choose from, as those of a sweep are. A STORE may have a name before it,
    wide=ensembles/a.zarr; else it is named after its file.
    """
    most = share_of("--most-failed", most_failed)
    refuse_no_picture(picture)
    if costs and len(costs) != len(measures):
        raise OptionError(f"--cost: {len(costs)} given; allowed: none, or one for each of {len(measures)} --measure")
    if wrong := [cost for cost in costs if not (math.isfinite(cost) and cost >= 0.0)]:
        raise OptionError(f"--cost {wrong[0]:g}: allowed: at least 0")
    given = named(stores)
    from study.ensemble import reading
    from study.value import samples_of, values_of
    from study.value_table import print_values, to_json

    with reading(*given.values()):
        samples = samples_of(opened(given, at), utility=utility, most_failed=most)
    if costs and not samples.decides:
        raise OptionError("--cost: nothing to hold it against; allowed: with --utility, or a net_present_value")
    found = values_of(samples, _measurements(measures, costs, samples.study))
    if as_json:
        click.echo(to_json(found))
    else:
        print_values(found, Console(width=WIDTH, highlight=False, markup=False))
    if picture is not None:
        _draw(found, picture)


def _measurements(texts: tuple[str, ...], costs: tuple[float, ...], study: "Study") -> list["Measurement"]:
    from study.value import parse_measurement

    try:
        return [
            parse_measurement(text, study, cost=cost)
            for text, cost in zip(texts, costs or [math.nan] * len(texts), strict=True)
        ]
    except ValueError as error:
        raise OptionError(f"--measure: {error}") from error


def _draw(found: "Worths", picture: Path) -> None:
    from matplotlib.figure import Figure

    from study.figures import narrowing

    figure = Figure(figsize=(9, 6), layout="constrained")
    narrowing(found, figure.subplots())
    save_picture(figure, picture)
