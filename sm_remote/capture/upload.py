"""Stores what a job is made of, each object under its digest and only where it is not there yet."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from sm_remote.storage.blobs import put_blob
from sm_remote.storage.embedded import EmbeddedStore
from sm_remote.storage.store import Source, Store
from sm_remote.wire.digest import BlobRef

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
        return sum(put_blob(store, upload.source, upload.ref) for upload in unique)
    with ThreadPoolExecutor(max_workers=_PARALLEL_UPLOADS, thread_name_prefix="sm_remote-upload") as pool:
        return sum(pool.map(lambda upload: put_blob(store, upload.source, upload.ref), unique))
