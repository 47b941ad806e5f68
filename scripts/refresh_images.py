"""Writes the tables of AWS's images anew: sm_remote/catalogue/aws_images.csv and aws_image_registries.csv.

The facts (accounts by region, versions, Python versions, tags) are those that AWS publishes with its own SDK, in the
package `sagemaker-core`; pip fetches it, nothing of it is kept or installed. Where it cannot be fetched, nothing
changes, and that is said. Run by a person: `.venv/bin/python scripts/refresh_images.py`.

What is left out, and why: images for a Python that sm_remote does not run on; those whose Python AWS does not say (so
that it could not be checked); images that are not for training; Neuron images and those of the training compiler, which
need code that is written for them.
"""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator, Mapping
from datetime import date, datetime, timezone
from pathlib import Path
from typing import Any

from botocore.loaders import create_loader

CATALOGUE = Path(__file__).parents[1] / "sm_remote" / "catalogue"
PACKAGE = "sagemaker-core"
OLDEST_PYTHON = (3, 10)
FRAMEWORKS = ("pytorch", "tensorflow", "huggingface", "autogluon")
CONTAINERS = "deep-learning-containers"
BASE_PYTHON = "sagemaker-base-python"
BASE_PYTHON_MINORS = ("3.10",)
"""Which there are beside 3.8 is said by the SDK's function `get_base_python_image_uri`, not by its data."""
IMAGE_COLUMNS = (
    *("framework", "version", "python", "processor", "repository", "tag", "registry", "absent_regions"),
    *("source", "date"),
)
REGISTRY_COLUMNS = ("registry", "region", "account", "domain", "source", "date")


def fetch_package(directory: Path) -> Path:
    """Downloads the newest wheel with pip.

    Raises:
        SystemExit: It cannot be fetched.
    """
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", str(directory), PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    wheels = sorted(directory.glob("*.whl"))
    if done.returncode or not wheels:
        said = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
        raise SystemExit(
            f"{PACKAGE} cannot be fetched from here, so the tables stay as they are: {said}\n"
            "Run this where a package index can be reached."
        )
    return wheels[-1]


def read_configs(wheel: Path) -> dict[str, Any]:
    """What the package says of images, by the name of its file."""
    with zipfile.ZipFile(wheel) as archive:
        return {
            Path(name).stem: json.loads(archive.read(name))
            for name in archive.namelist()
            if re.search(r"/image_uri_config/[^/]+\.json$", name)
        }


def list_versions(framework: str, config: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any], str]]:
    """Each version with what is said of it, and the start of its tag."""
    for version, found in config["training"]["versions"].items():
        if framework != "huggingface":
            yield version, found, version
            continue
        for name, below in found.items():
            match = re.fullmatch(r"pytorch([\d.]+)", name)
            if match and isinstance(below, Mapping):
                yield version, below, f"{match[1]}-transformers{version}"


def list_images(configs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """One row for each framework, version, Python and processor, with the registries that have it."""
    for framework in FRAMEWORKS:
        config = configs[framework]
        usual = config["training"].get("processors", ["cpu", "gpu"])
        for version, found, start in list_versions(framework, config):
            for python in found.get("py_versions", ()):
                minor = read_minor(python)
                if minor is None or tuple(map(int, minor.split("."))) < OLDEST_PYTHON:
                    continue
                for processor in found.get("processors", usual):
                    ending = found.get("container_version", {}).get(processor, "")
                    yield {
                        "framework": framework,
                        "version": version,
                        "python": minor,
                        "processor": processor,
                        "repository": found["repository"],
                        "tag": "-".join(filter(None, (start, processor, python, ending))),
                        "registry": CONTAINERS,
                        "accounts": found["registries"],
                    }
    base = configs[BASE_PYTHON]["versions"]["1.0"]
    for minor in BASE_PYTHON_MINORS:
        yield {
            "framework": "base-python",
            "version": "1.0",
            "python": minor,
            "processor": "cpu",
            "repository": f"{base['repository']}-{minor.replace('.', '')}",
            "tag": "1.0",
            "registry": BASE_PYTHON,
            "accounts": base["registries"],
        }


def read_minor(name: str) -> str | None:
    """``py311`` is Python 3.11; ``py3`` does not say."""
    match = re.fullmatch(r"py3(\d{1,2})", name)
    return f"3.{match[1]}" if match else None


def gather_registries(images: list[dict[str, Any]]) -> dict[str, dict[str, str]]:
    """The account of each registry by region.

    Raises:
        SystemExit: Two images of a registry are said to be in different accounts of one region.
    """
    found: dict[str, dict[str, str]] = {}
    for image in images:
        accounts = found.setdefault(image["registry"], {})
        for region, account in image["accounts"].items():
            if accounts.setdefault(region, account) != account:
                raise SystemExit(f"{image['tag']} is in {account} in {region}, others in {accounts[region]}.")
    return found


def find_domains() -> dict[str, str]:
    """The domain of AWS's hosts by the pattern of its regions, as botocore knows them."""
    partitions = create_loader().load_data("endpoints")["partitions"]
    return {one["regionRegex"]: one["dnsSuffix"] for one in partitions}


def write_table(path: Path, columns: tuple[str, ...], rows: list[dict[str, str]]) -> None:
    """Replaces a table."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        writer.writerows(rows)
    print(f"{path.name}: {len(rows)} rows")


def build_rows(
    images: list[dict[str, Any]], source: str, today: date
) -> tuple[list[dict[str, str]], list[dict[str, str]]]:
    """The rows of both tables."""
    registries = gather_registries(images)
    stamp = {"source": source, "date": today.isoformat()}
    domains = find_domains()
    hosts = [
        {
            "registry": registry,
            "region": region,
            "account": account,
            "domain": next(domain for pattern, domain in domains.items() if re.match(pattern, region)),
            **stamp,
        }
        for registry, accounts in sorted(registries.items())
        for region, account in sorted(accounts.items())
    ]
    rows = [
        {
            **image,
            "absent_regions": " ".join(sorted(set(registries[image["registry"]]) - set(image["accounts"]))),
            **stamp,
        }
        for image in images
    ]
    return rows, hosts


def main() -> None:
    """Fetches, reads and writes."""
    with tempfile.TemporaryDirectory() as directory:
        wheel = fetch_package(Path(directory))
        images = list(list_images(read_configs(wheel)))
        version = wheel.name.split("-")[1]
    rows, hosts = build_rows(images, f"{PACKAGE} {version} on PyPI", datetime.now(timezone.utc).date())
    write_table(CATALOGUE / "aws_images.csv", IMAGE_COLUMNS, rows)
    write_table(CATALOGUE / "aws_image_registries.csv", REGISTRY_COLUMNS, hosts)


if __name__ == "__main__":
    main()
