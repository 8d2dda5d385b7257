"""``lrsched preview`` against the rows of real runs, its messages, and what it does without."""

from __future__ import annotations

import csv
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.helpers.cli import TINY, Ended
from tests.helpers.shelf import VALUES

CONF = Path(__file__).resolve().parents[2] / "conf"
OURS = sorted(p.stem for p in (CONF / "scheduler").glob("[!_]*.yaml") if "lrsched.schedules." in p.read_text("utf-8"))
NATIVE = sorted(f"torch/{path.stem}" for path in (CONF / "scheduler" / "torch").glob("*.yaml"))
# Schedules whose default lengths do not fit into a run of twelve steps, or that need a file.
FITTING = {
    "noam": ["scheduler.warmup=3st"],
    "power": ["scheduler.warmup=3st"],
    "periods": ["scheduler.lengths=[8st,4st]"],
    "wsd_s": ["scheduler.lengths=[8st,4st]"],
    "table": [f"scheduler.path={VALUES}"],
}
CASES = [
    ["scheduler=cosine", "scheduler.warmup=2st", "scheduler.final=0.1"],
    ["scheduler=wsd", "scheduler.decay=1ep"],
    ["scheduler=onecycle"],
    ["scheduler=onecycle", "optimizer=adamw"],
    ["scheduler=step", "scheduler.every=1ep"],
    ["scheduler=cosine", "optimizer.lr=1", "trainer.steps=7", "trainer.accumulate=2"],
    ["scheduler=torch/StepLR", "scheduler.step_size=1"],
    ["scheduler=torch/OneCycleLR"],
    ["scheduler=torch/ExponentialLR", "scheduler.interval=evaluation", "trainer.evaluate_every=4st"],
    ["scheduler=torch/LambdaLR", "scheduler.lr_lambda=['0.5 ** t','1']", "optimizer.weight_decay=0.1"],
]


def columns(text: str) -> dict[str, list[str]]:
    header, *rows = csv.reader(text.splitlines())
    return {name: [row[i] for row in rows] for i, name in enumerate(header)}


def foreseen(run_cli: Callable[..., Ended], *arguments: str) -> dict[str, list[str]]:
    ended = run_cli(*arguments, "--csv", "preview.csv", command="preview")
    assert ended.code == 0, ended.err
    return columns((ended.cwd / "preview.csv").read_text("utf-8"))


def trained(run_cli: Callable[..., Ended], *arguments: str) -> list[dict[str, Any]]:
    ended = run_cli(*arguments, "trainer.log_every=1st", "logger=none", "name=run")
    assert ended.code == 0, ended.err
    return [row for row in ended.rows() if "train/loss" in row]


def same(preview: dict[str, list[str]], rows: list[dict[str, Any]]) -> None:
    assert [int(step) for step in preview["step"]] == [row["step"] for row in rows]
    assert [float(epoch) for epoch in preview["epoch"]] == [row["epoch"] for row in rows]
    for name in [name for name in preview if name not in ("step", "epoch")]:
        assert [float(value) for value in preview[name]] == [row[name] for row in rows], name


@pytest.mark.parametrize("case", CASES, ids=" ".join)
def test_the_preview_is_what_training_does_to_the_last_bit(run_cli, case: list[str]) -> None:
    preview = foreseen(run_cli, *TINY, *case)
    same(preview, trained(run_cli, *TINY, *case))
    moves = ["momentum/default"] if "onecycle" in case[0].lower() else []
    groups = ["lr/no_decay"] if "LambdaLR" in case[0] else []
    assert list(preview) == ["step", "epoch", "lr/default", *moves, *groups]


@pytest.mark.parametrize("name", ["cosine", *NATIVE])
def test_every_native_class_is_foreseen(run_cli, name: str) -> None:
    """ReduceLROnPlateau too: two evaluations are fewer than its patience, whatever they show."""
    case = [*TINY, f"scheduler={name}"]
    same(foreseen(run_cli, *case), trained(run_cli, *case))


def test_the_digits_have_the_length_that_was_foreseen(run_cli) -> None:
    case = ["trainer.epochs=1", "trainer.progress=false"]
    preview = foreseen(run_cli, *case)
    assert len(preview["step"]) == 21  # 1294 training samples in batches of 64
    same(preview, trained(run_cli, *case))


@pytest.mark.parametrize("name", OURS)
def test_every_schedule_of_ours_needs_no_rehearsal(run_cli, name: str, monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "lrsched.assembly.simulate", None)  # the door to torch is shut
    ended = run_cli(*TINY, f"scheduler={name}", *FITTING.get(name, []), command="preview")
    assert ended.code == 0, ended.err
    assert all("warning: scheduler" in line for line in ended.err.splitlines())
    assert name in ended.out


