"""lrsched.load: what a run left behind, its model, and predictions that are those of its evaluation."""

from __future__ import annotations

import json
import random
import re
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch import nn

import lrsched
from lrsched.assembly.data import load_data
from lrsched.data.loader import InOrder
from lrsched.errors import CheckpointError, ConfigError, DataError, StorageError
from lrsched.python.finished import Run
from lrsched.python.rebuild import Rebuilt, stored_settings
from lrsched.python.rows import Columns
from lrsched.records import RunFolder
from lrsched.train.state import weights_sha256
from tests.cli.test_check import contents, flip
from tests.helpers.cli import TINY
from tests.helpers.house import in_a_fresh_process

RUN = (*TINY, "name=run", "checkpoint.every=1ep", "checkpoint.keep=3", "logger=none", "threads=1")
HERE = "tests.helpers.own_problem"
OWN = ("~dataset", "~task", "~model", "trainer.progress=false", "logger=none", "threads=1", "name=run")


@pytest.fixture
def run(run_cli) -> Run:
    """A finished run of 12 steps, with checkpoints of steps 0, 6 and 12."""
    assert run_cli(*RUN, "trainer.epochs=2").code == 0
    return lrsched.load("outputs/run")


def test_what_a_run_left_behind(run) -> None:
    assert run.config["optimizer"]["lr"] == 0.1
    assert run.result == json.loads(Path("outputs/run/result.json").read_text())
    assert list(run.rows)[:3] == ["step", "epoch", "train/loss"]
    assert run.rows["step"].dtype == np.int64
    assert len({len(column) for column in run.rows.values()}) == 1
    steps, losses = run.rows.series("val/loss")
    assert steps.tolist() == [6, 12]
    assert losses[-1] == run.result["metrics"]["val/loss"]
    assert np.isnan(run.rows["val/loss"]).sum() == len(run.rows["step"]) - 2
    assert repr(run) == "<Run outputs/run: finished, step 12>"
    with pytest.raises(KeyError, match="'val/los': the rows hold step, epoch"):
        run.rows["val/los"]


def test_what_needs_no_model_needs_no_torch(run) -> None:
    read = f"run = lrsched.load({str(Path('outputs/run').resolve())!r}); run.config, run.result, run.rows['step']"
    code = f"import sys, lrsched; {read}; print('torch' in sys.modules)"
    assert in_a_fresh_process(code).strip() == "False"


def test_weights_are_those_of_the_result_and_nothing_changes(run) -> None:
    folder = Path("outputs/run")
    into = type(run.model())(input_shape=(1, 8, 8), classes=4)
    before, drawn = (
        contents(folder),
        (random.getstate(), torch.get_rng_state(), np.random.get_state(legacy=False)["state"]["key"].tolist()),
    )
    model = run.model()
    assert not model.training
    assert weights_sha256(model) == run.result["weights_sha256"]
    best = torch.load("outputs/run/checkpoints/step-0000000012/best.pt", weights_only=True)
    found = run.model("best").state_dict()
    assert all(torch.equal(found[name], best[name]) for name in best)
    assert run.model(into=into) is into
    assert weights_sha256(into) == run.result["weights_sha256"]
    assert run.evaluate() == {name: value for name, value in run.result["metrics"].items() if name.startswith("test/")}
    assert contents(folder) == before
    assert drawn[0] == random.getstate()
    assert torch.equal(drawn[1], torch.get_rng_state())
    assert drawn[2] == np.random.get_state(legacy=False)["state"]["key"].tolist()


def told(folder: str = "outputs/run"):
    """The test part of a run, and what its evaluation computes on it, batch by batch."""
    settings, _ = stored_settings(RunFolder(Path(folder)))
    splits, _ = load_data(settings)
    run = lrsched.load(folder)
    model, task = run.model(), run._parts.task
    size = settings.dataset.own.eval_batch_size
    batches = InOrder(splits.test, splits.transform(torch.device("cpu")), batch_size=size)
    with torch.no_grad():
        return run, splits, torch.cat([task.forward(model, batch) for batch in batches]), task


@pytest.mark.parametrize(
    "dataset", [(*TINY[:4], "trainer.epochs=1"), ("dataset=digits", "trainer.steps=5")], ids=["synthetic", "digits"]
)
def test_predictions_on_raw_pictures_are_those_of_the_evaluation(run_cli, dataset) -> None:
    overrides = (*RUN[len(TINY) :], *dataset, "dataset.eval_batch_size=50", "trainer.progress=false")
    assert run_cli(*overrides).code == 0
    run, splits, expected, _ = told()
    x, y = splits.test
    found = run.predict(x)
    assert found.dtype == torch.float32
    assert torch.equal(found, expected)
    assert torch.equal(run.predict(x.numpy()), expected)
    assert torch.equal(run.predict(x.long()), expected)  # whole numbers of another width
    assert float((found.argmax(1) == y).double().mean()) == run.result["metrics"]["test/accuracy"]
    assert not found.requires_grad
    found += 1  # a plain tensor


