"""From an `Image` to the URI that a request can name: built by the local engine, and on SageMaker pushed to ECR."""

from __future__ import annotations

import logging
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from typing import Any

from sm_remote.aws.local_service import call_service
from sm_remote.capture.interpreter import (
    describe_interpreter,
    local_image_uri,
    register_interpreter,
    runs_in_containers,
)
from sm_remote.errors import EngineUnavailable, ImageBuildFailed, ServiceUnavailable
from sm_remote.home import Discovery, Home
from sm_remote.image.context import BuildRecipe, build_recipe, record_image, starts_from
from sm_remote.image.definition import Image
from sm_remote.jobs.connection import Connection

logger = logging.getLogger("sm_remote")

Call = Callable[[str, Mapping[str, Any]], Mapping[str, Any]]
"""Calls an operation of the local service by its name."""

WAIT_S = 10.0

_built: set[tuple[str, str]] = set()


def plan_image(image: Image) -> BuildRecipe:
    """What an image is built from on this machine.

    Raises:
        ConfigError: A file of it is not there.
    """
    here = describe_interpreter()
    minor = ".".join(here.version.split(".")[:2])
    is_local = runs_in_containers(here) and starts_from(image, minor)
    return build_recipe(
        image,
        local_base=local_image_uri(here) if is_local else None,
        has_uv=sys.platform.startswith("linux"),
        has_apt=all(map(shutil.which, ("apt-get", "dpkg-deb"))),
    )


def ensure_image(image: Image, home: Home, discovery: Discovery) -> BuildRecipe:
    """Has an image built, unless this process knows that it is there.

    An image that was removed since is built again by the job that needs it.

    Raises:
        ConfigError: A file of it is not there.
        ImageBuildFailed: A step failed, or the engine builds no images.
    """
    recipe = plan_image(image)
    if (discovery.instance, recipe.key) not in _built:
        build_image(recipe, home, call_through(discovery))
        _built.add((discovery.instance, recipe.key))
    return recipe


def call_through(discovery: Discovery) -> Call:
    """Calls the operations of a service."""

    def call(name: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        try:
            return call_service(discovery, name, body, limit_s=int(WAIT_S) + 30)
        except ServiceUnavailable as error:
            if "builds no images" not in error.why:
                raise
            raise EngineUnavailable(
                "There are no images here: jobs run as processes, without containers.",
                why="The local training service found no Docker when it started, or was told to use none.",
                fix="Install and start Docker (sudo scripts/setup-engine.sh), then: sm-remote service stop.",
            ) from error

    return call


def build_image(recipe: BuildRecipe, home: Home, call: Call) -> None:
    """Has an image built and follows its log.

    Raises:
        ImageBuildFailed: It could not be built.
    """
    register_interpreter(home, describe_interpreter())
    record_image(home, recipe)
    started = time.monotonic()
    ended, lines = follow_work(call, call("BuildImage", {"Image": recipe.uri})["Work"])
    if ended["Status"] != "Completed":
        raise explain_failure(f"{recipe.description} could not be built.", ended)
    if lines:
        logger.info("Built the image %s in %.1f s", recipe.uri, time.monotonic() - started)


def follow_work(call: Call, work: str) -> tuple[Mapping[str, Any], int]:
    """Logs what a work says until it has ended; how it ended, and how many lines there were."""
    after = 0
    while True:
        answer = call("DescribeImageWork", {"Work": work, "After": after, "WaitS": WAIT_S})
        for line in answer["Lines"]:
            logger.info("%s", line)
        after = answer["Next"]
        if answer["Status"] != "InProgress":
            return answer, after


def explain_failure(what: str, ended: Mapping[str, Any]) -> ImageBuildFailed:
    """The error of a build or a push that failed."""
    step, tail = str(ended.get("Step") or ""), list(ended.get("Tail") or ())
    parts = [f"The step that failed: {step}"] if step else []
    parts += ["The end of its log:", *(f"    {line}" for line in tail)] if tail else []
    parts.append(str(ended.get("Reason", "")))
    return ImageBuildFailed(
        what,
        why="\n".join(parts),
        fix=str(ended.get("Fix") or "`sm-remote doctor` looks at the engine."),
        step=step,
        log=tail,
    )


def require_discovery(discovery: Discovery | None) -> Discovery:
    """The local service that builds.

    Raises:
        ServiceUnavailable: It is not known where it is.
    """
    if discovery is None:
        raise ServiceUnavailable("The local training service, which builds images, did not say where it is.")
    return discovery


@dataclass(frozen=True, kw_only=True, slots=True)
class BuiltImage:
    """An image that the local engine built."""

    uri: str
    description: str
    created: datetime
    size_bytes: int


def list_built(call: Call) -> list[BuiltImage]:
    """The images that were built here, newest first."""
    return [
        BuiltImage(
            uri=one["Image"],
            description=one["Description"],
            created=datetime.fromtimestamp(one["CreationTime"], timezone.utc),
            size_bytes=one["SizeBytes"],
        )
        for one in call("ListImages", {})["Images"]
    ]


def find_live_images(connection: Connection) -> frozenset[str]:
    """The images of jobs that have not ended."""
    jobs = connection.training_jobs
    rows = [row for status in ("InProgress", "Stopping") for row in jobs.list_all(status=status)]
    return frozenset(filter(None, (jobs.describe(row.name).image_uri for row in rows)))


def prune_built(images: Iterable[BuiltImage], call: Call) -> tuple[list[BuiltImage], list[BuiltImage]]:
    """Removes images; gives those that went, and those that a container still needs."""
    removed, kept = [], []
    for image in images:
        try:
            call("RemoveImage", {"Image": image.uri})
            removed.append(image)
        except ServiceUnavailable:
            kept.append(image)
    _built.clear()
    return removed, kept
