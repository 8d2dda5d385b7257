"""The order of a step, recorded by spies, and its guarantees, checked to the bit."""

from __future__ import annotations

import copy
from collections import Counter
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from lrsched.data.loader import Loader
from lrsched.data.transform import Standardise
from lrsched.errors import NotFinite
from lrsched.horizon import Horizon
from lrsched.schedulers import Table
from lrsched.schedules import Linear
from lrsched.tasks import Classification
from lrsched.train.precision import Precision
from lrsched.train.state import RunState
from lrsched.train.tracker import Tracker, Window
from lrsched.train.update import Update

CPU = torch.device("cpu")
HORIZON = Horizon(steps=8, steps_per_epoch=4)


def data(samples: int = 32) -> tuple[torch.Tensor, torch.Tensor]:
    draw = torch.Generator().manual_seed(0)
    x = torch.randint(0, 256, (samples, 1, 4, 4), dtype=torch.uint8, generator=draw)
    return x, torch.randint(0, 3, (samples,), generator=draw)


def loader(batch_size: int = 8, accumulate: int = 1, samples: int = 32, **options: Any) -> Loader:
    standardise = Standardise(torch.tensor([127.0]), torch.tensor([64.0]), CPU)
    return Loader(data(samples), standardise, batch_size=batch_size, accumulate=accumulate, **options)


def network(dropout: float = 0.0) -> nn.Module:
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(16, 8), nn.ReLU(), nn.Dropout(dropout), nn.Linear(8, 3))


def run(model: nn.Module, source: Loader, precision: str = "fp32", **options: Any) -> tuple[RunState, Update]:
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    arithmetic = Precision(precision, CPU)
    state = RunState(
        model,
        optimizer,
        Table(optimizer, Linear(), HORIZON),
        arithmetic.scaler(),
        Tracker("val/loss"),
        Tracker("val/loss"),
        Window(torch.zeros((), dtype=torch.float64)),
        source.clock,
    )
    return state, Update(source, Classification(), arithmetic, seed=0, device=CPU, **options)


def weights(state: RunState) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in state.model.parameters()])


def test_the_order_is_the_one_in_the_docstring() -> None:
    """set -> batch -> forward -> backward -> step -> clear, and only then is the step counted."""
    model, source = network(), loader(batch_size=4, accumulate=2)
    state, update = run(model, source)
    seen: list[str] = []

    def spy(name: str, function: Any) -> Any:
        def called(*arguments: Any, **options: Any) -> Any:
            seen.append(f"{name}@{state.step}")
            return function(*arguments, **options)

        return called

    state.scheduler.set = spy("set", state.scheduler.set)
    source.batch = spy("batch", source.batch)
    model.register_forward_hook(lambda *_: seen.append(f"forward@{state.step}"))
    last = model[-1].weight  # type: ignore[index]
    last.register_hook(lambda grad: seen.append(f"backward@{state.step}"))
    state.optimizer.register_step_pre_hook(lambda *_: seen.append(f"step@{state.step}"))

    update(state)
    assert seen == ["set@0", "batch@0", "forward@0", "backward@0", "forward@0", "backward@0", "step@0"]
    assert state.step == 1
    assert all(p.grad is None for p in model.parameters())


def test_update_s_trains_with_row_s_of_the_table() -> None:
    state, update = run(network(), loader())
    expected = 0.1 * Linear().plan(HORIZON).table()
    used = []
    state.optimizer.register_step_pre_hook(lambda o, *_: used.append(o.param_groups[0]["lr"]))
    for _ in range(HORIZON.steps):
        update(state)
    assert used == expected.tolist()


@pytest.mark.parametrize("clip_norm", [None, 0.5])
def test_it_is_the_bare_loop_to_the_last_bit(clip_norm: float | None) -> None:
    state, update = run(network(), source := loader(), clip_norm=clip_norm)
    bare = network()
    optimizer = torch.optim.SGD(bare.parameters(), lr=0.1, momentum=0.9)
    table = 0.1 * Linear().plan(HORIZON).table()
    for s in range(HORIZON.steps):
        update(state)
        ((x, y),) = source.batch(s)
        optimizer.param_groups[0]["lr"] = float(table[s])
        optimizer.zero_grad()
        nn.functional.cross_entropy(bare(x), y).backward()
        if clip_norm is not None:
            nn.utils.clip_grad_norm_(bare.parameters(), clip_norm)
        optimizer.step()
        assert torch.equal(weights(state), torch.cat([p.detach().flatten() for p in bare.parameters()]))


class Operations(TorchDispatchMode):
    """Counts torch's operations, those of the backward pass too."""

    def __init__(self) -> None:
        super().__init__()
        self.counted = Counter[str]()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func.namespace == "aten":  # not the marks of a profiler
            self.counted[func.overloadpacket.__name__] += 1
        return func(*args, **(kwargs or {}))


