"""Images of the Docker daemon: pulled, or made from an interpreter of this machine, and asked for their Python."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound
from docker.utils import parse_repository_tag

from sm_remote.home import Home
from sm_remote.interpreter import LOCAL_REPOSITORY
from sm_remote.service.engine import ImageMissing, ImagePython
from sm_remote.service.interpreter import is_local_image, read_interpreter
from sm_remote.service.local_image import IMAGE_CHANGES, PACKING, PACKING_LABEL, pack_interpreter

_ASK = "import platform; print(platform.python_version(), platform.machine())"
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_ROOT = ("", "0", "root", "0:0", "root:root", "0:root", "root:0")


class DockerImages:
    """Makes images available, each once however many jobs ask at the same time.

    Args:
        client: Connected to the daemon.
        home: Where interpreters of local images are recorded.
    """

    def __init__(self, client: docker.APIClient, home: Home) -> None:
        self._api: Any = client  # the stubs leave out half of the low-level calls
        self._home = home
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._pythons: dict[str, ImagePython] = {}

    def prepare(self, image: str, say: Callable[[str], None]) -> None:
        """Makes an image available.

        Raises:
            ImageMissing: It cannot be had.
        """
        with self._lock(image):
            found = self._inspect(image)
            if is_local_image(image):
                if found is None or (found["Config"].get("Labels") or {}).get(PACKING_LABEL) != PACKING:
                    self._make_local(image, say)
                    if found is not None:
                        with suppress(APIError):  # a container of it may still run
                            self._api.remove_image(found["Id"])
            elif found is None:
                self._pull(image, say)

    def has_own_user(self, image: str) -> bool:
        """Whether the image runs as somebody who is not root."""
        found = self._inspect(image)
        return found is not None and found["Config"].get("User", "") not in _ROOT

    def inspect_python(self, image: str) -> ImagePython:
        """Asks the image's ``python3``, once for each image that the name has stood for."""
        found = self._inspect(image)
        if found is None:
            raise ImageMissing(f"the image {image} is not here")
        with self._lock(image):
            if found["Id"] not in self._pythons:
                self._pythons[found["Id"]] = self._ask_python(image, found)
            return self._pythons[found["Id"]]

    def _lock(self, image: str) -> threading.Lock:
        with self._guard:
            return self._locks.setdefault(image, threading.Lock())

    def _inspect(self, image: str) -> dict[str, Any] | None:
        try:
            found: dict[str, Any] = self._api.inspect_image(image)
        except ImageNotFound:
            return None
        return found

    def _make_local(self, image: str, say: Callable[[str], None]) -> None:
        interpreter = read_interpreter(self._home, image)
        tag = image.partition(":")[2]
        say(f"Packing Python {interpreter.version} into the image {image} (once)")
        with pack_interpreter(interpreter) as archive:
            answer = self._api.import_image_from_data(
                archive, repository=LOCAL_REPOSITORY, tag=tag, changes=list(IMAGE_CHANGES)
            )
        for line in str(answer).splitlines():
            # The daemon answers 200 before it reads the archive.
            if line.strip() and (error := json.loads(line).get("error")):
                raise ImageMissing(f"the daemon refused the image {image}: {error}")

    def _pull(self, image: str, say: Callable[[str], None]) -> None:
        repository, tag = parse_repository_tag(image)
        say(f"Pulling the image {image}")
        try:
            for line in self._api.pull(repository, tag=tag or "latest", stream=True, decode=True):
                if "error" in line:
                    raise ImageMissing(f"{image}: {line['error']}")
        except APIError as error:
            raise ImageMissing(f"{image}: {error.explanation or error}") from error

    def _ask_python(self, image: str, found: dict[str, Any]) -> ImagePython:
        machine = found.get("Architecture", "")
        missing = ImagePython(version=None, platform=f"linux/{_MACHINES.get(machine, machine)}")
        request = {
            "Image": image,
            "Entrypoint": ["python3", "-I", "-S", "-c", _ASK],
            "HostConfig": {"NetworkMode": "none", "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"]},
        }
        identity = self._api.create_container_from_config(request)["Id"]
        try:
            self._api.start(identity)
            if self._api.wait(identity, timeout=60)["StatusCode"] != 0:
                return missing
            words = self._api.logs(identity, stdout=True, stderr=False).decode().split()
        except APIError:
            return missing  # no such program in the image
        finally:
            with suppress(NotFound):
                self._api.remove_container(identity, force=True, v=True)
        return ImagePython(version=words[0], platform=f"linux/{words[1]}")
