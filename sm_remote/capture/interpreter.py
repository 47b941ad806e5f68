"""The Python that runs this process, written down so that the local service can make an image of it.

Where that Python cannot run in a Linux container (macOS), the official image of the same minor version takes its place.
"""

from __future__ import annotations

import functools
import os
import platform
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from sm_remote.home import Home
from sm_remote.interpreter import InterpreterRecord, write_record


@dataclass(frozen=True, kw_only=True, slots=True)
class TargetPython:
    """The Python that will run the job.

    Attributes:
        version: Such as ``3.11`` or ``3.11.7``.
        same_as_host: Whether it is this process's own interpreter, so that packages installed for that one fit.
        platform: As uv names it, where it is another than this machine's: ``x86_64-manylinux_2_28``.
    """

    version: str
    same_as_host: bool
    platform: str | None = None

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
