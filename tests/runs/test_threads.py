"""threads=auto: chosen by the work, said, stored, and the same for everything that comes later of the run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import lrsched
from lrsched.errors import ConfigError
from lrsched.machine.allowance import allowance
from lrsched.models import MLP
from tests.helpers.cli import TINY
from tests.runs.test_resume import stop_at

RUN = (*TINY, "logger=none", "trainer.log_every=1st", "name=run")
WORK = 3 * 16 * 2 * (64 * 128 + 128 * 4)  # forward and backward, 16 samples of 8 × 8 numbers, 128 wide, 4 classes


@pytest.fixture
def two(monkeypatch) -> None:
    """Two threads are allowed, and every step is a large one."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    if allowance(2).number < 2:
        pytest.skip("this machine has one processor for a process")
    monkeypatch.setattr("lrsched.machine.threads.SMALL", 1e3)
    torch.set_num_threads(2)


@pytest.fixture
def seen(monkeypatch) -> list[int]:
    """The threads that each call of the model had, but for a trial of two samples."""
    found, forward = list[int](), MLP.forward

    def look(self: MLP, x: torch.Tensor) -> torch.Tensor:
        if len(x) > 2:
            found.append(torch.get_num_threads())
        return forward(self, x)

    monkeypatch.setattr(MLP, "forward", look)
    return found


def traces(name: str) -> tuple[bytes, str]:
    folder = Path("outputs", name)
    return (folder / "metrics.jsonl").read_bytes(), json.loads((folder / "result.json").read_text())["weights_sha256"]


def test_a_small_run_takes_one_thread_and_says_why(run_cli) -> None:
    torch.set_num_threads(2)
    ended = run_cli(*RUN)
    assert ended.code == 0, ended.err
    assert ended.result()["threads"] == {"number": 1, "operations": WORK, "limit": ""}
    assert ended.result()["fingerprint"]["threads"] == 1
    assert f"  threads 1: {WORK:.1e} operations a batch\n" in ended.out
    alone = run_cli(*RUN, "threads=1", "name=alone")
    assert "threads" not in alone.result("alone")
    assert "threads 1:" not in alone.out
    assert traces("run") == traces("alone")
    assert ended.result()["config_sha256"] == alone.result("alone")["config_sha256"]


def test_micro_batches_count_and_a_batch_is_no_larger_than_the_data(run_cli) -> None:
    ended = run_cli(*RUN, "trainer.accumulate=2", "dataset.batch_size=1000", "trainer.steps=1")
    assert ended.result()["threads"]["operations"] == 86 * WORK // 16


@pytest.mark.slow
def test_a_large_run_takes_what_is_allowed(run_cli, two, monkeypatch) -> None:
    ended = run_cli(*RUN)
    assert ended.result()["fingerprint"]["threads"] == 2
    assert f"  threads 2: {WORK:.1e} operations a batch, torch's own choice\n" in ended.out
    torch.set_num_threads(2)
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ended = run_cli(*RUN, "name=less")
    assert ended.result("less")["fingerprint"]["threads"] == 1
    assert f"  threads 1: {WORK:.1e} operations a batch, OMP_NUM_THREADS=1\n" in ended.out


def test_a_resumed_run_keeps_its_threads_whatever_the_rule_says_by_then(run_cli, two, monkeypatch) -> None:
    assert run_cli(*RUN, "name=whole").code == 0
    torch.set_num_threads(2)
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        assert run_cli(*RUN).code == 143
    torch.set_num_threads(2)
    monkeypatch.setattr("lrsched.machine.threads.SMALL", 1e12)
    ended = run_cli("resume=outputs/run")
    assert (ended.code, ended.result()["inexact"]) == (0, [])
    assert ended.result()["fingerprint"]["threads"] == 2
    assert traces("run") == traces("whole")


@pytest.mark.parametrize("threads", ["auto", pytest.param("null", marks=pytest.mark.slow)])
def test_fewer_threads_on_resume_are_named_with_what_allows_no_more(run_cli, two, monkeypatch, threads: str) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        assert run_cli(*RUN, f"threads={threads}").code == 143
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    refused = run_cli("resume=outputs/run")  # run_cli has left one thread, as torch would choose now
    assert refused.code == 4
    assert "threads 2 -> 1 (OMP_NUM_THREADS=1 allows no more); the continuation would not be bit-exact" in refused.err
    assert "give threads=2 for the same bits, or go on all the same with checkpoint.inexact=true" in refused.err
    ended = run_cli("resume=outputs/run", "threads=2")
    assert (ended.code, ended.result()["inexact"]) == (0, [])


