"""How many threads a run takes where nobody says it: by the size of its work, never by a clock."""

from __future__ import annotations

from dataclasses import dataclass

from lrsched.machine.allowance import Allowance

AUTO = "auto"
"""The value of ``threads`` that lets the size of the work decide."""

SMALL = 5e8
"""Operations of a batch, forward and backward, below which one thread takes it. Up to there a second thread gains
little or nothing once the threads of a process wait as ``lrsched.machine.waiting`` lets them, and beside another
program it costs; beyond, it gains a third. Step times of two threads as multiples of one thread's, undisturbed, two
processors of a Xeon, medians of 8 steps:

===============================  ======  =====
model, batch                     operat. ratio
===============================  ======  =====
MLP 784-128, 128                 0.8e8   1.19
MLP 784-512, 128                 3.1e8   0.92
GPT 64 wide, 2 blocks, 16 × 64   7.0e8   0.95
CNN 16-32 on 28², 128            9.4e8   0.63
MLP 784-2048, 128                12.5e8  0.69
===============================  ======  =====
"""

BACKWARD = 2
"""Times the forward pass's operations that the backward pass has: for the inputs, and for the weights."""


@dataclass(frozen=True)
class Threads:
    """The threads of a run, and why.

    Args:
        number: of torch.
        operations: of a batch, forward and backward; None: they could not be counted.
        limit: what allows no more, where the work might use more; empty: the work alone decided.
    """

    number: int
    operations: int | None
    limit: str = ""


def chosen(operations: int | None, allowed: Allowance, before: int | None = None) -> Threads:
    """Choose the threads of a run.

    ::

        operations < SMALL     1
        else, or not counted   what is allowed
        a run that goes on     those that it had, if they are allowed

    Args:
        operations: of a batch, forward and backward; None: unknown.
        allowed: the most.
        before: the threads that a run which goes on had.

    >>> chosen(30_000_000, Allowance(8, "torch's own choice"))
    Threads(number=1, operations=30000000, limit='')
    >>> chosen(7_000_000_000, Allowance(8, "torch's own choice"))
    Threads(number=8, operations=7000000000, limit="torch's own choice")
    """
    small = operations is not None and operations < SMALL
    number = min(before or (1 if small else allowed.number), allowed.number)
    return Threads(number, operations, allowed.limit if number == allowed.number and not small else "")
