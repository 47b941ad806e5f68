"""Has every request wait for its turn: those of this process, and of all processes of this user on this machine.

The turns lie in one small file for each region and operation, so that kernels, Jupyter servers and command lines share
one account's quota; a lock is held for as long as it takes to write three numbers. botocore calls us before each
attempt it makes, so that its own retries wait for their turns, too.
"""

from __future__ import annotations

import json
import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from sm_remote.aws.pace import QUOTAS, Turns, slow_down, take_turn
from sm_remote.aws.refusals import THROTTLED
from sm_remote.home import make_private

logger = logging.getLogger("sm_remote")


class Pacer:
    """Turns of the operations that have quotas; all others go ahead.

    Args:
        directory: Where the turns are shared; None keeps them in this process.
        clock: Seconds since 1970, which processes share.
        sleep: For tests.
        chance: A number from 0 to 1, for the jitter.
    """

    def __init__(
        self,
        directory: Path | None,
        *,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
        chance: Callable[[], float] = random.random,
    ) -> None:
        self._directory = directory
        self._clock, self._sleep, self._chance = clock, sleep, chance
        self._lock = threading.Lock()
        self._own: dict[str, Turns] = {}

    def register(self, client: Any) -> None:
        """Has a boto3 client's requests wait for their turns, each attempt of botocore's own."""
        service = client.meta.service_model.service_name
        client.meta.events.register(f"before-send.{service}", self._before_send)
        client.meta.events.register(f"needs-retry.{service}", self._on_answer)

    def _before_send(self, event_name: str = "", **_: Any) -> None:
        self.await_turn(event_name.rpartition(".")[2])

    def _on_answer(self, event_name: str = "", response: Any = None, **_: Any) -> None:
        parsed = response[1] if response else None
        if (parsed or {}).get("Error", {}).get("Code") in THROTTLED:
            self.slow_down(event_name.rpartition(".")[2])

    def await_turn(self, operation: str) -> None:
        """Returns when a request may be sent."""
        quota = QUOTAS.get(operation)
        if quota is None:
            return
        with self._turns(operation) as (turns, put):
            now = self._clock()
            left, at = take_turn(turns, quota, now, self._chance())
            put(left)
        if at > now:
            self._sleep(at - now)

    def slow_down(self, operation: str) -> None:
        """Takes note of a ThrottlingException."""
        quota = QUOTAS.get(operation)
        if quota is not None:
            with self._turns(operation) as (turns, put):
                put(slow_down(turns, quota, self._clock()))
            logger.debug("%s is throttled: it is asked for less often.", operation)

    @contextmanager
    def _turns(self, operation: str) -> Iterator[tuple[Turns, Callable[[Turns], None]]]:
        """An operation's turns, and what puts others in their place; nobody else has them meanwhile."""
        with self._lock:
            descriptor = self._open(operation)
            if descriptor is None:
                yield self._own.get(operation, Turns()), lambda turns: self._own.update({operation: turns})
                return
            with os.fdopen(descriptor, "r+b") as file:  # closing it unlocks it
                yield _read(file.read()), lambda turns: _overwrite(file, turns)

    def _open(self, operation: str) -> int | None:
        """The locked file of an operation; None where none can be had, so that this process counts alone."""
        if self._directory is None:
            return None
        import fcntl  # absent on Windows, of which a caller is told in other words

        try:
            make_private(self._directory)
            path = self._directory / operation
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        except OSError as error:
            logger.debug("Requests of other processes are not counted: %s", error)
            self._directory = None
            return None
        return descriptor


def _read(content: bytes) -> Turns:
    try:
        return Turns(**json.loads(content))
    except (ValueError, TypeError):  # new, or a process died while it wrote
        return Turns()


def _overwrite(file: Any, turns: Turns) -> None:
    file.seek(0)
    file.write(json.dumps(asdict(turns)).encode())
    file.truncate()
