"""Waiting for a job: until its end, or until something keeps the caller from learning of it, which is not its end."""

from __future__ import annotations

import threading
from collections.abc import Callable
from contextlib import suppress

from sm_remote.errors import CredentialsExpired


class Waiting:
    """Who waits for one job.

    Args:
        hurry: Called when somebody waits anew after trouble, which may be over.
    """

    def __init__(self, hurry: Callable[[], None]) -> None:
        self._hurry = hurry
        self._changed = threading.Condition()
        self._ended = False
        self._troubles = 0
        self._trouble: CredentialsExpired | None = None
        self._listeners: list[Callable[[CredentialsExpired], None]] = []

    def end(self) -> None:
        """The job has ended, as far as its caller is concerned."""
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def interrupt(self, trouble: CredentialsExpired) -> None:
        """Wakes all who wait now; who waits later waits on."""
        with self._changed:
            self._troubles += 1
            self._trouble = trouble
            listeners, self._listeners = self._listeners, []
            self._changed.notify_all()
        for listener in listeners:
            listener(trouble)

    def listen(self, listener: Callable[[CredentialsExpired], None]) -> Callable[[], None]:
        """Has the next trouble told, once; returns what ends that."""
        with self._changed:
            self._listeners.append(listener)
            is_troubled = self._trouble is not None
        if is_troubled:
            self._hurry()

        def leave() -> None:
            with self._changed, suppress(ValueError):
                self._listeners.remove(listener)

        return leave

    def wait(self, timeout: float | None) -> None:
        """Returns at the job's end.

        Raises:
            CredentialsExpired: It cannot be learnt of now; a fresh object for each caller.
            TimeoutError: The time ran out.
        """
        with self._changed:
            before, is_troubled = self._troubles, self._trouble is not None
        if is_troubled:
            self._hurry()
        with self._changed:
            woken = self._changed.wait_for(lambda: self._ended or self._troubles != before, timeout)
            ended, trouble = self._ended, self._trouble
        if ended:
            return
        if not woken or trouble is None:
            raise TimeoutError
        raise CredentialsExpired(trouble.what, why=trouble.why, fix=trouble.fix, **trouble.facts)
