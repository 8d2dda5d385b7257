"""Makes docs/story/decay.ipynb from docs/story/decay.py: runs it in an empty folder, and keeps what comes out.

LRSCHED_DATA=/where/MNIST/is python docs/story/make.py
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path

import jupytext
import nbformat
from nbclient import NotebookClient

HERE = Path(__file__).resolve().parent


def main() -> None:
    began = time.perf_counter()
    os.environ["LRSCHED_DATA"] = str(Path(os.environ.get("LRSCHED_DATA", "data")).resolve())
    notebook = jupytext.read(HERE / "decay.py")
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": folder}}).execute()
    for number, cell in enumerate(notebook.cells):  # equal runs write equal files
        cell["id"] = f"cell-{number}"
        cell["metadata"] = {}
    nbformat.write(notebook, HERE / "decay.ipynb")
    print(f"docs/story/decay.ipynb: {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
