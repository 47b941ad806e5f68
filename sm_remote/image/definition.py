"""What an image is made of: a base and steps, each a value. Nothing here reads a file or talks to anybody."""

from __future__ import annotations

import dataclasses
import os
import re
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

from sm_remote.catalogue import list_frameworks, spell_request
from sm_remote.errors import ConfigError
from sm_remote.runtime.api import rebuild_image

_MINOR = re.compile(r"3\.\d{1,2}")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PASSWORD = re.compile(r"(\w+://)[^/\s@]+@")
_APT_NAME = re.compile(r"[a-z0-9][a-z0-9+.\-]*(?::[a-z0-9\-]+)?(?:=[A-Za-z0-9.+:~\-]+)?")


@dataclass(frozen=True, kw_only=True, slots=True)
class PythonBase:
    """A bare Python, such as ``3.11``."""

    minor: str


@dataclass(frozen=True, kw_only=True, slots=True)
class UriBase:
    """An image that exists."""

    uri: str


@dataclass(frozen=True, kw_only=True, slots=True)
class AwsBase:
    """An image that AWS keeps; which one it is, region and instance type decide."""

    framework: str
    version: str | None
    python: str | None


@dataclass(frozen=True, kw_only=True, slots=True)
class DockerfileBase:
    """A Dockerfile, and the directory that its COPY lines read."""

    path: Path
    context: Path


