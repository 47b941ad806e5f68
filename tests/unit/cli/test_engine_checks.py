from __future__ import annotations

import pytest

from sm_remote.cli.checks import Check, State
from sm_remote.cli.engine_checks import Machine, check_bubblewrap, check_docker
from sm_remote.errors import EngineUnavailable

REFUSED = "unix:///var/run/docker.sock: permission denied"
SILENT = "unix:///var/run/docker.sock: connection refused"
ABSENT = "unix:///var/run/docker.sock: no such file or directory"


def build_machine(*programs: str, system: str = "Linux", systemd: bool = True, host: str | None = None) -> Machine:
    return Machine(
        system=system,
        has_systemd=systemd,
        docker_host=host,
        find_program=lambda name: f"/usr/bin/{name}" if name in programs else None,
    )


def judge(why: str, machine: Machine, wanted: str = "auto") -> Check:
    return check_docker(EngineUnavailable("No Docker daemon answers.", why=why), wanted=wanted, machine=machine)


@pytest.mark.parametrize(
    ("why", "machine", "fix"),
    [
        (REFUSED, build_machine("dockerd"), "sudo usermod -aG docker $USER  # then log in again"),
        (SILENT, build_machine("dockerd"), "sudo systemctl enable --now docker"),
        (ABSENT, build_machine("dockerd", systemd=False), "sudo service docker start"),
        (ABSENT, build_machine("apt-get"), "sudo apt-get install -y docker.io"),
        (ABSENT, build_machine("apt-get", "docker"), "sudo apt-get install -y docker.io"),
        (ABSENT, build_machine("dnf"), "sudo dnf install -y moby-engine"),
        (ABSENT, build_machine(), "see https://docs.docker.com/engine/install/"),
        (SILENT, build_machine("docker", system="Darwin"), "open -a Docker"),
        (ABSENT, build_machine("brew", system="Darwin"), "brew install --cask docker"),
        ("tcp://x:1: timed out", build_machine("dockerd", host="tcp://x:1"), "unset DOCKER_HOST"),
    ],
)
def test_each_trouble_with_docker_has_its_one_command(why: str, machine: Machine, fix: str) -> None:
    assert judge(why, machine).fix == fix


def test_no_docker_is_a_failure_only_where_it_is_insisted_on() -> None:
    assert judge(ABSENT, build_machine()).state is State.WARNING
    assert judge(ABSENT, build_machine()).detail == "not installed; jobs run as processes instead"
    assert judge(ABSENT, build_machine(), wanted="docker").state is State.FAILURE
    assert judge(ABSENT, build_machine(), wanted="docker").detail == "not installed"


def test_a_docker_that_answers_is_named() -> None:
    info = {"ServerVersion": "28.2.2", "NCPU": 8, "MemTotal": 16 * 2**30, "OSType": "linux", "MemoryLimit": True}
    check = check_docker(info, wanted="auto", machine=build_machine())
    assert check == Check(name="docker", state=State.OK, detail="28.2.2, 8 CPUs, 16.0 GiB")


def test_a_docker_without_limits_or_linux_is_told() -> None:
    info = {"ServerVersion": "28.2.2", "NCPU": 8, "MemoryLimit": False}
    assert check_docker(info, wanted="auto", machine=build_machine()).state is State.WARNING
    assert check_docker({**info, "OSType": "windows"}, wanted="auto", machine=build_machine()).state is State.FAILURE


def judge_bubblewrap(*, installed: bool, works: bool = False, docker: bool = False, **kernel: str) -> Check:
    settings = {name.replace("__", "."): value for name, value in kernel.items()}
    return check_bubblewrap(
        installed=installed,
        works=works,
        docker_answers=docker,
        machine=build_machine("apt-get"),
        read_kernel=settings.get,
    )


def test_bubblewrap_matters_only_without_docker() -> None:
    assert judge_bubblewrap(installed=False, docker=True).state is State.OK
    assert judge_bubblewrap(installed=True, works=True).state is State.OK
    missing = judge_bubblewrap(installed=False)
    assert (missing.state, missing.fix) == (State.WARNING, "sudo apt-get install -y bubblewrap")


def test_a_kernel_that_forbids_bubblewrap_is_opened_by_the_setting_that_forbids_it() -> None:
    ubuntu = judge_bubblewrap(installed=True, kernel__apparmor_restrict_unprivileged_userns="1")
    assert ubuntu.fix == "sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0"
    debian = judge_bubblewrap(installed=True, kernel__unprivileged_userns_clone="0")
    assert debian.fix == "sudo sysctl -w kernel.unprivileged_userns_clone=1"
    assert judge_bubblewrap(installed=True).fix == ""
