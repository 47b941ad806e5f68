"""The container images that AWS keeps for training, as a shipped table says.

It tells what framework and which Python is in each, and which account has it in which region.

The table is refreshed by scripts/refresh_images.py; each row has its source and date. An image that is newer than the
table can still be named by its URI.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sm_remote.errors import ConfigError

_IMAGES = Path(__file__).with_name("aws_images.csv")
_REGISTRIES = Path(__file__).with_name("aws_image_registries.csv")
_URI = re.compile(
    r"(?P<account>\d{12})\.dkr\.ecr\.(?P<region>[a-z0-9-]+)\.[a-z.]+/(?P<repository>[^:@]+):(?P<tag>[^:@]+)"
)
_PYTHON_TAG = re.compile(r"(?:^|-)py3(\d{1,2})(?:-|$)")

BASE_PYTHON = "base-python"
"""The image that has a Python and little else."""


@dataclass(frozen=True, kw_only=True, slots=True)
class AwsImage:
    """One image.

    Attributes:
        framework: ``pytorch``, ``tensorflow``, ``huggingface``, ``autogluon`` or ``base-python``.
        version: Of the framework.
        python: Its minor version: ``3.11``.
        processor: ``cpu`` or ``gpu``.
        repository: In the registry.
        tag: In the repository.
        accounts: Which account has it, and the domain there, by region.
        source: Who says so.
        date: When that was read, as ``2026-11-21``.
    """

    framework: str
    version: str
    python: str
    processor: str
    repository: str
    tag: str
    accounts: Mapping[str, tuple[str, str]]
    source: str
    date: str

    def uri(self, region: str) -> str | None:
        """Its URI in a region; None where AWS does not have it there."""
        if region not in self.accounts:
            return None
        account, domain = self.accounts[region]
        return f"{account}.dkr.ecr.{region}.{domain}/{self.repository}:{self.tag}"

    @property
    def expression(self) -> str:
        """What is written to have it: ``Image.aws('pytorch', '2.5.1')``."""
        return f"Image.aws({self.framework!r}, {self.version!r})"


@lru_cache(maxsize=1)
def list_aws_images() -> tuple[AwsImage, ...]:
    """All images, by framework, the newest version first."""
    registries = _read_registries()
    with _IMAGES.open(encoding="utf-8", newline="") as file:
        found = [_parse_row(row, registries) for row in csv.DictReader(file)]
    order = list(dict.fromkeys(image.framework for image in found))
    newest = sorted(found, key=lambda image: sort_version(image.version), reverse=True)
    return tuple(sorted(newest, key=lambda image: order.index(image.framework)))


@lru_cache(maxsize=1)
def _read_registries() -> dict[str, dict[str, tuple[str, str]]]:
    found: dict[str, dict[str, tuple[str, str]]] = {}
    with _REGISTRIES.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            found.setdefault(row["registry"], {})[row["region"]] = (row["account"], row["domain"])
    return found


def _parse_row(row: Mapping[str, str], registries: Mapping[str, Mapping[str, tuple[str, str]]]) -> AwsImage:
    absent = set(row["absent_regions"].split())
    return AwsImage(
        **{name: row[name] for name in ("framework", "version", "python", "processor", "repository", "tag")},
        accounts={region: place for region, place in registries[row["registry"]].items() if region not in absent},
        source=row["source"],
        date=row["date"],
    )


def sort_version(version: str) -> tuple[int, ...]:
    """Versions in their order: 2.10 comes after 2.9."""
    return tuple(int(part) for part in re.findall(r"\d+", version))


def is_aws_image(uri: str) -> bool:
    """Whether an image lies in one of AWS's own registries of the table."""
    return _parse_aws_uri(uri) is not None


def find_python(uri: str) -> str | None:
    """The minor version of Python in an image of AWS's, by the table, or by the tag where that is newer; else None."""
    match = _parse_aws_uri(uri)
    if match is None:
        return None
    for image in list_aws_images():
        if (image.repository, image.tag) == (match["repository"], match["tag"]):
            return image.python
    tagged = _PYTHON_TAG.search(match["tag"])
    return f"3.{tagged[1]}" if tagged else None


def find_framework(uri: str) -> str | None:
    """What an image of AWS's has, by its repository; None for others', and where the table has no such repository."""
    match = _parse_aws_uri(uri)
    found = (image.framework for image in list_aws_images() if match and image.repository == match["repository"])
    return next(found, None)


def list_accounts(region: str) -> list[str]:
    """AWS's accounts that have images in a region."""
    return sorted({places[region][0] for places in _read_registries().values() if region in places})


