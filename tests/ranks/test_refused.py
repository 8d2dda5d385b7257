"""What cannot be cut into parts is refused before the run, by name."""

from __future__ import annotations

import pytest
from torch import nn

from lrsched.assembly.checks import check_parts, lint_parts
from lrsched.data.cut import WHOLE, Cut
from lrsched.errors import ConfigError

SYNCED = nn.Sequential(nn.Linear(2, 2), nn.SyncBatchNorm(2))
SPARSE = nn.ModuleDict({"words": nn.Embedding(3, 2, sparse=True)})


@pytest.mark.parametrize(
    ("model", "cut", "words"),
    [
        (SYNCED, Cut(4), "trainer.lanes=4: the layer 1 is a SyncBatchNorm, which exchanges statistics by itself; "),
        (SYNCED, Cut(None, 1, 2), "trainer.processes=2: the layer 1 is a SyncBatchNorm, "),
        (SPARSE, Cut(2), "trainer.lanes=2: the layer words has sparse gradients, "),
    ],
)
def test_a_layer_that_cannot_be_cut(model: nn.Module, cut: Cut, words: str) -> None:
    check_parts(model, WHOLE)
    with pytest.raises(ConfigError) as found:
        check_parts(model, cut)
    assert str(found.value).startswith(words)


def test_what_is_each_process_s_own_is_told_without_lanes() -> None:
    both = nn.Sequential(nn.BatchNorm1d(2), nn.Dropout(0.1))
    (told,) = lint_parts(both, Cut(None, 0, 2))
    assert told.startswith("trainer.processes=2: batch norm's statistics and dropout are each process's own, so that ")
    (told,) = lint_parts(nn.Sequential(nn.Dropout(0.1)), Cut(None, 1, 3))
    assert told.startswith("trainer.processes=3: dropout is each process's own, ")
    assert lint_parts(nn.Sequential(nn.Dropout(0.0)), Cut(None, 1, 3)) == []
    assert lint_parts(both, Cut(2, 0, 2)) == []
    assert lint_parts(both, WHOLE) == []
