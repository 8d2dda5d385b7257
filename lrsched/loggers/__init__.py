"""Loggers read the rows of a run, never the model. No torch here.

A run may have several; none of them can change it::

    logger.open(run)       once, before the first row
    logger.write(row)      for every row of metrics.jsonl
    logger.show(…)         for every picture and text that the task shows
    logger.flush()         after every evaluation and before every checkpoint
    logger.saved(step)     after every checkpoint: no row before it is taken back
    logger.close(metrics)  once, however the run ends

A newcomer writes one file with a subclass of :class:`Logger` and one YAML in ``conf/logger``.
"""

from lrsched.loggers.base import Logger, Row, RunInfo
from lrsched.shelf import shelf

__getattr__, __dir__ = shelf(__name__)
__all__ = ["Logger", "Row", "RunInfo"]  # and every class of the shelf, by name
