"""Objects that Python gives in the place of nodes of a config."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from lrsched.config import schema
from lrsched.config.component import Component, Own
from lrsched.config.targets import arguments_in
from lrsched.config.walk import flat
from lrsched.errors import UNSET, ConfigError

GIVEN = "lrsched.Given"
"""The ``_target_`` of a node that an object stands in for. It names no class: no config can make the object again."""

PARAMETERS = {"model": "model", "dataset": "data", "task": "task"}
"""The parameter of ``lrsched.run`` for each node that an object may stand in for."""

NOTHING: Mapping[str, Given] = {}
"""What a command line gives."""


@dataclass(frozen=True)
class Given:
    """An object that stands in for a node.

    Args:
        kind: its class.
        node: the node, which says what was given: ``class``, and what of it changes the run.
        make: makes what one run uses, told the facts of the data; the object stays as it is.
        initial: names in ``node`` of what a checkpoint replaces: a run that goes on may be given another one.
    """

    kind: type
    node: Mapping[str, Any]
    make: Callable[[Mapping[str, Any]], Any]
    initial: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its class, for messages."""
        return self.kind.__qualname__


@dataclass(frozen=True)
class InPlace(Component[Own]):
    """A node that an object stands in for."""

    given: Given

    @cached_property
    def cls(self) -> type:
        """The class of the object."""
        return self.given.kind

    def check(self) -> None:
        """Nothing: the object is there already."""

    def build(self, **given: Any) -> Any:
        """What one run uses."""
        return self.build_for(given)

    def build_for(self, facts: Mapping[str, Any]) -> Any:
        """What one run uses, told the facts of the data.

        Raises:
            ConfigError: it cannot be told these.
        """
        try:
            return self.given.make(facts)
        except ConfigError as error:
            raise error.under(self.key) from error


def nodes_of(objects: Mapping[str, Given], dataset: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The nodes that say what was given, by key; what the trainer asks of a data set stays.

    Args:
        objects: given in Python, by the key of the node that each stands in for.
        dataset: the node of the data set, as the config has it.
    """
    found = {key: dict(given.node) for key, given in objects.items()}
    if "dataset" in found:
        kept = {name: dataset[name] for name in schema.names(schema.DatasetConfig) if name in dataset}
        found["dataset"] |= {**kept, "train_samples": None, "test_samples": 0}  # is seen from those given
    return found


def require_same(*nodes: Component[Any], begun: bool) -> None:
    """Refuse other objects than those that the config speaks of.

    Args:
        nodes: of the config.
        begun: the run goes on from a checkpoint, which replaces what was initial.

    Raises:
        ConfigError: names what differs.
    """
    for node in nodes:
        if not isinstance(node, InPlace):
            continue
        initial = node.given.initial if begun else ()
        was, given = flat(node.arguments), flat(arguments_in(node.given.node))
        names = [name for name in dict.fromkeys([*was, *given]) if name not in initial]
        name = next((name for name in names if was.get(name) != given.get(name)), None)
        if name is not None:
            parameter = PARAMETERS[node.key]
            rule = f"the run was started with {was.get(name)}, and a run that goes on keeps its {parameter}"
            raise ConfigError(f"{node.key}.{name}", given.get(name), rule, f"give the same {parameter}= again")


def require_objects(config: Mapping[str, Any], objects: Mapping[str, Given]) -> None:
    """Refuse a config that speaks of objects which are not given, and objects of which it does not speak.

    Raises:
        ConfigError: names the keys.
    """
    spoken_of = [key for key in PARAMETERS if config[key].get("_target_") == GIVEN]
    missing = [key for key in spoken_of if key not in objects]
    if missing:
        what = " and ".join(f"{PARAMETERS[key]}=" for key in missing)
        rule = f"the run was made in Python with {what} of lrsched.run, which no config and no command can make again"
        again = f'lrsched.run(["resume=FOLDER"], {parameters(spoken_of)})'
        remedy = f"go on, predict or evaluate there, with the same: {again}, which returns a finished run as it is"
        if "model" in missing:
            remedy += "; to load its weights: lrsched.load(FOLDER).model(into=MODEL)"
        raise ConfigError(missing[0], UNSET, rule, remedy)
    for key, given in objects.items():
        if key not in spoken_of:
            rule = f"the run was started with {config[key].get('_target_')}, which its config makes again"
            raise ConfigError(key, given.name, rule, f"leave {PARAMETERS[key]}= out")


def parameters(keys: list[str]) -> str:
    """The parameters of ``lrsched.run`` that give these nodes, as one types them.

    >>> parameters(["model", "dataset"])
    'model=…, data=…'
    """
    return ", ".join(f"{PARAMETERS[key]}=…" for key in keys)
