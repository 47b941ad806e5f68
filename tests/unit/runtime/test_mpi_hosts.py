from __future__ import annotations

import socket
import threading
from contextlib import ExitStack

import pytest

from sm_remote.errors import JobFailed
from sm_remote.runtime.children import Ending
from sm_remote.runtime.mpi_hosts import Company
from sm_remote.runtime.peer_line import LineRefused, PeerLine
from sm_remote.runtime.ranks import Rank
from sm_remote.runtime.report import Report

KEY = b"k" * 32


@pytest.fixture
def said():
    return []


@pytest.fixture
def company(said):
    company = Company(["algo-2", "algo-3"], KEY, say=said.append)
    yield company
    company.tell_all({})  # which ends all lines


@pytest.fixture
def call(company):
    """A host that comes, and is taken in or not; gives its end of the line."""
    with ExitStack() as ends:

        def come(host, *, key=KEY, slots=2):
            here, there = socket.socketpair()
            thread = threading.Thread(target=company.greet, args=(here,))
            thread.start()
            line = PeerLine(there, key, leads=False)
            ends.callback(line.close)
            line.send({"host": host, "slots": slots})
            thread.join()
            return line

        yield come


def end(line, *, exit_code, failure):
    rank = Rank(number=3, local=1, world_size=4, local_world_size=2, host="algo-2", master="algo-1", interface="eth0")
    ending = Ending(rank=rank, report=Report(exit_code=exit_code, failure=failure), exit_code=exit_code)
    line.send({"exit_code": exit_code, "endings": [(1.5, ending.to_json())]})
    return ending


def test_all_hosts_are_waited_for_and_counted_in_their_order(company, call):
    call("algo-3", slots=1)
    with pytest.raises(JobFailed, match="algo-2 did not come"):
        company.wait_for_all(0)
    call("algo-2", slots=4)
    company.wait_for_all(0)
    assert list(company.slots().items()) == [("algo-2", 4), ("algo-3", 1)]


@pytest.mark.parametrize(
    ("host", "given"),
    [("algo-2", {"key": b"x" * 32}), ("algo-9", {}), ("algo-2", {"slots": 0}), ("algo-2", {"slots": "many"})],
)
def test_a_caller_that_is_no_host_of_the_job_is_sent_away(company, call, said, host, given):
    line = call(host, **given)
    with pytest.raises(JobFailed, match="algo-2, algo-3 did not come"):
        company.wait_for_all(0)
    assert "no host of this job" in said[0]
    with pytest.raises(ConnectionResetError):
        line.receive()


def test_a_host_is_taken_in_once(company, call, said):
    call("algo-2", slots=1)
    call("algo-2", slots=7)
    assert said
    call("algo-3")
    assert company.slots()["algo-2"] == 1


def test_a_host_starts_one_daemon_and_says_how_its_ranks_ended(company, call):
    line = call("algo-2")
    exit_codes = []
    thread = threading.Thread(target=lambda: exit_codes.append(company.launch("algo-2", "prted --x")))
    thread.start()
    assert line.receive() == {"launch": "prted --x"}
    ending = end(line, exit_code=1, failure="ValueError: no")
    thread.join()
    assert exit_codes == [1]
    assert company.has_lost_one()
    assert company.wait_for_endings(0) == [(1.5, ending)]
    with pytest.raises(LineRefused, match="already"):
        company.launch("algo-2", "prted --x")


def test_a_host_that_is_gone_has_no_endings_and_holds_up_nobody(company, call):
    line = call("algo-2")
    line.close()
    with pytest.raises(OSError):
        company.launch("algo-2", "prted")
    assert company.wait_for_endings(5) == []
    assert company.has_lost_one()


def test_all_are_told_how_the_job_has_ended(company, call):
    lines = [call("algo-2"), call("algo-3")]
    lines[0].close()  # gone already, which is its own business
    assert not lines[1].has_news()
    company.tell_all({"failure": "why"})
    assert lines[1].has_news()
    assert lines[1].receive() == {"failure": "why"}


def test_the_agents_unknown_host_is_said_and_fails(company, said):
    here, there = socket.socketpair()
    thread = threading.Thread(target=company.answer_agent, args=(here,))
    thread.start()
    there.sendall(b'["algo-9", "prted"]')
    there.shutdown(socket.SHUT_WR)
    thread.join()
    assert there.recv(16) == b"1"
    there.close()
    assert "could not start its daemon" in said[0]
