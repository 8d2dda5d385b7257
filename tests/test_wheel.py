"""A wheel built from the tree holds all of it, and trains where there is nothing but the wheel."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lrsched

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ("lrsched", "conf")
FILES = ("pyproject.toml", "setup.py", "README.md", "LICENSE")

pytest.importorskip("setuptools", minversion="77", reason="a wheel is built by setuptools 77 or newer")


def call(*command: str | Path, cwd: Path) -> str:
    """Run a command that must succeed, in an environment that knows nothing of this tree."""
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, f"{command}:\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of a copy of the tree, so that building leaves nothing in this one."""
    copy = tmp_path_factory.mktemp("tree")
    for name in SOURCES:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, copy)
    build = "from setuptools import build_meta; print(build_meta.build_wheel('dist'))"
    name = call(sys.executable, "-c", build, cwd=copy).splitlines()[-1]
    return copy / "dist" / name


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of commands of a fresh environment: the wheel, and the packages of this one that it needs."""
    environment = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", environment, cwd=environment)
    python = environment / "bin" / "python"
    packages = call(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", cwd=environment).strip()
    ours = [path for path in sys.path if Path(path).name in ("site-packages", "dist-packages")]
    Path(packages, "packages_of_the_tests.pth").write_text("\n".join(ours), "utf-8")
    pip = (sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--disable-pip-version-check")
    call(*pip, "--no-deps", "--no-index", "--ignore-installed", wheel, cwd=environment)
    return environment / "bin"


def test_a_wheel_holds_every_module_every_yaml_and_the_marker_of_types(wheel: Path) -> None:
    modules = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lrsched").rglob("*.py")}
    configs = {path.relative_to(ROOT).as_posix() for path in (ROOT / "conf").rglob("*") if path.suffix != ".pyc"}
    files = {f"lrsched/{name}" for name in configs if Path(name).suffix in (".yaml", ".json", ".py")}
    held = set(zipfile.ZipFile(wheel).namelist())
    packed = {name for name in held if ".dist-info/" not in name}
    starter = {path.relative_to(ROOT).as_posix() for path in (ROOT / "lrsched" / "starter").rglob("*.in")}
    page = ROOT / "lrsched" / "page"
    parts = {path.relative_to(ROOT).as_posix() for path in page.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert packed == modules | files | starter | parts | {"lrsched/py.typed"}


def test_the_version_is_said_once(wheel: Path) -> None:
    assert wheel.name.split("-")[:2] == ["hydra_lrsched", lrsched.__version__]
    assert lrsched.__version__ not in (ROOT / "pyproject.toml").read_text("utf-8").split("dependencies")[0]


def test_an_installed_wheel_trains_from_an_empty_folder(installed: Path, tmp_path: Path) -> None:
    code = "import lrsched, lrsched.conf; print(lrsched.__file__, lrsched.conf.__file__)"
    for place in call(installed / "python", "-c", code, cwd=tmp_path).split():
        assert Path(place).is_relative_to(installed.parent)
    call(installed / "lrsched", "train", "trainer.epochs=1", "name=first", "trainer.progress=false", cwd=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
    result = json.loads((tmp_path / "outputs/first/result.json").read_text("utf-8"))
    assert result["status"] == "finished"
    call(installed / "lrsched", "report", "outputs/first", "--html", "first.html", cwd=tmp_path)
    page = (tmp_path / "first.html").read_text("utf-8")
    assert all(part in page for part in ("<h1>first</h1>", '<svg viewBox="0 0 520', "uPlot", "--ground"))


def test_an_installed_wheel_says_what_it_can_do(installed: Path, tmp_path: Path) -> None:
    assert "lrsched train" in call(installed / "lrsched", "--help", cwd=tmp_path)
    assert call(installed / "python", "-m", "lrsched", cwd=tmp_path) == call(installed / "lrsched", cwd=tmp_path)
    assert "cosine" in call(installed / "python", "-m", "lrsched", "preview", cwd=tmp_path)
    assert "scheduler" in call(installed / "lrsched", "train", "--help", cwd=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_run_of_the_module_says_how_to_go_on_with_it(installed: Path, tmp_path: Path) -> None:
    run = ("trainer.epochs=1", "name=first", "trainer.progress=false")
    said = call(installed / "python", "-m", "lrsched", "train", *run, cwd=tmp_path)
    assert "python -m lrsched train resume=outputs/first" in said
    call(installed / "python", "-m", "lrsched", "train", "resume=outputs/first", cwd=tmp_path)
