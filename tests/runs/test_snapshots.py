"""Snapshots of a run: taken at the minima, the same however often it is killed, tested alone and together."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import lrsched
from lrsched.checkpoint.store import Store, load
from lrsched.errors import ConfigError, UserError
from lrsched.records import RunFolder
from lrsched.tasks import Task
from tests.helpers.cases import CNN, OPTIONS
from tests.helpers.cli import TINY, Ended
from tests.helpers.compare_runs import differences
from tests.helpers.failpoints import DIED, die
from tests.helpers.runs import folder, resume, run

# Batch norm, dropout and augmentation; 12 updates, minima after 4, 8 and 12.
WORDS = (
    *TINY,
    *CNN,
    "trainer.evaluate_every=6st",
    "logger=none",
    "optimizer.lr=0.3",
    "scheduler=snapshot",
    "scheduler.cycles=3",
)
MINIMA = (4, 8, 12)
SMALL = (*TINY, "model=linear", "logger=none", "trainer.evaluate_every=100%")


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def kept(place: Path) -> dict[str, bytes]:
    """All files of a run's snapshots."""
    return {str(file.relative_to(place)): file.read_bytes() for file in sorted((place / "snapshots").rglob("*.*"))}


def steps(place: Path) -> list[int]:
    return [int(path.name[5:]) for path in sorted((place / "snapshots").iterdir())]


def outputs(ended: Ended, name: str = "run") -> Path:
    return ended.cwd / "outputs" / name


def test_the_weights_are_those_at_rest_at_each_minimum_and_the_run_is_the_same(run_cli) -> None:
    ended = run_cli(*WORDS, "name=run", "checkpoint.every=1st", "checkpoint.keep=99")
    assert ended.code == 0, ended.err
    place = outputs(ended)
    assert "keeps the weights at 4, 8, 12 in outputs/run/snapshots" in ended.err
    assert steps(place) == list(MINIMA)
    checkpoints = {point.step: point for point in Store(place / "checkpoints").committed()}
    for point in Store(place / "snapshots").committed():
        wanted = load(checkpoints[point.step])["model"]
        found = load(point)["model"]
        assert found.keys() == wanted.keys()
        assert all(torch.equal(found[name], wanted[name]) for name in wanted)
        assert point.manifest["config_sha256"] == ended.result()["config_sha256"]
    plain = run_cli(*WORDS, "name=plain", "checkpoint.snapshots=0")
    assert not (outputs(plain, "plain") / "snapshots").exists()
    result, without = ended.result(), plain.result("plain")
    assert (outputs(ended) / "metrics.jsonl").read_bytes() == (outputs(ended, "plain") / "metrics.jsonl").read_bytes()
    assert result["config_sha256"] == without["config_sha256"]
    assert {k: v for k, v in result["metrics"].items() if "ensemble" not in k} == without["metrics"]
    assert result["better"] == {**without["better"], "ensemble/loss": "min", "ensemble/accuracy": "max"}


def test_what_is_said_of_them_is_the_mean_of_probabilities_by_hand(run_cli, capsys: pytest.CaptureFixture[str]) -> None:
    ended = run_cli(*WORDS, "name=run")
    assert ended.code == 0, ended.err
    found, result = lrsched.load(outputs(ended)), ended.result()
    said = result["snapshots"]["test"]
    (x, y), task = found._parts.splits.test, found._parts.task
    models = [found.model(f"snapshot:{step}") for step in MINIMA]
    with torch.inference_mode():
        batch = found._parts.transform((x, y))
        probabilities = [task.forward(model, batch).double().softmax(1) for model in models]
    classes = torch.stack([each.argmax(1) for each in probabilities])
    for number in (1, 2, 3):
        mean = torch.stack(probabilities[-number:]).mean(0)
        row = said["last"][number - 1]
        assert row["snapshots"] == number
        assert row["loss"] == pytest.approx(-mean[torch.arange(len(y)), y].log().mean().item(), rel=1e-6)
        assert row["accuracy"] == (mean.argmax(1) == y).double().mean().item()
        pairs = [(i, j) for i in range(3 - number, 3) for j in range(i + 1, 3)]
        apart = [(classes[i] != classes[j]).double().mean().item() for i, j in pairs]
        assert row.get("disagreement") == (pytest.approx(sum(apart) / len(apart)) if apart else None)
    assert said["last"][-1]["disagreement"] > 0
    assert [row["step"] for row in said["single"]] == list(MINIMA)
    metrics = result["metrics"]
    assert said["single"][-1]["loss"] == said["last"][0]["loss"] == metrics["test/loss"]
    assert metrics["test/ensemble/loss"] == said["last"][-1]["loss"]
    assert metrics["val/ensemble/accuracy"] == result["snapshots"]["val"]["last"][-1]["accuracy"]
    assert found.evaluate("test", "snapshots") == {f"test/{n}": said["last"][-1][n] for n in ("loss", "accuracy")}
    assert found.evaluate("test", "snapshot:4")["test/loss"] == said["single"][0]["loss"]
    two = found.predict(x, "snapshots:2")
    assert torch.allclose(two.double().exp(), torch.stack(probabilities[-2:]).mean(0), atol=1e-6)
    assert torch.equal(found.predict(x, "snapshots:1"), found.predict(x, "last"))
    seen = run_cli("outputs/run", "--weights", "snapshots:2", "--json", "f.json", command="evaluate")
    assert seen.code == 0, seen.err
    assert json.loads((ended.cwd / "f.json").read_text("utf-8"))["test/loss"] == said["last"][1]["loss"]


