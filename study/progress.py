"""How far a run is, shown: a bar on a terminal or in a notebook, a line now and then, or records for a program."""

import json
import math
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from html import escape
from typing import TYPE_CHECKING, Any, Literal

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Column

from study.runs import now

if TYPE_CHECKING:
    from study.job import Progress

Kind = Literal["auto", "bar", "lines", "notebook", "none"]
Watch = Callable[["Progress"], None]
_SECONDS_BETWEEN_LINES, _SECONDS_BETWEEN_DRAWINGS = 10.0, 0.5


class Pace:
    """The rate of a run since it was first looked at."""

    def __init__(self) -> None:
        self._start = 0.0

    def of(self, progress: "Progress") -> tuple[float, float]:
        """Rate, samples per second, and time to go, s; nan for both before the first sample is done."""
        self._start = self._start or time.monotonic()
        if not progress.done:
            return math.nan, math.nan
        rate = progress.done / max(time.monotonic() - self._start, 1e-3)
        return rate, (progress.total - progress.done) / rate


class Sometimes:
    """Whether it is time to show something again: what is shown takes some milliseconds to work out."""

    def __init__(self, seconds: float, *, at_once: bool = True) -> None:
        self._seconds, self._last, self._shown = seconds, -math.inf if at_once else time.monotonic(), (-1, -1)

    def due(self, progress: "Progress") -> bool:
        """Whether there is news and the last is so long ago, or all is done."""
        at, present = (progress.done, progress.total), time.monotonic()
        if at == self._shown or (progress.done < progress.total and present - self._last < self._seconds):
            return False
        self._last, self._shown = present, at
        return True


def state(progress: "Progress") -> str:
    """Cores at work, the estimate so far, and what went wrong, if anything did."""
    failed = sum(progress.tally.failed.values())
    line = progress.tally.line() if progress.tally.rows or failed else ""
    parts = [
        f"{progress.workers:,} {'cores' if progress.workers != 1 else 'core'}",
        *map(str, progress.judgements),
        f"all {progress.designs} designs together: {line}" if progress.designs > 1 and line else line,
        f"{failed:,} failed" if failed and "failed" not in line else "",
        f"{len(progress.retries):,} blocks tried again" if progress.retries else "",
    ]
    return "; ".join(part for part in parts if part)


def record(progress: "Progress", pace: Pace) -> dict[str, Any]:
    """How far a run is, as a record for a program: docs/cluster.md says what each key is; None is not known yet."""
    rate, left = pace.of(progress)
    return {
        "event": "progress",
        "time": now(),
        "done": progress.done,
        "total": progress.total,
        "rate": _known(rate),
        "seconds_left": _known(left),
        "workers": progress.workers,
        "failed": sum(progress.tally.failed.values()),
        "retries": len(progress.retries),
        "estimates": progress.tally.estimates(),
        "targets": [
            {
                "target": each.target.text,
                "value": _known(each.value),
                "half_width": _known(each.half_width),
                "met": bool(each.met),
            }
            for each in progress.judgements
        ],
    }


