"""The recipes, followed to the letter; what they change in hotland is changed in a copy of it."""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML

import study
from study.config import Study, load_study
from study.simulation import simulate
from tests.conftest import ROOT, SMOKE
from tests.test_docs import merged, write_weather

PAGE = (ROOT / "docs" / "recipes.md").read_text()
TITLES = ("An uncertain input", "A climate", "A baseline", "A plant component")
SAFE = YAML(typ="safe")


def blocks(title: str, language: str) -> list[str]:
    """Blocks of the recipe of a title."""
    part = PAGE.split(f"## {title}\n")[1].split("\n## ")[0]
    return re.findall(rf"^```{language}\n(.*?)^```", part, flags=re.MULTILINE | re.DOTALL)


def template(title: str, block: str) -> dict[str, Any]:
    """The template with a block of a recipe, less what that recipe says to leave out."""
    whole: dict[str, Any] = SAFE.load(SMOKE.read_text())
    keys = SAFE.load(block)
    if keys.get("carbon", {}).get("baseline"):
        del whole["carbon"]["baseline_factor"], whole["carbon"]["network_loss"]
    if title == "A climate" and isinstance(keys["climate"], str):
        del whole["season"], whole["surface_temperature"], whole["building"]["design_outdoor_temperature"]
    return {**whole, **{key: merged(whole[key], keys[key]) if key == "carbon" else keys[key] for key in keys}}


def followed(folder: Path, title: str) -> Study:
    """The template with what the recipe of a title does in the study file alone."""
    shutil.copy(ROOT / "study" / "climates" / "harbin.yaml", folder / "mine.yaml")
    SAFE.dump(template(title, blocks(title, "yaml")[0]), folder / "study.yaml")
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


def change(folder: Path, diff: str) -> None:
    """Make the changes of a diff without numbers of lines: what a hunk changes stands in its file once."""
    for part in re.split(r"^--- ", diff, flags=re.MULTILINE)[1:]:
        head, *hunks = re.split(r"^@@\n", part, flags=re.MULTILINE)
        path = folder / head.split()[-1]
        assert path.exists() == ("/dev/null" not in head), path
        text = path.read_text() if path.exists() else ""
        for hunk in hunks:
            lines = hunk.splitlines(keepends=True)
            before, after = ("".join(line[1:] for line in lines if line[0] in kept) for kept in (" -", " +"))
            assert not text or text.count(before) == 1, f"{path}: {before}"
            text = text.replace(before, after)
        path.write_text(text)


def run(folder: Path, *command: str | Path) -> str:
    """What a command prints that uses the copy of hotland in a folder."""
    made = subprocess.run(
        [sys.executable, *command],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert made.returncode == 0, made.stderr
    return made.stdout


MAIN = "from study.cli import main; main()"
SIMULATE = """
import json, sys
import numpy as np
from study.config import load_study
from study.simulation import simulate
found = {}
for path in sys.argv[1:]:
    study = load_study(path)
    values = simulate(study, np.arange(2)).values
    found[path] = {name: value.tolist() for name, value in values.items()} | {"drawn": list(study.drawn)}
print(json.dumps(found))
"""


@pytest.fixture(scope="module")
def changed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of hotland with all that the recipes change in it, and the study of each, `0.yaml` to `3.yaml`."""
    folder = tmp_path_factory.mktemp("copy")
    for part in ("kernels", "study", "configs"):
        shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
    write_weather(folder, winters=3)
    for number, title in enumerate(TITLES):
        for diff in blocks(title, "diff"):
            change(folder, diff)
        SAFE.dump(template(title, blocks(title, "yaml")[-1]), folder / f"{number}.yaml")
    (command,) = blocks("A climate", "sh")
    run(folder, "-c", MAIN, *shlex.split(command)[1:])
    with (folder / "study" / "climates" / "my_city.yaml").open("a") as file:
        file.write(blocks("A climate", "yaml")[1])
    return folder


@pytest.mark.slow
def test_recipes_change_hotland(changed: Path) -> None:
    told = json.loads(run(changed, "-c", SIMULATE, "0.yaml", "1.yaml", "2.yaml", "3.yaml"))
    of_input, of_climate, of_baseline, of_component = (
        {name: np.array(value) for name, value in told[f"{number}.yaml"].items()} for number in range(4)
    )
    for values in (of_input, of_climate, of_baseline, of_component):
        assert not values["status"].any()
    plain = simulate(load_study(SMOKE), np.arange(2)).values
    SAFE.dump(template("A baseline", "carbon: {baseline: gas_boiler}"), changed / "gas.yaml")
    gas = simulate(load_study(changed / "gas.yaml"), np.arange(2)).values

    assert "carbon.baseline_upstream" in of_input["drawn"]
    more = of_input["carbon.baseline_upstream"][:, None]
    assert ((more > 0.05) & (more < 0.2)).all()
    np.testing.assert_allclose(of_input["carbon_baseline"], gas["carbon_baseline"] * (1 + more), rtol=1e-12)

    elsewhere = of_climate["outdoor_temperature_mean"] - plain["outdoor_temperature_mean"]
    weather = pd.read_csv(changed / "weather.csv", index_col="time", parse_dates=True)["temperature"]
    in_season = weather[weather.index.month.isin([11, 12, 1, 2, 3])].mean()
    assert of_climate["outdoor_temperature_mean"].mean() == pytest.approx(in_season, abs=2.5)  # winters differ
    assert np.abs(elsewhere).min() > 0.0

    factor = of_baseline["carbon.baseline_factor"][:, None]
    assert ((factor > 0.02) & (factor < 0.05)).all()
    expected = of_baseline["heat_delivered"] / 0.92 * 3.6 * factor
    np.testing.assert_allclose(of_baseline["carbon_baseline"], expected, rtol=1e-12)

    free, power = of_component["heat_of_machines"], of_component["machine_heat.power"][:, None]
    hours_of_season = 151 * 24
    assert (free > 0.8 * power * hours_of_season).all()
    assert (free <= power * hours_of_season * (1 + 1e-12)).all()
    made = of_component["heat_extracted"] + of_component["electricity_compressor"] + of_component["heat_backup"]
    np.testing.assert_allclose(made + free, of_component["heat_delivered"], rtol=1e-9)
    np.testing.assert_allclose(of_component["heat_demand"], plain["heat_demand"], rtol=1e-2)
    assert (of_component["electricity"] < plain["electricity"]).all()


@pytest.mark.slow
def test_a_study_with_all_recipes_runs(changed: Path) -> None:
    """The command, Ray's processes too, use the copy."""
    whole = SAFE.load((changed / "1.yaml").read_text())
    whole["carbon"] = SAFE.load((changed / "2.yaml").read_text())["carbon"]
    whole["machine_heat"] = SAFE.load((changed / "3.yaml").read_text())["machine_heat"]
    SAFE.dump(whole, changed / "all.yaml")
    run(changed, "-c", MAIN, "run", "all.yaml", "--samples", "4", "--output", "all.zarr")
    dataset = study.open_ensemble(changed / "all.zarr")
    assert dataset.sizes["sample"] == 4
    assert not dataset["status"].any()
    assert (dataset["heat_of_machines"] > 0).all()
