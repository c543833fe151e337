"""The command `hotland`. Exit status: 0 done, 1 the run failed, 2 the input is wrong, 130 interrupted."""

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from study.errors import HotlandError, RunError

# The rest is imported by the command that needs it: help and wrong options answer at once.
if TYPE_CHECKING:
    import xarray as xr

    from study.config import Study

WIDTH = 116
_SECONDS_BETWEEN_LINES = 10.0


def _folder(_context: click.Context, _option: click.Parameter, value: str | None) -> Path | None:
    if value is not None and "://" in value:
        raise click.BadParameter(f"{value!r}; allowed: a folder")
    return Path(value) if value is not None else None


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hotland")
def commands() -> None:
    """How sure is geothermal heat? Monte Carlo uncertainty studies of deep coaxial wells."""


@commands.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--samples", type=int, help="Samples, instead of the study's; more than are there extend the store.")
@click.option("--seed", type=int, help="Seed, instead of the study's.")
@click.option("--output", callback=_folder, help="Folder of the store.  [default: ensembles/<name>.zarr]")
@click.option("--address", help="A Ray cluster.  [default: this machine alone]")
@click.option(
    "--block-size", type=click.IntRange(1, 100_000), help="Samples of a task in a new store; changes no result."
)
def run(
    config: Path,
    samples: int | None,
    seed: int | None,
    output: Path | None,
    address: str | None,
    block_size: int | None,
) -> None:
    """Run the study CONFIG, or what is left of it, and print the answer."""
    from study import engine
    from study.config import load_study
    from study.ensemble import open_ensemble

    study = load_study(config).with_overrides(samples=samples, seed=seed)
    store = output or engine.default_store(study)
    say = Console(
        stderr=True, width=None if sys.stderr.isatty() else WIDTH, highlight=False, markup=False, soft_wrap=True
    )
    if address is not None:
        engine.knock(address)
    ensemble, blocks = engine.prepare(study, store, block_size=block_size or engine.BLOCK_SIZE)
    if blocks:
        rows = sum(map(len, blocks))
        say.print(f"{_plan(study)}, {len(study.uncertain)} uncertain inputs, {study.design}")
        _warn(study, say)
        if rows < study.samples:
            say.print(f"{store}: {study.samples - rows:,} samples are there, {rows:,} to go")
        else:
            say.print(f"{store}: new")
        where = "this machine" if address is None else address
        say.print(f"starting on {where}; the very first time the kernels are compiled, which takes half a minute ...")
        try:
            with _progress(say, study.samples - rows) as progress:
                engine.run_blocks(study, ensemble, blocks, address=address, progress=progress)
        except KeyboardInterrupt:
            done = sum(map(len, ensemble.received()))
            say.print(f"interrupted: {done:,} samples are kept in {store}; the same command goes on from there")
            raise
    elif ensemble.samples > study.samples:
        say.print(
            f"{store}: finished, {ensemble.samples:,} samples are there, more than the {study.samples:,} asked for"
        )
    else:
        say.print(f"{store}: finished, all {study.samples:,} samples are there")
    _print_summary(open_ensemble(store), as_json=False)


@commands.command()
@click.argument("config", type=click.Path(path_type=Path))
def check(config: Path) -> None:
    """Check the study CONFIG and print all that it says, defaults included; nothing is run."""
    from study.config import flatten, load_study, without_sources
    from study.simulation import refuse_hopeless

    study = load_study(config)
    refuse_hopeless(study)
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False)
    console.print(f"{config} is valid; {_plan(study)}, seed {study.seed}, {study.design}")
    _warn(study, console)
    inputs = tuple(study.inputs)
    table = Table(box=None, pad_edge=False)
    table.add_column("key", no_wrap=True)
    table.add_column("value")
    table.add_column("source")
    for key, value in flatten(without_sources(study.resolved())).items():
        if not key.startswith(inputs):
            text = str(value)
            table.add_row(key, text if len(text) <= 300 else f"{text[:60]}... ({len(text):,} characters)", "")
    for key, item in study.inputs.items():
        table.add_row(key, item.text, item.source or "")
    console.print(table)


