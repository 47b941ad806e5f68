"""Content-addressed objects: filed under the digest of their bytes, so the same data is stored once."""

from __future__ import annotations

import logging

from sm_remote.storage.store import Source, Store
from sm_remote.wire.digest import BlobRef
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
    if not store.put_if_absent(key, source):
        return 0
    _logger.debug("Stored blob %s (%d bytes)", store.uri(key), ref.size_bytes)
    return ref.size_bytes
