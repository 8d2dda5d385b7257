"""Read each YAML file once for all the configs of a sweep."""

from __future__ import annotations

import copy
import pickle
from typing import Any

from hydra.core.config_loader import ConfigLoader


class _ReadOnce:
    """A source of YAML files that reads each once: to parse them is half of what Hydra does for a choice of groups.

    Args:
        source: a ``ConfigSource`` of Hydra's.
    """

    def __init__(self, source: Any) -> None:
        self._source, self._read = source, dict[str, bytes]()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __deepcopy__(self, memo: object) -> _ReadOnce:
        return self

    def __repr__(self) -> str:
        return repr(self._source)  # Hydra's messages name the sources so

    def load_config(self, config_path: str) -> Any:
        """What is in a file, anew for each caller: Hydra changes it."""
        if config_path not in self._read:
            self._read[config_path] = pickle.dumps(self._source.load_config(config_path))
        return pickle.loads(self._read[config_path])


def reading_once(loader: ConfigLoader) -> ConfigLoader:
    """The same loader, over the same files, each of which it reads once."""
    same: Any = copy.copy(loader)
    try:
        same.repository = copy.copy(same.repository)
        same.repository.sources = [
            _ReadOnce(source) if source.scheme() in ("file", "pkg") else source for source in same.repository.sources
        ]
    except AttributeError:  # another Hydra: let it read them for each job
        return loader
    return same
