"""An image is pushed only where it is missing, to a repository that is made when needed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from sm_remote.aws.registry import Registry
from sm_remote.errors import ConfigError, ImageBuildFailed
from sm_remote.jobs.environments.image_push import push_missing, push_through
from tests.fakes.ecr import FakeEcr

LOCAL = "sm-remote-local/image:" + "0" * 24
KEY = "0" * 24


class Pusher:
    """Sends to a fake ECR."""

    def __init__(self, ecr: FakeEcr) -> None:
        self.ecr = ecr
        self.sent: list[tuple[str, str, Mapping[str, str]]] = []

    def __call__(self, image: str, target: str, credentials: Mapping[str, str]) -> None:
        self.sent.append((image, target, credentials))
        repository, _, tag = target.removeprefix(f"{self.ecr.registry}/").partition(":")
        self.ecr.images[repository][tag] = "sha256:1"


def test_a_missing_image_is_pushed_once_to_a_repository_that_is_made() -> None:
    ecr = FakeEcr()
    push = Pusher(ecr)
    target = f"{ecr.registry}/sm-remote:{KEY}"
    assert push_missing(LOCAL, KEY, Registry(ecr), push) == (target, True)
    assert push.sent == [(LOCAL, target, {"username": "AWS", "password": "word:with:colons"})]
    assert "CreateRepository" in ecr.calls
    ecr.calls.clear()
    assert push_missing(LOCAL, KEY, Registry(ecr), push) == (target, False)
    assert len(push.sent) == 1
    assert ecr.calls == ["DescribeImages", "DescribeRepositories"]


def test_another_content_has_another_tag() -> None:
    ecr = FakeEcr({"sm-remote": {KEY: "sha256:1"}})
    push = Pusher(ecr)
    target, sent = push_missing(LOCAL, "1" * 24, Registry(ecr), push)
    assert sent
    assert target.endswith(":" + "1" * 24)
    assert "CreateRepository" not in ecr.calls


def test_who_was_slower_takes_the_image_that_is_there() -> None:
    ecr = FakeEcr()

    def lose(image: str, target: str, credentials: Mapping[str, str]) -> None:
        ecr.images["sm-remote"][KEY] = "sha256:1"
        raise ImageBuildFailed("The tag exists and is immutable.")

    assert push_missing(LOCAL, KEY, Registry(ecr), lose) == (f"{ecr.registry}/sm-remote:{KEY}", False)


@pytest.mark.parametrize("operation", ["DescribeImages", "CreateRepository", "GetAuthorizationToken"])
def test_a_missing_permission_is_named(operation: str) -> None:
    ecr = FakeEcr()
    ecr.refuses = operation
    with pytest.raises(ConfigError, match=f"ecr:{operation}") as caught:
        push_missing(LOCAL, KEY, Registry(ecr), Pusher(ecr))
    assert f"ecr:{operation}" in caught.value.fix


def test_a_push_goes_through_the_local_service_and_its_failure_is_told() -> None:
    bodies: list[Mapping[str, Any]] = []

    def call(operation: str, body: Mapping[str, Any]) -> Mapping[str, Any]:
        bodies.append(body)
        if operation == "PushImage":
            return {"Work": "push"}
        return {"Status": "Failed", "Lines": ["Pushed: 1"], "Next": 1, "Reason": "no basic auth credentials"}

    with pytest.raises(ImageBuildFailed, match="could not be pushed to host/x:1") as caught:
        push_through(call)(LOCAL, "host/x:1", {"username": "AWS", "password": "word"})
    assert bodies[0] == {"Image": LOCAL, "Target": "host/x:1", "Username": "AWS", "Password": "word"}
    assert "no basic auth credentials" in caught.value.why
    assert "word" not in str(caught.value)
