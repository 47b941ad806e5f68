"""A job's log in slices, each of which says where the next one begins: what the panel polls, and what its stream sends.

A cursor holds one paging token for each of the job's log streams, so it is good in any process and for ever.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sm_remote.aws.training_jobs import LogPage, TrainingJobs
from sm_remote.errors import ConfigError
from sm_remote.jobs.logs.job_log import read_line
from sm_remote.wire.launch import read_manifest_digest

LONGEST_LINE = 64 * 1024
"""Characters of a line that are sent; the rest is counted."""
TAIL_LINES = 2000
"""How much of a log is shown first; what is older is loaded when it is asked for."""
_PAGE_LINES = 2000
_MOST_STREAMS = 200

Tokens = Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class LogLine:
    """One line, as the job wrote it; ``host`` is empty where the job has one host only."""

    time_ms: int
    host: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class LogSlice:
    """Some lines, in order.

    Attributes:
        lines: Oldest first.
        after: The cursor of what follows.
        before: The cursor of what was before the first slice; None where nothing was, or where it was not asked for.
        ended: Whether nothing can follow.
        status: Of the job.
    """

    lines: tuple[LogLine, ...]
    after: str
    before: str | None
    ended: bool
    status: str


def render_slice(piece: LogSlice) -> dict[str, Any]:
    """The slice as JSON has it."""
    return {
        "lines": [[line.time_ms, line.host, line.text] for line in piece.lines],
        "after": piece.after,
        "before": piece.before,
        "ended": piece.ended,
        "status": piece.status,
    }


def read_newest(api: TrainingJobs, name: str, *, limit: int = TAIL_LINES) -> LogSlice:
    """The end of a log as it is now."""
    return _read(api, name, {}, from_head=False, wait_s=0.0, limit=limit)


def read_after(api: TrainingJobs, name: str, cursor: str, *, wait_s: float = 0.0) -> LogSlice:
    """What came after a cursor; a local service is waited for where there is nothing yet.

    Raises:
        ConfigError: It is no cursor of this job.
    """
    return _read(api, name, _parse_cursor(cursor, name), from_head=True, wait_s=wait_s, limit=_PAGE_LINES)


def read_before(api: TrainingJobs, name: str, cursor: str) -> LogSlice:
    """What came before a cursor.

    Raises:
        ConfigError: It is no cursor of this job.
    """
    tokens = _parse_cursor(cursor, name)
    description = api.describe(name)
    digest = read_manifest_digest(description.arguments)
    pages = {stream: api.read_log(stream, token=token, limit=_PAGE_LINES) for stream, token in tokens.items()}
    lines = _merge(pages, digest, several=_count_hosts(tokens) > 1)
    moved = {stream: page.backward for stream, page in pages.items() if page.lines}
    return LogSlice(
        lines=lines,
        after="",
        before=_render_cursor(moved) if moved else None,
        ended=description.status.is_terminal,
        status=str(description.status),
    )


def _read(api: TrainingJobs, name: str, tokens: Tokens, *, from_head: bool, wait_s: float, limit: int) -> LogSlice:
    description = api.describe(name)
    streams = sorted({*tokens, *api.list_log_streams(name)[:_MOST_STREAMS]})
    if not streams and wait_s and not description.status.is_terminal:
        description = api.describe(name, wait_s=wait_s, seen=description.version)
        streams = api.list_log_streams(name)[:_MOST_STREAMS]
    hold_s = wait_s / max(1, len(streams))
    pages: dict[str, LogPage] = {}
    for stream in streams:
        held = hold_s if not any(page.lines for page in pages.values()) else 0.0
        pages[stream] = api.read_log(
            stream, token=tokens.get(stream), from_head=from_head or stream in tokens, limit=limit, wait_s=held
        )
    lines = _merge(pages, read_manifest_digest(description.arguments), several=_count_hosts(pages) > 1)
    first = not tokens and not from_head
    before = {stream: page.backward for stream, page in pages.items() if page.lines}
    return LogSlice(
        lines=lines,
        after=_render_cursor({stream: page.forward for stream, page in pages.items()}),
        before=_render_cursor(before) if first and len(lines) >= limit else None,
        ended=_has_ended(description.status.is_terminal, pages, holds=api.session.holds_requests),
        status=str(description.status),
    )


def _has_ended(terminal: bool, pages: Mapping[str, LogPage], *, holds: bool) -> bool:
    """Whether nothing can follow. CloudWatch does not say so: there, a look without news after the end counts."""
    if not terminal:
        return False
    return all(page.closed for page in pages.values()) if holds else not any(page.lines for page in pages.values())


def _merge(pages: Mapping[str, LogPage], digest: str | None, *, several: bool) -> tuple[LogLine, ...]:
    lines = []
    for stream, page in pages.items():
        host = _find_host(stream) if several else ""
        for time_ms, text in zip(page.times_ms, page.lines, strict=True):
            shown = (entry for entry in read_line(text, digest) if isinstance(entry, str))
            lines += [LogLine(time_ms=time_ms, host=host, text=_shorten(entry)) for entry in shown]
    return tuple(sorted(lines, key=lambda line: line.time_ms)) if len(pages) > 1 else tuple(lines)


def _shorten(text: str) -> str:
    left_out = len(text) - LONGEST_LINE
    return text if left_out <= 0 else f"{text[:LONGEST_LINE]} [... {left_out:,} more characters]"


def _count_hosts(streams: Mapping[str, object]) -> int:
    return len({_find_host(stream) for stream in streams})


def _find_host(stream: str) -> str:
    # "<job>/algo-1-1763712000": the host is what lies before the last dash.
    return stream.rpartition("/")[2].rpartition("-")[0]


def _render_cursor(tokens: Tokens) -> str:
    return base64.urlsafe_b64encode(json.dumps(dict(tokens)).encode()).decode()


def _parse_cursor(cursor: str, name: str) -> dict[str, str]:
    """Reads a cursor that came from a browser: it may name streams of its own job alone."""
    try:
        tokens = json.loads(base64.urlsafe_b64decode(cursor.encode("ascii")))
        if not isinstance(tokens, dict) or len(tokens) > _MOST_STREAMS:
            raise ValueError(cursor)
        for stream, token in tokens.items():
            if not stream.startswith(f"{name}/") or not isinstance(token, str):
                raise ValueError(stream)
    except (ValueError, UnicodeError, binascii.Error) as error:
        raise ConfigError(
            "The place in the log is none of this job's.", fix="Open the job again.", job_name=name
        ) from error
    return tokens
