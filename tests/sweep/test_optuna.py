"""``hydra/sweeper=optuna``: a study asks, runs answer, and both survive their process."""

from __future__ import annotations

import json
import math
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser

from lrsched.checkpoint.lock import RunLock
from lrsched.errors import ConfigError
from tests.helpers.cli import TINY, Ended
from tests.helpers.studies import stored_study
from tests.sweep.test_deaths import stamps

optuna = pytest.importorskip("optuna", reason="no optuna: pip install 'hydra-lrsched[optuna]'")

from optuna.distributions import CategoricalDistribution, FloatDistribution, IntDistribution  # noqa: E402

from lrsched.sweep.sweepers.space import space  # noqa: E402
from lrsched.sweep.sweepers.study import Study, StudyOptions  # noqa: E402

RATES = "optimizer.lr=tag(log,interval(0.001,0.5))"
STUDY = ("-m", *TINY, "logger=none", "hydra/sweeper=optuna", "hydra.sweeper.n_jobs=2")


@pytest.fixture
def study(run_cli) -> Callable[..., Ended]:
    """``study(4, …)``: a study of four trials."""

    def call(trials: int, *overrides: str, name: str = "sweep") -> Ended:
        return run_cli(*STUDY, f"name={name}", f"hydra.sweeper.n_trials={trials}", *(overrides or (RATES,)))

    return call


def trials(name: str = "sweep") -> list[Any]:
    """What the study's file holds, as Optuna itself reads it."""
    return stored_study(name)[0]


def outcomes(name: str = "sweep") -> list[tuple[int, str, dict[str, Any], float | None]]:
    return [(trial.number, trial.state.name, trial.params, trial.value) for trial in trials(name)]


def results(key: str, name: str = "sweep") -> dict[str, list[float]]:
    """The last val/loss of the finished runs, by what was asked of a key."""
    found: dict[str, list[float]] = {}
    for job in json.loads(Path("outputs", name, "sweep.json").read_text())["jobs"]:
        (value,) = [item.partition("=")[2] for item in job["overrides"] if item.startswith(f"{key}=")]
        result = json.loads(Path("outputs", name, job["run_id"], "result.json").read_text())
        assert result["status"] == "finished"
        found.setdefault(value, []).append(result["metrics"]["val/loss"])
    return found


def test_the_name_of_another_sweeper_is_left_alone(study, run_cli) -> None:
    assert run_cli("-m", *TINY, "logger=none", "trainer.epochs=1", "seed=0", "name=grid").code == 0
    held = {path: path.read_bytes() for path in Path("outputs/grid").rglob("*") if path.is_file()}
    ended = study(1, name="grid")
    assert ended.code == 2
    assert "name=grid: outputs/grid already holds a sweep that is no study; give another name" in ended.err
    assert {path: path.read_bytes() for path in Path("outputs/grid").rglob("*") if path.is_file()} == held


@pytest.mark.parametrize("sweeper", ["grid", "halving"])
def test_the_name_of_a_study_is_left_alone(study, run_cli, sweeper: str) -> None:
    assert study(1, name="study").code == 0
    held = {path: path.read_bytes() for path in Path("outputs/study").rglob("*") if path.is_file()}
    ended = run_cli("-m", *TINY, "logger=none", "seed=0,1", "name=study", f"hydra/sweeper={sweeper}")
    assert ended.code == 2
    assert "name=study: outputs/study already holds a study; give another name" in ended.err
    assert {path: path.read_bytes() for path in Path("outputs/study").rglob("*") if path.is_file()} == held


def test_n_trials_is_a_total_and_each_value_is_that_of_its_run(study) -> None:
    assert study(2).code == 0
    two = outcomes()
    more = study(3)
    assert more.code == 0, more.err
    assert outcomes()[:2] == two
    assert [state for _, state, _, _ in outcomes()] == ["COMPLETE"] * 3
    losses = results("optimizer.lr")
    assert {str(params["optimizer.lr"]): [value] for _, _, params, value in outcomes()} == losses
    assert len(losses) == 3
    assert all(0.001 <= float(rate) <= 0.5 for rate in losses)
    before, three = stamps(), outcomes()
    again = study(3)
    assert again.code == 0
    assert "all 3 trials were made before; a greater hydra.sweeper.n_trials asks for more" in again.err
    assert (stamps(), outcomes()) == (before, three)
    jobs = json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]
    assert [job["status"] for job in jobs] == ["skipped"] * 3


