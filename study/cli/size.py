"""`hotland size`."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from study.cli.screen import WIDTH, running, screen, share_of
from study.errors import OptionError

if TYPE_CHECKING:
    from study.sizing import Found, Goal, Tried


@click.command()
@click.argument("config", type=click.Path(path_type=Path))
@click.option(
    "--find", "key", required=True, metavar="KEY", help="wells, spacing, depth, peak_capacity, or any key of the file."
)
@click.option(
    "--range",
    "limits",
    metavar="FROM..TO",
    help="16..40, or 1500..3000 m.  [default: the file's value, doubled or halved as far as need be]",
)
@click.option("--step", help="Between two values.  [default: 1; without --range a round 1/20 of the file's value]")
@click.option("--until", required=True, metavar="TARGET", help="'P(unmet_hours<=0) >= 99.9%'.")
@click.option("--confidence", default="95%", show_default=True, help="That no verdict is wrong, all together.")
@click.option("--samples", type=int, help="Of a value at most, instead of the study's.")
@click.option("--output", help="Folder of the stores, one for each value tried.  [default: ensembles/<name>.size]")
@click.option("--address", help="As of run.")
@click.option("--json", "as_json", is_flag=True, help="For a program.")
def size(
    config: Path,
    key: str,
    limits: str | None,
    step: str | None,
    until: str,
    confidence: str,
    samples: int | None,
    output: str | None,
    address: str | None,
    as_json: bool,
) -> None:
    """Find the smallest value of a key with which the study CONFIG meets a target, and how sure that is.

    Without --range the file's own value, the median of a distribution, is tried first, then doubled until it meets the
    target, or halved until it no longer does, four times at most.

    Values are tried by bisection, each with no more samples than its verdict needs; where both ends of a --range miss
    the target, its middle, too. What was computed is kept: the same
    command goes on from there. The exit status is 1 where no value meets the target.
    """
    import json

    from study import engine
    from study.sizing import answer, plain, search
    from study.sizing_runs import Range
    from study.storage import Storage

    sure = share_of("--confidence", confidence)
    if not 0.5 <= sure < 1.0:
        raise OptionError(f"--confidence {confidence!r}: allowed: 50 % to below 100 %")
    tried = Range.of(config, key=key, limits=limits, step=step, until=until, samples=samples, output=output)
    values = "value" if len(tried.names) == 1 else "values"
    with screen() as say:
        say.print(
            f"{tried.first.name}: {key} {tried.names[0]} to {tried.names[-1]}, {len(tried.names)} {values}, at most "
            f"{tried.most:,} samples of each"
        )
        if too_few := tried.too_few(sure):
            say.print(f"warning: {too_few}")

        def run(place: int, count: int) -> str:
            study, store = tried.study(place, count), Storage.at(tried.store(place))
            with running(store, say, brief=True) as watch:
                engine.execute(study, store, address=address, say=lambda _text: None, watch=watch)
            return store.address

        def told(one: "Tried") -> None:
            say.print(f"{key} = {tried.names[one.place]}: {one.verdict}, {one.samples:,} samples")

        found = search(
            lambda place, count, look: tried.estimate(run, place, count, look),
            tried.goal,
            len(tried.names),
            first=tried.least,
            most=tried.most,
            rungs=tried.rungs,
            start=tried.start,
            confidence=sure,
            watch=told,
        )
        more = too_few if any(one.verdict == "undecided" for one in found.tried) else ""
        said = (more, tried.limit(found) if found.place is None else "")
        found = replace(found, remarks=(*found.remarks, *filter(None, said)))
    if as_json:
        click.echo(json.dumps({"key": key, **plain(found, tried.goal, tried.names)}))
    else:
        _print(found, tried.goal, key, tried.names)
        click.echo(answer(found, key, tried.names))
    if found.place is None:
        raise SystemExit(1)


def _print(found: "Found", goal: "Goal", key: str, names: tuple[str, ...]) -> None:
    from study.sizing import shown

    console = Console(width=WIDTH, highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, title=f"target: {goal.text}", title_justify="left")
    look = 100.0 - float(f"{100.0 * (1.0 - found.look):.2g}")  # two digits of what is left to err
    for words in (key, "samples", goal.statistic.name, f"{look:.8g} % interval of a look", "verdict"):
        table.add_column(words, justify="left" if words == "verdict" else "right")
    for one in sorted(found.tried, key=lambda each: each.place):
        table.add_row(names[one.place], f"{one.samples:,}", *shown(goal, one.estimate), one.verdict)
    console.print(table)
    remarks: dict[str, list[str]] = {}
    for one in sorted(found.tried, key=lambda each: each.place):
        if one.estimate.remark:
            remarks.setdefault(one.estimate.remark, []).append(names[one.place])
    for line in (*found.remarks, *(f"{', '.join(of)}: {remark}" for remark, of in remarks.items())):
        console.print(line)
