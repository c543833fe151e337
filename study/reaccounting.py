"""Another account of a finished ensemble, of carbon or of money, from the flows of energy that it holds.

What an account is made of (`study.accounting`) is stored, or drawn again, so nothing is simulated but the rows that
fail: those may fail no longer, or others instead. The new ensemble has the bits that a run with the account has.
"""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from study.accounting import FLOWS, account
from study.carbon import NEEDED, built_in_baseline
from study.config import Study, variable_name
from study.costs import PRICED, price
from study.engine import prepare
from study.ensemble import Block, Ensemble, chunk_key, decode, digest, encode, read_metadata, reading
from study.errors import ConfigError, EnsembleError
from study.expression import keys_of
from study.job import Progress
from study.pick_freeze import MixedStudy
from study.provenance import code_fingerprint
from study.quantity import short
from study.reading import read_yaml, validate
from study.runs import Run, now
from study.sampling import sample_inputs
from study.simulation import screen, simulate
from study.storage import Storage
from study.sweep import SweptStudy
from study.tally import Tally
from study.variables import ACCOUNTS, MONEY, OK, OPERATION, TYPES, sample_variables_of, variables_of
from study.verification import chunks_in, damaged, stored_study

SECTIONS = ("carbon", "park", "shallow_field", "economics", "claim")
"""What a file of accounts may say."""
OF_ACCOUNTS = ("carbon.", "park.", "shallow_field.", "economics.")
"""Beginnings of the keys of inputs that change no flow of energy."""
CERTIFIED = {"value": 1, "source": "assumption: certificates for all of it"}
_OF_BASELINE = ("network_loss", "baseline_decline", *dict.fromkeys(key for keys in NEEDED.values() for key in keys))
_OF_ELECTRICITY = ("electricity_account", "green_power_share", "residual_factor", "residual_decline")


def with_account(
    study: Study, *, baseline: str | None = None, electricity: str | None = None, accounts: str | Path | None = None
) -> Study:
    """Return the study with another account.

    Parameters
    ----------
    baseline
        A built-in one of `study.carbon.BASELINES`, with the figures that come with it.
    electricity
        A `study.carbon.ElectricityAccount`; market-based as the study has it, or if it has no such account with
        certificates for all of it.
    accounts
        A YAML file with any of the `SECTIONS` of a study file: their keys go before the study's.

    Raises
    ------
    ConfigError
        When the file or the account makes no sense, or the study has not what it needs.
    """
    _refuse_other_flows(study)
    resolved = study.resolved()
    label = f"study {study.name!r}"
    if accounts is not None:
        label = str(accounts)
        given = read_yaml(accounts)
        for key, value in given.items():
            if key not in SECTIONS or not isinstance(value, dict):
                raise ConfigError(f"{accounts}: {key}: allowed: {', '.join(SECTIONS)}, each a mapping")
            of_study = resolved.get(key, {})
            if key == "carbon" and "baseline" in value:
                try:
                    of_study = _with_baseline(of_study, value["baseline"])
                except ConfigError as error:
                    raise ConfigError(f"{accounts}: carbon.{error}") from None
            resolved[key] = {**of_study, **value}
    if baseline is not None:
        resolved["carbon"] = _with_baseline(resolved["carbon"], baseline)
    if electricity is not None:
        given = resolved["carbon"]
        resolved["carbon"] = {key: value for key, value in given.items() if key not in _OF_ELECTRICITY}
        resolved["carbon"]["electricity_account"] = electricity
        if electricity == "market":
            certified = given.get("electricity_account") == "market" or study.carbon.certified
            of_market = {key: given[key] for key in _OF_ELECTRICITY[1:] if key in given}
            resolved["carbon"] |= of_market if certified else {"green_power_share": CERTIFIED}
    _drop_what_is_gone(study, resolved)
    other = validate(Study, resolved, label=label, folder=Path(accounts).parent if accounts else None)
    _refuse_other_hours(study, other, label)
    return other


def _refuse_other_hours(study: Study, other: Study, label: str) -> None:
    """Raise ConfigError when the tariff's periods are not those whose electricity the ensemble holds."""
    held, asked = (each.economics.electricity.when if each.economics else {} for each in (study, other))
    if asked != held:
        has = ", ".join(held) or "none: one price at all hours"
        raise ConfigError(
            f"{label}: economics.electricity: other periods of the day than the ensemble was run with ({has}); "
            "allowed: other prices in the same hours and months, as the electricity of other hours is not stored; run "
            "the study with them"
        )


