"""Entries of a ledger, and what SageMaker says of their jobs."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from typing import Any

from sm_remote.aws.responses import TrainingJobDescription, parse_description
from sm_remote.costs.entry import Entry, EntryState

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=timezone.utc)


def build_entry(name: str = "train-1", **more: Any) -> Entry:
    """An open entry of a job on SageMaker, at $3.60 an hour: a tenth of a cent a second."""
    given: dict[str, Any] = {
        "target": "sagemaker",
        "region": "us-east-1",
        "call": name,
        "function": "train",
        "code": "c0de",
        "machines": "ml.m5.xlarge",
        "instances": 1,
        "is_spot": False,
        "usd_per_hour": 3.6,
        "price_origin": "AWS price list of 2026-11-18",
        "limit_usd": 2.0,
        "opened_at": NOW.timestamp() - 3600,
        **more,
    }
    return Entry(name=name, **given)


def build_settled(name: str = "train-1", billable_s: float = 100.0, **more: Any) -> Entry:
    """The entry of a job that completed after so many seconds that are billed."""
    given = {
        "state": EntryState.SETTLED,
        "status": "Completed",
        "ended_at": NOW.timestamp() - 1800,
        "training_s": billable_s,
        **more,
    }
    return build_entry(name, billable_s=billable_s, **given)


def describe(name: str = "train-1", status: str = "Completed", **members: Any) -> TrainingJobDescription:
    """DescribeTrainingJob's answer for a job that ran for 200 seconds."""
    created = NOW - timedelta(seconds=300)
    answer: dict[str, Any] = {
        "TrainingJobName": name,
        "TrainingJobArn": f"arn:aws:sagemaker:us-east-1:111122223333:training-job/{name}",
        "TrainingJobStatus": status,
        "SecondaryStatus": "Training" if status == "InProgress" else status,
        "CreationTime": created,
        "TrainingStartTime": created + timedelta(seconds=60),
    }
    if status != "InProgress":
        answer["TrainingEndTime"] = created + timedelta(seconds=260)
        answer |= {"TrainingTimeInSeconds": 200, "BillableTimeInSeconds": 200}
    answer |= members
    return parse_description({key: value for key, value in answer.items() if value is not None})
