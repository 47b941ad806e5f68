"""How a job ended decides, with its plan alone, what follows it."""

from __future__ import annotations

import itertools

import pytest

from sm_remote.aws.responses import parse_description
from sm_remote.catalogue import find_instance_type
from sm_remote.errors import ConfigError, JobFailed, JobStopped, OutOfMemory, SubmitError, TimedOut
from sm_remote.jobs.succession.plan import (
    LONGEST_PLAN,
    Cause,
    Ending,
    Plan,
    build_plan,
    build_successor_name,
    find_run_name,
    plan_successor,
    read_error,
    read_plan,
    read_refusal,
    read_shortage,
    write_plan,
)
from sm_remote.settings import resolve_settings
from tests.fakes.cli_world import build_answer

SHORT = Ending(cause=Cause.CAPACITY)
TYPES = ("ml.g6.xlarge", "ml.g5.xlarge")


def resolve(tmp_path, **arguments):
    return resolve_settings(arguments, environ={"HOME": str(tmp_path)}, cwd=tmp_path, notebook={})


def follow(plan: Plan, *endings: Ending) -> list[tuple[str, bool]]:
    """Where each successor runs, until there is none."""
    found = []
    for ending in endings:
        step = plan_successor(plan, ending)
        if step is None:
            break
        plan = step
        found.append((plan.instance_type, plan.spot))
    return found


@pytest.mark.parametrize(
    ("status", "more", "found"),
    [
        ("Stopped", {"SecondaryStatus": "MaxWaitTimeExceeded"}, Cause.WAIT),
        ("Failed", {"FailureReason": "CapacityError: Unable to provision"}, Cause.CAPACITY),
        ("Failed", {"FailureReason": "InsufficientCapacityError: none"}, None),
        ("Failed", {"FailureReason": "AlgorithmError: CapacityError"}, None),
        ("Failed", {}, None),
        ("Stopped", {}, None),
        ("Stopped", {"SecondaryStatus": "MaxRuntimeExceeded"}, None),
        ("Completed", {}, None),
    ],
)
def test_only_a_want_of_capacity_counts(status, more, found):
    ending = read_shortage(parse_description(build_answer("train-1", status) | more))
    assert (ending.cause if ending else None) == found


def test_a_stop_is_followed_only_where_the_work_was_handed_over():
    stopped = parse_description(build_answer("train-1", "Stopped"))
    assert read_shortage(stopped) is None
    ending = read_shortage(stopped, was_handed_over=True)
    assert ending is not None
    assert ending.cause is Cause.WAIT
    completed = parse_description(build_answer("train-1"))
    assert read_shortage(completed, was_handed_over=True) is None


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("ResourceLimitExceeded", Cause.QUOTA),
        ("InsufficientInstanceCapacity", Cause.CAPACITY),
        ("ValidationException", None),
        ("AccessDeniedException", None),
        (None, None),
    ],
)
def test_other_refusals_than_of_capacity_and_quota_are_final(code, cause):
    ending = read_refusal(SubmitError("no", code=code))
    assert (ending.cause if ending else None) == cause
    assert ending is None or ending.refused


def test_types_are_tried_in_order_and_then_on_demand():
    plan = Plan(types=TYPES, spot=True, on_demand=True)
    assert follow(plan, *[SHORT] * 9) == [("ml.g5.xlarge", True), ("ml.g6.xlarge", False), ("ml.g5.xlarge", False)]
    assert follow(Plan(types=TYPES), *[SHORT] * 9) == [("ml.g5.xlarge", False)]
    assert follow(Plan(types=TYPES[:1]), SHORT) == []


def test_a_wait_that_is_over_leaves_spot_capacity_at_once():
    over = Ending(cause=Cause.WAIT)
    assert follow(Plan(types=TYPES, spot=True, on_demand=True), over, SHORT, SHORT) == [
        ("ml.g6.xlarge", False),
        ("ml.g5.xlarge", False),
    ]
    assert follow(Plan(types=TYPES, spot=True), over) == []
    assert follow(Plan(types=TYPES, on_demand=True), over) == []


def test_a_refused_job_keeps_its_name_and_a_job_that_ended_does_not():
    plan = Plan(types=TYPES)
    refused = plan_successor(plan, Ending(cause=Cause.QUOTA, refused=True))
    assert refused is not None
    assert (refused.number, refused.refused, refused.cause) == (1, (("ml.g6.xlarge", "quota"),), "")
    ended = plan_successor(plan, SHORT)
    assert ended is not None
    assert (ended.number, ended.refused, ended.cause) == (2, (), "CapacityError")


def test_out_of_memory_takes_the_next_larger_type_and_only_further_types_that_are_as_large():
    ending = read_error(OutOfMemory("too much"))
    assert ending is not None
    plan = Plan(types=("ml.m5.large", "ml.c5.large", "ml.m5.4xlarge"), retry_on=("OutOfMemory",), tries=3)
    step = plan_successor(plan, ending)
    assert step is not None
    assert (step.types, step.at, step.tries) == (("ml.m5.xlarge", "ml.m5.4xlarge"), 0, 2)
    assert follow(step, ending, ending) == [("ml.m5.2xlarge", False)]
    assert follow(Plan(types=("ml.m5.24xlarge",), retry_on=("OutOfMemory",), tries=3), ending) == []


