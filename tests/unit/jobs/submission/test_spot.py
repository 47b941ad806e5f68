"""What a call's settings ask of spot capacity and checkpoints is refused or filled in before anything is sent."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sm_remote import CheckpointLocation
from sm_remote.aws.constraints import check_request
from sm_remote.aws.requests import build_create_training_job
from sm_remote.checkpoints.owner import Owner
from sm_remote.errors import ConfigError
from sm_remote.jobs.submission.spot import (
    add_checkpoints,
    build_default_place,
    choose_named_place,
    choose_spot,
    choose_taken_up,
    describe_spot,
    find_location,
    warn_of_unused,
)
from sm_remote.settings import resolve_settings
from sm_remote.spec import Checkpoints, Resources, Spot
from sm_remote.wire.digest import BlobRef
from tests.unit.aws.test_requests import SPEC

BARE = replace(SPEC, resources=Resources(instance_type="ml.m5.large"))


def resolve(tmp_path, **arguments):
    return resolve_settings(arguments, environ={"HOME": str(tmp_path)}, cwd=tmp_path, notebook={})


@pytest.mark.parametrize(
    ("settings", "wait_s"),
    [
        ({"max_runtime_in_seconds": 600}, 900),
        ({"max_runtime_in_seconds": 1}, 2),
        ({"max_runtime_in_seconds": 600, "max_wait_time_in_seconds": 600}, 600),
        ({"max_runtime_in_seconds": 28 * 86400}, 30 * 86400),
    ],
)
def test_a_wait_that_nobody_set_is_one_and_a_half_times_the_run(tmp_path, settings, wait_s):
    resolved = resolve(tmp_path, use_spot_instances=True, **settings)
    spot = choose_spot(resolved)
    assert spot == Spot(max_wait_s=wait_s)
    said = describe_spot(replace(BARE, spot=spot), resolved)
    assert bool(said) == ("max_wait_time_in_seconds" not in settings)
    assert all(f"at most {wait_s} s" in line for line in said)


def test_a_long_wait_is_said_in_hours_too(tmp_path):
    spot = Spot(max_wait_s=129_600)
    assert "at most 129600 s (36 h) in all" in describe_spot(replace(BARE, spot=spot), resolve(tmp_path))[0]


def test_without_spot_capacity_there_is_no_wait(tmp_path):
    assert choose_spot(resolve(tmp_path, max_wait_time_in_seconds=5)) is None


def test_one_argument_may_name_the_place():
    here = CheckpointLocation("s3://bucket/here")
    assert find_location([1, here], {"x": 2}) == "s3://bucket/here"
    assert find_location([1], {"x": here}) == "s3://bucket/here"
    assert find_location([[here]], {}) is None
    with pytest.raises(ConfigError, match="2 arguments"):
        find_location([here], {"x": here})


def test_two_places_are_refused(tmp_path):
    settings = resolve(tmp_path, checkpoint_s3_uri="s3://bucket/a")
    assert choose_named_place(settings, None) == "s3://bucket/a"
    assert choose_named_place(settings, "s3://bucket/a") == "s3://bucket/a"
    assert choose_named_place(resolve(tmp_path), "s3://bucket/b") == "s3://bucket/b"
    assert choose_named_place(resolve(tmp_path), None) is None
    with pytest.raises(ConfigError, match="one place"):
        choose_named_place(settings, "s3://bucket/b")


def test_each_set_of_arguments_has_a_place_by_default():
    def place(function="train", home=None, digest="a"):
        owner = Owner(function=function, home=home)
        return build_default_place("s3://b/root", owner, BlobRef(digest=digest, size_bytes=1))

    assert place().startswith("s3://b/root/checkpoints/train/")
    assert len({place(), place(digest="b"), place(home="x.ipynb"), place(function="other")}) == 4
    assert place() == place()
    assert place(function="Model.fit<x>").startswith("s3://b/root/checkpoints/Model.fit-x-/")


def test_a_place_is_added_for_spot_capacity_or_where_one_is_named(tmp_path):
    settings = resolve(tmp_path)
    spot = replace(BARE, spot=Spot(max_wait_s=900), max_runtime_s=600)
    assert add_checkpoints(BARE, settings, named=None, default="s3://b/d", home="fit") == BARE
    named = add_checkpoints(BARE, settings, named="s3://b/n", default="s3://b/d", home="fit.ipynb")
    assert named.checkpoints == Checkpoints(s3_uri="s3://b/n", local_path="/opt/ml/checkpoints")
    assert named.environment == {**BARE.environment, "SM_REMOTE_FUNCTION_HOME": "fit.ipynb"}
    added = add_checkpoints(spot, settings, named=None, default="s3://b/d", home=None)
    assert added.checkpoints == Checkpoints(s3_uri="s3://b/d")
    assert added.environment["SM_REMOTE_CHECKPOINT_WATCH"] == "150,1800"
    assert not {"SM_REMOTE_RESUME", "SM_REMOTE_FUNCTION_HOME"} & set(added.environment)
    assert describe_spot(added, settings)[-1] == "checkpoints are kept in s3://b/d"
    for resume in (True, False):
        said = add_checkpoints(spot, resolve(tmp_path, resume=resume), named=None, default="s3://b/d", home=None)
        assert said.environment["SM_REMOTE_RESUME"] == str(resume).lower()


def test_whoever_says_so_takes_up_what_a_function_saved_before_it_was_moved(tmp_path):
    owner = Owner(function="train", home="fit.ipynb")
    assert choose_taken_up(resolve(tmp_path), owner) == owner
    assert choose_taken_up(resolve(tmp_path, resume=True), owner) == Owner(function="train")
    assert choose_taken_up(resolve(tmp_path, resume=False), owner) is None


def test_the_request_is_valid_and_spelled_as_the_api_spells_it(tmp_path):
    spec = replace(BARE, spot=Spot(max_wait_s=900), max_runtime_s=600)
    spec = add_checkpoints(
        spec, resolve(tmp_path, checkpoint_local_path="/data"), named="s3://b/n", default="", home=None
    )
    request = build_create_training_job(spec)
    assert request["EnableManagedSpotTraining"] is True
    assert request["StoppingCondition"] == {"MaxRuntimeInSeconds": 600, "MaxWaitTimeInSeconds": 900}
    assert request["CheckpointConfig"] == {"S3Uri": "s3://b/n", "LocalPath": "/data"}
    assert check_request("CreateTrainingJob", request) == []
    plain = build_create_training_job(BARE)
    assert not {"EnableManagedSpotTraining", "CheckpointConfig"} & set(plain)


@pytest.mark.parametrize(
    "arguments",
    [{"fallback": "on_demand"}, {"max_wait_time_in_seconds": 9, "max_runtime_in_seconds": 9}, {"max_attempts": 2}],
)
def test_a_call_that_sets_what_has_no_effect_is_refused(tmp_path, arguments, caplog):
    with pytest.raises(ConfigError, match="has no effect without"):
        warn_of_unused(resolve(tmp_path, **arguments))
    assert caplog.text == ""


def test_where_a_file_or_the_panel_sets_it_it_is_said_and_where_spot_is_turned_off_too(tmp_path, caplog):
    notebook = {"fallback": "on_demand"}
    warn_of_unused(resolve_settings({}, environ={"HOME": str(tmp_path)}, cwd=tmp_path, notebook=notebook))
    warn_of_unused(resolve(tmp_path, max_wait_time_in_seconds=90000, use_spot_instances=False))
    first, second = caplog.messages
    assert first == "fallback (from notebook) has no effect: use_spot_instances is not set, or off"
    assert second.startswith("max_wait_time_in_seconds (from argument) has no effect")
    caplog.clear()
    warn_of_unused(resolve(tmp_path, use_spot_instances=True, fallback="on_demand"))
    warn_of_unused(resolve(tmp_path, fallback="none", retry_on="OutOfMemory", max_attempts=2))
    assert caplog.messages == []
