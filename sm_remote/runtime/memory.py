"""What the container's control group knows of its memory, in either version of Linux's control groups.

Source: Linux kernel, Documentation/admin-guide/cgroup-v1/memory.rst and cgroup-v2.rst.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator

_ROOT = "/sys/fs/cgroup"
_UNLIMITED_FROM = 1 << 60
"""Version 1 spells "no limit" as the largest multiple of the page size."""


def count_oom_kills() -> int:
    """How many processes of this container the kernel has killed for memory; 0 where nobody says."""
    for name in ("memory.events", "memory.oom_control"):
        for line in (_read(name) or "").splitlines():
            key, _, number = line.partition(" ")
            if key == "oom_kill" and number.isdigit():
                return int(number)
    return 0


def read_limit_bytes() -> int | None:
    """The container's memory limit, or None where there is none."""
    limit = _read_number("memory.max", "memory.limit_in_bytes")
    return limit if limit is not None and limit < _UNLIMITED_FROM else None


def read_container_peak_bytes() -> int | None:
    """The most that the whole container held, page cache included."""
    return _read_number("memory.peak", "memory.max_usage_in_bytes")


def read_process_peak_bytes() -> int:
    """The most that this process, or one of its children, held."""
    import resource

    unit = 1 if sys.platform == "darwin" else 1024
    return unit * max(resource.getrusage(who).ru_maxrss for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))


def describe_use() -> str:
    """``(limit 1073741824 bytes, peak 1073741824 bytes)``, as far as it is known."""
    known = {"limit": read_limit_bytes(), "peak": read_container_peak_bytes()}
    parts = [f"{word} {number} bytes" for word, number in known.items() if number is not None]
    return f"({', '.join(parts)})" if parts else ""


def _read_number(*names: str) -> int | None:
    for name in names:
        text = (_read(name) or "").strip()
        if text.isdigit():
            return int(text)
    return None


def _read(name: str) -> str | None:
    for directory in _directories():
        try:
            with open(os.path.join(directory, name), encoding="ascii") as file:
                return file.read()
        except OSError:
            continue
    return None


def _directories() -> Iterator[str]:
    """Where this process's group may be seen: below its own path, or, inside a container, at the root."""
    try:
        with open("/proc/self/cgroup", encoding="utf-8") as file:
            lines = file.read().splitlines()
    except OSError:
        lines = []
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            yield _ROOT + path
        elif "memory" in controllers.split(","):
            yield f"{_ROOT}/memory{path}"
    yield _ROOT
    yield f"{_ROOT}/memory"
