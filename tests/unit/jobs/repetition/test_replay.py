"""A job's request is read back from what the API says of it, and only what may differ is changed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sm_remote.aws.requests import build_create_training_job
from sm_remote.aws.responses import parse_description
from sm_remote.costs.limit import Limits, Mark, write_mark
from sm_remote.errors import ConfigError
from sm_remote.jobs.repetition.replay import REPLAY_TAG, change_spec, check_options, keep_limits, rebuild_spec
from sm_remote.spec import Channel, Checkpoints, MetricDefinition, Resources, Spot, TrainingJobSpec
from sm_remote.wire.layout import COST_LIMIT_VARIABLE
from tests.fakes.cli_world import build_answer

SPEC = TrainingJobSpec(
    name="fit-1",
    role_arn="arn:aws:iam::000000000000:role/x",
    image_uri="image:1",
    output_uri="s3://bucket/jobs",
    resources=Resources(instance_type="ml.m5.large", instance_count=2, volume_size_gb=40, keep_alive_period_s=60),
    entrypoint=("python3", "-c", "x"),
    arguments=("1", "2"),
    channels=(
        Channel(name="sm_remote", s3_uri="s3://bucket/channels/1.manifest", s3_data_type="ManifestFile"),
        Channel(name="train", s3_uri="s3://bucket/x", content_type="text/csv"),
    ),
    compress_output=True,
    max_runtime_s=60,
    environment={"A": "1"},
    hyperparameters={"seed": "3"},
    metric_definitions=(MetricDefinition(name="loss", regex="(.*)"),),
    tags=(("team", "x"),),
    network_isolation=True,
)


def test_a_spec_survives_the_api() -> None:
    answer = {**build_answer("fit-1"), **build_create_training_job(SPEC)}
    assert rebuild_spec(parse_description(answer), {"team": "x"}) == SPEC


def test_another_machine_changes_nothing_else() -> None:
    made = change_spec(SPEC, "fit-2", "fit-1", {"instance_type": "ml.g5.xlarge", "tags": {"team": "y"}})
    assert made.name == "fit-2"
    assert made.resources.instance_type == "ml.g5.xlarge"
    assert made.resources.volume_size_gb == 40
    assert dict(made.tags) == {"team": "y", REPLAY_TAG: "fit-1"}
    assert (made.arguments, made.channels, made.environment) == (SPEC.arguments, SPEC.channels, SPEC.environment)


def test_other_variables_leave_the_jobs_processes_and_secrets_as_they_are() -> None:
    own = {"SM_REMOTE_PROCESSES_PER_HOST": "2", "SM_REMOTE_SECRET_HF_TOKEN": "env:MINE"}
    made = change_spec(
        replace(SPEC, environment={"A": "1", **own}), "fit-2", "fit-1", {"environment_variables": {"B": "2"}}
    )
    assert made.environment == {"B": "2", **own}


@pytest.mark.parametrize("name", ["dependencies", "image_uri", "inputs", "stream_logs", "nonsense"])
def test_what_would_make_it_another_job_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=f"cannot change '{name}'") as caught:
        check_options({name: "x"})
    assert "instance_type" in caught.value.fix


def test_spot_capacity_and_checkpoints_are_asked_for_again_but_not_as_another_jobs_run() -> None:
    spec = replace(
        SPEC,
        resources=replace(SPEC.resources, keep_alive_period_s=None),
        spot=Spot(max_wait_s=SPEC.max_runtime_s + 5),
        checkpoints=Checkpoints(s3_uri="s3://b/p", local_path="/data"),
    )
    request = build_create_training_job(replace(spec, environment={**spec.environment, "SM_REMOTE_RUN": "fit-0"}))
    assert rebuild_spec(parse_description({**build_answer("fit-1"), **request}), dict(spec.tags)) == spec


def test_what_a_job_was_allowed_to_cost_holds_again_unless_it_is_said_otherwise() -> None:
    mark = write_mark(Mark(limits=Limits(max_cost=5.0, max_cost_per_day=20.0), runtime_s=60))
    limited = parse_description({**build_answer("fit-1"), "Environment": {COST_LIMIT_VARIABLE: mark}})
    assert keep_limits(Limits(), limited) == Limits(max_cost=5.0, max_cost_per_day=20.0)
    assert keep_limits(Limits(max_cost=7.0), limited) == Limits(max_cost=7.0, max_cost_per_day=20.0)
    assert keep_limits(Limits(max_cost=7.0), parse_description(build_answer("fit-1"))) == Limits(max_cost=7.0)
    check_options({"max_cost": 7.0, "max_cost_per_day": 20.0})
