"""`hotland value`."""

import math
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from study.cli.compare import named, reading_all
from study.cli.screen import WIDTH, at_option, refuse_no_picture, save_picture, share_of
from study.errors import OptionError

if TYPE_CHECKING:
    from study.config import Study
    from study.intervals import Estimate
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
    from study.ensemble import open_ensemble
    from study.sweep import each_design
    from study.value import samples_of, to_json, values_of

    with reading_all(given.values()):
        datasets = each_design({name: open_ensemble(store) for name, store in given.items()}, at)
        samples = samples_of(datasets, utility=utility, most_failed=most)
    if costs and not samples.decides:
        raise OptionError("--cost: nothing to hold it against; allowed: with --utility, or a net_present_value")
    found = values_of(samples, _measurements(measures, costs, samples.study))
    if as_json:
        click.echo(to_json(found))
    else:
        _print(found, Console(width=WIDTH, highlight=False, markup=False))
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


def _print(found: "Worths", console: Console) -> None:
    from study.value import NOISE, advice, sentence

    samples = found.samples
    units = f" {samples.units}".rstrip()
    for option, mean in zip(samples.options, found.utilities, strict=False):
        console.print(f"{option}: mean utility {mean:,.4g}{units}")
    if samples.decides:
        console.print(f"best now: {samples.options[samples.best]}")
        console.print(f"knowing everything, chance included, is worth {found.perfect:,.4g}{units}")
    else:
        console.print("no utility to decide by (--utility): what a measurement narrows, but not what it is worth")
    console.print(f"{samples.words}: standard deviation {samples.output.std():,.4g} {samples.output_units}")
    if not math.isnan(samples.claim):
        console.print(f"probability of {samples.claim:,.0f} {samples.output_units} or more: {found.probability:.2%}")
    for title, worths in (
        ("measurement", found.measurements),
        ("group, known perfectly", found.groups),
        ("input, known perfectly", found.inputs),
    ):
        if not worths:
            continue
        table = Table(title)
        if samples.decides:
            table.add_column(f"worth,{units} (95 % interval)" if units else "worth (95 % interval)")
        if costs := any(math.isfinite(worth.measurement.cost) for worth in worths):
            table.add_column("cost", justify="right")
            table.add_column("worth less cost", justify="right")
        table.add_column("variance taken away")
        table.add_column(f"deviation after, {samples.output_units}", justify="right")
        told = [worth for worth in worths if worth.value.low > 0.0 or worth.variance.low > 0.0]
        left_out = [worth for worth in worths if worth not in told] if worths is found.inputs else []
        for worth in worths:
            if worth in left_out:
                continue
            cells = [worth.measurement.name]
            if samples.decides:
                cells.append(f"{worth.value:,.4g}" if worth.value.low > 0.0 else NOISE if worth.gain.any() else "0")
            if costs:
                cells += [f"{worth.measurement.cost:,.10g}", f"{worth.net.value:,.4g}"]
            cells += [_share(worth.variance), f"{worth.deviation:,.4g}"]
            table.add_row(*cells)
        console.print(table)
        if left_out:
            console.print(f"of {len(left_out)} more inputs neither worth nor variance can be told from zero (--json)")
    if said := advice(found):
        console.print(said)
    for worth in (*found.measurements, *found.groups):
        console.print(sentence(worth, found))
    for remark in samples.remarks:
        console.print(remark)


def _share(share: "Estimate") -> str:
    from study.value import NOISE

    return f"{share:.1%}" if share.low > 0.0 else NOISE
