"""How the S3 server is started: for nobody else, and for ever at the same place."""

from __future__ import annotations

import configparser
import json
from pathlib import Path

import pytest

from sm_remote.errors import ConfigError
from sm_remote.service.api.authentication import Keys
from sm_remote.service.storage.s3_server import S3Address, S3Server, build_command, build_files, find_program

USER = Keys(access_key="SMRLUSER", secret_key="user")
ADDRESS = S3Address(
    ports=(1001, 1002, 1003, 1004),
    container_keys=Keys(access_key="SMRCJOBS", secret_key="jobs"),
    secrets=("a", "b", "c", "d"),
)


def test_it_listens_on_loopback_and_tells_nobody_of_itself() -> None:
    command = build_command("/bin/weed", ADDRESS.ports)
    assert {"-ip.bind=127.0.0.1", "-s3.port=1004", "-master.telemetry=false", "-filer.disableHttp"} <= set(command)
    assert ADDRESS.endpoint_url == "http://127.0.0.1:1004"


def test_a_bucket_with_objects_cannot_be_deleted() -> None:
    """By default this server would delete it with all that is in it."""
    assert "-s3.allowDeleteBucketNotEmpty=false" in build_command("/bin/weed", ADDRESS.ports)


def test_the_user_and_the_containers_have_keys_of_their_own() -> None:
    identities = json.loads(build_files(ADDRESS, USER)["s3.json"])["identities"]
    pairs = {each["name"]: each["credentials"][0]["accessKey"] for each in identities}
    assert pairs == {"user": "SMRLUSER", "containers": "SMRCJOBS"}


def test_its_parts_know_each_other_and_objects_can_be_encrypted() -> None:
    security = configparser.ConfigParser()
    security.read_string(build_files(ADDRESS, USER)["security.toml"])
    assert security["jwt.signing"]["key"] == '"a"'
    assert security["jwt.filer_signing.read"]["key"] == '"d"'
    assert len(bytes.fromhex(security["s3.sse"]["kek"].strip('"'))) == 32


def test_a_program_that_is_missing_is_named_with_what_brings_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.executable", str(tmp_path / "python3"))
    with pytest.raises(ConfigError, match="weed") as caught:
        find_program({"PATH": str(tmp_path)})
    assert "sm-remote[s3]" in caught.value.fix


def test_where_it_was_it_is_again(tmp_path: Path) -> None:
    first = S3Server(tmp_path, USER, "/bin/weed")
    first._choose_ports()
    again = S3Server(tmp_path, USER, "/bin/weed")
    assert again.address == first.address
