"""Sensitivity indices against exact ones, how often their intervals cover, and what failed rows do to them."""

from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr
from numpy.typing import ArrayLike, NDArray
from scipy import stats
from scipy.special import exp1, ndtri

from study import sensitivity
from study.dependence import dependence_statement, dependent_sets
from study.shapley_effects import shapley_values

Array = NDArray[np.float64]
REPLICATES = 16


class Case:
    """A function of points in the unit cube, (row, input), and its exact indices."""

    def __init__(self, f: Callable[[Array], Array], first: list[float], total: list[float]) -> None:
        self.f, self.first, self.total, self.inputs = f, np.array(first), np.array(total), len(first)


def ishigami(a: float = 7.0, b: float = 0.1) -> Case:
    """Ishigami and Homma 1990."""

    def f(u: Array) -> Array:
        x = np.pi * (2 * u - 1)
        return np.sin(x[:, 0]) + a * np.sin(x[:, 1]) ** 2 + b * x[:, 2] ** 4 * np.sin(x[:, 0])

    one, two, both = 0.5 * (1 + b * np.pi**4 / 5) ** 2, a**2 / 8, b**2 * np.pi**8 * (1 / 18 - 1 / 50)
    variance = one + two + both
    return Case(f, [one / variance, two / variance, 0.0], [(one + both) / variance, two / variance, both / variance])


def g_star(a: list[float], alpha: float = 1.0) -> Case:
    """Sobol' 1998, with the exponent of Saltelli et al. 2010."""
    of = np.array(a)

    def f(u: Array) -> Array:
        return np.prod(((1 + alpha) * np.abs(2 * u - 1) ** alpha + of) / (1 + of), axis=1)

    each = alpha**2 / ((1 + 2 * alpha) * (1 + of) ** 2)
    variance = np.prod(1 + each) - 1
    return Case(f, list(each / variance), list(each * np.prod(1 + each) / (1 + each) / variance))


SPREAD = np.sqrt(np.log(1 + 0.2**2))
QUANTILES = {"x1": stats.norm(50, 8).ppf, "x2": stats.lognorm(SPREAD, scale=2.2 / np.sqrt(1.04)).ppf}


def line_source() -> Case:
    """Temperature at an infinite line source, q E1(r²/4at) / 4πk: by the moments of q and 1/k."""

    def f(u: Array) -> Array:
        x = line_inputs(u)
        return x[:, 0] * exp1(0.06**2 / (4 * 1e-6 * 3650 * 86400)) / (4 * np.pi * x[:, 1])

    q, k = (8 / 50) ** 2, 0.2**2  # squared coefficients of variation; that of 1/k is k's
    variance = (1 + q) * (1 + k) - 1
    return Case(f, [q / variance, k / variance], [q * (1 + k) / variance, k * (1 + q) / variance])


def line_inputs(u: Array) -> Array:
    return np.column_stack([QUANTILES["x1"](u[:, 0]), QUANTILES["x2"](u[:, 1])])


def polynomial() -> Case:
    """x1 + 2 x2² + 3 x1 x3 of standard normal inputs, and one that does nothing."""

    def f(u: Array) -> Array:
        x = ndtri(u)
        return x[:, 0] + 2 * x[:, 1] ** 2 + 3 * x[:, 0] * x[:, 2]

    return Case(f, [1 / 18, 8 / 18, 0, 0], [10 / 18, 8 / 18, 9 / 18, 0])


def both_high(level: float = 0.6) -> Case:
    """The event that two of three inputs are both above a level."""
    p = 1 - level
    one = (p - p**2) / (1 - p**2)  # p² (p - p²) / [p² (1 - p²)]
    either = p * (1 - p) / p / (1 - p**2)
    return Case(lambda u: (u[:, :2] > level).all(axis=1).astype(float), [one, one, 0], [either, either, 0])


KNOWN = {
    "Ishigami": ishigami(),
    "Ishigami, other constants": ishigami(5.0, 0.05),
    "G": g_star([0, 1, 4.5, 9, 99, 99, 99, 99]),
    "G*": g_star([0.5, 2, 0], 2.0),
    "line source": line_source(),
    "polynomial": polynomial(),
}


