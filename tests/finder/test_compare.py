"""``lrsched find scheduler=a,b``: one answer each, ranked, and what would decide where it is open."""

from __future__ import annotations

import json
import math
import re
import shlex
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrsched import schedules
from lrsched.cli.find import main
from lrsched.console import typed
from lrsched.data.quadratic import Quadratic
from lrsched.finder import compare
from lrsched.finder.answer import Answer, Candidate
from lrsched.finder.compare import Comparison, Rival
from lrsched.finder.predict import Interval
from lrsched.finder.request import FindRequest, requests_of
from lrsched.finder.trained import Job, Planned
from lrsched.horizon import Horizon
from tests.helpers.cli import TINY
from tests.helpers.interrupt import interrupted

EXACT = ["experiment=noisy_quadratic", "trainer.progress=false", "logger=none", "name=found", "threads=1"]
CLASSES = {"cosine": "Cosine", "wsd": "WSD", "onecycle": "OneCycle", "linear": "Linear"}


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


class Known:
    """Runs whose losses are known; of a seed the same for every schedule."""

    sign = 1

    def __init__(self, loss: Callable[[float, int, int], float]) -> None:
        self.loss, self.candidates, self.cost, self.words = loss, list[Candidate](), 0, list[list[str]]()

    def planned(self, asked: Sequence[Job], seeds: Sequence[int]) -> list[Any]:
        self.words += [list(job.words) for job in asked]
        return [Planned(job.lr, seed, steps_of(job)) for job in asked for seed in seeds]  # type: ignore[arg-type]

    def train(self, jobs: Any) -> None:
        pass

    def take(self, jobs: Sequence[Any]) -> None:
        self.candidates += [Candidate(lr, steps, seed, self.loss(lr, steps, seed)) for lr, seed, steps in jobs]
        self.cost += sum(steps for *_, steps in jobs)


def steps_of(job: Job) -> int:
    return next(int(word.partition("=")[2]) for word in job.words if word.startswith("trainer.steps="))


def valley(at: float, level: float) -> Callable[[float, int, int], float]:
    """Best at ``at``·steps^−0.4; a seed is 20 % off, the same for every schedule and rate."""
    return lambda lr, steps, seed: (
        level * steps**-0.5 * math.cosh(0.8 * math.log(lr / (at * steps**-0.4))) * (1 + 0.2 * (seed - 1))
    )


def asked_of(*words: str) -> list[FindRequest]:
    return requests_of([*EXACT, *words], None)


def compared(asked: list[FindRequest], *losses: Callable[[float, int, int], float]) -> Comparison:
    return compare.by_short_runs(asked, [Known(loss) for loss in losses])  # type: ignore[arg-type]


def test_a_question_for_each_schedule() -> None:
    asked = asked_of("scheduler=wsd,linear", "scheduler.final=0.1", "trainer.steps=400", "find.budget=10%")
    assert [each.scheduler for each in asked] == ["wsd", "linear"]
    assert [each.own for each in asked] == [["scheduler=wsd"], ["scheduler=linear"]]
    assert {each.folder for each in asked} == {Path("outputs/found")}
    assert [each.runs[0].scheduler.target for each in asked] == ["lrsched.schedules.WSD", "lrsched.schedules.Linear"]
    assert [each.budget() for each in asked] == [840, 840]  # a tenth of 7 rates × 3 seeds × 400 steps, each
    assert asked[0].told(1680) == "1680 steps, 10 % of a full grid (2 schedules × 7 rates × 3 seeds, 16800 steps)"
    assert [each.budget() for each in asked_of("scheduler=wsd,linear", "find.budget=5000st")] == [2500, 2500]


def test_a_value_of_a_schedule_is_compared_too() -> None:
    asked = asked_of("scheduler=wsd", "scheduler.decay=10%,40%")
    assert [each.scheduler for each in asked] == ["wsd scheduler.decay=10%", "wsd scheduler.decay=40%"]


def test_a_name_that_nobody_gave_is_one_for_all() -> None:
    asked = requests_of([*TINY, "scheduler=wsd,linear"], None)
    assert len({each.folder for each in asked}) == 1


def test_the_better_schedule_is_first_and_decided(capsys: pytest.CaptureFixture[str]) -> None:
    """12 % apart; the noise of the seeds, 20 %, is that of both."""
    asked = asked_of("scheduler=cosine,linear", "optimizer.lr=0.05")
    found = compared(asked, valley(0.7, 1.12), valley(1.4, 1.0))
    assert "2 schedules of 2000 steps: at most 12600 steps, 15 % of a full grid" in capsys.readouterr().err
    content = found.answer.content()
    assert [each["scheduler"] for each in content["answers"]] == ["linear", "cosine"]
    assert content["undecided"] == []
    assert content["decide"] is None
    assert content["override"] == content["answers"][0]["override"]
    assert content["override"] == f"scheduler=linear optimizer.lr={content['suggestion']}"
    assert content["answers"][1]["behind_percent"]["low"] > 0
    for each, level in zip(content["answers"], (1.0, 1.12), strict=True):
        assert each["predicted"]["low"] < level * 2000**-0.5 < each["predicted"]["high"]
        assert each["undecided"] is False
    assert content["cost_steps"] == sum(each["cost_steps"] for each in content["answers"]) <= 12600
    assert "linear is predicted to be the best" in found.table()[-1]


