"""An engine that starts no container: each is a Python function in a thread, given its spec and a console."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from sm_remote.service.engines.engine import (
    ContainerExit,
    ContainerLost,
    ContainerSpec,
    ContainerUsage,
    EngineError,
    ImageMissing,
    ImagePython,
)


class FakeContainer:
    """What a function that plays a container works with."""

    def __init__(self, spec: ContainerSpec) -> None:
        self.spec = spec
        self.sigterm = threading.Event()
        self.lines: list[tuple[int, bytes]] = []
        self.exit: ContainerExit | None = None
        self.lost = False
        self.changed = threading.Condition()

    def print(self, text: str | bytes) -> None:
        line = text.encode() if isinstance(text, str) else text
        with self.changed:
            self.lines.append((int(time.time() * 1000), line))
            self.changed.notify_all()

    def path(self, target: str) -> Path:
        """Where a path of the container lies on this host."""
        best = max(
            (mount for mount in self.spec.mounts if PurePosixPath(target).is_relative_to(mount.target)),
            key=lambda mount: len(mount.target),
        )
        return best.source / PurePosixPath(target).relative_to(best.target)

    def end(self, ended: ContainerExit | None) -> None:
        """Ends; None for a container that vanishes."""
        with self.changed:
            if self.exit is None and not self.lost:
                self.exit, self.lost = ended, ended is None
            self.changed.notify_all()

    @property
    def has_ended(self) -> bool:
        return self.exit is not None or self.lost


Play = Callable[[FakeContainer], "int | ContainerExit | None"]


def succeed(container: FakeContainer) -> int:
    return 0


class FakeEngine:
    """Plays containers.

    Args:
        play: Called for each container; returns its exit code or `ContainerExit`.
    """

    name = "fake"
    network_interface = "eth0"
    built_images = None

    def __init__(self, play: Play = succeed) -> None:
        self.play = play
        self.containers: dict[str, FakeContainer] = {}
        self.started: queue.SimpleQueue[str] = queue.SimpleQueue()
        self.warm: list[str] = []
        self.starts: list[tuple[str, float]] = []
        self.stops: list[tuple[str, float]] = []
        self.removing: list[str] = []
        self.removed: list[str] = []
        self.removed_networks: list[str] = []
        self.holds_ready = True
        self.standbys: dict[str, ContainerSpec] = {}
        self.images: set[str] | None = None
        self.slow_step: str | None = None
        self.refusal: EngineError | None = None
        self.refused_stops = 0
        self.remove_s = 0.0

    def describe(self) -> str:
        return "runs in the fake engine, which isolates nothing"

    def prepare_image(self, image: str, say: Callable[[str], None]) -> None:
        if self.slow_step:
            say(self.slow_step)
        if self.images is not None and image not in self.images:
            raise ImageMissing(f"pull access denied for {image}")

    def inspect_python(self, image: str, conda_env: str | None = None) -> ImagePython:
        return ImagePython(version="3.11.7", platform="linux/x86_64", glibc="2.36", packages={"numpy": "2.0"})

    def start(self, spec: ContainerSpec) -> None:
        if self.refusal is not None:
            raise self.refusal
        self.starts.append((spec.name, time.perf_counter()))
        if spec.name in self.containers:
            return
        if spec.standby is not None and self.standbys.pop(spec.standby, None) is not None:
            self.warm.append(spec.name)
        container = FakeContainer(spec)
        self.containers[spec.name] = container
        threading.Thread(target=self._play, args=(container,), daemon=True).start()

    def _play(self, container: FakeContainer) -> None:
        try:
            result = self.play(container)
        except Exception as error:
            container.print(f"the fake container raised {error!r}")
            result = 99
        container.end(result if result is None or isinstance(result, ContainerExit) else ContainerExit(code=result))

    def prepare_standby(self, spec: ContainerSpec) -> bool:
        if self.holds_ready:
            self.standbys[spec.name] = spec
        return self.holds_ready

    def read_lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        container = self._find(name)
        given = 0
        while True:
            with container.changed:
                while given == len(container.lines) and not container.has_ended:
                    container.changed.wait()
                lines = container.lines[given:]
            if not lines:
                return
            given += len(lines)
            yield from lines

    def wait(self, name: str) -> ContainerExit:
        container = self._find(name)
        with container.changed:
            while not container.has_ended:
                container.changed.wait()
        if container.exit is None:
            raise ContainerLost(f"no container {name}")
        return container.exit

    def read_usage(self, name: str) -> ContainerUsage | None:
        container = self.containers.get(name)
        if container is None or container.has_ended:
            return None
        return ContainerUsage(cpu_s=time.process_time(), memory_bytes=1 << 30)

    def stop(self, name: str, grace_s: float) -> None:
        if self.refused_stops:
            self.refused_stops -= 1
            raise EngineError("the daemon does not answer")
        self.stops.append((name, grace_s))
        container = self.containers.get(name)
        if container is None or container.has_ended:
            return
        container.sigterm.set()
        timer = threading.Timer(grace_s, container.end, [ContainerExit(code=137)])
        timer.daemon = True
        timer.start()

    def remove(self, name: str) -> None:
        self.removing.append(name)
        time.sleep(self.remove_s)
        self.removed.append(name)
        self.standbys.pop(name, None)

    def find_gateway(self) -> None:
        return None

    def list_subnets(self) -> list[str]:
        return []

    def list_containers(self, instance: str) -> dict[str, bool]:
        standbys = {name: True for name, spec in self.standbys.items() if instance in spec.labels.values()}
        return standbys | {
            name: not container.has_ended
            for name, container in self.containers.items()
            if container.spec.labels["sm_remote.instance"] == instance
            and name not in self.removed
            and not container.lost
        }

    def remove_network(self, name: str) -> None:
        self.removed_networks.append(name)

    def list_networks(self, instance: str) -> list[str]:
        labelled = [
            each.spec for each in self.containers.values() if each.spec.labels["sm_remote.instance"] == instance
        ]
        names = dict.fromkeys(spec.cluster.network for spec in labelled if spec.cluster is not None)
        return [name for name in names if name not in self.removed_networks]

    def _find(self, name: str) -> FakeContainer:
        container = self.containers.get(name)
        if container is None:
            raise ContainerLost(f"no container {name}")
        return container
