"""Importing a module of ours changes nothing in the process, and needs no extra."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MODULES = sorted(
    ".".join(part for part in path.relative_to(ROOT).with_suffix("").parts if part != "__init__")
    for path in (ROOT / "lrsched").rglob("*.py")
)
EXTRAS = {
    "accelerate": "accelerate",
    "alembic": "alembic",
    "axe-playwright-python": "axe_playwright_python",
    "boto3": "boto3",
    "cloudpickle": "",  # Hydra's launchers and scikit-learn's joblib bring it too
    "datasets": "datasets",
    "furo": "furo",
    "fvcore": "fvcore",
    "hydra-joblib-launcher": "hydra_plugins.hydra_joblib_launcher",
    "hydra-ray-launcher": "hydra_plugins.hydra_ray_launcher",
    "hydra-submitit-launcher": "hydra_plugins.hydra_submitit_launcher",
    "hypothesis": "hypothesis",
    "ipykernel": "ipykernel",
    "jsonschema": "jsonschema",
    "jupytext": "jupytext",
    "keras": "keras",
    "matplotlib": "matplotlib",
    "mlflow-skinny": "mlflow",
    "myst-nb": "myst_nb",
    "nbclient": "nbclient",
    "optax": "optax",
    "optuna": "optuna",
    "playwright": "playwright",
    "pytest": "pytest",
    "pytest-xdist": "xdist",
    "pytorch-lightning": "pytorch_lightning",
    "ray": "ray",
    "safetensors": "safetensors",
    "schedulefree": "schedulefree",
    "scipy": "",  # scikit-learn needs it
    "setuptools": "",  # torch needs it
    "sphinx": "sphinx",
    "sphinxcontrib-bibtex": "sphinxcontrib.bibtex",
    "sqlalchemy": "sqlalchemy",
    "submitit": "submitit",
    "timm": "timm",
    "torchmetrics": "torchmetrics",
    "transformers": "transformers",
    "wandb": "wandb",
}
"""What an extra installs, and the module to hide; nothing where a dependency of ours brings it as well."""

SCRIPT = """
import argparse, importlib, json, os, signal, sys

from importlib.machinery import PathFinder

class WithoutExtras(PathFinder):
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        return None if name in HIDDEN else super().find_spec(name, path, target)

sys.meta_path[:] = [WithoutExtras if finder is PathFinder else finder for finder in sys.meta_path]

import hydra
import torch
from hydra.core.config_store import ConfigStore
from hydra.core.plugins import Plugins
from omegaconf.basecontainer import BaseContainer

Plugins.instance()  # Hydra's own plugins put their configs in store when they are imported

def names(node):
    return {name: names(inner) for name, inner in node.items()} if isinstance(node, dict) else id(node)

def state():
    return {
        "ConfigStore": names(ConfigStore.instance().repo),
        "resolvers": {name: id(resolver) for name, resolver in BaseContainer._resolvers.items()},
        "sys.path": list(sys.path),
        "sys.argv": list(sys.argv),
        "argparse": {name: id(value) for name, value in vars(argparse.ArgumentParser).items()},
        "streams": [id(sys.stdin), id(sys.stdout), id(sys.stderr)],
        "signals": {number: repr(signal.getsignal(number)) for number in signal.valid_signals()},
        "environment": dict(os.environ),
        "threads": torch.get_num_threads(),
    }

found = {}
before = state()
for name in MODULES:
    try:
        importlib.import_module(name)
    except ImportError as error:
        found[name] = [f"cannot be imported: {error}"]
        continue
    after = state()
    found[name] = [part for part in before if before[part] != after[part]]
    before = after
print(json.dumps(found))
"""


@cache
def changes(modules: tuple[str, ...], place: Path = ROOT) -> dict[str, list[str]]:
    """What the import of each module changes, in turn, in a process of its own without any extra."""
    script = f"HIDDEN = {sorted(filter(None, EXTRAS.values()))!r}\nMODULES = {modules!r}\n{SCRIPT}"
    done = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(place)])},
        cwd=ROOT,
        timeout=300,
    )
    return json.loads(done.stdout) if done.returncode == 0 else {module: [done.stderr] for module in modules}


def test_every_extra_is_hidden() -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {re.split(r"[\[<>=! ]", line)[0] for extra, lines in extras.items() if extra != "dev" for line in lines}
    assert named - {"hydra-lrsched"} == set(EXTRAS)


@pytest.mark.parametrize("module", MODULES)
def test_importing_a_module_changes_nothing_and_needs_no_extra(module: str) -> None:
    found = changes(tuple(MODULES))[module]
    assert not found


def test_a_change_is_seen(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(
        "import argparse, os, signal, sys\n"
        "from hydra.core.config_store import ConfigStore\n"
        "from omegaconf import OmegaConf\n"
        "import lrsched\n"
        "sys.path.append('/nowhere')\n"
        "ConfigStore.instance().store(name='loud', node={})\n"
        "OmegaConf.register_new_resolver('loud', lambda: 1)\n"
        "argparse.ArgumentParser.loud = 1\n"
        "signal.signal(signal.SIGUSR1, lambda *_: None)\n"
    )
    (tmp_path / "lame.py").write_text("import matplotlib.figure\n")

    found = changes(("loud", "lame"), tmp_path)
    assert found["loud"] == ["ConfigStore", "resolvers", "sys.path", "argparse", "signals"]
    assert "No module named 'matplotlib'" in found["lame"][0]
