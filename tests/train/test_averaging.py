"""What holds an average of weights: tied and frozen weights, buffers, batch norm's statistics, its state."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import update_bn

from lrsched.averages import Ema, Lawa, Swa
from lrsched.averages.base import Average
from lrsched.config.settings import component
from lrsched.config.targets import AVERAGING
from lrsched.errors import CheckpointError, ConfigError
from lrsched.horizon import Horizon
from lrsched.signals import StopFlag
from lrsched.tasks import Classification
from lrsched.train.averaging import Averaged, build_average
from lrsched.train.check_state import check_fits
from lrsched.train.precision import Precision

STEPS = 6
CPU = torch.device("cpu")


class Tied(nn.Module):
    """Two names for one weight, a buffer that no checkpoint holds, and a count."""

    count: Tensor
    moved: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 3)
        self.second = nn.Linear(3, 3)
        self.second.weight = self.first.weight
        self.register_buffer("fixed", torch.arange(3.0), persistent=False)
        self.register_buffer("moved", torch.zeros(2))
        self.register_buffer("count", torch.tensor(0))

    def forward(self, x: Tensor) -> Tensor:
        return self.second(self.first(x))


def of(average: Average, model: nn.Module) -> Averaged:
    return Averaged(average, average.table(Horizon(STEPS, steps_per_epoch=1)), model)


def train(model: nn.Module, found: Averaged, places: range) -> None:
    for place in places:
        generator = torch.Generator().manual_seed(place)
        with torch.no_grad():
            for weight in model.parameters():
                weight += torch.randn(weight.shape, generator=generator)
        if isinstance(model, Tied):
            model.moved = model.moved + 1  # another tensor in its place
            model.count += 1
        found.update(model, place)


def test_tied_weights_stay_tied_and_move_once() -> None:
    model = Tied()
    found = of(Ema(decay=0.5, warmup=False), model)
    values = []
    for place in range(3):
        train(model, found, range(place, place + 1))
        values.append(model.first.weight.detach().clone())
    assert isinstance(found.model, Tied)
    assert found.model.second.weight is found.model.first.weight
    wanted = values[0].lerp(values[1], 0.5).lerp(values[2], 0.5)
    assert torch.equal(found.model.first.weight, wanted)


def test_floats_are_averaged_and_counts_are_those_of_the_model() -> None:
    model = Tied()
    found = of(Swa(start="0st", every="1st"), model)
    train(model, found, range(3))
    assert isinstance(found.model, Tied)
    assert torch.allclose(found.model.moved, torch.full((2,), 2.0))  # of 1, 2, 3
    assert found.model.count == 3


def test_before_it_begins_there_is_no_average() -> None:
    model = nn.Linear(2, 2)
    found = of(Swa(start="50%", every="1st"), model)
    train(model, found, range(3))
    assert not found.began
    train(model, found, range(3, 4))
    assert found.began
    assert torch.equal(found.model.weight, model.weight)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "average", [Ema(), Swa(start="0st", every="1st"), Lawa(last=2)], ids=lambda a: type(a).__name__
)
@pytest.mark.parametrize("cut", [0, 1, 2, 5])
def test_a_state_goes_on_as_if_nothing_had_been(average: Average, cut: int) -> None:
    model = Tied()
    whole = of(average, model)
    train(model, whole, range(cut))
    saved = deepcopy((whole.state_dict(), model.state_dict()))
    train(model, whole, range(cut, STEPS))
    other = Tied()
    resumed = of(average, other)
    other.load_state_dict(saved[1])
    resumed.load_state_dict(saved[0])
    train(other, resumed, range(cut, STEPS))
    for (name, mine), theirs in zip(
        whole.state_dict()["model"].items(), resumed.state_dict()["model"].values(), strict=True
    ):
        assert torch.equal(mine, theirs), name
    assert len(whole.state_dict()["window"]) == len(resumed.state_dict()["window"])


def test_the_window_holds_copies() -> None:
    model = nn.Linear(2, 2)
    found = of(Lawa(last=2), model)
    train(model, found, range(1))
    held = found.state_dict()["window"][0]["weight"].clone()
    train(model, found, range(1, 2))
    assert torch.equal(found.state_dict()["window"][0]["weight"], held)


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.Dropout(0.5), nn.Linear(5, 3))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def test_statistics_are_renewed_as_torch_does_it_without_dropout() -> None:
    torch.manual_seed(0)
    model = Normed()
    batches = [(torch.randn(8, 4), torch.zeros(8).long()) for _ in range(3)]
    average = Swa(start="0st", every="1st", renew=24)
    found = Averaged(average, average.table(Horizon(STEPS)), model, batches)
    train(model, found, range(3))
    theirs = deepcopy(found.model)
    before = torch.get_rng_state()
    found.renew(Classification(classes=3), Precision("fp32", CPU), StopFlag())
    assert torch.equal(torch.get_rng_state(), before)
    for layer in theirs.modules():
        if isinstance(layer, nn.Dropout):
            layer.p = 0.0
    update_bn(batches, theirs)
    mine = found.model.state_dict()
    for name, wanted in theirs.state_dict().items():
        assert torch.equal(mine[name], wanted), name
    assert not found.model.training
    assert [layer.momentum for layer in found.model.modules() if isinstance(layer, nn.BatchNorm1d)] == [0.1]


def test_a_sample_that_is_left_over_gives_no_statistics() -> None:
    x, y = torch.randn(9, 4), torch.zeros(9).long()
    states: list[dict[str, Tensor]] = []
    for ends in ((4, 8), (4, 8, 9)):
        torch.manual_seed(0)
        model, average = Normed(), Swa(start="0st", every="1st")
        batches = [(x[a:b], y[a:b]) for a, b in zip((0, *ends), ends, strict=False)]
        found = Averaged(average, average.table(Horizon(STEPS, steps_per_epoch=1)), model, batches)
        train(model, found, range(3))
        found.renew(Classification(classes=3), Precision("fp32", CPU), StopFlag())
        states.append({name: item.clone() for name, item in found.model.state_dict().items()})
    assert all(torch.equal(item, states[1][name]) for name, item in states[0].items())


def test_batches_of_one_sample_cannot_renew() -> None:
    node = component(AVERAGING, {"_target_": "lrsched.averages.Ema", "renew": 5}, "average")
    with pytest.raises(ConfigError, match=r"^average\.renew=5: .*dataset\.eval_batch_size=1"):
        build_average(node, Horizon(4), Normed(), lambda part, batches: [], 1)


@pytest.mark.parametrize(
    ("model", "renew", "asked"),
    [(Normed, 10, [("train", 3)]), (Normed, 0, []), (lambda: nn.Linear(4, 3), 10, [])],
    ids=["batch norm", "renew=0", "no batch norm"],
)
def test_samples_are_asked_for_where_there_are_statistics(model, renew: int, asked: list[tuple[str, int]]) -> None:
    seen: list[tuple[str, int]] = []

    def in_order(part: str, batches: int) -> list[tuple[Tensor, Tensor]]:
        seen.append((part, batches))
        return []

    node = component(AVERAGING, {"_target_": "lrsched.averages.Ema", "renew": renew}, "average")
    build_average(node, Horizon(4), model(), in_order, 4)
    assert seen == asked


class Uncopied(nn.Linear):
    def __deepcopy__(self, memo: object) -> Uncopied:
        raise TypeError("cannot pickle a lock")


def test_a_model_that_cannot_be_copied_is_named() -> None:
    with pytest.raises(ConfigError, match=r"average=Ema: copies the model, and Uncopied cannot be copied: .* a lock"):
        of(Ema(), Uncopied(2, 2))


def test_a_broken_window_does_not_fit() -> None:
    model = Tied()
    found, optimizer = of(Lawa(last=2), model), torch.optim.SGD(model.parameters(), lr=0.1)
    train(model, found, range(2))
    saved, fresh = found.state_dict(), of(Lawa(last=2), Tied()).state_dict()

    def check(average: object) -> None:
        rest = {"step": 2, "metrics_bytes": 0, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        check_fits({**rest, "average": average}, {**rest, "average": fresh}, optimizer)

    check(saved)
    broken = [
        {**saved, "window": [{"first.weight": torch.zeros(2, 2)}]},
        {**saved, "window": "none"},
        {**saved, "window": [{}]},
        {**saved, "window": [{**saved["window"][0], "strange": torch.zeros(1)}]},
        {**saved, "count": "two"},
        {**saved, "model": {}},
        {"model": saved["model"], "count": 1.0},
    ]
    for state in broken:
        with pytest.raises(CheckpointError, match="average"):
            check(state)
