"""The jobs of a call follow one another, whoever watches, and nothing follows one that was stopped."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest

from sm_remote.aws.constraints import check_request
from sm_remote.errors import JobStopped, OutOfMemory, ServiceUnavailable, SubmitError
from sm_remote.jobs.attach import attach_through
from sm_remote.jobs.job import Job
from sm_remote.jobs.outcome.cell import CellEnding
from sm_remote.jobs.succession.chain import Chain, find_chain, stop_for_good
from sm_remote.jobs.succession.plan import Plan, find_plan, write_plan
from sm_remote.spec import Checkpoints, Resources, Spot, TrainingJobSpec
from tests.fakes.chained_jobs import ChainedJobs
from tests.fakes.service import wait_until
from tests.unit.aws.test_requests import SPEC

CAPACITY = "CapacityError: Unable to provision requested ML compute capacity."
SPOT = Plan(types=("ml.m5.xlarge",), spot=True, on_demand=True)


def build_spec(plan: Plan, **changes: Any) -> TrainingJobSpec:
    return replace(
        SPEC,
        name="train-1",
        resources=Resources(instance_type=plan.instance_type, volume_size_gb=40),
        spot=Spot(max_wait_s=100) if plan.spot else None,
        checkpoints=Checkpoints(s3_uri="s3://bucket/ckpt"),
        environment={"A": "1", "SM_REMOTE_SUCCESSION": write_plan(plan), "SM_REMOTE_CHECKPOINT_WATCH": "1,2"},
        max_runtime_s=60,
        tags=(("team", "x"),),
        **changes,
    )


def submit(api: ChainedJobs, plan: Plan, conclude: Callable[..., Any] = lambda end, **_: f"value of {end.name}") -> Job:
    job: Job[Any] = Job("train-1", api, spec=build_spec(plan), conclude=conclude)  # type: ignore[arg-type]
    job._on_end = job._conclude  # type: ignore[method-assign]  # no thread: a test waits for nothing
    job._submit()
    return job


def attach(api: ChainedJobs, name: str, conclude: Callable[..., Any]) -> Job[Any]:
    return attach_through(api, name, conclude=conclude)  # type: ignore[arg-type]


@pytest.fixture
def api() -> ChainedJobs:
    return ChainedJobs()


def test_without_capacity_the_next_type_gives_the_value_under_the_same_job(api: ChainedJobs) -> None:
    job = submit(api, Plan(types=("ml.g6.xlarge", "ml.g5.xlarge")))
    api.end("train-1", reason=CAPACITY)
    assert (job.name, job.earlier_names, job.arn) == ("train-1-2", ("train-1",), "arn:train-1-2")
    api.end("train-1-2", "Completed")
    assert job.result(0) == "value of train-1-2"
    assert [(each.job_name, each.instance_type, each.cause) for each in job.attempts] == [
        ("train-1", "ml.g6.xlarge", "CapacityError"),
        ("train-1-2", "ml.g5.xlarge", "Completed"),
    ]


def test_a_successor_differs_in_its_place_alone(api: ChainedJobs) -> None:
    submit(api, SPOT)
    api.end("train-1", reason=CAPACITY)
    first, second = api.requests["train-1"], api.requests["train-1-2"]
    assert check_request("CreateTrainingJob", second) == []
    changed = {key for key in {*first, *second} if first.get(key) != second.get(key)}
    assert changed == {"TrainingJobName", "StoppingCondition", "EnableManagedSpotTraining", "Environment", "Tags"}
    assert second["StoppingCondition"] == {"MaxRuntimeInSeconds": 60}
    plan = find_plan(api.describe("train-1-2"))
    assert plan is not None
    assert (plan.number, plan.spot, plan.cause) == (2, False, "CapacityError")
    assert second["Environment"] == {"A": "1", "SM_REMOTE_RUN": "train-1", "SM_REMOTE_SUCCESSION": write_plan(plan)}
    assert second["Tags"] == [
        {"Key": "team", "Value": "x"},
        {"Key": "sm_remote:continues", "Value": "train-1"},
    ]


def test_a_successor_has_a_lock_of_its_own(api: ChainedJobs) -> None:
    lock = {"format": 1, "job": "train-1", "manifest": "ab", "instance": {"instance_type": "ml.g6.xlarge"}}
    submit(api, Plan(types=("ml.g6.xlarge", "ml.g5.xlarge")))
    api.objects["train-1/job.lock.json"] = json.dumps(lock).encode()
    api.end("train-1", reason=CAPACITY)
    assert json.loads(api.objects["train-1-2/job.lock.json"]) == {
        **lock,
        "job": "train-1-2",
        "continues": "train-1",
        "instance": {"instance_type": "ml.g5.xlarge"},
    }


def test_a_job_that_ends_before_its_lock_is_stored_hands_it_on_all_the_same(api: ChainedJobs) -> None:
    plan = Plan(types=("ml.g6.xlarge", "ml.g5.xlarge"))
    lock = {"format": 1, "job": "train-1", "image": {"uri": "x", "digest": "sha256:1"}, "instance": {}}
    spec = replace(build_spec(plan), channels=())
    job: Job[Any] = Job("train-1", api, spec=spec, lock=lock)  # type: ignore[arg-type]
    job._on_end = job._conclude  # type: ignore[method-assign]
    api.ends_at_once = {"train-1": CAPACITY}
    job._submit()
    wait_until(lambda: "train-1-2/job.lock.json" in api.objects)
    first, second = (json.loads(api.objects[f"{name}/job.lock.json"]) for name in ("train-1", "train-1-2"))
    assert first["instance"] == {"instance_type": "ml.g6.xlarge"}
    assert second["instance"] == {"instance_type": "ml.g5.xlarge"}
    assert second == {**first, "job": "train-1-2", "continues": "train-1", "instance": second["instance"]}


def test_what_keeps_a_successor_away_is_raised_with_what_it_was_for(api: ChainedJobs) -> None:
    job = submit(api, SPOT)
    api.refusals = {"ml.m5.xlarge": "AccessDeniedException"}
    api.end("train-1", reason=CAPACITY)
    error = job.exception(0)
    assert isinstance(error, SubmitError)
    assert "It was to go on with train-1, which has ended: there is no capacity." in error.__notes__


def test_a_type_that_is_refused_at_creation_leaves_the_name_to_the_next(api: ChainedJobs) -> None:
    api.refusals = {"ml.g6.xlarge": "ResourceLimitExceeded"}
    job = submit(api, Plan(types=("ml.g6.xlarge", "ml.g5.xlarge")))
    assert job.name == "train-1"
    assert api.requests["train-1"]["ResourceConfig"]["InstanceType"] == "ml.g5.xlarge"
    refused, *_ = job.attempts
    assert (refused.instance_type, refused.cause) == ("ml.g6.xlarge", "no quota")


def test_where_all_are_refused_the_last_refusal_is_raised(api: ChainedJobs) -> None:
    api.refusals = {"ml.g6.xlarge": "ResourceLimitExceeded", "ml.g5.xlarge": "ResourceLimitExceeded"}
    with pytest.raises(SubmitError, match=r"ml\.g5\.xlarge was refused"):
        submit(api, Plan(types=("ml.g6.xlarge", "ml.g5.xlarge")))
    assert api.requests == {}


def test_another_refusal_is_final(api: ChainedJobs) -> None:
    api.refusals = {"ml.g6.xlarge": "AccessDeniedException"}
    with pytest.raises(SubmitError, match=r"ml\.g6\.xlarge was refused"):
        submit(api, Plan(types=("ml.g6.xlarge", "ml.g5.xlarge")))


def fail_for_memory(end: Any, **_: Any) -> Any:
    if end.name == "train-1":
        raise OutOfMemory("too much", job_name=end.name)
    return end.instance_type


def test_a_job_without_enough_memory_is_tried_again_with_more(api: ChainedJobs) -> None:
    job = submit(api, Plan(types=("ml.m5.large",), retry_on=("OutOfMemory",), tries=2), fail_for_memory)
    api.end("train-1")
    api.end("train-1-2", "Completed")
    assert job.result(0) == "ml.m5.xlarge"
    assert job.attempts[0].cause == "OutOfMemory"


def test_where_the_larger_type_cannot_be_had_the_error_is_the_first_one_and_says_so(api: ChainedJobs) -> None:
    api.refusals = {"ml.m5.xlarge": "ResourceLimitExceeded"}
    job = submit(api, Plan(types=("ml.m5.large",), retry_on=("OutOfMemory",), tries=2), fail_for_memory)
    api.end("train-1")
    error = job.exception(0)
    assert isinstance(error, OutOfMemory)
    assert "It was not tried again on ml.m5.xlarge" in "".join(error.__notes__)


def test_a_cell_that_raised_is_tried_again_like_a_function(api: ChainedJobs) -> None:
    def conclude(end: Any, **_: Any) -> CellEnding:
        return CellEnding(error=ConnectionResetError("gone") if end.name == "train-1" else None)

    job = submit(api, Plan(types=("ml.m5.large",), retry_on=("ConnectionError",), tries=2), conclude)
    api.end("train-1", "Completed")
    assert job.name == "train-1-2"
    api.end("train-1-2", "Completed")
    assert job.result(0).error is None
    assert [each.cause for each in job.attempts] == ["ConnectionResetError", "Completed"]


def test_a_job_that_somebody_stops_is_the_last(api: ChainedJobs) -> None:
    job = submit(api, SPOT, stop_raises)
    job.stop()
    assert api.stopped == ["train-1"]
    api.end("train-1", reason=CAPACITY)  # it ended for want of capacity before the stop arrived
    assert isinstance(job.exception(0), JobStopped)
    assert list(api.requests) == ["train-1"]
    again = attach(api, "train-1", stop_raises)
    assert isinstance(again.exception(120), JobStopped)
    assert list(api.requests) == ["train-1"]


def stop_raises(end: Any, **_: Any) -> Any:
    raise JobStopped(f"{end.name} was stopped.")


def test_any_name_finds_the_whole_chain(api: ChainedJobs) -> None:
    submit(api, Plan(types=("ml.g6.xlarge", "ml.g5.xlarge", "ml.m5.large")))
    api.end("train-1", reason=CAPACITY)
    api.end("train-1-2", reason=CAPACITY)
    names = ["train-1", "train-1-2", "train-1-3"]
    for name in names:
        assert [each.name for each in find_chain(api, api.describe(name))] == names  # type: ignore[arg-type]
        found = attach(api, name, lambda end, **_: end.name)
        assert (found.name, found.earlier_names) == ("train-1-3", ("train-1", "train-1-2"))


def test_who_attaches_goes_on_for_a_process_that_died_and_two_of_them_make_one_successor(api: ChainedJobs) -> None:
    first = submit(api, SPOT)
    api.watched.clear()  # it died
    api.end("train-1", reason=CAPACITY)
    end = api.describe("train-1")
    found = [Chain(api).go_on(end, None) for _ in range(2)]  # type: ignore[arg-type]
    assert [each.name for each in found if each] == ["train-1-2"] * 2
    assert sorted(api.requests) == ["train-1", "train-1-2"]
    assert not first.done()


def test_what_ended_long_ago_is_not_gone_on_with_by_looking_at_it(api: ChainedJobs) -> None:
    submit(api, SPOT)
    api.watched.clear()
    end = api.end("train-1", reason=CAPACITY, TrainingEndTime=datetime.now(timezone.utc) - timedelta(days=2))
    assert Chain(api).go_on(end, None) is None  # type: ignore[arg-type]
    assert list(api.requests) == ["train-1"]


def test_an_api_that_does_not_answer_is_asked_again(api: ChainedJobs, monkeypatch: pytest.MonkeyPatch) -> None:
    job = submit(api, SPOT)
    looked: list[Any] = []
    monkeypatch.setattr(job, "_look_again", lambda end, trouble: looked.append(trouble))
    monkeypatch.setattr(api, "list_tags", lambda arn: (_ for _ in ()).throw(ServiceUnavailable("away")))
    api.end("train-1", reason=CAPACITY)
    assert [str(each) for each in looked] == ["away"]
    assert not job.done()


# -- a wait that is nearly over -------------------------------------------------------------------------------------


def age(api: ChainedJobs, seconds: float, **members: Any) -> None:
    api.change("train-1", CreationTime=datetime.now(timezone.utc) - timedelta(seconds=seconds), **members)


def test_a_job_is_looked_at_before_its_wait_is_over(api: ChainedJobs) -> None:
    submit(api, SPOT)
    assert [seconds for seconds, _ in api.alarms] == [90]
    submit(ChainedJobs(), replace(SPOT, on_demand=False, types=("ml.m5.large", "ml.m5.xlarge")))


@pytest.mark.parametrize("state", ["Pending", "Starting", "Interrupted"])
def test_a_job_that_still_waits_is_handed_over(api: ChainedJobs, state: str) -> None:
    job = submit(api, SPOT)
    age(api, 95, SecondaryStatus=state)
    _, look = api.alarms[0]
    assert look() is None
    assert api.stopped == ["train-1"]
    api.end("train-1", "Stopped")
    assert job.name == "train-1-2"
    assert "EnableManagedSpotTraining" not in api.requests["train-1-2"]


def test_a_job_that_runs_is_left_alone_and_looked_at_until_the_end(api: ChainedJobs) -> None:
    submit(api, SPOT)
    _, look = api.alarms[0]
    age(api, 50)
    assert look() == pytest.approx(40, abs=1)
    age(api, 95, SecondaryStatus="Training")
    assert look() == 2.5
    age(api, 101)
    assert look() is None
    assert api.stopped == []


def test_a_hand_over_is_finished_by_another_process(api: ChainedJobs) -> None:
    submit(api, SPOT)
    age(api, 95)
    api.alarms[0][1]()
    api.watched.clear()  # it died
    end = api.end("train-1", "Stopped")
    found = Chain(api).go_on(end, None)  # type: ignore[arg-type]
    assert found is not None
    assert found.name == "train-1-2"


def test_a_stop_that_comes_behind_a_hand_over_holds(api: ChainedJobs) -> None:
    submit(api, SPOT)
    age(api, 95)
    api.alarms[0][1]()
    stop_for_good(api, api.describe("train-1"))  # type: ignore[arg-type]
    end = api.end("train-1", "Stopped")
    assert Chain(api).go_on(end, None) is None  # type: ignore[arg-type]


def test_after_a_stop_nothing_is_handed_over(api: ChainedJobs) -> None:
    job = submit(api, SPOT)
    job.stop()
    age(api, 95)
    assert api.alarms[0][1]() is None
    assert api.stopped == ["train-1"]
    end = api.end("train-1", "Stopped")
    assert Chain(api).go_on(end, None) is None  # type: ignore[arg-type]


@pytest.mark.parametrize(("waited_s", "follows"), [(61, True), (5, False)])
def test_a_job_that_pended_too_long_has_no_capacity(api: ChainedJobs, waited_s: float, follows: bool) -> None:
    submit(api, Plan(types=("ml.g6.xlarge", "ml.g5.xlarge")))
    api.watched.clear()
    age(api, waited_s, StoppingCondition={"MaxRuntimeInSeconds": 60, "MaxPendingTimeInSeconds": 60})
    end = api.end("train-1", "Stopped")
    assert (Chain(api).go_on(end, None) is not None) == follows  # type: ignore[arg-type]
