"""``lrsched new``: make a project of one's own that runs at once."""

from __future__ import annotations

import keyword
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from importlib.resources import files
from importlib.resources.abc import Traversable
from importlib.util import find_spec
from pathlib import Path

from lrsched.cli.command import Parser, exit_code
from lrsched.console import tell
from lrsched.errors import ConfigError, storage
from lrsched.records import write_atomically

PLACEHOLDER = "my_project"
"""Stands for the project's name in the files to copy, and in their paths."""

SUFFIX = ".in"
"""Of each file to copy: so that no tool takes it for one of ours."""

NEXT = """\
{folder}: one data set, model, task and schedule of your own, a YAML for each, and a test.

  cd {folder}
  pip install -e '.[test]'
  python train.py experiment=spirals
  pytest

README.md says what is where."""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    return exit_code(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> None:
    folder: Path = parser().parse_intermixed_args(arguments).folder
    begin(folder)
    # In a process of its own, whose folder is the project's: its classes are imported.
    subprocess.run([sys.executable, "-m", "lrsched", "schema"], cwd=folder, stdout=subprocess.DEVNULL, check=False)
    tell(NEXT.format(folder=shlex.quote(str(folder))))


def parser() -> Parser:
    """What the command takes."""
    found = Parser("new", description="Make a project of your own that runs at once.")
    found.add_argument("folder", type=Path, metavar="FOLDER", help="is made; its name is the project's")
    return found


def begin(folder: Path) -> None:
    """Make a project in a new or an empty folder, whole or not at all.

    Raises:
        ConfigError: its name cannot be a package's, or there is something in it.
        StorageError: it cannot be written.
    """
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise ConfigError("FOLDER", str(folder), "is a file; name a folder that is not there yet")
    if folder.is_dir() and any(folder.iterdir()):
        raise ConfigError("FOLDER", str(folder), "is not empty; name a folder that is not there yet")
    name = package_name(folder)
    with storage(f"{folder} cannot be made"):
        folder.parent.mkdir(parents=True, exist_ok=True)
        made = Path(tempfile.mkdtemp(prefix=f".{name}-", dir=folder.absolute().parent))
        try:
            _copy(files("lrsched") / "starter", made, name)
            made.chmod(0o755)  # mkdtemp's is the user's alone
            if folder.is_dir():  # perhaps the one that the user is in
                for item in sorted(made.iterdir()):
                    item.replace(folder / item.name)
                made.rmdir()
            else:
                made.replace(folder)
        except BaseException:
            shutil.rmtree(made, ignore_errors=True)
            raise


def package_name(folder: Path) -> str:
    """The name of a project's package: the folder's, with ``_`` for ``-``.

    Raises:
        ConfigError: no module can have that name, or another has it already.

    >>> package_name(Path("research/my-nets"))
    'my_nets'
    """
    name = folder.absolute().name.replace("-", "_")
    if not (name.isascii() and name.isidentifier()) or keyword.iskeyword(name):
        rule = "its last part is the name of a package: letters, digits and _, and no digit first"
        raise ConfigError("FOLDER", str(folder), rule, "as in lrsched new my_project")
    if name in ("conf", "tests", "train", "data", "outputs") or _is_taken(name):
        raise ConfigError("FOLDER", str(folder), f"there is a module {name} already; give it another name")
    return name


def _is_taken(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ValueError:  # __main__ has none
        return True


def _copy(source: Traversable, target: Path, name: str) -> None:
    """Copy a folder of the starter, with the project's name in it."""
    for item in source.iterdir():
        path = target / item.name.replace(PLACEHOLDER, name)
        if item.is_dir():
            if not item.name.startswith("_"):
                path.mkdir()
                _copy(item, path, name)
        elif item.name.endswith(SUFFIX):
            path = path.with_name(path.name.removesuffix(SUFFIX).replace("gitignore", ".gitignore"))
            write_atomically(path, item.read_text("utf-8").replace(PLACEHOLDER, name).encode())
