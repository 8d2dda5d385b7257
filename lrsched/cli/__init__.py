"""The composition root: config in, Trainer out. The only room that knows Hydra.

Nothing here imports torch before a run is to be made, so that ``--help``, ``--cfg job`` and TAB
completion answer at once.
"""

from lrsched.cli.door import open_door, task

__all__ = ["open_door", "task"]
