"""A store that is no directory, as S3 is none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

from sm_remote.storage.store import ObjectInfo, Sent, Source, ignore


class MemoryStore:
    """Objects in a dict."""

    root_uri = "s3://bucket/prefix"

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._lock = threading.Lock()

    def uri(self, key: str) -> str:
        return f"{self.root_uri}/{key}"

    def put_if_absent(self, key: str, source: Source, *, sent: Sent = ignore) -> bool:
        data = source.read_bytes() if isinstance(source, Path) else bytes(source)
        sent(len(data))
        with self._lock:
            return self.objects.setdefault(key, data) is data

    def get(self, key: str) -> bytes:
        return self.objects[key]

    def fetch(self, key: str) -> Path:
        raise NotImplementedError

    def head(self, key: str) -> ObjectInfo | None:
        return ObjectInfo(key=key, size_bytes=len(self.objects[key])) if key in self.objects else None

    def list(self, prefix: str) -> Iterator[ObjectInfo]:
        return (ObjectInfo(key=key, size_bytes=len(self.objects[key])) for key in sorted(self.objects))

    def delete(self, key: str) -> None:
        self.objects.pop(key, None)
