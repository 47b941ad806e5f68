"""CloudWatch Logs for the one log group of training jobs: groups, streams, and their events.

Source: API_DescribeLogGroups, API_DescribeLogStreams, API_GetLogEvents; SageMaker Developer Guide, "Log Groups and
Streams That Amazon SageMaker Sends to Amazon CloudWatch Logs". A token names an offset in the stream, so it stays good
for ever; at a stream's end the token that was given comes back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sm_remote.service.api.errors import ApiError
from sm_remote.service.api.replies import LOG_CLOSED_HEADER, Patience, Reply
from sm_remote.service.jobs.notifier import log_topic
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.logs.group import GROUP_ARN, LOG_GROUP, LogStreams, check_group
from sm_remote.service.logs.stream import (
    LogPage,
    find_time,
    is_line_start,
    iterate_from,
    read_backward,
    read_forward,
    show_text,
)
from sm_remote.service.records.store import NoSuchJobError

_TOKEN = re.compile(r"([fb])/([0-9]{1,20})")
_MOST_EVENTS = 10_000
_MOST_STREAMS = 50
_NO_END = 1 << 62


class LogOperations:
    """The operations on log groups and streams."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop
        self._streams = LogStreams(workshop.home.logs)

    def describe_groups(self, request: Mapping[str, Any]) -> Reply:
        """DescribeLogGroups: the one that there is, unless others are asked for."""
        asked = (
            LOG_GROUP.startswith(request.get("logGroupNamePrefix", ""))
            and request.get("logGroupNamePattern", "") in LOG_GROUP
            and request.get("logGroupClass", "STANDARD") == "STANDARD"
            and not {LOG_GROUP, GROUP_ARN}.isdisjoint(request.get("logGroupIdentifiers", [LOG_GROUP]))
        )
        group = {
            "logGroupName": LOG_GROUP,
            "creationTime": int(self._shop.home.logs.stat().st_ctime * 1000),
            "metricFilterCount": 0,
            "arn": f"{GROUP_ARN}:*",
            "logGroupArn": GROUP_ARN,
            "storedBytes": 0,
            "logGroupClass": "STANDARD",
        }
        return Reply(body={"logGroups": [group] if asked else []})

    def describe_streams(self, request: Mapping[str, Any]) -> Reply:
        """DescribeLogStreams: by prefix, in order of names or of their last event."""
        check_group(request)
        by_time = request.get("orderBy") == "LastEventTime"
        if by_time and request.get("logStreamNamePrefix"):
            raise _refuse("Cannot order by LastEventTime with a logStreamNamePrefix.")
        found = sorted(self._streams.find(request.get("logStreamNamePrefix", "")).items())
        if by_time:
            found.sort(key=lambda stream: _read_last_time(stream[1]))
        if request.get("descending"):
            found.reverse()
        start = _parse_page_token(request.get("nextToken"))
        page = found[start : start + request.get("limit", _MOST_STREAMS)]
        body: dict[str, Any] = {"logStreams": [_describe_stream(name, path) for name, path in page]}
        if start + len(page) < len(found):
            body["nextToken"] = str(start + len(page))
        return Reply(body=body)

    async def get_events(self, request: Mapping[str, Any], patience: Patience) -> Reply:
        """GetLogEvents; with patience, held until there are events after the token or none can come any more."""
        check_group(request)
        job_name, path = self._streams.get(request["logStreamName"])

        def look() -> tuple[bool, tuple[LogPage, bool]]:
            # In this order: what is written between the two looks is then not taken for the end.
            ended = self._has_ended(job_name, path.stem)
            page = _read_page(path, request)
            closed = ended and page.end >= path.stat().st_size
            return bool(page.events) or closed, (page, closed)

        page, closed = await self._shop.notifier.wait_until(log_topic(job_name), look, patience.wait_s)
        return Reply(
            body={
                "events": [
                    {
                        "timestamp": each.timestamp_ms,
                        "message": show_text(each.message),
                        "ingestionTime": each.timestamp_ms,
                    }
                    for each in page.events
                    if request.get("startTime", 0) <= each.timestamp_ms < request.get("endTime", _NO_END)
                ],
                "nextForwardToken": f"f/{page.end:020d}",
                "nextBackwardToken": f"b/{page.start:020d}",
            },
            headers={LOG_CLOSED_HEADER: "1"} if closed else {},
        )

    def _has_ended(self, job_name: str, stream: str) -> bool:
        """Whether nothing writes to a stream any more: its job, or the attempt that it is of, is over."""
        try:
            record = self._shop.store.find(job_name)
        except NoSuchJobError:
            return True
        return record.is_terminal or stream not in record.current.streams.values()


def _describe_stream(name: str, path: Path) -> dict[str, Any]:
    first = read_forward(path, 0, limit=1).events
    created = first[0].timestamp_ms if first else int(path.stat().st_ctime * 1000)
    last = _read_last_time(path) or created
    return {
        "logStreamName": name,
        "creationTime": created,
        "firstEventTimestamp": created,
        "lastEventTimestamp": last,
        "lastIngestionTime": last,
        "arn": f"{GROUP_ARN}:log-stream:{name}",
        "storedBytes": 0,
    }


def _read_last_time(path: Path) -> int:
    try:
        last = read_backward(path, path.stat().st_size, limit=1).events
    except OSError:
        return 0
    return last[0].timestamp_ms if last else 0


def _read_page(path: Path, request: Mapping[str, Any]) -> LogPage:
    limit = request.get("limit", _MOST_EVENTS)
    token = request.get("nextToken")
    if token is None:
        if request.get("startFromHead"):
            return read_forward(path, find_time(path, request.get("startTime", 0)), limit=limit)
        return read_backward(path, _find_end(path, request.get("endTime", _NO_END)), limit=limit)
    parsed = _TOKEN.fullmatch(token)
    if parsed is None:
        raise _refuse("The specified nextToken is invalid.")
    offset = min(int(parsed[2]), path.stat().st_size)
    if not is_line_start(path, offset):
        raise _refuse("The specified nextToken is invalid.")
    if parsed[1] == "f":
        return read_forward(path, offset, limit=limit)
    return read_backward(path, offset, limit=limit)


def _find_end(path: Path, end_ms: int) -> int:
    """The offset of the first line that is too late, as far as times are in order."""
    if end_ms >= _NO_END:
        return path.stat().st_size
    end = find_time(path, end_ms)
    for after, event in iterate_from(path, end):
        if event.timestamp_ms >= end_ms:
            break
        end = after
    return end


def _parse_page_token(token: str | None) -> int:
    if token is None:
        return 0
    if not token.isascii() or not token.isdigit() or len(token) > 12:
        raise _refuse("The specified nextToken is invalid.")
    return int(token)


def _refuse(message: str) -> ApiError:
    return ApiError("InvalidParameterException", message)
