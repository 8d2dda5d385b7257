"""AdamC: weights before a norm decay by lr²/lr_max·λ, to the bit; all others as ever."""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import lrsched
from lrsched.assembly.kinds import OpenLoopSpec
from lrsched.assembly.param_groups import CORRECTED
from lrsched.assembly.parts import Parts, assemble
from lrsched.assembly.scheduler import build_scheduler
from lrsched.compose.nodes import plain
from lrsched.config.settings import component, settings
from lrsched.config.targets import SCHEDULER
from lrsched.errors import UserError
from lrsched.horizon import Horizon
from lrsched.python.undisturbed import undisturbed
from lrsched.python.words import config_of
from lrsched.records import RunFolder
from lrsched.schedules import Linear
from tests.helpers.cli import TINY
from tests.helpers.compare_runs import differences

CNN = (*TINY, "model=cnn", "model.channels=[4,4]", "model.hidden=8", "model.dropout=0", "logger=none", "threads=1")
ADAMC = (*CNN, "optimizer=adamc", "scheduler=linear", "optimizer.lr=0.004", "optimizer.weight_decay=0.25")


@cache
def config(words: Sequence[str]) -> dict[str, Any]:
    return plain(config_of([*words, "name=x"], {}, None))


def parts_of(words: Sequence[str]) -> Parts:
    with undisturbed():
        return assemble(settings(config(tuple(words))), torch.device("cpu"))


def named(parts: Parts, group: str) -> dict[str, torch.Tensor]:
    """The parameters of a group."""
    held = next(g["params"] for g in parts.state.optimizer.param_groups if g["name"] == group)
    return {n: p for n, p in parts.state.model.named_parameters() if any(p is q for q in held)}


def test_the_groups_are_those_that_the_model_names() -> None:
    parts = parts_of(ADAMC)
    assert set(named(parts, "normalised")) == {"body.0.0.weight", "body.1.0.weight"}
    assert set(named(parts, "default")) == {"head.0.weight", "head.3.weight"}
    assert [g.get(CORRECTED, False) for g in parts.state.optimizer.param_groups] == [True, False, False]


def test_the_decay_is_the_papers_to_the_bit() -> None:
    """Without gradients a weight of float32 is multiplied by 1 − lr_t·(λ·lr_t/lr_max), another one by 1 − lr_t·λ."""
    parts = parts_of(ADAMC)
    state, steps = parts.state, parts.horizon.steps
    multiples = Linear().plan(Horizon(steps)).table()
    wanted = {name: p.detach().clone() for name, p in state.model.named_parameters()}
    for s in range(steps):
        state.scheduler.set(s)
        for p in state.model.parameters():
            p.grad = torch.zeros_like(p)
        state.optimizer.step()
        m = multiples[s]
        rate = 0.004 * m
        assert rate * (0.25 * m) == pytest.approx(rate**2 / 0.004 * 0.25, rel=1e-15)
        for name in named(parts, "normalised"):
            wanted[name].mul_(1 - rate * (0.25 * m))
        for name in named(parts, "default"):
            wanted[name].mul_(1 - rate * 0.25)
        for name, p in state.model.named_parameters():
            assert torch.equal(p, wanted[name]), (s, name)
    assert not torch.equal(wanted["body.0.0.weight"], parts_of(ADAMC).state.model.get_parameter("body.0.0.weight"))


def test_a_run_is_a_bare_loop_that_sets_the_decay_by_hand() -> None:
    parts = parts_of(ADAMC)
    ours = parts.state.model
    theirs = deepcopy(ours)
    held = [[theirs.get_parameter(name) for name in named(parts, g)] for g in ("normalised", "default", "no_decay")]
    bare = torch.optim.AdamW([{"params": params} for params in held], lr=0.004, weight_decay=0.25)
    bare.param_groups[2]["weight_decay"] = 0.0
    for s, m in enumerate(Linear().plan(Horizon(parts.horizon.steps)).table()):
        for group in bare.param_groups:
            group["lr"] = 0.004 * m
        bare.param_groups[0]["weight_decay"] = 0.25 * m
        bare.zero_grad()
        (batch,) = parts.loader.batch(s)
        parts.task.loss(theirs, batch).backward()
        bare.step()
        parts.update(parts.state)
        for (name, one), other in zip(ours.named_parameters(), theirs.parameters(), strict=True):
            assert torch.equal(one, other), (s, name)


