"""The design of a study: row i of the sample is a pure function of (seed, i), whoever computes it, and with what.

Rows are dealt in turn to R *replicates* (row i belongs to replicate i mod R), which are independent of each other, so
that the spread between them shows how far an estimate can be trusted. Within a replicate the rows are

- ``sobol``: one scrambled Sobol' sequence (Owen 1998; matrix scramble and digital shift of `scipy.stats.qmc`),
- ``latin_hypercube``: Latin hypercubes of 64 rows, one after the other,
- ``monte_carlo``: independent.

Each input is keyed by its name: with the Sobol' design by its dimension in `SOBOL_DIMENSIONS` (a hash chooses among
later ones for names of the user's own), with the others by a hash of its name. Adding, removing or reordering inputs
changes no other. Inputs that came after that table was closed have one-dimensional sequences in an order of their own:
they are padded to the Sobol' points (Owen 1998, ACM Trans. Model. Comput. Simul. 8:71). Dimensions further out have too
many pairs that fill the square badly. Correlated inputs follow a Gaussian copula; a new one that is *correlated* with
an old one may change that one.

A second design, independent of the first and as good, has the names with `OTHER` before them: `study.pick_freeze` mixes
the two.
"""

import hashlib
from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri
from scipy.stats import qmc

from study.config import Study
from study.correlation import cholesky

Array = NDArray[np.float64]

MOST_DIMENSIONS = 256  # never to be changed: scrambles are drawn for all of them together
OWN_DIMENSIONS = range(2 * MOST_DIMENSIONS, 2 * MOST_DIMENSIONS + 4096)
"""Dimensions (Joe and Kuo 2008) for inputs that the user names: none in common with the schema's in either design."""
OTHER = "other "
"""Before the name of an input: its draws in the second design."""
_BITS = 32
_STRATA = 64
_PAGE = 4096  # random rows made together
_ROUNDS = 6  # of a shuffle: fewer leave patterns, more change nothing

SOBOL_DIMENSIONS: tuple[str, ...] = (
    # Closed. The first dimensions are the best distributed: those that matter most come first.
    "geothermal_gradient",
    "rock.conductivity",
    "winter_load",
    "field.spacing",
    "building.design_load",
    "carbon.baseline_factor",
    "heat_pump.second_law_efficiency",
    "surface_temperature",
    "carbon.electricity_decline",
    "carbon.electricity_factor",
    "carbon.green_power_share",
    "well.inner_pipe.conductivity",
    "well.grout.conductivity",
    "rock.volumetric_heat_capacity",
    "climate.mean_offset",
    "climate.warming",
    "climate.season_standard_deviation",
    "well.flow_rate",
    "well.depth",
    "heat_pump.minimum_inlet_temperature",
    "heat_pump.capacity",
    "heat_pump.maximum_cop",
    "heat_pump.supply_temperature_design",
    "heat_pump.supply_temperature_mild",
    "peak_heating.capacity",
    "peak_heating.efficiency",
    "peak_heating.emission_factor",
    "carbon.network_loss",
    "carbon.refrigerant_charge",
    "carbon.refrigerant_leakage",
    "carbon.refrigerant_warming_potential",
    "carbon.embodied_per_well",
    "carbon.lifetime",
    "circulation.pump_efficiency",
    "circulation.transport_factor",
    "building.floor_area",
    "building.design_outdoor_temperature",
    "building.indoor_temperature",
    "building.balance_temperature",
    "building.time_constant",
    "well.borehole_diameter",
    "well.casing.outer_diameter",
    "well.casing.wall",
    "well.casing.conductivity",
    "well.inner_pipe.outer_diameter",
    "well.inner_pipe.wall",
    "fluid.density",
    "fluid.heat_capacity",
    "fluid.conductivity",
    "fluid.viscosity",
    "fluid.thermal_expansion",
    "well.casing.volumetric_heat_capacity",
    "well.grout.volumetric_heat_capacity",
    "well.inner_pipe.volumetric_heat_capacity",
    "heat_pump.share_of_design_load",
    "peak_heating.share_of_design_load",
    *(
        f"rock.layers.{layer}.{name}"
        for layer in range(20)
        for name in ("thickness", "conductivity", "volumetric_heat_capacity", "geothermal_gradient")
    ),
    *(
        f"well.{wall}.sections.{section}.{name}"
        for wall in ("casing", "grout", "inner_pipe")
        for section in range(5)
        for name in ("length", "conductivity", "volumetric_heat_capacity")
    ),
    "fluid.temperature",
    "fluid.mass_fraction",
    "well.casing.roughness",
    "well.inner_pipe.roughness",
    *(f"building.{name}" for name in ("heat_loss_coefficient", "internal_gains", "comfort_temperature")),
    *(f"building.{name}" for name in ("fast_capacity_share", "mass_conductance", "ventilation_share")),
    "building.domestic_hot_water",
    "building.schedule.setback",
    "building.reheat",
    *(f"heat_pump.{name}" for name in ("part_load_degradation", "capacity_source_slope", "rated_source_temperature")),
    *(f"heat_pump.{name}" for name in ("capacity_supply_slope", "rated_supply_temperature")),
    *(
        f"peak_heating.{name}"
        for name in (
            "second_law_efficiency",
            "capacity_slope",
            "rated_outdoor_temperature",
            "lowest_outdoor_temperature",
        )
    ),
    *(
        f"reserve_heating.{name}"
        for name in (
            "capacity",
            "share_of_design_load",
            "efficiency",
            "emission_factor",
            "second_law_efficiency",
            "capacity_slope",
            "rated_outdoor_temperature",
            "lowest_outdoor_temperature",
        )
    ),
    *(f"heat_storage.{name}" for name in ("volume", "temperature_difference", "power", "loss")),
    "circulation.minimum_flow_share",
    *(
        f"outages.{units}.{name}"
        for units in ("wells", "pumps", "heat_pumps", "peak_heating", "reserve_heating")
        for name in ("time_to_failure", "time_to_repair")
    ),
    "summer_recharge.power",
    "summer_recharge.maximum_inlet_temperature",
)
_COLUMNS = {name: column for column, name in enumerate(SOBOL_DIMENSIONS)}


