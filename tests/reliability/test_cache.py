"""Builds of a decoded cache that are killed, that meet one another, and that a sweep's processes share."""

from __future__ import annotations

import json
import random
import threading
from functools import partial
from pathlib import Path

import pytest

from tests.helpers.compare_runs import differences
from tests.helpers.faults import trust
from tests.helpers.runs import KILLED, Running, folder

pytestmark = pytest.mark.slow

TRUST = partial(trust, "tests.helpers.items")
SAMPLES = 300
NODE = f"{{_target_: tests.helpers.items.Slow, samples: {SAMPLES}}}"
WORDS = (
    *("dataset=torch", f"dataset.train={NODE}", "dataset.cache=true", "model=mlp", "name=run"),
    *("trainer.progress=false", "threads=1", "logger=none", "trainer.epochs=1", "dataset.batch_size=16"),
)
KILLS = 12


def files(cache: Path) -> dict[str, bytes]:
    """What lies in a folder of caches, locks apart."""
    found = {str(path.relative_to(cache)): path for path in cache.rglob("*") if path.is_file() and path.name != ".lock"}
    return {name: path.read_bytes() for name, path in sorted(found.items())}


@pytest.mark.parametrize("workers", [0, 2])
def test_killed_at_random_a_build_is_begun_anew_and_never_half_used(tmp_path: Path, workers: int) -> None:
    words = (*WORDS, f"dataset.workers={workers}")
    ended = Running(tmp_path / "whole", (*words, f"dataset.cache_root={tmp_path}/a"), [TRUST]).end()
    assert ended.code == 0, ended.said
    cache, draw, kills, halves, number = tmp_path / "b", random.Random(workers), 0, 0, 0
    while kills < KILLS or halves < KILLS // 2:
        number += 1
        assert number < 80
        killed = Running(tmp_path / f"cut{number}", (*words, f"dataset.cache_root={cache}"), [TRUST])
        code = killed.kill_after(draw.uniform(0.05, 1.2)).code
        assert code in (0, KILLED)
        kills += code == KILLED
        halves += bool(list(cache.glob("*/making")))
        if list(cache.glob("*/decoded")):  # whole: begin anew
            assert files(cache) == files(tmp_path / "a")
            for path in sorted(cache.rglob("*"), reverse=True):
                path.rmdir() if path.is_dir() else path.unlink()
    ended = Running(tmp_path / "last", (*words, f"dataset.cache_root={cache}"), [TRUST]).end()
    assert ended.code == 0, ended.said
    assert files(cache) == files(tmp_path / "a")
    assert differences(folder(tmp_path / "whole"), folder(tmp_path / "last")) == []


def test_runs_that_begin_at_once_decode_once_and_agree(tmp_path: Path) -> None:
    words = (*WORDS, f"dataset.cache_root={tmp_path}/cache", "dataset.workers=0")
    runs = [Running(tmp_path / str(number), words, [TRUST]) for number in range(3)]
    ended = [run.end() for run in runs]
    assert [each.code for each in ended] == [0, 0, 0], ended
    waited = sum("waits for another process to decode it" in each.said for each in ended)
    assert waited == 2
    for number in (1, 2):
        assert differences(folder(tmp_path / "0"), folder(tmp_path / str(number))) == []


def test_a_build_that_another_one_waits_for_may_be_killed(tmp_path: Path) -> None:
    words = (*WORDS, f"dataset.cache_root={tmp_path}/cache", "dataset.workers=0")
    first = Running(tmp_path / "0", words, [TRUST])
    begun = threading.Event()
    for _ in range(400):
        if list((tmp_path / "cache").glob("*/making")):
            break
        begun.wait(0.02)
    second = Running(tmp_path / "1", words, [TRUST])
    assert first.kill_after(0.3).code == KILLED
    ended = second.end()
    assert ended.code == 0, ended.said
    assert not list((tmp_path / "cache").glob("*/making"))


def test_the_processes_of_a_sweep_share_one(run_cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("LRSCHED_TRUST", "tests.helpers.items")
    monkeypatch.setenv("LRSCHED_CACHE", "cache")
    words = [word for word in WORDS if not word.startswith("name=")]
    swept = run_cli("-m", *words, "scheduler=cosine,wsd", "seed=0,1", "name=sweep", "sweep.jobs=2")
    assert swept.code == 0, swept.err
    again = run_cli("-m", *words, "scheduler=cosine,wsd", "seed=0,1", "name=again", "sweep.jobs=2")
    assert again.code == 0, again.err
    assert len(list(Path("cache").iterdir())) == 1
    swept_to, again_to = (sorted(Path("outputs", name).glob("*/result.json")) for name in ("sweep", "again"))
    assert len(swept_to) == len(again_to) == 4
    for one, other in zip(swept_to, again_to, strict=True):
        assert json.loads(one.read_bytes())["weights_sha256"] == json.loads(other.read_bytes())["weights_sha256"]
