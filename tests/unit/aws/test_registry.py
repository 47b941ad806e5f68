"""What an image in ECR says of itself is read from its configuration, and only if its digest is the manifest's."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError

from sm_remote.aws.ecr_uri import EcrImage, parse_ecr_uri, spell_login
from sm_remote.aws.registry import Registry
from sm_remote.errors import ConfigError, CredentialsExpired, ServiceUnavailable, Throttled
from tests.fakes.ecr import FakeEcr

CONFIG = {"architecture": "amd64", "config": {"Env": ["PYTHON_VERSION=3.12.7"]}}
HOST = "111122223333.dkr.ecr.eu-west-1.amazonaws.com"


def place(uri: str) -> EcrImage:
    found = parse_ecr_uri(f"{HOST}/{uri}")
    assert found is not None
    return found


@pytest.mark.parametrize("in_index", [False, True])
def test_a_configuration_is_read_for_the_processor_of_instances(in_index: bool) -> None:
    ecr = FakeEcr()
    ecr.add_config("team/train", "v1", CONFIG, in_index=in_index)
    assert Registry(ecr).read_config(place("team/train:v1"), fetch=ecr.blobs.__getitem__) == CONFIG
    assert Registry(ecr).is_pullable(place("team/train:v1"))


def test_what_is_not_there_is_none() -> None:
    ecr = FakeEcr({"team/train": {}})
    for uri in ("team/train:v1", "nothing:v1"):
        assert Registry(ecr).read_config(place(uri), fetch=ecr.blobs.__getitem__) is None
        assert not Registry(ecr).is_pullable(place(uri))


def test_altered_bytes_are_not_believed() -> None:
    ecr = FakeEcr()
    ecr.add_config("train", "v1", CONFIG)
    with pytest.raises(ConfigError, match="another digest"):
        Registry(ecr).read_config(place("train:v1"), fetch=lambda url: b"{}")


def test_a_refusal_names_the_permission() -> None:
    ecr = FakeEcr()
    ecr.add_config("train", "v1", CONFIG)
    ecr.refuses = "BatchGetImage"
    with pytest.raises(ConfigError, match="ecr:BatchGetImage"):
        Registry(ecr).is_pullable(place("train:v1"))


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("ThrottlingException", 400, Throttled),
        ("ExpiredTokenException", 403, CredentialsExpired),
        ("ServerException", 500, ServiceUnavailable),
    ],
)
def test_trouble_that_passes_names_no_permission(code: str, status: int, kind: type[Exception]) -> None:
    ecr = FakeEcr()

    def fail(**_: object) -> None:
        answer = {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": status}}
        raise ClientError(answer, "BatchGetImage")  # type: ignore[arg-type]

    ecr.batch_get_image = fail  # type: ignore[method-assign,assignment]
    with pytest.raises(kind) as caught:
        Registry(ecr).is_pullable(place("train:v1"))
    assert "ecr:" not in str(caught.value)


def test_only_https_is_fetched() -> None:
    ecr = FakeEcr()
    ecr.add_config("train", "v1", CONFIG)
    ecr.get_download_url_for_layer = lambda **_: {"downloadUrl": "file:///etc/passwd"}  # type: ignore[method-assign]
    with pytest.raises(ConfigError, match="not https"):
        Registry(ecr).read_config(place("train:v1"))


DIGEST = "sha256:" + "0" * 64


@pytest.mark.parametrize(
    ("tail", "image_id"),
    [
        ("a/b:1", {"imageTag": "1"}),
        ("a", {"imageTag": "latest"}),
        (f"a:1@{DIGEST}", {"imageDigest": DIGEST}),
        (f"a@{DIGEST}", {"imageDigest": DIGEST}),
    ],
)
def test_a_uri_is_taken_apart(tail: str, image_id: dict[str, str]) -> None:
    found = place(tail)
    assert (found.account, found.region, found.image_id) == ("111122223333", "eu-west-1", image_id)
    assert found.repository in ("a/b", "a")


def test_what_is_not_in_ecr_has_no_login() -> None:
    assert parse_ecr_uri("python:3.11-slim") is None
    assert spell_login("python:3.11-slim") == ""
    assert spell_login(f"{HOST}/a:1").endswith(f"--password-stdin {HOST}")
