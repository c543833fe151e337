"""The design: which bits row i has, and how well the rows fill the unit cube."""

import hashlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.stats import qmc

from study.config import Study, load_study, schema_keys
from study.sampling import (
    MOST_DIMENSIONS,
    OWN_DIMENSIONS,
    SOBOL_DIMENSIONS,
    correlate,
    own_dimension,
    sample_inputs,
    shuffled,
    uniforms,
)
from tests.conftest import variant

CONFIGS = Path(__file__).parent.parent / "configs"
SMOKE = load_study(CONFIGS / "smoke.yaml")
SHENYANG = load_study(CONFIGS / "shenyang.yaml")
DESIGNS = ["sobol", "latin_hypercube", "monte_carlo"]
NAMES = list(SHENYANG.uncertain)
HEAT_FLOW = {"inputs": ["rock.conductivity", "geothermal_gradient"], "rank_correlation": -0.4}


def assert_same_bits(some: dict[str, np.ndarray], more: dict[str, np.ndarray]) -> None:
    for name, values in some.items():
        np.testing.assert_array_equal(values, more[name], err_msg=name, strict=True)


@pytest.fixture(params=DESIGNS)
def study(request: pytest.FixtureRequest) -> Study:
    return variant(SHENYANG, {"design": request.param})


def test_a_row_does_not_depend_on_the_rows_beside_it(study: Study) -> None:
    whole = sample_inputs(study, np.arange(700))
    rng = np.random.default_rng(1)
    for rows in (
        np.arange(1),
        np.arange(64, 128),
        np.arange(93, 700),
        np.arange(500)[::-1],
        rng.permutation(700),
        rng.integers(0, 700, 50),
        np.array([699, 3, 3, 17]),
    ):
        assert_same_bits(sample_inputs(study, rows), {name: values[rows] for name, values in whole.items()})
    for row in (0, 5, 15, 16, 17, 333, 699):
        assert_same_bits(sample_inputs(study, np.array([row])), {k: v[[row]] for k, v in whole.items()})


def test_far_rows_do_not_depend_on_the_rows_beside_them(study: Study) -> None:
    rows = 10_000_000 + np.arange(100)
    whole = uniforms(study, NAMES, rows)
    np.testing.assert_array_equal(uniforms(study, NAMES, rows[37:38]), whole[37:38])
    assert len(np.unique(whole)) == whole.size


def test_a_longer_study_begins_with_the_shorter(study: Study) -> None:
    short, long = study.with_overrides(samples=50), study.with_overrides(samples=333)
    whole = sample_inputs(long, np.arange(long.samples))
    assert_same_bits(
        sample_inputs(short, np.arange(short.samples)), {name: values[:50] for name, values in whole.items()}
    )


def test_neither_order_nor_number_of_inputs_changes_the_points_of_one(study: Study) -> None:
    rows = np.arange(300)
    whole = dict(zip(NAMES, uniforms(study, NAMES, rows).T, strict=True))
    backwards = uniforms(study, NAMES[::-1], rows)
    assert_same_bits(dict(zip(NAMES[::-1], backwards.T, strict=True)), whole)
    for name in NAMES:
        assert_same_bits({name: uniforms(study, [name], rows)[:, 0]}, whole)


def test_adding_and_removing_an_input_leaves_the_others(study: Study) -> None:
    more = variant(study, {"well.depth": {"distribution": "uniform", "minimum": "2800 m", "maximum": "3000 m"}})
    less = variant(study, {"winter_load": 1, "surface_temperature": "9.8 degC", "field.spacing": "30 m"})
    rows = np.arange(300)
    values, with_more, with_less = (sample_inputs(each, rows) for each in (study, more, less))
    assert np.ptp(with_more["well.depth"]) > 0
    assert_same_bits({name: values[name] for name in study.uncertain}, with_more)
    assert np.ptp(with_less["winter_load"]) == 0
    assert_same_bits({name: with_less[name] for name in less.uncertain}, values)


def test_a_correlation_leaves_the_inputs_that_are_not_in_it(study: Study) -> None:
    rows = np.arange(300)
    free = sample_inputs(variant(study, {"correlations": []}), rows)
    bound = sample_inputs(variant(study, {"correlations": [HEAT_FLOW]}), rows)
    changed = {name for name in study.uncertain if (free[name] != bound[name]).any()}
    assert changed == {"geothermal_gradient"}


def test_a_correlated_pair_leaves_another_correlated_pair(study: Study) -> None:
    rows = np.arange(500)
    other = {"inputs": ["field.spacing", "winter_load"], "rank_correlation": 0.5}
    one = sample_inputs(variant(study, {"correlations": [HEAT_FLOW]}), rows)
    both = sample_inputs(variant(study, {"correlations": [other, HEAT_FLOW]}), rows)
    assert {name for name in study.uncertain if (one[name] != both[name]).any()} == {"winter_load"}


