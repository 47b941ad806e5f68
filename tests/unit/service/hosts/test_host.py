"""The hosts of a training job."""

from __future__ import annotations

from sm_remote.service.hosts.host import Host, list_hosts


def test_a_job_of_one_instance_type_has_that_many_hosts():
    hosts = list_hosts({"ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2}})
    assert hosts == (
        Host(name="algo-1", instance_type="ml.m5.large", instance_group="homogeneousCluster"),
        Host(name="algo-2", instance_type="ml.m5.large", instance_group="homogeneousCluster"),
    )


def test_hosts_are_counted_over_all_instance_groups():
    groups = [
        {"InstanceGroupName": "workers", "InstanceType": "ml.g5.xlarge", "InstanceCount": 2},
        {"InstanceGroupName": "server", "InstanceType": "ml.m5.large", "InstanceCount": 1},
    ]
    hosts = list_hosts({"ResourceConfig": {"InstanceGroups": groups}})
    assert [(host.name, host.instance_group) for host in hosts] == [
        ("algo-1", "workers"),
        ("algo-2", "workers"),
        ("algo-3", "server"),
    ]
