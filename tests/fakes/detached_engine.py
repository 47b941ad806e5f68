"""An engine whose containers are plain processes that outlive the service, as containers do; for tests that kill it.

Each has a directory of files: who it is, its output, and its exit code once it has ended. There is no isolation at all;
the job finds its /opt/ml in the variable ``ML``.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from sm_remote.service.engines.engine import ContainerExit, ContainerLost, ContainerSpec, ImagePython

_SCRIPT = '"$@" >"$LOG" 2>&1; code=$?; echo $code >"$EXIT.part"; mv "$EXIT.part" "$EXIT"'


class DetachedEngine:
    """Containers as directories below one."""

    name = "detached"
    network_interface = "lo"
    built_images = None

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        directory.mkdir(parents=True, exist_ok=True)

    def describe(self) -> str:
        return "runs as plain processes"

    def prepare_image(self, image: str, say: Callable[[str], None]) -> None:
        return

    def inspect_python(self, image: str, conda_env: str | None = None) -> ImagePython:
        return ImagePython(version="3.11.7", platform="linux/x86_64")

    def start(self, spec: ContainerSpec) -> None:
        place = self._directory / spec.name
        if place.exists():
            return
        draft = place.with_name(f".{spec.name}")
        draft.mkdir()
        (draft / "labels").write_text(json.dumps(dict(spec.labels)))
        (draft / "log").touch()
        (root,) = {mount.source.parent for mount in spec.mounts if mount.target == "/opt/ml/model"}
        # The directory takes its name before the process starts: whoever finds it never starts a second one.
        draft.rename(place)
        subprocess.Popen(
            ["/bin/sh", "-c", _SCRIPT, "sh", *spec.entrypoint, *spec.arguments],
            env={
                **os.environ,
                **spec.environment,
                "ML": str(root),
                "LOG": str(place / "log"),
                "EXIT": str(place / "exit"),
            },
            start_new_session=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

    def prepare_standby(self, spec: ContainerSpec) -> bool:
        return False

    def read_lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        place = self._find(name)
        with (place / "log").open("rb") as log:
            rest = b""
            while True:
                ended = (place / "exit").exists()
                rest += log.read()
                *lines, rest = rest.split(b"\n")
                for line in lines:
                    yield int(time.time() * 1000), line
                if ended and not lines:
                    return
                time.sleep(0.005)

    def wait(self, name: str) -> ContainerExit:
        place = self._find(name)
        while not (place / "exit").exists():
            if not place.exists():
                raise ContainerLost(f"no {place}")
            time.sleep(0.005)
        return ContainerExit(code=int((place / "exit").read_text()))

    def read_usage(self, name: str) -> None:
        return None

    def stop(self, name: str, grace_s: float) -> None:
        self._signal(name, signal.SIGTERM)
        timer = threading.Timer(grace_s, self._signal, [name, signal.SIGKILL])
        timer.daemon = True
        timer.start()

    def _signal(self, name: str, number: signal.Signals) -> None:
        for process in Path("/proc").glob("[0-9]*"):
            try:
                environ = (process / "environ").read_bytes()
                words = (process / "cmdline").read_bytes()
            except OSError:
                continue
            mine = f"LOG={self._directory / name / 'log'}".encode() in environ.split(b"\0")
            # The outer shell writes the exit code: it stays alive.
            if mine and _SCRIPT.encode() not in words:
                os.kill(int(process.name), number)

    def remove(self, name: str) -> None:
        place = self._directory / name
        if place.exists():
            for file in place.iterdir():
                file.unlink()
            place.rmdir()

    def find_gateway(self) -> None:
        return None

    def list_subnets(self) -> list[str]:
        return []

    def list_containers(self, instance: str) -> dict[str, bool]:
        found = {}
        for place in self._directory.glob("smr-*"):
            if json.loads((place / "labels").read_text())["sm_remote.instance"] == instance:
                found[place.name] = not (place / "exit").exists()
        return found

    def remove_network(self, name: str) -> None:
        return

    def list_networks(self, instance: str) -> list[str]:
        return []

    def _find(self, name: str) -> Path:
        place = self._directory / name
        if not place.exists():
            raise ContainerLost(f"no {place}")
        return place
