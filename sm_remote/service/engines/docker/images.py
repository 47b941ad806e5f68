"""Images of the Docker daemon: pulled, or made from an interpreter of this machine, and asked for their Python."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, replace
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound, NotFound
from docker.utils import parse_repository_tag

from sm_remote.home import Home, make_private, write_private
from sm_remote.interpreter import LOCAL_REPOSITORY
from sm_remote.service.engines.built_images import is_built_image
from sm_remote.service.engines.docker.builds import DockerBuilds
from sm_remote.service.engines.docker.local_image import IMAGE_CHANGES, PACKING, PACKING_LABEL, pack_interpreter
from sm_remote.service.engines.engine import ImageMissing, ImagePython
from sm_remote.service.engines.interpreter import is_local_image, read_interpreter
from sm_remote.wire.launch import LOADER, build_switch

_ASK = """\
import importlib.metadata, json, platform
packages = {}
for one in importlib.metadata.distributions():
    name = one.metadata["Name"]
    if name and one.version:
        packages.setdefault(name, one.version)
known = set(sys.stdlib_module_names if sys.version_info > (3, 10) else ())
places = [*sys.path, *os.environ.get("PYTHONPATH", "").split(os.pathsep), os.getcwd()]
modules = set()
for place in filter(os.path.isdir, places):
    names = {name.partition(".")[0] for name in os.listdir(place)}
    modules |= {name for name in names - known if name.isidentifier()}
library, glibc = platform.libc_ver()
facts = {"version": platform.python_version(), "machine": platform.machine(), "packages": packages}
facts["glibc"] = glibc if library == "glibc" else ""
print(json.dumps({**facts, "modules": sorted(modules)}))
"""
_TROUBLE = "sm_remote: "
_OPENING = f"""\
import os, sys
def refuse(text):
    print({_TROUBLE!r} + text)
    sys.exit(1)
"""
_MACHINES = {"amd64": "x86_64", "arm64": "aarch64"}
_ROOT = ("", "0", "root", "0:0", "root:root", "0:root", "root:0")


class DockerImages:
    """Makes images available, each once however many jobs ask at the same time.

    Args:
        client: Connected to the daemon.
        home: Where interpreters of local images are recorded.

    Attributes:
        builds: Makes images from what clients wrote down.
    """

    def __init__(self, client: docker.APIClient, home: Home) -> None:
        self._api: Any = client  # the stubs leave out half of the low-level calls
        self._home = home
        self._guard = threading.Lock()
        self._locks: dict[str, threading.Lock] = {}
        self._pythons: dict[tuple[str, str | None], ImagePython] = {}
        self.builds = DockerBuilds(client, home)

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
            elif found is None and is_built_image(image):
                self.builds.build(image, say, lambda base: self.prepare(base, say))
            elif found is None:
                self._pull(image, say)

    def has_own_user(self, image: str) -> bool:
        """Whether the image runs as somebody who is not root."""
        found = self._inspect(image)
        return found is not None and found["Config"].get("User", "") not in _ROOT

    def inspect_python(self, image: str, conda_env: str | None = None) -> ImagePython:
        """Asks the Python that would run a job, once for each image that the name has stood for."""
        found = self._inspect(image)
        if found is None:
            raise ImageMissing(f"the image {image} is not here")
        key = (str(found["Id"]), conda_env)
        with self._lock(image):
            if key not in self._pythons:
                self._pythons[key] = self._recall_or_ask(image, found, conda_env)
            return self._pythons[key]

    def _recall_or_ask(self, image: str, found: dict[str, Any], conda_env: str | None) -> ImagePython:
        """What an image has never changes: it is asked once for each digest, by whatever service."""
        folder = self._home.cache / "image-contents"
        note = folder / f"{found['Id'].replace(':', '-')}{f'.{conda_env}' if conda_env else ''}.json"
        try:
            return ImagePython(**json.loads(note.read_text()))
        except (OSError, ValueError, TypeError):
            answer = self._ask_python(image, found, conda_env)
        if answer.version is not None:
            make_private(note.parent)
            write_private(note, json.dumps(asdict(answer)))
        return answer

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

    def _ask_python(self, image: str, found: dict[str, Any], conda_env: str | None) -> ImagePython:
        machine = found.get("Architecture", "")
        missing = ImagePython(version=None, platform=f"linux/{_MACHINES.get(machine, machine)}")
        lines = f"{_OPENING}{build_switch(conda_env)}\n{_ASK}".splitlines()
        request = {
            "Image": image,
            "Entrypoint": ["python3", "-I", "-c", LOADER, str(len(lines)), *lines],
            "HostConfig": {"NetworkMode": "none", "CapDrop": ["ALL"], "SecurityOpt": ["no-new-privileges"]},
        }
        identity = self._api.create_container_from_config(request)["Id"]
        try:
            self._api.start(identity)
            code = self._api.wait(identity, timeout=60)["StatusCode"]
            last = self._api.logs(identity, stdout=True, stderr=False).decode("utf-8", "replace").splitlines()[-1]
            if code != 0:
                is_told = last.startswith(_TROUBLE)
                return replace(missing, trouble=last[len(_TROUBLE) :]) if is_told else missing
            facts = json.loads(last)
        except (APIError, ValueError, IndexError):
            return missing  # no such program in the image, or none that answers
        finally:
            with suppress(NotFound):
                self._api.remove_container(identity, force=True, v=True)
        return ImagePython(
            version=facts["version"],
            platform=f"linux/{facts['machine']}",
            glibc=facts["glibc"],
            packages=facts["packages"],
            modules=tuple(facts["modules"]),
            digest=_find_digest(found),
        )


def _find_digest(found: dict[str, Any]) -> str:
    """What a registry calls this content, or the daemon where it was never in one."""
    digests = [str(name).rpartition("@")[2] for name in found.get("RepoDigests") or ()]
    return digests[0] if digests else str(found["Id"])
