"""init_from: a run that starts from other weights, exactly, and says what does not fit."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import nn

import lrsched
from lrsched.assembly.weights import Initial
from lrsched.config.digest import config_sha256
from lrsched.data.loader import order
from lrsched.data.split import split
from lrsched.errors import ConfigError, UserError
from lrsched.models import MLP
from lrsched.optimizers.lean import without_dynamo
from lrsched.runs.initial import initial_weights
from lrsched.seeds import key
from lrsched.train.state import weights_sha256
from tests.cli.test_check import contents
from tests.helpers.cli import TINY, Ended
from tests.helpers.own_problem import Net, Noisy, Pinball

RUN = (*TINY, "trainer.epochs=1", "logger=none", "threads=1")
HERE = "tests.helpers.own_problem"
OWN = (
    *("~dataset", "~task", "~model", "trainer.progress=false", "logger=none", "threads=1", "optimizer=sgd"),
    *(f"+dataset={{_target_: {HERE}.Noisy, batch_size: 16}}", f"+task={{_target_: {HERE}.Pinball}}"),
    f"+model={{_target_: {HERE}.Net}}",
)
BODY = "'layers.0.*'"


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the run that all start from is kept, once it is made."""
    return tmp_path_factory.mktemp("kept") / "first"


@pytest.fixture
def source(run_cli: Callable[..., Ended], kept: Path, tmp_path: Path) -> Path:
    """A finished run, ``outputs/first``."""
    if not kept.exists():
        ended = run_cli(*RUN, "name=first")
        assert ended.code == 0, ended.err
        shutil.copytree(tmp_path / "outputs/first", kept)
    else:
        shutil.copytree(kept, tmp_path / "outputs/first")
    return tmp_path / "outputs/first"


def state(name: str, step: int) -> dict[str, Any]:
    return torch.load(f"outputs/{name}/checkpoints/step-{step:010d}/state.pt", weights_only=True)


def first_weights(name: str) -> dict[str, Any]:
    return state(name, 0)["model"]


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


KEEP = ("checkpoint.keep=9", "checkpoint.every=1ep")


@pytest.mark.parametrize("form", ["folder", "state.pt", "plain.pt", "wrapped.pt", "x.safetensors"])
def test_every_form_of_source_gives_the_last_weights_and_a_fresh_optimizer(run_cli, source, form: str) -> None:
    weights = lrsched.load("outputs/first").model().state_dict()
    if form == "folder":
        given = "outputs/first"
    elif form == "state.pt":
        given = "outputs/first/checkpoints/step-0000000006/state.pt"
    elif form.endswith("safetensors"):
        given = str(lrsched.load("outputs/first").export(form))
    else:
        given = form
        torch.save(weights if form == "plain.pt" else {"state_dict": weights, "epoch": 3}, form)
    ended = run_cli(*RUN, *KEEP, "name=second", f"init_from={given}", "seed=5")
    assert ended.code == 0, ended.err
    begun = state("second", 0)
    assert same(begun["model"], weights)
    assert begun["optimizer"]["state"] == {}
    assert state("first", 6)["optimizer"]["state"]
    assert len(ended.result("second")["init_sha256"]) == 64
    assert "init_sha256" not in ended.result("first")


def test_fine_tuning_is_a_bare_loop_to_the_last_bit(run_cli, monkeypatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", HERE)
    assert run_cli(*OWN, "name=first", "trainer.epochs=2").code == 0
    more = ("trainer.epochs=2", "trainer.log_every=1st", "scheduler=constant", "+task.q=0.9", "seed=3")
    freeze = "+optimizer.groups={body: {params: 'layers.0.*', freeze: true}}"
    ended = run_cli(*OWN, "name=second", "init_from=outputs/first", f"init_match={BODY}", freeze, *more)
    assert ended.code == 0, ended.err
    x, y = split(Noisy().load(), validation=0.1, test=0.2, seed=0).train
    torch.manual_seed(key(3, "init"))
    model = Net(3)  # the head stays as it is initialised
    taken = {name: item for name, item in lrsched.load("outputs/first").model().state_dict().items() if "0." in name}
    model.load_state_dict({**model.state_dict(), **taken})
    model.layers[0].requires_grad_(False)
    head = model.layers[2]
    groups = [{"params": [head.weight], "weight_decay": 5e-4}, {"params": [head.bias], "weight_decay": 0.0}]
    with without_dynamo():
        optimizer = torch.optim.SGD(groups, lr=0.1, momentum=0.9, nesterov=True)
    losses = []
    for epoch in range(2):
        for numbers in order(3, epoch, len(y)).split(16):
            loss = Pinball(q=0.9).loss(model, (x[numbers], y[numbers]))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    assert [row["train/loss"] for row in ended.rows("second") if "train/loss" in row] == losses
    assert weights_sha256(model) == ended.result("second")["weights_sha256"]


def test_a_new_head_keeps_its_own_initialisation(run_cli, source) -> None:
    other = (*RUN[:2], "dataset.classes=5", *RUN[3:])
    assert run_cli(*other, *KEEP, "name=plain", "seed=7").code == 0
    ended = run_cli(*other, *KEEP, "name=second", "seed=7", "init_from=outputs/first", "init_match='body.*'")
    assert ended.code == 0, ended.err
    begun, trained, plain = (first_weights("second"), state("first", 6)["model"], first_weights("plain"))
    assert list(begun) == ["body.0.weight", "body.0.bias", "head.weight", "head.bias"]
    for name, item in begun.items():
        assert torch.equal(item, (plain if name.startswith("head") else trained)[name]), name


def test_buffers_are_taken_by_name_and_lone_names_kept() -> None:
    made = lambda: nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Linear(2, 3))  # noqa: E731
    there, here = made(), made()
    there.get_buffer("1.running_mean").fill_(3.0)
    there.get_buffer("1.num_batches_tracked").fill_(9)
    own = {name: item.clone() for name, item in here.state_dict().items()}
    Initial("x", there.state_dict(), "1.*").into(here)
    for name, item in here.state_dict().items():
        assert torch.equal(item, (there.state_dict() if name.startswith("1.") else own)[name]), name


