"""A cell's output where the cell is: text as it comes, and what was displayed in its place among the text.

While the job runs a place shows the plain text of what was displayed there, which the log carries. What it really is
comes with the outcome, and is put there when that was verified. In a terminal the text is all there is.
"""

from __future__ import annotations

import secrets
import sys
from collections.abc import Iterable, Mapping
from typing import Any

from sm_remote.jobs.foreground import say
from sm_remote.wire.marker import DisplayMark

_TEXT = "text/plain"


class CellOutput:
    """The output of one cell's job.

    Args:
        is_rich: Whether the front end replaces what is displayed; a terminal only prints.
    """

    def __init__(self, *, is_rich: bool) -> None:
        self._is_rich = is_rich
        self._handles: dict[int, Any] = {}
        self._held: list[str] | None = None

    def take(self, entry: str | DisplayMark) -> None:
        """Shows a line of the log, or makes a place for what was displayed."""
        if isinstance(entry, str):
            if self._held is None:
                say(entry)
            else:
                self._held.append(entry)
        elif entry.kind == "raised":
            self._held = []  # a traceback: the exception is raised here, and shows the same
        elif entry.kind == "clear":
            self._clear(wait=bool(entry.text))
        else:
            self._show_text(entry.number, entry.text)

    def finish(self, shown: Iterable[tuple[int, Mapping[str, Any], Mapping[str, Any]]]) -> None:
        """Puts what was really displayed into its places."""
        for number, data, metadata in shown:
            handle = self._handles.get(number)
            if handle is None:
                self._show(data, metadata)
            elif self._is_rich and set(data) != {_TEXT}:
                handle.update(dict(data), raw=True, metadata=dict(metadata))

    def release(self) -> None:
        """Shows the traceback that was held back, where nothing else will."""
        for line in self._held or ():
            sys.stdout.write(line + "\n")
        self._held = None

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
        self._handles.clear()
