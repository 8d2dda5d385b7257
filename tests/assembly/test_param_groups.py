"""Layer-wise decay and parameter groups: who trains with which rate, in the optimizer and in the rows of a run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from lrsched.assembly.param_groups import freeze, layers, parameter_groups
from lrsched.config import schema
from lrsched.config.check import read
from lrsched.config.settings import named_groups
from lrsched.errors import ConfigError
from lrsched.horizon import Horizon
from lrsched.models import MLP, ResNet9, TorchVision
from lrsched.schedules import Cosine
from tests.helpers.cli import TINY


def groups(model: nn.Module, spare: bool = True, **keys: Any) -> dict[str, tuple[Any, Any, int]]:
    """Name of each group -> its rate, its weight decay, and how many parameters it holds."""
    reserved = read(schema.OptimizerConfig, keys, "optimizer")
    named = named_groups(reserved, 1.0)
    made = parameter_groups(model, spare=spare, rate=1.0, layer_decay=reserved.layer_decay, named=named)
    held = [id(p) for group in made for p in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters() if p.requires_grad)  # each once
    return {group["name"]: (group.get("lr"), group.get("weight_decay"), len(group["params"])) for group in made}


def mlp() -> MLP:
    return MLP((1, 4, 4), 3, hidden=(8, 8))  # body.0, body.2, head: weight and bias each


def test_without_keys_there_are_default_and_no_decay() -> None:
    assert groups(mlp()) == {"default": (None, None, 3), "no_decay": (None, 0.0, 3)}
    assert groups(mlp(), spare=False) == {"default": (None, None, 6)}


def test_layers_have_the_rate_of_the_one_above_times_the_decay() -> None:
    assert groups(mlp(), spare=False, layer_decay=0.5) == {
        "layer0": (0.25, None, 2),
        "layer1": (0.5, None, 2),
        "layer2": (1.0, None, 2),
    }
    assert groups(mlp(), layer_decay=0.5) == {
        "layer0": (0.25, None, 1),
        "layer1": (0.5, None, 1),
        "layer2": (1.0, None, 1),
        "layer0/no_decay": (0.25, 0.0, 1),
        "layer1/no_decay": (0.5, 0.0, 1),
        "layer2/no_decay": (1.0, 0.0, 1),
    }


class Wrapper(nn.Module):
    """A model of another library."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network


class Tokens(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.zeros(1, 2))
        self.body = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
        self.head = nn.Linear(2, 1, bias=False)


def test_the_layers_of_a_model_that_wraps_another_are_those_of_that_one() -> None:
    inner = layers(Tokens())
    assert inner == {"token": 0, "body.0.weight": 0, "body.1.weight": 1, "head.weight": 2}
    assert layers(Wrapper(Wrapper(Tokens()))) == {f"network.network.{name}": number for name, number in inner.items()}
    assert layers(Wrapper(nn.Linear(2, 1, bias=False))) == {"network.weight": 0}


@pytest.mark.slow
def test_layers_of_torchvision_have_rates_of_their_own() -> None:
    level = layers(TorchVision((3, 32, 32), 3, name="resnet18"))
    assert (level["network.conv1.weight"], level["network.bn1.weight"], level["network.fc.weight"]) == (0, 0, 9)
    assert {level[f"network.layer{n}.{m}.conv1.weight"] for n in (1, 2, 3, 4) for m in (0, 1)} == set(range(1, 9))


def test_layers_are_the_parts_in_order_and_a_norm_belongs_to_the_layer_before_it() -> None:
    """ResNet-9 has six parts with parameters in its body, two of them residual, and a head."""
    level = layers(ResNet9((3, 8, 8), 10, width=4))
    assert [level[f"body.{i}.0.weight"] for i in (0, 1, 4, 6)] == [0, 1, 3, 4]
    assert level["body.3.branch.0.0.weight"] == level["body.3.branch.1.1.bias"] == 2
    assert level["body.8.branch.1.0.weight"] == 5
    assert level["head.weight"] == 6
    assert set(level) == {name for name, _ in ResNet9((3, 8, 8), 10, width=4).named_parameters()}

    class Transformer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.token = nn.Parameter(torch.zeros(1, 1, 4))
            self.embed = nn.Linear(2, 4)
            self.blocks = nn.ModuleList(nn.TransformerEncoderLayer(4, 1, 4) for _ in range(2))
            self.norm = nn.LayerNorm(4)
            self.head = nn.Linear(4, 2)

    level = layers(Transformer())
    assert level["token"] == level["embed.weight"] == 0
    assert level["blocks.0.norm1.weight"] == 1
    assert level["blocks.1.linear1.weight"] == level["norm.bias"] == 2
    assert level["head.bias"] == 3


def test_a_named_group_has_what_it_says_and_the_rest_of_everybody() -> None:
    keys = {"head": {"params": "head.*", "lr_scale": 10}}
    assert groups(mlp(), groups=keys) == {
        "default": (None, None, 2),
        "head": (10.0, None, 1),
        "no_decay": (None, 0.0, 2),
        "head/no_decay": (10.0, 0.0, 1),
    }
    keys = {"head": {"params": r"head\.weight", "lr": 0.5, "weight_decay": 0.2}, "low": {"params": r"body\.0.*"}}
    assert groups(mlp(), groups=keys)["head"] == (0.5, 0.2, 1)
    assert groups(mlp(), groups=keys)["low/no_decay"] == (None, 0.0, 1)