def sample_inputs(study: Study, rows: NDArray[np.int64]) -> dict[str, Array]:
    """Values of every numeric input of a study, uncertain or not, for some rows of its design.

    Returns
    -------
    By key, in the canonical unit of each, shape (row,).
    """
    if study.points > 1:
        parts = [(places, sample_inputs(design, own)) for design, places, own in study.designs_of(rows)]
        values = {key: np.empty(len(rows)) for key in study.inputs}
        for places, found in parts:
            for key, value in values.items():
                value[places] = found[key]
        return values
    drawn, base = list(study.drawn), study.base_rows(rows)
    u = dict(zip(drawn, uniforms(study, drawn, base).T, strict=True))
    for name in drawn:
        if (other := study.from_other(name, rows)).any():
            u[name][other] = uniforms(study, [f"{OTHER}{name}"], base[other])[:, 0]
    return study.quantiles(correlate(study, u), len(rows))


def uniforms(study: Study, names: Sequence[str], rows: NDArray[np.int64]) -> Array:
    """Points of the design in the open unit cube, shape (row, name)."""
    replicate, index = rows % study.replicates, rows // study.replicates
    if study.design == "sobol":
        there = np.array([_has_dimension(name) for name in names], dtype=np.bool_)
        u = np.empty((len(rows), len(names)))
        u[:, there] = _sobol(study.seed, [name for name in names if _has_dimension(name)], replicate, index)
        for n in np.flatnonzero(~there).tolist():
            u[:, n] = _padding(study.seed, names[n], replicate, index)
        return u
    if study.design == "latin_hypercube":
        return _latin_hypercube(study.seed, names, replicate, index)
    return _monte_carlo(study.seed, names, rows)


def _has_dimension(name: str) -> bool:
    """Whether an input, or its draws in the second design, has a dimension of the Sobol' sequences."""
    own = name.removeprefix(OTHER)
    return own in _COLUMNS or own.startswith("parameters.")


def correlate(study: Study, u: dict[str, Array]) -> dict[str, Array]:
    """Give uniform variates the study's rank correlations; the first of a correlated set stays as it is."""
    names, correlation = study.correlation_matrix()
    if not names:
        return u
    factor = cholesky(correlation)
    normal = np.stack([ndtri(u[name]) for name in names])
    # not a matrix product, whose bits may depend on how many rows there are
    mixed = [sum(factor[i, j] * normal[j] for j in range(i + 1)) for i in range(len(names))]
    alone = [not factor[i, :i].any() for i in range(len(names))]  # of another set, or the first of its own
    return u | {name: u[name] if alone[i] else ndtr(mixed[i]) for i, name in enumerate(names)}


