"""A value of the environment stands in no message, wherever it is refused."""

from __future__ import annotations

import json
import re
import traceback
from pathlib import Path

import pytest

from lrsched.errors import ConfigError, NotFinite, Stopped, UserError
from lrsched.masked import Mask, mask
from tests.helpers.cli import TINY

SECRET = "hunter2-canary"
STAND_IN = "${oc.env:LRSCHED_TEST_TOKEN}"
WORD = f"'{STAND_IN}'"


@pytest.fixture(autouse=True)
def token(monkeypatch) -> None:
    monkeypatch.setenv("LRSCHED_TEST_TOKEN", SECRET)
    monkeypatch.setenv("LRSCHED_TEST_PATH", f"{SECRET}/x")


@pytest.mark.parametrize(
    ("command", "words", "said"),
    [
        ("train", [f"trainer.epochs={WORD}"], f"trainer.epochs={STAND_IN}: must be a whole number"),
        ("train", ["name='${oc.env:LRSCHED_TEST_PATH}'"], "name=${oc.env:LRSCHED_TEST_PATH}: a name starts"),
        ("train", [f"+x={WORD}"], f"x={STAND_IN}: there is no such key"),
        ("train", [f"scheduler={WORD}"], f"scheduler={STAND_IN}: there is no such choice"),
        ("train", [f"+dataset.note={WORD}"], f"dataset.note={STAND_IN}: "),
        ("train", [f"resume={WORD}"], f"resume={STAND_IN}: "),
        ("train", ["-m", f"optimizer.lr={WORD}", "seed=0,1", "name=s"], f"] optimizer.lr={STAND_IN}: must be a number"),
        ("find", [f"trainer.epochs={WORD}"], f"trainer.epochs={STAND_IN}: must be a whole number"),
        ("find", [f"find.budget={WORD}"], f"find.budget={STAND_IN}"),
        ("preview", [f"optimizer.lr={WORD}"], f"optimizer.lr={STAND_IN}: must be a number"),
        ("preview", [f"scheduler.warmup={WORD}", "seed=0,1"], f"scheduler.warmup={STAND_IN}: "),
    ],
)
def test_a_refusal(run_cli, command: str, words: list[str], said: str) -> None:
    ended = run_cli(*words, command=command)
    assert ended.code in (1, 2)
    assert said in ended.err
    assert SECRET not in ended.out + ended.err


def test_a_value_of_a_file_of_ones_own(run_cli, tmp_path) -> None:
    (tmp_path / "mine" / "experiment").mkdir(parents=True)
    text = "# @package _global_\ntrainer:\n  log_every: ${oc.env:LRSCHED_TEST_TOKEN}\n"
    (tmp_path / "mine" / "experiment" / "own.yaml").write_text(text, "utf-8")
    ended = run_cli("--config-dir", "mine", "experiment=own")
    assert ended.code == 2
    assert f"trainer.log_every={STAND_IN}: " in ended.err
    assert SECRET not in ended.err


def test_the_name_of_a_run_and_the_command_that_goes_on_with_it(run_cli) -> None:
    assert run_cli(*TINY, f"name={WORD}").code == 0
    assert Path("outputs", SECRET).is_dir()  # it was asked for
    refused = run_cli(*TINY, f"name={WORD}")
    assert f"name={STAND_IN}: outputs/{STAND_IN} already holds a run" in refused.err
    assert SECRET not in refused.err
    typed = re.search(r"lrsched train '(resume=outputs/\S+)'", refused.err)
    assert typed is not None, refused.err
    assert run_cli(typed[1]).code == 0


def test_what_a_sweep_keeps_of_a_job_that_failed(run_cli) -> None:
    ended = run_cli("-m", *TINY, f"init_from={WORD}", "seed=0", "name=s")
    assert ended.code != 0
    assert SECRET not in ended.out + ended.err
    jobs = json.loads(Path("outputs/s/sweep.json").read_text("utf-8"))["jobs"]
    assert [f"init_from={STAND_IN}" in job["reason"] for job in jobs] == [True]
    assert [path for path in Path("outputs").rglob("*") if path.is_file() and SECRET in path.read_text("utf-8")] == []


def test_an_error_in_python_and_what_it_comes_from(tmp_path, monkeypatch) -> None:
    import lrsched

    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="must be a whole number") as refused:
        lrsched.run([f"trainer.epochs={WORD}"])
    shown = "".join(traceback.format_exception(refused.value))
    assert f"trainer.epochs={STAND_IN}: must be a whole number" in shown
    assert SECRET not in shown


def test_every_error_that_users_see_and_a_value_that_is_cut() -> None:
    mask().note("LRSCHED_TEST_LONG", "s3cret-" * 60)
    assert str(ConfigError("key", "a" + "s3cret-" * 60, "is wrong")) == "key=a${oc.env:LRSCHED_TEST_LONG}: is wrong"
    for error in (UserError("s3cret-" * 60), NotFinite("s3cret-" * 60), Stopped(15, "s3cret-" * 60)):
        assert str(error) == "${oc.env:LRSCHED_TEST_LONG}"
    assert len(str(ConfigError("key", "x" * 400, "is wrong"))) == 300 + len("key=: is wrong")


def test_a_short_value_stays_and_other_spellings_do_not() -> None:
    hidden = Mask()
    for name, value in (
        ("ONE", "1"),
        ("OPT", "sgd"),
        ("KEY", "a\nkey of 'two' lines"),
        ("PART", "secret"),
        ("ALL", "a secret"),
    ):
        hidden.note(name, value)
    assert hidden.hide("1 sgd") == "1 sgd"
    assert hidden.hide(f"{['a' + chr(10) + 'key of two lines']}") == "['a\\nkey of two lines']"
    assert hidden.hide(repr("a\nkey of 'two' lines")) == '"${oc.env:KEY}"'
    assert hidden.hide("a key of 'two' lines") == "${oc.env:KEY}"
    assert hidden.hide("a secret, secret") == "${oc.env:ALL}, ${oc.env:PART}"  # the longest first