@pytest.mark.parametrize(
    "stops",
    [(5, 11), *(pytest.param(stops, marks=pytest.mark.slow) for stops in ((3, 4), (8, 12)))],
    ids=lambda stops: "-".join(map(str, stops)),
)
def test_a_run_cut_twice_has_the_same_snapshots_to_the_last_byte(run_cli, once, stops: tuple[int, int]) -> None:
    whole = outputs(once(*WORDS, "name=whole"), "whole")
    for number, until in enumerate((*stops, "null")):
        words = (f"sweep.until={until}", *((*WORDS, "name=cut") if not number else ("resume=outputs/cut",)))
        ended = run_cli(*words)
        assert ended.code == 0, ended.err
    assert differences(RunFolder(whole), RunFolder(outputs(ended, "cut"))) == []
    assert kept(outputs(ended, "cut")) == kept(whole)


def test_a_run_that_goes_back_before_a_minimum_writes_it_again(run_cli) -> None:
    words = (*WORDS, "name=run", "checkpoint.every=3st", "checkpoint.keep=99")
    ended = run_cli(*words)
    place = outputs(ended)
    whole = kept(place)
    for point in Store(place / "checkpoints").committed():
        if point.step > 3:
            shutil.rmtree(point.path)
    (place / "result.json").unlink()
    (place / "snapshots/step-0000000012/state.pt").write_bytes(b"damaged")
    went = run_cli("resume=outputs/run", "sweep.until=5")
    assert went.code == 0, went.err
    assert steps(place) == [4]
    ended = run_cli("resume=outputs/run", "sweep.until=null")
    assert ended.code == 0, ended.err
    assert kept(place) == whole


@pytest.mark.parametrize(
    ("words", "left"),
    [
        (("checkpoint.snapshots=2",), [8, 12]),
        (("scheduler=sgdr", "scheduler.first=5st", "checkpoint.snapshots=9"), [5, 10, 12]),
        pytest.param(
            ("scheduler=cyclic", "scheduler.up=2st", "scheduler.down=3st", "checkpoint.snapshots=1"),
            [11],
            marks=pytest.mark.slow,
        ),
        pytest.param(("scheduler=cosine", "checkpoint.snapshots=4"), [12], marks=pytest.mark.slow),
    ],
    ids=["latest two", "sgdr", "cyclic", "one"],
)
def test_as_many_of_the_latest_are_kept_as_are_asked_for(run_cli, words: tuple[str, ...], left: list[int]) -> None:
    own = words[0].startswith("scheduler=")
    ended = run_cli(*(word for word in WORDS if not (own and word.startswith("scheduler"))), *words, "name=run")
    assert ended.code == 0, ended.err
    assert steps(outputs(ended)) == left
    assert len(ended.result()["snapshots"]["test"]["single"]) == len(left)
    assert ("has one minimum in this run" in ended.err) == (left == [12])


def test_a_damaged_snapshot_is_passed_over_and_said(run_cli) -> None:
    ended = run_cli(*WORDS, "name=run")
    (outputs(ended) / "snapshots/step-0000000008/state.pt").write_bytes(b"nothing")
    said = run_cli("outputs/run", "--weights", "snapshots", command="evaluate")
    assert said.code == 0, said.err
    assert "passed over: outputs/run/snapshots/step-0000000008/state.pt: has 7 bytes" in said.err
    assert "2 snapshots together" in said.out
    checked = run_cli("outputs/run", command="check")
    assert checked.code == 4
    assert "a snapshot is not valid: " in checked.err


def test_numbers_are_averaged_and_differ_by_their_square_in_their_own_unit() -> None:
    words = ["dataset=diabetes", "task=regression", "model=linear", "scheduler=snapshot", "scheduler.cycles=2"]
    found = lrsched.run([*words, "trainer.epochs=2", "trainer.progress=false", "logger=none", "name=numbers"])
    x, y = found._parts.splits.test
    one, two = (found.predict(x, f"snapshot:{step}") for step in found_steps(found))
    row = found.result["snapshots"]["test"]["last"][1]
    assert row["squared_difference"] == pytest.approx((one - two).square().mean().item(), rel=1e-6)
    assert row["mae"] == pytest.approx(((one + two) / 2 - y.double()).abs().mean().item(), rel=1e-6)
    assert torch.allclose(found.predict(x, "snapshots"), (one + two) / 2, rtol=1e-6)


