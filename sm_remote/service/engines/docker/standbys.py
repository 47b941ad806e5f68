"""Containers that wait: made and started ahead, they become a job's own when they are told what to run.

A waiting container's shell reads from a named pipe which script to follow, and becomes the job's command by `exec`: the
job is the same process in the same fresh container that it would have been. Docker cannot change an environment or a
command afterwards, so the script brings both. An image without /bin/sh cannot wait.
"""

from __future__ import annotations

import errno
import os
import shlex
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, NotFound

from sm_remote.service.engines.engine import ContainerSpec

_TARGET = "/opt/ml/sagemaker/start"
_PIPE = "pipe"
_SCRIPT = "script"
_LABEL = "sm_remote.standby"
_PATIENCE_S = 2.0
"""How long a shell may take from its start to its pipe."""


class DockerStandbys:
    """Prepares waiting containers, and releases them.

    Args:
        client: Connected to the daemon.
    """

    def __init__(self, client: docker.APIClient) -> None:
        self._api: Any = client

    def prepare(self, spec: ContainerSpec, request: Mapping[str, Any]) -> None:
        """Starts a container that waits.

        Args:
            spec: Whose it is to become, but for command and environment.
            request: ContainerCreate for it.
        """
        gate = _find_gate(spec)
        gate.mkdir(parents=True)
        os.mkfifo(gate / _PIPE)
        # Whatever user the image runs as reads here; nobody else passes the private directories above.
        gate.chmod(0o755)
        (gate / _PIPE).chmod(0o644)
        mount = {"Type": "bind", "Source": str(gate), "Target": _TARGET, "ReadOnly": True}
        waiting = {
            **request,
            "Entrypoint": ["/bin/sh", "-c", f". {_TARGET}/{_PIPE}"],
            "Cmd": [],
            "Labels": {**request["Labels"], _LABEL: "1"},
            "HostConfig": {**request["HostConfig"], "Mounts": [*request["HostConfig"]["Mounts"], mount]},
        }
        self._api.create_container_from_config(waiting, spec.name)
        try:
            self._api.start(spec.name)
        except APIError:
            self._api.remove_container(spec.name, force=True)
            raise

    def release(self, spec: ContainerSpec) -> bool:
        """Has a waiting container become a job's own; repeating it is harmless.

        Returns:
            False where there is none that could, so that the job needs a container of its own.
        """
        try:
            self._api.rename(spec.standby, spec.name)
        except APIError as error:
            if error.status_code not in (404, 409):  # gone, or renamed by a service that died then
                raise
        try:
            found = self._api.inspect_container(spec.name)
        except NotFound:
            return False
        if _LABEL not in (found["Config"].get("Labels") or {}):
            return False
        gate = _find_gate(spec)
        # A service that died may have told it already: then it is the job's, whatever has become of it.
        was_told = (gate / _SCRIPT).exists()
        if not was_told:
            image = self._api.inspect_image(spec.image)
            if not found["State"]["Running"] or found["Image"] != image["Id"]:
                return self._discard(spec)
            script = gate / f"{_SCRIPT}.part"
            script.write_text(render_script(spec, image["Config"].get("Entrypoint") or ()))
            script.chmod(0o644)
            script.rename(gate / _SCRIPT)
        if _write_line(gate / _PIPE, f". {_TARGET}/{_SCRIPT}\n") or was_told:
            return True
        return self._discard(spec)

    def _discard(self, spec: ContainerSpec) -> bool:
        self._api.remove_container(spec.name, force=True, v=True)
        return False


def render_script(spec: ContainerSpec, entrypoint: Sequence[str]) -> str:
    """What a waiting shell is told: the job's environment, and the command that it becomes.

    Args:
        spec: The job's container.
        entrypoint: The image's own.
    """
    exports = [f"export {name}={shlex.quote(value)}" for name, value in spec.environment.items()]
    command = [*(spec.entrypoint or entrypoint), *spec.arguments]
    return "\n".join([*exports, f"exec {shlex.join(command)}", ""])


def _find_gate(spec: ContainerSpec) -> Path:
    return spec.scratch / "start"


def _write_line(pipe: Path, line: str) -> bool:
    """Writes a line to the shell that waits for one, or is about to; false where none does."""
    deadline = time.monotonic() + _PATIENCE_S
    while True:
        try:
            descriptor = os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO or time.monotonic() > deadline:
                return False
            time.sleep(0.005)
            continue
        try:
            os.write(descriptor, line.encode())
            return True
        finally:
            os.close(descriptor)
