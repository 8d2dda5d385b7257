"""An operation of a model that has no deterministic form: the key that allows it is named."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from lrsched.config.blame import called
from lrsched.errors import ConfigError


def test_the_key_is_named() -> None:
    model, x = nn.Linear(2, 2), torch.zeros(3)
    torch.use_deterministic_algorithms(True)
    try:
        with pytest.raises(ConfigError) as found, called(model, (x,), "update 0"):
            x.put_(torch.tensor([0]), torch.ones(1))
    finally:
        torch.use_deterministic_algorithms(False)
    assert str(found.value) == (
        "trainer.deterministic=true: put_, which Linear or its loss uses, has no deterministic form here; "
        "give trainer.deterministic=false: equal runs may then differ in the last bits"
    )