def test_a_weight_decay_of_its_own_counts_for_biases_too() -> None:
    keys = {"head": {"params": "head.*", "weight_decay": 0.2}}
    assert groups(mlp(), groups=keys)["head"] == (None, 0.2, 2)


def test_a_named_group_keeps_the_rates_of_the_layers_unless_it_has_its_own() -> None:
    keys = {"biases": {"params": r".*\.bias", "weight_decay": 0.0}, "head": {"params": "head.*", "lr": 2.0}}
    assert groups(mlp(), spare=False, layer_decay=0.5, groups=keys) == {
        "layer0": (0.25, None, 1),
        "layer0/biases": (0.25, 0.0, 1),
        "layer1": (0.5, None, 1),
        "layer1/biases": (0.5, 0.0, 1),
        "layer2/biases": (1.0, 0.0, 1),
        "head": (2.0, None, 1),
    }


def test_what_needs_no_gradient_is_in_no_group() -> None:
    model = mlp()
    model.body.requires_grad_(False)
    assert groups(model, layer_decay=0.5) == {"layer2": (1.0, None, 1), "layer2/no_decay": (1.0, 0.0, 1)}
    with pytest.raises(ConfigError, match="model=MLP: has no parameters to train"):
        groups(model.requires_grad_(False))


def test_a_frozen_group_is_in_no_group_of_the_optimizer() -> None:
    keys = {"body": {"params": r"body\.0.*", "freeze": True}, "rest": {"params": ".*"}}
    named = named_groups(read(schema.OptimizerConfig, {"groups": keys}, "optimizer"), 1.0)
    model = mlp()
    for _ in range(2):  # again once the gradient is gone
        made = parameter_groups(model, spare=False, rate=1.0, layer_decay=0.5, named=named)
        assert [(group["name"], group["lr"], len(group["params"])) for group in made] == [
            ("layer1/rest", 0.5, 2),
            ("layer2/rest", 1.0, 2),  # the layers are those of the whole model
        ]
        freeze(model, named)
        assert [name for name, p in model.named_parameters() if not p.requires_grad] == ["body.0.weight", "body.0.bias"]


FROZEN = "+optimizer.groups={body: {params: 'body.*', freeze: true}}"


@pytest.mark.parametrize(
    "case", [[], ["optimizer.weight_decay=0.1", "scheduler=torch/StepLR", "scheduler.step_size=1"]]
)
def test_what_is_frozen_stays_and_the_rest_trains_as_beside_a_rate_of_0(run_cli, case: list[str]) -> None:
    assert run_cli(*TINY, "name=zero", "+optimizer.groups={body: {params: 'body.*', lr: 0.0}}", *case).code == 0
    ended = run_cli(*TINY, "name=frozen", FROZEN, *case)
    assert ended.code == 0, ended.err
    assert ended.result("frozen")["weights_sha256"] == ended.result("zero")["weights_sha256"]
    rates = {key for row in ended.rows("frozen") for key in row if key.startswith("lr/")}
    assert rates == {"lr/default", "lr/no_decay"}
    (last,) = Path("outputs/frozen/checkpoints").glob("step-*12")
    state = torch.load(last / "state.pt", weights_only=True)
    assert sum(len(group["params"]) for group in state["optimizer"]["param_groups"]) == 2  # the head's
    assert len(state["optimizer"]["state"]) == 2


def test_a_run_with_a_frozen_group_is_resumed_and_never_thawed(run_cli) -> None:
    assert run_cli(*TINY, "name=whole", FROZEN, "logger=none").code == 0
    assert run_cli(*TINY, "name=run", FROZEN, "logger=none", "sweep.until=7").code == 0
    allowed = "checkpoint.allow_change=[optimizer.groups]"
    for group in ("{params: 'body.*', freeze: false}", "{params: 'head.*', freeze: true}"):
        change = f"++optimizer.groups={{body: {group}}}"
        refused = run_cli("resume=outputs/run", "sweep.until=null", change, allowed)
        assert refused.code == 2, refused.err
        assert "optimizer.groups: freezes " in refused.err
        assert "start a new run" in refused.err
    ended = run_cli("resume=outputs/run", "sweep.until=null")
    assert ended.code == 0, ended.err
    assert ended.result("run")["weights_sha256"] == ended.result("whole")["weights_sha256"]
    assert Path("outputs/run/metrics.jsonl").read_bytes() == Path("outputs/whole/metrics.jsonl").read_bytes()


