"""``lrsched schema``: JSON schemas of every YAML, by which an editor knows keys, types, ranges and choices."""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from pathlib import Path

from lrsched.cli.command import Parser, exit_code
from lrsched.compose.choices import own_folders, refuse_hidden
from lrsched.config.project import CONF
from lrsched.console import say, tell
from lrsched.errors import UNSET, ConfigError, storage
from lrsched.records import make_folder, replaced, write_atomically
from lrsched.units import count

ABOUT = "Write the JSON schemas of every YAML: keys, types, ranges, choices, and the comments as descriptions."
EPILOG = """\
examples:
  lrsched schema                    of conf/, into conf/.schemas
  lrsched schema my_conf --lines    and name them in each YAML file of my_conf

Editors with yaml-language-server (VS Code's YAML extension by Red Hat, Neovim, Emacs, …) read the line

  # yaml-language-server: $schema=../.schemas/scheduler.json

at the top of a file: they complete keys and choices, explain them, and mark what the command line would refuse. Classes
of your own are known where their module is trusted. Run it again when they change.

--lines leaves alone what is no config of lrsched (a docker-compose.yaml, .github), and files that are links elsewhere.

exit code: 0 done; 2 no folder of YAML files, or one of them is no config; 6 the file system refused.
"""


def main(arguments: Sequence[str]) -> int:
    """Run the command; return its exit code."""
    return exit_code(lambda: _run(arguments))


def _run(arguments: Sequence[str]) -> None:
    options = parser().parse_intermixed_args(arguments)
    folder: Path = options.folder or Path(CONF)
    if not folder.is_dir():
        given = UNSET if options.folder is None else str(folder)
        rule = f"there is no folder {folder} here" if options.folder is None else "is no folder"
        raise ConfigError("FOLDER", given, rule, "name the folder of your YAML files, as lrsched schema my_conf")
    with storage(f"{folder} cannot be read", folder):
        from lrsched.schemas.files import FOLDER, files_in  # imports torch
        from lrsched.schemas.folder import schemas

        found = files_in(folder)
        files = [file for file in found if file.schema]
        if not files:
            rule = "holds no YAML file of a config group, as scheduler/my_own.yaml"
            raise ConfigError("FOLDER", str(folder), rule, "name the folder above the groups")
        refuse_hidden(str(folder), "FOLDER")
        if (folder / FOLDER).is_symlink():
            rule = "is a link, and what it leads to would be written over"
            raise ConfigError(str(folder / FOLDER), UNSET, rule, "remove it")
        ours = [own for own in own_folders() if not own.samefile(folder)]
        texts = schemas([folder, *ours], say)
    unnamed = [file for file in files if file.lined() != file.text]
    linked = [file for file in unnamed if file.place.is_symlink()]
    with storage(f"{folder / FOLDER} cannot be written", folder / FOLDER):
        make_folder(folder / FOLDER)
        for name, text in texts.items():
            write_atomically(folder / FOLDER / name, text.encode())
    tell(f"{folder / FOLDER}: {count(len(texts), 'schema')} for {count(len(files), 'file')}")
    if options.lines:
        with storage(f"{folder} cannot be written", folder):
            for file in unnamed:
                if file not in linked:
                    _rewrite(file.place, file.lined())
        if linked:
            tell(f"left alone, as a link to another file: {', '.join(str(file.place) for file in linked)}")
        if len(found) > len(files):
            tell(f"left alone, as no config of lrsched: {count(len(found) - len(files), 'YAML file')}")
    elif len(unnamed) > len(linked):
        named = count(len(unnamed) - len(linked), "file")
        tell(f"{named} of them name none yet: lrsched schema {folder} --lines adds the line")


def _rewrite(place: Path, text: str) -> None:
    """Write a file anew, whole or not at all; who may read it stays."""
    mode = stat.S_IMODE(place.stat().st_mode)
    with replaced(place, 0o600) as (descriptor, _), open(descriptor, "wb", closefd=False) as file:
        os.fchmod(descriptor, mode)
        file.write(text.encode())


def parser() -> Parser:
    """What the command takes."""
    found = Parser("schema", description=ABOUT, epilog=EPILOG)
    found.add_argument("folder", type=Path, nargs="?", metavar="FOLDER", help=f"of YAML files; default: {CONF}")
    found.add_argument("--lines", action="store_true", help="add the line that names its schema to each file")
    return found
