"""Wakes long polls: runner threads say what changed, coroutines of the server's loop wait for it."""

from __future__ import annotations

import asyncio
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import TypeVar

Answer = TypeVar("Answer")

ALL_JOBS = "*"


def log_topic(job_name: str) -> str:
    """The topic of a job's log lines; of its state it is the name itself."""
    return f"log/{job_name}"


class Notifier:
    """Topics that are announced from any thread and awaited on one loop.

    Announcements are gathered: however many there are while the loop is busy, it is woken once.
    """

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._waiters: dict[str, set[asyncio.Event]] = defaultdict(set)
        self._announced: set[str] = set()
        self._lock = threading.Lock()

    def attach(self, loop: asyncio.AbstractEventLoop | None) -> None:
        """Names the loop on which coroutines wait; before, and after None, announcements are dropped."""
        with self._lock:
            self._loop = loop
            self._announced.clear()

    def announce(self, *topics: str) -> None:
        """Wakes everyone who waits for one of these topics. From any thread."""
        with self._lock:
            if self._loop is None:
                return
            first = not self._announced
            self._announced.update(topics)
            if first:
                self._loop.call_soon_threadsafe(self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            topics = tuple(self._announced)
            self._announced.clear()
        for topic in topics:
            for event in self._waiters.get(topic, ()):
                event.set()

    async def wait_until(self, topic: str, look: Callable[[], tuple[bool, Answer]], timeout_s: float) -> Answer:
        """Looks, and looks again after each announcement, until a look is content or the time is over.

        Args:
            topic: What to wait for.
            look: Returns whether it is content, and its answer.
            timeout_s: After this time the last answer is returned, content or not.
        """
        content, answer = look()
        if content or timeout_s <= 0:
            return answer
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        event = asyncio.Event()
        self._waiters[topic].add(event)
        try:
            while True:
                event.clear()
                content, answer = look()
                remaining = deadline - loop.time()
                if content or remaining <= 0:
                    return answer
                try:
                    await asyncio.wait_for(event.wait(), remaining)
                except asyncio.TimeoutError:
                    return look()[1]
        finally:
            self._waiters[topic].discard(event)
            if not self._waiters[topic]:
                del self._waiters[topic]
