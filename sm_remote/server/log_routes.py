"""A job's log: slice by slice as the contract, as a stream where the way to the browser lets one through, and whole."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import islice
from typing import Any

from jupyter_server.auth.decorator import authorized
from tornado import iostream, web

from sm_remote.aws.training_jobs import TrainingJobs
from sm_remote.errors import RemoteError, Throttled
from sm_remote.jobs.logs.job_log import follow_log
from sm_remote.server.handler import PanelHandler, answers_problems, check_name, check_target
from sm_remote.server.log_slices import LogSlice, read_after, read_before, read_newest, render_slice
from sm_remote.server.panel import MOST_STREAMS
from sm_remote.server.problems import Problem, explain, render_problem

HOLD_S = 10.0
"""How long a stream waits for lines before it says that it is still there."""
PAUSE_S = 2.0
"""Between two looks at CloudWatch."""
SETTLED_LOOKS = 3
"""Looks without news after a job's end; CloudWatch delivers late."""
_DOWNLOAD_LINES = 2000


class LogHandler(PanelHandler):
    """A slice of a log."""

    @web.authenticated
    @authorized
    @answers_problems
    async def get(self, target: str, name: str) -> None:
        """The newest lines, those after a cursor, or those before one."""
        after, before = self.get_query_argument("after", ""), self.get_query_argument("before", "")
        piece = await self.panel.run(self._read, check_target(target), check_name(name), after, before)
        self.finish(json.dumps(render_slice(piece)))

    def _read(self, target: str, name: str, after: str, before: str) -> LogSlice:
        api = self.panel.connect(target).training_jobs
        if before:
            return read_before(api, name, before)
        return read_after(api, name, after) if after else read_newest(api, name)


class LogStreamHandler(PanelHandler):
    """The log of the open job as server-sent events, each of which is a slice: what is lost is asked for by cursor."""

    @web.authenticated
    @authorized
    @answers_problems
    async def get(self, target: str, name: str) -> None:
        """Sends slices until the job has ended and its last line is out."""
        check_target(target), check_name(name)
        if self.panel.open_streams >= MOST_STREAMS:
            self.refuse(Problem(code="busy", what="Too many logs are followed at once.", status=429))
            return
        self.panel.open_streams += 1
        try:
            with contextlib.suppress(iostream.StreamClosedError):
                await self._send_all(target, name, self.get_query_argument("after", ""))
        finally:
            self.panel.open_streams -= 1

    async def _send_all(self, target: str, name: str, after: str) -> None:
        api = (await self.panel.run(self.panel.connect, target)).training_jobs
        await self.panel.run(api.describe, name)  # no such job: said as a problem, before the stream begins
        self.set_header("Content-Type", "text/event-stream")
        self.set_header("Cache-Control", "no-cache")
        self.set_header("X-Accel-Buffering", "no")

        async def read(after: str) -> LogSlice:
            return await self._next(api, name, after)

        try:
            async for piece, is_last in follow_slices(
                read, after, holds=api.session.holds_requests, is_gone=self._is_gone
            ):
                await self._send("slice", {**render_slice(piece), "ended": is_last})
        except RemoteError as error:
            await self._send("problem", render_problem(explain(error)))

    def _is_gone(self) -> bool:
        """Whether the browser listens no more."""
        return bool(self.request.connection.stream.closed())  # type: ignore[union-attr]

    async def _next(self, api: TrainingJobs, name: str, after: str) -> LogSlice:
        if after:
            return await self.panel.run(read_after, api, name, after, wait_s=HOLD_S)
        return await self.panel.run(read_newest, api, name)

    async def _send(self, event: str, data: dict[str, Any]) -> None:
        self.write(f"event: {event}\ndata: {json.dumps(data)}\n\n")
        await self.flush()


async def follow_slices(
    read: Callable[[str], Awaitable[LogSlice]],
    after: str,
    *,
    holds: bool,
    is_gone: Callable[[], bool] = lambda: False,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
) -> AsyncIterator[tuple[LogSlice, bool]]:
    """Yields slices of a log to its end, and whether each is the last. Throttling takes time, and is told to nobody.

    Args:
        read: Reads what comes after a cursor.
        after: The first cursor.
        holds: Whether the API holds a request until there is something.
        is_gone: Tells whether nobody reads any more; asked before each request, also while the account is throttled.
        sleep: For tests.
    """
    settled, is_last = 0, False
    while not is_last and not is_gone():
        try:
            piece = await read(after)
        except Throttled:
            await sleep(PAUSE_S)
            continue
        after = piece.after
        settled = settled + 1 if piece.ended and not piece.lines else 0
        is_last = piece.ended and (holds or settled >= SETTLED_LOOKS)
        yield piece, is_last
        if not is_last and not holds and not piece.lines:
            await sleep(PAUSE_S)


class LogDownloadHandler(PanelHandler):
    """A whole log as a file."""

    @web.authenticated
    @authorized
    @answers_problems
    async def get(self, target: str, name: str) -> None:
        """Sends the lines as the job wrote them."""
        connection = await self.panel.run(self.panel.connect, check_target(target))
        lines = follow_log(connection.training_jobs, check_name(name), follow=False)
        first = await self.panel.run(_take, lines)
        self.set_header("Content-Type", "application/octet-stream")
        self.set_header("X-Content-Type-Options", "nosniff")
        self.set_header("Content-Disposition", f'attachment; filename="{name}.log"')
        while first:
            self.write(first)
            await self.flush()
            first = await self.panel.run(_take, lines)


def _take(lines: Iterator[str]) -> bytes:
    """The next lines of a log as bytes; nothing at its end."""
    return "".join(f"{line}\n" for line in islice(lines, _DOWNLOAD_LINES)).encode("utf-8", "replace")


_LOG = r"(?P<target>[a-z]{1,16})/jobs/(?P<name>[^/]{1,256})/log"
LOG_ROUTES: list[tuple[str, type[PanelHandler]]] = [
    (_LOG, LogHandler),
    (f"{_LOG}/stream", LogStreamHandler),
    (f"{_LOG}/file", LogDownloadHandler),
]
