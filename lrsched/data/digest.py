"""Hash a data set, so that a resumed run can check that its samples are the same."""

from __future__ import annotations

import hashlib

from lrsched.data.data import Data


def sha256(data: Data) -> str:
    """Hash each part's name, dtype, shape and little-endian bytes, in the order train, test, by SHA-256.

    Copies at most a part of the samples at once; takes about a second for 1.5 GB.
    """
    digest = hashlib.sha256()
    for name, tensor in data.named().items():
        kind = tensor[:0].cpu().numpy().dtype.newbyteorder("<").str
        digest.update(f"{name} {kind} {tuple(tensor.shape)}".encode())
        for some in tensor.detach().split(1 << 16):
            digest.update(some.cpu().contiguous().numpy().data.cast("B"))
    return digest.hexdigest()
