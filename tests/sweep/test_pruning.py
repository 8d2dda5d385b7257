"""``hydra.sweeper.pruner``: trials that fall behind are paused, reproducibly, and can be taken up again."""

from __future__ import annotations

import json
import os
import random
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from lrsched.sweep.sweepers.pruning import bracket, place_beyond, rungs, worse_than_median
from tests.helpers.cli import TINY, Ended
from tests.helpers.studies import stored_study

optuna = pytest.importorskip("optuna", reason="no optuna: pip install 'hydra-lrsched[optuna]'")

from optuna.pruners import MedianPruner, SuccessiveHalvingPruner  # noqa: E402
from optuna.trial import TrialState, create_trial  # noqa: E402

RATES = "optimizer.lr=tag(log,interval(0.0001,3))"
STUDY = ("-m", *TINY, "logger=none", "hydra/sweeper=optuna", "trainer.epochs=4", "hydra.sweeper.n_jobs=4")
MEDIAN = ("hydra.sweeper.pruner=median", "hydra.sweeper.n_startup_trials=3")


@pytest.fixture
def study(run_cli) -> Callable[..., Ended]:
    """``study(8, …)``: a study of eight trials, four in a batch, of 24 steps each with an evaluation every 6."""

    def call(trials: int, *overrides: str, name: str = "sweep") -> Ended:
        return run_cli(*STUDY, RATES, f"name={name}", f"hydra.sweeper.n_trials={trials}", *overrides)

    return call


def outcomes(name: str = "sweep") -> list[tuple[Any, ...]]:
    """All that a study's trials are."""
    return [
        (trial.number, trial.state.name, trial.params, trial.value, trial.intermediate_values, trial.user_attrs)
        for trial in stored_study(name)[0]
    ]


def jobs(name: str = "sweep") -> dict[str, tuple[Any, ...]]:
    """How the record says that each run ended."""
    found = json.loads(Path("outputs", name, "sweep.json").read_text())["jobs"]
    return {job["run_id"]: tuple(job[key] for key in ("status", "ended", "why", "reason")) for job in found}


def ends(name: str = "sweep") -> dict[str, tuple[Any, ...]]:
    """What each run is: its rows, its weights and where it stands."""
    found = {}
    for file in sorted(Path("outputs", name).glob("*/result.json")):
        result = json.loads(file.read_text())
        rows = (file.parent / "metrics.jsonl").read_bytes()
        found[file.parent.name] = (rows, result.get("weights_sha256"), result["step"], result["ended"])
    return found


def value_at(run_id: str, step: int, name: str = "sweep") -> float:
    lines = Path("outputs", name, run_id, "metrics.jsonl").read_text().splitlines()
    (value,) = [row["val/loss"] for row in map(json.loads, lines) if row["step"] == step and "val/loss" in row]
    return value


def test_the_median_rule_is_optunas() -> None:
    draw = random.Random(0)
    for case in range(30):
        sign = draw.choice([1, -1])
        startup = draw.randint(1, 4)
        direction = "minimize" if sign == 1 else "maximize"
        pruner = MedianPruner(n_startup_trials=startup, n_warmup_steps=0)
        study = optuna.create_study(direction=direction, pruner=pruner)
        complete = [{10: draw.random(), 20: draw.random()} for _ in range(draw.randint(0, 6))]
        study.add_trials([create_trial(value=0, intermediate_values=values) for values in complete])
        study.add_trials([create_trial(state=TrialState.PRUNED, intermediate_values={10: 0.5})])
        trial = study.ask()
        mine = {10: draw.random(), 20: draw.random()}
        for step, value in mine.items():
            trial.report(value, step)
        signed = [{step: sign * value for step, value in values.items()} for values in complete]
        middle = worse_than_median({step: sign * value for step, value in mine.items()}, 20, signed, startup)
        assert (middle is not None) == trial.should_prune(), case