def points(dimensions: int, rows: int, seed: int) -> tuple[Array, NDArray[np.int64]]:
    """Independently scrambled Sobol' points, row i of replicate i mod R."""
    each = [stats.qmc.Sobol(dimensions, rng=np.random.default_rng([seed, r])).random(rows) for r in range(REPLICATES)]
    u = np.stack(each, axis=1).reshape(-1, dimensions)
    return np.clip(u, 1e-12, 1 - 1e-12), np.arange(len(u)) % REPLICATES


def matrices(case: Case, rows: int, seed: int) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    u, replicate = points(2 * case.inputs, rows, seed)
    A, B = u[:, : case.inputs], u[:, case.inputs :]
    mixed = []
    for i in range(case.inputs):
        some = A.copy()
        some[:, i] = B[:, i]
        mixed.append(case.f(some))
    names = [f"x{i + 1}" for i in range(case.inputs)]
    return (
        xr.DataArray(case.f(A), dims="sample", coords={"replicate": ("sample", replicate)}),
        xr.DataArray(case.f(B), dims="sample"),
        xr.DataArray(np.array(mixed), dims=("input", "sample"), coords={"input": names}),
    )


def ensemble(
    case: Case, rows: int, seed: int, inputs: Callable[[Array], Array] = lambda u: u
) -> tuple[dict[str, xr.DataArray], xr.DataArray]:
    u, replicate = points(case.inputs, rows, seed)
    x = {f"x{i + 1}": xr.DataArray(column, dims="sample") for i, column in enumerate(inputs(u).T)}
    return x, xr.DataArray(case.f(u), dims="sample", coords={"replicate": ("sample", replicate)})


def assert_within(found: xr.Dataset, key: str, exact: Array) -> None:
    inside = (found[f"{key}_low"] <= exact + 1e-9) & (exact - 1e-9 <= found[f"{key}_high"])
    assert inside.all(), (key, found[key].values, exact)


def assert_covers(hits: Array, confidence: float = 0.95) -> None:
    """As often as is nominal, within binomial bounds that one index in 10,000 would miss at either side."""
    low = stats.binom.ppf(1e-4, len(hits), confidence)
    assert (hits.sum(axis=0) >= low).all(), hits.mean(axis=0)


def test_published_values() -> None:
    assert KNOWN["Ishigami"].first == pytest.approx([0.313905, 0.442411, 0], abs=1e-6)
    assert KNOWN["Ishigami"].total == pytest.approx([0.557589, 0.442411, 0.243684], abs=1e-6)
    assert KNOWN["G"].first[:4] == pytest.approx([0.716192, 0.179048, 0.0236758, 0.00716192], rel=1e-4)
    assert KNOWN["G"].total[:4] == pytest.approx([0.787144, 0.242198, 0.0343169, 0.0104604], rel=1e-4)
    assert KNOWN["line source"].first == pytest.approx([0.384246, 0.600384], abs=1e-6)
    assert KNOWN["line source"].total == pytest.approx([0.399616, 0.615754], abs=1e-6)


@pytest.mark.parametrize("name", KNOWN)
def test_saltelli_known_answers(name: str) -> None:
    case = KNOWN[name]
    found = sensitivity.saltelli(*matrices(case, 256, 1), confidence=0.9999)
    for key, exact in (("first", case.first), ("total", case.total)):
        assert found[key].values == pytest.approx(exact, abs=0.03)
        assert_within(found, key, exact)
    assert found.input.values.tolist() == [f"x{i + 1}" for i in range(case.inputs)]


def coverage_of_saltelli(case: Case, rows: int) -> None:
    """Of 200 studies, along a dimension of their own."""
    studies = [matrices(case, rows, seed) for seed in range(200)]
    found = sensitivity.saltelli(*(xr.concat(each, "study") for each in zip(*studies, strict=True)))
    for key, exact in (("first", case.first), ("total", case.total)):
        low, high = (found[f"{key}_{end}"].transpose("study", "input").values for end in ("low", "high"))
        assert np.isfinite(low).all()
        assert_covers((low <= exact + 1e-12) & (exact - 1e-12 <= high))


