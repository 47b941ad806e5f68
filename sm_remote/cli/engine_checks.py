"""What the doctor says of the container engines: whether Docker answers, and what jobs get without it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sm_remote.cli.checks import Check, State
from sm_remote.cli.units import render_bytes
from sm_remote.errors import EngineUnavailable

INSTALL_GUIDE = "see https://docs.docker.com/engine/install/"


@dataclass(frozen=True, kw_only=True, slots=True)
class Machine:
    """What decides how Docker is installed and started here.

    Attributes:
        system: As ``platform.system()`` says.
        has_systemd: Whether it runs.
        docker_host: The variable ``DOCKER_HOST``, where it is set.
        find_program: ``shutil.which``.
    """

    system: str
    has_systemd: bool
    docker_host: str | None
    find_program: Callable[[str], str | None]


def probe_docker(environ: Mapping[str, str]) -> dict[str, Any] | EngineUnavailable:
    """What the Docker daemon says of itself, or why none does."""
    from docker.errors import DockerException
    from requests import RequestException

    from sm_remote.service.engines.docker.connection import connect_docker

    try:
        client = connect_docker(environ)
    except EngineUnavailable as error:
        return error
    try:
        client.timeout = 10
        info: dict[str, Any] = client.info()
        return info
    except (DockerException, RequestException, OSError) as error:
        return EngineUnavailable("The Docker daemon answers, and then does not.", why=str(error))
    finally:
        client.close()


def check_docker(answer: Mapping[str, Any] | EngineUnavailable, *, wanted: str, machine: Machine) -> Check:
    """Judges Docker. Missing, it is a failure only where the setting ``engine`` insists on it."""
    if isinstance(answer, EngineUnavailable):
        state = State.FAILURE if wanted == "docker" else State.WARNING
        consequence = "" if wanted == "docker" else "; jobs run as processes instead"
        trouble, fix = find_remedy(answer.why, machine)
        return Check(name="docker", state=state, detail=trouble + consequence, fix=fix)
    found = f"{answer.get('ServerVersion', '?')}, {answer.get('NCPU', '?')} CPUs"
    if answer.get("MemTotal"):
        found += f", {render_bytes(answer['MemTotal'])}"
    if answer.get("OSType", "linux") != "linux":
        detail = f"{found}; it runs {answer['OSType']} containers, and jobs are Linux"
        return Check(name="docker", state=State.FAILURE, detail=detail, fix="docker context use desktop-linux")
    if answer.get("MemoryLimit") is False:
        detail = f"{found}; this kernel cannot limit a job's memory to its instance type's"
        return Check(name="docker", state=State.WARNING, detail=detail)
    return Check(name="docker", state=State.OK, detail=found)


def find_remedy(failures: str, machine: Machine) -> tuple[str, str]:
    """What is wrong with Docker, and the one command that mends it.

    Args:
        failures: What happened at each address, as `connect_docker` tells it.
        machine: Where it is to be mended.
    """
    if "permission denied" in failures.lower():
        return (
            "runs, but this user may not use it",
            "sudo usermod -aG docker $USER  # then log in again",
        )
    if machine.docker_host:
        return f"nothing answers at DOCKER_HOST={machine.docker_host}", "unset DOCKER_HOST"
    if machine.system == "Darwin" and machine.find_program("docker"):
        return "installed, but not started", "open -a Docker"
    if machine.system == "Linux" and machine.find_program("dockerd"):
        start = "sudo systemctl enable --now docker" if machine.has_systemd else "sudo service docker start"
        return "installed, but not started", start
    return "not installed", _find_install_command(machine)


def _find_install_command(machine: Machine) -> str:
    if machine.system == "Darwin":
        return "brew install --cask docker" if machine.find_program("brew") else INSTALL_GUIDE
    for installer, command in (
        ("apt-get", "sudo apt-get install -y docker.io"),
        ("dnf", "sudo dnf install -y moby-engine"),
        ("zypper", "sudo zypper install -y docker"),
        ("pacman", "sudo pacman -S --noconfirm docker"),
    ):
        if machine.find_program(installer):
            return command
    return INSTALL_GUIDE


def check_bubblewrap(
    *, installed: bool, works: bool, docker_answers: bool, machine: Machine, read_kernel: Callable[[str], str | None]
) -> Check:
    """Judges bubblewrap, which isolates jobs that run as processes; with Docker it is not needed."""
    if machine.system != "Linux":
        return Check(name="bubblewrap", state=State.OK, detail="exists on Linux only")
    if works:
        return Check(name="bubblewrap", state=State.OK, detail="works; it isolates jobs that run as processes")
    lack = "installed, but this kernel forbids it" if installed else "not installed"
    if docker_answers:
        return Check(name="bubblewrap", state=State.OK, detail=f"{lack}; not needed with Docker")
    fix = _find_permission(read_kernel) if installed else _find_bubblewrap_command(machine)
    detail = f"{lack}: jobs see this user's files and network"
    return Check(name="bubblewrap", state=State.WARNING, detail=detail, fix=fix)


def _find_bubblewrap_command(machine: Machine) -> str:
    for installer in ("apt-get", "dnf"):
        if machine.find_program(installer):
            return f"sudo {installer} install -y bubblewrap"
    return "see https://github.com/containers/bubblewrap"


def _find_permission(read_kernel: Callable[[str], str | None]) -> str:
    """The command that lets users make namespaces, by the setting that forbids it; empty where none does."""
    for setting, forbids, allows in (
        ("kernel.apparmor_restrict_unprivileged_userns", "1", "0"),
        ("kernel.unprivileged_userns_clone", "0", "1"),
        ("user.max_user_namespaces", "0", "15000"),
    ):
        if read_kernel(setting) == forbids:
            return f"sudo sysctl -w {setting}={allows}"
    return ""


def read_kernel_setting(name: str) -> str | None:
    """A setting of the running kernel, as ``sysctl`` names it; None where there is none of the name."""
    try:
        return Path("/proc/sys", *name.split(".")).read_text().strip()
    except OSError:
        return None


def has_systemd() -> bool:
    """Whether systemd is this machine's init."""
    return Path("/run/systemd/system").exists()
