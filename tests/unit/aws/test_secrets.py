"""The values of a local job's secrets are read where it is submitted, each time anew."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from types import SimpleNamespace
from typing import Any

import pytest

from sm_remote.aws.secrets import check_variables, read_request_values, read_values
from sm_remote.aws.training_jobs import TrainingJobs
from sm_remote.errors import ConfigError
from sm_remote.home import Discovery
from tests.fakes.secrets_manager import FakeSecretsManager

ARN = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:team/hf-AbCdEf"


def test_values_come_from_variables_and_from_secrets_manager() -> None:
    manager = FakeSecretsManager({"team/db": '{"user": "me", "password": "p"}', ARN: "whole"})
    references = {
        "HF_TOKEN": "env:MINE",
        "DB_USER": "secretsmanager:team/db#user",
        "DB_PASSWORD": "secretsmanager:team/db#password",
        "A": f"secretsmanager:{ARN}",
    }
    values = read_values(
        references, environ={"MINE": "x"}, make_client=lambda region: manager.client(region_name=region)
    )
    assert values == {"HF_TOKEN": "x", "DB_USER": "me", "DB_PASSWORD": "p", "A": "whole"}
    assert manager.asked == [(None, "team/db"), ("eu-west-1", ARN)]


@pytest.mark.parametrize("environ", [{}, {"MINE": ""}])
def test_a_variable_that_is_not_set_is_said_with_how_to_set_it(environ: dict[str, str]) -> None:
    for look in (read_values, check_variables):
        with pytest.raises(ConfigError, match="MINE is not set") as caught:
            look({"HF_TOKEN": "env:MINE"}, environ=environ)
        assert "getpass" in caught.value.fix


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("secretsmanager:absent", "ResourceNotFoundException"),
        ("secretsmanager:text#key", "no JSON object"),
        ("secretsmanager:binary", "binary"),
        ("hidden-value", "neither env:NAME"),
    ],
)
def test_a_secret_that_cannot_be_read_is_not_shown(reference: str, why: str) -> None:
    manager = FakeSecretsManager({"text": "hidden-value", "binary": b"\xff"})
    with pytest.raises(ConfigError, match="nothing was sent") as caught:
        read_values({"HF_TOKEN": reference}, environ={}, make_client=lambda region: manager.client())
    assert why in caught.value.why
    assert "hidden-value" not in str(caught.value)


def test_too_much_is_refused() -> None:
    with pytest.raises(ConfigError, match="too large"):
        read_values({"A": "env:A"}, environ={"A": "x" * 40_000})


def test_a_request_without_secrets_needs_nothing() -> None:
    for request in ({}, {"Environment": {"A": "1"}}):
        empty: Any = read_request_values(request)
        assert empty == {}


REQUEST = {
    "TrainingJobName": "fit-1",
    "AlgorithmSpecification": {},
    "Environment": {"SM_REMOTE_SECRET_HF_TOKEN": "env:TOKEN_OF_MINE"},
}


class FakeSession:
    """A session to a service at a port, which takes every job; after it comes another."""

    holds_requests = can_reconnect = repeats_requests = True
    advice = ""

    def __init__(self, target: str, port: int, successor: FakeSession | None = None) -> None:
        self.target = target
        self.discovery = Discovery(pid=1, port=port, version="", instance="", access_key="a", secret_key="b")
        self._successor = successor or self
        self.created: list[dict[str, Any]] = []
        self._client = SimpleNamespace(
            meta=SimpleNamespace(events=SimpleNamespace(register=lambda *_: None)), create_training_job=self._create
        )

    def client(self, _: str) -> Any:
        return self._client

    single_try_client = client

    def reconnect(self) -> FakeSession:
        return self._successor

    def _create(self, **request: Any) -> dict[str, str]:
        self.created.append(request)
        return {"TrainingJobArn": "arn"}


class Taker(BaseHTTPRequestHandler):
    """Takes what is posted."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.taken.append((self.path, str(self.headers), body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def service() -> Iterator[Any]:
    server: Any = HTTPServer(("127.0.0.1", 0), Taker)
    server.taken = []
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def dead_port() -> int:
    server = HTTPServer(("127.0.0.1", 0), Taker)
    server.server_close()
    return server.server_port


def test_values_follow_the_job_and_are_in_the_body_alone(
    service: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TOKEN_OF_MINE", "value-of-mine")
    session: Any = FakeSession("local", service.server_port)
    with caplog.at_level("DEBUG"):
        assert TrainingJobs(session).create(REQUEST) == "arn"
    assert session.created == [REQUEST]
    ((path, headers, body),) = service.taken
    assert json.loads(body) == {"TrainingJobName": "fit-1", "Values": {"HF_TOKEN": "value-of-mine"}}
    assert "SmRemote.GiveSecrets" in headers
    assert "value-of-mine" not in path + headers + caplog.text


def test_a_service_that_came_after_the_one_that_took_the_job_is_given_them(
    service: Any, dead_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOKEN_OF_MINE", "value-of-mine")
    session: Any = FakeSession("local", dead_port, FakeSession("local", service.server_port))
    assert TrainingJobs(session).create(REQUEST) == "arn"
    assert len(service.taken) == 1


def test_what_no_service_takes_is_said_and_the_job_is_there(
    dead_port: int, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("TOKEN_OF_MINE", "value-of-mine")
    session: Any = FakeSession("local", dead_port)
    assert TrainingJobs(session).create(REQUEST) == "arn"
    assert "did not take the secrets of fit-1" in caplog.text
    assert "value-of-mine" not in caplog.text


def test_nothing_is_created_where_a_value_is_missing(dead_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN_OF_MINE", raising=False)
    session: Any = FakeSession("local", dead_port)
    with pytest.raises(ConfigError, match="TOKEN_OF_MINE is not set"):
        TrainingJobs(session).create(REQUEST)
    assert session.created == []


def test_on_sagemaker_nothing_is_read_here(dead_port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TOKEN_OF_MINE", raising=False)
    session: Any = FakeSession("sagemaker", dead_port)
    assert TrainingJobs(session).create(REQUEST) == "arn"
