"""What a run is worth at a rung: what a copy of it reaches after a short cooldown from there.

The copies lie in ``.rungs`` of the sweep's folder. That of a run which stands at the rung begins with its state; one
that is beyond it already (an earlier sweep took it further) cannot give that state any more: its copy makes the steps
up to the rung anew, so that all are ranked after equally many steps.
"""

from __future__ import annotations

import json
import math
import os
import shutil
import time
from typing import Any

from lrsched.console import say
from lrsched.records import RunFolder
from lrsched.runs.resume import finished
from lrsched.runs.steps import FORK, stands_at
from lrsched.sweep.sweep import Planned

RUNGS = ".rungs"


def copy_at(run: RunFolder, rung: int) -> RunFolder:
    """The copy of a run at a rung, whole or not there."""
    path = run.path.parent / RUNGS / run.path.name / str(rung)
    if path.exists():
        return RunFolder(path)
    half = RunFolder(path.with_name(f"{path.name}.half"))
    shutil.rmtree(half.path, ignore_errors=True)
    if stands_at(run) == rung and not finished(run):
        own = (".lock", "result.json", "timing.jsonl", "tensorboard")
        shutil.copytree(run.path, half.path, ignore=shutil.ignore_patterns(*own))
        half.timing.write_text(json.dumps({"event": FORK, "time": time.time(), "step": rung}) + "\n")
    else:
        half.path.mkdir(parents=True)
        shutil.copy(run.config, half.config)
    os.replace(half.path, path)
    return RunFolder(path)


def score(run: Planned, copy: RunFolder) -> float:
    """The monitored metric, the less the better; infinite where the copy did not come to its end."""
    assert run.settings is not None
    result: dict[str, Any] = copy.read_result() or {}
    value = result.get("metrics", {}).get(run.settings.checkpoint.monitor)
    if value is None or not finished(copy):
        say(f"{run.entry.run_id}: its cooldown did not end: {result.get('reason', 'no result')}; it is ranked last")
        return math.inf
    return value if run.settings.checkpoint.mode == "min" else -value
