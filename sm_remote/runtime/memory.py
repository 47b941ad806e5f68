"""What is known of the job's memory: from its control group, in either version of Linux's, and from its own process.

Source: Linux kernel, Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

_UNLIMITED_FROM = 1 << 60
"""Version 1 spells "no limit" as the largest multiple of the page size."""


class ControlGroup:
    """The memory files of the group that this process is in; where there are none, nothing is known.

    Args:
        root: Where control groups are mounted.
        membership: Tells which group is ours.
    """

    def __init__(self, root: str = "/sys/fs/cgroup", membership: str = "/proc/self/cgroup") -> None:
        self._root = root
        self._membership = membership

    def count_oom_kills(self) -> int:
        """How many processes of the group the kernel has killed for memory; 0 where nobody says."""
        for name in ("memory.events", "memory.oom_control"):
            for line in (self._read(name) or "").splitlines():
                key, _, number = line.partition(" ")
                if key == "oom_kill" and number.isdigit():
                    return int(number)
        return 0

    def read_limit_bytes(self) -> int | None:
        """The memory limit, or None where there is none."""
        limit = self._read_number("memory.max", "memory.limit_in_bytes")
        return limit if limit is not None and limit < _UNLIMITED_FROM else None

    def read_peak_bytes(self) -> int | None:
        """The most that the whole group held, page cache included."""
        return self._read_number("memory.peak", "memory.max_usage_in_bytes")

    def describe_use(self) -> str:
        """``(limit 1073741824 bytes, peak 1073741824 bytes)``, as far as it is known."""
        known = {"limit": self.read_limit_bytes(), "peak": self.read_peak_bytes()}
        parts = [f"{word} {number} bytes" for word, number in known.items() if number is not None]
        return f"({', '.join(parts)})" if parts else ""

    def _read_number(self, *names: str) -> int | None:
        for name in names:
            text = (self._read(name) or "").strip()
            if text.isdigit():
                return int(text)
        return None

    def _read(self, name: str) -> str | None:
        for directory in self._directories():
            try:
                with open(os.path.join(directory, name), encoding="ascii") as file:
                    return file.read()
            except OSError:
                continue
        return None

    def _directories(self) -> Iterator[str]:
        """Where the group may be seen: below its own path, or, inside a container, at the root."""
        try:
            with open(self._membership, encoding="utf-8") as file:
                lines = file.read().splitlines()
        except OSError:
            lines = []
        for line in lines:
            _, controllers, path = line.split(":", 2)
            if controllers == "":
                yield self._root + path
            elif "memory" in controllers.split(","):
                yield f"{self._root}/memory{path}"
        yield self._root
        yield f"{self._root}/memory"


def read_process_peak_bytes() -> int:
    """The most that this process, or one of its children, held."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
