"""Rows for Sobol' indices that extend an ensemble: each of its rows with one input, or some, drawn anew.

With A_i the row i of the ensemble and B_i that of an independent design, there follow, for each i, B_i and for every
*column* j, an input or a group of them, AB_ij: A_i with the column from B_i (Saltelli et al. 2010, Comput. Phys.
Commun. 181:259; "pick-freeze" in Janon et al. 2014, ESAIM Probab. Stat. 18:342). A_i itself is not computed again.
Chance, which is weather and outages, is a column like any other: A_i has that of sample i, and AB_i,chance another.

Correlated inputs are drawn anew together, as one column: what remains independent are sets of them.

These rows are a study of their own, `MixedStudy`, with a store beside the ensemble: it is run, continued, extended and
verified as any other. Its row i·M + m is B_i for m = 0, else AB_im, so that a longer one begins with the shorter.
"""

from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from study.config import CHANCE, Study, variable_name
from study.ensemble import open_ensemble, reading, refuse_other_study
from study.errors import EnsembleError
from study.reading import Section
from study.storage import Storage

if TYPE_CHECKING:
    import xarray as xr

GROUPS: dict[str, tuple[str, ...]] = {
    "ground": ("rock.", "geothermal_gradient", "surface_temperature"),
    "winter": ("climate.", "winter_load", CHANCE),
    "plant": (
        *("well.", "fluid.", "field.", "heat_pump.", "peak_heating.", "reserve_heating.", "heat_storage."),
        *("circulation.", "outages.", "summer_recharge."),
    ),
    "building": ("building.",),
    "accounting": (
        *("carbon.", "park.", "own_power.", "shallow_field."),
        *("peak_heating.emission_factor", "reserve_heating.emission_factor"),
    ),
    "prices": ("economics.",),
}
"""Beginnings of the keys of each group; the longest that fits counts."""


class Column(Section):
    """Inputs that are drawn anew together: their keys, or `CHANCE`, under a name."""

    name: str
    inputs: tuple[str, ...]


class MixedStudy(Study):
    """The rows that extend an ensemble for Sobol' indices.

    Attributes
    ----------
    extends
        Fingerprint of the ensemble's study.
    mixed
        The columns.
    """

    extends: str
    mixed: tuple[Column, ...]

    @classmethod
    def of(cls, study: Study, *, base: int) -> "MixedStudy":
        """Extend the first `base` rows of a study, with the columns of `columns_of`.

        Raises
        ------
        EnsembleError
            When the rows are not as many for each replicate.
        """
        refuse_uneven(study, base)
        columns = columns_of(study)
        parts = {key: value for key, value in study.resolved().items() if key not in ("traces", "stop")}
        return cls.model_validate(
            {
                **parts,
                "samples": base * (1 + len(columns)),
                "extends": study.fingerprint(),
                "mixed": [column.model_dump() for column in columns],
            }
        )

    @property
    def base(self) -> int:
        """Rows of the ensemble that are extended."""
        return self.samples // self.matrices

    @property
    def matrices(self) -> int:
        """Rows for each row of the ensemble."""
        return 1 + len(self.mixed)

    def base_rows(self, rows: NDArray[np.int64]) -> NDArray[np.int64]:
        return rows // self.matrices

    def from_other(self, name: str, rows: NDArray[np.int64]) -> NDArray[np.bool_]:
        those = [0, *(number for number, column in enumerate(self.mixed, start=1) if name in column.inputs)]
        return np.isin(rows % self.matrices, those)


def inputs_of(study: Study) -> tuple[Column, ...]:
    """Return the inputs that can be drawn anew by themselves, correlated ones together, and chance."""
    pairs = (each.inputs for each in study.correlations if each.rank_correlation != 0.0)
    sets = _merged([{key} for key in study.drawn], pairs)
    order = list(study.drawn)
    found = sorted((sorted(each, key=order.index) for each in sets), key=lambda keys: order.index(keys[0]))
    names = (" + ".join(map(variable_name, keys)) for keys in found)
    return (
        *(Column(name=name, inputs=tuple(keys)) for name, keys in zip(names, found, strict=True)),
        Column(name=CHANCE, inputs=(CHANCE,)),
    )


