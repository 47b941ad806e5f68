"""What the API answers when it refuses, as exceptions that operations raise and the server renders.

Source of the texts: observed answers of Amazon SageMaker; see the training job's behaviour contract in docs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence


class ApiError(Exception):
    """A refusal with the code that AWS clients branch on.

    Attributes:
        code: As in the response's ``__type``.
        message: For a person.
        status: Of HTTP.
    """

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
        self.message = message
        self.status = status


def invalid(message: str) -> ApiError:
    """A request that cannot be carried out as it stands."""
    return ApiError("ValidationException", message)


def violated(constraints: Sequence[str]) -> ApiError:
    """A request that is wrong in one or more ways; each is a whole phrase, and a sentence of its own is said alone."""
    if len(constraints) == 1 and not constraints[0].startswith("Value "):
        return invalid(constraints[0])
    noun = "error" if len(constraints) == 1 else "errors"
    return invalid(f"{len(constraints)} validation {noun} detected: {'; '.join(constraints)}")


def not_found() -> ApiError:
    """No such training job. Source: SageMaker answers with ValidationException, not with ResourceNotFound."""
    return invalid("Requested resource not found.")


def name_in_use(arn: str) -> ApiError:
    """CreateTrainingJob with a name that is taken."""
    return ApiError(
        "ResourceInUse",
        "Training job names must be unique within an AWS account and region, "
        f"and a training job with this name already exists ({arn})",
    )


def wrong_status(status: str) -> ApiError:
    """StopTrainingJob or DeleteTrainingJob of a job that is past it, or not yet there."""
    return invalid(f"The request was rejected because the training job is in status {status}.")


def unknown_operation(operation: str) -> ApiError:
    """An operation that the local training service does not serve."""
    return ApiError(
        "UnknownOperationException", f"The local training service does not implement the operation {operation}."
    )


def no_log_group() -> ApiError:
    """A log group other than that of training jobs. Source: API_GetLogEvents."""
    return ApiError("ResourceNotFoundException", "The specified log group does not exist.")


def no_log_stream() -> ApiError:
    """A stream that no job has written. Source: API_GetLogEvents."""
    return ApiError("ResourceNotFoundException", "The specified log stream does not exist.")


def error_body(error: ApiError) -> Mapping[str, str]:
    """The JSON that carries a refusal."""
    return {"__type": error.code, "message": error.message}
