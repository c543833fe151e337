"""What commands share: the screen, progress, the plan in a line, a share in percent, pictures to write."""

import json
import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click
from rich.console import Console

from study.errors import HotlandError, OptionError, RunError
from study.whole_file import whole_file

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.figure import Figure

    from study.config import Study
    from study.progress import Watch
    from study.storage import Storage
    from study.summary import Over

WIDTH = 116


at_option = click.option(
    "--at", "at", multiple=True, metavar="KEY=VALUE", help="Of a sweep, which design: 'wells=28'; may be repeated."
)


def plan_line(study: "Study") -> str:
    designs = f" for each of {study.points} designs" if study.points > 1 else ""
    return f"{study.name}: {study.samples // study.points:,} samples of {study.winters} winters{designs}"


def traces_line(study: "Study") -> str:
    if study.traces is None:
        return ""
    return f", {study.traces.interval} traces of {len(study.traces.rows)} samples"


def warn(study: "Study", say: "Console | Screen") -> None:
    from study.simulation import warnings

    for text in warnings(study):
        say.print(f"warning: {text}")


def share_of(option: str, text: str) -> float:
    """A share given as such, or in percent."""
    number = text.strip()
    try:
        share = float(number.removesuffix("%")) / (100.0 if number.endswith("%") else 1.0)
    except ValueError:
        share = -1.0
    if not 0.0 <= share <= 1.0:
        raise OptionError(f"{option} {text!r}: allowed: 0 to 1, or 0% to 100%")
    return share


def print_summary(
    dataset: "xr.Dataset", *, as_json: bool, over: "Over" = "both", most_failed: float | None = None
) -> None:
    from study.config import study_of
    from study.statistics import MOST_FAILED
    from study.summary import print_table, summarise, to_json
    from study.sweep import SweptStudy
    from study.sweep_table import print_designs, table_of
    from study.sweep_table import to_json as designs_to_json

    console = Console(width=WIDTH, highlight=False, markup=False)
    if isinstance(study_of(dataset.attrs), SweptStudy):
        if over != "both":
            raise OptionError(f"--over {over}: allowed with one design, and this is a sweep")
        table = table_of(dataset, most_failed=MOST_FAILED if most_failed is None else most_failed)
        if as_json:
            click.echo(designs_to_json(table))
        else:
            print_designs(table, console)
        return
    lines = summarise(dataset, over=over, most_failed=MOST_FAILED if most_failed is None else most_failed)
    if as_json:
        click.echo(to_json(dataset, lines, over=over))
    else:
        print_table(dataset, lines, console)


class Screen:
    """Standard error: words for people, records for a program, or nothing.

    Parameters
    ----------
    file
        Where it is.
    quiet
        Nothing is told.
    as_json
        Each message and the progress is a JSON object in a line.
    """

    def __init__(self, file: IO[str], *, quiet: bool = False, as_json: bool = False) -> None:
        terminal = file.isatty()
        self.quiet, self.as_json, self._file = quiet, as_json, file
        self.console = Console(
            file=file, width=None if terminal else WIDTH, highlight=False, markup=False, soft_wrap=not terminal
        )

    def print(self, text: str) -> None:
        """Tell something in words."""
        if self.as_json:
            self._write(_line(event="message", text=text) + "\n")
        elif not self.quiet:
            self.console.print(text)

    def watching(self, *, brief: bool = False) -> AbstractContextManager["Watch"]:
        """Show progress; brief as of `study.progress.lines`."""
        from study.progress import bar, lines, records

        if self.as_json:
            return records(self._write)
        if self.quiet:
            return nullcontext(lambda _progress: None)
        return bar(self.console) if self.console.is_terminal else lines(self.console, brief=brief)

    def _write(self, line: str) -> None:
        self._file.write(line)
        self._file.flush()


def _line(**about: object) -> str:
    from study.runs import now

    return json.dumps({"event": about.pop("event"), "time": now(), **about})


@contextmanager
def screen(*, quiet: bool = False, as_json: bool = False) -> Iterator[Screen]:
    """Standard error, also where a worker's messages take its descriptor."""
    if quiet and as_json:
        raise OptionError("--quiet or --json, not both")
    with os.fdopen(os.dup(2), "w", errors="replace") as file, errors_as_json() if as_json else nullcontext():
        yield Screen(file, quiet=quiet, as_json=as_json)


@contextmanager
def errors_as_json() -> Iterator[None]:
    """Make the message of an error a JSON object in a line, as all else that a program reads on standard error."""
    try:
        yield
    except HotlandError as error:
        error.args = (_line(event="error", text=str(error), exit_status=error.exit_status),)
        raise


@contextmanager
def running(storage: "Storage", say: Screen, *, brief: bool = False) -> Iterator["Watch"]:
    """Show progress; an error names the file of Ray's messages, an interruption says what is kept.

    Brief as of `study.progress.lines`.
    """
    from study.cluster import messages_to_file

    with messages_to_file() as log, say.watching(brief=brief) as watch:
        try:
            yield watch
        except RunError as error:
            if log.exists() and log.stat().st_size:
                raise type(error)(f"{error}\nRay's own messages: {log}") from error
            raise
        except KeyboardInterrupt:
            say.print(f"interrupted; what is done is kept in {storage}, the same command goes on from there")
            raise


def refuse_files(outputs: tuple[str, ...], *, instead: str) -> None:
    """Raise OptionError when --output names a file where it takes variables; a file it is in other commands."""
    for name in outputs:
        if "/" in name or Path(name).suffix:
            raise OptionError(f"--output {name}: takes the name of a variable here, such as unmet_hours; {instead}")


def refuse_no_picture(picture: Path | None) -> None:
    """Raise OptionError when --picture names a file that is none."""
    if picture is not None and picture.suffix not in (".png", ".svg", ".pdf"):
        raise OptionError(f"--picture {picture}: allowed: a file named .png, .svg or .pdf")


@contextmanager
def output_file(path: Path, *, option: str = "") -> Iterator[Path]:
    """Give a name to write to for a file that appears whole (`whole_file`); OptionError when it cannot be written."""
    try:
        with whole_file(path) as aside:
            yield aside
    except OSError as error:
        raise OptionError(f"{option} {path}: cannot be written: {error.strerror or error}".lstrip()) from error


def save_picture(figure: "Figure", picture: Path) -> None:
    """Write a figure, and say so; OptionError when it cannot be written."""
    with output_file(picture) as aside:
        figure.savefig(aside, dpi=120)
    click.echo(f"wrote {picture}", err=True)
