"""Stores what a job is made of, each object under its digest and only where it is not there yet."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sm_remote.storage.embedded import EmbeddedStore
from sm_remote.storage.store import Source, Store
from sm_remote.wire.digest import BlobRef
from sm_remote.wire.layout import blob_key

_PARALLEL_UPLOADS = 8


@dataclass(frozen=True, kw_only=True, slots=True)
class Upload:
    """One object to store: its digest is known, and its bytes are here."""

    role: str
    ref: BlobRef
    source: Source


def upload_all(store: Store, uploads: Sequence[Upload]) -> int:
    """Stores objects, side by side where each is a request.

    Returns:
        How many bytes were written.
    """
    unique = list({upload.ref.digest: upload for upload in uploads}.values())
    if isinstance(store, EmbeddedStore) or len(unique) < 2:
        return sum(upload_known(store, upload) for upload in unique)
    with ThreadPoolExecutor(max_workers=_PARALLEL_UPLOADS, thread_name_prefix="sm_remote-upload") as pool:
        return sum(pool.map(lambda upload: upload_known(store, upload), unique))


def upload_known(store: Store, upload: Upload) -> int:
    """Like `storage.put_blob` for a digest that is known: a gibibyte is not hashed twice. Returns the bytes written."""
    key = blob_key(upload.ref.digest)
    present = store.head(key)
    if present is not None and present.size_bytes == upload.ref.size_bytes:
        return 0
    if present is not None:
        store.delete(key)  # cut off by a crash: no reader can have used it
    return upload.ref.size_bytes if store.put_if_absent(key, upload.source) else 0
