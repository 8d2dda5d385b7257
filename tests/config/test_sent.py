"""Settings that another process was sent build what they build here."""

from __future__ import annotations

import pickle

import pytest

from lrsched.config.component import Component
from lrsched.config.targets import DATASET, SCHEDULER
from tests.helpers.items import Draws


def test_objects_of_a_data_set_are_built(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", "tests")
    train = {"_target_": "tests.helpers.items.Draws"}
    sent: Component[None] = pickle.loads(
        pickle.dumps(Component(DATASET, "dataset", "lrsched.data.TorchDataset", {"train": train}, None))
    )
    assert isinstance(sent.build().train, Draws)
    assert pickle.loads(pickle.dumps(SCHEDULER)) == SCHEDULER != DATASET
