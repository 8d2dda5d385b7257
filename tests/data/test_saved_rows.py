"""Rows that ``datasets`` saved are counted by a preview and a finder, as loading them counts."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from lrsched.assembly.data import load_data
from lrsched.assembly.horizon import foreseen_samples
from lrsched.data.counts import Counted
from lrsched.data.saved_rows import saved_rows
from lrsched.finder.request import request_of

datasets = pytest.importorskip("datasets", reason="no datasets: pip install 'hydra-lrsched[hf]'")

ROWS = "{_target_: lrsched.data.HuggingFace, path: PLACE, columns: [x, y]}"
WORDS = (
    "dataset=torch",
    "trainer.progress=false",
    "logger=none",
    "dataset.workers=0",
    "+dataset.facts.classes=2",
    "method=grid",
    "trainer.epochs=2",
)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data set of 41 rows in three files, a choice of 30 of them, and both as the splits of one folder."""
    root = tmp_path_factory.mktemp("saved")
    whole = datasets.Dataset.from_dict({"x": [[float(n), 1.0] for n in range(41)], "y": [n % 2 for n in range(41)]})
    whole.save_to_disk(root / "whole", num_shards=3)
    chosen = whole.shuffle(seed=0).select(range(30))
    chosen.save_to_disk(root / "chosen")
    datasets.DatasetDict(train=whole, held=chosen).save_to_disk(root / "both")
    return root


CASES = {
    "whole": ("whole", ()),
    "chosen": ("chosen", ("dataset.validation=0.3", "dataset.test=0.25")),
    "a fold": ("whole", ("dataset.fold=1", "dataset.folds=3")),
    "a split": ("both, split: train", ()),
    "parts": (
        "whole",
        (f"dataset.validation={ROWS.replace('PLACE', 'chosen')}", f"dataset.test={ROWS.replace('PLACE', 'chosen')}"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_they_are_counted_as_loading_them_does(saved: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    monkeypatch.chdir(saved)
    place, words = CASES[case]
    run = request_of([*WORDS, f"+dataset.train={ROWS.replace('PLACE', place)}", *words], None).runs[0]
    assert foreseen_samples(run) == load_data(run)[0].samples


def test_a_preview_needs_no_count_in_the_config(saved: Path, run_cli, monkeypatch: pytest.MonkeyPatch) -> None:
    train = ROWS.replace("PLACE", str(saved / "whole"))
    ended = run_cli(
        "dataset=torch", f"+dataset.train={train}", "trainer.epochs=3", "dataset.batch_size=5", command="preview"
    )
    assert ended.code == 0, ended.err
    assert "18 steps" in ended.out  # 41 − 8 − 3 = 30 samples, 6 steps of 5


@pytest.mark.parametrize("file", ["state.json", "data-00000-of-00003.arrow"])
def test_what_cannot_be_counted_is_left_to_the_data(saved: Path, tmp_path: Path, file: str) -> None:
    node = {"_target_": "lrsched.data.HuggingFace", "path": str(tmp_path / "broken")}
    (tmp_path / "broken").mkdir()
    for each in (saved / "whole").iterdir():
        (tmp_path / "broken" / each.name).write_bytes(each.read_bytes())
    assert saved_rows({"train": node}) == Counted(41)
    (tmp_path / "broken" / file).write_bytes(b"broken")
    assert saved_rows({"train": node}) is None
    (tmp_path / "broken" / file).unlink()
    assert saved_rows({"train": node}) is None


def test_a_choice_in_a_file_of_its_own_and_other_data_sets_are_not_counted(saved: Path, tmp_path: Path) -> None:
    node = {"_target_": "lrsched.data.HuggingFace", "path": str(tmp_path)}
    state = json.loads((saved / "whole" / "state.json").read_text())
    (tmp_path / "state.json").write_text(json.dumps({**state, "_indices_files": [{"filename": "i.arrow"}]}))
    assert saved_rows({"train": node}) is None
    assert saved_rows({"train": {"_target_": "torch.utils.data.TensorDataset"}}) is None
    assert saved_rows({}) is None


def test_without_pyarrow_nothing_is_counted(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    assert saved_rows({"train": {"_target_": "lrsched.data.HuggingFace", "path": str(saved / "whole")}}) is None