def test_a_study_without_uncertain_inputs_is_constant(study: Study) -> None:
    constants = {key: float(item.quantile(np.array([0.5]))[0]) for key, item in study.uncertain.items()}
    fixed = variant(
        study,
        {key: f"{value!r} {study.inputs[key].unit}".removesuffix(" 1") for key, value in constants.items()}
        | {"correlations": []},
    )
    values = sample_inputs(fixed, np.arange(5))
    assert list(values) == list(fixed.inputs)
    for key, constant in constants.items():
        np.testing.assert_array_equal(values[key], np.full(5, constant))


def test_seeds_differ(study: Study) -> None:
    rows = np.arange(64)
    one, two = (uniforms(study.with_overrides(seed=seed), NAMES, rows) for seed in (1, 2))
    assert not np.isin(one, two).any()


def test_replicates_and_inputs_differ(study: Study) -> None:
    u = uniforms(study, NAMES, np.arange(64 * study.replicates))
    assert len(np.unique(u)) == u.size


@pytest.mark.parametrize("replicates", [2, 16])
def test_rows_are_dealt_to_the_replicates_in_turn(replicates: int) -> None:
    """Within a replicate the points are those of scipy's scrambled Sobol' sequence, in the middle of their cells."""
    study = variant(SHENYANG, {"replicates": replicates, "seed": 7})
    rows = np.arange(64 * replicates)
    names = [name for name in NAMES if name in SOBOL_DIMENSIONS]
    u = uniforms(study, names, rows)
    columns = [SOBOL_DIMENSIONS.index(name) for name in names]
    key = int.from_bytes(hashlib.sha256(b"sobol").digest()[:8])
    for replicate in range(replicates):
        rng = np.random.default_rng(np.random.SeedSequence([7, key, replicate]))
        points = qmc.Sobol(MOST_DIMENSIONS, bits=32, rng=rng).random(64)[:, columns]
        np.testing.assert_array_equal(u[rows % replicates == replicate], points + 2.0**-33)
    far = 1_000_003
    last = qmc.Sobol(MOST_DIMENSIONS, bits=32, rng=np.random.default_rng(np.random.SeedSequence([7, key, 1])))
    points = last.fast_forward(far).random(2)[:, columns]
    u = uniforms(study, names, np.array([far, far + 1]) * replicates + 1)
    np.testing.assert_array_equal(u, points + 2.0**-33)


@pytest.mark.parametrize("replicates", [2, 16])
@pytest.mark.parametrize("power", [0, 3, 6, 8])
def test_a_sobol_replicate_puts_one_point_into_each_dyadic_interval(replicates: int, power: int) -> None:
    study = variant(SMOKE, {"replicates": replicates})
    u = uniforms(study, SOBOL_DIMENSIONS, np.arange(2**power * replicates))
    for replicate in range(replicates):
        cells = np.sort(np.floor(u[replicate::replicates] * 2**power), axis=0)
        np.testing.assert_array_equal(cells, np.tile(np.arange(2**power)[:, None], (1, len(SOBOL_DIMENSIONS))))


def test_each_latin_hypercube_puts_one_point_into_each_stratum() -> None:
    study = variant(SHENYANG, {"design": "latin_hypercube", "replicates": 3})
    u = uniforms(study, NAMES, np.arange(3 * 64 * 2))
    orders = set()
    for replicate in range(3):
        for cube in range(2):
            strata = np.floor(u[replicate::3][64 * cube : 64 * (cube + 1)] * 64).astype(int)
            np.testing.assert_array_equal(np.sort(strata, axis=0), np.tile(np.arange(64)[:, None], (1, len(NAMES))))
            orders |= {tuple(column) for column in strata.T}
    assert len(orders) == 3 * 2 * len(NAMES)


def test_points_lie_inside_the_open_unit_cube(study: Study) -> None:
    u = uniforms(study, NAMES, np.arange(2**14))
    assert u.min() > 0
    assert u.max() < 1


def test_points_are_uniform_and_independent(study: Study) -> None:
    n = 2**13
    u = uniforms(study, NAMES, np.arange(n))
    for column in u.T:
        assert stats.kstest(column, "uniform").pvalue > 1e-4
    assert set(NAMES) > set(NAMES) & set(SOBOL_DIMENSIONS)  # some are padded
    correlation = stats.spearmanr(u).statistic - np.eye(len(NAMES))
    assert np.abs(correlation).max() < 4.5 / np.sqrt(n)
    if study.design == "monte_carlo":
        successive = [stats.spearmanr(column[:-1], column[1:]).statistic for column in u.T]
        assert np.abs(successive).max() < 4.5 / np.sqrt(n)


