"""The report: sentences true for any study, one file that needs nothing else, and what a browser makes of it."""

import itertools
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import fields, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import study
from study import figures
from study.cli import main
from study.config import Study
from study.drivers import Answer, Drivers, Index, Number
from study.report import report
from study.report.answer import answer, limits_of_it, what_it_is
from study.report.explorer import against_inputs, by_winter
from study.summary import summarise
from tests.conftest import SMOKE, made, variant

BROWSER, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
needs_browser = pytest.mark.skipif(
    not (BROWSER and DRIVER), reason="no chromium with chromedriver here: apt-get install chromium chromium-driver"
)
MOST_BYTES = 5_000_000
HOSTILE = '<script>alert(1)</script> & "co"</title> {{ 7 * 7 }} <img src=x onerror=alert(2)>'


def smoke(**changes: Any) -> Study:
    return variant(study.load(SMOKE), {key.replace("__", "."): value for key, value in changes.items()})


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


@pytest.fixture(scope="module")
def store(folder: Path) -> Path:
    """A study with a claim, whose words are markup."""
    case = smoke(
        description=HOSTILE,
        claim={"carbon_reduction": "450 t"},
        winters=3,
        samples=40,
        rock__volumetric_heat_capacity={"value": "2.25 MJ/m^3/K", "source": HOSTILE},
    )
    return made(case, folder)


@pytest.fixture(scope="module")
def page(store: Path) -> str:
    return report(str(store))


@pytest.fixture(scope="module")
def odd_page(tmp_path_factory: pytest.TempPathFactory) -> str:
    """One lone well, one winter, four samples, no claim, and nothing that is uncertain."""
    case = smoke(
        field={"rows": 1, "columns": 1},
        winters=1,
        samples=4,
        well__flow_rate="30 m^3/h",
        rock__conductivity="2.5 W/m/K",
        geothermal_gradient="30 K/km",
        winter_load=1,
        heat_pump__second_law_efficiency=0.52,
        correlations=[],
        **{"rock__layers.0.conductivity": "2 W/m/K"},
    )
    assert not case.uncertain
    return report(str(made(case, tmp_path_factory.mktemp("odd"))))


class Reader(HTMLParser):
    """What a page holds, and whether its elements close in order."""

    VOID = frozenset(("meta", "link", "img", "br", "source"))

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if not {"script", "style"} & set(self.open):
            self.words.append(data)

    def every(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.seen if name == tag]


def said(case: Study, dataset: xr.Dataset, drivers: Answer | None = None) -> dict[str, str]:
    """The sentences of an ensemble under their headings."""
    parts = answer(case, summarise(dataset), drivers)
    return {part.title: " ".join(part.sentences).replace("\u00a0", " ") for part in parts}


def ensemble_of(case: Study, folder: Path) -> xr.Dataset:
    return study.open_ensemble(made(case, folder)).load()


# Sentences


def test_the_promise_is_told_with_its_interval(store: Path) -> None:
    dataset = study.open_ensemble(store).load()
    case = Study.model_validate(json.loads(dataset.attrs["study"]))
    found = said(case, dataset)["The promise"]
    share = 100 * float((dataset["carbon_reduction"].mean("winter") >= 450).mean())
    assert 0 < share < 100
    (number,) = re.findall(r"on average over 3 winters with a probability of ([\d.]+) % \(95 % interval", found)
    assert float(number) == pytest.approx(share, abs=1)
    assert "The promised 450 t of CO₂ a year, or more" in found
    assert "If all its electricity counted as carbon-free" in found
    dataset["carbon_reduction"] -= 1000
    found = said(case, dataset)
    assert "In none of the samples are the promised 450 t" in found["The promise"]
    assert "a probability of 0 % (95 % interval 0" in found["The promise"]
    assert "every single winter" not in found["The promise"]
    assert "nothing is saved, more is emitted: a reduction of -" in found["Carbon"]
    dataset["carbon_reduction"] += 5000
    assert "In all samples the promised 450 t" in said(case, dataset)["The promise"]
    dataset["carbon_reduction"] -= dataset["carbon_reduction"].mean()
    assert "whether anything is saved is not certain" in said(case, dataset)["Carbon"]


def test_wells_too_few_are_told_as_such(tmp_path: Path) -> None:
    case = smoke(building__design_load="150 W/m^2")
    found = said(case, ensemble_of(case, tmp_path))
    assert "The promise" not in found
    assert "The plant does not carry the demand: of the heat asked for, " in found["Warmth"]
    assert "Heat falls short for some hours in every winter of every sample: 0" in found["Warmth"]
    assert "colder than" in found["Over the life"]


