"""ListTrainingJobs.

Source: API_ListTrainingJobs. StatusEquals is applied after a page of MaxResults has been cut, as its documentation
says, so a page may be short or empty and still have a NextToken. Newest first is the default, as observed.
"""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Callable, Mapping
from typing import Any

from sm_remote.service.api.errors import invalid
from sm_remote.service.api.replies import VERSION_HEADER, Patience, Reply
from sm_remote.service.jobs.notifier import ALL_JOBS
from sm_remote.service.jobs.workshop import Workshop
from sm_remote.service.operations.descriptions import summarize_job
from sm_remote.service.records.job import JobRecord
from sm_remote.service.records.store import Page

_DEFAULT_RESULTS = 100
_COLUMNS = {"Name": "name", "CreationTime": "created_at", "Status": "status"}
_CONDITIONS = {
    "CreationTimeAfter": "created_at > ?",
    "CreationTimeBefore": "created_at < ?",
    "LastModifiedTimeAfter": "modified_at > ?",
    "LastModifiedTimeBefore": "modified_at < ?",
    "NameContains": "instr(lower(name), lower(?)) > 0",
}

_CONDITIONS_AFTER_THE_CUT: dict[str, Callable[[Mapping[str, Any]], Any]] = {
    "StatusEquals": lambda summary: summary["TrainingJobStatus"],
    "WarmPoolStatusEquals": lambda summary: summary.get("WarmPoolStatus", {}).get("Status"),
    "TrainingPlanArnEquals": lambda summary: summary.get("TrainingPlanArn"),
}


class JobListing:
    """Lists jobs."""

    def __init__(self, workshop: Workshop) -> None:
        self._shop = workshop

    async def list_jobs(self, request: Mapping[str, Any], patience: Patience) -> Reply:
        """ListTrainingJobs; with patience, held until any job has changed."""

        def look() -> tuple[bool, int]:
            version = self._shop.store.version
            return version > patience.seen, version

        version = await self._shop.notifier.wait_until(ALL_JOBS, look, patience.wait_s)
        return Reply(body=self._list_page(request), headers={VERSION_HEADER: str(version)})

    def _list_page(self, request: Mapping[str, Any]) -> dict[str, Any]:
        page = build_page(request)
        records = self._shop.store.list_page(page)
        more = len(records) == page.limit
        records = records[: page.limit - 1]
        shown = [record for record in records if _is_asked_for(record, request)]
        body: dict[str, Any] = {"TrainingJobSummaries": [summarize_job(record) for record in shown]}
        if more:
            body["NextToken"] = _render_token(page, records[-1])
        return body


def build_page(request: Mapping[str, Any]) -> Page:
    """Reads the request; the page has room for one job more, which tells whether there is a next page."""
    column = _COLUMNS[request.get("SortBy", "CreationTime")]
    return Page(
        column=column,
        descending=request.get("SortOrder", "Descending") == "Descending",
        after=_parse_token(request["NextToken"], column) if request.get("NextToken") else None,
        conditions=tuple(
            (condition, request[member]) for member, condition in _CONDITIONS.items() if member in request
        ),
        limit=request.get("MaxResults", _DEFAULT_RESULTS) + 1,
    )


def _is_asked_for(record: JobRecord, request: Mapping[str, Any]) -> bool:
    summary = summarize_job(record)
    return all(
        member not in request or find(summary) == request[member] for member, find in _CONDITIONS_AFTER_THE_CUT.items()
    )


def _render_token(page: Page, last: JobRecord) -> str:
    value = {"name": last.name, "created_at": last.created_at, "status": str(last.state.status)}[page.column]
    return base64.urlsafe_b64encode(json.dumps([page.column, value, last.sequence]).encode()).decode()


def _parse_token(token: str, column: str) -> tuple[Any, int]:
    try:
        sorted_by, value, sequence = json.loads(base64.urlsafe_b64decode(token))
        if sorted_by != column or not isinstance(value, (str, float, int)) or not isinstance(sequence, int):
            raise ValueError(token)
    except (ValueError, TypeError, binascii.Error):
        raise invalid("Invalid NextToken.") from None
    return value, sequence
