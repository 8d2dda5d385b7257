"""The page of a report: what it says, where, and that it says nothing else."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from lrsched.cli.report import main
from lrsched.page import write_page
from lrsched.page.page import page
from lrsched.report import compare_paths
from tests.report.conftest import leave  # noqa: F401  (a fixture)


@pytest.fixture
def sweep(leave, tmp_path: Path) -> Path:  # noqa: F811
    """Two schedules, two rates, three seeds, with rows."""
    for schedule, worse in (("Cosine", 0.0), ("Step", 0.25)):
        for lr in (0.1, 1.0):
            for seed in range(3):
                loss = 0.5 + worse + lr + 0.125 * seed
                rows = [{"step": step, "val/loss": loss + 1 / step, "lr/default": lr} for step in (1, 2, 4, 8)]
                leave(schedule, lr, seed, loss, rows=rows)
    return tmp_path / "sweep"


def test_a_command_writes_the_whole_page(sweep: Path, tmp_path: Path) -> None:
    file = tmp_path / "new" / "report.html"
    assert main([str(sweep), "--html", str(file)]) == 0
    text = file.read_text("utf-8")
    assert text.startswith("<!doctype html>")
    assert text == page(compare_paths([sweep]), [sweep])


def test_its_data_are_those_of_the_rows(sweep: Path) -> None:
    text = page(compare_paths([sweep]), [sweep])
    blocks = dict(re.findall(r'<script type="application/json" id="([^"]+)">(.*?)</script>', text))
    (workload,) = json.loads(blocks["lrs-data"])["workloads"]
    best = workload["candidates"][0]
    assert (best["name"], best["lr"], best["bands"]["val/loss"]["seeds"]) == ("cosine", 0.1, 3)
    assert best["bands"]["val/loss"]["mean"] == [1.725, 1.225, 0.975, 0.85]  # 0.6 + 0.125 + 1/step
    assert len(json.loads(blocks["lrs-runs"])) == 12


def test_a_sweep_whose_page_fails_says_so_in_a_line(sweep: Path, capfd: pytest.CaptureFixture[str]) -> None:
    (sweep / "report.html").mkdir()
    write_page(compare_paths([sweep]), sweep)
    said = capfd.readouterr().err
    assert said.count("\n") == 1
    assert "report.html was not written (IsADirectoryError" in said
