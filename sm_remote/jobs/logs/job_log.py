"""The log of a job as lines: all hosts, each line once, attempts one after the other, while it runs or after."""

from __future__ import annotations

import heapq
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import replace

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.aws.training_jobs import TrainingJobs
from sm_remote.errors import ServiceUnavailable, Throttled
from sm_remote.jobs.logs.host_log import HostLog, find_host
from sm_remote.spec import SecondaryStatus
from sm_remote.wire.launch import read_manifest_digest
from sm_remote.wire.marker import DisplayMark, split_display, split_marker

logger = logging.getLogger("sm_remote")

HOLD_S = 10.0
SHARED_HOLD_S = 0.25
POLL_S = 1.0
STALE_S = 20.0
"""How long a description holds at most, although no list tells of a change."""
CHATTY = 1000
"""With so many lines at a time, the next are asked for at once."""
LONGEST_PAUSE_S = 10.0
SETTLE_S = 6.0
"""How long after a job's end CloudWatch is still asked for late lines, unless the job's own last line is there."""


def follow_log(
    api: TrainingJobs,
    name: str,
    *,
    follow: bool,
    on_wait: Callable[[], None] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[str]:
    """`follow_output` as lines alone: what a cell displayed is the plain text of it."""
    for entry in follow_output(api, name, follow=follow, on_wait=on_wait, sleep=sleep, clock=clock):
        if isinstance(entry, str):
            yield entry
        elif entry.kind in ("show", "update"):
            yield from entry.text.splitlines()


def follow_output(
    api: TrainingJobs,
    name: str,
    *,
    follow: bool,
    on_wait: Callable[[], None] = lambda: None,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> Iterator[str | DisplayMark]:
    """Yields a job's lines without their newlines; each host's in order, prefixed ``[algo-2]`` with several hosts.

    Each line comes once, whatever the API does meanwhile: after throttling, or a connection that was lost, it goes on
    where it was.

    Args:
        api: The training-job API.
        name: The job.
        follow: Whether to go on until the job has ended and its last line is out, or to stop at what is there now.
        on_wait: Called once if the job waits for capacity; it has no log until that has an end.
        sleep: For tests.
        clock: For tests.

    Yields:
        Lines, and between them the places at which a cell displayed something.
    """
    job = _FollowedJob(api, name, clock)
    manifest_digest = read_manifest_digest(job.description.arguments)
    holds, trouble, waited = api.session.holds_requests, _Trouble(name), False
    while True:
        if job.description.secondary_status is SecondaryStatus.PENDING and not waited:
            waited = True
            on_wait()
        try:
            lines = job.read_round(manifest_digest, follow=follow)
        except Throttled:
            sleep(POLL_S)  # the places in the streams are kept
            continue
        except ServiceUnavailable as error:
            if holds or not follow:
                raise
            sleep(trouble.next_pause_s(error))
            continue
        trouble.is_over()
        for prefix, line in lines:
            for entry in read_line(line, manifest_digest):
                yield from _of_host(entry, prefix)
        if not follow:
            if not lines:
                return
        elif job.ended_at is not None:
            if job.is_read or (holds and not job.hosts):
                return
            if not lines:
                if clock() - job.ended_at > SETTLE_S:
                    return
                sleep(0.05 if holds else POLL_S)
        else:
            if not holds and len(lines) < CHATTY:
                sleep(POLL_S)
            job.has_to_look = True


class _Trouble:
    """An API that does not answer while a log is followed: told once, and asked again ever later."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._failures = 0

    def next_pause_s(self, error: ServiceUnavailable) -> float:
        """How long to wait now."""
        self._failures += 1
        if self._failures == 2:
            logger.warning("The log of %s cannot be read for now; it goes on. %s", self._name, error)
        return min(LONGEST_PAUSE_S, POLL_S * self._failures)

    def is_over(self) -> None:
        """It answers."""
        self._failures = 0


class _FollowedJob:
    """A job, its hosts' logs, and when each was looked at last. What is read is kept only when all of it is there.

    Attributes:
        description: As it was last.
        hosts: By name.
        ended_at: When the end was seen.
        has_to_look: Whether the job may have changed.
    """

    def __init__(self, api: TrainingJobs, name: str, clock: Callable[[], float]) -> None:
        self._api, self._name, self._clock = api, name, clock
        self._described_at = clock()
        self.description = api.describe(name)
        self._may_restart = any(
            self.description.raw.get(each) for each in ("EnableManagedSpotTraining", "RetryStrategy")
        )
        self._has_listed = False
        self.hosts: dict[str, HostLog] = {}
        self.ended_at: float | None = None
        self.has_to_look = False

    @property
    def is_read(self) -> bool:
        """Whether all logs are read to their end, as far as is known."""
        ended = self.ended_at is not None
        return bool(self.hosts) and all(log.is_read or (ended and log.has_last_line) for log in self.hosts.values())

    def read_round(self, manifest_digest: str | None, *, follow: bool) -> list[tuple[str, str]]:
        """The next lines of all hosts, in the order of their moments, each with its host's prefix."""
        if self.has_to_look:
            self._look()
        self._find_streams()
        if self.description.status.is_terminal and self.ended_at is None:
            self.ended_at = self._clock()
        several = len(self.hosts) > 1
        hold_s = (SHARED_HOLD_S if several else HOLD_S) if follow and self._api.session.holds_requests else 0.0
        for log in self.hosts.values():
            log.fill(self._api, hold_s, manifest_digest)
        found = [
            [(moment, f"[{host}] " if several else "", line) for moment, line in log.take()]
            for host, log in sorted(self.hosts.items())
        ]
        return [(prefix, line) for _, prefix, line in heapq.merge(*found, key=lambda each: each[0])]

    def _look(self) -> None:
        """Describes the job, unless the list is watched and has told of no change."""
        holds = self._api.session.holds_requests
        now = self._clock()
        is_fresh = not holds and now - self._described_at < STALE_S
        if is_fresh and self._api.sightings.is_current(self.description, self._described_at):
            self.has_to_look = False
            return
        # With nothing to read yet, a change of the job's state is what to wait for; else only look.
        wait_s = HOLD_S if holds and (not self.hosts or self.is_read) else 0.0
        self.description = self._api.describe(self._name, wait_s=wait_s, seen=self.description.version)
        self._described_at, self._has_listed, self.has_to_look = now, False, False

    def _find_streams(self) -> None:
        status = self.description.status
        may_come = not status.is_terminal or not self.hosts or (self._may_restart and self.ended_at is None)
        is_known = self._has_listed and len(self.hosts) >= count_instances(self.description)
        if may_come and not is_known:
            for stream in self._api.list_log_streams(self._name):
                self.hosts.setdefault(find_host(stream), HostLog()).add(stream)
            self._has_listed = True


def count_instances(description: TrainingJobDescription) -> int:
    """How many hosts a job has."""
    resources = description.raw.get("ResourceConfig") or {}
    groups = resources.get("InstanceGroups") or (resources,)
    return sum(int(group.get("InstanceCount", 1)) for group in groups)


def read_tail(api: TrainingJobs, name: str, lines: int) -> list[str]:
    """The newest lines of a job's first host, oldest of them first, our own marker line included."""
    streams = api.list_log_streams(name)
    if not streams:
        return []
    first = [stream for stream in streams if find_host(stream) == "algo-1"] or streams
    return api.read_log(first[-1], from_head=False, limit=lines).lines


def _of_host(entry: str | DisplayMark, prefix: str) -> Iterator[str | DisplayMark]:
    """What is told of a host: where there are several, of all but the first what they displayed is told as text."""
    if isinstance(entry, str):
        yield prefix + entry
    elif entry.kind == "raised":
        yield replace(entry, text=prefix)
    elif prefix in ("", "[algo-1] ") or entry.kind == "told":
        yield entry
    elif entry.kind in ("show", "update"):
        yield from (prefix + line for line in entry.text.splitlines())


def read_line(line: str, manifest_digest: str | None) -> Iterator[str | DisplayMark]:
    """The line without our own marks, which may stand behind a text that had no newline."""
    if manifest_digest is None:
        yield line
        return
    displayed = split_display(line, manifest_digest)
    found = displayed or split_marker(line, manifest_digest)
    before = line if found is None else found[0]
    if before or found is None:
        yield before
    if displayed is not None:
        yield displayed[1]