def test_a_preview_loads_neither_torch_nor_data(tmp_path: Path) -> None:
    code = (
        "import sys; from lrsched.cli.main import main\n"
        "sys.argv = ['lrsched', 'preview', 'scheduler=cosine,onecycle,step', 'dataset=mnist', 'experiment=mnist_cnn']\n"
        "try: main()\n"
        "except SystemExit as end: print('CODE', end.code, [m for m in ('torch', 'matplotlib') if m in sys.modules])"
    )
    root = str(CONF.parent)
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": root},
        timeout=120,
    )
    assert done.stdout.splitlines()[-1] == "CODE 0 []", done.stderr
    assert not list(tmp_path.iterdir())


def test_several_schedules_have_a_leading_column(run_cli) -> None:
    ended = run_cli(*TINY, "scheduler=cosine,torch/StepLR", "--csv", "two.csv", "--png", "two.png", command="preview")
    assert ended.code == 0, ended.err
    table = columns((ended.cwd / "two.csv").read_text("utf-8"))
    assert list(table) == ["scheduler", "step", "epoch", "lr/default"]
    assert table["scheduler"] == ["cosine"] * 12 + ["torch/StepLR"] * 12
    assert (ended.cwd / "two.png").read_bytes().startswith(b"\x89PNG")


def test_a_parameter_goes_to_all_schedules_and_may_itself_have_several_values(run_cli) -> None:
    ended = run_cli(*TINY, "scheduler=cosine,step", "scheduler.warmup=0st,50%", command="preview")
    assert ended.code == 0, ended.err
    for name in ("cosine", "step"):
        assert f"{name} scheduler.warmup=50%: warmup [0, 6)" in ended.out


def test_a_schedule_from_a_folder_of_ones_own(run_cli, tmp_path: Path) -> None:
    (tmp_path / "mine" / "scheduler").mkdir(parents=True)
    (tmp_path / "mine" / "scheduler" / "own.yaml").write_text("_target_: lrsched.schedules.Linear\nwarmup: 3st\n")
    ended = run_cli("scheduler=own,cosine", "--config-dir", "mine", command="preview")
    assert ended.code == 0, ended.err
    assert "own: warmup [0, 3)  decay [3, 630)" in ended.out


def test_a_plateau_is_drawn_as_if_nothing_improved_and_says_so(run_cli) -> None:
    case = [*TINY, "scheduler=plateau", "scheduler.patience=0", "trainer.evaluate_every=3st"]
    # Evaluations after 3, 6, 9 updates: the first is the best, each of the others cuts.
    rates = [float(value) for value in foreseen(run_cli, *case)["lr/default"]]
    assert rates == [0.1] * 6 + [0.1 * 0.1] * 3 + [0.1 * 0.1 * 0.1] * 3
    assert "as if no evaluation after the first one were an improvement" in run_cli(*case, command="preview").out


def test_a_sequence_with_a_plateau_is_rehearsed_and_says_so(run_cli) -> None:
    half = "{length:50%,schedule:{_target_:lrsched.schedules.Constant}}"
    plateau = "{length:rest,schedule:{_target_:lrsched.schedulers.Plateau,patience:0}}"
    case = [*TINY, "scheduler=sequence", f"scheduler.parts=[{half},{plateau}]", "trainer.evaluate_every=2st"]
    # Evaluations after 8 and 10 updates are those of the plateau's own updates: the second cuts.
    rates = [float(value) for value in foreseen(run_cli, *case)["lr/default"]]
    assert rates == [0.1] * 10 + [0.1 * 0.1] * 2
    assert "as if no evaluation after the first one were an improvement" in run_cli(*case, command="preview").out


def test_other_values_are_previewed_from_their_own_base(run_cli) -> None:
    also = ["+scheduler.also.weight_decay=same", "+scheduler.also.beta2={_target_: lrsched.schedules.Linear}"]
    case = [*TINY, "scheduler=linear", "optimizer=adamw", "optimizer.weight_decay=0.25", *also]
    preview = foreseen(run_cli, *case)
    assert [float(value) for value in preview["weight_decay/default"]] == [0.25 * (1 - t / 12) for t in range(12)]
    same(preview, trained(run_cli, *case))


UNKNOWN = [*TINY, "dataset.train_samples=null"]


def test_without_a_count_a_run_of_steps_is_foreseen_where_epochs_play_no_part(run_cli) -> None:
    assert len(foreseen(run_cli, *UNKNOWN, "trainer.steps=40", "scheduler.warmup=10%")["step"]) == 40


def test_without_a_count_a_live_scheduler_takes_the_run_for_one_epoch(run_cli) -> None:
    case = ["scheduler=torch/StepLR", "scheduler.interval=step", "scheduler.step_size=20"]
    rates = [float(value) for value in foreseen(run_cli, *UNKNOWN, "trainer.steps=40", *case)["lr/default"]]
    assert rates == [0.1] * 20 + [pytest.approx(0.01)] * 20
    assert len(foreseen(run_cli, *UNKNOWN, "trainer.steps=40", "scheduler=plateau")["step"]) == 40


