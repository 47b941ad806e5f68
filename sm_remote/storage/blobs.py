"""Content-addressed objects: filed under the digest of their bytes, so the same data is stored once."""

from __future__ import annotations

import logging

from sm_remote.errors import CorruptBlob
from sm_remote.storage.source import open_view
from sm_remote.storage.store import Sent, Source, Store, ignore
from sm_remote.wire.digest import BlobRef, digest_bytes
from sm_remote.wire.layout import blob_key

_logger = logging.getLogger("sm_remote")


def put_blob(store: Store, source: Source, ref: BlobRef) -> int:
    """Stores bytes under their digest; nothing is written when they are there already.

    Args:
        store: Where to.
        source: The bytes.
        ref: Their digest and size, which the caller has from writing them: a gibibyte is not hashed twice.

    Returns:
        How many bytes were written.

    Raises:
        CorruptBlob: The bytes are not those that were hashed; the store does not keep them.
        StorageError: The source cannot be read or the store cannot be written.
    """
    key = blob_key(ref.digest)
    present = store.head(key)
    if present is not None and present.size_bytes == ref.size_bytes:
        return 0
    if present is not None:
        # What a power cut left of it. Whoever reads it now is told that it is corrupt, so nobody can rely on it.
        _logger.warning("Blob %s has a wrong size and is replaced", store.uri(key))
        store.delete(key)
    return put_checked(store, key, source, ref)


def put_checked(store: Store, key: str, source: Source, ref: BlobRef, *, sent: Sent = ignore) -> int:
    """Stores bytes under a key that is free, and makes sure that they are those that were hashed.

    Returns:
        How many bytes were written: none where somebody else was faster.

    Raises:
        CorruptBlob: The bytes are not those that were hashed; the store does not keep them.
        StorageError: The source cannot be read or the store cannot be written.
    """
    if not store.put_if_absent(key, source, sent=sent):
        return 0
    # Memory that is hashed and then written without a copy may be written to by another thread in between. Whoever
    # stores it pays for a second look, once; every later call relies on what lies there.
    with open_view(source) as view:
        if digest_bytes(view) != ref.digest:
            store.delete(key)
            raise CorruptBlob(
                "Data of the call changed while it was being sent.",
                why=f"{ref.size_bytes} bytes were not the same when they had been written as when they were hashed: "
                "another thread writes to an array that the call refers to, or somebody to a file that goes along.",
                fix="Leave it as it is until the call is submitted, or pass a copy, and call again.",
                digest=ref.digest,
            )
    _logger.debug("Stored blob %s (%d bytes)", store.uri(key), ref.size_bytes)
    return ref.size_bytes