def found_steps(found: lrsched.Run) -> list[int]:
    return [row["step"] for row in found.result["snapshots"]["test"]["single"]]


@dataclass(frozen=True, kw_only=True)
class Median(Task):
    """A task of a user's own, which says in one method what several outputs are together."""

    bad: str = ""

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        x, y = batch
        return (model(x).squeeze(1) - y).abs().mean()

    def ensemble(self, outputs: Any, batch: Any) -> Any:
        if self.bad == "raises":
            raise ValueError("no idea")
        if self.bad == "nothing":
            return None
        return torch.stack(list(outputs)).amax(0)


def of_own(bad: str = "", *words: str) -> lrsched.Run:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(60, 3, generator=generator)
    base = ["scheduler=snapshot", "scheduler.cycles=2", "trainer.epochs=2", "trainer.progress=false", "logger=none"]
    return lrsched.run(
        [*base, "name=own", "dataset.batch_size=16", *words],
        model=nn.Linear(3, 1),
        data=(x, x.sum(1)),
        task=Median(bad=bad),
    )


def test_a_task_of_ones_own_says_what_an_ensemble_is() -> None:
    found = of_own()
    x, y = found._parts.splits.test
    one, two = (found.predict(x, f"snapshot:{step}") for step in found_steps(found))
    assert found.result["metrics"]["test/ensemble/loss"] == pytest.approx(
        (torch.maximum(one, two) - y).abs().mean().item(), rel=1e-6
    )


def test_without_being_asked_a_task_that_makes_no_ensemble_is_warned_of(capsys: pytest.CaptureFixture[str]) -> None:
    found = of_own("raises")
    assert "snapshots" not in found.result
    assert "warning: checkpoint.snapshots: none are kept; " in capsys.readouterr().err


ASKED = "checkpoint.snapshots=3"
REFUSED: dict[str, tuple[tuple[str, ...], str, str]] = {
    "negative": (("checkpoint.snapshots=-1",), "checkpoint.snapshots=-1", "at least 0"),
    "half": (("checkpoint.snapshots=2.5",), "checkpoint.snapshots=2.5", "int"),
    "word": (("checkpoint.snapshots=all",), "checkpoint.snapshots=all", "int"),
    "closed loop": (("scheduler=plateau", ASKED), ASKED, "take scheduler=snapshot, sgdr or cyclic"),
    "greedy": (("scheduler=greedy", ASKED), ASKED, "take scheduler=snapshot, sgdr or cyclic"),
    "native": (("scheduler=torch/CosineAnnealingWarmRestarts", ASKED), ASKED, "not known beforehand"),
    "constant": (("scheduler=constant", ASKED), ASKED, "Constant never falls in 12 steps"),
    "rising": (("scheduler=constant", "scheduler.warmup=50%", ASKED), ASKED, "or checkpoint.snapshots=0"),
    "monitor": (
        ("scheduler=snapshot", "checkpoint.monitor=val/ensemble/loss"),
        "checkpoint.monitor",
        "no metric of an",
    ),
    "early stop": (("trainer.early_stop.monitor=val/ensemble/loss",), "trainer.early_stop.monitor", "no metric of an"),
    "cycles": (("scheduler=snapshot", "scheduler.cycles=0"), "scheduler.cycles=0", "1"),
    "mistyped": (("checkpoint.snapshot=2",), "checkpoint.snapshot", "snapshots"),
}


@pytest.mark.parametrize("how", REFUSED)
def test_what_cannot_be_kept_is_refused_before_anything_is_written(run_cli, how: str) -> None:
    words, key, remedy = REFUSED[how]
    ended = run_cli(*SMALL, *words, "name=run")
    assert ended.code == 2
    assert key in ended.err
    assert remedy in ended.err
    assert "Traceback" not in ended.err
    assert not (ended.cwd / "outputs").exists()


