"""Makes docs/story/decay.ipynb from docs/story/decay.py: runs it, and keeps what comes out, and the numbers beside it.

LRSCHED_DATA=/where/MNIST/is python docs/story/make.py [FOLDER]

FOLDER: where the runs go, instead of a temporary one; what has finished there is not trained again.
"""

from __future__ import annotations

import base64
import io
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import jupytext
import nbformat
from nbclient import NotebookClient
from PIL import Image

HERE = Path(__file__).resolve().parent


def smaller(outputs: list[Any]) -> None:
    """Bring the pictures of a cell to 64 colours."""
    for output in outputs:
        if "image/png" in output.get("data", {}):
            picture = Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
            small = io.BytesIO()
            picture.convert("RGB").quantize(64).save(small, "png", optimize=True)
            output["data"]["image/png"] = base64.b64encode(small.getvalue()).decode()


def joined(outputs: list[Any]) -> list[Any]:
    """Join what a cell printed: how it comes in pieces is an accident of time."""
    found: list[Any] = []
    for output in outputs:
        if (
            found
            and output["output_type"] == found[-1]["output_type"] == "stream"
            and output["name"] == found[-1]["name"]
        ):
            found[-1]["text"] += output["text"]
        else:
            found.append(output)
    return found


def main() -> None:
    began = time.perf_counter()
    os.environ["LRSCHED_DATA"] = str(Path(os.environ.get("LRSCHED_DATA", "data")).resolve())
    notebook = jupytext.read(HERE / "decay.py")
    with tempfile.TemporaryDirectory() as empty:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else empty)
        NotebookClient(notebook, timeout=3600, resources={"metadata": {"path": str(folder)}}).execute()
        shutil.copy(folder / "decay.json", HERE / "decay.json")
    for number, cell in enumerate(notebook.cells):  # equal runs write equal files
        cell["id"] = f"cell-{number}"
        cell["metadata"] = {"tags": cell["metadata"]["tags"]} if "tags" in cell["metadata"] else {}
        if cell["cell_type"] == "code":
            cell["outputs"] = joined(cell["outputs"])
            smaller(cell["outputs"])
    nbformat.write(notebook, HERE / "decay.ipynb")
    print(f"docs/story/decay.ipynb: {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
