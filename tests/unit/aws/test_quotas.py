"""The quotas of an instance type are found by name among thousands."""

from __future__ import annotations

from typing import Any

from sm_remote.aws.quotas import SPOT, TRAINING, WARM_POOL, Quota, read_quotas, spell_increase
from tests.fakes.aws import FakeAws


def row(name: str, value: float, code: str = "L-1") -> dict[str, Any]:
    return {"QuotaName": name, "QuotaCode": code, "Value": value}


def test_what_was_granted_counts_before_what_everybody_has() -> None:
    aws = FakeAws(
        {
            "service-quotas.list_service_quotas": [
                {"Quotas": [row("ml.m5.large for training job usage", 8, "L-A"), row("ml.m5.large for endpoint", 3)]},
                {"Quotas": [row("ml.m5.xlarge for spot training job usage", 9)]},
            ],
            "service-quotas.list_aws_default_service_quotas": [
                {
                    "Quotas": [
                        row("ml.m5.large for training job usage", 1),
                        row("ml.m5.large for spot training job usage", 0),
                    ]
                }
            ],
        }
    )
    found = read_quotas(aws.client("service-quotas"), "ml.m5.large")
    assert found[TRAINING] == Quota(code="L-A", name="ml.m5.large for training job usage", value=8)
    assert found[SPOT].value == 0
    assert WARM_POOL not in found


def test_nothing_more_is_asked_for_when_all_were_seen() -> None:
    every = [row(f"ml.m5.large for {kind}", 2) for kind in (TRAINING, SPOT, WARM_POOL)]
    aws = FakeAws({"service-quotas.list_service_quotas": [{"Quotas": every}]})
    assert len(read_quotas(aws.client("service-quotas"), "ml.m5.large")) == 3
    assert aws.names() == ["service-quotas.list_service_quotas"]


def test_the_command_asks_for_as_many_as_are_needed() -> None:
    command = spell_increase(Quota(code="L-A", name="x", value=0), 2, "eu-west-1")
    assert "--quota-code L-A --desired-value 2 --region eu-west-1" in command
