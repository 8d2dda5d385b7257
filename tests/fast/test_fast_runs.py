"""Runs and sweeps of ``trainer=fast``: chosen once, written down, and never again."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

import lrsched
from lrsched.errors import ConfigError, DataError
from lrsched.fast import timing
from lrsched.fast.figures import MARGIN
from lrsched.fast.keys import refuse_name
from tests.helpers.cli import TINY, Ended

WORDS = ("model=cnn", "dataset.batch_size=256", "trainer.steps=3", "threads=1", "logger=none", "trainer.progress=false")
KEYS = ("precision", "channels_last", "compile", "fused", "tf32", "keep_memory")


@pytest.fixture
def forced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few updates, and a choice that no clock decides: images in order, and bf16."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(timing, "ROUNDS", 1)
    monkeypatch.setattr(timing, "LEAST", 0.0)
    for name, margin in {"precision": 1e9, "channels_last": 1e9, "fused": 0.0}.items():
        monkeypatch.setitem(MARGIN, name, margin)


def trainer_of(name: str) -> dict[str, Any]:
    return yaml.safe_load(Path("outputs", name, "config.yaml").read_text("utf-8"))["trainer"]


@pytest.mark.usefixtures("forced")
def test_a_run_holds_what_was_chosen_and_goes_on_with_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = lrsched.run([*WORDS, "name=asked", "trainer=fast", "trainer.keep_memory=false", "sweep.until=2"])
    said = capsys.readouterr().err
    assert "trainer=fast takes bf16, channels_last: " in said
    found = trainer_of("asked")
    assert [found[name] for name in KEYS] == ["bf16", True, False, False, False, False]
    given = lrsched.run([*WORDS, "name=given", "trainer.precision=bf16", "trainer.channels_last=true"])
    assert asked.result["config_sha256"] == given.result["config_sha256"]

    monkeypatch.setattr(timing, "Timing", None)  # nothing is timed again
    words = [*WORDS, "trainer=fast", "trainer.keep_memory=false", "sweep.until=null"]
    rest = lrsched.run([*words, "resume=outputs/asked"])
    assert rest.result["weights_sha256"] == given.result["weights_sha256"]
    assert trainer_of("asked") == found


@pytest.mark.slow
@pytest.mark.usefixtures("forced")
def test_what_is_given_by_hand_is_not_timed(capsys: pytest.CaptureFixture[str]) -> None:
    given = [f"trainer.{name}=false" for name in KEYS if name not in ("precision", "channels_last")]
    lrsched.run([*WORDS, "name=run", "trainer=fast", "trainer.precision=fp32", *given])
    said = capsys.readouterr().err
    assert "trainer.channels_last=auto takes true: " in said
    assert "bf16" not in said
    assert "fused" not in said
    lrsched.run([*WORDS, "name=plain", "trainer=fast", "trainer.precision=fp32", "trainer.channels_last=false", *given])
    assert " takes " not in capsys.readouterr().err


@pytest.mark.slow
@pytest.mark.usefixtures("forced")
def test_auto_resume_finds_the_run_that_was_begun(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*WORDS, "trainer=fast"]
    begun = lrsched.run([*words, "sweep.until=2"])
    rest = lrsched.run([*words, "resume=auto", "sweep.until=null"])
    assert rest.folder == begun.folder
    assert rest.result["status"] == "finished"
    assert capsys.readouterr().err.count("trainer=fast takes") == 1


@pytest.mark.slow
def test_a_sweep_chooses_once_and_the_next_command_takes_the_same(run_cli: Callable[..., Ended]) -> None:
    words = ("-m", *WORDS, "trainer=fast", "name=s")
    first = run_cli(*words, "seed=0,1", "trainer.steps=3,4")
    assert first.code == 0
    assert first.err.count("trainer=fast takes") == 1
    kept = json.loads(Path("outputs/s/fast.json").read_text("utf-8"))
    ((work, figures),) = kept.items()
    figures["chosen"] |= {"channels_last": False, "fused": True}  # as another machine might have found
    Path("outputs/s/fast.json").write_text(json.dumps({work: figures}), "utf-8")
    again = run_cli(*words, "seed=2", "model.hidden=128,64")
    assert again.code == 0
    assert again.err.count("trainer=fast takes") == 1  # of the other model
    held = {path.parent.name: trainer_of(f"s/{path.parent.name}") for path in Path("outputs/s").glob("*/config.yaml")}
    assert len(held) == 6
    known = next(found for name, found in held.items() if "hidden-128" in name)
    assert (known["channels_last"], known["fused"]) == (False, True)
    assert not any("auto" in (found[name] for name in KEYS) for found in held.values())
    assert len(json.loads(Path("outputs/s/fast.json").read_text("utf-8"))) == 2


@pytest.mark.slow
@pytest.mark.usefixtures("forced")
def test_two_sweeps_that_choose_alike_have_equal_bytes(run_cli: Callable[..., Ended]) -> None:
    found: list[dict[str, bytes]] = []
    for name in ("a", "b"):
        ended = run_cli("-m", *WORDS, "trainer=fast", f"name={name}", "seed=0,1", "trainer.steps=10")
        assert ended.code == 0
        files = Path("outputs", name).glob("*/metrics.jsonl")
        found.append({path.parent.name: path.read_bytes() for path in files})
    assert len(found[0]) == 2
    assert found[0] == found[1]


BAD = {
    "choice": (["trainer=quick"], "trainer=quick: there is no such choice; known are: default, fast"),
    "word": (["trainer=fast", "trainer.compile=maybe"], "trainer.compile=maybe: must be true, false or auto"),
    "precision": (["trainer=fast", "trainer.precision=bf8"], "must be one of fp32, bf16, fp16, auto"),
    "by hand": (["trainer=fast", "trainer.tf32=true", "device=cpu"], "trainer.tf32=true: is an arithmetic of NVIDIA's"),
    "no data": (["trainer=fast", "dataset=npz", "dataset.path=none.npz"], "dataset.path=none.npz: there is no file"),
    "no images": (
        ["trainer=fast", "trainer.channels_last=true", "model=mlp", "dataset=cancer", "task=binary"],
        "trainer.channels_last=true: orders images",
    ),
    "no kernel": (["trainer=fast", "trainer.fused=true", "optimizer=muon"], "trainer.fused=true: Muon has no kernel"),
    "unfit model": (["trainer=fast", "dataset=diabetes", "task=regression"], "model"),
    "no run": (["trainer=fast", "resume=outputs/none"], "resume=outputs/none: there is no such folder"),
    "another length": (["trainer=fast", "trainer.steps=0"], "trainer.steps=0: must be at least 1"),
    "no device": (["trainer=fast", "device=cuda:77"], "device=cuda:77: cannot be used here"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", BAD)
def test_one_message_and_nothing_left(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    words, message = BAD[name]
    with pytest.raises((ConfigError, DataError)) as caught:
        lrsched.run([*WORDS, *words])
    assert message in str(caught.value)
    assert caught.value.exit_code == 2
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_figures_that_cannot_be_read_are_told_once(run_cli: Callable[..., Ended]) -> None:
    Path("outputs/s").mkdir(parents=True)
    Path("outputs/s/fast.json").write_text("[]", "utf-8")
    ended = run_cli("-m", *WORDS, "trainer=fast", "name=s", "seed=0,1")
    assert ended.code == 2
    assert ended.err.count("outputs/s/fast.json: cannot be read: ") == 1
    assert "fast.json=[]: must be a mapping" in ended.err
    assert "take it away, and what is fastest is timed anew" in ended.err
    assert "Traceback" not in ended.err
    assert [path.name for path in Path("outputs/s").iterdir()] == ["fast.json"]


@pytest.mark.parametrize("words", [(), ("-m", "seed=0,1")])
def test_a_name_of_what_is_yet_to_be_chosen_is_refused(run_cli, words) -> None:
    refused = run_cli(*words, *TINY, "trainer=fast", "name=n-${trainer.precision}-${seed}")
    assert refused.code == 2
    assert (
        "name=n-${trainer.precision}-${seed}: refers to trainer.precision, which is auto until the run" in refused.err
    )
    assert not Path("outputs").exists()


def test_a_name_of_what_is_given_by_hand_is_taken() -> None:
    config = OmegaConf.create({"name": "${trainer.precision}", "trainer": {"precision": "bf16", "compile": "auto"}})
    refuse_name(config)
