"""Pictures of reliability: what is drawn against numbers worked out by hand, and ensembles at the edge."""

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any, Literal

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes

from study import figures
from study.errors import EnsembleError
from study.sampling import uniforms
from study.statistics import mean, probability

UNITS = {
    "unmet_hours": ("hours short", "h"),
    "worst_shortfall": ("largest shortfall", "MW"),
    "outdoor_temperature_min": ("lowest outdoor temperature", "degC"),
    "outdoor_temperature_mean": ("mean outdoor temperature", "degC"),
}
DRAW: dict[str, Callable[[xr.Dataset, Axes], Axes]] = {
    "frequency of hours": figures.probability_of_frequency,
    "frequency of power": lambda d, a: figures.probability_of_frequency(d, a, "worst_shortfall"),
    "chance by winter": figures.reliability_by_winter,
    "hours by winter": lambda d, a: figures.reliability_by_winter(d, a, "unmet_hours"),
    "coldest hour": figures.unmet_against_severity,
    "mean of winter": lambda d, a: figures.unmet_against_severity(d, a, "outdoor_temperature_mean"),
}


def ensemble(hours: np.ndarray) -> xr.Dataset:
    """Return an ensemble with these unmet hours, (sample, winter), the more of them the colder."""
    both = ("sample", "winter")
    rng = np.random.default_rng(1)
    values = {
        "unmet_hours": hours,
        "worst_shortfall": hours / 100,
        "outdoor_temperature_min": -20.0 - hours / 10 - rng.random(hours.shape),
        "outdoor_temperature_mean": -5.0 - hours / 100 - rng.random(hours.shape),
    }
    return xr.Dataset(
        {
            **{k: (both, v, dict(zip(("long_name", "units"), UNITS[k], strict=True))) for k, v in values.items()},
            "status": ("sample", np.zeros(len(hours), np.int8)),
            "replicate": ("sample", np.arange(len(hours)) % 4),
        },
        coords={"sample": np.arange(len(hours)), "winter": 1 + np.arange(hours.shape[1])},
    )


def some_hours(samples: int = 64, winters: int = 30) -> np.ndarray:
    rng = np.random.default_rng(2)
    return np.floor(np.maximum(0.0, 20 * rng.normal(size=(samples, 1)) + 20 * rng.normal(size=(samples, winters)) - 10))


@pytest.fixture
def axes() -> Iterator[Axes]:
    figure, axes = plt.subplots(layout="constrained")
    yield axes
    plt.close(figure)


def lines(axes: Axes) -> dict[str, np.ndarray]:
    return {str(line.get_label()): np.array(line.get_data(), float) for line in axes.get_lines()}


def bands(axes: Axes) -> list[np.ndarray]:
    return [band.get_paths()[0].vertices for band in axes.collections if len(band.get_paths())]


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
@pytest.mark.parametrize(
    "hours",
    [
        pytest.param(some_hours(), id="some"),
        pytest.param(np.zeros((64, 30)), id="never short"),
        pytest.param(some_hours(64, 1), id="one winter"),
        pytest.param(some_hours(1, 30), id="one sample"),
        pytest.param(np.zeros((1, 1)), id="one sample of one winter, not short"),
        pytest.param(np.full((8, 2), 7.0), id="always the same"),
    ],
)
def test_every_ensemble_can_be_drawn(draw: Callable[[xr.Dataset, Axes], Axes], hours: np.ndarray, axes: Axes) -> None:
    assert draw(ensemble(hours), axes) is axes
    axes.figure.canvas.draw()
    assert "(" in axes.get_xlabel() or axes.get_xlabel() == "winter of life"
    assert "(" in axes.get_ylabel()
    legend = axes.get_legend()
    assert legend is not None
    assert len(legend.get_texts()) == 4
    for values in lines(axes).values():
        assert np.isfinite(values).all()


@pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)
def test_failed_samples_and_the_order_of_dimensions_do_not_matter(
    draw: Callable[[xr.Dataset, Axes], Axes], axes: Axes
) -> None:
    good = ensemble(some_hours(256))
    spoilt = good.copy(deep=True)
    spoilt["status"][7::128] = 2
    for name in UNITS:
        spoilt[name][7::128] = np.nan
    other = plt.figure().add_subplot()
    draw(good.isel(sample=np.arange(256) % 128 != 7), axes)
    draw(spoilt.transpose("winter", "sample"), other)
    for one, another in zip(axes.get_lines(), other.get_lines(), strict=True):
        np.testing.assert_array_equal(one.get_data(), another.get_data())
    assert [text.get_text() for text in other.texts if "failed" in text.get_text()] == ["2 of 256 samples failed"]
    assert not [text for text in axes.texts if "failed" in text.get_text()]
    plt.close(other.figure)


@pytest.mark.parametrize("draw", [*DRAW.values(), figures.unmet_heat_by_winter, figures.carbon_reduction_exceedance])
def test_an_ensemble_of_which_too_many_samples_failed_is_not_drawn(
    draw: Callable[[xr.Dataset, Axes], Axes], axes: Axes
) -> None:
    spoilt = ensemble(some_hours())
    spoilt["status"][7] = 2  # of 64, more than 1 %
    with pytest.raises(EnsembleError, match="1 of 64 samples failed"):
        draw(spoilt, axes)


def accounts(samples: int) -> xr.Dataset:
    """Amounts of two accounts, of Sobol' points, t CO2."""
    case: Any = SimpleNamespace(seed=3, design="sobol", replicates=4)
    amounts = 1e3 * np.tile(uniforms(case, ["winter_load"], np.arange(samples)), (1, 2))
    return ensemble(np.zeros((samples, 2))).assign(
        carbon_reduction=(("sample", "winter"), amounts),
        carbon_electricity=(("sample", "winter"), np.full((samples, 2), 500.0)),
        electricity=(("sample", "winter"), np.full((samples, 2), 500.0)),
        grid_emission_factor=(("sample", "winter"), np.ones((samples, 2))),
    )


