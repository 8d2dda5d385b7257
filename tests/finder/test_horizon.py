"""``lrsched find`` by short runs: the same shape, those of a sweep, and an answer for the run's own length."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lrsched.cli.find import main
from lrsched.compose.outside import hydra_of_ours
from lrsched.config.run_id import key_of
from lrsched.data.quadratic import REGIMES, Quadratic
from lrsched.errors import ConfigError
from lrsched.finder.answer import Candidate
from lrsched.finder.folder import question, refuse_other_answer
from lrsched.finder.horizon import cautions, plan_of, rescaled, search, table, unlearned
from lrsched.finder.request import request_of, requests_of
from lrsched.finder.trained import Job
from lrsched.horizon import Horizon
from tests.helpers.cli import TINY
from tests.helpers.interrupt import interrupted

EXACT = ["experiment=noisy_quadratic", "trainer.progress=false", "logger=none", "name=found", "threads=1"]


@pytest.fixture(autouse=True)
def _place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (["scheduler=cosine"], []),
        (["scheduler=cosine", "scheduler.warmup=3%"], []),
        (["scheduler=cosine", "scheduler.warmup=30st"], ["scheduler.warmup=10%"]),
        (
            ["scheduler=wsd", "scheduler.warmup=1ep", "scheduler.decay=75st"],
            ["scheduler.warmup=2%", "scheduler.decay=25%"],
        ),
        (["scheduler=step", "scheduler.every=0.5ep"], ["scheduler.every=1%"]),
    ],
)
def test_lengths_become_parts_of_the_run(words: list[str], wanted: list[str]) -> None:
    """300 steps of 6 an epoch."""
    found = rescaled(request_of([*TINY, "trainer.steps=300", *words], None).runs[0], Horizon(300, 6, 16))
    assert found == wanted


def test_lists_and_schedules_within_become_parts_too() -> None:
    run = request_of([*TINY, "trainer.steps=300", "scheduler=multistep", "scheduler.milestones=[30st,50%,225st]"], None)
    (word,) = rescaled(run.runs[0], Horizon(300, 6, 16))
    assert key_of(word) == "scheduler.milestones"
    assert word.partition("=")[2].replace("'", "") == "[10%,50%,75%]"


class Expected:
    """Runs whose losses are exact: their mean over all data."""

    def __init__(self, regime: str) -> None:
        self.problem, self.candidates, self.cost = Quadratic.of(regime), list[Candidate](), 0

    def __call__(self, asked: list[Job], seeds: list[int]) -> None:
        for job in asked:
            steps = next(int(word.partition("=")[2]) for word in job.words if word.startswith("trainer.steps="))
            assert job.words[0] == f"optimizer.lr={job.lr}"
            loss = self.final(steps, np.array([job.lr]))[0]
            self.candidates += [Candidate(job.lr, steps, seed, float(loss)) for seed in seeds]
            self.cost += steps * len(seeds)

    def final(self, steps: int, rates: Any) -> Any:
        z = np.arange(steps) / steps
        return self.problem.expected((1 - z)[:, None] * rates, batch=4).loss[-1]


def test_other_lengths_are_another_question_and_equal_ones_the_same() -> None:
    own = [*EXACT, "find.horizons=[5%,12%,30%]"]
    with hydra_of_ours():
        asked = requests_of(own, None)
        assert asked[0].horizons == (100, 240, 600)
        told = plan_of(asked[0])
        assert told.budget == 3 * (10 * 100 + 3 * (240 + 600))
        Path("outputs/found").mkdir(parents=True)
        Path("outputs/found/.find.json").write_text(json.dumps(question(asked)))
        refuse_other_answer(requests_of([*EXACT, "find.horizons=[100st,240st,600st]", "find.budget=50%"], None))
        for word in ("find.horizons=[5%,30%]", "find.horizons=null"):
            with pytest.raises(ConfigError, match=r"the runs of other lengths \(100, 240, 600\); give another name"):
                refuse_other_answer(requests_of([*EXACT, word], None))


REGRET = {"easy": 0.01, "steep": 0.01, "hard": 0.05}  # in the hard one the best rate lies at a cliff


@pytest.mark.parametrize("regime", ["easy", *(pytest.param(n, marks=pytest.mark.slow) for n in REGIMES if n != "easy")])
def test_without_noise_the_rate_is_nearly_the_best(regime: str, capsys: pytest.CaptureFixture[str]) -> None:
    """2,000 steps, at 15 % of a full grid of 7 rates: the regret of the exact final loss."""
    exact = Expected(regime)
    with hydra_of_ours():
        asked = request_of([*EXACT, f"dataset.regime={regime}", "optimizer.lr=0.05"], None)
        found = search(asked, exact)  # type: ignore[arg-type]
    assert "at most 6300 steps, 15 % of a full grid" in capsys.readouterr().err
    assert found.answer.cost_steps <= 6300
    low, high = found.answer.more["interval"]
    rates = np.geomspace(0.01, 3.0, 100)
    loss = exact.final(2000, np.append(rates, found.answer.suggestion))
    assert loss[-1] / np.nanmin(loss) - 1 < REGRET[regime]
    shown = "\n".join(table(found, [0, 1, 2]))
    assert f"best rate at 2000 steps: {found.answer.suggestion:g}, 95 % from {low:.3g} to {high:.3g}" in shown
    assert isinstance(cautions(found.found), list)


@pytest.mark.slow
def test_real_runs_killed_on_the_way_come_to_the_same_answer(capsys) -> None:
    words = [*EXACT, "trainer.steps=400", "dataset.samples=1700", "optimizer.lr=0.2", "find.seeds=2", "sweep.jobs=2"]
    assert main(words) == 0
    whole = Path("outputs/found/find.json").read_bytes()
    answer = json.loads(whole)
    assert answer["cost_steps"] <= 0.16 * 7 * 2 * 400
    assert answer["override"] == f"optimizer.lr={answer['suggestion']}"
    assert answer["interval"][0] < answer["suggestion"] < answer["interval"][1]
    assert {candidate["horizon"] for candidate in answer["candidates"]} < set(range(400))
    shutil.rmtree("outputs")
    for jobs in (2, 6):
        with interrupted(jobs):
            assert main(words) == 143
        assert "the same command with name=found goes on with what is left" in capsys.readouterr().err
        assert not Path("outputs/found/find.json").exists()
    assert main(words) == 0
    assert Path("outputs/found/find.json").read_bytes() == whole


@pytest.mark.slow
def test_no_rate_is_given_where_every_rate_diverged(capsys: pytest.CaptureFixture[str]) -> None:
    """Inputs about 1e18 whose squares no float32 holds."""
    Path("large.csv").write_text("x,y\n" + "".join(f"{row + 1}e18,{row % 7}\n" for row in range(200)))
    words = ["dataset=table", "dataset.path=large.csv", "dataset.target=y", "dataset.standardise=false", "model=linear"]
    words += ["task=regression", "trainer.steps=300", "trainer.progress=false", "logger=none", "threads=1"]
    assert main([*words, "optimizer.lr=1", "name=found", "find.seeds=1"]) == 2
    said = capsys.readouterr().err
    assert "every rate diverged in 10 steps, down to 7.25e-12" in said
    assert "start from a lower one" in said
    assert not Path("outputs/found/find.json").exists()


def test_runs_that_learned_nothing_are_told_so() -> None:
    """Chance level: ln 10 at every rate, however long; a rate that fell by 2 % is enough."""
    at_chance = [
        Candidate(lr, steps, seed, 2.3026 + lr) for lr in (0.1, 0.01) for steps in (50, 500) for seed in (0, 1)
    ]
    said = unlearned(at_chance)
    assert "nothing was learned at any rate: the best loss is 2.313 after 500 steps and was 2.313 after 50" in said
    assert "give a longer run" in said
    assert not unlearned([*at_chance, Candidate(0.2, 500, 0, 2.26), Candidate(0.2, 500, 1, 2.26)])
