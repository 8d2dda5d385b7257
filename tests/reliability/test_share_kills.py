"""Groups with shares of the rate, and metrics that wait for the end of an epoch: killed at random times and resumed."""

from __future__ import annotations

import signal
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.compare_runs import differences
from tests.helpers.faults import stop_at
from tests.helpers.runs import KILLED, folder, resume, run
from tests.reliability.test_kills import INTERVAL, undisturbed_though_killed
from tests.runs.test_shares import CLASSES, GROUPS, TORCH, WAITING, WORDS

pytestmark = pytest.mark.slow

LEAST_KILLS = 6

PLATEAU = (
    TORCH + "ReduceLROnPlateau",
    "scheduler.interval=epoch",
    "scheduler.patience=0",
    "scheduler.threshold=0.5",
    "scheduler.factor=0.3",
)
DIGITS = ("dataset=digits", "trainer.epochs=4", "trainer.log_every=1st", "trainer.progress=false", "logger=none")
LATE = {
    "20 of 21": (*DIGITS, *PLATEAU, "trainer.evaluate_every=20st"),  # the metrics of 20, 40, 60, 80 wait for 21, 42, 63
    "45 of 21": (*DIGITS, *PLATEAU, "trainer.evaluate_every=45st"),  # that of 45 waits for 63
    "4 of 6": (*WORDS, *WAITING),
    "4 of 6, groups": (*WORDS, *WAITING, *GROUPS["groups"], "scheduler.min_lr=0.001"),
    "20 of 21, layer_decay": (*DIGITS, *PLATEAU, "trainer.evaluate_every=20st", *GROUPS["layer_decay"]),
}
CASES = {
    **{f"{name}, {kind}": (*WORDS, *CLASSES[name], *GROUPS[kind]) for name in CLASSES for kind in GROUPS},
    **LATE,
}


@pytest.mark.parametrize("case", CASES)
def test_killed_at_random_it_is_the_undisturbed_run(tmp_path: Path, case: str) -> None:
    options = (*CASES[case], f"checkpoint.every={INTERVAL}st", "name=run")
    undisturbed_though_killed(tmp_path, options, LEAST_KILLS, case)


@pytest.mark.parametrize(
    ("case", "steps"),
    [("20 of 21", (20, 21, 41, 61, 62)), ("45 of 21", (45, 50, 62, 63)), ("4 of 6, groups", (4, 5, 17))],
)
def test_killed_while_a_metric_waits_it_is_the_undisturbed_run(
    tmp_path: Path, case: str, steps: tuple[int, ...]
) -> None:
    """A checkpoint follows each update: what waits comes back from it, and not from an evaluation made anew."""
    options = (*CASES[case], "checkpoint.every=1st", "name=run")
    ended = run(tmp_path / "whole", *options)
    assert ended.code == 0, ended.said
    struck = tmp_path / "struck"
    for number, step in enumerate(steps):
        faults = [partial(stop_at, step, signal.SIGKILL)]
        ended = resume(struck, faults=faults) if number else run(struck, *options, faults=faults)
        assert ended.code == KILLED, ended.said
    assert resume(struck).code == 0
    assert differences(folder(tmp_path / "whole"), folder(struck)) == []
