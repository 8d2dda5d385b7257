"""Averages of the weights through the command line: evaluated beside the weights, saved, resumed, shared, loaded."""

from __future__ import annotations

import json

import pytest
import torch

import lrsched
from lrsched.checkpoint.store import Store, load
from lrsched.records import RunFolder
from lrsched.train.state import weights_sha256
from tests.helpers.cases import CNN
from tests.helpers.cli import TINY, Ended
from tests.helpers.compare_runs import differences

WORDS = (
    *TINY,
    *CNN,
    "trainer.log_every=1st",
    "trainer.evaluate_every=4st",
    "logger=[csv]",
    "scheduler=constant",
)
AVERAGES = {
    "ema": ("average=ema",),
    "decay": ("average=ema", "average.decay=0.9", "average.renew=40"),
    "swa": ("average=swa", "average.start=30%", "average.every=2st"),
    "lawa": ("average=lawa", "average.last=3", "average.every=2st", "average.renew=40"),
    "wsm": ("average=wsm", "average.window=50%", "average.merges=3", "average.shape=sqrt"),
}
BACK = {"backtrack": ("average=ema", "scheduler=plateau", "scheduler.patience=0", "scheduler.backtrack=true")}


def folder(ended: Ended, name: str) -> RunFolder:
    return RunFolder(ended.cwd / "outputs" / name)


@pytest.mark.parametrize("kind", [*AVERAGES, *BACK])
def test_a_run_cut_twice_is_the_undisturbed_one(run_cli, kind: str) -> None:
    words = (*WORDS, *{**AVERAGES, **BACK}[kind])
    assert run_cli(*words, "name=whole").code == 0
    assert run_cli(*words, "name=cut", "sweep.until=5").code == 0
    for until in ("7", "null"):
        ended = run_cli("resume=outputs/cut", f"sweep.until={until}")
        assert ended.code == 0, ended.err
    assert differences(folder(ended, "whole"), folder(ended, "cut")) == []


def test_the_weights_are_those_of_the_run_without(run_cli) -> None:
    ended = run_cli(*WORDS, "name=plain")
    plain = ended.result("plain")
    for kind, words in AVERAGES.items():
        ended = run_cli(*WORDS, *words, f"name={kind}")
        assert ended.code == 0, ended.err
        found = ended.result(kind)
        assert found["weights_sha256"] == plain["weights_sha256"]
        assert {k: v for k, v in found["metrics"].items() if "average" not in k} == plain["metrics"]
        assert found["better"]["average/loss"] == "min"
        assert {"val/average/loss", "test/average/accuracy"} <= set(found["metrics"])
        rows = [row for row in ended.rows(kind) if "val/loss" in row]
        begun = {"ema": 4, "decay": 4, "swa": 8, "lawa": 4, "wsm": 8}[kind]
        assert [row["step"] for row in rows if "val/average/loss" in row] == list(range(begun, 13, 4))


def test_an_average_is_what_the_saved_weights_average_to(run_cli) -> None:
    ended = run_cli(
        *WORDS,
        "average=swa",
        "average.start=50%",
        "average.every=3st",
        "checkpoint.every=1st",
        "checkpoint.keep=99",
        "name=run",
    )
    assert ended.code == 0, ended.err
    saved = {point.step: load(point) for point in Store(folder(ended, "run").checkpoints).committed()}
    last = saved[12]
    for name, mean in last["average"]["model"].items():
        taken = [saved[step]["model"][name] for step in (9, 12)]
        if "running" not in name and mean.is_floating_point():  # statistics are renewed
            assert torch.allclose(mean, (taken[0] + taken[1]) / 2, atol=1e-6), name
    assert saved[6]["average"]["count"] == 0


def test_the_average_can_be_loaded_evaluated_and_exported(run_cli, capsys: pytest.CaptureFixture[str]) -> None:
    ended = run_cli(*WORDS, *AVERAGES["swa"], "name=run")
    assert ended.code == 0, ended.err
    run = lrsched.load(ended.cwd / "outputs" / "run")
    metrics = run.result["metrics"]
    assert run.evaluate("test", "average") == {
        "test/loss": metrics["test/average/loss"],
        "test/accuracy": metrics["test/average/accuracy"],
    }
    assert weights_sha256(run.model("average")) != run.result["weights_sha256"]
    assert run.predict(torch.zeros(2, 1, 8, 8, dtype=torch.uint8), "average").shape == (2, 4)
    found = run_cli("outputs/run", "--weights", "average", "--part", "val", "--json", "f.json", command="evaluate")
    assert found.code == 0, found.err
    written = json.loads((ended.cwd / "f.json").read_text("utf-8"))
    assert written["val/loss"] == metrics["val/average/loss"]


