"""Averages of the weights over a run, each a table over its updates.

A newcomer writes one file with an :class:`~lrsched.averages.base.Average` and one YAML in ``conf/average``.
"""

from lrsched.shelf import shelf

__getattr__, __dir__ = shelf(__name__)
