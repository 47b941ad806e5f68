"""On SageMaker the job reads its secrets with boto3 of its own packages, by HTTP, before its function is loaded."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest


class Handler(BaseHTTPRequestHandler):
    """Secrets Manager's GetSecretValue, of which only the name of the secret is looked at."""

    def do_POST(self) -> None:
        request = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["X-Amz-Target"] == "secretsmanager.GetSecretValue"
        known = {"team/db": json.dumps({"password": "value-of-mine"})}
        name = request["SecretId"]
        answer = {"SecretString": known[name]} if name in known else {"__type": "AccessDeniedException"}
        body = json.dumps(answer).encode()
        self.send_response(200 if name in known else 400)
        self.send_header("Content-Type", "application/x-amz-json-1.1")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """A job's variables where Secrets Manager is this process."""
    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=[0.01])
    thread.start()
    yield {
        "AWS_ENDPOINT_URL_SECRETS_MANAGER": f"http://127.0.0.1:{server.server_port}",
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "eu-west-1",
    }
    server.shutdown()
    thread.join()
    server.server_close()


BOTO3 = ("boto3", "botocore", "s3transfer", "jmespath", "urllib3", "dateutil", "six")


def use() -> tuple[str, bool]:
    import os

    print("it is", os.environ["DB_PASSWORD"])
    return os.environ["DB_PASSWORD"][::-1], any(name.startswith("SM_REMOTE_SECRET") for name in os.environ)


def test_a_secret_is_read_under_the_jobs_own_credentials(tree, environment):
    tree.add_packages(*BOTO3)
    launch = tree.prepare(use)
    reference = {"SM_REMOTE_SECRET_DB_PASSWORD": "secretsmanager:team/db#password"}
    ended = tree.finish(launch, tree.start(launch, **environment, **reference))
    assert ended.value == ("enim-fo-eulav", False)
    assert ended.lines == ["it is ***"]


def test_a_secret_that_the_role_may_not_read_is_said_before_the_function_is_loaded(tree, environment):
    tree.add_packages(*BOTO3)
    launch = tree.prepare(use)
    ended = tree.finish(launch, tree.start(launch, **environment, SM_REMOTE_SECRET_DB_PASSWORD="secretsmanager:other"))
    assert ended.exit_code == 1
    assert "The secret DB_PASSWORD cannot be read" in ended.failure
    assert "AccessDenied" in ended.failure
    assert ended.header.phase == "load"


def test_a_job_without_boto3_says_so(tree, environment):
    launch = tree.prepare(use)
    ended = tree.finish(
        launch, tree.start(launch, **environment, SM_REMOTE_SECRET_DB_PASSWORD="secretsmanager:team/db")
    )
    assert "the job has no boto3" in ended.failure
