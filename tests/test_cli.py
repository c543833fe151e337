"""The command as a user types it: output, messages and exit status."""

import json
import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import study
from study import cli, engine
from study.cli import main
from study.storage import Storage
from tests.conftest import ROOT, SMOKE, hotland

WELL = ROOT / "tests" / "wells" / "five-layers.yaml"


Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run the command in this process and in an empty folder: exit status, standard output, standard error."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hotland", *map(str, arguments)])
        with pytest.raises(SystemExit) as end:
            main()
        return (int(end.value.code or 0), *capsys.readouterr())

    return run


@pytest.fixture(scope="module")
def smoke(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in which `hotland run configs/smoke.yaml` has been run."""
    folder = tmp_path_factory.mktemp("smoke")
    answer = hotland("run", SMOKE, folder=folder)
    assert answer.returncode == 0, answer.stderr
    assert "Carbon reduction per winter" in answer.stdout
    assert "32 of 32 samples" in answer.stderr
    return folder


def test_run_leaves_the_ensemble_in_its_default_place(smoke: Path) -> None:
    dataset = study.open_ensemble(smoke / "ensembles" / "smoke.zarr")
    assert dict(dataset.sizes) == {"sample": 32, "winter": 2}
    assert (dataset["status"] == 0).all()


def test_summary_as_table_and_as_json(smoke: Path, command: Command) -> None:
    store = smoke / "ensembles" / "smoke.zarr"
    status, out, _ = command("summary", store)
    assert status == 0
    assert "Heating reliability" in out
    status, out, _ = command("summary", store, "--json")
    assert status == 0
    answer = json.loads(out)
    assert answer["samples"] == 32
    dataset = study.open_ensemble(smoke / "ensembles" / "smoke.zarr")
    line = answer["carbon_reduction_mean"]
    assert line["value"] == pytest.approx(float(dataset["carbon_reduction"].mean()))
    assert line["low"] < line["value"] < line["high"]
    assert line["units"] == "t CO2"


@pytest.mark.parametrize(
    ("options", "status", "words"),
    [
        ("--over samples", 0, "Samples (not known), means of their winters: carbon reduction per winter"),
        ("--over winters --most-failed 0.02", 0, "Winters of one sample (chance), averaged over samples"),
        ("--over both --most-failed 5%", 0, "Return level"),
        ("--over years", 2, "'both', 'samples', 'winters'"),
        ("--most-failed many", 2, "'many': allowed: 0 to 1, or 0% to 100%"),
        ("--most-failed 101%", 2, "'101%': allowed: 0 to 1, or 0% to 100%"),
    ],
)
def test_options_of_the_summary(smoke: Path, command: Command, options: str, status: int, words: str) -> None:
    found, out, error = command("summary", smoke / "ensembles" / "smoke.zarr", *options.split())
    assert found == status
    assert words in " ".join((out if status == 0 else error).split())


def test_check_prints_every_input_and_starts_nothing(tmp_path: Path, command: Command) -> None:
    status, out, _ = command("check", ROOT / "configs" / "shenyang.yaml")
    assert status == 0
    for key in study.load(ROOT / "configs" / "shenyang.yaml").inputs:
        assert key in out
    assert list(tmp_path.iterdir()) == []


def test_check_tells_defaults_from_what_the_file_gives(command: Command) -> None:
    lines = command("check", SMOKE, "--no-pilot")[1].splitlines()
    marked = {line.split()[0] for line in lines if line.rstrip().endswith("  default")}
    assert {"seed", "heat_pump.maximum_cop", "winter_load", "heat_pump.units"} & marked == {
        "seed",
        "heat_pump.maximum_cop",
        "heat_pump.units",
    }
    assert not {"samples", "well.depth", "heat_pump.capacity"} & marked


@pytest.mark.parametrize("name", ["answer.json", "answer.nc"])
def test_well_writes_what_it_prints(tmp_path: Path, command: Command, name: str) -> None:
    assert command("well", WELL, "--output", name)[0] == 0
    exact = json.loads(WELL.with_suffix(".json").read_text())
    if name.endswith(".json"):
        answer = json.loads((tmp_path / name).read_text())
        assert set(answer) == {*exact, "pumping_power_kW"}
        outlet, heat = answer["outlet_temperature"], answer["heat_rate_kW"]
    else:
        with xr.open_dataset(tmp_path / name, engine="scipy") as dataset:
            outlet, heat = dataset["outlet_temperature"].values, dataset["heat_rate"].values
    assert np.abs(np.subtract(outlet, exact["outlet_temperature"])).max() < 0.005
    assert np.abs(np.subtract(heat, exact["heat_rate_kW"])).max() < 0.5
    printed = command("well", WELL)[1].splitlines()[1:]
    assert [float(line.split()[2]) for line in printed] == pytest.approx(list(outlet), abs=6e-4)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("run nowhere.yaml", "nowhere.yaml: there is no such file"),
        ("run .", "not a file"),
        ("check nowhere.yaml", "nowhere.yaml: there is no such file"),
        ("well nowhere.yaml", "nowhere.yaml: there is no such file"),
        ("summary nowhere.zarr", "nowhere.zarr: there is no ensemble here"),
        ("summary .", "there is no ensemble here"),
        (f"run {SMOKE} --samples 0", "samples: "),
        (f"run {SMOKE} --samples many", "'many' is not a valid integer"),
        (f"run {SMOKE} --seed -1", "seed: "),
        (f"run {SMOKE} --output ftp://bucket/store", "allowed: a folder, s3://BUCKET/PREFIX"),
        (f"run {SMOKE} --address nonsense", "--address 'nonsense'; allowed: local, HOST:PORT"),
        (f"run {SMOKE} --output file.txt/store.zarr", "file.txt/store.zarr is not a folder"),
        (f"run {SMOKE} --output file.txt", "file.txt"),
        (f"well {WELL} --output answer.txt", "allowed: a file named .json or .nc"),
        (f"well {WELL} --output no/such/folder.json", "cannot be written"),
        (f"well {SMOKE}", "load: is missing"),
        (
            "compare a.zarr b.zarr --output cmp.html",
            "such as unmet_hours; a picture goes to --picture",
        ),
        (
            "sensitivity a.zarr --output out/drivers",
            "of a variable here, such as unmet_hours; numbers",
        ),
        (f"run {WELL}", "name: is missing"),
        ("runn", "No such command 'runn'"),
    ],
)
def test_wrong_input_is_one_message_and_status_2(tmp_path: Path, command: Command, words: str, message: str) -> None:
    (tmp_path / "file.txt").write_text("not a folder")
    status, out, error = command(*shlex.split(words))
    assert status == 2, error
    assert message in error
    assert "Traceback" not in error
    assert out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["file.txt"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (f"run {SMOKE} --samples many", "'many' is not a valid integer"),
        (f"run {SMOKE} --hours soon", "'soon' is not a valid float"),
        (f"run {SMOKE} --block-size 0", "0 is not in the range"),
        (f"run {SMOKE} --quiet --json", "--quiet or --json, not both"),
        (f"size {SMOKE} --find wells --until x --samples many", "'many' is not a valid integer"),
        (f"size {SMOKE} --find wells --until x --confidence 10%", "--confidence '10%': allowed: 50 % to below 100 %"),
        (f"size {SMOKE} --find wells --until x --confidence sure", "--confidence 'sure': allowed: 0 to 1, or 0%"),
        ("summary STORE --over years", "'both', 'samples', 'winters'"),
        ("summary STORE --most-failed 101%", "--most-failed '101%': allowed: 0 to 1, or 0% to 100%"),
        ("sensitivity STORE --winter late", "'late'; allowed: the number of a winter, mean or each"),
        ("sensitivity STORE --most-failed 2", "2.0 is not in the range"),
        ("sensitivity STORE --extend many", "'many' is not a valid integer"),
        ("compare STORE", "STORE: there is no ensemble here"),
        ("compare STORE other/STORE", "other/STORE: STORE is named STORE too; allowed: names of their own"),
        ("compare STORE name=", "name=: allowed: STORE or NAME=STORE"),
        ("compare STORE --alike some", "--alike 'some': allowed: 0 to 1, or 0% to 100%"),
        ("compare STORE other --picture p.txt", "--picture p.txt: allowed: a file named .png, .svg or .pdf"),
        ("value STORE --measure x --cost -1", "--cost -1: allowed: at least 0"),
        ("value STORE --cost 1", "--cost: 1 given; allowed: none, or one for each of 0 --measure"),
        ("value STORE --cost much", "'much' is not a valid float"),
        ("value STORE --picture p.txt", "--picture p.txt: allowed: a file named .png, .svg or .pdf"),
        ("update STORE --observed r.csv --error 1m", "'1m'"),
        ("update STORE --observed r.csv --share 0", "--share '0': allowed: above 0"),
        ("update STORE --observed r.csv --output u.txt", "--output: 'u.txt'; allowed: the name of a YAML file"),
        ("report STORE --output r.txt", "--output r.txt: allowed: a file named .html"),
        ("account STORE --output a.zarr", "--output: allowed: with another account"),
        ("account STORE --most-failed x", "--most-failed 'x': allowed: 0 to 1, or 0% to 100%"),
        ("verify STORE --blocks -1", "-1 is not in the range"),
        (f"well {WELL} --output answer.txt", "--output answer.txt: allowed: a file named .json or .nc"),
        (f"well {WELL} --output no/such/folder.json", "cannot be written"),
        ("climate w.epw --output c.txt", "--output c.txt: allowed: a file named .yaml or .yml"),
        ("climate w.epw --picture c.txt", "--picture c.txt: allowed: a file named .png, .svg or .pdf"),
        ("climate w.epw --column t", "--column t: allowed: with CSV or NetCDF"),
        ("climate w.csv --unit R", "'degC', 'K', 'degF'"),
        ("climate w.csv --seed -1", "-1 is not in the range"),
        ("export STORE --output e.txt", "allowed: a name that ends in .nc or .parquet"),
    ],
)
def test_a_wrong_value_is_one_line_that_speaks_of_it_alone(
    tmp_path: Path, command: Command, words: str, message: str
) -> None:
    status, out, error = command(*words.split())
    assert (status, out) == (2, ""), error
    assert message in error
    assert error.count("\n") == 1
    assert not error.startswith(("Usage", "Error"))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", sorted(cli.commands.commands))
def test_a_wrong_way_of_calling_is_told_in_one_form(command: Command, name: str) -> None:
    for words in ((name,), (name, "--such"), (name, "a", "b", "c=", "--no-such-option")):
        status, out, error = command(*words)
        assert (status, out) == (2, "")
        usage, hint, empty, problem = error.splitlines()
        assert usage.startswith(f"Usage: hotland {name} ")
        assert hint == f"Try 'hotland {name} --help' for help."
        assert (empty, problem[:7]) == ("", "Error: ")


def test_the_readme_names_commands_that_exist() -> None:
    text = (ROOT / "README.md").read_text()
    commands = set(re.findall(r"^(?:make|hotland|\.venv/bin/hotland) (\w+)", text, flags=re.MULTILINE))
    makefile = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))
    assert commands
    assert commands <= makefile | set(cli.commands.commands)


@pytest.mark.parametrize("words", ["run", "check"])
def test_a_study_whose_samples_would_all_fail_is_refused_before_any_is_computed(
    tmp_path: Path, command: Command, words: str
) -> None:
    (tmp_path / "deep.yaml").write_text(SMOKE.read_text().replace("thickness: 600 m", "thickness: 2600 m"))
    status, out, error = command(words, "deep.yaml")
    assert status == 2
    assert "every sample would fail" in error
    assert "rock.layers: the layers above the last reach below the well" in error
    assert out == ""
    assert [path.name for path in tmp_path.iterdir()] == ["deep.yaml"]


def test_a_store_without_a_good_sample_says_why(tmp_path: Path, command: Command) -> None:
    case = study.load(SMOKE)
    ensemble, (block, *_) = engine.prepare(case, Storage.at(tmp_path / "store.zarr"), block_size=64)
    status, _, error = command("summary", "store.zarr")
    assert (status, "no sample is done yet" in error) == (1, True)
    values = {name: np.full(64, np.nan) for name in ("energy_imbalance", "winter_load")}
    values |= {"status": np.ones(64), "sample": block.rows, "replicate": block.rows % 4}
    ensemble.commit(block, ensemble.chunks(block, values), dict.fromkeys(range(64), "too wide"))
    status, _, error = command("summary", "store.zarr")
    assert status == 1
    assert "no sample ended well" in error
    assert "sample 0, the first of 32 that failed: too wide" in error


def test_modules_of_the_package_are_there_when_they_are_asked_for() -> None:
    code = "import study; study.sweep.designs; study.figures.accounts; assert not hasattr(study, 'nothing')"
    subprocess.run([sys.executable, "-c", code], check=True)
