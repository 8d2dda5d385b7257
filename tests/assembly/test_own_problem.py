"""A problem of one's own trains, stops, resumes, is swept and reported, and equals a bare loop to the last bit."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from lrsched.data.loader import order
from lrsched.data.split import split
from lrsched.seeds import key
from tests.helpers.cli import TINY, Ended
from tests.helpers.own_problem import Large, Net, Noisy, Pinball

HERE = "tests.helpers.own_problem"
THREE = "task._target_=torch.nn.TripletMarginLoss"
OWN = ("~dataset", "~task", "~model", "trainer.progress=false", "logger=none", "threads=1", "optimizer=sgd")


@pytest.fixture
def train(run_cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Train one of these on one of these."""
    monkeypatch.setenv("LRSCHED_TRUST", HERE)

    def run(name: str, *more: str, data: str = "Noisy", task: str = "Pinball", model: str = "Net") -> Ended:
        nodes = [f"+dataset={{_target_: {HERE}.{data}, batch_size: 16}}", f"+task={{_target_: {HERE}.{task}}}"]
        return run_cli(*OWN, *nodes, f"+model={{_target_: {HERE}.{model}}}", f"name={name}", *more)

    return run


def test_it_is_a_bare_loop_to_the_last_bit(train) -> None:
    ended = train("run", "trainer.epochs=2", "trainer.log_every=1st", "scheduler=constant", "+task.q=0.9")
    assert ended.code == 0, ended.err
    rows = [row for row in ended.rows("run") if "train/loss" in row]
    parts = split(Noisy().load(), validation=0.1, test=0.2, seed=0)
    x, y = parts.train
    torch.manual_seed(key(0, "init"))
    model = Net(3)
    optimizer = torch.optim.SGD(
        [
            {"params": [p for p in model.parameters() if p.ndim > 1], "weight_decay": 5e-4},
            {"params": [p for p in model.parameters() if p.ndim < 2], "weight_decay": 0.0},
        ],
        lr=0.1,
        momentum=0.9,
        nesterov=True,
    )
    losses = []
    for epoch in range(2):
        for numbers in order(0, epoch, len(y)).split(16):
            loss = Pinball(q=0.9).loss(model, (x[numbers], y[numbers]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert [row["train/loss"] for row in rows] == losses
    x, y = parts.validation
    below = int((y <= model(x)).sum())
    assert ended.result("run")["metrics"]["val/covered"] == below / len(y)
    assert ended.result("run")["better"] == {"loss": "min", "covered": "max"}


def test_it_is_resumed_and_early_stopped_by_its_own_metric(train, run_cli, monkeypatch) -> None:
    whole = train("whole", "trainer.epochs=3", "checkpoint.monitor=val/covered", "trainer.early_stop.monitor=val/loss")
    assert whole.code == 0, whole.err
    monkeypatch.setenv("LRSCHED_TRUST", f"not.needed,{HERE}")
    cut = train("cut", "trainer.epochs=3", "checkpoint.monitor=val/covered", "sweep.until=5")
    line = f"LRSCHED_TRUST={HERE} lrsched train resume=outputs/cut"  # to be pasted into another shell
    assert cut.code == 0, cut.err
    assert f"  resume  {line}\n" in cut.out
    assert f"or continue it: {line}\n" in train("cut").err
    assert run_cli("resume=outputs/cut", "sweep.until=null").code == 0
    assert whole.result("cut")["weights_sha256"] == whole.result("whole")["weights_sha256"]
    assert whole.rows("cut") == whole.rows("whole")
    covered = [row["val/covered"] for row in whole.rows("whole") if "val/covered" in row]
    assert whole.result("whole")["best"]["val/covered"] == max(covered)


def test_its_error_in_training_is_its_own(train) -> None:
    ended = train("run", task="Large")
    assert ended.code == 2
    where = f"line {inspect.getsourcelines(Large.measure)[1] + 2} of {inspect.getfile(Large)}"
    again = f"mend it, and go on with: LRSCHED_TRUST={HERE} lrsched train resume=outputs/run"
    log = "the code at fault is not ours; its traceback is in outputs/run/train.log"
    assert ended.err == f"lrsched: IndexError: too many ({where}): {log}; {again}\n"
    assert ended.result()["ended"] == "error"


FIELDS = "give the task the fields target_mean and target_std, and divide by them"
TELL = "dataset.standardise=true, or Data(…, standardise=True)"


@pytest.mark.parametrize(
    ("task", "more", "scale", "remedy"),
    [
        (f"{HERE}.Pinball", (), 50_000, FIELDS),
        (f"{HERE}.Pinball", (), 1, None),
        (f"{HERE}.Pinball", ("dataset.standardise=false",), 0.0001, f"{FIELDS}; have the data set tell them: {TELL}"),
        (f"{HERE}.Told", (), 50_000, None),
        (f"{HERE}.Told", ("dataset.standardise=false",), 50_000, f"the target's mean and deviation: {TELL}"),
        ("torch.nn.HuberLoss", (), 50_000, "task=regression standardises it (task.loss=mse, mae or huber)"),
        ("lrsched.tasks.Regression", (), 50_000, None),
        ("lrsched.tasks.Regression", ("dataset.standardise=false",), 50_000, TELL),
    ],
    ids=["own", "small", "tiny", "told", "nothing told", "torch", "ours", "ours, not told"],
)
def test_a_large_target_that_a_task_gets_as_it_is(run_cli, monkeypatch, task, more, scale, remedy: str | None) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", HERE)
    Path("t.csv").write_text("a,y\n" + "".join(f"{n},{n % 11 * scale}\n" for n in range(44)), "utf-8")
    words = ("dataset=table", "dataset.path=t.csv", "dataset.target=y", "~task", f"+task={{_target_: {task}}}")
    ended = run_cli(*words, *more, "trainer.steps=1", "trainer.progress=false", "logger=none", "optimizer.lr=1e-9")
    assert ended.code == 0, ended.err
    if remedy is None:
        assert ended.err == ""
    else:
        assert ended.err.startswith(f"lrsched: warning: task={task}: the target is about ")
        assert ended.err.endswith(f"{remedy}\n")


def test_accumulated_batches_weigh_as_their_samples(train) -> None:
    """65 samples in 20 + 20 + 20 + 5: micro-batches of unequal size."""
    one = train("one", "trainer.epochs=1", "dataset.batch_size=65", "trainer.log_every=1st")
    four = train("four", "trainer.epochs=1", "dataset.batch_size=20", "trainer.accumulate=4", "trainer.log_every=1st")
    assert one.code == four.code == 0, one.err + four.err
    (first,), (other,) = ([row for row in one.rows(name) if "train/loss" in row] for name in ("one", "four"))
    assert other["train/loss"] == pytest.approx(first["train/loss"], rel=1e-6)
    assert other["grad_norm"] == pytest.approx(first["grad_norm"], rel=1e-6)


def test_named_columns(train) -> None:
    ended = train("run", "trainer.epochs=1", data="Named", task="OfNames")
    assert ended.code == 0, ended.err
    assert set(ended.result("run")["metrics"]) == {"val/loss", "test/loss"}


@pytest.mark.parametrize(
    ("more", "kind", "message"),
    [
        (
            (),
            {"task": "NoMean"},
            f"task={HERE}.NoMean: its loss() gives a tensor of float32 of shape [2], and one number",
        ),
        ((), {"model": "Needy"}, "model.colours: Needy needs this argument, and the data set tells features"),
        (("checkpoint.monitor=val/accuracy",), {}, "checkpoint.monitor=val/accuracy: is no metric of an evaluation"),
        (
            ("checkpoint.monitor=val/covered", "checkpoint.mode=min"),
            {},
            "checkpoint.mode=min: the monitored val/covered is the more the better; give checkpoint.mode=max",
        ),
        (
            ("+dataset.augment.crop=1",),
            {},
            "changes images [samples, C, H, W] of uint8 or floats, and the inputs here",
        ),
        (("+dataset.fold=5",), {}, "dataset.fold=5: must lie in 0 … 4"),
        (
            (),
            {"task": "Raises"},
            f"task={HERE}.Raises: cannot be called with a batch of shape [2, 3]: KeyError: 'mask'",
        ),
        (
            (),
            {"data": "Weighed", "task": "OfNames"},
            "train weight: sample 7 (from 0) weighs -2.0; it must be at least 0",
        ),
        (("trainer.label_smoothing=0.1",), {}, "trainer.label_smoothing: has moved; it is task.label_smoothing now"),
    ],
    ids=["no mean", "no fact", "no metric", "wrong way", "no images", "no fold", "raises", "negative weight", "moved"],
)
def test_what_cannot_be_is_one_message(train, more, kind, message: str) -> None:
    ended = train("run", *more, **kind)
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not (ended.cwd / "outputs").exists()


def test_a_sweep_over_folds_shows_its_own_metric(train, run_cli) -> None:
    ended = train("folds", "trainer.epochs=1", "scheduler=cosine,constant", "+dataset.fold=0,1,2,3,4", "-m")
    assert ended.code == 0, ended.err
    for metric, beside in (("val/covered", "test/covered"), ("test/covered", "test/loss")):
        told = run_cli("outputs/folds", "--metric", metric, command="report")
        assert told.code == 0, told.err
        assert metric in told.out
        assert beside in told.out


def test_a_loss_of_pytorch_trains_as_the_task_that_it_is(run_cli) -> None:
    for name, task in (("ours", "classification"), ("theirs", "torch/CrossEntropyLoss")):
        ended = run_cli(*TINY, f"task={task}", f"name={name}", "logger=none")
        assert ended.code == 0, ended.err
    ours, theirs = (ended.result(name) for name in ("ours", "theirs"))
    assert theirs["weights_sha256"] == ours["weights_sha256"]
    assert theirs["metrics"]["test/loss"] == pytest.approx(ours["metrics"]["test/loss"], rel=1e-6)
    assert theirs["better"] == {"loss": "min"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["task=torch/HuberLoss", "task.delta=-1"], "task=torch.nn.HuberLoss: cannot be called with a batch"),
        (["task=torch/L1Loss", "+task.foo=1"], "task.foo=1: L1Loss takes no such argument"),
        (["task=torch/L1Loss", "+task.reduction=sum"], "task.reduction=sum: must be mean"),
        (
            ["task=torch/L1Loss", THREE],
            "task._target_=torch.nn.TripletMarginLoss: ",
        ),
    ],
    ids=["value", "argument", "reduction", "three inputs"],
)
def test_a_loss_of_pytorch_is_named_by_its_key(run_cli, words: list[str], message: str) -> None:
    ended = run_cli(*TINY, *words, "name=run")
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1
