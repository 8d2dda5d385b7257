"""Tell whose an error is: the machine's, which has no memory left, or that of code of a user's own."""

from __future__ import annotations

import traceback
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lrsched.config.component import Component
from lrsched.errors import ConfigError, UserError

SIGNS = ("allocate memory", "not enough memory", "out of memory", "Storage size calculation overflowed")
"""What PyTorch and the system say when there is none left."""

_OURS = str(Path(__file__).parents[1])

LONGEST = 300
"""Characters of another's message that are shown."""


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that there is no memory left: Python's own, or anybody's in their words."""
    return isinstance(error, MemoryError) or any(sign in str(error) for sign in SIGNS)


def raised(error: BaseException) -> str:
    """An error that code of a user's own raised: its type, its first line, and the line of that code.

    >>> try:
    ...     {}["path"]
    ... except KeyError as error:
    ...     print(raised(error).partition(" (")[0])
    KeyError: 'path'
    """
    frames = traceback.extract_tb(error.__traceback__)
    written = [frame for frame in frames if "site-packages" not in frame.filename] or list(frames)
    last = ([frame for frame in written if not frame.filename.startswith(_OURS)] or written)[-1]
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
    shown = reason if len(reason) <= LONGEST else f"{reason[:LONGEST]}…"
    return f"{type(error).__name__}: {shown} (line {last.lineno} of {last.filename})"


@contextmanager
def blamed(node: Component[Any], doing: str) -> Generator[None]:
    """Around a call of a user's own code: what it raises is an error of its author's.

    Args:
        node: of the code, for the message.
        doing: what the call did, as ``its check() raised``.

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
        raise ConfigError(node.key, node.target, f"{doing} {raised(error)}") from error