def test_a_wrappers_prefix_is_told_and_weights_of_another_width_are_converted() -> None:
    model = nn.Linear(2, 2)
    with pytest.raises(
        ConfigError, match=r"a wrapper put module\. before every name: save the state_dict of what it wraps"
    ):
        Initial("x", {f"module.{name}": item for name, item in model.state_dict().items()}).into(model)
    half = {name: item.bfloat16() for name, item in model.state_dict().items()}
    Initial("x", half).into(model)
    assert model.weight.dtype == torch.float32
    assert torch.equal(model.weight, half["weight"].float())


def test_a_lazy_model_takes_its_shapes_from_the_weights() -> None:
    there, here = nn.Linear(3, 2), nn.LazyLinear(2)
    Initial("x", there.state_dict()).into(here)
    assert torch.equal(here.weight, there.weight)
    with pytest.raises(
        ConfigError, match=r"they lack weight \(of no shape yet\), bias \(of no shape yet\); the model has no x"
    ):
        Initial("x", {"x": torch.zeros(1)}).into(nn.LazyLinear(2))


def test_a_model_with_an_extra_state_and_tied_weights() -> None:
    class Strange(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second, self.count = nn.Linear(2, 2), nn.Linear(2, 2), 0
            self.second.weight = self.first.weight

        def get_extra_state(self) -> dict[str, int]:
            return {"count": self.count}

        def set_extra_state(self, state: dict[str, int]) -> None:
            self.count = state["count"]

    there, here = Strange(), Strange()
    there.count = 4
    Initial("x", there.state_dict()).into(here)
    assert here.count == 4
    assert here.second.weight is here.first.weight
    assert torch.equal(here.first.weight, there.first.weight)


def test_it_is_resumed_without_its_source(run_cli, source) -> None:
    words = (*TINY, "trainer.epochs=2", "logger=none", "threads=1", "init_from=outputs/first")
    assert run_cli(*words, "name=whole").code == 0
    assert run_cli(*words, "name=cut", "sweep.until=5").code == 0
    shutil.rmtree("outputs/first")
    ended = run_cli("resume=outputs/cut", "sweep.until=null")
    assert ended.code == 0
    assert "init_from" not in ended.err
    whole, cut = ended.result("whole"), ended.result("cut")
    assert whole["weights_sha256"] == cut["weights_sha256"]
    assert whole["init_sha256"] == cut["init_sha256"]
    assert ended.rows("whole") == ended.rows("cut")
    assert lrsched.load("outputs/cut").evaluate()["test/loss"] == cut["metrics"]["test/loss"]


def test_a_changed_source_is_noticed_on_resume(run_cli, source) -> None:
    torch.save(lrsched.load("outputs/first").model().state_dict(), "w.pt")
    words = (*TINY, "trainer.epochs=2", "logger=none", "threads=1", "init_from=w.pt")
    assert run_cli(*words, "name=whole").code == 0
    assert run_cli(*words, "name=cut", "sweep.until=5").code == 0
    torch.save({name: item + 1 for name, item in torch.load("w.pt", weights_only=True).items()}, "w.pt")
    fresh = run_cli(*words, "resume=auto", "sweep.until=5")
    assert "resume=auto passes over outputs/cut: outputs/cut began with other weights than init_from=w.pt" in fresh.err
    ended = run_cli("resume=outputs/cut", "sweep.until=null")
    assert ended.code == 0
    assert "init_from=w.pt holds other weights now; the run goes on with its own" in ended.err
    assert ended.result("whole")["weights_sha256"] == ended.result("cut")["weights_sha256"]


@pytest.mark.parametrize("change", ["init_from=w.pt", "init_match=.*", "init_from=null"])
def test_a_run_that_began_has_its_weights(run_cli, source, change: str) -> None:
    words = (*RUN, "name=cut", "sweep.until=3")
    assert run_cli(*words, *(("init_from=outputs/first",) if change == "init_from=null" else ())).code == 0
    ended = run_cli("resume=outputs/cut", change, "checkpoint.allow_change=[init_from,init_match]")
    assert ended.code == 2
    assert "and goes on with weights of its own; start a new run" in ended.err


@pytest.mark.slow
def test_it_is_an_axis_of_a_sweep_and_shares_no_steps_across_sources(run_cli, source) -> None:
    torch.save({name: item + 1 for name, item in first_weights("first").items()}, "w.pt")
    long = (*TINY, "trainer.epochs=4", "logger=none", "threads=1")  # 24 steps, of which WSD's decays share some
    words = ("-m", *long, "name=sweep", "init_from=null,outputs/first,w.pt", "scheduler=wsd", "scheduler.decay=20%,40%")
    ended = run_cli(*words)
    assert ended.code == 0, ended.err
    record = json.loads(Path("outputs/sweep/sweep.json").read_text())
    assert [job["status"] for job in record["jobs"]] == ["finished"] * 6
    assert record["steps_trained"] < record["steps_asked"]  # within a source they do
    runs = [lrsched.load(f"outputs/sweep/{job['run_id']}") for job in record["jobs"]]
    begun = {run.config["init_from"]: run.result.get("init_sha256") for run in runs}
    assert len(set(begun.values())) == len(begun) == 3
    assert all(run.result.get("init_sha256") == begun[run.config["init_from"]] for run in runs)
    for number in (3, 5):
        alone = [word for word in record["jobs"][number]["overrides"] if not word.startswith("name=")]
        assert run_cli(*alone, f"name=alone-{number}").code == 0
        assert ended.result(f"alone-{number}")["weights_sha256"] == runs[number].result["weights_sha256"]
    Path("w.pt").unlink()  # gone: finished runs are skipped as ever
    assert run_cli(*words).code == 0


def test_a_sweep_does_not_take_runs_of_other_weights_for_its_own(run_cli, source) -> None:
    torch.save(lrsched.load("outputs/first").model().state_dict(), "w.pt")
    words = ("-m", *RUN, "name=sweep", "init_from=w.pt", "seed=0,1")
    assert run_cli(*words).code == 0
    torch.save({name: item + 1 for name, item in torch.load("w.pt", weights_only=True).items()}, "w.pt")
    ended = run_cli(*words)
    assert ended.code != 0
    assert "began with other weights than init_from=w.pt holds now; bring them back, or begin runs of" in ended.err


def test_at_its_default_it_is_in_no_hash(root: Path) -> None:
    config = yaml.safe_load((root / "conf/config.yaml").read_text())
    assert config["init_from"] is None
    assert config["init_match"] is None
    assert config_sha256({"seed": 0, "init_from": None, "init_match": None}) == config_sha256({"seed": 0})
    assert config_sha256({"seed": 0, "init_from": "x"}) != config_sha256({"seed": 0})


def prepared(what: str) -> str:
    """A source that cannot be used, by its name."""
    if what == "text.pt":
        Path(what).write_text("no weights")
    elif what == "code.pt":
        torch.save(nn.Linear(2, 2), what)
    elif what == "list.pt":
        torch.save([1, 2], what)
    elif what == "numbers.pt":
        torch.save({"lr": 0.1, "steps": 3}, what)
    elif what == "two.pt":
        torch.save({"model": {"a": torch.zeros(1)}, "state_dict": {"a": torch.zeros(1)}}, what)
    elif what == "empty.pt":
        torch.save({}, what)
    elif what == "cut.safetensors":
        save_file({"a": torch.zeros(4)}, what)
        Path(what).write_bytes(Path(what).read_bytes()[:-3])
    elif what == "w.npz":
        Path(what).write_bytes(b"x")
    elif what == "layer.safetensors":
        save_file(dict(nn.Linear(64, 4).state_dict()), what)
    elif what == "whole.pt":
        weights = lrsched.load("outputs/first").model().state_dict()
        torch.save({name: item.to(torch.int64) for name, item in weights.items()}, what)
    elif what == "nan.pt":
        weights = lrsched.load("outputs/first").model().state_dict()
        torch.save({**weights, "head.bias": weights["head.bias"].fill_(torch.nan)}, what)
    elif what == "emptied":
        shutil.copytree("outputs/first", what)
        shutil.rmtree("emptied/checkpoints")
    return what


BAD = [
    ("outputs/fist", "init_from=outputs/fist: there is no such folder; did you mean outputs/first?", 2),
    ("outputs", "init_from=outputs: there is no run in this folder", 2),
    ("nowhere.pt", "init_from=nowhere.pt: there is no such file", 2),
    ("nowhere.safetensors", "init_from=nowhere.safetensors: there is no such file", 2),
    (
        "outputs/first/config.yaml",
        "is no file of weights: it must end in .safetensors or .pt; the run is outputs/first",
        2,
    ),
    ("text.pt", "cannot be read as data (UnpicklingError): it is damaged, or holds more than weights; write it by", 2),
    ("code.pt", "cannot be read as data (UnpicklingError): it is damaged, or holds more than weights; write it by", 2),
    ("list.pt", "holds a list; a state_dict is wanted, or a mapping with one under model or state_dict", 2),
    ("numbers.pt", "holds a mapping of lr, steps; a state_dict is wanted", 2),
    ("two.pt", "holds weights under model and state_dict; save the one that is meant", 2),
    ("empty.pt", "holds a mapping of nothing; a state_dict is wanted", 2),
    ("cut.safetensors", "init_from=cut.safetensors: cannot be read: ", 2),
    ("w.npz", "is no file of weights: it must end in .safetensors or .pt; or name a run's folder", 2),
    (
        "layer.safetensors",
        "its weights do not fit: they lack body.0.weight [128, 64], body.0.bias [128], head.weight",
        2,
    ),
    ("whole.pt", " is [", 2),
    (
        "nan.pt",
        "init_from=nan.pt: its head.bias [4] holds a number that is not finite; take the weights of an earlier",
        2,
    ),
    ("emptied", "no valid checkpoint in emptied/checkpoints: there is none", 4),
]


def start_from(given: str) -> None:
    """Put weights into the model of these runs."""
    asked: Any = SimpleNamespace(init_from=given, init_match=None)
    weights, _ = initial_weights(asked) or pytest.fail("nothing was asked for")
    weights.into(MLP(input_shape=(1, 8, 8), classes=4, hidden=(128,)))


@pytest.mark.parametrize(("what", "message", "code"), BAD, ids=[what for what, *_ in BAD])
def test_a_source_that_cannot_be_is_refused(source, what: str, message: str, code: int) -> None:
    given = prepared(what)
    with pytest.raises(UserError) as refused:
        start_from(given)
    assert refused.value.exit_code == code
    assert message in str(refused.value)


@pytest.mark.parametrize("what", ["outputs/fist", "code.pt", "layer.safetensors", "emptied"])
def test_nothing_is_left_of_a_run_whose_source_cannot_be(run_cli, source, what: str) -> None:
    given = prepared(what)
    before = contents(Path("outputs"))
    ended = run_cli(*RUN, "name=second", f"init_from={given}")
    code, message = next((code, message) for name, message, code in BAD if name == what)
    assert (ended.code, ended.err.count("\n")) == (code, 1), ended.err
    assert message in ended.err
    assert contents(Path("outputs")) == before


MATCHES = [
    (("init_match=body.*",), "init_match=body.*: chooses weights of init_from; give init_from=RUN_FOLDER"),
    (
        ("init_from=outputs/first", "init_match='trunk.*'"),
        "init_match=trunk.*: matches the whole name of no weight; the model has",
    ),
    (("init_from=outputs/first", "init_match='(body'"), "init_match=(body: is no regular expression: missing )"),
    (("init_from=outputs/first", "model.hidden=[64]"), "as in init_match='head.bias'"),  # all else has other shapes
    (("init_from=outputs/first", "dataset.classes=5"), "as in init_match='body.*'"),
    (("init_from=outputs/first", "init_match='.*'", "dataset.classes=5"), "head.bias [4] is [5] in the model; choose"),
    (("init_from=3",), "init_from=3: there is no such folder"),
    (("init_from=[a]",), "init_from"),
    (("init_form=x",), "init_form: there is no such key; did you mean 'init_from'?"),
]


@pytest.mark.parametrize(("words", "message"), MATCHES, ids=[" ".join(words) for words, _ in MATCHES])
def test_what_cannot_be_taken_is_one_message(run_cli, source, words: tuple[str, ...], message: str) -> None:
    ended = run_cli(*RUN, "name=second", *words)
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert message in ended.err
    assert not Path("outputs/second").exists()


def test_without_safetensors_it_is_named(run_cli, monkeypatch) -> None:
    import sys

    prepared("layer.safetensors")
    monkeypatch.setitem(sys.modules, "safetensors", None)
    ended = run_cli(*RUN, "name=second", "init_from=layer.safetensors")
    assert ended.code == 2
    assert "needs safetensors, which is not installed; pip install 'hydra-lrsched[export]'" in ended.err
