"""Keep values of the environment out of files: ``${oc.env:…}`` is written as that text."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException
from omegaconf.resolvers import oc

SHORTEST = 6
"""Fewer characters (``1``, ``data``) are no secret, and occur in every text."""


def unmasked(config: DictConfig) -> tuple[dict[str, Any], dict[str, str]]:
    """The config as a file may show it, and what to replace in any other text.

    Returns:
        The config as plain dicts and lists, resolved; a value that depends on the environment is the text that
        was composed. And a mapping from each value of the environment to the text that stands for it.
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
    """A text, or every text in a result, without values of the environment."""
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
    """Answer ``${oc.env:…}`` by another resolver, in the whole process: OmegaConf has no narrower place."""
    OmegaConf.register_new_resolver("oc.env", resolver, replace=True)
    try:
        yield
    finally:
        OmegaConf.register_new_resolver("oc.env", oc.env, replace=True)


def _shown(config: Any, raw: Any, real: Any) -> Any:
    """``real``, but ``raw`` for each value that differs while the environment answers with its own text."""
    if isinstance(raw, dict) and isinstance(real, dict):
        return {name: _shown_at(config, name, item, real[name]) for name, item in raw.items()}
    if isinstance(raw, list) and isinstance(real, list):
        return [_shown_at(config, i, item, real[i]) for i, item in enumerate(raw)]
    return real


def _shown_at(config: Any, name: Any, raw: Any, real: Any) -> Any:
    if not isinstance(raw, str):
        return _shown(config[name], raw, real)
    if "${" in raw:
        with suppress(OmegaConfBaseException, ValueError, TypeError):
            value = config[name]
            value = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
            return real if value == real else raw
        return raw
    return real
