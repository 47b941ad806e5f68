"""One pickled value as a file: its body, then its buffers, each on a 64-byte boundary, then the table that finds them.

It is written as a stream, so a value is never held a second time, and read through a private mapping, so that arrays
are there at once, writeable, and take memory only where they are touched. Large buffers can be kept outside, as
objects of their own, so that the same array is stored once however often it is sent.

Layout (little endian; offsets count from the payload's first byte)::

    SMRPAY01 | pickle body | pad | buffer | pad | buffer ... | table | footer
    table:  per buffer  kind u8 (0 inline, 1 external), offset u64, length u64, digest 32 bytes
    footer: body offset u64, body length u64, table offset u64, number of buffers u64, SMREND01

Reading unpickles, and unpickling runs code: check the file's digest first.
"""

from __future__ import annotations

import mmap
import os
import pickle
import struct
from collections.abc import Callable
from typing import Any, BinaryIO, NamedTuple

from sm_remote.wire.digest import BlobRef, Sink, flat_view

MAGIC = b"SMRPAY01"
END_MAGIC = b"SMREND01"
ALIGNMENT = 64
EXTERNAL_FROM_BYTES = 1 << 20

_INLINE, _EXTERNAL = 0, 1
_ENTRY = struct.Struct("<BQQ32s")
_FOOTER = struct.Struct("<QQQQ8s")

PathLike = str | os.PathLike[str]


class _Index(NamedTuple):
    """Where a payload's parts lie in its file."""

    start: int
    body_offset: int
    body_bytes: int
    entries: list[tuple[int, int, int, bytes]]


def pickle_value(
    value: Any,
    file: Sink,
    *,
    put_buffer: Callable[[memoryview], BlobRef] | None = None,
    pickler: Callable[..., pickle.Pickler] | None = None,
) -> tuple[BlobRef, ...]:
    """Writes a value as a payload.

    Args:
        value: What to pickle.
        file: Where to; only written to, in order, from its present position.
        put_buffer: Stores a buffer of at least `EXTERNAL_FROM_BYTES` as an object of its own, or keeps the view to
            store it later. Without it all buffers are written inline.
        pickler: Called as ``pickler(file, buffer_callback=...)``; by default `wire.pickler.ValuePickler`.

    Returns:
        The external objects, each once.

    Raises:
        Exception: Whatever pickling the value raises.
    """
    if pickler is None:
        from sm_remote.wire.pickler import ValuePickler  # here: it needs cloudpickle

        pickler = ValuePickler
    writer = _CountingWriter(file)
    writer.write(MAGIC)
    body_offset = writer.count
    buffers: list[pickle.PickleBuffer] = []
    pickler(writer, buffer_callback=buffers.append).dump(value)
    body_bytes = writer.count - body_offset
    entries: list[bytes] = []
    external: dict[BlobRef, None] = {}
    for buffer in buffers:
        view = buffer.raw()
        if put_buffer is not None and view.nbytes >= EXTERNAL_FROM_BYTES:
            ref = put_buffer(view)
            external[ref] = None
            entries.append(_ENTRY.pack(_EXTERNAL, 0, view.nbytes, bytes.fromhex(ref.digest)))
        else:
            writer.pad()
            entries.append(_ENTRY.pack(_INLINE, writer.count, view.nbytes, b""))
            writer.write(view)
    table_offset = writer.count
    writer.write(b"".join(entries))
    writer.write(_FOOTER.pack(body_offset, body_bytes, table_offset, len(entries), END_MAGIC))
    return tuple(external)


def load_value(
    path: PathLike,
    *,
    find_buffer: Callable[[str], PathLike] | None = None,
    offset: int = 0,
    end: int | None = None,
    loads: Callable[..., Any] = pickle.loads,
) -> Any:
    """Unpickles a payload whose file (and whose external buffers) the caller has verified.

    Args:
        path: The file; it must not be changed while the value lives.
        find_buffer: Gives the file of an external buffer's digest.
        offset: Where in the file the payload starts; a multiple of `ALIGNMENT`.
        end: Where it ends; by default with the file.
        loads: Unpickles in ``pickle.loads``'s place.

    Raises:
        ValueError: It is no payload.
        Exception: Whatever unpickling raises.
    """
    view = _map(path)[:end]
    index = _read_index(view, offset)
    buffers: list[memoryview] = []
    for kind, start, length, digest in index.entries:
        if kind == _INLINE:
            buffers.append(view[index.start + start : index.start + start + length])
        elif find_buffer is None:
            raise ValueError(f"the payload's buffer {digest.hex()} is an object of its own, and nothing finds it")
        else:
            buffers.append(_map(find_buffer(digest.hex())))
    body = view[index.body_offset : index.body_offset + index.body_bytes]
    return loads(body, buffers=buffers)  # the caller has verified it, as the docstring demands


