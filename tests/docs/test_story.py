"""docs/story: the notebook is what decay.py says, and its numbers are those of decay.json, which its runs wrote."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrsched.report.stats import attained, fewest_pairs, interval

STORY = Path(__file__).resolve().parents[2] / "docs" / "story"


@pytest.fixture(scope="module")
def cells() -> list[dict[str, Any]]:
    return json.loads((STORY / "decay.ipynb").read_text("utf-8"))["cells"]


def source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


def written() -> list[tuple[str, str]]:
    """The cells of decay.py: kind and text, as jupytext reads them."""
    _, *found = re.split(r"^# %%(.*)\n", (STORY / "decay.py").read_text("utf-8"), flags=re.MULTILINE)
    cells = []
    for mark, text in zip(found[::2], found[1::2], strict=True):
        markdown = mark.startswith(" [markdown]")
        plain = re.sub(r"^# ?", "", text, flags=re.MULTILINE) if markdown else text
        cells.append(("markdown" if markdown else "code", plain.strip("\n")))
    return cells


def test_the_notebook_is_that_of_its_script(cells: list[dict[str, Any]]) -> None:
    assert [(cell["cell_type"], source(cell)) for cell in cells] == written(), "run: python docs/story/make.py"


def test_it_was_run_to_its_end_and_is_small(cells: list[dict[str, Any]]) -> None:
    assert (STORY / "decay.ipynb").stat().st_size < 1_000_000
    outputs = [output for cell in cells if cell["cell_type"] == "code" for output in cell["outputs"]]
    counts = [cell["execution_count"] for cell in cells if cell["cell_type"] == "code"]
    assert counts == list(range(1, len(counts) + 1))
    assert not any(output["output_type"] == "error" for output in outputs)
    assert sum("image/png" in output.get("data", {}) for output in outputs) == 3


def test_its_sentences_are_those_of_the_data(cells: list[dict[str, Any]], monkeypatch: pytest.MonkeyPatch) -> None:
    """The cells that speak are executed again on decay.json alone."""
    monkeypatch.chdir(STORY)
    said: list[str] = []
    space = {"json": json, "np": np, "Path": Path, "display": said.append, "Markdown": str}
    space |= {"attained": attained, "fewest_pairs": fewest_pairs, "interval": interval}
    speaking = [cell for cell in cells if cell["cell_type"] == "code" and "Markdown(" in source(cell)]
    for cell in speaking:
        exec(source(cell), space)
    shown = [
        "".join(output["data"]["text/markdown"])
        for cell in speaking
        for output in cell["outputs"]
        if "text/markdown" in output.get("data", {})
    ]
    assert shown == said
    assert len(said) == 4


def test_no_figure_is_typed_in_its_text() -> None:
    """What is not computed speaks in words."""
    prose = " ".join(text for kind, text in written() if kind == "markdown")
    assert re.findall(r"\d+", prose) == []
