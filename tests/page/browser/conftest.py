"""Pages, opened in a real browser: one for all tests, a context for each."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from lrsched.page.page import page
from lrsched.report import compare_paths
from tests.helpers.browser import MISSING, Opened, chromium, program
from tests.report.conftest import leave

if TYPE_CHECKING:
    from playwright.sync_api import Browser

__all__ = ["leave"]

STEPS = 200


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    pytest.importorskip("playwright", reason="playwright is not installed: pip install 'hydra-lrsched[browser]'")
    if program() is None:
        pytest.skip(MISSING)
    with chromium() as opened:
        yield opened


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Opened]]:
    """``visit(file)`` opens a page; at the end of the test nothing may have gone wrong in any of them."""
    all_opened: list[Opened] = []

    def visit(address: Path | str, kind: type[Opened] = Opened, **options: Any) -> Opened:
        all_opened.append(kind(browser, address, **options))
        return all_opened[-1]

    yield visit
    wrong = [fault for opened in all_opened for fault in opened.wrong()]
    for opened in all_opened:
        opened.close()
    assert wrong == []


def rows(worse: float, lr: float) -> list[dict[str, float]]:
    """A curve whose values one can tell: the loss at step s is worse + 1/(s + 1)."""
    made: list[dict[str, float]] = []
    for step in range(STEPS):
        rate = lr * (1 + math.cos(math.pi * step / STEPS)) / 2
        made.append({"step": step, "train/loss": worse + 1 / (step + 1), "lr/default": rate})
    made += [{"step": step, "val/loss": worse + 1 / step} for step in (100, 200)]
    return made


@pytest.fixture
def sweep(leave: Callable[..., Path], tmp_path: Path) -> Path:
    """Three schedules, two rates, two seeds; and a run that failed."""
    for schedule, worse in (("Cosine", 0.25), ("WSD", 0.5), ("Step", 1.0)):
        for lr in (0.1, 0.5):
            for seed in (0, 1):
                loss = worse + lr + 0.125 * seed
                leave(schedule, lr, seed, loss + 1 / 200, rows=rows(loss, lr))
    leave("Cosine", 9.0, 0, status="failed", reason="the training loss is nan", metrics={})
    return tmp_path / "sweep"


@pytest.fixture
def report(sweep: Path, tmp_path: Path) -> Path:
    """The page of the sweep."""
    return written(sweep, tmp_path / "report.html")


def written(folder: Path, file: Path) -> Path:
    """The page of some runs, in a file."""
    file.write_text(page(compare_paths([folder]), [folder]), "utf-8")
    return file
