"""Builds images through the Docker daemon's classic builder: what every daemon has, without a program beside it."""

from __future__ import annotations

import io
import json
import os
import re
import shutil
import ssl
import tarfile
import tempfile
from collections import deque
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, ImageNotFound
from docker.utils import parse_repository_tag

from sm_remote.home import Home, make_private
from sm_remote.service.engines.built_images import (
    BUILT_REPOSITORY,
    ImageBuildError,
    ImageRecord,
    hide_passwords,
    is_built_image,
    read_image_record,
)
from sm_remote.service.engines.docker.apt_packages import unpack_packages
from sm_remote.service.engines.engine import BuiltImage, EngineError

DOCKERFILE = ".sm_remote/Dockerfile"
_PROGRAMS = ".sm_remote/tools/bin"
_KEY_LABEL = "sm_remote.image"
_DESCRIPTION_LABEL = "sm_remote.image.description"
_TAIL_LINES = 30
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY")
_NO_NETWORK = re.compile(
    r"dns error|failed to lookup|Temporary failure|Could not resolve|[Nn]etwork is unreachable|Could not connect"
    r"|Connection refused|client error \(Connect\)|tcp connect error|Failed to establish a new connection"
    r"|dial tcp|no such host|i/o timeout|Connection timed out"
)
_VARIABLE = re.compile(r"^(Step \d+/\d+ : ENV \w+)=.*")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class DockerBuilds:
    """See `sm_remote.service.engines.built_images.BuiltImages`.

    Args:
        client: Connected to the daemon.
        home: Where images are recorded.
        environ: Says where packages come from.
    """

    def __init__(self, client: docker.APIClient, home: Home, environ: Mapping[str, str] | None = None) -> None:
        self._api: Any = client  # the stubs leave out half of the low-level calls
        self._home = home
        self._environ = os.environ if environ is None else environ

    def build(self, image: str, say: Callable[[str], None], prepare: Callable[[str], None]) -> None:
        """Builds an image from its record.

        Args:
            image: ``sm-remote-local/image:<key>``.
            say: Told each line of the build's log.
            prepare: Makes an image available that it starts from.

        Raises:
            ImageMissing: It is not recorded, or a base cannot be had.
            ImageBuildError: A step failed.
        """
        record = read_image_record(self._home, image)
        say = _without_passwords(say)
        for base in record.bases:
            prepare(base)
        say(f"Building the image {image}: {record.description}")
        make_private(self._home.cache)
        with tempfile.TemporaryDirectory(prefix="image-", dir=self._home.cache) as scratch:
            archive = self._complete_context(record, Path(scratch), say)
            with archive.open("rb") as context:
                self._send(image, record, context, say)

    def _complete_context(self, record: ImageRecord, scratch: Path, say: Callable[[str], None]) -> Path:
        """Adds to the recorded files what this machine brings to the build."""
        archive = scratch / "context.tar"
        shutil.copyfile(record.context, archive)
        with tarfile.open(archive, "a") as tar:
            _add_text(tar, DOCKERFILE, record.dockerfile)
            if f"{_PROGRAMS}/" in record.dockerfile:
                tar.add(_find_uv(), f"{_PROGRAMS}/uv")
                if (certificates := ssl.get_default_verify_paths().cafile) is not None:
                    _add_text(tar, f"{_PROGRAMS}/ca-certificates.crt", Path(certificates).read_text())
            for folder, packages in record.apt.items():
                tree = scratch / Path(folder).name
                unpack_packages(packages, tree, cache=self._home.cache / "apt", say=say)
                tar.add(tree, folder)
        return archive

    def _send(self, image: str, record: ImageRecord, context: Any, say: Callable[[str], None]) -> None:
        answers = self._api.build(
            fileobj=context,
            custom_context=True,
            dockerfile=DOCKERFILE,
            tag=image,
            rm=True,
            forcerm=True,
            decode=True,
            timeout=None,  # a step may be silent for long
            labels={_KEY_LABEL: record.key, _DESCRIPTION_LABEL: record.description},
            buildargs=self._find_arguments(record),
        )
        log = BuildLog(say)
        for answer in answers:
            log.take(answer)
        if log.error:
            raise explain_failure(image, log)

    def _find_arguments(self, record: ImageRecord) -> dict[str, str]:
        names = (*record.arguments, *_PROXIES, *map(str.lower, _PROXIES))
        return {name: self._environ[name] for name in names if self._environ.get(name)}

    def list_images(self) -> list[BuiltImage]:
        """See the protocol."""
        found = []
        for item in self._api.images(name=BUILT_REPOSITORY):
            labels = item.get("Labels") or {}
            for tag in filter(is_built_image, item.get("RepoTags") or ()):
                built = BuiltImage(
                    uri=tag,
                    description=labels.get(_DESCRIPTION_LABEL, ""),
                    created=str(item["Created"]),
                    size_bytes=int(item["Size"]),
                )
                found.append(built)
        return sorted(found, key=lambda one: (-int(one.created), one.uri))

    def remove_image(self, uri: str) -> None:
        """See the protocol."""
        try:
            self._api.remove_image(uri)
        except ImageNotFound:
            return
        except APIError as error:
            raise EngineError(error.explanation or str(error)) from error

    def push_image(self, uri: str, target: str, credentials: Mapping[str, str], say: Callable[[str], None]) -> str:
        """See the protocol."""
        repository, tag = parse_repository_tag(target)
        self._api.tag(uri, repository, tag)
        digest = ""
        try:
            answers = self._api.push(repository, tag=tag, stream=True, decode=True, auth_config=dict(credentials))
            for answer in answers:
                if "error" in answer:
                    raise EngineError(f"{target} was not taken: {answer['error']}")
                digest = (answer.get("aux") or {}).get("Digest", digest)
                if answer.get("status") in ("Pushed", "Layer already exists"):
                    say(f"{answer['status']}: {answer.get('id', '')}")
        finally:
            self._api.remove_image(target, noprune=True)
        return digest


