"""The schemas are what the config and the classes say now, and every YAML of ours holds to its own."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lrsched.config.rules import duration
from lrsched.errors import ConfigError
from lrsched.horizon import WRITTEN
from tests.helpers.json_schema import OURS, ROOT, complaints, read_yaml

pytest.importorskip("jsonschema", reason="no jsonschema: it comes with the extra `test`")
torch = pytest.importorskip("torch", reason="no torch, whose classes the schemas know")

from lrsched.schemas.files import File, files_in  # noqa: E402
from lrsched.schemas.folder import schemas  # noqa: E402

CONF = ROOT / "conf"
FILES = files_in(CONF)
TRAINER = json.loads((OURS / "trainer.json").read_text("utf-8"))
PATTERN = re.compile(TRAINER["properties"]["log_every"]["pattern"])


@pytest.fixture(scope="module")
def made() -> Mapping[str, str]:
    """The schemas as they are made now."""
    return schemas([CONF], pytest.fail)


@pytest.mark.parametrize("name", sorted(path.name for path in OURS.iterdir()))
def test_a_schema_is_made_of_what_the_code_says_now(made: Mapping[str, str], name: str) -> None:
    written, now = json.loads((OURS / name).read_text("utf-8")), json.loads(made[name])
    if written["$comment"] != now["$comment"]:  # another torch, whose classes take other arguments
        written, now = without_torch(written), without_torch(now)
    assert written == now, "write them anew: lrsched schema conf"


def without_torch(schema: dict[str, Any]) -> dict[str, Any]:
    ours = {key: node for key, node in schema.get("definitions", {}).items() if key.startswith("lrsched.")}
    return {"definitions": ours}


def test_there_is_a_schema_for_each_that_is_made(made: Mapping[str, str]) -> None:
    assert sorted(made) == sorted(path.name for path in OURS.iterdir())


def test_every_file_names_its_schema() -> None:
    assert len(FILES) > 140
    for file in FILES:
        assert file.schema is not None, file.path
        assert file.lined() == file.text, f"{file.path}: lrsched schema conf --lines"
        named = next(line for line in file.text.splitlines()[:2] if line == file.line).partition("=")[2]
        assert (file.place.parent / named).resolve() == (OURS / f"{file.schema}.json").resolve()


def test_no_file_of_ours_is_reported() -> None:
    found = {file.path: complaints(read_yaml(file.text), f"{file.schema}.json") for file in FILES}
    assert {path: said for path, said in found.items() if said} == {}


def test_no_file_that_the_pages_show_is_reported() -> None:
    shown = 0
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for text in re.findall(r"^```yaml\n(.*?)^```", page.read_text("utf-8"), re.MULTILINE | re.DOTALL):
            named = re.search(r"^# my_conf/([\w/]+)\.yaml$", text, re.MULTILINE)
            if named or "@package _global_" in text:
                file = File(Path(), named[1] if named else "experiment/shown", text)
                assert complaints(read_yaml(text), f"{file.schema}.json") == [], f"{page}: {text}"
                shown += 1
    assert shown >= 5


@pytest.mark.slow
@pytest.mark.parametrize("value", ["${trainer.epochs}", "???", "1${oc.env:X}"])
def test_every_field_takes_what_is_known_later(value: str) -> None:
    for file in FILES:
        values = read_yaml(file.text)
        assert complaints(replaced(values, value), f"{file.schema}.json") == [], file.path


def replaced(node: Any, value: str) -> Any:
    """The same with this value for each that is neither a class nor a choice."""
    if isinstance(node, dict):
        kept = ("_target_", "_partial_", "defaults", "hydra")
        return {key: item if key in kept else replaced(item, value) for key, item in node.items()}
    return node if node is None else value


@settings(max_examples=60)
@given(st.from_regex(WRITTEN, fullmatch=True) | st.from_regex(r"\s?[0-9]{0,3}[.,]?[0-9]{0,2} ?(st|sp|ep|%|steps|)"))
def test_the_pattern_of_a_duration_is_what_is_read(text: str) -> None:
    fits = PATTERN.search(text) is not None
    try:
        duration("log_every", text)
    except ConfigError:
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize(
    "group", ["scheduler", "optimizer", "model", "dataset", "task", "average", "trainer", "checkpoint"]
)
def test_nearly_every_key_is_described_by_its_comment(group: str) -> None:
    schema = json.loads((OURS / f"{group}.json").read_text("utf-8"))
    nodes = [node for name, node in schema.get("definitions", {}).items() if name.startswith("lrsched.")] or [schema]
    keys = [key for node in nodes for name, key in node["properties"].items() if name[0] != "_" and name != "defaults"]
    of_key = [schema["definitions"][key["$ref"].rpartition("/")[2]] if "$ref" in key else key for key in keys]
    described = [key for key in of_key if "description" in key]
    assert len(described) >= 0.9 * len(of_key) > 0


def test_a_file_of_a_group_that_is_not_ours_has_no_schema() -> None:
    assert File(Path(), "paths/mine", "root: data\n").schema is None
    assert File(Path(), "recipes/mine", "# @package _global_\nseed: 1\n").schema == "config"
    assert File(Path(), "hydra/sweeper/mine", "").schema == "hydra.sweeper"
    assert File(Path(), "scheduler/torch/Mine", "a: 1\n").line.endswith("$schema=../../.schemas/scheduler.json")


def test_the_line_goes_below_what_hydra_reads_first() -> None:
    file = File(Path(), "experiment/mine", "# @package _global_\n# Mine.\nseed: 1\n")
    first, second, *rest = file.lined().splitlines()
    assert (first, second) == ("# @package _global_", "# yaml-language-server: $schema=../.schemas/config.json")
    assert rest == ["# Mine.", "seed: 1"]


@pytest.mark.parametrize(
    ("text", "lined"),
    [
        ("a: 1\r\nb: 2\r\n", "LINE\r\na: 1\r\nb: 2\r\n"),
        ("\ufeffa: 1\n", "\ufeffLINE\na: 1\n"),
        ("\ufeff# @package _global_\r\na: 1\r\n", "\ufeff# @package _global_\r\nLINE\r\na: 1\r\n"),
        ("# @package _global_", "# @package _global_\nLINE\n"),
        ("a: 1", "LINE\na: 1"),
        ("", "LINE\n"),
    ],
)
def test_the_line_keeps_the_ends_of_lines_and_a_byte_order_mark(text: str, lined: str) -> None:
    file = File(Path(), "model/mine", text)
    expected = lined.replace("LINE", file.line)
    assert file.lined() == expected
    assert File(Path(), "model/mine", expected).lined() == expected
    assert read_yaml(expected) == read_yaml(text)  # it is still a YAML, of the same values
    assert (file.schema == "config") == ("@package" in text)


@pytest.mark.parametrize(
    ("path", "text", "schema"),
    [
        ("config", "defaults:\n  - optimizer: sgd\n", "config"),
        ("config", "seed: 1\ndefaults:  # these\n\n# and\n- override /model@net: mlp\n", "config"),
        ("mine", "defaults: [scheduler/cosine, _self_]\n", "config"),
        ("mine", "defaults:\n  - config\n", "config"),
        ("mine", "defaults:\n  - database: mysql\n", None),  # another program of Hydra
        ("mine", "defaults:\n  run: {shell: bash}\n", None),
        ("mine", "defaults: 5\n", None),
        ("docker-compose", "services:\n  web: {image: x}\n", None),
        ("k8s", "a: 1\n---\nb: [\n", None),
        (".pre-commit-config", "repos: []\n", None),
        (".github/workflows/ci", "on: push\n", None),
        (".venv/model/a", "a: 1\n", None),
        ("model/.hidden/a", "a: 1\n", None),
        ("paths/mine", "defaults:\n  - optimizer: sgd\n", None),
        ("hydra/launcher/mine", "a: 1\n", "hydra.launcher"),
        ("hydra/mine", "a: 1\n", None),
    ],
)
def test_which_files_are_configs_of_ours(path: str, text: str, schema: str | None) -> None:
    assert File(Path(), path, text).schema == schema


def test_folders_of_any_name_lie_beside_ours(tmp_path: Path) -> None:
    for name in ("c++ (old)/a", "a|b/c", ".venv/d", "model/new"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / f"{name}.yaml").write_text("x: 1\n")
    (tmp_path / os.fsdecode(b"\xff.yaml")).touch()
    whole = json.loads(schemas([tmp_path, CONF], pytest.fail)["config.json"])
    groups = whole["properties"]["defaults"]["items"]["patternProperties"]
    assert {r"^(override |optional )*/?c\+\+ \(old\)(@.*)?$", r"^(override |optional )*/?a\|b(@.*)?$"} <= set(groups)
    assert not any("venv" in pattern for pattern in groups)
    (tmp_path / "model" / os.fsdecode(b"\xff.yaml")).touch()
    with pytest.raises(ConfigError, match=r"udcff.yaml': has a name that is not UTF-8; give it another one$"):
        schemas([tmp_path, CONF], pytest.fail)


def test_what_json_has_not_is_no_default(tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    text = "_target_: lrsched.models.mlp.MLP\nhidden: [.nan]\ndropout: .inf  # odd\nshift: 2024-02-30\n"
    (tmp_path / "model/odd.yaml").write_text(text)
    for written in schemas([tmp_path, CONF], pytest.fail).values():
        json.loads(written, parse_constant=pytest.fail)
