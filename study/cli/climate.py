"""`hotland climate`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from study.cli.screen import WIDTH, output_file, save_picture
from study.errors import OptionError

if TYPE_CHECKING:
    import xarray as xr


@click.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="A climate file to write, .yaml, for studies.")
@click.option("--picture", type=click.Path(path_type=Path), help="A picture to write, .png, .svg or .pdf.")
@click.option("--column", help="Column or variable of temperature.  [default: the only one]")
@click.option(
    "--unit",
    type=click.Choice(["degC", "K", "degF"]),
    default="degC",
    show_default=True,
    help="Unit of a CSV file.",
)
@click.option(
    "--utc-offset", type=float, default=0.0, help="Hours from the file's times to local standard time, 8 for China."
)
@click.option(
    "--season", nargs=2, metavar="START END", help="First and last day of the heating season.  [default: 11-01 03-31]"
)
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, help="Seed of the winters to compare with.")
def climate(
    file: Path,
    output: Path | None,
    picture: Path | None,
    column: str | None,
    unit: str,
    utc_offset: float,
    season: tuple[str, str] | None,
    seed: int,
) -> None:
    """Fit the generator of winters to the weather FILE (EPW, CSV or NetCDF) and show how well it fits."""
    for option, path, kinds in (
        ("--output", output, (".yaml", ".yml")),
        ("--picture", picture, (".png", ".svg", ".pdf")),
    ):
        if path is not None and path.suffix not in kinds:
            raise OptionError(f"{option} {path}: allowed: a file named {', '.join(kinds[:-1])} or {kinds[-1]}")
    if column is not None and file.suffix.lower() == ".epw":
        raise OptionError(f"--column {column}: allowed: with CSV or NetCDF; an EPW file has one temperature")
    from study.climate import compare, fit_climate, heating_season, to_yaml
    from study.errors import ConfigError
    from study.weather_file import read_design_conditions, read_weather

    dates = heating_season(*(season or ("11-01", "03-31")))
    temperature = read_weather(file, column=column, unit=unit, utc_offset=utc_offset)
    design = read_design_conditions(file)
    try:
        fitted = fit_climate(temperature, season=dates, design=design, seed=seed)
        text = to_yaml(fitted, file, season=dates, with_season=season is not None)
        comparison = compare(temperature, fitted, season=dates, design=design, seed=seed)
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    if filled := temperature.attrs["filled"]:
        click.echo(f"warning: {filled:,} missing values bridged by straight lines", err=True)
    for remark in fitted.remarks:
        click.echo(f"warning: {remark}", err=True)
    _print_fit(comparison)
    if output is not None:
        with output_file(output) as aside:
            aside.write_text(text, encoding="utf-8")
        missing = "" if season else "season, "
        click.echo(
            f"wrote {output}; a study with it still gives {missing}surface_temperature and "
            "building.design_outdoor_temperature itself",
            err=True,
        )
    if picture is not None:
        from matplotlib.figure import Figure

        from study.figures import climate_fit

        figure = Figure(figsize=(10, 8), layout="constrained")
        climate_fit(comparison, figure)
        save_picture(figure, picture)


def _print_fit(comparison: "xr.Dataset") -> None:
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False)
    winters = comparison.sizes["winter"]
    title = (
        f"{winters} winter{'s' * (winters > 1)} of the file, {comparison.attrs['records']} generated records of as many"
    )
    table = Table(box=None, pad_edge=False, title=title, title_justify="left")
    for name in ("", "file", "generated", "generated, 5 %", "generated, 95 %", ""):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name, file, (median, low, high) in zip(
        comparison["statistic"].values, comparison["file"].values, comparison["generated"].values.T, strict=True
    ):
        numbers = [f"{value:.0f}" if abs(median) >= 1000 else f"{value:.2f}" for value in (file, median, low, high)]
        table.add_row(str(name), *numbers, "" if low <= file <= high else "outside")
    console.print(table)
    if "published" not in comparison:
        return
    table = Table(box=None, pad_edge=False, title="\ndesign conditions in the header (ASHRAE)", title_justify="left")
    for name in ("", "published", "generated"):
        table.add_column(name, justify="right" if name else "left", no_wrap=True)
    for name, published, generated in zip(
        *(comparison[name].values for name in ("condition", "published", "long_run")), strict=True
    ):
        table.add_row(str(name), f"{published:.1f}", f"{generated:.1f}")
    console.print(table)