def test_predictions_of_a_table_are_in_its_own_unit(run_cli) -> None:
    draw = np.random.default_rng(0)
    x = draw.normal(50, 20, (80, 2))
    y = 1000 + 30 * x[:, 0] - 7 * x[:, 1] + draw.normal(0, 10, 80)
    lines = [
        f"{a:.3f},{b:.3f},{'red' if n % 3 else 'blue'},{c:.2f}" for n, ((a, b), c) in enumerate(zip(x, y, strict=True))
    ]
    Path("houses.csv").write_text("size,age,colour,price\n" + "\n".join(lines) + "\n")
    table = ("dataset=table", "dataset.path=houses.csv", "dataset.target=price", "task=regression", "model=linear")
    ended = run_cli(*table, "trainer.progress=false", "logger=none", "threads=1", "name=run", "trainer.epochs=20")
    assert ended.code == 0, ended.err
    run, splits, expected, task = told()
    raw, target = splits.test
    found = run.predict(raw)
    assert found.shape == target.shape
    assert found.dtype == torch.float64
    assert torch.equal(found, task.answer(expected.double()).squeeze(1))
    assert torch.equal(run.predict(raw.tolist()), found)
    rmse = (found - target.double()).square().mean().sqrt().item()
    assert rmse == pytest.approx(run.result["metrics"]["test/rmse"], rel=1e-9)
    header, *rows = Path("houses.csv").read_text().splitlines()
    places = splits.places[2].tolist()
    Path("new.csv").write_text("\n".join([header, *(rows[place] for place in places)]))
    assert torch.equal(run.predict("new.csv"), found)  # by the same words as in training, though one be missing here
    Path("new.csv").write_text("colour,size,age\nred,50,3\n")  # in another order, without the target
    assert run.predict(Path("new.csv")).shape == (1,)
    for text, message in (
        ("size,color,age\n3,red,2\n", "new.csv: has no column 'colour', which houses.csv has; did you mean 'color'?"),
        ("size,age\n3,2\n", "; known are: age, size; add it, or train without it: dataset.drop=[colour]"),
        (
            "size,colour,age\n3,green,2\n",
            "new.csv, line 2, column 'colour': 'green' stands in no row of the training file; known are blue, red; "
            "give one of these, or train with rows of it",
        ),
        ("size,colour,age\n3,red,\n", "new.csv, line 2, column 'age': "),
    ):
        Path("new.csv").write_text(text)
        with pytest.raises(DataError, match=re.escape(message)):
            run.predict("new.csv")
    with pytest.raises(DataError, match=r"none\.csv: there is no such file of rows"):
        run.predict("none.csv")
    assert not torch.equal(raw, splits.transform(torch.device("cpu"))(splits.test)[0])  # raw they are


def test_predictions_of_a_binary_task_are_logits(run_cli) -> None:
    ended = run_cli("experiment=cancer", "trainer.epochs=1", "trainer.progress=false", "logger=none", "name=run")
    assert ended.code == 0, ended.err
    run, splits, expected, _ = told()
    found = run.predict(splits.test[0])
    assert torch.equal(found, expected.squeeze(1))
    right = ((found > 0).long() == splits.test[1].long()).double().mean().item()
    assert right == pytest.approx(run.result["metrics"]["test/accuracy"])


