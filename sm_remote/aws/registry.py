"""Amazon ECR: which images a repository has, and what a push needs. Source: Amazon ECR API Reference."""

from __future__ import annotations

import base64
import hashlib
import json
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sm_remote.aws.ecr_uri import EcrImage
from sm_remote.aws.refusals import explain_passing
from sm_remote.errors import ConfigError, RemoteError, ServiceUnavailable

_MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
"""What a manifest may be. Source: OCI Image Format Specification, "Media types"."""
_CONFIG_LIMIT_BYTES = 4 * 2**20
_FETCH_LIMIT_S = 10.0


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

    def is_pullable(self, image: EcrImage) -> bool:
        """Whether an image is there and may be pulled; False where it, or its repository, is not there.

        Raises:
            ConfigError: ECR refuses to say.
        """
        return self._read_manifest(image.repository, image.image_id) is not None

    def read_config(self, image: EcrImage, *, fetch: Callable[[str], bytes] | None = None) -> Mapping[str, Any] | None:
        """An image's configuration (``Env``, ``Labels``, ``architecture``); None where the image is not there.

        Args:
            image: Where it lies.
            fetch: Gets the content of a URL.

        Raises:
            ConfigError: ECR refuses to say, or what it says is not what it should be.
        """
        manifest = self._read_manifest(image.repository, image.image_id)
        for _ in range(2):  # an index names the image of each platform
            if manifest is None or "config" in manifest:
                break
            chosen = next((one for one in manifest.get("manifests", ()) if _is_x86(one)), None)
            manifest = chosen and self._read_manifest(image.repository, {"imageDigest": chosen["digest"]})
        if not manifest or "config" not in manifest:
            return None
        digest = manifest["config"]["digest"]
        try:
            url = self._call(
                "get_download_url_for_layer", repositoryName=image.repository, layerDigest=digest, **self._owner
            )["downloadUrl"]
        except ClientError as error:
            raise _translate(error, "GetDownloadUrlForLayer", image.repository) from error
        content = (fetch or _fetch)(url)
        if f"sha256:{hashlib.sha256(content).hexdigest()}" != digest:
            raise ConfigError(
                f"The configuration of the image {image.repository}:{image.tag} has another digest than its manifest "
                "says.",
                fix="Push the image again.",
            )
        config: Mapping[str, Any] = json.loads(content)
        return config

    def _read_manifest(self, repository: str, image_id: Mapping[str, str]) -> Any:
        try:
            answer = self._call(
                "batch_get_image",
                repositoryName=repository,
                imageIds=[dict(image_id)],
                acceptedMediaTypes=list(_MANIFESTS),
                **self._owner,
            )
        except ClientError as error:
            if error.response["Error"]["Code"] == "RepositoryNotFoundException":
                return None
            raise _translate(error, "BatchGetImage", repository) from error
        images = answer.get("images") or ()
        return json.loads(images[0]["imageManifest"]) if images else None

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
            raise explain_passing(error, "Amazon ECR") or ServiceUnavailable(
                "Amazon ECR could not be reached.", why=str(error), fix="Check the AWS credentials and the network."
            ) from error


def _is_x86(entry: Mapping[str, Any]) -> bool:
    platform = entry.get("platform") or {}
    return platform.get("os") == "linux" and platform.get("architecture") == "amd64"


def _fetch(url: str) -> bytes:
    if not url.startswith("https://"):
        raise ConfigError("Amazon ECR gave an address that is not https.")
    try:
        with urllib.request.urlopen(url, timeout=_FETCH_LIMIT_S) as answer:  # noqa: S310 - https, see above
            content: bytes = answer.read(_CONFIG_LIMIT_BYTES)
    except OSError as error:
        raise ServiceUnavailable("An image's configuration could not be downloaded.", why=str(error)) from error
    return content


def _translate(error: ClientError, operation: str, repository: str) -> RemoteError:
    passing = explain_passing(error, "Amazon ECR")
    if passing is not None:
        return passing
    code = error.response["Error"]["Code"]
    action = f"ecr:{operation}"
    fix = f"Let your identity do {action}, or push the image yourself and give its URI."
    return ConfigError(f"Amazon ECR refused {action} for {repository} ({code}).", why=str(error), fix=fix)
