"""The attempts of a call are those of all its jobs, and lost work is counted from one job to the next."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.jobs.succession.history import list_history, list_phases
from sm_remote.jobs.succession.plan import Plan, write_plan
from tests.unit.jobs.succession.test_attempts import INTERRUPTED, at, describe, save


def build_job(name: str, plan: Plan, *steps: tuple[str, float], **more: object) -> TrainingJobDescription:
    environment = {"SM_REMOTE_RUN": "train-1", "SM_REMOTE_SUCCESSION": write_plan(plan)}
    resources = {"InstanceType": plan.instance_type, "InstanceCount": 1}
    job = describe(*steps, **{"Environment": environment, "ResourceConfig": resources, **more})
    return replace(job, name=name, creation_time=at(steps[0][1]))


FIRST = Plan(types=("ml.m5.large",), spot=True, on_demand=True)
SECOND = replace(FIRST, spot=False, number=2, cause="MaxWaitTimeExceeded", refused=(("ml.m5.large", "quota"),))


def test_work_is_lost_from_one_job_to_the_next_too() -> None:
    waits = build_job("train-1", FIRST, *INTERRUPTED, ("Stopping", 200), ("Stopped", 201), status="Stopped")
    ran = build_job(
        "train-1-2", SECOND, ("Starting", 210), ("Training", 220), ("Completed", 300), EnableManagedSpotTraining=False
    )
    saved = [save(250, (10.5, None, None), (221, 90, 8))]
    found = list_history([waits, ran], lambda _: saved)
    assert [(each.number, each.job_name, each.cause, each.spot) for each in found] == [
        (1, "train-1", "Interrupted", True),
        (2, "train-1-2", "no quota", False),
        (3, "train-1-2", "Completed", False),
    ]
    assert found[0].lost_s == pytest.approx(20)
    assert (found[1].lost_s, found[1].has_run, found[2].resumed_step) == (0.0, False, 8)


def test_a_job_that_never_ran_is_an_attempt_where_another_followed_or_went_before() -> None:
    capacity = replace(SECOND, cause="CapacityError", refused=())
    first = build_job("train-1", FIRST, ("Starting", 0), ("Failed", 5), status="Failed")
    second = build_job("train-1-2", capacity, ("Starting", 10), ("Failed", 15), status="Failed")
    waits = build_job("train-1-2", capacity, ("Starting", 10), ("Pending", 11), status="InProgress")
    assert [each.cause for each in list_history([first, second], lambda _: [])] == ["CapacityError", "Failed"]
    assert [each.cause for each in list_history([first, waits], lambda _: [])] == ["CapacityError"]
    assert list_history([first], lambda _: []) == ()


def test_the_error_for_which_another_job_followed_is_told_of_the_attempt_that_had_it() -> None:
    steps = [("Starting", 0), ("Training", 10), ("Uploading", 50), ("Failed", 60)]
    first = build_job("train-1", FIRST, *steps, status="Failed")
    again = replace(SECOND, cause="OutOfMemory", refused=())
    second = build_job("train-1-2", again, ("Starting", 70), ("Training", 80), ("Completed", 90))
    found = list_history([first, second], lambda _: [])
    assert [each.cause for each in found] == ["OutOfMemory", "Completed"]
    names = [phase.name for phase in list_phases([first, second], at(100))]
    assert names == ["Starting", "Training", "Uploading", "Failed", "Starting", "Training", "Completed"]
