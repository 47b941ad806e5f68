"""What is paid for is read from the request, whatever it was made of."""

from __future__ import annotations

from sm_remote.costs.demand import Demand, name_machines, read_demand


def test_a_request_says_machines_time_and_pool():
    request = {
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 2, "KeepAlivePeriodInSeconds": 600},
        "StoppingCondition": {"MaxRuntimeInSeconds": 900},
    }
    demand = read_demand(request)
    assert demand == Demand(machines=(("ml.m5.xlarge", 2),), runtime_s=900, keep_alive_s=600)
    assert (name_machines(demand), demand.instances) == ("2 x ml.m5.xlarge", 2)


def test_instance_groups_are_machines_of_several_types():
    groups = [
        {"InstanceGroupName": "cpu", "InstanceType": "ml.c5.xlarge", "InstanceCount": 2},
        {"InstanceGroupName": "gpu", "InstanceType": "ml.g5.xlarge", "InstanceCount": 1},
    ]
    demand = read_demand({"ResourceConfig": {"InstanceGroups": groups}})
    assert (name_machines(demand), demand.instances) == ("2 x ml.c5.xlarge + ml.g5.xlarge", 3)


def test_what_a_request_leaves_out_is_sagemakers_default():
    assert read_demand({}).runtime_s == 86400
    assert read_demand({"ResourceConfig": {"TrainingPlanArn": "arn:aws:..."}}).is_prepaid
