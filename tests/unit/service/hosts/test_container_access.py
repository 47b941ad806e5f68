"""What containers are given of AWS, and what they are not."""

from __future__ import annotations

import configparser
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from sm_remote.errors import ConfigError
from sm_remote.home import Home, make_private
from sm_remote.service.api.authentication import Keys
from sm_remote.service.engines.engine import Gateway
from sm_remote.service.hosts.container_access import (
    ContainerAccess,
    Credentials,
    CredentialsFile,
    find_s3_endpoint,
    open_grant,
    render_files,
)
from tests.fakes.engine import FakeEngine
from tests.fakes.service import build_request

LASTING = Credentials(access_key="AKIALASTING", secret_key="lasting")
PASSING = Credentials(access_key="ASIAPASSING", secret_key="passing", token="t", expires="2026-11-21T15:00:00+00:00")
KEYS = Keys(access_key="AK", secret_key="SK")


class Reachable(FakeEngine):
    """An engine whose containers reach this machine at an address of its own: here, another one of loopback."""

    def find_gateway(self) -> Any:
        return Gateway(address="127.0.0.2", forwards_loopback=False)

    def list_subnets(self) -> list[str]:
        return ["127.0.0.0/8"]


def build(home: Home, *, grant: Any = None, endpoint: str | None = None, engine: Any = None) -> ContainerAccess:
    make_private(home.service)
    return ContainerAccess(home=home, engine=engine or FakeEngine(), grant=grant, find_endpoint=lambda: endpoint)


def read_ini(text: str) -> dict[str, str]:
    parser = configparser.ConfigParser()
    parser.read_string(text)
    return dict(parser["default"])


def test_lasting_credentials_are_a_shared_credentials_file() -> None:
    files = render_files(LASTING)
    assert read_ini(files["credentials"]) == {"aws_access_key_id": "AKIALASTING", "aws_secret_access_key": "lasting"}


def test_passing_credentials_are_asked_for_again_and_again() -> None:
    """Source: AWS SDKs Reference Guide, "Process credential provider"."""
    files = render_files(PASSING)
    assert read_ini(files["config"]) == {"credential_process": "cat /opt/ml/.aws/renewed.json"}
    answer = json.loads(files["renewed.json"])
    assert answer == {
        "Version": 1,
        "AccessKeyId": "ASIAPASSING",
        "SecretAccessKey": "passing",
        "SessionToken": "t",
        "Expiration": "2026-11-21T15:00:00+00:00",
    }


def test_nothing_is_given_by_default(home: Home, tmp_path: Path) -> None:
    assert build(home).build_companions(build_request(), tmp_path) == ()


def test_nothing_is_given_under_network_isolation(home: Home, tmp_path: Path) -> None:
    access = build(home, grant=lambda: LASTING, endpoint="http://s3.example:9000")
    assert access.build_companions(build_request(EnableNetworkIsolation=True), tmp_path) == ()
    assert access.find_advice(build_request(EnableNetworkIsolation=True)) is None


def test_a_file_holds_what_the_environment_only_points_to(home: Home, tmp_path: Path) -> None:
    (companion,) = build(home, grant=lambda: LASTING).build_companions(build_request(), tmp_path)
    companion.prepare(lambda: None)
    (mount,) = companion.mounts
    assert (mount.target, mount.read_only) == ("/opt/ml/.aws", True)
    assert dict(companion.environment) == {
        "AWS_SHARED_CREDENTIALS_FILE": "/opt/ml/.aws/credentials",
        "AWS_CONFIG_FILE": "/opt/ml/.aws/config",
    }
    file = mount.source / "credentials"
    assert "lasting" in file.read_text()
    assert stat.S_IMODE(file.stat().st_mode) == 0o444
    companion.finish()
    companion.finish()
    assert list(mount.source.iterdir()) == []


def test_credentials_are_written_nowhere_else(tmp_path: Path) -> None:
    companion = CredentialsFile(lambda: PASSING, tmp_path / "aws", {})
    companion.prepare(lambda: None)
    assert "passing" not in repr((dict(companion.environment), companion.mounts, PASSING))


