"""The log of a job as lines: all hosts, each line once, attempts one after the other, while it runs or after."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

from sm_remote.aws.training_jobs import TrainingJobs
from sm_remote.spec import SecondaryStatus
from sm_remote.wire.launch import read_manifest_digest
from sm_remote.wire.marker import DisplayMark, split_display, split_marker

HOLD_S = 10.0
SHARED_HOLD_S = 0.25
POLL_S = 2.0
SETTLE_S = 6.0
"""How long after a job's end CloudWatch is still asked for late lines."""


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
    holds = api.session.holds_requests
    description = api.describe(name)
    manifest_digest = read_manifest_digest(description.arguments)
    may_restart = any(description.raw.get(member) for member in ("EnableManagedSpotTraining", "RetryStrategy"))
    hosts: dict[str, _HostLog] = {}
    ended_at: float | None = None
    waited = False
    while True:
        if description.secondary_status is SecondaryStatus.PENDING and not waited:
            waited = True
            on_wait()
        if not description.status.is_terminal or not hosts or (may_restart and ended_at is None):
            for stream in api.list_log_streams(name):
                hosts.setdefault(_find_host(stream), _HostLog()).add(stream)
        if description.status.is_terminal and ended_at is None:
            ended_at = clock()
        several = len(hosts) > 1
        got_any = False
        for host, log in sorted(hosts.items()):
            if log.is_read:
                continue
            hold_s = (SHARED_HOLD_S if several else HOLD_S) if follow and holds else 0.0
            lines = log.read(api, hold_s)
            got_any = got_any or bool(lines)
            prefix = f"[{host}] " if several else ""
            for line in lines:
                for entry in read_line(line, manifest_digest):
                    yield from _of_host(entry, prefix)
        everything_read = bool(hosts) and all(log.is_read for log in hosts.values())
        if not follow:
            if not got_any:
                return
            continue
        if ended_at is not None:
            if everything_read or (holds and not hosts):
                return
            if not got_any:
                if clock() - ended_at > SETTLE_S:
                    return
                sleep(0.05 if holds else POLL_S)
            continue
        if holds:
            # With nothing to read yet, a change of the job's state is what to wait for; else only look.
            idle = not hosts or everything_read
            description = api.describe(name, wait_s=HOLD_S if idle else 0.0, seen=description.version)
        else:
            if not got_any:
                sleep(POLL_S)
            description = api.describe(name)


class _HostLog:
    """One host's log: a stream for each attempt, read one after the other."""

    def __init__(self) -> None:
        self._streams: list[str] = []
        self._position = 0
        self._token: str | None = None
        self._closed = False
        self._told = 0

    @property
    def is_read(self) -> bool:
        """Whether nothing can come any more, as far as is known."""
        return self._closed and self._position == len(self._streams) - 1

    def add(self, stream: str) -> None:
        """Takes up a stream; they come in the order of the attempts."""
        if stream not in self._streams:
            self._streams.append(stream)

    def read(self, api: TrainingJobs, hold_s: float) -> list[str]:
        """The next lines, of one attempt; the first of a later attempt come behind a line that says so."""
        while True:
            is_last = self._position == len(self._streams) - 1
            page = api.read_log(self._streams[self._position], token=self._token, wait_s=hold_s if is_last else 0.0)
            self._token, self._closed = page.forward, page.closed
            if page.lines and self._told < self._position:
                self._told = self._position
                return [f"---- attempt {self._position + 1} ----", *page.lines]
            if page.lines or is_last:
                return page.lines
            self._position, self._token, self._closed = self._position + 1, None, False


def read_tail(api: TrainingJobs, name: str, lines: int) -> list[str]:
    """The newest lines of a job's first host, oldest of them first, our own marker line included."""
    streams = api.list_log_streams(name)
    if not streams:
        return []
    first = [stream for stream in streams if _find_host(stream) == "algo-1"] or streams
    return api.read_log(first[-1], from_head=False, limit=lines).lines


def _of_host(entry: str | DisplayMark, prefix: str) -> Iterator[str | DisplayMark]:
    """What is told of a host: where there are several, of all but the first what they displayed is told as text."""
    if isinstance(entry, str):
        yield prefix + entry
    elif prefix in ("", "[algo-1] "):
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


def _find_host(stream: str) -> str:
    # "<job>/algo-1-1763712000": the host is what lies before the last dash.
    return stream.rpartition("/")[2].rpartition("-")[0]