def test_the_rule_of_a_bracket_is_optunas_once_all_have_reported() -> None:
    draw = random.Random(0)
    for case in range(30):
        sign, eta = draw.choice([1, -1]), draw.randint(2, 4)
        direction = "minimize" if sign == 1 else "maximize"
        pruner = SuccessiveHalvingPruner(min_resource=10, reduction_factor=eta)
        study = optuna.create_study(direction=direction, pruner=pruner)
        others = [draw.random() for _ in range(draw.randint(0, 9))]
        study.add_trials([create_trial(value=0, system_attrs={"completed_rung_0": value}) for value in others])
        trial, mine = study.ask(), draw.random()
        trial.report(mine, 10)
        beyond = place_beyond(sign * mine, [sign * value for value in others], eta)
        assert (beyond is not None) == trial.should_prune(), case


def test_brackets_get_trials_by_hyperbands_budgets() -> None:
    given = [bracket(place, 3, 3) for place in range(550)]  # n = 27, 12, 6, 4 of 49
    assert [given.count(number) for number in range(4)] == pytest.approx([303, 135, 67, 45], abs=2)
    assert set(given[:12]) == {0, 1, 2, 3}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("median", 24, 6, None, 3), [6, 12, 18]),
        (("median", 24, 6, 1, 3), [12]),
        (("median", 101, 20, 5, 3), [20, 40, 60, 80, 100]),
        (("median", 1000, 1, None, 3), [200, 400, 600, 800]),
        (("hyperband", 24, 6, None, 2), [6, 12]),
        (("hyperband", 810, 10, None, 3), [10, 30, 90, 270]),
        (("hyperband", 810, 10, 2, 9), [10, 90]),
    ],
)
def test_rungs_are_evaluations(arguments: tuple[Any, ...], expected: list[int]) -> None:
    assert rungs(*arguments) == expected


def test_what_falls_behind_is_paused_and_when_taken_up_again_is_a_run_that_never_was(study, run_cli) -> None:
    ended = study(6, *MEDIAN)
    assert ended.code == 0, ended.err
    found = outcomes()
    complete = {number for number, state, *_ in found if state == "COMPLETE"}
    pruned = {number for number, state, *_ in found if state == "PRUNED"}
    assert {0, 1, 2, 3} <= complete
    assert complete | pruned == set(range(6))
    assert pruned
    record = jobs()
    for number, _, _, value, values, notes in found:
        (run_id,) = notes["runs"]
        assert values == {step: value_at(run_id, step) for step in values}
        assert value == values[max(values)]
        if number in complete:
            assert set(values) == {6, 12, 18, 24}
            assert record[run_id] == ("finished", "finished", None, "")
        else:
            others = sorted(outcome[4][max(values)] for outcome in found[:4])
            assert min(values.values()) > (others[1] + others[2]) / 2
            assert record[run_id] == ("stopped", "paused", "paused", notes["paused"])
            assert notes["paused"].startswith(f"pruned at step {max(values)}: its best val/loss is worse than ")

    (line,) = [line for line in ended.err.splitlines() if " goes on by: " in line]
    assert line.startswith(f"lrsched: pruned: {len(pruned)} trial")
    words = shlex.split(line.partition("lrsched train ")[2])
    folder = Path(words[0].partition("=")[2])
    number = next(outcome[0] for outcome in found if folder.name in outcome[5]["runs"])
    assert number in pruned
    assert run_cli(*words).code == 0
    alone = [word for word in STUDY[1:] if not word.startswith("hydra")]
    rate = found[number][2]["optimizer.lr"]
    assert run_cli(*alone, f"optimizer.lr={rate}", "name=alone", "threads=1").code == 0
    taken, never = (json.loads((place / "result.json").read_text()) for place in (folder, Path("outputs/alone")))
    assert taken["weights_sha256"] == never["weights_sha256"]
    assert (folder / "metrics.jsonl").read_bytes() == Path("outputs/alone/metrics.jsonl").read_bytes()

    again = study(6, *MEDIAN)
    assert again.code == 0, again.err
    assert outcomes() == found
    assert jobs()[folder.name][0] == "skipped"
    assert "goes on by" in again.err or len(pruned) == 1


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_a_study_is_the_same_with_any_number_of_processes_and_under_any_launcher(study, pruner: str) -> None:
    words = (f"hydra.sweeper.pruner={pruner}", "hydra.sweeper.n_startup_trials=3", "hydra.sweeper.eta=2")
    for name, more in (("one", "sweep.jobs=1"), ("two", "sweep.jobs=2"), ("basic", "hydra/launcher=basic")):
        ended = study(12, *words, more, name=name)
        assert ended.code == 0, ended.err
    assert outcomes("one") == outcomes("two") == outcomes("basic")
    assert "PRUNED" in {outcome[1] for outcome in outcomes("one")}
    assert ends("one") == ends("two") == ends("basic")
    assert jobs("one") == jobs("two") == jobs("basic")


