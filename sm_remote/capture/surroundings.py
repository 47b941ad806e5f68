"""What a job will have besides the standard library: its packages, modules, variables and image."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from sm_remote.capture.interpreter import TargetPython, describe_interpreter, runs_in_containers


@dataclass(frozen=True, kw_only=True, slots=True)
class Surroundings:
    """What a job will have besides the standard library.

    Attributes:
        python: Its Python.
        runtime: The zip that runs it.
        layer: The directory of its packages; None where it has none.
        layer_key: Names that.
        sources: The zip of the user's own modules; empty where there are none.
        workdir_names: What lies at the top of the working directory that travels.
        environment: Its environment variables.
        may_install: Whether it runs commands first, which may install anything.
    """

    python: TargetPython
    runtime: bytes
    layer: Path | None = None
    layer_key: str | None = None
    sources: bytes = b""
    workdir_names: frozenset[str] = frozenset()
    environment: Mapping[str, str] = field(default_factory=dict)
    may_install: bool = False

    @property
    def run_this_python(self) -> bool:
        """Whether an interpreter here has all that the job's has: its image has no packages of its own."""
        python = self.python
        return python.same_as_host and not python.installed and runs_in_containers(describe_interpreter())

    @property
    def elsewhere(self) -> frozenset[str]:
        """Top-level modules that the job may have from places which no list of packages tells of."""
        return self.workdir_names | (self.python.modules or frozenset())
