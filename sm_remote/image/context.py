"""The files of an image's build, its key, and the record that a service builds it from."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import os
import re
import stat
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from sm_remote.errors import ConfigError
from sm_remote.home import Home, make_private, write_private
from sm_remote.image.definition import Apt, AwsBase, Copy, DockerfileBase, Image, Pip, PythonBase, UriBase
from sm_remote.image.dockerfile import (
    BUILD_ARGUMENTS,
    INSTALLER,
    OWN,
    BasePlan,
    apt_folder,
    copy_folder,
    render_dockerfile,
)
from sm_remote.wire.digest import digest_bytes, digest_file

REPOSITORY = "sm-remote-local/image"
KEY_LENGTH = 24
_PROGRAM = Path(__file__).with_name("install_packages.py")


@dataclass(frozen=True, kw_only=True, slots=True)
class BuildRecipe:
    """An image that can be built.

    Attributes:
        description: The image as the caller wrote it.
        dockerfile: Its Dockerfile.
        files: What the Dockerfile copies: bytes, or files of this machine, by name in the build context.
        bases: Images that have to be there before it is built.
        apt: Debian packages that who builds unpacks, by the folder of the build context that they go into.
        key: Names the content of all of it.
    """

    description: str
    dockerfile: str
    files: Mapping[str, Path | bytes]
    bases: tuple[str, ...]
    apt: Mapping[str, tuple[str, ...]]
    key: str

    @property
    def uri(self) -> str:
        """What the built image is called on this machine."""
        return f"{REPOSITORY}:{self.key}"


def build_recipe(image: Image, *, local_base: str | None, has_uv: bool, has_apt: bool) -> BuildRecipe:
    """Gathers what an image is built from.

    Args:
        image: The image.
        local_base: The image of this process's own interpreter, where it fits `Image.python`.
        has_uv: Whether this machine's uv runs in a Linux container.
        has_apt: Whether this machine can unpack Debian packages.

    Raises:
        ConfigError: A file that it copies, or its Dockerfile, is not there.
    """
    base = plan_base(image, local_base=local_base, has_uv=has_uv, has_apt=has_apt)
    dockerfile = render_dockerfile(image, base)
    files = dict(_list_files(image))
    return BuildRecipe(
        description=str(image),
        dockerfile=dockerfile,
        files=files,
        bases=base.images,
        apt=_list_apt(image) if base.unpacks_apt else {},
        key=compute_key(dockerfile, _digest_files(files)),
    )


def _list_apt(image: Image) -> dict[str, tuple[str, ...]]:
    return {apt_folder(number): step.packages for number, step in enumerate(image.steps) if isinstance(step, Apt)}


def plan_base(image: Image, *, local_base: str | None, has_uv: bool, has_apt: bool) -> BasePlan:
    """Decides what an image starts from on this machine.

    Raises:
        ConfigError: It starts from one of AWS's, and which one was not decided yet.
    """
    base = image.base
    if isinstance(base, AwsBase):
        raise ConfigError(
            f"Which image {image} starts from is decided by region and instance type, which are not known here.",
            fix="Give it as image_uri of a call, or build it from the URI that `sm-remote image list --aws` shows.",
        )
    if isinstance(base, DockerfileBase):
        text = _read_dockerfile(base)
        # The service makes these itself; all others are pulled by the build.
        ours = tuple(re.findall(r"^FROM\s+(sm-remote-local/python:\S+)", text, re.MULTILINE | re.IGNORECASE))
        return BasePlan(images=ours, opening=text, has_stages=False, uses_uv=False, unpacks_apt=False)
    if isinstance(base, UriBase):
        return _start_from(base.uri, uses_uv=False, unpacks_apt=False)
    wants_apt = any(isinstance(step, Apt) for step in image.steps)
    if local_base is not None and (has_apt or not wants_apt):
        return _start_from(local_base, uses_uv=has_uv, unpacks_apt=True)
    return _start_from(f"python:{base.minor}-slim", uses_uv=has_uv, unpacks_apt=False)


def _start_from(uri: str, *, uses_uv: bool, unpacks_apt: bool) -> BasePlan:
    return BasePlan(images=(uri,), opening=f"FROM {uri}", has_stages=True, uses_uv=uses_uv, unpacks_apt=unpacks_apt)


def starts_from(image: Image, minor: str) -> bool:
    """Whether an image is a bare Python of a minor version."""
    return isinstance(image.base, PythonBase) and image.base.minor == minor


def compute_key(dockerfile: str, digests: Mapping[str, str]) -> str:
    """The key of an image's content: equal for equal files and steps, wherever the files lie."""
    content = json.dumps({"dockerfile": dockerfile, "files": dict(digests)}, sort_keys=True)
    return hashlib.sha256(b"sm_remote/image/v1\n" + content.encode()).hexdigest()[:KEY_LENGTH]


def _digest_files(files: Mapping[str, Path | bytes]) -> dict[str, str]:
    digests = {}
    for name, source in files.items():
        if isinstance(source, bytes):
            digests[name] = digest_bytes(source)
        elif source.is_symlink():
            digests[name] = f"link {os.readlink(source)}"
        else:
            status = source.stat()
            version = (status.st_mtime_ns, status.st_size, status.st_ino)
            digests[name] = f"{_is_program(source):d} {_digest_version(source, version)}"
    return digests