def _key(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])


@lru_cache(maxsize=128)
def _scrambled_sobol(seed: int, replicate: int, other: bool) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Direction numbers, (dimension, bit), and digital shift, (dimension,), of a scrambled sequence.

    The other design's are dimensions above those of the first, so that the two together fill one cube.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, _key("other sobol" if other else "sobol"), replicate]))
    sequence = qmc.Sobol(MOST_DIMENSIONS * (1 + other), scramble=True, bits=_BITS, rng=rng)
    above = MOST_DIMENSIONS * other
    return sequence._sv[above:], sequence._shift[above:]


def own_dimension(name: str, replicate: int) -> int:
    """Return the dimension of the Sobol' sequence that an input of the user's own name has in a replicate.

    Some pairs of so many dimensions fill the square badly until there are very many points. Another dimension in each
    replicate keeps such a pair from being the same in all of them.
    """
    return OWN_DIMENSIONS[_key(f"{name} {replicate}") % len(OWN_DIMENSIONS)]


@lru_cache(maxsize=4096)
def _scrambled_dimension(seed: int, replicate: int, name: str) -> tuple[NDArray[np.uint32], np.uint32]:
    """Direction numbers, (bit,), and digital shift of the dimension of an input that is not in `SOBOL_DIMENSIONS`.

    An input that the user names has its own dimension, any other the first one, van der Corput's sequence. Scrambled as
    scipy does it (random lower triangular matrix with a unit diagonal, and shift), but one by one, so that a
    dimension's bits are those of its name.
    """
    rng = np.random.default_rng(np.random.SeedSequence([seed, _key("sobol parameters"), replicate, _key(name)]))
    matrix = np.tril(rng.integers(0, 2, (_BITS, _BITS), dtype=np.uint32), -1) + np.eye(_BITS, dtype=np.uint32)
    place = np.arange(_BITS, dtype=np.uint32)[::-1, None]  # the first bit is the most significant one
    directions = np.uint32(1) << place[:, 0]
    if _has_dimension(name):
        above = len(OWN_DIMENSIONS) * name.startswith(OTHER)
        directions = _directions()[own_dimension(name.removeprefix(OTHER), replicate) + above]
    digits = directions >> place & np.uint32(1)
    scrambled = ((matrix @ digits & np.uint32(1)) << place).sum(axis=0, dtype=np.uint32)
    return scrambled, rng.integers(0, 2**_BITS, dtype=np.uint32)


@lru_cache(maxsize=1)
def _directions() -> NDArray[np.uint32]:
    """Direction numbers of Joe and Kuo (2008), (dimension, bit)."""
    last = OWN_DIMENSIONS.stop + len(OWN_DIMENSIONS)
    directions: NDArray[np.uint32] = qmc.Sobol(last, scramble=False, bits=_BITS)._sv
    return directions


