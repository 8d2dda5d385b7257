"""What the README and the pages say of one's own, done inside the package: examples are copied out of them and run."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import lrsched

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


PAGES = "\n".join(path.read_text("utf-8") for path in sorted((ROOT / "docs/how-to").glob("*.md")))


def example(class_name: str) -> str:
    """The code block of the pages that defines a class."""
    blocks = re.findall(r"```python\n(.*?)```", PAGES, re.DOTALL)
    (found,) = [block for block in blocks if f"class {class_name}(" in block]
    return found


def example_yaml(class_name: str, module: str) -> str:
    """The YAML block of the pages that names a class, which lies in a module of lrsched."""
    blocks = re.findall(r"```yaml\n(.*?)```", PAGES, re.DOTALL)
    (found,) = [block for block in blocks if f".{class_name}\n" in block]
    return re.sub(rf"\w+\.{class_name}\n", f"{module}.{class_name}\n", found)


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the house into which a newcomer's files are put, one and one YAML each."""
    house = tmp_path_factory.mktemp("house")
    ignore = shutil.ignore_patterns("__pycache__")
    for name in ("lrsched", "conf"):
        shutil.copytree(ROOT / name, house / name, ignore=ignore)
    shutil.copy(ROOT / "train.py", house)
    (house / "lrsched/schedules/knee.py").write_text(example("Knee"))
    (house / "conf/scheduler/knee.yaml").write_text(example_yaml("Knee", "lrsched.schedules"))
    (house / "lrsched/models/tiny.py").write_text(example("Tiny"))
    (house / "conf/model/tiny.yaml").write_text(example_yaml("Tiny", "lrsched.models"))
    (house / "lrsched/data/stripes.py").write_text(example("Stripes"))
    (house / "conf/dataset/stripes.yaml").write_text(example_yaml("Stripes", "lrsched.data"))
    (house / "lrsched/tasks/pinball.py").write_text(example("Pinball"))
    (house / "conf/task/pinball.yaml").write_text(example_yaml("Pinball", "lrsched.tasks"))
    return house


COMMANDS = {
    "run": (
        "scheduler=knee",
        "scheduler.warmup=2st",
        "scheduler.explore=4st",
        "model=tiny",
        "dataset=stripes",
        "trainer.steps=10",
        "trainer.log_every=1st",
        "optimizer.lr=0.01",
        "name=run",
    ),
    "quantile": (
        "model=tiny",
        "dataset=stripes",
        "optimizer.lr=0.001",
        "task=pinball",
        "task.q=0.9",
        "checkpoint.monitor=val/covered",
        "trainer.epochs=1",
        "name=quantile",
    ),
    "typo": ("scheduler=knee", "+scheduler.explor=4st"),
}

TRAIN = """
import os, sys
sys.path.insert(0, os.getcwd())
import torch  # once for all of them
for name in sys.argv[1:]:
    if not (child := os.fork()):
        sys.argv = ["train.py", "trainer.progress=false", *open(f"{name}.words").read().split()]
        for number, place in ((1, os.devnull), (2, f"{name}.said")):
            os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT), number)
        import runpy
        runpy.run_path("train.py", run_name="__main__")
        sys.exit()
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def ended(copy: Path) -> dict[str, tuple[int, str]]:
    """The exit code and the messages of each command, ``python train.py …`` after another's import of torch."""
    for name, words in COMMANDS.items():
        (copy / f"{name}.words").write_text("\n".join(words))
    environment = {**os.environ, "PYTHONPATH": str(copy)}
    command = [sys.executable, "-c", TRAIN, *COMMANDS]
    done = subprocess.run(command, cwd=copy, env=environment, capture_output=True, text=True, timeout=300, check=True)
    codes = map(int, done.stdout.split())
    said = [(copy / f"{name}.said").read_text("utf-8") for name in COMMANDS]
    return dict(zip(COMMANDS, zip(codes, said, strict=True), strict=True))


def test_a_newcomers_schedule_model_and_dataset_train(copy: Path, ended: dict[str, tuple[int, str]]) -> None:
    code, said = ended["run"]
    assert code == 0, said
    result = json.loads((copy / "outputs/run/result.json").read_text("utf-8"))
    assert result["metrics"]["test/accuracy"] == 1.0  # stripes are easy
    rows = [json.loads(line) for line in (copy / "outputs/run/metrics.jsonl").read_text("utf-8").splitlines()]
    rates = [row["lr/default"] for row in rows if "lr/default" in row]
    expected = [0.5, 1, 1, 1, 1, 1, 1, 0.75, 0.5, 0.25]  # two steps up, four at the peak, four down
    assert rates == [0.01 * value for value in expected]


def test_a_newcomers_task_trains_and_chooses_by_its_metric(copy: Path, ended: dict[str, tuple[int, str]]) -> None:
    code, said = ended["quantile"]
    assert code == 0, said
    result = json.loads((copy / "outputs/quantile/result.json").read_text("utf-8"))
    assert result["better"] == {"loss": "min", "covered": "max"}
    assert 0 <= result["metrics"]["test/covered"] <= 1


def test_a_typo_in_a_newcomers_key_names_the_nearest(ended: dict[str, tuple[int, str]]) -> None:
    code, said = ended["typo"]
    assert code == 2
    assert "scheduler.explor=4st: Knee takes no such argument; did you mean 'explore'?" in said


def test_the_commands_of_the_two_fences_are_there() -> None:
    fences = dict(re.findall(r"<!-- (\w+) -->\n```sh\n(.*?)\n```", README))
    assert fences["train"].startswith("pip install -e .")
    assert fences["test"].endswith("python -m pytest")


def test_the_readme_is_one_screen_or_four() -> None:
    assert README.count("\n") <= 140


def test_the_loop_of_ones_own_trains_as_the_readme_has_it() -> None:
    (found,) = [
        block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "lrsched.LRScheduler" in block
    ]
    names: dict[str, Any] = {}
    exec(found.replace("range(1000)", "range(50)"), names)
    table = lrsched.schedules.Cosine(warmup="5%").plan(lrsched.Horizon(1000, 100)).table()
    assert names["optimizer"].param_groups[0]["lr"] == 0.01 * table[50]


def python_blocks() -> list[str]:
    return re.findall(r"```python\n(.*?)```", (ROOT / "docs/how-to/python.md").read_text("utf-8"), re.DOTALL)


def test_the_example_of_a_run_from_python_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    first, again = (block for block in python_blocks() if "lrsched.run(" in block and "find(" not in block)
    (left,) = (block for block in python_blocks() if "rows.series(" in block)
    names: dict[str, Any] = {}
    exec(first.replace("epochs=20", "epochs=1"), names)
    assert names["run"].result["status"] == "finished"
    exec(again + left, names)
    assert names["losses"].tolist() == [names["run"].result["metrics"]["val/loss"]]


def test_the_example_from_python_is_true(run_cli) -> None:
    words = ("dataset=digits", "trainer.epochs=1", "trainer.progress=false", "logger=none", "name=first")
    assert run_cli(*words).code == 0
    (found,) = [block for block in python_blocks() if "first.predict(" in block]
    names: dict[str, Any] = {"torch": torch, "lrsched": lrsched}
    exec(found, names)
    assert names["predictions"].shape == (2, 10)
    assert Path("first.safetensors").exists()
