"""The command `hotland`, each of its commands in a file of its name.

Exit status: 0 done, 1 the run failed, 2 the input is wrong, 130 interrupted. A command imports what it needs when it is
called: help and wrong options answer at once.
"""

import io
import os
import sys
from contextlib import suppress
from pathlib import Path

import click

from study.cli.account import account
from study.cli.check import check
from study.cli.climate import climate
from study.cli.compare import compare
from study.cli.export import export
from study.cli.info import info
from study.cli.migrate import migrate
from study.cli.report import report
from study.cli.run import run
from study.cli.sensitivity import sensitivity
from study.cli.size import size
from study.cli.summary import summary
from study.cli.update import update
from study.cli.value import value
from study.cli.verify import verify
from study.cli.well import well
from study.errors import ClusterLostError, HotlandError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hotland")
def commands() -> None:
    """How sure is geothermal heat? Monte Carlo uncertainty studies of deep coaxial wells."""


for command in (
    run,
    check,
    size,
    summary,
    sensitivity,
    compare,
    value,
    update,
    report,
    info,
    account,
    verify,
    migrate,
    well,
    climate,
    export,
):
    commands.add_command(command)


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
    except click.BadParameter as error:
        if isinstance(error, click.MissingParameter):
            error.show()
        else:  # a wrong value is no matter of usage
            click.echo(error.format_message(), err=True)
        sys.exit(error.exit_code)
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
        sys.unraisablehook = lambda _unraisable: None  # of what was interrupted while it was made
        sys.exit(130)
