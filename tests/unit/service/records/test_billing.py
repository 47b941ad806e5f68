"""Training and billable seconds."""

from __future__ import annotations

import pytest

from sm_remote.service.records import states
from sm_remote.service.records.attempts import AttemptEnd, AttemptRecord
from sm_remote.service.records.billing import Bill, compute_bill, find_bill
from sm_remote.service.records.job import JobRecord, Phase
from tests.fakes.service import build_request


def attempt(number: int, start: float, end: float | None, cause: AttemptEnd | None = None) -> AttemptRecord:
    return AttemptRecord(number=number, started_at=start, streams={}, ended_at=end, end=cause)


def bill(*attempts: AttemptRecord, ended_at: float | None = 100.0, spot: bool = False) -> Bill | None:
    record = JobRecord(
        name="fit-1",
        sequence=1,
        request=build_request(EnableManagedSpotTraining=spot),
        tags={},
        created_at=0.0,
        modified_at=0.0,
        version=1,
        state=states.begin(0.0),
        phase=Phase.ENDED,
        attempts=attempts,
        training_started_at=attempts[0].started_at if attempts else None,
        training_ended_at=ended_at,
    )
    return find_bill(record)


def test_on_demand_all_that_was_trained_is_paid():
    assert bill(attempt(1, 10.0, 90.5)) == Bill(training_s=90, billable_s=90)


def test_neither_is_ever_0():
    assert bill(attempt(1, 100.0, 100.0)) == Bill(training_s=1, billable_s=1)
    assert compute_bill([(5.0, 4.0)], is_spot=True) == Bill(training_s=1, billable_s=1)


def test_spot_seconds_have_a_discount_as_the_sdk_prints_it():
    found = bill(attempt(1, 0.0, 95.0), spot=True)
    assert found == Bill(training_s=100, billable_s=30)
    assert found.savings_percent == pytest.approx(70.0)


def test_the_time_between_two_attempts_counts_in_neither():
    first = attempt(1, 0.0, 20.0, AttemptEnd.INTERRUPTED)
    assert bill(first, attempt(2, 60.0, 99.0), spot=True) == Bill(training_s=60, billable_s=18)


def test_a_job_that_ends_while_it_waits_for_another_attempt_is_billed_up_to_its_interruption():
    assert bill(attempt(1, 0.0, 20.0, AttemptEnd.INTERRUPTED), spot=True) == Bill(training_s=20, billable_s=6)


def test_a_job_that_never_got_capacity_or_still_runs_has_no_bill():
    assert bill() is None
    assert bill(attempt(1, 0.0, None), ended_at=None) is None
