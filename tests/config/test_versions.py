"""Keys that come later and keys that move strand no run: hashes, run ids, resume and report stay what they were."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from lrsched.config import versions
from lrsched.config.digest import config_sha256
from lrsched.config.versions import as_read_now, as_written_first
from tests.helpers.cli import TINY

RUN = (*TINY, "logger=none", "name=run", "trainer.clip_norm=0.1")
LATER = {"trainer.limit_batches": None, "extra.deep.key": 3}
MOVED = {"trainer.largest": "trainer.clip_norm"}


def declare(monkeypatch: pytest.MonkeyPatch, later: dict[str, object]) -> None:
    monkeypatch.setattr(versions, "LATER", later)
    monkeypatch.setattr(versions, "BY_MAPPING", versions._by_mapping(later))


@pytest.fixture
def declared(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if two keys of today had come since: one is new, one has moved."""
    declare(monkeypatch, LATER)
    monkeypatch.setattr(versions, "MOVED", MOVED)


def as_older(folder: Path) -> None:
    """The stored config as the older version wrote it."""
    config = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
    del config["trainer"]["limit_batches"]
    config["trainer"]["largest"] = config["trainer"].pop("clip_norm")
    (folder / "config.yaml").write_text(yaml.safe_dump(config), "utf-8")


def test_a_new_key_at_its_default_is_not_hashed(declared) -> None:
    old = {"trainer": {"epochs": 2}}
    new = {"trainer": {"epochs": 2, "limit_batches": None}, "extra": {"deep": {"key": 3}}}
    assert as_written_first(new) == old
    assert config_sha256(new) == config_sha256(old)
    assert config_sha256({"trainer": {"epochs": 2, "limit_batches": 1}}) != config_sha256(old)
    assert new["trainer"] == {"epochs": 2, "limit_batches": None}  # untouched


def test_a_key_that_moved_is_hashed_and_read_at_its_old_place(declared) -> None:
    old = {"trainer": {"largest": 0.1}}
    assert as_read_now(old) == {
        "trainer": {"clip_norm": 0.1, "limit_batches": None},
        "extra": {"deep": {"key": 3}},
    }
    assert as_written_first(as_read_now(old)) == old
    assert config_sha256({"trainer": {"clip_norm": 0.1}}) == config_sha256(old)


def test_no_class_is_given_an_argument_that_it_may_not_take(monkeypatch) -> None:
    declare(monkeypatch, {"model.width": 1, "model.inner.width": 1, "scheduler.also.key": 2})
    for config in (
        {"model": {"_target_": "A"}, "scheduler": {"_target_": "B", "also": None}},
        {"model": "${other}", "scheduler": None},
    ):
        assert as_read_now(config) == config
    assert as_written_first({"model": {"_target_": "A", "width": 1}}) == {"model": {"_target_": "A"}}


def test_early_stop_start_at_its_default_is_not_hashed() -> None:
    old = {"trainer": {"early_stop": {"patience": 2}}}
    new = {"trainer": {"early_stop": {"patience": 2, "start": "0st"}}}
    assert as_read_now(old)["trainer"]["early_stop"] == new["trainer"]["early_stop"]
    assert config_sha256(new) == config_sha256(old)
    assert config_sha256({"trainer": {"early_stop": {"patience": 2, "start": "1ep"}}}) != config_sha256(old)


def test_a_declared_key_stands_for_every_name(monkeypatch) -> None:
    declare(monkeypatch, {"groups.*.on.*.key": 1})
    old = {"groups": {"a": {"on": {"x": {"own": 2}}}, "b": {"on": {"y": {"key": 3}}}, "c": None, "d": {"on": 4}}}
    new = {**old, "groups": {**old["groups"], "a": {"on": {"x": {"own": 2, "key": 1}}}}}
    assert as_written_first(new) == as_written_first(old) == old
    assert as_read_now(old) == new
    assert versions.computes_the_same_without("groups.a.on.x.key", 1)
    for key, value in (("groups.a.on.x.key", 2), ("groups.a.on.key", 1), ("groups.a.on.x.own", 1)):
        assert not versions.computes_the_same_without(key, value)


def test_a_group_that_is_not_frozen_is_hashed_as_one_of_0_1_0() -> None:
    def config(**group: object) -> dict[str, object]:
        return {"optimizer": {"_target_": "torch.optim.SGD", "groups": {"a": {"params": "b.*", **group}}}}

    assert as_written_first(config(freeze=False)) == config()
    assert as_read_now(config())["optimizer"] == config()["optimizer"]
    assert config_sha256(config(freeze=False)) == config_sha256(config()) != config_sha256(config(freeze=True))


def test_a_group_that_is_not_frozen_is_the_same_run(run_cli) -> None:
    group = "+optimizer.groups={body: {params: 'body.*', lr_scale: 0.5FREEZE}}"
    for name, freeze in (("run", ""), ("said", ", freeze: false")):
        assert run_cli(*RUN[:-2], f"name={name}", group.replace("FREEZE", freeze), "sweep.until=7").code == 0
    first, said = (json.loads(Path("outputs", name, "result.json").read_text()) for name in ("run", "said"))
    assert first["config_sha256"] == said["config_sha256"]
    frozen = run_cli("resume=outputs/run", "sweep.until=null", "+optimizer.groups.body.freeze=true")
    assert frozen.code == 2
    ended = run_cli("resume=outputs/run", "sweep.until=null", "+optimizer.groups.body.freeze=false")
    assert ended.code == 0, ended.err
    assert ended.result()["config_sha256"] == first["config_sha256"]
    for values in ("", "freeze: false"):
        swept = group.replace("FREEZE", f", {values}" if values else "")
        assert run_cli(*RUN[:-2], "name=swept", swept, "seed=0,1", "-m").code == 0
    assert len([path for path in Path("outputs/swept").iterdir() if path.is_dir()]) == 2