def test_saltelli_covers() -> None:
    coverage_of_saltelli(KNOWN["Ishigami"], 16)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "rows"), [("G", 16), ("G", 64), ("line source", 32), ("polynomial", 64)])
def test_saltelli_covers_others(name: str, rows: int) -> None:
    coverage_of_saltelli(KNOWN[name], rows)


@pytest.mark.slow
def test_saltelli_of_events_covers() -> None:
    coverage_of_saltelli(both_high(), 64)


def test_saltelli_is_no_wider_than_plain_monte_carlo() -> None:
    """Replicates show what scrambled points gain; rows taken for independent do not."""
    data = matrices(KNOWN["line source"], 256, 1)
    honest = sensitivity.saltelli(*data)
    plain = sensitivity.saltelli(data[0].drop_vars("replicate"), *data[1:])
    assert plain.attrs["independent_rows"] == 1
    assert ((honest.first_high - honest.first_low) < 0.5 * (plain.first_high - plain.first_low)).all()


def test_saltelli_keeps_other_dimensions() -> None:
    base, other, mixed = matrices(KNOWN["Ishigami"], 32, 1)
    scale = xr.DataArray([1.0, -3.0], dims="winter", coords={"winter": [1, 2]})
    found = sensitivity.saltelli(scale * base, (other * scale), mixed * scale + 100)
    assert found.first.dims == ("input", "winter")
    alone = sensitivity.saltelli(base, other, mixed)
    shifted = sensitivity.saltelli(base + 100, other + 100, mixed + 100)
    assert shifted.total_high.values == pytest.approx(alone.total_high.values)
    both = sensitivity.saltelli(scale * base, scale * other, scale * mixed)
    for winter in (1, 2):
        assert both.first_low.sel(winter=winter).values == pytest.approx(alone.first_low.values)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", [0, 1, 2])
def test_saltelli_leaves_whole_rows_out(bad: float, where: int) -> None:
    data = list(matrices(KNOWN["Ishigami"], 128, 1))
    rows = [5, 600, 2000]
    kept = np.setdiff1d(np.arange(2048), rows)
    without = sensitivity.saltelli(*(x.isel(sample=kept) for x in data))
    data[where] = data[where].copy(deep=True)
    data[where][..., rows] = bad
    found = sensitivity.saltelli(*data)
    text = ["remark", "rows_left_out"]
    xr.testing.assert_allclose(found.drop_vars(text), without.drop_vars(text))
    assert (found.rows_left_out == 3).all()
    assert all("3 of 6144 rows failed" in x for x in found.remark.values)


@pytest.mark.parametrize("pattern", ["every third", "corner"])
def test_saltelli_refuses_many_failures(pattern: str) -> None:
    base, other, mixed = matrices(KNOWN["Ishigami"], 64, 1)
    failed = np.arange(1024) % 3 == 0 if pattern == "every third" else base.values > np.quantile(base, 0.95)
    base = base.where(~failed)
    found = sensitivity.saltelli(base, other, mixed)
    assert np.isnan(found[["first", "first_low", "first_high", "total", "total_low", "total_high"]].to_array()).all()
    assert all("rows failed: more than 1.00%" in x for x in found.remark.values)
    allowed = sensitivity.saltelli(base, other, mixed, most_failed=0.5)
    assert np.isfinite(allowed.first_low).all()


def test_saltelli_of_all_failed() -> None:
    base, other, mixed = (x * np.nan for x in matrices(KNOWN["Ishigami"], 4, 1))
    found = sensitivity.saltelli(base, other, mixed, most_failed=1.0)
    assert np.isnan(found.first).all()
    assert (found.remark != "").all()


def test_saltelli_of_what_does_not_vary() -> None:
    base, other, mixed = (xr.full_like(x, 1e9 / 3) for x in matrices(KNOWN["Ishigami"], 16, 1))
    found = sensitivity.saltelli(base, other, mixed)
    assert np.isnan(found.total).all()
    assert (found.remark == "the output does not vary").all()


