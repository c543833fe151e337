"""What README and docs print is what happens."""

import re
import runpy
import shlex
import shutil
import tomllib
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

import study
from study import figures
from study.cli import commands, main
from study.config import load_study, load_well_case
from study.distributions import Input
from study.quantity import Quantity
from study.variables import OF_WINTERS, SAMPLE_VARIABLES
from study.well import run_well_case
from study.winters import built_in_climates
from tests.conftest import ROOT, SMOKE

README = (ROOT / "README.md").read_text()
STUDY_FILE = (ROOT / "docs" / "study-file.md").read_text()
COMMANDS = (ROOT / "docs" / "commands.md").read_text()
CARBON = (ROOT / "docs" / "carbon.md").read_text()
ECONOMICS = (ROOT / "docs" / "economics.md").read_text()
ENSEMBLE = (ROOT / "docs" / "ensemble.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def write_weather(folder: Path, *, winters: int) -> None:
    """The files that the pages speak of: `weather.csv`, winters of invented hours, and a climate, `mine.yaml`."""
    times = pd.date_range("2001-07-01", f"{2001 + winters}-06-30 23:00", freq="h")
    random = np.random.default_rng(1)
    days = np.convolve(random.normal(0, 3, len(times) // 24 + 3), [1, 0.7, 0.4, 0.2], mode="valid")
    year = 8 - 17 * np.cos(2 * np.pi * (times.day_of_year.to_numpy() - 20) / 365)
    day = 4 * np.cos(2 * np.pi * (times.hour.to_numpy() - 15) / 24)
    table = pd.DataFrame({"time": times.strftime("%Y-%m-%dT%H:%M"), "temperature": year + day + days.repeat(24)})
    table.round(1).to_csv(folder / "weather.csv", index=False)
    shutil.copy(ROOT / "study" / "climates" / "harbin.yaml", folder / "mine.yaml")


def run_commands(text: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> int:
    """Run the commands of a page; how many were hotland's own."""
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    ran = 0
    for command, *arguments in map(shlex.split, "".join(blocks(text, "sh")).splitlines()):
        if command == "make":
            assert set(arguments) <= targets
            continue
        assert command == ".venv/bin/hotland"
        monkeypatch.setattr("sys.argv", ["hotland", *arguments])
        with pytest.raises(SystemExit) as end:
            main()
        assert not end.value.code, capsys.readouterr().err
        assert capsys.readouterr().out
        ran += 1
    return ran


def test_commands_and_snippet_of_the_pages(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copytree(ROOT / "tests" / "wells", tmp_path / "tests" / "wells")
    write_weather(tmp_path, winters=3)
    (tmp_path / "prices.yaml").write_text(blocks(ECONOMICS, "yaml")[0])
    monkeypatch.chdir(tmp_path)
    assert run_commands(README + COMMANDS + STUDY_FILE + CARBON + ECONOMICS, monkeypatch, capsys) >= 17
    priced = study.open_ensemble(tmp_path / "ensembles" / "smoke-priced.zarr")
    assert np.isfinite(priced["levelised_cost_of_heat"]).all()
    yaml = YAML(typ="safe")
    yaml.dump(yaml.load(SMOKE.read_text()) | {"climate": {"from": "mine.yaml"}}, tmp_path / "study.yaml")
    assert load_study(tmp_path / "study.yaml").climate.site == "weather"
    assert (tmp_path / "fit.png").stat().st_size > 10_000
    (snippet,) = blocks(README, "python")
    scope: dict[str, object] = {}
    exec(snippet, scope)
    assert dict(scope["dataset"].sizes) == {"sample": 512, "winter": 2}  # type: ignore[attr-defined]
    (snippet,) = blocks(ENSEMBLE, "python")
    exec(snippet, {})
    assert (tmp_path / "frequency.png").stat().st_size > 10_000
    plt.close("all")


def test_commands_and_snippet_of_the_page_of_sensitivity(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (ROOT / "docs" / "sensitivity.md").read_text()
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    assert run_commands(page, monkeypatch, capsys) == 4
    (snippet,) = blocks(page, "python")
    exec(snippet, {})
    assert (tmp_path / "drivers.png").stat().st_size > 10_000
    plt.close("all")


@pytest.mark.slow
def test_commands_of_the_page_of_decisions(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "decisions.md").read_text()
    (sweep,) = blocks(page, "yaml")
    (tmp_path / "swept.yaml").write_text(f"{SMOKE.read_text()}\n{sweep}")
    (tmp_path / "readings.csv").write_text(blocks(page, "text")[0])
    assert run_commands(page, monkeypatch, capsys) == 14
    for picture in ("compare.png", "learned.png"):
        assert (tmp_path / picture).stat().st_size > 10_000
    assert load_study(tmp_path / "updated.yaml").name == "smoke-updated"
    found = study.update(study.open_ensemble("ensembles/value.zarr"), "readings.csv")
    assert "no sample explains" not in f"{found.unexplained} {found.remarks}"
    assert {change.key for change in found.changes if change.moved} == {"rock.conductivity", "geothermal_gradient"}


@pytest.mark.parametrize("city", built_in_climates())
def test_one_line_moves_the_shenyang_study(tmp_path: Path, city: str) -> None:
    assert f"`{city}`" in STUDY_FILE
    given = YAML(typ="safe").load(ROOT / "study" / "climates" / f"{city}.yaml")
    text = (ROOT / "configs" / "shenyang.yaml").read_text()
    assert text.count("\nclimate: shenyang") == 1
    path = tmp_path / "moved.yaml"
    path.write_text(text.replace("\nclimate: shenyang", f"\nclimate: {city}"))
    study = load_study(path)
    assert study.climate.site == given["climate"]["site"]
    assert study.season.start == given["season"]["start"]
    design = study.building.design_outdoor_temperature
    assert f"{design.value} degC" == given["building"]["design_outdoor_temperature"]["value"]


def test_links_lead_somewhere() -> None:
    pages = [page for folder in (ROOT, ROOT / "docs", ROOT / "notebooks") for page in folder.glob("*.md")]
    assert {"README.md", "CONTRIBUTING.md", "CHANGELOG.md", "physics.md"} <= {page.name for page in pages}
    for page in pages:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert target.startswith("https://") or (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_command_is_on_its_page() -> None:
    assert sorted(re.findall(r"^\| `(\w+)` \|", COMMANDS, flags=re.MULTILINE)) == sorted(commands.commands)


def test_every_distribution_of_the_page_can_be_read(tmp_path: Path) -> None:
    (tmp_path / "cores.csv").write_text("conductivity\n2.1\n2.5\n2.6\n")
    quantities = {"depth": Quantity("m", gt=0), "conductivity": Quantity("W/m/K", gt=0)}
    kinds = set()
    for line in blocks(STUDY_FILE, "yaml")[0].splitlines():
        ((key, raw),) = YAML(typ="safe", pure=True).load(line).items()
        kinds.add(Input.read(raw, quantities[key], tmp_path).kind)
    assert kinds == {"constant", "normal", "truncated_normal", "lognormal", "uniform", "triangular", "choice"}


def test_the_well_case_of_the_docs_runs(tmp_path: Path) -> None:
    (case,) = blocks((ROOT / "docs" / "well-case.md").read_text(), "yaml")
    path = tmp_path / "case.yaml"
    path.write_text(case)
    found = run_well_case(load_well_case(path))
    assert found["wall_temperature"].shape == (6, 5)
    assert float(found["heat_rate"][3]) == pytest.approx(300.0)


def together(block: str) -> list[dict[str, Any]]:
    """The keys of a block, as one study says them; a key that comes again begins another study."""
    found: list[dict[str, Any]] = [{}]
    for part in re.split(r"^(?=\w)", block, flags=re.MULTILINE)[1:]:
        ((key, value),) = YAML(typ="safe").load(part).items()
        found += [{}] if key in found[-1] else []
        found[-1][key] = value
    return found


def merged(whole: Any, part: Any) -> Any:
    """A study's section with what a fragment says of it."""
    return (
        {**whole, **{key: merged(whole.get(key, {}), value) for key, value in part.items()}}
        if isinstance(part, dict)
        else part
    )


@pytest.mark.parametrize("block", blocks(STUDY_FILE, "yaml")[1:])
def test_the_fragments_of_the_page_fit_into_a_study(tmp_path: Path, block: str) -> None:
    yaml = YAML(typ="safe")
    if "climate:" in block:
        write_weather(tmp_path, winters=20)
    for keys in together(block):
        whole = yaml.load(SMOKE.read_text())
        for key, value in keys.items():
            whole[key] = merged(whole[key], value) if key in ("well", "rock", "heat_pump") else value
        path = tmp_path / "study.yaml"
        yaml.dump(whole, path)
        assert load_study(path)


def test_every_variable_is_on_its_page() -> None:
    """Terms and parts of what is named are not named one by one, nor the coordinate."""
    for name in {*OF_WINTERS, *SAMPLE_VARIABLES} - {"sample"}:
        if not name.startswith(("carbon_", "electricity_")) and "_temperature_" not in name.replace("loop_", ""):
            assert f"`{name}`" in ENSEMBLE, name


def test_every_figure_is_on_the_page_of_ensembles() -> None:
    public = {name for name in figures.__all__ if callable(getattr(figures, name))}
    assert public == set(re.findall(r"^- `(\w+)`: ", ENSEMBLE.split("## Figures")[1], flags=re.MULTILINE))


def test_the_table_of_keys_is_that_of_the_schema() -> None:
    made = runpy.run_path(str(ROOT / "docs" / "keys.py"))
    assert made["page"]() == STUDY_FILE, "run: python docs/keys.py"
    rows = list(made["rows"](study.config.Study))
    assert all(cell.strip() for row in rows for cell in row), [row for row in rows if not all(map(str.strip, row))]
    assert set(made["OTHERS"]) <= {key for key, *_ in rows}
    inputs = {re.sub(r"\.\d+\.", ".N.", key) for key in study.config.schema_keys()}
    assert inputs <= {key for key, *_ in rows}


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    names = {
        kind: [re.split(r"[\[>]", each)[0] for each in those] for kind, those in project["dependency-groups"].items()
    }
    for name in (re.split(r"[\[>]", each)[0] for each in project["project"]["dependencies"]):
        assert f"| {name} |" in text
    for name in (*names["dev"], *names["peer"]):
        assert re.search(rf"\b{name}\b", text), name


def test_pictures_show_the_ensemble(tmp_path: Path) -> None:
    case = study.load(SMOKE)
    dataset = study.run(case, output=tmp_path / "smoke.zarr")
    _, (left, right) = plt.subplots(1, 2)
    figures.carbon_reduction_exceedance(dataset, left)
    grid, free = (line.get_xdata() for line in left.get_lines())
    yearly = dataset["carbon_reduction"].mean("winter")
    np.testing.assert_allclose(grid, np.sort(yearly) / 1e3)  # the study's account is the grid's
    assert np.all(free > grid)
    figures.unmet_heat_by_winter(dataset, right)
    (median,) = right.get_lines()
    np.testing.assert_allclose(median.get_ydata(), 100 * (1 - dataset["heating_reliability"].median("sample")))
    for axes in (left, right):
        assert "(" in axes.get_xlabel() or "winter" in axes.get_xlabel()
        assert "(" in axes.get_ylabel()
    runpy.run_path(str(ROOT / "docs" / "pictures.py"))["draw_reliability"](
        str(tmp_path / "smoke.zarr"), tmp_path / "reliability.png"
    )
    assert (tmp_path / "reliability.png").stat().st_size > 10_000
    plt.close("all")
