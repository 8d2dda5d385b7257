"""Tell whose an error is: the machine's, which has no memory left, or that of code of a user's own."""

from __future__ import annotations

import os
import traceback
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from lrsched.config.component import Component
from lrsched.config.targets import trusted, within
from lrsched.config.walk import is_mapping
from lrsched.errors import ConfigError, UserError
from lrsched.masked import mask

SIGNS = ("allocate memory", "not enough memory", "out of memory", "Storage size calculation overflowed")
"""What PyTorch and the system say when there is none left."""

_HOMES = (str(Path(__file__).parents[1]), str(Path(os.__file__).parent), "<")
"""Where our code lies and Python's own; code that was made from a text has a name in angle brackets."""

LONGEST = 300
"""Characters of another's message that are shown."""


class CodeError(UserError):
    """Code of a user's own raised an error in training; once it is mended, the run goes on."""

    exit_code = 2


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left: Python's own, or anybody's in their words."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in SIGNS)


UNDETERMINED = "does not have a deterministic implementation"
"""What PyTorch says of an operation that may not be used where equal runs are to be equal."""


def raised(error: BaseException) -> str:
    """An error that code of a user's own raised: its type, its first line, and the line of that code.

    >>> try:
    ...     {}["path"]
    ... except KeyError as error:
    ...     print(raised(error).partition(" (")[0])
    KeyError: 'path'
    """
    reason = (mask().hide(str(error)).strip().splitlines() or [type(error).__name__])[0]
    shown = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}…"
    place = place_of(error)
    return f"{type(error).__name__}: {shown}" + (f" ({place})" if place else "")


def place_of(error: BaseException) -> str:
    """The last line of a user's own code, or of a module that the user trusts, that an error passed; or nothing.

    An error that passed none was raised by our code, or by what our code called.
    """
    frames = [
        (line, frame.f_code.co_filename)
        for frame, line in traceback.walk_tb(error.__traceback__)
        if _is_theirs(frame.f_code.co_filename, str(frame.f_globals.get("__name__")))
    ]
    return f"line {frames[-1][0]} of {frames[-1][1]}" if frames else ""


def _is_theirs(file: str, module: str) -> bool:
    homes: tuple[str, ...] = ()
    with suppress(ConfigError):  # a pyproject.toml that is broken by now
        homes = trusted()
    if module == "__main__" or within(module, homes):  # a script, a notebook, what is typed at a prompt
        return True
    return not ("site-packages" in file or file.startswith(_HOMES))


@contextmanager
def blamed(node: Component[Any], doing: str, remedy: str = "") -> Generator[None]:
    """Around a call of code that is not ours: what it raises is an error of its author's, or of who chose it.

    Args:
        node: of the code, for the message.
        doing: what the call did, as ``its check() raised``.
        remedy: what to do about it.

    Raises:
        ConfigError: it raised an error, which is shown with the line that it comes from.
    """
    try:
        yield
    except UserError:
        raise
    except Exception as error:
        if is_out_of_memory(error):
            raise
        raise ConfigError(node.key, node.target, f"{doing} {raised(error)}", remedy) from error


class called:
    """Around the calls of a model and a task with a batch; takes a microsecond.

    An error that passed lines of a user's own stays as it is: they will be named.

    Args:
        model: of the run.
        batch: what it is given.
        when: an update or an evaluation, in words.

    Raises:
        CodeError: it raised an error, which may be of the batch: one of another length, say.
    """

    def __init__(self, model: object, batch: Any, when: str) -> None:
        self._model, self._batch, self._when = model, batch, when

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        said = isinstance(error, UserError)
        if isinstance(error, RuntimeError) and UNDETERMINED in str(error):
            operation = str(error).split()[0]
            rule = f"{operation}, which {type(self._model).__name__} or its loss uses, has no deterministic form here"
            remedy = "give trainer.deterministic=false: equal runs may then differ in the last bits"
            raise ConfigError("trainer.deterministic", True, rule, remedy) from error
        if not isinstance(error, Exception) or said or is_out_of_memory(error) or place_of(error):
            return
        columns = self._batch.values() if is_mapping(self._batch) else self._batch
        names = self._batch if is_mapping(self._batch) else ("x", "y", "weight")
        forms = ", ".join(f"{name} {list(column.shape)}" for name, column in zip(names, columns, strict=False))
        raise CodeError(
            f"{type(self._model).__name__} cannot be called with the batch of {self._when}, {forms}: {raised(error)}; "
            "two samples went through it before the run: do others differ in length or size, as with "
            "dataset.collate=pad? Then take a model that takes any; the traceback is in the run's train.log"
        ) from error
