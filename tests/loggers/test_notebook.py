"""In a notebook the progress draws itself below the cell, in place."""

from __future__ import annotations

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from lrsched.console import in_notebook
from lrsched.loggers import Terminal
from tests.loggers.test_terminal import RUN, Clock


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, dict[str, str]]]:
    """What a notebook was given to display, and how: a stand-in for IPython with a kernel."""
    drawn: list[tuple[str, dict[str, str]]] = []

    def display(picture: dict[str, str], *, raw: bool, display_id: bool) -> Any:
        assert raw
        assert display_id
        drawn.append(("new", picture))

        def update(other: dict[str, str], *, raw: bool) -> None:
            assert raw
            drawn.append(("again", other))

        return SimpleNamespace(update=update)

    notebook, displays = ModuleType("IPython"), ModuleType("IPython.display")
    notebook.get_ipython = lambda: SimpleNamespace(kernel=object())  # type: ignore[attr-defined]
    displays.display = display  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "IPython", notebook)
    monkeypatch.setitem(sys.modules, "IPython.display", displays)
    return drawn


def test_one_bar_drawn_anew_in_its_place(shown: list[tuple[str, dict[str, str]]], capsys) -> None:
    clock = Clock()
    logger = Terminal(clock=clock)
    logger.open(RUN)
    for step in range(20):
        logger.write({"step": step, "train/loss": 0.5, "lr/default": 0.1})
        clock.now += 1 / 64
    logger.close({})
    assert [how for how, _ in shown] == ["new", "again", "again", "again"], "at most ten times a second, and at the end"
    last = shown[-1][1]
    assert last["text/plain"].startswith("19/100  ")
    assert last["text/html"].startswith('<progress value="19" max="100"')
    assert last["text/plain"] in last["text/html"]
    assert capsys.readouterr() == ("", "")


def test_only_a_notebook_with_a_kernel_is_one(monkeypatch: pytest.MonkeyPatch, shown: list[Any]) -> None:
    assert in_notebook()
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: SimpleNamespace())
    assert not in_notebook(), "IPython on a terminal"
    monkeypatch.setattr(sys.modules["IPython"], "get_ipython", lambda: None)
    assert not in_notebook(), "imported by a script"
    monkeypatch.delitem(sys.modules, "IPython")
    assert not in_notebook()


def test_a_stream_of_ones_own_is_written_to_all_the_same(shown: list[Any], capsys) -> None:
    logger = Terminal(sys.stderr)
    logger.open(RUN)
    logger.write({"step": 50, "epoch": 2.0, "val/loss": 0.3})
    logger.close({})
    assert not shown
    assert capsys.readouterr().err.startswith("step 50/100")
