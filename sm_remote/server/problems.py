"""What keeps the panel from showing or doing something, in the three parts that every error of ours has. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from sm_remote.errors import (
    ConfigError,
    CredentialsExpired,
    EngineUnavailable,
    JobError,
    JobNameInUse,
    JobNotFound,
    RemoteError,
    ServiceUnavailable,
    StorageError,
    SubmitError,
    Throttled,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Problem:
    """One problem.

    Attributes:
        code: What the panel goes by: ``no_credentials``, ``offline``, ``no_engine`` and so on.
        what: What happened.
        why: The cause, where it is known.
        fix: What the reader can do.
        status: The HTTP status that fits.
    """

    code: str
    what: str
    why: str = ""
    fix: str = ""
    status: int = 500


def render_problem(problem: Problem) -> dict[str, Any]:
    """The problem as JSON has it."""
    return asdict(problem)


_REFUSED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")
_INVALID = ("UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch")
_ABSENT = ("NoCredentialsError", "PartialCredentialsError")
_NO_CREDENTIALS = (*_ABSENT, "CredentialRetrievalError", "TokenRetrievalError")
_OFFLINE = ("EndpointConnectionError", "ConnectTimeoutError", "ConnectionClosedError", "ReadTimeoutError", "SSLError")


def explain(error: BaseException) -> Problem:
    """What an error means for the panel."""
    if not isinstance(error, RemoteError):
        return Problem(
            code="unexpected",
            what="Something unexpected went wrong in the Jupyter server.",
            why=type(error).__name__,
            fix="The server's log has the details; please report it.",
        )
    code, status = _classify(error)
    return Problem(code=code, what=error.what, why=error.why, fix=_FIXES.get(code, "") or error.fix, status=status)


_FIXES = {
    "no_credentials": "Sign in to AWS (`aws configure`, or `aws sso login`), then press Refresh.",
    "expired_credentials": "Refresh the AWS credentials (`aws sso login`, or new keys), then press Refresh.",
}


def _classify(error: RemoteError) -> tuple[str, int]:
    cause = type(error.__cause__).__name__
    if isinstance(error, JobNotFound):
        return "no_such_job", 404
    if isinstance(error, JobNameInUse):
        return "name_in_use", 409
    if isinstance(error, SubmitError):
        return _classify_refusal(str(error.facts.get("code", "")))
    if isinstance(error, CredentialsExpired):
        return ("no_credentials" if cause in _ABSENT else "expired_credentials"), 403
    if isinstance(error, Throttled):
        return "throttled", 429
    if isinstance(error, ConfigError):
        return ("no_region", 400) if error.what.startswith("No AWS region") else ("settings", 400)
    if isinstance(error, EngineUnavailable):
        return "no_engine", 503
    if isinstance(error, ServiceUnavailable):
        if cause in _NO_CREDENTIALS:
            return "no_credentials", 403
        return ("offline", 502) if cause in _OFFLINE else ("no_service", 502)
    if isinstance(error, StorageError):
        return "storage", 502
    return ("job", 409) if isinstance(error, JobError) else ("refused", 400)


def _classify_refusal(code: str) -> tuple[str, int]:
    if code in _REFUSED:
        return "no_permission", 403
    if code in _INVALID:
        return "no_credentials", 403
    return "refused", 400
