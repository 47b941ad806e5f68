"""One training job as a row of the panel's list. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sm_remote.aws.responses import TrainingJobDescription, TrainingJobSummary
from sm_remote.costs import rate_job
from sm_remote.jobs.succession.plan import find_plan
from sm_remote.server.failure import explain_failure
from sm_remote.spec import TrainingJobStatus

OUR_TAG = "sm_remote:function"
_LONGEST_REASON = 300


@dataclass(frozen=True, kw_only=True, slots=True)
class JobRow:
    """What the list shows of a job; None is "not known (yet)".

    Attributes:
        created_ms: Since 1970, as all moments here.
        ours: Whether sm_remote made it; None while its tags are not known.
        price_usd_per_hour: On demand, for all its instances.
        interruptions: How often spot capacity was taken away.
        number: Which of its call's jobs it is: above 1 it goes on for one that could not be had or has failed.
        detailed: Whether the job was described, or only listed.
    """

    name: str
    target: str
    status: str
    secondary_status: str | None = None
    created_ms: int = 0
    started_ms: int | None = None
    ended_ms: int | None = None
    instance_type: str | None = None
    instance_count: int = 1
    spot: bool = False
    interruptions: int = 0
    number: int = 1
    billable_s: int | None = None
    price_usd_per_hour: float | None = None
    notebook: str | None = None
    cell: str | None = None
    function: str | None = None
    ours: bool | None = None
    reason: str | None = None
    detailed: bool = False

    @property
    def is_terminal(self) -> bool:
        """Whether nothing can follow."""
        return TrainingJobStatus(self.status).is_terminal


def render_row(row: JobRow) -> dict[str, Any]:
    """The row as JSON has it."""
    return asdict(row)


def build_row(summary: TrainingJobSummary, target: str) -> JobRow:
    """What a list alone tells."""
    return JobRow(
        name=summary.name,
        target=target,
        status=str(summary.status),
        created_ms=to_ms(summary.creation_time) or 0,
        ended_ms=to_ms(summary.end_time),
    )


def update_row(row: JobRow, summary: TrainingJobSummary) -> JobRow:
    """Takes up what a list tells anew; what only a description knows stays."""
    status = str(summary.status)
    if status == row.status and to_ms(summary.end_time) == row.ended_ms:
        return row
    return replace(row, status=status, ended_ms=to_ms(summary.end_time), detailed=False)


def detail_row(description: TrainingJobDescription, tags: Mapping[str, str], target: str) -> JobRow:
    """All that a row can show."""
    raw = description.raw
    plan = find_plan(description)
    return JobRow(
        name=description.name,
        target=target,
        status=str(description.status),
        secondary_status=str(description.secondary_status),
        created_ms=to_ms(description.creation_time) or 0,
        started_ms=to_ms(description.start_time),
        ended_ms=to_ms(description.end_time),
        instance_type=description.instance_type,
        instance_count=description.host_count,
        spot=bool(raw.get("EnableManagedSpotTraining")),
        interruptions=sum(transition.status == "Interrupted" for transition in description.transitions),
        number=plan.number if plan is not None else 1,
        billable_s=description.billable_s,
        price_usd_per_hour=rate_job(description).usd_per_hour,
        notebook=tags.get("sm_remote:notebook"),
        cell=tags.get("sm_remote:cell"),
        function=tags.get(OUR_TAG),
        ours=OUR_TAG in tags,
        reason=_find_headline(description.failure_reason),
        detailed=True,
    )


def _find_headline(reason: str | None) -> str | None:
    failure = explain_failure(reason)
    return None if failure is None else (failure["headline"] or failure["kind"])[:_LONGEST_REASON] or None


def to_ms(moment: datetime | None) -> int | None:
    """Milliseconds since 1970."""
    return None if moment is None else int(moment.timestamp() * 1000)
