"""Tasks: what a model is asked, and what its answer is worth.

A task is a frozen dataclass beside the model, in a small file of its own: it holds no model, no data and no counter.
It speaks in sums and weights, so that a mean is right whatever the batches were. ::

    >>> from lrsched.tasks import Classification
    >>> dict(Classification().better)
    {'loss': 'min', 'accuracy': 'max'}
"""

from lrsched.shelf import shelf

__getattr__, __dir__ = shelf(__name__)
