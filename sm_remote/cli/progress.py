"""Shows what the library says through `logging` while a command works."""

from __future__ import annotations

import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from sm_remote.cli.inert_text import make_inert


class _Lines(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        sys.stderr.write(make_inert(record.getMessage()) + "\n")
        sys.stderr.flush()


@contextmanager
def lines_to_stderr(name: str) -> Iterator[None]:
    """Writes a logger's lines to stderr, while the context lasts."""
    logger, handler = logging.getLogger(name), _Lines()
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.setLevel(level)
        logger.removeHandler(handler)