def test_inexact_goes_on_with_what_is_allowed(run_cli, two, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        assert run_cli(*RUN).code == 143
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "one")
    said = "OMP_NUM_THREADS=1, which torchrun sets where it is unset, allows no more"
    assert said in run_cli("resume=outputs/run").err
    monkeypatch.delenv("TORCHELASTIC_RUN_ID")
    ended = run_cli("resume=outputs/run", "checkpoint.inexact=true")
    assert ended.code == 0
    assert "threads 2 -> 1 (OMP_NUM_THREADS=1 allows no more)" in ended.err
    assert ended.result()["fingerprint"]["threads"] == 1


def test_a_run_that_left_it_to_torch_goes_on_as_it_was(run_cli, monkeypatch) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        assert run_cli(*RUN, "threads=null").code == 143
    assert "\nthreads: null\n" in Path("outputs/run/config.yaml").read_text()
    ended = run_cli("resume=outputs/run")
    assert (ended.code, ended.result()["inexact"]) == (0, [])
    assert "threads" not in ended.result()


def test_what_is_computed_of_a_run_later_takes_its_threads(run_cli, two, seen, monkeypatch) -> None:
    result = run_cli(*RUN).result()
    assert result["fingerprint"]["threads"] == 2
    seen.clear()
    run = lrsched.load("outputs/run")
    assert torch.get_num_threads() == 1
    tested = {name: value for name, value in result["metrics"].items() if name.startswith("test/")}
    assert run.evaluate() == tested
    run.predict(torch.zeros(3, 1, 8, 8, dtype=torch.uint8))
    assert torch.get_num_threads() == 1  # put back
    assert run_cli("outputs/run", "--json", "f.json", command="evaluate").code == 0
    assert json.loads(Path("f.json").read_text()) == tested
    assert set(seen) == {2}
    Path("outputs/run/result.json").unlink()  # as of a run under way
    seen.clear()
    assert lrsched.load("outputs/run").evaluate() == tested
    assert set(seen) == {2}
    monkeypatch.setenv("OMP_NUM_THREADS", "1")  # never above it
    seen.clear()
    lrsched.load("outputs/run").evaluate()
    assert set(seen) == {1}


@pytest.mark.slow
def test_a_range_test_takes_the_threads_of_a_run(run_cli, two, seen, monkeypatch) -> None:
    words = (*TINY, "method=range", "find.steps=30", "find.seeds=2", "name=found", "logger=none")
    run_cli(*words, command="find")
    assert seen[-1] == 2
    seen.clear()
    torch.set_num_threads(2)
    monkeypatch.setattr("lrsched.machine.threads.SMALL", 1e9)
    run_cli(*words[:-2], "name=again", "logger=none", command="find")
    assert set(seen) == {1}


@pytest.mark.parametrize("word", [pytest.param("threads=auto", marks=pytest.mark.slow), "threads=null"])
def test_a_job_of_a_sweep_has_one(run_cli, two, word: str) -> None:
    ended = run_cli("-m", *RUN, word, "seed=0,1", "trainer.steps=1", "hydra/launcher=basic")
    assert ended.code == 0, ended.err
    found = [json.loads(path.read_text()) for path in Path("outputs/run").glob("*/result.json")]
    assert [(result["fingerprint"]["threads"], result.get("threads")) for result in found] == [(1, None)] * 2


WRONG = [
    ("0", "threads=0: must lie between 1 and 1024; auto finds"),
    ("-1", "threads=-1: must lie between 1 and 1024; auto finds"),
    ("1025", "threads=1025: must lie between 1 and 1024; auto finds"),
    ("many", "threads=many: must be a whole number, auto or null; auto: by the size of the work"),
    ("Auto", "threads=Auto: must be a whole number, auto or null; did you mean 'auto'?"),
    ("1.5", "threads=1.5: must be a whole number, auto or null; auto: by"),
    ("2.0", "threads=2.0: must be a whole number, auto or null; auto: by"),
    ("true", "threads=true: must be a whole number, auto or null; auto: by"),
    ("''", "must be a whole number, auto or null; auto: by"),
    ("[1]", "must be a whole number, auto or null; auto: by"),
    ("{a: 1}", "must be a whole number, auto or null; auto: by"),
    ("nan", "must be a whole number, auto or null; auto: by"),
]


@pytest.mark.parametrize(("value", "message"), WRONG, ids=[value for value, _ in WRONG])
def test_a_wrong_number_is_one_message_and_leaves_nothing(run_cli, value: str, message: str) -> None:
    ended = run_cli(*TINY, f"threads={value}")
    assert (ended.code, ended.out) == (2, "")
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert not any(ended.cwd.iterdir())


@pytest.mark.parametrize("value", ["0", "many", "true"])
def test_and_in_python_and_in_a_preview(run_cli, value: str) -> None:
    with pytest.raises(ConfigError, match=r"^threads="):
        lrsched.run([*TINY, f"threads={value}"])
    ended = run_cli(*TINY, f"threads={value}", command="preview")
    assert (ended.code, ended.err.startswith("lrsched: threads=")) == (2, True)
    assert not any(ended.cwd.iterdir())
