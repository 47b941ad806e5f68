"""Blobs as a job reads them, for tests: their bytes are what their digest says."""

from __future__ import annotations

from pathlib import Path

from sm_remote.storage import Store
from sm_remote.wire.digest import BlobRef, digest_file
from sm_remote.wire.layout import blob_key


def fetch_blob(store: Store, ref: BlobRef) -> Path:
    path = store.fetch(blob_key(ref.digest))
    assert (digest_file(path), path.stat().st_size) == (ref.digest, ref.size_bytes)
    return path
