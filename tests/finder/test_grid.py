"""``lrsched find method=grid``: whole runs, those of a sweep, coarse to fine; it goes on where it stood."""

from __future__ import annotations

import json
import math
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest

from lrsched.cli.find import main
from lrsched.compose.outside import hydra_of_ours
from lrsched.errors import ConfigError
from lrsched.finder.folder import question, refuse_other_answer
from lrsched.finder.grid import Grid, coarse_grid
from lrsched.finder.options import FindConfig
from lrsched.finder.request import FindRequest, request_of, requests_of
from lrsched.finder.trained import Job, Trained
from lrsched.signals import StopFlag
from tests.helpers.cli import TINY
from tests.helpers.interrupt import interrupted
from tests.python.helpers import process

BASE = [*TINY, "logger=none", "name=found", "sweep.jobs=2"]
WORDS = [*BASE, "method=grid", "find.seeds=1", "find.rates=3", "find.low=0.1", "find.high=10", "find.refine=0"]


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def found() -> dict[str, Any]:
    return json.loads(Path("outputs/found/find.json").read_text("utf-8"))


def runs() -> set[str]:
    return {path.parent.name for path in Path("outputs/found").glob("*/result.json")}


class Valleys:
    """Runs of a loss that is known: |log10 lr − log10 best|, and 12 steps each."""

    sign = 1

    def __init__(self, best: float) -> None:
        self.best, self.asked, self.steps = best, list[list[float]](), 0
        self.candidates: list[Any] = []
        self.cost = 0

    def __call__(self, asked: list[Job], seeds: list[int]) -> None:
        assert asked == [Job(each.lr, [f"optimizer.lr={each.lr}"]) for each in asked]
        self.asked.append([each.lr for each in asked])
        self.steps += 12 * len(asked) * len(seeds)

    def mean(self, rate: float) -> float:
        return abs(math.log10(rate / self.best))


def searched(best: float, *words: str) -> tuple[Grid, list[list[float]]]:
    asked = request_of([*TINY, "method=grid", "find.low=0.01", "find.high=1", "find.rates=3", *words], None)
    grid = Grid(asked, Valleys(best))  # type: ignore[arg-type]
    grid.search()
    return grid, grid.trained.asked  # type: ignore[attr-defined]


def test_coarse_to_fine_on_a_log_scale() -> None:
    grid, asked = searched(0.2, "find.refine=2")
    assert asked == [[0.01, 0.1, 1.0], [0.0316, 0.316], [0.178, 0.562]]  # √(0.1·1) = 0.316; √(0.1·0.316), √(0.316·1)
    assert grid.best == 0.178
    assert not grid.note


def test_it_goes_beyond_the_edge_by_itself(capsys: pytest.CaptureFixture[str]) -> None:
    grid, asked = searched(150.0, "find.refine=1", "find.budget=900%")
    assert asked == [[0.01, 0.1, 1.0], [10.0, 100.0], [1000.0, 10000.0], [31.6, 316.0]]
    assert grid.best == 100.0
    said = capsys.readouterr().err
    assert "the best, 1, is the highest of all: beyond it: 10, 100" in said
    assert "the best, 100, is the highest of all: beyond it: 1000, 10000" in said
    _, down = searched(0.002, "find.refine=0")
    assert down == [[0.01, 0.1, 1.0], [0.0001, 0.001]]


def test_the_budget_ends_it_and_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    """3 rates × 3 seeds × 12 steps = 108 for the grid; two rates more are 72."""
    grid, asked = searched(150.0, "find.budget=179st")
    assert asked == [[0.01, 0.1, 1.0]]
    assert "72 steps more would exceed find.budget" in grid.note
    assert "warning: the best, 1, is the highest" in capsys.readouterr().err
    assert len(searched(150.0, "find.budget=180st")[1]) == 2


