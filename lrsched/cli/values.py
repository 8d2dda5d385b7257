"""The values that a key can have, read off the JSON schemas of the YAML files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from lrsched.config.walk import is_mapping

FOLDER = ".schemas"


def values_of(key: str, given: Sequence[str], folders: Sequence[Path]) -> list[str]:
    """The words that a key can have; none where it has others, or is not known.

    Args:
        key: dotted.
        given: the overrides before it, of which one may choose the class that the key is of.
        folders: of our YAML files.
    """
    folder = next((place for place in folders if (place / FOLDER / "config.json").is_file()), None)
    if folder is None:
        return []
    group, *names = key.split(".")
    node: Any = _read(folder, "config")["properties"].get(group, {})
    whole: Any = node
    if "$ref" in node:
        whole = node = _read(folder, group)
        target = _target(folder, group, given)
        node = whole.get("definitions", {}).get(target, node)
    for name in names:
        node = node.get("properties", {}).get(name, {})
        if "$ref" in node:
            node = whole["definitions"].get(str(node["$ref"]).rpartition("/")[2], {})
    found = [value for each in (node, *node.get("anyOf", ())) for value in each.get("enum", ())]
    if "boolean" in node.get("type", ()):
        found = [True, False, *([None] if "null" in node["type"] else [])]
    return [json.dumps(value) if value is None or isinstance(value, bool) else str(value) for value in found]


def _read(folder: Path, name: str) -> Mapping[str, Any]:
    return json.loads((folder / FOLDER / f"{name}.json").read_text("utf-8"))


def _target(folder: Path, group: str, given: Sequence[str]) -> str:
    """The class that the line chooses in a group, or else the config."""
    chosen = next((word.partition("=")[2] for word in reversed(given) if word.startswith(f"{group}=")), None)
    if chosen is None:
        config: Any = yaml.safe_load((folder / "config.yaml").read_text("utf-8"))
        chosen = next((entry[group] for entry in config["defaults"] if is_mapping(entry) and group in entry), "")
    file = folder / group / f"{chosen}.yaml"
    found: Any = yaml.safe_load(file.read_text("utf-8")) if file.is_file() else {}
    return str(found.get("_target_", "")) if is_mapping(found) else ""