def test_the_band_of_the_carbon_reduction_is_that_of_the_estimator(axes: Axes) -> None:
    dataset = accounts(1024).assign_attrs(study="{}")
    figures.carbon_reduction_exceedance(dataset, axes)
    grid, free = axes.get_lines()
    np.testing.assert_allclose(np.diff(np.stack([grid.get_xdata(), free.get_xdata()]), axis=0), 0.5)
    amounts, value = (np.asarray(x, float) for x in grid.get_data())
    life = dataset["carbon_reduction"].mean("winter").values / 1e3
    np.testing.assert_allclose(value, [100 * (life >= amount - 1e-12).mean() for amount in amounts])
    band = bands(axes)[0]
    for place in (20, 100, 180):
        found = probability(xr.DataArray(life >= amounts[place] - 1e-12, dims="sample"), dataset["replicate"].values)
        ends = band[np.isclose(band[:, 0], amounts[place]), 1]
        assert (ends.min(), ends.max()) == pytest.approx((100 * found["low"].item(), 100 * found["high"].item()))
        assert ends.max() - ends.min() < 196 * np.sqrt(value[place] / 100 * (1 - value[place] / 100) / 1024)


def test_probability_of_frequency_by_hand(axes: Axes) -> None:
    # five samples, short in 0, 1, 2, 3 and 4 of four winters: 10 h or, the last sample, 20 h
    hours = np.tril(np.full((5, 4), 10.0), -1)
    hours[4] = 20
    figures.probability_of_frequency(ensemble(hours), axes)
    drawn = lines(axes)
    levels, median = drawn["median sample"]
    together = drawn["all samples, 95 % interval"][1]
    assert (levels[0], levels[-1]) == (0, 20)
    low, high = levels < 10, (levels >= 10) & (levels < 20)
    np.testing.assert_allclose(median[low], 50)
    np.testing.assert_allclose(together[low], 50)  # 10 of 20 winters
    assert (median[levels >= 10] == 0).all()
    np.testing.assert_allclose(together[high], 20)
    assert together[-1] == 0
    outer, inner = (band[:, 1] for band in bands(axes)[:2])
    # shares 0 25 50 75 100 %: quartiles 25 and 75, and a fifth of a step from the ends
    assert set(np.round(inner[np.isin(inner, [25, 75])], 9)) == {25, 75}
    assert outer.max() == pytest.approx(95)
    assert outer[outer > 0].min() == pytest.approx(5)


def test_the_return_level_is_where_one_winter_in_50_is_crossed(axes: Axes) -> None:
    hours = some_hours(512)
    figures.probability_of_frequency(ensemble(hours), axes)
    levels, together = lines(axes)["all samples, 95 % interval"]
    crossed = levels[np.argmax(together <= 2)]
    assert crossed == pytest.approx(np.quantile(hours, 0.98), abs=levels[1] + 1)  # one step of levels, and whole hours


@pytest.mark.parametrize("measure", ["shortfall", "unmet_hours"])
def test_reliability_by_winter_is_that_of_the_estimators(
    measure: Literal["shortfall", "unmet_hours"], axes: Axes
) -> None:
    hours = some_hours()
    dataset = ensemble(hours)
    figures.reliability_by_winter(dataset, axes, measure)
    winters, value = lines(axes)["all samples, 95 % interval"]
    replicate = dataset["replicate"].values
    np.testing.assert_array_equal(winters, np.arange(1, 31))
    short = measure == "shortfall"
    scale = 100 if short else 1
    each = xr.DataArray(hours, dims=("sample", "winter"))
    expected = probability(each > 0, replicate) if short else mean(each, replicate)
    np.testing.assert_allclose(value, scale * expected["value"])
    whiskers = np.array([path.vertices[:, 1] for path in axes.collections[-1].get_paths()])
    np.testing.assert_allclose(whiskers, scale * np.stack([expected["low"], expected["high"]], axis=1))
    # ten winters a step
    _, median = lines(axes)["median sample"]
    data = 100.0 * (hours > 0) if short else hours
    by_ten = np.median(data.reshape(64, 3, 10).mean(axis=2), axis=0)
    np.testing.assert_allclose(median, np.repeat(by_ten, 2))


def test_unmet_hours_against_severity_by_hand(axes: Axes) -> None:
    # 800 winters: cold ones, -30 to -29 degC, short by their number, mild ones, -20 to -19 degC, not short
    hours = np.zeros((80, 10))
    hours[:40] = np.arange(1.0, 401.0).reshape(40, 10)
    dataset = ensemble(hours)
    degree = np.linspace(0, 1, 400).reshape(40, 10)
    dataset["outdoor_temperature_min"].values[:] = np.concatenate([-30 + degree, -20 + degree])
    figures.unmet_against_severity(dataset, axes)
    centres, means = lines(axes)["mean"]
    medians = lines(axes)["median"][1]
    assert axes.xaxis_inverted()
    assert axes.get_xlabel() == "lowest outdoor temperature of the winter (°C), colder to the right"
    assert (means[centres > -25] == 0).all()
    # hours rise with the temperature by 400 h/K among the cold ones
    cold = centres < -25
    np.testing.assert_allclose(means[cold], 1 + 399 * (centres[cold] + 30), rtol=1e-9)
    np.testing.assert_allclose(medians[cold], means[cold], rtol=1e-9)
