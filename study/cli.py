"""The command `hotland`. Exit status: 0 done, 1 the run failed, 2 the input is wrong, 130 interrupted."""

import io
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Column, Table

from study.errors import ClusterLostError, EnsembleError, HotlandError, RunError

# The rest is imported by the command that needs it: help and wrong options answer at once.
if TYPE_CHECKING:
    import xarray as xr

    from study.config import Study
    from study.engine import Progress
    from study.stopping import Judgement
    from study.storage import Storage
    from study.summary import Over

WIDTH = 116
_SECONDS_BETWEEN_LINES, _SECONDS_BETWEEN_DRAWINGS = 10.0, 0.5


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hotland")
def commands() -> None:
    """How sure is geothermal heat? Monte Carlo uncertainty studies of deep coaxial wells."""


@commands.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--samples", type=int, help="Samples, instead of the study's; more than are there extend the store.")
@click.option("--seed", type=int, help="Seed, instead of the study's.")
@click.option(
    "--until",
    multiple=True,
    metavar="TARGET",
    help="Stop once this is known so closely, --samples being the most: 'P(carbon_reduction>=18000) +-0.5%'. May be "
    "given several times, instead of the study's targets.",
)
@click.option("--hours", type=float, help="Stop a run with targets after so many hours at the latest.")
@click.option("--output", help="The store: a folder, s3://..., gs://... or az://...  [default: ensembles/<name>.zarr]")
@click.option(
    "--address",
    help="local, or a Ray cluster: HOST:PORT, ray://HOST:PORT or auto.  [default: $RAY_ADDRESS, else local]",
)
@click.option(
    "--block-size",
    type=click.IntRange(1, 100_000),
    help="Samples of a task in a new store; changes no result.  [default: some 10 s of work]",
)
@click.option("--take-over", is_flag=True, help="Do not ask whether another run still writes to the store.")
@click.option("--dashboard", is_flag=True, help="Show Ray's dashboard of this machine, on loopback.")
def run(
    config: Path,
    samples: int | None,
    seed: int | None,
    until: tuple[str, ...],
    hours: float | None,
    output: str | None,
    address: str | None,
    block_size: int | None,
    take_over: bool,
    dashboard: bool,
) -> None:
    """Run the study CONFIG, or what is left of it, and print the answer.

    Where the study or --until sets targets, the run grows until all are met; when samples or hours are spent first, all
    is kept and the exit status is 1.
    """
    from study import engine
    from study.config import load_study
    from study.ensemble import open_ensemble, reading
    from study.stopping import missed
    from study.storage import Storage

    study = load_study(config).with_overrides(samples=samples, seed=seed)
    targets, _ = engine.asked(study, until or None, hours)
    judgements: list[Judgement] = []
    storage = Storage.at(output if output is not None else engine.default_store(study))
    with _screen() as say:
        say.print(
            f"{_plan(study)}{' at most' if targets else ''}, {len(study.uncertain)} uncertain inputs, {study.design}"
            f"{_traces(study)}"
        )
        _warn(study, say)
        with _running(storage, say) as watch:
            engine.execute(
                study,
                storage,
                until=until or None,
                hours=hours,
                address=address,
                block_size=block_size,
                take_over=take_over,
                dashboard=dashboard,
                say=say.print,
                watch=watch,
                judged=judgements.extend,
            )
    try:
        with reading(storage):
            _print_summary(open_ensemble(storage.address), as_json=False)
    except EnsembleError as error:  # too many samples failed, or the store is damaged
        raise RunError(str(error)) from error
    if text := missed(judgements):
        raise RunError(text)


@commands.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option("--no-pilot", is_flag=True, help="Compute no sample: tell no times and no intervals.")
def check(config: Path, no_pilot: bool) -> None:
    """Check the study CONFIG, plan its run from a few samples, and print all that it says, defaults included.

    Nothing is written.
    """
    from study.config import flatten, load_study, without_sources
    from study.plan import Pilot, describe
    from study.provenance import cores
    from study.simulation import refuse_hopeless

    study = load_study(config)
    refuse_hopeless(study)
    console = Console(width=None if sys.stdout.isatty() else WIDTH, highlight=False, markup=False)
    console.print(f"{config} is valid; {_plan(study)}, seed {study.seed}, {study.design}{_traces(study)}")
    _warn(study, console)
    if not no_pilot:
        click.echo("computing a few samples (the first time, the kernels are compiled: half a minute) ...", err=True)
        for line in describe(study, Pilot.of(study), cores=cores()):
            console.print(line)
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
@click.argument("store")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@click.option(
    "--over",
    type=click.Choice(["both", "samples", "winters"]),
    default="both",
    show_default=True,
    help="What to tell: what we do not know (samples), chance (winters), or both together.",
)
@click.option(
    "--most-failed", default="1%", show_default=True, metavar="SHARE", help="Share of samples that may have failed."
)
def summary(store: str, as_json: bool, over: "Over", most_failed: str) -> None:
    """Print the distributions of the ensemble STORE, with confidence intervals."""
    from study.ensemble import open_ensemble, reading
    from study.storage import Storage

    most = _share("--most-failed", most_failed)
    dataset = open_ensemble(store)
    with reading(Storage.at(store)):
        _print_summary(dataset, as_json=as_json, over=over, most_failed=most)


