"""The newest valid checkpoint of a run, and the run as it was when that was made."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from lrsched.assembly.clock import Earlier
from lrsched.checkpoint.places import Checkpoint
from lrsched.checkpoint.store import Store
from lrsched.compose.nodes import copied, plain, put, raw
from lrsched.compose.stored import reaching_out
from lrsched.config.settings import Settings, settings
from lrsched.errors import CheckpointError
from lrsched.records import DATA
from lrsched.runs.initial import INITIAL
from lrsched.runs.lengthen import LENGTH
from lrsched.runs.request import RunRequest

if TYPE_CHECKING:
    from omegaconf import DictConfig

Record = dict[str, Any]


@dataclass(frozen=True)
class Newest:
    """The newest valid checkpoint: what it holds, what is wrong with newer ones, and the run as it was."""

    checkpoint: Checkpoint
    saved: dict[str, Any]
    complaints: list[str]
    earlier: Earlier

    @property
    def begun_with(self) -> str | None:
        """The hash of the weights' source that the run started from, or None."""
        return self.checkpoint.manifest.get(INITIAL)


def newest(run: Settings, request: RunRequest, store: Store) -> Newest:
    """Load the newest valid checkpoint.

    Args:
        run: the settings to go on with.
        request: its folder and its config.
        store: its checkpoints.

    Raises:
        CheckpointError: there is none.
    """
    checkpoint, saved, complaints = store.newest()
    before = settings_at(checkpoint, run, request)
    step, passed, data = int(saved.get("step", 0)), int(saved.get("passed", 0)), checkpoint.manifest.get(DATA)
    return Newest(checkpoint, saved, complaints, Earlier(before, step, passed, saved.get("clock"), data))


def settings_at(checkpoint: Checkpoint, run: Settings, request: RunRequest) -> Settings:
    """The settings that a checkpoint was made with: those of now, before the changes since."""
    made = run.checkpoint.changes[len(records(checkpoint.manifest, "changes")) :]
    changed = [asdict(change) for change in made if DATA not in change.keys]
    return settings(plain(undone(request.config, changed)), request.context.objects) if changed else run


def records(manifest: Mapping[str, Any], name: str) -> list[Record]:
    found = manifest.get(name, [])
    if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
        raise CheckpointError(f"a manifest's {name} is not a list of records: {found}")
    return list(found)


def undone(config: DictConfig, changes: Sequence[Record]) -> DictConfig:
    """The config as it was before these changes."""
    before = copied(config)
    for change in reversed(changes):
        for key, (old, _) in change["keys"].items():
            put(before, key, old)
    lengthened = sum(any(key in LENGTH for key in change["keys"]) for change in changes)
    extensions = raw(before, "trainer.extensions") or []
    put(before, "trainer.extensions", extensions[: len(extensions) - lengthened])
    if reaching_out(before).keys() - reaching_out(config).keys():
        raise CheckpointError("a config may not have asked for the environment before it was changed")
    return before