class Noisy(Valleys):
    """The same, with a seed's noise of its own at one rate, and two rates alike."""

    def losses(self, rate: float) -> list[float]:
        return {0.01: [3.0, 3.1, 3.2], 0.1: [1.0, 1.1, 1.2], 1.0: [1.1, 1.05, 1.27]}[rate]

    def mean(self, rate: float) -> float:
        return sum(self.losses(rate)) / 3


def test_rates_that_the_seeds_do_not_tell_apart_are_named() -> None:
    """Paired differences of .1, −.05, .07 from the best: 0.04 ± 4.3 · 0.08 / √3."""
    asked = request_of([*TINY, "method=grid", "find.low=0.01", "find.high=1", "find.rates=3", "find.refine=0"], None)
    grid = Grid(asked, Noisy(0.1))  # type: ignore[arg-type]
    grid.search()
    assert grid.as_good == [1.0]
    assert grid.cautions() == [
        "3 seeds do not tell 1 from the best, 0.1, by val/loss; more find.seeds would",
    ]
    found = grid.answer().content()
    assert found["as_good"] == [1.0]
    assert found["spread"] == pytest.approx({"0.01": 0.1, "0.1": 0.1, "1": 0.1153256}, rel=1e-5)


def test_an_edge_and_one_seed_are_said() -> None:
    grid, _ = searched(150.0, "find.budget=36st", "find.seeds=1")
    grid.trained.losses = lambda rate: [grid.trained.mean(rate)]
    edge, seed = grid.cautions()
    assert edge == "the best rate, 1, is the highest that was tried: a better one may lie beyond it"
    assert "find.seeds=3" in seed


def test_it_says_what_judges_and_what_the_budget_is(capsys: pytest.CaptureFixture[str]) -> None:
    searched(0.2)
    said = capsys.readouterr().err
    assert "at most 324 steps in the end (find.budget=300%)" in said
    assert "a rate is judged by val/loss at the end of its runs" in said


def test_runs_of_another_question_are_left_alone(run_cli) -> None:
    with hydra_of_ours():
        asked = question(requests_of(WORDS, None))
    folder = Path("outputs/found")
    folder.mkdir(parents=True)
    (folder / ".find.json").write_text(json.dumps(asked))
    (folder / "sweep.json").write_text("{}")
    for word, said in {
        "scheduler=linear": "the runs of other schedules (cosine)",
        "model.hidden=[4]": "the runs of another config",
    }.items():
        ended = run_cli(*WORDS, word, command="find")
        assert ended.code == 2
        assert f"name=found: outputs/found already holds {said}; give another name" in ended.err
    assert {path.name for path in folder.iterdir()} == {".find.json", "sweep.json"}
    with hydra_of_ours():
        refuse_other_answer(requests_of([*WORDS, "optimizer.lr=0.3", "find.rates=4", "find.budget=500%"], None))


def test_the_order_of_the_schedules_is_no_part_of_the_question() -> None:
    words = [word for word in WORDS if not word.startswith("scheduler=")]
    with hydra_of_ours():
        asked = question(requests_of([*words, "scheduler=cosine,wsd"], None))
        Path("outputs/found").mkdir(parents=True)
        Path("outputs/found/.find.json").write_text(json.dumps(asked))
        refuse_other_answer(requests_of([*words, "scheduler=wsd,cosine"], None))
        with pytest.raises(ConfigError, match=r"holds the runs of other schedules \(cosine, wsd\); give another name"):
            refuse_other_answer(requests_of([*words, "scheduler=wsd,linear"], None))
        with pytest.raises(ConfigError, match="holds the runs of another config; give another name"):
            refuse_other_answer(requests_of([*words, "scheduler=wsd,cosine", "trainer.epochs=7"], None))


