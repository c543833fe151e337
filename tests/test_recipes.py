"""The recipes, followed to the letter."""

import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML

from study.config import Study, load_study
from study.simulation import simulate
from tests.conftest import ROOT, SMOKE

PAGE = (ROOT / "docs" / "recipes.md").read_text()


def followed(folder: Path, title: str) -> Study:
    """The study in miniature with what the recipe of a title says."""
    part = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    (block,) = re.findall(r"^```yaml\n(.*?)^```", part, flags=re.MULTILINE | re.DOTALL)
    yaml = YAML(typ="safe")
    whole: dict[str, Any] = yaml.load(SMOKE.read_text())
    for key, value in yaml.load(block).items():
        whole[key] = {**whole[key], **value} if key == "carbon" else value
    if "baseline" in whole["carbon"]:
        whole["carbon"] = {k: v for k, v in whole["carbon"].items() if k not in ("baseline_factor", "network_loss")}
    shutil.copy(ROOT / "study" / "climates" / "harbin.yaml", folder / "mine.yaml")
    yaml.dump(whole, folder / "study.yaml")
    return load_study(folder / "study.yaml")


def test_an_uncertain_input_is_drawn(tmp_path: Path) -> None:
    study = followed(tmp_path, "An uncertain input")
    assert "surface_temperature" in study.drawn
    assert study.drawn.keys() - load_study(SMOKE).drawn.keys() == {"surface_temperature"}


@pytest.mark.parametrize(
    ("title", "variable"),
    [("A climate", "heat_demand"), ("A baseline", "carbon_reduction"), ("A plant component", "unmet_hours")],
)
def test_a_recipe_changes_what_it_is_for(tmp_path: Path, title: str, variable: str) -> None:
    rows = np.arange(2)
    plain, other = simulate(load_study(SMOKE), rows), simulate(followed(tmp_path, title), rows)
    assert not other.values["status"].any()
    assert np.all(np.isfinite(other.values[variable]))
    assert np.any(other.values[variable] != plain.values[variable])
