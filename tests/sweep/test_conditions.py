"""Spaces in which some keys are searched only where another one has some value, in YAML or by a function."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from tests.helpers.cli import TINY
from tests.helpers.studies import stored_study

optuna = pytest.importorskip("optuna", reason="no optuna: pip install 'hydra-lrsched[optuna]'")

from lrsched.sweep.sweepers.conditions import Branch, Condition  # noqa: E402
from lrsched.sweep.sweepers.space import Space, space  # noqa: E402

STUDY = ("-m", *TINY, "logger=none", "hydra/sweeper=optuna", "name=sweep", "hydra.sweeper.n_jobs=4")
OPTION = "hydra.sweeper.custom_search_space"


def overrides(*words: str) -> list[Any]:
    return OverridesParser.create().parse_overrides(list(words))


def where(text: str, *words: str, above: tuple[Condition, ...] = ()) -> list[Branch]:
    """Overrides that are there where a key has one of some values."""
    key, _, values = text.partition("=")
    conditions = (*above, Condition(key, tuple(values.split(",")), text))
    return [Branch(conditions, override) for override in overrides(*words)]


WSD = where("scheduler=wsd", "scheduler.decay=tag(percent,interval(5,50))", "scheduler.shape=linear,exponential")
FINAL = where("scheduler.shape=exponential", "scheduler.final=0.01", above=WSD[0].conditions)


@pytest.fixture
def shapes() -> Space:
    return space(overrides("scheduler=cosine,wsd", "seed=0,1"), [*WSD, *FINAL])


def test_a_key_is_there_where_all_of_its_conditions_hold(shapes: Space) -> None:
    first = ["scheduler=cosine", "seed=0"]
    assert shapes.jobs({"scheduler": "cosine"}) == [first, ["scheduler=cosine", "seed=1"]]
    point = {"scheduler": "wsd", "scheduler.decay": 12.5, "scheduler.shape": "linear"}
    assert shapes.jobs(point)[0] == ["scheduler=wsd", "seed=0", "scheduler.decay=12.5%", "scheduler.shape=linear"]
    point["scheduler.shape"] = "exponential"
    assert shapes.jobs(point)[0][2:] == ["scheduler.decay=12.5%", "scheduler.shape=exponential", "scheduler.final=0.01"]
    assert shapes.varied == {"scheduler", "scheduler.decay", "scheduler.shape", "seed"}


def test_every_end_of_every_branch_is_a_corner(shapes: Space) -> None:
    def wsd(decay: float, shape: str) -> dict[str, Any]:
        return {"scheduler": "wsd", "scheduler.decay": decay, "scheduler.shape": shape}

    assert shapes.corners() == [{"scheduler": "cosine"}, wsd(5, "linear"), wsd(50, "linear"), wsd(5, "exponential")]


def test_several_conditions_may_search_one_key_each_in_its_own_way() -> None:
    two = [*where("a=x", "b=interval(0,1)"), *where("a=y,z", "b=5,6")]
    found = space(overrides("a=x,y,z"), two)
    assert list(found.searched) == ["a", "b#a=x", "b#a=y,z"]
    assert found.jobs({"a": "z", "b#a=y,z": "6"}) == [["a=z", "b=6"]]
    assert found.varied == {"a", "b"}


def test_what_is_typed_may_leave_a_condition_nowhere_to_hold() -> None:
    branches = where("scheduler=wsd,onecycle", "scheduler.decay=10%,20%")
    assert space(overrides("scheduler=cosine", "x=1,2"), branches, ["scheduler"]).order == ["scheduler", "x"]
    everywhere = space(overrides("scheduler=wsd"), branches, ["scheduler"])
    assert everywhere.jobs({"scheduler.decay": "10%"}) == [["scheduler=wsd", "scheduler.decay=10%"]]
    narrower = space(overrides("scheduler=cosine,onecycle"), branches, ["scheduler"])
    assert [point["scheduler"] for point in narrower.corners()] == ["cosine", "onecycle", "onecycle"]


def experiment(*lines: str, more: str = "") -> tuple[str, ...]:
    """Write an experiment with these parameters; the words that choose it."""
    Path("my_conf/experiment").mkdir(parents=True, exist_ok=True)
    text = "# @package _global_\nhydra:\n  sweeper:\n" + more + "    params:\n" + "".join(f"      {x}\n" for x in lines)
    Path("my_conf/experiment/mine.yaml").write_text(text)
    return ("--config-dir", "my_conf", "experiment=mine")


def searched() -> list[tuple[dict[str, Any], str]]:
    return [(trial.params, trial.state.name) for trial in stored_study()[0]]


IN_YAML = (
    "scheduler: cosine,wsd",
    "scheduler=wsd:",
    "  scheduler.decay: tag(percent,interval(10,50))",
    "  scheduler.shape: linear,exponential",
    "  scheduler.shape=exponential:",
    "    scheduler.final: tag(log,interval(0.01,0.1))",
)


def test_a_study_in_yaml_searches_each_schedule_by_its_own_keys(run_cli) -> None:
    words = (*STUDY, *experiment(*IN_YAML), "hydra.sweeper.sampler=random", "hydra.sweeper.seed=1")
    ended = run_cli(*words, "hydra.sweeper.n_trials=4")
    assert ended.code == 0, ended.err
    four = searched()
    keys = {frozenset(params) for params, _ in four}
    assert all(state == "COMPLETE" for _, state in four)
    assert {frozenset({"scheduler"}), frozenset({"scheduler", "scheduler.decay", "scheduler.shape"})} <= keys
    for params, _ in four:
        assert ("scheduler.decay" in params) == (params["scheduler"] == "wsd")
        assert ("scheduler.final" in params) == (params.get("scheduler.shape") == "exponential")
    lines = Path("outputs/sweep/sweep.csv").read_text().splitlines()
    table = {row["run"]: row for row in csv.DictReader(lines)}
    for job in json.loads(Path("outputs/sweep/sweep.json").read_text())["jobs"]:
        given = dict(word.split("=", 1) for word in job["overrides"])
        row = table[job["run_id"]]
        assert row["scheduler"] == given["scheduler"]
        assert row["scheduler.decay"] == given.get("scheduler.decay", "")
    more = run_cli(*words, "hydra.sweeper.n_trials=5")
    assert more.code == 0, more.err
    assert searched()[:4] == four


README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
(SHOWN,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "def configure(cfg" in block]

CODE = """
def raises(cfg, trial):
    return {}["no such key"]

