"""What mpirun calls in the place of ssh: it hands the command to this host's supervisor, and ends as the daemon does.

The supervisor listens at a socket in its private directory, which only its own user can enter.
"""

from __future__ import annotations

import json
import socket
import sys
from typing import NoReturn

MOST_BYTES = 64 * 1024


def main(address: str, arguments: list[str]) -> NoReturn:
    """Asks for a daemon on another host, and ends when it has.

    Args:
        address: The supervisor's socket.
        arguments: The host, and the command in as many words as mpirun likes.
    """
    host, *words = arguments
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(address)
        connection.sendall(json.dumps([host, " ".join(words)]).encode())
        connection.shutdown(socket.SHUT_WR)
        answer = read_all(connection, 16)
    sys.exit(int(answer or b"1"))


def read_all(connection: socket.socket, most_bytes: int) -> bytes:
    """What the other side says until it has no more to say.

    Raises:
        ValueError: It is too long.
    """
    parts = bytearray()
    while part := connection.recv(1 << 14):
        parts += part
        if len(parts) > most_bytes:
            raise ValueError(f"more than {most_bytes} bytes")
    return bytes(parts)
