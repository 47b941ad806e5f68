"""The Python that runs this process, written down so that the local service can make an image of it.

Where that Python cannot run in a Linux container (macOS), the official image of the same minor version takes its place.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
import sysconfig
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sm_remote.home import Home
from sm_remote.interpreter import InterpreterRecord, write_record


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetPython:
    """The Python that will run the job.

    Attributes:
        version: Such as ``3.11`` or ``3.11.7``.
        same_as_host: Whether it is this process's own interpreter, so that packages installed for that one fit.
        machine: Its processor, such as ``x86_64``; None where it is not known.
        glibc: Its C library's version; None where it is not known.
        installed: What the job's image has, version by normalised name; None where that is not known.
        modules: The top-level modules that its Python would find besides the standard library, of packages or not; None
            where that is not known.
        asked: The packages that the caller has named for the image, each with the requirement, by normalised name.
        knows_all: Whether `installed` is all that the image has, not only what its name says.
        image: The image's name, for messages.
        has_gpu: Whether the job's machine has a GPU; None where that is not known.
        can_install: Whether the job has a network over which it could install something itself.
        digest: The image's, where it is known.
    """

    version: str
    same_as_host: bool
    machine: str | None = None
    glibc: tuple[int, int] | None = None
    installed: Mapping[str, str] | None = None
    modules: frozenset[str] | None = None
    asked: Mapping[str, str] = field(default_factory=dict)
    knows_all: bool = True
    image: str = ""
    has_gpu: bool | None = None
    can_install: bool = True
    digest: str = ""

    @property
    def minor(self) -> str:
        """Such as ``3.11``."""
        return ".".join(self.version.split(".")[:2])


@functools.cache
def describe_interpreter() -> InterpreterRecord:
    """Describes the Python that runs this process."""
    base = getattr(sys, "_base_executable", None) or sys.executable
    return InterpreterRecord(
        executable=os.path.realpath(base or os.path.join(sys.base_prefix, "bin", "python3")),
        base_prefix=sys.base_prefix,
        version=platform.python_version(),
        soabi=sysconfig.get_config_var("SOABI") or sys.implementation.cache_tag or "",
        platform=sysconfig.get_platform(),
    )


def runs_in_containers(interpreter: InterpreterRecord) -> bool:
    """Whether this machine's Python can itself run in a Linux container."""
    return interpreter.platform.startswith("linux")


def local_image_uri(interpreter: InterpreterRecord) -> str:
    """Names the image in which local jobs run when no other is asked for."""
    if not runs_in_containers(interpreter):
        major, minor = interpreter.version.split(".")[:2]
        return f"python:{major}.{minor}-slim"
    return interpreter.image


def register_interpreter(home: Home, interpreter: InterpreterRecord) -> Path | None:
    """Writes the record from which the service makes the image, once.

    Returns:
        The record's file; None where the official image is used instead.
    """
    return write_record(home, interpreter) if runs_in_containers(interpreter) else None
