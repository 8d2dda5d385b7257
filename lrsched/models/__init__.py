"""Models: each network has one small file and one reference.

A model is an ``nn.Module``. The trainer builds it with the parameters in its YAML, and with those facts of data and
task that it has parameters for: ``input_shape`` (of a sample, without the batch), ``outputs`` (how many numbers the
task wants for a sample), ``classes``, ``vocabulary``, ``context``. ::

    >>> import torch
    >>> from lrsched.models import MLP
    >>> MLP((1, 28, 28), 10)(torch.zeros(64, 1, 28, 28)).shape
    torch.Size([64, 10])
    >>> MLP((10,), outputs=1)(torch.zeros(64, 10)).shape
    torch.Size([64, 1])

Dropout draws from torch's default generator, which the trainer seeds for each micro-batch: a model has
no random state.
"""

from lrsched.shelf import shelf

__getattr__, __dir__ = shelf(__name__)