@pytest.mark.slow
def test_without_a_number_a_batch_does_not_depend_on_the_machine(study, monkeypatch: pytest.MonkeyPatch) -> None:
    assert study(10, *MEDIAN, "hydra.sweeper.n_jobs=null", name="here").code == 0
    monkeypatch.setattr("lrsched.sweep.sweepers.optuna.cores", lambda: 3)
    assert study(10, *MEDIAN, "hydra.sweeper.n_jobs=null", "sweep.jobs=1", name="there").code == 0
    assert outcomes("there") == outcomes("here")


@pytest.mark.slow
def test_over_seeds_the_runs_of_a_trial_are_paused_together_by_their_mean(study, run_cli) -> None:
    ended = study(8, *MEDIAN, "seed=0,1", "hydra.sweeper.n_jobs=4")
    assert ended.code == 0, ended.err
    record = jobs()
    pruned = [outcome for outcome in outcomes() if outcome[1] == "PRUNED"]
    assert pruned
    for _, _, _, _, values, notes in pruned:
        assert len(notes["runs"]) == 2
        assert {record[run_id] for run_id in notes["runs"]} == {("stopped", "paused", "paused", notes["paused"])}
        for step, value in values.items():
            assert value == sum(value_at(run_id, step) for run_id in notes["runs"]) / 2
    (line,) = [line for line in ended.err.splitlines() if " goes on by: " in line]
    taken = run_cli(*shlex.split(line.partition("lrsched train ")[2]))
    assert taken.code == 0, taken.err
    ended_now = jobs("sweep-resumed")
    assert len(ended_now) == 2
    assert {end[0] for end in ended_now.values()} == {"finished"}
    for run in ended_now:
        assert json.loads((Path("outputs/sweep-resumed") / run / "result.json").read_text())["step"] == 24


@pytest.mark.slow
def test_an_accuracy_is_judged_the_other_way_round(study) -> None:
    ended = study(8, *MEDIAN, "checkpoint.monitor=val/accuracy")
    assert ended.code == 0, ended.err
    found = outcomes()
    for _, state, _, _, values, _ in found[4:]:
        last = max(values)
        others = sorted(outcome[4][last] for outcome in found[:4])
        worse = max(value for step, value in values.items() if step <= last) < (others[1] + others[2]) / 2
        assert worse == (state == "PRUNED") or last == 24


DEADLY = ("model._target_=tests.helpers.dying_model.Mortal", "hydra.sweeper.sampler=random")


