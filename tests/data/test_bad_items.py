"""Items that cannot be used: one message, with the sample and what to do, and nothing is left."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import TensorDataset

import lrsched
from lrsched.data import Items
from lrsched.errors import ConfigError, DataError
from lrsched.tasks import Classification
from tests.helpers.items import HERE, TRAIN, WORDS, Bad, Draws, Names, OwnGenerator, Stream


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRSCHED_TRUST", HERE)


BAD: dict[str, tuple[Callable[[], Any], str]] = {
    "iterable": (Stream, "dataset.train: Stream is iterable, and has no samples by number: "),
    "no samples": (lambda: Draws(0), "dataset.train: Draws has no samples"),
    "no length": (lambda: iter([]), "dataset.train: list_iterator is iterable"),
    "own generator": (OwnGenerator, "dataset.train: sample 0 is another one when it is made again from the same seeds"),
    "text for a data set": (
        lambda: "photos",
        "dataset.train: is the text 'photos'; one data set is wanted: in YAML",
    ),
    "several": (lambda: {"train": Draws()}, "dataset.train: has several, train; one data set is wanted"),
    "nothing": (TensorDataset, "dataset.train: TensorDataset has no length (IndexError: tuple index out of range)"),
    "raises": (lambda: Bad(0, "raises"), "dataset.train: sample 0 raised OSError: photo.png is truncated (line "),
    "shape": (lambda: Bad(1, "shape"), "dataset.train: sample 1 is (float32 [6], a int), and sample 0 of the same ba"),
    "text": (Names, "dataset.train: sample 0 and those after it make no batch: column 1 (from 0) is a tuple, and a te"),
    "infinite": (lambda: Bad(1, "infinite"), "dataset.train: sample 1 holds inf in x; every value must be finite"),
    "columns": (lambda: Bad(1, "columns"), "dataset.train: sample 1 is (float32 [3], a int, a float), and sample 0"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_items_are_one_message_and_leave_nothing(name: str, tmp_path: Path) -> None:
    data, message = BAD[name]
    with pytest.raises(DataError) as caught:
        lrsched.run([*TRAIN, "name=bad"], data=Items(data(), workers=0))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert not list(tmp_path.iterdir())


LATER = {
    "raises": "sample 20 raised OSError: photo.png is truncated",
    "shape": "sample 20 is (float32 [6], a int), and sample",
    "label": "sample 20 holds 3 in y; a label lies in 0 … 2",
    "exits": "sample 20 raised SystemExit: 0 (line ",
    "interrupts": "sample 20 raised KeyboardInterrupt:  (line ",
}


@pytest.mark.parametrize("how", LATER)
def test_an_item_that_is_wrong_in_the_middle_ends_the_run_with_its_number(how: str, run_cli) -> None:
    node = f"{{_target_: {HERE}.Bad, number: 20, how: {how}}}"
    ended = run_cli(*TRAIN, "name=run", "dataset=torch", f"dataset.train={node}", "dataset.workers=0")
    assert ended.code == 2
    assert f"dataset.train: {LATER[how]}" in ended.err
    assert f"go on with: LRSCHED_TRUST={HERE} lrsched train resume=outputs/run" in ended.err
    assert "Traceback" not in ended.err


@pytest.mark.slow  # torch looks for dead workers every 5 seconds
@pytest.mark.parametrize(
    ("how", "said"),
    [("killed", "was killed by SIGKILL, exit code -9"), ("ended", "exit code 7"), ("ended well", "exit code 0")],
)
def test_a_dead_worker_is_one_message_with_its_sample(how: str, said: str, run_cli) -> None:
    node = f"{{_target_: {HERE}.Bad, number: 20, how: {how}}}"
    ended = run_cli(*TRAIN, "name=run", "dataset=torch", f"dataset.train={node}", "dataset.workers=2")
    assert ended.code == 2
    assert said in ended.err
    assert "while it made sample 20; " in ended.err
    assert "Traceback" not in ended.err


NODES = {
    "outside": (
        "{_target_: os.system, command: ls}",
        "dataset.train._target_=os.system: is not allowed here: it must c",
    ),
    "mistyped": ("{_target_: tests.helpers.items.Drawn}", "dataset.train._target_=tests.helpers.items.Drawn: there is"),
    "function": (
        "{_target_: torch.utils.data.random_split}",
        "is no function defined in tests.helpers.items; a functi",
    ),
    "pickles in a pipe": (
        "{_target_: torch.utils.data.ConcatDataset, datasets: {_target_: torch.utils.data.datapipes.iter."
        "routeddecoder.RoutedDecoderIterDataPipe, datapipe: [[a.pickle, b]]}}",
        "is no class defined in torch.utils.data.dataset",
    ),
    "pickles in a cache": ("{_target_: torchvision.datasets.LSUN, root: .}", "is no class defined in torch.utils"),
    "argument": ("{_target_: tests.helpers.items.Draws, sample: 3}", "dataset.train=tests.helpers.items.Draws: cannot"),
    "missing": ("{_target_: torchvision.datasets.ImageFolder, root: none}", "cannot be built: FileNotFoundError"),
}


@pytest.mark.parametrize("name", NODES)
def test_a_node_that_cannot_be_built_is_refused(name: str, run_cli, tmp_path: Path) -> None:
    node, message = NODES[name]
    ended = run_cli(*TRAIN, "name=run", "dataset=torch", f"dataset.train={node}")
    assert ended.code == 2
    assert message in ended.err
    assert not (tmp_path / "outputs").exists()


def test_changes_of_images_are_refused_where_there_are_none() -> None:
    message = r"dataset.augment.crop=2: changes images \[samples, C, H, W\] .* the inputs here are float32 \[2, 3\]"
    with pytest.raises(ConfigError, match=message):
        lrsched.run([*TRAIN, "name=run", "dataset.augment.crop=2"], data=Items(Draws(), workers=0))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"workers": -1}, "workers=-1: must be a whole number from 0 to 1023"),
        ({"prefetch": 0}, "prefetch=0: must be a whole number from 1"),
        ({"collate": "pads"}, "collate=pads: is no way to make a batch; did you mean 'pad'?"),
        ({"facts": [3]}, "facts=[3]: must be a mapping"),
    ],
)
def test_a_setting_that_cannot_be_used_is_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Items(Draws(), **given)
    assert message in str(caught.value)


def test_classes_that_nobody_tells_are_asked_for() -> None:
    data = TensorDataset(torch.rand(40, 2), torch.arange(40) % 4)
    with pytest.raises(ConfigError, match=r"give .dataset.facts.classes=NUMBER, or let TensorDataset have"):
        lrsched.run([*TRAIN, "name=run"], data=data, task=Classification())


@pytest.mark.slow
@pytest.mark.parametrize("how", ["exits", "interrupts"])
def test_an_exit_in_a_worker_is_one_message_with_its_sample(how: str, run_cli) -> None:
    node = f"{{_target_: {HERE}.Bad, number: 20, how: {how}}}"
    ended = run_cli(*TRAIN, "name=run", "dataset=torch", f"dataset.train={node}", "dataset.workers=2")
    assert ended.code == 2
    assert f"dataset.train: {LATER[how]}" in ended.err
    assert "Traceback" not in ended.err


def test_a_data_set_that_exits_as_it_is_built_is_no_success(run_cli) -> None:
    ended = run_cli(*TRAIN, "name=run", "dataset=torch", f"dataset.train={{_target_: {HERE}.Exits}}")
    assert ended.code == 2
    assert "SystemExit: 0 (line " in ended.err
    assert not (ended.cwd / "outputs").exists()


@pytest.mark.parametrize(("model", "name"), [("linear", "Linear"), ("mlp", "MLP")])
def test_a_longer_batch_than_a_model_takes_is_no_bug_of_ours(model: str, name: str, run_cli) -> None:
    pad = (f"dataset.train={{_target_: {HERE}.Lengths, longer: 50}}", "dataset.collate=pad", "dataset.workers=0")
    ended = run_cli(*TRAIN, "name=run", "dataset=torch", *pad, f"model={model}")
    assert ended.code == 2
    assert f"lrsched: {name} cannot be called with the batch of update " in ended.err
    assert ", x [16, 5], y [16]: RuntimeError: " in ended.err
    assert "resume=outputs/run" in ended.err
    assert ended.err.count("\n") == 1
    assert "bug of ours" not in ended.err
    assert run_cli("outputs/run", command="check").code == 0


def test_an_evaluation_that_a_model_cannot_take_is_said_too(run_cli) -> None:
    parts = (f"dataset.train={{_target_: {HERE}.Draws}}", f"dataset.validation={{_target_: {HERE}.Lengths, longer: 5}}")
    ended = run_cli(*TRAIN, "name=run", "dataset=torch", *parts, "dataset.collate=pad", "dataset.workers=0")
    assert ended.code == 2
    assert "Linear cannot be called with the batch of an evaluation on val, x [60, 5], y [60]: " in ended.err
    assert run_cli("outputs/run", command="check").code == 0


WRONG = {
    "yes or no": ("binary", "yes", 2, "sample 20 holds 2 in y; a target is 0 (no) or 1 (yes)"),
    "a float": ("binary", "share", 0.5, "sample 20 holds 0.5 in y; a target is 0 (no) or 1 (yes)"),
    "several": ("binary", "labels", -1, "sample 20 holds -1.0 in y; a target is 0 (no) or 1 (yes)"),
    "infinite": ("regression", "number", None, "sample 20 holds inf in y; every value must be finite"),
    "complex": (
        "regression",
        "complex",
        None,
        "sample 0 and those after it make no batch: column 1 (from 0) is complex64",
    ),
    "a pixel": ("segmentation", "mask", 3, "sample 20 holds 3 in y; a label lies in 0 … 2"),
    "masks": ("segmentation", "mask", 0.5, "labels are [2, 8] and images [8, 8], [H, W]; bring both to one size"),
}


@pytest.mark.parametrize("how", WRONG)
@pytest.mark.parametrize("cache", [False, True])
def test_a_target_that_a_task_cannot_be_asked_of_is_said_with_its_sample(how: str, cache: bool, run_cli) -> None:
    task, kind, wrong, message = WRONG[how]
    node = f"{{_target_: {HERE}.Targets, number: 20, kind: {kind}, wrong: {'null' if wrong is None else wrong}}}"
    model = "unet" if task == "segmentation" else "mlp"
    words = (f"dataset.train={node}", "dataset.workers=0", f"task={task}", f"model={model}", f"dataset.cache={cache}")
    ended = run_cli(*WORDS, "dataset.batch_size=16", "name=run", "dataset=torch", *words, "dataset.cache_root=kept")
    assert ended.code == 2
    assert f"dataset.train: {message}" in ended.err
    assert ended.err.count("\n") == 1, ended.err
    if cache or not message.startswith("sample"):
        assert not (ended.cwd / "outputs").exists()


@pytest.mark.parametrize("kind", ["yes", "share", "labels"])
def test_yes_or_no_may_be_of_any_type(kind: str, run_cli) -> None:
    node = f"{{_target_: {HERE}.Targets, number: 0, kind: {kind}}}"
    words = (f"dataset.train={node}", "dataset.workers=0", "task=binary", "model=mlp")
    ended = run_cli(*WORDS, "dataset.batch_size=16", "name=run", "dataset=torch", *words)
    assert ended.code == 0, ended.err


def test_a_picture_that_is_no_tensor_is_told_of_a_transform() -> None:
    pictures = [(Image.new("RGB", (4, 4)), 0), (Image.new("RGB", (4, 4)), 1)]
    with pytest.raises(DataError, match=r"sample 0 is \(a Image, a int\); pictures become tensors by a .*ToTensor"):
        Items(pictures, facts={"classes": 2})


def test_a_label_beyond_the_classes_is_named_before_a_model_is_tried() -> None:
    data = TensorDataset(torch.rand(40, 2), 1 + torch.arange(40) % 3)
    with pytest.raises(DataError, match=r"sample 1 holds 2 in y; a label lies in 0 … 1"):
        lrsched.run(
            [*TRAIN[:-1], "name=beyond"], data=Items(data, facts={"classes": 2}, workers=0), model=nn.Linear(2, 2)
        )
    assert not Path("outputs/beyond").exists()
