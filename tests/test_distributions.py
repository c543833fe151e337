import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from study.csv_file import MOST_VALUES
from study.distributions import Input
from study.quantity import Quantity

LENGTH = Quantity("m", ge=-1000, le=10000, description="length")
MIDPOINTS = (np.arange(200_000) + 0.5) / 200_000


def distribution(kind: str, **parameters: Any) -> Input:
    return Input.read({"distribution": kind, **parameters}, LENGTH)


NORMAL = distribution("normal", mean="3 m", standard_deviation="50 cm")
TRUNCATED = distribution("truncated_normal", mean="3 m", standard_deviation="2 m", minimum="1 m", maximum="4 m")
LOGNORMAL = distribution("lognormal", mean="3 m", standard_deviation="1 m")
UNIFORM = distribution("uniform", minimum="1 m", maximum="4 m")
TRIANGULAR = distribution("triangular", minimum="1 m", mode="2 m", maximum="6 m")
CHOICE = distribution("choice", values=["5 m", "1 m", "2 m"], probabilities=["50 %", 0.2, 0.3])
ALL = [NORMAL, TRUNCATED, LOGNORMAL, UNIFORM, TRIANGULAR, CHOICE]


def truncated_moments(mean: float, sd: float, low: float, high: float) -> tuple[float, float]:
    """Johnson, Kotz and Balakrishnan 1994, section 13.10.1."""
    a, b = (low - mean) / sd, (high - mean) / sd
    mass = stats.norm.cdf(b) - stats.norm.cdf(a)
    shift = (stats.norm.pdf(a) - stats.norm.pdf(b)) / mass
    spread = 1 + (a * stats.norm.pdf(a) - b * stats.norm.pdf(b)) / mass - shift**2
    return mean + sd * shift, sd * math.sqrt(spread)


@pytest.mark.parametrize(
    ("uncertain", "mean", "standard_deviation"),
    [
        (NORMAL, 3, 0.5),
        (TRUNCATED, *truncated_moments(3, 2, 1, 4)),
        (LOGNORMAL, 3, 1),
        (UNIFORM, 2.5, 3 / math.sqrt(12)),
        (TRIANGULAR, 3, math.sqrt((1 + 4 + 36 - 2 - 6 - 12) / 18)),
        (CHOICE, 3.3, math.sqrt(0.5 * 25 + 0.2 + 0.3 * 4 - 3.3**2)),
    ],
)
def test_moments(uncertain: Input, mean: float, standard_deviation: float) -> None:
    values = uncertain.quantile(MIDPOINTS)
    assert values.mean() == pytest.approx(mean, rel=1e-4)
    assert values.std() == pytest.approx(standard_deviation, rel=1e-3)


@pytest.mark.parametrize(
    ("uncertain", "median"),
    [
        (NORMAL, 3),
        (TRUNCATED, 3 + 2 * stats.norm.ppf((stats.norm.cdf(-1) + stats.norm.cdf(0.5)) / 2)),
        (LOGNORMAL, 3 / math.sqrt(1 + 1 / 9)),
        (UNIFORM, 2.5),
        (TRIANGULAR, 6 - math.sqrt(5 * 4 / 2)),
        (distribution("choice", values=["1 m", "2 m", "9 m"]), 2),
    ],
)
def test_median(uncertain: Input, median: float) -> None:
    assert float(uncertain.quantile(np.array(0.5))) == pytest.approx(median, rel=1e-12)


@pytest.mark.parametrize(
    ("uncertain", "bounds"),
    [
        (NORMAL, (-math.inf, math.inf)),
        (TRUNCATED, (1, 4)),
        (LOGNORMAL, (0, math.inf)),
        (UNIFORM, (1, 4)),
        (TRIANGULAR, (1, 6)),
        (CHOICE, (1, 5)),
        (Input.read("3 m", LENGTH), (3, 3)),
    ],
)
def test_bounds(uncertain: Input, bounds: tuple[float, float]) -> None:
    assert uncertain.bounds() == pytest.approx(bounds)


@given(st.lists(st.floats(1e-9, 1 - 1e-9), min_size=1, max_size=20), st.sampled_from(ALL))
def test_a_quantile_depends_on_its_own_probability_alone(u: list[float], uncertain: Input) -> None:
    together = uncertain.quantile(np.array(u))
    alone = [float(uncertain.quantile(np.array([one]))[0]) for one in u]
    assert together.tolist() == alone
    low, high = uncertain.bounds()
    assert np.all((together >= low) & (together <= high))


@pytest.mark.parametrize("uncertain", [*ALL, Input.read({"value": "2 m", "source": "a log"}, LENGTH)])
def test_dump_reads_back(uncertain: Input) -> None:
    assert Input.read(uncertain.dump(), LENGTH) == uncertain


