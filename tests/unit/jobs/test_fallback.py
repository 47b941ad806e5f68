"""A job that had not enough spot capacity is followed by the same on demand."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sm_remote.aws.constraints import check_request
from sm_remote.aws.requests import build_create_training_job
from sm_remote.aws.responses import parse_description
from sm_remote.jobs.fallback import build_successor, explain_shortage, find_run_name
from sm_remote.spec import Checkpoints, Spot
from tests.fakes.cli_world import build_answer
from tests.unit.jobs.test_spot import BARE


@pytest.mark.parametrize(
    ("status", "more", "found"),
    [
        ("Stopped", {"SecondaryStatus": "MaxWaitTimeExceeded"}, "max_wait_time_in_seconds was exceeded"),
        ("Failed", {"FailureReason": "CapacityError: Unable to provision"}, "spot capacity was refused"),
        ("Failed", {"FailureReason": "AlgorithmError: CapacityError"}, None),
        ("Failed", {}, None),
        ("Stopped", {}, None),
        ("Stopped", {"SecondaryStatus": "MaxRuntimeExceeded"}, None),
        ("Completed", {}, None),
    ],
)
def test_only_a_want_of_capacity_counts(status, more, found):
    assert explain_shortage(parse_description(build_answer("train-1", status) | more)) == found


@pytest.mark.parametrize("name", ["train-1", "a" * 63, "a" * 52 + "-" + "b" * 10])
def test_the_successor_differs_in_its_capacity_alone_and_takes_up_the_work(name):
    spec = replace(
        BARE,
        name=name,
        spot=Spot(max_wait_s=9),
        checkpoints=Checkpoints(s3_uri="s3://b/p"),
        environment={"A": "1", "SM_REMOTE_CHECKPOINT_WATCH": "1,2"},
    )
    found = build_successor(spec)
    assert found.name.endswith("-on-demand")
    assert found.spot is None
    assert found.environment == {"A": "1", "SM_REMOTE_RUN": name}
    assert ("sm_remote:continues", name) in found.tags
    same = replace(found, name=name, spot=spec.spot, environment=spec.environment, tags=spec.tags)
    assert same == spec
    request = build_create_training_job(found)
    assert check_request("CreateTrainingJob", request) == []
    answer = build_answer(found.name) | {"Environment": request["Environment"]}
    assert find_run_name(parse_description(answer)) == name
    assert find_run_name(parse_description(build_answer("x"))) == "x"
