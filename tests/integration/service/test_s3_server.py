"""The S3 server beside the service, by the command line: started with it, ended with it, found again after a crash."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSRequest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError, HTTPClientError
from botocore.httpsession import URLLib3Session

from sm_remote.aws.local_service import find_service, stop_service
from sm_remote.home import Home, read_discovery, read_standing_options

pytestmark = [pytest.mark.service, pytest.mark.s3, pytest.mark.slow]

_LIMIT_S = 60.0


@pytest.fixture
def ask(home: Home, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Any]]:
    """Runs `sm-remote service ... --json`."""
    monkeypatch.setenv("SM_REMOTE_HOME", str(home.data))
    monkeypatch.setenv("SM_REMOTE_ENGINE", "process")

    def run(*words: str) -> Any:
        command = [sys.executable, "-c", "from sm_remote.cli import main; main()", "service", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=_LIMIT_S)
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if "--json" in words else done.stdout

    yield run
    found = find_service(home)
    if found is not None:
        stop_service(home, found[0])


def connect(variables: dict[str, str], **credentials: str) -> Any:
    pair = {
        "aws_access_key_id": variables["AWS_ACCESS_KEY_ID"],
        "aws_secret_access_key": variables["AWS_SECRET_ACCESS_KEY"],
        **credentials,
    }
    return boto3.session.Session().client(
        "s3",
        endpoint_url=variables["AWS_ENDPOINT_URL_S3"],
        region_name="us-east-1",
        config=Config(retries={"total_max_attempts": 1}),
        **pair,
    )


def wait_until_it_is_gone(client: Any) -> None:
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        try:
            client.list_buckets()
        except EndpointConnectionError:
            return
        except (BotoCoreError, ClientError):
            continue
    raise AssertionError("the S3 server did not end")


def test_it_lives_with_the_service_and_keeps_its_data_over_a_crash(ask: Callable[..., Any], home: Home) -> None:
    ask("start", "--with-s3")
    variables = ask("env", "--json")
    client = connect(variables)
    client.create_bucket(Bucket="mine")
    client.put_object(Bucket="mine", Key="k", Body=b"kept")
    with pytest.raises(ClientError, match="SignatureDoesNotMatch"):
        connect(variables, aws_secret_access_key="wrong").list_buckets()

    discovery = read_discovery(home)
    assert discovery is not None
    os.kill(discovery.pid, signal.SIGKILL)
    wait_until_it_is_gone(client)
    again = ask("env", "--json")  # any command starts the service, and with it the server
    assert again["AWS_ENDPOINT_URL_S3"] == variables["AWS_ENDPOINT_URL_S3"]
    assert connect(again).get_object(Bucket="mine", Key="k")["Body"].read() == b"kept"
    with pytest.raises(ClientError, match="BucketNotEmpty"):
        connect(again).delete_bucket(Bucket="mine")

    ask("stop")
    wait_until_it_is_gone(client)
    assert not read_standing_options(home).with_s3
    assert "AWS_ENDPOINT_URL_S3" not in ask("env", "--json")


def test_a_server_that_dies_by_itself_is_started_again(ask: Callable[..., Any], home: Home) -> None:
    ask("start", "--with-s3")
    client = connect(ask("env", "--json"))
    (server,) = (
        int(process.name)
        for process in Path("/proc").glob("[0-9]*")
        if _works_in(process, home.s3) and (process / "comm").read_text() == "weed\n"
    )
    os.kill(server, signal.SIGKILL)
    wait_until_it_is_gone(client)
    deadline = time.monotonic() + _LIMIT_S
    while True:
        try:
            client.list_buckets()
            return
        except (BotoCoreError, ClientError):
            assert time.monotonic() < deadline


def _works_in(process: Path, directory: Path) -> bool:
    try:
        return (process / "cwd").resolve() == directory.resolve()
    except OSError:
        return False


def test_its_files_are_private_and_who_has_no_key_can_delete_nothing_at_any_port(
    ask: Callable[..., Any], home: Home
) -> None:
    ask("start", "--with-s3")
    for private in (home.s3, *(home.s3 / name for name in ("s3.json", "address.json", "security.toml"))):
        assert private.stat().st_mode & 0o077 == 0
    client = connect(ask("env", "--json"))
    assert client.list_buckets()["Buckets"] == []  # of its own trial nothing is left
    client.create_bucket(Bucket="kept")
    client.put_object(Bucket="kept", Key="a", Body=b"x" * 5000)
    for port in json.loads((home.s3 / "address.json").read_text())["ports"]:
        for path in ("/col/delete?collection=kept", "/vol/vacuum?garbageThreshold=0", "/dir/assign", "/kept/a"):
            for method in ("GET", "POST", "DELETE"):
                assert ask_without_a_key(port, method, path) in (None, 400, 401, 403, 404, 405)
    assert client.get_object(Bucket="kept", Key="a")["Body"].read() == b"x" * 5000


def ask_without_a_key(port: int, method: str, path: str) -> int | None:
    """The status of an answer; None where nobody speaks HTTP."""
    session = URLLib3Session(timeout=120, proxies={})
    try:
        request = AWSRequest(method=method, url=f"http://127.0.0.1:{port}{path}").prepare()
        return int(session.send(request).status_code)
    except (BotoCoreError, HTTPClientError):
        return None
    finally:
        session.close()