def test_a_plant_that_never_falls_short_is_told_as_such(tmp_path: Path) -> None:
    case = smoke(building__design_load="10 W/m^2", peak_heating__capacity="3 MW")
    found = said(case, ensemble_of(case, tmp_path))
    assert found["Warmth"].startswith("Heat falls short in no hour of any winter of any sample: a probability of 100 %")
    assert "short for" not in found["Warmth"]
    assert "chance of a shortfall" not in found["Over the life"]


def test_one_winter_of_few_samples_of_a_lone_well(tmp_path: Path) -> None:
    case = smoke(field={"rows": 1, "columns": 1}, winters=1, samples=3, claim={"carbon_reduction": "100 t"})
    dataset = ensemble_of(case, tmp_path)
    found = said(case, dataset)
    assert "Over the life" not in found
    assert "in the one winter" in found["The promise"]
    assert "every single winter" not in found["The promise"]
    assert "in a row" not in found["Warmth"]
    assert what_it_is(case) == "1 closed coaxial well, 2,000 m deep, 1 winter hour by hour."
    text = " ".join(limits_of_it(case, dataset, summarise(dataset), asked=8))
    assert "3 of 8 samples are done" in text
    assert "have no full interval" in text
    for word in ("nan", "None", "inf ", "{", "()"):
        assert word not in " ".join([*found.values(), text]), word


def test_failed_samples_are_told(store: Path) -> None:
    dataset = study.open_ensemble(store).load()
    many = xr.concat([dataset] * 6, "sample").assign_coords(sample=np.arange(240))
    many["replicate"] = "sample", np.arange(240) % 4
    many.attrs = dataset.attrs
    many["status"][7] = 2
    many["reason"][7] = "not a finite number"
    many["carbon_reduction"][7] = np.nan
    case = Study.model_validate(json.loads(dataset.attrs["study"]))
    text = " ".join(limits_of_it(case, many, summarise(many), asked=240))
    assert "1 of 240 samples failed (0.42 %)" in text
    assert "The numbers are those of the others." in text
    assert "samples are done" not in text


def numbers(*shares: tuple[float, float, float]) -> Answer:
    """Drivers of the hours short: two inputs with these total indices."""
    none = Number(np.nan, np.nan, np.nan)
    keys = (("winter_load",), ("chance",))
    rows = tuple(Index(key[0], key, none, Number(*share), "too few") for key, share in zip(keys, shares, strict=True))
    one = Drivers("unmet_hours", "hours short", "h", None, rows, (), (), (), None, None)
    return replace(Answer(*[None] * len(fields(Answer))), drivers=(one,))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("shares", "words"),
    [
        (
            ((0.7, 0.6, 0.8), (0.2, 0.1, 0.3)),
            "is most of all the factor on the heat load of every winter (winter_load: 70 %",
        ),
        (((0.4, 0.2, 0.6), (0.3, 0.1, 0.5)), "is most, as far as can be told, the factor on"),
        (
            ((0.7, 0.6, 0.8), (0.2, 0.1, 0.3)),
            ", then weather and outages (chance: 20 % of the variance, 95 % interval 10",
        ),
        (((0.7, np.nan, np.nan), (0.2, 0.1, 0.3)), "70 % of the variance, no interval)"),
        (((np.nan,) * 3, (np.nan,) * 3), "cannot be told: too few."),
    ],
)
def test_what_decides_it(store: Path, shares: Any, words: str) -> None:
    dataset = study.open_ensemble(store).load()
    case = Study.model_validate(json.loads(dataset.attrs["study"]))
    assert words in said(case, dataset, numbers(*shares))["What decides it"]


# The file


def test_the_page_is_one_file_that_needs_nothing_else(page: str, odd_page: str) -> None:
    for text in (page, odd_page):
        assert len(text.encode()) < MOST_BYTES
        reader = Reader(text)
        for tag, attributes in reader.seen:
            for name in ("src", "srcset", "href", "action", "data", "poster"):
                if (target := attributes.get(name)) is not None:
                    assert target.startswith(("data:", "#")), (tag, name, target[:80])
        styles = "".join(re.findall(r"<style>.*?</style>", text, flags=re.DOTALL))
        assert styles
        assert not re.search(r"url\(|@import", styles)
        names = [attributes["id"] for _, attributes in reader.seen if "id" in attributes]
        assert len(names) == len(set(names))
        for target in (each["href"] for each in reader.every("a")):
            assert str(target)[1:] in names


def test_headings_go_down_one_step_at_a_time(page: str) -> None:
    levels = [int(tag[1]) for tag, _ in Reader(page).seen if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after - before <= 1 for before, after in itertools.pairwise(levels))


