"""One run from the command line: what it leaves behind."""

from __future__ import annotations

import hashlib
import json
import math
import os
from pathlib import Path

import pytest
import torch
import yaml

from lrsched.records import read_rows
from tests.helpers.cli import TINY
from tests.helpers.readers import train_into


def test_a_run_leaves_the_files_of_the_contract(run_cli) -> None:
    ended = run_cli(*TINY, "name=run", "logger=[tensorboard,csv]", "trainer.log_every=1st")
    assert ended.code == 0, ended.err
    folder = ended.cwd / "outputs" / "run"
    result = ended.result()
    steps = result["step"]

    assert (result["status"], result["epoch"]) == ("finished", 2.0)
    assert set(result["metrics"]) == {"val/loss", "val/accuracy", "test/loss", "test/accuracy"}
    assert set(result["best"]) == {"step", "val/loss", "val/accuracy", "test/loss", "test/accuracy"}
    for key in ("reason", "weights_sha256", "train_seconds", "samples_per_second", "config_sha256", "fingerprint"):
        assert result[key]
    training = [row for row in ended.rows() if "train/loss" in row]
    assert [row["step"] for row in training] == list(range(steps))
    assert all({"epoch", "lr/default", "lr/no_decay", "grad_norm"} <= set(row) for row in training)
    looks = [row for row in ended.rows() if "val/loss" in row]
    assert [row["step"] for row in looks] == [steps // 2, steps]
    assert [row["epoch"] for row in looks] == [1.0, 2.0]
    assert {path.name for path in (folder / "checkpoints").iterdir()} >= {f"step-{steps:010d}"}
    assert list((folder / "tensorboard").iterdir())
    assert (folder / "metrics.csv").exists()
    assert "finished" in (folder / "train.log").read_text("utf-8")
    events = [row["event"] for row in read_rows(folder / "timing.jsonl")]
    assert {"update", "evaluate", "save"} <= set(events)
    assert f"lrsched train resume=outputs{os.sep}run" in ended.out
    assert "tensorboard --logdir" in ended.out


def test_the_config_is_stored_as_composed_with_a_name_that_stays(run_cli) -> None:
    ended = run_cli(*TINY, "optimizer.lr=0.05")
    assert ended.code == 0, ended.err
    (folder,) = (ended.cwd / "outputs").iterdir()
    config = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    assert config["name"] == folder.name
    assert config["optimizer"]["lr"] == 0.05


def test_a_secret_of_the_environment_is_in_no_file(run_cli, monkeypatch) -> None:
    monkeypatch.setenv("LRSCHED_TEST_SECRET", "hunter2-canary")
    ended = run_cli(*TINY, "name=run", "+logger.csv={_target_: lrsched.loggers.CSV}", "trainer.epochs=1")
    assert ended.code == 0, ended.err
    for path in (ended.cwd / "outputs").rglob("*"):
        if path.is_file():
            assert b"hunter2-canary" not in path.read_bytes()


def test_two_equal_commands_give_equal_bytes(run_cli) -> None:
    options = (*TINY, "trainer.log_every=1st", "model.dropout=0.3", "dataset.augment={crop: 1, flip: true}")
    first, second = (run_cli(*options, f"name={name}") for name in ("a", "b"))
    assert first.code == second.code == 0, first.err + second.err
    a, b = (ended.cwd / "outputs" / name for ended, name in ((first, "a"), (second, "b")))
    assert (a / "metrics.jsonl").read_bytes() == (b / "metrics.jsonl").read_bytes()
    assert first.result("a")["weights_sha256"] == second.result("b")["weights_sha256"]
    assert first.result("a")["config_sha256"] == second.result("b")["config_sha256"]


def test_another_seed_gives_another_run_on_the_same_test_images(run_cli) -> None:
    first, second = (run_cli(*TINY, f"name=s{seed}", f"seed={seed}") for seed in (0, 1))
    assert first.result("s0")["weights_sha256"] != second.result("s1")["weights_sha256"]


def test_weights_sha256_is_the_hash_that_the_contract_defines(run_cli) -> None:
    ended = run_cli(*TINY, "name=run")
    steps = ended.result()["step"]
    path = ended.cwd / "outputs" / "run" / "checkpoints" / f"step-{steps:010d}" / "state.pt"
    weights = torch.load(path, weights_only=True)["model"]
    digest = hashlib.sha256()
    for name in sorted(weights):
        digest.update(name.encode("utf-8"))
        digest.update(str(weights[name].dtype).encode())
        digest.update(str(tuple(weights[name].shape)).encode())
        digest.update(weights[name].numpy().tobytes())
    assert ended.result()["weights_sha256"] == digest.hexdigest()


@pytest.mark.parametrize(("precision", "extra"), [("bf16", ()), ("fp16", ("loss_scale", "skipped"))])
def test_lower_precisions_train(run_cli, precision: str, extra: tuple[str, ...]) -> None:
    ended = run_cli(*TINY, "name=run", f"trainer.precision={precision}", "trainer.log_every=1st")
    assert ended.code == 0, ended.err
    assert ended.result()["step"] == len([row for row in ended.rows() if "train/loss" in row])
    assert set(extra) <= set(ended.rows()[0])


def test_early_stopping_ends_a_finished_run_before_its_end(run_cli) -> None:
    ended = run_cli(
        *TINY, "name=run", "trainer.epochs=50", "trainer.early_stop.patience=2", "trainer.early_stop.threshold=10.0"
    )
    assert ended.code == 0, ended.err
    result = ended.result()
    assert result["status"] == "finished"
    assert result["ended"] == "early"
    assert result["reason"] == "early stop: val/loss has not improved for 2 evaluations"
    assert result["epoch"] == 3.0  # the first evaluation is the best, two more do not better it by 10


EARLY = ("trainer.epochs=50", "trainer.early_stop.patience=2", "trainer.early_stop.threshold=10.0")


@pytest.mark.parametrize(
    ("start", "epoch"), [("0st", 3.0), ("30st", 7.0), ("5ep", 7.0), ("10%", 7.0), ("31st", 8.0), ("98%", 50.0)]
)
def test_before_its_start_early_stopping_counts_nothing(run_cli, start: str, epoch: float) -> None:
    """6 updates an epoch: the evaluation after 30 is the first that counts, and so the best; two more end the run."""
    ended = run_cli(*TINY, "name=run", *EARLY, f"trainer.early_stop.start={start}")
    assert ended.code == 0, ended.err
    assert (ended.result()["ended"], ended.result()["epoch"]) == ("early" if epoch < 50 else "finished", epoch)
    assert ended.result()["best"]["step"] > 0  # the best weights are those of any evaluation


@pytest.mark.parametrize("until", [12, 36])
def test_a_run_that_stops_early_from_a_start_on_is_resumed(run_cli, until: int) -> None:
    case = (*TINY, *EARLY, "trainer.early_stop.start=5ep", "logger=none")
    assert run_cli(*case, "name=whole").code == 0
    assert run_cli(*case, "name=run", f"sweep.until={until}").code == 0
    ended = run_cli("resume=outputs/run", "sweep.until=null")
    assert ended.code == 0, ended.err
    whole = Path("outputs/whole/metrics.jsonl").read_bytes()
    assert Path("outputs/run/metrics.jsonl").read_bytes() == whole
    assert ended.result()["epoch"] == 7.0


def test_every_checkpoint_holds_the_best_weights_so_far(run_cli) -> None:
    options = (*TINY, "scheduler=constant", "checkpoint.monitor=val/accuracy", "checkpoint.mode=max")
    ended = run_cli(*options, "trainer.epochs=8", "name=run", "checkpoint.keep=1")
    assert ended.code == 0, ended.err
    best = ended.result()["best"]
    looks = {row["step"]: row["val/accuracy"] for row in ended.rows() if "val/accuracy" in row}
    assert best["val/accuracy"] == max(looks.values()) == looks[best["step"]]
    (last,) = (ended.cwd / "outputs" / "run" / "checkpoints").iterdir()
    assert last.name == f"step-{ended.result()['step']:010d}"
    # A constant rate does not know the run's length: this run ends with the weights that were best in the other.
    assert run_cli(*options, f"trainer.steps={best['step']}", "name=short").code == 0
    short = ended.cwd / "outputs" / "short" / "checkpoints" / f"step-{best['step']:010d}"
    weights = torch.load(last / "best.pt", weights_only=True)
    expected = torch.load(short / "state.pt", weights_only=True)["model"]
    assert weights.keys() == expected.keys()
    assert all(torch.equal(weights[name], expected[name]) for name in expected)


def test_a_loss_that_is_not_finite_stops_the_run_with_3_and_a_result(run_cli) -> None:
    ended = run_cli(*TINY, "name=run", "optimizer.lr=1e30", "optimizer.momentum=0", "optimizer.nesterov=false")
    assert ended.code == 3
    result = ended.result()
    assert result["status"] == "failed"
    assert "the training loss is nan" in result["reason"] or "the training loss is inf" in result["reason"]
    assert "Traceback" not in ended.err
    line = (
        "lrsched train resume=outputs/run optimizer.lr=1e+29 'checkpoint.allow_change=[optimizer.lr]'; or start again "
    )
    assert f"{line}with a lower optimizer.lr, with optimizer=adamw optimizer.lr=0.003, a warm-up or " in ended.err
    assert all(math.isfinite(value) for row in ended.rows() for value in row.values())


def test_a_run_of_the_debug_group_each(run_cli) -> None:
    one = run_cli(*TINY, "name=one", "debug=one_batch")
    assert (one.code, one.result("one")["step"]) == (0, 1), one.err
    few = run_cli(*TINY, "name=few", "debug=limit_batches")
    assert (few.code, few.result("few")["step"]) == (0, 6), few.err
    over = run_cli(*TINY, "name=over", "debug=overfit_batch")
    assert over.code == 0, over.err
    losses = [row["train/loss"] for row in over.rows("over") if "train/loss" in row]
    assert losses[-1] < 0.1 * losses[0]
    profile = run_cli(*TINY, "name=profile", "debug=profile", "trainer.steps=3")
    assert profile.code == 0, profile.err
    assert "aten::" in (profile.cwd / "outputs" / "profile" / "profile.txt").read_text("utf-8")


def test_the_real_mnist_is_read_where_it_lies(run_cli, real_data) -> None:
    ended = run_cli(
        "dataset=mnist", f"dataset.root={real_data}", "debug=one_batch", "name=run", "trainer.progress=false"
    )
    assert ended.code == 0, ended.err
    assert ended.result()["step"] == 1


def test_missing_data_is_one_message_that_names_the_files(run_cli) -> None:
    ended = run_cli("dataset=mnist", "dataset.root=nowhere", "name=run")
    assert ended.code == 2
    assert "nowhere/MNIST/raw" in ended.err
    for part, kind in (
        ("train", "images-idx3"),
        ("train", "labels-idx1"),
        ("t10k", "images-idx3"),
        ("t10k", "labels-idx1"),
    ):
        assert f"{part}-{kind}-ubyte" in ended.err
    assert "Traceback" not in ended.err
    assert not list(ended.cwd.iterdir())


def test_a_reader_of_stdout_that_has_gone_away_is_no_fault_of_the_run(tmp_path: Path) -> None:
    code, said = train_into(tmp_path, "true", *TINY, "name=run", streams="")
    assert code == 0, said
    assert json.loads((tmp_path / "outputs/run/result.json").read_text())["status"] == "finished"
