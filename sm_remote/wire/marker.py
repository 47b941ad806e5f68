"""Lines of our own in a job's log. Each names the manifest, so another job's line does not fit.

By one a job says what its outcome's digest is. The supervisor prints it last, after the outcome was published. Whoever
can write the bucket cannot write the log, so the client believes this line and not the object.

By others a cell says where among its lines something was displayed. What it was travels in the outcome, and is shown
when that was verified; the line itself holds plain text alone. And by two of them a job says where its traceback is.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from sm_remote.wire.digest import BlobRef

MARKER_PREFIX = "sm_remote outcome "
DISPLAY_PREFIX = "sm_remote display "
_JOB_DIGITS = 16
_KINDS = ("show", "update", "clear", "raised", "told")
DISPLAY_TEXT_CHARACTERS = 4000
"""What a line of a log may hold: Docker cuts lines at 16 KiB, and a character may take six when it is escaped."""


@dataclass(frozen=True, kw_only=True, slots=True)
class DisplayMark:
    """A place in a log at which a cell displayed something, or a job's traceback begins or ends.

    Attributes:
        kind: ``show``, ``update`` (something new in an earlier place), ``clear`` (all places are gone; with a text,
            only when the next thing is shown), ``raised`` (what follows is the traceback of what the outcome holds) or
            ``told`` (that was its end).
        number: Of the place, counted from 0.
        text: The plain text of what was displayed, cut where it is long. Of ``raised``, as the client passes it
            on, what each line of the traceback begins with: its host.
    """

    kind: str
    number: int = 0
    text: str = ""


def format_marker(outcome: BlobRef, manifest_digest: str) -> str:
    """The marker, without a newline."""
    return f"{MARKER_PREFIX}{outcome.digest} {outcome.size_bytes} {manifest_digest[:_JOB_DIGITS]}"


def parse_marker(line: str, manifest_digest: str) -> BlobRef | None:
    """The outcome that a line of this job's log names, or None."""
    found = split_marker(line, manifest_digest)
    return None if found is None else found[1]


def split_marker(line: str, manifest_digest: str) -> tuple[str, BlobRef] | None:
    """Splits a line into the job's own unfinished text before the marker, mostly none, and what the marker names."""
    start = line.rfind(MARKER_PREFIX)
    if start < 0:
        return None
    words = line[start + len(MARKER_PREFIX) :].split()
    if len(words) != 3 or words[2] != manifest_digest[:_JOB_DIGITS]:
        return None
    digest, size = words[:2]
    if not is_digest(digest) or not (size.isascii() and size.isdigit()):
        return None
    return line[:start], BlobRef(digest=digest, size_bytes=int(size))


def format_display(mark: DisplayMark, manifest_digest: str) -> str:
    """The line that marks a place, without a newline."""
    text = mark.text
    if len(text) > DISPLAY_TEXT_CHARACTERS:
        text = text[:DISPLAY_TEXT_CHARACTERS] + "..."
    content = json.dumps([mark.kind, mark.number, text], separators=(",", ":"))
    return f"{DISPLAY_PREFIX}{manifest_digest[:_JOB_DIGITS]} {content}"


def split_display(line: str, manifest_digest: str) -> tuple[str, DisplayMark] | None:
    """Splits a line into the job's own unfinished text before the mark, mostly none, and the mark."""
    start = line.find(DISPLAY_PREFIX + manifest_digest[:_JOB_DIGITS])
    if start < 0:
        return None
    try:
        content: Any = json.loads(line[start + len(DISPLAY_PREFIX) + _JOB_DIGITS :])
        kind, number, text = content
    except (ValueError, TypeError):
        return None
    if kind not in _KINDS or type(number) is not int or not isinstance(text, str):
        return None
    return line[:start], DisplayMark(kind=kind, number=number, text=text)


def is_digest(text: str) -> bool:
    """Whether a text has the form of a digest."""
    return len(text) == 64 and not text.strip("0123456789abcdef")
