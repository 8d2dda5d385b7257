"""Text that others wrote is text: forty ways to smuggle code in, in six places each, and none of them runs."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.helpers.browser import Opened
from tests.helpers.payloads import PAYLOADS
from tests.page.browser.conftest import written
from tests.page.browser.test_reading import drawn
from tests.report.conftest import config

pytestmark = pytest.mark.slow


def test_there_are_forty() -> None:
    assert len(set(PAYLOADS)) == 40


def leave_hostile(folder: Path, payload: str, seed: int) -> dict[str, Any]:
    """A run with the payload in the values and a key of its config, its metrics, its reason, and what its task shows.

    Returns:
        What its sweep says of it.
    """
    folder.mkdir(parents=True)
    named = {"scheduler___target_": payload, "dataset__root": payload, payload.replace("__", ""): payload}
    (folder / "config.yaml").write_text(yaml.safe_dump(config(seed=seed, **named)), "utf-8")
    loss = 0.5 + len(payload) / 100
    rows = [{"step": s, "val/loss": loss + 1 / s, f"val/{payload}": 1.0, "lr/default": 0.1} for s in (1, 2, 4)]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
    end = {"status": "failed" if seed else "finished", "reason": payload}
    result = {**end, "step": 4, "metrics": {"val/loss": loss, f"val/{payload}": 1.0}}
    (folder / "result.json").write_text(json.dumps(result), "utf-8")
    (folder / "shown").mkdir()
    (folder / "shown" / "4-words.txt").write_text(payload, "utf-8")
    return {**end, "overrides": [f"dataset.root={payload}"], "steps_asked": 4, "steps_trained": 4}


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """A sweep of two runs for each payload, which is in their names too; and a finder's answers."""
    sweep, jobs = tmp_path / "sweep", []
    for number, payload in enumerate(PAYLOADS):
        for seed in (0, 1):
            name = f"{number}-{seed}-{payload.replace('/', '∕')}"
            jobs.append({"run_id": name, **leave_hostile(sweep / name, payload, seed)})
    points = [{"lr": lr, "horizon": 4, "seed": 0, "loss": 1 / lr} for lr in (0.1, 0.2, 0.4)]
    answers = [
        {"method": one, "scheduler": one, "suggestion": 0.1, "override": f"optimizer.lr={one}", "candidates": points}
        for one in PAYLOADS
    ]
    (sweep / "find.json").write_text(json.dumps({"answers": answers}), "utf-8")
    content = {"jobs": jobs, "steps_asked": 4, "steps_trained": 4, "wall_seconds": 1.0}
    (sweep / "sweep.json").write_text(json.dumps(content), "utf-8")
    return sweep


def test_no_payload_runs(visit: Callable[..., Opened], hostile: Path, tmp_path: Path) -> None:
    file = written(hostile, tmp_path / "report.html")
    title = "sweep · lrsched report"
    page = visit(file).page
    assert page.evaluate("window.flag") is None
    assert page.locator("a#run, iframe, object, base, link, body[onload]").count() == 0
    for detail in page.locator("details").all():
        detail.evaluate("one => (one.open = true)")
    figure = page.locator("figure.plot").first
    if figure.locator(".surface").count():
        drawn(page, f"#{figure.get_attribute('id')}").locator(".surface").first.focus()
        page.keyboard.press("ArrowRight")
    for head in page.locator("table.sortable thead button").all()[:12]:
        head.click()
    page.locator("input[type=search]").first.fill(PAYLOADS[0])
    page.reload()
    assert page.evaluate("window.flag") is None
    assert page.title() == title
    assert page.locator("[onerror], [onload], [onclick], [onmouseover], [onfocus], [ontoggle]").count() == 0
