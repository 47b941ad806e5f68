"""Real services for tests of the whole: one for each engine, kept for the session, in a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sm_remote.aws.local_service import find_service, stop_service
from sm_remote.home import find_home


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
