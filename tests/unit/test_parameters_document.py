"""docs/parameters.md lists every parameter with the member that it says, as the golden requests have it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from botocore.session import get_session

from sm_remote.settings.cloud import CloudSettings
from sm_remote.settings.extra_request import KEPT
from sm_remote.settings.refused_parameters import REFUSED
from sm_remote.settings.schema import NAMES
from tests.offline_requests import NOT_IN_THE_REQUEST, read_golden

DOCUMENT = (Path(__file__).parents[2] / "docs" / "parameters.md").read_text(encoding="utf-8")
ROWS = {
    name: (re.findall(r"`([\w.]+)`", members), here)
    for name, members, here in re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", DOCUMENT, re.MULTILINE)
}
NOT_NULL = {"enable_sagemaker_metrics": "series are always kept", "sagemaker_session": "not used, and said"}
ALSO_HERE = {"s3_kms_key", "bucket_owner"}
"""What `CloudSettings` have and S3 has an effect for from this machine too."""


def list_leaves(changes, path=""):
    if not isinstance(changes, dict):
        return [path]
    return [leaf for name, value in changes.items() for leaf in list_leaves(value, f"{path}.{name}".lstrip("."))]


def test_every_parameter_has_its_row_in_the_order_of_the_settings():
    assert tuple(ROWS) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_the_members_of_a_row_are_those_that_the_golden_request_has(name):
    members, _ = ROWS[name]
    if name in NOT_IN_THE_REQUEST or name == "extra_request":
        assert members == []
        return
    changed = list_leaves(read_golden(name)["changes"])
    assert all(any(f"{leaf}.".startswith(f"{member}.") for member in members) for leaf in changed)
    assert all(any(f"{leaf}.".startswith(f"{member}.") for leaf in changed) for member in members)


@pytest.mark.parametrize("member", sorted({member for members, _ in ROWS.values() for member in members}))
def test_a_member_is_one_of_the_api(member):
    shape = get_session().get_service_model("sagemaker").operation_model("CreateTrainingJob").input_shape
    for name in member.split("."):
        shape = shape.members[name]


def test_what_only_amazon_gives_an_effect_is_said_to_have_none_here():
    for name in set(ROWS) & set(vars(CloudSettings)) - ALSO_HERE:
        assert NOT_NULL.get(name, "none, and said") in ROWS[name][1]


def test_what_is_refused_is_told():
    for name in REFUSED:
        assert f"| `{name}` | Refused: " in DOCUMENT
    for path in KEPT:
        if path.rpartition(".")[2] not in ("AlgorithmName", "TrainingInputMode"):
            assert f"`{path.rpartition('.')[2]}`" in DOCUMENT
