"""What is timed changes no run: neither a rate that is too large, nor code of one's own that fails."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrsched
from lrsched.compose.nodes import plain
from lrsched.config.given import NOTHING
from lrsched.config.settings import settings
from lrsched.errors import ConfigError, UserError
from lrsched.fast import timing
from lrsched.fast.chooser import Chooser, timed
from lrsched.fast.keys import asked
from lrsched.python.given import given_objects
from lrsched.python.words import config_of

WORDS = ("dataset=digits", "trainer.steps=3", "threads=1", "logger=none", "trainer.progress=false", "name=run")


@pytest.fixture(autouse=True)
def _few_updates(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "ROUNDS", 2)
    monkeypatch.setattr(timing, "LEAST", 0.0)


def config(*words: str) -> dict[str, Any]:
    return plain(config_of([*WORDS, *words], NOTHING, None))


@pytest.mark.parametrize("words", [["optimizer=sgd"], ["optimizer=adamw", "trainer.on_nonfinite=skip"]])
def test_no_rate_spoils_what_is_timed(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Two updates at this rate would be enough for a loss that is no number."""
    found = config("model=cnn", "trainer=fast", "optimizer.lr=1e30", *words)
    figures = timed(settings(found), asked(found), {}, None)
    assert not figures.failed
    assert len(figures.tried) == 4
    assert capsys.readouterr().err == ""


class Net(nn.Module):
    """A linear layer."""

    def __init__(self) -> None:
        super().__init__()
        self.head, self.updates = nn.Linear(64, 10), 0

    def forward(self, x: Tensor) -> Tensor:
        self.updates += self.training and torch.is_grad_enabled()
        self.look()
        return self.head(x.flatten(1))

    def look(self) -> None:
        """Fail, perhaps."""


class NoNumber(Net):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) * float("nan")


class NoBf16(Net):
    def look(self) -> None:
        if torch.is_autocast_enabled("cpu"):
            raise ValueError("fp32 alone")


class LeavesBf16(Net):
    def look(self) -> None:
        if torch.is_autocast_enabled("cpu"):
            sys.exit(0)


class LeavesBf16Late(Net):
    def look(self) -> None:
        if torch.is_autocast_enabled("cpu") and self.updates == 3:
            sys.exit(0)


class FailsLate(Net):
    def look(self) -> None:
        if self.updates == 3:
            raise KeyError("third")


class LeavesLate(Net):
    def look(self) -> None:
        if self.updates == 3:
            sys.exit(0)


class LeavesAtOnce(Net):
    def look(self) -> None:
        sys.exit(0)


def test_no_loss_is_judged() -> None:
    objects = given_objects(NoNumber(), None, None)
    found = plain(config_of([*WORDS, "trainer.precision=auto"], objects, None))
    figures = timed(settings(found, objects), asked(found), {}, None)
    assert not figures.failed
    assert len(figures.tried) == 2


@pytest.mark.parametrize(
    ("model", "reason"),
    [(NoBf16, "ValueError: fp32 alone"), (LeavesBf16, "SystemExit: 0"), (LeavesBf16Late, "SystemExit: 0")],
)
def test_a_setting_that_fails_falls_out_and_is_told(
    model: type[Net], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    run = lrsched.run([*WORDS, "trainer.precision=auto"], model=model())
    assert run.result["status"] == "finished"
    said = capsys.readouterr().err
    assert "trainer.precision=auto takes fp32: " in said
    assert "(bf16 failed: " in said
    assert reason in said


@pytest.mark.parametrize("model", [FailsLate, LeavesLate, LeavesAtOnce])
def test_what_the_plain_setting_raises_is_said_as_without_a_choice(
    model: type[Net], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ending(place: str, *words: str) -> tuple[type[BaseException], str, int | None]:
        (tmp_path / place).mkdir()
        monkeypatch.chdir(tmp_path / place)
        with pytest.raises((UserError, KeyError, SystemExit)) as caught:
            lrsched.run([*WORDS, *words], model=model())
        return caught.type, str(caught.value), getattr(caught.value, "exit_code", None)

    assert ending("chosen", "trainer.precision=auto") == ending("plain", "trainer.precision=fp32")
    left = [sorted(path.name for path in (tmp_path / place).rglob("*")) for place in ("chosen", "plain")]
    assert left[0] == left[1]


@pytest.mark.parametrize("here", [True, False])
def test_a_choice_that_could_not_be_made_is_told_and_kept(
    here: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    objects = given_objects(FailsLate(), None, None)
    found = plain(config_of([*WORDS, "trainer=fast"], objects, None))
    beside = Chooser(tmp_path / "s", here=here)  # of another command, which began before there was a choice
    values = Chooser(tmp_path / "s", here=here).values(found, objects)
    assert values == {"precision": "fp32", **dict.fromkeys(list(values)[1:], False)}
    said = capsys.readouterr().err
    assert "trainer=fast takes fp32: no update could be timed (KeyError: 'third'" in said
    assert f"{tmp_path}/s/fast.json keeps this: take it away, and what is fastest is timed anew" in said

    monkeypatch.setattr(timing, "Timing", None)  # nothing is timed again
    for later in (Chooser(tmp_path / "s", here=here), beside):
        assert later.values(found, objects) == values
    assert capsys.readouterr().err == ""


def test_a_key_that_is_missing_in_the_file_is_told(tmp_path: Path) -> None:
    found, file = config("trainer.precision=auto", "model=mlp"), tmp_path / "s" / "fast.json"
    Chooser(tmp_path / "s", here=True).values(found)
    kept = json.loads(file.read_text("utf-8"))
    ((work, figures),) = kept.items()
    del figures["chosen"]["precision"]
    file.write_text(json.dumps(kept), "utf-8")
    with pytest.raises(ConfigError, match=f"fast.json: cannot be read: {work}.chosen.precision is missing; take it"):
        Chooser(tmp_path / "s", here=True).values(found)


def test_a_process_that_was_killed_is_told_and_the_choice_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], killing: Callable[[], Net]
) -> None:
    objects = given_objects(killing(), None, None)
    found = plain(config_of([*WORDS, "trainer.precision=auto"], objects, None))
    assert Chooser(tmp_path / "s").values(found, objects) == {"precision": "fp32"}
    assert "takes fp32: no update could be timed (the process that timed it was ended" in capsys.readouterr().err
    ((figures),) = json.loads((tmp_path / "s" / "fast.json").read_text("utf-8")).values()
    assert figures["chosen"] == {"precision": "fp32"}


@pytest.fixture
def killing() -> Callable[[], Net]:
    """A model that ends the process it is called in, unless that is this one."""
    import os
    import signal

    class Kills(Net):
        here = os.getpid()

        def look(self) -> None:
            if os.getpid() != self.here:
                os.kill(os.getpid(), signal.SIGKILL)

    return Kills


def test_a_resumed_run_chooses_nothing_anew() -> None:
    lrsched.run([*WORDS, "model=mlp", "sweep.until=1"])
    with pytest.raises(ConfigError) as caught:
        lrsched.run(["resume=outputs/run", "trainer=fast"])
    assert str(caught.value) == (
        "trainer=fast: what is fastest is chosen once, when a run begins, and stored: a resumed run chooses nothing "
        "anew; and the other values of the choice are not those of the run, as trainer.steps=null, where it has 3; "
        "leave it out, or start a new run with it"
    )
    assert lrsched.run(["resume=outputs/run", "trainer.precision=auto", "sweep.until=2"]).result["step"] == 2