def test_saltelli_asks_for_replicates_and_events() -> None:
    base, other, mixed = matrices(KNOWN["Ishigami"], 16, 1)
    few = sensitivity.saltelli(base, other, mixed, np.arange(256) % 2)
    assert np.isfinite(few.first).all()
    assert np.isnan(few.first_low).all()
    assert "2 replicates" in few.remark.values[0]
    rare = sensitivity.saltelli(base > 11, other > 11, mixed > 11)
    assert np.isnan(rare.total).all()
    assert "rows of the rarer value" in rare.remark.values[0]


def test_an_input_that_changes_nothing_has_an_interval_with_width() -> None:
    for case in (both_high(), polynomial()):
        data = matrices(case, 64, 1)
        found = sensitivity.saltelli(*data).isel(input=-1)
        assert found.total == found.total_low == found.first_low == 0
        every = np.stack([data[0], data[1], data[0]])
        share = 1 - 0.025 ** (1 / 1024)  # (1 - p)^1024 = 0.025
        bound = 0.5 * share * np.ptp(every) ** 2 / every.var(axis=1).mean()
        assert found.total_high.item() == pytest.approx(bound, rel=1e-9)
        assert found.first_high == found.total_high < 0.3
        assert "changed in 0 of 1024 rows only: the interval is a bound" in found.remark.item()


def shares() -> Case:
    """Share of two winters that are short, 0, 1/2 or 1: both by x1, one of them by a little of x2 too."""
    rare, width = 0.05, 0.012

    def f(u: Array) -> Array:
        return 0.5 * ((u[:, 0] < rare).astype(float) + (u[:, 0] < rare + width * (2 * u[:, 1] - 1)))

    both = rare - width / 4  # rare - width, and the integral of (1 - t)/2 width dt over -1 < t < 0
    variance = (2 * rare * (1 - rare) + 2 * (both - rare**2)) / 4
    one, either = width**2 / 12, 2 * width / 6 / 4  # of E(f | x2); 2 width E p(1 - p) / 4, p uniform
    return Case(f, [1 - either / variance, one / variance], [1 - one / variance, either / variance])


def rare_jump(jump: float = 2.0, probability: float = 0.004) -> Case:
    """An input, and another that seldom adds to it, and then much."""
    one, other = 1 / 12, jump**2 * probability * (1 - probability)
    each = [one / (one + other), other / (one + other)]
    return Case(lambda u: u[:, 0] + jump * (u[:, 1] < probability), each, each)


@pytest.mark.parametrize("case", [shares(), rare_jump()], ids=["0, 1/2 or 1", "rare jump"])
def test_the_bound_of_an_input_that_changes_few_rows_holds(case: Case) -> None:
    studies = [matrices(case, 64, seed) for seed in range(200)]
    found = sensitivity.saltelli(*(xr.concat(each, "study") for each in zip(*studies, strict=True))).isel(input=1)
    bounded = np.char.find(found.remark.values.astype(str), "the interval is a bound") >= 0
    assert bounded.sum() > 150
    for key, exact in (("first", case.first[1]), ("total", case.total[1])):
        value, low, high = (found[f"{key}{end}"].values[bounded] for end in ("", "_low", "_high"))
        assert (high > value).all()
        assert_covers((low <= exact) & (exact <= high))


def test_a_jump_that_the_range_does_not_bound_has_no_upper_end() -> None:
    found = sensitivity.saltelli(*matrices(rare_jump(10.0, 0.002), 64, 1)).isel(input=1)
    assert found.total > 0.1
    assert found.total_low == 0
    assert np.isnan([found.first_high, found.total_high]).all()
    assert "nothing bounds the index" in found.remark.item()


def test_saltelli_misuse() -> None:
    base, other, mixed = matrices(KNOWN["Ishigami"], 4, 1)
    with pytest.raises(ValueError, match="other has 60 samples"):
        sensitivity.saltelli(base, other.isel(sample=slice(4, None)), mixed)
    with pytest.raises(ValueError, match="dimension sample"):
        sensitivity.saltelli(base.rename(sample="row"), other, mixed)
    with pytest.raises(ValueError, match="dimension input"):
        sensitivity.saltelli(base, other, mixed.rename(input="x"))
    with pytest.raises(ValueError, match="replicate: shape"):
        sensitivity.saltelli(base, other, mixed, [1, 2])