def returns(cfg, trial):
    trial.suggest_float("optimizer.lr", 0.1, 0.2)
    return trial.params

def suggests_nothing(cfg, trial):
    pass

def sets(cfg, trial):
    trial.suggest_float("optimizer.lr", 0.1, 0.2)
    trial.set_user_attr("optimizer.lr", 0.1)

def seeds(cfg, trial):
    trial.suggest_int("seed", 0, 9)

def folders(cfg, trial):
    trial.suggest_categorical("checkpoint.keep", [1, 2])

def names(cfg, trial):
    trial.suggest_categorical("name", ["a", "b"])

def mistypes(cfg, trial):
    trial.suggest_float("optimizer.lrr", 0.1, 0.2)

def reversed(cfg, trial):
    trial.suggest_float("optimizer.lr", 0.2, 0.1)

def alone(trial):
    pass

number = 3
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A module of the user's, which is trusted."""
    name = f"space_of_{tmp_path.name.replace('-', '_')}"
    (tmp_path / "code").mkdir()
    (tmp_path / "code" / f"{name}.py").write_text(SHOWN + CODE)
    monkeypatch.syspath_prepend(str(tmp_path / "code"))
    monkeypatch.setenv("LRSCHED_TRUST", name)
    return name


@pytest.mark.slow
def test_a_function_suggests_by_what_it_sees_and_a_study_goes_on(run_cli, module: str) -> None:
    words = (*STUDY, f"{OPTION}={module}.configure")
    assert run_cli(*words, "hydra.sweeper.n_trials=12", "name=whole").code == 0
    assert run_cli(*words, "hydra.sweeper.n_trials=8").code == 0
    ended = run_cli(*words, "hydra.sweeper.n_trials=12")
    assert ended.code == 0, ended.err
    found = searched()
    assert found == [(trial.params, trial.state.name) for trial in stored_study("whole")[0]]
    assert {params["scheduler"] for params, _ in found} == {"cosine", "wsd"}
    for params, state in found:
        assert state == "COMPLETE"
        assert ("scheduler.decay" in params) == (params["scheduler"] == "wsd")
        assert params["optimizer.weight_decay"] <= 0.1001 * params["optimizer.lr"]


@pytest.mark.slow
def test_a_function_adds_to_what_is_typed_and_may_be_pruned(run_cli, module: str) -> None:
    words = (*STUDY, f"{OPTION}={module}.configure", "optimizer.momentum=0.8,0.9", "trainer.epochs=2")
    ended = run_cli(*words, "hydra.sweeper.n_trials=12", "hydra.sweeper.pruner=hyperband", "trainer.evaluate_every=2st")
    assert ended.code == 0, ended.err
    assert {state for _, state in searched()} == {"COMPLETE", "PRUNED"}
    assert all("optimizer.momentum" in params for params, _ in searched())


