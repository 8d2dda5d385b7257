"""A node of a config group, parsed once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from lrsched.config.targets import Role, check_arguments, construct, resolve

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

    def build(self, **given: Any) -> Any:
        """Make an instance.

        Args:
            given: what the trainer hands over.

        Raises:
            ConfigError: the class or one of its arguments cannot be used.
        """
        return construct(self.role, self.cls, self.arguments, self.key, **given)

    @property
    def text(self) -> str:
        """The whole node as text; equal nodes have equal texts."""
        own = None if self.own is None else asdict(self.own)  # type: ignore[call-overload]
        return json.dumps([self.target, self.arguments, own], sort_keys=True, default=str)
