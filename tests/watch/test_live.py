"""The live page: what changed is told, and nothing else; runs appear, go on and end."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from lrsched.errors import ConfigError
from lrsched.watch.live import Live, Question

Leave = Callable[..., Path]


def rows(*steps: int, loss: float = 0.5) -> list[dict[str, float]]:
    return [{"step": step, "val/loss": loss + 1 / step, "lr/default": 0.1} for step in steps]


@pytest.fixture
def live(leave: Leave, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Live:
    """A sweep of a run that has ended and one that goes on; the page is always due."""
    monkeypatch.setattr("lrsched.watch.live.SOON", 0)
    monkeypatch.setattr("lrsched.watch.live.SHARE", 0)
    leave("Cosine", 0.1, 0, 0.5, rows=rows(1, 2, 4))
    leave("Step", 0.1, 0, status=None, rows=rows(1, 2))
    return Live(Question([tmp_path / "sweep"]))


def going_on(tmp_path: Path) -> Path:
    return next((tmp_path / "sweep").glob("*Step*"))


def test_nothing_changes_while_nothing_is_written(live: Live) -> None:
    assert live.changes(1) == {"version": 1, "order": live.changes(0)["order"], "parts": {}}
    assert {"header", "nav", "answer", "w0", "runs", "lrs-data", "lrs-runs"} <= set(live.changes(0)["parts"])


def test_a_new_row_changes_what_shows_it(live: Live, tmp_path: Path) -> None:
    with (going_on(tmp_path) / "metrics.jsonl").open("a") as more:
        more.write(json.dumps(rows(4)[0]) + "\n")
    changes = live.changes(1)
    assert changes["version"] == 2
    assert "answer" not in changes["parts"]
    assert re.search(r"unfinished</span></td><td[^>]*>4<", changes["parts"]["runs"])
    steps = {step for axis in json.loads(changes["parts"]["lrs-data"])["axes"] for step in axis}
    assert steps == {1, 2, 4}
    assert live.changes(2)["parts"] == {}
    assert set(live.changes(0)["parts"]) == set(changes["order"])


def test_a_run_that_appears_and_one_that_ends_are_shown(live: Live, leave: Leave, tmp_path: Path) -> None:
    leave("WSD", 0.1, 0, status=None, rows=rows(1))
    assert "wsd" in live.changes(1)["parts"]["runs"]
    result = {"status": "finished", "step": 4, "reason": "", "metrics": {"val/loss": 0.75}}
    (going_on(tmp_path) / "result.json").write_text(json.dumps(result))
    assert "answer" in live.changes(2)["parts"]


def test_the_last_page_stays_when_the_folder_goes(live: Live, tmp_path: Path) -> None:
    before = live.text()
    shutil.rmtree(tmp_path / "sweep")
    assert live.text() == before
    assert live.changes(1)["parts"] == {}


def test_nothing_outside_the_given_paths_is_shown(leave: Leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, 0.5, rows=rows(1))
    outside = leave("Secret", 0.1, 0, 0.5, rows=rows(1), under="other")
    (tmp_path / "sweep" / "linked").symlink_to(outside)
    jobs = [{"run_id": f"../other/{outside.name}", "overrides": ["top=secret"], "status": "finished"}]
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    text = Live(Question([tmp_path / "sweep"])).text()
    assert "cosine" in text
    assert "ecret" not in text.replace("top=secret", "")


@pytest.mark.parametrize("linked", ["file", "folder"])
def test_what_a_link_of_a_run_shows_is_not_shown(leave: Leave, tmp_path: Path, linked: str) -> None:
    run = leave("Cosine", 0.1, 0, 0.5, rows=rows(1))
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "4-words.txt").write_text("the words of another")
    if linked == "folder":
        (run / "shown").symlink_to(tmp_path / "secret")
    else:
        (run / "shown").mkdir()
        (run / "shown" / "4-words.txt").symlink_to(tmp_path / "secret" / "4-words.txt")
    assert "the words of another" not in Live(Question([tmp_path / "sweep"])).text()


def test_a_sweep_whose_runs_all_lie_elsewhere_is_refused(leave: Leave, tmp_path: Path) -> None:
    outside = leave("Cosine", 0.1, 0, 0.5, under="other")
    (tmp_path / "sweep").mkdir()
    jobs = [{"run_id": f"../other/{outside.name}", "overrides": [], "status": "finished"}]
    (tmp_path / "sweep" / "sweep.json").write_text(json.dumps({"jobs": jobs}))
    with pytest.raises(ConfigError, match="its runs lie elsewhere"):
        Live(Question([tmp_path / "sweep"]))


def test_a_run_without_rows_is_waited_for(leave: Leave, tmp_path: Path) -> None:
    leave("Cosine", 0.1, 0, status=None)
    assert "unfinished" in Live(Question([tmp_path / "sweep"])).text()
