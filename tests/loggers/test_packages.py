"""W&B and MLflow themselves: what they keep of a run that is killed and resumed, of a sweep, and of secrets."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import sqlite3
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from lrsched.loggers import MLflow, RunInfo
from tests.helpers.cli import TINY, Ended
from tests.helpers.failpoints import DIED
from tests.helpers.wandb_files import described, history, segments

ROOT = Path(__file__).resolve().parents[2]
SECRET = "geheim-0123456789"

GUARDED = """
import socket, sys
connect = socket.socket.connect
def guarded(self, address):
    if self.family in (socket.AF_INET, socket.AF_INET6) and address[0] not in ("127.0.0.1", "::1", "localhost"):
        open("touched", "a").write(repr(address))
        raise OSError("no network here")
    return connect(self, address)
socket.socket.connect = guarded
if int(sys.argv[1]):
    from tests.helpers.failpoints import die
    die("row", "after", int(sys.argv[1]))
sys.argv = ["lrsched", "train", *sys.argv[2:]]
from lrsched.cli.main import main
main()
"""
"""A command that may not reach another machine, and that dies after so many rows (0: never)."""

RUN = (*TINY, "trainer.log_every=1st", "checkpoint.every=4st", "trainer.evaluate_every=4st")  # 12 updates


def needs(package: str) -> None:
    if importlib.util.find_spec(package) is None:
        pytest.skip(f"no {package}: its tracker needs the extra `{package}`")


@pytest.fixture
def asked() -> Iterator[tuple[int, list[Any]]]:
    """A port at which every proxy points, and what connected to it."""
    found: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def wait() -> None:
            while True:
                try:
                    connection, address = server.accept()
                except OSError:
                    return
                found.append(address)
                connection.close()

        threading.Thread(target=wait, daemon=True).start()
        yield server.getsockname()[1], found
        server.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def run_guarded(tmp_path: Path, asked: tuple[int, list[Any]]) -> Iterator[Any]:
    port, connected = asked
    proxies = dict.fromkeys(("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"), f"http://127.0.0.1:{port}")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "MLFLOW_"))}
    kept |= proxies | {
        "HOME": str(tmp_path / "home"),
        "OMP_NUM_THREADS": "1",
        "MY_KEY": SECRET,
        "PYTHONPATH": str(ROOT),
    }
    (tmp_path / "home").mkdir()
    rows = "".join(f"{number % 7},{number % 3}\n" for number in range(200))
    (tmp_path / SECRET).write_text(f"x,y\n{rows}")

    def call(*words: str, dies: int = 0) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", GUARDED, str(dies), *words]
        done = subprocess.run(command, cwd=tmp_path, env=kept, capture_output=True, text=True, timeout=300)
        assert done.returncode == (DIED if dies else 0), done.stderr
        assert "warning: logger" not in done.stderr
        assert "INFO" not in done.stderr
        return done

    yield call
    assert not (tmp_path / "touched").exists()
    assert connected == []
    for file in tmp_path.rglob("*"):
        assert not file.is_symlink()
        if file.is_file():
            assert SECRET.encode() not in file.read_bytes(), file


def wanted(folder: Path) -> Counter[tuple[int, str]]:
    """Each point of ``metrics.jsonl``, once."""
    rows = [json.loads(line) for line in (folder / "metrics.jsonl").read_text("utf-8").splitlines()]
    return Counter((row["step"], name) for row in rows for name in row if name not in ("step", "epoch"))


def interrupted(run_guarded: Any, logger: str) -> None:
    """Die twice after rows beyond a checkpoint, then end."""
    secret = ("dataset=table", "dataset.path=${oc.env:MY_KEY}", "dataset.target=y", "task=regression")
    run_guarded(*secret, *RUN[-4:], "trainer.steps=12", "name=run", f"logger=[{logger}]", dies=8)
    run_guarded("resume=outputs/run", secret[1], dies=4)
    run_guarded("resume=outputs/run", secret[1])


@pytest.mark.slow
def test_wandb_has_each_point_of_a_killed_and_resumed_run_once(tmp_path: Path, run_guarded: Any) -> None:
    needs("wandb")
    interrupted(run_guarded, "wandb")
    folder = tmp_path / "outputs" / "run"
    assert len(segments(folder)) == 3
    ((id, group, name, project),) = set(described(folder))
    assert (id, group, name, project) == (json.loads((folder / "wandb.json").read_text())["id"], "", "run", "lrsched")
    found = Counter((step, name) for step, name, _ in history(folder) if name != "epoch")
    assert found == wanted(folder)


@pytest.mark.slow
def test_mlflow_has_each_point_of_a_killed_and_resumed_run_once(tmp_path: Path, run_guarded: Any) -> None:
    needs("mlflow")
    interrupted(run_guarded, "mlflow")
    folder = tmp_path / "outputs" / "run"
    with sqlite3.connect(tmp_path / "outputs" / "mlflow.db") as base:
        points = base.execute("select step, key, value from metrics where key != 'epoch'").fetchall()
        runs = base.execute("select run_uuid, status, name from runs").fetchall()
        parameters = dict(base.execute("select key, value from params").fetchall())
    assert runs == [(json.loads((folder / "mlflow.json").read_text())["id"], "FINISHED", "run")]
    found = Counter((step, name) for step, name, _ in points if not name.startswith(("test/", "best/")))
    assert found == wanted(folder)
    result = json.loads((folder / "result.json").read_text("utf-8"))
    finals = {name: value for _, name, value in points if name.startswith("test/")}
    assert finals == {name: value for name, value in result["metrics"].items() if name.startswith("test/")}
    assert parameters["dataset.path"] == "${oc.env:MY_KEY}"
    assert parameters["scheduler._target_"] == "lrsched.schedules.Cosine"


@pytest.mark.slow
def test_the_runs_of_a_sweep_are_grouped(tmp_path: Path, run_guarded: Any) -> None:
    needs("wandb")
    needs("mlflow")
    run_guarded("-m", *RUN, "seed=0,1", "name=both", "logger=[wandb,mlflow]")
    sweep = tmp_path / "outputs" / "both"
    folders = [path for path in sweep.iterdir() if (path / "config.yaml").is_file()]
    told = [line for folder in folders for line in described(folder)]
    assert len({id for id, *_ in told}) == 2
    assert {(group, name) for _, group, name, _ in told} == {("both", folder.name) for folder in folders}
    with sqlite3.connect(tmp_path / "outputs" / "mlflow.db") as base:
        query = "select experiments.name, runs.name from runs join experiments using (experiment_id)"
        assert set(base.execute(query)) == {("both", folder.name) for folder in folders}


@pytest.mark.slow
def test_a_value_that_a_resume_changed_is_a_tag_of_mlflow(tmp_path: Path, run_guarded: Any) -> None:
    needs("mlflow")
    run_guarded(*RUN, "name=run", "logger=mlflow", "sweep.until=4")
    run_guarded("resume=outputs/run", "sweep.until=null", "optimizer.lr=0.02", "checkpoint.allow_change=[optimizer.lr]")
    with sqlite3.connect(tmp_path / "outputs" / "mlflow.db") as base:
        tags = dict(base.execute("select key, value from tags where key like 'changed/%'").fetchall())
    assert tags["changed/optimizer.lr"] == "0.02"


def test_a_database_in_a_folder_that_its_address_would_cut_short_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    needs("mlflow")
    MLflow().open(RunInfo(tmp_path / "what?" / "run", {}, 8, 4, 8))
    (said,) = capsys.readouterr().err.splitlines()
    assert "is in a folder with a ? in its name; give sqlite:///FILE" in said
    assert not list(tmp_path.iterdir())


BAD = {
    "a folder of mlflow": (("logger=mlflow", "logger.mlflow.uri=./mlruns"), "logger.mlflow.uri=", "sqlite:///outputs"),
    "a file address": (("logger=mlflow", "logger.mlflow.uri=file:///x"), "logger.mlflow.uri=", "sqlite:///outputs"),
    "no address": (("logger=mlflow", "logger.mlflow.uri=''"), "logger.mlflow.uri=", "null for this"),
    "a number for one": (("logger=mlflow", "logger.mlflow.uri=3"), "logger.mlflow.uri", ""),
    "an empty experiment": (
        ("logger=mlflow", "logger.mlflow.experiment=' '"),
        "logger.mlflow.experiment",
        "give a name",
    ),
    "an unknown key of mlflow": (("logger=mlflow", "+logger.mlflow.url=x"), "logger.mlflow.url", "uri"),
    "a misspelt key of mlflow": (
        ("logger=mlflow", "logger.mlflow.experimnt=x"),
        "logger.mlflow.experimnt",
        "experiment",
    ),
    "a project with a slash": (
        ("logger=wandb", "logger.wandb.project=a/b"),
        "logger.wandb.project=a/b",
        "another name",
    ),
    "an empty project": (("logger=wandb", "logger.wandb.project=''"), "logger.wandb.project=", "another name"),
    "a long project": (("logger=wandb", f"logger.wandb.project={'x' * 129}"), "logger.wandb.project=", "another name"),
    "a null project": (("logger=wandb", "logger.wandb.project=null"), "logger.wandb.project", ""),
    "an unknown key of wandb": (("logger=wandb", "+logger.wandb.mode=online"), "logger.wandb.mode", "project"),
    "an unknown logger": (("logger=wandbb",), "logger", "wandb"),
    "one of two is unknown": (("logger=[wandb,mlfow]",), "logger", "mlflow"),
    "a foreign class": (("logger=wandb", "logger.wandb._target_=wandb.init"), "logger.wandb._target_", "LRSCHED_TRUST"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_one_message_and_leaves_nothing(run_cli, case: str) -> None:
    words, key, remedy = BAD[case]
    needs("mlflow" if "mlflow" in words[0] else "wandb")
    ended: Ended = run_cli(*TINY, "name=run", *words)
    assert (ended.code, ended.out) == (2, "")
    assert "Traceback" not in ended.err
    assert key in ended.err
    assert remedy in ended.err
    assert not (ended.cwd / "outputs").exists()


@pytest.mark.parametrize("package", ["wandb", "mlflow"])
def test_a_tracker_whose_package_is_missing_is_refused(run_cli, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lrsched.loggers._tracker.find_spec", lambda name: None)
    ended: Ended = run_cli(*TINY, "name=run", f"logger={package}")
    assert ended.code == 2
    assert f"logger={package}: needs the package {package}, which is not installed; pip install" in ended.err
    assert f"hydra-lrsched[{package}]" in ended.err
    assert not (ended.cwd / "outputs").exists()


@pytest.mark.parametrize("package", ["wandb", "mlflow"])
def test_a_tracker_that_cannot_be_imported_harms_no_run(run_cli, package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    needs(package)
    for name in [package, *(name for name in sys.modules if name.startswith(f"{package}."))]:
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.setattr("lrsched.loggers._tracker.find_spec", lambda name: True)
    ended: Ended = run_cli(*TINY, "name=run", f"logger={package}", "trainer.epochs=1")
    assert ended.code == 0
    (warned,) = [line for line in ended.err.splitlines() if "warning" in line]
    assert warned.startswith(f"lrsched: warning: logger.{package}: ModuleNotFoundError")
    assert ended.result()["status"] == "finished"
