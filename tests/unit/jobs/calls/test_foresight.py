"""A call that would cost too much is refused before it is captured; a `map` says what it is going to cost."""

from __future__ import annotations

from datetime import datetime, timezone
from typing import Any

import pytest

from sm_remote.costs import Ledger, refresh
from sm_remote.errors import MaxCostExceeded
from sm_remote.executor import create_job
from sm_remote.home import Home
from sm_remote.jobs.calls.announcement import announce_cost
from sm_remote.jobs.calls.foresight import check_affordable, foresee_call
from sm_remote.jobs.creation.charges import find_code
from sm_remote.runtime.cell import Cell
from sm_remote.settings import resolve_settings
from tests.fakes.price_list import FakePricing, build_product
from tests.ledger_entries import build_settled


@pytest.fixture(autouse=True)
def prices(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS was asked today, and cannot be asked again."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    products = [build_product("ml.m5.xlarge", "3.6"), build_product("ml.g5.xlarge", "36.0")]
    refresh(home, "eu-west-1", FakePricing(products), now=datetime.now(timezone.utc))


def resolve(**arguments: Any) -> Any:
    return resolve_settings(
        {"target": "sagemaker", "region": "eu-west-1", "instance_type": "ml.m5.xlarge", **arguments}
    )


def train(data: object) -> object:
    return data


class Untouchable:
    """An argument that must not be captured."""

    def __reduce__(self) -> Any:
        raise AssertionError("it was captured")


@pytest.mark.parametrize("arguments", [{"max_cost": 0.01}, {"max_cost": 1, "instance_type": "ml.p5.48xlarge"}])
def test_what_is_too_dear_is_refused_before_it_is_captured(arguments: dict[str, Any]) -> None:
    with pytest.raises(MaxCostExceeded):
        create_job(train, (Untouchable(),), {}, resolve(**arguments))


def test_what_is_not_limited_or_costs_nothing_is_not_looked_at() -> None:
    check_affordable(train, resolve(instance_type="ml.p5.48xlarge"))
    check_affordable(train, resolve(max_cost=0.01, target="local"))


def test_groups_of_machines_and_an_extra_request_are_counted() -> None:
    groups = [{"InstanceGroupName": "a", "InstanceType": "ml.g5.xlarge", "InstanceCount": 2}]
    grouped = foresee_call(train, resolve(instance_type=None, instance_groups=groups, max_runtime_in_seconds=880))
    assert (grouped.rate.machines, grouped.most_usd) == ("2 x ml.g5.xlarge", pytest.approx(20.0))
    extra = {"StoppingCondition": {"MaxRuntimeInSeconds": 380}}
    assert foresee_call(train, resolve(extra_request=extra)).most_usd == pytest.approx(0.5)


def test_a_map_says_what_each_and_all_are_going_to_cost(home: Home) -> None:
    assert announce_cost(train, resolve(), total=20) == (
        "sm_remote: cost of each: estimate unknown (no run of train on ml.m5.xlarge has completed "
        "from here); $3.60 an hour (eu-west-1, on demand; AWS price list of 2026-11-18)"
    )
    Ledger(home).reserve(build_settled(billable_s=420.0, region="eu-west-1"), 0.0, lambda entry, held: entry)
    assert "about $0.42 (in 1 run of train, of earlier code), $8.40 for all 20; " in announce_cost(
        train, resolve(), total=20
    )
    assert "for all" not in announce_cost(train, resolve(), total=None)


def test_a_cell_is_known_again_by_its_text() -> None:
    def build(source: str, filename: str) -> Cell:
        return Cell(
            source,
            text=source,
            filename=filename,
            flags=0,
            interactivity="none",
            wanted=None,
            left_out={},
            has_shell=False,
        )

    assert find_code(build("x = 1", "a.py")) == find_code(build("x = 1", "b.py")) != find_code(build("x = 2", "a.py"))
    assert find_code(train, {"code": {"hash": "c0de"}}) == "c0de"
    assert find_code(train) == ""
