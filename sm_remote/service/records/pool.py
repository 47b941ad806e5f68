"""What is remembered of a warm pool: where it stands, since when, who has it next. Its rules are in `warm_pools`."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any


class PoolStatus(str, Enum):
    """Source: API_WarmPoolStatus."""

    IN_USE = "InUse"
    AVAILABLE = "Available"
    REUSED = "Reused"
    TERMINATED = "Terminated"

    def __str__(self) -> str:
        return self.value


@dataclass(frozen=True, kw_only=True, slots=True)
class PoolRecord:
    """A job's warm pool. Times are seconds since the epoch.

    Attributes:
        status: Where it stands.
        root: The name of the job that was the first to have it: what is kept over all jobs lies under this name.
        born_at: When that job got its capacity.
        retained_at: When the job had ended and the capacity was kept.
        expires_at: When it goes, unless it is reused.
        ended_at: When it was reused or went.
        reused_by: The next job.
    """

    status: PoolStatus
    root: str
    born_at: float
    retained_at: float | None = None
    expires_at: float | None = None
    ended_at: float | None = None
    reused_by: str | None = None

    @property
    def retained_s(self) -> int | None:
        """For how long the capacity was kept, whole seconds; None while that is not known."""
        if self.ended_at is None:
            return None
        return math.ceil(max(0.0, self.ended_at - (self.ended_at if self.retained_at is None else self.retained_at)))


def load_pool(detail: Mapping[str, Any] | None) -> PoolRecord | None:
    """A pool from its JSON."""
    return PoolRecord(**{**detail, "status": PoolStatus(detail["status"])}) if detail else None
