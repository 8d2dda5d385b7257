"""A run over items that draw at random, killed in the middle of an epoch and resumed, whoever makes the items."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.compare_runs import differences
from tests.helpers.faults import trust
from tests.helpers.runs import Running, folder
from tests.reliability.test_pairs import cut

TRUST = partial(trust, "tests.helpers.items")
ROOT = Path(__file__).parents[2]
WORDS = (
    *("dataset=torch", "dataset.train={_target_: tests.helpers.items.Draws, samples: 200}", "model=mlp"),
    *("trainer.progress=false", "threads=1", "logger=[csv]", "trainer.epochs=3", "trainer.log_every=1st"),
    *("trainer.evaluate_every=4st", "checkpoint.every=1st", "dataset.batch_size=16"),
)


CACHES = {"no cache": (), "cache": ("dataset.cache=true", "dataset.cache_root=cache")}


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 1, 2, 4])
@pytest.mark.parametrize("cache", CACHES)
@pytest.mark.parametrize("steps", [[13], [11, 12, 14]], ids=["once", "twice"])
def test_killed_in_the_middle_of_an_epoch(tmp_path: Path, workers: int, cache: str, steps: list[int]) -> None:
    """Nine updates an epoch; killed after the saves at 13, or at 11 and 14 and stopped by a signal at 12."""
    words = (*WORDS, *CACHES[cache], "name=run", f"dataset.workers={workers}")
    whole = Running(tmp_path / "whole", words, [TRUST])
    cut(tmp_path / "cut", words, steps, first_way=1, beside=[TRUST])
    ended = whole.end()
    assert ended.code == 0, ended.said
    assert differences(folder(tmp_path / "whole"), folder(tmp_path / "cut")) == []


CHANGED = "crop: 1, flip: true, rotate: 10, scale: 0.1, contrast: 0.3, hue: 0.1, erase: 0.25, mixup: 0.2, cutmix: 1"


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_changed_images_killed_twice_in_one_epoch(tmp_path: Path, workers: int) -> None:
    photos = ("dataset.train={_target_: tests.helpers.items.Photos, samples: 200}", f"dataset.augment={{{CHANGED}}}")
    words = (*WORDS, *photos, "name=run", "trainer.accumulate=2", "dataset.batch_size=8", f"dataset.workers={workers}")
    whole = Running(tmp_path / "whole", words, [TRUST])
    cut(tmp_path / "cut", words, [11, 12, 14], first_way=1, beside=[TRUST])
    ended = whole.end()
    assert ended.code == 0, ended.said
    assert differences(folder(tmp_path / "whole"), folder(tmp_path / "cut")) == []


@pytest.mark.slow
@pytest.mark.parametrize("cache", CACHES)
def test_other_workers_from_the_middle_of_an_epoch_on_make_the_same_rows(run_cli, monkeypatch, cache: str) -> None:
    """Other workers decode, too: each run has a cache of its own."""
    monkeypatch.setenv("LRSCHED_TRUST", "tests.helpers.items")
    words = (*WORDS, *CACHES[cache][:1])
    monkeypatch.setenv("LRSCHED_CACHE", "whole")
    assert run_cli(*words, "name=whole", "dataset.workers=0").code == 0
    for name, first, then in (("a", 2, 4), ("b", 4, 0), ("c", 0, 1), ("d", 1, 2)):
        monkeypatch.setenv("LRSCHED_CACHE", f"{name}{first}")
        assert run_cli(*words, f"name={name}", f"dataset.workers={first}", "sweep.until=12").code == 0
        monkeypatch.setenv("LRSCHED_CACHE", f"{name}{then}")
        ended = run_cli(f"resume=outputs/{name}", "sweep.until=null", f"dataset.workers={then}")
        assert ended.code == 0, ended.err
        assert ended.rows(name) == ended.rows("whole")
        assert ended.result(name)["weights_sha256"] == ended.result("whole")["weights_sha256"]


@pytest.mark.slow
def test_a_signal_to_the_whole_group_saves_and_leaves_no_worker(tmp_path: Path) -> None:
    """As a cluster's or a terminal's: the workers live until the process that trains is at rest."""
    words = (*WORDS, "name=run", "dataset.workers=2", "trainer.epochs=2000", "checkpoint.every=auto")
    command = [sys.executable, "-m", "lrsched", "train", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "LRSCHED_TRUST": "tests.helpers.items"}
    child = subprocess.Popen(
        command, cwd=tmp_path, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    rows = tmp_path / "outputs" / "run" / "metrics.jsonl"
    for _ in range(600):
        if rows.exists() and rows.stat().st_size:
            break
        time.sleep(0.1)
    os.killpg(child.pid, signal.SIGTERM)
    said = child.communicate(timeout=60)[1]
    assert child.returncode == 128 + signal.SIGTERM, said
    assert "stopped by SIGTERM" in said
    with pytest.raises(ProcessLookupError):
        os.killpg(child.pid, 0)