def test_equal_schedules_are_undecided(capsys: pytest.CaptureFixture[str]) -> None:
    asked = asked_of("scheduler=cosine,linear", "optimizer.lr=0.05")
    found = compared(asked, valley(0.7, 1.003), valley(1.4, 1.0))
    first, second = found.answer.content()["undecided"]  # 0.3 % is below what tells which of them is ahead
    assert {first, second} == {"linear", "cosine"}
    shown = "\n".join(found.table())
    lead, other = (f"{each['predicted']['mean']:.8f}" for each in found.answer.content()["answers"])
    said = re.search(rf"{first} is ahead: (\S+) against (\S+) of {second}, not decided; ", shown)
    assert said is not None
    assert said[1] != said[2]
    assert [round(float(said[1]), 4), round(float(said[2]), 4)] == [round(float(lead), 4), round(float(other), 4)]
    assert found.command in shown


def made(*gaps: Interval | None, wide: float | None = None, **more: Any) -> Comparison:
    """Three schedules; ``wide``: how many times the low end of an interval the high one is."""
    asked = asked_of("scheduler=cosine,wsd,linear", "++trainer.clip_norm=1.0", "seed=3", "optimizer.lr=0.5")
    told = {} if wide is None else {"interval": [0.01, 0.01 * wide]}
    answers = [Answer("horizon", rate, f"optimizer.lr={rate}", [], 10, told) for rate in (0.1, 0.05, 0.2)]
    return Comparison(
        [
            Rival(each, answer, Interval(1.0, 0.9, 1.1), gap, **more)
            for each, answer, gap in zip(asked, answers, gaps, strict=True)
        ]
    )


def test_the_command_makes_full_runs_of_those_that_are_open() -> None:
    """2.8 · 2 % / 4 % squared is 1.96; six pairs are the fewest that can decide."""
    found = made(None, Interval(9.0, 2.0, 16.0), Interval(4.0, -1.0, 9.0), spread=2.0)
    words = shlex.split(found.command)
    assert found.command.startswith(typed("-m "))
    assert {"scheduler=cosine,linear", "optimizer.lr=0.1,0.2", "seed=range(3,9)", "name=found-decide"} < set(words)
    assert "sweep.zip=[scheduler,optimizer.lr]" in words
    assert "++trainer.clip_norm=1.0" in words
    assert not {"optimizer.lr=0.5", "seed=3"} & set(words)


def test_the_command_tries_neighbours_of_a_rate_that_short_runs_suggest() -> None:
    """They part its interval, of a factor 3.375 = 1.5^3, in three; 30 full runs of a schedule at most."""
    gaps = None, Interval(9.0, 2.0, 16.0), Interval(0.1, -1.0, 1.2)
    found = made(*gaps, spread=20.0, wide=3.375)
    words = shlex.split(found.command)
    rates = "optimizer.lr=0.0667,0.1,0.15,0.133,0.2,0.3"
    assert {"scheduler=cosine,cosine,cosine,linear,linear,linear", rates, "seed=range(3,13)"} < set(words)
    said = "60 full runs (3 rates each, 10 seeds), 120000 steps would tell gaps of about 18 % or more, if seeds differ"
    assert said in found.verdict()[0]  # 2.8 · 20 % / √10 = 17.7 %
    assert [made(*gaps, wide=wide).rivals[0].rates for wide in (1.2, 100.0)] == [[0.08, 0.1, 0.125], [0.05, 0.1, 0.2]]


def test_the_verdict_says_for_how_many_comparisons_it_holds() -> None:
    decided = made(None, Interval(9.0, 2.0, 16.0), Interval(4.0, 1.0, 7.0), spread=2.0)
    (said,) = decided.verdict()
    wanted = (
        "cosine is predicted to be the best: every interval (95 % for all 2 together) of the paired difference from it "
        "lies above 0"
    )
    assert said == wanted
    open_ = made(None, Interval(9.0, 2.0, 16.0), Interval(4.0, -1.0, 9.0), spread=2.0)
    assert open_.verdict()[0].startswith(
        "cosine is ahead: 1 against 1 of linear, not decided; 12 full runs (1 rate each, 6 seeds), "
    )


def test_who_is_ahead_has_another_number_than_the_others() -> None:
    found = made(None, Interval(9.0, 2.0, 16.0), Interval(0.001, -1.0, 1.0), spread=2.0)
    lead, _, near = found.rivals
    found = replace(found, rivals=[lead, replace(near, predicted=Interval(1.00001, 0.9, 1.1))])
    assert found.verdict()[0].startswith("cosine is ahead: 1 against 1.00001 of linear, not decided; ")


