"""The most memory that a container used, as the kernel counts it.

The kernel forgets the number together with the container's cgroup, so it is read while the container runs. None on a
machine where the daemon's processes are not ours to see (a virtual machine, another host).
"""

from __future__ import annotations

import os
from pathlib import Path

CGROUPS = Path("/sys/fs/cgroup")


class PeakMemory:
    """Reads one container's peak.

    Attributes:
        peak_bytes: The last number read; None before the first.
    """

    def __init__(self, file: Path) -> None:
        self._file = file
        self.peak_bytes: int | None = None
        self.sample()

    def sample(self) -> None:
        """Reads the number again; keeps the last one when the cgroup is gone."""
        try:
            descriptor = os.open(self._file, os.O_RDONLY)
            try:
                self.peak_bytes = int(os.read(descriptor, 64))
            finally:
                os.close(descriptor)
        except (OSError, ValueError):
            return


def find_peak_memory(pid: int, container: str, proc: Path = Path("/proc")) -> PeakMemory | None:
    """Finds the counter of the container whose first process this is; None where there is none to read."""
    try:
        lines = (proc / str(pid) / "cgroup").read_text().splitlines()
    except OSError:
        return None
    for line in lines:
        _, controllers, path = line.split(":", 2)
        # The number may be of another machine's process: the path must name the container.
        if container not in path:
            continue
        if controllers == "memory":
            return _open(CGROUPS / "memory" / path.lstrip("/") / "memory.max_usage_in_bytes")
        if controllers == "":
            found = _open(CGROUPS / path.lstrip("/") / "memory.peak")
            if found is not None:
                return found
    return None


def _open(file: Path) -> PeakMemory | None:
    return PeakMemory(file) if file.exists() else None