@pytest.mark.slow
def test_what_diverges_counts_as_the_worst_and_what_fails_is_tried_again(study, monkeypatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", "tests.helpers.dying_model")
    command = (*DEADLY, *MEDIAN, "+model.death=none,kill,diverge")
    assert study(12, *command).code == 1
    first = outcomes()
    fates = {"none": {"COMPLETE", "PRUNED"}, "kill": {"FAIL", "PRUNED"}, "diverge": {"PRUNED"}}
    assert all(state in fates[params["model.death"]] for _, state, params, *_ in first)
    Path("heal").touch()
    again = study(12, *command)
    assert again.code in (0, 1)
    assert outcomes()[:12] == first
    assert {state for _, state, *_ in outcomes()[12:]} <= {"COMPLETE", "PRUNED"}
    failed = sum(state == "FAIL" for _, state, *_ in first)
    assert failed == len(outcomes()) - 12 > 0


@pytest.mark.slow
def test_a_run_beyond_a_rung_is_judged_by_what_it_had_there(study, run_cli) -> None:
    assert study(8, *MEDIAN).code == 0
    before = outcomes()
    for _, state, *_, notes in before:
        if state == "PRUNED":
            (run,) = notes["runs"]
            assert run_cli(f"resume=outputs/sweep/{run}").code == 0  # to its end
    for path in Path("outputs/sweep").glob("study*"):
        path.unlink()  # the study begins anew, over runs that are all finished
    assert study(8, *MEDIAN).code == 0
    assert [outcome[:5] for outcome in outcomes()] == [outcome[:5] for outcome in before]
    assert {status for status, *_ in jobs().values()} == {"skipped"}


def processes(place: Path, name: str, *words: str) -> subprocess.Popen[bytes]:
    """The same study in a group of processes of its own, which can be killed."""
    program = "from lrsched.cli.main import main; main()"
    command = [
        "train",
        *STUDY,
        RATES,
        *MEDIAN,
        "checkpoint.every=1ep",
        "hydra.sweeper.n_trials=12",
        f"name={name}",
        *words,
    ]
    quiet = subprocess.DEVNULL
    line = [sys.executable, "-c", program, *command]
    return subprocess.Popen(line, cwd=place, start_new_session=True, stdout=quiet, stderr=quiet)


def written(name: str) -> int:
    """How much a study's file holds, as far as it is one yet: trials, values at rungs, outcomes."""
    try:
        return sum(1 + len(trial.intermediate_values) + trial.state.is_finished() for trial in stored_study(name)[0])
    except Exception:
        return 0


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["median", "hyperband"])
@pytest.mark.parametrize("whom", ["group", "parent"])
def test_a_study_killed_eight_times_comes_to_the_trials_of_an_undisturbed_one(
    tmp_path: Path, monkeypatch, pruner: str, whom: str
) -> None:
    monkeypatch.chdir(tmp_path)
    rule = (f"hydra.sweeper.pruner={pruner}", "hydra.sweeper.eta=2")
    with processes(tmp_path, "calm", *rule) as calm:
        assert calm.wait(200) == 0
    total, draw = written("calm"), random.Random(f"{pruner} {whom}")
    kills = 0
    for number in range(8):
        enough = total * (number + 1) // 10  # so much must be there before it is killed, at some moment after it
        with processes(tmp_path, "killed", *rule) as process:
            until = time.monotonic() + 120
            while written("killed") < enough and process.poll() is None and time.monotonic() < until:
                time.sleep(0.005)
            time.sleep(draw.random() * 0.4)
            kills += process.poll() is None
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL) if whom == "group" else os.kill(process.pid, signal.SIGKILL)
        before = {outcome[0]: outcome for outcome in outcomes("calm")}
        for number, _, params, _, values, _ in outcomes("killed"):
            assert params == before[number][2]
            assert values.items() <= before[number][4].items()
    assert kills == 8
    with processes(tmp_path, "killed", *rule) as process:
        assert process.wait(200) == 0
    assert outcomes("killed") == outcomes("calm")
    assert {"PRUNED", "COMPLETE"} == {outcome[1] for outcome in outcomes("calm")}
    assert ends("killed") == ends("calm")
    assert jobs("killed").keys() == jobs("calm").keys()
    again = {run_id: end if end[0] != "skipped" else ("finished", *end[1:]) for run_id, end in jobs("killed").items()}
    assert again == jobs("calm")


class Killed(BaseException):
    """Ends a process where it stands."""


@pytest.mark.slow
@pytest.mark.parametrize("pruner", ["median", "hyperband"])
def test_a_study_that_dies_at_any_write_of_its_file_goes_on_to_the_same_trials(study, monkeypatch, pruner: str) -> None:
    words = (*MEDIAN, f"hydra.sweeper.pruner={pruner}", "hydra.sweeper.eta=2", "hydra/launcher=basic")
    assert study(8, *words, name="calm").code == 0
    left = [0]

    def dying(write: Callable[..., Any]) -> Callable[..., Any]:
        """A write that dies before it, or after it, when so many are left."""

        def wrapped(*arguments: Any, **named: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            found = write(*arguments, **named)
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return found

        return wrapped

    storage = optuna.storages.RDBStorage
    for name in ("set_trial_intermediate_value", "set_trial_user_attr", "set_trial_state_values", "create_new_trial"):
        monkeypatch.setattr(storage, name, dying(getattr(storage, name)))
    deaths, number = 0, 1
    while True:
        left[0] = number
        try:
            assert study(8, *words, name="dying").code == 0
            break
        except Killed:
            deaths += 1
            number = number % 7 + 1
    assert deaths >= 12
    assert outcomes("dying") == outcomes("calm")
    assert ends("dying") == ends("calm")
