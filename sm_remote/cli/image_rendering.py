"""Built images as text. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from sm_remote.cli.inert_text import make_inert
from sm_remote.cli.json_text import render_json
from sm_remote.cli.table import render_table
from sm_remote.cli.units import render_age, render_bytes, render_moment

if TYPE_CHECKING:
    from sm_remote.catalogue import AwsImage
    from sm_remote.jobs.environments.built_images import BuiltImage

_DESCRIPTION_WIDTH = 100


def render_images(images: Sequence[BuiltImage], *, now: datetime) -> str:
    """The list as a person reads it."""
    if not images:
        return "No image was built here.\n"
    rows = [
        (
            make_inert(image.uri.rpartition(":")[2][:12]),
            render_bytes(image.size_bytes),
            render_age(image.created, now),
            _shorten(make_inert(image.description)),
        )
        for image in images
    ]
    return render_table(("KEY", "SIZE", "BUILT", "IMAGE"), rows)


def _shorten(description: str) -> str:
    """A list of hundreds of packages would fill the screen; ``--json`` has all of it."""
    return description if len(description) <= _DESCRIPTION_WIDTH else description[: _DESCRIPTION_WIDTH - 3] + "..."


def render_pruned(removed: Sequence[BuiltImage], kept: Sequence[BuiltImage]) -> str:
    """What was removed, and what a container still needs."""
    lines = [f"Removed {make_inert(image.uri)} ({_shorten(make_inert(image.description))}).\n" for image in removed]
    lines += [f"Kept {make_inert(image.uri)}: a container still needs it.\n" for image in kept]
    return "".join(lines) or "Nothing to remove.\n"


def render_images_json(images: Sequence[BuiltImage]) -> str:
    """Images as a JSON array."""
    return render_json(
        [
            {
                "image": image.uri,
                "description": image.description,
                "size_bytes": image.size_bytes,
                "created": render_moment(image.created),
            }
            for image in images
        ]
    )


def render_aws_images(images: Sequence[AwsImage], region: str) -> str:
    """AWS's images as a person reads them: what to write, and the URI behind it."""
    if not images:
        return f"AWS keeps no such image in {region}, as far as this version of sm_remote knows.\n"
    rows = [
        (image.framework, image.version, image.python, image.processor, image.uri(region) or "") for image in images
    ]
    told = (
        f"In {region}, by {images[0].source}, read on {images[0].date}. In Python: image_uri={images[0].expression}.\n"
    )
    return render_table(("FRAMEWORK", "VERSION", "PYTHON", "FOR", "URI"), rows) + "\n" + told


def render_aws_images_json(images: Sequence[AwsImage], region: str) -> str:
    """AWS's images as a JSON array."""
    return render_json(
        [
            {
                "framework": image.framework,
                "version": image.version,
                "python": image.python,
                "processor": image.processor,
                "image": image.uri(region),
                "source": image.source,
                "date": image.date,
            }
            for image in images
        ]
    )
