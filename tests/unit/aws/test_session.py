"""Amazon SageMaker is reached with the user's own credentials, or an error says what is missing."""

from __future__ import annotations

from pathlib import Path

import pytest

from sm_remote.aws.session import connect_aws
from sm_remote.errors import ServiceUnavailable


def test_absent_credentials_are_an_error_of_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    with pytest.raises(ServiceUnavailable, match="Unable to locate credentials") as caught:
        _ = connect_aws("us-east-1").account
    assert "aws sts get-caller-identity" in caught.value.fix
