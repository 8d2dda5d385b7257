"""A model of one's own: a lazy one trains like an eager one, and a wrong one is refused before anything is written."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from lrsched.assembly.trial import try_model
from lrsched.config.component import Component
from lrsched.config.targets import MODEL
from lrsched.errors import ConfigError
from lrsched.tasks import Classification
from lrsched.train.precision import Precision
from tests.helpers import strange_models
from tests.helpers.cli import TINY, Ended
from tests.helpers.house import in_a_fresh_process

HERE = "tests.helpers.strange_models"
WANTED = "and logits are wanted, one tensor of floats of shape [samples, classes], here [2, 4]"
REFUSED = {
    "GivesTuple": f"its forward gives a tuple of 2, {WANTED}; return the logits alone",
    "GivesDict": f"its forward gives a dict with 'logits', {WANTED}; return the logits alone",
    "DictInEvaluation": f"its forward gives a dict with 'logits', {WANTED}; return the logits alone",
    "GivesNothing": f"its forward gives nothing, {WANTED}; return the logits alone",
    "TooNarrow": f"gives a tensor of float32 of shape [2, 3], {WANTED}; take the number of its outputs",
    "TooWide": f"gives a tensor of float32 of shape [2, 9], {WANTED}; take the number of its outputs",
    "FlatOutput": f"gives a tensor of float32 of shape [2], {WANTED}",
    "GivesWholeNumbers": f"gives a tensor of int64 of shape [2, 4], {WANTED}",
    "GivesComplex": f"gives a tensor of complex64 of shape [2, 4], {WANTED}",
    "Detached": "its output does not depend on any parameter that trains: no gradient can flow back",
    "WrongShape": "cannot be called with a batch of shape [2, 1, 8, 8]: RuntimeError: mat1 and mat2 shapes",
    "Raising": "cannot be called with a batch of shape [2, 1, 8, 8]: KeyError: 'mask' (line ",
    "NeverCalled": "a batch of shape [2, 1, 8, 8] gave spare.weight, spare.bias no shape: no such layer was called",
}


@pytest.fixture
def train(run_cli: Callable[..., Ended], monkeypatch: pytest.MonkeyPatch) -> Callable[..., Ended]:
    """Train a model of these, by its name."""
    monkeypatch.setenv("LRSCHED_TRUST", HERE)
    mlp = ("model=mlp", "~model.hidden", "~model.dropout", "~model.activation", "logger=none")
    return lambda name, *more: run_cli(*TINY, *mlp, f"model._target_={HERE}.{name}", *more)


@pytest.mark.parametrize(("name", "message"), REFUSED.items(), ids=REFUSED)
def test_a_model_that_cannot_be_trained_is_refused_by_one_message(train, name: str, message: str) -> None:
    ended = train(name, "name=run")
    assert ended.code == 2
    assert ended.err.startswith(f"lrsched: model={HERE}.{name}: ")
    assert message in ended.err
    assert ended.err.count("\n") == 1
    assert not (ended.cwd / "outputs").exists()


def test_lazy_layers_train_like_eager_ones_and_resume(train, run_cli) -> None:
    """The lazy layers are drawn in the order of their first call, which is that of the eager ones' making."""
    assert train("Lazy", "name=lazy", "optimizer.weight_decay=0.01").code == 0
    ended = train("Eager", "name=eager", "optimizer.weight_decay=0.01")
    assert ended.rows("lazy") == ended.rows("eager")
    assert train("Lazy", "name=cut", "optimizer.weight_decay=0.01", "sweep.until=4").code == 0
    assert run_cli("resume=outputs/cut", "sweep.until=null").code == 0
    assert ended.result("cut")["weights_sha256"] == ended.result("lazy")["weights_sha256"]


def test_doubles_are_floats(train) -> None:
    assert train("GivesDoubles", "name=run").code == 0


def test_neither_the_model_nor_a_generator_notices_the_trial(train, monkeypatch) -> None:
    ended = train("Drawing", "name=tried")
    monkeypatch.setattr("lrsched.assembly.parts.try_model", lambda *_: None)
    assert train("Drawing", "name=untried").rows("untried") == ended.rows("tried")


def test_a_model_that_cannot_be_copied_is_not_tried() -> None:
    model = strange_models.GivesTuple((1, 8, 8), 4)
    model.__dict__["file"] = file = open("/dev/null")  # noqa: SIM115  (no file can be copied)
    node = Component(MODEL, "model", f"{HERE}.GivesTuple", {}, None)
    batch = (torch.zeros(2, 1, 8, 8), torch.tensor([0, 3]))
    try_model(model, batch, Classification(classes=4), Precision("fp32", torch.device("cpu")), node, node)
    file.close()
    del model.__dict__["file"]
    with pytest.raises(ConfigError, match="gives a tuple of 2"):
        try_model(model, batch, Classification(classes=4), Precision("fp32", torch.device("cpu")), node, node)


def test_a_model_is_measured_without_torchs_compiler() -> None:
    """Importing it takes seconds; to draw numbers on the meta device, torch does."""
    code = (
        "import sys, torch\n"
        "from lrsched.assembly.memory import Unfilled\n"
        "with torch.device('meta'), Unfilled():\n"
        "    made = torch.nn.TransformerEncoderLayer(8, 2), torch.nn.Embedding(5, 8), torch.nn.Conv2d(3, 4, 3)\n"
        "    made[1].weight.data.normal_(0, 0.02), torch.nn.init.trunc_normal_(made[2].weight)\n"
        "print('torch._dynamo' in sys.modules, made[1].weight.device, tuple(made[2].weight.shape))"
    )
    assert in_a_fresh_process(code).strip() == "False meta (4, 3, 3, 3)"