@functools.lru_cache(maxsize=100_000)
def _digest_version(path: Path, version: tuple[int, int, int]) -> str:
    """The digest of a file, worked out once for each of its versions: each call asks for its image's key."""
    return digest_file(path)


def _is_program(path: Path) -> bool:
    return bool(path.stat().st_mode & stat.S_IXUSR)


def _read_dockerfile(base: DockerfileBase) -> str:
    try:
        return base.path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(
            f"The Dockerfile {base.path} cannot be read.", why=f"{error}.", fix="Correct the path."
        ) from error


def _list_files(image: Image) -> Iterator[tuple[str, Path | bytes]]:
    if any(isinstance(step, Pip) for step in image.steps):
        yield INSTALLER, _PROGRAM.read_bytes()
    if isinstance(image.base, DockerfileBase):
        yield from list_context(image.base.context)
    for number, step in enumerate(image.steps):
        if isinstance(step, Copy):
            yield from _list_copied(step, copy_folder(number))


def _list_copied(step: Copy, folder: str) -> Iterator[tuple[str, Path]]:
    if step.name is None and step.source.is_dir():
        for path in _walk(step.source):
            yield f"{folder}/{path.relative_to(step.source).as_posix()}", path
    elif step.name is not None and step.source.is_file():
        yield f"{folder}/{step.name}", step.source
    else:
        raise ConfigError(
            f"The image copies {step.source}, which is not there.",
            why="It is neither a file nor a directory.",
            fix=f"Correct .copy({str(step.source)!r}, ...); a relative path is taken from the working directory.",
        )


def list_context(directory: Path) -> Iterator[tuple[str, Path]]:
    """The files of a build context, without those that its .dockerignore names.

    Raises:
        ConfigError: There is no such directory.
    """
    if not directory.is_dir():
        raise ConfigError(
            f"The build context {directory} is not a directory.", fix="Correct Image.from_dockerfile(..., context=...)."
        )
    try:
        rules = read_rules((directory / ".dockerignore").read_text().splitlines())
    except FileNotFoundError:
        rules = []
    for path in _walk(directory):
        name = path.relative_to(directory).as_posix()
        # The daemon would read .dockerignore again, and leave out our own files by it.
        if name != ".dockerignore" and not is_ignored(name, rules) and not name.startswith(f"{OWN}/"):
            yield name, path


def _walk(directory: Path) -> Iterator[Path]:
    for folder, names, files in os.walk(directory):
        names.sort()
        links = [name for name in names if os.path.islink(os.path.join(folder, name))]
        for name in sorted([*files, *links]):
            path = Path(folder, name)
            if path.is_symlink() or path.is_file():
                yield path


Rule = tuple[bool, re.Pattern[str]]


def read_rules(lines: Iterable[str]) -> list[Rule]:
    """Reads the lines of a .dockerignore: whether each leaves out, and what it matches.

    Source: Docker documentation, "Build context", .dockerignore files.
    """
    rules = []
    for line in lines:
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        leaves_out = not text.startswith("!")
        pattern = str(PurePosixPath(text.lstrip("!").strip())).strip("/")
        rules.append((leaves_out, re.compile(_translate(pattern) + r"(?:/.*)?")))
    return rules


def _translate(pattern: str) -> str:
    regex = ""
    for part in re.findall(r"\*\*/?|\*|\?|\[[^\]]+\]|[^*?\[]+|\[", pattern):
        if part.startswith("**"):
            regex += "(?:.*/)?" if part.endswith("/") else ".*"
        elif part in ("*", "?"):
            regex += "[^/]*" if part == "*" else "[^/]"
        else:
            regex += part if part.startswith("[") and len(part) > 1 else re.escape(part)
    return regex


def is_ignored(name: str, rules: Iterable[Rule]) -> bool:
    """Whether a file is left out: the last rule that matches it decides."""
    ignored = False
    for leaves_out, pattern in rules:
        if pattern.fullmatch(name):
            ignored = leaves_out
    return ignored


def record_image(home: Home, recipe: BuildRecipe) -> Path:
    """Writes down what the service builds the image from, once for each content; gives the record's directory."""
    directory = home.images / recipe.key
    record = directory / "image.json"
    if not record.exists():
        make_private(home.images)
        make_private(directory)
        descriptor, name = tempfile.mkstemp(prefix=".context-", dir=directory)
        temporary = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as file, tarfile.open(fileobj=file, mode="w") as tar:
                for name, source in sorted(recipe.files.items()):
                    _add(tar, name, source)
            temporary.replace(directory / "context.tar")
        finally:
            temporary.unlink(missing_ok=True)
        content = {
            "format": 1,
            "description": recipe.description,
            "dockerfile": recipe.dockerfile,
            "bases": list(recipe.bases),
            "apt": {folder: list(packages) for folder, packages in recipe.apt.items()},
            "arguments": list(BUILD_ARGUMENTS),
        }
        write_private(record, json.dumps(content, indent=1))
    return directory


def _add(tar: tarfile.TarFile, name: str, source: Path | bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.mode = 0o644
    if isinstance(source, bytes):
        entry.size = len(source)
        tar.addfile(entry, io.BytesIO(source))
    elif source.is_symlink():
        entry.type, entry.linkname = tarfile.SYMTYPE, os.readlink(source)
        tar.addfile(entry)
    else:
        entry.mode = 0o755 if _is_program(source) else 0o644
        entry.size = source.stat().st_size
        with source.open("rb") as file:
            tar.addfile(entry, file)
