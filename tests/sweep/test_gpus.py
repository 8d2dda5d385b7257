"""Which GPU a job of a sweep gets; what can be known of that without one."""

from __future__ import annotations

import os

import pytest

from lrsched.config.schema import RunConfig
from lrsched.sweep.launchers.gpus import VISIBLE, gpus_for, take_gpu


@pytest.mark.parametrize(
    ("devices", "visible", "gpus"),
    [
        (["auto", "auto"], "3,5", ["3", "5"]),
        (["cuda"], "GPU-8a,GPU-9b", ["GPU-8a", "GPU-9b"]),
        (["auto"], "", []),
        (["cpu", "cpu"], "0,1", []),
        (["cpu", "auto"], "0,1", ["0", "1"]),
        (["cuda:1", "cuda:1", "cuda:0"], "0,1", [None, None]),  # two places, and each run says itself where it goes
        (["mps"], "0", []),
    ],
)
def test_one_job_a_gpu_where_a_run_may_use_one(
    monkeypatch: pytest.MonkeyPatch, devices: list[str], visible: str, gpus: list[str | None]
) -> None:
    monkeypatch.setenv(VISIBLE, visible)
    assert gpus_for([RunConfig(device=device) for device in devices]) == gpus


def test_a_job_sees_the_gpu_of_its_slot_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VISIBLE, "3,5")
    seen = []
    for slot in range(3):
        take_gpu(["3", "5"], slot)
        seen.append(os.environ[VISIBLE])
    assert seen == ["3", "5", "3"]  # sweep.jobs may ask for more jobs than there are GPUs
    take_gpu([None], 0)
    take_gpu([], 0)
    assert os.environ[VISIBLE] == "3"
