"""Secrets Manager as far as a job's secrets need it: a client that knows some secrets, and boto3 around it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from botocore.exceptions import ClientError


class FakeSecretsManager:
    """Answers GetSecretValue.

    Attributes:
        asked: The secrets that were asked for, with the region of the client.
    """

    def __init__(self, secrets: dict[str, str | bytes]) -> None:
        self.secrets = secrets
        self.asked: list[tuple[str | None, str]] = []

    def client(self, service: str = "secretsmanager", region_name: str | None = None) -> Any:
        assert service == "secretsmanager"
        return SimpleNamespace(get_secret_value=lambda SecretId: self._get(region_name, SecretId))

    def load(self, name: str) -> Any:
        """Imports ``boto3``."""
        assert name == "boto3"
        return SimpleNamespace(session=SimpleNamespace(Session=lambda: SimpleNamespace(client=self.client)))

    def _get(self, region: str | None, secret_id: str) -> dict[str, Any]:
        self.asked.append((region, secret_id))
        if secret_id not in self.secrets:
            error = {"Code": "ResourceNotFoundException", "Message": "Secrets Manager can't find it."}
            raise ClientError({"Error": error}, "GetSecretValue")
        value = self.secrets[secret_id]
        return {"SecretBinary": value} if isinstance(value, bytes) else {"SecretString": value}
