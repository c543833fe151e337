"""What README and docs print is what happens."""

import re
import runpy
import shlex
import shutil
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from ruamel.yaml import YAML

import study
from study import figures
from study.cli import main
from study.config import load_study, load_well_case
from study.distributions import Input
from study.quantity import Quantity
from study.well import run_well_case
from tests.conftest import ROOT, SMOKE

README = (ROOT / "README.md").read_text()
STUDY_FILE = (ROOT / "docs" / "study-file.md").read_text()


def blocks(text: str, language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", text, flags=re.MULTILINE | re.DOTALL)


def test_commands_and_snippet_of_the_readme(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "configs", tmp_path / "configs")
    shutil.copytree(ROOT / "tests" / "wells", tmp_path / "tests" / "wells")
    monkeypatch.chdir(tmp_path)
    lines = [line for block in blocks(README, "sh") for line in block.splitlines()]
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    ran = 0
    for command, *arguments in map(shlex.split, lines):
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
    assert ran >= 4
    (snippet,) = blocks(README, "python")
    scope: dict[str, object] = {}
    exec(snippet, scope)
    assert dict(scope["dataset"].sizes) == {"sample": 32, "winter": 2}  # type: ignore[attr-defined]


def test_links_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


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
    for key, value in yaml.load(block).items():
        whole = yaml.load(SMOKE.read_text())
        whole[key] = merged(whole[key], value) if key in ("well", "rock") else value
        path = tmp_path / "study.yaml"
        yaml.dump(whole, path)
        assert load_study(path)


def test_the_table_of_keys_is_that_of_the_schema() -> None:
    assert runpy.run_path(str(ROOT / "docs" / "keys.py"))["page"]() == STUDY_FILE, "run: python docs/keys.py"


def test_every_dependency_has_its_reason() -> None:
    text = (ROOT / "docs" / "dependencies.md").read_text()
    project = (ROOT / "pyproject.toml").read_text()
    for name in re.findall(r'^    "([\w.-]+)>=', project, flags=re.MULTILINE):
        assert f"| {name} |" in text
    for group in re.findall(r"^(?:dev|peer) = \[(.*)\]", project, flags=re.MULTILINE):
        for name in re.findall(r'"([\w-]+)[>"]', group):
            assert name in text


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
    plt.close("all")
