"""Climates fitted: known parameters come back, what a file can't tell is said, the command writes what it fitted."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner, Result

from study.cli import commands
from study.climate import Climate, compare, fit_climate, generate, heating_season
from study.errors import ConfigError
from study.reading import read_yaml, validate
from study.weather_file import DesignConditions, read_design_conditions, read_weather
from study.winters import DIURNAL_SHAPE, ClimateFile
from tests.conftest import ROOT

WEATHER = ROOT.parent / "shared" / "weather"
SEASON = heating_season("11-01", "03-31")
YEAR = heating_season("07-01", "06-30")
RECORDS, WINTERS = 12, 40

# Like Shenyang's, see tests/test_weather.py, but skewed, bent and warming.
TRUTH = Climate(
    site="Somewhere",
    monthly_temperature=np.array([-10.66, -6.17, 1.54, 10.46, 17.28, 21.9, 24.9, 23.76, 17.23, 9.89, 1.3, -7.67]),
    daily_standard_deviation=np.array([5.5, 5.1, 4.4, 3.5, 2.7, 2.3, 2.3, 2.7, 3.4, 4.3, 5.1, 5.5]),
    diurnal_range=np.array([6.8, 8.1, 9.8, 10.2, 9.1, 7.5, 6.9, 7.8, 9.0, 9.2, 8.1, 6.8]),
    diurnal_shape=(np.array(DIURNAL_SHAPE) - np.mean(DIURNAL_SHAPE)) / np.ptp(DIURNAL_SHAPE),
    diurnal_variability=0.8,  # so large that one day in ten would have a negative range
    persistence=0.73,
    cold_skewness=0.3,
    cold_kurtosis=-0.2,
    season_standard_deviation=1.2,
    warming=1.0,
    warming_error=0.0,
    winters=0,
    years=None,
    remarks=(),
)


def record(
    climate: Climate = TRUTH, *, number: int = 0, winters: int = WINTERS, typical: bool = False, seed: int = 5
) -> pd.Series:
    """A generated record from 1 July 1980 on, of years of 365 days."""
    hours = generate(climate, YEAR, samples=np.array([number]), winters=winters, seed=seed)
    index = pd.date_range("1980-07-01", f"{1980 + winters}-07-01", freq="h", inclusive="left")
    index = index[~((index.month == 2) & (index.day == 29))]
    series = pd.Series(hours.ravel(), index, name="outdoor_temperature").asfreq("h").interpolate()
    series.attrs = {"site": "Somewhere", "typical_year": typical, "filled": 0}
    return series


@pytest.fixture(scope="module")
def fits() -> list[Climate]:
    return [fit_climate(record(number=number), season=SEASON) for number in range(RECORDS)]


def test_known_parameters_come_back(fits: list[Climate]) -> None:
    """No bias beyond three standard errors over the records, and a record's own error as small as it can be.

    With days that correlate by r = 0.73, a month of 30 has some 30 (1 − r) / (1 + r) = 5 independent days, a season 24.
    So the standard error of 40 winters is for a month's mean √((5.5²/5 + 1.2²)/40) = 0.43 K; of a standard deviation
    of days 5.5/√(2·40·5) = 0.28 K; of the spread of winters, whose means spread by √(5²/24 + 1.2²) = 1.6 K,
    (1.6²/1.2)/√(2·40) = 0.24 K; of the skewness √(6/(40·24)) = 0.08 and of the kurtosis √(24/(40·24)) = 0.16; of
    the trend √12·1.6/40^1.5 = 0.022 K a year. The others have values of each day of their
    own: 0.73 by √((1 − r²)/(40·151)) = 0.01, a month's range by 0.8·10/√(40·30) = 0.23 K, and variability by
    0.8/√(2·40·151) = 0.007, and 0.012 for its nearness: the bends of the anomalies at midday are taken for its part.
    """
    limits = {
        "monthly_temperature": 0.43,
        "daily_standard_deviation": 0.28,
        "diurnal_range": 0.23,
        "diurnal_shape": 0.001,
        "diurnal_variability": 0.019,
        "persistence": 0.012,
        "cold_skewness": 0.08,
        "cold_kurtosis": 0.16,
        "season_standard_deviation": 0.24,
        "warming": 0.22,
    }
    table, failed = [], []
    for name, limit in limits.items():
        found = np.array([getattr(fit, name) for fit in fits])
        error, spread = found.mean(axis=0) - getattr(TRUTH, name), found.std(axis=0, ddof=1)
        table.append(f"{name:26} {np.abs(error).max():8.4f} {spread.max():8.4f} {limit:8.4f}")
        if (np.abs(error) > 3.0 * limit / np.sqrt(RECORDS)).any() or (spread > 1.6 * limit).any():
            failed.append(name)
    assert not failed, f"{failed}\n" + "\n".join(table)
    errors = [fit.warming_error for fit in fits]
    assert np.mean(errors) == pytest.approx(np.std([fit.warming for fit in fits], ddof=1), rel=0.5)
    assert all(fit.winters == WINTERS and fit.years == (1980, 2020) and not fit.remarks for fit in fits)


def test_one_year_gives_days_but_not_winters() -> None:
    """The spread of days of 60 single years has no bias, though each year's own months are taken for the means."""
    truth = replace(TRUTH, season_standard_deviation=0.0, warming=0.0, cold_skewness=0.0, cold_kurtosis=0.0)
    fits = [fit_climate(record(truth, number=number, winters=1), season=SEASON) for number in range(60)]
    persistence = np.array([fit.persistence for fit in fits])
    variance = np.array([(fit.daily_standard_deviation**2).mean() for fit in fits])
    for values, expected in ((persistence, 0.73), (variance, (truth.daily_standard_deviation**2).mean())):
        assert abs(values.mean() - expected) < 3.0 * values.std(ddof=1) / np.sqrt(60)
    fit = fits[0]
    assert (fit.season_standard_deviation, fit.warming, fit.cold_skewness, fit.cold_kurtosis) == (1.2, 0.0, 0.0, 0.0)
    said = " ".join(fit.remarks)
    for key in ("warming", "cold_skewness", "season_standard_deviation"):
        assert key in said
    typical = fit_climate(record(truth, winters=1, typical=True), season=SEASON)
    assert "understates extremes" in typical.remarks[0]


