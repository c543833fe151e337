"""How far a run is: on a terminal, in lines, for a program, in a notebook."""

import io
import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbclient import NotebookClient
from rich.console import Console

import study
from study.cli import main
from study.config import load_study
from study.job import Progress
from study.progress import Pace, bar, lines, record, watching
from study.tally import Tally
from tests.conftest import SMOKE, hotland, variant

KEYS = {
    "event",
    "time",
    "done",
    "total",
    "rate",
    "seconds_left",
    "workers",
    "failed",
    "retries",
    "estimates",
    "targets",
}


def progress(*, done: int = 0, failed: int = 0) -> Progress:
    case = load_study(SMOKE)
    tally = Tally.empty(case)
    retries = [{"time": "", "block": 1, "fault": ""}]
    found = Progress(64, tally, done=done, workers=3, retries=retries)
    tally.failed.update({1: failed} if failed else {})
    return found


def test_a_terminal_shows_the_cores_and_what_went_wrong() -> None:
    for shown, terminal in ((bar, True), (lines, False)):
        file = io.StringIO()
        with shown(Console(file=file, force_terminal=terminal, width=200)) as watch:
            watch(progress())
            watch(progress(done=64))
        said = file.getvalue()
        assert "64" in said, shown
        assert "3 cores" in said, shown
        assert "1 blocks tried again" in said, shown


def test_one_of_many_runs_is_told_of_only_where_it_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    for seconds, said in ((10.0, ""), (0.0, "32 of 64 samples")):
        monkeypatch.setattr("study.progress._SECONDS_BETWEEN_LINES", seconds)
        file = io.StringIO()
        with lines(Console(file=file, width=200), brief=True) as watch:
            for done in (32, 64):
                watch(progress(done=done))
        assert file.getvalue().partition(",")[0] == said
        assert "64 of 64" not in file.getvalue()


def test_a_record_says_what_is_not_known() -> None:
    pace = Pace()
    first = record(progress(), pace)
    assert set(first) == KEYS
    assert first["rate"] is None
    assert first["seconds_left"] is None
    last = record(progress(done=32), pace)
    assert last["seconds_left"] == pytest.approx(32 / last["rate"])
    json.dumps(last, allow_nan=False)


@pytest.mark.slow
def test_a_program_reads_a_run(tmp_path: Path) -> None:
    done = hotland("run", SMOKE, "--json", folder=tmp_path)
    assert done.returncode == 0, done.stderr
    events = [json.loads(line) for line in done.stderr.splitlines()]
    last = [event for event in events if event["event"] == "progress"][-1]
    assert set(last) == KEYS
    assert last["done"] == last["total"] == 32
    answer = json.loads(done.stdout)
    assert answer["samples"] == 32
    mean, estimate = answer["carbon_reduction_mean"], last["estimates"]["carbon_reduction"]
    assert estimate["value"] == pytest.approx(mean["value"])
    assert estimate["half_width"] == pytest.approx((mean["high"] - mean["low"]) / 2)
    quiet = hotland("run", SMOKE, "--quiet", folder=tmp_path)
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (0, "", "")
    store = "ensembles/smoke.zarr"
    account = hotland("account", store, "--baseline", "gas_boiler", "--json", folder=tmp_path)
    events = [json.loads(line) for line in account.stderr.splitlines()]
    assert [event["done"] for event in events if event["event"] == "progress"][-1] == 32
    assert json.loads(account.stdout)


def test_errors_are_records_too(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    def run(*arguments: str) -> tuple[int, str, str]:
        monkeypatch.setattr("sys.argv", ["hotland", "run", *arguments])
        with pytest.raises(SystemExit) as ended:
            main()
        return int(ended.value.code or 0), *capfd.readouterr()

    status, answer, said = run("nothing.yaml", "--json")
    (error,) = map(json.loads, said.splitlines())
    assert (status, answer, error["event"], error["exit_status"]) == (2, "", "error", 2)
    assert "nothing.yaml: there is no such file" in error["text"]
    assert run("nothing.yaml", "--quiet") == (2, "", "nothing.yaml: there is no such file\n")
    assert run(str(SMOKE), "--quiet", "--json")[0] == 2


def test_a_study_runs_from_its_file(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    dataset = study.run(str(SMOKE), samples=64, seed=7, output=tmp_path / "s.zarr")
    assert (dataset.sizes["sample"], dataset.attrs["seed"]) == (64, 7)
    assert capfd.readouterr() == ("", "")
    expected = study.run(variant(load_study(SMOKE), {"samples": 64, "seed": 7}), output=tmp_path / "t.zarr")
    np.testing.assert_array_equal(dataset["heat_demand"], expected["heat_demand"])
    with pytest.raises(ValueError, match="allowed: auto, bar, lines, notebook, none"), watching("wide"):  # type: ignore[arg-type]
        pass


@pytest.mark.slow
def test_a_notebook_shows_one_bar(tmp_path: Path) -> None:
    code = f"import study\ndataset = study.run({str(SMOKE)!r}, samples=256, block_size=64, output='s.zarr')"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    (output,) = notebook.cells[0].outputs
    assert output.output_type == "display_data"
    assert '<progress value="1.0000"' in output.data["text/html"]
    assert "256 of 256 samples" in output.data["text/html"]
