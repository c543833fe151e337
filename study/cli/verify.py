"""`hotland verify`."""

import click

from study.errors import RunError


@click.command()
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
