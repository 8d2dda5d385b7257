"""Python's collector rests while large packages are imported, and passes over them in forks; then it is as it was."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from lrsched.imports import collector_at_rest, set_apart
from lrsched.signals import StopFlag
from lrsched.sweep.processes import Pool, Work


@pytest.mark.parametrize("on", [True, False])
@pytest.mark.parametrize("fails", [True, False])
def test_it_is_afterwards_as_it_was(on: bool, fails: bool) -> None:
    before = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        try:
            with collector_at_rest():
                assert not gc.isenabled()
                assert not fails, "as an import may"
        except AssertionError:
            assert fails
        assert gc.isenabled() is on
    finally:
        (gc.enable if before else gc.disable)()


@pytest.fixture
def _nothing_set_apart() -> Iterator[None]:
    before = gc.get_freeze_count()
    gc.unfreeze()
    yield
    (gc.freeze if before else gc.unfreeze)()


@pytest.mark.usefixtures("_nothing_set_apart")
@pytest.mark.parametrize("before", [False, True])
def test_what_is_set_apart_is_so_no_longer_but_where_it_was_before(before: bool) -> None:
    if before:
        gc.freeze()
    with suppress(ZeroDivisionError), set_apart(), set_apart():
        assert gc.get_freeze_count()
        _ = 1 / 0
    assert bool(gc.get_freeze_count()) is before


@pytest.mark.usefixtures("_nothing_set_apart")
def test_a_job_of_a_pool_does_not_look_through_what_it_shares(tmp_path: Path) -> None:
    codes: dict[int, int] = {}
    jobs = [Work(lambda slot: 3 if gc.get_freeze_count() else 4, tmp_path / f"{i}.log") for i in range(2)]
    Pool(1).run(jobs, StopFlag(), lambda index, end: not codes.update({index: end.code}))
    assert codes == {0: 3, 1: 3}
    assert gc.get_freeze_count() == 0
