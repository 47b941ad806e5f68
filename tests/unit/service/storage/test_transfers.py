"""Objects that become files, several at a time."""

from __future__ import annotations

import threading

import pytest

from sm_remote.service.storage.transfers import Transfer, run_transfers


def nothing() -> None:
    """Stands in nobody's way."""


@pytest.mark.parametrize("is_remote", [False, True])
def test_every_transfer_runs_once(is_remote):
    done = []
    transfers = [Transfer(run=lambda n=n: done.append(n), is_remote=is_remote) for n in range(200)]
    run_transfers(iter(transfers), nothing, print)
    assert sorted(done) == list(range(200))


def test_remote_ones_run_at_the_same_time():
    meeting = threading.Barrier(8, timeout=120)
    run_transfers([Transfer(run=lambda: meeting.wait() and None, is_remote=True) for _ in range(8)], nothing, print)


@pytest.mark.parametrize("is_remote", [False, True])
def test_the_first_failure_is_raised_and_the_rest_left_out(is_remote):
    begun = []

    def fail() -> None:
        begun.append(1)
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space left"):
        run_transfers([Transfer(run=fail, is_remote=is_remote) for _ in range(500)], nothing, print)
    assert len(begun) < 500


def test_a_stop_ends_them_even_while_all_of_them_hang():
    held = threading.Event()
    calls = []

    class StoppedError(Exception):
        pass

    def go_on() -> None:
        calls.append(1)
        if len(calls) > 3:
            held.set()
            raise StoppedError

    with pytest.raises(StoppedError):
        run_transfers([Transfer(run=lambda: held.wait(120) and None, is_remote=True)], go_on, print)


def test_slow_ones_say_how_far_they_are():
    said: list[str] = []
    now = iter(range(0, 1000, 4))
    transfers = [Transfer(run=nothing, is_remote=False) for _ in range(10)]
    run_transfers(transfers, nothing, said.append, clock=lambda: float(next(now)))
    assert said
    assert all(text.endswith("objects so far") for text in said)
