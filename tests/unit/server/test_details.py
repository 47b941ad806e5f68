"""A job as the panel shows it: why it failed in words first, and no value of an environment variable."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from sm_remote.aws.responses import parse_description
from sm_remote.jobs.artifacts.stored_checkpoints import StoredGeneration
from sm_remote.jobs.succession.plan import Plan, write_plan
from sm_remote.server.details import build_details
from sm_remote.server.failure import explain_failure
from sm_remote.server.rows import build_row, detail_row, update_row
from tests.fakes.cli_world import NOW
from tests.unit.checkpoints.test_manifest import MANIFEST


@pytest.mark.parametrize(
    ("reason", "headline", "text", "exit_code", "kind"),
    [
        ("AlgorithmError: ValueError: bad\n at a.py:3, exit code: 1", "ValueError: bad", "at a.py:3", "1", "own code"),
        ("ClientError: Unable to download training image: x", "Unable to download training image: x", "", "", "asked"),
        ("InternalServerError: We encountered an internal error.", "We encountered an internal error.", "", "", "serv"),
        ("something else: entirely", "something else: entirely", "", "", ""),
        ("AlgorithmError: , exit code: 137", "", "", "137", "own code"),
    ],
)
def test_a_failure_is_said_in_words_first(reason, headline, text, exit_code, kind):
    found = explain_failure(reason)
    assert found is not None
    assert (found["headline"], found["text"], found["exit_code"]) == (headline, text, exit_code)
    assert kind in found["kind"]
    assert found["reason"] == reason


def test_a_job_that_did_not_fail_has_no_failure():
    assert explain_failure(None) is None


def test_values_of_environment_variables_stay_in_the_server(answer):
    described = parse_description(answer("fit-1", Environment={"TOKEN": "s3cret"}, HyperParameters={"lr": "0.1"}))
    details = build_details(described, {"sm_remote:function": "fit"}, "local")
    assert details["environment_names"] == ["TOKEN"]
    assert "s3cret" not in json.dumps(details)


def test_our_own_channels_are_not_listed_as_inputs(answer):
    channel = {"DataSource": {"S3DataSource": {"S3Uri": "s3://bucket/train"}}}
    channels = [{"ChannelName": "sm_remote", **channel}, {"ChannelName": "train", **channel}]
    details = build_details(parse_description(answer("fit-1", InputDataConfig=channels)), {}, "local")
    assert details["inputs"] == [{"channel": "train", "uri": "s3://bucket/train"}]


def test_a_row_tells_spot_interruptions_price_and_origin(answer):
    transitions = [
        {"Status": status, "StartTime": NOW, "EndTime": NOW, "StatusMessage": ""}
        for status in ("Starting", "Training", "Interrupted", "Starting", "Training", "Interrupted")
    ]
    resources = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 2}
    described = parse_description(
        answer(
            "fit-1", EnableManagedSpotTraining=True, SecondaryStatusTransitions=transitions, ResourceConfig=resources
        )
    )
    row = detail_row(described, {"sm_remote:notebook": "a.ipynb", "sm_remote:cell": "3"}, "sagemaker")
    assert (row.spot, row.interruptions, row.notebook, row.cell, row.ours) == (True, 2, "a.ipynb", "3", False)
    assert row.price_usd_per_hour == pytest.approx(2 * 1.408)


def test_an_unknown_price_is_unknown(answer):
    described = parse_description(answer("fit-1", ResourceConfig={"InstanceType": "ml.nope.large"}))
    assert detail_row(described, {}, "local").price_usd_per_hour is None


def test_what_only_a_description_knows_survives_a_list_that_says_nothing_new(answer):
    described = parse_description(answer("fit-1"))
    row = detail_row(described, {"sm_remote:function": "fit"}, "local")
    assert update_row(row, described) is row
    live = detail_row(parse_description(answer("fit-1", "InProgress")), {}, "local")
    assert not update_row(live, described).detailed
    assert build_row(described, "local").ours is None


def test_attempts_are_listed_where_there_were_several_and_the_cost_of_an_interruption_while_one_runs(answer):
    steps = ["Starting", "Training", "Interrupted", "Starting", "Training"]
    times = [NOW + timedelta(seconds=10 * number) for number in range(len(steps) + 1)]
    transitions = [
        {"Status": step, "StartTime": start, "EndTime": end, "StatusMessage": ""}
        for step, start, end in zip(steps, times, times[1:], strict=False)
    ]
    config = {"S3Uri": "s3://bucket/checkpoints"}
    spot = {"EnableManagedSpotTraining": True, "CheckpointConfig": config, "SecondaryStatusTransitions": transitions}
    details = build_details(parse_description(answer("fit-1", "InProgress", **spot)), {}, "local", now_s=0.0)
    assert [attempt["cause"] for attempt in details["attempts"]] == ["Interrupted", ""]
    assert details["checkpoint_note"]
    ended = build_details(parse_description(answer("fit-1")), {}, "local")
    assert (ended["attempts"], ended["checkpoint_note"]) == ([], "")


def test_a_job_that_goes_on_with_anothers_work_shows_the_attempts_of_both_and_their_checkpoints(answer):
    plan = Plan(types=("ml.m5.large",), number=2, cause="CapacityError")
    environment = {"SM_REMOTE_RUN": "fit-1", "SM_REMOTE_SUCCESSION": write_plan(plan)}
    first = parse_description(answer("fit-1", "Failed", SecondaryStatusTransitions=[], EnableManagedSpotTraining=True))
    config = {"CheckpointConfig": {"S3Uri": "s3://bucket/checkpoints"}, "EnableManagedSpotTraining": True}
    second = parse_description(answer("fit-1-2", "InProgress", Environment=environment, **config))
    manifest = replace(MANIFEST, job="fit-1", saved_at=1000.0)
    stored = [StoredGeneration(prefix="p/", manifest=manifest, whole=True)]
    details = build_details(second, {}, "local", chain=[first, second], checkpoints=stored, now_s=1180.0)
    assert [(each["cause"], each["spot"]) for each in details["attempts"]] == [("CapacityError", True), ("", True)]
    assert "3 min ago; if interrupted now you lose 3 min" in details["checkpoint_note"]
    assert details["row"]["number"] == 2
    assert detail_row(first, {}, "local").number == 1