class OutOfMemoryError(RuntimeError):
    """As torch has it."""


OutOfMemoryError.__module__ = "torch.cuda"


@pytest.mark.parametrize(
    "error",
    [
        OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        JobFailed("Training job x failed: torch.OutOfMemoryError", exception_type="torch.OutOfMemoryError"),
    ],
)
def test_a_gpu_that_ran_out_of_memory_is_followed_by_one_with_more(error):
    ending = read_error(error)
    assert ending is not None
    plan = Plan(types=("ml.g4dn.xlarge", "ml.g4dn.2xlarge"), retry_on=("OutOfMemory",), tries=9)
    found = [find_instance_type(name) for name, _ in follow(plan, *[ending] * 3)]
    assert found[0].name == "ml.g5.xlarge"
    memory = [16.0, *(each.gpu_memory_gib or 0.0 for each in found)]
    assert memory == sorted(set(memory))
    assert follow(Plan(types=("ml.m5.large",), retry_on=("OutOfMemory",), tries=9), ending) == []


def test_another_error_is_tried_again_as_it_was_and_so_often():
    ending = read_error(ConnectionResetError("gone"))
    assert ending is not None
    plan = Plan(types=TYPES, at=1, spot=True, retry_on=("ConnectionError",), tries=3)
    assert follow(plan, *[ending] * 5) == [("ml.g5.xlarge", True)] * 2
    assert follow(Plan(types=TYPES, retry_on=("ValueError",), tries=3), ending) == []
    timed_out = read_error(TimedOut("too long"))
    assert timed_out is not None
    assert follow(Plan(types=TYPES, retry_on=("TimedOut",), tries=2), timed_out) == [("ml.g6.xlarge", False)]


def test_a_job_that_was_stopped_is_not_tried_again():
    assert read_error(JobStopped("stopped")) is None


def test_every_plan_ends():
    """Whatever happens, there is an end: no plan can be followed more often than its parts can be used up."""
    endings = [
        *(Ending(cause=cause) for cause in (Cause.CAPACITY, Cause.WAIT)),
        Ending(cause=Cause.QUOTA, refused=True),
        Ending(cause=Cause.ERROR, error="ValueError", names=frozenset({"ValueError"})),
        Ending(cause=Cause.MEMORY, error="OutOfMemory", names=frozenset({"OutOfMemory"})),
    ]
    for order in itertools.permutations(endings):
        plan = Plan(types=TYPES, spot=True, on_demand=True, retry_on=("OutOfMemory", "ValueError"), tries=3)
        assert len(follow(plan, *(order * 10))) < 20


def test_a_plan_travels_whole(tmp_path):
    settings = resolve(
        tmp_path,
        instance_type=",".join(f"ml.m5.{size}xlarge" for size in ("", 2, 4, 12, 24)),
        use_spot_instances=True,
        fallback="on_demand",
        retry_on=["OutOfMemory", "torch.cuda.OutOfMemoryError", "ConnectionError"],
        max_attempts=4,
    )
    plan = build_plan(settings)
    assert plan is not None
    for ending in (SHORT, Ending(cause=Cause.QUOTA, refused=True), read_error(OutOfMemory("x"))):
        assert len(write_plan(plan)) < LONGEST_PLAN
        assert read_plan({"SM_REMOTE_SUCCESSION": write_plan(plan)}) == plan
        step = plan_successor(plan, ending)
        assert step is not None
        plan = step


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"types":[]}', '{"types":["a"],"at":3}', '{"types":["a"],"x":1}']
)
def test_a_plan_that_is_not_understood_is_none(text):
    assert read_plan({"SM_REMOTE_SUCCESSION": text}) is None


def test_without_anything_that_may_follow_there_is_no_plan(tmp_path):
    assert build_plan(resolve(tmp_path)) is None
    assert build_plan(resolve(tmp_path, use_spot_instances=True)) is None
    assert build_plan(resolve(tmp_path, retry_on="OutOfMemory", max_attempts=1)) is None
    assert build_plan(resolve(tmp_path, retry_on="OutOfMemory")) is not None


def test_a_plan_that_is_too_long_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="too many"):
        build_plan(resolve(tmp_path, retry_on=[f"{'a' * 50}.B{number}" for number in range(9)]))


def test_names_are_known_to_whoever_knows_the_first():
    assert [build_successor_name("train-1", number) for number in (1, 2, 12)] == ["train-1", "train-1-2", "train-1-12"]
    answer = build_answer("train-1-2") | {"Environment": {"SM_REMOTE_RUN": "train-1"}}
    assert find_run_name(parse_description(answer)) == "train-1"
    assert find_run_name(parse_description(build_answer("x"))) == "x"