@pytest.mark.parametrize("name", ["Ishigami", "Ishigami, other constants", "G*", "line source", "polynomial"])
def test_chaos_known_answers(name: str) -> None:
    case = KNOWN[name]
    inputs = {"line source": line_inputs, "polynomial": ndtri}.get(name, lambda u: u)
    quantiles = {f"x{i}": stats.norm.ppf for i in range(1, 5)} if name == "polynomial" else None
    found = sensitivity.from_ensemble(*ensemble(case, 64, 1, inputs), quantiles=quantiles, confidence=0.999)
    assert (found.remark == "").all()
    assert found.unexplained < 0.01
    for key, exact in (("first", case.first), ("total", case.total)):
        assert found[key].values == pytest.approx(exact, abs=0.02)
        assert_within(found, key, exact)
    assert_within(found, "rank_first", case.first)


def test_known_distributions_sharpen_the_chaos() -> None:
    case = KNOWN["line source"]
    data = ensemble(case, 64, 2, line_inputs)
    plain, known = sensitivity.from_ensemble(*data), sensitivity.from_ensemble(*data, quantiles=QUANTILES)
    assert ((known.first_high - known.first_low) < 0.8 * (plain.first_high - plain.first_low)).all()
    assert_within(known, "first", case.first)


@pytest.mark.slow
@pytest.mark.parametrize(("name", "noise"), [("Ishigami", 0.0), ("Ishigami", 2.0), ("line source", 0.0)])
def test_chaos_covers(name: str, noise: float) -> None:
    case = KNOWN[name]
    variance = 7**2 / 8 + 0.5 + 0.1 * np.pi**4 / 5 + 0.01 * np.pi**8 / 18
    scale = variance / (variance + noise**2)
    hits: dict[str, list[Array]] = {"first": [], "total": [], "rank_first": []}
    for seed in range(60):
        inputs, output = ensemble(case, 32, seed, line_inputs if name == "line source" else lambda u: u)
        output = output + noise * np.random.default_rng(seed).standard_normal(len(output))
        found = sensitivity.from_ensemble(inputs, output, chance=xr.DataArray(noise**2))
        for key, each in hits.items():
            exact = scale * (case.total if key == "total" else case.first)
            each.append((found[f"{key}_low"].values <= exact + 1e-9) & (exact - 1e-9 <= found[f"{key}_high"].values))
    for each in hits.values():
        assert_covers(np.array(each))


def winters(case: Case, noise: float, count: int) -> tuple[dict[str, xr.DataArray], xr.DataArray]:
    inputs, output = ensemble(case, 64, 1)
    chance = np.random.default_rng(1).standard_normal((output.size, count))
    return inputs, output + noise * xr.DataArray(chance, dims=("sample", "winter"))


def test_chance_is_kept_apart_from_a_poor_fit() -> None:
    case, noise = KNOWN["Ishigami"], 4.0
    variance = 7**2 / 8 + 0.5 + 0.1 * np.pi**4 / 5 + 0.01 * np.pi**8 / 18
    inputs, values = winters(case, noise, 20)
    chance = sensitivity.chance_variance(values)
    assert chance.mean() == pytest.approx(noise**2, rel=0.05)
    one = values.isel(winter=0)
    share = noise**2 / (variance + noise**2)
    unknown = sensitivity.from_ensemble(inputs, one)
    assert np.isnan(unknown.first).all()
    assert "a poor fit or chance" in unknown.remark.values[0]
    assert unknown.unexplained == pytest.approx(share, abs=0.05)
    assert np.isfinite(unknown.rank_first).all()
    known = sensitivity.from_ensemble(inputs, one, chance=chance)
    assert known.chance_share == pytest.approx(share, abs=0.05)
    assert abs(known.fit_error) < 0.05
    assert_within(known, "first", case.first * (1 - share))
    assert_within(known, "total", case.total * (1 - share))


