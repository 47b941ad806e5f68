"""Runs each host of a training job as a container of the Docker daemon.

The daemon is the memory of this engine: containers bear deterministic names and labels, their output and exit code
stay with it until they are removed, so a restarted service finds all that it knew.
"""

from __future__ import annotations

import logging
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import docker
from docker.errors import APIError, InvalidVersion, NotFound

from sm_remote.home import Home
from sm_remote.service.engines.docker.builds import DockerBuilds
from sm_remote.service.engines.docker.cgroup import PeakMemory, find_peak_memory
from sm_remote.service.engines.docker.connection import BROKEN, translated
from sm_remote.service.engines.docker.images import DockerImages
from sm_remote.service.engines.docker.logs import join_lines, read_frames
from sm_remote.service.engines.docker.networks import DockerNetworks
from sm_remote.service.engines.docker.request import Host, build_create_request, choose_user
from sm_remote.service.engines.docker.standbys import DockerStandbys
from sm_remote.service.engines.docker.usage import read_docker_usage
from sm_remote.service.engines.engine import (
    ContainerExit,
    ContainerLost,
    ContainerSpec,
    ContainerUsage,
    EngineError,
    Gateway,
    ImagePython,
)
from sm_remote.service.engines.interpreter import is_local_image
from sm_remote.service.engines.mounts import make_mount_points, open_to_everyone

log = logging.getLogger("sm_remote.service.docker")

_KILLED = 137
_LAST_FRAMES = 100
_PATIENCE_S = 60.0
"""How long a daemon that restarts is waited for."""
_KILL_AGAIN_S = 0.5
_ANSWERED_S = 5.0
"""A call that broke off after this long had been answered: nobody waits so long to be refused."""


