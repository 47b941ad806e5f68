"""Which image of AWS's runs a job, and what can be known of the Python in an image that cannot be asked.

An `Image.aws(...)` becomes a URI here; where no image is named for SageMaker, the one that fits is chosen.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Mapping
from importlib import metadata
from typing import Any

from sm_remote import catalogue
from sm_remote.aws.ecr_uri import EcrImage, parse_ecr_uri
from sm_remote.capture.warn_once import warn_once
from sm_remote.errors import ConfigError, RemoteError
from sm_remote.home import LOCAL_REGION
from sm_remote.image.definition import AwsBase, Image, UriBase
from sm_remote.jobs.connection import Connection
from sm_remote.settings import ResolvedSettings

logger = logging.getLogger("sm_remote")

DESCRIPTION_LABEL = "sm_remote.image.description"
"""What the local engine writes into an image that it builds: the `Image` as its author wrote it."""
_OUR_PYTHON = re.compile(r"Image\.python\('(3\.\d{1,2})'\)")
_OFFICIAL_PYTHON = re.compile(r"PYTHON_VERSION=(3\.\d{1,2})\.")
_FRAMEWORKS = ("torch", "tensorflow")

ReadConfig = Callable[[EcrImage], "Mapping[str, Any] | None"]
"""Reads the configuration of an image in ECR."""

STUDIO_IMAGE = "SAGEMAKER_INTERNAL_IMAGE_URI"
"""The variable in which Studio says the image that a kernel runs in. Source: the SageMaker SDK's `remote`."""

_known: dict[str, str | None] = {}


def find_region(settings: ResolvedSettings, connection: Connection) -> str:
    """The region whose images are meant; for a local job the one that the settings or the environment name."""
    if settings.target == "sagemaker":
        return str(connection.training_jobs.session.region)
    configured = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    return settings.region or configured or LOCAL_REGION


def find_processor(settings: ResolvedSettings) -> str:
    """``gpu`` or ``cpu``, by the instance type; other accelerators count as neither."""
    if settings.gpu:
        return "gpu"
    found = catalogue.find_instance_type(settings.instance_type)
    if found.is_gpu:
        return "gpu"
    return "cpu" if found.accelerator is None else found.accelerator


def name_image(image: Image, settings: ResolvedSettings, region: str, here: str) -> str | Image:
    """An image whose base AWS keeps, with that base as a URI; a URI alone where nothing is added to it.

    Args:
        image: As its author wrote it.
        settings: Of the call.
        region: Whose images are meant.
        here: This process's minor version of Python.

    Raises:
        ConfigError: AWS keeps none that fits.
    """
    base = image.base
    if not isinstance(base, AwsBase):
        return image
    found = catalogue.resolve_image(
        base.framework, base.version, base.python, region=region, processor=find_processor(settings), here=here
    )
    uri = found.uri(region) or ""
    return Image(base=UriBase(uri=uri), steps=image.steps) if image.steps else uri


def choose_default_image(settings: ResolvedSettings, region: str, here: str) -> str:
    """The URI of the image for a job on SageMaker when none is named.

    In SageMaker Studio it is the one that this process runs in, as it is for the SageMaker SDK; elsewhere AWS's.

    Raises:
        ConfigError: AWS keeps none that fits; the text proposes one, and how to build one.
    """
    own = os.environ.get(STUDIO_IMAGE)
    if own:
        if own not in _known:
            _known[own] = here
            logger.info("No image is set: the job has the one that this process runs in, %s", own)
        return own
    processor = find_processor(settings)
    found = catalogue.choose_default(python=here, region=region, processor=processor, installed=_list_frameworks())
    if found is None:
        raise ConfigError(
            f"No image is set, and AWS keeps none with Python {here} for {settings.instance_type} in {region}.",
            why="A pickled function only runs on the same minor version of Python. Nothing was sent.",
            fix=propose(here, region=region, processor=processor),
        )
    uri = found.uri(region) or ""
    if uri not in _known:
        _known[uri] = found.python
        logger.info("No image is set: the job has AWS's %s, Python %s (%s)", found.expression, found.python, uri)
    return uri