@pytest.mark.parametrize(
    ("bad", "said"),
    [("raises", "its ensemble() raised ValueError: no idea"), ("nothing", "its measure() raised|its ensemble()")],
)
def test_a_task_that_makes_no_ensemble_is_refused_where_it_is_asked_for(bad: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(UserError) as caught:
        of_own(bad, "checkpoint.snapshots=2")
    assert any(words in str(caught.value) for words in said.split("|"))
    assert "checkpoint.snapshots=0" in str(caught.value)


WRONG = {
    "snapshots": ("plain", "has kept no snapshots; take the last weights, or train with scheduler=snapshot"),
    "snapshot:3": ("plain", "has kept no snapshots"),
    "snapshots:9": ("run", "has 3 snapshots; give a number of them"),
    "snapshots:0": ("run", "has 3 snapshots"),
    "snapshot:5": ("run", "has kept snapshots of the steps 4, 8, 12; give one of them"),
    "snapshots:": ("run", "must be one of last, best, average, snapshot:STEP, snapshots, snapshots:NUMBER"),
    "snapshoots": ("run", "did you mean 'snapshots'?"),
}


@pytest.mark.parametrize("which", WRONG)
def test_weights_that_there_are_not_are_refused(once, which: str) -> None:
    name, said = WRONG[which]
    ended = once(*WORDS, "name=run") if name == "run" else once(*SMALL, "name=plain")
    before = sorted(outputs(ended, name).rglob("*"))
    found = lrsched.load(outputs(ended, name))
    for call in (found.evaluate, lambda _, weights: found.predict(torch.zeros(1, 1, 8, 8), weights)):
        with pytest.raises(ConfigError) as caught:
            call("test", which)
        assert f"weights={which}: " in str(caught.value)
        assert said in str(caught.value)
    assert sorted(outputs(ended, name).rglob("*")) == before


def test_several_models_are_no_model(once, tmp_path: Path) -> None:
    found = lrsched.load(outputs(once(*WORDS, "name=run")))
    for call in (found.model, lambda weights: found.export(tmp_path / "f.safetensors", weights)):
        with pytest.raises(ConfigError, match=r"weights=snapshots: are several models.*snapshot:STEP, 4, 8, 12"):
            call("snapshots")


KILLS = [
    ("replace the manifest", "before", 2),
    ("replace the manifest", "after", 3),
    ("replace state.pt", "before", 3),
    ("sync a file", "before", 9),
    ("sync a folder", "after", 7),
    ("delete a folder", "before", 1),
    ("prune", "after", 3),
]


@pytest.mark.slow
@pytest.mark.parametrize("kill", KILLS, ids=[" ".join(map(str, kill)) for kill in KILLS])
def test_a_run_killed_anywhere_has_the_same_snapshots(tmp_path: Path, kill: tuple[str, str, int]) -> None:
    words = (*OPTIONS, "scheduler=snapshot", "scheduler.cycles=6", "checkpoint.snapshots=3", "checkpoint.every=2st")
    assert run(tmp_path / "whole", *words).code == 0
    ended = run(tmp_path / "cut", *words, faults=[partial(die, *kill)])
    assert ended.code == DIED, ended.said
    for again in (1, 2):  # and once more in its next life
        ended = resume(tmp_path / "cut", faults=[partial(die, kill[0], kill[1], kill[2] + again)])
        if ended.code == 0:
            break
    ended = ended if ended.code == 0 else resume(tmp_path / "cut")
    assert ended.code == 0, ended.said
    assert differences(folder(tmp_path / "whole"), folder(tmp_path / "cut")) == []
    assert kept(folder(tmp_path / "cut").path) == kept(folder(tmp_path / "whole").path)


@pytest.mark.slow
def test_a_run_that_rolls_back_forgets_what_comes_again(tmp_path: Path) -> None:
    from tests.helpers.faults import poison

    words = (*OPTIONS, "scheduler=snapshot", "scheduler.cycles=6", "checkpoint.every=9st")
    faults = [partial(poison, 13)]
    assert run(tmp_path / "whole", *words, "trainer.on_nonfinite=rollback", faults=faults).code == 0
    place = folder(tmp_path / "whole").path
    assert steps(place) == [3, 6, 9, 12, 15, 18]
    result = json.loads((place / "result.json").read_text("utf-8"))
    assert result["rollbacks"] == 1
    assert result["snapshots"]["test"]["single"][-1]["loss"] == result["metrics"]["test/loss"]


@pytest.mark.slow
def test_runs_of_a_sweep_have_all_their_snapshots_whatever_they_have_in_common(run_cli) -> None:
    """Runs of 4 and 6 epochs of the same cycles begin alike, and share no steps."""
    words = ("scheduler=sgdr", "scheduler.first=1ep", "checkpoint.snapshots=9", "trainer.epochs=2,3", "name=sweep")
    ended = run_cli("-m", *(word for word in SMALL if "epochs" not in word), *words)
    assert ended.code == 0, ended.err
    places = sorted(path.parent for path in (ended.cwd / "outputs/sweep").glob("*/snapshots"))
    assert [steps(place) for place in places] == [[6, 12], [6, 12, 18]]
    first, second = (kept(place)["snapshots/step-0000000006/state.pt"] for place in places)
    assert first == second
