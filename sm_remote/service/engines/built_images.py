"""Images that are built from what a client wrote down (``<home.images>/<key>``), as the Docker engine keeps them.

A client that gives an `Image` records its Dockerfile, its files and what else it needs, and asks for the image
``sm-remote-local/image:<key>``. Whoever needs that image, a build or a job, has it made from the record.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sm_remote.home import Home
from sm_remote.service.engines.engine import ImageMissing

BUILT_REPOSITORY = "sm-remote-local/image"

_BUILT_IMAGE = re.compile(r"sm-remote-local/image:(?P<key>[0-9a-f]{24})")

_PASSWORD = re.compile(r"(\w+://)[^/\s@]+@")


class ImageBuildError(ImageMissing):
    """An image could not be built.

    Args:
        what: What happened.
        fix: What to do about it.
        step: The line of the Dockerfile that failed, where it is known.
        tail: The last lines of the build's log.
    """

    def __init__(self, what: str, *, fix: str = "", step: str = "", tail: tuple[str, ...] = ()) -> None:
        super().__init__(what)
        self.fix = fix
        self.step = step
        self.tail = tail


@dataclass(frozen=True, kw_only=True, slots=True)
class ImageRecord:
    """What an image is built from.

    Attributes:
        key: Names its content.
        description: The image as its author wrote it.
        dockerfile: Its Dockerfile.
        context: The archive of the files that the Dockerfile copies.
        bases: Images that have to be there before.
        apt: Debian packages to unpack, by the folder of the build context that they go into.
        arguments: Names of variables of this machine that the build may see.
    """

    key: str
    description: str
    dockerfile: str
    context: Path
    bases: tuple[str, ...]
    apt: Mapping[str, tuple[str, ...]]
    arguments: tuple[str, ...]


def hide_passwords(text: str) -> str:
    """The text without passwords in URLs, such as those of private indexes."""
    return _PASSWORD.sub(r"\1***@", text)


def is_built_image(image: str) -> bool:
    """Whether an image is one that is built from a record."""
    return _BUILT_IMAGE.fullmatch(image) is not None


def read_image_record(home: Home, image: str) -> ImageRecord:
    """Reads what an image is built from.

    Raises:
        ImageMissing: It was never written down, or cannot be read.
    """
    match = _BUILT_IMAGE.fullmatch(image)
    if match is None:
        raise ImageMissing(f"{image} is no image that is built here")
    directory = home.images / match["key"]
    try:
        content = json.loads((directory / "image.json").read_text())
        return ImageRecord(
            key=match["key"],
            description=content["description"],
            dockerfile=content["dockerfile"],
            context=directory / "context.tar",
            bases=tuple(content["bases"]),
            apt={folder: tuple(packages) for folder, packages in content["apt"].items()},
            arguments=tuple(content["arguments"]),
        )
    except FileNotFoundError as error:
        raise ImageMissing(f"{image}: nothing is recorded in {directory}; submit the job again") from error
    except (ValueError, KeyError, TypeError) as error:
        raise ImageMissing(f"{image}: the record in {directory} cannot be read ({error!r}); delete it") from error
