"""An ECR of one account: repositories and images that a test wrote down, with the API's answers and errors."""

from __future__ import annotations

import base64
import hashlib
import json
from typing import Any

from botocore.exceptions import ClientError


class FakeEcr:
    """The part of boto3's client of ECR that pushing and looking need."""

    registry = "000000000000.dkr.ecr.eu-west-1.amazonaws.com"

    def __init__(self, images: dict[str, dict[str, str]] | None = None) -> None:
        self.images = images or {}
        self.calls: list[str] = []
        self.manifests: dict[str, dict[str, Any]] = {}
        self.blobs: dict[str, bytes] = {}
        self.refuses: str | None = None

    def describe_images(self, *, repositoryName: str, imageIds: list[dict[str, str]], **_: Any) -> dict[str, Any]:
        self._note("DescribeImages")
        tag = imageIds[0]["imageTag"]
        if repositoryName not in self.images:
            raise self._error("RepositoryNotFoundException", "DescribeImages")
        if tag not in self.images[repositoryName]:
            raise self._error("ImageNotFoundException", "DescribeImages")
        return {"imageDetails": [{"imageDigest": self.images[repositoryName][tag]}]}

    def batch_get_image(self, *, repositoryName: str, imageIds: list[dict[str, str]], **_: Any) -> dict[str, Any]:
        self._note("BatchGetImage")
        if repositoryName not in self.images:
            raise self._error("RepositoryNotFoundException", "BatchGetImage")
        wanted = imageIds[0].get("imageTag") or imageIds[0]["imageDigest"]
        manifest = self.manifests.get(f"{repositoryName}:{wanted}")
        if manifest is None:
            return {"images": [], "failures": [{"failureCode": "ImageNotFound"}]}
        return {"images": [{"imageManifest": json.dumps(manifest)}], "failures": []}

    def get_download_url_for_layer(self, *, repositoryName: str, layerDigest: str, **_: Any) -> dict[str, Any]:
        self._note("GetDownloadUrlForLayer")
        return {"downloadUrl": f"https://layers.example/{repositoryName}/{layerDigest}"}

    def add_config(self, repository: str, tag: str, config: dict[str, Any], *, in_index: bool = False) -> None:
        """Notes an image with a configuration, as the registry keeps it."""
        content = json.dumps(config).encode()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        self.blobs[f"https://layers.example/{repository}/{digest}"] = content
        self.images.setdefault(repository, {})[tag] = "sha256:1"
        manifest: dict[str, Any] = {"schemaVersion": 2, "config": {"digest": digest}}
        if in_index:
            self.manifests[f"{repository}:sha256:amd64"] = manifest
            platforms = [("arm64", "sha256:arm64"), ("amd64", "sha256:amd64")]
            manifest = {
                "manifests": [
                    {"digest": one, "platform": {"os": "linux", "architecture": name}} for name, one in platforms
                ]
            }
        self.manifests[f"{repository}:{tag}"] = manifest

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
