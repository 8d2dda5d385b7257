"""Run the commands: their flags, their exit codes, and the function that Hydra calls.

Nothing here imports torch before it makes a run, so ``--help``, ``--cfg job`` and TAB completion answer at once.
"""

from lrsched.cli.job import run_config
from lrsched.cli.train import open_door

__all__ = ["open_door", "run_config"]