@pytest.mark.slow
def test_schedules_in_another_order_have_the_same_runs_and_answers(run_cli) -> None:
    words = [*TINY, "method=grid", "find.rates=3", "find.refine=0", "find.seeds=2", "logger=none", "name=found"]
    words += ["trainer.epochs=1", "find.low=0.01", "find.high=1", "find.budget=100%"]
    assert run_cli(*words, "scheduler=cosine,wsd", command="find").code == 0
    runs = sorted(path.name for path in Path("outputs/found").iterdir())
    first = json.loads(Path("outputs/found/find.json").read_text())
    ended = run_cli(*words, "scheduler=wsd,cosine", command="find")
    assert ended.code == 0, ended.err
    assert sorted(path.name for path in Path("outputs/found").iterdir()) == runs
    again = json.loads(Path("outputs/found/find.json").read_text())
    assert again["answers"] == first["answers"]


def test_a_sweep_of_the_same_name_is_left_alone(run_cli) -> None:
    folder = Path("outputs/found")
    folder.mkdir(parents=True)
    (folder / "sweep.json").write_text("{}")
    ended = run_cli(*WORDS, command="find")
    assert ended.code == 2
    assert "name=found: outputs/found already holds a sweep; give another name" in ended.err
    assert [path.name for path in folder.iterdir()] == ["sweep.json"]


def test_the_grid_lies_around_the_rate_of_the_config() -> None:
    asked = request_of([*TINY, "method=grid", "optimizer.lr=0.2"], None)
    assert coarse_grid(asked) == [0.00667, 0.0207, 0.0644, 0.2, 0.621, 1.93, 6.0]
    assert FindRequest(FindConfig(rates=3, low=0.5, high=2.0), [], asked.runs, Path()).full == 3 * 3 * 12


def test_a_search_and_the_sweep_of_the_same_runs(run_cli, capsys: pytest.CaptureFixture[str]) -> None:
    """Bit for bit, under the same run ids: a sweep of the same words finds them finished; so does the same search."""
    assert main(WORDS) == 0
    said = capsys.readouterr().err
    assert "grid from 0.1 to 10" in said
    assert "finished" not in said  # no line for each run: a search makes many
    assert "steps asked for" not in said
    answer = found()
    rates = [candidate["lr"] for candidate in answer["candidates"]]
    assert rates == [0.1, 1.0, 10.0]
    losses = {candidate["lr"]: candidate["loss"] for candidate in answer["candidates"]}
    assert answer["suggestion"] == min(losses, key=losses.__getitem__)
    assert answer["override"] == f"optimizer.lr={answer['suggestion']}"
    assert (answer["method"], answer["cost_steps"]) == ("grid", 36)
    results = [json.loads(path.read_text()) for path in Path("outputs/found").glob("*/result.json")]
    assert sorted(result["metrics"]["val/loss"] for result in results) == sorted(losses.values())
    place = Path.cwd()
    shutil.copytree("outputs", "kept")
    ended = run_cli(*BASE, "optimizer.lr=0.1,1.0,10.0", "seed=0", "-m")
    assert Path.cwd() == place
    assert ended.code == 0, ended.err
    assert "3 of them finished before" in ended.err
    before = {path.relative_to("kept"): path.stat().st_mtime_ns for path in Path("kept").glob("found/*/result.json")}
    text = Path("outputs/found/find.json").read_bytes()
    assert main(WORDS) == 0
    assert Path("outputs/found/find.json").read_bytes() == text
    assert {path.relative_to("outputs") for path in Path("outputs").glob("found/*/result.json")} == set(before)


@pytest.mark.slow
def test_a_search_that_was_stopped_goes_on(capsys) -> None:
    assert main([*WORDS, "find.seeds=2", "find.refine=1"]) == 0
    whole, ids = Path("outputs/found/find.json").read_bytes(), runs()
    shutil.rmtree("outputs")
    with interrupted(3, signal.SIGINT):
        assert main([*WORDS, "find.seeds=2", "find.refine=1"]) == 130
    said = capsys.readouterr().err
    assert "the same command with name=found goes on with what is left" in said
    assert "Traceback" not in said
    assert not Path("outputs/found/find.json").exists()
    assert 3 <= len(runs()) < len(ids)
    assert main([*WORDS, "find.seeds=2", "find.refine=1"]) == 0
    assert Path("outputs/found/find.json").read_bytes() == whole
    assert runs() == ids


