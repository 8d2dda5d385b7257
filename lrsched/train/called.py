"""Say which batch a model could not be called with, where the error passes no line of a user's own."""

from __future__ import annotations

from types import TracebackType

from torch import nn

from lrsched.config.blame import CodeError, is_of_a_call, raised
from lrsched.data.batch import Batch, columns


class called:
    """Around the calls of a model and a task with a batch; takes a microsecond.

    Args:
        model: of the run.
        batch: what it is given.
        when: an update or an evaluation, in words.

    Raises:
        CodeError: it raised an error, which may be of the batch: one of another length, say.
    """

    def __init__(self, model: nn.Module, batch: Batch, when: str) -> None:
        self._model, self._batch, self._when = model, batch, when

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if not isinstance(error, Exception) or not is_of_a_call(error):
            return
        forms = ", ".join(f"{name} {list(column.shape)}" for name, column in columns(self._batch).items())
        raise CodeError(
            f"{type(self._model).__name__} cannot be called with the batch of {self._when}, {forms}: {raised(error)}; "
            "two samples went through it before the run: do others differ in length or size, as with "
            "dataset.collate=pad? Then take a model that takes any; the traceback is in the run's train.log"
        ) from error
