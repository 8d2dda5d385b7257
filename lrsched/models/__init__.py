"""Models: image classifiers, one network, one small file, one reference.

A model is an ``nn.Module`` that the trainer builds with ``input_shape`` (C, H, W) and ``classes``, and
the YAML with its own parameters. It takes x float32 [B, C, H, W] and returns logits [B, classes]::

    >>> import torch
    >>> from lrsched.models import MLP
    >>> MLP((1, 28, 28), 10)(torch.zeros(64, 1, 28, 28)).shape
    torch.Size([64, 10])

Dropout draws from torch's default generator, which the trainer seeds anew for each micro-batch, so that
a model has no randomness of its own to remember.
"""

from lrsched.shelf import shelf

__getattr__, __dir__ = shelf(__name__)