def _sobol_dimensions(seed: int, replicate: int, names: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    """Direction numbers, (name, bit), and digital shift, (name,), of some inputs in one replicate."""
    directions, shift = np.empty((len(names), _BITS), dtype=np.uint32), np.empty(len(names), dtype=np.uint32)
    for n, name in enumerate(names):
        column = _COLUMNS.get(name.removeprefix(OTHER))
        if column is not None:
            of_all, shifts = _scrambled_sobol(seed, replicate, name.startswith(OTHER))
            directions[n], shift[n] = of_all[column], shifts[column]
        else:
            directions[n], shift[n] = _scrambled_dimension(seed, replicate, name)
    return directions, shift


def _sobol(seed: int, names: Sequence[str], replicate: NDArray[np.int64], index: NDArray[np.int64]) -> Array:
    """Points by the Gray code of their index (Antonov and Saleev 1979): the last as soon as the first."""
    u = np.empty((len(names), len(index)))
    gray = index ^ (index >> 1)
    for each in np.unique(replicate):
        rows = np.flatnonzero(replicate == each)
        u[:, rows] = _digital(*_sobol_dimensions(seed, int(each), names), gray[rows])
    return u.T


def _digital(directions: NDArray[np.uint32], shift: NDArray[np.uint32], gray: NDArray[np.int64]) -> Array:
    """Points of a digital sequence at indices by their Gray code, (name, row)."""
    points: NDArray[np.uint32] = np.repeat(shift[:, None], len(gray), axis=1)
    for first in range(0, int(gray.max(initial=0)).bit_length(), 8):
        table = np.zeros((len(directions), 1), dtype=np.uint32)  # all sums of eight direction numbers
        for bit in range(first, first + 8):
            table = np.concatenate([table, table ^ directions[:, bit, None]], axis=1)
        points ^= np.take(table, gray >> first & 255, axis=1)
    return np.asarray(points * 2.0**-_BITS + 2.0 ** -(_BITS + 1))  # the middle of the cell: never 0


def _padding(seed: int, name: str, replicate: NDArray[np.int64], index: NDArray[np.int64]) -> Array:
    """Points of scrambled van der Corput sequences, each block of 2^m to 2^(m+1) - 1 in an order of its own, (row,)."""
    u = np.empty(len(index))
    for each in np.unique(replicate):
        rows = np.flatnonzero(replicate == each)
        directions, shift = _scrambled_dimension(seed, int(each), name)
        order = shuffled(index[rows], np.random.SeedSequence([seed, _key("order"), int(each), _key(name)]))
        u[rows] = _digital(directions[None], np.array([shift]), order ^ order >> 1)[0]
    return u


def shuffled(index: NDArray[np.int64], key: np.random.SeedSequence) -> NDArray[np.int64]:
    """Return a permutation of all indices that leaves each in its block 2^m to 2^(m+1) - 1: a function of each alone.

    Multiplications by odd numbers, sums and shifts of the bits below the first, each of which can be undone.
    """
    words = key.generate_state(2 * _ROUNDS, dtype=np.uint64)
    place = index.astype(np.uint64)
    first = np.zeros_like(place)
    for bit in range(int(index.max(initial=0)).bit_length()):
        first[index >> bit > 0] = np.uint64(bit)
    mask = (np.uint64(1) << first) - np.uint64(1)
    place &= mask
    half = first // np.uint64(2) + np.uint64(1)
    for factor, summand in words.reshape(-1, 2):
        place = (place * (factor | np.uint64(1)) + summand) & mask
        place ^= place >> half
    return np.where(index > 0, place | mask + np.uint64(1), 0).astype(np.int64)


def _latin_hypercube(seed: int, names: Sequence[str], replicate: NDArray[np.int64], index: NDArray[np.int64]) -> Array:
    u = np.empty((len(names), len(index)))
    of_row = np.stack([replicate, index // _STRATA], axis=1)
    cubes, cube = np.unique(of_row, axis=0, return_inverse=True)
    strata, within = np.empty((2, len(cubes), _STRATA))
    for column, name in enumerate(names):
        entropy = _words(seed, _key(name), 0, 0)
        for n, last in enumerate(cubes):
            entropy[-2:] = last
            rng = np.random.Generator(np.random.PCG64(np.random.SeedSequence(entropy)))
            strata[n] = rng.permutation(_STRATA)
            within[n] = rng.random(_STRATA)
        u[column] = ((strata + within) / _STRATA)[cube, index % _STRATA]
    return np.clip(u, 2.0**-60, 1.0 - 2.0**-53).T


def _words(*numbers: int) -> NDArray[np.uint32]:
    """Numbers as `numpy.random.SeedSequence` divides them itself, but for which it needs most of the time."""
    words = [number >> place & 0xFFFFFFFF for number in numbers for place in range(0, number.bit_length() or 1, 32)]
    return np.array(words, dtype=np.uint32)


def _monte_carlo(seed: int, names: Sequence[str], rows: NDArray[np.int64]) -> Array:
    u = np.empty((len(names), len(rows)))
    pages, page = np.unique(rows // _PAGE, return_inverse=True)
    for column, name in enumerate(names):
        key = np.random.SeedSequence([seed, _key(name)])
        words = [  # Philox makes four words for each step of its counter
            np.random.Philox(key).advance(first * _PAGE // 4).random_raw(_PAGE) for first in pages.tolist()
        ]
        u[column] = ((np.array(words)[page, rows % _PAGE] >> np.uint64(12)) + 0.5) * 2.0**-52
    return u.T
