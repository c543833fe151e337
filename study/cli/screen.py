"""What commands share: the screen, progress, the plan in a line, a share in percent."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Column

from study.errors import RunError

if TYPE_CHECKING:
    import xarray as xr

    from study.config import Study
    from study.engine import Progress
    from study.storage import Storage
    from study.summary import Over

WIDTH = 116
_SECONDS_BETWEEN_LINES, _SECONDS_BETWEEN_DRAWINGS = 10.0, 0.5


def plan_line(study: "Study") -> str:
    designs = f" for each of {study.points} designs" if study.points > 1 else ""
    return f"{study.name}: {study.samples // study.points:,} samples of {study.winters} winters{designs}"


def traces_line(study: "Study") -> str:
    if study.traces is None:
        return ""
    return f", {study.traces.interval} traces of {len(study.traces.rows)} samples"


def warn(study: "Study", say: Console) -> None:
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
        raise click.BadParameter(f"{text!r}: allowed: 0 to 1, or 0% to 100%", param_hint=option)
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
            raise click.UsageError(f"--over {over}: allowed with one design, and this is a sweep")
        table = table_of(dataset, most_failed=MOST_FAILED if most_failed is None else most_failed)
        if as_json:
            click.echo(designs_to_json(table))
        else:
            print_designs(table, console)
        return
    try:
        lines = summarise(dataset, over=over, most_failed=MOST_FAILED if most_failed is None else most_failed)
    except ValueError as error:
        raise RunError(str(error)) from error
    if as_json:
        click.echo(to_json(dataset, lines, over=over))
    else:
        print_table(dataset, lines, console)


@contextmanager
def screen() -> Iterator[Console]:
    """Standard error for people, also where a worker's messages take its descriptor."""
    with os.fdopen(os.dup(2), "w", errors="replace") as screen:
        terminal = screen.isatty()
        yield Console(
            file=screen, width=None if terminal else WIDTH, highlight=False, markup=False, soft_wrap=not terminal
        )


@contextmanager
def running(storage: "Storage", say: Console) -> Iterator[Callable[["Progress"], None]]:
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
        f"all {progress.designs} designs together: {line}" if progress.designs > 1 and line else line,
        f"{failed:,} failed" if failed and "failed" not in line else "",
        f"{len(progress.retries):,} blocks tried again" if progress.retries else "",
    ]
    return "; ".join(part for part in parts if part)
