"""Commands that are stopped in the middle: the same command ends with the same answer, and no half-written file is left
where the result belongs.
"""

import json
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import xarray as xr

import study
from study.reaccounting import reaccount
from tests.conftest import SMOKE, hotland, stop_run

UNTIL = "P(unmet_hours<=400) >= 80%"  # of two wells it takes more than the first samples to tell
SIZE = ("size", SMOKE, "--find", "wells", "--range", "1..3", "--until", UNTIL, "--samples", "512", "--json")


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of many blocks."""
    folder = tmp_path_factory.mktemp("whole")
    done = hotland("run", SMOKE, "--samples", "320", "--block-size", "8", "--output", "store.zarr", folder=folder)
    assert done.returncode == 0, done.stderr
    return folder / "store.zarr"


@pytest.fixture(scope="module")
def sized(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder in which a design was sized undisturbed; its answer is beside the stores."""
    folder = tmp_path_factory.mktemp("sized")
    done = hotland(*SIZE, "--output", "stores", folder=folder)
    assert done.returncode == 0, done.stderr
    (folder / "answer.json").write_text(done.stdout)
    return folder


def same_bits(one: Path, other: Path) -> None:
    xr.testing.assert_identical(*(study.open_ensemble(each).load().drop_attrs() for each in (one, other)))


def after(seconds: float, condition: Callable[[], bool]) -> Callable[[], bool]:
    """Whether a condition has held for so long."""
    since: list[float] = []

    def holds() -> bool:
        if condition() and not since:
            since.append(time.monotonic())
        return bool(since) and time.monotonic() - since[0] >= seconds

    return holds


@pytest.mark.slow
@pytest.mark.parametrize(("how", "receipts", "later"), [(signal.SIGKILL, 1, 0.0), (signal.SIGINT, 2, 0.1)])
def test_a_search_that_is_stopped_goes_on_to_the_same_answer(
    tmp_path: Path, sized: Path, how: signal.Signals, receipts: int, later: float
) -> None:
    stores = tmp_path / "stores"
    command = (*SIZE, "--output", "stores")
    begun = after(later, lambda: len(list(stores.glob("*.zarr/receipts/*.json"))) >= receipts)
    code, said = stop_run(*command, folder=tmp_path, how=how, when=begun)
    assert code == (130 if how == signal.SIGINT else -how), said
    assert "Traceback" not in said
    done = hotland(*command, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout == (sized / "answer.json").read_text()
    tried = {each["value"]: each for each in json.loads(done.stdout)["tried"]}
    assert tried["2"]["samples"] > tried["1"]["samples"] == 64
    names = {path.name for path in (sized / "stores").iterdir()}
    assert {path.name for path in stores.iterdir()} == names
    for name in names:
        same_bits(stores / name, sized / "stores" / name)


@pytest.mark.slow
def test_an_account_that_is_killed_goes_on_to_the_same_bits(tmp_path: Path, ensemble: Path) -> None:
    target = tmp_path / "gas.zarr"
    command = ("account", ensemble, "--baseline", "gas_boiler", "--output", "gas.zarr", "--json")
    begun = lambda: len(list(target.glob("receipts/*.json"))) >= 3  # noqa: E731
    code, said = stop_run(*command, folder=tmp_path, how=signal.SIGKILL, when=begun)
    assert code == -signal.SIGKILL, said
    assert 24 <= study.open_ensemble(target).sizes["sample"] < 320
    done = hotland(*command, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    reaccount(ensemble, tmp_path / "whole.zarr", baseline="gas_boiler")
    same_bits(target, tmp_path / "whole.zarr")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "how"),
    [("store.nc", signal.SIGKILL), ("store.nc", signal.SIGINT), ("store.parquet", signal.SIGKILL)],
)
def test_an_export_that_is_stopped_leaves_what_was_there(
    tmp_path: Path, ensemble: Path, name: str, how: signal.Signals
) -> None:
    path = tmp_path / name
    path.write_text("what was there")
    command = ("export", ensemble, "--output", name, "--overwrite")
    code, said = stop_run(
        *command,
        folder=tmp_path,
        how=how,
        when=lambda: any(each.stat().st_size for each in tmp_path.glob(f".*{name}*")),
    )
    assert code == (130 if how == signal.SIGINT else -how), said
    assert "Traceback" not in said
    assert path.read_text() == "what was there"
    if how == signal.SIGINT:
        assert [each.name for each in tmp_path.iterdir()] == [name]
    study.export(ensemble, path, overwrite=True)
    if path.suffix == ".nc":
        with xr.open_dataset(path, engine="h5netcdf") as again:
            xr.testing.assert_equal(again.load(), study.open_ensemble(ensemble).load())
    else:
        assert pq.read_table(path, columns=["sample"]).num_rows == 320 * 2