class Winter(click.ParamType):
    """The number of a winter, mean or each."""

    name = "winter"

    def convert(self, value: str | int, param: click.Parameter | None, ctx: click.Context | None) -> str | int:
        if isinstance(value, int) or value in ("mean", "each"):
            return value
        if not (value.isascii() and value.isdigit()):
            self.fail(f"{value!r}; allowed: the number of a winter, mean or each", param, ctx)
        return int(value[:9])


@commands.command()
@click.argument("store")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@click.option("--output", "outputs", multiple=True, metavar="VARIABLE", help="Output to explain; may be repeated.")
@click.option("--winter", type=Winter(), default="mean", show_default=True, help="Number of a winter, mean or each.")
@click.option(
    "--extend", type=int, metavar="ROWS", help="First compute more rows, to extend so many of the ensemble's."
)
@click.option(
    "--most-failed", type=click.FloatRange(0, 1), default=0.01, show_default=True, help="Share that may fail."
)
@click.option("--address", help="As of run, for --extend.")
@click.option("--take-over", is_flag=True, help="As of run, for --extend.")
def sensitivity(
    store: str,
    as_json: bool,
    outputs: tuple[str, ...],
    winter: int | str,
    extend: int | None,
    most_failed: float,
    address: str | None,
    take_over: bool,
) -> None:
    """Print what drives the spread of the ensemble STORE: Sobol' indices, with confidence intervals."""
    from study.drivers import print_tables, refuse_unknown, to_json, what_drives

    refuse_unknown(store, outputs, winter)
    if extend is not None:
        _extend(store, extend, address=address, take_over=take_over)
    answer = what_drives(store, outputs, winter=winter, most_failed=most_failed)
    if as_json:
        click.echo(to_json(answer))
    else:
        print_tables(answer, Console(width=WIDTH, highlight=False, markup=False))


def _extend(store: str, base: int, *, address: str | None, take_over: bool) -> None:
    """Compute the rows that extend an ensemble, or what is left of them."""
    from study import engine
    from study.pick_freeze import extended_study, store_of
    from study.storage import Storage

    mixed = extended_study(store, base=base)
    beside = Storage.at(store_of(Storage.at(store).address))
    with _screen() as say:
        say.print(f"{base:,} samples, each with {mixed.matrices} more rows of {mixed.winters} winters")
        with _running(beside, say) as watch:
            engine.execute(mixed, beside, address=address, take_over=take_over, say=say.print, watch=watch)


@commands.command()
@click.argument("store")
@click.option(
    "--output",
    type=click.Path(path_type=Path),
    help="The file, .html.  [default: beside the store; in the present folder for one in an object store]",
)
@click.option(
    "--most-failed", default="1%", show_default=True, metavar="SHARE", help="Share of samples that may have failed."
)
def report(store: str, output: Path | None, most_failed: str) -> None:
    """Write a report of the ensemble STORE: one HTML file with the answer, pictures, accounts and sources."""
    from study import report as reports
    from study.storage import Storage

    most, storage = _share("--most-failed", most_failed), Storage.at(store)
    if output is None:
        name = Path(f"{storage.address.rpartition('/')[2]}").with_suffix(".html").name
        output = storage.path.with_name(name) if storage.path else Path(name)
    elif output.suffix not in (".html", ".htm"):
        raise click.UsageError(f"--output {output}: allowed: a file named .html")
    page = reports.report(store, most_failed=most)
    try:
        output.write_text(page, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"--output {output}: cannot be written: {error.strerror or error}") from error
    click.echo(f"wrote {output}, {output.stat().st_size / 1e6:.1f} MB")


@commands.command()
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


