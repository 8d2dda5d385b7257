"""The file of figures: several commands write it, and a damaged one is refused."""

from __future__ import annotations

import json
import multiprocessing
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lrsched.errors import ConfigError
from lrsched.fast.figures import Figures, Tried
from lrsched.fast.kept import Kept

PLAIN = {"precision": "fp32", "channels_last": False}
FIGURES = Figures(PLAIN, [Tried(PLAIN, 40.0)], 40.0, 100, "cpu")
OTHER = replace(FIGURES, chosen={**PLAIN, "channels_last": True}, ms=30.0)


def test_commands_at_once_lose_no_figures(tmp_path: Path) -> None:
    fork = multiprocessing.get_context("fork")
    commands = [fork.Process(target=Kept(tmp_path / "s").merge, args=({f"work{i}": FIGURES},)) for i in range(8)]
    for command in commands:
        command.start()
    for command in commands:
        command.join()
    assert Kept(tmp_path / "s").read() == {f"work{i}": FIGURES for i in range(8)}
    assert sorted(path.name for path in (tmp_path / "s").iterdir()) == [".fast.json.lock", "fast.json"]


def test_the_first_figures_of_a_work_count(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    assert kept.merge({"a": FIGURES}) == {"a": FIGURES}
    assert kept.merge({"a": OTHER, "b": OTHER}) == {"a": FIGURES, "b": OTHER}
    compiled = replace(FIGURES, compiled_ms=10.0, compile_seconds=5.0)
    assert kept.merge({"a": replace(OTHER, compiled_ms=1.0, compile_seconds=1.0)})["a"] == FIGURES
    assert kept.merge({"a": compiled})["a"] == compiled
    assert kept.merge({"a": replace(compiled, compiled_ms=50.0)})["a"] == compiled
    assert kept.merge({"a": FIGURES})["a"] == compiled
    assert kept.read() == {"a": compiled, "b": OTHER}


def test_nothing_is_written_into_the_folder_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text("", "utf-8")
    assert Kept(tmp_path).merge({"a": FIGURES}) == {"a": FIGURES}
    assert [path.name for path in tmp_path.iterdir()] == ["config.yaml"]


def changed(**values: Any) -> str:
    return json.dumps({"a": {**FIGURES.plain(), **values}})


DAMAGED = {
    "{": "Expecting property name",
    "[]": "fast.json=[]: must be a mapping",
    "[" * 100_000: "recursion",
    json.dumps({"a": 3}): "a=3: must be a mapping",
    json.dumps({"a": {"ms": 3}}): "a.chosen: is missing",
    changed(more=1): "a.more=1: there is no such key",
    changed(ms="fast"): "a.ms=fast: must be a number",
    changed(ms=float("nan")): "a.ms=nan: must lie between",
    changed(ms=-1.0): "a.ms=-1.0: must lie between",
    changed(threads=0): "a.threads=0: must lie between 1 and 1024",
    changed(steps_per_epoch=True): "a.steps_per_epoch=true: must be a whole number",
    changed(chosen=5): "a.chosen=5: must be a mapping",
    changed(chosen={"precision": "fp8"}): "a.chosen.precision=fp8: must be one of fp32, bf16, fp16",
    changed(chosen={"precision": "auto"}): "a.chosen.precision=auto: must be one of fp32, bf16, fp16",
    changed(chosen={"fused": "auto"}): "a.chosen.fused=auto: must be true or false",
    changed(chosen={"fused": 5}): "a.chosen.fused=5: must be true or false",
    changed(chosen={"epochs": 5}): "a.chosen.epochs=5: there is no such key",
    changed(chosen={"tf32": True}): "a.chosen.tf32=true: is an arithmetic of NVIDIA's GPUs, and this was timed on cpu",
    changed(tried=[3]): "a.tried[0]=3: must be a mapping",
    changed(tried=[{"values": {"precision": []}}]): "a.tried[0].values.precision=[]: must be text",
    changed(failed={"bf16": 3}): "a.failed.bf16=3: must be text",
    changed(compiled_ms=3.0): "a.compiled_ms=3.0: comes with compile_seconds",
    changed(compiled_ms=1e300, compile_seconds=1.0): "a.compiled_ms=1e+300: must lie between",
}


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_file_is_refused_and_stays(content: str, tmp_path: Path) -> None:
    path = tmp_path / "fast.json"
    path.write_text(content, "utf-8")
    for use in (Kept(tmp_path).read, lambda: Kept(tmp_path).merge({"b": FIGURES})):
        with pytest.raises(ConfigError) as caught:
            use()
        assert str(caught.value).startswith(f"{path}: cannot be read: ")
        assert DAMAGED[content] in str(caught.value)
        assert str(caught.value).endswith("; take it away, and what is fastest is timed anew")
        assert caught.value.exit_code == 2
    assert path.read_text("utf-8") == content


def test_what_is_no_file_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fast.json")
    with pytest.raises(ConfigError, match="is no file; take it away"):
        Kept(tmp_path).read()


def test_text_of_another_coding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "fast.json").write_bytes(b"\xff{}")
    with pytest.raises(ConfigError, match="cannot be read: 'utf-8' codec"):
        Kept(tmp_path).read()
