"""The facts that the data tell a model are those that the page of models lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lrsched.data import Diabetes, Digits, Picture, PythonSource, Table
from lrsched.tasks import Classification, Regression

PAGE = Path(__file__).resolve().parents[2] / "docs" / "how-to" / "own-model.md"
OF_ONE_DATA_SET = {"grid"}  # the picture's own


def told(source: Any, task: Any) -> Mapping[str, Any]:
    """What a model of a run would be told, with the data set's own training part as its training part."""
    data = source.load()
    return task.facts(data.facts_of(data.train))


def test_the_page_of_models_names_every_fact(tmp_path: Path) -> None:
    table = "\n".join(["size,town,price", *(f"{n},{'ab'[n % 2]},{n}" for n in range(8))])
    (tmp_path / "t.csv").write_text(f"{table}\n")
    file = str(tmp_path / "t.csv")
    found = [
        told(Diabetes(), Regression()),
        told(Digits(), Classification()),
        told(Picture(), Regression()),
        told(PythonSource(), Regression()),
        told(Table(path=file, target="price"), Regression()),
        told(Table(path=file, target="town"), Classification()),
    ]
    assert found[4]["feature_names"] == ("size", "town=a", "town=b")
    assert (found[4]["outputs"], found[4]["targets"], found[4]["target_mean"]) == (1, 1, 3.5)
    listed = PAGE.read_text("utf-8").partition("|---|---|\n")[2].partition("\n\n")[0]
    names = {name for line in listed.splitlines() for name in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert {name for facts in found for name in facts} - OF_ONE_DATA_SET == names
