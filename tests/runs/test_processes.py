"""One run on several processes that rank 0 starts: to the same bits, and whatever ends one of them ends all in time."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import lrsched
from lrsched.errors import ConfigError
from tests.helpers.cli import TINY, Ended
from tests.helpers.processes import WORDS, Started, are_gone, send
from tests.helpers.runs import folder

ROOT = Path(__file__).resolve().parents[2]

IN_TIME = 45.0
"""Seconds after which the other processes have ended: 10 of ours, and what a busy machine takes to save and to end."""


def test_a_run_in_lanes_is_the_same_on_two_processes(run_cli: Callable[..., Ended]) -> None:
    words = (*TINY, "trainer.lanes=2", "trainer.log_every=1st")
    assert run_cli(*words, "name=one").code == 0
    ended = run_cli(*words, "name=two", "trainer.processes=2")
    assert ended.code == 0, ended.err
    one, two = ended.result("one"), ended.result("two")
    assert ended.rows("one") == ended.rows("two")
    for name in ("weights_sha256", "metrics", "best", "config_sha256", "data_sha256", "fingerprint", "ended"):
        assert one[name] == two[name], name
    assert sorted(path.name for path in (ended.cwd / "outputs").iterdir()) == ["one", "two"]


def test_a_config_that_cannot_be_used_is_said_once_and_leaves_nothing(run_cli: Callable[..., Ended]) -> None:
    ended = run_cli(*TINY, "name=run", "trainer.processes=2", "optimizer.lr=-1")
    assert ended.code == 2
    assert ended.err.count("optimizer.lr=-1") == 1
    assert not (ended.cwd / "outputs").exists()


def test_objects_are_not_given_to_other_processes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    data = (np.zeros((8, 2), np.float32), np.zeros(8, np.int64))
    with pytest.raises(ConfigError, match="processes=2: cannot be given objects of Python"):
        lrsched.run(["trainer.processes=2"], data=data)
    assert not list(tmp_path.iterdir())


def test_nobody_makes_a_run_in_each_process_of_a_program(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(ConfigError, match="WORLD_SIZE=2: this program is one of 2"):
        lrsched.run([])


def test_several_processes_refuse_a_sweep_and_other_commands(
    run_cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"RANK": "0", "WORLD_SIZE": "2", "MASTER_ADDR": "localhost", "MASTER_PORT": "1"}.items():
        monkeypatch.setenv(name, value)
    ended = run_cli("-m", "seed=1,2")
    assert (ended.code, "trainer.processes=2 gives each run as many" in ended.err) == (2, True)
    ended = run_cli(command="find")
    assert (ended.code, "torchrun has started several" in ended.err) == (2, True)
    monkeypatch.setenv("RANK", "1")
    assert run_cli("-m", "seed=1,2").err == ""


MODEL = """
import os
from torch import nn

class Ends(nn.Module):
    def __init__(self, input_shape, classes, how):
        super().__init__()
        self.layer, self.how, self.calls = nn.Linear(input_shape[0] * input_shape[1] * input_shape[2], classes), how, 0

    def forward(self, x):
        self.calls += self.training
        if self.calls == 4 and os.environ.get("RANK") == "1":
            if self.how == "raise":
                raise KeyError("nothing there")
            os.abort()
        return self.layer(x.flatten(1))
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "code", "said", "logged"),
    [
        ("raise", 2, "rank 1: KeyError: 'nothing there' (line 14 of", "Traceback"),
        ("abort", 1, "rank 1 was killed by SIGABRT", "Fatal Python error: Aborted"),
    ],
)
def test_an_error_of_another_process_is_said_with_its_rank(
    how: str, code: int, said: str, logged: str, tmp_path: Path
) -> None:
    (tmp_path / "mine.py").write_text(MODEL)
    model = ("~model", f"+model={{_target_: mine.Ends, how: {how}}}")
    run = Started.of(tmp_path, *WORDS, *model, "trainer.processes=2", LRSCHED_TRUST="mine")
    ended = run.end()
    assert ended.code == code
    assert ended.said.count(said) == 1
    log = folder(tmp_path).log.read_text("utf-8")
    assert said in log
    assert logged in log
    result = folder(tmp_path).read_result() or {}
    assert (result["status"], result["ended"]) == ("failed", "error")


LONG = ("trainer.epochs=2000", "trainer.processes=3")


@pytest.mark.slow
@pytest.mark.parametrize("rank", [0, 1, 2])
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP, signal.SIGTERM])
def test_a_signal_to_one_process_ends_all_of_them(number: signal.Signals, rank: int, tmp_path: Path) -> None:
    run = Started.of(tmp_path, *WORDS, *LONG)
    assert run.wait_for(20)
    pids = run.ranks()
    send(pids[rank], number)
    others = [pid for pid in pids if pid != pids[rank]]
    assert are_gone(others, IN_TIME)
    if (number, rank) == (signal.SIGSTOP, 0):
        send(pids[0], signal.SIGCONT)
    ended, result = run.end(), folder(tmp_path).read_result() or {}
    assert are_gone(pids, 1.0)
    if number == signal.SIGTERM:
        assert (ended.code, result["ended"]) == (143, "signal")
        assert (folder(tmp_path).checkpoints / f"step-{result['step']:010d}").is_dir()
    elif (number, rank) == (signal.SIGKILL, 0):
        assert (ended.code, result) == (-signal.SIGKILL, {})
    else:
        who = "lost one another" if rank == 0 else f"rank {rank} "
        how = "has not been heard for 8 s" if number == signal.SIGSTOP else "was killed by SIGKILL"
        assert ended.code == 1
        assert who in ended.said
        assert how in ended.said
        assert (result["status"], result["ended"]) == ("failed", "error")
        assert how in result["reason"]