def test_the_best_trial_is_said_as_a_line_that_makes_its_run_again(study, run_cli) -> None:
    ended = study(3)
    losses = results("optimizer.lr")
    rate = min(losses, key=lambda rate: losses[rate])
    (line,) = [line for line in ended.err.splitlines() if "best of 3 trials: " in line]
    assert f"val/loss {losses[rate][0]:.6g}" in line
    words = shlex.split(line.partition("lrsched train ")[2])
    assert f"optimizer.lr={rate}" in words
    assert run_cli(*words, "name=alone", "threads=1").result("alone")["metrics"]["val/loss"] == losses[rate][0]


def test_equal_commands_ask_for_equal_values_under_any_launcher(study) -> None:
    assert study(2).code == 0
    assert study(2, RATES, "hydra/launcher=basic", name="basic").code == 0
    assert outcomes("basic") == outcomes()


def test_a_trial_that_was_under_way_is_taken_up_again_and_its_batch_is_filled(study) -> None:
    assert study(4).code == 0
    assert study(2, name="killed").code == 0
    third = trials()[2]
    lost = Study(StudyOptions(), Path("outputs/killed"), third.distributions, "val/loss", "min")
    lost.begin(lost.propose(), third.user_attrs["runs"])  # what a process leaves that is killed in between
    assert [trial.state.name for trial in trials("killed")] == ["COMPLETE", "COMPLETE", "RUNNING"]
    ended = study(4, name="killed")
    assert ended.code == 0, ended.err
    assert "3 of 4 trials were made before, 1 of them to be resumed" in ended.err
    assert outcomes("killed") == outcomes()


def test_over_several_seeds_the_value_is_their_mean(study) -> None:
    ended = study(2, "scheduler=cosine,wsd", "optimizer.lr=range(0.1,0.4,0.1)", "seed=0,1")
    assert ended.code == 0, ended.err
    losses = results("optimizer.lr")
    assert sum(map(len, losses.values())) == 4
    for _, state, params, value in outcomes():
        assert state == "COMPLETE"
        assert params["scheduler"] in ("cosine", "wsd")
        assert value == pytest.approx(sum(losses[str(params["optimizer.lr"])]) / 2, rel=1e-15)


def test_an_accuracy_is_maximised(study) -> None:
    ended = study(2, RATES, "checkpoint.monitor=val/accuracy", "checkpoint.mode=max")
    assert f"val/accuracy {max(trial.value for trial in trials()):.2%}, trial " in ended.err
    assert stored_study()[1] == "MAXIMIZE"


def test_a_study_may_lie_elsewhere_under_a_name_of_its_own(study) -> None:
    place = ("hydra.sweeper.storage=sqlite:///all.db", "hydra.sweeper.study_name=rates")
    assert study(1, "optimizer.lr=choice(0.1)", *place).code == 0
    assert not Path("outputs/sweep/study.db").exists()
    assert study(2, "optimizer.lr=choice(0.1)", *place, name="other").code == 0  # another folder, and the same values
    first, second = stored_study("rates", "sqlite:///all.db")[0]
    assert first.value == second.value is not None


def test_values_asked_for_twice_are_trained_once(study) -> None:
    ended = study(4, "optimizer.lr=0.1,0.2", "hydra.sweeper.n_jobs=4")
    assert ended.code == 0, ended.err
    assert len(results("optimizer.lr")) == len(stamps()) <= 2
    assert [state for _, state, _, _ in outcomes()] == ["COMPLETE"] * 4


DEADLY = ("model._target_=tests.helpers.dying_model.Mortal", "hydra.sweeper.sampler=random", RATES)


