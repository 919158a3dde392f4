"""Run notebooks, all or those named, from their scripts and keep the outputs in the paired `.ipynb` beside each."""

import sys
from pathlib import Path

import jupytext
from nbclient import NotebookClient

NOTEBOOKS = Path(__file__).resolve().parent.parent / "notebooks"

if __name__ == "__main__":
    named = [NOTEBOOKS / f"{name}.py" for name in sys.argv[1:]]
    for script in named or sorted(NOTEBOOKS.glob("*.py")):
        notebook = jupytext.read(script)
        NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": NOTEBOOKS}}).execute()
        for cell in notebook.cells:
            cell.metadata.pop("execution", None)  # when each cell ran is nobody's business
        jupytext.write(notebook, script.with_suffix(".ipynb"))
        print(script.with_suffix(".ipynb").name)
