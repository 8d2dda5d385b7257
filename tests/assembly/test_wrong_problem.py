"""A data set or a task of one's own that is wrong is one message, before a folder is made."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import pytest

from tests.helpers import wrong_problems
from tests.helpers.cli import Ended

HERE = "tests.helpers.wrong_problems"
OWN = ("~dataset", "~task", "~model", "trainer.progress=false", "logger=none", "threads=1", "trainer.epochs=2")
TASKS = [name for name, cls in vars(wrong_problems).items() if inspect.isclass(cls) and cls.__module__ == HERE]


@pytest.fixture
def train(run_cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    monkeypatch.setenv("LRSCHED_TRUST", HERE)

    def run(dataset: str, task: str) -> Ended:
        nodes = [f"+dataset={{_target_: {HERE}.{dataset}, batch_size: 16}}", f"+task={{_target_: {HERE}.{task}}}"]
        return run_cli(*OWN, *nodes, f"+model={{_target_: {HERE}.Net}}", "name=run")

    return run


@pytest.mark.parametrize("way", wrong_problems.SOURCES)
def test_a_source(train, way: str) -> None:
    ended = train(f"Wrong, way: {way}", "_Mean")
    print(ended.err)
    assert ended.code == 2, ended.err
    assert ended.err.count("\n") == 1
    assert not (ended.cwd / "outputs").exists()


@pytest.mark.parametrize("name", TASKS)
def test_a_task(train, name: str) -> None:
    ended = train("Right", name)
    print(ended.err)
    assert ended.code == 2, ended.err
    assert ended.err.count("\n") == 1
    assert not (ended.cwd / "outputs").exists()
