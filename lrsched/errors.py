"""The errors that users see, and the exit code of each.

::

    UserError                 a person can mend it: one message, no traceback
    ├── ConfigError       2   a key has a value that cannot be used
    ├── DataError         2   a data set is missing or is not what it should be
    ├── StateError        2   a state holds what no checkpoint can give back
    ├── NotFinite         3   a loss, gradient, metric, weight or optimizer state is not finite
    ├── CheckpointError   4   no valid checkpoint, or it does not fit this code
    ├── RunFolderBusy     5   another process writes to the run folder
    ├── StorageError      6   the file system refused
    ├── Stopped       128+n   stopped by signal n, checkpoint saved
    ├── NotBegun          1   a job of a sweep that never started
    ├── Abandoned         1   a job of a sweep that its launcher left running
    └── Incomplete    1, 2    a sweep with runs that did not finish
"""

from __future__ import annotations

import difflib
from collections.abc import Generator, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

from lrsched.masked import LONGEST, mask


class UserError(Exception):
    """An error that a person can mend. Shown as one paragraph, without a traceback."""

    exit_code = 1
    repeatable = True
    """Whether the same command may get further when it is given again."""

    hint = ""
    """How to go on; the command line adds it to the message."""

    def __str__(self) -> str:
        return mask().hide(super().__str__())


class ConfigError(UserError, ValueError):
    """A key of the config holds a value that cannot be used.

    Args:
        key: dotted name of the key, as one types it in an override.
        value: the value given.
        rule: the rule that it breaks.
        remedy: what to do about it.

    >>> print(ConfigError("trainer.epochs", 0, "must be at least 1", "give trainer.epochs=20"))
    trainer.epochs=0: must be at least 1; give trainer.epochs=20
    """

    exit_code = 2
    repeatable = False

    def __init__(self, key: str, value: Any, rule: str, remedy: str = "") -> None:
        self.key, self.value, self.rule, self.remedy = key, value, rule, remedy
        super().__init__(key, value, rule, remedy)

    def __str__(self) -> str:
        shown = self.key if self.value is UNSET else f"{self.key}={_as_override(self.value)}"
        return mask().hide(f"{shown}: {self.rule}" + (f"; {self.remedy}" if self.remedy else ""))

    def under(self, prefix: str) -> ConfigError:
        """The same error with its key below ``prefix``."""
        return type(self)(f"{prefix}.{self.key}", self.value, self.rule, self.remedy)


class NotMeant(ConfigError):
    """A key that its class does not take, or that is not true of what the class gives: another's, perhaps."""


class DataError(UserError):
    """A data set is missing, damaged or in the wrong form."""

    exit_code = 2


class StateError(UserError):
    """A state holds something that no checkpoint can give back."""

    exit_code = 2


class NotFinite(UserError):
    """A loss, gradient, metric, weight or optimizer state is not finite; a run that it ends has diverged.

    Args:
        what: names the value that was not finite.
        step: completed updates at that moment, or None if unknown.
        samples: indices of the update's training samples; empty between two updates.
        advice: where the run can go on from, and what to do.
        checkpoint: step of the last good checkpoint, or None.
        tried: the run has skipped batches or gone back already, without success.

    >>> print(NotFinite("the training loss is nan", 7, range(20, 40), "give a lower optimizer.lr"))
    step 7: the training loss is nan; the batch holds 20 training samples, the first 16 of them 20, 21, 22, 23, 24, \
25, 26, 27, 28, 29, 30, 31, 32, 33, 34, 35; give a lower optimizer.lr
    """

    exit_code = 3

    def __init__(
        self,
        what: str,
        step: int | None = None,
        samples: Iterable[int] = (),
        advice: str = "",
        checkpoint: int | None = None,
        tried: bool = False,
    ) -> None:
        self.what, self.step, self.samples = what, step, tuple(samples)
        self.advice, self.checkpoint, self.tried = advice, checkpoint, tried
        super().__init__(what, step, self.samples, advice, checkpoint, tried)

    def __str__(self) -> str:
        at = "" if self.step is None else f"step {self.step}: "
        return mask().hide("; ".join(part for part in (at + self.what, self._batch(), self.advice) if part))

    def advised(self, advice: str, checkpoint: int | None = None, *, tried: bool = False) -> NotFinite:
        """The same error with more advice."""
        return NotFinite(
            self.what,
            self.step,
            self.samples,
            f"{self.advice}; {advice}" if self.advice else advice,
            self.checkpoint if checkpoint is None else checkpoint,
            self.tried or tried,
        )

    def report(self) -> dict[str, Any]:
        """The entry for ``result.json``."""
        return {"step": self.step, "what": self.what, "samples": list(self.samples), "checkpoint": self.checkpoint}

    def _batch(self) -> str:
        if not self.samples:
            return ""
        shown = ", ".join(map(str, self.samples[:16]))
        if len(self.samples) <= 16:
            return f"the batch holds the training samples {shown}"
        return f"the batch holds {len(self.samples)} training samples, the first 16 of them {shown}"


