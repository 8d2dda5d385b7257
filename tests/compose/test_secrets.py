"""A value of the environment reaches no file, whatever becomes of the run."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.bugs import bug
from tests.helpers.cli import TINY
from tests.runs.test_resume import stop_at

SECRET = "c4nary-5ecret-value"
RUN = (
    *TINY,
    "trainer.log_every=1st",
    "logger=[tensorboard,csv]",
    "+dataset.note='${oc.env:LRSCHED_TEST_SECRET}'",
)


@pytest.fixture
def secret(monkeypatch, tmp_path) -> str:
    """A data set that is given a secret and does not keep it to itself when it fails."""
    monkeypatch.setenv("LRSCHED_TEST_SECRET", SECRET)
    monkeypatch.setenv("LRSCHED_TRUST", "lrsched_test_leaky")
    monkeypatch.syspath_prepend(str(tmp_path))
    (tmp_path / "lrsched_test_leaky.py").write_text(
        "from dataclasses import dataclass\n"
        "from lrsched.data.synthetic import Synthetic\n"
        "@dataclass(frozen=True, kw_only=True)\n"
        "class Leaky(Synthetic):\n"
        "    note: str = ''\n",
        "utf-8",
    )
    return "dataset._target_=lrsched_test_leaky.Leaky"


def leaks() -> list[str]:
    """Files and names below outputs/ that hold the secret."""
    found = [
        str(path) for path in Path("outputs").rglob("*") if path.is_file() and SECRET.encode() in path.read_bytes()
    ]
    return found + [str(path) for path in Path("outputs").rglob("*") if SECRET in str(path)]


def test_a_run_and_its_resume(run_cli, monkeypatch, secret) -> None:
    with monkeypatch.context() as patch:
        stop_at(patch, 3)
        assert run_cli(*RUN, secret, "name=run").code == 143
    assert leaks() == []
    refused = run_cli("resume=outputs/run")
    assert refused.code == 2
    assert "dataset.note=${oc.env:LRSCHED_TEST_SECRET}: a config that is read back may refer to its own" in refused.err
    ended = run_cli("resume=outputs/run", RUN[-1])
    assert ended.code == 0, ended.err
    assert leaks() == []
    # The hyperparameters are there, and what stands for the secret among them.
    events = b"".join(path.read_bytes() for path in Path("outputs/run/tensorboard").glob("*.hparams"))
    assert b"dataset.note" in events
    assert b"${oc.env:LRSCHED_TEST_SECRET}" in events
    assert b"dataset.samples" in events


def test_a_run_that_fails_with_the_secret_in_its_message(run_cli, monkeypatch, secret) -> None:
    bug(monkeypatch, RuntimeError(f"cannot log in with {SECRET}"))
    ended = run_cli(*RUN, secret, "name=run")
    assert ended.code == 1
    assert leaks() == []
    assert ended.result()["reason"] == "RuntimeError: cannot log in with ${oc.env:LRSCHED_TEST_SECRET}"
    assert "cannot log in with ${oc.env:LRSCHED_TEST_SECRET}" in Path("outputs/run/train.log").read_text("utf-8")


def test_a_sweep_and_a_change(run_cli, secret) -> None:
    ended = run_cli("-m", *RUN, secret, "name=sweep", "seed=0,1")
    assert ended.code == 0, ended.err
    jobs = [path for path in Path("outputs/sweep").iterdir() if path.is_dir()]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+", path.name) for path in jobs)
    assert leaks() == []
    change = ("trainer.epochs=3", "trainer.on_extend=keep")
    assert run_cli(f"resume={jobs[0]}", RUN[-1], *change).code == 0
    assert leaks() == []
