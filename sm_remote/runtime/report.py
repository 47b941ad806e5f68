"""What the function's process tells its supervisor, in one message, when it is done."""

from __future__ import annotations

import json
from dataclasses import dataclass

from sm_remote.wire.digest import BlobRef


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """How the function ended.

    Attributes:
        exit_code: The job's.
        outcome: The file that was written, or None where this host publishes nothing.
        failure: What goes into /opt/ml/output/failure; empty where there is a value.
        unfinished_line: Whether its last printed line has no newline yet.
    """

    exit_code: int
    outcome: BlobRef | None = None
    failure: str = ""
    unfinished_line: bool = False

    def to_json(self) -> bytes:
        """The message."""
        outcome = None if self.outcome is None else [self.outcome.digest, self.outcome.size_bytes]
        return json.dumps([self.exit_code, outcome, self.failure, self.unfinished_line]).encode()

    @classmethod
    def from_json(cls, data: bytes) -> Report:
        """Reads a message.

        Raises:
            ValueError: It is empty or cut off: the process died before it could say all.
        """
        exit_code, outcome, failure, unfinished_line = json.loads(data)
        return cls(
            exit_code=exit_code,
            outcome=None if outcome is None else BlobRef(digest=outcome[0], size_bytes=outcome[1]),
            failure=failure,
            unfinished_line=unfinished_line,
        )