class BuildLog:
    """Puts the pieces of a build's answers together into lines, and remembers what an error needs.

    Attributes:
        step: The line of the Dockerfile that is being carried out.
        error: What the daemon says went wrong; empty while all is well.
        tail: The last lines.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._rest = ""
        self.step = ""
        self.error = ""
        self.tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def take(self, answer: Mapping[str, Any]) -> None:
        """Takes one answer of the daemon."""
        if "error" in answer:
            self._end_line()
            self.error = hide_passwords(str(answer["error"]).strip())
            return
        *lines, self._rest = (self._rest + str(answer.get("stream", ""))).split("\n")
        for line in lines:
            self._take_line(line)

    def _end_line(self) -> None:
        self._take_line(self._rest)
        self._rest = ""

    def _take_line(self, line: str) -> None:
        text = hide_passwords(_COLOURS.sub("", line).rstrip().rpartition("\r")[2])
        text = _VARIABLE.sub(r"\1=...", text)  # its value may be a secret
        if not text or text.startswith((" ---> ", "Removing intermediate")):
            return
        if match := re.match(r"Step \d+/\d+ : (.*)", text):
            self.step = match[1]
            self.tail.clear()
        else:
            self.tail.append(text)
        self._say(text)


def explain_failure(image: str, log: BuildLog) -> ImageBuildError:
    """What failed, in which step, and what to do."""
    tail = tuple(log.tail)
    text = "\n".join((*tail, log.error))
    if log.step.upper().startswith("FROM ") or not log.step:
        fix = "Name an image that this machine has or can pull: is there a network, are you logged in to its registry?"
    elif _NO_NETWORK.search(text):
        fix = "The build could not reach where its packages come from: connect this machine, or name an index that it "
        fix += "reaches (UV_DEFAULT_INDEX, HTTPS_PROXY; read when the local service starts: `sm-remote service stop`)."
    else:
        fix = "Correct that step; the log above is its own."
    return ImageBuildError(f"{image}: {log.error}", fix=fix, step=_shorten_step(log.step), tail=tail)


def _shorten_step(step: str) -> str:
    try:
        words = json.loads(step.removeprefix("RUN "))
    except ValueError:
        words = None
    # A command may be JSON by chance: ``RUN false``.
    return f"RUN {' '.join(map(str, words))}"[:500] if isinstance(words, list) else step[:500]


def _without_passwords(say: Callable[[str], None]) -> Callable[[str], None]:
    return lambda line: say(hide_passwords(line))


def _find_uv() -> str:
    from uv import find_uv_bin

    return os.path.realpath(find_uv_bin())


def _add_text(tar: tarfile.TarFile, name: str, text: str) -> None:
    data = text.encode()
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(data), 0o644
    tar.addfile(entry, io.BytesIO(data))
