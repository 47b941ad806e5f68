from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor

import pytest

from sm_remote.runtime.peer_line import MOST_BYTES, LineRefused, PeerLine

KEY = b"k" * 32


@pytest.fixture
def sockets():
    pair = socket.socketpair()
    yield pair
    for each in pair:
        each.close()


def connect(sockets, *, other_key=KEY, other_leads=False):
    """Both ends of a line."""
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(PeerLine, sockets[0], KEY, leads=True)
        other = pool.submit(PeerLine, sockets[1], other_key, leads=other_leads)
        return first.result(), other.result()


@pytest.fixture
def line(sockets):
    return connect(sockets)


def test_messages_arrive_in_their_order_both_ways(line):
    first, other = line
    first.send({"launch": "prted ü"})
    first.send({"number": 2})
    other.send({"exit_code": 0})
    assert [other.receive(), other.receive(), first.receive()] == [
        {"launch": "prted ü"},
        {"number": 2},
        {"exit_code": 0},
    ]


@pytest.mark.parametrize("wrong", [{"other_key": b"x" * 32}, {"other_leads": True}])
def test_one_who_does_not_know_the_key_or_repeats_what_the_first_says_is_refused(sockets, wrong):
    first, other = connect(sockets, **wrong)
    other.send({"host": "algo-2"})
    with pytest.raises(LineRefused, match="does not know the job's key"):
        first.receive()


def test_a_message_that_is_sent_again_is_refused(sockets, line):
    first, other = line
    other.send({"host": "algo-2"})
    raw = sockets[0].recv(4096, socket.MSG_PEEK)
    sockets[1].sendall(raw)
    assert first.receive() == {"host": "algo-2"}
    with pytest.raises(LineRefused):
        first.receive()


def test_a_message_that_would_be_too_long_is_not_waited_for(sockets, line):
    first, _ = line
    sockets[1].sendall((MOST_BYTES + 1).to_bytes(4, "little"))
    with pytest.raises(LineRefused, match="too long"):
        first.receive()
    with pytest.raises(LineRefused, match="too long"):
        first.send({"text": "x" * MOST_BYTES})


def test_an_end_that_is_gone_is_an_error(line):
    first, other = line
    other.close()
    with pytest.raises(ConnectionResetError):
        first.receive()
