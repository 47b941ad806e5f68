"""One host of a training job in one attempt: its working tree, log, companions and container."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from pathlib import Path

from sm_remote.service.engines.engine import EngineError
from sm_remote.service.hosts.companions import Companion, InputBrokenError
from sm_remote.service.hosts.host import Host
from sm_remote.service.hosts.working_tree import find_tree
from sm_remote.service.jobs.containers import render_first_lines
from sm_remote.service.jobs.follower import Follower, Mail
from sm_remote.service.jobs.notifier import log_topic
from sm_remote.service.jobs.preparation import build_companions, stage_inputs, start_container
from sm_remote.service.jobs.standby import adopt_standby, find_standby
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.logs.stream import LogSpool
from sm_remote.service.metrics.definitions import open_metrics
from sm_remote.service.records import failures
from sm_remote.service.records.attempts import container_name
from sm_remote.service.records.job import JobRecord, Metric
from sm_remote.service.storage.objects import ObjectError

logger = logging.getLogger("sm_remote.service")

_DRAIN_S = 5.0
"""How long a container's last lines may take after it has ended."""
_STOP_AGAIN_S = 2.0


class HostRun:
    """Runs one host of one attempt.

    Args:
        workshop: What to work with.
        record: The job; its current attempt is the host's.
        host: Which one.
        post: Takes what its container has to tell.

    Attributes:
        host: Which one.
        tree: Its directories.
        container: Its container's name.
        broken_input: Why the job did not get all of its input, once `finish_companions` has found that out.
    """

    def __init__(self, workshop: Workshop, record: JobRecord, host: Host, post: Callable[[Mail], None]) -> None:
        self.host = host
        self.tree = find_tree(workshop.home, record.name, record.attempt, host.name)
        self.container = container_name(record.name, record.attempt, host.name)
        self._shop = workshop
        self._post = post
        self._log: LogSpool | None = None
        self._follower: Follower | None = None
        self._signalled = False
        self.broken_input: str | None = None
        self._companions: tuple[Companion, ...] = build_companions(record, host, self.tree, workshop, self.say)

    @property
    def saw_value(self) -> bool:
        """Whether the job has announced a value in this host's log."""
        return self._follower is not None and self._follower.saw_value

    def _log_path(self, record: JobRecord) -> Path:
        return self._shop.home.logs / record.name / f"{record.current.streams[self.host.name]}.log"

    def open_log(self, record: JobRecord) -> LogSpool:
        """Opens the host's log stream, where it is not open yet."""
        if self._log is None:
            path = self._log_path(record)
            topic = log_topic(record.name)
            advise = self._shop.access.find_advice(record.request)
            self._log = LogSpool(path, lambda: self._shop.notifier.announce(topic), advise=advise)
            if self._log.is_new:
                self._log.say(self._now_ms(), render_first_lines(record, self.host, self._shop.engine, self._shop.host))
        return self._log

    def say(self, text: str) -> None:
        """Appends the service's own words to the host's log."""
        if self._log is not None:
            self._log.say(self._now_ms(), f"sm_remote: {text}")

    def stage(self, record: JobRecord, go_on: Callable[[], None]) -> None:
        """Makes the working tree.

        Raises:
            JobFailedError: An input is not to be had.
        """
        is_made = False
        if record.current.pool is not None:
            ended = self._shop.store.find(record.current.pool)
            is_made = adopt_standby(record, ended, self.host, self._companions, self._shop)
        stage_inputs(record, self.host, self.tree, self._companions, self._shop, go_on, self.say, is_made=is_made)

    def start(self, record: JobRecord) -> None:
        """Starts the container, or adopts the one that has been started.

        Raises:
            JobFailedError: The engine refuses.
        """
        standby = find_standby(record, self.tree)
        start_container(record, self.host, self.tree, self._companions, self._shop, standby=standby)

    def follow(self, record: JobRecord, is_value: Callable[[bytes], bool]) -> None:
        """Has the container's log and end followed, and starts what lives beside it."""
        self._follower = Follower(
            host=self.host.name,
            engine=self._shop.engine,
            container=self.container,
            log=self.open_log(record),
            metrics=open_metrics(record.request, self._log_path(record)),
            is_value=is_value,
            post=self._post,
        )
        self._follower.start()
        for companion in self._companions:
            companion.start()

    def stop(self, grace_s: float) -> None:
        """Has the container stopped; once, whatever is asked for afterwards."""
        if self._signalled:
            return
        self._signalled = True
        try:
            self._shop.engine.stop(self.container, grace_s)
        except EngineError:
            # A daemon that restarts may leave the container running: only a stop that was taken ends it.
            logger.exception("The container %s could not be stopped; trying again", self.container)
            self._signalled = False
            again = threading.Timer(_STOP_AGAIN_S, self.stop, [grace_s])
            again.daemon = True
            again.start()

    def drain_log(self) -> None:
        """Waits for the last lines of a container that has ended."""
        if self._follower is not None:
            self._follower.join_log(_DRAIN_S)

    def finish_companions(self) -> str | None:
        """Has everything flushed that lies beside the container, or says why that failed."""
        failure = None
        for companion in self._companions:
            try:
                companion.finish()
            except InputBrokenError as error:
                self.broken_input = failures.render_download_failure(str(error))
            except ObjectError as error:
                failure = failure or failures.render_upload_failure(str(error))
        return failure

    def final_metrics(self) -> tuple[Metric, ...]:
        """The last value of each metric that the host's log showed."""
        return self._follower.metrics.final() if self._follower is not None else ()

    def end_container(self, patience_s: float = 0.0) -> None:
        """Waits until the container is dead, and kills it after some patience; what it wrote stays.

        Raises:
            EngineError: The engine does not answer.
        """
        if self._follower is None or not self._follower.join_end(patience_s):
            self._shop.engine.stop(self.container, 0.0)
        if self._follower is not None:
            self._follower.join_end(_DRAIN_S)

    def remove_container(self, patience_s: float) -> None:
        """Removes the container, after some patience even while it runs."""
        try:
            self.end_container(patience_s)
            self._shop.engine.remove(self.container)
        except EngineError:
            # The scheduler's sweep finds what is left.
            logger.exception("The container %s could not be removed", self.container)

    def close_log(self) -> None:
        """Closes the log stream after its last line."""
        self.drain_log()
        if self._log is not None:
            self._log.close()

    def _now_ms(self) -> int:
        return int(self._shop.clock() * 1000)


def merge_metrics(found: Iterable[Metric]) -> tuple[Metric, ...]:
    """The latest value of each metric, in the order in which they were first seen."""
    latest: dict[str, Metric] = {}
    for metric in found:
        if metric.name not in latest or metric.timestamp >= latest[metric.name].timestamp:
            latest[metric.name] = metric
    return tuple(latest.values())