class CheckpointError(UserError):
    """There is no valid checkpoint, or it does not match this code or machine."""

    exit_code = 4


class RunFolderBusy(UserError):
    """Another process is writing to the run folder."""

    exit_code = 5


class StorageError(UserError):
    """The file system refused: full, read-only or an I/O error."""

    exit_code = 6


@contextmanager
def storage(refusal: str, within: Path | None = None) -> Generator[None]:
    """Turn an ``OSError`` inside into a :class:`StorageError` that says what cannot be done, and why.

    Args:
        refusal: what the file system refused, in words.
        within: a folder, where the message shall also name the file in it that was refused.

    >>> with storage("out.csv cannot be written"):
    ...     raise OSError(28, "No space left on device")
    Traceback (most recent call last):
    lrsched.errors.StorageError: out.csv cannot be written: No space left on device
    """
    try:
        yield
    except OSError as error:
        where = "" if within is None else f" ({error.filename or within})"
        raise StorageError(f"{refusal}: {error.strerror}{where}") from error


def refused(error: OSError) -> StorageError:
    """What the file system refused, and for which file, where the error knows it.

    >>> print(refused(OSError(28, "No space left on device", "out.csv")))
    No space left on device: out.csv
    """
    return StorageError(f"{error.strerror or error}" + (f": {error.filename}" if error.filename else ""))


class Stopped(UserError):
    """The run was stopped by a signal, after its checkpoint was saved."""

    def __init__(self, signal_number: int, message: str) -> None:
        super().__init__(signal_number, message)  # as they came: it travels between processes
        self.exit_code = 128 + signal_number

    def __str__(self) -> str:
        return mask().hide(self.args[1])


class NotBegun(UserError):
    """A job never started: the sweep was stopped, or ``sweep.fail_fast`` ended it."""


class Abandoned(UserError):
    """A job ran when its launcher was stopped: it may go on, or may have been killed."""


class Incomplete(UserError):
    """Some runs of a sweep did not finish; exit code 2 if all their configs were invalid. Each was reported already."""

    def __init__(self, undone: int, total: int, *, all_invalid: bool) -> None:
        super().__init__(f"{undone} of {total} run{'s' * (total != 1)} did not finish")
        self.exit_code = 2 if all_invalid else 1


class _Unset:
    def __repr__(self) -> str:
        return "<unset>"


UNSET: Any = _Unset()
"""No value was given, where None is a value."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A remedy that names the known word nearest to ``name``, or else all of them.

    >>> nearest("cosin", ["cosine", "step"])
    "did you mean 'cosine'?"
    >>> nearest("zzz", ["cosine", "step"])
    'known are: cosine, step'
    """
    words = sorted(set(known))
    return suggestion(name, words) or (f"known are: {', '.join(words)}" if words else "there is none to choose from")


def suggestion(name: str, known: Iterable[str]) -> str:
    """The known word nearest to ``name``, or nothing if none is near."""
    close = difflib.get_close_matches(name, sorted(set(known)), n=1, cutoff=0.6)
    return f"did you mean {close[0]!r}?" if close else ""


def _as_override(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, (list, tuple)):
        return f"[{','.join(map(_as_override, cast(Iterable[Any], value)))}]"
    try:
        return mask().hide(str(value), LONGEST)
    except ValueError:  # Python writes no number of more than 4300 digits
        return "…"
