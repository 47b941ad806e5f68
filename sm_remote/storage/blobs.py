"""Content-addressed objects: filed under the digest of their bytes, so the same data is stored once."""

from __future__ import annotations

import logging
from pathlib import Path

from sm_remote.errors import CorruptBlob
from sm_remote.storage.source import size_of, unreadable_source
from sm_remote.storage.store import Source, Store
from sm_remote.wire.digest import BlobRef, digest_bytes, digest_file
from sm_remote.wire.layout import blob_key

_logger = logging.getLogger("sm_remote")


def put_blob(store: Store, source: Source) -> BlobRef:
    """Stores bytes under their digest; nothing is written when they are there already.

    Raises:
        StorageError: The source cannot be read or the store cannot be written.
    """
    ref = _refer_to(source)
    key = blob_key(ref.digest)
    present = store.head(key)
    if present is not None and present.size_bytes == ref.size_bytes:
        return ref
    if present is not None:
        # What a power cut left of it. Whoever reads it now is told that it is corrupt, so nobody can rely on it.
        _logger.warning("Blob %s has a wrong size and is replaced", store.uri(key))
        store.delete(key)
    if store.put_if_absent(key, source):
        _logger.debug("Stored blob %s (%d bytes)", store.uri(key), ref.size_bytes)
    return ref


def fetch_blob(store: Store, ref: BlobRef) -> Path:
    """Gives a blob as a local file whose bytes have just been verified.

    Raises:
        CorruptBlob: Its bytes are not the promised ones.
        StorageError: It is not there or cannot be read.
    """
    path = store.fetch(blob_key(ref.digest))
    size_bytes = path.stat().st_size
    if size_bytes != ref.size_bytes:
        raise _corrupt(store, ref, path, f"It has {size_bytes} bytes instead of {ref.size_bytes}.")
    found = digest_file(path)
    if found != ref.digest:
        raise _corrupt(store, ref, path, f"The digest of its {size_bytes} bytes is {found}.")
    return path


def _refer_to(source: Source) -> BlobRef:
    size_bytes = size_of(source)
    if not isinstance(source, Path):
        return BlobRef(digest=digest_bytes(source), size_bytes=size_bytes)
    try:
        return BlobRef(digest=digest_file(source), size_bytes=size_bytes)
    except OSError as error:
        raise unreadable_source(source, error) from error


def _corrupt(store: Store, ref: BlobRef, path: Path, why: str) -> CorruptBlob:
    uri = store.uri(blob_key(ref.digest))
    return CorruptBlob(
        f"The blob {uri} is not what was stored there.",
        why=why,
        fix=f"Delete {uri} (here: {str(path)!r}) and call again: it will be stored anew.",
        digest=ref.digest,
        path=str(path),
    )
