"""What drives an ensemble's outputs: Sobol' indices of inputs and groups, for people and for programs.

From the rows that extend the ensemble (`study.pick_freeze`) where there are some, else from the ensemble itself.
"""

import difflib
import itertools
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import numpy as np
import xarray as xr
from rich.console import Console
from rich.table import Table
from rich.text import Text

from study.config import CHANCE, Study, study_of, variable_name
from study.engine import execute
from study.ensemble import ROOT, open_ensemble, open_rows, read_metadata, reading
from study.errors import EnsembleError, HotlandError
from study.failures import describe_failures
from study.intervals import Array
from study.json_text import json_text
from study.pick_freeze import (
    Column,
    MixedStudy,
    columns_of,
    driven_groups,
    extended_study,
    groups_of,
    inputs_of,
    refuse_missing,
    store_of,
)
from study.quantity import short
from study.sensitivity import chance_variance, from_ensemble, saltelli, shapley
from study.storage import Storage
from study.sweep import SweptStudy, one_design
from study.variables import ACCOUNTS, MONEY, OF_WINTERS, OPERATION, OWN_POWER_VARIABLES, SAMPLE_VARIABLES, variables_of
from study.verification import stored_study

USUAL = ("carbon_reduction", "unmet_hours", "shortfall", "claim_missed")
EVENTS = {
    "shortfall": "winters in which heat falls short",
    "claim_missed": "carbon reduction below what was promised",
}
"""What can go wrong, 1 where it does and else 0: their indices are those of the region where it does."""
SAVINGS = ("net_present_value", "cost_of_avoided_carbon", "payback_time")
"""Outputs in money that are held against the replaced supply."""
_BAR = 16


class UnknownOutputError(HotlandError):
    """There is no such output, or not of such a winter."""


