"""The pair test bites: forget any one item of the saved state, and the resumed run is no longer the same.

A mutant resumes from a checkpoint in which one item is what a freshly built run has, as if it had never been saved.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cache, partial
from pathlib import Path
from typing import Any

import pytest

from lrsched.checkpoint.store import Store, load
from tests.helpers.cases import OPTIONS
from tests.helpers.compare_runs import differences, differing
from tests.helpers.faults import draw_globally, kill_after_save, overflow_at_first, poison, stop_and_kill
from tests.helpers.runs import KILLED, Fault, folder, resume, run

BASE = (*OPTIONS, "trainer.log_every=4st", "trainer.evaluate_every=3st", "checkpoint.keep=99", "optimizer.lr=0.3")
PLATEAU = ("scheduler=plateau", "scheduler.patience=0", "scheduler.smooth=4", "scheduler.cooldown=3")


@dataclass(frozen=True)
class Case:
    """A run, and the step after whose save it is killed."""

    options: tuple[str, ...]
    cut: int
    way: Callable[[int], None] = stop_and_kill
    poisoned: int | None = None  # a batch that holds a NaN

    @property
    def faults(self) -> tuple[Fault, ...]:
        """What belongs to the run, disturbed or not."""
        both = (draw_globally, overflow_at_first)
        return both if self.poisoned is None else (*both, partial(poison, self.poisoned))


# At step 14 an epoch, an evaluation interval (3) and a window of the training loss (4) are open, and the evaluation
# of step 9 was the best so far; the one of step 12 has cut the rate.
CASES = {
    "plateau": Case((*BASE, *PLATEAU), 14),
    "backtrack": Case((*BASE, "scheduler=plateau", "scheduler.patience=0", "scheduler.backtrack=true"), 10),
    "fp16": Case((*BASE, *PLATEAU, "trainer.precision=fp16"), 14),
    "native": Case((*BASE, "scheduler=torch/MultiplicativeLR", "scheduler.interval=step"), 14),
    "native plateau": Case((*BASE, "scheduler=torch/ReduceLROnPlateau", "scheduler.patience=1"), 14),
    "greedy": Case((*BASE, "scheduler=greedy", "scheduler.window=3"), 14),
    "passing over": Case((*BASE, *PLATEAU, "trainer.on_nonfinite=skip"), 14, poisoned=8),
    "going back": Case((*BASE, *PLATEAU, "trainer.on_nonfinite=rollback"), 14, poisoned=8),
    "just evaluated": Case((*BASE, *PLATEAU, "checkpoint.every=9st"), 9, kill_after_save),
    "averaging": Case((*BASE, "average=lawa", "average.every=4st", "average.last=3"), 14),
    "just done": Case((*BASE, *PLATEAU), 18, kill_after_save),
}

# The item that is forgotten, and the run in which it matters.
MUTANTS = [
    ("step", "plateau"),
    ("skipped", "fp16"),
    ("passed", "passing over"),
    ("passed", "going back"),
    ("rollbacks", "going back"),
    ("evaluated", "just evaluated"),
    ("metrics", "just done"),
    ("model/*.weight", "plateau"),
    ("model/*.bias", "plateau"),
    ("model/*.running_mean", "plateau"),
    ("model/*.running_var", "plateau"),
    ("model/*.num_batches_tracked", "plateau"),
    ("optimizer/state", "plateau"),
    ("optimizer/param_groups", "native"),
    ("scheduler/levels", "plateau"),
    ("scheduler/best", "backtrack"),
    ("scheduler/recent", "plateau"),
    ("scheduler/cooling", "plateau"),
    ("scheduler", "greedy"),
    ("scheduler/inner", "native"),
    ("scheduler/inner", "native plateau"),
    ("scaler", "fp16"),
    ("best", "plateau"),
    ("best_weights", "plateau"),
    ("early", "plateau"),
    ("window/total", "plateau"),
    ("window/updates", "plateau"),
    ("kept", "backtrack"),
    ("generators/python", "plateau"),
    ("generators/numpy", "plateau"),
    ("generators/torch", "plateau"),
    ("metrics_bytes", "plateau"),
    ("average/model/*", "averaging"),
    ("average/count", "averaging"),
    ("average/window", "averaging"),
]
# Measured by a clock: no two runs have the same, so that they are not compared.
CLOCKED = ("seconds", "save_seconds")
# The pace of the run, the same from step 0 on here; where a resume changes it, tests/runs/test_clock.py compares.
PACE = ("clock",)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Path, Path]]:
    """The undisturbed run of a case, and one that was killed and has not been resumed; made when asked for."""

    @cache
    def made(name: str) -> tuple[Path, Path]:
        case = CASES[name]
        place = tmp_path_factory.mktemp("case")
        whole, cut = place / "whole", place / "cut"
        ended = run(whole, *case.options, faults=case.faults)
        assert ended.code == 0, ended.said
        ended = run(cut, *case.options, faults=[*case.faults, partial(case.way, case.cut)])
        assert ended.code == KILLED, ended.said
        return whole, cut

    return made


def forget(store: Store, pattern: str) -> None:
    """Save the newest checkpoint again, with the items of this name as they are at step 0."""
    newest, first = store.committed()[0], store.committed()[-1]
    assert first.step == 0
    state, fresh = load(newest), load(first)
    _replace(state, fresh, pattern)
    assert pattern == "" or list(differing("", load(newest), state)), f"{pattern} is at its start: nothing is forgotten"
    save_again(store, state)


def _replace(state: dict[Any, Any], fresh: dict[Any, Any], pattern: str, where: str = "") -> None:
    for key in state:
        if fnmatch(f"{where}{key}", pattern):
            state[key] = fresh[key]
        elif isinstance(state[key], dict) and isinstance(fresh.get(key), dict):
            _replace(state[key], fresh[key], pattern, f"{where}{key}/")


def save_again(store: Store, state: Mapping[str, Any]) -> None:
    """Put this state in the place of the newest checkpoint, with a manifest that fits it."""
    newest = store.committed()[0]
    own = ("schema", "step", "parent", "bytes", "sha256", "best", "seal")
    store.save(newest.step, state, {name: item for name, item in newest.manifest.items() if name not in own})


@pytest.mark.parametrize("case", CASES)
def test_without_a_mutation_it_is_the_same_run(tmp_path: Path, pair: Any, case: str) -> None:
    """Also after the checkpoint was saved again, as the mutants are."""
    whole, cut = pair(case)
    shutil.copytree(cut, tmp_path / "cut")
    forget(Store(folder(tmp_path / "cut").checkpoints), "")
    ended = resume(tmp_path / "cut", faults=CASES[case].faults)
    assert ended.code == 0, ended.said
    assert differences(folder(whole), folder(tmp_path / "cut")) == []


@pytest.mark.parametrize(("item", "case"), MUTANTS)
def test_a_forgotten_item_is_noticed(tmp_path: Path, pair: Any, item: str, case: str) -> None:
    whole, cut = pair(case)
    shutil.copytree(cut, tmp_path / "cut")
    forget(Store(folder(tmp_path / "cut").checkpoints), item)
    ended = resume(tmp_path / "cut", faults=CASES[case].faults)
    assert ended.code == 0, ended.said  # the comparison is to notice it, not a refusal
    assert differences(folder(whole), folder(tmp_path / "cut")) != []


def test_every_item_has_its_mutant(pair: Any) -> None:
    state = load(Store(folder(pair("averaging")[0]).checkpoints).committed()[0])
    tried = {item.split("/")[0] for item, _ in MUTANTS}
    assert set(state) == tried | set(CLOCKED) | set(PACE)


def test_the_time_before_the_kill_is_not_forgotten(tmp_path: Path, pair: Any) -> None:
    """What a clock measured is not compared; it is summed up over the processes of a run."""
    cut = tmp_path / "cut"
    shutil.copytree(pair("plateau")[1], cut)
    store = Store(folder(cut).checkpoints)
    save_again(store, {**load(store.committed()[0]), "seconds": 1000.0})
    ended = resume(cut, faults=CASES["plateau"].faults)
    assert ended.code == 0, ended.said
    seconds = json.loads(folder(cut).result.read_text("utf-8"))["train_seconds"]
    assert 1000.0 < seconds < 1060.0
