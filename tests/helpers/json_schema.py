"""JSON schemas as an editor reads them: a YAML file is held against the schema that its first lines name."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from omegaconf._utils import get_yaml_loader

ROOT = Path(__file__).resolve().parents[2]
OURS = ROOT / "conf" / ".schemas"


@lru_cache
def _validator(folder: Path, name: str) -> Any:
    from jsonschema import Draft7Validator
    from referencing import Registry, Resource

    def read(uri: str) -> Any:
        return Resource.from_contents(json.loads((folder / uri).read_text("utf-8")))

    return Draft7Validator({"$ref": name}, registry=Registry(retrieve=read))


def read_yaml(text: str) -> Any:
    """The values of a YAML text, as Hydra reads it: 1e-3 is a number."""
    return yaml.load(text, Loader=get_yaml_loader())


def complaints(values: Any, name: str, folder: Path = OURS) -> list[str]:
    """What a schema says against values: for each fault its place, then the sentence."""
    found = _validator(folder.resolve(), name).iter_errors(values)
    return [f"{'.'.join(map(str, error.absolute_path))}: {error.message}" for error in found]
