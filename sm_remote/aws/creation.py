"""CreateTrainingJob, so that there is exactly one job whatever becomes of requests and answers.

The operation has no client token: the job's name is what makes a repetition recognisable. So the name is final before
the first request is sent, and where an answer is missing DescribeTrainingJob tells what became of the request before
another is sent. botocore's own repetition is off for this operation alone, because it would send without having asked.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from sm_remote.aws.refusals import explain_name_in_use
from sm_remote.aws.responses import TrainingJobDescription
from sm_remote.errors import (
    CredentialsExpired,
    JobNameInUse,
    JobNotFound,
    RemoteError,
    ServiceUnavailable,
    SubmitError,
    Throttled,
)

PAUSES_S = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Before each further try."""
THROTTLED_TRIES = 60
"""A request that was throttled has not been carried out; the next one waits for its turn, ever longer."""


class Creator(Protocol):
    """The API, as far as this needs it."""

    def send_creation(self, request: Mapping[str, Any]) -> str:
        """Sends the request one time and returns the ARN; ``facts["may_have_arrived"]`` of an error is set."""

    def describe(self, name: str) -> TrainingJobDescription:
        """DescribeTrainingJob, which may be repeated."""


def create_once(api: Creator, request: Mapping[str, Any], *, sleep: Callable[[float], None]) -> str:
    """Creates a training job and returns its ARN.

    Args:
        api: The API.
        request: Its name is not used for anything else.
        sleep: Between tries.

    Raises:
        JobNameInUse: Another job has the name.
        SubmitError: The API refused.
        ServiceUnavailable: It cannot be reached; ``facts["may_exist"]`` tells whether there may be a job.
        CredentialsExpired: Likewise.
    """
    name, pauses_s, throttled, in_doubt = request["TrainingJobName"], iter(PAUSES_S), 0, False
    while True:
        try:
            return api.send_creation(request)
        except Throttled as error:
            throttled += 1
            if throttled == THROTTLED_TRIES:
                error.facts["may_exist"] = in_doubt
                raise
            continue
        except SubmitError as error:
            if not in_doubt and not isinstance(error, JobNameInUse):
                raise
            # Where an answer was lost, it may be this very job that the quota was used up by.
            trouble: RemoteError = error
        except (ServiceUnavailable, CredentialsExpired) as error:
            in_doubt = in_doubt or bool(error.facts.get("may_have_arrived"))
            if not in_doubt and not error.facts.get("unreachable"):
                raise
            trouble = error
        trouble.facts["may_exist"] = in_doubt
        existing = _find(api, name, in_doubt) if in_doubt or isinstance(trouble, JobNameInUse) else None
        if existing is not None and is_same(existing, request):
            return existing.arn
        if existing is not None:
            raise explain_name_in_use(name, trouble.why)
        # It has not arrived, or not yet: if it is sent again, one of the two finds the name taken.
        pause_s = next(pauses_s, None)
        if pause_s is None:
            raise trouble
        sleep(pause_s)


def _find(api: Creator, name: str, in_doubt: bool) -> TrainingJobDescription | None:
    """The job of a name, if there is one."""
    try:
        return api.describe(name)
    except JobNotFound:
        return None
    except RemoteError as error:
        error.facts["may_exist"] = in_doubt
        raise


def is_same(existing: TrainingJobDescription, request: Mapping[str, Any]) -> bool:
    """Whether a job is the one that a request asks for.

    Its arguments hold the manifest's digest, and with it everything that the job runs; its name holds 50 random bits.
    So nobody else's job has both, and one that had would come to the same value.
    """
    asked = tuple(request["AlgorithmSpecification"].get("ContainerArguments") or ())
    return bool(asked) and existing.arguments == asked
