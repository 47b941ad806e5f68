"""Starts containers for tests of engines, and removes them."""

from __future__ import annotations

import itertools
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from sm_remote.capture.interpreter import describe_interpreter, local_image_uri, register_interpreter
from sm_remote.home import Home
from sm_remote.service.engines.engine import ContainerExit, ContainerSpec, Engine, Mount

_numbers = itertools.count(1)
MIB = 1 << 20


def record_interpreter(home: Home) -> str:
    """Writes down the Python that runs the tests, as a client does; gives the image that stands for it."""
    interpreter = describe_interpreter()
    register_interpreter(home, interpreter)
    return local_image_uri(interpreter)


class Bench:
    """One engine with what it needs: an image, directories, and a name for each container."""

    def __init__(self, engine: Engine, home: Home, directory: Path) -> None:
        self.engine = engine
        self._home = home
        self.instance = f"tests-{os.getpid()}-{next(_numbers)}"
        self.image = record_interpreter(home)
        self.directory = directory
        self.started: list[str] = []

    def spec(
        self,
        code: str = "",
        *,
        mounts: Sequence[Mount] = (),
        environment: Mapping[str, str] | None = None,
        name: str = "",
        image: str = "",
        entrypoint: Sequence[str] = ("python3", "-u", "-c"),
        network: bool = False,
        memory_bytes: int | None = 512 * MIB,
    ) -> ContainerSpec:
        """Describes a container that runs some Python."""
        name = name or f"smr-{self.instance}-{next(_numbers)}-a1-algo-1"
        scratch = self.directory / name / "scratch"
        scratch.mkdir(parents=True, exist_ok=True)
        return ContainerSpec(
            name=name,
            image=image or self.image,
            entrypoint=entrypoint,
            arguments=(code,) if code else (),
            environment=environment or {},
            mounts=mounts,
            cpus=1,
            memory_bytes=memory_bytes,
            network=network,
            scratch=scratch,
            labels={"sm_remote.instance": self.instance, "sm_remote.job": name, "sm_remote.attempt": "1"},
        )

    def start(self, spec: ContainerSpec) -> str:
        """Starts a container; it is removed after the test."""
        self.engine.prepare_image(spec.image, lambda _: None)
        self.started.append(spec.name)
        self.engine.start(spec)
        return spec.name

    def run(self, spec: ContainerSpec) -> tuple[list[bytes], ContainerExit]:
        """Runs a container to its end."""
        name = self.start(spec)
        lines = [line for _, line in self.engine.read_lines(name)]
        return lines, self.engine.wait(name)

    def mount(self, name: str, *, read_only: bool = False) -> Mount:
        """A directory of this test, mounted at /opt/ml/<name>."""
        source = self.directory / "mounts" / name
        source.mkdir(parents=True, exist_ok=True)
        return Mount(source=source, target=f"/opt/ml/{name}", read_only=read_only)

    def close(self) -> None:
        """Removes every container that was started."""
        for name in self.started:
            with suppress(Exception):
                self.engine.remove(name)
