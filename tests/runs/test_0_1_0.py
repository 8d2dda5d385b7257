"""What 0.1.0 left behind is resumed, gone on with, checked and reported as 0.1.0 itself would have done it."""

from __future__ import annotations

import hashlib
import json
import tarfile
from pathlib import Path
from typing import Any

import pytest
import torch

from lrsched.train.environment import fingerprint

FIXTURES = Path(__file__).resolve().parents[1] / "fixtures"
KNOWN: dict[str, Any] = json.loads((FIXTURES / "0_1_0.json").read_text("utf-8"))
MACHINE = ("torch", "isa", "isa_limits", "machine", "interop_threads")
"""What of a fingerprint says where a run was made, and not how."""


MADE_ON = "GenuineIntel"
"""The maker of the processor that 0.1.0 ran on, whose fingerprint does not say it."""


@pytest.fixture
def left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, dict[str, Any]]:
    """The folders of 0.1.0 in the current folder, and what each run in them has come to."""
    with tarfile.open(FIXTURES / "0_1_0.tar.gz") as archive:
        archive.extractall(tmp_path, filter="data")
    monkeypatch.chdir(tmp_path)
    return KNOWN["left"]


def same_machine() -> bool:
    here = fingerprint(torch.device("cpu"), "fp32")
    return here["processor"].startswith(MADE_ON) and all(here[name] == KNOWN["fingerprint"][name] for name in MACHINE)


def exactly() -> list[str]:
    """The override that a resume needs on another machine than that of the fixtures."""
    return [] if same_machine() else ["checkpoint.inexact=true"]


def came_to(folder: str) -> dict[str, Any]:
    result = json.loads(Path(folder, "result.json").read_text("utf-8"))
    rows = Path(folder, "metrics.jsonl").read_bytes()
    found = {name: result[name] for name in ("status", "step", "config_sha256", "weights_sha256")}
    return {**found, "rows_sha256": hashlib.sha256(rows).hexdigest()}


def is_end_of(folder: str) -> None:
    """The run ended as 0.1.0 would have ended it; bit for bit where this is the machine that it ran on."""
    found, wanted = came_to(folder), KNOWN["ends"][folder]
    exact = () if same_machine() else ("weights_sha256", "rows_sha256")
    assert {key: found[key] for key in found if key not in exact} == {
        key: wanted[key] for key in wanted if key not in exact
    }


def rows(folder: str) -> dict[str, bytes]:
    """The rows of each run below a folder."""
    return {str(path): path.read_bytes() for path in Path(folder).rglob("metrics.jsonl")}


@pytest.mark.parametrize("name", ["finished", "paused", "stopped"])
def test_a_run_is_known_and_its_checkpoints_are_intact(run_cli, left, name: str) -> None:
    assert came_to(f"outputs/{name}") == left[f"outputs/{name}"]
    assert run_cli(f"outputs/{name}", command="check").code == 0


def test_a_finished_run_is_left_alone(run_cli, left) -> None:
    before = {path: path.read_bytes() for path in Path("outputs/finished").rglob("*") if path.is_file()}
    ended = run_cli("resume=outputs/finished")
    assert ended.code == 0
    assert "finished" in ended.err
    assert {path: path.read_bytes() for path in Path("outputs/finished").rglob("*") if path.is_file()} == before


@pytest.mark.parametrize(("name", "own"), [("paused", ["sweep.until=null"]), ("stopped", ["checkpoint.every=50%"])])
def test_a_run_goes_on_where_it_stood(run_cli, left, name: str, own: list[str]) -> None:
    """The one that was stopped has a thousand epochs before it, and need not save after each."""
    ended = run_cli(f"resume=outputs/{name}", *own, *exactly())
    assert ended.code == 0, ended.err
    is_end_of(f"outputs/{name}")


@pytest.mark.parametrize("name", ["shared", "halving", "study"])
def test_the_command_of_a_finished_sweep_trains_nothing_again(run_cli, left, name: str) -> None:
    before, folders = rows(f"outputs/{name}"), sorted(Path("outputs", name).iterdir())
    ids = {job["run_id"] for job in json.loads(Path("outputs", name, "sweep.json").read_text("utf-8"))["jobs"]}
    ended = run_cli(*KNOWN["commands"][name])
    assert ended.code == 0, ended.err
    assert rows(f"outputs/{name}") == before
    assert [path for path in sorted(Path("outputs", name).iterdir()) if path.is_dir()] == [
        path for path in folders if path.is_dir()
    ]
    jobs = json.loads(Path("outputs", name, "sweep.json").read_text("utf-8"))["jobs"]
    assert {job["run_id"] for job in jobs} == ids
    for folder in (path for path in left if path.startswith(f"outputs/{name}/")):
        is_end_of(folder)


def test_a_sweep_of_paused_runs_goes_on(run_cli, left) -> None:
    ended = run_cli(*KNOWN["commands"]["half"], *exactly())
    assert ended.code == 0, ended.err
    runs = [path for path in left if path.startswith("outputs/half/")]
    assert len(runs) == 2
    for folder in runs:
        is_end_of(folder)


@pytest.mark.parametrize("name", ["finished", "paused", "stopped", "shared", "half", "halving", "study"])
def test_the_report_reads_it(run_cli, left, name: str) -> None:
    ended = run_cli(f"outputs/{name}", "--json", "report.json", command="report")
    assert ended.code == 0, ended.err
    assert json.loads(Path("report.json").read_text("utf-8"))


def test_a_sweep_grows(run_cli, left) -> None:
    """One more value: the runs that are there are skipped, and one is made."""
    before = rows("outputs/shared")
    command = [word.replace("seed=0,1", "seed=0,1,2") for word in KNOWN["commands"]["shared"]]
    ended = run_cli("sweep.share=false", *command)
    assert ended.code == 0, ended.err
    after = rows("outputs/shared")
    assert {path: after[path] for path in before} == before
    assert len(after) == len(before) + 2
