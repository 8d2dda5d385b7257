"""States of one's own: each comes back with the run that it belongs to, or is refused by its path."""

from __future__ import annotations

import pytest

from lrsched.checkpoint.store import Store
from tests.helpers.cli import TINY

HERE = "tests.helpers.strange_states"
OWN = ("scheduler=torch/ExponentialLR", "~scheduler.gamma")
KINDS = {
    "numpy's scalars": ("scheduler=torch/LambdaLR", f"scheduler.lr_lambda={HERE}.cosine"),
    "numpy's arrays": (*OWN, f"scheduler._target_={HERE}.Remembering"),
    "a scheduler's numbers of numpy": (*OWN, f"scheduler._target_={HERE}.Reckoning"),
    "a state that grows": (*OWN, f"scheduler._target_={HERE}.Growing"),
    "an optimizer's count": ("optimizer=sgd", f"optimizer._target_={HERE}.Counting"),
    "an extra state": (
        "model=mlp",
        f"model._target_={HERE}.Counted",
    ),
    "a buffer that grows": ("model=mlp", f"model._target_={HERE}.Widening"),
}


@pytest.fixture(autouse=True)
def trust(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", HERE)


QUICK = {"numpy's scalars", "numpy's arrays", "an optimizer's count", "an extra state", "a buffer that grows"}


@pytest.mark.parametrize(
    "overrides", [pytest.param(KINDS[name], id=name, marks=() if name in QUICK else pytest.mark.slow) for name in KINDS]
)
@pytest.mark.parametrize("until", [9, pytest.param(6, marks=pytest.mark.slow)])  # in an epoch, and at the end of one
def test_stopped_and_resumed_it_is_the_undisturbed_run(run_cli, overrides: tuple[str, ...], until: int) -> None:
    words = (*TINY, "trainer.epochs=4", "logger=none", *overrides)
    assert run_cli(*words, "name=whole").code == 0
    assert run_cli(*words, "name=cut", f"sweep.until={until}").code == 0
    ended = run_cli("resume=outputs/cut", "sweep.until=null")
    assert (ended.code, "passed over" in ended.err) == (0, False)
    assert ended.rows("cut") == ended.rows("whole")
    assert ended.result("cut")["weights_sha256"] == ended.result("whole")["weights_sha256"]
    assert ended.result("cut")["best"] == ended.result("whole")["best"]
    assert run_cli("outputs/cut", command="check").code == 0


def test_the_cosine_of_numpy_is_that_of_a_bare_loop(run_cli) -> None:
    ended = run_cli(*TINY, "trainer.epochs=4", "trainer.log_every=1st", "name=run", *KINDS["numpy's scalars"])
    rates = [row["lr/default"] for row in ended.rows() if "lr/default" in row]
    by_hand = [0.1 * factor for factor in (1, 0.8535533905932737, 0.5, 0.14644660940672627) for _ in range(6)]
    assert rates == pytest.approx(by_hand, rel=1e-15)


def test_a_deque_is_refused_before_anything_is_written(run_cli) -> None:
    ended = run_cli(*TINY, "name=run", *OWN, f"scheduler._target_={HERE}.Queueing")
    assert ended.code == 2
    assert "scheduler.inner.last is no state that can be loaded again: deque([0.1], maxlen=3) is a deque" in ended.err
    assert ended.err.count("\n") == 1
    assert not (ended.cwd / "outputs").exists()


def test_a_deque_that_comes_later_ends_the_run_at_its_last_checkpoint(run_cli) -> None:
    words = ("trainer.epochs=4", "checkpoint.every=1st", *OWN, f"scheduler._target_={HERE}.Queueing")
    ended = run_cli(*TINY, "name=run", *words, "+scheduler.late=true")
    assert ended.code == 2
    assert "scheduler.inner.last is no state that can be loaded again" in ended.err
    assert (ended.result()["status"], ended.result()["ended"]) == ("failed", "error")
    checkpoint, _, complaints = Store(ended.cwd / "outputs" / "run" / "checkpoints").newest()
    assert (checkpoint.step, complaints) == (12, [])  # the rate of the third epoch is asked for by update 12
    assert run_cli("outputs/run", command="check").code == 0


def test_the_best_weights_are_written_once(run_cli) -> None:
    ended = run_cli(*TINY, "name=run", "trainer.epochs=4", "checkpoint.every=1st", "checkpoint.keep=30")
    best = ended.result()["best"]["step"]
    assert best == 24  # an evaluation each 6 updates, each of them better
    files = {c.step: c.path / "best.pt" for c in Store(ended.cwd / "outputs" / "run" / "checkpoints").found()}
    there = {step: file.stat().st_ino for step, file in files.items() if file.exists()}
    assert sorted(there) == list(range(6, 25))
    assert [len({there[step] for step in range(first, first + 6)}) for first in (6, 12, 18)] == [1, 1, 1]
    assert len(set(there.values())) == 4
