"""``lrsched find method=range``: the ramp is a run's own updates, and a run afterwards is what it would have been."""

from __future__ import annotations

import json
import math
import os
import signal
from pathlib import Path
from typing import Any

import pytest

import lrsched
from lrsched.cli.find import main
from lrsched.finder.ramps import ramp
from tests.helpers.cli import TINY
from tests.python.helpers import process

SHORT = (*TINY, "method=range", "find.steps=30", "find.seeds=1", "name=found", "threads=1", "logger=none")


def found(name: str = "found") -> dict[str, Any]:
    return json.loads(Path(f"outputs/{name}/find.json").read_text("utf-8"))


@pytest.fixture
def find(run_cli):
    def call(*words: str) -> dict[str, Any]:
        ended = run_cli(*SHORT, *words, command="find")
        assert ended.code == 0, ended.err
        return {**found(), "out": ended.out, "err": ended.err}

    return call


def by_table(run_cli, answer: dict[str, Any], *words: str) -> list[dict[str, Any]]:
    """The rows of a run on the rates that the ramp had."""
    rates = [candidate["lr"] for candidate in answer["candidates"]]
    Path("rates.csv").write_text("lr\n" + "\n".join(map(repr, rates)) + "\n")
    steps = (f"trainer.steps={len(rates)}", "trainer.log_every=1st", "name=run", "threads=1", "logger=none")
    table = ("scheduler=table", "scheduler.path=rates.csv", "optimizer.lr=1.0")
    ended = run_cli(*TINY, *steps, *table, *words)
    assert ended.code == 0, ended.err
    return [row for row in ended.rows() if "train/loss" in row]


VARIANTS = {
    "plain": (),
    "another seed": ("seed=3",),
    "accumulated, clipped": ("trainer.accumulate=2", "trainer.clip_norm=0.5"),
    "bf16, adamw": ("trainer.precision=bf16", "optimizer=adamw"),
    "layers": ("optimizer=adamw", "optimizer.layer_decay=0.5"),
    "batch norm": ("model=resnet9", "model.width=4"),
}


SLOW = [pytest.param(name, marks=pytest.mark.slow) for name in VARIANTS if name != "layers"]


@pytest.mark.parametrize("name", ["layers", *SLOW])
def test_the_ramp_is_a_run_on_its_rates(find, run_cli, name: str) -> None:
    """Losses to the last bit; each group by its share of the rate."""
    words = VARIANTS[name]
    answer = find("find.high=0.1", *words)
    assert len(answer["candidates"]) == answer["cost_steps"] == 30
    rows = by_table(run_cli, answer, *words)
    assert [row["train/loss"] for row in rows] == [candidate["loss"] for candidate in answer["candidates"]]
    assert {candidate["seed"] for candidate in answer["candidates"]} == {3 if name == "another seed" else 0}


def test_the_rates_are_those_of_the_formula(find) -> None:
    rates = [candidate["lr"] for candidate in find("find.low=1e-5", "find.high=1.0", "find.stop=null")["candidates"]]
    assert rates == pytest.approx([1e-5 * (1e5) ** (i / 30) for i in range(30)], rel=1e-14)
    shape = ("find.shape=linear", "find.low=0.1", "find.high=0.4", "find.stop=null", "name=linear")
    find(*shape)
    rates = [candidate["lr"] for candidate in found("linear")["candidates"]]
    assert rates == pytest.approx([0.1 + 0.3 * i / 30 for i in range(30)], rel=1e-14)


def test_a_loss_that_rises_ends_the_ramp(find) -> None:
    answer = find("find.high=1e4", "find.smooth=0")
    losses = [candidate["loss"] for candidate in answer["candidates"]]
    assert len(losses) < 30
    assert losses[-1] > 4 * min(losses)
    assert all(loss <= 4 * min(losses[3 : place + 1]) for place, loss in enumerate(losses[3:-1], start=3))
    assert "rose to 4 times its best" in answer["err"]


def test_a_loss_that_is_not_finite_ends_the_ramp(find) -> None:
    answer = find("find.low=1e-3", "find.high=1e30", "find.stop=null", "find.steps=400")
    assert 50 < answer["cost_steps"] < 400
    assert all(math.isfinite(candidate["loss"]) for candidate in answer["candidates"])
    assert "the training loss is" in answer["err"] or "gradient" in answer["err"]