@pytest.mark.slow
def test_the_readmes_space_is_searched(run_cli) -> None:
    experiment()
    (shown,) = [block for block in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "scheduler=wsd:" in block]
    Path("my_conf/experiment/mine.yaml").write_text(shown)
    words = [word for word in STUDY if word not in ("-m", "hydra/sweeper=optuna")]
    ended = run_cli(*words, "--config-dir", "my_conf", "experiment=mine", "hydra.sweeper.n_trials=6")
    assert ended.code == 0, ended.err
    assert {state for _, state in searched()} == {"COMPLETE"}
    assert len({frozenset(params) for params, _ in searched()}) == 2


BAD_FUNCTIONS = {
    "raises": "raised KeyError: 'no such key' (line ",
    "returns": "returned a dict, and only what it suggests counts; its form is def configure(cfg, trial)",
    "suggests_nothing": "suggests nothing, and no other key is searched; its form is def configure(cfg, trial)",
    "sets": "set attributes of the trial, and only what it suggests counts",
    "seeds": ": the best of many seeds is luck, and not searched; list some, as in seed=0,1,2",
    "folders": "changes nothing that a run computes, so there is nothing to search",
    "names": "belongs to the whole sweep, not to one of its jobs; set it in the config itself",
    "mistypes": "optimizer.lrr: there is no such key; did you mean 'optimizer.lr'?",
    "reversed": "raised ValueError: ",
    "alone": "cannot be called with a config and a trial: ",
    "number": "is no function of a module that you trust",
    "nothing": "there is no nothing in ",
}


QUICK = ("raises", "returns", "suggests_nothing", "alone")


def some_slow(cases: list[Any], quick: Any) -> list[Any]:
    """The cases; those that are not quick belong to the long tier."""
    return [pytest.param(*case, marks=() if quick(case) else pytest.mark.slow) for case in cases]


@pytest.mark.parametrize(
    ("function", "message"),
    some_slow(list(BAD_FUNCTIONS.items()), lambda case: case[0] in QUICK),
    ids=BAD_FUNCTIONS,
)
def test_a_function_that_cannot_be_used_is_refused_and_leaves_nothing(
    run_cli, module: str, function: str, message: str
) -> None:
    ended = run_cli(*STUDY, f"{OPTION}={module}.{function}")
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("lrsched: ") == 1
    assert "Traceback" not in ended.err
    assert not Path("outputs").exists()


def test_a_function_of_a_module_that_is_not_trusted_is_not_even_imported(run_cli, module: str, monkeypatch) -> None:
    monkeypatch.delenv("LRSCHED_TRUST")
    ended = run_cli(*STUDY, f"{OPTION}={module}.configure")
    assert ended.code == 2
    assert f"{OPTION}={module}.configure: is not allowed: it must come from a module that you trust; name " in ended.err


BAD_CONDITIONS: list[Any] = [
    (("scheduler: cosine,wsd", "scheduler=wsdd: {a: 1}"), "wsdd is no choice of scheduler; did you mean 'wsd'?"),
    (("scheduler=wsd: {scheduler.decay: '10%,20%'}",), "scheduler is not searched, so it has no choice on which"),
    (
        ("optimizer.lr: interval(0.1,1)", "optimizer.lr=0.1: {optimizer.momentum: '0.1,0.2'}"),
        "optimizer.lr is searched as numbers; a condition needs choices; list those of optimizer.lr",
    ),
    (("scheduler: cosine,wsd", "scheduler=wsd: 10%"), "a condition holds a mapping of the keys that are searched"),
    (("scheduler: cosine,wsd", "scheduler=wsd: {}"), "a condition holds a mapping of the keys that are searched"),
    (
        ("scheduler: cosine,wsd", "scheduler=wsd: {scheduler.decya: '10%,20%'}"),
        "scheduler.decya: there is no such key; did you mean 'scheduler.decay'?",
    ),
    (
        ("scheduler: cosine,wsd", "scheduler=wsd: {scheduler.decay: 'interval(0.5,0.1)'}"),
        "scheduler.decay=interval(0.5,0.1): an interval goes from a finite number to a greater one",
    ),
    (
        ("scheduler: cosine,wsd", "scheduler=wsd: {scheduler.decay: 'interval(0.1,0.5)'}"),
        "a duration carries its unit: 5% (of the run), 2ep (epochs), 500st (steps) or 64000sp (samples); as in "
        "scheduler.decay=tag(percent,interval(5,50)), for 5% to 50% of the run",
    ),
    (
        ("scheduler: cosine,wsd", "scheduler=wsd: {scheduler.decay: 'tag(percent,interval(5,150))'}"),
        "scheduler.decay=150.0%: ",
    ),
    (
        ("scheduler: cosine,wsd", "scheduler=wsd: {scheduler.decay: 'tag(percent,ep,interval(5,50))'}"),
        "a duration has one unit; leave out ep or percent",
    ),
    (
        ("scheduler: cosine,wsd", "scheduler=wsd: {seed: '0,1'}"),
        "all trials have the same seeds: else their values",
    ),
    (("scheduler: cosine,wsd", "scheduler=wsd: {name: a}"), "belongs to the whole sweep, not to one of its jobs"),
    (
        ("scheduler: cosine,wsd", "optimizer.lr: 0.1,0.2", "scheduler=wsd: {optimizer.lr: '0.3,0.4'}"),
        "optimizer.lr=0.1,0.2: is searched everywhere, and again where scheduler=wsd; leave it out of one",
    ),
]