@commands.command()
@click.argument("store", type=click.Path(path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def summary(store: Path, as_json: bool) -> None:
    """Print the distributions of the ensemble STORE, with confidence intervals."""
    from study.ensemble import open_ensemble

    _print_summary(open_ensemble(store), as_json=as_json)


@commands.command()
@click.argument("case", type=click.Path(path_type=Path))
@click.option("--output", type=click.Path(path_type=Path), help="A file to write, .json or .nc.")
def well(case: Path, output: Path | None) -> None:
    """Compute one well, CASE, without uncertainty: temperatures and heat over time."""
    if output is not None and output.suffix not in (".json", ".nc"):
        raise click.UsageError(f"--output {output}: allowed: a file named .json or .nc")
    from study.config import ConfigError, load_well_case
    from study.well import flow_remarks, run_well_case, write_well

    loaded = load_well_case(case)
    try:
        dataset = run_well_case(loaded)
    except ConfigError as error:
        raise ConfigError(f"{case}: {error}") from error
    for remark in flow_remarks(loaded):
        click.echo(f"warning: {remark}", err=True)
    if output is not None:
        try:
            write_well(dataset, output)
        except OSError as error:
            raise click.UsageError(f"--output {output}: cannot be written: {error.strerror or error}") from error
        return
    table = Table(box=None, pad_edge=False)
    for title in ("time (d)", "inlet (°C)", "outlet (°C)", "heat rate (kW)"):
        table.add_column(title, justify="right")
    for row in zip(
        *(dataset[name].values for name in ("time", "inlet_temperature", "outlet_temperature", "heat_rate")),
        strict=True,
    ):
        table.add_row(f"{row[0]:g}", *(f"{value:.3f}" for value in row[1:]))
    Console().print(table)


@commands.command()
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
            raise click.UsageError(f"{option} {path}: allowed: a file named {', '.join(kinds[:-1])} or {kinds[-1]}")
    if column is not None and file.suffix.lower() == ".epw":
        raise click.UsageError(f"--column {column}: allowed: with CSV or NetCDF; an EPW file has one temperature")
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
    try:
        if output is not None:
            output.write_text(text, encoding="utf-8")
            missing = "" if season else "season, "
            click.echo(
                f"wrote {output}; a study with it still gives {missing}surface_temperature and "
                "building.design_outdoor_temperature itself",
                err=True,
            )
        if picture is not None:
            from matplotlib.figure import Figure

            from study.figures import climate_fit

            climate_fit(comparison, Figure(figsize=(10, 8), layout="constrained")).savefig(picture, dpi=120)
            click.echo(f"wrote {picture}", err=True)
    except OSError as error:
        raise click.UsageError(f"{error.filename}: cannot be written: {error.strerror or error}") from error


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


def _plan(study: "Study") -> str:
    return f"{study.name}: {study.samples:,} samples of {study.winters} winters"


def _warn(study: "Study", say: Console) -> None:
    from study.simulation import warnings

    for text in warnings(study):
        say.print(f"warning: {text}")


def _print_summary(dataset: "xr.Dataset", *, as_json: bool) -> None:
    from study.summary import print_table, summarise, to_json

    try:
        lines = summarise(dataset)
    except ValueError as error:
        raise RunError(str(error)) from error
    if as_json:
        click.echo(to_json(dataset, lines))
    else:
        print_table(dataset, lines, Console(width=WIDTH, highlight=False, markup=False))


@contextmanager
def _progress(say: Console, kept: int) -> Iterator[Callable[[int, int], None]]:
    """A bar on a terminal, else a line now and then; called with samples done and in all, beside those kept."""
    start = last = 0.0

    def rate(done: int) -> float:
        nonlocal start
        start = start or time.monotonic()
        return done / max(time.monotonic() - start, 1e-3)

    def line(done: int, total: int) -> None:
        nonlocal last
        speed, now = rate(done), time.monotonic()
        if done == total or now - last >= _SECONDS_BETWEEN_LINES:
            left = f"{speed:.1f}/s, {(total - done) / speed:.0f} s to go" if done else "started"
            say.print(f"{kept + done:,} of {kept + total:,} samples, {left}")
            last = now

    if not say.is_terminal:
        yield line
        return
    columns = (
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("samples, {task.fields[rate]}, to go"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=say) as bar:
        task = bar.add_task("", total=None, rate="starting")
        yield lambda done, total: bar.update(
            task, completed=kept + done, total=kept + total, rate=f"{rate(done):.1f}/s"
        )


def main() -> None:
    """Run the command, and turn what went wrong into one message and an exit status."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller
            setattr(sys, name, Path(os.devnull).open("w"))  # noqa: SIM115 (for as long as the command runs)
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        sys.exit(commands.main(standalone_mode=False) or 0)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except HotlandError as error:
        click.echo(error, err=True)
        sys.exit(error.exit_status)
    except OSError as error:
        click.echo(f"hotland: {error}", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
