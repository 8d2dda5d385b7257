"""Optimizers that torch lacks; YAML names torch's own directly (``_target_: torch.optim.SGD``).

A newcomer writes one file with a ``torch.optim.Optimizer`` and one YAML in ``conf/optimizer``.
"""

from lrsched.shelf import shelf

__getattr__, __dir__ = shelf(__name__)