def _parse_aws_uri(uri: str) -> re.Match[str] | None:
    match = _URI.fullmatch(uri)
    if match is None:
        return None
    owners = {places[match["region"]][0] for places in _read_registries().values() if match["region"] in places}
    return match if match["account"] in owners else None


def select_images(
    *,
    framework: str | None = None,
    version: str | None = None,
    python: str | None = None,
    processor: str | None = None,
    region: str | None = None,
) -> list[AwsImage]:
    """The images that fit, the newest first; a version ``2.3`` is any ``2.3.*``."""
    return [
        image
        for image in list_aws_images()
        if framework in (None, image.framework)
        and (version is None or image.version == version or image.version.startswith(f"{version}."))
        and python in (None, image.python)
        and processor in (None, image.processor)
        and (region is None or region in image.accounts)
    ]


def resolve_image(
    framework: str, version: str | None, python: str | None, *, region: str, processor: str, here: str
) -> AwsImage:
    """The newest image that fits what was asked for.

    Args:
        framework: As the table names it.
        version: Whole or its beginning; None for any.
        python: Minor version; None for that of this process where there is one, which is `here`.
        region: Where the job runs.
        processor: ``cpu`` or ``gpu``, by the instance type.
        here: This process's minor version of Python.

    Raises:
        ConfigError: There is none; the text says which there are.
    """
    asked = spell_request(framework, version, python)
    left = select_images(framework=framework)
    for what, narrowed in (
        (f"version {version}", select_images(framework=framework, version=version)),
        (f"Python {python}", select_images(framework=framework, version=version, python=python)),
        (
            f"the processor {processor} of the instance type",
            select_images(framework=framework, version=version, python=python, processor=processor),
        ),
        (
            f"the region {region}",
            select_images(framework=framework, version=version, python=python, processor=processor, region=region),
        ),
    ):
        if not narrowed:
            raise _refuse(asked, what, left)
        left = narrowed
    return next((image for image in left if image.python == here), left[0])


def choose_default(*, python: str, region: str, processor: str, installed: Mapping[str, str]) -> AwsImage | None:
    """The image for a function when none is named; None where none fits.

    One with the framework that is installed here comes first, in the same minor version if there is one: then the
    framework need not travel. Else a plain Python; else PyTorch's newest.

    Args:
        python: Minor version of this process.
        region: Where the job runs.
        processor: ``cpu`` or ``gpu``, by the instance type.
        installed: Versions of ``torch`` and ``tensorflow`` here, where they are installed.
    """
    fitting = select_images(python=python, region=region, processor=processor)
    named = {"pytorch": installed.get("torch"), "tensorflow": installed.get("tensorflow")}
    for framework, version in named.items():
        for image in fitting:
            if image.framework == framework and version and _minor(image.version) == _minor(version):
                return image
    order = (BASE_PYTHON, "pytorch", "tensorflow")
    return next((image for name in order for image in fitting if image.framework == name), None)


def find_nearest(*, python: str, region: str, processor: str) -> list[AwsImage]:
    """The images that are nearest to what is wanted: of the same Python elsewhere, or of another Python here."""
    return (
        select_images(python=python, region=region)
        or select_images(python=python, processor=processor)
        or select_images(processor=processor, region=region)
    )


def spell_request(framework: str, version: str | None, python: str | None) -> str:
    """``Image.aws(...)`` as it was written."""
    given = [repr(framework), *([repr(version)] if version else []), *([f"python={python!r}"] if python else [])]
    return f"Image.aws({', '.join(given)})"


def list_frameworks() -> list[str]:
    """What there are images of."""
    return list(dict.fromkeys(image.framework for image in list_aws_images()))


def _refuse(asked: str, what: str, known: Iterable[AwsImage]) -> ConfigError:
    images = list(known)
    choices = list(dict.fromkeys(f"{image.version} (Python {image.python}, {image.processor})" for image in images))
    regions = sorted({region for image in images for region in image.accounts})
    there = ", ".join(regions) if what.startswith("the region") else ", ".join(choices[:12])
    return ConfigError(
        f"AWS keeps no image {asked} for {what}, as far as this version of sm_remote knows.",
        why=f"There are: {there}.",
        fix="Choose one of these, name an image by its URI (image_uri='...'), or build your own with Image.python. "
        "`sm-remote image list --aws` lists all.",
    )


def _minor(version: str) -> str:
    return ".".join(version.split("+")[0].split(".")[:2])