def test_a_run_afterwards_is_what_it_would_have_been(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    """And the process notices nothing: generators, threads, settings, handlers of signals, Hydra, paths."""
    monkeypatch.chdir(tmp_path)
    words = [*TINY, "threads=1", "logger=none", "trainer.log_every=1st"]
    before = lrsched.run([*words, "name=before"])
    state = process()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}
    assert main([*SHORT, "seed=7", "find.seeds=2", "trainer.precision=bf16"]) == 0
    assert process() == state
    assert {number: signal.getsignal(number) for number in handlers} == handlers
    after = lrsched.run([*words, "name=after"])
    assert after.result["weights_sha256"] == before.result["weights_sha256"]
    rows = [Path(f"outputs/{name}/metrics.jsonl").read_bytes() for name in ("before", "after")]
    assert rows[0] == rows[1]


def test_the_answer_has_what_the_contract_says(find) -> None:
    answer = find("find.seeds=3", "seed=4", "find.steps=60", "find.low=1e-4")
    assert (answer["method"], answer["seeds"]) == ("range", [4, 5, 6])
    assert answer["suggestion"] == answer["suggestions"]["minimum"]
    assert answer["override"] == f"optimizer.lr={answer['suggestion']}"
    assert answer["cost_steps"] == len(answer["candidates"])
    assert set(answer["candidates"][0]) == {"lr", "horizon", "seed", "loss"}
    for name, (low, high) in answer["spread"].items():
        assert low * 0.99 <= answer["suggestions"][name] <= high * 1.01
    assert answer["override"] in answer["out"]
    for name in answer["suggestions"]:
        assert name in answer["out"]
    assert os.listdir("outputs/found") == ["find.json"]


def test_it_says_what_it_costs_before_it_begins(run_cli, monkeypatch: pytest.MonkeyPatch) -> None:
    """86 training samples by 16: 6 updates an epoch, 12 in a run; 7 rates × 1 seed × 12 = 84."""
    told = run_cli(*SHORT, command="find").err
    assert told.index("at most 30 steps, 35.7 % of a full grid (7 rates × 1 seed, 84 steps)") < told.index("seed 0:")


def test_seeds_that_disagree_are_said_to(find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrsched.finder.ramps.range.SEEDS_APART", 1.0)
    answer = find("find.seeds=2", "find.steps=60")
    assert any("the seeds disagree about" in said for said in answer["disagreements"])
    assert "warning: the seeds disagree about" in answer["err"]


HEAD = "+optimizer.groups={head: {params: '.*head.*|net.3.*|.*[.]2[.].*', lr_scale: 2.0}}"


def test_the_rate_of_one_group_is_looked_for_while_the_others_stay(
    find, run_cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, float]] = []
    update = ramp.assemble

    def watched(*arguments: Any, **more: Any) -> Any:
        parts = update(*arguments, **more)
        once = parts.update

        class Watched(type(once)):
            def __call__(self, state: Any, want_norm: bool = False) -> Any:
                norm = once(state, want_norm)
                seen.append({group["name"]: group["lr"] for group in state.optimizer.param_groups})
                return norm

        object.__setattr__(parts, "update", Watched.__new__(Watched))
        parts.update.check = once.check
        return parts

    monkeypatch.setattr(ramp, "assemble", watched)
    answer = find(HEAD, "model.hidden=[8]", "optimizer.lr=0.02", "find.group=head", "find.high=1.0")
    rates = [candidate["lr"] for candidate in answer["candidates"]]
    heads = {name for name in seen[0] if name.startswith("head")}
    assert heads
    assert heads != set(seen[0])
    for name in seen[0]:
        assert [each[name] for each in seen] == (rates if name in heads else [0.02] * len(rates))
    override = answer["override"].split()
    assert override == [f"++optimizer.groups.head.lr={answer['suggestion']}", "optimizer.groups.head.lr_scale=null"]
    ended = run_cli(*TINY, HEAD, "model.hidden=[8]", *override, "name=run", "scheduler=constant", "logger=none")
    assert ended.code == 0, ended.err
    row = next(row for row in ended.rows() if "lr/head" in row)
    assert row["lr/head"] == answer["suggestion"]


