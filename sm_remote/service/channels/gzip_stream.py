"""Gzip, decompressed piece by piece: however much a file expands to, little of it is in memory. Pure."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

_GZIP = 31
_PIECE_BYTES = 1 << 20


def decompress(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """Yields the content of a gzip file, which may consist of several members.

    Raises:
        ValueError: It is none, or ends too early.
    """
    engine = zlib.decompressobj(_GZIP)
    begun = False
    try:
        for chunk in chunks:
            rest = chunk
            while rest:
                if engine.eof:
                    engine = zlib.decompressobj(_GZIP)
                begun = True
                yield from filter(None, (engine.decompress(rest, _PIECE_BYTES),))
                rest = engine.unused_data if engine.eof else engine.unconsumed_tail
                if not rest and not engine.eof:
                    # What is left inside comes without further input.
                    while piece := engine.decompress(b"", _PIECE_BYTES):
                        yield piece
    except zlib.error as error:
        raise ValueError(f"it is not gzip: {error}") from error
    if begun and not engine.eof:
        raise ValueError("the gzip file ends too early")
