"""A line between two hosts of a job: messages that only one who knows the job's key can have written.

Either side sends 32 random bytes first. Of both and the key each direction gets a key of its own, and a message is
its length, its HMAC-SHA256 over its number and content, and its content: it cannot be made up, repeated or moved.
It is not encrypted, as MPI's own traffic is not.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import select
import socket
from typing import Any

MOST_BYTES = 4 * 1024 * 1024
GREETING_LIMIT_S = 10.0
"""How long a stranger is listened to."""
_NONCE_BYTES = 32
_MAC_BYTES = 32
_PURPOSE = b"sm_remote/hosts/v1\0"


class LineRefused(ConnectionError):
    """The other side does not know the key, or said something too long."""


class PeerLine:
    """One end of a line. Only one thread may read, and one write.

    Args:
        connection: To the other host.
        key: The job's.
        leads: Whether this is the end of the first host.

    Raises:
        OSError: The other side is gone, or silent for too long.
    """

    def __init__(self, connection: socket.socket, key: bytes, *, leads: bool) -> None:
        self._connection = connection
        connection.settimeout(GREETING_LIMIT_S)
        own = os.urandom(_NONCE_BYTES)
        connection.sendall(own)
        other = self._receive(_NONCE_BYTES)
        session = hmac.digest(key, _PURPOSE + (own + other if leads else other + own), hashlib.sha256)
        names = (b"first", b"other") if leads else (b"other", b"first")
        self._send_key, self._receive_key = (hmac.digest(session, name, hashlib.sha256) for name in names)
        self._sent = self._received = 0

    def trust(self) -> None:
        """The other side has shown that it knows the key: from now on it may take its time."""
        self._connection.settimeout(None)
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def send(self, message: dict[str, Any]) -> None:
        """Sends a message.

        Raises:
            LineRefused: It is too long.
            OSError: The other side is gone.
        """
        body = json.dumps(message).encode()
        if len(body) > MOST_BYTES:
            raise LineRefused(f"a message of {len(body)} bytes is too long")
        mac = _sign(self._send_key, self._sent, body)
        self._sent += 1
        self._connection.sendall(len(body).to_bytes(4, "little") + mac + body)

    def receive(self) -> dict[str, Any]:
        """Waits for a message.

        Raises:
            LineRefused: It is not from a host of this job.
            OSError: The other side is gone.
        """
        size_bytes = int.from_bytes(self._receive(4), "little")
        if size_bytes > MOST_BYTES:
            raise LineRefused(f"a message of {size_bytes} bytes is too long")
        mac = self._receive(_MAC_BYTES)
        body = self._receive(size_bytes)
        if not hmac.compare_digest(mac, _sign(self._receive_key, self._received, body)):
            raise LineRefused("the other side does not know the job's key")
        self._received += 1
        message = json.loads(body)
        if not isinstance(message, dict):
            raise LineRefused("the other side does not speak as a host does")
        return message

    def has_news(self) -> bool:
        """Whether `receive` would not have to wait: a message has come, or the other side is gone."""
        return bool(select.select([self._connection], [], [], 0)[0])

    def close(self) -> None:
        """Ends the line."""
        self._connection.close()

    def _receive(self, size_bytes: int) -> bytes:
        parts = bytearray()
        while len(parts) < size_bytes:
            part = self._connection.recv(min(size_bytes - len(parts), 1 << 16))
            if not part:
                raise ConnectionResetError("the other side is gone")
            parts += part
        return bytes(parts)


def _sign(key: bytes, number: int, body: bytes) -> bytes:
    return hmac.digest(key, number.to_bytes(8, "little") + body, hashlib.sha256)
