"""An ECR of one account: repositories and images that a test wrote down, with the API's answers and errors."""

from __future__ import annotations

import base64
from typing import Any

from botocore.exceptions import ClientError


class FakeEcr:
    """The part of boto3's client of ECR that pushing needs."""

    registry = "000000000000.dkr.ecr.eu-west-1.amazonaws.com"

    def __init__(self, images: dict[str, dict[str, str]] | None = None) -> None:
        self.images = images or {}
        self.calls: list[str] = []
        self.refuses: str | None = None

    def describe_images(self, *, repositoryName: str, imageIds: list[dict[str, str]], **_: Any) -> dict[str, Any]:
        self._note("DescribeImages")
        tag = imageIds[0]["imageTag"]
        if repositoryName not in self.images:
            raise self._error("RepositoryNotFoundException", "DescribeImages")
        if tag not in self.images[repositoryName]:
            raise self._error("ImageNotFoundException", "DescribeImages")
        return {"imageDetails": [{"imageDigest": self.images[repositoryName][tag]}]}

    def describe_repositories(self, *, repositoryNames: list[str], **_: Any) -> dict[str, Any]:
        self._note("DescribeRepositories")
        if repositoryNames[0] not in self.images:
            raise self._error("RepositoryNotFoundException", "DescribeRepositories")
        return {"repositories": [{"repositoryUri": f"{self.registry}/{repositoryNames[0]}"}]}

    def create_repository(self, *, repositoryName: str, **_: Any) -> dict[str, Any]:
        self._note("CreateRepository")
        self.images[repositoryName] = {}
        return {"repository": {"repositoryUri": f"{self.registry}/{repositoryName}"}}

    def get_authorization_token(self) -> dict[str, Any]:
        self._note("GetAuthorizationToken")
        return {"authorizationData": [{"authorizationToken": base64.b64encode(b"AWS:word:with:colons").decode()}]}

    def _note(self, operation: str) -> None:
        self.calls.append(operation)
        if self.refuses == operation:
            raise self._error("AccessDeniedException", operation)

    def _error(self, code: str, operation: str) -> ClientError:
        return ClientError({"Error": {"Code": code, "Message": f"{code} of a test"}}, operation)
