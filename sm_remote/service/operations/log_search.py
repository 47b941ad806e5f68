"""FilterLogEvents of CloudWatch Logs, which ``aws logs tail`` asks.

Source: API_FilterLogEvents. Lines of all streams come in the order of their times. A token tells how far each stream
was read, so a page costs what it shows and what it skips, whatever was read before.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sm_remote.service.api.errors import ApiError
from sm_remote.service.api.replies import Reply
from sm_remote.service.logs.filter import FoundEvent, Test, merge_streams, parse_pattern
from sm_remote.service.logs.group import LogStreams, check_group
from sm_remote.service.logs.stream import is_line_start, show_text

_MOST_EVENTS = 10_000
_MOST_LINES = 200_000
"""Lines that are looked at for one page; one that found few has a token nevertheless."""
_MOST_BYTES = 1 << 20
"""Source: API_FilterLogEvents, "up to 1 MB or up to 10,000 log events"."""
_NO_END = 1 << 62
_FORGED = "The specified nextToken is invalid."


class LogSearch:
    """The operation on the lines of several streams.

    Args:
        logs: The directory of all streams.
    """

    def __init__(self, logs: Path) -> None:
        self._streams = LogStreams(logs)

    def filter_events(self, request: Mapping[str, Any]) -> Reply:
        """FilterLogEvents."""
        check_group(request)
        files = self._choose(request)
        offsets = _parse_token(request.get("nextToken"))
        try:
            test = parse_pattern(request.get("filterPattern", ""))
        except ValueError as error:
            raise _refuse(f"Invalid filter pattern: {error}.") from None
        start_ms, end_ms = request.get("startTime", 0), request.get("endTime", _NO_END)
        streams = {name: (path, offsets.get(name, 0)) for name, path in files.items()}
        if not all(is_line_start(path, offset) for path, offset in streams.values()):
            raise _refuse(_FORGED)
        page = _Page(test, start_ms, end_ms, request.get("limit", _MOST_EVENTS))
        whole = True
        for found in merge_streams(streams, start_ms):
            if page.is_full():
                whole = False
                break
            page.take(found)
        body: dict[str, Any] = {"events": page.events, "searchedLogStreams": []}
        if not whole:
            body["nextToken"] = _render_token({**offsets, **page.offsets})
        return Reply(body=body)

    def _choose(self, request: Mapping[str, Any]) -> dict[str, Path]:
        names = request.get("logStreamNames")
        prefix = request.get("logStreamNamePrefix")
        if names and prefix:
            raise _refuse("LogStreamNames and LogStreamNamePrefix cannot both be given.")
        if names:
            return {name: self._streams.get(name)[1] for name in names}
        return self._streams.find(prefix or "")


class _Page:
    """What one answer holds so far, and how far each stream was read for it."""

    def __init__(self, test: Test, start_ms: int, end_ms: int, limit: int) -> None:
        self._test = test
        self._start_ms = start_ms
        self._end_ms = end_ms
        self._limit = limit
        self._lines = 0
        self._bytes = 0
        self.events: list[dict[str, Any]] = []
        self.offsets: dict[str, int] = {}

    def is_full(self) -> bool:
        return len(self.events) >= self._limit or self._lines >= _MOST_LINES or self._bytes >= _MOST_BYTES

    def take(self, found: FoundEvent) -> None:
        self._lines += 1
        self.offsets[found.stream] = found.end
        text = show_text(found.event.message)
        if self._start_ms <= found.event.timestamp_ms < self._end_ms and self._test(text):
            self._bytes += len(text)
            self.events.append(_render(found, text))


def _render(found: FoundEvent, text: str) -> dict[str, Any]:
    at_ms = found.event.timestamp_ms
    # Digits, as AWS has them; the same for the same line whenever it is asked for: by it `aws logs tail` knows a line.
    event_id = f"{at_ms:014d}{zlib.crc32(found.stream.encode()):010d}{found.end:032d}"
    return {
        "logStreamName": found.stream,
        "timestamp": at_ms,
        "message": text,
        "ingestionTime": at_ms,
        "eventId": event_id,
    }


def _render_token(offsets: Mapping[str, int]) -> str:
    return base64.urlsafe_b64encode(json.dumps(offsets, separators=(",", ":")).encode()).decode()


def _parse_token(token: str | None) -> dict[str, int]:
    if token is None:
        return {}
    try:
        offsets = json.loads(base64.urlsafe_b64decode(token))
        if not isinstance(offsets, dict) or not all(_is_offset(offset) for offset in offsets.values()):
            raise ValueError(token)
    except (ValueError, RecursionError, binascii.Error):
        raise _refuse(_FORGED) from None
    return offsets


def _is_offset(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 1 << 62


def _refuse(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)
