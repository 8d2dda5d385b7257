"""Read the log of a killed run, and check what it promises."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Life:
    """One process of a run: from its start to its end or its death.

    Args:
        start: the step that it started or went on from.
        done: completed updates at its end.
        saved: the last checkpoint that it acknowledged, or None.
        died_saving: whether it died inside a save.
    """

    start: int
    done: int
    saved: int | None
    died_saving: bool


def lives(path: Path) -> list[Life]:
    """The processes of a run, in order; each starts with the line ``from S``."""
    text = path.read_text("utf-8") if path.exists() else ""
    found: list[Life] = []
    for line in text.splitlines():
        word, step = line.split()[0], int(line.split()[1])
        if word == "from":
            found.append(Life(step, step, None, False))
        elif word == "done":
            found[-1] = Life(found[-1].start, step, found[-1].saved, False)
        elif word == "saving":
            found[-1] = Life(found[-1].start, found[-1].done, found[-1].saved, True)
        elif word == "saved":
            found[-1] = Life(found[-1].start, found[-1].done, step, False)
    return found


def check_debts(before: list[Life], interval: int) -> None:
    """A resumed process goes on from the last acknowledged checkpoint or a later one, one interval back at most."""
    acknowledged: int | None = None
    reached = 0
    for life in before:
        if acknowledged is not None:
            assert life.start >= acknowledged, f"went on from {life.start}, {acknowledged} was acknowledged"
        assert reached - life.start <= interval, f"lost {reached - life.start} steps"
        if life.saved is not None:
            acknowledged = life.saved
        reached = life.done
