"""Execute notebooks in place and keep their outputs: `python notebooks/execute.py [NOTEBOOK ...]`, by default all.

What differs from one execution to the next, such as times and progress bars, is left out.
"""

import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbformat import NotebookNode
from traitlets.config import Config

HERE = Path(__file__).parent
TIMEOUT = 600  # of a cell, s


def execute(notebook: NotebookNode, **parameters: object) -> None:
    """Run all cells, in the folder of the notebooks; CellExecutionError where one fails.

    Parameters
    ----------
    notebook
        Its outputs become those of this execution.
    parameters
        Values that count instead of those in the cell tagged `parameters`, whose text stays; names that are not in it
        are left out.
    """
    cell = next(cell for cell in notebook.cells if "parameters" in cell.metadata.get("tags", []))
    text = cell.source
    there = {line.partition(" = ")[0] for line in text.splitlines()}
    cell.source = "\n".join([text, *(f"{name} = {value!r}" for name, value in parameters.items() if name in there)])
    try:
        with tempfile.TemporaryDirectory() as folder:  # the kernel is reached by sockets in it, no port is opened
            sockets = Config(KernelManager={"transport": "ipc", "connection_file": f"{folder}/kernel.json"})
            where = {"metadata": {"path": str(HERE)}}
            NotebookClient(
                notebook,
                config=sockets,
                timeout=TIMEOUT,
                resources=where,
                record_timing=False,
                coalesce_streams=True,
            ).execute()
    finally:
        cell.source = text
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = [each for each in cell.outputs if not _is_bar(each)]
    notebook.metadata.language_info = {"name": "python"}  # without the version


def _is_bar(output: NotebookNode) -> bool:
    """Whether it is a progress bar, which ends with the pace of one execution, or the empty place of one."""
    page = output.get("data", {}).get("text/html")
    return page is not None and (not page or "<progress" in page)


def main(names: list[str]) -> None:
    for path in map(Path, names) if names else sorted(HERE.glob("*.ipynb")):
        print(path)
        notebook = nbformat.read(path, as_version=4)
        with tempfile.TemporaryDirectory() as folder:  # for the stores of the studies that it runs
            execute(notebook, folder=folder)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    main(sys.argv[1:])