def test_every_picture_has_words_for_those_who_do_not_see_it(page: str) -> None:
    pictures = Reader(page).every("img")
    assert len(pictures) >= 13
    assert all(len(str(each["alt"])) > 30 for each in pictures)
    assert len({each["alt"] for each in pictures}) == len(pictures)
    assert page.count('prefers-color-scheme: dark)" srcset=') == len(pictures)


def test_what_comes_from_the_store_is_escaped(page: str, odd_page: str) -> None:
    own, other = (Reader(text).every("script") for text in (page, odd_page))
    assert len(own) == len(other) + 1  # no input there, so no chart of inputs
    assert not [attributes for tag, attributes in Reader(page).seen if "onerror" in attributes]
    words = "".join(Reader(page).words)
    assert words.count(HOSTILE) >= 2  # as description, and as source
    assert "{{ 7 * 7 }}" in words
    for chart in re.findall(r'<script type="application/json"[^>]*>(.*?)</script>', page, flags=re.DOTALL):
        assert json.loads(chart)["data"]["values"]


def test_the_page_tells_where_it_comes_from(page: str, store: Path) -> None:
    words, dataset = "".join(Reader(page).words), study.open_ensemble(store)
    for text in (dataset.attrs["fingerprint"], dataset.attrs["code_fingerprint"], "failed rows   none", "numpy "):
        assert text in words
    case = Study.model_validate(json.loads(dataset.attrs["study"]))
    for key, item in case.inputs.items():
        assert key in words
        assert not item.source or item.source in words
    assert str(store.parent) not in page  # of the machine that it was made on


def test_charts_have_the_numbers_of_the_ensemble(store: Path) -> None:
    dataset = study.open_ensemble(store).load()
    case = Study.model_validate(json.loads(dataset.attrs["study"]))
    chart = by_winter(dataset)
    (options,) = (each["bind"]["options"] for each in chart["params"])
    rows = [row for row in chart["data"]["values"] if row["output"] == options[1]]
    assert options[1] == "hours in which heat falls short (h)"
    assert [row["winter"] for row in rows] == [1, 2, 3]
    np.testing.assert_allclose([row["value"] for row in rows], dataset["unmet_hours"].mean("sample"), rtol=1e-5)
    np.testing.assert_allclose([row["p95"] for row in rows], dataset["unmet_hours"].quantile(0.95, "sample"), rtol=1e-5)
    against = against_inputs(dataset, case)
    assert against is not None
    first = against["data"]["values"][0]
    assert first["sample"] == 0
    for choice, words, expected in (
        (0, "winter_load (1)", dataset["winter_load"][0]),
        (1, options[1], dataset["unmet_hours"][0].mean()),
    ):
        menu = against["params"][choice]["bind"]
        key = menu["options"][menu["labels"].index(words)]
        assert first[key] == pytest.approx(float(expected), rel=1e-5)


def test_the_cold_week_is_the_ensembles_own(store: Path) -> None:
    dataset = study.open_ensemble(store).load()
    week = figures.typical_cold_week(dataset)
    assert week is not None
    assert week.sizes["time"] == 7 * 24
    lowest = dataset["outdoor_temperature_min"].sel(sample=int(week["sample"]))
    assert int(week["winter"]) == 1 + int(np.argmin(lowest.values))
    dataset["heat_delivered"] += 1e-9  # rows of another version are not drawn
    assert figures.typical_cold_week(dataset) is None


# The command


