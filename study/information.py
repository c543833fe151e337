"""What a store knows of itself: study, code, machines, and every run that wrote to it."""

import operator
from collections import Counter
from typing import TYPE_CHECKING, Any

from study.config import study_of
from study.ensemble import Ensemble, open_ensemble, read_metadata, reading
from study.failures import describe_failures
from study.runs import runs
from study.storage import Storage
from study.sweep import SweptStudy, designs

if TYPE_CHECKING:
    import xarray as xr

MOST_FAILED = 20
"""Failed rows that are told one by one to a person."""


def information(store: str) -> dict[str, Any]:
    """Return what a store knows of itself, ready for JSON.

    Returns
    -------
    `store`, `title`, `created`, `seed`, `fingerprint`, `code_fingerprint`, `kernels_fingerprint`, `packages`,
    `hotland_format`, `samples`, `samples_done`, `blocks`, `blocks_done`, `block_size`, `core_hours`, `machines` (each
    with its number of blocks), `runs` (each with its begin, end, state and what it tried again), `failed` (rows with
    their reasons), `failures` (how many, of what, and where they lie, in words).

    Raises
    ------
    EnsembleError
        When it is not an ensemble of hotland, or damaged.
    """
    storage = Storage.at(store)
    ensemble = Ensemble.open(storage)
    received = ensemble.received()
    receipts = ensemble.receipts(received)
    with reading(storage):
        attributes = read_metadata(storage)["attributes"]
        names = ("title", "created", "seed", "fingerprint", "code_fingerprint", "kernels_fingerprint")
        machines = Counter(
            tuple(sorted((key, str(value)) for key, value in dict(receipt.get("machine") or {}).items()))
            for receipt in receipts
        )
        failed = {row: reason for receipt in receipts for row, reason in receipt["failed"].items()}
        failed = {row: failed[row] for row in sorted(failed) if row < ensemble.samples}
        return {
            "store": str(storage),
            **{name: attributes.get(name) for name in names},
            "packages": {name: str(number) for name, number in dict(attributes.get("packages") or {}).items()},
            "hotland_format": attributes["hotland_format"],
            "samples": ensemble.samples,
            "samples_done": sum(map(ensemble.counted, received)),
            "blocks": sum(1 for _ in ensemble.blocks()),
            "blocks_done": len(received),
            "block_size": ensemble.block_size,
            "core_hours": sum(float(receipt.get("seconds", 0.0)) for receipt in receipts) / 3600.0,
            "machines": [{**dict(machine), "blocks": count} for machine, count in machines.items()],
            "runs": [_checked(run) for run in runs(storage)],
            "failed": failed,
            "failures": _failures(open_ensemble(store)) if failed else [],
        }


def _failures(dataset: "xr.Dataset") -> list[str]:
    if not isinstance(study_of(dataset.attrs), SweptStudy):
        return describe_failures(dataset)
    return [f"{name}: {text}" for name, each in designs(dataset).items() for text in describe_failures(each)]


def _checked(run: dict[str, Any]) -> dict[str, Any]:
    """Return the record of a run, whose numbers are numbers and whose retries are records; else TypeError."""
    retries = [{key: str(retry[key]) for key in ("time", "block", "fault")} for retry in run.get("retries", [])]
    return {**run, "samples": operator.index(run.get("samples", 0)), "retries": retries}


def _time(core_hours: float) -> str:
    return f"{core_hours:.3g} core hours" if core_hours >= 1.0 else f"{3600.0 * core_hours:.3g} core seconds"


def describe(found: dict[str, Any]) -> list[str]:
    """What `information` found, in lines for a person."""
    packages = ", ".join(f"{name} {number}" for name, number in found["packages"].items())
    lines = [
        f"{found['store']}: {found['title']}",
        f"samples       {found['samples_done']:,} of {found['samples']:,}, seed {found['seed']}",
        f"blocks        {found['blocks_done']:,} of {found['blocks']:,}, of {found['block_size']:,} samples",
        f"study         {found['fingerprint']}",
        f"code          {found['code_fingerprint']}",
        f"kernels       {found['kernels_fingerprint'] or 'not recorded'}",
        f"packages      {packages}",
        f"store         made {found['created']}, format {found['hotland_format']}",
        f"computing     {_time(found['core_hours'])}",
    ]
    for machine in found["machines"]:
        words = (machine.get(key) for key in ("host", "processor", "system", "python"))
        said = ", ".join(str(word) for word in words if word) or "not recorded"
        lines.append(f"machine       {said}: {machine['blocks']:,} blocks")
    for run in found["runs"]:
        end = f"{run['state']} {run.get('ended', '')}" if "state" in run else f"last seen {run.get('alive', 'never')}"
        lines.append(
            f"run {run['number']:<9} {run.get('began')} on {run.get('host')} ({run.get('address')}): {end}, "
            f"{run['samples']:,} samples"
        )
        if run.get("reason"):
            lines.append(f"              {str(run['reason']).splitlines()[0]}")
        lines += [f"  tried again {each['time']} block {each['block']}: {each['fault']}" for each in run["retries"]]
    lines += [f"failures      {line}" for line in found["failures"]]
    failed = list(found["failed"].items())
    lines += [f"failed row    {row}: {reason}" for row, reason in failed[:MOST_FAILED]] or ["failed rows   none"]
    if len(failed) > MOST_FAILED:
        lines.append(f"              and {len(failed) - MOST_FAILED:,} more; `hotland info --json` tells them all")
    return ["".join(each if each.isprintable() else " " for each in line) for line in lines]
