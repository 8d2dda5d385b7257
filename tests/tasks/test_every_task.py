"""What holds for every task: sums add up, means do not depend on how a batch is cut, and nothing is held."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from pathlib import Path

import pytest
import torch
import yaml

import lrsched.tasks
from lrsched.data.data import Data
from lrsched.tasks.regression import Regression
from lrsched.tasks.task import Task
from lrsched.tasks.torch_loss import task_class
from tests.tasks.cases import CASES, WEIGHT, N, cut, evaluated, gradients

ROOT = Path(__file__).resolve().parents[2]
every = pytest.mark.parametrize("name", CASES)
OWN = [file for file in sorted((ROOT / "conf" / "task").glob("*.yaml")) if file.name[0] != "_"]


@every
def test_metrics_of_a_batch_are_those_of_its_pieces(name: str) -> None:
    task, model, batch = CASES[name]
    whole = evaluated(task, model, [batch])
    assert set(whole) == set(task.better)
    for pieces in (cut(batch, 6), cut(batch, 3, 6), cut(batch, 1, 11)):
        assert evaluated(task, model, pieces) == pytest.approx(whole, rel=2e-6, abs=1e-7)


@every
def test_accumulation_gives_the_gradient_of_one_batch(name: str) -> None:
    task, model, batch = CASES[name]
    one = gradients(task, model, [batch])
    assert any(gradient.abs().max() > 1e-3 for gradient in one)
    for pieces in (cut(batch, 6), cut(batch, 3, 6), cut(batch, 1, 11)):
        for ours, whole in zip(gradients(task, model, pieces), one, strict=True):
            torch.testing.assert_close(ours, whole, rtol=1e-6, atol=1e-6)


@every
def test_the_evaluated_loss_is_the_training_loss(name: str) -> None:
    task, model, batch = CASES[name]
    if getattr(task, "label_smoothing", 0):
        task = dataclasses.replace(task, label_smoothing=0.0)
    assert evaluated(task, model, [batch])["loss"] == pytest.approx(task.loss(model, batch).item(), rel=1e-6)


@every
def test_a_changed_copy_is_the_task_with_that_field(name: str) -> None:
    task, model, batch = CASES[name]
    same = dataclasses.replace(task)
    assert same == task
    assert same.better == task.better
    assert torch.equal(same.loss(model, batch), task.loss(model, batch))


def test_a_changed_copy_of_a_regression() -> None:
    """Of a target of 20 ± 5, 25 is 1 deviation above: huber at delta 0.5 gives 0.5·(1 − 0.25), mae 1, mse 1."""
    task, batch = (
        Regression(loss="huber", delta=0.5, target_mean=20.0, target_std=5.0, range=50.0),
        (torch.zeros(1, 1), torch.tensor([25.0])),
    )
    nothing = torch.nn.Identity()
    assert task.loss(nothing, batch).item() == 0.375
    changed = dataclasses.replace(task, kind="mae", target_std=2.5)
    assert changed.loss(nothing, batch).item() == 2.0
    assert (changed.target_mean, changed.range, changed.better) == (20.0, 50.0, task.better)
    assert "psnr" not in dataclasses.replace(task, range=None).better
    assert dataclasses.replace(changed, kind="huber", target_std=5.0) == task


@every
def test_a_mapping_is_read_as_a_tuple_is(name: str) -> None:
    task, model, batch = CASES[name]
    named = dict(zip(("x", "y", "weight"), batch, strict=False))
    assert torch.equal(task.loss(model, named), task.loss(model, batch))
    assert float(task.weight(named)) == float(task.weight(batch))


@every
def test_a_sample_of_weight_2_is_that_sample_twice(name: str) -> None:
    task, model, batch = CASES[name]
    columns = dict(zip(("x", "y"), batch[:2], strict=False))
    weight = torch.ones(N)
    weight[:4] = 2
    given, twice = {**columns, "weight": weight}, {name: torch.cat([c, c[:4]]) for name, c in columns.items()}
    assert float(task.weight(given)) == float(task.weight(twice))
    for ours, whole in zip(gradients(task, model, [given]), gradients(task, model, [twice]), strict=True):
        torch.testing.assert_close(ours, whole, rtol=1e-6, atol=1e-6)
    assert evaluated(task, model, [given])["loss"] == pytest.approx(evaluated(task, model, [twice])["loss"], rel=2e-6)


@every
def test_a_micro_batch_in_which_nothing_counts_gives_nothing(name: str) -> None:
    task, model, batch = CASES[name]
    nothing = {**dict(zip(("x", "y"), batch[:2], strict=False)), "weight": torch.zeros(N)}
    assert task.loss(model, nothing).item() == 0
    assert float(task.weight(nothing)) == 0
    assert all((gradient == 0).all() for gradient in gradients(task, model, [nothing]))


@every
def test_a_task_is_frozen_and_pure(name: str) -> None:
    task, model, batch = CASES[name]
    before, kept = repr(task), copy.deepcopy(task)
    state = torch.get_rng_state()
    given = [column.clone() for column in batch]
    task.loss(model, batch)
    task.measure(model, batch)
    task.show(model.eval(), batch)
    assert repr(task) == before
    assert task == kept
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(a, b) for a, b in zip(given, batch, strict=True))
    assert hash(task) == hash(kept)
    again = pickle.loads(pickle.dumps(task))
    assert again == task
    assert again.better == task.better
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.classes = 7  # type: ignore[attr-defined]


@every
def test_its_own_data_and_output_are_right(name: str) -> None:
    task, model, batch = CASES[name]
    task.check(Data(batch, batch))
    assert task.complaint(task.forward(model, batch), batch) == ""
    for wrong in (None, (1, 2), torch.zeros(N, 4, 5, 6, 7), torch.zeros(N + 1, 1), torch.zeros(())):
        assert task.complaint(wrong, batch)
        assert isinstance(task.remedy(wrong, batch), str)


@every
def test_half_precision_outputs_are_measured_in_full(name: str) -> None:
    task, model, batch = CASES[name]
    half = copy.deepcopy(model)
    half.register_forward_hook(lambda _, __, output: output.bfloat16())
    for value in task.measure(half, batch).values():
        assert value.dtype in (torch.float32, torch.float64, torch.int64)


@pytest.mark.parametrize("name", ["classification smoothed", "torch/NLLLoss", "binary of three"])
def test_a_weight_below_0_is_refused_with_its_sample(name: str) -> None:
    task, _, (x, y, weight) = CASES[name]
    for wrong, words in (
        (torch.where(WEIGHT == 3, -3.0, weight), r"train weight: sample 5 \(from 0\) weighs -3.0"),
        (torch.zeros(N), "all samples weigh 0"),
        (torch.ones(N, 2), r"one number for each sample, \[12\]"),
    ):
        with pytest.raises(Exception, match=words):
            task.check(Data((x, y, wrong)))


@pytest.mark.parametrize("file", OWN, ids=[file.stem for file in OWN])
def test_a_yaml_holds_the_defaults_of_its_class(file: Path) -> None:
    node = yaml.safe_load(file.read_text("utf-8"))
    cls = getattr(lrsched.tasks, node.pop("_target_").rpartition(".")[2])
    assert cls(**node) == cls()
    assert task_class(cls) is cls


def test_every_task_has_a_yaml() -> None:
    named = {yaml.safe_load(file.read_text("utf-8"))["_target_"].rpartition(".")[2] for file in OWN}
    assert named == set(dir(lrsched.tasks)) - {"Task", "TorchLoss"}
    for name in named:
        assert issubclass(getattr(lrsched.tasks, name), Task)
