"""Ctrl-C gives the prompt back at once: a blocking call stops its job, waiting for a job only stops the waiting."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from typing import Any

import pytest

from sm_remote import attach

pytestmark = pytest.mark.service


def interrupt(script: str, ready: Callable[[list[str]], bool]) -> tuple[float, list[str], str]:
    """Runs a script, interrupts it when its output is ready, and tells (seconds until it ended, lines, stderr)."""
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", textwrap.dedent(script)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line.rstrip("\n"))
        if ready(lines):
            break
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    return time.monotonic() - began, lines, errors


def find_job(errors: str, verb: str) -> Any:
    [line] = [line for line in errors.splitlines() if verb in line]
    name = next(word.strip(":,.'") for word in line.split() if word.startswith("nap-"))
    return attach(name)


NAP = """
    import time
    from sm_remote import remote
    @remote{options}
    def nap(s):
        print("napping", flush=True)
        time.sleep(s)
        return s
"""


def test_an_interrupted_call_stops_its_job_and_does_not_wait_for_it(engine: str) -> None:
    took_s, _, errors = interrupt(NAP.format(options="") + "    nap(60)\n", lambda lines: "napping" in lines)
    assert took_s < 30  # not as long as the function naps
    assert "KeyboardInterrupt" in errors
    job = find_job(errors, "is being stopped")
    assert type(job.exception(timeout=120)).__name__ == "JobStopped"
    assert str(job.status) == "Stopped"


def test_a_detaching_call_leaves_its_job_running_and_says_how_to_come_back() -> None:
    script = NAP.format(options="(on_interrupt='detach')") + "    nap(2)\n"
    _, _, errors = interrupt(script, lambda lines: "napping" in lines)
    job = find_job(errors, "attach(")
    assert job.result(timeout=120) == 2


def test_an_interrupted_result_only_stops_waiting() -> None:
    # Not before it waits: an interrupt between two lines of the script is nobody's to tell of.
    script = NAP.format(options="") + (
        "    import threading\n"
        "    job = nap.submit(3)\n"
        "    threading.Timer(0.5, print, ['ready'], {'flush': True}).start()\n"
        "    job.result()\n"
    )
    _, _, errors = interrupt(script, lambda lines: "ready" in lines)
    job = find_job(errors, "attach(")
    assert job.result(timeout=120) == 3


def test_an_interrupted_map_stops_all_its_live_jobs() -> None:
    script = NAP.format(options="(stream_logs=False)") + (
        "    import threading, sm_remote\n"
        "    def tell():\n"
        "        while len(sm_remote.list_jobs(status='InProgress', name_contains='nap')) < 2: time.sleep(0.1)\n"
        "        print('ready', flush=True)\n"
        "    threading.Thread(target=tell, daemon=True).start()\n"
        "    nap.map([60, 60])\n"
    )
    took_s, _, errors = interrupt(script, lambda lines: "ready" in lines)
    assert took_s < 30
    assert "2 training job(s) are being stopped" in errors


def test_an_interrupted_await_stops_its_job_and_waits_for_nothing() -> None:
    script = """
        import asyncio
        from sm_remote import remote
        @remote
        async def nap(s):
            print("napping", flush=True)
            await asyncio.sleep(s)
        async def main():
            await nap(60)
        asyncio.run(main())
    """
    took_s, _, errors = interrupt(script, lambda lines: "napping" in lines)
    assert took_s < 30
    job = find_job(errors, "is being stopped")
    assert type(job.exception(timeout=120)).__name__ == "JobStopped"
