"""A user's mistake: one message with key, value, rule and remedy; exit code 2; nothing left behind."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from lrsched.compose.plugins import LAUNCHERS, how_to_install
from tests.helpers.bugs import bug
from tests.helpers.cli import TINY

MISTAKES = [
    (["schedulr=cosine"], "schedulr: there is no such key; did you mean 'scheduler'?"),
    (["scheduler=cosin"], "scheduler=cosin: there is no such choice; did you mean 'cosine'?"),
    (["scheduler=torch/StepLr"], "scheduler=torch/StepLr: there is no such choice; did you mean 'torch/StepLR'?"),
    (["scheduler=torch"], "scheduler=torch: there is no such choice"),
    (["optimizer.lrr=0.1"], "optimizer.lrr: there is no such key; did you mean 'optimizer.lr'?"),
    (["optimizr.lr=0.1"], "optimizr.lr: there is no such key; did you mean 'optimizer'?"),
    (["trainer.epocs=3"], "trainer.epocs: there is no such key; did you mean 'trainer.epochs'?"),
    (["trainer.epochs=ten"], "trainer.epochs=ten: must be a whole number"),
    (["trainer.epochs=1.5"], "trainer.epochs=1.5: must be a whole number"),
    (["trainer.epochs=0"], "trainer.epochs=0: must be at least 1"),
    (["+trainer.foo=1"], "trainer.foo=1: there is no such key"),
    (["+foo=1"], "foo=1: there is no such key"),
    (["+optimizer.lrr=1"], "optimizer.lrr=1: SGD takes no such argument; did you mean 'lr'?"),
    (["optimizer.lr=fast"], "optimizer.lr=fast: must be a number"),
    (["optimizer.lr=-0.1"], "optimizer.lr=-0.1: must be a finite number, at least 0"),
    (["optimizer.momentum=-1"], "optimizer.momentum=-1: must be at least 0 and below 1"),
    (["optimizer.nesterov=true", "optimizer.momentum=0"], "optimizer=SGD: cannot be built: Nesterov"),
    (["seed=-1"], "seed=-1: must be at least 0"),
    (["name=../x"], "name=../x: a name starts with"),
    (["device=tpu"], "device=tpu: is no device"),
    (["device=gpu"], "device=gpu: is no device; did you mean 'cuda'?"),
    (["checkpoint.monitor=null"], "checkpoint.monitor=null: must have a value"),
    (["dataset.test=0"], "dataset.test=0"),
    (["trainer.precision=fp8"], "trainer.precision=fp8: must be one of fp32, bf16, fp16"),
    (["scheduler=multistep", "scheduler.milestones=50%"], "must be a list, each a duration such as 5%"),
    (["device=cuda:99"], "device=cuda:99: cannot be used here"),
    (["scheduler=cosine,step"], "scheduler=cosine,step: several values are a sweep; add -m to run them side by side"),
    (["scheduler.warmup=5"], "scheduler.warmup=5: a duration carries its unit"),
    (["scheduler.warmup=100%"], "scheduler.warmup=100%: is 12 steps and leaves nothing of a run of 12 steps"),
    (["scheduler.final=-1"], "scheduler.final=-1: must be a number in [0, inf)"),
    (["scheduler=multistep", "scheduler.milestones=[30st,0st]"], "scheduler.milestones"),
    (
        ["scheduler=torch/MultiStepLR", "scheduler.milestones=[30,0]"],
        "scheduler.milestones=[30,0]: milestones are at least 1",
    ),
    (["scheduler=torch/StepLR", "scheduler.step_size=2.5"], "scheduler.step_size=2.5: must be a whole number"),
    (["scheduler=torch/StepLR", "scheduler.step_size=0"], "scheduler.step_size=0: must be a whole number, at least 1"),
    (["scheduler=torch/StepLR", "scheduler.interval=batch"], "scheduler.interval=batch: must be one of epoch, step"),
    (["scheduler=torch/LambdaLR", "scheduler.lr_lambda=__import__('os')"], "scheduler.lr_lambda"),
    (["scheduler=plateau", "scheduler.factor=2"], "scheduler.factor=2: must lie between 0 and 1"),
    (["scheduler=onecycle", "optimizer=adagrad"], "scheduler.momentum"),
    (["model._target_=os.system"], "model._target_=os.system: is not an allowed model"),
    (["model.hidden=[0]"], "model.hidden"),
    (["dataset.batch_size=0"], "dataset.batch_size=0: must be at least 1"),
    (["dataset.validation=1.5"], "dataset.validation=1.5: is a part of the data"),
    (["model=cnn", "dataset.batch_size=17"], "dataset.batch_size=17: leaves a batch of one of 86 samples, and CNN"),
    (["trainer.log_every=20"], "trainer.log_every=20: a duration carries its unit"),
    (["trainer.evaluate_every=0st"], "trainer.evaluate_every=0st: must be at least one step"),
    (
        ["checkpoint.monitor=val/los"],
        "checkpoint.monitor=val/los: is no metric of an evaluation; did you mean 'val/loss'?",
    ),
    (["scheduler=plateau", "scheduler.monitor=loss"], "scheduler.monitor=loss: is no metric of an evaluation"),
    (["scheduler.also.weight_decay=same"], "scheduler.also.weight_decay: has no entries yet"),
    (
        ["optimizer.groups={a: {params: x}}"],
        "changes an entry that is there; write +optimizer.groups",
    ),
    (["+scheduler.also.lr=same"], "scheduler.also.lr: lr is what the schedule itself moves"),
    (["+scheduler.also.weight_decy=same"], "does not have; did you mean 'weight_decay'?"),
    (["+scheduler.also.momentum=cosine"], "scheduler.also.momentum=cosine: must be a schedule, or same"),
    (["optimizer.layer_decay=2"], "optimizer.layer_decay=2: must be a number in (0, 1]"),
    (["scheduler=table"], "scheduler.path: has no value; give scheduler.path=FILE"),
    (["resume=nowhere"], "resume=nowhere: there is no such folder"),
    (["logger=[tensorbord]"], "logger=tensorbord: there is no such choice; did you mean 'tensorboard'?"),
    (["experiment=none_such"], "experiment=none_such: there is no such choice"),
    (["hydra/launcher=basics"], "hydra/launcher=basics: there is no such choice; did you mean 'basic'?"),
    (["hydra/launcher=zzz"], "hydra/launcher=zzz: there is no such choice; known are: basic, "),
    (["hydra/sweeper=ax"], "hydra/sweeper=ax: there is no such choice; known are: basic, grid, halving, optuna"),
    (["epochs"], "epochs: this override cannot be read; an override is written key=value"),
    (["name=a=b"], "cannot be read"),
    (["~scheduler.step_size"], "~scheduler.step_size: there is no such key to take away; leave it out"),
    (
        ["scheduler=torch/OneCycleLR", "scheduler.epochs=2"],
        "scheduler.epochs: its class takes this argument, and its YAML leaves it out; write +scheduler.epochs=2",
    ),
    (["optimizer.momentums=1"], "there is no such key; did you mean 'optimizer.momentum'?\n"),
    (
        ["optimizer.maximize=true"],
        "its class takes this argument, and its YAML leaves it out; write +optimizer.maximize=true",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(arguments) for arguments, _ in MISTAKES])
def test_a_mistake_is_one_message_and_leaves_nothing(run_cli, arguments: list[str], message: str) -> None:
    ended = run_cli(*TINY, *arguments)
    assert ended.code == 2, ended.err
    assert message in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.strip().splitlines()) == 1
    assert not (ended.cwd / "outputs").exists()


NET = """
from torch import nn