@pytest.mark.slow
def test_a_rate_that_diverges_is_known_as_such_and_not_tried_again(capsys) -> None:
    words = [*WORDS, "find.high=1e32", "find.low=0.1", "find.rates=3"]
    assert main(words) == 0
    answer = found()
    losses = {candidate["lr"]: candidate["loss"] for candidate in answer["candidates"]}
    assert losses[1e32] is None
    assert answer["suggestion"] not in (1e32, 3.16e15)
    assert "diverged" in capsys.readouterr().out
    times = {path: path.stat().st_mtime_ns for path in Path("outputs/found").glob("*/result.json")}
    assert main(words) == 0
    assert {path: path.stat().st_mtime_ns for path in Path("outputs/found").glob("*/result.json")} == times


@pytest.mark.slow
def test_a_search_without_a_name_is_in_one_folder() -> None:
    words = [word for word in WORDS if not word.startswith("name=")]
    assert main([*words, "find.high=1", "find.budget=100%"]) == 0
    (folder,) = Path("outputs").iterdir()
    assert {"find.json", "sweep.json"} < {path.name for path in folder.iterdir()}


@pytest.mark.slow
def test_a_metric_that_is_better_when_larger() -> None:
    assert main([*WORDS, "checkpoint.monitor=val/accuracy", "find.seeds=2"]) == 0
    answer = found()
    assert answer["means"][f"{answer['suggestion']:g}"] == max(answer["means"].values()) > 0


@pytest.mark.parametrize(
    ("words", "sign"),
    [
        (("+trainer.metrics.f1=F1Score", "checkpoint.monitor=val/f1"), -1),
        (("average=ema", "checkpoint.monitor=val/average/loss"), 1),
    ],
    ids=["a metric by name", "of the average"],
)
def test_which_way_any_monitored_metric_is_better(words: tuple[str, ...], sign: int) -> None:
    run = request_of([*WORDS, *words], None).runs[0]
    launch: Any = None
    assert Trained(launch, run, StopFlag()).sign == sign


@pytest.mark.slow
def test_the_process_notices_nothing() -> None:
    request_of(WORDS, None)
    state = process()
    assert main(WORDS) == 0
    assert process() == state


@pytest.mark.slow
def test_on_the_exact_workload_it_comes_near_the_best_rate() -> None:
    """200 steps of the easy regime, 6 seeds: the exact regret of the rate is below a tenth."""
    import numpy as np

    from lrsched.data.quadratic import Quadratic

    words = ["experiment=noisy_quadratic", "dataset.samples=900", "trainer.steps=200", "trainer.progress=false"]
    grid = ["method=grid", "find.seeds=6", "find.low=0.01", "find.high=0.6", "find.rates=5", "find.refine=2"]
    assert main([*words, *grid, "logger=none", "name=found"]) == 0
    rates = np.geomspace(0.01, 0.6, 200)
    shape = 1 - np.arange(200) / 200
    chosen = np.append(rates, found()["suggestion"])
    loss = Quadratic.of("easy").expected(shape[:, None] * chosen, batch=4).loss[-1]
    assert loss[-1] / loss[:-1].min() < 1.1


def test_a_metric_that_the_runs_lack_is_refused_by_name(run_cli) -> None:
    """``checkpoint.monitor`` is no part of the question: it changes no run."""
    words = [*WORDS, "trainer.epochs=1", "find.budget=100%"]
    assert run_cli(*words, command="find").code == 0
    for result in Path("outputs/found").glob("*/result.json"):
        told = json.loads(result.read_text())
        told["metrics"] = {"val/loss": 0.5, "test/loss": 0.5}  # as of a task that measured less
        result.write_text(json.dumps(told))
    ended = run_cli(*words, "checkpoint.monitor=val/accuracy", command="find")
    assert ended.code == 2, ended.err
    said = ended.err.splitlines()[-1]
    assert "checkpoint.monitor=val/accuracy: outputs/found/" in said
    assert said.endswith("which is finished, has no such metric; known are: val/loss, or give another name")
