"""Items made one by one: the same batches whoever makes them, and one message for whatever goes wrong."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn
from torch.utils.data import Subset, TensorDataset

import lrsched
from lrsched.data import HuggingFace, Items, Pad
from lrsched.data.loader import order
from lrsched.data.partition import Partition
from lrsched.data.stream.batches import Hands, ItemLoader
from lrsched.data.stream.fetch import Fetch, Part, Wanted
from lrsched.data.stream.splits import Places
from lrsched.data.transform import Transform
from lrsched.errors import ConfigError, DataError
from lrsched.seeds import key
from lrsched.tasks import Regression
from tests.helpers.items import HERE, TRAIN, Bad, Bag, Draws, Texts


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRSCHED_TRUST", HERE)


def made(data: Draws, seed: int, purpose: str, *position: int) -> tuple[torch.Tensor, int]:
    """An item as its key draws it, by hand."""
    word = key(seed, purpose, *position)
    random.seed(word)
    np.random.seed(word % 2**32)
    torch.manual_seed(word)
    return data[position[-1]]


def test_it_is_a_bare_loop_to_the_last_bit() -> None:
    random.seed(1)
    before = random.getstate(), torch.get_rng_state()
    run = lrsched.run([*TRAIN, "name=run", "seed=3"], data=Items(Draws(), workers=0))
    assert random.getstate() == before[0]
    assert torch.equal(torch.get_rng_state(), before[1])
    places, validating, _ = Partition(60).parts(validation=0.1, test=0.2, seed=0)
    torch.manual_seed(key(3, "init"))
    model = lrsched.models.Linear(input_shape=(3,), outputs=3)
    weights = [{"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 5e-4}]
    weights += [{"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0}]
    optimizer = torch.optim.SGD(weights, lr=0.1, momentum=0.9, nesterov=True)
    losses = []
    for epoch in range(2):
        for numbers in places[order(3, epoch, 43)].split(16):
            items = [made(Draws(), 3, "item/train", epoch, number) for number in numbers.tolist()]
            x, y = torch.stack([x for x, _ in items]), torch.tensor([y for _, y in items])
            loss = nn.functional.cross_entropy(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    rows = map(json.loads, Path("outputs/run/metrics.jsonl").read_text("utf-8").splitlines())
    assert [row["train/loss"] for row in rows if "train/loss" in row] == losses
    held = [made(Draws(), 0, "item/train", number) for number in validating.tolist()]
    x, y = torch.stack([x for x, _ in held]), torch.tensor([y for _, y in held])
    assert run.result["metrics"]["val/accuracy"] == int((model(x).argmax(1) == y).sum()) / 5
    assert torch.equal(run.predict(x), model(x).detach())


def test_workers_change_no_bit_nor_do_two_resumes_in_one_epoch_with_other_workers(monkeypatch) -> None:
    def items(workers: int) -> Items:
        return Items(Draws(), workers=workers)

    whole = lrsched.run([*TRAIN, "name=whole"], data=items(0))
    lrsched.run([*TRAIN, "name=cut", "sweep.until=4"], data=items(2))
    monkeypatch.delattr(Places, "__getitem__")  # a run that keeps its pace lists no samples: there may be very many
    lrsched.run(["resume=outputs/cut", "sweep.until=5"], data=items(1))
    rest = lrsched.run(["resume=outputs/cut", "sweep.until=null"], data=items(0))
    assert rest.result["weights_sha256"] == whole.result["weights_sha256"]
    assert Path("outputs/cut/metrics.jsonl").read_bytes() == Path("outputs/whole/metrics.jsonl").read_bytes()


def test_it_is_the_run_over_the_same_data_in_memory_and_its_pace_may_change_in_an_epoch() -> None:
    """Without draws nothing but the way to the batch differs: the orders, the parts and the clocks are the same."""
    draw = torch.Generator().manual_seed(0)
    x, y = torch.randn(90, 3, generator=draw), torch.randn(90, generator=draw)
    words = (*TRAIN, "checkpoint.every=1st")
    for name, data in (("memory", (x, y)), ("items", Items(TensorDataset(x, y), workers=0))):
        lrsched.run([*words, f"name={name}", "sweep.until=6"], data=data, task=Regression())
        change = ("sweep.until=null", "dataset.batch_size=10", "checkpoint.allow_change=[dataset.batch_size]")
        lrsched.run([f"resume=outputs/{name}", *change], data=data, task=Regression())
    assert Path("outputs/items/metrics.jsonl").read_bytes() == Path("outputs/memory/metrics.jsonl").read_bytes()


def batches(workers: int, steps: list[int], data: Any = None, **how: Any) -> list[Any]:
    part = Part("train", Draws() if data is None else data)
    loader = ItemLoader(Fetch(part, None, 0), Hands(workers, 2), Transform(), batch_size=16, **how)
    try:
        return [(loader.batch(step), loader.sample_numbers(step)) for step in steps]
    finally:
        loader.close()


@pytest.mark.slow
@pytest.mark.parametrize("workers", [1, 2, 4])
@pytest.mark.parametrize("how", [{}, {"accumulate": 3}, {"limit": 2}, {"overfit": 1}])
def test_any_step_in_any_order_is_the_same_batch(workers: int, how: dict[str, int]) -> None:
    steps = [0, 1, 2, 7, 7, 3, 4, 4, 5, 0]
    for (ours, numbers), (theirs, same) in zip(batches(workers, steps, **how), batches(0, steps, **how), strict=True):
        assert numbers == same
        assert all(torch.equal(a, b) for x, y in zip(ours, theirs, strict=True) for a, b in zip(x, y, strict=True))


def test_workers_make_no_batch_that_the_run_does_not_want_unless_it_is_asked_for(monkeypatch) -> None:
    asked: list[int] = []
    plain = ItemLoader._wanted
    monkeypatch.setattr(ItemLoader, "_wanted", lambda self, step: asked.append(step) or plain(self, step))
    loader = ItemLoader(Fetch(Part("train", Draws()), None, 0), Hands(1, 2), Transform(), batch_size=16)
    loader.ends_at(3)
    made = [loader.batch(step)[0][0] for step in range(3)]
    assert max(asked) == 2
    made += [loader.batch(step)[0][0] for step in range(3, 5)]
    loader.close()
    assert max(asked) > 4
    for (other,), x in zip([here for here, _ in batches(0, [0, 1, 2, 3, 4])], made, strict=True):
        assert torch.equal(other[0], x)


def test_an_item_is_drawn_anew_in_each_epoch_and_the_same_where_its_number_comes_twice() -> None:
    twice = Subset(Draws(), list(range(60)))
    ((x, _),), numbers = batches(0, [0], twice)[0]
    ((again, _),), same = batches(0, [0], twice)[0]
    assert numbers == same
    assert torch.equal(x, again)
    fetch = Fetch(Part("train", Draws()), None, 0)
    x, _ = fetch.here(Wanted([7, 3, 7], (0,)))
    assert torch.equal(x[0], x[2])
    assert not torch.equal(x[0], fetch.here(Wanted([7], (1,)))[0][0])


def test_what_a_config_says_is_built_at_any_depth(run_cli) -> None:
    nodes = (
        "dataset.train={_target_: torch.utils.data.ConcatDataset, datasets: "
        f"[{{_target_: {HERE}.Draws, samples: 30}}, {{_target_: {HERE}.draws_from, samples: 30}}]}}",
        f"dataset.validation={{_target_: {HERE}.Draws, samples: 9}}",
        f"dataset.collate={HERE}.pairs",
        "+dataset.facts.classes=3",
        "dataset.workers=0",
    )
    ended = run_cli(*TRAIN, "name=run", "dataset=torch", *nodes)
    assert ended.code == 0, ended.err
    assert run_cli("outputs/run", "--part", "val", command="evaluate").code == 0


def test_texts_of_different_lengths_are_padded() -> None:
    run = lrsched.run([*TRAIN[:-1], "name=text"], data=Items(Texts(), collate="pad", workers=0), model=Bag(2))
    assert run.result["metrics"]["test/accuracy"] == 1.0
    tokens = torch.tensor([[1, 3, 1, 0, 0, 0, 0, 0, 0, 0], [2, 4, 4, 2, 2, 2, 2, 2, 2, 2]])
    assert run.predict(tokens).argmax(1).tolist() == [0, 1]
    with pytest.raises(DataError, match=r"x: samples of the form that was trained on are wanted"):
        run.predict(tokens[:, :, None])
    with pytest.raises(
        DataError, match=r"sample 1 is \(int64 \[3\], a int\).*give dataset.collate, as dataset.collate"
    ):
        Items(Texts())


def test_padding_is_by_column_and_to_a_length() -> None:
    items = [{"ids": [1, 2, 3], "labels": [4, 5, 6], "n": 3}, {"ids": [7], "labels": [8], "n": 1}]
    made = Pad(values={"labels": -100}, length=2)(items)
    assert {name: column.tolist() for name, column in made.items()} == {
        "ids": [[1, 2], [7, 0]],
        "labels": [[4, 5], [8, -100]],
        "n": [3, 1],
    }


def test_facts_are_read_off_the_data_set_and_never_by_a_pass() -> None:
    class Counted(Draws):
        read = 0

        def __getitem__(self, number: int) -> Any:
            Counted.read += 1
            return super().__getitem__(number)

    facts = Items(Counted(1000)).facts
    assert facts == {"input_shape": (3,), "features": 3, "targets": 1, "classes": 3}
    assert Counted.read == 3  # the first two, and the first once more, since it draws
    y = torch.arange(40) % 4
    assert "classes" not in Items(TensorDataset(torch.rand(40, 2), y)).facts
    assert Items(TensorDataset(torch.rand(40, 2), y), facts={"classes": 4}).facts["classes"] == 4
    assert Items(TensorDataset(torch.rand(40, 2, dtype=torch.float64), y.int())).look()[0].dtype == torch.float32


def test_the_hash_tells_class_length_items_and_arguments_apart_but_not_where_data_lie(tmp_path: Path) -> None:
    plain = Items(Draws()).sha256({})
    assert Items(Draws(), workers=0).sha256({}) == plain
    (tmp_path / "a").touch()
    (tmp_path / "b").touch()
    there = Items(Draws()).sha256({"train": {"root": "a"}})
    assert Items(Draws()).sha256({"train": {"root": "b"}}) == there
    others = [Items(Draws(61)).sha256({}), Items(Bad(99, "")).sha256({}), Items(Bad(0, "label")).sha256({})]
    assert len({plain, there, *others, Items(Draws()).sha256({"train": {"split": "a"}})}) == 6


def test_hugging_face_is_asked_for_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(
        ConfigError, match=r"path=rows: needs the package datasets: .*; pip install 'hydra-lrsched\[hf\]'"
    ):
        HuggingFace("rows")


@pytest.mark.slow
def test_hugging_face_from_disk_and_in_python(run_cli) -> None:
    datasets = pytest.importorskip("datasets")
    arrow = pytest.importorskip("pyarrow")

    labels = datasets.ClassLabel(names=["a", "b"])
    kinds = datasets.Features({"n": datasets.Value("int64"), "tokens": [datasets.Value("int64")], "label": labels})
    columns = {
        "n": list(range(60)),
        "tokens": [[1 + n % 2] * (2 + n % 7) for n in range(60)],
        "label": [n % 2 for n in range(60)],
    }
    rows = datasets.Dataset(
        datasets.table.InMemoryTable(arrow.table(columns, schema=kinds.arrow_schema)),
        info=datasets.DatasetInfo(features=kinds),
        fingerprint="rows",
    )
    rows.save_to_disk("rows")
    node = "{_target_: lrsched.data.HuggingFace, path: rows, columns: [tokens, label]}"
    data = ("dataset=torch", f"dataset.train={node}", "dataset.collate=pad", "dataset.workers=2")
    words = [word for word in TRAIN if not word.startswith("model")]
    ended = run_cli(*words, *data, "~model", f"+model={{_target_: {HERE}.Bag}}", "name=disk")
    assert ended.code == 0, ended.err
    torch.manual_seed(key(0, "init"))
    given = Items(rows.with_format("torch", columns=["tokens", "label"]), collate="pad", workers=0)
    run = lrsched.run([*words, "name=python"], data=given, model=Bag(2))
    assert ended.result("disk")["weights_sha256"] == run.result["weights_sha256"]
    with pytest.raises(DataError, match="IterableDataset is iterable"):
        lrsched.run([*words, "name=stream"], data=rows.to_iterable_dataset())
    assert run_cli(*words, *data, "dataset.train.columns=[token]", "name=bad").code == 2


@pytest.mark.slow  # the import of torchvision
def test_a_folder_of_pictures_and_a_sweep_over_it(run_cli, tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    for number in range(48):
        folder = tmp_path / "photos" / "ab"[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        pixels = draw.integers(0, 128, (8, 8, 3)) + 127 * (number % 2)
        Image.fromarray(pixels.astype(np.uint8)).save(folder / f"{number}.png")
    steps = "{_target_: torchvision.transforms.RandomHorizontalFlip}, {_target_: torchvision.transforms.ToTensor}"
    change = f"{{_target_: torchvision.transforms.Compose, transforms: [{steps}]}}"
    train = f"{{_target_: torchvision.datasets.ImageFolder, root: photos, transform: {change}}}"
    words = [word for word in TRAIN if not word.startswith(("model", "scheduler"))]
    data = ("dataset=torch", f"dataset.train={train}", "model=linear")
    for workers in (0, 2):
        ended = run_cli(*words, *data, "scheduler=cosine", f"name=w{workers}", f"dataset.workers={workers}")
        assert ended.code == 0, ended.err
    assert ended.result("w2")["weights_sha256"] == ended.result("w0")["weights_sha256"]
    swept = run_cli("-m", *words, *data, "scheduler=cosine,wsd,step", "name=sweep", "dataset.workers=1")
    assert swept.code == 0, swept.err


def test_other_workers_need_no_permission_where_they_change_no_batch(run_cli) -> None:
    node = f"dataset.train={{_target_: {HERE}.Draws}}"
    assert run_cli(*TRAIN, "name=run", "dataset=torch", node, "dataset.workers=0", "sweep.until=4").code == 0
    ended = run_cli("resume=outputs/run", "sweep.until=null", "dataset.workers=1", "dataset.prefetch=3")
    assert ended.code == 0, ended.err
    assert "dataset.workers: 0 -> 1" in ended.err
    assert run_cli(*TRAIN, "name=whole", "dataset=torch", node).code == 0
    assert ended.result()["weights_sha256"] == ended.result("whole")["weights_sha256"]
    assert ended.result()["config_sha256"] == ended.result("whole")["config_sha256"]


def test_the_workers_of_another_data_set_are_its_own(run_cli, tmp_path: Path) -> None:
    (tmp_path / "own/dataset").mkdir(parents=True)
    (tmp_path / "own/dataset/mine.yaml").write_text(
        f"defaults: [_dataset, _self_]\n_target_: {HERE}.Mine\nworkers: 3\n", "utf-8"
    )
    assert run_cli(*TRAIN, "--config-dir=own", "name=run", "dataset=mine", "sweep.until=1").code == 0
    ended = run_cli("resume=outputs/run", "--config-dir=own", "sweep.until=null", "dataset=mine", "dataset.workers=4")
    assert ended.code == 2
    assert "checkpoint.allow_change=[dataset" in ended.err


SCRIPT = """
import multiprocessing

