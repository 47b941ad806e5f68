"""The ceiling of a verification on AWS holds, and nothing is started that it does not cover."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from scripts.aws.account import Account
from scripts.aws.budget import VARIABLE, Budget, OverCeiling, read_ceiling
from sm_remote.catalogue import PRICE_REGION, find_instance_type
from tests.fakes.aws import FakeAws

ROOT = Path(__file__).parents[3]


def test_a_job_counts_with_its_worst_case_until_it_has_ended() -> None:
    budget = Budget(1.0)
    budget.reserve("a", 0.6)
    with pytest.raises(OverCeiling, match=r"b may cost \$0\.500; of \$1\.00"):
        budget.reserve("b", 0.5)
    budget.settle("a", 0.1)
    budget.reserve("b", 0.5)
    assert budget.spent_usd == pytest.approx(0.6)


def test_what_a_call_s_jobs_have_cost_together_counts_also_beyond_what_was_reserved() -> None:
    budget = Budget(1.0)
    budget.reserve("a", 0.6)
    budget.settle("a", 0.9)
    assert budget.spent_usd == pytest.approx(0.9)


def test_all_jobs_of_a_call_count(monkeypatch: pytest.MonkeyPatch) -> None:
    billed = {"first": 1800, "second": 3600}
    aws = FakeAws(
        {
            "sagemaker.describe_training_job": lambda members: {
                "BillableTimeInSeconds": billed[members["TrainingJobName"]],
                "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
            }
        }
    )
    budget = Budget(10.0)
    account = Account(
        budget=budget,
        root_uri="s3://bucket/root",
        names="verify",
        is_amazon=True,
        instance_type="ml.m5.xlarge",
        region=PRICE_REGION,
        owner="111122223333",
    )
    monkeypatch.setattr(account, "client", aws.client)
    hour_usd = find_instance_type("ml.m5.xlarge").prices_usd_per_hour[PRICE_REGION]
    budget.reserve("job 1", hour_usd)
    account._settle("job 1", SimpleNamespace(earlier_names=("first",), name="second"))
    assert budget.spent_usd == pytest.approx(1.5 * hour_usd)


def test_what_has_no_price_does_not_start() -> None:
    with pytest.raises(OverCeiling, match="not known"):
        Budget(100).reserve("a", None)


def test_a_ceiling_is_an_amount() -> None:
    assert read_ceiling({}) is None
    assert read_ceiling({VARIABLE: " "}) is None
    assert read_ceiling({VARIABLE: "1.5"}) == 1.5
    for text in ("all", "0", "-1", "inf", "nan"):
        with pytest.raises(ValueError):
            read_ceiling({VARIABLE: text})


def test_the_document_lists_every_check() -> None:
    listed = re.findall(r"^\| `(test_\w+)` \|", (ROOT / "docs" / "verify-on-aws.md").read_text(), re.MULTILINE)
    written = re.findall(r"^def (test_\w+)\(", (ROOT / "scripts" / "aws" / "verify.py").read_text(), re.MULTILINE)
    assert listed == written
