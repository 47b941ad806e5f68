"""One thread calls what is to be called, in the order of the moments."""

from __future__ import annotations

import threading

from sm_remote.jobs.watching.alarm import Alarm


def test_moments_come_in_order_and_again_until_nobody_wants_them() -> None:
    now_s = [0.0]
    alarm, done, seen = Alarm(clock=lambda: now_s[0]), threading.Event(), []

    def look(name: str, again: list[float]) -> float | None:
        seen.append(name)
        if name == "late":
            done.set()
        elif not again:
            now_s[0] = 5.0
        return again.pop() if again else None

    def fail() -> float | None:
        seen.append("fails")
        raise RuntimeError("nobody's business")

    alarm.call_after(5.0, lambda: look("late", []))
    alarm.call_after(0.0, fail)
    again = [0.0, 0.0]
    alarm.call_after(0.0, lambda: look("again", again))
    assert done.wait(120)
    assert seen == ["fails", "again", "again", "again", "late"]
    for thread in threading.enumerate():
        if thread.name == "sm_remote-alarm":
            thread.join(120)
    done.clear()
    alarm.call_after(0.0, lambda: look("late", []))
    assert done.wait(120)
