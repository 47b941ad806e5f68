"""S3 in memory, behind a real boto3 client: its requests are answered before they would be sent."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

import boto3
from botocore.awsrequest import AWSResponse
from botocore.config import Config

REGION = "us-east-1"


class MemoryS3:
    """Objects by bucket and key. Knows what one writer needs: put, get, head and list; no parts, no ranges.

    Attributes:
        objects: Their bytes, by ``bucket/key``.
    """

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self._client = self._make_client()

    def make_client(self) -> Any:
        """A boto3 client of it, which opens no connection; always the same, since making one takes a while."""
        return self._client

    def _make_client(self) -> Any:
        session = boto3.session.Session("key", "secret", region_name=REGION)
        client = session.client("s3", config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1}))
        client.meta.events.register("before-send.s3", self._answer)
        return client

    def _answer(self, request: Any, **_: Any) -> AWSResponse:
        parts = urlsplit(request.url)
        name = unquote(parts.path).lstrip("/")
        if "list-type" in parts.query:
            return _respond(request, 200, self._list(name, parts.query))
        if "/" not in name.rstrip("/"):  # HeadBucket: whatever is asked for is there
            return _respond(request, 200, b"")
        if request.method == "PUT":
            self.objects.setdefault(name, _read(request.body))
            return _respond(request, 200, b"", etag=self.objects[name])
        found = self.objects.get(name)
        if found is None:
            return _respond(request, 404, b"" if request.method == "HEAD" else b"<Error><Code>NoSuchKey</Code></Error>")
        return _respond(request, 200, b"" if request.method == "HEAD" else found, etag=found, size_bytes=len(found))

    def _list(self, bucket: str, query: str) -> bytes:
        wanted = dict(pair.partition("=")[::2] for pair in query.split("&"))
        prefix = f"{bucket.rstrip('/')}/{unquote(wanted.get('prefix', ''))}"
        rows = "".join(
            f"<Contents><Key>{escape(name.partition('/')[2])}</Key><Size>{len(data)}</Size><ETag>x</ETag></Contents>"
            for name, data in sorted(self.objects.items())
            if name.startswith(prefix)
        )
        return f"<ListBucketResult><IsTruncated>false</IsTruncated>{rows}</ListBucketResult>".encode()


class _Raw(io.BytesIO):
    """What botocore reads a response's body from."""

    def stream(self, amt: int = 1 << 16, decode_content: bool | None = None) -> Iterator[bytes]:
        while chunk := self.read(amt):
            yield chunk


def _read(body: Any) -> bytes:
    return bytes(body) if isinstance(body, (bytes, bytearray)) else bytes(body.read())


def _respond(request: Any, status: int, body: bytes, *, etag: bytes = b"", size_bytes: int | None = None) -> Any:
    headers = {
        "Content-Length": str(len(body) if size_bytes is None else size_bytes),
        "ETag": f'"{hashlib.sha256(etag).hexdigest()}"',
    }
    return AWSResponse(request.url, status, headers, _Raw(body))
