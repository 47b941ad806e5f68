"""A request that was described by the API is read back as what it was: nothing of it is lost on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sm_remote.aws.described_job import read_spec
from sm_remote.aws.requests import build_create_training_job
from sm_remote.spec import Checkpoints, PrivateRegistry, Resources, Spot
from tests.offline_requests import list_goldens, read_golden
from tests.unit.aws.test_requests import SPEC, WIDE

RESOURCES = Resources(instance_type="ml.m5.large")
NOT_DESCRIBED = {"Tags", "SessionChainingConfig"}
"""Source: API_DescribeTrainingJob has the other members of CreateTrainingJob."""


def describe(request):
    """What the API says of a job, with its defaults and what only it decides."""
    shown = {name: value for name, value in request.items() if name not in NOT_DESCRIBED}
    return {
        "EnableManagedSpotTraining": False,
        "EnableInterContainerTrafficEncryption": False,
        "ProfilingStatus": "Disabled",
        **shown,
    }


@pytest.mark.parametrize(
    "spec",
    [
        SPEC,
        replace(WIDE, session_tag_chaining=False),
        replace(SPEC, private_registry=PrivateRegistry(), resources=RESOURCES),
        replace(SPEC, spot=Spot(max_wait_s=90000), checkpoints=Checkpoints(s3_uri="s3://b/c"), resources=RESOURCES),
    ],
)
def test_a_spec_survives_the_api(spec):
    assert read_spec(describe(build_create_training_job(spec)), dict(spec.tags)) == spec


@pytest.mark.parametrize("extra", [{"InstancePlacementConfig": {"EnableMultipleJobs": True}}, {"VolumeSizeInGB": None}])
def test_what_has_no_word_of_ours_is_asked_for_again(extra):
    request = build_create_training_job(replace(SPEC, extra={"ResourceConfig": extra}))
    assert build_create_training_job(read_spec(describe(request), dict(SPEC.tags))) == request


def test_a_type_that_was_selected_is_not_asked_for_but_the_choice_is():
    preferences = [{"InstanceType": "ml.m5.xlarge", "InstanceCount": 2}, {"InstanceType": "ml.m5.large"}]
    chosen = {"InstanceType": None, "InstanceCount": None, "InstancePreferences": preferences}
    request = build_create_training_job(replace(SPEC, resources=RESOURCES, extra={"ResourceConfig": chosen}))
    shown = describe(request)
    shown["ResourceConfig"] = {**shown["ResourceConfig"], "SelectedInstanceType": "ml.m5.large"}
    assert build_create_training_job(read_spec(shown, dict(SPEC.tags))) == request


@pytest.mark.parametrize("name", [name for name in list_goldens() if name != "enable_session_tag_chaining"])
def test_every_golden_request_survives_the_api(name):
    base, changes = read_golden("base"), read_golden(name)["changes"]
    request = apply_patch(base, changes)
    tags = {tag["Key"]: tag["Value"] for tag in request["Tags"]}
    assert build_create_training_job(read_spec(describe(request), tags)) == request


def apply_patch(value, patch):
    """Source: RFC 7396."""
    merged = {name: item for name, item in value.items() if patch.get(name, item) is not None}
    for name, item in patch.items():
        if isinstance(item, dict):
            merged[name] = apply_patch(merged.get(name) or {}, item)
        elif item is not None:
            merged[name] = item
    return merged
