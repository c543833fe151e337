"""The search for the smallest design: the right answer as often as it says, with few samples where that is easy."""

import json
import math
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from scipy import stats
from scipy.special import betaincinv

from study.config import load_study
from study.ensemble import open_ensemble
from study.intervals import Estimate
from study.sizing import Goal, answer, plain, search, stages_of
from study.sizing_limit import saturation
from study.sizing_runs import Range
from tests.conftest import SMOKE, hotland, made

GOAL = Goal.parse("P(unmet_hours<=0) >= 90%")
HIGH = Goal.parse("mean(unmet_hours) >= 100")


def bernoulli(chances: list[float], rng: np.random.Generator):  # type: ignore[no-untyped-def]
    """Designs that meet what is asked with these chances: exact intervals of samples that grow."""
    draws = rng.random(4096)  # common random numbers

    def evaluate(place: int, samples: int, confidence: float) -> Estimate:
        hits = int((draws[:samples] < chances[place]).sum())
        tail, misses = 0.5 - confidence / 2, samples - hits
        low = betaincinv(hits, misses + 1, tail) if hits else 0.0
        high = betaincinv(hits + 1, misses, 1.0 - tail) if misses else 1.0
        return Estimate(hits / samples, float(low), float(high))

    return evaluate


def test_the_answer_is_right_as_often_as_it_says() -> None:
    chances = [0.5, 0.7, 0.86, 0.89, 0.93, 0.97, 0.99, 0.999]
    rng = np.random.default_rng(1)
    wrong = undecided = 0
    for _ in range(300):
        found = search(bernoulli(chances, rng), GOAL, len(chances), first=64, most=4096, confidence=0.9)
        truth = {place: "meets" if chance >= 0.9 else "misses" for place, chance in enumerate(chances)}
        wrong += any(each.verdict not in (truth[each.place], "undecided") for each in found.tried)
        undecided += any(each.verdict == "undecided" for each in found.tried)
        assert found.place is not None
        if all(each.verdict != "undecided" for each in found.tried) and not any(
            each.verdict != truth[each.place] for each in found.tried
        ):
            assert found.place == 4
    assert wrong <= 30  # at most one in ten, and Bonferroni is safe
    assert undecided > 30  # 0.89 against 0.9 is told seldom


def test_every_look_has_its_share_of_the_error() -> None:
    """Of a design just at the bound every look may err: all together no more often than said, nor much more seldom."""
    rng = np.random.default_rng(2)
    wrong = 0
    for _ in range(1000):
        found = search(bernoulli([0.9], rng), GOAL, 1, first=64, most=4096, confidence=0.8)
        wrong += found.tried[0].verdict == "misses"  # in truth it just meets it
    assert 20 <= wrong <= 200


def test_easy_steps_take_few_samples() -> None:
    seen: dict[int, int] = {}

    def evaluate(place: int, samples: int, confidence: float) -> Estimate:
        seen[place] = samples
        half = float(stats.norm.ppf(0.5 + confidence / 2)) / math.sqrt(samples)
        return Estimate(place / 8, place / 8 - half, place / 8 + half)

    found = search(evaluate, Goal.parse("mean(unmet_hours) >= 4.05 h"), 65, first=64, most=65536)
    assert found.place == 33
    assert found.more_is_better
    assert seen[0] == seen[64] == 64
    assert seen[32] == max(seen.values()) > 1000  # 4.0, the nearest to the bound
    assert seen[48] == 64
    assert len(found.tried) <= 2 + 6


@pytest.mark.parametrize("bound", range(-1, 9))
@pytest.mark.parametrize("rising", [True, False])
def test_any_boundary_is_found(bound: int, rising: bool) -> None:
    """Against a plain look at every value."""

    def evaluate(place: int, _samples: int, _confidence: float) -> Estimate:
        value = place if rising else 7 - place
        return Estimate(value, value - 0.1, value + 0.1)

    goal = Goal.parse(f"mean(unmet_hours) >= {bound + 0.5}")
    found = search(evaluate, goal, 8, first=8, most=8)
    meet = [place for place in range(8) if (place if rising else 7 - place) >= bound + 0.5]
    expected = None if not meet else meet[0] if rising else meet[-1]
    assert found.place == expected
    words = answer(found, "wells", [str(n) for n in range(8)])
    assert ("no value" in words) == (not meet)
    assert ("both ends" in words) == (len(meet) == 8)
    assert ("more is better" in words) == rising


