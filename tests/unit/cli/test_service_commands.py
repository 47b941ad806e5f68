from __future__ import annotations

import json
import subprocess
from pathlib import Path

from click.testing import CliRunner, Result

from sm_remote.cli.app import app
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
