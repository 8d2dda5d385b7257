"""Whether numbers are finite: exactly, whatever their type, layout and size; and what a bad update leaves behind."""

from __future__ import annotations

import copy
import math
from typing import Any

import pytest
import torch
from torch import nn

from lrsched.data.batch import column
from lrsched.data.loader import Loader
from lrsched.errors import NotFinite
from lrsched.train.nonfinite import NonFiniteFlag, all_finite, culprits, largest
from tests.helpers.marked_data import MarkedModel
from tests.train.test_update import loader, network, run, weights


def ill_at(step: int, ill: str, value: str = "nan", **options: Any) -> tuple[MarkedModel, Loader]:
    """A network, and data whose last but one sample of update ``step`` makes it non-finite."""
    source = loader(**options)
    x = column(source._data, 0)
    x[:, 0, 0, 0].clamp_(max=254)
    x[source.sample_numbers(step)[-2], 0, 0, 0] = 255  # (255 - 127) / 64 = 2 once standardised
    torch.manual_seed(0)
    return MarkedModel((1, 4, 4), 3, ill, value), source


def same(one: Any, other: Any) -> bool:
    """Whether two states are equal to the last bit; the generators aside, which every update sets for itself."""
    if isinstance(one, torch.Tensor):
        return torch.equal(one, other)
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one if name != "generators")
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


TYPES = [torch.float64, torch.float32, torch.float16, torch.bfloat16]


@pytest.mark.parametrize("dtype", TYPES)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("place", [0, 36, 72])
def test_one_bad_element_is_found_wherever_it_is(dtype: torch.dtype, bad: float, place: int) -> None:
    tensors = [torch.zeros(5), torch.zeros(73, dtype=dtype), torch.zeros(3, dtype=torch.float64)]
    assert all_finite(tensors)
    assert largest(tensors) == 0
    tensors[1][place] = bad
    assert not all_finite(tensors)
    assert not largest(tensors).isfinite()


@pytest.mark.parametrize("dtype", TYPES)
def test_finite_numbers_whose_sum_overflows_are_finite(dtype: torch.dtype) -> None:
    tensors = [torch.full((64,), torch.finfo(dtype).max, dtype=dtype)]
    assert not tensors[0].sum().isfinite()
    assert all_finite(tensors)
    assert largest(tensors).isfinite()


def test_infinities_do_not_cancel() -> None:
    assert not all_finite([torch.tensor([math.inf, -math.inf])])
    assert not all_finite([torch.tensor([math.inf]), torch.tensor([-math.inf])])


@pytest.mark.filterwarnings("ignore:Sparse invariant checks")  # torch 2.11
def test_other_layouts() -> None:
    assert all_finite([])
    assert all_finite([torch.empty(0), torch.ones(2, dtype=torch.complex64)])
    assert not all_finite([torch.tensor([complex(0, math.inf)])])
    strided = torch.zeros(4, 6)
    strided[1, 1] = math.nan
    assert all_finite([strided.t()[::2]])  # the NaN is between the rows that it shows
    assert not all_finite([strided.t()[1::2]])
    index = torch.tensor([[0, 0, 2]])
    for value, finite in ((1.0, True), (math.nan, False)):
        sparse = torch.sparse_coo_tensor(index, torch.tensor([1.0, value, 2.0]), (3,), check_invariants=True)
        assert all_finite([sparse]) is finite
        assert bool(largest([sparse]).isfinite()) is finite


def test_the_parameters_at_fault_are_named() -> None:
    model = nn.Sequential(*(nn.Linear(2, 2, bias=False) for _ in range(5)))
    for i, parameter in enumerate(model.parameters()):
        parameter.grad = torch.full((2, 2), 1.0 if i == 1 else math.nan)
    assert culprits(model, model.parameters()) == "0.weight, 2.weight, 3.weight and 1 more"
    first, *_, last = model.parameters()
    first.grad = None
    last.grad = torch.ones(2, 2)
    assert culprits(model, model.parameters()) == "2.weight, 3.weight"


def test_a_finite_gradient_whose_norm_overflows_is_clipped_to_the_norm() -> None:
    """Gradients of 1e25 have squares beyond float32; clipped to 0.001 the update is that of the same direction."""
    model = network()
    state, update = run(model, loader(), clip_norm=1e-3)
    other, update_other = run(network(), loader(), clip_norm=1e-3)
    for parameter in model.parameters():
        parameter.register_hook(lambda grad: grad * 2.0**90)
    norm = update(state, want_norm=True)
    assert norm is not None
    assert update_other(other, want_norm=True) == pytest.approx(norm / 2.0**90, rel=1e-6)
    torch.testing.assert_close(weights(state), weights(other), rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("clip_norm", [None, 1.0])
@pytest.mark.parametrize("ill", ["input", "loss", "gradient"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
@pytest.mark.parametrize("accumulate", [1, 2])
def test_a_bad_update_leaves_nothing_behind(clip_norm: float | None, ill: str, value: str, accumulate: int) -> None:
    """Not in batch norm's statistics, and not in a gradient that the next update would add to."""
    model, source = ill_at(1, ill, value, batch_size=8 // accumulate, accumulate=accumulate)
    state, update = run(model, source, clip_norm=clip_norm)
    update(state)
    state.scheduler.set(1)  # the values of an update are in force from its beginning
    before = copy.deepcopy(state.state_dict())
    with pytest.raises(NotFinite) as found:
        update(state)
    assert (found.value.step, found.value.samples) == (1, tuple(source.sample_numbers(1)))
    assert ("first.weight" in found.value.what) == (ill == "gradient")
    assert same(state.state_dict(), before)
    assert all(p.grad is None for p in state.model.parameters())


def test_a_nan_is_no_overflow_of_fp16_and_leaves_its_loss_scale_alone() -> None:
    for ill, said in (("loss", "the training loss is nan"), ("gradient", "overflowed 64 times in a row")):
        state, update = run(*ill_at(0, ill), precision="fp16")
        state.scheduler.set(0)
        before = copy.deepcopy(state.state_dict())
        with pytest.raises(NotFinite, match=f"step 0: .*{said}"):
            update(state)
        assert same(state.state_dict(), before)


@pytest.mark.parametrize(("ill", "what"), [("loss", "the training loss"), ("gradient", "the gradient")])
@pytest.mark.parametrize("clip_norm", [None, 1.0])
def test_without_waiting_the_first_bad_update_is_remembered_on_the_device(
    ill: str, what: str, clip_norm: float | None
) -> None:
    model, source = ill_at(2, ill)
    state, update = run(model, source, clip_norm=clip_norm, wait=False)
    for _ in range(2):
        update(state)
    update.check(state)
    for _ in range(3):
        update(state)
    with pytest.raises(NotFinite, match=rf"step 2: {what} is not finite \(found at step 5\)") as found:
        update.check(state)
    assert found.value.samples == tuple(source.sample_numbers(2))
    update.check(state)  # it is told once


def test_the_watch_keeps_the_first_of_each_kind() -> None:
    flag, one, nan = NonFiniteFlag(torch.device("cpu")), torch.ones(()), torch.tensor(math.nan)
    for step, loss, gradient in ((0, one, one), (1, one, nan), (2, nan, nan)):
        flag.note(step, loss, gradient)
    assert flag.read() == (1, "the gradient")
    assert flag.read() is None
    flag.note(7, nan, nan)
    assert flag.read() == (7, "the training loss")
