"""Randomness as a function of (seed, purpose, position): resume has nothing to remember."""

from __future__ import annotations

from hashlib import blake2b


def key(seed: int, purpose: str, *position: int) -> int:
    """A 63-bit seed for one purpose at one position of one run.

    Equal arguments give equal keys on every machine; any difference gives an unrelated key,
    so that the draws of update s do not depend on how the run came to s.

    Args:
        seed: the run's seed.
        purpose: what the randomness is for: ``"init"``, ``"shuffle"``, ``"augment"``, ``"model"``, …
        position: where in the run: an epoch, or a step and a micro-batch.

    >>> key(0, "shuffle", 3) == key(0, "shuffle", 3)
    True
    >>> key(0, "shuffle", 3) == key(0, "augment", 3)
    False
    """
    text = f"{seed}/{purpose}/{'/'.join(map(str, position))}".encode()
    return int.from_bytes(blake2b(text, digest_size=8).digest(), "little") >> 1