class DockerEngine:
    """See `sm_remote.service.engines.engine.Engine`.

    Args:
        client: Connected to the daemon, with room in its pool for two connections a container.
        home: Where interpreters of local images are recorded.
        uid: The service's user; by default, whose process this is.
        gid: The service's group.
        sleep: Between tries to reach a daemon that went away.
    """

    name = "docker"
    network_interface = "eth0"

    def __init__(
        self,
        client: docker.APIClient,
        home: Home,
        *,
        uid: int | None = None,
        gid: int | None = None,
        sleep: Callable[[float], object] = time.sleep,
    ) -> None:
        self._api: Any = client  # the stubs leave out half of the low-level calls
        self._sleep = sleep
        with translated():
            self._info: dict[str, Any] = client.info()
            networks = {network["Name"] for network in client.networks()}
        self._network = next((name for name in ("bridge", "podman") if name in networks), "none")
        self._images = DockerImages(client, home)
        self._networks = DockerNetworks(client)
        self._standbys = DockerStandbys(client)
        self._user = choose_user(
            self._info, sys.platform, os.getuid() if uid is None else uid, os.getgid() if gid is None else gid
        )
        self._peaks: dict[str, PeakMemory] = {}

    def close(self) -> None:
        """Closes connections to the daemon; containers run on."""
        self._api.close()

    def describe(self) -> str:
        """See the protocol."""
        line = f"Docker {self._info.get('ServerVersion', '')}: containers, limited in CPU, memory and processes"
        if self._network == "none":
            line += "; this daemon has no bridge network, so jobs have none"
        return line

    def prepare_image(self, image: str, say: Callable[[str], None]) -> None:
        """See the protocol."""
        with translated():
            self._images.prepare(image, say)

    @property
    def built_images(self) -> DockerBuilds:
        """See the protocol."""
        return self._images.builds

    def inspect_python(self, image: str, conda_env: str | None = None) -> ImagePython:
        """See the protocol."""
        with translated():
            return self._images.inspect_python(image, conda_env)

    def start(self, spec: ContainerSpec) -> None:
        """See the protocol."""
        with translated():
            if spec.standby is not None:
                self._prepare_mounts(spec)
                if self._standbys.release(spec):
                    return
            request = self._build_request(spec)
            try:
                self._api.create_container_from_config(request, spec.name)
            except APIError as error:
                if error.status_code != 409:
                    raise
                if not self._adopt(spec):
                    return
            try:
                self._api.start(spec.name)
            except APIError:
                self.remove(spec.name)
                raise

    def prepare_standby(self, spec: ContainerSpec) -> bool:
        """See the protocol."""
        with translated():
            self._standbys.prepare(spec, self._build_request(spec))
        return True

    def _build_request(self, spec: ContainerSpec) -> dict[str, Any]:
        local = is_local_image(spec.image)
        self._prepare_mounts(spec)
        host = Host(
            cpus=self._info["NCPU"],
            memory_bytes=self._info["MemTotal"],
            network=self._network,
            user=self._user if local else None,
            trusted_image=local,
        )
        addresses = {} if spec.cluster is None else self._networks.open(spec.cluster, spec.labels)
        return build_create_request(spec, host, addresses)

    def _prepare_mounts(self, spec: ContainerSpec) -> None:
        make_mount_points(spec.mounts)
        if not is_local_image(spec.image) and self._images.has_own_user(spec.image):
            open_to_everyone(spec.mounts)

    def _adopt(self, spec: ContainerSpec) -> bool:
        """Takes a container that bears the name as ours; tells whether it was never started."""
        found = self._api.inspect_container(spec.name)
        labels = found["Config"].get("Labels") or {}
        if any(labels.get(name) != value for name, value in spec.labels.items()):
            raise EngineError(f"a container of somebody else is named {spec.name}; remove it: docker rm {spec.name}")
        log.info("container %s is there already: adopted", spec.name)
        return bool(found["State"]["Status"] == "created")

    def read_lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        """See the protocol."""
        given = 0
        patience = _Patience(self._sleep)
        while True:
            try:
                for number, line in enumerate(join_lines(self._read_frames(name))):
                    if number >= given:  # or else it was read before the daemon went away
                        given += 1
                        yield line
                return
            except BROKEN as error:
                patience.wait(f"the output of container {name} cannot be read: {error}")

    def _read_frames(self, name: str) -> Iterator[tuple[int, bytes]]:
        recent: deque[tuple[int, bytes]] = deque(maxlen=2 * _LAST_FRAMES)
        for frame in self._request_frames(name, follow=1, tail="all"):
            if name in self._peaks:
                self._peaks[name].sample()
            recent.append(frame)
            yield frame
        # A daemon that follows a container to its end may leave out its very last words (seen in 20.10).
        for frame in self._request_frames(name, follow=0, tail=_LAST_FRAMES):
            if frame not in recent:
                yield frame

    def _request_frames(self, name: str, **options: object) -> Iterator[tuple[int, bytes]]:
        """Not the SDK's `logs`, which does not tell stdout's pieces from stderr's."""
        url = f"{self._api.base_url}/v{self._api.api_version}/containers/{name}/logs"
        options |= {"stdout": 1, "stderr": 1, "timestamps": 1}
        with self._api.get(url, params=options, stream=True, timeout=(10, None)) as response:
            if response.status_code == 200:
                yield from read_frames(response.raw)

    def wait(self, name: str) -> ContainerExit:
        """See the protocol."""
        patience = _Patience(self._sleep)
        while True:
            try:
                return self._wait(name)
            except NotFound as error:
                raise ContainerLost(f"container {name} is not there any more") from error
            except BROKEN as error:
                patience.wait(f"the Docker daemon does not answer: {error}")

    def _wait(self, name: str) -> ContainerExit:
        found = self._api.inspect_container(name)
        if found["State"]["Status"] == "created":
            raise ContainerLost(f"container {name} was made but never started")
        if name not in self._peaks and found["State"]["Running"]:
            peak = find_peak_memory(found["State"]["Pid"], found["Id"])
            if peak is not None:
                self._peaks[name] = peak
        self._api.wait(name, timeout=None)
        state = self._api.inspect_container(name)["State"]
        code = int(state["ExitCode"])
        out_of_memory = bool(state.get("OOMKilled")) and code == _KILLED
        sampled = self._peaks[name].peak_bytes if name in self._peaks else None
        limit = found["HostConfig"].get("Memory") or None
        return ContainerExit(
            code=code,
            out_of_memory=out_of_memory,
            # What was sampled is older than the end; a container that died for memory had all of it.
            peak_memory_bytes=limit if out_of_memory else sampled,
        )

    def read_usage(self, name: str) -> ContainerUsage | None:
        """See the protocol."""
        with translated():
            try:
                # Not one by default: the daemon would wait a second for a second sample.
                found = self._api.stats(name, stream=False, one_shot=True)
            except (NotFound, InvalidVersion):
                return None
        return read_docker_usage(found)

    def stop(self, name: str, grace_s: float) -> None:
        """See the protocol."""
        with translated():
            try:
                self._api.kill(name, "SIGTERM" if grace_s > 0 else "SIGKILL")
            except APIError:
                return  # it has ended, or never was
        threading.Thread(target=self._kill_after, args=(name, grace_s), name=f"stop {name}", daemon=True).start()

    def _kill_after(self, name: str, grace_s: float) -> None:
        """Asks until the daemon has taken the signal: one that restarts meanwhile may leave the container running."""
        deadline = time.monotonic() + grace_s
        while True:
            remaining_s = deadline - time.monotonic()
            try:
                if remaining_s > 0:
                    self._api.wait(name, timeout=remaining_s)
                else:
                    self._api.kill(name, "SIGKILL")
                return
            except APIError as error:
                if error.is_client_error():  # it has ended, or is not there any more
                    return
                self._sleep(_KILL_AGAIN_S)
            except BROKEN:
                if time.monotonic() < deadline or remaining_s <= 0:  # or else only the grace has passed
                    self._sleep(_KILL_AGAIN_S)

    def remove(self, name: str) -> None:
        """See the protocol."""
        self._peaks.pop(name, None)
        try:
            self._api.remove_container(name, force=True, v=True)
        except APIError as error:
            # 409: somebody removes it at this very moment.
            if error.status_code not in (404, 409):
                raise EngineError(f"container {name} cannot be removed: {error.explanation}") from error
        except BROKEN as error:
            raise EngineError(f"container {name} cannot be removed: {error}") from error

    def find_gateway(self) -> Gateway | None:
        """See the protocol. Source: Docker docs, "Networking on Docker Desktop" (host.docker.internal)."""
        if "Docker Desktop" in str(self._info.get("OperatingSystem")):
            return Gateway(address="host.docker.internal", forwards_loopback=True)
        if self._network == "none":
            return None
        with translated():
            found = self._api.inspect_network(self._network)
        addresses = [config["Gateway"] for config in _list_subnets(found) if config.get("Gateway")]
        return Gateway(address=addresses[0], forwards_loopback=False) if addresses else None

    def list_subnets(self) -> list[str]:
        """See the protocol."""
        with translated():
            found = self._api.networks()
        return [config["Subnet"] for network in found for config in _list_subnets(network) if config.get("Subnet")]

    def list_containers(self, instance: str) -> dict[str, bool]:
        """See the protocol."""
        with translated():
            found = self._api.containers(all=True, filters={"label": f"sm_remote.instance={instance}"})
        return {item["Names"][0].lstrip("/"): item["State"] == "running" for item in found}

    def remove_network(self, name: str) -> None:
        """See the protocol."""
        with translated():
            self._networks.remove(name)

    def list_networks(self, instance: str) -> list[str]:
        """See the protocol."""
        with translated():
            return self._networks.list_names(instance)


def _list_subnets(network: Mapping[str, Any]) -> list[dict[str, str]]:
    return (network.get("IPAM") or {}).get("Config") or []


class _Patience:
    """Waits for a daemon that went away, anew each time that it had answered for a while."""

    def __init__(self, sleep: Callable[[float], object]) -> None:
        self._sleep = sleep
        self._tried = time.monotonic()
        self._deadline = 0.0

    def wait(self, failure: str) -> None:
        """Waits before the next try.

        Raises:
            EngineError: It has been away for too long.
        """
        now = time.monotonic()
        if not self._deadline or now - self._tried > _ANSWERED_S:
            self._deadline = now + _PATIENCE_S
        if now > self._deadline:
            raise EngineError(failure)
        self._sleep(0.5)
        self._tried = time.monotonic()
