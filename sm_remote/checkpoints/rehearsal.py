"""The job's side of a fire-drill: it tells where it is, and holds still where an interruption hurts most.

Only a drill's request sets the variable that wakes it (`sm_remote.jobs.repetition.drill`).
"""

from __future__ import annotations

import os
import random
import signal
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from sm_remote.wire.layout import DRILL_VARIABLE

OPEN = "sm_remote drill: open"
SAVED = "sm_remote drill: saved"
WRITING = "sm_remote drill: writing"
HOLD_S = 2.0
"""How long a save holds still unless it is interrupted; one of each process does."""
POINTS = ("begun", "written", "sealing", "published")
"""Before anything is written; with the state under its temporary name; before the manifest; behind it."""


@dataclass(kw_only=True, slots=True)
class Rehearsal:
    """What a drill asks of this process.

    Attributes:
        share: How likely each save is the one that holds still.
        deaf: Whether SIGTERM is ignored.
        held: Whether one has.
    """

    share: float
    deaf: bool
    held: bool = False

    def open(self, step: int | None) -> None:
        """The loop begins; nothing but SIGKILL ends a process that is to be deaf."""
        if self.deaf:
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        _say(f"{OPEN} {_spell(step)}")

    @staticmethod
    def tell_saved(step: int | None) -> None:
        """A generation is there."""
        _say(f"{SAVED} {_spell(step)}")

    def choose_point(self) -> str | None:
        """Where the next save holds still, if it does. Every attempt draws anew, so none comes back to the same."""
        if self.held or random.random() >= self.share:  # noqa: S311 - no secret
            return None
        return random.choice(POINTS)  # noqa: S311 - as above

    def hold(self, point: str) -> None:
        """Says so, and waits to be interrupted."""
        self.held = True
        _say(f"{WRITING} {point}")
        time.sleep(HOLD_S)


def find_rehearsal(environ: Mapping[str, str] = os.environ) -> Rehearsal | None:
    """What the job's request asks for; None outside of a drill."""
    share, comma, hearing = environ.get(DRILL_VARIABLE, "").partition(",")
    return Rehearsal(share=float(share), deaf=hearing == "deaf") if comma else None


def hold_at(rehearsal: Rehearsal | None, chosen: str | None, point: str) -> None:
    """Holds still if this is the point that was chosen."""
    if rehearsal is not None and chosen == point:
        rehearsal.hold(point)


def _spell(step: int | None) -> str:
    return "-" if step is None else str(step)


def _say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