def test_chaos_refuses_what_it_cannot_fit() -> None:
    inputs, output = ensemble(KNOWN["Ishigami"], 64, 1)
    noise = output.copy(data=np.random.default_rng(1).standard_normal(output.size))
    found = sensitivity.from_ensemble(inputs, noise, chance=xr.DataArray(0.0))
    assert np.isnan(found.total).all()
    assert "a poor fit" in found.remark.values[0]
    assert found.unexplained > 0.9
    assert_within(found, "rank_first", np.zeros(3))
    assert np.isnan(sensitivity.from_ensemble(inputs, output * 0 + 3).total).all()
    rare = sensitivity.from_ensemble(inputs, (output > 11).astype(float))
    assert "rows of the rarer value" in rare.remark.values[0]


def test_chaos_leaves_failed_rows_out_or_refuses() -> None:
    inputs, output = ensemble(KNOWN["Ishigami"], 64, 1)
    some = output.where(np.arange(1024) % 200 != 0, np.inf)
    found = sensitivity.from_ensemble(inputs, xr.concat([output, some], "winter"), confidence=0.999)
    assert found.rows_left_out.values.tolist() == [0, 6]
    assert found.remark.isel(winter=0).values.tolist() == ["", "", ""]
    assert "6 of 1024 rows failed" in found.remark.isel(winter=1, input=0).item()
    assert_within(found.isel(winter=1), "total", KNOWN["Ishigami"].total)
    many = sensitivity.from_ensemble(inputs, output.where(np.arange(1024) % 3 != 0))
    assert np.isnan(many.first).all()
    assert np.isnan(many.rank_first).all()
    assert "more than 1.00%" in many.remark.values[0]


def test_groups_of_the_chaos() -> None:
    case = KNOWN["Ishigami"]
    groups = {"one and three": ["x1", "x3"], "two": ["x2"], "all": ["x1", "x2", "x3"], "x1": ["x1"]}
    found = sensitivity.from_ensemble(*ensemble(case, 64, 1), groups=groups, confidence=0.999)
    closed = np.array([1 - case.first[1], case.first[1], 1.0, case.first[0]])
    assert found.input.values.tolist() == list(groups)
    assert_within(found, "first", closed)
    assert_within(found, "total", np.array([*closed[:3], case.total[0]]))


def gaussian(slopes: Array, covariance: Array, seed: int) -> tuple[dict[str, xr.DataArray], xr.DataArray, xr.DataArray]:
    """A linear function of Gaussian inputs, and the rank correlations of these."""
    factor = np.linalg.cholesky(covariance)
    case = Case(lambda u: ndtri(u) @ factor.T @ slopes, [0.0] * len(slopes), [0.0] * len(slopes))
    inputs, output = ensemble(case, 16, seed, lambda u: ndtri(u) @ factor.T)
    sd = np.sqrt(np.diag(covariance))
    pearson = covariance / np.outer(sd, sd)
    names = list(inputs)
    ranks = np.where(pearson == 1, 1.0, 6 / np.pi * np.arcsin(pearson / 2))
    return inputs, output, xr.DataArray(ranks, dims=("input", "other"), coords={"input": names, "other": names})


def linear_gaussian_shapley(slopes: ArrayLike, covariance: ArrayLike) -> Array:
    """Shapley effects of y = Σ slopes x, with x Gaussian (Owen and Prieur 2017, SIAM/ASA J. Uncertain. Quantif. 5:986).

    β are `slopes` and Σ is `covariance`: inputs u explain βᵀ Σ_{·u} Σ_uu⁻¹ Σ_{u·} β.
    """
    beta, sigma = np.asarray(slopes, float), np.asarray(covariance, float)

    def explained(u: tuple[int, ...]) -> float:
        if not u:
            return 0.0
        across = sigma[list(u)] @ beta
        return float(across @ np.linalg.solve(sigma[np.ix_(u, u)], across))

    return shapley_values(explained, len(beta)) / float(beta @ sigma @ beta)


