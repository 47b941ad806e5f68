"""Amazon ECR: which images a repository has, and what a push needs. Source: Amazon ECR API Reference."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sm_remote.errors import ConfigError, ServiceUnavailable


class Registry:
    """The private registry of one account in one region.

    Args:
        client: boto3's of the service ``ecr``.
        account: Whose it is; the caller's own unless given.
    """

    def __init__(self, client: Any, account: str | None = None) -> None:
        self._client = client
        self._owner = {"registryId": account} if account else {}

    def find_digest(self, repository: str, tag: str) -> str | None:
        """The digest of an image; None where it, or the repository, is not there."""
        try:
            answer = self._call(
                "describe_images", repositoryName=repository, imageIds=[{"imageTag": tag}], **self._owner
            )
        except ClientError as error:
            if error.response["Error"]["Code"] in ("ImageNotFoundException", "RepositoryNotFoundException"):
                return None
            raise _translate(error, "DescribeImages", repository) from error
        digest: str = answer["imageDetails"][0]["imageDigest"]
        return digest

    def ensure_repository(self, repository: str) -> str:
        """The URI of a repository, made where it is not there; what is in it never changes under its tag."""
        try:
            answer = self._call("describe_repositories", repositoryNames=[repository], **self._owner)
            uri: str = answer["repositories"][0]["repositoryUri"]
            return uri
        except ClientError as error:
            if error.response["Error"]["Code"] != "RepositoryNotFoundException":
                raise _translate(error, "DescribeRepositories", repository) from error
        return self._create(repository)

    def _create(self, repository: str) -> str:
        try:
            answer = self._call(
                "create_repository", repositoryName=repository, imageTagMutability="IMMUTABLE", **self._owner
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "RepositoryAlreadyExistsException":
                return self.ensure_repository(repository)
            raise _translate(error, "CreateRepository", repository) from error
        uri: str = answer["repository"]["repositoryUri"]
        return uri

    def fetch_credentials(self) -> Mapping[str, str]:
        """User name and password for a push, valid for hours. They are written nowhere."""
        try:
            answer = self._call("get_authorization_token")
        except ClientError as error:
            raise _translate(error, "GetAuthorizationToken", "the registry") from error
        token = base64.b64decode(answer["authorizationData"][0]["authorizationToken"]).decode()
        username, _, password = token.partition(":")
        return {"username": username, "password": password}

    def _call(self, operation: str, **members: Any) -> Any:
        try:
            return getattr(self._client, operation)(**members)
        except BotoCoreError as error:
            raise ServiceUnavailable(
                "Amazon ECR could not be reached.", why=str(error), fix="Check the AWS credentials and the network."
            ) from error


def _translate(error: ClientError, operation: str, repository: str) -> ConfigError:
    code = error.response["Error"]["Code"]
    action = f"ecr:{operation}"
    fix = f"Let your identity do {action}, or push the image yourself and give its URI."
    return ConfigError(f"Amazon ECR refused {action} for {repository} ({code}).", why=str(error), fix=fix)
