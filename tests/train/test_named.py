"""Metrics of torchmetrics: their values, the one forward pass, what they leave alone, and what is refused.

The package takes seconds to import: all but the first tests are of the long tier.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrsched
from lrsched.config.digest import config_sha256
from lrsched.config.metric import metric_nodes
from lrsched.data.batch import Batch
from lrsched.errors import ConfigError
from lrsched.tasks import HF, Binary, Classification, LanguageModel, Regression, Segmentation, Task
from lrsched.train.evaluate import evaluate
from lrsched.train.named import NamedMetrics
from lrsched.train.precision import Precision
from tests.helpers.cli import TINY, Ended
from tests.helpers.house import in_a_fresh_process

CPU = torch.device("cpu")
RUN = (*TINY, "logger=none", "name=run")
F1 = "+trainer.metrics.f1=F1Score"
MACRO = "+trainer.metrics.macro={_target_: torchmetrics.classification.MulticlassF1Score, average: macro}"
Train = Callable[..., Ended]


@pytest.fixture
def torchmetrics() -> Iterator[ModuleType]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # what is deprecated in what it imports
        yield pytest.importorskip("torchmetrics")


class Counted(nn.Module):
    """Gives its input, and counts how often it is asked."""

    calls = 0

    def forward(self, x: Tensor) -> Tensor:
        self.calls += 1
        return x


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(len(shape)))


def pieces(*columns: Tensor) -> list[Batch]:
    """Batches of uneven sizes: 5, 1 and the rest."""
    return [tuple(column[start:end] for column in columns) for start, end in ((0, 5), (5, 6), (6, None))]


def measured(task: Task, facts: dict[str, Any], batches: list[Batch], asked: dict[str, Any]) -> dict[str, float]:
    model = Counted()
    named = NamedMetrics(metric_nodes(asked), task, facts, CPU)
    found = [evaluate(model, batches, task, Precision("fp32", CPU), "val", named) for _ in range(2)]
    assert found[0] == found[1]  # each evaluation begins anew
    assert model.calls == 2 * len(batches)  # one pass
    own = evaluate(model, batches, task, Precision("fp32", CPU), "val")
    assert {name: value for name, value in found[0].items() if name in own} == own
    assert not model._forward_hooks
    return {name.removeprefix("val/"): value for name, value in found[0].items() if name not in own}


@pytest.mark.slow
def test_none_is_named_and_nothing_is_imported(tmp_path: Path) -> None:
    code = f"import os, sys, lrsched; os.chdir({str(tmp_path)!r}); lrsched.run({[*RUN]!r})"
    code += "; assert 'torchmetrics' not in sys.modules"
    in_a_fresh_process(code)


def test_no_metric_is_what_runs_without_the_key_computed() -> None:
    assert config_sha256({"trainer": {"epochs": 2, "metrics": {}}}) == config_sha256({"trainer": {"epochs": 2}})
    named = {"trainer": {"epochs": 2, "metrics": {"f1": "F1Score"}}}
    assert config_sha256(named) != config_sha256({"trainer": {"epochs": 2}})


def test_a_missing_package_is_said_with_the_line_that_installs_it(run_cli: Train, monkeypatch) -> None:
    monkeypatch.setattr("lrsched.config.metric.find_spec", lambda name: None)
    ended = run_cli(*RUN, F1)
    assert ended.code == 2
    assert "trainer.metrics.f1=F1Score: needs torchmetrics, which is not installed" in ended.err
    assert "pip install 'hydra-lrsched[metrics]'" in ended.err
    assert not (ended.cwd / "outputs").exists()


@pytest.mark.slow
def test_classes_get_probabilities_and_labels(torchmetrics: ModuleType) -> None:
    logits, y = random(12, 3), torch.tensor([0, 1, 2, 2, 1, 0, 0, 0, 1, 2, 2, 0])
    classes = torchmetrics.classification
    found = measured(
        Classification(classes=3),
        {"classes": 3},
        pieces(logits, y),
        {"f1": {"_target_": "MulticlassF1Score", "average": "macro"}, "auc": "AUROC", "top": "MulticlassAccuracy"},
    )
    hits, each = logits.argmax(1), []
    for one in range(3):
        right = int(((hits == one) & (y == one)).sum())
        each.append(2 * right / (int((hits == one).sum()) + int((y == one).sum())))
    assert found["f1"] == pytest.approx(sum(each) / 3, rel=1e-6)  # float32
    auc = classes.MulticlassAUROC(num_classes=3)
    top = classes.MulticlassAccuracy(num_classes=3)
    assert found["auc"] == float(auc(logits.softmax(1), y))
    assert found["top"] == float(top(logits.softmax(1), y))


@pytest.mark.slow
def test_numbers_are_compared_in_the_unit_of_the_target(torchmetrics: ModuleType) -> None:
    z, y = random(12, 1), 1e3 + 5 * random(12)
    task = Regression(target_mean=1e3, target_std=5.0, targets=1)
    told = {"mse": "MeanSquaredError", "pearson": {"_target_": "PearsonCorrCoef", "better": "max"}, "r": "R2Score"}
    found = measured(task, {"targets": 1}, pieces(z, y), told)
    said = 1e3 + 5 * z.double().squeeze(1)
    assert found["mse"] == pytest.approx(float(((said - y.double()) ** 2).mean()), rel=1e-12)
    both = torch.stack([said, y.double()])
    assert found["pearson"] == pytest.approx(float(both.corrcoef()[0, 1]), rel=1e-9)
    assert found["r"] == pytest.approx(
        float(1 - ((said - y) ** 2).sum() / ((y.double() - y.double().mean()) ** 2).sum())
    )


@pytest.mark.slow
def test_several_targets_are_averaged(torchmetrics: ModuleType) -> None:
    z, y = random(12, 3), random(12, 3).flip(0)
    asked = {"pearson": {"_target_": "PearsonCorrCoef", "better": "max"}, "error": "MeanAbsoluteError"}
    found = measured(Regression(targets=3), {"targets": 3}, pieces(z, y), asked)
    each = [float(torch.stack([z[:, n], y[:, n]]).double().corrcoef()[0, 1]) for n in range(3)]
    assert found["pearson"] == pytest.approx(sum(each) / 3, rel=1e-9)
    assert found["error"] == pytest.approx(float((z.double() - y.double()).abs().mean()), rel=1e-12)


@pytest.mark.slow
@pytest.mark.parametrize("targets", [1, 3])
def test_yes_or_no_gets_probabilities_of_yes(torchmetrics: ModuleType, targets: int) -> None:
    logits = random(12, targets)
    y = (random(12, targets).flip(0) > 0).float()
    task, facts = Binary(targets=targets), {"targets": targets, "classes": 2}
    found = measured(task, facts, pieces(logits, y[:, 0] if targets == 1 else y), {"auc": "AUROC", "f": "F1Score"})
    classes = torchmetrics.classification
    auc = classes.BinaryAUROC() if targets == 1 else classes.MultilabelAUROC(num_labels=3)
    f1 = classes.BinaryF1Score() if targets == 1 else classes.MultilabelF1Score(num_labels=3, average="micro")
    assert found["auc"] == float(auc(logits.sigmoid(), y.long()))
    assert found["f"] == float(f1(logits.sigmoid(), y.long()))


@pytest.mark.slow
def test_tokens_are_laid_in_one_row_and_the_ignored_ones_left_out(torchmetrics: ModuleType) -> None:
    class Table(Counted):
        def forward(self, x: Tensor) -> Tensor:
            self.calls += 1
            return table[x]

    table, tokens = random(5, 5), torch.arange(60).reshape(12, 5).remainder(7).clamp(max=4)
    tokens[7, 1:] = 0
    task = LanguageModel(vocabulary=5, ignore=0)
    named = NamedMetrics(
        metric_nodes({"top2": {"_target_": "MulticlassAccuracy", "top_k": 2, "average": "micro"}}), task, {}, CPU
    )
    batches: list[Batch] = [*pieces(tokens), (torch.zeros(2, 5, dtype=torch.int64),)]  # nothing counts in the last one
    found = evaluate(Table(), batches, task, Precision("fp32", CPU), "val", named)
    x, y = tokens[:, :-1].flatten(), tokens[:, 1:].flatten()
    hits = (table[x].topk(2).indices == y[:, None]).any(1)[y != 0]
    assert found["val/top2"] == pytest.approx(float(hits.double().mean()), rel=1e-6)


@pytest.mark.slow
def test_pixels_count_where_their_label_does(torchmetrics: ModuleType) -> None:
    logits, y = random(12, 3, 4, 4), torch.arange(192).reshape(12, 4, 4) % 3
    y[:, 0] = 255
    task = Segmentation(classes=3, ignore=255)
    asked = {
        "iou": {"_target_": "JaccardIndex", "average": "macro"},
        "acc": {"_target_": "Accuracy", "average": "micro"},
    }
    found = measured(task, {"classes": 3}, pieces(logits, y), asked)
    own = evaluate(Counted(), pieces(logits, y), task, Precision("fp32", CPU), "val")
    assert found == pytest.approx({"iou": own["val/miou"], "acc": own["val/accuracy"]}, rel=1e-6)


@pytest.mark.slow
def test_the_output_is_that_of_the_first_call_however_often_a_task_asks(torchmetrics: ModuleType) -> None:
    class Twice(Classification):
        def measure(self, model: nn.Module, batch: Batch) -> dict[str, Tensor]:
            model(batch[0].flip(1))  # not what forward() asks
            return super().measure(model, batch)

    task = Twice(classes=3)
    named = NamedMetrics(metric_nodes({"f1": "F1Score"}), task, {}, CPU)
    logits, y = random(12, 3), torch.arange(12) % 3
    found = evaluate(Counted(), pieces(logits, y), task, Precision("fp32", CPU), "val", named)
    assert found["val/f1"] == pytest.approx(float((logits.flip(1).argmax(1) == y).double().mean()), rel=1e-6)


@pytest.mark.slow
def test_a_run_trains_the_same_weights_and_writes_them_everywhere(run_cli: Train, torchmetrics: ModuleType) -> None:
    assert run_cli(*TINY, "logger=none", "name=plain").code == 0
    ended = run_cli(*TINY, "name=run", "logger=[csv,tensorboard]", F1, MACRO, "checkpoint.monitor=val/macro")
    assert ended.code == 0, ended.err
    plain, result = ended.result("plain"), ended.result()
    assert result["weights_sha256"] == plain["weights_sha256"]
    assert result["better"] == {"loss": "min", "accuracy": "max", "f1": "max", "macro": "max"}
    names = {f"{part}/{name}" for part in ("val", "test") for name in ("loss", "accuracy", "f1", "macro")}
    assert set(result["metrics"]) == names
    assert {"test/f1", "test/macro", "val/f1"} <= set(result["best"])
    rows = [row for row in ended.rows() if "val/f1" in row]
    assert [row["step"] for row in rows] == [6, 12]
    for row, theirs in zip(rows, [row for row in ended.rows("plain") if "val/loss" in row], strict=True):
        assert {name: value for name, value in row.items() if name in theirs} == theirs
        assert row["val/f1"] == pytest.approx(row["val/accuracy"], rel=1e-6)  # micro
    best = max(rows, key=lambda row: row["val/macro"])
    assert result["best"]["step"] == best["step"]
    state = next((ended.cwd / "outputs/run/checkpoints").rglob("state.pt"))
    assert set(torch.load(state, weights_only=True)) == set(
        torch.load(next((ended.cwd / "outputs/plain/checkpoints").rglob("state.pt")), weights_only=True)
    )
    evaluated = run_cli("outputs/run", "--json", "found.json", command="evaluate")
    assert evaluated.code == 0
    found = json.loads(Path("found.json").read_text("utf-8"))
    assert found == {name: value for name, value in result["metrics"].items() if name.startswith("test/")}
    assert lrsched.load("outputs/run").evaluate("val") == {k: v for k, v in result["metrics"].items() if "val/" in k}
    report = run_cli("outputs/run", "outputs/plain", "--metric", "val/macro", command="report")
    assert report.code == 0, report.err
    assert "macro" in report.out


@pytest.mark.slow
def test_a_run_that_is_cut_and_resumed_has_equal_rows(run_cli: Train, torchmetrics: ModuleType) -> None:
    words = (*TINY, "logger=none", F1, MACRO, "trainer.accumulate=2", "dataset.eval_batch_size=3")
    assert run_cli(*words, "name=whole").code == 0
    assert run_cli(*words, "name=cut", "sweep.until=4").code == 0
    ended = run_cli("resume=outputs/cut", "sweep.until=null")
    assert ended.code == 0
    assert ended.rows("cut") == ended.rows("whole")
    assert ended.result("cut")["metrics"] == ended.result("whole")["metrics"]


@pytest.mark.slow
def test_a_metric_may_stop_early_and_rank_a_sweep(run_cli: Train, torchmetrics: ModuleType) -> None:
    early = ("trainer.early_stop.monitor=val/f1", "trainer.early_stop.patience=1", "trainer.early_stop.threshold=1.0")
    ended = run_cli(*TINY, "trainer.epochs=5", "logger=none", "name=early", F1, *early)
    assert (ended.code, ended.result("early")["ended"]) == (0, "early")
    plateau = ("scheduler=plateau", "scheduler.monitor=val/f1", "scheduler.mode=max")
    assert run_cli(*TINY, "logger=none", "name=plateau", F1, *plateau).code == 0
    halving = ("hydra/sweeper=halving", "scheduler=cosine,wsd,linear,step", "checkpoint.monitor=val/f1", "-m")
    ended = run_cli(*TINY, "logger=none", "name=halved", "trainer.epochs=4", "hydra/launcher=basic", F1, *halving)
    assert ended.code == 0, ended.err
    head = (ended.cwd / "outputs/halved/sweep.csv").read_text("utf-8").splitlines()[0]
    assert {"val/f1", "test/f1"} <= set(head.split(","))


@pytest.mark.slow
def test_a_resumed_run_may_have_another_metric_where_it_is_allowed(run_cli: Train, torchmetrics: ModuleType) -> None:
    assert run_cli(*RUN, "sweep.until=6").code == 0
    ended = run_cli("resume=outputs/run", "sweep.until=null", F1)
    assert ended.code == 2
    assert "checkpoint.allow_change=[trainer.metrics.f1]" in ended.err
    ended = run_cli("resume=outputs/run", "sweep.until=null", F1, "checkpoint.allow_change=[trainer.metrics.f1]")
    assert ended.code == 0, ended.err
    assert "test/f1" in ended.result()["metrics"]
    off = ("resume=outputs/run", "trainer.epochs=3", "trainer.on_extend=keep", "+trainer.metrics.f1=null")
    ended = run_cli(*off, "checkpoint.allow_change=[trainer.metrics.f1]")
    assert ended.code == 0, ended.err
    assert "test/f1" not in ended.result()["metrics"]


REFUSED = {
    "unknown": (("+trainer.metrics.f1=f1score",), "did you mean 'F1Score'?"),
    "mistyped": (("+trainer.metrics.f1=MulticlasF1Score",), "did you mean 'MulticlassF1Score'?"),
    "a number": (("+trainer.metrics.f1=3",), "must be the name of a class of torchmetrics"),
    "no target": (("+trainer.metrics.f1={average: macro}",), "must be the name of a class of torchmetrics"),
    "not torchmetrics": (("+trainer.metrics.f1={_target_: os.system}",), "is not an allowed metric"),
    "a function": (("+trainer.metrics.f1=torchmetrics.functional.accuracy",), "is not a class defined in torchmetrics"),
    "an alias": (("+trainer.metrics.f1=torchmetrics.metric.Module",), "is not a class defined in torchmetrics"),
    "not a metric": (("+trainer.metrics.f1=torchmetrics.MetricCollection",), "is no metric"),
    "a wrapper": (("+trainer.metrics.f1=torchmetrics.BootStrapper",), "is no metric of predictions and targets"),
    "images alone": (
        ("+trainer.metrics.f1=torchmetrics.image.LearnedPerceptualImagePatchSimilarity",),
        "its update takes (img1",
    ),
    "downloads": (("+trainer.metrics.f1=DeepImageStructureAndTextureSimilarity",), "is no metric of predictions"),
    "text": (("+trainer.metrics.f1=torchmetrics.text.BLEUScore",), "is no metric of predictions and targets alone"),
    "groups": (("+trainer.metrics.f1=BinaryFairness",), "its update takes (preds"),
    "argument": (("+trainer.metrics.f1={_target_: F1Score, avrage: macro}",), "did you mean 'average'?"),
    "value": (("+trainer.metrics.f1={_target_: MulticlassF1Score, average: some}",), "trainer.metrics.f1"),
    "process group": (("+trainer.metrics.f1={_target_: F1Score, dist_sync_fn: os.system}",), "takes no such argument"),
    "clash": (("+trainer.metrics.accuracy=Accuracy",), "is a metric of the task already"),
    "name": (("+trainer.metrics._f1=Accuracy",), "a name is a letter"),
    "no direction": (("+trainer.metrics.eer=MulticlassEER",), "add better: max to the node"),
    "wrong direction": (("+trainer.metrics.f1={_target_: F1Score, better: min}",), "F1Score is the more the better"),
    "no word": (("+trainer.metrics.f1={_target_: F1Score, better: up}",), "must be one of min, max"),
    "vector": (("+trainer.metrics.f1={_target_: MulticlassF1Score, average: none}",), "gives 4 numbers"),
    "matrix": (("+trainer.metrics.m={_target_: ConfusionMatrix, better: max}",), "gives 16 numbers"),
    "tuple": (("+trainer.metrics.m={_target_: ROC, better: max}",), "gives a tuple"),
    "another task": (("+trainer.metrics.f1=BinaryF1Score",), "cannot be given predictions float32 [2, 4]"),
    "yes or no": (
        (
            "dataset=diabetes",
            "task=regression",
            "~dataset.samples",
            "~dataset.classes",
            "+trainer.metrics.f1=BinaryAUROC",
        ),
        "is a metric of classes, or of yes and no",
    ),
    "numbers": (("+trainer.metrics.f1=MeanSquaredError",), "cannot be given predictions"),
    "no monitor": ((F1, "checkpoint.monitor=val/f2"), "did you mean 'val/f1'?"),
    "wrong mode": ((F1, "checkpoint.monitor=val/f1", "checkpoint.mode=min"), "give checkpoint.mode=max"),
    "no classes": (
        ("dataset=diabetes", "task=regression", "~dataset.samples", "~dataset.classes", F1),
        "trainer.metrics.f1",
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("words", REFUSED)
def test_a_metric_that_cannot_be_used_is_refused_before_anything_is_written(
    run_cli: Train, torchmetrics: ModuleType, words: str
) -> None:
    asked, message = REFUSED[words]
    given = RUN if words not in ("no classes", "yes or no") else ("logger=none", "name=run")
    ended = run_cli(*given, *(word for word in asked if not word.startswith("~")))
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert "trainer.metrics" in ended.err or "checkpoint.m" in ended.err
    assert ended.err.count("\n") == 1, ended.err
    assert "Traceback" not in ended.err
    assert not (ended.cwd / "outputs").exists()


@pytest.mark.slow
def test_a_metric_is_no_module_of_a_shelf_but_one_of_a_trusted_module_may_be(
    run_cli: Train, torchmetrics: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "my_metrics.py").write_text(
        "import torch\nfrom torchmetrics import Metric\n\n"
        "class Zeros(Metric):\n    higher_is_better = False\n\n"
        "    def __init__(self):\n        super().__init__()\n        self.add_state('n', torch.tensor(0))\n\n"
        "    def update(self, preds, target):\n        self.n += (target == 0).sum()\n\n"
        "    def compute(self):\n        return self.n\n",
        "utf-8",
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    words = (*RUN, "+trainer.metrics.zeros=my_metrics.Zeros")
    ended = run_cli(*words)
    assert (ended.code, "is not an allowed metric" in ended.err) == (2, True)
    monkeypatch.setenv("LRSCHED_TRUST", "my_metrics")
    ended = run_cli(*words)
    assert ended.code == 0, ended.err
    assert ended.result()["better"]["zeros"] == "min"


@pytest.mark.slow
def test_an_error_in_an_evaluation_is_said_and_the_checkpoint_stays(run_cli: Train, torchmetrics, monkeypatch) -> None:
    def fail(self: NamedMetrics, task: Task, batch: Batch) -> None:
        raise ConfigError("trainer.metrics.f1", "F1Score", "cannot be given predictions")

    monkeypatch.setattr("lrsched.assembly.parts.try_metrics", lambda *_: None)
    monkeypatch.setattr(NamedMetrics, "update", fail)
    ended = run_cli(*RUN, F1)
    assert ended.code == 2
    assert "cannot be given predictions" in ended.err
    assert list((ended.cwd / "outputs/run/checkpoints").iterdir())


@pytest.mark.parametrize("shape", [(4,), (4, 5)])
def test_labels_of_a_model_with_its_own_loss_are_laid_in_one_row(shape: tuple[int, ...]) -> None:
    logits, labels = random(*shape, 3), torch.arange(torch.Size(shape).numel()).reshape(shape) % 3
    labels[-1] = -100
    task = HF(counts="next_labels" if len(shape) > 1 else "samples")
    found, y = task.compared({"logits": logits}, {"x": labels, "labels": labels})
    if len(shape) > 1:
        logits, labels = logits[:, :-1], labels[:, 1:]
    assert torch.equal(y, labels[:-1].flatten())
    assert torch.equal(found, logits[:-1].flatten(0, -2).softmax(1))
