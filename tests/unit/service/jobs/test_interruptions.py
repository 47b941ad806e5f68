"""Scripts of interruptions, and what bounds a job over several attempts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sm_remote.service.jobs.interruptions import InterruptionPlan, find_interruption, parse_plan, with_interruption
from sm_remote.service.records import states
from sm_remote.service.records.attempts import AttemptEnd, AttemptRecord, plan_attempt
from sm_remote.service.records.job import JobRecord, StopCause
from sm_remote.service.records.limits import find_running_limit, find_waiting_limit
from sm_remote.spec import SecondaryStatus as Secondary
from sm_remote.spec import TrainingJobStatus as Status
from tests.fakes.service import build_request

ENDED = AttemptRecord(
    number=1,
    started_at=100.0,
    streams={"algo-1": "algo-1-100"},
    container_started_at=101.0,
    ended_at=107.0,
    end=AttemptEnd.INTERRUPTED,
)
RUNNING = AttemptRecord(number=2, started_at=200.0, streams={"algo-1": "algo-1-200"}, container_started_at=201.0)


def make_record(*attempts: AttemptRecord, **request: Any) -> JobRecord:
    members = {"EnableManagedSpotTraining": True, **request}
    state = states.advance(states.begin(50.0), Status.IN_PROGRESS, Secondary.TRAINING, "", 51.0)
    return JobRecord(
        name="fit",
        sequence=1,
        request=build_request(**members),
        tags={},
        created_at=50.0,
        modified_at=50.0,
        version=1,
        state=state,
        attempts=attempts,
    )


def test_moments_are_counted_over_all_attempts_so_each_comes_once():
    record = replace(make_record(RUNNING), tags={"sm_remote:interrupt-at": "12 5"})
    assert find_interruption(record) == 206.0
    # Six seconds ran before: of the twelve, six are left.
    assert find_interruption(replace(record, attempts=(ENDED, RUNNING))) == 207.0
    long = replace(ENDED, ended_at=113.5)
    assert find_interruption(replace(record, attempts=(long, RUNNING))) is None


def test_on_demand_capacity_is_never_taken_away():
    record = replace(make_record(RUNNING, EnableManagedSpotTraining=False), tags={"sm_remote:interrupt-at": "5"})
    assert find_interruption(record) is None


def test_an_attempt_that_is_being_interrupted_is_not_interrupted_again():
    record = replace(make_record(RUNNING), tags={"sm_remote:interrupt-at": "5"})
    interrupted = with_interruption(record, 206.0)
    assert interrupted.state.secondary is Secondary.INTERRUPTED
    assert find_interruption(interrupted) is None
    assert with_interruption(interrupted, 207.0) is interrupted


def test_a_stop_wins_over_an_interruption():
    record = replace(make_record(RUNNING), stop_cause=StopCause.USER)
    assert with_interruption(record, 206.0) is record


@given(seed=st.text(max_size=10), mean_s=st.floats(0.1, 1000), after_s=st.floats(0, 1000))
def test_random_moments_are_the_same_in_every_run_and_lie_ahead(seed, mean_s, after_s):
    plan = InterruptionPlan(seed=seed, mean_s=mean_s)
    moment = plan.find_next(after_s)
    assert moment is not None
    assert moment > after_s
    assert moment == InterruptionPlan(seed=seed, mean_s=mean_s).find_next(after_s)


def test_random_moments_come_as_often_as_asked():
    plan, after_s = InterruptionPlan(seed="7", mean_s=10.0), 0.0
    for _ in range(300):
        after_s = plan.find_next(after_s) or 0.0
    assert 2000 < after_s < 4500


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"sm_remote:interrupt-at": "5 soon"}, "'soon'"),
        ({"sm_remote:interrupt-at": "-1"}, "seconds"),
        ({"sm_remote:interrupt-at": "nan"}, "seconds"),
        ({"sm_remote:interrupt-mean": "0"}, "at least"),
        ({"sm_remote:interrupt-at": "5", "sm_remote:interrupt-seed": "1"}, "not both"),
        ({"sm_remote:interrupt-grace": "x"}, "interrupt-grace"),
    ],
)
def test_a_script_that_cannot_be_understood_is_refused(tags, message):
    with pytest.raises(ValueError, match=message):
        parse_plan(tags)


def test_no_tags_are_no_interruptions():
    assert parse_plan({"team": "x"}) == InterruptionPlan()
    assert InterruptionPlan().find_next(0.0) is None


def test_running_time_is_summed_over_attempts_and_waiting_counts_from_the_creation():
    limits = {"MaxRuntimeInSeconds": 60, "MaxWaitTimeInSeconds": 300}
    record = make_record(ENDED, RUNNING, StoppingCondition=limits)
    assert find_running_limit(record) == (255.0, StopCause.MAX_RUNTIME)
    assert find_waiting_limit(record) == (350.0, StopCause.MAX_WAIT)
    later = replace(RUNNING, started_at=320.0, container_started_at=321.0)
    assert find_running_limit(replace(record, attempts=(ENDED, later))) == (350.0, StopCause.MAX_WAIT)


def test_pending_time_bounds_only_the_wait_for_the_first_attempt():
    limits = {"MaxPendingTimeInSeconds": 7200}
    assert find_waiting_limit(make_record(StoppingCondition=limits)) == (7250.0, StopCause.MAX_PENDING)
    assert find_waiting_limit(make_record(ENDED, StoppingCondition=limits)) is None


def test_two_attempts_within_one_second_have_streams_of_their_own():
    first = plan_attempt((), ["algo-1", "algo-2"], {}, 1700000000.2)
    second = plan_attempt((first,), ["algo-1", "algo-2"], {}, 1700000000.9)
    assert first.streams == {"algo-1": "algo-1-1700000000", "algo-2": "algo-2-1700000000"}
    assert second.streams == {"algo-1": "algo-1-1700000001", "algo-2": "algo-2-1700000001"}
