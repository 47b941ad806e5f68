from __future__ import annotations

import json
from pathlib import Path

from click.testing import CliRunner, Result

from sm_remote.cli.app import app
from tests.fakes.cli_world import FakeService, build_answer, build_world


def run(tmp_path: Path, service: FakeService, *words: str) -> Result:
    world = build_world(tmp_path, build_answer("fit-1", "InProgress"), build_answer("old"), service=service)
    return CliRunner().invoke(app, list(words), obj=world)


def test_a_job_is_interrupted_by_any_beginning_of_its_name(tmp_path: Path) -> None:
    service = FakeService(runs=True)
    result = run(tmp_path, service, "interrupt", "fit")
    assert (result.exit_code, result.stdout) == (0, "fit-1 is interrupted, and will start again.\n")
    assert service.calls == [("InterruptTrainingJob", {"TrainingJobName": "fit-1"})]


def test_a_type_is_made_short_and_the_list_says_so(tmp_path: Path) -> None:
    service = FakeService(runs=True)
    service.answer = {"Shortages": [{"InstanceType": "ml.g5.xlarge", "Market": "spot", "Capacity": "error"}]}
    result = run(tmp_path, service, "service", "capacity", "ml.g5.xlarge", "error", "--market", "spot")
    assert (result.exit_code, result.stdout) == (0, "ml.g5.xlarge  spot capacity  error\n")
    body = {"InstanceType": "ml.g5.xlarge", "Capacity": "error", "Market": "spot"}
    assert service.calls == [("SetCapacity", body)]


def test_what_is_short_is_listed_for_people_and_programs(tmp_path: Path) -> None:
    service = FakeService()
    service.answer = {"Shortages": []}
    assert run(tmp_path, service, "service", "capacity").stdout == "No instance type is short.\n"
    assert json.loads(run(tmp_path, service, "service", "capacity", "--json").stdout) == []
    assert service.runs


def test_a_type_without_a_state_is_wrong_use(tmp_path: Path) -> None:
    result = run(tmp_path, FakeService(runs=True), "service", "capacity", "ml.g5.xlarge")
    assert result.exit_code == 2
    assert "available, pending or error" in result.stderr
