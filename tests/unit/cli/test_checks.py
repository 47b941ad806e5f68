from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sm_remote.cli.check_rendering import render_checks
from sm_remote.cli.checks import (
    Check,
    State,
    check_certificates,
    check_home,
    check_leftovers,
    check_notebook,
    check_python,
    check_service,
    check_settings,
    check_uv,
)
from sm_remote.errors import ConfigError
from sm_remote.home import Home
from tests.fakes.cli_world import FakeService

GIB = 2**30


@pytest.mark.parametrize(
    ("version", "system", "state"),
    [
        ((3, 9, 18), "Linux", State.FAILURE),
        ((3, 10, 0), "Linux", State.OK),
        ((3, 14, 2), "Darwin", State.OK),
        ((3, 15, 0), "Linux", State.WARNING),
        ((3, 12, 1), "Windows", State.FAILURE),
    ],
)
def test_a_python_is_judged_by_minor_and_platform(version: tuple[int, int, int], system: str, state: State) -> None:
    check = check_python(version, system, "x86_64")
    assert check.state is state
    assert bool(check.fix) is (state is not State.OK)


def test_windows_is_sent_to_its_linux() -> None:
    assert check_python((3, 12, 1), "Windows", "AMD64").fix == "wsl --install"


def judge_home(directory: Path, free: int = 50 * GIB) -> Check:
    (check,) = check_home(Home(data=directory, cache=directory / "cache"), measure_free=lambda _: free)
    return check


def test_a_home_that_is_not_there_yet_is_well_and_stays_absent(tmp_path: Path) -> None:
    check = judge_home(tmp_path / "not" / "yet")
    assert (check.state, check.detail) == (State.OK, f"{tmp_path}/not/yet, 50.0 GiB free")
    assert list(tmp_path.iterdir()) == []


def test_a_home_open_to_others_is_closed_by_a_command(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    check = judge_home(tmp_path)
    assert (check.state, check.fix) == (State.WARNING, f"chmod 700 {tmp_path}")


def test_a_file_in_place_of_the_home_is_a_failure(tmp_path: Path) -> None:
    file = tmp_path / "home"
    file.write_text("")
    assert judge_home(file).fix == f"mv {file} {file}.old"


def test_what_lies_above_the_home_is_neither_moved_nor_taken(tmp_path: Path) -> None:
    file = tmp_path / "someone's"
    file.write_text("")
    check = judge_home(file / "deeper")
    assert (check.state, check.fix) == (State.FAILURE, "export SM_REMOTE_HOME=$HOME/.sm_remote")


@pytest.mark.parametrize(("free", "state"), [(10 * GIB, State.OK), (GIB, State.WARNING), (GIB // 4, State.FAILURE)])
def test_room_on_the_disk_is_judged(tmp_path: Path, free: int, state: State) -> None:
    tmp_path.chmod(0o700)
    assert judge_home(tmp_path, free).state is state


def test_a_cache_elsewhere_is_judged_too(tmp_path: Path) -> None:
    home = Home(data=tmp_path / "data", cache=tmp_path / "cache")
    assert [check.name for check in check_home(home)] == ["state", "cache"]


def test_settings_that_cannot_be_read_are_a_failure_with_all_that_is_known() -> None:
    def resolve() -> Any:
        raise ConfigError("SM_REMOTE_TARGT is no setting.", fix="Did you mean SM_REMOTE_TARGET?")

    check, settings = check_settings(resolve)
    assert settings is None
    assert check.state is State.FAILURE
    assert check.detail == "SM_REMOTE_TARGT is no setting. Did you mean SM_REMOTE_TARGET?"


def test_settings_that_can_be_read_are_handed_on() -> None:
    check, settings = check_settings(lambda: SimpleNamespace(target="local", engine="auto"))
    assert check.state is State.OK
    assert settings.target == "local"
    assert check.detail == "target 'local', engine 'auto'"


def test_the_settings_are_told_for_the_target_that_is_looked_at() -> None:
    check, _ = check_settings(lambda: SimpleNamespace(target="local", engine="auto"), "sagemaker")
    assert check.detail == "target 'sagemaker' (--target; the settings say 'local')"
    same, _ = check_settings(lambda: SimpleNamespace(target="sagemaker", engine="auto"), "sagemaker")
    assert same.detail == "target 'sagemaker'"


def judge_service(service: FakeService, *, docker_answers: bool = True) -> Check:
    return check_service(service.find(), version="0.1.0", docker_answers=docker_answers, wanted="auto")


def test_no_service_is_as_good_as_one() -> None:
    assert judge_service(FakeService()).state is State.OK
    assert judge_service(FakeService(runs=True)).state is State.OK


def test_a_service_of_another_version_is_replaced_by_a_command() -> None:
    check = judge_service(FakeService(runs=True, version="0.0.9"))
    assert (check.state, check.fix) == (State.WARNING, "sm-remote service stop")
    assert "0.0.9" in check.detail


def test_a_service_from_before_docker_is_told() -> None:
    service = FakeService(runs=True)
    service.status["Engine"] = "process"
    assert judge_service(service).state is State.WARNING
    assert judge_service(service, docker_answers=False).state is State.OK


def test_what_is_optional_is_never_a_failure() -> None:
    assert check_uv(None).state is State.WARNING
    assert check_notebook(["jupyterlab"]).state is State.OK
    assert check_notebook(["jupyterlab"]).fix == "python -m pip install 'sm-remote[lab]'"
    assert check_certificates(0, None).state is State.WARNING
    assert check_certificates(140, None).detail == "140 authorities"


CHECKS = [
    Check(name="python", state=State.OK, detail="Python 3.11.7 on Linux x86_64"),
    Check(name="docker", state=State.WARNING, detail="not installed", fix="sudo apt-get install -y docker.io"),
    Check(name="state", state=State.FAILURE, detail="/x is full\x1b[2J", fix="df -h /x"),
]


def test_findings_are_lines_with_the_command_below() -> None:
    assert render_checks(CHECKS, colours=False) == (
        "ok    python  Python 3.11.7 on Linux x86_64\n"
        "warn  docker  not installed\n"
        "              -> sudo apt-get install -y docker.io\n"
        "FAIL  state   /x is full\n"
        "              -> df -h /x\n"
        "\n"
        "1 thing must be mended before jobs can run.\n"
    )


def test_the_last_line_sums_up() -> None:
    assert render_checks(CHECKS[:1], colours=False).endswith("\nAll is well.\n")
    assert render_checks(CHECKS[:2], colours=False).endswith("\nJobs can run; 1 thing could be better.\n")


def test_what_jobs_left_as_another_user_is_named_with_the_command_that_removes_it(tmp_path: Path) -> None:
    home = Home(data=tmp_path / "my home", cache=tmp_path / "cache")
    assert check_leftovers(home) == []
    (home.leftovers / "fit-1-abc").mkdir(parents=True)
    (check,) = check_leftovers(home)
    assert (check.state, check.fix) == (State.WARNING, f"sudo rm -rf '{tmp_path}/my home/leftovers'")
    assert check.detail == "files that containers wrote as another user, of 1 ended job"
