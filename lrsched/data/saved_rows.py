"""Count the rows of data sets that ``datasets`` saved, without that package and without loading them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lrsched.data.counts import Counted

SAVED = "lrsched.data.HuggingFace"


def saved_rows(arguments: Mapping[str, Any]) -> Counted | None:
    """Count the samples of ``dataset=torch`` whose training part is saved rows; None: the data alone tell.

    Args:
        arguments: of the data set, as its node has them: ``train``, ``validation`` and ``test``.
    """
    parts = {name: arguments.get(name) for name in ("train", "validation", "test")}
    train = _rows(parts["train"])
    return None if train is None else Counted(train, parts["test"] is not None, parts["validation"] is not None)


def _rows(node: Any) -> int | None:
    """The rows of a data set on disk, by the heads of its memory-mapped batches; None where these do not tell."""
    if not isinstance(node, Mapping) or node.get("_target_") != SAVED:
        return None
    try:
        from pyarrow import ipc, memory_map  # comes with datasets

        folder = Path(str(node["path"]))
        if (folder / "dataset_dict.json").exists():
            folder /= str(node["split"])
        state = json.loads((folder / "state.json").read_text("utf-8"))
        if state.get("_indices_files") or state.get("_indices_data_files"):
            return None  # a choice of the rows, in files of its own
        found = 0
        for file in state["_data_files"]:
            with memory_map(str(folder / file["filename"])) as source:
                found += sum(batch.num_rows for batch in ipc.open_stream(source))
    except (ImportError, OSError, ValueError, KeyError, TypeError):
        return None  # loading it says what is wrong
    return found or None
