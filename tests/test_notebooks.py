"""The notebooks: what is kept in them can be shown, and they run."""

import re
import runpy
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbformat import NotebookNode

import study
from study.config import Study
from tests.conftest import ROOT, SMOKE, made

FOLDER = ROOT / "notebooks"
NOTEBOOKS = sorted(FOLDER.glob("*.ipynb"))
execute = runpy.run_path(str(FOLDER / "execute.py"))["execute"]
MOST_BYTES = 600_000


def read(path: Path) -> NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code(notebook: NotebookNode) -> list[NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def faults(notebook: NotebookNode) -> list[str]:
    """What must not be kept in the outputs of a notebook."""
    found = []
    if [cell.execution_count for cell in code(notebook)] != list(range(1, len(code(notebook)) + 1)):
        found.append("executed in another order")
    for number, cell in enumerate(code(notebook), start=1):
        for output in cell.outputs:
            if output.output_type == "error" or output.get("name") == "stderr":
                found.append(f"cell {number}: {output.get('ename') or output.get('text')}")
            shown = str(output.get("text", "")) + str(output.get("data", {}).get("text/plain", ""))
            if re.search(r"(^|[\s'\"(])/(home|root|tmp|usr|work|Users)/|0x[0-9a-f]{6}", shown):
                found.append(f"cell {number}: a path or an address of this machine: {shown[:200]}")
    return found


def pictures(notebook: NotebookNode) -> list[int]:
    """Places of the cells that show a picture."""
    return [
        place
        for place, cell in enumerate(notebook.cells)
        if any("image/png" in output.get("data", {}) for output in cell.get("outputs", []))
    ]


def reduced() -> dict[str, Any]:
    """Changes of the Shenyang study with which it takes a few seconds."""
    return {"samples": 256, "winters": 3}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_kept_can_be_shown(path: Path) -> None:
    notebook = read(path)
    assert path.stat().st_size < MOST_BYTES
    assert not faults(notebook)
    assert any(cell.outputs for cell in code(notebook))
    assert pictures(notebook)
    for place in pictures(notebook):  # what it shows is said before it
        before = notebook.cells[place - 1]
        assert before.cell_type == "markdown"
        assert len(before.source.split()) >= 20
    assert len([cell for cell in code(notebook) if "parameters" in cell.metadata.get("tags", [])]) == 1
    assert {*notebook.metadata} == {"kernelspec", "language_info"}
    assert not any("execution" in cell.metadata for cell in notebook.cells)


def test_faults_are_found() -> None:
    notebook = read(NOTEBOOKS[0])
    cell = code(notebook)[1]
    cell.execution_count += 1
    cell.outputs.append(nbformat.v4.new_output("stream", name="stderr", text="a warning"))
    cell.outputs.append(nbformat.v4.new_output("stream", text="in '/tmp/somewhere'"))
    cell.outputs.append(nbformat.v4.new_output("error", ename="ValueError", evalue="no"))
    assert len(faults(notebook)) == 4


def test_links_of_the_notebooks_lead_somewhere() -> None:
    pages = {path.name: "".join(cell.source for cell in read(path).cells) for path in NOTEBOOKS}
    pages["README.md"] = (FOLDER / "README.md").read_text()
    for name, page in pages.items():
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page):
            assert (FOLDER / target).exists(), f"{name}: {target}"
    assert all(path.name in pages["README.md"] for path in NOTEBOOKS)


@pytest.fixture(scope="module")
def parameters(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Those of every notebook: a small ensemble of the Shenyang study, and its file."""
    folder = tmp_path_factory.mktemp("notebooks")
    config = folder / "shenyang.yaml"
    text = (ROOT / "configs" / "shenyang.yaml").read_text()
    for key, value in reduced().items():
        text, count = re.subn(rf"^{key}: \d+$", f"{key}: {value}", text, flags=re.MULTILINE)
        assert count == 1
    config.write_text(text)
    case: Study = study.load(config)
    return {
        "store": str(made(case, folder)),
        "config": str(config),
        "folder": str(folder),
        "samples": 64,
        "rows": 2 * case.replicates,
    }


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs(path: Path, parameters: dict[str, Any]) -> None:
    notebook = read(path)
    shown = pictures(notebook)
    own = {"config": str(SMOKE)} if path.stem.startswith("01") else {}
    execute(notebook, **parameters | own)
    assert not faults(notebook)
    assert pictures(notebook) == shown