def test_it_does_no_more_than_a_bare_loop_but_make_the_batch_and_look_for_bad_numbers() -> None:
    state, update = run(network(), source := loader())
    bare = network()
    optimizer = torch.optim.SGD(bare.parameters(), lr=0.1, momentum=0.9)
    x, y = source._transform(data())
    j = source._numbers(1)
    for _ in range(2):  # the first makes the buffers of the momentum, and an order of the samples
        with Operations() as ours:
            update(state)
        with Operations() as theirs:
            nn.functional.cross_entropy(bare(x[j]), y[j]).backward()
            optimizer.step()
            optimizer.zero_grad()
    assert theirs.counted - ours.counted == {"index": 2}
    assert ours.counted - theirs.counted == {
        "slice": 1,  # of the epoch's order
        "index_select": 2,
        "_to_copy": 1,  # standardised: float32, times, plus
        "mul_": 1,
        "add_": 2,  # and the sum of the losses
        "sum": 4,  # of each gradient
        "_local_scalar_dense": 5,  # of the loss, too
        "detach": 1,
    }


@pytest.mark.parametrize("samples", [32, 27])
def test_m_micro_batches_are_one_batch(samples: int) -> None:
    """Also the last update of an epoch, with fewer samples and uneven micro-batches (27 = 3·8 + 3)."""
    whole, one = run(network().double(), _double(loader(8, 1, samples)))
    parts, many = run(network().double(), _double(loader(2, 4, samples)))
    for _ in range(HORIZON.steps):
        one(whole)
        many(parts)
        torch.testing.assert_close(weights(whole), weights(parts), rtol=1e-13, atol=1e-15)


def _double(source: Loader) -> Loader:
    original = source.batch
    source.batch = lambda step: [(x.double(), y) for x, y in original(step)]
    return source


def test_dropout_is_a_function_of_the_step_whatever_was_drawn_before() -> None:
    one, update_one = run(network(dropout=0.5), loader())
    two, update_two = run(network(dropout=0.5), loader())
    for _ in range(4):
        update_one(one)
        torch.rand(17)
        update_two(two)
    assert torch.equal(weights(one), weights(two))
    other, update_other = run(network(dropout=0.5), loader())
    other.step = 1  # another step draws another mask
    update_other(other)
    first, update_first = run(network(dropout=0.5), loader())
    update_first(first)
    assert not torch.equal(weights(other), weights(first))


def test_a_loss_that_is_not_finite_is_found_before_the_weights_change() -> None:
    model = network()
    state, update = run(model, loader())
    update(state)
    with torch.no_grad():
        model[1].weight[0, 0] = float("inf")  # type: ignore[index]
    before = copy.deepcopy(state.optimizer.state_dict()["state"])
    held = weights(state)
    with pytest.raises(NotFinite, match=r"step 1: the training loss is"):
        update(state)
    assert state.step == 1
    assert torch.equal(weights(state), held)
    after = state.optimizer.state_dict()["state"]
    assert all(torch.equal(before[i]["momentum_buffer"], after[i]["momentum_buffer"]) for i in before)


def test_a_gradient_that_is_not_finite_is_found_before_it_is_clipped() -> None:
    model = network()
    state, update = run(model, loader(), clip_norm=1.0)
    model[-1].weight.register_hook(lambda grad: grad * float("nan"))  # type: ignore[index,operator]
    held = weights(state)
    with pytest.raises(NotFinite, match=r"step 0: the gradient of 4.weight is not finite"):
        update(state)
    assert torch.equal(weights(state), held)


def test_an_overflow_in_fp16_is_tried_again_at_a_lower_scale_and_is_no_step() -> None:
    """A scale of 2⁴⁰ overflows; every retry halves it, until the gradients fit, with the same batch and rate."""
    state, update = run(network(), source := loader(), precision="fp16")
    state.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**40)
    asked: list[int] = []
    original = source.batch
    source.batch = lambda step: (asked.append(step), original(step))[1]
    held = weights(state)
    update(state)
    assert state.step == 1
    assert state.skipped == len(asked) - 1 > 0
    assert set(asked) == {0}
    assert state.scaler.get_scale() == 2.0 ** (40 - state.skipped)
    assert not torch.equal(weights(state), held)
    assert state.window.updates == 1


def test_the_norm_is_that_of_the_whole_gradient_before_clipping() -> None:
    state, update = run(network(), source := loader(), clip_norm=1e-3)
    bare = network()
    ((x, y),) = source.batch(0)
    nn.functional.cross_entropy(bare(x), y).backward()
    squares = sum(float((p.grad.double() ** 2).sum()) for p in bare.parameters() if p.grad is not None)
    assert update(state, want_norm=True) == pytest.approx(squares**0.5, rel=1e-6)
    assert update(state) is not None  # clipping computes it anyway
