"""The summary of finished and of failed runs."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from lrsched.loggers.base import RunInfo
from lrsched.loggers.summary import summary
from lrsched.loggers.tensorboard import TensorBoard

FAILED = {
    "status": "failed",
    "reason": "loss is nan at step 3",
    "step": 3,
    "epoch": 0.12,
    "metrics": {"val/loss": None},
    "best": None,
    "train_seconds": 75.0,
    "samples_per_second": None,
}


def test_what_was_never_measured_is_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    summary(FAILED, Path("outputs/x"), "python train.py {}".format)
    assert capsys.readouterr().out == (
        "failed: loss is nan at step 3\n"
        "  trained 0.12 epochs, 3 steps in 1:15\n"
        "  folder  outputs/x\n"
        "  resume  python train.py resume=outputs/x\n"
    )


@pytest.mark.parametrize("folder", ["outputs/a-b_c.d/1", "/tmp/with space", "/tmp/it=odd,very", "/tmp/$HOME"])
def test_the_lines_can_be_pasted(folder: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Through the shell's quoting and then Hydra's."""
    board = TensorBoard()
    board.open(RunInfo(Path(folder), {}, 1, 1, 1))
    summary(FAILED, Path(folder), "python train.py {}".format, looks=[board.look])
    *_, resume, look = capsys.readouterr().out.splitlines()
    override = shlex.split(resume)[-1]
    assert OverridesParser.create().parse_override(override).value() == folder
    assert shlex.split(look)[-2:] == ["--logdir", folder]
