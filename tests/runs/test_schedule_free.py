"""Schedule-Free optimizers: the authors' updates, x in all that is seen, the same to the last bit after a cut."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

import lrsched
from lrsched.assembly.parts import Parts, assemble
from lrsched.checkpoint.store import Store, load
from lrsched.compose.nodes import plain
from lrsched.config.settings import settings
from lrsched.errors import NotFinite
from lrsched.python.undisturbed import undisturbed
from lrsched.python.words import config_of
from lrsched.records import RunFolder
from lrsched.train.averaging import renew
from lrsched.train.state import weights_sha256
from tests.helpers.cases import CNN
from tests.helpers.cli import TINY, Ended
from tests.helpers.compare_runs import differences

schedulefree = pytest.importorskip("schedulefree", reason="no schedulefree: pip install 'hydra-lrsched[schedulefree]'")

ADAMW = ("optimizer=schedulefree/adamw", "optimizer.lr=0.01", "optimizer.weight_decay=0.01")
SGD = ("optimizer=schedulefree/sgd", "optimizer.lr=0.5", "optimizer.weight_decay=0.001")
KINDS = {"adamw": ADAMW, "sgd": SGD}
STEADY = ("scheduler=constant", "scheduler.warmup=3st")
WORDS = (
    *TINY,
    *STEADY,
    *CNN,
    "trainer.log_every=1st",
    "trainer.evaluate_every=4st",
    "logger=[csv]",
)
BARE = (*TINY, "model=mlp", "trainer.steps=50", "scheduler=constant", "scheduler.warmup=10st", "logger=none")


@cache
def config(words: Sequence[str]) -> dict[str, Any]:
    return plain(config_of([*words, "name=x"], {}, None))


def parts_of(*words: str) -> Parts:
    with undisturbed():
        return assemble(settings(config(words)), torch.device("cpu"))


def folder(ended: Ended, name: str = "run") -> RunFolder:
    return RunFolder(ended.cwd / "outputs" / name)


def authors(kind: str, parts: Parts, model: torch.nn.Module) -> Any:
    """Their optimizer, with their own warm-up, on the groups of the run."""
    names = {id(p): name for name, p in parts.state.model.named_parameters()}
    held = [([names[id(p)] for p in g["params"]], g["weight_decay"]) for g in parts.state.optimizer.param_groups]
    groups = [{"params": [model.get_parameter(n) for n in ns], "weight_decay": decay} for ns, decay in held]
    if kind == "adamw":
        return schedulefree.AdamWScheduleFree(groups, lr=0.01, warmup_steps=10)
    return schedulefree.SGDScheduleFree(groups, lr=0.5, warmup_steps=10)


@pytest.mark.parametrize("kind", KINDS)
def test_fifty_updates_are_the_authors_to_the_last_bit(kind: str) -> None:
    """Weights y and z, and x at the end: in between the run is at rest at x fifty times, and the bare loop never."""
    parts = parts_of(*BARE, *KINDS[kind])
    theirs = deepcopy(parts.state.model)
    bare = authors(kind, parts, theirs)
    bare.train()
    for s in range(50):
        bare.zero_grad()
        (batch,) = parts.loader.batch(s)
        parts.task.loss(theirs, batch).backward()
        bare.step()
        parts.update(parts.state)
    ours, state = parts.state.model, parts.state.optimizer.state
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(state[one]["y"], other)
        assert torch.equal(state[one]["z"], bare.state[other]["z"])
        assert not torch.equal(state[one]["y"], one)
    bare.eval()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.equal(one, other)
    assert parts.state.optimizer.param_groups[0]["weight_sum"] == bare.param_groups[0]["weight_sum"]


def test_what_is_not_finite_leaves_the_weights_at_rest() -> None:
    parts = parts_of(*BARE, *ADAMW)
    for _ in range(3):
        parts.update(parts.state)
    before = deepcopy(parts.state.model.state_dict())
    kept = deepcopy(parts.state.optimizer.state_dict())
    found = parts.loader.batch
    loader: Any = parts.loader
    loader.batch = lambda step: [(x * math.nan, y) for x, y in found(step)]
    with pytest.raises(NotFinite):
        parts.update(parts.state)
    assert all(torch.equal(tensor, before[name]) for name, tensor in parts.state.model.state_dict().items())
    now = parts.state.optimizer.state_dict()
    assert all(torch.equal(now["state"][i]["y"], held["y"]) for i, held in kept["state"].items())
    loader.batch = found
    straight = parts_of(*BARE, *ADAMW)
    for _ in range(5):
        straight.update(straight.state)
    while parts.state.step < 5:
        parts.update(parts.state)
    assert weights_sha256(parts.state.model) == weights_sha256(straight.state.model)


@pytest.mark.parametrize("kind", [pytest.param("sgd", marks=pytest.mark.slow), "adamw"])
def test_a_run_cut_twice_is_the_undisturbed_one(run_cli, kind: str) -> None:
    words = (*WORDS, *KINDS[kind])
    ended = run_cli(*words, "name=whole")
    assert ended.code == 0, ended.err
    assert run_cli(*words, "name=cut", "sweep.until=5").code == 0
    for until in ("7", "null"):
        ended = run_cli("resume=outputs/cut", f"sweep.until={until}")
        assert ended.code == 0, ended.err
    assert differences(folder(ended, "whole"), folder(ended, "cut")) == []


@pytest.mark.slow
def test_how_often_it_is_saved_changes_nothing(run_cli) -> None:
    for name, every in (("often", "1st"), ("seldom", "100%")):
        ended = run_cli(*WORDS, *ADAMW, f"name={name}", f"checkpoint.every={every}")
        assert ended.code == 0, ended.err
    often, seldom = (ended.result(name) for name in ("often", "seldom"))
    assert often["weights_sha256"] == seldom["weights_sha256"]
    assert often["metrics"] == seldom["metrics"]


def test_the_weights_that_are_loaded_are_those_that_were_evaluated(run_cli) -> None:
    """x, with the statistics of batch norm at x, after a checkpoint between two evaluations too."""
    words = (*WORDS, *ADAMW, "checkpoint.every=1st", "checkpoint.keep=99")
    ended = run_cli(*words, "name=run")
    assert ended.code == 0, ended.err
    run = lrsched.load(ended.cwd / "outputs" / "run")
    assert weights_sha256(run.model()) == run.result["weights_sha256"]
    for part in ("val", "test"):
        found = run.evaluate(part)
        assert found == {name: run.result["metrics"][name] for name in found}
    assert run.evaluate("val", "best")["val/loss"] == run.result["best"]["val/loss"]

    ended = run_cli(*words, "name=part", "sweep.until=10", "trainer.evaluate_every=12st")
    assert ended.code == 0, ended.err
    part = lrsched.load(ended.cwd / "outputs" / "part")
    saved = load(Store(folder(ended, "part").checkpoints).newest()[0])["model"]
    loaded = part.model().state_dict()
    assert {name for name in saved if not torch.equal(saved[name], loaded[name])} == {
        f"body.{block}.1.{name}" for block in (0, 1) for name in ("running_mean", "running_var", "num_batches_tracked")
    }


def test_batch_norm_has_the_statistics_of_the_weights_that_are_evaluated(run_cli) -> None:
    ended = run_cli(*WORDS, *ADAMW, "name=run")
    assert ended.code == 0, ended.err
    model: Any = lrsched.load(ended.cwd / "outputs" / "run").model()
    saved = load(Store(folder(ended).checkpoints).newest()[0])["model"]
    parts = parts_of(*WORDS, *ADAMW)
    assert parts.renewing is not None
    model.load_state_dict(saved)
    renew(model, parts.renewing, parts.task, parts.precision)
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, saved[name]), name
    first = model.body[0][0]  # by hand: the mean of the first convolution's output over the training samples, at x
    images = torch.cat([x for x, *_ in parts.renewing])
    assert torch.allclose(first(images).mean((0, 2, 3)), saved["body.0.1.running_mean"], atol=1e-5)


@pytest.mark.slow
def test_runs_that_share_their_first_steps_are_those_that_do_not(run_cli) -> None:
    words = (*WORDS, *ADAMW, "trainer.steps=24,36", "trainer.evaluate_every=6st")
    assert run_cli(*words, "name=apart", "sweep.share=false", "-m").code == 0
    shared = run_cli(*words, "name=shared", "-m")
    assert shared.code == 0, shared.err
    record = json.loads((shared.cwd / "outputs" / "shared" / "sweep.json").read_text("utf-8"))
    assert record["steps_trained"] < record["steps_asked"] == 60
    for job in record["jobs"]:
        apart = folder(shared, f"apart/{job['run_id']}")
        assert differences(apart, folder(shared, f"shared/{job['run_id']}")) == []


@pytest.mark.slow
def test_the_finder_takes_it(run_cli) -> None:
    words = (*BARE[:-3], *ADAMW, "scheduler=constant", "logger=none", "method=range", "find.steps=40", "name=f")
    ended = run_cli(*words, command="find")
    assert ended.code == 0, ended.err


BAD: dict[str, tuple[tuple[str, ...], str, str]] = {
    "cosine": (("scheduler=cosine",), "scheduler=Cosine: lets the rate fall, and AdamWSch", "take scheduler=constant"),
    "wsd": (("scheduler=wsd",), "scheduler=WSD: lets the rate fall", "scheduler.warmup=5%"),
    "plateau": (("scheduler=plateau",), "scheduler=Plateau: may let the rate fall", "take scheduler=constant"),
    "torch": (("scheduler=torch/StepLR",), "scheduler=StepLR: may let the rate fall", "take scheduler=constant"),
    "a group": (
        (*STEADY, "+scheduler.groups.no_decay={_target_: lrsched.schedules.Linear}"),
        "scheduler=Constant: lets the rate fall",
        "take scheduler=constant",
    ),
    "momentum moves": (
        (*STEADY, "+scheduler.also.beta1={_target_: lrsched.schedules.Linear}"),
        "scheduler=Constant: moves beta",
        "take scheduler=constant",
    ),
    "an average": ((*STEADY, "average=ema"), "average=Ema: averages weights that AdamWSch", "average=none"),
    "no x": ((*STEADY, "optimizer.betas=[0.0,0.999]"), "optimizer.betas=[0.0,0.999]: must be above 0", "0.9 is usual"),
    "no z": ((*STEADY, "optimizer.betas=[1.0,0.999]"), "optimizer.betas=[1.0,0.999]: ", ""),
    "no momentum": (
        (*SGD, *STEADY, "optimizer.momentum=0"),
        "optimizer.momentum=0",
        "0.9 is usual",
    ),
    "their warm-up": (
        (*STEADY, "+optimizer.warmup_steps=10"),
        "optimizer.warmup_steps=10: is a warm-up that no preview",
        "give scheduler.warmup=10st",
    ),
    "no statistics": (
        (*STEADY, "dataset.eval_batch_size=1"),
        "dataset.eval_batch_size=1: gives batch norm no statistics",
        "give another size",
    ),
    "a misspelt argument": ((*STEADY, "+optimizer.momentm=0.9"), "optimizer.momentm=0.9: ", "takes no such argument"),
    "snapshots of a cycle": (
        ("scheduler=snapshot",),
        "scheduler=Snapshot: lets the rate fall",
        "take scheduler=constant",
    ),
    "snapshots": (
        (*STEADY, "checkpoint.snapshots=2"),
        "checkpoint.snapshots=2: are taken where the rate has fallen, and Constant never falls",
        "checkpoint.snapshots=0",
    ),
    "a negative rate": ((*STEADY, "optimizer.lr=-1"), "optimizer.lr=-1", "at least 0"),
    "another class": (
        (*STEADY, "optimizer._target_=schedulefree.AdamWScheduleFee"),
        "optimizer._target_=schedulefree.AdamWScheduleFee: there is no AdamWScheduleFee",
        "AdamWScheduleFree",
    ),
}
ASKED = [*((kind, "train") for kind in BAD), *((kind, "preview") for kind in ("cosine", "plateau", "momentum moves"))]


@pytest.mark.parametrize(("kind", "command"), ASKED)
def test_bad_input_is_one_message(run_cli, kind: str, command: str) -> None:
    words, message, remedy = BAD[kind]
    base = [word for word in WORDS if word not in STEADY]
    ended = run_cli(*base, *ADAMW, *words, "name=run", command=command)
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert remedy in ended.err
    assert "Traceback" not in ended.err
    assert not (ended.cwd / "outputs").exists()


def test_without_the_package_its_extra_is_named(run_cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "schedulefree", None)
    ended = run_cli(*WORDS, *ADAMW, "name=run")
    assert ended.code == 2
    assert "there is no module schedulefree; pip install 'hydra-lrsched[schedulefree]'" in ended.err
    assert not (ended.cwd / "outputs").exists()


def test_what_the_average_is_made_of_stays_as_it_was(run_cli) -> None:
    assert run_cli(*WORDS, *ADAMW, "name=run", "sweep.until=5").code == 0
    before = (Path("outputs/run") / "config.yaml").read_bytes()
    allow = "checkpoint.allow_change=[optimizer.betas,optimizer.lr]"
    ended = run_cli("resume=outputs/run", "optimizer.betas=[0.8,0.999]", allow)
    assert ended.code == 2, ended.err
    assert "optimizer.betas=[0.8,0.999]: changes what the average of the weights is made of" in ended.err
    assert (Path("outputs/run") / "config.yaml").read_bytes() == before
    ended = run_cli("resume=outputs/run", "optimizer.lr=0.02", allow, "sweep.until=null")
    assert ended.code == 0, ended.err
