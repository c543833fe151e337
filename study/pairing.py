"""Whether designs were computed on common random numbers, and their samples side by side if they were.

The draws of an input are keyed by its name, and weather and outages by sample and winter (`study.sampling`,
`kernels.weather`): two studies of one seed and one design of the sample have the same ground, winters and outages in
the same sample, whatever else differs between them. A difference between the designs is then taken sample by sample,
and what is common to both falls out of it (common random numbers: Glasserman and Yao 1992, Manag. Sci. 38:884).

That is not taken on trust from the study files: what the stores hold of common inputs and winters is compared too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from study.config import Study, flatten, study_of, variable_name, without_sources
from study.errors import EnsembleError
from study.statistics import MOST_FAILED, usable

LIKE = ("seed", "design", "replicates")
"""Keys that decide which points of the unit cube and which winters a sample gets."""
_NOT_OF_A_DESIGN = ("name", "description", "samples", "stop", "traces")


@dataclass(frozen=True)
class Difference:
    """A key of the study files, and what each design says of it; None where a study has no such key."""

    key: str
    values: dict[str, str | int | float | bool | None]


@dataclass(frozen=True)
class Pairing:
    """Designs side by side.

    Attributes
    ----------
    paired
        Whether the samples of the designs are of the same ground, winters and outages.
    why_not
        Why they are not, in words; empty if they are.
    common
        What they have in common, in words.
    differences
        Between the study files; sources, names and numbers of samples are none.
    samples, failed
        Of each design, those compared and how many of them failed. In a pair they are the same for all: a sample that
        failed in one design leaves all.
    winters
        Of a sample: the first ones, as many as all designs have.
    datasets
        Those samples and winters, for the estimators of `study.statistics`.
    studies
        Of each design.
    """

    paired: bool
    why_not: tuple[str, ...]
    common: tuple[str, ...]
    differences: tuple[Difference, ...]
    samples: dict[str, int]
    failed: dict[str, int]
    winters: int
    datasets: dict[str, xr.Dataset] = field(repr=False)
    studies: dict[str, Study] = field(repr=False)


def pair(designs: Mapping[str, xr.Dataset], *, most_failed: float = MOST_FAILED) -> Pairing:
    """Put designs side by side.

    Parameters
    ----------
    designs
        Ensembles as `study.open_ensemble` gives them, by the name of the design; two or more.
    most_failed
        Largest share of failed samples.

    Raises
    ------
    ValueError
        When there is one design only.
    EnsembleError
        When a design has no samples, or too many that failed, or paired ones have no sample in common.
    """
    if len(designs) < 2:
        raise ValueError(f"designs to compare are two or more, got {len(designs)}")
    given = dict(designs)
    for name, dataset in given.items():
        if not {"sample", "winter"} <= set(getattr(dataset, "dims", ())):
            raise EnsembleError(f"{name}: allowed: an ensemble, as open_ensemble gives it, over sample and winter")
        if dataset.sizes["sample"] == 0:
            raise EnsembleError(f"{name}: no sample is done yet, so there is nothing to compare")
        try:
            usable(dataset, most_failed)
        except EnsembleError as error:
            raise EnsembleError(f"{name}: {error}; --most-failed allows more") from None
        if (dataset["status"] != 0).all():
            raise EnsembleError(f"{name}: no sample ended well, so there is nothing to compare")
    studies = {name: study_of(dataset.attrs) for name, dataset in given.items()}
    winters = min(dataset.sizes["winter"] for dataset in given.values())
    common = [f"the first {winters} winters"] if len({d.sizes["winter"] for d in given.values()}) > 1 else []
    counts = {name: dataset.sizes["sample"] for name, dataset in given.items()}
    given = {name: dataset.isel(winter=slice(winters)) for name, dataset in given.items()}
    why_not = [
        f"{key}: " + ", ".join(f"{getattr(study, key)} in {name}" for name, study in studies.items())
        for key in LIKE
        if len({getattr(study, key) for study in studies.values()}) > 1
    ]
    if not why_not:
        together = _together(given)
        said, why_not = _compared(together, studies)
        shared = next(iter(together.values())).sizes["sample"]
        if set(counts.values()) != {shared}:
            common.append(f"{shared:,} samples, of {', '.join(f'{n:,} in {name}' for name, n in counts.items())}")
        common += said
    if why_not:
        together = {name: usable(dataset, 1.0) for name, dataset in given.items()}
    return Pairing(
        paired=not why_not,
        why_not=tuple(why_not),
        common=tuple(common),
        differences=tuple(_differences(studies)),
        samples={name: dataset.sizes["sample"] for name, dataset in together.items()},
        failed={name: int(dataset["failed"].sum()) for name, dataset in together.items()},
        winters=winters,
        datasets=together,
        studies=studies,
    )


def _together(designs: dict[str, xr.Dataset]) -> dict[str, xr.Dataset]:
    """The samples that all designs have; failed where any failed."""
    rows = [dataset["sample"].values for dataset in designs.values()]
    shared = rows[0]
    for other in rows[1:]:
        shared = np.intersect1d(shared, other)
    if not len(shared):
        raise EnsembleError(f"{', '.join(designs)}: they have no sample in common: let more of each be computed")
    those = {
        name: dataset if np.array_equal(each, shared) else dataset.isel(sample=np.flatnonzero(np.isin(each, shared)))
        for (name, dataset), each in zip(designs.items(), rows, strict=True)
    }
    failed = np.any([dataset["status"].values != 0 for dataset in those.values()], axis=0)
    if failed.all():
        raise EnsembleError(
            f"{', '.join(designs)}: no sample ended well in all of them, so there is nothing to compare"
        )
    return {name: usable(dataset, 1.0).assign_coords(failed=("sample", failed)) for name, dataset in those.items()}


def _compared(designs: dict[str, xr.Dataset], studies: dict[str, Study]) -> tuple[list[str], list[str]]:
    """What the samples have in common, and what speaks against it, in words."""
    (first, one), *others = designs.items()
    good = ~one["failed"].values
    drawn = [study.drawn for study in studies.values()]
    in_all = [key for key in drawn[0] if all(key in each for each in drawn)]
    correlated = {key for study in studies.values() for pair_ in study.correlations for key in pair_.inputs}
    if len({study.correlations for study in studies.values()}) == 1:
        correlated = set()
    same = [key for key in in_all if key not in correlated and len({_said(each[key]) for each in drawn}) == 1]
    why_not = []
    for key in same:
        name = variable_name(key)
        here = one[name].values[good]
        for other, dataset in others:
            apart = int((dataset[name].values[good] != here).sum())
            if apart:
                why_not.append(
                    f"{key}: one distribution in {first} and {other}, but other values in {apart:,} of {len(here):,} "
                    "samples"
                )
    common = [f"{len(same)} uncertain inputs, the same to the last bit"] if same else []
    moved = [key for key in in_all if key not in same]
    if moved:
        common.append(f"the points that {', '.join(moved)} {'is' if len(moved) == 1 else 'are'} drawn from")
    if _same_climate(studies):
        here = one["outdoor_temperature_mean"].transpose("sample", "winter").values[good]
        for other, dataset in others:
            there = dataset["outdoor_temperature_mean"].transpose("sample", "winter").values[good]
            apart = int((there != here).sum())
            if apart:
                why_not.append(
                    f"weather: one climate in {first} and {other}, but other temperatures in {apart:,} of "
                    f"{here.size:,} winters"
                )
        common.append("every winter's weather, the same to the last bit")
    else:
        common.append("the random numbers of the weather, in another climate or season")
    common.append("the random numbers of outages")
    return common, why_not


def _said(item: object) -> str:
    """What an input says, without its source."""
    return f"{item.kind} {sorted(item.parameters.items())}"  # type: ignore[attr-defined]


def _same_climate(studies: dict[str, Study]) -> bool:
    """Whether every winter has the same weather: nothing of the climate is derived from what may differ."""
    said = [
        without_sources({key: study.resolved()[key] for key in ("climate", "season")}) for study in studies.values()
    ]
    derived = any(key.startswith("climate.") for study in studies.values() for key in study.derived)
    correlated = any(
        key.startswith("climate.") for study in studies.values() for each in study.correlations for key in each.inputs
    )
    return all(each == said[0] for each in said) and not derived and not correlated


def _differences(studies: dict[str, Study]) -> list[Difference]:
    files = {
        name: flatten(
            _in_a_line(without_sources({k: v for k, v in study.resolved().items() if k not in _NOT_OF_A_DESIGN}))
        )
        for name, study in studies.items()
    }
    keys = dict.fromkeys(key for file in files.values() for key in file)
    found = [Difference(key, {name: file.get(key) for name, file in files.items()}) for key in keys]
    return [each for each in found if len({repr(value) for value in each.values.values()}) > 1]


def _in_a_line(node: Any) -> Any:
    """Plain values as they are nested, each distribution made one text."""
    if isinstance(node, list):
        return [_in_a_line(value) for value in node]
    if not isinstance(node, dict):
        return node
    if "distribution" in node:
        return f"{node['distribution']}: " + ", ".join(f"{k} {v}" for k, v in node.items() if k != "distribution")
    return {key: _in_a_line(value) for key, value in node.items()}
