"""SIGTERM is noticed: the loop can save and leave, and the process still ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import threading

import pytest

from sm_remote.checkpoints.checkpoint import Checkpoint
from sm_remote.checkpoints.interruption import GRACE_VARIABLE, Notice
from tests.checkpoint_places import build_place


@pytest.fixture
def handlers():
    """Gives SIGTERM back to whoever has it now."""
    before = signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGTERM, before)


def test_the_notice_counts_the_grace_down(handlers, monkeypatch):
    monkeypatch.setenv(GRACE_VARIABLE, "30")
    now = [100.0]
    notice = Notice(clock=lambda: now[0])
    assert notice.listen()
    assert (notice.given, notice.grace_left_s) == (False, None)
    os.kill(os.getpid(), signal.SIGTERM)
    now[0] += 10
    assert (notice.given, notice.grace_left_s) == (True, 20.0)
    now[0] += 100
    assert notice.grace_left_s == 0.0
    notice.leave(deliver=False)


def test_a_handler_that_was_there_is_called_and_comes_back(handlers):
    called = []
    signal.signal(signal.SIGTERM, lambda *_: called.append(1))
    before = signal.getsignal(signal.SIGTERM)
    notice = Notice()
    notice.listen()
    notice.listen()
    os.kill(os.getpid(), signal.SIGTERM)
    notice.leave(deliver=True)
    assert signal.getsignal(signal.SIGTERM) != before
    notice.leave(deliver=True)
    assert signal.getsignal(signal.SIGTERM) == before
    assert called == [1]


def test_a_thread_cannot_listen_and_does_without(tmp_path):
    results = []

    def run():
        with Checkpoint("state", build_place(tmp_path)) as ckpt:
            ckpt.save(1)
            results.append(ckpt.interrupted)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert results == [False]


PROGRAM = """
import os, signal, sys
from sm_remote import checkpoint
def work():
    with checkpoint("state") as ckpt:
        for step in range(1000):
            if step == 3:
                os.kill(os.getpid(), signal.SIGTERM)
            ckpt.save(step, step=step, every_s=3600)
            if ckpt.interrupted:
                print("left at", step, 0 < ckpt.grace_left_s <= 120, flush=True)
                break
    print("after", flush=True)
work()
"""


@pytest.mark.slow
def test_outside_of_a_job_the_process_ends_once_the_block_is_left():
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(PROGRAM)], capture_output=True, text=True)
    assert done.stdout == "left at 3 True\n"
    assert done.returncode == -signal.SIGTERM
    assert "2 saved" in done.stderr  # the first, and the last in spite of the throttle
