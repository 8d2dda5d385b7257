"""``lrsched preview`` where parameter groups depend on the model: all of them are drawn, as a run trains them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from lrsched.assembly.stand_in import stand_in
from lrsched.config.settings import component
from lrsched.config.targets import MODEL
from lrsched.errors import ConfigError
from tests.cli.test_preview import foreseen, same, trained
from tests.helpers.cli import TINY

LAYERS = ["optimizer.layer_decay=0.5"]
NAMED = ["+optimizer.groups={body: {params: 'body.*', lr: 0.0}, head: {params: 'head.*', lr_scale: 0.5}}"]
SOME = ["+optimizer.groups={head: {params: 'head.*', lr_scale: 10}}", "optimizer.weight_decay=0.1"]
OWN = ["+scheduler.groups={no_decay: {_target_: lrsched.schedules.Constant}}", "optimizer.weight_decay=0.1"]
HALF = "{length:50%,schedule:{_target_:lrsched.schedules.Constant}}"
PLATEAU = "{length:rest,schedule:{_target_:lrsched.schedulers.Plateau,patience:0}}"
SCHEDULERS = {
    "cosine": ["scheduler=cosine"],
    "onecycle": ["scheduler=onecycle"],
    "steplr": ["scheduler=torch/StepLR", "scheduler.step_size=1"],
    "cosinelr": ["scheduler=torch/CosineAnnealingLR", "scheduler.interval=step"],
    "plateaulr": ["scheduler=torch/ReduceLROnPlateau"],
    "plateau": ["scheduler=plateau"],
    "greedy": ["scheduler=greedy"],
    "handover": ["scheduler=sequence", f"scheduler.parts=[{HALF},{PLATEAU}]"],
}
GROUPS = {"layers": LAYERS, "named": NAMED, "some": SOME}


QUICK = {"cosine": "layers", "onecycle": "named", "cosinelr": "some", "plateaulr": "layers", "plateau": "named"}
"""For each kind of scheduler, one kind of groups; the others belong to the long tier."""
EACH = [
    pytest.param(name, groups, marks=() if QUICK.get(name, "some") == groups else pytest.mark.slow)
    for name in SCHEDULERS
    for groups in GROUPS
]


@pytest.mark.parametrize(("name", "groups"), EACH)
def test_every_group_is_drawn_as_it_is_trained(run_cli, name: str, groups: str) -> None:
    """With no group called default, what is live was a KeyError, and a schedule of ours was drawn for one group."""
    case = [*TINY, *SCHEDULERS[name], *GROUPS[groups]]
    preview, rows = foreseen(run_cli, *case), trained(run_cli, *case)
    same(preview, rows)
    assert [key for key in preview if "/" in key] == [key for key in rows[0] if key.startswith(("lr/", "momentum/"))]


def test_groups_of_the_schedule_are_drawn(run_cli) -> None:
    preview = foreseen(run_cli, *TINY, "scheduler=cosine", *OWN)
    assert list(preview) == ["step", "epoch", "lr/default", "lr/no_decay"]
    assert preview["lr/no_decay"] == ["0.1"] * 12
    same(preview, trained(run_cli, *TINY, "scheduler=cosine", *OWN))


def test_the_numbers_are_those_of_the_fastest_group_and_phases_are_there(run_cli) -> None:
    case = [*TINY, "scheduler=wsd", "scheduler.warmup=2st", "scheduler.decay=4st", *LAYERS]
    ended = run_cli(*case, "--png", "groups.png", command="preview")
    assert ended.code == 0, ended.err
    assert "wsd: warmup [0, 2)  stable [2, 8)  decay [8, 12)" in ended.out
    assert "no group is called default; peak, last and area are those of layer1" in ended.out
    assert "lr/layer0 between 0.0125 and 0.05" in ended.out
    assert (ended.cwd / "groups.png").read_bytes().startswith(b"\x89PNG")


def test_several_schedules_with_groups(run_cli) -> None:
    ended = run_cli(*TINY, "scheduler=cosine,torch/StepLR,plateau", *NAMED, "--csv", "all.csv", command="preview")
    assert ended.code == 0, ended.err
    head, *lines = (ended.cwd / "all.csv").read_text("utf-8").splitlines()
    assert head == "scheduler,step,epoch,lr/body,lr/head,lr/body/no_decay,lr/head/no_decay"
    assert [line.split(",")[3:] for line in lines if ",0,0.0," in line] == [["0.0", "0.05"] * 2] * 3


def test_a_group_that_matches_nothing_is_refused_as_by_a_run(run_cli) -> None:
    ended = run_cli(*TINY, "+optimizer.groups={head: {params: heads}}", command="preview")
    assert ended.code == 2
    assert "optimizer.groups.head.params=heads: matches the whole name of no parameter" in ended.err


@pytest.mark.parametrize("name", ["MLP", "CNN", "ResNet9", "ResNet18"])
def test_a_stand_in_has_the_models_parameters_and_no_memory(name: str) -> None:
    model = stand_in(component(MODEL, {"_target_": f"lrsched.models.{name}"}, "model"))
    assert {p.device for p in model.parameters()} == {torch.device("meta")}
    assert any(key.startswith("head") for key, _ in model.named_parameters())


def test_a_model_that_takes_one_kind_of_picture_is_found_one(tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "own_models.py").write_text(
        "from torch import nn\n"
        "class Grey(nn.Linear):\n"
        "    def __init__(self, input_shape, classes):\n"
        "        assert input_shape[0] == 1\n"
        "        super().__init__(4, classes)\n"
        "class Never(nn.Linear):\n"
        "    def __init__(self, input_shape, classes):\n"
        "        raise ValueError('a text, please')\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("LRSCHED_TRUST", "own_models")
    assert [name for name, _ in stand_in(component(MODEL, {"_target_": "own_models.Grey"}, "model")).named_parameters()]
    with pytest.raises(
        ConfigError, match=r"model=own_models.Never: is needed for its parameter groups.*a text, please"
    ):
        stand_in(component(MODEL, {"_target_": "own_models.Never"}, "model"))