def test_no_more_seeds_are_asked_for_than_matter() -> None:
    """30 seeds tell 2.8 · 20 % / √30 = 10.2 % apart."""
    found = made(None, Interval(9.0, -2.0, 20.0), Interval(0.1, -1.0, 1.2), spread=20.0)
    assert found.seeds == 30
    assert (
        "90 full runs (1 rate each, 30 seeds), 180000 steps would tell gaps of about 10 % or more" in found.table()[-2]
    )


class Ends:
    """Whole runs: one for each seed."""

    sign = 1

    def __init__(self, losses: Sequence[float]) -> None:
        self.ends, self.candidates, self.cost, self.steps, self.length = losses, list[Candidate](), 0, 0, 12

    def __call__(self, asked: Sequence[Job], seeds: Sequence[int]) -> None:
        for job in asked:
            self.candidates += [Candidate(job.lr, 12, s, self.ends[s] + abs(math.log10(job.lr))) for s in seeds]
            self.cost += 12 * len(seeds)

    def losses(self, rate: float) -> list[float]:
        return [candidate.loss for candidate in self.candidates if candidate.lr == rate]

    def mean(self, rate: float) -> float:
        return sum(self.losses(rate)) / len(self.losses(rate))


GRID = ["method=grid", "find.rates=3", "find.low=0.1", "find.high=10", "find.refine=0"]


def test_a_grid_is_ranked_by_what_runs_came_to() -> None:
    """Paired differences of 0.1, 0.12, 0.08 against 1.0 on the mean: 10 ± 4.303 · 2 / √3 percent."""
    asked = requests_of([*TINY, *GRID, "scheduler=cosine,linear"], None)
    found = compare.by_grid(asked, [Ends([0.6, 1.12, 1.58]), Ends([0.5, 1.0, 1.5])])  # type: ignore[arg-type]
    first, second = found.answer.content()["answers"]
    assert first["scheduler"] == "linear"
    assert (first["suggestion"], first["predicted"]["mean"]) == (1.0, 1.0)
    assert second["behind_percent"]["mean"] == pytest.approx(10.0)
    assert second["behind_percent"]["low"] == pytest.approx(10 - 4.303 * 2 / 3**0.5, abs=0.2)
    assert second["undecided"] is False


class Course:
    """Runs of one schedule whose losses are exact: their mean over all data."""

    def __init__(self, regime: str, scheduler: str) -> None:
        self.problem, self.schedule = Quadratic.of(regime), getattr(schedules, CLASSES[scheduler])()

    def final(self, steps: int, rates: Any) -> Any:
        table = self.schedule.table(Horizon(steps=steps), 1.0)
        momentum = table.get("momentum", np.zeros(steps))
        return self.problem.expected(table["lr"][:, None] * rates, 4, momentum).loss[-1]

    def __call__(self, lr: float, steps: int, seed: int) -> float:
        loss = float(self.final(steps, np.array([lr]))[0])
        return loss if loss < 1e6 else math.inf


@pytest.mark.slow
@pytest.mark.parametrize("regime", ["easy", "steep", "hard"])
def test_without_noise_the_best_schedule_is_first(regime: str) -> None:
    """The gap between the first two is 1.2 % (easy), 3.7 % (steep), 10 % (hard): beyond 2 % it is found.

    Not always in the hard regime, where one-cycle is ahead only after a quarter of the run: there it is among those of
    which nothing is decided.
    """
    asked = asked_of("scheduler=cosine,wsd,onecycle,linear", f"dataset.regime={regime}", "optimizer.lr=0.05")
    courses = {each.scheduler: Course(regime, each.scheduler) for each in asked}
    found = compared(asked, *courses.values())
    rates = np.geomspace(0.005, 3.0, 60)
    truth = {name: float(np.nanmin(course.final(2000, rates))) for name, course in courses.items()}
    best, second = sorted(truth.values())[:2]
    order = [rival.asked.scheduler for rival in found.rivals]
    undecided = set(found.answer.content()["undecided"])
    if second > 1.02 * best:
        assert truth[order[0]] == best or (regime == "hard" and "onecycle" in undecided)
    near = {name for name, loss in truth.items() if loss < 1.005 * best}
    if len(near) > 1:
        assert near <= undecided
    assert found.answer.cost_steps <= 0.15 * 4 * 7 * 3 * 2000


@pytest.mark.slow
def test_killed_on_the_way_it_comes_to_the_same_and_its_command_decides(capsys: pytest.CaptureFixture[str]) -> None:
    words = [*EXACT, "trainer.steps=300", "dataset.samples=1300", "optimizer.lr=0.2", "find.seeds=2", "sweep.jobs=2"]
    words += ["scheduler=cosine,linear"]
    assert main(words) == 0
    whole = Path("outputs/found/find.json").read_bytes()
    content = json.loads(whole)
    assert set(content["undecided"]) <= {"cosine", "linear"}
    shutil.rmtree("outputs")
    for jobs in (2, 6):
        with interrupted(jobs):
            assert main(words) == 143
        assert "the same command with name=found goes on with what is left" in capsys.readouterr().err
    assert main(words) == 0
    assert Path("outputs/found/find.json").read_bytes() == whole
