"""How the threads of OpenMP wait for one another; it is read once, when torch is loaded."""

from __future__ import annotations

import os
from collections.abc import MutableMapping

SHORT: dict[str, str] = {"OMP_WAIT_POLICY": "passive", "GOMP_SPINCOUNT": "1000"}
"""Wait in a loop for as long as a thread takes to wake up, some 50 µs, then sleep. GNU's OpenMP, which torch has on
Linux, otherwise turns in the loop for milliseconds: beside another program that wants the processor, one thread turns
there while the one that it waits for gets no processor at all.

Step times as multiples of one thread's, two threads on two processors of a Xeon, medians of 6 to 12 steps:

======================  ==========  =========  =========  ===============  =========  =========
..                      undisturbed                       one busy program beside it
----------------------  ---------------------------------  ------------------------------------
operations in a batch   as it was   short      none       as it was        short      none
======================  ==========  =========  =========  ===============  =========  =========
0.8e8 (MLP, 128 wide)   0.79        1.19       1.43       16.3             1.80       1.61
9.4e8 (CNN)             0.58        0.63       0.68       2.18             1.10       1.12
12.5e8 (MLP, 2048)      0.57        0.69       0.72       3.77             1.13       1.10
======================  ==========  =========  =========  ===============  =========  =========
"""


def wait_shortly(environment: MutableMapping[str, str] = os.environ) -> None:
    """Let threads wait shortly, unless the user says by one of these variables how they wait.

    It takes effect where torch is not loaded yet: on the command line, not in :func:`lrsched.run`.

    Args:
        environment: variables of the process.
    """
    if not any(name in environment for name in SHORT):
        environment.update(SHORT)
