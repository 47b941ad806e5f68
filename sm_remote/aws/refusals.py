"""What the API's refusals and botocore's own failures mean, as errors that a person can act on. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sm_remote.errors import (
    CredentialsExpired,
    JobNameInUse,
    JobNotFound,
    RemoteError,
    ServiceUnavailable,
    SubmitError,
    Throttled,
)
from sm_remote.storage.expiry import EXPIRED, is_expired

__all__ = ["EXPIRED", "THROTTLED", "is_expired"]

THROTTLED = frozenset(
    (
        *("Throttling", "ThrottlingException", "ThrottledException", "RequestThrottled", "RequestThrottledException"),
        *("TooManyRequestsException", "RequestLimitExceeded", "SlowDown"),
    )
)
"""Source: botocore.retries.standard, of the codes those that SageMaker, CloudWatch Logs and STS may answer."""
_ABSENT = frozenset(("NoCredentialsError", "PartialCredentialsError"))
_UNSENT = frozenset(("EndpointConnectionError", "ConnectTimeoutError", "ProxyConnectionError", "SSLError"))
_UNANSWERED = frozenset(("ConnectionClosedError", "ReadTimeoutError", "HTTPClientError", "ResponseStreamingError"))

SIGN_IN = "Sign in again (`aws sso login`, or new session credentials)"


def translate_error(error: Any, operation: str, members: Mapping[str, Any], *, advice: str = "") -> RemoteError:
    """Turns what boto3 raised into the error that a person can act on.

    Args:
        error: A ClientError or a BotoCoreError.
        operation: In boto3's spelling.
        members: Of the request.
        advice: What to do when the API cannot be reached.
    """
    name = str(members.get("TrainingJobName", members.get("logStreamNamePrefix", "")))
    if is_expired(error):
        return explain_expired(str(error), name)
    if is_absent(error):
        return explain_absent(str(error))
    answer = _answer_of(error)
    if answer is None:
        return ServiceUnavailable(
            f"The training-job API could not be reached for {operation}.", why=str(error), fix=advice
        )
    code: str = answer["Error"].get("Code", "")
    text: str = answer["Error"].get("Message", "")
    if code in THROTTLED:
        return Throttled(
            f"The API asked to slow down at {_spell(operation)}, and did so after every retry.",
            why=f"{code}: {text}",
            fix="The account's other programs use up its quota: call again in a minute.",
            code=code,
        )
    if _status_of(error) >= 500:
        return ServiceUnavailable(
            f"The API failed at {_spell(operation)}: {code}.", why=text, fix="Call again in a minute.", code=code
        )
    if "Requested resource not found" in text or code in ("ResourceNotFound", "ResourceNotFoundException"):
        return JobNotFound(
            f"There is no training job {name!r}.",
            why=text,
            fix="`sm-remote jobs` lists the newest of the target, the account and the region that are set.",
            job_name=name,
        )
    if code == "ResourceInUse":
        return explain_name_in_use(name, text)
    return SubmitError(
        f"The API refused {_spell(operation)}: {code}.", why=text, fix=_ADVICE.get(code, ""), code=code, job_name=name
    )


def explain_passing(error: Any, service: str) -> RemoteError | None:
    """The error for trouble that no permission would mend: expired credentials, throttling, a failure of AWS's own.

    Args:
        error: A ClientError or a BotoCoreError, of any service.
        service: As people call it.

    Returns:
        None for any other trouble.
    """
    if is_expired(error):
        return explain_expired(str(error))
    code: str = ((_answer_of(error) or {}).get("Error") or {}).get("Code", "")
    if code in THROTTLED:
        return Throttled(
            f"{service} asked to slow down, and did so after every retry.",
            why=str(error),
            fix="Call again in a minute.",
            code=code,
        )
    if _status_of(error) >= 500:
        return ServiceUnavailable(
            f"{service} failed: {code}.", why=str(error), fix="Call again in a minute.", code=code
        )
    return None


def explain_name_in_use(name: str, text: str) -> JobNameInUse:
    """The error for a name that another job has."""
    return JobNameInUse(
        f"A training job named {name!r} exists already.",
        why=text,
        fix="Names are unique for ever in an account and region: choose another job_name_prefix, "
        "or attach to the existing job.",
        job_name=name,
    )


def explain_expired(why: str, name: str = "") -> CredentialsExpired:
    """The error for credentials that were good and are so no longer: what runs goes on, and how to come back to it."""
    back = f", then call result() again, or sm_remote.attach({name!r})" if name else ", then call again"
    return CredentialsExpired(
        "The AWS credentials have expired or are gone; training jobs go on.",
        why=why,
        fix=f"{SIGN_IN}{back}.",
        job_name=name,
    )


def explain_absent(why: str) -> ServiceUnavailable:
    """The error for credentials that were never there; a machine's own may come a moment later: then it goes on."""
    return ServiceUnavailable(
        "No AWS credentials were found here.",
        why=why,
        fix="Set them up: `aws configure`, or `aws sso login`. `sm-remote doctor --target sagemaker` tells what else "
        "is missing; with target='local' jobs need none.",
    )


def is_absent(error: Any) -> bool:
    """Whether boto3 found no credentials, or half of them."""
    return type(error).__name__ in _ABSENT


def may_have_arrived(error: BaseException) -> bool:
    """Whether a request may have been carried out although it failed: its answer was lost, or is an error of theirs."""
    if _answer_of(error) is not None:
        return _status_of(error) >= 500
    names = [kind.__name__ for kind in type(error).__mro__]
    return _UNSENT.isdisjoint(names) and not _UNANSWERED.isdisjoint(names)


def is_unreachable(error: BaseException) -> bool:
    """Whether a request was not sent because nobody took it."""
    return not _UNSENT.isdisjoint(kind.__name__ for kind in type(error).__mro__)


def _answer_of(error: Any) -> dict[str, Any] | None:
    """What the API answered; None where it did not (an HTTPClientError has the attribute, too)."""
    answer = getattr(error, "response", None)
    return answer if isinstance(answer, dict) else None


def _status_of(error: Any) -> int:
    return int((_answer_of(error) or {}).get("ResponseMetadata", {}).get("HTTPStatusCode") or 0)


_ADVICE: Mapping[str, str] = {
    "AccessDeniedException": "The caller's identity lacks this permission; the message names action and resource.",
    "ResourceLimitExceeded": "Ask for a quota increase in Service Quotas, or use another instance type.",
    "UnrecognizedClientException": "The AWS credentials are not valid for this endpoint.",
}


def _spell(operation: str) -> str:
    return "".join(part.capitalize() for part in operation.split("_"))
