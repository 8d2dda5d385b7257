"""A data set or a task of one's own that is wrong is one message, before a folder is made."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.helpers import wrong_problems
from tests.helpers.cli import Ended

HERE = "tests.helpers.wrong_problems"
OWN = ("~dataset", "~task", "~model", "trainer.progress=false", "logger=none", "threads=1", "trainer.epochs=2")
SOURCES = {
    "nothing": "its load() must return lrsched.data.Data, not NoneType",
    "a tuple": "its load() must return lrsched.data.Data, not tuple",
    "raises": "its load() raised KeyError: 'path' (line ",
    "no file": "its load() raised FileNotFoundError: [Errno 2] No such file or directory: 'missing.pt'",
    "lists": "train x: must be a torch.Tensor, not a list",
    "one tensor": "train: must be a tuple or a mapping of tensors, samples first, not a Tensor",
    "unequal": "train: the columns differ in their number of samples: 60 of x, 59 of y",
    "not a number": "train x: sample 7 (from 0) holds nan",
    "infinite target": "train y: sample 4 (from 0) holds inf",
    "empty": "train x: holds no number: float32 [0, 3]",
    "no columns": "train: has no columns",
    "a number for a column": "train y: must have samples in its first dimension",
    "another test": "x: float32 [60, 3] in train and float32 [5, 2] in test",
    "another type of test": "x: float32 [60, 3] in train and float64 [5, 3] in test",
    "three samples": "dataset.validation=0.1: holds out 0 of 2 samples",
    "strata of another length": "strata: must be whole numbers [60], one a sample, not int64 [59]",
    "groups in order": "groups: are drawn at random, and order=last keeps samples in order",
    "one group": "dataset.test=0.2: holds out whole groups, and there is one",
    "another order": "order: must be shuffled or last, not 'random'",
    "negative gap": "gap: must be a whole number of samples, 0 or more, not -1",
    "gap of everything": "after a gap of 40",
    "facts that are no mapping": "facts: must be a mapping of facts by their names, not a list",
    "another fill": "fill: must be mean, median, a finite number or None, not 'mode'",
    "infinite fill": "fill: must be mean, median, a finite number or None, not inf",
    "sparse": "train x: is sparse",
    "meta": "train x: is on the meta device",
    "grad": "train x: requires a gradient",
    "complex": "RuntimeError: mat1 and mat2 must have the same dtype, but got ComplexFloat and Float (line ",
}
TASKS = {
    "LossIsNumber": "its loss() gives a float, and one number is wanted",
    "LossIsVector": "its loss() gives a tensor of float32 of shape [2], and one number is wanted",
    "LossIsCutOff": "no gradient can flow back",
    "LossIsWhole": "its loss() gives a tensor of int64 of shape [], and one number is wanted",
    "NoLoss": "is no task: it is not a kind of lrsched.tasks.task.Task",
    "WeightIsNone": "its weight() gives nothing, and one number is wanted",
    "WeightIsNegative": "its weight() gives -2.0, and a batch weighs 0 or more",
    "WeightIsVector": "its weight() gives a tensor of float32 of shape [2], and one number is wanted",
    "MeasureIsNone": "its measure() gives nothing, and a tensor for each name is wanted",
    "MeasureIsNumbers": "its measure() gives a float for loss, and a tensor for each name is wanted",
    "MeasureRaises": "KeyError: 'y' (line ",
    "MeasureGrows": "its measure() gives loss as a tensor of float32 of shape [2] for a batch, and",
    "NoWayBack": "the backward pass raised RuntimeError: one of the variables needed for gradient computation has been",
    "MetricsIsNone": "its metrics() gives nothing, and its better names loss",
    "MetricsRaises": "its metrics() raised ZeroDivisionError: division by zero (line ",
    "MetricsIsText": "its metrics() gives a str as loss, and a number is wanted",
    "MetricIsMissing": "its metrics() gives loss, and its better names loss, mae",
    "MetricIsUnnamed": "its metrics() gives loss, extra, and its better names loss",
    "NoDirection": "its better has 'low' for loss, and must have min or max",
    "NoMetric": "its better must name each metric and which way is better",
    "BetterIsList": "its better must name each metric and which way is better",
    "BadName": "its better names a metric 'my metric/%'",
    "CheckRaises": "its check() raised AttributeError: no such column (line ",
    "FactsIsNone": "its facts() gives a NoneType, and a mapping is wanted",
    "FactsRaises": "its facts() raised KeyError: 'classes' (line ",
    "NoTask": "is no task: it is not a kind of lrsched.tasks.task.Task",
    "NeedsArgument": "task.quantile: NeedsArgument needs this argument",
}


@pytest.fixture
def refused(run_cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> Callable[[str, str], str]:
    """What is said of such a data set with such a task."""
    monkeypatch.setenv("LRSCHED_TRUST", HERE)

    def run(dataset: str, task: str) -> str:
        nodes = [f"+dataset={{_target_: {HERE}.{dataset}, batch_size: 16}}", f"+task={{_target_: {HERE}.{task}}}"]
        ended = run_cli(*OWN, *nodes, f"+model={{_target_: {HERE}.Net}}", "name=run")
        assert ended.code == 2, ended.err
        assert ended.err.count("\n") == 1
        assert not (ended.cwd / "outputs").exists()
        return ended.err

    return run


@pytest.mark.parametrize("way", SOURCES)
def test_a_source(refused, way: str) -> None:
    assert SOURCES[way] in refused(f"Wrong, way: {way}", "Mean")


@pytest.mark.parametrize("name", TASKS)
def test_a_task(refused, name: str) -> None:
    assert TASKS[name] in refused("Right", name)


def test_nothing_is_left_out() -> None:
    assert set(SOURCES) == set(wrong_problems.SOURCES)
    own = {name for name, cls in vars(wrong_problems).items() if getattr(cls, "__module__", "") == HERE}
    assert set(TASKS) | {"Right", "Wrong", "Mean", "Net", "_data"} == own
