"""The Docker API's create request for one host of a training job. Pure: nothing here talks to a daemon.

Source: Docker Engine API v1.41, ContainerCreate; the hardening follows the CIS Docker Benchmark, section 5.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sm_remote.service.engines.engine import ContainerSpec, Mount

PIDS_LIMIT = 4096
LOG_BYTES = "512m"

_ROOT_CAPABILITIES = ("CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID")
"""What programs of an image made to run as root count on: package managers, `su`, files of another owner."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Host:
    """What the request depends on besides the job.

    Attributes:
        cpus: The daemon refuses more than it has.
        memory_bytes: Of the daemon's machine.
        network: Network mode of a job that may use the network.
        user: ``uid:gid`` for an image of our own, where files must be the service user's; None for the image's own.
        trusted_image: An image that we made: it needs no capability, whoever runs it.
    """

    cpus: int
    memory_bytes: int
    network: str
    user: str | None
    trusted_image: bool


def build_create_request(spec: ContainerSpec, host: Host, addresses: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Builds the body of ContainerCreate.

    Args:
        spec: The container.
        host: What it runs on.
        addresses: Of all hosts of its cluster, by name.
    """
    return {
        "Image": spec.image,
        **({"Entrypoint": list(spec.entrypoint)} if spec.entrypoint else {}),
        "Cmd": list(spec.arguments),
        "Env": [f"{name}={value}" for name, value in _build_environment(spec, host).items()],
        "Labels": dict(spec.labels),
        **({"User": host.user} if host.user else {}),
        # Both are the defaults of the API but not of podman's compatible socket.
        "AttachStdin": False,
        "OpenStdin": False,
        "HostConfig": _build_host_config(spec, host, addresses or {}),
        **_build_membership(spec, addresses or {}),
    }


def choose_user(info: Mapping[str, Any], system: str, uid: int, gid: int) -> str | None:
    """As whom an image of ours runs: the service's own user, so that what a job writes can be moved and deleted.

    None, for root, where that comes to the same: a rootless daemon maps root to the service's user, and so does the
    file sharing of a virtual machine.
    """
    rootless = any("rootless" in option for option in info.get("SecurityOptions") or ())
    return None if uid == 0 or rootless or system != "linux" else f"{uid}:{gid}"


def _build_environment(spec: ContainerSpec, host: Host) -> Mapping[str, str]:
    environment: dict[str, str] = {}
    if host.user:
        # No line of /etc/passwd speaks of this user, and getpass.getuser() and "~" ask for one.
        environment |= {"HOME": "/tmp", "USER": "sm_remote", "LOGNAME": "sm_remote"}  # noqa: S108
    if not spec.gpus:
        environment["NVIDIA_VISIBLE_DEVICES"] = "void"
    return environment | dict(spec.environment)


def _build_membership(spec: ContainerSpec, addresses: Mapping[str, str]) -> dict[str, Any]:
    """The container's place in its cluster. Its host name is the one under which the others know it."""
    if spec.cluster is None:
        return {}
    endpoint = {"IPAMConfig": {"IPv4Address": addresses[spec.cluster.host]}, "Aliases": [spec.cluster.host]}
    return {
        "Hostname": spec.cluster.host,
        "NetworkingConfig": {"EndpointsConfig": {spec.cluster.network: endpoint}},
    }


def _choose_network(spec: ContainerSpec, host: Host) -> str:
    if spec.cluster is not None:
        return spec.cluster.network
    return host.network if spec.network else "none"


def _build_host_config(spec: ContainerSpec, host: Host, addresses: Mapping[str, str]) -> dict[str, Any]:
    memory = min(spec.memory_bytes or host.memory_bytes, host.memory_bytes)
    return {
        "Init": True,  # a process 1 without a handler ignores SIGTERM, and leaves zombies
        "CapDrop": ["ALL"],
        "CapAdd": [] if host.trusted_image else list(_ROOT_CAPABILITIES),
        "SecurityOpt": ["no-new-privileges"],
        "PidsLimit": PIDS_LIMIT,
        "NanoCpus": int(min(spec.cpus, host.cpus) * 1e9),
        "Memory": memory,
        "MemorySwap": memory,
        "ShmSize": memory // 2,
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        "NetworkMode": _choose_network(spec, host),
        # A lone host too knows its own name: AWS's training toolkit waits for that, to its last minute.
        "ExtraHosts": [f"{name}:{address}" for name, address in (addresses or _find_own_address(spec)).items()],
        "Mounts": [_build_mount(mount) for mount in spec.mounts],
        "LogConfig": {"Type": "json-file", "Config": {"max-size": LOG_BYTES, "max-file": "2"}},
        "DeviceRequests": _build_device_requests(spec.gpus),
    }


def _find_own_address(spec: ContainerSpec) -> Mapping[str, str]:
    """A container's name ends with its host's."""
    _, found, number = spec.name.rpartition("-algo-")
    return {f"algo-{number}": "127.0.0.1"} if found else {}


def _build_mount(mount: Mount) -> dict[str, Any]:
    # A mount, not a bind string: paths with colons and commas pass, and a missing source is an error.
    return {"Type": "bind", "Source": str(mount.source), "Target": mount.target, "ReadOnly": mount.read_only}


def _build_device_requests(gpus: Sequence[int]) -> list[dict[str, Any]]:
    if not gpus:
        return []
    return [{"Driver": "nvidia", "DeviceIDs": [str(number) for number in gpus], "Capabilities": [["gpu"]]}]
