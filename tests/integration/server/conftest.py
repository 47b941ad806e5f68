"""A real Jupyter server with the panel's routes, and jobs of the process engine in its own home."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.lab_server import TOKEN, LabServer, serve_lab


@dataclass(frozen=True)
class Answer:
    """What a server answered."""

    status: int
    headers: Any
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Panel:
    """Asks the panel's routes."""

    server: LabServer

    def ask(
        self, method: str, path: str, body: Any = None, *, token: str | None = TOKEN, headers: Any = None
    ) -> Answer:
        url = f"{self.server.url}/sm-remote/{path}"
        data = body if isinstance(body, bytes) else None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method, headers=headers or {})
        if token is not None:
            request.add_header("Authorization", f"token {token}")
        try:
            with urllib.request.urlopen(request, timeout=120) as response:
                return Answer(response.status, response.headers, response.read())
        except urllib.error.HTTPError as error:
            with error:
                return Answer(error.code, error.headers, error.read())

    def get(self, path: str, /, **query: str) -> Answer:
        return self.ask("GET", f"{path}?{urllib.parse.urlencode(query)}" if query else path)

    def post(self, path: str, body: Any = None) -> Answer:
        return self.ask("POST", path, {} if body is None else body)


@pytest.fixture(scope="session")
def panel_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabServer]:
    with serve_lab(tmp_path_factory.mktemp("panel"), app="server") as server:
        yield server


@pytest.fixture
def panel(panel_server: LabServer, monkeypatch: pytest.MonkeyPatch) -> Panel:
    """The routes; this process submits jobs into the same home."""
    monkeypatch.setenv("SM_REMOTE_HOME", str(panel_server.home))
    monkeypatch.setenv("SM_REMOTE_ENGINE", "process")
    return Panel(panel_server)