def propose(here: str, *, region: str, processor: str, framework: str | None = None) -> str:
    """What can be done where an image has the wrong Python, or there is none: the nearest image, and one of one's own.

    Args:
        here: This process's minor version of Python.
        region: Where the job runs.
        processor: ``cpu`` or ``gpu``, by the instance type.
        framework: What the image that was named has, where that is known.
    """
    own = (
        f"build one: image_uri=Image.python('{here}') is built on this machine and pushed to your ECR (beforehand: "
        f"`sm-remote image build --push python:{here}`)"
    )
    alike = catalogue.select_images(framework=framework, python=here, region=region, processor=processor)
    fitting = (
        alike[0]
        if framework is not None and alike
        else catalogue.choose_default(python=here, region=region, processor=processor, installed=_list_frameworks())
    )
    if fitting is not None:
        return f"Pass image_uri={fitting.expression}, which has Python {here}; or {own}."
    nearest = catalogue.find_nearest(python=here, region=region, processor=processor)
    if not nearest:
        return f"Name an image with Python {here}, or {own}."
    one = nearest[0]
    if one.python == here:
        where = "" if region in one.accounts else f" in other regions, such as {min(one.accounts)}"
        return f"AWS keeps {one.expression} for Python {here}, for the processor {one.processor}{where}. Or {own}."
    return f"Run this notebook on Python {one.python}, for which AWS keeps {one.expression}; or {own}."


def find_image_python(image_uri: str, connection: Connection, *, read_config: ReadConfig | None = None) -> str | None:
    """The minor version of Python in an image that cannot be asked, once for each image; None where nothing tells.

    The table and the tag tell of AWS's own images; of one in ECR, its configuration: what the local engine wrote there
    when it built it, or what the official images of Python say.

    Args:
        image_uri: The image.
        connection: To SageMaker.
        read_config: Reads an image's configuration; ECR's unless given.
    """
    if image_uri not in _known:
        known = catalogue.find_python(image_uri)
        _known[image_uri] = known or _ask_registry(image_uri, connection, read_config or read_through(connection))
    if _known[image_uri] is None:
        warn_once(
            "image",
            "Which Python the image %s has cannot be told from here; the job looks before it loads anything.",
            image_uri,
        )
    return _known[image_uri]


def read_config_python(config: Mapping[str, Any]) -> str | None:
    """The minor version of Python that an image's configuration tells. Pure."""
    inner = config.get("config") or {}
    described = _OUR_PYTHON.match((inner.get("Labels") or {}).get(DESCRIPTION_LABEL, ""))
    if described:
        return described[1]
    official = next(filter(None, map(_OFFICIAL_PYTHON.match, inner.get("Env") or ())), None)
    return official[1] if official else None


def read_through(connection: Connection) -> ReadConfig:
    """Reads configurations from ECR, with what the connection's credentials may."""

    def read_config(place: EcrImage) -> Mapping[str, Any] | None:
        from sm_remote.aws.registry import Registry  # loads botocore, which only a job on AWS needs here

        return Registry(connection.training_jobs.session.client("ecr"), place.account).read_config(place)

    return read_config


def _ask_registry(image_uri: str, connection: Connection, read_config: ReadConfig) -> str | None:
    place = parse_ecr_uri(image_uri)
    region = connection.training_jobs.session.region
    if place is None or place.region != region or catalogue.is_aws_image(image_uri):
        return None
    try:
        config = read_config(place)
    except (RemoteError, ValueError) as error:
        logger.debug("What is in the image %s is not known: %s", image_uri, error)
        return None
    return None if config is None else read_config_python(config)


def _list_frameworks() -> dict[str, str]:
    found = {}
    for name in _FRAMEWORKS:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found
