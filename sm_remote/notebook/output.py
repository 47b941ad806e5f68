"""A cell's output where the cell is: text as it comes, and what was displayed in its place among the text.

While the job runs a place shows the plain text of what was displayed there, which the log carries. What it really is
comes with the outcome, and is put there when that was verified. In a terminal the text is all there is.
"""

from __future__ import annotations

import logging
import secrets
import sys
from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any

from sm_remote.errors import RemoteError
from sm_remote.jobs.calls.foreground import Audience
from sm_remote.jobs.logs.line import fold_bar
from sm_remote.jobs.logs.text_output import Bars, TextOutput
from sm_remote.notebook.report import PREFIX
from sm_remote.notebook.view import JobView
from sm_remote.wire.marker import DisplayMark

logger = logging.getLogger("sm_remote")

INLINE_CHARACTERS = 500_000
"""Of a job's text so much stands in its cell: more would slow the page, and Jupyter's server stops passing it on."""
REST_LINES = 100
REST_CHARACTERS = 1000
_TEXT = "text/plain"


class CellOutput(Audience):
    """The output of one job in a cell.

    Args:
        job_name: The job's.
        is_rich: Whether the front end replaces what is displayed; a terminal only prints.
        view: The job's live view, where somebody looks.
        bars: What becomes of progress bars.
    """

    def __init__(self, job_name: str, *, is_rich: bool, view: JobView | None = None, bars: Bars | None = None) -> None:
        super().__init__(bars)
        if is_rich:
            # Not flushed: the kernel sends what has come together five times a second.
            self._text = TextOutput(bars or "redrawn", flushes=False)
        self.notes: list[str] = []
        self._job_name = job_name
        self._handles: dict[int, Any] = {}
        self._is_rich = is_rich
        self._view = view
        self._room = INLINE_CHARACTERS
        self._rest: deque[str] = deque(maxlen=REST_LINES)
        self._left_out = 0

    def open(self) -> None:
        """Shows the job's view; without an answer to what it asks there is none, and text instead."""
        try:
            if self._view is not None:
                self._view.open()
        except RemoteError as error:
            logger.debug("There is no view of %s: %s", self._job_name, error)
            self._view = None

    def show(self, entry: str | DisplayMark) -> None:
        """Shows a line of the log, or makes a place for what was displayed."""
        if isinstance(entry, str):
            self._print(entry)
        elif entry.kind == "clear":
            self._clear(wait=bool(entry.text))
        else:
            self._text.end()
            self._show_text(entry.number, entry.text)

    def finish(self, shown: Iterable[tuple[int, Mapping[str, Any], Mapping[str, Any]]]) -> None:
        """Puts what was really displayed into its places."""
        for number, data, metadata in shown:
            handle = self._handles.get(number)
            if handle is None:
                self._show(data, metadata)
            elif self._is_rich and set(data) != {_TEXT}:
                handle.update(dict(data), raw=True, metadata=dict(metadata))

    def close(self) -> None:
        """Ends the text and the view; what `notes` holds is told there, or without a view as text."""
        self._end_text()
        if self._view is not None:
            self._view.close([note.removeprefix(PREFIX) for note in self.notes])
        else:
            for note in self.notes:
                self._text.write(note)

    def _end_text(self) -> None:
        """Ends the text, with a traceback that nothing else shows; of too much text the last lines follow."""
        for line in self._traceback.release():
            self._print(line)
        self._text.end()
        if not self._left_out:
            return
        left_out = self._left_out - sum(map(len, self._rest))
        if left_out > 0:
            where = f"all of them: sm-remote logs {self._job_name}"
            self._text.write(f"sm_remote: {left_out:,} characters are left out here; {where}")
        for line in self._rest:
            self._text.write(line)
        self._text.end()

    def _print(self, line: str) -> None:
        if self._view is None:
            self._text.write(line)
            return
        if self._view.read(line):
            return
        line = fold_bar(line)
        self._room -= len(line) + 1
        if self._room < 0:
            self._left_out += len(line) + 1
            self._rest.append(line[:REST_CHARACTERS])
            return
        self._text.write(line)

    def _show_text(self, number: int, text: str) -> None:
        if not self._is_rich:
            if text and number not in self._handles:
                sys.stdout.write(text + "\n")
            self._handles[number] = True
        elif number in self._handles:
            self._handles[number].update({_TEXT: text}, raw=True)
        else:
            from IPython.display import display

            place = f"sm-remote-{secrets.token_hex(8)}"
            self._handles[number] = display({_TEXT: text}, raw=True, display_id=place)  # type: ignore[no-untyped-call]

    def _show(self, data: Mapping[str, Any], metadata: Mapping[str, Any]) -> None:
        from IPython.display import display

        display(dict(data), raw=True, metadata=dict(metadata))  # type: ignore[no-untyped-call]

    def _clear(self, *, wait: bool) -> None:
        if self._is_rich:
            from IPython.display import clear_output

            clear_output(wait=wait)  # type: ignore[no-untyped-call]
            if self._view is not None:
                self._view.open_again()
        self._handles.clear()
