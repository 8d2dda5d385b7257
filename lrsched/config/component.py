"""A node of a config group, parsed once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any, Generic, TypeVar

from lrsched.config.targets import Role, check_arguments, construct, resolve

Own = TypeVar("Own")
"""The schema class of the keys that a group's class never sees; None where a group has none."""


@dataclass(frozen=True)
class Component(Generic[Own]):
    """What a config group chose: a class, the arguments for it, and the keys that are ours.

    Nothing is imported before ``cls`` is asked for: a config is checked without torch.

    Args:
        role: what the group may name.
        key: of the node, for messages.
        target: the dotted name of the class.
        arguments: for the class, by name.
        own: the group's reserved keys, typed and within their ranges.
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
            ConfigError: the allowlist does not hold it, or there is no such class.
        """
        return resolve(self.role, self.target, self.key)

    def check(self) -> None:
        """Refuse a class or arguments that cannot be used, without building anything.

        Raises:
            ConfigError: names the key.
        """
        check_arguments(self.cls, self.role, self.arguments, self.key)

    def build(self, **given: Any) -> Any:
        """An instance; ``given`` is what the trainer hands over.

        Raises:
            ConfigError: the class or one of its arguments cannot be used.
        """
        return construct(self.role, self.cls, self.arguments, self.key, **given)

    @property
    def text(self) -> str:
        """The whole node as text: equal for equal nodes."""
        own = None if self.own is None else asdict(self.own)  # type: ignore[call-overload]
        return json.dumps([self.target, self.arguments, own], sort_keys=True, default=str)
