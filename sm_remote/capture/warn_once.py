"""Says a thing about this machine's environment once: a ``map`` of a hundred calls would say it a hundred times."""

from __future__ import annotations

import logging
from collections.abc import Hashable

_logger = logging.getLogger("sm_remote")
_said: set[tuple[Hashable, ...]] = set()


def warn_once(about: Hashable, message: str, *arguments: Hashable) -> None:
    """Logs a warning unless the same was said in this process.

    Args:
        about: What it is about, such as a path, beyond what the message itself says.
        message: As `logging` takes it.
        arguments: Of the message.
    """
    key = (about, message, *arguments)
    if key not in _said:
        _said.add(key)
        _logger.warning(message, *arguments)
