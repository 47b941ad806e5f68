"""`sm-remote costs`: what was spent, what was not, and whose word the prices are."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import NoCredentialsError
from click.testing import CliRunner

from sm_remote.cli.app import app
from sm_remote.costs import EntryState, Ledger, read_price_book, refresh
from sm_remote.errors import ServiceUnavailable
from tests.fakes.cli_world import NOW, FakeService, FakeTrainingJobs, build_answer, build_world
from tests.fakes.price_list import FakePricing, build_product
from tests.ledger_entries import build_entry, build_settled


def run(world: Any, *arguments: str) -> Any:
    return CliRunner().invoke(app, ["costs", *arguments], obj=world)


def add(world: Any, *entries: Any) -> None:
    for entry in entries:
        Ledger(world.home).reserve(entry, 0.0, lambda entry, held: entry)


def add_history(world: Any) -> None:
    at = NOW.timestamp()
    spot = {"is_spot": True, "training_s": 3000.0}
    local = {"target": "local", "usd_per_hour": 0.23, "price_origin": "list price, date unknown"}
    add(
        world,
        build_settled("train-1", 1200.0, status="Stopped", ended_at=at - 9000, opened_at=at - 9900, **spot),
        build_settled("train-1-2", 400.0, call="train-1", ended_at=at - 8000, opened_at=at - 8900),
        build_settled("evaluate-1", 42.0, function="evaluate", pool_s=600.0, ended_at=at - 60, opened_at=at - 200),
        build_settled("embed-1", 9.0, function="embed", usd_per_hour=None, ended_at=at - 50, opened_at=at - 90),
        build_entry("train-2", opened_at=at - 30),
        build_settled("train-0", 12.0, ended_at=at - 40 * 86400),
        build_settled("train-9", 31.0, ended_at=at - 70, opened_at=at - 120, **local),
    )


def test_a_person_sees_what_was_spent_and_what_cost_nothing(tmp_path: Path) -> None:
    world = build_world(tmp_path)
    add_history(world)
    found = run(world, "--offline")
    assert found.output == (
        "On SageMaker, since 2026-10-22\n"
        "FUNCTION  CALLS  JOBS       BILLED    WARM POOL  SPOT SAVED     COST\n"
        "train         2     3  26 min 40 s                    $1.80    $1.60\n"
        "evaluate      1     1         42 s  10 min 00 s                $0.64\n"
        "embed         1     1        9.0 s                           unknown\n"
        "total         4     5  27 min 31 s  10 min 00 s       $1.80    $2.24\n"
        "\n"
        "1 job is not settled and may cost $2.00.\n"
        "1 job has no known price (ml.m5.xlarge): `sm-remote costs refresh-prices` asks AWS for those to come.\n"
        "\n"
        "On this machine, since 2026-10-22: no charge\n"
        "FUNCTION  CALLS  JOBS  TRAINED  ON SAGEMAKER\n"
        "train         1     1     31 s   under $0.01\n"
        "\n"
        "Prices on demand: AWS price list of 2026-11-18 (us-east-1); list price, date unknown (us-east-1).\n"
        "Counted is what this machine has started; AWS's bill is what you pay.\n"
    )


def test_a_call_that_only_runs_has_no_cost_yet(tmp_path: Path) -> None:
    world = build_world(tmp_path)
    add_history(world)
    lines = run(world, "--offline", "--by", "call").output.splitlines()
    assert [line.split() for line in lines if line.startswith("train-2")] == [
        ["train-2", "1", "1", "not", "yet", "known"]
    ]


def test_a_program_gets_tabs_or_json(tmp_path: Path) -> None:
    world = build_world(tmp_path, terminal=False)
    add_history(world)
    first, *_ = run(world, "--offline", "--since", "2026-11-01").output.splitlines()
    assert first.split("\t") == ["sagemaker", "train", "2", "3", "1600", "0", "1.800000", "1.600000"]
    found = json.loads(run(world, "--offline", "--json", "--since", "4w").output)
    assert found["sagemaker"]["total"]["cost_usd"] == pytest.approx(2.242)
    assert found["local"]["charged_usd"] == 0
    assert {job["name"] for job in found["local"]["jobs"]} == {"train-9"}


def test_names_of_others_cannot_move_the_cursor(tmp_path: Path) -> None:
    world = build_world(tmp_path)
    add(world, build_settled(function="\x1b[2Jtrain", ended_at=NOW.timestamp()))
    assert "\x1b" not in run(world, "--offline").output


def test_without_a_job_nothing_is_asked_and_no_file_made(tmp_path: Path) -> None:
    world = build_world(tmp_path, service=FakeService(runs=True))
    told = (
        "No job since 2026-10-22. Counted is what this machine has started since then, here and on SageMaker; "
        "AWS's bill knows the rest.\n"
    )
    assert run(world).stdout == told
    piped = run(build_world(tmp_path, terminal=False))
    assert (piped.stdout, piped.stderr) == ("", told)
    assert list(tmp_path.iterdir()) == []


def test_why_no_price_stands_beside_jobs_on_this_machine_is_said(tmp_path: Path) -> None:
    world = build_world(tmp_path)
    add(world, build_settled("fit-1", 9.0, target="local", usd_per_hour=None, ended_at=NOW.timestamp() - 50))
    assert "1 job has no known price (ml.m5.xlarge): `sm-remote costs refresh-prices`" in run(world, "--offline").output


def test_jobs_that_nobody_watched_are_looked_at_first(tmp_path: Path) -> None:
    answer = build_answer("train-1", BillableTimeInSeconds=100, TrainingTimeInSeconds=100)
    world = build_world(tmp_path, answer, service=FakeService(runs=True))
    add(world, build_entry(target="local", opened_at=NOW.timestamp() - 9999))
    assert "ON SAGEMAKER" in run(world).output
    assert [entry.state for entry in Ledger(world.home).list_since(0)] == [EntryState.SETTLED]


def test_no_service_is_started_for_jobs_that_cost_nothing(tmp_path: Path) -> None:
    world = build_world(tmp_path, build_answer("train-1"), service=FakeService(runs=False))
    add(world, build_entry(target="local"))
    assert run(world).exit_code == 0
    assert [entry.state for entry in Ledger(world.home).list_since(0)] == [EntryState.OPEN]


class Away(FakeTrainingJobs):
    """An API that does not answer."""

    def describe(self, name: str, **_: Any) -> Any:
        raise ServiceUnavailable("AWS is away.")


def test_an_api_that_does_not_answer_does_not_hide_what_is_known(tmp_path: Path) -> None:
    world = build_world(tmp_path, training_jobs=Away([]))
    world.connect("sagemaker").training_jobs.session.region = "us-east-1"
    add(world, build_entry(), build_settled("train-2", ended_at=NOW.timestamp()))
    found = run(world)
    assert found.exit_code == 0
    assert "How open jobs have ended cannot be seen: AWS is away." in found.output
    assert "train" in found.output


@pytest.mark.parametrize("since", ["yesterday", "12", "7y", "2026-13-01", ""])
def test_a_moment_that_is_none_is_refused(tmp_path: Path, since: str) -> None:
    found = run(build_world(tmp_path), "--since", since)
    assert found.exit_code == 2
    assert "nor a date" in found.output


def build_cloud(tmp_path: Path, pricing: FakePricing) -> Any:
    world = build_world(tmp_path, resolve=lambda: SimpleNamespace(region="eu-west-1"))
    session = world.connect("sagemaker").training_jobs.session
    session.region, session.client = "eu-west-1", {"pricing": pricing}.__getitem__
    return world


def test_prices_are_asked_for_and_kept_with_their_date(tmp_path: Path) -> None:
    world = build_cloud(tmp_path, FakePricing([build_product("ml.m5.xlarge", "0.256")]))
    assert run(world, "refresh-prices").output == "Kept 1 price of eu-west-1: AWS price list of 2026-11-18.\n"
    assert read_price_book(world.home, "eu-west-1").fetched == NOW
    assert run(world, "prices").output == (
        "eu-west-1: AWS was asked now.\n"
        "INSTANCE TYPE  AN HOUR  SAYS\n"
        "ml.m5.xlarge    $0.256  AWS price list of 2026-11-18\n"
    )
    assert (
        run(world, "refresh-prices", "--region", "us-west-2").output == "AWS lists no price of training in us-west-2.\n"
    )


def test_a_refusal_is_an_error_and_stands_beside_the_old_prices(tmp_path: Path) -> None:
    world = build_cloud(tmp_path, FakePricing(trouble=NoCredentialsError()))
    refresh(world.home, "eu-west-1", FakePricing([build_product("ml.m5.xlarge", "1")]), now=NOW - timedelta(days=3))
    found = run(world, "refresh-prices")
    assert found.exit_code == 1
    assert "pricing:GetProducts" in found.output
    shown = run(world, "prices", "ml.m5.xlarge", "ml.no.such").output
    assert "AWS was asked 3 d ago." in shown
    assert "The last time it did not tell: AWS does not tell the prices of eu-west-1." in shown
    assert json.loads(run(world, "prices", "ml.m5.xlarge", "--json").output)["prices"][0]["usd_per_hour"] == 1.0


def test_the_shipped_prices_are_listed_where_aws_was_never_asked(tmp_path: Path) -> None:
    world = build_world(tmp_path, resolve=lambda: SimpleNamespace(region=None))
    found = run(world, "prices", "ml.m5.xlarge").output
    assert found.startswith("us-east-1: AWS has not told its prices yet.\n")
    assert "list price, date unknown" in found
    assert "No price is known" in run(world, "prices", "--region", "eu-west-1").output