def _refuse_other_flows(study: Study) -> None:
    """Raise ConfigError when what happens in the wells hangs on an account: another one would need another run."""
    for key, expression in study.derived.items():
        used = sorted(each for each in expression.keys if each.startswith(OF_ACCOUNTS))
        if used and not key.startswith(OF_ACCOUNTS):
            raise ConfigError(
                f"study {study.name!r}: {key} is derived from {used[0]}, so that another account has other flows of "
                "energy; run the study with it"
            )


def _drop_what_is_gone(study: Study, resolved: dict[str, Any]) -> None:
    """Leave out parameters that nothing names any more, and correlations of inputs that are no longer drawn.

    Raises
    ------
    ConfigError
        When an input that is not of the accounts is correlated with one that is gone: its draws may change.
    """
    pairs = []
    for correlation in resolved.get("correlations", ()):
        gone = [key for key in correlation["inputs"] if not _drawn(resolved, key)]
        kept = [key for key in correlation["inputs"] if key not in gone]
        if gone and any(not key.startswith(OF_ACCOUNTS) for key in kept):
            raise ConfigError(
                f"study {study.name!r}: {kept[0]} is correlated with {gone[0]}, which this account has not: its draws "
                "would change; run the study with it"
            )
        pairs += [] if gone else [correlation]
    resolved["correlations"], named = pairs, _names(resolved)
    own = {name: value for name, value in resolved.pop("parameters", {}).items() if f"parameters.{name}" in named}
    resolved |= {"parameters": own} if own else {}


def _names(node: Any) -> set[str]:
    """Keys that the expressions among plain values name."""
    if isinstance(node, dict):
        own = keys_of(node["expression"]) if isinstance(node.get("expression"), str) else frozenset()
        return set(own).union(*map(_names, node.values()))
    return set().union(*map(_names, node)) if isinstance(node, list) else set()


def _drawn(resolved: Mapping[str, Any], key: str) -> bool:
    """Whether a resolved study has a distribution at a dotted key."""
    node: Any = resolved
    for part in key.split("."):
        node = node.get(part) if isinstance(node, dict) else node[int(part)] if part.isdigit() else None
    return isinstance(node, dict) and "distribution" in node


def _with_baseline(carbon: Mapping[str, Any], name: object) -> dict[str, Any]:
    if not isinstance(name, str) or name not in NEEDED:
        raise ConfigError(f"baseline {short(name)}: allowed: {', '.join(NEEDED)}")
    kept = {key: value for key, value in carbon.items() if key not in _OF_BASELINE}
    return {**kept, **built_in_baseline(str(name)), "baseline": name}


