"""Another machine, another torch, other threads: the bits would differ, and nobody is to be told otherwise."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from lrsched.checkpoint.manifest import written
from tests.helpers.cli import TINY
from tests.runs.test_resume import stop_at

RUN = (*TINY, "trainer.epochs=4", "logger=none", "trainer.log_every=1st", "name=run")
RESUME = "resume=outputs/run"


@pytest.fixture
def cut(run_cli, monkeypatch) -> Path:
    with monkeypatch.context() as patch:
        stop_at(patch, 7)
        assert run_cli(*RUN).code == 143
    return Path("outputs/run")


def made_with(folder: Path, **items: object) -> None:
    """As if the checkpoints had been made elsewhere."""
    for path in folder.glob("checkpoints/*/manifest.json"):
        manifest = json.loads(path.read_text())
        manifest["fingerprint"] |= items
        path.write_bytes(written(manifest))


def test_each_difference_is_named_and_nothing_is_changed(run_cli, cut) -> None:
    made_with(cut, torch="2.10.0", isa="AVX2")
    before = {path: path.read_bytes() for path in cut.rglob("*") if path.is_file()}
    ended = run_cli(RESUME)
    assert ended.code == 4
    here = torch.backends.cpu.get_cpu_capability()
    assert f"torch 2.10.0 -> {torch.__version__}, isa AVX2 -> {here}" in ended.err
    assert "would not be bit-exact; go on all the same with checkpoint.inexact=true" in ended.err
    assert {path: path.read_bytes() for path in cut.rglob("*") if path.is_file()} == before


def test_what_an_override_can_make_equal_is_offered_and_works(run_cli, cut) -> None:
    refused = run_cli(RESUME, "threads=2")
    assert refused.code == 4
    assert "threads 1 -> 2; the continuation would not be bit-exact; give threads=1 for the same bits" in refused.err
    ended = run_cli(RESUME, "threads=1")
    assert (ended.code, ended.result()["inexact"]) == (0, [])


def test_inexact_goes_on_and_is_remembered_for_ever(run_cli, cut, monkeypatch) -> None:
    made_with(cut, bits=0)
    with monkeypatch.context() as patch:
        stop_at(patch, 11)
        ended = run_cli(RESUME, "checkpoint.inexact=true")
    assert ended.code == 143
    assert "from step 8 on not bit-exact: bits 0 -> 1" in ended.err
    assert "from step 8 on not bit-exact" in (cut / "train.log").read_text("utf-8")
    once = ended.result()["inexact"]
    assert [(item["at"], list(item["differences"])) for item in once] == [(8, ["bits"])]
    ended = run_cli(RESUME)  # made here now: exact again, but the past stays what it was
    assert (ended.code, ended.result()["inexact"]) == (0, once)
    made_with(cut, threads=9)
    (cut / "result.json").unlink()
    assert run_cli(RESUME).code == 4  # the permission was for one command


def test_another_version_that_comes_to_the_same_bits_is_no_difference(run_cli, cut) -> None:
    """0.1.0 wrote its version and no number of its bits: it counts as 1."""
    for path in cut.glob("checkpoints/*/manifest.json"):
        manifest = json.loads(path.read_text())
        manifest["fingerprint"]["lrsched"] = "0.1.0"
        del manifest["fingerprint"]["bits"]
        path.write_bytes(written(manifest))
    ended = run_cli(RESUME)
    assert (ended.code, ended.result()["inexact"]) == (0, [])
