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
from study.figures.style import colours
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


# The other pictures


def plant_ensemble(samples: int = 64, winters: int = 30) -> xr.Dataset:
    """Return an ensemble with what the pictures of carbon and of the wells' water need."""
    random = np.random.default_rng(3)
    dataset = ensemble(some_hours(samples, winters))
    for name, words, units, level in (
        ("carbon_reduction", "carbon reduction", "t CO2", 10_000.0),
        ("outlet_temperature_mean", "water leaving the wells", "degC", 20.0),
        ("inlet_temperature_min", "water entering the wells", "degC", 6.0),
        ("heating_reliability", "delivered over demanded heat", "1", 0.9),
    ):
        values = level * (1 + 0.1 * random.random((samples, winters)))
        dataset[name] = ("sample", "winter"), values, {"long_name": words, "units": units}
    dataset.attrs["study"] = '{"claim": {"carbon_reduction": "10600 t"}}'
    return dataset


OTHERS: dict[str, Callable[[xr.Dataset, Axes], Axes]] = {
    "distribution": figures.carbon_reduction_distribution,
    "water": figures.water_temperature_by_winter,
    "convergence": figures.convergence,
    "half-width": lambda d, a: figures.convergence(d, a, "unmet_hours", show="half_width"),
    "unmet heat": figures.unmet_heat_by_winter,
}