def test_a_group_with_a_rate_of_its_own_stays_at_it(find, run_cli) -> None:
    head = HEAD.replace("lr_scale: 2.0", "lr: 0.0")
    answer = find(head, "model.hidden=[8]", "find.high=0.1")
    rows = by_table(run_cli, answer, head, "model.hidden=[8]")
    assert [row["train/loss"] for row in rows] == [candidate["loss"] for candidate in answer["candidates"]]


@pytest.mark.slow
def test_items_are_looked_at_as_data_in_memory_are(find, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", "tests.helpers.items")
    node = "dataset.train={_target_: tests.helpers.items.Draws, samples: 200}"
    words = [word for word in SHORT if not word.startswith("dataset")]
    assert main([*words, "dataset=torch", node, "dataset.batch_size=16", "model=linear"]) == 0
    assert found()["cost_steps"] == 30


@pytest.mark.slow
def test_any_task_and_the_exact_workload(run_cli) -> None:
    common = ("method=range", "find.steps=60", "find.seeds=1", "threads=1", "logger=none")
    assert run_cli(*common, "experiment=diabetes", "name=a", command="find").code == 0
    exact = run_cli(*common, "experiment=noisy_quadratic", "name=b", "find.low=1e-4", command="find")
    assert exact.code == 0, exact.err
    assert 0.001 < found("b")["suggestion"] < 1


@pytest.mark.slow
def test_a_picture_has_axes_and_the_suggestions(find, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("matplotlib")
    drawn: list[Any] = []
    monkeypatch.setattr("lrsched.finder.ramps.show.as_png", lambda figure: drawn.append(figure) or b"png")
    answer = find("find.steps=60", "--png", "range.png")
    assert Path("range.png").read_bytes() == b"png"
    (panel,) = drawn[0].axes
    assert panel.get_xscale() == "log"
    assert (panel.get_xlabel(), panel.get_ylabel()) == (
        "learning rate of the update",
        "training loss before the update (nats)",
    )
    marks = {line.get_label().partition(":")[0]: line.get_xdata()[0] for line in panel.lines[-len(answer["spread"]) :]}
    assert marks == answer["suggestions"]


def test_ctrl_c_leaves_nothing(run_cli, monkeypatch: pytest.MonkeyPatch) -> None:
    count = iter(range(100))
    place = ramp._losses

    def interrupted(parts: Any, find: Any, stop: Any) -> Any:
        once = parts.update

        def update(state: Any) -> Any:
            if next(count) == 5:
                os.kill(os.getpid(), signal.SIGINT)
            return once(state)

        update.check = once.check
        object.__setattr__(parts, "update", update)
        return place(parts, find, stop)

    monkeypatch.setattr(ramp, "_losses", interrupted)
    ended = run_cli(*SHORT, command="find")
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert next(count) == 6  # at rest, after the update that was under way
    assert not Path("outputs").exists()


def test_a_ramp_without_a_descent_is_told_so_and_no_rate_below_it_is_suggested(find) -> None:
    answer = find("find.low=1e-9", "find.high=1e-7", "find.steps=60")
    assert (
        "warning: the loss hardly falls between 1e-09 and 1e-07 (seed 0): noise makes the suggestions" in answer["err"]
    )
    assert all(rate >= 1e-9 for rate in answer["suggestions"].values())


def test_a_range_test_gives_each_schedule_the_same_answer(find) -> None:
    answer = find("scheduler=cosine,linear", "find.low=1e-3", "find.high=1", "find.steps=40")
    assert "a range test knows no schedule" in answer["err"]
    assert [each["scheduler"] for each in answer["answers"]] == ["cosine", "linear"]
    assert {each["suggestion"] for each in answer["answers"]} == {answer["suggestion"]}
    assert answer["answers"][1]["override"] == f"scheduler=linear {answer['override']}"
    assert answer["undecided"] == ["cosine", "linear"]
    assert answer["cost_steps"] == len(answer["candidates"])
