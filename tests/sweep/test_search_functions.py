"""A space that a function of the user's defines, trial by trial."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.helpers.studies import STUDY, searched, some_slow, stored_study

optuna = pytest.importorskip("optuna", reason="no optuna: pip install 'hydra-lrsched[optuna]'")

OPTION = "hydra.sweeper.custom_search_space"
PAGE = (Path(__file__).parents[2] / "docs/how-to/optuna.md").read_text("utf-8")
(SHOWN,) = [block for block in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "def configure(cfg" in block]

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