@pytest.mark.slow
def test_a_signal_to_the_whole_group_stops_the_run_once(tmp_path: Path) -> None:
    run = Started.of(tmp_path, *WORDS, *LONG)
    assert run.wait_for(20)
    for pid in run.ranks():
        send(pid, signal.SIGINT)
    ended, result = run.end(), folder(tmp_path).read_result() or {}
    assert (ended.code, result["ended"]) == (130, "signal")


@pytest.mark.slow
def test_twenty_kills_of_any_rank_and_the_same_command_come_to_the_undisturbed_bytes(tmp_path: Path) -> None:
    words = (*WORDS, "trainer.processes=3", "trainer.epochs=60", "checkpoint.every=5st", "average=ema", "resume=auto")
    whole = Started.of(tmp_path / "whole", *words).end()
    assert whole.code == 0, whole.said
    draw, kills, rows = random.Random(0), 0, 0
    for _ in range(60):
        run = Started.of(tmp_path / "killed", *words)
        if kills < 20 and run.wait_for(rows + draw.randrange(1, 18)):
            time.sleep(draw.random() / 20)
            pids = run.ranks()
            send(draw.choice(pids), signal.SIGKILL)
            kills += 1
            assert are_gone(pids, IN_TIME)
        ended = run.end()
        rows = folder(tmp_path / "killed").metrics.read_bytes().count(b"\n")
        if ended.code == 0:
            break
        assert ended.code in (1, -signal.SIGKILL), ended.said
    one, other = folder(tmp_path / "whole"), folder(tmp_path / "killed")
    assert kills == 20
    assert one.metrics.read_bytes() == other.metrics.read_bytes()
    results = [each.read_result() or {} for each in (one, other)]
    for name in ("weights_sha256", "metrics", "best", "step", "ended"):
        assert results[0][name] == results[1][name], name


LANES = {
    "mlp": ("model.hidden=[8]",),
    "cnn, batch norm, dropout": ("model=cnn", "model.channels=[4,8]", "model.hidden=16", "dataset.batch_size=90"),
    "gpt, accumulated": (
        *("dataset=python_source", "dataset.megabytes=0.03", "dataset.context=16", "task=language_model"),
        *("model=gpt", "model.layers=1", "model.width=16", "model.dropout=0.1", "dataset.batch_size=6"),
        *("trainer.accumulate=3", "trainer.steps=40", "trainer.evaluate_every=7st"),
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("case", LANES)
def test_a_run_in_lanes_goes_on_with_any_number_of_processes_to_the_same_bytes(case: str, tmp_path: Path) -> None:
    length = () if case.startswith("gpt") else ("trainer.epochs=4",)
    common = ("name=run", "trainer.lanes=4", "trainer.log_every=1st", "logger=[]", "checkpoint.every=4st")
    words = (*common, "optimizer=adamw", "scheduler=cosine", *length, *LANES[case])
    whole = Started.of(tmp_path / "whole", *words, OMP_NUM_THREADS="1").end()
    assert whole.code == 0, whole.said
    again, rows = words, 0
    for processes in (1, 2, 4):
        run = Started.of(tmp_path / "cut", *again, f"trainer.processes={processes}", OMP_NUM_THREADS="1")
        if run.wait_for(rows + 5):
            send(run.process.pid, signal.SIGTERM)
        assert run.end().code in (128 + signal.SIGTERM, -signal.SIGTERM)
        rows = folder(tmp_path / "cut").metrics.read_bytes().count(b"\n")
        again = ("resume=outputs/run",)
    last = Started.of(tmp_path / "cut", *again, "trainer.processes=1", OMP_NUM_THREADS="1").end()
    assert last.code == 0, last.said
    one, other = folder(tmp_path / "whole"), folder(tmp_path / "cut")
    assert one.metrics.read_bytes() == other.metrics.read_bytes()
    results = [each.read_result() or {} for each in (one, other)]
    for name in ("weights_sha256", "metrics", "best", "step", "ended"):
        assert results[0][name] == results[1][name], name


@pytest.mark.slow
def test_items_that_workers_make(tmp_path: Path) -> None:
    data = ("dataset=torch", "dataset.train={_target_: tests.helpers.items.Draws}", "model=linear", "trainer.epochs=2")
    words = (*data, "name=run", "dataset.batch_size=16", "logger=[]", "trainer.lanes=2", "dataset.workers=2")
    for processes in (1, 2):
        place, variables = tmp_path / str(processes), {"LRSCHED_TRUST": "tests", "PYTHONPATH": str(ROOT)}
        ended = Started.of(place, *words, f"trainer.processes={processes}", OMP_NUM_THREADS="1", **variables).end()
        assert ended.code == 0, ended.said
    one, two = (folder(tmp_path / str(processes)) for processes in (1, 2))
    assert one.metrics.read_bytes() == two.metrics.read_bytes()