@dataclass(frozen=True)
class Number:
    """An index and its interval; nan where there is none."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Index:
    """How far an input, or a group of them, drives an output.

    Attributes
    ----------
    name, keys
        As in the ensemble, and as in the study file; chance is weather and outages.
    first, total
        Share of the variance that it explains alone, and with all its interactions.
    remark
        Why a number is missing, or what is to be known of it.
    """

    name: str
    keys: tuple[str, ...]
    first: Number
    total: Number
    remark: str

    @property
    def label(self) -> str:
        """Its keys in the study file if it is named after them, else its name."""
        return " + ".join(self.keys) if self.name == " + ".join(map(variable_name, self.keys)) else self.name


@dataclass(frozen=True)
class Share:
    """The share of the variance that is due to one input of several correlated ones, its Shapley effect."""

    name: str
    keys: tuple[str, ...]
    shapley: Number
    remark: str


@dataclass(frozen=True)
class Drivers:
    """What drives one output.

    Attributes
    ----------
    output, words, units
        Its name, in words, and its units.
    winter
        Number of the winter, or None for the mean of all.
    inputs, groups
        Those that can change it; the largest total index first, where there is none, the largest first-order index.
    idle
        Names of the groups that cannot (`acts_on`).
    shares
        Of each input, where some are correlated; else none.
    unexplained, chance
        Share of the variance that the fit to the ensemble does not explain, and of it what is chance, nan where that is
        not known; None where rows extend the ensemble, which have chance among the inputs.
    """

    output: str
    words: str
    units: str
    winter: int | None
    inputs: tuple[Index, ...]
    groups: tuple[Index, ...]
    idle: tuple[str, ...]
    shares: tuple[Share, ...]
    unexplained: Number | None
    chance: float | None


@dataclass(frozen=True)
class Answer:
    """Drivers of some outputs of an ensemble.

    Attributes
    ----------
    study
        Its name.
    samples, failed
        Of the ensemble.
    failures
        Of which kind, and where in the input space they lie, in words (`study.failures`): of the ensemble and of the
        rows that extend it.
    extended
        How many of its samples are extended by further rows; 0 where the indices come from the ensemble alone.
    statement
        Which inputs are correlated, and what that means; empty where none are.
    drivers
        One for each output, and winter.
    """

    study: str
    samples: int
    failed: int
    failures: tuple[str, ...]
    extended: int
    statement: str
    drivers: tuple[Drivers, ...]


def what_drives(
    store: str,
    outputs: Sequence[str] = (),
    *,
    winter: int | str = "mean",
    most_failed: float = 0.01,
    at: Sequence[str] = (),
) -> Answer:
    """Return Sobol' indices, with 95 % intervals, of what an ensemble holds.

    Parameters
    ----------
    store
        The ensemble.
    outputs
        Variables of `study.variables`, or `EVENTS`; by default those of `USUAL` that there are.
    winter
        Number of a winter, "mean" for the mean of all, "each" for one after the other.
    most_failed
        Largest share of failed samples with which indices are given.
    at
        Of a sweep, which design, as of `study.sweep.one_design`.

    Raises
    ------
    UnknownOutputError
        When there is no such output or winter.
    EnsembleError
        When there is no ensemble, or what extends it is unfinished, of another study or of other code.
    """
    storage = Storage.at(store)
    dataset = open_ensemble(store)
    with reading(storage):
        dataset = one_design(dataset, at, store=storage)
        study = study_of(dataset.attrs)
        inputs = dataset[[variable_name(key) for key in study.drawn]].drop_vars("reason", errors="ignore").load()
        failed = int((dataset["status"] != 0).sum())
        failures = describe_failures(dataset)
    outputs = outputs or [name for name in USUAL if name != "claim_missed" or study.claim]
    _refuse_unknown(study, outputs, winter)
    beside = Storage.at(store_of(storage.address))
    more = _extension(beside, storage, study, dataset) if beside.exists(ROOT) else None
    if more is not None:
        with reading(beside):
            failures += [f"of the rows that extend them: {line}" for line in describe_failures(more[0])]
    sets = [[variable_name(key) for key in column.inputs] for column in inputs_of(study) if len(column.inputs) > 1]
    found: list[Drivers] = []
    for name in outputs:
        with reading(storage):
            values, chance = _values(dataset, study, name, winter), _chance(dataset, study, name, winter)
        if more is None:
            indices = _of_ensemble(inputs, study, values, chance, most_failed)
        else:
            with reading(beside):
                indices = _of_extension(values, _values(more[0], study, name, winter), more[1], most_failed)
        shares = _shapley(inputs, study, values, chance, most_failed) if sets else None
        found += _each_winter(study, name, winter, indices, shares)
    return Answer(
        study.name,
        dataset.sizes["sample"],
        failed,
        tuple(failures),
        more[1].base if more else 0,
        _statement(sets),
        tuple(found),
    )


def acts_on(study: Study, column: Column, output: str) -> bool:
    """Whether inputs can change an output at all: accounts and prices change no flow of energy, prices no account.

    What the plant costs hangs on no account, what it saves on all.
    """
    apart = {"accounting", "prices"}
    if output in MONEY or output in OPERATION:
        apart.remove("prices")
    if output in (*ACCOUNTS, *OWN_POWER_VARIABLES, *SAVINGS, "claim_missed"):
        apart.remove("accounting")
    return any(driven_groups(study, key) - apart for key in column.inputs)


def extend(store: str, rows: int) -> None:
    """Compute the rows that extend so many of an ensemble's, or what is left of them, on this machine.

    They are kept beside the ensemble, and from then on `what_drives` uses them.

    Parameters
    ----------
    rows
        A power of two times the replicates.

    Raises
    ------
    HotlandError
        As of `study.pick_freeze.extended_study` and `study.engine.run`.
    """
    mixed = extended_study(store, base=rows)
    execute(mixed, Storage.at(store_of(Storage.at(store).address)))


def refuse_unknown(store: str, outputs: Sequence[str], winter: int | str, at: Sequence[str] = ()) -> None:
    """Raise UnknownOutputError when an ensemble has no such output or winter, without a look at its rows."""
    storage = Storage.at(store)
    with reading(storage):
        study = stored_study(storage)
        if at or isinstance(study, SweptStudy):
            study = study_of(one_design(open_ensemble(store), at, store=storage).attrs)
    _refuse_unknown(study, outputs, winter)


def _refuse_unknown(study: Study, outputs: Sequence[str], winter: int | str) -> None:
    money = MONEY if study.economics else ()
    there = (*variables_of(study), *EVENTS, *money, "largest_unit_out_share", "energy_imbalance")
    for name in outputs:
        if name not in there:
            nearest = ", ".join(difflib.get_close_matches(name, there, n=3, cutoff=0))
            raise UnknownOutputError(f"--output {short(name)}: no output; the nearest ones are {nearest}")
        if name == "claim_missed" and not study.claim:
            raise UnknownOutputError(f"--output {name}: the study makes no claim")
    if isinstance(winter, int) and not 1 <= winter <= study.winters:
        raise UnknownOutputError(f"--winter {winter}: allowed: 1 to {study.winters}, mean or each")


def _statement(sets: list[list[str]]) -> str:
    if not sets:
        return ""
    which = "; ".join(" and ".join(each) for each in sets)
    return (
        f"Correlated inputs ({which}) have no indices of their own, but as a whole; the share of each is its Shapley "
        "effect."
    )


def _extension(beside: Storage, storage: Storage, study: Study, dataset: xr.Dataset) -> tuple[xr.Dataset, MixedStudy]:
    """Open the rows that extend an ensemble, all of them there."""
    again = f"remove it, and extend the ensemble again: `hotland sensitivity {storage} --extend ROWS`"
    with reading(beside):
        mixed = stored_study(beside)
        if not isinstance(mixed, MixedStudy) or mixed.extends != study.fingerprint():
            raise EnsembleError(f"{beside}: it does not extend {storage}, but another study's ensemble; {again}")
        codes = {read_metadata(each)["attributes"].get("code_fingerprint") for each in (beside, storage)}
        if len(codes) > 1 or mixed.mixed != columns_of(study):
            raise EnsembleError(f"{beside}: made by another version of hotland than {storage}; {again}")
        rows = open_rows(beside)
    if rows.sizes["sample"] < mixed.samples:
        raise EnsembleError(
            f"{beside}: unfinished, {rows.sizes['sample']:,} of {mixed.samples:,} rows are there; "
            f"`hotland sensitivity {storage} --extend {mixed.base}` computes the rest"
        )
    refuse_missing(storage, dataset, mixed.base)
    return rows, mixed


def _values(dataset: xr.Dataset, study: Study, name: str, winter: int | str) -> xr.DataArray:
    """An output by sample, and by winter if each is asked for; nan where a sample failed."""
    if name == "shortfall":
        hours = dataset["unmet_hours"]
        values = (hours > 0).where(np.isfinite(hours))
    else:
        values = dataset["carbon_reduction" if name == "claim_missed" else name]
    if "winter" in values.dims and winter != "each":
        values = values.mean("winter", skipna=False) if winter == "mean" else values.sel(winter=winter)
    if name == "claim_missed" and study.claim:
        values = (values < study.claim.carbon_reduction).where(np.isfinite(values))
    return values.where(dataset["status"] == 0).load().assign_coords(replicate=dataset["replicate"])


def _of_extension(values: xr.DataArray, further: xr.DataArray, mixed: MixedStudy, most_failed: float) -> xr.Dataset:
    base = values.isel(sample=slice(mixed.base)).drop_vars("sample", errors="ignore")
    rows = [
        further.isel(sample=slice(m, None, mixed.matrices)).drop_vars(["sample", "replicate"], errors="ignore")
        for m in range(mixed.matrices)
    ]
    names = xr.DataArray([column.name for column in mixed.mixed], dims="input", name="input")
    return saltelli(base, rows[0], xr.concat(rows[1:], names), most_failed=most_failed)


def _of_ensemble(
    inputs: xr.Dataset, study: Study, values: xr.DataArray, chance: xr.DataArray | None, most_failed: float
) -> xr.Dataset:
    groups = {
        column.name: [variable_name(key) for key in column.inputs if key != CHANCE] for column in columns_of(study)
    }
    return from_ensemble(
        inputs,
        values,
        groups={name: members for name, members in groups.items() if members},
        quantiles=_quantiles(study),
        correlation=_correlation(study),
        chance=chance,
        most_failed=most_failed,
    )


def _shapley(
    inputs: xr.Dataset, study: Study, values: xr.DataArray, chance: xr.DataArray | None, most_failed: float
) -> xr.Dataset:
    return shapley(
        inputs,
        values,
        quantiles=_quantiles(study),
        correlation=_correlation(study),
        chance=chance,
        most_failed=most_failed,
    )


def _quantiles(study: Study) -> dict[str, Callable[[Array], Array]]:
    """Quantile functions of all uncertain inputs."""
    return {variable_name(key): item.quantile for key, item in study.drawn.items()}


def _chance(dataset: xr.Dataset, study: Study, name: str, winter: int | str) -> xr.DataArray | None:
    """Variance of chance within an output; None where it is not known."""
    if name in SAMPLE_VARIABLES:
        return xr.zeros_like(dataset[name].load())
    if study.winters == 1 or name == "claim_missed":
        return None
    variance = chance_variance(_values(dataset, study, name, "each"))
    return variance / (study.winters if winter == "mean" else 1)


def _correlation(study: Study) -> xr.DataArray:
    """Rank correlations of all uncertain inputs, (input, other_input)."""
    names = [variable_name(key) for key in study.drawn]
    matrix = xr.DataArray(np.eye(len(names)), {"input": names, "other_input": names}, ("input", "other_input"))
    for correlation in study.correlations:
        one, other = map(variable_name, correlation.inputs)
        for place in ((one, other), (other, one)):
            matrix.loc[place] = correlation.rank_correlation
    return matrix


def _each_winter(
    study: Study, name: str, winter: int | str, indices: xr.Dataset, shares: xr.Dataset | None
) -> Iterator[Drivers]:
    about = {**OF_WINTERS, **SAMPLE_VARIABLES}.get(name, {"long_name": EVENTS.get(name, ""), "units": "1"})
    groups = groups_of(study)
    columns = {
        kind: [column for column in some if acts_on(study, column, name)]
        for kind, some in (("inputs", inputs_of(study)), ("groups", groups))
    }
    idle = tuple(column.name for column in groups if column not in columns["groups"])
    drawn = {column.inputs: column.name for column in columns_of(study)}  # a group may be a single input
    if "winter" not in indices.dims:
        alone = winter if isinstance(winter, int) and name not in SAMPLE_VARIABLES else None
        each = [(alone, indices, shares)]
    else:
        each = [(w, indices.sel(winter=w), shares and shares.sel(winter=w)) for w in indices["winter"].values.tolist()]
    for number, here, share in each:
        there = set(here["input"].values.tolist())
        found = {
            kind: sorted(
                (
                    _index(here.sel(input=drawn[column.inputs]), column)
                    for column in some
                    if drawn.get(column.inputs) in there
                ),
                key=lambda index: tuple(-np.nan_to_num([index.total.value, index.first.value], nan=-np.inf)),
            )
            for kind, some in columns.items()
        }
        yield Drivers(
            name,
            about["long_name"],
            about["units"],
            number,
            tuple(found["inputs"]),
            tuple(found["groups"]),
            idle,
            tuple(_shares(share, study)),
            _number(here, "unexplained") if "unexplained" in here else None,
            float(here["chance_share"]) if "chance_share" in here else None,
        )


def _index(found: xr.Dataset, column: Column) -> Index:
    first, remark = _number(found, "first"), str(found["remark"].item())
    if np.isnan(first.value) and "rank_first" in found and np.isfinite(found["rank_first"]):
        first, remark = _number(found, "rank_first"), f"first-order from ranks; {remark}"
    keys = column.inputs
    if "rank_first" in found and CHANCE in keys:
        keys = tuple(key for key in keys if key != CHANCE)
        remark = "; ".join(filter(None, [remark, "without chance, which needs further rows"]))
    return Index(column.name, keys, first, _number(found, "total"), remark)


def _shares(found: xr.Dataset | None, study: Study) -> list[Share]:
    if found is None:
        return []
    keys = {variable_name(key): key for key in study.drawn}
    each = [found.sel(input=name) for name in found["input"].values.tolist()]
    shares = [
        Share(str(s["input"].item()), (keys[s["input"].item()],), _number(s, "shapley"), str(s["remark"].item()))
        for s in each
    ]
    return sorted(shares, key=lambda share: -np.nan_to_num(share.shapley.value, nan=-np.inf))


def _number(found: xr.Dataset, name: str) -> Number:
    return Number(*(float(found[f"{name}{end}"]) for end in ("", "_low", "_high")))


def to_json(answer: Answer) -> str:
    """The answer for a program; null where there is no number."""
    return json_text({"confidence": 0.95, **asdict(answer)})


def print_tables(answer: Answer, console: Console) -> None:
    """Print the answer for people: a table for each output, or one with all its winters."""
    text = f"{answer.study}: Sobol' indices, shares of the variance, "
    if answer.extended:
        text += f"from {answer.extended:,} samples extended by rows in which one input at a time is drawn anew"
    else:
        text += f"from a polynomial chaos fitted to the {answer.samples:,} samples"
    console.print("\n".join([text, *answer.failures]), markup=False)
    by_output = itertools.groupby(answer.drivers, key=lambda drivers: drivers.output)
    for _, several in by_output:
        winters = list(several)
        if len(winters) == 1:
            _print_one(winters[0], console)
        else:
            _print_winters(winters, console)
    console.print()
    if answer.statement:
        console.print(answer.statement)
    if not answer.extended:
        console.print(
            "More surely, and with chance among the inputs: `hotland sensitivity STORE --extend ROWS`, which computes "
            "more rows."
        )
    console.print("Intervals are sampling error alone: they say nothing of whether the study's assumptions are right.")


def _print_one(drivers: Drivers, console: Console) -> None:
    when = "mean of all winters" if drivers.winter is None else f"winter {drivers.winter}"
    table = Table(box=None, pad_edge=False)
    table.add_column("", width=38)
    for name, width in (("first-order", 11), ("95 % interval", 16), ("total", 8), ("95 % interval", 16)):
        table.add_column(name, justify="right", no_wrap=True, width=width)
    table.add_column("", no_wrap=True, width=_BAR)
    remarks: dict[str, list[str]] = {}
    for title, indices in (("inputs", drivers.inputs), ("groups", drivers.groups)):
        table.add_row(Text(title, style="bold"))
        for index in indices:
            numbers = (*_cells(index.first), *_cells(index.total))
            table.add_row(f"  {index.label}", *numbers, _bar(index))
            if index.remark:
                remarks.setdefault(index.remark, []).append(index.label)
    correlated = {key for index in drivers.inputs if len(index.keys) > 1 for key in index.keys}
    shares = [share for share in drivers.shares if correlated & set(share.keys)]
    if shares:
        table.add_row(Text("Shapley effects of correlated inputs", style="bold"))
        for share in shares:
            table.add_row(f"  {share.keys[0]}", "", "", *_cells(share.shapley))
            if share.remark:
                remarks.setdefault(share.remark, []).append(f"Shapley effect of {share.keys[0]}")
    console.print()
    console.print(Text(f"{drivers.output}: {drivers.words}, {when}", style="bold"))
    if any(np.isfinite([index.first.value, index.total.value]).any() for index in drivers.inputs):
        console.print(table)
    else:
        console.print("  no indices")
    for remark, names in remarks.items():
        some = ", ".join(names) if len(names) <= 3 else f"{len(names)} of them"
        console.print(f"  {some}: {remark}")
    if drivers.idle:
        console.print(f"  no part in it: {', '.join(drivers.idle)}")
    if drivers.unexplained is not None and np.isfinite(drivers.unexplained.value):
        said = f"  not explained by the fit: {_words(drivers.unexplained)} of the variance"
        if drivers.chance is not None and np.isfinite(drivers.chance):
            said += f"; chance (weather and outages) is {drivers.chance:.3f}"
        console.print(said)


def _print_winters(winters: list[Drivers], console: Console) -> None:
    last = winters[-1].winter or 0
    chosen = [each for each in winters if each.winter in {1, 2, 5, 10, 20, 30, last}]
    table = Table(box=None, pad_edge=False)
    table.add_column("total index, ± 95 %", width=44)
    for each in chosen:
        table.add_column(f"winter {each.winter}", justify="right", no_wrap=True)
    for kind in ("inputs", "groups"):
        table.add_row(Text(kind, style="bold"))
        by_name = [{index.name: index for index in getattr(each, kind)} for each in chosen]
        for index in getattr(winters[-1], kind):
            cells = [_short(each[index.name].total) for each in by_name]
            table.add_row(f"  {index.label}", *cells)
    console.print()
    console.print(Text(f"{winters[0].output}: {winters[0].words}, winter by winter", style="bold"))
    console.print(table)
    if winters[-1].idle:
        console.print(f"  no part in it: {', '.join(winters[-1].idle)}")
    remarks = Counter(index.remark for each in chosen for index in (*each.inputs, *each.groups) if index.remark)
    for remark, times in remarks.items():
        console.print(f"  {times} of these numbers: {remark}")


def _cells(number: Number) -> tuple[str, str]:
    if np.isnan(number.value):
        return "-", "cannot be told"
    interval = f"{number.low:.3f} to {number.high:.3f}" if np.isfinite([number.low, number.high]).all() else "-"
    return f"{number.value:.3f}", interval


def _words(number: Number) -> str:
    value, interval = _cells(number)
    return f"{value} ({interval})"


def _short(number: Number) -> str:
    if np.isnan(number.value):
        return "-"
    half = (number.high - number.low) / 2
    return f"{number.value:.2f} ± {half:.2f}" if np.isfinite(half) else f"{number.value:.2f}"


def _bar(index: Index) -> str:
    """Full for what the input explains alone, shaded for its interactions."""
    if np.isnan(index.total.value):
        return ""
    total, first = (round(_BAR * float(np.clip(x, 0.0, 1.0))) for x in (index.total.value, index.first.value))
    first = min(first, total) if np.isfinite(index.first.value) else 0
    return "█" * first + "░" * (total - first)