@pytest.mark.parametrize("own", [1, 5, 12, 40])
@pytest.mark.parametrize("least", [1, 3, 6, 13, 40, 64, 65])
@pytest.mark.parametrize("rising", [True, False])
def test_the_search_goes_out_from_a_value(own: int, least: int, rising: bool) -> None:
    """Values 1 to 64, the target met from `least` on, or up to it."""
    looks: list[float] = []

    def evaluate(place: int, _samples: int, confidence: float) -> Estimate:
        looks.append(confidence)
        value = place + 1 if rising else 2 * least - place - 1
        return Estimate(value, value - 0.1, value + 0.1)

    doubled = {own * 2**n for n in range(7)} | {own // 2**n for n in range(7)} | {1, 64}
    rungs = sorted({value - 1 for value in doubled if 1 <= value <= 64} - {own - 1})
    goal = Goal.parse(f"mean(unmet_hours) >= {least - 0.5}")
    found = search(evaluate, goal, 64, first=8, most=8, rungs=rungs, start=own - 1)
    if rising:
        assert found.place == (least - 1 if least <= 64 else None)
    elif own <= least:
        assert found.place == 0  # the smallest there is
    else:
        assert found.place == least - 1
    assert found.tried[0].place == own - 1
    assert len(set(looks)) == 1
    assert len(found.tried) <= round(0.1 / (1 - looks[0]))  # each has its share of the error


@pytest.mark.parametrize(
    ("low", "said"),
    [
        (0.95, "wells = 5, the only value, meets it, with 95 % confidence"),
        (0.8, "no value: wells = 5, the only value, is not shown to meet it"),
        (0.1, "no value: wells = 5, the only value, misses it"),
    ],
)
def test_a_range_of_one_value(low: float, said: str) -> None:
    found = search(lambda *_: Estimate(low, low, low + 0.15), GOAL, 1, first=8, most=8)
    assert answer(found, "wells", ["5"]).startswith(said)


def test_a_statistic_that_turns_round_is_noticed() -> None:
    values = [0.0, 3.0, 1.0, 9.0, 2.0, 8.0, 4.0, 5.0]
    found = search(
        lambda place, _s, _c: Estimate(values[place], values[place] - 0.1, values[place] + 0.1),
        Goal.parse("mean(unmet_hours) >= 4.5"),
        8,
        first=8,
        most=8,
    )
    assert any("does not go one way" in remark for remark in found.remarks)


@pytest.mark.parametrize("values", range(3, 40))
def test_between_ends_that_miss_the_middle_is_tried(values: int) -> None:
    """A hump about the middle, down to one value wide: found within the looks that have a share of the error."""
    top = (values - 1) // 2
    for width in range(top):
        looks: list[float] = []

        def evaluate(place: int, _samples: int, confidence: float) -> Estimate:
            looks.append(confidence)  # noqa: B023 (called at once)
            value = 10.0 - abs(place - top)
            return Estimate(value, value - 0.1, value + 0.1)

        goal = Goal.parse(f"mean(unmet_hours) >= {10 - width - 0.5}")
        found = search(evaluate, goal, values, first=8, most=8)
        assert found.place == top - width
        assert found.more_is_better is None
        assert len(found.tried) == len(looks) <= round(0.1 / (1 - looks[0]))
        assert "neither end of the range" in " ".join(found.remarks)
        words = answer(found, "wells", [str(place) for place in range(values)])
        assert words.startswith(f"wells = {top - width}: the smallest of")
        assert words.endswith("(neither end does best)")


@pytest.mark.parametrize(("values", "tried"), [(2, "1 and 2"), (3, "1, 2 and 3"), (5, "1, 3 and 5")])
def test_of_a_range_in_which_nothing_meets_it_is_said_what_was_tried(values: int, tried: str) -> None:
    found = search(lambda place, _s, _c: Estimate(place, place - 0.1, place + 0.1), HIGH, values, first=8, most=8)
    words = answer(found, "wells", [str(place + 1) for place in range(values)])
    assert words.startswith(f"no value found: none of wells {tried} meets it")
    assert ("what lies between was not tried" in words) == (values == 5)


def test_what_cannot_be_told_does_not_meet() -> None:
    found = search(lambda *_: Estimate(math.nan, remark="none"), GOAL, 3, first=8, most=32)
    assert found.place is None
    assert [each.samples for each in found.tried] == [32, 32, 32]
    assert "shown" in answer(found, "wells", ["1", "2", "3"])
    assert json.loads(json.dumps(plain(found, GOAL, ["1", "2", "3"])))["tried"][0]["estimate"] is None


def test_stages_double_up_to_the_most() -> None:
    assert stages_of(64, 300) == (64, 128, 256, 300)
    assert stages_of(64, 10) == (10,)


@pytest.mark.parametrize("until", ["P(unmet_hours<=0) >= 99.9%", "P(winters(unmet_hours)>0) <= 1%"])
@pytest.mark.parametrize("limits", [None, "1..9"])
def test_too_few_samples_are_told_before_any_is_computed(until: str, limits: str | None) -> None:
    """By the exact binomial bound of samples that all meet the target, with the looks counted here once more."""
    asked = Range.of(SMOKE, key="wells", until=until, limits=limits, samples=256)
    share = 0.999 if "99.9" in until else 0.99
    # 1 to 9: both ends, and 3 between; else 2, up to 4, 8, 16, 32 and 3 between 16 and 32, or 2 and down to 1
    tried = 2 + 3 if limits else 5 + 3 + 1

    def shows(samples: int) -> bool:
        looks = tried * (1 + math.ceil(math.log2(max(1.0, samples / 64))))
        return bool((0.05 / looks) ** (1 / samples) >= share)

    needed = next(n for n in range(256, 20_000) if shows(n))
    said = asked.too_few(0.95)
    assert said.startswith("256 samples cannot show")
    assert said.endswith(f"{needed:,} could (--samples {needed})")
    for samples in (needed, needed - 1):
        other = Range.of(SMOKE, key="wells", until=until, limits=limits, samples=samples)
        assert (other.too_few(0.95) == "") == (samples == needed)
        found = search(
            lambda _place, count, look: Estimate(1.0, (0.5 - look / 2) ** (1 / count), 1.0),
            Goal.parse(f"P(unmet_hours<=0) >= {share}"),
            len(other.values),
            first=other.least,
            most=other.most,
            rungs=other.rungs,
            start=other.start,
        )
        assert (found.place is not None) == (samples == needed)


def test_winters_that_miss_may_show_more_than_none_that_does(tmp_path: Path) -> None:
    """Of thirty winters to a sample: 25 samples with a miss have Student's interval, none at all the exact one."""
    path = tmp_path / "life.yaml"
    path.write_text(SMOKE.read_text().replace("winters: 2", "winters: 30"))
    asked = Range.of(path, key="wells", limits="1..2", until="P(winters(unmet_hours)<=0) >= 99%", samples=64)

    def lowest(samples: int) -> tuple[float, float]:
        looks = 2 * (1 + math.ceil(math.log2(max(1.0, samples / 64))))
        student = stats.t.ppf(1.0 - 0.05 / looks, 3)  # of four replicates, with 7, 6, 6 and 6 of the misses
        return (0.05 / looks) ** (1 / samples), 1.0 - (25 + student * 0.5 * math.sqrt(4)) / (30 * samples)

    said = int(asked.too_few(0.95).rpartition("--samples ")[2].rstrip(")"))
    assert max(lowest(said)) >= 0.99 > max(lowest(said - 1))
    assert lowest(said)[0] < 0.99


@pytest.mark.parametrize(
    ("until", "few", "samples"),
    [
        ("mean(unmet_hours) <= 3", False, 8),
        ("P(unmet_hours<=0) >= 50%", False, 256),
        ("quantile(unmet_hours, 99%) <= 3", True, 256),
        ("quantile(unmet_hours, 99%) <= 3", False, 2048),
        ("q05(carbon_reduction) >= 100", True, 64),
        ("return_level(unmet_hours, 1000) <= 3", True, 256),
        ("cvar(min(carbon_reduction), 5%, lower) >= 1", True, 256),  # 25 in the tail
        ("cvar(min(carbon_reduction), 5%, lower) >= 1", False, 1024),
        ("P(energy_imbalance<=1) >= 99.99999%", True, 4096),
    ],
)
def test_of_every_statistic_it_is_told_whether_samples_can_do(until: str, few: bool, samples: int) -> None:
    said = Range.of(SMOKE, key="wells", until=until, samples=samples).too_few(0.95)
    assert bool(said) == few
    if few:
        more = int(said.rpartition("--samples ")[2].rstrip(")")) if "--samples" in said else 10**6
        assert more > samples


@pytest.fixture(scope="module")
def fields(tmp_path_factory: pytest.TempPathFactory) -> dict[int, xr.Dataset]:
    """The small study with so many wells."""
    found = {}
    for wells in (1, 2, 4, 16):
        case = load_study(SMOKE, {"wells": wells, "field.spacing": "30 m"}).with_overrides(samples=64)
        found[wells] = open_ensemble(made(case, tmp_path_factory.mktemp(str(wells))))
    return found


@pytest.mark.parametrize("until", ["P(unmet_hours<=0) >= 99.9%", "mean(unmet_hours) <= 3", "P(unmet_hours>1) <= 1%"])
def test_something_else_limits_a_design_only_where_the_paired_difference_shows_it(
    fields: dict[int, xr.Dataset], until: str
) -> None:
    """Wells make up for the first 1300 h; what is left is peak heating's, and no further well changes it."""
    goal = Goal.parse(until)
    assert saturation(goal, fields[1], fields[2]) == ""
    hours = {wells: each["unmet_hours"].mean("winter").values for wells, each in fields.items()}
    assert (hours[4] == hours[16]).all()
    wrong = hours[16] > (-1.0 if until.startswith("mean") else 1.0 if ">1" in until else 0.0)
    left = (hours[16] - goal.bound * until.startswith("mean") - (">1" in until))[wrong].mean()
    said = saturation(goal, fields[4], fields[16])
    assert "has not changed at all" in said
    assert f"and {left:.3g} (" in said
    # the same with a little that does change, by other hands: surely less than a tenth of it
    nudged = fields[4].assign(unmet_hours=fields[4]["unmet_hours"] * 1.02)
    assert f"has come nearer by {(0.02 * hours[4])[wrong].mean():.3g} (" in saturation(goal, nudged, fields[16])
    assert saturation(goal, fields[4].assign(unmet_hours=fields[4]["unmet_hours"] * 1.2), fields[16]) == ""
    assert saturation(goal, fields[4].assign(unmet_hours=fields[4]["unmet_hours"] * 0.9), fields[16]) == ""
    change = 0.01 + 0.02 * (-1) ** fields[4]["sample"]  # mostly the wrong way, and no one can tell
    unsure = saturation(goal, fields[4].assign(unmet_hours=fields[4]["unmet_hours"] * (1 - change)), fields[16])
    assert re.search(r"has come nearer by [0-9.]+ h at most, and", unsure)


def test_of_quantiles_no_limit_is_told(fields: dict[int, xr.Dataset]) -> None:
    assert saturation(Goal.parse("q95(unmet_hours) <= 3"), fields[4], fields[16]) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("P(unmet_hours<=0) >= 120%", "above 0 % and below 100 %"),
        ("P(unmet_hours<=0) >= 0", "above 0 % and below 100 %"),
        ("P(unmet_hors<=0) >= 99%", "unmet_hours"),
        ("P(unmet_hours<=0)", "its bound"),
        ("P(unmet_hours<=0) = 99%", "its bound"),
        ("mean(unmet_hours) <= 3 kg", "kg"),
        ("x" * 400, "too long"),
    ],
)
def test_what_is_no_target_is_said(text: str, said: str) -> None:
    with pytest.raises(ValueError) as error:  # noqa: PT011 (each has its own words)
        Goal.parse(text)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--range", "4..1"], "wrong way round"),
        (["--range", "1..4", "--find", "samples"], "--find"),
        (["--range", "1..4", "--find", "well.dept"], "well.dept"),
        (["--range", "few"], "two numbers"),
        (["--range", "1..4", "--step", "0"], "step 0: allowed: above 0"),
        (["--range", "1..4", "--step", "10"], "the step leads beyond the range"),
        (["--find", "well.dept"], "the nearest ones are well.depth"),
        (["--find", "climate.warming"], "which doubling makes no larger"),
        (["--step", "0"], "--step '0'"),
        (["--range", "1..4", "--until", "P(nothing<=0) >= 99%"], "nothing"),
        (["--range", "1..4", "--confidence", "120%"], "--confidence"),
    ],
)
def test_wrong_options_are_one_message(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from study.cli import main

    usual = {"--find": "wells", "--until": "P(unmet_hours<=0) >= 99%"}
    given = [part for name, value in usual.items() if name not in options for part in (name, value)]
    monkeypatch.setattr("sys.argv", ["hotland", "size", str(SMOKE), *given, *options])
    with pytest.raises(SystemExit) as end:
        main()
    error = capsys.readouterr().err
    assert end.value.code == 2
    assert said in error
    assert "Traceback" not in error


@pytest.mark.parametrize(
    ("key", "own", "names", "rungs"),
    [
        ("wells", "2", ("1", "2", "3"), ["1", "4", "8", "16", "32"]),
        ("peak_capacity", "0.3 MW", ("0.02 MW", "0.03 MW"), ["0.15 MW", "0.6 MW"]),
        ("spacing", "30 m", ("3 m", "4 m"), ["15 m", "60 m"]),  # the median
    ],
)
def test_a_range_about_the_own_value(key: str, own: str, names: tuple[str, ...], rungs: list[str]) -> None:
    found = Range.of(SMOKE, key=key, until="P(unmet_hours<=0) >= 99.9%")
    assert found.names[found.start] == own
    assert found.names[: len(names)] == names
    assert {found.names[rung] for rung in found.rungs} >= set(rungs)
    assert found.first.samples == 32


def test_each_value_has_a_store_of_its_own() -> None:
    found = Range.of(SMOKE, key="climate.mean_offset", limits="-2..2 K", until="mean(unmet_hours) <= 3")
    assert found.names == ("-2 K", "-1 K", "0 K", "1 K", "2 K")
    assert len({found.store(place) for place in range(5)}) == 5


@pytest.mark.slow
def test_a_small_study_end_to_end(tmp_path: Path) -> None:
    ask = partial(hotland, "size", SMOKE, "--find", "wells", "--range", "1..5", "--samples", "256", folder=tmp_path)
    first = ask("--until", "P(unmet_hours<=400) >= 60%", "--json")
    assert first.returncode == 0, first.stderr
    found = json.loads(first.stdout)
    assert found["answer"] == "2"
    assert {each["value"]: each["verdict"] for each in found["tried"]}["1"] == "misses"
    again = ask("--until", "P(unmet_hours<=400) >= 60%", "--json")
    assert json.loads(again.stdout) == found
    plain_ask = hotland(*("size", SMOKE, "--find", "wells", "--until", "P(unmet_hours<=400) >= 60%"), folder=tmp_path)
    assert "wells = 2: the smallest of wells 1 to 2" in plain_ask.stdout
    assert "98.9 % interval of a look" in plain_ask.stdout
    assert "warning" not in plain_ask.stderr
    none = hotland(
        *("size", SMOKE, "--find", "wells", "--samples", "256", "--until", "P(unmet_hours<=0) >= 99.9%"),
        folder=tmp_path,
    )
    assert none.returncode == 1
    assert "no value" in none.stdout
    assert "something else limits it" in " ".join(none.stdout.split())
    assert none.stderr.index("256 samples cannot show") < none.stderr.index("wells = 2:")
    assert "0 of" not in none.stderr
    inside = hotland(
        *("size", SMOKE, "--find", "wells", "--range", "2..6", "--samples", "64"),
        *("--until", "mean(carbon_reduction) >= 460"),
        folder=tmp_path,
    )
    assert inside.returncode == 0, inside.stdout
    assert "wells = 3: the smallest of wells 2 to 6" in inside.stdout
