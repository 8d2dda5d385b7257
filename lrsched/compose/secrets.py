"""What the environment says must not be written down: ``${oc.env:…}`` stays text wherever a file is made."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.base import Container
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

SHORTEST = 6
"""A value of fewer characters (``1``, ``data``) is no secret, and would be found in every text."""


def unmasked(config: DictConfig) -> tuple[dict[str, Any], dict[str, str]]:
    """The config as a file may show it, and what to take out of any other text.

    Returns:
        The config as plain dicts and lists: resolved, except for what depends on the environment, which is
        the text that was composed; and by each value that came from the environment, what stands for it.
    """
    found: dict[str, str] = {}

    def ask(name: str, *default: Any) -> Any:
        value = oc.env(name, *default)
        if name in os.environ and len(os.environ[name]) >= SHORTEST:
            found[os.environ[name]] = f"${{oc.env:{name}}}"
        return value

    with _env(ask):
        real = OmegaConf.to_container(config, resolve=True)
    with _env(lambda name, *_: f"${{oc.env:{name}}}"):
        shown = _shown(config, OmegaConf.to_container(config, resolve=False), real)
    assert isinstance(shown, dict)
    return {str(key): value for key, value in shown.items()}, found


def redacted(value: Any, secrets: Mapping[str, str]) -> Any:
    """A text, or all texts in a result, without values of the environment."""
    if isinstance(value, str):
        for secret in sorted(secrets, key=len, reverse=True):
            value = value.replace(secret, secrets[secret])
        return value
    if isinstance(value, Mapping):
        return {name: redacted(item, secrets) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [redacted(item, secrets) for item in value]
    return value


class Redacting(logging.Formatter):
    """A formatter whose lines, tracebacks too, hold no value of the environment."""

    def __init__(self, form: str, secrets: Mapping[str, str]) -> None:
        super().__init__(form)
        self._secrets = secrets

    def format(self, record: logging.LogRecord) -> str:
        return redacted(super().format(record), self._secrets)


@contextmanager
def _env(resolver: Any) -> Iterator[None]:
    """``${oc.env:…}`` by another resolver, for a moment."""
    OmegaConf.register_new_resolver("oc.env", resolver, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def _shown(node: Any, raw: Any, real: Any) -> Any:
    """``real``, but ``raw`` wherever the value is another one when the environment is not asked."""
    if isinstance(raw, dict) and isinstance(real, dict):
        return {name: _shown(_child(node, name), item, real[name]) for name, item in raw.items()}
    if isinstance(raw, list) and isinstance(real, list):
        return [_shown(_child(node, i), item, real[i]) for i, item in enumerate(raw)]
    if not isinstance(raw, str) or "${" not in raw:
        return real
    with suppress(OmegaConfBaseException, ValueError, TypeError):
        blind = node._maybe_dereference_node(throw_on_resolution_failure=True)
        value = OmegaConf.to_container(blind, resolve=True) if isinstance(blind, Container) else blind._value()
        if value == real:
            return real
    return raw


def _child(node: Any, name: Any) -> Any:
    return node._get_node(name)
