"""How threads wait: what the command line says to OpenMP, before torch is loaded."""

from __future__ import annotations

import os
import re
import subprocess
import sys

import pytest

from lrsched.machine.waiting import SHORT, wait_shortly


@pytest.mark.parametrize(
    ("given", "added"),
    [
        ({}, SHORT),
        ({"OMP_NUM_THREADS": "2"}, SHORT),
        ({"OMP_WAIT_POLICY": "active"}, {}),
        ({"GOMP_SPINCOUNT": "100000"}, {}),
        ({"OMP_WAIT_POLICY": ""}, {}),
    ],
    ids=str,
)
def test_what_the_user_says_stays(given: dict[str, str], added: dict[str, str]) -> None:
    environment = dict(given)
    wait_shortly(environment)
    assert environment == given | added


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="torch has GNU's OpenMP on Linux")
@pytest.mark.parametrize(("given", "seen"), [({}, "1000"), ({"GOMP_SPINCOUNT": "77"}, "77")], ids=str)
def test_openmp_has_read_it_when_torch_is_there(tmp_path, given: dict[str, str], seen: str) -> None:
    kept = {name: value for name, value in os.environ.items() if name not in SHORT}
    words = ["dataset=synthetic", "dataset.samples=120", "trainer.steps=1", "logger=none", "trainer.progress=false"]
    ended = subprocess.run(
        [sys.executable, "-m", "lrsched", "train", *words],
        cwd=tmp_path,
        env={**kept, "OMP_DISPLAY_ENV": "verbose", **given},
        capture_output=True,
        text=True,
        check=True,
    )
    assert re.findall(r"GOMP_SPINCOUNT = '(\d+)'", ended.stderr) == [seen]
