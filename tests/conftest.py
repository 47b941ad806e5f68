"""What every test is given: state of its own, nobody's credentials, and the engines and servers that its marks name."""

from __future__ import annotations

import itertools
import os
import signal
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
# Helpers beside the tests are imported as `tests.<name>`, however pytest was started.
sys.path.insert(0, str(ROOT))

pytest_plugins = ["tests.s3_server", "tests.embedded_store", "tests.frameworks_environment"]

REQUIRED = os.environ.get("SM_REMOTE_REQUIRE_ENGINE") == "1"

_numbers = itertools.count(1)
_NOT_FOR_TESTS = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_PROFILE", "AWS_DEFAULT_PROFILE"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ROLE_ARN"),
    # Left on, every job's imports would be compiled again at each start.
    "PYTHONDONTWRITEBYTECODE",
)


@pytest.fixture(scope="session")
def homes_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where each test's own state lies."""
    return tmp_path_factory.mktemp("homes")


@pytest.fixture(autouse=True)
def isolated_state(homes_of_tests: Path, monkeypatch: pytest.MonkeyPatch):
    """Gives the test a home of its own, takes everybody's credentials away, and stops a service that was started."""
    for name in [*_NOT_FOR_TESTS, *(name for name in os.environ if name.startswith("SM_REMOTE_"))]:
        monkeypatch.delenv(name, raising=False)
    directory = homes_of_tests / str(next(_numbers))
    monkeypatch.setenv("SM_REMOTE_HOME", str(directory))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(directory / "no-aws-config"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(directory / "no-aws-credentials"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    for name in ("SAGEMAKER_ADMIN_CONFIG_OVERRIDE", "SAGEMAKER_USER_CONFIG_OVERRIDE"):
        monkeypatch.setenv(name, os.devnull)  # nor this machine's own SageMaker configuration
    yield
    if (directory / "service" / "discovery.json").exists():
        _stop_service(directory)


def _stop_service(directory: Path) -> None:
    from sm_remote.home import find_home, read_discovery

    discovery = read_discovery(find_home({"SM_REMOTE_HOME": str(directory)}))
    if discovery is not None and discovery.pid != os.getpid():
        try:
            os.kill(discovery.pid, signal.SIGTERM)
        except ProcessLookupError:
            return


@pytest.fixture
def home(isolated_state: None):
    """The test's own state."""
    from sm_remote.home import find_home

    return find_home()


def skip_or_fail(reason: str) -> None:
    """Skips the test; where engines are required (continuous integration), fails it: nothing goes unnoticed there."""
    if REQUIRED:
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def docker_engine_required() -> None:
    """For tests that run real containers; the mark `docker` asks for it."""
    from sm_remote.errors import EngineUnavailable
    from sm_remote.service.engines.docker.connection import connect_docker

    try:
        connect_docker(os.environ).close()
    except EngineUnavailable as error:
        skip_or_fail(" ".join(str(error).split()))


@pytest.fixture(autouse=True)
def marks_are_served(request: pytest.FixtureRequest, isolated_state: None) -> None:
    """Makes sure that what the test's marks name is there."""
    for mark, fixture in (("docker", "docker_engine_required"), ("s3", "s3_server")):
        if request.node.get_closest_marker(mark):
            request.getfixturevalue(fixture)