@pytest.mark.parametrize("name", ["AWS_ENDPOINT_URL_S3", "S3_ENDPOINT_URL"])
def test_an_endpoint_elsewhere_is_passed_on_unless_the_request_names_one(home: Home, tmp_path: Path, name: str) -> None:
    access = build(home, endpoint="http://s3.example:9000")
    (companion,) = access.build_companions(build_request(), tmp_path)
    assert companion.environment[name] == "http://s3.example:9000"
    (companion,) = access.build_companions(build_request(Environment={name: "http://mine"}), tmp_path)
    assert name not in companion.environment


def test_an_endpoint_of_loopback_is_relayed_at_a_port_that_stays(home: Home, tmp_path: Path) -> None:
    first = build(home, endpoint="http://localhost:9000", engine=Reachable())
    (companion,) = first.build_companions(build_request(), tmp_path)
    endpoint = companion.environment["AWS_ENDPOINT_URL_S3"]
    assert endpoint.startswith("http://127.0.0.2:")
    assert not endpoint.endswith(":9000")
    first.close()
    again = build(home, endpoint="http://localhost:9000", engine=Reachable())
    assert again._remembered_port() == int(endpoint.rpartition(":")[2])
    again.close()


def test_a_machine_that_forwards_its_loopback_needs_no_relay(home: Home, tmp_path: Path) -> None:
    class Desktop(FakeEngine):
        def find_gateway(self) -> Any:
            return Gateway(address="host.docker.internal", forwards_loopback=True)

    (companion,) = build(home, endpoint="http://127.0.0.1:9000", engine=Desktop()).build_companions({}, tmp_path)
    assert companion.environment["AWS_ENDPOINT_URL_S3"] == "http://host.docker.internal:9000"


def test_a_process_has_the_loopback_itself(home: Home, tmp_path: Path) -> None:
    (companion,) = build(home, endpoint="http://127.0.0.1:9000").build_companions({}, tmp_path)
    assert companion.environment["AWS_ENDPOINT_URL_S3"] == "http://127.0.0.1:9000"


@pytest.mark.parametrize(
    "line",
    [
        b"botocore.exceptions.NoCredentialsError: Unable to locate credentials",
        b"fatal error: Unable to locate credentials",
    ],
)
def test_a_job_that_looks_for_credentials_in_vain_is_advised(home: Home, line: bytes) -> None:
    advise = build(home).find_advice(build_request())
    assert advise is not None
    assert "--container-credentials profile:NAME" in (advise(line) or "")
    assert advise(b"epoch 1") is None
    assert build(home, grant=lambda: LASTING).find_advice(build_request()) is None


@pytest.mark.parametrize("choice", ["s3", "profile:", "profile:no-such-profile", "mine"])
def test_credentials_that_cannot_be_had_are_refused_at_the_start(choice: str) -> None:
    with pytest.raises(ConfigError) as caught:
        open_grant(choice, None)
    assert caught.value.fix


def test_a_profile_is_looked_up_as_aws_clients_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "credentials"
    file.write_text("[dev]\naws_access_key_id = AKIADEV\naws_secret_access_key = dev\naws_session_token = tok\n")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(file))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAOTHER")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "other")
    grant = open_grant("profile:dev", KEYS)
    assert grant is not None
    assert grant() == Credentials(access_key="AKIADEV", secret_key="dev", token="tok")


def test_none_and_s3_need_no_profile() -> None:
    assert open_grant("none", None) is None
    grant = open_grant("s3", KEYS)
    assert grant is not None
    assert grant().access_key == "AK"


def test_the_endpoint_is_the_one_that_boto3_would_use(tmp_path: Path) -> None:
    assert find_s3_endpoint({"AWS_CONFIG_FILE": str(tmp_path / "none")}) is None
    general = {"AWS_ENDPOINT_URL": "http://all", "AWS_CONFIG_FILE": str(tmp_path / "none")}
    assert find_s3_endpoint(general) == "http://all"
    assert find_s3_endpoint({**general, "AWS_ENDPOINT_URL_S3": "http://s3"}) == "http://s3"
    assert find_s3_endpoint({**general, "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}) is None


def test_the_endpoint_of_a_configuration_file_counts_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Source: AWS SDKs Reference Guide, "Service-specific endpoints"."""
    file = tmp_path / "config"
    file.write_text("[default]\nservices = mine\n[services mine]\ns3 =\n  endpoint_url = http://127.0.0.1:9000\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(file))
    assert find_s3_endpoint() == "http://127.0.0.1:9000"
