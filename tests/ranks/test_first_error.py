"""An error that every process meets is said as rank 0 says it; one that another one alone meets names its rank."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lrsched.errors import ConfigError, UserError
from lrsched.ranks.world import ALONE
from lrsched.runs.together.tell import first_error
from tests.helpers.ranks import on_ranks

if TYPE_CHECKING:
    from collections.abc import Collection

    from lrsched.ranks.world import World


def met(world: World, ranks: Collection[int]) -> tuple[str, int] | None:
    try:
        with first_error(world):
            if world.rank in ranks:
                raise ConfigError("dataset.path", f"{world.rank}.csv", "there is no such file")
    except UserError as error:
        return str(error), error.exit_code
    return None


@pytest.mark.parametrize("ranks", [(), (0, 1), (1,)])
def test_who_says_it(ranks: Collection[int], tmp_path: Path) -> None:
    found = on_ranks(tmp_path / "met", 2, partial(met, ranks=ranks))
    said = [f"dataset.path={rank}.csv: there is no such file" for rank in (0, 1)]
    assert (
        found
        == {
            (): [None, None],
            (0, 1): [(said[0], 2), (f"rank 0: {said[0]}", 2)],
            (1,): [(f"rank 1: {said[1]}", 2), (said[1], 2)],
        }[tuple(ranks)]
    )


def test_one_process_raises_its_own() -> None:
    assert met(ALONE, (0,)) == ("dataset.path=0.csv: there is no such file", 2)
