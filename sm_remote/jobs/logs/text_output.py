"""A job's lines on this process's stdout, where nothing but text is shown."""

from __future__ import annotations

import sys
import threading
from typing import Literal

from sm_remote.jobs.logs.line import continues_bar, fold_bar, is_bar

Bars = Literal["redrawn", "last", "each"]
"""What becomes of a progress bar's states: each over the one before; only the last, where nobody looks while they
come; or each on a line of its own, as a file or a pipe has them."""


def choose_bars() -> Bars:
    """Redraws bars in a terminal; not in a thread beside others, whose lines would get into them."""
    is_main = threading.current_thread() is threading.main_thread()
    return "redrawn" if is_main and sys.stdout is not None and sys.stdout.isatty() else "each"


class TextOutput:
    """Writes lines as they come.

    Args:
        bars: What becomes of progress bars.
        flushes: Whether each line is flushed; a kernel sends by itself what has come together.
    """

    def __init__(self, bars: Bars, *, flushes: bool = True) -> None:
        self._bars = bars
        self._flushes = flushes
        self._bar = ""

    def write(self, line: str) -> None:
        """Writes a line of the log."""
        if self._bars == "each":
            self._put(line + "\n")
            return
        line = fold_bar(line)
        is_drawn_over = continues_bar(self._bar, line)
        if not is_drawn_over:
            self.end()
        if not is_bar(line):
            self._put(line + "\n")
            return
        if self._bars == "redrawn":
            self._put("\r" + line.ljust(len(self._bar)) if is_drawn_over else line)
        self._bar = line

    def end(self) -> None:
        """Ends the line of a bar: something else follows, or nothing."""
        if self._bar:
            self._put("\n" if self._bars == "redrawn" else self._bar + "\n")
            self._bar = ""

    def _put(self, text: str) -> None:
        # Looked up each time: notebooks and tests replace sys.stdout.
        sys.stdout.write(text)
        if self._flushes:
            sys.stdout.flush()
