"""Hydra reads and merges the same YAML files once in a test process, not anew for each command of each test.

Which files a command line chooses, and what they hold together, depends on its choices, on the files and on the
ConfigStore; and the files of this tree do not change while it is tested. So all of it is kept, pickled, by what it
depends on. Hydra still parses each command line, checks it and applies its values. A small folder of configs that lies
elsewhere, as with ``--config-dir``, is read each time, and stands for what it holds; with a large one, only what was
made of a file of this tree is kept.

Hydra also composes each command line twice, the first time only to look at ``hydra.mode``. No key of ours with a
point in its name sets that, nor does a name or a seed; so what the other words of a command line say of it is kept too.
"""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from hydra._internal import defaults_list
from hydra._internal.config_loader_impl import ConfigLoaderImpl
from hydra._internal.config_repository import CachingConfigRepository, ConfigRepository
from hydra._internal.hydra import Hydra
from hydra.core.config_store import ConfigStore
from hydra.core.object_type import ObjectType

MOST = 30
"""Files and folders that are compared, at most."""

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
            found = repo._find_object_source(config_path, ObjectType.CONFIG)
            if found is None or not (self.on and _is_ours(found)):
                return load(repo, config_path)
            place = (found.provider, found.scheme(), found.path)
            return self._kept_at((place, "load", config_path), lambda: load(repo, config_path))

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
        sources = tuple(map(_known_by, repo.get_sources()))
        return self._kept_at((sources, key), make) if self.on and None not in sources else make()

    def _kept_at(self, key: tuple[Any, ...], make: Callable[[], Any]) -> Any:
        if key not in self._kept:
            made = make()
            try:
                self._kept[key] = pickle.dumps(made)
            except (AttributeError, TypeError, pickle.PicklingError):  # types of a class that a test defines
                return made
        return pickle.loads(self._kept[key])


def _is_ours(source: Any) -> bool:
    return source.scheme() != "file" or Path(source.path).is_relative_to(ROOT)


def _known_by(source: Any) -> tuple[Any, ...] | None:
    """What tells a source from others: its place if it is in this tree, or else what it holds; None if that is much."""
    if _is_ours(source):
        return source.provider, source.scheme(), source.path
    folder = Path(source.path)
    paths = sorted(islice(folder.rglob("*"), MOST + 1))
    if len(paths) > MOST:
        return None
    texts = [path.read_bytes() if path.is_file() and path.suffix == ".yaml" else path.is_dir() for path in paths]
    return source.provider, folder.is_dir(), *zip((path.relative_to(folder) for path in paths), texts, strict=True)


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
