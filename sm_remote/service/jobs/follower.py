"""Two threads beside each running container: one reads its log, one waits for its end. What they find they post."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass

from sm_remote.service.engines.engine import ContainerExit, ContainerLost, Engine, EngineError
from sm_remote.service.logs.stream import LogSpool
from sm_remote.service.metrics.definitions import MetricReader

logger = logging.getLogger("sm_remote.service")


@dataclass(frozen=True, slots=True)
class ContainerEnded:
    """A host's container has ended."""

    host: str
    exit: ContainerExit


@dataclass(frozen=True, slots=True)
class ContainerGone:
    """A host's container is not there, and how it ended is unknown."""

    host: str
    why: str


@dataclass(frozen=True, slots=True)
class ValueSeen:
    """The job has published a value: what follows is only its end."""


@dataclass(frozen=True, slots=True)
class IntentCommitted:
    """What is wanted of the job has been committed: its stop, or the end of its current attempt."""


Mail = ContainerEnded | ContainerGone | ValueSeen | IntentCommitted


class Follower:
    """Follows one container.

    Args:
        host: Whose container it is.
        engine: That runs it.
        container: Its name.
        log: Takes its lines; those that it has already are skipped.
        metrics: Fed with every line.
        is_value: Whether a line announces a value that is there.
        post: Takes what is found.

    Attributes:
        saw_value: Whether a line has announced a value.
    """

    def __init__(
        self,
        *,
        host: str,
        engine: Engine,
        container: str,
        log: LogSpool,
        metrics: MetricReader,
        is_value: Callable[[bytes], bool],
        post: Callable[[Mail], None],
    ) -> None:
        self.metrics = metrics
        self.saw_value = False
        self._host = host
        self._engine = engine
        self._container = container
        self._log = log
        self._is_value = is_value
        self._post = post
        self._reader = threading.Thread(target=self._read, name=f"log {container}", daemon=True)
        self._waiter = threading.Thread(target=self._wait, name=f"wait {container}", daemon=True)

    def start(self) -> None:
        """Starts both threads."""
        self._reader.start()
        self._waiter.start()

    def join_log(self, timeout_s: float) -> bool:
        """Waits for the container's last line; whether it has come."""
        self._reader.join(timeout_s)
        return not self._reader.is_alive()

    def join_end(self, timeout_s: float) -> bool:
        """Waits for the container's end; whether it has come."""
        self._waiter.join(timeout_s)
        return not self._waiter.is_alive()

    def _read(self) -> None:
        to_skip = self._log.job_lines
        try:
            for number, (timestamp_ms, line) in enumerate(self._engine.read_lines(self._container)):
                self.metrics.feed(timestamp_ms, line)
                if number >= to_skip:
                    self._log.append(timestamp_ms, line)
                if self._is_value(line):
                    self.saw_value = True
                    self._post(ValueSeen())
        except EngineError:
            logger.warning("The log of %s ended early", self._container, exc_info=True)
        finally:
            self.metrics.close()

    def _wait(self) -> None:
        try:
            self._post(ContainerEnded(self._host, self._engine.wait(self._container)))
        except ContainerLost as error:
            self._post(ContainerGone(self._host, str(error)))
        except EngineError as error:
            logger.warning("Waiting for %s failed", self._container, exc_info=True)
            self._post(ContainerGone(self._host, str(error)))
