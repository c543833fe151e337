"""`hotland compare`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from study.cli.screen import WIDTH, at_option, refuse_files, refuse_no_picture, save_picture, share_of
from study.errors import OptionError

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from study.comparison import Comparison


@click.command()
@click.argument("stores", nargs=-1, required=True, metavar="STORE STORE...")
@click.option("--output", "outputs", multiple=True, metavar="VARIABLE", help="To compare, no file; may be repeated.")
@click.option("--utility", metavar="VARIABLE", help="Of what regret is told.")
@click.option(
    "--objective", "objectives", multiple=True, metavar="VARIABLE", help="Of the Pareto front; may be repeated."
)
@click.option(
    "--alike",
    default="0.1%",
    show_default=True,
    metavar="SHARE",
    help="Of the first design's mean: up to which difference designs count as alike.",
)
@click.option("--picture", type=click.Path(path_type=Path), help="A picture to write, .png, .svg or .pdf.")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@click.option(
    "--most-failed", default="1%", show_default=True, metavar="SHARE", help="Share of samples that may have failed."
)
@at_option
def compare(
    stores: tuple[str, ...],
    outputs: tuple[str, ...],
    utility: str | None,
    objectives: tuple[str, ...],
    alike: str,
    picture: Path | None,
    as_json: bool,
    most_failed: str,
    at: tuple[str, ...],
) -> None:
    """Print how the designs of some ensembles differ, the first STORE being what the others are held against.

    A STORE may have a name before it, wide=ensembles/a.zarr; else it is named after its file. Of a sweep each design is
    one, and its first is what the others are held against.
    """
    most, same = share_of("--most-failed", most_failed), share_of("--alike", alike)
    refuse_files(outputs, instead="a picture goes to --picture FILE, numbers to standard output with --json")
    refuse_no_picture(picture)
    given = named(stores)
    from study.comparison import compare as compare_designs
    from study.comparison_table import print_comparison, to_json
    from study.ensemble import reading

    figure = None
    with reading(*given.values()):
        designs = opened(given, at)
        if len(designs) < 2:
            raise OptionError(f"{', '.join(given)}: one design; allowed: two stores or more, or a sweep")
        comparison = compare_designs(
            designs, outputs, utility=utility, objectives=objectives, alike=same, most_failed=most
        )
        if picture is not None:
            figure = _drawn(comparison)
    if as_json:
        click.echo(to_json(comparison))
    else:
        print_comparison(comparison, Console(width=WIDTH, highlight=False, markup=False))
    if picture is not None and figure is not None:
        save_picture(figure, picture)


def opened(stores: dict[str, str], at: tuple[str, ...]) -> "dict[str, xr.Dataset]":
    """Ensembles by the names of their designs, in the place of a sweep those of its designs that `at` says."""
    from study.config import study_of
    from study.ensemble import open_ensemble
    from study.errors import EnsembleError
    from study.sweep import SweptStudy, each_design

    datasets = {name: open_ensemble(store) for name, store in stores.items()}
    if at and not any(isinstance(study_of(each.attrs), SweptStudy) for each in datasets.values()):
        raise EnsembleError(f"{', '.join(stores)}: of one design each; --at chooses designs of a sweep")
    return each_design(datasets, at)


def named(stores: tuple[str, ...]) -> dict[str, str]:
    """Stores by the names of their designs."""
    found: dict[str, str] = {}
    for given in stores:
        name, equals, store = given.partition("=")
        if not equals or "/" in name:
            name, store = given.rstrip("/").rpartition("/")[2].removesuffix(".zarr"), given
        if not name or not store:
            raise OptionError(f"{given}: allowed: STORE or NAME=STORE")
        if name in found:
            raise OptionError(
                f"{given}: {found[name]} is named {name} too; allowed: names of their own, such as other={store}"
            )
        found[name] = store
    return found


def _drawn(comparison: "Comparison") -> "Figure":
    from matplotlib.figure import Figure

    from study.figures import designs

    return designs(comparison, Figure(figsize=(11, 8.4), layout="constrained"))
