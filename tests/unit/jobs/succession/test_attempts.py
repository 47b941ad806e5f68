"""A job's attempts are read out of what DescribeTrainingJob says, on any target."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest

from sm_remote.aws.responses import parse_description
from sm_remote.checkpoints.manifest import Opening
from sm_remote.jobs.succession.attempts import compute_savings, describe_cost, list_attempts
from tests.fakes.cli_world import build_answer
from tests.unit.checkpoints.test_manifest import MANIFEST

T0 = datetime(2026, 11, 21, 8, tzinfo=timezone.utc)
SPOT = {"EnableManagedSpotTraining": True, "CheckpointConfig": {"S3Uri": "s3://b/p"}}


def at(seconds):
    return T0 + timedelta(seconds=seconds)


def describe(*steps, status="Completed", **more):
    """Steps are pairs of a status and the second at which it began."""
    ends = [start for _, start in steps[1:]] + [None]
    rows = [
        {"Status": name, "StartTime": at(start), "StatusMessage": "", **({} if end is None else {"EndTime": at(end)})}
        for (name, start), end in zip(steps, ends, strict=True)
    ]
    answer = build_answer("train-1", status) | {**SPOT, **more, "SecondaryStatusTransitions": rows}
    return parse_description(answer)


INTERRUPTED = [("Starting", 0), ("Downloading", 5), ("Training", 10), ("Interrupted", 110), ("Starting", 111)]
TWICE = [*INTERRUPTED, ("Downloading", 120), ("Training", 130), ("Uploading", 180), ("Completed", 190)]


def save(seconds, *openings, job="train-1"):
    at_s = T0.timestamp()
    made = tuple(
        Opening(at=at_s + opened, resumed_at=None if resumed is None else at_s + resumed, step=step)
        for opened, resumed, step in openings
    )
    return replace(MANIFEST, job=job, saved_at=at_s + seconds, openings=made)


def test_a_job_that_was_not_interrupted_has_one_attempt():
    (only,) = list_attempts(describe(("Starting", 0), ("Training", 10), ("Uploading", 50), ("Completed", 60)))
    assert (only.number, only.start, only.end, only.cause, only.lost_s) == (1, at(10), at(50), "Completed", 0.0)
    assert only.duration_s == 40


def test_an_interrupted_one_lost_what_came_after_the_checkpoint_that_the_next_went_on_from():
    openings = [(10.5, None, None), (131, 90, 8)]
    first, second = list_attempts(describe(*TWICE), [save(90, openings[0]), save(170, *openings)])
    assert (first.start, first.end, first.cause) == (at(10), at(110), "Interrupted")
    assert first.lost_s == pytest.approx(20.0)
    assert (second.start, second.end, second.cause) == (at(130), at(180), "Completed")
    assert (second.lost_s, first.resumed_step, second.resumed_step) == (0.0, None, 8)


def test_an_attempt_that_began_at_once_is_not_taken_for_the_one_before_it():
    steps = [("Starting", 0), ("Training", 10), ("Interrupted", 110), ("Starting", 110.1), ("Training", 110.4)]
    openings = [(10.5, None, None), (110.6, 109, 8)]
    first, second = list_attempts(describe(*steps, ("Completed", 150)), [save(140, *openings)])
    assert (first.resumed_step, second.resumed_step) == (None, 8)
    assert first.lost_s == pytest.approx(1.0)


def test_while_the_next_has_saved_nothing_the_last_checkpoint_counts():
    live = describe(*INTERRUPTED, ("Training", 130), status="InProgress")
    first, second = list_attempts(live, [save(60, (10.5, None, None)), save(500, job="other")])
    assert first.lost_s == 50.0
    assert (second.end, second.cause, second.duration_s) == (None, "", None)


def test_one_that_saved_nothing_lost_all_of_its_own_work_and_no_more():
    openings = [(10, None, None), (131, 100, 3), (211, 100, 3)]
    steps = [*TWICE[:7], ("Interrupted", 190), ("Starting", 195), ("Training", 210), ("Completed", 250)]
    found = list_attempts(describe(*steps), [save(240, *openings)])
    assert [each.lost_s for each in found] == [pytest.approx(10.0), 60.0, 0.0]


@pytest.mark.parametrize(("config", "lost_s"), [({"CheckpointConfig": {"S3Uri": "s3://b/p"}}, None), ({}, 100.0)])
def test_without_checkpoints_of_ours_it_is_not_known_unless_there_can_be_none(config, lost_s):
    description = describe(*TWICE)
    raw = {name: value for name, value in description.raw.items() if name != "CheckpointConfig"} | config
    assert list_attempts(replace(description, raw=raw))[0].lost_s == lost_s


def test_an_attempt_that_the_platform_failed_and_repeated_counts_too():
    steps = [("Starting", 0), ("Training", 10), ("Starting", 50), ("Training", 60), ("Failed", 80)]
    first, second = list_attempts(describe(*steps, status="Failed"))
    assert (first.cause, first.end, second.cause, second.end) == ("Restarting", at(50), "Failed", at(80))


def test_a_job_that_never_ran_has_none():
    assert list_attempts(describe(("Starting", 0), ("Pending", 1), status="InProgress")) == ()
    assert list_attempts(describe(("Starting", 0), ("Stopping", 5), ("Stopped", 6), status="Stopped")) == ()


@pytest.mark.parametrize(
    ("training_s", "billable_s", "text"), [(874, 262, "70.0%"), (140, 53, "62.1%"), (67, 31, "53.7%")]
)
def test_savings_are_those_that_sagemaker_printed(training_s, billable_s, text):
    """The figures are from logs of real jobs."""
    times = {"TrainingTimeInSeconds": training_s, "BillableTimeInSeconds": billable_s}
    lines = describe_cost(describe(*TWICE, **times, ResourceConfig={"InstanceType": "ml.m5.large", "InstanceCount": 2}))
    assert lines == [
        f"Training seconds: {2 * training_s}",
        f"Billable seconds: {2 * billable_s}",
        f"Managed Spot Training savings: {text}",
    ]


def test_without_spot_capacity_or_before_the_end_there_are_none():
    times = {"TrainingTimeInSeconds": 10, "BillableTimeInSeconds": 10}
    assert compute_savings(describe(*TWICE)) is None
    assert describe_cost(describe(*TWICE, **times, EnableManagedSpotTraining=False)) == []