def test_daily_values_give_the_same_but_for_the_daily_cycle(fits: list[Climate]) -> None:
    hourly = record()
    daily = hourly.resample("D").mean()
    daily.attrs = hourly.attrs
    fit = fit_climate(daily, season=SEASON)
    for name in ("monthly_temperature", "daily_standard_deviation", "persistence", "cold_skewness", "warming"):
        np.testing.assert_allclose(getattr(fit, name), getattr(fits[0], name), rtol=1e-6)
    assert "the daily cycle is assumed" in fit.remarks[0]
    assert set(fit.diurnal_range) == {8.0}
    assert "days below" in " ".join(compare(daily, fit, season=SEASON)["statistic"].values)


def test_winters_with_long_gaps_are_left_out(fits: list[Climate]) -> None:
    series = record()
    series["1990-01-10":"1990-01-20"] = np.nan
    fit = fit_climate(series, season=SEASON)
    assert fit.winters == WINTERS - 1
    # 11 of 1,240 days of January are gone, none further than 17 K (three standard deviations) from its mean.
    np.testing.assert_allclose(fit.monthly_temperature, fits[0].monthly_temperature, atol=0.15)
    assert fit.persistence == pytest.approx(fits[0].persistence, abs=0.01)
    assert fit.season_standard_deviation == pytest.approx(fits[0].season_standard_deviation, abs=0.1)


def test_times_of_another_place_are_noticed() -> None:
    series = record(winters=9)
    utc = series.set_axis(series.index - pd.Timedelta(hours=8))
    assert not any("--utc-offset" in remark for remark in fit_climate(series, season=SEASON).remarks)
    assert any("the warmest hour is 6" in remark for remark in fit_climate(utc, season=SEASON).remarks)


def test_a_season_in_the_southern_winter() -> None:
    """The season runs over 1 July, and half a year away the same days are as cold."""
    moved = record().set_axis(record().index + pd.Timedelta(days=181))
    fit = fit_climate(moved, season=heating_season("05-01", "09-28"))
    assert fit.monthly_temperature.argmin() == 6
    assert fit.winters == WINTERS
    assert fit.persistence == pytest.approx(TRUTH.persistence, abs=0.03)


DESIGN = DesignConditions(-22.9, -20.5, -25.4, 3.1, -27.6, -29.4, -31.2, -33.4)  # Shenyang's