@pytest.mark.parametrize("wanted", [-0.9, -0.4, 0.0, 0.6])
def test_correlated_inputs_have_the_rank_correlation_asked_for(study: Study, wanted: float) -> None:
    other = {"inputs": ["geothermal_gradient", "field.spacing"], "rank_correlation": 0.3}
    study = variant(study, {"correlations": [{**HEAT_FLOW, "rank_correlation": wanted}, other]})
    n = 2**14
    before = dict(zip(NAMES, uniforms(study, NAMES, np.arange(n)).T, strict=True))
    u = correlate(study, before)
    keys = ["rock.conductivity", "geothermal_gradient", "field.spacing"]
    expected = np.array([[1, wanted, 0], [wanted, 1, 0.3], [0, 0.3, 1]])
    reached = stats.spearmanr(np.stack([u[key] for key in keys], axis=1)).statistic
    np.testing.assert_allclose(reached, expected, atol=4 / np.sqrt(n))
    assert_same_bits({"field.spacing": before["field.spacing"]}, u)  # the first of them in the schema
    for key in keys:
        assert stats.kstest(u[key], "uniform").pvalue > 1e-4
        assert u[key].min() > 0
        assert u[key].max() < 1


def test_without_correlations_nothing_happens(study: Study) -> None:
    u = {"field.spacing": np.array([0.25, 0.75])}
    assert correlate(variant(study, {"correlations": []}), u) == u


def test_the_first_inputs_of_the_schema_have_their_dimensions() -> None:
    assert set(SOBOL_DIMENSIONS) < set(schema_keys())
    assert len(set(SOBOL_DIMENSIONS)) == len(SOBOL_DIMENSIONS) == 228 < MOST_DIMENSIONS == 256
    # where an input stands decides about its bits: nothing may ever be put before another
    assert SOBOL_DIMENSIONS[:10] == (
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
    )


def test_means_converge_faster_with_sobol_points_than_at_random() -> None:
    errors: dict[str, list[float]] = {"sobol": [], "monte_carlo": []}
    for design, found in errors.items():
        values = sample_inputs(variant(SHENYANG, {"design": design}), np.arange(4096))
        for key, item in SHENYANG.uncertain.items():
            mean = item.quantile((np.arange(100_000) + 0.5) / 100_000).mean()
            found.append((values[key].mean() - mean) / (values[key].std() / 64))  # in standard errors of random rows
    assert np.abs(errors["sobol"]).max() < 0.2
    assert np.std(errors["monte_carlo"]) > 0.5
    assert np.abs(errors["monte_carlo"]).max() < 4


OWN = [f"parameters.p{n}" for n in range(12)]


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from([*NAMES, *OWN]), unique=True, min_size=1, max_size=8),
    st.lists(st.sampled_from([*NAMES, *OWN]), unique=True, min_size=1, max_size=8),
    st.lists(st.integers(0, 10_000), min_size=1, max_size=20),
    st.sampled_from(DESIGNS),
)
def test_a_point_is_that_of_its_name_and_row(some: list[str], more: list[str], rows: list[int], design: str) -> None:
    study = variant(SHENYANG, {"design": design})
    both = [*more, *(name for name in some if name not in more)]
    whole = dict(zip(both, uniforms(study, both, np.array([*rows, 5, 77_777])).T, strict=True))
    alone = dict(zip(some, uniforms(study, some, np.array(rows)).T, strict=True))
    assert_same_bits(alone, {name: values[:-2] for name, values in whole.items()})


@settings(max_examples=15, deadline=None)
@given(st.permutations(["a", "b", "c", "d"]), st.integers(1, 4), st.sampled_from(DESIGNS))
def test_parameters_can_be_added_removed_and_reordered(names: list[str], number: int, design: str) -> None:
    def with_parameters(names: list[str]) -> dict[str, np.ndarray]:
        spread = {"distribution": "uniform", "minimum": "0 m", "maximum": "1 m"}
        load = {"expression": f"1 + 0.1 * ({' + '.join(f'parameters.{name}' for name in sorted(names))}) / 1 m"}
        changes = {"parameters": dict.fromkeys(names, spread), "winter_load": load, "design": design}
        return sample_inputs(variant(SHENYANG, changes), np.arange(70))

    every, some = with_parameters(["a", "b", "c", "d"]), with_parameters(names[:number])
    some.pop("winter_load")
    assert_same_bits(some, every)
    without = sample_inputs(variant(SHENYANG, {"design": design, "winter_load": 1}), np.arange(70))
    without.pop("winter_load")
    assert_same_bits(without, every)


