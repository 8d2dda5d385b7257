"""Keys that take a word beside their type read a text as keys with a type do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

import lrsched
from lrsched.compose.nodes import plain
from lrsched.config.given import NOTHING
from lrsched.config.settings import settings
from lrsched.errors import ConfigError
from lrsched.python.words import config_of

FLAGS = ("channels_last", "compile", "fused", "tf32", "keep_memory")
WORDS = ("dataset=digits", "model=mlp", "logger=none", "trainer.progress=false", "name=run")


def config(*words: str) -> dict[str, Any]:
    return plain(config_of([*WORDS, *words], NOTHING, None))


@pytest.mark.parametrize("text", ["TRUE", "off", "1", "0"])
def test_a_flag_is_read_as_one_that_has_a_type_of_omegaconf(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LRSCHED_TEST_TEXT", text)
    words = [f"trainer.{name}=${{oc.env:LRSCHED_TEST_TEXT}}" for name in (*FLAGS, "deterministic")]
    found = config(*words, "threads='4'")
    assert found["trainer"]["deterministic"] is (text in ("TRUE", "1"))
    assert all(found["trainer"][name] is found["trainer"]["deterministic"] for name in FLAGS)
    assert settings(found).threads == 4


def test_another_text_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"trainer.compile=perhaps: must be true, false or auto"):
        settings(config("trainer.compile=perhaps"))


def test_a_run_goes_on_with_the_same_value_as_text(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LRSCHED_TEST_TEXT", "true")
    monkeypatch.setenv("LRSCHED_TEST_NUMBER", "1")
    lrsched.run([*WORDS, "trainer.steps=2", "sweep.until=1", "trainer.fused=true", "threads=1"])
    words = ["trainer.fused=${oc.env:LRSCHED_TEST_TEXT}", "threads=${oc.env:LRSCHED_TEST_NUMBER}"]
    rest = lrsched.run(["resume=outputs/run", "sweep.until=null", *words])
    assert rest.result["status"] == "finished"
