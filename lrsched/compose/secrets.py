"""Keep values of the environment out of files and messages: write ``${oc.env:…}`` as that text."""

from __future__ import annotations

import logging
import os
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.basecontainer import BaseContainer
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

from lrsched.compose.nodes import as_written
from lrsched.config.walk import is_list, is_mapping, leaves
from lrsched.masked import SHORTEST, mask, replaced, stand_in

ENV = "oc.env"
"""The name of OmegaConf's resolver of the environment."""


def env(name: str, *default: Any) -> Any:
    """Resolve ``${oc.env:…}`` as OmegaConf does, and hide the value in every message from now on."""
    value = oc.env(name, *default)
    if name in os.environ:
        mask().note(name, os.environ[name])
    return value


def unmasked(config: DictConfig) -> tuple[dict[str, Any], dict[str, str]]:
    """Convert a config to what a file may show, and find the secrets to replace in other texts.

    Returns:
        The config as plain dicts and lists, resolved but for values that depend on the environment, which stay the
        text that was composed; and a mapping from each value of the environment to the text that stands for it.
    """
    found: dict[str, str] = {}

    def ask(name: str, *default: Any) -> Any:
        value = env(name, *default)
        if name in os.environ and len(os.environ[name]) >= SHORTEST:
            found[os.environ[name]] = stand_in(name)
        return value

    def hide(name: str, *_: Any) -> str:
        return stand_in(name)

    with _env(ask):
        real = OmegaConf.to_container(config, resolve=True)
    with _env(hide):
        shown = _shown({"": config}, "", as_written(config), real)
    return {str(key): value for key, value in shown.items()}, found


def redacted(value: Any, secrets: Mapping[str, str]) -> Any:
    """Replace the secrets in a text, or in every text of a result."""
    if isinstance(value, str):
        return replaced(value, secrets)
    if is_mapping(value):
        return {name: redacted(item, secrets) for name, item in value.items()}
    if is_list(value):
        return [redacted(item, secrets) for item in value]
    return value


class Redacting(logging.Formatter):
    """Formats log records, tracebacks too, without secrets."""

    def __init__(self, form: str, secrets: Mapping[str, str]) -> None:
        super().__init__(form)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record), self._secrets)


@contextmanager
def _env(resolver: Any) -> Generator[None]:
    """Resolve ``${oc.env:…}`` by another function, in the whole process: OmegaConf offers no narrower scope."""
    private: Any = BaseContainer  # OmegaConf has no public way to look a resolver up
    before = private._resolvers[ENV]
    OmegaConf.register_new_resolver(ENV, resolver, replace=True)
    try:
        yield
    finally:
        private._resolvers[ENV] = before


def _shown(holder: Any, name: Any, raw: Any, real: Any) -> Any:
    """Take ``real``, but ``raw`` for each value that differs while ``oc.env`` is masked.

    Args:
        holder: the mapping or list of the config that holds the node.
        name: of the node in it.
        raw: the node as written.
        real: the node resolved.
    """
    if not any(isinstance(value, str) and "${" in value for _, value in leaves(raw)):
        return real
    if is_mapping(raw):
        return {key: _shown(holder[name], key, item, real[key]) for key, item in raw.items()}
    if is_list(raw):
        return [_shown(holder[name], i, item, real[i]) for i, item in enumerate(raw)]
    with suppress(OmegaConfBaseException, ValueError, TypeError):
        value = holder[name]
        masked = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        return real if masked == real else raw
    return raw
