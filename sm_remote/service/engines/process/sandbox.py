"""How a job's command is run on this machine itself: in a bubblewrap sandbox, or as it is.

Both turn a container's specification into a command, an environment and a working directory. Pure but for
`probe_bubblewrap`, for the links that `plan_plain` makes, and for a cluster's hosts file.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sm_remote.service.engines.engine import Cluster, ContainerSpec, EngineError, Mount
from sm_remote.wire.layout import ML_ROOT_VARIABLE

STATUS_DESCRIPTOR = 3
"""Where bubblewrap writes its child's process id; the shim opens it."""

_ML = PurePosixPath("/opt/ml")
SYSTEM_DIRECTORIES = tuple(Path(path) for path in ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64"))
"""What every sandbox shows."""
_SYSTEM_FILES = (
    *("/etc/alternatives", "/etc/ca-certificates", "/etc/group", "/etc/hosts", "/etc/ld.so.cache", "/etc/localtime"),
    *("/etc/nsswitch.conf", "/etc/passwd", "/etc/pki", "/etc/protocols", "/etc/services", "/etc/ssl"),
)
_PATH = "/usr/local/bin:/usr/bin:/bin"


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """What is to be executed.

    Attributes:
        command: Program and arguments.
        environment: All of it.
        directory: Where it starts.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path


def probe_bubblewrap() -> str | None:
    """Finds a bubblewrap that works here; many machines have one that the kernel's settings forbid to work."""
    program = shutil.which("bwrap")
    if program is None:
        return None
    command = [program, *_build_base(network=False), "--", "/bin/sh", "-c", ":"]
    try:
        done = subprocess.run(command, capture_output=True, check=False, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return program if done.returncode == 0 else None


def plan_sandbox(
    spec: ContainerSpec, command: Sequence[str], *, bubblewrap: str, visible: Iterable[Path], gpus: Sequence[Path]
) -> Plan:
    """Builds the bubblewrap command.

    Args:
        spec: The container.
        command: What runs inside.
        bubblewrap: The program.
        visible: What the interpreter needs besides /usr, seen inside by the same names.
        gpus: Device files to let through.
    """
    arguments = [bubblewrap, *_build_base(network=spec.network)]
    arguments += ["--json-status-fd", str(STATUS_DESCRIPTOR), "--die-with-parent"]
    for path in visible:
        arguments += ["--ro-bind", str(path), str(path)]
    for device in gpus:
        arguments += ["--dev-bind", str(device), str(device)]
    if gpus:
        arguments += ["--ro-bind", "/sys", "/sys"]
    if spec.cluster is not None:
        hosts = spec.scratch / "hosts"
        hosts.write_text(render_hosts(spec.cluster))
        arguments += ["--hostname", spec.cluster.host, "--ro-bind", str(hosts), "/etc/hosts"]
    for mount in spec.mounts:
        arguments += ["--ro-bind" if mount.read_only else "--bind", str(mount.source), mount.target]
    environment = {"PATH": _PATH, "LANG": "C.UTF-8", "HOME": "/tmp"}  # noqa: S108 - the sandbox's own
    environment |= _choose_devices(spec.gpus) | dict(spec.environment)
    return Plan(command=(*arguments, "--", *command), environment=environment, directory=Path("/"))


def _build_base(*, network: bool) -> list[str]:
    arguments = ["--unshare-all", "--cap-drop", "ALL"]
    if network:
        arguments += ["--share-net", "--ro-bind-try", "/etc/resolv.conf", "/etc/resolv.conf"]
    for directory in SYSTEM_DIRECTORIES:
        if directory.is_symlink():
            arguments += ["--symlink", os.readlink(directory), str(directory)]
        elif directory.is_dir():
            arguments += ["--ro-bind", str(directory), str(directory)]
    for file in _SYSTEM_FILES:
        arguments += ["--ro-bind-try", file, file]
    arguments += ["--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--dir", "/var/tmp", "--dir", "/run"]  # noqa: S108
    return [*arguments, "--dir", "/opt/ml", "--chdir", "/tmp"]  # noqa: S108


def plan_plain(spec: ContainerSpec, command: Sequence[str], scratch: Path) -> Plan:
    """Makes the mounts appear as links below a directory in ``scratch``, which stands for /opt/ml.

    Raises:
        EngineError: A mount is asked for elsewhere than below /opt/ml, which needs a real mount.
    """
    root, work, temporary = (scratch / name for name in ("ml", "work", "tmp"))
    for directory in (root, work, temporary):
        directory.mkdir(parents=True, exist_ok=True)
    for mount in spec.mounts:
        _link_mount(root, mount)
    environment = {"PATH": os.environ.get("PATH", _PATH), "LANG": "C.UTF-8"}
    environment |= {"HOME": str(work), "TMPDIR": str(temporary)}
    environment |= _choose_devices(spec.gpus) | dict(spec.environment) | {ML_ROOT_VARIABLE: str(root)}
    return Plan(command=tuple(command), environment=environment, directory=work)


def _link_mount(root: Path, mount: Mount) -> None:
    try:
        relative = PurePosixPath(mount.target).relative_to(_ML)
    except ValueError as error:
        raise EngineError(
            f"{mount.target} lies outside /opt/ml: without bubblewrap or Docker it cannot be given to a job"
        ) from error
    link = root / relative
    link.parent.mkdir(parents=True, exist_ok=True)
    if link.exists() and link.samefile(mount.source):
        return  # it lies in its parent mount already
    if link.is_symlink():
        link.unlink()
    elif link.is_dir():
        link.rmdir()  # the empty place that a real mount would cover
    link.symlink_to(mount.source)


def render_hosts(cluster: Cluster) -> str:
    """The hosts file of a cluster's hosts, which share this machine's network: each has a loopback address of its own.

    The addresses of two clusters differ, so that both may listen on the same port.
    """
    digest = hashlib.sha256(cluster.network.encode()).digest()
    network = f"127.{1 + digest[0] % 254}.{digest[1]}"
    lines = [f"{network}.{number} {name}" for number, name in enumerate(cluster.hosts, 1)]
    return "\n".join(["127.0.0.1 localhost", *lines, ""])


def _choose_devices(gpus: Sequence[int]) -> dict[str, str]:
    """Source: CUDA C++ Programming Guide, "CUDA Environment Variables"; an empty list hides every GPU."""
    if not gpus:
        return {"CUDA_VISIBLE_DEVICES": "", "NVIDIA_VISIBLE_DEVICES": "void"}
    numbers = ",".join(str(number) for number in gpus)
    # By default CUDA counts the fastest first.
    return {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": numbers, "NVIDIA_VISIBLE_DEVICES": numbers}