MISTAKES = [
    (UNKNOWN, "trainer.steps=null: the config does not say how many samples the data set holds; give trainer.steps="),
    ([*UNKNOWN, "trainer.steps=9", "scheduler.warmup=1ep"], "scheduler.warmup=1ep: the config does not say"),
    ([*UNKNOWN, "trainer.steps=9", "scheduler=torch/StepLR"], "scheduler.interval=epoch: the config does not say"),
    ([*UNKNOWN, "trainer.steps=9", "scheduler=exponential", "~scheduler.every"], "scheduler.every=1ep: how many steps"),
    (["scheduler=cosin"], "scheduler=cosin: there is no such choice; did you mean 'cosine'?"),
    (["scheduler=cosine,stp"], "scheduler=stp: there is no such choice (with scheduler=stp); did you mean 'step'?"),
    (["scheduler=step,cosine", "scheduler.every=1ep"], "scheduler.every: there is no such key (with scheduler=cosine)"),
    (["scheduler=table"], "scheduler.path: has no value; give scheduler.path=FILE"),
    (["+scheduler.also.mass=same"], "scheduler.also.mass: the schedule moves mass, which"),
    (["scheduler.warmup=5"], "scheduler.warmup=5: a duration carries its unit"),
    (["scheduler.warmup=100%"], "scheduler.warmup=100%: is 630 steps and leaves nothing"),
    (["scheduler=onecycle", "optimizer=adagrad"], "scheduler.momentum=set: the schedule moves momentum"),
    (["optimizer.lr=-1"], "optimizer.lr=-1: must be a finite number, at least 0"),
    (["optimizer.lr=fast"], "optimizer.lr=fast: must be a number"),
    (["scheduler._target_=os.system"], "scheduler._target_=os.system: is not an allowed scheduler"),
    (["scheduler=torch/StepLR", "scheduler.step_size=2.5"], "scheduler.step_size=2.5: must be a whole number"),
    (["dataset.test=0"], "dataset.test=0: is a part of the data: above 0 and below 1"),
    (["trainer.epochs=0"], "trainer.epochs=0: must be at least 1"),
    (["trainer.epocs=3"], "trainer.epocs: there is no such key; did you mean 'trainer.epochs'?"),
    (["optimizer.lr=interval(0,1)"], "optimizer.lr=interval(0,1): is an interval without values to try"),
    (["resume=outputs/x"], "resume=outputs/x: there is no such folder"),
    (["cosine"], "cosine: this override cannot be read"),
    (["--pgn", "x.png"], "lrsched: preview: unrecognized arguments: --pgn"),
    (["--csv"], "lrsched: preview: argument --csv: expected one argument"),
    (["--config-dir", "nowhere"], "--config-dir=nowhere: there is no such folder"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_is_one_message(run_cli, arguments: list[str], message: str) -> None:
    ended = run_cli(*arguments, command="preview")
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert not ended.out
    assert not list(ended.cwd.iterdir())


def test_a_file_that_cannot_be_written_is_6(run_cli) -> None:
    ended = run_cli("--csv", "no/such/folder.csv", command="preview")
    assert (ended.code, ended.out) == (6, "")
    assert "no/such/folder.csv cannot be written: No such file or directory" in ended.err


@pytest.mark.parametrize(("key", "said", "held"), [("train_samples", 121, 120), ("test_samples", 1, 0)])
def test_training_refuses_a_count_that_is_not_so(run_cli, key: str, said: int, held: int) -> None:
    ended = run_cli(*TINY, f"dataset.{key}={said}")
    assert ended.code == 2
    assert f"dataset.{key}={said}: the data set that was loaded has {held}" in ended.err


def test_a_reader_that_leaves_early_is_no_error(tmp_path: Path) -> None:
    command = [
        sys.executable,
        "-c",
        "import sys; from lrsched.cli.main import main; sys.argv = ['lrsched', 'preview']; main()",
    ]
    where = {"cwd": tmp_path, "env": {**os.environ, "PYTHONPATH": str(CONF.parent)}}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, **where) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdout.close()  # before it has written anything
        assert (process.stderr.read(), process.wait(timeout=60)) == (b"", 0)


def test_the_optimizers_own_defaults_count_where_the_config_leaves_them_out(run_cli) -> None:
    case = [*TINY, "scheduler=onecycle", "optimizer=adamw", "~optimizer.lr", "~optimizer.betas"]
    same(foreseen(run_cli, *case), trained(run_cli, *case))


def test_its_help_says_what_it_takes(run_cli) -> None:
    ended = run_cli("--help", command="preview")
    assert ended.code == 0
    assert all(word in ended.out for word in ("--png", "--csv", "--config-dir", "scheduler=cosine,step"))