def reaccount(
    store: str | Path,
    output: str | Path,
    *,
    baseline: str | None = None,
    electricity: str | None = None,
    accounts: str | Path | None = None,
    take_over: bool = False,
    say: Callable[[str], None] = lambda _text: None,
    watch: Callable[[Progress], None] = lambda _progress: None,
) -> Storage:
    """Write an ensemble with another account; killed at any moment, the same call goes on.

    Parameters
    ----------
    store
        The ensemble.
    output
        Where the new one goes, a folder or an address in an object store.
    baseline, electricity, accounts
        As of `with_account`.
    take_over, say
        As of `study.engine.execute`.
    watch
        Told how far it is; no statistics are kept meanwhile.

    Raises
    ------
    HotlandError
        When the account makes no sense, the ensemble cannot be read or was made by other code, or the output is another
        study's.
    """
    source, target = Storage.at(store), Storage.at(output)
    if source == target:
        raise EnsembleError(f"{target}: an account is no place for another; give another --output")
    of_source = Ensemble.open(source)
    before = stored_study(source)
    if isinstance(before, SweptStudy):
        raise EnsembleError(
            f"{source}: a sweep of {before.points} designs, and this takes one, in a store by itself: there is no "
            "other account of a sweep, nor of one of its designs; allowed: its own account (`hotland account --at`), "
            "the sweep run with the other account in its study file, or a design run by itself, from a file without "
            "sweep:"
        )
    if isinstance(before, MixedStudy):
        raise EnsembleError(f"{source}: its rows extend an ensemble; give the ensemble beside it")
    study = with_account(before, baseline=baseline, electricity=electricity, accounts=accounts)
    with reading(source):
        metadata = read_metadata(source)
        arrays = {
            name: array
            for name, array in metadata["consolidated_metadata"]["metadata"].items()
            if array["node_type"] == "array"
        }
        if metadata["attributes"].get("code_fingerprint") != code_fingerprint():
            raise EnsembleError(
                f"{source}: made by another version of hotland, which counts in another way; run the study again"
            )
    target.refuse_unwritable()
    ensemble, missing = prepare(study, target, block_size=of_source.block_size)
    if ensemble.block_size != of_source.block_size:
        raise EnsembleError(f"{target}: its blocks are not those of {source}; give another --output")
    there = {block.index for block in of_source.received()}
    blocks = [block for block in missing if block.index in there]
    run = Run.begin(target, {"address": "local", "accounts of": str(source)}, take_over=take_over, say=say)
    state = "failed"
    progress = Progress(sum(map(ensemble.counted, blocks)), Tally.empty(study))
    try:
        for block in blocks:
            watch(progress)
            with reading(source):
                (receipt,) = of_source.receipts([block])
                read = functools.cache(source.read)
                if problems := damaged(read, block, receipt, chunks_in(before, arrays, block)):
                    raise EnsembleError(f"{source}: damaged: {problems[0]}; `hotland verify` tells all")
                _write(study, before, ensemble, block, receipt, read)
            progress.done += ensemble.counted(block)
        watch(progress)
        state = "finished"
        if len(blocks) < len(missing):
            done, rows = (sum(map(each.counted, each.received())) for each in (ensemble, of_source))
            say(
                f"{target}: {done:,} of {ensemble.samples:,} samples: {source} has no more than {rows:,}; once it is "
                "finished, the same command goes on"
            )
    except KeyboardInterrupt:
        state = "interrupted"
        raise
    finally:
        run.end(state, {"samples": sum(map(ensemble.counted, blocks))})
    return target


def _write(
    study: Study,
    before: Study,
    ensemble: Ensemble,
    block: Block,
    receipt: Mapping[str, Any],
    read: Callable[[str], bytes],
) -> None:
    """Write a block of the new ensemble: flows of energy as they are stored, accounts and inputs made again."""
    made_again = {*ACCOUNTS, *MONEY, *OPERATION, *map(variable_name, before.uncertain)}
    names = [name for name in receipt["sha256"] if name.partition("/")[0] not in made_again]
    objects = {name: read(name) for name in names}
    digests = {name: receipt["sha256"][name] for name in names}
    of_winters = variables_of(study)

    def stored(name: str) -> NDArray[Any]:
        """Numbers of a variable of samples or winters."""
        shape = (ensemble.block_size, study.winters) if name in of_winters else (ensemble.block_size,)
        return decode(objects[f"{name}/{chunk_key(block.index, len(shape))}"], shape, TYPES.get(name, "float64"))

    inputs = sample_inputs(study, block.rows)
    with np.errstate(all="ignore"):  # what is not finite fails
        accounts = account(study, inputs, {name: stored(name).T for name in FLOWS if name in of_winters})
        if study.economics:
            flows = {n: stored(n).T for n in PRICED if n in of_winters and n not in accounts}
            accounts |= price(study, inputs, flows | accounts)
    values = {name: value.T for name, value in accounts.items()}
    finite = [np.isfinite(value).reshape(len(value), -1).all(axis=1) for value in values.values()]
    unfit = (stored("status") != OK) | ~np.all(finite, axis=0)
    unfit[list(screen(study, inputs))] = True
    values |= {variable_name(key): inputs[key] for key in study.uncertain}
    reasons, traces = {}, None
    if len(rows := np.flatnonzero(unfit)):
        again = simulate(study, block.rows[rows])
        values |= {name: stored(name) for name in (*of_winters, *sample_variables_of(study)) if name not in values}
        values = {name: value.copy() for name, value in values.items()}
        for name, value in again.values.items():
            values[variable_name(name)][rows] = value
        reasons = {block.start + int(rows[row]): reason for row, reason in again.reasons.items()}
        traces = again.traces
    chunks = ensemble.chunks(block, values, traces)
    objects |= {name: encode(value) for name, value in chunks.items()}
    digests |= {name: digest(value) for name, value in chunks.items()}
    about: dict[str, Any] = {
        key: receipt[key] for key in ("machine", "seconds", "attempt", "written") if key in receipt
    }
    ensemble.receive(block, objects, digests, reasons, {**about, "accounted": now()})
