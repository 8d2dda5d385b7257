"""Hydra reads and merges the same YAML files once in a test process, not anew for each command of each test.

Which files a command line chooses, and what they hold together, depends on its choices, on the files and on the
ConfigStore; and the files of this tree do not change while it is tested. So all of it is kept, pickled, by what it
depends on. Hydra still parses each command line, checks it and applies its values. Where a folder of configs lies
elsewhere, as with ``--config-dir``, nothing is kept.

Hydra also composes each command line twice, the first time only to look at ``hydra.mode``. No key of ours with a
point in its name sets that, nor does a name or a seed; so what the other words of a command line say of it is kept too.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

from hydra._internal import defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository
from hydra._internal.hydra import Hydra
from hydra.core.config_store import ConfigStore

ROOT = Path(__file__).resolve().parents[2]


class RememberedFiles:
    """What Hydra made of the files; ``on`` is False where it is to read them anew."""

    def __init__(self) -> None:
        self.on = True
        self._kept: dict[Any, bytes] = {}
        self._nodes: dict[Any, Any] = {}

    def install(self) -> None:
        """Make Hydra ask here first, in this process and those that it forks."""
        load, store, mode = ConfigRepository.load_config, ConfigStore.store, Hydra.get_mode
        choose: Any = defaults_list._create_defaults_list
        merge: Any = ConfigLoaderImpl._compose_config_from_defaults_list

        def load_config(repo: Any, config_path: str) -> Any:
            return self._once(repo, ("load", config_path), lambda: load(repo, config_path))

        def create(repo: Any, config_name: str | None, overrides: Any, **options: bool) -> Any:
            choices = {name: value for name, value in vars(overrides).items() if name != "config_overrides"}

            def make() -> Any:
                found = choose(repo, config_name, overrides, **options)
                return found, {name: vars(overrides)[name] for name in choices}

            key = ("choose", config_name, pickle.dumps(choices), *options.items())
            found, after = self._once(repo, key, make)
            vars(overrides).update(after)  # the choices that there are, and those that were used
            return found

        def compose(loader: Any, defaults: list[Any], repo: Any) -> Any:
            key = ("merge", *(tuple(vars(default).items()) for default in defaults))
            return _at_this_moment(self._once(repo, key, lambda: merge(loader, defaults, repo)))

        def copy_lightly(caching: Any, delegate: Any) -> None:
            caching.delegate, caching.cache = copy.copy(delegate), {}  # Hydra copies the whole ConfigStore with it

        def store_and_forget(configs: Any, name: str, node: Any, *place: Any, **more: Any) -> None:
            key = (name, *map(str, place), *map(str, more.items()))
            if self._nodes.get(key) is node and f"{name}.yaml" in configs.repo:
                return  # it is there already: each command stores the schema
            self._kept.clear()
            self._nodes[key] = node
            store(configs, name, node, *place, **more)

        def get_mode(hydra: Any, config_name: str | None, overrides: list[str]) -> Any:
            words = [word for word in overrides if _may_set_hydra(word)]
            repo, key = hydra.config_loader.repository, ("mode", config_name, *words)
            if any("searchpath" in word for word in words):
                return mode(hydra, config_name, overrides)
            few = self._once(repo, key, lambda: mode(hydra, config_name, words))
            return few and mode(hydra, config_name, overrides)  # None, too, where a word is wrong

        replacements: list[tuple[Any, str, Any]] = [
            (ConfigRepository, "load_config", load_config),
            (CachingConfigRepository, "__init__", copy_lightly),
            (ConfigLoaderImpl, "_compose_config_from_defaults_list", compose),
            (ConfigStore, "store", store_and_forget),
            (Hydra, "get_mode", get_mode),
            (defaults_list, "_create_defaults_list", create),
        ]
        for owner, name, function in replacements:
            setattr(owner, name, function)

    def _once(self, repo: Any, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        sources = tuple((source.provider, source.scheme(), source.path) for source in repo.get_sources())
        inside = all(scheme != "file" or Path(path).is_relative_to(ROOT) for _, scheme, path in sources)
        if not (self.on and inside):
            return make()
        if (sources, key) not in self._kept:
            self._kept[sources, key] = pickle.dumps(make())
        return pickle.loads(self._kept[sources, key])


def _may_set_hydra(word: str) -> bool:
    key = word.partition("=")[0]
    return key.startswith("hydra") or not ("." in key or key in ("name", "resume", "seed"))


def _at_this_moment(config: Any) -> Any:
    """The config with the times of ``${now:}`` that Hydra met when it merged the files."""
    resolved = config._metadata.resolver_cache
    assert set(resolved) <= {"now"}
    for pattern in resolved.get("now", ()):
        resolved["now"][pattern] = datetime.now().strftime(*pattern)
    return config
