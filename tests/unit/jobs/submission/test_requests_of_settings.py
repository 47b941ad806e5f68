"""What each setting says in the request, against golden files; and that CreateTrainingJob has nothing beyond them.

`python -m tests.offline_requests` writes the files anew; what it changes is to be read before it is kept.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
from botocore.session import get_session
from botocore.validate import ParamValidator

from sm_remote.aws.constraints import check_request
from sm_remote.home import find_home
from sm_remote.service.jobs.notes import list_notes
from sm_remote.settings.cloud import CloudSettings
from sm_remote.settings.extra_request import KEPT
from sm_remote.settings.schema import NAMES, check_value
from tests.fakes.memory_s3 import MemoryS3
from tests.offline_requests import (
    BASE,
    NOT_IN_THE_REQUEST,
    QUICK,
    build_request,
    diff,
    list_goldens,
    normalise,
    read_golden,
)

SILENT = {
    "pre_execution_commands": ["true"],
    "preflight": True,
    "stream_logs": False,
    "cell_limit_bytes": 1,
    "on_interrupt": "detach",
    "max_parallel_jobs": 1,
    "install_limit_s": 1,
    "engine": "docker",
    "container_credentials": "s3",
    "service_idle_s": 1,
    "service_max_parallel_jobs": 1,
    "local_workdir_limit_bytes": 1,
}
UNREACHABLE = {"ServerlessJobConfig"}
"""Members that say what contradicts a function of one's own."""


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    home, s3 = find_home({"SM_REMOTE_HOME": str(tmp_path_factory.mktemp("offline"))}), MemoryS3()
    return lambda arguments: normalise(build_request({**BASE, **QUICK, **arguments}, home, s3))


@cache
def find_shape() -> Any:
    return get_session().get_service_model("sagemaker").operation_model("CreateTrainingJob").input_shape


def test_every_setting_has_a_golden_request_or_a_reason_for_none():
    """A new one gets a file with its arguments in tests/vectors/requests, and `python -m tests.offline_requests`."""
    assert set(list_goldens()) | set(NOT_IN_THE_REQUEST) == set(NAMES)
    assert not set(list_goldens()) & set(NOT_IN_THE_REQUEST)
    assert all(reason.endswith(".") for reason in NOT_IN_THE_REQUEST.values())


def test_a_call_without_more_than_the_least_is_the_base(build):
    assert build({}) == read_golden("base")
    assert check_request("CreateTrainingJob", read_golden("base")) == []


@pytest.mark.parametrize("name", list_goldens())
def test_a_setting_changes_of_the_request_what_its_golden_file_says(build, name):
    golden = read_golden(name)
    request = build(golden["arguments"])
    assert golden["arguments"].get(name) is not None
    assert diff(read_golden("base"), request) == golden["changes"] != {}
    assert not ParamValidator().validate(request, find_shape()).has_errors()
    # A mark that stands for a digest is no digest; the API's own limits allow it.
    assert check_request("CreateTrainingJob", request) == []


@pytest.mark.parametrize("name", SILENT)
def test_a_setting_that_is_not_told_changes_nothing_but_digests(build, name):
    assert name in NOT_IN_THE_REQUEST
    assert build({name: SILENT[name]}) == read_golden("base")


HEEDED_HERE = {"sagemaker_session", "bucket_owner", "enable_sagemaker_metrics"}
"""The first has a line of its own, the second is for buckets of S3, and series are always kept."""


@pytest.mark.parametrize("name", [name for name in NAMES if name in vars(CloudSettings) and name not in HEEDED_HERE])
def test_what_only_amazon_heeds_is_in_the_local_request_too_and_is_said(build, name):
    golden = read_golden(name)
    request = build({**golden["arguments"], "target": "local", "role": None, "image_uri": None})
    assert set(golden["changes"]) <= set(request)
    (note,) = list_notes(request)
    assert note.endswith("no effect on this machine, but on SageMaker")


def find_typed() -> set[str]:
    """The members that some setting other than extra_request says."""
    changed = [read_golden(name)["changes"] for name in list_goldens() if name != "extra_request"]
    return {*read_golden("base"), *(member for changes in changed for member in changes)}


def test_every_member_of_the_api_is_said_by_a_setting_or_can_be_said_by_extra_request():
    typed, members = find_typed(), set(find_shape().members)
    assert typed <= members
    for member in members - typed - UNREACHABLE:
        assert check_value("extra_request", {member: {}}, origin="argument") == {member: {}}
    assert set(KEPT) >= UNREACHABLE


@pytest.mark.parametrize("path", KEPT)
def test_what_extra_request_may_not_say_there_is(path):
    shape = find_shape()
    for name in path.split("."):
        shape = shape.members[name]