def test_what_failed_is_told_and_tried_again_and_what_diverged_is_not(study, monkeypatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", "tests.helpers.dying_model")
    fates = {"none": "COMPLETE", "kill": "FAIL", "diverge": "PRUNED"}
    command = (*DEADLY, f"+model.death={','.join(fates)}")
    ended = study(6, *command)
    assert ended.code == 1
    first = outcomes()
    assert {params["model.death"] for _, _, params, _ in first} == set(fates)
    assert [state for _, state, _, _ in first] == [fates[params["model.death"]] for _, _, params, _ in first]
    failed = [params for _, state, params, _ in first if state == "FAIL"]
    Path("heal").touch()
    again = study(6, *command)
    assert again.code == 1  # for those that diverged
    assert outcomes()[:6] == first
    assert [(state, params) for _, state, params, _ in outcomes()[6:]] == [("COMPLETE", params) for params in failed]
    diverged = sum(state == "PRUNED" for _, state, _, _ in first)
    assert f"{diverged} of 6 runs did not finish" in again.err


def test_with_fail_fast_nothing_is_asked_after_a_failure(study, monkeypatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", "tests.helpers.dying_model")
    command = (*DEADLY, "+model.death=raise", "sweep.fail_fast=true", "sweep.jobs=1", "hydra.sweeper.n_jobs=2")
    assert study(6, *command).code == 1
    assert [state for _, state, _, _ in outcomes()] == ["FAIL", "RUNNING"]  # the second was not begun
    Path("heal").touch()
    assert study(2, *command).code == 0
    assert [state for _, state, _, _ in outcomes()] == ["FAIL", "COMPLETE", "COMPLETE"]


def test_one_process_at_a_time_is_at_a_study(study) -> None:
    Path("outputs/sweep").mkdir(parents=True)
    with RunLock(Path("outputs/sweep")):
        ended = study(1)
    assert ended.code == 5
    assert "outputs/sweep is in use" in ended.err


def test_a_study_of_other_settings_is_not_mixed_with(study) -> None:
    assert study(1).code == 0
    ended = study(2, RATES, "trainer.epochs=3")
    assert ended.code == 2
    assert "hydra.sweeper.study_name=sweep: a study of this name has other settings: trial 0 was " in ended.err
    assert len(trials()) == 1


RATE = {"rate": FloatDistribution(1e-4, 1.0, log=True)}


def of(place: Path, searched: Any = RATE, monitor: str = "val/loss", mode: str = "min", **options: Any) -> Study:
    """A study without runs."""
    return Study(StudyOptions(study_name="study", **options), place, searched, monitor, mode)


@pytest.mark.parametrize(
    ("changed", "how"),
    [
        ({"searched": {"rate": CategoricalDistribution(["0.1"])}}, "trial 0 searched another rate: FloatDistribution"),
        ({"searched": RATE | {"dropout": FloatDistribution(0, 0.5)}}, "trial 0 searched rate"),
        ({"monitor": "val/accuracy", "mode": "max"}, "it is to minimize val/loss"),
    ],
    ids=["kind", "key", "metric"],
)
def test_a_study_over_another_space_or_of_another_metric_is_refused(tmp_path: Path, changed: Any, how: str) -> None:
    first = of(tmp_path)
    first.begin(first.propose(), {})
    with pytest.raises(ConfigError, match=f"study_name=study: a study of this name has other settings: {how}"):
        of(tmp_path, **changed)


def test_what_failed_is_tried_again_though_its_interval_is_narrower_by_now(tmp_path: Path) -> None:
    first = of(tmp_path)
    failed = first.begin(first.propose(), {})
    first.tell(failed, optuna.trial.TrialState.FAIL)
    narrower = of(tmp_path, {"rate": FloatDistribution(0.9999, 1.0, log=True)})
    assert narrower.begin(failed.params, {}, again=failed).params == failed.params
    assert len(narrower.trials()) == 1


def test_an_interval_may_be_widened_and_another_seed_asks_for_other_values(tmp_path: Path) -> None:
    first = of(tmp_path)
    first.begin(first.propose(), {})
    wider = of(tmp_path, {"rate": FloatDistribution(1e-5, 10.0, log=True)})
    assert len(wider.trials()) == 1
    assert first.propose() == of(tmp_path).propose()
    assert first.propose() != of(tmp_path, seed=1).propose() != wider.propose()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("optimizer.lr=0.1", "hydra/sweeper=optuna: there is nothing to search: no key has several values"),
        ("optimizer.lr=interval(0.5,0.1)", "optimizer.lr=interval(0.5,0.1): an interval goes from a finite number to"),
        ("optimizer.lr=interval(0.1,inf)", "optimizer.lr=interval(0.1,inf): an interval goes from a finite number to"),
        ("optimizer.lr=tag(log,interval(0,1))", "optimizer.lr=tag(log,interval(0,1)): a logarithmic interval lies abo"),
        ("optimizer.lr=tag(lgo,interval(1,2))", "there is no tag 'lgo'; did you mean 'log'?"),
        ("optimizer.lr=tag(log,choice(1,2))", "only an interval has a tag; leave out log"),
        ("optimizer.lr=shuffle(0.1,0.2)", "the sampler chooses the order by itself; leave out shuffle"),
        ("optimizer.lr=range(1,2)", "optimizer.lr=range(1,2): a range holds at least two values"),
        ("optimizer.lr=range(1,2,0)", "optimizer.lr=range(1,2,0): a range holds at least two values"),
        ("optimizer.lr=interval(-0.1,1)", "optimizer.lr=-0.1: must be a finite number, at least 0"),
        ("optimizer.lrr=interval(0.1,1)", "optimizer.lrr: there is no such key; did you mean 'optimizer.lr'?"),
        ("trainer.epochs=interval(1,3)", "trainer.epochs=1.0: must be a whole number"),
        ("scheduler=cosine,wsdd", "scheduler=wsdd: there is no such choice; did you mean 'wsd'?"),
        ("scheduler=glob(zz*)", "scheduler=glob(zz*): matches none of the choices"),
        ("seed=interval(0,9)", "seed=interval(0,9): the best of many seeds is luck, and not searched"),
        ("checkpoint.keep=1,2", "checkpoint.keep=1,2: changes nothing that a run computes"),
    ],
)
def test_a_space_that_cannot_be_searched_is_refused_and_leaves_nothing(study, override: str, message: str) -> None:
    ended = study(2, override)
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("lrsched: ") == 1
    assert not Path("outputs").exists()


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ("hydra.sweeper.n_trials=0", "hydra.sweeper.n_trials=0: must be at least 1"),
        ("hydra.sweeper.sampler=tpee", "hydra.sweeper.sampler=tpee: must be one of tpe, random; did you mean 'tpe'?"),
        ("hydra.sweeper.n_trial=3", "hydra.sweeper.n_trial: there is no such key; did you mean 'hydra.sweeper.n_trial"),
        ("hydra.sweeper.storage=secret", "hydra.sweeper.storage=…: Could not parse"),
        ("resume=auto", "resume=auto: a study goes on by itself; leave it out"),
        ("sweep.until=5", "sweep.until=5: a study needs the value that a run ends with; leave it out"),
        ("sweep.zip=true", "sweep.zip=true: the sampler chooses the values of each key; leave it out"),
    ],
)
def test_an_option_that_cannot_be_is_refused_and_leaves_nothing(study, option: str, message: str) -> None:
    ended = study(2, RATES, option)
    assert ended.code == 2
    assert message in ended.err
    assert "secret" not in ended.err
    assert not Path("outputs").exists()


