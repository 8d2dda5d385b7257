"""`lrsched check`: what it says is true, and it changes nothing."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lrsched.checkpoint.lock import RunLock
from tests.helpers.cli import TINY

RUN = (*TINY, "name=run", "checkpoint.every=1ep", "checkpoint.keep=3", "checkpoint.monitor=val/loss")


@pytest.fixture
def run(run_cli) -> Path:
    """A finished run of 12 steps, with checkpoints of steps 0, 6 and 12."""
    assert run_cli(*RUN).code == 0
    return Path("outputs/run")


def checkpoint(run: Path, step: int) -> Path:
    return run / "checkpoints" / f"step-{step:010d}"


def contents(folder: Path) -> dict[Path, tuple[bytes, int]]:
    """Everything in a folder, with the time of its last change."""
    return {
        path: (path.read_bytes() if path.is_file() else b"", path.lstat().st_mtime_ns)
        for path in (folder, *folder.rglob("*"))
    }


def table(out: str) -> list[list[str]]:
    """The rows of the table: step, bytes, hash, verdict."""
    return [line.split(maxsplit=3) for line in out.splitlines() if line.strip()[:1].isdigit()]


def test_a_sound_run(run_cli, run: Path) -> None:
    before = contents(run)
    ended = run_cli("outputs/run", command="check")
    assert (ended.code, ended.err) == (0, "")
    expected = []
    for step in (12, 6, 0):
        content = (checkpoint(run, step) / "state.pt").read_bytes()
        expected.append([str(step), f"{len(content):,}", hashlib.sha256(content).hexdigest()[:16], "intact"])
    assert table(ended.out) == expected
    assert "outputs/run: finished, all 12 steps are done; not in use" in ended.out
    assert f"config {json.loads((run / 'result.json').read_text())['config_sha256']}" in ended.out
    assert contents(run) == before


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize("name", ["state.pt", "manifest.json"])
def test_a_damaged_newest_checkpoint(run_cli, run: Path, name: str) -> None:
    flip(checkpoint(run, 12) / name)
    before = contents(run)
    ended = run_cli("outputs/run", command="check")
    assert ended.code == 4
    verdicts = [row[-1] for row in table(ended.out)]
    assert f"step-0000000012/{name}: damaged" in verdicts[0]
    assert verdicts[1:] == ["intact", "intact"]
    assert ended.err.startswith("lrsched: the newest checkpoint is not valid: ")
    assert ended.err.endswith("resume takes an older one\n")
    assert contents(run) == before


def test_a_damaged_older_checkpoint_is_shown_and_does_not_matter(run_cli, run: Path) -> None:
    flip(checkpoint(run, 6) / "state.pt")
    ended = run_cli("outputs/run", command="check")
    assert (ended.code, ended.err) == (0, "")
    assert ["damaged" in row[-1] for row in table(ended.out)] == [False, True, False]


def test_all_are_damaged_or_none_is_there(run_cli, run: Path) -> None:
    for step in (0, 6, 12):
        flip(checkpoint(run, step) / "state.pt")
    ended = run_cli("outputs/run", command="check")
    assert ended.code == 4
    assert "none is left to resume from" in ended.err
    for step in (0, 6, 12):
        (checkpoint(run, step) / "manifest.json").unlink()
    ended = run_cli("outputs/run", command="check")
    assert ended.code == 4
    assert "no valid checkpoint in outputs/run/checkpoints: there is none" in ended.err


def test_who_writes_there_now(run_cli, run: Path) -> None:
    with RunLock(run):
        ended = run_cli("outputs/run", command="check")
    assert ended.code == 0
    assert f"process {os.getpid()} on {os.uname().nodename} writes to it" in ended.out


def test_a_run_without_a_result_or_with_a_strangers(run_cli, run: Path) -> None:
    (run / "result.json").unlink()
    assert "outputs/run: no result yet;" in run_cli("outputs/run", command="check").out
    for content, said in (("{", "cannot be read"), ("[1]", "cannot be read"), ("[" * 100_000, "cannot be read")):
        (run / "result.json").write_text(content)
        ended = run_cli("outputs/run", command="check")
        assert ended.code == 0
        assert f"outputs/run: result.json {said};" in ended.out
    (run / "result.json").write_text(json.dumps({"status": "\x1b]0;mine\x07", "reason": "\x1b[2J\n0 1 2 intact"}))
    out = run_cli("outputs/run", command="check").out
    assert "\x1b" not in out
    assert "?[2J?0 1 2 intact" in out


def test_several_folders_and_the_highest_code_counts(run_cli, run: Path) -> None:
    ended = run_cli("outputs/run", "outputs/rum", "outputs/run", command="check")
    assert ended.code == 2
    assert ended.out.count("outputs/run: finished") == 2
    assert "RUN_FOLDER=outputs/rum: there is no such folder; did you mean outputs/run?" in ended.err
    flip(checkpoint(run, 12) / "state.pt")
    assert run_cli("outputs/run", "outputs/rum", command="check").code == 4


def test_what_is_no_run(run_cli, tmp_path: Path) -> None:
    ended = run_cli("nowhere", command="check")
    assert (ended.code, ended.out) == (2, "")
    assert "RUN_FOLDER=nowhere: there is no such folder; a run's folder holds a config.yaml" in ended.err
    (tmp_path / "sweep").mkdir()
    (tmp_path / "sweep" / "multirun.yaml").write_text("")
    ended = run_cli("sweep", command="check")
    assert ended.code == 2
    assert "is a sweep, not a run; its runs are sweep/*/" in ended.err


def test_no_folder_and_an_unknown_option(run_cli) -> None:
    for arguments in ((), ("--fast", "x")):
        ended = run_cli(*arguments, command="check")
        assert ended.code == 2
        assert "lrsched check --help shows what it takes" in ended.err


def test_help_comes_without_torch() -> None:
    code = (
        "import sys; sys.argv = ['lrsched', 'check', '--help']\n"
        "from lrsched.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: print('CODE', end.code, 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "RUN_FOLDER" in done.stdout
    assert done.stdout.splitlines()[-1] == "CODE 0 False"


def test_a_run_that_replaces_its_only_checkpoint_meanwhile_is_looked_at_again(run_cli, run: Path, monkeypatch) -> None:
    """While a run writes, an old checkpoint may be deleted between the listing and the reading of it."""
    from lrsched.cli import check

    survey, calls = check.survey, 0

    def stale(folder: Path):
        nonlocal calls
        calls += 1
        if calls > 1:
            return survey(folder)
        gone = folder / "step-0000000009"
        return [check.Checkpoint(gone, 9, {"schema": 2, "bytes": 1, "sha256": "0" * 64})]

    monkeypatch.setattr(check, "survey", stale)
    with RunLock(run):
        ended = run_cli("outputs/run", command="check")
    assert (ended.code, calls) == (0, 2), ended.err
