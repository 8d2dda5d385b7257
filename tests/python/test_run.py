"""lrsched.run does what train.py does, in the caller's process."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import lrsched
from lrsched.errors import ConfigError, UserError
from lrsched.python.finished import load
from lrsched.records import RunFolder
from tests.helpers.cli import TINY, Ended
from tests.helpers.house import in_a_fresh_process
from tests.python.helpers import QUICK, files, process


@pytest.fixture(autouse=True)
def _in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def test_the_same_words_give_the_same_run_as_the_command_line(run_cli: Callable[..., Ended]) -> None:
    words = [*TINY, "scheduler=wsd", "trainer.log_every=1st", "model.dropout=0.2"]
    assert run_cli(*words, "name=typed").code == 0
    run = lrsched.run([*words, "name=called"])
    there, here = RunFolder(Path("outputs/typed")).read_result(), run.result
    assert there is not None
    for name in ("weights_sha256", "config_sha256", "data_sha256", "metrics", "best", "better", "step"):
        assert here[name] == there[name]
    assert (run.folder / "metrics.jsonl").read_bytes() == Path("outputs/typed/metrics.jsonl").read_bytes()
    typed = Path("outputs/typed/config.yaml").read_text("utf-8").replace("typed", "called")
    assert (run.folder / "config.yaml").read_text("utf-8") == typed
    assert sorted(p.name for p in run.folder.iterdir()) == sorted(p.name for p in Path("outputs/typed").iterdir())


def test_a_run_leaves_the_process_as_it_was() -> None:
    import torch
    from hydra.core.config_store import ConfigStore
    from hydra.core.global_hydra import GlobalHydra

    ConfigStore.instance().store(name="schema", node={"of": "another"})
    mine = GlobalHydra.instance().hydra = object()  # type: ignore[assignment]
    torch.manual_seed(5)
    torch.set_default_dtype(torch.float64)
    try:
        with torch.no_grad():
            before = process()
            lrsched.run([*TINY, "threads=2", "name=a"])
            assert process() == before
            with pytest.raises(ConfigError):
                lrsched.run([*TINY, "trainer.epochs=0", "name=b"])
            assert process() == before
        assert GlobalHydra.instance().hydra is mine
    finally:
        GlobalHydra.instance().clear()
        torch.set_default_dtype(torch.float32)
        ConfigStore.instance().repo.pop("schema.yaml")


def test_a_run_after_another_is_the_run_before_it() -> None:
    words = [*TINY, "threads=1", "model.dropout=0.5"]
    first = lrsched.run([*words, "name=first"])
    lrsched.run([*TINY, "threads=2", "trainer.deterministic=false", "seed=9", "name=other"])
    again = lrsched.run([*words, "name=first_"])
    assert again.result["weights_sha256"] == first.result["weights_sha256"]
    assert again.result["fingerprint"] == first.result["fingerprint"]
    assert (again.folder / "metrics.jsonl").read_bytes() == (first.folder / "metrics.jsonl").read_bytes()


@pytest.mark.slow
def test_a_run_after_another_is_the_one_of_a_fresh_process(tmp_path: Path) -> None:
    words = [*TINY, "threads=1", "model.dropout=0.5", "dataset.augment.crop=1", "scheduler=torch/CosineAnnealingLR"]
    lrsched.run([*TINY, "threads=2", "seed=9", "trainer.precision=bf16", "name=other"])
    here = lrsched.run([*words, "name=here"])
    code = f"import os; os.chdir({str(tmp_path)!r}); import lrsched; lrsched.run({[*words, 'name=there']!r})"
    in_a_fresh_process(code)
    theirs, ours = files(Path("outputs/there")), files(here.folder)
    assert ours["metrics.jsonl"] == theirs["metrics.jsonl"]
    there = load("outputs/there").result
    for name in ("weights_sha256", "config_sha256", "fingerprint"):
        assert here.result[name] == there[name]


def test_a_name_is_given_once_and_the_message_says_how_to_go_on_in_python() -> None:
    lrsched.run([*TINY, "name=once"])
    with pytest.raises(ConfigError) as caught:
        lrsched.run([*TINY, "name=once"])
    assert str(caught.value) == (
        "name=once: outputs/once already holds a run; give another name, or continue it: "
        'lrsched.run(["resume=outputs/once"])'
    )


@pytest.mark.slow
def test_the_shelves_are_there_when_they_are_touched() -> None:
    code = (
        "import sys, lrsched; assert 'torch' not in sys.modules; print(lrsched.tasks.Regression, lrsched.run.__name__)"
    )
    assert in_a_fresh_process(code) == "<class 'lrsched.tasks.regression.Regression'> run\n"


def test_a_finished_run_is_given_back(capsys: pytest.CaptureFixture[str]) -> None:
    done = lrsched.run([*TINY, "name=done"])
    before = files(done.folder)
    again = lrsched.run(["resume=outputs/done"])
    assert again.result == done.result
    assert files(again.folder) == before
    assert "nothing to do" in capsys.readouterr().err


def test_a_run_is_resumed_to_the_same_bytes() -> None:
    whole = lrsched.run([*TINY, "name=whole"])
    cut = lrsched.run([*TINY, "name=cut", "sweep.until=5"])
    assert (cut.result["status"], cut.result["ended"], cut.result["step"]) == ("stopped", "paused", 5)
    rest = lrsched.run(["resume=outputs/cut", "sweep.until=null"])
    assert rest.result["weights_sha256"] == whole.result["weights_sha256"]
    assert (rest.folder / "metrics.jsonl").read_bytes() == (whole.folder / "metrics.jsonl").read_bytes()


def test_more_configs_may_lie_in_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "mine" / "optimizer"
    folder.mkdir(parents=True)
    (folder / "slow.yaml").write_text("defaults: [sgd]\nlr: 0.001\n")
    run = lrsched.run([*TINY, "optimizer=slow", "name=slow"], config_dir=tmp_path / "mine")
    assert run.config["optimizer"]["lr"] == 0.001
    with pytest.raises(ConfigError, match="config_dir=nowhere: there is no such folder"):
        lrsched.run([*TINY, "name=other"], config_dir="nowhere")


def test_it_runs_outside_of_the_main_thread_and_once_at_a_time() -> None:
    found: list[object] = []

    class Waits(list[str]):
        """Words that another run is asked for meanwhile."""

        def __iter__(self):
            try:
                lrsched.run([*TINY, "name=second"])
            except UserError as error:
                found.append(error)
            return super().__iter__()

    thread = threading.Thread(target=lambda: found.append(lrsched.run(Waits([*TINY, "name=first"]))))
    thread.start()
    thread.join()
    *errors, run = found
    assert run.result["status"] == "finished"  # type: ignore[attr-defined]
    assert errors
    assert all("a run is under way in this process" in str(error) for error in errors)
    assert not Path("outputs/second").exists()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("scheduler=cosine", "overrides=scheduler=cosine: is one text"),
        ({"scheduler": "cosine"}, "overrides: must be a list of words"),
        (None, "overrides: must be a list of words"),
        ([("optimizer.lr", 0.1)], "overrides[0]=[optimizer.lr,0.1]: must be a text"),
        (["seed=1", "-m"], "overrides[1]=-m: asks for a sweep, and this is one run"),
        (["--config-dir=mine"], "is a flag of the command line, and no override; folders with more configs are given"),
        (["--help"], "overrides[0]=--help: is a flag of the command line, and no override"),
        (["seed=1,2"], "seed: several values are a sweep, and this is one run"),
        (["scheduler=cosin"], "scheduler=cosin: there is no such choice; did you mean 'cosine'?"),
        (["optimizr.lr=1"], "optimizr.lr: there is no such key; did you mean 'optimizer'?"),
        (["optimizer.lr"], "optimizer.lr: this override cannot be read; an override is written key=value"),
        (["trainer.epochs=0"], "trainer.epochs=0: must be at least 1"),
        (["resume=outputs/none"], "resume=outputs/none: there is no such folder"),
        (["checkpoint.monitor=val/rmse"], "checkpoint.monitor=val/rmse: is no metric of an evaluation"),
    ],
    ids=[
        "text",
        "mapping",
        "none",
        "pair",
        "m",
        "config-dir",
        "help",
        "sweep",
        "choice",
        "key",
        "unreadable",
        "range",
        "resume",
        "monitor",
    ],
)
def test_a_mistake_in_the_words_is_raised_and_leaves_nothing(words, message: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        lrsched.run(words)
    assert message in str(caught.value)
    assert caught.value.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_an_end_that_is_no_finish_says_how_to_go_on_in_python() -> None:
    from lrsched.errors import NotFinite

    with pytest.raises(NotFinite) as caught:
        lrsched.run([*QUICK, *TINY, "optimizer.lr=1e30", "name=far"])
    assert 'lrsched.run(["resume=outputs/far", "optimizer.lr=1e+29", "checkpoint.allow_change=[optimizer.lr]"' in str(
        caught.value
    )
    assert load("outputs/far").result["ended"] == "diverged"