def test_a_plugin_of_this_name_does_not_come_first(study) -> None:
    ConfigStore.instance().store(
        "optuna", {"defaults": [], "_target_": "theirs"}, group="hydra/sweeper", provider="they"
    )
    assert "there is nothing to search" in study(1, "optimizer.lr=0.1").err


@pytest.mark.parametrize(
    ("override", "distribution"),
    [
        ("a=interval(1,10)", FloatDistribution(1.0, 10.0)),
        ("a=tag(log,interval(0.001,0.5))", FloatDistribution(0.001, 0.5, log=True)),
        ("a=int(interval(1,10))", IntDistribution(1, 10)),
        ("a=int(tag(log,interval(16,256)))", IntDistribution(16, 256, log=True)),
        ("a=range(1,10,2)", IntDistribution(1, 9, step=2)),
        ("a=range(1,10,3)", IntDistribution(1, 7, step=3)),  # Hydra's range has no 10
        ("a=range(4,0,-1)", IntDistribution(1, 4)),
        ("a=range(0,1,0.25)", FloatDistribution(0.0, 0.75, step=0.25)),
        ("a=0.1,1e-5,0.1", CategoricalDistribution(["0.1", "1e-05"])),
        ("a=choice([8],[16,8])", CategoricalDistribution(["[8]", "[16,8]"])),
        ("a=x,null,true", CategoricalDistribution(["x", "null", "True"])),
        ("+a=x,'y z'", CategoricalDistribution(["x", "'y z'"])),
    ],
)
def test_hydras_grammar_means_these_distributions(override: str, distribution: object) -> None:
    assert space([OverridesParser.create().parse_override(override)]).searched == {"a": distribution}