def test_predictions_of_a_language_model(run_cli, monkeypatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", HERE)
    Path("book.txt").write_bytes(bytes(range(40, 120)) * 8)
    text = (
        "dataset=text",
        "dataset.path=book.txt",
        "dataset.context=16",
        "task=language_model",
        "dataset.batch_size=8",
    )
    model = ("~model", f"+model={{_target_: {HERE}.Bigram}}")
    ended = run_cli(*text, *model, "trainer.progress=false", "logger=none", "name=run", "trainer.epochs=2", "threads=1")
    assert ended.code == 0, ended.err
    run, splits, expected, _ = told()
    (tokens,) = splits.test
    assert torch.equal(run.predict(tokens[:, :-1]), expected)
    assert run.predict(tokens[:3, :5]).shape == (3, 5, 256)
    assert run.evaluate()["test/loss"] == run.result["metrics"]["test/loss"]
    with pytest.raises(DataError, match="sequences of 1 to 16 tokens are wanted"):
        run.predict(torch.zeros(2, 18, dtype=torch.uint8))


def test_a_task_of_ones_own_answers_in_its_own_unit(run_cli, monkeypatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", HERE)
    own = (f"+dataset={{_target_: {HERE}.Noisy, batch_size: 16}}", f"+task={{_target_: {HERE}.Square}}")
    assert run_cli(*OWN, *own, f"+model={{_target_: {HERE}.Net}}", "trainer.epochs=1").code == 0
    run, splits, expected, _ = told()
    assert torch.equal(run.predict(splits.test[0]), expected.double() * 10)


def test_named_inputs(run_cli, monkeypatch) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", HERE)
    own = (f"+dataset={{_target_: {HERE}.Named, batch_size: 16}}", f"+task={{_target_: {HERE}.ForNames}}")
    ended = run_cli(*OWN, *own, f"+model={{_target_: {HERE}.Net}}", "trainer.epochs=1")
    assert ended.code == 0, ended.err
    run, splits, expected, _ = told()
    x = splits.test["inputs"]
    assert torch.equal(run.predict({"inputs": x}), expected)
    assert torch.equal(run.predict(x), expected)
    with pytest.raises(DataError, match="x: has x; give inputs and what else"):
        run.predict({"x": x})


def test_a_damaged_newest_checkpoint_is_passed_over_with_a_word(run, capsys) -> None:
    flip(Path("outputs/run/checkpoints/step-0000000012/state.pt"))
    run.model()
    said = capsys.readouterr().err
    assert "passed over: " in said
    assert said.endswith("taking the weights of step 6\n")


def test_a_run_that_was_stopped_or_is_under_way(run_cli) -> None:
    assert run_cli(*RUN, "sweep.until=3").code == 0
    run = lrsched.load("outputs/run")
    assert run.result["status"] == "stopped"
    assert run.model().training is False
    with pytest.raises(ConfigError, match="has made no evaluation with a finite val/loss; take the last weights"):
        run.model("best")
    Path("outputs/run/result.json").unlink()
    assert lrsched.load("outputs/run").result == {}


def test_export(run) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file

    path = run.export("model.safetensors")
    assert path == Path("model.safetensors")
    model = run.model()
    live = model.state_dict()
    written = load_file(path)
    assert written.keys() == live.keys()
    assert all(torch.equal(written[name], live[name]) for name in live)
    with safe_open(path, "pt") as file:
        about = file.metadata()
    assert about["format"] == "pt"
    assert about["step"] == "12"
    assert about["config_sha256"] == run.result["config_sha256"]
    with pytest.raises(ConfigError, match=r"path=model.onnx: must end in .safetensors"):
        run.export("model.onnx")
    with pytest.raises(StorageError, match="cannot be written"):
        run.export("nowhere/model.safetensors")


def test_export_of_weights_with_two_names(tmp_path) -> None:
    from safetensors.torch import load_file

    from lrsched.python.export import export

    model = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    model[1].weight = model[0].weight
    load = load_file(export(tmp_path / "tied.safetensors", model.state_dict(), {}))
    assert sorted(load) == ["0.bias", "0.weight", "1.bias", "1.weight"]
    with pytest.raises(ConfigError, match=r"export: a is no tensor"):
        export(tmp_path / "x.safetensors", {"a": 3}, {})


def test_what_is_not_installed_is_named(run, monkeypatch) -> None:
    for module in ("pandas", "safetensors.torch"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ConfigError, match="needs pandas, which is not installed; pip install pandas"):
        run.rows.frame()
    with pytest.raises(ConfigError, match="needs safetensors, which is not installed; pip install 'hydra-lrsched"):
        run.export("x.safetensors")
    assert not Path("x.safetensors").exists()


def test_a_frame_is_made_of_the_columns(run, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "pandas", SimpleNamespace(DataFrame=lambda columns: ("a frame", list(columns))))
    assert run.rows.frame() == ("a frame", list(run.rows))


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (torch.zeros(2, 1, 8, 8), "x: raw values are wanted, uint8 as in the data set, not float32"),
        (torch.zeros(1, 8, 8, dtype=torch.uint8), "not uint8 [1, 8, 8]; one sample alone is x[None]"),
        (torch.zeros(2, 3, 8, 8, dtype=torch.uint8), "are wanted, uint8 [N, 1, 8, 8], not uint8 [2, 3, 8, 8]"),
        (torch.full((2, 1, 8, 8), 256), "x: values from 0 to 255 are wanted, not 256 … 256"),
        (torch.zeros(0, 1, 8, 8, dtype=torch.uint8), "x: holds no sample"),
        (np.array(["a", "b"]), "x: holds text"),
        (
            "rows.csv",
            "x=rows.csv: only runs of dataset=table (rows), imagefolder and imagemasks (pictures) predict what is",
        ),
        (3.0, "x: is a single number"),
        ({"x": 3}, "x: the data of this run are no mapping"),
        ([[1, 2], [3]], "x: cannot be read as an array"),
    ],
    ids=["floats", "one", "colours", "large", "none", "text", "file", "number", "mapping", "ragged"],
)
def test_inputs_that_cannot_be_are_refused(run, x, message: str) -> None:
    with pytest.raises(DataError) as refused:
        run.predict(x)
    assert message in str(refused.value)