def scan_globals(source: PathLike | bytes, *, most_opcodes: int | None = None) -> frozenset[tuple[str, str]]:
    """Lists what a pickle refers to by name, as ``(module, qualified name)``; nothing is loaded.

    Args:
        source: A payload's file, its bytes, or the bytes of a pickle.
        most_opcodes: Looks no further than this; what was found until then is given.
    """
    import io

    if isinstance(source, bytes):
        pickled = io.BytesIO(source)
        pickled.seek(len(MAGIC) if source.startswith(MAGIC) else 0)
        return _scan(pickled, most_opcodes)
    with open(source, "rb") as file:
        with mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped, memoryview(mapped) as view:
            start = _read_index(view, 0).body_offset
        file.seek(start)
        return _scan(file, most_opcodes)


def _scan(file: BinaryIO, most_opcodes: int | None) -> frozenset[tuple[str, str]]:
    import itertools
    import pickletools

    found: set[tuple[str, str]] = set()
    memo: dict[int, object] = {}
    recent: list[object] = [None, None]  # the last two things put on the stack, as far as they are strings
    for opcode, argument, _ in itertools.islice(pickletools.genops(file), most_opcodes):
        if opcode.name in ("MEMOIZE", "BINPUT", "LONG_BINPUT", "PUT"):
            memo[len(memo) if argument is None else int(str(argument))] = recent[-1]
        elif opcode.name in ("BINGET", "LONG_BINGET", "GET"):
            recent = [recent[-1], memo.get(int(str(argument)))]
        elif opcode.name == "STACK_GLOBAL":
            found.add((str(recent[0]), str(recent[1])))
            recent = [None, None]
        elif opcode.name == "GLOBAL":
            module, _, name = str(argument).partition(" ")
            found.add((module, name))
            recent = [None, None]
        elif "UNICODE" in opcode.name:
            recent = [recent[-1], argument]
        elif opcode.name != "FRAME":
            recent = [recent[-1], None]
    return frozenset(found)


def _map(path: PathLike) -> memoryview:
    """A file's content as private, writeable memory: pages are read when touched and copied when written."""
    with open(path, "rb") as file:
        if os.fstat(file.fileno()).st_size == 0:
            return memoryview(bytearray())
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY))


def _read_index(view: memoryview, start: int) -> _Index:
    size = view.nbytes - start
    if size < len(MAGIC) + _FOOTER.size or view[start : start + len(MAGIC)] != MAGIC:
        raise ValueError("not a payload of format 1")
    body_offset, body_bytes, table_offset, count, end = _FOOTER.unpack(view[-_FOOTER.size :])
    table_end = table_offset + count * _ENTRY.size
    if end != END_MAGIC or table_end + _FOOTER.size != size or body_offset + body_bytes > table_offset:
        raise ValueError("the payload is cut off or damaged")
    entries = list(_ENTRY.iter_unpack(view[start + table_offset : start + table_end]))
    if any(kind == _INLINE and offset + length > table_offset for kind, offset, length, _ in entries):
        raise ValueError("the payload's table points outside it")
    return _Index(start=start, body_offset=start + body_offset, body_bytes=body_bytes, entries=entries)


class _CountingWriter:
    """Knows how far it has come, whatever file it writes to."""

    def __init__(self, file: Sink) -> None:
        self.count = 0
        self._file = file

    def write(self, data: bytes | bytearray | memoryview) -> int:
        view = flat_view(data)
        self._file.write(view)
        self.count += view.nbytes
        return view.nbytes

    def pad(self) -> None:
        self.write(bytes(-self.count % ALIGNMENT))
