"""Real services for tests of the whole: one for each engine, kept for the session, in a home of its own."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from pathlib import Path

import pytest

from sm_remote.aws.local_service import find_service, stop_service
from sm_remote.home import find_home
from tests.fakes.service import make_client

_FAILED = pytest.StashKey[bool]()


@pytest.fixture(scope="session")
def homes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Path]]:
    """A directory of state for each engine; its service is stopped at the end."""
    made = {name: tmp_path_factory.mktemp(f"home-{name}") for name in ("process", "docker")}
    yield made
    for directory in made.values():
        home = find_home({"SM_REMOTE_HOME": str(directory)})
        found = find_service(home)
        if found is not None:
            stop_service(home, found[0])


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Notes which tests have failed."""
    report = yield
    if report.failed:
        item.stash[_FAILED] = True
    return report


@pytest.fixture(autouse=True)
def jobs_end_with_a_failed_test(request: pytest.FixtureRequest, homes: dict[str, Path]) -> Iterator[None]:
    """Stops what a failed test has left running: it would take this machine's CPUs from all tests after it."""
    yield
    if not request.node.stash.get(_FAILED, False):
        return
    for directory in homes.values():
        found = find_service(find_home({"SM_REMOTE_HOME": str(directory)}))
        if found is not None:
            client = make_client(found[0])
            for job in client.list_training_jobs(StatusEquals="InProgress")["TrainingJobSummaries"]:
                client.stop_training_job(TrainingJobName=job["TrainingJobName"])


def use(name: str, homes: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SM_REMOTE_HOME", str(homes[name]))
    monkeypatch.setenv("SM_REMOTE_ENGINE", name)


@pytest.fixture(autouse=True)
def process_engine_by_default(
    request: pytest.FixtureRequest, homes: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tests that do not ask for an engine run on the process engine; those marked docker, on Docker."""
    if "home" in request.fixturenames:
        return  # a test that asks for a home of its own does not share a service
    use("docker" if request.node.get_closest_marker("docker") else "process", homes, monkeypatch)


@pytest.fixture(params=["process", pytest.param("docker", marks=pytest.mark.docker)])
def engine(request: pytest.FixtureRequest, homes: dict[str, Path], monkeypatch: pytest.MonkeyPatch) -> str:
    """Runs the test once on each engine."""
    name: str = request.param
    use(name, homes, monkeypatch)
    return name