def test_statistics_are_renewed_for_a_checkpoint_between_two_evaluations(run_cli) -> None:
    words = (*WORDS, *AVERAGES["swa"], "trainer.evaluate_every=100%", "checkpoint.every=1st", "checkpoint.keep=99")
    ended = run_cli(*words, "name=run", "sweep.until=10")
    assert ended.code == 0, ended.err
    run = lrsched.load(ended.cwd / "outputs" / "run")
    raw = load(Store(folder(ended, "run").checkpoints).committed()[0])["average"]["model"]
    model = run.model("average").state_dict()
    for name, tensor in raw.items():
        assert torch.equal(model[name], tensor) == ("running" not in name and "num_batches" not in name), name
    at_once = run_cli(*words[:-3], "name=short", "trainer.steps=12", "trainer.evaluate_every=10st", "sweep.until=10")
    assert at_once.code == 0, at_once.err
    evaluated = [row for row in at_once.rows("short") if "val/average/loss" in row]
    assert run.evaluate("val", "average")["val/loss"] == evaluated[-1]["val/average/loss"]


def test_the_best_weights_may_be_those_of_the_average(run_cli) -> None:
    ended = run_cli(*WORDS, *AVERAGES["swa"], "checkpoint.monitor=val/average/loss", "name=run")
    assert ended.code == 0, ended.err
    result = ended.result()
    evaluated = {row["step"]: row["val/average/loss"] for row in ended.rows() if "val/average/loss" in row}
    assert result["best"]["step"] == min(evaluated, key=lambda step: evaluated[step])
    again = lrsched.load(ended.cwd / "outputs" / "run").evaluate("val", "best")
    assert again["val/loss"] == result["best"]["val/average/loss"] == min(evaluated.values())
    assert (
        result["best"]["test/loss"] == lrsched.load(ended.cwd / "outputs" / "run").evaluate("test", "best")["test/loss"]
    )


def test_runs_of_two_lengths_share_what_their_averages_share(run_cli) -> None:
    """The tail of a longer run begins later: up to the shorter one's tail nothing is taken."""
    words = (
        *WORDS,
        "average=swa",
        "average.start=50%",
        "average.every=2st",
        "trainer.steps=24,36",
        "trainer.evaluate_every=6st",
    )
    apart = run_cli(*words, "name=apart", "sweep.share=false", "-m")
    shared = run_cli(*words, "name=shared", "-m")
    assert apart.code == shared.code == 0, shared.err
    record = json.loads((shared.cwd / "outputs" / "shared" / "sweep.json").read_text("utf-8"))
    # Weights are first taken after 14 updates of 24; the update that takes them is each run's own.
    assert (record["steps_asked"], record["steps_trained"]) == (60, 60 - 12)
    for job in record["jobs"]:
        theirs = folder(shared, f"apart/{job['run_id']}")
        assert differences(theirs, folder(shared, f"shared/{job['run_id']}")) == []


def test_early_stopping_waits_for_the_average(run_cli) -> None:
    early = (
        "trainer.early_stop.monitor=val/average/loss",
        "trainer.early_stop.patience=1",
        "trainer.early_stop.threshold=9",
    )
    ended = run_cli(*WORDS, *AVERAGES["swa"], *early, "trainer.evaluate_every=1st", "trainer.epochs=4", "name=run")
    assert ended.code == 0, ended.err
    assert (ended.result()["ended"], ended.result()["step"]) == ("early", 9)  # begun after 8 of 24, not better after 9


@pytest.mark.parametrize(
    ("words", "named"),
    [
        (("average=nothing",), "average"),
        (("average.decay=0.9",), "average"),
        (("average=ema", "average.decay=1"), "average.decay"),
        (("average=ema", "average.half_life=5"), "average.half_life"),
        (("average=ema", "average.start=5%"), "average.start"),
        (("average=lawa", "average.last=zero"), "average.last"),
        (("average=swa", "average.every=0st"), "average.every"),
        (("average=wsm", "average.window=1st"), "average.window"),
        (("average=ema", "average._target_=os.system"), "average._target_"),
        (("average=ema", "average._target_=lrsched.averages.Emma"), "average._target_"),
        (("average=ema", "scheduler=plateau", "scheduler.monitor=val/average/loss"), "scheduler.monitor"),
        (("checkpoint.monitor=val/average/loss",), "average=ema"),
        (("average=ema", "checkpoint.monitor=val/average/los"), "val/average/loss"),
        (("average=ema", "checkpoint.monitor=val/average/accuracy", "checkpoint.mode=min"), "checkpoint.mode"),
    ],
)
def test_bad_input_is_one_message_and_leaves_nothing(run_cli, words: tuple[str, ...], named: str) -> None:
    ended = run_cli(*TINY, *words, "name=run")
    assert ended.code == 2, ended.err
    assert named in ended.err
    assert "Traceback" not in ended.err
    assert not (ended.cwd / "outputs").exists()


