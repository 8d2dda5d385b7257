"""lrsched.find does what ``lrsched find`` does, in the caller's process, and takes objects instead of YAML."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrsched
from lrsched.errors import ConfigError, DataError, Incomplete, UserError
from lrsched.signals import stop_flag
from tests.helpers.cli import TINY, Ended
from tests.helpers.own_problem import Noisy, Pinball
from tests.python.helpers import net, process

BASE = [*TINY, "logger=none"]
GRID = ["method=grid", "find.rates=3", "find.refine=0", "find.budget=9000st"]
SHORT = ["trainer.steps=200", "dataset.samples=240", "find.seeds=2", "find.budget=30%"]
OBJECTS = {"data": Noisy(), "task": Pinball(q=0.9)}
OWN = ["trainer.progress=false", "logger=none", "dataset.batch_size=16", "trainer.epochs=2"]


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def answer(name: str) -> dict[str, Any]:
    return json.loads(Path("outputs", name, "find.json").read_text("utf-8"))


def of_runs(name: str) -> dict[str, Any]:
    """The final weights and the rows of each run of an answer."""
    folders = [path.parent for path in Path("outputs", name).glob("*/metrics.jsonl")]
    told = {path.name: json.loads((path / "result.json").read_text("utf-8"))["weights_sha256"] for path in folders}
    return {path.name: (told[path.name], (path / "metrics.jsonl").read_bytes()) for path in folders}


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(["method=range", "find.seeds=2", "find.steps=40"], id="range"),
        pytest.param([*GRID, "find.seeds=1"], id="grid", marks=pytest.mark.slow),
        pytest.param([*GRID, "find.seeds=2", "scheduler=cosine,wsd"], id="schedules", marks=pytest.mark.slow),
        pytest.param(SHORT, id="horizon", marks=pytest.mark.slow),
        pytest.param([*SHORT, "scheduler=cosine,wsd"], id="short schedules", marks=pytest.mark.slow),
        pytest.param([*SHORT, "threads=2"], id="threads", marks=pytest.mark.slow),
    ],
)
def test_the_same_words_give_the_same_answer_as_the_command(words: list[str], run_cli: Callable[..., Ended]) -> None:
    ended = run_cli(*BASE, *words, "name=typed", command="find")
    assert ended.code == 0, ended.err
    before = process()
    found = lrsched.find([*BASE, *words, "name=called"])
    assert process() == before
    there, here = answer("typed"), answer("called")
    if there.get("decide"):
        assert there["decide"].replace("typed-decide", "called-decide") == here["decide"]
    assert {**there, "decide": None} == {**here, "decide": None}
    assert of_runs("typed") == of_runs("called")
    assert json.loads(json.dumps(found.content)) == here
    assert (found.suggestion, " ".join(found.override)) == (there["suggestion"], there["override"])
    assert str(found).replace("called", "typed") == ended.out.rstrip("\n").split("\n\n\n")[-1]
    assert repr(found) == f"<Found outputs/called: {there['override']}>"


def test_objects_are_looked_at_as_a_run_trains_them(run_cli: Callable[..., Ended]) -> None:
    """The loss of each rate is that of the run of this rate, and a run afterwards takes the override."""
    model = net(0)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    found = lrsched.find(
        [*OWN, *GRID, "find.seeds=1", "find.low=1e-3", "find.high=1e-1", "name=found"], model=model, **OBJECTS
    )
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    candidates = found.content["candidates"]
    for place, candidate in enumerate(candidates[:1]):
        made = lrsched.run(
            [*OWN, "threads=1", f"optimizer.lr={candidate['lr']}", f"name=run{place}"], model=model, **OBJECTS
        )
        assert made.result["metrics"]["val/loss"] == candidate["loss"]
    assert len({candidate["loss"] for candidate in candidates}) == len(candidates) == 5  # two beyond the edge
    assert found.suggestion == min(candidates, key=lambda candidate: candidate["loss"])["lr"]
    assert found.override == [f"optimizer.lr={found.suggestion}"]
    assert found.interval is None
    assert found.undecided == []
    again = lrsched.find(
        [*OWN, *GRID, "find.seeds=1", "find.low=1e-3", "find.high=1e-1", "name=found"], model=model, **OBJECTS
    )
    assert again.content == found.content
    with pytest.raises(ConfigError, match="already holds the runs of another config"):
        lrsched.find([*OWN, *GRID, "name=found"], model=net(1), **OBJECTS)
    ended = run_cli(*OWN, *GRID, "name=found", command="find")
    assert ended.code == 2
    assert "already holds the runs of another config" in ended.err


@pytest.mark.slow
def test_several_schedules_of_objects_and_the_runs_that_decide() -> None:
    given: dict[str, Any] = {"model": net(0), **OBJECTS}
    words = [*OWN, *GRID, "find.seeds=2", "find.low=1e-3", "find.high=1e-1", "scheduler=cosine,wsd", "name=which"]
    found = lrsched.find(words, **given)
    assert found.undecided == [each["scheduler"] for each in found.content["answers"]]
    assert found.override[0] == f"scheduler={found.undecided[0]}"
    call = found.content["decide"]
    assert call in str(found)
    assert "-m" not in call
    made: list[Path] = []

    def run(words: list[str], **objects: Any) -> None:
        made.append(lrsched.run([*words, "trainer.epochs=1"], **objects).folder)

    class Here:
        pass

    Here.run = staticmethod(run)  # type: ignore[attr-defined]
    first = call.replace(call[call.index("range(") : call.index("):") + 1], "range(2)")
    exec(first.replace("model=…, data=…, task=…", "**given"), {"lrsched": Here, "given": given})
    assert [path.name for path in made] == [f"which-decide-{number}-{seed}" for seed in (0, 1) for number in (0, 1)]
    rates = {each["scheduler"]: each["suggestion"] for each in found.content["answers"]}
    for path, scheduler in zip(made, found.undecided * 2, strict=True):
        config = lrsched.load(path).config
        assert config["optimizer"]["lr"] == rates[scheduler]


COUNTED: list[int] = []
"""A number for each loss that was asked for, while a test counts."""


@dataclass(frozen=True, kw_only=True)
class Interrupts(Pinball):
    """A signal in the middle of the twentieth loss."""

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        COUNTED.append(1)
        if len(COUNTED) == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return super().loss(model, batch)


@pytest.mark.slow
def test_ctrl_c_is_raised_and_the_same_call_goes_on() -> None:
    words = [*OWN, *GRID, "find.seeds=1", "find.low=1e-3", "find.high=1e-1", "trainer.log_every=1st"]
    given: dict[str, Any] = {"model": net(0), "data": Noisy(), "task": Interrupts(q=0.9)}
    COUNTED.clear()
    with pytest.raises(KeyboardInterrupt, match="name=cut goes on with what is left"):
        lrsched.find([*words, "name=cut"], **given)
    assert not stop_flag().listens
    assert not Path("outputs/cut/find.json").exists()
    cut = lrsched.find([*words, "name=cut"], **given)
    assert len(COUNTED) > 20
    whole = lrsched.find([*words, "name=whole"], **given)
    assert cut.content == whole.content
    assert of_runs("cut") == of_runs("whole")


@pytest.mark.slow
def test_a_run_after_it_is_the_one_without_it() -> None:
    words = [*BASE, "threads=1", "model.dropout=0.5"]
    first = lrsched.run([*words, "name=first"])
    lrsched.find([*BASE, *GRID, "find.seeds=1", "threads=2", "trainer.deterministic=false", "seed=9", "name=found"])
    again = lrsched.run([*words, "name=again"])
    assert again.result["weights_sha256"] == first.result["weights_sha256"]
    assert again.result["fingerprint"] == first.result["fingerprint"]


BAD: dict[str, tuple[Any, Mapping[str, Any], str]] = {
    "one text": ("method=grid", {}, "overrides=method=grid: is one text"),
    "a sweep": (["-m"], {}, "overrides[0]=-m: asks for a sweep, and a finder makes the runs that it needs"),
    "a flag": (["--png=x.png"], {}, "overrides[0]=--png=x.png: is a flag of the command line"),
    "a key of a finder": (["find.lo=1"], {}, "find.lo=1: there is no such key"),
    "several values": (["optimizer=sgd,adamw"], {}, "optimizer: has several values, and only schedules are compared"),
    "a run to go on with": (["resume=outputs/x"], {}, "resume=outputs/x: a finder looks before a run begins"),
    "a model of another kind": ([], {"model": 3}, "model="),
    "a model twice": (["model=mlp"], {"model": nn.Linear(3, 1)}, "model: model= gives the model already"),
    "data twice": (["dataset.samples=9"], {"data": Noisy()}, "dataset.samples: data= gives the data already"),
    "data of no use": ([], {"data": (torch.ones(3), torch.ones(4))}, "data"),
    "a folder that is not there": ([], {"config_dir": "nowhere"}, "config_dir=nowhere: there is no such folder"),
    "a limit of time": (["sweep.timeout=60"], {}, "sweep.timeout=60.0: ends the process of a run"),
    "a run that pauses": (["sweep.until=5"], {}, "sweep.until=5: pauses the runs"),
    "a schedule without a shape": (
        ["method=horizon", "scheduler=plateau", "trainer.steps=300"],
        {},
        "scheduler._target_=",
    ),
    "a short run": (["method=horizon", "trainer.steps=20"], {}, "find.method=horizon: a run of 20 steps has no short"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_mistake_is_raised_in_one_message_and_nothing_is_left(name: str) -> None:
    words, objects, message = BAD[name]
    before = process()
    given = [*BASE, *GRID, "name=bad", *words] if isinstance(words, list) else words
    if name == "a short run" or "shape" in name:
        given = [*BASE, "name=bad", *words]
    if any(word.startswith("-") for word in words):
        given = words
    if "data" in objects:
        given = [*OWN, *GRID, "name=bad", *words]
    with pytest.raises((ConfigError, DataError)) as caught:
        lrsched.find(given, **objects)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert caught.value.exit_code == 2
    assert not Path("outputs").exists()
    assert process() == before


@pytest.mark.slow
def test_a_run_that_fails_is_told_with_its_reason() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Fails(Pinball):
        def loss(self, model: nn.Module, batch: Any) -> Tensor:
            raise RuntimeError("not today")

    with pytest.raises(UserError, match=r"not today|did not finish") as caught:
        lrsched.find([*OWN, *GRID, "name=fails"], model=net(0), data=Noisy(), task=Fails(q=0.9))
    assert not isinstance(caught.value, Incomplete) or caught.value.exit_code == 1


def test_two_at_once_are_refused() -> None:
    with stop_flag().alone(), pytest.raises(UserError, match="a run is under way in this process"):
        lrsched.find([*BASE, *GRID])