def test_inputs_that_are_not_finite_are_refused(run_cli) -> None:
    assert (
        run_cli("experiment=cancer", "trainer.epochs=1", "trainer.progress=false", "logger=none", "name=run").code == 0
    )
    x = torch.zeros(3, 30)
    x[1, 4] = float("nan")
    with pytest.raises(DataError, match=r"x: sample 1 \(from 0\) holds nan"):
        lrsched.load("outputs/run").predict(x)


def edit(path: str, old: str, new: str) -> None:
    text = Path(path).read_text()
    assert old in text
    Path(path).write_text(text.replace(old, new))


def test_another_model_is_refused_with_names_and_shapes(run) -> None:
    with pytest.raises(ConfigError) as refused:
        run.model(into=nn.Sequential(nn.Linear(64, 4)))
    assert "into=Sequential: the weights of outputs/run do not fit it: they lack 0.weight [4, 64]" in str(refused.value)
    with pytest.raises(ConfigError, match=r"weights=bset: must be one of last, best, average, .*; did you mean 'best'"):
        run.model("bset")
    with pytest.raises(ConfigError, match="part=train: must be one of val, test"):
        run.evaluate("train")


@pytest.mark.parametrize(
    ("old", "new", "error", "message"),
    [
        ("split_seed: 0", "split_seed: 1", CheckpointError, "was made with another config than config.yaml"),
        ("samples: 120", "samples: 121", CheckpointError, "was made with another config than config.yaml"),
        ("seed: 0", "seed: ${oc.env:SECRET}", ConfigError, "may refer to its own keys, and not to the environment"),
    ],
    ids=["split", "data", "environment"],
)
def test_a_config_that_was_changed_by_hand_is_refused(run, old, new, error, message) -> None:
    edit("outputs/run/config.yaml", old, new)
    with pytest.raises(error, match=message):
        lrsched.load("outputs/run").model()


def test_a_config_that_was_forged_names_no_code_of_its_own(run, monkeypatch) -> None:
    monkeypatch.setattr(Rebuilt, "check_made", lambda *_: None)
    edit("outputs/run/config.yaml", "lrsched.models.MLP", "os.system")
    with pytest.raises(ConfigError, match="is not an allowed model"):
        lrsched.load("outputs/run").model()


def test_other_data_are_refused(run_cli) -> None:
    np.savez("a.npz", x=np.random.default_rng(0).normal(size=(40, 3)), y=np.arange(40) % 2)
    own = ("dataset=npz", "dataset.path=a.npz", "trainer.progress=false", "name=run", "trainer.epochs=1", "logger=none")
    ended = run_cli(*own)
    assert ended.code == 0, ended.err
    assert lrsched.load("outputs/run").evaluate()
    np.savez("a.npz", x=np.random.default_rng(1).normal(size=(40, 3)), y=np.arange(40) % 2)
    with pytest.raises(CheckpointError, match=r"was trained on data with SHA-256 .* bring the data back"):
        lrsched.load("outputs/run").evaluate()


def test_no_run(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match="RUN_FOLDER=outputs/no: there is no such folder"):
        lrsched.load("outputs/no")


def test_columns_of_text_that_is_cut_and_of_nothing(tmp_path) -> None:
    (tmp_path / "metrics.jsonl").write_text('{"step": 0, "passed": 1}\n{"step": 1, "passed": 2}\n{"st')
    rows = Columns.of(tmp_path / "metrics.jsonl")
    assert rows["passed"].tolist() == [1, 2]
    assert repr(rows) == "<2 rows of step, passed>"
    assert dict(Columns.of(tmp_path / "no.jsonl")) == {}