def test_an_average_of_one_is_warned_of(run_cli) -> None:
    ended = run_cli(*TINY, "average=lawa", "average.every=9ep", "name=run")
    assert ended.code == 0
    assert "warning: average: takes the weights once, at the run's end" in ended.err


def test_a_scheduler_cannot_observe_what_begins_later(run_cli) -> None:
    ended = run_cli(*TINY, "average=swa", "scheduler=plateau", "scheduler.monitor=val/average/loss", "name=run")
    assert ended.code == 2
    assert "begins when the average does" in ended.err
    assert "give scheduler.monitor=val/loss" in ended.err


def test_a_run_without_an_average_says_so(run_cli) -> None:
    assert run_cli(*TINY, "name=run").code == 0
    ended = run_cli("outputs/run", "--weights", "average", command="evaluate")
    assert ended.code == 2
    assert "has no average of its weights" in ended.err


def test_another_average_is_another_run(run_cli) -> None:
    assert run_cli(*TINY, "average=ema", "name=run", "sweep.until=3").code == 0
    for allow in ((), ("checkpoint.allow_change=[average]",)):
        ended = run_cli("resume=outputs/run", "sweep.until=null", "average=lawa", *allow)
        assert ended.code == 2
        assert "average._target_" in ended.err
    assert "has averaged its weights by lrsched.averages.Ema from its start on; start a new run" in ended.err


def test_a_parameter_of_an_average_may_change(run_cli) -> None:
    words = (*TINY, "average=lawa", "average.every=1st", "average.last=3")
    assert run_cli(*words, "name=run", "sweep.until=6").code == 0
    change = ("average.last=1", "checkpoint.allow_change=[average.last]")
    ended = run_cli("resume=outputs/run", "sweep.until=null", *change)
    assert ended.code == 0, ended.err
    metrics = ended.result()["metrics"]
    assert metrics["test/average/loss"] == metrics["test/loss"]


@pytest.mark.parametrize(
    ("words", "wanted"),
    [((), "swa"), (("average=none",), None), (("average=ema",), "ema"), (("average=lawa", "average.last=2"), "lawa")],
    ids=["by itself", "none", "ema", "lawa"],
)
def test_the_schedule_of_swa_brings_its_average_unless_another_is_given(
    run_cli, words: tuple[str, ...], wanted: str | None
) -> None:
    base = [word for word in WORDS if not word.startswith("scheduler=")]
    short = ("scheduler=torch/SWALR", "scheduler.anneal_epochs=1", "scheduler.swa_lr=0.05")
    ended = run_cli(*base, *short, *words, "name=run")
    assert ended.code == 0, ended.err
    result = ended.result()
    assert result.get("average") == wanted
    assert (f"  average {wanted}: test accuracy " in ended.out) == (wanted is not None)
    assert ("test/average/loss" in result["metrics"]) == (wanted is not None)
    plain = run_cli(*base, *short, "average=none", "name=plain")
    assert plain.result("plain")["weights_sha256"] == result["weights_sha256"]
    if wanted == "swa":
        assert run_cli(*base, *short, "average=swa", "name=by-hand").code == 0
        assert differences(folder(ended, "run"), folder(ended, "by-hand")) == []


def test_the_schedule_of_swa_is_resumed_with_what_it_began_with(run_cli) -> None:
    base = [word for word in WORDS if not word.startswith("scheduler=")]
    short = ("scheduler=torch/SWALR", "scheduler.anneal_epochs=1")
    assert run_cli(*base, *short, "name=run", "sweep.until=5").code == 0
    ended = run_cli("resume=outputs/run", "sweep.until=null", "scheduler=torch/SWALR", "scheduler.anneal_epochs=1")
    assert ended.code == 0, ended.err
    assert ended.result()["average"] == "swa"