@commands.command()
@click.argument("store")
@click.option("--baseline", help="The supply that is replaced: coal_boiler, gas_boiler, ...; its figures come with it.")
@click.option("--electricity", help="How electricity counts: location, market or hourly.")
@click.option(
    "--accounts",
    type=click.Path(path_type=Path),
    help="A YAML file with sections carbon, park, shallow_field or claim of a study file; they go before the study's.",
)
@click.option("--output", help="Keep the ensemble with the other account: a folder, s3://..., gs://... or az://...")
@click.option("--every", is_flag=True, help="Tell what every built-in baseline makes of the ensemble.")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
@click.option(
    "--most-failed", default="1%", show_default=True, metavar="SHARE", help="Share of samples that may have failed."
)
@click.option("--take-over", is_flag=True, help="As of run, for --output.")
def account(
    store: str,
    baseline: str | None,
    electricity: str | None,
    accounts: Path | None,
    output: str | None,
    every: bool,
    as_json: bool,
    most_failed: str,
    take_over: bool,
) -> None:
    """Print the carbon accounts of the ensemble STORE, its own or others, without running it again."""
    from study.ensemble import open_ensemble, reading
    from study.ledgers import every_account, ledgers
    from study.reaccounting import reaccount
    from study.storage import Storage
    from study.summary import carbon_lines, print_table, to_json

    most = _share("--most-failed", most_failed)
    changed = baseline is not None or electricity is not None or accounts is not None
    if output is not None and not changed:
        raise click.UsageError("--output: allowed: with another account, --baseline, --electricity or --accounts")
    with ExitStack() as stack:
        say = stack.enter_context(_screen())
        if changed:
            place = output or f"{stack.enter_context(TemporaryDirectory(prefix='hotland-'))}/account.zarr"
            store = reaccount(
                store,
                place,
                baseline=baseline,
                electricity=electricity,
                accounts=accounts,
                take_over=take_over,
                say=say.print,
            ).address
        dataset = open_ensemble(store)
        with reading(Storage.at(store)):
            try:
                lines = carbon_lines(dataset, most_failed=most)
            except ValueError as error:  # nothing to tell
                raise RunError(str(error)) from error
            lines += ledgers(dataset, most_failed=most)
            lines += every_account(dataset, most_failed=most) if every else []
            if as_json:
                click.echo(to_json(dataset, lines))
            else:
                console = Console(width=WIDTH, highlight=False, markup=False)
                console.print(f"account: {dataset.attrs['accounting']}")
                print_table(dataset, lines, console)
        if output is not None:
            say.print(f"{store}: kept")


@commands.command()
@click.argument("store")
@click.option("--blocks", type=click.IntRange(0), default=3, show_default=True, help="Blocks to compute again.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, help="Seed of their choice.")
def verify(store: str, blocks: int, seed: int) -> None:
    """Check that the ensemble STORE is complete and undamaged, and compute some of its blocks again, bit by bit."""
    from study.verification import verify as check_store

    found = check_store(store, blocks=blocks, seed=seed)
    if found.missing and len(found.problems) == 1:
        raise RunError(
            f"{store}: unfinished: {found.problems[0]}, the others are sound; `hotland run` computes the rest"
        )
    if found.problems:
        more = len(found.problems) - 20
        lines = [*found.problems[:20], *([f"and {more} more"] if more > 0 else [])]
        raise RunError("\n  ".join([f"{store}: not as it should be", *lines]))
    again = f"; computed again, to the same bits: blocks {', '.join(map(str, found.recomputed))}" if blocks else ""
    click.echo(f"{store}: complete, {found.checked:,} blocks have their checksums{again}")


@commands.command()
@click.argument("store")
def migrate(store: str) -> None:
    """Bring the ensemble STORE, made by an older hotland, to the present format, with every row it has."""
    from study.migrations import migrate as bring_up_to_date

    click.echo(bring_up_to_date(store))


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


def _traces(study: "Study") -> str:
    if study.traces is None:
        return ""
    return f", {study.traces.interval} traces of {len(study.traces.rows)} samples"


def _warn(study: "Study", say: Console) -> None:
    from study.simulation import warnings

    for text in warnings(study):
        say.print(f"warning: {text}")


def _share(option: str, text: str) -> float:
    """A share given as such, or in percent."""
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100.0 if number.endswith("%") else 1.0)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise click.BadParameter(f"{text!r}: allowed: 0 to 1, or 0% to 100%", param_hint=option)
    return share


