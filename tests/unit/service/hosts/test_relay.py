"""The relay, with real sockets."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from sm_remote.service.hosts.relay import Relay


@pytest.fixture
def echo() -> Iterator[tuple[str, int]]:
    """A server that answers each connection with what it was sent, in capitals."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                while data := connection.recv(1 << 16):
                    connection.sendall(data.upper())

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    yield listener.getsockname()
    # Wakes the thread, which a mere close would leave in its call.
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


def ask(port: int, data: bytes) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=120) as connection:
        connection.sendall(data)
        answer = b""
        while len(answer) < len(data) and (piece := connection.recv(1 << 16)):
            answer += piece
        return answer


def test_bytes_pass_both_ways(echo: tuple[str, int]) -> None:
    relay = Relay(("127.0.0.1", 0), echo, lambda: ["127.0.0.0/8"])
    data = b"abc" * 1_000_000
    assert ask(relay.port, data) == data.upper()
    assert ask(relay.port, b"again") == b"AGAIN"
    relay.close()


def test_who_is_in_no_network_of_containers_is_turned_away(echo: tuple[str, int]) -> None:
    relay = Relay(("127.0.0.1", 0), echo, lambda: ["172.17.0.0/16"])
    assert ask(relay.port, b"") == b""
    with socket.create_connection(("127.0.0.1", relay.port), timeout=120) as connection:
        assert connection.recv(1) == b""
    relay.close()


def test_a_network_that_is_made_later_is_asked_for(echo: tuple[str, int]) -> None:
    """Each job over several hosts has one of its own."""
    networks = ["172.17.0.0/16"]
    relay = Relay(("127.0.0.1", 0), echo, lambda: networks)
    with socket.create_connection(("127.0.0.1", relay.port), timeout=120) as connection:
        assert connection.recv(1) == b""
    networks.append("127.0.0.0/8")
    assert ask(relay.port, b"now") == b"NOW"
    relay.close()


def test_a_port_that_is_taken_is_replaced(echo: tuple[str, int]) -> None:
    relay = Relay(("127.0.0.1", echo[1]), echo, lambda: ["127.0.0.0/8"])
    assert relay.port != echo[1]
    assert ask(relay.port, b"x") == b"X"
    relay.close()


def test_a_server_that_is_not_there_ends_the_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    relay = Relay(("127.0.0.1", 0), ("127.0.0.1", port), lambda: ["127.0.0.0/8"])
    with socket.create_connection(("127.0.0.1", relay.port), timeout=120) as connection:
        assert connection.recv(1) == b""
    relay.close()


def test_nobody_gets_in_while_the_engine_does_not_say_what_its_networks_are(echo: tuple[str, int]) -> None:
    silent = [True]

    def list_networks() -> list[str]:
        if silent:
            raise OSError("the daemon is gone")
        return ["127.0.0.0/8"]

    relay = Relay(("127.0.0.1", 0), echo, list_networks)
    with socket.create_connection(("127.0.0.1", relay.port), timeout=120) as connection:
        assert connection.recv(1) == b""
    silent.clear()
    assert ask(relay.port, b"back") == b"BACK"
    relay.close()