def test_shapley_of_the_linear_gaussian() -> None:
    covariance = np.array([[1, 0, 0], [0, 1, 1.0], [0, 1, 4]])
    exact = linear_gaussian_shapley([1, 1, 1], covariance)
    assert exact == pytest.approx([0.125, 0.296875, 0.578125])
    inputs, output, correlation = gaussian(np.ones(3), covariance, 1)
    quantiles = {f"x{i + 1}": stats.norm(0, sd).ppf for i, sd in enumerate((1, 1, 2))}
    found = sensitivity.shapley(inputs, output, correlation=correlation, quantiles=quantiles)
    assert found.shapley.values == pytest.approx(exact, abs=2e-4)
    assert_within(found, "shapley", exact)
    sampled = sensitivity.shapley(inputs, output)
    assert sampled.shapley.values == pytest.approx(exact, abs=0.05)
    assert np.isnan(sampled.shapley_low).all()
    assert "no interval" in sampled.remark.values[0]


@pytest.mark.parametrize("seed", range(4))
def test_shapley_of_random_linear_gaussians(seed: int) -> None:
    rng = np.random.default_rng(seed)
    count = 3 + seed % 3
    half = rng.normal(size=(count, count))
    covariance, slopes = half @ half.T + 0.5 * np.eye(count), rng.normal(size=count)
    exact = linear_gaussian_shapley(slopes, covariance)
    assert exact.sum() == pytest.approx(1.0)
    inputs, output, correlation = gaussian(slopes, covariance, seed)
    found = sensitivity.shapley(inputs, output, correlation=correlation, confidence=0.9999)
    assert_within(found, "shapley", exact)
    assert found.shapley.values == pytest.approx(exact, abs=0.05)


def test_two_correlated_inputs_by_hand() -> None:
    """Owen and Prieur 2017, for two inputs: half of the shared part to each."""
    b1, b2, s1, s2, rho = 1.5, -0.7, 2.0, 1.0, 0.6
    variance = b1**2 * s1**2 + 2 * rho * b1 * b2 * s1 * s2 + b2**2 * s2**2
    one = b1**2 * s1**2 * (1 - rho**2 / 2) + rho * b1 * b2 * s1 * s2 + b2**2 * s2**2 * rho**2 / 2
    exact = linear_gaussian_shapley([b1, b2], [[s1**2, rho * s1 * s2], [rho * s1 * s2, s2**2]])
    assert exact == pytest.approx([one / variance, 1 - one / variance])


def test_shapley_of_a_square_of_correlated_inputs() -> None:
    """y = x1² + x2: E(x1² | x2) = ρ² x2² + 1 - ρ², so that x1 alone explains 2 + ρ², and x2 alone 1 + 2 ρ⁴, of 3."""
    rho = 0.7
    inputs, _, correlation = gaussian(np.ones(2), np.array([[1, rho], [rho, 1]]), 1)
    output = inputs["x1"] ** 2 + inputs["x2"]
    quantiles = {"x1": stats.norm.ppf, "x2": stats.norm.ppf}
    found = sensitivity.shapley(inputs, output, np.arange(256) % 16, correlation=correlation, quantiles=quantiles)
    one = 0.5 * (2 + rho**2 + 3 - (1 + 2 * rho**4)) / 3
    assert found.shapley.values == pytest.approx([one, 1 - one], abs=1e-3)


def test_shapley_of_independent_inputs_shares_interactions() -> None:
    case = KNOWN["Ishigami"]
    found = sensitivity.shapley(*ensemble(case, 64, 1), confidence=0.999)
    assert_within(found, "shapley", 0.5 * (case.first + case.total))
    together = sensitivity.shapley(*ensemble(case, 64, 1), groups={"both": ["x1", "x3"]}, confidence=0.999)
    assert together.input.values.tolist() == ["both", "x2"]
    assert_within(together, "shapley", np.array([1 - case.first[1], case.first[1]]))


