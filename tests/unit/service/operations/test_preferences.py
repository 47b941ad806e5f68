"""Preferred instance types."""

from __future__ import annotations

from typing import Any

from sm_remote.service.hosts.host import list_hosts
from sm_remote.service.operations.preferences import select_instance

PREFERENCES = [{"InstanceType": "ml.g5.xlarge", "InstanceCount": 2}, {"InstanceType": "ml.m5.large"}]


def select(*short: str) -> dict[str, Any]:
    request = {"ResourceConfig": {"InstancePreferences": PREFERENCES, "InstanceCount": 1}}
    selected = select_instance(request, lambda each: not {host.instance_type for host in list_hosts(each)} & set(short))
    assert selected["ResourceConfig"]["InstancePreferences"] == PREFERENCES
    return dict(selected)


def shown(request: dict[str, Any]) -> tuple[str, int]:
    resources = request["ResourceConfig"]
    return resources["SelectedInstanceType"], resources["SelectedInstanceCount"]


def test_the_first_type_with_capacity_is_selected():
    assert shown(select()) == ("ml.g5.xlarge", 2)
    assert shown(select("ml.g5.xlarge")) == ("ml.m5.large", 1)
    assert [host.instance_type for host in list_hosts(select())] == ["ml.g5.xlarge"] * 2


def test_where_there_is_no_capacity_at_all_the_first_type_is_selected():
    assert shown(select("ml.g5.xlarge", "ml.m5.large")) == ("ml.g5.xlarge", 2)


def test_a_job_without_preferences_stays_as_it_is():
    request = {"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1}}
    assert select_instance(request, lambda each: True) is request
