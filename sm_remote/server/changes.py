"""Tells every browser tab, over Jupyter's own event socket, that there is something new to ask for."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

SCHEMA_ID = "urn:sm-remote:events:jobs-changed:v1"
SCHEMA_FILE = Path(__file__).with_name("jobs_changed.yaml")

Announce = Callable[[str, int], None]
"""Called with a target and the number of its newest change, from any thread."""


def announce_through(event_logger: Any, find_loop: Callable[[], Any]) -> Announce:
    """Emits on the server's event loop: the event bus belongs to it, and pollers are threads.

    Args:
        event_logger: Jupyter's.
        find_loop: The server's tornado loop, asked for at each change: it does not run yet while extensions are loaded.
    """

    def announce(target: str, seq: int) -> None:
        def emit() -> None:
            event_logger.emit(schema_id=SCHEMA_ID, data={"target": target, "seq": seq})

        find_loop().add_callback(emit)  # safe from any thread; nothing happens on a loop that was closed

    return announce