MISTAKES = [
    ({"layer_decay": 0}, "optimizer.layer_decay=0: must be a number in (0, 1]"),
    ({"layer_decay": 1.5}, "optimizer.layer_decay=1.5: must be a number in (0, 1]"),
    ({"groups": {"head": {"lr": 1}}}, "optimizer.groups.head.params: says which parameters are meant"),
    ({"groups": {"head": "head.*"}}, "optimizer.groups.head=head.*: must be a mapping"),
    (
        {"groups": {"head": {"params": "head.*", "momentum": 0}}},
        "optimizer.groups.head.momentum=0: there is no such key",
    ),
    ({"groups": {"no_decay": {"params": ".*"}}}, "optimizer.groups.no_decay: a name is a letter"),
    ({"groups": {"layer3": {"params": ".*"}}}, "optimizer.groups.layer3: a name is a letter"),
    ({"groups": {"head": {"params": "head.*", "lr": -1}}}, "optimizer.groups.head.lr=-1: must be at least 0"),
    (
        {"groups": {"head": {"params": "head.*", "lr": 1, "lr_scale": 2}}},
        "optimizer.groups.head.lr_scale=2: the group has a rate of its own",
    ),
    ({"groups": {"head": {"params": "(head"}}}, "optimizer.groups.head.params=(head: is no regular expression"),
    (
        {"groups": {"head": {"params": "head"}}},
        "optimizer.groups.head.params=head: matches the whole name of no parameter",
    ),
    (
        {"groups": {"all": {"params": ".*"}, "head": {"params": "head.*"}}},
        "optimizer.groups.head.params=head.*: an earlier group has all that it matches",
    ),
]


@pytest.mark.parametrize(("keys", "message"), MISTAKES, ids=[message.split(":")[0] for _, message in MISTAKES])
def test_mistakes(keys: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        groups(mlp(), **keys)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("keys", [{"layer_decay": 0.5}, {"groups": {"head": {"params": "head.*", "lr_scale": 2}}}])
def test_a_multiple_needs_a_rate_to_multiply(keys: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=r"optimizer.lr=null: optimizer\..* scales it"):
        named_groups(read(schema.OptimizerConfig, keys, "optimizer"), None)


# --- in a run ---------------------------------------------------------------------------------------


def test_the_rows_of_a_run_show_each_layers_rate(run_cli) -> None:
    ended = run_cli(
        *TINY,
        "name=run",
        "model.hidden=[8,8]",
        "trainer.log_every=1st",
        "optimizer.layer_decay=0.5",
        "+optimizer.groups={head: {params: head.*, lr_scale: 4}}",
    )
    assert ended.code == 0, ended.err
    rows = [row for row in ended.rows() if "train/loss" in row]
    table = Cosine().table(Horizon(len(rows)), 0.1)["lr"]
    names = {"layer0": 0.25, "layer0/no_decay": 0.25, "layer1": 0.5, "layer1/no_decay": 0.5}
    ratios = names | {"head": 4.0, "head/no_decay": 4.0}
    assert {key for key in rows[0] if key.startswith("lr/")} == {f"lr/{name}" for name in ratios}
    for row in rows:  # powers of two: exact
        assert {name: row[f"lr/{name}"] for name in ratios} == {
            name: table[row["step"]] * ratio for name, ratio in ratios.items()
        }


def test_a_schedule_moves_the_weight_decay_too(run_cli) -> None:
    ended = run_cli(*TINY, "name=run", "trainer.log_every=1st", "+scheduler.also={weight_decay: same}")
    assert ended.code == 0, ended.err
    rows = [row for row in ended.rows() if "train/loss" in row]
    table = Cosine().table(Horizon(len(rows)), 5e-4)["lr"]
    assert [row["weight_decay/default"] for row in rows] == table.tolist()
    assert {row["weight_decay/no_decay"] for row in rows} == {0.0}


def test_a_group_that_no_parameter_belongs_to_leaves_nothing_behind(run_cli) -> None:
    ended = run_cli(*TINY, "name=run", "+optimizer.groups={haed: {params: haed.*}}")
    assert ended.code == 2
    assert "optimizer.groups.haed.params=haed.*: matches the whole name of no parameter" in ended.err
    assert not (ended.cwd / "outputs").exists()


def test_a_run_with_groups_resumes_exactly(run_cli) -> None:
    """The base values are the config's, whatever the optimizer's state brought back."""
    keys = (*TINY, "optimizer.layer_decay=0.5", "+scheduler.also={momentum: same}", "trainer.log_every=1st")
    whole = run_cli(*keys, "name=whole")
    assert whole.code == 0, whole.err
    part = run_cli(*keys, "name=part", "checkpoint.every=5st", "checkpoint.keep=9")
    assert part.code == 0, part.err
    folder = part.cwd / "outputs" / "part"
    (folder / "result.json").unlink()
    for checkpoint in sorted((folder / "checkpoints").iterdir()):
        if checkpoint.name > "step-0000000005":
            for file in checkpoint.iterdir():
                file.unlink()
            checkpoint.rmdir()
    again = run_cli("resume=outputs/part", "trainer.progress=false")
    assert again.code == 0, again.err
    assert (folder / "metrics.jsonl").read_bytes() == (whole.cwd / "outputs/whole/metrics.jsonl").read_bytes()
    assert again.result("part")["weights_sha256"] == whole.result("whole")["weights_sha256"]