def test_a_run_of_0_1_0_is_read_as_a_classification_and_keeps_its_hash() -> None:
    old = {"trainer": {"label_smoothing": 0.1, "early_stop": {"mode": "min", "start": "0st"}}, "dataset": {"a": 1}}
    now = as_read_now(old)
    assert now["task"] == {"_target_": "lrsched.tasks.Classification", "label_smoothing": 0.1}
    faster = {**dict.fromkeys(("channels_last", "compile", "fused", "tf32"), False), "lanes": None}
    assert now["trainer"] == {"early_stop": {"mode": None, "start": "0st"}, "metrics": {}, **faster}
    assert {key: value for key, value in now["dataset"].items() if key != "augment"} == {
        "a": 1,
        "cache": False,
        "fold": None,
        "folds": 5,
    }
    assert config_sha256(now) == config_sha256(old)
    composed = {**now, "task": {**now["task"], "class_weights": None}}
    assert config_sha256(composed) == config_sha256(old)
    assert config_sha256({**now, "task": {"_target_": "lrsched.tasks.Regression"}}) != config_sha256(old)


def test_a_config_stays_as_it_is_while_it_is_hashed_and_read() -> None:
    later: dict[str, object] = {}
    for key, value in versions.LATER.items():
        versions._put(later, key.replace("*", "head"), value)
    moved = {"trainer": {"label_smoothing": 0.1}, "task": {"_target_": "lrsched.tasks.Classification"}}
    for config in (later, moved, {"trainer": {"early_stop": {"mode": "min"}}}, {}):
        before = json.dumps(config)
        assert "rotate" not in str(as_written_first(config))
        as_read_now(config)
        assert json.dumps(config) == before
    assert as_written_first(later) == {}  # nothing is left of mappings that hold nothing else


def test_a_foreign_class_keeps_what_only_ours_have_at_a_default() -> None:
    def config(home: str) -> dict[str, object]:
        return {"dataset": {"_target_": f"{home}.data.A", "cache": False, "fold": None}}

    assert as_written_first(config("mine")) == {"dataset": {"_target_": "mine.data.A", "cache": False}}
    assert as_written_first(config("lrsched")) == {"dataset": {"_target_": "lrsched.data.A"}}


def test_without_declared_keys_nothing_changes(monkeypatch) -> None:
    declare(monkeypatch, {})
    monkeypatch.setattr(versions, "MOVED", {})
    config = {"trainer": {"epochs": 2}, "empty": {}}
    assert as_written_first(config) == as_read_now(config) == config


def test_an_older_run_is_resumed_reported_and_keeps_its_hash(run_cli, monkeypatch) -> None:
    assert run_cli(*RUN).code == 0
    digest, weights = (
        json.loads(Path("outputs/run/result.json").read_text())[name] for name in ("config_sha256", "weights_sha256")
    )
    with monkeypatch.context() as patch:
        declare(patch, {"trainer.limit_batches": None})
        patch.setattr(versions, "MOVED", MOVED)
        assert run_cli(*RUN[:-2], "name=paused", RUN[-1], "sweep.until=7").code == 0
        older = json.loads(Path("outputs/paused/result.json").read_text())["config_sha256"]
        assert older != digest  # the older version named one key otherwise, and did not know the other
        as_older(Path("outputs/paused"))
        refused = run_cli("resume=outputs/paused", "sweep.until=null", "trainer.limit_batches=3")
        assert refused.code == 2
        assert "trainer.limit_batches=3: the run was started with null" in refused.err
        ended = run_cli("resume=outputs/paused", "sweep.until=null", "trainer.limit_batches=null")
        assert ended.code == 0, ended.err
        assert ended.result("paused")["config_sha256"] == older
        assert ended.result("paused")["weights_sha256"] == weights
        told = run_cli("outputs/paused", "--json", "report.json", command="report")
        assert told.code == 0, told.err
        assert "clip_norm" not in told.err


def test_the_jobs_of_a_sweep_keep_their_ids(run_cli, monkeypatch) -> None:
    sweep = (*RUN[:-2], "name=sweep", RUN[-1], "seed=0,1", "-m")
    declare(monkeypatch, {"trainer.limit_batches": None})
    assert run_cli(*sweep).code == 0
    ids = sorted(path.name for path in Path("outputs/sweep").iterdir() if path.is_dir())
    for name in ids:
        config = yaml.safe_load(Path("outputs/sweep", name, "config.yaml").read_text("utf-8"))
        del config["trainer"]["limit_batches"]
        Path("outputs/sweep", name, "config.yaml").write_text(yaml.safe_dump(config), "utf-8")
    before = {path: path.stat().st_mtime_ns for path in Path("outputs").rglob("result.json")}
    assert run_cli(*sweep).code == 0
    assert {path: path.stat().st_mtime_ns for path in Path("outputs").rglob("result.json")} == before
    assert len(before) == 2


def test_a_word_that_a_class_of_a_users_takes_stays_in_its_hash() -> None:
    hashes = {
        target: [config_sha256({"dataset": {"_target_": target, **more}}) for more in ({}, {"cache": False})]
        for target in ("lrsched.data.TorchDataset", "mine.Data")
    }
    ours, theirs = hashes.values()
    assert ours[0] == ours[1]
    assert theirs[0] != theirs[1]
