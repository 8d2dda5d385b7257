"""What each run of a test process pays for although no test looks at it, made cheap.

* ``os.fsync`` waits for the disk, fourteen times in the shortest run. Nobody cuts the power of a test; those that ask
  what is synced, and when, play the disk.
* OmegaConf makes each node of a copied config anew, with its checks, and copies its metadata by the slowest way that
  Python has; Hydra copies each config four times.
* OmegaConf reads the annotations of a schema anew for each config that is checked against it.
* A run that is resumed parses its stored config six times.
* Hydra parses each word of a command line with a parser that is written in Python; the tests repeat their words.
* The annotations of our classes, and of PyTorch's, are texts that Python evaluates anew for each look at them.
* PyTorch keeps each seed, with a stack trace, for an accelerator that may be used later.
"""

from __future__ import annotations

import copy
import os
import pickle
from collections import defaultdict
from functools import lru_cache
from importlib.util import find_spec
from typing import Any


def install() -> None:
    """Change this process and those that it forks."""
    os.fsync = _sync_nothing
    _copy_configs_by_hand()
    _read_each_schema_once()
    _parse_each_text_once()
    _parse_each_word_once()
    _read_annotations_once()
    if find_spec("torch"):  # the newest Python's lane has none
        _keep_no_seeds()


def _sync_nothing(descriptor: int) -> None:
    os.fstat(descriptor)  # a descriptor that is closed is an error still


def _copy_configs_by_hand() -> None:
    from omegaconf import DictConfig, ListConfig
    from omegaconf.base import Metadata
    from omegaconf.nodes import (
        AnyNode,
        BooleanNode,
        BytesNode,
        EnumNode,
        FloatNode,
        IntegerNode,
        PathNode,
        StringNode,
    )

    def metadata(self: Any, memo: dict[int, Any]) -> Any:
        new = object.__new__(type(self))
        vars(new).update(vars(self))  # types, a key and booleans: they are what they are
        new.flags = None if self.flags is None else dict(self.flags)
        cache = self.resolver_cache
        new.resolver_cache = copy.deepcopy(cache, memo) if cache else defaultdict(dict)
        return new

    def node(self: Any, memo: dict[int, Any]) -> Any:
        new = object.__new__(type(self))
        mine, theirs = vars(new), vars(self)
        mine.update(theirs)  # a value is never copied, and the parent is the same
        mine["_metadata"] = metadata(theirs["_metadata"], memo)
        mine["_flags_cache"] = None
        return new

    def within(value: Any, parent: Any, memo: dict[int, Any]) -> Any:
        if id(value) not in memo:
            memo[id(value)] = type(value).__deepcopy__(value, memo)
        vars(memo[id(value)])["_parent"] = parent
        return memo[id(value)]

    def mapping(self: Any, memo: dict[int, Any]) -> Any:
        new, content = node(self, memo), self._content
        if isinstance(content, dict):
            vars(new)["_content"] = {name: within(value, new, memo) for name, value in content.items()}
        return new

    def sequence(self: Any, memo: dict[int, Any]) -> Any:
        new, content = node(self, memo), self._content
        if isinstance(content, list):
            vars(new)["_content"] = [within(value, new, memo) for value in content]
        return new

    Metadata.__deepcopy__ = metadata  # type: ignore[attr-defined]
    DictConfig.__deepcopy__, ListConfig.__deepcopy__ = mapping, sequence
    for kind in (AnyNode, StringNode, PathNode, IntegerNode, BytesNode, FloatNode, BooleanNode, EnumNode):
        kind.__deepcopy__ = node


def _read_each_schema_once() -> None:
    from omegaconf import OmegaConf

    structured, read = OmegaConf.structured, dict[type, Any]()

    def once(schema: Any, *options: Any, **named: Any) -> Any:
        if not isinstance(schema, type) or options or named:
            return structured(schema, *options, **named)
        if schema not in read:
            read[schema] = structured(schema)
        return copy.deepcopy(read[schema])

    OmegaConf.structured = staticmethod(once)  # type: ignore[assignment]


def _parse_each_text_once() -> None:
    from omegaconf import OmegaConf

    from lrsched.compose import stored

    create = OmegaConf.create
    parsed = lru_cache(64)(create)

    def once(*given: Any, **named: Any) -> Any:
        if len(given) == 1 and isinstance(given[0], str) and not named:
            return copy.deepcopy(parsed(given[0]))
        return create(*given, **named)

    OmegaConf.create = staticmethod(once)
    stored._check_events = lru_cache(64)(stored._check_events)


def _parse_each_word_once() -> None:
    from hydra.core.override_parser.overrides_parser import OverridesParser

    parse, parsed = OverridesParser.parse_rule, dict[tuple[str, str], bytes]()

    def once(self: OverridesParser, s: str, rule_name: str) -> Any:
        if "shuffle" in s:  # at random, and anew each time
            return parse(self, s, rule_name)
        if (s, rule_name) not in parsed:
            parsed[s, rule_name] = pickle.dumps(parse(self, s, rule_name))
        return pickle.loads(parsed[s, rule_name])

    OverridesParser.parse_rule = once


def _read_annotations_once() -> None:
    from lrsched.config import targets

    hints = targets.hints_of
    kept = lru_cache(None)(hints)
    targets.hints_of = lambda cls: (kept if cls.__module__.startswith(("lrsched.", "torch.")) else hints)(cls)


def _keep_no_seeds() -> None:
    import torch

    for device in (torch.cuda, torch.xpu):
        if not device.is_available():
            device.random._lazy_call = _forget
    if not torch.mtia.is_available():
        torch.mtia._lazy_call = _forget


def _forget(*_: Any, **__: Any) -> None:
    """Take a call that waits for an accelerator, of which there is none."""
