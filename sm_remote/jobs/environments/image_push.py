"""Sends a built image to ECR, only where it is missing there: its tag is the key of its content."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from sm_remote.aws.ecr_uri import OWN_REPOSITORY
from sm_remote.errors import ImageBuildFailed
from sm_remote.home import Discovery
from sm_remote.image.context import BuildRecipe
from sm_remote.jobs.connection import Connection
from sm_remote.jobs.environments.built_images import Call, call_through, explain_failure, follow_work

logger = logging.getLogger("sm_remote")

_pushed: dict[tuple[str | None, str, str], str] = {}

Push = Callable[[str, str, Mapping[str, str]], None]
"""Sends an image under another name to a registry, with the credentials for it."""


class ImageRegistry(Protocol):
    """What a push asks of a registry; `sm_remote.aws.registry.Registry` is ECR."""

    def find_digest(self, repository: str, tag: str) -> str | None:
        """The digest of an image that is there."""

    def ensure_repository(self, repository: str) -> str:
        """The URI of a repository, made where it is not there."""

    def fetch_credentials(self) -> Mapping[str, str]:
        """For a push."""


def push_missing(
    image_uri: str, key: str, registry: ImageRegistry, push: Push, *, repository: str = OWN_REPOSITORY
) -> tuple[str, bool]:
    """Makes sure that a registry has an image.

    Args:
        image_uri: The image on this machine.
        key: Of its content; its tag there.
        registry: Where it has to be.
        push: Sends it.
        repository: Its name there.

    Returns:
        Its URI there, and whether it was sent.
    """
    digest = registry.find_digest(repository, key)
    target = f"{registry.ensure_repository(repository)}:{key}"
    if digest is not None:
        return target, False
    logger.info("Pushing the image %s to %s", image_uri, target)
    try:
        push(image_uri, target, registry.fetch_credentials())
    except ImageBuildFailed:
        # A tag is never given twice: somebody else may have been faster.
        if registry.find_digest(repository, key) is None:
            raise
        return target, False
    return target, True


def push_image(recipe: BuildRecipe, connection: Connection, discovery: Discovery) -> str:
    """Makes sure that the connection's account has an image, once in a process; its URI there.

    Raises:
        ImageBuildFailed: The registry did not take it.
        ConfigError: ECR refused; the text names the permission.
    """
    session = connection.training_jobs.session
    key = (session.account, session.region, recipe.key)
    if key not in _pushed:
        push = push_through(call_through(discovery))
        from sm_remote.aws.registry import Registry  # loads botocore, which only a push needs here

        _pushed[key], _ = push_missing(recipe.uri, recipe.key, Registry(session.client("ecr")), push)
    return _pushed[key]


def push_through(call: Call) -> Push:
    """Sends images through the local service, whose engine has them."""

    def push(image_uri: str, target: str, credentials: Mapping[str, str]) -> None:
        body = {
            "Image": image_uri,
            "Target": target,
            "Username": credentials["username"],
            "Password": credentials["password"],
        }
        ended, _ = follow_work(call, call("PushImage", body)["Work"])
        if ended["Status"] != "Completed":
            raise explain_failure(f"The image {image_uri} could not be pushed to {target}.", ended)

    return push