def _print_summary(
    dataset: "xr.Dataset", *, as_json: bool, over: "Over" = "both", most_failed: float | None = None
) -> None:
    from study.statistics import MOST_FAILED
    from study.summary import print_table, summarise, to_json

    try:
        lines = summarise(dataset, over=over, most_failed=MOST_FAILED if most_failed is None else most_failed)
    except ValueError as error:
        raise RunError(str(error)) from error
    if as_json:
        click.echo(to_json(dataset, lines, over=over))
    else:
        print_table(dataset, lines, Console(width=WIDTH, highlight=False, markup=False))


@contextmanager
def _screen() -> Iterator[Console]:
    """Standard error for people, also where a worker's messages take its descriptor."""
    with os.fdopen(os.dup(2), "w", errors="replace") as screen:
        terminal = screen.isatty()
        yield Console(
            file=screen, width=None if terminal else WIDTH, highlight=False, markup=False, soft_wrap=not terminal
        )


@contextmanager
def _running(storage: "Storage", say: Console) -> Iterator[Callable[["Progress"], None]]:
    """Show progress; an error names the file of Ray's messages, an interruption says what is kept."""
    from study.cluster import messages_to_file

    with messages_to_file() as log, _progress(say) as watch:
        try:
            yield watch
        except RunError as error:
            if log.exists() and log.stat().st_size:
                raise type(error)(f"{error}\nRay's own messages: {log}") from error
            raise
        except KeyboardInterrupt:
            say.print(f"interrupted; what is done is kept in {storage}, the same command goes on from there")
            raise


@contextmanager
def _progress(say: Console) -> Iterator[Callable[["Progress"], None]]:
    """A bar on a terminal, else a line now and then."""
    start, last, said = 0.0, 0.0, (-1, -1)

    def rate(progress: "Progress") -> float:
        nonlocal start
        start = start or time.monotonic()
        return progress.done / max(time.monotonic() - start, 1e-3)

    def line(progress: "Progress") -> None:
        nonlocal last, said
        speed, now, done, total = rate(progress), time.monotonic(), progress.done, progress.total
        if (done, total) != said and (done == total or now - last >= _SECONDS_BETWEEN_LINES):
            left = f"{speed:.1f}/s, {(total - done) / speed:.0f} s to go; {_state(progress)}" if done else "started"
            say.print(f"{done:,} of {total:,} samples, {left}")
            last, said = now, (done, total)

    if not say.is_terminal:
        yield line
        return
    columns = (
        BarColumn(bar_width=16),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[rate]}", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[state]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
    )
    with Bar(*columns, console=say, expand=True) as bar:
        task = bar.add_task("", total=None, rate="starting", state="")

        def drawn(progress: "Progress") -> None:
            nonlocal last
            if progress.done < progress.total and time.monotonic() - last < _SECONDS_BETWEEN_DRAWINGS:
                return  # the estimate takes some milliseconds
            last, state = time.monotonic(), _state(progress) if progress.done else ""
            speed = rate(progress)
            rate_now = f"{speed:.1f}/s, to go" if progress.done else "starting"
            bar.update(task, completed=progress.done, total=progress.total, rate=rate_now, state=state)

        yield drawn


def _state(progress: "Progress") -> str:
    """The estimate so far, and what went wrong, if anything did."""
    failed, line = sum(progress.tally.failed.values()), progress.tally.line()
    parts = [
        *map(str, progress.judgements),
        line,
        f"{failed:,} failed" if failed and "failed" not in line else "",
        f"{len(progress.retries):,} blocks tried again" if progress.retries else "",
    ]
    return "; ".join(part for part in parts if part)


def _abandon_reads() -> None:
    """End what Zarr still reads after an error: asyncio complains of it when the process ends."""
    if "zarr" not in sys.modules:
        return
    import asyncio

    from zarr.core.sync import sync

    async def end() -> None:
        reads = asyncio.all_tasks() - {asyncio.current_task()}
        for read in reads:
            read.cancel()
        await asyncio.wait(reads, timeout=1.0) if reads else None

    with suppress(Exception):  # it is only about words
        sync(end())


def main() -> None:
    """Run the command, and turn what went wrong into one message and an exit status."""
    for descriptor in (0, 1, 2):
        try:
            os.fstat(descriptor)
        except OSError:  # closed by the caller: the next file opened would be taken for it
            os.open(os.devnull, os.O_RDWR)
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
        _abandon_reads()
        if isinstance(error, ClusterLostError):
            sys.stdout.flush()
            os._exit(error.exit_status)  # Ray's own way out would wait for the head
        sys.exit(error.exit_status)
    except OSError as error:
        click.echo(f"hotland: {error}", err=True)
        sys.exit(1)
    except (KeyboardInterrupt, click.Abort):
        sys.exit(130)
