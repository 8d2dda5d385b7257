"""Writes docs/reference/config.md, every key of the config, from the JSON schemas in conf/.schemas and the YAML files.

    python docs/keys.py

Nothing is written by hand, and a test compares. The schemas are written by ``lrsched schema conf``.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from lrsched.schemas.comments import comments

ROOT = Path(__file__).resolve().parent.parent
CONF = ROOT / "conf"
PAGE = ROOT / "docs" / "reference" / "config.md"

HEAD = """\
# Every key of the config

<!-- Written by `python docs/keys.py`; change the YAML, the typed config or the signature instead. -->

Each key can be given on a command line as `group.key=value`. A group's file is chosen by `group=NAME`.
`python train.py --cfg job` (`lrsched train --cfg job` of an installed package) shows the config of any command; editors
show the same as this page while one types, by the schemas in `conf/.schemas`. A
[duration](../explanation/phases.md#durations) carries its unit: `5%`, `2ep`, `500st`, `64000sp`. Every value may also
be an interpolation, `${…}`.
"""

GROUPS = {
    "optimizer": "torch's optimizers and others, and how parameters are grouped",
    "task": "what the model is asked, and what its answer is worth",
    "model": "networks",
    "dataset": "data",
    "average": "averages of the weights, beside them",
    "logger": "where rows go; several: `logger=[tensorboard,csv]`",
}
DURATION = "a duration carries its unit: 5% (of the run), 2ep (epochs), 500st (steps) or 64000sp (samples)"

SHARED = {"dataset": "_dataset"}
"""The file that holds what every choice of a group takes."""


def main() -> None:
    PAGE.write_text(page(), "utf-8")


def page() -> str:
    """The whole text."""
    return (
        "\n".join([HEAD, *_root(), *_typed("trainer"), *_typed("checkpoint"), *_groups(), *_recipes()]).rstrip() + "\n"
    )


def _root() -> Iterator[str]:
    text = (CONF / "config.yaml").read_text("utf-8")
    schema = _schema("config")["properties"]
    values = yaml.safe_load(text)
    own = {key: value for key, value in values.items() if key in schema and not isinstance(value, (dict, list))}
    yield "## A run's own keys\n"
    yield _table({key: schema[key] for key in own}, own, comments(text))
    yield "## sweep\n"
    within = {f"sweep.{key}": value for key, value in schema["sweep"]["properties"].items()}
    said = comments(text)
    yield _table(within, {f"sweep.{key}": value for key, value in values["sweep"].items()}, said)
    yield "## scheduler\n"
    yield "[The schedules](../schedules.md) have a page of their own. PyTorch's classes: `scheduler=torch/CLASS`.\n"


def _typed(group: str) -> Iterator[str]:
    text = (CONF / group / "default.yaml").read_text("utf-8")
    schema = dict(_leaves(_schema(group)["properties"], group))
    values = dict(_flat(yaml.safe_load(text), group))
    said = {f"{group}.{key}": words for key, words in comments(text).items()}
    yield f"## {group}\n"
    yield _table({key: schema[key] for key in values if key in schema}, values, said)


def _groups() -> Iterator[str]:
    for group, about in GROUPS.items():
        yield f"## {group}\n"
        yield f"{about[0].upper()}{about[1:]}.\n"
        schema = _schema(group)
        shared = SHARED.get(group)
        held: set[str] = set()
        if shared is not None:
            text = (CONF / group / f"{shared}.yaml").read_text("utf-8")
            values = dict(_flat(yaml.safe_load(text), group))
            any_ = next(iter(schema["definitions"].values()))["properties"]
            leaves = dict(_leaves(any_, group))
            held = {key for key in values if key in leaves}
            yield f"Every {group} takes:\n"
            said = {f"{group}.{key}": words for key, words in comments(text).items()}
            yield _table({key: leaves[key] for key in values if key in leaves}, values, said)
        for path in sorted(CONF.glob(f"{group}/**/[!_]*.yaml")):
            yield from _choice(group, path, schema, held)


def _choice(group: str, path: Path, schema: Mapping[str, Any], held: set[str]) -> Iterator[str]:
    """One file of a group: what it opens with, and its keys."""
    text = path.read_text("utf-8")
    values = yaml.safe_load(text) or {}
    name = path.relative_to(CONF / group).with_suffix("").as_posix()
    said = {f"{group}.{key}" if key else "": words for key, words in comments(text).items()}
    yield f"### {group}={name}\n"
    if said.get(""):
        yield " ".join(said[""].split()) + "\n"
    node = next(iter(values.values())) if group == "logger" and values else values
    properties = schema.get("definitions", {}).get(str(node.get("_target_")), {}).get("properties", {})
    leaves = dict(_leaves(properties, group))
    own = {
        key: value
        for key, value in _flat(node, group)
        if key not in held and not key.endswith(("_target_", ".defaults"))
    }
    if own:
        yield _table({key: leaves.get(key, {}) for key in own}, own, said)


def _recipes() -> Iterator[str]:
    for group, title in (("experiment", "Recipes"), ("debug", "Looking for faults")):
        yield f"## {title}: {group}\n"
        lines = [f"| `{group}=` | |", "|---|---|"]
        for path in sorted((CONF / group).glob("[!_]*.yaml")):
            words = comments(path.read_text("utf-8")).get("", "")
            lines.append(f"| `{path.stem}` | {_cell(words)} |")
        yield "\n".join(lines) + "\n"


def _schema(group: str) -> dict[str, Any]:
    return json.loads((CONF / ".schemas" / f"{group}.json").read_text("utf-8"))


def _leaves(properties: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Each key with its schema; those of a mapping of known keys one by one."""
    for key, schema in properties.items():
        name = f"{prefix}.{key}"
        if schema.get("properties") and key != "extensions":
            yield from _leaves(schema["properties"], name)
        else:
            yield name, schema


def _flat(values: Mapping[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}.{key}")
        else:
            yield f"{prefix}.{key}", value


def _table(schemas: Mapping[str, Mapping[str, Any]], values: Mapping[str, Any], said: Mapping[str, str]) -> str:
    lines = ["| key | default | must be | |", "|---|---|---|---|"]
    for key, schema in schemas.items():
        rule = schema.get("errorMessage", "").replace(DURATION, "a duration")
        rule = rule.removeprefix("must be ").replace("; must be ", ", ")
        words = said.get(key) or schema.get("description", "")
        lines.append(f"| `{key}` | `{_value(values.get(key))}` | {_cell(rule)} | {_cell(words)} |")
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    return "null" if value is None else json.dumps(value, ensure_ascii=False).strip('"')


def _cell(text: str) -> str:
    lines = re.split(r"\n *(?=\w+: )", text)  # a value and what it means, on a line of its own
    return "<br>".join(" ".join(line.split()).replace("|", "\\|").replace("<", "&lt;") for line in lines)


if __name__ == "__main__":
    main()
