"""One service for all of AWS's clients, with an S3 server and its keys for containers; images, made at first use."""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sm_remote import Image
from sm_remote.aws.local_service import find_service
from sm_remote.home import find_home
from sm_remote.jobs.environments.built_images import ensure_image
from tests.clients.local_aws import BUCKET, ROOT, LocalAws, start_local_aws, stop_local_aws
from tests.engines import record_interpreter

HERE = Path(__file__).parent
MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
_SCRIPTS = "import sysconfig; print(sysconfig.get_path('scripts'))"
_LINK_SCRIPTS = f'mkdir -p /usr/local/bin && ln -s "$(python3 -c {shlex.quote(_SCRIPTS)})"/* /usr/local/bin/'
"""Where the base's Python is, its scripts are on nobody's PATH."""


@pytest.fixture(scope="session")
def client_environments() -> Path:
    """AWS's clients, each in an environment of its own."""
    subprocess.run([ROOT / "scripts" / "setup-clients.sh"], check=True, timeout=600)
    return ROOT / ".clients"


@pytest.fixture(scope="session")
def aws(
    client_environments: Path, docker_engine_required: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LocalAws]:
    """A service with an S3 server, in which there is a bucket with a file of three rows."""
    home = find_home({"SM_REMOTE_HOME": str(tmp_path_factory.mktemp("home-clients"))})
    record_interpreter(home)
    local = start_local_aws(home, tmp_path_factory.mktemp("workplace"), "--with-s3", "--container-credentials", "s3")
    s3 = local.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    s3.put_object(Bucket=BUCKET, Key="data/data.csv", Body=b"a,1\nb,2\nc,3\n")
    (local.workplace / "data.csv").write_text("a,1\nb,2\nc,3\n")
    yield local
    stop_local_aws(home)


BuildImage = Callable[[str], str]


@pytest.fixture(scope="session")
def image(aws: LocalAws) -> BuildImage:
    """Builds an image of tests/clients/images by its name, or one of those that only hold packages; gives its URI."""
    found = find_service(aws.home)
    assert found is not None
    discovery, _ = found

    def build(name: str) -> str:
        return ensure_image(_define(name, build), aws.home, discovery).uri

    return build


def _define(name: str, build: BuildImage) -> Image:
    if name == "plain":  # a Python with pip
        return Image.python(MINOR).pip("pip==26.3").run(_LINK_SCRIPTS)
    if name == "sdk2":
        wheels = {"PIP_NO_INDEX": "1", "PIP_FIND_LINKS": "/opt/wheels"}
        packages = Image.python(MINOR).pip(*_read_requirements("sdk2"), "pip==26.3").run(_LINK_SCRIPTS)
        return packages.copy(ROOT / ".clients" / "wheels", "/opt/wheels").env(**wheels)
    if name == "sdk3":
        return Image.python(MINOR).pip(*_read_requirements("sdk3-job"))
    if name == "toolkit":
        wheels_first = Image.python(MINOR).copy(ROOT / ".clients" / "wheels", "/opt/wheels")
        return wheels_first.pip(*map(_prefer_wheel, _read_requirements("toolkit"))).run(_LINK_SCRIPTS)
    directory = HERE / "images" / name
    base = "toolkit" if name.startswith("toolkit") else "plain"
    return _from_directory(directory, build(base))


def _from_directory(directory: Path, base: str) -> Image:
    """A Dockerfile as it is, but for the name of its base: no registry has that, and its tag is of this machine."""
    text = (directory / "Dockerfile").read_text().replace("FROM base", f"FROM {base}")
    written = ROOT / ".clients" / "dockerfiles" / directory.name / "Dockerfile"
    written.parent.mkdir(parents=True, exist_ok=True)
    written.write_text(text)
    return Image.from_dockerfile(written, context=directory)


def _read_requirements(name: str) -> list[str]:
    lines = (HERE / "requirements" / f"{name}.txt").read_text().splitlines()
    return [line for line in lines if line and not line.startswith("#")]


def _prefer_wheel(requirement: str) -> str:
    name = requirement.split("==")[0]
    found = list((ROOT / ".clients" / "wheels").glob(f"{name.replace('-', '_')}-*.whl"))
    return f"{name} @ file:///opt/wheels/{found[0].name}" if found else requirement


@pytest.fixture
def job_name(request: pytest.FixtureRequest) -> str:
    """A training job's name after the test's."""
    name: Any = request.node.name
    return "-".join(part for part in name.replace("_", "-").replace("[", "-").replace("]", "").split("-")[1:])[:63]
