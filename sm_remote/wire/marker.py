"""The line by which a job says in its log what its outcome's digest is.

The supervisor prints it last, after the outcome was published. Whoever can write the bucket cannot write the log, so
the client believes this line and not the object. It names the manifest, so another job's line does not fit.
"""

from __future__ import annotations

from sm_remote.wire.digest import BlobRef

MARKER_PREFIX = "sm_remote outcome "
_JOB_DIGITS = 16


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


def is_digest(text: str) -> bool:
    """Whether a text has the form of a digest."""
    return len(text) == 64 and not text.strip("0123456789abcdef")
