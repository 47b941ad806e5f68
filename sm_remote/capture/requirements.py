"""Packages to install by name, and for which Python they are meant. Where they are from, `dependencies` reads."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from sm_remote.capture.credentials import redact
from sm_remote.errors import ConfigError


@dataclass(frozen=True, kw_only=True, slots=True)
class Requirements:
    """Packages to install by name.

    Attributes:
        lines: Each a requirement, as pip takes it; may hold credentials, so people are shown `shown`.
        options: Lines of options as in a requirements file: ``--index-url https://...``.
        requires_python: Which Python they are meant for, as a version specifier; empty for any.
        origin: Where they are from, for messages.
        directory: Against which relative paths are meant.
    """

    lines: tuple[str, ...]
    options: tuple[str, ...] = ()
    requires_python: str = ""
    origin: str = "dependencies=[...]"
    directory: Path = field(default_factory=Path.cwd)

    @property
    def text(self) -> str:
        """Everything that decides what gets installed, as a requirements file."""
        return "\n".join([*self.options, *self.lines])

    @property
    def shown(self) -> tuple[str, ...]:
        """The lines without credentials."""
        return tuple(redact(line) for line in self.lines)

    def __str__(self) -> str:
        return self.origin  # the lines may hold credentials


def check_python(requirements: Requirements, python: str) -> None:
    """Refuses requirements that are meant for another Python than the job's.

    Args:
        requirements: To be installed.
        python: The job's Python, such as ``3.11.7``.

    Raises:
        ConfigError: They are, or what they say of Python cannot be read.
    """
    if not requirements.requires_python:
        return
    from packaging.specifiers import InvalidSpecifier, SpecifierSet

    try:
        fits = SpecifierSet(requirements.requires_python).contains(python, prereleases=True)
    except InvalidSpecifier as error:
        raise ConfigError(
            f"{requirements.origin} asks for Python {requirements.requires_python!r}, which cannot be read.",
            why=str(error),
            fix='Write it like ">=3.10".',
        ) from error
    if not fits:
        raise ConfigError(
            f"{requirements.origin} is for Python {requirements.requires_python}; the job has Python {python}.",
            why="Its packages may not exist for that Python. Nothing was sent.",
            fix="Run this process, and so the job, on a Python that fits, or change requires-python.",
            python=python,
        )
