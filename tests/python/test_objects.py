"""Objects stand in for nodes of the config: the same bits, in the hash, asked for again on resume."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import lrsched
from lrsched.data import Data
from lrsched.errors import CheckpointError, ConfigError, Stopped
from lrsched.python.finished import load
from lrsched.tasks import Classification, Regression, Task
from tests.helpers.cli import Ended
from tests.helpers.own_problem import Noisy, Pinball
from tests.python.helpers import OWN, files, net, samples

HERE = "tests.helpers.own_problem"


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def run(name: str, *more: str, **other: Any) -> lrsched.python.finished.Run:
    """Train the problem's model with its task on its data."""
    given = {"model": net(0), "data": Noisy(), "task": Pinball(q=0.9), **other}
    return lrsched.run([*OWN, f"name={name}", *more], **given)


def digest(**other: Any) -> str:
    """The hash of the config of such a run."""
    from lrsched.compose.nodes import plain
    from lrsched.config.digest import config_sha256
    from lrsched.python.given import given_objects
    from lrsched.python.words import config_of

    given = {"model": net(0), "data": Noisy(), "task": Pinball(q=0.9), **other}
    return config_sha256(plain(config_of(OWN, given_objects(**given), None)))


def test_objects_train_to_the_bits_of_the_same_classes_in_yaml(run_cli: Callable[..., Ended], monkeypatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", HERE)
    nodes = [f"+dataset={{_target_: {HERE}.Noisy, batch_size: 16}}", f"+task={{_target_: {HERE}.Pinball, q: 0.9}}"]
    words = [word for word in OWN if not word.startswith("dataset")]
    ended = run_cli("~dataset", "~task", "~model", *nodes, f"+model={{_target_: {HERE}.Net}}", *words, "name=yaml")
    assert ended.code == 0, ended.err
    model = net(0)
    weights = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    made = run("objects", model=model)
    for name in ("weights_sha256", "data_sha256", "metrics", "best", "better"):
        assert made.result[name] == ended.result("yaml")[name]
    assert (made.folder / "metrics.jsonl").read_bytes() == Path("outputs/yaml/metrics.jsonl").read_bytes()
    assert all(torch.equal(tensor, weights[name]) for name, tensor in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert model.training


def test_what_was_given_is_in_the_hash() -> None:
    class Other(nn.Module):
        def __init__(self, p: float = 0.0) -> None:
            super().__init__()
            self.layer, self.drop = nn.Linear(3, 1), nn.Dropout(p)
            self.register_buffer("mask", torch.full((3,), p), persistent=False)

    @dataclass(frozen=True, kw_only=True)
    class Held(Pinball):
        held: Any = None

    frozen, other = net(0), Other()
    next(frozen.parameters()).requires_grad_(False)
    masked = Other()
    masked.mask = torch.ones(3)
    given = [
        {},
        {"model": net(1)},
        {"model": frozen},
        {"model": net(0).double()},
        {"model": other},
        {"model": masked},
        {"task": Pinball(q=0.8)},
        *({"task": Held(q=0.9, held=held)} for held in (1, "1", (1, 2), {"a": 1}, torch.ones(2), torch.zeros(2), len)),
        {"task": Held(q=0.9, held=nn.Linear(1, 1))},
        {"task": None},
        {"model": None},
        {"data": None},
    ]
    digests = [digest(**more) for more in given]
    assert len(set(digests)) == len(digests)
    again = Other()
    again.load_state_dict(other.state_dict())
    assert digest(model=again) == digest(model=other)
    assert digest(task=Held(q=0.9, held=torch.ones(2))) == digest(task=Held(q=0.9, held=torch.ones(2)))
    assert digest(data=samples()) == digest()  # the hash of the data is in the result, as for files


def test_resume_wants_the_objects_and_is_exact(run_cli: Callable[..., Ended]) -> None:
    whole = run("whole")
    cut = run("cut", "sweep.until=5")
    before = files(cut.folder)
    go_on = ["resume=outputs/cut"]
    ended = run_cli(*go_on)
    assert ended.code == 2
    assert ended.err == (
        "lrsched: model: the run was made in Python with model= and data= and task= of lrsched.run, which no config "
        "and no command can make again; go on, predict or evaluate there, with the same: "
        'lrsched.run(["resume=FOLDER"], model=…, data=…, task=…), which returns a finished run as it is; to load its '
        "weights: lrsched.load(FOLDER).model(into=MODEL)\n"
    )
    given = {"model": net(0), "data": Noisy(), "task": Pinball(q=0.9)}
    wrong: list[tuple[dict[str, Any], str]] = [
        ({}, "model: the run was made in Python with model= and data= and task="),
        ({**given, "data": None}, "dataset: the run was made in Python with data= of lrsched.run"),
        ({**given, "model": nn.Sequential(nn.Linear(3, 1))}, "model.class=Sequential: the run was started with Net"),
        ({**given, "task": Pinball(q=0.8)}, "task.fields.q=0.8: the run was started with 0.9"),
        ({**given, "task": Regression()}, "task.class=Regression: the run was started with Pinball"),
    ]
    for objects, message in wrong:
        with pytest.raises(ConfigError) as caught:
            lrsched.run(go_on, **objects)
        assert str(caught.value).startswith(message)
        assert caught.value.exit_code == 2
    with pytest.raises(CheckpointError, match="its data have SHA-256"):
        lrsched.run(go_on, **{**given, "data": Noisy(samples=91)})
    assert files(cut.folder) == before
    rest = lrsched.run(go_on, **given)
    assert files(rest.folder)["metrics.jsonl"] == files(whole.folder)["metrics.jsonl"]
    assert rest.result["weights_sha256"] == whole.result["weights_sha256"]
    assert rest.result["config_sha256"] == whole.result["config_sha256"]


def test_a_resumed_model_may_begin_with_other_weights_for_its_checkpoint_has_them() -> None:
    whole = run("whole")
    run("cut", "sweep.until=5")
    rest = lrsched.run(["resume=outputs/cut"], model=net(8), data=Noisy(), task=Pinball(q=0.9))
    assert files(rest.folder)["metrics.jsonl"] == files(whole.folder)["metrics.jsonl"]
    begun = run("begun", "sweep.until=5").folder
    (begun / "metrics.jsonl").unlink()
    for path in sorted((begun / "checkpoints").rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    with pytest.raises(ConfigError, match=r"model\.sha256=.* the run was started with"):
        lrsched.run(["resume=outputs/begun"], model=net(8), data=Noisy(), task=Pinball(q=0.9))


def test_a_run_of_yaml_takes_no_object_when_it_goes_on() -> None:
    run("yaml", "sweep.until=5", model=None, task=Regression())
    with pytest.raises(ConfigError, match=r"model=Net: the run was started with lrsched\.models\.MLP"):
        lrsched.run(["resume=outputs/yaml"], model=net(0), data=Noisy(), task=Regression())


def test_auto_finds_the_run_of_the_same_objects() -> None:
    cut = run("cut", "sweep.until=5")
    run("other", "sweep.until=5", model=net(1))
    found = run("cut", "resume=auto")
    assert found.folder == cut.folder
    assert found.result["status"] == "finished"


def test_facts_of_given_data_reach_yaml() -> None:
    """Three classes, five features: the MLP has 5 inputs and 3 outputs; seven targets: 7 outputs."""
    x = np.random.default_rng(0).normal(size=(60, 5))
    labels = np.arange(60, dtype=np.int32) % 3
    words = [*OWN, "model.hidden=[]", "trainer.epochs=1"]
    classes = lrsched.run([*words, "name=classes"], data=(x, labels))
    assert [tuple(tensor.shape) for tensor in weights(classes).values()] == [(3, 5), (3,)]
    numbers = lrsched.run([*words, "name=numbers", "task=regression"], data=(x, np.ones((60, 7)) * x[:, :1]))
    assert [tuple(tensor.shape) for tensor in weights(numbers).values()] == [(7, 5), (7,)]


def weights(made: Any) -> dict[str, Tensor]:
    """The final weights."""
    newest = sorted((made.folder / "checkpoints").iterdir())[-1]
    return torch.load(newest / "state.pt", weights_only=True)["model"]


def test_a_given_task_is_told_the_facts_that_it_was_not_given() -> None:
    """The target is 1000 ± 20, and the model says 0: standardised, that is the mean."""
    x, y = samples()
    told = Data((x, 1000 + 10 * y), standardise=True)
    model = nn.Linear(3, 1, bias=False)
    nn.init.zeros_(model.weight)
    made = lrsched.run([*OWN, "name=told", "optimizer.lr=0"], model=model, data=told, task=Regression())
    assert made.result["metrics"]["val/mae"] < 50
    assert load("outputs/told").config["task"]["fields"]["target_mean"] == 0.0


@pytest.mark.parametrize(
    ("data", "form"),
    [
        (lambda x, y: (x.numpy(), y.numpy()), "numpy"),
        (lambda x, y: (x.tolist(), y.tolist()), "lists"),
        (lambda x, y: (x.double(), y.double()), "double"),
        (lambda x, y: Data((x, y)), "Data"),
        (lambda x, y: (x[:, :], y), "tuple"),
    ],
    ids=["numpy", "lists", "double", "Data", "tuple"],
)
def test_data_in_any_form_are_the_same(data: Callable[..., Any], form: str) -> None:
    x, y = samples()
    made = run(form, "trainer.epochs=1", data=data(x, y))
    assert made.result["data_sha256"] == digest_of_data()


def digest_of_data() -> str:
    """The hash of the problem's data."""
    from lrsched.data.digest import sha256

    return sha256(Noisy().load())


def test_data_may_come_with_a_test_part_weights_and_names() -> None:
    x, y = samples()
    parts = run("parts", "trainer.epochs=1", data=((x[:60], y[:60]), (x[60:], y[60:])), task=Regression())
    named = run("named", "trainer.epochs=1", data={"x": x, "y": y}, task=Regression())
    weighed = run("weighed", "trainer.epochs=1", data=(x, y, torch.ones(90)), task=Regression())
    assert weighed.result["metrics"] == pytest.approx(named.result["metrics"])
    assert parts.result["metrics"] != named.result["metrics"]


def test_a_lazy_model_gets_its_shape_from_the_data() -> None:
    lazy = nn.Sequential(nn.LazyLinear(1), nn.Flatten(0))
    made = run("lazy", "trainer.epochs=1", model=lazy)
    assert made.result["status"] == "finished"
    assert "Lazy" in repr(lazy)


INTERRUPTED: list[int] = []
"""The step of each loss that was asked for, while a test counts."""


@dataclass(frozen=True, kw_only=True)
class Interrupts(Task):
    """Squared error, and a signal in the middle of the seventh step."""

    number: int = signal.SIGINT

    def loss(self, model: nn.Module, batch: Any) -> Tensor:
        x, y = batch
        if model.training and torch.is_grad_enabled() and INTERRUPTED is not None:
            INTERRUPTED.append(len(x))
            if len(INTERRUPTED) == 8:  # the first tries the model
                os.kill(os.getpid(), self.number)
        return (model(x) - y).square().mean()


def test_ctrl_c_saves_and_returns_the_run(monkeypatch: pytest.MonkeyPatch) -> None:
    INTERRUPTED[:] = range(100)
    whole = run("whole", task=Interrupts())
    INTERRUPTED.clear()
    handler = signal.getsignal(signal.SIGINT)
    cut = run("cut", task=Interrupts())
    assert signal.getsignal(signal.SIGINT) is handler
    assert (cut.result["status"], cut.result["ended"]) == ("stopped", "signal")
    assert 0 < cut.result["step"] < whole.result["step"]
    INTERRUPTED[:] = range(100)
    rest = lrsched.run(["resume=outputs/cut"], model=net(0), data=Noisy(), task=Interrupts())
    assert files(rest.folder)["metrics.jsonl"] == files(whole.folder)["metrics.jsonl"]
    assert rest.result["weights_sha256"] == whole.result["weights_sha256"]


def test_another_signal_is_raised_and_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    INTERRUPTED.clear()
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: heard.append(number))
    try:
        with pytest.raises(Stopped) as caught:
            run("ended", task=Interrupts(number=signal.SIGTERM))
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
    assert 'go on with: lrsched.run(["resume=outputs/ended"], model=…, data=…, task=…)' in str(caught.value)
    assert caught.value.exit_code == 128 + signal.SIGTERM
    assert load("outputs/ended").result["ended"] == "signal"


def test_ctrl_c_before_there_is_anything_to_save_is_a_keyboard_interrupt(tmp_path: Path) -> None:
    class Slow(Noisy):
        def load(self) -> Data:
            os.kill(os.getpid(), signal.SIGINT)
            return super().load()

    with pytest.raises(KeyboardInterrupt):
        run("never", data=Slow())
    assert not list(tmp_path.iterdir())


def test_words_reach_the_trainers_keys_of_given_data_and_nothing_else() -> None:
    made = run("keys", "dataset.validation=0.3", "trainer.epochs=1")
    assert made.config["dataset"]["validation"] == 0.3
    assert made.config["dataset"]["_target_"] == "lrsched.Given"
    for word, key in (("dataset=digits", "dataset"), ("model.hidden=[3]", "model.hidden"), ("task.q=0.1", "task.q")):
        with pytest.raises(ConfigError, match=f"^{key}: .* already, and no override changes it"):
            run("doubled", word)
    with pytest.raises(ConfigError, match=r"^dataset\.samples: data= gives the data already"):
        run("doubled", "dataset.samples=3")


def test_an_experiment_may_be_trained_on_data_of_ones_own() -> None:
    x = torch.randint(0, 255, (80, 1, 28, 28), dtype=torch.uint8)
    y = torch.arange(80) % 4
    small = ("trainer.epochs=1", "trainer.steps=null", "trainer.progress=false", "logger=none", "name=own")
    made = lrsched.run(["experiment=mnist_mlp", *small], data=(x.float() / 255, y), task=Classification())
    assert made.config["dataset"]["_target_"] == "lrsched.Given"
    assert made.result["status"] == "finished"
