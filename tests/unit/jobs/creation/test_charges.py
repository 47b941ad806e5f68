"""No job is created that is not in the ledger, and none is given more time than its call may cost."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sm_remote.costs import Charges, Ledger, Limits, refresh
from sm_remote.errors import MaxCostExceeded, MaxCostReached, ServiceUnavailable, SubmitError
from sm_remote.home import Home
from sm_remote.jobs.attach import attach_through
from sm_remote.jobs.creation.charges import open_charges
from sm_remote.jobs.creation.sending import create_training_job
from sm_remote.jobs.job import Job
from sm_remote.jobs.outcome.results import conclude
from sm_remote.jobs.succession.plan import Plan
from sm_remote.settings import resolve_settings
from tests.fakes.chained_jobs import ChainedJobs
from tests.fakes.price_list import FakePricing, build_product
from tests.ledger_entries import NOW
from tests.unit.jobs.succession.test_chain import CAPACITY, build_spec

PRODUCTS = [build_product("ml.m5.xlarge", "3.6"), build_product("ml.g5.xlarge", "36.0")]
REQUEST = {"TrainingJobName": "train-1", "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1}}


class Cloud(ChainedJobs):
    """The jobs of a region of AWS, which has told its prices already."""

    target = "sagemaker"

    def __init__(self, home: Home, error: Exception | None = None) -> None:
        super().__init__()
        self.home = home
        self.error = error
        self.session = SimpleNamespace(region="eu-west-1", account="111122223333", client=self.refuse_client)

    def refuse_client(self, service: str) -> Any:
        raise AssertionError(f"{service} was asked for")

    def create(self, request: Any) -> str:
        if self.error is not None:
            raise self.error
        return super().create(request)

    def list_entries(self) -> dict[str, Any]:
        return {entry.name: entry for entry in Ledger(self.home).list_since(0)}


@pytest.fixture
def state(tmp_path: Path) -> Home:
    home = Home(data=tmp_path / "data", cache=tmp_path / "cache")
    refresh(home, "eu-west-1", FakePricing(PRODUCTS), now=NOW)
    return home


def charge(cloud: Cloud, **limits: float) -> Charges:
    return Charges(home=cloud.home, target="sagemaker", region="eu-west-1", function="train", limits=Limits(**limits))


def test_a_job_that_was_refused_leaves_no_entry(state: Home) -> None:
    cloud = Cloud(state, SubmitError("no"))
    with pytest.raises(SubmitError):
        create_training_job(REQUEST, cloud, charge(cloud))  # type: ignore[arg-type]
    assert cloud.list_entries() == {}


def test_a_job_whose_answer_was_lost_stays_entered(state: Home) -> None:
    cloud = Cloud(state, ServiceUnavailable("the line was cut"))
    with pytest.raises(ServiceUnavailable):
        create_training_job(REQUEST, cloud, charge(cloud))  # type: ignore[arg-type]
    assert cloud.list_entries()["train-1"].state == "open"


def test_a_job_that_would_cost_too_much_is_never_sent(state: Home) -> None:
    cloud = Cloud(state)
    with pytest.raises(MaxCostExceeded):
        create_training_job(REQUEST, cloud, charge(cloud, max_cost=0.01))  # type: ignore[arg-type]
    assert (cloud.requests, cloud.list_entries()) == ({}, {})


def submit(cloud: Cloud, plan: Plan, max_cost: float) -> Job[Any]:
    spec, charges = replace(build_spec(plan), max_runtime_s=600), charge(cloud, max_cost=max_cost)
    job: Job[Any] = Job("train-1", cloud, spec=spec, charges=charges)  # type: ignore[arg-type]
    job._on_end = job._conclude  # type: ignore[method-assign]  # no thread: a test waits for nothing
    job._submit()
    return job


def test_what_goes_on_without_capacity_is_the_same_call_with_what_is_left(state: Home) -> None:
    cloud = Cloud(state)
    plan = Plan(types=("ml.m5.xlarge", "ml.g5.xlarge"))
    job = submit(cloud, plan, max_cost=20.0)
    assert cloud.requests["train-1"]["StoppingCondition"]["MaxRuntimeInSeconds"] == 600  # what the spec asks for
    cloud.end("train-1", reason=CAPACITY, BillableTimeInSeconds=1000, TrainingTimeInSeconds=1000)
    assert job.name == "train-1-2"
    cloud.end("train-1-2", "Stopped", BillableTimeInSeconds=60, TrainingTimeInSeconds=60)
    found = cloud.list_entries()
    assert {name: (entry.call, entry.machines) for name, entry in found.items()} == {
        "train-1": ("train-1", "ml.m5.xlarge"),
        "train-1-2": ("train-1", "ml.g5.xlarge"),
    }
    assert [entry.cost_usd for entry in found.values()] == pytest.approx([1.0, 0.6])


def test_what_is_left_may_be_too_little_to_go_on(state: Home) -> None:
    cloud = Cloud(state)
    job = submit(cloud, Plan(types=("ml.m5.xlarge", "ml.g5.xlarge")), max_cost=1.0)
    cloud.end("train-1", reason=CAPACITY, BillableTimeInSeconds=500, TrainingTimeInSeconds=500)
    with pytest.raises(MaxCostExceeded, match=r"earlier jobs of this call took \$0\.50"):
        job.result(timeout=1)
    assert list(cloud.requests) == ["train-1"]


def test_the_end_of_the_money_is_told_by_any_process(state: Home) -> None:
    cloud = Cloud(state)
    submit(cloud, Plan(types=("ml.m5.xlarge",)), max_cost=0.5)  # 500 s, of which 120 are to stop
    assert cloud.requests["train-1"]["StoppingCondition"]["MaxRuntimeInSeconds"] == 380
    cloud.watched.clear()
    job = attach_through(cloud, "train-1", conclude=conclude)  # type: ignore[arg-type]
    job._on_end = job._conclude  # type: ignore[method-assign]
    cloud.watched["train-1"] = job._conclude
    cloud.end("train-1", "Stopped", SecondaryStatus="MaxRuntimeExceeded", BillableTimeInSeconds=400)
    with pytest.raises(MaxCostReached, match=r"reached max_cost \(\$0\.50\) after 380 s"):
        job.result(timeout=1)
    assert cloud.list_entries()["train-1"].cost_usd == pytest.approx(0.4)


def test_the_settings_of_a_call_are_its_limits(isolated_state: None, state: Home) -> None:
    settings = resolve_settings({"target": "sagemaker", "max_cost": 5, "max_cost_per_day": 20, "region": "us-east-1"})
    lock = {"code": {"function": "train", "hash": "c0de"}}
    charges = open_charges(settings, Cloud(state), lock)  # type: ignore[arg-type]
    assert charges.limits == Limits(max_cost=5.0, max_cost_per_day=20.0)
    assert charges.find_account() == "111122223333"
    assert (charges.region, charges.function, charges.code) == ("eu-west-1", "train", "c0de")
