"""Spaces in which some keys are searched only where another one has some value."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from tests.helpers.studies import STUDY, experiment, searched, some_slow

optuna = pytest.importorskip("optuna", reason="no optuna: pip install 'hydra-lrsched[optuna]'")

from lrsched.sweep.sweepers.conditions import Branch, Condition  # noqa: E402
from lrsched.sweep.sweepers.space import Space, space  # noqa: E402


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


PAGE = (Path(__file__).parents[2] / "docs/how-to/optuna.md").read_text("utf-8")


@pytest.mark.slow
def test_the_space_of_the_page_is_searched(run_cli) -> None:
    experiment()
    (shown,) = [block for block in re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL) if "scheduler=wsd:" in block]
    Path("my_conf/experiment/mine.yaml").write_text(shown)
    words = [word for word in STUDY if word not in ("-m", "hydra/sweeper=optuna")]
    ended = run_cli(*words, "--config-dir", "my_conf", "experiment=mine", "hydra.sweeper.n_trials=6")
    assert ended.code == 0, ended.err
    assert {state for _, state in searched()} == {"COMPLETE"}
    assert len({frozenset(params) for params, _ in searched()}) == 2


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