def test_correlated_inputs_have_indices_as_a_whole_only() -> None:
    covariance = np.array([[1, 0, 0], [0, 1, 1.0], [0, 1, 4]])
    inputs, output, correlation = gaussian(np.ones(3), covariance, 1)
    assert dependent_sets(inputs) == [["x2", "x3"]]
    assert dependent_sets(correlation=correlation) == [["x2", "x3"]]
    groups = {"x1": ["x1"], "x2": ["x2"], "pair": ["x3", "x2"], "mixed": ["x1", "x2"]}
    found = sensitivity.from_ensemble(inputs, output, groups=groups, correlation=correlation, confidence=0.999)
    whole = found.sel(input=["x1", "pair"])
    assert_within(whole, "first", np.array([0.125, 0.875]))
    assert_within(whole, "total", np.array([0.125, 0.875]))
    for name in ("x2", "mixed"):
        assert np.isnan(found.total.sel(input=name))
        assert "correlated inputs: x2 and x3" in found.remark.sel(input=name).item()
    guessed = sensitivity.from_ensemble(inputs, output, groups=groups)
    assert np.isnan(guessed.first_low.sel(input="pair"))
    assert guessed.first.sel(input="pair") == pytest.approx(0.875, abs=0.05)
    assert dependence_statement([]) == ""


def test_independent_inputs_are_not_taken_for_correlated() -> None:
    u, replicate = points(12, 16, 3)
    inputs = {f"x{i}": xr.DataArray(u[:, i], dims="sample") for i in range(12)}
    assert dependent_sets(inputs, replicate=replicate) == []
    rng = np.random.default_rng(1)
    plain = {f"x{i}": xr.DataArray(rng.random(500), dims="sample") for i in range(12)}
    assert dependent_sets(plain) == []
    plain["y"] = plain["x3"] + plain["x4"] ** 2
    assert dependent_sets(plain) == [["x3", "x4", "y"]]


def test_discrete_constant_and_heavy_tailed_inputs() -> None:
    u, replicate = points(3, 64, 1)
    choice, heavy = np.floor(3 * u[:, 0]), np.exp(3 * ndtri(u[:, 1]))
    inputs = {
        "choice": xr.DataArray(choice, dims="sample"),
        "heavy": xr.DataArray(heavy, dims="sample"),
        "constant": xr.DataArray(np.full(len(u), 4.0), dims="sample"),
    }
    output = xr.DataArray(choice**2 + np.log(heavy) / 3, dims="sample")
    found = sensitivity.from_ensemble(inputs, output, replicate, confidence=0.999)
    share = np.var([0, 1, 4]) / (np.var([0, 1, 4]) + 1)
    assert_within(found.isel(input=slice(2)), "total", np.array([share, 1 - share]))
    assert found.total.sel(input="constant") == 0


def test_what_drives_an_event_is_not_what_drives_the_mean() -> None:
    """Additive: x1 spreads the output, but only the rare jump of x2 passes the level."""
    u, replicate = points(4, 512, 1)

    def f(x: Array) -> Array:
        return x[:, 0] + 0.2 * (x[:, 1] > 0.9)

    A, B = u[:, :2], u[:, 2:]
    mixed = np.array([f(np.column_stack([B[:, 0], A[:, 1]])), f(np.column_stack([A[:, 0], B[:, 1]]))])
    base, other = xr.DataArray(f(A), dims="sample"), xr.DataArray(f(B), dims="sample")
    columns = xr.DataArray(mixed, dims=("input", "sample"))
    mean = sensitivity.saltelli(base, other, columns, replicate)
    assert mean.first[0] > 0.9
    event = sensitivity.saltelli(base > 1.0, other > 1.0, columns > 1.0, replicate)
    p = 0.1 * 0.2
    exact = np.array([0.2 * 0.8 * 0.01, 0.1 * 0.9 * 0.04]) / (p * (1 - p))
    assert_within(event, "first", exact)
    assert event.first[1] > event.first[0]


def test_ensemble_misuse() -> None:
    inputs, output = ensemble(KNOWN["Ishigami"], 4, 1)
    with pytest.raises(ValueError, match="group a"):
        sensitivity.from_ensemble(inputs, output, groups={"a": ["x9"]})
    with pytest.raises(ValueError, match="quantiles"):
        sensitivity.from_ensemble(inputs, output, quantiles={"x9": stats.norm.ppf})
    with pytest.raises(ValueError, match="input x1"):
        sensitivity.from_ensemble({"x1": inputs["x1"][:5]}, output)
    with pytest.raises(ValueError, match="two groups"):
        sensitivity.shapley(inputs, output, groups={"a": ["x1"], "b": ["x1"]})
