"""A file of records, as TensorBoard reads them: TFRecord's frame around each.

TensorBoard's own writer is these few lines, but to import it takes a tenth of a second: it brings along every plugin.
"""

from __future__ import annotations

import struct
from functools import cache
from pathlib import Path


class RecordFile:
    """A new file, written in the calling thread.

    A record is framed as ``length`` (8 bytes, the low ones first), its checksum (4), the content, its checksum (4).

    Args:
        path: must not exist.

    Raises:
        FileExistsError: it does.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "xb")  # noqa: SIM115  (lives as long as the run)

    def write(self, content: bytes) -> None:
        """Add a record."""
        length = struct.pack("<Q", len(content))
        self._file.write(length + _checksum(length) + content + _checksum(content))

    def flush(self) -> None:
        """Hand the records to the system."""
        self._file.flush()

    def close(self) -> None:
        """Flush and close."""
        self._file.close()


def crc32c(content: bytes) -> int:
    """The cyclic redundancy check of Castagnoli, Bräuer and Herrmann (1993), as RFC 3720 has it.

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    rest, table = 0xFFFFFFFF, _table()
    for byte in content:
        rest = table[(rest ^ byte) & 0xFF] ^ (rest >> 8)
    return rest ^ 0xFFFFFFFF


def _checksum(content: bytes) -> bytes:
    """The check, turned by 15 bits and shifted: a record may hold records, and checks of checks are weak."""
    check = crc32c(content)
    return struct.pack("<I", ((check >> 15 | check << 17) + 0xA282EAD8) & 0xFFFFFFFF)


@cache
def _table() -> tuple[int, ...]:
    """The rest that each byte leaves: the polynomial is 0x1EDC6F41, its lowest power first."""
    rests = []
    for rest in range(256):
        for _ in range(8):
            rest = rest >> 1 ^ (0x82F63B78 if rest & 1 else 0)
        rests.append(rest)
    return tuple(rests)