@pytest.mark.parametrize("draw", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize(("samples", "winters"), [(64, 30), (64, 1), (3, 2), (1, 1)])
@pytest.mark.parametrize("spread", [True, False])
def test_every_other_ensemble_can_be_drawn(
    draw: Callable[[xr.Dataset, Axes], Axes], samples: int, winters: int, spread: bool, axes: Axes
) -> None:
    dataset = plant_ensemble(samples, winters)
    if not spread:
        dataset = dataset.copy(data={name: np.full_like(each, each.values.flat[0]) for name, each in dataset.items()})
        dataset["replicate"] = "sample", np.arange(samples) % 4
        dataset["status"] = "sample", np.zeros(samples, np.int8)
    draw(dataset, axes)
    axes.figure.canvas.draw()
    assert "(" in axes.get_xlabel() or axes.get_xlabel() == "winter of life"
    assert "(" in axes.get_ylabel()


def test_the_distribution_by_hand(axes: Axes) -> None:
    dataset = plant_ensemble()
    figures.carbon_reduction_distribution(dataset, axes)
    life = dataset["carbon_reduction"].mean("winter").values / 1e3
    bars = np.array([(bar.get_x(), bar.get_x() + bar.get_width(), bar.get_height()) for bar in axes.patches[:-1]])
    assert bars[:, 2].sum() == pytest.approx(100)
    for left, right, height in bars:
        assert height == pytest.approx(100 * np.mean((life >= left) & (life < right)), abs=100 / 64 + 1e-9)
    assert axes.get_lines()[0].get_xdata()[0] == pytest.approx(life.mean())
    assert axes.get_lines()[1].get_xdata()[0] == 10.6  # the promise, kt
    low, high = axes.patches[-1].get_x(), axes.patches[-1].get_x() + axes.patches[-1].get_width()
    expected = mean(dataset["carbon_reduction"].mean("winter"), dataset["replicate"].values)
    np.testing.assert_allclose([low, high], [expected["low"] / 1e3, expected["high"] / 1e3])


def test_water_by_winter_by_hand(axes: Axes) -> None:
    dataset = plant_ensemble()
    figures.water_temperature_by_winter(dataset, axes)
    drawn = lines(axes)
    for name, label in (
        ("outlet_temperature_mean", "out of the wells, mean of the winter"),
        ("inlet_temperature_min", "into the wells, lowest of the winter"),
    ):
        np.testing.assert_allclose(drawn[label][1], np.median(dataset[name], axis=0))
    outer = bands(axes)[0][:, 1]
    expected = np.percentile(dataset["outlet_temperature_mean"], [5, 95], axis=0)
    assert outer.min() == pytest.approx(expected[0].min())
    assert outer.max() == pytest.approx(expected[1].max())


def test_convergence_ends_with_the_estimate_and_begins_with_a_shorter_study(axes: Axes) -> None:
    dataset = plant_ensemble(256)
    figures.convergence(dataset, axes)
    sizes, value = lines(axes)["mean"]
    assert (sizes[0], sizes[-1]) == (8, 256)
    life = dataset["carbon_reduction"].mean("winter").values
    np.testing.assert_allclose(value, [life[: int(size)].mean() for size in sizes])
    other = plt.figure().add_subplot()
    figures.convergence(dataset, other, show="half_width")
    half = lines(other)["this design"][1]
    expected = mean(dataset["carbon_reduction"].mean("winter"), dataset["replicate"].values)
    assert half[-1] == pytest.approx(float(expected["high"] - expected["low"]) / 2)
    random = lines(other)["plain Monte Carlo, expected"][1]
    assert random[0] / random[-1] == pytest.approx(np.sqrt(256 / 8))
    plt.close(other.figure)


def traces(*, interval: str = "hourly", days: int = 30) -> xr.Dataset:
    """Traces of three samples of two winters: powers that add up, in the coldest week short of heat."""
    of_day = 24 if interval == "hourly" else 1
    shape, random = (3, 2, days * of_day), np.random.default_rng(4)
    outdoor = -10 + random.normal(size=shape)
    outdoor[1, 1, 9 * of_day : 16 * of_day] -= 12
    demand = (18 - outdoor) / 10
    wells, pumps = np.minimum(demand, 1.5), np.minimum(demand, 2.0)
    backup = np.minimum(demand - pumps, 1.5)
    values = {
        "outdoor_temperature": outdoor,
        "indoor_temperature": 18 - (demand - pumps - backup),
        "heat_demand": demand,
        "heat_unmet": demand - pumps - backup,
        "heat_pump_heat": pumps,
        "heat_extracted": wells,
        "heat_backup": backup,
    }
    begins = "time since 0:00 of 11-01 (month-day), at the start of the hour"
    time = np.arange(shape[2]), {"units": "h" if interval == "hourly" else "d", "long_name": begins}
    return xr.Dataset(
        {name: (("sample", "winter", "time"), each.astype(np.float32)) for name, each in values.items()},
        coords={"sample": [0, 4, 7], "winter": [1, 2], "time": ("time", *time)},
    )


@pytest.mark.parametrize("interval", ["hourly", "daily"])
def test_the_coldest_week_is_found_and_drawn(interval: str) -> None:
    of_day = 24 if interval == "hourly" else 1
    week = figures.coldest_week(traces(interval=interval))
    assert (int(week["sample"]), int(week["winter"]), int(week["time"][0])) == (4, 2, 9 * of_day)
    assert week.sizes["time"] == 7 * of_day
    assert int(figures.coldest_week(traces(interval=interval), 7, 1)["sample"]) == 7
    figure = figures.cold_week(week, plt.figure())
    figure.canvas.draw()
    warm, power = figure.axes
    assert power.get_xlabel() == "time (d), from 10 November, 0:00"
    assert (warm.get_ylabel(), power.get_ylabel()) == ("temperature (°C)", "heat (MW)")
    tops = [band.get_paths()[0].vertices[:, 1].max() for band in power.collections]
    demand = week["heat_demand"].values
    assert [band.get_label() for band in power.collections][-1] == "unmet"
    assert tops[0] == pytest.approx(1.5)
    assert tops[-1] == pytest.approx(demand.max(), rel=1e-6)
    np.testing.assert_array_equal(power.get_lines()[0].get_ydata()[:-1], demand)
    plt.close(figure)


def test_a_week_of_few_series_is_drawn_and_one_of_failed_samples_refused() -> None:
    week = figures.coldest_week(traces()[["outdoor_temperature", "heat_demand"]])
    plt.close(figures.cold_week(week, plt.figure()))
    with pytest.raises(ValueError, match="no traced sample ended well"):
        figures.coldest_week(traces() * np.nan)


def luminance(colour: Any) -> float:
    """Relative luminance (WCAG 2.1)."""
    parts = np.array(matplotlib.colors.to_rgb(colour))
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))


@pytest.mark.parametrize("on_dark", [False, True])
def test_colours_are_seen_on_their_background(on_dark: bool) -> None:
    with figures.dark() if on_dark else matplotlib.rc_context():
        paper = luminance(matplotlib.rcParams["axes.facecolor"])
        ink = colours()
        of_text = matplotlib.rcParams["text.color"]
        figure, axes = plt.subplots()
        figures.water_temperature_by_winter(plant_ensemble(), axes)
        used = {matplotlib.colors.to_hex(line.get_color()).upper() for line in axes.get_lines()}
        plt.close(figure)
    assert (paper < 0.05) == on_dark
    assert used == {ink.orange, ink.blue}
    for colour, least in ((ink.blue, 3), (ink.orange, 3), (ink.green, 3), (ink.grey, 4.5), (of_text, 7)):
        low, high = sorted((paper, luminance(colour)))
        assert (high + 0.05) / (low + 0.05) >= least, colour
    assert luminance(matplotlib.rcParams["axes.facecolor"]) == 1.0  # as before
