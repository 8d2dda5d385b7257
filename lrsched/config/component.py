"""A node of a config group, parsed once."""

from __future__ import annotations

import inspect
import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Generic, Self, TypeVar

from lrsched.config.objects import called_by_name
from lrsched.config.targets import DATASET, Role, check_arguments, construct, resolve
from lrsched.errors import UNSET, ConfigError

Own = TypeVar("Own")
"""The schema class of a group's reserved keys; None where it has none."""


@dataclass(frozen=True)
class Component(Generic[Own]):
    """The choice of a config group: a class, its arguments, and the group's reserved keys.

    Imports the class when ``cls`` is first read, so a config is checked without torch.

    Args:
        role: what the group may name.
        key: of the node, for messages.
        target: the dotted name of the class.
        arguments: for the class, by name.
        own: the group's reserved keys, which the class never sees, typed and within their ranges.
    """

    role: Role
    key: str
    target: str
    arguments: Mapping[str, Any]
    own: Own

    @cached_property
    def cls(self) -> type:
        """The class.

        Raises:
            ConfigError: the name is not on the allowlist, or names no class of the right kind.
        """
        return resolve(self.role, self.target, self.key)

    def check(self) -> None:
        """Refuse a class or arguments that cannot be used; build nothing.

        Raises:
            ConfigError: names the key.
        """
        check_arguments(self.cls, self.role, self.arguments, self.key)

    def without(self, names: Collection[str]) -> Self:
        """The same choice, with these arguments at their defaults."""
        return replace(self, arguments={name: value for name, value in self.arguments.items() if name not in names})

    def build(self, **given: Any) -> Any:
        """Make an instance.

        Args:
            given: what the trainer hands over.

        Raises:
            ConfigError: the class or one of its arguments cannot be used.
        """
        ours = self.target.startswith("lrsched.")
        arguments = called_by_name(self.arguments, self.key, ours=ours) if self.role == DATASET else self.arguments
        return construct(self.role, self.cls, arguments, self.key, **given)

    def build_for(self, facts: Mapping[str, Any]) -> Any:
        """Make an instance that is told those facts of the data that it has parameters for.

        Args:
            facts: by name; a value in the config goes before.

        Raises:
            ConfigError: as for :meth:`build`, or an argument that neither the config nor the data give.
        """
        parameters = {
            name: parameter
            for name, parameter in inspect.signature(self.cls).parameters.items()
            if parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
        }
        given = {name: facts[name] for name in parameters if name in facts and name not in self.arguments}
        for name, parameter in parameters.items():
            if parameter.default is inspect.Parameter.empty and name not in given and name not in self.arguments:
                rule = f"{self.cls.__name__} needs this argument, and the data set tells {', '.join(sorted(facts))}"
                raise ConfigError(f"{self.key}.{name}", UNSET, rule, f"give {self.key}.{name}=VALUE")
        return self.build(**given)

    @property
    def text(self) -> str:
        """The whole node as text; equal nodes have equal texts."""
        own = None if self.own is None else asdict(self.own)  # type: ignore[call-overload]
        return json.dumps([self.target, self.arguments, own], sort_keys=True, default=str)
