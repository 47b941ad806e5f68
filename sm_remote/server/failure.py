"""Why a job failed: in words first, then as the service said it. Pure."""

from __future__ import annotations

import re

_EXIT = re.compile(r", exit code: (-?\d+)\s*$")
_KINDS = {
    "AlgorithmError": "The job's own code failed.",
    "ClientError": "The job could not be run as it was asked for.",
    "InternalServerError": "The service failed; the job and its request are not to blame.",
    "CapacityError": "There is no capacity for this instance type at present.",
}


def explain_failure(reason: str | None) -> dict[str, str] | None:
    """Why a job failed: in words first, then as the service said it. None where it did not fail."""
    if not reason:
        return None
    kind, colon, text = reason.partition(":")
    known = _KINDS.get(kind.strip()) if colon else None
    text = (text if known else reason).strip()
    found = _EXIT.search(text)
    exit_code = found[1] if found else ""
    text = text[: found.start()] if found else text
    headline, _, rest = text.strip().partition("\n")
    return {
        "kind": known or "",
        "headline": headline.strip(),
        "text": rest.strip(),
        "exit_code": exit_code,
        "reason": reason,
    }