def _known(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


@contextmanager
def bar(say: Console) -> Iterator[Watch]:
    """A bar on a terminal."""
    columns = (
        BarColumn(bar_width=16),
        MofNCompleteColumn(table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[rate]}", table_column=Column(no_wrap=True)),
        TimeRemainingColumn(compact=True, table_column=Column(no_wrap=True)),
        TextColumn("{task.fields[state]}", table_column=Column(no_wrap=True, overflow="ellipsis", ratio=1)),
    )
    pace, sometimes = Pace(), Sometimes(_SECONDS_BETWEEN_DRAWINGS)
    with Bar(*columns, console=say, expand=True) as drawing:
        task = drawing.add_task("", total=None, rate="starting", state="")

        def draw(progress: "Progress") -> None:
            rate, _ = pace.of(progress)
            if sometimes.due(progress):
                words = f"{rate:.1f}/s, to go" if progress.done else "starting"
                said = state(progress) if progress.done else ""
                drawing.update(task, completed=progress.done, total=progress.total, rate=words, state=said)

        yield draw


@contextmanager
def lines(say: Console, *, brief: bool = False) -> Iterator[Watch]:
    """A line now and then; of one of many runs, in brief, none of its start and its end."""
    pace, sometimes = Pace(), Sometimes(_SECONDS_BETWEEN_LINES, at_once=not brief)

    def line(progress: "Progress") -> None:
        rate, left = pace.of(progress)
        if sometimes.due(progress) and not (brief and progress.done == progress.total):
            how = f"{rate:.1f}/s, {left:.0f} s to go; {state(progress)}" if progress.done else "started"
            say.print(f"{progress.done:,} of {progress.total:,} samples, {how}")

    yield line


@contextmanager
def records(write: Callable[[str], Any]) -> Iterator[Watch]:
    """JSON, one object to a line."""
    pace, sometimes = Pace(), Sometimes(_SECONDS_BETWEEN_DRAWINGS)

    def line(progress: "Progress") -> None:
        pace.of(progress)
        if sometimes.due(progress):
            write(json.dumps(record(progress, pace)) + "\n")

    yield line


@contextmanager
def notebook() -> Iterator[Watch]:
    """A bar in a notebook: one piece of HTML, which is drawn again in its place and stays in the saved notebook."""
    from IPython.display import HTML, display

    pace, sometimes, drawn = Pace(), Sometimes(_SECONDS_BETWEEN_DRAWINGS), False
    handle = display(HTML(_html("starting", 0.0)), display_id=True)

    def draw(progress: "Progress") -> None:
        nonlocal drawn
        rate, left = pace.of(progress)
        if progress.done and sometimes.due(progress):
            words = f"{progress.done:,} of {progress.total:,} samples, {rate:.1f}/s, {_clock(left)} to go"
            handle.update(HTML(_html(words, progress.done / progress.total, state(progress))))
            drawn = True

    try:
        yield draw
    finally:
        if not drawn:  # nothing was left to compute, or an error says more
            handle.update(HTML(""))


def _html(words: str, share: float, said: str = "") -> str:
    style = "font-family: monospace; white-space: normal"
    return (
        f'<div style="{style}"><progress value="{share:.4f}" max="1" style="width: 16em"></progress> '
        f"{escape(words)}<br>{escape(said)}</div>"
    )


def _clock(seconds: float) -> str:
    hours, rest = divmod(round(seconds), 3600)
    return f"{hours}:{rest // 60:02d}:{rest % 60:02d}" if hours else f"{rest // 60}:{rest % 60:02d}"


def in_notebook() -> bool:
    """Whether a kernel of Jupyter runs this, so that HTML is shown."""
    module = sys.modules.get("IPython")
    shell = module.get_ipython() if module else None
    return shell is not None and hasattr(shell, "kernel")


@contextmanager
def watching(kind: Kind) -> Iterator[Watch]:
    """Progress of a run from Python, as `study.run` shows it.

    Parameters
    ----------
    kind
        ``bar`` or ``lines`` on standard error, ``notebook``, ``none``, or ``auto``: a bar in a notebook or on a
        terminal, else none.

    Raises
    ------
    ValueError
        When it is none of these.
    """
    if kind == "auto":
        kind = "notebook" if in_notebook() else "bar" if sys.stderr is not None and sys.stderr.isatty() else "none"
    if kind == "notebook":
        with notebook() as watch:
            yield watch
    elif kind in ("bar", "lines"):
        say = Console(stderr=True, highlight=False, markup=False)
        with bar(say) if kind == "bar" else lines(say) as watch:
            yield watch
    elif kind == "none":
        yield lambda _progress: None
    else:
        raise ValueError(f"progress={kind!r}; allowed: auto, bar, lines, notebook, none")