@pytest.mark.parametrize(("lines", "message"), some_slow(BAD_CONDITIONS, lambda case: "decay" in case[1]))
def test_a_condition_that_cannot_be_is_refused_and_leaves_nothing(run_cli, lines, message: str) -> None:
    ended = run_cli(*STUDY, *experiment(*lines))
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("lrsched: ") == 1
    assert "Traceback" not in ended.err
    assert not Path("outputs").exists()


@pytest.mark.parametrize("sweeper", ["grid", "halving"])
def test_other_sweepers_have_no_conditions(run_cli, sweeper: str) -> None:
    ended = run_cli(*STUDY[:-1], f"hydra/sweeper={sweeper}", *experiment(*IN_YAML))
    assert ended.code == 2
    assert "only a study searches keys under a condition; give hydra/sweeper=optuna" in ended.err
    assert not Path("outputs").exists()


BAD_PRUNERS: list[Any] = [
    (
        ("pruner=medain",),
        "hydra.sweeper.pruner=medain: must be one of none, median, hyperband; did you mean 'median'",
    ),
    (("pruner=median", "rungs=0"), "hydra.sweeper.rungs=0: must be at least 1"),
    (
        ("rungs=2",),
        "hydra.sweeper.rungs=2: there is no pruner that judges trials at them; give hydra.sweeper.pruner=",
    ),
    (
        ("pruner=median", "rungs=2"),
        "hydra.sweeper.rungs=2: a run of 12 steps has evaluations for 1 rung of median; give at most 1, or eval",
    ),
    (
        ("pruner=hyperband", "rungs=3", "eta=2", "trainer.evaluate_every=3st"),
        "hydra.sweeper.rungs=3: a run of 12 steps has evaluations for 2 rungs of hyperband; give at most 2, or ",
    ),
    (
        ("pruner=median", "trainer.evaluate_every=2ep"),
        "hydra.sweeper.pruner=median: judges trials at evaluations, and a run of 12 steps has none before its end",
    ),
    (
        ("pruner=median", "trainer.epochs=2,3"),
        "trainer.steps=[12,18]: the trials of a study with a pruner have one length: they are judged at the same",
    ),
    (
        ("pruner=median", "trainer.evaluate_every=3st,6st"),
        "trainer.evaluate_every=[3st,6st]: the trials of a study with a pruner have the same evaluations",
    ),
    (("pruner=hyperband", "eta=1"), "hydra.sweeper.eta=1: must be at least 2"),
    (("pruner=median", "n_startup_trials=0"), "hydra.sweeper.n_startup_trials=0: must be at least 1"),
    (
        ("pruner=median", "checkpoint.monitor=val/los"),
        "checkpoint.monitor=val/los: is no metric of an evaluation; did you mean 'val/loss'?",
    ),
    (
        ("pruner=median", "checkpoint.monitor=test/loss"),
        "checkpoint.monitor=test/loss: is no metric of an evaluation",
    ),
    (
        ("search_space=my.module.f",),
        "hydra.sweeper.search_space: there is no such key; did you mean 'hydra.sweeper.custom_search_space'?",
    ),
]


@pytest.mark.parametrize(
    ("words", "message"), some_slow(BAD_PRUNERS, lambda case: "rung" in case[1] or "none before" in case[1])
)
def test_a_pruner_that_cannot_judge_is_refused_and_leaves_nothing(run_cli, words, message: str) -> None:
    options = [word if "." in word.partition("=")[0] else f"hydra.sweeper.{word}" for word in words]
    ended = run_cli(*STUDY, "optimizer.lr=interval(0.1,0.2)", *options)
    assert ended.code == 2
    assert message in ended.err
    assert ended.err.count("lrsched: ") == 1
    assert "Traceback" not in ended.err
    assert not Path("outputs").exists()
