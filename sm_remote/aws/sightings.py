"""What lists have told of jobs lately, so that DescribeTrainingJob is called only where something has changed."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable
from datetime import datetime

from sm_remote.aws.responses import TrainingJobDescription, TrainingJobSummary

FRESH_S = 5.0
"""How old the last look may be for silence to mean that nothing has changed."""
KEPT = 5000


class Sightings:
    """When each job was last modified, as far as somebody looks at the list again and again.

    Args:
        clock: Seconds that only grow.

    Attributes:
        moment: When the API answered last, by its own clock; None where it did not say.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._modified: dict[str, datetime] = {}
        self._since = self._last = float("-inf")
        self._oldest: datetime | None = None
        self.moment: datetime | None = None

    def note(self, rows: Iterable[TrainingJobSummary], moment: datetime | None = None) -> None:
        """Takes up rows, of any list, and when it was made."""
        with self._lock:
            self.moment = moment or self.moment
            for row in rows:
                if row.modified_time is not None:
                    self._modified.pop(row.name, None)
                    self._modified[row.name] = row.modified_time
            while len(self._modified) > KEPT:
                del self._modified[next(iter(self._modified))]

    def note_look(self, created_after: datetime | None = None) -> None:
        """Notes that all changes up to a moment ago have been taken up.

        Args:
            created_after: Those of jobs that are older have not; None where there are none.
        """
        with self._lock:
            now = self._clock()
            if now - self._last > FRESH_S:
                self._since = now
            self._last, self._oldest = now, created_after

    def is_current(self, description: TrainingJobDescription, described_at: float) -> bool:
        """Whether nothing can have changed since a job was described.

        Args:
            description: Of then.
            described_at: By this object's clock.
        """
        with self._lock:
            now = self._clock()
            if description.modified_time is None or now - self._last > FRESH_S or described_at < self._since:
                return False
            if self._oldest is not None and description.creation_time <= self._oldest:
                return False
            modified = self._modified.get(description.name)
            return modified is None or modified <= description.modified_time
