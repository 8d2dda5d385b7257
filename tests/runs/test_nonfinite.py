"""What a user sees of a number that is not finite: exit codes, messages, result.json, and the same bytes on resume."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest
import torch

from lrsched.data.images import pixel_statistics
from lrsched.data.loader import Loader
from lrsched.data.split import split
from tests.helpers.cli import TINY
from tests.helpers.marked_data import Marked
from tests.runs.test_resume import same, stop_at

STEP = 13
CPU = torch.device("cpu")


def bad_at(step: int) -> tuple[list[str], list[int]]:
    """Overrides for a run whose update ``step`` meets one bad sample, and the numbers of that update's samples."""
    arrays = Marked(samples=120, classes=4).load()
    parts = split(arrays, validation=0.1, test=0.2, seed=0)
    transform = parts.transform(CPU)
    numbers = Loader(parts.train, transform, batch_size=16).sample_numbers(step)
    image = parts.train[0][numbers[2]]
    (index,) = (arrays.train_x == image).flatten(1).all(1).nonzero().flatten().tolist()
    mean, std = pixel_statistics(parts.train[0])
    mark = (228 - float(mean)) / float(std)  # between 200 and 255; the one mark hardly moves the mean
    return [
        "dataset._target_=tests.helpers.marked_data.Marked",
        f"+dataset.marked={index}",
        "model._target_=tests.helpers.marked_data.MarkedModel",
        "~model.hidden",
        "~model.activation",
        f"+model.mark={mark}",
    ], numbers


OPTIONS, NUMBERS = bad_at(STEP)
OPTIONS = (
    *TINY,
    *OPTIONS,
    "model.dropout=0.2",
    "trainer.epochs=3",  # 18 updates: the bad sample is met in each epoch, at 13 for the last time
    "trainer.log_every=1st",
    "trainer.evaluate_every=2st",
    "checkpoint.every=5st",
    "checkpoint.keep=1",
    "logger=[csv]",
)


@pytest.fixture(autouse=True)
def trusted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", "tests.helpers.marked_data")


def first_bad() -> int:
    """The first update that the sample of update 13 is in, by the order of the loader."""
    arrays = Marked(samples=120, classes=4).load()
    parts = split(arrays, validation=0.1, test=0.2, seed=0)
    transform = parts.transform(CPU)
    loader = Loader(parts.train, transform, batch_size=16)
    return next(step for step in range(18) if NUMBERS[2] in loader.sample_numbers(step))


@pytest.mark.parametrize("ill", ["loss", "gradient"])
def test_stop_says_the_step_the_samples_and_the_last_good_checkpoint(run_cli, ill: str) -> None:
    ended = run_cli(*OPTIONS, f"+model.ill={ill}", "name=run")
    result, step = ended.result(), first_bad()
    last = step // 5 * 5
    assert ended.code == 3
    assert (result["status"], result["step"]) == ("failed", step)
    found = result["nonfinite"]
    assert (found["step"], found["checkpoint"]) == (step, last)
    assert NUMBERS[2] in found["samples"]
    assert len(found["samples"]) in (16, 6)
    what = "the training loss is nan" if ill == "loss" else "the gradient of first.weight, first.bias, norm.weight and"
    assert found["what"].startswith(what)
    assert f"step {step}: {what}" in ended.err
    assert f"the last good checkpoint is step {last}, outputs/run/checkpoints/step-{last:010}; " in ended.err
    assert ended.err.count("lrsched:") == 1
    assert "trainer.on_nonfinite=skip" in ended.err
    assert f"'samples': {found['samples']}" in Path("outputs/run/train.log").read_text("utf-8")
    healthy = run_cli(*OPTIONS, f"+model.ill={ill}", "scheduler=constant", f"trainer.steps={step}", "name=healthy")
    bad = run_cli(*OPTIONS, f"+model.ill={ill}", "scheduler=constant", "name=bad")
    assert bad.result("bad")["weights_sha256"] == healthy.result("healthy")["weights_sha256"]


SCHEDULERS = ["cosine", "plateau", "torch/OneCycleLR", "torch/ReduceLROnPlateau"]


@pytest.mark.parametrize("scheduler", SCHEDULERS)
@pytest.mark.parametrize("policy", ["skip", "rollback"])
def test_stopped_and_resumed_it_is_the_same_run(run_cli, monkeypatch, policy: str, scheduler: str) -> None:
    options = (*OPTIONS, f"trainer.on_nonfinite={policy}", f"scheduler={scheduler}")
    whole = run_cli(*options, "name=whole")
    assert whole.code == 0, whole.err
    result, log = whole.result("whole"), Path("outputs/whole/train.log").read_text("utf-8")
    assert result["passed"] >= 3
    assert result["rollbacks"] == (
        whole.err.count("went back to the checkpoint of step") if policy == "rollback" else 0
    )
    assert log.count("passed over the batch of" if policy == "skip" else "went back") >= 3
    assert [row["passed"] for row in whole.rows("whole") if "passed" in row][-1] == result["passed"]
    with monkeypatch.context() as patch:
        stop_at(patch, 11)
        assert run_cli(*options, "name=cut").code == 128 + signal.SIGTERM
    resumed = run_cli("resume=outputs/cut")
    assert resumed.code == 0, resumed.err
    same(Path("outputs/whole"), Path("outputs/cut"))
    for name in ("weights_sha256", "metrics", "best", "passed", "rollbacks"):
        assert resumed.result("cut")[name] == result[name]


def test_a_bar_and_events_are_rewound_too(run_cli) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    ended = run_cli(
        *OPTIONS, "trainer.on_nonfinite=rollback", "logger=[tensorboard]", "trainer.progress=true", "name=run"
    )
    assert ended.code == 0, ended.err
    events = EventAccumulator("outputs/run/tensorboard").Reload()
    written = [(row["step"], row["train/loss"]) for row in ended.rows() if "train/loss" in row]
    assert [(point.step, pytest.approx(point.value)) for point in events.Scalars("train/loss")] == written


def test_a_metric_that_is_not_finite_is_seen_by_nobody(run_cli) -> None:
    ended = run_cli(*OPTIONS, "+model.ill=metric", "scheduler=plateau", "model.mark=-9", "name=run")
    assert ended.code == 3
    assert ended.result()["nonfinite"]["samples"] == []
    assert ended.result()["nonfinite"]["step"] == 2
    assert "step 2: val/loss is nan; the last good checkpoint is step 0" in ended.err
    assert not any("val/loss" in row for row in ended.rows())


def test_a_rollback_needs_checkpoints_that_no_clock_decides(run_cli) -> None:
    ended = run_cli(*TINY, "trainer.on_nonfinite=rollback", "checkpoint.every=auto", "name=run")
    assert ended.code == 2
    assert "trainer.on_nonfinite=rollback: " in ended.err
    assert "give checkpoint.every=1ep" in ended.err
    assert not Path("outputs/run").exists()
