"""What a process and all that it started use, as Linux shows it; on other systems nothing is known."""

from __future__ import annotations

import os
from pathlib import Path

from sm_remote.service.engines.engine import ContainerUsage


def read_process_usage(root: int, proc: Path = Path("/proc")) -> ContainerUsage | None:
    """Sums CPU time and resident memory of a process and its descendants.

    CPU time of descendants that have ended counts with the process that waited for them.

    Args:
        root: A process id.
        proc: Where the kernel shows processes.
    """
    ticks = pages = 0
    found = False
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        try:
            # What is in front of the last parenthesis may hold anything, spaces too: it is the program's name.
            fields = (proc / str(pid) / "stat").read_text().rpartition(")")[2].split()
            children = (proc / str(pid) / "task" / str(pid) / "children").read_text().split()
            ticks += sum(int(field) for field in fields[11:15])
            pages += int(fields[21])
        except (OSError, ValueError, IndexError):
            continue
        found = True
        waiting.extend(int(child) for child in children)
    if not found:
        return None
    return ContainerUsage(
        cpu_s=ticks / os.sysconf("SC_CLK_TCK"), memory_bytes=max(0, pages) * os.sysconf("SC_PAGE_SIZE")
    )
