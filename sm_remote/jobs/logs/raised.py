"""The traceback in a job's log, while it is not known whether the exception is raised here, and so shown, as well."""

from __future__ import annotations

from collections.abc import Iterator

from sm_remote.wire.marker import DisplayMark


class LoggedTraceback:
    """Holds back the lines of a job's traceback, which the job has marked. All others pass.

    It is let go when the log goes on, as that of another attempt does: then it belongs before those lines.
    """

    def __init__(self) -> None:
        self._lines: list[str] = []
        self._prefix = ""
        self._is_open = False

    def sift(self, entry: str | DisplayMark) -> Iterator[str | DisplayMark]:
        """Takes an entry of the log, and gives what is to be shown now."""
        if isinstance(entry, DisplayMark):
            if entry.kind == "raised":
                yield from self.release()
                self._is_open, self._prefix = True, entry.text
            elif entry.kind == "told":
                self._is_open = False
            else:
                yield entry
        elif not entry.startswith(self._prefix):
            yield entry  # another host's
        elif self._is_open:
            self._lines.append(entry)
        else:
            yield from self.release()
            yield entry

    def release(self) -> list[str]:
        """Gives what is held back, where nothing else shows it."""
        lines, self._lines, self._is_open = self._lines, [], False
        return lines

    def drop(self) -> None:
        """Forgets it: the exception itself shows the same."""
        self.release()
