"""The kind of `sagemaker_session`: boto3's session, or the SageMaker SDK's around one, which is not imported for it."""

from __future__ import annotations

from typing import Any

from traitlets import TraitError

from sm_remote.settings.kinds import Kind


class AwsSession(Kind):
    """A session whose credentials and region are used; it is kept as boto3's."""

    accepts = "a boto3.Session, or a Session of the SageMaker SDK"

    def __init__(self, *, help: str) -> None:
        super().__init__(None, allow_none=True, help=help)

    def _check(self, value: Any) -> Any:
        if getattr(value, "local_mode", False):
            raise TraitError("It is the SageMaker SDK's for its Local Mode; target='local' runs jobs on this machine")
        _refuse_bucket(value)
        session = getattr(value, "boto_session", value)
        if isinstance(value, type) or not hasattr(session, "client") or not hasattr(session, "region_name"):
            raise TraitError(f"Its type is {type(value).__name__}")
        return session

    def _read_text(self, text: str) -> Any:
        raise ValueError("a session is an object of Python; AWS_PROFILE and the setting region say the same in words")


def _refuse_bucket(value: Any) -> None:
    """What else a Session of the SDK can say is a setting here, and would be passed over in silence.

    Source: sagemaker.session.Session of the SDK 2.257 and 3.27: default_bucket and default_bucket_prefix.
    """
    bucket = getattr(value, "_default_bucket_name_override", None)
    prefix = getattr(value, "default_bucket_prefix", None)
    if isinstance(bucket, str) or isinstance(prefix, str):
        place = "/".join(part for part in (bucket or "<bucket>", prefix) if part)
        raise TraitError(f"It names where to store things, which is a setting here: s3_root_uri='s3://{place}'")