@pytest.fixture
def hotland_here(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Any:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hotland", "report", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        return int(end.value.code or 0), *capsys.readouterr()

    return run


def test_the_command_writes_beside_the_store(
    store: Path, hotland_here: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(
        "study.report.report", lambda store, *, most_failed, at: f"{Path(store).name} {most_failed}{at or ''}"
    )
    status, out, _ = hotland_here(str(store), "--most-failed", "3%")
    beside = store.with_suffix(".html")
    assert (status, beside.read_text()) == (0, f"{store.name} 0.03")
    assert str(beside) in out
    status, _, _ = hotland_here(str(store), "--output", str(tmp_path / "mine.html"))
    assert (status, (tmp_path / "mine.html").exists()) == (0, True)


def test_the_command_refuses_in_one_message(store: Path, hotland_here: Any, tmp_path: Path) -> None:
    for arguments, words in (
        ((str(tmp_path / "none.zarr"),), "none.zarr"),
        ((str(store), "--output", "report.pdf"), "allowed: a file named .html"),
        ((str(store), "--most-failed", "many"), "allowed: 0 to 1"),
    ):
        status, _, error = hotland_here(*arguments)
        assert status == 2, arguments
        assert words in error
        assert "Traceback" not in error


def test_a_file_that_cannot_be_written_is_told(
    store: Path, hotland_here: Any, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr("study.report.report", lambda *_, **__: "")
    status, _, error = hotland_here(str(store), "--output", str(tmp_path / "none" / "report.html"))
    assert status == 2
    assert "cannot be written" in error


def test_samples_that_all_failed_end_with_1(hotland_here: Any, tmp_path: Path) -> None:
    thickness = {"distribution": "uniform", "minimum": "2100 m", "maximum": "2200 m"}  # of wells of 2,000 m
    case = smoke(samples=2, winters=1, **{"rock__layers__0__thickness": thickness})
    status, _, error = hotland_here(str(made(case, tmp_path)))
    assert status == 1
    assert "no sample ended well" in error


# In a browser


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = str(BROWSER)
    for argument in ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"):
        options.add_argument(argument)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(DRIVER))
    yield driver
    driver.quit()


def look_at(browser: Any, file: Path, *, width: int, scheme: str) -> None:
    """Open a page once its charts are drawn; what was logged before is forgotten."""
    from selenium.webdriver.support.ui import WebDriverWait

    screen = {"width": width, "height": 800, "deviceScaleFactor": 1, "mobile": width < 600}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", screen)
    dark = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", dark)
    for kind in ("browser", "performance"):
        browser.get_log(kind)
    browser.get(file.as_uri())
    drawn = "return [...document.querySelectorAll('.chart')].every(each => each.querySelector('svg'))"
    WebDriverWait(browser, 30).until(lambda driver: driver.execute_script(drawn))


@needs_browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [375, 1280])
def test_a_browser_shows_it(browser: Any, page: str, odd_page: str, tmp_path: Path, width: int, scheme: str) -> None:
    for name, text in (("report", page), ("odd", odd_page)):
        file = tmp_path / f"{name}.html"
        file.write_text(text, encoding="utf-8")
        look_at(browser, file, width=width, scheme=scheme)
        assert browser.get_log("browser") == []
        events = [json.loads(each["message"])["message"] for each in browser.get_log("performance")]
        asked = [each["params"]["request"]["url"] for each in events if each["method"] == "Network.requestWillBeSent"]
        assert {url.partition(":")[0] for url in asked} <= {"file", "data"}
        assert (
            browser.execute_script("document.querySelectorAll('details').forEach(each => { each.open = true })") is None
        )
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width
        sizes = browser.execute_script(
            "return [...document.images].map(each => [each.naturalWidth, each.getBoundingClientRect().width, each.alt, "
            "each.currentSrc === each.src])"
        )
        for natural, shown, words, is_light in sizes:
            assert natural > 0
            assert 250 < shown <= width
            assert words
            assert is_light == (scheme == "light")
        paper = browser.execute_script("return getComputedStyle(document.body).backgroundColor")
        assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


@needs_browser
def test_all_can_be_reached_by_keyboard(browser: Any, page: str, tmp_path: Path) -> None:
    from selenium.webdriver.common.keys import Keys

    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    look_at(browser, file, width=1280, scheme="light")
    wanted = browser.execute_script("return document.querySelectorAll('a[href], select, summary').length")
    reached = []
    for _ in range(wanted + 30):
        browser.switch_to.active_element.send_keys(Keys.TAB)
        element = browser.switch_to.active_element
        reached.append(element.tag_name)
        if element.tag_name == "summary" and element.text.startswith("The study"):
            break
    assert reached[0] == "a"
    assert reached.count("select") == 3
    assert reached.count("summary") == browser.execute_script("return document.querySelectorAll('summary').length")
    # another output is chosen by keyboard: the chart's title says so
    select = browser.find_elements("tag name", "select")[0]
    title = browser.execute_script("return document.querySelector('#by-winter .role-title-text').textContent")
    assert title.startswith("carbon reduction")
    select.send_keys(Keys.ARROW_DOWN)
    title = browser.execute_script("return document.querySelector('#by-winter .role-title-text').textContent")
    assert title == "hours in which heat falls short (h)"
    assert browser.get_log("browser") == []


@needs_browser
def test_pointing_at_a_chart_tells_its_numbers(browser: Any, page: str, tmp_path: Path) -> None:
    from selenium.webdriver.common.action_chains import ActionChains
    from selenium.webdriver.support.ui import WebDriverWait

    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    look_at(browser, file, width=1280, scheme="light")
    chart = browser.find_element("css selector", "#by-winter svg")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", chart)
    ActionChains(browser).move_to_element(chart).move_by_offset(5, 5).perform()
    shown = "return document.querySelector('#vg-tooltip-element.visible')?.innerText"
    words = WebDriverWait(browser, 10).until(lambda driver: driver.execute_script(shown))
    assert "mean, 95 % interval from" in words
    assert re.search(r"winter:?\s+2\b", words)
