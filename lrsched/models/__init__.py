"""Models: image classifiers; each network has one small file and one reference.

A model is an ``nn.Module``. The trainer builds it with ``input_shape`` (C, H, W), ``classes`` and the
parameters in its YAML. It takes x float32 [B, C, H, W] and returns logits [B, classes]::

    >>> import torch
    >>> from lrsched.models import MLP
    >>> MLP((1, 28, 28), 10)(torch.zeros(64, 1, 28, 28)).shape
    torch.Size([64, 10])

Dropout draws from torch's default generator, which the trainer seeds for each micro-batch: a model has
no random state.
"""

from lrsched.shelf import shelf

__getattr__, __dir__ = shelf(__name__)
