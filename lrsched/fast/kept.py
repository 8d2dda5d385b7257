"""The figures of a sweep in its folder: several commands may read and write them at once."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from lrsched.checkpoint.lock import alone
from lrsched.config.walk import is_mapping
from lrsched.errors import UNSET, ConfigError, storage
from lrsched.fast.figures import Figures
from lrsched.records import RunFolder, write_json

FILE = "fast.json"

REMEDY = "take it away, and what is fastest is timed anew"


class Kept:
    """The figures of each work, in the folder of a sweep.

    Args:
        folder: of the sweep; made where there is something to keep.
    """

    def __init__(self, folder: Path) -> None:
        self._folder, self.path = folder, folder / FILE

    def read(self) -> dict[str, Figures]:
        """What the commands until now have timed.

        Raises:
            ConfigError: it cannot be read.
        """
        try:
            if self.path.exists() and not self.path.is_file():
                raise ConfigError(FILE, UNSET, "is no file")  # to read a pipe would wait for ever
            content = json.loads(self.path.read_text("utf-8"))
            if not is_mapping(content):
                raise ConfigError(FILE, content, "must be a mapping")
            return {str(work): Figures.of(each, str(work)) for work, each in content.items()}
        except FileNotFoundError:
            return {}
        except (OSError, ValueError, RecursionError) as error:
            raise self.damaged(" ".join(str(error).split())) from error

    def merge(self, mine: Mapping[str, Figures]) -> dict[str, Figures]:
        """Add figures to the file, and give all. Those of another command that was first count, for both commands.

        Raises:
            ConfigError: the file cannot be read.
            StorageError: the file system refused.
        """
        if not mine or RunFolder(self._folder).holds_a_run():  # the sweep will be refused: it is another's folder
            return dict(mine)
        with storage(f"{self.path} cannot be written"):
            self._folder.mkdir(parents=True, exist_ok=True)
            with alone(self.path):
                kept = self.read()
                found = {**mine, **kept}
                for work in mine.keys() & kept.keys():
                    found[work] = _with_compilation(kept[work], mine[work])
                if found != kept:
                    write_json(self.path, {work: each.plain() for work, each in found.items()})
                return found

    def damaged(self, reason: str) -> ConfigError:
        """The error of a file that was changed."""
        return ConfigError(str(self.path), UNSET, f"cannot be read: {reason}", REMEDY)


def _with_compilation(kept: Figures, mine: Figures) -> Figures:
    """The figures that are kept, with those of a compilation that was tried on top of them."""
    same = replace(mine, compiled_ms=None, compile_seconds=None, failed=kept.failed) == kept
    return mine if same and kept.compiled_ms is None else kept
