"""Every notebook runs from top to bottom, in a fresh kernel, and its code makes no error."""

from pathlib import Path

import jupytext
import pytest
from nbclient import NotebookClient

from tests.shared import ROOT

NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.py"))


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
@pytest.mark.filterwarnings("default")  # the notebook machinery's own warnings are not ours to mend
def test_a_notebook_runs(path: Path) -> None:
    notebook = jupytext.read(path)
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": ROOT / "notebooks"}}
    )
    client.execute()
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [output for cell in code for output in cell.outputs]
    assert any("image/png" in output.get("data", {}) for output in shown), "figures show themselves"
    assert any("text/html" in output.get("data", {}) for output in shown), "the result shows itself as a table"


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS
