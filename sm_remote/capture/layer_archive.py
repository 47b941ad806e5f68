"""A layer as one tar archive, for stores that a job cannot mount.

Equal layers give equal bytes: names are sorted, owners and times are left out, and bytecode is told not to look at the
times of its source (which are this machine's, and differ elsewhere).
"""

from __future__ import annotations

import importlib.util
import io
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path

from sm_remote.home import write_private
from sm_remote.wire.digest import BlobRef, digest_file

_PYC_HEADER_BYTES = 16
_UNCHECKED_HASH = (1).to_bytes(4, "little")
"""Bytecode filed under the hash of its source, which is not looked at again. Source: PEP 552."""


def write_layer_archive(layer: Path, archive: Path) -> Path:
    """Writes the archive of a layer unless it is there.

    Args:
        layer: The layer's directory.
        archive: Where the archive goes; it appears by a rename.
    """
    if archive.exists():
        return archive
    archive.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    temporary = archive.with_name(f".{archive.name}.{os.getpid()}")
    try:
        with tarfile.open(temporary, "w", format=tarfile.PAX_FORMAT) as tar:
            for name in sorted(_file_names(layer)):
                _add(tar, layer / name, name)
        temporary.replace(archive)
    finally:
        temporary.unlink(missing_ok=True)
    return archive


def refer_to_archive(archive: Path) -> BlobRef:
    """The digest of an archive, worked out once: hashing a gibibyte at every call would take longer than the call."""
    note = archive.with_suffix(".digest")
    size_bytes = archive.stat().st_size
    try:
        digest, size = note.read_text().split()
        if int(size) == size_bytes:
            return BlobRef(digest=digest, size_bytes=size_bytes)
    except (FileNotFoundError, ValueError):
        pass
    ref = BlobRef(digest=digest_file(archive), size_bytes=size_bytes)
    write_private(note, f"{ref.digest} {ref.size_bytes}\n")
    return ref


def _file_names(layer: Path) -> Iterator[str]:
    for folder, _, names in os.walk(layer):
        for name in names:
            yield Path(folder, name).relative_to(layer).as_posix()


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o755 if path.stat().st_mode & 0o100 else 0o644
    if name.endswith(".pyc"):
        data = make_timeless(path)
        entry.size = len(data)
        tar.addfile(entry, io.BytesIO(data))
        return
    entry.size = path.stat().st_size
    with path.open("rb") as file:
        tar.addfile(entry, file)


def make_timeless(path: Path) -> bytes:
    """Bytecode that stays valid whatever the times of its source are."""
    data = path.read_bytes()
    source = _source_of(path)
    if source is None or data[:4] != importlib.util.MAGIC_NUMBER or len(data) < _PYC_HEADER_BYTES:
        return data
    digest = importlib.util.source_hash(source.read_bytes())
    return data[:4] + _UNCHECKED_HASH + digest + data[_PYC_HEADER_BYTES:]


def _source_of(path: Path) -> Path | None:
    if path.parent.name != "__pycache__":
        return None
    source = path.parent.parent / f"{path.name.partition('.')[0]}.py"
    return source if source.is_file() else None
