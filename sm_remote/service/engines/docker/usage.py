"""What the Docker API's one-shot statistics say of a container. Pure.

Source: Docker Engine API v1.41, ContainerStats; the `docker stats` command counts memory the same way.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_remote.service.engines.engine import ContainerUsage


def read_docker_usage(stats: Mapping[str, Any]) -> ContainerUsage | None:
    """Reads them; None for a container that does not run."""
    try:
        cpu_ns = stats["cpu_stats"]["cpu_usage"]["total_usage"]
        memory = stats["memory_stats"]
        used = memory["usage"]
    except (KeyError, TypeError):
        return None
    details = memory.get("stats") or {}
    # Pages of files that the kernel may drop at any moment are none that the job needs.
    droppable = details.get("inactive_file", details.get("total_inactive_file", 0))
    return ContainerUsage(cpu_s=cpu_ns / 1e9, memory_bytes=max(0, used - droppable))
