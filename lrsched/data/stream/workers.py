"""Worker processes that make batches ahead, by torch's DataLoader."""

from __future__ import annotations

import signal
import threading
import warnings
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from torch.utils.data import DataLoader

from lrsched.data.batch import Batch
from lrsched.data.stream.fetch import AT_REST, Fetch, Wanted, unpacked
from lrsched.errors import DataError


class Workers:
    """Batches in their order, made by worker processes that run ahead.

    Args:
        fetch: makes a batch.
        wanted: the batches to make, one after the other; read as the workers come to them.
        count: of worker processes, at least 1.
        prefetch: batches that each of them makes ahead.
        pin: copy batches to memory from which a GPU reads while the host goes on.

    Raises:
        DataError: the data set cannot be given to another process.
    """

    def __init__(self, fetch: Fetch, wanted: Iterable[Wanted], *, count: int, prefetch: int, pin: bool) -> None:
        self._fetch = fetch
        fetch.making[:count] = [AT_REST] * count
        with warnings.catch_warnings():  # of more workers than processors: they may wait for a disk
            warnings.filterwarnings("ignore", "This DataLoader will create", UserWarning)
            loader = DataLoader(
                fetch,
                batch_sampler=wanted,  # type: ignore[arg-type]  # any iterable; Fetch reads what it yields
                num_workers=count,
                prefetch_factor=prefetch,
                collate_fn=_as_it_is,
                pin_memory=pin,
                worker_init_fn=_quiet,
                generator=torch.Generator(),  # else the process's own generator is drawn from
            )
            self._batches: Iterator[Any] = _started(loader, fetch)
        self._processes: list[Any] = list(getattr(self._batches, "_workers", ()))

    def __next__(self) -> Batch:
        """The next batch.

        Raises:
            DataError: a sample cannot be made, or a worker died; names the sample.
            StopIteration: there are no more.
        """
        try:
            made = next(self._batches)
        except RuntimeError as error:
            message = self._death()
            if message is None:
                raise
            raise DataError(message) from error
        return unpacked(made)

    def close(self) -> None:
        """End the processes."""
        end = getattr(self._batches, "_shutdown_workers", None)
        if end is not None:
            end()
        for process in self._processes:  # one that hangs in an item has not noticed
            if process.is_alive():
                process.kill()
                process.join()

    def _death(self) -> str | None:
        """Who died, of what, and over which sample; None: nobody."""
        for number, process in enumerate(self._processes):
            code, making = process.exitcode, self._fetch.making[number]
            if code or (code == 0 and making != AT_REST):  # one whose code ended it in an item
                name = self._fetch.part.name
                over = "between two samples" if making == AT_REST else f"while it made sample {making}"
                how = f"was killed by {_signal(-code)}" if code < 0 else "ended"
                return (
                    f"dataset.{name}: worker {number} (process {process.pid}) {how}, exit code {code}, {over}; "
                    f"{_guard() if code == 1 and making == AT_REST else ADVICE.get(code, SEE)}"
                )
        return None


SEE = "dataset.workers=0 makes the samples in this process, where its error can be seen"
ADVICE = {
    -signal.SIGKILL: f"was there not enough memory? Give fewer dataset.workers; {SEE}",
    -signal.SIGBUS: f"is /dev/shm full? Give it more, or a smaller dataset.batch_size or dataset.prefetch; {SEE}",
}


def _guard() -> str:
    """What a worker may have lacked that ended before its first item; a forked one has everything."""
    method = torch.multiprocessing.get_start_method()
    if method == "fork":
        return SEE
    return (
        f"it was started by {method}, which runs the script again: is the call behind if __name__ == '__main__'? "
        "Put it there, or call multiprocessing.set_start_method('fork') before it, or give dataset.workers=0"
    )


def _started(loader: DataLoader[Any], fetch: Fetch) -> Iterator[Any]:
    """Start the workers.

    torch would raise the death of a worker wherever the training loop is at that moment, by a handler of SIGCHLD;
    without it, the next batch tells.
    """
    alone = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGCHLD)
    try:
        return iter(loader)
    except (AttributeError, TypeError, ValueError) as error:  # what pickle raises
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        rule = f"dataset.{fetch.part.name}: the data set cannot be given to a worker: {reason}"
        raise DataError(f"{rule}; define what it holds in a module, or give dataset.workers=0") from error
    finally:
        if alone and before is not None:
            signal.signal(signal.SIGCHLD, before)


def _quiet(number: int) -> None:
    """A signal to the whole group stops the process that trains, at rest; until then it needs its workers."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2):
        signal.signal(ignored, signal.SIG_IGN)


def _as_it_is(made: Any) -> Any:
    return made


def _signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