class Net(nn.Linear):
    def __init__(self, features, outputs, width=4, **others):
        super().__init__(features, outputs)

    def forward(self, x):
        return super().forward(x.flatten(1))
"""


@pytest.mark.parametrize("yaml", ["_target_: net_of_mistakes.Net\n", "_target_: net_of_mistakes.Net\nwidth: 4\n"])
def test_an_argument_that_a_yaml_leaves_out_is_named(run_cli, tmp_path, monkeypatch, yaml: str) -> None:
    (tmp_path / "net_of_mistakes.py").write_text(NET)
    (tmp_path / "mine" / "model").mkdir(parents=True)
    (tmp_path / "mine" / "model" / "netlike.yaml").write_text(yaml)
    monkeypatch.setenv("LRSCHED_TRUST", "net_of_mistakes")
    monkeypatch.syspath_prepend(tmp_path)
    given = (*TINY, "--config-dir=mine", "model=netlike")
    mistyped = run_cli(*given, "model.widht=8")
    assert (mistyped.code, mistyped.err.count("\n")) == (2, 1)
    added = "(an argument that its YAML leaves out is added: +model.widht)"  # it takes **others
    assert f"model.widht: there is no such key; did you mean 'model.width'? {added}" in mistyped.err
    if "width" not in yaml:
        left_out = run_cli(*given, "model.width=8")
        rule = "its class takes this argument, and its YAML leaves it out"
        assert left_out.err == f"lrsched: model.width: {rule}; write +model.width=8\n"


@pytest.mark.parametrize(("folder", "quoted"), [("mine", "mine"), ("my conf", "'my conf'")])
def test_a_choice_in_a_folder_that_was_not_named_is_found(run_cli, tmp_path, folder: str, quoted: str) -> None:
    (tmp_path / folder / "model").mkdir(parents=True)
    (tmp_path / folder / "model" / "res.yaml").write_text("_target_: mine.Res\n")
    told = f"there is no such choice; one lies in {folder}: add --config-dir {quoted}\n"
    assert run_cli(*TINY, "model=res").err == f"lrsched: model=res: {told}"
    assert "model=rez: there is no such choice; known are: cnn, " in run_cli(*TINY, "model=rez").err


@pytest.mark.parametrize("extra", [(), ("hydra/launcher=basic",), ("hydra/sweeper=halving",)])
def test_a_glob_that_matches_nothing_is_no_sweep(run_cli, extra: tuple[str, ...]) -> None:
    ended = run_cli("-m", *TINY, "scheduler=glob(zz*)", *extra)
    assert ended.code == 2
    assert ended.err == (
        "lrsched: scheduler=glob(zz*): stands for no value; list some, as a,b; --help=all shows all choices\n"
    )
    assert not (ended.cwd / "outputs").exists()


@pytest.mark.parametrize(("name", "extra"), [("joblib", "sweep"), ("submitit_slurm", "sweep"), ("ray", "ray")])
def test_a_launcher_that_is_not_installed_is_named_with_what_brings_it(name: str, extra: str) -> None:
    assert how_to_install("hydra/launcher", name) == f"pip install 'hydra-lrsched[{extra}]'"
    assert how_to_install("hydra/sweeper", name) == ""


def test_the_launchers_that_are_installed_are_listed_and_the_others_refused(run_cli) -> None:
    lines = dict(line.partition(": ")[::2] for line in run_cli("--help=all").out.splitlines())
    launchers = set(lines["hydra/launcher"].split(", "))
    assert {"basic", "pool"} <= launchers
    assert {"basic", "grid", "halving", "optuna"} <= set(lines["hydra/sweeper"].split(", "))
    for name in LAUNCHERS.keys() - launchers:
        ended = run_cli("-m", *TINY, f"hydra/launcher={name}")
        assert (ended.code, ended.out) == (2, "")
        assert ended.err.startswith(f"lrsched: hydra/launcher={name}: is not installed; pip install 'hydra-lrsched[")
    for name, plugin in {"joblib": "joblib", "submitit_slurm": "submitit"}.items():
        assert (name in launchers) == (find_spec(f"hydra_plugins.hydra_{plugin}_launcher") is not None)


def test_a_name_that_is_taken_is_refused_with_the_line_that_resumes_it(run_cli) -> None:
    assert run_cli(*TINY, "name=run").code == 0
    again = run_cli(*TINY, "name=run")
    assert again.code == 2
    assert "name=run: outputs/run already holds a run" in again.err
    assert "lrsched train resume=outputs/run" in again.err


def test_an_unknown_command_names_the_nearest(run_cli) -> None:
    ended = run_cli(command="trian")
    assert (ended.code, "did you mean 'train'?" in ended.err) == (2, True)
    assert run_cli(command="--help").code == 0


def test_a_bug_of_ours_is_1_with_its_traceback_in_the_log(run_cli, monkeypatch) -> None:
    bug(monkeypatch, ZeroDivisionError("division by zero"))
    ended = run_cli(*TINY, "name=run")
    assert ended.code == 1
    assert "ZeroDivisionError" in ended.err
    assert "outputs/run/train.log" in ended.err
    assert "Traceback" in (ended.cwd / "outputs" / "run" / "train.log").read_text("utf-8")
    assert ended.result()["status"] == "failed"


def test_a_reader_who_has_seen_enough_of_the_help_is_no_error(root: Path) -> None:
    command = f"{sys.executable} train.py --help | head -1"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, cwd=root)
    assert (done.returncode, done.stdout.count("\n"), done.stderr) == (0, 1, "")
