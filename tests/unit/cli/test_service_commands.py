from __future__ import annotations

import json
import subprocess
from dataclasses import replace
from pathlib import Path

from click.testing import CliRunner, Result

from sm_remote.cli.app import app
from sm_remote.home import StandingOptions
from tests.fakes.cli_world import FakeService, build_world


def run(tmp_path: Path, service: FakeService, *words: str, terminal: bool = True) -> Result:
    world = build_world(tmp_path, service=service, terminal=terminal)
    return CliRunner().invoke(app, ["service", *words], obj=world)


def test_a_running_service_is_described(tmp_path: Path) -> None:
    service = FakeService(runs=True, live=2)
    service.status["EngineNote"] = "Docker 28.2.2"
    result = run(tmp_path, service, "status")
    assert result.exit_code == 0
    assert result.stdout == (
        "The local training service runs.\n"
        "  version  0.1.0\n"
        "  process  4711\n"
        "  address  http://127.0.0.1:39111\n"
        "  engine   docker\n"
        "           Docker 28.2.2\n"
        "  jobs     2 running, 0 waiting\n"
        f"  state    {tmp_path}\n"
        f"  log      {tmp_path}/service/service.log\n"
    )


def test_a_service_that_does_not_run_exits_with_one(tmp_path: Path) -> None:
    result = run(tmp_path, FakeService(), "status")
    assert (result.exit_code, result.stdout) == (1, "The local training service does not run.\n")
    result = run(tmp_path, FakeService(), "status", "--json")
    assert (result.exit_code, json.loads(result.stdout)) == (1, {"running": False})


def test_the_status_for_programs_has_no_keys_in_it(tmp_path: Path) -> None:
    found = json.loads(run(tmp_path, FakeService(runs=True), "status", "--json").stdout)
    assert found["endpoint_url"] == "http://127.0.0.1:39111"
    assert "cret" not in json.dumps(found)


def test_starting_says_what_runs_then(tmp_path: Path) -> None:
    service = FakeService()
    result = run(tmp_path, service, "start")
    assert service.runs
    assert result.stdout.startswith("The local training service runs.\n")


def test_stopping_says_what_becomes_of_live_jobs(tmp_path: Path) -> None:
    service = FakeService(runs=True, live=1)
    result = run(tmp_path, service, "stop")
    assert not service.runs
    assert result.stdout == (
        "The local training service (process 4711) has ended.\n"
        "1 live job goes on; the next service takes over: any command or call starts it.\n"
    )


def test_stopping_what_does_not_run_is_done_already(tmp_path: Path) -> None:
    result = run(tmp_path, FakeService(), "stop")
    assert (result.exit_code, result.stdout) == (0, "The local training service does not run.\n")


def test_the_variables_arrive_in_a_shell_as_they_are(tmp_path: Path) -> None:
    result = run(tmp_path, FakeService(), "env", terminal=False)
    script = result.stdout + 'printf "%s\\n" "$AWS_ENDPOINT_URL_SAGEMAKER" "$AWS_SECRET_ACCESS_KEY" "$AWS_PROFILE"'
    shown = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True, env={"AWS_PROFILE": "me"})
    assert shown.stdout == "http://127.0.0.1:39111\nse'cret\n\n"


def test_the_log_shows_its_end_and_cannot_act(tmp_path: Path) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service" / "service.log").write_text("one\ntwo\nthree\x1b[2J\n")
    assert run(tmp_path, FakeService(), "logs", "-n", "2").stdout == "two\nthree\n"


def test_no_log_is_no_error(tmp_path: Path) -> None:
    result = run(tmp_path, FakeService(), "logs")
    assert (result.exit_code, result.stdout) == (0, "")


def test_options_are_kept_for_every_later_start(tmp_path: Path) -> None:
    service = FakeService()
    run(tmp_path, service, "start", "--with-s3", "--container-credentials", "s3")
    assert service.options == StandingOptions(with_s3=True, container_credentials="s3")
    run(tmp_path, service, "start")
    assert service.options is None  # as it was told last


def test_credentials_of_another_form_are_refused_with_what_to_give(tmp_path: Path) -> None:
    service = FakeService()
    result = run(tmp_path, service, "start", "--container-credentials", "mine")
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 1
    assert "profile:NAME" in result.stderr
    assert not service.runs


def test_the_s3_server_and_the_containers_credentials_are_told(tmp_path: Path) -> None:
    service = FakeService(runs=True)
    service.discovery = replace(service.discovery, s3_endpoint_url="http://127.0.0.1:39112")
    service.status["ContainerCredentials"] = "profile:dev"
    shown = run(tmp_path, service, "status").stdout
    assert "  S3           http://127.0.0.1:39112\n" in shown
    assert "  credentials  containers have those of the AWS profile dev\n" in shown
    variables = json.loads(run(tmp_path, service, "env", "--json").stdout)
    assert variables["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:39112"


def test_nothing_that_is_signed_with_these_keys_goes_to_aws(tmp_path: Path) -> None:
    """The general endpoint is for every service that has none of its own."""
    variables = json.loads(run(tmp_path, FakeService(), "env", "--json").stdout)
    assert variables["AWS_ENDPOINT_URL"] == "http://127.0.0.1:39111"
    for service in ("SAGEMAKER", "CLOUDWATCH_LOGS", "CLOUDWATCH", "STS", "IAM"):
        assert variables[f"AWS_ENDPOINT_URL_{service}"] == "http://127.0.0.1:39111"
    assert "AWS_ENDPOINT_URL_S3" not in variables
