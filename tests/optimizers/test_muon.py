"""Muon: torch's two optimizers as the peers, one optimizer as the behaviour."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import pytest
import torch
from torch.optim import AdamW
from torch.optim import Muon as TorchMuon
from torch.optim.lr_scheduler import StepLR

from lrsched.errors import ConfigError
from lrsched.optimizers import Muon


def shown(optimizer: torch.optim.Optimizer) -> list[tuple[str, str, int]]:
    return [(group["name"], group["rule"], len(group["params"])) for group in optimizer.param_groups]


def test_a_group_of_both_kinds_is_split_and_one_of_one_kind_keeps_its_name(lab) -> None:
    assert shown(Muon(lab.groups(lab.net()))) == [
        ("default", "muon", 1),
        ("default/adamw", "adamw", 1),
        ("no_decay", "adamw", 4),
    ]


def test_equal_to_torchs_own_two_bit_for_bit(lab) -> None:
    ours, theirs = lab.net(), lab.net()
    lab.train(ours, Muon(lab.groups(ours), lr=0.01, weight_decay=0.1).step)

    params = list(theirs.parameters())
    matrices = [p for p in params if p.ndim == 2]
    kernels, vectors = [p for p in params if p.ndim > 2], [p for p in params if p.ndim < 2]
    muon = TorchMuon(matrices, lr=0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    adamw = AdamW([{"params": kernels}, {"params": vectors, "weight_decay": 0.0}], lr=0.01, weight_decay=0.1)
    lab.train(theirs, lambda: (muon.step(), adamw.step()))
    assert lab.same(ours, theirs)


def test_options_reach_the_rule_that_knows_them(lab) -> None:
    optimizer = Muon(lab.groups(lab.net()), momentum=0.8, nesterov=False, ns_steps=3, betas=[0.8, 0.9], eps=1e-5)
    muon, adamw, no_decay = optimizer.param_groups
    assert (muon["momentum"], muon["nesterov"], muon["ns_steps"], muon["eps"]) == (0.8, False, 3, 1e-7)
    assert (adamw["betas"], adamw["eps"]) == ((0.8, 0.9), 1e-5)
    assert "betas" not in muon
    assert "momentum" not in adamw
    assert (adamw["weight_decay"], no_decay["weight_decay"]) == (0.1, 0.0)


def test_a_group_may_have_its_own_values() -> None:
    own = {"lr": 0.5, "momentum": 0.5, "betas": (0.5, 0.6)}
    layer = torch.nn.Linear(3, 2)
    muon, adamw = Muon([{"params": layer.parameters(), **own}]).param_groups
    assert (muon["lr"], muon["momentum"], adamw["lr"], adamw["betas"]) == (0.5, 0.5, 0.5, (0.5, 0.6))
    assert "name" not in muon


def test_one_rate_moves_both(lab) -> None:
    """Under torch's own scheduler; at rate 0 nothing moves, neither by the gradient nor by decay."""
    model = lab.net()
    optimizer = Muon(lab.groups(model), lr=0.25)
    scheduler = StepLR(optimizer, 1, gamma=0.5)
    lab.train(model, optimizer.step, range(1))
    scheduler.step()
    assert [group["lr"] for group in optimizer.param_groups] == [0.125] * 3

    before = copy.deepcopy(model)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    lab.train(model, optimizer.step, range(1))
    assert lab.same(model, before)


def test_a_rate_set_after_loading_moves_both(lab) -> None:
    """Loading brings new group dicts: both rules must work on those."""
    model = lab.net()
    optimizer = Muon(lab.groups(model))
    lab.train(model, optimizer.step, range(1))
    optimizer.load_state_dict(optimizer.state_dict())
    before = copy.deepcopy(model)
    for group in optimizer.param_groups:
        group["lr"] = 0.0
    lab.train(model, optimizer.step, range(1))
    assert lab.same(model, before)


def test_the_state_holds_both_and_the_groups_of_a_run(lab) -> None:
    model = lab.net()
    optimizer = Muon(lab.groups(model))
    lab.train(model, optimizer.step, range(3))
    state: dict[str, Any] = optimizer.state_dict()
    assert [group["params"] for group in state["param_groups"]] == [[0], [1], [2, 3, 4, 5]]
    assert list(state["state"][0]) == ["momentum_buffer"]
    for index in range(1, 6):
        assert list(state["state"][index]) == ["step", "exp_avg", "exp_avg_sq"]
        assert state["state"][index]["step"] == 3


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda pair: pickle.loads(pickle.dumps(pair))])
def test_a_copy_continues_like_the_original(copied: Any, lab) -> None:
    model = lab.net()
    optimizer = Muon(lab.groups(model))
    lab.train(model, optimizer.step, range(3))
    other_model, other = copied((model, optimizer))
    lab.train(model, optimizer.step, range(3, 6))
    lab.train(other_model, other.step, range(3, 6))
    assert lab.same(other_model, model)
    other.add_param_group({"params": [torch.nn.Parameter(torch.ones(2, 2))], "name": "late"})
    assert shown(other)[-1] == ("late", "muon", 1)


def test_a_group_may_be_kept_from_muon(lab) -> None:
    """As for embeddings and the last layer; equal to plain AdamW."""
    ours, theirs = lab.net(), lab.net()
    optimizer = Muon([{"params": ours.parameters(), "name": "default", "rule": "adamw"}], lr=0.01)
    assert shown(optimizer) == [("default", "adamw", 6)]
    lab.train(ours, optimizer.step)
    lab.train(theirs, AdamW(theirs.parameters(), lr=0.01, weight_decay=0.1).step)
    assert lab.same(ours, theirs)


def test_named_parameters_keep_their_names() -> None:
    layer = torch.nn.Linear(3, 2)
    groups = Muon([{"params": list(layer.named_parameters()), "name": "default"}]).param_groups
    assert [group["param_names"] for group in groups] == [["weight"], ["bias"]]


def test_a_closure_is_called_with_gradients_and_its_loss_returned() -> None:
    layer = torch.nn.Linear(3, 2)
    optimizer = Muon(layer.parameters())

    def closure() -> float:
        loss = layer(torch.ones(3)).square().sum()
        loss.backward()
        return loss.item()

    before = layer(torch.ones(3)).square().sum().item()
    assert optimizer.step(closure) == before
    assert layer(torch.ones(3)).square().sum().item() != before


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ([{"name": "a", "rule": "moun"}], "rule=moun: is not the name of a rule; did you mean 'muon'?"),
        ([{"name": "a"}, {"name": "a"}], "name=a: names two parameter groups; give one of them another name"),
    ],
)
def test_what_cannot_be_meant_is_refused(groups: list[dict[str, Any]], message: str) -> None:
    for group in groups:
        group["params"] = [torch.nn.Parameter(torch.ones(2, 2))]
    with pytest.raises(ConfigError) as refused:
        Muon(groups)
    assert str(refused.value) == message


@pytest.mark.parametrize("option", [{"lr": -1.0}, {"momentum": -1.0}, {"adjust_lr_fn": "no"}])
def test_values_out_of_range_are_refused_by_torch(option: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"(?i)learning rate|momentum"):
        Muon(torch.nn.Linear(2, 2).parameters(), **option)


def test_a_torch_without_muon_is_said_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(ConfigError, match=r"needs torch\.optim\.Muon"):
        Muon(torch.nn.Linear(2, 2).parameters())
