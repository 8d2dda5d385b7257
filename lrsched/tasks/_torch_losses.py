"""What the losses of PyTorch take: which targets, which arguments, and which of them are no task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from torch import Tensor

from lrsched.data.data import form, is_whole
from lrsched.errors import DataError
from lrsched.tasks._checks import check_constant, check_range, check_sample_weights, check_values, targets

if TYPE_CHECKING:
    from lrsched.data.data import Data

LABELLED = ("CrossEntropyLoss", "NLLLoss")
"""Losses of labels [B, …] with outputs [B, classes, …]: the mean is over the labels that count."""

ONE_LABEL = (*LABELLED, "MultiMarginLoss")
"""Losses of one label a sample or a place."""

INDICES = "MultiLabelMarginLoss"
"""Targets are the labels of a sample in a row, which −1 ends."""

DIVERGENCE = "KLDivLoss"
"""Its mean is over all numbers, or with ``reduction: batchmean`` over samples."""

IGNORED = -100
"""The label that PyTorch ignores unless it is told another one."""

TENSORS = ("weight", "pos_weight")
"""Arguments that are tensors: a number for each class or target."""

NOT_TAKEN = ("size_average", "reduce")
"""Arguments that PyTorch gave up."""

REFUSED = {
    "CTCLoss": "takes the lengths of inputs and targets too",
    "CosineEmbeddingLoss": "takes two inputs and a target",
    "GaussianNLLLoss": "takes a variance too",
    "LinearCrossEntropyLoss": "has weights of its own to train",
    "MarginRankingLoss": "takes two inputs and a target",
    "NLLLoss2d": "is an old name of NLLLoss",
    "TripletMarginLoss": "takes an anchor, a positive and a negative",
    "TripletMarginWithDistanceLoss": "takes an anchor, a positive and a negative",
}

_SIGNS = ("SoftMarginLoss", "HingeEmbeddingLoss")
_FRACTIONS = ("BCELoss", "BCEWithLogitsLoss", "MultiLabelSoftMarginLoss")
_RULES = {
    **dict.fromkeys(_SIGNS, "targets are −1 and 1"),
    **dict.fromkeys(_FRACTIONS, "targets lie between 0 and 1"),
    "PoissonNLLLoss": "targets are counts, at least 0",
    DIVERGENCE: "targets are probabilities, at least 0",
    INDICES: "targets are labels in a row, and −1 after the last",
}


def check_torch_targets(name: str, arguments: Mapping[str, Any], data: Data) -> None:
    """Require targets that a loss is defined for, and that are not constant.

    Args:
        name: of the loss.
        arguments: of the loss, by name.
        data: the samples.

    Raises:
        DataError: names the sample and its target.
    """
    for number, (what, y) in enumerate(targets(data)):
        labels = name == INDICES or (name in ONE_LABEL and not (name == "CrossEntropyLoss" and y.is_floating_point()))
        if y.is_complex() or (labels and not is_whole(y)):
            raise DataError(f"{what}: targets must be {'whole' if labels else 'real'} numbers, not {form(y)}")
        if name in _RULES and not arguments.get("log_target"):
            check_values(what, y, _right(name, y), _RULES[name])
        elif labels:
            check_range(what, y, data.facts.get("classes"), arguments.get("ignore_index", IGNORED))
        if not number:
            check_constant(what, y.flatten())
    check_sample_weights(data)


def _right(name: str, y: Tensor) -> Tensor:
    if name in _SIGNS:
        return (y == 1) | (y == -1)
    least = -1 if name == INDICES else 0
    return (y >= least) & (y <= 1) if name in _FRACTIONS else y >= least