def test_choice_is_drawn_as_often_as_it_says() -> None:
    values, counts = np.unique(CHOICE.quantile(MIDPOINTS), return_counts=True)
    assert values.tolist() == [1, 2, 5]
    np.testing.assert_allclose(counts / MIDPOINTS.size, [0.2, 0.3, 0.5], atol=1e-5)


def test_constants_know_their_source() -> None:
    plain, sourced = Input.read("2900 m", LENGTH), Input.read({"value": "2900 m", "source": "a log"}, LENGTH)
    assert not plain.uncertain
    assert plain.value == sourced.value == 2900
    assert (plain.source, sourced.source) == (None, "a log")
    assert plain.quantile(np.array([0.1, 0.9])).tolist() == [2900, 2900]
    with pytest.raises(ValueError, match="a constant is needed, got a normal distribution"):
        _ = NORMAL.value


def test_a_temperature_spreads_in_kelvin() -> None:
    surface = {"distribution": "normal", "mean": "9.8 degC", "standard_deviation": "0.6 K"}
    made = Input.read(surface, Quantity("degC"))
    assert made.parameters == {"mean": 9.8, "standard_deviation": 0.6}
    with pytest.raises(ValueError, match="standard_deviation"):
        Input.read({**surface, "standard_deviation": "0.6 degC"}, Quantity("degC"))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        ({"distribution": "uniform", "minimum": "4 m", "maximum": "1 m"}, "minimum < maximum"),
        ({"distribution": "uniform", "minimum": "4 m", "maximum": "4 m"}, "minimum < maximum"),
        ({"distribution": "triangular", "minimum": "1 m", "mode": "9 m", "maximum": "4 m"}, "minimum ≤ mode ≤ maximum"),
        ({"distribution": "uniform", "minimum": "1 m", "maximum": "20 km"}, "reaches 20000 m.*at most 10000"),
        ({"distribution": "normal", "mean": "20 km", "standard_deviation": "1 m"}, "median is 20000 m.*at most 10000"),
        ({"distribution": "normal", "mean": "1 m", "standard_deviation": "0 m"}, "above 0"),
        ({"distribution": "lognormal", "mean": "-1 m", "standard_deviation": "1 m"}, "mean above 0"),
        ({"distribution": "lognormal", "mean": "1 m", "standard_deviation": "1e300 m"}, "at most 100 times"),
        ({"distribution": "choice", "values": ["1 m", "1 m"]}, "two different values"),
        ({"distribution": "choice", "values": []}, "values"),
        ({"distribution": "choice", "values": ["1 m", "2 m"], "probabilities": [0.5, 0.4]}, "sum 1"),
        ({"distribution": "choice", "values": ["1 m", "2 m"], "probabilities": [1]}, "one probability for each"),
        ({"distribution": "choice", "values": ["1 m", "2 m"], "probabilities": []}, "one probability for each"),
        ({"distribution": "choice", "values": ["1 m", "20 km"]}, "reaches 20000 m"),
        ({"distribution": "gaussian", "mean": "1 m"}, "truncated_normal"),
        ({"distribution": ["normal"]}, "truncated_normal"),
        ({"distribution": "constant", "value": "1 m"}, "truncated_normal"),
        ({"mean": "1 m"}, "'distribution'"),
        ({"value": "20 km"}, "at most 10000"),
        ({"value": "2 m", "soruce": "x"}, "soruce"),
        ({"distribution": "normal", "mean": "1 m"}, "standard_deviation"),
    ],
)
def test_impossible_distributions_are_refused(raw: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Input.read(raw, LENGTH)


def empirical(folder: Path, file: str = "log.csv", column: str = "depth", unit: str = "cm") -> Input:
    return Input.read({"distribution": "empirical", "file": file, "column": column, "unit": unit}, LENGTH, folder)


def test_empirical_is_the_order_statistic_of_the_column(tmp_path: Path) -> None:
    values = np.random.default_rng(1).normal(300, 50, 99)
    (tmp_path / "log.csv").write_text("name,depth\n" + "".join(f"x,{value!r}\n" for value in values.tolist()))
    made = empirical(tmp_path)
    u = (np.arange(99) + 0.5) / 99
    np.testing.assert_allclose(made.quantile(u), np.sort(values) / 100, rtol=1e-15)
    assert made.source == "log.csv, column depth"
    (tmp_path / "log.csv").unlink()
    assert Input.read(made.dump(), LENGTH) == made  # the values are in the study, not in the file


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"depth\n1\n", f"has 1 values; allowed: 2 to {MOST_VALUES}"),
        (b"a,b\n1,2\n", "no column 'depth'; it has 'a', 'b'"),
        (b"depth\n1\n99999999\n", "reaches"),
    ],
)
def test_unusable_columns_are_refused(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "log.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        empirical(tmp_path)
    (tmp_path / "log.csv").write_text("depth\n1\n2\n")
    with pytest.raises(ValueError, match="cannot read 'kg' as 'm'"):
        empirical(tmp_path, unit="kg")