def test_design_conditions_are_met_where_winters_are_few() -> None:
    """A typical year of a milder spread: annual minima get the published mean and, within what is likely, spread."""
    milder = replace(
        TRUTH,
        daily_standard_deviation=0.85 * TRUTH.daily_standard_deviation,
        season_standard_deviation=0.0,
        warming=0.0,
        cold_skewness=0.0,
        cold_kurtosis=0.0,
    )
    series = record(milder, winters=1, typical=True, number=2)
    fit = fit_climate(series, season=SEASON, design=DESIGN)
    minima = generate(fit, SEASON, samples=np.arange(1000), winters=1, seed=77).min(axis=(1, 2, 3))
    assert minima.mean() == pytest.approx(DESIGN.minimum_mean, abs=0.4)  # two times 1,000 winters: 0.14 K
    if 0.8 < fit.season_standard_deviation < 2.0:
        assert minima.std() == pytest.approx(DESIGN.minimum_standard_deviation, abs=0.3)
    assert "mean annual minimum -25.4" in fit.remarks[-1]
    # Out of reach, they are left alone; and with many winters, the file goes before them.
    far = fit_climate(series, season=SEASON, design=DESIGN._replace(minimum_mean=-60.0))
    assert far.season_standard_deviation == 1.2
    assert "no spread of days" in far.remarks[-1]
    many = record(winters=10)
    alone, beside = (fit_climate(many, season=SEASON, design=design) for design in (None, DESIGN))
    assert alone.season_standard_deviation == beside.season_standard_deviation


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda series: series["1980-07-01":"1981-01-31"], "no complete heating season from 11-01 to 03-31"),
        (lambda series: series["1980-10-01":"1981-05-31"], "month 6: 0 complete days"),
        (lambda series: series * 0.0 + 5.0, "there is no daily cycle"),
        (lambda series: series.resample("D").mean() * 0.0, "the daily means do not vary"),
    ],
)
def test_files_that_tell_no_climate(change: Callable[[pd.Series], pd.Series], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        fit_climate(change(record(winters=1)), season=SEASON)


def test_seasons_that_are_none() -> None:
    with pytest.raises(ConfigError, match="allowed: days such as 11-01"):
        heating_season("11-31", "03-31")
    with pytest.raises(ConfigError, match="without 1 January or without 1 July"):
        fit_climate(record(winters=1), season=heating_season("10-01", "08-31"))


def test_statistics_of_a_record_made_by_hand() -> None:
    """Seven days of frost and one hour of deep frost in each of ten winters; the rest of the year is the same."""
    series = record(replace(TRUTH, season_standard_deviation=0.0), winters=10)
    series[:] = 8.0
    for year in range(1981, 1991):
        series[f"{year}-01-10" : f"{year}-01-14"] = -12.0
        series[f"{year}-02-10" : f"{year}-02-11"] = -12.0
        series[f"{year}-02-20 03:00"] = -20.0
    found = compare(series, TRUTH, season=SEASON)
    values = dict(zip(found["statistic"].values, found["file"].values, strict=True))
    below = [value for name, value in values.items() if name.startswith("hours below")]
    one_day = (23 * 8.0 - 20.0) / 24
    assert values["mean (°C)"] == pytest.approx((143 * 8.0 + one_day - 7 * 12.0) / 151)
    assert values["degree-days below 18 °C (K d)"] == pytest.approx(143 * 10.0 + 18.0 - one_day + 7 * 30.0)
    assert values["mean annual minimum (°C)"] == -20.0
    assert values["1 % of hours are below (°C)"] == -12.0
    assert below == [1.0, 169.0]  # below −12 °C and below 8 °C: 7 days and an hour, less than 5 % of 3,624 h
    assert values["daily mean undershot on 5 days a winter (°C)"] == -12.0
    assert found.attrs["cold"] == 8.0
    assert values["mean cold spell, days below 8.0 °C (d)"] == pytest.approx(8 / 3)
    assert values["longest cold spell of a winter, mean (d)"] == 5.0
    np.testing.assert_allclose(found["file_spells"].values[:6], [3, 2, 1, 1, 1, 0])


def test_the_fit_covers_its_own_record(fits: list[Climate]) -> None:
    """Nine in ten statistics should lie in their 90 % ranges; as they depend on each other, three in four must."""
    found = compare(record(), fits[0], season=SEASON, seed=3)
    _, low, high = found["generated"].values
    inside = (low <= found["file"].values) & (found["file"].values <= high)
    assert inside.mean() > 0.75, found["statistic"].values[~inside]


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(commands, ["climate", *map(str, arguments)])


def test_command_writes_what_it_fitted(tmp_path: Path, fits: list[Climate]) -> None:
    record().to_csv(tmp_path / "town.csv", index_label="time")
    output, picture = tmp_path / "town.yaml", tmp_path / "town.png"
    answer = run(tmp_path / "town.csv", "--output", output, "--picture", picture, "--season", "11-01", "03-31")
    assert answer.exit_code == 0, answer.output
    assert "40 winters of the file, 100 generated records" in answer.stdout
    assert "warning: 240 missing values bridged" not in answer.stderr
    given = "surface_temperature and building.design_outdoor_temperature"
    assert f"wrote {output}; a study with it still gives {given} itself\nwrote {picture}\n" in answer.stderr
    text = output.read_text()
    assert "to town.csv: 1980 to 2020, 40 complete winters" in text
    assert str(tmp_path) not in text
    written = validate(ClimateFile, read_yaml(output), label="town.yaml")
    climate, fit = written.climate, fits[0]
    assert written.season is not None
    assert (written.season.start, climate.site) == ("11-01", "town")
    for name in ("monthly_temperature", "daily_standard_deviation", "diurnal_range"):
        np.testing.assert_allclose(getattr(climate, name), getattr(fit, name), atol=0.00501)
    for name in ("diurnal_shape", "persistence", "cold_skewness", "cold_kurtosis", "diurnal_variability"):
        np.testing.assert_allclose(getattr(climate, name), getattr(fit, name), atol=0.000501)
    assert climate.season_standard_deviation.value == pytest.approx(fit.season_standard_deviation, abs=0.00501)
    assert climate.warming.uncertain
    assert picture.stat().st_size > 50_000


@pytest.mark.parametrize("station", ["CHN_LN_Shenyang.543420", "CHN_HL_Harbin-Taiping.AP.541611"])
def test_typical_years(tmp_path: Path, station: str) -> None:
    """Fitted to the typical year and to the mean and spread of annual minima; the rest is a test of the generator.

    The published hours and return levels come from some 25 years, their standard errors are about 1 K (hours), and
    0.8 to 2.1 K (5 to 50 years).
    """
    path = WEATHER / f"{station}_TMYx.epw"
    if not path.is_file():
        pytest.skip(f"{path.name} is not in ../shared/weather; it is not ours to ship")
    answer = run(path, "--output", tmp_path / "climate.yaml")
    assert answer.exit_code == 0, answer.output
    assert "design conditions in the header" in answer.stdout
    assert "understates extremes" in answer.stderr
    assert "understates extremes" in (tmp_path / "climate.yaml").read_text()
    assert "a study with it still gives season, surface_temperature" in answer.stderr
    validate(ClimateFile, read_yaml(tmp_path / "climate.yaml"), label="climate.yaml")
    series, design = read_weather(path), read_design_conditions(path)
    fit = fit_climate(series, season=SEASON, design=design)
    found = compare(series, fit, season=SEASON, design=design)
    _, low, high = found["generated"].values
    inside = (low <= found["file"].values) & (found["file"].values <= high)
    assert inside.mean() > 0.75, found["statistic"].values[~inside]
    difference = found["long_run"].values - found["published"].values
    assert (np.abs(difference) < [1.5, 1.5, 0.4, 0.7, 0.8, 1.2, 1.9, 2.6]).all(), difference


def test_a_season_of_30_days_is_enough(tmp_path: Path) -> None:
    record(winters=3).to_csv(tmp_path / "town.csv", index_label="time")
    answer = run(tmp_path / "town.csv", "--season", "12-15", "01-13", "--output", tmp_path / "town.yaml")
    assert answer.exit_code == 0, answer.output
    assert (tmp_path / "town.yaml").is_file()


def test_what_no_study_would_take_is_not_written(tmp_path: Path) -> None:
    """Winters 30 K apart, as a random walk or a file of wrong units may have them."""
    series = record(winters=10)
    series += 30.0 * (series.index.year.to_numpy() + (series.index.month.to_numpy() > 6)) % 60.0
    series.clip(-50, 50).to_csv(tmp_path / "walk.csv", index_label="time")
    answer = run(tmp_path / "walk.csv", "--output", tmp_path / "walk.yaml")
    assert isinstance(answer.exception, ConfigError)
    message = str(answer.exception)
    assert message.startswith(f"{tmp_path / 'walk.csv'}: what was fitted is out of range: climate.")
    assert "climate.season_standard_deviation: allowed: a quantity in K, at least 0 and at most 10" in message
    assert answer.stdout == ""
    assert not (tmp_path / "walk.yaml").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.csv"], "none.csv: there is no such file"),
        (["a.csv"], "a.csv: no complete heating season"),
        (["a.csv", "--season", "13-01", "03-31"], "season '13-01' to '03-31': allowed"),
        (["a.csv", "--season", "12-15", "01-12"], "season 12-15 to 01-12: allowed: 30 days or more, got 29"),
        (["a.csv", "--season", "11- 1", "03-31"], "season '11- 1' to '03-31': allowed"),
        (["a.epw", "--column", "x"], "--column x: allowed: with CSV or NetCDF"),
        (["a.csv", "--output", "a.txt"], "--output a.txt: allowed: a file named .yaml or .yml"),
        (["a.csv", "--picture", "a.gif"], "--picture a.gif: allowed: a file named .png, .svg or .pdf"),
        (["a.csv", "--unit", "R"], "'R' is not one of"),
        (["a.csv", "--column", "x"], "a.csv: allowed: a column 'x'"),
    ],
)
def test_command_refuses(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    said: str,
) -> None:
    from study.cli import main

    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.csv").write_text("time,t\n2001-01-01,1\n2001-01-02,2\n")
    monkeypatch.setattr("sys.argv", ["hotland", "climate", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    assert said in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == ["a.csv"]
