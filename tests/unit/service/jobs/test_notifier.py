"""Waking long polls."""

from __future__ import annotations

import asyncio
import threading
import time

from sm_remote.service.jobs.notifier import Notifier


def test_a_waiter_wakes_when_its_topic_is_announced_from_another_thread():
    async def scenario() -> tuple[str, float]:
        notifier, seen = Notifier(), []
        notifier.attach(asyncio.get_running_loop())

        def announce() -> None:
            time.sleep(0.05)
            seen.append("news")
            announced.append(time.perf_counter())
            notifier.announce("job")

        announced: list[float] = []
        threading.Thread(target=announce).start()
        answer = await notifier.wait_until("job", lambda: (bool(seen), "".join(seen)), 120)
        return answer, time.perf_counter() - announced[0]

    answer, late_s = asyncio.run(scenario())
    assert answer == "news"
    assert late_s < 60


def test_news_of_other_topics_wake_nobody():
    async def scenario() -> int:
        notifier, looks = Notifier(), []
        notifier.attach(asyncio.get_running_loop())
        waiting = asyncio.create_task(notifier.wait_until("job", lambda: (bool(looks.append(1)), None), 120))
        await asyncio.sleep(0.02)
        before = len(looks)
        notifier.announce("another")
        await asyncio.sleep(0.02)
        after = len(looks)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return after - before

    assert asyncio.run(scenario()) == 0


def test_when_the_time_is_over_the_answer_of_now_is_given():
    async def scenario() -> str:
        notifier = Notifier()
        notifier.attach(asyncio.get_running_loop())
        return await notifier.wait_until("job", lambda: (False, "as it is"), 0.02)

    assert asyncio.run(scenario()) == "as it is"


def test_nothing_is_kept_for_waiters_that_have_gone():
    async def scenario() -> int:
        notifier = Notifier()
        notifier.attach(asyncio.get_running_loop())
        waiting = asyncio.create_task(notifier.wait_until("job", lambda: (False, None), 10))
        await asyncio.sleep(0.01)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        return len(notifier._waiters)

    assert asyncio.run(scenario()) == 0


def test_announcements_without_a_loop_are_dropped():
    notifier = Notifier()
    notifier.announce("job")
    notifier.attach(None)
    notifier.announce("job")
