"""What an operation is asked and answers, apart from HTTP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

VERSION_HEADER = "X-Sm-Remote-Version"
SEEN_HEADER = "X-Sm-Remote-Seen"
WAIT_HEADER = "X-Sm-Remote-Wait-S"
OUTCOME_HEADER = "X-Sm-Remote-Outcome"
"""The line with which an ended job said what its outcome is: the service's own record, as its log has it."""
LOG_CLOSED_HEADER = "X-Sm-Remote-Log-Closed"
INSTANCE_HEADER = "X-Sm-Remote-Instance"
LONGEST_WAIT_S = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Patience:
    """How long a caller is ready to wait for news, and what it has seen.

    Attributes:
        wait_s: 0 to answer at once, as AWS does.
        seen: The version that is no news.
    """

    wait_s: float = 0.0
    seen: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Reply:
    """An operation's answer: the output shape's members (None for an empty body), and headers of our own."""

    body: Mapping[str, Any] | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def read_patience(wait: str | None, seen: str | None) -> Patience:
    """Reads the headers of a long poll; what makes no sense is no wish to wait."""
    try:
        wait_s = min(max(float(wait or 0), 0.0), LONGEST_WAIT_S)
        return Patience(wait_s=wait_s if wait_s == wait_s else 0.0, seen=int(seen or 0))
    except ValueError:
        return Patience()
