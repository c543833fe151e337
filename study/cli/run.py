"""`hotland run`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from study.cli.screen import plan_line, print_summary, running, screen, traces_line, warn
from study.errors import EnsembleError, RunError

if TYPE_CHECKING:
    from study.stopping import Judgement


@click.command()
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
@click.option("--quiet", is_flag=True, help="Print nothing but errors; the exit status tells.")
@click.option(
    "--json", "as_json", is_flag=True, help="For a program: progress in JSON lines on standard error, then the answer."
)
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
    quiet: bool,
    as_json: bool,
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

    judgements: list[Judgement] = []
    with screen(quiet=quiet, as_json=as_json) as say:
        study = load_study(config).with_overrides(samples=samples, seed=seed)
        targets, _ = engine.asked(study, until or None, hours)
        storage = Storage.at(output if output is not None else engine.default_store(study))
        say.print(
            f"{plan_line(study)}{' at most' if targets else ''}, {len(study.uncertain)} uncertain inputs, "
            f"{study.design}{traces_line(study)}"
        )
        warn(study, say)
        with running(storage, say) as watch:
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
        if not quiet:
            try:
                with reading(storage):
                    print_summary(open_ensemble(storage.address), as_json=as_json)
            except EnsembleError as error:  # too many samples failed, or the store is damaged
                raise RunError(str(error)) from error
        if text := missed(judgements):
            raise RunError(text)