def groups_of(study: Study) -> tuple[Column, ...]:
    """Return the groups that anything is in, fewer than two if that is all; those that a correlation links are one."""
    columns = inputs_of(study)
    members = {
        name: [c for c in columns if any(name in driven_groups(study, key) for key in c.inputs)] for name in GROUPS
    }
    linked = ([name for name in GROUPS if column in members[name]] for column in columns)
    joint = [
        [name for name in GROUPS if name in each and members[name]] for each in _merged([{n} for n in GROUPS], linked)
    ]
    groups = sorted((names for names in joint if names), key=lambda names: list(GROUPS).index(names[0]))
    return tuple(
        Column(
            name=" + ".join(names),
            inputs=tuple(key for c in columns if any(c in members[name] for name in names) for key in c.inputs),
        )
        for names in groups
    )


def columns_of(study: Study) -> tuple[Column, ...]:
    """Return what is drawn anew: the inputs, and those groups that are neither one of them nor all."""
    inputs = inputs_of(study)
    known = [*(column.inputs for column in inputs), tuple(key for column in inputs for key in column.inputs)]
    return (*inputs, *(group for group in groups_of(study) if group.inputs not in known))


def driven_groups(study: Study, key: str) -> set[str]:
    """Return the group of an input, and those of inputs that are derived from it; of a parameter only these."""
    driven = {key}
    for derived, expression in study.derived.items():  # in an order in which they can be computed
        if driven & expression.keys:
            driven.add(derived)
    return {group_of(each) for each in driven if not each.startswith("parameters.")}


def group_of(key: str) -> str:
    """Return the group of an input with a dotted key, or of `CHANCE`."""
    fits = [(len(start), name) for name, starts in GROUPS.items() for start in starts if key.startswith(start)]
    return max(fits)[1]


def _merged(sets: Iterable[set[str]], linked: Iterable[Iterable[str]]) -> list[set[str]]:
    """Sets, those that share members of any link made one."""
    found = list(sets)
    for link in linked:
        those = set(link)
        touched = [each for each in found if each & those]
        if touched:
            found = [each for each in found if not each & those] + [set().union(*touched)]
    return found


def refuse_uneven(study: Study, base: int) -> None:
    """Raise EnsembleError when so many rows are not as many for each replicate, a power of two with Sobol' points."""
    each, rest = divmod(base, study.replicates)
    if rest or each < 1 or (study.design == "sobol" and each & (each - 1)):
        kind = "a power of two times" if study.design == "sobol" else "a multiple of"
        below = study.replicates * 2 ** max(0, max(1, each).bit_length() - 1)
        raise EnsembleError(
            f"--extend {base}: allowed: {kind} the study's {study.replicates} replicates, such as {below:,} or "
            f"{2 * below:,}"
        )


def store_of(ensemble: str) -> str:
    """Return where the rows that extend an ensemble are: ``x.sensitivity.zarr`` beside ``x.zarr``."""
    return f"{ensemble.rstrip('/').removesuffix('.zarr')}.sensitivity.zarr"


def extended_study(store: str, *, base: int) -> MixedStudy:
    """Return the rows that extend an ensemble's first `base` samples.

    Raises
    ------
    EnsembleError
        When there is no ensemble, it was made by other code, or so many samples are not there or not even.
    """
    from study.sweep import refuse_swept
    from study.verification import stored_study

    storage = Storage.at(store)
    dataset = open_ensemble(store)
    with reading(storage):
        study = stored_study(storage)
    refuse_swept(storage, study)
    refuse_other_study(storage, study)
    mixed = MixedStudy.of(study, base=base)
    refuse_missing(storage, dataset, base)
    return mixed


def refuse_missing(storage: Storage, dataset: "xr.Dataset", base: int) -> None:
    """Raise EnsembleError when the first `base` rows of an ensemble are not all there."""
    there = dataset["sample"].values
    first = int((there == np.arange(len(there))).sum())
    if first < base:
        raise EnsembleError(
            f"{storage}: {base:,} of its samples cannot be extended, only the first {first:,} are there; allowed: no "
            "more than these, unless `hotland run` computes more"
        )
