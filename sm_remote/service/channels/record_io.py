"""RecordIO as SageMaker wraps objects in it: MXNet's framing, one record for each object. Pure.

A record is a magic number, a word whose upper three bits say that the record is whole (0) and whose lower 29 bits are
its length, the content, and zeros up to a multiple of four bytes; numbers are little-endian. Source: API_Channel
(RecordWrapperType); Apache MXNet, "Create a Dataset Using RecordIO".
"""

from __future__ import annotations

import struct

_MAGIC = 0xCED7230A
MAX_BYTES = (1 << 29) - 1


def build_header(size_bytes: int) -> bytes:
    """What precedes the content of a record.

    Raises:
        ValueError: No record can be as large.
    """
    if size_bytes > MAX_BYTES:
        raise ValueError(f"{size_bytes} bytes are more than a RecordIO record can hold, which is {MAX_BYTES}")
    return struct.pack("<II", _MAGIC, size_bytes)


def build_padding(size_bytes: int) -> bytes:
    """What follows the content of a record."""
    return bytes(-size_bytes % 4)
