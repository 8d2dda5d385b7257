"""What Hydra composes from remembered files is, node by node, what it composes from files that it reads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hydra import compose, initialize_config_module
from hydra.core.config_store import ConfigStore
from hydra.errors import ConfigCompositionException
from omegaconf import Container

from lrsched.compose.hydra_setup import register
from tests.helpers.remembered_files import RememberedFiles

CASES = [
    (),
    ("scheduler=cosine", "optimizer.lr=0.3"),
    ("scheduler=torch/StepLR", "model=cnn", "seed=4"),
    ("hydra/launcher=basic", "dataset=digits", "hydra.job.chdir=true"),
    ("+notes.mine=3",),
    ("~model.dropout",),
]


def composed(*overrides: str) -> Any:
    register()
    with initialize_config_module("lrsched.conf", version_base="1.3"):
        return compose("config", list(overrides), return_hydra_config=True)


def nodes(node: Any, where: str = "") -> Iterator[tuple[str, str, str, str]]:
    """Every node of a config with its type, its flags and its value; the time of day is left out."""
    content = node._content if isinstance(node, Container) else node._value()
    held = isinstance(content, (dict, list))
    about = re.sub(r"'\d\d-\d\d-\d\d'", "now", repr(node._metadata))
    yield where, type(node).__name__, about, "" if held else repr(content)
    if held:
        for key, value in content.items() if isinstance(content, dict) else enumerate(content):
            assert value._get_parent() is node
            yield from nodes(value, f"{where}.{key}")


@pytest.mark.parametrize("overrides", CASES, ids=" ".join)
def test_a_remembered_config_is_the_one_that_was_read(
    remembered_files: RememberedFiles, monkeypatch: pytest.MonkeyPatch, overrides: tuple[str, ...]
) -> None:
    first, again = (list(nodes(composed(*overrides))) for _ in range(2))
    monkeypatch.setattr(remembered_files, "on", False)
    read = list(nodes(composed(*overrides)))
    assert len(read) > 150
    assert first == read
    assert again == read


def test_a_choice_that_is_not_there_is_refused_again_and_again() -> None:
    for _ in range(3):
        with pytest.raises(ConfigCompositionException, match="Could not override 'scheduler@mine'"):
            composed("scheduler@mine=cosine")


def test_what_is_stored_later_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    store = ConfigStore.instance()
    monkeypatch.setattr(store, "repo", {**store.repo, "model": dict(store.repo.get("model", {}))})
    for value in (1, 2):
        store.store("stored", {"hidden": value}, group="model", provider="test")
        assert composed("model=stored")["model"]["hidden"] == value


def test_files_elsewhere_are_read_each_time(run_cli, tmp_path: Path) -> None:
    (tmp_path / "mine" / "model").mkdir(parents=True)
    for value in (10, 20):
        (tmp_path / "mine" / "model" / "mine.yaml").write_text(f"_target_: lrsched.models.MLP\nhidden: [{value}]\n")
        ended = run_cli("--config-dir=mine", "model=mine", "--cfg", "job")
        assert f"- {value}\n" in ended.out


def test_a_folder_elsewhere_is_known_by_what_it_holds(run_cli, tmp_path: Path) -> None:
    words = ("model=mine", "--cfg", "job")
    for folder, value in (("one", 10), ("two", 10), ("three", 20)):
        (tmp_path / folder / "model").mkdir(parents=True)
        (tmp_path / folder / "model" / "mine.yaml").write_text(f"_target_: lrsched.models.MLP\nhidden: [{value}]\n")
        assert f"- {value}\n" in run_cli(f"--config-dir={folder}", *words).out
    (tmp_path / "one" / "model" / "mine.yaml").rename(tmp_path / "one" / "model" / "other.yaml")
    assert run_cli("--config-dir=one", *words).code == 2
    for number in range(40):
        (tmp_path / "two" / f"{number}").touch()
    assert "- 10\n" in run_cli("--config-dir=two", *words).out