@dataclass(frozen=True, kw_only=True, slots=True)
class Apt:
    """Debian packages to install."""

    packages: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Pip:
    """Python packages to install."""

    requirements: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Run:
    """A command for the image's shell."""

    command: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Env:
    """Environment variables."""

    variables: tuple[tuple[str, str], ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Copy:
    """A file or a directory of this machine, and where it goes.

    Attributes:
        source: The file, or the directory whose content is meant.
        folder: The directory of the image into which it goes.
        name: What a file is called there; None for a directory's content.
    """

    source: Path
    folder: str
    name: str | None


Flat = tuple[str, tuple[tuple[str, Any], ...]]
Base = PythonBase | UriBase | AwsBase | DockerfileBase
Step = Apt | Pip | Run | Env | Copy


@dataclass(frozen=True, kw_only=True, slots=True)
class Image:
    """A container image as a value: ``Image.python("3.11").apt("ffmpeg").pip("torch")``.

    Each method returns another image; none builds one. `image_uri` takes it, and the local engine builds it when the
    first job needs it, once for each content.

    Attributes:
        base: What it starts from.
        steps: What is added, in order.
    """

    base: Base
    steps: tuple[Step, ...] = ()

    @classmethod
    def python(cls, minor: str) -> Image:
        """A bare Python.

        Where this process runs the same minor version on Linux, it is the image that is made of this very
        interpreter; elsewhere the official ``python:<minor>-slim``.

        Args:
            minor: Such as ``"3.11"``.
        """
        if not isinstance(minor, str) or not _MINOR.fullmatch(minor):
            raise _refuse(f"Image.python({minor!r})", "It is no minor version of Python.", 'Give one such as "3.11".')
        return cls(base=PythonBase(minor=minor))

    @classmethod
    def from_uri(cls, uri: str) -> Image:
        """An image that exists, to add steps to."""
        if not isinstance(uri, str) or not re.fullmatch(r"\S{1,255}", uri):
            raise _refuse(f"Image.from_uri({uri!r})", "It is no image's URI.", "Give '<repository>:<tag>'.")
        return cls(base=UriBase(uri=uri))

    @classmethod
    def aws(cls, framework: str, version: str | None = None, *, python: str | None = None) -> Image:
        """An image that AWS keeps for training: ``Image.aws("pytorch", "2.5")``.

        The job's region decides which account's it is, its instance type whether it is the one for CPUs or GPUs.
        `sm-remote image list --aws` lists them.

        Args:
            framework: ``"pytorch"``, ``"tensorflow"``, ``"huggingface"``, ``"autogluon"`` or ``"base-python"``.
            version: Of the framework (of transformers for huggingface), whole or its beginning; by default the newest
                that has this process's Python.
            python: Minor version, such as ``"3.11"``, where a version comes with several.
        """
        if framework not in list_frameworks():
            why = f"AWS keeps images of {', '.join(list_frameworks())}."
            raise _refuse(f"Image.aws({framework!r})", why, "Name one of these, or the image by its URI.")
        if version is not None and (not isinstance(version, str) or not re.fullmatch(r"\d+(\.\d+)*", version)):
            why = "A version is a text such as '2.5' or '2.5.1'."
            raise _refuse(f"Image.aws({framework!r}, {version!r})", why, "Correct it.")
        if python is not None and (not isinstance(python, str) or not _MINOR.fullmatch(python)):
            raise _refuse(f"Image.aws(..., python={python!r})", "It is no minor version of Python.", "Give '3.11'.")
        return cls(base=AwsBase(framework=framework, version=version, python=python))

    @classmethod
    def from_dockerfile(cls, path: str | os.PathLike[str], context: str | os.PathLike[str] | None = None) -> Image:
        """The image of a Dockerfile.

        Args:
            path: The Dockerfile.
            context: The directory that its COPY lines read; by default the one that it lies in.
        """
        file = Path(path).expanduser().absolute()
        directory = file.parent if context is None else Path(context).expanduser().absolute()
        return cls(base=DockerfileBase(path=file, context=directory))

    def apt(self, *packages: str) -> Image:
        """Installs Debian packages: ``.apt("ffmpeg", "git")``."""
        for name in packages:
            if not isinstance(name, str) or not _APT_NAME.fullmatch(name):
                raise _refuse(f".apt({name!r})", "It is no name of a Debian package.", 'Give one such as "ffmpeg".')
        return self._add(Apt(packages=packages)) if packages else self

    def pip(self, *requirements: str) -> Image:
        """Installs Python packages: ``.pip("torch==2.5.1", "numpy")``."""
        for text in requirements:
            if not isinstance(text, str) or not text.strip() or "\n" in text or text.startswith("-"):
                raise _refuse(f".pip({text!r})", "It is no requirement.", 'Give requirements such as "numpy>=2".')
        return self._add(Pip(requirements=requirements)) if requirements else self

    def run(self, command: str) -> Image:
        """Runs a shell command while the image is built."""
        if not isinstance(command, str) or not command.strip() or "\0" in command:
            raise _refuse(f".run({command!r})", "It is no command.", 'Give one such as "ldconfig".')
        return self._add(Run(command=command))

    def env(self, **variables: str) -> Image:
        """Sets environment variables, for the steps that follow and for jobs."""
        for name, value in variables.items():
            if not _VARIABLE.fullmatch(name) or not isinstance(value, (str, int, float)) or "\n" in str(value):
                why = "Names are letters, digits and _; values are texts of one line."
                raise _refuse(f".env({name}=...)", why, "Correct it.")
        return self._add(Env(variables=tuple((name, str(value)) for name, value in variables.items())))

    def copy(self, path: str | os.PathLike[str], target: str) -> Image:
        """Copies a file or a directory of this machine into the image.

        Args:
            path: The file, or the directory whose content is copied.
            target: Where it goes, an absolute path: a directory, or the new path of a file (a directory for it, where
                it ends with a slash).
        """
        if not isinstance(target, str) or not target.startswith("/") or ".." in PurePosixPath(target).parts:
            raise _refuse(
                f".copy(..., {target!r})", "The target is not an absolute path.", 'Give one such as "/opt/x".'
            )
        source = Path(path).expanduser().absolute()
        if source.is_dir():
            return self._add(Copy(source=source, folder=target, name=None))
        folder, _, name = target.rpartition("/")
        return self._add(Copy(source=source, folder=folder or "/", name=name or source.name))

    def _add(self, step: Step) -> Image:
        return replace(self, steps=(*self.steps, step))

    def __reduce__(self) -> tuple[Any, ...]:
        # A function may refer to its image: in a job, where this module is not, it becomes a stand-in.
        return rebuild_image, (_flatten(self.base), tuple(map(_flatten, self.steps)))

    def __str__(self) -> str:
        text = "".join((_spell_base(self.base), *map(_spell_step, self.steps)))
        return _PASSWORD.sub(r"\1***@", text)


def restore_image(base: Flat, steps: tuple[Flat, ...]) -> Image:
    """The image that was pickled as these plain values."""
    kinds = {kind.__name__: kind for kind in (PythonBase, UriBase, AwsBase, DockerfileBase, Apt, Pip, Run, Env, Copy)}
    made: list[Any] = [
        kinds[name](**{key: _unflatten(value) for key, value in fields}) for name, fields in (base, *steps)
    ]
    return Image(base=made[0], steps=tuple(made[1:]))


def _flatten(part: Base | Step) -> Flat:
    values = {field.name: getattr(part, field.name) for field in dataclasses.fields(part)}
    fields = {key: ["path", str(value)] if isinstance(value, Path) else value for key, value in values.items()}
    return type(part).__name__, tuple(fields.items())


def _unflatten(value: Any) -> Any:
    return Path(value[1]) if isinstance(value, list) else value


def _spell_base(base: Base) -> str:
    if isinstance(base, PythonBase):
        return f"Image.python({base.minor!r})"
    if isinstance(base, UriBase):
        return f"Image.from_uri({base.uri!r})"
    if isinstance(base, AwsBase):
        return spell_request(base.framework, base.version, base.python)
    return f"Image.from_dockerfile({str(base.path)!r})"


def _spell_step(step: Step) -> str:
    if isinstance(step, Apt):
        return f".apt({', '.join(map(repr, step.packages))})"
    if isinstance(step, Pip):
        return f".pip({', '.join(map(repr, step.requirements))})"
    if isinstance(step, Run):
        return f".run({step.command!r})"
    if isinstance(step, Env):
        # A value may be a secret.
        return f".env({', '.join(f'{name}=...' for name, _ in step.variables)})"
    target = step.folder if step.name is None else f"{step.folder.rstrip('/')}/{step.name}"
    return f".copy({str(step.source)!r}, {target!r})"


def _refuse(what: str, why: str, fix: str) -> ConfigError:
    return ConfigError(f"{what} cannot be a part of an image.", why=why, fix=fix)
