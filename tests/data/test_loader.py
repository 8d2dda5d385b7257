"""Batches are a function of (seed, step): no history, no global randomness."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from lrsched.data.batch import Batch
from lrsched.data.loader import InOrder, Loader
from lrsched.data.transform import Augmented, Standardise

N = 50
X = torch.arange(N, dtype=torch.uint8).reshape(N, 1, 1, 1).expand(N, 1, 2, 2).contiguous()
Y = torch.arange(N)
AS_IT_IS = Standardise(torch.zeros(1), torch.ones(1), torch.device("cpu"))


def make(**options) -> Loader:
    defaults: dict[str, Any] = {"batch_size": 8, "seed": 3}
    return Loader((X, Y), AS_IT_IS, **(defaults | options))


def labels(loader: Loader, step: int) -> list[int]:
    return torch.cat([y for _, y in loader.batch(step)]).tolist()


def test_an_epoch_is_every_sample_once_in_a_new_order() -> None:
    loader = make()
    assert loader.steps_per_epoch == 7  # 6 of 8 samples and one of 2
    epochs = [[i for s in range(7) for i in labels(loader, 7 * epoch + s)] for epoch in range(3)]
    assert all(sorted(epoch) == list(range(N)) for epoch in epochs)
    assert epochs[0] != epochs[1] != epochs[2] != list(range(N))


def test_images_go_with_their_labels() -> None:
    for x, y in make().batch(5):
        assert x.dtype == torch.float32
        assert torch.equal(x[:, 0, 0, 0], y.float())


def test_any_step_can_be_asked_for_in_any_order() -> None:
    straight, jumping = make(), make()
    expected = {s: labels(straight, s) for s in range(21)}
    torch.manual_seed(99)
    for s in (20, 0, 13, 13, 7, 6, 20):
        assert labels(jumping, s) == expected[s] == jumping.sample_numbers(s)


def test_seeds_give_different_orders() -> None:
    assert labels(make(seed=1), 0) != labels(make(seed=2), 0)


@pytest.mark.parametrize(("accumulate", "sizes"), [(1, [8]), (3, [8, 8, 8])])
def test_an_update_has_as_many_micro_batches_as_asked_for(accumulate: int, sizes: list[int]) -> None:
    loader = make(accumulate=accumulate)
    assert [len(y) for _, y in loader.batch(0)] == sizes
    assert loader.samples_per_step == 8 * accumulate
    assert loader.steps_per_epoch == -(-N // (8 * accumulate))


def test_accumulation_sees_the_samples_of_the_large_batch_in_its_order() -> None:
    large, small = make(batch_size=24), make(batch_size=8, accumulate=3)
    for s in range(2 * large.steps_per_epoch):
        assert labels(large, s) == labels(small, s)


def test_limits_and_overfitting() -> None:
    limited = make(limit=2)
    assert limited.steps_per_epoch == 2
    assert labels(limited, 2) == labels(make(), 7)  # the second epoch begins after two updates
    again = make(overfit=2)
    assert again.steps_per_epoch == 2
    assert labels(again, 0) == labels(again, 2) == labels(again, 40) == labels(make(), 0)
    assert labels(again, 1) == labels(again, 3)


def test_a_batch_larger_than_the_data_is_all_of_it() -> None:
    loader = make(batch_size=1000)
    assert (loader.steps_per_epoch, loader.samples_per_step) == (1, N)
    assert sorted(labels(loader, 0)) == list(range(N))


def test_augmentation_is_keyed_by_step_and_micro_batch() -> None:
    drawn: list[float] = []

    def augment(raw: Batch, generator: torch.Generator) -> Batch:
        drawn.append(torch.rand((), generator=generator).item())
        return raw

    drawing = Augmented(augment, AS_IT_IS)
    loader = Loader((X, Y), drawing, batch_size=8, seed=3, accumulate=2)
    loader.batch(4)
    torch.rand(3)
    loader.batch(0)
    loader.batch(4)
    assert drawn[:2] == drawn[-2:]
    assert len(set(drawn)) == 4


def test_standardised_values_are_the_formula() -> None:
    raw = torch.tensor([[[[0, 255]], [[10, 20]]]], dtype=torch.uint8)
    mean, std = (torch.tensor(each).reshape(1, 2, 1, 1) for each in ([100.0, 15.0], [50.0, 5.0]))
    (out,) = Standardise(mean, std, torch.device("cpu"))((raw,))
    expected = torch.tensor([[[[-2.0, 3.1]], [[-1.0, 1.0]]]])
    torch.testing.assert_close(out, expected, rtol=1e-6, atol=1e-6)
    assert raw.tolist() == [[[[0, 255]], [[10, 20]]]]


def test_evaluation_goes_through_all_samples_in_order() -> None:
    batches = InOrder((X, Y), AS_IT_IS, batch_size=16)
    assert torch.cat([y for _, y in batches]).tolist() == list(range(N))
    assert [len(y) for _, y in InOrder((X, Y), AS_IT_IS, batch_size=16, limit=2)] == [16, 16]
    assert len(list(batches)) == 4  # it can be gone through again
