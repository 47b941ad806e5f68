"""A container registry that keeps everything in memory, behind a user name and a password.

Source: OCI Distribution Specification, the endpoints of a push.
"""

from __future__ import annotations

import base64
import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlparse

USERNAME, PASSWORD = "AWS", "word:with:colons"
_EXPECTED = "Basic " + base64.b64encode(f"{USERNAME}:{PASSWORD}".encode()).decode()


class Registry(ThreadingHTTPServer):
    """Blobs and manifests of any repository."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.blobs: dict[str, bytes] = {}
        self.uploads: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class _Handler(BaseHTTPRequestHandler):
    server: Registry
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        return

    def handle_one_request(self) -> None:
        try:
            super().handle_one_request()
        except ConnectionError:
            self.close_connection = True

    def _answer(self, status: int, body: bytes = b"", **headers: str) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _read(self) -> bytes:
        if self.headers.get("Transfer-Encoding", "").lower() != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        pieces = []
        while size := int(self.rfile.readline().split(b";")[0], 16):
            pieces.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(pieces)

    def _serve(self) -> None:
        body = self._read()
        if self.headers.get("Authorization") != _EXPECTED:
            self._answer(401, b'{"errors":[{"code":"UNAUTHORIZED"}]}', WWW_Authenticate='Basic realm="tests"')
            return
        place = urlparse(self.path)
        kind = place.path.strip("/").split("/")
        if kind == ["v2"]:
            self._answer(200)
        elif "uploads" in kind:
            self._upload(place.path, parse_qs(place.query), body)
        elif "blobs" in kind:
            self._answer(200 if kind[-1] in self.server.blobs else 404, Docker_Content_Digest=kind[-1])
        else:
            self._manifest("/".join(kind[1:-2]) + ":" + kind[-1], body)

    do_GET = do_HEAD = do_POST = do_PATCH = do_PUT = _serve

    def _upload(self, path: str, query: dict[str, list[str]], body: bytes) -> None:
        uploads = self.server.uploads
        if self.command == "POST":
            path = f"{path.rstrip('/')}/{len(uploads)}"
            uploads[path] = b""
            self._answer(202, Location=f"http://{self.server.address}{path}", Range="0-0")
            return
        uploads[path] += body
        if self.command == "PATCH":
            where = f"http://{self.server.address}{path}"
            self._answer(202, Location=where, Range=f"0-{len(uploads[path]) - 1}")
            return
        digest = query["digest"][0]
        assert digest == "sha256:" + hashlib.sha256(uploads[path]).hexdigest()
        self.server.blobs[digest] = uploads[path]
        self._answer(201, Location=self.path, Docker_Content_Digest=digest)

    def _manifest(self, name: str, body: bytes) -> None:
        if self.command == "PUT":
            self.server.manifests[name] = body
            self._answer(201, Docker_Content_Digest="sha256:" + hashlib.sha256(body).hexdigest())
            return
        self._answer(200 if name in self.server.manifests else 404)


@contextmanager
def serve_registry() -> Iterator[Registry]:
    """Runs a registry while the context lasts."""
    server = Registry()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
