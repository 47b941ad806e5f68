"""DescribeLogStreams and GetLogEvents of CloudWatch Logs, for the one log group of training jobs.

Source: API_DescribeLogStreams, API_GetLogEvents; SageMaker Developer Guide, "Log Groups and Streams That Amazon
SageMaker Sends to Amazon CloudWatch Logs". A token names an offset in the stream, so it stays good for ever; at a
stream's end the token that was given comes back.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from sm_remote.home import LOCAL_ACCOUNT, LOCAL_REGION
from sm_remote.service.api_errors import ApiError, no_log_group, no_log_stream
from sm_remote.service.logs import LogPage, is_line_start, read_backward, read_forward
from sm_remote.service.notifier import log_topic
from sm_remote.service.replies import LOG_CLOSED_HEADER, Patience, Reply
from sm_remote.service.store import NoSuchJobError
from sm_remote.service.workshop import Workshop

LOG_GROUP = "/aws/sagemaker/TrainingJobs"
_GROUP_ARN = f"arn:aws:logs:{LOCAL_REGION}:{LOCAL_ACCOUNT}:log-group:{LOG_GROUP}"
_STREAM = re.compile(r"([a-zA-Z0-9][a-zA-Z0-9-]*)/(algo-[0-9]+-[0-9]+)")
_TOKEN = re.compile(r"([fb])/([0-9]{1,20})")
_MOST_EVENTS = 10_000
_MOST_STREAMS = 50


class LogOperations:
    """The operations on log streams."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop

    def describe_streams(self, request: Mapping[str, Any]) -> Reply:
        """DescribeLogStreams: by prefix, in order of names or of their last event."""
        _check_group(request)
        found = self._find_streams(request.get("logStreamNamePrefix", ""))
        found.sort(key=lambda stream: stream["logStreamName"])
        if request.get("orderBy") == "LastEventTime":
            found.sort(key=lambda stream: stream["lastEventTimestamp"])
        if request.get("descending"):
            found.reverse()
        start = _parse_page_token(request.get("nextToken"))
        limit = request.get("limit", _MOST_STREAMS)
        body: dict[str, Any] = {"logStreams": found[start : start + limit]}
        if start + limit < len(found):
            body["nextToken"] = str(start + limit)
        return Reply(body=body)

    async def get_events(self, request: Mapping[str, Any], patience: Patience) -> Reply:
        """GetLogEvents; with patience, held until there are events after the token or none can come any more."""
        _check_group(request)
        job_name, path = self._find_stream(request["logStreamName"])

        def look() -> tuple[bool, tuple[LogPage, bool]]:
            # In this order: what is written between the two looks is then not taken for the end.
            ended = self._has_ended(job_name)
            page = _read_page(path, request)
            closed = ended and page.end >= path.stat().st_size
            return bool(page.events) or closed, (page, closed)

        page, closed = await self._shop.notifier.wait_until(log_topic(job_name), look, patience.wait_s)
        return Reply(
            body={
                "events": [
                    {"timestamp": each.timestamp_ms, "message": each.message, "ingestionTime": each.timestamp_ms}
                    for each in page.events
                    if _is_between(each.timestamp_ms, request)
                ],
                "nextForwardToken": f"f/{page.end:020d}",
                "nextBackwardToken": f"b/{page.start:020d}",
            },
            headers={LOG_CLOSED_HEADER: "1"} if closed else {},
        )

    def _has_ended(self, job_name: str) -> bool:
        try:
            return self._shop.store.find(job_name).is_terminal
        except NoSuchJobError:
            return True

    def _find_streams(self, prefix: str) -> list[dict[str, Any]]:
        job_name, slash, _ = prefix.partition("/")
        logs = self._shop.home.logs
        if slash:
            jobs = [logs / job_name] if re.fullmatch(r"[a-zA-Z0-9-]+", job_name) else []
        else:
            jobs = [entry for entry in _list(logs) if entry.name.startswith(prefix)]
        streams = []
        for job in jobs:
            for path in _list(job):
                name = f"{job.name}/{path.stem}"
                if _STREAM.fullmatch(name) and name.startswith(prefix):
                    streams.append(_describe_stream(name, path))
        return streams

    def _find_stream(self, name: str) -> tuple[str, Path]:
        parsed = _STREAM.fullmatch(name)
        if parsed is None:
            raise no_log_stream()
        path = self._shop.home.logs / parsed[1] / f"{parsed[2]}.log"
        if not path.is_file():
            raise no_log_stream()
        return parsed[1], path


def _check_group(request: Mapping[str, Any]) -> None:
    group = request.get("logGroupName") or request.get("logGroupIdentifier", "")
    if group not in (LOG_GROUP, _GROUP_ARN):
        raise no_log_group()


def _describe_stream(name: str, path: Path) -> dict[str, Any]:
    first = read_forward(path, 0, limit=1).events
    last = read_backward(path, path.stat().st_size, limit=1).events
    created = first[0].timestamp_ms if first else int(path.stat().st_ctime * 1000)
    return {
        "logStreamName": name,
        "creationTime": created,
        "firstEventTimestamp": created,
        "lastEventTimestamp": last[0].timestamp_ms if last else created,
        "lastIngestionTime": last[0].timestamp_ms if last else created,
        "arn": f"{_GROUP_ARN}:log-stream:{name}",
        "storedBytes": 0,
    }


def _read_page(path: Path, request: Mapping[str, Any]) -> LogPage:
    limit = request.get("limit", _MOST_EVENTS)
    token = request.get("nextToken")
    if token is None:
        if request.get("startFromHead"):
            return read_forward(path, 0, limit=limit)
        return read_backward(path, path.stat().st_size, limit=limit)
    parsed = _TOKEN.fullmatch(token)
    if parsed is None:
        raise ApiError("InvalidParameterException", "The specified nextToken is invalid.")
    offset = min(int(parsed[2]), path.stat().st_size)
    if not is_line_start(path, offset):
        raise ApiError("InvalidParameterException", "The specified nextToken is invalid.")
    if parsed[1] == "f":
        return read_forward(path, offset, limit=limit)
    return read_backward(path, offset, limit=limit)


def _is_between(timestamp_ms: int, request: Mapping[str, Any]) -> bool:
    return bool(request.get("startTime", 0) <= timestamp_ms < request.get("endTime", 1 << 62))


def _parse_page_token(token: str | None) -> int:
    if token is None:
        return 0
    if not re.fullmatch(r"[0-9]{1,9}", token):
        raise ApiError("InvalidParameterException", "The specified nextToken is invalid.")
    return int(token)


def _list(directory: Path) -> list[Path]:
    try:
        return [directory / name for name in os.listdir(directory)]
    except (FileNotFoundError, NotADirectoryError):
        return []