def test_jobs_are_written_in_the_order_of_the_command_line_and_read_back_exactly() -> None:
    words = ["c=1", "+b=interval(0,1)", "seed=0,1", "a=x,y"]
    found = space(OverridesParser.create().parse_overrides(words))
    value = 0.1 + 0.2
    expected = ["c=1", "+b=0.30000000000000004", "seed=0", "a=x"]
    assert found.jobs({"a": "x", "b": value}) == [expected, [*expected[:2], "seed=1", "a=x"]]
    assert OverridesParser.create().parse_override(expected[1]).value() == value
    assert found.corners() == [{"b": 0.0, "a": "x"}, {"b": 1.0, "a": "x"}, {"b": 0.0, "a": "y"}]


@pytest.mark.parametrize(("sampler", "draws"), [("tpe", 15), ("random", 40)])
def test_rates_of_a_log_interval_lie_in_it_and_can_be_read(tmp_path: Path, sampler: str, draws: int) -> None:
    drawn = of(tmp_path, sampler=sampler)
    for _ in range(draws):
        drawn.begin(drawn.propose(), {})
    values = [trial.params["rate"] for trial in drawn.trials()]
    assert all(1e-4 <= value <= 1 and float(f"{value:.4g}") == value for value in values)
    assert len(set(values)) == draws
    if sampler == "random":  # a quarter in each decade; so few as three in one come once in 300 times
        decades = [math.floor(math.log10(value)) for value in values]
        assert min(decades.count(decade) for decade in (-4, -3, -2, -1)) > 3


def processes(place: Path, name: str, trials: int) -> subprocess.Popen[str]:
    """The same study in a process of its own, which can be killed."""
    words = [
        *STUDY,
        f"name={name}",
        f"hydra.sweeper.n_trials={trials}",
        "checkpoint.every=1ep",
        "trainer.epochs=4",
        RATES,
    ]
    program = "from lrsched.cli.main import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "train", *words],
        cwd=place,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def asked(name: str) -> int:
    """Trials in the study's file, as far as it is one yet."""
    try:
        return len(trials(name))
    except Exception:
        return 0


@pytest.mark.slow
def test_a_study_that_is_killed_again_and_again_is_the_study_that_nobody_disturbed(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with processes(tmp_path, "calm", 8) as calm:
        assert calm.wait(120) == 0
    for number in range(8):  # killed when so many trials were asked for, at some moment after it
        with processes(tmp_path, "killed", 8) as process:
            until = time.monotonic() + 60
            while asked("killed") <= number and process.poll() is None and time.monotonic() < until:
                time.sleep(0.01)
            time.sleep(0.05 * number)
            os.kill(process.pid, signal.SIGKILL)
        done = {trial.number: trial.value for trial in trials("killed") if trial.value is not None}
        assert done.items() <= {trial.number: trial.value for trial in trials("calm")}.items()
    with processes(tmp_path, "killed", 8) as process:
        assert process.wait(120) == 0
    assert outcomes("killed") == outcomes("calm")


@pytest.mark.slow
def test_a_signal_stops_a_study_and_the_same_command_goes_on_with_it(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with processes(tmp_path, "calm", 4) as calm:
        assert calm.wait(120) == 0
    with processes(tmp_path, "stopped", 4) as process:
        until = time.monotonic() + 60
        while not list(Path("outputs/stopped").glob("*/checkpoints/*")) and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 128 + signal.SIGTERM
    assert "RUNNING" in {trial.state.name for trial in trials("stopped")}
    with processes(tmp_path, "stopped", 4) as process:
        assert process.wait(120) == 0
    assert outcomes("stopped") == outcomes("calm")