@pytest.mark.parametrize("replicates", [2, 3, 16])
def test_every_prefix_of_the_design_is_balanced(replicates: int) -> None:
    """Row i is of replicate i mod R; the first 2^m of each are spread evenly, in own dimensions as in the others."""
    study = variant(SHENYANG, {"replicates": replicates})
    names = [*NAMES, *OWN]
    u = uniforms(study, names, np.arange(2**7 * replicates))
    for rows in range(1, len(u) + 1):
        sizes = [len(range(replicate, rows, replicates)) for replicate in range(replicates)]
        assert max(sizes) - min(sizes) <= 1
    for power in range(8):
        prefix = u[: 2**power * replicates]
        for replicate in range(replicates):
            cells = np.sort(np.floor(prefix[replicate::replicates] * 2**power), axis=0)
            np.testing.assert_array_equal(cells, np.tile(np.arange(2**power)[:, None], (1, len(names))))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32), st.integers(0, 12))
def test_a_shuffle_is_a_permutation_of_each_block(seed: int, power: int) -> None:
    block = np.arange(2**power, 2 ** (power + 1))
    order = shuffled(block, np.random.SeedSequence(seed))
    np.testing.assert_array_equal(np.sort(order), block)
    np.testing.assert_array_equal(shuffled(block[-1:], np.random.SeedSequence(seed)), order[-1:])  # of each alone


def test_a_shuffle_leaves_no_pattern() -> None:
    """Over many keys, bits before and after, and neighbours, go together no more than at random."""
    place = np.arange(64)
    orders = np.array([shuffled(64 + place, np.random.SeedSequence([7, n])) - 64 for n in range(400)])
    bits = orders[:, :, None] >> np.arange(6) & 1
    before = place[:, None] >> np.arange(6) & 1
    for own in range(6):
        together = (bits == before[None, :, own, None]).mean(axis=(0, 1)) - 0.5
        assert np.abs(together).max() < 4.5 * 0.5 / np.sqrt(400 * 32)
    steps = np.diff(orders, axis=1) % 64
    counts = np.bincount(steps.ravel(), minlength=64)[1:]
    assert counts.max() / counts.mean() < 1.3
    assert counts.min() / counts.mean() > 0.7


def test_own_dimensions_have_scrambled_points_of_their_own() -> None:
    """A digit of the scrambled point is a sum of the unscrambled point's digits up to it, its own among them."""
    name = OWN[0]
    assert OWN_DIMENSIONS.start == 2 * MOST_DIMENSIONS  # no generator matrix in common with the schema's inputs
    n = 2**10
    every = qmc.Sobol(OWN_DIMENSIONS.stop, scramble=False, bits=32).random(n)
    u = uniforms(SHENYANG, [name], np.arange(n * 16))[:, 0]
    of_replicates = []
    for replicate in range(16):
        assert own_dimension(name, replicate) in OWN_DIMENSIONS
        plain = every[:, own_dimension(name, replicate)]
        before, after = (
            (np.floor(x * 2**32).astype(np.uint64)[:, None] >> np.arange(31, 21, -1, dtype=np.uint64)) & np.uint64(1)
            for x in (plain, u[replicate::16])
        )
        change = after ^ after[0]  # without the shift
        for digit in range(10):
            first = np.unique(before[:, :digit], axis=0, return_inverse=True)[1]
            for group in np.unique(first)[:8]:
                inside = first.ravel() == group
                flipped = change[inside, digit] ^ before[inside, digit]
                assert (flipped == flipped[0]).all()
        of_replicates.append(after)
    assert len({each.tobytes() for each in of_replicates}) == 16
    assert abs(np.mean([each[0].mean() for each in of_replicates]) - 0.5) < 4 * 0.5 / np.sqrt(160)


def test_own_dimensions_go_well_with_the_others() -> None:
    """No parameter goes along with another input, and for most pairs means of products are nearer than at random."""
    study = SHENYANG
    table = [name for name in NAMES if name in SOBOL_DIMENSIONS]
    names = [*table, *(f"parameters.q{n}" for n in range(40))]
    n, replicates = 256, study.replicates
    u = uniforms(study, names, np.arange(n * replicates)).reshape(n, replicates, len(names)) - 0.5
    products = np.einsum("nri,nrj->rij", u, u) / n
    gain = (products**2).mean(axis=0) * 144 * n  # over that of random points
    own = gain[: len(table), len(table) :]
    assert np.median(own) < 0.5
    assert own.mean() < 2.0  # the mean over all pairs is that of random points, about 1: no pair stands out
    assert own.max() < n / 8  # two inputs that were one and the same would have n
