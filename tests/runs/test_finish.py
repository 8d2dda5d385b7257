"""Every end of a run that began is written down, and told in one paragraph."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from lrsched.errors import NotFinite
from lrsched.records import RunFolder
from lrsched.runs.finish import advised
from tests.helpers.bugs import bug
from tests.helpers.cli import TINY

RUN = (*TINY, "trainer.log_every=1st", "logger=none", "name=run")
RESUME = "lrsched train resume=outputs/run"


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (
            OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "somewhere"),
            6,
            f"No space left on device: somewhere; {RESUME}",
        ),
        (OSError("without a number"), 6, "without a number; "),
        (MemoryError(), 1, "out of memory"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), 1, "out of memory: DefaultCPUAllocator"),
        (KeyboardInterrupt(), 130, f"interrupted; go on with: {RESUME}"),
        (NotFinite("train/loss is nan at step 3"), 3, "train/loss is nan at step 3; "),
        (KeyError("bug"), 1, "KeyError: 'bug'. This is a bug of ours; the traceback is in outputs/run/train.log"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, BaseException) else "",
)
def test_a_failure_has_a_result(run_cli, monkeypatch, error, code, message) -> None:
    bug(monkeypatch, error, after=3)
    ended = run_cli(*RUN)
    result = ended.result()
    assert ended.code == code
    assert message.split("; lrsched")[0] in ended.err
    assert "Traceback" not in ended.err
    assert (result["status"], result["step"]) == ("failed", 4)
    assert result["ended"] == ("diverged" if isinstance(error, NotFinite) else "error")
    assert result["reason"].startswith(type(error).__name__)
    assert "Traceback" in Path("outputs/run/train.log").read_text("utf-8")


@pytest.mark.parametrize("fails", [False, True])
def test_a_disk_that_is_full_at_the_very_end_is_a_6_and_no_traceback(run_cli, monkeypatch, fails: bool) -> None:
    from lrsched.runs import finish as ending

    def full(path: Path, content: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    if fails:
        bug(monkeypatch, OSError(errno.ENOSPC, os.strerror(errno.ENOSPC)))
    monkeypatch.setattr(ending, "write_json", full)
    ended = run_cli(*RUN)
    assert ended.code == 6
    assert "No space left on device: outputs/run/result.json; the run is" in ended.err
    assert "go on with: lrsched train resume=outputs/run" in ended.err
    assert "Traceback" not in ended.err
    monkeypatch.undo()
    os.chdir(ended.cwd)


def test_a_log_that_cannot_be_written_makes_no_noise(run_cli, monkeypatch) -> None:
    import logging

    def full(self: logging.FileHandler, record: logging.LogRecord) -> None:
        try:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError:
            self.handleError(record)

    monkeypatch.setattr(logging.FileHandler, "emit", full)
    ended = run_cli(*RUN)
    assert (ended.code, ended.err) == (0, "")


@pytest.mark.parametrize(
    ("spoil", "code"),
    [
        (lambda folder: (folder / "metrics.jsonl").write_bytes(b""), 4),
        (lambda folder: (folder / "config.yaml").write_text("- no\n- config\n"), 4),
        (lambda folder: [path.unlink() for path in folder.glob("checkpoints/*/state.pt")], 4),
    ],
    ids=["rows", "config", "checkpoints"],
)
def test_what_cannot_go_on_is_left_as_it_is(run_cli, monkeypatch, spoil, code) -> None:
    with monkeypatch.context() as patch:
        bug(patch, KeyError("bug"), after=3)
        assert run_cli(*RUN, "checkpoint.every=2st").code == 1
    folder = Path("outputs/run")
    spoil(folder)
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    ended = run_cli("resume=outputs/run")
    assert ended.code == code
    assert {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()} == before
    assert json.loads(before[folder / "result.json"])["status"] == "failed"


@pytest.mark.parametrize("tried", [False, True])
def test_passing_over_batches_is_proposed_until_it_was_tried(tmp_path: Path, tried: bool) -> None:
    error = NotFinite("train/loss is nan").advised("the words do not matter", tried=tried)
    assert error.advised("nor those of later advice").tried is tried
    assert ("on_nonfinite=skip" in str(advised(error, RunFolder(tmp_path)))) is not tried
