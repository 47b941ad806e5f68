"""Warns, once each, of a job on spot capacity that would lose much: no checkpoint, or an old one.

It runs in the supervisor, which has nothing else to do, and looks at the directory that the platform synchronises.
Where the platform marks what it has uploaded, that counts; else what was written.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from sm_remote.wire.layout import CHECKPOINT_WATCH_VARIABLE

MOST_PAUSE_S = 30.0


def watch_checkpoints(say: Callable[[str], None]) -> None:
    """Starts watching, in a thread of its own, if the job's request asks for it."""
    limits = parse_limits(os.environ.get(CHECKPOINT_WATCH_VARIABLE, ""))
    if limits is None:
        return
    import threading  # only here: most jobs are not on spot capacity

    threading.Thread(target=_watch, args=(*limits, say), daemon=True).start()


def parse_limits(text: str) -> tuple[float, float] | None:
    """``<s>,<s>``: by when there should be a checkpoint, and how old the last one may become; None for neither."""
    first, comma, oldest = text.partition(",")
    try:
        return (float(first), float(oldest)) if comma else None
    except ValueError:
        return None


def _watch(first_s: float, oldest_s: float, say: Callable[[str], None]) -> None:
    import time

    from sm_remote.checkpoints.place import find_job_directory

    directory = find_job_directory()
    watch = CheckpointWatch(first_s, oldest_s, started_at=time.time())
    while not watch.is_done:
        time.sleep(min(MOST_PAUSE_S, first_s / 4, oldest_s / 4))
        warning = watch.look(find_newest_time(directory), time.time())
        if warning:
            say(warning)


class CheckpointWatch:
    """Decides what is worth saying. Pure but for what it has said.

    Args:
        first_s: By when there should be a checkpoint.
        oldest_s: How old the last one may become.
        started_at: When the function was started, as all times in seconds since the epoch.
    """

    def __init__(self, first_s: float, oldest_s: float, *, started_at: float) -> None:
        self._first_s = first_s
        self._oldest_s = oldest_s
        self._started_at = started_at
        self._said_none = self._said_old = False

    @property
    def is_done(self) -> bool:
        """Whether everything has been said."""
        return self._said_old

    def look(self, newest_at: float | None, now: float) -> str | None:
        """What to say now, if anything.

        Args:
            newest_at: When the newest checkpoint was saved, by whatever attempt; None without one.
            now: The time.
        """
        running_s = now - self._started_at
        if newest_at is None:
            if self._said_none or running_s < self._first_s:
                return None
            self._said_none = True
            return (
                f"sm_remote: no checkpoint yet after {_spell(running_s)} on spot capacity: an interruption now loses "
                "all of it. Save one with sm_remote.checkpoint()."
            )
        # What an earlier attempt had not saved is lost already: only this one's work counts.
        age_s = now - max(newest_at, self._started_at)
        if self._said_old or age_s < self._oldest_s:
            return None
        self._said_old = True
        return (
            f"sm_remote: the last durable checkpoint is {_spell(age_s)} old: an interruption now loses that much. "
            "Save more often."
        )


def find_newest_time(directory: str) -> float | None:
    """When the newest file below a checkpoint directory was written; only uploaded ones count where they are marked.

    A framework's own checkpoints are files like ours.
    """
    from sm_remote.checkpoints.layout import UPLOADED, is_bookkeeping

    written: list[float] = []
    uploaded: list[float] = []
    for folder, _, names in os.walk(directory):
        there = set(names)
        for name in there:
            if is_bookkeeping(name):
                continue
            try:
                moment = os.stat(os.path.join(folder, name)).st_mtime
            except OSError:  # gone meanwhile
                continue
            written.append(moment)
            if name + UPLOADED in there:
                uploaded.append(moment)
    return max(uploaded or written, default=None)


def _spell(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"