import lrsched
from lrsched.data import Items
from tests.helpers.items import Draws

multiprocessing.set_start_method({method!r}, force=True)
{guard}lrsched.run({words!r}, data=Items(Draws(), workers=1))
"""


@pytest.mark.slow
@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_workers_that_are_not_forked_change_no_bit(method: str, tmp_path: Path) -> None:
    words = [*TRAIN, "trainer.epochs=1", f"name={method}"]
    script = SCRIPT.format(method=method, words=words, guard="if __name__ == '__main__': ")
    ended = of_a_script(script, tmp_path)
    assert ended.returncode == 0, ended.stderr
    whole = lrsched.run([*TRAIN, "trainer.epochs=1", "name=whole"], data=Items(Draws(), workers=0))
    assert lrsched.load(f"outputs/{method}").result["weights_sha256"] == whole.result["weights_sha256"]


@pytest.mark.slow
def test_a_script_without_a_guard_is_told_of_it(tmp_path: Path) -> None:
    script = SCRIPT.format(method="spawn", words=[*TRAIN, "name=run"], guard="")
    ended = of_a_script(script, tmp_path)
    assert "it was started by spawn, which runs the script again: is the call behind if __name__" in ended.stderr


def of_a_script(text: str, folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(text, "utf-8")
    path = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [sys.executable, "script.py"], cwd=folder, env=path, capture_output=True, text=True, timeout=300
    )


def test_a_mask_is_made_where_tokens_have_none() -> None:
    items = [{"input_ids": [5, 6, 7], "label": 1}, {"input_ids": [8], "label": 0}]
    assert Pad()(items)["attention_mask"].tolist() == [[1, 1, 1], [1, 0, 0]]
    assert Pad(length=2)(items)["attention_mask"].tolist() == [[1, 1], [1, 0]]
    assert Pad(length=4)(items)["attention_mask"].tolist() == [[1, 1, 1, 0], [1, 0, 0, 0]]
    given = [{**item, "attention_mask": [0] * len(item["input_ids"])} for item in items]
    assert Pad()(given)["attention_mask"].tolist() == [[0, 0, 0], [0, 0, 0]]