def test_others_decay_as_they_did() -> None:
    """With every decay but the normalised ones' 0, AdamC is AdamW with no decay, for all but these."""
    words = (*ADAMC, "+optimizer.groups={head: {params: head.*, lr: 0.01, weight_decay: 0.5}}")
    groups = {g["name"]: g for g in parts_of(words).state.optimizer.param_groups}
    assert {name: g["weight_decay"] for name, g in groups.items()} == {"normalised": 0.25, "head": 0.5, "no_decay": 0.0}
    assert groups["head"]["lr"] == 0.01
    corrected = (*words[:-1], "+optimizer.groups={body: {params: body.*, lr_scale: 2, weight_decay: 0.5}}")
    parts = parts_of(corrected)
    parts.state.scheduler.set(parts.horizon.steps // 2)
    groups = {g["name"]: (g["lr"], g["weight_decay"]) for g in parts.state.optimizer.param_groups}
    assert groups == {
        "body/normalised": (0.004, 0.25),
        "body": (0.004, 0.5),
        "default": (0.002, 0.25),
        "no_decay": (0.002, 0.0),
    }


def norms_of(corrected: bool, steps: int = 2000) -> tuple[np.ndarray, np.ndarray]:
    """The rates and ‖g‖/‖w‖ of a layer before a norm: its gradient is noise across w, of length 1/‖w‖."""
    groups = [{"params": [nn.Parameter(torch.ones(300))], "name": "normalised", CORRECTED: corrected}]
    torch.manual_seed(0)
    optimizer = torch.optim.SGD(groups, lr=0.5, weight_decay=0.1)
    node = component(SCHEDULER, {"_target_": "lrsched.schedules.Linear", "final": 0.2}, "scheduler")
    scheduler = build_scheduler(OpenLoopSpec(node), optimizer, Horizon(steps), 1)
    (w,) = optimizer.param_groups[0]["params"]
    rates, ratios = np.empty(steps), np.empty(steps)
    with torch.no_grad():
        for s in range(steps):
            scheduler.set(s)
            noise = torch.randn(300)
            length = float(w.norm())
            w.grad = (noise - w * float(noise @ w) / length**2) / length
            rates[s], ratios[s] = optimizer.param_groups[0]["lr"], float(w.grad.norm()) / length
            optimizer.step()
    return rates, ratios


@pytest.mark.parametrize("corrected", [True, False])
def test_the_steady_state_of_a_layer_before_a_norm(corrected: bool) -> None:
    """‖g‖/‖w‖ = √(2λ_t/lr_t): flat with the correction, rising as 1/√lr without; within 4 %, in means over 100 steps.

    λ·lr is .05 to .01: the length follows within 25 steps, in which the rate changes by a twentieth of its last value;
    what the formula leaves out, λ²/(2λ/lr), is at most 2.5 % of the square.
    """
    rates, ratios = (column.reshape(20, 100).mean(1) for column in norms_of(corrected))
    wanted = np.sqrt(2 * 0.1 / (0.5 if corrected else rates))
    assert np.abs(ratios[1:] / np.broadcast_to(wanted, 20)[1:] - 1).max() < 0.04
    assert ratios[-1] / ratios[1] == pytest.approx(1.0 if corrected else math.sqrt(rates[1] / rates[-1]), rel=0.04)
    assert math.sqrt(rates[1] / rates[-1]) > 2


@pytest.mark.slow
def test_a_run_cut_twice_is_the_undisturbed_one(run_cli) -> None:
    words = (*ADAMC, "trainer.log_every=1st")
    assert run_cli(*words, "name=whole").code == 0
    assert run_cli(*words, "name=cut", "sweep.until=5").code == 0
    for until in ("7", "null"):
        ended = run_cli("resume=outputs/cut", f"sweep.until={until}")
        assert ended.code == 0, ended.err
    whole, cut = (RunFolder(Path("outputs") / name) for name in ("whole", "cut"))
    assert differences(whole, cut) == []
    rows = [row for row in ended.rows("cut") if "train/loss" in row]
    table = Linear().table(Horizon(len(rows)), 0.25)["lr"].tolist()
    assert [row["weight_decay/normalised"] for row in rows] == table
    assert {row["weight_decay/default"] for row in rows} == {0.25}


def test_a_preview_draws_it(run_cli) -> None:
    shown = run_cli(*ADAMC, "--csv", "f.csv", command="preview")
    assert shown.code == 0, shown.err
    assert "weight_decay/normalised" in (shown.cwd / "f.csv").read_text("utf-8").splitlines()[0]


@pytest.mark.slow
def test_an_expression_names_them_in_a_model_of_others() -> None:
    """torchvision's ResNet-18: every convolution, and not its head."""
    expression = r"network\.(.*\.)?(conv\d|downsample\.0)\.weight"
    words = (
        *TINY,
        "dataset.size=32",
        "model=torchvision",
        "optimizer=muon",
        f"optimizer.corrected_decay='{expression}'",
    )
    parts = parts_of(words)
    found = {g["name"] for g in parts.state.optimizer.param_groups if g.get(CORRECTED)}
    convolutions = {f"{n}.weight" for n, m in parts.state.model.named_modules() if isinstance(m, nn.Conv2d)}
    assert found == {"normalised"}
    assert set(named(parts, "normalised")) == convolutions


class Normed(nn.Module):
    """A user's model, which knows."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.norm, self.head = nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 3)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(self.norm(self.body(x)).relu())

    def before_norm(self) -> list[str]:
        return ["body.weight"]


class Mistaken(Normed):
    def before_norm(self) -> list[str]:
        return ["body.wieght"]


DATA = (torch.randn(60, 4, generator=torch.Generator().manual_seed(0)), torch.arange(60) % 3)
QUICK = (
    "optimizer=adamc",
    "trainer.steps=3",
    "trainer.log_every=1st",
    "logger=none",
    "trainer.progress=false",
    "threads=1",
)


def test_a_users_model_may_name_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = lrsched.run([*QUICK, "name=run"], model=Normed(), data=DATA)
    assert "weight_decay/normalised" in run.rows


def test_a_users_model_that_names_a_stranger_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        UserError, match=r"before_norm\(\) names body.wieght, which is none of .* 'body.weight'"
    ) as caught:
        lrsched.run([*QUICK, "name=run"], model=Mistaken(), data=DATA)
    assert caught.value.exit_code == 2
    assert not Path("outputs").exists()


BAD: dict[str, tuple[tuple[str, ...], str, str]] = {
    "nothing matches": (
        ("optimizer.corrected_decay=bdy.*",),
        "optimizer.corrected_decay=bdy.*: matches the whole name of no parameter",
        "body.0.0.weight",
    ),
    "no expression": (
        ("optimizer.corrected_decay='a('",),
        "optimizer.corrected_decay=a(: is no regular expression",
        "",
    ),
    "not a text": (("optimizer.corrected_decay=3",), "optimizer.corrected_decay=3: ", ""),
    "a misspelt key": (("optimizer.corected_decay=auto",), "optimizer.corected_decay", "corrected_decay"),
    "biases": (
        ("optimizer.corrected_decay=.*bias",),
        "optimizer.corrected_decay=.*bias: names only what does not decay",
        "name the weights of layers",
    ),
    "frozen": (
        ("+optimizer.groups={body: {params: body.*, freeze: true}}", "optimizer.corrected_decay=body.*"),
        "optimizer.corrected_decay=body.*: names only what does not decay",
        "groups that are frozen",
    ),
    "claimed": (
        ("+optimizer.groups={normalised: {params: head.*}}",),
        "optimizer.groups.normalised: optimizer.corrected_decay=auto makes a group of this name",
        "give it another name",
    ),
    "no decay": (
        ("optimizer.weight_decay=0",),
        "optimizer.corrected_decay=auto: there is no weight decay to correct",
        "optimizer.weight_decay=0.1",
    ),
    "two curves": (
        ("+scheduler.also.weight_decay={_target_: lrsched.schedules.Cosine}",),
        "scheduler.also.weight_decay: moves the weight decay of the group normalised already",
        "leave one of the two out",
    ),
    "no norms": (("model=mlp",), "optimizer.corrected_decay=auto: MLP names no weights before a norm", "expression"),
    "norms switched off": (("model.batch_norm=false",), "optimizer.corrected_decay=auto: CNN names no", "expression"),
    "adam": (
        ("optimizer=adam", "optimizer.corrected_decay=auto", "optimizer.weight_decay=0.1"),
        "optimizer.corrected_decay=auto: wants a decay that acts on the weights themselves, and Adam's",
        "take optimizer=adamc",
    ),
    "rmsprop": (
        ("optimizer=rmsprop", "optimizer.corrected_decay=auto", "optimizer.weight_decay=0.1"),
        "optimizer.corrected_decay=auto: wants a decay that acts on the weights themselves, and RMSprop's",
        "take optimizer=adamc",
    ),
    "a closed loop": (
        ("scheduler=plateau",),
        "optimizer.corrected_decay: is for schedules of ours",
        "scheduler=cosine",
    ),
    "pytorch's": (
        ("scheduler=torch/CosineAnnealingLR",),
        "optimizer.corrected_decay: is for schedules of ours, and CosineAnnealingLR",
        "scheduler=cosine",
    ),
}


ASKED = [*((kind, "train") for kind in BAD), ("frozen", "preview"), ("adam", "preview")]


@pytest.mark.parametrize(("kind", "command"), ASKED)
def test_bad_input_is_one_message(run_cli, kind: str, command: str) -> None:
    words, message, remedy = BAD[kind]
    scheduler = [] if any(w.startswith("scheduler=") for w in words) else ["scheduler=linear"]
    base = [w for w in ADAMC if not w.startswith("scheduler=")]
    if any(w.startswith("model=") for w in words):
        base = [w for w in base if not w.startswith("model")]
    ended = run_cli(*base, *scheduler, *words, "name=run", command=command)
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert remedy in ended.err
    assert "Traceback" not in ended.err
    assert not (ended.cwd / "outputs").exists()


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "muon", "sgd", "adafactor"])
def test_decays_that_act_on_the_weights_can_be_corrected(optimizer: str) -> None:
    parts = parts_of((*CNN, f"optimizer={optimizer}", "optimizer.corrected_decay=auto", "optimizer.weight_decay=0.1"))
    assert any(g.get(CORRECTED) for g in parts.state.optimizer.param_groups)
