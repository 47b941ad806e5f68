"""Translates what boto3 raises into `StorageError`, once, for every S3 call.

Source: Amazon S3 API Reference, "Error responses"; botocore.exceptions.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from boto3.exceptions import Boto3Error, RetriesExceededError
from botocore import exceptions
from botocore.exceptions import BotoCoreError, ClientError

from sm_remote.errors import CorruptBlob, CredentialsExpired, StorageError
from sm_remote.storage.expiry import is_expired
from sm_remote.storage.store import NO_CREDENTIALS

NOT_FOUND = frozenset({"404", "NoSuchKey", "NotFound"})
CONDITION_FAILED = frozenset({"412", "PreconditionFailed"})
CONFLICT = frozenset({"409", "ConditionalRequestConflict"})

_CHECK_KEYS = "Check the credentials with `aws sts get-caller-identity`."
_CODES: dict[str, tuple[str, str]] = {
    **dict.fromkeys(NOT_FOUND, ("There is no such object", "Check the key; the object may have been deleted.")),
    "NoSuchBucket": (
        "The bucket {bucket!r} does not exist",
        "Create it (`aws s3 mb s3://{bucket}`) or set s3_root_uri to a bucket that exists.",
    ),
    **dict.fromkeys(
        ("AccessDenied", "403", "Forbidden", "AllAccessDisabled", "AccountProblem"),
        (
            "Access was denied, or the bucket belongs to another account than expected",
            "Allow s3:GetObject, s3:PutObject and s3:ListBucket on {bucket!r} (without s3:ListBucket, S3 answers so "
            "for an object that is not there). Where it is another account's on purpose, set bucket_owner.",
        ),
    ),
    **dict.fromkeys(
        ("InvalidAccessKeyId", "InvalidToken", "InvalidClientTokenId", "NotSignedUp"),
        ("S3 does not know these credentials", _CHECK_KEYS),
    ),
    "SignatureDoesNotMatch": ("The secret key does not belong to the access key", _CHECK_KEYS),
    **dict.fromkeys(
        ("SlowDown", "503", "ServiceUnavailable", "Throttling", "ThrottlingException", "RequestLimitExceeded"),
        ("S3 asked to slow down and did so again after every retry", "Wait a minute and repeat the call."),
    ),
    **dict.fromkeys(
        ("PermanentRedirect", "301", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException"),
        ("The bucket lies in another region", "Set region to the bucket's own."),
    ),
    "RequestTimeTooSkewed": ("This machine's clock is wrong", "Set the clock and repeat the call."),
    **dict.fromkeys(
        ("NotImplemented", "501"),
        ("This S3 server does not know conditional writes (If-None-Match)", "Use a server that does."),
    ),
}
_CORRUPTING_CODES = frozenset(
    {"BadDigest", "XAmzContentSHA256Mismatch", "XAmzContentChecksumMismatch", "InvalidDigest"}
)

_NO_CREDENTIALS = (
    "No AWS credentials were found",
    "Run `aws configure` or `aws sso login`, or set AWS_PROFILE.",
)
_KINDS: tuple[tuple[tuple[type[Exception], ...], tuple[str, str]], ...] = (
    (
        (exceptions.NoCredentialsError, exceptions.PartialCredentialsError, exceptions.ProfileNotFound),
        _NO_CREDENTIALS,
    ),
    (
        (exceptions.HTTPClientError, exceptions.ConnectionError, exceptions.IncompleteReadError, RetriesExceededError),
        ("The endpoint could not be reached ({error})", "Check the network, a proxy, and the endpoint's address."),
    ),
)


@contextmanager
def translated_errors(done: str, uri: str) -> Iterator[None]:
    """Raises `StorageError`, or `CredentialsExpired`, for whatever boto3 raises inside.

    Args:
        done: What was tried, as a participle: "read", "written".
        uri: The object it was tried on.
    """
    try:
        yield
    except StorageError:
        raise
    except (exceptions.FlexibleChecksumError, exceptions.ChecksumError) as error:
        raise _corrupt(done, uri, str(error)) from error
    except ClientError as error:
        if is_expired(error):
            raise _explain_expired(error, done, uri) from error
        raise explain_client_error(error, done, uri) from error
    except (BotoCoreError, Boto3Error) as error:
        if is_expired(error):
            raise _explain_expired(error, done, uri) from error
        raise _explain_botocore_error(error, done, uri) from error
    except OSError as error:
        raise _explain_local_error(error, done, uri) from error


def code_of(error: ClientError) -> str:
    """Reads the error's code; S3 answers HEAD without a body, so it may be the HTTP status."""
    return str(error.response.get("Error", {}).get("Code", ""))


def explain_client_error(error: ClientError, done: str, uri: str) -> StorageError:
    """Builds the error for what S3 answered."""
    code = code_of(error)
    message = str(error.response.get("Error", {}).get("Message", ""))
    if code in _CORRUPTING_CODES:
        return _corrupt(done, uri, f"{code}: {message}")
    why, fix = _CODES.get(code, ("S3 refused", "Look up the code in Amazon S3's list of error responses."))
    bucket = uri.removeprefix("s3://").partition("/")[0]
    said = f"{code}: {message}" if message else code
    return StorageError(
        f"The object {uri} could not be {done}.",
        why=f"{why.format(bucket=bucket)} ({said}).",
        fix=fix.format(bucket=bucket),
        uri=uri,
        code=code,
        missing=code in NOT_FOUND,
    )


def _explain_expired(error: Exception, done: str, uri: str) -> CredentialsExpired:
    return CredentialsExpired(
        f"The AWS credentials have expired: the object {uri} could not be {done}. Training jobs go on.",
        why=str(error),
        fix="Sign in again (`aws sso login`, or new session credentials) and repeat the call.",
        uri=uri,
    )


def _explain_botocore_error(error: BotoCoreError | Boto3Error, done: str, uri: str) -> StorageError:
    otherwise = ("The call failed ({error})", "Check the credentials, the region and the network.")
    why, fix = next((text for kinds, text in _KINDS if isinstance(error, kinds)), otherwise)
    return StorageError(
        f"The object {uri} could not be {done}.",
        why=f"{why.format(error=error)}.",
        fix=fix,
        uri=uri,
        code=NO_CREDENTIALS if (why, fix) == _NO_CREDENTIALS else "",
        missing=False,
    )


def _explain_local_error(error: OSError, done: str, uri: str) -> StorageError:
    return StorageError(
        f"The object {uri} could not be {done}.",
        why=f"The cache on this machine failed: {error.strerror or error} ({error.filename}).",
        fix="Free space on that disk, or set SM_REMOTE_HOME to a directory that can be written.",
        uri=uri,
        missing=False,
    )


def _corrupt(done: str, uri: str, said: str) -> CorruptBlob:
    return CorruptBlob(
        f"The object {uri} could not be {done}: its bytes changed on the way.",
        why=f"Its checksum does not match ({said}).",
        fix="Repeat the call; if it happens again, the network, a proxy or the store alters data.",
        uri=uri,
    )
